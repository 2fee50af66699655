//! PostgreSQL's interval.
//!
//! ```text
//! '1 year 2 mons 3 days 04:05:06.5'     months 14 │ days 3 │ micros 14706500000
//! ```
//!
//! The three parts have their own signs and never flow into each other, because a month has 28 to 31 days and a
//! day 23 to 25 hours. Only a comparison assumes 30 days and 24 hours.

mod parse;

use crate::time::format::{write_fraction, write_two};
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, TimeError};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Months, days and microseconds, kept apart because neither months nor days have a fixed length.
///
/// `==` compares the parts; PostgreSQL's comparison, for which 30 days are a month, is [`Interval::compare`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// Whole months.
    pub months: i32,
    /// Whole days.
    pub days: i32,
    /// The rest, in microseconds.
    pub micros: i64,
}

const OUT_OF_RANGE: TimeError = TimeError::OutOfRange { type_name: "interval" };

impl Interval {
    /// No time at all.
    pub const ZERO: Interval = Interval { months: 0, days: 0, micros: 0 };

    /// So many months, days and microseconds.
    pub const fn new(months: i32, days: i32, micros: i64) -> Interval {
        Interval { months, days, micros }
    }

    /// So many microseconds.
    pub const fn from_micros(micros: i64) -> Interval {
        Interval { months: 0, days: 0, micros }
    }

    /// Reads all the forms that PostgreSQL reads: `1 day 2 hours`, `1.5 h`, `01:02:03`, `1-2`, `3 4:05:06`,
    /// `@ 1 minute ago`, `P1Y2M3DT4H5M6S`, `P0001-02-03T04:05:06`.
    ///
    /// # Errors
    /// [`TimeError::InvalidSyntax`], [`TimeError::IntervalFieldOverflow`], and [`TimeError::InfiniteInterval`].
    pub fn parse(text: &str) -> Result<Interval, TimeError> {
        parse::parse(text)
    }

    /// Its length in microseconds if it has no months; days count 24 hours. `None` with months, and where the
    /// length does not fit.
    pub fn fixed_micros(&self) -> Option<i64> {
        if self.months != 0 {
            return None;
        }
        i64::from(self.days).checked_mul(MICROS_PER_DAY)?.checked_add(self.micros)
    }

    /// Its length in microseconds where months have 30 days and days 24 hours: what PostgreSQL compares.
    pub fn approx_micros(&self) -> i128 {
        (i128::from(self.months) * 30 + i128::from(self.days)) * i128::from(MICROS_PER_DAY) + i128::from(self.micros)
    }

    /// PostgreSQL's `<`, `=` and `>`, for which `1 mon` equals `30 days`.
    pub fn compare(&self, other: &Interval) -> Ordering {
        self.approx_micros().cmp(&other.approx_micros())
    }

    /// Part by part.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`].
    pub fn checked_add(&self, other: &Interval) -> Result<Interval, TimeError> {
        Ok(Interval {
            months: self.months.checked_add(other.months).ok_or(OUT_OF_RANGE)?,
            days: self.days.checked_add(other.days).ok_or(OUT_OF_RANGE)?,
            micros: self.micros.checked_add(other.micros).ok_or(OUT_OF_RANGE)?,
        })
    }

    /// Part by part.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`].
    pub fn checked_sub(&self, other: &Interval) -> Result<Interval, TimeError> {
        Ok(Interval {
            months: self.months.checked_sub(other.months).ok_or(OUT_OF_RANGE)?,
            days: self.days.checked_sub(other.days).ok_or(OUT_OF_RANGE)?,
            micros: self.micros.checked_sub(other.micros).ok_or(OUT_OF_RANGE)?,
        })
    }

    /// Part by part.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`].
    pub fn checked_neg(&self) -> Result<Interval, TimeError> {
        Interval::ZERO.checked_sub(self)
    }

    /// Times a number. A fraction of a month becomes days, a fraction of a day becomes time.
    ///
    /// # Errors
    /// [`TimeError::OutOfRange`], also when `factor` is not a number.
    pub fn checked_mul(&self, factor: f64) -> Result<Interval, TimeError> {
        self.scaled(|part| part * factor)
    }

    /// Divided by a number. A fraction of a month becomes days, a fraction of a day becomes time.
    ///
    /// # Errors
    /// [`TimeError::DivisionByZero`] and [`TimeError::OutOfRange`].
    pub fn checked_div(&self, divisor: f64) -> Result<Interval, TimeError> {
        if divisor == 0.0 {
            return Err(TimeError::DivisionByZero);
        }
        self.scaled(|part| part / divisor)
    }

    /// `justify_hours`: every 24 hours become a day.
    pub fn justify_hours(&self) -> Result<Interval, TimeError> {
        let days = i32::try_from(self.micros / MICROS_PER_DAY).map_err(|_| OUT_OF_RANGE)?;
        let mut days = self.days.checked_add(days).ok_or(OUT_OF_RANGE)?;
        let mut micros = self.micros % MICROS_PER_DAY;
        if days > 0 && micros < 0 {
            (days, micros) = (days - 1, micros + MICROS_PER_DAY);
        } else if days < 0 && micros > 0 {
            (days, micros) = (days + 1, micros - MICROS_PER_DAY);
        }
        Ok(Interval { months: self.months, days, micros })
    }

    /// `justify_days`: every 30 days become a month.
    pub fn justify_days(&self) -> Result<Interval, TimeError> {
        let mut months = self.months.checked_add(self.days / 30).ok_or(OUT_OF_RANGE)?;
        let mut days = self.days % 30;
        if months > 0 && days < 0 {
            (months, days) = (months - 1, days + 30);
        } else if months < 0 && days > 0 {
            (months, days) = (months + 1, days - 30);
        }
        Ok(Interval { months, days, micros: self.micros })
    }

    fn scaled(&self, scale: impl Fn(f64) -> f64) -> Result<Interval, TimeError> {
        const DAY_SECONDS: f64 = 86_400.0;
        let (months_exact, days_exact) = (scale(f64::from(self.months)), scale(f64::from(self.days)));
        let (months, mut days) = (whole(months_exact)?, whole(days_exact)?);
        let days_of_month = to_micro((months_exact - f64::from(months)) * 30.0);
        let mut seconds =
            to_micro((days_exact - f64::from(days) + days_of_month - days_of_month.trunc()) * DAY_SECONDS);
        if seconds.abs() >= DAY_SECONDS {
            let more = (seconds / DAY_SECONDS).trunc();
            days = days.checked_add(more as i32).ok_or(OUT_OF_RANGE)?;
            seconds -= more * DAY_SECONDS;
        }
        days = days.checked_add(days_of_month.trunc() as i32).ok_or(OUT_OF_RANGE)?;
        let micros = (scale(self.micros as f64) + seconds * MICROS_PER_SECOND as f64).round_ties_even();
        Ok(Interval { months, days, micros: whole_micros(micros).ok_or(OUT_OF_RANGE)? })
    }
}

/// PostgreSQL's `intervalstyle = postgres`: `1 year 2 mons -3 days +04:05:06.5`.
impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut after_negative = false;
        let mut separator = "";
        for (value, name) in [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")] {
            if value != 0 {
                let sign = if after_negative && value > 0 { "+" } else { "" };
                let plural = if value == 1 { "" } else { "s" };
                write!(f, "{separator}{sign}{value} {name}{plural}")?;
                after_negative = value < 0;
                separator = " ";
            }
        }
        if self.micros == 0 && !separator.is_empty() {
            return Ok(());
        }
        let sign = match self.micros {
            i64::MIN..=-1 => "-",
            _ if after_negative => "+",
            _ => "",
        };
        // The hours of the smallest interval do not fit after negation; its parts do.
        let part = |unit: i64| (self.micros / unit).abs();
        let mut clock = Vec::with_capacity(24);
        write_two(&mut clock, part(MICROS_PER_HOUR));
        clock.push(b':');
        write_two(&mut clock, part(MICROS_PER_MINUTE) % 60);
        clock.push(b':');
        write_two(&mut clock, part(MICROS_PER_SECOND) % 60);
        write_fraction(&mut clock, (self.micros % MICROS_PER_SECOND).abs());
        write!(f, "{separator}{sign}{}", String::from_utf8_lossy(&clock))
    }
}

impl std::str::FromStr for Interval {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Interval::parse(text)
    }
}

fn whole(x: f64) -> Result<i32, TimeError> {
    let x = x.trunc();
    if x.is_nan() || x < f64::from(i32::MIN) || x > f64::from(i32::MAX) {
        return Err(OUT_OF_RANGE);
    }
    Ok(x as i32)
}

/// A whole number as an `i64`, if it fits.
fn whole_micros(x: f64) -> Option<i64> {
    // i64::MAX as a float is 2⁶³, which does not fit; every float below it does.
    (x >= i64::MIN as f64 && x < i64::MAX as f64).then_some(x as i64)
}

/// Rounds to a millionth, as PostgreSQL does so that 0.1 + 0.2 are three tenths of a day.
fn to_micro(x: f64) -> f64 {
    (x * 1_000_000.0).round_ties_even() / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(result: Result<Interval, TimeError>) -> String {
        result.map_or_else(|error| format!("{} {error}", error.sqlstate()), |value| value.to_string())
    }

    fn interval(text: &str) -> Interval {
        Interval::parse(text).unwrap()
    }

    // The expected answers below are those of PostgreSQL 15.

    #[test]
    fn every_form_is_read_and_written_in_one() {
        let check = |text: &str, expected: &str| assert_eq!(told(Interval::parse(text)), expected, "'{text}'");
        check("1 day", "1 day");
        check("-1 day", "-1 days");
        check("1 day ago", "-1 days");
        check("@ 1 minute", "00:01:00");
        check("@ 1 year 2 mons 3 days ago", "-1 years -2 mons -3 days");
        check("1.5 hours", "01:30:00");
        check("2 weeks 3 days", "17 days");
        check("1 MON", "1 mon");
        check("1y", "1 year");
        check("1d2h3m", "1 day 02:03:00");
        check("250 ms", "00:00:00.25");
        check("100 microseconds", "00:00:00.0001");
        check("1 decade", "10 years");
        check("1 century", "100 years");
        check("1 millennium", "1000 years");
        check("90", "00:01:30");
        check("1.5", "00:00:01.5");
        check("01:02:03.5", "01:02:03.5");
        check("01:02", "01:02:00");
        check("02:03.5", "00:02:03.5");
        check("-00:00:01", "-00:00:01");
        check("100:00:00", "100:00:00");
        check("1 02:03:04", "1 day 02:03:04");
        check("1-2", "1 year 2 mons");
        check("-1-2", "-1 years -2 mons");
        check("1-2 3 04:05:06", "1 year 2 mons 3 days 04:05:06");
        check("0", "00:00:00");
        check("1 year 2 mons 3 days 04:05:06.5", "1 year 2 mons 3 days 04:05:06.5");
    }

    #[test]
    fn iso_8601_is_read() {
        let check = |text: &str, expected: &str| assert_eq!(told(Interval::parse(text)), expected, "'{text}'");
        check("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06");
        check("P0001-02-03T04:05:06", "1 year 2 mons 3 days 04:05:06");
        check("P1W", "7 days");
        check("PT36H", "36:00:00");
        check("PT1.5H", "01:30:00");
        check("P-1Y", "-1 years");
        check("PT-1H30M", "-00:30:00");
        check("PT0S", "00:00:00");
    }

    #[test]
    fn signs_are_shown_where_they_change() {
        let check = |text: &str, expected: &str| assert_eq!(told(Interval::parse(text)), expected, "'{text}'");
        check("1 mon -1 day", "1 mon -1 days");
        check("-1 mon 1 day", "-1 mons +1 day");
        check("1 day -1 hour", "1 day -01:00:00");
        check("-1 day +1 hour", "-1 days +01:00:00");
        check("-1 day 02:03", "-1 days +02:03:00");
        check("-1 year -2 mons +3 days -04:05:06", "-1 years -2 mons +3 days -04:05:06");
    }

    #[test]
    fn fractions_flow_into_smaller_units() {
        let check = |text: &str, expected: &str| assert_eq!(told(Interval::parse(text)), expected, "'{text}'");
        check("1.5 years", "1 year 6 mons");
        check("0.1 year", "1 mon");
        check("1.5 months", "1 mon 15 days");
        check("1.75 months", "1 mon 22 days 12:00:00");
        check("1.5 weeks", "10 days 12:00:00");
        check("-1.5 days", "-1 days -12:00:00");
        check("1.234 centuries", "123 years 5 mons");
        check("1.5 ms", "00:00:00.0015");
    }

    #[test]
    fn what_is_no_interval_is_refused_in_the_words_of_postgresql() {
        let check = |text: &str, expected: &str| {
            assert_eq!(told(Interval::parse(text)), expected.replace('%', &format!("\"{text}\"")), "'{text}'");
        };
        for text in ["", "foo", "1 foo", "day", "1 day 1 day", "P", "1e3 s", "--1 day", "1 quarter"] {
            check(text, "22007 invalid input syntax for type interval: %");
        }
        for text in
            ["2147483648 months", "2147483648 days", "9223372036854775808 us", "1:61:00", "999999999999999 hours"]
        {
            check(text, "22015 interval field value out of range: %");
        }
        check("infinity", "0A000 infinite intervals are not supported: %");
    }

    #[test]
    fn products_and_quotients_keep_the_parts_apart() {
        let check = |text: &str, factor: f64, product: &str, quotient: &str| {
            assert_eq!(told(interval(text).checked_mul(factor)), product, "{text} * {factor}");
            assert_eq!(told(interval(text).checked_div(factor)), quotient, "{text} / {factor}");
        };
        check("1 mon", 0.5, "15 days", "2 mons");
        check("1 day", 1.5, "1 day 12:00:00", "16:00:00");
        check("1 day", -1.0, "-1 days", "-1 days");
        check("1 year 2 mons 3 days 04:05:06.5", 2.0, "2 years 4 mons 6 days 08:10:13", "7 mons 1 day 14:02:33.25");
        assert_eq!(told(interval("1 day").checked_div(0.0)), "22012 division by zero");
        assert_eq!(told(interval("1 mon").checked_mul(1e20)), "22008 interval out of range");
        assert_eq!(told(interval("1 mon").checked_mul(f64::NAN)), "22008 interval out of range");
        assert_eq!(told(Interval::new(i32::MIN, 0, 0).checked_neg()), "22008 interval out of range");
    }

    #[test]
    fn comparison_takes_months_as_30_days() {
        let check = |a: &str, b: &str, expected| assert_eq!(interval(a).compare(&interval(b)), expected, "{a}, {b}");
        check("1 mon", "30 days", Ordering::Equal);
        check("1 day", "24 hours", Ordering::Equal);
        check("1 year", "365 days", Ordering::Less);
        check("-1 days", "1 microsecond", Ordering::Less);
        assert_eq!(interval("1 day 1 s").fixed_micros(), Some(86_401_000_000));
        assert_eq!(interval("1 mon").fixed_micros(), None);
    }

    #[test]
    fn justifying_moves_whole_days_and_months_up() {
        assert_eq!(told(interval("36:00:00").justify_hours()), "1 day 12:00:00");
        assert_eq!(told(interval("1 day -25:00").justify_hours()), "-01:00:00");
        assert_eq!(told(interval("100 days").justify_days()), "3 mons 10 days");
        assert_eq!(told(interval("1 mon -35 days").justify_days()), "-5 days");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(months in any::<i32>(), days in any::<i32>(), micros in any::<i64>()) {
            // PostgreSQL too cannot read the one that has no positive counterpart.
            let written = Interval { months, days, micros: micros.max(-i64::MAX) };
            prop_assert_eq!(Interval::parse(&written.to_string()), Ok(written));
        }
    }
}
