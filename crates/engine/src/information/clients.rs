//! What clients write that DataFusion's planner does not read, in words that it does.
//!
//! ```text
//! x OPERATOR(pg_catalog.~) y          x ~ y
//! x COLLATE pg_catalog.default        x
//! pg_catalog.format_type(…)           format_type(…)
//! c.oid::regclass                     _reg_text('regclass', c.oid)     shown: a name
//! c.oid = 'readings'::regclass        c.oid = _reg_oid('regclass', …)  compared: an oid
//! ARRAY(SELECT …)                     (SELECT array_agg(…) …)
//! ```

use crate::parse::{self, ident, name_parts};
use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, SelectItem, SetExpr, TableFactor, Visit,
    VisitMut, Visitor, VisitorMut,
};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Brings a statement, query or expression into the form that is planned.
pub fn prepare<T: VisitMut>(node: &mut T) {
    let mut tables = Tables::default();
    let _ = VisitMut::visit(node, &mut tables);
    let _ = VisitMut::visit(node, &mut Preparer { tables: tables.0 });
}

/// The tables of a statement by the names that it calls them, as far as these are told apart.
#[derive(Default)]
struct Tables(HashMap<String, Option<String>>);

impl VisitorMut for Tables {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, args: None, .. } = factor {
            let called = alias.as_ref().map(|alias| ident(&alias.name)).or_else(|| name_parts(name).pop());
            let name = name.to_string();
            let known = self.0.entry(called.unwrap_or_default()).or_insert_with(|| Some(name.clone()));
            if *known != Some(name) {
                *known = None;
            }
        }
        ControlFlow::Continue(())
    }
}

struct Preparer {
    tables: HashMap<String, Option<String>>,
}

impl VisitorMut for Preparer {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        // The hidden column `tableoid` is the same in all rows of a table.
        if let Expr::CompoundIdentifier(path) = expr
            && let [.., table, column] = path.as_slice()
            && ident(column) == "tableoid"
            && let Some(Some(name)) = self.tables.get(&ident(table))
        {
            let text = |text: &str| Expr::value(ast::Value::SingleQuotedString(text.to_owned()));
            *expr = call("_reg_oid", vec![text("regclass"), text(name)]);
        }
        rewrite(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(args), alias, with_ordinality, .. } = factor {
            without_catalog(name);
            // With the schema before it the parser does not see what it is.
            if name.to_string().eq_ignore_ascii_case("unnest") {
                let array_exprs = args.args.iter().filter_map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                    _ => None,
                });
                *factor = TableFactor::UNNEST {
                    array_exprs: array_exprs.collect(),
                    alias: alias.clone(),
                    with_offset: false,
                    with_offset_alias: None,
                    with_ordinality: *with_ordinality,
                };
            } else if let Some(array) = series_of_columns(name, &args.args) {
                *factor = TableFactor::UNNEST {
                    array_exprs: vec![array],
                    alias: alias.clone(),
                    with_offset: false,
                    with_offset_alias: None,
                    with_ordinality: *with_ordinality,
                };
            }
        }
        ControlFlow::Continue(())
    }
}

/// Types whose values are names for oids.
const REG: &[&str] = &["regclass", "regtype", "regnamespace", "regrole"];

fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::Collate { expr: inner, .. } => {
            *expr = take(inner);
        }
        Expr::BinaryOp { left, op, right } => {
            if let Some(plain) = plain_operator(op) {
                *op = plain;
            }
            if is_comparison(op) {
                compared(left);
                compared(right);
            }
        }
        Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right } => {
            if let Some(plain) = plain_operator(compare_op) {
                *compare_op = plain;
            }
            compared(left);
            compared(right);
        }
        Expr::InList { expr: left, list, .. } => {
            compared(left);
            list.iter_mut().for_each(compared);
        }
        Expr::InSubquery { expr: left, .. } => compared(left),
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            compared(left);
            compared(right);
        }
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            let backslash = escape_char.as_ref().is_none_or(|c| c.to_string().trim_matches('\'') == "\\");
            if let Some(escape) = escape_char.take().filter(|_| !backslash) {
                let escape = escape.to_string().trim_matches('\'').to_owned();
                let escape = Expr::value(ast::Value::SingleQuotedString(escape));
                **pattern = call("_like_pattern", vec![take(pattern), escape]);
            }
        }
        Expr::Cast { expr: inner, data_type, kind: CastKind::Cast | CastKind::DoubleColon, .. } => {
            let Some(rewritten) = cast(inner, data_type) else { return };
            *expr = rewritten;
        }
        Expr::Identifier(name) if name.quote_style.is_none() => {
            // Functions that are called without parentheses.
            let name = ident(name);
            if matches!(name.as_str(), "current_schema" | "current_role") {
                *expr = call(&name, Vec::new());
            }
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            if let Some(rewritten) = expanded_field(root, access_chain) {
                *expr = rewritten;
            }
        }
        Expr::Function(function) => {
            without_catalog(&mut function.name);
            if let Some(rewritten) = rewritten_function(function) {
                *expr = rewritten;
            }
        }
        _ => {}
    }
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::value(ast::Value::Null))
}

/// `generate_series(a, b)` in FROM as an array, when its bounds are columns of the query around it: a table
/// function is made before there are any.
fn series_of_columns(name: &ObjectName, args: &[FunctionArg]) -> Option<Expr> {
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(first)), FunctionArg::Unnamed(FunctionArgExpr::Expr(last))] = args
    else {
        return None;
    };
    struct Columns(bool);
    impl Visitor for Columns {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            self.0 |= matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            ControlFlow::Continue(())
        }
    }
    let mut columns = Columns(false);
    let _ = Visit::visit(first, &mut columns);
    let _ = Visit::visit(last, &mut columns);
    let is_series = name.to_string().eq_ignore_ascii_case("generate_series");
    (is_series && columns.0).then(|| parse::parse_expr(&format!("range({first}, {last} + 1)")).ok())?
}

/// Drops `pg_catalog` before a function's name.
fn without_catalog(name: &mut ObjectName) {
    if name.0.len() == 2 && name_parts(name).first().is_some_and(|schema| schema == "pg_catalog") {
        name.0.remove(0);
    }
}

/// The operator that `OPERATOR(schema.op)` names.
fn plain_operator(op: &BinaryOperator) -> Option<BinaryOperator> {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else { return None };
    Some(match parts.last()?.as_str() {
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        "<=" => BinaryOperator::LtEq,
        ">" => BinaryOperator::Gt,
        ">=" => BinaryOperator::GtEq,
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "!~~*" => BinaryOperator::PGNotILikeMatch,
        "||" => BinaryOperator::StringConcat,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        _ => return None,
    })
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(op, Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq)
}

/// Makes a name for an oid that is compared the oid.
fn compared(expr: &mut Expr) {
    match expr {
        Expr::Function(function) if function.name.to_string() == "_reg_text" => {
            function.name = ObjectName::from(vec![Ident::new("_reg_oid")]);
        }
        Expr::Function(function) => {
            let name = function.name.to_string();
            if let FunctionArguments::List(list) = &mut function.args
                && let Some(kind) = name.strip_prefix("to_").filter(|kind| REG.contains(kind))
            {
                let kind = Expr::value(ast::Value::SingleQuotedString(kind.to_owned()));
                list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(kind)));
                function.name = ObjectName::from(vec![Ident::new("_to_oid")]);
            }
        }
        Expr::Nested(inner) => compared(inner),
        _ => {}
    }
}

/// A cast to one of the catalog's own types.
fn cast(inner: &mut Box<Expr>, data_type: &mut DataType) -> Option<Expr> {
    let name = match data_type {
        DataType::Regclass => "regclass".to_owned(),
        DataType::Custom(name, modifiers) => {
            let mut parts = name_parts(name);
            let quoted = matches!(name.0.last()?, ast::ObjectNamePart::Identifier(i) if i.quote_style.is_some());
            let qualified = parts.len() > 1 && matches!(parts[0].as_str(), "pg_catalog" | "information_schema");
            let bare = parts.pop()?;
            if REG.contains(&bare.as_str()) {
                bare
            } else {
                if bare == "oid" {
                    compared(inner);
                }
                let plain = plain_type(&bare, quoted)?;
                let plain = match plain {
                    Some(plain) => plain,
                    None if qualified => type_named(&bare, modifiers)?,
                    None => return None,
                };
                *data_type = plain;
                return None;
            }
        }
        DataType::Array(ast::ArrayElemTypeDef::SquareBracket(item, _)) => {
            // The items of an array are not looked up: their oids are what they are.
            if let DataType::Custom(name, _) = item.as_ref() {
                let parts = name_parts(name);
                let bare = parts.last()?;
                if parts.len() > 1 || bare.starts_with("reg") {
                    let bare = if bare.starts_with("reg") { "text" } else { bare };
                    **item = type_named(bare, &[])?;
                }
            }
            return None;
        }
        // `x::regclass::oid` is the oid, `x::regclass::text` the name.
        DataType::BigInt(_) | DataType::Integer(_) | DataType::Int(_) => {
            compared(inner);
            return None;
        }
        _ => return None,
    };
    Some(call("_reg_text", vec![Expr::value(ast::Value::SingleQuotedString(name)), take(inner)]))
}

/// What stands for a type of the catalog; `Some(None)` for a type that is as it is.
#[allow(clippy::option_option)]
fn plain_type(name: &str, quoted: bool) -> Option<Option<DataType>> {
    Some(match name {
        "char" if quoted => Some(DataType::Text),
        "regproc" | "regprocedure" | "regoper" | "regoperator" | "regconfig" | "regdictionary" | "pg_node_tree"
        | "cstring" | "aclitem" | "xid" | "unknown" | "sql_identifier" | "character_data" | "yes_or_no" => {
            Some(DataType::Text)
        }
        "cardinal_number" => Some(DataType::Integer(None)),
        "int2vector" => Some(array_of(DataType::SmallInt(None))),
        "oidvector" => Some(array_of(DataType::BigInt(None))),
        "anyarray" => Some(array_of(DataType::Text)),
        _ => None,
    })
}

fn array_of(item: DataType) -> DataType {
    DataType::Array(ast::ArrayElemTypeDef::SquareBracket(Box::new(item), None))
}

/// A type by its bare name.
fn type_named(name: &str, modifiers: &[String]) -> Option<DataType> {
    let modifiers = if modifiers.is_empty() { String::new() } else { format!("({})", modifiers.join(",")) };
    match parse::parse_expr(&format!("CAST(NULL AS {name}{modifiers})")).ok()? {
        Expr::Cast { data_type, .. } => Some(data_type),
        _ => None,
    }
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

fn rewritten_function(function: &mut Function) -> Option<Expr> {
    let name = name_parts(&function.name).pop()?;
    match (name.as_str(), &mut function.args) {
        ("array", FunctionArguments::Subquery(query)) => array_of_rows(query),
        ("array_upper", FunctionArguments::List(_)) => {
            function.name = ObjectName::from(vec![Ident::new("array_length")]);
            None
        }
        ("array_lower", FunctionArguments::List(list)) => {
            let [
                FunctionArg::Unnamed(FunctionArgExpr::Expr(array)),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(number)),
            ] = list.args.as_slice()
            else {
                return None;
            };
            parse::parse_expr(&format!("CASE WHEN array_length({array}, {number}) IS NOT NULL THEN 1 END")).ok()
        }
        // Its rows are the places of an array: `x`, what is there, and `n`, which one it is.
        ("_pg_expandarray", FunctionArguments::List(list)) => {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(array)) = list.args.first()? else { return None };
            Some(call("unnest", vec![array.clone()]))
        }
        ("generate_subscripts", FunctionArguments::List(list)) => {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(array)) = list.args.first()? else { return None };
            // The vectors of the catalog count from 0.
            let vector = matches!(array, Expr::Identifier(i) if is_vector(i))
                || matches!(array, Expr::CompoundIdentifier(path) if path.last().is_some_and(is_vector));
            let (first, end) = if vector { (0, "") } else { (1, " + 1") };
            parse::parse_expr(&format!("unnest(range({first}, coalesce(cardinality({array}), 0){end}))")).ok()
        }
        _ => None,
    }
}

/// A field of a row of `_pg_expandarray`, which has become its `x` already.
fn expanded_field(root: &Expr, access_chain: &[AccessExpr]) -> Option<Expr> {
    let [AccessExpr::Dot(Expr::Identifier(field))] = access_chain else { return None };
    let Expr::Nested(row) = root else { return None };
    match (row.as_ref(), ident(field).as_str()) {
        (Expr::Function(function), "n") if function.name.to_string() == "unnest" => {
            let FunctionArguments::List(list) = &function.args else { return None };
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(array)) = list.args.first()? else { return None };
            parse::parse_expr(&format!("unnest(range(1, coalesce(cardinality({array}), 0) + 1))")).ok()
        }
        (Expr::Function(function), "x") if function.name.to_string() == "unnest" => Some(row.as_ref().clone()),
        (Expr::CompoundIdentifier(path), "x") if path.last().is_some_and(|name| name.value == "KEYS") => {
            Some(row.as_ref().clone())
        }
        _ => None,
    }
}

fn is_vector(name: &Ident) -> bool {
    matches!(name.value.as_str(), "indkey" | "indclass" | "indoption" | "indcollation" | "proargtypes")
}

/// `ARRAY(SELECT x …)` as the aggregate of its rows, in their order.
fn array_of_rows(query: &mut Query) -> Option<Expr> {
    let simple = match query.body.as_ref() {
        SetExpr::Select(select) => {
            let grouped = matches!(&select.group_by, ast::GroupByExpr::Expressions(by, _) if by.is_empty());
            select.distinct.is_none()
                && grouped
                && select.projection.len() == 1
                && query.limit_clause.is_none()
                && query.with.is_none()
        }
        _ => false,
    };
    let mut query = query.clone();
    if simple {
        let order = query.order_by.take();
        let SetExpr::Select(select) = query.body.as_mut() else { return None };
        let item = match &select.projection[0] {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr.clone(),
            _ => return None,
        };
        // A set-returning function is not aggregated, its rows are.
        if !is_set(&item) {
            // ORDER BY 1 means the item.
            let order = order.map(|order| order.to_string()).unwrap_or_default();
            let order = if order.trim() == "ORDER BY 1" { format!("ORDER BY {item}") } else { order };
            let aggregate = parse::parse_expr(&format!("array_agg({item} {order})")).ok()?;
            select.projection = vec![SelectItem::UnnamedExpr(aggregate)];
            return Some(Expr::Subquery(Box::new(query)));
        }
        query.order_by = order;
    }
    let inner = query.to_string();
    let text = format!("SELECT array_agg(_rows._item) FROM ({inner}) AS _rows (_item)");
    Some(Expr::Subquery(parse::parse_query(&text).ok()?))
}

fn is_set(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(f) if matches!(f.name.to_string().to_lowercase().as_str(), "unnest" | "generate_series"))
}
