//! CREATE, ALTER and DROP TYPE of enumerations.

use super::done;
use crate::error::{Error, Notice, Result};
use crate::parse::{self, ident};
use crate::session::Outcome;
use crate::work::Work;
use datafusion::sql::sqlparser::ast::{
    AlterType, AlterTypeAddValuePosition, AlterTypeOperation, Ident, ObjectName, UserDefinedTypeRepresentation,
};
use highwater_model::{CatalogChange, ColumnType, EnumType};
use std::sync::Arc;

/// CREATE TYPE.
pub fn create(
    work: &mut Work,
    name: &ObjectName,
    representation: Option<&UserDefinedTypeRepresentation>,
) -> Result<Outcome> {
    let Some(UserDefinedTypeRepresentation::Enum { labels }) = representation else {
        return Err(Error::unsupported("only types AS ENUM can be created").hint("Use columns, or jsonb."));
    };
    let (schema, name) = work.new_name(name)?;
    let taken = work.transaction.version().catalog().objects.enum_type(&schema, &name).is_some();
    if taken || work.transaction.version().catalog().is_taken(&schema, &name) {
        return Err(Error::new("42710", format!("type \"{name}\" already exists")));
    }
    let mut distinct = Vec::new();
    for label in labels {
        check_label(&label.value)?;
        if distinct.contains(&label.value) {
            return Err(Error::new("23505", "duplicate key value violates unique constraint")
                .detail(format!("The label \"{}\" is there twice.", label.value)));
        }
        distinct.push(label.value.clone());
    }
    let (id, array_id) = (work.engine.store.take_oid(), work.engine.store.take_oid());
    work.change(CatalogChange::PutEnum(Arc::new(EnumType { id, array_id, schema, name, labels: distinct })))?;
    done("CREATE TYPE")
}

fn check_label(label: &str) -> Result<()> {
    match label.len() {
        0..=63 => Ok(()),
        _ => {
            Err(Error::new("42602", format!("invalid enum label \"{label}\""))
                .detail("Labels must be 63 bytes or less."))
        }
    }
}

fn find(work: &Work, parts: &[String]) -> Result<Arc<EnumType>> {
    let found = work.type_names().enum_type(parts);
    found.ok_or_else(|| Error::new("42704", format!("type \"{}\" does not exist", parts.join("."))))
}

/// ALTER TYPE. Values keep their labels, so nothing that is kept has to be written again but for a renamed one.
pub fn alter(work: &mut Work, alter: &AlterType) -> Result<Outcome> {
    let old = find(work, &parse::name_parts(&alter.name))?;
    let mut changed = old.as_ref().clone();
    let place = |label: &Ident| {
        let known = old.rank(&label.value);
        known.ok_or_else(|| Error::invalid_parameter(format!("\"{}\" is not an existing enum label", label.value)))
    };
    match &alter.operation {
        AlterTypeOperation::Rename(rename) => changed.name = ident(&rename.new_name),
        AlterTypeOperation::AddValue(add) => {
            check_label(&add.value.value)?;
            if old.rank(&add.value.value).is_some() {
                let text = format!("enum label \"{}\" already exists", add.value.value);
                if !add.if_not_exists {
                    return Err(Error::new("42710", text));
                }
                work.notice(Notice::new(format!("{text}, skipping")));
                return done("ALTER TYPE");
            }
            let at = match &add.position {
                None => old.labels.len(),
                Some(AlterTypeAddValuePosition::Before(label)) => place(label)?,
                Some(AlterTypeAddValuePosition::After(label)) => place(label)? + 1,
            };
            changed.labels.insert(at, add.value.value.clone());
        }
        AlterTypeOperation::RenameValue(rename) => {
            place(&rename.from)?;
            return Err(Error::unsupported("labels of enumerations cannot be renamed")
                .hint("Add a label with ALTER TYPE … ADD VALUE, and UPDATE the rows."));
        }
    }
    work.change(CatalogChange::PutEnum(Arc::new(changed)))?;
    done("ALTER TYPE")
}

/// DROP TYPE.
pub fn drop(work: &mut Work, parts: &[String], if_exists: bool, cascade: bool) -> Result<()> {
    match find(work, parts) {
        Ok(found) => drop_enum(work, found.id, cascade),
        Err(e) if if_exists => {
            work.notice(Notice::new(format!("{}, skipping", e.message)));
            Ok(())
        }
        Err(e) => Err(e),
    }
}

/// Drops an enumeration that no column is of.
pub fn drop_enum(work: &mut Work, id: u32, cascade: bool) -> Result<()> {
    let catalog = work.transaction.version().catalog().clone();
    let Some(kind) = catalog.objects.enums.get(&id) else { return Ok(()) };
    let of = |column_type: &ColumnType| match column_type {
        ColumnType::Enum(kind) => kind.id == id,
        ColumnType::List(item) => matches!(item.as_ref(), ColumnType::Enum(kind) if kind.id == id),
        _ => false,
    };
    let users: Vec<String> = catalog
        .tables
        .values()
        .flat_map(|t| t.columns.iter().filter(|c| of(&c.column_type)).map(move |c| (t, c)))
        .map(|(t, c)| format!("column {} of table {} depends on type {}", c.name, t.name, kind.name))
        .collect();
    if !users.is_empty() {
        let error = match cascade {
            true => Error::unsupported(format!("columns are not dropped with their type {}", kind.name)),
            false => Error::new("2BP01", format!("cannot drop type {} because other objects depend on it", kind.name)),
        };
        return Err(error.detail(users.join("\n")).hint("Drop these columns first."));
    }
    work.change(CatalogChange::DropEnum(id))
}
