//! Whether two states are of the same rows.
//!
//! Integers, numerics, extremes, counts and times are equal then. Floats that were summed up in another order differ by
//! rounding, which is bounded by what they are sums of:
//!
//! ```text
//! Σx        n · 2⁻⁵² · Σ|x|
//! x̄         2 n · 2⁻⁵² · √Σx²
//! Σ(x−x̄)²   4 n · 2⁻⁵² · Σx²
//! ```
//!
//! Lists of input have the same values, in any order.

use super::value::{Kind, States, is_close};
use crate::Result;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::row::{RowConverter, SortField};

/// What makes two values of a state's column the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// That they are equal.
    Equal,
    /// Sums of floats: the columns of how many they are, and of the sum of their sizes.
    Sum {
        /// How many.
        count: String,
        /// Σ|x|
        sizes: Option<String>,
    },
    /// A mean or the squared deviations of floats: the columns of the state.
    Moment {
        /// How many.
        count: String,
        /// The mean.
        mean: String,
        /// The squared deviations.
        m2: String,
        /// Whether it is the squared deviations.
        squared: bool,
    },
    /// Lists of the same values.
    Values,
    /// States that are values.
    State(Kind),
}

impl Sameness {
    /// Whether the value of one row is that of another.
    ///
    /// * `expected` – the row that was computed again, with all its columns.
    pub fn holds(&self, found: (&ArrayRef, usize), column: &ArrayRef, expected: (&RecordBatch, usize)) -> Result<bool> {
        let (at, (batch, row)) = (found.1, expected);
        if found.0.is_null(at) || column.is_null(row) {
            return Ok(found.0.is_null(at) && column.is_null(row));
        }
        let number = |name: &str| batch.column_by_name(name).and_then(|c| float(c, row)).unwrap_or(0.0);
        let floats = float(found.0, at).zip(float(column, row));
        Ok(match (self, floats) {
            (Sameness::Sum { count, sizes }, Some((a, b))) => {
                let sizes = sizes.as_ref().map_or(b.abs(), |name| number(name));
                is_close(a, b, number(count) * f64::EPSILON * sizes)
            }
            (Sameness::Moment { count, mean, m2, squared }, Some((a, b))) => {
                let (n, mean) = (number(count), number(mean));
                let squares = number(m2) + n * mean * mean;
                is_close(a, b, n * f64::EPSILON * if *squared { 4.0 * squares } else { 2.0 * squares.sqrt() })
            }
            (Sameness::Values, _) => values(found.0, at)? == values(column, row)?,
            (Sameness::State(kind), _) => {
                let (a, b) = (States::new(*kind, found.0)?.get(at)?, States::new(*kind, column)?.get(row)?);
                a.zip(b).is_some_and(|(a, b)| a.is_same(&b))
            }
            // −0 is 0.
            (_, Some((a, b))) if column.data_type().is_floating() => a == b || (a.is_nan() && b.is_nan()),
            _ => false,
        })
    }
}

/// A number that is not NULL, as a double; `None` when it is another kind of value than a float or a count.
fn float(column: &ArrayRef, row: usize) -> Option<f64> {
    match column.data_type() {
        _ if column.is_null(row) => None,
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => {
            Some(cast(&column.slice(row, 1), &DataType::Float64).ok()?.as_primitive::<Float64Type>().value(0))
        }
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().value(row) as f64),
        _ => None,
    }
}

/// The values of a list in an order of their own.
fn values(lists: &ArrayRef, row: usize) -> Result<Vec<Vec<u8>>> {
    let Some(lists) = lists.as_list_opt::<i32>() else { return Ok(Vec::new()) };
    let values = lists.value(row);
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    let rows = converter.convert_columns(&[values])?;
    let mut values: Vec<Vec<u8>> = rows.iter().map(|row| row.as_ref().to_vec()).collect();
    values.sort_unstable();
    Ok(values)
}
