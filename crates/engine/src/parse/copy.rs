//! `COPY table [(columns)] FROM STDIN | TO STDOUT`, `COPY (query) TO STDOUT`.

use super::{Options, Reader, ident};
use crate::text::copy::{CopyFormat, CopyOptions};
use crate::{Error, Result};
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query};
use datafusion::sql::sqlparser::tokenizer::Token;

/// A COPY statement.
#[derive(Clone, Debug)]
pub struct CopyStatement {
    /// What is copied.
    pub source: CopySource,
    /// Whether data goes out.
    pub to: bool,
    /// Whether the data is in the binary format, which has no options.
    pub binary: bool,
    /// How the data looks otherwise.
    pub options: CopyOptions,
    /// Only rows that satisfy this go in.
    pub filter: Option<Expr>,
}

/// What is copied.
#[derive(Clone, Debug)]
pub enum CopySource {
    /// Columns of a table; all of them when none are named.
    Table(ObjectName, Vec<String>),
    /// A query's rows.
    Query(Box<Query>),
}

impl Reader<'_> {
    pub(super) fn copy(&mut self) -> Result<CopyStatement> {
        self.expect("COPY")?;
        let source = if self.token(&Token::LParen) {
            let query = self.parser.parse_query();
            let query = self.wrap(query)?;
            if !self.token(&Token::RParen) {
                return self.expected(")");
            }
            CopySource::Query(query)
        } else {
            let name = self.name()?;
            let mut columns = Vec::new();
            if self.token(&Token::LParen) {
                loop {
                    columns.push(ident(&self.identifier()?));
                    if self.token(&Token::RParen) {
                        break;
                    }
                    if !self.token(&Token::Comma) {
                        return self.expected(", or )");
                    }
                }
            }
            CopySource::Table(name, columns)
        };
        let to = match (self.word("TO"), self.word("FROM")) {
            (true, false) => true,
            (false, true) => false,
            _ => return self.expected("FROM or TO"),
        };
        if !to && matches!(&source, CopySource::Query(_)) {
            return self.expected("TO STDOUT");
        }
        if !self.word(if to { "STDOUT" } else { "STDIN" }) {
            return Err(Error::unsupported("COPY reads from STDIN and writes to STDOUT only")
                .hint("Use \\copy in psql to read or write a file of the client."));
        }
        let (options, binary) = self.copy_options()?;
        let filter = match self.word("WHERE") {
            true => {
                let expr = self.parser.parse_expr();
                Some(self.wrap(expr)?)
            }
            false => None,
        };
        self.finish()?;
        Ok(CopyStatement { source, to, binary, options, filter })
    }

    fn copy_options(&mut self) -> Result<(CopyOptions, bool)> {
        let old_binary = self.word("BINARY");
        let mut given: Options = Vec::new();
        if old_binary {
            given.push(("format".to_owned(), Some("binary".to_owned())));
        }
        self.word("WITH");
        if self.token(&Token::LParen) {
            loop {
                let name = self.identifier()?.value.to_lowercase();
                let value = match self.parser.peek_token().token {
                    Token::Comma | Token::RParen => None,
                    _ => Some(self.option_value()?),
                };
                given.push((name, value));
                if self.token(&Token::RParen) {
                    return options_of(&given);
                }
                if !self.token(&Token::Comma) {
                    return self.expected(", or )");
                }
            }
        }
        // The form without parentheses, from before PostgreSQL 9.
        loop {
            if let Some(format) = ["csv", "binary"].into_iter().find(|f| self.word(f)) {
                given.push(("format".to_owned(), Some(format.to_owned())));
            } else if self.word("HEADER") {
                given.push(("header".to_owned(), None));
            } else if let Some(name) = ["delimiter", "null", "quote", "escape"].into_iter().find(|n| self.word(n)) {
                self.word("AS");
                let value = self.option_value()?;
                given.push((name.to_owned(), Some(value)));
            } else {
                return options_of(&given);
            }
        }
    }
}

/// The options of a COPY from what was written; the format first, because it decides the defaults.
fn options_of(given: &Options) -> Result<(CopyOptions, bool)> {
    let format = given.iter().rev().find(|(name, _)| name == "format").and_then(|(_, value)| value.clone());
    let format = match format.unwrap_or_default().to_lowercase().as_str() {
        "" | "text" => CopyFormat::Text,
        "csv" => CopyFormat::Csv,
        "binary" => {
            let other = given.iter().find(|(name, _)| !matches!(name.as_str(), "format" | "freeze" | "encoding"));
            return match other {
                Some((name, _)) => Err(Error::syntax(format!("cannot specify {} in BINARY mode", name.to_uppercase()))),
                None => Ok((CopyOptions::new(CopyFormat::Text), true)),
            };
        }
        other => {
            return Err(Error::invalid_parameter(format!("COPY format \"{other}\" not recognized"))
                .hint("The formats are text, csv and binary."));
        }
    };
    let mut options = CopyOptions::new(format);
    let mut escape = None;
    for (name, value) in given {
        let text = || value.clone().ok_or_else(|| Error::syntax(format!("COPY option \"{name}\" needs a value")));
        let byte = || match text()?.as_bytes() {
            [byte] => Ok(*byte),
            _ => Err(Error::unsupported(format!("COPY {name} must be a single one-byte character"))),
        };
        let truth = || match value.as_deref().map(str::to_lowercase).as_deref() {
            None | Some("true" | "on" | "1" | "match") => Ok(true),
            Some("false" | "off" | "0") => Ok(false),
            Some(other) => Err(Error::syntax(format!("{name} requires a Boolean value, not \"{other}\""))),
        };
        match name.as_str() {
            "format" => {}
            "delimiter" => options.delimiter = byte()?,
            "null" => options.null = text()?,
            "header" => {
                options.header = truth()?;
                options.header_match = value.as_deref().is_some_and(|v| v.eq_ignore_ascii_case("match"));
            }
            "quote" => options.quote = byte()?,
            "escape" => escape = Some(byte()?),
            "freeze" => drop(truth()?),
            "encoding" => {
                let encoding = text()?.to_lowercase().replace(['-', '_'], "");
                if encoding != "utf8" && encoding != "sqlascii" {
                    return Err(Error::unsupported(format!("COPY encoding \"{}\" is not supported", text()?))
                        .hint("Highwater reads and writes UTF-8."));
                }
            }
            other => return Err(Error::syntax(format!("option \"{other}\" not recognized"))),
        }
    }
    options.escape = escape.unwrap_or(options.quote);
    Ok((options, false))
}
