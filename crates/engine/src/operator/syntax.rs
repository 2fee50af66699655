//! Forms of SQL that DataFusion's planner would read in its own way, written so that we are asked.
//!
//! ```text
//! x AT TIME ZONE 'CET'                timezone('CET', x)
//! INTERVAL '2' HOUR                   interval '2 hour'      (a typed string, read by us)
//! time_bucket('1 day', t, "offset" => '1 h')   time_bucket('1 day', t, NULL, NULL, '1 h')
//! |/ x, @ x, -x                       pg_sqrt(x), abs(x), pg_neg(x)
//! x = ANY (list)                      pg_any(list, x)
//! x LIKE y, x IS DISTINCT FROM y      x ~~ y, x "IS DISTINCT FROM" y      (binary operators, planned by us)
//! jsonb_agg(x ORDER BY y)              jsonb_of_list(array_agg(to_json(x) ORDER BY y))
//! s -> approx_percentile(0.5)         approx_percentile(0.5, s)
//! time_bucket_gapfill('1 h', t, a, b) gapfill_bucket(time_bucket('1 h', t), a, b)
//! sum(s)                              s OF_STATE sum(s)      until the type of s is known
//! ```

use super::any::ANY;
use super::clauses::rewrite_clauses;
use super::plan::{DISTINCT, NOT_DISTINCT};
use crate::state::accessor;
use crate::types::interval_limit;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DateTimeField, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, Interval, IntervalFields, NamedWindowDefinition, NamedWindowExpr,
    ObjectName, Query, Select, SetExpr, TableAliasColumnDef, TableFactor, UnaryOperator, Value, Values, VisitMut,
    VisitorMut, WindowFrame, WindowFrameBound, WindowType,
};
use highwater_model::Numeric;
use highwater_model::numeric::NumericError;
use std::ops::ControlFlow;

mod distinct;
mod json;
pub mod ordinality;

/// Rewrites every expression in a statement, query or expression, before it is planned.
pub fn rewrite_syntax<N: VisitMut>(node: &mut N) {
    let _ = node.visit(&mut Rewriter);
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        bind_sign(expr);
        distinct::end(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        rewrite(expr);
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        rewrite_clauses(query);
        match query.body.as_mut() {
            SetExpr::Values(values) => same_casts(values),
            SetExpr::Select(select) => json::name_values(select),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for NamedWindowDefinition(_, window) in &mut select.named_window {
            if let NamedWindowExpr::WindowSpec(window) = window {
                window.window_frame.iter_mut().for_each(plain_offsets);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        ordinality::number_rows(factor);
        name_column(factor);
        json::rows_of(factor);
        ControlFlow::Continue(())
    }
}

/// In a column of VALUES in which one value is cast, strings and NULLs become of the same type.
fn same_casts(values: &mut Values) {
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for column in 0..width {
        let cells = || values.rows.iter().filter_map(|row| row.content.get(column));
        let Some(Expr::Cast { data_type, .. }) = cells().find(|cell| matches!(cell, Expr::Cast { .. })) else {
            continue;
        };
        let data_type = data_type.clone();
        for cell in values.rows.iter_mut().filter_map(|row| row.content.get_mut(column)) {
            let untyped =
                matches!(cell, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_) | Value::Null));
            if untyped {
                let expr = Box::new(take(cell));
                *cell =
                    Expr::Cast { kind: CastKind::Cast, expr, data_type: data_type.clone(), array: false, format: None };
            }
        }
    }
}

/// A function in FROM that gives one column calls it by its alias: `FROM generate_series(1, 3) i` has a column `i`.
fn name_column(factor: &mut TableFactor) {
    let alias = match factor {
        TableFactor::Table { args: Some(_), alias: Some(alias), name, .. } if has_one_column(name) => alias,
        TableFactor::UNNEST { alias: Some(alias), array_exprs, .. } if array_exprs.len() == 1 => alias,
        _ => return,
    };
    if alias.columns.is_empty() {
        alias.columns.push(TableAliasColumnDef { name: alias.name.clone(), data_type: None });
    }
}

fn has_one_column(name: &ObjectName) -> bool {
    let bare = name.0.last().map(|part| part.to_string().to_lowercase()).unwrap_or_default();
    const SETS: [&str; 4] = ["generate_series", "unnest", "show_chunks", "drop_chunks"];
    const SCALARS: [&str; 6] =
        ["string_to_array", "current_schemas", "parse_ident", "current_setting", "now", "version"];
    SETS.contains(&bare.as_str()) || SCALARS.contains(&bare.as_str())
}

/// Functions with named arguments: name, parameters in order, and what stands for one that is not given.
const NAMED: &[(&str, &[&str], Option<i64>)] = &[
    ("time_bucket", &["bucket_width", "ts", "timezone", "origin", "offset"], None),
    ("locf", &["value", "prev", "treat_null_as_missing"], None),
    ("interpolate", &["value", "prev", "next"], None),
    ("make_interval", &["years", "months", "weeks", "days", "hours", "mins", "secs"], Some(0)),
    ("make_date", &["year", "month", "day"], None),
    ("make_time", &["hour", "min", "sec"], None),
    ("make_timestamp", &["year", "month", "mday", "hour", "min", "sec"], None),
    ("make_timestamptz", &["year", "month", "mday", "hour", "min", "sec", "timezone"], None),
];

fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::AtTimeZone { timestamp, time_zone } => {
            let args = vec![take(time_zone), take(timestamp)];
            *expr = call("timezone", args);
        }
        Expr::Interval(interval) => {
            if let Some(mut typed) = typed_interval(interval) {
                if let Expr::Cast { expr: text, data_type, .. } = &mut typed {
                    spell_units(text, data_type);
                }
                *expr = typed;
            }
        }
        Expr::Value(value)
            if let Value::Number(digits, _) = &value.value
                && is_long(digits) =>
        {
            // DataFusion's literals have at most 38 digits.
            let text = Box::new(Expr::value(Value::SingleQuotedString(digits.clone())));
            let data_type = DataType::Numeric(ExactNumberInfo::None);
            *expr = Expr::Cast { kind: CastKind::Cast, expr: text, data_type, array: false, format: None };
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: operand } if is_negative_number(operand) => {
            *expr = without_sign(take(operand));
        }
        Expr::UnaryOp { op, expr: operand } => {
            let name = match op {
                UnaryOperator::PGSquareRoot => "pg_sqrt",
                UnaryOperator::PGCubeRoot => "pg_cbrt",
                UnaryOperator::PGAbs => "abs",
                UnaryOperator::Minus if !is_number(operand) => "pg_neg",
                UnaryOperator::Plus if !is_number(operand) => "pg_plus",
                UnaryOperator::BitwiseNot => "pg_bitnot",
                UnaryOperator::Not => {
                    type_boolean(operand);
                    return;
                }
                _ => return,
            };
            let args = vec![take(operand)];
            *expr = call(name, args);
        }
        Expr::Value(value) => {
            if let Value::Number(digits, _) = &value.value
                && is_far(digits)
            {
                *expr = float(digits.clone());
            }
        }
        Expr::IsDistinctFrom(left, right) => *expr = binary(take(left), custom(DISTINCT), take(right)),
        Expr::IsNotDistinctFrom(left, right) => *expr = binary(take(left), custom(NOT_DISTINCT), take(right)),
        Expr::Like { negated, any: false, expr: text, pattern, escape_char: None } => {
            let op = if *negated { BinaryOperator::PGNotLikeMatch } else { BinaryOperator::PGLikeMatch };
            *expr = binary(take(text), op, take(pattern));
        }
        Expr::ILike { negated, any: false, expr: text, pattern, escape_char: None } => {
            let op = if *negated { BinaryOperator::PGNotILikeMatch } else { BinaryOperator::PGILikeMatch };
            *expr = binary(take(text), op, take(pattern));
        }
        Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. }
            if !matches!(right.as_ref(), Expr::Subquery(_)) =>
        {
            *expr = call(ANY, vec![take(right), take(left)]);
        }
        Expr::SimilarTo { negated, expr: text, pattern, escape_char } => {
            let escape = escape_char.take().map(|escape| Expr::value(escape.value));
            let pattern = call("similar_to_escape", std::iter::once(take(pattern)).chain(escape).collect());
            let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
            *expr = binary(take(text), op, pattern);
        }
        // An empty array is of the type it is cast to.
        Expr::Cast { expr: inner, data_type, .. } => {
            if matches!(inner.as_ref(), Expr::Array(array) if array.elem.is_empty()) {
                **inner = Expr::value(Value::SingleQuotedString("{}".to_owned()));
            }
            spell_units(inner, data_type);
        }
        Expr::TypedString(typed) => {
            let kind = CastKind::Cast;
            let value = Box::new(Expr::Value(typed.value.clone()));
            *expr = Expr::Cast { kind, expr: value, data_type: typed.data_type.clone(), array: false, format: None };
        }
        Expr::BinaryOp { left, op: op @ (BinaryOperator::Eq | BinaryOperator::NotEq), right } => {
            if let (Some(mut l), Some(mut r)) = (values_of_row(left), values_of_row(right))
                && l.len() == r.len()
                && let Some(each) = each_pair(op, &mut l, &mut r)
            {
                *expr = each;
            }
        }
        Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } => {
            if let Some(asked) = accessor_call(left, right) {
                *expr = asked;
            }
        }
        Expr::Function(function) if let Some(filled) = gapfill_call(function) => *expr = filled,
        Expr::Function(function) => {
            name_arguments(function);
            if bare_name(function) == "pg_typeof" {
                forget_text(function);
            }
            if let Some(WindowType::WindowSpec(window)) = &mut function.over {
                window.window_frame.iter_mut().for_each(plain_offsets);
            }
            if bare_name(function) == "interpolate" {
                let _ = VisitMut::visit(&mut function.args, &mut Records);
            }
            if let Some(rewritten) = json::rewrite(function) {
                *expr = rewritten;
            } else if let Some(asked) = perhaps_accessor(function) {
                *expr = asked;
            }
        }
        _ => {}
    }
}

/// The offsets of a window frame are read as they are written, not as expressions.
fn plain_offsets(frame: &mut WindowFrame) {
    for bound in std::iter::once(&mut frame.start_bound).chain(frame.end_bound.as_mut()) {
        if let WindowFrameBound::Preceding(Some(offset)) | WindowFrameBound::Following(Some(offset)) = bound
            && let Expr::Cast { expr: text, data_type: DataType::Interval { .. }, .. } = offset.as_mut()
        {
            let value = Box::new(take(text));
            **offset = Expr::Interval(Interval {
                value,
                leading_field: None,
                leading_precision: None,
                last_field: None,
                fractional_seconds_precision: None,
            });
        }
    }
}

/// A sign binds closer than a power: `-2 ^ 2` is 4.
fn bind_sign(expr: &mut Expr) {
    let is_power = |expr: &Expr| matches!(expr, Expr::BinaryOp { op: BinaryOperator::PGExp, .. });
    if let Expr::UnaryOp { op: op @ (UnaryOperator::Minus | UnaryOperator::Plus), expr: operand } = expr
        && is_power(operand)
    {
        let (op, mut power) = (*op, take(operand));
        let mut first = &mut power;
        while let Expr::BinaryOp { op: BinaryOperator::PGExp, left, .. } = first {
            first = left;
        }
        let base = Box::new(take(first));
        *first = Expr::UnaryOp { op, expr: base };
        *expr = power;
    }
}

/// A number, whose sign belongs to it.
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::Nested(inner) => is_number(inner),
        _ => false,
    }
}

/// The values of `(a, b)` or `ROW(a, b)`.
fn values_of_row(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(values) => Some(values.clone()),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => match &function.args {
            FunctionArguments::List(list) => list
                .args
                .iter()
                .map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                    _ => None,
                })
                .collect(),
            _ => None,
        },
        _ => None,
    }
}

/// A string literal has no type yet, which only NULL tells of itself.
fn forget_text(function: &mut Function) {
    if let FunctionArguments::List(list) = &mut function.args
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))] = list.args.as_mut_slice()
        && matches!(value.value, Value::SingleQuotedString(_))
    {
        value.value = Value::Null;
    }
}

fn bare_name(function: &Function) -> String {
    function.name.0.last().map(|part| part.to_string().to_lowercase()).unwrap_or_default()
}

/// Makes `(time, value)` a record.
struct Records;

impl VisitorMut for Records {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Tuple(parts) = expr {
            let parts = std::mem::take(parts);
            *expr = call("struct", parts);
        }
        ControlFlow::Continue(())
    }
}

/// `time_bucket_gapfill(width, time [, timezone] [, start] [, finish])` as its bucket, start and finish.
fn gapfill_call(function: &Function) -> Option<Expr> {
    if bare_name(function) != "time_bucket_gapfill" {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else { return None };
    const NAMES: [&str; 5] = ["bucket_width", "ts", "timezone", "start", "finish"];
    let mut places: [Option<Expr>; 5] = Default::default();
    let mut positional = Vec::new();
    for arg in &list.args {
        let (name, value) = match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => {
                positional.push(value.clone());
                continue;
            }
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => (name, value),
            FunctionArg::ExprNamed { name: Expr::Identifier(name), arg: FunctionArgExpr::Expr(value), .. } => {
                (name, value)
            }
            _ => return None,
        };
        places[position(&NAMES, &name.value)?] = Some(value.clone());
    }
    // PostgreSQL takes a literal without a type for the text that a time zone is.
    let zoned = matches!(positional.get(2), Some(Expr::Value(v)) if matches!(v.value, Value::SingleQuotedString(_)));
    let order: &[usize] = if zoned { &[0, 1, 2, 3, 4] } else { &[0, 1, 3, 4] };
    if positional.len() > order.len() {
        return None;
    }
    for (value, place) in positional.into_iter().zip(order) {
        places[*place] = Some(value);
    }
    let [width, time, zone, start, finish] = places;
    let bucket = call("time_bucket", [width?, time?].into_iter().chain(zone).collect());
    let given = |bound: Option<Expr>| bound.unwrap_or_else(|| Expr::value(Value::Null));
    Some(call(crate::function::gapfill::GAPFILL, vec![bucket, given(start), given(finish)]))
}

/// The operator between what may be a state and the aggregate that is meant if it is none.
///
/// `sum(s)` asks the state `s`, and `sum(x)` adds up numbers: only the planner of operators is told the type of
/// an expression while a query is planned. See [`asked_of_state`].
fn of_state(accessor: &str) -> BinaryOperator {
    BinaryOperator::PGCustomBinaryOperator(vec![OF_STATE.to_owned(), accessor.to_owned()])
}

const OF_STATE: &str = "of_state";

/// The accessor that the left operand is asked if it is a state.
pub fn asked_of_state(op: &BinaryOperator) -> Option<&str> {
    match op {
        BinaryOperator::PGCustomBinaryOperator(names) => match names.as_slice() {
            [operator, accessor] if operator == OF_STATE => Some(accessor),
            _ => None,
        },
        _ => None,
    }
}

/// Rows are equal when each of their values is, and differ when one does; NULL is neither.
fn each_pair(op: &BinaryOperator, left: &mut [Expr], right: &mut [Expr]) -> Option<Expr> {
    let joint = if *op == BinaryOperator::Eq { BinaryOperator::And } else { BinaryOperator::Or };
    let pairs = left.iter_mut().zip(right).map(|(l, r)| binary(take(l), op.clone(), take(r)));
    let all = pairs.reduce(|all, pair| binary(all, joint.clone(), pair))?;
    Some(Expr::Nested(Box::new(all)))
}

fn is_negative_number(expr: &Expr) -> bool {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => is_number(expr),
        Expr::Nested(inner) => is_negative_number(inner),
        _ => false,
    }
}

/// Whether a number has more digits than fit 128 bits.
fn is_long(number: &str) -> bool {
    let number = Numeric::parse(number.as_bytes());
    let digits = |number: &Numeric| number.finite().map_or(0, |number| number.precision().max(number.scale()));
    // What is no number is left to those who can say why.
    number.map_or_else(|e| e == NumericError::Overflow, |number| digits(&number) > 38)
}

/// What a minus sign stands before.
fn without_sign(expr: Expr) -> Expr {
    match expr {
        Expr::Nested(inner) => without_sign(*inner),
        Expr::UnaryOp { expr, .. } => *expr,
        other => other,
    }
}

/// A text that NOT stands before is a boolean.
fn type_boolean(operand: &mut Expr) {
    if let Expr::Value(value) = operand
        && matches!(value.value, Value::SingleQuotedString(_))
    {
        let expr = Box::new(take(operand));
        let data_type = DataType::Boolean;
        *operand = Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None };
    }
}

fn custom(name: &str) -> BinaryOperator {
    BinaryOperator::Custom(name.to_owned())
}

pub fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// The arguments of a call that has nothing but arguments, and its name.
fn plain_call(function: &Function) -> Option<(String, Vec<Expr>)> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let plain = function.over.is_none()
        && function.filter.is_none()
        && function.within_group.is_empty()
        && function.null_treatment.is_none()
        && list.duplicate_treatment.is_none()
        && list.clauses.is_empty();
    let args = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    let name = function.name.0.last().map(|part| part.to_string().to_lowercase())?;
    Some((name, args.collect::<Option<Vec<_>>>().filter(|_| plain)?))
}

/// `state -> accessor(…)` as a call.
fn accessor_call(state: &Expr, right: &Expr) -> Option<Expr> {
    let Expr::Function(function) = right else { return None };
    let (name, mut args) = plain_call(function).filter(|(name, _)| accessor::is_accessor(name))?;
    let place = if accessor::takes_state_last(&name) { args.len() } else { 0 };
    args.insert(place, state.clone());
    Some(call(accessor::scalar_name(&name), args))
}

/// A call of a name that an aggregate and an accessor share.
fn perhaps_accessor(function: &Function) -> Option<Expr> {
    let (name, args) = plain_call(function).filter(|(name, _)| accessor::is_shared(name))?;
    match (name.as_str(), args.as_slice()) {
        ("corr", [_]) | ("stddev" | "variance", [_, _]) => Some(call(accessor::scalar_name(&name), args)),
        ("corr", _) => None,
        (_, [argument @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Function(_))]) => {
            Some(Expr::BinaryOp {
                left: Box::new(argument.clone()),
                op: of_state(&name),
                right: Box::new(Expr::Function(function.clone())),
            })
        }
        _ => None,
    }
}

/// Whether a number has an exponent beyond the digits that a `numeric` keeps.
fn is_far(digits: &str) -> bool {
    let exponent = digits.split_once(['e', 'E']).and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    exponent.is_some_and(|e| !(-20..=30).contains(&e))
}

fn float(digits: String) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::SingleQuotedString(digits))),
        data_type: DataType::DoublePrecision,
        array: false,
        format: None,
    }
}

/// The expression, in whose place NULL is left.
pub fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(Value::Null))
}

fn unnamed(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

/// A call of a function.
pub fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into_iter().map(unnamed).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `INTERVAL 'text' [unit]` as a cast of the text.
fn typed_interval(interval: &Interval) -> Option<Expr> {
    use DateTimeField as D;
    let Expr::Value(value) = interval.value.as_ref() else { return None };
    let text = value.value.clone().into_string()?;
    let fields = match (&interval.leading_field, &interval.last_field) {
        (None, _) => None,
        (Some(D::Year), None) => Some(IntervalFields::Year),
        (Some(D::Month), None) => Some(IntervalFields::Month),
        (Some(D::Day), None) => Some(IntervalFields::Day),
        (Some(D::Hour), None) => Some(IntervalFields::Hour),
        (Some(D::Minute), None) => Some(IntervalFields::Minute),
        (Some(D::Second), None) => Some(IntervalFields::Second),
        (Some(D::Year), Some(D::Month)) => Some(IntervalFields::YearToMonth),
        (Some(D::Day), Some(D::Hour)) => Some(IntervalFields::DayToHour),
        (Some(D::Day), Some(D::Minute)) => Some(IntervalFields::DayToMinute),
        (Some(D::Day), Some(D::Second)) => Some(IntervalFields::DayToSecond),
        (Some(D::Hour), Some(D::Minute)) => Some(IntervalFields::HourToMinute),
        (Some(D::Hour), Some(D::Second)) => Some(IntervalFields::HourToSecond),
        (Some(D::Minute), Some(D::Second)) => Some(IntervalFields::MinuteToSecond),
        _ => return None,
    };
    // In `SECOND(1)` the parser reads the digits as those before the point.
    let precision = interval.fractional_seconds_precision.or(interval.leading_precision);
    Some(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::value(Value::SingleQuotedString(text))),
        data_type: DataType::Interval { fields, precision },
        array: false,
        format: None,
    })
}

/// A literal that becomes an interval of some fields has the units that they say.
fn spell_units(text: &mut Expr, data_type: &DataType) {
    if let DataType::Interval { fields: Some(fields), .. } = data_type
        && let Expr::Value(value) = text
        && let Value::SingleQuotedString(text) = &mut value.value
    {
        *text = interval_limit(Some(fields), None).spelled(text).into_owned();
    }
}

/// Puts named arguments in their places. What cannot be placed is left for the planner to complain about.
fn name_arguments(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    let named = |arg: &FunctionArg| !matches!(arg, FunctionArg::Unnamed(_));
    if !list.args.iter().any(named) {
        return;
    }
    let name = function.name.0.last().map(|part| part.to_string().to_lowercase()).unwrap_or_default();
    let Some((_, parameters, default)) = NAMED.iter().find(|(n, ..)| *n == name) else { return };
    let mut places: Vec<Option<FunctionArg>> = vec![None; parameters.len()];
    for (i, arg) in list.args.iter().enumerate() {
        let (place, value) = match arg {
            FunctionArg::Unnamed(_) => (Some(i), arg.clone()),
            FunctionArg::Named { name, arg, .. } => {
                (position(parameters, &name.value), FunctionArg::Unnamed(arg.clone()))
            }
            FunctionArg::ExprNamed { name: Expr::Identifier(name), arg, .. } => {
                (position(parameters, &name.value), FunctionArg::Unnamed(arg.clone()))
            }
            FunctionArg::ExprNamed { .. } => return,
        };
        match place.and_then(|place| places.get_mut(place)) {
            Some(slot) if slot.is_none() => *slot = Some(value),
            _ => return,
        }
    }
    // An offset that is placed by position does not say what the third argument is; by name it does.
    let last = places.iter().rposition(Option::is_some).map_or(0, |i| i + 1);
    let filler = || unnamed(Expr::value(default.map_or(Value::Null, |n| Value::Number(n.to_string(), false))));
    list.args = places.into_iter().take(last).map(|place| place.unwrap_or_else(filler)).collect();
    if name == "time_bucket" {
        list.args.resize_with(parameters.len(), filler);
    }
}

fn position(parameters: &[&str], name: &str) -> Option<usize> {
    parameters.iter().position(|p| p.eq_ignore_ascii_case(name))
}
