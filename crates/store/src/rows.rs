//! Rows in memory.

use crate::{Result, schema};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Date32Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use highwater_model::ColumnId;
use roaring::RoaringTreemap;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

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
    /// Hashes of keys with their positions, sorted, made on first use for each unique key.
    positions: Mutex<HashMap<Vec<ColumnId>, Arc<KeyPositions>>>,
    /// Smallest and largest time of the time column, found on first use.
    hull: OnceLock<(ColumnId, Option<(i64, i64)>)>,
}

/// Hashes of keys with their positions, sorted.
pub type KeyPositions = Vec<(u64, u32)>;

impl Rows {
    /// Rows with ids from `first_id` on.
    pub fn new(first_id: u64, batch: RecordBatch) -> Self {
        let bytes = batch.get_array_memory_size();
        Rows { first_id, batch, bytes, positions: Mutex::default(), hull: OnceLock::new() }
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

    /// All these rows as one, when their ids and columns continue each other.
    pub fn joined(all: &[Arc<Rows>]) -> Option<Rows> {
        let first = all.first()?;
        if !all.windows(2).all(|pair| pair[0].continues_in(&pair[1])) {
            return None;
        }
        let batch = concat_batches(&first.batch.schema(), all.iter().map(|rows| &rows.batch)).ok()?;
        Some(Rows::new(first.first_id, batch))
    }

    /// Whether `next` has the ids after these, and the same columns.
    pub fn continues_in(&self, next: &Rows) -> bool {
        self.end_id() == next.first_id && self.batch.schema() == next.batch.schema()
    }

    /// The rows with these ids, copied; `None` when there are none.
    pub fn part(&self, ids: std::ops::Range<u64>) -> Option<Rows> {
        let (start, end) = (ids.start.max(self.first_id), ids.end.min(self.end_id()));
        if start >= end {
            return None;
        }
        let positions: Vec<u32> = ((start - self.first_id) as u32..(end - self.first_id) as u32).collect();
        let batch = take_rows(&self.batch, &positions).expect("positions are inside of the batch");
        Some(Rows::new(start, batch))
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

    /// The smallest and the largest time; `None` when there is none.
    pub fn time_hull(&self, time: ColumnId) -> Option<(i64, i64)> {
        let compute = || self.column(time).and_then(|column| TimeValues::of(column).hull());
        let (of, hull) = self.hull.get_or_init(|| (time, compute()));
        // A table has one time column, so another one is asked for only after a change of definition.
        if *of == time { *hull } else { compute() }
    }

    /// Hashes of the keys with their positions, sorted.
    pub fn key_positions(&self, key: &[ColumnId]) -> Result<Arc<KeyPositions>> {
        let mut positions = self.positions.lock().expect("no panic while hashing keys");
        if let Some(known) = positions.get(key) {
            return Ok(known.clone());
        }
        let columns: Vec<ArrayRef> = key.iter().filter_map(|id| self.column(*id).cloned()).collect();
        let mut made = KeyPositions::new();
        if columns.len() == key.len() {
            let hashes = key_hashes(&columns)?.into_iter().enumerate();
            made = hashes.filter_map(|(i, hash)| Some((hash?, i as u32))).collect();
            made.sort_unstable();
        }
        let made = Arc::new(made);
        positions.insert(key.to_vec(), made.clone());
        Ok(made)
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
    let comparable: Vec<ArrayRef> = columns.iter().map(schema::comparable).collect();
    let converter = RowConverter::new(comparable.iter().map(|c| SortField::new(c.data_type().clone())).collect())?;
    let rows = converter.convert_columns(&comparable)?;
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
    let values = TimeValues::of(column);
    (0..column.len()).map(|i| values.get(i)).collect()
}

/// A time column, read on the time axis.
#[derive(Clone, Copy, Debug)]
pub struct TimeValues<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Values<'a> {
    Days(&'a [i32]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
}

impl<'a> TimeValues<'a> {
    /// Reads `column`, whose type is a time type.
    pub fn of(column: &'a ArrayRef) -> Self {
        let values = match column.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Values::I64(column.as_primitive::<TimestampMicrosecondType>().values())
            }
            DataType::Date32 => Values::Days(column.as_primitive::<Date32Type>().values()),
            DataType::Int16 => Values::I16(column.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Values::I32(column.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Values::I64(column.as_primitive::<Int64Type>().values()),
            other => unreachable!("{other} is no time type"),
        };
        TimeValues { nulls: column.nulls(), values }
    }

    /// The time of a row; `None` where it is NULL.
    #[inline]
    pub fn get(&self, i: usize) -> Option<i64> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(i)) {
            return None;
        }
        Some(match self.values {
            Values::Days(days) => date_to_micros(days[i]),
            Values::I16(values) => i64::from(values[i]),
            Values::I32(values) => i64::from(values[i]),
            Values::I64(values) => values[i],
        })
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        match self.values {
            Values::Days(values) | Values::I32(values) => values.len(),
            Values::I16(values) => values.len(),
            Values::I64(values) => values.len(),
        }
    }

    /// The smallest and the largest time.
    pub fn hull(&self) -> Option<(i64, i64)> {
        if let (None, Values::I64(values)) = (self.nulls, self.values) {
            return values.iter().copied().min().zip(values.iter().copied().max());
        }
        let mut hull = None;
        for t in (0..self.count()).filter_map(|i| self.get(i)) {
            hull = Some(hull.map_or((t, t), |(first, last): (i64, i64)| (first.min(t), last.max(t))));
        }
        hull
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
