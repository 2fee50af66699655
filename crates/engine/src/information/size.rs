//! How many bytes relations take.

use highwater_model::{Chunk, TableId, TimeRange};
use highwater_store::{TableData, Version};

/// Bytes of a table's rows, in files and in memory.
pub fn relation_bytes(version: &Version, table: TableId) -> u64 {
    let data = version.table(table);
    segment_bytes(&data) + data.buffer_bytes() as u64
}

/// Bytes of a table's files.
pub fn segment_bytes(data: &TableData) -> u64 {
    data.segments.iter().map(|segment| segment.meta.bytes).sum()
}

/// Bytes of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct ChunkBytes {
    /// Of compressed segments.
    pub compressed: u64,
    /// Of others, and in memory.
    pub ordinary: u64,
}

impl ChunkBytes {
    /// Of both.
    pub fn total(self) -> u64 {
        self.compressed + self.ordinary
    }
}

/// Bytes of one chunk's rows: of the segments and buffered batches that reach into several chunks, an equal
/// share for each.
pub fn chunk_bytes(data: &TableData, time: highwater_model::ColumnId, chunk: &Chunk) -> ChunkBytes {
    let share = |hull: Option<(i64, i64)>, bytes: u64| {
        let Some((first, last)) = hull else { return 0 };
        let hull = TimeRange { start: first.min(i64::MAX - 1), end: last.saturating_add(1) };
        if !chunk.range.overlaps(&hull) {
            return 0;
        }
        let reached = data.chunks.values().filter(|c| c.range.overlaps(&hull)).count().max(1) as u64;
        bytes.div_ceil(reached)
    };
    let files = |compressed: bool| -> u64 {
        let files = data.segments.iter().filter(|segment| segment.meta.compressed == compressed);
        files.map(|segment| share(segment.meta.times, segment.meta.bytes)).sum()
    };
    let buffered: u64 = data.buffer.iter().map(|rows| share(rows.time_hull(time), rows.bytes as u64)).sum();
    ChunkBytes { compressed: files(true), ordinary: files(false) + buffered }
}
