//! Rows in memory.

use crate::{Result, schema};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat_batches, filter, filter_record_batch};
use arrow::datatypes::{
    DataType, Date32Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt64Type,
};
use arrow::row::{RowConverter, SortField};
use highwater_model::ColumnId;
use roaring::RoaringTreemap;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// A set of stable row ids.
pub type RowIds = RoaringTreemap;

/// One hasher for the life of the process: hashes of keys are compared, never stored.
static KEY_HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Rows, as one Arrow batch whose fields carry column ids.
#[derive(Debug)]
pub struct Rows {
    /// Their ids.
    pub ids: Ids,
    /// The rows.
    pub batch: RecordBatch,
    /// Bytes of memory they take.
    pub bytes: usize,
    /// Hashes of keys with their positions, sorted, made on first use for each unique key.
    positions: Mutex<HashMap<Vec<ColumnId>, Arc<KeyPositions>>>,
    /// Smallest and largest time of the time column, found on first use.
    hull: OnceLock<(ColumnId, Option<(i64, i64)>)>,
}

/// Stable ids of rows, in the rows' order.
#[derive(Clone, Debug)]
pub enum Ids {
    /// These, one after the other: rows of one insert.
    Run(Range<u64>),
    /// Any, and the smallest and largest of them: rows of several commits, whose ids do not follow the commits' order.
    Listed(UInt64Array, (u64, u64)),
}

impl Ids {
    /// These ids; `None` when there are none.
    fn listed(ids: UInt64Array) -> Option<Ids> {
        let hull = (*ids.values().iter().min()?, *ids.values().iter().max()?);
        Some(Ids::Listed(ids, hull))
    }

    /// The id of the row at `position`.
    pub fn get(&self, position: usize) -> u64 {
        match self {
            Ids::Run(run) => run.start + position as u64,
            Ids::Listed(ids, _) => ids.value(position),
        }
    }

    /// A range that holds them all; the smallest that does.
    pub fn hull(&self) -> Range<u64> {
        match self {
            Ids::Run(run) => run.clone(),
            Ids::Listed(_, (first, last)) => *first..last + 1,
        }
    }

    /// All of them.
    pub fn array(&self) -> UInt64Array {
        match self {
            Ids::Run(run) => UInt64Array::from_iter_values(run.clone()),
            Ids::Listed(ids, _) => ids.clone(),
        }
    }

    /// Those that are in `set`.
    pub fn within(&self, set: &RowIds) -> RowIds {
        if set.range_cardinality(self.hull()) == 0 {
            return RowIds::new();
        }
        let mut all = RowIds::new();
        self.add_to(&mut all);
        all & set
    }

    /// Adds them to `set`.
    pub fn add_to(&self, set: &mut RowIds) {
        match self {
            Ids::Run(run) => drop(set.insert_range(run.clone())),
            Ids::Listed(ids, _) => set.extend(ids.values().iter().copied()),
        }
    }

    /// Which are not in `set`; `None` when none is in it.
    pub fn mask_without(&self, set: &RowIds) -> Option<BooleanArray> {
        if set.is_empty() || set.range_cardinality(self.hull()) == 0 {
            return None;
        }
        let mask: BooleanArray = match self {
            Ids::Run(run) => run.clone().map(|id| Some(!set.contains(id))).collect(),
            Ids::Listed(ids, _) => ids.values().iter().map(|id| Some(!set.contains(*id))).collect(),
        };
        (mask.true_count() < mask.len()).then_some(mask)
    }
}

/// Hashes of keys with their positions, sorted.
pub type KeyPositions = Vec<(u64, u32)>;

impl Rows {
    /// Rows with ids from `first_id` on.
    pub fn new(first_id: u64, batch: RecordBatch) -> Self {
        Rows::with_ids(Ids::Run(first_id..first_id + batch.num_rows() as u64), batch)
    }

    fn with_ids(ids: Ids, batch: RecordBatch) -> Self {
        let bytes = batch.get_array_memory_size();
        Rows { ids, batch, bytes, positions: Mutex::default(), hull: OnceLock::new() }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their ids as a run, which those of one insert are.
    pub fn run(&self) -> Option<Range<u64>> {
        match &self.ids {
            Ids::Run(run) => Some(run.clone()),
            Ids::Listed(..) => None,
        }
    }

    /// All these rows as one, when their columns are the same.
    pub fn joined(all: &[Arc<Rows>]) -> Option<Rows> {
        let first = all.first().filter(|first| all.iter().all(|rows| rows.has_columns_of(first)))?;
        let batch = concat_batches(&first.batch.schema(), all.iter().map(|rows| &rows.batch)).ok()?;
        let ids = match all.windows(2).all(|pair| pair[0].continues_in(&pair[1])) {
            true => Ids::Run(first.ids.get(0)..first.ids.get(0) + batch.num_rows() as u64),
            false => Ids::listed(all.iter().flat_map(|rows| rows.ids.array().values().to_vec()).collect())?,
        };
        Some(Rows::with_ids(ids, batch))
    }

    /// Whether `next` has the ids after these, and the same columns.
    pub fn continues_in(&self, next: &Rows) -> bool {
        self.run().zip(next.run()).is_some_and(|(run, next)| run.end == next.start) && self.has_columns_of(next)
    }

    fn has_columns_of(&self, other: &Rows) -> bool {
        self.batch.schema() == other.batch.schema()
    }

    /// The rows whose ids are not in `set`, copied; `None` when there are none.
    pub fn without(&self, set: &RowIds) -> Option<Rows> {
        let mask = self.ids.mask_without(set);
        let batch = kept(self.batch.clone(), mask.clone()).expect("a mask is as long as its batch");
        let ids = match &mask {
            None => self.ids.clone(),
            Some(mask) => {
                let ids = filter(&self.ids.array(), mask).expect("a mask is as long as its ids");
                Ids::listed(ids.as_primitive::<UInt64Type>().clone())?
            }
        };
        Some(Rows::with_ids(ids, batch))
    }

    /// The array of a column, if these rows were written when it existed.
    pub fn column(&self, id: ColumnId) -> Option<&ArrayRef> {
        let position = self.batch.schema().fields().iter().position(|f| schema::column_id(f) == Some(id))?;
        Some(self.batch.column(position))
    }

    /// Which rows are not in `deleted`; `None` when all are.
    pub fn alive(&self, deleted: &RowIds) -> Option<BooleanArray> {
        self.ids.mask_without(deleted)
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
