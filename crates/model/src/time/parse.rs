//! Text input, as with `DateStyle = ISO, MDY`.
//!
//! ```text
//! text ──▶ iso(): bytes at fixed places ──▶ done              what programs send, millions of times
//!              │ anything unusual
//!              ▼
//!          fields() ──▶ Reading ──▶ check and assemble        what people type
//! ```
//!
//! The second way follows PostgreSQL's `datetime.c`: the text is cut into fields by the shape of their
//! characters, and each field takes the first place that is still free for it.

use super::arithmetic::{date_from_timestamp, in_range};
use super::calendar::{days_from_civil, days_in_month, split_days};
use super::zone::{MAX_OFFSET_HOURS, Zone, abbreviation_seconds};
use super::{
    Clockface, DATE_MAX, DATE_MIN, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, TimeError,
};

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

// ---- The usual form ------------------------------------------------------------------------------------------

/// `YYYY-MM-DD[{ |T}HH:MM[:SS[.ffffff]][ ][{Z|±HH[[:]MM]}]]`
struct Iso {
    days: i64,
    micros: i64,
    offset_micros: Option<i64>,
}

/// Reads the usual form; `None` for anything else, be it another form or an error.
#[inline]
fn iso(bytes: &[u8]) -> Option<Iso> {
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
fn iso_clock(bytes: &[u8]) -> Option<(i64, usize)> {
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

// ---- Every other form ----------------------------------------------------------------------------------------

enum Fault {
    Syntax,
    Field { month_or_day: bool },
    Displacement,
    Zone(String),
}

const OVERFLOW: Fault = Fault::Field { month_or_day: false };

/// What a text says.
#[derive(Default)]
struct Reading {
    special: Option<Special>,
    /// `today` and its neighbours.
    days_from_today: Option<i64>,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    /// Day of the year, for `1999.008`.
    day_of_year: Option<i64>,
    /// Days since 1970, of a Julian date.
    julian: Option<i64>,
    has_text_month: bool,
    short_year: bool,
    before_christ: bool,
    has_era: bool,
    micros: Option<i64>,
    afternoon: Option<bool>,
    zone: Option<Zone>,
    /// A `T` came: the next number is a time.
    after_t: bool,
    /// A time of day is wanted, with or without a date.
    time_alone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    Now,
    Epoch,
    Infinity,
    MinusInfinity,
}

impl Reading {
    /// Days since 1970. The date was checked by [`Reading::finish`].
    fn days(&self, clock: &Clockface) -> i64 {
        if let Some(days) = self.days_from_today {
            return i64::from(date_from_timestamp(clock.zone.to_local(clock.now()))) + days;
        }
        if let Some(days) = self.julian {
            return days;
        }
        let year = self.year.unwrap_or(1);
        match self.day_of_year {
            Some(day) => days_from_civil(year, 1, 1) + day - 1,
            None => days_from_civil(year, self.month.unwrap_or(1), self.day.unwrap_or(1)),
        }
    }

    fn local_micros(&self, clock: &Clockface) -> Option<i64> {
        let start = self.days(clock).checked_mul(MICROS_PER_DAY)?;
        in_range(start.checked_add(self.micros.unwrap_or(0))).ok()
    }

    fn has_date(&self) -> bool {
        self.days_from_today.is_some()
            || self.julian.is_some()
            || (self.year.is_some() && self.day_of_year.is_some())
            || (self.year.is_some() && self.month.is_some() && self.day.is_some())
    }

    fn has_part_of_date(&self) -> bool {
        self.has_date() || self.year.is_some() || self.month.is_some() || self.day.is_some()
    }

    /// Checks the fields against each other and brings the year and the hour to their final values.
    fn finish(&mut self) -> Result<(), Fault> {
        if self.after_t && self.micros.is_none() {
            return Err(Fault::Syntax);
        }
        if self.special.is_some() {
            let alone = !self.has_part_of_date() && self.micros.is_none();
            return if alone { Ok(()) } else { Err(Fault::Syntax) };
        }
        if self.time_alone {
            if self.micros.is_none() || (self.has_part_of_date() && !self.has_date()) {
                return Err(Fault::Syntax);
            }
        } else if !self.has_date() {
            return Err(Fault::Syntax);
        }
        if let Some(year) = self.year.as_mut() {
            if self.before_christ {
                if *year <= 0 {
                    return Err(OVERFLOW);
                }
                *year = 1 - *year;
            } else if self.short_year {
                *year += if *year < 70 { 2000 } else { 1900 };
            } else if *year <= 0 {
                return Err(OVERFLOW);
            }
        } else if self.has_era {
            return Err(Fault::Syntax);
        }
        if self.month.is_some_and(|month| !(1..=12).contains(&month)) {
            return Err(Fault::Field { month_or_day: true });
        }
        if self.day.is_some_and(|day| !(1..=31).contains(&day)) {
            return Err(Fault::Field { month_or_day: true });
        }
        if let (Some(year), Some(month), Some(day)) = (self.year, self.month, self.day)
            && day > days_in_month(year, month)
        {
            return Err(OVERFLOW);
        }
        if let (Some(micros), Some(afternoon)) = (self.micros, self.afternoon) {
            let hour = micros / MICROS_PER_HOUR;
            if hour > 12 {
                return Err(OVERFLOW);
            }
            let shift = match (afternoon, hour) {
                (true, 12) => 0,
                (true, _) => 12,
                (false, 12) => -12,
                (false, _) => 0,
            };
            self.micros = Some(micros + shift * MICROS_PER_HOUR);
        }
        Ok(())
    }

    fn set_clock(&mut self, micros: i64) -> Result<(), Fault> {
        if self.micros.is_some() {
            return Err(Fault::Syntax);
        }
        self.micros = Some(micros);
        Ok(())
    }

    fn set_zone(&mut self, zone: Zone) -> Result<(), Fault> {
        if self.zone.is_some() {
            return Err(Fault::Syntax);
        }
        self.zone = Some(zone);
        Ok(())
    }

    fn set_month(&mut self, month: i64) -> Result<(), Fault> {
        match self.month {
            // `08 Jan 1999`: what looked like the month was the day.
            Some(number) if !self.has_text_month && self.day.is_none() => {
                self.day = Some(number);
            }
            Some(_) => return Err(Fault::Syntax),
            None => {}
        }
        (self.month, self.has_text_month) = (Some(month), true);
        Ok(())
    }

    fn set_year(&mut self, digits: &str) -> Result<(), Fault> {
        self.year = Some(number(digits)?);
        self.short_year = digits.len() <= 2;
        Ok(())
    }

    /// A number that stands for itself: the next free part of the date, month before day before year.
    fn add_number(&mut self, digits: &str) -> Result<(), Fault> {
        let value = number(digits)?;
        if digits.len() == 3 && self.year.is_some() && self.month.is_none() && self.day.is_none() {
            if !(1..=366).contains(&value) {
                return Err(OVERFLOW);
            }
            self.day_of_year = Some(value);
            return Ok(());
        }
        match (self.year, self.month, self.day) {
            (None, None, None) if digits.len() >= 3 => self.set_year(digits)?,
            (None, None, None) => self.month = Some(value),
            (Some(_), None, None) => self.month = Some(value),
            (None, Some(_), None) if self.has_text_month && digits.len() >= 3 => self.set_year(digits)?,
            (None, Some(_), None) => self.day = Some(value),
            (Some(year), Some(_), None) if self.has_text_month && digits.len() >= 3 && self.short_year => {
                // `08-Jan-1999` in pieces: the first number was the day.
                self.day = Some(year);
                self.set_year(digits)?;
            }
            (Some(_), Some(_), None) => self.day = Some(value),
            (None, None, Some(_)) => self.month = Some(value),
            (None, Some(_), Some(_)) => self.set_year(digits)?,
            (Some(_), None, Some(_)) => self.month = Some(value),
            (Some(_), Some(_), Some(_)) => return self.add_run(digits),
        }
        Ok(())
    }

    /// Digits run together: `20240301`, `240301`, `102030`, `1020`, `102030.5`.
    fn add_run(&mut self, digits: &str) -> Result<(), Fault> {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if fraction.is_empty() && !self.has_date() && !self.after_t && !self.time_alone && whole.len() >= 6 {
            let (rest, day) = whole.split_at(whole.len() - 2);
            let (year, month) = rest.split_at(rest.len() - 2);
            self.set_year(year)?;
            self.month = Some(number(month)?);
            self.day = Some(number(day)?);
            return Ok(());
        }
        if !matches!(whole.len(), 4 | 6) {
            return Err(Fault::Syntax);
        }
        let seconds = if whole.len() == 6 { &whole[4..] } else { "0" };
        let micros = clock(&whole[..2], &whole[2..4], seconds, fraction)?;
        self.set_clock(micros)
    }

    /// `2024-03-01`, `3/1/2024`, `8-Jan-1999`, `1999.01.08`.
    fn add_date(&mut self, text: &str) -> Result<(), Fault> {
        let parts: Vec<&str> =
            text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
        // The name of a month first: it decides what the numbers are.
        for part in &parts {
            if part.starts_with(|c: char| c.is_ascii_alphabetic()) {
                self.set_month(month(part).ok_or(Fault::Syntax)?)?;
            }
        }
        for part in &parts {
            if part.starts_with(|c: char| c.is_ascii_digit()) {
                if !part.bytes().all(|b| b.is_ascii_digit()) || self.has_date() {
                    return Err(Fault::Syntax);
                }
                self.add_number(part)?;
            }
        }
        if self.has_date() { Ok(()) } else { Err(Fault::Syntax) }
    }

    fn add_word(&mut self, word: &str, original: &str) -> Result<(), Fault> {
        if let Some(month) = month(word) {
            return self.set_month(month);
        }
        match word {
            "now" => self.special = Some(Special::Now),
            "epoch" => self.special = Some(Special::Epoch),
            "infinity" => self.special = Some(Special::Infinity),
            "today" | "tomorrow" | "yesterday" => {
                if self.has_part_of_date() {
                    return Err(Fault::Syntax);
                }
                self.days_from_today = Some(match word {
                    "today" => 0,
                    "tomorrow" => 1,
                    _ => -1,
                });
            }
            "allballs" => {
                self.set_clock(0)?;
                self.set_zone(Zone::UTC)?;
            }
            "am" | "pm" => self.afternoon = Some(word == "pm"),
            "ad" | "bc" => (self.has_era, self.before_christ) = (true, word == "bc"),
            "t" => self.after_t = true,
            "at" | "on" => {}
            "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday" | "thu" | "thur" | "thurs"
            | "thursday" | "fri" | "friday" | "sat" | "saturday" | "sun" | "sunday" => {}
            _ => {
                let zone = match abbreviation_seconds(word) {
                    Some(seconds) => Zone::fixed(seconds),
                    None => Zone::parse(original).map_err(|_| Fault::Syntax)?,
                };
                self.set_zone(zone)?;
            }
        }
        Ok(())
    }
}

/// The pieces of a text, by the shape of their characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Number,
    Date,
    Clock,
    Offset,
    Word,
}

fn read(text: &str, type_name: &'static str, time_alone: bool) -> Result<Reading, TimeError> {
    let attempt = || {
        let mut reading = Reading { time_alone, ..Reading::default() };
        for (shape, field) in fields(text)? {
            add(&mut reading, shape, field)?;
        }
        reading.finish()?;
        Ok(reading)
    };
    attempt().map_err(|fault| {
        let text = text.to_string();
        match fault {
            Fault::Syntax => TimeError::InvalidSyntax { type_name, text },
            Fault::Field { month_or_day } => TimeError::FieldOverflow { text, month_or_day },
            Fault::Displacement => TimeError::DisplacementOverflow { text },
            Fault::Zone(name) => TimeError::UnknownZone { name },
        }
    })
}

fn add(reading: &mut Reading, shape: Shape, field: &str) -> Result<(), Fault> {
    let lower = field.to_ascii_lowercase();
    match shape {
        Shape::Clock => {
            let parts: Vec<&str> = field.split(':').collect();
            let (seconds, hours_and_minutes) = match parts[..] {
                [hours, minutes] => ("0", (hours, minutes)),
                [hours, minutes, seconds] => (seconds, (hours, minutes)),
                _ => return Err(Fault::Syntax),
            };
            let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
            reading.set_clock(clock(hours_and_minutes.0, hours_and_minutes.1, seconds, fraction)?)
        }
        Shape::Offset => reading.set_zone(offset(field)?),
        Shape::Word if lower == "-infinity" => {
            reading.special = Some(Special::MinusInfinity);
            Ok(())
        }
        Shape::Word => reading.add_word(&lower, field),
        Shape::Date => {
            if let Some(julian) = lower.strip_prefix('j').filter(|rest| rest.bytes().all(|b| b.is_ascii_digit())) {
                reading.julian = Some(number(julian)? - 2_440_588);
                return Ok(());
            }
            let dated = reading.has_date() || (reading.month.is_some() && reading.day.is_some());
            if !dated && !reading.after_t {
                return reading.add_date(&lower);
            }
            // After the date a field with punctuation is a zone (`Europe/Berlin`) or a run-together time
            // with its offset (`102030-05`).
            if let Some(at) = field.find('-').filter(|_| field.starts_with(|c: char| c.is_ascii_digit())) {
                reading.set_zone(offset(&field[at..])?)?;
                return reading.add_run(&field[..at]);
            }
            let zone = Zone::parse_in_value(field).map_err(|_| Fault::Zone(lower))?;
            reading.set_zone(zone)
        }
        Shape::Number if reading.after_t => {
            reading.add_run(field)?;
            reading.after_t = false;
            Ok(())
        }
        Shape::Number => match field.find('.') {
            Some(_) if !reading.has_part_of_date() && !reading.time_alone => {
                // `1999.008`
                let parts = field.split('.').collect::<Vec<_>>();
                for part in parts {
                    reading.add_number(part)?;
                }
                Ok(())
            }
            Some(at) if at > 2 => reading.add_run(field),
            Some(_) => Err(Fault::Syntax),
            _ if reading.time_alone && reading.micros.is_none() => reading.add_run(field),
            None if field.len() >= 6 && (!reading.has_date() || reading.micros.is_none()) => reading.add_run(field),
            None => reading.add_number(field),
        },
    }
}

/// Cuts a text into fields.
fn fields(text: &str) -> Result<Vec<(Shape, &str)>, Fault> {
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

fn month(word: &str) -> Option<i64> {
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

fn number(digits: &str) -> Result<i64, Fault> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    // Years of more than seven digits fit no type.
    digits.parse().ok().filter(|&value| value < 100_000_000).ok_or(OVERFLOW)
}

/// Microseconds since midnight, of up to 24:00:00.
fn clock(hours: &str, minutes: &str, seconds: &str, fraction: &str) -> Result<i64, Fault> {
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
fn offset(field: &str) -> Result<Zone, Fault> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{TIMESTAMP_MAX, TIMESTAMP_MIN, format_date, format_time, format_timestamp, format_timestamptz};
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
