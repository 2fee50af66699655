//! The precision of a type in a cast: `x::timestamp(0)` is `pg_precision(x::timestamp, 0)`.

use super::kernel::{Argument, zip};
use super::operand::Kind;
use super::syntax::{call, take};
use crate::error::{Error, Result};
use crate::function::define::{Call, function, takes};
use crate::text::read::{interval_from_arrow, interval_to_arrow};
use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{Int32Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility};
use datafusion::sql::sqlparser::ast::{DataType, Expr, Value};
use highwater_model::Interval;
use std::sync::Arc;

/// Takes the precision out of the type of a cast, and rounds what was cast.
pub fn rewrite_precision(cast: &mut Expr) {
    let Expr::Cast { data_type, .. } = cast else { return };
    match data_type {
        DataType::Timestamp(precision, _) | DataType::Time(precision, _) | DataType::Interval { precision, .. } => {
            if let Some(precision) = precision.take() {
                *cast = call("pg_precision", vec![take(cast), number(precision)]);
            }
        }
        _ => {}
    }
}

fn number(n: u64) -> Expr {
    Expr::value(Value::Number(n.to_string(), false))
}

/// Rounds times to so many digits of their seconds.
pub fn precision() -> Arc<ScalarUDF> {
    use Kind::{Integer, Interval as Span, Time, Timestamp, Timestamptz};
    function(
        "pg_precision",
        Volatility::Immutable,
        &[
            takes(&[Timestamp, Integer], Timestamp, |c| micros::<TimestampMicrosecondType>(c, EPOCH)),
            takes(&[Timestamptz, Integer], Timestamptz, |c| micros::<TimestampMicrosecondType>(c, EPOCH)),
            takes(&[Time, Integer], Time, |c| micros::<Time64MicrosecondType>(c, 0)),
            takes(&[Span, Integer], Span, |c| {
                let digits = Argument::<Int32Type>::new(&c.args[1])?;
                let spans = Argument::<IntervalMonthDayNanoType>::new(&c.args[0])?;
                zip::<IntervalMonthDayNanoType, Int32Type, IntervalMonthDayNanoType>(
                    &spans,
                    &digits,
                    c.out,
                    |i, digits| {
                        let i = interval_from_arrow(i);
                        interval_to_arrow(&Interval { micros: rounded(i.micros, digits)?, ..i })
                    },
                )
            }),
        ],
    )
}

/// 2000-01-01, from which PostgreSQL counts and therefore rounds away.
const EPOCH: i64 = 946_684_800_000_000;

fn micros<T: ArrowPrimitiveType<Native = i64>>(call: &Call, epoch: i64) -> Result<ColumnarValue> {
    let digits = Argument::<Int32Type>::new(&call.args[1])?;
    zip::<T, Int32Type, T>(&Argument::new(&call.args[0])?, &digits, call.out, |t, digits| match t {
        i64::MIN | i64::MAX => Ok(t),
        t => t
            .checked_sub(epoch)
            .and_then(|t| rounded(t, digits).ok()?.checked_add(epoch))
            .ok_or_else(|| Error::new("22008", "timestamp out of range")),
    })
}

/// Microseconds rounded half away from zero.
fn rounded(micros: i64, digits: i32) -> Result<i64> {
    let unit = 10i64.pow(6 - digits.clamp(0, 6) as u32);
    let rounded = (micros.unsigned_abs() + unit as u64 / 2) / unit as u64 * unit as u64;
    let rounded = i64::try_from(rounded).map_err(|_| Error::new("22008", "timestamp out of range"))?;
    Ok(if micros < 0 { -rounded } else { rounded })
}
