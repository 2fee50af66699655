//! Indexes, keys and conditions.

use super::schema_oid;
use crate::information::Known;
use crate::information::constraint;
use crate::information::relations::{Kind, Relation};
use crate::information::rows::{Cell, Columns, Row, columns, row};
use highwater_model::{Index, Table};
use std::sync::Arc;

pub const PG_INDEX: Columns = columns! {
    indexrelid oid, indrelid oid, indnatts int2, indnkeyatts int2, indisunique bool, indnullsnotdistinct bool,
    indisprimary bool, indisexclusion bool, indimmediate bool, indisclustered bool, indisvalid bool, indcheckxmin bool,
    indisready bool, indislive bool, indisreplident bool, indkey int2vector, indcollation oidvector, indclass oidvector,
    indoption int2vector, indexprs pg_node_tree, indpred pg_node_tree,
};

pub fn pg_index(known: &Known) -> Vec<Row> {
    indexes(known)
        .map(|(relation, table, index)| {
            let zeros = vec![0u32; index.columns.len()];
            let options: Vec<u32> = index.columns.iter().map(|c| if c.descending { 3 } else { 0 }).collect();
            let expressions: Vec<&str> =
                index.columns.iter().filter(|c| c.column.is_none()).map(|c| c.sql.as_str()).collect();
            row![
                relation.oid,
                table.id.0,
                index.columns.len(),
                index.columns.len(),
                index.unique,
                false,
                index.primary,
                false,
                true,
                false,
                true,
                false,
                true,
                true,
                false,
                numbers(index),
                zeros.clone(),
                zeros,
                options,
                (!expressions.is_empty()).then(|| expressions.join(", ")),
                Cell::Null,
            ]
        })
        .collect()
}

pub const PG_CONSTRAINT: Columns = columns! {
    oid oid, conname name, connamespace oid, contype char, condeferrable bool, condeferred bool, convalidated bool,
    conrelid oid, contypid oid, conindid oid, conparentid oid, confrelid oid, confupdtype char, confdeltype char,
    confmatchtype char, conislocal bool, coninhcount int4, connoinherit bool, conkey int2[], confkey int2[],
    conpfeqop oid[], conppeqop oid[], conffeqop oid[], confdelsetcols int2[], conexclop oid[], conbin pg_node_tree,
};

pub fn pg_constraint(known: &Known) -> Vec<Row> {
    let keys = indexes(known).filter(|(_, _, index)| index.constraint || index.primary);
    keys.map(|(relation, table, index)| {
        row![
            relation.oid,
            &index.name,
            schema_oid(known, &table.schema),
            if index.primary { 'p' } else { 'u' },
            false,
            false,
            true,
            table.id.0,
            0,
            relation.oid,
            0,
            0,
            " ",
            " ",
            " ",
            true,
            0,
            true,
            numbers(index),
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
        ]
    })
    .chain(checks(known))
    .collect()
}

/// CHECK constraints as rows of `pg_constraint`.
fn checks(known: &Known) -> Vec<Row> {
    let catalog = known.version.catalog();
    let mut rows = Vec::new();
    for (id, rules) in &catalog.objects.rules {
        let Some(table) = catalog.tables.get(id) else { continue };
        for check in &rules.checks {
            let used = crate::parse::parse_expr(&check.sql).map(|e| crate::define::columns_of(&e, table));
            let numbers: Vec<u32> = used.unwrap_or_default().iter().map(|c| c.id.0).collect();
            let mut row = row![
                check.id,
                &check.name,
                schema_oid(known, &table.schema),
                'c',
                false,
                false,
                true,
                table.id.0,
                0,
                0,
                0,
                0,
                " ",
                " ",
                " ",
                true,
                0,
                false,
                numbers,
            ];
            row.extend(vec![Cell::Null; 6]);
            row.push(format!("({})", check.sql).into());
            rows.push(row);
        }
    }
    rows
}

pub const PG_INDEXES: Columns = columns! {
    schemaname name, tablename name, indexname name, tablespace name, indexdef text,
};

pub fn pg_indexes(known: &Known) -> Vec<Row> {
    indexes(known)
        .map(|(relation, table, index)| {
            let definition = constraint::index_definition(known, relation.oid, 0);
            row![&table.schema, &table.name, &index.name, Cell::Null, definition]
        })
        .collect()
}

/// All indexes with the tables they are on.
fn indexes(known: &Known) -> impl Iterator<Item = (&Relation, &Arc<Table>, &Index)> {
    known.relations().iter().filter_map(|relation| match &relation.kind {
        Kind::Index(table, index) => Some((relation, table, index)),
        _ => None,
    })
}

fn numbers(index: &Index) -> Vec<u32> {
    index.columns.iter().map(|c| c.column.map_or(0, |id| id.0)).collect()
}
