//! Reading a continuous aggregate.
//!
//! ```text
//! buckets      |  clean  |  dirty  |  clean  |  beyond the threshold …
//! read from    | kept    | rows    | kept    | rows
//! ```
//!
//! A materialized-only aggregate shows what is kept. A real-time one shows what is kept of clean buckets
//! and computes the others from rows, so it is always equal to its query. What the open transaction has
//! touched is pending in the version that it reads, so its own writes are seen too.
//!
//! The rows of an aggregate over an aggregate are what that one shows; so where both are real-time and dirty, the
//! second is computed from what is computed of the first.
//!
//! Window functions of a definition are computed of the rows that are shown, each time they are read. Who wants the
//! rows of some times only reads the buckets that these times' windows reach, and no others.

pub mod narrow;
mod times;

use crate::definition::{Definition, VISIBLE, bare};
use crate::query::Planner;
use crate::table::StoreTable;
use crate::{Error, Result, rollup};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use highwater_model::{ContinuousAggregate, RangeSet, Table, TableId};
use highwater_store::Version;
use std::sync::Arc;
use times::among;

/// The rows that an aggregate shows in the planner's version.
pub fn plan(planner: &Planner, cagg: &Arc<ContinuousAggregate>) -> Result<LogicalPlan> {
    let rows = rows(planner, cagg, false)?;
    if !cagg.is_windowed() {
        return rollup::mark(cagg, rows);
    }
    let definition = planner.meaning_of(cagg)?;
    let windows = definition.windows().ok_or_else(|| Error::internal("its outputs say that it has windows"))?;
    let mut rows = windows.over(rollup::mark_kept(cagg, rows)?)?;
    // The others were read for their sake only.
    if let Some(wanted) = planner.rows_within(cagg.materialization) {
        rows = LogicalPlanBuilder::from(rows).filter(among(wanted, bare(windows.bucket())))?.build()?;
    }
    let shown = windows.show(rows, cagg.outputs.iter().map(|(name, _)| name.clone()))?;
    rollup::mark(cagg, rollup::apply(planner, shown)?)
}

/// The rows that an aggregate shows, but for window functions, with their states after the outputs.
pub fn plan_with_states(planner: &Planner, cagg: &Arc<ContinuousAggregate>) -> Result<LogicalPlan> {
    rows(planner, cagg, true)
}

fn rows(planner: &Planner, cagg: &Arc<ContinuousAggregate>, with_states: bool) -> Result<LogicalPlan> {
    let version = planner.version();
    let materialization = table(planner, cagg)?;
    let kept = StoreTable::new(materialization.clone(), version.table(materialization.id));
    let column = |id| materialization.column_by_id(id).map(|column| column.name.clone());
    let names: Vec<(String, String)> = match cagg.is_windowed() {
        // Windows know them by the names that they are kept under.
        true => {
            let outputs = materialization.columns.iter().take(planner.meaning_of(cagg)?.output_count());
            outputs.map(|column| (column.name.clone(), column.name.clone())).collect()
        }
        false => cagg.kept_outputs().filter_map(|(name, id)| Some((name.to_owned(), column(id)?))).collect(),
    };
    let shown = |plan: LogicalPlan| -> Result<LogicalPlan> {
        let mut outputs: Vec<Expr> = names.iter().map(|(name, column)| bare(column.clone()).alias(name)).collect();
        if with_states {
            let others = materialization.columns.iter().skip(names.len());
            outputs.extend(rollup::state_columns(cagg.id, others.map(|c| c.name.as_str())));
        }
        Ok(LogicalPlanBuilder::from(plan).filter(bare(VISIBLE))?.project(outputs)?.build()?)
    };
    let scan = |rows: StoreTable| -> Result<LogicalPlan> {
        let plan = LogicalPlanBuilder::scan("_kept", provider_as_source(Arc::new(rows)), None)?;
        let columns: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .map(|c| {
                let name = c.name.clone();
                Expr::Column(c).alias(name)
            })
            .collect();
        Ok(plan.project(columns)?.build()?)
    };
    // An aggregate over this one may want the rows of some times only.
    let wanted = planner.rows_within(cagg.materialization).map(|rows| cagg.reach.starts(rows));
    let dirty = match (cagg.materialized_only, &wanted) {
        (true, _) => RangeSet::empty(),
        (false, None) => dirty(version, cagg),
        (false, Some(wanted)) => dirty(version, cagg).intersect(&cagg.bucket.starting(wanted)),
    };
    if dirty.is_empty() {
        return shown(scan(wanted.map_or(kept.clone(), |times| kept.within(times)))?);
    }
    let clean = wanted.unwrap_or(RangeSet::all()).subtract(&dirty);
    let fresh = compute(planner, cagg, &dirty)?;
    let kept = shown(scan(kept.within(clean))?)?;
    Ok(LogicalPlanBuilder::from(kept).union(shown(fresh)?)?.build()?)
}

/// The table that keeps an aggregate's buckets.
pub fn table(planner: &Planner, cagg: &ContinuousAggregate) -> Result<Arc<Table>> {
    let table = planner.version().catalog().tables.get(&cagg.materialization);
    table.cloned().ok_or_else(|| Error::internal(format!("\"{}\" has no materialization", cagg.name)))
}

/// The pending buckets that rows or frozen states may lie in, whole.
pub fn dirty(version: &Version, cagg: &ContinuousAggregate) -> RangeSet {
    let data = version.cagg(cagg.id);
    let aligned: RangeSet = data.pending.ranges().iter().map(|range| cagg.bucket.align_out(range)).collect();
    // Where there is nothing to compute and nothing is kept, clean and dirty are the same.
    aligned.intersect(&occupied(version, cagg))
}

/// The whole buckets that rows, frozen states or kept buckets may lie in.
pub fn occupied(version: &Version, cagg: &ContinuousAggregate) -> RangeSet {
    let computed: RangeSet = computable(version, cagg).iter().map(|range| cagg.bucket.align_out(range)).collect();
    hull(version, cagg.materialization).union(&computed)
}

/// Times that hold all rows of an aggregate's sources, and all of its frozen states.
fn computable(version: &Version, cagg: &ContinuousAggregate) -> RangeSet {
    let rows = cagg.sources().fold(RangeSet::empty(), |all, source| all.union(&hull(version, source)));
    let shown = match version.catalog().parent(cagg).filter(|parent| !parent.materialized_only) {
        Some(parent) => rows.union(&parent.bucket.starts(&computable(version, parent))),
        None => rows,
    };
    shown.union(&version.cagg(cagg.id).frozen)
}

/// Times that hold all rows of a table.
fn hull(version: &Version, table: TableId) -> RangeSet {
    let definition = version.catalog().tables.get(&table);
    definition.and_then(|t| version.table(table).hull(t)).into_iter().collect()
}

/// The newest finite time of the rows of an aggregate's sources, or one after it.
pub fn newest(version: &Version, cagg: &ContinuousAggregate) -> Option<i64> {
    let catalog = version.catalog();
    let sources = cagg.sources().filter_map(|source| catalog.tables.get(&source));
    let rows = sources.filter_map(|table| version.table(table.id).newest(table)).max();
    let parent = catalog.parent(cagg).filter(|parent| !parent.materialized_only);
    let shown = parent.and_then(|parent| Some(parent.bucket.floor(newest(version, parent)?)));
    rows.max(shown)
}

/// Finished rows of whole buckets, computed from the sources' rows and the frozen base.
pub fn compute(planner: &Planner, cagg: &ContinuousAggregate, buckets: &RangeSet) -> Result<LogicalPlan> {
    let (restricted, definition) = definition_within(planner, cagg, buckets)?;
    compute_as(&restricted, cagg, &definition, buckets)
}

/// The same by a definition that reads no other rows.
pub fn compute_as(
    planner: &Planner,
    cagg: &ContinuousAggregate,
    definition: &Definition,
    buckets: &RangeSet,
) -> Result<LogicalPlan> {
    let version = planner.version();
    let mut states = definition.partial()?;
    if !version.cagg(cagg.id).frozen.intersect(buckets).is_empty() {
        let frozen = version.catalog().tables.get(&cagg.frozen_base).cloned();
        let frozen = frozen.ok_or_else(|| Error::internal(format!("\"{}\" has no frozen base", cagg.name)))?;
        let rows = StoreTable::new(frozen.clone(), version.table(frozen.id)).within(buckets.clone());
        let kept = LogicalPlanBuilder::scan("_frozen", provider_as_source(Arc::new(rows)), None)?.build()?;
        let both = LogicalPlanBuilder::from(states).union(definition.partial_of(kept)?)?.build()?;
        states = definition.merge(both)?;
    }
    definition.finish(planner, states)
}

/// The partial states of one source's rows in these times, for freezing them.
pub fn partial(
    planner: &Planner,
    cagg: &ContinuousAggregate,
    source: TableId,
    times: &RangeSet,
) -> Result<LogicalPlan> {
    let others = planner.for_definition(cagg).with_sources_within(cagg, &RangeSet::empty());
    Definition::of(&others.with_rows_within(source, times.clone()), cagg)?.partial()
}

/// A definition that reads no rows of its sources but those of some times.
pub fn definition_within(
    planner: &Planner,
    cagg: &ContinuousAggregate,
    times: &RangeSet,
) -> Result<(Planner, Definition)> {
    let restricted = planner.for_definition(cagg).with_sources_within(cagg, times);
    let definition = Definition::of(&restricted, cagg)?;
    Ok((restricted, definition))
}
