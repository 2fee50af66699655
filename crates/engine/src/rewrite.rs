//! Answering a query of raw rows from a continuous aggregate, where that gives the same.
//!
//! ```text
//! SELECT time_bucket('1 day', t), avg(x) FROM rows WHERE t >= a AND t < b GROUP BY 1
//!
//!          a                                       b
//! hours  |   |   |   | x |   |   | f |   |   |   |   |            x is dirty, f has frozen rows
//!          └─┘                                   └─┘              rows ──partial──┐
//!            └───────┘   └───────┘   └───────────┘                kept states ────┼─▶ merge ─▶ finish
//!                    └───┘       └───┘                            rows ──partial──┘
//! ```
//!
//! Kept states are taken of whole buckets that are clean, so that they are those of the rows there are now, and that
//! have nothing frozen: the query asks for rows that are there, and dropped ones are not. All else comes from rows.
//! What the bounds are is not known while a plan is made for any values of its parameters, so they stay conditions:
//! of buckets on one side, of rows on the other, such that each row counts once.
//!
//! An average that a query of rows gives differs from one of merged states by no more than the order of a sum makes.

use crate::definition::answer::{Answer, Bounds, Grouping, with_time};
use crate::definition::{Definition, bare};
use crate::query::Planner;
use crate::setting::Rewrite;
use crate::table::StoreTable;
use crate::{Result, realtime};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, cast,
};
use highwater_model::{ContinuousAggregate, RangeSet, Table};
use std::sync::Arc;

/// Makes aggregates of rows be answered from what continuous aggregates keep.
pub fn apply(planner: &Planner, plan: LogicalPlan) -> Result<LogicalPlan> {
    if planner.settings().rewrite() == Rewrite::Never || !reads_what_is_aggregated(planner, &plan)? {
        return Ok(plan);
    }
    let plan = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Aggregate(aggregate) = &node else { return Ok(Transformed::no(node)) };
        match rewritten(planner, aggregate)? {
            Some(plan) => Ok(Transformed::yes(plan)),
            None => Ok(Transformed::no(node)),
        }
    })?;
    match plan.transformed {
        true => Ok(plan.data.recompute_schema()?),
        false => Ok(plan.data),
    }
}

/// Whether there is an aggregate in a plan, and a table that continuous aggregates are over.
fn reads_what_is_aggregated(planner: &Planner, plan: &LogicalPlan) -> Result<bool> {
    let (mut groups, mut reads) = (false, false);
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::Aggregate(_) => groups = true,
            LogicalPlan::TableScan(scan) => {
                let provider = source_as_provider(&scan.source)?;
                let catalog = planner.version().catalog();
                let table = StoreTable::of(provider.as_ref()).map(StoreTable::table_id);
                reads |= table.is_some_and(|table| catalog.caggs_over(table).next().is_some());
            }
            _ => {}
        }
        Ok(if groups && reads { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(groups && reads)
}

/// The same groups from kept states; `None` when none serve, or when to read them is no less than to read rows.
fn rewritten(planner: &Planner, aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let version = planner.version();
    let config = planner.state().config_options();
    let analyzed = planner.state().analyzer();
    let analyzed = analyzed.execute_and_check(LogicalPlan::Aggregate(aggregate.clone()), config, |_, _| {})?;
    let LogicalPlan::Aggregate(analyzed) = analyzed else { return Ok(None) };
    let Some(grouping) = Grouping::of(planner, &analyzed)? else { return Ok(None) };
    let Some(table) = version.catalog().tables.get(&grouping.table) else { return Ok(None) };
    let mut caggs: Vec<(u64, &Arc<ContinuousAggregate>)> = version
        .catalog()
        .caggs_over(table.id)
        .map(|cagg| (version.table(cagg.materialization).row_count, cagg))
        .collect();
    caggs.sort_by_key(|(rows, cagg)| (*rows, cagg.id));
    let always = planner.settings().rewrite() == Rewrite::Always;
    for (rows, cagg) in caggs {
        if !always && rows > version.table(table.id).row_count / 2 {
            break;
        }
        // Whoever reads an aggregate that cannot be planned any more is told so; others read rows.
        let Ok(definition) = planner.meaning_of(cagg) else { continue };
        let same_clock = cagg.time_zone == planner.settings().time_zone();
        if let Some(answer) = definition.answer(planner, &grouping, table, &cagg.bucket, same_clock)? {
            planner.note_read(cagg.id);
            let usable = usable(planner, cagg);
            if usable.is_empty() {
                continue;
            }
            return Ok(Some(planned(planner, aggregate, cagg, &definition, table, &answer, &usable)?));
        }
    }
    Ok(None)
}

/// The times of the buckets that are kept, and are what the rows there are now make of them.
fn usable(planner: &Planner, cagg: &ContinuousAggregate) -> RangeSet {
    let version = planner.version();
    let frozen = version.cagg(cagg.id).frozen.iter().map(|range| cagg.bucket.align_out(range)).collect();
    let dropped = cagg.bucket.starting(&version.table(cagg.materialization).dropped);
    RangeSet::all().subtract(&realtime::dirty(version, cagg)).subtract(&frozen).subtract(&dropped)
}

fn planned(
    planner: &Planner,
    aggregate: &Aggregate,
    cagg: &ContinuousAggregate,
    definition: &Definition,
    table: &Arc<Table>,
    answer: &Answer,
    usable: &RangeSet,
) -> Result<LogicalPlan> {
    let key = |i: usize| format!("_group_{i}");
    let count = answer.groups.len();
    let named = |groups: &[Expr]| -> Vec<Expr> {
        groups.iter().enumerate().map(|(i, group)| group.clone().alias(key(i))).collect()
    };
    let keys = || (0..count).map(|i| bare(key(i)));
    // States of whole buckets.
    let materialization = realtime::table(planner, cagg)?;
    let data = planner.version().table(materialization.id);
    let kept = StoreTable::new(materialization.clone(), data).within(usable.clone());
    let kept = LogicalPlanBuilder::scan("_kept", provider_as_source(Arc::new(kept)), None)?.build()?;
    let mut kept = LogicalPlanBuilder::from(definition.states_of_finished(kept)?);
    let inside = inside(answer).into_iter().chain(answer.conditions.iter().cloned()).reduce(Expr::and);
    if let Some(inside) = inside {
        kept = kept.filter(inside)?;
    }
    let states: Vec<Expr> = answer.columns().map(bare).collect();
    let mut all = kept.project(named(&answer.groups).into_iter().chain(states.clone()))?;
    // Rows of the others: those that are not usable, and those of buckets that a bound cuts.
    let others = RangeSet::all().subtract(usable);
    let cut = outside(answer).into_iter().map(|cut| (usable, Some(cut)));
    for (times, cut) in [(&others, None)].into_iter().chain(cut) {
        if times.is_empty() {
            continue;
        }
        let rows = StoreTable::new(table.clone(), planner.version().table(table.id)).within(times.clone());
        let mut rows = LogicalPlanBuilder::scan("_rows", provider_as_source(Arc::new(rows)), None)?;
        if let Some(conditions) = answer.grouping.conditions.iter().cloned().chain(cut).reduce(Expr::and) {
            rows = rows.filter(conditions)?;
        }
        let rows = rows.aggregate(named(&answer.grouping.groups), answer.partials()?)?;
        all = all.union(rows.project(keys().chain(answer.flattened()))?.build()?)?;
    }
    let merged = all.aggregate(keys(), answer.merges())?.project(keys().chain(answer.flattened()))?.build()?;
    // Under the names and of the types that the query knows.
    let mut values: Vec<Expr> = keys().collect();
    values.extend(answer.finished(planner, table)?);
    let mut shown = Vec::new();
    for (value, (qualifier, field)) in values.into_iter().zip(aggregate.schema.iter()) {
        let value = match value.get_type(merged.schema())? == *field.data_type() {
            true => value,
            false => cast(value, field.data_type().clone()),
        };
        shown.push(value.alias_qualified(qualifier.cloned(), field.name()));
    }
    Ok(LogicalPlanBuilder::from(merged).project(shown)?.build()?)
}

/// What holds for buckets that lie within the bounds as a whole.
fn inside(answer: &Answer) -> Vec<Expr> {
    let bucket = bare(answer.bucket_key.clone());
    let Bounds { lower, upper } = &answer.bounds;
    let lower = lower.clone().map(|(op, from)| binary_expr(bucket.clone(), op, from));
    let upper = upper.clone().map(|(_, to)| bucket.lt(with_time(answer.bucket.clone(), to)));
    lower.into_iter().chain(upper).collect()
}

/// What holds for rows within the bounds whose buckets do not lie within them as a whole: first those of the bucket
/// that the lower bound cuts, then those of the bucket of the upper one.
fn outside(answer: &Answer) -> Vec<Expr> {
    let Bounds { lower, upper } = &answer.bounds;
    let cut = lower.clone().map(|(op, from)| {
        let before = if op == Operator::Gt { Operator::LtEq } else { Operator::Lt };
        binary_expr(answer.bucket.clone(), before, from)
    });
    let last = upper.clone().map(|(_, to)| {
        let last = answer.time.clone().gt_eq(with_time(answer.bucket.clone(), to));
        match lower.clone() {
            Some((op, from)) => binary_expr(answer.bucket.clone(), op, from).and(last),
            None => last,
        }
    });
    cut.into_iter().chain(last).collect()
}
