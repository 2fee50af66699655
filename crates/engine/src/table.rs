//! Tables of the store as DataFusion sees them.
//!
//! ```text
//! TableScan(filters) ─▶ StoreTable::scan ─▶ Scan {columns, times, equals} ─▶ ScanUnits ─▶ ScanExec
//! ```
//!
//! Filters on the time column and equalities prune; DataFusion still applies every filter itself, so a
//! filter that is not understood here costs time and never correctness.

mod prune;

use crate::Error;
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream;
use highwater_model::{ColumnId, RangeSet, Table, TableId};
use highwater_store::schema::COLUMN_ID;
use highwater_store::{Scan, ScanUnit, TableData};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

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
        let positions: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let row_ids = positions.contains(&self.columns.len());
        let columns: Vec<ColumnId> = positions.iter().filter_map(|i| self.columns.get(*i).copied()).collect();
        let equals = prune::equals(filters, &self.table);
        let scan = Scan { columns, row_ids, times: self.wanted_times(filters), equals };
        let output = Arc::new(self.schema.project(&positions)?);
        let units = self.data.scan(&self.table, scan);
        let partitions = units.len().clamp(1, state.config().target_partitions());
        Ok(Arc::new(ScanExec::new(self.table.clone(), units, output, partitions, self.data.row_count)))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// Reads the parts of a table; whoever is free takes the next one.
#[derive(Debug)]
struct ScanExec {
    table: Arc<Table>,
    units: Arc<Mutex<VecDeque<ScanUnit>>>,
    all: Vec<ScanUnit>,
    rows: u64,
    properties: Arc<PlanProperties>,
}

impl ScanExec {
    fn new(table: Arc<Table>, units: Vec<ScanUnit>, schema: SchemaRef, partitions: usize, rows: u64) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::NonCooperative);
        ScanExec {
            table,
            units: Arc::new(Mutex::new(units.clone().into())),
            all: units,
            rows,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableScan: {}.{} parts={}", self.table.schema, self.table.name, self.all.len())
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &'static str {
        "TableScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.properties.eq_properties.schema().clone();
        let partitions = self.properties.partitioning.partition_count();
        Ok(Arc::new(ScanExec::new(self.table.clone(), self.all.clone(), schema, partitions, self.rows)))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.properties.eq_properties.schema().clone();
        let batch_rows = context.session_config().batch_size();
        let state = Reading { units: self.units.clone(), ready: VecDeque::new(), schema: schema.clone(), batch_rows };
        let batches = stream::try_unfold(state, |mut state| async move {
            Ok(state.next().map_err(Error::from)?.map(|batch| (batch, state)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let schema = self.properties.eq_properties.schema();
        let mut statistics = Statistics::new_unknown(schema);
        if args.partition().is_none() {
            statistics.num_rows = Precision::Inexact(self.rows as usize);
        }
        Ok(Arc::new(statistics))
    }
}

/// One partition of a scan at work.
struct Reading {
    units: Arc<Mutex<VecDeque<ScanUnit>>>,
    ready: VecDeque<RecordBatch>,
    schema: SchemaRef,
    batch_rows: usize,
}

impl Reading {
    fn next(&mut self) -> highwater_store::Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                if batch.num_rows() > self.batch_rows {
                    self.ready.push_front(batch.slice(self.batch_rows, batch.num_rows() - self.batch_rows));
                    return Ok(Some(batch.slice(0, self.batch_rows)));
                }
                return Ok(Some(batch));
            }
            let Some(unit) = self.units.lock().expect("no panic while taking a unit").pop_front() else {
                return Ok(None);
            };
            for batch in unit.read()? {
                if batch.num_rows() > 0 {
                    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                    let columns = batch.columns().to_vec();
                    self.ready.push_back(RecordBatch::try_new_with_options(self.schema.clone(), columns, &rows)?);
                }
            }
        }
    }
}
