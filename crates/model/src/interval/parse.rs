//! Text input of intervals.
//!
//! A text is a row of fields; each is a number and its unit, a clock time, or a pair of years and months:
//!
//! ```text
//! @  1 year   -2 mons   3.5 days   04:05:06   ago
//!    └field┘  └field─┘  └field──┘  └field─┘   turns every sign
//! ```
//!
//! Fractions flow down: of a year into months, of a month into days of which it has 30, of a day into time.

use super::{Interval, whole_micros};
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, TimeError};

/// See [`Interval::parse`].
pub(super) fn parse(text: &str) -> Result<Interval, TimeError> {
    let lower = text.trim().to_ascii_lowercase();
    if matches!(lower.as_str(), "infinity" | "+infinity" | "-infinity") {
        return Err(TimeError::InfiniteInterval { text: text.to_string() });
    }
    let parsed = match lower.strip_prefix('p') {
        Some(rest) => iso8601(rest),
        None => words(&lower),
    };
    parsed.map_err(|fault| match fault {
        Fault::Syntax => TimeError::InvalidSyntax { type_name: "interval", text: text.to_string() },
        Fault::Overflow => TimeError::IntervalFieldOverflow { text: text.to_string() },
    })
}

enum Fault {
    Syntax,
    Overflow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
    Decade,
    Century,
    Millennium,
}

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds" | "microsecon" => {
            Unit::Microsecond
        }
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds" | "millisecon" => {
            Unit::Millisecond
        }
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hour,
        "d" | "day" | "days" => Unit::Day,
        "w" | "week" | "weeks" => Unit::Week,
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Year,
        "dec" | "decs" | "decade" | "decades" => Unit::Decade,
        "c" | "cent" | "century" | "centuries" => Unit::Century,
        "mil" | "mils" | "millennium" | "millennia" => Unit::Millennium,
        _ => return None,
    })
}

/// What has been read so far.
#[derive(Default)]
struct Sum {
    interval: Interval,
    units: Vec<Unit>,
}

impl Sum {
    /// Adds `number` units; a unit may come once.
    fn add(&mut self, number: Number, unit: Unit) -> Result<(), Fault> {
        if self.units.contains(&unit) {
            return Err(Fault::Syntax);
        }
        self.units.push(unit);
        let Number { whole, fraction } = number;
        match unit {
            Unit::Microsecond => self.add_micros(whole, 1, fraction),
            Unit::Millisecond => self.add_micros(whole, 1000, fraction),
            Unit::Second => self.add_micros(whole, MICROS_PER_SECOND, fraction),
            Unit::Minute => self.add_micros(whole, MICROS_PER_MINUTE, fraction),
            Unit::Hour => self.add_micros(whole, MICROS_PER_HOUR, fraction),
            Unit::Day => self.add_days(whole, 1, fraction),
            Unit::Week => self.add_days(whole, 7, fraction),
            Unit::Month => {
                self.add_months(whole, 1, 0.0)?;
                self.add_days(0, 30, fraction)
            }
            Unit::Year => self.add_months(whole, 12, fraction),
            Unit::Decade => self.add_months(whole, 120, fraction),
            Unit::Century => self.add_months(whole, 1200, fraction),
            Unit::Millennium => self.add_months(whole, 12_000, fraction),
        }
    }

    fn add_months(&mut self, whole: i64, scale: i64, fraction: f64) -> Result<(), Fault> {
        let of_fraction = (fraction * scale as f64).round_ties_even() as i64;
        let months = whole.checked_mul(scale).and_then(|months| months.checked_add(of_fraction));
        let months = months.and_then(|months| i64::from(self.interval.months).checked_add(months));
        self.interval.months = months.and_then(|months| i32::try_from(months).ok()).ok_or(Fault::Overflow)?;
        Ok(())
    }

    fn add_days(&mut self, whole: i64, scale: i64, fraction: f64) -> Result<(), Fault> {
        let of_fraction = fraction * scale as f64;
        let days = whole.checked_mul(scale).and_then(|days| days.checked_add(of_fraction.trunc() as i64));
        let days = days.and_then(|days| i64::from(self.interval.days).checked_add(days));
        self.interval.days = days.and_then(|days| i32::try_from(days).ok()).ok_or(Fault::Overflow)?;
        self.add_micros(0, MICROS_PER_DAY, of_fraction.fract())
    }

    fn add_micros(&mut self, whole: i64, scale: i64, fraction: f64) -> Result<(), Fault> {
        let exact = fraction * scale as f64;
        // PostgreSQL rounds half a microsecond towards zero here.
        let rounded = exact.trunc() + if exact.fract().abs() > 0.5 { exact.signum() } else { 0.0 };
        let of_fraction = whole_micros(rounded).ok_or(Fault::Overflow)?;
        let micros = whole.checked_mul(scale).and_then(|micros| micros.checked_add(of_fraction));
        self.interval.micros =
            micros.and_then(|micros| self.interval.micros.checked_add(micros)).ok_or(Fault::Overflow)?;
        Ok(())
    }

    /// Adds `hours:minutes[:seconds]`, or `minutes:seconds.fraction`.
    fn add_clock(&mut self, negative: bool, text: &str) -> Result<(), Fault> {
        let parts: Vec<&str> = text.split(':').collect();
        let (hours, minutes, seconds) = match parts[..] {
            [minutes, seconds] if seconds.contains('.') => ("0", minutes, seconds),
            [hours, minutes] => (hours, minutes, "0"),
            [hours, minutes, seconds] => (hours, minutes, seconds),
            _ => return Err(Fault::Syntax),
        };
        let (hours, minutes) = (Number::parse(hours, negative)?, Number::parse(minutes, negative)?);
        let seconds = Number::parse(seconds, negative)?;
        if hours.fraction != 0.0 || minutes.fraction != 0.0 {
            return Err(Fault::Syntax);
        }
        if minutes.whole.abs() > 59 || seconds.whole.abs() > 60 {
            return Err(Fault::Overflow);
        }
        self.add(hours, Unit::Hour)?;
        self.add(minutes, Unit::Minute)?;
        self.add(seconds, Unit::Second)
    }
}

/// A number as it is written: the whole part, and the fraction with the same sign.
#[derive(Clone, Copy)]
struct Number {
    whole: i64,
    fraction: f64,
}

impl Number {
    /// Reads digits with at most one point, without a sign. `1.5e3` is not a number here.
    fn parse(text: &str, negative: bool) -> Result<Number, Fault> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(Fault::Syntax);
        }
        let whole: i64 = match whole {
            "" => 0,
            _ if negative => format!("-{whole}").parse().map_err(|_| Fault::Overflow)?,
            _ => whole.parse().map_err(|_| Fault::Overflow)?,
        };
        let fraction: f64 = format!("0.{fraction}0").parse().expect("digits after a point are a number");
        Ok(Number { whole, fraction: if negative { -fraction } else { fraction } })
    }
}

/// A piece of the text between spaces and where letters meet digits.
enum Token<'a> {
    Number { negative: bool, text: &'a str },
    Clock { negative: bool, text: &'a str },
    YearMonth { negative: bool, years: &'a str, months: &'a str },
    Word(&'a str),
}

fn words(text: &str) -> Result<Interval, Fault> {
    let mut tokens = tokens(text)?;
    let count = tokens.len();
    tokens.retain(|token| !matches!(token, Token::Word("ago")));
    let ago = tokens.len() < count;
    if tokens.is_empty() {
        return Err(Fault::Syntax);
    }
    let mut sum = Sum::default();
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        match *token {
            Token::Clock { negative, text } => sum.add_clock(negative, text)?,
            Token::YearMonth { negative, years, months } => {
                let months = Number::parse(months, negative)?;
                if months.whole.abs() >= 12 {
                    return Err(Fault::Overflow);
                }
                sum.add(Number::parse(years, negative)?, Unit::Year)?;
                sum.add(months, Unit::Month)?;
            }
            Token::Number { negative, text } => {
                let number = Number::parse(text, negative)?;
                let unit = match rest.split_first() {
                    Some((Token::Word(word), after)) => {
                        rest = after;
                        unit(word).ok_or(Fault::Syntax)?
                    }
                    // SQL's `1 02:03:04` and `1-2 3 04:05:06`: days before a clock time.
                    Some((Token::Clock { .. }, _)) => Unit::Day,
                    Some(_) => return Err(Fault::Syntax),
                    None => Unit::Second,
                };
                sum.add(number, unit)?;
            }
            Token::Word(_) => return Err(Fault::Syntax),
        }
    }
    if ago {
        return sum.interval.checked_neg().map_err(|_| Fault::Overflow);
    }
    Ok(sum.interval)
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '@' || c == ',');
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        if first.is_ascii_alphabetic() {
            let (word, after) = split_where(rest, |c| !c.is_ascii_alphabetic());
            tokens.push(Token::Word(word));
            rest = after;
            continue;
        }
        let negative = first == '-';
        if negative || first == '+' {
            rest = rest[1..].trim_start();
        }
        let (number, after) = split_where(rest, |c| !(c.is_ascii_digit() || c == '.' || c == ':'));
        if number.is_empty() {
            return Err(Fault::Syntax);
        }
        rest = after;
        if number.contains(':') {
            tokens.push(Token::Clock { negative, text: number });
        } else if let Some(after) =
            rest.strip_prefix('-').filter(|after| after.starts_with(|c: char| c.is_ascii_digit()))
        {
            let (months, after) = split_where(after, |c| !c.is_ascii_digit());
            tokens.push(Token::YearMonth { negative, years: number, months });
            rest = after;
        } else {
            tokens.push(Token::Number { negative, text: number });
        }
    }
}

fn split_where(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

/// What follows the `P`: `1Y2M3DT4H5M6S`, `0001-02-03T04:05:06` or `3W`.
fn iso8601(text: &str) -> Result<Interval, Fault> {
    let (date, time) = match text.split_once('t') {
        Some((date, time)) => (date, time),
        None if text.is_empty() => return Err(Fault::Syntax),
        None => (text, ""),
    };
    let mut sum = Sum::default();
    if date.contains(|c: char| c.is_ascii_alphabetic()) {
        designated(date, &[('y', Unit::Year), ('m', Unit::Month), ('w', Unit::Week), ('d', Unit::Day)], &mut sum)?;
    } else {
        alternative(date, '-', &[Unit::Year, Unit::Month, Unit::Day], &mut sum)?;
    }
    if time.contains(|c: char| c.is_ascii_alphabetic()) {
        designated(time, &[('h', Unit::Hour), ('m', Unit::Minute), ('s', Unit::Second)], &mut sum)?;
    } else {
        alternative(time, ':', &[Unit::Hour, Unit::Minute, Unit::Second], &mut sum)?;
    }
    Ok(sum.interval)
}

fn designated(text: &str, units: &[(char, Unit)], sum: &mut Sum) -> Result<(), Fault> {
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| c.is_ascii_alphabetic());
        let letter = after.chars().next().ok_or(Fault::Syntax)?;
        let unit = units.iter().find(|(known, _)| *known == letter).ok_or(Fault::Syntax)?.1;
        sum.add(signed(number)?, unit)?;
        rest = &after[1..];
    }
    Ok(())
}

fn alternative(text: &str, separator: char, units: &[Unit], sum: &mut Sum) -> Result<(), Fault> {
    let (sign, digits) = split_where(text, |c| c != '-' && c != '+');
    let parts: Vec<&str> = digits.split(separator).collect();
    if text.is_empty() {
        return Ok(());
    }
    if parts.len() > units.len() || sign.len() > 1 {
        return Err(Fault::Syntax);
    }
    for (part, unit) in parts.into_iter().zip(units) {
        sum.add(Number::parse(part, sign == "-")?, *unit)?;
    }
    Ok(())
}

fn signed(text: &str) -> Result<Number, Fault> {
    match text.strip_prefix('-') {
        Some(rest) => Number::parse(rest, true),
        None => Number::parse(text.strip_prefix('+').unwrap_or(text), false),
    }
}
