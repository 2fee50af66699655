//! The rows of each group as a list.
//!
//! ```text
//! update   group of each row, and the rows as they come: nothing is moved
//! emit     rows in the order of their groups, cut into lists: moved once
//! ```
//!
//! So a row costs its own bytes and four for its group while it is gathered, whatever the number of groups.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{filter, interleave};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, TypeSignature, Volatility,
};
use std::collections::HashSet;
use std::mem::size_of;
use std::sync::Arc;

/// The function from rows to the list of a group's rows; NULL for a group without any.
///
/// * `distinct` – whether equal rows are kept once. A property of the function, because DataFusion moves a
///   DISTINCT of a call to where it does not mean this.
pub fn gather(distinct: bool) -> Arc<AggregateUDF> {
    function(if distinct { "gather_distinct" } else { "gather" }, Takes::Rows, distinct)
}

/// The function that makes one list of many.
pub fn gather_lists(distinct: bool) -> Arc<AggregateUDF> {
    function(if distinct { "gather_distinct_lists" } else { "gather_lists" }, Takes::Lists, distinct)
}

fn function(name: &'static str, takes: Takes, distinct: bool) -> Arc<AggregateUDF> {
    let signature = Signature::new(TypeSignature::Any(1), Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(Gather { name, takes, distinct, signature }))
}

/// What a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Takes {
    Rows,
    Lists,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Gather {
    name: &'static str,
    takes: Takes,
    distinct: bool,
    signature: Signature,
}

impl Gather {
    fn list_type(&self, argument: &DataType) -> DataType {
        match (self.takes, argument) {
            (Takes::Lists, list) => list.clone(),
            (Takes::Rows, item) => DataType::List(Arc::new(Field::new("item", item.clone(), true))),
        }
    }

    fn lists(&self, args: &AccumulatorArgs<'_>) -> Result<Lists> {
        let list_type = self.list_type(args.expr_fields[0].data_type());
        let DataType::List(item) = &list_type else {
            return Err(DataFusionError::Internal(format!("{} takes lists, not {list_type}", self.name)));
        };
        Lists::new(item.clone(), self.takes, self.distinct)
    }
}

impl AggregateUDFImpl for Gather {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(self.list_type(&types[0]))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = self.list_type(args.input_fields[0].data_type());
        Ok(vec![Arc::new(Field::new(format!("{}_rows", args.name), list, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup(self.lists(&args)?)))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.lists(&args)?))
    }
}

/// Rows and their groups.
#[derive(Debug)]
struct Lists {
    item: FieldRef,
    takes: Takes,
    /// Rows as they came.
    rows: Vec<ArrayRef>,
    /// The group of each row.
    groups: Vec<u32>,
    /// How many groups there are.
    group_count: usize,
    bytes: usize,
    distinct: Option<Distinct>,
}

/// Rows that are kept once for each group.
#[derive(Debug)]
struct Distinct {
    converter: RowConverter,
    seen: HashSet<(u32, Box<[u8]>)>,
    bytes: usize,
}

impl Lists {
    fn new(item: FieldRef, takes: Takes, is_distinct: bool) -> Result<Self> {
        let distinct = match is_distinct {
            false => None,
            true => {
                let converter = RowConverter::new(vec![SortField::new(item.data_type().clone())])?;
                Some(Distinct { converter, seen: HashSet::new(), bytes: 0 })
            }
        };
        Ok(Lists { item, takes, rows: Vec::new(), groups: Vec::new(), group_count: 0, bytes: 0, distinct })
    }

    fn add_rows(&mut self, rows: ArrayRef, groups: impl Iterator<Item = u32>) -> Result<()> {
        let groups: Vec<u32> = groups.collect();
        let (rows, groups) = match &mut self.distinct {
            None => (rows, groups),
            Some(distinct) => distinct.new_ones(rows, groups)?,
        };
        if !rows.is_empty() {
            self.bytes += rows.to_data().get_slice_memory_size()?;
            self.groups.extend(groups);
            self.rows.push(rows);
        }
        Ok(())
    }

    fn add_lists(&mut self, lists: &ArrayRef, groups: &[usize]) -> Result<()> {
        let lists = lists.as_list::<i32>();
        let offsets = lists.value_offsets();
        // A NULL list may span rows that do not count.
        if lists.null_count() > 0 {
            for (i, group) in groups.iter().enumerate().filter(|(i, _)| lists.is_valid(*i)) {
                self.add_rows(lists.value(i), std::iter::repeat_n(*group as u32, lists.value_length(i) as usize))?;
            }
            return Ok(());
        }
        let (first, last) = (offsets[0] as usize, offsets[lists.len()] as usize);
        let of_rows = groups.iter().zip(offsets.windows(2));
        let of_rows = of_rows.flat_map(|(group, o)| std::iter::repeat_n(*group as u32, (o[1] - o[0]) as usize));
        self.add_rows(lists.values().slice(first, last - first), of_rows)
    }

    fn add(&mut self, values: &ArrayRef, groups: &[usize], only: Option<&BooleanArray>) -> Result<()> {
        match (self.takes, only) {
            (Takes::Rows, None) => self.add_rows(values.clone(), groups.iter().map(|g| *g as u32)),
            (Takes::Rows, Some(only)) => {
                let kept = groups.iter().enumerate().filter(|(i, _)| only.is_valid(*i) && only.value(*i));
                let groups: Vec<u32> = kept.map(|(_, g)| *g as u32).collect();
                self.add_rows(filter(values, only)?, groups.into_iter())
            }
            (Takes::Lists, None) => self.add_lists(values, groups),
            (Takes::Lists, Some(only)) => {
                let kept = groups.iter().enumerate().filter(|(i, _)| only.is_valid(*i) && only.value(*i));
                let groups: Vec<usize> = kept.map(|(_, g)| *g).collect();
                self.add_lists(&filter(values, only)?, &groups)
            }
        }
    }

    /// The lists of the groups that are to be given; the others are numbered anew.
    fn take(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let given = match emit {
            EmitTo::All => self.group_count,
            EmitTo::First(n) => n,
        };
        let mut lengths = vec![0usize; given];
        for group in self.groups.iter().map(|g| *g as usize).filter(|g| *g < given) {
            lengths[group] += 1;
        }
        let mut next = Vec::with_capacity(given);
        let mut total = 0;
        for length in &lengths {
            next.push(total);
            total += length;
        }
        let mut order = vec![(0, 0); total];
        let mut later = Vec::new();
        let mut groups = self.groups.iter();
        for (array, rows) in self.rows.iter().enumerate() {
            for (row, group) in (0..rows.len()).zip(groups.by_ref()) {
                match next.get_mut(*group as usize) {
                    Some(place) => {
                        order[*place] = (array, row);
                        *place += 1;
                    }
                    None => later.push(((array, row), *group - given as u32)),
                }
            }
        }
        let rows: Vec<&dyn Array> = self.rows.iter().map(AsRef::as_ref).collect();
        let values = match rows.is_empty() {
            true => arrow::array::new_empty_array(self.item.data_type()),
            false => interleave(&rows, &order)?,
        };
        let rest = match later.is_empty() {
            true => None,
            false => Some(interleave(&rows, &later.iter().map(|(at, _)| *at).collect::<Vec<_>>())?),
        };
        let nulls: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
        let list = ListArray::try_new(self.item.clone(), OffsetBuffer::from_lengths(lengths), values, Some(nulls))?;
        self.groups = later.into_iter().map(|(_, group)| group).collect();
        self.bytes = rest.as_ref().map_or(Ok(0), |rest| rest.to_data().get_slice_memory_size())?;
        self.rows = rest.into_iter().collect();
        self.group_count -= given;
        if let Some(distinct) = &mut self.distinct {
            distinct.forget(given as u32);
        }
        Ok(Arc::new(list))
    }

    fn bytes(&self) -> usize {
        self.bytes + self.groups.capacity() * size_of::<u32>() + self.distinct.as_ref().map_or(0, |d| d.bytes)
    }
}

impl Distinct {
    fn new_ones(&mut self, rows: ArrayRef, groups: Vec<u32>) -> Result<(ArrayRef, Vec<u32>)> {
        let keys = self.converter.convert_columns(std::slice::from_ref(&rows))?;
        let mut is_new = Vec::with_capacity(groups.len());
        for (key, group) in keys.iter().zip(&groups) {
            let new = self.seen.insert((*group, key.as_ref().into()));
            self.bytes += if new { key.as_ref().len() + size_of::<(u32, Box<[u8]>)>() } else { 0 };
            is_new.push(new);
        }
        let is_new = BooleanArray::from(is_new);
        let groups = groups.into_iter().zip(is_new.values()).filter_map(|(group, new)| new.then_some(group));
        Ok((filter(&rows, &is_new)?, groups.collect()))
    }

    fn forget(&mut self, given: u32) {
        let seen = std::mem::take(&mut self.seen).into_iter();
        self.seen = seen.filter_map(|(group, key)| Some((group.checked_sub(given)?, key))).collect();
        self.bytes = self.seen.iter().map(|(_, key)| key.len() + size_of::<(u32, Box<[u8]>)>()).sum();
    }
}

impl GroupsAccumulator for Lists {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        only: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.group_count = total;
        self.add(&values[0], groups, only)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.take(emit)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.take(emit)?])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.group_count = total;
        self.add_lists(&values[0], groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], only: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let mut each = Lists::new(self.item.clone(), self.takes, false)?;
        let groups: Vec<usize> = (0..values[0].len()).collect();
        GroupsAccumulator::update_batch(&mut each, values, &groups, only, groups.len())?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

/// The rows of a query without GROUP BY.
#[derive(Debug)]
struct OneGroup(Lists);

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; values[0].len()];
        GroupsAccumulator::update_batch(&mut self.0, values, &groups, None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; states[0].len()];
        GroupsAccumulator::merge_batch(&mut self.0, states, &groups, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let before = (self.0.rows.clone(), self.0.groups.clone(), self.0.bytes);
        self.0.group_count = 1;
        let list = self.0.take(EmitTo::All)?;
        (self.0.rows, self.0.groups, self.0.bytes) = before;
        ScalarValue::try_from_array(&list, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        self.0.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int64Array};
    use arrow::datatypes::Int64Type;

    fn item() -> FieldRef {
        Arc::new(Field::new("item", DataType::Int64, true))
    }

    fn numbers(values: &[Option<i64>]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn shown(lists: &ArrayRef) -> Vec<Option<Vec<Option<i64>>>> {
        let lists = lists.as_list::<i32>();
        let list = |i| lists.is_valid(i).then(|| lists.value(i).as_primitive::<Int64Type>().iter().collect());
        (0..lists.len()).map(list).collect()
    }

    #[test]
    fn each_group_has_its_rows_in_the_order_they_came() {
        let mut lists = Lists::new(item(), Takes::Rows, false).unwrap();
        GroupsAccumulator::update_batch(&mut lists, &[numbers(&[Some(1), None, Some(3)])], &[1, 0, 1], None, 3)
            .unwrap();
        let only = BooleanArray::from(vec![Some(true), Some(false), None]);
        let more = numbers(&[Some(4), Some(5), Some(6)]);
        GroupsAccumulator::update_batch(&mut lists, &[more], &[0, 0, 0], Some(&only), 3).unwrap();
        let all = shown(&lists.take(EmitTo::All).unwrap());
        assert_eq!(all, [Some(vec![None, Some(4)]), Some(vec![Some(1), Some(3)]), None]);
        assert_eq!(lists.bytes, 0);
    }

    #[test]
    fn groups_that_are_given_later_keep_their_rows() {
        let mut lists = Lists::new(item(), Takes::Rows, false).unwrap();
        let rows = numbers(&[Some(1), Some(2), Some(3), Some(4)]);
        GroupsAccumulator::update_batch(&mut lists, &[rows], &[0, 1, 2, 1], None, 3).unwrap();
        assert_eq!(shown(&lists.take(EmitTo::First(1)).unwrap()), [Some(vec![Some(1)])]);
        GroupsAccumulator::update_batch(&mut lists, &[numbers(&[Some(5)])], &[1], None, 2).unwrap();
        let all = shown(&lists.take(EmitTo::All).unwrap());
        assert_eq!(all, [Some(vec![Some(2), Some(4)]), Some(vec![Some(3), Some(5)])]);
    }

    #[test]
    fn merging_lists_is_one_list_of_all() {
        let mut partial = Lists::new(item(), Takes::Rows, false).unwrap();
        GroupsAccumulator::update_batch(&mut partial, &[numbers(&[Some(1), Some(2)])], &[0, 2], None, 3).unwrap();
        let state = partial.state(EmitTo::All).unwrap();
        let mut merged = Lists::new(item(), Takes::Rows, false).unwrap();
        GroupsAccumulator::merge_batch(&mut merged, &state, &[1, 1, 0], 2).unwrap();
        // Without a NULL among the lists another way is taken.
        let whole = shown_state(&[Some(7), Some(8)]);
        GroupsAccumulator::merge_batch(&mut merged, &[whole], &[1], 2).unwrap();
        let all = shown(&merged.take(EmitTo::All).unwrap());
        assert_eq!(all, [Some(vec![Some(2)]), Some(vec![Some(1), Some(7), Some(8)])]);
    }

    fn shown_state(values: &[Option<i64>]) -> ArrayRef {
        let mut lists = Lists::new(item(), Takes::Rows, false).unwrap();
        let groups = vec![0; values.len()];
        GroupsAccumulator::update_batch(&mut lists, &[numbers(values)], &groups, None, 1).unwrap();
        lists.take(EmitTo::All).unwrap()
    }

    #[test]
    fn distinct_rows_are_kept_once_for_each_group() {
        let mut lists = Lists::new(item(), Takes::Rows, true).unwrap();
        let rows = numbers(&[Some(1), Some(1), None, Some(1), None]);
        GroupsAccumulator::update_batch(&mut lists, &[rows], &[0, 0, 0, 1, 0], None, 2).unwrap();
        assert_eq!(shown(&lists.take(EmitTo::First(1)).unwrap()), [Some(vec![Some(1), None])]);
        GroupsAccumulator::update_batch(&mut lists, &[numbers(&[Some(1), Some(2)])], &[0, 0], None, 1).unwrap();
        assert_eq!(shown(&lists.take(EmitTo::All).unwrap()), [Some(vec![Some(1), Some(2)])]);
    }

    #[test]
    fn a_row_costs_its_bytes_and_its_group() {
        let item = Arc::new(Field::new("item", DataType::Float64, true));
        let mut lists = Lists::new(item, Takes::Rows, false).unwrap();
        let rows: ArrayRef = Arc::new(Float64Array::from(vec![0.5; 10_000]));
        let groups: Vec<usize> = (0..10_000).collect();
        GroupsAccumulator::update_batch(&mut lists, &[rows], &groups, None, 10_000).unwrap();
        assert!(lists.size() < 10_000 * (8 + 4) * 2, "{} bytes", lists.size());
    }
}
