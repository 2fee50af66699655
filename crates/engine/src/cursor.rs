//! Cursors that are declared in SQL: rows of a query, taken a few at a time.
//!
//! A cursor reads the snapshot of the statement that declared it and computes its rows as they are fetched; none is
//! collected. It only goes forward. One WITH HOLD keeps its snapshot after the transaction.

use crate::error::{Error, Result};
use crate::session::RowStream;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;
use std::sync::Mutex;

/// DECLARE … CURSOR.
#[derive(Clone, Debug)]
pub struct Declare {
    /// Its name.
    pub name: String,
    /// Whether it outlives its transaction.
    pub hold: bool,
    /// What it reads.
    pub query: Box<ast::Query>,
}

/// FETCH or MOVE.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The cursor.
    pub name: String,
    /// Whether the rows are passed over.
    pub moves: bool,
    /// Where it goes.
    pub direction: Direction,
}

/// Where a cursor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// So many rows; backward when negative.
    Rows(i64),
    /// All that are left.
    All,
    /// To the row of this number, counted from 1.
    Absolute(i64),
    /// By so many rows, of which the last one is given.
    Relative(i64),
    /// To a place that needs the rows before: PRIOR, LAST, BACKWARD.
    Backward,
}

/// An open cursor.
pub struct Cursor {
    /// Columns of its rows.
    pub columns: SchemaRef,
    /// Whether it outlives its transaction.
    pub hold: bool,
    /// How many savepoints there were when it was declared.
    pub depth: usize,
    /// The rows that were not computed yet. Only one statement at a time has the cursor: the lock is never waited
    /// for.
    rows: Mutex<RowStream>,
    /// Rows that were computed and not taken.
    rest: Option<RecordBatch>,
    /// How many rows it has passed.
    position: i64,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("position", &self.position).field("hold", &self.hold).finish_non_exhaustive()
    }
}

impl Cursor {
    /// A cursor before the first of these rows.
    pub fn new(columns: SchemaRef, rows: RowStream, hold: bool, depth: usize) -> Cursor {
        Cursor { columns, hold, depth, rows: Mutex::new(rows), rest: None, position: 0 }
    }

    /// The rows in a direction.
    ///
    /// # Errors
    /// 55000 when it would have to go back; those of computing rows.
    pub async fn fetch(&mut self, direction: Direction) -> Result<Vec<RecordBatch>> {
        let (passed, wanted) = match direction {
            Direction::Rows(n) if n >= 0 => (0, n),
            Direction::All => (0, i64::MAX),
            // The row it is at is the one before: to give it again it would have to go back.
            Direction::Relative(n) if n > 0 => (n - 1, 1),
            Direction::Absolute(n) if n > self.position => (n - 1 - self.position, 1),
            _ => {
                return Err(Error::new("55000", "cursor can only scan forward")
                    .hint("Cursors are not kept to be read backward; declare another one."));
            }
        };
        self.take(passed).await?;
        self.take(wanted).await
    }

    async fn take(&mut self, wanted: i64) -> Result<Vec<RecordBatch>> {
        let mut taken = Vec::new();
        let mut left = wanted;
        while left > 0 {
            let batch = match self.rest.take() {
                Some(batch) => batch,
                None => match self.rows.get_mut().expect("no panic while it is held").next().await {
                    Some(batch) => batch?,
                    None => break,
                },
            };
            let count = batch.num_rows().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count < batch.num_rows() {
                self.rest = Some(batch.slice(count, batch.num_rows() - count));
            }
            if count > 0 {
                taken.push(batch.slice(0, count));
            }
            left -= count as i64;
            self.position += count as i64;
        }
        Ok(taken)
    }

    /// All rows that are left, as they are computed; the cursor has none then.
    pub fn drain(&mut self) -> RowStream {
        let rows = std::mem::replace(
            self.rows.get_mut().expect("no panic while it is held"),
            futures::stream::empty().boxed(),
        );
        let rest = self.rest.take().map(Ok);
        self.position = i64::MAX;
        futures::stream::iter(rest).chain(rows).boxed()
    }
}
