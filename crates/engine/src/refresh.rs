//! Refreshing a continuous aggregate.
//!
//! ```text
//! plan      whole buckets of the window that are pending               (highwater_model::refresh)
//! batches   the newest first, each of about so many rows that their states fit into memory
//! compute   states and finished rows of these buckets, from one snapshot
//! replace   old rows out, new rows in, the buckets settled: one commit for each batch
//! ```
//!
//! An aggregate over aggregates is refreshed together with those below it, bottom up: what a batch needs of the parent
//! is replaced first, in the same transaction, and so all levels are as of one snapshot and become visible at once.
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
use crate::write::insert_all;
use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use futures::StreamExt;
use highwater_model::{Column, ColumnType, ContinuousAggregate, RangeSet, Table, TimeRange, refresh as arithmetic};
use highwater_store::schema::ROW_ID;
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
    /// Whether buckets of aggregates below were recomputed.
    pub below: bool,
}

impl Refreshed {
    /// Whether there was nothing to do.
    pub fn is_nothing(&self) -> bool {
        self.ranges.is_empty() && !self.below
    }

    fn add(&mut self, other: Refreshed) {
        self.ranges = self.ranges.union(&other.ranges);
        self.rows += other.rows;
        self.below |= other.below;
    }
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
    let newest = realtime::newest(version, cagg);
    match choice {
        Choice::Pending => arithmetic::plan(&cagg.bucket, window, &data.pending, newest),
        Choice::Policy => arithmetic::policy_plan(&cagg.bucket, window, &data.pending, newest),
        Choice::Force => {
            let end = newest.map_or(data.pending.threshold(), |t| cagg.bucket.next(t).max(data.pending.threshold()));
            RangeSet::from(TimeRange { start: window.start, end: window.end.min(end) })
        }
    }
}

/// An aggregate and those below it, the bottom last.
pub type Chain = [Arc<ContinuousAggregate>];

fn chain(version: &Version, cagg: &Arc<ContinuousAggregate>) -> Vec<Arc<ContinuousAggregate>> {
    std::iter::once(cagg.clone()).chain(version.catalog().ancestors(cagg)).collect()
}

/// The buckets of each aggregate of a chain that a refresh of the window has to do with: what it recomputes itself,
/// and what contains the rows that are recomputed below.
fn work(version: &Version, chain: &Chain, window: TimeRange, choice: Choice) -> Vec<RangeSet> {
    let Some((cagg, below)) = chain.split_first() else { return Vec::new() };
    let mut own = plan(version, cagg, window, choice);
    let mut all = Vec::new();
    if let Some(parent) = below.first() {
        let choice = if choice == Choice::Force { Choice::Pending } else { choice };
        let read = parent.buckets_of(&RangeSet::from(window)).hull();
        all = work(version, below, read.unwrap_or(TimeRange { end: window.start, ..window }), choice);
        // A policy also repairs what is older.
        let start = if choice == Choice::Policy { i64::MIN } else { window.start };
        let rows = parent.rows_of(&all[0]);
        let reached: RangeSet = rows.iter().map(|range| cagg.bucket.align_out(range)).collect();
        own = own.union(&reached.within(TimeRange { start, ..window }));
    }
    all.insert(0, own);
    all
}

/// The buckets of the first of a chain in batches with about so many rows, its own and those read below, that their
/// states fit into memory. The last batch is to be taken first and is the newest. A bucket is never cut.
///
/// * `work` – what each of the chain has to do with.
pub fn batches(version: &Version, chain: &Chain, work: &[RangeSet]) -> Vec<RangeSet> {
    let (Some(cagg), Some(ranges)) = (chain.first(), work.first()) else { return Vec::new() };
    let tables = &version.catalog().tables;
    let is_list = |column: &&Column| matches!(column.column_type, ColumnType::List(_));
    let lists = chain.iter().filter_map(|cagg| tables.get(&cagg.materialization));
    let lists = lists.map(|kept| kept.columns.iter().filter(is_list).count() as u64).max().unwrap_or(0);
    let most = BATCH_ROWS.min(BATCH_KEPT_VALUES / lists.max(1));
    let rows_of = |range: TimeRange| -> u64 {
        chain.iter().zip(work).map(|(cagg, work)| rows_within(version, cagg, &work.within(range))).sum()
    };
    let mut waiting: Vec<TimeRange> = ranges.iter().collect();
    let mut batches: Vec<(RangeSet, u64)> = Vec::new();
    while let Some(range) = waiting.pop() {
        let rows = rows_of(range);
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

/// Who refreshes.
#[derive(Clone, Copy)]
pub struct Refresher<'a> {
    /// The database.
    pub engine: &'a Arc<Engine>,
    /// The session's settings.
    pub settings: &'a Settings,
    /// The session's user.
    pub user: &'a str,
}

impl Refresher<'_> {
    /// Refreshes inside a transaction.
    pub async fn run_in(
        &self,
        transaction: &mut Transaction,
        cagg: &Arc<ContinuousAggregate>,
        window: TimeRange,
        choice: Choice,
    ) -> Result<Refreshed> {
        let chain = chain(transaction.version(), cagg);
        let work = work(transaction.version(), &chain, window, choice);
        let waiting = batches(transaction.version(), &chain, &work);
        self.replace(transaction, &chain, waiting, choice).await
    }

    /// Recomputes what is pending of some buckets inside a transaction, and nothing below them.
    pub async fn settle(
        &self,
        transaction: &mut Transaction,
        cagg: &Arc<ContinuousAggregate>,
        buckets: &RangeSet,
    ) -> Result<Refreshed> {
        let chain = std::slice::from_ref(cagg);
        let waiting = batches(transaction.version(), chain, std::slice::from_ref(buckets));
        self.replace(transaction, chain, waiting, Choice::Pending).await
    }

    async fn replace(
        &self,
        transaction: &mut Transaction,
        chain: &Chain,
        mut waiting: Vec<RangeSet>,
        choice: Choice,
    ) -> Result<Refreshed> {
        let mut done = Refreshed::default();
        while let Some(batch) = waiting.pop() {
            let before = transaction.savepoint();
            match self.replace_batch(transaction, chain, &batch, choice).await {
                Ok(replaced) => done.add(replaced),
                Err(e) => {
                    let Some((earlier, later)) = halves(&chain[0], &batch).filter(|_| e.sqlstate == OUT_OF_MEMORY)
                    else {
                        return Err(e);
                    };
                    transaction.rollback_to(&before);
                    waiting.extend([earlier, later]);
                }
            }
        }
        Ok(done)
    }

    /// Recomputes what there is to recompute of some buckets of the first of a chain, after what they consist of.
    async fn replace_batch(
        &self,
        transaction: &mut Transaction,
        chain: &Chain,
        batch: &RangeSet,
        choice: Choice,
    ) -> Result<Refreshed> {
        let mut windows = vec![batch.clone()];
        for parent in chain.iter().skip(1) {
            windows.push(parent.buckets_of(&windows[windows.len() - 1]));
        }
        let mut done = Refreshed::default();
        for (level, (cagg, window)) in chain.iter().zip(windows).enumerate().rev() {
            let choice = if level == 0 && choice == Choice::Force { Choice::Force } else { Choice::Pending };
            // The window is of whole buckets, so what is planned of its hull is cut nowhere else.
            let Some(hull) = window.hull() else { continue };
            let ranges = plan(transaction.version(), cagg, hull, choice).intersect(&window);
            if ranges.is_empty() {
                continue;
            }
            let rows = self.replace_buckets(transaction, cagg, &ranges).await?;
            match level {
                0 => (done.ranges, done.rows) = (ranges, rows),
                _ => done.below = true,
            }
        }
        Ok(done)
    }

    /// Replaces whole buckets; gives how many rows they have.
    async fn replace_buckets(
        &self,
        transaction: &mut Transaction,
        cagg: &Arc<ContinuousAggregate>,
        ranges: &RangeSet,
    ) -> Result<u64> {
        let now = self.engine.now();
        let times = StatementTimes { transaction: now, statement: now };
        let planner = Planner::new(self.engine, transaction.version(), self.settings, self.user, times);
        let table = realtime::table(&planner, cagg)?;
        let old = ids_within(&planner, &table, ranges).await?;
        transaction.delete(table.id, old, RangeSet::empty())?;
        let finished = planner.run(realtime::compute(&planner, cagg, ranges)?, &[]).await?;
        let rows = insert_all(transaction, &table, finished).await?;
        transaction.settle(cagg.id, ranges.clone())?;
        Ok(rows)
    }

    /// Refreshes outside of a transaction block: plans on the newest version, commits, and starts over when
    /// somebody else was faster.
    ///
    /// Where the outputs of a bucket cannot be computed, that bucket keeps its last good rows and stays pending,
    /// and the others are refreshed all the same.
    ///
    /// # Errors
    /// That of the first bucket that could not be computed, after the others are done.
    pub async fn run(&self, cagg: &Arc<ContinuousAggregate>, window: TimeRange, choice: Choice) -> Result<Refreshed> {
        let _one = self.engine.refreshing.lock().await;
        let snapshot = self.engine.store.snapshot();
        let chain = chain(&snapshot, cagg);
        let waiting = batches(&snapshot, &chain, &work(&snapshot, &chain, window, choice));
        drop(snapshot);
        let began = self.engine.now();
        let (done, failure) = self.commit_batches(&chain, waiting, choice).await?;
        let seconds = (self.engine.now() - began) as f64 / 1e6;
        let rows = rows_within(&self.engine.store.snapshot(), cagg, &done.ranges);
        if rows > 0 && seconds > 0.0 {
            self.engine.refresh_rates.lock().insert(cagg.id, rows as f64 / seconds);
        }
        failure.map_or(Ok(done), Err)
    }

    /// Refreshes batch by batch, each a commit; gives what was done, and why the first bucket that failed did.
    async fn commit_batches(
        &self,
        chain: &Chain,
        mut waiting: Vec<RangeSet>,
        choice: Choice,
    ) -> Result<(Refreshed, Option<crate::Error>)> {
        let cagg = &chain[0];
        let mut done = Refreshed::default();
        let mut failure = None;
        while let Some(ranges) = waiting.pop() {
            if ranges.is_empty() {
                continue;
            }
            let mut transaction = self.engine.store.begin();
            let replaced = match self.replace_batch(&mut transaction, chain, &ranges, choice).await {
                Ok(refreshed) => self.engine.commit(transaction, true).await.map(|()| refreshed),
                Err(e) => Err(e),
            };
            match replaced {
                Ok(refreshed) => done.add(refreshed),
                Err(e) if e.sqlstate == "40001" => waiting.push(ranges),
                // A value that cannot be computed is one bucket's: look for it among the halves.
                Err(e) if e.sqlstate.starts_with("22") || e.sqlstate == OUT_OF_MEMORY => match halves(cagg, &ranges) {
                    Some((earlier, later)) => waiting.extend([later, earlier]),
                    None if chain.len() == 1 => drop(failure.get_or_insert(at_bucket(e, cagg, &ranges))),
                    // Then among the buckets below this one; it may be no more than one of those.
                    None => {
                        let below = chain[1].buckets_of(&ranges);
                        let (_, lower) =
                            Box::pin(self.commit_batches(&chain[1..], vec![below], Choice::Pending)).await?;
                        let (own, upper) = Box::pin(self.commit_batches(&chain[..1], vec![ranges], choice)).await?;
                        done.add(Refreshed { below: true, ..own });
                        failure = failure.or(lower).or(upper);
                    }
                },
                Err(e) => return Err(e),
            }
        }
        Ok((done, failure))
    }
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

/// About how many rows of the sources lie in the ranges.
fn rows_within(version: &Version, cagg: &ContinuousAggregate, ranges: &RangeSet) -> u64 {
    let sources = cagg.sources().filter_map(|source| version.catalog().tables.get(&source));
    let rows_of = |source: &Arc<Table>| {
        let data = version.table(source.id);
        ranges.iter().map(|range| data.rows_within(source, range)).sum::<u64>()
    };
    sources.map(rows_of).sum()
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
