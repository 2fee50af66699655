//! Tables cut by time into chunks.

use crate::range::TimeRange;
use crate::schema::{ColumnId, TimeType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Number of a chunk, unique in a database; part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkId(pub u32);

/// How a table is cut by time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hypertable {
    /// Number of the hypertable, part of chunk names.
    pub number: u32,
    /// The column that holds the time.
    pub time_column: ColumnId,
    /// Its type.
    pub time_type: TimeType,
    /// Width of new chunks on the time axis (microseconds, or the integer unit).
    pub chunk_interval: i64,
    /// The function that says what "now" is for integer time: schema and name.
    pub integer_now: Option<(String, String)>,
    /// Columns rows are sorted by before the time, where no index says so.
    pub segment_by: Vec<ColumnId>,
    /// How its chunks are compressed; `None` until that is enabled.
    pub compression: Option<Compression>,
}

/// How chunks are compressed: what was said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compression {
    /// Columns that rows are gathered by.
    pub segment_by: Option<Vec<ColumnId>>,
    /// What the rows of each are sorted by.
    pub order_by: Option<Vec<OrderBy>>,
}

/// A column that rows are sorted by. Segments are ascending with NULLs last, whatever is said here: reading them
/// backwards costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBy {
    /// The column.
    pub column: ColumnId,
    /// Whether it was said to descend.
    pub descending: bool,
    /// Whether NULLs were said to come first.
    pub nulls_first: bool,
}

/// A chunk: the rows of one range of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its number.
    pub id: ChunkId,
    /// The times it holds; it never overlaps another chunk of its table.
    pub range: TimeRange,
    /// How it was compressed, if it was. Rows that were written to it since may not be.
    pub compressed: Option<Arc<Compressed>>,
}

/// How a chunk was compressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compressed {
    /// Columns that its rows were gathered by.
    pub segment_by: Vec<ColumnId>,
    /// What the rows of each were sorted by.
    pub order_by: Vec<OrderBy>,
    /// Bytes that it took before.
    pub bytes_before: u64,
}

/// The range that a new chunk for `time` gets: `interval` wide, aligned to zero, cut where it would
/// overlap a neighbour.
///
/// ```text
/// chunks   [----old----)                [----old----)
/// aligned        [==========time====)
/// new                  [====time====)
/// ```
///
/// `chunks` is keyed by start and does not contain `time`.
pub fn new_chunk_range(chunks: &BTreeMap<i64, Chunk>, time: i64, interval: i64) -> TimeRange {
    let number = time.div_euclid(interval);
    let start = number.checked_mul(interval).unwrap_or(i64::MIN);
    // Not `start + interval`: the first chunk of all starts at −∞, and still ends at a multiple.
    let end = number.checked_add(1).and_then(|number| number.checked_mul(interval)).unwrap_or(i64::MAX);
    // A chunk for the last time of all must not be empty; what ends at +∞ contains it.
    let aligned = TimeRange { start: start.min(i64::MAX - 1), end };
    let before = chunks.range(..=time).next_back().map_or(i64::MIN, |(_, c)| c.range.end);
    let after = chunks.range(time..).next().map_or(i64::MAX, |(start, _)| *start);
    TimeRange { start: aligned.start.max(before), end: aligned.end.min(after) }
}

/// The chunk that holds `time`.
pub fn chunk_of(chunks: &BTreeMap<i64, Chunk>, time: i64) -> Option<&Chunk> {
    chunks.range(..=time).next_back().map(|(_, chunk)| chunk).filter(|chunk| chunk.range.contains(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(existing: &[(i64, i64)], time: i64, interval: i64, expected: (i64, i64)) {
        let chunks = existing
            .iter()
            .map(|&(start, end)| {
                let range = TimeRange { start, end };
                (start, Chunk { id: ChunkId(1), range, compressed: None })
            })
            .collect();
        assert_eq!(new_chunk_range(&chunks, time, interval), TimeRange { start: expected.0, end: expected.1 });
    }

    #[test]
    fn chunks_are_aligned_and_never_overlap() {
        check(&[], 25, 10, (20, 30));
        check(&[], -15, 10, (-20, -10));
        check(&[(0, 23)], 25, 10, (23, 30));
        check(&[(27, 40)], 25, 10, (20, 27));
        check(&[(0, 23), (26, 40)], 25, 10, (23, 26));
        check(&[], i64::MAX, 1000, (i64::MAX - i64::MAX % 1000, i64::MAX));
        check(&[], i64::MIN, 1000, (i64::MIN, i64::MIN / 1000 * 1000));
        check(&[], 7, i64::MAX, (0, i64::MAX));
        check(&[], i64::MAX, 1, (i64::MAX - 1, i64::MAX));
    }
}
