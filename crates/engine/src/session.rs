//! One connection's view of a database: its settings, its transaction, its statements.

use crate::error::{Notice, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use futures::stream::BoxStream;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Rows of a result as they are computed, never collected whole.
pub type RowStream = BoxStream<'static, Result<RecordBatch>>;

/// A value bound to a parameter.
pub type Parameter = ScalarValue;

/// Whether a transaction block is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside of a block.
    Idle,
    /// Inside a block.
    InBlock,
    /// Inside a block that can only be rolled back.
    Failed,
}

/// One statement, read and described, ready to be executed any number of times.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Types of `$1`, `$2`, …
    pub parameters: Vec<DataType>,
    /// Columns of its result; `None` when it gives no rows. A field whose metadata has `pg_type` is of
    /// that PostgreSQL type; otherwise its Arrow type tells.
    pub columns: Option<SchemaRef>,
}

/// What executing a statement gives.
pub enum Outcome {
    /// Rows. The tag is `SELECT`, or `INSERT 0`, `UPDATE`, `DELETE` with RETURNING; the count of rows is
    /// appended by whoever sends them.
    Rows {
        /// Columns, as in [`Prepared::columns`].
        columns: SchemaRef,
        /// The rows.
        rows: RowStream,
        /// First words of the command tag.
        tag: &'static str,
    },
    /// Nothing but a command tag such as `CREATE TABLE` or `INSERT 0 5`.
    Done(String),
    /// The statement was empty.
    Empty,
    /// COPY … FROM STDIN: the data is to be sent to [`CopyIn`].
    CopyIn(CopyIn),
    /// COPY … TO STDOUT.
    CopyOut(CopyOut),
}

/// COPY … FROM STDIN in progress. Dropping it unfinished keeps nothing.
#[derive(Debug)]
pub struct CopyIn {
    /// Whether the data is in the binary format.
    pub binary: bool,
    /// How many columns there are.
    pub columns: usize,
}

/// COPY … TO STDOUT in progress.
pub struct CopyOut {
    /// Whether the data is in the binary format.
    pub binary: bool,
    /// How many columns there are.
    pub columns: usize,
    /// Pieces of the data, each of whole lines.
    pub data: BoxStream<'static, Result<Bytes>>,
}

/// One connection's view of a database.
#[derive(Debug)]
pub struct Session {
    cancel: CancellationToken,
}

impl Session {
    /// Splits a simple-query string into its statements, without executing any.
    ///
    /// # Errors
    /// 42601 with a position.
    pub fn split(&self, sql: &str) -> Result<Vec<String>> {
        let _ = sql;
        unimplemented!()
    }

    /// Reads one statement and finds the types of its parameters and result.
    ///
    /// * `types` – declared parameter types; `None` where the statement is to tell.
    pub async fn prepare(&mut self, sql: &str, types: &[Option<DataType>]) -> Result<Arc<Prepared>> {
        let _ = (sql, types);
        unimplemented!()
    }

    /// Executes a prepared statement. Outside of a block it is a transaction of its own, committed
    /// before `Done` is returned or when its rows have been read to the end.
    pub async fn execute(&mut self, prepared: &Arc<Prepared>, parameters: Vec<Parameter>) -> Result<Outcome> {
        let _ = (prepared, parameters);
        unimplemented!()
    }

    /// Executes all statements of a string one after another and drops their rows.
    pub async fn run(&mut self, sql: &str) -> Result<()> {
        let _ = sql;
        unimplemented!()
    }

    /// Takes COPY data in pieces of any size.
    pub async fn copy_data(&mut self, copy: &mut CopyIn, data: Bytes) -> Result<()> {
        let _ = (copy, data);
        unimplemented!()
    }

    /// Ends COPY data and gives the command tag.
    pub async fn copy_done(&mut self, copy: CopyIn) -> Result<String> {
        let _ = copy;
        unimplemented!()
    }

    /// Tells the session that an error was reported, outside or inside the engine: an open block can
    /// then only be rolled back.
    pub fn fail(&mut self) {}

    /// Begins an implicit block around the statements of one simple-query string, or of the extended
    /// messages up to Sync, as PostgreSQL does.
    pub fn begin_implicit(&mut self) {}

    /// Commits an implicit block, or rolls it back after [`Session::fail`].
    pub async fn end_implicit(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether a transaction block is open.
    pub fn status(&self) -> TransactionStatus {
        TransactionStatus::Idle
    }

    /// The notices since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        Vec::new()
    }

    /// Settings that clients are told about (`TimeZone`, `client_encoding`, …) that changed since the
    /// last call; all of them on the first.
    pub fn take_reported_settings(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Sets a setting, as the start-up message does.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let _ = (name, value);
        Ok(())
    }

    /// Cancels what the session executes now, when fired from another task.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(self.cancel.clone())
    }

    /// The zone that timestamps are shown in.
    pub fn time_zone(&self) -> &str {
        "UTC"
    }
}

/// Cancels the statement that a session executes.
#[derive(Clone, Debug)]
pub struct CancelHandle(CancellationToken);

impl CancelHandle {
    /// Cancels it; a session that executes nothing does not notice.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}
