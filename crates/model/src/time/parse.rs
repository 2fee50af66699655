//! Text input, as with `DateStyle = ISO, MDY`.
//!
//! ```text
//! text ──▶ iso: bytes at fixed places ──▶ done                what programs send, millions of times
//!              │ anything unusual
//!              ▼
//!          fields ──▶ reading ──▶ check and assemble          what people type
//! ```
//!
//! The second way follows PostgreSQL's `datetime.c`: the text is cut into fields by the shape of their
//! characters, and each field takes the first place that is still free for it.

mod fields;
mod iso;
mod reading;

use super::arithmetic::{date_from_timestamp, in_range};
use super::calendar::split_days;
use super::{Clockface, DATE_MAX, DATE_MIN, MICROS_PER_DAY, TimeError};
use iso::{iso, iso_clock};
use reading::{Special, read};

const DATE: &str = "date";
const TIME: &str = "time";
const TIMESTAMP: &str = "timestamp";
const TIMESTAMPTZ: &str = "timestamp with time zone";

/// Reads a `date`, in days since 1970. A time of day is ignored.
///
/// # Errors
/// [`TimeError`] as PostgreSQL words it: bad syntax, a field or the whole date out of range, an unknown zone.
pub fn parse_date(text: &str, clock: &Clockface) -> Result<i32, TimeError> {
    if let Some(iso) = iso(text.as_bytes()) {
        return Ok(iso.days as i32); // Years here have four digits.
    }
    let reading = read(text, DATE, false)?;
    match reading.special {
        Some(Special::Infinity) => return Ok(i32::MAX),
        Some(Special::MinusInfinity) => return Ok(i32::MIN),
        Some(Special::Epoch) => return Ok(0),
        Some(Special::Now) => return Ok(date_from_timestamp(clock.zone.to_local(clock.now()))),
        None => {}
    }
    i32::try_from(reading.days(clock))
        .ok()
        .filter(|days| (DATE_MIN..=DATE_MAX).contains(days))
        .ok_or_else(|| TimeError::TextOutOfRange { type_name: DATE, text: text.to_string() })
}

/// Reads a `time`, in microseconds since midnight; `24:00:00` is the end of the day. A date and a zone are ignored.
///
/// # Errors
/// [`TimeError`] as PostgreSQL words it.
pub fn parse_time(text: &str, clock: &Clockface) -> Result<i64, TimeError> {
    if let Some((micros, _)) = iso_clock(text.as_bytes()).filter(|(_, length)| *length == text.len()) {
        return Ok(micros);
    }
    let reading = read(text, TIME, true)?;
    match reading.special {
        Some(Special::Now) => Ok(split_days(clock.zone.to_local(clock.now())).1),
        Some(_) => Err(TimeError::InvalidSyntax { type_name: TIME, text: text.to_string() }),
        None => Ok(reading.micros.unwrap_or(0)),
    }
}

/// Reads a `timestamp`: microseconds since 1970 on a wall clock. A zone in the text is ignored.
///
/// # Errors
/// [`TimeError`] as PostgreSQL words it.
pub fn parse_timestamp(text: &str, clock: &Clockface) -> Result<i64, TimeError> {
    if let Some(iso) = iso(text.as_bytes()) {
        return Ok(iso.days * MICROS_PER_DAY + iso.micros);
    }
    let reading = read(text, TIMESTAMP, false)?;
    match reading.special {
        Some(Special::Infinity) => Ok(i64::MAX),
        Some(Special::MinusInfinity) => Ok(i64::MIN),
        Some(Special::Epoch) => Ok(0),
        Some(Special::Now) => Ok(clock.zone.to_local(clock.now())),
        None => reading.local_micros(clock).ok_or_else(|| too_far(text)),
    }
}

/// Reads a `timestamptz`: microseconds since 1970 UTC. Without a zone in the text it is on the clocks of
/// `clock.zone`.
///
/// # Errors
/// [`TimeError`] as PostgreSQL words it.
pub fn parse_timestamptz(text: &str, clock: &Clockface) -> Result<i64, TimeError> {
    if let Some(iso) = iso(text.as_bytes()) {
        let local = iso.days * MICROS_PER_DAY + iso.micros;
        return Ok(match iso.offset_micros {
            Some(offset) => local - offset,
            None => clock.zone.to_utc(local),
        });
    }
    let reading = read(text, TIMESTAMPTZ, false)?;
    match reading.special {
        Some(Special::Infinity) => Ok(i64::MAX),
        Some(Special::MinusInfinity) => Ok(i64::MIN),
        Some(Special::Epoch) => Ok(0),
        Some(Special::Now) => Ok(clock.now()),
        None => {
            let local = reading.local_micros(clock).ok_or_else(|| too_far(text))?;
            in_range(Some(reading.zone.unwrap_or(clock.zone).to_utc(local))).map_err(|_| too_far(text))
        }
    }
}

fn too_far(text: &str) -> TimeError {
    TimeError::TextOutOfRange { type_name: TIMESTAMP, text: text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{
        TIMESTAMP_MAX, TIMESTAMP_MIN, Zone, format_date, format_time, format_timestamp, format_timestamptz,
    };
    use proptest::prelude::*;

    /// What the four readers make of a text, as text; errors as SQLSTATE and message.
    struct Session(Clockface);

    impl Session {
        fn in_zone(zone: &str) -> Session {
            // 2023-11-14 22:13:20 UTC
            Session(Clockface::new(Zone::parse(zone).unwrap(), 1_700_000_000_000_000))
        }

        fn timestamptz(&self, text: &str, expected: &str) {
            let read = parse_timestamptz(text, &self.0).map(|micros| format_timestamptz(micros, &self.0.zone));
            assert_eq!(told(read), expected, "timestamptz '{text}'");
        }

        fn timestamp(&self, text: &str, expected: &str) {
            assert_eq!(told(parse_timestamp(text, &self.0).map(format_timestamp)), expected, "timestamp '{text}'");
        }

        fn date(&self, text: &str, expected: &str) {
            assert_eq!(told(parse_date(text, &self.0).map(format_date)), expected, "date '{text}'");
        }

        fn time(&self, text: &str, expected: &str) {
            assert_eq!(told(parse_time(text, &self.0).map(format_time)), expected, "time '{text}'");
        }
    }

    fn told(read: Result<String, TimeError>) -> String {
        read.unwrap_or_else(|error| format!("{} {error}", error.sqlstate()))
    }

    // The expected answers below are those of PostgreSQL 15.

    #[test]
    fn the_usual_form_is_read() {
        let check = |text, expected| Session::in_zone("Europe/Berlin").timestamptz(text, expected);
        check("2024-03-01 02:00:00", "2024-03-01 02:00:00+01");
        check("2024-03-01 02:00:00+00", "2024-03-01 03:00:00+01");
        check("2024-03-01T02:00:00Z", "2024-03-01 03:00:00+01");
        check("2024-03-01 02:00", "2024-03-01 02:00:00+01");
        check("2024-03-01", "2024-03-01 00:00:00+01");
        check("2024-07-01", "2024-07-01 00:00:00+02");
        check("2024-03-01 02:00:00.1", "2024-03-01 02:00:00.1+01");
        check("2024-03-01 02:00:00.123456 -05:30", "2024-03-01 08:30:00.123456+01");
        check("2024-03-01T02:00:00.123456789+0530", "2024-02-29 21:30:00.123457+01");
        check("2024-03-01 02:00:00+05:30:15", "2024-02-29 21:29:45+01");
        check("2024-12-31 23:59:59.9999996", "2025-01-01 00:00:00+01");
        check("2024-01-01 24:00:00", "2024-01-02 00:00:00+01");
        check("2024-01-01 23:59:60", "2024-01-02 00:00:00+01");
    }

    #[test]
    fn skipped_and_repeated_times_are_read_by_the_rules_of_the_zone() {
        let check = |text, expected| Session::in_zone("Europe/Berlin").timestamptz(text, expected);
        check("2024-03-31 02:30", "2024-03-31 03:30:00+02");
        check("2024-10-27 02:30", "2024-10-27 02:30:00+01");
        check("2024-10-27 02:30+02", "2024-10-27 02:30:00+02");
    }

    #[test]
    fn what_people_type_is_read() {
        let check = |text, expected| Session::in_zone("UTC").timestamp(text, expected);
        check("20240301", "2024-03-01 00:00:00");
        check("20240301T101112", "2024-03-01 10:11:12");
        check("20240301 1011", "2024-03-01 10:11:00");
        check("240301", "2024-03-01 00:00:00");
        check("03/01/2024", "2024-03-01 00:00:00");
        check("3/1/24 10:11", "2024-03-01 10:11:00");
        check("3-1-2024", "2024-03-01 00:00:00");
        check("3/1/70", "1970-03-01 00:00:00");
        check("2024/03/01", "2024-03-01 00:00:00");
        check("2024.03.01", "2024-03-01 00:00:00");
        check("Jan 8, 1999", "1999-01-08 00:00:00");
        check("8 Jan 1999", "1999-01-08 00:00:00");
        check("1999-Jan-08", "1999-01-08 00:00:00");
        check("08-Jan-99", "1999-01-08 00:00:00");
        check("sept 5, 2024 3:04 pm", "2024-09-05 15:04:00");
        check("Mon Jan  8 10:11:12 1999 PST", "1999-01-08 10:11:12");
        check("1999.008", "1999-01-08 00:00:00");
        check("J2451187", "1999-01-08 00:00:00");
        check("1999-01-08 12:05 AM", "1999-01-08 00:05:00");
        check("1999-01-08 12:05PM", "1999-01-08 12:05:00");
        check("0044-03-15 BC", "0044-03-15 00:00:00 BC");
        check("12345-06-07 08:09:10", "12345-06-07 08:09:10");
        check("  2024-01-01,10:00 ", "2024-01-01 10:00:00");
    }

    #[test]
    fn zones_in_the_text_are_read() {
        let check = |text, expected| Session::in_zone("UTC").timestamptz(text, expected);
        check("2024-01-01 10:00 Europe/Berlin", "2024-01-01 09:00:00+00");
        check("2024-07-01 10:00 europe/berlin", "2024-07-01 08:00:00+00");
        check("2024-01-01 10:00 EST", "2024-01-01 15:00:00+00");
        check("2024-07-01 10:00 CET", "2024-07-01 09:00:00+00");
        check("2024-01-01 10:00 UTC", "2024-01-01 10:00:00+00");
        check("2024-01-01 10:00 zulu", "2024-01-01 10:00:00+00");
        check("2024-01-01 10:00 Etc/GMT+3", "2024-01-01 13:00:00+00");
        check("2024-01-01 10:00 America/Argentina/Buenos_Aires", "2024-01-01 13:00:00+00");
        check("2024-01-01 10:00 Foo/Bar", "22023 time zone \"foo/bar\" not recognized");
        check(
            "2024-01-01 10:00 foo",
            "22007 invalid input syntax for type timestamp with time zone: \"2024-01-01 10:00 foo\"",
        );
        check("2024-01-01 10:00+16", "22009 time zone displacement out of range: \"2024-01-01 10:00+16\"");
    }

    #[test]
    fn words_stand_for_times() {
        let session = Session::in_zone("Asia/Tokyo"); // 2023-11-15 07:13:20 there
        session.timestamptz("now", "2023-11-15 07:13:20+09");
        session.timestamp("now", "2023-11-15 07:13:20");
        session.date("now", "2023-11-15");
        session.time("now", "07:13:20");
        session.timestamptz("today", "2023-11-15 00:00:00+09");
        session.timestamp("tomorrow 12:00", "2023-11-16 12:00:00");
        session.date("yesterday", "2023-11-14");
        session.timestamptz("epoch", "1970-01-01 09:00:00+09");
        session.timestamptz("Infinity", "infinity");
        session.timestamp("-infinity", "-infinity");
        session.date("-infinity", "-infinity");
        session.timestamp("2024-01-01 now", "22007 invalid input syntax for type timestamp: \"2024-01-01 now\"");
        session.time("infinity", "22007 invalid input syntax for type time: \"infinity\"");
    }

    #[test]
    fn times_of_day_are_read() {
        let check = |text, expected| Session::in_zone("UTC").time(text, expected);
        check("10:20:30.5", "10:20:30.5");
        check("10:20", "10:20:00");
        check("10:20 PM", "22:20:00");
        check("102030.25", "10:20:30.25");
        check("24:00:00", "24:00:00");
        check("2024-01-01 10:20:30 America/New_York", "10:20:30");
        check("24:00:01", "22008 date/time field value out of range: \"24:00:01\"");
        check("foo", "22007 invalid input syntax for type time: \"foo\"");
    }

    #[test]
    fn impossible_dates_are_refused_in_the_words_of_postgresql() {
        let check = |text: &str, expected: &str| {
            Session::in_zone("UTC").timestamp(text, &expected.replace('%', &format!("\"{text}\"")));
        };
        for text in ["2023-02-29", "2024-13-01", "2024-01-00", "0000-01-01", "2024-01-01 25:00", "13:00 PM 2024-01-01"]
        {
            check(text, "22008 date/time field value out of range: %");
        }
        for text in ["", " ", "x", "2024", "10:00", "2024-01-01 10:00 10:00", "2024-01-01T", "2024-01-01 10:00+"] {
            check(text, "22007 invalid input syntax for type timestamp: %");
        }
        for text in ["4714-11-23 BC", "300000-01-01"] {
            check(text, "22008 timestamp out of range: %");
        }
        Session::in_zone("UTC").date("5874898-01-01", "22008 date out of range: \"5874898-01-01\"");
        let hint = parse_date("13/13/2024", &Clockface::EPOCH).unwrap_err().hint();
        assert_eq!(hint, Some("Perhaps you need a different \"datestyle\" setting."));
        assert_eq!(parse_date("2023-02-29", &Clockface::EPOCH).unwrap_err().hint(), None);
    }

    #[test]
    fn the_limits_are_read() {
        let session = Session::in_zone("UTC");
        session.timestamp("4714-11-24 00:00:00 BC", "4714-11-24 00:00:00 BC");
        session.date("4714-11-24 BC", "4714-11-24 BC");
        session.date("5874897-12-31", "5874897-12-31");
        session.timestamp("294247-01-10 04:00:54.775806", "294247-01-10 04:00:54.775806");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in TIMESTAMP_MIN..=TIMESTAMP_MAX, zone in prop::sample::select(&["UTC", "Europe/Berlin", "Asia/Kathmandu", "-03:30"][..])) {
            let clock = Clockface::new(Zone::parse(zone).unwrap(), 0);
            prop_assert_eq!(parse_timestamp(&format_timestamp(micros), &clock).unwrap(), micros);
            let micros = micros.clamp(TIMESTAMP_MIN + MICROS_PER_DAY, TIMESTAMP_MAX - MICROS_PER_DAY);
            prop_assert_eq!(parse_timestamptz(&format_timestamptz(micros, &clock.zone), &clock).unwrap(), micros);
        }

        #[test]
        fn recent_times_are_read_back(micros in -5_000_000_000_000_000..5_000_000_000_000_000i64, days in DATE_MIN..=DATE_MAX) {
            let clock = Clockface::new(Zone::parse("America/New_York").unwrap(), 0);
            prop_assert_eq!(parse_timestamptz(&format_timestamptz(micros, &clock.zone), &clock).unwrap(), micros);
            prop_assert_eq!(parse_timestamp(&format_timestamp(micros), &clock).unwrap(), micros);
            prop_assert_eq!(parse_date(&format_date(days), &clock).unwrap(), days);
        }

        #[test]
        fn the_fast_way_and_the_slow_way_agree(text in "20[0-9]{2}-[01][0-9]-[0-3][0-9]([ T][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{1,6})?)?( ?(Z|[+-][01][0-9](:?[0-6][0-9])?))?)?") {
            if let Some(iso) = iso(text.as_bytes()) {
                let slow = read(&text, TIMESTAMPTZ, false).unwrap();
                prop_assert_eq!(slow.days(&Clockface::EPOCH), iso.days);
                prop_assert_eq!(slow.micros.unwrap_or(0), iso.micros);
                prop_assert_eq!(slow.zone.map(|zone| zone.offset_at(0)), iso.offset_micros);
            }
        }

        #[test]
        fn no_text_makes_a_reader_panic(text in "[-0-9a-zA-Z:./+ ,]{0,24}|\\PC{0,12}") {
            let clock = Clockface::EPOCH;
            let _ = (parse_date(&text, &clock), parse_time(&text, &clock), parse_timestamp(&text, &clock));
            let _ = (parse_timestamptz(&text, &clock), Zone::parse(&text), crate::interval::Interval::parse(&text));
        }
    }
}
