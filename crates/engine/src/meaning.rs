//! Where planning is given PostgreSQL's meaning: before it, while it runs, and after it.
//!
//! What the meaning is, [`crate::operator`] knows; this binds it to the configuration of a statement.

use crate::Result;
use crate::function::context::clockface;
use crate::operator::{PgMeaning, PgPlanner, marked, plan_cast, rewrite_syntax, tell_apart};
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{self, VisitMut, VisitorMut};
use highwater_model::ColumnType;
use highwater_model::time::Clockface;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Brings a statement or expression into the form that is planned.
pub fn prepare<T: VisitMut>(statement: &mut T) {
    tell_apart(statement);
    rewrite_syntax(statement);
}

/// The planners of expressions, ours first.
pub fn planners(clock: Clockface, state: &SessionState) -> Vec<Arc<dyn ExprPlanner>> {
    let ours: Arc<dyn ExprPlanner> = Arc::new(PgPlanner::new(clock));
    std::iter::once(ours).chain(state.expr_planners().iter().cloned()).collect()
}

/// Gives a plan, as the planner made it, PostgreSQL's meaning.
pub fn apply(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    PgMeaning::new(clockface(state.config_options())?).apply(plan)
}

/// Gives an expression, as the planner made it, PostgreSQL's meaning.
pub fn apply_expr(expr: Expr, schema: &DFSchema, state: &SessionState) -> Result<Expr> {
    PgMeaning::new(clockface(state.config_options())?).rewrite_expr(expr, schema)
}

/// A cast with PostgreSQL's meaning.
pub fn cast(expr: Expr, to: &DataType, schema: &DFSchema, state: &SessionState) -> Result<Expr> {
    plan_cast(expr, to, schema, &clockface(state.config_options())?)
}

/// A value on its way into a column of a marked type, or out of one.
pub fn assign(expr: Expr, to: &ColumnType, schema: &DFSchema, state: &SessionState) -> Result<Expr> {
    marked::assign(expr, to, schema, &clockface(state.config_options())?)
}

/// Qualifies the bare column names of an expression.
pub fn qualify(expr: &mut ast::Expr, relation: &str) {
    struct Qualifier<'a>(&'a str);
    impl VisitorMut for Qualifier<'_> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
            if let ast::Expr::Identifier(name) = expr {
                *expr = ast::Expr::CompoundIdentifier(vec![ast::Ident::with_quote('"', self.0), name.clone()]);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(expr, &mut Qualifier(relation));
}
