//! Functions of text that DataFusion lacks or writes values differently in.

use super::define::{Call, function, takes};
use crate::error::{Error, Result};
use crate::information::rows::PG_TYPE;
use crate::operator::cast::cast_value;
use crate::operator::exact::Numbers;
use crate::operator::kernel::rowwise;
use crate::operator::marked::marked_field;
use crate::operator::operand::Kind;
use crate::text::ColumnWriter;
use arrow::array::{Array, AsArray, FixedSizeBinaryBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use highwater_model::{ColumnType, Numeric as Number};
use std::sync::Arc;

use Kind::{BigInt, Numeric, Text, Uuid};

/// The functions.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    let any = |name, what, volatility| {
        Arc::new(ScalarUDF::from(AnyValues { name, what, signature: Signature::variadic_any(volatility) }))
    };
    vec![
        function("quote_ident", Volatility::Immutable, &[takes(&[Text], Text, |c| each(c, |s| Ok(quote_ident(s))))]),
        function(
            "pg_size_pretty",
            Volatility::Immutable,
            &[takes(&[BigInt], Text, pg_size_pretty), takes(&[Numeric], Text, pg_size_pretty_numeric)],
        ),
        function("gen_random_uuid", Volatility::Volatile, &[takes(&[], Uuid, gen_random_uuid)]),
        any("quote_literal", What::QuoteLiteral, Volatility::Stable),
        any("quote_nullable", What::QuoteNullable, Volatility::Stable),
        any("format", What::Format, Volatility::Stable),
        any("concat", What::Concat, Volatility::Stable),
        any("concat_ws", What::ConcatWs, Volatility::Stable),
        any("pg_typeof", What::Type, Volatility::Immutable),
    ]
}

fn each(call: &Call, f: fn(&str) -> Result<String>) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, _| {
        let texts = arrays[0].as_string::<i32>().iter();
        let texts = texts.map(|s| s.map(f).transpose()).collect::<Result<StringArray>>()?;
        Ok(Arc::new(texts))
    })
}

/// Words that PostgreSQL reserves and that are therefore no names without quotes.
const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

/// A name as it is written in SQL.
pub fn quote_ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !RESERVED.contains(&name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A text as it is written in SQL.
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

fn pg_size_pretty(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, _| {
        let bytes = arrow::compute::cast(&arrays[0], &DataType::Int64)?;
        let texts = bytes.as_primitive::<Int64Type>().iter().map(|b| b.map(pretty_size));
        Ok(Arc::new(texts.collect::<StringArray>()))
    })
}

fn pg_size_pretty_numeric(call: &Call) -> Result<ColumnarValue> {
    rowwise(call.args, call.rows, |arrays, rows| {
        let numbers = Numbers::of(&arrays[0])?;
        let pretty = |row| numbers.get(row)?.map(|bytes| pretty_number(&bytes)).transpose();
        Ok(Arc::new((0..rows).map(pretty).collect::<Result<StringArray>>()?))
    })
}

/// As [`pretty_size`]; few bytes are shown with their fraction, and what is larger than a `bigint` in petabytes.
fn pretty_number(bytes: &Number) -> Result<String> {
    if bytes.abs() < Number::from(10 * 1024) {
        return Ok(format!("{bytes} bytes"));
    }
    if let Some(whole) = bytes.trunc(0)?.to_integer().and_then(|whole| i64::try_from(whole).ok()) {
        return Ok(pretty_size(whole));
    }
    let halves = bytes.abs().div_whole(&Number::from(1 << 49))?;
    let petabytes = halves.add(&Number::from(1))?.div_whole(&Number::from(2))?;
    Ok(format!("{}{petabytes} PB", if bytes.signum() < 0 { "-" } else { "" }))
}

/// A number of bytes in the largest unit that gives at most five digits.
fn pretty_size(bytes: i64) -> String {
    let (negative, mut size) = (bytes < 0, u128::from(bytes.unsigned_abs()));
    let sign = if negative { "-" } else { "" };
    if size < 10 * 1024 {
        return format!("{sign}{size} bytes");
    }
    // One bit more is kept, for rounding half up at the end.
    size >>= 9;
    let mut name = "kB";
    for next in ["MB", "GB", "TB", "PB"] {
        if size < 20 * 1024 - 1 {
            break;
        }
        (size, name) = (size >> 10, next);
    }
    format!("{sign}{} {name}", size.div_ceil(2))
}

fn gen_random_uuid(call: &Call) -> Result<ColumnarValue> {
    let mut uuids = FixedSizeBinaryBuilder::with_capacity(call.rows, 16);
    for _ in 0..call.rows {
        uuids.append_value(uuid::Uuid::new_v4().as_bytes())?;
    }
    Ok(ColumnarValue::Array(Arc::new(uuids.finish())))
}

/// A function of values of any type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AnyValues {
    name: &'static str,
    what: What,
    signature: Signature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Format,
    Concat,
    ConcatWs,
    QuoteLiteral,
    QuoteNullable,
    Type,
}

impl ScalarUDFImpl for AnyValues {
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
        let field = Field::new(self.name, DataType::Utf8, true);
        let regtype = std::collections::HashMap::from([(PG_TYPE.to_owned(), "regtype".to_owned())]);
        Ok(Arc::new(if self.what == What::Type { field.with_metadata(regtype) } else { field }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let clock = super::context::clockface(&args.config_options)?;
        let zone = clock.zone;
        if self.what == What::Type {
            let name = match marked_field(&args.arg_fields[0]) {
                Some(ColumnType::Varchar(_)) => ColumnType::Varchar(None).to_string(),
                Some(ColumnType::Char(_)) => "character".to_owned(),
                Some(ColumnType::List(item)) if matches!(*item, ColumnType::Varchar(_)) => {
                    "character varying[]".to_owned()
                }
                Some(marked) => marked.to_string(),
                None => crate::operator::operand::type_name(&args.args[0].data_type()),
            };
            return Ok(ColumnarValue::Scalar(name.into()));
        }
        Ok(rowwise(&args.args, args.number_rows, |arrays, rows| {
            let mut writers = Vec::with_capacity(arrays.len());
            let quotes = matches!(self.what, What::QuoteLiteral | What::QuoteNullable);
            for array in arrays {
                // As a cast to text writes them, which differs for booleans.
                let array = match quotes {
                    true => cast_value(&ColumnarValue::Array(array.clone()), &DataType::Utf8, &clock)?,
                    false => ColumnarValue::Array(array.clone()),
                };
                let array = &array.into_array(rows)?;
                writers.push(ColumnWriter::new(array, &Field::new("value", array.data_type().clone(), true), zone)?);
            }
            let mut texts = StringBuilder::new();
            let mut values: Vec<Option<String>> = Vec::with_capacity(writers.len());
            for row in 0..rows {
                values.clear();
                values.extend(writers.iter().map(|writer| {
                    let mut out = Vec::new();
                    writer.write(row, &mut out).then(|| String::from_utf8_lossy(&out).into_owned())
                }));
                match self.what.of(&values)? {
                    Some(text) => texts.append_value(text),
                    None => texts.append_null(),
                }
            }
            Ok(Arc::new(texts.finish()))
        })?)
    }
}

impl What {
    fn of(self, values: &[Option<String>]) -> Result<Option<String>> {
        Ok(match (self, values) {
            (What::Concat, values) => Some(values.iter().flatten().map(String::as_str).collect()),
            (What::ConcatWs, [Some(separator), values @ ..]) => {
                Some(values.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(separator))
            }
            (What::QuoteLiteral, [value, ..]) => value.as_deref().map(quote_literal),
            (What::QuoteNullable, [value, ..]) => Some(value.as_deref().map_or("NULL".to_owned(), quote_literal)),
            (What::Format, [Some(template), values @ ..]) => Some(format(template, values)?),
            _ => None,
        })
    }
}

/// `format('%s %I %L %2$s %-10s %%', …)`
fn format(template: &str, values: &[Option<String>]) -> Result<String> {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    let mut next = 0;
    let unterminated =
        || Error::invalid_parameter("unterminated format() type specifier").hint("For a single \"%\" use \"%%\".");
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            out.push('%');
            continue;
        }
        let (mut number, mut left, mut position) = (String::new(), false, None);
        let kind = loop {
            match chars.next().ok_or_else(unterminated)? {
                '$' => position = std::mem::take(&mut number).parse::<usize>().ok(),
                '-' => left = true,
                d if d.is_ascii_digit() => number.push(d),
                kind => break kind,
            }
        };
        let index = match position {
            Some(0) => {
                return Err(Error::invalid_parameter("format specifies argument 0, but arguments are numbered from 1"));
            }
            Some(position) => position - 1,
            None => next,
        };
        next = index + 1;
        let value = values.get(index).ok_or_else(|| Error::invalid_parameter("too few arguments for format()"))?;
        let text = match (kind, value) {
            ('s', value) => value.clone().unwrap_or_default(),
            ('I', Some(value)) => quote_ident(value),
            ('I', None) => {
                return Err(Error::new("22004", "null values cannot be formatted as an SQL identifier"));
            }
            ('L', value) => value.as_deref().map_or("NULL".to_owned(), quote_literal),
            (other, _) => {
                return Err(Error::invalid_parameter(format!("unrecognized format() type specifier \"{other}\""))
                    .hint("For a single \"%\" use \"%%\"."));
            }
        };
        let missing = number.parse::<usize>().unwrap_or(0).saturating_sub(text.chars().count());
        let blanks = " ".repeat(missing);
        out.push_str(&if left { text + &blanks } else { blanks + &text });
    }
    Ok(out)
}
