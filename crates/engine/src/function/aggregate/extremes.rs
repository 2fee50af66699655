//! The smallest and largest floats of groups, where NaN is above all others.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use datafusion::common::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use std::sync::Arc;

/// The smallest or largest value of each group.
#[derive(Debug)]
pub struct Extremes<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    seen: Vec<bool>,
    /// Whether a value comes in the place of another.
    beats: fn(T::Native, T::Native) -> bool,
}

impl<T: ArrowPrimitiveType> Extremes<T> {
    /// Without groups.
    ///
    /// * `beats` – whether the first value comes in the place of the second.
    pub fn new(beats: fn(T::Native, T::Native) -> bool) -> Self {
        Extremes { values: Vec::new(), seen: Vec::new(), beats }
    }
}

/// Whether `x` is smaller than `y`.
pub fn smaller<N: PartialOrd + Copy>(x: N, y: N) -> bool {
    // Only NaN is not itself.
    x < y || (is_nan(y) && !is_nan(x))
}

/// Whether `x` is larger than `y`.
pub fn larger<N: PartialOrd + Copy>(x: N, y: N) -> bool {
    smaller(y, x)
}

fn is_nan<N: PartialOrd + Copy>(x: N) -> bool {
    x.partial_cmp(&x).is_none()
}

impl<T: ArrowPrimitiveType> GroupsAccumulator for Extremes<T>
where
    T::Native: Default,
{
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.values.resize(total.max(self.values.len()), T::Native::default());
        self.seen.resize(self.values.len(), false);
        let column = values[0].as_primitive::<T>();
        let mut see = |group: usize, value: T::Native| {
            if !self.seen[group] || (self.beats)(value, self.values[group]) {
                self.values[group] = value;
                self.seen[group] = true;
            }
        };
        if filter.is_none() && column.null_count() == 0 {
            groups.iter().zip(column.values()).for_each(|(group, value)| see(*group, *value));
            return Ok(());
        }
        for (row, group) in groups.iter().enumerate() {
            if column.is_valid(row) && filter.is_none_or(|kept| kept.is_valid(row) && kept.value(row)) {
                see(*group, column.value(row));
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.update_batch(values, groups, None, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let (values, seen) = (emit.take_needed(&mut self.values), emit.take_needed(&mut self.seen));
        Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), Some(NullBuffer::from(seen)))))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit)?])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        Ok(vec![match filter {
            None => Arc::clone(&values[0]),
            Some(filter) => {
                // What is filtered out is NULL, as is what the filter does not know.
                let out = arrow::compute::not(&arrow::compute::prep_null_mask_filter(filter))?;
                arrow::compute::nullif(&values[0], &out)?
            }
        }])
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Float64Array;
    use arrow::datatypes::Float64Type;

    #[test]
    fn nan_is_above_all_and_null_is_no_value() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(f64::NAN),
            Some(f64::INFINITY),
            None,
            Some(f64::NAN),
            Some(f64::NEG_INFINITY),
        ]));
        let run = |beats| {
            let mut extremes = Extremes::<Float64Type>::new(beats);
            extremes.update_batch(std::slice::from_ref(&column), &[0, 0, 1, 2, 3], None, 4).unwrap();
            format!(
                "{:?}",
                extremes.evaluate(EmitTo::All).unwrap().as_primitive::<Float64Type>().iter().collect::<Vec<_>>()
            )
        };
        assert_eq!(run(smaller), "[Some(inf), None, Some(NaN), Some(-inf)]");
        assert_eq!(run(larger), "[Some(NaN), None, Some(NaN), Some(-inf)]");
    }
}
