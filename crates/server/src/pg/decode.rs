//! Parameter values of Bind as the engine takes them.
//!
//! A value gets the type in which it was sent, which need not be the one that the statement wants: the
//! engine converts.

use super::message::Body;
use super::{binary, types};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, i256};
use highwater::text::number::{parse_double, parse_integer};
use highwater::text::{Clockface, parse_scalar};
use highwater::{Error, Parameter, Result};
use highwater_store::schema::column_type;
use std::sync::Arc;

/// Reads a value that was sent in the text format for a parameter of this type.
///
/// * `clock` – what a text like `today`, or a time without its zone, is relative to.
///
/// # Errors
/// 22P02, 22003, 22007, 22008 and 22021.
pub fn text(value: &[u8], data_type: &DataType, clock: &Clockface) -> Result<Parameter> {
    let text = std::str::from_utf8(value).map_err(|_| not_utf8())?;
    Ok(match data_type {
        DataType::Int32 => {
            let number = parse_integer(value, i32::MIN.into(), i32::MAX.into(), "integer")?;
            Parameter::Int32(i32::try_from(number).ok())
        }
        DataType::Int64 => Parameter::Int64(Some(parse_integer(value, i64::MIN, i64::MAX, "bigint")?)),
        DataType::UInt32 => {
            let number = parse_integer(value, 0, u32::MAX.into(), "oid")?;
            Parameter::UInt32(u32::try_from(number).ok())
        }
        DataType::Float64 => Parameter::Float64(Some(parse_double(value)?)),
        // The parameter's precision and scale are those of what it meets. The value keeps its own: rounding it
        // would let it equal what it does not.
        DataType::Decimal128(..) | DataType::Decimal256(..) if is_plain_number(text.trim()) => decimal(text.trim()),
        _ if column_type(data_type).is_none() => Parameter::Utf8(Some(text.to_owned())),
        _ => parse_scalar(text, data_type, clock)?,
    })
}

fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    !integer.is_empty() && integer.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
}

/// Reads a value that was sent in the binary format of the type `oid`.
///
/// # Errors
/// 22P03 when the bytes are not of this type.
pub fn binary(value: &[u8], oid: u32, data_type: &DataType) -> Result<Parameter> {
    match types::by_oid(oid) {
        Some((_, true)) => array(value, data_type),
        // The oids of enumerations and of their arrays are the database's own.
        None if matches!(data_type, DataType::List(_)) => array(value, data_type),
        _ => element(value, oid, data_type),
    }
}

fn element(value: &[u8], oid: u32, data_type: &DataType) -> Result<Parameter> {
    let out_of_range = || Error::new("22008", "timestamp out of range");
    Ok(match oid {
        16 => Parameter::Boolean(Some(fixed::<1>(value)? != [0])),
        17 => Parameter::Binary(Some(value.to_vec())),
        20 => Parameter::Int64(Some(i64::from_be_bytes(fixed(value)?))),
        21 => Parameter::Int16(Some(i16::from_be_bytes(fixed(value)?))),
        23 => Parameter::Int32(Some(i32::from_be_bytes(fixed(value)?))),
        24 | 26 | 28 | 29 | 2202..=2206 | 4089 | 4096 => Parameter::UInt32(Some(u32::from_be_bytes(fixed(value)?))),
        700 => Parameter::Float32(Some(f32::from_be_bytes(fixed(value)?))),
        701 => Parameter::Float64(Some(f64::from_be_bytes(fixed(value)?))),
        869 | 650 => Parameter::Utf8(Some(binary::inet_from(value).ok_or_else(incorrect)?)),
        1082 => {
            let days = binary::date_from(i32::from_be_bytes(fixed(value)?));
            Parameter::Date32(Some(days.ok_or_else(|| Error::new("22008", "date out of range"))?))
        }
        1083 => Parameter::Time64Microsecond(Some(i64::from_be_bytes(fixed(value)?))),
        1114 => {
            let micros = binary::timestamp_from(i64::from_be_bytes(fixed(value)?));
            Parameter::TimestampMicrosecond(Some(micros.ok_or_else(out_of_range)?), None)
        }
        1184 => {
            let micros = binary::timestamp_from(i64::from_be_bytes(fixed(value)?)).ok_or_else(out_of_range)?;
            let zone = match data_type {
                DataType::Timestamp(_, Some(zone)) => Arc::clone(zone),
                _ => "UTC".into(),
            };
            Parameter::TimestampMicrosecond(Some(micros), Some(zone))
        }
        1186 => {
            let bytes: [u8; 16] = fixed(value)?;
            let (micros, rest) = bytes.split_first_chunk().expect("16 bytes hold 8");
            let (days, months) = rest.split_first_chunk().expect("8 bytes hold 4");
            let nanoseconds = i64::from_be_bytes(*micros)
                .checked_mul(1000)
                .ok_or_else(|| Error::new("22008", "interval out of range"))?;
            Parameter::IntervalMonthDayNano(Some(IntervalMonthDayNano {
                months: i32::from_be_bytes(fixed(months)?),
                days: i32::from_be_bytes(*days),
                nanoseconds,
            }))
        }
        1700 => {
            let text = binary::numeric_from(value).ok_or_else(incorrect)?;
            match data_type {
                DataType::LargeBinary => parse_scalar(&text, data_type, &Clockface::EPOCH)?,
                _ => decimal(&text),
            }
        }
        2950 => Parameter::FixedSizeBinary(16, Some(fixed::<16>(value)?.to_vec())),
        3802 => match value {
            [1, json @ ..] => utf8(json)?,
            _ => return Err(incorrect()),
        },
        _ => utf8(value)?,
    })
}

/// An array: see `Column::write_list_binary` for its form.
fn array(value: &[u8], data_type: &DataType) -> Result<Parameter> {
    let mut body = Body(value);
    let mut next = || body.i32().map_err(|_| incorrect());
    let (dimension_count, _has_null, element_oid) = (next()?, next()?, next()? as u32);
    if !(0..=6).contains(&dimension_count) {
        return Err(incorrect());
    }
    let mut dimensions = Vec::new();
    for _ in 0..dimension_count {
        let (length, _lower_bound) = (next()?, next()?);
        dimensions.push(usize::try_from(length).map_err(|_| incorrect())?);
    }
    let count = if dimensions.is_empty() { 0 } else { dimensions.iter().product() };
    // Every element has a length of four bytes, so there cannot be more than these.
    if count > value.len() / 4 {
        return Err(incorrect());
    }
    let wanted = match data_type {
        DataType::List(item) => item.data_type(),
        other => other,
    };
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        let bytes = body.value().map_err(|_| incorrect())?;
        elements.push(bytes.map(|bytes| element(bytes, element_oid, wanted)).transpose()?);
    }
    if !body.0.is_empty() {
        return Err(incorrect());
    }
    let mut element_type = types::arrow_type(element_oid).unwrap_or(DataType::Utf8);
    if element_oid == types::NUMERIC.oid && *wanted == DataType::LargeBinary {
        element_type = DataType::LargeBinary;
    } else if element_oid == types::NUMERIC.oid {
        element_type = align_decimals(&mut elements);
    }
    let mut values = Vec::with_capacity(count);
    for element in elements {
        values.push(match element {
            Some(element) => element,
            None => Parameter::try_from(&element_type)?,
        });
    }
    // The innermost dimension is put together first.
    for length in dimensions.iter().skip(1).rev() {
        values = values
            .chunks((*length).max(1))
            .map(|chunk| Parameter::List(Parameter::new_list_nullable(chunk, &element_type)))
            .collect();
        element_type = DataType::List(Arc::new(Field::new_list_field(element_type, true)));
    }
    Ok(Parameter::List(Parameter::new_list_nullable(&values, &element_type)))
}

/// Gives the numbers of an array one scale, because they share one type, and returns it.
fn align_decimals(elements: &mut [Option<Parameter>]) -> DataType {
    let scale = elements.iter().flatten().map(|e| if let Parameter::Decimal128(_, _, s) = e { *s } else { i8::MAX });
    let scale = scale.max().unwrap_or(0);
    let rescaled: Option<Vec<_>> = elements
        .iter()
        .map(|element| match element {
            None => Some(None),
            Some(Parameter::Decimal128(Some(value), _, own)) => {
                let factor = 10_i128.checked_pow(u32::try_from(i32::from(scale) - i32::from(*own)).ok()?)?;
                Some(Some(Parameter::Decimal128(Some(value.checked_mul(factor)?), 38, scale)))
            }
            Some(_) => None,
        })
        .collect();
    match rescaled {
        Some(rescaled) => {
            elements.clone_from_slice(&rescaled);
            DataType::Decimal128(38, scale)
        }
        None => {
            for element in elements.iter_mut().flatten() {
                *element = Parameter::Utf8(Some(element.to_string()));
            }
            DataType::Utf8
        }
    }
}

/// A number in plain notation with the scale that it is written with; text when it has too many digits.
fn decimal(text: &str) -> Parameter {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{integer}{fraction}");
    let significant = digits.trim_start_matches(['-', '0']).len();
    let scale = i8::try_from(fraction.len()).unwrap_or(i8::MAX);
    if significant <= 38
        && scale <= 38
        && let Ok(value) = digits.parse()
    {
        Parameter::Decimal128(Some(value), 38, scale)
    } else if significant <= 76
        && scale <= 76
        && let Some(value) = i256::from_string(&digits)
    {
        Parameter::Decimal256(Some(value), 76, scale)
    } else {
        Parameter::Utf8(Some(text.to_owned()))
    }
}

fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N]> {
    value.try_into().map_err(|_| incorrect())
}

fn utf8(value: &[u8]) -> Result<Parameter> {
    match std::str::from_utf8(value) {
        Ok(text) => Ok(Parameter::Utf8(Some(text.to_owned()))),
        Err(_) => Err(not_utf8()),
    }
}

fn incorrect() -> Error {
    Error::new("22P03", "incorrect binary data format in bind parameter")
}

fn not_utf8() -> Error {
    Error::new("22021", "invalid byte sequence for encoding \"UTF8\"")
}

#[cfg(test)]
mod tests {
    use super::super::encode::{Column, Format};
    use super::*;
    use arrow::datatypes::TimeUnit;
    use highwater_model::time::Zone;

    fn text_of(value: &str, data_type: DataType) -> Result<Parameter> {
        text(value.as_bytes(), &data_type, &Clockface::EPOCH)
    }

    #[test]
    fn texts_are_read() {
        assert_eq!(text_of("yes", DataType::Boolean), Ok(Parameter::Boolean(Some(true))));
        assert_eq!(text_of(" f ", DataType::Boolean), Ok(Parameter::Boolean(Some(false))));
        assert_eq!(text_of("-7", DataType::Int16), Ok(Parameter::Int16(Some(-7))));
        assert_eq!(text_of("7", DataType::Int64), Ok(Parameter::Int64(Some(7))));
        assert_eq!(text_of("1e3", DataType::Float64), Ok(Parameter::Float64(Some(1000.0))));
        assert_eq!(text_of("-Infinity", DataType::Float64), Ok(Parameter::Float64(Some(f64::NEG_INFINITY))));
        assert_eq!(text_of("x", DataType::Utf8), Ok(Parameter::Utf8(Some("x".to_owned()))));
        assert_eq!(text_of("\\x00fF", DataType::Binary), Ok(Parameter::Binary(Some(vec![0, 255]))));
        assert_eq!(text_of("a\\\\\\001", DataType::Binary), Ok(Parameter::Binary(Some(b"a\\\x01".to_vec()))));
        let later = DataType::Timestamp(TimeUnit::Microsecond, None);
        assert_eq!(text_of("1970-01-01 00:00:01", later), Ok(Parameter::TimestampMicrosecond(Some(1_000_000), None)));
        let money = DataType::Decimal128(10, 2);
        assert_eq!(text_of("-1.005", money), Ok(Parameter::Decimal128(Some(-1005), 38, 3)));
    }

    #[test]
    fn texts_that_are_not_of_the_type_are_refused() {
        let code = |value: &str, data_type| text_of(value, data_type).unwrap_err().sqlstate;
        assert_eq!(code("maybe", DataType::Boolean), "22P02");
        assert_eq!(code("1.5", DataType::Int32), "22P02");
        assert_eq!(code("40000", DataType::Int16), "22003");
        assert_eq!(code("x", DataType::FixedSizeBinary(16)), "22P02");
        assert_eq!(code("\\x0", DataType::Binary), "22023");
        assert_eq!(text(b"\xff", &DataType::Utf8, &Clockface::EPOCH).unwrap_err().sqlstate, "22021");
    }

    /// What is written in the binary format reads as what was written.
    fn round_trip(value: Parameter, oid: u32) {
        let array = value.to_array().unwrap();
        let field = Field::new("x", array.data_type().clone(), true);
        let column = Column::new(&array, &field, Format::Binary, Zone::UTC).unwrap();
        let mut out = Vec::new();
        column.write_field(0, &mut out);
        assert_eq!(binary(&out[4..], oid, array.data_type()), Ok(value));
        // Shorter or longer bytes are an error and nothing worse.
        for length in 4..out.len() {
            let _ = binary(&out[4..length], oid, array.data_type());
        }
    }

    #[test]
    fn binary_values_round_trip() {
        round_trip(Parameter::Boolean(Some(true)), 16);
        round_trip(Parameter::Int16(Some(-2)), 21);
        round_trip(Parameter::Int32(Some(-2)), 23);
        round_trip(Parameter::Int64(Some(-2)), 20);
        round_trip(Parameter::UInt32(Some(7)), 26);
        round_trip(Parameter::Float32(Some(1.5)), 700);
        round_trip(Parameter::Float64(Some(1.5)), 701);
        round_trip(Parameter::Utf8(Some("añ".to_owned())), 25);
        round_trip(Parameter::Binary(Some(vec![0, 1])), 17);
        round_trip(Parameter::Date32(Some(-1)), 1082);
        round_trip(Parameter::Date32(Some(i32::MAX)), 1082);
        round_trip(Parameter::Time64Microsecond(Some(5)), 1083);
        round_trip(Parameter::TimestampMicrosecond(Some(5), None), 1114);
        round_trip(Parameter::TimestampMicrosecond(Some(i64::MIN), Some("UTC".into())), 1184);
        let interval = IntervalMonthDayNano { months: 1, days: -2, nanoseconds: 3000 };
        round_trip(Parameter::IntervalMonthDayNano(Some(interval)), 1186);
        round_trip(Parameter::FixedSizeBinary(16, Some(vec![7; 16])), 2950);
        round_trip(Parameter::Decimal128(Some(-1234567), 38, 2), 1700);
        for text in ["NaN", "-Infinity", "-0.00001000", "1e400", "1.500"] {
            let kept = highwater_model::Numeric::parse(text.as_bytes()).unwrap().to_bytes();
            round_trip(Parameter::LargeBinary(Some(kept)), 1700);
        }
        round_trip(Parameter::Decimal256(Some(i256::from_string(&"9".repeat(60)).unwrap()), 76, 3), 1700);
    }

    #[test]
    fn arrays_round_trip() {
        let numbers = [Parameter::Int64(Some(1)), Parameter::Int64(None), Parameter::Int64(Some(3))];
        round_trip(Parameter::List(Parameter::new_list_nullable(&numbers, &DataType::Int64)), 1016);
        round_trip(Parameter::List(Parameter::new_list_nullable(&[], &DataType::Utf8)), 1009);
        let row = Parameter::List(Parameter::new_list_nullable(&numbers, &DataType::Int64));
        let rows = Parameter::new_list_nullable(&[row.clone(), row.clone()], &row.data_type());
        round_trip(Parameter::List(rows), 1016);
    }

    #[test]
    fn numbers_of_an_array_get_one_scale() {
        let mut elements =
            vec![Some(Parameter::Decimal128(Some(15), 38, 1)), None, Some(Parameter::Decimal128(Some(225), 38, 2))];
        assert_eq!(align_decimals(&mut elements), DataType::Decimal128(38, 2));
        assert_eq!(elements[0], Some(Parameter::Decimal128(Some(150), 38, 2)));
    }

    #[test]
    fn arrays_that_claim_too_much_are_refused() {
        let mut bytes = Vec::new();
        for word in [2, 0, 23, i32::MAX, 1, i32::MAX, 1] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        assert_eq!(binary(&bytes, 1007, &DataType::Int32).unwrap_err().sqlstate, "22P03");
    }
}
