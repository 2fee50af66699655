//! Casts as PostgreSQL makes them.

use super::arithmetic::out_of_range;
use super::exact::{self, Numbers};
use super::kernel::{Argument, array, map, rowwise};
use super::operand::{Kind, Operand, UNBOUNDED, type_name};
use crate::error::{Error, Result};
use crate::function::context::clockface;
use crate::text::number::{self, Decimal, no_infinity, not_finite, overflows_numeric};
use crate::text::read::{interval_from_arrow, parse_column, parse_scalar};
use crate::text::write::column_text;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Float32Array, Float64Array,
    Int64Array, ListArray, PrimitiveArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::{Cast, Placeholder, ScalarFunction};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use highwater_model::Numeric;
use highwater_model::time::arithmetic::{date_from_timestamp, timestamp_from_date};
use highwater_model::time::calendar::split_days;
use highwater_model::time::{Clockface, MICROS_PER_DAY, Zone};
use std::sync::Arc;

/// `CAST(expr AS target)` as PostgreSQL means it.
///
/// A string literal is read at once.
///
/// # Errors
/// 42846 when there is no such cast; those of reading a literal.
pub fn plan_cast(expr: Expr, target: &DataType, schema: &DFSchema, clock: &Clockface) -> Result<Expr> {
    // A literal that is cast to the type it seems to have must no longer look like one without a type.
    let settled = matches!(
        (&expr, target),
        (Expr::Literal(ScalarValue::Utf8(Some(_)), _), DataType::Utf8)
            | (Expr::Literal(ScalarValue::Int64(Some(_)), _), DataType::Int64)
    );
    if settled {
        return Ok(Expr::Cast(Cast::new(Box::new(expr), target.clone())));
    }
    match Operand::new(expr.clone(), schema) {
        Some(operand) => cast_operand(operand, target, clock),
        None => Ok(Expr::Cast(Cast::new(Box::new(expr), target.clone()))),
    }
}

/// [`plan_cast`] of an operand that was looked at already.
///
/// # Errors
/// As [`plan_cast`].
pub fn cast_operand(operand: Operand, target: &DataType, clock: &Clockface) -> Result<Expr> {
    let from = operand.data_type.clone();
    let (source, goal) = (operand.kind, Kind::of(target));
    if source == Kind::Unknown {
        return match operand.expr {
            Expr::Literal(ScalarValue::Utf8(Some(text)), metadata) => {
                let value = Expr::Literal(parse_scalar(&text, target, clock)?, metadata);
                // A small bigint must not look like an integer that was written without quotes.
                Ok(match target {
                    DataType::Int64 => Expr::Cast(Cast::new(Box::new(value), DataType::Int64)),
                    _ => value,
                })
            }
            Expr::Placeholder(placeholder) if placeholder.field.is_some() => {
                Ok(Expr::Cast(Cast::new(Box::new(Expr::Placeholder(placeholder)), target.clone())))
            }
            Expr::Placeholder(Placeholder { id, .. }) => {
                let field = Some(Arc::new(arrow::datatypes::Field::new("", target.clone(), true)));
                Ok(Expr::Placeholder(Placeholder { id, field }))
            }
            expr => Ok(Operand { expr, ..operand }.resolve(target, clock)?.expr),
        };
    }
    if from == *target {
        return Ok(operand.expr);
    }
    let plain = |expr: Expr| Expr::Cast(Cast::new(Box::new(expr), target.clone()));
    if source == goal && !matches!(source, Kind::Numeric | Kind::Other | Kind::BigInt) {
        // Another unit or layout of the same type.
        return Ok(plain(operand.expr));
    }
    if source.is_integer() && (goal.is_float() || (goal.is_integer() && goal > source)) {
        return Ok(operand.widen(target).expr);
    }
    if (source, goal) == (Kind::Real, Kind::Double) {
        return Ok(plain(operand.expr));
    }
    let known = is_possible(&from, target);
    match known {
        Some(true) => {
            let operand = match source.arrow() {
                Some(normal) => operand.widen(&normal),
                None => operand,
            };
            let expr = cast_function(target, source, goal).call(vec![operand.expr]);
            Ok(fold(expr, clock))
        }
        Some(false) => {
            Err(Error::new("42846", format!("cannot cast type {} to {}", type_name(&from), type_name(target))))
        }
        None => Ok(plain(operand.expr)),
    }
}

/// A number as another, one of which is [`UNBOUNDED`].
pub fn number(operand: Operand, target: &DataType) -> Expr {
    let source = operand.kind;
    let operand = match source.arrow() {
        Some(normal) => operand.widen(&normal),
        None => operand,
    };
    // No number depends on zone or time.
    fold(cast_function(target, source, Kind::of(target)).call(vec![operand.expr]), &Clockface::EPOCH)
}

/// Computes a cast of a literal number or text at once; one that fails is left to fail when it is executed.
fn fold(expr: Expr, clock: &Clockface) -> Expr {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = &expr else { return expr };
    let ([Expr::Literal(value, metadata)], Some(cast)) = (args.as_slice(), func.inner().downcast_ref::<PgCast>())
    else {
        return expr;
    };
    let value = ColumnarValue::Scalar(value.clone());
    match cast_value(&value, &cast.target, clock) {
        Ok(ColumnarValue::Scalar(value)) if !matches!(value, ScalarValue::Utf8(_)) => {
            Expr::Literal(value, metadata.clone())
        }
        _ => expr,
    }
}

/// Whether PostgreSQL has this cast; `None` when it is not for us to say.
fn is_possible(from: &DataType, to: &DataType) -> Option<bool> {
    use Kind::*;
    if matches!(from, DataType::Decimal256(..)) || matches!(to, DataType::Decimal256(..)) {
        return None;
    }
    // Oids and counts, which SQL has no casts of its own for.
    if matches!(to, DataType::Int8 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64) {
        return None;
    }
    Some(match (Kind::of(from), Kind::of(to)) {
        (Other, Other) => match (from, to) {
            (DataType::List(a), DataType::List(b)) => return is_possible(a.data_type(), b.data_type()),
            _ => return None,
        },
        (_, Text) => true,
        (Text, Other) => matches!(to, DataType::List(_)),
        (Text, _) => true,
        (Other, _) | (_, Other) => return None,
        (a, b) if a == b => true,
        (a, b) if a.is_number() && b.is_number() => true,
        (Boolean, Integer) | (Integer, Boolean) => true,
        (a, b) if a.is_datetime() && b.is_datetime() => true,
        (Timestamp | Timestamptz, Time) => true,
        (Time, Interval) | (Interval, Time) => true,
        _ => false,
    })
}

/// A cast to `target` as a function.
fn cast_function(target: &DataType, source: Kind, goal: Kind) -> ScalarUDF {
    // Texts of timestamps, and timestamps of texts, depend on the session's zone.
    let zoned = [source, goal].iter().any(|k| matches!(k, Kind::Timestamptz | Kind::Text | Kind::Other));
    let volatility = if zoned { Volatility::Stable } else { Volatility::Immutable };
    ScalarUDF::from(PgCast { target: target.clone(), signature: Signature::any(1, volatility) })
}

/// A cast as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PgCast {
    target: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for PgCast {
    fn name(&self) -> &str {
        "pg_cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.target.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(cast_value(&args.args[0], &self.target, &clockface(&args.config_options)?)?)
    }

    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(format!("{}::{}", args[0], type_name(&self.target)))
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(format!("{}::{}", args[0].schema_name(), type_name(&self.target)))
    }
}

/// A value as another type.
///
/// # Errors
/// PostgreSQL's: 22003 and 22008 when it does not fit, 22P02 and 22007 when it cannot be read.
pub fn cast_value(value: &ColumnarValue, target: &DataType, clock: &Clockface) -> Result<ColumnarValue> {
    let from = value.data_type();
    if from == *target {
        return Ok(value.clone());
    }
    let whole = |value: &ColumnarValue, f: &dyn Fn(&ArrayRef) -> Result<ArrayRef>| {
        rowwise(std::slice::from_ref(value), 1, |arrays, _| f(&arrays[0]))
    };
    use Kind::*;
    match (Kind::of(&from), Kind::of(target)) {
        (Unknown, _) => super::kernel::null(target),
        (Text, Text) => Ok(value.cast_to(target, None)?),
        // To text the words are longer than in the form of the type.
        (Boolean, Text) => whole(value, &|array| {
            let words = array.as_boolean().iter().map(|b| b.map(|b| if b { "true" } else { "false" }));
            Ok(Arc::new(words.collect::<arrow::array::StringArray>()))
        }),
        (_, Text) => whole(value, &|array| column_text(array, &clock.zone)),
        (Text, _) => whole(value, &|array| {
            let text = arrow::compute::cast(array, &DataType::Utf8)?;
            parse_column(text.as_string::<i32>(), target, clock)
        }),
        (Other, Other) => whole(value, &|array| cast_list(array, target, clock)),
        (Real, Numeric) if *target == UNBOUNDED => {
            whole(value, &|array| any_numeric_from(array.as_primitive::<Float32Type>(), 6))
        }
        (Double, Numeric) if *target == UNBOUNDED => {
            whole(value, &|array| any_numeric_from(array.as_primitive::<Float64Type>(), 15))
        }
        (source, Numeric) if *target == UNBOUNDED && source.is_number() => exact::map(value, 1, Ok),
        (Numeric, _) if from == UNBOUNDED => whole(value, &|array| from_any_numeric(array, target)),
        (Real, Numeric) => map::<Float32Type, Decimal128Type>(&Argument::new(value)?, target, |x| {
            float_to_numeric(x.into(), 6, target)
        }),
        (Double, Numeric) => {
            map::<Float64Type, Decimal128Type>(&Argument::new(value)?, target, |x| float_to_numeric(x, 15, target))
        }
        (SmallInt, Numeric) => integer_to_numeric::<Int16Type>(value, target),
        (Integer, Numeric) => integer_to_numeric::<Int32Type>(value, target),
        (BigInt, Numeric) => integer_to_numeric::<Int64Type>(value, target),
        (Numeric, _) => numeric_to(value, &from, target),
        (Double, Real) => map::<Float64Type, Float32Type>(&Argument::new(value)?, target, |x| {
            let there = x as f32;
            if there.is_infinite() && x.is_finite() {
                return Err(Error::new("22003", "value out of range: overflow"));
            }
            if there == 0.0 && x != 0.0 {
                return Err(Error::new("22003", "value out of range: underflow"));
            }
            Ok(there)
        }),
        (Real, _) => float_to_integer::<Float32Type>(value, target, f64::from),
        (Double, _) => float_to_integer::<Float64Type>(value, target, |x| x),
        (SmallInt, _) => integer_to::<Int16Type>(value, target),
        (Integer, Boolean) => whole(value, &|array| {
            let numbers = array.as_primitive::<Int32Type>();
            Ok(Arc::new(BooleanArray::from_unary(numbers, |n| n != 0)))
        }),
        (Integer, _) => integer_to::<Int32Type>(value, target),
        (BigInt, _) => integer_to::<Int64Type>(value, target),
        (Boolean, _) => Ok(value.cast_to(target, None)?),
        (Date, Timestamp) => {
            map::<Date32Type, TimestampMicrosecondType>(&Argument::new(value)?, target, |d| Ok(timestamp_from_date(d)?))
        }
        (Date, Timestamptz) => map::<Date32Type, TimestampMicrosecondType>(&Argument::new(value)?, target, |d| {
            Ok(clock.zone.to_utc(timestamp_from_date(d)?))
        }),
        // Arrow would ask its calendar, which ends before ours.
        (Timestamp, Timestamptz) if clock.zone == Zone::UTC => Ok(match value {
            ColumnarValue::Array(array) => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().clone();
                ColumnarValue::Array(Arc::new(micros.with_data_type(target.clone())))
            }
            ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(micros, _)) => {
                ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(*micros, Some("UTC".into())))
            }
            other => other.cast_to(target, None)?,
        }),
        (Timestamptz, Timestamp) if clock.zone == Zone::UTC => Ok(match value {
            // Arrow would move the time from its own zone.
            ColumnarValue::Array(array) => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().clone();
                ColumnarValue::Array(Arc::new(micros.with_timezone_opt::<Arc<str>>(None)))
            }
            ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(micros, _)) => {
                ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(*micros, None))
            }
            other => other.cast_to(target, None)?,
        }),
        (Timestamp, Timestamptz) => {
            map::<TimestampMicrosecondType, TimestampMicrosecondType>(&Argument::new(value)?, target, |t| {
                Ok(clock.zone.to_utc(t))
            })
        }
        (Timestamptz, Timestamp) => {
            map::<TimestampMicrosecondType, TimestampMicrosecondType>(&Argument::new(value)?, target, |t| {
                Ok(clock.zone.to_local(t))
            })
        }
        (source @ (Timestamp | Timestamptz), Date) => {
            let zone = if source == Timestamptz { clock.zone } else { Zone::UTC };
            map::<TimestampMicrosecondType, Date32Type>(&Argument::new(value)?, target, |t| {
                Ok(date_from_timestamp(zone.to_local(t)))
            })
        }
        (source @ (Timestamp | Timestamptz), Time) => {
            let zone = if source == Timestamptz { clock.zone } else { Zone::UTC };
            // Infinity has no time of day.
            let time = |t: i64| (!matches!(t, i64::MIN | i64::MAX)).then(|| split_days(zone.to_local(t)).1);
            match Argument::<TimestampMicrosecondType>::new(value)? {
                Argument::Scalar(t) => super::kernel::single::<Time64MicrosecondType>(t.and_then(time), target),
                Argument::Array(array) => {
                    let times: PrimitiveArray<Time64MicrosecondType> = array.iter().map(|t| t.and_then(time)).collect();
                    Ok(super::kernel::column(times, target))
                }
            }
        }
        (Time, Interval) => {
            map::<Time64MicrosecondType, IntervalMonthDayNanoType>(&Argument::new(value)?, target, |t| {
                crate::text::read::interval_to_arrow(&highwater_model::Interval::from_micros(t))
            })
        }
        (Interval, Time) => {
            map::<IntervalMonthDayNanoType, Time64MicrosecondType>(&Argument::new(value)?, target, |i| {
                Ok(interval_from_arrow(i).micros.rem_euclid(MICROS_PER_DAY))
            })
        }
        _ => Ok(value.cast_to(target, None)?),
    }
}

fn cast_list(list: &ArrayRef, target: &DataType, clock: &Clockface) -> Result<ArrayRef> {
    let (Some(list), DataType::List(field)) = (list.as_list_opt::<i32>(), target) else {
        return Ok(arrow::compute::cast(list, target)?);
    };
    let values = ColumnarValue::Array(Arc::clone(list.values()));
    let rows = list.values().len();
    let items = array(&cast_value(&values, field.data_type(), clock)?, rows)?;
    Ok(Arc::new(ListArray::new(Arc::clone(field), list.offsets().clone(), items, list.nulls().cloned())))
}

/// The limits of an integer type, and its name.
fn limits(target: &DataType) -> Result<(i64, i64, &'static str)> {
    Ok(match target {
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into(), "smallint"),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into(), "integer"),
        DataType::Int64 => (i64::MIN, i64::MAX, "bigint"),
        other => return Err(Error::internal(format!("there is no cast to {other}"))),
    })
}

fn to_integer<T: ArrowPrimitiveType>(
    value: &ColumnarValue,
    target: &DataType,
    f: impl Fn(T::Native) -> Result<i64>,
) -> Result<ColumnarValue> {
    let argument = Argument::<T>::new(value)?;
    match target {
        DataType::Int16 => map::<T, Int16Type>(&argument, target, |x| Ok(f(x)? as i16)),
        DataType::Int32 => map::<T, Int32Type>(&argument, target, |x| Ok(f(x)? as i32)),
        _ => map::<T, Int64Type>(&argument, target, f),
    }
}

fn float_to_integer<T: ArrowPrimitiveType>(
    value: &ColumnarValue,
    target: &DataType,
    widen: impl Fn(T::Native) -> f64,
) -> Result<ColumnarValue> {
    let (min, max, name) = limits(target)?;
    to_integer::<T>(value, target, |x| {
        let x = widen(x).round_ties_even();
        // The largest bigint is no float; the first float above it is.
        let above = if max == i64::MAX { x >= max as f64 } else { x > max as f64 };
        if x.is_nan() || x < min as f64 || above { Err(out_of_range(name)) } else { Ok(x as i64) }
    })
}

fn integer_to<T: ArrowPrimitiveType<Native: Into<i64>>>(
    value: &ColumnarValue,
    target: &DataType,
) -> Result<ColumnarValue> {
    if matches!(target, DataType::Float32 | DataType::Float64) {
        return Ok(value.cast_to(target, None)?);
    }
    let (min, max, name) = limits(target)?;
    to_integer::<T>(value, target, |x| {
        let x = x.into();
        if x < min || x > max { Err(out_of_range(name)) } else { Ok(x) }
    })
}

fn digits(target: &DataType) -> Result<(u8, i8)> {
    match target {
        DataType::Decimal128(precision, scale) => Ok((*precision, *scale)),
        other => Err(Error::internal(format!("there is no cast to {other}"))),
    }
}

fn integer_to_numeric<T: ArrowPrimitiveType<Native: Into<i64>>>(
    value: &ColumnarValue,
    target: &DataType,
) -> Result<ColumnarValue> {
    let (precision, scale) = digits(target)?;
    map::<T, Decimal128Type>(&Argument::new(value)?, target, |x| {
        number::fit(Decimal { mantissa: x.into().into(), scale: 0 }, precision, scale)
    })
}

fn float_to_numeric(x: f64, significant: usize, target: &DataType) -> Result<i128> {
    let (precision, scale) = digits(target)?;
    match number::decimal_of_float(x, significant) {
        Some(decimal) => number::fit(decimal, precision, scale),
        None if x.is_nan() => Err(not_finite("NaN")),
        None => Err(no_infinity(precision.into(), scale.into())),
    }
}

fn any_numeric_from<T: ArrowPrimitiveType<Native: Into<f64>>>(
    floats: &PrimitiveArray<T>,
    significant: usize,
) -> Result<ArrayRef> {
    exact::column(floats.iter().map(|x| Ok(x.map(|x| Numeric::from_f64(x.into(), significant)))))
}

fn from_any_numeric(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    let numbers = Numbers::of(array)?;
    let rows = 0..array.len();
    Ok(match target {
        DataType::Decimal128(precision, scale) => {
            let fitting = |number: Numeric| match exact::fit(&number, (*precision).into(), (*scale).into())? {
                Numeric::Finite(fitting) => i128::try_from(fitting.unscaled()).map_err(|_| overflows_numeric()),
                other => Err(not_finite(&other.to_string())),
            };
            let values = rows.map(|row| numbers.get(row)?.map(fitting).transpose());
            Arc::new(values.collect::<Result<Decimal128Array>>()?.with_data_type(target.clone()))
        }
        DataType::Float32 => {
            let values =
                rows.map(|row| numbers.get(row)?.map(|n| to_float(&n, "real", f64::from(f32::MAX))).transpose());
            let values = values.map(|x| Ok(x?.map(|x| x as f32)));
            Arc::new(values.collect::<Result<Float32Array>>()?)
        }
        DataType::Float64 => {
            let values =
                rows.map(|row| numbers.get(row)?.map(|n| to_float(&n, "double precision", f64::MAX)).transpose());
            Arc::new(values.collect::<Result<Float64Array>>()?)
        }
        _ => {
            let (min, max, name) = limits(target)?;
            let integer = |number: Numeric| match number {
                Numeric::NaN => Err(Error::unsupported(format!("cannot convert NaN to {name}"))),
                infinite if infinite.is_infinite() => {
                    Err(Error::unsupported(format!("cannot convert infinity to {name}")))
                }
                number => {
                    let whole = number.to_integer().and_then(|n| i64::try_from(n).ok());
                    whole.filter(|n| (min..=max).contains(n)).ok_or_else(|| out_of_range(name))
                }
            };
            let values = rows.map(|row| numbers.get(row)?.map(integer).transpose());
            // They are within the limits of the type.
            arrow::compute::cast(&values.collect::<Result<Int64Array>>()?, target)?
        }
    })
}

/// The float nearest to a number, which must not be beyond all of them, nor become zero.
fn to_float(number: &Numeric, name: &str, largest: f64) -> Result<f64> {
    let float = number.to_f64();
    let beyond = float.abs() > largest && !number.is_infinite();
    if beyond || (float == 0.0 && number.signum() != 0) {
        return Err(Error::new("22003", format!("\"{number}\" is out of range for type {name}")));
    }
    Ok(float)
}

fn numeric_to(value: &ColumnarValue, from: &DataType, target: &DataType) -> Result<ColumnarValue> {
    let (_, scale) = digits(from)?;
    let scale = i32::from(scale);
    match target {
        DataType::Decimal128(precision, to) => {
            map::<Decimal128Type, Decimal128Type>(&Argument::new(value)?, target, |mantissa| {
                number::fit(Decimal { mantissa, scale }, *precision, *to)
            })
        }
        DataType::Float32 | DataType::Float64 => {
            // By way of the digits, so that 0.1 becomes the float that 0.1 is read as.
            let double = |mantissa: i128| -> f64 {
                if mantissa.unsigned_abs() < 1 << 53 && scale <= 22 {
                    return mantissa as f64 / number::POWERS[scale.max(0) as usize] as f64;
                }
                format!("{mantissa}e-{scale}").parse().unwrap_or(f64::NAN)
            };
            if *target == DataType::Float32 {
                map::<Decimal128Type, Float32Type>(&Argument::new(value)?, target, |m| Ok(double(m) as f32))
            } else {
                map::<Decimal128Type, Float64Type>(&Argument::new(value)?, target, |m| Ok(double(m)))
            }
        }
        _ => {
            let (min, max, name) = limits(target)?;
            to_integer::<Decimal128Type>(value, target, |mantissa| {
                number::rescale(Decimal { mantissa, scale }, 0)
                    .and_then(|x| i64::try_from(x).ok())
                    .filter(|x| (min..=max).contains(x))
                    .ok_or_else(|| out_of_range(name))
            })
        }
    }
}
