//! What SQL's aggregates say of two variables: `corr`, `covar_pop`, `covar_samp` and `regr_…`.
//!
//! All of them come from one state, a `statssummary2d`; rows in which either is NULL do not count.

use super::value::summary::{Method, Summary2D};
use super::value::{Kind, State, States};
use arrow::array::{Array, ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// One of the aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pair {
    /// `corr(y, x)`
    Corr,
    /// `covar_pop(y, x)`
    CovarPop,
    /// `covar_samp(y, x)`
    CovarSamp,
    /// `regr_count(y, x)`
    Count,
    /// `regr_avgx(y, x)`
    AvgX,
    /// `regr_avgy(y, x)`
    AvgY,
    /// `regr_sxx(y, x)`
    Sxx,
    /// `regr_syy(y, x)`
    Syy,
    /// `regr_sxy(y, x)`
    Sxy,
    /// `regr_slope(y, x)`
    Slope,
    /// `regr_intercept(y, x)`
    Intercept,
    /// `regr_r2(y, x)`
    R2,
}

impl Pair {
    /// All of them, by name.
    pub const ALL: [(&'static str, Pair); 12] = [
        ("corr", Pair::Corr),
        ("covar_pop", Pair::CovarPop),
        ("covar_samp", Pair::CovarSamp),
        ("regr_count", Pair::Count),
        ("regr_avgx", Pair::AvgX),
        ("regr_avgy", Pair::AvgY),
        ("regr_sxx", Pair::Sxx),
        ("regr_syy", Pair::Syy),
        ("regr_sxy", Pair::Sxy),
        ("regr_slope", Pair::Slope),
        ("regr_intercept", Pair::Intercept),
        ("regr_r2", Pair::R2),
    ];

    /// The aggregate of this name.
    pub fn of(name: &str) -> Option<Pair> {
        Pair::ALL.iter().find(|(n, _)| *n == name).map(|(_, pair)| *pair)
    }

    /// The type of its result.
    pub fn data_type(self) -> DataType {
        if self == Pair::Count { DataType::Int64 } else { DataType::Float64 }
    }

    fn value(self, state: &Summary2D) -> Option<f64> {
        match self {
            Pair::Corr => state.corr(),
            Pair::CovarPop => state.covariance(Method::Population),
            Pair::CovarSamp => state.covariance(Method::Sample),
            Pair::Count => None,
            Pair::AvgX => state.x().average(),
            Pair::AvgY => state.y().average(),
            Pair::Sxx => state.sxx(),
            Pair::Syy => state.syy(),
            Pair::Sxy => state.sxy(),
            Pair::Slope => state.slope(),
            Pair::Intercept => state.intercept(),
            Pair::R2 => state.determination(),
        }
    }

    /// The values of states.
    pub fn column<'a>(self, states: impl Iterator<Item = Option<&'a State>>) -> ArrayRef {
        let states = states.map(|state| match state {
            Some(State::Summary2D(state)) => Some(state),
            _ => None,
        });
        match self {
            Pair::Count => Arc::new(states.map(|s| Some(s.map_or(0, Summary2D::count) as i64)).collect::<Int64Array>()),
            _ => Arc::new(states.map(|s| s.and_then(|s| self.value(s))).collect::<Float64Array>()),
        }
    }
}

/// The aggregate over rows that gives their state.
pub fn state() -> Arc<AggregateUDF> {
    super::aggregate::stats_agg()
}

/// The function from a state to the value.
pub fn final_function(pair: Pair) -> ScalarUDF {
    ScalarUDF::from(PairFinal {
        pair,
        signature: Signature::exact(vec![Kind::Summary2D.data_type()], Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PairFinal {
    pair: Pair,
    signature: Signature,
}

impl ScalarUDFImpl for PairFinal {
    fn name(&self) -> &str {
        "pair_final"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.pair.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = ColumnarValue::values_to_arrays(&args.args)?.remove(0);
        let states = States::new(Kind::Summary2D, &array)?;
        let states = (0..array.len()).map(|row| states.get(row)).collect::<crate::Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(self.pair.column(states.iter().map(Option::as_ref))))
    }
}
