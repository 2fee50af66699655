//! What `time_bucket_gapfill`, `locf` and `interpolate` compute; `crate::gapfill` puts it into plans.
//!
//! ```text
//! rows of a group      09:00 10      11:00 14                             and 15:00 20, outside
//! buckets asked for    09:00  10:00  11:00  12:00
//! filled               09:00  10:00  11:00  12:00  15:00
//!   x                  10     NULL   14     NULL   20
//!   locf(x)            10     10     14     14     20
//!   interpolate(x)     10     12     14     15.5   20
//! ```

use crate::Error;
use crate::operator::cast::cast_value;
use crate::operator::operand::{is_number, type_name};
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int16Array, Int32Array, Int64Array, ListArray, PrimitiveArray, StructArray,
    TimestampMicrosecondArray, UInt32Array, new_empty_array, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Field, Fields, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use highwater_model::time::Clockface;
use highwater_model::{Bucket, TimeType};
use highwater_store::rows::date_to_micros;
use std::sync::Arc;

/// The name under which `time_bucket_gapfill` is planned: the bucket, start and finish.
pub const GAPFILL: &str = "gapfill_bucket";

const DAY: i64 = 86_400_000_000;

/// More buckets of one group than this are a mistake.
const MOST_BUCKETS: usize = 10_000_000;

/// The functions, as they are where there are no gaps to fill: what they are given.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    [GAPFILL, "locf", "interpolate"].into_iter().map(Given::function).collect()
}

/// A function whose value is its first argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Given {
    name: &'static str,
    signature: Signature,
}

impl Given {
    fn function(name: &'static str) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Given { name, signature: Signature::variadic_any(Volatility::Immutable) }))
    }
}

/// The type in which values of a type are interpolated; `None` when they cannot be.
pub fn interpolated_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Float32 | DataType::Float64 => {
            Some(data_type.clone())
        }
        other => (is_number(other) || other.is_null()).then_some(DataType::Float64),
    }
}

impl ScalarUDFImpl for Given {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let most = if self.name == "locf" || self.name == "interpolate" { 3 } else { usize::MAX };
        let given = match (self.name, types) {
            ("interpolate", [value, ..]) => interpolated_type(value),
            (_, [value, ..]) => Some(value.clone()),
            (_, []) => None,
        };
        given.filter(|_| types.len() <= most).ok_or_else(|| {
            let names: Vec<String> = types.iter().map(type_name).collect();
            Error::new("42883", format!("function {}({}) does not exist", self.name, names.join(", "))).into()
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let value = args.args[0].to_array(args.number_rows)?;
        Ok(cast_value(&ColumnarValue::Array(value), args.return_field.data_type(), &Clockface::EPOCH)?)
    }
}

/// What a column of the rows that are filled is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The bucket.
    Bucket,
    /// NULL where there was a gap.
    Plain,
    /// The last value before the gap.
    Locf {
        /// Whether a NULL is a gap.
        null_is_gap: bool,
        /// Which argument has the value before all.
        before: Option<usize>,
    },
    /// On the line between the values around the gap.
    Interpolate {
        /// Which argument has the time and value before all.
        before: Option<usize>,
        /// Which argument has the time and value after all.
        after: Option<usize>,
    },
}

/// Fills the gaps of groups: a list of rows, start and finish, then what is before and after, to a list of rows.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Fill {
    /// The buckets.
    pub bucket: Bucket,
    /// The columns.
    pub roles: Vec<Role>,
    /// Their names and types.
    pub fields: Fields,
    /// Whether the start itself is left out.
    pub after_start: bool,
    /// Whether the finish itself is asked for.
    pub to_finish: bool,
    /// Of any arguments.
    pub signature: Signature,
}

impl Fill {
    /// The type of a list of rows.
    pub fn data_type(&self) -> DataType {
        DataType::List(Arc::new(Field::new("item", DataType::Struct(self.fields.clone()), true)))
    }

    fn buckets(&self, start: Option<i64>, finish: Option<i64>) -> crate::Result<Vec<i64>> {
        let start = start.ok_or_else(|| missing("start"))?;
        let finish = finish.ok_or_else(|| missing("finish"))?;
        let unit = if self.bucket.time_type == TimeType::Date { DAY } else { 1 };
        let start = if self.after_start { start.saturating_add(unit) } else { start };
        let finish = if self.to_finish { finish.saturating_add(unit) } else { finish };
        let mut buckets = Vec::new();
        let mut at = self.bucket.floor(start);
        while at < finish {
            if buckets.len() == MOST_BUCKETS {
                return Err(Error::new(
                    "54000",
                    format!("time_bucket_gapfill would give more than {MOST_BUCKETS} buckets"),
                )
                .hint("Choose a later start, an earlier finish or a wider bucket."));
            }
            buckets.push(at);
            let next = self.bucket.next(at);
            if next <= at {
                break;
            }
            at = next;
        }
        Ok(buckets)
    }

    /// The filled rows of a group.
    ///
    /// * `around` – for each argument after the finish, its value for this group: one row.
    fn group(&self, rows: Option<&StructArray>, buckets: Vec<i64>, around: &[ArrayRef]) -> crate::Result<StructArray> {
        let place = self.roles.iter().position(|role| *role == Role::Bucket).expect("one column is the bucket");
        let times = match rows {
            Some(rows) => times(rows.column(place))?,
            None => Vec::new(),
        };
        let mut sources: Vec<(Option<i64>, Option<u32>)> =
            times.iter().enumerate().map(|(row, time)| (*time, Some(row as u32))).collect();
        let known: std::collections::HashSet<i64> = times.into_iter().flatten().collect();
        sources.extend(buckets.into_iter().filter(|b| !known.contains(b)).map(|b| (Some(b), None)));
        sources.sort_by_key(|(time, _)| (time.is_none(), *time));
        let columns: Vec<ArrayRef> = self
            .roles
            .iter()
            .zip(&self.fields)
            .enumerate()
            .map(|(i, (role, field))| {
                let values = match rows {
                    Some(rows) => rows.column(i).clone(),
                    None => new_empty_array(field.data_type()),
                };
                match role {
                    Role::Bucket => bucket_column(field.data_type(), sources.iter().map(|(time, _)| *time)),
                    Role::Plain => {
                        let indices: UInt32Array = sources.iter().map(|(_, row)| *row).collect();
                        Ok(take(&values, &indices, None)?)
                    }
                    Role::Locf { null_is_gap, before } => {
                        locf(&values, &sources, *null_is_gap, before.map(|i| &around[i]))
                    }
                    Role::Interpolate { before, after } => {
                        let point = |i: &Option<usize>| i.map_or(Ok(None), |i| point(&around[i]));
                        interpolate(&values, &sources, point(before)?, point(after)?)
                    }
                }
            })
            .collect::<crate::Result<_>>()?;
        Ok(StructArray::try_new(self.fields.clone(), columns, None)?)
    }
}

fn missing(what: &str) -> Error {
    let message = format!("missing time_bucket_gapfill argument: could not infer {what} from WHERE clause");
    Error::invalid_parameter(message).hint("Specify start and finish as arguments or in the WHERE clause.")
}

impl ScalarUDFImpl for Fill {
    fn name(&self) -> &str {
        "gapfill"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns: Vec<ArrayRef> = args.args.iter().map(|a| a.to_array(args.number_rows)).collect::<Result<_>>()?;
        let lists = columns[0].as_list::<i32>();
        let (starts, finishes) = (times(&columns[1])?, times(&columns[2])?);
        let mut ends = vec![0i32];
        let mut filled = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let buckets = self.buckets(starts[row], finishes[row])?;
            let rows = lists.is_valid(row).then(|| lists.value(row));
            let around: Vec<ArrayRef> = columns[3..].iter().map(|c| c.slice(row, 1)).collect();
            let group = self.group(rows.as_ref().map(|rows| rows.as_struct()), buckets, &around)?;
            let end = ends[row] as usize + group.len();
            ends.push(i32::try_from(end).map_err(|_| Error::new("54000", "time_bucket_gapfill gives too many rows"))?);
            filled.push(group);
        }
        let filled: Vec<&dyn Array> = filled.iter().map(|group| group as &dyn Array).collect();
        let values = match filled.is_empty() {
            true => new_empty_array(&DataType::Struct(self.fields.clone())),
            false => concat(&filled)?,
        };
        let item = Arc::new(Field::new("item", DataType::Struct(self.fields.clone()), true));
        Ok(ColumnarValue::Array(Arc::new(ListArray::try_new(item, OffsetBuffer::new(ends.into()), values, None)?)))
    }
}

/// Times on the axis of buckets: microseconds, or numbers as they are.
fn times(column: &ArrayRef) -> crate::Result<Vec<Option<i64>>> {
    Ok(match column.data_type() {
        DataType::Int16 => column.as_primitive::<Int16Type>().iter().map(|t| t.map(i64::from)).collect(),
        DataType::Int32 => column.as_primitive::<Int32Type>().iter().map(|t| t.map(i64::from)).collect(),
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().collect(),
        DataType::Date32 => column.as_primitive::<Date32Type>().iter().map(|t| t.map(date_to_micros)).collect(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive::<TimestampMicrosecondType>().iter().collect()
        }
        DataType::Null => vec![None; column.len()],
        other => return Err(Error::internal(format!("a bucket is of type {other}"))),
    })
}

fn bucket_column(data_type: &DataType, times: impl Iterator<Item = Option<i64>>) -> crate::Result<ArrayRef> {
    Ok(match data_type {
        DataType::Int16 => Arc::new(times.map(|t| t.map(|t| t as i16)).collect::<Int16Array>()),
        DataType::Int32 => Arc::new(times.map(|t| t.map(|t| t as i32)).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(times.collect::<Int64Array>()),
        DataType::Date32 => Arc::new(times.map(|t| t.map(|t| t.div_euclid(DAY) as i32)).collect::<Date32Array>()),
        DataType::Timestamp(_, zone) => {
            Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone_opt(zone.clone()))
        }
        other => return Err(Error::internal(format!("a bucket is of type {other}"))),
    })
}

type Sources = [(Option<i64>, Option<u32>)];

fn locf(values: &ArrayRef, sources: &Sources, null_is_gap: bool, before: Option<&ArrayRef>) -> crate::Result<ArrayRef> {
    let before = match before {
        Some(value) => {
            let value = ColumnarValue::Array(Arc::clone(value));
            cast_value(&value, values.data_type(), &Clockface::EPOCH)?.into_array(1)?
        }
        None => new_null_array(values.data_type(), 1),
    };
    // Of the rows, or of what is before them.
    let (mut last, mut seen) = ((1, 0), false);
    let chosen: Vec<(usize, usize)> = sources
        .iter()
        .map(|(_, row)| {
            match row.map(|row| row as usize) {
                Some(row) if !(null_is_gap && values.is_null(row)) => (last, seen) = ((0, row), true),
                _ if !seen => last = (1, 0),
                _ => {}
            }
            last
        })
        .collect();
    Ok(interleave(&[values.as_ref(), before.as_ref()], &chosen)?)
}

/// A time and a value as they are given to `interpolate`: a record of one row.
fn point(record: &ArrayRef) -> crate::Result<Option<(i64, ArrayRef)>> {
    let wrong = || Error::invalid_parameter("interpolate RECORD arguments must have 2 elements: a time and a value");
    if record.data_type().is_null() {
        return Ok(None);
    }
    let parts = record.as_struct_opt().filter(|parts| parts.num_columns() == 2).ok_or_else(wrong)?;
    if parts.is_null(0) || parts.column(1).is_null(0) {
        return Ok(None);
    }
    Ok(times(parts.column(0)).map_err(|_| wrong())?[0].map(|time| (time, parts.column(1).clone())))
}

/// A number that can lie on a line.
trait OnLine: Copy {
    fn between(a: (i64, Self), b: (i64, Self), at: i64) -> Self;
}

macro_rules! on_line {
    ($($integer:ty)*; $($float:ty)*) => {
        $(impl OnLine for $integer {
            fn between((x0, y0): (i64, Self), (x1, y1): (i64, Self), x: i64) -> Self {
                let (x0, x1, x) = (i128::from(x0), i128::from(x1), i128::from(x));
                let (over, under) = (i128::from(y0) * (x1 - x) + i128::from(y1) * (x - x0), x1 - x0);
                // Rounded half away from zero; between two numbers of a type there is only such.
                ((2 * over + over.signum() * under) / (2 * under)) as Self
            }
        })*
        $(impl OnLine for $float {
            fn between((x0, y0): (i64, Self), (x1, y1): (i64, Self), x: i64) -> Self {
                let distance = |a: i64, b: i64| (i128::from(b) - i128::from(a)) as $float;
                (y0 * distance(x, x1) + y1 * distance(x0, x)) / distance(x0, x1)
            }
        })*
    };
}

on_line! { i16 i32 i64; f32 f64 }

type End = Option<(i64, ArrayRef)>;

fn interpolate(values: &ArrayRef, sources: &Sources, before: End, after: End) -> crate::Result<ArrayRef> {
    match values.data_type() {
        DataType::Int16 => on_lines::<Int16Type>(values, sources, before, after),
        DataType::Int32 => on_lines::<Int32Type>(values, sources, before, after),
        DataType::Int64 => on_lines::<Int64Type>(values, sources, before, after),
        DataType::Float32 => on_lines::<Float32Type>(values, sources, before, after),
        DataType::Float64 => on_lines::<Float64Type>(values, sources, before, after),
        other => Err(Error::internal(format!("a {other} is interpolated"))),
    }
}

fn on_lines<T: ArrowPrimitiveType>(
    values: &ArrayRef,
    sources: &Sources,
    before: End,
    after: End,
) -> crate::Result<ArrayRef>
where
    T::Native: OnLine,
{
    let values = values.as_primitive::<T>();
    let value = |row: u32| values.is_valid(row as usize).then(|| values.value(row as usize));
    let end = |end: End| -> crate::Result<Option<(i64, T::Native)>> {
        let Some((time, value)) = end else { return Ok(None) };
        let value = cast_value(&ColumnarValue::Array(value), &T::DATA_TYPE, &Clockface::EPOCH)?.into_array(1)?;
        let value = value.as_primitive::<T>();
        Ok(value.is_valid(0).then(|| (time, value.value(0))))
    };
    let (before, after) = (end(before)?, end(after)?);
    // The nearest row at or after each; a NULL there is no end of a line.
    let mut nexts = vec![None; sources.len()];
    let mut next = None;
    for (i, (time, row)) in sources.iter().enumerate().rev() {
        if let Some(row) = row {
            next = time.and_then(|time| Some((time, value(*row)?)));
        }
        nexts[i] = next;
    }
    let mut last = None;
    let filled: PrimitiveArray<T> = sources
        .iter()
        .zip(nexts)
        .map(|((time, row), next)| match (time, row) {
            (_, Some(row)) => {
                last = time.and_then(|time| Some((time, value(*row)?)));
                value(*row)
            }
            (Some(at), None) => {
                let (from, to) = (last.or(before)?, next.or(after)?);
                (to.0 > from.0).then(|| T::Native::between(from, to, *at))
            }
            (None, None) => None,
        })
        .collect();
    Ok(Arc::new(filled))
}
