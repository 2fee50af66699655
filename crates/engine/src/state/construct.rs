//! `candlestick(time, open, high, low, close, volume)`: a state from what is known of a time already.

use super::points::time_type;
use super::value::candlestick::Candlestick;
use super::value::{Kind, State, column};
use crate::Error;
use crate::operator::operand::{is_number, taken_as, type_name};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The function.
pub fn candlestick() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(OfCandlestick { signature: Signature::user_defined(Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfCandlestick {
    signature: Signature,
}

fn takes(types: &[DataType]) -> Option<Vec<DataType>> {
    let [time, numbers @ ..] = types else { return None };
    let numeric = numbers.len() == 5 && numbers.iter().all(|t| is_number(t) || t.is_null());
    let numbers = std::iter::repeat_n(DataType::Float64, 5);
    Some(std::iter::once(time_type(time)?).chain(numbers).collect()).filter(|_| numeric)
}

impl ScalarUDFImpl for OfCandlestick {
    fn name(&self) -> &str {
        "candlestick"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        // DataFusion would put the error into words of its own; the one of `return_type` it passes on.
        Ok(takes(types).map_or_else(|| types.to_vec(), |taken| taken_as(types, taken)))
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if takes(types).is_some() {
            return Ok(Kind::Candlestick.data_type());
        }
        let names: Vec<String> = types.iter().map(type_name).collect();
        Err(Error::new("42883", format!("function candlestick({}) does not exist", names.join(", "))).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let times = columns[0].as_primitive::<TimestampMicrosecondType>();
        let prices: Vec<_> = columns[1..].iter().map(|c| c.as_primitive::<Float64Type>()).collect();
        let states: Vec<Option<State>> = (0..times.len())
            .map(|row| {
                let whole = times.is_valid(row) && prices[..4].iter().all(|p| p.is_valid(row));
                let volume = prices[4].is_valid(row).then(|| prices[4].value(row));
                let ohlc = [0, 1, 2, 3].map(|i: usize| prices[i].value(row));
                whole.then(|| State::Candlestick(Candlestick::whole(times.value(row), ohlc, volume)))
            })
            .collect();
        Ok(ColumnarValue::Array(column(Kind::Candlestick, states.iter().map(Option::as_ref))?))
    }
}
