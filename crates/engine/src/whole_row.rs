//! `row_to_json(t)`, where `t` is a table: its columns by name.

use crate::parse::{ident, name_parts};
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Query, Select, SelectItem, SetExpr, TableFactor, Value, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Functions that take whole rows.
const TAKING_ROWS: &[&str] = &["row_to_json", "to_json", "to_jsonb", "json_agg", "jsonb_agg"];

/// Names the columns of whole rows that are made JSON.
///
/// * `columns_of` – the columns of a relation; `None` where they are not known.
pub fn name_columns(query: &mut Query, columns_of: impl Fn(&[String]) -> Option<Vec<String>>) {
    let _ = VisitMut::visit(query, &mut Rows { columns_of });
}

/// The tables of a FROM.
pub struct Rows<F> {
    /// The columns of a relation; `None` where they are not known.
    pub columns_of: F,
}

impl<F: Fn(&[String]) -> Option<Vec<String>>> VisitorMut for Rows<F> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_mut() {
            let tables = self.tables(select);
            if !tables.is_empty() {
                for item in &mut select.projection {
                    let _ = VisitMut::visit(item, &mut Calls(&tables));
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// A table of a FROM and its columns.
pub type Known = (Ident, Vec<String>);

impl<F: Fn(&[String]) -> Option<Vec<String>>> Rows<F> {
    /// Those whose columns are known, in order.
    pub fn tables(&self, select: &Select) -> Vec<Known> {
        let factors = select.from.iter().flat_map(|t| {
            let joined = t.joins.iter().map(|j| &j.relation);
            std::iter::once(&t.relation).chain(joined)
        });
        let known = factors.filter_map(|factor| match factor {
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                let columns = match alias.columns.is_empty() {
                    true => self.given_by(subquery)?,
                    false => alias.columns.iter().map(|c| ident(&c.name)).collect(),
                };
                Some((alias.name.clone(), columns))
            }
            TableFactor::Table { name, alias, args: None, .. } => {
                let parts = name_parts(name);
                let called = match alias {
                    Some(alias) => alias.name.clone(),
                    None => Ident::with_quote('"', parts.last()?.as_str()),
                };
                Some((called, (self.columns_of)(&parts)?))
            }
            _ => None,
        });
        known.collect()
    }

    /// The names of a query's columns, where they can be seen.
    fn given_by(&self, query: &Query) -> Option<Vec<String>> {
        let SetExpr::Select(select) = query.body.as_ref() else { return None };
        let mut names = Vec::new();
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => names.push(ident(alias)),
                SelectItem::UnnamedExpr(Expr::Identifier(name)) => names.push(ident(name)),
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => names.push(ident(parts.last()?)),
                SelectItem::Wildcard(_) => {
                    names.extend(self.tables(select).into_iter().flat_map(|(_, columns)| columns));
                }
                _ => return None,
            }
        }
        Some(names)
    }
}

/// Rewrites the calls whose argument is the name of a table.
struct Calls<'a>(&'a [Known]);

impl VisitorMut for Calls<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some(row) = self.row(function)
        {
            let name = function.name.0.last().map(|part| part.to_string().to_lowercase()).unwrap_or_default();
            match name.as_str() {
                "json_agg" | "jsonb_agg" => set_arguments(function, vec![row]),
                "to_jsonb" => {
                    let (kind, expr_of) = (CastKind::Cast, Box::new(row));
                    *expr = Expr::Cast { kind, expr: expr_of, data_type: DataType::JSONB, array: false, format: None };
                }
                _ => *expr = row,
            }
        }
        ControlFlow::Continue(())
    }
}

impl Calls<'_> {
    fn row(&self, function: &Function) -> Option<Expr> {
        let name = function.name.0.last()?.to_string().to_lowercase();
        let FunctionArguments::List(list) = &function.args else { return None };
        let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(argument)))] = list.args.as_slice() else {
            return None;
        };
        let argument = ident(argument);
        let column = self.0.iter().any(|(_, columns)| columns.contains(&argument));
        if column || !TAKING_ROWS.contains(&name.as_str()) {
            return None;
        }
        let (table, columns) = self.0.iter().find(|(table, _)| ident(table) == argument)?;
        let mut row = Function {
            name: ObjectName::from(vec![Ident::new("json_row")]),
            filter: None,
            over: None,
            ..function.clone()
        };
        let args = columns.iter().flat_map(|column| {
            let name = Expr::value(Value::SingleQuotedString(column.clone()));
            [name, Expr::CompoundIdentifier(vec![table.clone(), Ident::with_quote('"', column.as_str())])]
        });
        set_arguments(&mut row, args.collect());
        Some(Expr::Function(row))
    }
}

fn set_arguments(function: &mut Function, args: Vec<Expr>) {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    let clauses = match &mut function.args {
        FunctionArguments::List(list) if args_keep_clauses(&function.name) => std::mem::take(&mut list.clauses),
        _ => Vec::new(),
    };
    function.args = FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses });
}

/// An aggregate keeps its ORDER BY.
fn args_keep_clauses(name: &ObjectName) -> bool {
    name.0.last().is_some_and(|part| part.to_string().to_lowercase().ends_with("_agg"))
}
