//! Rows that agree on a unique key.
//!
//! Keys are compared by their hashes first, which are kept sorted, so that two sets of them meet by one
//! walk over the smaller:
//!
//! ```text
//! new rows       03 17 42 99 ──┐
//! buffered rows  05 17 60 ─────┼─ 17 meets 17: compare the keys themselves
//! segment        11 42 70 ─────┘
//! ```

use crate::rows::{KeyPositions, TimeValues, key_hashes};
use crate::version::TableData;
use crate::{Error, Result, schema};
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use highwater_model::{ColumnId, Index, Numeric, Table};
use std::sync::Arc;

/// The columns of a key in a batch whose fields carry column ids.
pub fn key_columns(batch: &RecordBatch, key: &[ColumnId]) -> Option<Vec<ArrayRef>> {
    let schema = batch.schema();
    let position = |id: &ColumnId| schema.fields().iter().position(|f| schema::column_id(f) == Some(*id));
    key.iter().map(|id| position(id).map(|i| batch.column(i).clone())).collect()
}

/// The keys of new rows.
pub struct Keys {
    key: Vec<ColumnId>,
    columns: Vec<ArrayRef>,
    /// Hash and row, sorted; without rows that have a NULL, because NULLs never agree.
    sorted: KeyPositions,
    converter: RowConverter,
}

impl Keys {
    /// The keys of `batch`; `None` if it lacks a column of the key.
    pub fn of(batch: &RecordBatch, key: &[ColumnId]) -> Result<Option<Keys>> {
        let Some(columns) = key_columns(batch, key) else { return Ok(None) };
        let hashes = key_hashes(&columns)?.into_iter().enumerate();
        let mut sorted: KeyPositions = hashes.filter_map(|(i, hash)| Some((hash?, i as u32))).collect();
        sorted.sort_unstable();
        let fields = columns.iter().map(|c| SortField::new(schema::comparable(&c.slice(0, 0)).data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        Ok(Some(Keys { key: key.to_vec(), columns, sorted, converter }))
    }

    /// The hashes, sorted.
    pub fn hashes(&self) -> Arc<[u64]> {
        self.sorted.iter().map(|(hash, _)| *hash).collect()
    }

    /// The first row that repeats the key of an earlier one.
    pub fn first_repeat(&self) -> Result<Option<usize>> {
        let mut repeat: Option<usize> = None;
        for same in self.sorted.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            for (i, (_, row)) in same.iter().enumerate() {
                for (_, earlier) in &same[..i] {
                    let row = *row as usize;
                    if repeat.is_none_or(|r| row < r) && self.agree(row, &self.columns, *earlier as usize)? {
                        repeat = Some(row);
                    }
                }
            }
        }
        Ok(repeat)
    }

    /// For each row, the id of a live row of `data` that has its key.
    pub fn find_existing(&self, data: &TableData, table: &Table, count: usize) -> Result<Vec<Option<u64>>> {
        let mut found = vec![None; count];
        let time = table.hypertable.as_ref().map(|h| h.time_column);
        let time = time.and_then(|id| Some((id, self.key.iter().position(|k| *k == id)?)));
        let times = time.map(|(_, position)| TimeValues::of(&self.columns[position]));
        let hull = times.and_then(|times| times.hull());
        let outside = |(first, last): (i64, i64)| hull.is_some_and(|(from, to)| last < from || first > to);
        for rows in data.buffer.iter().rev() {
            if time.and_then(|(id, _)| rows.time_hull(id)).is_some_and(outside) {
                continue;
            }
            let positions = rows.key_positions(&self.key)?;
            let mut columns = None;
            for (row, at) in meetings(&self.sorted, &positions) {
                let columns = columns.get_or_insert_with(|| key_columns(&rows.batch, &self.key).unwrap_or_default());
                let (row, at) = (row as usize, at as usize);
                let id = rows.ids.get(at);
                if found[row].is_none() && !data.deleted.contains(id) && self.agree(row, columns, at)? {
                    found[row] = Some(id);
                }
            }
        }
        for segment in data.segments.iter() {
            let Some(probes) = self.probes(segment.meta.times, times.as_ref(), &found) else { continue };
            for hit in segment.find_keys(&self.key, &self.columns, time.map(|(id, _)| id), &probes)? {
                if !data.deleted.contains(hit.id) && self.agree(hit.row, &hit.columns, hit.at)? {
                    found[hit.row] = Some(hit.id);
                }
            }
        }
        Ok(found)
    }

    /// The keys that a segment with these times may have and that were not found yet, if there are any.
    fn probes(
        &self,
        within: Option<(i64, i64)>,
        times: Option<&TimeValues<'_>>,
        found: &[Option<u64>],
    ) -> Option<KeyPositions> {
        let inside = |row: usize| match (within, times.and_then(|times| times.get(row))) {
            (Some((first, last)), Some(t)) => first <= t && t <= last,
            _ => true,
        };
        let wanted = self.sorted.iter().filter(|(_, row)| found[*row as usize].is_none() && inside(*row as usize));
        Some(wanted.copied().collect::<KeyPositions>()).filter(|probes| !probes.is_empty())
    }

    fn agree(&self, row: usize, columns: &[ArrayRef], at: usize) -> Result<bool> {
        let one = |columns: &[ArrayRef], at: usize| {
            let slices: Vec<ArrayRef> = columns.iter().map(|c| schema::comparable(&c.slice(at, 1))).collect();
            self.converter.convert_columns(&slices)
        };
        Ok(one(&self.columns, row)?.row(0) == one(columns, at)?.row(0))
    }
}

/// Pairs of positions whose hashes are the same. Both sides are sorted.
pub fn meetings(a: &[(u64, u32)], b: &[(u64, u32)]) -> Vec<(u32, u32)> {
    if a.len() > b.len() {
        return meetings(b, a).into_iter().map(|(x, y)| (y, x)).collect();
    }
    let (mut pairs, mut rest) = (Vec::new(), b);
    for (hash, x) in a {
        rest = &rest[skip_below(rest, *hash)..];
        pairs.extend(rest.iter().take_while(|(h, _)| h == hash).map(|(_, y)| (*x, *y)));
    }
    pairs
}

/// Whether two sorted lists of hashes have one in common.
pub fn meet(a: &[u64], b: &[u64]) -> bool {
    let (few, mut rest) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    few.iter().any(|hash| {
        rest = &rest[rest.partition_point(|h| h < hash)..];
        rest.first() == Some(hash)
    })
}

/// How many entries have a smaller hash: doubling steps, then halving ones, because it is rarely far.
fn skip_below(entries: &[(u64, u32)], hash: u64) -> usize {
    let mut step = 1;
    while step < entries.len() && entries[step].0 < hash {
        step *= 2;
    }
    let (from, to) = (step / 2, (step + 1).min(entries.len()));
    from + entries[from..to].partition_point(|(h, _)| *h < hash)
}

/// For each row of `batch`, the id of a live row of `data` that agrees with it on `key`.
///
/// * `batch` – fields carry column ids and include the key's.
pub fn find_existing(
    data: &TableData,
    table: &Table,
    key: &[ColumnId],
    batch: &RecordBatch,
) -> Result<Vec<Option<u64>>> {
    match Keys::of(batch, key)? {
        Some(keys) => keys.find_existing(data, table, batch.num_rows()),
        None => Ok(vec![None; batch.num_rows()]),
    }
}

/// The position of the first row of `batch` that repeats the key of an earlier one.
pub fn first_repeat(key: &[ColumnId], batch: &RecordBatch) -> Result<Option<usize>> {
    Keys::of(batch, key)?.map_or(Ok(None), |keys| keys.first_repeat())
}

/// The error that says which key is there twice.
pub fn duplicate(table: &Table, index: &Index, key: &[ColumnId], batch: &RecordBatch, row: usize) -> Error {
    let columns = key_columns(batch, key).unwrap_or_default();
    let options = FormatOptions::default();
    let shown = |c: &ArrayRef| match c.as_binary_opt::<i64>() {
        Some(numbers) => Numeric::from_bytes(numbers.value(row)).map(|n| n.to_string()).unwrap_or_default(),
        None => ArrayFormatter::try_new(c, &options).map(|f| f.value(row).to_string()).unwrap_or_default(),
    };
    let values: Vec<String> = columns.iter().map(shown).collect();
    let names: Vec<&str> = key.iter().filter_map(|id| table.column_by_id(*id)).map(|c| c.name.as_str()).collect();
    Error::Duplicate {
        table: table.id,
        index: index.name.clone(),
        key: format!("({})=({})", names.join(", "), values.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_pairs_meet_and_no_others(a in prop::collection::vec(0..40u64, 0..30), b in prop::collection::vec(0..40u64, 0..30)) {
            let sorted = |hashes: &[u64]| {
                let mut sorted: Vec<(u64, u32)> = hashes.iter().enumerate().map(|(i, h)| (*h, i as u32)).collect();
                sorted.sort_unstable();
                sorted
            };
            let (x, y) = (sorted(&a), sorted(&b));
            let mut found = meetings(&x, &y);
            found.sort_unstable();
            let mut expected: Vec<(u32, u32)> = Vec::new();
            for (i, p) in a.iter().enumerate() {
                expected.extend(b.iter().enumerate().filter(|(_, q)| p == *q).map(|(j, _)| (i as u32, j as u32)));
            }
            expected.sort_unstable();
            let plain = |s: &[(u64, u32)]| s.iter().map(|(h, _)| *h).collect::<Vec<_>>();
            prop_assert_eq!(meet(&plain(&x), &plain(&y)), !expected.is_empty());
            prop_assert_eq!(found, expected);
        }
    }
}
