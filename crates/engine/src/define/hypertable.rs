//! Tables cut by time.

use super::compression::CompressionOptions;
use crate::error::{Error, Notice, Result};
use crate::parse::Options;
use crate::temporary::is_temporary;
use crate::work::Work;
use highwater_model::hypertable::Hypertable;
use highwater_model::{CatalogChange, Index, IndexColumn, Interval, Table, TableKind};
use std::sync::Arc;

/// Default width of chunks: a week.
const WEEK_MICROS: i64 = 7 * 86_400_000_000;

/// How a table is to be cut.
#[derive(Clone, Debug, Default)]
pub struct Partition {
    /// The time column.
    pub column: String,
    /// Width of chunks on the time axis; `None` is the default.
    pub interval: Option<i64>,
    /// Whether existing rows are to be cut too.
    pub migrate: bool,
    /// Whether it is no error when it is a hypertable already.
    pub if_not_exists: bool,
    /// Whether an index on the time is listed.
    pub default_index: bool,
    /// How chunks are to be compressed.
    pub compression: CompressionOptions,
}

/// The width of chunks from an interval: months count 30 days.
pub fn chunk_micros(interval: &Interval) -> Option<i64> {
    i64::try_from(interval.approx_micros()).ok().filter(|micros| *micros > 0)
}

/// Refuses storage parameters that PostgreSQL does not know. Those it knows are about its own files and their upkeep.
fn known_storage_parameter(name: &str) -> Result<()> {
    const KNOWN: [&str; 8] = [
        "fillfactor",
        "parallel_workers",
        "toast_tuple_target",
        "vacuum_index_cleanup",
        "vacuum_truncate",
        "log_autovacuum_min_duration",
        "user_catalog_table",
        "oids",
    ];
    let bare = name.strip_prefix("toast.").unwrap_or(name);
    if KNOWN.contains(&bare) || bare.starts_with("autovacuum_") {
        return Ok(());
    }
    Err(match name.split_once('.') {
        Some((namespace, _)) => Error::invalid_parameter(format!("unrecognized parameter namespace \"{namespace}\"")),
        None => Error::invalid_parameter(format!("unrecognized parameter \"{name}\"")),
    })
}

/// What `WITH (tsdb.hypertable, …)` says.
pub fn partition_of_options(work: &mut Work, table: &Table, options: &Options) -> Result<Option<Partition>> {
    let ours = |name: &str| name.strip_prefix("tsdb.").or_else(|| name.strip_prefix("timescaledb.")).map(str::to_owned);
    let mut partition = Partition { default_index: true, ..Partition::default() };
    // What is made so may be compressed unless it says otherwise.
    partition.compression.enable = Some(true);
    let (mut is_hypertable, mut any, mut interval) = (false, false, None);
    for (name, value) in options {
        let Some(name) = ours(name) else {
            known_storage_parameter(name)?;
            continue;
        };
        any = true;
        let text = value.clone().unwrap_or_default();
        match name.as_str() {
            "hypertable" => {
                is_hypertable =
                    value.as_deref().is_none_or(|v| matches!(v.to_lowercase().as_str(), "true" | "on" | "1"))
            }
            "partition_column" => partition.column = text,
            "chunk_interval" | "chunk_time_interval" => interval = Some(text),
            "create_default_indexes" => {
                partition.default_index = matches!(text.to_lowercase().as_str(), "true" | "on" | "1")
            }
            "associated_schema" | "associated_table_prefix" => {}
            other if partition.compression.take(other, value)? => {}
            other => return Err(Error::new("42703", format!("unrecognized parameter \"tsdb.{other}\""))),
        }
    }
    if !any {
        return Ok(None);
    }
    if !is_hypertable {
        return Err(Error::new("42703", "timescaledb options requires hypertable option")
            .hint("Use \"timescaledb.hypertable\" to enable creating a hypertable."));
    }
    if partition.column.is_empty() {
        let candidates: Vec<&str> = table
            .columns
            .iter()
            .filter(|c| c.column_type.time_type().is_some_and(|t| !t.is_integer()))
            .map(|c| c.name.as_str())
            .collect();
        let [only] = candidates[..] else {
            return Err(Error::new("42703", "partition column could not be determined")
                .hint("Use \"timescaledb.partition_column\" to specify the column to use as partitioning column."));
        };
        work.notice(
            Notice::new(format!("using column \"{only}\" as partitioning column")).hint(
                "Use \"timescaledb.partition_column\" to specify a different column to use as partitioning column.",
            ),
        );
        partition.column = only.to_owned();
    }
    if let Some(text) = interval {
        let column = table.column(&partition.column).ok_or_else(|| Error::no_column(&partition.column))?;
        let whole = column.column_type.time_type().is_some_and(|t| t.is_integer());
        partition.interval = match whole {
            true => text.parse().ok(),
            false => Interval::parse(&text).ok().as_ref().and_then(chunk_micros),
        };
        if partition.interval.is_none() {
            return Err(Error::invalid_parameter(format!("invalid chunk_interval \"{text}\"")));
        }
    }
    Ok(Some(partition))
}

/// The number that the next hypertable gets: above those of all there are.
pub fn next_number(catalog: &highwater_model::Catalog) -> u32 {
    catalog.tables.values().filter_map(|table| table.hypertable.as_ref()).map(|h| h.number).max().unwrap_or(0) + 1
}

/// Makes a table a hypertable. Gives its number.
///
/// # Errors
/// TS110 when it is one already, 42703 when there is no such column, 42804 when it is no time, 0A000 when
/// it has rows and `migrate` is not set, TS103 when a unique key lacks the time.
pub fn make_hypertable(work: &mut Work, table: &Arc<Table>, partition: &Partition) -> Result<u32> {
    if let Some(hypertable) = &table.hypertable {
        if partition.if_not_exists {
            work.notice(Notice::new(format!("table \"{}\" is already a hypertable, skipping", table.name)));
            return Ok(hypertable.number);
        }
        return Err(Error::new("TS110", format!("table \"{}\" is already a hypertable", table.name)));
    }
    if !matches!(table.kind, TableKind::Table) {
        return Err(Error::new("42809", format!("\"{}\" is not a table", table.name)));
    }
    if is_temporary(&table.schema) {
        return Err(Error::unsupported(format!("the temporary table \"{}\" cannot become a hypertable", table.name)));
    }
    let column = table.column(&partition.column).ok_or_else(|| Error::no_column(&partition.column))?;
    let Some(time_type) = column.column_type.time_type() else {
        return Err(Error::new("TS104", format!("invalid type for dimension \"{}\"", column.name))
            .hint("Use an integer, timestamp, or date type."));
    };
    let data = work.transaction.version().table(table.id);
    if data.row_count > 0 && !partition.migrate {
        return Err(Error::unsupported(format!("table \"{}\" is not empty", table.name))
            .hint("You can migrate data by specifying 'migrate_data => true' when calling this function."));
    }
    let interval = match (partition.interval, time_type.is_integer()) {
        (Some(interval), _) if interval > 0 => interval,
        (Some(_), _) => return Err(invalid_interval(&column.column_type.to_string())),
        (None, false) => WEEK_MICROS,
        (None, true) => {
            return Err(Error::invalid_parameter("integer dimensions require an explicit interval")
                .hint("Give chunk_time_interval => a number."));
        }
    };
    let number = next_number(work.transaction.version().catalog());
    let mut changed = table.as_ref().clone();
    let id = column.id;
    let sql = crate::work::quoted(&column.name);
    let default_name = format!("{}_{}_idx", table.name, column.name);
    changed.columns.iter_mut().filter(|c| c.id == id).for_each(|c| c.not_null = true);
    changed.hypertable = Some(Hypertable {
        number,
        time_column: id,
        time_type,
        chunk_interval: interval,
        integer_now: None,
        segment_by: Vec::new(),
        compression: None,
    });
    if partition.compression.is_given() {
        changed =
            partition.compression.applied(work, &changed, &table.name, &|name| table.column(name).map(|c| c.id))?;
    }
    for index in &changed.indexes {
        check_unique_index(&changed, index)?;
    }
    let covered = changed.indexes.iter().any(|i| i.columns.first().is_some_and(|c| c.column == Some(id)));
    if partition.default_index
        && !covered
        && !work.transaction.version().catalog().is_taken(&table.schema, &default_name)
    {
        changed.indexes.push(Index {
            id: work.engine.store.take_oid(),
            name: default_name,
            columns: vec![IndexColumn { column: Some(id), sql, descending: true }],
            unique: false,
            primary: false,
            constraint: false,
            method: "btree".to_owned(),
        });
    }
    work.change(CatalogChange::PutTable(Arc::new(changed)))?;
    Ok(number)
}

/// A unique key of a hypertable must contain the time: rows of different chunks are never compared.
pub fn check_unique_index(table: &Table, index: &Index) -> Result<()> {
    let Some(hypertable) = &table.hypertable else { return Ok(()) };
    if !index.unique || index.columns.iter().any(|c| c.column == Some(hypertable.time_column)) {
        return Ok(());
    }
    let time = table.column_by_id(hypertable.time_column).map(|c| c.name.clone()).unwrap_or_default();
    Err(Error::new("TS103", format!("cannot create a unique index without the column \"{time}\" (used in partitioning)"))
        .hint("If you're creating a hypertable on a table with a primary key, ensure the partitioning column is part of the primary or composite key."))
}

/// 22023: a chunk interval that cannot be.
pub fn invalid_interval(type_name: &str) -> Error {
    Error::invalid_parameter(format!("invalid interval for {type_name} dimension"))
}
