//! The simple query protocol: a string of statements, each with its replies.

use super::connection::{Connection, Sending, Stop};
use super::encode::RowEncoder;
use super::reply;
use highwater::{Error, Outcome};
use std::time::Instant;

impl Connection<'_> {
    /// Executes the statements of a string. Several of them are one transaction, unless they say otherwise, and
    /// an error skips the rest.
    pub(super) async fn query(&mut self, sql: &str) -> Result<(), Stop> {
        // As in PostgreSQL, a simple query is the end of what was prepared without a name.
        self.statements.remove("");
        self.portals.remove("");
        let began = Instant::now();
        match self.query_statements(sql).await {
            Ok(()) => self.log_duration(began, sql),
            Err(Stop::Error(e)) => {
                self.report(&e);
                if let Err(Stop::Error(e)) = self.end_implicit().await {
                    self.report(&e);
                }
            }
            Err(stop) => return Err(stop),
        }
        self.ready().await
    }

    async fn query_statements(&mut self, sql: &str) -> Result<(), Stop> {
        let statements = self.session.split(sql)?;
        let Some(last) = statements.len().checked_sub(1) else {
            reply::empty_query(&mut self.io.out);
            return Ok(());
        };
        let mut searched = 0;
        for (index, statement) in statements.iter().enumerate() {
            let start = sql[searched..].find(statement.as_str()).map_or(searched, |found| searched + found);
            searched = (start + statement.len()).min(sql.len());
            if last > 0 {
                self.begin_implicit();
            }
            self.query_statement(statement, index == last).await.map_err(|stop| match stop {
                Stop::Error(e) => Stop::Error(shift_position(e, &sql[..start])),
                other => other,
            })?;
        }
        Ok(())
    }

    async fn query_statement(&mut self, sql: &str, is_last: bool) -> Result<(), Stop> {
        let prepared = self.session.parse(sql)?;
        if !prepared.parameters.is_empty() {
            return Err(Error::new("42P02", "there is no parameter $1").into());
        }
        let outcome = self.io.watch(&self.cancel, self.session.execute(&prepared, Vec::new())).await?;
        match outcome {
            Outcome::Rows { columns, rows, tag } => {
                self.send_notices();
                reply::row_description(&mut self.io.out, &columns, &[]);
                let mut sending = Sending::new(rows, RowEncoder::new(columns, &[], self.zone()));
                let sent = sending.send(self.io, &self.cancel, 0).await?;
                self.before_last_tag(is_last).await?;
                reply::command_complete_rows(&mut self.io.out, tag, sent.rows);
            }
            Outcome::Done(tag) => {
                self.before_last_tag(is_last).await?;
                reply::command_complete(&mut self.io.out, &tag);
            }
            Outcome::Empty => reply::empty_query(&mut self.io.out),
            Outcome::CopyIn(copy) => {
                let tag = self.copy_in(copy).await?;
                self.before_last_tag(is_last).await?;
                reply::command_complete(&mut self.io.out, &tag);
            }
            Outcome::CopyOut(copy) => {
                let rows = self.copy_out(copy).await?;
                self.before_last_tag(is_last).await?;
                reply::command_complete_rows(&mut self.io.out, "COPY", rows);
            }
        }
        Ok(())
    }

    /// The last statement is complete only when the transaction around all of them is.
    async fn before_last_tag(&mut self, is_last: bool) -> Result<(), Stop> {
        if is_last {
            self.end_implicit().await?;
        }
        self.send_notices();
        Ok(())
    }
}

/// Moves a position within a statement to the string that the client sent.
fn shift_position(e: Error, before: &str) -> Error {
    let shift = before.chars().count();
    match e.position {
        Some(position) => e.at(position + shift),
        None => e,
    }
}
