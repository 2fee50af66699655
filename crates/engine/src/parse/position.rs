//! Where in a statement the name stands that an error is about.
//!
//! Names are looked up after the text was read, by a planner that knows no positions. The error tells the name,
//! and the first place of the text where that name stands in that role is where PostgreSQL points to as well, but
//! for names that are right in one place and wrong in a later one.

use super::{Lines, tokens};
use crate::Error;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// The role in which a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Of a function: before a parenthesis.
    Function,
    /// Of a relation before a column's name.
    Qualifier,
    /// Any other, which is before no parenthesis.
    Other,
}

/// The error with the position of what it is about, if it has none and the statement is of those whose errors have.
pub fn located(e: Error, sql: &str) -> Error {
    if e.position.is_some() {
        return e;
    }
    match find(&e, sql) {
        Some(position) => e.at(position),
        None => e,
    }
}

fn find(e: &Error, sql: &str) -> Option<usize> {
    let subject = subject(e)?;
    let lines = Lines::new(sql);
    let tokens: Vec<TokenWithSpan> =
        tokens(sql).ok()?.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_) | Token::EOF)).collect();
    if !tokens.first().is_some_and(|first| has_positions(first, tokens.get(1))) {
        return None;
    }
    let at = match subject {
        Subject::Literal(text) => {
            tokens.iter().position(|t| matches!(&t.token, Token::SingleQuotedString(literal) if *literal == text))
        }
        Subject::Name(parts, role) => (0..tokens.len()).find(|i| stands_at(&tokens, *i, &parts, role)),
    };
    Some(lines.characters(tokens[at?].span.start))
}

/// Whether errors of a statement that begins so have positions; those of commands have none.
fn has_positions(first: &TokenWithSpan, second: Option<&TokenWithSpan>) -> bool {
    let word = |token: &TokenWithSpan| token.token.to_string().to_uppercase();
    match word(first).as_str() {
        "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH" | "VALUES" | "TABLE" | "EXPLAIN" | "DECLARE" | "("
        | "CALL" => true,
        "CREATE" => second.is_some_and(|second| word(second) != "INDEX"),
        _ => false,
    }
}

/// What an error is about.
enum Subject {
    /// A name, with those of its schema or relation before it.
    Name(Vec<String>, Role),
    /// A text.
    Literal(String),
}

fn subject(e: &Error) -> Option<Subject> {
    let message = e.message.as_str();
    let name = |text: &str, role| {
        let parts = text.split('.').map(|part| part.trim_matches('"').to_owned()).collect();
        Some(Subject::Name(parts, role))
    };
    match e.sqlstate {
        "42883" => name(message.strip_prefix("function ")?.split(['(', ' ']).next()?, Role::Function),
        "42P01" if message.starts_with("missing FROM-clause entry") => name(quoted(message)?, Role::Qualifier),
        "42703" | "42P01" | "42702" | "42704" | "42803" => match quoted(message) {
            Some(quoted) => name(quoted, Role::Other),
            None => name(message.strip_prefix("column ")?.split(' ').next()?, Role::Other),
        },
        "22P02" | "22007" | "22008" | "22003" => {
            let (_, text) = message.rsplit_once(": \"")?;
            Some(Subject::Literal(text.strip_suffix('"')?.to_owned()))
        }
        _ => None,
    }
}

/// The first text in double quotes.
fn quoted(message: &str) -> Option<&str> {
    message.split('"').nth(1)
}

/// Whether the parts of a name stand at a token, in a role.
fn stands_at(tokens: &[TokenWithSpan], at: usize, parts: &[String], role: Role) -> bool {
    let spells = |token: &TokenWithSpan, part: &str| match &token.token {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_lowercase() == part,
        Token::Word(word) => word.value == part,
        _ => false,
    };
    let is_period = |i: usize| tokens.get(i).is_some_and(|token| token.token == Token::Period);
    let mut next = at;
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            if !is_period(next) {
                return false;
            }
            next += 1;
        }
        if !tokens.get(next).is_some_and(|token| spells(token, part)) {
            return false;
        }
        next += 1;
    }
    let before_parenthesis = tokens.get(next).is_some_and(|token| token.token == Token::LParen);
    match role {
        Role::Function => before_parenthesis,
        Role::Qualifier => is_period(next),
        Role::Other => !before_parenthesis && !is_period(next) && (at == 0 || !is_period(at - 1) || parts.len() > 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_in_its_role() {
        let at =
            |sqlstate: &'static str, message: &str, sql: &str| located(Error::new(sqlstate, message), sql).position;
        for (sqlstate, message, sql, marked) in [
            ("42703", "column \"b\" does not exist", "SELECT a.b, b(1), b FROM a", Some("b FROM")),
            ("42703", "column a.b does not exist", "SELECT b, a.b FROM a", Some("a.b FROM")),
            ("42703", "column \"B\" does not exist", "SELECT b, \"B\" FROM a", Some("\"B\" FROM")),
            (
                "42703",
                "column \"x\" of relation \"t\" does not exist",
                "INSERT INTO t (a, x) VALUES (1, 2)",
                Some("x) "),
            ),
            ("42P01", "relation \"s.t\" does not exist", "SELECT 'ä' FROM s.t", Some("s.t")),
            ("42P01", "missing FROM-clause entry for table \"u\"", "SELECT t.u, u.a FROM t", Some("u.a")),
            ("42883", "function f(integer) does not exist", "SELECT f, f(1) FROM t", Some("f(1)")),
            ("22P02", "invalid input syntax for type integer: \"one\"", "SELECT 'one'::int", Some("'one'")),
            ("42P01", "table \"t\" does not exist", "DROP TABLE t", None),
        ] {
            let expected = marked.and_then(|marked| sql.find(marked)).map(|byte| sql[..byte].chars().count() + 1);
            assert_eq!(at(sqlstate, message, sql), expected, "{sql}");
        }
    }
}
