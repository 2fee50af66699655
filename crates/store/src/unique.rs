//! Rows that agree on a unique key.

use crate::rows::key_hashes;
use crate::version::TableData;
use crate::{Error, Result, schema};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use highwater_model::{ColumnId, Index, Table};
use std::collections::HashMap;

/// The columns of a key in a batch whose fields carry column ids.
pub fn key_columns(batch: &RecordBatch, key: &[ColumnId]) -> Option<Vec<ArrayRef>> {
    let schema = batch.schema();
    let position = |id: &ColumnId| schema.fields().iter().position(|f| schema::column_id(f) == Some(*id));
    key.iter().map(|id| position(id).map(|i| batch.column(i).clone())).collect()
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
    let Some(columns) = key_columns(batch, key) else { return Ok(vec![None; batch.num_rows()]) };
    let hashes = key_hashes(&columns)?;
    let converter = RowConverter::new(columns.iter().map(|c| SortField::new(c.data_type().clone())).collect())?;
    let wanted = converter.convert_columns(&columns)?;
    let times = table.hypertable.as_ref().and_then(|h| key.iter().position(|id| *id == h.time_column));
    let times = times.map(|i| crate::rows::times(&columns[i]));
    let mut found = Vec::with_capacity(batch.num_rows());
    for (i, hash) in hashes.into_iter().enumerate() {
        let Some(hash) = hash else {
            found.push(None);
            continue;
        };
        let time = times.as_ref().and_then(|t| t[i]);
        let matches = |columns: &[ArrayRef], at: usize| -> Result<bool> {
            let slice: Vec<ArrayRef> = columns.iter().map(|c| c.slice(at, 1)).collect();
            Ok(converter.convert_columns(&slice)?.row(0) == wanted.row(i))
        };
        let mut id = None;
        for rows in data.buffer.iter().rev() {
            for at in rows.positions_of(key, hash)? {
                let row_id = rows.first_id + u64::from(at);
                let columns = key_columns(&rows.batch, key).unwrap_or_default();
                if id.is_none() && !data.deleted.contains(row_id) && matches(&columns, at as usize)? {
                    id = Some(row_id);
                }
            }
        }
        for segment in &data.segments {
            let outside = |(first, last): (i64, i64)| time.is_some_and(|t| t < first || t > last);
            if id.is_some() || segment.meta.times.is_some_and(outside) {
                continue;
            }
            for (row_id, key_row) in segment.find_key(key, hash)? {
                if !data.deleted.contains(row_id) && matches(key_row.columns(), 0)? {
                    id = Some(row_id);
                }
            }
        }
        found.push(id);
    }
    Ok(found)
}

/// The position of the first row of `batch` that repeats the key of an earlier one.
pub fn first_repeat(key: &[ColumnId], batch: &RecordBatch) -> Result<Option<usize>> {
    let Some(columns) = key_columns(batch, key) else { return Ok(None) };
    let converter = RowConverter::new(columns.iter().map(|c| SortField::new(c.data_type().clone())).collect())?;
    let rows = converter.convert_columns(&columns)?;
    let mut seen: HashMap<u64, Vec<usize>> = HashMap::with_capacity(rows.num_rows());
    for (i, hash) in key_hashes(&columns)?.into_iter().enumerate() {
        let Some(hash) = hash else { continue };
        let earlier = seen.entry(hash).or_default();
        if earlier.iter().any(|e| rows.row(*e) == rows.row(i)) {
            return Ok(Some(i));
        }
        earlier.push(i);
    }
    Ok(None)
}

/// The error that says which key is there twice.
pub fn duplicate(table: &Table, index: &Index, key: &[ColumnId], batch: &RecordBatch, row: usize) -> Error {
    let columns = key_columns(batch, key).unwrap_or_default();
    let options = FormatOptions::default();
    let values: Vec<String> = columns
        .iter()
        .map(|c| ArrayFormatter::try_new(c, &options).map(|f| f.value(row).to_string()).unwrap_or_default())
        .collect();
    let names: Vec<&str> = key.iter().filter_map(|id| table.column_by_id(*id)).map(|c| c.name.as_str()).collect();
    Error::Duplicate {
        table: table.id,
        index: index.name.clone(),
        key: format!("({})=({})", names.join(", "), values.join(", ")),
    }
}
