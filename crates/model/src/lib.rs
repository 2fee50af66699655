//! What things are in Highwater: time, ranges, buckets, tables, aggregates, jobs.
//!
//! Everything here is a pure function of values: no I/O, no clock, no SQL, no Arrow. The other
//! crates keep these things (`highwater-store`), ask about them (`highwater`) and show them
//! (`highwater-server`).

pub mod bucket;
pub mod catalog;
pub mod continuous_aggregate;
pub mod hierarchy;
pub mod hypertable;
pub mod interval;
pub mod invalidation;
pub mod job;
pub mod numeric;
pub mod objects;
pub mod range;
pub mod reach;
pub mod refresh;
pub mod schema;
pub mod time;

pub use bucket::{Bucket, BucketError, BucketWidth};
pub use catalog::{Catalog, CatalogChange, CatalogError, ObjectKey};
pub use continuous_aggregate::{CaggId, ContinuousAggregate, Output};
pub use hypertable::{Chunk, ChunkId, Compressed, Compression, Hypertable, OrderBy};
pub use interval::Interval;
pub use invalidation::Pending;
pub use job::{Job, JobId, JobOutcome, JobRun, JobStats};
pub use numeric::Numeric;
pub use objects::{Check, EnumType, Identity, Objects, Rules, Sequence};
pub use range::{RangeSet, TimeRange};
pub use reach::Reach;
pub use schema::{Column, ColumnId, ColumnType, Digits, Index, IndexColumn, Table, TableId, TableKind, TimeType};
pub use time::{Clockface, TimeError, Zone};

use serde::{Deserialize, Serialize};

/// Position of a commit in the log. A larger one came later; 0 is before the first commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lsn(pub u64);

impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
