//! Buckets of time.

use crate::range::TimeRange;
use crate::schema::TimeType;
use serde::{Deserialize, Serialize};

/// How wide a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BucketWidth {
    /// A fixed number of microseconds, or of the integer unit.
    Fixed(i64),
    /// Calendar months.
    Months(i32),
}

/// A division of the time axis into buckets: the arithmetic of `time_bucket`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bucket {
    /// The type of the bucketed column.
    pub time_type: TimeType,
    /// How wide.
    pub width: BucketWidth,
    /// A time at which a bucket starts; `None` is TimescaleDB's default for the width and type. In the
    /// local time of `zone` when there is one.
    pub origin: Option<i64>,
    /// Months and microseconds by which bucket starts are moved.
    pub offset: (i32, i64),
    /// The time zone whose local time is bucketed; UTC when `None`.
    pub zone: Option<String>,
}

impl Bucket {
    /// Start of the bucket that holds `t`. Infinite times are their own bucket.
    pub fn floor(&self, t: i64) -> i64 {
        let _ = t;
        unimplemented!()
    }

    /// Start of the bucket after the one that holds `t`; `i64::MAX` when there is none.
    pub fn next(&self, t: i64) -> i64 {
        let _ = t;
        unimplemented!()
    }

    /// The smallest range of whole buckets that covers `range`. Infinite ends stay infinite.
    pub fn align_out(&self, range: TimeRange) -> TimeRange {
        let _ = range;
        unimplemented!()
    }

    /// The largest range of whole buckets inside `range`; empty when none fits. Infinite ends stay infinite.
    pub fn align_in(&self, range: TimeRange) -> TimeRange {
        let _ = range;
        unimplemented!()
    }

    /// A width that no bucket is narrower than, in microseconds or the integer unit.
    pub fn min_width(&self) -> i64 {
        unimplemented!()
    }
}
