//! Types that Parquet has no good place for.
//!
//! Intervals, and numerics with a negative scale, are kept as 16 bytes: those that Arrow has in memory,
//! little-endian. Doubles of compressed segments may be kept as decimals.

use super::coding::{unit, whole_of};
use crate::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, Decimal64Array, Decimal128Array, FixedSizeBinaryArray, Float64Array,
    IntervalMonthDayNanoArray, ListArray, StructArray,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Decimal64Type, Field, Fields, IntervalUnit};
use std::sync::Arc;

/// The Arrow type that a column has in a file.
pub fn file_type(arrow: &DataType) -> DataType {
    match arrow {
        DataType::Interval(IntervalUnit::MonthDayNano) => DataType::FixedSizeBinary(16),
        DataType::Decimal128(_, scale) if *scale < 0 => DataType::FixedSizeBinary(16),
        DataType::List(item) => DataType::List(file_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(file_field).collect::<Fields>()),
        other => other.clone(),
    }
}

fn file_field(field: &Arc<Field>) -> Arc<Field> {
    Arc::new(field.as_ref().clone().with_data_type(file_type(field.data_type())))
}

/// A column as a file keeps it.
pub fn to_file(array: &ArrayRef) -> Result<ArrayRef> {
    let kept = file_type(array.data_type());
    if kept == *array.data_type() {
        return Ok(array.clone());
    }
    let nulls = array.nulls().cloned();
    Ok(match array.data_type() {
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            Arc::new(ListArray::try_new(file_field(item), list.offsets().clone(), to_file(list.values())?, nulls)?)
        }
        DataType::Struct(_) => {
            let DataType::Struct(fields) = kept else { unreachable!("a struct stays one") };
            let columns = array.as_struct().columns().iter().map(to_file).collect::<Result<_>>()?;
            Arc::new(StructArray::try_new(fields, columns, nulls)?)
        }
        _ => {
            let data = array.to_data();
            let values = data.buffers()[0].slice_with_length(data.offset() * 16, data.len() * 16);
            Arc::new(FixedSizeBinaryArray::try_new(16, values, nulls)?)
        }
    })
}

/// Doubles as decimals with `scale` digits after the point.
///
/// # Errors
/// When a value would not come back as it is.
pub fn to_decimal(column: &Float64Array, digits: u8, scale: i8) -> Result<ArrayRef> {
    let nulls = column.nulls().cloned();
    let whole = |(i, value): (usize, &f64)| match column.is_valid(i) {
        true => whole_of(*value, scale),
        false => Some(0),
    };
    let wholes: Option<Vec<i64>> = column.values().iter().enumerate().map(whole).collect();
    let wholes = wholes.ok_or_else(|| Error::Format(format!("a double without {scale} digits after the point")))?;
    Ok(Arc::new(Decimal64Array::try_new(wholes.into(), nulls)?.with_precision_and_scale(digits, scale)?))
}

/// A column as it was before [`to_file`] or [`to_decimal`].
pub fn from_file(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if array.data_type() == wanted {
        return Ok(array.clone());
    }
    let nulls = array.nulls().cloned();
    Ok(match (array.data_type(), wanted) {
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = from_file(list.values(), item.data_type())?;
            Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, nulls)?)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let columns = array.as_struct().columns().iter().zip(fields);
            let columns = columns.map(|(c, f)| from_file(c, f.data_type())).collect::<Result<_>>()?;
            Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?)
        }
        (DataType::FixedSizeBinary(16), DataType::Interval(IntervalUnit::MonthDayNano)) => {
            let values = ScalarBuffer::new(array.as_fixed_size_binary().values().clone(), 0, array.len());
            Arc::new(IntervalMonthDayNanoArray::try_new(values, nulls)?)
        }
        (DataType::FixedSizeBinary(16), DataType::Decimal128(precision, scale)) => {
            let values = ScalarBuffer::new(array.as_fixed_size_binary().values().clone(), 0, array.len());
            Arc::new(Decimal128Array::try_new(values, nulls)?.with_precision_and_scale(*precision, *scale)?)
        }
        (DataType::Decimal64(_, scale), DataType::Float64) => {
            let unit = unit(*scale);
            let wholes = array.as_primitive::<Decimal64Type>().values();
            Arc::new(Float64Array::try_new(wholes.iter().map(|whole| *whole as f64 / unit).collect(), nulls)?)
        }
        // Readers may give another representation of the same values.
        _ => arrow::compute::cast(array, wanted)?,
    })
}
