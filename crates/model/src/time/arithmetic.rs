//! What operators and functions do with times: `+ interval`, `-`, `age`, `date_trunc`.
//!
//! Months and days are added on the wall clock, the rest of an interval in elapsed time:
//!
//! ```text
//! 2024-03-30 12:00 Europe/Berlin   + 1 day      2024-03-31 12:00   (23 hours later)
//!                                  + 24 hours   2024-03-31 13:00
//! 2024-01-31                       + 1 mon      2024-02-29         (the last day there is)
//! ```

use super::calendar::{civil_from_days, days_from_civil, days_in_month, split_days, weekday};
use super::zone::Zone;
use super::{
    MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, TIMESTAMP_MAX, TIMESTAMP_MIN, TimeError,
};
use crate::interval::Interval;

/// `timestamp + interval`: months first (the day moves back to the end of a shorter month), then days, then
/// the rest. Infinity stays what it is.
///
/// # Errors
/// [`TimeError::OutOfRange`].
pub fn timestamp_plus_interval(local_micros: i64, interval: &Interval) -> Result<i64, TimeError> {
    if is_infinite(local_micros) {
        return Ok(local_micros);
    }
    let moved = plus_days(plus_months(local_micros, interval.months)?, interval.days)?;
    in_range(moved.checked_add(interval.micros))
}

/// `timestamptz + interval`: months and days on the wall clock of `zone`, the rest in elapsed time.
///
/// # Errors
/// [`TimeError::OutOfRange`].
pub fn timestamptz_plus_interval(utc_micros: i64, interval: &Interval, zone: &Zone) -> Result<i64, TimeError> {
    if is_infinite(utc_micros) {
        return Ok(utc_micros);
    }
    let mut moved = utc_micros;
    if interval.months != 0 {
        moved = zone.to_utc(plus_months(zone.to_local(moved), interval.months)?);
    }
    if interval.days != 0 {
        moved = zone.to_utc(plus_days(zone.to_local(moved), interval.days)?);
    }
    in_range(moved.checked_add(interval.micros))
}

/// `timestamptz - interval`.
///
/// # Errors
/// [`TimeError::OutOfRange`].
pub fn timestamptz_minus_interval(utc_micros: i64, interval: &Interval, zone: &Zone) -> Result<i64, TimeError> {
    timestamptz_plus_interval(utc_micros, &interval.checked_neg()?, zone)
}

/// `date + interval`, which is a `timestamp`. The date is in days since 1970.
///
/// # Errors
/// [`TimeError::OutOfRange`].
pub fn date_plus_interval(days: i32, interval: &Interval) -> Result<i64, TimeError> {
    timestamp_plus_interval(timestamp_from_date(days)?, interval)
}

/// Midnight of a date in days since 1970, as a `timestamp`. Infinity stays what it is.
///
/// # Errors
/// [`TimeError::OutOfRange`] after the year 294246.
pub fn timestamp_from_date(days: i32) -> Result<i64, TimeError> {
    match days {
        i32::MAX => Ok(i64::MAX),
        i32::MIN => Ok(i64::MIN),
        _ => in_range(i64::from(days).checked_mul(MICROS_PER_DAY)),
    }
}

/// The date, in days since 1970, that holds a `timestamp`. Infinity stays what it is.
pub fn date_from_timestamp(local_micros: i64) -> i32 {
    match local_micros {
        i64::MAX => i32::MAX,
        i64::MIN => i32::MIN,
        _ => split_days(local_micros).0 as i32, // An i64 of microseconds has less than 2³¹ days.
    }
}

/// `timestamp - timestamp`, also for `timestamptz`: whole days of 24 hours and the rest, both of one sign.
///
/// # Errors
/// [`TimeError::InfiniteDifference`], and [`TimeError::OutOfRange`] when they are too far apart.
pub fn timestamp_minus_timestamp(a: i64, b: i64) -> Result<Interval, TimeError> {
    if is_infinite(a) || is_infinite(b) {
        return Err(TimeError::InfiniteDifference);
    }
    let micros = a.checked_sub(b).ok_or(TimeError::OutOfRange { type_name: "interval" })?;
    Ok(Interval { months: 0, days: (micros / MICROS_PER_DAY) as i32, micros: micros % MICROS_PER_DAY })
}

/// `age(timestamp, timestamp)`: the difference in years, months, days and time of day, borrowing the length of
/// the months that lie between.
///
/// # Errors
/// [`TimeError::InfiniteDifference`].
pub fn age(a: i64, b: i64) -> Result<Interval, TimeError> {
    if is_infinite(a) || is_infinite(b) {
        return Err(TimeError::InfiniteDifference);
    }
    let negative = a < b;
    let (late, early) = if negative { (b, a) } else { (a, b) };
    let ((late_days, late_micros), (early_days, early_micros)) = (split_days(late), split_days(early));
    let (late_year, late_month, late_day) = civil_from_days(late_days);
    let (early_year, early_month, early_day) = civil_from_days(early_days);
    let (mut months, mut days) = ((late_year - early_year) * 12 + late_month - early_month, late_day - early_day);
    let mut micros = late_micros - early_micros;
    if micros < 0 {
        micros += MICROS_PER_DAY;
        days -= 1;
    }
    if days < 0 {
        // The borrowed month is the one in which the earlier time lies, whichever argument that is.
        days += days_in_month(early_year, early_month);
        months -= 1;
    }
    let age = Interval { months: months as i32, days: days as i32, micros };
    if negative { age.checked_neg() } else { Ok(age) }
}

/// What `date_trunc` cuts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// 1 µs: nothing is cut.
    Microsecond,
    /// 1000 µs.
    Millisecond,
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks from Monday.
    Week,
    /// Months.
    Month,
    /// Quarters, from January, April, July and October.
    Quarter,
    /// Years.
    Year,
    /// Ten years, from one that ends in 0.
    Decade,
    /// A hundred years, from one that ends in 01.
    Century,
    /// A thousand years, from one that ends in 001.
    Millennium,
}

impl Unit {
    /// The unit that `date_trunc` knows by this name, in any case, singular, plural or abbreviated.
    ///
    /// # Errors
    /// [`TimeError::UnknownUnit`], which names `type_name`.
    pub fn parse(name: &str, type_name: &'static str) -> Result<Unit, TimeError> {
        let lower = name.trim().to_ascii_lowercase();
        Ok(match lower.as_str() {
            "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds" => Unit::Microsecond,
            "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds" => Unit::Millisecond,
            "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
            "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
            "d" | "day" | "days" => Unit::Day,
            "w" | "week" | "weeks" => Unit::Week,
            "mon" | "mons" | "month" | "months" => Unit::Month,
            "qtr" | "quarter" | "quarters" => Unit::Quarter,
            "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
            "dec" | "decs" | "decade" | "decades" => Unit::Decade,
            "c" | "cent" | "century" | "centuries" => Unit::Century,
            "mil" | "mils" | "millennium" | "millennia" => Unit::Millennium,
            _ => return Err(TimeError::UnknownUnit { unit: lower, type_name }),
        })
    }
}

/// `date_trunc` on a `timestamp`: the start of the unit that holds it. Infinity stays what it is.
pub fn truncate(unit: Unit, local_micros: i64) -> i64 {
    if is_infinite(local_micros) {
        return local_micros;
    }
    let (days, _) = split_days(local_micros);
    let (year, month, _) = civil_from_days(days);
    let to = |micros: i64| local_micros.saturating_sub(local_micros.rem_euclid(micros));
    let start = |days: i64| days.saturating_mul(MICROS_PER_DAY).max(i64::MIN + 1);
    // Years here count 1 BC as 0; a century begins with the year after a multiple of 100.
    let year_start = |year: i64| start(days_from_civil(year, 1, 1));
    match unit {
        Unit::Microsecond => local_micros,
        Unit::Millisecond => to(1000),
        Unit::Second => to(MICROS_PER_SECOND),
        Unit::Minute => to(MICROS_PER_MINUTE),
        Unit::Hour => to(MICROS_PER_HOUR),
        Unit::Day => start(days),
        Unit::Week => start(days - weekday(days)),
        Unit::Month => start(days_from_civil(year, month, 1)),
        Unit::Quarter => start(days_from_civil(year, (month - 1) / 3 * 3 + 1, 1)),
        Unit::Year => year_start(year),
        Unit::Decade => year_start(year.div_euclid(10) * 10),
        Unit::Century => year_start((year - 1).div_euclid(100) * 100 + 1),
        Unit::Millennium => year_start((year - 1).div_euclid(1000) * 1000 + 1),
    }
}

/// `date_trunc` on a `timestamptz`: days and larger units begin on the wall clock of `zone`, smaller ones keep
/// the offset from UTC that holds at the instant.
pub fn truncate_timestamptz(unit: Unit, utc_micros: i64, zone: &Zone) -> i64 {
    let local = zone.to_local(utc_micros);
    let cut = truncate(unit, local);
    if unit >= Unit::Day { zone.to_utc(cut) } else { utc_micros.saturating_sub(local.saturating_sub(cut)) }
}

fn is_infinite(micros: i64) -> bool {
    micros == i64::MAX || micros == i64::MIN
}

pub(super) fn in_range(micros: Option<i64>) -> Result<i64, TimeError> {
    micros
        .filter(|micros| (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(micros))
        .ok_or(TimeError::OutOfRange { type_name: "timestamp" })
}

fn plus_months(local_micros: i64, months: i32) -> Result<i64, TimeError> {
    if months == 0 {
        return Ok(local_micros);
    }
    let (days, micros) = split_days(local_micros);
    let (year, month, day) = civil_from_days(days);
    let index = year * 12 + month - 1 + i64::from(months);
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    let days = days_from_civil(year, month, day.min(days_in_month(year, month)));
    in_range(days.checked_mul(MICROS_PER_DAY).and_then(|start| start.checked_add(micros)))
}

fn plus_days(local_micros: i64, days: i32) -> Result<i64, TimeError> {
    in_range(i64::from(days).checked_mul(MICROS_PER_DAY).and_then(|days| local_micros.checked_add(days)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clockface, format_timestamp, format_timestamptz, parse_timestamp, parse_timestamptz};

    fn at(text: &str) -> i64 {
        parse_timestamp(text, &Clockface::EPOCH).unwrap()
    }

    fn interval(text: &str) -> Interval {
        Interval::parse(text).unwrap()
    }

    fn told<T: ToString>(result: Result<T, TimeError>) -> String {
        result.map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    // The expected answers below are those of PostgreSQL 15.

    #[test]
    fn months_end_where_the_month_ends() {
        let check = |time: &str, added: &str, expected: &str| {
            let moved = timestamp_plus_interval(at(time), &interval(added)).map(format_timestamp);
            assert_eq!(told(moved), expected, "{time} + {added}");
        };
        check("2024-01-31", "1 mon", "2024-02-29 00:00:00");
        check("2024-03-31 10:00", "-1 mon", "2024-02-29 10:00:00");
        check("2024-02-29", "1 year", "2025-02-28 00:00:00");
        check("2024-01-31", "1 mon 1 day -01:00", "2024-02-29 23:00:00");
        check("2024-01-01", "1.5 hours", "2024-01-01 01:30:00");
        check("0001-01-01", "-1 year", "0001-01-01 00:00:00 BC");
        check("infinity", "1 day", "infinity");
        check("294000-01-01", "1000 years", "timestamp out of range");
        check("4713-01-01 BC", "-2 years", "timestamp out of range");
    }

    #[test]
    fn days_are_added_on_the_wall_clock_and_hours_in_elapsed_time() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let check = |time: &str, added: &str, expected: &str| {
            let time_micros = parse_timestamptz(time, &Clockface::new(zone, 0)).unwrap();
            let moved = timestamptz_plus_interval(time_micros, &interval(added), &zone).unwrap();
            assert_eq!(format_timestamptz(moved, &zone), expected, "{time} + {added}");
        };
        check("2024-03-30 12:00", "1 day", "2024-03-31 12:00:00+02");
        check("2024-03-30 12:00", "24 hours", "2024-03-31 13:00:00+02");
        check("2024-03-30 02:30", "1 day", "2024-03-31 03:30:00+02");
        check("2024-10-26 02:30", "1 day", "2024-10-27 02:30:00+01");
        check("2024-02-29 02:30", "1 mon 2 days", "2024-03-31 03:30:00+02");
        check("2024-10-27 12:00", "-1 day", "2024-10-26 12:00:00+02");
    }

    #[test]
    fn a_difference_has_days_and_an_age_has_years() {
        let check = |a: &str, b: &str, difference: &str, years: &str| {
            assert_eq!(told(timestamp_minus_timestamp(at(a), at(b))), difference, "{a} - {b}");
            assert_eq!(told(age(at(a), at(b))), years, "age({a}, {b})");
        };
        check("2024-03-31", "2024-02-29", "31 days", "1 mon 2 days");
        check("2024-02-29", "2024-03-31", "-31 days", "-1 mons -2 days");
        check("2024-03-01", "2024-01-31", "30 days", "1 mon 1 day");
        check("2024-01-31", "2024-03-01", "-30 days", "-1 mons -1 days");
        check("2024-03-01 10:00", "2024-02-28 11:00", "1 day 23:00:00", "1 day 23:00:00");
        check("2024-01-01", "2024-01-01", "00:00:00", "00:00:00");
        check("infinity", "2024-01-01", "cannot subtract infinite timestamps", "cannot subtract infinite timestamps");
    }

    #[test]
    fn truncation_finds_the_start_of_the_unit() {
        let check = |unit: &str, expected: &str| {
            let unit = Unit::parse(unit, "timestamp without time zone").unwrap();
            assert_eq!(format_timestamp(truncate(unit, at("2024-05-16 13:37:42.123456"))), expected);
        };
        check("microseconds", "2024-05-16 13:37:42.123456");
        check("milliseconds", "2024-05-16 13:37:42.123");
        check("SECOND", "2024-05-16 13:37:42");
        check("minute", "2024-05-16 13:37:00");
        check("hour", "2024-05-16 13:00:00");
        check("day", "2024-05-16 00:00:00");
        check("week", "2024-05-13 00:00:00");
        check("month", "2024-05-01 00:00:00");
        check("quarter", "2024-04-01 00:00:00");
        check("year", "2024-01-01 00:00:00");
        check("decade", "2020-01-01 00:00:00");
        check("century", "2001-01-01 00:00:00");
        check("millennium", "2001-01-01 00:00:00");
        assert_eq!(format_timestamp(truncate(Unit::Century, at("2000-12-31"))), "1901-01-01 00:00:00");
        assert_eq!(format_timestamp(truncate(Unit::Century, at("0050-01-01 BC"))), "0100-01-01 00:00:00 BC");
        assert_eq!(truncate(Unit::Year, i64::MAX), i64::MAX);
        let error = Unit::parse("fortnight", "timestamp without time zone").unwrap_err();
        assert_eq!(error.to_string(), "unit \"fortnight\" not recognized for type timestamp without time zone");
    }

    #[test]
    fn truncation_in_a_zone_keeps_the_offset_of_hours_and_finds_the_one_of_days() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let check = |unit, time: &str, expected: &str| {
            let time_micros = parse_timestamptz(time, &Clockface::EPOCH).unwrap();
            assert_eq!(format_timestamptz(truncate_timestamptz(unit, time_micros, &zone), &zone), expected, "{time}");
        };
        check(Unit::Hour, "2024-10-27 00:30", "2024-10-27 02:00:00+02");
        check(Unit::Hour, "2024-10-27 01:30", "2024-10-27 02:00:00+01");
        check(Unit::Day, "2024-10-27 12:00", "2024-10-27 00:00:00+02");
        check(Unit::Month, "2024-03-31 12:00", "2024-03-01 00:00:00+01");
    }
}
