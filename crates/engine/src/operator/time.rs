//! `+ - * /` on dates, times and intervals.

use super::arithmetic::{Op, division_by_zero};
use super::kernel::{Argument, map, zip};
use super::operand::{Kind, interval, no_operator, timestamp};
use crate::error::{Error, Result};
use crate::text::read::{interval_from_arrow, interval_to_arrow};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use datafusion::logical_expr::ColumnarValue;
use highwater_model::Interval;
use highwater_model::time::arithmetic::timestamp_from_date;
use highwater_model::time::{
    DATE_MAX, DATE_MIN, MICROS_PER_DAY, Zone, date_plus_interval, timestamp_minus_timestamp, timestamp_plus_interval,
    timestamptz_plus_interval,
};

/// The type of `left op right`; `None` when there is no such operator.
pub fn result_type(op: Op, left: &DataType, right: &DataType) -> Option<DataType> {
    use Kind::*;
    Some(match (op, Kind::of(left), Kind::of(right)) {
        (Op::Add | Op::Sub, Timestamp | Timestamptz, Interval) => left.clone(),
        (Op::Add, Interval, Timestamp | Timestamptz) => right.clone(),
        (Op::Add | Op::Sub, Date, Interval) | (Op::Add, Interval, Date) => timestamp(),
        (Op::Add | Op::Sub, Date, Integer) | (Op::Add, Integer, Date) => DataType::Date32,
        (Op::Sub, Date, Date) => DataType::Int32,
        (Op::Sub, Timestamp, Timestamp) | (Op::Sub, Timestamptz, Timestamptz) => interval(),
        (Op::Add, Date, Time) | (Op::Add, Time, Date) => timestamp(),
        (Op::Add | Op::Sub, Time, Interval) => left.clone(),
        (Op::Add, Interval, Time) => right.clone(),
        (Op::Sub, Time, Time) => interval(),
        (Op::Add | Op::Sub, Interval, Interval) => interval(),
        (Op::Mul | Op::Div, Interval, Double) | (Op::Mul, Double, Interval) => interval(),
        _ => return None,
    })
}

/// Computes it.
pub fn compute(
    op: Op,
    left: &ColumnarValue,
    right: &ColumnarValue,
    out: &DataType,
    zone: &Zone,
) -> Result<ColumnarValue> {
    use Kind::*;
    let (left_type, right_type) = (left.data_type(), right.data_type());
    match (op, Kind::of(&left_type), Kind::of(&right_type)) {
        // The time comes first in what follows.
        (Op::Add, Interval, Timestamp | Timestamptz | Date | Time)
        | (Op::Add, Integer | Time, Date)
        | (Op::Mul, Double, _) => compute(op, right, left, out, zone),
        (Op::Add | Op::Sub, Timestamp, Interval) => plus_interval(op, left, right, out, &Zone::UTC),
        (Op::Add | Op::Sub, Timestamptz, Interval) => plus_interval(op, left, right, out, zone),
        (Op::Add | Op::Sub, Date, Interval) => zip::<Date32Type, IntervalMonthDayNanoType, TimestampMicrosecondType>(
            &Argument::new(left)?,
            &Argument::new(right)?,
            out,
            |d, i| Ok(date_plus_interval(d, &signed(op, i)?)?),
        ),
        (Op::Add | Op::Sub, Date, Integer) => {
            zip::<Date32Type, Int32Type, Date32Type>(&Argument::new(left)?, &Argument::new(right)?, out, |d, n| {
                date_plus_days(d, if op == Op::Add { n.into() } else { -i64::from(n) })
            })
        }
        (Op::Sub, Date, Date) => {
            zip::<Date32Type, Date32Type, Int32Type>(&Argument::new(left)?, &Argument::new(right)?, out, |a, b| {
                let infinite = |d: i32| d == i32::MAX || d == i32::MIN;
                if infinite(a) || infinite(b) {
                    return Err(Error::new("22008", "cannot subtract infinite dates"));
                }
                Ok(a - b)
            })
        }
        (Op::Sub, Timestamp, Timestamp) | (Op::Sub, Timestamptz, Timestamptz) => {
            zip::<TimestampMicrosecondType, TimestampMicrosecondType, IntervalMonthDayNanoType>(
                &Argument::new(left)?,
                &Argument::new(right)?,
                out,
                |a, b| match timestamp_minus_timestamp(a, b) {
                    Ok(interval) => interval_to_arrow(&interval),
                    Err(_) if [i64::MAX, i64::MIN].contains(&a) || [i64::MAX, i64::MIN].contains(&b) => {
                        Err(Error::new("22008", "cannot subtract infinite timestamps"))
                    }
                    Err(e) => Err(e.into()),
                },
            )
        }
        (Op::Add, Date, Time) => zip::<Date32Type, Time64MicrosecondType, TimestampMicrosecondType>(
            &Argument::new(left)?,
            &Argument::new(right)?,
            out,
            |d, t| {
                let midnight = timestamp_from_date(d)?;
                Ok(timestamp_plus_interval(midnight, &highwater_model::Interval::from_micros(t))?)
            },
        ),
        (Op::Add | Op::Sub, Time, Interval) => zip::<
            Time64MicrosecondType,
            IntervalMonthDayNanoType,
            Time64MicrosecondType,
        >(&Argument::new(left)?, &Argument::new(right)?, out, |t, i| {
            let micros = i.nanoseconds / 1000 % MICROS_PER_DAY;
            Ok((if op == Op::Add { t + micros } else { t - micros }).rem_euclid(MICROS_PER_DAY))
        }),
        (Op::Sub, Time, Time) => zip::<Time64MicrosecondType, Time64MicrosecondType, IntervalMonthDayNanoType>(
            &Argument::new(left)?,
            &Argument::new(right)?,
            out,
            |a, b| interval_to_arrow(&highwater_model::Interval::from_micros(a - b)),
        ),
        (Op::Add | Op::Sub, Interval, Interval) => {
            zip::<IntervalMonthDayNanoType, IntervalMonthDayNanoType, IntervalMonthDayNanoType>(
                &Argument::new(left)?,
                &Argument::new(right)?,
                out,
                |a, b| {
                    let (a, b) = (interval_from_arrow(a), interval_from_arrow(b));
                    interval_to_arrow(&if op == Op::Add { a.checked_add(&b)? } else { a.checked_sub(&b)? })
                },
            )
        }
        (Op::Mul | Op::Div, Interval, Double) => {
            zip::<IntervalMonthDayNanoType, Float64Type, IntervalMonthDayNanoType>(
                &Argument::new(left)?,
                &Argument::new(right)?,
                out,
                |i, factor| {
                    let i = interval_from_arrow(i);
                    if op == Op::Mul {
                        return interval_to_arrow(&i.checked_mul(factor)?);
                    }
                    if factor == 0.0 {
                        return Err(division_by_zero());
                    }
                    interval_to_arrow(&i.checked_div(factor)?)
                },
            )
        }
        _ => Err(no_operator(op.symbol(), &left_type, &right_type)),
    }
}

/// A date so many days later. Infinity stays what it is.
fn date_plus_days(date: i32, days: i64) -> Result<i32> {
    if date == i32::MAX || date == i32::MIN {
        return Ok(date);
    }
    i32::try_from(i64::from(date) + days)
        .ok()
        .filter(|d| (DATE_MIN..=DATE_MAX).contains(d))
        .ok_or_else(|| Error::new("22008", "date out of range"))
}

/// The interval to add for `+` and `-`.
fn signed(op: Op, i: IntervalMonthDayNano) -> Result<Interval> {
    let i = interval_from_arrow(i);
    Ok(if op == Op::Sub { i.checked_neg()? } else { i })
}

fn plus_interval(
    op: Op,
    left: &ColumnarValue,
    right: &ColumnarValue,
    out: &DataType,
    zone: &Zone,
) -> Result<ColumnarValue> {
    let (times, intervals) =
        (Argument::<TimestampMicrosecondType>::new(left)?, Argument::<IntervalMonthDayNanoType>::new(right)?);
    if let Argument::Scalar(Some(i)) = intervals {
        let i = signed(op, i)?;
        let elapsed = if *zone == Zone::UTC || i.days == 0 { i.fixed_micros() } else { None };
        if let Some(micros) = elapsed {
            // Far from the ends of time nothing can go wrong, and infinity is beyond these bounds.
            const FAR: i64 = 1 << 61;
            return map::<TimestampMicrosecondType, TimestampMicrosecondType>(&times, out, |t| {
                if t.unsigned_abs() < FAR as u64 && micros.unsigned_abs() < 1 << 50 && t > -(1 << 57) {
                    return Ok(t + micros);
                }
                Ok(timestamp_plus_interval(t, &i)?)
            });
        }
        return map::<TimestampMicrosecondType, TimestampMicrosecondType>(&times, out, |t| {
            Ok(timestamptz_plus_interval(t, &i, zone)?)
        });
    }
    zip::<TimestampMicrosecondType, IntervalMonthDayNanoType, TimestampMicrosecondType>(
        &times,
        &intervals,
        out,
        |t, i| Ok(timestamptz_plus_interval(t, &signed(op, i)?, zone)?),
    )
}

/// `-interval`.
pub fn negate(value: &ColumnarValue, out: &DataType) -> Result<ColumnarValue> {
    match Kind::of(&value.data_type()) {
        Kind::Interval => map::<IntervalMonthDayNanoType, IntervalMonthDayNanoType>(&Argument::new(value)?, out, |i| {
            interval_to_arrow(&interval_from_arrow(i).checked_neg()?)
        }),
        _ => Err(Error::new(
            "42883",
            format!("operator does not exist: - {}", super::operand::type_name(&value.data_type())),
        )),
    }
}

/// What PostgreSQL compares an interval by: microseconds, with months of 30 days.
pub fn interval_key(value: &ColumnarValue, out: &DataType) -> Result<ColumnarValue> {
    map::<IntervalMonthDayNanoType, Decimal128Type>(&Argument::new(value)?, out, |i| {
        Ok(interval_from_arrow(i).approx_micros())
    })
}
