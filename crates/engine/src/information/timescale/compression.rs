//! How chunks are compressed.

use super::cut_tables;
use crate::administration::chunk_name;
use crate::information::quoted_where_needed;
use crate::information::rows::{Cell, Columns, Row, columns, row};
use crate::query::Planner;
use highwater_model::{ColumnId, ContinuousAggregate, OrderBy, Output, Table};
use highwater_store::Version;
use std::sync::Arc;

pub const COMPRESSION_SETTINGS: Columns = columns! {
    hypertable_schema name, hypertable_name name, attname name, segmentby_column_index int2, orderby_column_index int2,
    orderby_asc bool, orderby_nullsfirst bool,
};

pub const HYPERTABLE_COMPRESSION_SETTINGS: Columns = columns! {
    hypertable regclass, segmentby text, orderby text, compress_interval_length text,
};

pub const CHUNK_COMPRESSION_SETTINGS: Columns = columns! {
    hypertable regclass, chunk regclass, segmentby text, orderby text,
};

/// A row for each column that rows are gathered or sorted by.
pub fn compression_settings(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    let mut rows = Vec::new();
    for (table, _) in cut_tables(version) {
        let Some((segment_by, order_by)) = table.compressed_order() else { continue };
        let names = Names::of(version, table);
        let head = |id| row![names.schema, names.relation, names.column(id)];
        for (i, id) in segment_by.iter().enumerate() {
            rows.push([head(*id), row![i + 1, Cell::Null, Cell::Null, Cell::Null]].concat());
        }
        for (i, by) in order_by.iter().enumerate() {
            rows.push([head(by.column), row![Cell::Null, i + 1, !by.descending, by.nulls_first]].concat());
        }
    }
    rows
}

/// A row for each hypertable whose chunks may be compressed.
pub fn hypertable_compression_settings(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    let setting = |table: &Arc<Table>| {
        let (segment_by, order_by) = table.compressed_order()?;
        let names = Names::of(version, table);
        let mut row = row![names.shown()];
        row.extend(names.order(&segment_by, &order_by));
        row.push(Cell::Null);
        Some(row)
    };
    cut_tables(version).filter_map(|(table, _)| setting(table)).collect()
}

/// A row for each compressed chunk: as it was compressed.
pub fn chunk_compression_settings(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    let mut rows = Vec::new();
    for (table, _) in cut_tables(version) {
        let names = Names::of(version, table);
        for chunk in version.table(table.id).chunks.values() {
            let Some(compressed) = &chunk.compressed else { continue };
            let mut row = row![names.shown(), chunk_name(table, chunk)];
            row.extend(names.order(&compressed.segment_by, &compressed.order_by));
            rows.push(row);
        }
    }
    rows
}

/// What the user calls a table and its columns: those of what keeps an aggregate by the aggregate's.
struct Names<'a> {
    schema: &'a str,
    relation: &'a str,
    table: &'a Table,
    cagg: Option<&'a Arc<ContinuousAggregate>>,
}

impl<'a> Names<'a> {
    fn of(version: &'a Version, table: &'a Table) -> Names<'a> {
        let cagg = version.catalog().caggs.values().find(|cagg| cagg.materialization == table.id);
        let (schema, relation) = cagg.map_or((&table.schema, &table.name), |cagg| (&cagg.schema, &cagg.name));
        Names { schema, relation, table, cagg }
    }

    fn shown(&self) -> String {
        let name = quoted_where_needed(self.relation);
        match self.schema {
            "public" => name,
            schema => format!("{}.{name}", quoted_where_needed(schema)),
        }
    }

    fn column(&self, id: ColumnId) -> &'a str {
        let output = |cagg: &'a Arc<ContinuousAggregate>| {
            let is_it = |(_, output): &&(String, Output)| matches!(output, Output::Kept(of) if *of == id);
            cagg.outputs.iter().find(is_it).map(|(name, _)| name.as_str())
        };
        let own = || self.table.column_by_id(id).map(|column| column.name.as_str());
        self.cagg.and_then(output).or_else(own).unwrap_or_default()
    }

    /// As the options were written, or could have been.
    fn order(&self, segment_by: &[ColumnId], order_by: &[OrderBy]) -> Row {
        let name = |id| quoted_where_needed(self.column(id));
        let segments: Vec<String> = segment_by.iter().map(|id| name(*id)).collect();
        let orders = order_by.iter().map(|by| {
            let nulls = match (by.descending, by.nulls_first) {
                (true, false) => " NULLS LAST",
                (false, true) => " NULLS FIRST",
                _ => "",
            };
            format!("{}{}{nulls}", name(by.column), if by.descending { " DESC" } else { "" })
        });
        let segments = Some(segments.join(",")).filter(|text| !text.is_empty());
        row![segments, orders.collect::<Vec<_>>().join(",")]
    }
}
