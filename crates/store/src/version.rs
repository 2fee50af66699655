//! The database as of one commit.

use crate::op::Op;
use crate::rows::{RowIds, Rows, TimeValues, kept, times};
use crate::segment::Segment;
use crate::{Result, schema};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use highwater_model::hypertable::{chunk_of, new_chunk_range};
use highwater_model::{
    CaggId, Catalog, CatalogChange, Chunk, ChunkId, Column, ColumnId, ContinuousAggregate, Lsn, Pending, RangeSet,
    Table, TableId, TableKind, TimeRange,
};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Which times of which tables' rows a change touches, those of the rows that aggregates show included.
pub type Touched = BTreeMap<TableId, RangeSet>;

/// Buffered batches are joined up to this many rows, so that single-row inserts do not leave a scan with
/// thousands of batches.
const JOIN_BELOW_ROWS: usize = 8192;

/// How many batches of about one size become one.
const JOIN_AT_ONCE: usize = 8;

/// The database as of one commit: a value, cheap to clone, never changed once shared.
#[derive(Clone, Debug)]
pub struct Version {
    /// The commit it is as of.
    pub lsn: Lsn,
    catalog: Arc<Catalog>,
    tables: Arc<BTreeMap<TableId, Arc<TableData>>>,
    caggs: Arc<BTreeMap<CaggId, Arc<CaggData>>>,
    next_chunk: u32,
}

/// The rows of a table.
#[derive(Clone, Debug, Default)]
pub struct TableData {
    /// Sorted files.
    pub segments: Arc<Vec<Arc<Segment>>>,
    /// Rows not yet in a segment, oldest first.
    pub buffer: Vec<Arc<Rows>>,
    /// Rows that are in a segment or in the buffer and no longer exist.
    pub deleted: Arc<RowIds>,
    /// Chunks by start.
    pub chunks: Arc<BTreeMap<i64, Chunk>>,
    /// Ranges that chunks were dropped from.
    pub dropped: RangeSet,
    /// How many rows exist.
    pub row_count: u64,
    /// How often it was truncated, so that a checkpoint notices.
    pub(crate) epoch: u64,
    /// That of the table as this version has it, made once.
    pub(crate) schema: Option<SchemaRef>,
}

/// What is known of an aggregate beside its rows.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CaggData {
    /// What has to be recomputed.
    pub pending: Pending,
    /// Times whose dropped raw rows live on in the frozen base.
    pub frozen: RangeSet,
    /// When buckets were last replaced, microseconds since 1970 UTC; `None` before the first refresh.
    pub refreshed: Option<i64>,
}

impl Version {
    /// An empty database.
    pub fn new() -> Self {
        Version {
            lsn: Lsn(0),
            catalog: Arc::new(Catalog::new()),
            tables: Arc::default(),
            caggs: Arc::default(),
            next_chunk: 1,
        }
    }

    /// A version from its parts, as the manifest keeps them.
    pub fn from_parts(
        lsn: Lsn,
        catalog: Catalog,
        tables: BTreeMap<TableId, Arc<TableData>>,
        caggs: BTreeMap<CaggId, Arc<CaggData>>,
        next_chunk: u32,
    ) -> Self {
        let mut version =
            Version { lsn, catalog: Arc::new(catalog), tables: Arc::new(tables), caggs: Arc::new(caggs), next_chunk };
        for table in version.catalog.clone().tables.values() {
            version.change_table(table.id, |data| data.schema = Some(schema::arrow_schema(table)));
        }
        version
    }

    /// [`schema::arrow_schema`] of a table, made only where it is not this version's.
    pub fn arrow_schema(&self, table: &Arc<Table>) -> SchemaRef {
        let is_known = self.catalog.tables.get(&table.id).is_some_and(|known| Arc::ptr_eq(known, table));
        let known = self.tables.get(&table.id).filter(|_| is_known).and_then(|data| data.schema.clone());
        known.unwrap_or_else(|| schema::arrow_schema(table))
    }

    /// Names and definitions.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The number the next chunk gets.
    pub fn next_chunk(&self) -> u32 {
        self.next_chunk
    }

    /// All tables' rows.
    pub fn tables(&self) -> &BTreeMap<TableId, Arc<TableData>> {
        &self.tables
    }

    /// Mutable access for a checkpoint, which changes how rows are kept and not which there are.
    pub(crate) fn tables_mut(&mut self) -> &mut BTreeMap<TableId, Arc<TableData>> {
        Arc::make_mut(&mut self.tables)
    }

    /// All aggregates' data.
    pub fn caggs(&self) -> &BTreeMap<CaggId, Arc<CaggData>> {
        &self.caggs
    }

    /// The rows of a table; none if it does not exist.
    pub fn table(&self, id: TableId) -> Arc<TableData> {
        self.tables.get(&id).cloned().unwrap_or_default()
    }

    /// Bytes of memory that rows outside of segments take.
    pub fn buffer_bytes(&self) -> usize {
        self.tables.values().map(|data| data.buffer_bytes()).sum()
    }

    /// What is known of an aggregate.
    pub fn cagg(&self, id: CaggId) -> Arc<CaggData> {
        self.caggs.get(&id).cloned().unwrap_or_default()
    }

    /// The largest gap over which touched times of a table may be joined without touching a bucket
    /// that no row is in: the narrowest bucket of its aggregates.
    pub fn touch_grain(&self, table: TableId) -> i64 {
        self.catalog.caggs_over(table).map(|c| c.bucket.min_width()).min().unwrap_or_else(|| {
            let hypertable = self.catalog.tables.get(&table).and_then(|t| t.hypertable.as_ref());
            hypertable.map_or(i64::MAX, |h| h.chunk_interval)
        })
    }

    /// The times of rows, as a set that is exact for the buckets of every aggregate over their table. None of what
    /// an aggregate keeps: its rows are replaced by settling its buckets.
    ///
    /// * `times` – the time of each row; `None` where rows have none.
    pub fn touched_by(&self, table: &Table, times: Option<impl IntoIterator<Item = i64>>) -> RangeSet {
        match (&table.kind, times) {
            (TableKind::Materialization(_) | TableKind::FrozenBase(_), _) => RangeSet::empty(),
            (_, None) => RangeSet::all(),
            (_, Some(times)) => RangeSet::from_times(times, self.touch_grain(table.id)),
        }
    }

    /// Applies a change that commits, or will commit, as `lsn`. Gives what it touches.
    ///
    /// # Errors
    /// [`crate::Error::Catalog`] when the catalog refuses it; the version is unchanged then.
    pub fn apply(
        &mut self,
        op: &Op,
        segments: &dyn Fn(&crate::SegmentMeta) -> Result<Arc<Segment>>,
    ) -> Result<Touched> {
        let mut all = Touched::new();
        match op {
            Op::Catalog(change) => self.apply_catalog(change, &mut all)?,
            Op::Insert { table, rows, touched } => {
                self.add_chunks_of(*table, rows);
                self.change_table(*table, |data| data.add_rows(rows.clone()));
                self.touch(*table, touched, &mut all);
            }
            Op::AddSegment { table, segment, touched } => {
                let opened = segments(segment)?;
                let (first, last) = segment.times.unwrap_or((0, 0));
                self.add_chunks(*table, [first, last]);
                self.change_table(*table, |data| {
                    data.row_count += segment.row_count;
                    Arc::make_mut(&mut data.segments).push(opened);
                });
                self.touch(*table, touched, &mut all);
            }
            Op::Delete { table, ids, touched } => {
                self.change_table(*table, |data| {
                    data.row_count = data.row_count.saturating_sub(ids.len());
                    *Arc::make_mut(&mut data.deleted) |= &**ids;
                    data.forget_dead();
                });
                self.touch(*table, touched, &mut all);
            }
            Op::Truncate { table } => {
                self.change_table(*table, |data| {
                    let (dropped, schema) = (std::mem::take(&mut data.dropped), data.schema.take());
                    *data = TableData { dropped, schema, epoch: data.epoch + 1, ..TableData::default() }
                });
                if let Some(TableKind::FrozenBase(cagg)) = self.catalog.tables.get(table).map(|t| t.kind.clone()) {
                    self.change_cagg(cagg, |data| data.frozen = RangeSet::empty());
                }
                self.touch(*table, &RangeSet::all(), &mut all);
            }
            Op::DropChunks { table, ranges } => self.change_table(*table, |data| {
                Arc::make_mut(&mut data.chunks).retain(|_, chunk| !ranges.covers(&chunk.range));
                data.dropped = data.dropped.union(ranges);
            }),
            Op::Compress { table, chunk, compressed } => self.change_table(*table, |data| {
                let chunks = Arc::make_mut(&mut data.chunks);
                if let Some(chunk) = chunks.get_mut(&chunk.start).filter(|known| known.range == *chunk) {
                    chunk.compressed = compressed.clone();
                }
            }),
            Op::Settle { cagg, ranges, again, at } => {
                self.change_cagg(*cagg, |data| {
                    data.pending.settle(ranges, again);
                    data.refreshed = data.refreshed.max(Some(*at));
                });
                // What a real-time aggregate shows is the same before and after.
                if let Some(cagg) = self.catalog.caggs.get(cagg).filter(|c| c.materialized_only).cloned() {
                    self.touch_shown(&cagg, ranges, &mut all);
                }
            }
            Op::Dirty { cagg, ranges } => {
                self.change_cagg(*cagg, |data| data.pending.touch(ranges));
                if let Some(cagg) = self.catalog.caggs.get(cagg).filter(|c| !c.materialized_only).cloned() {
                    self.touch_shown(&cagg, ranges, &mut all);
                }
            }
            Op::Freeze { cagg, ranges } => self.change_cagg(*cagg, |data| data.frozen = data.frozen.union(ranges)),
        }
        Ok(all)
    }

    fn apply_catalog(&mut self, change: &CatalogChange, all: &mut Touched) -> Result<()> {
        let before = match change {
            CatalogChange::PutCagg(cagg) => self.catalog.caggs.get(&cagg.id).cloned(),
            _ => None,
        };
        Arc::make_mut(&mut self.catalog).apply(change)?;
        match change {
            CatalogChange::PutTable(table) => {
                let data = Arc::make_mut(&mut self.tables).entry(table.id).or_default();
                Arc::make_mut(data).schema = Some(schema::arrow_schema(table));
            }
            CatalogChange::DropTable(id) => {
                Arc::make_mut(&mut self.tables).remove(id);
            }
            CatalogChange::PutCagg(cagg) => {
                Arc::make_mut(&mut self.caggs).entry(cagg.id).or_default();
            }
            CatalogChange::DropCagg(id) => {
                Arc::make_mut(&mut self.caggs).remove(id);
            }
            _ => {}
        }
        match change {
            CatalogChange::PutTable(table) => self.cut_existing_rows(table)?,
            CatalogChange::PutCagg(cagg) if before.is_some_and(|b| b.materialized_only != cagg.materialized_only) => {
                // It begins or ends to show what is pending.
                let pending = self.cagg(cagg.id).pending.ranges().clone();
                self.touch_shown(cagg, &pending, all);
            }
            _ => {}
        }
        Ok(())
    }

    /// A table that becomes a hypertable with rows in it gets the chunks of these rows.
    fn cut_existing_rows(&mut self, table: &Table) -> Result<()> {
        let data = self.table(table.id);
        let Some(hypertable) = table.hypertable.as_ref().filter(|_| data.chunks.is_empty()) else { return Ok(()) };
        for rows in &data.buffer {
            self.add_chunks_of(table.id, rows);
        }
        let mut segments = Vec::with_capacity(data.segments.len());
        for segment in data.segments.iter() {
            // Nobody asked for the times when the segment was written.
            let times = segment.times_of(hypertable.time_column)?;
            self.add_chunks(table.id, times.iter().copied());
            let hull = times.iter().min().copied().zip(times.iter().max().copied());
            segments.push(Arc::new(segment.with_times(hull)));
        }
        self.change_table(table.id, |data| data.segments = Arc::new(segments));
        Ok(())
    }

    fn change_table(&mut self, id: TableId, change: impl FnOnce(&mut TableData)) {
        if let Some(data) = Arc::make_mut(&mut self.tables).get_mut(&id) {
            change(Arc::make_mut(data));
        }
    }

    fn change_cagg(&mut self, id: CaggId, change: impl FnOnce(&mut CaggData)) {
        if let Some(data) = Arc::make_mut(&mut self.caggs).get_mut(&id) {
            change(Arc::make_mut(data));
        }
    }

    /// Makes touched times pending in every aggregate over the table, and in those over what shows them at once; see
    /// [`highwater_model::hierarchy`]. An aggregate that merely joins the table does not know which of its times a
    /// row reaches, so all of them.
    fn touch(&mut self, table: TableId, times: &RangeSet, all: &mut Touched) {
        let known = all.entry(table).or_default();
        *known = known.union(times);
        let catalog = self.catalog.clone();
        for cagg in catalog.caggs.values() {
            let reached = match cagg.is_over(table) {
                true => times.clone(),
                false if cagg.joined.contains(&table) => RangeSet::all(),
                false => continue,
            };
            if reached.is_empty() {
                continue;
            }
            self.change_cagg(cagg.id, |data| data.pending.touch(&reached));
            if !cagg.materialized_only && catalog.children(cagg).next().is_some() {
                self.touch_shown(cagg, &reached, all);
            }
        }
    }

    /// Makes pending, in the aggregates over an aggregate, what it shows of the buckets that `times` reach.
    fn touch_shown(&mut self, cagg: &ContinuousAggregate, times: &RangeSet, all: &mut Touched) {
        self.touch(cagg.materialization, &cagg.rows_of(times), all);
    }

    fn add_chunks_of(&mut self, table: TableId, rows: &Rows) {
        let Some(time) = self.catalog.tables.get(&table).and_then(|t| t.hypertable.as_ref()).map(|h| h.time_column)
        else {
            return;
        };
        let Some((first, last)) = rows.time_hull(time) else { return };
        let chunk = self.tables.get(&table).and_then(|data| chunk_of(&data.chunks, first));
        match rows.column(time) {
            _ if chunk.is_some_and(|chunk| chunk.range.contains(last)) => {}
            Some(column) => self.add_chunks(table, times(column).into_iter().flatten()),
            None => {}
        }
    }

    fn add_chunks(&mut self, table: TableId, times: impl IntoIterator<Item = i64>) {
        let Some(interval) =
            self.catalog.tables.get(&table).and_then(|t| t.hypertable.as_ref()).map(|h| h.chunk_interval)
        else {
            return;
        };
        let mut last: Option<TimeRange> = None;
        for time in times {
            if last.is_some_and(|range| range.contains(time)) {
                continue;
            }
            let known = self.tables.get(&table).and_then(|data| chunk_of(&data.chunks, time)).map(|chunk| chunk.range);
            let range = known.unwrap_or_else(|| {
                let id = ChunkId(self.next_chunk);
                self.next_chunk += 1;
                let chunks = &self.tables[&table].chunks;
                let range = new_chunk_range(chunks, time, interval);
                self.change_table(table, |data| {
                    Arc::make_mut(&mut data.chunks).insert(range.start, Chunk { id, range, compressed: None });
                });
                range
            });
            last = Some(range);
        }
    }
}

impl Default for Version {
    fn default() -> Self {
        Version::new()
    }
}

impl TableData {
    /// Bytes of memory that the buffer takes.
    pub fn buffer_bytes(&self) -> usize {
        self.buffer.iter().map(|rows| rows.bytes).sum()
    }

    fn add_rows(&mut self, rows: Arc<Rows>) {
        self.row_count += rows.len() as u64;
        self.buffer.push(rows);
        // Join like the digits of a counter, so that each row is copied only as often as there are digits.
        while let Some(from) = self.buffer.len().checked_sub(JOIN_AT_ONCE) {
            let run = &self.buffer[from..];
            let most = 2 * run[JOIN_AT_ONCE - 1].len();
            if run.iter().any(|rows| rows.len() > most) || run.iter().map(|r| r.len()).sum::<usize>() > JOIN_BELOW_ROWS
            {
                break;
            }
            let Some(joined) = Rows::joined(run) else { break };
            self.buffer.truncate(from);
            self.buffer.push(Arc::new(joined));
        }
    }

    /// Lets go of segments and buffered rows that are deleted altogether.
    fn forget_dead(&mut self) {
        let deleted = self.deleted.clone();
        let mut forgotten = RowIds::new();
        self.buffer.retain(|rows| {
            let dead = rows.ids.within(&deleted).len() == rows.len() as u64;
            if dead {
                rows.ids.add_to(&mut forgotten);
            }
            !dead
        });
        if !forgotten.is_empty() {
            *Arc::make_mut(&mut self.deleted) -= forgotten;
        }
    }

    /// The parts of the table that may hold what `scan` wants. Together they are the table; each can be
    /// read on its own, on any thread, in any order.
    pub fn scan(&self, table: &Arc<Table>, scan: Scan) -> Vec<ScanUnit> {
        let scan = Arc::new(scan);
        let wanted = |times: Option<(i64, i64)>| match (&scan.times, times) {
            (Some((_, wanted)), Some((first, last))) => {
                wanted.overlaps(&TimeRange { start: first.min(i64::MAX - 1), end: last.saturating_add(1) })
            }
            _ => true,
        };
        let unit =
            |source| ScanUnit { source, table: table.clone(), scan: scan.clone(), deleted: self.deleted.clone() };
        let segments = self.segments.iter().filter(|segment| wanted(segment.meta.times));
        let parts = segments
            .flat_map(|segment| segment.parts(&scan).into_iter().map(|part| Source::Part(segment.clone(), part)));
        let hull = |rows: &Rows| scan.times.as_ref().and_then(|(time, _)| rows.time_hull(*time));
        let buffered = self.buffer.iter().filter(|rows| wanted(hull(rows))).map(|rows| Source::Rows(rows.clone()));
        parts.chain(buffered).map(unit).collect()
    }

    /// The parts of [`TableData::scan`] that may hold one of these rows.
    pub fn scan_ids(&self, table: &Arc<Table>, scan: Scan, ids: &[u64]) -> Vec<ScanUnit> {
        let holds = |range: Range<u64>| ids.iter().any(|id| range.contains(id));
        let units = self.scan(table, scan).into_iter();
        units
            .filter(|unit| match &unit.source {
                Source::Rows(rows) => holds(rows.ids.hull()),
                Source::Part(segment, _) => holds(segment.meta.ids.0..segment.meta.ids.1 + 1),
            })
            .collect()
    }

    /// A range that holds the times of all rows; `None` when there are none. For pruning only: it may be
    /// larger than needed.
    pub fn hull(&self, table: &Table) -> Option<highwater_model::TimeRange> {
        let time = table.hypertable.as_ref()?.time_column;
        let buffered = self.buffer.iter().filter_map(|rows| rows.time_hull(time));
        let both = buffered.chain(self.segments.iter().filter_map(|s| s.meta.times));
        let (first, last) = both.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        // A range that ends with the last time there is holds it, and is not empty.
        Some(highwater_model::TimeRange { start: first.min(i64::MAX - 1), end: last.saturating_add(1) })
    }

    /// Whether rows were written to a compressed chunk since, as far as the times of segments and batches tell.
    pub fn is_partial(&self, time: ColumnId, chunk: &Chunk) -> bool {
        let reaches = |times: Option<(i64, i64)>| {
            times.is_some_and(|(first, last)| chunk.range.start <= last && first < chunk.range.end)
        };
        chunk.compressed.is_some()
            && (self.segments.iter().any(|segment| !segment.meta.compressed && reaches(segment.meta.times))
                || self.buffer.iter().any(|rows| reaches(rows.time_hull(time))))
    }

    /// Roughly how many rows of a hypertable have their time in `range`: as if those of a file were spread evenly.
    pub fn rows_within(&self, table: &Table, range: TimeRange) -> u64 {
        let Some(hypertable) = &table.hypertable else { return self.row_count };
        let buffered = self.buffer.iter().map(|rows| (rows.time_hull(hypertable.time_column), rows.len() as u64));
        let kept = self.segments.iter().map(|segment| (segment.meta.times, segment.meta.row_count));
        let share = |(hull, rows): (Option<(i64, i64)>, u64)| {
            let Some((first, last)) = hull else { return 0.0 };
            let (start, end) = (range.start.max(first), range.end.min(last.saturating_add(1)));
            let width = |start: i64, end: i64| (end as f64 - start as f64).max(0.0);
            rows as f64 * (width(start, end) / width(first, last.saturating_add(1)).max(1.0))
        };
        buffered.chain(kept).map(share).sum::<f64>().ceil() as u64
    }

    /// The newest finite time of a hypertable's rows. Deleted rows that are still kept may count.
    pub fn newest(&self, table: &Table) -> Option<i64> {
        let time = table.hypertable.as_ref()?.time_column;
        let buffered = self.buffer.iter().filter_map(|rows| {
            // Mostly no row is deleted and no time infinite.
            let mask = rows.alive(&self.deleted);
            let hull = rows.time_hull(time)?;
            if mask.is_none() && hull.1 != i64::MAX {
                return Some(hull.1).filter(|t| *t != i64::MIN);
            }
            let times = times(rows.column(time)?);
            let alive = times.into_iter().enumerate().filter(|(i, _)| mask.as_ref().is_none_or(|m| m.value(*i)));
            alive.filter_map(|(_, t)| t).filter(|t| *t != i64::MAX && *t != i64::MIN).max()
        });
        let kept =
            self.segments.iter().filter_map(|s| s.meta.times.map(|t| t.1)).filter(|t| *t != i64::MAX && *t != i64::MIN);
        buffered.chain(kept).max()
    }
}

/// What a reader wants of a table.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The columns, in the order of the result.
    pub columns: Vec<ColumnId>,
    /// Whether the stable row id follows them, as `UInt64` named [`schema::ROW_ID`].
    pub row_ids: bool,
    /// Only rows whose value in this time column is in this set. Exact: no other row is returned.
    pub times: Option<(ColumnId, RangeSet)>,
    /// Only rows whose column equals one of the values. For pruning: other rows may be returned.
    pub equals: Vec<(ColumnId, ArrayRef)>,
}

/// A part of a table that can be read on its own.
#[derive(Clone, Debug)]
pub struct ScanUnit {
    source: Source,
    table: Arc<Table>,
    scan: Arc<Scan>,
    deleted: Arc<RowIds>,
}

#[derive(Clone, Debug)]
enum Source {
    Rows(Arc<Rows>),
    Part(Arc<Segment>, usize),
}

impl ScanUnit {
    /// The schema of what [`ScanUnit::read`] gives.
    pub fn schema(table: &Table, scan: &Scan) -> SchemaRef {
        let columns = scan.columns.iter().filter_map(|id| table.column_by_id(*id)).map(schema::field);
        let row_id = scan.row_ids.then(|| Field::new(schema::ROW_ID, DataType::UInt64, false));
        Arc::new(Schema::new(columns.chain(row_id).collect::<Vec<_>>()))
    }

    /// How many rows it holds, with those that are deleted or not wanted.
    pub fn row_count(&self) -> u64 {
        match &self.source {
            Source::Rows(rows) => rows.len() as u64,
            Source::Part(segment, part) => segment.part_rows(*part),
        }
    }

    /// Its rows.
    pub fn read(&self) -> Result<Vec<RecordBatch>> {
        match &self.source {
            Source::Rows(rows) => {
                let ids = self.scan.row_ids.then(|| Arc::new(rows.ids.array()) as ArrayRef);
                let batch = self.conform(&rows.batch, ids)?;
                // Masks come last: columns that nobody asked for need no filtering.
                let batch = match self.times_of(&rows.batch) {
                    Some(mask) => kept(batch, Some(both(mask, rows.alive(&self.deleted))))?,
                    None => kept(batch, rows.alive(&self.deleted))?,
                };
                Ok(vec![batch])
            }
            Source::Part(segment, part) => {
                let batches = segment.read(*part, &self.scan, self.scan.row_ids, &self.deleted)?;
                let conform = |batch: RecordBatch| {
                    let ids = self.scan.row_ids.then(|| batch.columns().last().cloned()).flatten();
                    kept(self.conform(&batch, ids)?, self.times_of(&batch))
                };
                batches.into_iter().map(conform).collect()
            }
        }
    }

    /// Which rows have a wanted time; `None` when all have.
    fn times_of(&self, batch: &RecordBatch) -> Option<BooleanArray> {
        let (id, wanted) = self.scan.times.as_ref()?;
        mask_of(find(batch, *id)?, wanted)
    }

    /// Gives the columns their present order, names and defaults.
    fn conform(&self, batch: &RecordBatch, ids: Option<ArrayRef>) -> Result<RecordBatch> {
        let schema = ScanUnit::schema(&self.table, &self.scan);
        let mut columns = Vec::with_capacity(schema.fields().len());
        for id in &self.scan.columns {
            let Some(column) = self.table.column_by_id(*id) else { continue };
            columns.push(match find(batch, *id) {
                Some(array) => array.clone(),
                None => missing_column(column, batch.num_rows())?,
            });
        }
        columns.extend(ids);
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}

fn find(batch: &RecordBatch, id: ColumnId) -> Option<&ArrayRef> {
    let position = batch.schema_ref().fields().iter().position(|f| schema::column_id(f) == Some(id))?;
    Some(batch.column(position))
}

fn both(a: BooleanArray, b: Option<BooleanArray>) -> BooleanArray {
    match b {
        Some(b) => BooleanArray::new(a.values() & b.values(), None),
        None => a,
    }
}

/// Which rows have a wanted time; `None` when all have.
fn mask_of(column: &ArrayRef, wanted: &RangeSet) -> Option<BooleanArray> {
    let times = TimeValues::of(column);
    // Times are mostly in order, so the range of the row before is the first to ask.
    let mut last = TimeRange { start: 0, end: 0 };
    let mut is_wanted = |t: i64| {
        if !last.contains(t) {
            last = range_of(wanted, t).unwrap_or(last);
        }
        last.contains(t)
    };
    let mask = BooleanBuffer::collect_bool(times.count(), |i| times.get(i).is_some_and(&mut is_wanted));
    (mask.count_set_bits() < times.count()).then(|| BooleanArray::new(mask, None))
}

/// The range of the set that holds `t`.
fn range_of(set: &RangeSet, t: i64) -> Option<TimeRange> {
    let ranges = set.as_slice();
    let i = ranges.partition_point(|r| r.start <= t);
    ranges[..i].last().copied().filter(|range| range.contains(t))
}

/// The value that rows have in a column that was added after they were written.
fn missing_column(column: &Column, rows: usize) -> Result<ArrayRef> {
    let arrow_type = schema::arrow_type(&column.column_type);
    match &column.missing {
        None => Ok(new_null_array(&arrow_type, rows)),
        Some(text) => {
            let texts: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); rows]));
            Ok(cast_with_options(&texts, &arrow_type, &CastOptions { safe: false, ..Default::default() })?)
        }
    }
}
