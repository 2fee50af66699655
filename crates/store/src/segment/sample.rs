//! What a few values of a column tell of all.

use crate::Result;
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use std::collections::HashSet;

/// Values that are looked at.
const SAMPLE: usize = 2048;

/// Rows that a series has, on average, at least.
const ROWS_OF_SERIES: usize = 32;

/// Whether a column has few values, each of many rows, that could be names.
pub fn names_series(column: &ArrayRef) -> Result<bool> {
    let could_be = matches!(
        column.data_type(),
        DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::FixedSizeBinary(_)
    );
    if !could_be {
        return Ok(false);
    }
    let Some(Sample { taken, distinct }) = Sample::of(column)? else { return Ok(false) };
    Ok(distinct > 1 && distinct * 2 < taken && distinct * ROWS_OF_SERIES < column.len())
}

/// Some values of a column.
struct Sample {
    taken: usize,
    distinct: usize,
}

impl Sample {
    /// Values from all over a column; `None` when it has too few.
    fn of(column: &ArrayRef) -> Result<Option<Sample>> {
        let step = column.len() / SAMPLE;
        if step == 0 {
            return Ok(None);
        }
        let positions: UInt32Array = (0..column.len() as u32).step_by(step).collect::<Vec<_>>().into();
        let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
        let rows = converter.convert_columns(&[take(column, &positions, None)?])?;
        let distinct: HashSet<&[u8]> = (0..rows.num_rows()).map(|i| rows.row(i).data()).collect();
        Ok(Some(Sample { taken: rows.num_rows(), distinct: distinct.len() }))
    }
}

/// Whether the values of a column occur so often that a dictionary of them is worth its making: if half of all were
/// different, some `n²/count` of `n` would be alike.
pub fn repeats(column: &ArrayRef) -> Result<bool> {
    if column.data_type() != &DataType::Float64 {
        return Ok(true);
    }
    let Some(Sample { taken, distinct }) = Sample::of(column)? else { return Ok(true) };
    Ok((taken - distinct) * column.len() > taken * taken)
}
