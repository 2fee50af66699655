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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::TimeType;
    use proptest::prelude::*;

    const INFINITY: i64 = i64::MAX;
    const MINUS_INFINITY: i64 = i64::MIN;

    fn tens() -> Bucket {
        Bucket::integer(TimeType::BigInt, 10, 0).unwrap()
    }

    fn set(ranges: &[(i64, i64)]) -> RangeSet {
        ranges.iter().map(|&(start, end)| TimeRange { start, end }).collect()
    }

    /// `settled` was materialized, then `touched` was written.
    fn pending(settled: &[(i64, i64)], touched: &[(i64, i64)]) -> Pending {
        let mut pending = Pending::new();
        pending.settle(&set(settled), &RangeSet::empty());
        pending.touch(&set(touched));
        pending
    }

    #[test]
    fn a_window_holds_only_its_whole_buckets() {
        let check = |start: Option<i64>, end: Option<i64>, expected: Option<(i64, i64)>| {
            let found = whole_buckets(&tens(), start, end);
            assert_eq!(found, expected.map(|(start, end)| TimeRange { start, end }), "{start:?} to {end:?}");
        };
        check(Some(0), Some(30), Some((0, 30)));
        check(Some(1), Some(39), Some((10, 30)));
        check(Some(-15), Some(15), Some((-10, 10)));
        check(Some(0), Some(10), Some((0, 10)));
        check(Some(0), Some(9), None);
        check(Some(5), Some(18), None);
        check(Some(0), Some(0), None);
        check(Some(20), Some(0), None);
        check(None, Some(15), Some((MINUS_INFINITY, 10)));
        check(Some(15), None, Some((20, INFINITY)));
        check(None, None, Some((MINUS_INFINITY, INFINITY)));
        check(Some(INFINITY), None, None);
        check(None, Some(MINUS_INFINITY), None);
    }

    #[test]
    fn a_refresh_recomputes_what_is_pending_in_its_window() {
        let check = |window: (i64, i64), pending: Pending, newest: Option<i64>, expected: &[(i64, i64)]| {
            let window = TimeRange { start: window.0, end: window.1 };
            assert_eq!(plan(&tens(), window, &pending, newest), set(expected), "{window:?} {pending:?}");
        };
        let everything = (MINUS_INFINITY, INFINITY);
        // Nothing there: nothing to do, and nothing is called materialized.
        check(everything, pending(&[], &[]), None, &[]);
        check((0, 30), pending(&[], &[]), None, &[]);
        // The first refresh reaches to the bucket of the newest row.
        check((0, 100), pending(&[], &[]), Some(25), &[(0, 30)]);
        check(everything, pending(&[], &[]), Some(25), &[(MINUS_INFINITY, 30)]);
        check((40, 100), pending(&[], &[]), Some(25), &[]);
        // Up to date.
        check((0, 30), pending(&[(0, 30)], &[]), Some(25), &[]);
        check((10, 20), pending(&[(0, 30)], &[]), Some(25), &[]);
        // A late row makes its bucket dirty and no other, wherever it lies in it.
        check((0, 30), pending(&[(0, 30)], &[(15, 16)]), Some(25), &[(10, 20)]);
        check((0, 30), pending(&[(0, 30)], &[(10, 11)]), Some(25), &[(10, 20)]);
        check((0, 30), pending(&[(0, 30)], &[(19, 20)]), Some(25), &[(10, 20)]);
        check((0, 30), pending(&[(0, 30)], &[(9, 11)]), Some(25), &[(0, 20)]);
        // What is outside the window stays pending.
        check((10, 30), pending(&[(0, 30)], &[(5, 6), (15, 16)]), Some(25), &[(10, 20)]);
        // A gap between two refreshes is not forgotten.
        check((0, 60), pending(&[(0, 20), (40, 60)], &[]), Some(55), &[(20, 40)]);
        // New rows beyond the threshold.
        check(everything, pending(&[(MINUS_INFINITY, 30)], &[(34, 35)]), Some(34), &[(30, 40)]);
        // All rows were deleted: their buckets are emptied.
        check(everything, pending(&[(MINUS_INFINITY, 30)], &[(5, 26)]), None, &[(0, 30)]);
        // A row at −∞ or at the end of time.
        check(
            everything,
            pending(&[(MINUS_INFINITY, 30)], &[(MINUS_INFINITY, MINUS_INFINITY + 1)]),
            Some(25),
            &[(MINUS_INFINITY, tens().next(MINUS_INFINITY))],
        );
    }

    #[test]
    fn a_policy_also_repairs_what_is_older_than_its_window() {
        let check = |window: (i64, i64), pending: Pending, newest: Option<i64>, expected: &[(i64, i64)]| {
            let window = TimeRange { start: window.0, end: window.1 };
            assert_eq!(policy_plan(&tens(), window, &pending, newest), set(expected), "{window:?} {pending:?}");
        };
        // Never materialized and older: left alone.
        check((50, 80), pending(&[], &[]), Some(75), &[(50, 80)]);
        check((50, 80), pending(&[(50, 80)], &[(20, 21)]), Some(75), &[]);
        // Invalidated and older: repaired.
        check((50, 80), pending(&[(0, 80)], &[(20, 21)]), Some(75), &[(20, 30)]);
        check((50, 80), pending(&[(0, 80)], &[(20, 21), (60, 61)]), Some(75), &[(20, 30), (60, 70)]);
        check((50, 80), pending(&[(0, 80)], &[(45, 55)]), Some(75), &[(40, 60)]);
        // Nothing from the end of the window on, dirty or new.
        check((50, 80), pending(&[(0, 100)], &[(80, 81), (95, 96)]), Some(99), &[]);
        check((50, 80), pending(&[(0, 60)], &[(99, 100)]), Some(99), &[(60, 80)]);
    }

    #[test]
    fn a_daily_refresh_recomputes_the_short_and_the_long_day_whole() {
        use crate::time::{Clockface, Zone, parse_timestamptz};
        let clock = Clockface::new(Zone::parse("Europe/Berlin").unwrap(), 0);
        let at = |text| parse_timestamptz(text, &clock).unwrap();
        let width = crate::Interval::parse("1 day").unwrap();
        let day =
            Bucket::interval(TimeType::Timestamptz, width, None, crate::Interval::ZERO, Some("Europe/Berlin")).unwrap();
        for (noon, start, end) in
            [("2024-03-31 12:00", "2024-03-31", "2024-04-01"), ("2024-10-27 02:30", "2024-10-27", "2024-10-28")]
        {
            let dirty = pending(&[(MINUS_INFINITY, at("2025-01-01"))], &[(at(noon), at(noon) + 1)]);
            let whole = TimeRange { start: at(start), end: at(end) };
            assert_eq!(plan(&day, TimeRange::ALL, &dirty, Some(at(noon))), RangeSet::from(whole));
        }
    }

    fn some_ranges() -> impl Strategy<Value = Vec<(i64, i64)>> {
        prop::collection::vec((-100..100i64, 1..40i64).prop_map(|(start, length)| (start, start + length)), 0..6)
    }

    proptest! {
        #[test]
        fn a_plan_has_exactly_the_buckets_of_the_window_that_are_pending(
            settled in some_ranges(), touched in some_ranges(), start in -12..12i64, length in 1..12i64, newest in prop::option::of(-100..200i64), policy in any::<bool>(),
        ) {
            let bucket = tens();
            let settled: Vec<_> = settled.into_iter().map(|(start, end)| {
                let aligned = bucket.align_out(TimeRange { start, end });
                (aligned.start, aligned.end)
            }).collect();
            let pending = pending(&settled, &touched);
            let window = TimeRange { start: start * 10, end: (start + length) * 10 };
            let found = if policy { policy_plan } else { plan }(&bucket, window, &pending, newest);
            let last = newest.map_or(pending.threshold(), |t| bucket.next(t).max(pending.threshold()));
            for start in (-300..400).step_by(10) {
                let whole = TimeRange { start, end: start + 10 };
                let inside = window.covers(&whole) && whole.end <= last && pending.ranges().overlaps(&whole);
                let repaired = policy && whole.end <= window.end && pending.invalidated().overlaps(&whole);
                prop_assert_eq!(found.covers(&whole), inside || repaired, "{:?}", whole);
                prop_assert_eq!(found.overlaps(&whole), inside || repaired, "{:?}", whole);
            }
        }

        #[test]
        fn after_settling_its_plan_a_window_is_clean(settled in some_ranges(), touched in some_ranges(), newest in -100..200i64) {
            let bucket = tens();
            let settled: Vec<_> = settled.into_iter().map(|(start, end)| (start / 10 * 10, end / 10 * 10)).collect();
            let mut pending = pending(&settled, &touched);
            let plan_once = plan(&bucket, TimeRange::ALL, &pending, Some(newest));
            pending.settle(&plan_once, &RangeSet::empty());
            prop_assert!(plan(&bucket, TimeRange::ALL, &pending, Some(newest)).is_empty());
        }
    }
}
