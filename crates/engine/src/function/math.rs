//! Functions of numbers where DataFusion rounds, overflows or fails otherwise than PostgreSQL.

mod numeric;

use super::define::{Call, Overload, Run, function, takes, takes_and};
use crate::error::{Error, Result};
use crate::operator::arithmetic::{division_by_zero, float_power, out_of_range};
use crate::operator::kernel::{Argument, map, zip};
use crate::operator::operand::Kind;
use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{Float64Type, Int16Type, Int32Type, Int64Type};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility};
use highwater_model::Numeric as Number;
use std::sync::Arc;

use Kind::{BigInt, Double, Integer, Numeric, SmallInt};

/// The functions.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    let pure = |name: &'static str, overloads: &[Overload]| function(name, Volatility::Immutable, overloads);
    let float = |run: Run| takes(&[Double], Double, run);
    let whole = |run: Run| takes_and(&[Numeric], numeric::whole, run);
    let exact = |run: Run| takes(&[Numeric], Numeric, run);
    let pair = |run: Run| takes(&[Numeric, Numeric], Numeric, run);
    let power = [pair(|c| numeric::two(c, Number::power)), takes(&[Double, Double], Double, double_power)];
    let log10 = |c: &Call| numeric::one(c, |x| x.log(&Number::from(10)));
    vec![
        pure(
            "abs",
            &[
                takes(&[SmallInt], SmallInt, |c| abs::<Int16Type>(c, i16::checked_abs, "smallint")),
                takes(&[Integer], Integer, |c| abs::<Int32Type>(c, i32::checked_abs, "integer")),
                takes(&[BigInt], BigInt, |c| abs::<Int64Type>(c, i64::checked_abs, "bigint")),
                takes_and(&[Numeric], numeric::same, numeric::abs),
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
                whole(numeric::round),
                takes(&[Numeric, Integer], Numeric, |c| numeric::at_place(c, Number::round)),
            ],
        ),
        pure(
            "trunc",
            &[
                float(|c| double(c, |x| Ok(x.trunc()))),
                whole(numeric::trunc),
                takes(&[Numeric, Integer], Numeric, |c| numeric::at_place(c, Number::trunc)),
            ],
        ),
        pure("ceil", &[float(|c| double(c, |x| Ok(x.ceil()))), whole(numeric::ceil)]),
        pure("ceiling", &[float(|c| double(c, |x| Ok(x.ceil()))), whole(numeric::ceil)]),
        pure("floor", &[float(|c| double(c, |x| Ok(x.floor()))), whole(numeric::floor)]),
        pure(
            "sign",
            &[
                float(|c| double(c, |x| Ok(if x.is_nan() || x == 0.0 { 0.0 } else { x.signum() }))),
                whole(numeric::sign),
            ],
        ),
        pure("scale", &[takes(&[Numeric], Integer, |c| numeric::of_digits(c, |x| x.scale()))]),
        pure("min_scale", &[takes(&[Numeric], Integer, |c| numeric::of_digits(c, |x| x.min_scale()))]),
        trim_scale(),
        pure("sqrt", &[float(|c| double(c, sqrt)), exact(|c| numeric::one(c, |x| x.sqrt()))]),
        pure("cbrt", &[float(|c| double(c, |x| Ok(x.cbrt())))]),
        pure("exp", &[float(|c| double(c, exp)), exact(|c| numeric::one(c, |x| x.exp()))]),
        pure("ln", &[float(|c| double(c, |x| Ok(positive(x)?.ln()))), exact(|c| numeric::one(c, |x| x.ln()))]),
        pure("log10", &[float(|c| double(c, |x| Ok(positive(x)?.log10()))), exact(log10)]),
        pure(
            "log",
            &[
                float(|c| double(c, |x| Ok(positive(x)?.log10()))),
                exact(log10),
                pair(|c| numeric::two(c, |base, x| x.log(base))),
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
                pair(|c| numeric::two(c, Number::rem)),
            ],
        ),
        pure("div", &[pair(|c| numeric::two(c, Number::div_whole))]),
        pure("acos", &[float(|c| double(c, |x| bounded(x, -1.0..=1.0, f64::acos)))]),
        pure("asin", &[float(|c| double(c, |x| bounded(x, -1.0..=1.0, f64::asin)))]),
        pure("atan", &[float(|c| double(c, |x| Ok(x.atan())))]),
        pure(
            "atan2",
            &[takes(&[Double, Double], Double, |c| {
                zip::<Float64Type, Float64Type, Float64Type>(
                    &Argument::new(&c.args[0])?,
                    &Argument::new(&c.args[1])?,
                    c.out,
                    |y, x| Ok(y.atan2(x)),
                )
            })],
        ),
        pure("asinh", &[float(|c| double(c, |x| Ok(x.asinh())))]),
        pure("sinh", &[float(|c| double(c, |x| Ok(x.sinh())))]),
        pure("cosh", &[float(|c| double(c, |x| Ok(x.cosh())))]),
        pure("tanh", &[float(|c| double(c, |x| Ok(x.tanh())))]),
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
                pair(|c| numeric::two(c, |a, b| Ok(a.gcd(b)))),
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
                pair(|c| numeric::two(c, Number::lcm)),
            ],
        ),
        pure("factorial", &[takes(&[BigInt], Numeric, numeric::factorial)]),
        pure(
            "width_bucket",
            &[
                takes(&[Double, Double, Double, Integer], Integer, width_bucket),
                takes(&[Numeric, Numeric, Numeric, Integer], Integer, numeric::width_bucket),
            ],
        ),
        pure("pi", &[takes(&[], Double, |_| Ok(ColumnarValue::Scalar(std::f64::consts::PI.into())))]),
    ]
}

/// `trim_scale(x)`: without zeros at the end.
pub fn trim_scale() -> Arc<ScalarUDF> {
    let trim = takes(&[Numeric], Numeric, |c| numeric::one(c, |x| Ok(x.trimmed())));
    function("trim_scale", Volatility::Immutable, &[trim])
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

fn double_power(call: &Call) -> Result<ColumnarValue> {
    zip::<Float64Type, Float64Type, Float64Type>(
        &Argument::new(&call.args[0])?,
        &Argument::new(&call.args[1])?,
        call.out,
        float_power,
    )
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
    checked_buckets(count, [x, min, max].map(f64::is_nan), [min, max].map(f64::is_infinite), min == max)?;
    let up = min < max;
    if if up { x < min } else { x > min } {
        return Ok(0);
    }
    if if up { x >= max } else { x <= max } {
        return after_last(count);
    }
    let part = (x - min) / (max - min);
    // Rounding must not lift the last value into the next bucket.
    Ok(((f64::from(count) * part) as i32).min(count - 1) + 1)
}

/// 2201G when buckets make no sense.
fn checked_buckets(count: i32, nan: [bool; 3], infinite: [bool; 2], empty: bool) -> Result<()> {
    let wrong = |message: &str| Err(Error::new("2201G", message));
    if count <= 0 {
        return wrong("count must be greater than zero");
    }
    if nan.contains(&true) {
        return wrong("operand, lower bound, and upper bound cannot be NaN");
    }
    if infinite.contains(&true) {
        return wrong("lower and upper bounds must be finite");
    }
    if empty { wrong("lower bound cannot equal upper bound") } else { Ok(()) }
}

/// The bucket of what is above all of them.
fn after_last(count: i32) -> Result<i32> {
    count.checked_add(1).ok_or_else(|| out_of_range("integer"))
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
