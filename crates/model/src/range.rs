//! Ranges of time and sets of them.
//!
//! A time here is an `i64` on the axis of one table: microseconds since 1970 UTC for `timestamptz`,
//! `timestamp` and `date`, the number itself for integer time. Ranges are half-open:
//!
//! ```text
//! range      [start ........ end)
//! set        [==)   [=====)      [=)      sorted, disjoint, never adjacent
//! ```
//!
//! `i64::MIN` stands for −∞ and `i64::MAX` for +∞. A range that ends at +∞ also contains the value
//! `i64::MAX` itself, so that an infinite timestamp or the largest integer is inside something.

use serde::{Deserialize, Serialize};

/// All times `t` with `start <= t < end`; nothing when `start >= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimeRange {
    /// First time inside.
    pub start: i64,
    /// First time after; `i64::MAX` is +∞ and includes `i64::MAX` itself.
    pub end: i64,
}

impl TimeRange {
    /// Everything from −∞ to +∞.
    pub const ALL: TimeRange = TimeRange { start: i64::MIN, end: i64::MAX };

    /// The range `[start, end)`.
    pub fn new(start: i64, end: i64) -> Self {
        TimeRange { start, end }
    }

    /// The range that holds `t` alone.
    pub fn at(t: i64) -> Self {
        TimeRange { start: t.min(i64::MAX - 1), end: t.saturating_add(1) }
    }

    /// Whether no time is inside.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Whether `t` is inside.
    pub fn contains(&self, t: i64) -> bool {
        self.start <= t && (t < self.end || self.end == i64::MAX) && !self.is_empty()
    }

    /// Whether every time of `other` is inside.
    pub fn covers(&self, other: &TimeRange) -> bool {
        other.is_empty() || (self.start <= other.start && other.end <= self.end)
    }

    /// Whether some time is in both.
    pub fn overlaps(&self, other: &TimeRange) -> bool {
        !self.intersect(other).is_empty()
    }

    /// The times in both.
    pub fn intersect(&self, other: &TimeRange) -> TimeRange {
        TimeRange { start: self.start.max(other.start), end: self.end.min(other.end) }
    }
}

/// A set of times, kept as sorted, disjoint, non-adjacent ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeSet(Vec<TimeRange>);

impl RangeSet {
    /// The empty set.
    pub fn empty() -> Self {
        RangeSet(Vec::new())
    }

    /// Everything.
    pub fn all() -> Self {
        RangeSet(vec![TimeRange::ALL])
    }

    /// The smallest set that holds all `times`, where times no more than `grain` apart are joined.
    ///
    /// Joining over a gap of at most one bucket width touches no bucket that the two times do not
    /// touch themselves, so with `grain` at most the narrowest bucket the set is exact for buckets.
    /// `times` need not be sorted.
    pub fn from_times(times: impl IntoIterator<Item = i64>, grain: i64) -> Self {
        let mut times: Vec<i64> = times.into_iter().collect();
        if !times.is_sorted() {
            times.sort_unstable();
        }
        let mut ranges: Vec<TimeRange> = Vec::new();
        for t in times {
            let point = TimeRange::at(t);
            match ranges.last_mut() {
                Some(last) if point.start <= last.end || point.start.saturating_sub(last.end - 1) <= grain => {
                    last.end = last.end.max(point.end);
                }
                _ => ranges.push(point),
            }
        }
        RangeSet(ranges)
    }

    /// The ranges, sorted.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = TimeRange> + '_ {
        self.0.iter().copied()
    }

    /// The ranges, sorted.
    pub fn as_slice(&self) -> &[TimeRange] {
        &self.0
    }

    /// How many ranges there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no time is inside.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest single range around the set; `None` when it is empty. For display and pruning only.
    pub fn hull(&self) -> Option<TimeRange> {
        Some(TimeRange { start: self.0.first()?.start, end: self.0.last()?.end })
    }

    /// Whether `t` is inside.
    pub fn contains(&self, t: i64) -> bool {
        let i = self.0.partition_point(|r| r.start <= t);
        i > 0 && self.0[i - 1].contains(t)
    }

    /// Whether every time of `range` is inside.
    pub fn covers(&self, range: &TimeRange) -> bool {
        let i = self.0.partition_point(|r| r.start <= range.start);
        range.is_empty() || (i > 0 && self.0[i - 1].covers(range))
    }

    /// Whether some time of `range` is inside.
    pub fn overlaps(&self, range: &TimeRange) -> bool {
        let i = self.0.partition_point(|r| r.end <= range.start && r.end != i64::MAX);
        self.0.get(i).is_some_and(|r| r.overlaps(range))
    }

    /// Adds the times of `range`.
    pub fn insert(&mut self, range: TimeRange) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|r| r.end < range.start);
        let last = self.0.partition_point(|r| r.start <= range.end);
        if first == last {
            self.0.insert(first, range);
            return;
        }
        let joined =
            TimeRange { start: range.start.min(self.0[first].start), end: range.end.max(self.0[last - 1].end) };
        self.0[first] = joined;
        self.0.drain(first + 1..last);
    }

    /// Takes the times of `range` out.
    pub fn remove(&mut self, range: TimeRange) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|r| r.end <= range.start);
        let last = self.0.partition_point(|r| r.start < range.end);
        if first >= last {
            return;
        }
        let left = TimeRange { start: self.0[first].start, end: range.start };
        let right = TimeRange { start: range.end, end: self.0[last - 1].end };
        let kept = [left, right].into_iter().filter(|r| !r.is_empty());
        self.0.splice(first..last, kept.collect::<Vec<_>>());
    }

    /// The times in either set.
    pub fn union(&self, other: &RangeSet) -> RangeSet {
        self.iter().chain(other.iter()).collect()
    }

    /// The times in both sets.
    pub fn intersect(&self, other: &RangeSet) -> RangeSet {
        let (mut i, mut j, mut out) = (0, 0, Vec::new());
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let both = a.intersect(b);
            if !both.is_empty() {
                out.push(both);
            }
            if a.end <= b.end { i += 1 } else { j += 1 }
        }
        RangeSet(out)
    }

    /// The times of `range` that are in this set.
    pub fn within(&self, range: TimeRange) -> RangeSet {
        self.intersect(&[range].into_iter().collect())
    }

    /// The times of this set that are not in `other`.
    pub fn subtract(&self, other: &RangeSet) -> RangeSet {
        let mut out = Vec::with_capacity(self.0.len());
        let mut j = 0;
        for a in &self.0 {
            let mut start = a.start;
            while j < other.0.len() && other.0[j].end <= start {
                j += 1;
            }
            let mut k = j;
            while k < other.0.len() && other.0[k].start < a.end {
                if start < other.0[k].start {
                    out.push(TimeRange { start, end: other.0[k].start });
                }
                start = start.max(other.0[k].end);
                k += 1;
            }
            if start < a.end {
                out.push(TimeRange { start, end: a.end });
            }
        }
        RangeSet(out)
    }
}

impl FromIterator<TimeRange> for RangeSet {
    fn from_iter<I: IntoIterator<Item = TimeRange>>(ranges: I) -> Self {
        let mut ranges: Vec<TimeRange> = ranges.into_iter().filter(|r| !r.is_empty()).collect();
        ranges.sort_unstable();
        let mut out: Vec<TimeRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match out.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => out.push(range),
            }
        }
        RangeSet(out)
    }
}

impl From<TimeRange> for RangeSet {
    fn from(range: TimeRange) -> Self {
        [range].into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The oracle: a set of times 0..64 as bits of a word.
    fn bits(set: &RangeSet) -> u64 {
        (0..64).filter(|t| set.contains(*t)).fold(0, |word, t| word | 1 << t)
    }

    fn word_of(range: TimeRange) -> u64 {
        (0..64).filter(|t| range.contains(*t)).fold(0, |word, t| word | 1 << t)
    }

    fn ranges() -> impl Strategy<Value = Vec<TimeRange>> {
        prop::collection::vec((0..64i64, 0..20i64).prop_map(|(s, n)| TimeRange::new(s, (s + n).min(64))), 0..12)
    }

    fn is_normal(set: &RangeSet) -> bool {
        set.as_slice().iter().all(|r| !r.is_empty()) && set.as_slice().windows(2).all(|w| w[0].end < w[1].start)
    }

    proptest! {
        #[test]
        fn insert_and_remove_agree_with_bits(steps in prop::collection::vec((any::<bool>(), 0..64i64, 0..20i64), 0..40)) {
            let (mut set, mut word) = (RangeSet::empty(), 0u64);
            for (add, start, len) in steps {
                let range = TimeRange::new(start, (start + len).min(64));
                if add {
                    set.insert(range);
                    word |= word_of(range);
                } else {
                    set.remove(range);
                    word &= !word_of(range);
                }
                prop_assert!(is_normal(&set));
                prop_assert_eq!(bits(&set), word);
            }
        }

        #[test]
        fn algebra_agrees_with_bits(a in ranges(), b in ranges(), probe in 0..64i64, len in 1..20i64) {
            let (x, y): (RangeSet, RangeSet) = (a.into_iter().collect(), b.into_iter().collect());
            for (set, word) in [
                (x.union(&y), bits(&x) | bits(&y)),
                (x.intersect(&y), bits(&x) & bits(&y)),
                (x.subtract(&y), bits(&x) & !bits(&y)),
            ] {
                prop_assert!(is_normal(&set));
                prop_assert_eq!(bits(&set), word);
            }
            let range = TimeRange::new(probe, (probe + len).min(64));
            prop_assert_eq!(x.overlaps(&range), bits(&x) & word_of(range) != 0);
            prop_assert_eq!(x.covers(&range), word_of(range) & !bits(&x) == 0);
        }

        #[test]
        fn from_times_touches_the_buckets_of_its_times_and_no_other(times in prop::collection::vec(-200..200i64, 0..40), width in 1..30i64) {
            let set = RangeSet::from_times(times.iter().copied(), width);
            for bucket in -10..10i64 {
                let range = TimeRange::new(bucket * width, (bucket + 1) * width);
                prop_assert_eq!(set.overlaps(&range), times.iter().any(|t| range.contains(*t)));
            }
        }
    }

    #[test]
    fn infinity_is_inside_what_ends_at_infinity() {
        assert!(TimeRange::ALL.contains(i64::MAX) && TimeRange::ALL.contains(i64::MIN));
        assert!(RangeSet::from_times([i64::MAX, i64::MIN], 10).contains(i64::MAX));
        let mut set = RangeSet::all();
        set.remove(TimeRange::new(5, i64::MAX));
        assert!(!set.contains(i64::MAX) && set.contains(4));
    }
}
