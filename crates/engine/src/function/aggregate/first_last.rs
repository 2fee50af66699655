//! `first(value, time)` and `last(value, time)`.
//!
//! The value at the smallest or largest time. Rows whose time is NULL are left out; a NULL value at the chosen
//! time is the answer. Where several rows have that time, the smallest value is the first and the largest the
//! last, and any value comes before NULL, so that the answer does not depend on the order of rows.

use arrow::array::{Array, ArrayRef, BooleanArray, DynComparator, make_comparator, new_null_array};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use std::cmp::Ordering;
use std::sync::Arc;

/// `first(value, time)`
pub fn first() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(FirstLast { last: false, signature: Signature::any(2, Volatility::Immutable) }))
}

/// `last(value, time)`
pub fn last() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(FirstLast { last: true, signature: Signature::any(2, Volatility::Immutable) }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FirstLast {
    last: bool,
    signature: Signature,
}

impl AggregateUDFImpl for FirstLast {
    fn name(&self) -> &str {
        if self.last { "last" } else { "first" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let part = |i: usize, name: &str| {
            Field::new(format_state_name(args.name, name), args.input_fields[i].data_type().clone(), true)
        };
        Ok(vec![Arc::new(part(0, "value")), Arc::new(part(1, "time"))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(self.best(&args)?))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.best(&args)?))
    }
}

impl FirstLast {
    fn best(&self, args: &AccumulatorArgs) -> Result<Best> {
        let null = |i: usize| ScalarValue::try_from(args.expr_fields[i].data_type());
        let empty = Row { value: null(0)?, time: null(1)? };
        Ok(Best { last: self.last, rows: Vec::new(), empty })
    }
}

/// The chosen row of a group; its time is NULL as long as there is none.
#[derive(Clone, Debug)]
struct Row {
    value: ScalarValue,
    time: ScalarValue,
}

#[derive(Debug)]
struct Best {
    last: bool,
    rows: Vec<Row>,
    empty: Row,
}

/// Compares rows of one batch.
struct Rows {
    by_time: DynComparator,
    by_value: Option<DynComparator>,
}

impl Rows {
    /// What a comparison says `first` or `last` prefers is greater, NULL values always last.
    fn new(last: bool, values: &ArrayRef, times: &ArrayRef) -> Result<Rows> {
        let options = SortOptions { descending: last, nulls_first: false };
        Ok(Rows {
            by_time: make_comparator(times, times, options)?,
            // Values of some types cannot be ordered; then it is the row that came first.
            by_value: make_comparator(values, values, options).ok(),
        })
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        (self.by_time)(a, b).then_with(|| self.by_value.as_ref().map_or(Ordering::Equal, |by| by(a, b)))
    }
}

impl Best {
    /// Whether `new` is to be preferred to what a group has.
    fn prefers(&self, new: &Row, old: &Row) -> bool {
        if old.time.is_null() {
            return true;
        }
        let turn = |ordering: Ordering| if self.last { ordering.reverse() } else { ordering };
        let by_time = turn(new.time.partial_cmp(&old.time).unwrap_or(Ordering::Equal));
        by_time
            .then_with(|| match (new.value.is_null(), old.value.is_null()) {
                (false, false) => turn(new.value.partial_cmp(&old.value).unwrap_or(Ordering::Equal)),
                (new, old) => new.cmp(&old),
            })
            .is_lt()
    }

    fn update(
        &mut self,
        values: &ArrayRef,
        times: &ArrayRef,
        groups: impl Fn(usize) -> usize,
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        if self.rows.len() < total {
            self.rows.resize(total, self.empty.clone());
        }
        let rows = Rows::new(self.last, values, times)?;
        // First the best row of each group within the batch: values are taken out once for each group.
        const NONE: usize = usize::MAX;
        let mut best = vec![NONE; total];
        for row in 0..times.len() {
            let passes = filter.is_none_or(|f| f.is_valid(row) && f.value(row));
            if !passes || times.is_null(row) {
                continue;
            }
            let slot = &mut best[groups(row)];
            if *slot == NONE || rows.compare(row, *slot).is_lt() {
                *slot = row;
            }
        }
        for (group, row) in best.into_iter().enumerate().filter(|(_, row)| *row != NONE) {
            let new = Row {
                value: ScalarValue::try_from_array(values, row)?.compacted(),
                time: ScalarValue::try_from_array(times, row)?.compacted(),
            };
            if self.prefers(&new, &self.rows[group]) {
                self.rows[group] = new;
            }
        }
        Ok(())
    }

    fn column(rows: &[Row], part: impl Fn(&Row) -> ScalarValue, empty: &ScalarValue) -> Result<ArrayRef> {
        if rows.is_empty() {
            return Ok(new_null_array(&empty.data_type(), 0));
        }
        ScalarValue::iter_to_array(rows.iter().map(part))
    }
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.update(&values[0], &values[1], |_| 0, None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.rows.first().unwrap_or(&self.empty).value.clone())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.rows.iter().map(|r| r.value.size() + r.time.size()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let row = self.rows.first().unwrap_or(&self.empty);
        Ok(vec![row.value.clone(), row.time.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update(&states[0], &states[1], |_| 0, None, 1)
    }
}

impl GroupsAccumulator for Best {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.update(&values[0], &values[1], |row| groups[row], filter, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let rows = emit_to.take_needed(&mut self.rows);
        Best::column(&rows, |r| r.value.clone(), &self.empty.value)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let rows = emit_to.take_needed(&mut self.rows);
        Ok(vec![
            Best::column(&rows, |r| r.value.clone(), &self.empty.value)?,
            Best::column(&rows, |r| r.time.clone(), &self.empty.time)?,
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.update(&states[0], &states[1], |row| groups[row], None, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let times = match filter {
            None => Arc::clone(&values[1]),
            // A row without a time counts for nothing.
            Some(filter) => {
                let left_out: BooleanArray = filter.iter().map(|passes| Some(passes != Some(true))).collect();
                arrow::compute::nullif(&values[1], &left_out)?
            }
        };
        Ok(vec![Arc::clone(&values[0]), times])
    }

    fn size(&self) -> usize {
        Accumulator::size(self)
    }
}
