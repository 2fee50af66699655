//! Runs `.slt` scripts on an instance in this process.

use crate::memory;
use futures::StreamExt;
use highwater::arrow::datatypes::SchemaRef;
use highwater::model::time::Zone;
use highwater::text::write::ColumnWriter;
use highwater::{Instance, Outcome, Session};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType};
use std::path::Path;
use std::sync::Arc;

/// Runs a script in a database of its own.
///
/// # Errors
/// The first record whose answer differs, with its place.
pub async fn run(path: &Path) -> Result<(), String> {
    let instance = memory::instance().await.map_err(|e| e.to_string())?;
    let mut runner = sqllogictest::Runner::new(|| {
        let instance = instance.clone();
        async move { Connection::new(&instance).await }
    });
    let result = runner.run_file_async(path).await.map_err(|e| e.display(false).to_string());
    drop(runner);
    instance.close().await.map_err(|e| e.to_string())?;
    result
}

/// A session that answers as the scripts are written.
#[derive(Debug)]
struct Connection {
    session: Session,
}

/// An error as scripts match it: `SQLSTATE: message`.
#[derive(Debug, thiserror::Error)]
#[error("{sqlstate}: {message}")]
pub struct ScriptError {
    sqlstate: String,
    message: String,
}

impl From<highwater::Error> for ScriptError {
    fn from(e: highwater::Error) -> Self {
        let message = match &e.detail {
            Some(detail) => format!("{} ({detail})", e.message),
            None => e.message.clone(),
        };
        ScriptError { sqlstate: e.sqlstate.to_owned(), message }
    }
}

impl Connection {
    async fn new(instance: &Arc<Instance>) -> Result<Self, ScriptError> {
        Ok(Connection { session: instance.session("postgres", "postgres").await? })
    }
}

#[async_trait::async_trait]
impl AsyncDB for Connection {
    type Error = ScriptError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, ScriptError> {
        let mut output = DBOutput::StatementComplete(0);
        for statement in self.session.split(sql)? {
            let outcome = match self.session.parse(&statement) {
                Ok(prepared) => self.session.execute(&prepared, vec![]).await,
                Err(e) => Err(e),
            };
            output = match outcome.inspect_err(|_| self.session.fail())? {
                Outcome::Rows { columns, mut rows, .. } => {
                    let zone = Zone::parse(self.session.time_zone()).unwrap_or(Zone::UTC);
                    let mut all = Vec::new();
                    while let Some(batch) = rows.next().await {
                        let batch = batch.inspect_err(|_| self.session.fail())?;
                        all.extend(shown(&columns, &batch, zone)?);
                    }
                    DBOutput::Rows {
                        types: columns.fields().iter().map(|_| DefaultColumnType::Any).collect(),
                        rows: all,
                    }
                }
                Outcome::Done(tag) => {
                    DBOutput::StatementComplete(tag.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0))
                }
                Outcome::Empty => DBOutput::StatementComplete(0),
                Outcome::CopyIn(_) | Outcome::CopyOut(_) => {
                    return Err(highwater::Error::unsupported("scripts do not COPY").into());
                }
            };
        }
        Ok(output)
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "highwater"
    }
}

fn shown(
    columns: &SchemaRef,
    batch: &highwater::arrow::array::RecordBatch,
    zone: Zone,
) -> Result<Vec<Vec<String>>, ScriptError> {
    let writers = batch
        .columns()
        .iter()
        .zip(columns.fields())
        .map(|(array, field)| ColumnWriter::new(array.as_ref(), field, zone))
        .collect::<highwater::Result<Vec<_>>>()?;
    let cell = |writer: &ColumnWriter, row: usize| {
        let mut out = Vec::new();
        match writer.write(row, &mut out) {
            false => "NULL".to_owned(),
            true if out.is_empty() => "(empty)".to_owned(),
            true => String::from_utf8_lossy(&out).into_owned(),
        }
    };
    Ok((0..batch.num_rows()).map(|row| writers.iter().map(|w| cell(w, row)).collect()).collect())
}
