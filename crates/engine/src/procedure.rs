//! Procedures of the user, in SQL.
//!
//! ```text
//! CREATE PROCEDURE note(job_id int, config jsonb) LANGUAGE sql AS $$ INSERT INTO log VALUES ($1, config->>'text') $$
//! CALL note(7, '{"text": "by hand"}')                  its statements, in the transaction of the caller
//! SELECT add_job('note', interval '1 hour', config => '{"text": "by the clock"}')
//! ```
//!
//! An argument is known by its number and by its name; what a column of the statement's tables is called too, by its
//! number only.

use crate::error::{Error, Result};
use crate::parse::{self, Statement, ident, name_parts, parse_expr};
use crate::query::Relation;
use crate::session::Outcome;
use crate::work::Work;
use datafusion::sql::sqlparser::ast::{self, Expr};
use futures::StreamExt;
use highwater_model::catalog::Function;
use std::ops::ControlFlow;

/// Reads the statements of a procedure.
///
/// # Errors
/// 42601 when one cannot be read.
pub fn statements(body: &str) -> Result<Vec<Statement>> {
    parse::split(body)?.iter().map(|sql| parse::parse(sql)).collect()
}

/// Runs a procedure in the transaction of the caller.
///
/// * `arguments` – as text; `None` is NULL.
///
/// # Errors
/// 42883 when it takes another number of arguments; what its statements give.
pub async fn run(work: &mut Work, procedure: &Function, arguments: &[Option<String>]) -> Result<()> {
    if procedure.returns.is_some() || procedure.arguments.len() != arguments.len() {
        let types: Vec<&str> = procedure.arguments.iter().map(|(_, data_type)| data_type.as_str()).collect();
        let kind = if procedure.returns.is_some() { "function" } else { "procedure" };
        return Err(Error::new(
            "42883",
            format!("procedure {} with {} arguments does not exist", procedure.name, arguments.len()),
        )
        .detail(format!("There is a {kind} {}({}).", procedure.name, types.join(", "))));
    }
    let mut values = Vec::new();
    for ((name, data_type), argument) in procedure.arguments.iter().zip(arguments) {
        let text =
            argument.as_ref().map_or_else(|| "NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")));
        values.push((name.as_str(), parse_expr(&format!("CAST({text} AS {data_type})"))?));
    }
    // What it does is part of one transaction, and knows nothing of the caller's parameters.
    let autocommit = std::mem::replace(&mut work.autocommit, false);
    let (described, bound) = (std::mem::take(&mut work.described), std::mem::take(&mut work.bound));
    let mut result = Ok(());
    for statement in statements(&procedure.body)? {
        result = execute(work, statement, &values).await;
        if result.is_err() {
            break;
        }
    }
    (work.autocommit, work.described, work.bound) = (autocommit, described, bound);
    result
}

async fn execute(work: &mut Work, mut statement: Statement, values: &[(&str, Expr)]) -> Result<()> {
    let mut text = String::new();
    if let Statement::Sql(sql) = &mut statement {
        refuse_ambiguous(work, sql, values)?;
        let _: ControlFlow<()> = ast::visit_expressions_mut(sql, |expr| {
            if let Some(value) = value_of(expr, values) {
                *expr = value;
            }
            ControlFlow::Continue(())
        });
        text = sql.to_string();
    }
    if let Outcome::Rows { mut rows, .. } = Box::pin(work.run(&statement, &text.into(), &[])).await? {
        while let Some(batch) = rows.next().await {
            batch?;
        }
    }
    Ok(())
}

/// The value of an argument, if an expression is one.
fn value_of(expr: &Expr, values: &[(&str, Expr)]) -> Option<Expr> {
    match expr {
        Expr::Identifier(name) => {
            let name = ident(name);
            values.iter().find(|(argument, _)| *argument == name).map(|(_, value)| value.clone())
        }
        Expr::Value(ast::ValueWithSpan { value: ast::Value::Placeholder(number), .. }) => {
            let number: usize = number.trim_start_matches('$').parse().ok()?;
            values.get(number.checked_sub(1)?).map(|(_, value)| value.clone())
        }
        _ => None,
    }
}

/// Refuses a name that is an argument's, and a column's of a table that the statement names.
fn refuse_ambiguous(work: &Work, statement: &ast::Statement, values: &[(&str, Expr)]) -> Result<()> {
    let mut named = Vec::new();
    let _: ControlFlow<()> = ast::visit_expressions(statement, |expr| {
        if let Expr::Identifier(name) = expr {
            named.push(ident(name));
        }
        ControlFlow::Continue(())
    });
    let mut ambiguous = None;
    let _: ControlFlow<()> = ast::visit_relations(statement, |relation| {
        let columns: Vec<String> = match work.resolve(&name_parts(relation)) {
            Ok(Relation::Table(table)) => table.columns.iter().map(|column| column.name.clone()).collect(),
            Ok(Relation::Cagg(cagg)) => cagg.outputs.iter().map(|(name, _)| name.clone()).collect(),
            Err(_) => Vec::new(),
        };
        let both = |(name, _): &&(&str, Expr)| columns.iter().any(|c| c == name) && named.iter().any(|n| n == name);
        ambiguous = ambiguous.take().or_else(|| values.iter().find(both).map(|(name, _)| (*name).to_owned()));
        ControlFlow::Continue(())
    });
    match ambiguous {
        None => Ok(()),
        Some(name) => Err(Error::new("42702", format!("column reference \"{name}\" is ambiguous"))
            .detail("It could refer to either an argument of the procedure or a table column.")
            .hint("Write the argument by its number, such as $1, or the column with its table.")),
    }
}
