//! Refreshing a continuous aggregate.
//!
//! ```text
//! plan      whole buckets of the window that are pending               (highwater_model::refresh)
//! compute   states and finished rows of these buckets, from one snapshot
//! replace   old rows out, new rows in, the buckets settled: one commit
//! ```
//!
//! What other transactions touch between the snapshot and the commit is pending again when the commit is
//! ordered, so a refresh is safe beside writers and inside a transaction.

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
use highwater_model::{ContinuousAggregate, RangeSet, Table, TimeRange, refresh as arithmetic};
use highwater_store::schema::{ROW_ID, arrow_schema};
use highwater_store::{RowIds, Transaction, Version};
use std::sync::Arc;

use crate::database::Engine;

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
    let now = engine.now();
    let planner = Planner::new(engine, transaction.version(), settings, user, StatementTimes { transaction: now, statement: now });
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
    let rows = StoreTable::with_columns(table.clone(), planner.version().table(table.id), vec![]).with_row_ids().within(ranges.clone());
    let plan = LogicalPlanBuilder::scan("_old", provider_as_source(Arc::new(rows)), None)?.build()?;
    let mut ids = RowIds::new();
    let mut batches = planner.run(plan, &[]).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        ids.extend(batch.column_by_name(ROW_ID).expect("it was asked for").as_primitive::<UInt64Type>().values().iter().copied());
    }
    Ok(ids)
}

/// Refreshes outside of a transaction block: plans on the newest version, commits, and starts over when
/// somebody else was faster.
pub async fn run(
    engine: &Arc<Engine>,
    settings: &Settings,
    user: &str,
    cagg: &Arc<ContinuousAggregate>,
    window: TimeRange,
    choice: Choice,
) -> Result<Refreshed> {
    let _one = engine.refreshing.lock().await;
    loop {
        let mut transaction = engine.store.begin();
        let ranges = plan(transaction.version(), cagg, window, choice);
        if ranges.is_empty() {
            return Ok(Refreshed::default());
        }
        let refreshed = replace(engine, &mut transaction, settings, user, cagg, &ranges).await?;
        match engine.commit(transaction, true).await {
            Err(e) if e.sqlstate == "40001" => continue,
            other => return other.map(|()| refreshed),
        }
    }
}

/// What a person is told when there was nothing to do.
pub fn up_to_date(cagg: &ContinuousAggregate) -> Notice {
    Notice::new(format!("continuous aggregate \"{}\" is already up-to-date", cagg.name))
}
