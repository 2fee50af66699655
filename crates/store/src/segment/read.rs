//! Reads parts of a segment.
//!
//! ```text
//! statistics of the file  ─▶ which parts
//! range of each page      ─▶ which rows, when the columns are not decoded yet
//! binary search           ─▶ which rows, when they are
//! ```
//!
//! A part that is read for the first time is decoded as far as needed. One that is read again is decoded
//! whole and kept, and then one series out of many costs two binary searches.

use super::cache::Key;
use super::write::{CHECKSUMS, chunk_ranges, data_end};
use super::{Segment, convert, path};
use crate::disk::DiskFile;
use crate::rows::{RowIds, TimeValues};
use crate::schema::{self, ROW_ID};
use crate::version::Scan;
use crate::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt64Array, make_comparator,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{SortOptions, concat, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use bytes::{Buf, Bytes};
use highwater_model::{ColumnId, RangeSet, TimeRange};
use parking_lot::Mutex;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicBool};

/// Segments of at most this many bytes are kept decoded as soon as they are read.
const SMALL_BYTES: u64 = 4 << 20;

/// NULLs come last, as they do in a segment.
const ORDER: SortOptions = SortOptions { descending: false, nulls_first: false };

/// So many ranges of time are searched for one by one; of more only the hull.
const MANY: usize = 64;

/// What is known of the inside of a file.
#[derive(Debug)]
pub struct Loaded {
    metadata: ArrowReaderMetadata,
    /// Checksums of the column chunks, by part and leaf.
    checksums: Vec<Vec<u32>>,
    /// Which of them were compared.
    verified: Vec<Vec<AtomicBool>>,
    /// First row of each part.
    starts: Vec<u64>,
    bounds: Mutex<HashMap<usize, Option<Arc<Bounds>>>>,
}

/// The smallest and largest value of a column in each part.
#[derive(Debug)]
struct Bounds {
    min: ArrayRef,
    max: ArrayRef,
}

impl Segment {
    /// Parts that can be read on their own, without those that hold nothing `scan` wants.
    pub fn parts(&self, scan: &Scan) -> Vec<usize> {
        // What goes wrong here goes wrong again in `read`, which can say so.
        let Ok(loaded) = self.load() else { return vec![0] };
        (0..loaded.starts.len()).filter(|part| self.wants(&loaded, *part, scan)).collect()
    }

    /// The rows of one part that `scan` may want: its columns that the segment has and the time column it
    /// asks for, fields carrying column ids, then the row ids as `UInt64` if `with_ids`. Rows in `deleted`
    /// are left out.
    pub fn read(&self, part: usize, scan: &Scan, with_ids: bool, deleted: &RowIds) -> Result<Vec<RecordBatch>> {
        let loaded = self.load()?;
        let has_deleted = self.has_deleted(&loaded, part, deleted);
        let mut wanted: Vec<Option<ColumnId>> = Vec::new();
        let asked = scan.columns.iter().chain(scan.times.iter().map(|(id, _)| id));
        for id in asked.filter(|id| self.position(**id).is_some()) {
            if !wanted.contains(&Some(*id)) {
                wanted.push(Some(*id));
            }
        }
        let shown = wanted.len();
        if with_ids || has_deleted {
            wanted.push(None);
        }
        // The first sort column leads to the rows, even if nobody asked to see it.
        let guides = self.meta.sorted_by.iter().take_while(|id| scan.equals.iter().any(|(e, _)| e == *id));
        let guides: Vec<_> = guides.map(|id| Some(*id)).filter(|id| !wanted.contains(id)).collect();
        wanted.extend(guides);
        let (columns, rows) = self.columns(&loaded, part, &wanted, scan)?;
        let ranges = self.narrow(&wanted, &columns, rows, scan);
        let ids = wanted.iter().position(Option::is_none).map(|i| columns[i].clone());
        let batch = self.batch(&wanted[..shown], &columns[..shown], ids, rows)?;
        let batches = match ranges.as_slice() {
            [] => Vec::new(),
            [range] => vec![batch.slice(range.start, range.len())],
            _ => vec![filter_record_batch(&batch, &BooleanArray::new(mask(&ranges, rows), None))?],
        };
        batches.into_iter().map(|batch| without(batch, has_deleted.then_some(deleted), with_ids)).collect()
    }

    /// How many rows a part has.
    pub fn part_rows(&self, part: usize) -> u64 {
        // As many as the whole when the file cannot be read; `read` says why.
        let rows = |loaded: Arc<Loaded>| loaded.metadata.metadata().row_groups().get(part).map(|g| g.num_rows() as u64);
        self.load().ok().and_then(rows).unwrap_or(self.meta.row_count)
    }

    /// First row of each part.
    pub(super) fn part_starts(&self) -> Result<Vec<u64>> {
        Ok(self.load()?.starts.clone())
    }

    fn position(&self, id: ColumnId) -> Option<usize> {
        self.meta.columns.iter().position(|(c, _)| *c == id)
    }

    fn name(&self) -> String {
        path(self.meta.id)
    }

    fn corrupt(&self, offset: u64, what: &str) -> Error {
        Error::Corrupt { file: self.name().into(), offset, what: what.to_owned() }
    }

    fn open(&self) -> Result<Source> {
        let file = self.file.disk.open(&self.name()).map_err(Error::io("open", &self.name()))?;
        Ok(Source { file, size: self.meta.bytes, chunks: Vec::new() })
    }

    fn load(&self) -> Result<Arc<Loaded>> {
        if let Some(loaded) = &*self.file.loaded.read() {
            return Ok(loaded.clone());
        }
        let source = self.open()?;
        let damaged = |e: ParquetError| self.corrupt(0, &e.to_string());
        let metadata = ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(&source)
            .map_err(damaged)?;
        let end = data_end(metadata.row_groups());
        let tail = source.get_bytes(end, self.meta.bytes.saturating_sub(end) as usize).map_err(damaged)?;
        if crc32c::crc32c(&tail) != self.meta.checksum {
            return Err(self.corrupt(end, "the metadata has a wrong checksum"));
        }
        let pairs = metadata.file_metadata().key_value_metadata().into_iter().flatten();
        let checksums = pairs.filter(|kv| kv.key == CHECKSUMS).find_map(|kv| kv.value.clone()).unwrap_or_default();
        let checksums: Vec<u32> = (0..checksums.len() / 8)
            .filter_map(|i| u32::from_str_radix(checksums.get(i * 8..i * 8 + 8)?, 16).ok())
            .collect();
        let leaves = metadata.file_metadata().schema_descr().num_columns().max(1);
        let checksums: Vec<Vec<u32>> = checksums.chunks(leaves).map(<[u32]>::to_vec).collect();
        let groups = metadata.row_groups();
        if checksums.len() != groups.len() || checksums.last().is_some_and(|c| c.len() != leaves) {
            return Err(self.corrupt(end, "the checksums of its columns are missing"));
        }
        let mut rows = 0;
        let mut starts = Vec::with_capacity(groups.len());
        for group in groups {
            starts.push(rows);
            rows += group.num_rows() as u64;
        }
        let unverified = |c: &Vec<u32>| c.iter().map(|_| AtomicBool::new(false)).collect();
        let loaded = Arc::new(Loaded {
            verified: checksums.iter().map(unverified).collect(),
            metadata: ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new())?,
            checksums,
            starts,
            bounds: Mutex::default(),
        });
        *self.file.loaded.write() = Some(loaded.clone());
        Ok(loaded)
    }

    /// Whether a part may hold what `scan` wants, by the smallest and largest value of its columns.
    fn wants(&self, loaded: &Loaded, part: usize, scan: &Scan) -> bool {
        let bounds = |id: ColumnId| self.position(id).and_then(|i| self.bounds(loaded, i));
        let times =
            scan.times.as_ref().is_none_or(|(id, wanted)| bounds(*id).is_none_or(|b| overlaps(&b, part, wanted)));
        times && scan.equals.iter().all(|(id, values)| bounds(*id).is_none_or(|b| holds_any(&b, part, values)))
    }

    fn bounds(&self, loaded: &Loaded, position: usize) -> Option<Arc<Bounds>> {
        let mut known = loaded.bounds.lock();
        known.entry(position).or_insert_with(|| self.find_bounds(loaded, position).map(Arc::new)).clone()
    }

    fn find_bounds(&self, loaded: &Loaded, position: usize) -> Option<Bounds> {
        let (schema, file) = (loaded.metadata.schema(), loaded.metadata.parquet_schema());
        let field = schema.fields().get(position)?;
        let converter = StatisticsConverter::try_new(field.name(), schema, file).ok()?;
        let groups = loaded.metadata.metadata().row_groups();
        Some(Bounds { min: converter.row_group_mins(groups).ok()?, max: converter.row_group_maxes(groups).ok()? })
    }

    fn has_deleted(&self, loaded: &Loaded, part: usize, deleted: &RowIds) -> bool {
        let (first, last) = self.meta.ids;
        if deleted.is_empty() || deleted.range_cardinality(first..=last) == 0 {
            return false;
        }
        let bounds = self.bounds(loaded, self.meta.columns.len());
        let value = |array: &ArrayRef| {
            let ids = array.as_primitive_opt::<UInt64Type>().filter(|ids| ids.is_valid(part));
            ids.map(|ids| ids.value(part))
        };
        let bounds = bounds.and_then(|b| value(&b.min).zip(value(&b.max)));
        bounds.is_none_or(|(first, last)| deleted.range_cardinality(first..=last) > 0)
    }

    /// The columns of a part, from the cache or the file: all rows, or only pages that `scan` wants.
    fn columns(
        &self,
        loaded: &Loaded,
        part: usize,
        wanted: &[Option<ColumnId>],
        scan: &Scan,
    ) -> Result<(Vec<ArrayRef>, usize)> {
        let cache = &self.file.cache;
        let rows = loaded.metadata.metadata().row_group(part).num_rows() as usize;
        let cached = cache.columns(self.meta.id, part, wanted);
        let missing: Vec<Option<ColumnId>> =
            wanted.iter().zip(&cached).filter(|(_, array)| array.is_none()).map(|(id, _)| *id).collect();
        if missing.is_empty() {
            return Ok((cached.into_iter().flatten().collect(), rows));
        }
        let is_small = self.meta.bytes <= SMALL_BYTES;
        let key = |id: &Option<ColumnId>| Key::Column(self.meta.id, part as u32, *id);
        let wants = missing.iter().map(|id| cache.want(&key(id))).min().unwrap_or(0);
        let keep = is_small || wants >= 2;
        if !keep {
            let pages = self.pages(loaded, part, rows, scan);
            let selected: usize = pages.iter().map(Range::len).sum();
            if selected * 2 < rows {
                let columns = self.decode(loaded, part, wanted, Some((&pages, rows)))?;
                return Ok((columns, selected));
            }
        }
        let mut decoded = self.decode(loaded, part, &missing, None)?.into_iter();
        let columns = wanted.iter().zip(cached).map(|(id, cached)| {
            cached.unwrap_or_else(|| {
                let array = decoded.next().expect("every missing column was decoded");
                if keep {
                    cache.put_column(self.meta.id, part, *id, &array);
                }
                array
            })
        });
        Ok((columns.collect(), rows))
    }

    /// The rows of a part whose pages may hold what `scan` wants.
    fn pages(&self, loaded: &Loaded, part: usize, rows: usize, scan: &Scan) -> Vec<Range<usize>> {
        let mut kept: Vec<Range<usize>> = std::iter::once(0..rows).collect();
        if let Some((id, wanted)) = &scan.times {
            kept = self.pages_of(loaded, part, rows, *id, kept, &|bounds, page| overlaps(bounds, page, wanted));
        }
        for (id, values) in &scan.equals {
            kept = self.pages_of(loaded, part, rows, *id, kept, &|bounds, page| holds_any(bounds, page, values));
        }
        kept
    }

    fn pages_of(
        &self,
        loaded: &Loaded,
        part: usize,
        rows: usize,
        id: ColumnId,
        kept: Vec<Range<usize>>,
        wants: &dyn Fn(&Bounds, usize) -> bool,
    ) -> Vec<Range<usize>> {
        let find = || {
            let position = self.position(id)?;
            let (schema, file) = (loaded.metadata.schema(), loaded.metadata.parquet_schema());
            let metadata = loaded.metadata.metadata();
            let (index, offsets) = (metadata.column_index()?, metadata.offset_index()?);
            let converter = StatisticsConverter::try_new(schema.fields().get(position)?.name(), schema, file).ok()?;
            let leaf = converter.parquet_column_index()?;
            let bounds = Bounds {
                min: converter.data_page_mins(index, offsets, [&part]).ok()?,
                max: converter.data_page_maxes(index, offsets, [&part]).ok()?,
            };
            let starts: Vec<usize> =
                offsets.get(part)?.get(leaf)?.page_locations().iter().map(|p| p.first_row_index as usize).collect();
            Some((bounds, starts))
        };
        let Some((bounds, starts)) = find().filter(|(bounds, starts)| bounds.min.len() == starts.len()) else {
            return kept;
        };
        let ends = starts.iter().skip(1).copied().chain([rows]);
        let pages = starts.iter().copied().zip(ends).enumerate().filter(|(page, _)| wants(&bounds, *page));
        intersect(&kept, &join(pages.map(|(_, (start, end))| start..end).collect()))
    }

    /// Decodes columns of a part, whole or only some of its rows.
    fn decode(
        &self,
        loaded: &Loaded,
        part: usize,
        wanted: &[Option<ColumnId>],
        rows: Option<(&[Range<usize>], usize)>,
    ) -> Result<Vec<ArrayRef>> {
        let hidden = self.meta.columns.len();
        let position = |id: &Option<ColumnId>| id.map_or(Some(hidden), |id| self.position(id)).expect("it has it");
        let positions: Vec<usize> = wanted.iter().map(position).collect();
        let file = loaded.metadata.parquet_schema();
        let mask = ProjectionMask::roots(file, positions.iter().copied());
        let mut source = self.open()?;
        self.fetch(loaded, part, &mask, rows.is_some(), &mut source)?;
        let count = loaded.metadata.metadata().row_group(part).num_rows() as usize;
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(source, loaded.metadata.clone())
            .with_row_groups(vec![part])
            .with_projection(mask)
            .with_batch_size(count.max(1));
        if let Some((ranges, rows)) = rows {
            let selection = RowSelection::from_consecutive_ranges(ranges.iter().cloned(), rows);
            builder = builder.with_row_selection(selection);
        }
        let batches = builder.build()?.collect::<Result<Vec<_>, _>>()?;
        // The reader gives columns in the order of the file.
        let mut order = positions.clone();
        order.sort_unstable();
        let types = self.meta.columns.iter().map(|(_, t)| schema::arrow_type(t)).chain([DataType::UInt64]);
        let types: Vec<DataType> = types.collect();
        positions
            .iter()
            .map(|position| {
                let at = order.binary_search(position).expect("it is one of them");
                let arrays: Vec<&dyn Array> = batches.iter().map(|b| b.column(at).as_ref()).collect();
                match arrays.as_slice() {
                    [] => Ok(arrow::array::new_empty_array(&types[*position])),
                    [_] => convert::from_file(batches[0].column(at), &types[*position]),
                    many => convert::from_file(&concat(many)?, &types[*position]),
                }
            })
            .collect()
    }

    /// Brings column chunks to memory and compares their checksums; a chunk that was compared before and of
    /// which only some pages are needed stays where it is.
    fn fetch(
        &self,
        loaded: &Loaded,
        part: usize,
        mask: &ProjectionMask,
        some_pages: bool,
        source: &mut Source,
    ) -> Result<()> {
        let group = loaded.metadata.metadata().row_group(part);
        for (leaf, range) in chunk_ranges(group).enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf)) {
            let verified = &loaded.verified[part][leaf];
            let is_verified = verified.load(atomic::Ordering::Relaxed);
            if is_verified && some_pages {
                continue;
            }
            let mut bytes = vec![0; (range.end - range.start) as usize];
            source.file.read_at(range.start, &mut bytes).map_err(Error::io("read", &self.name()))?;
            if !is_verified && crc32c::crc32c(&bytes) != loaded.checksums[part][leaf] {
                return Err(self.corrupt(range.start, "a column has a wrong checksum"));
            }
            verified.store(true, atomic::Ordering::Relaxed);
            source.chunks.push((range.start, Bytes::from(bytes)));
        }
        Ok(())
    }

    /// The rows that `scan` may want, by binary search as far as the order leads.
    fn narrow(&self, wanted: &[Option<ColumnId>], columns: &[ArrayRef], rows: usize, scan: &Scan) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = std::iter::once(0..rows).collect();
        for id in &self.meta.sorted_by {
            let Some(column) = wanted.iter().position(|w| *w == Some(*id)).map(|i| &columns[i]) else { break };
            let values = scan.equals.iter().find(|(e, _)| e == id).map(|(_, values)| values);
            if let Some(values) = values.filter(|v| v.data_type() == column.data_type()) {
                let Ok(compare) = make_comparator(column, values, ORDER) else { break };
                let equal = |range: Range<usize>, value: usize| {
                    let start = first(range.clone(), |i| compare(i, value) != Ordering::Less);
                    start..first(start..range.end, |i| compare(i, value) == Ordering::Greater)
                };
                let found = ranges.iter().flat_map(|range| (0..values.len()).map(|v| equal(range.clone(), v)));
                ranges = join(found.filter(|range| !range.is_empty()).collect());
                continue;
            }
            if let Some((_, wanted)) = scan.times.as_ref().filter(|(time, _)| time == id) {
                let times = TimeValues::of(column);
                let hull = wanted.hull().map(RangeSet::from).unwrap_or_default();
                let wanted = if wanted.len() > MANY { &hull } else { wanted };
                let inside = |range: &Range<usize>, time: TimeRange| {
                    let start = first(range.clone(), |i| times.get(i).is_none_or(|t| t >= time.start));
                    start..first(start..range.end, |i| times.get(i).is_none_or(|t| t > time.start && !time.contains(t)))
                };
                let found = ranges.iter().flat_map(|range| wanted.iter().map(move |time| inside(range, time)));
                ranges = join(found.filter(|range| !range.is_empty()).collect());
            }
            break;
        }
        ranges
    }

    fn batch(
        &self,
        shown: &[Option<ColumnId>],
        columns: &[ArrayRef],
        ids: Option<ArrayRef>,
        rows: usize,
    ) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(shown.len() + 1);
        for id in shown.iter().flatten() {
            let position = self.position(*id).expect("only columns of the segment are shown");
            fields.push(schema::id_field("", *id, &self.meta.columns[position].1));
        }
        fields.extend(ids.iter().map(|_| Field::new(ROW_ID, DataType::UInt64, false)));
        let columns = columns.iter().cloned().chain(ids).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
    }
}

/// Leaves out deleted rows, and the ids if nobody asked for them. The ids come last.
fn without(batch: RecordBatch, deleted: Option<&RowIds>, with_ids: bool) -> Result<RecordBatch> {
    let mut alive = batch.clone();
    if let Some(deleted) = deleted {
        let ids: &UInt64Array = batch.columns().last().expect("ids come last").as_primitive();
        let mask = BooleanBuffer::collect_bool(ids.len(), |i| !deleted.contains(ids.value(i)));
        if mask.count_set_bits() < ids.len() {
            alive = filter_record_batch(&batch, &BooleanArray::new(mask, None))?;
        }
    }
    if !with_ids && deleted.is_some() {
        let shown: Vec<usize> = (0..alive.num_columns() - 1).collect();
        alive = alive.project(&shown)?;
    }
    Ok(alive)
}

/// Whether some time of `wanted` lies between the bounds of a part or page.
fn overlaps(bounds: &Bounds, at: usize, wanted: &RangeSet) -> bool {
    let (min, max) = (TimeValues::of(&bounds.min).get(at), TimeValues::of(&bounds.max).get(at));
    // Without bounds there is nothing but NULLs, or nothing is known.
    let (Some(min), Some(max)) = (min, max) else { return true };
    wanted.overlaps(&TimeRange { start: min.min(i64::MAX - 1), end: max.saturating_add(1) })
}

/// Whether some of `values` lies between the bounds of a part or page.
fn holds_any(bounds: &Bounds, at: usize, values: &ArrayRef) -> bool {
    // A NaN is outside of the bounds of its column.
    if bounds.min.data_type() != values.data_type() || values.data_type().is_floating() {
        return true;
    }
    let compare = |bound: &ArrayRef| make_comparator(bound, values, ORDER);
    let (Ok(min), Ok(max)) = (compare(&bounds.min), compare(&bounds.max)) else { return true };
    let (no_min, no_max) = (bounds.min.is_null(at), bounds.max.is_null(at));
    (0..values.len())
        .filter(|v| values.is_valid(*v))
        .any(|v| (no_min || min(at, v) != Ordering::Greater) && (no_max || max(at, v) != Ordering::Less))
}

/// The first position for which `is_after` holds, when it holds for all that follow.
fn first(range: Range<usize>, is_after: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if is_after(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

/// Sorts ranges and joins those that touch.
fn join(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|r| r.start);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

fn intersect(a: &[Range<usize>], b: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut i, mut j, mut both) = (0, 0, Vec::new());
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let range = x.start.max(y.start)..x.end.min(y.end);
        if !range.is_empty() {
            both.push(range);
        }
        if x.end <= y.end { i += 1 } else { j += 1 }
    }
    both
}

fn mask(ranges: &[Range<usize>], rows: usize) -> BooleanBuffer {
    let mut builder = arrow::array::BooleanBufferBuilder::new(rows);
    for range in ranges {
        builder.append_n(range.start - builder.len(), false);
        builder.append_n(range.len(), true);
    }
    builder.append_n(rows - builder.len(), false);
    builder.finish()
}

/// A file for the Parquet reader: chunks in memory, and the disk for the rest.
struct Source {
    file: Arc<dyn DiskFile>,
    size: u64,
    chunks: Vec<(u64, Bytes)>,
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Source {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let end = self.chunks.iter().find(|(at, c)| (*at..at + c.len() as u64).contains(&start));
        let end = end.map_or(self.size, |(at, chunk)| at + chunk.len() as u64);
        Ok(Box::new(self.get_bytes(start, (end - start) as usize)?.reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start + length as u64;
        if let Some((at, chunk)) = self.chunks.iter().find(|(at, c)| *at <= start && end <= at + c.len() as u64) {
            return Ok(chunk.slice((start - at) as usize..(end - at) as usize));
        }
        if end > self.size {
            return Err(ParquetError::EOF(format!("the file ends before byte {end}")));
        }
        let mut bytes = vec![0; length];
        self.file.read_at(start, &mut bytes).map_err(|e| ParquetError::External(Box::new(e)))?;
        Ok(bytes.into())
    }
}
