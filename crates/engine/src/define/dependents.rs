//! What is defined over a relation: it follows its names, guards its columns, and goes with it.

use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::parse::{ident, name_parts, parse_query};
use crate::query::{Relation, resolve};
use crate::work::Work;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::sql::sqlparser::ast::{self, TableFactor};
use highwater_model::job::Action;
use highwater_model::{CatalogChange, ContinuousAggregate, Table, TableId, TableKind};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The oid of a relation.
fn oid(relation: &Relation) -> u32 {
    match relation {
        Relation::Table(table) => table.id.0,
        Relation::Cagg(cagg) => cagg.id.0,
    }
}

/// The continuous aggregates whose definitions read a relation.
pub fn aggregates_over(work: &Work, relation: &Relation) -> Vec<Arc<ContinuousAggregate>> {
    let table = match relation {
        Relation::Table(table) => table.id,
        Relation::Cagg(cagg) => cagg.materialization,
    };
    let caggs = work.transaction.version().catalog().caggs.values();
    caggs.filter(|c| c.is_over(table) || c.joined.contains(&table)).cloned().collect()
}

/// The views that read a relation.
fn views_over(work: &Work, relation: &Relation) -> Result<Vec<Arc<Table>>> {
    let mut views = Vec::new();
    for view in work.transaction.version().catalog().tables.values() {
        let TableKind::View(query) = &view.kind else { continue };
        let query = parse_query(query)?;
        let reads = ast::visit_relations(query.as_ref(), |name| match work.resolve_kept(&name_parts(name)) {
            Ok(found) if oid(&found) == oid(relation) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        if reads.is_break() && view.id.0 != oid(relation) {
            views.push(view.clone());
        }
    }
    Ok(views)
}

/// Drops what is defined over a relation, or refuses to without `cascade`.
///
/// # Errors
/// 2BP01 without `cascade`, if there is something.
pub fn drop_over(work: &mut Work, relation: &Relation, cascade: bool) -> Result<()> {
    let (kind, name) = match relation {
        Relation::Table(table) if matches!(table.kind, TableKind::View(_)) => ("view", &table.name),
        Relation::Table(table) => ("table", &table.name),
        Relation::Cagg(cagg) => ("materialized view", &cagg.name),
    };
    let (aggregates, views) = (aggregates_over(work, relation), views_over(work, relation)?);
    let is_used = !aggregates.is_empty() || !views.is_empty();
    if is_used && !cascade {
        let names = aggregates.iter().map(|c| &c.name).chain(views.iter().map(|v| &v.name));
        let details: Vec<String> = names.map(|over| format!("view {over} depends on {kind} {name}")).collect();
        return Err(Error::new("2BP01", format!("cannot drop {kind} {name} because other objects depend on it"))
            .detail(details.join("\n"))
            .hint("Use DROP ... CASCADE to drop the dependent objects too."));
    }
    // One may go with another.
    for view in views {
        if work.transaction.version().catalog().tables.contains_key(&view.id) {
            super::table::drop_table(work, &view, true)?;
        }
    }
    for cagg in aggregates {
        drop_aggregate(work, &cagg, true)?;
    }
    Ok(())
}

/// Drops an aggregate, what it keeps and its policies; nothing if it is gone already.
pub fn drop_aggregate(work: &mut Work, cagg: &Arc<ContinuousAggregate>, cascade: bool) -> Result<()> {
    if !work.transaction.version().catalog().caggs.contains_key(&cagg.id) {
        return Ok(());
    }
    drop_over(work, &Relation::Cagg(cagg.clone()), cascade)?;
    drop_jobs(work, |action| match action {
        Action::Refresh { cagg: of, .. } => *of == cagg.id,
        Action::Retention { table, .. } | Action::Compression { table, .. } => *table == cagg.materialization,
        Action::Procedure { .. } => false,
    })?;
    work.change(CatalogChange::DropCagg(cagg.id))?;
    work.change(CatalogChange::DropTable(cagg.materialization))?;
    work.change(CatalogChange::DropTable(cagg.frozen_base))
}

/// Drops the jobs that do one of these things.
pub fn drop_jobs(work: &mut Work, does: impl Fn(&Action) -> bool) -> Result<()> {
    let jobs = work.transaction.version().catalog().jobs.values();
    let ids: Vec<_> = jobs.filter(|job| does(&job.action)).map(|job| job.id).collect();
    ids.into_iter().try_for_each(|id| work.change(CatalogChange::DropJob(id)))
}

/// Takes a column out of a table, as far as definitions are concerned.
///
/// * `without` – the table without it.
///
/// # Errors
/// 2BP01 when an aggregate or a view cannot be planned without it.
pub fn take_column(work: &mut Work, table: &Arc<Table>, without: &Table, column: &str) -> Result<()> {
    let before = work.transaction.version().catalog().tables.get(&table.id).cloned();
    let relation = Relation::Table(before.unwrap_or_else(|| table.clone()));
    let names: Vec<String> = without.columns.iter().map(|column| column.name.clone()).collect();
    recount_columns(work, &relation, &names)?;
    work.change(CatalogChange::PutTable(Arc::new(without.clone())))?;
    for cagg in aggregates_over(work, &relation) {
        if Definition::of(&work.planner().for_definition(&cagg), &cagg).is_err() {
            return Err(is_used(table, column, &cagg.name, "drop").hint("Drop the continuous aggregate first."));
        }
    }
    for view in views_over(work, &relation)? {
        let TableKind::View(query) = &view.kind else { continue };
        let plan = work.planner().without_temporary().plan_query(&*parse_query(query)?, &[]);
        let goes_on = plan.is_ok_and(|plan| super::replaceable(&view, &super::view_columns(&plan, &[])).is_ok());
        if !goes_on {
            return Err(is_used(table, column, &view.name, "drop").hint("Drop the view first."));
        }
    }
    Ok(())
}

/// Refuses what a table has become when an aggregate over it cannot be planned any more: all columns of two tables
/// that are united are as many.
///
/// # Errors
/// 2BP01 when there is one.
pub fn refuse_unplannable(work: &Work, table: TableId) -> Result<()> {
    let Some(table) = work.transaction.version().catalog().tables.get(&table) else { return Ok(()) };
    for cagg in aggregates_over(work, &Relation::Table(table.clone())) {
        if let Err(why) = Definition::of(&work.planner().for_definition(&cagg), &cagg) {
            let why = why.detail.unwrap_or(why.message);
            let kind = "continuous aggregate";
            return Err(cannot_change(("table", &table.name), kind, &cagg.name, why.trim_end_matches('.')));
        }
    }
    Ok(())
}

fn is_used(table: &Table, column: &str, over: &str, what: &str) -> Error {
    let message = format!("cannot {what} column {column} of table {} because other objects depend on it", table.name);
    Error::new("2BP01", message).detail(format!("view {over} depends on column {column} of table {}", table.name))
}

/// Refuses to change a column that an aggregate's definition names.
///
/// # Errors
/// 2BP01 when one does.
pub fn refuse_if_used(work: &Work, table: &Arc<Table>, column: &str, what: &str) -> Result<()> {
    for cagg in aggregates_over(work, &Relation::Table(table.clone())) {
        let planner = work.planner().with_search_path(&cagg.search_path);
        let plan = planner.plan_definition(&*parse_query(&cagg.query)?)?;
        let mut used = false;
        plan.apply(|node| {
            used |= node.expressions().iter().any(|e| e.column_refs().iter().any(|c| c.name == column));
            Ok(TreeNodeRecursion::Continue)
        })?;
        if used {
            return Err(is_used(table, column, &cagg.name, what).hint("Drop the continuous aggregate first."));
        }
    }
    Ok(())
}

/// Lets the views over an aggregate go on with its new definition.
///
/// # Errors
/// 2BP01 when one cannot be planned as before.
pub fn views_follow(work: &mut Work, cagg: &Arc<ContinuousAggregate>) -> Result<()> {
    for view in views_over(work, &Relation::Cagg(cagg.clone()))? {
        let TableKind::View(query) = &view.kind else { continue };
        let why = |e: Error| cannot_change(("continuous aggregate", &cagg.name), "view", &view.name, &e.message);
        let plan = work.planner().plan_query(&*parse_query(query)?, &[]).map_err(why)?;
        let columns = super::view_columns(&plan, &[]);
        super::replaceable(&view, &columns).map_err(why)?;
        let changed = Table { columns, ..view.as_ref().clone() };
        work.change(CatalogChange::PutTable(Arc::new(changed)))?;
    }
    Ok(())
}

/// Why the definition of an aggregate or the columns of a table cannot be changed.
///
/// * `what` – its kind and name.
pub fn cannot_change(what: (&str, &str), kind: &str, over: &str, why: &str) -> Error {
    let what = format!("{} {}", what.0, what.1);
    Error::new("2BP01", format!("cannot change {what} because other objects depend on it"))
        .detail(format!("{kind} {over} depends on {what}: {why}."))
        .hint("Drop what depends on it, or leave the columns that it needs.")
}

/// Lets the definitions over a relation follow its new schema and name. To be called while it has the old ones.
pub fn rename(work: &mut Work, relation: &Relation, new: &(String, String)) -> Result<()> {
    let quoted = |name: &String| ast::Ident::with_quote('"', name);
    rewrite(work, relation, |name, alias| {
        let old = name_parts(name).pop().unwrap_or_default();
        alias.get_or_insert_with(|| alias_as(&old));
        *name = ast::ObjectName::from(vec![quoted(&new.0), quoted(&new.1)]);
    })
}

/// Lets the definitions over a relation know its columns by the names that they have now, which are about to change.
pub fn keep_columns(work: &mut Work, relation: &Relation) -> Result<()> {
    let names = column_names(relation);
    rewrite(work, relation, |name, alias| {
        let old = name_parts(name).pop().unwrap_or_default();
        let alias = alias.get_or_insert_with(|| alias_as(&old));
        if alias.columns.is_empty() {
            alias.columns = names.iter().map(|name| column_alias(name)).collect();
        }
    })
}

/// Lets the definitions over a relation that know its columns by other names know those that it will have: they are
/// counted from the first.
pub fn recount_columns(work: &mut Work, relation: &Relation, new: &[String]) -> Result<()> {
    let old = column_names(relation);
    rewrite(work, relation, |_, alias| {
        let Some(alias) = alias.as_mut().filter(|alias| !alias.columns.is_empty()) else { return };
        let known = |name: &String| {
            let place = old.iter().position(|old| old == name)?;
            alias.columns.get(place).cloned()
        };
        let is_taken = |name: &String| alias.columns.iter().any(|column| ident(&column.name) == *name);
        // The name of a new column may be what the definition calls another one.
        let unused = |name: &String| {
            let mut name = name.clone();
            while is_taken(&name) {
                name.push('_');
            }
            column_alias(&name)
        };
        alias.columns = new.iter().map(|name| known(name).unwrap_or_else(|| unused(name))).collect();
    })
}

fn column_names(relation: &Relation) -> Vec<String> {
    match relation {
        Relation::Table(table) => table.columns.iter().map(|column| column.name.clone()).collect(),
        Relation::Cagg(cagg) => cagg.outputs.iter().map(|(name, _)| name.clone()).collect(),
    }
}

fn column_alias(name: &str) -> ast::TableAliasColumnDef {
    ast::TableAliasColumnDef { name: ast::Ident::with_quote('"', name), data_type: None }
}

fn alias_as(name: &str) -> ast::TableAlias {
    ast::TableAlias { explicit: true, name: ast::Ident::with_quote('"', name), columns: vec![], at: None }
}

/// Changes how the definitions over a relation, of aggregates and of views, name it.
fn rewrite(
    work: &mut Work,
    relation: &Relation,
    change: impl Fn(&mut ast::ObjectName, &mut Option<ast::TableAlias>),
) -> Result<()> {
    let version = work.transaction.version().clone();
    for cagg in aggregates_over(work, relation) {
        let is_it = |parts: &[String]| {
            resolve(&version, &cagg.search_path, parts).is_ok_and(|found| oid(&found) == oid(relation))
        };
        let query = rewritten(&cagg.query, &is_it, &change)?;
        if query != cagg.query {
            let changed = ContinuousAggregate { query, ..cagg.as_ref().clone() };
            work.change(CatalogChange::PutCagg(Arc::new(changed)))?;
        }
    }
    for view in views_over(work, relation)? {
        let TableKind::View(query) = &view.kind else { continue };
        let is_it = |parts: &[String]| work.resolve_kept(parts).is_ok_and(|found| oid(&found) == oid(relation));
        let rewritten = rewritten(query, &is_it, &change)?;
        if rewritten != *query {
            let changed = Table { kind: TableKind::View(rewritten), ..view.as_ref().clone() };
            work.change(CatalogChange::PutTable(Arc::new(changed)))?;
        }
    }
    Ok(())
}

/// A query with the names changed for which `is_it` holds.
fn rewritten(
    query: &str,
    is_it: &dyn Fn(&[String]) -> bool,
    change: &dyn Fn(&mut ast::ObjectName, &mut Option<ast::TableAlias>),
) -> Result<String> {
    struct Names<'a> {
        with: Vec<String>,
        is_it: &'a dyn Fn(&[String]) -> bool,
        change: &'a dyn Fn(&mut ast::ObjectName, &mut Option<ast::TableAlias>),
    }
    impl ast::VisitorMut for Names<'_> {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            if let TableFactor::Table { name, alias, args: None, .. } = factor {
                let parts = name_parts(name);
                let is_cte = parts.len() == 1 && self.with.contains(&parts[0]);
                if !is_cte && (self.is_it)(&parts) {
                    (self.change)(name, alias);
                }
            }
            ControlFlow::Continue(())
        }
    }
    let mut query = parse_query(query)?;
    let with = query.with.iter().flat_map(|with| &with.cte_tables).map(|cte| ident(&cte.alias.name)).collect();
    let _ = ast::VisitMut::visit(query.as_mut(), &mut Names { with, is_it, change });
    Ok(query.to_string())
}
