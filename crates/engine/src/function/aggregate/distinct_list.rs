//! `array_agg(DISTINCT x)`: in the order of its values, whatever order the rows come in.
//!
//! DataFusion's own lets the rows be sorted the other way round when another aggregate wants them so, and then
//! gives its values that way, too. And to it, numbers that are equal but for zeros at their end are two.

use crate::operator::exact::key_function;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{ScalarValue, utils::SingleRowListArrayBuilder};
use datafusion::error::Result as DfResult;
use datafusion::functions_aggregate::array_agg::ArrayAgg;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature};
use datafusion::physical_expr::{PhysicalSortExpr, ScalarFunctionExpr};
use highwater_model::numeric::key_of;
use std::sync::{Arc, LazyLock};

/// The aggregate, which takes the order of its values as ORDER BY.
pub fn distinct_list() -> Arc<AggregateUDF> {
    static LIST: LazyLock<Arc<AggregateUDF>> =
        LazyLock::new(|| Arc::new(AggregateUDF::from(DistinctList(ArrayAgg::default()))));
    Arc::clone(&LIST)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DistinctList(ArrayAgg);

impl AggregateUDFImpl for DistinctList {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> DfResult<DataType> {
        self.0.return_type(arg_types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> DfResult<Vec<FieldRef>> {
        self.0.state_fields(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, args: AccumulatorArgs) -> DfResult<Box<dyn Accumulator>> {
        if *args.expr_fields[0].data_type() != DataType::LargeBinary {
            return self.0.accumulator(args);
        }
        // They are to be ordered by their keys, which their bytes begin with.
        let number = &args.exprs[0];
        let is_key = |call: &ScalarFunctionExpr| call.fun() == key_function().as_ref() && call.args()[0].eq(number);
        let ordered = args.order_bys.iter().map(|sort| match sort.expr.downcast_ref::<ScalarFunctionExpr>() {
            Some(call) if is_key(call) => PhysicalSortExpr { expr: Arc::clone(number), options: sort.options },
            _ => sort.clone(),
        });
        let ordered: Vec<PhysicalSortExpr> = ordered.collect();
        Ok(Box::new(DistinctNumbers(self.0.accumulator(AccumulatorArgs { order_bys: &ordered, ..args })?)))
    }
}

/// Of equal numbers, only the one with the fewest digits is given.
#[derive(Debug)]
struct DistinctNumbers(Box<dyn Accumulator>);

impl Accumulator for DistinctNumbers {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        self.0.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        self.0.merge_batch(states)
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        self.0.state()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        let all = self.0.evaluate()?;
        let ScalarValue::List(list) = &all else { return Ok(all) };
        if list.is_null(0) {
            return Ok(all);
        }
        let values = list.value(0);
        let numbers = values.as_binary::<i64>();
        // They are sorted, so equal ones are beside each other, and those with fewer zeros have lesser bytes.
        let beats = |other: usize, this: usize| {
            let (other, this) = (numbers.value(other), numbers.value(this));
            key_of(other) == key_of(this) && other < this
        };
        let known = |i: usize| numbers.is_valid(i);
        let first = (0..numbers.len()).map(|i| {
            let before = i.checked_sub(1).filter(|before| known(*before));
            let after = Some(i + 1).filter(|after| *after < numbers.len() && known(*after));
            Some(!known(i) || !before.into_iter().chain(after).any(|other| beats(other, i)))
        });
        let first = first.collect();
        let distinct = arrow::compute::filter(&values, &first)?;
        Ok(SingleRowListArrayBuilder::new(distinct).build_list_scalar())
    }
}
