//! What a refresh has to recompute.
//!
//! A refresh is asked for a window. Only buckets that lie wholly inside the window *and* are pending
//! are recomputed:
//!
//! ```text
//! window          [---------------------------)
//! pending            [==)        [====)     [=====)
//! buckets     |     |     |     |     |     |     |
//! plan              [=====)     [=====)
//! ```
//!
//! The last piece stays pending: its bucket is cut by the end of the window. Nothing is planned after
//! the bucket of the newest row, so an empty future is never called materialized.

use crate::bucket::Bucket;
use crate::invalidation::Pending;
use crate::range::{RangeSet, TimeRange};

/// The whole buckets inside the window from `start` to `end`, where `None` is unbounded; `None` when
/// no whole bucket fits.
pub fn whole_buckets(bucket: &Bucket, start: Option<i64>, end: Option<i64>) -> Option<TimeRange> {
    let window = TimeRange { start: start.unwrap_or(i64::MIN), end: end.unwrap_or(i64::MAX) };
    Some(bucket.align_in(window)).filter(|aligned| !aligned.is_empty())
}

/// The whole buckets of `window` that a manual refresh recomputes.
///
/// * `window` – whole buckets, from [`whole_buckets`].
/// * `newest` – the newest finite time among the rows and the states of the source, if there is any.
pub fn plan(bucket: &Bucket, window: TimeRange, pending: &Pending, newest: Option<i64>) -> RangeSet {
    aligned(bucket, pending.ranges().within(limited(bucket, window, pending, newest)), window)
}

/// The whole buckets that a policy recomputes: what was never materialized only inside its window, what
/// was invalidated also when it is older, nothing at or after the end of the window.
pub fn policy_plan(bucket: &Bucket, window: TimeRange, pending: &Pending, newest: Option<i64>) -> RangeSet {
    let older = TimeRange { start: i64::MIN, end: window.end };
    let inside = plan(bucket, window, pending, newest);
    inside.union(&aligned(bucket, pending.invalidated().within(older), older))
}

/// The window as far as there can be something to materialize.
fn limited(bucket: &Bucket, window: TimeRange, pending: &Pending, newest: Option<i64>) -> TimeRange {
    let end = newest.map_or(pending.threshold(), |t| bucket.next(t).max(pending.threshold()));
    TimeRange { start: window.start, end: window.end.min(end) }
}

fn aligned(bucket: &Bucket, pending: RangeSet, window: TimeRange) -> RangeSet {
    pending.iter().map(|range| bucket.align_out(range).intersect(&window)).collect()
}
