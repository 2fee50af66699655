//! Rows of a function that are numbered.
//!
//! ```text
//! FROM unnest(a) WITH ORDINALITY AS u (x, n)
//! FROM LATERAL (SELECT unnest(a) AS "u", unnest(range(1, cardinality(a) + 1)) AS "ordinality") AS u (x, n)
//! ```

use super::json::{is_set, set_arguments};
use super::{binary, call};
use crate::names::repeated;
use crate::parse;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query, SelectItem,
    SetExpr, TableAlias, TableFactor, Value,
};

/// Whether the rows of a function can be numbered.
pub fn can_number(name: &ObjectName) -> bool {
    named(name, "unnest") || named(name, "generate_series") || is_set(name)
}

fn named(name: &ObjectName, function: &str) -> bool {
    name.0.last().is_some_and(|part| part.to_string().eq_ignore_ascii_case(function))
}

/// Numbers the elements of arrays, and of series.
pub fn number_rows(factor: &mut TableFactor) {
    let series = |args: Vec<FunctionArg>| {
        let mut series = call("generate_series", Vec::new());
        set_arguments(&mut series, args);
        ("generate_series", vec![series])
    };
    let ((name, lists), alias) = match factor {
        TableFactor::UNNEST { array_exprs, alias, with_ordinality: true, .. } => {
            (("unnest", array_exprs.clone()), alias)
        }
        TableFactor::Table { name, args: Some(args), alias, with_ordinality: true, .. }
            if named(name, "generate_series") =>
        {
            (series(args.args.clone()), alias)
        }
        TableFactor::Function { name, args, alias, with_ordinality: true, .. } if named(name, "generate_series") => {
            (series(args.clone()), alias)
        }
        TableFactor::Function { name, args, alias, with_ordinality: true, .. } if named(name, "unnest") => {
            let values = args.iter().filter_map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
                _ => None,
            });
            (("unnest", values.collect()), alias)
        }
        _ => return,
    };
    let alias = alias.take().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::with_quote('"', name),
        columns: Vec::new(),
        at: None,
    });
    // One column is called as the function is.
    let column = if lists.len() == 1 { alias.name.value.clone() } else { name.to_owned() };
    let names = (0..).map(|n| if n == 0 { column.clone() } else { repeated(&column, n) });
    let mut items: Vec<SelectItem> =
        lists.iter().zip(names).map(|(list, name)| item(call("unnest", vec![list.clone()]), &name)).collect();
    items.push(numbers(&lists));
    *factor =
        TableFactor::Derived { lateral: true, subquery: Box::new(select(items)), alias: Some(alias), sample: None };
}

/// The numbers of the elements of lists, which go on to the end of the longest.
pub fn numbers(lists: &[Expr]) -> SelectItem {
    let lengths: Vec<Expr> = lists.iter().map(|list| call("cardinality", vec![list.clone()])).collect();
    let length = match lengths.as_slice() {
        [one] => one.clone(),
        _ => call("greatest", lengths),
    };
    let number = |n: &str| Expr::value(Value::Number(n.to_owned(), false));
    let bigint = |expr: Expr| Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: DataType::BigInt(None),
        array: false,
        format: None,
    };
    let end = binary(bigint(length), BinaryOperator::Plus, number("1"));
    item(call("unnest", vec![call("range", vec![bigint(number("1")), end])]), "ordinality")
}

fn item(expr: Expr, name: &str) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) }
}

/// `SELECT` of these.
pub fn select(items: Vec<SelectItem>) -> Query {
    let mut query = *parse::parse_query("SELECT 1").expect("it is a query");
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = items;
    }
    query
}
