//! `COPY table [(columns)] FROM STDIN | TO STDOUT`, `COPY (query) TO STDOUT`.

use super::{Reader, ident};
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
    /// How the data looks.
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

/// A data format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyFormat {
    /// Tab-separated with backslash escapes.
    #[default]
    Text,
    /// Comma-separated values.
    Csv,
    /// PostgreSQL's binary format.
    Binary,
}

/// How the data looks; `None` is the format's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// The format.
    pub format: CopyFormat,
    /// Between columns.
    pub delimiter: Option<u8>,
    /// What stands for NULL.
    pub null: Option<String>,
    /// Whether the first line names the columns.
    pub header: bool,
    /// Around values.
    pub quote: Option<u8>,
    /// Before a quote inside a value.
    pub escape: Option<u8>,
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
        let options = self.copy_options()?;
        let filter = match self.word("WHERE") {
            true => {
                let expr = self.parser.parse_expr();
                Some(self.wrap(expr)?)
            }
            false => None,
        };
        self.finish()?;
        Ok(CopyStatement { source, to, options, filter })
    }

    fn copy_options(&mut self) -> Result<CopyOptions> {
        let mut options = CopyOptions::default();
        self.word("WITH");
        if self.token(&Token::LParen) {
            loop {
                let name = self.identifier()?.value.to_lowercase();
                let value = match self.parser.peek_token().token {
                    Token::Comma | Token::RParen => None,
                    _ => Some(self.option_value()?),
                };
                set_option(&mut options, &name, value)?;
                if self.token(&Token::RParen) {
                    return Ok(options);
                }
                if !self.token(&Token::Comma) {
                    return self.expected(", or )");
                }
            }
        }
        // The form without parentheses, from before PostgreSQL 9.
        loop {
            if self.word("CSV") {
                options.format = CopyFormat::Csv;
            } else if self.word("BINARY") {
                options.format = CopyFormat::Binary;
            } else if self.word("HEADER") {
                options.header = true;
            } else if let Some(name) = ["delimiter", "null", "quote", "escape"].into_iter().find(|n| self.word(n)) {
                self.word("AS");
                let value = self.option_value()?;
                set_option(&mut options, name, Some(value))?;
            } else {
                return Ok(options);
            }
        }
    }
}

fn set_option(options: &mut CopyOptions, name: &str, value: Option<String>) -> Result<()> {
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
    match name {
        "format" => {
            options.format = match text()?.to_lowercase().as_str() {
                "text" => CopyFormat::Text,
                "csv" => CopyFormat::Csv,
                "binary" => CopyFormat::Binary,
                other => {
                    return Err(Error::invalid_parameter(format!("COPY format \"{other}\" not recognized"))
                        .hint("The formats are text, csv and binary."));
                }
            }
        }
        "delimiter" => options.delimiter = Some(byte()?),
        "null" => options.null = Some(text()?),
        "header" => options.header = truth()?,
        "quote" => options.quote = Some(byte()?),
        "escape" => options.escape = Some(byte()?),
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
    Ok(())
}
