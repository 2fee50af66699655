//! Functions of `numeric`.
//!
//! What only drops digits is computed in whole columns where the digits are those of a `Decimal128`; all else is
//! computed number by number.

use crate::error::{Error, Result};
use crate::function::define::Call;
use crate::operator::exact::{self, Numbers};
use crate::operator::kernel::{Argument, map, rowwise};
use crate::operator::operand::UNBOUNDED;
use crate::text::number::{self, Decimal, POWERS, overflows_numeric};
use arrow::array::{Array, AsArray, Int32Array};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type};
use datafusion::logical_expr::ColumnarValue;
use highwater_model::Numeric;
use highwater_model::numeric::{self, NumericError};
use std::sync::Arc;

/// As the argument.
pub fn same(types: &[DataType]) -> DataType {
    types[0].clone()
}

/// As the argument, without digits after the point.
pub fn whole(types: &[DataType]) -> DataType {
    match types[0] {
        // Rounding up may need one digit more.
        DataType::Decimal128(p, s) => DataType::Decimal128((p as i8 - s + 1).clamp(1, 38) as u8, 0),
        _ => UNBOUNDED,
    }
}

/// `abs(x)`
pub fn abs(call: &Call) -> Result<ColumnarValue> {
    either(call, |m, _| Ok(m.abs()), |x| Ok(x.abs()))
}

/// `sign(x)`
pub fn sign(call: &Call) -> Result<ColumnarValue> {
    let sign = |x: Numeric| if x.is_nan() { Ok(x) } else { Ok(Numeric::from(i64::from(x.signum()))) };
    either(call, |m, _| Ok(m.signum()), sign)
}

/// `round(x)`
pub fn round(call: &Call) -> Result<ColumnarValue> {
    let rounded = |m, s| number::rescale(Decimal { mantissa: m, scale: s }, 0).ok_or_else(overflows_numeric);
    either(call, rounded, |x| x.round(0))
}

/// `trunc(x)`
pub fn trunc(call: &Call) -> Result<ColumnarValue> {
    either(call, |m, s| Ok(m / unit(s)), |x| x.trunc(0))
}

/// `floor(x)`
pub fn floor(call: &Call) -> Result<ColumnarValue> {
    either(call, |m, s| Ok(m.div_euclid(unit(s))), |x| x.floor())
}

/// `ceil(x)`
pub fn ceil(call: &Call) -> Result<ColumnarValue> {
    either(call, |m, s| Ok(-(-m).div_euclid(unit(s))), |x| x.ceil())
}

/// Mantissa and scale to the mantissa of the result, or number by number where there are none.
fn either(
    call: &Call,
    decimal: fn(i128, i32) -> Result<i128>,
    any: fn(Numeric) -> numeric::Result<Numeric>,
) -> Result<ColumnarValue> {
    match call.args[0].data_type() {
        DataType::Decimal128(_, scale) => {
            map::<Decimal128Type, Decimal128Type>(&Argument::new(&call.args[0])?, call.out, |m| {
                decimal(m, scale.into())
            })
        }
        _ => one(call, any),
    }
}

fn unit(scale: i32) -> i128 {
    POWERS[scale.clamp(0, 38) as usize]
}

/// `f` of a number.
pub fn one(call: &Call, f: fn(Numeric) -> numeric::Result<Numeric>) -> Result<ColumnarValue> {
    exact::map(&call.args[0], call.rows, f)
}

/// `f` of two numbers.
pub fn two(call: &Call, f: fn(&Numeric, &Numeric) -> numeric::Result<Numeric>) -> Result<ColumnarValue> {
    exact::zip(&call.args[0], &call.args[1], call.rows, f)
}

/// `f` of a number and a place after the point.
pub fn at_place(call: &Call, f: fn(&Numeric, i32) -> numeric::Result<Numeric>) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let (numbers, places) = (Numbers::of(&arrays[0])?, arrays[1].as_primitive::<Int32Type>());
        exact::column((0..rows).map(|row| match numbers.get(row)? {
            Some(number) if places.is_valid(row) => Ok(Some(f(&number, places.value(row))?)),
            _ => Ok(None),
        }))
    })
}

/// `f` of a number that is finite; NULL of others.
pub fn of_digits(call: &Call, f: fn(&numeric::Decimal) -> u32) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let numbers = Numbers::of(&arrays[0])?;
        let digits = |row| Ok(numbers.get(row)?.as_ref().and_then(Numeric::finite).map(|x| f(x) as i32));
        Ok(Arc::new((0..rows).map(digits).collect::<Result<Int32Array>>()?))
    })
}

/// `factorial(n)`
pub fn factorial(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let numbers = arrays[0].as_primitive::<arrow::datatypes::Int64Type>();
        exact::column((0..rows).map(|row| match numbers.is_valid(row).then(|| numbers.value(row)) {
            None => Ok(None),
            Some(n) if n < 0 => Err(Error::new("22003", "factorial of a negative number is undefined")),
            Some(n) => {
                let n = u32::try_from(n).map_err(|_| NumericError::Overflow)?;
                Ok(Some(Numeric::factorial(n)?))
            }
        }))
    })
}

/// `width_bucket(x, min, max, count)`
pub fn width_bucket(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let numbers = arrays[..3].iter().map(Numbers::of).collect::<Result<Vec<_>>>()?;
        let counts = arrays[3].as_primitive::<Int32Type>();
        let bucket = |row: usize| match (numbers[0].get(row)?, numbers[1].get(row)?, numbers[2].get(row)?) {
            (Some(x), Some(min), Some(max)) if counts.is_valid(row) => {
                bucket_of(&x, &min, &max, counts.value(row)).map(Some)
            }
            _ => Ok(None),
        };
        Ok(Arc::new((0..rows).map(bucket).collect::<Result<Int32Array>>()?))
    })
}

/// As [`super::bucket_of`], exactly.
fn bucket_of(x: &Numeric, min: &Numeric, max: &Numeric, count: i32) -> Result<i32> {
    super::checked_buckets(
        count,
        [x, min, max].map(Numeric::is_nan),
        [min, max].map(Numeric::is_infinite),
        min == max,
    )?;
    let up = min < max;
    if if up { x < min } else { x > min } {
        return Ok(0);
    }
    if if up { x >= max } else { x <= max } {
        return super::after_last(count);
    }
    let part = x.sub(min)?.mul(&Numeric::from(i64::from(count)))?.div_whole(&max.sub(min)?)?;
    let bucket = part.to_integer().and_then(|part| i32::try_from(part).ok()).ok_or_else(overflows_numeric)?;
    Ok(bucket + 1)
}
