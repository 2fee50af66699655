//! Functions of rows whose arguments are columns of the tables before them.
//!
//! `FROM t, unnest(t.tags) AS tag` joins each row of `t` with the elements of its own array. DataFusion plans that
//! as a join with a subquery that refers to `t`, and cannot run it. It is the same as to unnest in place:
//!
//! ```text
//! Join                             Projection  t.*, tag.*
//! ├─ t                             └─ Unnest
//! └─ tag: Projection        ──▶       └─ Projection  t.*, list(t.tags)
//!         └─ Unnest                      └─ t
//!            └─ Projection  list(outer t.tags)
//! ```

use crate::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, TableReference};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, LogicalPlanBuilder, Unnest};

/// Unnests in place wherever a join is with an unnested list of its other side.
pub fn unnest_in_place(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|plan| match &plan {
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner && join.on.is_empty() => {
            Ok(match flattened(join)? {
                Some(flat) => Transformed::yes(flat),
                None => Transformed::no(plan),
            })
        }
        _ => Ok(Transformed::no(plan)),
    })?;
    Ok(plan.data)
}

fn flattened(join: &Join) -> Result<Option<LogicalPlan>> {
    let mut alias: Option<TableReference> = None;
    let mut names: Option<Vec<Expr>> = None;
    let mut correlated = false;
    let mut inner = join.right.as_ref();
    let (outer, unnest, lists) = loop {
        match inner {
            LogicalPlan::SubqueryAlias(aliased) => {
                alias.get_or_insert_with(|| aliased.alias.clone());
                inner = aliased.input.as_ref();
            }
            LogicalPlan::Subquery(subquery) => {
                correlated = !subquery.outer_ref_columns.is_empty();
                inner = subquery.subquery.as_ref();
            }
            LogicalPlan::Projection(projection) => match projection.input.as_ref() {
                LogicalPlan::Unnest(unnest) => match unnest.input.as_ref() {
                    LogicalPlan::Projection(lists) if matches!(lists.input.as_ref(), LogicalPlan::EmptyRelation(_)) => {
                        break (&projection.expr, unnest, &lists.expr);
                    }
                    _ => return Ok(None),
                },
                // Columns renamed by the alias.
                other if names.is_none() => {
                    names = Some(projection.expr.clone());
                    inner = other;
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        }
    };
    if !correlated {
        return Ok(None);
    }
    let left_columns = || join.left.schema().iter().map(|(q, f)| Expr::Column(Column::new(q.cloned(), f.name())));
    let lists: Vec<Expr> = lists.iter().map(|list| in_place(list.clone())).collect::<Result<_>>()?;
    let with_lists = LogicalPlanBuilder::from(join.left.as_ref().clone())
        .project(left_columns().chain(lists).collect::<Vec<_>>())?;
    let Unnest { exec_columns, options, .. } = unnest;
    let unnested = with_lists.unnest_columns_with_options(exec_columns.clone(), options.clone())?;
    // What the subquery gives, under the names of its alias.
    let given = outer.iter().enumerate().map(|(i, expr)| {
        let name = match names.as_ref().and_then(|names| names.get(i)) {
            Some(renamed) => renamed.schema_name().to_string(),
            None => expr.schema_name().to_string(),
        };
        Ok(in_place(expr.clone())?.unalias().alias_qualified(alias.clone(), name))
    });
    let given = given.collect::<Result<Vec<_>>>()?;
    let mut flat = unnested.project(left_columns().chain(given).collect::<Vec<_>>())?;
    if let Some(filter) = &join.filter {
        flat = flat.filter(filter.clone())?;
    }
    Ok(Some(flat.build()?))
}

/// The expression with columns of the other side as plain columns.
fn in_place(expr: Expr) -> Result<Expr> {
    let expr = expr.transform_up(|expr| match expr {
        Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(expr.data)
}
