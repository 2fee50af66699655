//! Calls that differ in their casts only.
//!
//! DataFusion names `avg(x)` and `avg(x::bigint)` alike, and refuses two aggregates of one name. Where a statement has
//! such calls, their casts become `pg_apart(x::bigint, 'BIGINT')`, which is its first argument again once names are given.

use super::syntax::{call, take};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr as Planned, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::sql::sqlparser::ast::{Expr, Value, VisitMut, VisitorMut};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

const NAME: &str = "pg_apart";

/// Gives calls other names that differ from others of the statement in their casts only.
pub fn tell_apart<T: VisitMut>(statement: &mut T) {
    let mut calls = Calls::default();
    let _ = VisitMut::visit(statement, &mut calls);
    calls.0.retain(|_, texts| texts.len() > 1);
    if !calls.0.is_empty() {
        let _ = VisitMut::visit(statement, &mut Mark(&calls.0));
    }
}

/// The texts of calls by what they are without casts.
#[derive(Default)]
struct Calls(HashMap<String, HashSet<String>>);

impl VisitorMut for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Function(_)) {
            self.0.entry(without_casts(expr)).or_default().insert(expr.to_string().to_lowercase());
        }
        ControlFlow::Continue(())
    }
}

struct Mark<'a>(&'a HashMap<String, HashSet<String>>);

impl VisitorMut for Mark<'_> {
    type Break = ();

    // Before their arguments, which then have other texts.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Function(_))
            && self.0.contains_key(&without_casts(expr))
            && !expr.to_string().contains(NAME)
        {
            let _ = VisitMut::visit(expr, &mut MarkCasts);
        }
        ControlFlow::Continue(())
    }
}

struct MarkCasts;

impl VisitorMut for MarkCasts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { data_type, .. } = expr {
            let to = Expr::value(Value::SingleQuotedString(data_type.to_string()));
            *expr = call(NAME, vec![take(expr), to]);
        }
        ControlFlow::Continue(())
    }
}

fn without_casts(expr: &Expr) -> String {
    struct Strip;
    impl VisitorMut for Strip {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Cast { expr: inner, .. } = expr {
                *expr = take(inner);
            }
            ControlFlow::Continue(())
        }
    }
    let mut bare = expr.clone();
    let _ = VisitMut::visit(&mut bare, &mut Strip);
    bare.to_string().to_lowercase()
}

/// The function that tells casts apart.
pub fn apart() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Apart(Signature::any(2, Volatility::Immutable))))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Apart(Signature);

impl ScalarUDFImpl for Apart {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(types[0].clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> DfResult<FieldRef> {
        Ok(Arc::new(args.arg_fields[0].as_ref().clone().with_name(NAME)))
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(args.args.swap_remove(0))
    }

    fn simplify(&self, mut args: Vec<Planned>, _: &SimplifyContext) -> DfResult<ExprSimplifyResult> {
        Ok(ExprSimplifyResult::Simplified(args.swap_remove(0)))
    }
}
