//! The changes that a commit is made of.

use crate::rows::{RowIds, Rows};
use crate::segment::SegmentMeta;
use highwater_model::{CaggId, CatalogChange, Compressed, RangeSet, TableId, TimeRange};
use std::sync::Arc;

/// A change of the database. A commit is a list of them; the log holds nothing else.
#[derive(Clone, Debug)]
pub enum Op {
    /// Changes the catalog.
    Catalog(CatalogChange),
    /// Adds rows.
    Insert {
        /// Where.
        table: TableId,
        /// Which; their ids were handed out by [`crate::Store::take_row_ids`].
        rows: Arc<Rows>,
        /// Their times, as a set that is exact for buckets; empty for a plain table.
        touched: RangeSet,
    },
    /// Adds a synced segment that nobody has seen yet.
    AddSegment {
        /// Where.
        table: TableId,
        /// Which.
        segment: SegmentMeta,
        /// The times of its rows, as above.
        touched: RangeSet,
    },
    /// Removes rows.
    Delete {
        /// Where.
        table: TableId,
        /// Which.
        ids: Arc<RowIds>,
        /// Their times, as above. Empty when dropping chunks: that changes no aggregate.
        touched: RangeSet,
    },
    /// Removes all rows.
    Truncate {
        /// Where.
        table: TableId,
    },
    /// Forgets chunks, whose rows a [`Op::Delete`] beside this one removes.
    DropChunks {
        /// Where.
        table: TableId,
        /// The ranges of the chunks.
        ranges: RangeSet,
    },
    /// Says how a chunk was compressed, or that it no longer is.
    Compress {
        /// Where.
        table: TableId,
        /// The range of the chunk; nothing happens when it was dropped meanwhile.
        chunk: TimeRange,
        /// How.
        compressed: Option<Arc<Compressed>>,
    },
    /// Says that whole buckets of an aggregate were replaced by the inserts and deletes beside this op.
    Settle {
        /// The aggregate.
        cagg: CaggId,
        /// The buckets.
        ranges: RangeSet,
        /// What commits touched that the states were not computed from; filled in when the commit is
        /// ordered.
        again: RangeSet,
        /// When they were computed, microseconds since 1970 UTC.
        at: i64,
    },
    /// Makes times of an aggregate pending without a change of rows.
    Dirty {
        /// The aggregate.
        cagg: CaggId,
        /// The times.
        ranges: RangeSet,
    },
    /// Says that the raw rows of these times were dropped and their states merged into the frozen base.
    Freeze {
        /// The aggregate.
        cagg: CaggId,
        /// The times.
        ranges: RangeSet,
    },
}
