//! Queries that were planned, to be executed again.
//!
//! ```text
//! text, types ─▶ kept plan ─▶ holds? ─▶ bind: this version's rows, parameters, the time ─▶ physical plan
//!                    ▲           │ no
//!                    └── plan ◀──┘
//! ```
//!
//! A kept plan is optimized, with parameters still open, and shared by all sessions of a database. It depends on
//! the catalog and on which buckets of the aggregates it reads are pending, and is planned anew when either
//! changed. Of the rows and of the time it knows nothing: rows are bound to each scan, `now()` and its like
//! are parameters without a number.
//!
//! Where parameters stand in filters of scans alone, the physical plan is kept too, and only its scans are bound. It is one for
//! few rows, which is found out when its scans know which parts of their tables they read.

use super::{PARALLEL_ROWS, Planner, is_straight, let_others_in, scanned_rows};
use crate::operator::arithmetic::Operator;
use crate::realtime;
use crate::setting::Rewrite;
use crate::table::{ScanExec, StoreTable};
use crate::{Result, information};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Volatility};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use highwater_model::{CaggId, Catalog, Clockface, RangeSet, TableId};
use highwater_store::TableData;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// How many plans are kept. The one that was not used for longest leaves.
const KEPT: usize = 1024;

/// What a plan is kept under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    text: Arc<str>,
    types: Vec<Option<DataType>>,
    user: String,
    search_path: String,
    time_zone: String,
    rewrite: Rewrite,
}

/// Plans by the text of their queries.
#[derive(Debug, Default)]
pub struct PlanCache {
    plans: Mutex<HashMap<Key, (Arc<Kept>, u64)>>,
    clock: AtomicU64,
}

/// A planned query.
#[derive(Debug)]
pub struct Kept {
    /// Types of `$1`, `$2`, …
    pub parameters: Vec<FieldRef>,
    /// Columns of its result.
    pub columns: SchemaRef,
    catalog: Arc<Catalog>,
    reads: Vec<Read>,
    plan: LogicalPlan,
    /// The same for few rows, with scans that are not bound; `None` when it cannot be used again.
    physical: OnceLock<Option<Arc<dyn ExecutionPlan>>>,
    /// What is asked anew at each execution, by the placeholder that stands for it.
    asked: Vec<(String, Expr)>,
}

/// What a plan knows of an aggregate that it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    cagg: CaggId,
    dirty: RangeSet,
    frozen: RangeSet,
    /// Times of its rows that were dropped.
    dropped: RangeSet,
}

impl Read {
    /// What there is to know of an aggregate in the planner's version; `None` when it is gone.
    pub fn of(planner: &Planner, cagg: CaggId) -> Option<Read> {
        let version = planner.version();
        let definition = version.catalog().caggs.get(&cagg)?;
        let frozen = version.cagg(cagg).frozen.clone();
        let dropped = version.table(definition.materialization).dropped.clone();
        Some(Read { cagg, dirty: realtime::dirty(version, definition), frozen, dropped })
    }
}

impl PlanCache {
    fn find(&self, key: &Key) -> Option<Arc<Kept>> {
        let mut plans = self.plans.lock();
        let (kept, used) = plans.get_mut(key)?;
        *used = self.clock.fetch_add(1, Ordering::Relaxed);
        Some(kept.clone())
    }

    fn keep(&self, key: Key, kept: Arc<Kept>) {
        let mut plans = self.plans.lock();
        if plans.len() >= KEPT
            && !plans.contains_key(&key)
            && let Some(oldest) = plans.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone())
        {
            plans.remove(&oldest);
        }
        plans.insert(key, (kept, self.clock.fetch_add(1, Ordering::Relaxed)));
    }
}

impl Planner {
    /// The kept plan of a query, if it still holds for what this planner sees.
    pub fn kept(&self, text: &Arc<str>, types: &[Option<DataType>]) -> Option<Arc<Kept>> {
        let kept = self.engine.plans.find(&self.key(text, types))?;
        let holds = kept.catalog.plans_like(self.version.catalog())
            && kept.reads.iter().all(|read| Read::of(self, read.cagg).as_ref() == Some(read));
        holds.then_some(kept)
    }

    /// Optimizes a plan that was just made from a query, to be kept and executed now; `None` when the plan
    /// knows something that may be different the next time.
    ///
    /// * `parameters` – the types of its parameters, those included that `types` leaves open.
    /// * `clock_reads` – [`Clockface::times_read`] before planning began.
    pub fn keep(
        &self,
        text: &Arc<str>,
        types: &[Option<DataType>],
        parameters: Vec<FieldRef>,
        plan: &LogicalPlan,
        clock_reads: u64,
    ) -> Option<Arc<Kept>> {
        let columns = Arc::new(plan.schema().as_arrow().clone());
        let (plan, asked) = ask_later(plan.clone()).ok()?;
        let plan = self.state().optimize(&plan).ok()?;
        // The system's own views and functions, and those of sequences, answer from the version they were made for.
        let lasts = self.known.get().is_none()
            && !self.numbered.load(Ordering::Relaxed)
            && reads_only_tables(&plan)
            && !information::apply::has_subquery(&plan);
        if !lasts || Clockface::times_read() != clock_reads {
            return None;
        }
        let reads = self.reads.lock().iter().map(|cagg| Read::of(self, *cagg)).collect::<Option<Vec<_>>>()?;
        let plan = with_rows(plan, &|_| Arc::default()).ok()?;
        let catalog = self.version.catalog().clone();
        let kept = Arc::new(Kept { parameters, columns, catalog, reads, plan, physical: OnceLock::new(), asked });
        self.engine.plans.keep(self.key(text, types), kept.clone());
        Some(kept)
    }

    /// Makes a physical plan of a kept one: with the rows of this version, these parameters, and this time.
    pub async fn bound(&self, kept: &Kept, parameters: &[ScalarValue]) -> Result<Arc<dyn ExecutionPlan>> {
        let numbered = parameters.iter().enumerate().map(|(i, value)| (format!("${}", i + 1), value.clone()));
        let mut values: HashMap<String, ScalarValue> = numbered.collect();
        for (id, question) in &kept.asked {
            values.insert(id.clone(), self.constant_of(question)?);
        }
        if let Some(physical) = self.reusable(kept).await?
            && let Some(bound) = self.bind_scans(physical, &values)?
        {
            return Ok(bound);
        }
        let plan = self.of_this_version(kept)?;
        let plan = plan.transform_up(|node| self.bind(node, &values))?.data;
        let state = match is_straight(&plan) && scanned_rows(&plan) < PARALLEL_ROWS {
            true => self.engine.plain_state(&self.settings, self.times),
            false => self.state_for(&plan),
        };
        let physical = state.query_planner().create_physical_plan(&plan, &state).await?;
        Ok(physical.transform_up(let_others_in)?.data)
    }

    /// A kept plan over the rows of this version.
    fn of_this_version(&self, kept: &Kept) -> Result<LogicalPlan> {
        Ok(with_rows(kept.plan.clone(), &|table| self.version.table(table))?)
    }

    /// The physical plan that is kept of a kept plan.
    async fn reusable<'k>(&self, kept: &'k Kept) -> Result<Option<&'k Arc<dyn ExecutionPlan>>> {
        if let Some(known) = kept.physical.get() {
            return Ok(known.as_ref());
        }
        let made = match is_reusable(&kept.plan)? {
            false => None,
            true => {
                let plan = self.of_this_version(kept)?;
                let state = match is_straight(&plan) {
                    true => self.engine.plain_state(&self.settings, self.times),
                    false => self.engine.narrow_state(&self.settings, self.times),
                };
                let physical = state.query_planner().create_physical_plan(&plan, &state).await?;
                unbound(physical.transform_up(let_others_in)?.data)?
            }
        };
        Ok(kept.physical.get_or_init(|| made).as_ref())
    }

    /// A physical plan whose scans read this version; `None` when they read too much for one thread.
    fn bind_scans(
        &self,
        physical: &Arc<dyn ExecutionPlan>,
        values: &HashMap<String, ScalarValue>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let mut rows = 0;
        let bound = physical.clone().transform_up(|node| {
            let Some(scan) = node.downcast_ref::<ScanExec>() else { return Ok(Transformed::yes(node.reset_state()?)) };
            let data = self.version.table(scan.table_id());
            let (scan, more) = scan.bind(&data, &|filter| Ok(self.with_values(filter.clone(), values)?.data))?;
            rows += more;
            Ok(Transformed::yes(Arc::new(scan)))
        })?;
        Ok((rows < PARALLEL_ROWS).then_some(bound.data))
    }

    fn key(&self, text: &Arc<str>, types: &[Option<DataType>]) -> Key {
        Key {
            text: text.clone(),
            types: types.to_vec(),
            user: self.user.clone(),
            search_path: self.search_path().join(","),
            time_zone: self.settings.time_zone().to_owned(),
            rewrite: self.settings.rewrite(),
        }
    }

    fn bind(&self, node: LogicalPlan, values: &HashMap<String, ScalarValue>) -> DfResult<Transformed<LogicalPlan>> {
        if values.is_empty() {
            return Ok(Transformed::no(node));
        }
        let preserved = NamePreserver::new(&node);
        let bound = node.map_expressions(|expr| {
            let name = preserved.save(&expr);
            Ok(self.with_values(expr, values)?.update_data(|expr| name.restore(expr)))
        })?;
        match bound.transformed {
            true => Ok(Transformed::yes(bound.data.recompute_schema()?)),
            false => Ok(bound),
        }
    }

    /// An expression with values for placeholders, and what can be told by that.
    fn with_values(&self, expr: Expr, values: &HashMap<String, ScalarValue>) -> DfResult<Transformed<Expr>> {
        if !has_placeholder(&expr)? {
            return Ok(Transformed::no(expr));
        }
        expr.transform_up(|e| match e {
            Expr::Placeholder(Placeholder { id, field }) => match values.get(&id) {
                Some(value) => Ok(Transformed::yes(Expr::Literal(value.clone(), None))),
                None => Ok(Transformed::no(Expr::Placeholder(Placeholder { id, field }))),
            },
            other => Ok(Transformed::no(self.folded(other))),
        })
    }

    /// The value of an expression over nothing but constants, so that a scan can look only where it has to.
    fn folded(&self, expr: Expr) -> Expr {
        let steady = match &expr {
            Expr::ScalarFunction(f) => f.func.signature().volatility != Volatility::Volatile && !f.args.is_empty(),
            Expr::Cast(_) | Expr::BinaryExpr(_) | Expr::Negative(_) => true,
            _ => false,
        };
        let mut constant = steady;
        let looked = expr.apply_children(|child| {
            constant &= matches!(child, Expr::Literal(..));
            Ok(TreeNodeRecursion::Continue)
        });
        match constant && looked.is_ok() {
            // What cannot be computed fails when it is executed, if it is.
            true => self.constant_of(&expr).map_or(expr.clone(), |value| Expr::Literal(value, mark_of(&expr))),
            false => expr,
        }
    }
}

/// What the field of a constant says of its type beside its Arrow type.
fn mark_of(expr: &Expr) -> Option<FieldMetadata> {
    let (_, field) = expr.to_field(&DFSchema::empty()).ok()?;
    (!field.metadata().is_empty()).then(|| FieldMetadata::from(field.metadata()))
}

/// Puts a placeholder wherever a plan asks for something that only the moment of execution tells.
fn ask_later(plan: LogicalPlan) -> DfResult<(LogicalPlan, Vec<(String, Expr)>)> {
    let mut asked: Vec<(String, Expr)> = Vec::new();
    let plan = plan.transform_up_with_subqueries(|node| {
        let preserved = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = preserved.save(&expr);
            let later = expr.transform_up(|e| {
                let stands_for = match &e {
                    Expr::ScalarFunction(ScalarFunction { func, args })
                        if args.is_empty() && func.signature().volatility == Volatility::Stable =>
                    {
                        format!("${}", func.name())
                    }
                    _ => return Ok(Transformed::no(e)),
                };
                let (_, field) = e.to_field(&datafusion::common::DFSchema::empty())?;
                if !asked.iter().any(|(id, _)| *id == stands_for) {
                    asked.push((stands_for.clone(), e));
                }
                Ok(Transformed::yes(Expr::Placeholder(Placeholder::new_with_field(stands_for, Some(field)))))
            })?;
            Ok(later.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok((plan.data, asked))
}

fn has_placeholder(expr: &Expr) -> DfResult<bool> {
    expr.exists(|e| Ok(matches!(e, Expr::Placeholder(_))))
}

/// A plan whose scans read these rows of their tables.
fn with_rows(plan: LogicalPlan, rows: &dyn Fn(TableId) -> Arc<TableData>) -> DfResult<LogicalPlan> {
    let bound = plan.transform_up(|node| {
        let LogicalPlan::TableScan(mut scan) = node else { return Ok(Transformed::no(node)) };
        let provider = source_as_provider(&scan.source)?;
        if let Some(table) = StoreTable::of(provider.as_ref()) {
            scan.source = provider_as_source(Arc::new(table.clone().with_data(rows(table.table_id()))));
        }
        Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
    })?;
    Ok(bound.data)
}

/// Whether a physical plan of it can be used again with other values and at another time.
fn is_reusable(plan: &LogicalPlan) -> DfResult<bool> {
    let fixed = plan.exists(|node| {
        let is_scan = matches!(node, LogicalPlan::TableScan(_));
        let mut fixed = matches!(node, LogicalPlan::RecursiveQuery(_) | LogicalPlan::Extension(_));
        node.apply_expressions(|expr| {
            fixed |= (!is_scan && has_placeholder(expr)?) || expr.exists(|e| Ok(tells_time(e)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(fixed)
    })?;
    Ok(!fixed)
}

/// Whether a call may be of the time that the session's clock shows, which a physical expression remembers.
fn tells_time(expr: &Expr) -> bool {
    let Expr::ScalarFunction(call) = expr else { return false };
    // Arithmetic goes by the session's zone, and so do plans.
    call.func.signature().volatility != Volatility::Immutable && call.func.inner().downcast_ref::<Operator>().is_none()
}

/// A physical plan whose scans wait for rows; `None` when something in it changes while it runs.
fn unbound(physical: Arc<dyn ExecutionPlan>) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
    let mut changes = false;
    let plan = physical.transform_up(|node| {
        // A sort makes its filter anew each time.
        changes |= !node.is::<SortExec>() && !node.dynamic_expressions_produced().is_empty();
        match node.downcast_ref::<ScanExec>() {
            Some(scan) => Ok(Transformed::yes(Arc::new(scan.unbound()))),
            None => Ok(Transformed::no(node)),
        }
    })?;
    Ok((!changes).then_some(plan.data))
}

/// Whether every scan of a plan is of rows of the store.
fn reads_only_tables(plan: &LogicalPlan) -> bool {
    let other = plan.exists(|node| match node {
        LogicalPlan::TableScan(scan) => Ok(StoreTable::of(source_as_provider(&scan.source)?.as_ref()).is_none()),
        _ => Ok(false),
    });
    matches!(other, Ok(false))
}
