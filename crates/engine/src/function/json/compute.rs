//! What the functions do with the arguments of one row, none of which is NULL where that matters.

use super::{Value, key};
use crate::error::{Error, Result};
use crate::json::{self, Json};
use crate::text::network::Network;

pub fn network(values: &[Value], i: usize) -> Result<Network> {
    Network::parse(text(values, i), false)
}

/// The text of an argument that is not NULL.
pub fn text(values: &[Value], i: usize) -> &str {
    match values.get(i) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

pub fn value(values: &[Value], i: usize) -> Result<Json> {
    json::parse(text(values, i))
}

pub fn integer(value: &Value) -> i32 {
    if let Value::Integer(n) = value { *n } else { 0 }
}

pub fn steps(value: &Value) -> Vec<String> {
    match value {
        Value::Texts(texts) => texts.iter().flatten().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The steps of a path that are given one by one.
pub fn rest(values: &[Value]) -> Vec<String> {
    (1..values.len()).map(|i| text(values, i).to_owned()).collect()
}

pub fn made(value: Json) -> Result<Value> {
    Ok(Value::Text(value.to_string()))
}

pub fn found(raw: Option<String>) -> Result<Value> {
    Ok(raw.map_or(Value::Null, Value::Text))
}

pub fn found_text(raw: Option<String>) -> Result<Value> {
    let text = raw.map(|raw| json::raw_text(&raw)).transpose()?.flatten();
    Ok(text.map_or(Value::Null, Value::Text))
}

pub fn field(values: &[Value]) -> Result<Option<String>> {
    field_of(text(values, 0), text(values, 1))
}

fn field_of(json: &str, name: &str) -> Result<Option<String>> {
    let parts = json::parts(json)?.unwrap_or_default();
    Ok(parts.into_iter().rfind(|(key, _)| key.as_deref() == Some(name)).map(|(_, raw)| raw.to_owned()))
}

pub fn element(values: &[Value]) -> Result<Option<String>> {
    element_of(text(values, 0), integer(&values[1]).into())
}

fn element_of(json: &str, index: i64) -> Result<Option<String>> {
    let parts = json::parts(json)?.unwrap_or_default();
    if parts.iter().any(|(key, _)| key.is_some()) {
        return Ok(None);
    }
    Ok(json::position(index, parts.len()).map(|at| parts[at].1.to_owned()))
}

pub fn at_path(json: &str, path: Vec<String>) -> Result<Option<String>> {
    let mut raw = json.trim().to_owned();
    for step in path {
        let next = match raw.as_bytes().first() {
            Some(b'{') => field_of(&raw, &step)?,
            Some(b'[') => match step.trim().parse() {
                Ok(index) => element_of(&raw, index)?,
                Err(_) => None,
            },
            _ => None,
        };
        match next {
            Some(next) => raw = next,
            None => return Ok(None),
        }
    }
    Ok(Some(raw))
}

/// The parts of an array or object.
pub fn parts_of<'a>(raw: &'a str, wanted: &str, error: &str) -> Result<Vec<json::Part<'a>>> {
    let kind = json::type_of(raw);
    if kind == wanted {
        return Ok(json::parts(raw)?.unwrap_or_default());
    }
    let kind = match kind {
        "array" => "an array",
        "object" => "an object",
        _ => "a scalar",
    };
    Err(Error::invalid_parameter(error.replace("{}", kind)))
}

fn as_texts<'a>(raws: impl Iterator<Item = &'a str>, as_text: bool) -> Result<Value> {
    let texts = raws.map(|raw| if as_text { json::raw_text(raw) } else { Ok(Some(raw.to_owned())) });
    Ok(Value::Texts(texts.collect::<Result<_>>()?))
}

pub fn elements(raw: &str, as_text: bool) -> Result<Value> {
    let parts = parts_of(raw, "array", "cannot extract elements from {}")?;
    as_texts(parts.into_iter().map(|(_, raw)| raw), as_text)
}

pub fn keys(raw: &str, what: &str) -> Result<Value> {
    let parts = parts_of(raw, "object", &format!("cannot {what} {{}}"))?;
    Ok(Value::Texts(parts.into_iter().map(|(key, _)| key).collect()))
}

pub fn values(raw: &str, as_text: bool) -> Result<Value> {
    let parts = parts_of(raw, "object", "cannot deconstruct {}")?;
    as_texts(parts.into_iter().map(|(_, raw)| raw), as_text)
}

/// Whether a key, or a string among the elements, is there.
pub fn exists(value: &Json, key: &str) -> bool {
    match value {
        Json::Object(_) => value.get(key).is_some(),
        Json::Array(items) => items.iter().any(|item| matches!(item, Json::String(text) if text == key)),
        Json::String(text) => text == key,
        _ => false,
    }
}

/// The elements or pairs of a list, with commas between them.
pub fn listed(value: &Value) -> String {
    let Value::Texts(texts) = value else { return String::new() };
    texts.iter().map(|text| text.as_deref().unwrap_or("null")).collect::<Vec<_>>().join(", ")
}

pub fn or_null(value: &Value) -> &str {
    if let Value::Text(text) = value { text } else { "null" }
}

/// Keys, as JSON strings, and values as JSON.
pub fn pairs<'a>(name: &str, values: &'a [Value]) -> Result<Vec<(String, &'a str)>> {
    if !values.len().is_multiple_of(2) {
        return Err(Error::invalid_parameter("argument list must have even number of elements")
            .hint(format!("The arguments of {name}() must consist of alternating keys and values.")));
    }
    let pair = |(i, pair): (usize, &'a [Value])| match &pair[0] {
        Value::Text(name) => Ok((key(name), or_null(&pair[1]))),
        _ => Err(Error::invalid_parameter(format!("argument {}: key must not be null", i * 2 + 1))),
    };
    values.chunks_exact(2).enumerate().map(pair).collect()
}
