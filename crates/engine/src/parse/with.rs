//! WITH before a statement that writes: each use of a name becomes the query that it names.
//!
//! ```text
//! WITH x AS (SELECT …) UPDATE t SET … FROM x WHERE …   ──▶   UPDATE t SET … FROM (SELECT …) AS x WHERE …
//! ```
//!
//! What is written once there may be computed several times, which makes no difference to a query that only reads.

use super::{ident, name_parts};
use crate::error::{Error, Result};
use datafusion::sql::sqlparser::ast::{Cte, Query, SetExpr, Statement, TableAlias, TableFactor, VisitMut, VisitorMut};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// The statement without the WITH before it; as it is when it is a query.
///
/// # Errors
/// 0A000 for WITH RECURSIVE, for a name that an inner WITH gives again, and for a WITH that writes itself.
pub fn without_with(statement: Statement) -> Result<Statement> {
    let Statement::Query(mut query) = statement else { return Ok(statement) };
    if let Some(cte) = query.with.iter().flat_map(|with| &with.cte_tables).find(|cte| writes(&cte.query.body)) {
        return Err(Error::unsupported(format!(
            "\"{}\" is a statement that writes, inside of WITH",
            ident(&cte.alias.name)
        ))
        .hint("Send it as a statement of its own; a transaction block makes one of both."));
    }
    if !writes(&query.body) {
        return Ok(Statement::Query(query));
    }
    let with = query.with.take();
    let (SetExpr::Insert(mut statement) | SetExpr::Update(mut statement) | SetExpr::Delete(mut statement)) =
        *query.body
    else {
        return Err(Error::unsupported("MERGE after WITH is not supported"));
    };
    let Some(with) = with else { return Ok(statement) };
    if with.recursive {
        return Err(Error::unsupported("WITH RECURSIVE before a statement that writes is not supported")
            .hint("Write it inside of the statement's own query."));
    }
    let mut named = HashMap::new();
    for mut cte in with.cte_tables {
        put(&mut cte.query, &named)?;
        named.insert(ident(&cte.alias.name), cte);
    }
    put(&mut statement, &named)?;
    Ok(statement)
}

fn writes(body: &SetExpr) -> bool {
    matches!(body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_))
}

/// Puts named queries in the places of their names.
fn put(part: &mut impl VisitMut, named: &HashMap<String, Cte>) -> Result<()> {
    match VisitMut::visit(part, &mut Put(named)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(e) => Err(e),
    }
}

struct Put<'a>(&'a HashMap<String, Cte>);

impl VisitorMut for Put<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let mut inner = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| ident(&cte.alias.name));
        match inner.find(|name| self.0.contains_key(name)) {
            None => ControlFlow::Continue(()),
            Some(name) => ControlFlow::Break(
                Error::unsupported(format!("\"{name}\" is named by two WITH of one statement"))
                    .hint("Rename one of them."),
            ),
        }
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table { name, alias, args: None, .. } = factor else { return ControlFlow::Continue(()) };
        let [name] = name_parts(name).try_into().unwrap_or_else(|_| [String::new()]);
        let Some(cte) = self.0.get(&name) else { return ControlFlow::Continue(()) };
        let mut known = TableAlias { explicit: true, ..cte.alias.clone() };
        if let Some(alias) = alias.take() {
            known.name = alias.name;
            if !alias.columns.is_empty() {
                known.columns = alias.columns;
            }
        }
        *factor =
            TableFactor::Derived { lateral: false, subquery: cte.query.clone(), alias: Some(known), sample: None };
        ControlFlow::Continue(())
    }
}
