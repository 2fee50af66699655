//! Functions and procedures that do something: `create_hypertable`, `drop_chunks`, policies, `CALL …`.
//!
//! They stand in SELECT lists and in FROM like any function, so before a query is planned each call of one is
//! executed, once, and its place in the query is taken by the rows it gave. Preparing a statement must not
//! execute it: there the place is taken by no rows of the same columns.

mod chunks;
mod compression;
mod each_row;
mod parameters;
mod policies;

pub use chunks::{chunk_name, drop_chunks, now_of};
pub use compression::compress_chunk;
pub use parameters::{called, placeholders, untyped, written};

use parameters::placeholder;

use crate::error::{Error, Result};
use crate::parse::{self, name_parts};
use crate::query::{Planner, Relation};
use crate::refresh::{self, Choice, Refresher};
use crate::session::Outcome;
use crate::work::{Work, quoted};
use crate::{define, job, names, procedure};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArguments, Query, SelectItem, SetExpr, TableFactor, Visit, VisitMut, Visitor,
    VisitorMut,
};
use futures::StreamExt;
use highwater_model::time::Clockface;
use highwater_model::{ContinuousAggregate, Interval, Table, TimeRange, TimeType, refresh as arithmetic};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A function that does something.
struct Function {
    name: &'static str,
    /// Names of its parameters in order.
    parameters: &'static [&'static str],
    /// Names and types of its result columns.
    columns: &'static [(&'static str, &'static str)],
}

/// The names of the functions and procedures.
pub fn names() -> impl Iterator<Item = &'static str> {
    let functions = FUNCTIONS.iter().map(|function| function.name);
    functions.chain(["refresh_continuous_aggregate", "run_job"]).chain(PROCEDURES.iter().map(|(name, ..)| *name))
}

const FUNCTIONS: &[Function] = &[
    Function {
        name: "create_hypertable",
        parameters: &[
            "relation",
            "time_column_name",
            "partitioning_column",
            "number_partitions",
            "associated_schema_name",
            "associated_table_prefix",
            "chunk_time_interval",
            "create_default_indexes",
            "if_not_exists",
            "partitioning_func",
            "migrate_data",
            "dimension",
        ],
        columns: &[
            ("hypertable_id", "integer"),
            ("schema_name", "name"),
            ("table_name", "name"),
            ("created", "boolean"),
        ],
    },
    Function {
        name: "set_chunk_time_interval",
        parameters: &["hypertable", "chunk_time_interval", "dimension_name"],
        columns: &[("set_chunk_time_interval", "void")],
    },
    Function {
        name: "set_integer_now_func",
        parameters: &["hypertable", "integer_now_func", "replace_if_exists"],
        columns: &[("set_integer_now_func", "void")],
    },
    Function {
        name: "drop_chunks",
        parameters: &["relation", "older_than", "newer_than", "verbose", "created_before", "created_after"],
        columns: &[("drop_chunks", "text")],
    },
    Function {
        name: "show_chunks",
        parameters: &["relation", "older_than", "newer_than", "created_before", "created_after"],
        columns: &[("show_chunks", "text")],
    },
    Function {
        name: "add_continuous_aggregate_policy",
        parameters: &[
            "continuous_aggregate",
            "start_offset",
            "end_offset",
            "schedule_interval",
            "if_not_exists",
            "initial_start",
            "timezone",
        ],
        columns: &[("add_continuous_aggregate_policy", "integer")],
    },
    Function {
        name: "remove_continuous_aggregate_policy",
        parameters: &["continuous_aggregate", "if_not_exists", "if_exists"],
        columns: &[("remove_continuous_aggregate_policy", "void")],
    },
    Function {
        name: "add_retention_policy",
        parameters: &[
            "relation",
            "drop_after",
            "if_not_exists",
            "schedule_interval",
            "initial_start",
            "timezone",
            "drop_created_before",
        ],
        columns: &[("add_retention_policy", "integer")],
    },
    Function {
        name: "remove_retention_policy",
        parameters: &["relation", "if_exists"],
        columns: &[("remove_retention_policy", "void")],
    },
    Function {
        name: "compress_chunk",
        parameters: &["uncompressed_chunk", "if_not_compressed", "recompress"],
        columns: &[("compress_chunk", "text")],
    },
    Function {
        name: "decompress_chunk",
        parameters: &["uncompressed_chunk", "if_compressed"],
        columns: &[("decompress_chunk", "text")],
    },
    Function {
        name: "add_compression_policy",
        parameters: &[
            "hypertable",
            "compress_after",
            "if_not_exists",
            "schedule_interval",
            "initial_start",
            "timezone",
            "compress_created_before",
        ],
        columns: &[("add_compression_policy", "integer")],
    },
    Function {
        name: "remove_compression_policy",
        parameters: &["hypertable", "if_exists"],
        columns: &[("remove_compression_policy", "boolean")],
    },
    Function {
        name: "add_job",
        parameters: &[
            "proc",
            "schedule_interval",
            "config",
            "initial_start",
            "scheduled",
            "check_config",
            "fixed_schedule",
            "timezone",
            "job_name",
        ],
        columns: &[("add_job", "integer")],
    },
    Function {
        name: "alter_job",
        parameters: &[
            "job_id",
            "schedule_interval",
            "max_runtime",
            "max_retries",
            "retry_period",
            "scheduled",
            "config",
            "next_start",
            "if_exists",
            "check_config",
            "fixed_schedule",
            "initial_start",
            "timezone",
        ],
        columns: &[
            ("job_id", "integer"),
            ("schedule_interval", "interval"),
            ("max_runtime", "interval"),
            ("max_retries", "integer"),
            ("retry_period", "interval"),
            ("scheduled", "boolean"),
            ("config", "jsonb"),
            ("next_start", "timestamptz"),
            ("check_config", "text"),
            ("fixed_schedule", "boolean"),
            ("initial_start", "timestamptz"),
            ("timezone", "text"),
            ("application_name", "name"),
        ],
    },
    Function { name: "delete_job", parameters: &["job_id"], columns: &[("delete_job", "void")] },
    Function {
        name: "set_config",
        parameters: &["setting_name", "new_value", "is_local"],
        columns: &[("set_config", "text")],
    },
];

/// Procedures that are functions by another name: theirs, the names of their parameters, and the function.
const PROCEDURES: &[(&str, &[&str], &str)] = &[
    ("convert_to_columnstore", &["chunk", "if_not_columnstore", "recompress"], "compress_chunk"),
    ("convert_to_rowstore", &["chunk", "if_columnstore"], "decompress_chunk"),
    (
        "add_columnstore_policy",
        &["hypertable", "after", "if_not_exists", "schedule_interval", "initial_start", "timezone", "created_before"],
        "add_compression_policy",
    ),
    ("remove_columnstore_policy", &["hypertable", "if_exists"], "remove_compression_policy"),
];

/// The values given to a call, by parameter name; a parameter that was not given is not there.
pub struct Arguments {
    function: String,
    values: HashMap<&'static str, ScalarValue>,
    /// Width and column of a `by_range(…)` argument.
    by_range: Option<(String, Option<ScalarValue>)>,
}

impl Arguments {
    fn value(&self, name: &str) -> Option<&ScalarValue> {
        self.values.get(name).filter(|v| !v.is_null())
    }

    fn given(&self, name: &str) -> Option<&ScalarValue> {
        self.values.get(name)
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            ScalarValue::Utf8(Some(s)) | ScalarValue::LargeUtf8(Some(s)) | ScalarValue::Utf8View(Some(s)) => {
                Some(s.clone())
            }
            other => Some(other.to_string()),
        }
    }

    fn truth(&self, name: &str) -> Result<bool> {
        match self.value(name) {
            None => Ok(false),
            Some(ScalarValue::Boolean(Some(b))) => Ok(*b),
            Some(ScalarValue::Utf8(Some(s))) if matches!(s.as_str(), "true" | "t" | "on") => Ok(true),
            Some(ScalarValue::Utf8(Some(s))) if matches!(s.as_str(), "false" | "f" | "off") => Ok(false),
            Some(other) => {
                Err(Error::new("42883", format!("{}: {name} must be a boolean, not {other}", self.function)))
            }
        }
    }

    /// The relation named by an argument.
    fn relation(&self, work: &Work, name: &str) -> Result<Relation> {
        let text = self.text(name).ok_or_else(|| Error::invalid_parameter(format!("{name} cannot be NULL")))?;
        work.resolve(&parse::parse_name(&text)?)
    }

    fn interval(&self, name: &str) -> Result<Option<Interval>> {
        self.value(name).map(interval_of).transpose()
    }

    fn timestamptz(&self, name: &str, work: &Work) -> Result<Option<i64>> {
        self.value(name).map(|v| instant_of(v, TimeType::Timestamptz, work)).transpose()
    }
}

/// The values that a call gave, as SQL text of each cell.
type Rows = Vec<Vec<String>>;

/// An interval out of an interval or a string.
pub fn interval_of(value: &ScalarValue) -> Result<Interval> {
    match value {
        ScalarValue::IntervalMonthDayNano(Some(v)) => Ok(crate::text::read::interval_from_arrow(*v)),
        ScalarValue::Utf8(Some(text)) => Interval::parse(text).map_err(|e| Error::new(e.sqlstate(), e.to_string())),
        other => Err(Error::invalid_parameter(format!("{other} is not an interval"))),
    }
}

/// A whole number.
fn whole_of(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int16(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int32(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int64(Some(v)) => Some(*v),
        ScalarValue::Decimal128(Some(v), _, 0) => i64::try_from(*v).ok(),
        _ => None,
    }
}

/// A point on a time axis out of any time type or a string. Dates and timestamps without a zone are read
/// as UTC.
fn instant_of(value: &ScalarValue, time_type: TimeType, work: &Work) -> Result<i64> {
    let wrong = || {
        let given = highwater_store::schema::column_type(&value.data_type())
            .map_or_else(|| "unknown".to_owned(), |t| t.to_string());
        Error::invalid_parameter(format!("invalid time argument type \"{given}\""))
            .hint(format!("Try casting the argument to \"{}\".", time_type.column_type()))
    };
    if time_type.is_integer() {
        return match value {
            ScalarValue::Utf8(Some(text)) => text.trim().parse().map_err(|_| {
                Error::new("22P02", format!("invalid input syntax for type {}: \"{text}\"", time_type.column_type()))
            }),
            other => whole_of(other).ok_or_else(wrong),
        };
    }
    match value {
        ScalarValue::TimestampMicrosecond(Some(t), _) => Ok(*t),
        ScalarValue::TimestampNanosecond(Some(t), _) => Ok(t.div_euclid(1000)),
        ScalarValue::Date32(Some(d)) => Ok(highwater_store::rows::date_to_micros(*d)),
        ScalarValue::Utf8(Some(text)) => {
            let zone = work.settings.zone();
            let clock = Clockface::new(zone, work.times.transaction);
            let read = match time_type {
                TimeType::Timestamptz => highwater_model::time::parse_timestamptz(text, &clock),
                _ => highwater_model::time::parse_timestamp(text, &clock),
            };
            read.map_err(|e| Error::new(e.sqlstate(), e.to_string()))
        }
        _ => Err(wrong()),
    }
}

/// Executes the calls in a query and gives the query with their rows in their places.
pub async fn execute<'a>(work: &mut Work, query: &'a Query, parameters: &[ScalarValue]) -> Result<Cow<'a, Query>> {
    if !mentions(query) {
        return Ok(Cow::Borrowed(query));
    }
    let mut query = query.clone();
    names::name_columns(&mut query);
    lift_set(&mut query);
    let mut calls = Vec::new();
    let _ = VisitMut::visit(&mut query, &mut Collect::once(&mut calls, None));
    let mut answers = Vec::new();
    for (function, args) in calls {
        let args = each_row::without_regclass(function, &args);
        let arguments = read_arguments(&work.planner(), function, &args, parameters)?;
        answers.push(invoke(work, function, &arguments).await?);
    }
    let mut places = Vec::new();
    let _ = VisitMut::visit(&mut query, &mut Collect::once(&mut places, Some(answers.into_iter())));
    each_row::execute(work, &mut query, parameters).await?;
    Ok(Cow::Owned(query))
}

/// The query with the places of its calls taken by no rows.
pub fn described(query: &Query) -> Result<Cow<'_, Query>> {
    if !mentions(query) {
        return Ok(Cow::Borrowed(query));
    }
    let mut query = query.clone();
    names::name_columns(&mut query);
    lift_set(&mut query);
    let mut calls = Vec::new();
    let _ = VisitMut::visit(&mut query, &mut Collect { once: false, ..Collect::once(&mut calls, None) });
    let none: Vec<Rows> = calls.iter().map(|_| Vec::new()).collect();
    let mut places = Vec::new();
    let mut put = Collect { once: false, ..Collect::once(&mut places, Some(none.into_iter())) };
    let _ = VisitMut::visit(&mut query, &mut put);
    Ok(Cow::Owned(query))
}

fn find(name: &ast::ObjectName) -> Option<&'static Function> {
    let parts = name_parts(name);
    let name = parts.last()?;
    FUNCTIONS.iter().find(|f| f.name == name)
}

fn mentions(query: &Query) -> bool {
    struct Find(bool);
    impl Visitor for Find {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.0 |= matches!(expr, Expr::Function(f) if find(&f.name).is_some());
            ControlFlow::Continue(())
        }
        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            self.0 |= matches!(factor, TableFactor::Table { name, args: Some(_), .. } if find(name).is_some());
            ControlFlow::Continue(())
        }
    }
    let mut visitor = Find(false);
    let _ = Visit::visit(query, &mut visitor);
    visitor.0
}

/// `SELECT show_chunks('m')` gives many rows: it becomes `SELECT … FROM show_chunks('m')`.
fn lift_set(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let [item] = select.projection.as_mut_slice() else { return };
    if !select.from.is_empty() {
        return;
    }
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return };
    let Expr::Function(call) = expr else { return };
    let Some(function) = find(&call.name).filter(|f| matches!(f.name, "show_chunks" | "drop_chunks")) else { return };
    let FunctionArguments::List(list) = &call.args else { return };
    let factor = TableFactor::Table {
        name: call.name.clone(),
        alias: None,
        args: Some(ast::TableFunctionArgs { args: list.args.clone(), settings: None }),
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    };
    *expr = Expr::Identifier(ast::Ident::new(function.columns[0].0));
    select.from.push(ast::TableWithJoins { relation: factor, joins: vec![] });
}

/// Visits the calls of a query in a fixed order: collects them, or puts rows in their places.
struct Collect<'a> {
    calls: &'a mut Vec<(&'static Function, Vec<FunctionArg>)>,
    rows: Option<std::vec::IntoIter<Rows>>,
    /// The record that was last put in a place, and its columns.
    record: Option<(Expr, Vec<Expr>)>,
    /// Whether calls for each row are left alone.
    once: bool,
}

impl<'a> Collect<'a> {
    /// Visits the calls that are executed once, whatever rows there are.
    fn once(calls: &'a mut Vec<(&'static Function, Vec<FunctionArg>)>, rows: Option<std::vec::IntoIter<Rows>>) -> Self {
        Collect { calls, rows, record: None, once: true }
    }

    /// A record is NULL when all its columns are, and not NULL when none is.
    fn test_record(&mut self, expr: &mut Expr) {
        let test = match expr {
            Expr::IsNull(_) => Expr::IsNull,
            Expr::IsNotNull(_) => Expr::IsNotNull,
            _ => return,
        };
        let (Expr::IsNull(tested) | Expr::IsNotNull(tested)) = expr else { return };
        // The tested expression was visited just before.
        if let Some((_, columns)) = self.record.take_if(|(value, _)| *value == **tested) {
            let tests = columns.into_iter().map(|column| test(Box::new(column)));
            let both = |a: Expr, b| Expr::BinaryOp { left: a.into(), op: ast::BinaryOperator::And, right: Box::new(b) };
            *expr = tests.reduce(both).map_or_else(|| expr.clone(), |all| Expr::Nested(Box::new(all)));
        }
    }
}

impl VisitorMut for Collect<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(call) = expr else {
            self.test_record(expr);
            return ControlFlow::Continue(());
        };
        let Some(function) = find(&call.name) else { return ControlFlow::Continue(()) };
        let args = match &call.args {
            FunctionArguments::List(list) => list.args.clone(),
            _ => Vec::new(),
        };
        if self.once && each_row::is_of_rows(function, &args) {
            return ControlFlow::Continue(());
        }
        self.calls.push((function, args));
        if let Some(rows) = &mut self.rows {
            let rows = rows.next().unwrap_or_default();
            let text = scalar_text(function, rows.first());
            if let Ok(value) = parse::parse_expr(&text) {
                let columns = rows.first().filter(|row| row.len() > 1).map(|row| {
                    let typed = row.iter().zip(function.columns);
                    typed.map(|(cell, (_, t))| parse::parse_expr(&format!("CAST({cell} AS {})", sql_type(t)))).collect()
                });
                self.record = columns.and_then(Result::ok).map(|columns| (value.clone(), columns));
                *expr = value;
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { name, args: Some(args), alias, .. } = factor else { return ControlFlow::Continue(()) };
        let Some(function) = find(name) else { return ControlFlow::Continue(()) };
        self.calls.push((function, args.args.clone()));
        if let Some(rows) = &mut self.rows {
            let rows = rows.next().unwrap_or_default();
            if let Ok(subquery) = parse::parse_query(&rows_text(
                function,
                each_row::column_name(function, alias.as_ref()).as_deref(),
                &rows,
            )) {
                let alias = alias.clone().unwrap_or_else(|| ast::TableAlias {
                    explicit: true,
                    name: ast::Ident::new(function.name),
                    columns: vec![],
                    at: None,
                });
                *factor = TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
            }
        }
        ControlFlow::Continue(())
    }
}

fn sql_type(name: &str) -> &str {
    match name {
        "void" | "name" => "text",
        other => other,
    }
}

/// A call's value as an expression: its column, or all of them as the text of a record.
fn scalar_text(function: &Function, row: Option<&Vec<String>>) -> String {
    match (function.columns, row) {
        ([(_, column_type)], Some(row)) => format!("CAST({} AS {})", row[0], sql_type(column_type)),
        ([(_, column_type)], None) => format!("CAST(NULL AS {})", sql_type(column_type)),
        (_, Some(row)) => {
            let cell = |cell: &String| match cell.as_str() {
                "NULL" => String::new(),
                "true" => "t".to_owned(),
                "false" => "f".to_owned(),
                other => other.trim_matches('\'').to_owned(),
            };
            let cells: Vec<String> = row.iter().map(cell).collect();
            format!("'({})'", cells.join(",").replace('\'', "''"))
        }
        (_, None) => "CAST(NULL AS text)".to_owned(),
    }
}

/// A call's rows as a query.
///
/// * `alias` – the name of its only column, if that is another.
fn rows_text(function: &Function, alias: Option<&str>, rows: &Rows) -> String {
    let select = |row: &dyn Fn(usize) -> String| {
        let items: Vec<String> = function
            .columns
            .iter()
            .enumerate()
            .map(|(i, (name, t))| format!("CAST({} AS {}) AS {}", row(i), sql_type(t), quoted(alias.unwrap_or(name))))
            .collect();
        format!("SELECT {}", items.join(", "))
    };
    if rows.is_empty() {
        return format!("{} WHERE false", select(&|_| "NULL".to_owned()));
    }
    rows.iter().map(|row| select(&|i| row[i].clone())).collect::<Vec<_>>().join(" UNION ALL ")
}

/// A string as a SQL literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn read_arguments(
    planner: &Planner,
    function: &Function,
    args: &[FunctionArg],
    parameters: &[ScalarValue],
) -> Result<Arguments> {
    read_named(planner, function.name, function.parameters, args, parameters)
}

fn read_named(
    planner: &Planner,
    function: &str,
    names: &'static [&'static str],
    args: &[FunctionArg],
    parameters: &[ScalarValue],
) -> Result<Arguments> {
    let mut arguments = Arguments { function: function.to_owned(), values: HashMap::new(), by_range: None };
    for (i, arg) in args.iter().enumerate() {
        let (name, expr) = parameters::named(names, i, arg)
            .ok_or_else(|| Error::syntax(format!("argument {arg} is not supported")))?;
        let Some(name) = name else {
            return Err(Error::new("42883", format!("function {function} does not exist with argument {arg}"))
                .hint(format!("Its parameters are: {}.", names.join(", "))));
        };
        if let Expr::Function(call) = expr
            && matches!(name_parts(&call.name).last().map(String::as_str), Some("by_range" | "by_hash"))
        {
            arguments.by_range = Some(read_by_range(planner, call, parameters)?);
            continue;
        }
        let value = value_of(planner, expr, parameters)?;
        if arguments.values.insert(name, value).is_some() {
            return Err(Error::new("42601", format!("argument name \"{name}\" used more than once")));
        }
    }
    Ok(arguments)
}

fn read_by_range(
    planner: &Planner,
    call: &ast::Function,
    parameters: &[ScalarValue],
) -> Result<(String, Option<ScalarValue>)> {
    if name_parts(&call.name).last().is_some_and(|n| n == "by_hash") {
        return Err(
            Error::unsupported("hash partitioning is not supported").hint("Partition by time: by_range('time').")
        );
    }
    let FunctionArguments::List(list) = &call.args else { return Err(Error::syntax("by_range needs a column")) };
    let arguments = read_named(
        planner,
        "by_range",
        &["column_name", "partition_interval", "partition_func"],
        &list.args,
        parameters,
    )?;
    let column = arguments.text("column_name").ok_or_else(|| Error::invalid_parameter("by_range needs a column"))?;
    Ok((column, arguments.value("partition_interval").cloned()))
}

fn value_of(planner: &Planner, expr: &Expr, parameters: &[ScalarValue]) -> Result<ScalarValue> {
    match placeholder(expr) {
        // As it was sent: what it stands for tells how it is to be read.
        Some(number) => number
            .checked_sub(1)
            .and_then(|i| parameters.get(i).cloned())
            .ok_or_else(|| Error::new("08P01", format!("there is no parameter ${number}"))),
        None => planner.constant_with(expr, parameters),
    }
}

async fn invoke(work: &mut Work, function: &Function, arguments: &Arguments) -> Result<Rows> {
    match function.name {
        "create_hypertable" => create_hypertable(work, arguments),
        "set_chunk_time_interval" => chunks::set_interval(work, arguments),
        "set_integer_now_func" => chunks::set_integer_now(work, arguments),
        "show_chunks" => chunks::show(work, arguments).await,
        "drop_chunks" => chunks::drop(work, arguments).await,
        "add_continuous_aggregate_policy" => policies::add_refresh(work, arguments),
        "remove_continuous_aggregate_policy" => policies::remove_refresh(work, arguments),
        "add_retention_policy" => policies::add_retention(work, arguments),
        "remove_retention_policy" => policies::remove_retention(work, arguments),
        "compress_chunk" => compression::compress(work, arguments),
        "decompress_chunk" => compression::decompress(work, arguments),
        "add_compression_policy" => policies::add_compression(work, arguments),
        "remove_compression_policy" => policies::remove_compression(work, arguments),
        "add_job" => policies::add_job(work, arguments),
        "alter_job" => policies::alter_job(work, arguments),
        "delete_job" => policies::delete_job(work, arguments),
        "set_config" => set_config(work, arguments),
        other => Err(Error::internal(format!("{other} has no implementation"))),
    }
}

fn void() -> Result<Rows> {
    Ok(vec![vec!["''".to_owned()]])
}

/// `set_config`: SET and SET LOCAL as a function.
fn set_config(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let name = arguments.text("setting_name").ok_or_else(|| Error::new("22004", "SET requires parameter name"))?;
    let value = arguments.text("new_value");
    work.settings.change(&name, value.as_deref(), arguments.truth("is_local")?, !work.autocommit)?;
    Ok(vec![vec![literal(value.as_deref().unwrap_or(work.settings.get(&name)?))]])
}

fn create_hypertable(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let name = arguments.text("relation").ok_or_else(|| Error::invalid_parameter("relation cannot be NULL"))?;
    let table = work.table_of(&parse::parse_name(&name)?)?;
    let (column, width) = match &arguments.by_range {
        Some((column, width)) => (column.clone(), width.clone()),
        None => {
            let column = arguments.text("time_column_name");
            let column = column.ok_or_else(|| Error::invalid_parameter("partition column cannot be NULL"))?;
            (column, arguments.value("chunk_time_interval").cloned())
        }
    };
    if arguments.value("partitioning_column").is_some() || arguments.value("number_partitions").is_some() {
        return Err(Error::unsupported("space partitioning is not supported").hint("Partition by time only."));
    }
    let interval = width.map(|w| chunk_width(&w, &table, &column)).transpose()?;
    let before = table.hypertable.is_some();
    let partition = define::Partition {
        column,
        interval,
        migrate: arguments.truth("migrate_data")?,
        if_not_exists: arguments.truth("if_not_exists")?,
        default_index: arguments.given("create_default_indexes").is_none()
            || arguments.truth("create_default_indexes")?,
        compression: define::CompressionOptions::default(),
    };
    let number = define::make_hypertable(work, &table, &partition)?;
    Ok(vec![vec![number.to_string(), literal(&table.schema), literal(&table.name), (!before).to_string()]])
}

/// A chunk width on the time axis of a column.
fn chunk_width(value: &ScalarValue, table: &Table, column: &str) -> Result<i64> {
    let column_type = table.column(column).map(|c| c.column_type.clone()).ok_or_else(|| Error::no_column(column))?;
    let invalid = || Error::invalid_parameter(format!("invalid interval for {column_type} dimension"));
    let width = match value {
        ScalarValue::IntervalMonthDayNano(_) | ScalarValue::Utf8(_) => {
            let whole = column_type.time_type().is_some_and(|t| t.is_integer());
            if whole {
                return Err(Error::invalid_parameter(format!("invalid interval type for {column_type} dimension")));
            }
            i64::try_from(interval_of(value)?.approx_micros()).ok()
        }
        other => whole_of(other),
    };
    width.filter(|w| *w > 0).ok_or_else(invalid)
}

/// The parameters of `refresh_continuous_aggregate`.
const REFRESH: &[&str] = &["continuous_aggregate", "window_start", "window_end", "force", "options"];

/// CALL.
pub async fn call(work: &mut Work, call: &ast::Function, parameters: &[ScalarValue]) -> Result<Outcome> {
    let parts = name_parts(&call.name);
    let args = match &call.args {
        FunctionArguments::List(list) => list.args.clone(),
        _ => Vec::new(),
    };
    match parts.last().map(String::as_str) {
        Some("refresh_continuous_aggregate") => {
            let asked = Asked::read(work, &args, parameters)?;
            refresh_continuous_aggregate(work, asked).await?;
        }
        Some("run_job") => {
            let arguments = read_named(&work.planner(), "run_job", &["job_id"], &args, parameters)?;
            let id = arguments
                .value("job_id")
                .and_then(whole_of)
                .ok_or_else(|| Error::invalid_parameter("job ID cannot be NULL"))?;
            job::run_now(work, highwater_model::JobId(i32::try_from(id).unwrap_or(i32::MAX))).await?;
        }
        Some(name) if PROCEDURES.iter().any(|(procedure, ..)| *procedure == name) => {
            call_function(work, name, &args, parameters).await?;
        }
        _ => match define::find_function(work, &parts) {
            Some(function) if function.returns.is_none() => {
                let given = given(work, &function, &args, parameters)?;
                procedure::run(work, &function, &given).await?;
            }
            _ => {
                return Err(Error::new("42883", format!("procedure {} does not exist", parts.join(".")))
                    .hint("No procedure matches the given name and argument types. You might need to add explicit type casts."));
            }
        },
    }
    Ok(Outcome::Done("CALL".to_owned()))
}

/// Calls one of [`PROCEDURES`].
async fn call_function(work: &mut Work, name: &str, args: &[FunctionArg], parameters: &[ScalarValue]) -> Result<()> {
    let missing = || Error::internal(format!("{name} is no procedure"));
    let (procedure, names, function) =
        PROCEDURES.iter().find(|(procedure, ..)| *procedure == name).ok_or_else(missing)?;
    let function = FUNCTIONS.iter().find(|known| known.name == *function).ok_or_else(missing)?;
    let args = each_row::without_regclass(function, args);
    let mut arguments = read_named(&work.planner(), procedure, names, &args, parameters)?;
    let own = |name| names.iter().position(|own| *own == name).map(|place| function.parameters[place]);
    arguments.values = arguments.values.into_iter().filter_map(|(name, value)| Some((own(name)?, value))).collect();
    invoke(work, function, &arguments).await.map(|_| ())
}

/// The arguments of a procedure of the user, as text, in its order.
fn given(
    work: &Work,
    function: &highwater_model::catalog::Function,
    args: &[FunctionArg],
    parameters: &[ScalarValue],
) -> Result<Vec<Option<String>>> {
    let planner = work.planner();
    let names: Vec<&str> = function.arguments.iter().map(|(name, _)| name.as_str()).collect();
    let mut values: Vec<Option<Option<String>>> = vec![None; args.len()];
    for (i, arg) in args.iter().enumerate() {
        let (name, expr) = parameters::named(&names, i, arg)
            .ok_or_else(|| Error::syntax(format!("argument {arg} is not supported")))?;
        let place = match arg {
            FunctionArg::Unnamed(_) => Some(i),
            _ => name.and_then(|name| names.iter().position(|other| *other == name)),
        };
        let value = value_of(&planner, expr, parameters)?;
        let text = crate::text::write::scalar_text(&value, &work.settings.zone());
        match place.and_then(|place| values.get_mut(place)) {
            Some(place) => *place = Some(text),
            None => return Err(Error::new("42883", format!("procedure {} has no argument for {arg}", function.name))),
        }
    }
    let all: Option<Vec<Option<String>>> = values.into_iter().collect();
    all.ok_or_else(|| Error::new("42883", format!("an argument of procedure {} is given twice", function.name)))
}

/// Which refresh is asked for.
struct Asked {
    cagg: Arc<ContinuousAggregate>,
    window: TimeRange,
    choice: Choice,
}

impl Asked {
    /// Reads the arguments of `refresh_continuous_aggregate`.
    fn read(work: &Work, args: &[FunctionArg], parameters: &[ScalarValue]) -> Result<Asked> {
        let arguments = read_named(&work.planner(), "refresh_continuous_aggregate", REFRESH, args, parameters)?;
        let name = arguments
            .text("continuous_aggregate")
            .ok_or_else(|| Error::invalid_parameter("invalid continuous aggregate"))?;
        let cagg = work.cagg_of(&parse::parse_name(&name)?)?;
        let time_type = cagg.bucket.time_type;
        let bound = |name: &str| arguments.value(name).map(|v| instant_of(v, time_type, work)).transpose();
        let (start, end) = (bound("window_start")?, bound("window_end")?);
        let window = arithmetic::whole_buckets(&cagg.bucket, start, end).ok_or_else(|| {
            Error::invalid_parameter("refresh window too small")
                .detail("The refresh window must cover at least one bucket of data.")
                .hint("Align the refresh window with the bucket time zone or use at least two buckets.")
        })?;
        let choice = if arguments.truth("force")? { Choice::Force } else { Choice::Pending };
        Ok(Asked { cagg, window, choice })
    }
}

/// EXPLAIN REFRESH, and EXPLAIN of `refresh_continuous_aggregate`.
pub fn explain_refresh(work: &Work, args: &[FunctionArg], parameters: &[ScalarValue]) -> Result<Outcome> {
    let Asked { cagg, window, choice } = Asked::read(work, args, parameters)?;
    let zone = work.settings.zone();
    let rate = work.engine.refresh_rates.lock().get(&cagg.id).copied();
    let batch = refresh::explain(work.transaction.version(), &cagg, window, choice, &zone, rate)?;
    let rows = futures::stream::once(async { Ok(batch) }).boxed();
    Ok(Outcome::Rows { columns: refresh::explain_columns(), rows, tag: "EXPLAIN" })
}

async fn refresh_continuous_aggregate(work: &mut Work, asked: Asked) -> Result<()> {
    let Asked { cagg, window, choice } = asked;
    let refresher = Refresher { engine: &work.engine, settings: &work.settings, user: &work.user };
    let refreshed = match work.autocommit {
        true => refresher.run(&cagg, window, choice).await?,
        false => refresher.run_in(&mut work.transaction, &cagg, window, choice).await?,
    };
    if refreshed.is_nothing() {
        work.notice(refresh::up_to_date(&cagg));
    }
    let frozen = work.transaction.version().cagg(cagg.id).frozen.intersect(&refreshed.ranges);
    if !frozen.is_empty() {
        work.notice(
            crate::error::Notice::new(format!("continuous aggregate \"{}\" keeps what dropped chunks held", cagg.name))
                .detail("Rows of the refreshed window were dropped; their part of the aggregate is kept."),
        );
    }
    Ok(())
}

/// The aggregate or hypertable that chunks are of: its table, and the aggregate if it is one's.
fn chunked(work: &Work, relation: Relation) -> Result<(Arc<Table>, Option<Arc<ContinuousAggregate>>)> {
    match relation {
        Relation::Table(table) if table.hypertable.is_some() => {
            let cagg = work.transaction.version().catalog().kept_by(table.id).cloned();
            Ok((table, cagg))
        }
        Relation::Table(table) => {
            Err(Error::new("TS001", format!("\"{}\" is not a hypertable or a continuous aggregate", table.name)))
        }
        Relation::Cagg(cagg) => {
            let table = work.transaction.version().catalog().tables.get(&cagg.materialization).cloned();
            Ok((table.ok_or_else(|| Error::internal("an aggregate has a materialization"))?, Some(cagg)))
        }
    }
}
