//! What a definition reads, and whether a change of its source tells which buckets it reaches.
//!
//! ```text
//! Aggregate ◀── Filter, Projection, Join … ◀── source        a hypertable or a continuous aggregate, once
//!                                     └────◀── anything      plain tables, views, VALUES
//!
//! Aggregate ◀── … Union ◀── Filter, … ◀── source             UNION ALL of hypertables: each row is of one of them,
//!                   └───◀── Filter, … ◀── source             and has its time
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
    /// Further hypertables, whose rows are united with those of the first.
    pub united: Vec<TableId>,
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
        let mut joined = BTreeSet::new();
        let mut sources = find(planner, plan, &mut joined)?.into_iter();
        let Some(source) = sources.next() else {
            return Err(invalid("At least one hypertable should be used in the view definition.")
                .hint("Or a continuous aggregate."));
        };
        let inputs = Inputs { source, united: sources.collect(), joined };
        inputs.check_united(planner)?;
        Ok(inputs)
    }

    /// Whether a table is one of those whose times are bucketed.
    pub fn is_over(&self, table: TableId) -> bool {
        self.source == table || self.united.contains(&table)
    }

    /// Refuses to unite what has no time axis in common.
    fn check_united(&self, planner: &Planner) -> Result<()> {
        let catalog = planner.version().catalog();
        let time_type = |id| catalog.tables.get(id).and_then(|t| t.hypertable.as_ref()).map(|h| h.time_type);
        for table in &self.united {
            if catalog.kept_by(self.source).or(catalog.kept_by(*table)).is_some() {
                return Err(invalid(
                    "A continuous aggregate cannot be united with anything in a continuous aggregate.",
                )
                .hint("Unite the hypertables that it is over, or create an aggregate over each."));
            }
            if time_type(table) != time_type(&self.source) {
                return Err(invalid("Hypertables that are united must have times of one type."));
            }
        }
        Ok(())
    }
}

/// The sources below a node, each once: several where they are united, none where there is none. Plain tables are added
/// to `joined`.
fn find(planner: &Planner, plan: &LogicalPlan, joined: &mut BTreeSet<TableId>) -> Result<Vec<TableId>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => match rollup::marked(planner, &alias.alias) {
            Some(cagg) => Ok(vec![cagg.materialization]),
            None => find(planner, &alias.input, joined),
        },
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            let Some(table) = StoreTable::of(provider.as_ref()) else {
                return Err(invalid("Functions and system views are not supported in FROM of a continuous aggregate."));
            };
            let tables = &planner.version().catalog().tables;
            if tables.get(&table.table_id()).is_some_and(|t| t.hypertable.is_some()) {
                return Ok(vec![table.table_id()]);
            }
            joined.insert(table.table_id());
            Ok(Vec::new())
        }
        LogicalPlan::Projection(projection) => find(planner, &projection.input, joined),
        LogicalPlan::Filter(filter) => find(planner, &filter.input, joined),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => find(planner, &sort.input, joined),
        LogicalPlan::Join(join) => {
            let left = find(planner, &join.left, joined)?;
            let right = find(planner, &join.right, joined)?;
            use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
            match (left.as_slice(), right.as_slice()) {
                ([_, ..], [_, ..]) => Err(invalid(
                    "Only one hypertable or continuous aggregate is allowed in a continuous aggregate.",
                )
                .hint("Rows of several hypertables may be united with UNION ALL.")),
                ([_, ..], []) if matches!(join.join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark) => Ok(left),
                ([], [_, ..]) if matches!(join.join_type, Inner | Right | RightSemi | RightAnti | RightMark) => {
                    Ok(right)
                }
                ([], []) => Ok(left),
                _ => Err(invalid(
                    "Only joins that give no row without one of the hypertable are supported in a continuous aggregate.",
                )
                .hint("Use an inner join, or an outer join that keeps the rows of the hypertable.")),
            }
        }
        LogicalPlan::Union(union) => {
            let branches = union.inputs.iter().map(|branch| find(planner, branch, joined));
            let branches = branches.collect::<Result<Vec<_>>>()?;
            let mut sources = Vec::new();
            for source in branches.iter().flatten() {
                if !sources.contains(source) {
                    sources.push(*source);
                }
            }
            // Rows that are of no hypertable have no times that a refresh could choose them by.
            match sources.is_empty() || branches.iter().all(|branch| !branch.is_empty()) {
                true => Ok(sources),
                false => Err(invalid("Each branch of UNION ALL must read a hypertable in a continuous aggregate.")),
            }
        }
        other => {
            for input in other.inputs() {
                if !find(planner, input, joined)?.is_empty() {
                    return Err(invalid(format!("{}.", between(other))));
                }
            }
            Ok(Vec::new())
        }
    }
}

/// What is wrong with a node between the source and the grouping.
fn between(plan: &LogicalPlan) -> &'static str {
    match plan {
        LogicalPlan::Aggregate(_) => "The rows of a continuous aggregate cannot be groups of other rows",
        LogicalPlan::Distinct(distinct) if matches!(distinct.input().as_ref(), LogicalPlan::Union(_)) => {
            "UNION without ALL is not supported in a continuous aggregate: whether a row stays depends on others"
        }
        LogicalPlan::Distinct(_) => "DISTINCT is not supported below the grouping of a continuous aggregate",
        LogicalPlan::Window(_) => "Window functions are not supported in a continuous aggregate",
        LogicalPlan::Limit(_) | LogicalPlan::Sort(_) => "LIMIT and OFFSET are not supported in a continuous aggregate",
        LogicalPlan::Subquery(_) => "LATERAL is not supported around the hypertable of a continuous aggregate",
        LogicalPlan::Unnest(_) => "Functions that give rows are not supported in a continuous aggregate",
        LogicalPlan::RecursiveQuery(_) => "WITH RECURSIVE is not supported in a continuous aggregate",
        _ => "Such a query is not supported in FROM of a continuous aggregate",
    }
}

/// What a column of a plan comes from, one in each branch of UNION ALL; none when it is computed in some branch.
pub fn origins(planner: &Planner, plan: &LogicalPlan, column: &Column) -> Result<Vec<Origin>> {
    let place = plan.schema().index_of_column(column)?;
    let below = |input: &LogicalPlan, place: usize| {
        let column = Column::from(input.schema().qualified_field(place));
        origins(planner, input, &column)
    };
    match plan {
        LogicalPlan::SubqueryAlias(alias) => match rollup::marked(planner, &alias.alias) {
            Some(cagg) => Ok(vec![Origin::Aggregate(cagg.id, place)]),
            None => below(&alias.input, place),
        },
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            let name = plan.schema().field(place).name().clone();
            let table = StoreTable::of(provider.as_ref());
            Ok(table.map(|table| Origin::Table(table.table_id(), name)).into_iter().collect())
        }
        LogicalPlan::Projection(projection) => match projection.expr[place].clone().unalias_nested().data {
            Expr::Column(column) => origins(planner, &projection.input, &column),
            _ => Ok(Vec::new()),
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
        LogicalPlan::Union(union) => {
            let branches = union.inputs.iter().map(|branch| below(branch, place));
            let branches = branches.collect::<Result<Vec<_>>>()?;
            let is_computed = branches.iter().any(Vec::is_empty);
            Ok(if is_computed { Vec::new() } else { branches.into_iter().flatten().collect() })
        }
        _ => Ok(Vec::new()),
    }
}
