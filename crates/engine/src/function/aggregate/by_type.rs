//! `sum`, `avg`, `min` and `max`, which are computed by the type of their argument.
//!
//! ```text
//! sum, avg    of intervals  here             of numbers  the statistics of a column
//! min, max    of intervals  here, by length  of floats   in groups by `extremes`   else  DataFusion
//! ```

use super::extremes::{Extremes, larger, smaller};
use crate::error::Error;
use crate::operator::operand::{Kind, type_name};
use crate::state::stats;
use crate::text::read::{interval_from_arrow, interval_to_arrow};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Field, FieldRef, Float32Type, Float64Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::min_max;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature, StatisticsArgs, Volatility,
};
use highwater_model::Interval;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

/// `sum(x)`
pub fn sum() -> Arc<AggregateUDF> {
    by_type("sum", What::Sum, stats::function(stats::Kind::Sum))
}

/// `avg(x)`
pub fn avg() -> Arc<AggregateUDF> {
    by_type("avg", What::Avg, stats::function(stats::Kind::Avg))
}

/// `min(x)`
pub fn min() -> Arc<AggregateUDF> {
    by_type("min", What::Min, min_max::min_udaf())
}

/// `max(x)`
pub fn max() -> Arc<AggregateUDF> {
    by_type("max", What::Max, min_max::max_udaf())
}

fn by_type(name: &'static str, what: What, plain: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(ByType { name, what, plain, signature }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Sum,
    Avg,
    Min,
    Max,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ByType {
    name: &'static str,
    what: What,
    plain: Arc<AggregateUDF>,
    signature: Signature,
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

impl ByType {
    /// Who computes it of values of a type; `None` when that is done here.
    fn of(&self, data_type: &DataType) -> Option<&Arc<AggregateUDF>> {
        match data_type {
            DataType::Interval(_) => None,
            _ => Some(&self.plain),
        }
    }

    /// Who computes it of groups of floats, where that is not DataFusion.
    fn of_floats(&self, data_type: &DataType) -> Option<Box<dyn GroupsAccumulator>> {
        match (self.what, data_type) {
            (What::Min, DataType::Float32) => Some(Box::new(Extremes::<Float32Type>::new(smaller))),
            (What::Min, DataType::Float64) => Some(Box::new(Extremes::<Float64Type>::new(smaller))),
            (What::Max, DataType::Float32) => Some(Box::new(Extremes::<Float32Type>::new(larger))),
            (What::Max, DataType::Float64) => Some(Box::new(Extremes::<Float64Type>::new(larger))),
            _ => None,
        }
    }

    fn intervals(&self, args: &AccumulatorArgs, slides: bool) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct && matches!(self.what, What::Sum | What::Avg) {
            return Err(Error::unsupported(format!("{}(DISTINCT interval) is not supported", self.name)).into());
        }
        Ok(Box::new(Intervals { what: self.what, value: None, count: 0, window: slides.then(VecDeque::new) }))
    }
}

fn type_of<'a>(args: &'a AccumulatorArgs) -> &'a DataType {
    args.expr_fields[0].data_type()
}

impl AggregateUDFImpl for ByType {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if let [DataType::Interval(_)] = types {
            return Ok(vec![INTERVAL]);
        }
        let orders = matches!(self.what, What::Min | What::Max);
        if let [one] = types
            && orders
            && matches!(Kind::of(one), Kind::Boolean | Kind::Uuid | Kind::Bytea)
        {
            let no_such = Error::new("42883", format!("function {}({}) does not exist", self.name, type_name(one)));
            return Err(no_such.into());
        }
        match types {
            [one] => match self.of(one) {
                Some(inner) => inner.coerce_types(types),
                None => Ok(types.to_vec()),
            },
            _ => self.plain.coerce_types(types),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first().map(|one| self.of(one)) {
            Some(None) => Ok(INTERVAL),
            Some(Some(inner)) => inner.return_type(types),
            None => self.plain.return_type(types),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        match self.of(args.input_fields[0].data_type()) {
            Some(inner) => inner.state_fields(args),
            None => Ok(vec![
                Arc::new(Field::new(format!("{}_value", args.name), INTERVAL, true)),
                Arc::new(Field::new(format!("{}_count", args.name), DataType::Int64, true)),
            ]),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.of(type_of(&args)) {
            Some(inner) => inner.accumulator(args),
            None => self.intervals(&args, false),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match self.of(type_of(&args)) {
            Some(inner) => inner.create_sliding_accumulator(args),
            None => self.intervals(&args, true),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.of(type_of(&args)).is_some_and(|inner| inner.groups_accumulator_supported(args))
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if let Some(floats) = self.of_floats(type_of(&args)) {
            return Ok(floats);
        }
        match self.of(type_of(&args)) {
            Some(inner) => inner.create_groups_accumulator(args),
            None => Err(Error::internal("intervals are not aggregated by groups").into()),
        }
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        let exact = matches!(self.what, What::Min | What::Max)
            && !matches!(args.return_type, DataType::Float32 | DataType::Float64 | DataType::Interval(_));
        exact.then(|| self.plain.value_from_stats(args)).flatten()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
}

/// What was seen of intervals.
#[derive(Debug)]
struct Intervals {
    what: What,
    value: Option<Interval>,
    count: i64,
    /// The values in the frame, for the smallest and largest of a window that slides.
    window: Option<VecDeque<Interval>>,
}

impl Intervals {
    fn add(&mut self, other: Interval) -> Result<(), Error> {
        self.value = Some(match (self.value.take(), self.what) {
            (None, _) => other,
            (Some(value), What::Sum | What::Avg) => value.checked_add(&other)?,
            (Some(value), What::Min) => {
                if other.compare(&value) == Ordering::Less {
                    other
                } else {
                    value
                }
            }
            (Some(value), What::Max) => {
                if other.compare(&value) == Ordering::Greater {
                    other
                } else {
                    value
                }
            }
        });
        Ok(())
    }
}

fn values(array: &ArrayRef) -> impl Iterator<Item = Interval> {
    array.as_primitive::<IntervalMonthDayNanoType>().iter().flatten().map(interval_from_arrow)
}

fn scalar(value: Option<&Interval>) -> Result<ScalarValue> {
    Ok(ScalarValue::IntervalMonthDayNano(value.map(interval_to_arrow).transpose()?))
}

impl Accumulator for Intervals {
    fn update_batch(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        for value in values(&arrays[0]) {
            self.count += 1;
            if let Some(window) = &mut self.window {
                window.push_back(value);
            }
            self.add(value)?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, arrays: &[ArrayRef]) -> Result<()> {
        let window = self.window.as_mut().ok_or_else(|| Error::internal("no window slides here"))?;
        let gone = values(&arrays[0]).count();
        window.drain(..gone.min(window.len()));
        let stay: Vec<Interval> = window.iter().copied().collect();
        (self.value, self.count) = (None, stay.len() as i64);
        Ok(stay.into_iter().try_for_each(|value| self.add(value))?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.window.is_some()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.count += states[1].as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
        for value in values(&states[0]) {
            self.add(value)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![scalar(self.value.as_ref())?, ScalarValue::Int64(Some(self.count))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match (&self.value, self.what) {
            (Some(sum), What::Avg) => {
                let average = sum.checked_div(self.count as f64).map_err(Error::from)?;
                scalar(Some(&average))
            }
            (value, _) => scalar(value.as_ref()),
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.window.as_ref().map_or(0, |window| window.capacity() * size_of::<Interval>())
    }
}
