//! Subqueries that refer to the query around them, run once for each row of it.
//!
//! DataFusion turns such subqueries into joins, where it can. Where it cannot, the subquery becomes a function
//! of the columns it refers to:
//!
//! ```text
//! SELECT a.attname, (SELECT d.adbin FROM pg_attrdef d WHERE d.adnum = a.attnum) FROM pg_attribute a
//! SELECT a.attname, subquery(a.attnum) FROM pg_attribute a
//! ```
//!
//! Each distinct combination of arguments is planned and run once. That is slow for large outer queries, and
//! much better than refusing what clients ask of the small tables of the catalog.

use crate::{Error, Result};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Subquery, TypeSignature, Volatility,
};
use datafusion::physical_plan::{ExecutionPlan, collect};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Optimizes a plan and makes it physical; when DataFusion cannot, because of a subquery, with its subqueries
/// as functions.
///
/// # Errors
/// What DataFusion said at first, when that does not help either.
pub async fn physical(plan: &LogicalPlan, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
    let first = match attempt(plan, state).await {
        Err(e) if has_subquery(plan) => e,
        result => return Ok(result?),
    };
    let Ok(applied) = applied(plan.clone(), state) else { return Err(first.into()) };
    match attempt(&applied, state).await {
        Ok(physical) => Ok(physical),
        Err(second) => {
            tracing::debug!(error = %second, "subqueries as functions do not help");
            Err(first.into())
        }
    }
}

async fn attempt(plan: &LogicalPlan, state: &SessionState) -> DfResult<Arc<dyn ExecutionPlan>> {
    let optimized = state.optimize(plan)?;
    state.query_planner().create_physical_plan(&optimized, state).await
}

/// Whether an expression is a subquery.
pub fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_))
}

/// Whether a plan has an expression that is a subquery.
pub fn has_subquery(plan: &LogicalPlan) -> bool {
    let found = plan.exists(|node| {
        let mut found = false;
        node.apply_expressions(|expr| {
            found |= expr.exists(|e| Ok(is_subquery(e)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    });
    found.unwrap_or(false)
}

/// The plan with its subqueries as functions.
fn applied(plan: LogicalPlan, state: &SessionState) -> DfResult<LogicalPlan> {
    let rewritten = plan.transform_up(|node| {
        let inputs: Vec<&LogicalPlan> = node.inputs();
        let around = merge_schema(&inputs);
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| match is_subquery(&expr) {
                true => Ok(Transformed::yes(function_of(expr, &around, state))),
                false => Ok(Transformed::no(expr)),
            })?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(rewritten.data)
}

/// A subquery as a function of the columns around it.
fn function_of(expr: Expr, around: &DFSchema, state: &SessionState) -> Expr {
    let (subquery, question, operand) = match expr {
        Expr::ScalarSubquery(subquery) => (subquery, Question::Value, None),
        Expr::Exists(Exists { subquery, negated }) => (subquery, Question::Exists { negated }, None),
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            let (op, all) = if negated { (Operator::NotEq, true) } else { (Operator::Eq, false) };
            (subquery, Question::Compare { op, all }, Some(*expr))
        }
        Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
            (subquery, Question::Compare { op, all: quantifier == SetQuantifier::All }, Some(*expr))
        }
        other => return other,
    };
    let Subquery { subquery: plan, .. } = subquery;
    let mut columns = Vec::new();
    outer_columns(&plan, around, &mut columns);
    let mut args: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
    args.extend(operand);
    let value = plan.schema().fields().first().cloned();
    let field = match (&question, value) {
        (Question::Value, Some(field)) => field.as_ref().clone().with_nullable(true),
        _ => Field::new("exists", DataType::Boolean, true),
    };
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let signature = TypeSignature::OneOf(vec![TypeSignature::VariadicAny, TypeSignature::Nullary]);
    let function = SubqueryFunction {
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        plan,
        columns,
        question,
        field: Arc::new(field),
        state: state.clone(),
        answers: Mutex::default(),
        signature: Signature::new(signature, Volatility::Stable),
    };
    ScalarUDF::from(function).call(args)
}

/// The columns of `around` that a subquery refers to, also from subqueries inside it.
fn outer_columns(plan: &LogicalPlan, around: &DFSchema, found: &mut Vec<Column>) {
    let _ = plan.apply(|node| {
        let own = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::OuterReferenceColumn(_, column) = expr
                    && around.has_column(column)
                    && !found.contains(column)
                {
                    found.push(column.clone());
                }
                if let Some(inner) = subquery_of(expr) {
                    let mut deeper = Vec::new();
                    outer_columns(&inner.subquery, around, &mut deeper);
                    // The nearest query that has a column is the one that is meant.
                    deeper.retain(|column| !own.has_column(column) && !found.contains(column));
                    found.extend(deeper);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
}

fn subquery_of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(query) => Some(&query.subquery),
        Expr::SetComparison(comparison) => Some(&comparison.subquery),
        _ => None,
    }
}

/// A subquery with values in the places of the columns around it.
fn bound(plan: LogicalPlan, values: &HashMap<Column, ScalarValue>) -> DfResult<LogicalPlan> {
    let plan = plan.transform_up(|node| {
        let own = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|mut expr| {
                if let Expr::OuterReferenceColumn(field, column) = &expr
                    && let Some(value) = values.get(column)
                {
                    let metadata = datafusion::common::metadata::FieldMetadata::new_from_field(field);
                    return Ok(Transformed::yes(Expr::Literal(value.clone(), Some(metadata))));
                }
                let subquery = match &mut expr {
                    Expr::ScalarSubquery(subquery) => subquery,
                    Expr::Exists(exists) => &mut exists.subquery,
                    Expr::InSubquery(query) => &mut query.subquery,
                    Expr::SetComparison(comparison) => &mut comparison.subquery,
                    _ => return Ok(Transformed::no(expr)),
                };
                let outer: HashMap<Column, ScalarValue> =
                    values.iter().filter(|(c, _)| !own.has_column(c)).map(|(c, v)| (c.clone(), v.clone())).collect();
                let inner = bound(subquery.subquery.as_ref().clone(), &outer)?;
                subquery.outer_ref_columns = inner.all_out_ref_exprs();
                subquery.subquery = Arc::new(inner);
                Ok(Transformed::yes(expr))
            })?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    })?;
    // What is left of a lateral subquery refers to nothing any more.
    let plan = plan.data.transform_up(|node| match node {
        LogicalPlan::Subquery(lateral) if lateral.subquery.all_out_ref_exprs().is_empty() => {
            Ok(Transformed::yes(Arc::unwrap_or_clone(lateral.subquery)))
        }
        node => Ok(Transformed::no(node)),
    })?;
    Ok(plan.data)
}

/// What is asked of a subquery's rows.
#[derive(Clone, Copy, Debug)]
enum Question {
    /// The value of its one row.
    Value,
    /// Whether there is a row.
    Exists { negated: bool },
    /// Whether the last argument compares so with any row, or with all.
    Compare { op: Operator, all: bool },
}

/// A subquery as a function.
#[derive(Debug)]
struct SubqueryFunction {
    id: u64,
    plan: Arc<LogicalPlan>,
    /// What its first arguments stand for.
    columns: Vec<Column>,
    question: Question,
    field: FieldRef,
    state: SessionState,
    answers: Mutex<HashMap<Vec<ScalarValue>, ScalarValue>>,
    signature: Signature,
}

impl PartialEq for SubqueryFunction {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for SubqueryFunction {}

impl Hash for SubqueryFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl SubqueryFunction {
    fn answer(&self, args: Vec<ScalarValue>) -> DfResult<ScalarValue> {
        if let Some(known) = self.answers.lock().expect("no panic while answering").get(&args) {
            return Ok(known.clone());
        }
        let values = self.columns.iter().cloned().zip(args.iter().cloned()).collect();
        let plan = bound(self.plan.as_ref().clone(), &values)?;
        let rows = self.run(&plan)?;
        let answer = match self.question {
            Question::Value => self.one(&rows)?,
            Question::Exists { negated } => {
                ScalarValue::from((rows.iter().map(RecordBatch::num_rows).sum::<usize>() > 0) != negated)
            }
            Question::Compare { op, all } => compare(&args[self.columns.len()], op, all, &rows)?,
        };
        self.answers.lock().expect("no panic while answering").insert(args, answer.clone());
        Ok(answer)
    }

    fn run(&self, plan: &LogicalPlan) -> DfResult<Vec<RecordBatch>> {
        let mut state = self.state.clone();
        state.config_mut().options_mut().execution.target_partitions = 1;
        let run = async {
            let physical = Box::pin(physical(plan, &state)).await.map_err(DataFusionError::from)?;
            collect(physical, state.task_ctx()).await
        };
        // A function cannot wait. The thread is one of the runtime's, which goes on without it meanwhile.
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(run))
    }

    fn one(&self, rows: &[RecordBatch]) -> DfResult<ScalarValue> {
        match rows.iter().map(RecordBatch::num_rows).sum::<usize>() {
            0 => ScalarValue::try_from(self.field.data_type()),
            1 => {
                let batch = rows.iter().find(|b| b.num_rows() == 1).expect("they have one row");
                ScalarValue::try_from_array(batch.column(0), 0)
            }
            _ => Err(Error::new("21000", "more than one row returned by a subquery used as an expression").into()),
        }
    }
}

/// Whether a value compares so with any row, or all; NULL where that is not known.
fn compare(value: &ScalarValue, op: Operator, all: bool, rows: &[RecordBatch]) -> DfResult<ScalarValue> {
    let mut unknown = false;
    for batch in rows.iter().filter(|b| b.num_rows() > 0) {
        let column = arrow::compute::cast(batch.column(0), &value.data_type())?;
        let left = ColumnarValue::Scalar(value.clone());
        let result = datafusion::physical_expr_common::datum::apply_cmp(op, &left, &ColumnarValue::Array(column))?;
        let result: ArrayRef = result.into_array(batch.num_rows())?;
        let result = arrow::array::AsArray::as_boolean(result.as_ref());
        unknown |= arrow::array::Array::null_count(result) > 0;
        let decided = |result: &BooleanArray| if all { result.false_count() > 0 } else { result.true_count() > 0 };
        if decided(result) {
            return Ok(ScalarValue::from(!all));
        }
    }
    Ok(if unknown { ScalarValue::Boolean(None) } else { ScalarValue::from(all) })
}

impl ScalarUDFImpl for SubqueryFunction {
    fn name(&self) -> &str {
        "subquery"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> DfResult<FieldRef> {
        Ok(self.field.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        if arrays.is_empty() {
            return Ok(ColumnarValue::Scalar(self.answer(Vec::new())?));
        }
        let rows = arrays[0].len();
        let mut answers = Vec::with_capacity(rows);
        for row in 0..rows {
            let values = arrays.iter().map(|array| ScalarValue::try_from_array(array, row));
            answers.push(self.answer(values.collect::<DfResult<_>>()?)?);
        }
        match answers.is_empty() {
            true => Ok(ColumnarValue::Array(arrow::array::new_empty_array(self.field.data_type()))),
            false => Ok(ColumnarValue::Array(ScalarValue::iter_to_array(answers)?)),
        }
    }
}
