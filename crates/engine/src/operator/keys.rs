//! Where equal numbers are one, though they are shown with other scales: groups, DISTINCT, joins.
//!
//! ```text
//! SELECT x, sum(y) … GROUP BY x      SELECT min(x) AS x, sum(y) … GROUP BY key(x)
//! SELECT DISTINCT x                  SELECT min(x) AS x … GROUP BY key(x)
//! a JOIN b USING (x)                 a JOIN b ON key(a.x) = key(b.x)
//! x IN (SELECT y …)                  key(x) IN (SELECT key(y) …)
//! ```
//!
//! `key` is [`exact::key`]. Of equal numbers in one group the one with the fewest digits is shown; beside a bucket of time, and
//! in GROUPING SETS, the number without zeros at the end.

use super::cast::{cast_operand, plan_cast};
use super::exact;
use super::operand::{Kind, Operand, UNBOUNDED, is_unbounded};
use crate::error::Result;
use crate::function::gapfill::GAPFILL;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, TableReference};
use datafusion::error::Result as DfResult;
use datafusion::functions_aggregate::min_max::min_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, GroupingSet, LogicalPlan, Projection, Subquery,
};
use highwater_model::time::Clockface;
use std::sync::Arc;

/// A plan in which equal numbers are one.
///
/// # Errors
/// Those of casting numbers that are joined.
pub fn settle_keys(plan: LogicalPlan, clock: &Clockface) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => settle_groups(aggregate),
        LogicalPlan::Distinct(Distinct::All(input)) if has_numbers(input.schema()) => {
            let columns = input.schema().columns().into_iter().map(Expr::Column).collect();
            settle_groups(Aggregate::try_new(input, columns, Vec::new())?)
        }
        LogicalPlan::Distinct(Distinct::On(mut on)) => {
            let schema = Arc::clone(on.input.schema());
            on.on_expr = on.on_expr.into_iter().map(|expr| key_of_number(expr, &schema)).collect::<Result<_>>()?;
            on.sort_expr = on.sort_expr.map(|sort| sorted(sort, &schema)).transpose()?;
            Ok(LogicalPlan::Distinct(Distinct::On(on)))
        }
        LogicalPlan::Join(mut join) => {
            let (left, right) = (Arc::clone(join.left.schema()), Arc::clone(join.right.schema()));
            join.on = std::mem::take(&mut join.on)
                .into_iter()
                .map(|(l, r)| same_keys(l, &left, r, &right, clock))
                .collect::<Result<_>>()?;
            Ok(LogicalPlan::Join(join))
        }
        other => Ok(other),
    }
}

fn has_numbers(schema: &DFSchema) -> bool {
    schema.fields().iter().any(|field| *field.data_type() == UNBOUNDED)
}

/// What the expression is ordered and grouped by: its key when it is a number without bounds, or else itself.
pub fn key_of_number(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    Ok(if expr.get_type(schema)? == UNBOUNDED { exact::key(expr) } else { expr })
}

/// The same order by keys.
pub fn sorted(order: Vec<Sort>, schema: &DFSchema) -> Result<Vec<Sort>> {
    order.into_iter().map(|sort| Ok(Sort { expr: key_of_number(sort.expr, schema)?, ..sort })).collect()
}

/// Two expressions that are compared as they are, as their keys when one of them is a number without bounds.
fn same_keys(
    left: Expr,
    left_schema: &DFSchema,
    right: Expr,
    right_schema: &DFSchema,
    clock: &Clockface,
) -> Result<(Expr, Expr)> {
    let (Some(l), Some(r)) = (Operand::new(left.clone(), left_schema), Operand::new(right.clone(), right_schema))
    else {
        return Ok((left, right));
    };
    let exact = |operand: &Operand| operand.kind == Kind::Numeric || operand.kind.is_integer();
    if ![&l, &r].iter().any(|operand| operand.data_type == UNBOUNDED) || !exact(&l) || !exact(&r) {
        return Ok((left, right));
    }
    let key = |operand: Operand| Ok::<_, crate::Error>(exact::key(cast_operand(operand, &UNBOUNDED, clock)?));
    Ok((key(l)?, key(r)?))
}

/// An expression and the rows that it is compared with, both by their keys where they are numbers without bounds.
pub fn settle_subquery(
    expr: Expr,
    schema: &DFSchema,
    subquery: Subquery,
    clock: &Clockface,
) -> Result<(Expr, Subquery)> {
    let rows = Arc::clone(&subquery.subquery);
    let Ok([column]) = <[_; 1]>::try_from(rows.schema().columns()) else { return Ok((expr, subquery)) };
    let there = Expr::Column(column);
    let (here, there) = same_keys(expr, schema, there, rows.schema(), clock)?;
    if matches!(there, Expr::Column(_)) {
        return Ok((here, subquery));
    }
    let rows = LogicalPlan::Projection(Projection::try_new(vec![there.alias("key")], rows)?);
    Ok((here, subquery.with_plan(Arc::new(rows))))
}

fn settle_groups(aggregate: Aggregate) -> Result<LogicalPlan> {
    let input = Arc::clone(aggregate.input.schema());
    let is_number = |expr: &Expr| expr.get_type(&input).is_ok_and(|t| t == UNBOUNDED);
    if let [Expr::GroupingSet(set)] = aggregate.group_expr.as_slice() {
        if !set.distinct_expr().into_iter().any(is_number) {
            return Ok(LogicalPlan::Aggregate(aggregate));
        }
        // A group of all rows has no number of its own, so each is shown without zeros at the end.
        let key = |key: &Expr| if is_number(key) { trimmed(key) } else { key.clone() };
        let trim = |keys: &[Expr]| keys.iter().map(key).collect::<Vec<_>>();
        let set = match set {
            GroupingSet::Rollup(keys) => GroupingSet::Rollup(trim(keys)),
            GroupingSet::Cube(keys) => GroupingSet::Cube(trim(keys)),
            GroupingSet::GroupingSets(sets) => GroupingSet::GroupingSets(sets.iter().map(|keys| trim(keys)).collect()),
        };
        let trimmed = Aggregate::try_new(aggregate.input, vec![Expr::GroupingSet(set)], aggregate.aggr_expr)?;
        return Ok(LogicalPlan::Aggregate(trimmed));
    }
    if !aggregate.group_expr.iter().any(is_number) {
        return Ok(LogicalPlan::Aggregate(aggregate));
    }
    if aggregate.group_expr.iter().any(is_bucket) {
        // What is grouped by time may be kept, or filled: the groups must be all that there is.
        let groups = aggregate.group_expr.iter().map(|key| if is_number(key) { trimmed(key) } else { key.clone() });
        let trimmed = Aggregate::try_new(aggregate.input, groups.collect(), aggregate.aggr_expr)?;
        return Ok(LogicalPlan::Aggregate(trimmed));
    }
    let mut groups = Vec::with_capacity(aggregate.group_expr.len());
    let mut aggregates = aggregate.aggr_expr.clone();
    let mut shown = Vec::new();
    for (i, expr) in aggregate.group_expr.iter().enumerate() {
        if is_number(expr) {
            let bare = expr.clone().unalias();
            groups.push(exact::key(bare.clone()).alias(format!("_key_{i}")));
            let name = format!("_shown_{i}");
            aggregates.push(min_udaf().call(vec![bare]).alias(&name));
            shown.push(Some(name));
        } else {
            groups.push(expr.clone());
            shown.push(None);
        }
    }
    let before = Arc::clone(&aggregate.schema);
    let grouped = Aggregate::try_new(aggregate.input, groups, aggregates)?;
    let after = grouped.schema.columns();
    let names = before.iter().map(|(qualifier, field)| (qualifier.cloned(), field.name().clone()));
    let column = |(i, (qualifier, name)): (usize, (Option<TableReference>, String))| {
        let expr = match shown.get(i) {
            Some(Some(shown)) => Expr::Column(datafusion::common::Column::new_unqualified(shown)),
            _ => Expr::Column(after[i].clone()),
        };
        expr.alias_qualified(qualifier, name)
    };
    let exprs = names.enumerate().map(column).collect();
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(LogicalPlan::Aggregate(grouped)))?))
}

/// Whether it cuts time into buckets.
fn is_bucket(expr: &Expr) -> bool {
    let cuts = |expr: &Expr| match expr {
        Expr::ScalarFunction(call) => matches!(call.func.name(), "time_bucket" | "date_trunc" | GAPFILL),
        _ => false,
    };
    expr.exists(|expr| Ok(cuts(expr))).unwrap_or(false)
}

/// A key without zeros at the end, so that equal numbers are one key.
fn trimmed(expr: &Expr) -> Expr {
    let (qualifier, name) = expr.qualified_name();
    crate::function::math::trim_scale().call(vec![expr.clone().unalias()]).alias_qualified(qualifier, name)
}

/// What an aggregate is of, with numbers without bounds as it takes them: as floats where it is of floats, and their
/// keys where it counts those that are distinct.
pub fn settle_arguments(call: &mut AggregateFunction, schema: &DFSchema, clock: &Clockface) -> Result<()> {
    let params = &mut call.params;
    params.order_by = sorted(std::mem::take(&mut params.order_by), schema)?;
    let counted = params.distinct && call.func.name() == "count";
    if counted {
        let keys = std::mem::take(&mut params.args).into_iter().map(|arg| key_of_number(arg, schema));
        params.args = keys.collect::<Result<_>>()?;
        return Ok(());
    }
    as_taken(&mut params.args, |types| call.func.coerce_types(types), schema, clock)
}

/// Numbers without bounds, and lists of them, as a function takes them: DataFusion would not know how to cast them.
pub fn as_taken(
    args: &mut [Expr],
    coerce: impl Fn(&[DataType]) -> DfResult<Vec<DataType>>,
    schema: &DFSchema,
    clock: &Clockface,
) -> Result<()> {
    let types = args.iter().map(|arg| Ok(arg.get_type(schema)?)).collect::<Result<Vec<_>>>()?;
    if !types.iter().any(is_unbounded) {
        return Ok(());
    }
    // What it would take a number for of which DataFusion knows the casts.
    let known = DataType::Decimal128(38, 10);
    let stand_in = |t: &DataType| match t {
        &UNBOUNDED => known.clone(),
        DataType::List(item) if is_unbounded(t) => {
            DataType::List(Arc::new(item.as_ref().clone().with_data_type(known.clone())))
        }
        other => other.clone(),
    };
    // A function that takes what it gets has nothing to say here.
    let Ok(taken) = coerce(&types.iter().map(stand_in).collect::<Vec<_>>()) else { return Ok(()) };
    for ((arg, from), to) in args.iter_mut().zip(&types).zip(taken) {
        if is_unbounded(from) && stand_in(from) != to {
            *arg = plan_cast(std::mem::take(arg), &to, schema, clock)?;
        }
    }
    Ok(())
}
