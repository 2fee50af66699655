//! Values as PostgreSQL writes and reads them in the binary format, where that takes more than their bytes.

use std::net::IpAddr;

/// Microseconds from 1970 to 2000, from which PostgreSQL counts.
pub const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Days from 1970 to 2000.
pub const EPOCH_DAYS: i32 = 10_957;

const NUMERIC_NEGATIVE: u16 = 0x4000;
const NUMERIC_NAN: u16 = 0xC000;
const NUMERIC_INFINITY: u16 = 0xD000;
const NUMERIC_NEGATIVE_INFINITY: u16 = 0xF000;

/// Microseconds since 1970 as PostgreSQL counts them; the infinities stay what they are.
pub fn timestamp(micros: i64) -> i64 {
    match micros {
        i64::MAX | i64::MIN => micros,
        // Only years that PostgreSQL does not have come near the limit.
        _ => micros.saturating_sub(EPOCH_MICROS),
    }
}

/// The inverse of [`timestamp`]; `None` beyond what can be kept.
pub fn timestamp_from(micros: i64) -> Option<i64> {
    match micros {
        i64::MAX | i64::MIN => Some(micros),
        _ => micros.checked_add(EPOCH_MICROS),
    }
}

/// Days since 1970 as PostgreSQL counts them; the infinities stay what they are.
pub fn date(days: i32) -> i32 {
    match days {
        i32::MAX | i32::MIN => days,
        _ => days.saturating_sub(EPOCH_DAYS),
    }
}

/// The inverse of [`date`]; `None` beyond what can be kept.
pub fn date_from(days: i32) -> Option<i32> {
    match days {
        i32::MAX | i32::MIN => Some(days),
        _ => days.checked_add(EPOCH_DAYS),
    }
}

/// A `numeric` given by its sign, its decimal digits, and how many of them follow the point.
///
/// ```text
///       12 345.678 9
/// digits 1  2345 . 6789      base 10000, weight of the first = 1
/// ```
pub fn numeric(out: &mut Vec<u8>, negative: bool, digits: &[u8], scale: i32) {
    let fraction = scale.max(0).unsigned_abs() as usize;
    let appended = scale.min(0).unsigned_abs() as usize;
    // Zeros on both sides make the point fall between two groups of four.
    let before_point = (digits.len() + appended).saturating_sub(fraction);
    let pad_left = (4 - before_point % 4) % 4 + fraction.saturating_sub(digits.len() + appended);
    let pad_right = appended + (4 - fraction % 4) % 4;
    let total = pad_left + digits.len() + pad_right;
    debug_assert_eq!(total % 4, 0);
    let digit = |i: usize| match i.checked_sub(pad_left).and_then(|i| digits.get(i)) {
        Some(d) => u16::from(d - b'0'),
        None => 0,
    };
    let group = |g: usize| (0..4).fold(0, |n, i| n * 10 + digit(g * 4 + i));
    let groups = total / 4;
    let first = (0..groups).find(|&g| group(g) != 0).unwrap_or(groups);
    let last = (0..groups).rfind(|&g| group(g) != 0).map_or(first, |g| g + 1);
    let integer_groups = before_point.div_ceil(4);
    let is_zero = first == groups;
    let weight = if is_zero { 0 } else { integer_groups as i16 - 1 - first as i16 };
    let sign = if negative && !is_zero { NUMERIC_NEGATIVE } else { 0 };
    out.extend_from_slice(&((last - first) as u16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&(fraction as u16).to_be_bytes());
    for g in first..last {
        out.extend_from_slice(&group(g).to_be_bytes());
    }
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

/// A `numeric` as text, which every precision fits into. `None` when the bytes are not one.
pub fn numeric_from(bytes: &[u8]) -> Option<String> {
    let mut words = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let count = usize::from(words.next()?);
    let weight = words.next()? as i16;
    let sign = words.next()?;
    let scale = usize::from(words.next()?);
    let groups: Vec<u16> = words.collect();
    if bytes.len() != 8 + 2 * count || groups.iter().any(|&g| g > 9999) || scale > 0x3fff {
        return None;
    }
    match sign {
        0 | NUMERIC_NEGATIVE => {}
        NUMERIC_NAN => return Some("NaN".to_owned()),
        NUMERIC_INFINITY => return Some("Infinity".to_owned()),
        NUMERIC_NEGATIVE_INFINITY => return Some("-Infinity".to_owned()),
        _ => return None,
    }
    let group = |position: i32| {
        let index = i32::from(weight) - position;
        usize::try_from(index).ok().and_then(|i| groups.get(i)).copied().unwrap_or(0)
    };
    let mut text = String::new();
    for position in (0..=i32::from(weight).max(0)).rev() {
        text.push_str(&format!("{:04}", group(position)));
    }
    let integer = text.trim_start_matches('0').to_owned();
    let mut fraction = String::new();
    for position in 1..=scale.div_ceil(4) as i32 {
        fraction.push_str(&format!("{:04}", group(-position)));
    }
    fraction.truncate(scale);
    let minus = if sign == NUMERIC_NEGATIVE { "-" } else { "" };
    let integer = if integer.is_empty() { "0" } else { &integer };
    Some(if fraction.is_empty() { format!("{minus}{integer}") } else { format!("{minus}{integer}.{fraction}") })
}

/// An `inet` or `cidr` from its text; `None` when the text is not one.
pub fn inet(text: &str, is_cidr: bool) -> Option<Vec<u8>> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let (family, octets) = match address.parse().ok()? {
        IpAddr::V4(address) => (2, address.octets().to_vec()),
        IpAddr::V6(address) => (3, address.octets().to_vec()),
    };
    let bits = bits.unwrap_or(octets.len() as u8 * 8);
    let mut out = vec![family, bits, u8::from(is_cidr), octets.len() as u8];
    out.extend_from_slice(&octets);
    Some(out)
}

/// The text of an `inet` or `cidr`; `None` when the bytes are not one.
pub fn inet_from(bytes: &[u8]) -> Option<String> {
    let [family, bits, is_cidr, _, octets @ ..] = bytes else { return None };
    let address = match family {
        2 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        3 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    let whole = usize::from(*bits) == octets.len() * 8;
    Some(if whole && *is_cidr == 0 { address.to_string() } else { format!("{address}/{bits}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<u16> {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |t| (true, t));
        let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = format!("{integer}{fraction}");
        let mut out = Vec::new();
        numeric(&mut out, negative, digits.trim_start_matches('0').as_bytes(), fraction.len() as i32);
        let back = numeric_from(&out).unwrap();
        assert_eq!(back, format!("{}{text}", if negative { "-" } else { "" }));
        out.chunks(2).map(|p| u16::from_be_bytes([p[0], p[1]])).collect()
    }

    #[test]
    fn numerics_have_groups_of_four_digits() {
        // What PostgreSQL's numeric_send gives: count, weight, sign, scale, groups.
        assert_eq!(words("0"), [0, 0, 0, 0]);
        assert_eq!(words("0.00"), [0, 0, 0, 2]);
        assert_eq!(words("1"), [1, 0, 0, 0, 1]);
        assert_eq!(words("12345.6789"), [3, 1, 0, 4, 1, 2345, 6789]);
        assert_eq!(words("-12345.678"), [3, 1, 0x4000, 3, 1, 2345, 6780]);
        assert_eq!(words("10000"), [1, 1, 0, 0, 1]);
        assert_eq!(words("0.1"), [1, 0xffff, 0, 1, 1000]);
        assert_eq!(words("0.00001"), [1, 0xfffe, 0, 5, 1000]);
        assert_eq!(words("100000000.00"), [1, 2, 0, 2, 1]);
        assert_eq!(words("9999.9999"), [2, 0, 0, 4, 9999, 9999]);
    }

    #[test]
    fn digits_are_decimal() {
        for value in [0, 7, u128::from(u64::MAX), u128::from(u64::MAX) + 1, 10_u128.pow(38), u128::MAX] {
            assert_eq!(digits(value, &mut [0; 40]), value.to_string().as_bytes());
        }
    }

    #[test]
    fn a_negative_scale_appends_zeros() {
        let mut out = Vec::new();
        numeric(&mut out, false, b"12", -3);
        assert_eq!(numeric_from(&out).unwrap(), "12000");
    }

    #[test]
    fn broken_numerics_are_refused() {
        assert_eq!(numeric_from(&[]), None);
        assert_eq!(numeric_from(&[0, 1, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(numeric_from(&[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10]), None);
        assert_eq!(numeric_from(&[0, 0, 0, 0, 0xC0, 0, 0, 0]).as_deref(), Some("NaN"));
    }

    #[test]
    fn times_are_counted_from_2000() {
        assert_eq!(timestamp(EPOCH_MICROS), 0);
        assert_eq!(timestamp(i64::MAX), i64::MAX);
        assert_eq!(timestamp_from(timestamp(12)), Some(12));
        assert_eq!(timestamp_from(i64::MAX - 1), None);
        assert_eq!(date(EPOCH_DAYS + 1), 1);
        assert_eq!(date_from(date(i32::MIN)), Some(i32::MIN));
    }

    #[test]
    fn addresses_go_both_ways() {
        for text in ["127.0.0.1", "10.1.2.0/24", "::1", "2001:db8::/32"] {
            assert_eq!(inet_from(&inet(text, false).unwrap()).unwrap(), text);
        }
        assert_eq!(inet("127.0.0.1", false).unwrap(), [2, 32, 0, 4, 127, 0, 0, 1]);
        assert_eq!(inet("no address", false), None);
    }
}
