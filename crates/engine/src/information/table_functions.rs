//! Functions in FROM that answer from the catalog.

use crate::Result;
use crate::administration::chunk_name;
use crate::information::functions::{relation, rows_of};
use crate::information::rows::{Cell, Columns, Row, columns, row, table};
use crate::information::{Known, TableFunction, size};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use highwater_model::{ColumnId, Table};
use std::sync::Arc;

const FUNCTIONS: &[(&str, TableFunction)] = &[
    ("hypertable_detailed_size", hypertable_detailed_size),
    ("hypertable_approximate_detailed_size", hypertable_detailed_size),
    ("chunks_detailed_size", chunks_detailed_size),
    ("chunk_compression_stats", chunk_compression_stats),
    ("chunk_columnstore_stats", chunk_compression_stats),
    ("hypertable_compression_stats", hypertable_compression_stats),
    ("hypertable_columnstore_stats", hypertable_compression_stats),
    ("pg_options_to_table", |_, _| table(columns! { option_name text, option_value text }, Vec::new())),
    ("aclexplode", |_, _| {
        table(columns! { grantor oid, grantee oid, privilege_type text, is_grantable bool }, Vec::new())
    }),
    ("pg_partition_ancestors", |_, _| table(columns! { relid regclass }, Vec::new())),
    ("pg_partition_tree", |_, _| {
        table(columns! { relid regclass, parentrelid regclass, isleaf bool, level int4 }, Vec::new())
    }),
    ("pg_get_publication_tables", |_, _| table(columns! { relid oid, attrs int2vector, qual text }, Vec::new())),
    ("pg_show_all_settings", |known, _| table(super::pg_catalog::PG_SETTINGS, super::pg_catalog::pg_settings(known))),
    ("pg_get_keywords", |_, _| table(columns! { word text, catcode char, catdesc text }, Vec::new())),
];

/// The names of the functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// The function of this name.
pub fn find(name: &str) -> Option<TableFunction> {
    FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

const SIZES: Columns = columns! {
    table_bytes int8, index_bytes int8, toast_bytes int8, total_bytes int8, node_name name,
};

/// Indexes take no files of their own: a segment carries what finds its rows.
fn hypertable_detailed_size(known: &Known, args: &[ScalarValue]) -> Result<Arc<dyn TableProvider>> {
    let relation = args.first().map(|arg| relation(known, arg)).transpose()?.flatten();
    let is_cut = |id| known.version.catalog().tables.get(&id).is_some_and(|t| t.hypertable.is_some());
    let rows = relation.as_ref().and_then(rows_of).filter(|id| is_cut(*id)).map(|id| {
        let bytes = size::relation_bytes(&known.version, id) as i64;
        row![bytes, 0, 0, bytes, Cell::Null]
    });
    table(SIZES, rows.into_iter().collect())
}

const CHUNK_SIZES: Columns = columns! {
    chunk_schema name, chunk_name name, table_bytes int8, index_bytes int8, toast_bytes int8, total_bytes int8,
    node_name name,
};

/// The table that holds the chunks of the relation that an argument names, and its time column.
fn cut_table(known: &Known, args: &[ScalarValue]) -> Result<Option<(Arc<Table>, ColumnId)>> {
    let relation = args.first().map(|arg| relation(known, arg)).transpose()?.flatten();
    Ok(relation.as_ref().and_then(rows_of).and_then(|id| {
        let of = known.version.catalog().tables.get(&id)?;
        Some((of.clone(), of.hypertable.as_ref()?.time_column))
    }))
}

fn chunks_detailed_size(known: &Known, args: &[ScalarValue]) -> Result<Arc<dyn TableProvider>> {
    let mut rows: Vec<Row> = Vec::new();
    if let Some((of, time)) = cut_table(known, args)? {
        let data = known.version.table(of.id);
        for chunk in data.chunks.values() {
            let name = chunk_name(&of, chunk);
            let (schema, name) = name.split_once('.').unwrap_or(("", &name));
            let bytes = size::chunk_bytes(&data, time, chunk).total() as i64;
            rows.push(row![schema, name, bytes, 0, 0, bytes, Cell::Null]);
        }
    }
    table(CHUNK_SIZES, rows)
}

const CHUNK_COMPRESSION: Columns = columns! {
    chunk_schema name, chunk_name name, compression_status text, before_compression_table_bytes int8,
    before_compression_index_bytes int8, before_compression_toast_bytes int8, before_compression_total_bytes int8,
    after_compression_table_bytes int8, after_compression_index_bytes int8, after_compression_toast_bytes int8,
    after_compression_total_bytes int8, node_name name,
};

/// Bytes of a table, its indexes, what is beside it, and all; NULLs when there is nothing to tell of.
fn bytes_of(total: Option<u64>) -> Row {
    let total = total.map(|bytes| bytes as i64);
    let none = total.map(|_| 0);
    row![total, none, none, total]
}

fn chunk_compression_stats(known: &Known, args: &[ScalarValue]) -> Result<Arc<dyn TableProvider>> {
    let mut rows: Vec<Row> = Vec::new();
    if let Some((of, time)) = cut_table(known, args)?.filter(|(of, _)| of.compressed_order().is_some()) {
        let data = known.version.table(of.id);
        for chunk in data.chunks.values() {
            let name = chunk_name(&of, chunk);
            let (schema, name) = name.split_once('.').unwrap_or(("", &name));
            let status = if chunk.compressed.is_some() { "Compressed" } else { "Uncompressed" };
            let mut row = row![schema, name, status];
            row.extend(bytes_of(chunk.compressed.as_ref().map(|c| c.bytes_before)));
            row.extend(bytes_of(chunk.compressed.as_ref().map(|_| size::chunk_bytes(&data, time, chunk).compressed)));
            row.push(Cell::Null);
            rows.push(row);
        }
    }
    table(CHUNK_COMPRESSION, rows)
}

const HYPERTABLE_COMPRESSION: Columns = columns! {
    total_chunks int8, number_compressed_chunks int8, before_compression_table_bytes int8,
    before_compression_index_bytes int8, before_compression_toast_bytes int8, before_compression_total_bytes int8,
    after_compression_table_bytes int8, after_compression_index_bytes int8, after_compression_toast_bytes int8,
    after_compression_total_bytes int8, node_name name,
};

fn hypertable_compression_stats(known: &Known, args: &[ScalarValue]) -> Result<Arc<dyn TableProvider>> {
    let cut = cut_table(known, args)?.filter(|(of, _)| of.compressed_order().is_some());
    let rows = cut.map(|(of, time)| {
        let data = known.version.table(of.id);
        let compressed = || data.chunks.values().filter_map(|chunk| Some((chunk, chunk.compressed.as_ref()?)));
        let count = compressed().count();
        let some = |bytes: u64| Some(bytes).filter(|_| count > 0);
        let mut row = row![data.chunks.len(), count];
        row.extend(bytes_of(some(compressed().map(|(_, c)| c.bytes_before).sum())));
        row.extend(bytes_of(some(compressed().map(|(c, _)| size::chunk_bytes(&data, time, c).compressed).sum())));
        row.push(Cell::Null);
        row
    });
    table(HYPERTABLE_COMPRESSION, rows.into_iter().collect())
}
