//! Clauses of a query that DataFusion's planner reads otherwise, written so that it means the same.
//!
//! ```text
//! FETCH FIRST 2 ROWS ONLY                            LIMIT 2
//! SELECT 1 …                                         SELECT CAST(1 AS integer) …
//! SELECT sum(n) AS n … ORDER BY sum(n)               … ORDER BY 1
//! SELECT DISTINCT ON (1) a …                         SELECT DISTINCT ON (a) a …
//! SELECT a … GROUP BY GROUPING SETS ((1), ())        … GROUP BY GROUPING SETS ((a), ())
//! SELECT 1 … HAVING true                             … HAVING true AND count(*) >= 0
//! SELECT generate_series(1, 3)                       SELECT unnest(generate_series(1, 3))
//! ```

use super::syntax::{call, take};
use crate::parse;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Distinct, Expr, GroupByExpr, LimitClause, OrderByKind, Query, Select,
    SelectItem, SetExpr, Value,
};

/// Rewrites the clauses of one query; those inside it are visited by themselves.
pub fn rewrite_clauses(query: &mut Query) {
    if let Some(fetch) = query.fetch.take_if(|fetch| !fetch.with_ties && !fetch.percent) {
        let limit = Some(fetch.quantity.unwrap_or_else(|| number(1)));
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit: empty @ None, .. }) => *empty = limit,
            _ => query.limit_clause = Some(LimitClause::LimitOffset { limit, offset: None, limit_by: Vec::new() }),
        }
    }
    if let SetExpr::Select(select) = query.body.as_mut() {
        if let Some(OrderByKind::Expressions(keys)) = query.order_by.as_mut().map(|order| &mut order.kind) {
            keys.iter_mut().for_each(|key| point_at_item(&mut key.expr, select));
        }
        if let Some(Distinct::On(keys)) = &mut select.distinct {
            keys.iter_mut().for_each(|key| name_item(key, &select.projection));
        }
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            for key in keys {
                // A number that is a key by itself is understood.
                if let Expr::GroupingSets(sets) | Expr::Rollup(sets) | Expr::Cube(sets) = key {
                    sets.iter_mut().flatten().for_each(|key| name_item(key, &select.projection));
                }
            }
        }
        group_by_nothing(select);
    }
    rewrite_items(&mut query.body);
}

/// With HAVING and no GROUP BY all rows are one group, whether anything is aggregated or not.
fn group_by_nothing(select: &mut Select) {
    let GroupByExpr::Expressions(keys, _) = &select.group_by else { return };
    if keys.is_empty()
        && let Some(having) = select.having.take()
    {
        let any = parse::parse_expr("count(*) >= 0").expect("it is an expression");
        select.having = Some(Expr::BinaryOp {
            left: Box::new(Expr::Nested(Box::new(having))),
            op: BinaryOperator::And,
            right: Box::new(any),
        });
    }
}

fn number(n: usize) -> Expr {
    Expr::value(Value::Number(n.to_string(), false))
}

/// The expression of an item that is one.
fn expression(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

/// An expression to order by that is also selected under another name is the item of that place.
fn point_at_item(key: &mut Expr, select: &Select) {
    if matches!(key, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)) {
        return;
    }
    let items: Option<Vec<&Expr>> = select.projection.iter().map(expression).collect();
    if let Some(place) = items.and_then(|items| items.into_iter().position(|expr| expr == key)) {
        *key = number(place + 1);
    }
}

/// A number in DISTINCT ON, or in grouping sets, is the place of an item.
fn name_item(key: &mut Expr, items: &[SelectItem]) {
    if let Expr::Value(value) = key
        && let Value::Number(place, _) = &value.value
        && let Some(item) = place.parse::<usize>().ok().and_then(|place| items.get(place.checked_sub(1)?))
        && let Some(expr) = expression(item)
    {
        *key = expr.clone();
    }
}

fn rewrite_items(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => select.projection.iter_mut().for_each(rewrite_item),
        SetExpr::SetOperation { left, right, .. } => {
            rewrite_items(left);
            rewrite_items(right);
        }
        _ => {}
    }
}

/// A number that is selected is an `integer` where it can be, which must be known before the query around it is
/// planned. A set is selected row by row.
fn rewrite_item(item: &mut SelectItem) {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return };
    match expr {
        Expr::Value(value) if matches!(&value.value, Value::Number(digits, _) if digits.parse::<i32>().is_ok()) => {
            let number = Box::new(take(expr));
            let data_type = DataType::Integer(None);
            *expr = Expr::Cast { kind: CastKind::Cast, expr: number, data_type, array: false, format: None };
        }
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("generate_series") => {
            *expr = call("unnest", vec![take(expr)]);
        }
        _ => {}
    }
}
