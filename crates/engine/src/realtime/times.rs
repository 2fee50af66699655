//! What plans of aggregates ask of times: whether one is among others, and what is so far away from it.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use highwater_model::RangeSet;
use highwater_store::rows::TimeValues;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Microseconds of a day, in which dates are counted.
const DAY: i64 = 86_400_000_000;

/// Whether a time is among these.
pub fn among(times: &RangeSet, time: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(Among { times: times.clone(), signature }).call(vec![time])
}

/// The time that is so many microseconds later, or so much further on integer time: negative ones are earlier. What
/// would be beyond the last or the first time is that one, and infinite times stay.
pub fn moved(time: Expr, by: i64) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::from(Moved { by, signature }).call(vec![time])
}

/// Whether [`moved`] knows this type.
pub fn is_time(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Int16 | DataType::Int32 | DataType::Int64
    )
}

#[derive(Debug, PartialEq, Eq)]
struct Among {
    times: RangeSet,
    signature: Signature,
}

impl Hash for Among {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.times.as_slice().hash(state);
    }
}

impl ScalarUDFImpl for Among {
    fn name(&self) -> &str {
        "_among"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let column = args.args[0].to_array(args.number_rows)?;
        let times = TimeValues::of(&column);
        let is_in = |i: usize| times.get(i).is_some_and(|t| self.times.contains(t));
        let found: ArrayRef = Arc::new((0..times.count()).map(|i| Some(is_in(i))).collect::<BooleanArray>());
        Ok(ColumnarValue::Array(found))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Moved {
    by: i64,
    signature: Signature,
}

impl Moved {
    fn value(&self, time: ScalarValue) -> ScalarValue {
        let whole = |t: i64, by: i64, (least, most): (i64, i64)| match t {
            t if t <= least || t >= most => t,
            t => t.saturating_add(by).clamp(least, most),
        };
        let days = if self.by < 0 { self.by.div_euclid(DAY) } else { -(-self.by).div_euclid(DAY) };
        let small = |t: i64, by: i64, least: i32, most: i32| whole(t, by, (least.into(), most.into())) as i32;
        match time {
            ScalarValue::TimestampMicrosecond(Some(t), zone) => {
                ScalarValue::TimestampMicrosecond(Some(whole(t, self.by, (i64::MIN, i64::MAX))), zone)
            }
            ScalarValue::Date32(Some(t)) => ScalarValue::Date32(Some(small(t.into(), days, i32::MIN, i32::MAX))),
            ScalarValue::Int16(Some(t)) => {
                let (least, most) = (i16::MIN.into(), i16::MAX.into());
                ScalarValue::Int16(Some(small(t.into(), self.by, least, most) as i16))
            }
            ScalarValue::Int32(Some(t)) => ScalarValue::Int32(Some(small(t.into(), self.by, i32::MIN, i32::MAX))),
            ScalarValue::Int64(Some(t)) => ScalarValue::Int64(Some(whole(t, self.by, (i64::MIN, i64::MAX)))),
            unknown => unknown,
        }
    }
}

impl ScalarUDFImpl for Moved {
    fn name(&self) -> &str {
        "_moved"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &args.args[0] {
            ColumnarValue::Scalar(time) => Ok(ColumnarValue::Scalar(self.value(time.clone()))),
            ColumnarValue::Array(times) => {
                let moved = (0..times.len()).map(|i| Ok(self.value(ScalarValue::try_from_array(times, i)?)));
                let moved = moved.collect::<Result<Vec<_>>>()?;
                let none = || arrow::array::new_empty_array(times.data_type());
                Ok(ColumnarValue::Array(if moved.is_empty() { none() } else { ScalarValue::iter_to_array(moved)? }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_moved_and_stay_in_their_type() {
        let check = |time: ScalarValue, by: i64, expected: ScalarValue| {
            let moved = Moved { by, signature: Signature::any(1, Volatility::Immutable) };
            assert_eq!(moved.value(time), expected);
        };
        check(ScalarValue::Int64(Some(5)), -7, ScalarValue::Int64(Some(-2)));
        check(ScalarValue::Int16(Some(5)), -100_000, ScalarValue::Int16(Some(i16::MIN)));
        check(ScalarValue::Int32(Some(i32::MAX)), -7, ScalarValue::Int32(Some(i32::MAX)));
        check(ScalarValue::Date32(Some(10)), -DAY, ScalarValue::Date32(Some(9)));
        check(ScalarValue::Date32(Some(10)), -DAY - 1, ScalarValue::Date32(Some(8)));
        check(ScalarValue::Date32(Some(10)), DAY + 1, ScalarValue::Date32(Some(12)));
        check(ScalarValue::Date32(Some(i32::MIN)), DAY, ScalarValue::Date32(Some(i32::MIN)));
        let time = |t| ScalarValue::TimestampMicrosecond(Some(t), None);
        check(time(i64::MAX), -5, time(i64::MAX));
        check(time(i64::MIN + 2), -5, time(i64::MIN));
        check(ScalarValue::Int64(None), -5, ScalarValue::Int64(None));
    }
}
