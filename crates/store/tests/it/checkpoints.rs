//! Checkpoints change how rows are kept and not which there are.

use crate::shadow::{Shadow, Step, TIME, hypertable, rows, rows_of, run, run_in};
use highwater_model::{CatalogChange, TableId};
use highwater_store::disk::{DiskFile, Faulty, Memory};
use highwater_store::{Disk, ManualClock, Result, Store, StoreOptions, SystemClock};
use std::io;
use std::sync::{Arc, Mutex};

/// A disk that does something in the middle of a checkpoint: before it makes its first segment.
#[derive(Default)]
struct Interrupted {
    memory: Memory,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl std::fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.memory.fmt(f)
    }
}

impl Disk for Interrupted {
    fn lock(&self) -> Result<()> {
        self.memory.lock()
    }
    fn unlock(&self) {
        self.memory.unlock()
    }
    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.memory.create_dir(path)
    }
    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64)>> {
        self.memory.list(dir)
    }
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.memory.open(path)
    }
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let then = if path.starts_with("segments/") { self.then.lock().unwrap().take() } else { None };
        then.into_iter().for_each(|then| then());
        self.memory.create(path)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.memory.rename(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.memory.remove(path)
    }
    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.memory.sync_dir(dir)
    }
}

fn open(disk: &Arc<Interrupted>) -> Arc<Store> {
    let options = StoreOptions { wal_file_bytes: 64 << 10, ..StoreOptions::default() };
    Store::open(disk.clone(), Arc::new(SystemClock), options).unwrap()
}

fn interrupt(before: &[Step], during: &[Step]) {
    interrupt_in(&Step::Checkpoint, before, during);
}

/// Plays `before`, then a step with `during` in the middle of it, then looks, checkpoints and opens again.
fn interrupt_in(step: &Step, before: &[Step], during: &[Step]) {
    let (disk, mut shadow) = (Arc::new(Interrupted::default()), Shadow::default());
    let store = open(&disk);
    for step in before {
        assert_eq!(run(&store, step).unwrap(), shadow.step(step));
    }
    let (inside, steps) = (store.clone(), during.to_vec());
    *disk.then.lock().unwrap() = Some(Box::new(move || {
        steps.iter().for_each(|step| assert!(run(&inside, step).unwrap()));
    }));
    during.iter().for_each(|step| assert!(shadow.step(step)));
    shadow.step(step);
    run(&store, step).unwrap();
    assert!(disk.then.lock().unwrap().is_none(), "the step was interrupted");
    assert_eq!(shadow.differs(&store.snapshot()), None);
    drop(store);
    let store = open(&disk);
    assert_eq!(shadow.differs(&store.snapshot()), None, "opened again");
    store.checkpoint().unwrap();
    assert_eq!(shadow.differs(&store.snapshot()), None, "after another checkpoint");
    store.close().unwrap();
    assert_eq!(shadow.differs(&open(&disk).snapshot()), None, "closed and opened again");
}

#[test]
fn what_is_deleted_while_it_moves_stays_deleted() {
    let before = [Step::Create(1, true), Step::Insert(1, rows(0, 20, 10)), Step::Insert(1, rows(500, 20, 10))];
    interrupt(&before, &[Step::Delete(1, 0, 50)]);
    interrupt(&before, &[Step::Delete(1, 0, 400)]);
    interrupt(&before, &[Step::Delete(1, 0, 1000)]);
    interrupt(&before, &[Step::Delete(1, 0, 1000), Step::Insert(1, rows(0, 20, 10))]);
}

#[test]
fn what_is_added_while_others_move_stays_in_the_buffer() {
    let before = [Step::Create(1, false), Step::Insert(1, rows(0, 20, 10)), Step::Delete(1, 0, 30)];
    interrupt(&before, &[Step::Insert(1, rows(200, 20, 10)), Step::Insert(1, rows(600, 3, 1))]);
    interrupt(&before, &[Step::Update(1, 50, 90, 7), Step::Insert(1, rows(200, 20, 10)), Step::Delete(1, 40, 250)]);
}

#[test]
fn a_table_truncated_or_dropped_meanwhile_stays_so() {
    let before = [Step::Create(1, false), Step::Insert(1, rows(0, 20, 10))];
    interrupt(&before, &[Step::Truncate(1)]);
    interrupt(&before, &[Step::Truncate(1), Step::Insert(1, rows(0, 20, 10))]);
    interrupt(&before, &[Step::Drop(1)]);
    interrupt(&before, &[Step::Drop(1), Step::Create(2, true), Step::Insert(2, rows(0, 20, 10))]);
}

#[test]
fn segments_that_are_merged_lose_nothing_meanwhile() {
    let mut before = vec![Step::Create(1, true)];
    for i in 0..3 {
        before.extend([Step::Insert(1, rows(i * 5, 12, 40)), Step::Checkpoint]);
    }
    before.push(Step::Insert(1, rows(17, 12, 40)));
    interrupt(&before, &[Step::Delete(1, 0, 200)]);
    interrupt(&before, &[Step::Update(1, 100, 104, 7), Step::Delete(1, 200, 300)]);
    interrupt(&before, &[Step::Truncate(1), Step::Insert(1, rows(0, 3, 3))]);
}

#[test]
fn what_is_written_while_its_chunk_is_compressed_is_neither_lost_nor_there_again() {
    let before = [Step::Create(1, true), Step::Insert(1, rows(0, 50, 4)), Step::Checkpoint];
    for compressed in [true, false] {
        let step = Step::Compress(1, 0, compressed);
        let mut before = before.to_vec();
        if !compressed {
            before.push(Step::Compress(1, 0, true));
        }
        interrupt_in(&step, &before, &[Step::Delete(1, 0, 40)]);
        interrupt_in(&step, &before, &[Step::Delete(1, 0, 1000)]);
        interrupt_in(&step, &before, &[Step::Insert(1, rows(1, 20, 4)), Step::Delete(1, 0, 10)]);
        interrupt_in(&step, &before, &[Step::Update(1, 10, 40, 7), Step::Insert(1, rows(301, 5, 4))]);
        interrupt_in(&step, &before, &[Step::Truncate(1), Step::Insert(1, rows(0, 9, 4))]);
        interrupt_in(&step, &before, &[Step::Drop(1)]);
    }
}

#[test]
fn a_snapshot_stays_readable_and_its_files_go_with_it() {
    let disk = Arc::new(Memory::default());
    let store = Store::open(disk.clone(), Arc::new(SystemClock), StoreOptions::default()).unwrap();
    let table = Arc::new(hypertable(1, false));
    let steps = [Step::Create(1, false), Step::Insert(1, rows(0, 10, 1)), Step::Checkpoint];
    steps.iter().for_each(|step| assert!(run(&store, step).unwrap()));
    let snapshot = store.snapshot();
    let steps = [Step::Insert(1, rows(20, 10, 1)), Step::Checkpoint, Step::Truncate(1), Step::Checkpoint];
    steps.iter().for_each(|step| assert!(run(&store, step).unwrap()));
    assert_eq!(disk.list("segments").unwrap().len(), 1, "only that of the snapshot is left");
    assert_eq!(rows_of(&snapshot, &table, None).len(), 10);
    assert_eq!(rows_of(&store.snapshot(), &table, None), []);
    drop(snapshot);
    assert_eq!(disk.list("segments").unwrap(), []);
}

#[test]
fn many_small_checkpoints_leave_few_segments() {
    let store = Store::in_memory();
    run(&store, &Step::Create(1, false)).unwrap();
    for i in 0..40 {
        run(&store, &Step::Insert(1, rows(i * 3 % 90, 5, 1))).unwrap();
        store.checkpoint().unwrap();
    }
    let data = store.snapshot().table(TableId(1));
    assert!(data.buffer.is_empty() && data.segments.len() <= 8, "{} segments", data.segments.len());
    assert_eq!(data.row_count, 200);
    run(&store, &Step::Delete(1, 0, 60)).unwrap();
    store.checkpoint().unwrap();
    let data = store.snapshot().table(TableId(1));
    let kept: u64 = data.segments.iter().map(|s| s.meta.row_count).sum();
    assert!(kept < data.row_count * 5 / 4 + 2, "{kept} rows are kept for {}", data.row_count);
}

#[test]
fn a_rolled_back_batch_leaves_no_file() {
    let disk = Arc::new(Memory::default());
    let options = StoreOptions { inline_bytes: 1 << 10, ..StoreOptions::default() };
    let store = Store::open(disk.clone(), Arc::new(SystemClock), options).unwrap();
    run(&store, &Step::Create(1, false)).unwrap();
    let mut transaction = store.begin();
    let savepoint = transaction.savepoint();
    run_in(&mut transaction, &Step::Insert(1, rows(0, 300, 1))).unwrap();
    assert_eq!(disk.list("segments").unwrap().len(), 3, "one for each chunk");
    transaction.rollback_to(&savepoint);
    assert_eq!(disk.list("segments").unwrap(), []);
    run_in(&mut transaction, &Step::Insert(1, rows(0, 300, 1))).unwrap();
    drop(transaction);
    assert_eq!(disk.list("segments").unwrap(), []);
}

#[test]
fn commits_wait_while_there_is_no_room() {
    let options = StoreOptions { buffer_bytes: 64 << 10, wal_file_bytes: 64 << 10, ..StoreOptions::default() };
    let store = Store::open(Arc::new(Memory::default()), Arc::new(SystemClock), options).unwrap();
    run(&store, &Step::Create(1, false)).unwrap();
    for i in 0..100 {
        run(&store, &Step::Insert(1, rows(i % 7 * 50, 200, 1))).unwrap();
        let buffered = store.snapshot().buffer_bytes();
        assert!(buffered < 96 << 10, "{buffered} bytes are buffered");
    }
    assert_eq!(store.snapshot().table(TableId(1)).row_count, 20_000);
}

#[test]
fn a_plain_table_that_becomes_a_hypertable_gets_chunks() {
    let store = Store::in_memory();
    let (cut, mut plain) = (hypertable(1, false), hypertable(1, false));
    plain.hypertable = None;
    let change = |table| {
        let mut transaction = store.begin();
        transaction.change(CatalogChange::PutTable(Arc::new(table))).unwrap();
        transaction.commit().unwrap().wait().unwrap();
    };
    change(plain);
    let mut shadow = Shadow::default();
    shadow.step(&Step::Create(1, false));
    for step in [Step::Insert(1, rows(0, 30, 20)), Step::Checkpoint, Step::Insert(1, rows(900, 3, 200))] {
        run(&store, &step).unwrap();
        shadow.step(&step);
    }
    change(cut);
    assert_eq!(shadow.differs(&store.snapshot()), None);
    store.checkpoint().unwrap();
    assert_eq!(shadow.differs(&store.snapshot()), None);
    let data = store.snapshot().table(TableId(1));
    let inside = |s: &highwater_store::SegmentMeta| {
        let (first, last) = s.times.unwrap();
        data.chunks.values().any(|c| c.range.contains(first) && c.range.contains(last))
    };
    assert!(data.segments.iter().all(|s| inside(&s.meta)), "each segment is of one chunk");
}

#[test]
fn a_closed_store_writes_nothing_more_whoever_still_has_it() {
    let disk = Faulty::new();
    let open = || Store::open(disk.clone(), Arc::new(ManualClock::new(0)), StoreOptions::default()).unwrap();
    let store = open();
    for step in [Step::Create(1, true), Step::Insert(1, rows(0, 50, 3)), Step::Checkpoint] {
        run(&store, &step).unwrap();
    }
    let (snapshot, transaction) = (store.snapshot(), store.begin());
    for step in [Step::Insert(1, rows(1, 50, 3)), Step::Checkpoint, Step::Truncate(1)] {
        run(&store, &step).unwrap();
    }
    store.close().unwrap();
    let next = open();
    let calls = disk.calls();
    drop((snapshot, transaction));
    drop(store);
    assert_eq!(disk.calls(), calls, "it wrote beside the store that has the directory now");
    run(&next, &Step::Insert(1, rows(2, 50, 3))).unwrap();
    next.close().unwrap();
}

#[test]
fn a_compressed_chunk_stays_compressed_beside_later_rows() {
    let store = Store::in_memory();
    let table = Arc::new(hypertable(1, true));
    let forms = || {
        let data = store.snapshot().table(table.id);
        let mut forms: Vec<(bool, u64)> = data.segments.iter().map(|s| (s.meta.compressed, s.meta.row_count)).collect();
        forms.sort_unstable();
        forms
    };
    let is_partial = || {
        let data = store.snapshot().table(table.id);
        data.is_partial(TIME, &data.chunks[&0])
    };
    let step = |step: Step| assert!(run(&store, &step).unwrap());
    step(Step::Create(1, true));
    step(Step::Insert(1, rows(0, 50, 1)));
    step(Step::Insert(1, rows(100, 20, 1)));
    step(Step::Checkpoint);
    step(Step::Insert(1, rows(50, 30, 1)));
    step(Step::Compress(1, 0, true));
    assert_eq!(forms(), [(false, 20), (true, 80)]);
    assert!(!is_partial());
    let segment = store.snapshot().table(table.id).segments.iter().find(|s| s.meta.compressed).unwrap().meta.id;
    step(Step::Insert(1, rows(80, 5, 1)));
    assert!(is_partial());
    step(Step::Checkpoint);
    assert_eq!(forms(), [(false, 5), (false, 20), (true, 80)]);
    assert!(is_partial());
    assert!(store.snapshot().table(table.id).segments.iter().any(|s| s.meta.id == segment), "it was written again");
    step(Step::Compress(1, 0, true));
    assert_eq!(forms(), [(false, 20), (true, 85)]);
    // More than a fifth of its rows are gone: the next checkpoint writes it anew, as small.
    step(Step::Delete(1, 10, 40));
    step(Step::Checkpoint);
    assert_eq!(forms(), [(false, 20), (true, 55)]);
    step(Step::Compress(1, 0, false));
    assert_eq!(forms(), [(false, 20), (false, 55)]);
}
