//! `rollup(column)` of an aggregated column: its true value over many buckets, from states.
//!
//! ```text
//! SELECT time_bucket('1 day', bucket), rollup(avg_temp) FROM hourly GROUP BY 1
//!
//! as planned     Aggregate day, rollup(avg_temp) ◀── … ◀── outputs of "hourly"
//! as it runs     finish ◀── components ◀── Aggregate day, merge(n, sum) ◀── … ◀── outputs and states of "hourly"
//! ```
//!
//! The column is followed from the aggregate down to the view, through whatever leaves its rows as they are; the
//! same way back, the states are handed up. What is no such column is refused, because there is nothing that an
//! average of averages could truly be.

use crate::definition::{Definition, Rollup, bare};
use crate::query::Planner;
use crate::state::value;
use crate::{Error, Result, realtime};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias, cast,
};
use highwater_model::{CaggId, ContinuousAggregate};
use std::collections::HashMap;
use std::sync::Arc;

/// Marks where a plan begins to be that of a continuous aggregate.
pub fn mark(cagg: &ContinuousAggregate, plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(LogicalPlanBuilder::from(plan).alias(format!("{MARK}{}", cagg.id.0))?.build()?)
}

const MARK: &str = "_cagg_";

/// The name that a state's column has where it is handed up.
pub fn state_name(cagg: CaggId, column: &str) -> String {
    format!("{MARK}{}{column}", cagg.0)
}

/// Makes a plan compute what it asks to be rolled up.
///
/// # Errors
/// 42804 where it is no aggregated column; 0A000 where a state does not reach.
pub fn apply(planner: &Planner, plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let changed = match &node {
            LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(is_rollup(node.inputs()[0].schema())) => {
                Transformed::yes(roll_up(planner, aggregate)?)
            }
            LogicalPlan::Window(window) => {
                if window.window_expr.iter().any(is_rollup(window.input.schema())) {
                    let message = "rolling over an aggregated column is not supported";
                    return Err(Error::unsupported(message)
                        .hint("Keep a state in the aggregate, such as stats_agg(x) or percentile_agg(x), and ask rolling(state) OVER (…).")
                        .into());
                }
                Transformed::no(node)
            }
            _ => Transformed::no(node),
        };
        changed.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(plan.data)
}

/// Whether an expression rolls up something that is no state by itself.
fn is_rollup(schema: &DFSchema) -> impl Fn(&Expr) -> bool {
    |expr| {
        let (name, args) = match expr.clone().unalias_nested().data {
            Expr::AggregateFunction(call) => (call.func.name().to_owned(), call.params.args),
            Expr::WindowFunction(call) => {
                let WindowFunction { fun, params } = *call;
                (fun.name().to_owned(), params.args)
            }
            _ => return false,
        };
        let no_state = |arg: &Expr| arg.get_type(schema).is_ok_and(|t| value::Kind::of(&t).is_none());
        matches!(name.as_str(), "rollup" | "rolling") && args.first().is_some_and(no_state)
    }
}

fn not_aggregated(arg: &Expr) -> Error {
    let what = match arg {
        Expr::Column(column) => format!("\"{}\"", column.flat_name()),
        _ => "the argument of rollup".to_owned(),
    };
    Error::new("42804", format!("{what} is not an aggregated column of a continuous aggregate"))
        .detail("rollup merges states, and there are none of this expression.")
        .hint("Roll up a column that the continuous aggregate computes, or a state such as stats_agg(x).")
}

/// An aggregate that merges states.
fn roll_up(planner: &Planner, aggregate: &Aggregate) -> DfResult<LogicalPlan> {
    let mut input = aggregate.input.as_ref().clone();
    let schema = aggregate.input.schema().clone();
    let mut aggr_exprs: Vec<Expr> = Vec::new();
    let mut rollups: Vec<Option<(Rollup, HashMap<String, Column>)>> = Vec::new();
    for expr in &aggregate.aggr_expr {
        if !is_rollup(&schema)(expr) {
            aggr_exprs.push(expr.clone());
            rollups.push(None);
            continue;
        }
        let Expr::AggregateFunction(call) = expr.clone().unalias_nested().data else {
            return Err(Error::internal("a rollup is an aggregate").into());
        };
        let Some(Expr::Column(column)) = call.params.args.first() else {
            return Err(not_aggregated(&call.params.args[0]).into());
        };
        let Some((exposed, cagg, output)) = expose(planner, &input, column)? else {
            return Err(not_aggregated(&call.params.args[0]).into());
        };
        input = exposed;
        let restricted = realtime::definition_planner(planner, &cagg);
        let rollup = Definition::new(&restricted, &cagg.query, cagg.source)?.rollup(&restricted, output)?;
        let mut merged = HashMap::new();
        for (name, merge) in &rollup.merges {
            let from = |name: &str| exposed_column(input.schema(), &state_name(cagg.id, name));
            let merge = filtered(renamed(merge.clone(), &from)?, &call)?;
            // Columns may share a state, which is merged once.
            let same = aggr_exprs.iter().position(|e| matches!(e, Expr::Alias(alias) if *alias.expr == merge));
            let place = same.unwrap_or(aggr_exprs.len());
            if same.is_none() {
                aggr_exprs.push(merge.alias(local(place, "")));
            }
            merged.insert(name.clone(), Column::new_unqualified(local(place, "")));
        }
        rollups.push(Some((rollup, merged)));
    }
    let merged = LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), aggregate.group_expr.clone(), aggr_exprs)?);
    // What is no rollup keeps its name; components get one that no other rollup has.
    let groups = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
    let known = |i: usize| Expr::Column(Column::from(aggregate.schema.qualified_field(i)));
    let mut components: Vec<Expr> = (0..groups).map(known).collect();
    let mut values = components.clone();
    for (i, rollup) in rollups.into_iter().enumerate() {
        let Some((rollup, merged)) = rollup else {
            components.push(known(groups + i));
            values.push(known(groups + i));
            continue;
        };
        let here = |name: &str| Some(Column::new_unqualified(local(i, name)));
        for (name, component) in rollup.components {
            let component = renamed(component.unalias(), &|name| merged.get(name).cloned())?;
            components.push(component.alias(local(i, &name)));
        }
        let (qualifier, field) = aggregate.schema.qualified_field(groups + i);
        let value = cast(renamed(rollup.value, &here)?, field.data_type().clone());
        values.push(value.alias_qualified(qualifier.cloned(), field.name()));
    }
    let components = Projection::try_new(components, Arc::new(merged))?;
    Ok(LogicalPlan::Projection(Projection::try_new(values, Arc::new(LogicalPlan::Projection(components)))?))
}

/// A name that nobody else uses.
fn local(i: usize, name: &str) -> String {
    format!("_rollup_{i}{name}")
}

/// The merge with the FILTER of the rollup.
fn filtered(merge: Expr, call: &AggregateFunction) -> Result<Expr> {
    let Some(filter) = &call.params.filter else { return Ok(merge) };
    match merge {
        Expr::AggregateFunction(mut merge) => {
            merge.params.filter = Some(match merge.params.filter.take() {
                Some(own) => Box::new(own.and(filter.as_ref().clone())),
                None => filter.clone(),
            });
            Ok(Expr::AggregateFunction(merge))
        }
        other => Err(Error::internal(format!("{other} merges states"))),
    }
}

/// An expression over other columns.
fn renamed(expr: Expr, to: &dyn Fn(&str) -> Option<Column>) -> DfResult<Expr> {
    let renamed = expr.transform_up(|expr| match expr {
        Expr::Column(column) => match to(&column.name) {
            Some(column) => Ok(Transformed::yes(Expr::Column(column))),
            None => Err(Error::internal(format!("there is no state {}", column.name)).into()),
        },
        other => Ok(Transformed::no(other)),
    })?;
    Ok(renamed.data)
}

fn exposed_column(schema: &DFSchema, name: &str) -> Option<Column> {
    let (qualifier, field) = schema.iter().find(|(_, field)| field.name() == name)?;
    Some(Column::new(qualifier.cloned(), field.name()))
}

/// The states of an aggregate that a schema has.
fn exposed_columns(schema: &DFSchema, cagg: CaggId) -> Vec<Column> {
    let prefix = state_name(cagg, "_");
    let columns = schema.iter().filter(|(_, field)| field.name().starts_with(&prefix));
    columns.map(|(qualifier, field)| Column::new(qualifier.cloned(), field.name())).collect()
}

/// A plan whose rows are the same and have the states of the aggregate that `column` comes from, that aggregate, and
/// which of its outputs the column is. `None` when it comes from none.
fn expose(
    planner: &Planner,
    plan: &LogicalPlan,
    column: &Column,
) -> Result<Option<(LogicalPlan, Arc<ContinuousAggregate>, usize)>> {
    let place = plan.schema().index_of_column(column)?;
    let below = |input: &LogicalPlan, place: usize| {
        let column = Column::from(input.schema().qualified_field(place));
        expose(planner, input, &column)
    };
    let (child, place_below) = match plan {
        LogicalPlan::SubqueryAlias(alias) => {
            if let Some(cagg) = marked(planner, &alias.alias) {
                let exposed = if exposed_columns(plan.schema(), cagg.id).is_empty() {
                    let input = Arc::new(realtime::plan_with_states(planner, &cagg)?);
                    LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(input, alias.alias.clone())?)
                } else {
                    plan.clone()
                };
                return Ok(Some((exposed, cagg, place)));
            }
            (0, place)
        }
        LogicalPlan::Projection(projection) => {
            let Expr::Column(column) = projection.expr[place].clone().unalias_nested().data else { return Ok(None) };
            let Some((input, cagg, output)) = expose(planner, &projection.input, &column)? else { return Ok(None) };
            let mut exprs = projection.expr.clone();
            let there = exposed_columns(plan.schema(), cagg.id);
            let missing = exposed_columns(input.schema(), cagg.id).into_iter().filter(|c| !there.contains(c));
            exprs.extend(missing.map(Expr::Column));
            return Ok(Some((LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(input))?), cagg, output)));
        }
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) => (0, place),
        LogicalPlan::Join(join) => match join.left.schema().fields().len() {
            left if place < left => (0, place),
            left => (1, place - left),
        },
        _ => return Ok(None),
    };
    let mut inputs: Vec<LogicalPlan> = plan.inputs().into_iter().cloned().collect();
    let Some((exposed, cagg, output)) = below(&inputs[child], place_below)? else { return Ok(None) };
    inputs[child] = exposed;
    Ok(Some((plan.with_new_exprs(plan.expressions(), inputs)?, cagg, output)))
}

fn marked(planner: &Planner, alias: &TableReference) -> Option<Arc<ContinuousAggregate>> {
    let id = CaggId(alias.table().strip_prefix(MARK)?.parse().ok()?);
    planner.version().catalog().caggs.get(&id).cloned()
}

/// The columns of kept rows that are states, under the names that they are handed up by.
pub fn state_columns<'a>(cagg: CaggId, columns: impl Iterator<Item = &'a str>) -> Vec<Expr> {
    let states = columns.filter(|name| name.starts_with("_state_"));
    states.map(|name| bare(name).alias(state_name(cagg, name))).collect()
}
