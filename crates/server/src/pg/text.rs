//! Values as PostgreSQL writes them in the text format.
//!
//! Every function appends to a buffer and allocates nothing.

use highwater_model::Interval;
use std::io::Write;

/// A whole number.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    unsigned(out, value.unsigned_abs());
}

/// A whole number that has no sign.
pub fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// A `double precision`: the shortest digits that read back as the same number.
pub fn double(out: &mut Vec<u8>, value: f64) {
    if !special(out, value.is_nan(), value.is_infinite(), value.is_sign_negative()) {
        shortest(out, 15, |buffer| write!(buffer, "{value:e}"));
    }
}

/// A `real`: the shortest digits that read back as the same number.
pub fn real(out: &mut Vec<u8>, value: f32) {
    if !special(out, value.is_nan(), value.is_infinite(), value.is_sign_negative()) {
        shortest(out, 6, |buffer| write!(buffer, "{value:e}"));
    }
}

fn special(out: &mut Vec<u8>, nan: bool, infinite: bool, negative: bool) -> bool {
    match (nan, infinite, negative) {
        (true, _, _) => out.extend_from_slice(b"NaN"),
        (_, true, false) => out.extend_from_slice(b"Infinity"),
        (_, true, true) => out.extend_from_slice(b"-Infinity"),
        _ => return false,
    }
    true
}

/// Lays out digits and an exponent as PostgreSQL does: plainly from 10⁻⁴ up to 10^`plain_below`.
fn shortest(out: &mut Vec<u8>, plain_below: i32, write: impl FnOnce(&mut &mut [u8]) -> std::io::Result<()>) {
    let mut buffer = [0_u8; 32];
    let mut rest: &mut [u8] = &mut buffer;
    write(&mut rest).expect("a float in scientific notation has at most 26 characters");
    let length = 32 - rest.len();
    let mut scientific = &buffer[..length];
    if let [b'-', positive @ ..] = scientific {
        out.push(b'-');
        scientific = positive;
    }
    let e = scientific.iter().position(|&b| b == b'e').expect("scientific notation has an exponent");
    let (mantissa, exponent) = (&scientific[..e], &scientific[e + 1..]);
    let exponent = match exponent {
        [b'-', digits @ ..] => -digits.iter().fold(0, |n, d| n * 10 + i32::from(d - b'0')),
        digits => digits.iter().fold(0, |n, d| n * 10 + i32::from(d - b'0')),
    };
    let (first, others) = (mantissa[0], mantissa.get(2..).unwrap_or_default());
    if exponent < -4 || exponent >= plain_below {
        out.extend_from_slice(mantissa);
        out.push(b'e');
        out.push(if exponent < 0 { b'-' } else { b'+' });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        unsigned(out, u64::from(exponent.unsigned_abs()));
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        out.push(first);
        out.extend_from_slice(others);
    } else {
        let before_point = exponent as usize;
        out.push(first);
        if others.len() <= before_point {
            out.extend_from_slice(others);
            out.extend(std::iter::repeat_n(b'0', before_point - others.len()));
        } else {
            out.extend_from_slice(&others[..before_point]);
            out.push(b'.');
            out.extend_from_slice(&others[before_point..]);
        }
    }
}

/// A `numeric`, given by its sign, its digits without leading zeros, and how many of them follow the point.
pub fn numeric(out: &mut Vec<u8>, negative: bool, digits: &[u8], scale: i8) {
    let is_zero = digits.iter().all(|&d| d == b'0');
    if negative && !is_zero {
        out.push(b'-');
    }
    if scale <= 0 {
        out.extend_from_slice(if digits.is_empty() { b"0" } else { digits });
        if !is_zero {
            out.extend(std::iter::repeat_n(b'0', usize::from(scale.unsigned_abs())));
        }
        return;
    }
    let scale = usize::from(scale.unsigned_abs());
    let before_point = digits.len().saturating_sub(scale);
    out.extend_from_slice(if before_point == 0 { b"0" } else { &digits[..before_point] });
    out.push(b'.');
    out.extend(std::iter::repeat_n(b'0', scale.saturating_sub(digits.len())));
    out.extend_from_slice(&digits[before_point..]);
}

/// The decimal digits of a number, written to the end of a buffer.
pub fn digits(mut value: u128, buffer: &mut [u8; 40]) -> &[u8] {
    let mut start = buffer.len();
    // Dividing 64 bits is several times faster than dividing 128.
    while value > u128::from(u64::MAX) {
        let mut low = (value % 10_000_000_000_000_000_000) as u64;
        value /= 10_000_000_000_000_000_000;
        for _ in 0..19 {
            start -= 1;
            buffer[start] = b'0' + (low % 10) as u8;
            low /= 10;
        }
    }
    let mut low = value as u64;
    while low != 0 || start == buffer.len() {
        start -= 1;
        buffer[start] = b'0' + (low % 10) as u8;
        low /= 10;
    }
    &buffer[start..]
}

/// A `bytea` in hexadecimal.
pub fn bytea(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(b"\\x");
    hex(out, value);
}

/// A `uuid`.
pub fn uuid(out: &mut Vec<u8>, value: &[u8]) {
    for (index, group) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if index > 0 {
            out.push(b'-');
        }
        hex(out, &value[group]);
    }
}

fn hex(out: &mut Vec<u8>, value: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in value {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// An `interval` in the style `postgres`.
pub fn interval(out: &mut Vec<u8>, value: Interval) {
    write!(out, "{value}").expect("a buffer in memory takes everything");
}

/// Puts an array element that starts at `start` in quotes where it needs them.
pub fn quote_array_element(out: &mut Vec<u8>, start: usize) {
    let element = &out[start..];
    let special = |b: &u8| matches!(b, b'{' | b'}' | b',' | b'"' | b'\\') || is_space(*b);
    if element.is_empty() || element.iter().any(special) || element.eq_ignore_ascii_case(b"null") {
        requote(out, start, |quoted, byte| {
            if matches!(byte, b'"' | b'\\') {
                quoted.push(b'\\');
            }
            quoted.push(byte);
        });
    }
}

/// Puts a field of a record that starts at `start` in quotes where it needs them.
pub fn quote_record_field(out: &mut Vec<u8>, start: usize) {
    let field = &out[start..];
    let special = |b: &u8| matches!(b, b'(' | b')' | b',' | b'"' | b'\\') || is_space(*b);
    if field.is_empty() || field.iter().any(special) {
        requote(out, start, |quoted, byte| {
            if matches!(byte, b'"' | b'\\') {
                quoted.push(byte);
            }
            quoted.push(byte);
        });
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn requote(out: &mut Vec<u8>, start: usize, mut push: impl FnMut(&mut Vec<u8>, u8)) {
    let plain = out.split_off(start);
    out.push(b'"');
    for byte in plain {
        push(out, byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers() {
        for value in [0, 1, -1, 10, 1234567890, i64::MAX, i64::MIN] {
            assert_eq!(text(|out| integer(out, value)), value.to_string());
        }
        assert_eq!(text(|out| unsigned(out, u64::MAX)), u64::MAX.to_string());
    }

    #[test]
    fn doubles_are_as_short_as_possible() {
        // What PostgreSQL 15 answers.
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (1.0 / 3.0, "0.3333333333333333"),
            (100.0, "100"),
            (123456.789, "123456.789"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (123456789012345.6, "123456789012345.6"),
            (1e20, "1e+20"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00012, "0.00012"),
            (0.00001, "1e-05"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(|out| double(out, value)), expected);
        }
    }

    #[test]
    fn reals_are_as_short_as_possible() {
        for (value, expected) in [
            (0.1_f32, "0.1"),
            (123456.0, "123456"),
            (1234567.0, "1.234567e+06"),
            (1e6, "1e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f32::MAX, "3.4028235e+38"),
            (f32::NAN, "NaN"),
        ] {
            assert_eq!(text(|out| real(out, value)), expected);
        }
    }

    #[test]
    fn numerics_show_their_scale() {
        let show =
            |value: i128, scale| text(|out| numeric(out, value < 0, digits(value.unsigned_abs(), &mut [0; 40]), scale));
        assert_eq!(show(0, 0), "0");
        assert_eq!(show(0, 2), "0.00");
        assert_eq!(show(5, 2), "0.05");
        assert_eq!(show(-5, 2), "-0.05");
        assert_eq!(show(12345, 2), "123.45");
        assert_eq!(show(-12345, 0), "-12345");
        assert_eq!(show(12, -3), "12000");
        assert_eq!(show(0, -3), "0");
        assert_eq!(show(i128::MAX, 10), "17014118346046923173168730371.5884105727");
        assert_eq!(show(i128::from(u64::MAX) + 1, 0), "18446744073709551616");
        assert_eq!(show(100_000_000_000_000_000_000_000, 0), "100000000000000000000000");
    }

    #[test]
    fn bytes_and_uuids_are_hexadecimal() {
        assert_eq!(text(|out| bytea(out, b"\x00\xff")), "\\x00ff");
        assert_eq!(text(|out| bytea(out, b"")), "\\x");
        assert_eq!(
            text(|out| uuid(out, &0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes())),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
    }

    #[test]
    fn elements_are_quoted_only_where_needed() {
        let element = |plain: &str| {
            text(|out| {
                out.extend_from_slice(plain.as_bytes());
                quote_array_element(out, 0);
            })
        };
        assert_eq!(element("a"), "a");
        assert_eq!(element(""), "\"\"");
        assert_eq!(element("Null"), "\"Null\"");
        assert_eq!(element("b c"), "\"b c\"");
        assert_eq!(element("a\"b\\c"), "\"a\\\"b\\\\c\"");
        let field = |plain: &str| {
            text(|out| {
                out.extend_from_slice(plain.as_bytes());
                quote_record_field(out, 0);
            })
        };
        assert_eq!(field("null"), "null");
        assert_eq!(field("a\"b"), "\"a\"\"b\"");
        assert_eq!(field("a(b"), "\"a(b\"");
    }
}
