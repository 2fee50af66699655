//! Calls for each row of a query: `SELECT compress_chunk(c) FROM show_chunks('m') c`.
//!
//! ```text
//! SELECT count(compress_chunk(c, true)) FROM … c WHERE …
//! first      SELECT *, c, true FROM … c WHERE …              the call is executed for each of these rows
//! then       SELECT count(_called_1) FROM (these rows, with what the calls gave) c
//! ```
//!
//! In PostgreSQL it depends on the rest of a query for which of its rows a call in it is executed. Where that could be
//! fewer than all, the query is refused.

use super::{Arguments, Function, find, invoke, literal, parameters, sql_type};
use crate::error::{Error, Result};
use crate::parse::{self, ident, name_parts};
use crate::work::{Work, quoted};
use arrow::array::RecordBatch;
use arrow::datatypes::Field;
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    self, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Select, SelectItem, SetExpr,
    TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};
use futures::TryStreamExt;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// The functions that may be called so.
const FUNCTIONS: [&str; 2] = ["compress_chunk", "decompress_chunk"];

/// Aggregates over what a call gave, which see all rows.
const OVER_ALL: [&str; 6] = ["count", "array_agg", "string_agg", "min", "max", "json_agg"];

/// Whether a call is to be executed for each row.
pub fn is_of_rows(function: &Function, args: &[FunctionArg]) -> bool {
    struct Columns(bool);
    impl Visitor for Columns {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.0 |= matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            ControlFlow::Continue(())
        }
    }
    let mut columns = Columns(false);
    for expr in args.iter().filter_map(value) {
        let _ = Visit::visit(expr, &mut columns);
    }
    FUNCTIONS.contains(&function.name) && columns.0
}

/// What is given for an argument.
fn value(arg: &FunctionArg) -> Option<&Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
        | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    }
}

/// The arguments of a call that names chunks: chunks are no relations here, so `::regclass` says nothing of them.
pub fn without_regclass(function: &Function, args: &[FunctionArg]) -> Vec<FunctionArg> {
    let mut args = args.to_vec();
    if FUNCTIONS.contains(&function.name) {
        for arg in &mut args {
            let (FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
            | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
            | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. }) = arg
            else {
                continue;
            };
            if let Expr::Cast { expr: inner, data_type: DataType::Regclass, .. } = expr {
                *expr = inner.as_ref().clone();
            }
        }
    }
    args
}

/// Executes the calls of a query that are for each row, and gives the query what they gave.
pub async fn execute(work: &mut Work, query: &mut Query, given: &[ScalarValue]) -> Result<()> {
    let mut calls = Calls { found: Vec::new(), replace: false };
    let _ = VisitMut::visit(query, &mut calls);
    if calls.found.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = calls.found.iter().map(|(function, _)| function.name.to_owned()).collect();
    let refused = |why: &str| {
        Error::unsupported(format!("{} for each row {why}", names[0]))
            .hint(format!("Write SELECT {}(…) FROM (SELECT …) AS chunks.", names[0]))
    };
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Err(refused("beside LIMIT"));
    }
    let mut first = query.clone();
    first.order_by = None;
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(refused("of a set operation")) };
    if places(select) != calls.found.len() {
        return Err(refused("can stand in the SELECT list only, by itself or in an aggregate"));
    }
    let [from] = select.from.as_mut_slice() else { return Err(refused("of several tables")) };
    if !from.joins.is_empty() {
        return Err(refused("of a join"));
    }
    let alias = alias_of(&from.relation).ok_or_else(|| refused("of such a table"))?;
    let mut projection = vec![SelectItem::Wildcard(Default::default())];
    let mut arguments = 0;
    for (function, args) in &calls.found {
        for arg in without_regclass(function, args) {
            let expr = value(&arg).cloned().ok_or_else(|| Error::syntax(format!("argument {arg} is not supported")))?;
            arguments += 1;
            projection.push(SelectItem::ExprWithAlias { expr, alias: format!("_given_{arguments}").as_str().into() });
        }
    }
    if let SetExpr::Select(first) = first.body.as_mut() {
        let none = ast::GroupByExpr::Expressions(vec![], vec![]);
        (first.projection, first.distinct, first.group_by, first.having) = (projection, None, none, None);
    }
    let planner = work.planner();
    let types = given.iter().map(|value| Some(value.data_type())).collect::<Vec<_>>();
    let plan = planner.plan_query(&first, &types)?;
    let rows = planner.run(plan, given).await?;
    let batches: Vec<RecordBatch> = rows.try_collect().await?;
    let mut columns: Vec<String> = Vec::new();
    let mut answered: Vec<String> = Vec::new();
    let zone = work.settings.zone();
    for batch in &batches {
        let shown = batch.num_columns() - arguments;
        columns = batch.schema().fields().iter().take(shown).enumerate().map(|(i, f)| column_text(i, f)).collect();
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|column| ScalarValue::try_from_array(column, row));
            let values = values.collect::<Result<Vec<_>, _>>()?;
            let cell = |value: &ScalarValue| crate::text::write::scalar_text(value, &zone);
            let cell = |value| cell(value).map_or_else(|| "NULL".to_owned(), |text| literal(&text));
            let mut cells: Vec<String> = values[..shown].iter().map(cell).collect();
            let mut next = values[shown..].iter();
            for (function, args) in &calls.found {
                let arguments = arguments_of(function, args, &mut next)?;
                let given = invoke(work, function, &arguments).await?;
                cells.push(given.first().map_or_else(|| "NULL".to_owned(), |row| row[0].clone()));
            }
            answered.push(format!("({})", cells.join(", ")));
        }
    }
    let called = |place: &dyn Fn(usize) -> String| {
        let called = calls.found.iter().enumerate().map(|(i, (function, _))| {
            format!("CAST({} AS {}) AS _called_{}", place(i), sql_type(function.columns[0].1), i + 1)
        });
        called.collect::<Vec<_>>()
    };
    let text = match answered.is_empty() {
        false => {
            let outputs =
                [columns.clone(), called(&|i| format!("column{}", columns.len() + i + 1))].concat().join(", ");
            format!("SELECT {outputs} FROM (VALUES {}) AS answered", answered.join(", "))
        }
        // Without rows nothing is called.
        true => format!("SELECT *, {} FROM {} WHERE false", called(&|_| "NULL".to_owned()).join(", "), from.relation),
    };
    let alias = ast::TableAlias { explicit: true, name: alias, columns: vec![], at: None };
    let subquery = parse::parse_query(&text)?;
    from.relation = TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
    select.selection = None;
    let _ = VisitMut::visit(query, &mut Calls { found: Vec::new(), replace: true });
    Ok(())
}

/// A column of VALUES as that of the rows, by its place.
fn column_text(place: usize, field: &Field) -> String {
    let column_type = highwater_store::schema::column_type(field.data_type());
    let column_type = column_type.map_or_else(|| "text".to_owned(), |t| t.to_string());
    format!("CAST(column{} AS {column_type}) AS {}", place + 1, quoted(field.name()))
}

/// How many calls stand where they are executed for every row: as an output, cast or not, or in an aggregate of all.
fn places(select: &Select) -> usize {
    fn stands(expr: &Expr) -> bool {
        match expr {
            Expr::Cast { expr, .. } | Expr::Nested(expr) => stands(expr),
            Expr::Function(call) => {
                let FunctionArguments::List(list) = &call.args else { return false };
                if find(&call.name).is_some_and(|function| is_of_rows(function, &list.args)) {
                    return true;
                }
                let name = name_parts(&call.name).pop().unwrap_or_default();
                OVER_ALL.contains(&name.as_str())
                    && call.filter.is_none()
                    && call.over.is_none()
                    && list.args.first().and_then(value).is_some_and(stands)
            }
            _ => false,
        }
    }
    let outputs = select.projection.iter();
    outputs
        .filter(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => stands(expr),
            _ => false,
        })
        .count()
}

/// What the rest of the query calls a table of FROM.
fn alias_of(factor: &TableFactor) -> Option<ast::Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, args: None, .. } => {
            Some(ast::Ident::with_quote('"', name_parts(name).pop().unwrap_or_default()))
        }
        _ => None,
    }
}

fn arguments_of<'a>(
    function: &'static Function,
    args: &[FunctionArg],
    values: &mut impl Iterator<Item = &'a ScalarValue>,
) -> Result<Arguments> {
    let mut read = Arguments { function: function.name.to_owned(), values: HashMap::new(), by_range: None };
    for (i, arg) in args.iter().enumerate() {
        let name = parameters::named(function.parameters, i, arg).and_then(|(name, _)| name).ok_or_else(|| {
            Error::new("42883", format!("function {} does not exist with argument {arg}", function.name))
                .hint(format!("Its parameters are: {}.", function.parameters.join(", ")))
        })?;
        let value = values.next().ok_or_else(|| Error::internal("there is a value for each argument"))?;
        read.values.insert(name, value.clone());
    }
    Ok(read)
}

/// Finds the calls for each row, in a fixed order, or puts columns in their places.
struct Calls {
    found: Vec<(&'static Function, Vec<FunctionArg>)>,
    replace: bool,
}

impl VisitorMut for Calls {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        let (Some(function), FunctionArguments::List(list)) = (find(&call.name), &call.args) else {
            return ControlFlow::Continue(());
        };
        if is_of_rows(function, &list.args) {
            self.found.push((function, list.args.clone()));
            if self.replace {
                *expr = Expr::Identifier(ast::Ident::new(format!("_called_{}", self.found.len())));
            }
        }
        ControlFlow::Continue(())
    }
}

/// The name that a call in FROM gives its only column: that of the alias, as in PostgreSQL.
pub fn column_name<'a>(function: &'a Function, alias: Option<&ast::TableAlias>) -> Option<std::borrow::Cow<'a, str>> {
    match (function.columns, alias) {
        ([_], Some(alias)) if alias.columns.is_empty() => Some(ident(&alias.name).into()),
        _ => None,
    }
}
