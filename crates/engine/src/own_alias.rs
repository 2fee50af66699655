//! An alias that is used later in the SELECT list it is from: `SELECT a + b AS total, total / 2`.
//!
//! PostgreSQL refuses it. Here it stands for its expression where no column has that name, which is known when a query
//! could not be planned for want of such a column.

use crate::parse::ident;
use crate::{Error, names};
use datafusion::sql::sqlparser::ast::{Expr, Query, Select, SelectItem, VisitMut, VisitorMut};
use std::ops::ControlFlow;

/// The query with the expression of an alias in place of a column that is missing; `None` when there is none.
pub fn resolved(query: &Query, error: &Error) -> Option<Query> {
    if error.sqlstate != "42703" {
        return None;
    }
    let missing = error.message.strip_prefix("column \"")?.strip_suffix("\" does not exist")?;
    let mut resolving = Resolving { missing, found: false };
    let mut query = query.clone();
    let _ = VisitMut::visit(&mut query, &mut resolving);
    // Aliases of aliases may double each time.
    (resolving.found && query.to_string().len() <= LONGEST).then_some(query)
}

/// Queries are not made longer than so many bytes.
const LONGEST: usize = 1 << 18;

struct Resolving<'a> {
    missing: &'a str,
    found: bool,
}

impl VisitorMut for Resolving<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let named = |item: &SelectItem| match item {
            SelectItem::ExprWithAlias { expr, alias } if ident(alias) == self.missing => Some(expr.clone()),
            _ => None,
        };
        // What is of itself stands for nothing.
        let named = |item: &SelectItem| named(item).filter(|expr| !self.uses(&mut expr.clone(), expr));
        let Some((place, stands_for)) =
            select.projection.iter().enumerate().find_map(|(i, item)| Some((i, named(item)?)))
        else {
            return ControlFlow::Continue(());
        };
        for item in select.projection.iter_mut().skip(place + 1) {
            self.found |= self.uses(item, &stands_for);
        }
        ControlFlow::Continue(())
    }
}

impl Resolving<'_> {
    /// Puts an expression wherever a part of a query uses the name, and tells whether it does.
    fn uses(&self, part: &mut impl VisitMut, stands_for: &Expr) -> bool {
        names::replace_columns(part, &|name| {
            (ident(name) == self.missing).then(|| Expr::Nested(Box::new(stands_for.clone())))
        })
    }
}
