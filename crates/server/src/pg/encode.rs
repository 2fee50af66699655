//! Rows as DataRow messages.
//!
//! What a column is, and how it is written, is found once per batch; then rows go straight into the
//! outgoing buffer:
//!
//! ```text
//! batch ──Column::new, per column──▶ typed arrays ──row by row──▶ D len n [len value]…
//! ```
//!
//! The text format is the engine's; the binary format, which only the protocol has, is here.

use super::types::{self, Described};
use super::{binary, reply};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray,
    LargeBinaryArray, ListArray, RecordBatch, StringArray, StringViewArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, IntervalUnit, SchemaRef, TimeUnit};
use highwater::text::ColumnWriter;
use highwater::{Error, Result};
use highwater_model::time::Zone;
use highwater_model::{Interval, Numeric};
use std::sync::Arc;

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As people write it.
    #[default]
    Text,
    /// As PostgreSQL's `*_send` functions write it.
    Binary,
}

/// Writes the rows of one result.
#[derive(Debug)]
pub struct RowEncoder {
    schema: SchemaRef,
    formats: Vec<Format>,
    zone: Zone,
}

impl RowEncoder {
    /// An encoder of rows with these columns.
    ///
    /// * `formats` – none for text, one for all columns, or one for each.
    /// * `zone` – that timestamps are shown in.
    pub fn new(schema: SchemaRef, formats: &[Format], zone: Zone) -> RowEncoder {
        let formats = match formats {
            [] => vec![Format::Text; schema.fields().len()],
            [one] => vec![*one; schema.fields().len()],
            each => each.to_vec(),
        };
        RowEncoder { schema, formats, zone }
    }

    /// The columns of a batch, ready to be written.
    ///
    /// # Errors
    /// 22003 when a value has no place in the type that was announced.
    pub fn columns(&self, batch: &RecordBatch) -> Result<Vec<Column>> {
        let columns = batch.columns().iter().zip(self.schema.fields()).zip(&self.formats);
        columns.map(|((array, field), format)| Column::new(array, field, *format, self.zone)).collect()
    }

    /// Appends one DataRow.
    pub fn write_row(&self, columns: &[Column], row: usize, out: &mut Vec<u8>) {
        reply::message(out, b'D', |out| {
            out.extend_from_slice(&(columns.len() as i16).to_be_bytes());
            for column in columns {
                column.write_field(row, out);
            }
        });
    }
}

/// One column of a batch.
#[derive(Debug)]
pub enum Column {
    /// In the text format.
    Text(ColumnWriter),
    /// In the text format of `int2vector` and `oidvector`: a list without braces and commas.
    Vector(ColumnWriter),
    /// In the binary format.
    Binary(BinaryColumn),
}

impl Column {
    /// A column of `array` that was announced as `field`.
    ///
    /// # Errors
    /// 22003 when a value has no place in the type that was announced; 0A000 when there is no such type in SQL.
    pub fn new(array: &ArrayRef, field: &Field, format: Format, zone: Zone) -> Result<Column> {
        let described = Described::of_field(field);
        Ok(match format {
            Format::Binary => Column::Binary(BinaryColumn::new(array, described)?),
            Format::Text if described.is_vector() => Column::Vector(ColumnWriter::new(array, field, zone)?),
            Format::Text => Column::Text(ColumnWriter::new(array, field, zone)?),
        })
    }

    /// Appends a length and the value, or the length `-1` for NULL.
    pub fn write_field(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Column::Text(writer) => with_length(out, |out| writer.write(row, out)),
            Column::Vector(writer) => with_length(out, |out| {
                let start = out.len();
                let written = writer.write(row, out);
                out.truncate(if written { out.len() - 1 } else { start });
                if written {
                    out.remove(start);
                    out[start..].iter_mut().filter(|b| **b == b',').for_each(|b| *b = b' ');
                }
                written
            }),
            Column::Binary(column) => column.write_field(row, out),
        }
    }
}

/// Appends a length and what `write` appends, or the length `-1` when it says that there is nothing.
fn with_length(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) {
    let start = out.len();
    out.extend_from_slice(&[0xff; 4]);
    if write(out) {
        let length = (out.len() - start - 4) as i32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// One column of a batch in the binary format.
#[derive(Debug)]
pub struct BinaryColumn {
    nulls: Option<NullBuffer>,
    described: Described,
    cells: Cells,
}

#[derive(Debug)]
enum Cells {
    AllNull,
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    Oid(UInt32Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Decimal(Decimal128Array, i8),
    WideDecimal(Decimal256Array, i8),
    Numeric(LargeBinaryArray),
    Text(StringArray),
    TextView(StringViewArray),
    Bytea(BinaryArray),
    Uuid(FixedSizeBinaryArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    List(ListArray, Box<BinaryColumn>),
    Record(Vec<BinaryColumn>),
}

impl BinaryColumn {
    fn new(array: &ArrayRef, described: Described) -> Result<BinaryColumn> {
        let wanted = canonical(array.data_type(), described);
        let array = if *array.data_type() == wanted {
            Arc::clone(array)
        } else {
            cast_with_options(array, &wanted, &CastOptions { safe: false, ..CastOptions::default() }).map_err(|e| {
                Error::new("22003", format!("{} out of range", described.element.name)).detail(e.to_string())
            })?
        };
        let cells = match array.data_type() {
            DataType::Boolean => Cells::Bool(array.as_boolean().clone()),
            DataType::Int16 => Cells::Int2(array.as_primitive().clone()),
            DataType::Int32 => Cells::Int4(array.as_primitive().clone()),
            DataType::Int64 => Cells::Int8(array.as_primitive().clone()),
            DataType::UInt32 => Cells::Oid(array.as_primitive().clone()),
            DataType::Float32 => Cells::Float4(array.as_primitive().clone()),
            DataType::Float64 => Cells::Float8(array.as_primitive().clone()),
            DataType::Decimal128(_, scale) => Cells::Decimal(array.as_primitive().clone(), *scale),
            DataType::Decimal256(_, scale) => Cells::WideDecimal(array.as_primitive().clone(), *scale),
            DataType::LargeBinary => Cells::Numeric(array.as_binary().clone()),
            DataType::Utf8 => Cells::Text(array.as_string().clone()),
            DataType::Utf8View => Cells::TextView(array.as_string_view().clone()),
            DataType::Binary => Cells::Bytea(array.as_binary().clone()),
            DataType::FixedSizeBinary(16) => Cells::Uuid(array.as_fixed_size_binary().clone()),
            DataType::Date32 => Cells::Date(array.as_primitive().clone()),
            DataType::Time64(TimeUnit::Microsecond) => Cells::Time(array.as_primitive().clone()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Cells::Timestamp(array.as_primitive().clone()),
            DataType::Interval(IntervalUnit::MonthDayNano) => Cells::Interval(array.as_primitive().clone()),
            DataType::List(item) => {
                let list = array.as_list::<i32>().clone();
                let element = if matches!(item.data_type(), DataType::List(_)) {
                    described
                } else {
                    Described { is_array: false, ..described }
                };
                let element = match element.element.oid {
                    22 => Described { element: types::INT2, ..element },
                    30 => Described { element: types::OID, ..element },
                    // Of lists that are announced as something else, only the items tell what they are.
                    _ if !described.is_array => Described::of_field(item),
                    _ => element,
                };
                let values = BinaryColumn::new(list.values(), element)?;
                Cells::List(list, Box::new(values))
            }
            // The bytes of a state are its value.
            DataType::Struct(_) if described.element != types::RECORD => {
                Cells::Bytea(array.as_struct().column(0).as_binary().clone())
            }
            DataType::Struct(fields) => Cells::Record(
                array
                    .as_struct()
                    .columns()
                    .iter()
                    .zip(fields)
                    .map(|(column, field)| BinaryColumn::new(column, Described::of_field(field)))
                    .collect::<Result<_>>()?,
            ),
            _ => Cells::AllNull,
        };
        Ok(BinaryColumn { nulls: array.logical_nulls(), described, cells })
    }

    /// Appends a length and the value, or the length `-1` for NULL.
    fn write_field(&self, row: usize, out: &mut Vec<u8>) {
        with_length(out, |out| {
            let valid = !self.is_null(row);
            if valid {
                self.write(row, out);
            }
            valid
        });
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends a value that is not NULL in the binary format.
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        match &self.cells {
            Cells::AllNull => {}
            Cells::Bool(a) => out.push(u8::from(a.value(row))),
            Cells::Int2(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Cells::Int4(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Cells::Int8(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Cells::Oid(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Cells::Float4(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Cells::Float8(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Cells::Decimal(a, scale) => {
                let value = a.value(row);
                let digits = &mut [0; 40];
                binary::numeric(out, value < 0, binary::digits(value.unsigned_abs(), digits), (*scale).into());
            }
            Cells::WideDecimal(a, scale) => {
                let (negative, digits) = wide_digits(a, row);
                binary::numeric(out, negative, &digits, (*scale).into());
            }
            Cells::Numeric(a) => {
                let text = Numeric::from_bytes(a.value(row)).map(|number| number.to_string());
                if let Some(bytes) = text.and_then(|text| numeric_binary(&text)) {
                    out.extend_from_slice(&bytes);
                }
            }
            Cells::Text(a) => self.write_string_binary(a.value(row), out),
            Cells::TextView(a) => self.write_string_binary(a.value(row), out),
            Cells::Bytea(a) => out.extend_from_slice(a.value(row)),
            Cells::Uuid(a) => out.extend_from_slice(a.value(row)),
            Cells::Date(a) => out.extend_from_slice(&binary::date(a.value(row)).to_be_bytes()),
            Cells::Time(a) => out.extend_from_slice(&a.value(row).to_be_bytes()),
            Cells::Timestamp(a) => {
                out.extend_from_slice(&binary::timestamp(a.value(row)).to_be_bytes());
            }
            Cells::Interval(a) => {
                let value = interval(a, row);
                out.extend_from_slice(&value.micros.to_be_bytes());
                out.extend_from_slice(&value.days.to_be_bytes());
                out.extend_from_slice(&value.months.to_be_bytes());
            }
            Cells::List(list, values) => self.write_list_binary(list, values, row, out),
            Cells::Record(fields) => {
                out.extend_from_slice(&(fields.len() as i32).to_be_bytes());
                for field in fields {
                    out.extend_from_slice(&field.described.oid().to_be_bytes());
                    field.write_field(row, out);
                }
            }
        }
    }

    /// A value that is kept as text although its PostgreSQL type has another binary form.
    fn write_string_binary(&self, value: &str, out: &mut Vec<u8>) {
        let converted = match self.described.element.oid {
            3802 => {
                out.push(1);
                None
            }
            1042 if self.described.modifier > 4 => {
                let blanks = (self.described.modifier as usize - 4).saturating_sub(value.chars().count());
                Some(format!("{value}{}", " ".repeat(blanks)).into_bytes())
            }
            650 => binary::inet(value, true),
            869 => binary::inet(value, false),
            1700 => numeric_binary(value),
            2950 => parse_uuid(value).map(Vec::from),
            24 | 26 | 28 | 2202..=2206 | 4089 | 4096 => Some(value.parse::<u32>().unwrap_or(0).to_be_bytes().to_vec()),
            _ => None,
        };
        out.extend_from_slice(converted.as_deref().unwrap_or(value.as_bytes()));
    }

    /// ```text
    /// dimensions  has NULLs  element oid  (length, lower bound) per dimension  elements
    /// ```
    fn write_list_binary(&self, list: &ListArray, values: &BinaryColumn, row: usize, out: &mut Vec<u8>) {
        let is_vector = self.described.is_vector();
        let mut dimensions = Vec::new();
        measure(list, values, row, &mut dimensions);
        if dimensions.contains(&0) {
            dimensions.clear();
        }
        out.extend_from_slice(&(dimensions.len() as i32).to_be_bytes());
        let flag = out.len();
        out.extend_from_slice(&0_i32.to_be_bytes());
        let mut leaf = values;
        while let Cells::List(_, inner) = &leaf.cells {
            leaf = inner;
        }
        out.extend_from_slice(&Described { is_array: false, ..leaf.described }.oid().to_be_bytes());
        for length in &dimensions {
            out.extend_from_slice(&(*length as i32).to_be_bytes());
            out.extend_from_slice(&i32::from(!is_vector).to_be_bytes());
        }
        let mut has_null = false;
        write_items(list, values, Some(row), &dimensions, &mut has_null, out);
        if has_null {
            out[flag..flag + 4].copy_from_slice(&1_i32.to_be_bytes());
        }
    }
}

/// The dimensions of an array, told by its first elements: PostgreSQL's arrays are rectangular.
fn measure(list: &ListArray, values: &BinaryColumn, row: usize, dimensions: &mut Vec<usize>) {
    let (start, end) = bounds(list, row);
    dimensions.push(end - start);
    if let Cells::List(inner, inner_values) = &values.cells
        && end > start
    {
        measure(inner, inner_values, start, dimensions);
    }
}

/// Appends the elements of an array, with NULL where an inner list is shorter than the first.
fn write_items(
    list: &ListArray,
    values: &BinaryColumn,
    row: Option<usize>,
    dimensions: &[usize],
    has_null: &mut bool,
    out: &mut Vec<u8>,
) {
    let Some((length, inner_dimensions)) = dimensions.split_first() else { return };
    let (start, end) = row.map_or((0, 0), |row| bounds(list, row));
    for item in start..start + length {
        let item = (item < end && !values.is_null(item)).then_some(item);
        match (&values.cells, item) {
            (Cells::List(inner, inner_values), item) => {
                write_items(inner, inner_values, item, inner_dimensions, has_null, out);
            }
            (_, Some(item)) => values.write_field(item, out),
            (_, None) => {
                *has_null = true;
                out.extend_from_slice(&(-1_i32).to_be_bytes());
            }
        }
    }
}

fn bounds(list: &ListArray, row: usize) -> (usize, usize) {
    let offsets = list.value_offsets();
    (offsets[row] as usize, offsets[row + 1] as usize)
}

fn interval(array: &IntervalMonthDayNanoArray, row: usize) -> Interval {
    let value = array.value(row);
    Interval { months: value.months, days: value.days, micros: value.nanoseconds / 1000 }
}

fn wide_digits(array: &Decimal256Array, row: usize) -> (bool, Vec<u8>) {
    let value = array.value(row).to_string();
    match value.strip_prefix('-') {
        Some(digits) => (true, digits.as_bytes().to_vec()),
        None => (false, value.into_bytes()),
    }
}

fn numeric_binary(value: &str) -> Option<Vec<u8>> {
    let (negative, value) = value.strip_prefix('-').map_or((false, value), |v| (true, v));
    let (integer, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits: Vec<u8> = integer.bytes().chain(fraction.bytes()).collect();
    let mut out = Vec::new();
    match value {
        "NaN" => out.extend_from_slice(&[0, 0, 0, 0, 0xC0, 0, 0, 0]),
        "Infinity" => out.extend_from_slice(&[0, 0, 0, 0, if negative { 0xF0 } else { 0xD0 }, 0, 0, 0x20]),
        _ if digits.iter().all(u8::is_ascii_digit) => {
            binary::numeric(&mut out, negative, &digits, fraction.len().try_into().ok()?);
        }
        _ => return None,
    }
    Some(out)
}

/// Reads a `uuid`, with or without hyphens and braces.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.trim();
    let inner = text.strip_prefix('{').map_or(Some(text), |t| t.strip_suffix('}'))?;
    let digits: String = inner.chars().filter(|c| *c != '-').collect();
    let valid = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    valid.then(|| u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)).flatten()
}

/// The one Arrow type that values announced in this way are written from.
fn canonical(data_type: &DataType, described: Described) -> DataType {
    use DataType as T;
    let number = data_type.is_numeric();
    match data_type {
        T::Null => T::Null,
        T::Dictionary(_, value) => canonical(value, described),
        T::Utf8 | T::LargeUtf8 => T::Utf8,
        T::Utf8View => T::Utf8View,
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) | T::ListView(item) | T::LargeListView(item) => {
            T::List(Arc::clone(item))
        }
        T::Struct(fields) => T::Struct(fields.clone()),
        T::LargeBinary => T::LargeBinary,
        T::Decimal256(_, scale) if described.element.oid == 1700 => T::Decimal256(76, *scale),
        T::Decimal32(precision, scale) | T::Decimal64(precision, scale) | T::Decimal128(precision, scale)
            if described.element.oid == 1700 =>
        {
            T::Decimal128(*precision, *scale)
        }
        _ => match described.element.oid {
            16 => T::Boolean,
            17 => T::Binary,
            20 => T::Int64,
            21 => T::Int16,
            23 => T::Int32,
            24 | 26 | 28 | 29 | 2202..=2206 | 4089 | 4096 if number => T::UInt32,
            700 => T::Float32,
            701 => T::Float64,
            1082 => T::Date32,
            1083 => T::Time64(TimeUnit::Microsecond),
            // The zone of the field is kept: a cast would shift values that have none.
            1114 | 1184 => match data_type {
                T::Timestamp(_, zone) => T::Timestamp(TimeUnit::Microsecond, zone.clone()),
                _ => T::Timestamp(TimeUnit::Microsecond, None),
            },
            1186 => T::Interval(IntervalUnit::MonthDayNano),
            1700 if data_type.is_integer() => T::Decimal128(38, 0),
            2950 => T::FixedSizeBinary(16),
            _ => T::Utf8,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        Decimal128Array, DictionaryArray, DurationMicrosecondArray, Int8Array, LargeStringArray, ListBuilder,
        NullArray, StringBuilder, StructArray, TimestampNanosecondArray, UInt64Array,
    };
    use arrow::datatypes::{Fields, Int32Type, IntervalMonthDayNano, i256};
    use std::collections::HashMap;

    fn field(array: &ArrayRef, pg_type: Option<&str>) -> Field {
        let metadata = pg_type.map(|t| (types::PG_TYPE.to_owned(), t.to_owned()));
        Field::new("x", array.data_type().clone(), true).with_metadata(HashMap::from_iter(metadata))
    }

    fn write(array: impl Array + 'static, pg_type: Option<&str>, zone: &str) -> (Vec<String>, Vec<Vec<u8>>) {
        let array: ArrayRef = Arc::new(array);
        let zone = Zone::parse(zone).unwrap();
        let values = |format| -> Vec<Vec<u8>> {
            let column = Column::new(&array, &field(&array, pg_type), format, zone).unwrap();
            let value = |row| {
                let mut out = Vec::new();
                column.write_field(row, &mut out);
                let length = i32::from_be_bytes(out[..4].try_into().unwrap());
                assert_eq!(length.max(0) as usize, out.len() - 4);
                if length < 0 { b"<null>".to_vec() } else { out[4..].to_vec() }
            };
            (0..array.len()).map(value).collect()
        };
        let text = values(Format::Text).into_iter().map(|v| String::from_utf8(v).unwrap()).collect();
        (text, values(Format::Binary))
    }

    fn check(array: impl Array + 'static, text: &[&str], binary: &[&[u8]]) {
        check_as(array, None, text, binary);
    }

    fn check_as(array: impl Array + 'static, pg_type: Option<&str>, text: &[&str], binary: &[&[u8]]) {
        let (actual_text, actual_binary) = write(array, pg_type, "UTC");
        assert_eq!(actual_text, text);
        assert_eq!(actual_binary, binary);
    }

    #[test]
    fn booleans() {
        check(BooleanArray::from(vec![Some(true), Some(false), None]), &["t", "f", "<null>"], &[&[1], &[0], b"<null>"]);
    }

    #[test]
    fn whole_numbers() {
        check(Int16Array::from(vec![-2]), &["-2"], &[&[0xff, 0xfe]]);
        check(Int8Array::from(vec![-2]), &["-2"], &[&[0xff, 0xfe]]);
        check(Int32Array::from(vec![258]), &["258"], &[&[0, 0, 1, 2]]);
        check(Int64Array::from(vec![258]), &["258"], &[&[0, 0, 0, 0, 0, 0, 1, 2]]);
        check(UInt32Array::from(vec![u32::MAX]), &["4294967295"], &[&[0xff; 4]]);
        check(UInt64Array::from(vec![258]), &["258"], &[&[0, 0, 0, 0, 0, 0, 1, 2]]);
    }

    #[test]
    fn a_number_too_large_for_bigint_is_an_error() {
        let array: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        let error = Column::new(&array, &field(&array, None), Format::Binary, Zone::UTC).unwrap_err();
        assert_eq!(error.sqlstate, "22003", "{error:?}");
    }

    #[test]
    fn floats() {
        check(Float32Array::from(vec![1.5]), &["1.5"], &[&[0x3f, 0xc0, 0, 0]]);
        check(
            Float64Array::from(vec![f64::NAN, 1.5]),
            &["NaN", "1.5"],
            &[&[0x7f, 0xf8, 0, 0, 0, 0, 0, 0], &[0x3f, 0xf8, 0, 0, 0, 0, 0, 0]],
        );
    }

    #[test]
    fn numerics() {
        let narrow = Decimal128Array::from(vec![Some(-1234567), None]).with_precision_and_scale(10, 2).unwrap();
        let bytes: &[u8] = &[0, 3, 0, 1, 0x40, 0, 0, 2, 0, 1, 0x09, 0x29, 0x1a, 0x2c];
        check(narrow, &["-12345.67", "<null>"], &[bytes, b"<null>"]);
        let wide = Decimal256Array::from(vec![i256::from_i128(-1234567)]).with_precision_and_scale(60, 2).unwrap();
        check(wide, &["-12345.67"], &[bytes]);
        check_as(StringArray::from(vec!["-12345.67"]), Some("numeric"), &["-12345.67"], &[bytes]);
        let kept =
            ["-12345.67", "NaN", "-Infinity", "1.00"].map(|text| Numeric::parse(text.as_bytes()).unwrap().to_bytes());
        check(
            LargeBinaryArray::from_iter_values(&kept),
            &["-12345.67", "NaN", "-Infinity", "1.00"],
            &[bytes, &[0, 0, 0, 0, 0xc0, 0, 0, 0], &[0, 0, 0, 0, 0xf0, 0, 0, 0x20], &[0, 1, 0, 0, 0, 0, 0, 2, 0, 1]],
        );
    }

    #[test]
    fn texts() {
        check(StringArray::from(vec!["añ", ""]), &["añ", ""], &["añ".as_bytes(), b""]);
        check(
            StringViewArray::from(vec!["a string longer than twelve"]),
            &["a string longer than twelve"],
            &[b"a string longer than twelve"],
        );
        check(LargeStringArray::from(vec!["a"]), &["a"], &[b"a"]);
        check(
            ["a", "b", "a"].into_iter().collect::<DictionaryArray<Int32Type>>(),
            &["a", "b", "a"],
            &[b"a", b"b", b"a"],
        );
        check_as(StringArray::from(vec!["{}"]), Some("jsonb"), &["{}"], &[b"\x01{}"]);
        check_as(StringArray::from(vec!["{}"]), Some("json"), &["{}"], &[b"{}"]);
        check_as(StringArray::from(vec!["10.0.0.1"]), Some("inet"), &["10.0.0.1"], &[&[2, 32, 0, 4, 10, 0, 0, 1]]);
        check_as(Int64Array::from(vec![1]), Some("oid"), &["1"], &[&[0, 0, 0, 1]]);
    }

    #[test]
    fn bytes_and_uuids() {
        check(BinaryArray::from(vec![&b"\x00a"[..]]), &["\\x0061"], &[b"\x00a"]);
        let id = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes();
        let uuids = FixedSizeBinaryArray::try_from_iter([id].into_iter()).unwrap();
        check(uuids, &["01234567-89ab-cdef-0123-456789abcdef"], &[&id]);
        assert_eq!(parse_uuid("{01234567-89AB-cdef-0123-456789abcdef}"), Some(id));
        assert_eq!(parse_uuid("01234567"), None);
    }

    #[test]
    fn dates_and_times() {
        check(
            Date32Array::from(vec![10_958, i32::MAX, i32::MIN]),
            &["2000-01-02", "infinity", "-infinity"],
            &[&[0, 0, 0, 1], &[0x7f, 0xff, 0xff, 0xff], &[0x80, 0, 0, 0]],
        );
        check(Time64MicrosecondArray::from(vec![1]), &["00:00:00.000001"], &[&[0, 0, 0, 0, 0, 0, 0, 1]]);
        let micros = vec![binary::EPOCH_MICROS + 1, i64::MAX, i64::MIN];
        let bytes: &[&[u8]] = &[
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x80, 0, 0, 0, 0, 0, 0, 0],
        ];
        let local = TimestampMicrosecondArray::from(micros.clone());
        check(local.clone(), &["2000-01-01 00:00:00.000001", "infinity", "-infinity"], bytes);
        let zoned = local.with_timezone("UTC");
        check(zoned.clone(), &["2000-01-01 00:00:00.000001+00", "infinity", "-infinity"], bytes);
        let (text, _) = write(zoned, None, "America/New_York");
        assert_eq!(text[0], "1999-12-31 19:00:00.000001-05");
        check(TimestampNanosecondArray::from(vec![binary::EPOCH_MICROS * 1000]), &["2000-01-01 00:00:00"], &[&[0; 8]]);
    }

    #[test]
    fn intervals() {
        let value = IntervalMonthDayNano::new(14, -3, 3_600_000_000_000);
        let bytes: &[u8] = &[0, 0, 0, 0, 0xd6, 0x93, 0xa4, 0, 0xff, 0xff, 0xff, 0xfd, 0, 0, 0, 14];
        check(IntervalMonthDayNanoArray::from(vec![value]), &["1 year 2 mons -3 days +01:00:00"], &[bytes]);
        check(
            DurationMicrosecondArray::from(vec![1]),
            &["00:00:00.000001"],
            &[&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]],
        );
    }

    #[test]
    fn lists() {
        let mut builder = ListBuilder::new(StringBuilder::new());
        builder.append_value([Some("a"), None, Some("b c"), Some("")]);
        builder.append_value(Vec::<Option<&str>>::new());
        builder.append_null();
        let first: &[u8] = &[
            0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 4, 0, 0, 0, 1, // one dimension of 4
            0, 0, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, b'b', b' ', b'c', 0, 0, 0, 0,
        ];
        let empty: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25];
        check(builder.finish(), &["{a,NULL,\"b c\",\"\"}", "{}", "<null>"], &[first, empty, b"<null>"]);
    }

    #[test]
    fn lists_of_lists() {
        let mut builder = ListBuilder::new(ListBuilder::new(arrow::array::Int16Builder::new()));
        builder.values().append_value([Some(1), Some(2)]);
        builder.values().append_value([Some(3), None]);
        builder.append(true);
        let bytes: &[u8] = &[
            0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 21, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, //
            0, 0, 0, 2, 0, 1, 0, 0, 0, 2, 0, 2, 0, 0, 0, 2, 0, 3, 0xff, 0xff, 0xff, 0xff,
        ];
        check(builder.finish(), &["{{1,2},{3,NULL}}"], &[bytes]);
    }

    #[test]
    fn vectors_have_no_braces() {
        let mut builder = ListBuilder::new(arrow::array::Int16Builder::new());
        builder.append_value([Some(1), Some(2)]);
        let bytes: &[u8] =
            &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 2, 0, 2];
        check_as(builder.finish(), Some("int2vector"), &["1 2"], &[bytes]);
    }

    #[test]
    fn records() {
        let record = StructArray::new(
            Fields::from(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)]),
            vec![Arc::new(Int32Array::from(vec![Some(7), None])), Arc::new(StringArray::from(vec!["x y", ""]))],
            None,
        );
        let first: &[u8] =
            &[0, 0, 0, 2, 0, 0, 0, 23, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 25, 0, 0, 0, 3, b'x', b' ', b'y'];
        let second: &[u8] = &[0, 0, 0, 2, 0, 0, 0, 23, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 25, 0, 0, 0, 0];
        check(record, &["(7,\"x y\")", "(,\"\")"], &[first, second]);
    }

    #[test]
    fn nulls_without_a_type() {
        check(NullArray::new(1), &["<null>"], &[b"<null>"]);
    }

    #[test]
    fn rows_are_messages() {
        let schema = Arc::new(arrow::datatypes::Schema::new(vec![
            Field::new("a", DataType::Int32, true),
            Field::new("b", DataType::Utf8, true),
        ]));
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![Arc::new(Int32Array::from(vec![1])), Arc::new(StringArray::from(vec![None::<&str>]))],
        )
        .unwrap();
        let encoder = RowEncoder::new(schema, &[Format::Binary, Format::Text], Zone::UTC);
        let mut out = Vec::new();
        encoder.write_row(&encoder.columns(&batch).unwrap(), 0, &mut out);
        assert_eq!(out, b"D\x00\x00\x00\x12\x00\x02\x00\x00\x00\x04\x00\x00\x00\x01\xff\xff\xff\xff");
    }
}
