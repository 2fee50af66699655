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

use crate::definition::{Rollup, bare};
use crate::query::Planner;
use crate::state::{anew, value};
use crate::{Error, Result, realtime};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, TableReference};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias, Window,
    WindowFunctionDefinition, cast,
};
use highwater_model::{CaggId, ContinuousAggregate};
use std::collections::HashMap;
use std::sync::Arc;

/// Marks where a plan begins to be that of a continuous aggregate.
pub fn mark(cagg: &ContinuousAggregate, plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(LogicalPlanBuilder::from(plan).alias(format!("{MARK}{}", cagg.id.0))?.build()?)
}

/// Marks, in the plan of an aggregate with windows, the rows that these are computed of.
pub fn mark_kept(cagg: &ContinuousAggregate, plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(LogicalPlanBuilder::from(plan).alias(format!("{KEPT}{}", cagg.id.0))?.build()?)
}

const MARK: &str = "_cagg_";
const KEPT: &str = "_kept_";

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
            LogicalPlan::Aggregate(aggregate)
                if aggregate.aggr_expr.iter().any(is_rollup(node.inputs()[0].schema())) =>
            {
                let node = |input: LogicalPlan, exprs| {
                    let groups = aggregate.group_expr.clone();
                    Ok(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), groups, exprs)?))
                };
                Transformed::yes(roll_up(planner, &aggregate.input, &aggregate.aggr_expr, &aggregate.schema, &node)?)
            }
            LogicalPlan::Window(window) if window.window_expr.iter().any(is_rollup(window.input.schema())) => {
                let node =
                    |input: LogicalPlan, exprs| Ok(LogicalPlan::Window(Window::try_new(exprs, Arc::new(input))?));
                Transformed::yes(roll_up(planner, &window.input, &window.window_expr, &window.schema, &node)?)
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

/// A call of `rollup` in the definition of an aggregate over an aggregate.
pub struct RolledUp {
    /// The rows that are grouped, with the states of the parent.
    pub input: LogicalPlan,
    /// The parent.
    pub cagg: Arc<ContinuousAggregate>,
    /// Which of its outputs is rolled up.
    pub output: usize,
}

/// The column that a window function rolls up; `None` when it does not, or rolls up states that are values.
///
/// # Errors
/// 42804 when that is no column.
pub fn rolled_up_column<'a>(call: &'a Expr, rows: &DFSchema) -> Result<Option<&'a Column>> {
    let call = if let Expr::Alias(alias) = call { alias.expr.as_ref() } else { call };
    if !is_rollup(rows)(call) {
        return Ok(None);
    }
    match argument(call)? {
        Expr::Column(column) => Ok(Some(column)),
        other => Err(not_aggregated(other)),
    }
}

/// What a call over the rows of `input` rolls up; `None` when it is another aggregate, or over states that are values.
///
/// # Errors
/// 42804 when it is no aggregated column.
pub fn rolled_up(planner: &Planner, input: &LogicalPlan, call: &AggregateFunction) -> Result<Option<RolledUp>> {
    if !is_rollup(input.schema())(&Expr::AggregateFunction(call.clone())) {
        return Ok(None);
    }
    let [argument] = call.params.args.as_slice() else { return Err(Error::internal("a rollup has an argument")) };
    let Expr::Column(column) = argument else { return Err(not_aggregated(argument)) };
    match expose(planner, input, column)? {
        Some((input, cagg, output)) => Ok(Some(RolledUp { input, cagg, output })),
        None => Err(not_aggregated(argument)),
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

/// An aggregate or a window that merges states.
///
/// * `exprs` – what it computes of the rows of `input`; the last columns of `schema`.
/// * `node` – makes it from its input and what it computes.
fn roll_up(
    planner: &Planner,
    input: &LogicalPlan,
    exprs: &[Expr],
    schema: &DFSchema,
    node: &dyn Fn(LogicalPlan, Vec<Expr>) -> DfResult<LogicalPlan>,
) -> DfResult<LogicalPlan> {
    let asks = is_rollup(input.schema());
    let mut input = input.clone();
    let mut computed: Vec<Expr> = Vec::new();
    let mut rollups: Vec<Option<(Rollup, HashMap<String, Column>)>> = Vec::new();
    for expr in exprs {
        if !asks(expr) {
            computed.push(expr.clone());
            rollups.push(None);
            continue;
        }
        let call = expr.clone().unalias_nested().data;
        let argument = argument(&call)?;
        let Expr::Column(column) = argument else { return Err(not_aggregated(argument).into()) };
        let Some((exposed, cagg, output)) = expose(planner, &input, column)? else {
            return Err(not_aggregated(argument).into());
        };
        input = exposed;
        let restricted = planner.for_definition(&cagg);
        let rollup = planner.meaning_of(&cagg)?.rollup(&restricted, output)?;
        let mut merged = HashMap::new();
        for (name, merge) in &rollup.merges {
            let from = |name: &str| exposed_column(input.schema(), &state_name(cagg.id, name));
            let merge = merging(renamed(merge.clone(), &from)?, &call)?;
            // Columns may share a state, which is merged once.
            let same = computed.iter().position(|e| matches!(e, Expr::Alias(alias) if *alias.expr == merge));
            let place = same.unwrap_or(computed.len());
            if same.is_none() {
                computed.push(merge.alias(local(place, "")));
            }
            merged.insert(name.clone(), Column::new_unqualified(local(place, "")));
        }
        rollups.push(Some((rollup, merged)));
    }
    let merged = node(input, computed)?;
    // What is no rollup keeps its name; components get one that no other rollup has.
    let before = schema.fields().len() - exprs.len();
    let known = |i: usize| Expr::Column(Column::from(schema.qualified_field(i)));
    let mut components: Vec<Expr> = (0..before).map(known).collect();
    let mut values = components.clone();
    for (i, rollup) in rollups.into_iter().enumerate() {
        let Some((rollup, merged)) = rollup else {
            components.push(known(before + i));
            values.push(known(before + i));
            continue;
        };
        let here = |name: &str| Some(Column::new_unqualified(local(i, name)));
        for (name, component) in rollup.components {
            let component = renamed(component.unalias(), &|name| merged.get(name).cloned())?;
            components.push(component.alias(local(i, &name)));
        }
        let (qualifier, field) = schema.qualified_field(before + i);
        let value = cast(renamed(rollup.value, &here)?, field.data_type().clone());
        values.push(value.alias_qualified(qualifier.cloned(), field.name()));
    }
    let components = Projection::try_new(components, Arc::new(merged))?;
    Ok(LogicalPlan::Projection(Projection::try_new(values, Arc::new(LogicalPlan::Projection(components)))?))
}

fn argument(call: &Expr) -> Result<&Expr> {
    let args = match call {
        Expr::AggregateFunction(call) => &call.params.args,
        Expr::WindowFunction(call) => &call.params.args,
        other => return Err(Error::internal(format!("{other} is no rollup"))),
    };
    let mut argument = args.first().ok_or_else(|| Error::internal("a rollup has an argument"))?;
    // Such as `count(*)`, which is planned as a count of a constant.
    while let Expr::Alias(alias) = argument {
        argument = &alias.expr;
    }
    Ok(argument)
}

/// The aggregate `merge` where `call` is: with its FILTER, and over its window.
fn merging(merge: Expr, call: &Expr) -> Result<Expr> {
    let Expr::AggregateFunction(mut merge) = merge else {
        return Err(Error::internal(format!("{merge} merges states")));
    };
    let filter = match call {
        Expr::AggregateFunction(call) => &call.params.filter,
        Expr::WindowFunction(call) => &call.params.filter,
        other => return Err(Error::internal(format!("{other} is no rollup"))),
    };
    merge.params.filter = match (merge.params.filter.take(), filter) {
        (Some(own), Some(filter)) => Some(Box::new(own.and(filter.as_ref().clone()))),
        (own, filter) => own.or(filter.clone()),
    };
    let Expr::WindowFunction(call) = call else { return Ok(Expr::AggregateFunction(merge)) };
    let mut window = call.as_ref().clone();
    window.fun = WindowFunctionDefinition::AggregateUDF(anew::rolling(merge.func));
    (window.params.args, window.params.filter) = (merge.params.args, merge.params.filter);
    Ok(Expr::WindowFunction(Box::new(window)))
}

/// A name that nobody else uses.
fn local(i: usize, name: &str) -> String {
    format!("_rollup_{i}{name}")
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
            if let Some(cagg) = marked_kept(planner, &alias.alias) {
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
        LogicalPlan::Window(window) if place < window.input.schema().fields().len() => (0, place),
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

/// Whether this alias marks the plan of an aggregate.
pub fn is_mark(alias: &TableReference) -> bool {
    alias.table().strip_prefix(MARK).is_some_and(|id| id.parse::<u32>().is_ok())
}

/// The aggregate whose plan has this alias.
pub fn marked(planner: &Planner, alias: &TableReference) -> Option<Arc<ContinuousAggregate>> {
    named(planner, alias.table().strip_prefix(MARK)?)
}

/// The aggregate whose kept outputs have this alias. Without windows they are what it shows.
pub fn marked_kept(planner: &Planner, alias: &TableReference) -> Option<Arc<ContinuousAggregate>> {
    match alias.table().strip_prefix(KEPT) {
        Some(id) => named(planner, id),
        None => marked(planner, alias).filter(|cagg| !cagg.is_windowed()),
    }
}

/// Whether this alias marks what the windows of an aggregate are computed of.
pub fn is_kept_of(cagg: &ContinuousAggregate, alias: &TableReference) -> bool {
    alias.table().strip_prefix(KEPT).is_some_and(|id| id.parse() == Ok(cagg.id.0))
}

fn named(planner: &Planner, id: &str) -> Option<Arc<ContinuousAggregate>> {
    planner.version().catalog().caggs.get(&CaggId(id.parse().ok()?)).cloned()
}

/// The columns of kept rows that are states, under the names that they are handed up by.
pub fn state_columns<'a>(cagg: CaggId, columns: impl Iterator<Item = &'a str>) -> Vec<Expr> {
    let states = columns.filter(|name| name.starts_with("_state_"));
    states.map(|name| bare(name).alias(state_name(cagg, name))).collect()
}
