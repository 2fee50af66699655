//! Immutable sorted files of rows.

use crate::Result;
use crate::rows::RowIds;
use crate::version::Scan;
use arrow::array::RecordBatch;
use highwater_model::{ColumnId, ColumnType};
use serde::{Deserialize, Serialize};

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
}

/// A segment that can be read.
#[derive(Debug)]
pub struct Segment {
    /// What is known of it.
    pub meta: SegmentMeta,
}

impl Segment {
    /// Parts that can be read on their own, without those that hold nothing `scan` wants.
    pub fn parts(&self, scan: &Scan) -> Vec<usize> {
        let _ = scan;
        unimplemented!()
    }

    /// The rows of one part: the columns of `scan` that the segment has, fields carrying column ids,
    /// then the row ids as `UInt64` if `with_ids`. Rows in `deleted` are left out.
    pub fn read(&self, part: usize, scan: &Scan, with_ids: bool, deleted: &RowIds) -> Result<Vec<RecordBatch>> {
        let _ = (part, scan, with_ids, deleted);
        unimplemented!()
    }

    /// The rows whose key has this hash: their ids, and their key columns as a batch.
    pub fn find_key(&self, key: &[ColumnId], hash: u64) -> Result<Vec<(u64, RecordBatch)>> {
        let _ = (key, hash);
        unimplemented!()
    }
}
