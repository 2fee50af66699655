//! `first(value, time)` and `last(value, time)`.
//!
//! The value at the smallest or largest time. Rows whose time is NULL are left out; a NULL value at the chosen
//! time is the answer. Where several rows have that time, the smallest value is the first and the largest the
//! last, and any value comes before NULL, so that the answer does not depend on the order of rows.

use arrow::array::{Array, ArrayRef, BooleanArray, DynComparator, StructArray, make_comparator, new_null_array};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
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
    declare(false, false)
}

/// `last(value, time)`
pub fn last() -> Arc<AggregateUDF> {
    declare(true, false)
}

/// The same, whose result is a state: a struct of `value` and `time`. Of the columns of such states it gives the
/// state of all.
pub fn state(of: &AggregateUDF) -> Arc<AggregateUDF> {
    declare(of.name() == "last", true)
}

fn declare(last: bool, is_state: bool) -> Arc<AggregateUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(AggregateUDF::from(FirstLast { last, is_state, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FirstLast {
    last: bool,
    /// Whether the time is part of the result.
    is_state: bool,
    signature: Signature,
}

impl AggregateUDFImpl for FirstLast {
    fn name(&self) -> &str {
        match (self.last, self.is_state) {
            (false, false) => "first",
            (true, false) => "last",
            (false, true) => "first_state",
            (true, true) => "last_state",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(if self.is_state { DataType::Struct(state_of(&types[0], &types[1])) } else { types[0].clone() })
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
        Ok(Best { last: self.last, is_state: self.is_state, rows: Vec::new(), empty })
    }
}

fn state_of(value: &DataType, time: &DataType) -> Fields {
    Fields::from(vec![Field::new("value", value.clone(), true), Field::new("time", time.clone(), true)])
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
    is_state: bool,
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

impl Best {
    fn results(&self, rows: &[Row]) -> Result<ArrayRef> {
        let values = Best::column(rows, |r| r.value.clone(), &self.empty.value)?;
        if !self.is_state {
            return Ok(values);
        }
        let times = Best::column(rows, |r| r.time.clone(), &self.empty.time)?;
        let fields = state_of(values.data_type(), times.data_type());
        Ok(Arc::new(StructArray::try_new(fields, vec![values, times], None)?))
    }
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.update(&values[0], &values[1], |_| 0, None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let row = self.rows.first().unwrap_or(&self.empty);
        ScalarValue::try_from_array(&self.results(std::slice::from_ref(row))?, 0)
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
        self.results(&rows)
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
