//! COPY: rows in and out as text or CSV, or as they are for who writes the binary format.

use crate::error::{Error, Result};
use crate::session::RowStream;
use crate::text::copy::{CopyOptions, CopyReader, CopyWriter};
use crate::text::read::parse_typed;
use crate::text::write::column_text;
use crate::work::Work;
use crate::write::{Gathered, WholeRows, named_columns};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{FieldRef, SchemaRef};
use bytes::Bytes;
use datafusion::common::DFSchema;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;
use futures::stream::BoxStream;
use highwater_model::time::{Clockface, Zone};
use highwater_model::{Column, Table};
use highwater_store::Transaction;
use highwater_store::schema::{type_mark, typed_field};
use std::sync::Arc;

/// Rows are handed on when this many have been read.
const BATCH_ROWS: usize = 65_536;

/// COPY … FROM in progress.
pub struct Loading {
    table: Arc<Table>,
    columns: Vec<Column>,
    reader: CopyReader,
    clock: Clockface,
    filter: Option<ast::Expr>,
    gathered: Gathered,
    rows: u64,
    /// The COPY's own transaction between two pieces, outside of a block.
    pub transaction: Option<Transaction>,
}

impl std::fmt::Debug for Loading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loading").field("table", &self.table.name).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Loading {
    /// Makes ready to read rows of these columns, or of all.
    pub fn new(
        work: &Work,
        table: &Arc<Table>,
        names: &[String],
        options: &CopyOptions,
        filter: Option<&ast::Expr>,
    ) -> Result<Self> {
        let columns = match names {
            [] => table.columns.clone(),
            names => named_columns(table, names.iter().cloned())?,
        };
        let zone = Zone::parse(work.settings.time_zone()).map_err(|e| Error::new(e.sqlstate(), e.to_string()))?;
        let clock = Clockface::new(zone, work.times.transaction);
        let fields = columns.iter().map(|c| (c.name.clone(), c.column_type.clone()));
        let reader = CopyReader::new(options.clone(), &table.name, fields, clock)?;
        Ok(Loading {
            table: table.clone(),
            columns,
            reader,
            clock,
            filter: filter.cloned(),
            gathered: Gathered::default(),
            rows: 0,
            transaction: None,
        })
    }

    /// The columns of each row.
    pub fn fields(&self) -> Vec<FieldRef> {
        self.columns.iter().map(|c| Arc::new(typed_field(&c.name, &c.column_type))).collect()
    }

    /// Reads a piece of the data.
    pub fn push(&mut self, work: &mut Work, data: &[u8]) -> Result<()> {
        self.reader.push(data)?;
        if self.reader.rows() >= BATCH_ROWS {
            self.flush(work, false)?;
        }
        Ok(())
    }

    /// Takes rows, a column each of the types of [`Loading::fields`].
    ///
    /// # Errors
    /// 22001 and 22P02 when a text is none of its column's type; those of inserting.
    pub fn push_rows(&mut self, work: &mut Work, arrays: Vec<ArrayRef>) -> Result<()> {
        let rows = arrays.first().map_or(0, |array| array.len());
        let formed = self.columns.iter().zip(arrays).map(|(column, array)| match type_mark(&column.column_type) {
            None => Ok(array),
            Some(_) => {
                let texts = column_text(&array, &self.clock.zone)?;
                parse_typed(texts.as_string::<i32>(), &column.column_type, &self.clock)
            }
        });
        let formed = formed.collect::<Result<Vec<_>>>()?;
        self.add(work, formed, rows)?;
        self.hand_over(work, false)
    }

    /// Ends the data; gives how many rows were loaded.
    pub fn finish(&mut self, work: &mut Work) -> Result<u64> {
        self.reader.end()?;
        self.flush(work, true)?;
        Ok(self.rows)
    }

    fn flush(&mut self, work: &mut Work, last: bool) -> Result<()> {
        let rows = self.reader.rows();
        let arrays = self.reader.take();
        self.add(work, arrays, rows)?;
        self.hand_over(work, last)
    }

    fn add(&mut self, work: &mut Work, arrays: Vec<ArrayRef>, rows: usize) -> Result<()> {
        if rows > 0 {
            let planner = work.planner();
            let batch = WholeRows::of(&planner, &self.table, &self.columns)?.rows(&arrays, rows)?;
            let batch = match &self.filter {
                None => batch,
                Some(filter) => {
                    let schema = DFSchema::try_from_qualified_schema(self.table.name.as_str(), &batch.schema())?;
                    let expr = planner.plan_expr(filter, &schema)?;
                    let mask = planner.evaluate(&[expr], &schema, &batch)?.remove(0);
                    let mask: BooleanArray = mask.as_boolean().iter().map(|v| Some(v == Some(true))).collect();
                    filter_record_batch(&batch, &mask)?
                }
            };
            self.rows += batch.num_rows() as u64;
            self.gathered.push(batch)?;
        }
        Ok(())
    }

    fn hand_over(&mut self, work: &mut Work, last: bool) -> Result<()> {
        if let Some(batch) = self.gathered.take(last)? {
            work.transaction.insert(&self.table, batch)?;
        }
        Ok(())
    }
}

/// Turns rows into COPY data.
pub fn unload(
    columns: SchemaRef,
    rows: RowStream,
    options: &CopyOptions,
    zone: &str,
) -> Result<BoxStream<'static, Result<(Bytes, u64)>>> {
    let zone = Zone::parse(zone).map_err(|e| Error::new(e.sqlstate(), e.to_string()))?;
    let header = options.header;
    let writer = CopyWriter::new(options.clone(), zone)?;
    let first = {
        let mut out = Vec::new();
        if header {
            writer.write_header(columns.fields().iter().map(|f| f.name().as_str()), &mut out);
        }
        futures::stream::iter((!out.is_empty()).then(|| Ok((Bytes::from(out), 0))))
    };
    let rest = rows.map(move |batch: Result<RecordBatch>| {
        let (batch, mut out) = (batch?, Vec::new());
        writer.write_batch(&batch, &mut out)?;
        Ok((Bytes::from(out), batch.num_rows() as u64))
    });
    Ok(first.chain(rest).boxed())
}
