//! `LIKE`, `~` and `^@`: operators that take two texts.

use super::operand::{Kind, Operand, no_operator};
use crate::error::Result;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, Like};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use highwater_model::time::Clockface;

/// A regular expression that is known when it is planned, in the words of the library that matches it.
pub fn regex(pattern: Expr) -> Expr {
    map_literal(pattern, &translated)
}

/// What a match is replaced by, as far as it is known when it is planned: `\&` is all that was matched.
pub fn replacement(text: Expr) -> Expr {
    map_literal(text, &|text| text.replace("\\&", "\\0"))
}

fn map_literal(expr: Expr, f: &dyn Fn(&str) -> String) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), metadata) => {
            Expr::Literal(ScalarValue::Utf8(Some(f(&text))), metadata)
        }
        Expr::Cast(Cast { expr, field }) if matches!(expr.as_ref(), Expr::Literal(ScalarValue::Utf8(Some(_)), _)) => {
            Expr::Cast(Cast { expr: Box::new(map_literal(*expr, f)), field })
        }
        other => other,
    }
}

/// A regular expression with PostgreSQL's escapes for the edges of words and of the text, and classes of
/// characters that are not of ASCII alone.
pub fn translated(pattern: &str) -> String {
    let mut pattern = pattern.to_owned();
    for (class, characters) in [
        ("[:alpha:]", "\\p{Alphabetic}"),
        ("[:alnum:]", "\\p{Alphabetic}\\p{Nd}"),
        ("[:upper:]", "\\p{Uppercase}"),
        ("[:lower:]", "\\p{Lowercase}"),
        ("[:space:]", "\\s"),
    ] {
        if pattern.contains(class) {
            pattern = pattern.replace(class, characters);
        }
    }
    let mut out = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match characters.next() {
            Some('m') => out.push_str("\\b{start}"),
            Some('M') => out.push_str("\\b{end}"),
            Some('y') => out.push_str("\\b"),
            Some('Y') => out.push_str("\\B"),
            Some('Z') => out.push_str("\\z"),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    out
}

/// The operation as PostgreSQL means it; `None` where DataFusion's own meaning is right, or where the operator is
/// none of these.
///
/// # Errors
/// 42883 when an operand is not text.
pub fn plan_match(op: &BinaryOperator, left: Operand, right: Operand, clock: &Clockface) -> Result<Option<Expr>> {
    use BinaryOperator as Op;
    let symbol = match op {
        Op::PGLikeMatch => "~~",
        Op::PGNotLikeMatch => "!~~",
        Op::PGILikeMatch => "~~*",
        Op::PGNotILikeMatch => "!~~*",
        Op::PGRegexMatch => "~",
        Op::PGRegexIMatch => "~*",
        Op::PGRegexNotMatch => "!~",
        Op::PGRegexNotIMatch => "!~*",
        Op::PGStartsWith => "^@",
        _ => return Ok(None),
    };
    let known = (left.data_type.clone(), right.data_type.clone());
    let text = |operand: Operand| match operand.kind {
        Kind::Text => Ok(operand.expr),
        Kind::Unknown => Ok(operand.resolve(&DataType::Utf8, clock)?.expr),
        _ => Err(no_operator(symbol, &known.0, &known.1)),
    };
    let (left, right) = (text(left)?, text(right)?);
    let right = if symbol.contains("~~") || symbol == "^@" { right } else { regex(right) };
    let like = |negated, ignores_case| {
        Some(Expr::Like(Like::new(negated, Box::new(left.clone()), Box::new(right.clone()), None, ignores_case)))
    };
    Ok(match op {
        Op::PGLikeMatch => like(false, false),
        Op::PGNotLikeMatch => like(true, false),
        Op::PGILikeMatch => like(false, true),
        Op::PGNotILikeMatch => like(true, true),
        Op::PGStartsWith => Some(datafusion::functions::string::starts_with().call(vec![left, right])),
        _ => None,
    })
}
