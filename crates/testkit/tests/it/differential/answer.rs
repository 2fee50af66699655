//! What a statement gives, on either side.

use super::postgresql;
use futures::{FutureExt, StreamExt};
use highwater::model::time::Zone;
use highwater::text::ColumnWriter;
use highwater::{Instance, Outcome, Session};
use highwater_server::pg::types::Described;
use highwater_testkit::memory;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio_postgres::{Client, SimpleQueryMessage};

/// One row as text; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// What a statement gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Names and types of the columns, and the rows.
    Rows {
        /// Names of the columns.
        names: Vec<String>,
        /// Names in `pg_type` of their types.
        types: Vec<String>,
        /// The rows in the order in which they came.
        rows: Vec<Row>,
    },
    /// An error.
    Error {
        /// Its code.
        sqlstate: String,
        /// Its words, which are not compared.
        message: String,
    },
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Answer::Error { sqlstate, message } => write!(f, "{sqlstate} {message}"),
            Answer::Rows { names, types, rows } => {
                let columns: Vec<String> = names.iter().zip(types).map(|(n, t)| format!("{n} {t}")).collect();
                write!(f, "[{}]", columns.join(", "))?;
                for row in rows.iter().take(40) {
                    let cells: Vec<&str> = row.iter().map(|c| c.as_deref().unwrap_or("NULL")).collect();
                    write!(f, " ({})", cells.join("|"))?;
                }
                Ok(())
            }
        }
    }
}

/// A statement that gave something else on either side.
#[derive(Debug)]
pub struct Difference {
    /// The case it belongs to.
    pub case: String,
    /// The statement.
    pub statement: String,
    /// What PostgreSQL gave.
    pub postgresql: Answer,
    /// What Highwater gave.
    pub highwater: Answer,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "{}", self.statement)?;
        writeln!(f, "   PostgreSQL  {}", self.postgresql)?;
        write!(f, "   Highwater   {}", self.highwater)
    }
}

/// A session on either side.
pub struct Sides {
    /// PostgreSQL's.
    pub postgresql: Client,
    instance: Arc<Instance>,
    highwater: Session,
    zone: String,
}

impl Sides {
    /// New sessions, Highwater's on a database of its own.
    pub async fn new(server: &postgresql::Server) -> Sides {
        let instance = memory::instance().await.expect("memory can be opened");
        let highwater = instance.session("postgres", "postgres").await.expect("there is such a database");
        Sides { postgresql: server.connect().await, instance, highwater, zone: "UTC".to_owned() }
    }

    /// The functions of ours that PostgreSQL may have too.
    pub fn offered(&self) -> BTreeSet<String> {
        self.highwater.functions()
    }

    /// Sets the session time zone on both sides.
    pub async fn set_zone(&mut self, zone: &str) {
        if self.zone != zone {
            let sql = format!("SET timezone = '{zone}'");
            self.postgresql.batch_execute(&sql).await.expect("there is such a zone");
            self.highwater.run(&sql).await.expect("there is such a zone");
            self.zone = zone.to_owned();
        }
    }

    /// Splits a text into its statements.
    pub fn split(&self, sql: &str) -> Vec<String> {
        self.highwater.split(sql).expect("the statements can be split")
    }

    /// PostgreSQL's answer, with the types that it tells of a statement before it is run.
    pub async fn ask_postgresql(&self, sql: &str) -> Answer {
        match self.postgresql.prepare(sql).await {
            Ok(statement) => {
                let types = statement.columns().iter().map(|c| c.type_().name().to_owned()).collect();
                let names = statement.columns().iter().map(|c| c.name().to_owned()).collect();
                match self.texts(sql).await {
                    Ok(rows) => Answer::Rows { names, types, rows },
                    Err(e) => e,
                }
            }
            Err(e) => error(&e),
        }
    }

    /// PostgreSQL's rows.
    pub async fn texts(&self, sql: &str) -> Result<Vec<Row>, Answer> {
        let messages = self.postgresql.simple_query(sql).await.map_err(|e| error(&e))?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Highwater's answer.
    pub async fn ask_highwater(&mut self, sql: &str) -> Answer {
        let answer = AssertUnwindSafe(rows(&mut self.highwater, sql)).catch_unwind().await;
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(e)) => Answer::Error { sqlstate: e.sqlstate.to_owned(), message: e.message },
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                self.highwater = self.instance.session("postgres", "postgres").await.expect("there is such a database");
                let zone = std::mem::replace(&mut self.zone, "UTC".to_owned());
                self.set_zone(&zone).await;
                Answer::Error { sqlstate: "panic".to_owned(), message: words.unwrap_or_default() }
            }
        }
    }
}

fn error(e: &tokio_postgres::Error) -> Answer {
    match e.as_db_error() {
        Some(e) => Answer::Error { sqlstate: e.code().code().to_owned(), message: e.message().to_owned() },
        None => panic!("PostgreSQL is gone: {e}"),
    }
}

async fn rows(session: &mut Session, sql: &str) -> highwater::Result<Answer> {
    let prepared = session.parse(sql)?;
    let nothing = Answer::Rows { names: vec![], types: vec![], rows: vec![] };
    let Outcome::Rows { columns, rows: mut batches, .. } = session.execute(&prepared, vec![]).await? else {
        return Ok(nothing);
    };
    let zone = Zone::parse(session.time_zone()).unwrap_or(Zone::UTC);
    let names = columns.fields().iter().map(|f| f.name().clone()).collect();
    let described = columns.fields().iter().map(|f| Described::of_field(f));
    let types = described
        .map(|d| if d.is_array { format!("_{}", d.element.name) } else { d.element.name.to_owned() })
        .collect();
    let mut rows: Vec<Row> = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let writers = batch.columns().iter().zip(columns.fields());
        let writers = writers.map(|(array, field)| ColumnWriter::new(array.as_ref(), field, zone));
        let writers = writers.collect::<highwater::Result<Vec<_>>>()?;
        let cell = |writer: &ColumnWriter, row: usize| {
            let mut out = Vec::new();
            writer.write(row, &mut out).then(|| String::from_utf8_lossy(&out).into_owned())
        };
        rows.extend((0..batch.num_rows()).map(|row| writers.iter().map(|w| cell(w, row)).collect()));
    }
    Ok(Answer::Rows { names, types, rows })
}

/// Whether two answers are the same: errors by their code, rows in order only when an order was asked for.
pub fn same(sql: &str, postgresql: &Answer, highwater: &Answer) -> bool {
    match (postgresql, highwater) {
        (Answer::Error { sqlstate: a, .. }, Answer::Error { sqlstate: b, .. }) => a == b,
        (
            Answer::Rows { names: names_a, types: types_a, rows: a },
            Answer::Rows { names: names_b, types: types_b, rows: b },
        ) => {
            let rows = if sql.contains("ORDER BY") {
                a == b
            } else {
                let (mut a, mut b) = (a.clone(), b.clone());
                a.sort();
                b.sort();
                a == b
            };
            rows && names_a == names_b && types_a == types_b
        }
        _ => false,
    }
}
