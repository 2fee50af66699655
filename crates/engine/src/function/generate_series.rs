//! `generate_series` as a table.
//!
//! ```text
//! FROM generate_series(1, 3)                                   integers, numerics
//! FROM generate_series(now() - interval '1 day', now(), '1 hour')   timestamps, by months and days in the session's zone
//! ```

use super::common::common_type;
use super::context::clockface;
use crate::error::{Error, Result};
use crate::operator::cast::cast_value;
use crate::operator::exact;
use crate::operator::operand::{Kind, UNBOUNDED, interval, timestamptz, type_name};
use crate::text::read::{interval_from_arrow, parse_scalar};
use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::TableType;
use datafusion::error::Result as DfResult;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::memory::{LazyBatchGenerator, LazyMemoryExec};
use highwater_model::time::{Clockface, Zone, timestamptz_plus_interval};
use highwater_model::{Interval, Numeric};
use parking_lot::RwLock;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// The table of a call.
///
/// # Errors
/// 42883 when the arguments are of the wrong types, 22023 when the step is zero.
pub fn generate_series(args: &[ScalarValue], state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let clock = clockface(state.config_options())?;
    let (data_type, steps) = steps(args, &clock)?;
    let schema = Arc::new(Schema::new(vec![Field::new("generate_series", data_type, true)]));
    Ok(Arc::new(Series { schema, steps }))
}

/// From where to where, and how.
#[derive(Clone, Debug)]
enum Steps {
    Empty,
    Number { at: i128, end: i128, step: i128 },
    Numeric { at: Numeric, end: Numeric, step: Numeric },
    Time { at: i64, end: i64, step: Interval, zone: Zone },
}

impl Steps {
    /// The next value.
    fn next(&mut self) -> Result<Option<i128>> {
        match self {
            Steps::Empty | Steps::Numeric { .. } => Ok(None),
            Steps::Number { at, end, step } => {
                if (*step > 0 && at > end) || (*step < 0 && at < end) {
                    return Ok(None);
                }
                let value = *at;
                *at = at.saturating_add(*step);
                Ok(Some(value))
            }
            Steps::Time { at, end, step, zone } => {
                let forward = step.approx_micros() > 0;
                if (forward && at > end) || (!forward && at < end) {
                    return Ok(None);
                }
                let value = *at;
                let next = timestamptz_plus_interval(*at, step, zone)?;
                // An infinite time stays where it is; it comes once.
                if next == value {
                    *self = Steps::Empty;
                } else {
                    *at = next;
                }
                Ok(Some(value.into()))
            }
        }
    }
}

impl Steps {
    /// The next number, of a series of them.
    fn next_number(&mut self) -> Result<Option<Numeric>> {
        let Steps::Numeric { at, end, step } = self else { return Ok(None) };
        if (step.signum() > 0 && at > end) || (step.signum() < 0 && at < end) {
            return Ok(None);
        }
        let next = at.add(step)?;
        Ok(Some(std::mem::replace(at, next)))
    }
}

/// A series of numbers that are not integers.
fn numbers(args: &[ScalarValue], read: impl Fn(&ScalarValue) -> Result<Option<Numeric>>) -> Result<Steps> {
    let one = |_| Ok(Some(Numeric::from(1)));
    let parts = [("start value", read(&args[0])), ("stop value", read(&args[1]))];
    let parts = parts.into_iter().chain([("step size", args.get(2).map_or_else(|| one(()), read))]);
    let mut values = Vec::with_capacity(3);
    for (name, value) in parts {
        let wrong = |what: &str| Err(Error::invalid_parameter(format!("{name} cannot be {what}")));
        match value? {
            None => return Ok(Steps::Empty),
            Some(value) if value.is_nan() => return wrong("NaN"),
            Some(value) if value.is_infinite() => return wrong("infinity"),
            Some(value) => values.push(value),
        }
    }
    match <[Numeric; 3]>::try_from(values) {
        Ok([_, _, step]) if step.signum() == 0 => Err(Error::invalid_parameter("step size cannot equal zero")),
        Ok([at, end, step]) => Ok(Steps::Numeric { at, end, step }),
        Err(_) => Ok(Steps::Empty),
    }
}

fn steps(args: &[ScalarValue], clock: &Clockface) -> Result<(DataType, Steps)> {
    let types: Vec<DataType> = args.iter().map(ScalarValue::data_type).collect();
    let wrong = || Error::no_function("generate_series", types.iter().map(type_name));
    if !(2..=3).contains(&args.len()) {
        return Err(wrong());
    }
    let ends = common_type(&types[..2], "generate_series", true).map_err(|_| wrong())?;
    let read = |value: &ScalarValue, target: &DataType| -> Result<ScalarValue> {
        match value {
            ScalarValue::Utf8(Some(text)) => parse_scalar(text, target, clock),
            other => match cast_value(&ColumnarValue::Scalar(other.clone()), target, clock)? {
                ColumnarValue::Scalar(value) => Ok(value),
                ColumnarValue::Array(array) => Ok(ScalarValue::try_from_array(&array, 0)?),
            },
        }
    };
    let kind = Kind::of(&ends);
    if kind.is_number() {
        let all = common_type(&types, "generate_series", true).map_err(|_| wrong())?;
        let out = match Kind::of(&all) {
            Kind::SmallInt | Kind::Integer => DataType::Int32,
            Kind::BigInt => DataType::Int64,
            Kind::Numeric => {
                let number = |value: &ScalarValue| match read(value, &UNBOUNDED)? {
                    ScalarValue::LargeBinary(bytes) => bytes.map(|bytes| exact::read(&bytes)).transpose(),
                    _ => Err(wrong()),
                };
                return Ok((UNBOUNDED, numbers(args, number)?));
            }
            _ => return Err(wrong()),
        };
        let number = |value: &ScalarValue| -> Result<Option<i128>> {
            Ok(match read(value, &out)? {
                ScalarValue::Int32(value) => value.map(i128::from),
                ScalarValue::Int64(value) => value.map(i128::from),
                _ => return Err(wrong()),
            })
        };
        let step = args.get(2).map_or(Ok(Some(1)), number)?;
        let steps = match (number(&args[0])?, number(&args[1])?, step) {
            (_, _, Some(0)) => return Err(Error::invalid_parameter("step size cannot equal zero")),
            (Some(at), Some(end), Some(step)) => Steps::Number { at, end, step },
            _ => Steps::Empty,
        };
        return Ok((out, steps));
    }
    let out = match kind {
        Kind::Timestamp => ends,
        // A date becomes the preferred of the types it can become.
        Kind::Timestamptz | Kind::Date => timestamptz(),
        _ => return Err(wrong()),
    };
    let Some(step) = args.get(2) else { return Err(wrong()) };
    let time = |value: &ScalarValue| -> Result<Option<i64>> {
        match read(value, &out)? {
            ScalarValue::TimestampMicrosecond(value, _) => Ok(value),
            _ => Err(wrong()),
        }
    };
    let step = match read(step, &interval())? {
        ScalarValue::IntervalMonthDayNano(step) => step.map(interval_from_arrow),
        _ => return Err(wrong()),
    };
    let zone = if out == timestamptz() { clock.zone } else { Zone::UTC };
    let steps = match (time(&args[0])?, time(&args[1])?, step) {
        (_, _, Some(step)) if step.approx_micros() == 0 => {
            return Err(Error::invalid_parameter("step size cannot equal zero"));
        }
        (Some(at), Some(end), Some(step)) => Steps::Time { at, end, step, zone },
        _ => Steps::Empty,
    };
    Ok((out, steps))
}

#[derive(Debug)]
struct Series {
    schema: SchemaRef,
    steps: Steps,
}

#[async_trait]
impl TableProvider for Series {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let generator = Generator {
            schema: Arc::clone(&self.schema),
            rest: self.steps.clone(),
            all: self.steps.clone(),
            rows: session.config_options().execution.batch_size.get(),
        };
        let plan = LazyMemoryExec::try_new(Arc::clone(&self.schema), vec![Arc::new(RwLock::new(generator))])?;
        Ok(Arc::new(plan.with_projection(projection.cloned())))
    }
}

/// Makes the rows a batch at a time.
#[derive(Clone, Debug)]
struct Generator {
    schema: SchemaRef,
    rest: Steps,
    all: Steps,
    rows: usize,
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("generate_series")
    }
}

impl LazyBatchGenerator for Generator {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn generate_next_batch(&mut self) -> DfResult<Option<RecordBatch>> {
        if let Steps::Numeric { .. } = self.rest {
            let numbers = std::iter::from_fn(|| self.rest.next_number().transpose()).take(self.rows);
            let column = exact::column(numbers.map(|number| number.map(Some)))?;
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), vec![column])?;
            return Ok(Some(batch).filter(|batch| batch.num_rows() > 0));
        }
        let mut values = Vec::with_capacity(self.rows.min(8192));
        while values.len() < self.rows
            && let Some(value) = self.rest.next()?
        {
            values.push(value);
        }
        if values.is_empty() {
            return Ok(None);
        }
        let data_type = self.schema.field(0).data_type();
        // The values were made within the limits of their type.
        let column: ArrayRef = match data_type {
            DataType::Int32 => Arc::new(values.into_iter().map(|v| v as i32).collect::<Int32Array>()),
            DataType::Int64 => Arc::new(values.into_iter().map(|v| v as i64).collect::<Int64Array>()),
            _ => {
                let times = values.into_iter().map(|v| Some(v as i64)).collect::<TimestampMicrosecondArray>();
                Arc::new(times.with_data_type(data_type.clone()))
            }
        };
        Ok(Some(RecordBatch::try_new(Arc::clone(&self.schema), vec![column])?))
    }

    fn reset_state(&self) -> Arc<RwLock<dyn LazyBatchGenerator>> {
        Arc::new(RwLock::new(Generator { rest: self.all.clone(), ..self.clone() }))
    }
}
