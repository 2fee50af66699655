//! Numbers from text and to text, as PostgreSQL reads and shows them.

use crate::error::{Error, Result};
use highwater_model::Numeric;
use highwater_model::numeric::NumericError;

/// A number as its decimal digits: `mantissa` · 10^−`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits with the sign.
    pub mantissa: i128,
    /// How many of them are after the point.
    pub scale: i32,
}

/// The powers of ten that an `i128` holds.
pub const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// The powers of ten that a float holds exactly.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// What PostgreSQL's parsers skip around a number.
pub fn trim(text: &[u8]) -> &[u8] {
    let space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    let start = text.iter().position(|b| !space(b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !space(b)).map_or(start, |i| i + 1);
    &text[start..end]
}

/// 22P02, as every type says it.
pub fn invalid_syntax(type_name: &str, text: &[u8]) -> Error {
    Error::new("22P02", format!("invalid input syntax for type {type_name}: \"{}\"", String::from_utf8_lossy(text)))
}

/// Reads `smallint`, `integer` or `bigint`, which must lie within `min` and `max`.
///
/// # Errors
/// 22P02 and 22003.
#[inline]
pub fn parse_integer(text: &[u8], min: i64, max: i64, type_name: &'static str) -> Result<i64> {
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(_) => (false, text),
        None => return Err(invalid_syntax(type_name, text)),
    };
    // Up to 18 digits cannot overflow, and nearly every number is that short.
    if digits.len() <= 18 && !digits.is_empty() {
        let mut value = 0i64;
        let mut plain = true;
        for b in digits {
            let digit = b.wrapping_sub(b'0');
            plain &= digit < 10;
            value = value * 10 + i64::from(digit & 0x0f);
        }
        if plain {
            let value = if negative { -value } else { value };
            if min <= value && value <= max {
                return Ok(value);
            }
        }
    }
    parse_integer_slowly(text, min, max, type_name)
}

#[cold]
fn parse_integer_slowly(text: &[u8], min: i64, max: i64, type_name: &'static str) -> Result<i64> {
    let trimmed = trim(text);
    let (negative, digits) = match trimmed.first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(invalid_syntax(type_name, text));
    }
    let mut value = 0i128;
    for b in digits {
        value = (value * 10 + i128::from(b - b'0')).min(i128::from(u64::MAX));
    }
    let value = if negative { -value } else { value };
    if value < i128::from(min) || value > i128::from(max) {
        let text = String::from_utf8_lossy(text);
        return Err(Error::new("22003", format!("value \"{text}\" is out of range for type {type_name}")));
    }
    Ok(value as i64)
}

/// The number in plain notation if it is exact in a float: at most 15 digits, no exponent.
#[inline]
fn short_float(text: &[u8]) -> Option<(i64, usize)> {
    let (negative, rest) = match text.first()? {
        b'-' => (true, &text[1..]),
        _ => (false, text),
    };
    // A point and 15 digits; `-0` is left to the slow path, because it has a sign.
    if rest.len() > 16 || rest.is_empty() {
        return None;
    }
    let mut mantissa = 0i64;
    let mut digits = 0usize;
    let mut point = None;
    for (i, b) in rest.iter().enumerate() {
        let digit = b.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa * 10 + i64::from(digit);
            digits += 1;
        } else if *b == b'.' && point.is_none() {
            point = Some(i);
        } else {
            return None;
        }
    }
    if digits == 0 || digits > 15 || (negative && mantissa == 0) {
        return None;
    }
    let after = point.map_or(0, |p| rest.len() - 1 - p);
    Some((if negative { -mantissa } else { mantissa }, after))
}

/// Reads `double precision`.
///
/// # Errors
/// 22P02, and 22003 when the number is too large or too small.
#[inline]
pub fn parse_double(text: &[u8]) -> Result<f64> {
    // Both parts are exact, so the one division rounds correctly.
    if let Some((mantissa, after)) = short_float(text) {
        return Ok(mantissa as f64 / EXACT[after]);
    }
    let value = parse_float_slowly::<f64>(text, "double precision")?;
    if (value.is_infinite() && !names_infinity(text)) || (value == 0.0 && has_nonzero_digit(text)) {
        let text = String::from_utf8_lossy(trim(text));
        return Err(Error::new("22003", format!("\"{text}\" is out of range for type double precision")));
    }
    Ok(value)
}

/// Reads `real`.
///
/// # Errors
/// As [`parse_double`].
#[inline]
pub fn parse_real(text: &[u8]) -> Result<f32> {
    if let Some((mantissa, after)) = short_float(text)
        && mantissa.abs() <= 1 << 24
        && after <= 10
    {
        return Ok(mantissa as f32 / EXACT[after] as f32);
    }
    let value = parse_float_slowly::<f32>(text, "real")?;
    if (value.is_infinite() && !names_infinity(text)) || (value == 0.0 && has_nonzero_digit(text)) {
        let text = String::from_utf8_lossy(trim(text));
        return Err(Error::new("22003", format!("\"{text}\" is out of range for type real")));
    }
    Ok(value)
}

fn parse_float_slowly<T: std::str::FromStr>(text: &[u8], type_name: &str) -> Result<T> {
    // Rust reads the same forms and names, but for `+-1` and the like, which it refuses too.
    std::str::from_utf8(trim(text)).ok().and_then(|s| s.parse().ok()).ok_or_else(|| invalid_syntax(type_name, text))
}

fn names_infinity(text: &[u8]) -> bool {
    text.iter().any(|b| b.eq_ignore_ascii_case(&b'i'))
}

fn has_nonzero_digit(text: &[u8]) -> bool {
    text.iter().take_while(|b| !b.eq_ignore_ascii_case(&b'e')).any(|b| (b'1'..=b'9').contains(b))
}

/// Reads a `numeric` with as many digits after the point as are written.
///
/// # Errors
/// 22P02; 22003 when it has more digits than there may be.
pub fn parse_any_numeric(text: &[u8]) -> Result<Numeric> {
    Numeric::parse(trim(text)).map_err(|e| match e {
        NumericError::Syntax => invalid_syntax("numeric", text),
        other => other.into(),
    })
}

/// Reads a `numeric(precision, scale)` as the integer that is kept for it, rounding half away from zero.
///
/// # Errors
/// 22P02; 22003 when it has too many digits before the point; 0A000 for `NaN`.
#[inline]
pub fn parse_numeric(text: &[u8], precision: u8, scale: i8) -> Result<i128> {
    let number = match short_float(text) {
        Some((mantissa, after)) => Decimal { mantissa: i128::from(mantissa), scale: after as i32 },
        None => {
            let infinite = || no_infinity(precision.into(), scale.into());
            read_decimal(text).map_err(|e| if is_infinite(text) { infinite() } else { e })?.0
        }
    };
    fit(number, precision, scale)
}

/// The integer that is kept for a number in a `numeric(precision, scale)`, rounded half away from zero.
///
/// # Errors
/// 22003 when it has too many digits before the point.
pub fn fit(number: Decimal, precision: u8, scale: i8) -> Result<i128> {
    rescale(number, i32::from(scale))
        .filter(|m| m.unsigned_abs() < POWERS[usize::from(precision.min(38))].unsigned_abs())
        .ok_or_else(|| field_overflow(precision.into(), scale.into()))
}

/// 22003, as an assignment to a `numeric(precision, scale)` says it.
pub fn field_overflow(precision: i32, scale: i32) -> Error {
    let before = precision - scale;
    let limit = if before == 0 { "1".to_owned() } else { format!("10^{before}") };
    Error::new("22003", "numeric field overflow").detail(format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less than {limit}."
    ))
}

/// 22003, as an infinite value for a `numeric(precision, scale)` is refused.
pub fn no_infinity(precision: i32, scale: i32) -> Error {
    Error::new("22003", "numeric field overflow")
        .detail(format!("A field with precision {precision}, scale {scale} cannot hold an infinite value."))
}

/// 22003: a `numeric` has more digits than there may be.
pub fn overflows_numeric() -> Error {
    Error::new("22003", "value overflows numeric format")
}

/// The mantissa at another scale, rounded half away from zero; `None` when it does not fit.
pub fn rescale(number: Decimal, scale: i32) -> Option<i128> {
    let shift = scale - number.scale;
    if number.mantissa == 0 || shift == 0 {
        return Some(number.mantissa);
    }
    if shift > 0 {
        return number.mantissa.checked_mul(*POWERS.get(shift as usize)?);
    }
    match POWERS.get(shift.unsigned_abs() as usize) {
        Some(power) => Some(divide_rounded(number.mantissa, *power)),
        None => Some(0),
    }
}

/// `a / b`, rounded half away from zero. `b` is positive.
#[inline]
pub fn divide_rounded(a: i128, b: i128) -> i128 {
    let (quotient, rest) = (a / b, a % b);
    // The remainder is compared without doubling it, which could overflow.
    if rest.unsigned_abs() >= (b.unsigned_abs() - rest.unsigned_abs()) { quotient + a.signum() } else { quotient }
}

/// The number, and whether digits that do not fit were dropped at its end (the scale then tells how many).
fn read_decimal(text: &[u8]) -> Result<(Decimal, bool)> {
    let trimmed = trim(text);
    let (negative, rest) = match trimmed.first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let (mut mantissa, mut scale, mut dropped, mut digits, mut point) = (0i128, 0i32, false, 0usize, false);
    let mut bytes = rest.iter().enumerate();
    let mut exponent = None;
    for (i, b) in bytes.by_ref() {
        match b {
            b'0'..=b'9' => {
                digits += 1;
                if mantissa < POWERS[37] && !dropped {
                    mantissa = mantissa * 10 + i128::from(b - b'0');
                    scale += i32::from(point);
                } else {
                    dropped = true;
                    scale -= i32::from(!point);
                }
            }
            b'.' if !point => point = true,
            b'e' | b'E' if digits > 0 => {
                exponent = Some(&rest[i + 1..]);
                break;
            }
            _ => return Err(not_numeric(text, rest)),
        }
    }
    if digits == 0 {
        return Err(not_numeric(text, rest));
    }
    if let Some(exponent) = exponent {
        let exponent = parse_integer(exponent, i64::MIN, i64::MAX, "numeric");
        let exponent = exponent.map_err(|_| invalid_syntax("numeric", text))?;
        if exponent.abs() > 10_000 {
            return Err(overflows_numeric());
        }
        scale -= exponent as i32;
    }
    Ok((Decimal { mantissa: if negative { -mantissa } else { mantissa }, scale }, dropped))
}

#[cold]
fn not_numeric(text: &[u8], unsigned: &[u8]) -> Error {
    if unsigned.eq_ignore_ascii_case(b"nan")
        || unsigned.eq_ignore_ascii_case(b"infinity")
        || unsigned.eq_ignore_ascii_case(b"inf")
    {
        return not_finite(&String::from_utf8_lossy(text));
    }
    invalid_syntax("numeric", text)
}

/// Whether a text denotes an infinite number.
fn is_infinite(text: &[u8]) -> bool {
    let text = trim(text).to_ascii_lowercase();
    let text = text.strip_prefix(b"+").or_else(|| text.strip_prefix(b"-")).unwrap_or(&text);
    matches!(text, b"inf" | b"infinity")
}

/// 0A000: a `numeric` whose digits have a limit is not NaN.
pub fn not_finite(value: &str) -> Error {
    Error::unsupported(format!("\"{value}\" in a numeric of at most 38 digits is not supported"))
        .hint("Declare it numeric, without digits.")
}

/// The shortest decimal that reads as this float, or the 15 digits that PostgreSQL gives `float8::numeric`.
pub fn decimal_of_float(value: f64, digits: usize) -> Option<Decimal> {
    if !value.is_finite() {
        return None;
    }
    let text = format!("{value:.*e}", digits - 1);
    let mut number = read_decimal(text.as_bytes()).ok()?.0;
    while number.mantissa % 10 == 0 && number.scale > 0 {
        number = Decimal { mantissa: number.mantissa / 10, scale: number.scale - 1 };
    }
    Some(number)
}

const PAIRS: [u8; 200] = {
    let mut pairs = [0u8; 200];
    let mut i = 0;
    while i < 100 {
        pairs[2 * i] = b'0' + (i / 10) as u8;
        pairs[2 * i + 1] = b'0' + (i % 10) as u8;
        i += 1;
    }
    pairs
};

/// Appends an integer.
pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_unsigned(out, value.unsigned_abs());
}

/// Appends an integer without a sign.
pub fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[value as usize * 2..value as usize * 2 + 2]);
    } else {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `mantissa` · 10^−`scale` with all its digits.
pub fn write_decimal(out: &mut Vec<u8>, mantissa: i128, scale: i8) {
    match i64::try_from(mantissa) {
        Ok(small) if scale == 0 => write_integer(out, small),
        _ => {
            if mantissa < 0 {
                out.push(b'-');
            }
            write_digits(out, &mantissa.unsigned_abs().to_string(), scale);
        }
    }
}

/// Appends unsigned digits with a point before the last `scale` of them.
pub fn write_digits(out: &mut Vec<u8>, digits: &str, scale: i8) {
    let digits = digits.as_bytes();
    if scale <= 0 {
        out.extend_from_slice(digits);
        if digits != b"0" {
            out.extend(std::iter::repeat_n(b'0', usize::from(scale.unsigned_abs())));
        }
        return;
    }
    let after = scale as usize;
    if digits.len() > after {
        out.extend_from_slice(&digits[..digits.len() - after]);
        out.push(b'.');
        out.extend_from_slice(&digits[digits.len() - after..]);
    } else {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', after - digits.len()));
        out.extend_from_slice(digits);
    }
}

/// Appends a `double precision` with the fewest digits that read as the same number.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    if write_short(out, value) {
        return;
    }
    write_float(out, value.is_nan(), value.is_sign_negative(), &format!("{:e}", value.abs()), 15);
}

/// Appends a `real` with the fewest digits that read as the same number.
pub fn write_real(out: &mut Vec<u8>, value: f32) {
    write_float(out, value.is_nan(), value.is_sign_negative(), &format!("{:e}", value.abs()), 6);
}

/// Appends a float that has few decimals, without searching for its digits.
///
/// A decimal of at most 15 digits that reads as this float is the only such one, hence the shortest.
fn write_short(out: &mut Vec<u8>, value: f64) -> bool {
    let size = value.abs();
    if !(1e-3..1e11).contains(&size) {
        return false;
    }
    for (after, power) in EXACT.iter().enumerate().take(5) {
        let mantissa = (size * power).round();
        if mantissa < 1e15 && mantissa / power == size {
            if value < 0.0 {
                out.push(b'-');
            }
            let (mantissa, power) = (mantissa as u64, *power as u64);
            write_unsigned(out, mantissa / power);
            if after > 0 {
                let mut rest = mantissa % power;
                let mut digits = [b'0'; 4];
                for digit in digits[..after].iter_mut().rev() {
                    *digit = b'0' + (rest % 10) as u8;
                    rest /= 10;
                }
                out.push(b'.');
                out.extend_from_slice(&digits[..after]);
            }
            return true;
        }
    }
    false
}

/// Lays out digits like `1.25e-7` as C's `%g` does: plain up to `10^limit`, with an exponent beyond.
fn write_float(out: &mut Vec<u8>, nan: bool, negative: bool, scientific: &str, limit: i32) {
    if nan {
        out.extend_from_slice(b"NaN");
        return;
    }
    if negative {
        out.push(b'-');
    }
    let Some((digits, exponent)) = scientific.split_once('e') else {
        out.extend_from_slice(b"Infinity");
        return;
    };
    let exponent: i32 = exponent.parse().expect("Rust writes a number after the e");
    if scientific == "0e0" {
        out.push(b'0');
    } else if exponent < -4 || exponent >= limit {
        out.extend_from_slice(digits.as_bytes());
        out.push(b'e');
        out.push(if exponent < 0 { b'-' } else { b'+' });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        write_unsigned(out, u64::from(exponent.unsigned_abs()));
    } else {
        let plain: Vec<u8> = digits.bytes().filter(|b| *b != b'.').collect();
        if exponent < 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
            out.extend_from_slice(&plain);
        } else {
            let whole = exponent as usize + 1;
            out.extend_from_slice(&plain[..whole.min(plain.len())]);
            out.extend(std::iter::repeat_n(b'0', whole.saturating_sub(plain.len())));
            if plain.len() > whole {
                out.push(b'.');
                out.extend_from_slice(&plain[whole..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_are_shown_as_postgresql_shows_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1e20, "1e+20"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (123456789012345.0, "123456789012345"),
            (1234567890123456.0, "1.234567890123456e+15"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1e-300, "1e-300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100.25, "100.25"),
            (12345678.1234, "12345678.1234"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
        ] {
            assert_eq!(shown(|out| write_double(out, value)), expected);
        }
        for (value, expected) in [(1e6f32, "1e+06"), (999999.0, "999999"), (0.1, "0.1"), (1234567.0, "1.234567e+06")] {
            assert_eq!(shown(|out| write_real(out, value)), expected);
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let mut x = 0.37f64;
        for i in 0..20_000 {
            x = (x * 1103.7).fract();
            for value in [x, x * 1e4, (x * 1e4).round() / 100.0, -x * 10f64.powi(i % 60 - 30), (x * 1e6).round() / 1e4]
            {
                assert_eq!(parse_double(shown(|out| write_double(out, value)).as_bytes()).unwrap(), value);
                assert_eq!(shown(|out| write_double(out, value)).parse::<f64>().unwrap(), value);
            }
        }
    }

    #[test]
    fn integers_have_their_range_and_form() {
        let small = |text: &str| parse_integer(text.as_bytes(), -32768, 32767, "smallint");
        assert_eq!(small("-32768"), Ok(-32768));
        assert_eq!(small(" +12 "), Ok(12));
        assert_eq!(small("99999").unwrap_err().message, "value \"99999\" is out of range for type smallint");
        assert_eq!(small("99999").unwrap_err().sqlstate, "22003");
        for bad in ["", " ", "-", "1.5", "x", "1 2", "--1"] {
            let error = small(bad).unwrap_err();
            assert_eq!(error.message, format!("invalid input syntax for type smallint: \"{bad}\""));
            assert_eq!(error.sqlstate, "22P02");
        }
        let big = |text: &str| parse_integer(text.as_bytes(), i64::MIN, i64::MAX, "bigint");
        assert_eq!(big("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(big("9223372036854775808").unwrap_err().sqlstate, "22003");
        assert_eq!(big("99999999999999999999999999").unwrap_err().sqlstate, "22003");
    }

    #[test]
    fn floats_out_of_range_are_refused() {
        assert_eq!(parse_double(b"1e400").unwrap_err().sqlstate, "22003");
        assert_eq!(parse_double(b"1e-400").unwrap_err().sqlstate, "22003");
        assert_eq!(parse_double(b" -Infinity ").unwrap(), f64::NEG_INFINITY);
        assert!(parse_double(b"nan").unwrap().is_nan());
        assert!(parse_double(b"-0").unwrap().is_sign_negative());
        assert_eq!(
            parse_double(b"1.5x").unwrap_err().message,
            "invalid input syntax for type double precision: \"1.5x\""
        );
        assert_eq!(parse_real(b"1e40").unwrap_err().message, "\"1e40\" is out of range for type real");
        assert_eq!(parse_real(b"0.1").unwrap(), 0.1f32);
    }

    #[test]
    fn numerics_round_and_overflow() {
        let numeric = |text: &str| parse_numeric(text.as_bytes(), 5, 2);
        assert_eq!(numeric("1.005"), Ok(101));
        assert_eq!(numeric("-1.005"), Ok(-101));
        assert_eq!(numeric("1e2"), Ok(10000));
        assert_eq!(numeric("999.994"), Ok(99999));
        assert_eq!(numeric("0.00000000000000000000000000000000000000000049"), Ok(0));
        let error = numeric("999.995").unwrap_err();
        assert_eq!((error.sqlstate, error.message.as_str()), ("22003", "numeric field overflow"));
        assert_eq!(
            error.detail.as_deref(),
            Some("A field with precision 5, scale 2 must round to an absolute value less than 10^3.")
        );
        assert_eq!(shown(|out| write_decimal(out, -5, 2)), "-0.05");
        assert_eq!(shown(|out| write_decimal(out, 12345, 2)), "123.45");
        assert_eq!(decimal_of_float(0.1, 15), Some(Decimal { mantissa: 1, scale: 1 }));
    }
}
