//! The functions over shared states as DataFusion calls them.

use super::groups::Stats;
use super::numbers::Numbers;
use super::{Kind, Needs};
use crate::Error;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, EmitTo, GroupsAccumulator, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use highwater_store::schema::{column_type, comparable};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What a function takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Rows to a finished value.
    Finish(Kind),
    /// Rows to components.
    State,
    /// Components to components, of these numbers.
    Merge(Numbers),
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct StatsFunction {
    name: String,
    aliases: Vec<String>,
    mode: Mode,
    needs: Needs,
    signature: Signature,
}

impl StatsFunction {
    pub fn aggregate(name: &str, aliases: &[&str], mode: Mode, needs: Needs) -> Arc<AggregateUDF> {
        Arc::new(AggregateUDF::new_from_impl(StatsFunction {
            name: name.to_owned(),
            aliases: aliases.iter().map(|a| (*a).to_owned()).collect(),
            mode,
            needs,
            signature: Signature::new(TypeSignature::UserDefined, Volatility::Immutable),
        }))
    }

    fn numbers(&self, types: &[DataType]) -> Result<Numbers> {
        match (self.mode, types.first()) {
            (Mode::Merge(numbers), _) => Ok(numbers),
            (_, Some(data_type)) => Numbers::of(data_type).ok_or_else(|| self.no_such(types).into()),
            (_, None) => Err(self.no_such(types).into()),
        }
    }

    fn no_such(&self, types: &[DataType]) -> Error {
        let name = |t: &DataType| column_type(t).map_or_else(|| t.to_string(), |t| t.to_string());
        Error::no_function(&self.name, types.iter().map(name))
    }

    fn accumulators(&self, args: &AccumulatorArgs<'_>) -> Result<Stats> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|f| f.data_type().clone()).collect();
        Ok(Stats::new(self.numbers(&types)?, self.needs))
    }
}

impl AggregateUDFImpl for StatsFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if matches!(self.mode, Mode::Merge(_)) {
            return Ok(types.to_vec());
        }
        match types {
            [DataType::Int8 | DataType::UInt8] => Ok(vec![DataType::Int16]),
            [DataType::UInt16] => Ok(vec![DataType::Int32]),
            [DataType::UInt32 | DataType::UInt64] => Ok(vec![DataType::Int64]),
            [DataType::Null] => Ok(vec![DataType::Float64]),
            [one] if Numbers::of(one).is_some() => Ok(vec![one.clone()]),
            _ => Err(self.no_such(types).into()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let numbers = self.numbers(types)?;
        Ok(match self.mode {
            Mode::Finish(kind) => numbers.finished_type(kind),
            Mode::State | Mode::Merge(_) => struct_type(numbers, self.needs),
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if args.is_distinct {
            let item = Field::new("item", args.input_fields[0].data_type().clone(), true);
            return Ok(vec![Arc::new(Field::new(
                format!("{}_values", args.name),
                DataType::List(Arc::new(item)),
                true,
            ))]);
        }
        let types: Vec<DataType> = args.input_fields.iter().map(|f| f.data_type().clone()).collect();
        let components = self.numbers(&types)?.components(self.needs);
        Ok(components
            .into_iter()
            .map(|(c, t)| Arc::new(Field::new(format!("{}_{c}", args.name), t, true)) as FieldRef)
            .collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let mut stats = self.accumulators(&args)?;
        stats.grow(1);
        let distinct = args.is_distinct.then(HashMap::new);
        Ok(Box::new(OneGroup { stats, mode: self.mode, distinct, window: None }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let mut stats = self.accumulators(&args)?;
        stats.grow(1);
        Ok(Box::new(OneGroup { stats, mode: self.mode, distinct: None, window: Some(VecDeque::new()) }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ManyGroups { stats: self.accumulators(&args)?, mode: self.mode }))
    }
}

fn struct_type(numbers: Numbers, needs: Needs) -> DataType {
    DataType::Struct(numbers.components(needs).into_iter().map(|(c, t)| Field::new(c, t, true)).collect::<Fields>())
}

fn output(stats: &Stats, mode: Mode) -> Result<ArrayRef> {
    match mode {
        Mode::Finish(kind) => stats.finish(kind),
        Mode::State | Mode::Merge(_) => {
            let DataType::Struct(fields) = struct_type(stats.numbers, stats.needs) else {
                unreachable!("it is a struct")
            };
            Ok(Arc::new(StructArray::try_new(fields, stats.arrays()?, None)?))
        }
    }
}

/// All groups of a GROUP BY.
#[derive(Debug)]
struct ManyGroups {
    stats: Stats,
    mode: Mode,
}

impl GroupsAccumulator for ManyGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.stats.grow(total);
        match self.mode {
            Mode::Merge(_) => self.stats.merge(values, groups, filter),
            _ => self.stats.update(&values[0], groups, filter),
        }
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.stats.grow(total);
        self.stats.merge(values, groups, None)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        output(&self.stats.take(emit), self.mode)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.stats.take(emit).arrays()
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        // Each row is a group of its own.
        let rows = values[0].len();
        let groups: Vec<usize> = (0..rows).collect();
        let mut each = ManyGroups { stats: self.stats.anew(), mode: self.mode };
        each.update_batch(values, &groups, filter, rows)?;
        each.stats.arrays()
    }

    fn size(&self) -> usize {
        self.stats.size()
    }
}

/// No GROUP BY, DISTINCT, or a window.
#[derive(Debug)]
struct OneGroup {
    stats: Stats,
    mode: Mode,
    /// The values that came already; of equal numbers the first.
    distinct: Option<HashMap<ScalarValue, ScalarValue>>,
    /// The rows in the frame, for a window that slides. Rows leave in the order in which they came, and the
    /// state is made anew from those that stay: floats, minima and maxima cannot be taken back exactly.
    window: Option<VecDeque<ArrayRef>>,
}

impl OneGroup {
    fn add(&mut self, values: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; values[0].len()];
        match self.mode {
            Mode::Merge(_) => self.stats.merge(values, &groups, None),
            _ => self.stats.update(&values[0], &groups, None),
        }
    }
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if let Some(seen) = &mut self.distinct {
            let keys = comparable(&values[0]);
            let mut is_fresh = |i: usize| {
                let key = ScalarValue::try_from_array(&keys, i)?;
                if key.is_null() || seen.contains_key(&key) {
                    return Ok(Some(false));
                }
                seen.insert(key, ScalarValue::try_from_array(&values[0], i)?);
                Ok(Some(true))
            };
            let fresh: BooleanArray = (0..values[0].len()).map(&mut is_fresh).collect::<Result<_>>()?;
            let fresh = arrow::compute::filter(&values[0], &fresh)?;
            return self.add(&[fresh]);
        }
        if let Some(window) = &mut self.window {
            window.push_back(values[0].clone());
        }
        self.add(values)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(window) = &mut self.window else { return Err(Error::internal("no window slides here").into()) };
        let mut left = values[0].len();
        while left > 0 {
            let Some(first) = window.pop_front() else { break };
            if first.len() > left {
                window.push_front(first.slice(left, first.len() - left));
                left = 0;
            } else {
                left -= first.len();
            }
        }
        let rows: Vec<ArrayRef> = window.iter().cloned().collect();
        self.stats = self.stats.anew();
        self.stats.grow(1);
        rows.iter().try_for_each(|row| self.add(std::slice::from_ref(row)))
    }

    fn supports_retract_batch(&self) -> bool {
        self.window.is_some()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        if self.distinct.is_some() {
            for list in states[0].as_list::<i32>().iter().flatten() {
                self.update_batch(&[list])?;
            }
            return Ok(());
        }
        let groups = vec![0; states[0].len()];
        self.stats.merge(states, &groups, None)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        if let Some(seen) = &self.distinct {
            let item = self.stats.numbers.value_type();
            let values: Vec<ScalarValue> = seen.values().cloned().collect();
            return Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &item))]);
        }
        self.stats.arrays()?.iter().map(|a| ScalarValue::try_from_array(a, 0)).collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&output(&self.stats, self.mode)?, 0)
    }

    fn size(&self) -> usize {
        self.stats.size() + size_of::<Self>()
    }
}

/// The components that a value needs, to the value.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct FinalFunction {
    pub numbers: Numbers,
    pub kind: Kind,
    pub signature: Signature,
}

impl ScalarUDFImpl for FinalFunction {
    fn name(&self) -> &str {
        "stats_final"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.numbers.finished_type(self.kind))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let stats = Stats::of_components(self.numbers, self.kind.needs(), &arrays)?;
        Ok(ColumnarValue::Array(stats.finish(self.kind)?))
    }
}
