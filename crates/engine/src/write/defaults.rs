//! The values of columns that a statement does not give.

use super::default_of;
use crate::convert;
use crate::error::Result;
use crate::query::Planner;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::physical_plan::PhysicalExpr;
use highwater_model::{Column, ColumnId, Table};
use std::collections::HashMap;
use std::sync::Arc;

/// The defaults of some columns of a table.
#[derive(Debug)]
pub struct Defaults(HashMap<ColumnId, Default>);

#[derive(Debug)]
enum Default {
    /// The same for every row of the statement.
    Constant(ScalarValue),
    /// Another one for each row: the next number, a random one.
    EachRow(Arc<dyn PhysicalExpr>),
}

impl Defaults {
    /// The defaults of the columns that are not `given`.
    ///
    /// # Errors
    /// Those of planning and evaluating them.
    pub fn of(planner: &Planner, table: &Table, given: &[Column]) -> Result<Defaults> {
        let missing = table.columns.iter().filter(|c| c.default.is_some() && !given.iter().any(|g| g.id == c.id));
        let schema = DFSchema::empty();
        let default = |column: &Column| {
            let expr = planner.plan_expr(&default_of(column)?, &schema)?;
            let expr = convert::assign_expr(expr, column, &table.name, &schema, planner.state())?;
            let default = match expr.is_volatile() {
                false => Default::Constant(planner.constant_of(&expr)?),
                true => Default::EachRow(planner.state().create_physical_expr(expr, &schema)?),
            };
            Ok((column.id, default))
        };
        Ok(Defaults(missing.map(default).collect::<Result<_>>()?))
    }

    /// The values of a column for so many rows; `None` when it has no default.
    ///
    /// # Errors
    /// Those of evaluating it.
    pub fn values(&self, column: ColumnId, rows: usize) -> Result<Option<ArrayRef>> {
        Ok(match self.0.get(&column) {
            None => None,
            Some(Default::Constant(value)) => Some(value.to_array_of_size(rows)?),
            Some(Default::EachRow(expr)) => {
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
                Some(expr.evaluate(&batch)?.into_array(rows)?)
            }
        })
    }
}
