//! Numbers as they are read and shown.

use super::{Decimal, MAX_SCALE, MAX_WHOLE_DIGITS, Numeric, NumericError, Result, power_of_ten};
use num_bigint::BigInt;
use std::fmt;

impl Numeric {
    /// Reads a number with as many digits after the point as are written, `NaN`, `Infinity` or `inf`.
    ///
    /// # Errors
    /// [`NumericError::Syntax`] and [`NumericError::Overflow`].
    pub fn parse(text: &[u8]) -> Result<Numeric> {
        let text = text.trim_ascii();
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let is = |name: &[u8]| unsigned.eq_ignore_ascii_case(name);
        if is(b"infinity") || is(b"inf") {
            return Ok(Numeric::infinity(if negative { -1 } else { 1 }));
        }
        if text.eq_ignore_ascii_case(b"nan") {
            return Ok(Numeric::NaN);
        }
        let (mantissa, exponent) = match unsigned.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.iter().position(|b| *b == b'.') {
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
            None => (mantissa, &[][..]),
        };
        let digits = || whole.iter().chain(fraction);
        if digits().next().is_none() || !digits().all(u8::is_ascii_digit) {
            return Err(NumericError::Syntax);
        }
        let exponent = exponent.map_or(Ok(0), parse_exponent)?;
        let scale = fraction.len() as i64 - exponent;
        if scale > i64::from(MAX_SCALE) || -scale > i64::from(MAX_WHOLE_DIGITS) {
            // Zeros are no digits before the point.
            let zero = digits().all(|digit| *digit == b'0');
            return if zero && scale < 0 { Ok(Numeric::ZERO) } else { Err(NumericError::Overflow) };
        }
        let mut unscaled = match whole.len() + fraction.len() <= 38 {
            true => BigInt::from(digits().fold(0i128, |n, digit| n * 10 + i128::from(digit - b'0'))),
            false => {
                let digits: Vec<u8> = digits().copied().collect();
                BigInt::parse_bytes(&digits, 10).ok_or(NumericError::Syntax)?
            }
        };
        if scale < 0 {
            unscaled *= power_of_ten(scale.unsigned_abs() as u32);
        }
        Numeric::new(if negative { -unscaled } else { unscaled }, scale.max(0) as u32)
    }

    /// Appends the number as it is shown: all its digits, without an exponent.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Numeric::NegativeInfinity => out.extend_from_slice(b"-Infinity"),
            Numeric::Infinity => out.extend_from_slice(b"Infinity"),
            Numeric::NaN => out.extend_from_slice(b"NaN"),
            Numeric::Finite(decimal) => {
                if decimal.signum() < 0 {
                    out.push(b'-');
                }
                write_digits(out, decimal);
            }
        }
    }
}

fn parse_exponent(text: &[u8]) -> Result<i64> {
    let digits = match text {
        [b'-' | b'+', rest @ ..] => rest,
        rest => rest,
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NumericError::Syntax);
    }
    let size = digits.iter().fold(0i64, |n, digit| n.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if size >= i64::from(i32::MAX / 2) {
        return Err(NumericError::Overflow);
    }
    Ok(if text[0] == b'-' { -size } else { size })
}

fn write_digits(out: &mut Vec<u8>, decimal: &Decimal) {
    let digits = decimal.digits().into_bytes();
    let after = decimal.scale as usize;
    let before = digits.len().saturating_sub(after);
    if before == 0 {
        out.push(b'0');
    }
    out.extend_from_slice(&digits[..before]);
    if after > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', after.saturating_sub(digits.len())));
        out.extend_from_slice(&digits[before..]);
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.write(&mut text);
        f.write_str(std::str::from_utf8(&text).expect("digits are ASCII"))
    }
}
