//! The statements of continuous aggregates.

use super::{Options, Reader, Statement};
use crate::{Error, Result};
use datafusion::sql::sqlparser::ast::{self, Ident, ObjectName, Query};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

/// CREATE MATERIALIZED VIEW.
#[derive(Clone, Debug)]
pub struct CreateMaterializedView {
    /// Its name.
    pub name: ObjectName,
    /// Whether it may be there already, and stays as it is.
    pub if_not_exists: bool,
    /// Whether it may be there already, and gets this definition.
    pub or_replace: bool,
    /// Names for its columns, if given.
    pub columns: Vec<Ident>,
    /// WITH (…).
    pub options: Options,
    /// Its query.
    pub query: Box<Query>,
    /// Whether it is filled at once.
    pub with_data: bool,
}

/// What ALTER MATERIALIZED VIEW can do.
#[derive(Clone, Debug)]
pub enum AlterView {
    /// SET (…)
    Set(Options),
    /// RENAME TO
    Rename(Ident),
    /// RENAME COLUMN … TO …
    RenameColumn(Ident, Ident),
    /// ADD COLUMN … GENERATED ALWAYS AS (…) STORED
    AddColumn(Box<AddedOutput>),
    /// DROP COLUMN
    DropColumn {
        /// Its name.
        name: Ident,
        /// Whether it is no error when there is none.
        if_exists: bool,
    },
    /// SET SCHEMA
    SetSchema(Ident),
    /// OWNER TO
    Owner,
}

/// A column that is added to a continuous aggregate.
#[derive(Clone, Debug)]
pub struct AddedOutput {
    /// Its name.
    pub name: Ident,
    /// Whether it may be there already.
    pub if_not_exists: bool,
    /// Its type.
    pub data_type: ast::DataType,
    /// What it is.
    pub value: ast::Expr,
}

impl Reader<'_> {
    pub(super) fn create_materialized_view(&mut self) -> Result<Statement> {
        self.expect("CREATE")?;
        let or_replace = self.words(&["OR", "REPLACE"]);
        self.words(&["MATERIALIZED", "VIEW"]);
        let if_not_exists = !or_replace && self.words(&["IF", "NOT", "EXISTS"]);
        let name = self.name()?;
        let columns = match self.parser.peek_token().token {
            Token::LParen => {
                self.parser.next_token();
                let columns = self.parser.parse_comma_separated(Parser::parse_identifier);
                let columns = self.wrap(columns)?;
                if !self.token(&Token::RParen) {
                    return self.expected(")");
                }
                columns
            }
            _ => Vec::new(),
        };
        let options = if self.word("WITH") { self.options()? } else { Vec::new() };
        self.expect("AS")?;
        let query = self.parser.parse_query();
        let query = self.wrap(query)?;
        let with_data = if self.words(&["WITH", "NO", "DATA"]) {
            false
        } else {
            self.words(&["WITH", "DATA"]);
            true
        };
        self.finish()?;
        Ok(Statement::CreateMaterializedView(Box::new(CreateMaterializedView {
            name,
            if_not_exists,
            or_replace,
            columns,
            options,
            query,
            with_data,
        })))
    }

    pub(super) fn alter_materialized_view(&mut self) -> Result<Statement> {
        self.words(&["ALTER", "MATERIALIZED", "VIEW"]);
        let if_exists = self.words(&["IF", "EXISTS"]);
        let name = self.name()?;
        let action = if self.words(&["SET", "SCHEMA"]) {
            AlterView::SetSchema(self.identifier()?)
        } else if self.word("SET") {
            AlterView::Set(self.options()?)
        } else if self.words(&["RENAME", "TO"]) {
            AlterView::Rename(self.identifier()?)
        } else if self.words(&["RENAME", "COLUMN"]) {
            let from = self.identifier()?;
            self.expect("TO")?;
            AlterView::RenameColumn(from, self.identifier()?)
        } else if self.word("ADD") {
            self.add_output()?
        } else if self.word("DROP") {
            self.word("COLUMN");
            let if_exists = self.words(&["IF", "EXISTS"]);
            let name = self.identifier()?;
            self.word("RESTRICT");
            AlterView::DropColumn { name, if_exists }
        } else if self.words(&["OWNER", "TO"]) {
            self.identifier()?;
            AlterView::Owner
        } else {
            return self.expected("SET, RENAME, ADD, DROP or OWNER TO");
        };
        self.finish()?;
        Ok(Statement::AlterMaterializedView { name, if_exists, action })
    }

    /// `[COLUMN] [IF NOT EXISTS] name type GENERATED ALWAYS AS (value) STORED`
    pub(super) fn add_output(&mut self) -> Result<AlterView> {
        self.word("COLUMN");
        let if_not_exists = self.words(&["IF", "NOT", "EXISTS"]);
        let name = self.identifier()?;
        let data_type = self.parser.parse_data_type();
        let data_type = self.wrap(data_type)?;
        if !self.words(&["GENERATED", "ALWAYS", "AS"]) {
            return self.expected("GENERATED ALWAYS AS (…) STORED");
        }
        if !self.token(&Token::LParen) {
            return self.expected("(");
        }
        let value = self.expr()?;
        if !self.token(&Token::RParen) {
            return self.expected(")");
        }
        self.expect("STORED")?;
        Ok(AlterView::AddColumn(Box::new(AddedOutput { name, if_not_exists, data_type, value })))
    }

    pub(super) fn refresh_materialized_view(&mut self) -> Result<Statement> {
        self.words(&["REFRESH", "MATERIALIZED", "VIEW"]);
        self.word("CONCURRENTLY");
        let name = self.name()?;
        self.words(&["WITH", "DATA"]);
        self.finish()?;
        Ok(Statement::RefreshMaterializedView(name))
    }

    /// `EXPLAIN REFRESH [MATERIALIZED VIEW | CONTINUOUS AGGREGATE] name`
    pub(super) fn explain_refresh(&mut self) -> Result<Statement> {
        self.words(&["EXPLAIN", "REFRESH"]);
        if !self.words(&["MATERIALIZED", "VIEW"]) {
            self.words(&["CONTINUOUS", "AGGREGATE"]);
        }
        let name = self.name()?;
        self.finish()?;
        let name = ast::Expr::value(ast::Value::SingleQuotedString(name.to_string()));
        Ok(Statement::ExplainRefresh(vec![ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(name))]))
    }

    /// `EXPLAIN CALL refresh_continuous_aggregate(…)`
    pub(super) fn explain_call(&mut self) -> Result<Statement> {
        self.word("EXPLAIN");
        match self.statement()? {
            ast::Statement::Call(ast::Function { args: ast::FunctionArguments::List(list), .. }) => {
                Ok(Statement::ExplainRefresh(list.args))
            }
            other => Err(Error::syntax(format!("{other} cannot be explained"))),
        }
    }

    /// `CHECK CONTINUOUS AGGREGATE name [REPAIR]`
    pub(super) fn check_aggregate(&mut self) -> Result<Statement> {
        self.words(&["CHECK", "CONTINUOUS", "AGGREGATE"]);
        let name = self.name()?;
        let repair = self.word("REPAIR");
        self.finish()?;
        Ok(Statement::CheckAggregate { name, repair })
    }
}
