//! The types of VALUES, settled for all its rows before it is planned.
//!
//! ```text
//! VALUES (1), (2.5), (NULL)      VALUES (1::numeric), (2.5::numeric), (NULL::numeric)
//! ```
//!
//! DataFusion settles them too, but by its own rules: an integer would be a `bigint`, and text beside a date text.

use super::operand::Kind;
use crate::error::Result;
use crate::function::common::common_type;
use arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{self, CastKind, Expr, Query, SetExpr, Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use highwater_store::schema::column_type;
use std::ops::ControlFlow;

/// Settles every VALUES of a query.
///
/// * `type_of` – the type of an expression without columns, [`DataType::Null`] where it is still to be found;
///   `None` when it cannot be told.
/// * `outermost` – whether a VALUES that is the query itself is settled. That of an INSERT is not: each of its
///   values goes to the type of its column.
///
/// # Errors
/// 42804 when the values of a column have no type in common.
pub fn settle_values(query: &mut Query, outermost: bool, type_of: &dyn Fn(&Expr) -> Option<DataType>) -> Result<()> {
    let body = match query.body.as_mut() {
        SetExpr::Values(values) if !outermost => Some(std::mem::take(&mut values.rows)),
        _ => None,
    };
    let mut settler = Settler { type_of };
    if let ControlFlow::Break(e) = VisitMut::visit(query, &mut settler) {
        return Err(e);
    }
    if let (Some(rows), SetExpr::Values(values)) = (body, query.body.as_mut()) {
        values.rows = rows;
    }
    Ok(())
}

struct Settler<'a> {
    type_of: &'a dyn Fn(&Expr) -> Option<DataType>,
}

impl VisitorMut for Settler<'_> {
    type Break = crate::Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<crate::Error> {
        match self.settle(query.body.as_mut()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(e) => ControlFlow::Break(e),
        }
    }
}

impl Settler<'_> {
    fn settle(&self, body: &mut SetExpr) -> Result<()> {
        match body {
            SetExpr::Values(values) => {
                let width = values.rows.first().map_or(0, |row| row.content.len());
                if values.rows.iter().any(|row| row.content.len() != width) {
                    return Err(crate::Error::syntax("VALUES lists must all be the same length"));
                }
                for column in 0..width {
                    self.settle_column(&mut values.rows, column)?;
                }
                Ok(())
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.settle(left)?;
                self.settle(right)
            }
            _ => Ok(()),
        }
    }

    fn settle_column(&self, rows: &mut [ast::Parens<Vec<Expr>>], column: usize) -> Result<()> {
        let types: Option<Vec<DataType>> = rows.iter().map(|row| (self.type_of)(&row.content[column])).collect();
        let Some(types) = types else { return Ok(()) };
        let unknown = types.iter().all(|t| Kind::of(t) == Kind::Unknown);
        let common = common_type(&types, "VALUES", false)?;
        let Some(target) = sql_type(&common) else { return Ok(()) };
        for (row, data_type) in rows.iter_mut().zip(&types) {
            let cell = &mut row.content[column];
            let is_text = unknown && !matches!(cell, Expr::Value(value) if value.value == Value::Null);
            let settled = *data_type == common;
            if is_text || (settled && !matches!(cell, Expr::Value(_) | Expr::UnaryOp { .. })) {
                continue;
            }
            let expr = Box::new(std::mem::replace(cell, Expr::value(Value::Null)));
            let data_type = target.clone();
            *cell = Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None };
        }
        Ok(())
    }
}

/// How SQL writes a type.
fn sql_type(data_type: &DataType) -> Option<ast::DataType> {
    let text = column_type(data_type)?.to_string();
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(&text).ok()?;
    parser.parse_data_type().ok()
}
