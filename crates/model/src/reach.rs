//! How far the rows of an aggregate's view depend on other buckets than their own.
//!
//! ```text
//! buckets   |  a  |  b  |  c  |  d  |  e  |        avg(…) OVER (… RANGE BETWEEN two buckets PRECEDING AND CURRENT ROW)
//! row d           └─────┴─────┘ is computed from b, c, d              behind: two buckets
//! bucket b        └─────┴─────┘ reaches the rows b, c, d              the same, seen from the bucket
//! ```
//!
//! Without window functions a row is computed from its own bucket only.

use crate::range::{RangeSet, TimeRange};
use serde::{Deserialize, Serialize};

/// How far away buckets may begin that a row is computed from, in microseconds or the integer unit;
/// [`Reach::ENDLESS`] where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Before the row's own bucket.
    pub behind: i64,
    /// After it.
    pub ahead: i64,
}

impl Reach {
    /// As far as there are buckets.
    pub const ENDLESS: i64 = i64::MAX;
    /// To the row's own bucket only.
    pub const OWN: Reach = Reach { behind: 0, ahead: 0 };
    /// To all buckets.
    pub const ALL: Reach = Reach { behind: Reach::ENDLESS, ahead: Reach::ENDLESS };

    /// As far as both.
    pub fn max(self, other: Reach) -> Reach {
        Reach { behind: self.behind.max(other.behind), ahead: self.ahead.max(other.ahead) }
    }

    /// The same in the other direction of time.
    pub fn reversed(self) -> Reach {
        Reach { behind: self.ahead, ahead: self.behind }
    }

    /// The times of the rows that are computed from buckets which begin at these times.
    pub fn rows(&self, starts: &RangeSet) -> RangeSet {
        self.reversed().starts(starts)
    }

    /// The times at which buckets begin that rows with these times are computed from.
    pub fn starts(&self, rows: &RangeSet) -> RangeSet {
        let widened = |range: TimeRange| TimeRange {
            start: earlier(range.start, self.behind),
            end: if self.ahead == Reach::ENDLESS { i64::MAX } else { range.end.saturating_add(self.ahead) },
        };
        rows.iter().map(widened).collect()
    }
}

fn earlier(start: i64, by: i64) -> i64 {
    if by == Reach::ENDLESS { i64::MIN } else { start.saturating_sub(by) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_reaches_the_rows_that_look_back_to_it() {
        let set = |ranges: &[(i64, i64)]| ranges.iter().map(|&(start, end)| TimeRange { start, end }).collect();
        let check = |behind, ahead, starts: &[(i64, i64)], rows: &[(i64, i64)]| {
            let (starts, rows): (RangeSet, RangeSet) = (set(starts), set(rows));
            assert_eq!(Reach { behind, ahead }.rows(&starts), rows);
            // The other way round it is the same distance.
            assert_eq!(Reach { behind: ahead, ahead: behind }.starts(&starts), rows);
        };
        check(0, 0, &[(10, 11)], &[(10, 11)]);
        check(20, 0, &[(10, 11)], &[(10, 31)]);
        check(20, 10, &[(10, 11), (100, 111)], &[(0, 31), (90, 131)]);
        check(60, 0, &[(10, 11), (40, 41)], &[(10, 101)]);
        check(Reach::ENDLESS, 0, &[(10, 11)], &[(10, i64::MAX)]);
        check(0, Reach::ENDLESS, &[(10, 11)], &[(i64::MIN, 11)]);
        check(5, 5, &[(i64::MIN, i64::MAX)], &[(i64::MIN, i64::MAX)]);
        check(Reach::ENDLESS, Reach::ENDLESS, &[], &[]);
    }
}
