//! CREATE, ALTER and DROP SEQUENCE; columns that number themselves.

use super::done;
use crate::error::{Error, Notice, Result};
use crate::parse;
use crate::sequence::Sequences;
use crate::session::Outcome;
use crate::work::Work;
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{self, SequenceOptions};
use highwater_model::{CatalogChange, Column, ColumnId, ColumnType, Sequence, Table, TableId};
use std::sync::Arc;

/// What `serial` and its kin are numbered in.
pub fn serial_type(data_type: &ast::DataType) -> Option<ColumnType> {
    let ast::DataType::Custom(name, _) = data_type else { return None };
    Some(match parse::name_parts(name).last()?.as_str() {
        "smallserial" | "serial2" => ColumnType::SmallInt,
        "serial" | "serial4" => ColumnType::Integer,
        "bigserial" | "serial8" => ColumnType::BigInt,
        _ => return None,
    })
}

/// CREATE SEQUENCE.
pub fn create(
    work: &mut Work,
    name: &ast::ObjectName,
    if_not_exists: bool,
    data_type: Option<&ast::DataType>,
    options: &[SequenceOptions],
    owned_by: Option<&ast::ObjectName>,
) -> Result<Outcome> {
    let (schema, name) = work.new_name(name)?;
    if work.transaction.version().catalog().is_taken(&schema, &name) {
        if if_not_exists {
            work.notice(Notice::new(format!("relation \"{name}\" already exists, skipping")));
            return done("CREATE SEQUENCE");
        }
        return Err(Error::new("42P07", format!("relation \"{name}\" already exists")));
    }
    let column_type = data_type.map(|t| work.type_names().column_type(t)).transpose()?.unwrap_or(ColumnType::BigInt);
    let mut sequence = new(work, schema, name, &column_type, options)?;
    sequence.owner = owned_by.map(|column| owner(work, column)).transpose()?.flatten();
    work.change(CatalogChange::PutSequence(Arc::new(sequence)))?;
    done("CREATE SEQUENCE")
}

/// The column that OWNED BY names; `None` for NONE.
fn owner(work: &Work, column: &ast::ObjectName) -> Result<Option<(TableId, ColumnId)>> {
    let mut parts = parse::name_parts(column);
    let name = parts.pop().unwrap_or_default();
    if parts.is_empty() && name == "none" {
        return Ok(None);
    }
    let table = work.table_of(&parts)?;
    let column = table.column(&name).ok_or_else(|| Error::no_column(&name))?;
    Ok(Some((table.id, column.id)))
}

fn bounds(column_type: &ColumnType) -> Result<(u8, i64, i64)> {
    match column_type {
        ColumnType::SmallInt => Ok((2, i16::MIN.into(), i16::MAX.into())),
        ColumnType::Integer => Ok((4, i32::MIN.into(), i32::MAX.into())),
        ColumnType::BigInt => Ok((8, i64::MIN, i64::MAX)),
        _ => Err(Error::invalid_parameter("sequence type must be smallint, integer, or bigint")),
    }
}

/// A sequence as its options say.
fn new(
    work: &Work,
    schema: String,
    name: String,
    column_type: &ColumnType,
    options: &[SequenceOptions],
) -> Result<Sequence> {
    let (bytes, lowest, highest) = bounds(column_type)?;
    let mut sequence = Sequence {
        id: work.engine.store.take_oid(),
        schema,
        name,
        start: 1,
        increment: 1,
        min: lowest,
        max: highest,
        cycle: false,
        bytes,
        reserved: None,
        owner: None,
    };
    let given = Given::of(work, options)?;
    sequence.increment = given.increment.unwrap_or(1);
    let up = sequence.increment > 0;
    sequence.min = given.min.unwrap_or(if up { 1 } else { lowest });
    sequence.max = given.max.unwrap_or(if up { highest } else { -1 });
    sequence.start = given.start.unwrap_or(if up { sequence.min } else { sequence.max });
    sequence.cycle = given.cycle.unwrap_or(false);
    check(&sequence, lowest, highest)?;
    Ok(sequence)
}

fn check(sequence: &Sequence, lowest: i64, highest: i64) -> Result<()> {
    let Sequence { start, increment, min, max, .. } = sequence;
    let bad = |text: String| Err(Error::invalid_parameter(text));
    match () {
        () if *increment == 0 => bad("INCREMENT must not be zero".to_owned()),
        () if *max > highest => bad(format!("MAXVALUE ({max}) is out of range for sequence data type")),
        () if *min < lowest => bad(format!("MINVALUE ({min}) is out of range for sequence data type")),
        () if min >= max => bad(format!("MINVALUE ({min}) must be less than MAXVALUE ({max})")),
        () if start < min => bad(format!("START value ({start}) cannot be less than MINVALUE ({min})")),
        () if start > max => bad(format!("START value ({start}) cannot be greater than MAXVALUE ({max})")),
        () => Ok(()),
    }
}

/// Options that were written.
#[derive(Default)]
struct Given {
    increment: Option<i64>,
    min: Option<i64>,
    max: Option<i64>,
    start: Option<i64>,
    cycle: Option<bool>,
}

impl Given {
    fn of(work: &Work, options: &[SequenceOptions]) -> Result<Given> {
        let mut given = Given::default();
        let number =
            |expr: &ast::Expr| match work.planner().constant(expr)?.cast_to(&arrow::datatypes::DataType::Int64)? {
                ScalarValue::Int64(Some(number)) => Ok(number),
                _ => Err(Error::invalid_parameter(format!("{expr} is not a number"))),
            };
        for option in options {
            match option {
                SequenceOptions::IncrementBy(n, _) => given.increment = Some(number(n)?),
                SequenceOptions::MinValue(n) => given.min = n.as_ref().map(number).transpose()?,
                SequenceOptions::MaxValue(n) => given.max = n.as_ref().map(number).transpose()?,
                SequenceOptions::StartWith(n, _) => given.start = Some(number(n)?),
                SequenceOptions::Cycle(no) => given.cycle = Some(!*no),
                // How many numbers a session takes at once makes no difference here.
                SequenceOptions::Cache(_) => {}
            }
        }
        Ok(given)
    }
}

/// Makes a column number itself: gives it a sequence of its own, and its DEFAULT.
///
/// The caller puts the table first, and then the sequence.
pub fn number(work: &Work, table: &Table, column: &mut Column, options: &[SequenceOptions]) -> Result<Sequence> {
    let wanted = format!("{}_{}_seq", table.name, column.name);
    let catalog = work.transaction.version().catalog();
    let free = (0..).map(|n| if n == 0 { wanted.clone() } else { format!("{wanted}{n}") });
    let name = free.into_iter().find(|name| !catalog.is_taken(&table.schema, name)).unwrap_or(wanted);
    let mut sequence = new(work, table.schema.clone(), name, &column.column_type, options)?;
    sequence.owner = Some((table.id, column.id));
    column.not_null = true;
    column.default = Some(next_of(&sequence));
    Ok(sequence)
}

/// The DEFAULT that takes the next number.
fn next_of(sequence: &Sequence) -> String {
    let plain = |name: &str| crate::information::quoted_where_needed(name);
    let name = format!("{}.{}", plain(&sequence.schema), plain(&sequence.name)).replace('\'', "''");
    format!("nextval('{name}'::regclass)")
}

fn find(work: &Work, parts: &[String]) -> Result<Arc<Sequence>> {
    let sequences = Sequences {
        engine: work.engine.clone(),
        version: work.transaction.version().clone(),
        search_path: work.settings.search_path(&work.user),
        seen: work.seen.clone(),
    };
    sequences.find(parts)
}

/// What ALTER SEQUENCE does.
#[derive(Clone, Debug)]
pub struct Alter {
    /// Which.
    pub name: ast::ObjectName,
    /// Whether one that is not there is passed over.
    pub if_exists: bool,
    /// Changed properties.
    pub options: Vec<SequenceOptions>,
    /// RESTART, with the number if one is given.
    pub restart: Option<Option<ast::Expr>>,
    /// The column that it belongs to from now on; `none` for none.
    pub owned_by: Option<ast::ObjectName>,
    /// Its new name.
    pub rename: Option<ast::Ident>,
}

/// ALTER SEQUENCE.
pub fn alter(work: &mut Work, alter: &Alter) -> Result<Outcome> {
    let sequence = match find(work, &parse::name_parts(&alter.name)) {
        Err(e) if alter.if_exists && e.sqlstate == "42P01" => {
            work.notice(Notice::new(format!("{}, skipping", e.message)));
            return done("ALTER SEQUENCE");
        }
        found => found?,
    };
    let mut changed = sequence.as_ref().clone();
    let given = Given::of(work, &alter.options)?;
    changed.increment = given.increment.unwrap_or(changed.increment);
    changed.min = given.min.unwrap_or(changed.min);
    changed.max = given.max.unwrap_or(changed.max);
    changed.start = given.start.unwrap_or(changed.start);
    changed.cycle = given.cycle.unwrap_or(changed.cycle);
    let column_type = match changed.bytes {
        2 => ColumnType::SmallInt,
        4 => ColumnType::Integer,
        _ => ColumnType::BigInt,
    };
    let (_, lowest, highest) = bounds(&column_type)?;
    check(&changed, lowest, highest)?;
    if let Some(column) = &alter.owned_by {
        changed.owner = owner(work, column)?;
    }
    if let Some(name) = &alter.rename {
        changed.name = parse::ident(name);
        if work.transaction.version().catalog().is_taken(&changed.schema, &changed.name) {
            return Err(Error::new("42P07", format!("relation \"{}\" already exists", changed.name)));
        }
        rename_in_default(work, &sequence, &changed)?;
    }
    work.change(CatalogChange::PutSequence(Arc::new(changed.clone())))?;
    if let Some(at) = &alter.restart {
        let at = match at {
            Some(at) => Given::of(work, &[SequenceOptions::StartWith(at.clone(), true)])?.start,
            None => None,
        };
        work.engine.numbers.restart(&work.engine, &changed, at.unwrap_or(changed.start))?;
    }
    done("ALTER SEQUENCE")
}

/// The DEFAULT of the column that owns a sequence names it.
fn rename_in_default(work: &mut Work, old: &Sequence, new: &Sequence) -> Result<()> {
    let before = next_of(old);
    let tables: Vec<Arc<Table>> = work.transaction.version().catalog().tables.values().cloned().collect();
    for table in tables {
        if table.columns.iter().any(|c| c.default.as_deref() == Some(before.as_str())) {
            let mut changed = table.as_ref().clone();
            for column in changed.columns.iter_mut().filter(|c| c.default.as_deref() == Some(before.as_str())) {
                column.default = Some(next_of(new));
            }
            work.change(CatalogChange::PutTable(Arc::new(changed)))?;
        }
    }
    Ok(())
}

/// Makes the sequences of a table begin again, for TRUNCATE … RESTART IDENTITY.
pub fn restart_owned(work: &Work, table: TableId) -> Result<()> {
    let objects = &work.transaction.version().catalog().objects;
    for sequence in objects.sequences.values().filter(|s| s.owner.is_some_and(|(owner, _)| owner == table)) {
        work.engine.numbers.restart(&work.engine, sequence, sequence.start)?;
    }
    Ok(())
}

/// DROP SEQUENCE.
pub fn drop(work: &mut Work, parts: &[String], if_exists: bool, cascade: bool) -> Result<()> {
    let shown = parts.join(".");
    let sequence = match find(work, parts) {
        Err(e) if e.sqlstate == "42P01" && if_exists => {
            work.notice(Notice::new(format!("sequence \"{shown}\" does not exist, skipping")));
            return Ok(());
        }
        Err(e) if e.sqlstate == "42P01" => {
            return Err(Error::new("42P01", format!("sequence \"{shown}\" does not exist")));
        }
        found => found?,
    };
    let default = next_of(&sequence);
    let catalog = work.transaction.version().catalog().clone();
    for table in catalog.tables.values() {
        let mut changed = table.as_ref().clone();
        let mut users =
            changed.columns.iter_mut().filter(|c| c.default.as_deref() == Some(default.as_str())).peekable();
        if users.peek().is_none() {
            continue;
        }
        if !cascade {
            let names: Vec<&str> = users.map(|c| c.name.as_str()).collect();
            return Err(Error::new(
                "2BP01",
                format!("cannot drop sequence {} because other objects depend on it", sequence.name),
            )
            .detail(format!(
                "default value for column {} of table {} depends on sequence {}",
                names.join(", "),
                table.name,
                sequence.name
            ))
            .hint("Use DROP ... CASCADE to drop the dependent objects too."));
        }
        users.for_each(|c| c.default = None);
        work.change(CatalogChange::PutTable(Arc::new(changed)))?;
    }
    work.change(CatalogChange::DropSequence(sequence.id))
}
