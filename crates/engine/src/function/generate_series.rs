//! `generate_series(start, stop [, step])` over integers, numerics, timestamps.
//!
//! The rows are made as they are read, so a long series takes no memory.

use crate::function::context::clockface;
use crate::text::read::interval_from_arrow;
use crate::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use highwater_model::Interval;
use highwater_model::time::{Zone, timestamp_plus_interval, timestamptz_plus_interval};
use std::cmp::Ordering;
use std::sync::Arc;

const BATCH_ROWS: usize = 8192;

/// The table function.
#[derive(Debug)]
pub struct GenerateSeries;

impl TableFunctionImpl for GenerateSeries {
    fn call_with_args(&self, args: TableFunctionArgs) -> DfResult<Arc<dyn TableProvider>> {
        let values = args.exprs().iter().map(|e| match e {
            Expr::Literal(value, _) => Ok(value.clone()),
            other => Err(Error::unsupported(format!("generate_series needs constants, not {other}"))),
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        let zone = clockface(args.session().config_options())?.zone;
        let series = Series::new(&values, zone)?;
        let schema = series.schema();
        Ok(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(series)])?))
    }
}

/// What the series runs over.
#[derive(Clone, Copy, Debug)]
enum Step {
    Number(i128),
    Local(Interval),
    Zoned(Interval),
}

#[derive(Clone, Debug)]
struct Series {
    data_type: DataType,
    /// `None` when an argument is NULL: no rows.
    bounds: Option<(i128, i128)>,
    step: Step,
    zone: Zone,
    schema: SchemaRef,
}

impl Series {
    fn new(values: &[ScalarValue], zone: Zone) -> Result<Self> {
        let types: Vec<DataType> = values.iter().map(ScalarValue::data_type).collect();
        let wrong = || {
            let names: Vec<String> = types
                .iter()
                .map(|t| highwater_store::schema::column_type(t).map_or_else(|| "unknown".to_owned(), |t| t.to_string()))
                .collect();
            Error::new("42883", format!("function generate_series({}) does not exist", names.join(", ")))
        };
        let (start, stop, step) = match values {
            [start, stop] => (start, stop, None),
            [start, stop, step] => (start, stop, Some(step)),
            _ => return Err(wrong()),
        };
        let first = if start.is_null() { stop.data_type() } else { start.data_type() };
        let data_type = match (&first, stop.data_type()) {
            (DataType::Int16 | DataType::Int32, DataType::Int16 | DataType::Int32 | DataType::Null) => DataType::Int32,
            (DataType::Int16 | DataType::Int32 | DataType::Int64, DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Null) => DataType::Int64,
            (DataType::Timestamp(_, zone), _) => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, zone.clone()),
            (DataType::Date32, _) => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())),
            (DataType::Decimal128(p, s), _) => DataType::Decimal128(*p, *s),
            _ => return Err(wrong()),
        };
        let number = |value: &ScalarValue| -> Result<Option<i128>> {
            Ok(match value.cast_to(&data_type).map_err(|_| wrong())? {
                ScalarValue::Int32(v) => v.map(i128::from),
                ScalarValue::Int64(v) | ScalarValue::TimestampMicrosecond(v, _) => v.map(i128::from),
                ScalarValue::Decimal128(v, ..) => v,
                _ => return Err(wrong()),
            })
        };
        let bounds = number(start)?.zip(number(stop)?);
        let interval = |value: &ScalarValue| match value {
            ScalarValue::IntervalMonthDayNano(Some(v)) => Ok(interval_from_arrow(*v)),
            ScalarValue::Utf8(Some(text)) => Interval::parse(text).map_err(|e| Error::new(e.sqlstate(), e.to_string())),
            _ => Err(wrong()),
        };
        let (step, null_step) = match (&data_type, step) {
            (_, Some(step)) if step.is_null() => (Step::Number(1), true),
            (DataType::Timestamp(_, None), Some(step)) => (Step::Local(interval(step)?), false),
            (DataType::Timestamp(_, Some(_)), Some(step)) => (Step::Zoned(interval(step)?), false),
            (DataType::Timestamp(..), None) => return Err(wrong()),
            (_, Some(step)) => (Step::Number(number(step)?.ok_or_else(wrong)?), false),
            (DataType::Decimal128(_, scale), None) => (Step::Number(10i128.pow(u32::from(scale.unsigned_abs()))), false),
            (_, None) => (Step::Number(1), false),
        };
        let zero = match step {
            Step::Number(n) => n == 0,
            Step::Local(i) | Step::Zoned(i) => i.approx_micros() == 0,
        };
        if zero {
            return Err(Error::invalid_parameter("step size cannot equal zero"));
        }
        let schema = Arc::new(Schema::new(vec![Field::new("generate_series", data_type.clone(), true)]));
        Ok(Series { data_type, bounds: bounds.filter(|_| !null_step), step, zone, schema })
    }

    fn ascending(&self) -> bool {
        match self.step {
            Step::Number(n) => n > 0,
            Step::Local(i) | Step::Zoned(i) => i.approx_micros() > 0,
        }
    }

    fn after(&self, at: i128) -> Option<i128> {
        match self.step {
            Step::Number(n) => at.checked_add(n),
            Step::Local(i) => timestamp_plus_interval(i64::try_from(at).ok()?, &i).ok().map(i128::from),
            Step::Zoned(i) => timestamptz_plus_interval(i64::try_from(at).ok()?, &i, &self.zone).ok().map(i128::from),
        }
    }

    /// Up to a batch of values from `at` on, and where to go on.
    fn batch(&self, mut at: Option<i128>) -> DfResult<Option<(RecordBatch, Option<i128>)>> {
        let Some((_, stop)) = self.bounds else { return Ok(None) };
        let past = if self.ascending() { Ordering::Greater } else { Ordering::Less };
        let mut values = Vec::new();
        while let Some(value) = at.filter(|v| v.cmp(&stop) != past) {
            if values.len() == BATCH_ROWS {
                break;
            }
            values.push(self.scalar(value));
            at = self.after(value);
        }
        if values.is_empty() {
            return Ok(None);
        }
        let array = ScalarValue::iter_to_array(values)?;
        Ok(Some((RecordBatch::try_new(self.schema.clone(), vec![array])?, at)))
    }

    fn scalar(&self, value: i128) -> ScalarValue {
        match &self.data_type {
            DataType::Int32 => ScalarValue::Int32(i32::try_from(value).ok()),
            DataType::Int64 => ScalarValue::Int64(i64::try_from(value).ok()),
            DataType::Decimal128(p, s) => ScalarValue::Decimal128(Some(value), *p, *s),
            DataType::Timestamp(_, zone) => ScalarValue::TimestampMicrosecond(i64::try_from(value).ok(), zone.clone()),
            other => unreachable!("{other} is no type of a series"),
        }
    }
}

impl PartitionStream for Series {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let series = self.clone();
        let start = self.bounds.map(|(start, _)| start);
        let batches = futures::stream::try_unfold(start, move |at| {
            let next = series.batch(at);
            async move { next }
        });
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
    }
}

impl Series {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
