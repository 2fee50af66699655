//! `VALUES` that are plain literals or parameters, read without planning.
//!
//! Most INSERTs are of this kind. PostgreSQL coerces each value to the type of its column by itself, so a literal
//! is read as COPY reads it, and a parameter or a call like `now()` is taken when it is of just the column's type;
//! whatever else there is goes the general way, through a plan.

use crate::error::Result;
use crate::function::time::told_by;
use crate::query::Planner;
use crate::text::read::ColumnReader;
use arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{self, Expr, SetExpr, UnaryOperator, Value};
use highwater_model::time::Clockface;
use highwater_model::{Column, ColumnType};
use highwater_store::schema::{arrow_type, type_mark};

/// With more rows than this, a plan that is made once costs less than each call by itself.
const CALLS_ONE_BY_ONE: usize = 16;

/// The columns of the rows, and how many rows there are; `None` when they must be planned.
///
/// # Errors
/// Those of reading a literal.
pub fn read(
    planner: &Planner,
    query: &ast::Query,
    columns: &[Column],
    parameters: &[ScalarValue],
) -> Result<Option<(Vec<ArrayRef>, usize)>> {
    let SetExpr::Values(values) = query.body.as_ref() else { return Ok(None) };
    let plain = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
    if !plain || values.rows.iter().any(|row| row.content.len() != columns.len()) {
        return Ok(None);
    }
    let clock = planner.clock();
    let mut arrays = Vec::with_capacity(columns.len());
    for (i, column) in columns.iter().enumerate() {
        let cells = values.rows.iter().map(|row| &row.content[i]);
        let few = values.rows.len() <= CALLS_ONE_BY_ONE;
        let value = |cell| parameter(cell, column, parameters).or_else(|| call(cell, column, planner, &clock, few));
        let array = match cells.clone().map(value).collect::<Option<Vec<ScalarValue>>>() {
            Some(values) if type_mark(&column.column_type).is_some() => match texts(&values, column, clock)? {
                Some(array) => array,
                None => return Ok(None),
            },
            Some(values) => ScalarValue::iter_to_array(values)?,
            None => match read_literals(cells, column, clock)? {
                Some(array) => array,
                None => return Ok(None),
            },
        };
        arrays.push(array);
    }
    Ok(Some((arrays, values.rows.len())))
}

fn read_literals<'a>(
    cells: impl Iterator<Item = &'a Expr>,
    column: &Column,
    clock: Clockface,
) -> Result<Option<ArrayRef>> {
    let mut reader = ColumnReader::new(&column.column_type, clock)?;
    let mut number = String::new();
    for cell in cells {
        match literal(cell, column, &mut number) {
            Some(Literal::Null) => reader.append_null(),
            Some(Literal::Text(text)) => reader.append(text.as_bytes())?,
            Some(Literal::Number) => reader.append(number.as_bytes())?,
            None => return Ok(None),
        }
    }
    Ok(Some(reader.finish()))
}

/// Bound texts as values of a type that is kept as text; `None` for values that are not text.
fn texts(bound: &[ScalarValue], column: &Column, clock: Clockface) -> Result<Option<ArrayRef>> {
    let mut reader = ColumnReader::new(&column.column_type, clock)?;
    for value in bound {
        match value {
            ScalarValue::Utf8(Some(text)) => reader.append(text.as_bytes())?,
            ScalarValue::Utf8(None) => reader.append_null(),
            _ => return Ok(None),
        }
    }
    Ok(Some(reader.finish()))
}

enum Literal<'a> {
    Null,
    Text(&'a str),
    /// The number was put aside.
    Number,
}

fn parameter(cell: &Expr, column: &Column, parameters: &[ScalarValue]) -> Option<ScalarValue> {
    let Expr::Value(value) = cell else { return None };
    let Value::Placeholder(name) = &value.value else { return None };
    let position: usize = name.trim_start_matches('$').parse().ok()?;
    let value = parameters.get(position.checked_sub(1)?)?;
    (value.data_type() == arrow_type(&column.column_type)).then(|| value.clone())
}

/// The value of a call of a function without arguments; what cannot be planned alone is left to a plan.
///
/// * `alone` – whether it may be planned by itself, where the clock does not tell it.
fn call(cell: &Expr, column: &Column, planner: &Planner, clock: &Clockface, alone: bool) -> Option<ScalarValue> {
    let Expr::Function(function) = cell else { return None };
    let bare = matches!(&function.args, ast::FunctionArguments::None)
        || matches!(&function.args, ast::FunctionArguments::List(list) if list.args.is_empty());
    let told = match function.name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(name)] if bare && name.quote_style.is_none() => told_by(clock, &name.value),
        _ => None,
    };
    let value = told.or_else(|| (bare && alone).then(|| planner.constant(cell).ok())?)?;
    (value.data_type() == arrow_type(&column.column_type)).then_some(value)
}

fn literal<'a>(cell: &'a Expr, column: &Column, number: &mut String) -> Option<Literal<'a>> {
    match cell {
        Expr::Value(value) => match &value.value {
            Value::Null => Some(Literal::Null),
            Value::SingleQuotedString(text) => Some(Literal::Text(text)),
            Value::Number(digits, _) => take_number("", digits, column, number),
            Value::Boolean(truth) if column.column_type == ColumnType::Boolean => {
                Some(Literal::Text(if *truth { "true" } else { "false" }))
            }
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match expr.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::Number(digits, _) => take_number("-", digits, column, number),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// A number goes into a number column as its text does, but for a fraction into an integer, which is rounded.
fn take_number<'a>(sign: &str, digits: &str, column: &Column, number: &mut String) -> Option<Literal<'a>> {
    let whole = digits.bytes().all(|b| b.is_ascii_digit());
    let fits = match column.column_type {
        ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt => whole,
        ColumnType::Real | ColumnType::Double | ColumnType::Numeric { .. } | ColumnType::AnyNumeric(_) => true,
        _ => false,
    };
    number.clear();
    number.push_str(sign);
    number.push_str(digits);
    fits.then_some(Literal::Number)
}
