//! `histogram(value, min, max, buckets)`.
//!
//! ```text
//! bucket    0  │  1  │  2  │ … │  n  │  n + 1
//!              min                   max
//! ```
//!
//! The answer has the counts of all n + 2. As in TimescaleDB a NULL counts as 0.

use super::super::math::bucket_of;
use crate::error::Error;
use crate::operator::operand::{is_number, taken_as};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int32Type};
use datafusion::common::ScalarValue;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// `histogram(value, min, max, buckets)`
pub fn histogram() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Histogram { signature: Signature::user_defined(Volatility::Immutable) }))
}

/// The sum of histograms.
pub fn merge() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(MergeHistograms { signature: Signature::any(1, Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Histogram {
    signature: Signature,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MergeHistograms {
    signature: Signature,
}

impl AggregateUDFImpl for MergeHistograms {
    fn name(&self) -> &str {
        "histogram_merge"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(counts_type())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "counts"), counts_type(), true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Merged(Counts::default())))
    }
}

/// The sum of the histograms that are the input.
#[derive(Debug)]
struct Merged(Counts);

impl Accumulator for Merged {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.evaluate()
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }
}

fn counts_type() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Int32, true)))
}

impl AggregateUDFImpl for Histogram {
    fn name(&self) -> &str {
        "histogram"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let numbers = |t: &DataType| is_number(t) || t.is_null();
        if types.len() != 4 || !types.iter().all(numbers) {
            let names: Vec<String> = types.iter().map(crate::operator::operand::type_name).collect();
            let message = format!("function histogram({}) does not exist", names.join(", "));
            return Err(Error::new("42883", message).into());
        }
        let taken = vec![DataType::Float64, DataType::Float64, DataType::Float64, DataType::Int32];
        Ok(taken_as(types, taken))
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(counts_type())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "counts"), counts_type(), true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Counts::default()))
    }
}

/// The counts; empty as long as there was no row.
#[derive(Debug, Default)]
struct Counts(Vec<i32>);

impl Counts {
    fn add(&mut self, bucket: usize, count: i32) -> Result<()> {
        let slot = &mut self.0[bucket];
        *slot = slot.checked_add(count).ok_or_else(|| Error::new("22003", "histogram bucket count overflow"))?;
        Ok(())
    }

    fn list(&self) -> ScalarValue {
        if self.0.is_empty() {
            return ScalarValue::try_new_null(&counts_type()).expect("a list can be NULL");
        }
        let counts: ArrayRef = Arc::new(Int32Array::from(self.0.clone()));
        SingleRowListArrayBuilder::new(counts)
            .with_field(&Field::new("item", DataType::Int32, true))
            .build_list_scalar()
    }
}

impl Accumulator for Counts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (x, min, max) = (
            values[0].as_primitive::<Float64Type>(),
            values[1].as_primitive::<Float64Type>(),
            values[2].as_primitive::<Float64Type>(),
        );
        let buckets = values[3].as_primitive::<Int32Type>();
        for row in 0..x.len() {
            if min.is_null(row) || max.is_null(row) || buckets.is_null(row) {
                continue;
            }
            let x = if x.is_null(row) { 0.0 } else { x.value(row) };
            let (min, max, count) = (min.value(row), max.value(row), buckets.value(row));
            if min > max {
                return Err(Error::invalid_parameter("lower bound cannot exceed upper bound").into());
            }
            let bucket = bucket_of(x, min, max, count)? as usize;
            let length = count as usize + 2;
            if self.0.is_empty() {
                self.0 = vec![0; length];
            } else if self.0.len() != length {
                return Err(Error::invalid_parameter("number of buckets must not change between calls").into());
            }
            self.add(bucket, 1)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.list())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.0.capacity() * size_of::<i32>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.list()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        for counts in lists.iter().flatten() {
            let counts = counts.as_primitive::<Int32Type>();
            if self.0.is_empty() {
                self.0 = vec![0; counts.len()];
            } else if self.0.len() != counts.len() {
                return Err(Error::invalid_parameter("number of buckets must not change between calls").into());
            }
            for (bucket, count) in counts.values().iter().enumerate() {
                self.add(bucket, *count)?;
            }
        }
        Ok(())
    }
}
