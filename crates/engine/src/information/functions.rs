//! Functions that answer from the catalog: sizes, names of oids, definitions, who and where one is.
//!
//! They are made for one statement and see the version it sees. Arguments that name a relation take its
//! name or its oid, so `'readings'`, `'readings'::regclass` and `16384` all work.

use crate::activity::Activity;
use crate::information::relations::{self, Kind, Relation};
use crate::information::rows::{Cell, PG_TYPE, column};
use crate::information::{Known, constraint, size, types};
use crate::temporary::is_temporary;
use crate::{Error, Result, parse};
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use highwater_model::{ColumnId, TableId};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

/// What computes a call.
type Run = fn(&Known, &[ScalarValue]) -> Result<Cell>;

/// A function: its name, the PostgreSQL type it gives, whether NULL arguments give NULL, what computes it.
type Entry = (&'static str, &'static str, bool, Run);

const FUNCTIONS: &[Entry] = &[
    // Sizes.
    ("hypertable_size", "int8", true, hypertable_size),
    ("hypertable_approximate_size", "int8", true, hypertable_size),
    ("approximate_row_count", "int8", true, approximate_row_count),
    ("pg_total_relation_size", "int8", true, relation_size),
    ("pg_relation_size", "int8", true, relation_size),
    ("pg_table_size", "int8", true, relation_size),
    ("pg_indexes_size", "int8", true, |_, _| Ok(Cell::Int(0))),
    ("pg_database_size", "int8", true, database_size),
    ("pg_tablespace_size", "int8", true, database_size),
    // Names and definitions of oids.
    ("format_type", "text", false, format_type),
    ("obj_description", "text", false, obj_description),
    ("col_description", "text", true, col_description),
    ("shobj_description", "text", true, |_, _| Ok(Cell::Null)),
    ("pg_get_userbyid", "name", true, |known, args| Ok(known.role_name(oid(&args[0])).into())),
    ("pg_get_expr", "text", true, |_, args| Ok(text(&args[0]).into())),
    ("pg_get_indexdef", "text", true, pg_get_indexdef),
    ("pg_get_constraintdef", "text", true, |known, args| {
        Ok(constraint::definition(known, relation_oid(known, &args[0])?).into())
    }),
    ("pg_get_viewdef", "text", true, pg_get_viewdef),
    ("pg_get_ruledef", "text", true, |_, _| Ok(Cell::Null)),
    ("pg_get_triggerdef", "text", true, |_, _| Ok(Cell::Null)),
    ("pg_get_partkeydef", "text", true, |_, _| Ok(Cell::Null)),
    ("pg_get_partition_constraintdef", "text", true, |_, _| Ok(Cell::Null)),
    ("pg_get_statisticsobjdef", "text", true, |_, _| Ok(Cell::Null)),
    ("pg_get_statisticsobjdef_columns", "text", true, |_, _| Ok(Cell::Null)),
    ("pg_get_serial_sequence", "text", true, serial_sequence),
    ("pg_get_functiondef", "text", true, |_, _| Ok(Cell::Null)),
    ("pg_get_function_arguments", "text", true, function_arguments),
    ("pg_get_function_identity_arguments", "text", true, function_arguments),
    ("pg_get_function_result", "text", true, function_result),
    ("pg_get_function_sqlbody", "text", true, |_, _| Ok(Cell::Null)),
    ("pg_encoding_to_char", "name", true, |_, _| Ok("UTF8".into())),
    ("getdatabaseencoding", "name", true, |_, _| Ok("UTF8".into())),
    ("pg_char_to_encoding", "int4", true, |_, _| Ok(6.into())),
    ("parse_ident", "text[]", true, |_, args| Ok(parse::parse_name(&text(&args[0]).unwrap_or_default())?.into())),
    ("pg_stat_get_numscans", "int8", true, |_, _| Ok(0.into())),
    ("pg_relation_is_publishable", "bool", true, |_, _| Ok(false.into())),
    ("pg_relation_is_updatable", "int4", true, |_, _| Ok(0.into())),
    ("pg_tablespace_location", "text", true, |_, _| Ok("".into())),
    ("pg_table_is_visible", "bool", true, table_is_visible),
    ("pg_type_is_visible", "bool", true, type_is_visible),
    ("pg_function_is_visible", "bool", true, function_is_visible),
    ("pg_operator_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("pg_opclass_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("pg_opfamily_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("pg_conversion_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("pg_ts_config_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("pg_ts_dict_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("pg_ts_parser_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("pg_ts_template_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("pg_collation_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("pg_statistics_obj_is_visible", "bool", true, |_, _| Ok(true.into())),
    ("to_regclass", "regclass", true, to_regclass),
    ("to_regtype", "regtype", true, |_, args| Ok(text(&args[0]).filter(|t| types::by_name(t).is_some()).into())),
    ("to_regnamespace", "regnamespace", true, to_regnamespace),
    ("to_regproc", "regproc", true, |_, _| Ok(Cell::Null)),
    ("to_regrole", "regrole", true, |_, args| Ok(text(&args[0]).into())),
    ("_reg_text", "text", true, reg_text),
    ("_reg_oid", "oid", true, reg_oid),
    ("_to_oid", "oid", true, to_oid),
    ("_like_pattern", "text", true, like_pattern),
    // What one may do: everything, until there are roles.
    ("has_table_privilege", "bool", true, |_, _| Ok(true.into())),
    ("has_any_column_privilege", "bool", true, |_, _| Ok(true.into())),
    ("has_column_privilege", "bool", true, |_, _| Ok(true.into())),
    ("has_schema_privilege", "bool", true, |_, _| Ok(true.into())),
    ("has_database_privilege", "bool", true, |_, _| Ok(true.into())),
    ("has_function_privilege", "bool", true, |_, _| Ok(true.into())),
    ("has_sequence_privilege", "bool", true, |_, _| Ok(true.into())),
    ("has_type_privilege", "bool", true, |_, _| Ok(true.into())),
    ("has_tablespace_privilege", "bool", true, |_, _| Ok(true.into())),
    ("pg_has_role", "bool", true, |_, _| Ok(true.into())),
    ("row_security_active", "bool", true, |_, _| Ok(false.into())),
    // Who and where one is.
    ("version", "text", true, version),
    ("current_database", "name", true, |known, _| Ok((&known.database).into())),
    ("current_catalog", "name", true, |known, _| Ok((&known.database).into())),
    ("current_schema", "name", true, |known, _| Ok(known.schemas_on_path(false).into_iter().next().into())),
    ("current_schemas", "name[]", true, |known, args| {
        Ok(known.schemas_on_path(args[0] == ScalarValue::from(true)).into())
    }),
    ("current_user", "name", true, |known, _| Ok((&known.user).into())),
    ("current_role", "name", true, |known, _| Ok((&known.user).into())),
    ("session_user", "name", true, |known, _| Ok((&known.user).into())),
    ("user", "name", true, |known, _| Ok((&known.user).into())),
    ("current_setting", "text", true, current_setting),
    ("pg_backend_pid", "int4", true, |known, _| Ok(known.session.into())),
    ("pg_cancel_backend", "bool", true, |known, args| of_session(known, args, |session| session.cancel.cancel())),
    ("pg_terminate_backend", "bool", true, |known, args| of_session(known, args, Activity::end)),
    ("pg_is_in_recovery", "bool", true, |_, _| Ok(false.into())),
    ("pg_is_wal_replay_paused", "bool", true, |_, _| Ok(false.into())),
    ("pg_postmaster_start_time", "timestamptz", true, |known, _| Ok(Cell::Int(known.sessions.since))),
    ("pg_conf_load_time", "timestamptz", true, |known, _| Ok(Cell::Int(known.sessions.since))),
    ("pg_advisory_unlock_all", "void", true, |_, _| Ok("".into())),
    ("txid_current", "int8", true, |known, _| Ok(Cell::Int(known.version.lsn.0 as i64 + 1))),
    ("pg_current_xact_id", "int8", true, |known, _| Ok(Cell::Int(known.version.lsn.0 as i64 + 1))),
    ("pg_my_temp_schema", "oid", true, |known, _| Ok(Cell::Int(temporary_schema(known).into()))),
    ("pg_is_other_temp_schema", "bool", true, |known, args| {
        let name = known.schemas().into_iter().find(|(_, of)| *of == oid(&args[0])).map(|(name, _)| name);
        Ok(name.is_some_and(|name| is_temporary(&name) && !known.search_path.contains(&name)).into())
    }),
    ("inet_server_addr", "inet", true, |_, _| Ok(Cell::Null)),
    ("inet_client_addr", "inet", true, |known, _| Ok(client(known).map(|client| client.ip().to_string()).into())),
    ("inet_server_port", "int4", true, |_, _| Ok(Cell::Null)),
    ("inet_client_port", "int4", true, |known, _| Ok(client(known).map(|client| i32::from(client.port())).into())),
    ("pg_blocking_pids", "text[]", true, |_, _| Ok(Cell::List(Vec::new()))),
    ("timescaledb_pre_restore", "bool", true, |_, _| Ok(true.into())),
    ("timescaledb_post_restore", "bool", true, |_, _| Ok(true.into())),
];

/// The names of the functions, and the types they give.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    FUNCTIONS.iter().filter(|(name, ..)| !name.starts_with('_')).map(|(name, gives, ..)| (*name, *gives))
}

/// The function of this name.
pub fn find(known: impl FnOnce() -> Arc<Known>, name: &str) -> Option<Arc<ScalarUDF>> {
    let entry = FUNCTIONS.iter().find(|(known, ..)| *known == name)?;
    let signature = TypeSignature::OneOf(vec![TypeSignature::VariadicAny, TypeSignature::Nullary]);
    // What does something to a session is executed with the query, not when it is planned.
    let volatility = match name {
        "pg_cancel_backend" | "pg_terminate_backend" => Volatility::Volatile,
        _ => Volatility::Stable,
    };
    let signature = Signature::new(signature, volatility);
    Some(Arc::new(ScalarUDF::from(CatalogFunction { entry, known: known(), signature })))
}

/// A function over what is known of the database.
#[derive(Debug)]
struct CatalogFunction {
    entry: &'static Entry,
    known: Arc<Known>,
    signature: Signature,
}

impl PartialEq for CatalogFunction {
    fn eq(&self, other: &Self) -> bool {
        self.entry.0 == other.entry.0
    }
}

impl Eq for CatalogFunction {}

impl Hash for CatalogFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entry.0.hash(state);
    }
}

impl CatalogFunction {
    fn field(&self) -> Field {
        static COLUMNS: std::sync::OnceLock<HashMap<&'static str, Field>> = std::sync::OnceLock::new();
        let fields = COLUMNS.get_or_init(|| {
            let field = |(name, gives, ..): &Entry| {
                let field = Field::new(*name, crate::information::rows::arrow_type(gives), true);
                (*name, field.with_metadata(HashMap::from([(PG_TYPE.to_owned(), (*gives).to_owned())])))
            };
            FUNCTIONS.iter().map(field).collect()
        });
        fields[self.entry.0].clone()
    }
}

impl ScalarUDFImpl for CatalogFunction {
    fn name(&self) -> &str {
        self.entry.0
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.field().data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> DfResult<FieldRef> {
        Ok(Arc::new(self.field()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let (_, _, strict, run) = self.entry;
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let data_type = self.return_type(&[])?;
        let mut cells = Vec::with_capacity(rows);
        for row in 0..rows {
            let values = args.args.iter().map(|arg| match arg {
                ColumnarValue::Scalar(value) => Ok(value.clone()),
                ColumnarValue::Array(array) => ScalarValue::try_from_array(array, row),
            });
            let values = values.collect::<DfResult<Vec<_>>>()?;
            let null = *strict && values.iter().any(ScalarValue::is_null);
            cells.push(if null { Cell::Null } else { run(&self.known, &values)? });
        }
        let array: ArrayRef = column(&data_type, cells.iter());
        match constant {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)),
            false => Ok(ColumnarValue::Array(array)),
        }
    }
}

/// A text argument.
pub fn text(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(v) | ScalarValue::LargeUtf8(v) | ScalarValue::Utf8View(v) => v.clone(),
        ScalarValue::Null => None,
        other if other.is_null() => None,
        other => Some(other.to_string()),
    }
}

/// A whole-number argument; also one in a string.
pub fn number(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int16(v) => v.map(i64::from),
        ScalarValue::Int32(v) => v.map(i64::from),
        ScalarValue::Int64(v) => *v,
        ScalarValue::UInt32(v) => v.map(i64::from),
        ScalarValue::UInt64(v) => v.and_then(|v| i64::try_from(v).ok()),
        other => text(other)?.trim().parse().ok(),
    }
}

/// An oid argument; 0 when it is none.
fn oid(value: &ScalarValue) -> u32 {
    number(value).and_then(|v| u32::try_from(v).ok()).unwrap_or(0)
}

/// The relation that an argument names, by name or oid.
///
/// # Errors
/// 42P01 when a name is nobody's. An oid may be nobody's.
pub fn relation(known: &Known, value: &ScalarValue) -> Result<Option<Relation>> {
    if let Some(number) = number(value) {
        return Ok(known.relation(u32::try_from(number).unwrap_or(0)).cloned());
    }
    let name = text(value).unwrap_or_default();
    match relations::find(known, &parse::parse_name(&name)?) {
        Some(relation) => Ok(Some(relation)),
        None => Err(Error::no_relation(&name)),
    }
}

/// The table that holds the rows of a relation: of an aggregate, what it has materialized.
pub fn rows_of(relation: &Relation) -> Option<TableId> {
    match &relation.kind {
        Kind::Table(table) => Some(table.id),
        Kind::Cagg(cagg) => Some(cagg.materialization),
        _ => None,
    }
}

fn hypertable_size(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let relation = relation(known, &args[0])?;
    let table = relation.as_ref().and_then(rows_of);
    let is_cut = |id: &TableId| known.version.catalog().tables.get(id).is_some_and(|t| t.hypertable.is_some());
    Ok(table.filter(is_cut).map(|id| size::relation_bytes(&known.version, id) as i64).into())
}

fn approximate_row_count(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let relation = relation(known, &args[0])?;
    Ok(relation.as_ref().and_then(rows_of).map(|id| known.version.table(id).row_count as i64).into())
}

/// The oid of the relation that an argument names; 0 when it is none.
fn relation_oid(known: &Known, value: &ScalarValue) -> Result<u32> {
    match number(value) {
        Some(number) => Ok(u32::try_from(number).unwrap_or(0)),
        None => Ok(relation(known, value)?.map_or(0, |relation| relation.oid)),
    }
}

fn relation_size(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let Some(relation) = relation(known, &args[0])? else { return Ok(Cell::Null) };
    Ok(rows_of(&relation).map_or(0, |id| size::relation_bytes(&known.version, id) as i64).into())
}

fn database_size(known: &Known, _: &[ScalarValue]) -> Result<Cell> {
    Ok(known.version.tables().keys().map(|id| size::relation_bytes(&known.version, *id) as i64).sum::<i64>().into())
}

fn format_type(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    if args.first().is_none_or(ScalarValue::is_null) {
        return Ok(Cell::Null);
    }
    let modifier = args.get(1).and_then(number).and_then(|m| i32::try_from(m).ok());
    Ok(type_name(known, oid(&args[0]), modifier).into())
}

/// The sequence that a column owns.
fn serial_sequence(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let Some(table) = relation(known, &args[0])? else { return Ok(Cell::Null) };
    let column = text(&args[1]).unwrap_or_default();
    let column = table.attributes.iter().find(|a| a.name == column).ok_or_else(|| Error::no_column(&column))?;
    let sequences = known.version.catalog().objects.sequences.values();
    let owned = |owner: Option<(TableId, ColumnId)>| {
        owner == Some((TableId(table.oid), ColumnId(column.number.unsigned_abs())))
    };
    let quoted = constraint::quoted_where_needed;
    let found =
        sequences.clone().find(|s| owned(s.owner)).map(|s| format!("{}.{}", quoted(&s.schema), quoted(&s.name)));
    Ok(found.into())
}

/// A type with its modifier; one that a user made with its schema where that is not on the path.
fn type_name(known: &Known, oid: u32, modifier: Option<i32>) -> String {
    let enums = &known.version.catalog().objects.enums;
    let Some(kind) = enums.values().find(|kind| kind.id == oid || kind.array_id == oid) else {
        return types::format_type(oid, modifier);
    };
    let quoted = constraint::quoted_where_needed;
    let visible = known.search_path.contains(&kind.schema);
    let schema = if visible { String::new() } else { format!("{}.", quoted(&kind.schema)) };
    format!("{schema}{}{}", quoted(&kind.name), if kind.id == oid { "" } else { "[]" })
}

fn obj_description(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    if args.get(1).and_then(text).is_some_and(|catalog| catalog == "pg_constraint") {
        let wanted = oid(&args[0]);
        let found = known.comments_on_constraints().into_iter().find(|(oid, _)| *oid == wanted);
        return Ok(found.map(|(_, comment)| comment).into());
    }
    let Some(relation) = known.relation(relation_oid(known, &args[0])?) else { return Ok(Cell::Null) };
    if args.get(1).and_then(text).is_some_and(|catalog| catalog != "pg_class") {
        return Ok(Cell::Null);
    }
    Ok(known.comment_on(relation).into())
}

fn col_description(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let Some(relation) = known.relation(relation_oid(known, &args[0])?) else { return Ok(Cell::Null) };
    let column = args.get(1).and_then(number).unwrap_or(0);
    let column = relation.attributes.iter().find(|a| i64::from(a.number) == column);
    Ok(column.and_then(|column| known.comment_on_column(relation, &column.name)).into())
}

fn pg_get_indexdef(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let column = args.get(1).and_then(number).unwrap_or(0);
    Ok(constraint::index_definition(known, relation_oid(known, &args[0])?, usize::try_from(column).unwrap_or(0)).into())
}

fn pg_get_viewdef(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    Ok(relation(known, &args[0])?.and_then(|r| r.definition()).into())
}

fn function_arguments(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let wanted = oid(&args[0]);
    let function = known.version.catalog().functions.values().find(|f| f.id == wanted);
    let arguments = function.map(|f| {
        let each = f.arguments.iter().map(|(name, t)| format!("{name} {t}").trim().to_owned());
        each.collect::<Vec<_>>().join(", ")
    });
    Ok(arguments.unwrap_or_default().into())
}

fn function_result(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let wanted = oid(&args[0]);
    let function = known.version.catalog().functions.values().find(|f| f.id == wanted);
    Ok(function.and_then(|f| f.returns.clone()).into())
}

fn table_is_visible(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    Ok(known.relation(relation_oid(known, &args[0])?).map(|r| relations::is_visible(known, r)).into())
}

fn function_is_visible(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let wanted = oid(&args[0]);
    let function = known.version.catalog().functions.values().find(|f| f.id == wanted);
    Ok(function.is_none_or(|f| known.search_path.contains(&f.schema)).into())
}

fn to_regclass(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    match relation(known, &args[0]) {
        Ok(relation) => Ok(relation.map(|r| known.display_name(&r)).into()),
        Err(e) if e.sqlstate == "42P01" => Ok(Cell::Null),
        Err(e) => Err(e),
    }
}

fn to_regnamespace(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    Ok(text(&args[0]).filter(|name| known.schemas().contains_key(name)).into())
}

/// `x::regclass` and its like where the value is shown: the name of an oid, or the name itself, checked.
fn reg_text(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let kind = text(&args[0]).unwrap_or_default();
    let value = &args[1];
    let numeric = number(value).map(|v| u32::try_from(v).unwrap_or(0));
    if numeric == Some(0) {
        return Ok("-".into());
    }
    Ok(match (kind.as_str(), numeric) {
        ("regclass", _) => match relation(known, value)? {
            Some(relation) => known.display_name(&relation).into(),
            None => numeric.map(|oid| oid.to_string()).into(),
        },
        ("regtype", Some(oid)) => type_name(known, oid, None).into(),
        ("regtype", None) => type_name(known, type_oid(known, value)?, None).into(),
        ("regnamespace", Some(oid)) => {
            let schemas = known.schemas();
            let name = schemas.iter().find(|(_, of)| **of == oid).map(|(name, _)| name.clone());
            name.unwrap_or_else(|| oid.to_string()).into()
        }
        ("regrole", Some(oid)) => known.role_name(oid).into(),
        _ => text(value).into(),
    })
}

/// `x::regclass` and its like where the value is compared with an oid: the oid.
fn reg_oid(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let kind = text(&args[0]).unwrap_or_default();
    let value = &args[1];
    if let Some(number) = number(value) {
        return Ok(Cell::Int(number));
    }
    let name = text(value).unwrap_or_default();
    Ok(match kind.as_str() {
        "regclass" => relation(known, value)?.map(|r| r.oid).into(),
        "regtype" => type_oid(known, value)?.into(),
        "regnamespace" => match known.schemas().get(name.trim_matches('"')) {
            Some(oid) => (*oid).into(),
            None => return Err(Error::new("3F000", format!("schema \"{name}\" does not exist"))),
        },
        "regrole" => known.role_oid(name.trim_matches('"')).into(),
        _ => Cell::Int(0),
    })
}

/// `to_regclass(x)` and its like where the value is compared: the oid, or NULL when there is no such thing.
fn to_oid(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    match reg_oid(known, args) {
        Err(e) if matches!(e.sqlstate, "42P01" | "42704" | "3F000") => Ok(Cell::Null),
        result => result,
    }
}

/// A pattern of LIKE with the backslash in the place of another escape character.
fn like_pattern(_: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let (pattern, escape) = (text(&args[0]).unwrap_or_default(), text(&args[1]).unwrap_or_default());
    let escape = escape.chars().next();
    let mut plain = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        match c {
            c if Some(c) == escape => {
                let Some(next) = characters.next() else {
                    return Err(Error::new("22025", "LIKE pattern must not end with escape character"));
                };
                if matches!(next, '%' | '_' | '\\') {
                    plain.push('\\');
                }
                plain.push(next);
            }
            '\\' => plain.push_str("\\\\"),
            c => plain.push(c),
        }
    }
    Ok(plain.into())
}

fn type_oid(known: &Known, value: &ScalarValue) -> Result<u32> {
    let name = text(value).unwrap_or_default();
    let names = crate::types::Names { version: known.version.clone(), search_path: known.search_path.clone() };
    if let Some(kind) = parse::parse_name(&name).ok().and_then(|parts| names.enum_type(&parts)) {
        return Ok(kind.id);
    }
    types::by_name(name.trim_matches('"')).ok_or_else(|| Error::new("42704", format!("type \"{name}\" does not exist")))
}

/// Does something to the session of a number; whether there is one.
fn of_session(known: &Known, args: &[ScalarValue], act: fn(&Activity)) -> Result<Cell> {
    let pid = number(&args[0]).and_then(|pid| i32::try_from(pid).ok());
    let session = pid.and_then(|pid| known.sessions.find(pid));
    session.iter().for_each(|session| act(session));
    Ok(session.is_some().into())
}

/// The schema of the session's temporary tables, or 0.
fn temporary_schema(known: &Known) -> u32 {
    let own = known.settings.temporary.as_ref();
    own.and_then(|own| known.schemas().get(&own.schema).copied()).unwrap_or(0)
}

/// Where the client of the session that asks is.
fn client(known: &Known) -> Option<SocketAddr> {
    known.sessions.find(known.session)?.doing().client
}

fn version(_: &Known, _: &[ScalarValue]) -> Result<Cell> {
    let (number, target) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    Ok(format!(
        "PostgreSQL {} (Highwater {number}) on {target}-{}",
        crate::information::SERVER_VERSION,
        std::env::consts::OS
    )
    .into())
}

/// Whether a type is found without its schema: one of PostgreSQL's, or the first of its name on the search path.
fn type_is_visible(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let oid = oid(&args[0]);
    if types::by_oid(oid).is_some() {
        return Ok(true.into());
    }
    let objects = &known.version.catalog().objects;
    let Some(kind) = objects.enums.values().find(|kind| kind.id == oid || kind.array_id == oid) else {
        return Ok(Cell::Null);
    };
    let found = known.schemas_on_path(false).iter().find_map(|schema| objects.enum_type(schema, &kind.name).cloned());
    Ok(found.is_some_and(|found| found.id == kind.id).into())
}

fn current_setting(known: &Known, args: &[ScalarValue]) -> Result<Cell> {
    let name = text(&args[0]).unwrap_or_default();
    match known.settings.get(&name) {
        Ok(value) => Ok(value.into()),
        Err(_) if args.get(1) == Some(&ScalarValue::from(true)) => Ok(Cell::Null),
        Err(e) => Err(e),
    }
}
