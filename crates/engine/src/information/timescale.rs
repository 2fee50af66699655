//! `timescaledb_information`: what there is of hypertables, aggregates and jobs, and how they are.
//!
//! Columns are TimescaleDB 2.28's, in its order; where a view has more, they follow. Differences are
//! deliberate: a job that never ran has NULL for its times, and a policy on an aggregate is listed under the
//! aggregate's own name everywhere.

mod compression;

use crate::administration::chunk_name;
use crate::information::rows::{Cell, Columns, Row, columns, row, table};
use crate::query::Planner;
use crate::{Result, job};
use compression::{
    CHUNK_COMPRESSION_SETTINGS, COMPRESSION_SETTINGS, HYPERTABLE_COMPRESSION_SETTINGS, chunk_compression_settings,
    compression_settings, hypertable_compression_settings,
};
use datafusion::catalog::TableProvider;
use highwater_model::job::{Action, Offset};
use highwater_model::time::{MICROS_PER_DAY, Zone, format_timestamptz};
use highwater_model::{
    ContinuousAggregate, Hypertable, Interval, Job, JobOutcome, JobRun, JobStats, RangeSet, Table, TableId, TableKind,
};
use highwater_store::Version;
use std::sync::Arc;

/// The role that owns everything that has no owner of its own.
pub const OWNER: &str = "postgres";

/// Schema of the procedures that policies run.
const FUNCTIONS_SCHEMA: &str = "_timescaledb_functions";

/// A view: its name, its columns and what makes its rows.
type View = (&'static str, Columns, fn(&Planner) -> Vec<Row>);

const VIEWS: &[View] = &[
    ("hypertables", HYPERTABLES, hypertables),
    ("chunks", CHUNKS, chunks),
    ("dimensions", DIMENSIONS, dimensions),
    ("continuous_aggregates", CONTINUOUS_AGGREGATES, continuous_aggregates),
    ("continuous_aggregate_stats", CONTINUOUS_AGGREGATE_STATS, continuous_aggregate_stats),
    ("jobs", JOBS, jobs),
    ("job_stats", JOB_STATS, job_stats),
    ("job_errors", JOB_ERRORS, job_errors),
    ("job_history", JOB_HISTORY, job_history),
    ("compression_settings", COMPRESSION_SETTINGS, compression_settings),
    ("hypertable_compression_settings", HYPERTABLE_COMPRESSION_SETTINGS, hypertable_compression_settings),
    ("chunk_compression_settings", CHUNK_COMPRESSION_SETTINGS, chunk_compression_settings),
    ("hypertable_columnstore_settings", HYPERTABLE_COMPRESSION_SETTINGS, hypertable_compression_settings),
    ("chunk_columnstore_settings", CHUNK_COMPRESSION_SETTINGS, chunk_compression_settings),
];

/// The names and columns of all views.
pub fn views() -> impl Iterator<Item = (&'static str, Columns)> {
    VIEWS.iter().map(|(name, columns, _)| (*name, *columns))
}

/// The rows of a view, if there is one of this name.
pub fn provider(planner: &Planner, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let view = VIEWS.iter().find(|(view, ..)| *view == name);
    view.map(|(_, columns, rows)| table(columns, rows(planner))).transpose()
}

const HYPERTABLES: Columns = columns! {
    hypertable_schema name, hypertable_name name, owner name, num_dimensions int2, num_chunks int8,
    compression_enabled bool, tablespaces name[], primary_dimension name, primary_dimension_type regtype,
};

fn hypertables(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    cut_tables(version)
        .filter(|(table, _)| matches!(table.kind, TableKind::Table))
        .map(|(table, hypertable)| {
            row![
                &table.schema,
                &table.name,
                OWNER,
                1,
                version.table(table.id).chunks.len(),
                hypertable.compression.is_some(),
                Cell::Null,
                table.time_column().map(|c| &c.name),
                hypertable.time_type.column_type().to_string(),
            ]
        })
        .collect()
}

/// Hypertables, those that keep aggregates included; what is kept of dropped rows is nobody's to see.
fn cut_tables(version: &Version) -> impl Iterator<Item = (&Arc<Table>, &Hypertable)> {
    version
        .catalog()
        .tables
        .values()
        .filter(|table| !matches!(table.kind, TableKind::FrozenBase(_)))
        .filter_map(|table| Some((table, table.hypertable.as_ref()?)))
}

const CHUNKS: Columns = columns! {
    hypertable_schema name, hypertable_name name, chunk_schema name, chunk_name name, primary_dimension name,
    primary_dimension_type regtype, range_start timestamptz, range_end timestamptz, range_start_integer int8,
    range_end_integer int8, is_compressed bool, chunk_tablespace name, chunk_creation_time timestamptz,
};

fn chunks(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    let mut rows = Vec::new();
    for (table, hypertable) in cut_tables(version) {
        let integer = hypertable.time_type.is_integer();
        for chunk in version.table(table.id).chunks.values() {
            let name = chunk_name(table, chunk);
            let (schema, name) = name.split_once('.').unwrap_or(("", &name));
            let (start, end) = (chunk.range.start, chunk.range.end);
            rows.push(row![
                &table.schema,
                &table.name,
                schema,
                name,
                table.time_column().map(|c| &c.name),
                hypertable.time_type.column_type().to_string(),
                (!integer).then_some(start),
                (!integer).then_some(end),
                integer.then_some(start),
                integer.then_some(end),
                chunk.compressed.is_some(),
                Cell::Null,
                Cell::Null,
            ]);
        }
    }
    rows
}

const DIMENSIONS: Columns = columns! {
    hypertable_schema name, hypertable_name name, dimension_number int8, column_name name, column_type regtype,
    dimension_type text, time_interval interval, integer_interval int8, integer_now_func name, num_partitions int2,
};

fn dimensions(planner: &Planner) -> Vec<Row> {
    cut_tables(planner.version())
        .map(|(table, hypertable)| {
            let width = hypertable.chunk_interval;
            let integer = hypertable.time_type.is_integer();
            row![
                &table.schema,
                &table.name,
                1,
                table.time_column().map(|c| &c.name),
                hypertable.time_type.column_type().to_string(),
                "Time",
                (!integer).then(|| in_days(width)),
                integer.then_some(width),
                hypertable.integer_now.as_ref().map(|(_, name)| name),
                Cell::Null,
            ]
        })
        .collect()
}

/// A width with its whole days as days.
fn in_days(micros: i64) -> Interval {
    let days = i32::try_from(micros / MICROS_PER_DAY).unwrap_or(i32::MAX);
    Interval::new(0, days, micros - i64::from(days) * MICROS_PER_DAY)
}

const CONTINUOUS_AGGREGATES: Columns = columns! {
    hypertable_schema name, hypertable_name name, view_schema name, view_name name, view_owner name,
    materialized_only bool, compression_enabled bool, materialization_hypertable_schema name,
    materialization_hypertable_name name, view_definition text, finalized bool,
    // What follows is not in TimescaleDB.
    refresh_lag interval, last_refresh timestamptz, refresh_interval interval, completed_threshold timestamptz,
    completed_threshold_integer int8, invalidation_threshold timestamptz, invalidation_threshold_integer int8,
    watermark timestamptz, watermark_integer int8, pending_ranges text, invalidated_ranges text, row_count int8,
    total_bytes int8,
};

fn continuous_aggregates(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    let now = planner.engine().now();
    let aggregates = version.catalog().caggs.values();
    aggregates
        .map(|cagg| {
            let source = version.catalog().tables.get(&cagg.source);
            let materialization = version.catalog().tables.get(&cagg.materialization);
            let freshness = Freshness::new(version, cagg, planner.settings().time_zone());
            let kept = version.table(cagg.materialization);
            let mut row = row![
                source.map(|t| &t.schema),
                source.map(|t| &t.name),
                &cagg.schema,
                &cagg.name,
                OWNER,
                cagg.materialized_only,
                materialization.is_some_and(|t| t.compressed_order().is_some()),
                materialization.map(|t| &t.schema),
                materialization.map(|t| &t.name),
                format!(" {};", cagg.query.trim_end_matches(';')),
                true,
                freshness.last_refresh.map(|at| in_days((now - at).max(0))),
                freshness.last_refresh,
                freshness.job.as_ref().map(|job| job.schedule_interval),
            ];
            row.extend(freshness.on_axis(freshness.completed));
            row.extend(freshness.on_axis(freshness.invalidation));
            row.extend(freshness.on_axis(freshness.watermark));
            row.extend(row![
                freshness.pending.clone(),
                freshness.invalidated.clone(),
                kept.row_count as i64,
                crate::information::size::relation_bytes(version, cagg.materialization) as i64,
            ]);
            row
        })
        .collect()
}

/// How an aggregate stands to its source.
struct Freshness {
    integer: bool,
    /// End of the newest bucket that a refresh has reached.
    completed: Option<i64>,
    /// The furthest such end of the aggregates over the same source: changes below it are recorded.
    invalidation: Option<i64>,
    /// End of the newest bucket that has rows.
    watermark: Option<i64>,
    /// When buckets were last brought up to date, or found to be.
    last_refresh: Option<i64>,
    /// What differs, or may differ, from its rows, in the form of a multirange.
    pending: String,
    /// The part of it that was materialized before.
    invalidated: String,
    /// The policy that refreshes it.
    job: Option<Arc<Job>>,
    /// How the policy's runs went.
    stats: Option<JobStats>,
}

impl Freshness {
    fn new(version: &Version, cagg: &ContinuousAggregate, zone: &str) -> Freshness {
        let catalog = version.catalog();
        let data = version.cagg(cagg.id);
        let integer = cagg.bucket.time_type.is_integer();
        let threshold =
            |cagg: &ContinuousAggregate| Some(version.cagg(cagg.id).pending.threshold()).filter(|t| *t != i64::MIN);
        let refreshes = |job: &&Arc<Job>| matches!(job.action, Action::Refresh { cagg: of, .. } if of == cagg.id);
        let job = catalog.jobs.values().find(refreshes).cloned();
        let stats = job.as_ref().and_then(|job| catalog.job_stats.get(&job.id).cloned());
        let kept = catalog.tables.get(&cagg.materialization);
        let newest = kept.and_then(|table| version.table(table.id).newest(table));
        let zone = Zone::parse(zone).unwrap_or(Zone::UTC);
        Freshness {
            integer,
            completed: threshold(cagg),
            invalidation: catalog.caggs_over(cagg.source).filter_map(|c| threshold(c)).max(),
            watermark: newest.map(|t| cagg.bucket.next(t)),
            last_refresh: data.refreshed.max(stats.as_ref().and_then(|s| s.last_successful_finish)),
            pending: multirange(data.pending.ranges(), integer, &zone),
            invalidated: multirange(&data.pending.invalidated(), integer, &zone),
            job,
            stats,
        }
    }

    /// A time as a `timestamptz`, or as a whole number beside it where time is one.
    fn on_axis(&self, time: Option<i64>) -> Row {
        match self.integer {
            true => row![Cell::Null, time],
            false => row![time, Cell::Null],
        }
    }
}

/// Ranges as PostgreSQL writes a `tstzmultirange` or an `int8multirange`.
pub fn multirange(ranges: &RangeSet, integer: bool, zone: &Zone) -> String {
    let bound = |t: i64| match integer {
        true => t.to_string(),
        false => format!("\"{}\"", format_timestamptz(t, zone)),
    };
    let range = |start: i64, end: i64| {
        let start = if start == i64::MIN { "(".to_owned() } else { format!("[{}", bound(start)) };
        let end = if end == i64::MAX { String::new() } else { bound(end) };
        format!("{start},{end})")
    };
    let ranges: Vec<String> = ranges.iter().map(|r| range(r.start, r.end)).collect();
    format!("{{{}}}", ranges.join(","))
}

const CONTINUOUS_AGGREGATE_STATS: Columns = columns! {
    view_name name, completed_threshold timestamptz, invalidation_threshold timestamptz, job_id int4,
    last_run_started_at timestamptz, job_status text, last_run_duration interval, next_scheduled_run timestamptz,
    total_runs int8, total_successes int8, total_failures int8, total_crashes int8,
    // What follows is not in TimescaleDB 1.
    view_schema name, completed_threshold_integer int8, invalidation_threshold_integer int8, last_refresh timestamptz,
    pending_ranges text, invalidated_ranges text,
};

fn continuous_aggregate_stats(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    let aggregates = version.catalog().caggs.values();
    aggregates
        .map(|cagg| {
            let freshness = Freshness::new(version, cagg, planner.settings().time_zone());
            let [completed, completed_integer] = freshness.on_axis(freshness.completed).try_into().expect("two");
            let [invalidation, invalidation_integer] =
                freshness.on_axis(freshness.invalidation).try_into().expect("two");
            let (job, stats) = (freshness.job.as_ref(), freshness.stats.clone().unwrap_or_default());
            row![
                &cagg.name,
                completed,
                invalidation,
                job.map(|job| job.id.0),
                stats.last_start,
                job.map(|job| status(job)),
                duration(&stats),
                stats.next_start.filter(|_| job.is_some_and(|job| job.scheduled)),
                job.map(|_| stats.total_runs),
                job.map(|_| stats.total_successes),
                job.map(|_| stats.total_failures),
                job.map(|_| 0),
                &cagg.schema,
                completed_integer,
                invalidation_integer,
                freshness.last_refresh,
                freshness.pending.clone(),
                freshness.invalidated.clone(),
            ]
        })
        .collect()
}

const JOBS: Columns = columns! {
    job_id int4, application_name name, schedule_interval interval, max_runtime interval, max_retries int4,
    retry_period interval, proc_schema name, proc_name name, owner regrole, scheduled bool, fixed_schedule bool,
    config jsonb, next_start timestamptz, initial_start timestamptz, hypertable_schema name, hypertable_name name,
    check_schema name, check_name name,
};

fn jobs(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    let catalog = version.catalog();
    catalog
        .jobs
        .values()
        .map(|job| {
            let stats = catalog.job_stats.get(&job.id);
            let (schema, name) = subject(version, &job.action).unzip();
            let is_policy = !matches!(job.action, Action::Procedure { .. });
            row![
                job.id.0,
                application_name(job),
                job.schedule_interval,
                job.max_runtime,
                job.max_retries,
                job.retry_period,
                proc_schema(&job.action),
                job::procedure_of(&job.action),
                OWNER,
                job.scheduled,
                job.fixed_schedule,
                config(version, &job.action),
                stats.and_then(|s| s.next_start).filter(|_| job.scheduled),
                job.initial_start,
                schema,
                name,
                is_policy.then_some(FUNCTIONS_SCHEMA),
                is_policy.then(|| format!("{}_check", job::procedure_of(&job.action))),
            ]
        })
        .collect()
}

/// What a job is called beside its number.
pub fn application_name(job: &Job) -> String {
    let what = match job.action {
        Action::Refresh { .. } => "Refresh Continuous Aggregate Policy",
        Action::Retention { .. } => "Retention Policy",
        Action::Compression { .. } => "Columnstore Policy",
        Action::Procedure { .. } => "User-Defined Action",
    };
    format!("{what} [{}]", job.id.0)
}

fn proc_schema(action: &Action) -> &str {
    match action {
        Action::Procedure { schema, .. } => schema,
        _ => FUNCTIONS_SCHEMA,
    }
}

/// Schema and name of what a policy is on: an aggregate under its own name.
fn subject(version: &Version, action: &Action) -> Option<(String, String)> {
    let catalog = version.catalog();
    let of_cagg = |cagg: &Arc<ContinuousAggregate>| (cagg.schema.clone(), cagg.name.clone());
    match action {
        Action::Refresh { cagg, .. } => catalog.caggs.get(cagg).map(of_cagg),
        Action::Retention { table, .. } | Action::Compression { table, .. } => {
            let cagg = catalog.caggs.values().find(|c| c.materialization == *table).map(of_cagg);
            cagg.or_else(|| catalog.tables.get(table).map(|t| (t.schema.clone(), t.name.clone())))
        }
        Action::Procedure { .. } => None,
    }
}

/// A job's configuration as the text of a `jsonb`: shorter keys first, as PostgreSQL orders them.
pub fn config(version: &Version, action: &Action) -> Option<String> {
    let offset = |offset: &Offset| match offset {
        Offset::Interval(interval) => format!("\"{interval}\""),
        Offset::Integer(n) => n.to_string(),
    };
    let maybe = |given: &Option<Offset>| given.as_ref().map_or_else(|| "null".to_owned(), offset);
    let number = |table: TableId| {
        let table = version.catalog().tables.get(&table);
        table.and_then(|t| t.hypertable.as_ref()).map_or(0, |h| h.number)
    };
    match action {
        Action::Refresh { cagg, start_offset, end_offset } => {
            let materialization = version.catalog().caggs.get(cagg)?.materialization;
            Some(format!(
                "{{\"end_offset\": {}, \"start_offset\": {}, \"mat_hypertable_id\": {}}}",
                maybe(end_offset),
                maybe(start_offset),
                number(materialization)
            ))
        }
        Action::Retention { table, drop_after } => {
            Some(format!("{{\"drop_after\": {}, \"hypertable_id\": {}}}", offset(drop_after), number(*table)))
        }
        Action::Compression { table, compress_after } => {
            Some(format!("{{\"hypertable_id\": {}, \"compress_after\": {}}}", number(*table), offset(compress_after)))
        }
        Action::Procedure { config, .. } => config.clone(),
    }
}

const JOB_STATS: Columns = columns! {
    hypertable_schema name, hypertable_name name, job_id int4, last_run_started_at timestamptz,
    last_successful_finish timestamptz, last_run_status text, job_status text, last_run_duration interval,
    next_start timestamptz, total_runs int8, total_successes int8, total_failures int8,
};

fn job_stats(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    let catalog = version.catalog();
    catalog
        .jobs
        .values()
        .map(|job| {
            let stats = catalog.job_stats.get(&job.id).cloned().unwrap_or_default();
            let (schema, name) = subject(version, &job.action).unzip();
            let outcome = stats.last_finish.map(|_| if stats.consecutive_failures == 0 { "Success" } else { "Failed" });
            row![
                schema,
                name,
                job.id.0,
                stats.last_start,
                stats.last_successful_finish,
                outcome,
                status(job),
                duration(&stats),
                stats.next_start.filter(|_| job.scheduled),
                stats.total_runs,
                stats.total_successes,
                stats.total_failures,
            ]
        })
        .collect()
}

fn status(job: &Job) -> &'static str {
    if job.scheduled { "Scheduled" } else { "Paused" }
}

fn duration(stats: &JobStats) -> Option<Interval> {
    let (start, finish) = (stats.last_start?, stats.last_finish?);
    (finish >= start).then(|| Interval::from_micros(finish - start))
}

const JOB_ERRORS: Columns = columns! {
    job_id int4, proc_schema text, proc_name text, pid int4, start_time timestamptz, finish_time timestamptz,
    sqlerrcode text, err_message text,
};

fn job_errors(planner: &Planner) -> Vec<Row> {
    let catalog = planner.version().catalog();
    let failed = catalog.job_runs.iter().filter_map(|run| match &run.outcome {
        JobOutcome::Failed { sqlstate, message } => Some((run, sqlstate, message)),
        JobOutcome::Succeeded => None,
    });
    failed
        .map(|(run, sqlstate, message)| {
            row![
                run.job.0,
                schema_of_run(planner, run),
                &run.procedure,
                Cell::Null,
                run.start,
                run.finish,
                sqlstate,
                message
            ]
        })
        .collect()
}

const JOB_HISTORY: Columns = columns! {
    id int8, job_id int4, succeeded bool, proc_schema text, proc_name text, pid int4, start_time timestamptz,
    finish_time timestamptz, config jsonb, sqlerrcode text, err_message text,
};

fn job_history(planner: &Planner) -> Vec<Row> {
    let version = planner.version();
    let catalog = version.catalog();
    catalog
        .job_runs
        .iter()
        .map(|run| {
            let (sqlstate, message) = match &run.outcome {
                JobOutcome::Failed { sqlstate, message } => (Some(sqlstate), Some(message)),
                JobOutcome::Succeeded => (None, None),
            };
            row![
                run.id,
                run.job.0,
                run.outcome == JobOutcome::Succeeded,
                schema_of_run(planner, run),
                &run.procedure,
                Cell::Null,
                run.start,
                run.finish,
                catalog.jobs.get(&run.job).and_then(|job| config(version, &job.action)),
                sqlstate,
                message,
            ]
        })
        .collect()
}

fn schema_of_run<'a>(planner: &'a Planner, run: &JobRun) -> &'a str {
    let job = planner.version().catalog().jobs.get(&run.job);
    job.map_or(FUNCTIONS_SCHEMA, |job| proc_schema(&job.action))
}
