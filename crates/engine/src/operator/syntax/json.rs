//! Functions of JSON that make rows, or one value of many, in terms of lists.
//!
//! ```text
//! jsonb_array_elements(x)              pg_as_jsonb(unnest(jsonb_list_elements(x)))
//! FROM jsonb_each(x) AS e              FROM LATERAL (SELECT unnest(…) AS key, … AS value) AS e
//! jsonb_agg(x ORDER BY y)              jsonb_of_list(array_agg(to_json(x) ORDER BY y))
//! ```

use super::ordinality::{numbers, select};
use super::{call, unnamed};
use crate::function::json::SETS;
use crate::parse::ident;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Select, SelectItem,
    TableAlias, TableFactor, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// What stands for a function of rows or an aggregate of JSON; `None` for other functions.
pub fn rewrite(function: &mut Function) -> Option<Expr> {
    let FunctionArguments::List(arguments) = &mut function.args else { return None };
    if let Some((is_text, [(list, _)])) = json_set(&function.name) {
        return Some(unnested(&function.name, list, arguments.args.clone(), is_text));
    }
    let name = function.name.0.last()?.to_string().to_lowercase();
    let address = match name.as_str() {
        "network" => Some(("pg_as_cidr", "inet_network")),
        "broadcast" => Some(("pg_as_inet", "inet_broadcast")),
        "netmask" => Some(("pg_as_inet", "inet_netmask")),
        _ => None,
    };
    if let Some((whole, part)) = address {
        function.name = ObjectName::from(vec![Ident::new(part)]);
        return Some(call(whole, vec![Expr::Function(function.clone())]));
    }
    let (whole, part) = match name.as_str() {
        "json_agg" => ("json_of_list", "to_json"),
        "jsonb_agg" => ("jsonb_of_list", "to_json"),
        "json_object_agg" => ("json_of_pairs", "json_pair"),
        "jsonb_object_agg" => ("jsonb_of_pairs", "json_pair"),
        _ => return None,
    };
    let mut value = call(part, Vec::new());
    set_arguments(&mut value, std::mem::take(&mut arguments.args));
    arguments.args = vec![unnamed(value)];
    function.name = ObjectName::from(vec![Ident::new("array_agg")]);
    Some(call(whole, vec![Expr::Function(function.clone())]))
}

pub fn set_arguments(expr: &mut Expr, args: Vec<FunctionArg>) {
    if let Expr::Function(function) = expr {
        let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
        function.args = FunctionArguments::List(list);
    }
}

/// In `FROM jsonb_array_elements(x) AS e`, `e` alone is the value.
pub fn name_values(select: &mut Select) {
    let mut names = Vec::new();
    for factor in
        select.from.iter().flat_map(|t| std::iter::once(&t.relation).chain(t.joins.iter().map(|j| &j.relation)))
    {
        let (name, alias) = match factor {
            TableFactor::Table { name, args: Some(_), alias: Some(alias), .. } => (name, alias),
            TableFactor::Function { name, alias: Some(alias), .. } => (name, alias),
            _ => continue,
        };
        if let Some((_, [(_, column)])) = json_set(name) {
            let column = alias.columns.first().map_or(*column, |c| c.name.value.as_str());
            if column != alias.name.value {
                names.push((ident(&alias.name), alias.name.clone(), Ident::with_quote('"', column)));
            }
        }
    }
    if names.is_empty() {
        return;
    }
    struct Namer(Vec<(String, Ident, Ident)>);
    impl VisitorMut for Namer {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Identifier(name) = expr
                && let Some((_, alias, column)) = self.0.iter().find(|(alias, ..)| *alias == ident(name))
            {
                *expr = Expr::CompoundIdentifier(vec![alias.clone(), column.clone()]);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(select, &mut Namer(names));
}

/// A function that makes rows of JSON: whether its values are text, and what gives the values of each column.
fn json_set(name: &ObjectName) -> Option<(bool, &'static [(&'static str, &'static str)])> {
    let bare = name.0.last()?.to_string().to_lowercase();
    let neutral = bare.strip_prefix("jsonb").map(|rest| format!("json{rest}")).unwrap_or_else(|| bare.clone());
    let (name, columns) = SETS.iter().find(|(name, _)| *name == neutral)?;
    Some((name.ends_with("_text") || name.ends_with("_keys"), columns))
}

/// Whether a name is that of a function that makes rows of JSON.
pub fn is_set(name: &ObjectName) -> bool {
    json_set(name).is_some()
}

fn is_binary(name: &ObjectName) -> bool {
    name.0.last().is_some_and(|part| part.to_string().to_lowercase().starts_with("jsonb"))
}

/// The list that `list` gives.
fn listed(name: &ObjectName, list: &str, args: Vec<FunctionArg>) -> Expr {
    let list = if is_binary(name) { list.replacen("json", "jsonb", 1) } else { list.to_owned() };
    let mut values = call(&list, Vec::new());
    set_arguments(&mut values, args);
    values
}

/// `unnest` of the list that `list` gives, as values of the type that the function's name tells.
fn unnested(name: &ObjectName, list: &str, args: Vec<FunctionArg>, is_text: bool) -> Expr {
    let rows = call("unnest", vec![listed(name, list, args)]);
    match (is_text, is_binary(name)) {
        (true, _) => rows,
        (false, true) => call("pg_as_jsonb", vec![rows]),
        (false, false) => call("pg_as_json", vec![rows]),
    }
}

/// `FROM jsonb_each(x) AS e` as a subquery of the rows.
pub fn rows_of(factor: &mut TableFactor) {
    let (name, args, alias, numbered) = match factor {
        TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. } => {
            (name, args.args.clone(), alias, *with_ordinality)
        }
        TableFactor::Function { name, args, alias, with_ordinality, .. } => {
            (name, args.clone(), alias, *with_ordinality)
        }
        _ => return,
    };
    let Some((is_text, columns)) = json_set(name) else { return };
    let bare = name.0.last().map(|part| part.to_string().to_lowercase()).unwrap_or_default();
    let alias = alias.take().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::with_quote('"', bare.as_str()),
        columns: Vec::new(),
        at: None,
    });
    let items = columns.iter().map(|(list, column)| {
        let column = match *column {
            // A function of one column without a name of its own is called as it is aliased.
            "json_object_keys" => alias.name.value.clone(),
            column => column.to_owned(),
        };
        let text = is_text || *list == "json_list_names";
        SelectItem::ExprWithAlias {
            expr: unnested(name, list, args.clone(), text),
            alias: Ident::with_quote('"', column),
        }
    });
    let mut items: Vec<SelectItem> = items.collect();
    if numbered && let Some((list, _)) = columns.first() {
        items.push(numbers(&[listed(name, list, args.clone())]));
    }
    let subquery = Box::new(select(items));
    *factor = TableFactor::Derived { lateral: true, subquery, alias: Some(alias), sample: None };
}
