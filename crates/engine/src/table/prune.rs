//! What filters say about the time column and about keys, as far as it helps to read less.

use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use highwater_model::{ColumnId, Interval, Table, TimeRange, TimeType};
use highwater_store::rows;

/// The range that the time column must be in for all filters to hold; `None` when they do not say.
///
/// Understands comparisons and BETWEEN of the column, or of `time_bucket(width, column)`, with a constant.
pub fn times(filters: &[Expr], column: &str, time_type: TimeType) -> Option<TimeRange> {
    let ranges = filters.iter().flat_map(conjuncts).filter_map(|f| range_of(f, column, time_type));
    ranges.reduce(|a, b| a.intersect(&b))
}

/// Columns that must equal one of some constants.
pub fn equals(filters: &[Expr], table: &Table) -> Vec<(ColumnId, ArrayRef)> {
    let find = |expr: &Expr| match expr {
        Expr::Column(c) => table.column(&c.name).map(|c| c.id),
        _ => None,
    };
    let mut found = Vec::new();
    for filter in filters.iter().flat_map(conjuncts) {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                let pair = [(left, right), (right, left)];
                let pair = pair.into_iter().find_map(|(c, v)| Some((find(c)?, constant(v)?)));
                if let Some((id, Ok(array))) = pair.map(|(id, value)| (id, value.to_array())) {
                    found.push((id, array));
                }
            }
            Expr::InList(list) if !list.negated => {
                let values: Option<Vec<ScalarValue>> = list.list.iter().map(|e| constant(e).cloned()).collect();
                if let (Some(id), Some(values)) = (find(&list.expr), values)
                    && let Ok(array) = ScalarValue::iter_to_array(values)
                {
                    found.push((id, array));
                }
            }
            _ => {}
        }
    }
    found
}

fn conjuncts(filter: &Expr) -> Vec<&Expr> {
    datafusion::logical_expr::utils::split_conjunction(filter)
}

fn constant(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) if !value.is_null() => Some(value),
        _ => None,
    }
}

fn range_of(filter: &Expr, column: &str, time_type: TimeType) -> Option<TimeRange> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            if let (Some(width), Some(value)) = (time_of(left, column), constant(right)) {
                compared(*op, position(value, time_type)?, width)
            } else if let (Some(width), Some(value)) = (time_of(right, column), constant(left)) {
                compared(op.swap()?, position(value, time_type)?, width)
            } else {
                None
            }
        }
        Expr::Between(between) if !between.negated => {
            let width = time_of(&between.expr, column)?;
            let low = position(constant(&between.low)?, time_type)?;
            let high = position(constant(&between.high)?, time_type)?;
            Some(compared(Operator::GtEq, low, width)?.intersect(&compared(Operator::LtEq, high, width)?))
        }
        _ => None,
    }
}

/// The width by which the expression may lie before the time itself: 0 for the column, the bucket's for
/// `time_bucket` with nothing but a fixed width.
fn time_of(expr: &Expr, column: &str) -> Option<i64> {
    match expr {
        Expr::Column(c) if c.name == column => Some(0),
        Expr::ScalarFunction(f) if f.name() == "time_bucket" && f.args.len() == 2 => {
            // A bucket of buckets begins before both.
            time_of(&f.args[1], column)?.checked_add(width(constant(&f.args[0])?)?)
        }
        _ => None,
    }
}

fn width(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(v)) => {
            let interval = Interval { months: v.months, days: v.days, micros: v.nanoseconds / 1000 };
            i64::try_from(interval.approx_micros()).ok()?.checked_mul(2)
        }
        ScalarValue::Int16(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int32(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int64(Some(v)) => Some(*v),
        _ => None,
    }
}

/// The times for which `bucket(time) op value` can hold, when a bucket begins at most `width` before
/// the time.
fn compared(op: Operator, value: i64, width: i64) -> Option<TimeRange> {
    let after = if width == 0 { value.saturating_add(1) } else { value.saturating_add(width).saturating_add(1) };
    let before = if width == 0 { value } else { after };
    // A range that ends with the last time there is, infinity, holds it, and is not empty.
    let from = |start: i64| start.min(i64::MAX - 1);
    Some(match op {
        Operator::Eq => TimeRange { start: from(value), end: after },
        Operator::Gt if width == 0 => TimeRange { start: from(value.saturating_add(1)), end: i64::MAX },
        Operator::Gt | Operator::GtEq => TimeRange { start: from(value), end: i64::MAX },
        Operator::Lt => TimeRange { start: i64::MIN, end: before },
        Operator::LtEq => TimeRange { start: i64::MIN, end: after },
        _ => return None,
    })
}

/// Where a constant lies on the time axis of a column of this type.
fn position(value: &ScalarValue, time_type: TimeType) -> Option<i64> {
    match (value, time_type.is_integer()) {
        (ScalarValue::TimestampMicrosecond(Some(t), _), false) => Some(*t),
        (ScalarValue::Date32(Some(d)), false) => Some(rows::date_to_micros(*d)),
        (ScalarValue::Int16(Some(v)), true) => Some(i64::from(*v)),
        (ScalarValue::Int32(Some(v)), true) => Some(i64::from(*v)),
        (ScalarValue::Int64(Some(v)), true) => Some(*v),
        _ => None,
    }
}
