//! Frozen states under another definition.
//!
//! ```text
//! old     bucket, sensor │ count(*), n and sum of value               kept of dropped rows
//! new     bucket         │ n, sum and max of value, lacks max         taken over: merged when they are read
//! ```
//!
//! A definition may ask for less than is frozen: for fewer groups, for fewer states. What it asks for beyond that, nobody
//! knows any more. A state that says so is kept beside each such column, is true of the dropped rows, and merges like every
//! other; where it is true, outputs that need the column are NULL.

use super::windows::Windows;
use super::{Call, Definition, State, bare};
use crate::Result;
use crate::definition::state::Source;
use crate::query::Planner;
use crate::rollup;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::functions_aggregate::bool_and_or::bool_or_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit, when};
use highwater_model::ContinuousAggregate;
use std::collections::BTreeSet;

/// What the name of a column begins with that says where another is unknown, whose name follows.
const LACKS: &str = "_lacks";

/// A state that says where a column of another state is unknown.
pub struct Lack {
    column: String,
    /// Its place among the states.
    by: usize,
}

/// Where a definition's groups and states are among those of an older one.
pub struct Taken {
    groups: Vec<usize>,
    /// For each state the older one's of the same rows.
    states: Vec<Option<usize>>,
    /// Columns of states that are not known of all frozen rows.
    pub unknown: BTreeSet<String>,
}

impl Definition {
    /// The definition of an aggregate, which knows what its frozen states lack.
    ///
    /// * `planner` – from [`Planner::for_definition`].
    pub fn of(planner: &Planner, cagg: &ContinuousAggregate) -> Result<Self> {
        let frozen = planner.version().catalog().tables.get(&cagg.frozen_base);
        let columns = frozen.iter().flat_map(|table| &table.columns);
        let lacking = columns.filter_map(|column| Some(column.name.strip_prefix(LACKS)?.to_owned())).collect();
        Ok(Definition::new(planner, &cagg.query)?.lacking(&lacking))
    }

    /// The same definition, with states that say where these columns of states are unknown.
    pub fn lacking(mut self, columns: &BTreeSet<String>) -> Self {
        for column in columns {
            let params = AggregateFunctionParams {
                args: vec![lit(false)],
                distinct: false,
                filter: None,
                order_by: Vec::new(),
                null_treatment: None,
            };
            let call = AggregateFunction { func: bool_or_udaf(), params };
            self.lacks.push(Lack { column: column.clone(), by: self.states.len() });
            self.states.push(State {
                source: Source::Fold(call, bool_or_udaf()),
                columns: vec![(format!("{LACKS}{column}"), DataType::Boolean)],
                merges: None,
            });
        }
        self
    }

    /// A value that is unknown where one of these columns of states is.
    pub(super) fn known(&self, value: Expr, columns: &BTreeSet<String>, data_type: &DataType) -> Result<Expr> {
        let lacks = self.lacks.iter().filter(|lack| columns.contains(&lack.column));
        let lacks = lacks.map(|lack| bare(self.states[lack.by].columns[0].0.clone()).is_true());
        Ok(match lacks.reduce(Expr::or) {
            Some(lacks) => when(lacks, Expr::Literal(ScalarValue::try_from(data_type)?, None)).otherwise(value)?,
            None => value,
        })
    }

    /// The columns of states that an expression over groups and calls is computed from.
    pub(super) fn needs(&self, expr: &Expr) -> BTreeSet<String> {
        let places = expr.column_refs().into_iter().filter_map(|c| self.schema.maybe_index_of_column(c));
        let calls = places.filter_map(|place| place.checked_sub(self.groups.len())).map(|call| &self.calls[call]);
        let columns = calls.flat_map(|call| match call {
            Call::Of { aggregate, state } => self.states[*state].needed_by(aggregate),
            Call::Rollup { states, .. } => {
                states.iter().flat_map(|i| self.states[*i].columns.iter().map(|(name, _)| name.clone())).collect()
            }
        });
        columns.collect()
    }

    /// The columns of the view that are unknown of frozen rows, by their places.
    pub fn unknown_outputs(&self) -> Vec<usize> {
        let lacks = |shown: &usize| {
            let needed = self.kept(*shown).map(|place| self.needs(&self.outputs[place].1)).unwrap_or_default();
            self.lacks.iter().any(|lack| needed.contains(&lack.column))
        };
        let count = self.windows.as_ref().map_or(self.outputs.len(), |windows| windows.shown().len());
        (0..count).filter(lacks).collect()
    }

    /// Finds this definition's groups and states among those of an older one.
    ///
    /// # Errors
    /// Why the frozen states of the older one cannot be those of this one, as a clause.
    pub fn take_over(&self, old: &Definition) -> Result<Taken, String> {
        if grouped(&self.rows) != grouped(&old.rows) {
            return Err(
                "what they held is known for the rows of the old definition only: it reads other rows".to_owned()
            );
        }
        // Rows of several sets are there several times.
        if self.sets() != old.sets() {
            return Err(
                "what they held is known by the sets of keys of the old definition only: it has others".to_owned()
            );
        }
        let group = |group: &Expr| old.groups.iter().position(|other| other == group);
        let groups =
            self.groups.iter().map(|expr| group(expr).ok_or_else(|| format!("what they held is not known by {expr}")));
        let groups = groups.collect::<Result<Vec<_>, _>>()?;
        let found = |state: &State| old.states.iter().position(|other| state.is_of_the_rows_of(other));
        let states: Vec<Option<usize>> = self.states.iter().map(found).collect();
        let mut unknown = BTreeSet::new();
        for (state, from) in self.states.iter().zip(&states) {
            for (name, _) in &state.columns {
                let theirs = from.and_then(|from| old.states[from].component(name));
                let is_known = theirs.is_some_and(|theirs| !old.lacks.iter().any(|lack| lack.column == theirs));
                if !is_known {
                    unknown.insert(name.clone());
                }
            }
        }
        let needed = self.having.as_ref().map(|having| self.needs(having)).unwrap_or_default();
        if !needed.is_disjoint(&unknown) {
            return Err("whether HAVING held is not known of what they held".to_owned());
        }
        for name in self.windows.iter().flat_map(Windows::needs) {
            let needed = self.outputs.iter().find(|(output, _)| *output == name).map(|(_, expr)| self.needs(expr));
            if needed.is_some_and(|needed| !needed.is_disjoint(&unknown)) {
                return Err("what its window functions are over is not known of what they held".to_owned());
            }
        }
        Ok(Taken { groups, states, unknown })
    }

    /// The frozen states of an older definition as those of this one.
    ///
    /// * `self` – lacking what is unknown.
    /// * `kept` – the rows of the older one's frozen base.
    pub fn taken(&self, old: &Definition, taken: &Taken, kept: LogicalPlan) -> Result<LogicalPlan> {
        let keys = old.group_names();
        let groups = self.group_names().into_iter().zip(&taken.groups);
        let mut exprs: Vec<Expr> = groups.map(|(name, from)| bare(keys[*from].clone()).alias(name)).collect();
        let theirs = |column: &str| {
            let place = self.states.iter().position(|state| state.columns.iter().any(|(name, _)| name == column))?;
            old.states[(*taken.states.get(place)?)?].component(column)
        };
        for (i, state) in self.states.iter().enumerate() {
            if let Some(lack) = self.lacks.iter().find(|lack| lack.by == i) {
                let value = match theirs(&lack.column) {
                    None => lit(true),
                    Some(theirs) => match old.lacks.iter().find(|lack| lack.column == theirs) {
                        Some(lack) => bare(old.states[lack.by].columns[0].0.clone()),
                        None => lit(false),
                    },
                };
                exprs.push(value.alias(&state.columns[0].0));
                continue;
            }
            for (name, data_type) in &state.columns {
                let value = match theirs(name) {
                    Some(theirs) => bare(theirs),
                    // Of no rows.
                    None if name.ends_with("_n") => lit(0_i64),
                    None => Expr::Literal(ScalarValue::try_from(data_type)?, None),
                };
                exprs.push(value.alias(name));
            }
        }
        Ok(LogicalPlanBuilder::from(kept).project(exprs)?.build()?)
    }
}

/// Which rows are grouped, as text. Those of an aggregate are those of this aggregate, whatever it consists of.
fn grouped(rows: &LogicalPlan) -> String {
    let named = rows.clone().transform_down(|node| match &node {
        LogicalPlan::SubqueryAlias(alias) if rollup::is_mark(&alias.alias) => {
            let name = LogicalPlanBuilder::empty(false).alias(alias.alias.clone())?.build()?;
            Ok(Transformed::new(name, true, TreeNodeRecursion::Jump))
        }
        _ => Ok(Transformed::no(node)),
    });
    named.map_or_else(|e| e.to_string(), |plan| plan.data.display_indent().to_string())
}
