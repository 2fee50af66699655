//! What the definition of a continuous aggregate means.
//!
//! ```text
//! SELECT outputs FROM … GROUP BY groups HAVING …         as the person wrote it
//!
//! Projection outputs ◀── Filter having ◀── Aggregate groups, calls ◀── input       as it is planned
//!
//! partial(input)         groups, components of each call
//! merge(partials)        the same, for rows that come from several places
//! finish(merged)         outputs, whether having holds, groups, components
//! ```
//!
//! The finished rows are what the materialization keeps: a read of the same buckets is a projection of it, and
//! its components merge into anything coarser. Window functions are computed of what is kept; see [`windows`].

pub mod answer;
pub mod history;
mod inputs;
mod sets;
mod state;
pub mod windows;

pub use inputs::{Inputs, Origin, origins};
pub use state::{Sameness, bare};

use crate::query::Planner;
use crate::{Error, Result, names, parse, rollup};
use arrow::datatypes::{DataType, Field, Fields, IntervalMonthDayNano, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ScalarValue, TableReference};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Window, cast, lit,
};
use highwater_model::{Bucket, ColumnType, ContinuousAggregate, Interval, Output, TimeType};
use highwater_store::schema::{arrow_type, column_type, field_type};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sets::Told;
use state::{Merges, Source, State};
use windows::{Below, Calendar, Windows};

/// Microseconds by which no clock is set back.
const HALF_A_DAY: i64 = 43_200_000_000;

/// The name of the column that says whether HAVING holds.
pub const VISIBLE: &str = "_visible";

/// The meaning of a definition, planned in one version.
pub struct Definition {
    /// What is grouped.
    rows: LogicalPlan,
    /// The same, with the states of a parent that are rolled up.
    input: LogicalPlan,
    inputs: Inputs,
    groups: Vec<Expr>,
    bucket: usize,
    calls: Vec<Call>,
    states: Vec<State>,
    /// States that say what is unknown of others; see [`history`].
    lacks: Vec<history::Lack>,
    /// States that measure others; see [`Definition::measuring`].
    measures: Vec<Measure>,
    schema: DFSchemaRef,
    having: Option<Expr>,
    /// What is kept of groups and calls.
    outputs: Vec<(String, Expr)>,
    /// Window functions over what is kept.
    windows: Option<Windows>,
}

/// A state that says how large the numbers of another are, by their places.
#[derive(Clone, Copy)]
struct Measure {
    of: usize,
    by: usize,
}

/// One aggregate call and where its value comes from: states by their places.
enum Call {
    /// A function of the state of its rows.
    Of { aggregate: AggregateFunction, state: usize },
    /// The value of a parent's column, from its states merged.
    Rollup { value: Expr, states: BTreeSet<usize> },
}

impl Call {
    /// The states that it needs.
    fn states(&self) -> BTreeSet<usize> {
        match self {
            Call::Of { state, .. } => [*state].into(),
            Call::Rollup { states, .. } => states.clone(),
        }
    }
}

/// A column of the rows that [`Definition::finish`] gives.
pub struct Finished {
    /// Its name: an output's, a key's or a state's.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// What it is.
    pub role: Role,
}

/// What a finished column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A group, and which; it may be an output too.
    Group(usize),
    /// An output that is no group.
    Output,
    /// Whether HAVING holds.
    Visible,
    /// A component of a state.
    State,
}

/// How an output is computed from kept states; see [`Definition::rollup`].
pub struct Rollup {
    /// Aggregates over the columns of states, by name.
    pub merges: Vec<(String, Expr)>,
    /// The columns of the merged states, from the merges.
    pub components: Vec<(String, Expr)>,
    /// The value, from the columns of the merged states.
    pub value: Expr,
}

impl Definition {
    /// Plans and takes apart a definition.
    ///
    /// # Errors
    /// 0A000 with the reason when it is not the grouping of rows by a bucket of their time.
    pub fn new(planner: &Planner, query: &str) -> Result<Self> {
        let plan = planner.plan_definition(&*parse::parse_query(query)?)?;
        let plan = planner.state().analyzer().execute_and_check(plan, planner.state().config_options(), |_, _| {})?;
        Definition::of_plan(planner, plan)
    }

    fn of_plan(planner: &Planner, plan: LogicalPlan) -> Result<Self> {
        let invalid = |detail: &str| Error::unsupported("invalid continuous aggregate view").detail(detail);
        let (plan, is_distinct) = match strip(plan) {
            LogicalPlan::Distinct(Distinct::All(input)) => (strip(input.as_ref().clone()), true),
            other => (other, false),
        };
        let LogicalPlan::Projection(projection) = plan else {
            return Err(invalid("The query must be a SELECT with GROUP BY."));
        };
        let (window_nodes, below) = windows::nodes_of(projection.input.as_ref().clone());
        let (having, below) = match below {
            LogicalPlan::Filter(filter) => (Some(filter.predicate.clone()), filter.input.as_ref().clone()),
            other => (None, other),
        };
        let (told, aggregate) = Told::of(below);
        let having = having.map(|having| told.put_into(having)).transpose()?;
        let outputs = projection.expr.iter().zip(projection.schema.fields());
        let outputs = outputs.map(|(expr, field)| Ok((field.name().clone(), told.put_into(expr.clone().unalias())?)));
        let outputs = outputs.collect::<Result<Vec<(String, Expr)>>>()?;
        let LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, schema, .. }) = aggregate else {
            return Err(invalid("Include at least one aggregate function and a GROUP BY clause with time bucket."));
        };
        let inputs = Inputs::of(planner, &input)?;
        let groups = sets::keys(group_expr, |key| truncating(planner, key, &input))?;
        let bucket = bucket_among(planner, &input, &inputs, &groups)?;
        let mut definition = Definition {
            groups,
            bucket,
            calls: Vec::new(),
            states: Vec::new(),
            lacks: Vec::new(),
            measures: Vec::new(),
            schema,
            having,
            outputs,
            windows: None,
            rows: input.as_ref().clone(),
            input: input.as_ref().clone(),
            inputs,
        };
        if definition.sets().is_some_and(|sets| !sets.iter().all(|set| set.contains(&definition.groups[bucket]))) {
            return Err(sets::without_bucket());
        }
        if definition.sets().is_some() && !window_nodes.is_empty() {
            let what =
                "Window functions over GROUPING SETS, ROLLUP or CUBE are not supported in a continuous aggregate.";
            return Err(invalid(what).hint("Use them in queries or views over the aggregate."));
        }
        // Rows that have all keys are distinct as they are.
        let shows = |key: usize| {
            let is_key = |expr: &Expr| matches!(expr, Expr::Column(c) if definition.schema.maybe_index_of_column(c) == Some(key));
            definition.outputs.iter().any(|(_, expr)| is_key(expr))
        };
        if is_distinct && !(0..definition.groups.len()).all(shows) {
            return Err(invalid("DISTINCT is supported in a continuous aggregate if all group keys are selected.")
                .hint("Rows of several groups could be equal, and groups are refreshed one by one."));
        }
        if !window_nodes.is_empty() {
            definition.take_windows(planner, &window_nodes, projection.schema.fields())?;
        }
        for expr in aggr_expr {
            let Expr::AggregateFunction(call) = expr.clone().unalias() else {
                return Err(invalid(&format!("{expr} is not an aggregate function.")));
            };
            match rollup::rolled_up(planner, &definition.input, &call)? {
                None => definition.add_call(call)?,
                Some(found) => definition.add_rollup(planner, call, found)?,
            }
        }
        for (i, state) in definition.states.iter_mut().enumerate() {
            state.name_columns(i, definition.input.schema())?;
        }
        definition.check_rolled_up(planner)?;
        Ok(definition)
    }

    /// Makes the outputs those that are kept, and remembers the windows over them.
    ///
    /// * `fields` – of the outputs.
    fn take_windows(&mut self, planner: &Planner, nodes: &[Window], fields: &Fields) -> Result<()> {
        let mut outputs = Vec::new();
        for ((name, expr), field) in std::mem::take(&mut self.outputs).into_iter().zip(fields) {
            let column_type = field_type(field).ok_or_else(|| cannot_keep(&name, field.data_type()))?;
            outputs.push((name, expr, column_type));
        }
        let group_names = self.group_names();
        let calendar = self.calendar(planner)?;
        let below = Below { schema: &self.schema, group_names: &group_names, bucket: self.bucket, calendar };
        let (windows, outputs) = Windows::new(nodes, outputs, &below)?;
        (self.windows, self.outputs) = (Some(windows), outputs);
        Ok(())
    }

    /// The zone whose days windows count, if its days are not all of 24 hours.
    fn calendar(&self, planner: &Planner) -> Result<Option<Calendar>> {
        let is_zoned = matches!(self.schema.field(self.bucket).data_type(), DataType::Timestamp(_, Some(_)));
        let zone = planner.settings().zone();
        if !is_zoned || zone.is_fixed() {
            return Ok(None);
        }
        let name = planner.settings().time_zone().to_owned();
        let timezone = planner.engine().functions.scalars.get("timezone").cloned();
        let is_certain =
            planner.settings().is_zone_named() && self.bucket_spec(TimeType::Timestamptz)?.min_width() >= HALF_A_DAY;
        let timezone = timezone.ok_or_else(|| Error::internal("there is a function timezone"))?;
        Ok(Some(Calendar { zone: name, timezone, is_certain }))
    }

    /// Refuses windows that merge states of what has none.
    fn check_rolled_up(&self, planner: &Planner) -> Result<()> {
        let Some(windows) = &self.windows else { return Ok(()) };
        let types = self.outputs.iter().map(|(name, expr)| Ok(Field::new(name, expr.get_type(&self.schema)?, true)));
        let rows = DFSchema::try_from(Schema::new(types.collect::<Result<Vec<_>>>()?))?;
        for name in windows.rolled_up(&rows)? {
            let place = self.outputs.iter().position(|(output, _)| *output == name);
            self.value_of(planner, place.ok_or_else(|| Error::internal("windows are over what is kept"))?)?;
        }
        Ok(())
    }

    /// The same definition with further states at the end, of how large the numbers are whose sums are rounded.
    pub fn measuring(mut self) -> Result<Self> {
        for of in 0..self.states.len() {
            let Some(mut measure) = self.states[of].measure() else { continue };
            let by = self.states.len();
            measure.name_columns(by, self.input.schema())?;
            self.states.push(measure);
            self.measures.push(Measure { of, by });
        }
        Ok(self)
    }

    /// What makes a kept state the same as one that was computed again, by the names of its columns.
    pub fn sameness(&self) -> Vec<(String, Sameness)> {
        let own = self.states.iter().take(self.states.len() - self.measures.len());
        own.enumerate()
            .flat_map(|(i, state)| {
                let measure =
                    self.measures.iter().find(|measure| measure.of == i).map(|measure| &self.states[measure.by]);
                state.sameness(measure)
            })
            .collect()
    }

    fn add_call(&mut self, aggregate: AggregateFunction) -> Result<()> {
        let source = Source::of(&aggregate, self.input.schema())?;
        let state = match self.states.iter_mut().position(|state| state.merges.is_none() && state.source.share(&source))
        {
            Some(same) => same,
            None => {
                self.states.push(State { source, columns: Vec::new(), merges: None });
                self.states.len() - 1
            }
        };
        self.calls.push(Call::Of { aggregate, state });
        Ok(())
    }

    /// Adds a call of `rollup`, whose states are those of the parent.
    fn add_rollup(&mut self, planner: &Planner, call: AggregateFunction, found: rollup::RolledUp) -> Result<()> {
        let rollup::RolledUp { input, cagg, output } = found;
        self.input = input;
        let parent = planner.meaning_of(&cagg)?;
        let (value, used) = parent.value_of(&planner.for_definition(&cagg), output)?;
        let mut names = HashMap::new();
        let mut states = BTreeSet::new();
        for theirs in used {
            let merges = Merges { cagg: cagg.id, state: theirs, filter: call.params.filter.clone() };
            let ours = match self.states.iter().position(|state| state.merges.as_ref() == Some(&merges)) {
                Some(same) => same,
                None => {
                    let State { source, columns, .. } = &parent.states[theirs];
                    let columns = columns.clone();
                    self.states.push(State { source: source.clone(), columns, merges: Some(merges) });
                    self.states.len() - 1
                }
            };
            states.insert(ours);
            for (name, _) in &parent.states[theirs].columns {
                names.insert(name.clone(), state::renumbered(name, ours));
            }
        }
        let value = value.transform_up(|expr| match expr {
            Expr::Column(column) => {
                let name = names.get(&column.name).ok_or_else(|| Error::internal("a value is of states"))?;
                Ok(Transformed::yes(bare(name)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        self.calls.push(Call::Rollup { value: value.data, states });
        Ok(())
    }

    /// Calls that aggregate finished values of a parent's column, where the result is not that of all its rows: the call,
    /// the parent and its column.
    pub fn of_finished(&self, planner: &Planner) -> Result<Vec<(String, Arc<ContinuousAggregate>, usize)>> {
        let mut found = Vec::new();
        for call in &self.calls {
            let Call::Of { aggregate, .. } = call else { continue };
            let [Expr::Column(column)] = aggregate.params.args.as_slice() else { continue };
            let Some(&Origin::Aggregate(cagg, output)) = origins(planner, &self.input, column)?.first() else {
                continue;
            };
            let Some(cagg) = planner.version().catalog().caggs.get(&cagg).cloned() else { continue };
            let (inner, outer) = (planner.meaning_of(&cagg)?.function_of(output), aggregate.func.name());
            let composes = match outer {
                "sum" => matches!(inner.as_deref(), Some("sum" | "count")),
                "avg" | "stddev" | "stddev_pop" | "var" | "var_pop" | "percentile_cont" | "percentile_disc"
                | "median" | "mode" | "approx_percentile" => false,
                _ => true,
            };
            if !composes && inner.is_some() {
                found.push((outer.to_owned(), cagg, output));
            }
        }
        Ok(found)
    }

    /// The function that a column of the view is the plain result of, empty for any other that is made of states; `None`
    /// for a key and for windows.
    fn function_of(&self, shown: usize) -> Option<String> {
        let (_, expr) = &self.outputs[self.kept(shown)?];
        let places = expr.column_refs().into_iter().filter_map(|c| self.schema.maybe_index_of_column(c));
        let calls: Vec<usize> = places.filter_map(|place| place.checked_sub(self.groups.len())).collect();
        match (expr, calls.as_slice()) {
            (_, []) => None,
            (Expr::Column(_), [call]) => match &self.calls[*call] {
                Call::Of { aggregate, .. } if !aggregate.params.distinct => Some(aggregate.func.name().to_owned()),
                _ => Some(String::new()),
            },
            _ => Some(String::new()),
        }
    }

    /// What it reads.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The bucket that its time is cut by.
    ///
    /// # Errors
    /// 0A000 when it is not constant; 22023 when it cannot be.
    pub fn bucket_spec(&self, time_type: TimeType) -> Result<Bucket> {
        bucket_of(&self.groups[self.bucket], time_type)
    }

    /// Which group is the bucket.
    pub fn bucket_group(&self) -> usize {
        self.bucket
    }

    /// The names of the groups among partial states.
    pub fn group_names(&self) -> Vec<String> {
        (0..self.groups.len()).map(|i| format!("_key_{i}")).collect()
    }

    /// The rows' partial states: groups, then components.
    ///
    /// Whatever the planner's override left of the source is what they are states of.
    pub fn partial(&self) -> Result<LogicalPlan> {
        let (groups, columns) = self.named_groups();
        let states: Vec<Expr> = self
            .states
            .iter()
            .enumerate()
            .map(|(i, s)| Ok(s.partial()?.alias(format!("_s{i}"))))
            .collect::<Result<_>>()?;
        let plan = LogicalPlanBuilder::from(self.input.clone()).aggregate(groups, states)?;
        Ok(plan.project(self.flat(columns))?.build()?)
    }

    /// Merges partial states that may be of the same groups.
    pub fn merge(&self, partials: LogicalPlan) -> Result<LogicalPlan> {
        let groups: Vec<Expr> = self.group_names().into_iter().map(bare).collect();
        let columns = groups.clone();
        let merges = self.states.iter().enumerate().map(|(i, state)| state.merge().alias(format!("_s{i}")));
        let merges: Vec<Expr> = merges.collect();
        let plan = LogicalPlanBuilder::from(partials).aggregate(groups, merges)?;
        Ok(plan.project(self.flat(columns))?.build()?)
    }

    fn flat(&self, groups: Vec<Expr>) -> Vec<Expr> {
        groups.into_iter().chain(self.states.iter().enumerate().flat_map(|(i, state)| state.flatten(i))).collect()
    }

    /// Turns states, one row per group, into the rows that are kept; see [`Definition::columns`].
    pub fn finish(&self, planner: &Planner, states: LogicalPlan) -> Result<LogicalPlan> {
        // First the values of the calls, under the names that outputs and HAVING know them by.
        let known = |i: usize| {
            let (qualifier, field) = self.schema.qualified_field(i);
            (qualifier.cloned(), field.name().clone())
        };
        let rename = |expr: Expr, (qualifier, name): (Option<TableReference>, String)| match qualifier {
            Some(qualifier) => expr.alias_qualified(Some(qualifier), name),
            None => expr.alias(name),
        };
        let group = |(i, name)| match self.is_set(i) {
            true => rename(cast(bare(name), self.schema.field(i).data_type().clone()), known(i)),
            false => rename(bare(name), known(i)),
        };
        let mut exprs: Vec<Expr> = self.group_names().into_iter().enumerate().map(group).collect();
        for (i, call) in self.calls.iter().enumerate() {
            let position = self.groups.len() + i;
            let wanted = self.schema.field(position).data_type().clone();
            let (value, _) = self.final_of(planner, call)?;
            exprs.push(rename(cast_to(value, &wanted, &states)?, known(position)));
        }
        let states_columns: Vec<String> =
            self.states.iter().flat_map(|s| s.columns.iter().map(|(n, _)| n.clone())).collect();
        exprs.extend(states_columns.iter().map(|name| bare(name.clone())));
        let values = LogicalPlanBuilder::from(states).project(exprs)?.build()?;
        // Then outputs, HAVING, groups and states side by side.
        let mut exprs = Vec::new();
        for column in self.layout()? {
            exprs.push(match column.role {
                Role::Group(i) => {
                    let (qualifier, name) = known(i);
                    let group = Expr::Column(Column::new(qualifier, name));
                    let group = if self.is_set(i) { cast(group, arrow_type(&sets::KEPT)) } else { group };
                    group.alias(column.name)
                }
                Role::Output => {
                    let (_, expr) = self
                        .outputs
                        .iter()
                        .find(|(name, _)| *name == column.name)
                        .expect("the layout has only outputs");
                    // What is kept has one type for texts, and one for each other kind of value.
                    let kept = arrow_type(&column.column_type);
                    let value = cast_to(expr.clone(), &kept, &values)?;
                    self.known(value, &self.needs(expr), &kept)?.alias(column.name)
                }
                Role::Visible => match &self.having {
                    None => lit(true).alias(VISIBLE),
                    Some(having) => coalesce(vec![having.clone(), lit(false)]).alias(VISIBLE),
                },
                Role::State => {
                    let kept = arrow_type(&column.column_type);
                    let needs = [column.name.clone()].into();
                    self.known(bare(column.name.clone()), &needs, &kept)?.alias(column.name)
                }
            });
        }
        Ok(LogicalPlanBuilder::from(values).project(exprs)?.build()?)
    }

    /// The value of a call, from the columns of states, and which states these are.
    fn final_of(&self, planner: &Planner, call: &Call) -> Result<(Expr, BTreeSet<usize>)> {
        let value = match call {
            Call::Of { aggregate, state } => {
                self.states[*state].finish(aggregate, self.input.schema(), planner.state())?
            }
            Call::Rollup { value, .. } => value.clone(),
        };
        Ok((value, call.states()))
    }

    /// The value of an output, from the columns of states, and which states these are.
    ///
    /// * `output` – its place among the outputs.
    ///
    /// # Errors
    /// 42804 when it has no state; 0A000 when it is made from the group keys as well.
    fn value_of(&self, planner: &Planner, output: usize) -> Result<(Expr, BTreeSet<usize>)> {
        let (name, expr) = &self.outputs[output];
        let mut states = BTreeSet::new();
        let mut keys = false;
        let value = expr.clone().transform_up(|expr| {
            let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
            let place = self.schema.index_of_column(column)?;
            let Some(call) = place.checked_sub(self.groups.len()) else {
                keys = true;
                return Ok(Transformed::no(expr));
            };
            let (finished, used) = self.final_of(planner, &self.calls[call])?;
            states.extend(used);
            Ok(Transformed::yes(cast(finished, self.schema.field(place).data_type().clone())))
        })?;
        if states.is_empty() {
            return Err(Error::new("42804", format!("\"{name}\" is not an aggregated column"))
                .hint("Roll up a column that is computed by aggregate functions."));
        }
        if keys {
            return Err(Error::unsupported(format!("\"{name}\" cannot be rolled up"))
                .detail("It is computed from group keys beside its aggregates."));
        }
        Ok((value.data, states))
    }

    /// How an output is computed from its states when they are merged further.
    ///
    /// * `output` – its place among the outputs.
    ///
    /// # Errors
    /// 42804 when it has no state; 0A000 when it is made from the group keys as well.
    pub fn rollup(&self, planner: &Planner, output: usize) -> Result<Rollup> {
        let (value, states) = self.value_of(planner, output)?;
        let mut rollup = Rollup { merges: Vec::new(), components: Vec::new(), value };
        for i in states {
            let state = &self.states[i];
            rollup.merges.push((format!("_s{i}"), state.merge()));
            let names = state.columns.iter().map(|(name, _)| name.clone());
            rollup.components.extend(names.zip(state.flatten(i)));
        }
        Ok(rollup)
    }

    /// The columns of finished rows.
    fn layout(&self) -> Result<Vec<Finished>> {
        let mut columns = Vec::new();
        let mut groups_shown = BTreeSet::new();
        let marked = |field: &Field, name: &str| field_type(field).ok_or_else(|| cannot_keep(name, field.data_type()));
        let keep = |arrow: &DataType, name: &str| column_type(arrow).ok_or_else(|| cannot_keep(name, arrow));
        for (name, expr) in &self.outputs {
            let group = match expr {
                Expr::Column(c) => self.schema.maybe_index_of_column(c).filter(|i| *i < self.groups.len()),
                _ => None,
            };
            let role = match group {
                Some(i) if groups_shown.insert(i) => Role::Group(i),
                _ => Role::Output,
            };
            columns.push(Finished {
                name: name.clone(),
                column_type: marked(&expr.to_field(&self.schema)?.1, name)?,
                role,
            });
        }
        for (i, name) in self.group_names().into_iter().enumerate().filter(|(i, _)| !groups_shown.contains(i)) {
            let column_type = if self.is_set(i) { sets::KEPT } else { marked(self.schema.field(i), &name)? };
            columns.push(Finished { name, column_type, role: Role::Group(i) });
        }
        columns.push(Finished { name: VISIBLE.to_owned(), column_type: ColumnType::Boolean, role: Role::Visible });
        for (name, arrow) in self.states.iter().flat_map(|s| &s.columns) {
            columns.push(Finished { name: name.clone(), column_type: keep(arrow, name)?, role: Role::State });
        }
        Ok(columns)
    }

    /// The columns of finished rows, in order: the outputs first.
    ///
    /// # Errors
    /// 42701 when two outputs have one name; 0A000 for a type that cannot be kept.
    pub fn columns(&self) -> Result<Vec<Finished>> {
        let columns = self.layout()?;
        let mut names = BTreeSet::new();
        for column in &columns {
            if !names.insert(names::shown(&column.name)) {
                return Err(repeated(&column.name));
            }
        }
        Ok(columns)
    }

    /// How many of [`Definition::columns`] are outputs.
    pub fn output_count(&self) -> usize {
        self.outputs.len()
    }

    /// Window functions over the outputs, if there are some.
    pub fn windows(&self) -> Option<&Windows> {
        self.windows.as_ref()
    }

    /// Which output a column of the view is; `None` where window functions are in it.
    pub fn kept(&self, shown: usize) -> Option<usize> {
        self.windows.as_ref().map_or(Some(shown), |windows| windows.shown()[shown].kept)
    }

    /// The columns of the view: name, type, and which output each is.
    pub fn shown(&self) -> Result<Vec<(String, ColumnType, Option<usize>)>> {
        let columns = self.columns()?.into_iter().take(self.output_count()).enumerate();
        let Some(windows) = &self.windows else {
            return Ok(columns.map(|(i, column)| (column.name, column.column_type, Some(i))).collect());
        };
        let mut names = BTreeSet::new();
        let mut all = Vec::new();
        for shown in windows.shown() {
            if !names.insert(names::shown(&shown.name)) {
                return Err(repeated(&shown.name));
            }
            all.push((shown.name.clone(), shown.column_type.clone(), shown.kept));
        }
        Ok(all)
    }

    /// The columns of partial states, for the table that keeps them frozen.
    pub fn partial_columns(&self) -> Result<Vec<(String, ColumnType)>> {
        let data_type = |i: usize| match self.is_set(i) {
            true => arrow_type(&sets::KEPT),
            false => self.schema.field(i).data_type().clone(),
        };
        let groups = self.group_names().into_iter().enumerate().map(|(i, name)| (name, data_type(i)));
        groups
            .chain(self.states.iter().flat_map(|s| s.columns.clone()))
            .map(|(name, arrow)| {
                let kept = column_type(&arrow);
                kept.map(|t| (name, t))
                    .ok_or_else(|| Error::unsupported(format!("a state of type {arrow} cannot be kept")))
            })
            .collect()
    }

    /// Reads kept partial states back from rows that have these columns.
    pub fn partial_of(&self, kept: LogicalPlan) -> Result<LogicalPlan> {
        let groups = self.group_names().into_iter().map(|name| (name.clone(), name)).collect::<Vec<_>>();
        self.states_of(kept, &groups)
    }

    /// Reads the states of finished rows back.
    pub fn states_of_finished(&self, kept: LogicalPlan) -> Result<LogicalPlan> {
        let mut groups = Vec::new();
        for column in self.layout()? {
            if let Role::Group(i) = column.role {
                groups.push((column.name, format!("_key_{i}")));
            }
        }
        groups.sort_by_key(|(_, key)| self.group_names().iter().position(|name| name == key));
        self.states_of(kept, &groups)
    }

    /// Reads states out of rows that have them.
    ///
    /// * `groups` – the columns that the groups are in, and their names among states.
    fn states_of(&self, kept: LogicalPlan, groups: &[(String, String)]) -> Result<LogicalPlan> {
        let schema = kept.schema().clone();
        let column = |name: &str| {
            let (qualifier, field) = schema.qualified_field_with_unqualified_name(name)?;
            Ok::<_, Error>(Expr::Column(Column::new(qualifier.cloned(), field.name())))
        };
        let mut exprs = Vec::new();
        for (from, name) in groups {
            exprs.push(column(from)?.alias(name));
        }
        for (i, state) in self.states.iter().enumerate() {
            match self.measures.iter().find(|measure| measure.by == i) {
                Some(measure) => {
                    let measured = self.states[measure.of].measured(state).into_iter();
                    exprs.extend(measured.map(|(name, value)| value.alias(name)));
                }
                None => {
                    for (name, _) in &state.columns {
                        exprs.push(column(name)?.alias(name));
                    }
                }
            }
        }
        Ok(LogicalPlanBuilder::from(kept).project(exprs)?.build()?)
    }
}

fn repeated(name: &str) -> Error {
    Error::new("42701", format!("column \"{}\" specified more than once", names::shown(name)))
}

fn cannot_keep(name: &str, arrow: &DataType) -> Error {
    Error::unsupported(format!("column \"{name}\" has a type that cannot be kept: {arrow}"))
}

fn cast_to(expr: Expr, wanted: &DataType, plan: &LogicalPlan) -> Result<Expr> {
    let is = expr.get_type(plan.schema())?;
    Ok(if is == *wanted { expr } else { cast(expr, wanted.clone()) })
}

/// Without what only orders or renames.
fn strip(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => strip(sort.input.as_ref().clone()),
        LogicalPlan::SubqueryAlias(alias) => strip(alias.input.as_ref().clone()),
        other => other,
    }
}

/// A key that is `date_trunc` of a time, as the `time_bucket` that it is; others as they are.
fn truncating(planner: &Planner, group: Expr, input: &LogicalPlan) -> Result<Expr> {
    let Expr::ScalarFunction(call) = group.clone().unalias() else { return Ok(group) };
    let [Expr::Literal(unit, _), time, rest @ ..] = call.args.as_slice() else { return Ok(group) };
    let is_time = matches!(uncast(time), Expr::Column(_));
    let (Some(Some(unit)), true, "date_trunc") = (unit.try_as_str(), is_time, call.name()) else { return Ok(group) };
    // Centuries begin in another year than months are counted from.
    let width = match unit.to_lowercase().trim_end_matches('s') {
        "second" => Interval::new(0, 0, 1_000_000),
        "minute" => Interval::new(0, 0, 60_000_000),
        "hour" => Interval::new(0, 0, 3_600_000_000),
        "day" => Interval::new(0, 1, 0),
        "week" => Interval::new(0, 7, 0),
        "month" => Interval::new(1, 0, 0),
        "quarter" => Interval::new(3, 0, 0),
        "year" => Interval::new(12, 0, 0),
        "decade" => Interval::new(120, 0, 0),
        _ => return Ok(group),
    };
    let width = IntervalMonthDayNano::new(width.months, width.days, width.micros * 1000);
    let mut args = vec![Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(width)), None), time.clone()];
    if let DataType::Timestamp(_, Some(_)) = time.get_type(input.schema())? {
        // It goes by the clock of the session, or of a zone that is given.
        args.push(match rest.first() {
            Some(zone) => zone.clone(),
            None if planner.settings().is_zone_named() => lit(planner.settings().time_zone()),
            None => return Ok(group),
        });
    }
    let bucket = planner.engine().functions.scalars.get("time_bucket").cloned();
    Ok(bucket.ok_or_else(|| Error::internal("there is a time_bucket"))?.call(args))
}

/// Which group is the bucket of the source's time.
fn bucket_among(planner: &Planner, input: &LogicalPlan, inputs: &Inputs, groups: &[Expr]) -> Result<usize> {
    let catalog = planner.version().catalog();
    let is_time = |origin: &Origin| match origin {
        Origin::Table(table, column) => {
            let time = catalog.tables.get(table).and_then(|t| t.time_column());
            inputs.is_over(*table) && time.is_some_and(|time| time.name == *column)
        }
        Origin::Aggregate(cagg, output) => catalog
            .caggs
            .get(cagg)
            .is_some_and(|c| c.outputs.get(*output).is_some_and(|(_, o)| *o == Output::Kept(c.bucket_column))),
    };
    let mut buckets = Vec::new();
    let mut others = 0;
    for (i, group) in groups.iter().enumerate() {
        let Expr::ScalarFunction(call) = group.clone().unalias() else { continue };
        let Some(Expr::Column(time)) = call.args.get(1).map(uncast).filter(|_| call.name() == "time_bucket") else {
            continue;
        };
        match origins(planner, input, time)?.as_slice() {
            found @ [_, ..] if found.iter().all(is_time) => buckets.push(i),
            _ => others += 1,
        }
    }
    match buckets[..] {
        [bucket] => Ok(bucket),
        [] if others > 0 => {
            Err(Error::unsupported("time bucket function must reference the primary hypertable dimension column")
                .detail("That column is to come through as it is, from each hypertable if several are united."))
        }
        [] => Err(Error::unsupported("continuous aggregate view must include a valid time bucket function")),
        _ => Err(Error::unsupported("continuous aggregate view cannot contain multiple time bucket functions")),
    }
}

fn uncast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(c) => uncast(&c.expr),
        Expr::Alias(a) => uncast(&a.expr),
        other => other,
    }
}

/// The buckets of a call of `time_bucket`.
///
/// # Errors
/// 0A000 when they are not constant; 22023 when they cannot be.
pub fn bucket_of(expr: &Expr, time_type: TimeType) -> Result<Bucket> {
    let Expr::ScalarFunction(call) = expr.clone().unalias() else {
        return Err(Error::internal("the bucket is a call"));
    };
    let constants: Vec<ScalarValue> = call
        .args
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != 1)
        .map(|(_, arg)| match uncast(arg) {
            Expr::Literal(value, _) => Ok(value.clone()),
            other => Err(Error::unsupported("only immutable expressions allowed in time bucket function")
                .detail(format!("{other} is not a constant."))
                .hint("Use an immutable expression as first argument to the time bucket function.")),
        })
        .collect::<Result<_>>()?;
    let whole = |value: &ScalarValue| match value {
        ScalarValue::Int16(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int32(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int64(Some(v)) => Some(*v),
        _ => None,
    };
    let spread = |value: &ScalarValue| match value {
        ScalarValue::IntervalMonthDayNano(Some(v)) => {
            Some(Interval { months: v.months, days: v.days, micros: v.nanoseconds / 1000 })
        }
        _ => None,
    };
    let wrong = |e: highwater_model::bucket::BucketError| Error::new(e.sqlstate(), e.to_string());
    if time_type.is_integer() {
        let width =
            constants.first().and_then(whole).ok_or_else(|| Error::invalid_parameter("time_bucket needs a width"))?;
        // An offset given by name comes after arguments that are NULL.
        let offset = constants[1..].iter().find_map(whole).unwrap_or(0);
        return Bucket::integer(time_type, width, offset).map_err(wrong);
    }
    let width =
        constants.first().and_then(spread).ok_or_else(|| Error::invalid_parameter("time_bucket needs a width"))?;
    let (mut origin, mut offset, mut zone) = (None, Interval::default(), None);
    for value in &constants[1..] {
        match value {
            ScalarValue::TimestampMicrosecond(Some(t), _) => origin = Some(*t),
            ScalarValue::Date32(Some(d)) => origin = Some(highwater_store::rows::date_to_micros(*d)),
            ScalarValue::Utf8(Some(name)) => zone = Some(name.clone()),
            other => offset = spread(other).unwrap_or(offset),
        }
    }
    Bucket::interval(time_type, width, origin, offset, zone.as_deref()).map_err(wrong)
}
