//! Rows in the order of their buckets, one bucket at a time.

use crate::session::RowStream;
use crate::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::row::{RowConverter, Rows, SortField};
use futures::StreamExt;
use highwater_store::rows::TimeValues;
use std::collections::HashMap;

/// Rows in the order of their buckets.
pub struct Bucketwise {
    rows: RowStream,
    /// The column of the bucket.
    bucket: usize,
    /// Rows that were read and not taken.
    waiting: Option<RecordBatch>,
}

impl Bucketwise {
    pub fn new(rows: RowStream, bucket: usize) -> Self {
        Bucketwise { rows, bucket, waiting: None }
    }

    /// The start of the next bucket that has rows.
    pub async fn start(&mut self) -> Result<Option<i64>> {
        while self.waiting.as_ref().is_none_or(|batch| batch.num_rows() == 0) {
            let Some(next) = self.rows.next().await else { return Ok(None) };
            self.waiting = Some(next?);
        }
        let Some(batch) = &self.waiting else { return Ok(None) };
        let start = TimeValues::of(batch.column(self.bucket)).get(0);
        start.map(Some).ok_or_else(|| Error::internal("a group has no bucket"))
    }

    /// Takes the rows of a bucket; `None` when it has none.
    ///
    /// * `start` – of no bucket after the next.
    pub async fn take(&mut self, start: i64) -> Result<Option<RecordBatch>> {
        let mut parts = Vec::new();
        while self.start().await? == Some(start) {
            let Some(batch) = self.waiting.take() else { break };
            let times = TimeValues::of(batch.column(self.bucket));
            let end = (0..batch.num_rows()).find(|i| times.get(*i) != Some(start)).unwrap_or(batch.num_rows());
            parts.push(batch.slice(0, end));
            self.waiting = Some(batch.slice(end, batch.num_rows() - end));
        }
        let Some(first) = parts.first() else { return Ok(None) };
        Ok(Some(concat_batches(&first.schema(), &parts)?))
    }
}

/// The groups of a bucket, by their keys.
pub struct Groups {
    /// The rows; none of a bucket that is not there.
    pub rows: Option<RecordBatch>,
    places: HashMap<Vec<u8>, usize>,
}

impl Groups {
    /// Groups whose keys are in these columns.
    pub fn new(rows: Option<RecordBatch>, keys: &[usize]) -> Result<Self> {
        let mut places = HashMap::new();
        if let Some(batch) = &rows {
            let columns: Vec<ArrayRef> = keys.iter().map(|i| batch.column(*i).clone()).collect();
            for (i, key) in encoded(&columns)?.iter().enumerate() {
                places.entry(key.as_ref().to_vec()).or_insert(i);
            }
        }
        Ok(Groups { rows, places })
    }

    /// How many rows there are.
    pub fn count(&self) -> i64 {
        self.rows.as_ref().map_or(0, |rows| rows.num_rows() as i64)
    }

    /// How many rows are of a group that has one already.
    pub fn repeated(&self) -> i64 {
        self.count() - self.places.len() as i64
    }

    /// Keys, and where their rows are.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.places.iter().map(|(key, row)| (key.as_slice(), *row))
    }

    /// The row of a group.
    pub fn find(&self, key: &[u8]) -> Option<usize> {
        self.places.get(key).copied()
    }
}

/// One column of two sets of rows, to be compared value by value.
pub struct Cells {
    left: Rows,
    right: Rows,
}

impl Cells {
    pub fn new(left: &RecordBatch, right: &RecordBatch, column: usize) -> Result<Self> {
        let (left, right) = (left.column(column).clone(), right.column(column).clone());
        let converter = RowConverter::new(vec![SortField::new(left.data_type().clone())])?;
        Ok(Cells { left: converter.convert_columns(&[left])?, right: converter.convert_columns(&[right])? })
    }

    /// Whether the values of two rows are the same to the last bit.
    pub fn are_equal(&self, left: usize, right: usize) -> bool {
        self.left.row(left) == self.right.row(right)
    }
}

fn encoded(columns: &[ArrayRef]) -> Result<Rows> {
    let fields = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
    Ok(RowConverter::new(fields)?.convert_columns(columns)?)
}
