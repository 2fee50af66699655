//! Text input: PostgreSQL's text forms become Arrow columns.

use super::network::Network;
use super::number::{
    field_overflow, invalid_syntax, parse_any_numeric, parse_double, parse_integer, parse_numeric, parse_real, trim,
};
use crate::error::{Error, Result};
use crate::json;
use crate::operator::exact::fit;
use crate::state::value;
use arrow::array::{
    Array, ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Decimal256Builder,
    FixedSizeBinaryBuilder, Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
    IntervalMonthDayNanoBuilder, LargeBinaryBuilder, ListArray, NullBufferBuilder, StringBuilder,
    Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano};
use datafusion::common::ScalarValue;
use highwater_model::time::{Clockface, Limit, parse_date, parse_time, parse_timestamp, parse_timestamptz};
use highwater_model::{ColumnType, Digits, Interval};
use std::borrow::Cow;
use std::sync::Arc;

/// Collects values of one type, given as text, into an Arrow column.
#[derive(Debug)]
pub struct ColumnReader {
    values: Values,
    /// What is kept of times.
    limit: Limit,
    clock: Clockface,
}

#[derive(Debug)]
enum Values {
    Boolean(BooleanBuilder),
    SmallInt(Int16Builder),
    Integer(Int32Builder),
    BigInt(Int64Builder),
    Real(Float32Builder),
    Double(Float64Builder),
    Numeric(Decimal128Builder, u8, i8),
    WideNumeric(Decimal256Builder, i8),
    AnyNumeric(LargeBinaryBuilder, Option<Digits>),
    Text(StringBuilder),
    /// Text whose type says what it may be.
    Checked(StringBuilder, ColumnType),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Timestamptz(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Uuid(FixedSizeBinaryBuilder),
    Bytea(BinaryBuilder),
    State(value::Column),
    List(Box<Lists>),
}

#[derive(Debug)]
struct Lists {
    items: ColumnReader,
    item_type: DataType,
    ends: Vec<i32>,
    valid: NullBufferBuilder,
}

/// Does the same to the builder of every type.
macro_rules! for_each {
    ($values:expr, $builder:ident => $do:expr, $lists:ident => $list:expr) => {
        match $values {
            Values::Boolean($builder) => $do,
            Values::SmallInt($builder) => $do,
            Values::Integer($builder) => $do,
            Values::BigInt($builder) => $do,
            Values::Real($builder) => $do,
            Values::Double($builder) => $do,
            Values::Numeric($builder, ..) => $do,
            Values::WideNumeric($builder, _) => $do,
            Values::AnyNumeric($builder, _) => $do,
            Values::Text($builder) | Values::Checked($builder, _) => $do,
            Values::Date($builder) => $do,
            Values::Time($builder) => $do,
            Values::Timestamp($builder) | Values::Timestamptz($builder) => $do,
            Values::Interval($builder) => $do,
            Values::Uuid($builder) => $do,
            Values::Bytea($builder) => $do,
            Values::State($builder) => $do,
            Values::List($lists) => $list,
        }
    };
}

impl ColumnReader {
    /// A reader for a column of this type.
    ///
    /// * `clock` – the session's zone, for timestamps without one, and the time of `now` and `today`.
    ///
    /// # Errors
    /// 0A000 for records, which only states are made of.
    pub fn new(column_type: &ColumnType, clock: Clockface) -> Result<Self> {
        let arrow = highwater_store::schema::arrow_type(column_type);
        let values = match column_type {
            ColumnType::Boolean => Values::Boolean(BooleanBuilder::new()),
            ColumnType::SmallInt => Values::SmallInt(Int16Builder::new()),
            ColumnType::Integer => Values::Integer(Int32Builder::new()),
            ColumnType::BigInt => Values::BigInt(Int64Builder::new()),
            ColumnType::Real => Values::Real(Float32Builder::new()),
            ColumnType::Double => Values::Double(Float64Builder::new()),
            ColumnType::Numeric { precision, scale } => {
                Values::Numeric(Decimal128Builder::new().with_data_type(arrow), *precision, *scale)
            }
            ColumnType::WideNumeric { scale } => {
                Values::WideNumeric(Decimal256Builder::new().with_data_type(arrow), *scale)
            }
            ColumnType::AnyNumeric(digits) => Values::AnyNumeric(LargeBinaryBuilder::new(), *digits),
            ColumnType::Text => Values::Text(StringBuilder::new()),
            ColumnType::Varchar(_)
            | ColumnType::Char(_)
            | ColumnType::Json
            | ColumnType::Jsonb
            | ColumnType::Inet
            | ColumnType::Cidr
            | ColumnType::Enum(_) => Values::Checked(StringBuilder::new(), column_type.clone()),
            ColumnType::Date => Values::Date(Date32Builder::new()),
            ColumnType::Time => Values::Time(Time64MicrosecondBuilder::new()),
            ColumnType::Timestamp => Values::Timestamp(TimestampMicrosecondBuilder::new()),
            ColumnType::Timestamptz => Values::Timestamptz(TimestampMicrosecondBuilder::new().with_data_type(arrow)),
            ColumnType::Interval => Values::Interval(IntervalMonthDayNanoBuilder::new()),
            ColumnType::Uuid => Values::Uuid(FixedSizeBinaryBuilder::new(16)),
            ColumnType::Bytea => Values::Bytea(BinaryBuilder::new()),
            ColumnType::List(item) => Values::List(Box::new(Lists {
                items: ColumnReader::new(item, clock)?,
                item_type: highwater_store::schema::arrow_type(item),
                ends: vec![0],
                valid: NullBufferBuilder::new(0),
            })),
            ColumnType::Limited(of, limit) => {
                return Ok(ColumnReader { limit: *limit, ..ColumnReader::new(of, clock)? });
            }
            ColumnType::Struct(_) => match column_type.state_name().and_then(value::Kind::by_name) {
                Some(kind) => Values::State(value::Column::new(kind)),
                None => return Err(Error::unsupported("input of records is not supported")),
            },
        };
        Ok(ColumnReader { values, limit: Limit::default(), clock })
    }

    /// Appends the value that `text` denotes.
    ///
    /// # Errors
    /// PostgreSQL's: 22P02 and 22007 when the text has not the form of the type, 22003 and 22008 when the value
    /// does not fit, 22021 when it is not UTF-8. The column is then to be thrown away.
    #[inline]
    pub fn append(&mut self, text: &[u8]) -> Result<()> {
        match &mut self.values {
            Values::Double(builder) => builder.append_value(parse_double(text)?),
            Values::BigInt(builder) => builder.append_value(parse_integer(text, i64::MIN, i64::MAX, "bigint")?),
            Values::Integer(builder) => {
                builder.append_value(parse_integer(text, i32::MIN.into(), i32::MAX.into(), "integer")? as i32);
            }
            Values::SmallInt(builder) => {
                builder.append_value(parse_integer(text, i16::MIN.into(), i16::MAX.into(), "smallint")? as i16);
            }
            Values::Text(builder) => {
                refuse_zero(text)?;
                builder.append_value(utf8(text)?);
            }
            Values::Checked(builder, column_type) => {
                refuse_zero(text)?;
                builder.append_value(checked_text(utf8(text)?, column_type)?);
            }
            Values::Timestamptz(builder) => {
                builder.append_value(self.limit.timestamp(parse_timestamptz(utf8(text)?, &self.clock)?)?);
            }
            Values::Timestamp(builder) => {
                builder.append_value(self.limit.timestamp(parse_timestamp(utf8(text)?, &self.clock)?)?);
            }
            Values::Date(builder) => builder.append_value(parse_date(utf8(text)?, &self.clock)?),
            Values::Time(builder) => builder.append_value(self.limit.time(parse_time(utf8(text)?, &self.clock)?)),
            Values::Boolean(builder) => builder.append_value(parse_boolean(text)?),
            Values::Real(builder) => builder.append_value(parse_real(text)?),
            Values::Numeric(builder, precision, scale) => {
                builder.append_value(parse_numeric(text, *precision, *scale)?);
            }
            Values::WideNumeric(builder, scale) => {
                let value = arrow::compute::kernels::cast_utils::parse_decimal::<arrow::datatypes::Decimal256Type>(
                    utf8(text)?,
                    76,
                    *scale,
                );
                builder.append_value(value.map_err(|_| field_overflow(76, i32::from(*scale)))?);
            }
            Values::AnyNumeric(builder, digits) => {
                let number = parse_any_numeric(text)?;
                let number = match digits {
                    Some(digits) => fit(&number, digits.precision, digits.scale)?,
                    None => number,
                };
                builder.append_value(number.to_bytes());
            }
            Values::Interval(builder) => {
                let interval = Interval::parse(&self.limit.spelled(utf8(text)?))?;
                builder.append_value(interval_to_arrow(&self.limit.interval(interval)?)?);
            }
            Values::Uuid(builder) => builder.append_value(parse_uuid(text)?)?,
            Values::Bytea(builder) => builder.append_value(parse_bytea(text)?),
            Values::State(column) => column.append(&parse_bytea(text)?)?,
            Values::List(lists) => lists.append(text)?,
        }
        Ok(())
    }

    /// Appends NULL.
    #[inline]
    pub fn append_null(&mut self) {
        for_each!(&mut self.values, builder => builder.append_null(), lists => {
            lists.ends.push(lists.items.len() as i32);
            lists.valid.append_null();
        });
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        for_each!(&self.values, builder => builder.len(), lists => lists.valid.len())
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The column; the reader is empty afterwards and can be used again.
    pub fn finish(&mut self) -> ArrayRef {
        for_each!(&mut self.values, builder => Arc::new(builder.finish()), lists => {
            let ends = std::mem::replace(&mut lists.ends, vec![0]);
            Arc::new(ListArray::new(
                Arc::new(Field::new("item", lists.item_type.clone(), true)),
                OffsetBuffer::new(ends.into()),
                lists.items.finish(),
                lists.valid.finish(),
            ))
        })
    }
}

/// The value that `text` denotes as a value of this type.
///
/// # Errors
/// As [`ColumnReader::append`]; 0A000 when there is no such type in SQL.
pub fn parse_scalar(text: &str, data_type: &DataType, clock: &Clockface) -> Result<ScalarValue> {
    if matches!(data_type, DataType::Utf8) {
        return Ok(ScalarValue::Utf8(Some(text.to_owned())));
    }
    let array = parse_column([Some(text)], data_type, clock)?;
    Ok(ScalarValue::try_from_array(&array, 0)?)
}

/// The values that texts denote as values of this type.
///
/// # Errors
/// As [`parse_scalar`].
pub fn parse_column<'a>(
    texts: impl IntoIterator<Item = Option<&'a str>>,
    data_type: &DataType,
    clock: &Clockface,
) -> Result<ArrayRef> {
    let column_type = highwater_store::schema::column_type(data_type)
        .ok_or_else(|| Error::unsupported(format!("text cannot be read as {data_type}")))?;
    let array = parse_typed(texts, &column_type, clock)?;
    if array.data_type() == data_type { Ok(array) } else { Ok(arrow::compute::cast(&array, data_type)?) }
}

/// The values that texts denote as values of a column of this type.
///
/// # Errors
/// As [`ColumnReader::append`].
pub fn parse_typed<'a>(
    texts: impl IntoIterator<Item = Option<&'a str>>,
    column_type: &ColumnType,
    clock: &Clockface,
) -> Result<ArrayRef> {
    let mut reader = ColumnReader::new(column_type, *clock)?;
    for text in texts {
        match text {
            Some(text) => reader.append(text.as_bytes())?,
            None => reader.append_null(),
        }
    }
    Ok(reader.finish())
}

/// The Arrow form of an interval.
///
/// # Errors
/// 22008 when its time part is longer than 292 years, which nanoseconds do not hold.
pub fn interval_to_arrow(interval: &Interval) -> Result<IntervalMonthDayNano> {
    let nanos = interval.micros.checked_mul(1000).ok_or_else(|| Error::new("22008", "interval out of range"))?;
    Ok(IntervalMonthDayNano::new(interval.months, interval.days, nanos))
}

/// The interval that Arrow holds; parts of a microsecond are dropped.
pub fn interval_from_arrow(interval: IntervalMonthDayNano) -> Interval {
    Interval { months: interval.months, days: interval.days, micros: interval.nanoseconds / 1000 }
}

#[inline]
fn refuse_zero(text: &[u8]) -> Result<()> {
    match text.contains(&0) {
        true => Err(Error::new("22021", "invalid byte sequence for encoding \"UTF8\": 0x00")),
        false => Ok(()),
    }
}

/// A text as a column of this type keeps it.
///
/// # Errors
/// 22001 when it is too long and more than blanks would be lost; 22P02 when it is not JSON.
pub fn checked_text<'a>(text: &'a str, column_type: &ColumnType) -> Result<Cow<'a, str>> {
    let fitting = |limit: u32| {
        let end = text.char_indices().nth(limit as usize).map_or(text.len(), |(i, _)| i);
        match text[end..].bytes().all(|b| b == b' ') {
            true => Ok(&text[..end]),
            false => Err(Error::new("22001", format!("value too long for type {column_type}"))),
        }
    };
    Ok(match column_type {
        ColumnType::Varchar(Some(limit)) => Cow::Borrowed(fitting(*limit)?),
        ColumnType::Char(limit) => Cow::Borrowed(fitting(*limit)?.trim_end_matches(' ')),
        ColumnType::Json => {
            json::validate(text)?;
            Cow::Borrowed(text)
        }
        ColumnType::Jsonb => Cow::Owned(json::parse(text)?.to_string()),
        ColumnType::Inet => Cow::Owned(Network::parse(text, false)?.text(false)),
        ColumnType::Cidr => Cow::Owned(Network::parse(text, true)?.text(true)),
        ColumnType::Enum(kind) if kind.rank(text).is_none() => {
            return Err(Error::new("22P02", format!("invalid input value for enum {}: \"{text}\"", kind.name)));
        }
        _ => Cow::Borrowed(text),
    })
}

/// The text of a value.
#[inline]
fn utf8(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|e| invalid_utf8(text, &e))
}

#[cold]
fn invalid_utf8(text: &[u8], e: &std::str::Utf8Error) -> Error {
    let from = e.valid_up_to();
    let to = e.error_len().map_or(text.len(), |n| from + n.max(1));
    let bytes: Vec<String> = text[from..to.min(text.len())].iter().map(|b| format!("0x{b:02x}")).collect();
    Error::new("22021", format!("invalid byte sequence for encoding \"UTF8\": {}", bytes.join(" ")))
}

/// Reads a `boolean`: any unambiguous beginning of `true`, `false`, `yes`, `no`, `on`, `off`; `1` and `0`.
fn parse_boolean(text: &[u8]) -> Result<bool> {
    let word = trim(text).to_ascii_lowercase();
    let begins = |full: &[u8], least: usize| word.len() >= least && full.starts_with(&word);
    if begins(b"true", 1) || begins(b"yes", 1) || begins(b"on", 2) || word == b"1" {
        Ok(true)
    } else if begins(b"false", 1) || begins(b"no", 1) || begins(b"off", 2) || word == b"0" {
        Ok(false)
    } else {
        Err(invalid_syntax("boolean", text))
    }
}

fn hex(b: u8) -> Option<u8> {
    (b as char).to_digit(16).map(|d| d as u8)
}

/// Reads a `uuid`: 32 hexadecimal digits, with a hyphen after any four, in braces or not.
fn parse_uuid(text: &[u8]) -> Result<[u8; 16]> {
    let bad = || invalid_syntax("uuid", text);
    let inner = match text {
        [b'{', inner @ .., b'}'] => inner,
        [b'{', ..] => return Err(bad()),
        _ => text,
    };
    let (mut uuid, mut at) = ([0u8; 16], 0);
    for (i, byte) in uuid.iter_mut().enumerate() {
        let pair = inner.get(at..at + 2).ok_or_else(bad)?;
        *byte = hex(pair[0]).ok_or_else(bad)? << 4 | hex(pair[1]).ok_or_else(bad)?;
        at += 2;
        if i % 2 == 1 && i < 15 && inner.get(at) == Some(&b'-') {
            at += 1;
        }
    }
    if at == inner.len() { Ok(uuid) } else { Err(bad()) }
}

/// Reads a `bytea` in the `hex` or the `escape` format.
fn parse_bytea(text: &[u8]) -> Result<Vec<u8>> {
    if let Some(digits) = text.strip_prefix(b"\\x") {
        let mut bytes = Vec::with_capacity(digits.len() / 2);
        let mut high = None;
        for b in digits.iter().filter(|b| !b.is_ascii_whitespace()) {
            let digit = hex(*b).ok_or_else(|| {
                Error::invalid_parameter(format!("invalid hexadecimal digit: \"{}\"", char::from(*b)))
            })?;
            match high.take() {
                None => high = Some(digit << 4),
                Some(high) => bytes.push(high | digit),
            }
        }
        return match high {
            Some(_) => Err(Error::invalid_parameter("invalid hexadecimal data: odd number of digits")),
            None => Ok(bytes),
        };
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        (*first != b'\\').then(|| bytes.push(*first));
        rest = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                after
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                after
            }
            (b'\\', _) => return Err(invalid_syntax("bytea", text)),
            _ => after,
        };
    }
    Ok(bytes)
}

impl Lists {
    /// Reads `{1,2,NULL}`, `{"a b","c\"d"}`, `{{1,2},{3,4}}`.
    fn append(&mut self, text: &[u8]) -> Result<()> {
        let malformed = |detail: &str| {
            let text = String::from_utf8_lossy(text);
            Error::new("22P02", format!("malformed array literal: \"{text}\"")).detail(detail)
        };
        let trimmed = trim(text);
        let Some(mut rest) = trimmed.strip_prefix(b"{") else {
            return Err(malformed("Array value must start with \"{\" or dimension information."));
        };
        let nested = matches!(self.item_type, DataType::List(_));
        rest = skip_space(rest);
        if let Some(after) = rest.strip_prefix(b"}") {
            rest = after;
        } else {
            loop {
                rest = skip_space(rest);
                let (item, after) = if nested && rest.first() == Some(&b'{') {
                    let end = closing(rest).ok_or_else(|| malformed("Unexpected end of input."))?;
                    (Some(rest[..end].to_vec()), &rest[end..])
                } else if rest.first() == Some(&b'{') {
                    return Err(Error::unsupported("arrays of more than one dimension are not supported"));
                } else {
                    item(rest).map_err(malformed)?
                };
                match item {
                    Some(item) => self.items.append(&item)?,
                    None => self.items.append_null(),
                }
                rest = skip_space(after);
                match rest.split_first() {
                    Some((b',', after)) => rest = after,
                    Some((b'}', after)) => {
                        rest = after;
                        break;
                    }
                    Some((b, _)) => return Err(malformed(&format!("Unexpected \"{}\" character.", char::from(*b)))),
                    None => return Err(malformed("Unexpected end of input.")),
                }
            }
        }
        if !rest.is_empty() {
            return Err(malformed("Junk after closing right brace."));
        }
        self.ends.push(self.items.len() as i32);
        self.valid.append_non_null();
        Ok(())
    }
}

fn skip_space(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(text.len());
    &text[start..]
}

/// Length of the nested array at the beginning of `text`.
fn closing(text: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (i, b) in text.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(i + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The array element at the beginning of `text`, and what comes after it.
fn item(text: &[u8]) -> std::result::Result<(Option<Vec<u8>>, &[u8]), &'static str> {
    let mut value = Vec::new();
    if let Some(mut rest) = text.strip_prefix(b"\"") {
        loop {
            match rest {
                [b'"', after @ ..] => return Ok((Some(value), after)),
                [b'\\', b, after @ ..] | [b, after @ ..] => {
                    value.push(*b);
                    rest = after;
                }
                [] => return Err("Unexpected end of input."),
            }
        }
    }
    let (mut rest, mut escaped, mut used) = (text, false, 0);
    loop {
        match rest {
            [b',' | b'}', ..] | [] => break,
            [b'"', ..] => return Err("Incorrectly quoted array element."),
            [b'{', ..] => return Err("Unexpected \"{\" character."),
            [b'\\', b, after @ ..] => {
                value.push(*b);
                (rest, escaped, used) = (after, true, value.len());
            }
            [b, after @ ..] => {
                value.push(*b);
                rest = after;
                if !b.is_ascii_whitespace() {
                    used = value.len();
                }
            }
        }
    }
    value.truncate(used);
    match rest.first() {
        None => Err("Unexpected end of input."),
        Some(b) if value.is_empty() => {
            Err(if *b == b',' { "Unexpected \",\" character." } else { "Unexpected \"}\" character." })
        }
        _ if !escaped && value.eq_ignore_ascii_case(b"null") => Ok((None, rest)),
        _ => Ok((Some(value), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::write::scalar_text;

    fn read(column_type: ColumnType, text: &str) -> String {
        let data_type = highwater_store::schema::arrow_type(&column_type);
        match parse_scalar(text, &data_type, &Clockface::EPOCH) {
            Ok(value) => scalar_text(&value, &Clockface::EPOCH.zone).unwrap_or("NULL".to_owned()),
            Err(e) => format!("{} {}", e.sqlstate, e.message),
        }
    }

    #[test]
    fn text_of_every_type_is_read_and_written_back() {
        use ColumnType::*;
        let list = |item| List(Box::new(item));
        for (column_type, text, expected) in [
            (Boolean, " YES ", "t"),
            (Boolean, "of", "f"),
            (Boolean, "o", "22P02 invalid input syntax for type boolean: \"o\""),
            (SmallInt, "7", "7"),
            (Integer, "x", "22P02 invalid input syntax for type integer: \"x\""),
            (BigInt, "-9223372036854775808", "-9223372036854775808"),
            (Real, "0.1", "0.1"),
            (Double, "1e20", "1e+20"),
            (Numeric { precision: 6, scale: 2 }, "-1.005", "-1.01"),
            (Numeric { precision: 3, scale: 3 }, "1", "22003 numeric field overflow"),
            (Text, "a b", "a b"),
            (Date, "2024-02-29", "2024-02-29"),
            (Date, "infinity", "infinity"),
            (Timestamp, "2024-02-29 13:37", "2024-02-29 13:37:00"),
            (Timestamptz, "2024-02-29 13:37:00.5+02", "2024-02-29 11:37:00.5+00"),
            (Timestamptz, "not a time", "22007 invalid input syntax for type timestamp with time zone: \"not a time\""),
            (Interval, "1 year 2 days 03:04:05", "1 year 2 days 03:04:05"),
            (Uuid, "{A0EEBC99-9C0B4EF8-bb6d6bb9bd380a11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            (Uuid, "a0eebc99", "22P02 invalid input syntax for type uuid: \"a0eebc99\""),
            (Bytea, "\\xDEADbeef", "\\xdeadbeef"),
            (Bytea, "a\\\\\\001", "\\x615c01"),
            (Bytea, "\\xabc", "22023 invalid hexadecimal data: odd number of digits"),
            (list(Integer), " { 1 , NULL,3 } ", "{1,NULL,3}"),
            (list(Integer), "{}", "{}"),
            (list(Text), r#"{a b,"c,\"d",NULL,"NULL",""}"#, r#"{"a b","c,\"d",NULL,"NULL",""}"#),
            (list(list(Integer)), "{{1,2},{3}}", "{{1,2},{3}}"),
            (list(Integer), "1,2", "22P02 malformed array literal: \"1,2\""),
            (list(Integer), "{1,,2}", "22P02 malformed array literal: \"{1,,2}\""),
            (list(Integer), "{1,2", "22P02 malformed array literal: \"{1,2\""),
            (list(Double), "{1.5,x}", "22P02 invalid input syntax for type double precision: \"x\""),
        ] {
            assert_eq!(read(column_type.clone(), text), expected, "{column_type} {text}");
        }
    }

    #[test]
    fn a_reader_can_be_used_again() {
        let mut reader = ColumnReader::new(&ColumnType::List(Box::new(ColumnType::Text)), Clockface::EPOCH).unwrap();
        for _ in 0..2 {
            reader.append(b"{a,b}").unwrap();
            reader.append_null();
            reader.append(b"{}").unwrap();
            assert_eq!(reader.len(), 3);
            let column = reader.finish();
            assert_eq!((column.len(), column.null_count()), (3, 1));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let mut reader = ColumnReader::new(&ColumnType::Text, Clockface::EPOCH).unwrap();
        let error = reader.append(b"ab\xff").unwrap_err();
        assert_eq!(error.message, "invalid byte sequence for encoding \"UTF8\": 0xff");
    }
}
