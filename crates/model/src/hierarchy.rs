//! Aggregates over aggregates.
//!
//! ```text
//! readings ──▶ hourly ──▶ daily ──▶ monthly          the source of each is what keeps the one before it
//!   root        └─ parent of daily
//!
//! rows of readings          x    x                    touched
//! hourly rows         |     |     |     |     |       pending; each row of hourly stands at its bucket's start
//! daily rows          |                       |       pending at once if hourly shows the change at once,
//!                                                     and when the rows that hourly keeps are replaced otherwise
//! ```
//!
//! An aggregate is over what its parent *shows*. A real-time parent shows a change of its source in the commit that
//! makes it, and nothing new when it is refreshed; one that is materialized only shows nothing before it is
//! refreshed, and what was replaced then. So dirt climbs from a table through aggregates as far as they are
//! real-time, and from an aggregate that is materialized only when its buckets are settled.

use crate::bucket::{Bucket, BucketWidth};
use crate::catalog::Catalog;
use crate::continuous_aggregate::ContinuousAggregate;
use crate::interval::Interval;
use crate::range::RangeSet;
use crate::schema::{Table, TableId, TableKind};
use std::sync::Arc;

/// Why one bucket cannot be made of others. Worded as TimescaleDB does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Fixed widths cannot be made of months.
    #[error("cannot create continuous aggregate with fixed-width bucket on top of one using variable-width bucket")]
    FixedOverVariable,
    /// Buckets are narrower than those they are made of.
    #[error("cannot create continuous aggregate with incompatible bucket width")]
    Narrower,
    /// A bucket is not so many of the others.
    #[error("cannot create continuous aggregate with incompatible bucket width")]
    NoMultiple,
    /// They count from different times.
    #[error("cannot create continuous aggregate with different bucket origin values")]
    Origin,
    /// They are moved by different offsets.
    #[error("cannot create continuous aggregate with different bucket offset values")]
    Offset,
    /// They are cut by different clocks.
    #[error("cannot create continuous aggregate with different bucket time zones")]
    Zone,
}

impl Bucket {
    /// Whether buckets can be made of those of `parent`. A month counts as 30 days here, as in TimescaleDB.
    ///
    /// # Errors
    /// Why not.
    pub fn fits_over(&self, parent: &Bucket) -> Result<(), Unfit> {
        let is_variable = |bucket: &Bucket| matches!(bucket.width, BucketWidth::Months(_)) || bucket.zone.is_some();
        if is_variable(parent) && !is_variable(self) {
            return Err(Unfit::FixedOverVariable);
        }
        let (own, others) = match (self.width, parent.width) {
            (BucketWidth::Months(own), BucketWidth::Months(others)) => (i128::from(own), i128::from(others)),
            (own, others) => (span(own), span(others)),
        };
        if own < others {
            return Err(Unfit::Narrower);
        }
        if own % others != 0 {
            return Err(Unfit::NoMultiple);
        }
        if parent.zone.is_some() && parent.zone != self.zone {
            return Err(Unfit::Zone);
        }
        if self.origin != parent.origin {
            return Err(Unfit::Origin);
        }
        if self.offset != parent.offset {
            return Err(Unfit::Offset);
        }
        Ok(())
    }

    /// The starts of the buckets that times lie in.
    pub fn starts(&self, times: &RangeSet) -> RangeSet {
        times.iter().map(|range| self.starts_of(range)).collect()
    }

    /// The buckets that begin at some of these times.
    pub fn starting(&self, times: &RangeSet) -> RangeSet {
        times.iter().map(|range| self.starting_in(range)).collect()
    }
}

fn span(width: BucketWidth) -> i128 {
    match width {
        BucketWidth::Fixed(width) => i128::from(width),
        BucketWidth::Months(months) => Interval::new(months, 0, 0).approx_micros(),
    }
}

impl Catalog {
    /// The aggregate whose buckets a table keeps.
    pub fn kept_by(&self, table: TableId) -> Option<&Arc<ContinuousAggregate>> {
        match self.tables.get(&table)?.kind {
            TableKind::Materialization(cagg) => self.caggs.get(&cagg),
            _ => None,
        }
    }

    /// The aggregate that an aggregate is over; `None` when it is over a hypertable.
    pub fn parent(&self, cagg: &ContinuousAggregate) -> Option<&Arc<ContinuousAggregate>> {
        self.kept_by(cagg.source)
    }

    /// The aggregates over an aggregate.
    pub fn children(&self, cagg: &ContinuousAggregate) -> impl Iterator<Item = &Arc<ContinuousAggregate>> {
        self.caggs_over(cagg.materialization)
    }

    /// The aggregates below an aggregate, the parent first and the one over the hypertable last.
    pub fn ancestors(&self, cagg: &ContinuousAggregate) -> Vec<Arc<ContinuousAggregate>> {
        let mut below = Vec::new();
        let mut next = self.parent(cagg);
        while let Some(parent) = next {
            below.push(parent.clone());
            next = self.parent(parent);
        }
        below
    }

    /// The hypertable that all of an aggregate comes from.
    pub fn root(&self, cagg: &ContinuousAggregate) -> Option<&Arc<Table>> {
        let source = self.ancestors(cagg).last().map_or(cagg.source, |lowest| lowest.source);
        self.tables.get(&source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::TimeRange;
    use crate::schema::TimeType;

    fn bucket(width: &str, zone: Option<&str>) -> Bucket {
        let width = Interval::parse(width).unwrap();
        Bucket::interval(TimeType::Timestamptz, width, None, Interval::ZERO, zone).unwrap()
    }

    #[test]
    fn buckets_are_made_of_whole_ones() {
        let check = |child: (&str, Option<&str>), parent: (&str, Option<&str>), expected: Result<(), Unfit>| {
            let found = bucket(child.0, child.1).fits_over(&bucket(parent.0, parent.1));
            assert_eq!(found, expected, "{child:?} over {parent:?}");
        };
        check(("2 hours", None), ("2 hours", None), Ok(()));
        check(("1 day", None), ("2 hours", None), Ok(()));
        check(("1 hour", None), ("2 hours", None), Err(Unfit::Narrower));
        check(("3 hours", None), ("2 hours", None), Err(Unfit::NoMultiple));
        check(("1 month", None), ("2 hours", None), Ok(()));
        check(("1 month", None), ("7 days", None), Err(Unfit::NoMultiple));
        check(("1 day", None), ("1 month", None), Err(Unfit::FixedOverVariable));
        check(("1 year", None), ("1 month", None), Ok(()));
        check(("5 months", None), ("2 months", None), Err(Unfit::NoMultiple));
        check(("1 day", Some("Europe/Berlin")), ("2 hours", None), Ok(()));
        check(("7 days", Some("Europe/Berlin")), ("1 day", Some("Europe/Berlin")), Ok(()));
        check(("7 days", Some("Asia/Tokyo")), ("1 day", Some("Europe/Berlin")), Err(Unfit::Zone));
        check(("7 days", None), ("1 day", Some("Europe/Berlin")), Err(Unfit::FixedOverVariable));
    }

    #[test]
    fn a_row_of_a_bucket_stands_at_its_start() {
        let tens = Bucket::integer(TimeType::BigInt, 10, 0).unwrap();
        let range = |start, end| TimeRange { start, end };
        for (times, starts) in [
            ((5, 6), (0, 1)),
            ((0, 10), (0, 1)),
            ((9, 11), (0, 11)),
            ((-5, 25), (-10, 21)),
            ((i64::MIN, 5), (i64::MIN, 1)),
            ((5, i64::MAX), (0, i64::MAX)),
            ((5, 5), (5, 5)),
        ] {
            assert_eq!(tens.starts_of(range(times.0, times.1)), range(starts.0, starts.1), "{times:?}");
        }
        for (starts, buckets) in [
            ((0, 1), (0, 10)),
            ((0, 10), (0, 10)),
            ((1, 10), (10, 10)),
            ((1, 11), (10, 20)),
            ((i64::MIN, 1), (i64::MIN, 10)),
            ((5, i64::MAX), (10, i64::MAX)),
        ] {
            assert_eq!(tens.starting_in(range(starts.0, starts.1)), range(buckets.0, buckets.1), "{starts:?}");
        }
    }
}
