//! The extended query protocol: Parse, Bind, Describe, Execute, Close, Sync.
//!
//! The statements up to Sync are one transaction. Mostly there is one statement, followed by Sync: then it is a
//! transaction of its own, which costs less and lets the engine try it again after a conflict.

use super::connection::{Connection, Sending, Stop};
use super::encode::{Format, RowEncoder};
use super::message::{Bind, Target, kind};
use super::types::{self, Described};
use super::{decode, reply};
use highwater::text::Clockface;
use highwater::{Error, Outcome, Parameter, Prepared, TransactionStatus};
use std::sync::Arc;
use std::time::Instant;

/// A prepared statement.
#[derive(Debug)]
pub struct Statement {
    prepared: Arc<Prepared>,
    /// Types of the parameters as the client knows them.
    oids: Vec<u32>,
}

/// A statement with its values, being executed or about to be.
#[derive(Debug)]
pub struct Portal {
    statement: Arc<Statement>,
    formats: Vec<Format>,
    state: State,
}

#[derive(Debug)]
enum State {
    Bound(Vec<Parameter>),
    Sending {
        sending: Box<Sending>,
        tag: &'static str,
    },
    /// Its rows were read to the end.
    Drained {
        tag: &'static str,
    },
    /// It gave no rows and cannot be executed again.
    Done,
}

impl Connection<'_> {
    pub(super) async fn parse(&mut self, name: &str, sql: &str, oids: &[u32]) -> Result<(), Stop> {
        if name.is_empty() {
            self.statements.remove("");
        } else if self.statements.contains_key(name) {
            return Err(Error::new("42P05", format!("prepared statement \"{name}\" already exists")).into());
        }
        let began = Instant::now();
        let declared: Vec<_> = oids.iter().map(|oid| types::arrow_type(*oid)).collect();
        let prepared = self.io.watch(&self.cancel, self.session.prepare(sql, &declared)).await?;
        let known = |index: usize| oids.get(index).copied().filter(|oid| !matches!(oid, 0 | 705));
        let of_statement = prepared.parameters.iter().enumerate();
        let oids = of_statement.map(|(i, t)| known(i).unwrap_or_else(|| Described::of_field(t).oid())).collect();
        self.statements.insert(name.to_owned(), Arc::new(Statement { prepared, oids }));
        reply::parse_complete(&mut self.io.out);
        self.log_duration(began, sql);
        Ok(())
    }

    pub(super) fn bind(&mut self, bind: &Bind<'_>) -> Result<(), Stop> {
        let statement = self.statement(bind.statement)?;
        if !bind.portal.is_empty() && self.portals.contains_key(bind.portal) {
            return Err(Error::new("42P03", format!("cursor \"{}\" already exists", bind.portal)).into());
        }
        let wanted = statement.prepared.parameters.len();
        let given = bind.parameters.len();
        if given != wanted {
            return Err(Error::new(
                "08P01",
                format!(
                    "bind message supplies {given} parameters, but prepared statement \"{}\" requires {wanted}",
                    bind.statement
                ),
            )
            .into());
        }
        let parameter_formats = formats(&bind.parameter_formats)?;
        if parameter_formats.len() > 1 && parameter_formats.len() != given {
            return Err(Error::new(
                "08P01",
                format!("bind message has {} parameter formats but {given} parameters", parameter_formats.len()),
            )
            .into());
        }
        let clock = Clockface::new(self.zone(), chrono::Utc::now().timestamp_micros());
        let mut parameters = Vec::with_capacity(given);
        for (index, value) in bind.parameters.iter().enumerate() {
            let data_type = statement.prepared.parameters[index].data_type();
            let format = match parameter_formats.as_slice() {
                [] => Format::Text,
                [one] => *one,
                each => each[index],
            };
            let parameter = match (value, format) {
                (None, _) => Parameter::try_from(data_type).map_err(Error::from),
                (Some(value), Format::Text) => decode::text(value, data_type, &clock),
                (Some(value), Format::Binary) => decode::binary(value, statement.oids[index], data_type),
            };
            parameters.push(parameter.map_err(|e| name_parameter(e, index))?);
        }
        let formats = formats(&bind.result_formats)?;
        let columns = statement.prepared.columns.as_ref().map_or(0, |columns| columns.fields().len());
        if formats.len() > 1 && formats.len() != columns {
            return Err(Error::new(
                "08P01",
                format!("bind message has {} result formats but query has {columns} columns", formats.len()),
            )
            .into());
        }
        let portal = Portal { statement, formats, state: State::Bound(parameters) };
        self.portals.insert(bind.portal.to_owned(), portal);
        reply::bind_complete(&mut self.io.out);
        Ok(())
    }

    pub(super) fn describe(&mut self, target: Target<'_>) -> Result<(), Stop> {
        let (statement, formats) = match target {
            Target::Statement(name) => {
                let statement = self.statement(name)?;
                reply::parameter_description(&mut self.io.out, &statement.oids);
                (statement, &[][..])
            }
            Target::Portal(name) => match self.portals.get(name) {
                Some(portal) => (Arc::clone(&portal.statement), portal.formats.as_slice()),
                None => {
                    // A cursor that was declared in SQL is a portal, too.
                    let columns = self.session.cursor_columns(name).ok_or_else(|| no_portal(name))?;
                    reply::row_description(&mut self.io.out, &columns, &[]);
                    return Ok(());
                }
            },
        };
        match &statement.prepared.columns {
            Some(columns) => reply::row_description(&mut self.io.out, columns, formats),
            None => reply::no_data(&mut self.io.out),
        }
        Ok(())
    }

    pub(super) async fn execute(&mut self, name: &str, max_rows: u64) -> Result<(), Stop> {
        let began = Instant::now();
        let portal = self.portals.get_mut(name).ok_or_else(|| no_portal(name))?;
        let statement = Arc::clone(&portal.statement);
        match std::mem::replace(&mut portal.state, State::Done) {
            State::Bound(parameters) => {
                let formats = portal.formats.clone();
                self.execute_bound(name, &statement, &formats, parameters, max_rows).await?;
            }
            State::Sending { sending, tag } => self.send_rows(name, sending, tag, max_rows).await?,
            State::Drained { tag } => {
                portal.state = State::Drained { tag };
                reply::command_complete_rows(&mut self.io.out, tag, 0);
            }
            State::Done => return Err(Error::new("55000", format!("portal \"{name}\" cannot be run")).into()),
        }
        self.log_duration(began, statement.prepared.text());
        Ok(())
    }

    async fn execute_bound(
        &mut self,
        name: &str,
        statement: &Statement,
        formats: &[Format],
        parameters: Vec<Parameter>,
        max_rows: u64,
    ) -> Result<(), Stop> {
        if self.io.next_kind().is_none() {
            // What follows has often been sent, but not read yet.
            self.io.read_what_came();
        }
        if self.implicit || self.io.next_kind() != Some(kind::SYNC) {
            self.begin_implicit();
        }
        let execute = self.session.execute(&statement.prepared, parameters);
        match self.io.watch(&self.cancel, execute).await? {
            Outcome::Rows { columns, rows, tag } => {
                self.send_notices();
                let described = statement.prepared.columns.as_ref().map(|columns| columns.fields().len());
                if described != Some(columns.fields().len()) {
                    return Err(Error::unsupported("cached plan must not change result type").into());
                }
                let sending = Sending::new(rows, RowEncoder::new(columns, formats, self.zone()));
                return self.send_rows(name, Box::new(sending), tag, max_rows).await;
            }
            Outcome::Done(tag) => {
                self.send_notices();
                reply::command_complete(&mut self.io.out, &tag);
            }
            Outcome::Empty => reply::empty_query(&mut self.io.out),
            Outcome::CopyIn(copy) => {
                let tag = self.copy_in(copy).await?;
                self.send_notices();
                reply::command_complete(&mut self.io.out, &tag);
            }
            Outcome::CopyOut(copy) => {
                let rows = self.copy_out(copy).await?;
                self.send_notices();
                reply::command_complete_rows(&mut self.io.out, "COPY", rows);
            }
        }
        Ok(())
    }

    async fn send_rows(
        &mut self,
        name: &str,
        mut sending: Box<Sending>,
        tag: &'static str,
        max_rows: u64,
    ) -> Result<(), Stop> {
        let sent = sending.send(self.io, &self.cancel, max_rows).await?;
        self.send_notices();
        let state = if sent.finished {
            reply::command_complete_rows(&mut self.io.out, tag, sent.rows);
            State::Drained { tag }
        } else {
            reply::portal_suspended(&mut self.io.out);
            State::Sending { sending, tag }
        };
        if let Some(portal) = self.portals.get_mut(name) {
            portal.state = state;
        }
        Ok(())
    }

    pub(super) fn close(&mut self, target: Target<'_>) {
        match target {
            Target::Statement(name) => drop(self.statements.remove(name)),
            Target::Portal(name) => drop(self.portals.remove(name)),
        }
        reply::close_complete(&mut self.io.out);
    }

    pub(super) async fn sync(&mut self) -> Result<(), Stop> {
        self.skipping = false;
        match self.end_implicit().await {
            Ok(()) => {}
            Err(Stop::Error(e)) => self.report(&e),
            Err(stop) => return Err(stop),
        }
        // Portals end with the transaction that they belong to.
        if self.session.status() == TransactionStatus::Idle {
            self.portals.clear();
        }
        self.ready().await
    }

    fn statement(&self, name: &str) -> Result<Arc<Statement>, Error> {
        self.statements.get(name).cloned().ok_or_else(|| {
            Error::new(
                "26000",
                if name.is_empty() {
                    "unnamed prepared statement does not exist".to_owned()
                } else {
                    format!("prepared statement \"{name}\" does not exist")
                },
            )
        })
    }
}

fn no_portal(name: &str) -> Error {
    Error::new("34000", format!("portal \"{name}\" does not exist"))
}

fn formats(codes: &[i16]) -> Result<Vec<Format>, Error> {
    codes
        .iter()
        .map(|code| match code {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            other => Err(Error::invalid_parameter(format!("unsupported format code: {other}"))),
        })
        .collect()
}

fn name_parameter(e: Error, index: usize) -> Error {
    if e.sqlstate == "22P03" {
        return Error { message: format!("{} {}", e.message, index + 1), ..e };
    }
    e
}
