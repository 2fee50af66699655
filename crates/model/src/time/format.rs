//! Text output, in the style `ISO, MDY`.
//!
//! The `write_*` functions append bytes without allocating; the `format_*` functions make a string of them.

use super::calendar::{civil_from_days, split_days};
use super::zone::Zone;
use super::{MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND};

/// A date, in days since 1970: `2024-03-01`, `0044-03-15 BC`, `infinity`.
pub fn format_date(days: i32) -> String {
    text(|out| write_date(out, days))
}

/// A time of day, in microseconds since midnight: `02:00:00`, `24:00:00`, `10:20:30.5`.
pub fn format_time(micros: i64) -> String {
    text(|out| write_time(out, micros))
}

/// A `timestamp`, in microseconds: `2024-03-01 02:00:00`.
pub fn format_timestamp(local_micros: i64) -> String {
    text(|out| write_timestamp(out, local_micros))
}

/// A `timestamptz`, in microseconds since 1970 UTC, as the clocks of `zone` show it: `2024-03-01 02:00:00+00`.
pub fn format_timestamptz(utc_micros: i64, zone: &Zone) -> String {
    text(|out| write_timestamptz(out, utc_micros, zone))
}

/// Appends what [`format_date`] gives.
pub fn write_date(out: &mut Vec<u8>, days: i32) {
    match days {
        i32::MAX => out.extend_from_slice(b"infinity"),
        i32::MIN => out.extend_from_slice(b"-infinity"),
        _ => {
            let before_christ = write_civil(out, i64::from(days));
            write_era(out, before_christ);
        }
    }
}

/// Appends what [`format_time`] gives.
pub fn write_time(out: &mut Vec<u8>, micros: i64) {
    write_two(out, micros / MICROS_PER_HOUR);
    out.push(b':');
    write_two(out, micros / MICROS_PER_MINUTE % 60);
    out.push(b':');
    write_two(out, micros / MICROS_PER_SECOND % 60);
    write_fraction(out, micros % MICROS_PER_SECOND);
}

/// Appends what [`format_timestamp`] gives.
pub fn write_timestamp(out: &mut Vec<u8>, local_micros: i64) {
    if !write_infinity(out, local_micros) {
        let before_christ = write_clock(out, local_micros);
        write_era(out, before_christ);
    }
}

/// Appends what [`format_timestamptz`] gives.
pub fn write_timestamptz(out: &mut Vec<u8>, utc_micros: i64, zone: &Zone) {
    if !write_infinity(out, utc_micros) {
        let offset = zone.offset_at(utc_micros);
        let before_christ = write_clock(out, utc_micros.saturating_add(offset));
        write_offset(out, (offset / MICROS_PER_SECOND) as i32);
        write_era(out, before_christ);
    }
}

/// Appends `+00`, `-05:30` or `+05:30:15`: minutes and seconds only where there are any.
pub(super) fn write_offset(out: &mut Vec<u8>, seconds_east: i32) {
    let seconds = i64::from(seconds_east.abs());
    out.push(if seconds_east < 0 { b'-' } else { b'+' });
    write_two(out, seconds / 3600);
    if seconds % 3600 != 0 {
        out.push(b':');
        write_two(out, seconds / 60 % 60);
    }
    if seconds % 60 != 0 {
        out.push(b':');
        write_two(out, seconds % 60);
    }
}

/// Appends `.5` for half a second, nothing for none.
pub(crate) fn write_fraction(out: &mut Vec<u8>, micros: i64) {
    if micros == 0 {
        return;
    }
    let mut digits = [b'.'; 7];
    let mut rest = micros;
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let used = digits.iter().rposition(|&b| b != b'0').map_or(0, |last| last + 1);
    out.extend_from_slice(&digits[..used]);
}

/// Appends a number from 0 on with at least two digits.
pub(crate) fn write_two(out: &mut Vec<u8>, n: i64) {
    if (0..100).contains(&n) {
        out.extend_from_slice(&[b'0' + (n / 10) as u8, b'0' + (n % 10) as u8]);
    } else {
        out.extend_from_slice(n.to_string().as_bytes());
    }
}

fn write_infinity(out: &mut Vec<u8>, micros: i64) -> bool {
    match micros {
        i64::MAX => out.extend_from_slice(b"infinity"),
        i64::MIN => out.extend_from_slice(b"-infinity"),
        _ => return false,
    }
    true
}

fn write_clock(out: &mut Vec<u8>, local_micros: i64) -> bool {
    let (days, micros) = split_days(local_micros);
    let before_christ = write_civil(out, days);
    out.push(b' ');
    write_time(out, micros);
    before_christ
}

/// Appends year, month and day; whether the year is before Christ.
fn write_civil(out: &mut Vec<u8>, days: i64) -> bool {
    let (year, month, day) = civil_from_days(days);
    let shown = if year > 0 { year } else { 1 - year };
    if shown < 10_000 {
        write_two(out, shown / 100);
        write_two(out, shown % 100);
    } else {
        out.extend_from_slice(shown.to_string().as_bytes());
    }
    out.push(b'-');
    write_two(out, month);
    out.push(b'-');
    write_two(out, day);
    year <= 0
}

fn write_era(out: &mut Vec<u8>, before_christ: bool) {
    if before_christ {
        out.extend_from_slice(b" BC");
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::with_capacity(32);
    write(&mut out);
    String::from_utf8(out).expect("only ASCII was written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DATE_MAX, DATE_MIN, TIMESTAMP_MAX, TIMESTAMP_MIN};

    #[test]
    fn timestamps_are_written_as_postgresql_does() {
        let check = |micros: i64, expected: &str| assert_eq!(format_timestamp(micros), expected);
        check(0, "1970-01-01 00:00:00");
        check(1_709_258_400_000_000, "2024-03-01 02:00:00");
        check(1_709_258_400_500_000, "2024-03-01 02:00:00.5");
        check(1_709_258_400_000_001, "2024-03-01 02:00:00.000001");
        check(-1, "1969-12-31 23:59:59.999999");
        check(-63_517_824_000_000_000, "0044-03-15 00:00:00 BC");
        check(253_402_300_800_000_000, "10000-01-01 00:00:00");
        check(TIMESTAMP_MIN, "4714-11-24 00:00:00 BC");
        check(TIMESTAMP_MAX, "294247-01-10 04:00:54.775806");
        check(i64::MAX, "infinity");
        check(i64::MIN, "-infinity");
    }

    #[test]
    fn offsets_show_minutes_and_seconds_only_where_there_are_any() {
        let check = |zone: &str, micros: i64, expected: &str| {
            assert_eq!(format_timestamptz(micros, &Zone::parse(zone).unwrap()), expected);
        };
        const MARCH: i64 = 1_709_258_400_000_000;
        check("UTC", MARCH, "2024-03-01 02:00:00+00");
        check("Europe/Berlin", MARCH, "2024-03-01 03:00:00+01");
        check("America/New_York", MARCH, "2024-02-29 21:00:00-05");
        check("Asia/Kolkata", MARCH, "2024-03-01 07:30:00+05:30");
        check("America/St_Johns", MARCH, "2024-02-29 22:30:00-03:30");
        check("Europe/Berlin", -5_364_662_400_000_000, "1800-01-01 00:53:28+00:53:28");
        check("Europe/Berlin", -63_517_824_000_000_000, "0044-03-15 00:53:28+00:53:28 BC");
        check("Europe/Berlin", i64::MAX, "infinity");
    }

    #[test]
    fn dates_and_times_of_day_are_written_as_postgresql_does() {
        let check = |days: i32, expected: &str| assert_eq!(format_date(days), expected);
        check(0, "1970-01-01");
        check(DATE_MIN, "4714-11-24 BC");
        check(DATE_MAX, "5874897-12-31");
        check(i32::MAX, "infinity");
        check(i32::MIN, "-infinity");
        assert_eq!(format_time(0), "00:00:00");
        assert_eq!(format_time(86_400_000_000), "24:00:00");
        assert_eq!(format_time(37_230_250_000), "10:20:30.25");
    }
}
