//! What of a continuous aggregate has to be recomputed.
//!
//! ```text
//!                settled                  threshold
//! ranges    [=====)          [==)         [=====================> +∞
//!           never materialized  dirty      not materialized yet
//! ```
//!
//! *Pending* starts as everything, shrinks only when whole buckets are replaced, and grows with every
//! commit that touches the source. A bucket is clean when it does not overlap it. The ranges are not
//! aligned to buckets; whoever recomputes widens them.

use crate::range::{RangeSet, TimeRange};
use serde::{Deserialize, Serialize};

/// The times whose buckets may differ from their rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    ranges: RangeSet,
    never: RangeSet,
    threshold: i64,
}

impl Default for Pending {
    fn default() -> Self {
        Pending::new()
    }
}

impl Pending {
    /// Everything: nothing has been materialized.
    pub fn new() -> Self {
        Pending { ranges: RangeSet::all(), never: RangeSet::all(), threshold: i64::MIN }
    }

    /// Every time that is pending; always contains everything from the threshold on.
    pub fn ranges(&self) -> &RangeSet {
        &self.ranges
    }

    /// The times that no refresh has ever reached.
    pub fn never_materialized(&self) -> &RangeSet {
        &self.never
    }

    /// The times below the threshold that were materialized and changed since.
    pub fn invalidated(&self) -> RangeSet {
        self.ranges.subtract(&self.never)
    }

    /// End of the newest bucket ever materialized; `i64::MIN` before the first refresh.
    pub fn threshold(&self) -> i64 {
        self.threshold
    }

    /// Records that rows with these times were written, changed or removed.
    pub fn touch(&mut self, touched: &RangeSet) {
        for range in touched.iter() {
            if !self.ranges.covers(&range) {
                self.ranges.insert(range);
            }
        }
    }

    /// Records that the whole buckets of `settled` were replaced by states computed from a snapshot,
    /// and that `again` was touched by commits that the snapshot does not contain.
    ///
    /// The order matters: what was touched meanwhile is pending again even where it was just settled.
    pub fn settle(&mut self, settled: &RangeSet, again: &RangeSet) {
        for range in settled.iter() {
            // +∞ never settles: a row may still come there.
            let range = TimeRange { start: range.start, end: range.end.min(i64::MAX - 1) };
            self.ranges.remove(range);
            self.never.remove(range);
            self.threshold = self.threshold.max(range.end);
        }
        self.touch(again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(i64, i64)]) -> RangeSet {
        ranges.iter().map(|&(start, end)| TimeRange { start, end }).collect()
    }

    #[test]
    fn everything_is_pending_at_first() {
        assert_eq!(Pending::new().ranges(), &RangeSet::all());
        assert!(Pending::new().invalidated().is_empty());
    }

    #[test]
    fn settling_leaves_the_rest_pending_for_ever() {
        let mut pending = Pending::new();
        pending.settle(&set(&[(0, 10)]), &RangeSet::empty());
        assert_eq!(pending.ranges(), &set(&[(i64::MIN, 0), (10, i64::MAX)]));
        assert_eq!(pending.threshold(), 10);
        pending.settle(&set(&[(10, i64::MAX)]), &RangeSet::empty());
        assert!(pending.ranges().contains(i64::MAX));
    }

    #[test]
    fn what_was_touched_meanwhile_is_pending_again() {
        let mut pending = Pending::new();
        pending.settle(&set(&[(0, 100)]), &set(&[(40, 41), (60, 61)]));
        assert_eq!(pending.invalidated(), set(&[(40, 41), (60, 61)]));
    }

    #[test]
    fn touching_records_a_set_and_never_one_hull() {
        let mut pending = Pending::new();
        pending.settle(&set(&[(0, 100)]), &RangeSet::empty());
        pending.touch(&set(&[(10, 11), (90, 91)]));
        assert_eq!(pending.invalidated(), set(&[(10, 11), (90, 91)]));
        assert!(!pending.ranges().contains(50));
    }
}
