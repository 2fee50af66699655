//! Functions of dates, times and intervals.

use super::context::statement_clock;
use super::define::{Call, Overload, function, takes};
use crate::error::{Error, Result};
use crate::operator::kernel::{Argument, map, map_all, null, rowwise, single, zip};
use crate::operator::operand::Kind;
use crate::text::read::{interval_from_arrow, interval_to_arrow};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility};
use highwater_model::Interval;
use highwater_model::time::arithmetic::date_from_timestamp;
use highwater_model::time::calendar::{days_from_civil, days_in_month, split_days};
use highwater_model::time::{
    Clockface, DATE_MAX, DATE_MIN, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, TIMESTAMP_MAX, TIMESTAMP_MIN,
    TimeError, Unit, Zone, age, truncate, truncate_timestamptz,
};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use Kind::{Boolean, Date, Double, Integer, Interval as Span, Text, Time, Timestamp, Timestamptz};

/// The value of a call without arguments that the clock of the transaction tells by itself. Most rows of a log have one.
pub fn told_by(clock: &Clockface, function: &str) -> Option<ScalarValue> {
    let known = ["now", "transaction_timestamp", "current_timestamp"].iter().any(|f| f.eq_ignore_ascii_case(function));
    known.then(|| ScalarValue::TimestampMicrosecond(Some(clock.now()), Some("UTC".into())))
}

/// The functions.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    const NOW: &[Overload] = &[takes(&[], Timestamptz, transaction_start)];
    const CURRENT: &[Overload] =
        &[takes(&[], Timestamptz, transaction_start), takes(&[Integer], Timestamptz, transaction_start)];
    let stable = |name: &'static str, overloads: &[Overload]| function(name, Volatility::Stable, overloads);
    let pure = |name: &'static str, overloads: &[Overload]| function(name, Volatility::Immutable, overloads);
    vec![
        stable("now", NOW),
        stable("transaction_timestamp", NOW),
        stable("current_timestamp", CURRENT),
        stable("statement_timestamp", &[takes(&[], Timestamptz, statement_start)]),
        function("clock_timestamp", Volatility::Volatile, &[takes(&[], Timestamptz, clock_timestamp)]),
        stable("current_date", &[takes(&[], Date, current_date)]),
        stable("current_time", &[takes(&[], Time, local_time), takes(&[Integer], Time, local_time)]),
        stable("localtime", &[takes(&[], Time, local_time), takes(&[Integer], Time, local_time)]),
        stable(
            "localtimestamp",
            &[takes(&[], Timestamp, local_timestamp), takes(&[Integer], Timestamp, local_timestamp)],
        ),
        stable(
            "timezone",
            &[
                takes(&[Text, Timestamptz], Timestamp, timezone_of_timestamptz),
                takes(&[Text, Timestamp], Timestamptz, timezone_of_timestamp),
                takes(&[Span, Timestamptz], Timestamp, timezone_of_timestamptz),
                takes(&[Span, Timestamp], Timestamptz, timezone_of_timestamp),
            ],
        ),
        stable(
            "date_trunc",
            &[
                takes(&[Text, Timestamptz], Timestamptz, date_trunc),
                takes(&[Text, Timestamp], Timestamp, date_trunc),
                takes(&[Text, Span], Span, date_trunc),
                takes(&[Text, Timestamptz, Text], Timestamptz, date_trunc),
            ],
        ),
        stable(
            "date_bin",
            &[
                takes(&[Span, Timestamptz, Timestamptz], Timestamptz, date_bin),
                takes(&[Span, Timestamp, Timestamp], Timestamp, date_bin),
            ],
        ),
        stable(
            "age",
            &[
                takes(&[Timestamptz, Timestamptz], Span, age_between),
                takes(&[Timestamp, Timestamp], Span, age_between),
                takes(&[Timestamptz], Span, age_of),
                takes(&[Timestamp], Span, age_of),
            ],
        ),
        pure("justify_hours", &[takes(&[Span], Span, |c| each_interval(c, |i| Ok(i.justify_hours()?)))]),
        pure("justify_days", &[takes(&[Span], Span, |c| each_interval(c, |i| Ok(i.justify_days()?)))]),
        pure("justify_interval", &[takes(&[Span], Span, |c| each_interval(c, |i| justify_interval(&i)))]),
        pure(
            "isfinite",
            &[
                takes(&[Timestamptz], Boolean, is_finite::<TimestampMicrosecondType>),
                takes(&[Timestamp], Boolean, is_finite::<TimestampMicrosecondType>),
                takes(&[Date], Boolean, is_finite::<Date32Type>),
                takes(&[Span], Boolean, is_finite::<IntervalMonthDayNanoType>),
            ],
        ),
        pure("make_date", &[takes(&[Integer, Integer, Integer], Date, make_date)]),
        pure("make_time", &[takes(&[Integer, Integer, Double], Time, make_time)]),
        pure(
            "make_timestamp",
            &[takes(&[Integer, Integer, Integer, Integer, Integer, Double], Timestamp, make_timestamp)],
        ),
        stable(
            "make_timestamptz",
            &[
                takes(&[Integer, Integer, Integer, Integer, Integer, Double], Timestamptz, make_timestamp),
                takes(&[Integer, Integer, Integer, Integer, Integer, Double, Text], Timestamptz, make_timestamp),
            ],
        ),
        pure(
            "make_interval",
            &[
                takes(&[], Span, make_interval),
                takes(&[Integer], Span, make_interval),
                takes(&[Integer, Integer], Span, make_interval),
                takes(&[Integer, Integer, Integer], Span, make_interval),
                takes(&[Integer, Integer, Integer, Integer], Span, make_interval),
                takes(&[Integer, Integer, Integer, Integer, Integer], Span, make_interval),
                takes(&[Integer, Integer, Integer, Integer, Integer, Integer], Span, make_interval),
                takes(&[Integer, Integer, Integer, Integer, Integer, Integer, Double], Span, make_interval),
            ],
        ),
        stable(
            "to_timestamp",
            &[
                takes(&[Double], Timestamptz, timestamp_of_epoch),
                takes(&[Text, Text], Timestamptz, super::template::to_timestamp),
            ],
        ),
        stable("to_date", &[takes(&[Text, Text], Date, super::template::to_date)]),
        stable("timeofday", &[takes(&[], Text, time_of_day)]),
    ]
}

fn transaction_start(call: &Call) -> Result<ColumnarValue> {
    single::<TimestampMicrosecondType>(Some(call.clock()?.now()), call.out)
}

fn statement_start(call: &Call) -> Result<ColumnarValue> {
    single::<TimestampMicrosecondType>(Some(statement_clock(call.config).now()), call.out)
}

fn wall_clock_micros() -> i64 {
    // Before 1970 there were no databases.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64)
}

fn clock_timestamp(call: &Call) -> Result<ColumnarValue> {
    single::<TimestampMicrosecondType>(Some(wall_clock_micros()), call.out)
}

fn time_of_day(call: &Call) -> Result<ColumnarValue> {
    let text = highwater_model::time::format_timestamptz(wall_clock_micros(), &call.clock()?.zone);
    Ok(ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))))
}

fn current_date(call: &Call) -> Result<ColumnarValue> {
    let clock = call.clock()?;
    single::<Date32Type>(Some(date_from_timestamp(clock.zone.to_local(clock.now()))), call.out)
}

fn local_timestamp(call: &Call) -> Result<ColumnarValue> {
    let clock = call.clock()?;
    single::<TimestampMicrosecondType>(Some(clock.zone.to_local(clock.now())), call.out)
}

fn local_time(call: &Call) -> Result<ColumnarValue> {
    let clock = call.clock()?;
    single::<Time64MicrosecondType>(Some(split_days(clock.zone.to_local(clock.now())).1), call.out)
}

/// The zone that an argument of `timezone` names, or the offset that it is.
fn zone_of(array: &ArrayRef, row: usize) -> Result<Zone> {
    match array.data_type() {
        DataType::Utf8 => Ok(Zone::parse_in_value(array.as_string::<i32>().value(row))?),
        _ => {
            let interval = interval_from_arrow(array.as_primitive::<IntervalMonthDayNanoType>().value(row));
            if interval.months != 0 || interval.days != 0 {
                return Err(Error::invalid_parameter(format!(
                    "interval time zone \"{interval}\" must not include months or days"
                )));
            }
            Ok(Zone::fixed((interval.micros / 1_000_000) as i32))
        }
    }
}

fn with_zone(call: &Call, f: impl Fn(&Zone, i64) -> i64) -> Result<ColumnarValue> {
    if let ColumnarValue::Scalar(zone) = &call.args[0] {
        if zone.is_null() {
            return null(call.out);
        }
        let zone = zone_of(&zone.to_array()?, 0)?;
        let times = Argument::<TimestampMicrosecondType>::new(&call.args[1])?;
        return map_all::<TimestampMicrosecondType, TimestampMicrosecondType>(&times, call.out, |t| f(&zone, t));
    }
    rowwise(call.args, call.rows, |arrays, rows| {
        let times = arrays[1].as_primitive::<TimestampMicrosecondType>();
        let values = (0..rows).map(|row| {
            let known = arrays[0].is_valid(row) && times.is_valid(row);
            known.then(|| Ok(f(&zone_of(&arrays[0], row)?, times.value(row)))).transpose()
        });
        let values: Vec<Option<i64>> = values.collect::<Result<_>>()?;
        Ok(Arc::new(TimestampMicrosecondArray::from(values).with_data_type(call.out.clone())))
    })
}

fn timezone_of_timestamptz(call: &Call) -> Result<ColumnarValue> {
    with_zone(call, |zone, t| zone.to_local(t))
}

fn timezone_of_timestamp(call: &Call) -> Result<ColumnarValue> {
    with_zone(call, |zone, t| zone.to_utc(t))
}

/// Applies `f`, which is made from the texts before and after the value, to each value; mostly the texts are
/// single values.
fn with_texts<T: ArrowPrimitiveType, F>(
    call: &Call,
    make: impl Fn(&str, Option<&str>) -> Result<F>,
) -> Result<ColumnarValue>
where
    F: Fn(T::Native) -> Result<T::Native>,
{
    let text = |value: &ColumnarValue| match value {
        ColumnarValue::Scalar(ScalarValue::Utf8(text)) => Some(text.clone()),
        _ => None,
    };
    let texts = (text(&call.args[0]), call.args.get(2).map(text));
    match texts {
        (Some(None), _) | (_, Some(Some(None))) => null(call.out),
        (Some(Some(unit)), None) => map::<T, T>(&Argument::new(&call.args[1])?, call.out, make(&unit, None)?),
        (Some(Some(unit)), Some(Some(Some(zone)))) => {
            map::<T, T>(&Argument::new(&call.args[1])?, call.out, make(&unit, Some(&zone))?)
        }
        _ => rowwise(call.args, call.rows, |arrays, rows| {
            let values = arrays[1].as_primitive::<T>();
            let units = arrays[0].as_string::<i32>();
            let zones = arrays.get(2).map(|z| z.as_string::<i32>());
            let each = |row: usize| -> Result<Option<T::Native>> {
                if arrays.iter().any(|a| a.is_null(row)) {
                    return Ok(None);
                }
                make(units.value(row), zones.map(|z| z.value(row)))?(values.value(row)).map(Some)
            };
            let values: Vec<Option<T::Native>> = (0..rows).map(each).collect::<Result<_>>()?;
            let array: PrimitiveArray<T> = values.into_iter().collect::<PrimitiveArray<T>>();
            Ok(Arc::new(array.with_data_type(call.out.clone())))
        }),
    }
}

fn date_trunc(call: &Call) -> Result<ColumnarValue> {
    match Kind::of(call.out) {
        Span => with_texts::<IntervalMonthDayNanoType, _>(call, |unit, _| {
            let unit = unit.to_owned();
            Ok(move |i: IntervalMonthDayNano| interval_to_arrow(&truncate_interval(&unit, interval_from_arrow(i))?))
        }),
        Timestamptz => {
            let session = call.clock()?.zone;
            with_texts::<TimestampMicrosecondType, _>(call, |unit, zone| {
                let unit = Unit::parse(unit, "timestamp with time zone")?;
                let zone = zone.map_or(Ok(session), Zone::parse_in_value)?;
                Ok(move |t| Ok(truncate_timestamptz(unit, t, &zone)))
            })
        }
        _ => with_texts::<TimestampMicrosecondType, _>(call, |unit, _| {
            let unit = Unit::parse(unit, "timestamp without time zone")?;
            Ok(move |t| Ok(truncate(unit, t)))
        }),
    }
}

fn truncate_interval(name: &str, i: Interval) -> Result<Interval> {
    let unit = Unit::parse(name, "interval")?;
    let months = |n: i32| Interval { months: i.months / n * n, days: 0, micros: 0 };
    let micros = |n: i64| Interval { micros: i.micros / n * n, ..i };
    Ok(match unit {
        Unit::Millennium => months(12_000),
        Unit::Century => months(1200),
        Unit::Decade => months(120),
        Unit::Year => months(12),
        Unit::Quarter => months(3),
        Unit::Month => months(1),
        Unit::Week => {
            return Err(Error::unsupported(format!(
                "unit \"{}\" not supported for type interval",
                name.to_lowercase()
            ))
            .detail("Months usually have fractional weeks."));
        }
        Unit::Day => Interval { micros: 0, ..i },
        Unit::Hour => micros(MICROS_PER_HOUR),
        Unit::Minute => micros(MICROS_PER_MINUTE),
        Unit::Second => micros(1_000_000),
        Unit::Millisecond => micros(1000),
        Unit::Microsecond => i,
    })
}

fn date_bin(call: &Call) -> Result<ColumnarValue> {
    let stride = Argument::<IntervalMonthDayNanoType>::new(&call.args[0])?;
    let width = |i: IntervalMonthDayNano| -> Result<i64> {
        let i = interval_from_arrow(i);
        if i.months != 0 {
            return Err(Error::unsupported("timestamps cannot be binned into intervals containing months or years"));
        }
        let width = i.fixed_micros().ok_or_else(|| Error::new("22008", "interval out of range"))?;
        if width <= 0 {
            return Err(Error::new("22008", "stride must be greater than zero"));
        }
        Ok(width)
    };
    rowwise(call.args, call.rows, |arrays, rows| {
        let (times, origins) = (
            arrays[1].as_primitive::<TimestampMicrosecondType>(),
            arrays[2].as_primitive::<TimestampMicrosecondType>(),
        );
        let each = |row: usize| -> Result<Option<i64>> {
            let Some(stride) = stride.get(row) else { return Ok(None) };
            if times.is_null(row) || origins.is_null(row) {
                return Ok(None);
            }
            let (t, origin) = (times.value(row), origins.value(row));
            if t == i64::MAX || t == i64::MIN {
                return Ok(Some(t));
            }
            if origin == i64::MAX || origin == i64::MIN {
                return Err(Error::new("22008", "origin out of range"));
            }
            let width = width(stride)?;
            let since = i128::from(t) - i128::from(origin);
            Ok(Some((i128::from(t) - since.rem_euclid(width.into())) as i64))
        };
        let values: Vec<Option<i64>> = (0..rows).map(each).collect::<Result<_>>()?;
        Ok(Arc::new(TimestampMicrosecondArray::from(values).with_data_type(call.out.clone())))
    })
}

fn zone_for(call: &Call, value: &ColumnarValue) -> Result<Zone> {
    Ok(if Kind::of(&value.data_type()) == Timestamptz { call.clock()?.zone } else { Zone::UTC })
}

fn age_between(call: &Call) -> Result<ColumnarValue> {
    let zone = zone_for(call, &call.args[0])?;
    zip::<TimestampMicrosecondType, TimestampMicrosecondType, IntervalMonthDayNanoType>(
        &Argument::new(&call.args[0])?,
        &Argument::new(&call.args[1])?,
        call.out,
        |a, b| interval_to_arrow(&age(zone.to_local(a), zone.to_local(b))?),
    )
}

/// From a time to the beginning of today.
fn age_of(call: &Call) -> Result<ColumnarValue> {
    let (zone, clock) = (zone_for(call, &call.args[0])?, call.clock()?);
    let now = clock.zone.to_local(clock.now());
    let today = now - split_days(now).1;
    map::<TimestampMicrosecondType, IntervalMonthDayNanoType>(&Argument::new(&call.args[0])?, call.out, |t| {
        interval_to_arrow(&age(today, zone.to_local(t))?)
    })
}

fn each_interval(call: &Call, f: impl Fn(Interval) -> Result<Interval>) -> Result<ColumnarValue> {
    map::<IntervalMonthDayNanoType, IntervalMonthDayNanoType>(&Argument::new(&call.args[0])?, call.out, |i| {
        interval_to_arrow(&f(interval_from_arrow(i))?)
    })
}

/// Hours become days, days become months, and all get one sign.
fn justify_interval(i: &Interval) -> Result<Interval> {
    let mut i = *i;
    if (i.days > 0 && i.micros > 0) || (i.days < 0 && i.micros < 0) {
        i.months = i.months.checked_add(i.days / 30).ok_or(TimeError::OutOfRange { type_name: "interval" })?;
        i.days %= 30;
    }
    let whole_days = (i.micros / MICROS_PER_DAY) as i32;
    i.days = i.days.checked_add(whole_days).ok_or(TimeError::OutOfRange { type_name: "interval" })?;
    i.micros %= MICROS_PER_DAY;
    i.months = i.months.checked_add(i.days / 30).ok_or(TimeError::OutOfRange { type_name: "interval" })?;
    i.days %= 30;
    if i.months > 0 && (i.days < 0 || (i.days == 0 && i.micros < 0)) {
        (i.days, i.months) = (i.days + 30, i.months - 1);
    } else if i.months < 0 && (i.days > 0 || (i.days == 0 && i.micros > 0)) {
        (i.days, i.months) = (i.days - 30, i.months + 1);
    }
    if i.days > 0 && i.micros < 0 {
        (i.micros, i.days) = (i.micros + MICROS_PER_DAY, i.days - 1);
    } else if i.days < 0 && i.micros > 0 {
        (i.micros, i.days) = (i.micros - MICROS_PER_DAY, i.days + 1);
    }
    Ok(i)
}

/// Whether a value can be infinite, and is not.
trait Finite {
    fn is_finite(&self) -> bool;
}

impl Finite for i64 {
    fn is_finite(&self) -> bool {
        *self != i64::MAX && *self != i64::MIN
    }
}

impl Finite for i32 {
    fn is_finite(&self) -> bool {
        *self != i32::MAX && *self != i32::MIN
    }
}

impl Finite for IntervalMonthDayNano {
    fn is_finite(&self) -> bool {
        true
    }
}

fn is_finite<T: ArrowPrimitiveType<Native: Finite>>(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, _| {
        Ok(Arc::new(BooleanArray::from_unary(arrays[0].as_primitive::<T>(), |x| x.is_finite())))
    })
}

/// Computes each row from its arguments, all of which are integers and one float; NULL if one is.
fn each_row<O: ArrowPrimitiveType>(
    call: &Call,
    f: impl Fn(&[i64], f64, Option<&str>) -> Result<O::Native>,
) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let one = |row: usize| -> Result<Option<O::Native>> {
            if arrays.iter().any(|a| a.is_null(row)) {
                return Ok(None);
            }
            let (mut whole, mut float, mut text) = (Vec::with_capacity(7), 0.0, None);
            for array in arrays {
                match array.data_type() {
                    DataType::Int32 => whole.push(array.as_primitive::<Int32Type>().value(row).into()),
                    DataType::Float64 => float = array.as_primitive::<Float64Type>().value(row),
                    _ => text = Some(array.as_string::<i32>().value(row)),
                }
            }
            f(&whole, float, text).map(Some)
        };
        // Without arguments there is one row.
        let rows = if arrays.is_empty() { 1 } else { rows };
        let values: Vec<Option<O::Native>> = (0..rows).map(one).collect::<Result<_>>()?;
        let array: PrimitiveArray<O> = values.into_iter().collect::<PrimitiveArray<O>>();
        Ok(Arc::new(array.with_data_type(call.out.clone())) as ArrayRef)
    })
}

/// Days of a date whose year is counted without a year 0.
fn days_of(year: i64, month: i64, day: i64) -> Result<i64> {
    let wrong = || Error::new("22008", format!("date field value out of range: {year}-{month:02}-{day:02}"));
    let astronomical = if year < 0 { year + 1 } else { year };
    if year == 0 || !(1..=12).contains(&month) || day < 1 || day > days_in_month(astronomical, month) {
        return Err(wrong());
    }
    let days = days_from_civil(astronomical, month, day);
    if (i64::from(DATE_MIN)..=i64::from(DATE_MAX)).contains(&days) { Ok(days) } else { Err(wrong()) }
}

fn micros_of(hour: i64, minute: i64, second: f64) -> Result<i64> {
    let wrong = || {
        let seconds = format!("{second:05.2}").replace(".00", "");
        Error::new("22008", format!("time field value out of range: {hour}:{minute:02}:{seconds}"))
    };
    let micros = (second * 1e6).round_ties_even();
    if !(0..=24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..=60e6).contains(&micros) {
        return Err(wrong());
    }
    let micros = hour * MICROS_PER_HOUR + minute * MICROS_PER_MINUTE + micros as i64;
    if micros > MICROS_PER_DAY { Err(wrong()) } else { Ok(micros) }
}

fn make_date(call: &Call) -> Result<ColumnarValue> {
    each_row::<Date32Type>(call, |n, _, _| Ok(days_of(n[0], n[1], n[2])? as i32))
}

fn make_time(call: &Call) -> Result<ColumnarValue> {
    each_row::<Time64MicrosecondType>(call, |n, second, _| micros_of(n[0], n[1], second))
}

fn make_timestamp(call: &Call) -> Result<ColumnarValue> {
    let zone = if Kind::of(call.out) == Timestamptz { call.clock()?.zone } else { Zone::UTC };
    each_row::<TimestampMicrosecondType>(call, |n, second, text| {
        let (days, micros) = (days_of(n[0], n[1], n[2])?, micros_of(n[3], n[4], second)?);
        let local = days.checked_mul(MICROS_PER_DAY).and_then(|d| d.checked_add(micros));
        let local = local.filter(|t| (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(t));
        let local = local.ok_or(TimeError::OutOfRange { type_name: "timestamp" })?;
        Ok(match text {
            // Here an offset counts east, as in a timestamp.
            Some(text) if text.starts_with(['+', '-']) => Zone::parse(text)?.to_utc(local),
            Some(text) => Zone::parse_in_value(text)?.to_utc(local),
            None => zone.to_utc(local),
        })
    })
}

fn make_interval(call: &Call) -> Result<ColumnarValue> {
    each_row::<IntervalMonthDayNanoType>(call, |n, seconds, _| {
        let wrong = || Error::new("22008", "interval out of range");
        let at = |i: usize| n.get(i).copied().unwrap_or(0);
        let small = |x: i64| i32::try_from(x).map_err(|_| wrong());
        let seconds = (seconds * 1e6).round_ties_even();
        if !seconds.is_finite() || seconds.abs() > 9e18 {
            return Err(wrong());
        }
        let micros = (at(4) * MICROS_PER_HOUR + at(5) * MICROS_PER_MINUTE).checked_add(seconds as i64);
        interval_to_arrow(&Interval {
            months: small(at(0) * 12 + at(1))?,
            days: small(at(2) * 7 + at(3))?,
            micros: micros.ok_or_else(wrong)?,
        })
    })
}

fn timestamp_of_epoch(call: &Call) -> Result<ColumnarValue> {
    map::<Float64Type, TimestampMicrosecondType>(&Argument::new(&call.args[0])?, call.out, |seconds| {
        if seconds.is_nan() {
            return Err(Error::new("22008", "timestamp cannot be NaN"));
        }
        if seconds.is_infinite() {
            return Ok(if seconds > 0.0 { i64::MAX } else { i64::MIN });
        }
        let micros = (seconds * 1e6).round_ties_even();
        if micros < TIMESTAMP_MIN as f64 || micros >= TIMESTAMP_MAX as f64 {
            return Err(Error::new("22008", format!("timestamp out of range: \"{seconds}\"")));
        }
        Ok(micros as i64)
    })
}
