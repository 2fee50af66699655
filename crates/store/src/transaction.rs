//! A transaction: a private version, and the ops that made it.
//!
//! ```text
//! base snapshot ──op──op──op──▶ working version      what the transaction itself reads
//!                  savepoint ▲                       (ops so far, version so far)
//! commit: the same ops, applied to the latest version
//! ```

use crate::op::Op;
use crate::rows::{RowIds, Rows, times};
use crate::segment::{NewRows, Segment, SegmentId};
use crate::store::{Snapshot, Store};
use crate::unique::{self, Keys};
use crate::version::Version;
use crate::{Error, Result};
use arrow::array::{RecordBatch, RecordBatchOptions, UInt64Array};
use highwater_model::{CaggId, CatalogChange, Compressed, RangeSet, Table, TableId, TimeRange};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows inserted in small batches go to segments when they are so many times what a large batch has.
const SPILL_TIMES: usize = 4;

/// Work that becomes visible all at once, or never.
#[derive(Debug)]
pub struct Transaction {
    store: Arc<Store>,
    base: Snapshot,
    working: Version,
    ops: Vec<Op>,
    keys: Vec<AddedKeys>,
    /// Segments that only the commit will add.
    spilled: Vec<Arc<Segment>>,
    synchronous: bool,
}

/// Unique keys that an op adds.
#[derive(Debug)]
pub(crate) struct AddedKeys {
    /// How many ops came before it.
    op: usize,
    /// The table.
    pub table: TableId,
    /// Name of the unique index.
    pub index: String,
    /// Hashes of the keys, sorted.
    pub hashes: Arc<[u64]>,
}

/// A point to go back to.
#[derive(Clone, Debug)]
pub struct Savepoint {
    working: Version,
    ops: usize,
}

impl Transaction {
    pub(crate) fn new(store: Arc<Store>, base: Snapshot) -> Self {
        let working = Version::clone(&base);
        let synchronous = store.options().synchronous_commit;
        Transaction { store, base, working, ops: Vec::new(), keys: Vec::new(), spilled: Vec::new(), synchronous }
    }

    /// What this transaction sees: its snapshot and its own changes.
    pub fn version(&self) -> &Version {
        &self.working
    }

    /// The snapshot it began with.
    pub fn base(&self) -> &Snapshot {
        &self.base
    }

    /// Whether it has changed nothing.
    pub fn is_read_only(&self) -> bool {
        self.ops.is_empty()
    }

    /// Its changes in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The unique keys it adds.
    pub(crate) fn keys(&self) -> &[AddedKeys] {
        &self.keys
    }

    /// A segment that the transaction wrote.
    pub(crate) fn segment(&self, table: TableId, id: SegmentId) -> Option<Arc<Segment>> {
        let segments = &self.working.table(table).segments;
        segments.iter().chain(&self.spilled).find(|s| s.meta.id == id).cloned()
    }

    /// Says whether the commit is acknowledged only when it is synced. Otherwise a crash may lose it, but
    /// never a part of it, and never without those after it.
    pub fn set_synchronous(&mut self, synchronous: bool) {
        self.synchronous = synchronous;
    }

    /// Whether the commit is acknowledged only when it is synced.
    pub fn is_synchronous(&self) -> bool {
        self.synchronous
    }

    /// Moves a transaction that has changed nothing to a newer snapshot.
    pub fn renew(&mut self) {
        if self.is_read_only() {
            self.base = self.store.snapshot();
            self.working = Version::clone(&self.base);
        }
    }

    /// The present state, to go back to.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint { working: self.working.clone(), ops: self.ops.len() }
    }

    /// Forgets everything since `savepoint`: rows, catalog changes and what they made pending.
    pub fn rollback_to(&mut self, savepoint: &Savepoint) {
        self.working = savepoint.working.clone();
        self.ops.truncate(savepoint.ops);
        self.keys.retain(|keys| keys.op < savepoint.ops);
    }

    /// Changes the catalog.
    ///
    /// # Errors
    /// [`Error::Catalog`] when a name is taken or a schema missing.
    pub fn change(&mut self, change: CatalogChange) -> Result<()> {
        self.apply(Op::Catalog(change))
    }

    /// Adds rows.
    ///
    /// * `batch` – the columns of [`crate::schema::arrow_schema`] by type and order; NOT NULL already checked.
    ///
    /// # Errors
    /// [`Error::Duplicate`] when a unique key is there already, in the batch or in what the transaction
    /// sees; nothing is added then.
    pub fn insert(&mut self, table: &Arc<Table>, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = self.working.arrow_schema(table);
        let batch = RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &rows)?;
        let data = self.working.table(table.id);
        let mut added = Vec::new();
        for index in table.unique_keys() {
            let Some(key) = index.column_ids() else { continue };
            let Some(keys) = Keys::of(&batch, &key)? else { continue };
            let taken = keys.find_existing(&data, table, batch.num_rows())?.iter().position(Option::is_some);
            if let Some(row) = keys.first_repeat()?.into_iter().chain(taken).min() {
                return Err(unique::duplicate(table, index, &key, &batch, row));
            }
            let (op, hashes) = (self.ops.len(), keys.hashes());
            added.push(AddedKeys { op, table: table.id, index: index.name.clone(), hashes });
        }
        let first_id = self.store.take_row_ids(batch.num_rows() as u64);
        if batch.get_array_memory_size() >= self.store.options().inline_bytes {
            // The segments are removed again if they do not get into the working version.
            let ids = UInt64Array::from_iter_values(first_id..first_id + batch.num_rows() as u64);
            let segments = self.store.write_segments(table, NewRows { batch, ids }, &self.working)?;
            for (segment, touched) in &segments {
                let (segment, touched) = (segment.meta.clone(), touched.clone());
                self.apply(Op::AddSegment { table: table.id, segment, touched })?;
            }
        } else {
            let touched = self.touched(table, &batch);
            self.apply(Op::Insert { table: table.id, rows: Arc::new(Rows::new(first_id, batch)), touched })?;
        }
        self.keys.extend(added);
        Ok(())
    }

    /// Removes rows by their ids.
    ///
    /// * `touched` – their times, from [`Transaction::touched`].
    pub fn delete(&mut self, table: TableId, ids: RowIds, touched: RangeSet) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        self.apply(Op::Delete { table, ids: Arc::new(ids), touched })
    }

    /// Removes all rows of a table.
    pub fn truncate(&mut self, table: TableId) -> Result<()> {
        self.apply(Op::Truncate { table })
    }

    /// Forgets chunks; their rows are to be deleted too, touching nothing.
    pub fn drop_chunks(&mut self, table: TableId, ranges: RangeSet) -> Result<()> {
        self.apply(Op::DropChunks { table, ranges })
    }

    /// Says how a chunk was compressed, or that it no longer is. What it consists of is
    /// [`Store::rewrite_chunk`]'s.
    pub fn compress(&mut self, table: TableId, chunk: TimeRange, compressed: Option<Arc<Compressed>>) -> Result<()> {
        self.apply(Op::Compress { table, chunk, compressed })
    }

    /// Says that whole buckets now hold the states of the rows in [`Transaction::version`].
    pub fn settle(&mut self, cagg: CaggId, ranges: RangeSet) -> Result<()> {
        let at = self.store.clock().now_micros();
        self.apply(Op::Settle { cagg, ranges, again: RangeSet::empty(), at })
    }

    /// Makes times of an aggregate pending.
    pub fn dirty(&mut self, cagg: CaggId, ranges: RangeSet) -> Result<()> {
        self.apply(Op::Dirty { cagg, ranges })
    }

    /// Says that the frozen base of an aggregate now stands for the dropped rows of these times.
    pub fn freeze(&mut self, cagg: CaggId, ranges: RangeSet) -> Result<()> {
        self.apply(Op::Freeze { cagg, ranges })
    }

    /// The times of these rows, as a set that is exact for the buckets of every aggregate over the table.
    pub fn touched(&self, table: &Table, batch: &RecordBatch) -> RangeSet {
        let time = table.hypertable.as_ref().map(|h| h.time_column);
        let column = time.and_then(|time| unique::key_columns(batch, &[time]));
        self.working.touched_by(table, column.as_ref().map(|c| times(&c[0]).into_iter().flatten()))
    }

    /// Makes the changes visible to everyone.
    ///
    /// See [`Store::commit`].
    pub fn commit(self) -> Result<crate::Ticket> {
        let store = self.store.clone();
        store.commit(self)
    }

    /// Joins inserts that follow each other, so that a thousand rows inserted one by one are one op; if they
    /// are many bytes, they go to segments like a large batch. Only before committing: savepoints count ops.
    pub(crate) fn compact(&mut self) -> Result<()> {
        let is_insert = |op: &Op| matches!(op, Op::Insert { .. });
        if !self.ops.windows(2).any(|pair| pair.iter().all(is_insert)) {
            return Ok(());
        }
        let mut compacted = Vec::new();
        let mut run: BTreeMap<TableId, (Vec<Arc<Rows>>, RangeSet)> = BTreeMap::new();
        for op in std::mem::take(&mut self.ops) {
            match op {
                // Inserts into different tables may change places.
                Op::Insert { table, rows, touched } => {
                    let (all, times) = run.entry(table).or_default();
                    all.push(rows);
                    *times = times.union(&touched);
                }
                other => {
                    self.end_run(&mut run, &mut compacted)?;
                    compacted.push(other);
                }
            }
        }
        self.end_run(&mut run, &mut compacted)?;
        self.ops = compacted;
        Ok(())
    }

    fn end_run(
        &mut self,
        run: &mut BTreeMap<TableId, (Vec<Arc<Rows>>, RangeSet)>,
        compacted: &mut Vec<Op>,
    ) -> Result<()> {
        for (table, (all, touched)) in std::mem::take(run) {
            let bytes: usize = all.iter().map(|rows| rows.bytes).sum();
            let is_large = bytes >= SPILL_TIMES * self.store.options().inline_bytes;
            let definition = self.working.catalog().tables.get(&table).cloned();
            // Rows that were added to another definition of the table are not of one kind.
            let definition = definition.filter(|d| {
                let schema = self.working.arrow_schema(d);
                all.iter().all(|rows| rows.batch.schema() == schema)
            });
            if let (true, Some(definition)) = (is_large, definition) {
                let rows = all.iter().map(|rows| NewRows { batch: rows.batch.clone(), ids: rows.ids.array() });
                let rows = NewRows::concat(&rows.collect::<Vec<_>>())?;
                for (segment, touched) in self.store.write_segments(&definition, rows, &self.working)? {
                    compacted.push(Op::AddSegment { table, segment: segment.meta.clone(), touched });
                    self.spilled.push(segment);
                }
                continue;
            }
            for rows in join_consecutive(&all) {
                compacted.push(Op::Insert { table, rows, touched: touched.clone() });
            }
        }
        Ok(())
    }

    fn apply(&mut self, op: Op) -> Result<(), Error> {
        self.working.apply(&op, &|meta| self.store.open_segment(meta))?;
        self.ops.push(op);
        Ok(())
    }
}

/// Joins rows whose ids and columns continue each other.
fn join_consecutive(all: &[Arc<Rows>]) -> Vec<Arc<Rows>> {
    let runs = all.chunk_by(|a, b| a.continues_in(b));
    runs.flat_map(|run| match Rows::joined(run) {
        Some(joined) if run.len() > 1 => vec![Arc::new(joined)],
        _ => run.to_vec(),
    })
    .collect()
}
