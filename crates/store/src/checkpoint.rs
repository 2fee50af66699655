//! Moving rows from the buffers to segments, and merging segments.
//!
//! ```text
//! take the published version V at L
//! per table and chunk   buffer + small segments + half-dead segments ──sort──▶ new segment, synced
//! manifest              V with the new segments, as of L, in one transaction
//! install               the same change in the latest and the published version, under the commit lock
//! log                   files wholly below L are used again
//! ```
//!
//! It changes how rows are kept and not which there are, so the log says nothing of it: a crash before the
//! manifest leaves files that nobody knows of, one after it finds the log's newer commits and applies them
//! on top. Rows are named by stable ids, so what is deleted meanwhile stays deleted wherever its row went.
//!
//! Compressing a chunk, and undoing that, is such a checkpoint too: it writes all segments of the chunk anew. Later
//! rows of the chunk go to ordinary segments beside the compressed ones, which are left alone until somebody
//! compresses the chunk again.

use crate::manifest::Manifest;
use crate::rows::{RowIds, Rows};
use crate::segment::{self, Form, NewRows, Segment, SegmentFiles, SegmentId};
use crate::store::Store;
use crate::version::{Scan, TableData, Version};
use crate::{Error, Result};
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use highwater_model::hypertable::chunk_of;
use highwater_model::{Lsn, Table, TableId, TimeRange};
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{error, info, warn};

/// A checkpoint that failed is not tried again at once.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Segments are merged as long as their rows fit in this much memory.
const MERGE_BYTES: u64 = 256 << 20;

/// Bytes of memory that a value is taken to need.
const VALUE_BYTES: u64 = 10;

/// Smaller segments count as this large: each costs a file.
const SMALL_BYTES: u64 = 1 << 20;

/// How well columns compress, roughly; to compare a buffer with segments.
const COMPRESSION: u64 = 4;

/// The thread that writes checkpoints, and who waits for it.
#[derive(Debug)]
pub struct Maintenance {
    state: Mutex<State>,
    changed: Condvar,
    checkpointer: Mutex<Checkpointer>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct State {
    requested: bool,
    stopping: bool,
    released: bool,
    finished: u64,
    failure: Option<Error>,
}

impl Maintenance {
    /// Ready to start.
    pub fn new(checkpointer: Checkpointer) -> Self {
        Maintenance {
            state: Mutex::default(),
            changed: Condvar::new(),
            checkpointer: Mutex::new(checkpointer),
            thread: Mutex::default(),
        }
    }

    /// Starts the thread. It does not keep the store alive.
    pub fn start(self: &Arc<Self>, store: &Arc<Store>) -> Result<()> {
        let (this, store) = (self.clone(), Arc::downgrade(store));
        let run = move || {
            while this.wait_for_request() {
                let Some(store) = store.upgrade() else { return };
                let run = std::panic::AssertUnwindSafe(|| this.checkpoint(&store));
                let result = std::panic::catch_unwind(run);
                let result = result.unwrap_or_else(|_| Err(Error::Format("a checkpoint panicked".to_owned())));
                if let Err(error) = &result {
                    warn!(%error, "a checkpoint failed; rows stay in memory and in the log");
                }
                this.finish(result.err());
            }
        };
        let thread = std::thread::Builder::new().name("highwater-checkpoint".to_owned()).spawn(run);
        *self.thread.lock() = Some(thread.map_err(Error::io("start", "the thread of checkpoints"))?);
        Ok(())
    }

    /// Asks for a checkpoint when it is time for one.
    pub fn consider(&self, store: &Store) {
        let options = store.options();
        if store.buffered() > options.buffer_bytes / 2 || store.log().bytes() > options.checkpoint_wal_bytes {
            self.request();
        }
    }

    /// Blocks while there are more buffered rows than there may be.
    ///
    /// # Errors
    /// The error of the checkpoint that should have made room.
    pub fn wait_for_room(&self, store: &Store) -> Result<()> {
        if store.has_room() {
            return Ok(());
        }
        let mut state = self.state.lock();
        while !store.has_room() {
            let finished = state.finished;
            state.requested = true;
            self.changed.notify_all();
            while state.finished == finished && !state.stopping {
                self.changed.wait(&mut state);
            }
            match &state.failure {
                _ if state.stopping => return Err(Error::Closed),
                Some(error) => return Err(error.clone()),
                None => {}
            }
        }
        Ok(())
    }

    /// Writes a checkpoint now.
    pub fn checkpoint(&self, store: &Store) -> Result<()> {
        self.checkpointer.lock().run(store, None)
    }

    /// Writes a chunk anew.
    pub fn rewrite_chunk(&self, store: &Store, rewriting: Rewriting) -> Result<()> {
        let mut checkpointer = self.checkpointer.lock();
        // Segments that reach into several chunks are cut first, so that all of the chunk's rows are its own.
        checkpointer.run(store, None)?;
        checkpointer.run(store, Some(rewriting))
    }

    /// Ends the thread, after the checkpoint it is in.
    pub fn stop(&self) {
        self.state.lock().stopping = true;
        self.changed.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id())
            && thread.join().is_err()
        {
            error!("the thread of checkpoints panicked");
        }
    }

    /// Closes the manifest, so that nothing is written to it once the directory is given back. Says
    /// whether this is the first time.
    pub fn release(&self) -> bool {
        let is_first = !std::mem::replace(&mut self.state.lock().released, true);
        self.checkpointer.lock().manifest = None;
        is_first
    }

    fn request(&self) {
        let mut state = self.state.lock();
        if !state.requested {
            state.requested = true;
            self.changed.notify_all();
        }
    }

    fn wait_for_request(&self) -> bool {
        let mut state = self.state.lock();
        if state.failure.is_some() && !state.stopping {
            self.changed.wait_for(&mut state, RETRY_AFTER);
        }
        while !state.requested && !state.stopping {
            self.changed.wait(&mut state);
        }
        state.requested = false;
        !state.stopping
    }

    fn finish(&self, failure: Option<Error>) {
        let mut state = self.state.lock();
        state.failure = failure;
        state.finished += 1;
        self.changed.notify_all();
    }
}

/// A chunk that is to be written anew.
#[derive(Clone, Copy, Debug)]
pub struct Rewriting {
    /// The table.
    pub table: TableId,
    /// The range of the chunk; when it was dropped, nothing is.
    pub chunk: TimeRange,
    /// Whether to be small.
    pub compressed: bool,
}

/// Writes checkpoints, one after the other.
#[derive(Debug)]
pub struct Checkpointer {
    /// `None` once the store is closed: the manifest's file is written to even when it is let go of.
    manifest: Option<Manifest>,
    /// What the manifest is as of, if this process wrote it.
    written: Option<Lsn>,
}

impl Checkpointer {
    /// Continues with `manifest`.
    pub fn new(manifest: Manifest) -> Self {
        Checkpointer { manifest: Some(manifest), written: None }
    }

    fn run(&mut self, store: &Store, rewriting: Option<Rewriting>) -> Result<()> {
        if let Some(error) = store.log().failure() {
            return Err(error);
        }
        let manifest = self.manifest.as_ref().ok_or(Error::Closed)?;
        let (version, files) = (store.published().version(), store.files());
        let mut install = Install::default();
        for (id, data) in version.tables() {
            let Some(table) = version.catalog().tables.get(id) else { continue };
            let rewriting = rewriting.filter(|r| r.table == *id);
            let is_there = |chunk: TimeRange| data.chunks.get(&chunk.start).is_some_and(|there| there.range == chunk);
            let chunk = rewriting.filter(|r| is_there(r.chunk)).map(|r| (r.chunk.start, r.compressed));
            if let Some(change) = rewrite(files, table, data, chunk)? {
                install.tables.insert(*id, change);
            }
        }
        if install.tables.is_empty() && self.written == Some(version.lsn) {
            return Ok(());
        }
        let added: Vec<Arc<Segment>> = install.tables.values().flat_map(|t| t.added.iter().cloned()).collect();
        if !added.is_empty() {
            segment::sync_names(files)?;
        }
        // From here on the manifest may name the new files, even if writing it reports an error.
        added.iter().for_each(|segment| files.publish(segment, version.lsn));
        let mut after = Version::clone(&version);
        install.apply(&mut after);
        if let Err(error) = manifest.store(&after, store.counters()) {
            store.log().fail(&error);
            return Err(error);
        }
        self.written = Some(version.lsn);
        store.install(&Arc::new(install));
        let named = after.tables().values().flat_map(|t| t.segments.iter()).map(|s| s.meta.id).collect();
        files.keep_only(&named, version.lsn);
        info!(lsn = %version.lsn, segments = added.len(), "wrote a checkpoint");
        store.log().recycle(version.lsn)
    }
}

/// Writes the buffered rows of a table to segments, together with segments that are to be merged. `None`
/// when there is nothing to do.
///
/// * `whole` – the start of a chunk that is to be written anew, and whether to be small.
fn rewrite(
    files: &SegmentFiles,
    table: &Arc<Table>,
    data: &TableData,
    whole: Option<(i64, bool)>,
) -> Result<Option<TableInstall>> {
    let chunk_start = |t: i64| chunk_of(&data.chunks, t).map_or(i64::MIN, |chunk| chunk.range.start);
    let mut groups: BTreeMap<i64, Group> = BTreeMap::new();
    let buffered = TableData { buffer: data.buffer.clone(), deleted: data.deleted.clone(), ..TableData::default() };
    if let Some(rows) = read(table, &buffered)? {
        for (start, rows) in segment::cut_by_chunk(table, &data.chunks, rows)? {
            groups.entry(start).or_default().fresh = Some(rows);
        }
    }
    for segment in data.segments.iter() {
        let (first, last) = segment.meta.times.map_or((i64::MIN, i64::MIN), |(a, b)| (chunk_start(a), chunk_start(b)));
        let is_dying = is_dying(segment, &data.deleted)?;
        let candidate = Candidate { segment: segment.clone(), is_dying, is_cut: first != last };
        groups.entry(first).or_default().segments.push(candidate);
    }
    let mut change = TableInstall {
        epoch: data.epoch,
        replaced: HashSet::new(),
        added: Vec::new(),
        flushed: RowIds::new(),
        gone: RowIds::new(),
    };
    data.buffer.iter().for_each(|rows| rows.ids.add_to(&mut change.flushed));
    change.gone = &change.flushed & &*data.deleted;
    for (start, mut group) in groups {
        let whole = whole.filter(|(chunk, _)| *chunk == start);
        let merges = match whole {
            Some((_, compressed)) => group.whole(compressed, &data.deleted),
            None => group.merges(),
        };
        for Merge { picked, form } in merges {
            for segment in &picked {
                change.replaced.insert(segment.meta.id);
                change.gone |= dead_ids(segment, &data.deleted)?;
            }
            let segments = Arc::new(picked);
            let old = TableData { segments, deleted: data.deleted.clone(), ..TableData::default() };
            let fresh = group.fresh.take();
            let rows: Vec<NewRows> = read(table, &old)?.into_iter().chain(fresh).collect();
            if rows.is_empty() {
                continue;
            }
            for rows in segment::cut_by_chunk(table, &data.chunks, NewRows::concat(&rows)?)?.into_values() {
                let meta = segment::write_segment(files, table, rows, form)?;
                change.added.push(files.open(&meta));
            }
        }
    }
    let nothing = change.flushed.is_empty() && change.replaced.is_empty();
    Ok((!nothing).then_some(change))
}

/// What a chunk consists of.
#[derive(Default)]
struct Group {
    /// Rows from the buffer.
    fresh: Option<NewRows>,
    /// Its segments.
    segments: Vec<Candidate>,
}

/// A segment that may be written anew.
struct Candidate {
    segment: Arc<Segment>,
    /// Whether many of its rows are deleted.
    is_dying: bool,
    /// Whether its rows lie in several chunks: it was written when the table was cut otherwise.
    is_cut: bool,
}

/// Segments that are written as one.
struct Merge {
    picked: Vec<Arc<Segment>>,
    form: Form,
}

impl Candidate {
    /// Bytes of memory that its rows are taken to need.
    fn needs(&self) -> u64 {
        let meta = &self.segment.meta;
        meta.row_count * (meta.columns.len() as u64 + 1) * VALUE_BYTES
    }
}

impl Group {
    /// What to write, the rows from the buffer with the first: compressed segments by themselves, when many of their
    /// rows are deleted, and of the others those that [`Group::pick`] chooses.
    fn merges(&self) -> Vec<Merge> {
        let segments = |picked: Vec<&Candidate>| picked.into_iter().map(|c| c.segment.clone()).collect();
        let (small, ordinary): (Vec<_>, Vec<_>) = self.segments.iter().partition(|c| c.segment.meta.compressed);
        let first = Merge { picked: segments(self.pick(ordinary)), form: Form::Ordinary };
        let dying = small.into_iter().filter(|c| c.is_dying || c.is_cut);
        let dying = dying.map(|c| Merge { picked: segments(vec![c]), form: Form::Compressed });
        std::iter::once(first).chain(dying).collect()
    }

    /// All of it, in as few segments as fit into memory while they are written. Nothing when it is that already.
    fn whole(&self, compressed: bool, deleted: &RowIds) -> Vec<Merge> {
        let form = if compressed { Form::Compressed } else { Form::Ordinary };
        let is_done = |c: &Candidate| {
            let (first, last) = c.segment.meta.ids;
            c.segment.meta.compressed == compressed && deleted.range_cardinality(first..=last) == 0
        };
        if self.fresh.is_none() && self.segments.iter().all(is_done) {
            return Vec::new();
        }
        let mut memory = self.fresh_bytes();
        let mut merges = vec![Merge { picked: Vec::new(), form }];
        for candidate in &self.segments {
            if memory > 0 && memory + candidate.needs() > MERGE_BYTES {
                memory = 0;
                merges.push(Merge { picked: Vec::new(), form });
            }
            memory += candidate.needs();
            merges.last_mut().expect("there is one").picked.push(candidate.segment.clone());
        }
        merges
    }

    fn fresh_bytes(&self) -> u64 {
        self.fresh.as_ref().map_or(0, |rows| rows.batch.get_array_memory_size() as u64)
    }

    /// The segments to write anew: those with many deleted rows, and those that are no larger than what
    /// would be merged anyway. Sizes then double from one to the next, like the digits of a binary
    /// counter, and each row is rewritten only as often as there are digits.
    ///
    /// ```text
    /// buffer 1   segments 1 2 8      1 ≤ 1, 2 ≤ 2, 8 > 4: write 1 1 2 as one, keep 8
    /// ```
    fn pick<'a>(&self, mut candidates: Vec<&'a Candidate>) -> Vec<&'a Candidate> {
        candidates.sort_by_key(|c| c.segment.meta.bytes);
        let fresh = self.fresh_bytes();
        let size = |bytes: u64| bytes.max(SMALL_BYTES);
        let mut bytes = if fresh > 0 { size(fresh / COMPRESSION) } else { 0 };
        let mut memory = fresh;
        let mut picked = Vec::new();
        let mut merging = true;
        for (i, candidate) in candidates.iter().enumerate() {
            let meta = &candidate.segment.meta;
            let needs = candidate.needs();
            // The smallest segment begins a merge if the second one joins it.
            let next = candidates.get(i + 1).map(|c| size(c.segment.meta.bytes));
            let is_first = bytes == 0 && next.is_some_and(|next| next <= size(meta.bytes));
            merging = merging && memory + needs <= MERGE_BYTES && (size(meta.bytes) <= bytes || is_first);
            if merging || candidate.is_dying || candidate.is_cut {
                picked.push(*candidate);
                bytes += size(meta.bytes);
                memory += needs;
            }
        }
        picked
    }
}

/// Whether more than a fifth of a segment's rows are deleted.
fn is_dying(segment: &Segment, deleted: &RowIds) -> Result<bool> {
    let (first, last) = segment.meta.ids;
    let worth = segment.meta.row_count / 5;
    // Ids of other segments may lie in between, so this many at most.
    Ok(deleted.range_cardinality(first..=last) > worth && dead_ids(segment, deleted)?.len() > worth)
}

/// The ids of the deleted rows that a segment has.
fn dead_ids(segment: &Segment, deleted: &RowIds) -> Result<RowIds> {
    let mut dead = RowIds::new();
    if deleted.range_cardinality(segment.meta.ids.0..=segment.meta.ids.1) == 0 {
        return Ok(dead);
    }
    let scan = Scan::default();
    for part in segment.parts(&scan) {
        for batch in segment.read(part, &scan, true, &RowIds::new())? {
            let ids = batch.columns().last().expect("ids come last").as_primitive::<UInt64Type>();
            dead.extend(ids.values().iter().copied().filter(|id| deleted.contains(*id)));
        }
    }
    Ok(dead)
}

/// All live rows, with the present columns of the table.
fn read(table: &Arc<Table>, data: &TableData) -> Result<Option<NewRows>> {
    let columns = table.columns.iter().map(|c| c.id).collect();
    let mut all = Vec::new();
    for unit in data.scan(table, Scan { columns, row_ids: true, ..Scan::default() }) {
        for batch in unit.read()?.into_iter().filter(|batch| batch.num_rows() > 0) {
            let shown: Vec<usize> = (0..batch.num_columns() - 1).collect();
            let ids = batch.column(shown.len()).as_primitive::<UInt64Type>().clone();
            all.push(NewRows { batch: batch.project(&shown)?, ids });
        }
    }
    Ok(if all.is_empty() { None } else { Some(NewRows::concat(&all)?) })
}

/// How a checkpoint changes the way rows are kept.
#[derive(Debug, Default)]
pub struct Install {
    tables: BTreeMap<TableId, TableInstall>,
}

/// The same for one table.
#[derive(Debug)]
struct TableInstall {
    /// The table's epoch when it was read. Truncating it begins another, in which nothing of this holds.
    epoch: u64,
    /// Segments that are replaced.
    replaced: HashSet<SegmentId>,
    /// Segments that hold their rows now, and those of the buffer.
    added: Vec<Arc<Segment>>,
    /// Ids of the rows that left the buffer.
    flushed: RowIds,
    /// Ids of deleted rows that are not in `added`.
    gone: RowIds,
}

impl Install {
    /// Changes a version that has the rows the checkpoint read, and maybe newer ones.
    pub fn apply(&self, version: &mut Version) {
        for (id, table) in &self.tables {
            if let Some(data) = version.tables_mut().get_mut(id).filter(|data| data.epoch == table.epoch) {
                table.apply(Arc::make_mut(data));
            }
        }
    }
}

impl TableInstall {
    /// ```text
    /// buffer when read   [1..100) [100..200)
    /// buffer now         [1..100) [100..........250) [250..300)      joined with newer rows, or gone
    /// buffer after                          [200..250) [250..300)
    /// ```
    fn apply(&self, data: &mut TableData) {
        let segments = Arc::make_mut(&mut data.segments);
        segments.retain(|s| !self.replaced.contains(&s.meta.id));
        segments.extend(self.added.iter().cloned());
        // Rows that were read but are no longer in the buffer were deleted since, and forgotten together
        // with their ids. Now that a segment has them, their ids have to be remembered.
        let mut forgotten = self.flushed.clone();
        let mut kept: Vec<Arc<Rows>> = Vec::new();
        for rows in &data.buffer {
            let moved = rows.ids.within(&self.flushed);
            match moved.is_empty() {
                true => kept.push(rows.clone()),
                false => kept.extend(rows.without(&moved).map(Arc::new)),
            }
            forgotten -= moved;
        }
        data.buffer = kept;
        if !forgotten.is_empty() || !self.gone.is_empty() {
            let deleted = Arc::make_mut(&mut data.deleted);
            *deleted |= forgotten;
            *deleted -= &self.gone;
        }
    }
}
