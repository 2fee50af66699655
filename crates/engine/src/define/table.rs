//! CREATE, ALTER and DROP TABLE and INDEX.

use super::compression::{self, CompressionOptions};
use super::{dependents, done, hypertable, like, rules, sequence};
use crate::error::{Error, Notice, Result};
use crate::operator::refused::check_collation;
use crate::parse::{self, Like, Options, ident};
use crate::query::Relation;
use crate::session::Outcome;
use crate::work::Work;
use crate::write::insert_all;
use crate::{convert, temporary};
use arrow::array::RecordBatch;
use datafusion::common::DFSchema;
use datafusion::sql::sqlparser::ast::{self, AlterColumnOperation, AlterTableOperation, ColumnOption, TableConstraint};
use highwater_model::job::Action;
use highwater_model::{
    CatalogChange, Column, ColumnId, Identity, Index, IndexColumn, Output, Rules, Sequence, Table, TableId, TableKind,
};
use highwater_store::unique;
use std::sync::Arc;

/// CREATE TABLE, with the tables whose columns it takes over, and storage options.
pub async fn create_table(
    work: &mut Work,
    create: &ast::CreateTable,
    likes: &[Like],
    options: &Options,
) -> Result<Outcome> {
    let temporary = create.temporary || temporary::names_temporary(&create.name);
    let (schema, name) = new_name(work, &create.name, temporary)?;
    if work.transaction.version().catalog().is_taken(&schema, &name) {
        if create.if_not_exists {
            work.notice(Notice::new(format!("relation \"{name}\" already exists, skipping")));
            return done("CREATE TABLE");
        }
        return Err(Error::new("42P07", format!("relation \"{name}\" already exists")));
    }
    if create.inherits.is_some() {
        return Err(Error::unsupported("tables that inherit are not supported").hint("Write the columns out."));
    }
    if create.partition_by.is_some() {
        return Err(Error::unsupported("PARTITION BY is not supported")
            .hint("Make it a hypertable, which is cut by time: SELECT create_hypertable('…', 'time')."));
    }
    let mut table = new_table(work, schema, name);
    temporary::at_commit(work, table.id, temporary, create.on_commit.as_ref())?;
    if let Some(query) = &create.query {
        return create_table_as(work, table, &create.columns, query).await;
    }
    let mut added = Added::default();
    for place in 0..=create.columns.len() {
        for like in likes.iter().filter(|like| like.place == place) {
            like::add_columns(work, &mut table, like, &mut added)?;
        }
        if let Some(definition) = create.columns.get(place) {
            add_column(work, &mut table, definition, &mut added)?;
        }
    }
    // Computed columns may name those after them.
    for (id, expr) in std::mem::take(&mut added.generated) {
        rules::add_generated(work, &table, &mut added.rules, id, &expr)?;
    }
    for (column, name, expr) in std::mem::take(&mut added.checks) {
        rules::add_check(work, &table, &mut added.rules, name, Some(&column), &expr)?;
    }
    for constraint in &create.constraints {
        add_constraint(work, &mut table, constraint, &mut added.rules)?;
    }
    for (source, index) in std::mem::take(&mut added.indexes) {
        like::add_index(work, &mut table, &source, &index)?;
    }
    let partition = hypertable::partition_of_options(work, &table, options)?;
    work.change(CatalogChange::PutTable(Arc::new(table.clone())))?;
    added.put(work, &table)?;
    if let Some(partition) = partition {
        hypertable::make_hypertable(work, &Arc::new(table), &partition)?;
    }
    done("CREATE TABLE")
}

/// The schema and name of a new table.
fn new_name(work: &mut Work, name: &ast::ObjectName, temporary: bool) -> Result<(String, String)> {
    if temporary { temporary::new_name(work, name) } else { work.new_name(name) }
}

fn new_table(work: &Work, schema: String, name: String) -> Table {
    Table {
        id: TableId(work.engine.store.take_oid()),
        schema,
        name,
        columns: Vec::new(),
        next_column: 1,
        indexes: Vec::new(),
        hypertable: None,
        kind: TableKind::Table,
    }
}

/// SELECT … INTO: CREATE TABLE … AS.
pub async fn select_into(work: &mut Work, into: &ast::SelectInto, query: &ast::Query) -> Result<Outcome> {
    let temporary = into.temporary || temporary::names_temporary(&into.name);
    let (schema, name) = new_name(work, &into.name, temporary)?;
    if work.transaction.version().catalog().is_taken(&schema, &name) {
        return Err(Error::new("42P07", format!("relation \"{name}\" already exists")));
    }
    let table = new_table(work, schema, name);
    create_table_as(work, table, &[], query).await
}

async fn create_table_as(
    work: &mut Work,
    mut table: Table,
    names: &[ast::ColumnDef],
    query: &ast::Query,
) -> Result<Outcome> {
    let planner = work.planner();
    let plan = planner.plan_query(query, &[])?;
    let schema = crate::names::displayed(&Arc::new(plan.schema().as_arrow().clone()));
    for (i, field) in schema.fields().iter().enumerate() {
        let column_type = highwater_store::schema::field_type(field)
            .ok_or_else(|| Error::unsupported(format!("a column of type {} cannot be kept", field.data_type())))?;
        let name = names.get(i).map_or_else(|| field.name().clone(), |c| ident(&c.name));
        if table.column(&name).is_some() {
            return Err(Error::new("42701", format!("column \"{name}\" specified more than once")));
        }
        let id = ColumnId(table.next_column);
        table.next_column += 1;
        table.columns.push(Column { id, name, column_type, not_null: false, default: None, missing: None });
    }
    work.change(CatalogChange::PutTable(Arc::new(table.clone())))?;
    let table = Arc::new(table);
    let plan = convert::assign(plan, &table.columns, &table.name, planner.state())?;
    let rows = planner.run(plan, &[]).await?;
    let count = insert_all(&mut work.transaction, &table, rows).await?;
    done(&format!("SELECT {count}"))
}

/// What comes with columns beside the table itself.
#[derive(Default)]
pub struct Added {
    pub sequences: Vec<Sequence>,
    pub rules: Rules,
    /// Computed columns that are still to be planned.
    pub generated: Vec<(ColumnId, ast::Expr)>,
    /// Conditions that are still to be planned: the column, their name, the condition.
    pub checks: Vec<(String, Option<String>, ast::Expr)>,
    /// Indexes like those of other tables.
    pub indexes: Vec<(Arc<Table>, Index)>,
    /// Comments on columns.
    pub comments: Vec<(String, String)>,
}

impl Added {
    fn put(self, work: &mut Work, table: &Table) -> Result<()> {
        for sequence in self.sequences {
            work.change(CatalogChange::PutSequence(Arc::new(sequence)))?;
        }
        rules::put(work, table, self.rules)?;
        like::put_comments(work, table, self.comments)
    }
}

fn add_column(work: &mut Work, table: &mut Table, definition: &ast::ColumnDef, added: &mut Added) -> Result<()> {
    let name = ident(&definition.name);
    if table.column(&name).is_some() {
        return Err(Error::new("42701", format!("column \"{name}\" specified more than once")));
    }
    let id = ColumnId(table.next_column);
    table.next_column += 1;
    let serial = sequence::serial_type(&definition.data_type);
    let column_type = match &serial {
        Some(column_type) => column_type.clone(),
        None => work.type_names().column_type(&definition.data_type)?,
    };
    let mut column = Column { id, name, column_type, not_null: false, default: None, missing: None };
    if serial.is_some() {
        added.sequences.push(sequence::number(work, table, &mut column, &[])?);
    }
    let mut keys = Vec::new();
    for option in &definition.options {
        match &option.option {
            ColumnOption::Null => {}
            ColumnOption::NotNull => column.not_null = true,
            ColumnOption::Default(expr) => {
                column.default = Some(expr.to_string());
            }
            ColumnOption::PrimaryKey(_) => {
                column.not_null = true;
                keys.push(true);
            }
            ColumnOption::Unique(_) => keys.push(false),
            ColumnOption::Collation(name) => check_collation(name)?,
            ColumnOption::Comment(_) => {}
            ColumnOption::Check(check) => {
                let name = check.name.as_ref().or(option.name.as_ref()).map(ident);
                added.checks.push((column.name.clone(), name, (*check.expr).clone()));
            }
            ColumnOption::ForeignKey(_) => return Err(unsupported_constraint("FOREIGN KEY")),
            ColumnOption::Generated { generation_expr: Some(expr), .. } => added.generated.push((id, expr.clone())),
            ColumnOption::Generated { generated_as, sequence_options, .. } => {
                let options = sequence_options.as_deref().unwrap_or_default();
                added.sequences.push(sequence::number(work, table, &mut column, options)?);
                let identity = match generated_as {
                    ast::GeneratedAs::ByDefault => Identity::ByDefault,
                    _ => Identity::Always,
                };
                added.rules.identity.insert(id, identity);
            }
            other => return Err(Error::unsupported(format!("column option {other} is not supported"))),
        }
    }
    check_default(work, table, &column)?;
    table.columns.push(column);
    for primary in keys {
        add_key(work, table, &[id], primary, None)?;
    }
    Ok(())
}

/// A DEFAULT must be an expression of the column's type without columns.
fn check_default(work: &Work, table: &Table, column: &Column) -> Result<()> {
    if let Some(default) = &column.default {
        let planner = work.planner();
        let schema = DFSchema::empty();
        let expr = planner.plan_expr(&parse::parse_expr(default)?, &schema)?;
        convert::assign_expr(expr, column, &table.name, &schema, planner.state())?;
    }
    Ok(())
}

fn unsupported_constraint(kind: &str) -> Error {
    Error::unsupported(format!("{kind} constraints are not supported"))
        .hint("PRIMARY KEY, UNIQUE, CHECK and NOT NULL are. Leave the constraint out rather than have it not checked.")
}

fn add_constraint(work: &mut Work, table: &mut Table, constraint: &TableConstraint, rules: &mut Rules) -> Result<()> {
    let columns_of = |table: &Table, columns: &[ast::IndexColumn]| -> Result<Vec<ColumnId>> {
        columns
            .iter()
            .map(|c| match &c.column.expr {
                ast::Expr::Identifier(name) => table.column(&ident(name)).map(|c| c.id).ok_or_else(|| {
                    Error::new("42703", format!("column \"{}\" named in key does not exist", ident(name)))
                }),
                other => Err(Error::syntax(format!("a key is on columns, not on {other}"))),
            })
            .collect()
    };
    match constraint {
        TableConstraint::PrimaryKey(key) => {
            let columns = columns_of(table, &key.columns)?;
            add_key(work, table, &columns, true, key.name.as_ref().map(ident))
        }
        TableConstraint::Unique(key) => {
            let columns = columns_of(table, &key.columns)?;
            add_key(work, table, &columns, false, key.name.as_ref().map(ident))
        }
        TableConstraint::Check(check) => {
            rules::add_check(work, table, rules, check.name.as_ref().map(ident), None, &check.expr)
        }
        TableConstraint::ForeignKey(_) => Err(unsupported_constraint("FOREIGN KEY")),
        other => Err(Error::unsupported(format!("constraint {other} is not supported"))),
    }
}

pub fn add_key(
    work: &mut Work,
    table: &mut Table,
    columns: &[ColumnId],
    primary: bool,
    name: Option<String>,
) -> Result<()> {
    if primary && table.indexes.iter().any(|i| i.primary) {
        return Err(Error::new("42P16", format!("multiple primary keys for table \"{}\" are not allowed", table.name)));
    }
    let names: Vec<String> = columns.iter().filter_map(|id| table.column_by_id(*id)).map(|c| c.name.clone()).collect();
    if primary {
        table.columns.iter_mut().filter(|c| columns.contains(&c.id)).for_each(|c| c.not_null = true);
    }
    let fallback = match primary {
        true => format!("{}_pkey", table.name),
        false => format!("{}_{}_key", table.name, names.join("_")),
    };
    let name = free_name(work, table, name.unwrap_or(fallback));
    let index = Index {
        id: work.engine.store.take_oid(),
        name,
        columns: columns
            .iter()
            .zip(names)
            .map(|(id, sql)| IndexColumn { column: Some(*id), sql: crate::work::quoted(&sql), descending: false })
            .collect(),
        unique: true,
        primary,
        constraint: true,
        method: "btree".to_owned(),
    };
    hypertable::check_unique_index(table, &index)?;
    table.indexes.push(index);
    Ok(())
}

pub fn free_name(work: &Work, table: &Table, wanted: String) -> String {
    let catalog = work.transaction.version().catalog();
    let taken = |name: &str| catalog.is_taken(&table.schema, name) || table.indexes.iter().any(|i| i.name == name);
    let mut name = wanted.clone();
    let mut n = 0;
    while taken(&name) {
        n += 1;
        name = format!("{wanted}{n}");
    }
    name
}

/// CREATE INDEX. A unique one is enforced; the others say how rows are best sorted.
pub fn create_index(work: &mut Work, create: &ast::CreateIndex) -> Result<Outcome> {
    let (table, outputs) = match work.resolve(&parse::name_parts(&create.table_name))? {
        Relation::Table(table) if !matches!(table.kind, TableKind::View(_)) => {
            work.refuse_kept(&table)?;
            (table, None)
        }
        Relation::Table(table) => {
            return Err(Error::new("42809", format!("cannot create index on relation \"{}\"", table.name)));
        }
        Relation::Cagg(cagg) if create.unique => {
            return Err(Error::unsupported(format!(
                "continuous aggregate \"{}\" cannot have unique indexes",
                cagg.name
            )));
        }
        Relation::Cagg(cagg) => {
            let table = work.transaction.version().catalog().tables.get(&cagg.materialization).cloned();
            let table = table.ok_or_else(|| Error::internal("an aggregate has a materialization"))?;
            (table, Some(cagg.outputs.clone()))
        }
    };
    let find = |name: &str| match &outputs {
        None => table.column(name).map(|column| column.id).ok_or_else(|| Error::no_column(name)),
        Some(outputs) => match outputs.iter().find(|(output, _)| output == name) {
            Some((_, Output::Kept(id))) => Ok(*id),
            Some((_, Output::Windowed(_))) => {
                Err(Error::unsupported(format!("cannot create index on column \"{name}\""))
                    .detail("It has window functions, which are computed when they are read."))
            }
            None => Err(Error::no_column(name)),
        },
    };
    let mut changed = table.as_ref().clone();
    let mut columns = Vec::new();
    for column in &create.columns {
        let expr = match &column.column.expr {
            ast::Expr::Collate { expr, collation } => {
                check_collation(collation)?;
                expr
            }
            expr => expr,
        };
        let named = match expr {
            ast::Expr::Identifier(name) => Some(ident(name)),
            _ => None,
        };
        let id = match &named {
            Some(name) => Some(find(name)?),
            None => None,
        };
        if id.is_none() && create.unique {
            return Err(Error::unsupported("unique indexes on expressions are not supported"));
        }
        let sql = named.map_or_else(|| expr.to_string(), |name| crate::work::quoted(&name));
        columns.push(IndexColumn { column: id, sql, descending: column.column.options.asc == Some(false) });
    }
    if create.predicate.is_some() && create.unique {
        return Err(Error::unsupported("partial unique indexes are not supported"));
    }
    let name = match &create.name {
        Some(name) => parse::name_parts(name).pop().unwrap_or_default(),
        None => {
            let names: Vec<String> = columns.iter().map(|c| c.sql.trim_matches('"').to_owned()).collect();
            free_name(work, &table, format!("{}_{}_idx", table.name, names.join("_")))
        }
    };
    if work.transaction.version().catalog().is_taken(&table.schema, &name) {
        if create.if_not_exists {
            work.notice(Notice::new(format!("relation \"{name}\" already exists, skipping")));
            return done("CREATE INDEX");
        }
        return Err(Error::new("42P07", format!("relation \"{name}\" already exists")));
    }
    let method = create.using.as_ref().map_or_else(|| "btree".to_owned(), |m| m.to_string().to_lowercase());
    let index = Index {
        id: work.engine.store.take_oid(),
        name,
        columns,
        unique: create.unique,
        primary: false,
        constraint: false,
        method,
    };
    if index.unique {
        hypertable::check_unique_index(&table, &index)?;
        check_rows_unique(work, &table, &index)?;
    }
    changed.indexes.push(index);
    work.change(CatalogChange::PutTable(Arc::new(changed)))?;
    done("CREATE INDEX")
}

/// Refuses a unique index over rows that are not.
fn check_rows_unique(work: &Work, table: &Arc<Table>, index: &Index) -> Result<()> {
    let Some(key) = index.column_ids() else { return Ok(()) };
    let scan = highwater_store::Scan { columns: key.clone(), ..Default::default() };
    let schema = highwater_store::ScanUnit::schema(table, &scan);
    let mut batches = Vec::new();
    for unit in work.transaction.version().table(table.id).scan(table, scan) {
        batches.extend(unit.read()?);
    }
    let all = arrow::compute::concat_batches(&schema, &batches)?;
    match unique::first_repeat(&key, &all)? {
        None => Ok(()),
        Some(row) => {
            let mut e = Error::from(unique::duplicate(table, index, &key, &all, row));
            e.message = format!("could not create unique index \"{}\"", index.name);
            e.detail = e.detail.map(|d| d.replace("already exists", "is duplicated"));
            Err(e)
        }
    }
}

/// The table that has the index of a name.
fn table_of_index(work: &Work, parts: &[String]) -> Option<Arc<Table>> {
    let name = parts.last()?;
    let schemas = match parts {
        [.., schema, _] => vec![schema.clone()],
        _ => work.settings.search_path(&work.user),
    };
    let tables = &work.transaction.version().catalog().tables;
    let found = tables.values().find(|t| {
        (schemas.contains(&t.schema) || !matches!(t.kind, TableKind::Table))
            && t.indexes.iter().any(|i| i.name == *name)
    });
    found.cloned()
}

/// ALTER INDEX … RENAME TO.
pub fn rename_index(work: &mut Work, parts: &[String], if_exists: bool, new: String) -> Result<()> {
    let shown = parts.join(".");
    let Some(table) = table_of_index(work, parts) else {
        if if_exists {
            work.notice(Notice::new(format!("relation \"{shown}\" does not exist, skipping")));
            return Ok(());
        }
        return Err(Error::no_relation(&shown));
    };
    if work.transaction.version().catalog().is_taken(&table.schema, &new) {
        return Err(Error::new("42P07", format!("relation \"{new}\" already exists")));
    }
    let mut changed = table.as_ref().clone();
    let old = parts.last().expect("a name has a part");
    changed.indexes.iter_mut().filter(|i| i.name == *old).for_each(|i| i.name.clone_from(&new));
    work.change(CatalogChange::PutTable(Arc::new(changed)))
}

/// ALTER VIEW … RENAME TO.
pub fn rename_view(work: &mut Work, parts: &[String], if_exists: bool, new: String) -> Result<()> {
    let view = match work.resolve(parts) {
        Err(e) if if_exists && e.sqlstate == "42P01" => {
            work.notice(Notice::new(format!("relation \"{}\" does not exist, skipping", parts.join("."))));
            return Ok(());
        }
        Ok(Relation::Table(table)) if matches!(table.kind, TableKind::View(_)) => table,
        Ok(Relation::Table(table)) => return Err(Error::new("42809", format!("\"{}\" is not a view", table.name))),
        Ok(Relation::Cagg(cagg)) => {
            return Err(
                Error::new("42809", format!("\"{}\" is not a view", cagg.name)).hint("Use ALTER MATERIALIZED VIEW.")
            );
        }
        Err(e) => return Err(e),
    };
    let changed = renamed(work, &view, new)?;
    work.change(CatalogChange::PutTable(Arc::new(changed)))
}

/// A table or view under another name, which what is over it calls it from now on.
fn renamed(work: &mut Work, table: &Arc<Table>, new: String) -> Result<Table> {
    if work.transaction.version().catalog().is_taken(&table.schema, &new) {
        return Err(Error::new("42P07", format!("relation \"{new}\" already exists")));
    }
    dependents::rename(work, &Relation::Table(table.clone()), &(table.schema.clone(), new.clone()))?;
    Ok(Table { name: new, ..table.as_ref().clone() })
}

/// DROP INDEX.
pub fn drop_index(work: &mut Work, parts: &[String], if_exists: bool) -> Result<()> {
    let name = parts.last().cloned().unwrap_or_default();
    let Some(table) = table_of_index(work, parts) else {
        if if_exists {
            work.notice(Notice::new(format!("index \"{name}\" does not exist, skipping")));
            return Ok(());
        }
        return Err(Error::new("42704", format!("index \"{name}\" does not exist")));
    };
    let mut changed = table.as_ref().clone();
    if changed.indexes.iter().any(|i| i.name == name && i.constraint) {
        return Err(Error::new(
            "2BP01",
            format!("cannot drop index {name} because constraint {name} on table {} requires it", table.name),
        )
        .hint(format!("You can drop constraint {name} on table {} instead.", table.name)));
    }
    changed.indexes.retain(|i| i.name != name);
    work.change(CatalogChange::PutTable(Arc::new(changed)))
}

/// ALTER TABLE … SET (…).
pub fn set_table_options(work: &mut Work, name: &ast::ObjectName, options: &Options) -> Result<Outcome> {
    let table = work.table(name)?;
    let mut compression = CompressionOptions::default();
    for (option, value) in options {
        let Some(bare) = option.strip_prefix("timescaledb.").or_else(|| option.strip_prefix("tsdb.")) else { continue };
        if !compression.take(bare, value)? {
            return Err(Error::invalid_parameter(format!("unrecognized parameter \"{option}\"")));
        }
    }
    if compression.is_given() {
        let changed = compression.applied(work, &table, &table.name, &|column| table.column(column).map(|c| c.id))?;
        work.change(CatalogChange::PutTable(Arc::new(changed)))?;
    }
    done("ALTER TABLE")
}

/// ALTER TABLE … SET SCHEMA.
pub fn set_schema(work: &mut Work, name: &ast::ObjectName, schema: &ast::Ident) -> Result<Outcome> {
    let table = work.table(name)?;
    let schema = ident(schema);
    if !work.transaction.version().catalog().schemas.contains_key(&schema) {
        return Err(Error::new("3F000", format!("schema \"{schema}\" does not exist")));
    }
    if temporary::is_temporary(&schema) || temporary::is_temporary(&table.schema) {
        return Err(Error::unsupported("cannot move objects into or out of temporary schemas"));
    }
    let changed = Table { schema, ..table.as_ref().clone() };
    let new_name = (changed.schema.clone(), changed.name.clone());
    dependents::rename(work, &Relation::Table(table.clone()), &new_name)?;
    work.change(CatalogChange::PutTable(Arc::new(changed)))?;
    done("ALTER TABLE")
}

/// ALTER TABLE.
pub async fn alter_table(work: &mut Work, alter: &ast::AlterTable) -> Result<Outcome> {
    let parts = parse::name_parts(&alter.name);
    let relation = match work.resolve(&parts) {
        Err(_) if alter.if_exists => {
            work.notice(Notice::new(format!("relation \"{}\" does not exist, skipping", parts.join("."))));
            return done("ALTER TABLE");
        }
        relation => relation?,
    };
    let table = match relation {
        Relation::Table(table) => table,
        Relation::Cagg(cagg) => {
            return Err(Error::new("42809", format!("\"{}\" is a continuous aggregate", cagg.name))
                .hint("Use ALTER MATERIALIZED VIEW."));
        }
    };
    work.refuse_kept(&table)?;
    for operation in &alter.operations {
        let table =
            work.transaction.version().catalog().tables.get(&table.id).cloned().unwrap_or_else(|| table.clone());
        alter_one(work, &table, operation).await?;
    }
    if alter.operations.iter().any(|operation| matches!(operation, AlterTableOperation::AddColumn { .. })) {
        dependents::refuse_unplannable(work, table.id)?;
    }
    done("ALTER TABLE")
}

async fn alter_one(work: &mut Work, table: &Arc<Table>, operation: &AlterTableOperation) -> Result<()> {
    let mut changed = table.as_ref().clone();
    let mut changed_rules = rules::of(work, table);
    let checks_before = changed_rules.checks.len();
    match operation {
        AlterTableOperation::AddColumn { column_def, if_not_exists, .. } => {
            if *if_not_exists && table.column(&ident(&column_def.name)).is_some() {
                work.notice(Notice::new(format!(
                    "column \"{}\" of relation \"{}\" already exists, skipping",
                    ident(&column_def.name),
                    table.name
                )));
                return Ok(());
            }
            if table.column(&ident(&column_def.name)).is_some() {
                return Err(Error::new(
                    "42701",
                    format!("column \"{}\" of relation \"{}\" already exists", ident(&column_def.name), table.name),
                ));
            }
            let mut added = Added { rules: changed_rules, ..Added::default() };
            add_column(work, &mut changed, column_def, &mut added)?;
            let names: Vec<String> = changed.columns.iter().map(|column| column.name.clone()).collect();
            dependents::recount_columns(work, &Relation::Table(table.clone()), &names)?;
            let column = changed.columns.last().cloned().expect("it was just added");
            for (id, expr) in std::mem::take(&mut added.generated) {
                rules::add_generated(work, &changed, &mut added.rules, id, &expr)?;
            }
            for (column, name, expr) in std::mem::take(&mut added.checks) {
                rules::add_check(work, &changed, &mut added.rules, name, Some(&column), &expr)?;
            }
            let computed = added.rules.generated.get(&column.id).cloned();
            if computed.is_some() || !added.sequences.is_empty() || is_volatile(work, &column)? {
                let value = computed.or_else(|| column.default.clone()).unwrap_or_else(|| "NULL".to_owned());
                let checks = added.rules.checks.clone();
                let changed = Arc::new(changed);
                for sequence in std::mem::take(&mut added.sequences) {
                    work.change(CatalogChange::PutSequence(Arc::new(sequence)))?;
                }
                write_again(work, table, &changed, &[(column.name.as_str(), value.as_str())]).await?;
                added.put(work, &changed)?;
                for check in &checks {
                    rules::validate(work, &changed, check).await?;
                }
                return refuse_nulls_if(work, &changed, &column).await;
            }
            changed_rules = std::mem::take(&mut added.rules);
            let column = changed.columns.last_mut().expect("it was just added");
            if let Some(default) = column.default.clone() {
                let planner = work.planner();
                let schema = DFSchema::empty();
                let expr = planner.plan_expr(&parse::parse_expr(&default)?, &schema)?;
                let value =
                    planner.constant_of(&convert::assign_expr(expr, column, &table.name, &schema, planner.state())?)?;
                column.missing = crate::text::write::scalar_text(&value, &highwater_model::time::Zone::UTC);
            }
            if column.not_null && column.missing.is_none() && work.transaction.version().table(table.id).row_count > 0 {
                return Err(Error::new(
                    "23502",
                    format!("column \"{}\" of relation \"{}\" contains null values", column.name, table.name),
                ));
            }
        }
        AlterTableOperation::DropColumn { column_names, if_exists, .. } => {
            for name in column_names {
                let name = ident(name);
                let Some(column) = table.column(&name) else {
                    if *if_exists {
                        work.notice(Notice::new(format!(
                            "column \"{name}\" of relation \"{}\" does not exist, skipping",
                            table.name
                        )));
                        continue;
                    }
                    return Err(Error::new(
                        "42703",
                        format!("column \"{name}\" of relation \"{}\" does not exist", table.name),
                    ));
                };
                if table.hypertable.as_ref().is_some_and(|h| h.time_column == column.id) {
                    return Err(Error::new("42P16", "cannot drop column named in partition key")
                        .hint("Cannot drop column that is a hypertable partitioning (space or time) dimension."));
                }
                compression::refuse_dropping(table, column.id)?;
                rules::drop_column(&mut changed_rules, table, column)?;
                let id = column.id;
                let owned: Vec<u32> = {
                    let sequences = &work.transaction.version().catalog().objects.sequences;
                    sequences.values().filter(|s| s.owner == Some((table.id, id))).map(|s| s.id).collect()
                };
                for sequence in owned {
                    work.change(CatalogChange::DropSequence(sequence))?;
                }
                changed.columns.retain(|c| c.id != id);
                changed.indexes.retain(|i| !i.columns.iter().any(|c| c.column == Some(id)));
                dependents::take_column(work, table, &changed, &name)?;
            }
        }
        AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
            let (old, new) = (ident(old_column_name), ident(new_column_name));
            if table.column(&new).is_some() {
                return Err(Error::new(
                    "42701",
                    format!("column \"{new}\" of relation \"{}\" already exists", table.name),
                ));
            }
            if table.column(&old).is_none() {
                return Err(Error::no_column(&old));
            }
            dependents::keep_columns(work, &Relation::Table(table.clone()))?;
            let column = changed.columns.iter_mut().find(|c| c.name == old).ok_or_else(|| Error::no_column(&old))?;
            let id = column.id;
            column.name = new.clone();
            rules::rename_column(&mut changed_rules, &old, &new)?;
            for column in changed.indexes.iter_mut().flat_map(|i| &mut i.columns).filter(|c| c.column == Some(id)) {
                column.sql = crate::work::quoted(&new);
            }
        }
        AlterTableOperation::RenameTable { table_name } => {
            let name = match table_name {
                ast::RenameTableNameKind::To(name) | ast::RenameTableNameKind::As(name) => name,
            };
            changed = renamed(work, table, parse::name_parts(name).pop().unwrap_or_default())?;
        }
        AlterTableOperation::AlterColumn { column_name, op } => {
            let name = ident(column_name);
            let Some(column) = changed.columns.iter_mut().find(|c| c.name == name) else {
                return Err(Error::new(
                    "42703",
                    format!("column \"{name}\" of relation \"{}\" does not exist", table.name),
                ));
            };
            match op {
                AlterColumnOperation::SetNotNull => column.not_null = true,
                AlterColumnOperation::DropNotNull => column.not_null = false,
                AlterColumnOperation::SetDefault { value } => column.default = Some(value.to_string()),
                AlterColumnOperation::DropDefault => column.default = None,
                AlterColumnOperation::SetDataType { data_type, using, .. } => {
                    let using = using.as_ref().map_or_else(|| crate::work::quoted(&name), ToString::to_string);
                    return change_type(work, table, &name, data_type, &using).await;
                }
                other => return Err(Error::unsupported(format!("ALTER COLUMN {other} is not supported"))),
            }
            let column = changed.column(&name).cloned().expect("it was just changed");
            check_default(work, table, &column)?;
            if column.not_null {
                refuse_nulls(work, table, &column).await?;
            }
        }
        AlterTableOperation::AddConstraint { constraint, not_valid } => {
            let before = changed_rules.checks.clone();
            add_constraint(work, &mut changed, constraint, &mut changed_rules)?;
            if let Some(check) = changed_rules.checks.iter().find(|c| !before.iter().any(|b| b.id == c.id))
                && !not_valid
            {
                rules::validate(work, table, check).await?;
            }
            if let Some(index) = changed.indexes.get(table.indexes.len()) {
                check_rows_unique(work, table, index)?;
                for column in changed.columns.iter().filter(|c| c.not_null) {
                    refuse_nulls(work, table, column).await?;
                }
            }
        }
        AlterTableOperation::DropConstraint { name, if_exists, .. } => {
            let name = ident(name);
            let before = changed.indexes.len() + changed_rules.checks.len();
            changed.indexes.retain(|i| !(i.constraint && i.name == name));
            changed_rules.checks.retain(|c| c.name != name);
            let found = changed.indexes.len() + changed_rules.checks.len() < before;
            if !found && *if_exists {
                work.notice(Notice::new(format!(
                    "constraint \"{name}\" of relation \"{}\" does not exist, skipping",
                    table.name
                )));
            }
            if !found && !if_exists {
                return Err(Error::new(
                    "42704",
                    format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name),
                ));
            }
        }
        AlterTableOperation::ValidateConstraint { name } => {
            let name = ident(name);
            match changed_rules.checks.iter().find(|c| c.name == name) {
                Some(check) => return rules::validate(work, table, check).await,
                None => return Err(no_constraint(&name, table)),
            }
        }
        AlterTableOperation::RenameConstraint { old_name, new_name } => {
            let (old, new) = (ident(old_name), ident(new_name));
            let index = changed.indexes.iter_mut().find(|i| i.constraint && i.name == old).map(|i| &mut i.name);
            let check = changed_rules.checks.iter_mut().find(|c| c.name == old).map(|c| &mut c.name);
            *index.or(check).ok_or_else(|| no_constraint(&old, table))? = new;
        }
        AlterTableOperation::OwnerTo { .. } => return Ok(()),
        other => return Err(Error::unsupported(format!("ALTER TABLE {other} is not supported"))),
    }
    let added_column = matches!(operation, AlterTableOperation::AddColumn { .. });
    let added_checks = changed_rules.checks.len().saturating_sub(checks_before);
    work.change(CatalogChange::PutTable(Arc::new(changed.clone())))?;
    rules::put(work, table, changed_rules.clone())?;
    if added_column && added_checks > 0 {
        // The new column has its default in every row.
        for check in &changed_rules.checks {
            rules::validate(work, &changed, check).await?;
        }
    }
    Ok(())
}

fn no_constraint(name: &str, table: &Table) -> Error {
    Error::new("42704", format!("constraint \"{name}\" of relation \"{}\" does not exist", table.name))
}

async fn refuse_nulls(work: &Work, table: &Table, column: &Column) -> Result<()> {
    let sql = format!(
        "SELECT 1 FROM {}.{} WHERE {} IS NULL LIMIT 1",
        crate::work::quoted(&table.schema),
        crate::work::quoted(&table.name),
        crate::work::quoted(&column.name)
    );
    let Some(_) = table.column(&column.name) else { return Ok(()) };
    let planner = work.planner();
    let plan = planner.plan_query(&*parse::parse_query(&sql)?, &[])?;
    let rows: usize = planner.collect(plan).await?.iter().map(RecordBatch::num_rows).sum();
    match rows {
        0 => Ok(()),
        _ => Err(Error::new(
            "23502",
            format!("column \"{}\" of relation \"{}\" contains null values", column.name, table.name),
        )),
    }
}

async fn refuse_nulls_if(work: &Work, table: &Table, column: &Column) -> Result<()> {
    if column.not_null { refuse_nulls(work, table, column).await } else { Ok(()) }
}

/// Whether the DEFAULT of a column gives each row another value.
fn is_volatile(work: &Work, column: &Column) -> Result<bool> {
    let Some(default) = &column.default else { return Ok(false) };
    Ok(work.planner().plan_expr(&parse::parse_expr(default)?, &DFSchema::empty())?.is_volatile())
}

/// Gives a column another type by writing every row again.
async fn change_type(
    work: &mut Work,
    table: &Arc<Table>,
    name: &str,
    data_type: &ast::DataType,
    using: &str,
) -> Result<()> {
    let to = work.type_names().column_type(data_type)?;
    let old = table.column(name).expect("the caller found it").clone();
    if old.column_type == to {
        return Ok(());
    }
    if table.hypertable.as_ref().is_some_and(|h| h.time_column == old.id) {
        return Err(Error::unsupported(format!("cannot change the type of time column \"{name}\" of a hypertable")));
    }
    dependents::refuse_if_used(work, table, name, "change the type of")?;
    let mut changed = table.as_ref().clone();
    let id = ColumnId(changed.next_column);
    changed.next_column += 1;
    let column = changed.columns.iter_mut().find(|c| c.name == name).expect("the caller found it");
    *column = Column { id, column_type: to, missing: None, ..column.clone() };
    for column in changed.indexes.iter_mut().flat_map(|i| &mut i.columns).filter(|c| c.column == Some(old.id)) {
        column.column = Some(id);
    }
    write_again(work, table, &Arc::new(changed), &[(name, using)]).await
}

/// Writes every row of a table again, as a table with other columns.
///
/// * `given` – names of columns, and the SQL of what becomes of them; the others stay what they are.
async fn write_again(work: &mut Work, table: &Table, changed: &Arc<Table>, given: &[(&str, &str)]) -> Result<()> {
    let items: Vec<String> = changed
        .columns
        .iter()
        .map(|c| match given.iter().find(|(name, _)| *name == c.name) {
            Some((name, sql)) => format!("({sql}) AS {}", crate::work::quoted(name)),
            None => crate::work::quoted(&c.name),
        })
        .collect();
    let from = format!("{}.{}", crate::work::quoted(&table.schema), crate::work::quoted(&table.name));
    let planner = work.planner();
    let plan = planner.plan_query(&*parse::parse_query(&format!("SELECT {} FROM {from}", items.join(", ")))?, &[])?;
    let plan = convert::assign(plan, &changed.columns, &table.name, planner.state())?;
    // They are read from what was there before.
    let rows = planner.run(plan, &[]).await?;
    work.transaction.truncate(table.id)?;
    work.change(CatalogChange::PutTable(changed.clone()))?;
    insert_all(&mut work.transaction, changed, rows).await?;
    Ok(())
}

/// Drops a table or view, and with `cascade` what is defined over it.
pub fn drop_table(work: &mut Work, table: &Arc<Table>, cascade: bool) -> Result<()> {
    dependents::drop_over(work, &Relation::Table(table.clone()), cascade)?;
    dependents::drop_jobs(
        work,
        |action| matches!(action, Action::Retention { table: of, .. } | Action::Compression { table: of, .. } if *of == table.id),
    )?;
    work.change(CatalogChange::DropTable(table.id))
}
