//! Dates, times and timestamps as PostgreSQL reads and writes them.
//!
//! ```text
//! text ──parse──▶ i64 microseconds since 1970 UTC ──format──▶ text
//!                   │            ▲
//!              Zone::to_local  Zone::to_utc
//!                   ▼            │
//!                 i64 microseconds on a wall clock   (plus_interval, truncate, age)
//! ```
//!
//! A `timestamptz` is an instant. A `timestamp` is what a clock on the wall shows, counted as if that clock
//! stood in UTC. `i64::MAX` and `i64::MIN` are ±infinity; for a `date`, `i32::MAX` and `i32::MIN` are.
//!
//! The pieces: [`zone`] turns instants into wall-clock time and back, [`calendar`] turns days into years,
//! months and days, [`parse`] and [`mod@format`] are the text forms, [`arithmetic`] is what operators do, [`limit`] what
//! `timestamp(3)` keeps.

pub mod arithmetic;
pub mod calendar;
pub mod format;
pub mod limit;
pub mod parse;
pub mod zone;

pub use arithmetic::{
    Unit, age, date_from_timestamp, date_plus_interval, timestamp_from_date, timestamp_minus_timestamp,
    timestamp_plus_interval, timestamptz_minus_interval, timestamptz_plus_interval, truncate, truncate_timestamptz,
};
pub use format::{
    format_date, format_time, format_timestamp, format_timestamptz, write_date, write_time, write_timestamp,
    write_timestamptz,
};
pub use limit::Limit;
pub use parse::{parse_date, parse_time, parse_timestamp, parse_timestamptz};
pub use zone::Zone;

use std::cell::Cell;

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
/// Microseconds in an hour.
pub const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
/// Microseconds in a day of 24 hours.
pub const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// The first finite timestamp, 4714-11-24 00:00:00 BC, as in PostgreSQL.
pub const TIMESTAMP_MIN: i64 = -210_866_803_200_000_000;
/// The last finite timestamp, in January 294247. PostgreSQL counts from 2000 and so reaches 30 years further.
pub const TIMESTAMP_MAX: i64 = i64::MAX - 1;
/// The first finite date, 4714-11-24 BC, in days since 1970.
pub const DATE_MIN: i32 = -2_440_588;
/// The last finite date, 5874897-12-31, in days since 1970.
pub const DATE_MAX: i32 = 2_145_042_905;

/// What a text like `today` is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clockface {
    /// The session time zone.
    pub zone: Zone,
    now: i64,
}

thread_local! {
    static READ: Cell<u64> = const { Cell::new(0) };
}

impl Clockface {
    /// A clock in UTC that shows the beginning of 1970.
    pub const EPOCH: Clockface = Clockface { zone: Zone::UTC, now: 0 };

    /// A clock in `zone` that shows `now`, the start of the transaction in microseconds since 1970 UTC.
    pub fn new(zone: Zone, now: i64) -> Self {
        Clockface { zone, now }
    }

    /// The start of the transaction, in microseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        READ.set(READ.get() + 1);
        self.now
    }

    /// How often any clock was read on this thread. When it is the same before and after some work, its
    /// result would be the same at any other time.
    pub fn times_read() -> u64 {
        READ.get()
    }
}

/// Why a text is not a time, or a computation has no result. Worded as PostgreSQL does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The text does not have the form of this type.
    #[error("invalid input syntax for type {type_name}: \"{text}\"")]
    InvalidSyntax {
        /// PostgreSQL's name of the type.
        type_name: &'static str,
        /// The whole text.
        text: String,
    },
    /// A field, like the hour, has a value that it cannot have.
    #[error("date/time field value out of range: \"{text}\"")]
    FieldOverflow {
        /// The whole text.
        text: String,
        /// Whether day and month may have been swapped.
        month_or_day: bool,
    },
    /// An interval's field does not fit.
    #[error("interval field value out of range: \"{text}\"")]
    IntervalFieldOverflow {
        /// The whole text.
        text: String,
    },
    /// An offset from UTC that no zone has.
    #[error("time zone displacement out of range: \"{text}\"")]
    DisplacementOverflow {
        /// The whole text.
        text: String,
    },
    /// A time zone that the time zone database does not have.
    #[error("time zone \"{name}\" not recognized")]
    UnknownZone {
        /// The name as written.
        name: String,
    },
    /// The text is well formed, but beyond what the type can hold.
    #[error("{type_name} out of range: \"{text}\"")]
    TextOutOfRange {
        /// `date` or `timestamp`.
        type_name: &'static str,
        /// The whole text.
        text: String,
    },
    /// The result of a computation is beyond what the type can hold.
    #[error("{type_name} out of range")]
    OutOfRange {
        /// `date`, `timestamp` or `interval`.
        type_name: &'static str,
    },
    /// A difference has no value when one side is infinite.
    #[error("cannot subtract infinite timestamps")]
    InfiniteDifference,
    /// Intervals are finite here, as in PostgreSQL before version 17.
    #[error("infinite intervals are not supported: \"{text}\"")]
    InfiniteInterval {
        /// The whole text.
        text: String,
    },
    /// Not the name of a part of a date or time.
    #[error("unit \"{unit}\" not recognized for type {type_name}")]
    UnknownUnit {
        /// The name as written.
        unit: String,
        /// PostgreSQL's name of the type.
        type_name: &'static str,
    },
    /// An interval was divided by zero.
    #[error("division by zero")]
    DivisionByZero,
}

impl TimeError {
    /// PostgreSQL's code for this error.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            TimeError::InvalidSyntax { .. } => "22007",
            TimeError::FieldOverflow { .. }
            | TimeError::TextOutOfRange { .. }
            | TimeError::OutOfRange { .. }
            | TimeError::InfiniteDifference => "22008",
            TimeError::IntervalFieldOverflow { .. } => "22015",
            TimeError::DisplacementOverflow { .. } => "22009",
            TimeError::UnknownZone { .. } | TimeError::UnknownUnit { .. } => "22023",
            TimeError::InfiniteInterval { .. } => "0A000",
            TimeError::DivisionByZero => "22012",
        }
    }

    /// What the user might try instead.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            TimeError::FieldOverflow { month_or_day: true, .. } => {
                Some("Perhaps you need a different \"datestyle\" setting.")
            }
            _ => None,
        }
    }
}
