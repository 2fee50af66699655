//! Dates, times and intervals as a template shows them.

use super::pieces::Piece;
use super::{MONTHS, ordinal};
use crate::error::{Error, Result};
use crate::function::date_part::iso_week;
use crate::operator::operand::Kind;
use crate::text::read::interval_from_arrow;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, TimestampMicrosecondType};
use highwater_model::Interval;
use highwater_model::time::calendar::{civil_from_days, days_from_civil, split_days, weekday};
use highwater_model::time::{MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, Zone};
use std::fmt::Write;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// The fields that a template can show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    /// Days since 1970; `None` for an interval.
    date: Option<i64>,
    /// Seconds east of UTC, and the name of the zone.
    zone: Option<i32>,
}

impl Fields {
    fn of_timestamp(local: i64) -> Fields {
        let (days, micros) = split_days(local);
        let (year, month, day) = civil_from_days(days);
        Fields { year, month, day, date: Some(days), ..Fields::of_micros(micros) }
    }

    fn of_micros(micros: i64) -> Fields {
        Fields {
            hour: micros / MICROS_PER_HOUR,
            minute: micros / MICROS_PER_MINUTE % 60,
            second: micros / MICROS_PER_SECOND % 60,
            micros: micros % MICROS_PER_SECOND,
            ..Fields::default()
        }
    }

    fn of_interval(i: &Interval) -> Fields {
        let (year, month) = (i64::from(i.months / 12), i64::from(i.months % 12));
        Fields { year, month, day: i.days.into(), ..Fields::of_micros(i.micros) }
    }
}

/// The fields of a value in one row; `None` of infinity.
pub fn time_fields(values: &ArrayRef, row: usize, zone: &Zone) -> Option<Fields> {
    match values.data_type() {
        DataType::Interval(_) => {
            let i = values.as_primitive::<IntervalMonthDayNanoType>().value(row);
            Some(Fields::of_interval(&interval_from_arrow(i)))
        }
        data_type => {
            let t = values.as_primitive::<TimestampMicrosecondType>().value(row);
            if t == i64::MAX || t == i64::MIN {
                return None;
            }
            if Kind::of(data_type) == Kind::Timestamptz {
                let zone_seconds = Some((zone.offset_at(t) / MICROS_PER_SECOND) as i32);
                return Some(Fields { zone: zone_seconds, ..Fields::of_timestamp(zone.to_local(t)) });
            }
            Some(Fields::of_timestamp(t))
        }
    }
}

/// Writes the fields as the template says.
pub fn show(pieces: &[Piece], f: &Fields, zone: &Zone, out: &mut String) -> Result<()> {
    for piece in pieces {
        let (name, fill, suffix) = match piece {
            Piece::Literal(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Field { name, fill, ordinal } => (*name, *fill, *ordinal),
        };
        let mut number = |n: i64, width: usize| {
            let width = if n < 0 { width + 1 } else { width };
            let _ = if fill { write!(out, "{n:0width$}") } else { write!(out, "{n}") };
            if let Some(suffix) = suffix {
                let text = ordinal(n);
                out.push_str(&if suffix == "th" { text.to_lowercase() } else { text.to_owned() });
            }
        };
        let date = || {
            f.date.ok_or_else(|| {
                Error::new("22007", "invalid format specification for an interval value")
                    .hint("Intervals are not tied to specific calendar dates.")
            })
        };
        let hour12 = |hour: i64| if hour % 12 == 0 { 12 } else { hour % 12 };
        let shown_year = |year: i64| if f.date.is_some() && year <= 0 { 1 - year } else { year };
        let afternoon = f.hour % 24 >= 12;
        match name {
            "HH24" => number(f.hour, 2),
            "HH12" | "HH" => number(hour12(f.hour), 2),
            "MI" => number(f.minute, 2),
            "SS" => number(f.second, 2),
            "SSSS" | "SSSSS" => number(f.hour * 3600 + f.minute * 60 + f.second, 1),
            "MS" => number(f.micros / 1000, 3),
            "US" => number(f.micros, 6),
            "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                let digits = usize::from(name.as_bytes()[2] - b'0');
                number(f.micros / 10i64.pow(6 - digits as u32), digits);
            }
            "AM" | "PM" => out.push_str(if afternoon { "PM" } else { "AM" }),
            "am" | "pm" => out.push_str(if afternoon { "pm" } else { "am" }),
            "A.M." | "P.M." => out.push_str(if afternoon { "P.M." } else { "A.M." }),
            "a.m." | "p.m." => out.push_str(if afternoon { "p.m." } else { "a.m." }),
            "YYYY" => number(shown_year(f.year), 4),
            "Y,YYY" => {
                let year = shown_year(f.year);
                let _ = write!(out, "{},{:03}", year / 1000, year % 1000);
            }
            "YYY" => number(shown_year(f.year) % 1000, 3),
            "YY" => number(shown_year(f.year) % 100, 2),
            "Y" => number(shown_year(f.year) % 10, 1),
            "IYYY" => number(shown_year(iso_week(date()?).0), 4),
            "IYY" => number(shown_year(iso_week(date()?).0) % 1000, 3),
            "IY" => number(shown_year(iso_week(date()?).0) % 100, 2),
            "I" => number(shown_year(iso_week(date()?).0) % 10, 1),
            "BC" | "AD" => out.push_str(if f.year <= 0 { "BC" } else { "AD" }),
            "bc" | "ad" => out.push_str(if f.year <= 0 { "bc" } else { "ad" }),
            "B.C." | "A.D." => out.push_str(if f.year <= 0 { "B.C." } else { "A.D." }),
            "b.c." | "a.d." => out.push_str(if f.year <= 0 { "b.c." } else { "a.d." }),
            "MONTH" | "Month" | "month" | "MON" | "Mon" | "mon" => {
                date()?;
                let full = MONTHS[(f.month - 1) as usize];
                word(name, full, fill, 9, out);
            }
            "DAY" | "Day" | "day" | "DY" | "Dy" | "dy" => {
                let full = DAYS[((weekday(date()?) + 1) % 7) as usize];
                word(name, full, fill, 9, out);
            }
            "RM" | "rm" => {
                if f.month != 0 {
                    let roman = ROMAN[((f.month - 1).rem_euclid(12)) as usize];
                    let roman = if name == "rm" { roman.to_lowercase() } else { roman.to_owned() };
                    let _ = if fill { write!(out, "{roman:<4}") } else { write!(out, "{roman}") };
                }
            }
            "MM" => number(f.month, 2),
            "DDD" => match f.date {
                Some(days) => number(days - days_from_civil(f.year, 1, 1) + 1, 3),
                None => number(f.month * 30 + f.day, 3),
            },
            "IDDD" => {
                let days = date()?;
                let (_, week) = iso_week(days);
                number((week - 1) * 7 + weekday(days) + 1, 3);
            }
            "DD" => number(f.day, 2),
            "D" | "d" => number((weekday(date()?) + 1) % 7 + 1, 1),
            "ID" => number(weekday(date()?) + 1, 1),
            "W" => number((f.day - 1) / 7 + 1, 1),
            "WW" => number((date()? - days_from_civil(f.year, 1, 1)) / 7 + 1, 2),
            "IW" => number(iso_week(date()?).1, 2),
            "CC" => {
                let century = if f.year > 0 { (f.year + 99) / 100 } else { -((99 - (f.year - 1)) / 100) };
                number(century, 2);
            }
            "J" => number(date()? + 2_440_588, 1),
            "Q" => {
                if f.month != 0 {
                    number((f.month - 1) / 3 + 1, 1);
                }
            }
            "TZ" | "tz" => {
                if let Some(seconds) = f.zone {
                    let abbreviation = zone_abbreviation(zone, seconds);
                    out.push_str(&if name == "tz" { abbreviation.to_lowercase() } else { abbreviation });
                }
            }
            "TZH" => {
                let seconds = f.zone.unwrap_or(0);
                let _ = write!(out, "{}{:02}", if seconds < 0 { '-' } else { '+' }, seconds.abs() / 3600);
            }
            "TZM" => {
                let _ = write!(out, "{:02}", f.zone.unwrap_or(0).abs() / 60 % 60);
            }
            _ => {
                let seconds = f.zone.unwrap_or(0);
                let _ = write!(out, "{}{:02}", if seconds < 0 { '-' } else { '+' }, seconds.abs() / 3600);
                if seconds % 3600 != 0 {
                    let _ = write!(out, ":{:02}", seconds.abs() / 60 % 60);
                }
            }
        }
    }
    Ok(())
}

/// The short name of a zone; its offset where only that is known.
fn zone_abbreviation(zone: &Zone, seconds: i32) -> String {
    if *zone == Zone::UTC {
        return "UTC".to_owned();
    }
    let minutes = seconds.abs() / 60 % 60;
    let sign = if seconds < 0 { '-' } else { '+' };
    let hours = seconds.abs() / 3600;
    if minutes == 0 { format!("{sign}{hours:02}") } else { format!("{sign}{hours:02}{minutes:02}") }
}

/// A name in the case of its field, cut to three letters for the short ones.
fn word(field: &str, full: &str, fill: bool, width: usize, out: &mut String) {
    let short = field.len() == 2 || field.eq_ignore_ascii_case("mon");
    let text = if short { &full[..3] } else { full };
    let text = if field.bytes().all(|b| b.is_ascii_uppercase()) {
        text.to_uppercase()
    } else if field.bytes().all(|b| b.is_ascii_lowercase()) {
        text.to_lowercase()
    } else {
        text.to_owned()
    };
    let _ = if fill && !short { write!(out, "{text:<width$}") } else { write!(out, "{text}") };
}
