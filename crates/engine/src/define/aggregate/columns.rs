//! ALTER MATERIALIZED VIEW … ADD COLUMN and DROP COLUMN: another output in the definition, or one less.

use super::planned::Planned;
use super::refuse_form;
use super::replace::{Fill, IfUnknown, replace};
use crate::error::{Error, Notice, Result};
use crate::parse::{AddedOutput, ident, parse_expr, parse_query};
use crate::work::Work;
use datafusion::sql::sqlparser::ast::{self, Expr, GroupByExpr, SelectItem, SetExpr};
use highwater_model::{ContinuousAggregate, Output};
use std::sync::Arc;

/// Adds an output: an expression over aggregates of the rows, and over the group keys.
pub async fn add(work: &mut Work, cagg: &Arc<ContinuousAggregate>, added: &AddedOutput) -> Result<()> {
    let AddedOutput { name, if_not_exists, data_type, value } = added;
    let name = ident(name);
    if cagg.outputs.iter().any(|(output, _)| *output == name) {
        let message = format!("column \"{name}\" of relation \"{}\" already exists", cagg.name);
        if *if_not_exists {
            work.notice(Notice::new(format!("{message}, skipping")));
            return Ok(());
        }
        return Err(Error::new("42701", message));
    }
    let declared = work.type_names().column_type(data_type)?;
    let with = |value: Expr| -> Result<ast::Query> {
        let mut query = *parse_query(&cagg.query)?;
        let items = outputs_of(&mut query)?;
        // A column that was renamed has its first name in the query.
        let is_taken = |alias: &str| items.iter().any(|item| called(item).as_deref() == Some(alias));
        let mut alias = name.clone();
        while is_taken(&alias) {
            alias.push('_');
        }
        items.push(SelectItem::ExprWithAlias { expr: value, alias: ast::Ident::with_quote('"', alias) });
        Ok(query)
    };
    let query = with(value.clone())?;
    refuse_form(&query)?;
    let mut planned = plan(work, cagg, &query)?;
    let shown = planned.definition.shown()?;
    if shown.last().is_some_and(|(_, column_type, _)| *column_type != declared) {
        let query = with(parse_expr(&format!("CAST(({value}) AS {data_type})"))?)?;
        planned = plan(work, cagg, &query)?;
    }
    planned.warn_of_finished(work)?;
    let names = cagg.outputs.iter().map(|(name, _)| name.clone()).chain([name]).collect();
    replace(work, cagg, cagg.as_ref().clone(), planned.with_names(names), Fill::Materialized, IfUnknown::Refuse).await
}

/// Takes an output away.
///
/// # Errors
/// 42703 when there is none; 0A000 when it is a group key; 2BP01 when something reads it.
pub async fn drop(work: &mut Work, cagg: &Arc<ContinuousAggregate>, name: &ast::Ident, if_exists: bool) -> Result<()> {
    let name = ident(name);
    let Some(place) = cagg.outputs.iter().position(|(output, _)| *output == name) else {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", cagg.name);
        if if_exists {
            work.notice(Notice::new(format!("{message}, skipping")));
            return Ok(());
        }
        return Err(Error::new("42703", message));
    };
    if let Output::Kept(id) = &cagg.outputs[place].1
        && (*id == cagg.bucket_column || cagg.group_columns.contains(id))
    {
        return Err(Error::unsupported(format!(
            "cannot drop column \"{name}\" of continuous aggregate \"{}\"",
            cagg.name
        ))
        .detail("Its rows are grouped by it.")
        .hint("Use CREATE OR REPLACE MATERIALIZED VIEW to group by something else."));
    }
    let mut query = *parse_query(&cagg.query)?;
    outputs_of(&mut query)?.remove(place);
    // What is kept has no order.
    query.order_by = None;
    renumber_groups(&mut query, place);
    let planned = plan(work, cagg, &query).map_err(|e| match e.sqlstate {
        "42703" => Error::new(
            "2BP01",
            format!("cannot drop column {name} of {} because other columns depend on it", cagg.name),
        )
        .detail(format!("Without it, {}.", e.message)),
        _ => e,
    })?;
    let mut names: Vec<String> = cagg.outputs.iter().map(|(name, _)| name.clone()).collect();
    names.remove(place);
    replace(work, cagg, cagg.as_ref().clone(), planned.with_names(names), Fill::Materialized, IfUnknown::Refuse).await
}

fn plan(work: &Work, cagg: &ContinuousAggregate, query: &ast::Query) -> Result<Planned> {
    let planner = work.planner().for_definition(cagg);
    Planned::new(work, &planner, query, &format!("{}.{}", cagg.schema, cagg.name))
}

fn outputs_of(query: &mut ast::Query) -> Result<&mut Vec<SelectItem>> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Ok(&mut select.projection),
        other => Err(Error::unsupported(format!("{other} has no list of columns"))),
    }
}

/// What an item of a SELECT list is called by itself.
fn called(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(ident(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(ident(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().map(ident),
        _ => None,
    }
}

/// Lets `GROUP BY 3` mean what it meant before the output at `place` was removed.
fn renumber_groups(query: &mut ast::Query, place: usize) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let GroupByExpr::Expressions(groups, _) = &mut select.group_by else { return };
    for group in groups {
        let Expr::Value(value) = group else { continue };
        let ast::Value::Number(digits, _) = &mut value.value else { continue };
        if let Ok(number) = digits.parse::<usize>()
            && number > place + 1
        {
            *digits = (number - 1).to_string();
        }
    }
}
