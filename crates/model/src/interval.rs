//! PostgreSQL's interval.

use serde::{Deserialize, Serialize};

/// Months, days and microseconds, kept apart because neither months nor days have a fixed length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// Whole months.
    pub months: i32,
    /// Whole days.
    pub days: i32,
    /// The rest, in microseconds.
    pub micros: i64,
}
