//! What a definition reads, and whether a change of its source tells which buckets it reaches.
//!
//! ```text
//! Aggregate ◀── Filter, Projection, Join … ◀── source        a hypertable or a continuous aggregate, once
//!                                     └────◀── anything      plain tables, views, VALUES
//! ```
//!
//! Buckets are recomputed from the rows of their own times. So between the source and the grouping, each row must
//! come through by itself, whatever other times there are; and a row of another table must not come without one of
//! the source. A change of another table may reach every bucket.

use crate::error::{Error, Result};
use crate::query::Planner;
use crate::rollup;
use crate::table::StoreTable;
use datafusion::common::{Column, JoinType};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan};
use highwater_model::{CaggId, TableId};
use std::collections::BTreeSet;

/// The tables that a definition reads.
pub struct Inputs {
    /// The hypertable, or what keeps the aggregate, whose time is bucketed.
    pub source: TableId,
    /// The others.
    pub joined: BTreeSet<TableId>,
}

/// What a column comes from, unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A column of a table, by name.
    Table(TableId, String),
    /// An output of a continuous aggregate, by its place.
    Aggregate(CaggId, usize),
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::unsupported("invalid continuous aggregate view").detail(detail)
}

impl Inputs {
    /// What the rows come from that a definition groups.
    ///
    /// # Errors
    /// 0A000 with the reason when dirty ranges cannot be derived.
    pub fn of(planner: &Planner, plan: &LogicalPlan) -> Result<Inputs> {
        let mut inputs = Inputs { source: TableId(0), joined: BTreeSet::new() };
        match find(planner, plan, &mut inputs.joined)? {
            Some(source) => Ok(Inputs { source, ..inputs }),
            None => Err(invalid("At least one hypertable should be used in the view definition.")
                .hint("Or a continuous aggregate.")),
        }
    }
}

/// The source below a node, if it is there; plain tables are added to `joined`.
fn find(planner: &Planner, plan: &LogicalPlan, joined: &mut BTreeSet<TableId>) -> Result<Option<TableId>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => match rollup::marked(planner, &alias.alias) {
            Some(cagg) => Ok(Some(cagg.materialization)),
            None => find(planner, &alias.input, joined),
        },
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            let Some(table) = StoreTable::of(provider.as_ref()) else {
                return Err(invalid("Functions and system views are not supported in FROM of a continuous aggregate."));
            };
            let tables = &planner.version().catalog().tables;
            if tables.get(&table.table_id()).is_some_and(|t| t.hypertable.is_some()) {
                return Ok(Some(table.table_id()));
            }
            joined.insert(table.table_id());
            Ok(None)
        }
        LogicalPlan::Projection(projection) => find(planner, &projection.input, joined),
        LogicalPlan::Filter(filter) => find(planner, &filter.input, joined),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => find(planner, &sort.input, joined),
        LogicalPlan::Join(join) => {
            let left = find(planner, &join.left, joined)?;
            let right = find(planner, &join.right, joined)?;
            use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
            match (left, right) {
                (Some(_), Some(_)) => Err(invalid(
                    "Only one hypertable or continuous aggregate is allowed in a continuous aggregate.",
                )),
                (Some(source), None) if matches!(join.join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark) => {
                    Ok(Some(source))
                }
                (None, Some(source)) if matches!(join.join_type, Inner | Right | RightSemi | RightAnti | RightMark) => {
                    Ok(Some(source))
                }
                (None, None) => Ok(None),
                _ => Err(invalid(
                    "Only joins that give no row without one of the hypertable are supported in a continuous aggregate.",
                )
                .hint("Use an inner join, or an outer join that keeps the rows of the hypertable.")),
            }
        }
        other => {
            for input in other.inputs() {
                if find(planner, input, joined)?.is_some() {
                    return Err(invalid(format!("{}.", between(other))));
                }
            }
            Ok(None)
        }
    }
}

/// What is wrong with a node between the source and the grouping.
fn between(plan: &LogicalPlan) -> &'static str {
    match plan {
        LogicalPlan::Aggregate(_) => "The rows of a continuous aggregate cannot be groups of other rows",
        LogicalPlan::Distinct(_) => "DISTINCT is not supported below the grouping of a continuous aggregate",
        LogicalPlan::Window(_) => "Window functions are not supported in a continuous aggregate",
        LogicalPlan::Limit(_) | LogicalPlan::Sort(_) => "LIMIT and OFFSET are not supported in a continuous aggregate",
        LogicalPlan::Union(_) => "UNION, INTERSECT and EXCEPT are not supported in a continuous aggregate",
        LogicalPlan::Subquery(_) => "LATERAL is not supported around the hypertable of a continuous aggregate",
        LogicalPlan::Unnest(_) => "Functions that give rows are not supported in a continuous aggregate",
        LogicalPlan::RecursiveQuery(_) => "WITH RECURSIVE is not supported in a continuous aggregate",
        _ => "Such a query is not supported in FROM of a continuous aggregate",
    }
}

/// Where a column of a plan comes from; `None` when it is computed.
pub fn origin(planner: &Planner, plan: &LogicalPlan, column: &Column) -> Result<Option<Origin>> {
    let place = plan.schema().index_of_column(column)?;
    let below = |input: &LogicalPlan, place: usize| {
        let column = Column::from(input.schema().qualified_field(place));
        origin(planner, input, &column)
    };
    match plan {
        LogicalPlan::SubqueryAlias(alias) => match rollup::marked(planner, &alias.alias) {
            Some(cagg) => Ok(Some(Origin::Aggregate(cagg.id, place))),
            None => below(&alias.input, place),
        },
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            let name = plan.schema().field(place).name().clone();
            Ok(StoreTable::of(provider.as_ref()).map(|table| Origin::Table(table.table_id(), name)))
        }
        LogicalPlan::Projection(projection) => match projection.expr[place].clone().unalias_nested().data {
            Expr::Column(column) => origin(planner, &projection.input, &column),
            _ => Ok(None),
        },
        LogicalPlan::Filter(filter) => below(&filter.input, place),
        LogicalPlan::Sort(sort) => below(&sort.input, place),
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => below(&join.right, place),
            _ => match place.checked_sub(join.left.schema().fields().len()) {
                None => below(&join.left, place),
                Some(place) => below(&join.right, place),
            },
        },
        _ => Ok(None),
    }
}
