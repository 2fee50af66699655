//! Reading JSON.

use super::Json;
use crate::error::{Error, Result};

/// How deep values may lie in each other.
const DEPTH: usize = 256;

/// Reads a value as `jsonb` does.
///
/// # Errors
/// 22P02 when the text is not JSON, 22P05 for a zero character, 54001 when values lie too deep in each other.
pub fn parse(text: &str) -> Result<Json> {
    let mut reader = Reader { text, at: 0, keep: true };
    reader.whole()
}

/// Checks a text as `json` does, which keeps it as it is.
///
/// # Errors
/// As [`parse`], but for zero characters.
pub fn validate(text: &str) -> Result<()> {
    Reader { text, at: 0, keep: false }.whole().map(drop)
}

/// A key, where there is one, and a value as it is written.
pub type Part<'a> = (Option<String>, &'a str);

/// The pairs of an object, or the elements of an array without keys, each as it is written; `None` for a scalar.
///
/// # Errors
/// As [`validate`].
pub fn parts(text: &str) -> Result<Option<Vec<Part<'_>>>> {
    let mut reader = Reader { text, at: 0, keep: false };
    reader.skip_space();
    let close = match reader.peek() {
        Some(b'{') => b'}',
        Some(b'[') => b']',
        _ => return Ok(None),
    };
    reader.at += 1;
    let mut parts = Vec::new();
    reader.skip_space();
    if reader.peek() == Some(close) {
        return Ok(Some(parts));
    }
    loop {
        reader.skip_space();
        let key = match close {
            b'}' => {
                reader.keep = true;
                let key = reader.string()?;
                reader.keep = false;
                reader.skip_space();
                reader.at += 1;
                Some(key)
            }
            _ => None,
        };
        reader.skip_space();
        let start = reader.at;
        reader.value(0)?;
        parts.push((key, &text[start..reader.at]));
        reader.skip_space();
        match reader.peek() {
            Some(b',') => reader.at += 1,
            Some(end) if end == close => return Ok(Some(parts)),
            _ => return Err(reader.unexpected("the end of the value")),
        }
    }
}

/// What a JSON text is, as `json_typeof` says: its first character tells.
pub fn type_of(raw: &str) -> &'static str {
    match raw.trim_start().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// What `->>` gives of a value as it is written; `None` for `null`.
///
/// # Errors
/// As [`parse`].
pub fn raw_text(raw: &str) -> Result<Option<String>> {
    match raw.as_bytes().first() {
        Some(b'"') => Reader { text: raw, at: 0, keep: true }.string().map(Some),
        _ if raw == "null" => Ok(None),
        _ => Ok(Some(raw.to_owned())),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Whether the value is wanted, or only whether it is one.
    keep: bool,
}

impl Reader<'_> {
    fn whole(&mut self) -> Result<Json> {
        let value = self.value(0)?;
        self.skip_space();
        if self.at < self.text.len() {
            let found = self.token();
            return Err(bad(format!("Expected end of input, but found \"{found}\".")));
        }
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The word or sign at which reading stopped.
    fn token(&self) -> &str {
        let rest = &self.text[self.at..];
        let word = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '.')));
        match word {
            Some(0) => rest.chars().next().map_or("", |c| &rest[..c.len_utf8()]),
            Some(end) => &rest[..end],
            None => rest,
        }
    }

    fn unexpected(&self, expected: &str) -> Error {
        if self.at >= self.text.len() {
            return bad("The input string ended unexpectedly.".to_owned());
        }
        bad(format!("Expected {expected}, but found \"{}\".", self.token()))
    }

    fn value(&mut self, depth: usize) -> Result<Json> {
        if depth > DEPTH {
            return Err(Error::new("54001", "stack depth limit exceeded")
                .hint(format!("JSON values may lie at most {DEPTH} deep in each other.")));
        }
        self.skip_space();
        match self.peek() {
            None => Err(bad("The input string ended unexpectedly.".to_owned())),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => {
                let word = self.token();
                let value = match word {
                    "null" => Json::Null,
                    "true" => Json::Bool(true),
                    "false" => Json::Bool(false),
                    "]" | "}" | "," | ":" => return Err(self.unexpected("JSON value")),
                    _ => return Err(bad(format!("Token \"{word}\" is invalid."))),
                };
                self.at += word.len();
                Ok(value)
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            let item = self.value(depth + 1)?;
            if self.keep {
                items.push(item);
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.unexpected("\",\" or \"]\"")),
            }
        }
        self.at += 1;
        Ok(Json::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Json> {
        self.at += 1;
        let mut pairs = Vec::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(pairs));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("string"));
            }
            let key = self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("\":\""));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            if self.keep {
                pairs.push((key, value));
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("\",\" or \"}\"")),
            }
        }
        self.at += 1;
        Ok(Json::object(pairs))
    }

    fn string(&mut self) -> Result<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ');
            let Some(plain) = plain else { return Err(bad(format!("Token \"\"{rest}\" is invalid."))) };
            if self.keep {
                out.push_str(&rest[..plain]);
            }
            self.at += plain + 1;
            match rest.as_bytes()[plain] {
                b'"' => return Ok(out),
                b'\\' => {
                    let c = self.escape()?;
                    out.extend(c.filter(|_| self.keep));
                }
                other => {
                    return Err(bad(format!("Character with value 0x{other:02x} must be escaped.")));
                }
            }
        }
    }

    /// What follows a backslash; `None` for a zero that is not kept.
    fn escape(&mut self) -> Result<Option<char>> {
        let escaped = self.text[self.at..].chars().next();
        let Some(escaped) = escaped else { return Err(self.unexpected("an escape")) };
        self.at += escaped.len_utf8();
        Ok(Some(match escaped {
            '"' | '\\' | '/' => escaped,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            other => return Err(bad(format!("Escape sequence \"\\{other}\" is invalid."))),
        }))
    }

    fn unicode(&mut self) -> Result<Option<char>> {
        let first = self.four_digits()?;
        let code = match first {
            0 if self.keep => {
                return Err(Error::new("22P05", "unsupported Unicode escape sequence")
                    .detail("\\u0000 cannot be converted to text."));
            }
            0 => return Ok(None),
            0xD800..=0xDBFF => {
                if !self.text[self.at..].starts_with("\\u") {
                    return Err(bad("Unicode low surrogate must follow a high surrogate.".to_owned()));
                }
                self.at += 2;
                match self.four_digits()? {
                    low @ 0xDC00..=0xDFFF => 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00),
                    _ => return Err(bad("Unicode low surrogate must follow a high surrogate.".to_owned())),
                }
            }
            other => other,
        };
        match char::from_u32(code) {
            Some(c) => Ok(Some(c)),
            None => Err(bad("Unicode low surrogate must follow a high surrogate.".to_owned())),
        }
    }

    fn four_digits(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            return Err(bad("\"\\u\" must be followed by four hexadecimal digits.".to_owned()));
        };
        self.at += 4;
        Ok(u32::from_str_radix(digits, 16).expect("the digits were checked"))
    }

    fn number(&mut self) -> Result<Json> {
        let start = self.at;
        let word = self.token().to_owned();
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let unsigned = word.strip_prefix('-').unwrap_or(&word);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let valid = digits(whole)
            && (whole == "0" || !whole.starts_with('0'))
            && fraction.is_none_or(digits)
            && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
        if !valid {
            return Err(bad(format!("Token \"{word}\" is invalid.")));
        }
        self.at = start + word.len();
        if !self.keep {
            return Ok(Json::Null);
        }
        let overflow = || Error::new("22003", "value overflows numeric format");
        let exponent: i32 = exponent.map_or(Ok(0), str::parse).map_err(|_| overflow())?;
        let plain = shift(whole, fraction.unwrap_or(""), exponent).ok_or_else(overflow)?;
        let negative = word.starts_with('-') && plain.bytes().any(|b| matches!(b, b'1'..=b'9'));
        Ok(Json::Number(if negative { format!("-{plain}") } else { plain }))
    }
}

/// `whole.fraction × 10^exponent` without an exponent, with the digits that a `numeric` has; `None` when they are
/// more than a `numeric` can have.
fn shift(whole: &str, fraction: &str, exponent: i32) -> Option<String> {
    if !(-16_383..=131_072).contains(&exponent) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i32 + exponent;
    let scale = (fraction.len() as i32 - exponent).max(0);
    let whole: String = match usize::try_from(point) {
        Ok(point) if point >= digits.len() => format!("{digits:0<point$}"),
        Ok(point) if point > 0 => digits[..point].to_owned(),
        _ => "0".to_owned(),
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if scale == 0 {
        return Some(whole.to_owned());
    }
    let zeros = "0".repeat(usize::try_from(-point).unwrap_or(0));
    let rest = &digits[usize::try_from(point).unwrap_or(0).min(digits.len())..];
    Some(format!("{whole}.{zeros}{rest}"))
}

fn bad(detail: String) -> Error {
    Error::new("22P02", "invalid input syntax for type json").detail(detail)
}
