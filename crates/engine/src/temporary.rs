//! Temporary tables: they are in a schema of their session's own, before all others on its search path, and go when
//! the session ends.
//!
//! To the store they are tables like any other, so they are written to the log, and a transaction has them as it has
//! everything else. Those of sessions that a crash ended are dropped when the database is opened.

use crate::database::Engine;
use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::query::Relation;
use crate::work::Work;
use crate::{define, parse};
use datafusion::sql::sqlparser::ast;
use highwater_model::{CatalogChange, TableId};
use highwater_store::Transaction;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What the schemas of temporary tables begin with; by itself, what each session calls its own.
const PREFIX: &str = "pg_temp";

/// The temporary tables of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Temporary {
    /// The schema they are in.
    pub schema: String,
    /// What happens to them, or their rows, at the end of each transaction.
    on_commit: BTreeMap<TableId, OnCommit>,
}

/// What happens at the end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnCommit {
    DeleteRows,
    Drop,
}

/// Whether a schema is that of a session's temporary tables.
pub fn is_temporary(schema: &str) -> bool {
    schema.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Whether a name says that it is of a temporary table.
pub fn names_temporary(name: &ast::ObjectName) -> bool {
    matches!(parse::name_parts(name).as_slice(), [.., schema, _] if is_temporary(schema))
}

/// The schema and name of a new temporary table; the schema is made when it is the session's first.
///
/// # Errors
/// 42P16 when the name has another schema.
pub fn new_name(work: &mut Work, name: &ast::ObjectName) -> Result<(String, String)> {
    let own = format!("{PREFIX}_{}", work.session);
    let name = match parse::name_parts(name).as_slice() {
        [name] => name.clone(),
        [schema, name] if schema == PREFIX || *schema == own => name.clone(),
        _ => return Err(Error::new("42P16", "cannot create temporary relation in non-temporary schema")),
    };
    if !work.transaction.version().catalog().schemas.contains_key(&own) {
        let oid = work.engine.store.take_oid();
        work.change(CatalogChange::PutSchema(own.clone(), oid))?;
    }
    let temporary = Temporary { schema: own.clone(), on_commit: BTreeMap::new() };
    work.settings.temporary.get_or_insert_with(|| Arc::new(temporary));
    Ok((own, name))
}

/// Remembers what happens to a new temporary table at the end of each transaction.
///
/// # Errors
/// 42P16 when it is not temporary.
pub fn at_commit(work: &mut Work, table: TableId, temporary: bool, clause: Option<&ast::OnCommit>) -> Result<()> {
    let action = match clause {
        None => return Ok(()),
        Some(_) if !temporary => {
            return Err(Error::new("42P16", "ON COMMIT can only be used on temporary tables"));
        }
        Some(ast::OnCommit::PreserveRows) => return Ok(()),
        Some(ast::OnCommit::DeleteRows) => OnCommit::DeleteRows,
        Some(ast::OnCommit::Drop) => OnCommit::Drop,
    };
    let temporary = work.settings.temporary.as_mut();
    let temporary = temporary.ok_or_else(|| Error::internal("a temporary table has a schema"))?;
    Arc::make_mut(temporary).on_commit.insert(table, action);
    Ok(())
}

impl Temporary {
    /// Does what is to be done at the end of a transaction.
    pub fn end_transaction(self: &mut Arc<Self>, transaction: &mut Transaction) -> Result<()> {
        for (table, action) in self.on_commit.clone() {
            let version = transaction.version();
            if !version.catalog().tables.contains_key(&table) {
                // It was dropped.
                Arc::make_mut(self).on_commit.remove(&table);
                continue;
            }
            match action {
                OnCommit::DeleteRows if version.table(table).row_count == 0 => {}
                OnCommit::DeleteRows => transaction.truncate(table)?,
                OnCommit::Drop => {
                    transaction.change(CatalogChange::DropTable(table))?;
                    Arc::make_mut(self).on_commit.remove(&table);
                }
            }
        }
        Ok(())
    }
}

/// Drops all temporary tables of a statement's session.
pub fn discard(work: &mut Work) -> Result<()> {
    match work.settings.temporary.take() {
        Some(temporary) => define::drop_schema(work, &temporary.schema, true, true),
        None => Ok(()),
    }
}

/// Refuses a query that reads temporary tables where it would be kept: they go before it.
///
/// # Errors
/// 0A000 when it does.
pub fn refuse_in(work: &Work, query: &ast::Query, kept_by: &str) -> Result<()> {
    if work.settings.temporary.is_none() {
        return Ok(());
    }
    let found = ast::visit_relations(query, |name| match work.resolve(&parse::name_parts(name)) {
        Ok(Relation::Table(table)) if is_temporary(&table.schema) => ControlFlow::Break(table.name.clone()),
        _ => ControlFlow::Continue(()),
    });
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(name) => {
            Err(Error::unsupported(format!("{kept_by} over the temporary table \"{name}\" are not supported"))
                .hint("Create the table without TEMPORARY."))
        }
    }
}

/// Drops what sessions that have ended left in these schemas.
///
/// # Errors
/// What committing gives.
pub async fn clear(instance: &Arc<Instance>, engine: &Arc<Engine>, schemas: &[String]) -> Result<()> {
    loop {
        let mut work = Work::alone(instance, engine, "postgres");
        for schema in schemas {
            define::drop_schema(&mut work, schema, true, true)?;
        }
        match engine.commit(work.transaction, true).await {
            Err(e) if e.sqlstate == "40001" => continue,
            result => return result,
        }
    }
}

/// The schemas of temporary tables that there are.
pub fn schemas(engine: &Engine) -> Vec<String> {
    let transaction = engine.store.begin();
    let schemas = transaction.version().catalog().schemas.keys();
    schemas.filter(|schema| is_temporary(schema)).cloned().collect()
}
