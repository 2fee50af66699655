//! Years, months and days of the Gregorian calendar, for all years.
//!
//! Year 0 is 1 BC, −1 is 2 BC. The arithmetic counts from 1 March of year 0, so that the leap day is the last
//! day of a year, and in eras of 400 years, after which everything repeats:
//!
//! ```text
//! era of 146097 days   [ 100 years ][ 100 years ][ 100 years ][ 100 years + 1 day ]
//! ```

use super::MICROS_PER_DAY;

/// Days in an era of 400 years, after which dates, weekdays and leap years repeat.
pub(crate) const DAYS_PER_ERA: i64 = 146_097;

/// Days from 1970-01-01 to the date. `day` may be any number; `month` is 1 to 12.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of the date `days` after 1970-01-01.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to the first day of the month, where months count from January of year 0.
pub(crate) fn days_from_month_index(month_index: i64) -> i64 {
    days_from_civil(month_index.div_euclid(12), month_index.rem_euclid(12) + 1, 1)
}

/// The month that holds the day, counted from January of year 0.
pub(crate) fn month_index_from_days(days: i64) -> i64 {
    let (year, month, _) = civil_from_days(days);
    year * 12 + month - 1
}

/// Whether the year has a 29 February.
fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days the month has, 28 to 31.
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap_year(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day of the week: Monday is 0, Sunday is 6.
pub fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// The day, since 1970, that holds a wall-clock time in microseconds, and the microseconds since its midnight.
pub fn split_days(local_micros: i64) -> (i64, i64) {
    (local_micros.div_euclid(MICROS_PER_DAY), local_micros.rem_euclid(MICROS_PER_DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days_have_their_dates() {
        let check = |days, date: (i64, i64, i64)| {
            assert_eq!(civil_from_days(days), date);
            assert_eq!(days_from_civil(date.0, date.1, date.2), days);
        };
        check(0, (1970, 1, 1));
        check(-1, (1969, 12, 31));
        check(10_957, (2000, 1, 1));
        check(11_016, (2000, 2, 29));
        check(-2_440_588, (-4713, 11, 24));
        check(2_145_042_905, (5_874_897, 12, 31));
        assert_eq!(weekday(0), 3, "1970-01-01 was a Thursday");
    }

    proptest! {
        #[test]
        fn dates_follow_each_other(days in -3_000_000_000..3_000_000_000i64) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
            let next = if day < days_in_month(year, month) {
                (year, month, day + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
            prop_assert_eq!(civil_from_days(days + 1), next);
        }
    }
}
