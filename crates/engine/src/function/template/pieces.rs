//! The pieces of a template for dates and times.

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
pub enum Piece {
    /// A field, whether it is unpadded, and its ordinal suffix.
    Field {
        name: &'static str,
        fill: bool,
        ordinal: Option<&'static str>,
    },
    Literal(String),
}

/// Reads a template.
pub fn pieces(template: &str) -> Vec<Piece> {
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
