//! Who may commit beside whom.

use crate::shadow::{Row, Shadow, Step, TIME, hypertable, rows, rows_of, run, run_in, take};
use highwater_model::{CaggId, RangeSet, TableId, TimeRange};
use highwater_store::disk::Memory;
use highwater_store::{Error, Scan, Store, StoreOptions, SystemClock, Transaction};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

fn store_with(steps: &[Step]) -> Arc<Store> {
    let store = Store::in_memory();
    steps.iter().for_each(|step| assert!(run(&store, step).unwrap()));
    store
}

fn commit(transaction: Transaction) -> Result<(), Error> {
    transaction.commit()?.wait()
}

fn row(t: i64, series: &str) -> Row {
    (t, series.to_owned(), 0)
}

#[test]
fn the_first_to_delete_a_row_wins() {
    let store = store_with(&[Step::Create(1, false), Step::Insert(1, rows(0, 10, 10))]);
    let table = store.snapshot().catalog().tables[&TableId(1)].clone();
    let (mut one, mut two, mut three) = (store.begin(), store.begin(), store.begin());
    take(&mut one, &table, 0, 30).unwrap();
    take(&mut two, &table, 20, 50).unwrap();
    take(&mut three, &table, 60, 90).unwrap();
    commit(one).unwrap();
    assert!(matches!(commit(two), Err(Error::Conflict)));
    commit(three).unwrap();
    assert_eq!(store.snapshot().table(TableId(1)).row_count, 4);
}

#[test]
fn the_first_to_add_a_key_wins() {
    // A batch of this many rows goes to a segment.
    let options = StoreOptions { inline_bytes: 4 << 10, ..StoreOptions::default() };
    let store = Store::open(Arc::new(Memory::default()), Arc::new(SystemClock), options).unwrap();
    run(&store, &Step::Create(1, true)).unwrap();
    let many: Vec<Row> = (0..500).map(|i| row(i, "s")).collect();
    for (first, second) in [(vec![row(7, "s")], many.clone()), (many.clone(), vec![row(8, "s")]), (many.clone(), many)]
    {
        let (mut one, mut two) = (store.begin(), store.begin());
        run_in(&mut one, &Step::Insert(1, first)).unwrap();
        run_in(&mut two, &Step::Insert(1, second)).unwrap();
        commit(one).unwrap();
        let error = commit(two).unwrap_err();
        assert!(matches!(&error, Error::Duplicate { key, .. } if key.starts_with("(series, time)=(s, ")), "{error}");
        run(&store, &Step::Truncate(1)).unwrap();
    }
}

#[test]
fn a_key_that_is_deleted_and_added_again_meets_nobody() {
    let store = store_with(&[Step::Create(1, true), Step::Insert(1, vec![row(1, "a"), row(2, "a")])]);
    let mut replace = store.begin();
    run_in(&mut replace, &Step::Delete(1, 1, 2)).unwrap();
    run_in(&mut replace, &Step::Insert(1, vec![row(1, "a")])).unwrap();
    run(&store, &Step::Insert(1, vec![row(3, "a")])).unwrap();
    commit(replace).unwrap();
    let mut again = store.begin();
    assert!(matches!(run_in(&mut again, &Step::Insert(1, vec![row(2, "a")])), Err(Error::Duplicate { .. })));
    assert!(again.is_read_only(), "a refused statement leaves nothing");
}

#[test]
fn a_table_is_not_redefined_under_a_writer() {
    let store = store_with(&[Step::Create(1, false)]);
    let mut writer = store.begin();
    run_in(&mut writer, &Step::Insert(1, rows(0, 3, 1))).unwrap();
    run(&store, &Step::Create(1, true)).unwrap();
    assert!(matches!(commit(writer), Err(Error::Conflict)));
    let (mut truncating, mut writer) = (store.begin(), store.begin());
    run_in(&mut truncating, &Step::Truncate(1)).unwrap();
    run_in(&mut writer, &Step::Insert(1, rows(0, 3, 1))).unwrap();
    commit(writer).unwrap();
    assert!(matches!(commit(truncating), Err(Error::Conflict)));
}

#[test]
fn what_was_touched_since_the_snapshot_is_pending_again() {
    let store = store_with(&[Step::Create(1, false), Step::Aggregate(7, 1), Step::Insert(1, rows(0, 10, 10))]);
    let mut refresh = store.begin();
    run(&store, &Step::Insert(1, vec![row(42, "late"), row(500, "new")])).unwrap();
    refresh.settle(CaggId(7), TimeRange::new(0, 100).into()).unwrap();
    commit(refresh).unwrap();
    let pending = store.snapshot().cagg(CaggId(7)).pending.clone();
    assert!(pending.ranges().overlaps(&TimeRange::new(40, 50)), "the late row was not in the states");
    assert!(!pending.ranges().overlaps(&TimeRange::new(50, 100)) && !pending.ranges().contains(30));
    assert_eq!(pending.invalidated(), RangeSet::from(TimeRange::at(42)));
}

#[test]
fn two_refreshes_of_one_bucket_conflict() {
    let store = store_with(&[Step::Create(1, false), Step::Aggregate(7, 1)]);
    let (mut one, mut two, mut other) = (store.begin(), store.begin(), store.begin());
    one.settle(CaggId(7), TimeRange::new(0, 100).into()).unwrap();
    two.settle(CaggId(7), TimeRange::new(90, 110).into()).unwrap();
    other.settle(CaggId(7), TimeRange::new(100, 110).into()).unwrap();
    commit(one).unwrap();
    assert!(matches!(commit(two), Err(Error::Conflict)));
    commit(other).unwrap();
}

#[test]
fn going_back_to_a_savepoint_leaves_no_rows_and_no_dirt() {
    let mut shadow = Shadow::default();
    let first = [Step::Create(1, true), Step::Aggregate(7, 1), Step::Settle(7, 0, 300), Step::Insert(1, rows(0, 4, 5))];
    first.iter().for_each(|step| assert!(shadow.step(step)));
    let store = store_with(&first);
    let mut transaction = store.begin();
    let savepoint = transaction.savepoint();
    let undone = [Step::Insert(1, rows(100, 5, 10)), Step::Delete(1, 0, 50), Step::Create(2, false), Step::Truncate(1)];
    undone.iter().for_each(|step| run_in(&mut transaction, step).unwrap());
    transaction.rollback_to(&savepoint);
    assert!(transaction.is_read_only());
    let kept = Step::Insert(1, rows(200, 2, 10));
    run_in(&mut transaction, &kept).unwrap();
    // The keys that were undone are nobody's.
    run(&store, &Step::Insert(1, rows(100, 5, 10))).unwrap();
    commit(transaction).unwrap();
    shadow.step(&kept);
    shadow.step(&Step::Insert(1, rows(100, 5, 10)));
    assert_eq!(shadow.differs(&store.snapshot()), None);
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let disk = Arc::new(Memory::default());
    let options = StoreOptions { wal_file_bytes: 64 << 10, buffer_bytes: 512 << 10, ..StoreOptions::default() };
    let open = || Store::open(disk.clone(), Arc::new(SystemClock), options.clone()).unwrap();
    let store = open();
    run(&store, &Step::Create(1, true)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..6i64 {
            let store = &store;
            scope.spawn(move || {
                for i in 0..60 {
                    let rows = (0..5).map(|k| (i * 5 + k, format!("s{thread}"), i)).collect();
                    assert!(run(store, &Step::Insert(1, rows)).unwrap());
                    assert!(!run(store, &Step::Insert(1, vec![(i * 5, format!("s{thread}"), 9)])).unwrap());
                }
            });
        }
    });
    let table = Arc::new(hypertable(1, true));
    let check = |store: &Arc<Store>| {
        let found = rows_of(&store.snapshot(), &table, None);
        assert_eq!(found.len(), 6 * 300);
        assert!(found.windows(2).all(|w| (w[0].0, &w[0].1) != (w[1].0, &w[1].1)));
    };
    check(&store);
    let mut ticket = store.begin().commit().unwrap();
    ticket.wait().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(Pin::new(&mut ticket).poll(&mut context), Poll::Ready(Ok(()))));
    drop(store);
    let store = open();
    check(&store);
    store.close().unwrap();
    assert!(matches!(run(&store, &Step::Truncate(1)), Err(Error::Closed)));
    check(&open());
}

#[test]
fn a_scan_may_ask_for_times_without_showing_them() {
    let store = store_with(&[Step::Create(1, false), Step::Insert(1, rows(0, 10, 10))]);
    let table = Arc::new(hypertable(1, false));
    for _ in 0..2 {
        let wanted = Some((TIME, RangeSet::from(TimeRange::new(20, 50))));
        let scan = Scan { columns: Vec::new(), times: wanted, ..Scan::default() };
        let units = store.snapshot().table(TableId(1)).scan(&table, scan);
        let count: usize = units.iter().flat_map(|u| u.read().unwrap()).map(|b| b.num_rows()).sum();
        assert_eq!(count, 3);
        store.checkpoint().unwrap();
    }
}

#[test]
fn many_small_inserts_of_one_transaction_are_kept_like_one() {
    for (inline_bytes, segments) in [(1 << 20, 0), (2 << 10, 1)] {
        let disk = Arc::new(Memory::default());
        let options = StoreOptions { inline_bytes, ..StoreOptions::default() };
        let store = Store::open(disk.clone(), Arc::new(SystemClock), options.clone()).unwrap();
        let mut shadow = Shadow::default();
        let mut steps: Vec<Step> = (0..60).map(|i| Step::Insert(1 + i as u32 / 30, rows(i * 3, 2, 1))).collect();
        steps.insert(20, Step::Delete(1, 10, 40));
        for step in
            [Step::Create(1, true), Step::Create(2, false), Step::Insert(1, vec![row(9000, "z")]), Step::All(steps)]
        {
            assert!(run(&store, &step).unwrap() && shadow.step(&step));
        }
        assert_eq!(shadow.differs(&store.snapshot()), None);
        assert!(!run(&store, &Step::Insert(1, rows(0, 2, 1))).unwrap(), "its keys are known");
        let data = store.snapshot().table(TableId(1));
        assert!(data.segments.len() >= segments && data.buffer.len() <= 4, "{} batches", data.buffer.len());
        drop(store);
        let store = Store::open(disk, Arc::new(SystemClock), options).unwrap();
        assert_eq!(shadow.differs(&store.snapshot()), None);
    }
}

#[test]
fn rows_of_transactions_that_overlap_are_kept_together() {
    let disk = Arc::new(Memory::default());
    let open = || Store::open(disk.clone(), Arc::new(SystemClock), StoreOptions::default()).unwrap();
    let (store, mut shadow) = (open(), Shadow::default());
    for step in [Step::Create(1, true), Step::Insert(1, rows(100_000, 3, 10))] {
        assert!(run(&store, &step).unwrap() && shadow.step(&step));
    }
    for i in 0..100 {
        // Who inserts first commits last, so that the order of ids is not that of commits.
        let [late, early] = [0, 7].map(|at| Step::Insert(1, rows(i * 20 + at, 2, 1)));
        let mut transaction = store.begin();
        run_in(&mut transaction, &late).unwrap();
        assert!(run(&store, &early).unwrap() && shadow.step(&early));
        transaction.commit().unwrap().wait().unwrap();
        assert!(shadow.step(&late));
    }
    let batches = store.snapshot().table(TableId(1)).buffer.len();
    assert!(batches <= 3 * 8, "{batches} batches of 401 rows");
    for step in
        [Step::Delete(1, 100, 420), Step::Checkpoint, Step::Update(1, 400, 700, 5), Step::Insert(1, rows(100, 3, 1))]
    {
        assert!(run(&store, &step).unwrap() && shadow.step(&step));
        assert_eq!(shadow.differs(&store.snapshot()), None, "{step:?}");
    }
    assert!(!run(&store, &Step::Insert(1, rows(100, 1, 1))).unwrap(), "its keys are known");
    drop(store);
    assert_eq!(shadow.differs(&open().snapshot()), None);
}
