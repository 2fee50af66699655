//! `counter_agg`, `gauge_agg` and `time_weight`, whose points have to be in order.
//!
//! Their result can be merged with that of another time only, so a continuous aggregate keeps the points.

use super::value::series::{Between, Changes, Point, TimeWeight, in_order};
use super::value::{Kind, State, column};
use crate::operator::operand::{is_number, taken_as, type_name};
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// The aggregates.
pub fn functions() -> Vec<Arc<AggregateUDF>> {
    let declare = |name, kind| {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(AggregateUDF::from(PointsAggregate { name, kind, signature }))
    };
    vec![
        declare("counter_agg", Kind::Counter),
        declare("gauge_agg", Kind::Gauge),
        declare("time_weight", Kind::TimeWeight),
    ]
}

/// Whether an aggregate is one of these.
pub fn is_of_points(func: &AggregateUDF) -> bool {
    func.inner().downcast_ref::<PointsAggregate>().is_some()
}

/// The type in which times of a type are taken; `None` when it is no time.
pub fn time_type(data_type: &DataType) -> Option<DataType> {
    let time = matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Null);
    time.then(|| DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PointsAggregate {
    name: &'static str,
    kind: Kind,
    signature: Signature,
}

impl PointsAggregate {
    fn takes(&self, types: &[DataType]) -> Option<Vec<DataType>> {
        let number = |t: &DataType| (is_number(t) || t.is_null()).then_some(DataType::Float64);
        let text = |t: &DataType| {
            matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View).then_some(DataType::Utf8)
        };
        match (self.kind, types) {
            (Kind::TimeWeight, [method, time, value]) => Some(vec![text(method)?, time_type(time)?, number(value)?]),
            (Kind::Counter | Kind::Gauge, [time, value]) => Some(vec![time_type(time)?, number(value)?]),
            _ => None,
        }
    }
}

impl AggregateUDFImpl for PointsAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        // DataFusion would put the error into words of its own; the one of `return_type` it passes on.
        Ok(self.takes(types).map_or_else(|| types.to_vec(), |taken| taken_as(types, taken)))
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        if self.takes(types).is_some() {
            return Ok(self.kind.data_type());
        }
        Err(Error::no_function(self.name, types.iter().map(type_name)).into())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> DfResult<Vec<FieldRef>> {
        let method = Field::new(format_state_name(args.name, "method"), DataType::Utf8, true);
        let points = Field::new(format_state_name(args.name, "points"), DataType::Binary, true);
        Ok(vec![Arc::new(method), Arc::new(points)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> DfResult<Box<dyn Accumulator>> {
        if args.is_distinct {
            return Err(Error::unsupported(format!("DISTINCT is not supported for {}", self.name)).into());
        }
        Ok(Box::new(Points { kind: self.kind, method: None, rows: Vec::new(), slides: false }))
    }

    fn create_sliding_accumulator(&self, _: AccumulatorArgs) -> DfResult<Box<dyn Accumulator>> {
        Ok(Box::new(Points { kind: self.kind, method: None, rows: Vec::new(), slides: true }))
    }
}

/// The points so far.
#[derive(Debug)]
struct Points {
    kind: Kind,
    /// Of `time_weight`.
    method: Option<String>,
    /// Points as they came; of a window that slides also the rows without one.
    rows: Vec<Option<Point>>,
    slides: bool,
}

impl Points {
    fn add(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [others @ .., times, numbers] = values else {
            return Err(Error::internal("a point has a time and a value"));
        };
        let (times, numbers) =
            (times.as_primitive::<TimestampMicrosecondType>(), numbers.as_primitive::<Float64Type>());
        for row in 0..times.len() {
            let method = others.first().map(|m| m.as_string::<i32>());
            let whole = times.is_valid(row) && numbers.is_valid(row) && method.is_none_or(|m| m.is_valid(row));
            if whole && let Some(method) = method {
                let method = method.value(row);
                match &self.method {
                    Some(known) if known != method => {
                        return Err(Error::invalid_parameter("the method of time_weight must not change between rows"));
                    }
                    Some(_) => {}
                    None => self.method = Some(method.to_owned()),
                }
            }
            let point = whole.then(|| Point { time: times.value(row), value: numbers.value(row) });
            if point.is_some() || self.slides {
                self.rows.push(point);
            }
        }
        Ok(())
    }

    fn result(&self) -> Result<Option<State>> {
        let points = in_order(self.rows.iter().flatten().copied().collect());
        Ok(match (self.kind, &self.method) {
            (Kind::Counter, _) => Changes::of(true, &points).map(State::Counter),
            (Kind::Gauge, _) => Changes::of(false, &points).map(State::Gauge),
            (_, Some(method)) => TimeWeight::of(Between::of(method)?, &points).map(State::TimeWeight),
            (_, None) => None,
        })
    }
}

impl Accumulator for Points {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        Ok(self.add(values)?)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DfResult<()> {
        self.rows.drain(..values[0].len().min(self.rows.len()));
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.slides
    }

    fn evaluate(&mut self) -> DfResult<ScalarValue> {
        let state = self.result()?;
        ScalarValue::try_from_array(&column(self.kind, std::iter::once(state.as_ref()))?, 0)
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.rows.capacity() * size_of::<Option<Point>>()
    }

    fn state(&mut self) -> DfResult<Vec<ScalarValue>> {
        let points = self.rows.iter().flatten();
        let bytes = points.flat_map(|p| [p.time.to_le_bytes(), p.value.to_bits().to_le_bytes()]).flatten().collect();
        Ok(vec![ScalarValue::Utf8(self.method.clone()), ScalarValue::Binary(Some(bytes))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DfResult<()> {
        let (methods, points) = (states[0].as_string::<i32>(), states[1].as_binary::<i32>());
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("a chunk has eight bytes"));
        for row in 0..points.len() {
            let chunks = points.value(row).chunks_exact(16);
            let read = chunks.map(|p| Some(Point { time: word(&p[..8]) as i64, value: f64::from_bits(word(&p[8..])) }));
            self.rows.extend(read);
            if methods.is_valid(row) {
                self.method = Some(methods.value(row).to_owned());
            }
        }
        Ok(())
    }
}
