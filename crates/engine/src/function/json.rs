//! Functions of `json`, `jsonb` and addresses, and the operators that are functions.
//!
//! Each is computed row by row from the text of its arguments. What only looks into a value scans its text; what
//! changes one reads it whole.

mod write;

pub use write::{JsonWriter, key};

use crate::error::{Error, Result};
use crate::function::context::clockface;
use crate::json::{self, Json};
use crate::operator::cast::plan_cast;
use crate::operator::marked::{is_json, is_untyped, marked, marked_field, plan_marked_cast};
use crate::operator::operand::{Kind, type_name};
use crate::text::network::Network;
use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, Int32Builder, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use highwater_model::ColumnType;
use highwater_model::time::Clockface;
use highwater_store::schema::{arrow_type, typed_field};
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
    declared("json_typeof", JSON, Text, |v| Ok(Value::Text(type_of(text(v, 0)).to_owned()))),
    declared("json_array_length", JSON, Integer, |v| {
        let items = parts_of(text(v, 0), "array", "cannot get array length of a non-array", "a scalar")?;
        Ok(Value::Integer(items.len() as i32))
    }),
    declared("json_strip_nulls", JSON, Same, |v| made(json::strip_nulls(value(v, 0)?))),
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

/// Those of `jsonb` alone.
const JSONB: &[Declared] = &[
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
    declared("jsonb_contains", TWO, Boolean, |v| Ok(Value::Boolean(json::contains(&value(v, 0)?, &value(v, 1)?)))),
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

fn network(values: &[Value], i: usize) -> Result<Network> {
    Network::parse(text(values, i), false)
}

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
    all.extend(JSONB.iter().chain(MAKERS).chain(PARTS).chain(ADDRESSES).map(|d| udf(d, d.name)));
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

fn udf(declared: &'static Declared, name: &'static str) -> Arc<ScalarUDF> {
    let signature = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Stable);
    Arc::new(ScalarUDF::from(JsonFunction { name, declared: Which(declared), signature }))
}

/// A declaration, which is known by its name.
#[derive(Clone, Copy)]
struct Which(&'static Declared);

impl std::fmt::Debug for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

impl PartialEq for Which {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Which {}

impl std::hash::Hash for Which {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

/// A function of JSON.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsonFunction {
    name: &'static str,
    declared: Which,
    signature: Signature,
}

/// The arguments of a call as the function takes them.
///
/// # Errors
/// 42883 when there is no such function for these arguments; those of reading a literal.
pub fn resolve(function: &ScalarUDF, args: Vec<Expr>, schema: &DFSchema, clock: &Clockface) -> Result<Vec<Expr>> {
    let Some(function) = function.inner().downcast_ref::<JsonFunction>() else { return Ok(args) };
    let declared = function.declared.0;
    let unknown = || function.unknown(&args, schema);
    if args.len() < declared.least || (args.len() > declared.takes.len() && !declared.variadic) {
        return Err(unknown());
    }
    let last = declared.takes.len() - 1;
    let resolved = args.iter().enumerate().map(|(i, arg)| {
        let arg = arg.clone();
        let cast = |arg: Expr, to: DataType| plan_cast(arg, &to, schema, clock);
        match declared.takes[i.min(last)] {
            Takes::Json => match marked(&arg, schema) {
                Some(t) if is_json(&t) => Ok(arg),
                None if is_untyped(&arg) => {
                    let json = declared.gives != Same || !function.name.starts_with("jsonb");
                    let to = if json && function.name.starts_with("json_") && i == 0 {
                        ColumnType::Json
                    } else {
                        ColumnType::Jsonb
                    };
                    plan_marked_cast(arg, &typed_field("", &to), schema, clock)
                }
                _ => Err(unknown()),
            },
            Takes::Text => cast(arg, DataType::Utf8),
            Takes::Path => cast(arg, arrow_type(&ColumnType::List(Box::new(ColumnType::Text)))),
            Takes::Integer => cast(arg, DataType::Int32),
            Takes::Boolean => cast(arg, DataType::Boolean),
            Takes::Any if is_untyped(&arg) => cast(arg, DataType::Utf8),
            Takes::Any => Ok(arg),
        }
    });
    resolved.collect()
}

impl JsonFunction {
    fn unknown(&self, args: &[Expr], schema: &DFSchema) -> Error {
        let types: Vec<String> = args
            .iter()
            .map(|arg| match (marked(arg, schema), arg.get_type(schema)) {
                _ if is_untyped(arg) => "unknown".to_owned(),
                (Some(t), _) => t.to_string(),
                (None, Ok(t)) => type_name(&t),
                _ => "unknown".to_owned(),
            })
            .collect();
        Error::new("42883", format!("function {}({}) does not exist", self.name, types.join(", ")))
            .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
    }

    fn gives(&self, first: Option<&FieldRef>) -> Result<ColumnType> {
        Ok(match self.declared.0.gives {
            Gives::Text => ColumnType::Text,
            Gives::Boolean => ColumnType::Boolean,
            Gives::Integer => ColumnType::Integer,
            Gives::Json => ColumnType::Json,
            Gives::Jsonb => ColumnType::Jsonb,
            Gives::Texts => ColumnType::List(Box::new(ColumnType::Text)),
            Gives::Same => first.and_then(|f| marked_field(f)).filter(is_json).unwrap_or(ColumnType::Jsonb),
        })
    }

    fn compute(&self, args: &ScalarFunctionArgs) -> Result<ArrayRef> {
        let declared = self.declared.0;
        let clock = clockface(&args.config_options)?;
        let rows = if args.args.iter().any(|a| matches!(a, ColumnarValue::Array(_))) { args.number_rows } else { 1 };
        let last = declared.takes.len() - 1;
        let mut readers = Vec::with_capacity(args.args.len());
        for (i, (arg, field)) in args.args.iter().zip(&args.arg_fields).enumerate() {
            let array = match arg {
                ColumnarValue::Array(array) => array.clone(),
                ColumnarValue::Scalar(value) => value.to_array_of_size(rows)?,
            };
            readers.push(Reader::new(declared.takes[i.min(last)], &array, field, &clock)?);
        }
        let strict = declared.takes[0] != Takes::Any || declared.least > 0;
        let mut results = Results::new(declared.gives);
        let mut row_values = Vec::with_capacity(readers.len());
        for row in 0..rows {
            row_values.clear();
            row_values.extend(readers.iter().map(|reader| reader.get(row)));
            let null = strict && row_values.iter().any(|v| matches!(v, Value::Null));
            results.push(if null { Value::Null } else { (declared.run)(&row_values)? });
        }
        Ok(results.finish())
    }
}

impl ScalarUDFImpl for JsonFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(arrow_type(&self.gives(None)?))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> DfResult<FieldRef> {
        Ok(Arc::new(typed_field(self.name, &self.gives(args.arg_fields.first())?)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let array = self.compute(&args)?;
        if args.args.iter().any(|a| matches!(a, ColumnarValue::Array(_))) {
            return Ok(ColumnarValue::Array(array));
        }
        Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
    }
}

/// Says of a text that it is JSON.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Named {
    name: &'static str,
    column_type: ColumnType,
    signature: Signature,
}

impl ScalarUDFImpl for Named {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> DfResult<FieldRef> {
        Ok(Arc::new(typed_field(self.name, &self.column_type)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(args.args[0].clone())
    }
}

/// Reads the values of an argument.
enum Reader {
    Text(ArrayRef),
    Texts(ArrayRef),
    Integer(ArrayRef),
    Boolean(ArrayRef),
    Any(JsonWriter),
}

impl Reader {
    fn new(takes: Takes, array: &ArrayRef, field: &Field, clock: &Clockface) -> Result<Reader> {
        let cast = |to: &DataType| arrow::compute::cast(array, to);
        Ok(match takes {
            Takes::Json | Takes::Text => Reader::Text(cast(&DataType::Utf8)?),
            Takes::Path => Reader::Texts(cast(&arrow_type(&ColumnType::List(Box::new(ColumnType::Text))))?),
            Takes::Integer => Reader::Integer(cast(&DataType::Int32)?),
            Takes::Boolean => Reader::Boolean(cast(&DataType::Boolean)?),
            Takes::Any => Reader::Any(JsonWriter::new(array, field, clock.zone)?),
        })
    }

    fn get(&self, row: usize) -> Value {
        match self {
            Reader::Text(array) if array.is_valid(row) => Value::Text(array.as_string::<i32>().value(row).to_owned()),
            Reader::Texts(array) if array.is_valid(row) => {
                let items = array.as_list::<i32>().value(row);
                Value::Texts(items.as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect())
            }
            Reader::Integer(array) if array.is_valid(row) => {
                Value::Integer(array.as_primitive::<Int32Type>().value(row))
            }
            Reader::Boolean(array) if array.is_valid(row) => Value::Boolean(array.as_boolean().value(row)),
            Reader::Any(writer) => {
                let mut out = String::new();
                if writer.write(row, &mut out) { Value::Text(out) } else { Value::Null }
            }
            _ => Value::Null,
        }
    }
}

/// Collects results.
enum Results {
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Integer(Int32Builder),
    Boolean(BooleanBuilder),
}

impl Results {
    fn new(gives: Gives) -> Results {
        match gives {
            Gives::Boolean => Results::Boolean(BooleanBuilder::new()),
            Gives::Integer => Results::Integer(Int32Builder::new()),
            Gives::Texts => Results::Texts(ListBuilder::new(StringBuilder::new())),
            Gives::Text | Gives::Json | Gives::Jsonb | Gives::Same => Results::Text(StringBuilder::new()),
        }
    }

    fn push(&mut self, value: Value) {
        match (self, value) {
            (Results::Text(builder), Value::Text(text)) => builder.append_value(text),
            (Results::Texts(builder), Value::Texts(texts)) => builder.append_value(texts),
            (Results::Integer(builder), Value::Integer(n)) => builder.append_value(n),
            (Results::Boolean(builder), Value::Boolean(b)) => builder.append_value(b),
            (Results::Text(builder), _) => builder.append_null(),
            (Results::Texts(builder), _) => builder.append_null(),
            (Results::Integer(builder), _) => builder.append_null(),
            (Results::Boolean(builder), _) => builder.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Results::Text(mut builder) => Arc::new(builder.finish()),
            Results::Texts(mut builder) => Arc::new(builder.finish()),
            Results::Integer(mut builder) => Arc::new(builder.finish()),
            Results::Boolean(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// The text of an argument that is not NULL.
fn text(values: &[Value], i: usize) -> &str {
    match values.get(i) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

fn value(values: &[Value], i: usize) -> Result<Json> {
    json::parse(text(values, i))
}

fn integer(value: &Value) -> i32 {
    if let Value::Integer(n) = value { *n } else { 0 }
}

fn steps(value: &Value) -> Vec<String> {
    match value {
        Value::Texts(texts) => texts.iter().flatten().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The steps of a path that are given one by one.
fn rest(values: &[Value]) -> Vec<String> {
    (1..values.len()).map(|i| text(values, i).to_owned()).collect()
}

fn made(value: Json) -> Result<Value> {
    Ok(Value::Text(value.to_string()))
}

fn found(raw: Option<String>) -> Result<Value> {
    Ok(raw.map_or(Value::Null, Value::Text))
}

fn found_text(raw: Option<String>) -> Result<Value> {
    let text = raw.map(|raw| json::raw_text(&raw)).transpose()?.flatten();
    Ok(text.map_or(Value::Null, Value::Text))
}

fn field(values: &[Value]) -> Result<Option<String>> {
    field_of(text(values, 0), text(values, 1))
}

fn field_of(json: &str, name: &str) -> Result<Option<String>> {
    let parts = json::parts(json)?.unwrap_or_default();
    Ok(parts.into_iter().rfind(|(key, _)| key.as_deref() == Some(name)).map(|(_, raw)| raw.to_owned()))
}

fn element(values: &[Value]) -> Result<Option<String>> {
    element_of(text(values, 0), integer(&values[1]).into())
}

fn element_of(json: &str, index: i64) -> Result<Option<String>> {
    let parts = json::parts(json)?.unwrap_or_default();
    if parts.iter().any(|(key, _)| key.is_some()) {
        return Ok(None);
    }
    Ok(json::position(index, parts.len()).map(|at| parts[at].1.to_owned()))
}

fn at_path(json: &str, path: Vec<String>) -> Result<Option<String>> {
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

fn type_of(raw: &str) -> &'static str {
    match raw.trim_start().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// The parts of an array or object.
fn parts_of<'a>(raw: &'a str, wanted: &str, error: &str, of_scalar: &str) -> Result<Vec<json::Part<'a>>> {
    let kind = type_of(raw);
    if kind == wanted {
        return Ok(json::parts(raw)?.unwrap_or_default());
    }
    let kind = match kind {
        "array" => "an array",
        "object" => "an object",
        _ => of_scalar,
    };
    Err(Error::invalid_parameter(error.replace("{}", kind)))
}

fn as_texts<'a>(raws: impl Iterator<Item = &'a str>, as_text: bool) -> Result<Value> {
    let texts = raws.map(|raw| if as_text { json::raw_text(raw) } else { Ok(Some(raw.to_owned())) });
    Ok(Value::Texts(texts.collect::<Result<_>>()?))
}

fn elements(raw: &str, as_text: bool) -> Result<Value> {
    let parts = parts_of(raw, "array", "cannot extract elements from {}", "a scalar")?;
    as_texts(parts.into_iter().map(|(_, raw)| raw), as_text)
}

fn keys(raw: &str, what: &str) -> Result<Value> {
    let parts = parts_of(raw, "object", &format!("cannot {what} {{}}"), "a scalar")?;
    Ok(Value::Texts(parts.into_iter().map(|(key, _)| key).collect()))
}

fn values(raw: &str, as_text: bool) -> Result<Value> {
    let parts = parts_of(raw, "object", "cannot deconstruct {}", "a scalar")?;
    as_texts(parts.into_iter().map(|(_, raw)| raw), as_text)
}

/// Whether a key, or a string among the elements, is there.
fn exists(value: &Json, key: &str) -> bool {
    match value {
        Json::Object(_) => value.get(key).is_some(),
        Json::Array(items) => items.iter().any(|item| matches!(item, Json::String(text) if text == key)),
        Json::String(text) => text == key,
        _ => false,
    }
}

/// The elements or pairs of a list, with commas between them.
fn listed(value: &Value) -> String {
    let Value::Texts(texts) = value else { return String::new() };
    texts.iter().map(|text| text.as_deref().unwrap_or("null")).collect::<Vec<_>>().join(", ")
}

fn or_null(value: &Value) -> &str {
    if let Value::Text(text) = value { text } else { "null" }
}

/// Keys, as JSON strings, and values as JSON.
fn pairs<'a>(name: &str, values: &'a [Value]) -> Result<Vec<(String, &'a str)>> {
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

/// Whether values of this type are numbers in JSON.
fn is_number(data_type: &DataType) -> bool {
    Kind::of(data_type).is_number()
}
