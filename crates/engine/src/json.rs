//! JSON values: reading, PostgreSQL's normal form of `jsonb`, and what operators do with them.
//!
//! ```text
//! '{"b":1,"aa":2,"a":1e1}' ──parse──▶ Json ──normalise──▶ {"a": 10, "b": 1, "aa": 2}
//! ```
//!
//! Numbers stay decimal text, so none loses a digit. Keys are ordered by length, then by bytes, and the last of equal
//! ones wins: equal values have equal text, except that `1.0` and `1.00` keep the scale they were written with.

mod edit;
mod parse;

pub use edit::{
    concat, contains, delete_index, delete_key, delete_path, insert_path, set_path, strip_nulls, strip_nulls_of_text,
};
pub use parse::{Part, parse, parts, raw_text, type_of, validate};

use std::cmp::Ordering;
use std::fmt::Write;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` and `false`
    Bool(bool),
    /// A number as its decimal text.
    Number(String),
    /// A string without its escapes.
    String(String),
    /// `[…]`
    Array(Vec<Json>),
    /// `{…}`; in `jsonb`, in the order of [`key_order`] and without repeated keys.
    Object(Vec<(String, Json)>),
}

/// The order in which `jsonb` keeps keys.
pub fn key_order(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Json {
    /// What `jsonb_typeof` says.
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// An object of these pairs, in the order of `jsonb`; of equal keys the last wins.
    pub fn object(mut pairs: Vec<(String, Json)>) -> Json {
        pairs.reverse();
        pairs.sort_by(|a, b| key_order(&a.0, &b.0));
        pairs.dedup_by(|later, kept| later.0 == kept.0);
        Json::Object(pairs)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(pairs) => pairs.iter().rfind(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Indented text, as `jsonb_pretty` gives it.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write_pretty(0, &mut out);
        out
    }

    fn write_pretty(&self, depth: usize, out: &mut String) {
        let line = |out: &mut String, depth: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n("    ", depth));
        };
        match self {
            Json::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    line(out, depth + 1);
                    item.write_pretty(depth + 1, out);
                }
                line(out, depth);
                out.push(']');
            }
            Json::Object(pairs) => {
                out.push('{');
                for (i, (key, value)) in pairs.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    line(out, depth + 1);
                    write_string(key, out);
                    out.push_str(": ");
                    value.write_pretty(depth + 1, out);
                }
                line(out, depth);
                out.push('}');
            }
            other => write!(out, "{other}").expect("a string takes everything"),
        }
    }

    /// Bytes whose order is the order of `jsonb`: null below strings, numbers, booleans, arrays and objects; smaller
    /// containers below larger ones; numbers by value. An empty array is below everything.
    pub fn order_key(&self, out: &mut Vec<u8>) {
        if matches!(self, Json::Array(items) if items.is_empty()) {
            return out.push(0);
        }
        self.write_key(out);
    }

    fn write_key(&self, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.push(1),
            Json::String(text) => {
                out.push(2);
                write_text_key(text, out);
            }
            Json::Number(digits) => {
                out.push(3);
                write_number_key(digits, out);
            }
            Json::Bool(truth) => out.extend([4, u8::from(*truth)]),
            Json::Array(items) => {
                out.push(5);
                out.extend((items.len() as u32).to_be_bytes());
                items.iter().for_each(|item| item.write_key(out));
            }
            Json::Object(pairs) => {
                out.push(6);
                out.extend((pairs.len() as u32).to_be_bytes());
                for (key, value) in pairs {
                    write_text_key(key, out);
                    value.write_key(out);
                }
            }
        }
    }
}

/// The form of `jsonb`: a space after each comma and colon.
impl std::fmt::Display for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Json::Number(digits) => out.push_str(digits),
            Json::String(text) => write_string(text, &mut out),
            Json::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", if i > 0 { ", " } else { "" })?;
                }
                out.push(']');
            }
            Json::Object(pairs) => {
                out.push('{');
                for (i, (key, value)) in pairs.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    write_string(key, &mut out);
                    write!(out, ": {value}")?;
                }
                out.push('}');
            }
        }
        f.write_str(&out)
    }
}

/// Appends a string with quotes and escapes.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => write!(out, "\\u{:04x}", c as u32).expect("a string takes everything"),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Where an index points; negative ones count from the end.
pub fn position(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(index).ok().filter(|i| *i < length)
}

/// A text that no longer text follows as a part of it: 0 does not occur in it.
fn write_text_key(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

/// Sign, magnitude and digits of a number; of a negative one, all of them inverted.
fn write_number_key(number: &str, out: &mut Vec<u8>) {
    let (negative, digits) = number.strip_prefix('-').map_or((false, number), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all: String = [whole, fraction].concat();
    let leading = all.len() - all.trim_start_matches('0').len();
    let significant = all.trim_matches('0');
    if significant.is_empty() {
        return out.push(1);
    }
    let magnitude = whole.len() as i32 - leading as i32;
    let start = out.len();
    out.push(2);
    out.extend((magnitude as u32 ^ 0x8000_0000).to_be_bytes());
    out.extend(significant.bytes());
    out.push(0);
    if negative {
        out[start] = 0;
        out[start + 1..].iter_mut().for_each(|b| *b = !*b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        parse(text).unwrap().to_string()
    }

    #[test]
    fn values_have_postgresqls_normal_form() {
        for (text, expected) in [
            (r#"{"b":1,"aa":2,"a":3,"b":[1,{"x":null}]}"#, r#"{"a": 3, "b": [1, {"x": null}], "aa": 2}"#),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("1.50e1", "15.0"),
            ("1e3", "1000"),
            ("1E-3", "0.001"),
            (r#""\u00e9\n\u0001\ud83d\ude00""#, "\"é\\n\\u0001\u{1f600}\""),
            (" [ true , false,null ] ", "[true, false, null]"),
            ("{ }", "{}"),
        ] {
            assert_eq!(normal(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "x", "{\"a\":1", "[1,]", "01", "1.", "\"a", "{1:2}", "[1] 2", "+1", "\"\t\""] {
            assert_eq!(parse(text).unwrap_err().sqlstate, "22P02", "{text}");
        }
        assert_eq!(parse(r#""\u0000""#).unwrap_err().sqlstate, "22P05");
        let deep = "[".repeat(100_000);
        assert_eq!(parse(&deep).unwrap_err().sqlstate, "54001");
    }

    #[test]
    fn keys_have_the_order_of_jsonb() {
        // As PostgreSQL sorts them.
        let sorted = [
            "[]",
            "null",
            "\"a\"",
            "\"b\"",
            "-10",
            "-1.5",
            "0",
            "0.5",
            "1",
            "9",
            "10",
            "false",
            "true",
            "[3]",
            "[1, 2]",
            "{}",
            "{\"a\": 1}",
            "{\"b\": 0}",
        ];
        let key = |text: &str| {
            let mut key = Vec::new();
            parse(text).unwrap().order_key(&mut key);
            key
        };
        assert!(sorted.windows(2).all(|pair| key(pair[0]) < key(pair[1])), "{sorted:?}");
        assert_eq!(key("1.0"), key("1.00"));
        assert_eq!(key("-0.0"), key("0"));
    }
}
