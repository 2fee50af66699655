//! The scan of a table in a physical plan.

use super::StoreTable;
use crate::Error;
use arrow::array::{AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::{conjunction, expr_to_columns};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, create_physical_expr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream;
use highwater_model::{ColumnId, TableId};
use highwater_store::{ScanUnit, TableData};
use parking_lot::Mutex;
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;

/// Reads the parts of a table; whoever is free takes the next one.
#[derive(Debug)]
pub struct ScanExec {
    wanted: Arc<Wanted>,
    /// What is read; `None` while it is not known.
    bound: Option<Bound>,
    /// Roughly how many rows it gives.
    estimate: u64,
    properties: Arc<PlanProperties>,
}

/// What a scan is to read, of any version and for any values of its parameters.
#[derive(Debug)]
struct Wanted {
    /// The table, without its rows.
    table: StoreTable,
    /// The columns of the table that are read.
    columns: Vec<ColumnId>,
    row_ids: bool,
    /// What is read: those columns, then the row ids.
    read: DFSchema,
    /// Which of them are shown.
    shown: Vec<usize>,
    /// All of which hold for a row that is shown.
    filters: Vec<Expr>,
    props: ExecutionProps,
}

/// What a scan reads of one version.
#[derive(Clone, Debug)]
struct Bound {
    units: Vec<ScanUnit>,
    left: Arc<Mutex<VecDeque<ScanUnit>>>,
    predicate: Option<Arc<dyn PhysicalExpr>>,
}

impl Bound {
    fn new(units: Vec<ScanUnit>, predicate: Option<Arc<dyn PhysicalExpr>>) -> Self {
        Bound { left: Arc::new(Mutex::new(units.clone().into())), units, predicate }
    }

    fn rows(&self) -> u64 {
        self.units.iter().map(ScanUnit::row_count).sum()
    }
}

impl Wanted {
    /// Finds the parts of a table that may hold what is wanted.
    ///
    /// * `filters` – its filters, without parameters.
    fn bind(&self, data: &Arc<TableData>, filters: &[Expr]) -> Result<Bound> {
        let units = data.scan(&self.table.table, self.table.scan_of(self.columns.clone(), self.row_ids, filters));
        let predicate = conjunction(filters.to_vec());
        let context = PhysicalPlanningContext::default();
        let predicate = predicate.map(|expr| create_physical_expr(&expr, &self.read, &self.props, &context));
        Ok(Bound::new(units, predicate.transpose()?))
    }
}

impl ScanExec {
    /// A scan of the columns in these places of a table, as DataFusion counts them.
    ///
    /// It is bound to the rows that the table has, unless its filters have parameters.
    pub fn new(
        table: &StoreTable,
        places: &[usize],
        filters: &[Expr],
        partitions: usize,
        props: &ExecutionProps,
    ) -> Result<Self> {
        let mut asked = HashSet::new();
        for filter in filters {
            expr_to_columns(filter, &mut asked)?;
        }
        let row_id = table.columns.len();
        let mut read: Vec<usize> = places.iter().copied().filter(|place| *place != row_id).collect();
        for column in asked {
            let place = table.schema.index_of(&column.name)?;
            if place != row_id && !read.contains(&place) {
                read.push(place);
            }
        }
        let columns = read.iter().map(|place| table.columns[*place]).collect();
        let row_ids = places.contains(&row_id);
        read.extend(row_ids.then_some(row_id));
        let shown = places.iter().filter_map(|place| read.iter().position(|r| r == place)).collect();
        let schema = Arc::new(table.schema.project(places)?);
        let wanted = Wanted {
            table: table.clone().with_data(Arc::default()),
            columns,
            row_ids,
            read: DFSchema::try_from(table.schema.project(&read)?)?,
            shown,
            filters: filters.to_vec(),
            props: props.clone(),
        };
        let open = |filter: &Expr| filter.exists(|e| Ok(matches!(e, Expr::Placeholder(_))));
        let is_open = filters.iter().map(open).collect::<Result<Vec<_>>>()?.contains(&true);
        let bound = if is_open { None } else { Some(wanted.bind(&table.data, filters)?) };
        let rows = bound.as_ref().map_or(table.data.row_count, Bound::rows);
        let partitions = bound.as_ref().map_or(1, |bound| bound.units.len()).clamp(1, partitions);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::NonCooperative);
        Ok(ScanExec {
            // As DataFusion guesses what a filter leaves.
            estimate: if filters.is_empty() { rows } else { rows.div_ceil(5) },
            wanted: Arc::new(wanted),
            bound,
            properties: Arc::new(properties),
        })
    }

    /// Which table it reads.
    pub fn table_id(&self) -> TableId {
        self.wanted.table.table.id
    }

    /// The same scan that reads nothing yet.
    pub fn unbound(&self) -> ScanExec {
        self.with(None)
    }

    /// The same scan of other rows, and how many rows its parts have.
    ///
    /// * `resolve` – a filter with the values of its parameters.
    pub fn bind(&self, data: &Arc<TableData>, resolve: &dyn Fn(&Expr) -> Result<Expr>) -> Result<(ScanExec, u64)> {
        let filters = self.wanted.filters.iter().map(resolve).collect::<Result<Vec<_>>>()?;
        let bound = self.wanted.bind(data, &filters)?;
        let rows = bound.rows();
        Ok((self.with(Some(bound)), rows))
    }

    fn with(&self, bound: Option<Bound>) -> ScanExec {
        let (wanted, estimate, properties) = (self.wanted.clone(), self.estimate, self.properties.clone());
        ScanExec { wanted, bound, estimate, properties }
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.wanted.table.table;
        write!(f, "TableScan: {}.{}", table.schema, table.name)?;
        if let Some(bound) = &self.bound {
            write!(f, " parts={}", bound.units.len())?;
        }
        match conjunction(self.wanted.filters.clone()) {
            Some(filter) => write!(f, " filter={filter}"),
            None => Ok(()),
        }
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
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        match self.bound.as_ref().and_then(|bound| bound.predicate.as_ref()) {
            Some(predicate) => visit(predicate),
            None => Ok(TreeNodeRecursion::Continue),
        }
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
        let again = self.bound.clone().map(|bound| Bound::new(bound.units, bound.predicate));
        Ok(Arc::new(self.with(again)))
    }

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.properties.eq_properties.schema().clone();
        let bound = self.bound.clone().ok_or_else(|| Error::internal("a scan reads the rows of a version"))?;
        let reading = Reading {
            wanted: self.wanted.clone(),
            bound,
            ready: VecDeque::new(),
            few: Vec::new(),
            schema: schema.clone(),
            batch_rows: context.session_config().batch_size(),
        };
        let batches = stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|batch| (batch, reading)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let schema = self.properties.eq_properties.schema();
        let mut statistics = Statistics::new_unknown(schema);
        if args.partition().is_none() {
            statistics.num_rows = Precision::Inexact(self.estimate as usize);
        }
        Ok(Arc::new(statistics))
    }
}

/// One partition of a scan at work.
struct Reading {
    wanted: Arc<Wanted>,
    bound: Bound,
    ready: VecDeque<RecordBatch>,
    /// Rows that are too few for a batch of their own.
    few: Vec<RecordBatch>,
    schema: SchemaRef,
    batch_rows: usize,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                if batch.num_rows() > self.batch_rows {
                    self.ready.push_front(batch.slice(self.batch_rows, batch.num_rows() - self.batch_rows));
                    return Ok(Some(batch.slice(0, self.batch_rows)));
                }
                return Ok(Some(batch));
            }
            let Some(unit) = self.bound.left.lock().pop_front() else { return self.together() };
            let mut rows = 0;
            for batch in unit.read().map_err(Error::from)? {
                rows += batch.num_rows();
                self.take_in(&batch)?;
            }
            // Many parts may hold nothing that is wanted; others, and whoever cancels, get their turn.
            match rows < self.batch_rows {
                true => tokio::task::coop::consume_budget().await,
                false => tokio::task::yield_now().await,
            }
        }
    }

    /// Makes the rows that are wanted of those that were read ready.
    fn take_in(&mut self, read: &RecordBatch) -> Result<()> {
        let rows = read.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let Some(predicate) = self.bound.predicate.clone() else {
            self.ready.push_back(self.shown(read)?);
            return Ok(());
        };
        let read = RecordBatch::try_new_with_options(
            self.wanted.read.inner().clone(),
            read.columns().to_vec(),
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )?;
        for start in (0..rows).step_by(self.batch_rows) {
            let slice = read.slice(start, self.batch_rows.min(rows - start));
            let holds = predicate.evaluate(&slice)?.into_array(slice.num_rows())?;
            let holds: &BooleanArray = holds.as_boolean();
            match holds.true_count() {
                0 => {}
                all if all == slice.num_rows() => self.ready.push_back(self.shown(&slice)?),
                some => {
                    let kept = filter_record_batch(&self.shown(&slice)?, holds)?;
                    match some * 2 > self.batch_rows {
                        true => self.ready.push_back(kept),
                        false => self.few.push(kept),
                    }
                }
            }
            if self.few.iter().map(RecordBatch::num_rows).sum::<usize>() >= self.batch_rows {
                let enough = self.together()?;
                self.ready.extend(enough);
            }
        }
        Ok(())
    }

    /// The rows that were too few, in one batch.
    fn together(&mut self) -> Result<Option<RecordBatch>> {
        match self.few.len() {
            0 | 1 => Ok(self.few.pop()),
            _ => Ok(Some(concat_batches(&self.schema, &std::mem::take(&mut self.few))?)),
        }
    }

    fn shown(&self, read: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.wanted.shown.iter().map(|i| read.column(*i).clone()).collect();
        let rows = RecordBatchOptions::new().with_row_count(Some(read.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &rows)?)
    }
}
