//! Indexes and keys in words.

use crate::information::Known;
use crate::information::relations::Kind;
use highwater_model::{Index, IndexColumn, Table};

/// A name as it is written in SQL: in quotes only where it needs them.
pub fn quoted_where_needed(name: &str) -> String {
    let plain =
        name.bytes().enumerate().all(|(i, b)| b.is_ascii_lowercase() || b == b'_' || (i > 0 && b.is_ascii_digit()));
    if plain && !name.is_empty() { name.to_owned() } else { crate::work::quoted(name) }
}

/// What `pg_get_indexdef` says of an index, or of its `column`-th column when that is not 0.
pub fn index_definition(known: &Known, oid: u32, column: usize) -> Option<String> {
    let relation = known.relation(oid)?;
    let Kind::Index(table, index) = &relation.kind else { return None };
    if column > 0 {
        return index.columns.get(column - 1).map(|c| column_of(table, c));
    }
    let unique = if index.unique { "UNIQUE " } else { "" };
    let columns = index.columns.iter().map(|c| match c.descending {
        true => format!("{} DESC", column_of(table, c)),
        false => column_of(table, c),
    });
    Some(format!(
        "CREATE {unique}INDEX {} ON {}.{} USING {} ({})",
        quoted_where_needed(&index.name),
        quoted_where_needed(&table.schema),
        quoted_where_needed(&table.name),
        method(index),
        columns.collect::<Vec<_>>().join(", ")
    ))
}

/// What `pg_get_constraintdef` says of a key or a condition.
pub fn definition(known: &Known, oid: u32) -> Option<String> {
    let rules = known.version.catalog().objects.rules.values();
    if let Some(check) = rules.flat_map(|r| &r.checks).find(|c| c.id == oid) {
        return Some(format!("CHECK (({}))", check.sql));
    }
    let relation = known.relation(oid)?;
    let Kind::Index(table, index) = &relation.kind else { return None };
    let columns: Vec<String> = index.columns.iter().map(|c| column_of(table, c)).collect();
    let what = if index.primary { "PRIMARY KEY" } else { "UNIQUE" };
    (index.constraint || index.primary).then(|| format!("{what} ({})", columns.join(", ")))
}

/// The access method of an index.
fn method(index: &Index) -> &str {
    if index.method.is_empty() { "btree" } else { &index.method }
}

fn column_of(table: &Table, column: &IndexColumn) -> String {
    match column.column.and_then(|id| table.column_by_id(id)) {
        Some(column) => quoted_where_needed(&column.name),
        None => column.sql.clone(),
    }
}
