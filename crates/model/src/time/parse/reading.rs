//! What the fields of a text say together: each takes the first place that is still free for it.

use super::fields::{Fault, OVERFLOW, Shape, clock, fields, month, number, offset};
use crate::time::arithmetic::{date_from_timestamp, in_range};
use crate::time::calendar::{days_from_civil, days_in_month};
use crate::time::zone::{Zone, abbreviation_seconds};
use crate::time::{Clockface, MICROS_PER_DAY, MICROS_PER_HOUR, TimeError};

/// What a text says.
#[derive(Default)]
pub struct Reading {
    pub special: Option<Special>,
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
    pub micros: Option<i64>,
    afternoon: Option<bool>,
    pub zone: Option<Zone>,
    /// A `T` came: the next number is a time.
    after_t: bool,
    /// A time of day is wanted, with or without a date.
    time_alone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Special {
    Now,
    Epoch,
    Infinity,
    MinusInfinity,
}

/// Reads a text in any form but the usual one.
///
/// * `type_name` – for the error.
/// * `time_alone` – a time of day is wanted, with or without a date.
pub fn read(text: &str, type_name: &'static str, time_alone: bool) -> Result<Reading, TimeError> {
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

impl Reading {
    /// Days since 1970. The date was checked by [`Reading::finish`].
    pub fn days(&self, clock: &Clockface) -> i64 {
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

    pub fn local_micros(&self, clock: &Clockface) -> Option<i64> {
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
