//! Casts and operators of types that are kept as text: `varchar(n)`, `char(n)`, `json`, `jsonb`, `inet`, `cidr` and
//! enumerations.
//!
//! Which of them an expression is, the metadata of its field tells ([`highwater_store::schema::PG_TYPE`]), which
//! columns, casts and functions hand on. A value is brought into the form of its type when it becomes one, so equal
//! values are equal texts; [`order_key`] is what is compared where order differs from that of the text.

use super::cast::plan_cast;
use super::exact;
use super::kernel::rowwise;
use super::operand::{Kind, UNBOUNDED, is_operator, type_name};
use super::precision::limited;
use crate::error::{Error, Result};
use crate::function::context::clockface;
use crate::function::json as functions;
use crate::json;
use crate::text::network::Network;
use crate::text::read::{checked_text, parse_typed};
use crate::text::write::column_text;
use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use highwater_model::ColumnType;
use highwater_model::time::Clockface;
use highwater_store::schema::{arrow_type, column_type, field_type, type_mark, typed_field};
use std::sync::Arc;

/// The type of an expression, if it is one whose Arrow type does not tell.
pub fn marked(expr: &Expr, schema: &DFSchema) -> Option<ColumnType> {
    if is_operator(expr) {
        return None;
    }
    if let Expr::ScalarFunction(call) = expr
        && call.func.name() == "array_element"
        && let Some(ColumnType::List(item)) = call.args.first().and_then(|list| marked(list, schema))
    {
        return Some(*item);
    }
    marked_field(&expr.to_field(schema).ok()?.1)
}

/// As [`marked`], of a field.
pub fn marked_field(field: &Field) -> Option<ColumnType> {
    field_type(field).filter(|t| type_mark(t).is_some() && !is_rounded(t))
}

/// Whether the Arrow type tells what a value is, and only not how it was rounded.
pub fn is_rounded(column_type: &ColumnType) -> bool {
    matches!(column_type, ColumnType::AnyNumeric(Some(_)) | ColumnType::Limited(..))
}

/// Characters of the longest `char(n)`.
const LONGEST_CHAR: u32 = 10_485_760;

/// Whether the type is `json` or `jsonb`.
pub fn is_json(column_type: &ColumnType) -> bool {
    matches!(column_type, ColumnType::Json | ColumnType::Jsonb)
}

/// A string literal, NULL or parameter that has no type yet.
pub fn is_untyped(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Null, metadata) => metadata.is_none(),
        Expr::Placeholder(Placeholder { field, .. }) => field.is_none(),
        _ => false,
    }
}

/// `CAST(expr AS target)`, where either may be of a marked type.
///
/// # Errors
/// 42846 when there is no such cast; those of reading a literal.
pub fn plan_marked_cast(expr: Expr, target: &Field, schema: &DFSchema, clock: &Clockface) -> Result<Expr> {
    if let Some(ColumnType::AnyNumeric(Some(digits))) = field_type(target) {
        let number = plan_marked_cast(expr, &typed_field("", &ColumnType::AnyNumeric(None)), schema, clock)?;
        return Ok(exact::fitted(number, digits));
    }
    if let Some(ColumnType::Limited(of, limit)) = field_type(target) {
        let whole = plan_marked_cast(expr, &typed_field("", &of), schema, clock)?;
        return limited(whole, &of, limit);
    }
    let to = marked_field(target);
    if let (Some(from), Some(plain)) =
        (expr.to_field(schema).ok().and_then(|(_, f)| field_type(&f)), field_type(target))
        && is_rounded(&from)
        && arrow_type(&from) == arrow_type(&plain)
    {
        // The values are what they are, but others will have all digits.
        return Ok(mark(expr, &plain));
    }
    if to.is_none() && marked(&expr, schema).is_none() {
        return plan_cast(expr, target.data_type(), schema, clock);
    }
    let to = match to.or_else(|| column_type(target.data_type())) {
        Some(to) => to,
        None => return plan_cast(expr, target.data_type(), schema, clock),
    };
    convert(expr, &to, How::Explicit, schema, clock)
}

/// The expression as a value that goes into a column of this type.
///
/// # Errors
/// As [`plan_marked_cast`]; 22001 when a value is too long.
pub fn assign(expr: Expr, to: &ColumnType, schema: &DFSchema, clock: &Clockface) -> Result<Expr> {
    if matches!(to, ColumnType::AnyNumeric(_) | ColumnType::Limited(..)) {
        // A number or a time is rounded, as by a cast.
        return plan_marked_cast(expr, &typed_field("", to), schema, clock);
    }
    convert(expr, to, How::Assignment, schema, clock)
}

/// The expression as it is, said to be of this type: DataFusion forgets what CASE and UNION are made of.
pub fn mark(expr: Expr, column_type: &ColumnType) -> Expr {
    conversion(column_type.clone(), column_type.clone(), How::Mark).call(vec![expr])
}

fn convert(expr: Expr, to: &ColumnType, how: How, schema: &DFSchema, clock: &Clockface) -> Result<Expr> {
    use ColumnType as T;
    let expr = match expr {
        Expr::Literal(ScalarValue::Utf8(None) | ScalarValue::Null, None) if arrow_type(to) == DataType::Utf8 => {
            let metadata = FieldMetadata::from(typed_field("", to).metadata());
            return Ok(Expr::Literal(ScalarValue::Utf8(None), Some(metadata)));
        }
        // The client is told the type; what it sends still has to be brought into its form.
        Expr::Placeholder(Placeholder { id, field: None }) => {
            let field: FieldRef = Arc::new(typed_field("", to));
            let bound = Expr::Placeholder(Placeholder { id, field: Some(field) });
            return Ok(conversion(T::Text, to.clone(), how).call(vec![bound]));
        }
        other => other,
    };
    let from = match marked(&expr, schema) {
        Some(from) => from,
        None => {
            let data_type = expr.get_type(schema)?;
            column_type(&data_type).ok_or_else(|| no_cast(&type_name(&data_type), to))?
        }
    };
    if from == *to {
        return Ok(expr);
    }
    let textual = |t: &T| matches!(t, T::Text | T::Varchar(_) | T::Char(_));
    let call = |from: T, to: T, how: How, expr: Expr| conversion(from, to, how).call(vec![expr]);
    match (&from, to) {
        (from, to) if textual(from) && type_mark(to).is_none() => {
            plan_cast(call(from.clone(), T::Text, how, expr), &arrow_type(to), schema, clock)
        }
        // Cast to text, they are words; shown, they are letters.
        (T::Boolean, to) if textual(to) => {
            Ok(call(T::Text, to.clone(), how, plan_cast(expr, &DataType::Utf8, schema, clock)?))
        }
        (T::Json | T::Jsonb, T::Json | T::Jsonb) => Ok(call(from, to.clone(), how, expr)),
        (_, to) if textual(to) => Ok(call(from, to.clone(), how, expr)),
        (T::Inet | T::Cidr, T::Inet) => Ok(call(from, to.clone(), how, expr)),
        (T::Inet, T::Cidr) => {
            // The network that the address is in.
            let network = functions::operator("inet_network").expect("it is declared").call(vec![expr]);
            Ok(mark(network, &T::Cidr))
        }
        (from, T::Json | T::Jsonb | T::Inet | T::Cidr | T::Enum(_) | T::List(_)) if textual(from) => {
            Ok(call(from.clone(), to.clone(), how, expr))
        }
        (T::Jsonb, T::Boolean) => {
            let text = call(from, T::Text, How::Scalar("boolean"), expr);
            plan_cast(text, &DataType::Boolean, schema, clock)
        }
        (
            T::Jsonb,
            T::SmallInt | T::Integer | T::BigInt | T::Real | T::Double | T::Numeric { .. } | T::AnyNumeric(None),
        ) => {
            let text = call(from, T::Text, How::Scalar(number_name(to)), expr);
            let number = match to {
                T::SmallInt | T::Integer | T::BigInt => plan_cast(text, &UNBOUNDED, schema, clock)?,
                _ => text,
            };
            plan_cast(number, &arrow_type(to), schema, clock)
        }
        (T::List(_), T::List(_)) => Ok(call(from, to.clone(), how, expr)),
        (from, to) => Err(no_cast(&from.to_string(), to)),
    }
}

fn number_name(to: &ColumnType) -> &'static str {
    match to {
        ColumnType::SmallInt => "smallint",
        ColumnType::Integer => "integer",
        ColumnType::BigInt => "bigint",
        ColumnType::Real => "real",
        ColumnType::Double => "double precision",
        _ => "numeric",
    }
}

fn no_cast(from: &str, to: &ColumnType) -> Error {
    Error::new("42846", format!("cannot cast type {from} to {to}"))
}

/// How strictly a value becomes one of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum How {
    /// As a cast that is written: what is too long is cut.
    Explicit,
    /// As a value that goes into a column.
    Assignment,
    /// Not at all, it is one.
    Mark,
    /// As the text of a JSON scalar that is to become this type.
    Scalar(&'static str),
}

fn conversion(from: ColumnType, to: ColumnType, how: How) -> ScalarUDF {
    // The texts of other types may depend on the session's zone, and what texts of times mean on its clock.
    let is_text = arrow_type(&from) == DataType::Utf8 && !matches!(to, ColumnType::List(_));
    let volatility = if is_text { Volatility::Immutable } else { Volatility::Stable };
    ScalarUDF::from(Conversion { from, to, how, signature: Signature::any(1, volatility) })
}

/// A conversion to a marked type, or from one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Conversion {
    from: ColumnType,
    to: ColumnType,
    how: How,
    signature: Signature,
}

impl Conversion {
    fn convert(&self, array: &ArrayRef, clock: &Clockface) -> Result<ArrayRef> {
        if self.how == How::Mark {
            return Ok(array.clone());
        }
        let texts = match array.data_type() {
            DataType::Utf8 => array.clone(),
            DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => arrow::compute::cast(array, &DataType::Utf8)?,
            _ => column_text(array, &clock.zone)?,
        };
        let texts = texts.as_string::<i32>();
        let explicit = self.how == How::Explicit;
        Ok(match (&self.how, &self.to) {
            (How::Scalar(name), _) => each(texts, |text| json_scalar(text, name))?,
            (_, ColumnType::Text) => Arc::new(texts.clone()),
            (_, ColumnType::Varchar(Some(limit))) if explicit => each(texts, |text| Ok(Some(cut(text, *limit))))?,
            (_, ColumnType::Char(limit)) if explicit => {
                each(texts, |text| Ok(Some(cut(text, *limit).trim_end_matches(' ').to_owned())))?
            }
            (_, to @ ColumnType::List(_)) => parse_typed(texts, to, clock)?,
            (_, to) => each(texts, |text| checked_text(text, to).map(|t| Some(t.into_owned())))?,
        })
    }
}

fn each(texts: &StringArray, f: impl Fn(&str) -> Result<Option<String>>) -> Result<ArrayRef> {
    let converted = texts.iter().map(|text| text.map_or(Ok(None), &f));
    Ok(Arc::new(converted.collect::<Result<StringArray>>()?))
}

fn cut(text: &str, limit: u32) -> String {
    text.chars().take(limit as usize).collect()
}

/// The text of a JSON scalar that becomes a number or a truth value.
fn json_scalar(text: &str, name: &str) -> Result<Option<String>> {
    let kind = match json::type_of(text) {
        "number" => "numeric",
        kind => kind,
    };
    match (kind, name) {
        ("boolean", "boolean") => Ok(Some(text.to_owned())),
        ("numeric", name) if name != "boolean" => Ok(Some(text.to_owned())),
        (kind, name) => Err(Error::invalid_parameter(format!("cannot cast jsonb {kind} to type {name}"))),
    }
}

impl ScalarUDFImpl for Conversion {
    fn name(&self) -> &str {
        "pg_convert"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(arrow_type(&self.to))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> DfResult<FieldRef> {
        Ok(Arc::new(typed_field("pg_convert", &self.to)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let clock = clockface(&args.config_options)?;
        Ok(rowwise(&args.args, args.number_rows, |arrays, _| self.convert(&arrays[0], &clock))?)
    }

    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(format!("{}::{}", args[0], self.to))
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(format!("{}::{}", args[0].schema_name(), self.to))
    }
}

/// `left op right` where an operator of `json` or `jsonb` may be meant; `None` where it is none.
///
/// # Errors
/// 42883 when there is no such operator for these types; those of reading a literal.
pub fn plan_marked_binary(
    op: &BinaryOperator,
    left: &Expr,
    right: &Expr,
    schema: &DFSchema,
    clock: &Clockface,
) -> Result<Option<Expr>> {
    use BinaryOperator as B;
    let json_of = |expr: &Expr| marked(expr, schema).filter(is_json);
    let (l, r) = (json_of(left), json_of(right));
    if let Some(planned) = plan_network(op, left, right, schema, clock)? {
        return Ok(Some(planned));
    }
    let only_json = matches!(
        op,
        B::Arrow | B::LongArrow | B::HashArrow | B::HashLongArrow | B::HashMinus | B::Question | B::QuestionPipe
    ) || *op == B::QuestionAnd;
    if l.is_none() && r.is_none() && !only_json {
        return Ok(None);
    }
    let jsonb_only = |t: &Option<ColumnType>| *t == Some(ColumnType::Jsonb);
    let undefined = || no_marked_operator(&op.to_string(), left, right, schema);
    let integer = || right.get_type(schema).is_ok_and(|t| Kind::of(&t).is_integer());
    let list = || right.get_type(schema).is_ok_and(|t| matches!(t, DataType::List(_)));
    let name = match op {
        B::Arrow if l.is_some() && integer() => "json_array_element",
        B::Arrow if l.is_some() => "json_object_field",
        B::LongArrow if l.is_some() && integer() => "json_array_element_text",
        B::LongArrow if l.is_some() => "json_object_field_text",
        B::HashArrow if l.is_some() => "json_at_path",
        B::HashLongArrow if l.is_some() => "json_at_path_text",
        B::AtArrow if jsonb_only(&l) || jsonb_only(&r) => "jsonb_contains",
        B::ArrowAt if jsonb_only(&l) || jsonb_only(&r) => "jsonb_contained",
        B::Question if jsonb_only(&l) => "jsonb_exists",
        B::QuestionPipe if jsonb_only(&l) => "jsonb_exists_any",
        B::QuestionAnd if jsonb_only(&l) => "jsonb_exists_all",
        B::HashMinus if jsonb_only(&l) => "jsonb_delete_path",
        B::Minus if jsonb_only(&l) && integer() => "jsonb_delete_index",
        B::Minus if jsonb_only(&l) && list() => "jsonb_delete_keys",
        B::Minus if jsonb_only(&l) => "jsonb_delete_key",
        B::StringConcat if jsonb_only(&l) || jsonb_only(&r) => {
            let other = if jsonb_only(&l) { (right, &r) } else { (left, &l) };
            if !is_untyped(other.0) && other.1.is_none() {
                // Beside text, `||` is that of text.
                return Ok(None);
            }
            "jsonb_concat"
        }
        B::StringConcat => return Ok(None),
        // Comparisons are planned with all others.
        B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq | B::And | B::Or => return Ok(None),
        _ => return Err(undefined()),
    };
    let function = functions::operator(name).ok_or_else(|| Error::internal(format!("{name} is not declared")))?;
    let args = functions::resolve(&function, vec![left.clone(), right.clone()], schema, clock)
        .map_err(|e| if e.sqlstate == "42883" { undefined() } else { e })?;
    Ok(Some(function.call(args)))
}

/// `<<`, `<<=`, `>>`, `>>=` and `&&` of addresses; `None` for other operators and operands.
fn plan_network(
    op: &BinaryOperator,
    left: &Expr,
    right: &Expr,
    schema: &DFSchema,
    clock: &Clockface,
) -> Result<Option<Expr>> {
    let is_address = |expr: &Expr| matches!(marked(expr, schema), Some(ColumnType::Inet | ColumnType::Cidr));
    if !is_address(left) && !is_address(right) {
        return Ok(None);
    }
    let (name, swap) = match op {
        BinaryOperator::PGBitwiseShiftLeft => ("inet_lies_within", false),
        BinaryOperator::PGBitwiseShiftRight => ("inet_lies_within", true),
        BinaryOperator::PGOverlap => ("inet_overlaps", false),
        BinaryOperator::Custom(op) if op == "<<=" => ("inet_lies_in", false),
        BinaryOperator::Custom(op) if op == ">>=" => ("inet_lies_in", true),
        _ => return Ok(None),
    };
    let side = |expr: &Expr| match is_address(expr) {
        true => Ok(expr.clone()),
        false if is_untyped(expr) => convert(expr.clone(), &ColumnType::Inet, How::Explicit, schema, clock),
        false => Err(no_marked_operator(&op.to_string(), left, right, schema)),
    };
    let (left, right) = (side(left)?, side(right)?);
    let function = functions::operator(name).ok_or_else(|| Error::internal(format!("{name} is not declared")))?;
    Ok(Some(function.call(if swap { vec![right, left] } else { vec![left, right] })))
}

/// The name of an expression's type, for a message.
pub fn name_of_type(expr: &Expr, schema: &DFSchema) -> String {
    match (marked(expr, schema), expr.get_type(schema)) {
        _ if is_untyped(expr) => "unknown".to_owned(),
        (Some(column_type), _) => column_type.to_string(),
        (None, Ok(data_type)) => type_name(&data_type),
        _ => "unknown".to_owned(),
    }
}

fn no_marked_operator(op: &str, left: &Expr, right: &Expr, schema: &DFSchema) -> Error {
    Error::no_operator(&format!("{} {op} {}", name_of_type(left, schema), name_of_type(right, schema)))
}

/// `left op right` for a comparison of which one side is of a marked type; `None` where the texts are compared as
/// texts.
///
/// # Errors
/// 42883 when the types cannot be compared; those of reading a literal.
pub fn compare(op: Operator, left: &Expr, right: &Expr, schema: &DFSchema, clock: &Clockface) -> Result<Option<Expr>> {
    use ColumnType as T;
    let (l, r) = (marked(left, schema), marked(right, schema));
    let Some(of) = l.as_ref().or(r.as_ref()).filter(|_| l.is_some() || r.is_some()) else { return Ok(None) };
    match of {
        T::Char(_) => {
            // Blanks at the end do not count, in a literal either.
            let trimmed = |expr: &Expr| match is_untyped(expr) {
                true => convert(expr.clone(), &T::Char(LONGEST_CHAR), How::Explicit, schema, clock),
                false => Ok(expr.clone()),
            };
            let sides = (trimmed(left)?, trimmed(right)?);
            let textual = |expr: &Expr| expr.get_type(schema).is_ok_and(|t| Kind::of(&t) == Kind::Text);
            Ok((textual(&sides.0) && textual(&sides.1)).then(|| binary(sides.0, op, sides.1)))
        }
        T::Enum(_) | T::Inet | T::Cidr => {
            let address = |t: &Option<T>| matches!(t, Some(T::Inet | T::Cidr));
            let side = |expr: &Expr, marked: &Option<T>| match marked {
                Some(t) if t == of || (address(marked) && address(&Some(of.clone()))) => Ok(expr.clone()),
                // An address may have the width of a network that a cidr must have.
                None if is_untyped(expr) => {
                    let to = if *of == T::Cidr { T::Inet } else { of.clone() };
                    convert(expr.clone(), &to, How::Explicit, schema, clock)
                }
                _ => Err(no_marked_operator(&op.to_string(), left, right, schema)),
            };
            let (left, right) = (side(left, &l)?, side(right, &r)?);
            // Equal labels are equal texts, so the column stays bare.
            let bare = matches!(of, T::Enum(_)) && matches!(op, Operator::Eq | Operator::NotEq);
            Ok(Some(match bare {
                true => binary(left, op, right),
                false => binary(order_key(left, of), op, order_key(right, of)),
            }))
        }
        T::Json | T::Jsonb => {
            let side = |expr: &Expr, marked: &Option<T>| match marked {
                Some(T::Jsonb) => Ok(expr.clone()),
                None if is_untyped(expr) && *of == T::Jsonb => {
                    convert(expr.clone(), &T::Jsonb, How::Explicit, schema, clock)
                }
                _ => Err(no_marked_operator(&op.to_string(), left, right, schema)),
            };
            Ok(Some(binary(order_key(side(left, &l)?, &T::Jsonb), op, order_key(side(right, &r)?, &T::Jsonb))))
        }
        _ => Ok(None),
    }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// What values of the type are ordered by; the expression itself where their text is.
pub fn order_key(expr: Expr, column_type: &ColumnType) -> Expr {
    match column_type {
        ColumnType::Jsonb | ColumnType::Inet | ColumnType::Cidr | ColumnType::Enum(_) => {
            let signature = Signature::any(1, Volatility::Immutable);
            ScalarUDF::from(OrderKey { of: column_type.clone(), signature }).call(vec![expr])
        }
        _ => expr,
    }
}

/// Whether [`order_key`] is something else than the expression.
pub fn has_order_key(column_type: &ColumnType) -> bool {
    matches!(column_type, ColumnType::Jsonb | ColumnType::Inet | ColumnType::Cidr | ColumnType::Enum(_))
}

/// The key that values of a marked type are ordered by.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OrderKey {
    of: ColumnType,
    signature: Signature,
}

impl ScalarUDFImpl for OrderKey {
    fn name(&self) -> &str {
        "pg_order_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(rowwise(&args.args, args.number_rows, |arrays, _| {
            let texts = arrow::compute::cast(&arrays[0], &DataType::Utf8)?;
            let mut keys = BinaryBuilder::new();
            let mut key = Vec::new();
            for text in texts.as_string::<i32>() {
                key.clear();
                match text {
                    Some(text) => {
                        match &self.of {
                            ColumnType::Enum(kind) => {
                                key.extend((kind.rank(text).unwrap_or(usize::MAX) as u32).to_be_bytes());
                            }
                            ColumnType::Jsonb => json::parse(text)?.order_key(&mut key),
                            _ => Network::parse(text, false)?.order_key(&mut key),
                        }
                        keys.append_value(&key);
                    }
                    None => keys.append_null(),
                }
            }
            Ok(Arc::new(keys.finish()))
        })?)
    }
}
