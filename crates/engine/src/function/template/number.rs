//! Numbers in templates like `FM999,990.00`: `to_char` and `to_number`.

use super::ordinal;
use crate::error::{Error, Result};
use crate::function::define::Call;
use crate::operator::exact::{self, Numbers};
use crate::operator::kernel::rowwise;
use crate::text::number;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use datafusion::logical_expr::ColumnarValue;
use highwater_model::Numeric;
use std::fmt::Write;

/// A number template, read.
#[derive(Debug, Default)]
struct Template {
    /// The digits and separators in order: `9`, `0`, `.`, `,`, or a literal.
    parts: Vec<Part>,
    whole_digits: usize,
    decimals: usize,
    fill: bool,
    sign: Sign,
    ordinal: Option<bool>,
    scientific: bool,
    roman: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
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

fn read(template: &str) -> Template {
    let mut t = Template { fill: true, ..Template::default() };
    let mut rest = template;
    let mut after_point = false;
    while !rest.is_empty() {
        let two = rest.get(..2).map(str::to_uppercase).unwrap_or_default();
        let mut length = 2;
        match two.as_str() {
            "FM" => t.fill = false,
            "MI" => {
                t.sign = Sign::Placed;
                t.parts.push(Part::Minus);
            }
            "PL" => t.parts.push(Part::Plus),
            "SG" => {
                t.sign = Sign::Placed;
                t.parts.push(Part::Sign);
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
                        t.parts.push(if c == '9' { Part::Nine } else { Part::Zero });
                    }
                    '.' | 'D' | 'd' if !after_point => {
                        after_point = true;
                        t.parts.push(Part::Point);
                    }
                    ',' | 'G' | 'g' => t.parts.push(Part::Group),
                    'S' | 's' => {
                        t.sign = Sign::Placed;
                        t.parts.push(Part::Sign);
                    }
                    'L' | 'l' => t.parts.push(Part::Literal(" ".to_owned())),
                    '"' => {
                        let quoted = &rest[1..];
                        let end = quoted.find('"').unwrap_or(quoted.len());
                        t.parts.push(Part::Literal(quoted[..end].to_owned()));
                        length = (end + 2).min(rest.len());
                    }
                    c => t.parts.push(Part::Literal(c.to_string())),
                }
            }
        }
        rest = &rest[length..];
    }
    t
}

/// Writes the number in one row as the template says.
pub fn show(values: &ArrayRef, row: usize, template: &str, out: &mut String) -> Result<()> {
    let t = read(template);
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
    let first_zero = t.parts.iter().filter(|p| matches!(p, Part::Nine | Part::Zero | Part::Point));
    let first_zero = first_zero.take_while(|p| **p != Part::Point).position(|p| *p == Part::Zero);
    let begins = t.whole_digits.saturating_sub(whole.len());
    let mut begins = first_zero.map_or(begins, |z| z.min(begins));
    if t.decimals == 0 && t.whole_digits > 0 {
        begins = begins.min(t.whole_digits - 1);
    }
    // Without fill, zeros at the end are shown only where the template has a 0.
    let decimal_parts: Vec<&Part> = {
        let mut after = false;
        let places = t.parts.iter().filter(|p| {
            let was = after;
            after |= **p == Part::Point;
            was && matches!(p, Part::Nine | Part::Zero)
        });
        places.collect()
    };
    let needed = if t.fill {
        t.decimals
    } else {
        let by_zero = decimal_parts.iter().rposition(|p| **p == Part::Zero).map_or(0, |i| i + 1);
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
            Part::Nine | Part::Zero if !after_point => {
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
            Part::Nine | Part::Zero => {
                if decimal < needed {
                    let digit = fraction.as_bytes().get(decimal).map_or('0', |b| char::from(*b));
                    body.push(if overflow { '#' } else { digit });
                }
                decimal += 1;
            }
            Part::Point => {
                begin(&mut body, &mut signed);
                after_point = true;
                body.push('.');
            }
            Part::Group => {
                if begun {
                    body.push(',');
                } else if t.fill {
                    body.push(' ');
                }
            }
            Part::Sign => body.push(if negative { '-' } else { '+' }),
            Part::Minus => {
                if negative {
                    body.push('-');
                } else if t.fill {
                    body.push(' ');
                }
            }
            Part::Plus => body.push(if negative { ' ' } else { '+' }),
            Part::Literal(text) => body.push_str(text),
        }
    }
    if t.sign == Sign::Placed && matches!(t.parts.first(), Some(Part::Sign)) && template.starts_with(['S', 's']) {
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

/// Whether the number is negative, and its digits before and after the point; `None` when it is not finite.
fn digits_of(values: &ArrayRef, row: usize, decimals: usize) -> Option<(bool, String, String)> {
    let float = |x: f64| {
        x.is_finite().then(|| {
            let text = format!("{:.decimals$}", x.abs());
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            (x < 0.0, whole.to_owned(), fraction.to_owned())
        })
    };
    match values.data_type() {
        DataType::Float32 => float(values.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => float(values.as_primitive::<Float64Type>().value(row)),
        _ => {
            let number = Numbers::of(values).ok()?.get(row).ok()??.round(decimals as i32).ok()?;
            number.finite()?;
            let text = number.abs().to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            Some((number.signum() < 0, whole.to_owned(), fraction.to_owned()))
        }
    }
}

fn as_double(values: &ArrayRef, row: usize) -> f64 {
    match values.data_type() {
        DataType::Float32 => values.as_primitive::<Float32Type>().value(row).into(),
        DataType::Float64 => values.as_primitive::<Float64Type>().value(row),
        _ => {
            let number = Numbers::of(values).and_then(|numbers| numbers.get(row));
            number.ok().flatten().map_or(f64::NAN, |number| number.to_f64())
        }
    }
}

/// `to_number(text, template)`, which takes the digits, the sign and the point.
pub fn to_number(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let (texts, templates) = (arrays[0].as_string::<i32>(), arrays[1].as_string::<i32>());
        let each = |row: usize| -> Result<Option<Numeric>> {
            if texts.is_null(row) || templates.is_null(row) {
                return Ok(None);
            }
            let negative = texts.value(row).contains(['-', '<']);
            let digits: String = texts.value(row).chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
            let value = number::parse_any_numeric(digits.as_bytes())?;
            Ok(Some(if negative { value.negated() } else { value }))
        };
        exact::column((0..rows).map(each))
    })
}
