//! Reading no more of an aggregate with windows than a query looks at.
//!
//! ```text
//! Filter day >= '03-20' and day < '03-25' ◀── … ◀── Window 29 days back ◀── kept outputs
//!                                                                     ▲
//!                                       Filter day >= '02-19' and day < '03-25' comes here
//! ```
//!
//! A condition on the bucket cannot pass a window, which looks at other buckets too; one that is as much wider as the
//! windows reach can. It leaves out only rows that no window of a wanted row looks at. Conditions on the keys that
//! all windows are partitioned by pass by themselves.

use super::times::{is_time, moved};
use crate::Result;
use crate::query::Planner;
use crate::rollup;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator};
use highwater_model::{ContinuousAggregate, Output, Reach};

/// Lets conditions on buckets reach the rows that windows are computed of.
pub fn apply(planner: &Planner, plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= windowed(planner, node).is_some();
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    match found {
        true => Ok(narrowed(planner, plan, Vec::new())?.data),
        false => Ok(plan),
    }
}

fn windowed(planner: &Planner, node: &LogicalPlan) -> Option<std::sync::Arc<ContinuousAggregate>> {
    let LogicalPlan::SubqueryAlias(alias) = node else { return None };
    rollup::marked(planner, &alias.alias).filter(|cagg| cagg.is_windowed())
}

/// The plan, of which only rows matter that these conditions hold for.
fn narrowed(planner: &Planner, plan: LogicalPlan, known: Vec<Expr>) -> DfResult<Transformed<LogicalPlan>> {
    if let Some(cagg) = windowed(planner, &plan) {
        return match wider(&cagg, &plan, &known) {
            Some(wider) => below_windows(planner, &cagg, plan, &wider),
            None => Ok(Transformed::no(plan)),
        };
    }
    let plan = plan.map_subqueries(|subquery| narrowed(planner, subquery, Vec::new()))?;
    let of_inputs: Vec<Vec<Expr>> = (0..plan.data.inputs().len()).map(|i| passed(&plan.data, i, &known)).collect();
    let mut of_inputs = of_inputs.into_iter();
    plan.transform_data(|plan| {
        plan.map_children(|input| narrowed(planner, input, of_inputs.next().unwrap_or_default()))
    })
}

/// What is known of the rows of an input when some conditions are known of a node's.
fn passed(node: &LogicalPlan, input: usize, known: &[Expr]) -> Vec<Expr> {
    let schema = |i: usize| node.inputs()[i].schema().clone();
    let only_of = |i: usize| {
        let has_all = |expr: &&Expr| expr.column_refs().iter().all(|c| schema(i).maybe_index_of_column(c).is_some());
        known.iter().filter(has_all).cloned().collect()
    };
    match node {
        LogicalPlan::Filter(filter) => known.iter().chain(split_conjunction(&filter.predicate)).cloned().collect(),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => known.to_vec(),
        LogicalPlan::SubqueryAlias(alias) => {
            let below = |place: usize| Some(Column::from(alias.input.schema().qualified_field(place)));
            renamed(node, known, &below)
        }
        LogicalPlan::Projection(projection) => {
            let below = |place: usize| projection.expr[place].clone().unalias_nested().data.try_as_col().cloned();
            renamed(node, known, &below)
        }
        LogicalPlan::Join(join) => match (join.join_type, input) {
            (JoinType::Inner, i) => only_of(i),
            (JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti, 0) => only_of(0),
            (JoinType::Right | JoinType::RightSemi | JoinType::RightAnti, 1) => only_of(1),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Conditions on columns of a node as conditions on those of its input: those that are columns there too.
fn renamed(node: &LogicalPlan, known: &[Expr], below: &dyn Fn(usize) -> Option<Column>) -> Vec<Expr> {
    let rename = |expr: &Expr| {
        let mut is_known = true;
        let renamed = expr.clone().transform_up(|expr| {
            let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
            let place = node.schema().maybe_index_of_column(column);
            match place.and_then(below) {
                Some(column) => Ok(Transformed::yes(Expr::Column(column))),
                None => {
                    is_known = false;
                    Ok(Transformed::no(expr))
                }
            }
        });
        renamed.ok().map(|renamed| renamed.data).filter(|_| is_known)
    };
    known.iter().filter_map(rename).collect()
}

/// What holds for the buckets that rows with these conditions are computed from; `None` when it is nothing.
fn wider(cagg: &ContinuousAggregate, plan: &LogicalPlan, known: &[Expr]) -> Option<Wider> {
    let place = cagg.outputs.iter().position(|(_, output)| *output == Output::Kept(cagg.bucket_column))?;
    let column = Column::from(plan.schema().qualified_field(place));
    let data_type = plan.schema().field(place).data_type();
    let is_bucket = |expr: &Expr| matches!(expr, Expr::Column(c) if *c == column);
    let is_constant = |expr: &Expr| {
        let varies = expr.exists(|part| {
            Ok(matches!(
                part,
                Expr::Column(_)
                    | Expr::OuterReferenceColumn(..)
                    | Expr::ScalarSubquery(_)
                    | Expr::Exists(_)
                    | Expr::InSubquery(_)
                    | Expr::SetComparison(_)
            ))
        });
        let type_of = expr.get_type(plan.schema());
        is_time(data_type)
            && type_of.is_ok_and(|t| t == *data_type)
            && matches!(varies, Ok(false))
            && !expr.is_volatile()
    };
    let mut bounds = Vec::new();
    let mut compare = |op: Operator, value: &Expr| {
        let from = |op| (op, value.clone(), cagg.reach.behind);
        let to = |op| (op, value.clone(), cagg.reach.ahead);
        match op {
            Operator::Gt | Operator::GtEq => bounds.push(from(op)),
            Operator::Lt | Operator::LtEq => bounds.push(to(op)),
            Operator::Eq => bounds.extend([from(Operator::GtEq), to(Operator::LtEq)]),
            _ => {}
        }
    };
    for condition in known.iter().flat_map(split_conjunction) {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_bucket(left) && is_constant(right) => {
                compare(*op, right);
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_bucket(right) && is_constant(left) => {
                compare(op.swap()?, left);
            }
            Expr::Between(between)
                if !between.negated
                    && is_bucket(&between.expr)
                    && is_constant(&between.low)
                    && is_constant(&between.high) =>
            {
                compare(Operator::GtEq, &between.low);
                compare(Operator::LtEq, &between.high);
            }
            _ => {}
        }
    }
    let bounds: Vec<_> = bounds.into_iter().filter(|(_, _, by)| *by != Reach::ENDLESS).collect();
    (!bounds.is_empty()).then_some(Wider { bounds })
}

/// Conditions on a bucket: how it compares with a value that is moved by so much, away from what is wanted.
struct Wider {
    bounds: Vec<(Operator, Expr, i64)>,
}

impl Wider {
    fn of(&self, bucket: &Expr) -> Option<Expr> {
        let bound = |(op, value, by): &(Operator, Expr, i64)| {
            let by = if matches!(op, Operator::Gt | Operator::GtEq) { -by } else { *by };
            Expr::BinaryExpr(BinaryExpr::new(Box::new(bucket.clone()), *op, Box::new(moved(value.clone(), by))))
        };
        conjunction(self.bounds.iter().map(bound))
    }
}

/// The plan of an aggregate, with a condition on the rows that its windows are computed of.
fn below_windows(
    planner: &Planner,
    cagg: &ContinuousAggregate,
    plan: LogicalPlan,
    wider: &Wider,
) -> DfResult<Transformed<LogicalPlan>> {
    let definition = planner.meaning_of(cagg)?;
    let Some(windows) = definition.windows() else { return Ok(Transformed::no(plan)) };
    plan.transform_down(|node| match &node {
        LogicalPlan::SubqueryAlias(alias) if rollup::is_kept_of(cagg, &alias.alias) => {
            let bucket = Expr::Column(Column::new(Some(alias.alias.clone()), windows.bucket()));
            let Some(condition) = wider.of(&bucket) else { return Ok(Transformed::no(node)) };
            let rows = LogicalPlanBuilder::from(node).filter(condition)?.build()?;
            Ok(Transformed::new(rows, true, TreeNodeRecursion::Jump))
        }
        _ => Ok(Transformed::no(node)),
    })
}
