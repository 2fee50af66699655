//! CHECK constraints and computed columns as they are declared.

use crate::error::{Error, Result};
use crate::parse::{self, ident};
use crate::work::{Work, quoted};
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::ExprSchemable;
use datafusion::sql::sqlparser::ast::{self, VisitMut, VisitorMut};
use highwater_model::{CatalogChange, Check, Column, ColumnId, Rules, Table};
use highwater_store::schema::arrow_schema;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The rules that a table has.
pub fn of(work: &Work, table: &Table) -> Rules {
    work.transaction.version().catalog().objects.rules.get(&table.id).map(|r| r.as_ref().clone()).unwrap_or_default()
}

/// Keeps the rules of a table, if they are others than before.
pub fn put(work: &mut Work, table: &Table, rules: Rules) -> Result<()> {
    if of(work, table) == rules {
        return Ok(());
    }
    work.change(CatalogChange::PutRules(table.id, Arc::new(rules)))
}

/// Adds a CHECK constraint.
///
/// * `column` – the column it was written at, for its name.
///
/// # Errors
/// 42804 when it is no condition; 42710 when the name is taken; those of planning it.
pub fn add_check(
    work: &mut Work,
    table: &Table,
    rules: &mut Rules,
    name: Option<String>,
    column: Option<&str>,
    expr: &ast::Expr,
) -> Result<()> {
    let planner = work.planner();
    let schema = DFSchema::try_from_qualified_schema(table.name.as_str(), &arrow_schema(table))?;
    let planned = planner.plan_expr(expr, &schema)?;
    let data_type = planned.get_type(&schema)?;
    if !matches!(data_type, DataType::Boolean | DataType::Null) {
        return Err(Error::new(
            "42804",
            format!(
                "argument of CHECK must be type boolean, not type {}",
                crate::operator::operand::type_name(&data_type)
            ),
        ));
    }
    let used: Vec<String> = columns_of(expr, table).into_iter().map(|c| c.name).collect();
    let taken = |name: &str| {
        rules.checks.iter().any(|c| c.name == name) || table.indexes.iter().any(|i| i.constraint && i.name == name)
    };
    let name = match name {
        Some(name) if taken(&name) => {
            return Err(Error::new(
                "42710",
                format!("constraint \"{name}\" for relation \"{}\" already exists", table.name),
            ));
        }
        Some(name) => name,
        None => {
            let of = match (column, used.as_slice()) {
                (Some(column), _) => format!("_{column}"),
                (None, [one]) => format!("_{one}"),
                _ => String::new(),
            };
            let wanted = format!("{}{of}_check", table.name);
            let mut names = (0..).map(|n| if n == 0 { wanted.clone() } else { format!("{wanted}{n}") });
            names.find(|name| !taken(name)).unwrap_or(wanted)
        }
    };
    rules.checks.push(Check { id: work.engine.store.take_oid(), name, sql: expr.to_string() });
    rules.checks.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

/// The columns of a table that an expression names.
pub fn columns_of(expr: &ast::Expr, table: &Table) -> Vec<Column> {
    struct Names(BTreeSet<String>);
    impl VisitorMut for Names {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
            match expr {
                ast::Expr::Identifier(name) => drop(self.0.insert(ident(name))),
                ast::Expr::CompoundIdentifier(parts) => self.0.extend(parts.last().map(ident)),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut names = Names(BTreeSet::new());
    let _ = VisitMut::visit(&mut expr.clone(), &mut names);
    table.columns.iter().filter(|c| names.0.contains(&c.name)).cloned().collect()
}

/// Checks the expression of a computed column, which may name any other column that is not computed.
pub fn add_generated(work: &Work, table: &Table, rules: &mut Rules, id: ColumnId, expr: &ast::Expr) -> Result<()> {
    let column = table.column_by_id(id).cloned().expect("the caller added it");
    for used in columns_of(expr, table) {
        if used.id == id || rules.generated.contains_key(&used.id) {
            return Err(Error::new(
                "42P17",
                format!("cannot use generated column \"{}\" in column generation expression", used.name),
            )
            .detail("A generated column cannot reference another generated column."));
        }
    }
    let planner = work.planner();
    let schema = DFSchema::try_from_qualified_schema(table.name.as_str(), &arrow_schema(table))?;
    let planned = planner.plan_expr(expr, &schema)?;
    if planned.is_volatile() {
        return Err(Error::new("42P17", "generation expression is not immutable"));
    }
    crate::convert::assign_expr(planned, &column, &table.name, &schema, planner.state())?;
    rules.generated.insert(id, expr.to_string());
    Ok(())
}

/// Looks whether every row satisfies a condition.
///
/// # Errors
/// 23514 when one does not.
pub async fn validate(work: &Work, table: &Table, check: &Check) -> Result<()> {
    let (schema, name) = (quoted(&table.schema), quoted(&table.name));
    let sql = format!("SELECT 1 FROM {schema}.{name} WHERE NOT ({}) LIMIT 1", check.sql);
    let planner = work.planner();
    let plan = planner.plan_query(&*parse::parse_query(&sql)?, &[])?;
    match planner.collect(plan).await?.iter().all(|batch| batch.num_rows() == 0) {
        true => Ok(()),
        false => Err(Error::new(
            "23514",
            format!("check constraint \"{}\" of relation \"{}\" is violated by some row", check.name, table.name),
        )),
    }
}

/// Takes a renamed column into the rules that name it.
pub fn rename_column(rules: &mut Rules, old: &str, new: &str) -> Result<()> {
    struct Renamer<'a>(&'a str, &'a str);
    impl VisitorMut for Renamer<'_> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> ControlFlow<()> {
            let name = match expr {
                ast::Expr::Identifier(name) => Some(name),
                ast::Expr::CompoundIdentifier(parts) => parts.last_mut(),
                _ => None,
            };
            if let Some(name) = name.filter(|name| ident(name) == self.0) {
                *name = ast::Ident::with_quote('"', self.1);
            }
            ControlFlow::Continue(())
        }
    }
    let rename = |sql: &mut String| -> Result<()> {
        let mut expr = parse::parse_expr(sql)?;
        let before = expr.clone();
        let _ = VisitMut::visit(&mut expr, &mut Renamer(old, new));
        if expr != before {
            *sql = expr.to_string();
        }
        Ok(())
    };
    rules.checks.iter_mut().try_for_each(|c| rename(&mut c.sql))?;
    rules.generated.values_mut().try_for_each(rename)
}

/// Takes a dropped column out of the rules.
///
/// # Errors
/// 2BP01 when another column is computed from it.
pub fn drop_column(rules: &mut Rules, table: &Table, column: &Column) -> Result<()> {
    let uses = |sql: &str| -> Result<bool> {
        Ok(columns_of(&parse::parse_expr(sql)?, table).iter().any(|c| c.id == column.id))
    };
    rules.generated.remove(&column.id);
    rules.identity.remove(&column.id);
    for (id, sql) in &rules.generated {
        if uses(sql)? {
            let by = table.column_by_id(*id).map_or("", |c| c.name.as_str());
            return Err(Error::new(
                "2BP01",
                format!(
                    "cannot drop column {} of table {} because other objects depend on it",
                    column.name, table.name
                ),
            )
            .detail(format!("column {by} of table {} depends on column {}", table.name, column.name)));
        }
    }
    let mut kept = Vec::new();
    for check in std::mem::take(&mut rules.checks) {
        if !uses(&check.sql)? {
            kept.push(check);
        }
    }
    rules.checks = kept;
    Ok(())
}
