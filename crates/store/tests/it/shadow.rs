//! What the store should hold, in plain Rust, and the statements that change both.

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType, UInt64Type};
use highwater_model::schema::{IndexColumn, TableKind};
use highwater_model::{
    Bucket, BucketWidth, CaggId, CatalogChange, Column, ColumnId, ColumnType, Compressed, Compression,
    ContinuousAggregate, Hypertable, Index, Pending, RangeSet, Reach, Table, TableId, TimeRange, TimeType,
};
use highwater_store::{Error, Result, RowIds, Scan, Store, Transaction, Version, schema};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const TIME: ColumnId = ColumnId(1);
pub const SERIES: ColumnId = ColumnId(2);
pub const VALUE: ColumnId = ColumnId(3);
pub const CHUNK: i64 = 100;
pub const BUCKET: i64 = 10;

/// A row: its time, its series, and a value.
pub type Row = (i64, String, i64);

/// A statement; each is a transaction, but for [`Step::All`].
#[derive(Clone, Debug)]
pub enum Step {
    /// Makes a hypertable, with a unique key over series and time or without.
    Create(u32, bool),
    /// Makes an aggregate over a hypertable.
    Aggregate(u32, u32),
    Insert(u32, Vec<Row>),
    /// Removes rows with times in a range.
    Delete(u32, i64, i64),
    /// Adds to the values of rows with times in a range, and moves them in time.
    Update(u32, i64, i64, i64),
    Truncate(u32),
    Drop(u32),
    /// Says that the buckets of a range are up to date.
    Settle(u32, i64, i64),
    /// Several in one transaction.
    All(Vec<Step>),
    Checkpoint,
    /// Compresses the chunk of a time, or undoes that: segments first, then what is said of the chunk.
    Compress(u32, i64, bool),
}

/// What the store should hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shadow {
    pub tables: BTreeMap<u32, Vec<Row>>,
    pub keyed: BTreeMap<u32, bool>,
    pub caggs: BTreeMap<u32, (u32, Pending)>,
    /// Chunks by table and start, and whether they are compressed.
    pub chunks: BTreeMap<(u32, i64), bool>,
}

impl Shadow {
    /// Does a step; `false` when a key would be there twice, and nothing was done.
    pub fn step(&mut self, step: &Step) -> bool {
        match step {
            Step::Create(table, keyed) => {
                self.tables.insert(*table, Vec::new());
                self.keyed.insert(*table, *keyed);
            }
            Step::Aggregate(cagg, table) => {
                self.caggs.insert(*cagg, (*table, Pending::new()));
            }
            Step::Insert(table, rows) => {
                let all = self.tables.get_mut(table).unwrap();
                let same = |a: &Row, b: &Row| a.0 == b.0 && a.1 == b.1;
                let repeated = |(i, row): (usize, &Row)| all.iter().chain(&rows[..i]).any(|other| same(other, row));
                if self.keyed[table] && rows.iter().enumerate().any(repeated) {
                    return false;
                }
                all.extend(rows.iter().cloned());
                for row in rows {
                    self.chunks.entry((*table, chunk_start(row.0))).or_default();
                }
                self.touch(*table, rows.iter().map(|r| r.0).collect());
            }
            Step::Delete(table, from, to) => {
                let all = self.tables.get_mut(table).unwrap();
                let (gone, kept): (Vec<Row>, Vec<Row>) =
                    std::mem::take(all).into_iter().partition(|r| (*from..*to).contains(&r.0));
                *all = kept;
                self.touch(*table, gone.iter().map(|r| r.0).collect());
            }
            Step::Update(table, from, to, by) => {
                let mut touched = Vec::new();
                for row in self.tables.get_mut(table).unwrap() {
                    if (*from..*to).contains(&row.0) {
                        touched.push(row.0);
                        row.0 += MOVED;
                        self.chunks.entry((*table, chunk_start(row.0))).or_default();
                        row.2 += by;
                        touched.push(row.0);
                    }
                }
                self.touch(*table, touched);
            }
            Step::Truncate(table) => {
                self.tables.insert(*table, Vec::new());
                self.chunks.retain(|(of, _), _| of != table);
                for (_, pending) in self.caggs.values_mut().filter(|(source, _)| source == table) {
                    pending.touch(&RangeSet::all());
                }
            }
            Step::Drop(table) => {
                self.tables.remove(table);
                self.chunks.retain(|(of, _), _| of != table);
            }
            Step::Settle(cagg, from, to) => {
                let (_, pending) = self.caggs.get_mut(cagg).unwrap();
                pending.settle(&TimeRange::new(*from, *to).into(), &RangeSet::empty());
            }
            Step::All(steps) => {
                let before = self.clone();
                if !steps.iter().all(|step| self.step(step)) {
                    *self = before;
                    return false;
                }
            }
            Step::Checkpoint => {}
            Step::Compress(table, time, compressed) => {
                if let Some(chunk) = self.chunks.get_mut(&(*table, chunk_start(*time))) {
                    *chunk = *compressed;
                }
            }
        }
        true
    }

    fn touch(&mut self, table: u32, times: Vec<i64>) {
        let touched = RangeSet::from_times(times, BUCKET);
        for (_, pending) in self.caggs.values_mut().filter(|(source, _)| *source == table) {
            pending.touch(&touched);
        }
    }

    /// What differs between this and a version, if anything.
    pub fn differs(&self, version: &Version) -> Option<String> {
        let names = |ids: Vec<u32>| format!("{ids:?}");
        let there: Vec<u32> = version.catalog().tables.keys().map(|id| id.0).collect();
        if there != self.tables.keys().copied().collect::<Vec<_>>() {
            return Some(format!("tables {} instead of {:?}", names(there), self.tables.keys()));
        }
        for (id, rows) in &self.tables {
            let table = &version.catalog().tables[&TableId(*id)];
            let mut expected = rows.clone();
            expected.sort();
            let found = rows_of(version, table, None);
            if found != expected {
                return Some(format!("table {id} has {found:?} instead of {expected:?}"));
            }
            let data = version.table(table.id);
            if data.row_count != rows.len() as u64 {
                return Some(format!("table {id} counts {} rows instead of {}", data.row_count, rows.len()));
            }
            if let Some(row) = rows.iter().find(|r| !data.chunks.values().any(|c| c.range.contains(r.0))) {
                return Some(format!("{row:?} is in no chunk of {:?}", data.chunks));
            }
            let chunks = data.chunks.values().map(|chunk| ((*id, chunk.range.start), chunk.compressed.is_some()));
            let there: BTreeMap<(u32, i64), bool> = chunks.collect();
            let expected_chunks: BTreeMap<(u32, i64), bool> =
                self.chunks.iter().filter(|((of, _), _)| of == id).map(|(chunk, is)| (*chunk, *is)).collect();
            if there != expected_chunks {
                return Some(format!("table {id} has the chunks {there:?} instead of {expected_chunks:?}"));
            }
            // A part of the times gives exactly the rows of these times.
            let some =
                RangeSet::from_iter([TimeRange::new(15, 60), TimeRange::new(130, 131), TimeRange::new(205, 400)]);
            expected.retain(|r| some.contains(r.0));
            let found = rows_of(version, table, Some(some));
            if found != expected {
                return Some(format!("table {id} shows {found:?} for some times instead of {expected:?}"));
            }
        }
        for (id, (_, pending)) in &self.caggs {
            let there = version.cagg(CaggId(*id));
            for bucket in (-50..100).map(|b| TimeRange::new(b * BUCKET, (b + 1) * BUCKET)) {
                if there.pending.ranges().overlaps(&bucket) != pending.ranges().overlaps(&bucket) {
                    return Some(format!("aggregate {id} differs in {bucket:?}: {:?}", there.pending));
                }
            }
        }
        None
    }
}

/// How far an update moves rows in time.
pub const MOVED: i64 = 3;

/// Does a step in a transaction of its own and waits until it is durable. `Ok(false)` when a key is there twice.
pub fn run(store: &Arc<Store>, step: &Step) -> Result<bool> {
    if let Step::Checkpoint = step {
        return store.checkpoint().map(|()| true);
    }
    if let Step::Compress(table, time, compressed) = step {
        store.rewrite_chunk(TableId(*table), chunk_range(*time), *compressed)?;
    }
    let mut transaction = store.begin();
    match run_in(&mut transaction, step).and_then(|()| transaction.commit()) {
        Ok(ticket) => ticket.wait().map(|()| true),
        Err(Error::Duplicate { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Does a step inside of a transaction.
pub fn run_in(transaction: &mut Transaction, step: &Step) -> Result<()> {
    let table = |t: &Transaction, id: &u32| t.version().catalog().tables[&TableId(*id)].clone();
    match step {
        Step::Create(id, keyed) => transaction.change(CatalogChange::PutTable(Arc::new(hypertable(*id, *keyed)))),
        Step::Aggregate(id, source) => transaction.change(CatalogChange::PutCagg(Arc::new(aggregate(*id, *source)))),
        Step::Insert(id, rows) => {
            let table = table(transaction, id);
            transaction.insert(&table, batch(&table, rows))
        }
        Step::Delete(id, from, to) => {
            let table = table(transaction, id);
            take(transaction, &table, *from, *to).map(|_| ())
        }
        Step::Update(id, from, to, by) => {
            let table = table(transaction, id);
            let rows = take(transaction, &table, *from, *to)?;
            let rows: Vec<Row> = rows.into_iter().map(|(t, s, v)| (t + MOVED, s, v + by)).collect();
            transaction.insert(&table, batch(&table, &rows))
        }
        Step::Truncate(id) => transaction.truncate(TableId(*id)),
        Step::Drop(id) => transaction.change(CatalogChange::DropTable(TableId(*id))),
        Step::Settle(id, from, to) => transaction.settle(CaggId(*id), TimeRange::new(*from, *to).into()),
        Step::All(steps) => steps.iter().try_for_each(|step| run_in(transaction, step)),
        Step::Checkpoint => Ok(()),
        Step::Compress(id, time, compressed) => {
            let how = Compressed { segment_by: vec![SERIES], order_by: Vec::new(), bytes_before: 1 };
            transaction.compress(TableId(*id), chunk_range(*time), compressed.then(|| Arc::new(how)))
        }
    }
}

fn chunk_start(time: i64) -> i64 {
    time.div_euclid(CHUNK) * CHUNK
}

/// The range of the chunk of a time.
pub fn chunk_range(time: i64) -> TimeRange {
    TimeRange::new(chunk_start(time), chunk_start(time) + CHUNK)
}

/// Removes rows with times in a range and returns them.
pub fn take(transaction: &mut Transaction, table: &Arc<Table>, from: i64, to: i64) -> Result<Vec<Row>> {
    let (mut rows, mut ids, mut touched) = (Vec::new(), RowIds::new(), RangeSet::empty());
    for batch in scan(transaction.version(), table, Some(TimeRange::new(from, to).into()))? {
        ids.extend(batch.column(3).as_primitive::<UInt64Type>().values().iter().copied());
        touched = touched.union(&transaction.touched(table, &batch));
        rows.extend(rows_in(&batch));
    }
    transaction.delete(table.id, ids, touched)?;
    Ok(rows)
}

pub fn scan(version: &Version, table: &Arc<Table>, times: Option<RangeSet>) -> Result<Vec<RecordBatch>> {
    let columns = vec![TIME, SERIES, VALUE];
    let scan = Scan { columns, row_ids: true, times: times.map(|t| (TIME, t)), equals: Vec::new() };
    let units = version.table(table.id).scan(table, scan);
    let batches = units.into_iter().map(|unit| unit.read()).collect::<Result<Vec<_>>>()?;
    Ok(batches.into_iter().flatten().collect())
}

pub fn rows_of(version: &Version, table: &Arc<Table>, times: Option<RangeSet>) -> Vec<Row> {
    let mut rows: Vec<Row> = scan(version, table, times).unwrap().iter().flat_map(rows_in).collect();
    rows.sort();
    rows
}

fn rows_in(batch: &RecordBatch) -> Vec<Row> {
    let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    let (series, values) = (batch.column(1).as_string::<i32>(), batch.column(2).as_primitive::<Int64Type>());
    (0..batch.num_rows()).map(|i| (times.value(i), series.value(i).to_owned(), values.value(i))).collect()
}

pub fn batch(table: &Table, rows: &[Row]) -> RecordBatch {
    let times: TimestampMicrosecondArray = rows.iter().map(|r| Some(r.0)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(times.with_timezone("UTC")),
        Arc::new(rows.iter().map(|r| Some(r.1.as_str())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| Some(r.2)).collect::<Int64Array>()),
    ];
    RecordBatch::try_new(schema::arrow_schema(table), columns).unwrap()
}

pub fn hypertable(id: u32, keyed: bool) -> Table {
    let column = |id, name: &str, column_type| Column {
        id,
        name: name.to_owned(),
        column_type,
        not_null: false,
        default: None,
        missing: None,
    };
    let index_column = |id, sql: &str| IndexColumn { column: Some(id), sql: sql.to_owned(), descending: false };
    let key = Index {
        id: 1000 + id,
        name: format!("t{id}_key"),
        columns: vec![index_column(SERIES, "series"), index_column(TIME, "time")],
        unique: true,
        primary: true,
        constraint: true,
        method: "btree".to_owned(),
    };
    Table {
        id: TableId(id),
        schema: "public".to_owned(),
        name: format!("t{id}"),
        columns: vec![
            column(TIME, "time", ColumnType::Timestamptz),
            column(SERIES, "series", ColumnType::Text),
            column(VALUE, "value", ColumnType::BigInt),
        ],
        next_column: 4,
        indexes: if keyed { vec![key] } else { Vec::new() },
        hypertable: Some(Hypertable {
            number: id,
            time_column: TIME,
            time_type: TimeType::Timestamptz,
            chunk_interval: CHUNK,
            integer_now: None,
            segment_by: vec![SERIES],
            compression: Some(Compression::default()),
        }),
        kind: TableKind::Table,
    }
}

pub fn aggregate(id: u32, source: u32) -> ContinuousAggregate {
    ContinuousAggregate {
        id: CaggId(id),
        schema: "public".to_owned(),
        name: format!("c{id}"),
        query: String::new(),
        search_path: Vec::new(),
        time_zone: "UTC".to_owned(),
        source: TableId(source),
        united: vec![],
        joined: Vec::new(),
        bucket: Bucket {
            time_type: TimeType::Timestamptz,
            width: BucketWidth::Fixed(BUCKET),
            origin: None,
            offset: (0, 0),
            zone: None,
        },
        materialization: TableId(0),
        frozen_base: TableId(0),
        materialized_only: true,
        outputs: Vec::new(),
        reach: Reach::OWN,
        bucket_column: ColumnId(0),
        group_columns: Vec::new(),
    }
}

/// Rows of two series from `first` on, `step` apart, with values that tell them apart.
pub fn rows(first: i64, count: i64, step: i64) -> Vec<Row> {
    (0..count).map(|i| (first + i * step, if i % 2 == 0 { "a" } else { "b" }.to_owned(), first * 1000 + i)).collect()
}
