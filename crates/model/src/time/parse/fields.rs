//! Every other form is cut into fields by the shape of their characters; here one field at a time is read.

use crate::time::zone::{MAX_OFFSET_HOURS, Zone};
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND};

/// What is wrong with a text.
pub enum Fault {
    Syntax,
    Field { month_or_day: bool },
    Displacement,
    Zone(String),
}

pub const OVERFLOW: Fault = Fault::Field { month_or_day: false };

/// The pieces of a text, by the shape of their characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Number,
    Date,
    Clock,
    Offset,
    Word,
}

/// Cuts a text into fields.
pub fn fields(text: &str) -> Result<Vec<(Shape, &str)>, Fault> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let skip = |mut at: usize, wanted: fn(u8) -> bool| {
        while at < bytes.len() && wanted(bytes[at]) {
            at += 1;
        }
        at
    };
    let digits = |at: usize| skip(at, |b| b.is_ascii_digit());
    let mut fields = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let first = bytes[at];
        let shape = if first.is_ascii_digit() {
            at = digits(at);
            match byte(at) {
                b':' => {
                    at = skip(at, |b| b.is_ascii_digit() || b == b':' || b == b'.');
                    Shape::Clock
                }
                separator @ (b'-' | b'/' | b'.') => {
                    at += 1;
                    if byte(at).is_ascii_digit() {
                        at = digits(at);
                        if byte(at) == separator {
                            while byte(at) == separator || byte(at).is_ascii_digit() {
                                at += 1;
                            }
                            Shape::Date
                        } else if separator == b'.' {
                            Shape::Number
                        } else {
                            Shape::Date
                        }
                    } else {
                        while byte(at) == separator || byte(at).is_ascii_alphanumeric() {
                            at += 1;
                        }
                        Shape::Date
                    }
                }
                _ => Shape::Number,
            }
        } else if first.is_ascii_alphabetic() {
            at = skip(at, |b| b.is_ascii_alphabetic());
            let word = text[start..at].to_ascii_lowercase();
            let joined = matches!(byte(at), b'-' | b'/' | b'.')
                || ((byte(at) == b'+' || byte(at).is_ascii_digit()) && !is_keyword(&word));
            if joined {
                at = skip(at, |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
                Shape::Date
            } else {
                Shape::Word
            }
        } else if first.is_ascii_whitespace() {
            at += 1;
            continue;
        } else if first == b'+' || first == b'-' {
            at = skip(at + 1, |b| b.is_ascii_whitespace());
            if byte(at).is_ascii_digit() {
                at = skip(at, |b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-'));
                Shape::Offset
            } else if byte(at).is_ascii_alphabetic() {
                at = skip(at, |b| b.is_ascii_alphabetic());
                Shape::Word
            } else {
                return Err(Fault::Syntax);
            }
        } else if first.is_ascii_punctuation() {
            at += 1;
            continue;
        } else {
            return Err(Fault::Syntax);
        };
        fields.push((shape, &text[start..at]));
    }
    if fields.is_empty() { Err(Fault::Syntax) } else { Ok(fields) }
}

/// Words that may be followed by digits or a sign and are not the beginning of a zone's name.
fn is_keyword(word: &str) -> bool {
    month(word).is_some()
        || matches!(word, "t" | "at" | "on" | "am" | "pm" | "ad" | "bc" | "z" | "today" | "tomorrow" | "yesterday")
        || matches!(word, "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")
}

/// The month of a name or its first letters.
pub fn month(word: &str) -> Option<i64> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let known = |name: &&str| *name == word || (word.len() == 3 && name.starts_with(word));
    match NAMES.iter().position(known) {
        Some(index) => Some(index as i64 + 1),
        None => (word == "sept").then_some(9),
    }
}

/// A number of a date or time.
pub fn number(digits: &str) -> Result<i64, Fault> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    // Years of more than seven digits fit no type.
    digits.parse().ok().filter(|&value| value < 100_000_000).ok_or(OVERFLOW)
}

/// Microseconds since midnight, of up to 24:00:00.
pub fn clock(hours: &str, minutes: &str, seconds: &str, fraction: &str) -> Result<i64, Fault> {
    let (hours, minutes, seconds) = (number(hours)?, number(minutes)?, number(seconds)?);
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    let fraction: f64 = format!("0.{fraction}0").parse().expect("digits after a point are a number");
    let fraction = (fraction * MICROS_PER_SECOND as f64).round_ties_even() as i64;
    let micros = hours * MICROS_PER_HOUR + minutes * MICROS_PER_MINUTE + seconds * MICROS_PER_SECOND + fraction;
    if minutes > 59 || seconds > 60 || micros > MICROS_PER_DAY {
        return Err(OVERFLOW);
    }
    Ok(micros)
}

/// `+02`, `-0530`, `+05:30:15`, also with a space after the sign.
pub fn offset(field: &str) -> Result<Zone, Fault> {
    let negative = field.starts_with('-');
    let rest = field[1..].trim_start();
    let parts: Vec<&str> = rest.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [run] if run.len() > 4 => {
            let (hours, rest) = run.split_at(run.len() - 4);
            (hours, &rest[..2], &rest[2..])
        }
        [run] if run.len() > 2 => {
            let (hours, minutes) = run.split_at(run.len() - 2);
            (hours, minutes, "0")
        }
        [hours] => (hours, "0", "0"),
        [hours, minutes] => (hours, minutes, "0"),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return Err(Fault::Syntax),
    };
    let (hours, minutes, seconds) = (number(hours)?, number(minutes)?, number(seconds)?);
    if hours > i64::from(MAX_OFFSET_HOURS) || minutes > 59 || seconds > 59 {
        return Err(Fault::Displacement);
    }
    let east = (hours * 3600 + minutes * 60 + seconds) as i32;
    Ok(Zone::fixed(if negative { -east } else { east }))
}
