//! The statements of cursors.

use super::{Reader, Statement, ident};
use crate::cursor::{Declare, Direction, Fetch};
use crate::{Error, Result};
use datafusion::sql::sqlparser::tokenizer::Token;

impl Reader<'_> {
    pub(super) fn declare(&mut self) -> Result<Statement> {
        self.expect("DECLARE")?;
        let name = ident(&self.identifier()?);
        loop {
            if self.word("BINARY") {
                return Err(Error::unsupported("binary cursors are not supported")
                    .hint("Ask for the binary format in the extended protocol."));
            }
            if self.words(&["NO", "SCROLL"]) || self.word("INSENSITIVE") || self.word("ASENSITIVE") {
                continue;
            }
            if self.word("SCROLL") {
                return Err(Error::unsupported("cursors that scroll back are not supported")
                    .hint("Declare it without SCROLL, and read it forward."));
            }
            break;
        }
        self.expect("CURSOR")?;
        let hold = self.words(&["WITH", "HOLD"]);
        self.words(&["WITHOUT", "HOLD"]);
        self.expect("FOR")?;
        let query = self.parser.parse_query();
        let query = self.wrap(query)?;
        self.finish()?;
        Ok(Statement::Declare(Declare { name, hold, query }))
    }

    pub(super) fn fetch(&mut self) -> Result<Statement> {
        let moves = self.word("MOVE");
        if !moves {
            self.expect("FETCH")?;
        }
        let direction = match () {
            () if self.word("NEXT") => Direction::Rows(1),
            () if self.word("FIRST") => Direction::Absolute(1),
            () if self.word("PRIOR") || self.word("LAST") => Direction::Backward,
            () if self.word("ALL") => Direction::All,
            () if self.word("ABSOLUTE") => Direction::Absolute(self.whole_number()?.unwrap_or(1)),
            () if self.word("RELATIVE") => Direction::Relative(self.whole_number()?.unwrap_or(1)),
            () if self.word("FORWARD") => match (self.word("ALL"), self.whole_number()?) {
                (true, _) => Direction::All,
                (false, number) => Direction::Rows(number.unwrap_or(1)),
            },
            () if self.word("BACKWARD") => {
                let _ = (self.word("ALL"), self.whole_number()?);
                Direction::Backward
            }
            () => Direction::Rows(self.whole_number()?.unwrap_or(1)),
        };
        let _ = self.word("FROM") || self.word("IN");
        let name = ident(&self.identifier()?);
        self.finish()?;
        Ok(Statement::Fetch(Fetch { name, moves, direction }))
    }

    /// The next token, if it is a whole number with or without a sign.
    pub(super) fn whole_number(&mut self) -> Result<Option<i64>> {
        let negative = self.token(&Token::Minus);
        match self.parser.peek_token().token {
            Token::Number(digits, _) => {
                let Ok(number) = digits.parse::<i64>() else { return self.expected("a whole number") };
                self.parser.next_token();
                Ok(Some(if negative { -number } else { number }))
            }
            _ if negative => self.expected("a number"),
            _ => Ok(None),
        }
    }
}
