//! Functions in FROM that answer from the catalog.

use crate::Result;
use crate::administration::chunk_name;
use crate::information::functions::{relation, rows_of};
use crate::information::rows::{Cell, Columns, Row, columns, row, table};
use crate::information::{Known, TableFunction, size};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use std::sync::Arc;

const FUNCTIONS: &[(&str, TableFunction)] = &[
    ("hypertable_detailed_size", hypertable_detailed_size),
    ("hypertable_approximate_detailed_size", hypertable_detailed_size),
    ("chunks_detailed_size", chunks_detailed_size),
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

fn chunks_detailed_size(known: &Known, args: &[ScalarValue]) -> Result<Arc<dyn TableProvider>> {
    let relation = args.first().map(|arg| relation(known, arg)).transpose()?.flatten();
    let cut = relation.as_ref().and_then(rows_of).and_then(|id| {
        let of = known.version.catalog().tables.get(&id)?;
        Some((of.clone(), of.hypertable.as_ref()?.time_column))
    });
    let mut rows: Vec<Row> = Vec::new();
    if let Some((of, time)) = cut {
        let data = known.version.table(of.id);
        for chunk in data.chunks.values() {
            let name = chunk_name(&of, chunk);
            let (schema, name) = name.split_once('.').unwrap_or(("", &name));
            let bytes = size::chunk_bytes(&data, time, chunk) as i64;
            rows.push(row![schema, name, bytes, 0, 0, bytes, Cell::Null]);
        }
    }
    table(CHUNK_SIZES, rows)
}
