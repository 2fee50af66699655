//! `LIKE t INCLUDING …` among the columns of CREATE TABLE, of which sqlparser knows one form only.

use super::{Keyword, ObjectName, Result, Token, TokenWithSpan, parser};
use crate::Error;
use std::collections::BTreeSet;

/// A table whose columns a new one takes over.
#[derive(Clone, Debug)]
pub struct Like {
    /// Which.
    pub table: ObjectName,
    /// How many columns stand before its own.
    pub place: usize,
    /// What comes with the columns.
    pub including: BTreeSet<Part>,
}

/// What may come with columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Comments on them.
    Comments,
    /// CHECK constraints.
    Constraints,
    /// DEFAULT.
    Defaults,
    /// How they are computed.
    Generated,
    /// How they are numbered.
    Identity,
    /// Indexes and keys.
    Indexes,
}

const PARTS: [(&str, Option<Part>); 9] = [
    ("COMMENTS", Some(Part::Comments)),
    ("CONSTRAINTS", Some(Part::Constraints)),
    ("DEFAULTS", Some(Part::Defaults)),
    ("GENERATED", Some(Part::Generated)),
    ("IDENTITY", Some(Part::Identity)),
    ("INDEXES", Some(Part::Indexes)),
    // There are none of these.
    ("COMPRESSION", None),
    ("STATISTICS", None),
    ("STORAGE", None),
];

/// Takes each LIKE out of the columns of CREATE TABLE.
///
/// # Errors
/// 42601 for something that cannot be included.
pub fn take_likes(tokens: &mut Vec<TokenWithSpan>) -> Result<Vec<Like>> {
    let mut likes = Vec::new();
    let is = |token: &TokenWithSpan, keyword: Keyword| matches!(&token.token, Token::Word(w) if w.keyword == keyword);
    let open = tokens.iter().position(|t| t.token == Token::LParen || is(t, Keyword::AS));
    let Some(open) = open.filter(|open| tokens[*open].token == Token::LParen) else { return Ok(likes) };
    let (mut at, mut depth, mut place) = (open + 1, 1, 0);
    let mut begins = true;
    while at < tokens.len() && depth > 0 {
        if begins && is(&tokens[at], Keyword::LIKE) {
            let end = end_of_element(tokens, at);
            likes.push(read(&tokens[at + 1..end], place)?);
            // One of the commas around it goes with it.
            match tokens[end].token == Token::Comma {
                true => drop(tokens.drain(at..=end)),
                false if tokens[at - 1].token == Token::Comma => drop(tokens.drain(at - 1..end)),
                false => drop(tokens.drain(at..end)),
            }
            at = if tokens[at - 1].token == Token::RParen { at - 1 } else { at };
            continue;
        }
        if begins && depth == 1 {
            const CONSTRAINTS: [Keyword; 6] = [
                Keyword::CONSTRAINT,
                Keyword::PRIMARY,
                Keyword::UNIQUE,
                Keyword::CHECK,
                Keyword::FOREIGN,
                Keyword::EXCLUDE,
            ];
            place += usize::from(!CONSTRAINTS.iter().any(|keyword| is(&tokens[at], *keyword)));
        }
        match tokens[at].token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        begins = depth == 1 && tokens[at].token == Token::Comma;
        at += 1;
    }
    Ok(likes)
}

/// Where the element that begins at `start` ends: at its comma, or at the closing parenthesis.
fn end_of_element(tokens: &[TokenWithSpan], start: usize) -> usize {
    let end = tokens[start..].iter().position(|t| matches!(t.token, Token::Comma | Token::RParen));
    end.map_or(tokens.len() - 1, |end| start + end)
}

fn read(tokens: &[TokenWithSpan], place: usize) -> Result<Like> {
    let word = |token: &TokenWithSpan| token.token.to_string().to_uppercase();
    let options = tokens.iter().position(|t| matches!(word(t).as_str(), "INCLUDING" | "EXCLUDING"));
    let (name, options) = tokens.split_at(options.unwrap_or(tokens.len()));
    let wrong = |found: String| Error::syntax(format!("syntax error at or near \"{found}\""));
    let mut reader = parser(name.to_vec());
    let table = reader.parse_object_name(false).map_err(|e| Error::syntax(e.to_string()))?;
    let left = reader.peek_token().token;
    if left != Token::EOF {
        return Err(wrong(left.to_string()));
    }
    let mut including = BTreeSet::new();
    for option in options.chunks(2) {
        let [how, what] = option else { return Err(wrong(")".to_owned())) };
        let parts: Vec<Part> = match word(what).as_str() {
            "ALL" => PARTS.iter().filter_map(|(_, part)| *part).collect(),
            name => match PARTS.iter().find(|(part, _)| *part == name) {
                Some((_, part)) => part.iter().copied().collect(),
                None => return Err(wrong(what.token.to_string())),
            },
        };
        match word(how).as_str() {
            "INCLUDING" => including.extend(parts),
            "EXCLUDING" => including.retain(|part| !parts.contains(part)),
            _ => return Err(wrong(how.token.to_string())),
        }
    }
    Ok(Like { table, place, including })
}
