//! CREATE TABLE (LIKE …): what a new table takes over from another.

use super::table::{Added, add_key, free_name};
use super::{rules, sequence};
use crate::error::{Error, Result};
use crate::parse::{self, Like, Part};
use crate::query::Relation;
use crate::work::Work;
use highwater_model::{CatalogChange, Column, ColumnId, Index, IndexColumn, Sequence, Table};

/// The columns of another table with their types and NOT NULL, and what is said to come with them.
///
/// # Errors
/// 42P01 when there is no such table, 42701 when a name is there twice.
pub fn add_columns(work: &mut Work, table: &mut Table, like: &Like, added: &mut Added) -> Result<()> {
    let source = match work.resolve(&parse::name_parts(&like.table))? {
        Relation::Table(source) => source,
        Relation::Cagg(cagg) => {
            return Err(Error::unsupported(format!(
                "LIKE of the continuous aggregate \"{}\" is not supported",
                cagg.name
            ))
            .hint("Use CREATE TABLE … AS SELECT … WITH NO DATA, or write the columns out."));
        }
    };
    let of_source = rules::of(work, &source);
    let takes = |part: Part| like.including.contains(&part);
    for column in &source.columns {
        if table.column(&column.name).is_some() {
            return Err(Error::new("42701", format!("column \"{}\" specified more than once", column.name)));
        }
        let id = ColumnId(table.next_column);
        table.next_column += 1;
        let computed = of_source.generated.get(&column.id);
        let identity = of_source.identity.get(&column.id);
        let has_default = takes(Part::Defaults) && computed.is_none() && identity.is_none();
        let default = column.default.clone().filter(|_| has_default);
        let mut new = Column { id, default, missing: None, ..column.clone() };
        if let Some(sql) = computed.filter(|_| takes(Part::Generated)) {
            added.generated.push((id, parse::parse_expr(sql)?));
        }
        if let Some(identity) = identity.filter(|_| takes(Part::Identity)) {
            let numbers = sequence::number(work, table, &mut new, &[])?;
            let sequences = &work.transaction.version().catalog().objects.sequences;
            let like = sequences.values().find(|s| s.owner == Some((source.id, column.id))).cloned();
            added.sequences.push(match like {
                Some(like) => Sequence {
                    id: numbers.id,
                    schema: numbers.schema,
                    name: numbers.name,
                    owner: numbers.owner,
                    reserved: None,
                    ..like.as_ref().clone()
                },
                None => numbers,
            });
            added.rules.identity.insert(id, *identity);
        }
        if let Some(comment) = work.planner().known().comment_of_column(&source.schema, &source.name, &column.name)
            && takes(Part::Comments)
        {
            added.comments.push((column.name.clone(), comment));
        }
        table.columns.push(new);
    }
    if takes(Part::Constraints) {
        for check in &of_source.checks {
            added.checks.push((String::new(), Some(check.name.clone()), parse::parse_expr(&check.sql)?));
        }
    }
    if takes(Part::Indexes) {
        added.indexes.extend(source.indexes.iter().map(|index| (source.clone(), index.clone())));
    }
    Ok(())
}

/// An index of another table on the columns of the same names.
///
/// # Errors
/// 42P16 when there is a primary key already.
pub fn add_index(work: &mut Work, table: &mut Table, source: &Table, index: &Index) -> Result<()> {
    let here = |column: &IndexColumn| {
        let name = source.column_by_id(column.column?).map(|c| &c.name)?;
        table.column(name).map(|c| c.id)
    };
    let columns: Vec<IndexColumn> =
        index.columns.iter().map(|column| IndexColumn { column: here(column), ..column.clone() }).collect();
    if index.constraint {
        let ids: Vec<ColumnId> = columns.iter().filter_map(|column| column.column).collect();
        return add_key(work, table, &ids, index.primary, None);
    }
    let names: Vec<&str> = columns.iter().map(|c| c.sql.trim_matches('"')).collect();
    let name = free_name(work, table, format!("{}_{}_idx", table.name, names.join("_")));
    table.indexes.push(Index { id: work.engine.store.take_oid(), name, columns, ..index.clone() });
    Ok(())
}

/// Keeps comments on columns of a table.
pub fn put_comments(work: &mut Work, table: &Table, comments: Vec<(String, String)>) -> Result<()> {
    for (column, comment) in comments {
        let on = format!("COLUMN:{}.{}.{column}", table.schema, table.name);
        work.change(CatalogChange::Comment(on, Some(comment)))?;
    }
    Ok(())
}
