//! What clients are told of the parameters of statements that are executed here, without a plan that tells.

use crate::parse::{self, ident, name_parts};
use crate::work::Work;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::sql::sqlparser::ast::{self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Visit, Visitor};
use highwater_model::{ColumnType, TimeType};
use highwater_store::schema::{PG_TYPE, typed_field};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The types of the parameters of a CALL: as [`written`], or else as the procedure needs them.
pub fn called(work: &Work, call: &ast::Function, types: &[Option<DataType>]) -> Vec<FieldRef> {
    let mut parameters = written(work, call, types);
    let FunctionArguments::List(list) = &call.args else { return parameters };
    if name_parts(&call.name).last().is_none_or(|name| name != "refresh_continuous_aggregate") {
        return parameters;
    }
    let arguments = list.args.iter().enumerate().filter_map(|(i, arg)| named(super::REFRESH, i, arg));
    let arguments: Vec<(&str, &Expr)> = arguments.filter_map(|(name, expr)| Some((name?, expr))).collect();
    let aggregate = arguments.iter().find(|(name, _)| *name == "continuous_aggregate").and_then(|(_, expr)| {
        let Expr::Value(ast::ValueWithSpan { value: ast::Value::SingleQuotedString(name), .. }) = expr else {
            return None;
        };
        work.cagg_of(&parse::parse_name(name).ok()?).ok()
    });
    let unknown = |number: usize| types.get(number - 1).is_none_or(Option::is_none);
    let bound = aggregate.map_or(TimeType::Timestamptz, |cagg| cagg.bucket.time_type);
    for (name, expr) in arguments {
        if let Some(number) = placeholder(expr).filter(|number| unknown(*number)) {
            match name {
                "window_start" | "window_end" => parameters[number - 1] = announced(bound),
                "force" => parameters[number - 1] = typed(&ColumnType::Boolean),
                _ => {}
            }
        }
    }
    parameters
}

/// How many parameters a statement has.
pub fn placeholders<T: Visit>(statement: &T) -> usize {
    struct Highest(usize);
    impl Visitor for Highest {
        type Break = ();
        fn pre_visit_value(&mut self, value: &ast::ValueWithSpan) -> ControlFlow<()> {
            if let ast::Value::Placeholder(name) = &value.value {
                self.0 = self.0.max(name.trim_start_matches('$').parse().unwrap_or(0));
            }
            ControlFlow::Continue(())
        }
    }
    let mut visitor = Highest(0);
    let _ = Visit::visit(statement, &mut visitor);
    visitor.0
}

/// The types of the parameters of a statement: as declared, as what they are cast to, or else text.
pub fn written<T: Visit>(work: &Work, statement: &T, types: &[Option<DataType>]) -> Vec<FieldRef> {
    let mut parameters = untyped(statement, types);
    for (number, data_type) in cast_types(statement) {
        if types.get(number - 1).is_none_or(Option::is_none)
            && let Ok(column_type) = work.type_names().column_type(&data_type)
        {
            parameters[number - 1] = typed(&column_type);
        }
    }
    parameters
}

/// The types of the parameters of a statement as declared, or else text.
pub fn untyped<T: Visit>(statement: &T, types: &[Option<DataType>]) -> Vec<FieldRef> {
    let count = placeholders(statement).max(types.len());
    (0..count).map(|i| crate::work::parameter(types.get(i).cloned().flatten().unwrap_or(DataType::Utf8))).collect()
}

/// The number of a parameter.
pub fn placeholder(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(ast::ValueWithSpan { value: ast::Value::Placeholder(name), .. }) => {
            name.trim_start_matches('$').parse().ok().filter(|number| *number > 0)
        }
        _ => None,
    }
}

/// The types to which parameters are cast, by the numbers of the parameters.
fn cast_types<T: Visit>(statement: &T) -> HashMap<usize, ast::DataType> {
    struct Casts(HashMap<usize, ast::DataType>);
    impl Visitor for Casts {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::Cast { expr, data_type, .. } = expr
                && let Some(number) = placeholder(expr)
            {
                self.0.insert(number, data_type.clone());
            }
            ControlFlow::Continue(())
        }
    }
    let mut visitor = Casts(HashMap::new());
    let _ = Visit::visit(statement, &mut visitor);
    visitor.0
}

/// A parameter of a type.
fn typed(column_type: &ColumnType) -> FieldRef {
    Arc::new(typed_field("", column_type))
}

/// A parameter that clients are told is of a type, and that stays text when it comes as text: a bound without a zone is
/// read as UTC in every session.
fn announced(time_type: TimeType) -> FieldRef {
    let name = match time_type {
        TimeType::SmallInt => "int2",
        TimeType::Integer => "int4",
        TimeType::BigInt => "int8",
        TimeType::Date => "date",
        TimeType::Timestamp => "timestamp",
        TimeType::Timestamptz => "timestamptz",
    };
    let mark = HashMap::from([(PG_TYPE.to_owned(), name.to_owned())]);
    Arc::new(Field::new("", DataType::Utf8, true).with_metadata(mark))
}

/// The name of an argument, if it is one of these, and what is given for it.
pub fn named<'n, 'a>(names: &[&'n str], index: usize, arg: &'a FunctionArg) -> Option<(Option<&'n str>, &'a Expr)> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some((names.get(index).copied(), expr)),
        FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. }
        | FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(expr), .. } => {
            Some((names.iter().copied().find(|n| *n == ident(name)), expr))
        }
        _ => None,
    }
}
