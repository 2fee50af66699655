//! Types of times that keep less than they could: `timestamp(3)`, `interval day to minute`.

use super::{MICROS_PER_HOUR, MICROS_PER_MINUTE, TIMESTAMP_MAX, TIMESTAMP_MIN, TimeError};
use crate::Interval;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A field of an interval, the longest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IntervalField {
    /// `year`
    Year,
    /// `month`
    Month,
    /// `day`
    Day,
    /// `hour`
    Hour,
    /// `minute`
    Minute,
    /// `second`
    Second,
}

const FIELDS: [IntervalField; 6] = [
    IntervalField::Year,
    IntervalField::Month,
    IntervalField::Day,
    IntervalField::Hour,
    IntervalField::Minute,
    IntervalField::Second,
];

impl IntervalField {
    fn name(self) -> &'static str {
        match self {
            IntervalField::Year => "year",
            IntervalField::Month => "month",
            IntervalField::Day => "day",
            IntervalField::Hour => "hour",
            IntervalField::Minute => "minute",
            IntervalField::Second => "second",
        }
    }

    /// The bit that PostgreSQL has for it in a modifier.
    fn bit(self) -> i32 {
        1 << match self {
            IntervalField::Year => 2,
            IntervalField::Month => 1,
            IntervalField::Day => 3,
            IntervalField::Hour => 10,
            IntervalField::Minute => 11,
            IntervalField::Second => 12,
        }
    }
}

/// What of a time its type keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limit {
    /// Of an interval, the first and the last field; `None` is all of them.
    pub fields: Option<(IntervalField, IntervalField)>,
    /// Digits of seconds after the point, six at most.
    pub digits: Option<u8>,
}

/// All fields, and all digits, in the modifier of an interval.
const ALL_FIELDS: i32 = 0x7fff;
const ALL_DIGITS: i32 = 0xffff;

impl Limit {
    /// The modifier that PostgreSQL keeps for it.
    pub fn modifier(&self, of_interval: bool) -> i32 {
        let digits = self.digits.map(i32::from);
        if !of_interval {
            return digits.unwrap_or(-1);
        }
        let fields = self.fields.map_or(ALL_FIELDS, |(first, last)| {
            FIELDS.iter().filter(|field| (first..=last).contains(field)).map(|field| field.bit()).sum()
        });
        (fields << 16) | digits.unwrap_or(ALL_DIGITS)
    }

    /// What a modifier says; the inverse of [`Limit::modifier`].
    pub fn of_modifier(modifier: i32, of_interval: bool) -> Limit {
        let digits = |n: i32| u8::try_from(n).ok();
        if !of_interval {
            return Limit { fields: None, digits: digits(modifier) };
        }
        let (bits, n) = (modifier >> 16, modifier & ALL_DIGITS);
        let mut fields = FIELDS.into_iter().filter(|field| bits & field.bit() != 0);
        let first = fields.next().filter(|_| bits != ALL_FIELDS);
        let fields = first.map(|first| (first, fields.next_back().unwrap_or(first)));
        Limit { fields, digits: digits(n) }
    }

    /// The name of the type of that name with this limit.
    pub fn name(&self, of: &str) -> String {
        let digits = self.digits.map(|digits| format!("({digits})")).unwrap_or_default();
        let fields = match self.fields {
            None => String::new(),
            Some((first, last)) if first == last => format!(" {}", first.name()),
            Some((first, last)) => format!(" {} to {}", first.name(), last.name()),
        };
        match of.split_once(' ') {
            Some((of, zone)) => format!("{of}{digits} {zone}"),
            None => format!("{of}{fields}{digits}"),
        }
    }

    /// A timestamp of either kind, rounded as if counted from 2000.
    ///
    /// # Errors
    /// Out of range.
    pub fn timestamp(&self, micros: i64) -> Result<i64, TimeError> {
        const YEAR_2000: i64 = 946_684_800_000_000;
        if matches!(micros, i64::MIN | i64::MAX) {
            return Ok(micros);
        }
        let rounded = micros.checked_sub(YEAR_2000).and_then(|t| self.rounded(t)?.checked_add(YEAR_2000));
        rounded
            .filter(|t| (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(t))
            .ok_or(TimeError::OutOfRange { type_name: "timestamp" })
    }

    /// A time of day, rounded.
    pub fn time(&self, micros: i64) -> i64 {
        self.rounded(micros).expect("a day is far from the limits")
    }

    /// An interval with these fields only, rounded.
    ///
    /// # Errors
    /// Out of range.
    pub fn interval(&self, interval: Interval) -> Result<Interval, TimeError> {
        let Interval { months, days, micros } = interval;
        let cut = |unit: i64| Interval { months, days, micros: micros / unit * unit };
        Ok(match self.fields.map(|(_, last)| last) {
            Some(IntervalField::Year) => Interval { months: months / 12 * 12, days: 0, micros: 0 },
            Some(IntervalField::Month) => Interval { months, days: 0, micros: 0 },
            Some(IntervalField::Day) => Interval { months, days, micros: 0 },
            Some(IntervalField::Hour) => cut(MICROS_PER_HOUR),
            Some(IntervalField::Minute) => cut(MICROS_PER_MINUTE),
            Some(IntervalField::Second) | None => {
                let micros = self.rounded(micros).ok_or(TimeError::OutOfRange { type_name: "interval" })?;
                Interval { months, days, micros }
            }
        })
    }

    /// Microseconds rounded half away from zero.
    fn rounded(&self, micros: i64) -> Option<i64> {
        let Some(digits @ ..=5) = self.digits else { return Some(micros) };
        let unit = 10u64.pow(6 - u32::from(digits));
        let rounded = i64::try_from((micros.unsigned_abs() + unit / 2) / unit * unit).ok()?;
        Some(if micros < 0 { -rounded } else { rounded })
    }

    /// The text of an interval with the units that its fields say it has.
    pub fn spelled<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some((first, last)) = self.fields else { return Cow::Borrowed(text) };
        let bare = text.trim();
        let number = |text: &str| text.trim().parse::<f64>().is_ok_and(f64::is_finite);
        if number(bare) {
            return Cow::Owned(format!("{bare} {}", last.name()));
        }
        match (first, last) {
            (IntervalField::Day, IntervalField::Hour)
                if let Some((days, hours)) = bare.split_once(' ')
                    && number(days)
                    && number(hours) =>
            {
                Cow::Owned(format!("{days} day {hours} hour"))
            }
            // 10:20 are hours and minutes, unless seconds are asked for without hours.
            (IntervalField::Minute | IntervalField::Second, IntervalField::Second)
                if bare.matches(':').count() == 1 =>
            {
                Cow::Owned(format!("00:{bare}"))
            }
            _ => Cow::Borrowed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_those_of_postgresql() {
        use IntervalField::*;
        for (fields, digits, modifier, name) in [
            (None, Some(1), 2_147_418_113, "interval(1)"),
            (Some((Day, Second)), Some(1), 470_286_337, "interval day to second(1)"),
            (Some((Year, Month)), None, 458_751, "interval year to month"),
            (Some((Hour, Hour)), None, 67_174_399, "interval hour"),
            (Some((Second, Second)), Some(0), 268_435_456, "interval second(0)"),
            (Some((Minute, Second)), None, 402_718_719, "interval minute to second"),
        ] {
            let limit = Limit { fields, digits };
            assert_eq!((limit.modifier(true), limit.name("interval").as_str()), (modifier, name));
            assert_eq!(Limit::of_modifier(modifier, true), limit);
        }
        let limit = Limit { fields: None, digits: Some(3) };
        assert_eq!((limit.modifier(false), Limit::of_modifier(3, false)), (3, limit));
        assert_eq!(limit.name("timestamp with time zone"), "timestamp(3) with time zone");
    }

    #[test]
    fn seconds_are_rounded_away_from_2000() {
        let limit = Limit { fields: None, digits: Some(3) };
        let check = |micros: i64, expected: i64| assert_eq!(limit.timestamp(micros), Ok(expected));
        check(946_684_800_000_500, 946_684_800_001_000);
        check(946_684_799_999_500, 946_684_799_999_000);
        check(946_684_799_999_501, 946_684_800_000_000);
        check(i64::MAX, i64::MAX);
        check(i64::MIN, i64::MIN);
        assert!(limit.timestamp(TIMESTAMP_MAX).is_err());
        assert_eq!(limit.time(86_399_999_500), 86_400_000_000);
    }
}
