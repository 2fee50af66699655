//! Calls: which arguments a function takes, and its results row by row.

use super::{Declared, Gives, JsonWriter, Takes, Value};
use crate::error::{Error, Result};
use crate::function::context::clockface;
use crate::operator::cast::plan_cast;
use crate::operator::kernel::rowwise;
use crate::operator::marked::{is_json, is_untyped, marked, marked_field, name_of_type, plan_marked_cast};
use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, Int32Builder, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::DFSchema;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use highwater_model::ColumnType;
use highwater_model::time::Clockface;
use highwater_store::schema::{arrow_type, typed_field};
use std::sync::Arc;

/// A function of JSON.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct JsonFunction {
    name: &'static str,
    declared: Which,
    signature: Signature,
}

/// The function of a declaration.
pub fn udf(declared: &'static Declared, name: &'static str) -> Arc<ScalarUDF> {
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
                    let json = declared.gives != Gives::Same || !function.name.starts_with("jsonb");
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
        Error::no_function(self.name, args.iter().map(|arg| name_of_type(arg, schema)))
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

    fn compute(&self, args: &ScalarFunctionArgs) -> Result<ColumnarValue> {
        let declared = self.declared.0;
        let clock = clockface(&args.config_options)?;
        rowwise(&args.args, args.number_rows, |arrays, rows| {
            let last = declared.takes.len() - 1;
            let readers = arrays.iter().zip(&args.arg_fields).enumerate();
            let readers =
                readers.map(|(i, (array, field))| Reader::new(declared.takes[i.min(last)], array, field, &clock));
            let readers = readers.collect::<Result<Vec<_>>>()?;
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
        })
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
        Ok(self.compute(&args)?)
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

/// Says of a text that it is JSON.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Named {
    pub name: &'static str,
    pub column_type: ColumnType,
    pub signature: Signature,
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
