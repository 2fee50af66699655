//! Functions of numbers where DataFusion rounds, overflows or fails otherwise than PostgreSQL.

use super::define::{Call, Overload, Run, function, takes, takes_and};
use crate::error::{Error, Result};
use crate::operator::arithmetic::{division_by_zero, float_power, out_of_range};
use crate::operator::kernel::{Argument, map, zip};
use crate::operator::operand::Kind;
use crate::text::number::{self, Decimal, POWERS, overflows_numeric};
use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int16Type, Int32Type, Int64Type};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility};
use std::sync::Arc;

use Kind::{BigInt, Double, Integer, Numeric, SmallInt};

/// The functions.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    let pure = |name: &'static str, overloads: &[Overload]| function(name, Volatility::Immutable, overloads);
    let float = |run: Run| takes(&[Double], Double, run);
    let whole = |run: Run| takes_and(&[Numeric], whole_numeric, run);
    let power =
        [takes_and(&[Numeric, Numeric], computed, numeric_power), takes(&[Double, Double], Double, double_power)];
    vec![
        pure(
            "abs",
            &[
                takes(&[SmallInt], SmallInt, |c| abs::<Int16Type>(c, i16::checked_abs, "smallint")),
                takes(&[Integer], Integer, |c| abs::<Int32Type>(c, i32::checked_abs, "integer")),
                takes(&[BigInt], BigInt, |c| abs::<Int64Type>(c, i64::checked_abs, "bigint")),
                takes_and(&[Numeric], same, |c| numeric(c, |m, _| Ok(m.abs()))),
                takes(&[Kind::Real], Kind::Real, |c| {
                    map::<arrow::datatypes::Float32Type, arrow::datatypes::Float32Type>(
                        &Argument::new(&c.args[0])?,
                        c.out,
                        |x| Ok(x.abs()),
                    )
                }),
                float(|c| double(c, |x| Ok(x.abs()))),
            ],
        ),
        pure(
            "round",
            &[
                float(|c| double(c, |x| Ok(x.round_ties_even()))),
                whole(|c| {
                    numeric(c, |m, s| {
                        number::rescale(Decimal { mantissa: m, scale: s }, 0).ok_or_else(overflows_numeric)
                    })
                }),
                takes_and(&[Numeric, Integer], same, |c| numeric_to_place(c, number::divide_rounded)),
            ],
        ),
        pure(
            "trunc",
            &[
                float(|c| double(c, |x| Ok(x.trunc()))),
                whole(|c| numeric(c, |m, s| Ok(m / unit(s)))),
                takes_and(&[Numeric, Integer], same, |c| numeric_to_place(c, |m, unit| m / unit)),
            ],
        ),
        pure(
            "ceil",
            &[float(|c| double(c, |x| Ok(x.ceil()))), whole(|c| numeric(c, |m, s| Ok(-(-m).div_euclid(unit(s)))))],
        ),
        pure(
            "ceiling",
            &[float(|c| double(c, |x| Ok(x.ceil()))), whole(|c| numeric(c, |m, s| Ok(-(-m).div_euclid(unit(s)))))],
        ),
        pure(
            "floor",
            &[float(|c| double(c, |x| Ok(x.floor()))), whole(|c| numeric(c, |m, s| Ok(m.div_euclid(unit(s)))))],
        ),
        pure(
            "sign",
            &[
                float(|c| double(c, |x| Ok(if x.is_nan() || x == 0.0 { 0.0 } else { x.signum() }))),
                whole(|c| numeric(c, |m, _| Ok(m.signum()))),
            ],
        ),
        pure("sqrt", &[float(|c| double(c, sqrt)), takes_and(&[Numeric], computed, |c| numeric_by_float(c, sqrt))]),
        pure("cbrt", &[float(|c| double(c, |x| Ok(x.cbrt())))]),
        pure("exp", &[float(|c| double(c, exp)), takes_and(&[Numeric], computed, |c| numeric_by_float(c, exp))]),
        pure(
            "ln",
            &[
                float(|c| double(c, |x| Ok(positive(x)?.ln()))),
                takes_and(&[Numeric], computed, |c| numeric_by_float(c, |x| Ok(positive(x)?.ln()))),
            ],
        ),
        pure(
            "log10",
            &[
                float(|c| double(c, |x| Ok(positive(x)?.log10()))),
                takes_and(&[Numeric], computed, |c| numeric_by_float(c, |x| Ok(positive(x)?.log10()))),
            ],
        ),
        pure(
            "log",
            &[
                float(|c| double(c, |x| Ok(positive(x)?.log10()))),
                takes_and(&[Numeric], computed, |c| numeric_by_float(c, |x| Ok(positive(x)?.log10()))),
                takes_and(&[Numeric, Numeric], computed, numeric_log),
            ],
        ),
        pure("power", &power),
        pure("pow", &power),
        pure(
            "mod",
            &[
                takes(&[SmallInt, SmallInt], SmallInt, |c| remainder::<Int16Type>(c, i16::wrapping_rem)),
                takes(&[Integer, Integer], Integer, |c| remainder::<Int32Type>(c, i32::wrapping_rem)),
                takes(&[BigInt, BigInt], BigInt, |c| remainder::<Int64Type>(c, i64::wrapping_rem)),
                takes_and(&[Numeric, Numeric], wider, |c| numeric_pair(c, |a, b| Ok(a % b))),
            ],
        ),
        pure(
            "div",
            &[takes_and(&[Numeric, Numeric], |_| DataType::Decimal128(38, 0), |c| numeric_pair(c, |a, b| Ok(a / b)))],
        ),
        pure("acos", &[float(|c| double(c, |x| bounded(x, -1.0..=1.0, f64::acos)))]),
        pure("asin", &[float(|c| double(c, |x| bounded(x, -1.0..=1.0, f64::asin)))]),
        pure("acosh", &[float(|c| double(c, |x| bounded(x, 1.0..=f64::INFINITY, f64::acosh)))]),
        pure("atanh", &[float(|c| double(c, |x| bounded(x, -1.0..=1.0, f64::atanh)))]),
        pure("sin", &[float(|c| double(c, |x| of_finite(x, f64::sin)))]),
        pure("cos", &[float(|c| double(c, |x| of_finite(x, f64::cos)))]),
        pure("tan", &[float(|c| double(c, |x| of_finite(x, f64::tan)))]),
        pure("cot", &[float(|c| double(c, |x| of_finite(x, |x| 1.0 / x.tan())))]),
        pure("degrees", &[float(|c| double(c, |x| scaled(x, 180.0 / std::f64::consts::PI)))]),
        pure("radians", &[float(|c| double(c, |x| scaled(x, std::f64::consts::PI / 180.0)))]),
        pure(
            "gcd",
            &[
                takes(&[Integer, Integer], Integer, |c| {
                    pair_of_integers::<Int32Type>(c, |a, b| i32::try_from(gcd(a.into(), b.into())).ok(), "integer")
                }),
                takes(&[BigInt, BigInt], BigInt, |c| {
                    pair_of_integers::<Int64Type>(c, |a, b| i64::try_from(gcd(a.into(), b.into())).ok(), "bigint")
                }),
            ],
        ),
        pure(
            "lcm",
            &[
                takes(&[Integer, Integer], Integer, |c| {
                    pair_of_integers::<Int32Type>(c, |a, b| i32::try_from(lcm(a.into(), b.into())).ok(), "integer")
                }),
                takes(&[BigInt, BigInt], BigInt, |c| {
                    pair_of_integers::<Int64Type>(c, |a, b| i64::try_from(lcm(a.into(), b.into())).ok(), "bigint")
                }),
            ],
        ),
        pure("factorial", &[takes_and(&[BigInt], |_| DataType::Decimal128(38, 0), factorial)]),
        pure("width_bucket", &[takes(&[Double, Double, Double, Integer], Integer, width_bucket)]),
        pure("pi", &[takes(&[], Double, |_| Ok(ColumnarValue::Scalar(std::f64::consts::PI.into())))]),
    ]
}

fn same(types: &[DataType]) -> DataType {
    types[0].clone()
}

fn whole_numeric(types: &[DataType]) -> DataType {
    match types[0] {
        // Rounding up may need one digit more.
        DataType::Decimal128(p, s) => DataType::Decimal128((p as i8 - s + 1).clamp(1, 38) as u8, 0),
        _ => DataType::Decimal128(38, 0),
    }
}

/// The type of what is computed by way of a float.
fn computed(_: &[DataType]) -> DataType {
    DataType::Decimal128(38, 16)
}

fn wider(types: &[DataType]) -> DataType {
    match (&types[0], &types[1]) {
        (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) => {
            let scale = *s1.max(s2);
            let whole = (*p1 as i8 - s1).max(*p2 as i8 - s2);
            DataType::Decimal128((whole + scale).clamp(1, 38) as u8, scale)
        }
        _ => types[0].clone(),
    }
}

fn scale_of(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Decimal128(_, scale) => i32::from(*scale),
        _ => 0,
    }
}

fn unit(scale: i32) -> i128 {
    POWERS[scale.clamp(0, 38) as usize]
}

fn abs<T: ArrowPrimitiveType>(
    call: &Call,
    f: fn(T::Native) -> Option<T::Native>,
    name: &'static str,
) -> Result<ColumnarValue> {
    map::<T, T>(&Argument::new(&call.args[0])?, call.out, |x| f(x).ok_or_else(|| out_of_range(name)))
}

fn remainder<T: ArrowPrimitiveType<Native: Default + PartialEq>>(
    call: &Call,
    f: fn(T::Native, T::Native) -> T::Native,
) -> Result<ColumnarValue> {
    zip::<T, T, T>(&Argument::new(&call.args[0])?, &Argument::new(&call.args[1])?, call.out, |a, b| {
        if b == T::Native::default() { Err(division_by_zero()) } else { Ok(f(a, b)) }
    })
}

fn double(call: &Call, f: fn(f64) -> Result<f64>) -> Result<ColumnarValue> {
    map::<Float64Type, Float64Type>(&Argument::new(&call.args[0])?, call.out, f)
}

/// `f` of mantissa and scale gives the mantissa of the result.
fn numeric(call: &Call, f: fn(i128, i32) -> Result<i128>) -> Result<ColumnarValue> {
    let scale = scale_of(&call.args[0].data_type());
    map::<Decimal128Type, Decimal128Type>(&Argument::new(&call.args[0])?, call.out, |m| f(m, scale))
}

/// Rounds to a place, keeping the scale of the column.
fn numeric_to_place(call: &Call, round: fn(i128, i128) -> i128) -> Result<ColumnarValue> {
    let scale = scale_of(&call.args[0].data_type());
    let limit = unit(38.min(match call.out {
        DataType::Decimal128(precision, _) => i32::from(*precision),
        _ => 38,
    }));
    zip::<Decimal128Type, Int32Type, Decimal128Type>(
        &Argument::new(&call.args[0])?,
        &Argument::new(&call.args[1])?,
        call.out,
        |m, places| {
            let dropped = scale - places.clamp(-100, 100);
            if dropped <= 0 {
                return Ok(m);
            }
            if dropped > 37 {
                return Ok(0);
            }
            let rounded = round(m, unit(dropped)).checked_mul(unit(dropped)).ok_or_else(overflows_numeric)?;
            if rounded.abs() >= limit && limit == POWERS[38] { Err(overflows_numeric()) } else { Ok(rounded) }
        },
    )
}

fn as_float(mantissa: i128, scale: i32) -> f64 {
    mantissa as f64 / unit(scale) as f64
}

fn from_float(value: f64, out: &DataType) -> Result<i128> {
    let decimal = number::decimal_of_float(value, 17).ok_or_else(overflows_numeric)?;
    number::rescale(decimal, scale_of(out)).filter(|m| m.abs() < POWERS[38]).ok_or_else(overflows_numeric)
}

fn numeric_by_float(call: &Call, f: fn(f64) -> Result<f64>) -> Result<ColumnarValue> {
    let scale = scale_of(&call.args[0].data_type());
    map::<Decimal128Type, Decimal128Type>(&Argument::new(&call.args[0])?, call.out, |m| {
        from_float(f(as_float(m, scale))?, call.out)
    })
}

/// `f` of two mantissas at a common scale, the second of which is not zero.
fn numeric_pair(call: &Call, f: fn(i128, i128) -> Result<i128>) -> Result<ColumnarValue> {
    let (s1, s2) = (scale_of(&call.args[0].data_type()), scale_of(&call.args[1].data_type()));
    let scale = s1.max(s2);
    zip::<Decimal128Type, Decimal128Type, Decimal128Type>(
        &Argument::new(&call.args[0])?,
        &Argument::new(&call.args[1])?,
        call.out,
        |a, b| {
            if b == 0 {
                return Err(division_by_zero());
            }
            let a = a.checked_mul(unit(scale - s1)).ok_or_else(overflows_numeric)?;
            f(a, b.checked_mul(unit(scale - s2)).ok_or_else(overflows_numeric)?)
        },
    )
}

fn numeric_power(call: &Call) -> Result<ColumnarValue> {
    numeric_floats(call, float_power)
}

fn numeric_log(call: &Call) -> Result<ColumnarValue> {
    numeric_floats(call, |base, x| {
        let (base, x) = (positive(base)?.ln(), positive(x)?.ln());
        if base == 0.0 { Err(division_by_zero()) } else { Ok(x / base) }
    })
}

fn numeric_floats(call: &Call, f: fn(f64, f64) -> Result<f64>) -> Result<ColumnarValue> {
    let (s1, s2) = (scale_of(&call.args[0].data_type()), scale_of(&call.args[1].data_type()));
    zip::<Decimal128Type, Decimal128Type, Decimal128Type>(
        &Argument::new(&call.args[0])?,
        &Argument::new(&call.args[1])?,
        call.out,
        |a, b| from_float(f(as_float(a, s1), as_float(b, s2))?, call.out),
    )
}

fn double_power(call: &Call) -> Result<ColumnarValue> {
    zip::<Float64Type, Float64Type, Float64Type>(
        &Argument::new(&call.args[0])?,
        &Argument::new(&call.args[1])?,
        call.out,
        float_power,
    )
}

fn factorial(call: &Call) -> Result<ColumnarValue> {
    map::<Int64Type, Decimal128Type>(&Argument::new(&call.args[0])?, call.out, |n| {
        if n < 0 {
            return Err(Error::new("22003", "factorial of a negative number is undefined"));
        }
        let product = (2..=n).take(40).try_fold(1i128, |product, k| product.checked_mul(k.into()));
        product.filter(|product| *product < POWERS[38]).ok_or_else(overflows_numeric)
    })
}

/// The greatest common divisor, which is not negative.
fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The least common multiple, which is not negative.
fn lcm(a: i128, b: i128) -> i128 {
    if a == 0 || b == 0 { 0 } else { (a / gcd(a, b) * b).abs() }
}

fn pair_of_integers<T: ArrowPrimitiveType>(
    call: &Call,
    f: fn(T::Native, T::Native) -> Option<T::Native>,
    name: &'static str,
) -> Result<ColumnarValue> {
    zip::<T, T, T>(&Argument::new(&call.args[0])?, &Argument::new(&call.args[1])?, call.out, |a, b| {
        f(a, b).ok_or_else(|| out_of_range(name))
    })
}

fn outside() -> Error {
    Error::new("22003", "input is out of range")
}

/// `f` of an argument that must be within bounds.
fn bounded(x: f64, bounds: std::ops::RangeInclusive<f64>, f: fn(f64) -> f64) -> Result<f64> {
    if x.is_nan() || bounds.contains(&x) { Ok(f(x)) } else { Err(outside()) }
}

/// `f` of an argument that must not be infinite.
fn of_finite(x: f64, f: fn(f64) -> f64) -> Result<f64> {
    if x.is_infinite() { Err(outside()) } else { Ok(f(x)) }
}

/// A product that is infinite or zero only where `x` is.
fn scaled(x: f64, factor: f64) -> Result<f64> {
    let value = x * factor;
    if value.is_infinite() && !x.is_infinite() {
        return Err(Error::new("22003", "value out of range: overflow"));
    }
    if value == 0.0 && x != 0.0 {
        return Err(Error::new("22003", "value out of range: underflow"));
    }
    Ok(value)
}

/// The square root.
///
/// # Errors
/// 2201F when the number is negative.
pub fn sqrt(x: f64) -> Result<f64> {
    if x < 0.0 {
        return Err(Error::new("2201F", "cannot take square root of a negative number"));
    }
    Ok(x.sqrt())
}

fn exp(x: f64) -> Result<f64> {
    let value = x.exp();
    if value.is_infinite() && x.is_finite() {
        return Err(Error::new("22003", "value out of range: overflow"));
    }
    if value == 0.0 && x.is_finite() {
        return Err(Error::new("22003", "value out of range: underflow"));
    }
    Ok(value)
}

/// An argument of a logarithm.
fn positive(x: f64) -> Result<f64> {
    if x == 0.0 {
        return Err(Error::new("2201E", "cannot take logarithm of zero"));
    }
    if x < 0.0 {
        return Err(Error::new("2201E", "cannot take logarithm of a negative number"));
    }
    Ok(x)
}

/// The bucket, from 1 to `count`, that holds `x` when `[min, max)` is cut into equal parts; 0 below, `count + 1`
/// from `max` on. With `min` above `max` the buckets run downwards.
///
/// # Errors
/// 2201G when the buckets make no sense.
pub fn bucket_of(x: f64, min: f64, max: f64, count: i32) -> Result<i32> {
    let wrong = |message: &str| Error::new("2201G", message);
    if count <= 0 {
        return Err(wrong("count must be greater than zero"));
    }
    if x.is_nan() || min.is_nan() || max.is_nan() {
        return Err(wrong("operand, lower bound, and upper bound cannot be NaN"));
    }
    if min.is_infinite() || max.is_infinite() {
        return Err(wrong("lower and upper bounds must be finite"));
    }
    if min == max {
        return Err(wrong("lower bound cannot equal upper bound"));
    }
    let after = || count.checked_add(1).ok_or_else(|| out_of_range("integer"));
    let up = min < max;
    if if up { x < min } else { x > min } {
        return Ok(0);
    }
    if if up { x >= max } else { x <= max } {
        return after();
    }
    let part = (x - min) / (max - min);
    // Rounding must not lift the last value into the next bucket.
    Ok(((f64::from(count) * part) as i32).min(count - 1) + 1)
}

fn width_bucket(call: &Call) -> Result<ColumnarValue> {
    let args = (
        Argument::<Float64Type>::new(&call.args[1])?,
        Argument::<Float64Type>::new(&call.args[2])?,
        Argument::<Int32Type>::new(&call.args[3])?,
    );
    let of = |x: f64, row: usize| match (args.0.get(row), args.1.get(row), args.2.get(row)) {
        (Some(min), Some(max), Some(count)) => bucket_of(x, min, max, count).map(Some),
        _ => Ok(None),
    };
    let x = Argument::<Float64Type>::new(&call.args[0])?;
    crate::operator::kernel::rowwise(call.args, call.rows, |_, rows| {
        let each = |row: usize| x.get(row).map_or(Ok(None), |x| of(x, row));
        let buckets: Vec<Option<i32>> = (0..rows).map(each).collect::<Result<_>>()?;
        Ok(Arc::new(arrow::array::Int32Array::from(buckets)))
    })
}
