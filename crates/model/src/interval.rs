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
        let mut seconds = to_micro((days_exact - f64::from(days) + days_of_month - days_of_month.trunc()) * DAY_SECONDS);
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
