//! Refreshing a continuous aggregate.
//!
//! ```text
//! plan      whole buckets of the window that are pending               (highwater_model::refresh)
//! batches   the newest first, each of about so many rows that their states fit into memory
//! compute   states and finished rows of these buckets, from one snapshot
//! replace   old rows out, new rows in, the buckets settled: one commit for each batch
//! ```
//!
//! What other transactions touch between the snapshot and the commit is pending again when the commit is
//! ordered, so a refresh is safe beside writers and inside a transaction.

mod explain;

pub use explain::{columns as explain_columns, explain};

use crate::error::{Notice, Result};
use crate::query::{Planner, StatementTimes};
use crate::realtime;
use crate::setting::Settings;
use crate::table::StoreTable;
use crate::write::Gathered;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use futures::StreamExt;
use highwater_model::{ColumnType, ContinuousAggregate, RangeSet, Table, TimeRange, refresh as arithmetic};
use highwater_store::schema::{ROW_ID, arrow_schema};
use highwater_store::{RowIds, Transaction, Version};
use std::sync::Arc;

use crate::database::Engine;

/// Rows that a batch reads. States are mostly much smaller than their rows, and where they are not, a batch that
/// does not fit into memory is halved.
const BATCH_ROWS: u64 = 5_000_000;

/// Values that a batch keeps in states that are lists of their input.
const BATCH_KEPT_VALUES: u64 = 4_000_000;

/// The SQLSTATE of a plan that needs more memory than there is.
const OUT_OF_MEMORY: &str = "53200";

/// What a refresh did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// The buckets that were recomputed.
    pub ranges: RangeSet,
    /// Rows kept of them now.
    pub rows: u64,
}

/// How a refresh chooses its buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Pending ones inside the window.
    Pending,
    /// All inside the window, pending or not.
    Force,
    /// Pending ones inside the window, and invalidated ones before it.
    Policy,
}

/// The buckets of `window` that are to be recomputed in `version`.
///
/// * `window` – whole buckets.
pub fn plan(version: &Version, cagg: &ContinuousAggregate, window: TimeRange, choice: Choice) -> RangeSet {
    let data = version.cagg(cagg.id);
    let source = version.catalog().tables.get(&cagg.source);
    let newest = source.and_then(|table| version.table(cagg.source).newest(table));
    match choice {
        Choice::Pending => arithmetic::plan(&cagg.bucket, window, &data.pending, newest),
        Choice::Policy => arithmetic::policy_plan(&cagg.bucket, window, &data.pending, newest),
        Choice::Force => {
            let end = newest.map_or(data.pending.threshold(), |t| cagg.bucket.next(t).max(data.pending.threshold()));
            RangeSet::from(TimeRange { start: window.start, end: window.end.min(end) })
        }
    }
}

/// Recomputes whole buckets inside a transaction.
pub async fn replace(
    engine: &Arc<Engine>,
    transaction: &mut Transaction,
    settings: &Settings,
    user: &str,
    cagg: &Arc<ContinuousAggregate>,
    ranges: &RangeSet,
) -> Result<Refreshed> {
    let mut done = Refreshed::default();
    let mut waiting = batches(transaction.version(), cagg, ranges);
    while let Some(batch) = waiting.pop() {
        let before = transaction.savepoint();
        match replace_batch(engine, transaction, settings, user, cagg, &batch).await {
            Ok(replaced) => {
                done.ranges = done.ranges.union(&replaced.ranges);
                done.rows += replaced.rows;
            }
            Err(e) => {
                let Some((earlier, later)) = halves(cagg, &batch).filter(|_| e.sqlstate == OUT_OF_MEMORY) else {
                    return Err(e);
                };
                transaction.rollback_to(&before);
                waiting.extend([earlier, later]);
            }
        }
    }
    Ok(done)
}

/// The ranges in batches of buckets with about so many rows that their states fit into memory. The last is to be
/// taken first and is the newest. A bucket is never cut.
fn batches(version: &Version, cagg: &ContinuousAggregate, ranges: &RangeSet) -> Vec<RangeSet> {
    let catalog = version.catalog();
    let (Some(source), Some(kept)) = (catalog.tables.get(&cagg.source), catalog.tables.get(&cagg.materialization))
    else {
        return vec![ranges.clone()];
    };
    let lists = kept.columns.iter().filter(|c| matches!(c.column_type, ColumnType::List(_))).count() as u64;
    let most = BATCH_ROWS.min(BATCH_KEPT_VALUES / lists.max(1));
    let data = version.table(cagg.source);
    let mut waiting: Vec<TimeRange> = ranges.iter().collect();
    let mut batches: Vec<(RangeSet, u64)> = Vec::new();
    while let Some(range) = waiting.pop() {
        let rows = data.rows_within(source, range);
        if rows > most
            && let Some((earlier, later)) = halves(cagg, &RangeSet::from(range))
        {
            waiting.extend(earlier.iter().chain(later.iter()));
            continue;
        }
        match batches.last_mut() {
            Some((batch, sum)) if *sum + rows <= most => {
                *batch = batch.union(&RangeSet::from(range));
                *sum += rows;
            }
            _ => batches.push((RangeSet::from(range), rows)),
        }
    }
    batches.into_iter().rev().map(|(batch, _)| batch).collect()
}

async fn replace_batch(
    engine: &Arc<Engine>,
    transaction: &mut Transaction,
    settings: &Settings,
    user: &str,
    cagg: &Arc<ContinuousAggregate>,
    ranges: &RangeSet,
) -> Result<Refreshed> {
    let now = engine.now();
    let planner = Planner::new(
        engine,
        transaction.version(),
        settings,
        user,
        StatementTimes { transaction: now, statement: now },
    );
    let table = realtime::table(&planner, cagg)?;
    let old = ids_within(&planner, &table, ranges).await?;
    transaction.delete(table.id, old, RangeSet::empty())?;
    let mut finished = planner.run(realtime::compute(&planner, cagg, ranges)?, &[]).await?;
    let mut gathered = Gathered::default();
    let mut rows = 0;
    loop {
        let next = finished.next().await.transpose()?;
        let ended = next.is_none();
        if let Some(batch) = next {
            rows += batch.num_rows() as u64;
            gathered.push(RecordBatch::try_new(arrow_schema(&table), batch.columns().to_vec())?);
        }
        if let Some(batch) = gathered.take(ended)? {
            tokio::task::block_in_place(|| transaction.insert(&table, batch))?;
        }
        if ended {
            break;
        }
    }
    transaction.settle(cagg.id, ranges.clone())?;
    Ok(Refreshed { ranges: ranges.clone(), rows })
}

/// The ids of the rows whose time is in `ranges`.
pub async fn ids_within(planner: &Planner, table: &Arc<Table>, ranges: &RangeSet) -> Result<RowIds> {
    let rows = StoreTable::with_columns(table.clone(), planner.version().table(table.id), vec![])
        .with_row_ids()
        .within(ranges.clone());
    let plan = LogicalPlanBuilder::scan("_old", provider_as_source(Arc::new(rows)), None)?.build()?;
    let mut ids = RowIds::new();
    let mut batches = planner.run(plan, &[]).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        ids.extend(
            batch
                .column_by_name(ROW_ID)
                .expect("it was asked for")
                .as_primitive::<UInt64Type>()
                .values()
                .iter()
                .copied(),
        );
    }
    Ok(ids)
}

/// Refreshes outside of a transaction block: plans on the newest version, commits, and starts over when
/// somebody else was faster.
///
/// Where the outputs of a bucket cannot be computed, that bucket keeps its last good rows and stays pending,
/// and the others are refreshed all the same.
///
/// # Errors
/// That of the first bucket that could not be computed, after the others are done.
pub async fn run(
    engine: &Arc<Engine>,
    settings: &Settings,
    user: &str,
    cagg: &Arc<ContinuousAggregate>,
    window: TimeRange,
    choice: Choice,
) -> Result<Refreshed> {
    let _one = engine.refreshing.lock().await;
    let snapshot = engine.store.snapshot();
    let mut waiting = batches(&snapshot, cagg, &plan(&snapshot, cagg, window, choice));
    drop(snapshot);
    let mut done = Refreshed::default();
    let mut failure = None;
    let mut read = 0;
    let began = engine.now();
    while let Some(ranges) = waiting.pop() {
        if ranges.is_empty() {
            continue;
        }
        let mut transaction = engine.store.begin();
        let rows = rows_within(transaction.version(), cagg, &ranges);
        let replaced = match replace_batch(engine, &mut transaction, settings, user, cagg, &ranges).await {
            Ok(refreshed) => engine.commit(transaction, true).await.map(|()| refreshed),
            Err(e) => Err(e),
        };
        match replaced {
            Ok(refreshed) => {
                done.ranges = done.ranges.union(&refreshed.ranges);
                done.rows += refreshed.rows;
                read += rows;
            }
            Err(e) if e.sqlstate == "40001" => waiting.push(ranges),
            // A value that cannot be computed is one bucket's: look for it among the halves.
            Err(e) if e.sqlstate.starts_with("22") || e.sqlstate == OUT_OF_MEMORY => match halves(cagg, &ranges) {
                Some((earlier, later)) => waiting.extend([later, earlier]),
                None => drop(failure.get_or_insert(at_bucket(e, cagg, &ranges))),
            },
            Err(e) => return Err(e),
        }
    }
    let seconds = (engine.now() - began) as f64 / 1e6;
    if read > 0 && seconds > 0.0 {
        engine.refresh_rates.lock().insert(cagg.id, read as f64 / seconds);
    }
    failure.map_or(Ok(done), Err)
}

/// About how many rows of the source lie in the ranges.
fn rows_within(version: &Version, cagg: &ContinuousAggregate, ranges: &RangeSet) -> u64 {
    let Some(source) = version.catalog().tables.get(&cagg.source) else { return 0 };
    let data = version.table(cagg.source);
    ranges.iter().map(|range| data.rows_within(source, range)).sum()
}

/// The ranges in two parts at a bucket's edge; `None` when they are one bucket.
fn halves(cagg: &ContinuousAggregate, ranges: &RangeSet) -> Option<(RangeSet, RangeSet)> {
    let all = ranges.as_slice();
    if let (earlier @ [_, ..], later @ [_, ..]) = all.split_at(all.len() / 2) {
        return Some((earlier.iter().copied().collect(), later.iter().copied().collect()));
    }
    let [one] = all else { return None };
    // An unbounded range is cut where its bounded neighbour would be.
    let (start, end) = (one.start.max(-(1 << 60)), one.end.min(1 << 60));
    let middle = cagg.bucket.floor(start + (end - start) / 2);
    let cut = if middle > one.start { middle } else { cagg.bucket.next(start) };
    let part = |start, end| RangeSet::from(TimeRange { start, end });
    (cut > one.start && cut < one.end).then(|| (part(one.start, cut), part(cut, one.end)))
}

/// The error, saying where it happened.
fn at_bucket(e: crate::Error, cagg: &ContinuousAggregate, ranges: &RangeSet) -> crate::Error {
    let start = ranges.as_slice().first().map_or(i64::MIN, |r| r.start);
    let shown = match cagg.bucket.time_type.is_integer() {
        true => start.to_string(),
        false => highwater_model::time::format_timestamptz(start, &highwater_model::time::Zone::UTC),
    };
    e.detail(format!(
        "The bucket of \"{}\" that starts at {shown} keeps its last good rows; the others were refreshed.",
        cagg.name
    ))
    .hint("Correct the rows of this bucket, or the aggregate's expressions, and refresh again.")
}

/// What a person is told when there was nothing to do.
pub fn up_to_date(cagg: &ContinuousAggregate) -> Notice {
    Notice::new(format!("continuous aggregate \"{}\" is already up-to-date", cagg.name))
}
