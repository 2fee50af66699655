//! Changing and comparing `jsonb` values.

use super::{Json, parts, position, write_string};
use crate::error::{Error, Result};
use std::slice::Iter;

/// Steps of a path, each a key or an index.
pub type Path = [String];

/// `left || right`
///
/// # Errors
/// None; objects are merged, everything else becomes one array.
pub fn concat(left: Json, right: Json) -> Json {
    match (left, right) {
        (Json::Object(mut a), Json::Object(b)) => {
            a.extend(b);
            Json::object(a)
        }
        (a, b) => {
            let items = |value: Json| match value {
                Json::Array(items) => items,
                other => vec![other],
            };
            let mut all = items(a);
            all.extend(items(b));
            Json::Array(all)
        }
    }
}

/// `whole @> part`
pub fn contains(whole: &Json, part: &Json) -> bool {
    match (whole, part) {
        // A bare scalar is contained in an array as if it were an array of one.
        (Json::Array(items), part) if !matches!(part, Json::Array(_) | Json::Object(_)) => items.contains(part),
        (whole, part) => lies_in(whole, part),
    }
}

fn lies_in(whole: &Json, part: &Json) -> bool {
    match (whole, part) {
        (Json::Object(_), Json::Object(pairs)) => {
            pairs.iter().all(|(key, value)| whole.get(key).is_some_and(|there| lies_in(there, value)))
        }
        (Json::Array(items), Json::Array(wanted)) => wanted.iter().all(|w| items.iter().any(|item| lies_in(item, w))),
        (a, b) => {
            let key = |value: &Json| {
                let mut key = Vec::new();
                value.order_key(&mut key);
                key
            };
            a.type_name() == b.type_name() && key(a) == key(b)
        }
    }
}

/// `value - keys`
///
/// # Errors
/// 22023 for a scalar.
pub fn delete_key(value: Json, keys: &[String]) -> Result<Json> {
    match value {
        Json::Object(pairs) => Ok(Json::Object(pairs.into_iter().filter(|(k, _)| !keys.contains(k)).collect())),
        Json::Array(items) => {
            let named = |item: &Json| matches!(item, Json::String(text) if keys.contains(text));
            Ok(Json::Array(items.into_iter().filter(|item| !named(item)).collect()))
        }
        _ => Err(Error::invalid_parameter("cannot delete from scalar")),
    }
}

/// `value - index`
///
/// # Errors
/// 22023 for what is not an array.
pub fn delete_index(value: Json, index: i64) -> Result<Json> {
    match value {
        Json::Array(mut items) => {
            if let Some(at) = position(index, items.len()) {
                items.remove(at);
            }
            Ok(Json::Array(items))
        }
        Json::Object(_) => Err(Error::invalid_parameter("cannot delete from object using integer index")),
        _ => Err(Error::invalid_parameter("cannot delete from scalar")),
    }
}

/// `value #- path`
///
/// # Errors
/// 22023 for a scalar, 22P02 when a step into an array is not a number.
pub fn delete_path(value: Json, path: &Path) -> Result<Json> {
    change(value, path, "cannot delete path in scalar", &|_, _| Ok(None), None)
}

/// `jsonb_set(value, path, new, create)`
///
/// # Errors
/// As [`delete_path`].
pub fn set_path(value: Json, path: &Path, new: Json, create: bool) -> Result<Json> {
    let created = create.then(|| new.clone());
    change(value, path, "cannot set path in scalar", &|_, _| Ok(Some(vec![new.clone()])), created)
}

/// `jsonb_insert(value, path, new, after)`
///
/// # Errors
/// As [`delete_path`]; 22023 when the key is there already.
pub fn insert_path(value: Json, path: &Path, new: Json, after: bool) -> Result<Json> {
    let beside = |old: Json, in_array: bool| {
        if !in_array {
            return Err(Error::invalid_parameter("cannot replace existing key")
                .hint("Try using the function jsonb_set to replace key value."));
        }
        Ok(Some(if after { vec![old, new.clone()] } else { vec![new.clone(), old] }))
    };
    change(value, path, "cannot set path in scalar", &beside, Some(new.clone()))
}

/// What takes the place of a value; `None` for nothing.
type Replace<'a> = &'a dyn Fn(Json, bool) -> Result<Option<Vec<Json>>>;

/// Changes what a path leads to. Where its last step leads to nothing, `created` is put there.
fn change(value: Json, path: &Path, scalar: &str, replace: Replace, created: Option<Json>) -> Result<Json> {
    if !matches!(value, Json::Array(_) | Json::Object(_)) {
        return Err(Error::invalid_parameter(scalar));
    }
    if path.is_empty() {
        return Ok(value);
    }
    step(value, path.iter(), 1, replace, &created)
}

fn step(
    value: Json,
    mut path: Iter<'_, String>,
    number: usize,
    replace: Replace,
    created: &Option<Json>,
) -> Result<Json> {
    let Some(name) = path.next() else { return Ok(value) };
    let last = path.as_slice().is_empty();
    match value {
        Json::Object(mut pairs) => {
            match pairs.iter().position(|(key, _)| key == name) {
                Some(at) if last => {
                    let (key, old) = pairs.remove(at);
                    if let Some(new) = replace(old, false)? {
                        pairs.extend(new.into_iter().map(|value| (key.clone(), value)));
                    }
                }
                Some(at) => {
                    let old = std::mem::replace(&mut pairs[at].1, Json::Null);
                    pairs[at].1 = step(old, path, number + 1, replace, created)?;
                }
                None => pairs.extend(created.iter().filter(|_| last).map(|new| (name.clone(), new.clone()))),
            }
            Ok(Json::object(pairs))
        }
        Json::Array(mut items) => {
            let index: i64 = name.trim().parse().map_err(|_| {
                Error::new("22P02", format!("path element at position {number} is not an integer: \"{name}\""))
            })?;
            match position(index, items.len()) {
                Some(at) if last => {
                    let old = items.remove(at);
                    let new = replace(old, true)?.unwrap_or_default();
                    items.splice(at..at, new);
                }
                Some(at) => {
                    let old = std::mem::replace(&mut items[at], Json::Null);
                    items[at] = step(old, path, number + 1, replace, created)?;
                }
                None => {
                    let at = if index < 0 { 0 } else { items.len() };
                    let new: Vec<Json> = created.iter().filter(|_| last).cloned().collect();
                    items.splice(at..at, new);
                }
            }
            Ok(Json::Array(items))
        }
        scalar => Ok(scalar),
    }
}

/// [`strip_nulls`] of a value as it is written: nothing else changes but the space between its parts.
///
/// # Errors
/// As [`super::parse`].
pub fn strip_nulls_of_text(text: &str) -> Result<String> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let Some(parts) = parts(text)? else { return Ok(text.to_owned()) };
    let is_object = text.starts_with('{');
    let mut out = String::from(if is_object { "{" } else { "[" });
    for (key, value) in parts.into_iter().filter(|(key, value)| key.is_none() || *value != "null") {
        out.push_str(if out.len() > 1 { "," } else { "" });
        if let Some(key) = key {
            write_string(&key, &mut out);
            out.push(':');
        }
        out.push_str(&strip_nulls_of_text(value)?);
    }
    out.push(if is_object { '}' } else { ']' });
    Ok(out)
}

/// Without the pairs whose value is null, at any depth.
pub fn strip_nulls(value: Json) -> Json {
    match value {
        Json::Object(pairs) => {
            let kept = pairs.into_iter().filter(|(_, value)| *value != Json::Null);
            Json::Object(kept.map(|(key, value)| (key, strip_nulls(value))).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(strip_nulls).collect()),
        other => other,
    }
}
