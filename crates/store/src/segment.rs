//! Immutable sorted files of rows.
//!
//! ```text
//! segments/0000000042.parquet      rows sorted by series, then time; row groups are the parts
//!   part 0   │ a 09:00 … │ a 10:00 … │ b 09:00 … │        pages inside, with the range of each
//!   part 1   │ b 10:00 … │ c 09:00 … │
//! ```
//!
//! A segment is plain Parquet with one hidden column, the stable ids of its rows. It never changes;
//! rows deleted from it are named beside it, by the version that reads it.

mod cache;
mod coding;
mod convert;
mod files;
mod keys;
mod read;
mod sample;
mod write;

pub(crate) use coding::Form;
pub(crate) use files::SegmentFiles;
pub(crate) use write::{NewRows, cut_by_chunk, sync_names, write_segment};

use crate::disk::Disk;
use cache::Cache;
use highwater_model::{ColumnId, ColumnType};
use parking_lot::RwLock;
use read::Loaded;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::warn;

/// The directory of segments.
pub(crate) const DIR: &str = "segments";

/// Number of a segment, unique in a database and part of its file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId(pub u64);

/// What is known of a segment without opening it. Kept in the manifest and in commit frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMeta {
    /// Its number.
    pub id: SegmentId,
    /// Its columns, without the row ids.
    pub columns: Vec<(ColumnId, ColumnType)>,
    /// How many rows it was written with.
    pub row_count: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Smallest and largest row id.
    pub ids: (u64, u64),
    /// Smallest and largest time on the time axis, if the table has a time column.
    pub times: Option<(i64, i64)>,
    /// Columns its rows are sorted by.
    pub sorted_by: Vec<ColumnId>,
    /// CRC-32C of the file from the end of the last column chunk on. That part has the checksums of the rest.
    pub checksum: u32,
    /// Whether it was written to be small.
    pub compressed: bool,
}

/// A segment that can be read.
#[derive(Clone, Debug)]
pub struct Segment {
    /// What is known of it.
    pub meta: SegmentMeta,
    pub(crate) file: Arc<SegmentFile>,
}

/// The file of a segment, shared by all who read it.
pub(crate) struct SegmentFile {
    id: SegmentId,
    disk: Arc<dyn Disk>,
    cache: Arc<Cache>,
    /// Whether it is removed when nobody reads it any more. So is a file that no commit has published.
    obsolete: AtomicBool,
    loaded: RwLock<Option<Arc<Loaded>>>,
}

impl SegmentFile {
    fn new(meta: &SegmentMeta, disk: Arc<dyn Disk>, cache: Arc<Cache>) -> Self {
        SegmentFile { id: meta.id, disk, cache, obsolete: AtomicBool::new(true), loaded: RwLock::default() }
    }

    fn set_obsolete(&self, obsolete: bool) {
        self.obsolete.store(obsolete, Ordering::Release);
    }
}

impl Drop for SegmentFile {
    fn drop(&mut self) {
        self.cache.forget(self.id);
        if self.obsolete.load(Ordering::Acquire)
            && let Err(error) = self.disk.remove(&path(self.id))
        {
            warn!(file = path(self.id), %error, "cannot remove a segment that nobody needs; the next start will");
        }
    }
}

impl std::fmt::Debug for SegmentFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SegmentFile({})", path(self.id))
    }
}

/// The path of a segment's file.
pub(crate) fn path(id: SegmentId) -> String {
    format!("{DIR}/{:010}.parquet", id.0)
}

/// The number in a file's name.
pub(crate) fn id_of(name: &str) -> Option<SegmentId> {
    name.strip_suffix(".parquet")?.parse().ok().map(SegmentId)
}
