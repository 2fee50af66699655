//! The aggregates whose result is a state: from rows, and from other states.
//!
//! ```text
//! hyperloglog(32768, x)   approx_count_distinct(x)     distinct values
//! uddsketch(200, 0.001, x)   percentile_agg(x)         percentiles
//! tdigest(100, x)                                      percentiles
//! stats_agg(y)   stats_agg(y, x)                       moments
//! corr(y, x)   covar_pop(y, x)   regr_slope(y, x) …     what such a state says of two variables
//! candlestick_agg(time, price, volume)                 prices
//! rollup(state)                                        what the rows of all these states give
//! rolling(state) OVER (…)                              the same, for a window
//! ```
//!
//! NULLs do not count; without any value the result is NULL.

use super::pair::Pair;
use super::points::time_type;
use super::value::candlestick::Candlestick;
use super::value::hyperloglog::{self, HyperLogLog, hashed_as, hashes};
use super::value::summary::{Summary1D, Summary2D};
use super::value::tdigest::TDigest;
use super::value::uddsketch::{self, UddSketch};
use super::value::{Kind, State, States, column};
use crate::Error;
use crate::operator::operand::{is_number, taken_as, type_name};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use std::sync::Arc;

/// What an aggregate makes its state from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum From {
    HyperLogLog,
    CountDistinct,
    UddSketch,
    PercentileAgg,
    TDigest,
    StatsAgg,
    Candlestick,
    /// Rows, and the result is no state but what is said of it.
    Pair(Pair),
    /// States of any kind.
    States,
}

/// All of them.
pub fn functions() -> Vec<Arc<AggregateUDF>> {
    [
        ("hyperloglog", From::HyperLogLog),
        ("approx_count_distinct", From::CountDistinct),
        ("uddsketch", From::UddSketch),
        ("percentile_agg", From::PercentileAgg),
        ("tdigest", From::TDigest),
        ("stats_agg", From::StatsAgg),
        ("candlestick_agg", From::Candlestick),
        ("rolling", From::States),
    ]
    .into_iter()
    .map(|(name, from)| declare(name, from))
    .chain([rollup()])
    .chain(Pair::ALL.into_iter().map(|(name, pair)| declare(name, From::Pair(pair))))
    .collect()
}

/// `stats_agg(y)` and `stats_agg(y, x)`
pub fn stats_agg() -> Arc<AggregateUDF> {
    declare("stats_agg", From::StatsAgg)
}

/// `rollup(state)`
pub fn rollup() -> Arc<AggregateUDF> {
    declare("rollup", From::States)
}

fn declare(name: &'static str, from: From) -> Arc<AggregateUDF> {
    let signature = Signature::user_defined(Volatility::Immutable);
    Arc::new(AggregateUDF::from(StateAggregate { name, from, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StateAggregate {
    name: &'static str,
    from: From,
    signature: Signature,
}

impl StateAggregate {
    /// The types that arguments of these types are taken as; `None` when they are not.
    fn takes(&self, types: &[DataType]) -> Option<Vec<DataType>> {
        let number = |t: &DataType| (is_number(t) || t.is_null()).then_some(DataType::Float64);
        let count = |t: &DataType| (t.is_integer() || t.is_null()).then_some(DataType::Int64);
        match (self.from, types) {
            (From::HyperLogLog, [buckets, value]) => Some(vec![count(buckets)?, hashed_as(value)?]),
            (From::CountDistinct, [value]) => Some(vec![hashed_as(value)?]),
            (From::CountDistinct, [value, buckets]) => Some(vec![hashed_as(value)?, count(buckets)?]),
            (From::UddSketch, [size, error, value]) => Some(vec![count(size)?, number(error)?, number(value)?]),
            (From::TDigest, [buckets, value]) => Some(vec![count(buckets)?, number(value)?]),
            (From::PercentileAgg | From::StatsAgg, [value]) => Some(vec![number(value)?]),
            (From::StatsAgg | From::Pair(_), [y, x]) => Some(vec![number(y)?, number(x)?]),
            (From::Candlestick, [time, price, volume]) => Some(vec![time_type(time)?, number(price)?, number(volume)?]),
            (From::States, [state]) => Kind::of(state).map(|kind| vec![kind.data_type()]),
            _ => None,
        }
    }

    fn kind(&self, types: &[DataType]) -> Result<Kind> {
        self.takes(types).ok_or_else(|| self.no_such(types))?;
        Ok(match self.from {
            From::HyperLogLog | From::CountDistinct => Kind::HyperLogLog,
            From::UddSketch | From::PercentileAgg => Kind::UddSketch,
            From::TDigest => Kind::TDigest,
            From::Pair(_) => Kind::Summary2D,
            From::Candlestick => Kind::Candlestick,
            From::StatsAgg if types.len() == 2 => Kind::Summary2D,
            From::StatsAgg => Kind::Summary1D,
            From::States => Kind::of(&types[0]).ok_or_else(|| self.no_such(types))?,
        })
    }

    fn no_such(&self, types: &[DataType]) -> Error {
        Error::no_function(self.name, types.iter().map(type_name))
    }

    fn groups(&self, args: &AccumulatorArgs) -> Result<Groups> {
        if args.is_distinct {
            return Err(Error::unsupported(format!("DISTINCT is not supported for {}", self.name)).into());
        }
        let types: Vec<DataType> = args.expr_fields.iter().map(|f| f.data_type().clone()).collect();
        Ok(Groups { from: self.from, kind: self.kind(&types)?, states: Vec::new() })
    }
}

impl AggregateUDFImpl for StateAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        // DataFusion would put the error into words of its own; the one of `return_type` it passes on.
        Ok(self.takes(types).map_or_else(|| types.to_vec(), |taken| taken_as(types, taken)))
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        // An aggregated column, or a mistake: `crate::rollup` tells once the query is planned.
        if let (From::States, [column]) = (self.from, types)
            && Kind::of(column).is_none()
        {
            return Ok(column.clone());
        }
        let kind = self.kind(types)?;
        Ok(match self.from {
            From::Pair(pair) => pair.data_type(),
            _ => kind.data_type(),
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types: Vec<DataType> = args.input_fields.iter().map(|f| f.data_type().clone()).collect();
        let state = self.kind(&types)?.data_type();
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "state"), state, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(self.groups(&args)?))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let rows = self.groups(&args)?;
        Ok(Box::new(Window { rows, leaving: Vec::new(), entered: Vec::new(), total: None }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.groups(&args)?))
    }
}

fn merge(into: &mut Option<State>, other: &Option<State>) -> crate::Result<()> {
    match (into.as_mut(), other) {
        (_, None) => {}
        (Some(state), Some(other)) => state.merge(other)?,
        (None, Some(other)) => *into = Some(other.clone()),
    }
    Ok(())
}

/// The state of every group; `None` where there was no value.
#[derive(Debug)]
struct Groups {
    from: From,
    kind: Kind,
    states: Vec<Option<State>>,
}

impl Groups {
    fn update(
        &mut self,
        values: &[ArrayRef],
        groups: impl Fn(usize) -> usize,
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> crate::Result<()> {
        if self.from == From::States {
            return self.merge_states(&values[0], groups, filter, total);
        }
        self.grow(total);
        // A trade whose volume is unknown is one all the same.
        let needed = if self.from == From::Candlestick { &values[..2] } else { values };
        let nulls: Vec<_> = needed.iter().filter_map(|v| v.logical_nulls()).collect();
        let counts = |row: usize| {
            filter.is_none_or(|f| f.is_valid(row) && f.value(row)) && nulls.iter().all(|n| n.is_valid(row))
        };
        let rows = (0..values[0].len()).filter(|row| counts(*row));
        let number = |i: usize| values[i].as_primitive::<Float64Type>().values();
        let count = |i: usize| values[i].as_primitive::<Int64Type>().values();
        let states = &mut self.states;
        match self.from {
            From::HyperLogLog | From::CountDistinct => {
                let (value, buckets) = if self.from == From::HyperLogLog { (1, Some(0)) } else { (0, Some(1)) };
                let buckets = buckets.filter(|i| *i < values.len()).map(count);
                let hashes = hashes(&values[value])?;
                for row in rows {
                    let slot = &mut states[groups(row)];
                    if slot.is_none() {
                        let registers = buckets.map_or(hyperloglog::DEFAULT_REGISTERS, |b| b[row]);
                        *slot = Some(State::HyperLogLog(HyperLogLog::new(registers)?));
                    }
                    if let Some(State::HyperLogLog(state)) = slot {
                        state.add(hashes[row]);
                    }
                }
            }
            From::UddSketch | From::PercentileAgg => {
                let value = number(values.len() - 1);
                for row in rows {
                    let slot = &mut states[groups(row)];
                    if slot.is_none() {
                        let (size, error) = match self.from {
                            From::UddSketch => (count(0)[row], number(1)[row]),
                            _ => (uddsketch::DEFAULT_SIZE, uddsketch::DEFAULT_ERROR),
                        };
                        *slot = Some(State::UddSketch(UddSketch::new(size, error)?));
                    }
                    if let Some(State::UddSketch(state)) = slot {
                        state.add(value[row]);
                    }
                }
            }
            From::TDigest => {
                let (buckets, value) = (count(0), number(1));
                for row in rows {
                    let slot = &mut states[groups(row)];
                    if slot.is_none() {
                        *slot = Some(State::TDigest(TDigest::new(buckets[row])?));
                    }
                    if let Some(State::TDigest(state)) = slot {
                        state.add(value[row]);
                    }
                }
            }
            From::StatsAgg if self.kind == Kind::Summary1D => {
                let value = number(0);
                for row in rows {
                    let slot = states[groups(row)].get_or_insert_with(|| State::Summary1D(Summary1D::default()));
                    if let State::Summary1D(state) = slot {
                        state.add(value[row]);
                    }
                }
            }
            From::StatsAgg | From::Pair(_) => {
                let (y, x) = (number(0), number(1));
                for row in rows {
                    let slot = states[groups(row)].get_or_insert_with(|| State::Summary2D(Summary2D::default()));
                    if let State::Summary2D(state) = slot {
                        state.add(y[row], x[row]);
                    }
                }
            }
            From::Candlestick => {
                let (times, price) = (values[0].as_primitive::<TimestampMicrosecondType>().values(), number(1));
                let volume = values[2].as_primitive::<Float64Type>();
                for row in rows {
                    let volume = volume.is_valid(row).then(|| volume.value(row));
                    let trade = State::Candlestick(Candlestick::trade(times[row], price[row], volume));
                    merge(&mut states[groups(row)], &Some(trade))?;
                }
            }
            From::States => {}
        }
        Ok(())
    }

    fn merge_states(
        &mut self,
        values: &ArrayRef,
        groups: impl Fn(usize) -> usize,
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> crate::Result<()> {
        self.grow(total);
        let states = States::new(self.kind, values)?;
        for row in 0..values.len() {
            if filter.is_none_or(|f| f.is_valid(row) && f.value(row)) {
                merge(&mut self.states[groups(row)], &states.get(row)?)?;
            }
        }
        Ok(())
    }

    fn grow(&mut self, total: usize) {
        if self.states.len() < total {
            self.states.resize(total, None);
        }
    }

    /// Each row as a state of its own.
    fn each(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> crate::Result<Groups> {
        let mut each = Groups { from: self.from, kind: self.kind, states: Vec::new() };
        each.update(values, |row| row, filter, values[0].len())?;
        Ok(each)
    }

    /// The results of states.
    fn results<'a>(&self, states: impl Iterator<Item = Option<&'a State>>) -> crate::Result<ArrayRef> {
        match self.from {
            From::Pair(pair) => Ok(pair.column(states)),
            _ => column(self.kind, states),
        }
    }

    fn one(&self) -> std::iter::Once<Option<&State>> {
        std::iter::once(self.states.first().and_then(Option::as_ref))
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.states.iter().flatten().map(State::size).sum::<usize>()
    }
}

impl Accumulator for Groups {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        Ok(self.update(values, |_| 0, None, 1)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.results(self.one())?, 0)
    }

    fn size(&self) -> usize {
        self.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::try_from_array(&column(self.kind, self.one())?, 0)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        Ok(self.merge_states(&states[0], |_| 0, None, 1)?)
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        Ok(self.update(values, |row| groups[row], filter, total)?)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let states = emit_to.take_needed(&mut self.states);
        Ok(self.results(states.iter().map(Option::as_ref))?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = emit_to.take_needed(&mut self.states);
        Ok(vec![column(self.kind, states.iter().map(Option::as_ref))?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        Ok(self.merge_states(&states[0], |row| groups[row], None, total)?)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let each = self.each(values, filter)?;
        Ok(vec![column(self.kind, each.states.iter().map(Option::as_ref))?])
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

/// The state of a window that slides: a queue of two stacks, so that nothing has to be taken out of a state.
///
/// ```text
/// leaving    [ a+b+c, b+c, c ]      the oldest on top of one stack, merged with all that came after it
/// entered    [ d, e ]               the newest, and `total` = d+e
/// ```
#[derive(Debug)]
struct Window {
    /// Makes states of rows.
    rows: Groups,
    /// The oldest last.
    leaving: Vec<Option<State>>,
    /// The newest last.
    entered: Vec<Option<State>>,
    total: Option<State>,
}

impl Accumulator for Window {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for state in self.rows.each(values, None)?.states {
            merge(&mut self.total, &state)?;
            self.entered.push(state);
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for _ in 0..values[0].len() {
            if self.leaving.is_empty() {
                let mut after = None;
                while let Some(mut state) = self.entered.pop() {
                    merge(&mut state, &after)?;
                    self.leaving.push(state.clone());
                    after = state;
                }
                self.total = None;
            }
            self.leaving.pop();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut state = self.leaving.last().cloned().flatten();
        merge(&mut state, &self.total)?;
        ScalarValue::try_from_array(&self.rows.results(std::iter::once(state.as_ref()))?, 0)
    }

    fn size(&self) -> usize {
        let states = self.leaving.iter().chain(&self.entered).flatten();
        size_of::<Self>() + states.map(State::size).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        Err(Error::internal("the state of a window is merged").into())
    }
}
