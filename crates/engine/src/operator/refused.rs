//! Forms of SQL that DataFusion would plan with another meaning, and that are therefore refused.
//!
//! ```text
//! a EXCEPT ALL b, a INTERSECT ALL b      rows would not be counted, only looked for
//! l FULL JOIN r USING (k)                k would be that of the left side alone
//! SELECT 'a' 'b'                         'b' would be a name
//! FROM t TABLESAMPLE …                   all rows would be read
//! x COLLATE "en_US"                      x would be ordered by its bytes
//! ```

use super::syntax::ordinality::can_number;
use crate::parse::name_parts;
use crate::{Error, Result};
use datafusion::sql::sqlparser::ast::{
    Expr, JoinConstraint, JoinOperator, ObjectName, Query, SelectItem, SetExpr, SetOperator, SetQuantifier,
    TableFactor, Visit, Visitor,
};
use std::ops::ControlFlow;

/// Looks for such a form in a query.
///
/// # Errors
/// 0A000 when there is one; 42601 when it is none of PostgreSQL's either.
pub fn refuse(query: &Query) -> Result<()> {
    match query.visit(&mut Refuser) {
        ControlFlow::Break(e) => Err(e),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Refuser;

impl Visitor for Refuser {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        look(&query.body)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        match expr {
            Expr::Collate { collation, .. } => match check_collation(collation) {
                Ok(()) => ControlFlow::Continue(()),
                Err(e) => ControlFlow::Break(e),
            },
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Text is compared by its bytes, which is what some collations say.
///
/// # Errors
/// 0A000 for the others.
pub fn check_collation(name: &ObjectName) -> Result<()> {
    let bytewise = ["c", "posix", "default", "ucs_basic", "c.utf8", "c.utf-8"];
    let name = name_parts(name).pop().unwrap_or_default();
    if bytewise.contains(&name.to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Error::unsupported(format!("collation \"{name}\" is not supported"))
        .hint("Text is ordered by its bytes, as COLLATE \"C\" has it."))
}

fn look(body: &SetExpr) -> ControlFlow<Error> {
    match body {
        SetExpr::SetOperation { op, set_quantifier, left, right } => {
            if matches!(op, SetOperator::Except | SetOperator::Intersect) && *set_quantifier == SetQuantifier::All {
                let hint = "Number equal rows with row_number() on both sides, and leave ALL out.";
                return ControlFlow::Break(Error::unsupported(format!("{op} ALL is not supported")).hint(hint));
            }
            look(left)?;
            look(right)
        }
        SetExpr::Select(select) => {
            for item in &select.projection {
                // A text after a text is no name for it.
                if let SelectItem::ExprWithAlias { alias, .. } = item
                    && alias.quote_style == Some('\'')
                {
                    let text = &alias.value;
                    return ControlFlow::Break(Error::syntax(format!("syntax error at or near \"'{text}'\"")));
                }
            }
            let factors = select
                .from
                .iter()
                .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
            for factor in factors.clone() {
                if matches!(factor, TableFactor::Table { sample: Some(_), .. }) {
                    let hint = "Filter by random() < 0.1, or by a remainder of a key.";
                    return ControlFlow::Break(Error::unsupported("TABLESAMPLE is not supported").hint(hint));
                }
            }
            for factor in factors {
                if let TableFactor::Table { name, with_ordinality: true, .. }
                | TableFactor::Function { name, with_ordinality: true, .. } = factor
                    && !can_number(name)
                {
                    let hint = "Number the rows by row_number() OVER () in a subquery.";
                    return ControlFlow::Break(Error::unsupported("WITH ORDINALITY is not supported").hint(hint));
                }
            }
            for join in select.from.iter().flat_map(|from| &from.joins) {
                let (name, constraint) = match &join.join_operator {
                    JoinOperator::FullOuter(constraint) => ("FULL JOIN", constraint),
                    JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
                        ("RIGHT JOIN", constraint)
                    }
                    _ => continue,
                };
                let form = match constraint {
                    JoinConstraint::Using(_) => "USING",
                    JoinConstraint::Natural => "NATURAL",
                    _ => continue,
                };
                let hint = "Join with ON, and select coalesce(l.k, r.k) for a column k of both sides.";
                return ControlFlow::Break(
                    Error::unsupported(format!("{name} with {form} is not supported")).hint(hint),
                );
            }
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Continue(()),
    }
}
