//! Functions of `json`, `jsonb` and addresses, and the operators that are functions.
//!
//! Each is computed row by row from the text of its arguments. What only looks into a value scans its text; what
//! changes one reads it whole. All are declared here; [`call`] takes the arguments and gives the results,
//! [`compute`] has what happens between, and [`write`] makes JSON of anything.

mod call;
mod compute;
mod write;

pub use call::{JsonFunction, resolve};
pub use write::{JsonWriter, key};

use crate::error::{Error, Result};
use crate::json::{self, Json};
use call::{Named, udf};
use compute::{
    at_path, element, elements, exists, field, found, found_text, integer, keys, listed, made, network, or_null, pairs,
    parts_of, rest, steps, text, value, values,
};
use datafusion::logical_expr::{ScalarUDF, Signature, Volatility};
use highwater_model::ColumnType;
use std::sync::{Arc, LazyLock};

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// `json` or `jsonb`
    Json,
    Text,
    /// `text[]`
    Path,
    Integer,
    Boolean,
    /// Anything, as JSON.
    Any,
}

/// What a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gives {
    Text,
    Boolean,
    Integer,
    Json,
    Jsonb,
    /// What the first argument is.
    Same,
    /// Texts that a set of rows is made of.
    Texts,
}

/// An argument of one row, or a result.
#[derive(Clone, Debug)]
enum Value {
    Null,
    Text(String),
    Texts(Vec<Option<String>>),
    Integer(i32),
    Boolean(bool),
}

use Gives::{Boolean, Integer, Same, Text, Texts};

/// One function: its arguments, of which the last may be repeated or left out.
struct Declared {
    name: &'static str,
    takes: &'static [Takes],
    /// How many arguments there must be.
    least: usize,
    /// Whether the last argument may be repeated.
    variadic: bool,
    gives: Gives,
    run: fn(&[Value]) -> Result<Value>,
}

const fn declared(
    name: &'static str,
    takes: &'static [Takes],
    gives: Gives,
    run: fn(&[Value]) -> Result<Value>,
) -> Declared {
    Declared { name, takes, least: takes.len(), variadic: false, gives, run }
}

const JSON: &[Takes] = &[Takes::Json];
const JSON_TEXT: &[Takes] = &[Takes::Json, Takes::Text];
const JSON_INTEGER: &[Takes] = &[Takes::Json, Takes::Integer];
const JSON_PATH: &[Takes] = &[Takes::Json, Takes::Path];
const TWO: &[Takes] = &[Takes::Json, Takes::Json];
const CHANGE: &[Takes] = &[Takes::Json, Takes::Path, Takes::Json, Takes::Boolean];

/// Those that operators stand for. Their names are ours where PostgreSQL has several.
const OPERATORS: &[Declared] = &[
    declared("json_object_field", JSON_TEXT, Same, |v| found(field(v)?)),
    declared("json_object_field_text", JSON_TEXT, Text, |v| found_text(field(v)?)),
    declared("json_array_element", JSON_INTEGER, Same, |v| found(element(v)?)),
    declared("json_array_element_text", JSON_INTEGER, Text, |v| found_text(element(v)?)),
    declared("json_at_path", JSON_PATH, Same, |v| found(at_path(text(v, 0), steps(&v[1]))?)),
    declared("json_at_path_text", JSON_PATH, Text, |v| found_text(at_path(text(v, 0), steps(&v[1]))?)),
    declared("jsonb_contains", TWO, Boolean, |v| Ok(Value::Boolean(json::contains(&value(v, 0)?, &value(v, 1)?)))),
    declared("jsonb_contained", TWO, Boolean, |v| Ok(Value::Boolean(json::contains(&value(v, 1)?, &value(v, 0)?)))),
    declared("jsonb_exists", JSON_TEXT, Boolean, |v| {
        let value = value(v, 0)?;
        Ok(Value::Boolean(exists(&value, text(v, 1))))
    }),
    declared("jsonb_exists_any", JSON_PATH, Boolean, |v| {
        let value = value(v, 0)?;
        Ok(Value::Boolean(steps(&v[1]).iter().any(|key| exists(&value, key))))
    }),
    declared("jsonb_exists_all", JSON_PATH, Boolean, |v| {
        let value = value(v, 0)?;
        Ok(Value::Boolean(steps(&v[1]).iter().all(|key| exists(&value, key))))
    }),
    declared("jsonb_delete_key", JSON_TEXT, Same, |v| made(json::delete_key(value(v, 0)?, &[text(v, 1).to_owned()])?)),
    declared("jsonb_delete_keys", JSON_PATH, Same, |v| made(json::delete_key(value(v, 0)?, &steps(&v[1]))?)),
    declared("jsonb_delete_index", JSON_INTEGER, Same, |v| {
        made(json::delete_index(value(v, 0)?, integer(&v[1]).into())?)
    }),
    declared("jsonb_delete_path", JSON_PATH, Same, |v| made(json::delete_path(value(v, 0)?, &steps(&v[1]))?)),
    declared("jsonb_concat", TWO, Same, |v| made(json::concat(value(v, 0)?, value(v, 1)?))),
];

/// Those that have a name in `json` and `jsonb`; `json` stands for both. Those with `list` in the name give the lists
/// that [`SETS`] are made of.
const NAMED: &[Declared] = &[
    declared("json_typeof", JSON, Text, |v| Ok(Value::Text(json::type_of(text(v, 0)).to_owned()))),
    declared("json_array_length", JSON, Integer, |v| {
        let items = parts_of(text(v, 0), "array", "cannot get array length of a non-array")?;
        Ok(Value::Integer(items.len() as i32))
    }),
    Declared {
        variadic: true,
        ..declared("json_extract_path", JSON_TEXT, Same, |v| found(at_path(text(v, 0), rest(v))?))
    },
    Declared {
        variadic: true,
        ..declared("json_extract_path_text", JSON_TEXT, Text, |v| found_text(at_path(text(v, 0), rest(v))?))
    },
    declared("json_list_elements", JSON, Texts, |v| elements(text(v, 0), false)),
    declared("json_list_elements_text", JSON, Texts, |v| elements(text(v, 0), true)),
    declared("json_list_keys", JSON, Texts, |v| keys(text(v, 0), "call json_object_keys on")),
    declared("json_list_names", JSON, Texts, |v| keys(text(v, 0), "deconstruct")),
    declared("json_list_values", JSON, Texts, |v| values(text(v, 0), false)),
    declared("json_list_values_text", JSON, Texts, |v| values(text(v, 0), true)),
];

/// Those of one of them alone: `json` stays as it was written.
const APART: &[Declared] = &[
    declared("json_strip_nulls", JSON, Gives::Json, |v| Ok(Value::Text(json::strip_nulls_of_text(text(v, 0))?))),
    declared("jsonb_strip_nulls", JSON, Gives::Jsonb, |v| made(json::strip_nulls(value(v, 0)?))),
    Declared {
        least: 3,
        ..declared("jsonb_set", CHANGE, Same, |v| {
            let create = v.get(3).is_none_or(|v| matches!(v, Value::Boolean(true)));
            made(json::set_path(value(v, 0)?, &steps(&v[1]), value(v, 2)?, create)?)
        })
    },
    Declared {
        least: 3,
        ..declared("jsonb_insert", CHANGE, Same, |v| {
            let after = v.get(3).is_some_and(|v| matches!(v, Value::Boolean(true)));
            made(json::insert_path(value(v, 0)?, &steps(&v[1]), value(v, 2)?, after)?)
        })
    },
    declared("jsonb_pretty", JSON, Text, |v| Ok(Value::Text(value(v, 0)?.pretty()))),
];

/// Those whose arguments are of any type.
const MAKERS: &[Declared] = &[
    declared("to_json", &[Takes::Any], Gives::Json, |v| Ok(v[0].clone())),
    declared("array_to_json", &[Takes::Any], Gives::Json, |v| Ok(v[0].clone())),
    declared("to_jsonb", &[Takes::Any], Gives::Jsonb, |v| made(value(v, 0)?)),
    declared("row_to_json", &[Takes::Any], Gives::Json, |v| Ok(v[0].clone())),
    Declared {
        least: 0,
        variadic: true,
        ..declared("json_build_array", &[Takes::Any], Gives::Json, |v| {
            let items: Vec<&str> = v.iter().map(or_null).collect();
            Ok(Value::Text(format!("[{}]", items.join(", "))))
        })
    },
    Declared {
        least: 0,
        variadic: true,
        ..declared("jsonb_build_array", &[Takes::Any], Gives::Jsonb, |v| {
            let items = v.iter().map(|v| json::parse(or_null(v))).collect::<Result<_>>()?;
            made(Json::Array(items))
        })
    },
    Declared {
        least: 0,
        variadic: true,
        ..declared("json_build_object", &[Takes::Any], Gives::Json, |v| {
            let pairs = pairs("json_build_object", v)?;
            let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key} : {value}")).collect();
            Ok(Value::Text(format!("{{{}}}", pairs.join(", "))))
        })
    },
    Declared {
        least: 0,
        variadic: true,
        ..declared("jsonb_build_object", &[Takes::Any], Gives::Jsonb, |v| {
            let pairs = pairs("jsonb_build_object", v)?;
            let pairs = pairs.into_iter().map(|(key, value)| {
                let key = json::raw_text(&key)?.unwrap_or_default();
                Ok((key, json::parse(value)?))
            });
            made(Json::object(pairs.collect::<Result<_>>()?))
        })
    },
];

/// Those that aggregates and rows are written as.
const PARTS: &[Declared] = &[
    declared("json_of_list", &[Takes::Path], Gives::Json, |v| Ok(Value::Text(format!("[{}]", listed(&v[0]))))),
    declared("jsonb_of_list", &[Takes::Path], Gives::Jsonb, |v| made(json::parse(&format!("[{}]", listed(&v[0])))?)),
    declared("json_of_pairs", &[Takes::Path], Gives::Json, |v| Ok(Value::Text(format!("{{ {} }}", listed(&v[0]))))),
    declared("jsonb_of_pairs", &[Takes::Path], Gives::Jsonb, |v| made(json::parse(&format!("{{{}}}", listed(&v[0])))?)),
    Declared {
        // NULL is a value of a pair.
        least: 0,
        ..declared("json_pair", &[Takes::Any, Takes::Any], Text, |v| match &v[0] {
            Value::Text(name) => Ok(Value::Text(format!("{} : {}", key(name), or_null(&v[1])))),
            _ => Err(Error::invalid_parameter("field name must not be null")),
        })
    },
    Declared {
        least: 0,
        variadic: true,
        ..declared("json_row", &[Takes::Any], Gives::Json, |v| {
            let pairs = pairs("json_row", v)?;
            let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
            Ok(Value::Text(format!("{{{}}}", pairs.join(","))))
        })
    },
];

/// Those of addresses.
const ADDRESSES: &[Declared] = &[
    declared("inet_lies_within", &[Takes::Text, Takes::Text], Boolean, |v| {
        let (a, b) = (network(v, 0)?, network(v, 1)?);
        Ok(Value::Boolean(a.lies_in(&b) && a.bits > b.bits))
    }),
    declared("inet_lies_in", &[Takes::Text, Takes::Text], Boolean, |v| {
        Ok(Value::Boolean(network(v, 0)?.lies_in(&network(v, 1)?)))
    }),
    declared("inet_overlaps", &[Takes::Text, Takes::Text], Boolean, |v| {
        let (a, b) = (network(v, 0)?, network(v, 1)?);
        Ok(Value::Boolean(a.lies_in(&b) || b.lies_in(&a)))
    }),
    declared("inet_network", &[Takes::Text], Text, |v| Ok(Value::Text(network(v, 0)?.network().text(true)))),
    declared("inet_broadcast", &[Takes::Text], Text, |v| Ok(Value::Text(network(v, 0)?.broadcast().text(false)))),
    declared("inet_netmask", &[Takes::Text], Text, |v| Ok(Value::Text(network(v, 0)?.netmask().text(false)))),
    declared("host", &[Takes::Text], Text, |v| Ok(Value::Text(network(v, 0)?.address.to_string()))),
    declared("masklen", &[Takes::Text], Integer, |v| Ok(Value::Integer(network(v, 0)?.bits.into()))),
    declared("family", &[Takes::Text], Integer, |v| {
        Ok(Value::Integer(if network(v, 0)?.address.is_ipv4() { 4 } else { 6 }))
    }),
];

/// Functions of sets of rows: what gives the values of each column, and what the columns are.
pub const SETS: &[(&str, &[(&str, &str)])] = &[
    ("json_array_elements", &[("json_list_elements", "value")]),
    ("json_array_elements_text", &[("json_list_elements_text", "value")]),
    ("json_object_keys", &[("json_list_keys", "json_object_keys")]),
    ("json_each", &[("json_list_names", "key"), ("json_list_values", "value")]),
    ("json_each_text", &[("json_list_names", "key"), ("json_list_values_text", "value")]),
];

/// All functions.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    let mut all: Vec<Arc<ScalarUDF>> = OPERATORS.iter().map(|d| udf(d, d.name)).collect();
    for declared in NAMED {
        all.push(udf(declared, declared.name));
        all.push(udf(declared, Box::leak(declared.name.replacen("json", "jsonb", 1).into_boxed_str())));
    }
    all.extend(APART.iter().chain(MAKERS).chain(PARTS).chain(ADDRESSES).map(|d| udf(d, d.name)));
    for (name, column_type) in [
        ("pg_as_json", ColumnType::Json),
        ("pg_as_jsonb", ColumnType::Jsonb),
        ("pg_as_inet", ColumnType::Inet),
        ("pg_as_cidr", ColumnType::Cidr),
    ] {
        let signature = Signature::any(1, Volatility::Immutable);
        all.push(Arc::new(ScalarUDF::from(Named { name, column_type, signature })));
    }
    all
}

fn all() -> &'static [Arc<ScalarUDF>] {
    static ALL: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(functions);
    &ALL
}

/// The function that an operator stands for.
pub fn operator(name: &str) -> Option<Arc<ScalarUDF>> {
    all().iter().find(|f| f.name() == name).cloned()
}
