//! The store: where transactions begin, are ordered and become durable.
//!
//! ```text
//! commit      lock ─ validate against commits since the snapshot ─ apply to latest ─ queue ─ unlock
//! log         take the queue, write, fdatasync, publish the version, tell who waits
//! snapshot    the newest version that is durable
//! ```
//!
//! The commit lock orders and does no work: nothing is encoded, written or searched under it.

use crate::op::Op;
use crate::rows::{RowIds, Rows, key_hashes};
use crate::segment::{Segment, SegmentMeta};
use crate::transaction::Transaction;
use crate::unique;
use crate::version::Version;
use crate::{Error, Result};
use arrow::array::RecordBatch;
use highwater_model::{CaggId, Catalog, Lsn, ObjectKey, RangeSet, Table, TableId};
use parking_lot::{Condvar, Mutex, RwLock};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

/// How a store behaves.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {}

/// A database on disk.
#[derive(Debug)]
pub struct Store {
    order: Mutex<Order>,
    durable: RwLock<Arc<Version>>,
    open: Mutex<BTreeMap<Lsn, usize>>,
    next_row_id: AtomicU64,
    next_oid: AtomicU32,
    next_job: AtomicI32,
}

/// What the commit lock protects.
#[derive(Debug)]
struct Order {
    latest: Version,
    recent: VecDeque<Recent>,
}

/// What a commit did, remembered while a transaction older than it is open.
#[derive(Debug, Default)]
struct Recent {
    lsn: Lsn,
    touched: HashMap<TableId, RangeSet>,
    deleted: HashMap<TableId, Vec<Arc<RowIds>>>,
    truncated: HashSet<TableId>,
    inserted: HashSet<TableId>,
    keys: HashMap<(TableId, String), HashSet<u64>>,
    changed: HashSet<ObjectKey>,
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

/// Told when a commit is durable.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<TicketState>);

type Waker = Box<dyn FnOnce(Result<()>) + Send>;

#[derive(Default)]
struct TicketState {
    done: Mutex<(Option<Result<()>>, Vec<Waker>)>,
    ready: Condvar,
}

impl std::fmt::Debug for TicketState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketState").field("done", &self.done.lock().0).finish_non_exhaustive()
    }
}

impl Ticket {
    fn new() -> Self {
        Ticket(Arc::default())
    }

    /// Blocks until the commit is durable.
    ///
    /// # Errors
    /// When it could not be made durable. It is then unknown until the next start whether it is.
    pub fn wait(&self) -> Result<()> {
        let mut done = self.0.done.lock();
        loop {
            if let Some(result) = &done.0 {
                return result.clone();
            }
            self.0.ready.wait(&mut done);
        }
    }

    /// Calls `then` when the commit is durable or has failed; at once if that is known.
    pub fn on_done(&self, then: impl FnOnce(Result<()>) + Send + 'static) {
        let mut done = self.0.done.lock();
        match done.0.clone() {
            Some(result) => {
                drop(done);
                then(result);
            }
            None => done.1.push(Box::new(then)),
        }
    }

    fn complete(&self, result: Result<()>) {
        let wakers = {
            let mut done = self.0.done.lock();
            done.0 = Some(result.clone());
            std::mem::take(&mut done.1)
        };
        self.0.ready.notify_all();
        for waker in wakers {
            waker(result.clone());
        }
    }
}

impl Store {
    /// An empty store that is kept nowhere.
    pub fn in_memory() -> Arc<Store> {
        let version = Version::new();
        Arc::new(Store {
            durable: RwLock::new(Arc::new(version.clone())),
            next_row_id: AtomicU64::new(1),
            next_oid: AtomicU32::new(version.catalog().next_oid),
            next_job: AtomicI32::new(version.catalog().next_job),
            order: Mutex::new(Order { latest: version, recent: VecDeque::new() }),
            open: Mutex::default(),
        })
    }

    /// The newest durable version.
    pub fn snapshot(self: &Arc<Self>) -> Snapshot {
        // Take the lock on open snapshots first: a commit that prunes what is recent then either sees
        // this snapshot or is older than it.
        let mut open = self.open.lock();
        let version = self.durable.read().clone();
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

    /// Writes rows to synced segments that nobody sees until a commit adds them: one per chunk, with
    /// the times each touches.
    pub(crate) fn write_segments(
        &self,
        _table: &Arc<Table>,
        _first_id: u64,
        _batch: &RecordBatch,
        _version: &Version,
    ) -> Result<Vec<(SegmentMeta, RangeSet)>> {
        unimplemented!()
    }

    /// Opens a segment that an op or the manifest names.
    pub(crate) fn open_segment(&self, _meta: &SegmentMeta) -> Result<Arc<Segment>> {
        unimplemented!()
    }

    /// Orders a transaction after every other and returns a ticket that is ready when it is durable.
    ///
    /// # Errors
    /// * [`Error::Conflict`] – a commit since the transaction's snapshot changed a row it changes, an
    ///   object it changes or writes to, or a bucket it replaces. Try again from a new snapshot.
    /// * [`Error::Duplicate`] – a commit since then added a key that it adds too.
    pub fn commit(self: &Arc<Self>, transaction: Transaction) -> Result<Ticket> {
        let ticket = Ticket::new();
        if transaction.is_read_only() {
            ticket.complete(Ok(()));
            return Ok(ticket);
        }
        let mut effects = effects_of(&transaction)?;
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
            return self.order_commit(order, &transaction, &mut effects, ticket);
        }
    }

    fn order_commit(
        self: &Arc<Self>,
        mut order: parking_lot::MutexGuard<'_, Order>,
        transaction: &Transaction,
        effects: &mut Recent,
        ticket: Ticket,
    ) -> Result<Ticket> {
        let base = transaction.base().lsn;
        let lsn = Lsn(order.latest.lsn.0 + 1);
        let ops: Vec<Op> = transaction.ops().iter().map(|op| resolve(op, &order, base)).collect();
        let mut next = order.latest.clone();
        for op in &ops {
            next.apply(op, &|meta| self.open_segment(meta))?;
        }
        next.lsn = lsn;
        effects.lsn = lsn;
        order.latest = next.clone();
        order.recent.push_back(std::mem::take(effects));
        let oldest = {
            // A snapshot that begins now is of the durable version, which may be older than this commit.
            let open = self.open.lock();
            let durable = self.durable.read().lsn;
            open.keys().next().map_or(durable, |first| durable.min(*first))
        };
        while order.recent.front().is_some_and(|r| r.lsn <= oldest) {
            order.recent.pop_front();
        }
        self.append(lsn, ops, next, ticket.clone());
        Ok(ticket)
    }

    /// Queues a commit for the log. Called under the commit lock, so that the log has the commits' order.
    fn append(self: &Arc<Self>, _lsn: Lsn, _ops: Vec<Op>, version: Version, ticket: Ticket) {
        *self.durable.write() = Arc::new(version);
        ticket.complete(Ok(()));
    }
}

/// Fills in what was touched by commits that the states of a settled range were not computed from.
fn resolve(op: &Op, order: &Order, base: Lsn) -> Op {
    let Op::Settle { cagg, ranges, .. } = op else { return op.clone() };
    let catalog: &Catalog = order.latest.catalog();
    let definition = catalog.caggs.get(cagg);
    let again = order.recent.iter().filter(|r| r.lsn > base).flat_map(|r| {
        r.touched.iter().filter_map(|(table, touched)| match definition {
            Some(d) if d.source == *table => Some(touched.clone()),
            Some(d) if d.joined.contains(table) => Some(RangeSet::all()),
            _ => None,
        })
    });
    let again = again.fold(RangeSet::empty(), |all, touched| all.union(&touched));
    Op::Settle { cagg: *cagg, ranges: ranges.clone(), again }
}

/// What a transaction does, in the terms in which transactions conflict.
fn effects_of(transaction: &Transaction) -> Result<Recent> {
    let mut effects = Recent::default();
    let touch = |effects: &mut Recent, table: TableId, touched: &RangeSet| {
        let all = effects.touched.entry(table).or_default();
        *all = all.union(touched);
    };
    for op in transaction.ops() {
        match op {
            Op::Catalog(change) => {
                effects.changed.extend(transaction.base().catalog().keys(change));
                effects.changed.extend(transaction.version().catalog().keys(change));
            }
            Op::Insert { table, rows, touched } => {
                effects.inserted.insert(*table);
                touch(&mut effects, *table, touched);
                add_keys(&mut effects, transaction, *table, rows)?;
            }
            Op::AddSegment { table, touched, .. } => {
                effects.inserted.insert(*table);
                touch(&mut effects, *table, touched);
            }
            Op::Delete { table, ids, touched } => {
                effects.deleted.entry(*table).or_default().push(ids.clone());
                touch(&mut effects, *table, touched);
            }
            Op::Truncate { table } => {
                effects.truncated.insert(*table);
                touch(&mut effects, *table, &RangeSet::all());
            }
            Op::DropChunks { table, .. } => {
                effects.changed.insert(ObjectKey::Table(*table));
            }
            Op::Settle { cagg, ranges, .. } => effects.settled.push((*cagg, ranges.clone())),
            Op::Freeze { cagg, .. } => {
                effects.changed.insert(ObjectKey::Cagg(*cagg));
            }
            Op::Dirty { .. } => {}
        }
    }
    Ok(effects)
}

fn add_keys(effects: &mut Recent, transaction: &Transaction, table: TableId, rows: &Rows) -> Result<()> {
    let Some(definition) = transaction.version().catalog().tables.get(&table) else { return Ok(()) };
    for index in definition.unique_keys() {
        let columns = index.column_ids().and_then(|key| unique::key_columns(&rows.batch, &key));
        if let Some(columns) = columns {
            let hashes = effects.keys.entry((table, index.name.clone())).or_default();
            hashes.extend(key_hashes(&columns)?.into_iter().flatten());
        }
    }
    Ok(())
}

/// Whether `mine` may not follow `theirs`, which it has not seen.
fn conflicts(mine: &Recent, theirs: &Recent) -> bool {
    let same_rows = mine.deleted.iter().any(|(table, ids)| {
        let others = theirs.deleted.get(table).into_iter().flatten();
        theirs.truncated.contains(table) || others.clone().any(|other| ids.iter().any(|mine| !mine.is_disjoint(other)))
    });
    let writes = |r: &Recent, table: &TableId| r.inserted.contains(table) || r.deleted.contains_key(table);
    let truncated = mine.truncated.iter().any(|table| theirs.truncated.contains(table) || writes(theirs, table));
    let redefined = |a: &Recent, b: &Recent| {
        a.changed.iter().any(|key| matches!(key, ObjectKey::Table(id) if writes(b, id) || b.truncated.contains(id)))
    };
    let settled = mine.settled.iter().any(|(cagg, ranges)| {
        let again = theirs.settled.iter().any(|(other, done)| other == cagg && !done.intersect(ranges).is_empty());
        again || theirs.changed.contains(&ObjectKey::Cagg(*cagg))
    });
    let objects = !mine.changed.is_disjoint(&theirs.changed);
    same_rows || truncated || redefined(mine, theirs) || redefined(theirs, mine) || settled || objects
}

fn keys_meet(mine: &Recent, theirs: &Recent) -> bool {
    mine.keys.iter().any(|(index, hashes)| theirs.keys.get(index).is_some_and(|other| !hashes.is_disjoint(other)))
}

/// Compares the keys a transaction adds with the rows of a newer version.
fn check_unique(transaction: &Transaction, latest: &Version) -> Result<()> {
    for op in transaction.ops() {
        let Op::Insert { table, rows, .. } = op else { continue };
        let Some(definition) = latest.catalog().tables.get(table) else { continue };
        let mut data = (*latest.table(*table)).clone();
        for op in transaction.ops() {
            if let Op::Delete { table: t, ids, .. } = op
                && t == table
            {
                *Arc::make_mut(&mut data.deleted) |= &**ids;
            }
        }
        for index in definition.unique_keys() {
            let Some(key) = index.column_ids() else { continue };
            let existing = unique::find_existing(&data, definition, &key, &rows.batch)?;
            if let Some(row) = existing.iter().position(Option::is_some) {
                return Err(unique::duplicate(definition, index, &key, &rows.batch, row));
            }
        }
    }
    Ok(())
}
