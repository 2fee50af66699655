//! Tables of the store as DataFusion sees them.
//!
//! ```text
//! TableScan(filters) ─▶ StoreTable::scan ─▶ ScanExec ─bind─▶ Scan {columns, times, equals} ─▶ ScanUnits ─▶ rows
//! ```
//!
//! A scan gives the rows for which its filters hold, and no others. Those on the time column and equalities tell too
//! where it need not look; a filter that says nothing of that costs time and never correctness.
//!
//! A scan that is part of a kept plan reads nothing until it is bound to the rows of a version and to the values of
//! its parameters. What is above it then keeps what was worked out for it.

mod prune;
mod scan;

pub use scan::ScanExec;

use crate::information::apply::is_subquery;
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use highwater_model::{ColumnId, RangeSet, Table, TableId};
use highwater_store::schema::COLUMN_ID;
use highwater_store::{Scan, ScanUnit, TableData};
use std::sync::Arc;

/// The rows of a table as of one version.
#[derive(Clone, Debug)]
pub struct StoreTable {
    table: Arc<Table>,
    data: Arc<TableData>,
    columns: Vec<ColumnId>,
    row_ids: bool,
    times: Option<RangeSet>,
    schema: SchemaRef,
}

impl StoreTable {
    /// All live columns of a table.
    pub fn new(table: Arc<Table>, data: Arc<TableData>) -> Self {
        let columns = table.columns.iter().map(|c| c.id).collect();
        StoreTable::with_columns(table, data, columns)
    }

    /// Some columns of a table.
    pub fn with_columns(table: Arc<Table>, data: Arc<TableData>, columns: Vec<ColumnId>) -> Self {
        let mut this =
            StoreTable { schema: Arc::new(Schema::empty()), table, data, columns, row_ids: false, times: None };
        this.schema = this.schema_of();
        this
    }

    /// With the stable id of each row as a last column.
    pub fn with_row_ids(mut self) -> Self {
        self.row_ids = true;
        self.schema = self.schema_of();
        self
    }

    /// Only the rows whose time is in `times`.
    pub fn within(mut self, times: RangeSet) -> Self {
        self.times = Some(times);
        self
    }

    /// Whether its rows may be of any time.
    pub fn is_of_all_times(&self) -> bool {
        self.times.is_none()
    }

    /// A provider as the table that it is, if it is one.
    pub fn of(provider: &dyn TableProvider) -> Option<&StoreTable> {
        (provider as &dyn std::any::Any).downcast_ref()
    }

    /// Which table it is.
    pub fn table_id(&self) -> TableId {
        self.table.id
    }

    /// The same columns and times of other rows of the table.
    pub fn with_data(mut self, data: Arc<TableData>) -> Self {
        self.data = data;
        self
    }

    /// Roughly how many rows there are.
    pub fn row_count(&self) -> u64 {
        self.data.row_count
    }

    fn schema_of(&self) -> SchemaRef {
        let scan = Scan { columns: self.columns.clone(), row_ids: self.row_ids, ..Scan::default() };
        let kept = ScanUnit::schema(&self.table, &scan);
        // Which column of the table it is, is nothing that plans know: where rows of several tables meet, they differ.
        let without_id = |field: &Arc<Field>| {
            let mut metadata = field.metadata().clone();
            metadata.remove(COLUMN_ID);
            field.as_ref().clone().with_metadata(metadata)
        };
        Arc::new(Schema::new(kept.fields().iter().map(without_id).collect::<Vec<_>>()))
    }

    /// A scan of these columns that looks where rows may be that filters hold for.
    fn scan_of(&self, columns: Vec<ColumnId>, row_ids: bool, filters: &[Expr]) -> Scan {
        Scan { columns, row_ids, times: self.wanted_times(filters), equals: prune::equals(filters, &self.table) }
    }

    /// The times that rows must have: those this table is limited to, and those the filters allow.
    fn wanted_times(&self, filters: &[Expr]) -> Option<(ColumnId, RangeSet)> {
        let column = self.table.time_column()?;
        let time_type = column.column_type.time_type()?;
        let filtered = prune::times(filters, &column.name, time_type);
        let wanted = match (&self.times, filtered) {
            (Some(times), Some(range)) => times.within(range),
            (Some(times), None) => times.clone(),
            (None, Some(range)) => RangeSet::from(range),
            (None, None) => return None,
        };
        Some((column.id, wanted))
    }
}

#[async_trait]
impl TableProvider for StoreTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let (places, partitions) = (projection.unwrap_or(&all), state.config().target_partitions());
        Ok(Arc::new(ScanExec::new(self, places, filters, partitions, state.execution_props())?))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // What runs a query of its own is computed above the scan.
        let own = |filter: &&Expr| match filter.exists(|e| Ok(is_subquery(e)))? {
            true => Ok(TableProviderFilterPushDown::Unsupported),
            false => Ok(TableProviderFilterPushDown::Exact),
        };
        filters.iter().map(own).collect()
    }
}
