//! The store: where transactions begin, are ordered and become durable.
//!
//! ```text
//! commit      lock ─ validate against commits since the snapshot ─ apply to latest ─ queue ─ unlock
//! log         take the queue, write, fdatasync, publish the version, tell who waits
//! snapshot    the newest version that is durable
//! ```
//!
//! The commit lock orders and does no work: nothing is encoded, written or searched under it.

use crate::checkpoint::{Checkpointer, Install, Maintenance, Rewriting};
use crate::clock::{Clock, SystemClock};
use crate::disk::{Disk, Memory};
use crate::manifest::Counters;
use crate::op::Op;
use crate::published::Published;
use crate::recovery::recover;
use crate::rows::{RowIds, TimeValues};
use crate::segment::{self, NewRows, Segment, SegmentFiles, SegmentMeta};
use crate::ticket::Ticket;
use crate::transaction::Transaction;
use crate::unique::{self, meet};
use crate::version::{Touched, Version};
use crate::wal::record::Bodies;
use crate::wal::writer::Writer;
use crate::wal::{Commit, Log};
use crate::{Error, Result};
use arrow::array::{AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::UInt64Type;
use highwater_model::{CaggId, Catalog, CatalogChange, ColumnId, Lsn, ObjectKey, RangeSet, Table, TableId, TimeRange};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use tracing::warn;

/// How a store behaves.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Memory for rows that are not in a segment yet. Commits wait while there are more.
    pub buffer_bytes: usize,
    /// A checkpoint begins when recovery would have to read this much log.
    pub checkpoint_wal_bytes: u64,
    /// Memory for decoded columns of segments.
    pub cache_bytes: usize,
    /// Size of a log file.
    pub wal_file_bytes: u64,
    /// A batch of at least this many bytes goes to a segment at once instead of to the log.
    pub inline_bytes: usize,
    /// Whether a commit is acknowledged only when it is synced, unless its transaction says otherwise.
    pub synchronous_commit: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            buffer_bytes: 256 << 20,
            checkpoint_wal_bytes: 256 << 20,
            cache_bytes: 512 << 20,
            wal_file_bytes: 64 << 20,
            inline_bytes: 16 << 20,
            synchronous_commit: true,
        }
    }
}

/// A database on disk.
#[derive(Debug)]
pub struct Store {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    options: StoreOptions,
    order: Mutex<Order>,
    published: Arc<Published>,
    open: Mutex<BTreeMap<Lsn, usize>>,
    log: Log,
    files: Arc<SegmentFiles>,
    buffered: AtomicUsize,
    maintenance: Arc<Maintenance>,
    next_row_id: AtomicU64,
    next_oid: AtomicU32,
    next_job: AtomicI32,
}

/// What the commit lock protects.
#[derive(Debug)]
struct Order {
    latest: Version,
    /// How many checkpoints it has seen.
    generation: u64,
    recent: VecDeque<Recent>,
}

/// What a commit did, remembered while a transaction older than it is open.
#[derive(Debug, Default)]
struct Recent {
    lsn: Lsn,
    touched: Touched,
    deleted: HashMap<TableId, Vec<Arc<RowIds>>>,
    truncated: HashSet<TableId>,
    inserted: HashSet<TableId>,
    keys: HashMap<(TableId, String), Vec<Arc<[u64]>>>,
    changed: HashSet<ObjectKey>,
    /// Tables that new aggregates are defined over. Who drops chunks of one, or changes its definition,
    /// has not thought of the aggregate.
    sources: HashSet<TableId>,
    /// Aggregates below new ones.
    ancestors: HashSet<CaggId>,
    settled: Vec<(CaggId, RangeSet)>,
}

/// A version that stays readable while this is held.
#[derive(Debug)]
pub struct Snapshot {
    version: Arc<Version>,
    store: Arc<Store>,
}

impl Deref for Snapshot {
    type Target = Version;
    fn deref(&self) -> &Version {
        &self.version
    }
}

impl Snapshot {
    /// The version itself, to keep beyond the snapshot's place among the open ones.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let mut open = self.store.open.lock();
        if let Some(count) = open.get_mut(&self.version.lsn) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.version.lsn);
            }
        }
    }
}

impl Store {
    /// Opens the database on `disk`, or makes an empty one, and takes the directory.
    ///
    /// # Errors
    /// * [`Error::InUse`] – another process has the directory open.
    /// * [`Error::Corrupt`] – something that was acknowledged cannot be read. Nothing is changed then.
    pub fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, options: StoreOptions) -> Result<Arc<Store>> {
        disk.lock()?;
        Store::start(disk.clone(), clock, options).inspect_err(|_| disk.unlock())
    }

    /// An empty store that is kept nowhere.
    pub fn in_memory() -> Arc<Store> {
        let options = StoreOptions { wal_file_bytes: 1 << 20, ..StoreOptions::default() };
        Store::open(Arc::new(Memory::default()), Arc::new(SystemClock), options).expect("memory is always there")
    }

    fn start(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, options: StoreOptions) -> Result<Arc<Store>> {
        let files = Arc::new(SegmentFiles::new(disk.clone(), options.cache_bytes));
        let recovered = recover(&disk, &files)?;
        let (version, counters) = (recovered.version, recovered.counters);
        files.set_next_id(counters.segment);
        let published = Arc::new(Published::new(version.clone()));
        let writer = Writer::new(disk.clone(), recovered.log, options.wal_file_bytes);
        let buffered = version.buffer_bytes();
        let store = Arc::new(Store {
            log: Log::start(writer, published.clone())?,
            order: Mutex::new(Order { latest: version, generation: 0, recent: VecDeque::new() }),
            published,
            open: Mutex::default(),
            files,
            buffered: AtomicUsize::new(buffered),
            maintenance: Arc::new(Maintenance::new(Checkpointer::new(recovered.manifest))),
            next_row_id: AtomicU64::new(counters.row_id),
            next_oid: AtomicU32::new(counters.oid),
            next_job: AtomicI32::new(counters.job),
            disk,
            clock,
            options,
        });
        store.maintenance.start(&store)?;
        Ok(store)
    }

    /// Makes everything durable, writes a checkpoint, ends the threads and gives the directory back.
    /// What was read stays readable; nothing can be written any more.
    pub fn close(&self) -> Result<()> {
        self.log.stop();
        self.maintenance.stop();
        let result = self.log.failure().map_or_else(|| self.checkpoint(), Err);
        self.release();
        result
    }

    fn release(&self) {
        if self.maintenance.release() {
            self.files.close();
            self.disk.unlock();
        }
    }

    /// How it behaves.
    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// Its clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The newest durable version.
    pub fn snapshot(self: &Arc<Self>) -> Snapshot {
        // Take the lock on open snapshots first: a commit that prunes what is recent then either sees
        // this snapshot or is older than it.
        let mut open = self.open.lock();
        let version = self.published.version();
        *open.entry(version.lsn).or_insert(0) += 1;
        Snapshot { version, store: self.clone() }
    }

    /// Begins a transaction on the newest durable version.
    pub fn begin(self: &Arc<Self>) -> Transaction {
        Transaction::new(self.clone(), self.snapshot())
    }

    /// Hands out `count` row ids and returns the first. Ids are unique and never used again; they do
    /// not follow the order of commits.
    pub fn take_row_ids(&self, count: u64) -> u64 {
        self.next_row_id.fetch_add(count, Ordering::Relaxed)
    }

    /// Hands out an oid.
    pub fn take_oid(&self) -> u32 {
        self.next_oid.fetch_add(1, Ordering::Relaxed)
    }

    /// Hands out a job number.
    pub fn take_job_id(&self) -> i32 {
        self.next_job.fetch_add(1, Ordering::Relaxed)
    }

    /// Moves all buffered rows to segments and lets go of the log.
    ///
    /// # Errors
    /// When the disk refuses. If it is the manifest that cannot be written, the store is read-only from
    /// then on; otherwise nothing has changed.
    pub fn checkpoint(&self) -> Result<()> {
        self.maintenance.checkpoint(self)
    }

    /// Writes the rows of a chunk anew, those in memory too: to be small, or in the ordinary way. Which rows there are
    /// stays the same, so this is no part of any transaction; it is done when it returns.
    ///
    /// # Errors
    /// Those of [`Store::checkpoint`].
    pub fn rewrite_chunk(&self, table: TableId, chunk: TimeRange, compressed: bool) -> Result<()> {
        self.maintenance.rewrite_chunk(self, Rewriting { table, chunk, compressed })
    }

    /// Writes rows to synced segments that nobody sees until a commit adds them: one per chunk, with
    /// the times each touches. A file is removed again when nobody refers to it and no commit added it.
    pub(crate) fn write_segments(
        &self,
        table: &Arc<Table>,
        rows: NewRows,
        version: &Version,
    ) -> Result<Vec<(Arc<Segment>, RangeSet)>> {
        let time = table.hypertable.as_ref().map(|h| h.time_column);
        let mut segments = Vec::new();
        for rows in segment::cut_by_chunk(table, &version.table(table.id).chunks, rows)?.into_values() {
            let column = time.and_then(|id| unique::key_columns(&rows.batch, &[id]));
            let times = column.as_ref().map(|column| TimeValues::of(&column[0]));
            let times = times.as_ref().map(|times| (0..times.count()).filter_map(|i| times.get(i)));
            let touched = version.touched_by(table, times);
            let meta = segment::write_segment(&self.files, table, rows, segment::Form::Ordinary)?;
            segments.push((self.files.open(&meta), touched));
        }
        segment::sync_names(&self.files)?;
        Ok(segments)
    }

    /// Opens a segment that an op or the manifest names.
    pub(crate) fn open_segment(&self, meta: &SegmentMeta) -> Result<Arc<Segment>> {
        Ok(self.files.open(meta))
    }

    /// Orders a transaction after every other and returns a ticket that is ready when it is durable. The log's own
    /// thread writes it.
    ///
    /// # Errors
    /// * [`Error::Conflict`] – a commit since the transaction's snapshot changed a row it changes, an
    ///   object it changes or writes to, or a bucket it replaces. Try again from a new snapshot.
    /// * [`Error::Duplicate`] – a commit since then added a key that it adds too.
    pub fn commit(self: &Arc<Self>, transaction: Transaction) -> Result<Ticket> {
        let ticket = self.order(transaction)?;
        self.log.wake();
        Ok(ticket)
    }

    /// As [`Store::commit`], but writes and syncs the log on this thread unless another does already: a lone client is
    /// spared two changes of thread.
    ///
    /// # Errors
    /// Those of [`Store::commit`].
    pub fn commit_here(self: &Arc<Self>, transaction: Transaction) -> Result<Ticket> {
        let ticket = self.order(transaction)?;
        self.log.write_here();
        Ok(ticket)
    }

    /// Whether a commit need not wait for a checkpoint to make room in memory.
    pub fn has_room(&self) -> bool {
        self.buffered() <= self.options.buffer_bytes
    }

    /// Gives a transaction its place and queues it for the log.
    fn order(self: &Arc<Self>, mut transaction: Transaction) -> Result<Ticket> {
        let ticket = Ticket::default();
        if transaction.is_read_only() {
            ticket.complete(Ok(()));
            return Ok(ticket);
        }
        self.log.check()?;
        self.maintenance.wait_for_room(self)?;
        transaction.compact()?;
        let bodies = Bodies::of(transaction.ops())?;
        let mut effects = effects_of(&transaction);
        let mut checked = transaction.base().lsn;
        loop {
            let order = self.order.lock();
            let newer = || order.recent.iter().filter(|r| r.lsn > transaction.base().lsn);
            if newer().any(|r| conflicts(&effects, r)) {
                return Err(Error::Conflict);
            }
            // Hashes of keys are compared under the lock; the keys themselves outside of it.
            if newer().filter(|r| r.lsn > checked).any(|r| keys_meet(&effects, r)) {
                let latest = order.latest.clone();
                drop(order);
                check_unique(&transaction, &latest)?;
                checked = latest.lsn;
                continue;
            }
            return self.order_commit(order, &transaction, &mut effects, bodies, ticket);
        }
    }

    fn order_commit(
        self: &Arc<Self>,
        mut order: parking_lot::MutexGuard<'_, Order>,
        transaction: &Transaction,
        effects: &mut Recent,
        bodies: Bodies,
        ticket: Ticket,
    ) -> Result<Ticket> {
        let base = transaction.base().lsn;
        let lsn = Lsn(order.latest.lsn.0 + 1);
        let ops: Vec<Op> = transaction.ops().iter().map(|op| resolve(op, transaction, &order, base)).collect();
        let mut next = order.latest.clone();
        let segments = RefCell::new(Vec::new());
        for op in &ops {
            let touched = next.apply(op, &|meta| {
                let segment = self.files.open(meta);
                segments.borrow_mut().push(segment.clone());
                Ok(segment)
            })?;
            for (table, times) in touched {
                let all = effects.touched.entry(table).or_default();
                *all = all.union(&times);
            }
        }
        segments.into_inner().iter().for_each(|segment| self.files.publish(segment, lsn));
        next.lsn = lsn;
        effects.lsn = lsn;
        let (before, after) = (order.latest.buffer_bytes(), next.buffer_bytes());
        self.buffered.fetch_add(after, Ordering::Relaxed);
        self.buffered.fetch_sub(before, Ordering::Relaxed);
        order.latest = next.clone();
        order.recent.push_back(std::mem::take(effects));
        let oldest = {
            // A snapshot that begins now is of the durable version, which may be older than this commit.
            let open = self.open.lock();
            let durable = self.published.version().lsn;
            open.keys().next().map_or(durable, |first| durable.min(*first))
        };
        while order.recent.front().is_some_and(|r| r.lsn <= oldest) {
            order.recent.pop_front();
        }
        // Queue under the lock, so that the log has the commits' order.
        let (generation, synchronous) = (order.generation, transaction.is_synchronous());
        let ticket_of_log = ticket.clone();
        self.log.submit(Commit { lsn, ops, bodies, version: next, generation, synchronous, ticket: ticket_of_log });
        drop(order);
        self.maintenance.consider(self);
        Ok(ticket)
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    pub(crate) fn files(&self) -> &Arc<SegmentFiles> {
        &self.files
    }

    pub(crate) fn published(&self) -> &Published {
        &self.published
    }

    /// Bytes of rows that are not in a segment.
    pub(crate) fn buffered(&self) -> usize {
        self.buffered.load(Ordering::Relaxed)
    }

    /// Numbers above all that were handed out.
    pub(crate) fn counters(&self) -> Counters {
        Counters {
            row_id: self.next_row_id.load(Ordering::Relaxed),
            segment: self.files.next_id(),
            oid: self.next_oid.load(Ordering::Relaxed),
            job: self.next_job.load(Ordering::Relaxed),
        }
    }

    /// Changes how rows are kept, in the latest and in the published version at once.
    pub(crate) fn install(&self, install: &Arc<Install>) {
        let mut order = self.order.lock();
        let before = order.latest.buffer_bytes();
        install.apply(&mut order.latest);
        order.generation = self.published.install(install, order.latest.lsn);
        self.buffered.fetch_add(order.latest.buffer_bytes(), Ordering::Relaxed);
        self.buffered.fetch_sub(before, Ordering::Relaxed);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.log.stop();
        self.maintenance.stop();
        self.release();
        if let Some(error) = self.log.failure() {
            warn!(%error, "the store was left read-only");
        }
    }
}

/// Fills in what was touched by commits that the states of a settled range were not computed from.
fn resolve(op: &Op, transaction: &Transaction, order: &Order, base: Lsn) -> Op {
    let Op::Settle { cagg, ranges, at, .. } = op else { return op.clone() };
    // Elsewhere it is pending since it was touched, or somebody who saw it has settled it.
    let again = touched_since(*cagg, transaction, order, base).intersect(ranges);
    Op::Settle { cagg: *cagg, ranges: ranges.clone(), again, at: *at }
}

/// What commits after `base` touched of the source of an aggregate.
fn touched_since(cagg: CaggId, transaction: &Transaction, order: &Order, base: Lsn) -> RangeSet {
    // An aggregate that the transaction itself creates is not in the latest version yet.
    let catalogs: [&Catalog; 2] = [order.latest.catalog(), transaction.version().catalog()];
    let Some(definition) = catalogs.iter().find_map(|catalog| catalog.caggs.get(&cagg)) else {
        return RangeSet::empty();
    };
    let touched = order.recent.iter().filter(|r| r.lsn > base).flat_map(|r| {
        r.touched.iter().filter_map(|(table, touched)| match definition {
            d if d.is_over(*table) => Some(touched.clone()),
            d if d.joined.contains(table) => Some(RangeSet::all()),
            _ => None,
        })
    });
    let touched = touched.fold(RangeSet::empty(), |all, touched| all.union(&touched));
    let is_new = !order.latest.catalog().caggs.contains_key(&cagg);
    match transaction.version().catalog().parent(definition).filter(|p| is_new && !p.materialized_only) {
        // While there was nothing over it, nobody said what of the parent changed.
        Some(parent) => {
            let below = touched_since(parent.id, transaction, order, base);
            touched.union(&parent.rows_of(&below))
        }
        None => touched,
    }
}

/// What a transaction does, in the terms in which transactions conflict.
fn effects_of(transaction: &Transaction) -> Recent {
    let mut effects = Recent::default();
    for op in transaction.ops() {
        match op {
            Op::Catalog(change) => {
                effects.changed.extend(transaction.base().catalog().keys(change));
                effects.changed.extend(transaction.version().catalog().keys(change));
                if let CatalogChange::PutCagg(cagg) = change
                    && !transaction.base().catalog().caggs.contains_key(&cagg.id)
                {
                    effects.sources.extend(cagg.sources());
                    effects.sources.extend(&cagg.joined);
                    effects.ancestors.extend(transaction.version().catalog().ancestors(cagg).iter().map(|c| c.id));
                }
            }
            Op::Insert { table, .. } | Op::AddSegment { table, .. } => {
                effects.inserted.insert(*table);
            }
            Op::Delete { table, ids, .. } => effects.deleted.entry(*table).or_default().push(ids.clone()),
            Op::Truncate { table } => {
                effects.truncated.insert(*table);
            }
            Op::DropChunks { table, .. } => {
                effects.changed.insert(ObjectKey::Table(*table));
            }
            Op::Settle { cagg, ranges, .. } => effects.settled.push((*cagg, ranges.clone())),
            Op::Freeze { cagg, .. } => {
                effects.changed.insert(ObjectKey::Cagg(*cagg));
            }
            // Two that compress one chunk do the same, and its rows are nobody's concern.
            Op::Dirty { .. } | Op::Compress { .. } => {}
        }
    }
    for keys in transaction.keys() {
        let key = (keys.table, keys.index.clone());
        effects.keys.entry(key).or_default().push(keys.hashes.clone());
    }
    effects
}

/// Whether `mine` may not follow `theirs`, which it has not seen.
fn conflicts(mine: &Recent, theirs: &Recent) -> bool {
    let same_rows = mine.deleted.iter().any(|(table, ids)| {
        let others = theirs.deleted.get(table).into_iter().flatten();
        theirs.truncated.contains(table) || others.clone().any(|other| ids.iter().any(|mine| !mine.is_disjoint(other)))
    });
    let writes = |r: &Recent, table: &TableId| r.inserted.contains(table) || r.deleted.contains_key(table);
    let truncated = mine.truncated.iter().any(|table| theirs.truncated.contains(table) || writes(theirs, table));
    let uses =
        |r: &Recent, table: &TableId| writes(r, table) || r.truncated.contains(table) || r.sources.contains(table);
    let redefined =
        |a: &Recent, b: &Recent| a.changed.iter().any(|key| matches!(key, ObjectKey::Table(id) if uses(b, id)));
    let settled = mine.settled.iter().any(|(cagg, ranges)| {
        let again = theirs.settled.iter().any(|(other, done)| other == cagg && !done.intersect(ranges).is_empty());
        again || theirs.changed.contains(&ObjectKey::Cagg(*cagg))
    });
    let below = |a: &Recent, b: &Recent| {
        a.changed.iter().any(|key| matches!(key, ObjectKey::Cagg(id) if b.ancestors.contains(id)))
    };
    let redefined = redefined(mine, theirs) || redefined(theirs, mine) || below(mine, theirs) || below(theirs, mine);
    let objects = !mine.changed.is_disjoint(&theirs.changed);
    same_rows || truncated || redefined || settled || objects
}

fn keys_meet(mine: &Recent, theirs: &Recent) -> bool {
    mine.keys.iter().any(|(index, mine)| {
        let theirs = theirs.keys.get(index).into_iter().flatten();
        theirs.into_iter().any(|theirs| mine.iter().any(|mine| meet(mine, theirs)))
    })
}

/// Compares the keys a transaction adds with the rows of a newer version.
fn check_unique(transaction: &Transaction, latest: &Version) -> Result<()> {
    for op in transaction.ops() {
        let (Op::Insert { table, .. } | Op::AddSegment { table, .. }) = op else { continue };
        let truncates = |op: &Op| matches!(op, Op::Truncate { table: t } if t == table);
        // Who empties a table meets nobody's rows, and those it added before are gone too.
        if transaction.ops().iter().any(truncates) {
            continue;
        }
        let Some(definition) = latest.catalog().tables.get(table) else { continue };
        let mut mine = RowIds::new();
        for op in transaction.ops() {
            if let Op::Delete { table: t, ids, .. } = op
                && t == table
            {
                mine |= &**ids;
            }
        }
        let mut data = (*latest.table(*table)).clone();
        *Arc::make_mut(&mut data.deleted) |= &mine;
        for index in definition.unique_keys() {
            let Some(key) = index.column_ids() else { continue };
            for (batch, ids) in keys_of(op, &key, transaction)? {
                let existing = unique::find_existing(&data, definition, &key, &batch)?;
                let taken = |row: &usize| existing[*row].is_some() && !mine.contains(ids.value(*row));
                if let Some(row) = (0..batch.num_rows()).find(taken) {
                    return Err(unique::duplicate(definition, index, &key, &batch, row));
                }
            }
        }
    }
    Ok(())
}

/// The rows that an op adds, with at least the columns of a key, and their ids.
fn keys_of(op: &Op, key: &[ColumnId], transaction: &Transaction) -> Result<Vec<(RecordBatch, UInt64Array)>> {
    Ok(match op {
        Op::Insert { rows, .. } => vec![(rows.batch.clone(), rows.ids.array())],
        Op::AddSegment { table, segment, .. } => {
            let batches = transaction.segment(*table, segment.id).map_or(Ok(Vec::new()), |s| s.keys(key))?;
            let with_ids = |batch: RecordBatch| {
                let ids = batch.columns().last().expect("ids come last").as_primitive::<UInt64Type>().clone();
                (batch, ids)
            };
            batches.into_iter().map(with_ids).collect()
        }
        _ => Vec::new(),
    })
}
