//! The usual form, which programs send: bytes at fixed places.

use crate::time::calendar::{days_from_civil, days_in_month};
use crate::time::zone::MAX_OFFSET_HOURS;
use crate::time::{MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND};

/// `YYYY-MM-DD[{ |T}HH:MM[:SS[.ffffff]][ ][{Z|±HH[[:]MM]}]]`
pub struct Iso {
    pub days: i64,
    pub micros: i64,
    pub offset_micros: Option<i64>,
}

/// Reads the usual form; `None` for anything else, be it another form or an error.
#[inline]
pub fn iso(bytes: &[u8]) -> Option<Iso> {
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i64::from(two_digits(bytes, 0)?) * 100 + i64::from(two_digits(bytes, 2)?);
    let (month, day) = (i64::from(two_digits(bytes, 5)?), i64::from(two_digits(bytes, 8)?));
    if year == 0 || !(1..=12).contains(&month) || day < 1 || (day > 28 && day > days_in_month(year, month)) {
        return None;
    }
    let mut iso = Iso { days: days_from_civil(year, month, day), micros: 0, offset_micros: None };
    if bytes.len() == 10 {
        return Some(iso);
    }
    if bytes[10] != b' ' && bytes[10] != b'T' {
        return None;
    }
    let (micros, length) = iso_clock(&bytes[11..])?;
    iso.micros = micros;
    let mut zone = &bytes[11 + length..];
    if let [b' ', rest @ ..] = zone {
        zone = rest;
    }
    iso.offset_micros = match zone {
        [] => None,
        [b'Z'] => Some(0),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hours, minutes) = match rest.len() {
                2 => (two_digits(rest, 0)?, 0),
                4 => (two_digits(rest, 0)?, two_digits(rest, 2)?),
                5 if rest[2] == b':' => (two_digits(rest, 0)?, two_digits(rest, 3)?),
                _ => return None,
            };
            if hours > MAX_OFFSET_HOURS as u32 || minutes > 59 {
                return None;
            }
            let micros = i64::from(hours) * MICROS_PER_HOUR + i64::from(minutes) * MICROS_PER_MINUTE;
            Some(if *sign == b'-' { -micros } else { micros })
        }
        _ => return None,
    };
    Some(iso)
}

/// Reads `HH:MM[:SS[.ffffff]]` at the beginning: microseconds since midnight, and how many bytes it took.
#[inline]
pub fn iso_clock(bytes: &[u8]) -> Option<(i64, usize)> {
    if bytes.len() < 5 || bytes[2] != b':' {
        return None;
    }
    let (hours, minutes) = (two_digits(bytes, 0)?, two_digits(bytes, 3)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let micros = i64::from(hours) * MICROS_PER_HOUR + i64::from(minutes) * MICROS_PER_MINUTE;
    if bytes.get(5) != Some(&b':') {
        return Some((micros, 5));
    }
    if bytes.len() < 8 {
        return None;
    }
    let seconds = two_digits(bytes, 6)?;
    if seconds > 59 {
        return None;
    }
    let micros = micros + i64::from(seconds) * MICROS_PER_SECOND;
    if bytes.get(8) != Some(&b'.') {
        return Some((micros, 8));
    }
    let digits = bytes[9..].iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || digits > 6 {
        return None;
    }
    let fraction = bytes[9..9 + digits].iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
    const SCALE: [i64; 7] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    Some((micros + fraction * SCALE[digits], 9 + digits))
}

#[inline]
fn two_digits(bytes: &[u8], at: usize) -> Option<u32> {
    let tens = bytes[at].wrapping_sub(b'0');
    let ones = bytes[at + 1].wrapping_sub(b'0');
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}
