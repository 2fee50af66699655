//! How fast it is; prints numbers next to the limit of the machine. Run alone, optimized:
//! `cargo test -p highwater-store --release --test it -- --ignored --nocapture --test-threads 1 speed`

use crate::shadow::{SERIES, TIME, VALUE, batch, hypertable};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use highwater_model::{CatalogChange, Column, ColumnId, ColumnType, RangeSet, Table, TimeRange};
use highwater_store::disk::Local;
use highwater_store::{Disk, Scan, Store, StoreOptions, SystemClock, schema};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn open(dir: &tempfile::TempDir, options: StoreOptions) -> Arc<Store> {
    Store::open(Arc::new(Local::new(dir.path()).unwrap()), Arc::new(SystemClock), options).unwrap()
}

/// A directory on a real disk, which the one for temporary files may not be.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn define(store: &Arc<Store>, table: &Arc<Table>) {
    let mut transaction = store.begin();
    transaction.change(CatalogChange::PutTable(table.clone())).unwrap();
    transaction.commit().unwrap().wait().unwrap();
}

#[test]
#[ignore = "measures"]
fn speed_of_small_commits() {
    let dir = directory();
    let disk = Local::new(dir.path()).unwrap();
    let raw = |second: Duration| {
        let file = disk.create("raw").unwrap();
        file.write_at(0, &vec![0; 4 << 20]).unwrap();
        file.sync_data().unwrap();
        let (start, mut count) = (Instant::now(), 0u64);
        while start.elapsed() < second {
            file.write_at(count * 2048 % (4 << 20), &[7; 2048]).unwrap();
            file.sync_data().unwrap();
            count += 1;
        }
        count as f64 / start.elapsed().as_secs_f64()
    };
    let store = open(&dir, StoreOptions::default());
    let mut table = hypertable(1, true);
    table.hypertable.as_mut().unwrap().chunk_interval = 1 << 50;
    let table = Arc::new(table);
    define(&store, &table);
    for round in 0..3 {
        let before = raw(Duration::from_secs(1));
        let (start, mut count) = (Instant::now(), 0);
        let mut parts = [Duration::ZERO; 3];
        while start.elapsed() < Duration::from_secs(2) {
            let row = (round * 1_000_000 + count, "a".to_owned(), count);
            let t0 = Instant::now();
            let mut transaction = store.begin();
            transaction.insert(&table, batch(&table, &[row])).unwrap();
            let t1 = Instant::now();
            let ticket = transaction.commit().unwrap();
            let t2 = Instant::now();
            ticket.wait().unwrap();
            parts[0] += t1 - t0;
            parts[1] += t2 - t1;
            parts[2] += t2.elapsed();
            count += 1;
        }
        println!("insert, commit, wait: {:?}", parts.map(|p| p / count as u32));
        let rate = count as f64 / start.elapsed().as_secs_f64();
        let raw = (before + raw(Duration::from_secs(1))) / 2.0;
        println!("1 client, 1 row: {rate:.0} commits/s, raw fdatasync {raw:.0}/s, ratio {:.2}", rate / raw);
    }
    for (clients, size) in [(8, 1), (1, 1000), (8, 1000)] {
        let (start, mut total) = (Instant::now(), 0);
        let done = std::thread::scope(|scope| {
            let clients = (0..clients).map(|client| {
                let (store, table) = (store.clone(), table.clone());
                scope.spawn(move || {
                    let mut count = 0i64;
                    while start.elapsed() < Duration::from_secs(2) {
                        let first = (i64::from(clients * size) << 32) + count * i64::from(size);
                        let rows: Vec<_> = (0..i64::from(size)).map(|i| (first + i, format!("c{client}"), i)).collect();
                        let mut transaction = store.begin();
                        transaction.insert(&table, batch(&table, &rows)).unwrap();
                        transaction.commit().unwrap().wait().unwrap();
                        count += 1;
                    }
                    count
                })
            });
            clients.collect::<Vec<_>>().into_iter().map(|c| c.join().unwrap()).sum::<i64>()
        });
        total += done * i64::from(size);
        println!("{clients} clients, {size} rows: {:.0} rows/s", total as f64 / start.elapsed().as_secs_f64());
    }
}

#[test]
#[ignore = "measures"]
fn speed_of_a_million_rows() {
    const METRICS: u32 = 20;
    let (count, devices) = (1_000_000i64, 100i64);
    let mut table = hypertable(1, true);
    table.hypertable.as_mut().unwrap().chunk_interval = 1 << 50;
    for i in 0..METRICS {
        let (id, name) = (ColumnId(4 + i), format!("m{i}"));
        let column_type = ColumnType::Double;
        table.columns.push(Column { id, name, column_type, not_null: false, default: None, missing: None });
    }
    let table = Arc::new(table);
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(
            (0..count)
                .map(|i| Some(i / devices * 1_000_000))
                .collect::<TimestampMicrosecondArray>()
                .with_timezone("UTC"),
        ),
        Arc::new((0..count).map(|i| Some(format!("device-{:03}", i % devices))).collect::<StringArray>()),
        Arc::new(Int64Array::from_iter_values(0..count)),
    ];
    for m in 0..i64::from(METRICS) {
        let value = |i: i64| ((i * 7919 + m * 104_729) % 10_007) as f64 / 100.0;
        columns.push(Arc::new(Float64Array::from_iter_values((0..count).map(value))));
    }
    let batch = RecordBatch::try_new(schema::arrow_schema(&table), columns).unwrap();
    let megabytes = batch.get_array_memory_size() as f64 / 1e6;
    let dir = directory();
    let store = open(&dir, StoreOptions::default());
    define(&store, &table);
    let start = Instant::now();
    let mut transaction = store.begin();
    transaction.insert(&table, batch).unwrap();
    let checked = start.elapsed();
    transaction.commit().unwrap().wait().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let data = store.snapshot().table(table.id);
    let bytes: u64 = data.segments.iter().map(|s| s.meta.bytes).sum();
    println!(
        "write: {:.2} s ({:.2} s before the commit), {:.0} k rows/s, {:.0} MB/s, {:.1} MB on disk of {megabytes:.0} MB",
        seconds,
        checked.as_secs_f64(),
        count as f64 / 1e3 / seconds,
        megabytes / seconds,
        bytes as f64 / 1e6,
    );
    let all: Vec<ColumnId> = table.columns.iter().map(|c| c.id).collect();
    for what in ["cold", "second", "cached"] {
        let start = Instant::now();
        let scan = Scan { columns: all.clone(), ..Scan::default() };
        let rows: usize = data.scan(&table, scan).iter().flat_map(|u| u.read().unwrap()).map(|b| b.num_rows()).sum();
        println!("read all, {what}: {rows} rows in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    }
    let one = |value: &str| {
        let start = Instant::now();
        let equals: ArrayRef = Arc::new(StringArray::from(vec![value]));
        let times = RangeSet::from(TimeRange::new(2_000 * 1_000_000, 3_000 * 1_000_000));
        let scan = Scan {
            columns: vec![TIME, VALUE, ColumnId(4), ColumnId(5)],
            times: Some((TIME, times)),
            equals: vec![(SERIES, equals)],
            row_ids: false,
        };
        let rows: usize = data.scan(&table, scan).iter().flat_map(|u| u.read().unwrap()).map(|b| b.num_rows()).sum();
        (rows, start.elapsed().as_secs_f64() * 1e6)
    };
    for _ in 0..3 {
        let (rows, micros) = one("device-042");
        println!("1000 rows of one series: {rows} rows in {micros:.0} µs");
    }
    // Late rows into a table with a key: what was written is probed, one by one and as a batch.
    for size in [1i64, 1000] {
        let late = (0..size)
            .map(|i| ((5_000 + i) * 1_000_000 + 1, format!("device-{:03}", i % devices), 0))
            .collect::<Vec<_>>();
        let key = table.unique_keys().next().unwrap().column_ids().unwrap();
        let narrow = crate::shadow::batch(&hypertable(1, true), &late);
        for _ in 0..2 {
            let start = Instant::now();
            let found = highwater_store::unique::find_existing(&data, &table, &key, &narrow).unwrap();
            println!(
                "{size} late keys: {} found in {:.2} ms",
                found.iter().flatten().count(),
                start.elapsed().as_secs_f64() * 1e3
            );
        }
    }
    let start = Instant::now();
    store.close().unwrap();
    println!("close: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    drop(store);
    let start = Instant::now();
    let store = open(&dir, StoreOptions::default());
    println!("open: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    assert_eq!(store.snapshot().table(table.id).row_count, count as u64);
}
