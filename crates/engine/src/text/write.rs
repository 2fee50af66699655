//! Text output: the values of an Arrow column in PostgreSQL's text form.

use super::number::{write_decimal, write_digits, write_double, write_integer, write_real, write_unsigned};
use super::read::interval_from_arrow;
use crate::error::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray,
    LargeBinaryArray, LargeStringArray, ListArray, StringArray, StringViewArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use highwater_model::time::{Zone, write_date, write_time, write_timestamp, write_timestamptz};
use highwater_model::{ColumnType, Numeric};
use highwater_store::schema::{field_type, typed_field};
use std::io::Write;
use std::sync::Arc;

/// Writes values of one column as text.
#[derive(Debug)]
pub struct ColumnWriter {
    values: Values,
    nulls: Option<NullBuffer>,
}

#[derive(Debug)]
enum Values {
    Null,
    Boolean(BooleanArray),
    SmallInt(Int16Array),
    Integer(Int32Array),
    BigInt(Int64Array),
    Unsigned(UInt64Array),
    Real(Float32Array),
    Double(Float64Array),
    Numeric(Decimal128Array, i8),
    WideNumeric(Decimal256Array, i8),
    AnyNumeric(LargeBinaryArray),
    Text(StringArray),
    /// `char(n)`, filled up with blanks to so many characters.
    Padded(StringArray, usize),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    Timestamptz(TimestampMicrosecondArray, Zone),
    Interval(IntervalMonthDayNanoArray),
    Uuid(FixedSizeBinaryArray),
    Bytea(BinaryArray),
    List(ListArray, Box<ColumnWriter>),
    Struct(Vec<ColumnWriter>),
}

impl ColumnWriter {
    /// A writer for this column.
    ///
    /// * `field` – the field of the column in its schema.
    /// * `zone` – the session's zone, in which a `timestamptz` is shown.
    ///
    /// # Errors
    /// 0A000 when the column is of a type that SQL does not have.
    pub fn new(array: &dyn Array, field: &Field, zone: Zone) -> Result<Self> {
        let nulls = array.logical_nulls().filter(|n| n.null_count() > 0);
        let cast = |to: &DataType| -> Result<ArrayRef> { Ok(arrow::compute::cast(array, to)?) };
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Boolean(array.as_boolean().clone()),
            DataType::Int16 => Values::SmallInt(array.as_primitive().clone()),
            DataType::Int32 => Values::Integer(array.as_primitive().clone()),
            DataType::Int64 => Values::BigInt(array.as_primitive().clone()),
            DataType::UInt64 => Values::Unsigned(array.as_primitive().clone()),
            DataType::Int8 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
                Values::BigInt(cast(&DataType::Int64)?.as_primitive().clone())
            }
            DataType::Float32 => Values::Real(array.as_primitive().clone()),
            DataType::Float16 => Values::Real(cast(&DataType::Float32)?.as_primitive().clone()),
            DataType::Float64 => Values::Double(array.as_primitive().clone()),
            DataType::Decimal128(_, scale) => Values::Numeric(array.as_primitive().clone(), *scale),
            DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
                Values::Numeric(cast(&DataType::Decimal128(38, *scale))?.as_primitive().clone(), *scale)
            }
            DataType::Decimal256(_, scale) => Values::WideNumeric(array.as_primitive().clone(), *scale),
            DataType::Utf8 => match field_type(field) {
                Some(ColumnType::Char(length)) => Values::Padded(array.as_string().clone(), length as usize),
                _ => Values::Text(array.as_string().clone()),
            },
            DataType::LargeUtf8 => Values::LargeText(array.as_string().clone()),
            DataType::Utf8View => Values::TextView(array.as_string_view().clone()),
            DataType::Date32 => Values::Date(array.as_primitive().clone()),
            DataType::Date64 => Values::Date(cast(&DataType::Date32)?.as_primitive().clone()),
            DataType::Time64(TimeUnit::Microsecond) => Values::Time(array.as_primitive().clone()),
            DataType::Time32(_) | DataType::Time64(_) => {
                Values::Time(cast(&DataType::Time64(TimeUnit::Microsecond))?.as_primitive().clone())
            }
            DataType::Timestamp(unit, tz) => {
                let micros = match unit {
                    TimeUnit::Microsecond => array.as_primitive().clone(),
                    _ => cast(&DataType::Timestamp(TimeUnit::Microsecond, tz.clone()))?.as_primitive().clone(),
                };
                if tz.is_some() { Values::Timestamptz(micros, zone) } else { Values::Timestamp(micros) }
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => Values::Interval(array.as_primitive().clone()),
            DataType::Interval(_) | DataType::Duration(_) => {
                Values::Interval(cast(&DataType::Interval(IntervalUnit::MonthDayNano))?.as_primitive().clone())
            }
            DataType::FixedSizeBinary(16) => Values::Uuid(array.as_fixed_size_binary().clone()),
            DataType::Binary => Values::Bytea(array.as_binary().clone()),
            DataType::LargeBinary => Values::AnyNumeric(array.as_binary().clone()),
            DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                Values::Bytea(cast(&DataType::Binary)?.as_binary().clone())
            }
            DataType::List(item) => {
                let list = array.as_list().clone();
                let items = match field_type(field) {
                    // What the items are, the field of the list tells.
                    Some(ColumnType::List(item)) => {
                        ColumnWriter::new(list.values(), &typed_field("item", &item), zone)?
                    }
                    _ => ColumnWriter::new(list.values(), item, zone)?,
                };
                Values::List(list, Box::new(items))
            }
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::ListView(item) => {
                return ColumnWriter::new(&cast(&DataType::List(item.clone()))?, field, zone);
            }
            DataType::Dictionary(_, value) => return ColumnWriter::new(&cast(value)?, field, zone),
            // The bytes of a state are its value.
            state if crate::state::value::Kind::of(state).is_some() => {
                Values::Bytea(array.as_struct().column(0).as_binary().clone())
            }
            DataType::Struct(fields) => {
                let parts = array.as_struct().columns().iter().zip(fields);
                let parts = parts.map(|(part, field)| ColumnWriter::new(part, field, zone)).collect::<Result<_>>()?;
                Values::Struct(parts)
            }
            other => {
                let name = field.name();
                return Err(Error::unsupported(format!(
                    "output of column \"{name}\" of type {other} is not supported"
                )));
            }
        };
        Ok(ColumnWriter { values, nulls })
    }

    /// Appends the value of a row to `out`. False, with nothing appended, when it is NULL.
    #[inline]
    pub fn write(&self, row: usize, out: &mut Vec<u8>) -> bool {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return false;
        }
        match &self.values {
            Values::Null => return false,
            Values::Boolean(array) => out.push(if array.value(row) { b't' } else { b'f' }),
            Values::SmallInt(array) => write_integer(out, array.value(row).into()),
            Values::Integer(array) => write_integer(out, array.value(row).into()),
            Values::BigInt(array) => write_integer(out, array.value(row)),
            Values::Unsigned(array) => write_unsigned(out, array.value(row)),
            Values::Real(array) => write_real(out, array.value(row)),
            Values::Double(array) => write_double(out, array.value(row)),
            Values::Numeric(array, scale) => write_decimal(out, array.value(row), *scale),
            Values::WideNumeric(array, scale) => {
                let digits = array.value(row).to_string();
                if let Some(digits) = digits.strip_prefix('-') {
                    out.push(b'-');
                    write_digits(out, digits, *scale);
                } else {
                    write_digits(out, &digits, *scale);
                }
            }
            Values::AnyNumeric(array) => match Numeric::from_bytes(array.value(row)) {
                Some(number) => number.write(out),
                None => unreachable!("segments and log have checksums, and all else is written by us"),
            },
            Values::Text(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Values::Padded(array, length) => {
                let text = array.value(row);
                out.extend_from_slice(text.as_bytes());
                out.resize(out.len() + length.saturating_sub(text.chars().count()), b' ');
            }
            Values::LargeText(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Values::TextView(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Values::Date(array) => write_date(out, array.value(row)),
            Values::Time(array) => write_time(out, array.value(row)),
            Values::Timestamp(array) => write_timestamp(out, array.value(row)),
            Values::Timestamptz(array, zone) => write_timestamptz(out, array.value(row), zone),
            Values::Interval(array) => {
                // Writing to memory does not fail.
                let _ = write!(out, "{}", interval_from_arrow(array.value(row)));
            }
            Values::Uuid(array) => {
                for (i, byte) in array.value(row).iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        out.push(b'-');
                    }
                    write_hex(out, *byte);
                }
            }
            Values::Bytea(array) => {
                out.extend_from_slice(b"\\x");
                array.value(row).iter().for_each(|byte| write_hex(out, *byte));
            }
            Values::List(array, items) => {
                let (start, end) = (array.value_offsets()[row] as usize, array.value_offsets()[row + 1] as usize);
                items.write_list(start, end, out);
            }
            Values::Struct(parts) => write_record(parts, row, out),
        }
        true
    }

    fn write_list(&self, start: usize, end: usize, out: &mut Vec<u8>) {
        let text = matches!(
            &self.values,
            Values::Text(_) | Values::Padded(..) | Values::LargeText(_) | Values::TextView(_) | Values::Bytea(_)
        );
        let plain = !text
            && !matches!(
                &self.values,
                Values::Struct(_)
                    | Values::Timestamp(_)
                    | Values::Timestamptz(..)
                    | Values::Interval(_)
                    | Values::Date(_)
            );
        let mut item = Vec::new();
        out.push(b'{');
        for row in start..end {
            if row > start {
                out.push(b',');
            }
            if plain {
                if !self.write(row, out) {
                    out.extend_from_slice(b"NULL");
                }
                continue;
            }
            item.clear();
            if !self.write(row, &mut item) {
                out.extend_from_slice(b"NULL");
            } else if needs_quotes(&item) {
                write_quoted(out, &item, b"\\");
            } else {
                out.extend_from_slice(&item);
            }
        }
        out.push(b'}');
    }
}

/// The text of a value; `None` for NULL.
pub fn scalar_text(value: &ScalarValue, zone: &Zone) -> Option<String> {
    let array = value.to_array().ok()?;
    let writer = ColumnWriter::new(&array, &Field::new("value", array.data_type().clone(), true), *zone).ok()?;
    let mut out = Vec::new();
    writer.write(0, &mut out).then(|| String::from_utf8_lossy(&out).into_owned())
}

/// The texts of all values of a column.
///
/// # Errors
/// As [`ColumnWriter::new`].
pub fn column_text(array: &dyn Array, zone: &Zone) -> Result<ArrayRef> {
    if array.data_type() == &DataType::Utf8 {
        return Ok(Arc::new(array.as_string::<i32>().clone()));
    }
    let writer = ColumnWriter::new(array, &Field::new("value", array.data_type().clone(), true), *zone)?;
    let mut texts = arrow::array::StringBuilder::with_capacity(array.len(), array.len() * 8);
    let mut out = Vec::new();
    for row in 0..array.len() {
        out.clear();
        match writer.write(row, &mut out) {
            true => texts.append_value(std::str::from_utf8(&out).expect("text forms are UTF-8")),
            false => texts.append_null(),
        }
    }
    Ok(Arc::new(texts.finish()))
}

fn write_hex(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// Whether an array element is only understood in quotes.
fn needs_quotes(item: &[u8]) -> bool {
    item.is_empty()
        || item.eq_ignore_ascii_case(b"null")
        || item.iter().any(|b| matches!(b, b'"' | b'\\' | b'{' | b'}' | b',') || b.is_ascii_whitespace() || *b == 0x0b)
}

/// Appends `item` in double quotes; `"` and `\` are preceded by a backslash or, without `escape`, doubled.
fn write_quoted(out: &mut Vec<u8>, item: &[u8], escape: &[u8]) {
    out.push(b'"');
    for b in item {
        if matches!(b, b'"' | b'\\') {
            out.extend_from_slice(if escape.is_empty() { std::slice::from_ref(b) } else { escape });
        }
        out.push(*b);
    }
    out.push(b'"');
}

/// Appends `(1,"a b",)`.
fn write_record(parts: &[ColumnWriter], row: usize, out: &mut Vec<u8>) {
    let mut item = Vec::new();
    out.push(b'(');
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        item.clear();
        if part.write(row, &mut item) {
            let quote = item.is_empty()
                || item.iter().any(|b| matches!(b, b'"' | b'\\' | b'(' | b')' | b',') || b.is_ascii_whitespace());
            if quote {
                write_quoted(out, &item, b"");
            } else {
                out.extend_from_slice(&item);
            }
        }
    }
    out.push(b')');
}
