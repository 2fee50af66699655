//! Time zones: what a clock on the wall shows at an instant, and the other way round.
//!
//! A named zone is a row of *spans* with one offset each. Where spans meet, local time skips or repeats:
//!
//! ```text
//! UTC      ────────────────┬───────────────────────┬──────────────▶
//! offset        +1         │          +2           │      +1
//! local    00:00 … 02:00 | 03:00 … 03:00 | 02:00 … 03:00 …
//!                    skipped 02–03     repeated 02–03
//! ```
//!
//! From local to UTC PostgreSQL reads a skipped time with the offset before the gap, and a repeated time as its
//! second occurrence.

use super::calendar::{DAYS_PER_ERA, civil_from_days, days_from_civil, weekday};
use super::{MICROS_PER_DAY, MICROS_PER_SECOND, TimeError};
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use std::sync::OnceLock;

/// A time zone: a fixed offset, or one of the time zone database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// Seconds east of UTC.
    Fixed(i32),
    Named(Tz),
}

/// A stretch of time in which a zone has one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First instant, in microseconds since 1970 UTC; `i64::MIN` for the first span of a zone.
    pub start: i64,
    /// First instant after; `i64::MAX` when the offset never changes again.
    pub end: i64,
    /// Local time minus UTC, in microseconds.
    pub offset: i64,
    /// The offset of the span before; the same as `offset` when there is none.
    pub offset_before: i64,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(Kind::Fixed(0));

    /// A fixed offset of so many seconds east of UTC.
    pub const fn fixed(seconds_east: i32) -> Zone {
        Zone(Kind::Fixed(seconds_east))
    }

    /// The zone that a `TimeZone` setting names: a name of the time zone database in any case, an offset
    /// east of UTC like `+02` or `-05:30`, or a POSIX name like `UTC+3`, whose sign counts west.
    ///
    /// An abbreviation like `PDT`, which is no zone of the database, is taken as its fixed offset.
    ///
    /// # Errors
    /// [`TimeError::UnknownZone`].
    pub fn parse(name: &str) -> Result<Zone, TimeError> {
        let text = name.trim();
        database_zone(text)
            .or_else(|| offset_seconds(text).map(Zone::fixed))
            .or_else(|| abbreviation_seconds(text).map(Zone::fixed))
            .or_else(|| posix_seconds(text).map(Zone::fixed))
            .ok_or_else(|| TimeError::UnknownZone { name: name.to_string() })
    }

    /// The zone that `AT TIME ZONE`, `time_bucket` or the text of a timestamp names: as [`Zone::parse`], but
    /// an abbreviation like `CET` is its fixed offset, even where a zone has the same name, and the sign of an
    /// offset like `+02` counts west, as in POSIX.
    ///
    /// # Errors
    /// [`TimeError::UnknownZone`].
    pub fn parse_in_value(name: &str) -> Result<Zone, TimeError> {
        let text = name.trim();
        let fixed = abbreviation_seconds(text).or_else(|| offset_seconds(text).map(|seconds| -seconds));
        fixed.map_or_else(|| Zone::parse(name), |seconds| Ok(Zone::fixed(seconds)))
    }

    /// Its name, as `SHOW timezone` gives it.
    pub fn name(&self) -> String {
        self.to_string()
    }

    /// Whether its clocks are never changed.
    pub fn is_fixed(&self) -> bool {
        self.transitions().next().is_none()
    }

    /// Local time minus UTC at an instant, in microseconds; a whole number of seconds.
    pub fn offset_at(&self, utc_micros: i64) -> i64 {
        match self.0 {
            Kind::Fixed(seconds) => i64::from(seconds) * MICROS_PER_SECOND,
            Kind::Named(tz) => table(tz).span_at(utc_micros).offset,
        }
    }

    /// What a clock on the wall shows at an instant, in microseconds. Infinity stays what it is.
    pub fn to_local(&self, utc_micros: i64) -> i64 {
        if is_infinite(utc_micros) {
            return utc_micros;
        }
        finite(utc_micros.saturating_add(self.offset_at(utc_micros)))
    }

    /// The instant at which a clock on the wall shows this, by PostgreSQL's rules: a skipped time is read with
    /// the offset before the gap, a repeated one as its second occurrence. Infinity stays what it is.
    pub fn to_utc(&self, local_micros: i64) -> i64 {
        if is_infinite(local_micros) {
            return local_micros;
        }
        let offset = match self.0 {
            Kind::Fixed(seconds) => i64::from(seconds) * MICROS_PER_SECOND,
            Kind::Named(tz) => table(tz).offset_of_local(local_micros),
        };
        finite(local_micros.saturating_sub(offset))
    }

    /// The span of one offset that holds an instant.
    pub(crate) fn span_at(&self, utc_micros: i64) -> Span {
        match self.0 {
            Kind::Fixed(seconds) => {
                let offset = i64::from(seconds) * MICROS_PER_SECOND;
                Span { start: i64::MIN, end: i64::MAX, offset, offset_before: offset }
            }
            Kind::Named(tz) => table(tz).span_at(utc_micros),
        }
    }

    /// The instants at which the offset changes, up to the year 2500; afterwards they repeat every 400 years.
    pub(crate) fn transitions(&self) -> impl Iterator<Item = i64> + 'static {
        let spans = match self.0 {
            Kind::Fixed(_) => &[],
            Kind::Named(tz) => table(tz).spans.as_slice(),
        };
        spans.iter().skip(1).map(|span| span.0)
    }
}

/// The database's name, `UTC`, or the offset in the form `+05:30`.
impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Kind::Fixed(0) => f.write_str("UTC"),
            Kind::Fixed(seconds) => {
                let mut text = Vec::with_capacity(9);
                super::format::write_offset(&mut text, seconds);
                f.write_str(&String::from_utf8_lossy(&text))
            }
            Kind::Named(tz) => f.write_str(tz.name()),
        }
    }
}

impl std::str::FromStr for Zone {
    type Err = TimeError;

    fn from_str(name: &str) -> Result<Self, TimeError> {
        Zone::parse(name)
    }
}

fn is_infinite(micros: i64) -> bool {
    micros == i64::MAX || micros == i64::MIN
}

/// Keeps a saturated result from being taken for infinity.
fn finite(micros: i64) -> i64 {
    micros.clamp(i64::MIN + 1, i64::MAX - 1)
}

fn database_zone(name: &str) -> Option<Zone> {
    match Tz::from_str_insensitive(name) {
        Ok(Tz::UTC) => Some(Zone::UTC),
        Ok(tz) => Some(Zone(Kind::Named(tz))),
        Err(_) if name.eq_ignore_ascii_case("Z") => Some(Zone::UTC),
        Err(_) => None,
    }
}

/// `+02`, `-05:30`, `+053015`, also without a sign: seconds east of UTC.
pub(super) fn offset_seconds(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => (1, text),
    };
    let digits = |s: &str| (!s.is_empty() && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<i32>().ok())?;
    let (hours, minutes, seconds) = match rest.split(':').collect::<Vec<_>>()[..] {
        [one] => match one.len() {
            1 | 2 => (digits(one)?, 0, 0),
            3 | 4 => (digits(one)? / 100, digits(one)? % 100, 0),
            5 | 6 => (digits(one)? / 10_000, digits(one)? / 100 % 100, digits(one)? % 100),
            _ => return None,
        },
        [hours, minutes] => (digits(hours)?, digits(minutes)?, 0),
        [hours, minutes, seconds] => (digits(hours)?, digits(minutes)?, digits(seconds)?),
        _ => return None,
    };
    (hours <= MAX_OFFSET_HOURS && minutes < 60 && seconds < 60)
        .then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

/// PostgreSQL refuses offsets of 16 hours and more.
pub(super) const MAX_OFFSET_HOURS: i32 = 15;

/// `UTC+3`, `EST5`: letters, then hours *west* of UTC.
fn posix_seconds(text: &str) -> Option<i32> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    (letters >= 3).then(|| offset_seconds(&text[letters..]).map(|seconds| -seconds))?
}

/// PostgreSQL's default abbreviations that are in use, in seconds east of UTC.
pub(super) fn abbreviation_seconds(name: &str) -> Option<i32> {
    const HOURS: &[(&str, f32)] = &[
        ("acdt", 10.5),
        ("acst", 9.5),
        ("adt", -3.0),
        ("aedt", 11.0),
        ("aest", 10.0),
        ("akdt", -8.0),
        ("akst", -9.0),
        ("art", -3.0),
        ("ast", -4.0),
        ("awst", 8.0),
        ("brst", -2.0),
        ("brt", -3.0),
        ("bst", 1.0),
        ("cdt", -5.0),
        ("cest", 2.0),
        ("cet", 1.0),
        ("cst", -6.0),
        ("eat", 3.0),
        ("edt", -4.0),
        ("eest", 3.0),
        ("eet", 2.0),
        ("est", -5.0),
        ("gmt", 0.0),
        ("hkt", 8.0),
        ("hst", -10.0),
        ("idt", 3.0),
        ("ist", 2.0),
        ("jst", 9.0),
        ("kst", 9.0),
        ("mdt", -6.0),
        ("mest", 2.0),
        ("met", 1.0),
        ("msd", 4.0),
        ("msk", 3.0),
        ("mst", -7.0),
        ("ndt", -2.5),
        ("npt", 5.75),
        ("nst", -3.5),
        ("nzdt", 13.0),
        ("nzst", 12.0),
        ("pdt", -7.0),
        ("pkt", 5.0),
        ("pst", -8.0),
        ("sast", 2.0),
        ("uct", 0.0),
        ("ut", 0.0),
        ("utc", 0.0),
        ("wast", 2.0),
        ("west", 1.0),
        ("wet", 0.0),
        ("z", 0.0),
        ("zulu", 0.0),
    ];
    let hours = HOURS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1;
    Some((hours * 3600.0) as i32)
}

/// The spans of a zone of the database: start in microseconds, offset in microseconds.
struct Table {
    spans: Vec<(i64, i64)>,
}

/// Spans are listed up to here and repeat from then on, because the calendar does.
const LISTED_UNTIL: i64 = 16_725_225_600 * MICROS_PER_SECOND; // 2500-01-01
const ERA_MICROS: i64 = DAYS_PER_ERA * MICROS_PER_DAY;

/// Builds the table of a zone when it is first used.
fn table(tz: Tz) -> &'static Table {
    static TABLES: [OnceLock<Table>; TZ_VARIANTS.len()] = [const { OnceLock::new() }; TZ_VARIANTS.len()];
    TABLES[tz as usize].get_or_init(|| Table::new(tz))
}

impl Table {
    fn new(tz: Tz) -> Table {
        let first = days_from_civil(1800, 1, 1) * 86_400;
        let end = days_from_civil(2100, 1, 1) * 86_400;
        let mut spans = vec![(i64::MIN, library_offset(tz, first))];
        // No zone changes its offset twice in a day, so a look at every midnight misses nothing.
        let mut midnight = first;
        while midnight < end {
            let (before, after) = (library_offset(tz, midnight), library_offset(tz, midnight + 86_400));
            if before != after {
                let (mut low, mut high) = (midnight, midnight + 86_400);
                while high - low > 1 {
                    let middle = low + (high - low) / 2;
                    if library_offset(tz, middle) == before { low = middle } else { high = middle }
                }
                spans.push((high, after));
            }
            midnight += 86_400;
        }
        extend_by_rule(&mut spans);
        for span in &mut spans {
            span.0 = span.0.saturating_mul(MICROS_PER_SECOND);
            span.1 *= MICROS_PER_SECOND;
        }
        Table { spans }
    }

    fn span_at(&self, utc_micros: i64) -> Span {
        let eras = if utc_micros < LISTED_UNTIL { 0 } else { (utc_micros - LISTED_UNTIL) / ERA_MICROS + 1 };
        let shift = eras * ERA_MICROS;
        let next = self.spans.partition_point(|span| span.0 <= utc_micros - shift);
        let (start, offset) = self.spans[next - 1];
        Span {
            start: if start == i64::MIN { start } else { start.saturating_add(shift) },
            end: self.spans.get(next).map_or(i64::MAX, |span| span.0.saturating_add(shift)),
            offset,
            offset_before: if next > 1 { self.spans[next - 2].1 } else { offset },
        }
    }

    /// The offset by which PostgreSQL reads a wall-clock time.
    fn offset_of_local(&self, local_micros: i64) -> i64 {
        // From the latest span that could hold it down: the first that has begun by then is the second
        // occurrence of a repeated time, or the one before the gap of a skipped time.
        let mut span = self.span_at(local_micros.saturating_add(MICROS_PER_DAY + MICROS_PER_DAY / 4));
        while span.start != i64::MIN && local_micros.saturating_sub(span.offset) < span.start {
            span = self.span_at(span.start - 1);
        }
        span.offset
    }
}

/// Seconds east of UTC according to the library, at seconds since 1970.
fn library_offset(tz: Tz, utc_seconds: i64) -> i64 {
    let instant = DateTime::from_timestamp(utc_seconds, 0).expect("the years 1800 to 2100 are in range");
    i64::from(tz.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
}

/// The library ends with the year 2099. A zone that still changes its clocks then goes on by the same rule: an
/// n-th or last weekday of some month from March on, so that only the weekday of 1 March matters.
fn extend_by_rule(spans: &mut Vec<(i64, i64)>) {
    let year_of = |seconds: i64| civil_from_days(seconds.div_euclid(86_400)).0;
    let march = |year: i64| days_from_civil(year, 3, 1);
    let listed = spans.clone();
    if listed.iter().skip(1).filter(|span| year_of(span.0) == 2098).count() != 2 {
        return;
    }
    for year in 2100..=2501 {
        let alike = |y: &i64| weekday(march(*y)) == weekday(march(year));
        let alike = (2088..2100).rev().find(alike).expect("12 years have all weekdays");
        let shift = (march(year) - march(alike)) * 86_400;
        let of_alike = listed.iter().skip(1).filter(|span| year_of(span.0) == alike);
        spans.extend(of_alike.map(|span| (span.0 + shift, span.1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clockface, format_timestamptz, parse_timestamp, parse_timestamptz};
    use proptest::prelude::*;

    fn utc(text: &str) -> i64 {
        parse_timestamptz(text, &Clockface::EPOCH).unwrap()
    }

    #[test]
    fn local_times_become_instants_by_the_rules_of_postgresql() {
        let check = |zone: &str, local: &str, expected: &str| {
            let local_micros = parse_timestamp(local, &Clockface::EPOCH).unwrap();
            let instant = Zone::parse(zone).unwrap().to_utc(local_micros);
            assert_eq!(format_timestamptz(instant, &Zone::UTC), expected, "{local} {zone}");
        };
        check("Europe/Berlin", "2024-01-01 10:00", "2024-01-01 09:00:00+00");
        check("Europe/Berlin", "2024-07-01 10:00", "2024-07-01 08:00:00+00");
        // Skipped: the offset before the gap.
        check("Europe/Berlin", "2024-03-31 01:59:59", "2024-03-31 00:59:59+00");
        check("Europe/Berlin", "2024-03-31 02:00", "2024-03-31 01:00:00+00");
        check("Europe/Berlin", "2024-03-31 02:30", "2024-03-31 01:30:00+00");
        check("Europe/Berlin", "2024-03-31 03:00", "2024-03-31 01:00:00+00");
        // Repeated: the second time.
        check("Europe/Berlin", "2024-10-27 01:59:59", "2024-10-26 23:59:59+00");
        check("Europe/Berlin", "2024-10-27 02:00", "2024-10-27 01:00:00+00");
        check("Europe/Berlin", "2024-10-27 02:59:59", "2024-10-27 01:59:59+00");
        check("Europe/Berlin", "2024-10-27 03:00", "2024-10-27 02:00:00+00");
        check("America/New_York", "2024-03-10 02:30", "2024-03-10 07:30:00+00");
        check("America/New_York", "2024-11-03 01:30", "2024-11-03 06:30:00+00");
        check("America/Havana", "2024-03-10 00:00", "2024-03-10 05:00:00+00");
        check("Australia/Lord_Howe", "2024-04-07 01:45", "2024-04-06 15:15:00+00");
        // A day that never was.
        check("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 22:00:00+00");
        // Before there were zones.
        check("Europe/Berlin", "1850-01-01 00:00", "1849-12-31 23:06:32+00");
        // Beyond the library's table.
        check("Europe/Berlin", "2150-07-01 12:00", "2150-07-01 10:00:00+00");
        check("Australia/Sydney", "9999-12-31 23:59:59", "9999-12-31 12:59:59+00");
        check("Asia/Tokyo", "2150-07-01 12:00", "2150-07-01 03:00:00+00");
    }

    #[test]
    fn zones_are_known_by_name_in_any_case_and_by_offset() {
        let check = |name: &str, expected: &str| assert_eq!(Zone::parse(name).unwrap().name(), expected);
        check("Europe/Berlin", "Europe/Berlin");
        check("europe/BERLIN", "Europe/Berlin");
        check("utc", "UTC");
        check("Z", "UTC");
        check("+02", "+02");
        check("-05:30", "-05:30");
        check("+0530", "+05:30");
        check("5", "+05");
        check("UTC+3", "-03");
        check("CET", "CET");
        check("PDT", "-07");
        assert_eq!(Zone::parse_in_value("CET").unwrap(), Zone::fixed(3600));
        assert_eq!(Zone::parse_in_value("+05:30").unwrap(), Zone::fixed(-19_800));
        for unknown in ["", "Mars/Olympus", "+24", "+02:60", "1234567"] {
            let error = Zone::parse(unknown).unwrap_err();
            assert_eq!(error.to_string(), format!("time zone \"{unknown}\" not recognized"));
            assert_eq!(error.sqlstate(), "22023");
        }
    }

    #[test]
    fn infinity_is_the_same_in_every_zone() {
        for zone in [Zone::UTC, Zone::fixed(-3600), Zone::parse("Asia/Tokyo").unwrap()] {
            for infinity in [i64::MAX, i64::MIN] {
                assert_eq!((zone.to_local(infinity), zone.to_utc(infinity)), (infinity, infinity));
            }
        }
    }

    #[test]
    fn a_year_has_the_changes_of_the_same_year_four_centuries_later() {
        let zone = Zone::parse("America/New_York").unwrap();
        for (early, late) in [("2110-06-01", "2510-06-01"), ("2499-12-31", "2899-12-31"), ("2100-03-14", "2500-03-14")]
        {
            let (early, late) = (zone.span_at(utc(early)), zone.span_at(utc(late)));
            assert_eq!((late.start - early.start, late.end - early.end), (ERA_MICROS, ERA_MICROS));
            assert_eq!((late.offset, late.offset_before), (early.offset, early.offset_before));
        }
    }

    proptest! {
        #[test]
        fn offsets_are_those_of_the_library(tz in prop::sample::select(&TZ_VARIANTS[..]), seconds in -5_000_000_000i64..4_102_000_000) {
            let zone = Zone::parse(tz.name()).unwrap();
            prop_assert_eq!(zone.offset_at(seconds * MICROS_PER_SECOND) / MICROS_PER_SECOND, library_offset(tz, seconds));
        }

        #[test]
        fn local_time_leads_back_to_its_instant_unless_it_repeats(tz in prop::sample::select(&TZ_VARIANTS[..]), seconds in -5_000_000_000i64..20_000_000_000) {
            let zone = Zone::parse(tz.name()).unwrap();
            let instant = seconds * MICROS_PER_SECOND;
            let back = zone.to_utc(zone.to_local(instant));
            prop_assert!(back == instant || (back > instant && zone.to_local(back) == zone.to_local(instant)));
        }
    }
}
