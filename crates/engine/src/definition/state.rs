//! The states that a definition keeps, and which aggregate needs which.
//!
//! ```text
//! count, sum, avg, stddev … of a number       n, sum, mean, m2, min, max       one for all of them
//! corr, covar_*, regr_* of two                a statssummary2d                 one for all of them
//! first, last                                 value and time
//! min, bool_and, histogram, percentile_agg    what they give is a state
//! the others                                  their input
//! ```

use crate::function::aggregate::{first_last, histogram};
use crate::rollup::state_name;
use crate::state::pair::Pair;
pub use crate::state::same::Sameness;
use crate::state::{aggregate, collect, pair, points, stats, value};
use crate::{Error, Result};
use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions::core::get_field;
use datafusion::functions::math::expr_fn::{abs, sqrt};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, cast, lit};
use highwater_model::CaggId;
use highwater_store::schema::{arrow_type, column_type};
use std::sync::Arc;

/// One state, which several calls may share.
pub struct State {
    /// What it is the state of.
    pub source: Source,
    /// Names of its columns in a partial, and their types.
    pub columns: Vec<(String, DataType)>,
    /// The states that the rows have already, if they are the rows of a parent.
    pub merges: Option<Merges>,
}

/// A state of another aggregate, whose rows are merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Merges {
    /// The aggregate.
    pub cagg: CaggId,
    /// Which of its states.
    pub state: usize,
    /// Which rows count.
    pub filter: Option<Box<Expr>>,
}

/// The name of a state's column, as one of the state with another number.
pub fn renumbered(name: &str, i: usize) -> String {
    // "_state_0_mean" in four parts.
    let component = name.splitn(4, '_').nth(3).unwrap_or_default();
    format!("{STATE}{i}_{component}")
}

/// What the names of states' columns begin with.
const STATE: &str = "_state_";

/// What a state is of, and so what it consists of.
#[derive(Clone)]
pub enum Source {
    /// `count(*)` or `count(x)` of something that is no number.
    Count(AggregateFunction),
    /// The shared state of a numeric column.
    Stats {
        /// The column.
        argument: Expr,
        /// Which rows count.
        filter: Option<Box<Expr>>,
        /// The components that its calls need.
        needs: stats::Needs,
        /// The type of the column.
        data_type: DataType,
    },
    /// The shared state of two columns: y, then x.
    Pair {
        /// The columns.
        arguments: Vec<Expr>,
        /// Which rows count.
        filter: Option<Box<Expr>>,
    },
    /// The first or last value, and its time.
    Chosen(AggregateFunction),
    /// An aggregate whose results another merges.
    Fold(AggregateFunction, Arc<AggregateUDF>),
    /// Everything else.
    Collect(AggregateFunction),
}

impl Source {
    /// What the state of a call is of.
    ///
    /// * `input` – the schema of the rows.
    pub fn of(call: &AggregateFunction, input: &DFSchema) -> Result<Source> {
        let AggregateFunctionParams { args, distinct, filter, order_by, .. } = &call.params;
        let types = args.iter().map(|a| Ok(a.get_type(input)?)).collect::<Result<Vec<_>>>()?;
        if *distinct || !order_by.is_empty() {
            return Ok(Source::Collect(call.clone()));
        }
        let fold = |merge: Arc<AggregateUDF>| Ok(Source::Fold(call.clone(), merge));
        let name = call.func.name();
        match (stats::Kind::of(name), args.as_slice(), types.as_slice()) {
            // Counting a constant counts rows.
            (Some(stats::Kind::Count), [Expr::Literal(..)] | [], _) => return Ok(Source::Count(call.clone())),
            (Some(kind), [argument], [data_type]) if stats::components(data_type, kind.needs()).is_some() => {
                let (argument, filter, data_type) = (argument.clone(), filter.clone(), data_type.clone());
                return Ok(Source::Stats { argument, filter, needs: kind.needs(), data_type });
            }
            (Some(stats::Kind::Count), _, _) => return Ok(Source::Count(call.clone())),
            _ => {}
        }
        if Pair::of(name).is_some() && types.len() == 2 {
            return Ok(Source::Pair { arguments: args.clone(), filter: filter.clone() });
        }
        match name {
            "min" | "max" | "bool_and" | "bool_or" | "bit_and" | "bit_or" | "bit_xor" => fold(call.func.clone()),
            "histogram" => fold(histogram::merge()),
            "first" | "last" if types.len() == 2 => Ok(Source::Chosen(call.clone())),
            // Their results cannot be merged where times overlap, as those of late rows and others do.
            _ if points::is_of_points(&call.func) => Ok(Source::Collect(call.clone())),
            _ => match value::Kind::of(&Expr::AggregateFunction(call.clone()).get_type(input)?) {
                Some(_) => fold(aggregate::rollup()),
                None => Ok(Source::Collect(call.clone())),
            },
        }
    }

    /// Whether a state of this serves the other as well; it has what both need afterwards.
    pub fn share(&mut self, other: &Source) -> bool {
        match (self, other) {
            (
                Source::Stats { argument, filter, needs, .. },
                Source::Stats { argument: argument2, filter: filter2, needs: needs2, .. },
            ) => {
                let same = argument == argument2 && filter == filter2;
                if same {
                    *needs = needs.or(*needs2);
                }
                same
            }
            (Source::Pair { arguments, filter }, Source::Pair { arguments: arguments2, filter: filter2 }) => {
                arguments == arguments2 && filter == filter2
            }
            // The 50th and the 95th percentile are of the same values.
            (Source::Collect(call), Source::Collect(call2)) => collect::keep_the_same(call, call2),
            _ => false,
        }
    }

    /// Whether the other is of the same values of the same rows, though perhaps of fewer components.
    fn is_of_the_rows_of(&self, other: &Source) -> bool {
        match (self, other) {
            (Source::Count(call), Source::Count(call2))
            | (Source::Chosen(call), Source::Chosen(call2))
            | (Source::Fold(call, _), Source::Fold(call2, _)) => call == call2,
            (Source::Collect(call), Source::Collect(call2)) => collect::keep_the_same(call, call2),
            (
                Source::Stats { argument, filter, data_type, .. },
                Source::Stats { argument: argument2, filter: filter2, data_type: data_type2, .. },
            ) => argument == argument2 && filter == filter2 && data_type == data_type2,
            (Source::Pair { arguments, filter }, Source::Pair { arguments: arguments2, filter: filter2 }) => {
                arguments == arguments2 && filter == filter2
            }
            _ => false,
        }
    }

    /// Whether a state of this, as it is, serves the other as well.
    pub fn serves(&self, other: &Source) -> bool {
        let has_all = match (self, other) {
            (Source::Stats { needs, .. }, Source::Stats { needs: needed, .. }) => needs.or(*needed) == *needs,
            _ => true,
        };
        has_all && self.is_of_the_rows_of(other)
    }

    /// Whether its value is the same in whatever order states are merged.
    pub fn is_exact(&self) -> bool {
        let Source::Collect(call) = self else { return true };
        match call.func.name() {
            "percentile_cont" | "percentile_disc" | "median" | "mode" => true,
            "count" | "sum" | "avg" | "min" | "max" => call.params.distinct,
            _ => false,
        }
    }

    /// The expressions over rows that it is of.
    pub fn arguments(&self) -> Vec<&Expr> {
        match self {
            Source::Stats { argument, filter, .. } => [argument].into_iter().chain(filter.as_deref()).collect(),
            Source::Pair { arguments, filter } => arguments.iter().chain(filter.as_deref()).collect(),
            Source::Count(call) | Source::Chosen(call) | Source::Fold(call, _) | Source::Collect(call) => {
                let AggregateFunctionParams { args, filter, order_by, .. } = &call.params;
                args.iter().chain(filter.as_deref()).chain(order_by.iter().map(|sort| &sort.expr)).collect()
            }
        }
    }

    /// The same of other rows; `None` where an expression has none.
    pub fn map(&self, of: &impl Fn(&Expr) -> Result<Option<Expr>>) -> Result<Option<Source>> {
        let mapped = |call: &AggregateFunction| match of(&Expr::AggregateFunction(call.clone()))? {
            Some(Expr::AggregateFunction(call)) => Ok::<_, Error>(Some(call)),
            _ => Ok(None),
        };
        let of_filter = |filter: &Option<Box<Expr>>| match filter {
            None => Ok::<_, Error>(Some(None)),
            Some(filter) => Ok(of(filter)?.map(|filter| Some(Box::new(filter)))),
        };
        Ok(match self {
            Source::Count(call) => mapped(call)?.map(Source::Count),
            Source::Chosen(call) => mapped(call)?.map(Source::Chosen),
            Source::Collect(call) => mapped(call)?.map(Source::Collect),
            Source::Fold(call, merge) => mapped(call)?.map(|call| Source::Fold(call, merge.clone())),
            Source::Stats { argument, filter, needs, data_type } => {
                let (needs, data_type) = (*needs, data_type.clone());
                of(argument)?.zip(of_filter(filter)?).map(|(argument, filter)| Source::Stats {
                    argument,
                    filter,
                    needs,
                    data_type,
                })
            }
            Source::Pair { arguments, filter } => {
                let arguments = arguments.iter().map(of).collect::<Result<Option<Vec<Expr>>>>()?;
                arguments.zip(of_filter(filter)?).map(|(arguments, filter)| Source::Pair { arguments, filter })
            }
        })
    }
}

impl State {
    /// Whether another state is of the same values of the same rows, though perhaps of fewer components.
    pub fn is_of_the_rows_of(&self, other: &State) -> bool {
        // Which number a state of the parent has may have changed; what it is of tells which it is.
        let merges = |state: &State| state.merges.as_ref().map(|merges| (merges.cagg, merges.filter.clone()));
        merges(self) == merges(other) && self.source.is_of_the_rows_of(&other.source)
    }

    /// The columns that a call of this state is finished from, in order.
    pub fn needed_by(&self, call: &AggregateFunction) -> Vec<String> {
        let needed = match (&self.source, stats::Kind::of(call.func.name())) {
            (Source::Stats { data_type, .. }, Some(kind)) => stats::components(data_type, kind.needs()),
            _ => None,
        };
        let is_needed = |name: &str| {
            needed.as_ref().is_none_or(|needed| needed.iter().any(|(part, _)| name.rsplit('_').next() == Some(*part)))
        };
        self.columns.iter().map(|(name, _)| name).filter(|name| is_needed(name)).cloned().collect()
    }

    /// The column that is to this state what a column of this name is to another.
    pub fn component(&self, name: &str) -> Option<String> {
        let part = |name: &str| name.splitn(4, '_').nth(3).map(str::to_owned);
        self.columns.iter().map(|(own, _)| own).find(|own| part(own) == part(name)).cloned()
    }

    /// Gives its columns their names and types, once it is known what is needed.
    pub fn name_columns(&mut self, i: usize, input: &DFSchema) -> Result<()> {
        // One string type everywhere, so that what is kept is what is computed.
        let kept = |t: DataType| column_type(&t).map_or(t, |t| arrow_type(&t));
        let column = |name: &str, t: DataType| (format!("{STATE}{i}_{name}"), t);
        if self.merges.is_some() {
            self.columns.iter_mut().for_each(|(name, _)| *name = renumbered(name, i));
            return Ok(());
        }
        self.columns = match &self.source {
            Source::Count(_) => vec![column("n", DataType::Int64)],
            Source::Stats { needs, data_type, .. } => stats::components(data_type, *needs)
                .expect("it was checked when the state was made")
                .into_iter()
                .map(|(name, t)| column(name, t))
                .collect(),
            Source::Pair { .. } => vec![column("pair", value::Kind::Summary2D.data_type())],
            Source::Chosen(call) => vec![
                column("value", kept(call.params.args[0].get_type(input)?)),
                column("time", kept(call.params.args[1].get_type(input)?)),
            ],
            Source::Fold(call, _) => {
                vec![column(call.func.name(), kept(Expr::AggregateFunction(call.clone()).get_type(input)?))]
            }
            Source::Collect(call) => vec![column("values", collect::state_type(call, input)?)],
        };
        Ok(())
    }

    /// The aggregate over rows that gives the state.
    pub fn partial(&self) -> Result<Expr> {
        if let Some(Merges { cagg, state, filter }) = &self.merges {
            let there = |(name, t): &(String, DataType)| (state_name(*cagg, &renumbered(name, *state)), t.clone());
            let columns = self.columns.iter().map(there).collect();
            let Expr::AggregateFunction(mut merge) =
                (State { source: self.source.clone(), columns, merges: None }).merge()
            else {
                return Err(Error::internal("states are merged by an aggregate"));
            };
            merge.params.filter = match (merge.params.filter.take(), filter) {
                (Some(own), Some(filter)) => Some(Box::new(own.and(filter.as_ref().clone()))),
                (own, filter) => own.or(filter.clone()),
            };
            return Ok(Expr::AggregateFunction(merge));
        }
        Ok(match &self.source {
            Source::Count(call) | Source::Fold(call, _) => Expr::AggregateFunction(call.clone()),
            Source::Stats { argument, filter, needs, .. } => {
                call(stats::state_function(*needs), vec![argument.clone()], filter.clone())
            }
            Source::Pair { arguments, filter } => call(pair::state(), arguments.clone(), filter.clone()),
            Source::Chosen(chosen) => {
                call(first_last::state(&chosen.func), chosen.params.args.clone(), chosen.params.filter.clone())
            }
            Source::Collect(call) => collect::state_expr(call)?,
        })
    }

    /// A state that sums up how large the numbers are whose sum this one keeps, if these are floats: rounding may
    /// differ by so much.
    pub fn measure(&self) -> Option<State> {
        let Source::Stats { argument, filter, needs, data_type } = &self.source else { return None };
        if !needs.sum || !data_type.is_floating() {
            return None;
        }
        let sums = self.columns.iter().map(|(name, _)| name).find(|name| name.ends_with("_sum"))?;
        // What is merged was rounded by itself; the merging rounds sums.
        let (argument, filter, data_type) = match &self.merges {
            None => (argument.clone(), filter.clone(), data_type.clone()),
            Some(Merges { cagg, state, filter }) => {
                (bare(state_name(*cagg, &renumbered(sums, *state))), filter.clone(), DataType::Float64)
            }
        };
        let needs = stats::Needs { sum: true, ..Default::default() };
        Some(State {
            source: Source::Stats { argument: abs(argument), filter, needs, data_type },
            columns: Vec::new(),
            merges: None,
        })
    }

    /// What makes each of its columns the same as one that was computed again.
    ///
    /// * `measure` – from [`State::measure`].
    pub fn sameness(&self, measure: Option<&State>) -> Vec<(String, Sameness)> {
        let of = |name: &String, data_type: &DataType| match &self.source {
            Source::Stats { data_type: DataType::Float32 | DataType::Float64, .. } => {
                let sibling =
                    |part: &str| name.rsplit_once('_').map_or(String::new(), |(state, _)| format!("{state}_{part}"));
                match name.rsplit('_').next() {
                    Some("sum") => {
                        let measure = measure.and_then(|m| m.columns.iter().find(|(name, _)| name.ends_with("_sum")));
                        Sameness::Sum { count: sibling("n"), sizes: measure.map(|(name, _)| name.clone()) }
                    }
                    Some(part @ ("mean" | "m2")) => Sameness::Moment {
                        count: sibling("n"),
                        mean: sibling("mean"),
                        m2: sibling("m2"),
                        squared: part == "m2",
                    },
                    _ => Sameness::Equal,
                }
            }
            Source::Collect(_) => Sameness::Values,
            _ => value::Kind::of(data_type).map_or(Sameness::Equal, Sameness::State),
        };
        self.columns.iter().map(|(name, data_type)| (name.clone(), of(name, data_type))).collect()
    }

    /// The columns of a measure of this state, by what is kept of the state: at least so large were its numbers.
    pub fn measured(&self, measure: &State) -> Vec<(String, Expr)> {
        let component = |name: &str| {
            let mut names = self.columns.iter().map(|(name, _)| name);
            names.find(|column| column.rsplit('_').next() == Some(name)).map(|name| bare(name.clone()))
        };
        let least = match (component("n"), component("mean"), component("m2"), component("sum")) {
            // Σ|x| ≤ √(n Σx²)
            (Some(n), Some(mean), Some(m2), _) => {
                let n = cast(n, DataType::Float64);
                sqrt(n.clone() * (m2 + n * mean.clone() * mean))
            }
            (_, _, _, Some(sum)) => abs(sum),
            _ => lit(0.0),
        };
        let mut columns = Vec::new();
        for (name, _) in &measure.columns {
            let value =
                if name.ends_with("_sum") { least.clone() } else { component("n").unwrap_or_else(|| lit(0_i64)) };
            columns.push((name.clone(), value));
        }
        columns
    }

    /// The columns of the state, from what [`State::partial`] or [`State::merge`] gives under the name `_s…`.
    pub fn flatten(&self, i: usize) -> Vec<Expr> {
        let state = bare(format!("_s{i}"));
        let field = |name: &str| lit(name.rsplit('_').next().unwrap_or_default());
        match &self.source {
            Source::Stats { .. } | Source::Chosen(_) => self
                .columns
                .iter()
                .map(|(name, _)| get_field().call(vec![state.clone(), field(name)]).alias(name))
                .collect(),
            _ => vec![cast(state, self.columns[0].1.clone()).alias(&self.columns[0].0)],
        }
    }

    /// The aggregate over columns of states that merges them.
    pub fn merge(&self) -> Expr {
        let columns: Vec<Expr> = self.columns.iter().map(|(name, _)| bare(name.clone())).collect();
        match &self.source {
            Source::Count(_) => call(sum_udaf(), columns, None),
            Source::Stats { needs, data_type, .. } => {
                let merge = stats::merge_function(data_type, *needs).expect("it was checked when the state was made");
                call(merge, columns, None)
            }
            Source::Pair { .. } => call(aggregate::rollup(), columns, None),
            Source::Chosen(chosen) => call(first_last::state(&chosen.func), columns, None),
            Source::Fold(_, merge) => call(merge.clone(), columns, None),
            Source::Collect(call) => collect::merge_expr(&self.columns[0].0, call.params.distinct),
        }
    }

    /// The value of a call from the columns of its state.
    pub fn finish(&self, call: &AggregateFunction, input: &DFSchema, session: &SessionState) -> Result<Expr> {
        let columns: Vec<Expr> = self.columns.iter().map(|(name, _)| bare(name.clone())).collect();
        let first = || columns[0].clone();
        Ok(match &self.source {
            Source::Count(_) => coalesce(vec![first(), Expr::Literal(ScalarValue::Int64(Some(0)), None)]),
            Source::Stats { data_type, .. } => {
                let kind = stats::Kind::of(call.func.name()).expect("calls with this state have a kind");
                let mut needed: Vec<Expr> = self.needed_by(call).into_iter().map(bare).collect();
                match stats::finish(data_type, kind).expect("the state was made for this type") {
                    stats::Final::Function(finish) => finish.call(needed),
                    stats::Final::Component => needed.pop().expect("a state has components"),
                }
            }
            Source::Pair { .. } => {
                pair::final_function(Pair::of(call.func.name()).expect("calls with this state are of pairs"))
                    .call(columns)
            }
            Source::Chosen(_) | Source::Fold(..) => first(),
            Source::Collect(_) => collect::final_expr(call, input, first(), session)?,
        })
    }
}

fn call(func: Arc<AggregateUDF>, args: Vec<Expr>, filter: Option<Box<Expr>>) -> Expr {
    let params = AggregateFunctionParams { args, distinct: false, filter, order_by: vec![], null_treatment: None };
    Expr::AggregateFunction(AggregateFunction { func, params })
}

/// A column without a qualifier.
pub fn bare(name: impl Into<String>) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
