//! The shared state of a numeric column: count, sum, minimum, maximum and moments.
//!
//! Floats keep sums in `f64` and the second moment as deviations from the first value seen, which costs no
//! division per row and loses no digits to a large mean. Integers and numerics are exact: the sum in 128
//! bits, the sum of squares in 256.
//!
//! The same accumulator serves three functions: the SQL aggregate (rows in, value out), the state function
//! (rows in, components out) and the merge function (components in, components out).
//!
//! ```text
//! function    what DataFusion calls: rows or components in, components or a value out
//!    ▼
//! groups      the cells of all groups, and the arrays they are read from and written to
//!    ▼
//! cell        what one group has seen: add, merge, finish
//! ```
//!
//! [`numbers`] says of which types all of them are.

mod cell;
mod function;
mod groups;
mod numbers;

use arrow::datatypes::DataType;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, Signature, TypeSignature, Volatility};
use function::{FinalFunction, Mode, StatsFunction};
use numbers::Numbers;
use std::sync::Arc;

/// What is finished from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `count(x)`
    Count,
    /// `sum(x)`
    Sum,
    /// `avg(x)`
    Avg,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `stddev(x)`, `stddev_samp(x)`
    StddevSamp,
    /// `stddev_pop(x)`
    StddevPop,
    /// `variance(x)`, `var_samp(x)`
    VarSamp,
    /// `var_pop(x)`
    VarPop,
}

impl Kind {
    /// The aggregate of this name.
    pub fn of(name: &str) -> Option<Kind> {
        Some(match name {
            "count" => Kind::Count,
            "sum" => Kind::Sum,
            "avg" | "mean" => Kind::Avg,
            "min" => Kind::Min,
            "max" => Kind::Max,
            "stddev" | "stddev_samp" => Kind::StddevSamp,
            "stddev_pop" => Kind::StddevPop,
            "variance" | "var" | "var_samp" | "var_sample" => Kind::VarSamp,
            "var_pop" | "var_population" => Kind::VarPop,
            _ => return None,
        })
    }

    /// The components it needs.
    pub fn needs(self) -> Needs {
        Needs {
            sum: matches!(self, Kind::Sum | Kind::Avg),
            moments: matches!(self, Kind::StddevSamp | Kind::StddevPop | Kind::VarSamp | Kind::VarPop),
            min: self == Kind::Min,
            max: self == Kind::Max,
        }
    }
}

/// Which components a state has, beside the count that every state has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Needs {
    /// The sum.
    pub sum: bool,
    /// Mean and squared deviations, or the sum of squares.
    pub moments: bool,
    /// The minimum.
    pub min: bool,
    /// The maximum.
    pub max: bool,
}

impl Needs {
    /// What either needs.
    pub fn or(self, other: Needs) -> Needs {
        Needs {
            sum: self.sum || other.sum,
            moments: self.moments || other.moments,
            min: self.min || other.min,
            max: self.max || other.max,
        }
    }
}

/// Names and types of the components of a state over a column, in the order in which the state and merge
/// functions give and take them; `None` when such a column has no such state.
pub fn components(data_type: &DataType, needs: Needs) -> Option<Vec<(&'static str, DataType)>> {
    Some(Numbers::of(data_type)?.components(needs))
}

/// What a kind is called in SQL, and its other names.
fn names(kind: Kind) -> (&'static str, &'static [&'static str]) {
    match kind {
        Kind::Count => ("count", &[]),
        Kind::Sum => ("sum", &[]),
        Kind::Avg => ("avg", &[]),
        Kind::Min => ("min", &[]),
        Kind::Max => ("max", &[]),
        Kind::StddevSamp => ("stddev", &["stddev_samp"]),
        Kind::StddevPop => ("stddev_pop", &[]),
        Kind::VarSamp => ("var_samp", &["variance", "var", "var_sample"]),
        Kind::VarPop => ("var_pop", &["var_population"]),
    }
}

/// The SQL aggregate of numbers that finishes a state so.
pub fn function(kind: Kind) -> Arc<AggregateUDF> {
    let (name, aliases) = names(kind);
    StatsFunction::aggregate(name, aliases, Mode::Finish(kind), kind.needs())
}

/// The SQL aggregates that are of numbers only.
pub fn functions() -> Vec<Arc<AggregateUDF>> {
    let of = [Kind::StddevSamp, Kind::StddevPop, Kind::VarSamp, Kind::VarPop];
    of.map(function).to_vec()
}

/// The function from rows to components, as a struct with the fields of [`components`].
pub fn state_function(needs: Needs) -> Arc<AggregateUDF> {
    StatsFunction::aggregate("stats_state", &[], Mode::State, needs)
}

/// The function that merges components over a column of this type, taken one by one, into a struct.
pub fn merge_function(data_type: &DataType, needs: Needs) -> Option<Arc<AggregateUDF>> {
    let numbers = Numbers::of(data_type)?;
    Some(StatsFunction::aggregate("stats_merge", &[], Mode::Merge(numbers), needs))
}

/// How a value is finished from the components that it needs.
pub enum Final {
    /// It is the last of them.
    Component,
    /// By a function of them.
    Function(Arc<ScalarUDF>),
}

/// How a value is finished from its components over a column of this type.
pub fn finish(data_type: &DataType, kind: Kind) -> Option<Final> {
    let numbers = Numbers::of(data_type)?;
    let is_kept = matches!(kind, Kind::Sum | Kind::Min | Kind::Max);
    if is_kept && numbers.components(kind.needs()).last().is_some_and(|(_, kept)| *kept == numbers.finished_type(kind))
    {
        return Some(Final::Component);
    }
    let signature = Signature::new(TypeSignature::UserDefined, Volatility::Immutable);
    Some(Final::Function(Arc::new(ScalarUDF::new_from_impl(FinalFunction { numbers, kind, signature }))))
}
