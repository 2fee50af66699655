//! What is said of compression in CREATE TABLE … WITH, ALTER TABLE … SET and ALTER MATERIALIZED VIEW … SET.

use crate::error::{Error, Result};
use crate::parse::{self, ident};
use crate::work::Work;
use datafusion::sql::sqlparser::ast::{Expr, OrderByKind, SelectItem, SetExpr};
use highwater_model::{ColumnId, Compression, ContinuousAggregate, OrderBy, Output, Table};

/// Options of compression, as they were given.
#[derive(Clone, Debug, Default)]
pub struct CompressionOptions {
    /// Whether chunks may be compressed.
    pub enable: Option<bool>,
    segment_by: Option<String>,
    order_by: Option<String>,
}

impl CompressionOptions {
    /// Takes an option, if it is one of these.
    ///
    /// * `name` – without `timescaledb.` or `tsdb.`.
    pub fn take(&mut self, name: &str, value: &Option<String>) -> Result<bool> {
        let text = || value.clone().unwrap_or_default();
        match name {
            "compress" | "enable_columnstore" | "columnstore" => {
                self.enable = Some(match value.as_deref().map(str::to_lowercase).as_deref() {
                    None | Some("true" | "on" | "1" | "yes" | "t") => true,
                    Some("false" | "off" | "0" | "no" | "f") => false,
                    Some(other) => {
                        return Err(Error::invalid_parameter(format!(
                            "invalid value for timescaledb.{name} '{other}'"
                        ))
                        .hint(format!("timescaledb.{name} must be a valid bool")));
                    }
                });
            }
            "compress_segmentby" | "segmentby" | "segment_by" => self.segment_by = Some(text()),
            "compress_orderby" | "orderby" | "order_by" => self.order_by = Some(text()),
            "compress_chunk_time_interval" | "compress_chunk_interval" => {
                return Err(Error::unsupported(format!("timescaledb.{name} is not supported"))
                    .hint("Chunks are not merged by compressing them; set_chunk_time_interval makes new ones wider."));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether there is any.
    pub fn is_given(&self) -> bool {
        self.enable.is_some() || self.segment_by.is_some() || self.order_by.is_some()
    }

    /// The table with these options.
    ///
    /// * `shown` – its name to the user, or that of the aggregate that it keeps.
    /// * `column` – what the user calls its columns.
    ///
    /// # Errors
    /// TS001 when it is no hypertable, 22023 when compression is not enabled, 0A000 when it is to be disabled while
    /// chunks are compressed, 42703 and 42601 for columns that cannot be.
    pub fn applied(
        &self,
        work: &Work,
        table: &Table,
        shown: &str,
        column: &dyn Fn(&str) -> Option<ColumnId>,
    ) -> Result<Table> {
        let mut changed = table.clone();
        let Some(hypertable) = &mut changed.hypertable else {
            return Err(Error::new("TS001", format!("\"{shown}\" is not a hypertable")));
        };
        if self.enable == Some(false) {
            if self.segment_by.is_some() || self.order_by.is_some() {
                return Err(Error::invalid_parameter(format!("columnstore not enabled on \"{shown}\""))
                    .hint("Leave segmentby and orderby out, or enable it."));
            }
            let data = work.transaction.version().table(table.id);
            if data.chunks.values().any(|chunk| chunk.compressed.is_some()) {
                return Err(Error::unsupported("cannot disable columnstore on hypertable with columnstore chunks")
                    .hint("Use decompress_chunk on its chunks first."));
            }
            hypertable.compression = None;
            return Ok(changed);
        }
        if self.enable.is_none() && hypertable.compression.is_none() {
            return Err(Error::invalid_parameter(format!("columnstore not enabled on \"{shown}\""))
                .hint("Set timescaledb.enable_columnstore, too."));
        }
        let find = |name: &str, option: &str| {
            column(name).ok_or_else(|| {
                Error::no_column(name)
                    .hint(format!("The timescaledb.compress_{option} option must reference a valid column."))
            })
        };
        let compression = hypertable.compression.get_or_insert_default();
        if let Some(text) = &self.segment_by {
            let columns = read_segment_by(text)?;
            let columns = columns.iter().map(|name| find(name, "segmentby")).collect::<Result<Vec<_>>>()?;
            compression.segment_by = Some(columns);
        }
        if let Some(text) = &self.order_by {
            let order = read_order_by(text)?.into_iter().map(|(name, descending, nulls_first)| {
                Ok(OrderBy { column: find(&name, "orderby")?, descending, nulls_first })
            });
            compression.order_by = Some(order.collect::<Result<Vec<_>>>()?);
        }
        refuse_twice(&changed)?;
        Ok(changed)
    }
}

/// A column segments or orders, once.
fn refuse_twice(table: &Table) -> Result<()> {
    let Some((segment_by, order_by)) = table.compressed_order() else { return Ok(()) };
    let name = |id: ColumnId| table.column_by_id(id).map(|c| c.name.clone()).unwrap_or_default();
    let order_by: Vec<ColumnId> = order_by.iter().map(|by| by.column).collect();
    for columns in [&segment_by, &order_by] {
        if let Some(twice) = columns.iter().enumerate().find(|(i, id)| columns[..*i].contains(id)) {
            return Err(Error::syntax(format!("duplicate column name \"{}\"", name(*twice.1))));
        }
    }
    match segment_by.iter().find(|id| order_by.contains(id)) {
        None => Ok(()),
        Some(both) => {
            let text = format!("cannot use column \"{}\" for both ordering and segmenting", name(*both));
            Err(Error::syntax(text).hint("Use separate columns for timescaledb.orderby and timescaledb.segmentby."))
        }
    }
}

/// Names of columns, separated by commas.
fn read_segment_by(text: &str) -> Result<Vec<String>> {
    let unreadable = || Error::syntax(format!("unable to parse segmenting option \"{text}\""));
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let query = parse::parse_query(&format!("SELECT {text}")).map_err(|_| unreadable())?;
    let SetExpr::Select(select) = query.body.as_ref() else { return Err(unreadable()) };
    let names = select.projection.iter().map(|item| match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Ok(ident(name)),
        _ => Err(unreadable()),
    });
    names.collect()
}

/// Names of columns, whether they descend, and whether NULLs come first.
fn read_order_by(text: &str) -> Result<Vec<(String, bool, bool)>> {
    let unreadable = || {
        Error::syntax(format!("unable to parse ordering option \"{text}\""))
            .hint("It is a set of column names with sort options, separated by commas, as in ORDER BY.")
    };
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let query = parse::parse_query(&format!("SELECT 1 ORDER BY {text}")).map_err(|_| unreadable())?;
    let Some(OrderByKind::Expressions(order)) = query.order_by.map(|order| order.kind) else {
        return Err(unreadable());
    };
    let columns = order.iter().map(|by| match &by.expr {
        Expr::Identifier(name) => {
            let descending = by.options.asc == Some(false);
            Ok((ident(name), descending, by.options.nulls_first.unwrap_or(descending)))
        }
        _ => Err(unreadable()),
    });
    columns.collect()
}

/// The column that keeps an output of an aggregate.
pub fn kept_as(cagg: &ContinuousAggregate, output: &str) -> Option<ColumnId> {
    cagg.outputs.iter().find_map(|(name, output_of)| match output_of {
        Output::Kept(id) if name == output => Some(*id),
        _ => None,
    })
}

/// What was said of an aggregate's compression, for another definition of it: as far as it keeps columns of these names.
pub fn carried_over(kept: &Compression, old: &ContinuousAggregate, new: &ContinuousAggregate) -> Compression {
    let moved = |id: ColumnId| {
        let (name, _) = old.outputs.iter().find(|(_, output)| matches!(output, Output::Kept(of) if *of == id))?;
        kept_as(new, name)
    };
    let segment_by = |ids: &Vec<ColumnId>| ids.iter().map(|id| moved(*id)).collect::<Option<Vec<_>>>();
    let order_by = |by: &Vec<OrderBy>| {
        by.iter().map(|by| Some(OrderBy { column: moved(by.column)?, ..*by })).collect::<Option<Vec<_>>>()
    };
    Compression {
        segment_by: kept.segment_by.as_ref().and_then(segment_by),
        order_by: kept.order_by.as_ref().and_then(order_by),
    }
}

/// Refuses to drop a column that compressed rows are sorted by.
pub fn refuse_dropping(table: &Table, column: ColumnId) -> Result<()> {
    let said = table.hypertable.as_ref().and_then(|h| h.compression.as_ref());
    let uses = said.is_some_and(|said| {
        said.segment_by.iter().flatten().any(|id| *id == column)
            || said.order_by.iter().flatten().any(|by| by.column == column)
    });
    match uses {
        false => Ok(()),
        true => Err(Error::unsupported(
            "cannot drop orderby or segmentby column from a hypertable with columnstore enabled",
        )
        .hint("Set timescaledb.segmentby or timescaledb.orderby without it first.")),
    }
}
