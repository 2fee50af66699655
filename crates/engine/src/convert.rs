//! Values on their way into columns: assignment casts.

use crate::operator::marked::{is_rounded, marked_field};
use crate::{Error, Result, meaning};
use datafusion::common::{Column as PlanColumn, DFSchema};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use highwater_model::{Column, ColumnType};
use highwater_store::schema::{field_type, typed_field};

/// Makes a plan's columns of the types of the columns they go to.
///
/// # Errors
/// 42804 when a value of that type cannot go there.
pub fn assign(plan: LogicalPlan, columns: &[Column], table: &str, state: &SessionState) -> Result<LogicalPlan> {
    assign_after(plan, 0, columns, table, state)
}

/// As [`assign`], leaving the first `skip` columns as they are.
pub fn assign_after(
    plan: LogicalPlan,
    skip: usize,
    columns: &[Column],
    table: &str,
    state: &SessionState,
) -> Result<LogicalPlan> {
    let schema = plan.schema().clone();
    let mut exprs = Vec::with_capacity(schema.fields().len());
    for (i, (qualifier, field)) in schema.iter().enumerate() {
        let expr = Expr::Column(PlanColumn::new(qualifier.cloned(), field.name()));
        match i.checked_sub(skip).and_then(|i| columns.get(i)) {
            Some(column) => {
                exprs.push(assign_expr(expr, column, table, &schema, state)?.alias(format!("_to_{}", column.id.0)));
            }
            None => exprs.push(expr),
        }
    }
    Ok(LogicalPlanBuilder::from(plan).project(exprs)?.build()?)
}

/// The expression as a value of the column's type.
///
/// # Errors
/// 42804 when a value of that type cannot go there.
pub fn assign_expr(expr: Expr, column: &Column, table: &str, schema: &DFSchema, state: &SessionState) -> Result<Expr> {
    let _ = table;
    let from = expr.to_field(schema)?.1;
    let to = typed_field("", &column.column_type);
    let marked = [from.as_ref(), &to].into_iter().any(|f| marked_field(f).is_some());
    let rounded = is_rounded(&column.column_type) && field_type(&from).as_ref() != Some(&column.column_type);
    if !marked && !rounded && from.data_type() == to.data_type() {
        return Ok(expr);
    }
    if let Some(from) = field_type(&from)
        && !assignable(&from, &column.column_type)
    {
        return Err(Error::new(
            "42804",
            format!("column \"{}\" is of type {} but expression is of type {from}", column.name, column.column_type),
        )
        .hint("You will need to rewrite or cast the expression."));
    }
    if marked || rounded {
        return meaning::assign(expr, &column.column_type, schema, state);
    }
    meaning::cast(expr, to.data_type(), schema, state)
}

/// Whether PostgreSQL casts from one to the other on assignment. Text stands for literals of unknown type
/// too, which go anywhere.
fn assignable(from: &ColumnType, to: &ColumnType) -> bool {
    use ColumnType as T;
    let number = |t: &T| {
        matches!(
            t,
            T::SmallInt
                | T::Integer
                | T::BigInt
                | T::Real
                | T::Double
                | T::Numeric { .. }
                | T::WideNumeric { .. }
                | T::AnyNumeric(_)
        )
    };
    let moment = |t: &T| matches!(t, T::Date | T::Timestamp | T::Timestamptz);
    match (from.unlimited(), to.unlimited()) {
        (T::Text | T::Varchar(_) | T::Char(_), _) | (_, T::Text | T::Varchar(_) | T::Char(_)) => true,
        (T::Json | T::Jsonb, T::Json | T::Jsonb) | (T::Inet | T::Cidr, T::Inet | T::Cidr) => true,
        (a, b) if number(a) && number(b) => true,
        (a, b) if moment(a) && moment(b) => true,
        (T::Timestamp | T::Timestamptz | T::Interval, T::Time) | (T::Time, T::Interval) => true,
        (T::List(a), T::List(b)) => assignable(a, b),
        (a, b) => a == b,
    }
}
