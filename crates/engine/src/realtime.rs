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

use crate::definition::{Definition, VISIBLE, bare};
use crate::query::{Planner, StatementTimes};
use crate::table::StoreTable;
use crate::{Error, Result, rollup};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use highwater_model::{ContinuousAggregate, RangeSet, Table};
use highwater_store::Version;
use std::sync::Arc;

/// The rows that an aggregate shows in the planner's version.
pub fn plan(planner: &Planner, cagg: &Arc<ContinuousAggregate>) -> Result<LogicalPlan> {
    rollup::mark(cagg, rows(planner, cagg, false)?)
}

/// The same rows, with their states after the outputs.
pub fn plan_with_states(planner: &Planner, cagg: &Arc<ContinuousAggregate>) -> Result<LogicalPlan> {
    rows(planner, cagg, true)
}

fn rows(planner: &Planner, cagg: &Arc<ContinuousAggregate>, with_states: bool) -> Result<LogicalPlan> {
    let version = planner.version();
    let materialization = table(planner, cagg)?;
    let kept = StoreTable::new(materialization.clone(), version.table(materialization.id));
    let names: Vec<(String, String)> = cagg
        .outputs
        .iter()
        .filter_map(|(name, id)| Some((name.clone(), materialization.column_by_id(*id)?.name.clone())))
        .collect();
    let shown = |plan: LogicalPlan| -> Result<LogicalPlan> {
        let mut outputs: Vec<Expr> = names.iter().map(|(name, column)| bare(column.clone()).alias(name)).collect();
        if with_states {
            let others = materialization.columns.iter().skip(cagg.outputs.len());
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
    if cagg.materialized_only {
        return shown(scan(kept)?);
    }
    let dirty = dirty(planner, cagg);
    if dirty.is_empty() {
        return shown(scan(kept)?);
    }
    let clean = RangeSet::all().subtract(&dirty);
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
pub fn dirty(planner: &Planner, cagg: &ContinuousAggregate) -> RangeSet {
    let version = planner.version();
    let pending = version.cagg(cagg.id);
    let aligned: RangeSet = pending.pending.ranges().iter().map(|range| cagg.bucket.align_out(range)).collect();
    // Where there is nothing to compute and nothing is kept, clean and dirty are the same.
    aligned.intersect(&occupied(version, cagg))
}

/// The whole buckets that rows, frozen states or kept buckets may lie in.
pub fn occupied(version: &Version, cagg: &ContinuousAggregate) -> RangeSet {
    let data = version.cagg(cagg.id);
    let Some(source) = version.catalog().tables.get(&cagg.source) else { return RangeSet::all() };
    let rows = version.table(cagg.source).hull(source);
    let occupied: RangeSet = rows.into_iter().chain(data.frozen.iter()).collect();
    let occupied: RangeSet = occupied.iter().map(|range| cagg.bucket.align_out(range)).collect();
    let materialization = version.catalog().tables.get(&cagg.materialization);
    let kept = materialization.and_then(|table| version.table(cagg.materialization).hull(table));
    kept.into_iter().fold(occupied, |all, range| all.union(&RangeSet::from(range)))
}

/// Finished rows of whole buckets, computed from the source's rows and the frozen base.
pub fn compute(planner: &Planner, cagg: &ContinuousAggregate, buckets: &RangeSet) -> Result<LogicalPlan> {
    let version = planner.version();
    let source = version.catalog().tables.get(&cagg.source).cloned();
    let source = source.ok_or_else(|| Error::internal(format!("the source of \"{}\" is gone", cagg.name)))?;
    let rows = StoreTable::new(source.clone(), version.table(source.id)).within(buckets.clone());
    let restricted = definition_planner(planner, cagg).with_override(source.id, Arc::new(rows));
    let definition = Definition::new(&restricted, &cagg.query, cagg.source)?;
    let mut states = definition.partial()?;
    if !version.cagg(cagg.id).frozen.intersect(buckets).is_empty() {
        let frozen = version.catalog().tables.get(&cagg.frozen_base).cloned();
        let frozen = frozen.ok_or_else(|| Error::internal(format!("\"{}\" has no frozen base", cagg.name)))?;
        let rows = StoreTable::new(frozen.clone(), version.table(frozen.id)).within(buckets.clone());
        let kept = LogicalPlanBuilder::scan("_frozen", provider_as_source(Arc::new(rows)), None)?.build()?;
        let both = LogicalPlanBuilder::from(states).union(definition.partial_of(kept)?)?.build()?;
        states = definition.merge(both)?;
    }
    definition.finish(&restricted, states)
}

/// The partial states of the source's rows in these times, for freezing them.
pub fn partial(planner: &Planner, cagg: &ContinuousAggregate, times: &RangeSet) -> Result<(Definition, LogicalPlan)> {
    let version = planner.version();
    let source = version.catalog().tables.get(&cagg.source).cloned();
    let source = source.ok_or_else(|| Error::internal(format!("the source of \"{}\" is gone", cagg.name)))?;
    let rows = StoreTable::new(source.clone(), version.table(source.id)).within(times.clone());
    let restricted = definition_planner(planner, cagg).with_override(source.id, Arc::new(rows));
    let definition = Definition::new(&restricted, &cagg.query, cagg.source)?;
    let plan = definition.partial()?;
    Ok((definition, plan))
}

/// A planner that reads the definition as its author meant it: with the names and zone of that session.
pub fn definition_planner(planner: &Planner, cagg: &ContinuousAggregate) -> Planner {
    let mut settings = planner.settings().clone();
    // Both were valid settings when they were captured.
    let _ = settings.set("timezone", Some(&cagg.time_zone));
    let _ = settings.set("search_path", Some(&cagg.search_path.join(", ")));
    let now = planner.engine().now();
    let times = StatementTimes { transaction: now, statement: now };
    Planner::new(planner.engine(), planner.version(), &settings, planner.user(), times)
}
