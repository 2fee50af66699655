//! SQL text to statements.
//!
//! sqlparser reads PostgreSQL; the TimescaleDB forms it rejects are read here, token by token, with its
//! own tokenizer and expression parser, so positions in errors stay those of the text:
//!
//! * `CREATE MATERIALIZED VIEW … WITH (timescaledb.continuous, …) AS … WITH [NO] DATA`
//! * `ALTER MATERIALIZED VIEW …`, `REFRESH MATERIALIZED VIEW …`, `EXPLAIN REFRESH …`
//! * `CREATE PROCEDURE …`
//! * `CREATE TABLE … (LIKE … INCLUDING …)`, `CREATE TABLE … WITH (tsdb.hypertable, …)`, `ALTER TABLE … SET (timescaledb.…)`
//! * `CHECK CONTINUOUS AGGREGATE …`
//! * `COPY …` in all its forms, `CREATE EXTENSION … CASCADE`, `VACUUM`, `TABLE t`

mod aggregate;
mod copy;
mod cursor;
mod like;
mod position;
mod refused;
mod token;
mod with;

pub use aggregate::{AddedOutput, AlterView, CreateMaterializedView};
pub use copy::{CopySource, CopyStatement};
pub use like::{Like, Part};
pub use position::located;

use token::{cast_to_digits, continued_strings, limit_by_fetch, order_sequence_options, split_sign};

use crate::cursor::{Declare, Fetch};
use crate::define::Alter;
use crate::{Error, Result};
use datafusion::sql::sqlparser::ast::{self, Ident, ObjectName, ObjectNamePart, Query};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// One statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// Nothing but white space and comments.
    Empty,
    /// What sqlparser reads.
    Sql(Box<ast::Statement>),
    /// CREATE TABLE with the tables that it is like, and storage options.
    CreateTable(Box<ast::CreateTable>, Vec<Like>, Options),
    /// CREATE PROCEDURE: a function without a result.
    CreateProcedure(Box<ast::CreateFunction>),
    /// CREATE MATERIALIZED VIEW.
    CreateMaterializedView(Box<CreateMaterializedView>),
    /// ALTER MATERIALIZED VIEW.
    AlterMaterializedView {
        /// Which.
        name: ObjectName,
        /// Whether it is no error when there is none.
        if_exists: bool,
        /// What to do.
        action: AlterView,
    },
    /// ALTER TABLE … SET (…) or RESET (…).
    SetTableOptions(ObjectName, Options),
    /// ALTER TABLE … SET SCHEMA.
    SetTableSchema(ObjectName, Ident),
    /// REFRESH MATERIALIZED VIEW.
    RefreshMaterializedView(ObjectName),
    /// EXPLAIN REFRESH: the arguments of `refresh_continuous_aggregate`.
    ExplainRefresh(Vec<ast::FunctionArg>),
    /// CHECK CONTINUOUS AGGREGATE.
    CheckAggregate {
        /// Which.
        name: ObjectName,
        /// Whether what differs is computed again.
        repair: bool,
    },
    /// COPY.
    Copy(Box<CopyStatement>),
    /// DECLARE … CURSOR.
    Declare(Declare),
    /// FETCH or MOVE.
    Fetch(Fetch),
    /// ALTER SEQUENCE.
    AlterSequence(Box<Alter>),
    /// ALTER INDEX or ALTER VIEW.
    AlterNamed(AlterNamed),
    /// COMMENT ON CONSTRAINT … ON … IS …
    CommentOnConstraint {
        /// Which.
        name: Ident,
        /// Its table.
        table: ObjectName,
        /// What is said of it.
        comment: Option<String>,
    },
    /// CREATE EXTENSION.
    CreateExtension {
        /// Its name.
        name: String,
        /// Whether it may be there already.
        if_not_exists: bool,
    },
    /// CHECKPOINT.
    Checkpoint,
    /// A statement that has nothing to do here, such as VACUUM; its command tag.
    Nothing(&'static str),
}

/// Options in parentheses: lower-case dotted name, and value if one was given.
pub type Options = Vec<(String, Option<String>)>;

/// ALTER INDEX or ALTER VIEW.
#[derive(Clone, Debug)]
pub struct AlterNamed {
    /// Whether it is a view.
    pub of_view: bool,
    /// Which.
    pub name: ObjectName,
    /// Whether it is no error when there is none.
    pub if_exists: bool,
    /// Its new name; `None` where there is only another owner, which is nothing to do.
    pub rename: Option<Ident>,
}

/// Splits text into the texts of its statements, leaving out empty ones.
///
/// # Errors
/// 42601 when a string, comment or quoted name is not closed.
pub fn split(sql: &str) -> Result<Vec<String>> {
    let lines = Lines::new(sql);
    let mut statements = Vec::new();
    let mut start = None;
    for token in tokens(sql)? {
        match token.token {
            Token::SemiColon => {
                if let Some(start) = start.take() {
                    statements.push(sql[start..lines.offset(token.span.start)].to_owned());
                }
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => start = start.or(Some(lines.offset(token.span.start))),
        }
    }
    statements.extend(start.map(|start| sql[start..].to_owned()));
    Ok(statements)
}

/// Reads one statement.
///
/// # Errors
/// 42601 with the position.
pub fn parse(sql: &str) -> Result<Statement> {
    let lines = Lines::new(sql);
    let mut tokens = continued_strings(tokens(sql)?);
    tokens.retain(|t| !matches!(t.token, Token::Whitespace(_) | Token::EOF));
    while tokens.last().is_some_and(|t| t.token == Token::SemiColon) {
        tokens.pop();
    }
    if tokens.is_empty() {
        return Ok(Statement::Empty);
    }
    let end = tokens.last().map(|t| t.span.end).unwrap_or(Location::new(1, 1));
    order_sequence_options(&mut tokens);
    limit_by_fetch(&mut tokens);
    cast_to_digits(&mut tokens);
    let words: Vec<String> = tokens.iter().take(6).map(|t| t.token.to_string().to_uppercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut reader = Reader { parser: parser(tokens.clone()), sql, lines: &lines, end };
    let read = match words.as_slice() {
        ["CREATE", "MATERIALIZED", "VIEW", ..] | ["CREATE", "OR", "REPLACE", "MATERIALIZED", "VIEW", ..] => {
            reader.create_materialized_view()
        }
        ["ALTER", "MATERIALIZED", "VIEW", ..] => reader.alter_materialized_view(),
        ["REFRESH", "MATERIALIZED", "VIEW", ..] => reader.refresh_materialized_view(),
        ["EXPLAIN", "REFRESH", ..] => reader.explain_refresh(),
        ["EXPLAIN", "CALL", "REFRESH_CONTINUOUS_AGGREGATE", ..] => reader.explain_call(),
        ["CHECK", "CONTINUOUS", "AGGREGATE", ..] => reader.check_aggregate(),
        ["CREATE", "EXTENSION", ..] => reader.create_extension(),
        ["CREATE", "PROCEDURE", ..] => create_procedure(tokens, 1, &lines),
        ["CREATE", "OR", "REPLACE", "PROCEDURE", ..] => create_procedure(tokens, 3, &lines),
        ["CREATE", "TABLE", ..] | ["CREATE", _, "TABLE", ..] | ["CREATE", _, _, "TABLE", ..] => {
            reader.create_table(tokens)
        }
        ["ALTER", "TABLE", ..] => reader.alter_table(),
        ["ALTER", "INDEX", ..] => reader.alter_named("INDEX"),
        ["ALTER", "VIEW", ..] => reader.alter_named("VIEW"),
        ["COMMENT", "ON", "CONSTRAINT", ..] => reader.comment_on_constraint(),
        ["ALTER", "SEQUENCE", ..] => reader.alter_sequence(),
        ["DECLARE", ..] => reader.declare(),
        ["FETCH" | "MOVE", ..] => reader.fetch(),
        ["COPY", ..] => reader.copy().map(|copy| Statement::Copy(Box::new(copy))),
        ["VACUUM", ..] => Ok(Statement::Nothing("VACUUM")),
        ["ANALYZE", ..] | ["ANALYSE", ..] => Ok(Statement::Nothing("ANALYZE")),
        ["CHECKPOINT", ..] => Ok(Statement::Checkpoint),
        ["REINDEX", ..] => Ok(Statement::Nothing("REINDEX")),
        ["CLUSTER", ..] => Ok(Statement::Nothing("CLUSTER")),
        ["RESET", "TIME", "ZONE"] => parse("RESET timezone"),
        ["DO", ..] => Err(Error::unsupported("DO blocks are not supported").hint("Send the statements one by one.")),
        ["TABLE", ..] => {
            let rest = &sql[lines.offset(tokens[0].span.end)..];
            parse(&format!("SELECT * FROM {rest}"))
        }
        _ => reader.statement().and_then(with::without_with).map(|s| Statement::Sql(Box::new(s))),
    };
    read.map_err(|e| refused::explained(&words, e))
}

/// Reads a query on its own, such as the stored definition of an aggregate.
pub fn parse_query(sql: &str) -> Result<Box<Query>> {
    match parse(sql)? {
        Statement::Sql(statement) => match *statement {
            ast::Statement::Query(query) => Ok(query),
            other => Err(Error::syntax(format!("expected a query, found: {other}"))),
        },
        _ => Err(Error::syntax("expected a query")),
    }
}

/// Reads an expression on its own, such as a DEFAULT.
pub fn parse_expr(sql: &str) -> Result<ast::Expr> {
    let lines = Lines::new(sql);
    let tokens = tokens(sql)?;
    parser(tokens).parse_expr().map_err(|e| syntax_error(e, &lines))
}

/// The unquoted, lower-cased or quoted, exact spelling of a name.
pub fn ident(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The parts of a dotted name.
pub fn name_parts(name: &ObjectName) -> Vec<String> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(i) => ident(i),
            ObjectNamePart::Function(f) => ident(&f.name),
        })
        .collect()
}

/// Reads a dotted name out of a string, as `'public.readings'::regclass` is read.
pub fn parse_name(text: &str) -> Result<Vec<String>> {
    let lines = Lines::new(text);
    let name = parser(tokens(text)?).parse_object_name(false).map_err(|e| syntax_error(e, &lines))?;
    Ok(name_parts(&name))
}

const DIALECT: PostgreSqlDialect = PostgreSqlDialect {};

fn parser(tokens: Vec<TokenWithSpan>) -> Parser<'static> {
    Parser::new(&DIALECT).with_recursion_limit(200).with_tokens_with_locations(tokens)
}

fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>> {
    let lines = Lines::new(sql);
    let tokens = Tokenizer::new(&DIALECT, sql)
        .tokenize_with_location()
        .map_err(|e| Error::syntax(e.message.to_lowercase()).at(lines.characters(e.location)))?;
    Ok(tokens.into_iter().flat_map(split_sign).collect())
}

/// Where lines begin, to turn tokenizer locations (line and column in characters) into offsets.
struct Lines<'a> {
    sql: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(sql: &'a str) -> Self {
        let starts = std::iter::once(0).chain(sql.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Lines { sql, starts }
    }

    fn offset(&self, at: Location) -> usize {
        let Some(start) = self.starts.get((at.line as usize).saturating_sub(1)) else { return self.sql.len() };
        let line = &self.sql[*start..];
        line.char_indices().nth((at.column as usize).saturating_sub(1)).map_or(self.sql.len(), |(i, _)| start + i)
    }

    /// Position in characters from 1.
    fn characters(&self, at: Location) -> usize {
        self.sql[..self.offset(at)].chars().count() + 1
    }
}

/// sqlparser says "Expected: x, found: y at Line: 1, Column: 5"; PostgreSQL says where with a position.
fn syntax_error(e: ParserError, lines: &Lines<'_>) -> Error {
    let message = match e {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => return Error::new("54001", "stack depth limit exceeded"),
    };
    let (what, location) = match message.rsplit_once(" at Line: ") {
        Some((what, at)) => {
            let numbers: Vec<u64> = at.split(", Column: ").filter_map(|n| n.trim().parse().ok()).collect();
            (what, numbers.first().copied().zip(numbers.get(1).copied()))
        }
        None => (message.as_str(), None),
    };
    let found = what.rsplit_once("found: ").map(|(_, found)| found.trim());
    let error = match found {
        Some("EOF") => Error::syntax("syntax error at end of input").at(lines.sql.chars().count() + 1),
        Some(found) => Error::syntax(format!("syntax error at or near \"{found}\"")),
        None => Error::syntax(what.to_owned()),
    };
    let error = match what.split_once(", found") {
        Some((expected, _)) if found.is_some() => {
            error.detail(format!("{}.", expected.replace("Expected: ", "Expected ")))
        }
        _ => error,
    };
    match location {
        Some((line, column)) if error.position.is_none() => error.at(lines.characters(Location::new(line, column))),
        _ => error,
    }
}

/// A parser with the text it reads, for the forms that are read by hand.
struct Reader<'a> {
    parser: Parser<'static>,
    sql: &'a str,
    lines: &'a Lines<'a>,
    end: Location,
}

impl Reader<'_> {
    fn wrap<T>(&self, result: Result<T, ParserError>) -> Result<T> {
        result.map_err(|e| syntax_error(e, self.lines))
    }

    fn statement(&mut self) -> Result<ast::Statement> {
        let statement = self.parser.parse_statement();
        let statement = self.wrap(statement)?;
        self.finish()?;
        Ok(statement)
    }

    /// Everything must have been read.
    fn finish(&mut self) -> Result<()> {
        let next = self.parser.peek_token();
        match next.token {
            Token::EOF => Ok(()),
            token => {
                let at = self.lines.characters(next.span.start);
                Err(Error::syntax(format!("syntax error at or near \"{token}\"")).at(at))
            }
        }
    }

    fn expected<T>(&mut self, what: &str) -> Result<T> {
        let next = self.parser.peek_token();
        let (near, at) = match next.token {
            Token::EOF => ("syntax error at end of input".to_owned(), self.lines.characters(self.end)),
            token => (format!("syntax error at or near \"{token}\""), self.lines.characters(next.span.start)),
        };
        Err(Error::syntax(near).detail(format!("Expected {what}.")).at(at))
    }

    /// Takes the next token when it is this word.
    fn word(&mut self, word: &str) -> bool {
        let is = matches!(&self.parser.peek_token().token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word));
        if is {
            self.parser.next_token();
        }
        is
    }

    fn words(&mut self, words: &[&str]) -> bool {
        let next = |i: usize| self.parser.peek_nth_token(i).token;
        let all = words.iter().enumerate().all(
            |(i, word)| matches!(next(i), Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word)),
        );
        if all {
            words.iter().for_each(|_| drop(self.parser.next_token()));
        }
        all
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        if self.word(word) { Ok(()) } else { self.expected(word) }
    }

    fn token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    fn name(&mut self) -> Result<ObjectName> {
        let name = self.parser.parse_object_name(false);
        self.wrap(name)
    }

    fn identifier(&mut self) -> Result<Ident> {
        let ident = self.parser.parse_identifier();
        self.wrap(ident)
    }

    /// `( [name[.name] [= value]], … )`
    fn options(&mut self) -> Result<Options> {
        if !self.token(&Token::LParen) {
            return self.expected("(");
        }
        let mut options = Vec::new();
        loop {
            let mut name = self.identifier()?.value.to_lowercase();
            while self.token(&Token::Period) {
                name = format!("{name}.{}", self.identifier()?.value.to_lowercase());
            }
            let value = if self.token(&Token::Eq) { Some(self.option_value()?) } else { None };
            options.push((name, value));
            if self.token(&Token::RParen) {
                return Ok(options);
            }
            if !self.token(&Token::Comma) {
                return self.expected(", or )");
            }
        }
    }

    fn option_value(&mut self) -> Result<String> {
        let negative = if self.token(&Token::Minus) { "-" } else { "" };
        match self.parser.next_token().token {
            Token::Word(word) => Ok(word.value),
            Token::SingleQuotedString(text) => Ok(text),
            Token::Number(number, _) => Ok(format!("{negative}{number}")),
            _ => {
                self.parser.prev_token();
                self.expected("a value")
            }
        }
    }

    /// `ALTER INDEX | VIEW [IF EXISTS] name RENAME TO name | OWNER TO role`
    fn alter_named(&mut self, kind: &str) -> Result<Statement> {
        self.words(&["ALTER", kind]);
        let if_exists = self.words(&["IF", "EXISTS"]);
        let name = self.name()?;
        let rename = if self.words(&["RENAME", "TO"]) {
            Some(self.identifier()?)
        } else if self.words(&["OWNER", "TO"]) {
            self.identifier()?;
            None
        } else {
            return Err(Error::unsupported(format!("ALTER {kind} does only RENAME TO and OWNER TO")));
        };
        self.finish()?;
        Ok(Statement::AlterNamed(AlterNamed { of_view: kind == "VIEW", name, if_exists, rename }))
    }

    /// `COMMENT ON CONSTRAINT name ON table IS 'text' | NULL`
    fn comment_on_constraint(&mut self) -> Result<Statement> {
        self.words(&["COMMENT", "ON", "CONSTRAINT"]);
        let name = self.identifier()?;
        self.expect("ON")?;
        let table = self.name()?;
        self.expect("IS")?;
        let comment = match self.parser.next_token().token {
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => Some(text),
            Token::Word(word) if word.keyword == Keyword::NULL => None,
            _ => {
                self.parser.prev_token();
                return self.expected("a string or NULL");
            }
        };
        self.finish()?;
        Ok(Statement::CommentOnConstraint { name, table, comment })
    }

    fn alter_sequence(&mut self) -> Result<Statement> {
        self.words(&["ALTER", "SEQUENCE"]);
        let if_exists = self.words(&["IF", "EXISTS"]);
        let mut alter =
            Alter { name: self.name()?, if_exists, options: Vec::new(), restart: None, owned_by: None, rename: None };
        loop {
            if self.words(&["RENAME", "TO"]) {
                alter.rename = Some(self.identifier()?);
            } else if self.words(&["OWNED", "BY"]) {
                alter.owned_by = Some(self.name()?);
            } else if self.words(&["OWNER", "TO"]) {
                self.identifier()?;
            } else if self.word("RESTART") {
                self.word("WITH");
                let number = matches!(self.parser.peek_token().token, Token::Number(..) | Token::Minus);
                alter.restart = Some(if number { Some(self.expr()?) } else { None });
            } else if self.word("INCREMENT") {
                self.word("BY");
                alter.options.push(ast::SequenceOptions::IncrementBy(self.expr()?, true));
            } else if self.word("START") {
                self.word("WITH");
                alter.options.push(ast::SequenceOptions::StartWith(self.expr()?, true));
            } else if self.word("MINVALUE") {
                alter.options.push(ast::SequenceOptions::MinValue(Some(self.expr()?)));
            } else if self.word("MAXVALUE") {
                alter.options.push(ast::SequenceOptions::MaxValue(Some(self.expr()?)));
            } else if self.word("CYCLE") {
                alter.options.push(ast::SequenceOptions::Cycle(false));
            } else if self.words(&["NO", "CYCLE"]) {
                alter.options.push(ast::SequenceOptions::Cycle(true));
            } else {
                break;
            }
        }
        self.finish()?;
        Ok(Statement::AlterSequence(Box::new(alter)))
    }

    fn expr(&mut self) -> Result<ast::Expr> {
        let expr = self.parser.parse_expr();
        self.wrap(expr)
    }

    fn create_extension(&mut self) -> Result<Statement> {
        self.words(&["CREATE", "EXTENSION"]);
        let if_not_exists = self.words(&["IF", "NOT", "EXISTS"]);
        let name = ident(&self.identifier()?);
        self.word("WITH");
        loop {
            if self.word("SCHEMA") {
                self.identifier()?;
            } else if self.word("VERSION") {
                self.option_value()?;
            } else if !self.word("CASCADE") {
                break;
            }
        }
        self.finish()?;
        Ok(Statement::CreateExtension { name, if_not_exists })
    }

    /// CREATE TABLE with its storage options cut out, because sqlparser refuses dotted names.
    fn create_table(&mut self, mut tokens: Vec<TokenWithSpan>) -> Result<Statement> {
        let mut options = Vec::new();
        if let Some((start, end)) = storage_options(&tokens) {
            let inner: Vec<TokenWithSpan> = tokens.drain(start..=end).skip(1).collect();
            options = Reader { parser: parser(inner), sql: self.sql, lines: self.lines, end: self.end }.options()?;
        }
        let likes = like::take_likes(&mut tokens)?;
        let mut rest = Reader { parser: parser(tokens), sql: self.sql, lines: self.lines, end: self.end };
        match rest.statement()? {
            ast::Statement::CreateTable(table) => Ok(Statement::CreateTable(Box::new(table), likes, options)),
            other => Ok(Statement::Sql(Box::new(other))),
        }
    }

    fn alter_table(&mut self) -> Result<Statement> {
        let start = self.parser.index();
        self.words(&["ALTER", "TABLE"]);
        self.words(&["IF", "EXISTS"]);
        self.word("ONLY");
        let name = self.name()?;
        if self.words(&["SET", "SCHEMA"]) {
            let schema = self.identifier()?;
            self.finish()?;
            return Ok(Statement::SetTableSchema(name, schema));
        }
        let sets = self.word("SET");
        let storage = (sets || self.word("RESET")) && self.parser.peek_token().token == Token::LParen;
        if storage {
            let options = self.options()?;
            self.finish()?;
            let is_ours = |name: &str| name.starts_with("timescaledb.") || name.starts_with("tsdb.");
            if let Some((name, _)) = options.iter().find(|(name, _)| !sets && is_ours(name)) {
                return Err(Error::unsupported(format!("RESET ({name}) is not supported"))
                    .hint("SET gives it another value; timescaledb.enable_columnstore = false ends compression."));
            }
            return Ok(Statement::SetTableOptions(name, options));
        }
        while self.parser.index() > start {
            self.parser.prev_token();
        }
        self.statement().map(|s| Statement::Sql(Box::new(s)))
    }
}

/// CREATE PROCEDURE, of which sqlparser knows another dialect's: as the CREATE FUNCTION that it looks like.
///
/// * `at` – where the word is.
fn create_procedure(mut tokens: Vec<TokenWithSpan>, at: usize, lines: &Lines<'_>) -> Result<Statement> {
    let end = tokens.last().map(|t| t.span.end).unwrap_or(Location::new(1, 1));
    tokens[at].token = Token::make_keyword("FUNCTION");
    match (Reader { parser: parser(tokens), sql: lines.sql, lines, end }).statement()? {
        ast::Statement::CreateFunction(function) if function.return_type.is_none() => {
            Ok(Statement::CreateProcedure(Box::new(function)))
        }
        other => Err(Error::syntax(format!("expected a procedure, found: {other}"))),
    }
}

/// First and last token of `WITH ( … )` outside of any parentheses.
fn storage_options(tokens: &[TokenWithSpan]) -> Option<(usize, usize)> {
    let mut depth = 0;
    let mut start = None;
    for (i, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth -= 1;
                if let (0, Some(start)) = (depth, start) {
                    return Some((start, i));
                }
            }
            Token::Word(w) if depth == 0 && w.keyword == Keyword::WITH => {
                start = matches!(tokens.get(i + 1).map(|t| &t.token), Some(Token::LParen)).then_some(i);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_split_at_semicolons_outside_of_quotes() {
        let sql = "SELECT 1; ;\n-- a; comment\nSELECT ';', $$;$$ ;/* ; */ SELECT 'ü;' AS \"a;b\"";
        assert_eq!(split(sql).unwrap(), ["SELECT 1", "SELECT ';', $$;$$ ", "SELECT 'ü;' AS \"a;b\""]);
    }

    #[test]
    fn an_error_says_where() {
        let e = parse("SELECT 1 FROM t\n  WHERE").unwrap_err();
        assert_eq!((e.sqlstate, e.message.as_str()), ("42601", "syntax error at end of input"));
        let e = parse("SELEC 1").unwrap_err();
        assert_eq!((e.message.as_str(), e.position), ("syntax error at or near \"SELEC\"", Some(1)));
    }

    #[test]
    fn timescale_options_are_read() {
        let sql =
            "CREATE MATERIALIZED VIEW IF NOT EXISTS s.v WITH (timescaledb.continuous, tsdb.materialized_only = false)
                   AS SELECT time_bucket('1 day', t) AS b, count(*) FROM m GROUP BY 1 WITH NO DATA;";
        let Statement::CreateMaterializedView(view) = parse(sql).unwrap() else { panic!() };
        assert!(view.if_not_exists && !view.with_data);
        assert_eq!(
            view.options,
            [
                ("timescaledb.continuous".to_owned(), None),
                ("tsdb.materialized_only".to_owned(), Some("false".to_owned()))
            ]
        );
        let sql =
            "CREATE TABLE t (a int CHECK (a > 0)) WITH (tsdb.hypertable, tsdb.partition_column='a', fillfactor=70)";
        let Statement::CreateTable(table, _, options) = parse(sql).unwrap() else { panic!() };
        assert_eq!((table.columns.len(), options.len()), (1, 3));
    }
}
