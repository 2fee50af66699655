//! Rows in memory.

use crate::{Result, schema};
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::row::{RowConverter, SortField};
use highwater_model::ColumnId;
use roaring::RoaringTreemap;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex};

/// A set of stable row ids.
pub type RowIds = RoaringTreemap;

/// One hasher for the life of the process: hashes of keys are compared, never stored.
static KEY_HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Rows with consecutive ids, as one Arrow batch whose fields carry column ids.
#[derive(Debug)]
pub struct Rows {
    /// Id of the first row; the n-th has `first_id + n`.
    pub first_id: u64,
    /// The rows.
    pub batch: RecordBatch,
    /// Bytes of memory they take.
    pub bytes: usize,
    /// Position of each key by its hash, made on first use for each unique key.
    positions: Mutex<HashMap<Vec<ColumnId>, Arc<HashMap<u64, Vec<u32>>>>>,
}

impl Rows {
    /// Rows with ids from `first_id` on.
    pub fn new(first_id: u64, batch: RecordBatch) -> Self {
        let bytes = batch.get_array_memory_size();
        Rows { first_id, batch, bytes, positions: Mutex::default() }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id after the last row's.
    pub fn end_id(&self) -> u64 {
        self.first_id + self.len() as u64
    }

    /// The rows of both, when their ids and columns continue each other.
    pub fn joined(&self, next: &Rows) -> Option<Rows> {
        if self.end_id() != next.first_id || self.batch.schema() != next.batch.schema() {
            return None;
        }
        let batch = concat_batches(&self.batch.schema(), [&self.batch, &next.batch]).ok()?;
        Some(Rows::new(self.first_id, batch))
    }

    /// The array of a column, if these rows were written when it existed.
    pub fn column(&self, id: ColumnId) -> Option<&ArrayRef> {
        let position = self.batch.schema().fields().iter().position(|f| schema::column_id(f) == Some(id))?;
        Some(self.batch.column(position))
    }

    /// Which rows are not in `deleted`; `None` when all are.
    pub fn alive(&self, deleted: &RowIds) -> Option<BooleanArray> {
        alive_mask(self.first_id..self.end_id(), deleted)
    }

    /// Positions of the rows whose key has this hash.
    pub fn positions_of(&self, key: &[ColumnId], hash: u64) -> Result<Vec<u32>> {
        let mut positions = self.positions.lock().expect("no panic while hashing keys");
        if !positions.contains_key(key) {
            let columns: Vec<ArrayRef> = key.iter().filter_map(|id| self.column(*id).cloned()).collect();
            let mut map: HashMap<u64, Vec<u32>> = HashMap::with_capacity(self.len());
            if columns.len() == key.len() {
                for (i, hash) in key_hashes(&columns)?.into_iter().enumerate() {
                    if let Some(hash) = hash {
                        map.entry(hash).or_default().push(i as u32);
                    }
                }
            }
            positions.insert(key.to_vec(), Arc::new(map));
        }
        Ok(positions[key].get(&hash).cloned().unwrap_or_default())
    }
}

/// Which of the ids are not in `deleted`; `None` when all are.
pub fn alive_mask(ids: std::ops::Range<u64>, deleted: &RowIds) -> Option<BooleanArray> {
    if deleted.is_empty() || deleted.range_cardinality(ids.clone()) == 0 {
        return None;
    }
    Some(ids.map(|id| Some(!deleted.contains(id))).collect())
}

/// The hash of each row's key; `None` where a column is NULL, because NULLs never agree.
pub fn key_hashes(columns: &[ArrayRef]) -> Result<Vec<Option<u64>>> {
    let converter = RowConverter::new(columns.iter().map(|c| SortField::new(c.data_type().clone())).collect())?;
    let rows = converter.convert_columns(columns)?;
    Ok((0..rows.num_rows())
        .map(|i| {
            let has_null = columns.iter().any(|c| c.is_null(i));
            (!has_null).then(|| KEY_HASHER.hash_one(rows.row(i).as_ref()))
        })
        .collect())
}

/// The rows at `positions`.
pub fn take_rows(batch: &RecordBatch, positions: &[u32]) -> Result<RecordBatch> {
    Ok(arrow::compute::take_record_batch(batch, &UInt32Array::from(positions.to_vec()))?)
}

/// Rows kept by a mask; all of them without one.
pub fn kept(batch: RecordBatch, mask: Option<BooleanArray>) -> Result<RecordBatch> {
    match mask {
        Some(mask) => Ok(filter_record_batch(&batch, &mask)?),
        None => Ok(batch),
    }
}

/// The values of a time column on the time axis: dates in microseconds, integers as they are. NULLs
/// give `None`.
pub fn times(column: &ArrayRef) -> Vec<Option<i64>> {
    use arrow::array::{Date32Array, Int16Array, Int32Array, Int64Array, TimestampMicrosecondArray};
    let any = column.as_any();
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            any.downcast_ref::<TimestampMicrosecondArray>().expect("type was matched").iter().collect()
        }
        DataType::Date32 => {
            any.downcast_ref::<Date32Array>().expect("type was matched").iter().map(|d| d.map(date_to_micros)).collect()
        }
        DataType::Int16 => {
            any.downcast_ref::<Int16Array>().expect("type was matched").iter().map(|v| v.map(i64::from)).collect()
        }
        DataType::Int32 => {
            any.downcast_ref::<Int32Array>().expect("type was matched").iter().map(|v| v.map(i64::from)).collect()
        }
        DataType::Int64 => any.downcast_ref::<Int64Array>().expect("type was matched").iter().collect(),
        other => unreachable!("{other} is no time type"),
    }
}

/// A date on the time axis; infinite dates stay infinite.
pub fn date_to_micros(days: i32) -> i64 {
    match days {
        i32::MAX => i64::MAX,
        i32::MIN => i64::MIN,
        days => i64::from(days) * 86_400_000_000,
    }
}
