//! Texts in the form of a template: `to_timestamp` and `to_date`.

use super::MONTHS;
use super::pieces::{Piece, pieces};
use crate::error::{Error, Result};
use crate::function::define::Call;
use crate::operator::kernel::rowwise;
use arrow::array::{Array, ArrayRef, AsArray, Date32Array, StringArray, TimestampMicrosecondArray};
use datafusion::logical_expr::ColumnarValue;
use highwater_model::time::calendar::{days_from_civil, days_in_month};
use highwater_model::time::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND};
use std::sync::Arc;

/// `to_timestamp(text, template)`.
///
/// # Errors
/// 22007 when the text has not the form of the template, 22008 when a field is out of range.
pub fn to_timestamp(call: &Call) -> Result<ColumnarValue> {
    let zone = call.clock()?.zone;
    rowwise(call.args, call.rows, |arrays, rows| {
        let values = read_all(arrays, rows, |days, micros, offset| match offset {
            Some(seconds) => days * MICROS_PER_DAY + micros - i64::from(seconds) * MICROS_PER_SECOND,
            None => zone.to_utc(days * MICROS_PER_DAY + micros),
        })?;
        Ok(Arc::new(TimestampMicrosecondArray::from(values).with_data_type(call.out.clone())))
    })
}

/// `to_date(text, template)`.
///
/// # Errors
/// As [`to_timestamp`].
pub fn to_date(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let values = read_all(arrays, rows, |days, _, _| days)?;
        let values: Vec<Option<i32>> = values.into_iter().map(|v| v.map(|days| days as i32)).collect();
        Ok(Arc::new(Date32Array::from(values)))
    })
}

fn read_all(arrays: &[ArrayRef], rows: usize, f: impl Fn(i64, i64, Option<i32>) -> i64) -> Result<Vec<Option<i64>>> {
    let (texts, templates): (&StringArray, &StringArray) = (arrays[0].as_string(), arrays[1].as_string());
    let each = |row: usize| {
        if texts.is_null(row) || templates.is_null(row) {
            return Ok(None);
        }
        let (days, micros, offset) = read(texts.value(row), &pieces(templates.value(row)))?;
        Ok(Some(f(days, micros, offset)))
    };
    (0..rows).map(each).collect()
}

/// Day, time of day and offset of a text in the form of a template.
fn read(text: &str, pieces: &[Piece]) -> Result<(i64, i64, Option<i32>)> {
    let mut rest = text;
    let (mut year, mut month, mut day, mut hour, mut afternoon) = (None, None, None, 0i64, None);
    let (mut day_of_year, mut minute, mut second, mut micros, mut epoch_seconds) = (None, 0i64, 0i64, 0i64, None);
    let (mut before_christ, mut offset, mut half_day, mut julian) = (false, None, false, None);
    for (i, piece) in pieces.iter().enumerate() {
        let name = match piece {
            Piece::Literal(literal) => {
                for expected in literal.chars() {
                    let separator = |c: char| !c.is_alphanumeric();
                    let Some(c) = rest.chars().next() else { break };
                    // Any separator stands for any other; spaces may be missing.
                    if separator(expected) {
                        if separator(c) && c != '-' && c != '+' || c == expected {
                            rest = &rest[c.len_utf8()..];
                        }
                    } else {
                        rest = &rest[c.len_utf8()..];
                    }
                }
                continue;
            }
            Piece::Field { name, .. } => *name,
        };
        if !matches!(name, "TZH") {
            rest = rest.trim_start();
        }
        // Where digits follow directly, a field takes only as many as it has.
        let next_is_number = matches!(pieces.get(i + 1), Some(Piece::Field { name, .. }) if !name.starts_with(['A', 'P', 'a', 'p', 'B', 'b']) );
        let mut number = |most: usize| -> Result<i64> {
            let most = if next_is_number { most } else { most.max(if most >= 4 { 9 } else { most }) };
            let negative = rest.starts_with('-');
            let body = rest.strip_prefix(['-', '+']).unwrap_or(rest);
            let length = body.bytes().take(most).take_while(u8::is_ascii_digit).count();
            if length == 0 {
                let shown: String = rest.chars().take(most.min(4)).collect();
                return Err(Error::new("22007", format!("invalid value \"{shown}\" for \"{name}\""))
                    .detail("Value must be an integer."));
            }
            rest = &body[length..];
            let value = body[..length].parse::<i64>().map_err(|_| Error::new("22008", "value out of range"))?;
            Ok(if negative { -value } else { value })
        };
        match name {
            "YYYY" | "IYYY" => year = Some(number(4)?),
            "Y,YYY" => {
                let thousands = number(1)?;
                rest = rest.strip_prefix(',').unwrap_or(rest);
                let length = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
                year = Some(thousands * 1000 + rest[..length].parse::<i64>().unwrap_or(0));
                rest = &rest[length..];
            }
            "YYY" => year = Some(number(3)? + 2000),
            "YY" | "IY" => {
                let value = number(2)?;
                year = Some(if value < 70 { value + 2000 } else { value + 1900 });
            }
            "Y" => year = Some(number(1)? + 2000),
            "MM" => month = Some(number(2)?),
            "DD" => day = Some(number(2)?),
            "DDD" => day_of_year = Some(number(3)?),
            "HH24" => hour = number(2)?,
            "HH12" | "HH" => (hour, half_day) = (number(2)?, true),
            "MI" => minute = number(2)?,
            "SS" => second = number(2)?,
            "SSSS" | "SSSSS" => epoch_seconds = Some(number(5)?),
            "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                let most = match name {
                    "MS" => 3,
                    "US" => 6,
                    _ => usize::from(name.as_bytes()[2] - b'0'),
                };
                let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
                let value = rest[..length].parse::<i64>().unwrap_or(0);
                micros += value * 10i64.pow(6 - length.min(6) as u32);
                rest = &rest[length..];
            }
            "J" => julian = Some(number(9)?),
            "AM" | "PM" | "am" | "pm" | "A.M." | "P.M." | "a.m." | "p.m." => {
                let lower = rest.to_ascii_lowercase();
                let found = ["a.m.", "p.m.", "am", "pm"].into_iter().find(|word| lower.starts_with(word));
                let Some(word) = found else {
                    return Err(Error::new("22007", format!("invalid value \"{rest}\" for \"{name}\"")));
                };
                (afternoon, half_day) = (Some(word.starts_with('p')), true);
                rest = &rest[word.len()..];
            }
            "BC" | "AD" | "bc" | "ad" | "B.C." | "A.D." | "b.c." | "a.d." => {
                before_christ = rest.starts_with(['B', 'b']);
                let length = rest.bytes().take(name.len()).count();
                rest = &rest[length..];
            }
            "MONTH" | "Month" | "month" | "MON" | "Mon" | "mon" => {
                let lower = rest.to_ascii_lowercase();
                let full = name.len() == 5;
                let found = MONTHS.iter().position(|m| {
                    let m = m.to_lowercase();
                    lower.starts_with(if full { &m } else { &m[..3] })
                });
                let Some(found) = found else {
                    let shown: String = rest.chars().take(name.len()).collect();
                    return Err(Error::new("22007", format!("invalid value \"{shown}\" for \"{name}\""))
                        .detail("The given value did not match any of the allowed values for this field."));
                };
                month = Some(found as i64 + 1);
                rest = &rest[if full { MONTHS[found].len() } else { 3 }..];
            }
            "DAY" | "Day" | "day" | "DY" | "Dy" | "dy" => {
                let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
                rest = &rest[length..];
            }
            "TZH" => {
                let hours = number(2)?;
                offset = Some(offset.unwrap_or(0) + hours as i32 * 3600);
            }
            "TZM" => {
                let minutes = number(2)? as i32;
                let hours = offset.unwrap_or(0);
                offset = Some(if hours < 0 { hours - minutes * 60 } else { hours + minutes * 60 });
            }
            _ => return Err(Error::unsupported(format!("formatting field \"{name}\" is only supported in to_char"))),
        }
    }
    let out_of_range = || Error::new("22008", format!("date/time field value out of range: \"{text}\""));
    if half_day {
        if !(1..=12).contains(&hour) {
            return Err(Error::new("22007", format!("hour \"{hour}\" is invalid for the 12-hour clock"))
                .hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        hour = hour % 12 + if afternoon == Some(true) { 12 } else { 0 };
    }
    let mut year = year.unwrap_or(if before_christ { 1 } else { 0 });
    // Without a year it is 1 BC, which is year 0.
    if before_christ {
        year = 1 - year;
    } else if year < 0 {
        year += 1;
    }
    let time = match epoch_seconds {
        Some(seconds) => seconds * MICROS_PER_SECOND,
        None => {
            if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
                return Err(out_of_range());
            }
            hour * MICROS_PER_HOUR + minute * MICROS_PER_MINUTE + second * MICROS_PER_SECOND
        }
    };
    let days = match (julian, day_of_year) {
        (Some(julian), _) => julian - 2_440_588,
        (None, Some(n)) if day.is_none() => {
            if !(1..=366).contains(&n) {
                return Err(out_of_range());
            }
            days_from_civil(year, 1, 1) + n - 1
        }
        _ => {
            let (month, day) = (month.unwrap_or(1), day.unwrap_or(1));
            if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
                return Err(out_of_range());
            }
            days_from_civil(year, month, day)
        }
    };
    Ok((days, time + micros, offset))
}
