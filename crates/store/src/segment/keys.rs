//! Finds rows by a unique key.
//!
//! Few keys are looked up like any other rows: the order of the segment leads to a few of its pages. For
//! many, the hash of every row's key is made once and kept under the budget of the cache.

use super::Segment;
use super::cache::Key;
use crate::Result;
use crate::rows::{RowIds, TimeValues, key_hashes};
use crate::schema::ROW_ID;
use crate::unique::meetings;
use crate::version::Scan;
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, UInt64Type};
use highwater_model::{ColumnId, RangeSet};
use std::sync::Arc;

/// As many keys are looked up one by one, rather than making an index.
const FEW: usize = 32;

/// A row whose key has the hash of a probe.
#[derive(Debug)]
pub struct Found {
    /// The row of the probe.
    pub row: usize,
    /// The id of the row found.
    pub id: u64,
    /// Key columns, with the row found at `at`.
    pub columns: Vec<ArrayRef>,
    /// Where in them.
    pub at: usize,
}

/// Hashes of keys with the positions of their rows, sorted.
#[derive(Debug)]
pub struct KeyIndex(Vec<(u64, u32)>);

impl KeyIndex {
    /// Bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u64, u32)>()
    }
}

impl Segment {
    /// The rows whose key has the hash of one of `probes`.
    ///
    /// * `key` – columns of the key; a segment without one of them has no such row.
    /// * `values` – the key columns that the probes are rows of.
    /// * `time` – the time column, if it is in the key.
    /// * `probes` – hashes and rows, sorted.
    pub fn find_keys(
        &self,
        key: &[ColumnId],
        values: &[ArrayRef],
        time: Option<ColumnId>,
        probes: &[(u64, u32)],
    ) -> Result<Vec<Found>> {
        if !key.iter().all(|id| self.meta.columns.iter().any(|(c, _)| c == id)) {
            return Ok(Vec::new());
        }
        let index = self.file.cache.index(self.meta.id, key);
        let is_sorted = self.meta.sorted_by.first().is_some_and(|first| key.contains(first));
        if index.is_none() && is_sorted && probes.len() <= FEW {
            let mut found = Vec::new();
            for (hash, row) in probes {
                self.find_one(key, values, time, *hash, *row as usize, &mut found)?;
            }
            return Ok(found);
        }
        let index = index.map_or_else(|| self.make_index(key), Ok)?;
        let starts = self.part_starts()?;
        let mut hits = meetings(probes, &index.0);
        hits.sort_unstable_by_key(|(_, position)| *position);
        let mut found = Vec::with_capacity(hits.len());
        let mut current: Option<(usize, RecordBatch)> = None;
        for (row, position) in hits {
            let part = starts.partition_point(|start| *start <= u64::from(position)) - 1;
            if current.as_ref().is_none_or(|(p, _)| *p != part) {
                let scan = Scan { columns: key.to_vec(), ..Scan::default() };
                current = self.read(part, &scan, true, &RowIds::new())?.pop().map(|batch| (part, batch));
            }
            let Some((_, batch)) = &current else { continue };
            let at = (u64::from(position) - starts[part]) as usize;
            found.push(found_at(row as usize, batch, at));
        }
        Ok(found)
    }

    /// All keys of the segment, part by part: key columns, then row ids.
    pub fn keys(&self, key: &[ColumnId]) -> Result<Vec<RecordBatch>> {
        let scan = Scan { columns: key.to_vec(), ..Scan::default() };
        let mut batches = Vec::new();
        for part in self.parts(&scan) {
            batches.extend(self.read(part, &scan, true, &RowIds::new())?);
        }
        Ok(batches)
    }

    /// The times of all its rows.
    pub fn times_of(&self, time: ColumnId) -> Result<Vec<i64>> {
        let mut times = Vec::with_capacity(self.meta.row_count as usize);
        for batch in self.keys(&[time])? {
            // Without the column there are the ids alone.
            if batch.num_columns() == 2 {
                times.extend(crate::rows::times(batch.column(0)).into_iter().flatten());
            }
        }
        Ok(times)
    }

    /// The same segment, of which the smallest and the largest time are known.
    pub fn with_times(&self, times: Option<(i64, i64)>) -> Segment {
        let mut segment = self.clone();
        segment.meta.times = times;
        segment
    }

    fn find_one(
        &self,
        key: &[ColumnId],
        values: &[ArrayRef],
        time: Option<ColumnId>,
        hash: u64,
        row: usize,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        let value = |id: ColumnId| key.iter().position(|k| *k == id).map(|i| values[i].slice(row, 1));
        let at = |id: ColumnId| value(id).and_then(|v| TimeValues::of(&v).get(0)).map(|t| (id, t));
        // Equal numbers may have other bytes, which statistics would tell apart.
        let exact = key.iter().zip(values).filter(|(_, array)| *array.data_type() != DataType::LargeBinary);
        let scan = Scan {
            columns: key.to_vec(),
            row_ids: true,
            times: time.and_then(at).map(|(id, t)| (id, RangeSet::from_times([t], 1))),
            equals: exact.map(|(id, array)| (*id, array.slice(row, 1))).collect(),
        };
        for part in self.parts(&scan) {
            for batch in self.read(part, &scan, true, &RowIds::new())? {
                let hashes = key_hashes(&batch.columns()[..key.len()])?;
                let same = hashes.iter().enumerate().filter(|(_, h)| **h == Some(hash));
                found.extend(same.map(|(at, _)| found_at(row, &batch, at)));
            }
        }
        Ok(())
    }

    fn make_index(&self, key: &[ColumnId]) -> Result<Arc<KeyIndex>> {
        let mut entries = Vec::with_capacity(self.meta.row_count as usize);
        let mut start = 0;
        for batch in self.keys(key)? {
            let hashes = key_hashes(&batch.columns()[..key.len()])?;
            entries.extend(hashes.into_iter().enumerate().filter_map(|(i, h)| Some((h?, start + i as u32))));
            start += batch.num_rows() as u32;
        }
        entries.sort_unstable();
        let index = Arc::new(KeyIndex(entries));
        self.file.cache.want(&Key::Index(self.meta.id, key.to_vec()));
        self.file.cache.put_index(self.meta.id, key, &index);
        Ok(index)
    }
}

fn found_at(row: usize, batch: &RecordBatch, at: usize) -> Found {
    let (ids, columns) = batch.columns().split_last().expect("row ids come last");
    debug_assert_eq!(batch.schema().fields().last().map(|f| f.name().as_str()), Some(ROW_ID));
    Found { row, id: ids.as_primitive::<UInt64Type>().value(at), columns: columns.to_vec(), at }
}
