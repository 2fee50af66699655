//! What every row of a table satisfies before it is written: computed columns, NOT NULL, CHECK.

use super::{check_not_null, shown_row};
use crate::convert;
use crate::error::{Error, Result};
use crate::parse;
use crate::query::Planner;
use arrow::array::{Array, AsArray, RecordBatch};
use datafusion::common::DFSchema;
use datafusion::physical_plan::PhysicalExpr;
use highwater_model::Table;
use highwater_store::schema::arrow_schema;
use std::sync::Arc;

/// The rules of a table, ready to be applied to rows.
#[derive(Clone, Debug, Default)]
pub struct RowRules {
    /// Where a computed column is, and what computes it.
    generated: Vec<(usize, Arc<dyn PhysicalExpr>)>,
    /// Conditions by name.
    checks: Vec<(String, Arc<dyn PhysicalExpr>)>,
}

impl RowRules {
    /// The rules of a table as the planner's statement sees them.
    ///
    /// # Errors
    /// When an expression does not plan any more.
    pub fn of(planner: &Planner, table: &Table) -> Result<RowRules> {
        let Some(rules) = planner.version().catalog().objects.rules.get(&table.id) else {
            return Ok(RowRules::default());
        };
        let schema = DFSchema::try_from_qualified_schema(table.name.as_str(), &arrow_schema(table))?;
        let plan = |sql: &str| planner.plan_expr(&parse::parse_expr(sql)?, &schema);
        let mut compiled = RowRules::default();
        for (id, sql) in &rules.generated {
            let (Some(at), Some(column)) = (table.position(*id), table.column_by_id(*id)) else { continue };
            let expr = convert::assign_expr(plan(sql)?, column, &table.name, &schema, planner.state())?;
            compiled.generated.push((at, planner.state().create_physical_expr(expr, &schema)?));
        }
        for check in &rules.checks {
            let expr = planner.state().create_physical_expr(plan(&check.sql)?, &schema)?;
            compiled.checks.push((check.name.clone(), expr));
        }
        Ok(compiled)
    }

    /// The rows with their computed columns.
    ///
    /// # Errors
    /// 23502 when a NOT NULL column is NULL, 23514 when a condition is false.
    pub fn apply(&self, table: &Table, batch: RecordBatch) -> Result<RecordBatch> {
        let mut columns = batch.columns().to_vec();
        for (at, expr) in &self.generated {
            columns[*at] = expr.evaluate(&batch)?.into_array(batch.num_rows())?;
        }
        let batch = RecordBatch::try_new(batch.schema(), columns)?;
        check_not_null(table, &batch)?;
        for (name, expr) in &self.checks {
            let kept = expr.evaluate(&batch)?.into_array(batch.num_rows())?;
            let kept = kept.as_boolean();
            // NULL is no violation.
            let violated = (0..kept.len()).find(|row| kept.is_valid(*row) && !kept.value(*row));
            if let Some(row) = violated {
                return Err(Error::new(
                    "23514",
                    format!("new row for relation \"{}\" violates check constraint \"{name}\"", table.name),
                )
                .detail(format!("Failing row contains {}.", shown_row(&batch, row))));
            }
        }
        Ok(batch)
    }
}
