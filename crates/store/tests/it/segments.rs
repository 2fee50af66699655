//! Segments: every type comes back, every way to read gives the same rows, damage is noticed.

use crate::shadow::{SERIES, Step, TIME, VALUE, chunk_range, hypertable, rows, run, take};
use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Int64Array, IntervalMonthDayNanoArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, TimestampMicrosecondType, i256};
use highwater_model::schema::TableKind;
use highwater_model::{
    CatalogChange, Column, ColumnId, ColumnType, Hypertable, RangeSet, Table, TableId, TimeRange, TimeType,
};
use highwater_store::disk::Memory;
use highwater_store::{Disk, Error, Scan, Store, StoreOptions, SystemClock, schema};
use std::sync::Arc;

fn plain(types: Vec<ColumnType>) -> Table {
    let column = |(i, column_type): (usize, ColumnType)| Column {
        id: ColumnId(i as u32 + 1),
        name: format!("c{i}"),
        column_type,
        not_null: false,
        default: None,
        missing: None,
    };
    Table {
        id: TableId(1),
        schema: "public".to_owned(),
        name: "t".to_owned(),
        next_column: types.len() as u32 + 1,
        columns: types.into_iter().enumerate().map(column).collect(),
        indexes: Vec::new(),
        hypertable: None,
        kind: TableKind::Table,
    }
}

#[test]
fn every_type_comes_back_from_log_and_segment() {
    use ColumnType as T;
    let pair = T::Struct(vec![("n".to_owned(), T::BigInt), ("i".to_owned(), T::Interval)]);
    let types = vec![
        T::Boolean,
        T::SmallInt,
        T::Integer,
        T::BigInt,
        T::Real,
        T::Double,
        T::Numeric { precision: 38, scale: 10 },
        T::Numeric { precision: 5, scale: -2 },
        T::WideNumeric { scale: 3 },
        T::Text,
        T::Date,
        T::Time,
        T::Timestamp,
        T::Timestamptz,
        T::Interval,
        T::Uuid,
        T::Bytea,
        T::List(Box::new(T::Interval)),
        T::List(Box::new(T::Text)),
        pair.clone(),
    ];
    let table = Arc::new(plain(types.clone()));
    let n = 6;
    let value = |t: &T| -> ArrayRef {
        let arrow = schema::arrow_type(t);
        let intervals = |n: i64| -> ArrayRef {
            Arc::new(
                (0..n)
                    .map(|i| (i != 2).then(|| IntervalMonthDayNano::new(i as i32, -3, i * 7)))
                    .collect::<IntervalMonthDayNanoArray>(),
            )
        };
        let numbers: ArrayRef = Arc::new((0..n).map(|i| (i != 2).then_some(i * 3 - 4)).collect::<Int64Array>());
        match t {
            T::Boolean => Arc::new((0..n).map(|i| (i != 3).then_some(i % 2 == 0)).collect::<BooleanArray>()),
            T::Numeric { precision, scale } => Arc::new(
                (0..n)
                    .map(|i| (i != 2).then_some(i as i128 * 999 - 7))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(*precision, *scale)
                    .unwrap(),
            ),
            T::WideNumeric { scale } => Arc::new(
                (0..n)
                    .map(|i| (i != 2).then_some(i256::from_i128(i as i128 - 3)))
                    .collect::<Decimal256Array>()
                    .with_precision_and_scale(76, *scale)
                    .unwrap(),
            ),
            T::Interval => intervals(n),
            T::List(item) if **item == T::Interval => {
                let DataType::List(field) = arrow else { unreachable!() };
                let offsets = OffsetBuffer::from_lengths([2, 0, 3, 1, 0, 1]);
                Arc::new(arrow::array::ListArray::new(field, offsets, intervals(7), None))
            }
            T::Struct(_) => {
                let DataType::Struct(fields) = arrow else { unreachable!() };
                Arc::new(arrow::array::StructArray::new(fields, vec![numbers, intervals(n)], None))
            }
            T::Text => Arc::new(StringArray::from(vec![Some("a"), Some(""), None, Some("ü"), Some("z"), Some("0")])),
            T::Uuid | T::Bytea | T::List(_) => new_null_array(&arrow, n as usize),
            T::Date | T::SmallInt | T::Integer | T::Real | T::Double | T::BigInt => {
                arrow::compute::cast(&arrow::compute::cast(&numbers, &DataType::Int32).unwrap(), &arrow).unwrap()
            }
            _ => arrow::compute::cast(&arrow::compute::cast(&numbers, &DataType::Int64).unwrap(), &arrow).unwrap(),
        }
    };
    let batch = RecordBatch::try_new(schema::arrow_schema(&table), types.iter().map(value).collect()).unwrap();
    let disk = Arc::new(Memory::default());
    let open = || Store::open(disk.clone(), Arc::new(SystemClock), StoreOptions::default()).unwrap();
    let check = |store: &Arc<Store>, place: &str| {
        let scan = Scan { columns: table.columns.iter().map(|c| c.id).collect(), ..Scan::default() };
        let units = store.snapshot().table(table.id).scan(&table, scan);
        let found: Vec<RecordBatch> = units.iter().flat_map(|u| u.read().unwrap()).collect();
        assert_eq!(found, std::slice::from_ref(&batch), "from the {place}");
    };
    let store = open();
    let mut transaction = store.begin();
    transaction.change(CatalogChange::PutTable(table.clone())).unwrap();
    transaction.insert(&table, batch.clone()).unwrap();
    transaction.commit().unwrap().wait().unwrap();
    check(&store, "buffer");
    drop(store);
    let store = open();
    check(&store, "log");
    store.checkpoint().unwrap();
    check(&store, "segment");
    check(&store, "cache");
    // A hypertable with a time for each row, compressed.
    let time = ColumnId(table.next_column);
    let mut cut = Table { id: TableId(2), name: "u".to_owned(), next_column: time.0 + 1, ..table.as_ref().clone() };
    cut.columns.push(Column { id: time, name: "time".to_owned(), ..cut.columns[0].clone() });
    cut.columns.last_mut().unwrap().column_type = T::BigInt;
    let hypertable = hypertable(2, false).hypertable.unwrap();
    cut.hypertable =
        Some(Hypertable { time_column: time, time_type: TimeType::BigInt, segment_by: vec![], ..hypertable });
    let cut = Arc::new(cut);
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(Int64Array::from_iter_values(0..n)));
    let batch = RecordBatch::try_new(schema::arrow_schema(&cut), columns).unwrap();
    let mut transaction = store.begin();
    transaction.change(CatalogChange::PutTable(cut.clone())).unwrap();
    transaction.insert(&cut, batch.clone()).unwrap();
    transaction.commit().unwrap().wait().unwrap();
    store.rewrite_chunk(cut.id, chunk_range(0), true).unwrap();
    let scan = Scan { columns: cut.columns.iter().map(|c| c.id).collect(), ..Scan::default() };
    let data = store.snapshot().table(cut.id);
    assert!(data.segments.iter().all(|segment| segment.meta.compressed) && data.buffer.is_empty());
    let found: Vec<RecordBatch> = data.scan(&cut, scan).iter().flat_map(|u| u.read().unwrap()).collect();
    assert_eq!(found, [batch], "from a compressed segment");
}

const COUNT: i64 = 300_000;
const DEVICES: i64 = 40;

/// A table in one segment of several parts: 40 devices reporting in turn.
fn large(cache_bytes: usize, compressed: bool) -> (Arc<Store>, Arc<Table>) {
    let options = StoreOptions { cache_bytes, ..StoreOptions::default() };
    let store = Store::open(Arc::new(Memory::default()), Arc::new(SystemClock), options).unwrap();
    let mut table = hypertable(1, false);
    table.hypertable.as_mut().unwrap().chunk_interval = 1 << 40;
    let table = Arc::new(table);
    let times: TimestampMicrosecondArray = (0..COUNT).map(|i| Some(i / DEVICES)).collect();
    let devices: StringArray = (0..COUNT).map(|i| Some(format!("device {:02}", i % DEVICES))).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(times.with_timezone("UTC")), Arc::new(devices), Arc::new(Int64Array::from_iter_values(0..COUNT))];
    let batch = RecordBatch::try_new(schema::arrow_schema(&table), columns).unwrap();
    let mut transaction = store.begin();
    transaction.change(CatalogChange::PutTable(table.clone())).unwrap();
    transaction.insert(&table, batch).unwrap();
    transaction.commit().unwrap().wait().unwrap();
    store.checkpoint().unwrap();
    if compressed {
        store.rewrite_chunk(table.id, TimeRange::new(0, 1 << 40), true).unwrap();
        assert!(store.snapshot().table(table.id).segments.iter().all(|segment| segment.meta.compressed));
    }
    (store, table)
}

#[test]
fn one_series_out_of_many_reads_few_rows_and_all_of_its_own() {
    for (cache_bytes, compressed) in [(0, false), (64 << 20, false), (0, true), (64 << 20, true)] {
        let (store, table) = large(cache_bytes, compressed);
        let data = store.snapshot().table(table.id);
        assert_eq!((data.segments.len(), data.buffer.len()), (1, 0));
        for round in 0..4 {
            for device in ["device 07", "device 39", "nobody"] {
                for times in [None, Some(RangeSet::from_iter([TimeRange::new(100, 110), TimeRange::new(7000, 7005)]))] {
                    let values: ArrayRef = Arc::new(StringArray::from(vec![device]));
                    let scan = Scan {
                        columns: vec![VALUE, SERIES],
                        row_ids: true,
                        times: times.clone().map(|t| (TIME, t)),
                        equals: vec![(SERIES, values)],
                    };
                    let (mut own, mut read) = (0, 0);
                    for batch in data.scan(&table, scan).iter().flat_map(|u| u.read().unwrap()) {
                        read += batch.num_rows();
                        let (values, devices) =
                            (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_string::<i32>());
                        for i in 0..batch.num_rows() {
                            let time = values.value(i) / DEVICES;
                            assert!(times.as_ref().is_none_or(|t| t.contains(time)));
                            assert_eq!(devices.value(i), format!("device {:02}", values.value(i) % DEVICES));
                            own += usize::from(devices.value(i) == device);
                        }
                    }
                    let expected = match (device, &times) {
                        ("nobody", _) => 0,
                        (_, None) => (COUNT / DEVICES) as usize,
                        (_, Some(_)) => 15,
                    };
                    assert_eq!(own, expected, "{device} in round {round}");
                    assert!(read <= expected + 20_000, "{read} rows read for {expected} of {device}");
                }
            }
        }
    }
}

#[test]
fn deleted_rows_are_left_out_however_they_are_read() {
    let (store, table) = large(64 << 20, false);
    let mut transaction = store.begin();
    assert_eq!(take(&mut transaction, &table, 50, 60).unwrap().len() as i64, 10 * DEVICES);
    transaction.commit().unwrap().wait().unwrap();
    for _ in 0..3 {
        let wanted = RangeSet::from(TimeRange::new(45, 65));
        let scan = Scan { columns: vec![TIME], times: Some((TIME, wanted)), ..Scan::default() };
        let batches: Vec<RecordBatch> =
            store.snapshot().table(table.id).scan(&table, scan).iter().flat_map(|u| u.read().unwrap()).collect();
        let times: Vec<i64> = batches
            .iter()
            .flat_map(|b| b.column(0).as_primitive::<TimestampMicrosecondType>().values().to_vec())
            .collect();
        assert_eq!(times.len() as i64, 10 * DEVICES);
        assert!(times.iter().all(|t| !(50..60).contains(t)));
    }
}

#[test]
fn a_damaged_segment_is_an_error_and_never_wrong_rows() {
    let table = Arc::new(hypertable(1, false));
    let disk = Arc::new(Memory::default());
    let open = || Store::open(disk.clone(), Arc::new(SystemClock), StoreOptions::default()).unwrap();
    let store = open();
    for step in [Step::Create(1, false), Step::Insert(1, rows(0, 50, 1)), Step::Checkpoint] {
        run(&store, &step).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let (name, bytes) = disk.list("segments").unwrap().pop().unwrap();
    let file = disk.open(&format!("segments/{name}")).unwrap();
    for at in (0..bytes).step_by(13) {
        let mut byte = [0];
        file.read_at(at, &mut byte).unwrap();
        file.write_at(at, &[byte[0] ^ 0x40]).unwrap();
        let store = open();
        let scan = Scan { columns: vec![TIME, SERIES, VALUE], row_ids: true, ..Scan::default() };
        let units = store.snapshot().table(table.id).scan(&table, scan);
        let result: Result<Vec<_>, Error> = units.iter().map(|u| u.read()).collect();
        // The first bytes are a magic word that says nothing about the rows.
        assert!(at < 4 || result.is_err(), "byte {at} of {bytes}");
        file.write_at(at, &byte).unwrap();
    }
}
