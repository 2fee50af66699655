//! Statements that define things.

mod aggregate;
mod compression;
mod dependents;
mod enumeration;
mod hypertable;
mod like;
mod rules;
mod sequence;
mod table;

pub use aggregate::{alter_aggregate, create_aggregate};
pub use compression::CompressionOptions;
pub use hypertable::{Partition, make_hypertable};
pub use rules::columns_of;
pub use sequence::{Alter, alter as alter_sequence, restart_owned};
pub use table::{create_table, select_into, set_schema, set_table_options};

use crate::error::{Error, Notice, Result};
use crate::parse::{self, AlterNamed, ident};
use crate::query::Relation;
use crate::session::Outcome;
use crate::work::Work;
use crate::{procedure, temporary};
use arrow::datatypes::FieldRef;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{self, ObjectType};
use highwater_model::catalog::Function;
use highwater_model::{CatalogChange, TableKind};
use std::sync::Arc;

/// Executes a statement that defines, alters or drops something.
///
/// # Errors
/// 0A000 for a statement that is not supported.
pub async fn execute(work: &mut Work, statement: &ast::Statement) -> Result<Outcome> {
    use ast::Statement as Sql;
    match statement {
        Sql::CreateTable(table) => table::create_table(work, table, &[], &Vec::new()).await,
        Sql::CreateIndex(index) => table::create_index(work, index),
        Sql::AlterTable(alter) => table::alter_table(work, alter).await,
        Sql::CreateView(view) => create_view(work, view),
        Sql::CreateSchema { schema_name, if_not_exists, .. } => create_schema(work, schema_name, *if_not_exists),
        Sql::CreateDatabase { db_name, .. } => {
            let name = parse::name_parts(db_name).join(".");
            outside_of_block(work, "CREATE DATABASE")?;
            work.instance.create_database(&name).await?;
            done("CREATE DATABASE")
        }
        Sql::CreateType { name, representation } => enumeration::create(work, name, representation.as_ref()),
        Sql::AlterType(alter) => enumeration::alter(work, alter),
        Sql::CreateSequence { temporary: true, .. } => Err(Error::unsupported("temporary sequences are not supported")
            .hint("Create a sequence in a schema of its own and drop it.")),
        Sql::CreateSequence { if_not_exists, name, data_type, sequence_options, owned_by, .. } => {
            sequence::create(work, name, *if_not_exists, data_type.as_ref(), sequence_options, owned_by.as_ref())
        }
        Sql::CreateFunction(function) => create_function(work, function, false),
        Sql::DropFunction(drop) => {
            for target in &drop.func_desc {
                drop_function(work, &target.name, drop.if_exists)?;
            }
            done("DROP FUNCTION")
        }
        Sql::DropProcedure { proc_desc, if_exists, .. } => {
            for target in proc_desc {
                drop_function(work, &target.name, *if_exists)?;
            }
            done("DROP PROCEDURE")
        }
        Sql::DropExtension(drop) => {
            for name in &drop.names {
                let name = ident(name);
                if !work.transaction.version().catalog().extensions.contains(&name) && !drop.if_exists {
                    return Err(Error::new("42704", format!("extension \"{name}\" does not exist")));
                }
                work.change(CatalogChange::DropExtension(name))?;
            }
            done("DROP EXTENSION")
        }
        Sql::Drop { object_type, names, if_exists, cascade, .. } => {
            drop_objects(work, object_type, names, *if_exists, *cascade).await
        }
        Sql::Comment { object_type, object_name, comment, if_exists } => {
            let name = parse::name_parts(object_name);
            if matches!(object_type, ast::CommentObject::Table) && !if_exists {
                work.resolve(&name)?;
            }
            work.change(CatalogChange::Comment(format!("{object_type}:{}", name.join(".")), comment.clone()))?;
            done("COMMENT")
        }
        Sql::Lock(_) | Sql::LockTables { .. } => done("LOCK TABLE"),
        Sql::CreateTrigger(_) => Err(Error::unsupported("triggers are not supported")
            .hint("A continuous aggregate keeps derived rows up to date by itself.")),
        other => {
            let text = other.to_string();
            let words: Vec<&str> = text.split_whitespace().take(2).collect();
            Err(Error::unsupported(format!("{} is not supported", words.join(" "))))
        }
    }
}

/// ALTER INDEX and ALTER VIEW, which can rename.
pub fn alter_named(work: &mut Work, alter: &AlterNamed) -> Result<Outcome> {
    let parts = parse::name_parts(&alter.name);
    match (&alter.rename, alter.of_view) {
        (Some(new), true) => table::rename_view(work, &parts, alter.if_exists, ident(new))?,
        (Some(new), false) => table::rename_index(work, &parts, alter.if_exists, ident(new))?,
        // There is one owner.
        (None, _) => {}
    }
    done(if alter.of_view { "ALTER VIEW" } else { "ALTER INDEX" })
}

/// COMMENT ON CONSTRAINT.
pub fn comment_on_constraint(
    work: &mut Work,
    name: &ast::Ident,
    table: &ast::ObjectName,
    comment: Option<String>,
) -> Result<Outcome> {
    let (name, table) = (ident(name), work.table(table)?);
    let is_key = table.indexes.iter().any(|i| i.constraint && i.name == name);
    if !is_key && !rules::of(work, &table).checks.iter().any(|check| check.name == name) {
        return Err(Error::new("42704", format!("constraint \"{name}\" for table \"{}\" does not exist", table.name)));
    }
    let on = format!("CONSTRAINT:{}.{}.{name}", table.schema, table.name);
    work.change(CatalogChange::Comment(on, comment))?;
    done("COMMENT")
}

pub(crate) fn done(tag: &str) -> Result<Outcome> {
    Ok(Outcome::Done(tag.to_owned()))
}

fn outside_of_block(work: &Work, what: &str) -> Result<()> {
    if work.autocommit {
        return Ok(());
    }
    Err(Error::new("25001", format!("{what} cannot run inside a transaction block")))
}

/// CREATE EXTENSION: what it would bring is built in.
pub fn create_extension(work: &mut Work, name: &str, if_not_exists: bool) -> Result<Outcome> {
    if !matches!(
        name,
        "timescaledb"
            | "timescaledb_toolkit"
            | "plpgsql"
            | "uuid-ossp"
            | "pgcrypto"
            | "btree_gist"
            | "pg_stat_statements"
    ) {
        return Err(Error::unsupported(format!("extension \"{name}\" is not available")));
    }
    if work.transaction.version().catalog().extensions.contains(name) {
        if !if_not_exists {
            return Err(Error::new("42710", format!("extension \"{name}\" already exists")));
        }
        work.notice(Notice::new(format!("extension \"{name}\" already exists, skipping")));
        return done("CREATE EXTENSION");
    }
    work.change(CatalogChange::PutExtension(name.to_owned()))?;
    done("CREATE EXTENSION")
}

fn create_schema(work: &mut Work, name: &ast::SchemaName, if_not_exists: bool) -> Result<Outcome> {
    let name = match name {
        ast::SchemaName::Simple(name) | ast::SchemaName::NamedAuthorization(name, _) => {
            parse::name_parts(name).join(".")
        }
        ast::SchemaName::UnnamedAuthorization(user) => ident(user),
    };
    if name.starts_with("pg_") {
        return Err(Error::new("42939", format!("unacceptable schema name \"{name}\""))
            .detail("The prefix \"pg_\" is reserved for system schemas."));
    }
    if work.transaction.version().catalog().schemas.contains_key(&name) {
        if !if_not_exists {
            return Err(Error::new("42P06", format!("schema \"{name}\" already exists")));
        }
        work.notice(Notice::new(format!("schema \"{name}\" already exists, skipping")));
        return done("CREATE SCHEMA");
    }
    let oid = work.engine.store.take_oid();
    work.change(CatalogChange::PutSchema(name, oid))?;
    done("CREATE SCHEMA")
}

fn create_view(work: &mut Work, view: &ast::CreateView) -> Result<Outcome> {
    if view.materialized {
        return Err(Error::unsupported("plain materialized views are not supported")
            .hint("Use WITH (timescaledb.continuous) and a time_bucket."));
    }
    if view.temporary || temporary::names_temporary(&view.name) {
        return Err(Error::unsupported("temporary views are not supported").hint("Use WITH, or a temporary table."));
    }
    temporary::refuse_in(work, &view.query, "views")?;
    let (schema, name) = work.new_name(&view.name)?;
    let existing = work.transaction.version().catalog().table(&schema, &name).cloned();
    let id = match (&existing, view.or_replace) {
        (Some(table), true) if matches!(table.kind, TableKind::View(_)) => table.id,
        (None, _) if !work.transaction.version().catalog().is_taken(&schema, &name) => {
            highwater_model::TableId(work.engine.store.take_oid())
        }
        _ => return Err(Error::new("42P07", format!("relation \"{name}\" already exists"))),
    };
    let mut query = view.query.to_string();
    let plan = work.planner().plan_query(&view.query, &[])?;
    if !view.columns.is_empty() {
        let names: Vec<String> = view.columns.iter().map(|c| c.name.to_string()).collect();
        query = format!("SELECT * FROM ({query}) AS \"_view\" ({})", names.join(", "));
    }
    let columns = view_columns(&plan, &view.columns);
    if let Some(old) = &existing {
        replaceable(old, &columns)?;
        if let Some(cagg) = dependents::aggregates_over(work, &Relation::Table(old.clone())).first() {
            return Err(Error::unsupported(format!("cannot replace view {}", old.name))
                .detail(format!("The continuous aggregate {} is computed from it.", cagg.name))
                .hint("Drop the continuous aggregate first."));
        }
    }
    let table = highwater_model::Table {
        id,
        schema,
        name,
        columns,
        next_column: 1,
        indexes: Vec::new(),
        hypertable: None,
        kind: TableKind::View(query),
    };
    work.change(CatalogChange::PutTable(Arc::new(table)))?;
    done("CREATE VIEW")
}

/// The columns of a view.
///
/// * `names` – those that are given to the first of them.
fn view_columns(plan: &LogicalPlan, names: &[ast::ViewColumnDef]) -> Vec<highwater_model::Column> {
    let schema = crate::names::displayed(&Arc::new(plan.schema().as_arrow().clone()));
    let column = |(i, field): (usize, &FieldRef)| highwater_model::Column {
        id: highwater_model::ColumnId(i as u32 + 1),
        name: names.get(i).map_or_else(|| field.name().clone(), |c| ident(&c.name)),
        column_type: highwater_store::schema::field_type(field).unwrap_or(highwater_model::ColumnType::Text),
        not_null: false,
        default: None,
        missing: None,
    };
    schema.fields().iter().enumerate().map(column).collect()
}

/// A view may only get columns at its end when it is replaced.
fn replaceable(old: &highwater_model::Table, new: &[highwater_model::Column]) -> Result<()> {
    for (i, was) in old.columns.iter().enumerate() {
        let error = match new.get(i) {
            None => "cannot drop columns from view".to_owned(),
            Some(is) if is.name != was.name => {
                format!("cannot change name of view column \"{}\" to \"{}\"", was.name, is.name)
            }
            Some(is) if is.column_type != was.column_type => format!(
                "cannot change data type of view column \"{}\" from {} to {}",
                was.name, was.column_type, is.column_type
            ),
            Some(_) => continue,
        };
        return Err(Error::new("42P16", error).hint("Drop the view and create it again."));
    }
    Ok(())
}

/// CREATE FUNCTION and CREATE PROCEDURE.
pub fn create_function(work: &mut Work, function: &ast::CreateFunction, is_procedure: bool) -> Result<Outcome> {
    let (schema, name) = work.new_name(&function.name)?;
    let kind = if is_procedure { "procedure" } else { "function" };
    let language = function.language.as_ref().map(ident).unwrap_or_else(|| "sql".to_owned());
    if language != "sql" {
        return Err(Error::unsupported(format!("{kind}s in language {language} are not supported"))
            .hint("Write it in SQL: LANGUAGE sql."));
    }
    let body = match &function.function_body {
        Some(
            ast::CreateFunctionBody::AsBeforeOptions { body: e, .. }
            | ast::CreateFunctionBody::AsAfterOptions(e)
            | ast::CreateFunctionBody::Return(e),
        ) => text_of(e),
        _ => return Err(Error::unsupported(format!("a {kind} needs a body AS '…'"))),
    };
    let mut arguments = Vec::new();
    for argument in function.args.iter().flatten() {
        arguments.push((argument.name.as_ref().map(ident).unwrap_or_default(), argument.data_type.to_string()));
    }
    let returns = match &function.return_type {
        Some(ast::FunctionReturnType::DataType(t)) => {
            work.type_names().column_type(t)?;
            Some(t.to_string())
        }
        Some(_) => return Err(Error::unsupported("functions that return sets are not supported")),
        None if is_procedure => {
            procedure::statements(&body)?;
            None
        }
        None => return Err(Error::new("42P13", "function result type must be specified").hint("Add RETURNS.")),
    };
    let exists = work.transaction.version().catalog().functions.contains_key(&(schema.clone(), name.clone()));
    if exists && !function.or_replace {
        return Err(Error::new("42723", format!("{kind} \"{name}\" already exists with same argument types")));
    }
    let id = work.engine.store.take_oid();
    work.change(CatalogChange::PutFunction(Arc::new(Function { id, schema, name, arguments, returns, body })))?;
    done(if is_procedure { "CREATE PROCEDURE" } else { "CREATE FUNCTION" })
}

fn text_of(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::DollarQuotedString(s) => s.value.clone(),
            ast::Value::SingleQuotedString(s) => s.clone(),
            other => other.to_string(),
        },
        other => format!("SELECT {other}"),
    }
}

fn drop_function(work: &mut Work, name: &ast::ObjectName, if_exists: bool) -> Result<()> {
    let parts = parse::name_parts(name);
    match find_function(work, &parts) {
        Some(function) => work.change(CatalogChange::DropFunction(function.schema.clone(), function.name.clone())),
        None if if_exists => {
            work.notice(Notice::new(format!("function {}() does not exist, skipping", parts.join("."))));
            Ok(())
        }
        None => Err(Error::new("42883", format!("function {} does not exist", parts.join(".")))),
    }
}

/// The user's function with this name.
pub fn find_function(work: &Work, parts: &[String]) -> Option<Arc<Function>> {
    let functions = &work.transaction.version().catalog().functions;
    match parts {
        [name] => {
            let path = work.settings.search_path(&work.user);
            path.into_iter().find_map(|schema| functions.get(&(schema, name.clone())).cloned())
        }
        [.., schema, name] => functions.get(&(schema.clone(), name.clone())).cloned(),
        [] => None,
    }
}

async fn drop_objects(
    work: &mut Work,
    object_type: &ObjectType,
    names: &[ast::ObjectName],
    if_exists: bool,
    cascade: bool,
) -> Result<Outcome> {
    for name in names {
        let parts = parse::name_parts(name);
        match object_type {
            ObjectType::Schema => drop_schema(work, &parts.join("."), if_exists, cascade)?,
            ObjectType::Database => {
                outside_of_block(work, "DROP DATABASE")?;
                work.instance.drop_database(&parts.join("."), if_exists, &work.engine.name).await?;
            }
            ObjectType::Sequence => sequence::drop(work, &parts, if_exists, cascade)?,
            ObjectType::Type => enumeration::drop(work, &parts, if_exists, cascade)?,
            ObjectType::Index => table::drop_index(work, &parts, if_exists)?,
            ObjectType::Table | ObjectType::View | ObjectType::MaterializedView => {
                drop_relation(work, object_type, &parts, if_exists, cascade)?;
            }
            other => return Err(Error::unsupported(format!("DROP {other} is not supported"))),
        }
    }
    done(&format!("DROP {object_type}"))
}

/// DROP SCHEMA.
pub fn drop_schema(work: &mut Work, name: &str, if_exists: bool, cascade: bool) -> Result<()> {
    let catalog = work.transaction.version().catalog().clone();
    if !catalog.schemas.contains_key(name) {
        if if_exists {
            work.notice(Notice::new(format!("schema \"{name}\" does not exist, skipping")));
            return Ok(());
        }
        return Err(Error::new("3F000", format!("schema \"{name}\" does not exist")));
    }
    let caggs: Vec<_> = catalog.caggs.values().filter(|c| c.schema == name).cloned().collect();
    let tables: Vec<_> = catalog
        .tables
        .values()
        .filter(|t| t.schema == name && matches!(t.kind, TableKind::Table | TableKind::View(_)))
        .cloned()
        .collect();
    let enums: Vec<u32> = catalog.objects.enums.values().filter(|t| t.schema == name).map(|t| t.id).collect();
    let sequences: Vec<u32> =
        catalog.objects.sequences.values().filter(|s| s.schema == name && s.owner.is_none()).map(|s| s.id).collect();
    let is_empty = caggs.is_empty() && tables.is_empty() && enums.is_empty() && sequences.is_empty();
    if !is_empty && !cascade {
        return Err(Error::new("2BP01", format!("cannot drop schema {name} because other objects depend on it"))
            .hint("Use DROP ... CASCADE to drop the dependent objects too."));
    }
    for cagg in caggs {
        dependents::drop_aggregate(work, &cagg, true)?;
    }
    for table in tables {
        if work.transaction.version().catalog().tables.contains_key(&table.id) {
            table::drop_table(work, &table, true)?;
        }
    }
    for id in sequences {
        work.change(CatalogChange::DropSequence(id))?;
    }
    for id in enums {
        enumeration::drop_enum(work, id, true)?;
    }
    work.change(CatalogChange::DropSchema(name.to_owned()))
}

fn drop_relation(
    work: &mut Work,
    object_type: &ObjectType,
    parts: &[String],
    if_exists: bool,
    cascade: bool,
) -> Result<()> {
    let shown = parts.join(".");
    let kind = match object_type {
        ObjectType::Table => "table",
        ObjectType::View => "view",
        _ => "materialized view",
    };
    let relation = match work.resolve(parts) {
        Ok(relation) => relation,
        Err(_) if if_exists => {
            work.notice(Notice::new(format!("{kind} \"{shown}\" does not exist, skipping")));
            return Ok(());
        }
        Err(e) if e.sqlstate == "42P01" => {
            return Err(Error::new("42P01", format!("{kind} \"{shown}\" does not exist")));
        }
        Err(e) => return Err(e),
    };
    match (relation, object_type) {
        (Relation::Cagg(cagg), ObjectType::MaterializedView) => dependents::drop_aggregate(work, &cagg, cascade),
        (Relation::Cagg(_), ObjectType::View) => {
            Err(Error::unsupported("cannot drop continuous aggregate using DROP VIEW")
                .hint("Use DROP MATERIALIZED VIEW to drop a continuous aggregate."))
        }
        (Relation::Cagg(cagg), _) => Err(Error::new("42809", format!("\"{}\" is not a table", cagg.name))
            .hint("Use DROP MATERIALIZED VIEW to remove a materialized view.")),
        (Relation::Table(table), ObjectType::Table) if !matches!(table.kind, TableKind::View(_)) => {
            work.refuse_kept(&table)?;
            table::drop_table(work, &table, cascade)
        }
        (Relation::Table(table), ObjectType::View) if matches!(table.kind, TableKind::View(_)) => {
            table::drop_table(work, &table, cascade)
        }
        (Relation::Table(table), _) => Err(Error::new("42809", format!("\"{}\" is not a {kind}", table.name))),
    }
}
