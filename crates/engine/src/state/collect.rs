//! The state of any aggregate: its input, kept.
//!
//! Percentiles, distinct counts, ordered arrays and whatever else DataFusion or we can aggregate are exact and
//! compose when their input values are kept as a list: states merge by concatenation, and the aggregate
//! itself finishes a list.

use super::lists;
use crate::Error;
use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::create_physical_sort_expr;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The aggregate over the source's rows that gives the state: a list of structs of the call's arguments.
pub fn state_expr(call: &AggregateFunction) -> Result<Expr> {
    let mut fields = Vec::new();
    for (i, expr) in kept(call) {
        fields.push(Expr::Literal(ScalarValue::from(format!("v{i}")), None));
        fields.push(expr);
    }
    let row = datafusion::functions::core::named_struct().call(fields);
    Ok(plain(lists::gather(call.params.distinct), row, call.params.filter.clone()))
}

/// Whether two calls have the same state.
pub fn keep_the_same(call: &AggregateFunction, other: &AggregateFunction) -> bool {
    state_expr(call).is_ok_and(|state| state_expr(other).is_ok_and(|same| state == same))
}

/// The aggregate over states that merges them.
pub fn merge_expr(column: &str, distinct: bool) -> Expr {
    plain(lists::gather_lists(distinct), Expr::Column(Column::new_unqualified(column)), None)
}

/// The finished value of a state.
///
/// * `input` – the schema of the rows the call is over.
pub fn final_expr(call: &AggregateFunction, input: &DFSchema, state: Expr, session: &SessionState) -> Result<Expr> {
    let finish = Finish::new(call, input, session)?;
    Ok(Arc::new(ScalarUDF::new_from_impl(finish)).call(vec![state]))
}

/// Arguments, then what they are ordered by.
fn inputs(call: &AggregateFunction) -> Vec<Expr> {
    let order = call.params.order_by.iter().map(|s| s.expr.clone());
    call.params.args.iter().cloned().chain(order).collect()
}

/// The inputs whose values are kept, with their number: each once, and not constants, unless there is nothing else.
fn kept(call: &AggregateFunction) -> Vec<(usize, Expr)> {
    let inputs = inputs(call);
    let all = inputs.iter().cloned().enumerate().filter(|(i, _)| first(&inputs, *i) == *i);
    let all: Vec<(usize, Expr)> = all.collect();
    let changing: Vec<_> = all.iter().filter(|(_, e)| !e.column_refs().is_empty()).cloned().collect();
    if changing.is_empty() { all } else { changing }
}

/// The first input that is the same as this one.
fn first(inputs: &[Expr], i: usize) -> usize {
    inputs.iter().position(|input| *input == inputs[i]).unwrap_or(i)
}

fn plain(func: Arc<AggregateUDF>, arg: Expr, filter: Option<Box<Expr>>) -> Expr {
    let params =
        AggregateFunctionParams { args: vec![arg], distinct: false, filter, order_by: vec![], null_treatment: None };
    Expr::AggregateFunction(AggregateFunction { func, params })
}

/// Runs an aggregate over the values of a list.
#[derive(Debug)]
struct Finish {
    label: String,
    aggregate: AggregateFunctionExpr,
    order: Vec<(usize, SortOptions)>,
    result: DataType,
    signature: Signature,
}

impl Finish {
    fn new(call: &AggregateFunction, input: &DFSchema, session: &SessionState) -> Result<Self> {
        let inputs = inputs(call);
        let kept_inputs = kept(call);
        let fields: Vec<Field> = kept_inputs
            .iter()
            .map(|(i, e)| Ok(Field::new(format!("v{i}"), e.get_type(input)?, true)))
            .collect::<Result<_>>()?;
        let schema = Arc::new(Schema::new(fields));
        let kept = DFSchema::try_from(schema.clone())?;
        // A constant argument stays one, because some aggregates insist on it.
        let column = |i: usize| match &inputs[i] {
            constant if constant.column_refs().is_empty() => constant.clone(),
            _ => Expr::Column(Column::new_unqualified(format!("v{}", first(&inputs, i)))),
        };
        let args = (0..call.params.args.len())
            .map(|i| session.create_physical_expr(column(i), &kept))
            .collect::<Result<Vec<_>>>()?;
        let offset = args.len();
        let sort = call.params.order_by.iter().enumerate().map(|(i, s)| {
            let sort = datafusion::logical_expr::SortExpr::new(column(offset + i), s.asc, s.nulls_first);
            create_physical_sort_expr(&sort, &kept, session.execution_props(), &PhysicalPlanningContext::default())
        });
        let sort = sort.collect::<Result<Vec<_>>>()?;
        // Where in a kept row it is; what all rows share orders nothing.
        let order = call.params.order_by.iter().enumerate().filter_map(|(i, s)| {
            let position = kept_inputs.iter().position(|(input, _)| *input == first(&inputs, offset + i))?;
            Some((position, SortOptions { descending: !s.asc, nulls_first: s.nulls_first }))
        });
        let order = order.collect();
        let mut builder = AggregateExprBuilder::new(call.func.clone(), args)
            .schema(schema)
            .alias("value")
            .order_by(sort)
            .with_distinct(call.params.distinct);
        if call.params.null_treatment == Some(datafusion::sql::sqlparser::ast::NullTreatment::IgnoreNulls.into()) {
            builder = builder.ignore_nulls();
        }
        let aggregate = builder.build()?;
        Ok(Finish {
            label: Expr::AggregateFunction(call.clone()).schema_name().to_string(),
            result: aggregate.field().data_type().clone(),
            aggregate,
            order,
            signature: Signature::any(1, Volatility::Immutable),
        })
    }

    fn value(&self, rows: Option<ArrayRef>) -> Result<ScalarValue> {
        let mut accumulator = self.aggregate.create_accumulator()?;
        if let Some(rows) = rows {
            let rows: &StructArray = rows.as_struct();
            let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
            if !self.order.is_empty() && rows.len() > 1 {
                let sort: Vec<SortColumn> = self
                    .order
                    .iter()
                    .map(|(i, options)| SortColumn { values: columns[*i].clone(), options: Some(*options) })
                    .collect();
                let indices = lexsort_to_indices(&sort, None)?;
                columns = columns.iter().map(|c| take(c, &indices, None)).collect::<Result<_, _>>()?;
            }
            let batch = arrow::array::RecordBatch::try_new(
                Arc::new(Schema::new(rows.fields().iter().map(|f| f.as_ref().clone()).collect::<Vec<_>>())),
                columns,
            )?;
            let arguments = self.aggregate.expressions();
            let order = self.aggregate.order_bys().iter().map(|s| s.expr.clone());
            let values: Vec<ArrayRef> = arguments
                .into_iter()
                .chain(order)
                .map(|e| e.evaluate(&batch)?.into_array(batch.num_rows()))
                .collect::<Result<_>>()?;
            accumulator.update_batch(&values)?;
        }
        accumulator.evaluate()
    }
}

impl PartialEq for Finish {
    fn eq(&self, other: &Self) -> bool {
        self.label == other.label && self.result == other.result
    }
}

impl Eq for Finish {}

impl Hash for Finish {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.label.hash(state);
    }
}

impl ScalarUDFImpl for Finish {
    fn name(&self) -> &str {
        "collect_final"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = ColumnarValue::values_to_arrays(&args.args)?.remove(0);
        let lists = lists.as_list_opt::<i32>().ok_or_else(|| Error::internal("a kept state is a list"))?;
        let values = (0..lists.len()).map(|i| self.value(lists.is_valid(i).then(|| lists.value(i))));
        let values = values.collect::<Result<Vec<_>>>()?;
        let array = match values.is_empty() {
            true => arrow::array::new_empty_array(&self.result),
            false => ScalarValue::iter_to_array(values)?,
        };
        Ok(ColumnarValue::Array(array))
    }
}

/// The type of a kept state.
pub fn state_type(call: &AggregateFunction, input: &DFSchema) -> Result<DataType> {
    let fields: Fields = kept(call)
        .iter()
        .map(|(i, e)| Ok(Arc::new(Field::new(format!("v{i}"), e.get_type(input)?, true)) as FieldRef))
        .collect::<Result<_>>()?;
    Ok(DataType::List(Arc::new(Field::new("item", DataType::Struct(fields), true))))
}
