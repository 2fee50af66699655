//! Values as the engine gives them, and as the shadow expects them.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use highwater_model::numeric::Numeric;
use std::collections::BTreeMap;

/// A value of a result. Times are numbers, a date in microseconds like the others.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL
    Null,
    /// A whole number, a numeric without a fraction, or a time.
    Int(i128),
    /// A float, or a numeric with a fraction.
    Real(f64),
    /// A text.
    Text(String),
    /// A truth value.
    Bool(bool),
}

impl Value {
    /// A whole number or NULL.
    pub fn int(value: Option<i64>) -> Self {
        value.map_or(Value::Null, |v| Value::Int(v.into()))
    }

    /// A text or NULL.
    pub fn text(value: Option<&str>) -> Self {
        value.map_or(Value::Null, |v| Value::Text(v.to_owned()))
    }

    /// A float or NULL.
    pub fn real(value: Option<f64>) -> Self {
        value.map_or(Value::Null, Value::Real)
    }

    fn number(&self) -> Option<f64> {
        match self {
            Value::Int(v) => Some(*v as f64),
            Value::Real(v) => Some(*v),
            _ => None,
        }
    }
}

/// What a value has to be.
#[derive(Clone, Debug)]
pub enum Expected {
    /// Exactly this.
    Exactly(Value),
    /// This number, give or take.
    About(f64, f64),
    /// The root of this number, give or take.
    RootOf(f64, f64),
    /// Nobody knows.
    Anything,
}

impl Expected {
    /// Whether a value is right.
    pub fn is_met_by(&self, value: &Value) -> bool {
        match self {
            Expected::Exactly(expected) => {
                expected == value || (expected.number().is_some() && expected.number() == value.number())
            }
            Expected::Anything => true,
            Expected::About(expected, tolerance) => value.number().is_some_and(|v| (v - expected).abs() <= *tolerance),
            Expected::RootOf(square, tolerance) => {
                value.number().is_some_and(|v| v >= 0.0 && (v * v - square).abs() <= *tolerance)
            }
        }
    }
}

/// Rows by bucket and keys, the keys as text.
pub type Grouped<T> = BTreeMap<(i64, String), Vec<T>>;

/// The rows of batches.
pub fn rows(batches: &[RecordBatch]) -> Vec<Vec<Value>> {
    let row = |batch: &RecordBatch, i: usize| batch.columns().iter().map(|c| value(c.as_ref(), i)).collect();
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |i| row(batch, i))).collect()
}

/// A numeric without bounds, read from its text as a user does.
fn numeric(bytes: &[u8]) -> Value {
    let mut text = Vec::new();
    Numeric::from_bytes(bytes).expect("a numeric in its own encoding").write(&mut text);
    let text = String::from_utf8_lossy(&text);
    let whole =
        text.split_once('.').map_or(&*text, |(whole, rest)| if rest.bytes().all(|b| b == b'0') { whole } else { "" });
    match (whole.parse(), text.parse()) {
        (Ok(whole), _) => Value::Int(whole),
        (_, Ok(real)) => Value::Real(real),
        _ => Value::Text(text.into_owned()),
    }
}

fn value(array: &dyn Array, i: usize) -> Value {
    if array.is_null(i) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Int16 => Value::Int(array.as_primitive::<Int16Type>().value(i).into()),
        DataType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(i).into()),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(i).into()),
        DataType::Float64 => Value::Real(array.as_primitive::<Float64Type>().value(i)),
        DataType::Boolean => Value::Bool(array.as_boolean().value(i)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(i).to_owned()),
        DataType::Utf8View => Value::Text(array.as_string_view().value(i).to_owned()),
        DataType::LargeBinary => numeric(array.as_binary::<i64>().value(i)),
        DataType::Timestamp(..) => Value::Int(array.as_primitive::<TimestampMicrosecondType>().value(i).into()),
        DataType::Date32 => {
            Value::Int(i128::from(array.as_primitive::<Date32Type>().value(i)) * i128::from(super::calendar::DAY))
        }
        DataType::Decimal128(_, scale) => {
            let (digits, unit) = (array.as_primitive::<Decimal128Type>().value(i), 10i128.pow(*scale as u32));
            match digits % unit {
                0 => Value::Int(digits / unit),
                rest => Value::Real((digits / unit) as f64 + rest as f64 / unit as f64),
            }
        }
        other => Value::Text(format!("a value of type {other}")),
    }
}

/// Rows by bucket (their first value) and keys (the next ones).
///
/// # Errors
/// When a group is there twice, or a row has no bucket.
pub fn grouped(rows: Vec<Vec<Value>>, keys: usize) -> Result<Grouped<Value>, String> {
    let mut grouped = Grouped::new();
    for mut row in rows {
        let rest = row.split_off(keys + 1);
        let Value::Int(bucket) = row[0] else { return Err(format!("a row has the bucket {:?}", row[0])) };
        let key = format!("{:?}", &row[1..]);
        if grouped.insert((bucket as i64, key), rest).is_some() {
            return Err(format!("group {row:?} is there twice"));
        }
    }
    Ok(grouped)
}

/// What differs between rows and what they should be, where `is_wanted` says that it matters.
pub fn difference(
    found: &Grouped<Value>,
    expected: &Grouped<Expected>,
    is_wanted: impl Fn(i64) -> bool,
) -> Option<String> {
    for (group, values) in found.iter().filter(|(group, _)| is_wanted(group.0)) {
        match expected.get(group) {
            None => return Some(format!("{group:?} has {values:?} and should not be there")),
            Some(expected) if expected.len() != values.len() => {
                return Some(format!("{group:?} has {} values", values.len()));
            }
            Some(expected) => {
                if let Some(i) = (0..values.len()).find(|i| !expected[*i].is_met_by(&values[*i])) {
                    return Some(format!(
                        "{group:?} has {:?} as output {i}, which should be {:?}",
                        values[i], expected[i]
                    ));
                }
            }
        }
    }
    let missing = expected.iter().find(|(group, _)| is_wanted(group.0) && !found.contains_key(group));
    missing.map(|(group, values)| format!("{group:?} is missing and should have {values:?}"))
}
