//! Functions of text and bytes where DataFusion's take less, or fail otherwise than PostgreSQL's.

use super::define::{Call, Overload, function, takes};
use crate::error::{Error, Result};
use crate::operator::kernel::rowwise;
use crate::operator::operand::{Kind, Operand, type_name};
use crate::operator::pattern::translated;
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int32Array, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use datafusion::common::DFSchema;
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, Volatility};
use std::sync::{Arc, LazyLock};

use Kind::{Bytea, Integer, Text};

/// The functions.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    let pure = |name: &'static str, overloads: &[Overload]| function(name, Volatility::Immutable, overloads);
    let parts = [
        takes(&[Text, Integer], Text, |c| texts(c, |row| part(row.text(0), row.integer(1), None))),
        takes(&[Text, Integer, Integer], Text, |c| {
            texts(c, |row| part(row.text(0), row.integer(1), Some(row.integer(2))))
        }),
        takes(&[Bytea, Integer], Bytea, |c| bytes(c, |row| byte_part(row.bytes(0), row.integer(1), None))),
        takes(&[Bytea, Integer, Integer], Bytea, |c| {
            bytes(c, |row| byte_part(row.bytes(0), row.integer(1), Some(row.integer(2))))
        }),
    ];
    let matching = takes(&[Text, Text], Text, first_match);
    let characters = takes(&[Text], Integer, |c| integers(c, |row| length(row.text(0).chars().count())));
    vec![
        pure("substr", &parts),
        pure("substring", &[&parts[..], &[matching]].concat()),
        pure(
            "overlay",
            &[
                takes(&[Text, Text, Integer], Text, |c| {
                    texts(c, |row| overlay(row.text(0), row.text(1), row.integer(2), None))
                }),
                takes(&[Text, Text, Integer, Integer], Text, |c| {
                    texts(c, |row| overlay(row.text(0), row.text(1), row.integer(2), Some(row.integer(3))))
                }),
                takes(&[Bytea, Bytea, Integer], Bytea, |c| {
                    bytes(c, |row| byte_overlay(row.bytes(0), row.bytes(1), row.integer(2), None))
                }),
                takes(&[Bytea, Bytea, Integer, Integer], Bytea, |c| {
                    bytes(c, |row| byte_overlay(row.bytes(0), row.bytes(1), row.integer(2), Some(row.integer(3))))
                }),
            ],
        ),
        pure(
            "lpad",
            &[
                takes(&[Text, Integer], Text, |c| {
                    texts(c, |row| padding(row.text(0), row.integer(1), " ").map(|(pad, text)| pad + &text))
                }),
                takes(&[Text, Integer, Text], Text, |c| {
                    texts(c, |row| padding(row.text(0), row.integer(1), row.text(2)).map(|(pad, text)| pad + &text))
                }),
            ],
        ),
        pure(
            "rpad",
            &[
                takes(&[Text, Integer], Text, |c| {
                    texts(c, |row| padding(row.text(0), row.integer(1), " ").map(|(pad, text)| text + &pad))
                }),
                takes(&[Text, Integer, Text], Text, |c| {
                    texts(c, |row| padding(row.text(0), row.integer(1), row.text(2)).map(|(pad, text)| text + &pad))
                }),
            ],
        ),
        pure("right", &[takes(&[Text, Integer], Text, |c| texts(c, |row| Ok(right(row.text(0), row.integer(1)))))]),
        pure("chr", &[takes(&[Integer], Text, |c| texts(c, |row| character(row.integer(0))))]),
        pure("char_length", &[characters]),
        pure("character_length", &[characters]),
        pure("length", &[characters, takes(&[Bytea], Integer, |c| integers(c, |row| length(row.bytes(0).len())))]),
        pure(
            "octet_length",
            &[
                takes(&[Text], Integer, |c| integers(c, |row| length(row.text(0).len()))),
                takes(&[Bytea], Integer, |c| integers(c, |row| length(row.bytes(0).len()))),
            ],
        ),
        pure(
            "bit_length",
            &[
                takes(&[Text], Integer, |c| integers(c, |row| length(row.text(0).len() * 8))),
                takes(&[Bytea], Integer, |c| integers(c, |row| length(row.bytes(0).len() * 8))),
            ],
        ),
        pure("upper", &[takes(&[Text], Text, |c| texts(c, |row| Ok(row.text(0).chars().map(upper).collect())))]),
        pure("lower", &[takes(&[Text], Text, |c| texts(c, |row| Ok(row.text(0).chars().map(lower).collect())))]),
        pure("initcap", &[takes(&[Text], Text, |c| texts(c, |row| Ok(initcap(row.text(0)))))]),
        pure(
            "to_hex",
            &[
                takes(&[Integer], Text, |c| texts(c, |row| Ok(format!("{:x}", row.integer(0))))),
                takes(&[Kind::BigInt], Text, |c| {
                    texts(c, |row| Ok(format!("{:x}", row.arrays[0].as_primitive::<Int64Type>().value(row.row))))
                }),
            ],
        ),
        pure("encode", &[takes(&[Bytea, Text], Text, |c| texts(c, |row| encode(row.bytes(0), row.text(1))))]),
        pure("decode", &[takes(&[Text, Text], Bytea, |c| bytes(c, |row| decode(row.text(0), row.text(1))))]),
        pure(
            "similar_to_escape",
            &[
                takes(&[Text], Text, |c| texts(c, |row| similar(row.text(0), Some('\\')))),
                takes(&[Text, Text], Text, |c| texts(c, |row| similar(row.text(0), escape_of(row.text(1))?))),
            ],
        ),
    ]
}

/// A call of one of the functions.
pub fn call(name: &str, args: Vec<Expr>) -> Expr {
    static ALL: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(functions);
    ALL.iter().find(|f| f.name() == name).expect("the function is one of these").call(args)
}

/// Functions of DataFusion's that make text of whatever they are given first, where PostgreSQL wants text.
const OF_TEXT: &[&str] = &[
    "ascii",
    "btrim",
    "left",
    "ltrim",
    "md5",
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "translate",
];

/// Refuses a call that there is no function for.
///
/// # Errors
/// 42883 when a function of text is given something else.
pub fn check(name: &str, args: &[Expr], schema: &DFSchema) -> Result<()> {
    if !OF_TEXT.contains(&name) {
        return Ok(());
    }
    let Some(first) = args.first().and_then(|arg| Operand::new(arg.clone(), schema)) else { return Ok(()) };
    if matches!(first.kind, Kind::Text | Kind::Unknown) || (first.kind == Kind::Bytea && name == "md5") {
        return Ok(());
    }
    let types = args.iter().filter_map(|arg| Some(type_name(&Operand::new(arg.clone(), schema)?.data_type)));
    Err(Error::no_function(name, types))
}

/// The arguments of a call in one row, of which none is NULL.
struct Row<'a> {
    arrays: &'a [ArrayRef],
    row: usize,
}

impl<'a> Row<'a> {
    fn text(&self, argument: usize) -> &'a str {
        self.arrays[argument].as_string::<i32>().value(self.row)
    }

    fn bytes(&self, argument: usize) -> &'a [u8] {
        self.arrays[argument].as_binary::<i32>().value(self.row)
    }

    fn integer(&self, argument: usize) -> i32 {
        self.arrays[argument].as_primitive::<Int32Type>().value(self.row)
    }
}

/// `f` of every row in which no argument is NULL.
fn rows<T, A: FromIterator<Option<T>> + Array + 'static>(
    call: &Call,
    f: impl Fn(Row) -> Result<T>,
) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let each =
            |row: usize| arrays.iter().all(|array| array.is_valid(row)).then(|| f(Row { arrays, row })).transpose();
        Ok(Arc::new((0..rows).map(each).collect::<Result<A>>()?))
    })
}

fn texts(call: &Call, f: impl Fn(Row) -> Result<String>) -> Result<ColumnarValue> {
    rows::<String, StringArray>(call, f)
}

fn bytes(call: &Call, f: impl Fn(Row) -> Result<Vec<u8>>) -> Result<ColumnarValue> {
    rows::<Vec<u8>, BinaryArray>(call, f)
}

fn integers(call: &Call, f: impl Fn(Row) -> Result<i32>) -> Result<ColumnarValue> {
    rows::<i32, Int32Array>(call, f)
}

fn length(length: usize) -> Result<i32> {
    i32::try_from(length).map_err(|_| Error::new("22003", "integer out of range"))
}

fn negative_length() -> Error {
    Error::new("22011", "negative substring length not allowed")
}

/// The places, from 0, of what begins at `start`, from 1, in something of `length` items.
fn range(start: i32, count: Option<i32>, length: usize) -> Result<std::ops::Range<usize>> {
    let place = |at: i64| usize::try_from(at.max(1) - 1).unwrap_or(usize::MAX).min(length);
    let end = match count {
        Some(count) if count < 0 => return Err(negative_length()),
        Some(count) => i64::from(start) + i64::from(count),
        None => i64::MAX,
    };
    Ok(place(start.into())..place(end).max(place(start.into())))
}

fn part(text: &str, start: i32, count: Option<i32>) -> Result<String> {
    if text.is_ascii() {
        return Ok(text[range(start, count, text.len())?].to_owned());
    }
    let range = range(start, count, text.chars().count())?;
    Ok(text.chars().skip(range.start).take(range.len()).collect())
}

fn byte_part(bytes: &[u8], start: i32, count: Option<i32>) -> Result<Vec<u8>> {
    Ok(bytes[range(start, count, bytes.len())?].to_vec())
}

/// What stays before and after the part that is laid over, as start and count.
fn around(start: i32, count: i32) -> Result<(i32, i32)> {
    if start <= 0 {
        return Err(negative_length());
    }
    let after = start.checked_add(count).ok_or_else(|| Error::new("22003", "integer out of range"))?;
    Ok((start - 1, after))
}

fn overlay(text: &str, with: &str, start: i32, count: Option<i32>) -> Result<String> {
    let count = count.map_or_else(|| length(with.chars().count()), Ok)?;
    let (before, after) = around(start, count)?;
    Ok(part(text, 1, Some(before))? + with + &part(text, after, None)?)
}

fn byte_overlay(bytes: &[u8], with: &[u8], start: i32, count: Option<i32>) -> Result<Vec<u8>> {
    let count = count.map_or_else(|| length(with.len()), Ok)?;
    let (before, after) = around(start, count)?;
    Ok([&byte_part(bytes, 1, Some(before))?, with, &byte_part(bytes, after, None)?].concat())
}

/// What `lpad` and `rpad` put beside a text, and as much of the text as fits.
fn padding(text: &str, width: i32, fill: &str) -> Result<(String, String)> {
    let width = usize::try_from(width).unwrap_or(0);
    if width > (1 << 30) / 4 {
        return Err(Error::new("54000", "requested length too large"));
    }
    let text: String = text.chars().take(width).collect();
    let missing = width - text.chars().count();
    Ok((fill.chars().cycle().take(if fill.is_empty() { 0 } else { missing }).collect(), text))
}

/// The last `count` characters, or all but the first `-count`.
fn right(text: &str, count: i32) -> String {
    let length = text.chars().count();
    let skipped = match usize::try_from(count) {
        Ok(count) => length.saturating_sub(count),
        // The smallest integer has no opposite, and skips nothing.
        Err(_) => count.checked_neg().map_or(0, |count| count as usize),
    };
    text.chars().skip(skipped).collect()
}

/// The capital letter, where it is one letter: `ß` has none.
fn upper(c: char) -> char {
    let mut letters = c.to_uppercase();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => letter,
        _ => c,
    }
}

fn lower(c: char) -> char {
    let mut letters = c.to_lowercase();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => letter,
        _ => c,
    }
}

/// Capital letters at the beginning of words, small ones inside them.
fn initcap(text: &str) -> String {
    let mut inside = false;
    let each = |c: char| {
        let c = if inside { lower(c) } else { upper(c) };
        inside = c.is_alphanumeric();
        c
    };
    text.chars().map(each).collect()
}

fn character(number: i32) -> Result<String> {
    match u32::try_from(number) {
        Ok(0) => Err(Error::new("54000", "null character not permitted")),
        Ok(number) => char::from_u32(number)
            .map(String::from)
            .ok_or_else(|| Error::new("54000", format!("requested character too large for encoding: {number}"))),
        Err(_) => Err(Error::invalid_parameter("character number must be positive")),
    }
}

/// `substring(text FROM pattern)`: the first group of the pattern, or all that it matches.
fn first_match(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, _| {
        let patterns: StringArray = arrays[1].as_string::<i32>().iter().map(|p| p.map(translated)).collect();
        let matches = arrow::compute::regexp_match(&arrays[0], &patterns, None)?;
        let matches = matches.as_list::<i32>();
        let first = (0..matches.len()).map(|row| {
            let groups = matches.is_valid(row).then(|| matches.value(row))?;
            let groups = groups.as_string::<i32>();
            (!groups.is_empty() && groups.is_valid(0)).then(|| groups.value(0).to_owned())
        });
        Ok(Arc::new(first.collect::<StringArray>()))
    })
}

fn unknown_encoding(name: &str) -> Error {
    Error::invalid_parameter(format!("unrecognized encoding: \"{name}\""))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8], encoding: &str) -> Result<String> {
    Ok(match encoding.to_ascii_lowercase().as_str() {
        "hex" => bytes.iter().map(|b| format!("{b:02x}")).collect(),
        "base64" => {
            let mut out = String::new();
            for (line, piece) in bytes.chunks(57).enumerate() {
                if line > 0 {
                    out.push('\n');
                }
                for group in piece.chunks(3) {
                    let bits = group.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - group.len()));
                    for i in 0..4 {
                        let digit = BASE64[(bits >> (18 - 6 * i) & 63) as usize];
                        out.push(if i <= group.len() { char::from(digit) } else { '=' });
                    }
                }
            }
            out
        }
        "escape" => bytes
            .iter()
            .map(|b| match b {
                b'\\' => "\\\\".to_owned(),
                0 | 0x80.. => format!("\\{b:03o}"),
                b => char::from(*b).to_string(),
            })
            .collect(),
        _ => return Err(unknown_encoding(encoding)),
    })
}

fn decode(text: &str, encoding: &str) -> Result<Vec<u8>> {
    match encoding.to_ascii_lowercase().as_str() {
        "hex" => decode_hex(text),
        "base64" => decode_base64(text),
        "escape" => decode_escape(text),
        _ => Err(unknown_encoding(encoding)),
    }
}

fn decode_hex(text: &str) -> Result<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len());
    for c in text.chars().filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r')) {
        let digit = c.to_digit(16);
        digits
            .push(digit.ok_or_else(|| Error::invalid_parameter(format!("invalid hexadecimal digit: \"{c}\"")))? as u8);
    }
    if digits.len() % 2 == 1 {
        return Err(Error::invalid_parameter("invalid hexadecimal data: odd number of digits"));
    }
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn decode_base64(text: &str) -> Result<Vec<u8>> {
    let wrong = |what: String| Error::invalid_parameter(what);
    let (mut out, mut bits, mut count, mut ends) = (Vec::new(), 0u32, 0, 0);
    for c in text.chars().filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r')) {
        if c == '=' {
            if ends == 0 && count < 2 {
                return Err(wrong("unexpected \"=\" while decoding base64 sequence".to_owned()));
            }
            ends += 1;
            bits <<= 6;
        } else {
            let digit = BASE64.iter().position(|b| char::from(*b) == c).filter(|_| ends == 0);
            let digit =
                digit.ok_or_else(|| wrong(format!("invalid symbol \"{c}\" found while decoding base64 sequence")))?;
            bits = bits << 6 | digit as u32;
        }
        count += 1;
        if count == 4 {
            let group = bits.to_be_bytes();
            out.extend_from_slice(&group[1..4 - ends.min(2)]);
            (bits, count) = (0, 0);
        }
    }
    if count != 0 {
        return Err(wrong("invalid base64 end sequence".to_owned())
            .hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(out)
}

fn decode_escape(text: &str) -> Result<Vec<u8>> {
    let wrong = || Error::new("22P02", "invalid input syntax for type bytea");
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'\\', b'\\', ..] => {
                out.push(b'\\');
                at += 2;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                at += 4;
            }
            [b'\\', ..] => return Err(wrong()),
            [byte, ..] => {
                out.push(*byte);
                at += 1;
            }
            [] => break,
        }
    }
    Ok(out)
}

/// The one character that escapes; none when there is no text.
fn escape_of(text: &str) -> Result<Option<char>> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (escape, None) => Ok(escape),
        _ => Err(Error::new("22025", "invalid escape string").hint("Escape string must be empty or one character.")),
    }
}

/// A pattern of SIMILAR TO as a regular expression for all of a text.
fn similar(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut out = String::from("(?s)^(?:");
    let (mut bracket, mut escaped) = (false, false);
    for c in pattern.chars() {
        match c {
            c if escaped => {
                if !c.is_alphanumeric() {
                    out.push('\\');
                }
                out.push(c);
                escaped = false;
            }
            c if Some(c) == escape => escaped = true,
            ']' if bracket => {
                bracket = false;
                out.push(c);
            }
            '\\' => out.push_str("\\\\"),
            c if bracket => out.push(c),
            '[' => {
                bracket = true;
                out.push(c);
            }
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '.' | '^' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push_str(")$");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_encoded_and_decoded() {
        for (bytes, base64, escape) in [
            (&b""[..], "", ""),
            (b"a", "YQ==", "a"),
            (b"ab", "YWI=", "ab"),
            (b"abc", "YWJj", "abc"),
            (b"\xff\x00\\", "/wBc", "\\377\\000\\\\"),
        ] {
            assert_eq!(encode(bytes, "base64").unwrap(), base64);
            assert_eq!(decode(base64, "BASE64").unwrap(), bytes);
            assert_eq!(encode(bytes, "escape").unwrap(), escape);
            assert_eq!(decode(escape, "escape").unwrap(), bytes);
        }
        assert_eq!(encode(&[0; 60], "base64").unwrap(), format!("{}\nAAAA", "A".repeat(76)));
        for (text, encoding) in [("a", "hex"), ("zz", "hex"), ("YQ", "base64"), ("=", "base64"), ("a", "nope")] {
            assert_eq!(decode(text, encoding).unwrap_err().sqlstate, "22023", "{text} {encoding}");
        }
    }

    #[test]
    fn parts_begin_before_and_end_behind() {
        let check = |start, count, expected: &str| assert_eq!(part("ähm", start, count).unwrap(), expected);
        check(1, None, "ähm");
        check(2, Some(1), "h");
        check(-1, Some(3), "ä");
        check(0, Some(0), "");
        check(i32::MIN, Some(i32::MAX), "");
        check(3, Some(i32::MAX), "m");
        assert_eq!(part("a", 1, Some(-1)).unwrap_err().sqlstate, "22011");
    }

    #[test]
    fn similar_patterns_are_for_the_whole_text() {
        assert_eq!(similar("(a|b)%_.", Some('\\')).unwrap(), "(?s)^(?:(?:a|b).*.\\.)$");
        assert_eq!(similar("a\\%[^%_]", Some('\\')).unwrap(), "(?s)^(?:a\\%[^%_])$");
    }
}
