//! `time_bucket` in all its forms.
//!
//! ```text
//! time_bucket(width interval, ts date|timestamp|timestamptz [, offset interval | origin])
//! time_bucket(width interval, ts timestamptz, timezone text [, origin timestamptz [, offset interval]])
//! time_bucket(width integer, ts integer [, offset integer])
//! ```

use crate::error::{Error, Result};
use crate::function::context::clockface;
use crate::operator::kernel::{Argument, array, null};
use crate::operator::operand::{Kind, Operand, interval, timestamptz};
use crate::text::read::{interval_from_arrow, parse_scalar};
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int16Array, Int32Array, Int64Array, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Date32Type, Int64Type, IntervalMonthDayNanoType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use highwater_model::bucket::BucketError;
use highwater_model::time::Clockface;
use highwater_model::time::arithmetic::{date_from_timestamp, timestamp_from_date};
use highwater_model::{Bucket, Interval, TimeType};
use std::sync::Arc;

impl From<BucketError> for Error {
    fn from(e: BucketError) -> Self {
        Error::new(e.sqlstate(), e.to_string())
    }
}

/// The function.
pub fn time_bucket() -> ScalarUDF {
    ScalarUDF::from(TimeBucket { signature: Signature::variadic_any(Volatility::Immutable) })
}

/// `time_bucket`
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct TimeBucket {
    signature: Signature,
}

/// What the third argument of the short form is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Third {
    Zone,
    Origin,
    Offset,
}

fn third(time: &DataType, argument: &DataType) -> Third {
    match Kind::of(argument) {
        Kind::Text | Kind::Unknown if Kind::of(time) == Kind::Timestamptz => Third::Zone,
        kind if kind.is_datetime() => Third::Origin,
        _ => Third::Offset,
    }
}

/// The type of the time argument, for which text is read as `timestamptz`.
fn time_type(data_type: &DataType) -> Option<TimeType> {
    Some(match Kind::of(data_type) {
        Kind::SmallInt => TimeType::SmallInt,
        Kind::Integer => TimeType::Integer,
        Kind::BigInt => TimeType::BigInt,
        Kind::Date => TimeType::Date,
        Kind::Timestamp => TimeType::Timestamp,
        Kind::Timestamptz | Kind::Unknown | Kind::Text => TimeType::Timestamptz,
        _ => return None,
    })
}

fn no_function(types: &[DataType]) -> Error {
    Error::no_function("time_bucket", types.iter().map(crate::operator::operand::type_name))
}

impl TimeBucket {
    /// Reads literals without a type as what they are in their place.
    ///
    /// # Errors
    /// Those of reading them.
    pub fn resolve(&self, args: Vec<Expr>, schema: &DFSchema, clock: &Clockface) -> Result<Vec<Expr>> {
        let operands: Option<Vec<Operand>> = args.iter().map(|a| Operand::new(a.clone(), schema)).collect();
        let Some(operands) = operands.filter(|o| (2..=5).contains(&o.len())) else { return Ok(args) };
        let time = match operands[1].kind {
            Kind::Text => {
                return Err(no_function(&operands.iter().map(|o| o.data_type.clone()).collect::<Vec<_>>()));
            }
            Kind::Unknown if operands[0].kind.is_integer() => operands[0].data_type.clone(),
            Kind::Unknown => timestamptz(),
            _ => operands[1].data_type.clone(),
        };
        let integer = Kind::of(&time).is_integer();
        let length = operands.len();
        let targets = operands.iter().enumerate().map(|(i, operand)| match (i, length) {
            (1, _) => time.clone(),
            (2, 3) => match third(&time, &operand.data_type) {
                Third::Zone => DataType::Utf8,
                Third::Origin => time.clone(),
                Third::Offset if integer => time.clone(),
                Third::Offset => interval(),
            },
            (2, _) => DataType::Utf8,
            (3, _) => time.clone(),
            _ if integer => time.clone(),
            _ => interval(),
        });
        let targets: Vec<DataType> = targets.collect();
        let resolved = operands.into_iter().zip(targets).map(|(operand, target)| {
            Ok(match operand.kind {
                Kind::Unknown => operand.resolve(&target, clock)?.expr,
                _ => operand.expr,
            })
        });
        resolved.collect()
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        let wrong = || no_function(types);
        if !(2..=5).contains(&types.len()) {
            return Err(wrong().into());
        }
        let (width, time) = (Kind::of(&types[0]), time_type(&types[1]).ok_or_else(wrong)?);
        let integer_width = width.is_integer();
        Ok(match time {
            _ if types[1].is_null() && integer_width => types[0].clone(),
            TimeType::SmallInt | TimeType::Integer | TimeType::BigInt => match width {
                Kind::Unknown | Kind::Text => types[1].clone(),
                _ if integer_width => width.max(Kind::of(&types[1])).arrow().ok_or_else(wrong)?,
                _ => return Err(wrong().into()),
            },
            _ if !matches!(width, Kind::Interval | Kind::Text | Kind::Unknown) => return Err(wrong().into()),
            TimeType::Date => DataType::Date32,
            TimeType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            TimeType::Timestamptz => timestamptz(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let out = args.return_type().clone();
        let clock = clockface(&args.config_options)?;
        Ok(invoke(&args.args, args.number_rows, &out, &clock)?)
    }
}

fn invoke(args: &[ColumnarValue], rows: usize, out: &DataType, clock: &Clockface) -> Result<ColumnarValue> {
    let time = args[1].cast_to(out, None)?;
    let time = match &args[1] {
        // Text is read by PostgreSQL's rules, not by Arrow's.
        ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => ColumnarValue::Scalar(parse_scalar(text, out, clock)?),
        _ => time,
    };
    let Some(time_type) = time_type(out) else { return Err(Error::internal(format!("there are no buckets of {out}"))) };
    let arguments = Arguments::new(args, out, time_type, clock)?;
    if arguments.is_constant() {
        return match arguments.bucket(0)? {
            Some(bucket) => floor(&bucket, &time, out),
            None => null(out),
        };
    }
    // Rarely the width or the zone is a column. The rows then mostly have few different ones.
    let times = array(&time, rows)?;
    let mut last: Option<(Parts, Option<Bucket>)> = None;
    let mut values = Vec::with_capacity(rows);
    for row in 0..times.len() {
        let parts = arguments.parts(row);
        let bucket = match &last {
            Some((known, bucket)) if *known == parts => bucket.clone(),
            _ => arguments.bucket(row)?,
        };
        let one = ScalarValue::try_from_array(&times, row)?;
        values.push(match &bucket {
            None => ScalarValue::try_from(out)?,
            Some(bucket) => match floor(bucket, &ColumnarValue::Scalar(one), out)? {
                ColumnarValue::Scalar(value) => value,
                ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0)?,
            },
        });
        last = Some((parts, bucket));
    }
    if values.is_empty() {
        return Ok(ColumnarValue::Array(arrow::array::new_empty_array(out)));
    }
    Ok(ColumnarValue::Array(ScalarValue::iter_to_array(values)?))
}

/// The arguments beside the time.
#[derive(Debug)]
struct Arguments {
    time_type: TimeType,
    width: Span,
    zone: Option<Texts>,
    origin: Option<Origin>,
    offset: Option<Span>,
}

/// A width or offset.
#[derive(Debug)]
enum Span {
    Interval(Argument<IntervalMonthDayNanoType>),
    Integer(Argument<Int64Type>),
}

#[derive(Debug)]
enum Origin {
    Date(Argument<Date32Type>),
    Timestamp(Argument<TimestampMicrosecondType>),
}

#[derive(Debug)]
enum Texts {
    Scalar(Option<String>),
    Array(ArrayRef),
}

/// The arguments of one row: interval or integer width, zone, origin, offset.
#[derive(Clone, Debug, PartialEq)]
struct Parts {
    width: Option<Length>,
    zone: Option<String>,
    origin: Option<i64>,
    offset: Option<Length>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Length {
    Interval(Interval),
    Integer(i64),
}

impl Span {
    fn new(value: &ColumnarValue, integer: bool, clock: &Clockface) -> Result<Self> {
        let target = if integer { DataType::Int64 } else { interval() };
        let value = match value {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => {
                ColumnarValue::Scalar(parse_scalar(text, &target, clock)?)
            }
            other => other.cast_to(&target, None)?,
        };
        Ok(if integer { Span::Integer(Argument::new(&value)?) } else { Span::Interval(Argument::new(&value)?) })
    }

    fn get(&self, row: usize) -> Option<Length> {
        match self {
            Span::Interval(argument) => argument.get(row).map(|i| Length::Interval(interval_from_arrow(i))),
            Span::Integer(argument) => argument.get(row).map(Length::Integer),
        }
    }

    fn is_constant(&self) -> bool {
        matches!(self, Span::Interval(Argument::Scalar(_)) | Span::Integer(Argument::Scalar(_)))
    }
}

impl Arguments {
    fn new(args: &[ColumnarValue], out: &DataType, time_type: TimeType, clock: &Clockface) -> Result<Self> {
        let integer = time_type.is_integer();
        let (zone, origin, offset) = match args {
            [_, _] => (None, None, None),
            [_, _, one] => match third(out, &one.data_type()) {
                Third::Zone => (Some(one), None, None),
                Third::Origin => (None, Some(one), None),
                Third::Offset => (None, None, Some(one)),
            },
            [_, _, zone, origin] => (Some(zone), Some(origin), None),
            [_, _, zone, origin, offset] => (Some(zone), Some(origin), Some(offset)),
            _ => return Err(no_function(&args.iter().map(ColumnarValue::data_type).collect::<Vec<_>>())),
        };
        let given = |value: &&ColumnarValue| !matches!(value, ColumnarValue::Scalar(value) if value.is_null());
        Ok(Arguments {
            time_type,
            width: Span::new(&args[0], integer, clock)?,
            zone: zone.filter(given).map(Texts::new).transpose()?,
            origin: origin.filter(given).map(|o| Origin::new(o, out, clock)).transpose()?,
            offset: offset.filter(given).map(|o| Span::new(o, integer, clock)).transpose()?,
        })
    }

    fn is_constant(&self) -> bool {
        self.width.is_constant()
            && self.offset.as_ref().is_none_or(Span::is_constant)
            && !matches!(self.zone, Some(Texts::Array(_)))
            && !matches!(self.origin, Some(Origin::Date(Argument::Array(_)) | Origin::Timestamp(Argument::Array(_))))
    }

    fn parts(&self, row: usize) -> Parts {
        Parts {
            width: self.width.get(row),
            zone: self.zone.as_ref().and_then(|z| z.get(row)),
            origin: self.origin.as_ref().and_then(|o| o.get(row)),
            offset: self.offset.as_ref().and_then(|o| o.get(row)),
        }
    }

    /// The bucket of a row; `None` when its width is NULL.
    fn bucket(&self, row: usize) -> Result<Option<Bucket>> {
        let parts = self.parts(row);
        Ok(match parts.width {
            None => None,
            Some(Length::Integer(width)) => {
                let offset = match parts.offset {
                    Some(Length::Integer(offset)) => offset,
                    _ => 0,
                };
                Some(Bucket::integer(self.time_type, width, offset)?)
            }
            Some(Length::Interval(width)) => {
                let offset = match parts.offset {
                    Some(Length::Interval(offset)) => offset,
                    _ => Interval::ZERO,
                };
                Some(Bucket::interval(self.time_type, width, parts.origin, offset, parts.zone.as_deref())?)
            }
        })
    }
}

impl Texts {
    fn new(value: &ColumnarValue) -> Result<Self> {
        Ok(match value.cast_to(&DataType::Utf8, None)? {
            ColumnarValue::Scalar(ScalarValue::Utf8(text)) => Texts::Scalar(text),
            ColumnarValue::Array(array) => Texts::Array(array),
            ColumnarValue::Scalar(other) => return Err(Error::internal(format!("{other} is no text"))),
        })
    }

    fn get(&self, row: usize) -> Option<String> {
        match self {
            Texts::Scalar(text) => text.clone(),
            Texts::Array(array) => array.is_valid(row).then(|| array.as_string::<i32>().value(row).to_owned()),
        }
    }
}

impl Origin {
    fn new(value: &ColumnarValue, out: &DataType, clock: &Clockface) -> Result<Self> {
        let value = match value {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => {
                ColumnarValue::Scalar(parse_scalar(text, out, clock)?)
            }
            other => crate::operator::cast::cast_value(other, out, clock)?,
        };
        Ok(match out {
            DataType::Date32 => Origin::Date(Argument::new(&value)?),
            _ => Origin::Timestamp(Argument::new(&value)?),
        })
    }

    fn get(&self, row: usize) -> Option<i64> {
        match self {
            Origin::Date(argument) => argument.get(row).map(|d| timestamp_from_date(d).unwrap_or(i64::MAX)),
            Origin::Timestamp(argument) => argument.get(row),
        }
    }
}

/// The buckets of times of type `out`.
fn floor(bucket: &Bucket, time: &ColumnarValue, out: &DataType) -> Result<ColumnarValue> {
    let too_small = || Error::new("22003", "timestamp out of range");
    let times = array(time, 1)?;
    let nulls = times.nulls().cloned();
    let mut starts = Vec::with_capacity(times.len());
    let result: ArrayRef = match out {
        DataType::Timestamp(..) => {
            bucket.floor_all(times.as_primitive::<TimestampMicrosecondType>().values(), &mut starts);
            Arc::new(TimestampMicrosecondArray::new(starts.into(), nulls).with_data_type(out.clone()))
        }
        DataType::Int64 => {
            bucket.floor_all(times.as_primitive::<Int64Type>().values(), &mut starts);
            Arc::new(Int64Array::new(starts.into(), nulls))
        }
        DataType::Date32 => {
            let days = times.as_primitive::<Date32Type>().values().iter();
            let micros: Vec<i64> = days.map(|d| Ok(timestamp_from_date(*d)?)).collect::<Result<_>>()?;
            bucket.floor_all(&micros, &mut starts);
            let days: Vec<i32> = starts.into_iter().map(date_from_timestamp).collect();
            Arc::new(Date32Array::new(days.into(), nulls))
        }
        other => {
            let wide = arrow::compute::cast(&times, &DataType::Int64)?;
            bucket.floor_all(wide.as_primitive::<Int64Type>().values(), &mut starts);
            let wide = Int64Array::new(starts.into(), nulls);
            match other {
                DataType::Int16 => {
                    let small = wide.try_unary::<_, arrow::datatypes::Int16Type, Error>(|v| {
                        i16::try_from(v).map_err(|_| too_small())
                    })?;
                    Arc::new(small) as Arc<Int16Array>
                }
                _ => {
                    let small = wide.try_unary::<_, arrow::datatypes::Int32Type, Error>(|v| {
                        i32::try_from(v).map_err(|_| too_small())
                    })?;
                    Arc::new(small) as Arc<Int32Array>
                }
            }
        }
    };
    Ok(match time {
        ColumnarValue::Array(_) => ColumnarValue::Array(result),
        ColumnarValue::Scalar(_) => ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?),
    })
}
