//! `percentile_cont`, `percentile_disc` and `mode`, which sort their input.
//!
//! ```text
//! percentile_cont(0.25) WITHIN GROUP (ORDER BY x)      between two values
//! percentile_disc(0.25) WITHIN GROUP (ORDER BY x)      one of the values
//! percentile_disc(ARRAY[0.25, 0.5]) WITHIN GROUP (…)   several at once
//! ```

use crate::error::Error;
use crate::operator::operand::{Kind, interval, taken_as};
use crate::text::read::{interval_from_arrow, interval_to_arrow};
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, RecordBatch, RecordBatchOptions, make_comparator, new_null_array,
};
use arrow::compute::{SortOptions, concat, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, IntervalMonthDayNanoType, Schema};
use datafusion::common::ScalarValue;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, Volatility};
use highwater_store::schema::comparable;
use std::sync::Arc;

/// `percentile_cont(fraction) WITHIN GROUP (ORDER BY double precision or interval)`
pub fn percentile_cont() -> Arc<AggregateUDF> {
    declare(What::Cont)
}

/// `percentile_disc(fraction) WITHIN GROUP (ORDER BY any)`
pub fn percentile_disc() -> Arc<AggregateUDF> {
    declare(What::Disc)
}

/// `mode() WITHIN GROUP (ORDER BY any)`
pub fn mode() -> Arc<AggregateUDF> {
    declare(What::Mode)
}

fn declare(what: What) -> Arc<AggregateUDF> {
    // Whoever registers functions by their aliases as well must not find DataFusion's again.
    let aliases = if what == What::Cont { vec!["quantile_cont".to_owned()] } else { Vec::new() };
    Arc::new(AggregateUDF::from(OrderedSet {
        what,
        aliases,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Cont,
    Disc,
    Mode,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OrderedSet {
    what: What,
    aliases: Vec<String>,
    signature: Signature,
}

fn list_of(item: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item.clone(), true)))
}

fn is_list(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

impl AggregateUDFImpl for OrderedSet {
    fn name(&self) -> &str {
        match self.what {
            What::Cont => "percentile_cont",
            What::Disc => "percentile_disc",
            What::Mode => "mode",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let wrong = || {
            let names: Vec<String> = types.iter().map(crate::operator::operand::type_name).collect();
            Error::new("42883", format!("function {}({}) does not exist", self.name(), names.join(", ")))
        };
        let value = match (self.what, Kind::of(types.first().ok_or_else(wrong)?)) {
            (What::Cont, Kind::Interval) => interval(),
            (What::Cont, kind) if kind.is_number() || kind == Kind::Unknown => DataType::Float64,
            (What::Cont, _) => return Err(wrong().into()),
            _ => types[0].clone(),
        };
        let taken = match (self.what, types) {
            (What::Mode, [_]) => vec![value],
            (What::Cont | What::Disc, [_, fraction]) if is_list(fraction) => vec![value, list_of(&DataType::Float64)],
            (What::Cont | What::Disc, [_, _]) => vec![value, DataType::Float64],
            _ => return Err(wrong().into()),
        };
        Ok(taken_as(types, taken))
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(if types.get(1).is_some_and(is_list) { list_of(&types[0]) } else { types[0].clone() })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let values = list_of(args.input_fields[0].data_type());
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "values"), values, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let fractions = match args.exprs.get(1) {
            None => Fractions::One(Some(0.0)),
            Some(expr) => {
                // The fraction is the same for all rows, so it can be asked without any.
                let row = RecordBatch::try_new_with_options(
                    Arc::new(Schema::empty()),
                    vec![],
                    &RecordBatchOptions::new().with_row_count(Some(1)),
                )?;
                match expr.evaluate(&row) {
                    Ok(ColumnarValue::Scalar(value)) => Fractions::new(&value)?,
                    Ok(ColumnarValue::Array(array)) => Fractions::new(&ScalarValue::try_from_array(&array, 0)?)?,
                    Err(_) => {
                        let message = "direct arguments of an ordered-set aggregate must be constant";
                        return Err(Error::unsupported(message).into());
                    }
                }
            }
        };
        Ok(Box::new(Values {
            what: self.what,
            descending: args.order_bys.first().is_some_and(|o| o.options.descending),
            fractions,
            value_type: args.expr_fields[0].data_type().clone(),
            chunks: Vec::new(),
            doubles: Vec::new(),
        }))
    }
}

/// The fraction, or a list of them; NULL gives NULL.
#[derive(Clone, Debug)]
enum Fractions {
    One(Option<f64>),
    List(Option<Vec<Option<f64>>>),
}

impl Fractions {
    fn new(value: &ScalarValue) -> Result<Self> {
        let check = |fraction: Option<f64>| match fraction {
            Some(f) if !(0.0..=1.0).contains(&f) => {
                Err(Error::new("22003", format!("percentile value {f} is not between 0 and 1")))
            }
            other => Ok(other),
        };
        let array = value.to_array()?;
        if let Some(list) = array.as_list_opt::<i32>() {
            if list.is_null(0) {
                return Ok(Fractions::List(None));
            }
            let items = arrow::compute::cast(&list.value(0), &DataType::Float64)?;
            let items = items.as_primitive::<Float64Type>().iter().map(check);
            return Ok(Fractions::List(Some(items.collect::<crate::Result<_>>()?)));
        }
        let array = arrow::compute::cast(&array, &DataType::Float64)?;
        let array = array.as_primitive::<Float64Type>();
        Ok(Fractions::One(check(array.is_valid(0).then(|| array.value(0)))?))
    }
}

/// The values so far; those of `double precision` as plain numbers.
#[derive(Debug)]
struct Values {
    what: What,
    descending: bool,
    fractions: Fractions,
    value_type: DataType,
    chunks: Vec<ArrayRef>,
    doubles: Vec<f64>,
}

impl Values {
    fn add(&mut self, values: &ArrayRef) -> Result<()> {
        if self.value_type == DataType::Float64 {
            let values = values.as_primitive::<Float64Type>();
            match values.null_count() {
                0 => self.doubles.extend_from_slice(values.values()),
                _ => self.doubles.extend(values.iter().flatten()),
            }
            return Ok(());
        }
        let values = match values.logical_nulls() {
            Some(nulls) if nulls.null_count() > 0 => {
                arrow::compute::filter(values, &arrow::array::BooleanArray::new(nulls.into_inner(), None))?
            }
            _ => Arc::clone(values),
        };
        if !values.is_empty() {
            self.chunks.push(values);
        }
        Ok(())
    }

    /// All values, sorted.
    fn sorted(&mut self) -> Result<ArrayRef> {
        if self.value_type == DataType::Float64 {
            // NaN is greater than every number.
            let order = |a: &f64, b: &f64| a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
            match self.descending {
                false => self.doubles.sort_unstable_by(order),
                true => self.doubles.sort_unstable_by(|a, b| order(b, a)),
            }
            return Ok(Arc::new(Float64Array::from(std::mem::take(&mut self.doubles))));
        }
        if self.chunks.is_empty() {
            return Ok(new_null_array(&self.value_type, 0));
        }
        let chunks: Vec<&dyn Array> = self.chunks.iter().map(|c| c.as_ref()).collect();
        let all = concat(&chunks)?;
        let options = SortOptions { descending: self.descending, nulls_first: false };
        Ok(take(&all, &sort_to_indices(&all, Some(options), None)?, None)?)
    }

    fn percentile(&self, sorted: &ArrayRef, fraction: Option<f64>) -> Result<ScalarValue> {
        let (Some(fraction), count @ 1..) = (fraction, sorted.len()) else {
            return ScalarValue::try_from(&self.value_type);
        };
        if self.what == What::Disc {
            let row = (fraction * count as f64).ceil() as usize;
            return ScalarValue::try_from_array(sorted, row.max(1) - 1);
        }
        let place = fraction * (count - 1) as f64;
        let (low, high, part) = (place.floor() as usize, place.ceil() as usize, place - place.floor());
        Ok(match &self.value_type {
            DataType::Interval(_) => {
                let values = sorted.as_primitive::<IntervalMonthDayNanoType>();
                let (low, high) = (interval_from_arrow(values.value(low)), interval_from_arrow(values.value(high)));
                let step = high.checked_sub(&low).and_then(|d| d.checked_mul(part)).map_err(Error::from)?;
                let between = low.checked_add(&step).map_err(Error::from)?;
                ScalarValue::IntervalMonthDayNano(Some(interval_to_arrow(&between)?))
            }
            _ => {
                let values = sorted.as_primitive::<Float64Type>();
                let (low, high) = (values.value(low), values.value(high));
                // Between two equal infinities there is no way to go.
                ScalarValue::Float64(Some(if low == high { low } else { low + part * (high - low) }))
            }
        })
    }

    /// The value that comes most often, of several the first.
    fn mode(&self, sorted: &ArrayRef) -> Result<ScalarValue> {
        if sorted.is_empty() {
            return ScalarValue::try_from(&self.value_type);
        }
        let keys = comparable(sorted);
        let compare = make_comparator(&keys, &keys, SortOptions::default())?;
        let (mut best, mut longest, mut start) = (0, 0, 0);
        for row in 1..=sorted.len() {
            if row == sorted.len() || compare(start, row).is_ne() {
                if row - start > longest {
                    (best, longest) = (start, row - start);
                }
                start = row;
            }
        }
        ScalarValue::try_from_array(sorted, best)
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sorted = self.sorted()?;
        if self.what == What::Mode {
            return self.mode(&sorted);
        }
        match &self.fractions {
            Fractions::One(fraction) => self.percentile(&sorted, *fraction),
            Fractions::List(None) => ScalarValue::try_from(&list_of(&self.value_type)),
            Fractions::List(Some(_)) if sorted.is_empty() => ScalarValue::try_from(&list_of(&self.value_type)),
            Fractions::List(Some(fractions)) => {
                let items = fractions.iter().map(|f| self.percentile(&sorted, *f)).collect::<Result<Vec<_>>>()?;
                let items = match items.is_empty() {
                    true => new_null_array(&self.value_type, 0),
                    false => ScalarValue::iter_to_array(items)?,
                };
                Ok(list(items, &self.value_type))
            }
        }
    }

    fn size(&self) -> usize {
        // Chunks of many groups share the buffers of the batch that they came in.
        let own = |chunk: &ArrayRef| size_of::<ArrayRef>() + chunk.to_data().get_slice_memory_size().unwrap_or(0);
        let chunks: usize = self.chunks.iter().map(own).sum();
        size_of::<Self>() + chunks + self.doubles.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = if self.value_type == DataType::Float64 {
            Arc::new(Float64Array::from(std::mem::take(&mut self.doubles))) as ArrayRef
        } else if self.chunks.is_empty() {
            new_null_array(&self.value_type, 0)
        } else {
            let chunks: Vec<&dyn Array> = self.chunks.iter().map(|c| c.as_ref()).collect();
            concat(&chunks)?
        };
        Ok(vec![list(values, &self.value_type)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in states[0].as_list::<i32>().iter().flatten() {
            self.add(&values)?;
        }
        Ok(())
    }
}

fn list(items: ArrayRef, item: &DataType) -> ScalarValue {
    SingleRowListArrayBuilder::new(items).with_field(&Field::new("item", item.clone(), true)).build_list_scalar()
}
