//! Writes rows to a new segment.

use super::coding::{Coding, Form, properties};
use super::sample::names_series;
use super::{DIR, SegmentFiles, SegmentId, SegmentMeta, path};
use crate::rows::{TimeValues, take_rows};
use crate::schema::{self, ROW_ID};
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{SortOptions, concat, concat_batches, take};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::row::{RowConverter, Rows, SortField};
use highwater_model::hypertable::{chunk_of, new_chunk_range};
use highwater_model::{Chunk, ChunkId, ColumnId, Table};
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowWriterOptions, compute_leaves};
use parquet::file::metadata::{KeyValue, RowGroupMetaData};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// Rows of a part.
pub const PART_ROWS: usize = 128 << 10;

/// Fewer rows are encoded by one thread.
const FEW_ROWS: usize = 8 << 10;

/// Threads that encode a segment at most; others want to work too.
const MOST_THREADS: usize = 4;

/// Metadata key with the checksums of the column chunks: part by part, eight hexadecimal digits each.
pub const CHECKSUMS: &str = "highwater.checksums";

/// Rows on their way to a segment: the live columns of their table, and the id of each.
#[derive(Clone, Debug)]
pub struct NewRows {
    /// The rows.
    pub batch: RecordBatch,
    /// Their ids.
    pub ids: UInt64Array,
}

impl NewRows {
    /// The rows of all, in order. They have the same columns.
    pub fn concat(all: &[NewRows]) -> Result<NewRows> {
        if let [one] = all {
            return Ok(one.clone());
        }
        let batch = concat_batches(&all[0].batch.schema(), all.iter().map(|rows| &rows.batch))?;
        let ids: Vec<&dyn Array> = all.iter().map(|rows| &rows.ids as &dyn Array).collect();
        Ok(NewRows { batch, ids: as_ids(&concat(&ids)?) })
    }

    fn take(&self, positions: &[u32]) -> Result<NewRows> {
        let ids = take(&self.ids, &UInt32Array::from(positions.to_vec()), None)?;
        Ok(NewRows { batch: take_rows(&self.batch, positions)?, ids: as_ids(&ids) })
    }
}

fn as_ids(ids: &ArrayRef) -> UInt64Array {
    ids.as_any().downcast_ref::<UInt64Array>().expect("ids stay ids").clone()
}

/// Cuts rows at the edges of chunks: those there are, and those that the rows will make. By the start of
/// the chunk; a plain table has one.
pub fn cut_by_chunk(table: &Table, chunks: &BTreeMap<i64, Chunk>, rows: NewRows) -> Result<BTreeMap<i64, NewRows>> {
    let time = table.hypertable.as_ref().and_then(|h| Some((h, column(&rows.batch, h.time_column)?)));
    let Some((hypertable, time)) = time else { return Ok([(i64::MIN, rows)].into()) };
    let times = TimeValues::of(&time);
    let mut chunks = chunks.clone();
    let mut cut: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    let mut last: Option<(Chunk, Vec<u32>)> = None;
    for i in 0..rows.batch.num_rows() {
        let t = times.get(i).unwrap_or(i64::MAX);
        match &mut last {
            Some((chunk, positions)) if chunk.range.contains(t) => positions.push(i as u32),
            _ => {
                let chunk = chunk_of(&chunks, t).cloned().unwrap_or_else(|| {
                    let range = new_chunk_range(&chunks, t, hypertable.chunk_interval);
                    chunks.entry(range.start).or_insert(Chunk { id: ChunkId(0), range, compressed: None }).clone()
                });
                let positions = cut.remove(&chunk.range.start).unwrap_or_default();
                if let Some((before, positions)) = last.replace((chunk, positions)) {
                    cut.insert(before.range.start, positions);
                }
                last.as_mut().expect("just set").1.push(i as u32);
            }
        }
    }
    if let Some((chunk, positions)) = last {
        cut.insert(chunk.range.start, positions);
    }
    match cut.len() {
        1 => Ok(cut.into_keys().map(|start| (start, rows.clone())).collect()),
        _ => cut.into_iter().map(|(start, positions)| Ok((start, rows.take(&positions)?))).collect(),
    }
}

/// Sorts rows and writes them to a new file, synced but for its name in the directory.
///
/// * `rows` – not empty; their columns are [`schema::arrow_schema`] of `table`.
pub fn write_segment(files: &SegmentFiles, table: &Table, rows: NewRows, form: Form) -> Result<SegmentMeta> {
    let id = files.take_id();
    let time = table.hypertable.as_ref().map(|h| h.time_column);
    let compressed = table.compressed_order().filter(|_| form == Form::Compressed);
    let declared = match compressed {
        Some((segment_by, order_by)) => segment_by.into_iter().chain(order_by.iter().map(|by| by.column)).collect(),
        None => table.sort_columns(),
    };
    let sorted_by = order_of(&rows.batch, declared, time)?;
    let positions = sorted_positions(&rows.batch, &sorted_by, time)?;
    let (bytes, checksum) = encode(&rows, positions.as_deref(), time, form)?;
    let file = path(id);
    let disk = files.disk();
    let handle = disk.create(&file).map_err(Error::io("create", &file))?;
    let written = handle.write_at(0, &bytes).map_err(Error::io("write", &file));
    if let Err(error) = written.and_then(|()| handle.sync_data().map_err(Error::io("sync", &file))) {
        // The disk may be full; what was written helps nobody.
        let _ = disk.remove(&file);
        return Err(error);
    }
    let meta = describe(id, &rows, time, sorted_by, bytes.len() as u64);
    Ok(SegmentMeta { checksum, compressed: form == Form::Compressed, ..meta })
}

/// Makes the names of new segments durable.
pub fn sync_names(files: &SegmentFiles) -> Result<()> {
    files.disk().sync_dir(DIR).map_err(Error::io("sync", DIR))
}

fn describe(
    id: SegmentId,
    rows: &NewRows,
    time: Option<ColumnId>,
    sorted_by: Vec<ColumnId>,
    bytes: u64,
) -> SegmentMeta {
    let schema = rows.batch.schema();
    let described = |f| Some((schema::column_id(f)?, schema::column_type(f.data_type())?));
    let ids = rows.ids.values();
    SegmentMeta {
        id,
        columns: schema.fields().iter().filter_map(described).collect(),
        row_count: rows.batch.num_rows() as u64,
        bytes,
        ids: (ids.iter().copied().min().unwrap_or(0), ids.iter().copied().max().unwrap_or(0)),
        times: time.and_then(|id| column(&rows.batch, id)).and_then(|c| TimeValues::of(&c).hull()),
        sorted_by,
        checksum: 0,
        compressed: false,
    }
}

/// What rows are sorted by: what their table says, and if that is no more than the time, first of all the first column
/// that looks like the name of a series. So the rows of a series lie together whether or not somebody thought of an index.
fn order_of(batch: &RecordBatch, declared: Vec<ColumnId>, time: Option<ColumnId>) -> Result<Vec<ColumnId>> {
    let declared: Vec<ColumnId> = declared.into_iter().filter(|id| column(batch, *id).is_some()).collect();
    if time.is_none() || declared.iter().any(|id| Some(*id) != time) {
        return Ok(declared);
    }
    for (field, values) in batch.schema().fields().iter().zip(batch.columns()) {
        let Some(id) = schema::column_id(field).filter(|id| Some(*id) != time) else { continue };
        if names_series(values)? {
            return Ok([id].into_iter().chain(declared).collect());
        }
    }
    Ok(declared)
}

/// The order that sorts the rows, NULLs last; `None` when they are sorted.
///
/// Rows of one series are gathered first and then sorted by time, which they mostly are: sensors report
/// in order. That takes time proportional to the rows, and not to their logarithm too.
fn sorted_positions(batch: &RecordBatch, by: &[ColumnId], time: Option<ColumnId>) -> Result<Option<Vec<u32>>> {
    let place = by.iter().position(|id| Some(*id) == time).unwrap_or(by.len());
    let arrays = |by: &[ColumnId]| by.iter().filter_map(|id| column(batch, *id)).collect::<Vec<ArrayRef>>();
    let leading = arrays(&by[..place]);
    let times = by.get(place).and_then(|id| column(batch, *id));
    let after = arrays(by.get(place + 1..).unwrap_or_default());
    let count = batch.num_rows() as u32;
    let mut series: Vec<Vec<u32>> = match leading.is_empty() {
        true => vec![(0..count).collect()],
        false => gather(&leading)?,
    };
    if let Some(times) = &times {
        let times = TimeValues::of(times);
        let key = |i: &u32| times.get(*i as usize).map_or((true, 0), |t| (false, t));
        for rows in series.iter_mut().filter(|rows| !rows.is_sorted_by_key(key)) {
            rows.sort_by_key(key);
        }
        if !after.is_empty() {
            let after = comparable(&after)?;
            for rows in series.iter_mut().flat_map(|rows| rows.chunk_by_mut(|a, b| key(a) == key(b))) {
                rows.sort_by_key(|i| after.row(*i as usize));
            }
        }
    }
    let positions = series.concat();
    Ok((!positions.is_sorted()).then_some(positions))
}

/// Rows as bytes that compare as they do, NULLs last.
fn comparable(columns: &[ArrayRef]) -> Result<Rows> {
    let options = SortOptions { descending: false, nulls_first: false };
    let fields = columns.iter().map(|c| SortField::new_with_options(c.data_type().clone(), options));
    Ok(RowConverter::new(fields.collect())?.convert_columns(columns)?)
}

/// Positions of the rows of each distinct value, in the order of the values.
fn gather(columns: &[ArrayRef]) -> Result<Vec<Vec<u32>>> {
    let rows = comparable(columns)?;
    let mut numbers: HashMap<&[u8], usize> = HashMap::new();
    let mut series: Vec<(&[u8], Vec<u32>)> = Vec::new();
    let mut last: Option<usize> = None;
    for i in 0..rows.num_rows() {
        let row = rows.row(i).data();
        // Neighbours are often of one series.
        let number = match last {
            Some(number) if series[number].0 == row => number,
            _ => *numbers.entry(row).or_insert_with(|| {
                series.push((row, Vec::new()));
                series.len() - 1
            }),
        };
        series[number].1.push(i as u32);
        last = Some(number);
    }
    series.sort_unstable_by_key(|(row, _)| *row);
    Ok(series.into_iter().map(|(_, positions)| positions).collect())
}

/// The bytes of the file, and the checksum of its end.
///
/// * `order` – positions of the rows in the order of the file.
fn encode(rows: &NewRows, order: Option<&[u32]>, time: Option<ColumnId>, form: Form) -> Result<(Vec<u8>, u32)> {
    let schema = rows.batch.schema();
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    // A column of the user may have the name.
    let mut row_id = ROW_ID.to_owned();
    while fields.iter().any(|f| *f.name() == row_id) {
        row_id.push('_');
    }
    fields.push(Arc::new(Field::new(&row_id, DataType::UInt64, false)));
    let ids: ArrayRef = Arc::new(rows.ids.clone());
    let columns: Vec<&ArrayRef> = rows.batch.columns().iter().chain([&ids]).collect();
    let count = rows.batch.num_rows();
    let codings = in_parallel(fields.iter().zip(&columns).collect(), count, |(field, column)| {
        let is_known = field.name() == &row_id || schema::column_id(field).is_some_and(|id| Some(id) == time);
        match (is_known, form) {
            (true, _) => Ok(Coding::DIFFERENCE),
            (false, Form::Ordinary) => Coding::ordinary(column),
            (false, Form::Compressed) => Coding::smallest(column, order),
        }
    })?;
    let file_field = |(field, coding): (&Arc<Field>, &Coding)| {
        field.as_ref().clone().with_data_type(coding.file_type(field.data_type()))
    };
    let fields: Vec<Field> = fields.iter().zip(&codings).map(file_field).collect();
    let properties = properties(form, fields.iter().map(|f| f.name().as_str()).zip(&codings)).build();
    let file_schema = Arc::new(Schema::new(fields));
    let options = ArrowWriterOptions::new().with_properties(properties);
    let writer = ArrowWriter::try_new_with_options(Vec::new(), file_schema.clone(), options)?;
    let (mut writer, parts) = writer.into_serialized_writer()?;
    let mut checksums = String::new();
    for (part, start) in (0..count).step_by(PART_ROWS).enumerate() {
        let range = start..count.min(start + PART_ROWS);
        let mut writers = parts.create_column_writers(part)?.into_iter();
        let jobs = file_schema.fields().iter().zip(&columns).zip(&codings).map(|((field, column), coding)| Job {
            field: field.clone(),
            column: (*column).clone(),
            coding: *coding,
            leaves: writers.by_ref().take(leaves(field.data_type())).collect(),
        });
        let chunks = in_parallel(jobs.collect(), range.len(), |job| job.run(range.clone(), order))?;
        let mut group = writer.next_row_group()?;
        for chunk in chunks.into_iter().flatten() {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        // Bytes of the last pages may still be on their way.
        writer.flush().map_err(|e| Error::Format(e.to_string()))?;
        let group = writer.flushed_row_groups().last().expect("a part was just closed");
        for range in chunk_ranges(group) {
            let bytes = &writer.inner()[range.start as usize..range.end as usize];
            checksums.push_str(&format!("{:08x}", crc32c::crc32c(bytes)));
        }
    }
    let data_end = data_end(writer.flushed_row_groups());
    writer.append_key_value_metadata(KeyValue::new(CHECKSUMS.to_owned(), checksums));
    let bytes = writer.into_inner()?;
    let checksum = crc32c::crc32c(&bytes[data_end as usize..]);
    Ok((bytes, checksum))
}

/// A column of a part to be encoded.
struct Job {
    field: Arc<Field>,
    column: ArrayRef,
    coding: Coding,
    leaves: Vec<ArrowColumnWriter>,
}

impl Job {
    fn run(mut self, range: Range<usize>, order: Option<&[u32]>) -> Result<Vec<ArrowColumnChunk>> {
        let part = match order {
            Some(order) => take(&self.column, &UInt32Array::from(order[range].to_vec()), None)?,
            None => self.column.slice(range.start, range.len()),
        };
        for (leaf, writer) in compute_leaves(&self.field, &self.coding.to_file(&part)?)?.iter().zip(&mut self.leaves) {
            writer.write(leaf)?;
        }
        Ok(self.leaves.into_iter().map(ArrowColumnWriter::close).collect::<Result<_, _>>()?)
    }
}

/// Does something with each column of `rows` rows, several at once if that is worth it.
fn in_parallel<J: Send, T: Send>(jobs: Vec<J>, rows: usize, run: impl Fn(J) -> Result<T> + Sync) -> Result<Vec<T>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if rows < FEW_ROWS { 1 } else { cores.min(jobs.len()).min(MOST_THREADS) };
    if threads == 1 {
        return jobs.into_iter().map(run).collect();
    }
    let jobs = Mutex::new(jobs.into_iter().enumerate());
    let work = || {
        let mut done = Vec::new();
        while let Some((i, job)) = { jobs.lock().next() } {
            done.push((i, run(job)?));
        }
        Ok(done)
    };
    let done: Vec<Result<Vec<(usize, T)>>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        let panicked = |_| Err(Error::Format("encoding a column panicked".to_owned()));
        others.into_iter().map(|t| t.join().unwrap_or_else(panicked)).chain([mine]).collect()
    });
    let mut done: Vec<(usize, T)> = done.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    done.sort_unstable_by_key(|(i, _)| *i);
    Ok(done.into_iter().map(|(_, done)| done).collect())
}

/// How many columns of Parquet a column becomes.
fn leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(item) => leaves(item.data_type()),
        DataType::Struct(fields) => fields.iter().map(|f| leaves(f.data_type())).sum(),
        _ => 1,
    }
}

/// Where the column chunks of a part lie.
pub fn chunk_ranges(group: &RowGroupMetaData) -> impl Iterator<Item = Range<u64>> {
    group.columns().iter().map(|c| c.byte_range()).map(|(start, length)| start..start + length)
}

/// Where the last column chunk ends.
pub fn data_end(groups: &[RowGroupMetaData]) -> u64 {
    groups.iter().flat_map(chunk_ranges).map(|r| r.end).max().unwrap_or(0)
}

fn column(batch: &RecordBatch, id: ColumnId) -> Option<ArrayRef> {
    let position = batch.schema().fields().iter().position(|f| schema::column_id(f) == Some(id))?;
    Some(batch.column(position).clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};
    use highwater_model::ColumnType;

    #[test]
    fn rows_are_sorted_by_series_then_time_with_nulls_last() {
        let fields = vec![
            schema::id_field("t", ColumnId(1), &ColumnType::Timestamptz),
            schema::id_field("s", ColumnId(2), &ColumnType::Text),
        ];
        let check = |times: Vec<i64>, series: Vec<Option<&str>>, expected: Option<Vec<u32>>| {
            let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"));
            let series: ArrayRef = Arc::new(StringArray::from(series));
            let batch = RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), vec![times, series]).unwrap();
            let by = [ColumnId(2), ColumnId(1)];
            assert_eq!(sorted_positions(&batch, &by, Some(ColumnId(1))).unwrap(), expected);
        };
        check(vec![1, 2, 3], vec![Some("a"), Some("a"), None], None);
        check(vec![1, 2, 3, 0], vec![Some("b"), Some("a"), None, Some("b")], Some(vec![1, 3, 0, 2]));
    }

    #[test]
    fn ids_follow_their_rows() {
        let fields = vec![schema::id_field("n", ColumnId(1), &ColumnType::BigInt)];
        let batch = RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            vec![Arc::new(Int64Array::from(vec![5, 6])) as ArrayRef],
        );
        let rows = NewRows { batch: batch.unwrap(), ids: vec![10, 20].into() };
        let both = NewRows::concat(&[rows.clone(), rows.take(&[1]).unwrap()]).unwrap();
        assert_eq!(both.ids.values(), &[10, 20, 20]);
        assert_eq!(both.batch.num_rows(), 3);
    }
}
