//! Templates like `YYYY-MM-DD HH24:MI`: `to_char`, `to_timestamp`, `to_date`, `to_number`.

use super::date_part::iso_week;
use super::define::{Call, function, takes};
use crate::error::{Error, Result};
use crate::operator::kernel::rowwise;
use crate::operator::operand::Kind;
use crate::text::number::{self, Decimal, POWERS};
use crate::text::read::interval_from_arrow;
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    TimestampMicrosecondType,
};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility};
use highwater_model::Interval;
use highwater_model::time::calendar::{civil_from_days, days_from_civil, days_in_month, split_days, weekday};
use highwater_model::time::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, Zone};
use std::fmt::Write;
use std::sync::Arc;

/// `to_char` and `to_number`; [`to_timestamp`] and [`to_date`] are declared beside the other forms.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    use Kind::*;
    vec![
        function(
            "to_char",
            Volatility::Stable,
            &[
                takes(&[Timestamptz, Text], Text, to_char),
                takes(&[Timestamp, Text], Text, to_char),
                takes(&[Interval, Text], Text, to_char),
                takes(&[SmallInt, Text], Text, to_char),
                takes(&[Integer, Text], Text, to_char),
                takes(&[BigInt, Text], Text, to_char),
                takes(&[Numeric, Text], Text, to_char),
                takes(&[Real, Text], Text, to_char),
                takes(&[Double, Text], Text, to_char),
            ],
        ),
        function("to_number", Volatility::Immutable, &[takes(&[Text, Text], Numeric, to_number)]),
    ]
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// The fields of a template; of two that begin alike the longer comes first.
const FIELDS: [&str; 58] = [
    "SSSSS", "Y,YYY", "MONTH", "Month", "month", "A.M.", "P.M.", "a.m.", "p.m.", "B.C.", "A.D.", "b.c.", "a.d.",
    "HH24", "HH12", "SSSS", "YYYY", "IYYY", "IDDD", "YYY", "IYY", "MON", "Mon", "mon", "DAY", "Day", "day", "DDD",
    "TZH", "TZM", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "HH", "MI", "SS", "MS", "US", "AM", "PM", "am", "pm", "YY",
    "IY", "BC", "AD", "MM", "DY", "Dy", "dy", "DD", "WW", "IW", "CC", "RM",
];
const SHORT_FIELDS: [&str; 14] = ["ID", "TZ", "tz", "OF", "rm", "bc", "ad", "Y", "I", "D", "W", "Q", "J", "d"];

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// A field, whether it is unpadded, and its ordinal suffix.
    Field {
        name: &'static str,
        fill: bool,
        ordinal: Option<&'static str>,
    },
    Literal(String),
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut fill = true;
    let mut literal = String::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
            (fill, rest) = (false, after);
            continue;
        }
        if let Some(after) = rest.strip_prefix("FX").or_else(|| rest.strip_prefix("TM")) {
            rest = after;
            continue;
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut chars = quoted.char_indices();
            let mut end = quoted.len();
            while let Some((i, c)) = chars.next() {
                match c {
                    '"' => {
                        end = i + 1;
                        break;
                    }
                    '\\' => literal.extend(chars.next().map(|(_, c)| c)),
                    c => literal.push(c),
                }
            }
            rest = &quoted[end..];
            continue;
        }
        let upper = |name: &str| name.bytes().all(|b| !b.is_ascii_lowercase());
        let found = FIELDS.iter().chain(&SHORT_FIELDS).find(|name| rest.starts_with(**name)).or_else(|| {
            // Numbers look the same in any case.
            FIELDS.iter().chain(&SHORT_FIELDS).find(|name| {
                upper(name)
                    && !matches!(**name, "MONTH" | "MON" | "DAY" | "DY" | "RM" | "TZ" | "AM" | "PM" | "BC" | "AD")
                    && rest.get(..name.len()).is_some_and(|r| r.eq_ignore_ascii_case(name))
            })
        });
        match found {
            Some(name) => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                rest = &rest[name.len()..];
                let ordinal = ["TH", "th"].into_iter().find(|suffix| rest.starts_with(suffix));
                rest = &rest[ordinal.map_or(0, str::len)..];
                pieces.push(Piece::Field { name, fill, ordinal });
                fill = true;
            }
            None => {
                let c = rest.chars().next().expect("the rest is not empty");
                literal.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

/// The fields that a template can show.
#[derive(Clone, Copy, Debug, Default)]
struct Fields {
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

fn ordinal(n: i64) -> &'static str {
    match (n.abs() % 100, n.abs() % 10) {
        (11..=13, _) => "TH",
        (_, 1) => "ST",
        (_, 2) => "ND",
        (_, 3) => "RD",
        _ => "TH",
    }
}

fn show(pieces: &[Piece], f: &Fields, zone: &Zone, out: &mut String) -> Result<()> {
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

fn to_char(call: &Call) -> Result<ColumnarValue> {
    let zone = call.clock()?.zone;
    rowwise(call.args, call.rows, |arrays, rows| {
        let (values, templates) = (&arrays[0], arrays[1].as_string::<i32>());
        let mut texts = StringBuilder::new();
        let mut known: Option<(String, Vec<Piece>)> = None;
        for row in 0..rows {
            if values.is_null(row) || templates.is_null(row) {
                texts.append_null();
                continue;
            }
            let template = templates.value(row);
            let mut out = String::new();
            match values.data_type() {
                DataType::Timestamp(..) | DataType::Interval(_) => {
                    if known.as_ref().is_none_or(|(text, _)| text != template) {
                        known = Some((template.to_owned(), pieces(template)));
                    }
                    let pieces = known.as_ref().map_or(&[][..], |(_, pieces)| pieces);
                    match time_fields(values, row, &zone) {
                        Some(fields) => show(pieces, &fields, &zone, &mut out)?,
                        None => {
                            // PostgreSQL gives nothing for infinity.
                            texts.append_null();
                            continue;
                        }
                    }
                }
                _ => number_to_char(values, row, template, &mut out)?,
            }
            texts.append_value(out);
        }
        Ok(Arc::new(texts.finish()))
    })
}

fn time_fields(values: &ArrayRef, row: usize, zone: &Zone) -> Option<Fields> {
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
                let zone_seconds = Some((zone.offset_at(t) / highwater_model::time::MICROS_PER_SECOND) as i32);
                return Some(Fields { zone: zone_seconds, ..Fields::of_timestamp(zone.to_local(t)) });
            }
            Some(Fields::of_timestamp(t))
        }
    }
}

/// A number template, read.
#[derive(Debug, Default)]
struct NumberTemplate {
    /// The digits and separators in order: `9`, `0`, `.`, `,`, or a literal.
    parts: Vec<NumberPart>,
    whole_digits: usize,
    decimals: usize,
    fill: bool,
    sign: Sign,
    ordinal: Option<bool>,
    scientific: bool,
    roman: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum NumberPart {
    Nine,
    Zero,
    Point,
    Group,
    Sign,
    Minus,
    Plus,
    Literal(String),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sign {
    #[default]
    Before,
    Placed,
    Angle,
}

fn number_template(template: &str) -> NumberTemplate {
    let mut t = NumberTemplate { fill: true, ..NumberTemplate::default() };
    let mut rest = template;
    let mut after_point = false;
    while !rest.is_empty() {
        let two = rest.get(..2).map(str::to_uppercase).unwrap_or_default();
        let mut length = 2;
        match two.as_str() {
            "FM" => t.fill = false,
            "MI" => {
                t.sign = Sign::Placed;
                t.parts.push(NumberPart::Minus);
            }
            "PL" => t.parts.push(NumberPart::Plus),
            "SG" => {
                t.sign = Sign::Placed;
                t.parts.push(NumberPart::Sign);
            }
            "PR" => t.sign = Sign::Angle,
            "TH" => t.ordinal = Some(rest.starts_with("th")),
            "RN" => t.roman = true,
            _ if rest.get(..4).is_some_and(|r| r.eq_ignore_ascii_case("eeee")) => {
                t.scientific = true;
                length = 4;
            }
            _ => {
                let c = rest.chars().next().expect("the rest is not empty");
                length = c.len_utf8();
                match c {
                    '9' | '0' => {
                        if after_point {
                            t.decimals += 1
                        } else {
                            t.whole_digits += 1
                        }
                        t.parts.push(if c == '9' { NumberPart::Nine } else { NumberPart::Zero });
                    }
                    '.' | 'D' | 'd' if !after_point => {
                        after_point = true;
                        t.parts.push(NumberPart::Point);
                    }
                    ',' | 'G' | 'g' => t.parts.push(NumberPart::Group),
                    'S' | 's' => {
                        t.sign = Sign::Placed;
                        t.parts.push(NumberPart::Sign);
                    }
                    'L' | 'l' => t.parts.push(NumberPart::Literal(" ".to_owned())),
                    '"' => {
                        let quoted = &rest[1..];
                        let end = quoted.find('"').unwrap_or(quoted.len());
                        t.parts.push(NumberPart::Literal(quoted[..end].to_owned()));
                        length = (end + 2).min(rest.len());
                    }
                    c => t.parts.push(NumberPart::Literal(c.to_string())),
                }
            }
        }
        rest = &rest[length..];
    }
    t
}

/// Whether the number is negative, and its digits before and after the point; `None` when it is not finite.
fn digits_of(values: &ArrayRef, row: usize, decimals: usize) -> Option<(bool, String, String)> {
    let float = |x: f64| {
        x.is_finite().then(|| {
            let text = format!("{:.decimals$}", x.abs());
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            (x < 0.0, whole.to_owned(), fraction.to_owned())
        })
    };
    let exact = |mantissa: i128, scale: i32| {
        let rounded = number::rescale(Decimal { mantissa, scale }, decimals as i32)?;
        let text = format!("{:0width$}", rounded.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = text.split_at(text.len() - decimals);
        Some((rounded < 0, whole.to_owned(), fraction.to_owned()))
    };
    match values.data_type() {
        DataType::Int16 => exact(values.as_primitive::<Int16Type>().value(row).into(), 0),
        DataType::Int32 => exact(values.as_primitive::<Int32Type>().value(row).into(), 0),
        DataType::Int64 => exact(values.as_primitive::<Int64Type>().value(row).into(), 0),
        DataType::Float32 => float(values.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => float(values.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, scale) => exact(values.as_primitive::<Decimal128Type>().value(row), i32::from(*scale)),
        _ => None,
    }
}

fn as_double(values: &ArrayRef, row: usize) -> f64 {
    match values.data_type() {
        DataType::Int16 => values.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => values.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => values.as_primitive::<Int64Type>().value(row) as f64,
        DataType::Float32 => values.as_primitive::<Float32Type>().value(row).into(),
        DataType::Float64 => values.as_primitive::<Float64Type>().value(row),
        DataType::Decimal128(_, scale) => {
            let mantissa = values.as_primitive::<Decimal128Type>().value(row);
            mantissa as f64 / POWERS[usize::from(scale.unsigned_abs())] as f64
        }
        _ => f64::NAN,
    }
}

fn number_to_char(values: &ArrayRef, row: usize, template: &str, out: &mut String) -> Result<()> {
    let t = number_template(template);
    if t.roman {
        return Err(Error::unsupported("roman numerals in to_char are not supported"));
    }
    if t.scientific {
        let text = format!("{:.*e}", t.decimals, as_double(values, row));
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let space = if digits.starts_with('-') || !t.fill { "" } else { " " };
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{space}{digits}e{sign}{:02}", exponent.abs());
        return Ok(());
    }
    let digits = digits_of(values, row, t.decimals);
    let overflow = digits.as_ref().is_none_or(|(_, whole, _)| whole != "0" && whole.len() > t.whole_digits);
    let (negative, whole, fraction) = digits.unwrap_or_default();
    let zero = !overflow && (whole.bytes().chain(fraction.bytes()).all(|b| b == b'0'));
    let negative = negative && (overflow || !zero);
    let whole = if whole == "0" { String::new() } else { whole };
    // A digit for each place, from the left; nothing where the number has not begun.
    let first_zero = t.parts.iter().filter(|p| matches!(p, NumberPart::Nine | NumberPart::Zero | NumberPart::Point));
    let first_zero = first_zero.take_while(|p| **p != NumberPart::Point).position(|p| *p == NumberPart::Zero);
    let begins = t.whole_digits.saturating_sub(whole.len());
    let mut begins = first_zero.map_or(begins, |z| z.min(begins));
    if t.decimals == 0 && t.whole_digits > 0 {
        begins = begins.min(t.whole_digits - 1);
    }
    // Without fill, zeros at the end are shown only where the template has a 0.
    let decimal_parts: Vec<&NumberPart> = {
        let mut after = false;
        let places = t.parts.iter().filter(|p| {
            let was = after;
            after |= **p == NumberPart::Point;
            was && matches!(p, NumberPart::Nine | NumberPart::Zero)
        });
        places.collect()
    };
    let needed = if t.fill {
        t.decimals
    } else {
        let by_zero = decimal_parts.iter().rposition(|p| **p == NumberPart::Zero).map_or(0, |i| i + 1);
        let by_digit = fraction.bytes().rposition(|b| b != b'0').map_or(0, |i| i + 1);
        by_zero.max(by_digit)
    };
    let (mut place, mut decimal, mut begun, mut after_point) = (0, 0, false, false);
    let mut body = String::new();
    let before = match t.sign {
        Sign::Before if negative => "-",
        Sign::Before if t.fill => " ",
        Sign::Angle if negative => "<",
        Sign::Angle if t.fill => " ",
        _ => "",
    };
    let mut signed = before.is_empty();
    let begin = |body: &mut String, signed: &mut bool| {
        if !*signed {
            body.push_str(before);
            *signed = true;
        }
    };
    for part in &t.parts {
        match part {
            NumberPart::Nine | NumberPart::Zero if !after_point => {
                if place >= begins {
                    begin(&mut body, &mut signed);
                    begun = true;
                    let digit = (place + whole.len()).checked_sub(t.whole_digits).and_then(|i| whole.as_bytes().get(i));
                    body.push(if overflow { '#' } else { digit.map_or('0', |b| char::from(*b)) });
                } else if t.fill {
                    body.push(' ');
                }
                place += 1;
            }
            NumberPart::Nine | NumberPart::Zero => {
                if decimal < needed {
                    let digit = fraction.as_bytes().get(decimal).map_or('0', |b| char::from(*b));
                    body.push(if overflow { '#' } else { digit });
                }
                decimal += 1;
            }
            NumberPart::Point => {
                begin(&mut body, &mut signed);
                after_point = true;
                body.push('.');
            }
            NumberPart::Group => {
                if begun {
                    body.push(',');
                } else if t.fill {
                    body.push(' ');
                }
            }
            NumberPart::Sign => body.push(if negative { '-' } else { '+' }),
            NumberPart::Minus => {
                if negative {
                    body.push('-');
                } else if t.fill {
                    body.push(' ');
                }
            }
            NumberPart::Plus => body.push(if negative { ' ' } else { '+' }),
            NumberPart::Literal(text) => body.push_str(text),
        }
    }
    if t.sign == Sign::Placed && matches!(t.parts.first(), Some(NumberPart::Sign)) && template.starts_with(['S', 's']) {
        // A sign that leads stands right before the first digit.
        let sign = body.remove(0);
        let blanks = body.len() - body.trim_start_matches(' ').len();
        body.insert(blanks, sign);
    }
    if t.sign == Sign::Angle {
        if negative {
            body.push('>');
        } else if t.fill {
            body.push(' ');
        }
    }
    if let (Some(lower), false) = (t.ordinal, negative) {
        let n: i64 = whole.parse().unwrap_or(0);
        let text = ordinal(n);
        body.push_str(&if lower { text.to_lowercase() } else { text.to_owned() });
    }
    out.push_str(&body);
    Ok(())
}

fn to_number(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let (texts, templates) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
        let each = |row: usize| -> Result<Option<i128>> {
            if texts.is_null(row) || templates.is_null(row) {
                return Ok(None);
            }
            let negative = texts.value(row).contains(['-', '<']);
            let digits: String = texts.value(row).chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
            let value = number::parse_numeric(digits.as_bytes(), 38, 16)?;
            Ok(Some(if negative { -value } else { value }))
        };
        let values: Vec<Option<i128>> = (0..rows).map(each).collect::<Result<_>>()?;
        Ok(Arc::new(Decimal128Array::from(values).with_data_type(call.out.clone())))
    })
}

/// `to_timestamp(text, template)`.
///
/// # Errors
/// 22007 when the text has not the form of the template, 22008 when a field is out of range.
pub fn to_timestamp(call: &Call) -> Result<ColumnarValue> {
    let zone = call.clock()?.zone;
    rowwise(call.args, call.rows, |arrays, rows| {
        let values = read_all(arrays, rows, |days, micros, offset| match offset {
            Some(seconds) => days * MICROS_PER_DAY + micros - i64::from(seconds) * MICROS_PER_SECOND,
            None => zone.to_utc(days * MICROS_PER_DAY + micros),
        })?;
        Ok(Arc::new(TimestampMicrosecondArray::from(values).with_data_type(call.out.clone())))
    })
}

/// `to_date(text, template)`.
///
/// # Errors
/// As [`to_timestamp`].
pub fn to_date(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let values = read_all(arrays, rows, |days, _, _| days)?;
        let values: Vec<Option<i32>> = values.into_iter().map(|v| v.map(|days| days as i32)).collect();
        Ok(Arc::new(Date32Array::from(values)))
    })
}

fn read_all(arrays: &[ArrayRef], rows: usize, f: impl Fn(i64, i64, Option<i32>) -> i64) -> Result<Vec<Option<i64>>> {
    let (texts, templates): (&StringArray, &StringArray) = (arrays[0].as_string(), arrays[1].as_string());
    let each = |row: usize| {
        if texts.is_null(row) || templates.is_null(row) {
            return Ok(None);
        }
        let (days, micros, offset) = read(texts.value(row), &pieces(templates.value(row)))?;
        Ok(Some(f(days, micros, offset)))
    };
    (0..rows).map(each).collect()
}

/// Day, time of day and offset of a text in the form of a template.
fn read(text: &str, pieces: &[Piece]) -> Result<(i64, i64, Option<i32>)> {
    let mut rest = text;
    let (mut year, mut month, mut day, mut hour, mut afternoon) = (None, None, None, 0i64, None);
    let (mut day_of_year, mut minute, mut second, mut micros, mut epoch_seconds) = (None, 0i64, 0i64, 0i64, None);
    let (mut before_christ, mut offset, mut half_day, mut julian) = (false, None, false, None);
    for (i, piece) in pieces.iter().enumerate() {
        let name = match piece {
            Piece::Literal(literal) => {
                for expected in literal.chars() {
                    let separator = |c: char| !c.is_alphanumeric();
                    let Some(c) = rest.chars().next() else { break };
                    // Any separator stands for any other; spaces may be missing.
                    if separator(expected) {
                        if separator(c) && c != '-' && c != '+' || c == expected {
                            rest = &rest[c.len_utf8()..];
                        }
                    } else {
                        rest = &rest[c.len_utf8()..];
                    }
                }
                continue;
            }
            Piece::Field { name, .. } => *name,
        };
        if !matches!(name, "TZH") {
            rest = rest.trim_start();
        }
        // Where digits follow directly, a field takes only as many as it has.
        let next_is_number = matches!(pieces.get(i + 1), Some(Piece::Field { name, .. }) if !name.starts_with(['A', 'P', 'a', 'p', 'B', 'b']) );
        let mut number = |most: usize| -> Result<i64> {
            let most = if next_is_number { most } else { most.max(if most >= 4 { 9 } else { most }) };
            let negative = rest.starts_with('-');
            let body = rest.strip_prefix(['-', '+']).unwrap_or(rest);
            let length = body.bytes().take(most).take_while(u8::is_ascii_digit).count();
            if length == 0 {
                let shown: String = rest.chars().take(most.min(4)).collect();
                return Err(Error::new("22007", format!("invalid value \"{shown}\" for \"{name}\""))
                    .detail("Value must be an integer."));
            }
            rest = &body[length..];
            let value = body[..length].parse::<i64>().map_err(|_| Error::new("22008", "value out of range"))?;
            Ok(if negative { -value } else { value })
        };
        match name {
            "YYYY" | "IYYY" => year = Some(number(4)?),
            "Y,YYY" => {
                let thousands = number(1)?;
                rest = rest.strip_prefix(',').unwrap_or(rest);
                let length = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
                year = Some(thousands * 1000 + rest[..length].parse::<i64>().unwrap_or(0));
                rest = &rest[length..];
            }
            "YYY" => year = Some(number(3)? + 2000),
            "YY" | "IY" => {
                let value = number(2)?;
                year = Some(if value < 70 { value + 2000 } else { value + 1900 });
            }
            "Y" => year = Some(number(1)? + 2000),
            "MM" => month = Some(number(2)?),
            "DD" => day = Some(number(2)?),
            "DDD" => day_of_year = Some(number(3)?),
            "HH24" => hour = number(2)?,
            "HH12" | "HH" => (hour, half_day) = (number(2)?, true),
            "MI" => minute = number(2)?,
            "SS" => second = number(2)?,
            "SSSS" | "SSSSS" => epoch_seconds = Some(number(5)?),
            "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                let most = match name {
                    "MS" => 3,
                    "US" => 6,
                    _ => usize::from(name.as_bytes()[2] - b'0'),
                };
                let length = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
                let value = rest[..length].parse::<i64>().unwrap_or(0);
                micros += value * 10i64.pow(6 - length.min(6) as u32);
                rest = &rest[length..];
            }
            "J" => julian = Some(number(9)?),
            "AM" | "PM" | "am" | "pm" | "A.M." | "P.M." | "a.m." | "p.m." => {
                let lower = rest.to_ascii_lowercase();
                let found = ["a.m.", "p.m.", "am", "pm"].into_iter().find(|word| lower.starts_with(word));
                let Some(word) = found else {
                    return Err(Error::new("22007", format!("invalid value \"{rest}\" for \"{name}\"")));
                };
                (afternoon, half_day) = (Some(word.starts_with('p')), true);
                rest = &rest[word.len()..];
            }
            "BC" | "AD" | "bc" | "ad" | "B.C." | "A.D." | "b.c." | "a.d." => {
                before_christ = rest.starts_with(['B', 'b']);
                let length = rest.bytes().take(name.len()).count();
                rest = &rest[length..];
            }
            "MONTH" | "Month" | "month" | "MON" | "Mon" | "mon" => {
                let lower = rest.to_ascii_lowercase();
                let full = name.len() == 5;
                let found = MONTHS.iter().position(|m| {
                    let m = m.to_lowercase();
                    lower.starts_with(if full { &m } else { &m[..3] })
                });
                let Some(found) = found else {
                    let shown: String = rest.chars().take(name.len()).collect();
                    return Err(Error::new("22007", format!("invalid value \"{shown}\" for \"{name}\""))
                        .detail("The given value did not match any of the allowed values for this field."));
                };
                month = Some(found as i64 + 1);
                rest = &rest[if full { MONTHS[found].len() } else { 3 }..];
            }
            "DAY" | "Day" | "day" | "DY" | "Dy" | "dy" => {
                let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
                rest = &rest[length..];
            }
            "TZH" => {
                let hours = number(2)?;
                offset = Some(offset.unwrap_or(0) + hours as i32 * 3600);
            }
            "TZM" => {
                let minutes = number(2)? as i32;
                let hours = offset.unwrap_or(0);
                offset = Some(if hours < 0 { hours - minutes * 60 } else { hours + minutes * 60 });
            }
            _ => return Err(Error::unsupported(format!("formatting field \"{name}\" is only supported in to_char"))),
        }
    }
    let out_of_range = || Error::new("22008", format!("date/time field value out of range: \"{text}\""));
    if half_day {
        if !(1..=12).contains(&hour) {
            return Err(Error::new("22007", format!("hour \"{hour}\" is invalid for the 12-hour clock"))
                .hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        hour = hour % 12 + if afternoon == Some(true) { 12 } else { 0 };
    }
    let mut year = year.unwrap_or(if before_christ { 1 } else { 0 });
    // Without a year it is 1 BC, which is year 0.
    if before_christ {
        year = 1 - year;
    } else if year < 0 {
        year += 1;
    }
    let time = match epoch_seconds {
        Some(seconds) => seconds * MICROS_PER_SECOND,
        None => {
            if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
                return Err(out_of_range());
            }
            hour * MICROS_PER_HOUR + minute * MICROS_PER_MINUTE + second * MICROS_PER_SECOND
        }
    };
    let days = match (julian, day_of_year) {
        (Some(julian), _) => julian - 2_440_588,
        (None, Some(n)) if day.is_none() => {
            if !(1..=366).contains(&n) {
                return Err(out_of_range());
            }
            days_from_civil(year, 1, 1) + n - 1
        }
        _ => {
            let (month, day) = (month.unwrap_or(1), day.unwrap_or(1));
            if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
                return Err(out_of_range());
            }
            days_from_civil(year, month, day)
        }
    };
    Ok((days, time + micros, offset))
}
