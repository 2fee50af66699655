//! What states are asked: `approx_percentile(0.95, sketch)`, `average(summary)`, `sketch -> mean()`.
//!
//! Some names belong to aggregates over numbers as well (`sum`, `stddev`). Which is meant, the type of the argument
//! says: see [`scalar_name`] and [`crate::operator::syntax`].

use super::value::summary::{Method, Statistics};
use super::value::{Kind, State, States};
use crate::operator::operand::{is_number, taken_as, type_name};
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Float64Type, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::{Arc, LazyLock};

/// The type of an argument or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Type {
    Double,
    Doubles,
    BigInt,
    Text,
    Time,
}

impl Type {
    fn arrow(self) -> DataType {
        match self {
            Type::Double => DataType::Float64,
            Type::Doubles => DataType::List(Arc::new(Field::new("item", DataType::Float64, true))),
            Type::BigInt => DataType::Int64,
            Type::Text => DataType::Utf8,
            Type::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    fn fits(self, data_type: &DataType) -> bool {
        match self {
            _ if data_type.is_null() => true,
            Type::Double | Type::BigInt => is_number(data_type) || is_text(data_type),
            Type::Doubles => matches!(data_type, DataType::List(item) if is_number(item.data_type())),
            Type::Text => is_text(data_type),
            Type::Time => matches!(data_type, DataType::Timestamp(..)),
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The arguments of a row beside the state. None of them is NULL.
struct Arguments<'a> {
    columns: &'a [ArrayRef],
    row: usize,
}

impl Arguments<'_> {
    fn double(&self, i: usize) -> f64 {
        self.columns[i].as_primitive::<Float64Type>().value(self.row)
    }

    fn doubles(&self, i: usize) -> Vec<Option<f64>> {
        self.columns[i].as_list::<i32>().value(self.row).as_primitive::<Float64Type>().iter().collect()
    }

    fn text(&self, i: usize) -> Option<&str> {
        self.columns.get(i).map(|column| column.as_string::<i32>().value(self.row))
    }

    /// The method in the place of an optional argument.
    fn method(&self, i: usize) -> Result<Method> {
        match self.text(i).map(str::to_lowercase).as_deref() {
            None | Some("sample" | "samp") => Ok(Method::Sample),
            Some("population" | "pop") => Ok(Method::Population),
            Some(other) => Err(Error::invalid_parameter(format!("unknown method \"{other}\""))
                .hint("The methods are 'population' (or 'pop') and 'sample' (or 'samp').")),
        }
    }
}

type Run = fn(&State, &Arguments) -> Result<ScalarValue>;

/// An accessor for one kind of state.
#[derive(Clone, Copy, Debug)]
struct Overload {
    name: &'static str,
    kind: Kind,
    /// What it takes beside the state.
    takes: &'static [Type],
    /// How many of them, from the end, may be left out.
    optional: usize,
    /// Whether the state comes after its arguments.
    state_last: bool,
    gives: Type,
    run: Run,
}

/// Names that aggregates over numbers have too, and those of the accessors.
const SHARED: [(&str, &str); 4] = [
    ("sum", "sum_of_state"),
    ("stddev", "stddev_of_state"),
    ("variance", "variance_of_state"),
    ("corr", "corr_of_state"),
];

/// Whether there is an accessor of this name.
pub fn is_accessor(name: &str) -> bool {
    overloads().iter().any(|o| o.name == name)
}

/// The name under which an accessor is registered: another one where an aggregate has its own.
pub fn scalar_name(name: &str) -> &str {
    SHARED.iter().find(|(shared, _)| *shared == name).map_or(name, |(_, registered)| registered)
}

/// Whether an aggregate over numbers has this accessor's name too.
pub fn is_shared(name: &str) -> bool {
    SHARED.iter().any(|(shared, _)| *shared == name)
}

/// Whether the state is the last argument of this accessor, and not the first.
pub fn takes_state_last(name: &str) -> bool {
    overloads().iter().any(|o| o.name == name && o.state_last)
}

/// The accessor of this name.
pub fn function(name: &str) -> Option<Arc<ScalarUDF>> {
    static ALL: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(functions);
    ALL.iter().find(|f| f.name() == scalar_name(name)).cloned()
}

/// All accessors.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    let mut names: Vec<&'static str> = overloads().iter().map(|o| o.name).collect();
    names.sort_unstable();
    names.dedup();
    let signature = || Signature::user_defined(Volatility::Immutable);
    names.into_iter().map(|name| Arc::new(ScalarUDF::from(Accessor { name, signature: signature() }))).collect()
}

fn double(value: Option<f64>) -> Result<ScalarValue> {
    Ok(ScalarValue::Float64(value))
}

fn bigint(value: u64) -> Result<ScalarValue> {
    Ok(ScalarValue::Int64(Some(value as i64)))
}

fn time(micros: impl Into<Option<i64>>) -> Result<ScalarValue> {
    Ok(ScalarValue::TimestampMicrosecond(micros.into(), Some("UTC".into())))
}

/// How many seconds a unit of time has.
fn seconds_of(unit: Option<&str>) -> Result<f64> {
    Ok(match unit.unwrap_or("second").to_lowercase().as_str() {
        "microsecond" | "microseconds" | "us" => 1e-6,
        "millisecond" | "milliseconds" | "ms" => 1e-3,
        "second" | "seconds" | "sec" | "secs" | "s" => 1.0,
        "minute" | "minutes" | "min" | "mins" | "m" => 60.0,
        "hour" | "hours" | "hr" | "hrs" | "h" => 3600.0,
        other => {
            return Err(Error::invalid_parameter(format!("unknown unit of time \"{other}\""))
                .hint("The units are microsecond, millisecond, second, minute and hour."));
        }
    })
}

/// A statistic of one variable, and what takes it from a state.
macro_rules! statistics {
    ($all:ident, $($name:literal $run:expr;)*) => {$(
        // The name is that of the variable as well, where there are two.
        statistics!(@one $all, $name, Kind::Summary1D, State::Summary1D(state) => state.statistics(), $run);
        statistics!(@one $all, concat!($name, "_y"), Kind::Summary2D, State::Summary2D(state) => state.y(), $run);
        statistics!(@one $all, concat!($name, "_x"), Kind::Summary2D, State::Summary2D(state) => state.x(), $run);
    )*};
    (@one $all:ident, $name:expr, $kind:expr, $pattern:pat => $statistics:expr, $run:expr) => {
        $all.push(Overload {
            name: $name, kind: $kind, takes: &[Type::Text], optional: 1, state_last: false, gives: Type::Double,
            run: |state, args| {
                let run: fn(Statistics, Method) -> Option<f64> = $run;
                match state {
                    $pattern => double(run($statistics, args.method(0)?)),
                    other => Err(wrong(other)),
                }
            },
        });
    };
}

/// Accessors of some kinds of states, which are computed alike.
macro_rules! accessors {
    ($all:ident, [$($kind:ident)*] $declared:tt) => {$(accessors!(@of $kind, $all, $declared);)*};
    (@of $kind:ident, $all:ident, {
        $($name:literal $takes:expr, $optional:literal, $last:literal, $gives:ident, |$state:ident, $args:ident| $run:expr;)*
    }) => {$(
        $all.push(Overload {
            name: $name, kind: Kind::$kind, takes: &$takes, optional: $optional, state_last: $last, gives: Type::$gives,
            run: |state, $args| match state {
                State::$kind($state) => $run,
                other => Err(wrong(other)),
            },
        });
    )*};
}

fn wrong(state: &State) -> Error {
    Error::internal(format!("an accessor is asked of a {}", state.kind().name()))
}

fn fraction(value: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(Error::new("22003", format!("percentile value {value} is not between 0 and 1")))
}

fn fractions(args: &Arguments, value: impl Fn(f64) -> Option<f64>) -> Result<ScalarValue> {
    let values = args.doubles(0).into_iter().map(|f| Ok(f.map(fraction).transpose()?.and_then(&value)));
    let values = values.map(|v| v.map(ScalarValue::Float64)).collect::<Result<Vec<_>>>()?;
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Float64)))
}

fn overloads() -> &'static [Overload] {
    static ALL: LazyLock<Vec<Overload>> = LazyLock::new(|| {
        use Type::*;
        let mut all = Vec::new();
        statistics! { all,
            "average" |s, _| s.average();
            "sum" |s, _| s.sum();
            "stddev" |s, method| s.stddev(method);
            "variance" |s, method| s.variance(method);
            "skewness" |s, method| s.skewness(method);
            "kurtosis" |s, method| s.kurtosis(method);
        }
        accessors! { all, [Summary1D Summary2D] {
            "num_vals" [], 0, false, BigInt, |state, _args| bigint(state.count());
        }}
        accessors! { all, [Summary2D] {
            "slope" [], 0, false, Double, |state, _args| double(state.slope());
            "intercept" [], 0, false, Double, |state, _args| double(state.intercept());
            "x_intercept" [], 0, false, Double, |state, _args| double(state.x_intercept());
            "corr" [], 0, false, Double, |state, _args| double(state.corr());
            "covariance" [Text], 1, false, Double, |state, args| double(state.covariance(args.method(0)?));
            "determination_coeff" [], 0, false, Double, |state, _args| double(state.determination());
        }}
        accessors! { all, [HyperLogLog] {
            "distinct_count" [], 0, false, BigInt, |state, _args| bigint(state.count() as u64);
            "stderror" [], 0, false, Double, |state, _args| double(Some(state.error()));
        }}
        accessors! { all, [UddSketch TDigest] {
            "approx_percentile" [Double], 0, true, Double, |state, args| double(state.percentile(fraction(args.double(0))?));
            "approx_percentile_array" [Doubles], 0, true, Doubles, |state, args| fractions(args, |f| state.percentile(f));
            "approx_percentile_rank" [Double], 0, true, Double, |state, args| double(state.rank(args.double(0)));
            "mean" [], 0, false, Double, |state, _args| double(state.mean());
            "num_vals" [], 0, false, Double, |state, _args| double(Some(state.count() as f64));
        }}
        accessors! { all, [UddSketch] {
            "error" [], 0, false, Double, |state, _args| double(Some(state.error()));
        }}
        accessors! { all, [TDigest] {
            "min_val" [], 0, false, Double, |state, _args| double(state.min());
            "max_val" [], 0, false, Double, |state, _args| double(state.max());
        }}
        accessors! { all, [Candlestick] {
            "open" [], 0, false, Double, |state, _args| double(Some(state.open.price));
            "open_time" [], 0, false, Time, |state, _args| time(state.open.time);
            "high" [], 0, false, Double, |state, _args| double(Some(state.high.price));
            "high_time" [], 0, false, Time, |state, _args| time(state.high.time);
            "low" [], 0, false, Double, |state, _args| double(Some(state.low.price));
            "low_time" [], 0, false, Time, |state, _args| time(state.low.time);
            "close" [], 0, false, Double, |state, _args| double(Some(state.close.price));
            "close_time" [], 0, false, Time, |state, _args| time(state.close.time);
            "volume" [], 0, false, Double, |state, _args| double(state.volume());
            "vwap" [], 0, false, Double, |state, _args| double(state.vwap());
        }}
        accessors! { all, [Counter Gauge] {
            "delta" [], 0, false, Double, |state, _args| double(Some(state.delta()));
            "rate" [], 0, false, Double, |state, _args| double(state.rate());
            "time_delta" [], 0, false, Double, |state, _args| double(Some(state.seconds()));
            "idelta_left" [], 0, false, Double, |state, _args| double(Some(state.first_step()));
            "idelta_right" [], 0, false, Double, |state, _args| double(Some(state.last_step()));
            "irate_left" [], 0, false, Double, |state, _args| double(state.first_rate());
            "irate_right" [], 0, false, Double, |state, _args| double(state.last_rate());
            "num_changes" [], 0, false, BigInt, |state, _args| bigint(state.changes);
            "num_elements" [], 0, false, BigInt, |state, _args| bigint(state.count());
            "slope" [], 0, false, Double, |state, _args| double(state.line().slope());
            "intercept" [], 0, false, Double, |state, _args| double(state.line().intercept());
            "corr" [], 0, false, Double, |state, _args| double(state.line().corr());
        }}
        accessors! { all, [Counter] {
            "num_resets" [], 0, false, BigInt, |state, _args| bigint(state.resets);
            "counter_zero_time" [], 0, false, Time, |state, _args| time(state.zero_time());
        }}
        accessors! { all, [Gauge] {
            "gauge_zero_time" [], 0, false, Time, |state, _args| time(state.zero_time());
        }}
        accessors! { all, [TimeWeight] {
            "average" [], 0, false, Double, |state, _args| double(state.average());
            "integral" [Text], 1, false, Double, |state, args| double(Some(state.integral() / seconds_of(args.text(0))?));
        }}
        accessors! { all, [Counter Gauge TimeWeight] {
            "first_val" [], 0, false, Double, |state, _args| double(Some(state.first.value));
            "last_val" [], 0, false, Double, |state, _args| double(Some(state.last.value));
            "first_time" [], 0, false, Time, |state, _args| time(state.first.time);
            "last_time" [], 0, false, Time, |state, _args| time(state.last.time);
        }}
        all
    });
    &ALL
}

/// A scalar function over a state.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Accessor {
    name: &'static str,
    signature: Signature,
}

impl Accessor {
    /// The overload for arguments of these types.
    fn choose(&self, types: &[DataType]) -> Result<&'static Overload> {
        let fits = |o: &&Overload| {
            let (state, others) = match (o.state_last, types) {
                (true, [others @ .., state]) | (false, [state, others @ ..]) => (state, others),
                _ => return false,
            };
            o.name == self.name
                && Kind::of(state) == Some(o.kind)
                && (o.takes.len() - o.optional..=o.takes.len()).contains(&others.len())
                && others.iter().zip(o.takes).all(|(given, taken)| taken.fits(given))
        };
        overloads().iter().find(fits).ok_or_else(|| Error::no_function(self.name, types.iter().map(type_name)))
    }
}

impl ScalarUDFImpl for Accessor {
    fn name(&self) -> &str {
        scalar_name(self.name)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        // DataFusion would put the error into words of its own; the one of `return_type` it passes on.
        let Ok(overload) = self.choose(types) else { return Ok(types.to_vec()) };
        let others = overload.takes.iter().map(|t| t.arrow()).take(types.len() - 1);
        let state = std::iter::once(overload.kind.data_type());
        let taken = if overload.state_last { others.chain(state).collect() } else { state.chain(others).collect() };
        Ok(taken_as(types, taken))
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(self.choose(types)?.gives.arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let overload = self.choose(&types)?;
        let mut columns = ColumnarValue::values_to_arrays(&args.args)?;
        let state = columns.remove(if overload.state_last { columns.len() - 1 } else { 0 });
        let states = States::new(overload.kind, &state)?;
        let null = ScalarValue::try_from(&overload.gives.arrow())?;
        let mut values = Vec::with_capacity(state.len());
        for row in 0..state.len() {
            let present = columns.iter().all(|c| c.is_valid(row));
            values.push(match if present { states.get(row)? } else { None } {
                Some(state) => (overload.run)(&state, &Arguments { columns: &columns, row })?,
                None => null.clone(),
            });
        }
        Ok(ColumnarValue::Array(match values.is_empty() {
            true => arrow::array::new_empty_array(&overload.gives.arrow()),
            false => ScalarValue::iter_to_array(values)?,
        }))
    }
}
