//! `extract` and `date_part`.

use super::define::{Call, Overload, function, takes, takes_and};
use crate::error::{Error, Result};
use crate::operator::kernel::{Argument, array, map, null, rowwise};
use crate::operator::operand::Kind;
use crate::text::read::interval_from_arrow;
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility};
use highwater_model::Interval;
use highwater_model::time::arithmetic::timestamp_from_date;
use highwater_model::time::calendar::{civil_from_days, days_from_civil, split_days, weekday};
use highwater_model::time::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, Zone};
use std::sync::{Arc, LazyLock};

/// `extract(field FROM x)`, which is `numeric` with as many digits after the point as the field can have.
pub fn extract(field: &str) -> Arc<ScalarUDF> {
    static EXTRACT: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(extracts);
    let place = match Part::parse(field, "timestamp with time zone") {
        Ok(Part::Second | Part::Epoch | Part::Julian) | Err(_) => 2,
        Ok(Part::Milliseconds) => 1,
        Ok(_) => 0,
    };
    Arc::clone(&EXTRACT[place])
}

/// `extract` for fields of 0, 3 and 6 digits after the point.
pub fn extracts() -> Vec<Arc<ScalarUDF>> {
    const fn overloads(gives: fn(&[DataType]) -> DataType) -> [Overload; 5] {
        [
            takes_and(&[Kind::Text, Kind::Timestamptz], gives, run_numeric),
            takes_and(&[Kind::Text, Kind::Timestamp], gives, run_numeric),
            takes_and(&[Kind::Text, Kind::Date], gives, run_numeric),
            takes_and(&[Kind::Text, Kind::Interval], gives, run_numeric),
            takes_and(&[Kind::Text, Kind::Time], gives, run_numeric),
        ]
    }
    let stable = |name, gives| function(name, Volatility::Stable, &overloads(gives));
    vec![
        stable("extract_0", |_| DataType::Decimal128(20, 0)),
        stable("extract_3", |_| DataType::Decimal128(23, 3)),
        stable("extract", |_| DataType::Decimal128(26, SCALE)),
    ]
}

/// `date_part(field, x)`, which is `double precision`.
pub fn date_part() -> Arc<ScalarUDF> {
    const OVERLOADS: &[Overload] = &[
        takes(&[Kind::Text, Kind::Timestamptz], Kind::Double, run_double),
        takes(&[Kind::Text, Kind::Timestamp], Kind::Double, run_double),
        takes(&[Kind::Text, Kind::Date], Kind::Double, run_double),
        takes(&[Kind::Text, Kind::Interval], Kind::Double, run_double),
        takes(&[Kind::Text, Kind::Time], Kind::Double, run_double),
    ];
    function("date_part", Volatility::Stable, OVERLOADS)
}

/// Values are kept in millionths.
const SCALE: i8 = 6;

/// A part of a date, time or interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    Epoch,
    Dow,
    Isodow,
    Doy,
    Week,
    Isoyear,
    Julian,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

impl Part {
    /// The field of this name; any that PostgreSQL knows for some type.
    fn parse(name: &str, type_name: &str) -> Result<Part> {
        let lower = name.trim().to_ascii_lowercase();
        Ok(match lower.as_str() {
            "microseconds" | "microsecond" | "us" | "usec" | "usecs" | "useconds" => Part::Microseconds,
            "milliseconds" | "millisecond" | "ms" | "msec" | "msecs" | "mseconds" => Part::Milliseconds,
            "second" | "seconds" | "sec" | "secs" | "s" => Part::Second,
            "minute" | "minutes" | "min" | "mins" | "m" => Part::Minute,
            "hour" | "hours" | "hr" | "hrs" | "h" => Part::Hour,
            "day" | "days" | "d" => Part::Day,
            "month" | "months" | "mon" | "mons" => Part::Month,
            "quarter" | "qtr" => Part::Quarter,
            "year" | "years" | "yr" | "yrs" | "y" => Part::Year,
            "decade" | "decades" | "dec" | "decs" => Part::Decade,
            "century" | "centuries" | "cent" | "c" => Part::Century,
            "millennium" | "millennia" | "mil" | "mils" => Part::Millennium,
            "epoch" => Part::Epoch,
            "dow" => Part::Dow,
            "isodow" => Part::Isodow,
            "doy" => Part::Doy,
            "week" | "weeks" | "w" => Part::Week,
            "isoyear" => Part::Isoyear,
            "julian" => Part::Julian,
            "timezone" => Part::Timezone,
            "timezone_hour" => Part::TimezoneHour,
            "timezone_minute" | "timezone_m" => Part::TimezoneMinute,
            _ => {
                let message = format!("unit \"{lower}\" not recognized for type {type_name}");
                return Err(Error::invalid_parameter(message));
            }
        })
    }
}

fn unsupported(part: &str, type_name: &str) -> Error {
    let unit = part.trim().to_ascii_lowercase();
    Error::unsupported(format!("unit \"{unit}\" not supported for type {type_name}"))
}

/// ISO 8601 year and week of a day.
pub fn iso_week(days: i64) -> (i64, i64) {
    // The week belongs to the year that has its Thursday.
    let thursday = days - weekday(days) + 3;
    let year = civil_from_days(thursday).0;
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// A year as it is counted, without a year 0: 0 is 1 BC, shown as -1.
fn counted(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

/// The field of a wall-clock time, in millionths; `None` for a field that it does not have.
fn of_timestamp(part: Part, local: i64) -> Option<i128> {
    let (days, micros) = split_days(local);
    let (year, month, day) = civil_from_days(days);
    let whole = match part {
        Part::Microseconds => micros % MICROS_PER_MINUTE,
        Part::Milliseconds => return Some(i128::from(micros % MICROS_PER_MINUTE) * 1000),
        Part::Second => return Some((micros % MICROS_PER_MINUTE).into()),
        Part::Minute => micros / MICROS_PER_MINUTE % 60,
        Part::Hour => micros / MICROS_PER_HOUR,
        Part::Day => day,
        Part::Month => month,
        Part::Quarter => (month - 1) / 3 + 1,
        Part::Year => counted(year),
        Part::Decade => year.div_euclid(10),
        Part::Century => {
            if year > 0 {
                (year + 99) / 100
            } else {
                -((99 - (year - 1)) / 100)
            }
        }
        Part::Millennium => {
            if year > 0 {
                (year + 999) / 1000
            } else {
                -((999 - (year - 1)) / 1000)
            }
        }
        Part::Epoch => return Some(local.into()),
        Part::Dow => (weekday(days) + 1) % 7,
        Part::Isodow => weekday(days) + 1,
        Part::Doy => days - days_from_civil(year, 1, 1) + 1,
        Part::Week => iso_week(days).1,
        Part::Isoyear => counted(iso_week(days).0),
        Part::Julian => {
            let fraction = i128::from(micros) * 1_000_000 / i128::from(MICROS_PER_DAY);
            return Some(i128::from(days + 2_440_588) * 1_000_000 + fraction);
        }
        Part::Timezone | Part::TimezoneHour | Part::TimezoneMinute => return None,
    };
    Some(i128::from(whole) * 1_000_000)
}

/// The field of an infinite time: NULL where it goes round, infinity where it grows, which numeric has not.
fn of_infinity(part: Part) -> Option<f64> {
    use Part::*;
    matches!(part, Year | Decade | Century | Millennium | Epoch | Isoyear | Julian).then_some(f64::INFINITY)
}

fn of_interval(part: Part, i: &Interval) -> Option<i128> {
    let (months, micros) = (i64::from(i.months), i.micros);
    let whole = match part {
        Part::Microseconds => micros % MICROS_PER_MINUTE,
        Part::Milliseconds => return Some(i128::from(micros % MICROS_PER_MINUTE) * 1000),
        Part::Second => return Some((micros % MICROS_PER_MINUTE).into()),
        Part::Minute => micros / MICROS_PER_MINUTE % 60,
        Part::Hour => micros / MICROS_PER_HOUR,
        Part::Day => i.days.into(),
        Part::Month => months % 12,
        Part::Quarter => months % 12 / 3 + 1,
        Part::Year => months / 12,
        Part::Decade => months / 120,
        Part::Century => months / 1200,
        Part::Millennium => months / 12_000,
        Part::Epoch => {
            // A year has 365.25 days here, a month 30.
            let days = i128::from(months / 12) * 36_525 / 100 * 4 + i128::from(months / 12) * 36_525 % 100 / 25;
            let quarter_days = days + i128::from(months % 12) * 120 + i128::from(i.days) * 4;
            return Some(quarter_days * i128::from(MICROS_PER_DAY / 4) + i128::from(micros));
        }
        _ => return None,
    };
    Some(i128::from(whole) * 1_000_000)
}

fn of_time(part: Part, micros: i64) -> Option<i128> {
    match part {
        Part::Epoch => Some(micros.into()),
        Part::Microseconds | Part::Milliseconds | Part::Second | Part::Minute | Part::Hour => {
            of_timestamp(part, micros)
        }
        _ => None,
    }
}

/// The field of each row in millionths, or what an infinite time has instead.
enum Value {
    Finite(i128),
    Infinite(Option<f64>),
}

fn compute(call: &Call, value: &ColumnarValue, name: &str) -> Result<Vec<Option<Value>>> {
    let values = array(value, call.rows)?;
    let kind = Kind::of(values.data_type());
    // date_part of a date is that of its midnight; extract knows that a date has none.
    let of_midnight = kind == Kind::Date && *call.out == DataType::Float64;
    let part = Part::parse(name, if of_midnight { Kind::Timestamp.name() } else { kind.name() })?;
    let none = || unsupported(name, kind.name());
    let zone = if kind == Kind::Timestamptz { call.clock()?.zone } else { Zone::UTC };
    let zoned = |t: i64| -> Result<i128> {
        let seconds = zone.offset_at(t) / highwater_model::time::MICROS_PER_SECOND;
        let whole = match part {
            Part::Timezone => seconds,
            Part::TimezoneHour => seconds / 3600,
            Part::TimezoneMinute => seconds / 60 % 60,
            Part::Epoch => return Ok(t.into()),
            _ => return of_timestamp(part, zone.to_local(t)).ok_or_else(none),
        };
        Ok(i128::from(whole) * 1_000_000)
    };
    let at = |t: i64| -> Result<Value> {
        if t == i64::MAX || t == i64::MIN {
            let sign = if t > 0 { 1.0 } else { -1.0 };
            return Ok(Value::Infinite(of_infinity(part).map(|x| x * sign)));
        }
        let value = if kind == Kind::Timestamptz { zoned(t)? } else { of_timestamp(part, t).ok_or_else(none)? };
        Ok(Value::Finite(value))
    };
    let each = |row: usize| -> Result<Option<Value>> {
        if values.is_null(row) {
            return Ok(None);
        }
        Ok(Some(match kind {
            Kind::Timestamp | Kind::Timestamptz => at(values.as_primitive::<TimestampMicrosecondType>().value(row))?,
            Kind::Date => {
                let small = [Part::Hour, Part::Minute, Part::Second, Part::Milliseconds, Part::Microseconds];
                if small.contains(&part) && !of_midnight {
                    return Err(none());
                }
                at(timestamp_from_date(values.as_primitive::<Date32Type>().value(row))?)?
            }
            Kind::Time => {
                let time = values.as_primitive::<Time64MicrosecondType>().value(row);
                match (part, time) {
                    // The end of a day is an hour that no time of day but this has.
                    (Part::Hour, MICROS_PER_DAY) => Value::Finite(24_000_000),
                    _ => Value::Finite(of_time(part, time).ok_or_else(none)?),
                }
            }
            _ => {
                let interval = interval_from_arrow(values.as_primitive::<IntervalMonthDayNanoType>().value(row));
                Value::Finite(of_interval(part, &interval).ok_or_else(none)?)
            }
        }))
    };
    (0..values.len()).map(each).collect()
}

fn run(call: &Call, finish: fn(Vec<Option<Value>>, &DataType) -> Result<ArrayRef>) -> Result<ColumnarValue> {
    let name = match &call.args[0] {
        ColumnarValue::Scalar(ScalarValue::Utf8(Some(name))) => name.clone(),
        ColumnarValue::Scalar(_) => return null(call.out),
        ColumnarValue::Array(names) => {
            // A field per row: each by itself.
            let names = names.as_string::<i32>();
            return rowwise(call.args, call.rows, |arrays, rows| {
                let mut parts = Vec::with_capacity(rows);
                for row in 0..rows {
                    let one = ColumnarValue::Array(arrays[1].slice(row, 1));
                    let call = Call { rows: 1, ..*call };
                    let part = if names.is_null(row) { vec![None] } else { compute(&call, &one, names.value(row))? };
                    parts.extend(part);
                }
                finish(parts, call.out)
            });
        }
    };
    if let Some(fast) = fast(call, &name)? {
        return Ok(fast);
    }
    rowwise(&call.args[1..], call.rows, |arrays, rows| {
        let call = Call { rows, ..*call };
        finish(compute(&call, &ColumnarValue::Array(Arc::clone(&arrays[0])), &name)?, call.out)
    })
}

/// The seconds of a timestamp, which is what most ask for.
fn fast(call: &Call, name: &str) -> Result<Option<ColumnarValue>> {
    if !name.eq_ignore_ascii_case("epoch") || !matches!(call.args[1].data_type(), DataType::Timestamp(..)) {
        return Ok(None);
    }
    if *call.out != DataType::Float64 {
        return Ok(None);
    }
    let times = Argument::<TimestampMicrosecondType>::new(&call.args[1])?;
    Ok(Some(map::<TimestampMicrosecondType, Float64Type>(&times, call.out, |t| {
        Ok(match t {
            i64::MAX => f64::INFINITY,
            i64::MIN => f64::NEG_INFINITY,
            _ => t as f64 / MICROS_PER_SECOND as f64,
        })
    })?))
}

fn run_double(call: &Call) -> Result<ColumnarValue> {
    run(call, |values, _| {
        let values = values.into_iter().map(|v| match v {
            Some(Value::Finite(millionths)) => Some(millionths as f64 / 1e6),
            Some(Value::Infinite(value)) => value,
            None => None,
        });
        Ok(Arc::new(values.collect::<Float64Array>()))
    })
}

fn run_numeric(call: &Call) -> Result<ColumnarValue> {
    run(call, |values, out| {
        let values = values.into_iter().map(|v| match v {
            Some(Value::Finite(millionths)) => Ok(Some(millionths)),
            Some(Value::Infinite(Some(_))) => {
                Err(Error::unsupported("the field of an infinite time as numeric is not supported")
                    .hint("Use date_part, which gives double precision."))
            }
            Some(Value::Infinite(None)) | None => Ok(None),
        });
        let values: Decimal128Array = values.collect::<Result<Vec<Option<i128>>>>()?.into();
        let scale = match out {
            DataType::Decimal128(_, scale) => *scale,
            _ => SCALE,
        };
        let divisor = crate::text::number::POWERS[(SCALE - scale).clamp(0, SCALE).unsigned_abs() as usize];
        let values = values.unary::<_, Decimal128Type>(|v| v / divisor);
        Ok(Arc::new(values.with_data_type(out.clone())))
    })
}
