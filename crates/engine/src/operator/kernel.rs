//! Loops over columns and single values, shared by operators and functions.

use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, new_null_array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ColumnarValue;
use std::sync::Arc;

/// One argument of a kernel: a column or a single value.
#[derive(Debug)]
pub enum Argument<T: ArrowPrimitiveType> {
    /// The same value in every row; `None` is NULL.
    Scalar(Option<T::Native>),
    /// A value per row.
    Array(PrimitiveArray<T>),
}

impl<T: ArrowPrimitiveType> Argument<T> {
    /// Takes an argument of a function, which must be of this type.
    ///
    /// # Errors
    /// XX000 when it is not.
    pub fn new(value: &ColumnarValue) -> Result<Self> {
        let wrong = |t: &DataType| Error::internal(format!("a kernel for {} was given {t}", T::DATA_TYPE));
        match value {
            ColumnarValue::Array(array) => {
                let array = array.as_primitive_opt::<T>().ok_or_else(|| wrong(array.data_type()))?;
                Ok(Argument::Array(array.clone()))
            }
            ColumnarValue::Scalar(scalar) => {
                let array = scalar.to_array()?;
                let array = array.as_primitive_opt::<T>().ok_or_else(|| wrong(array.data_type()))?;
                Ok(Argument::Scalar(array.is_valid(0).then(|| array.value(0))))
            }
        }
    }

    /// The value of a row.
    pub fn get(&self, row: usize) -> Option<T::Native> {
        match self {
            Argument::Scalar(value) => *value,
            Argument::Array(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// A column as the result of a function, whose type may have parameters that `O` lacks.
pub fn column<O: ArrowPrimitiveType>(array: PrimitiveArray<O>, data_type: &DataType) -> ColumnarValue {
    ColumnarValue::Array(Arc::new(array.with_data_type(data_type.clone())))
}

/// A single value as the result of a function.
///
/// # Errors
/// XX000 when the value is not of this type.
pub fn single<O: ArrowPrimitiveType>(value: Option<O::Native>, data_type: &DataType) -> Result<ColumnarValue> {
    Ok(ColumnarValue::Scalar(ScalarValue::new_primitive::<O>(value, data_type)?))
}

/// NULL as the result of a function.
///
/// # Errors
/// XX000 when there is no NULL of this type.
pub fn null(data_type: &DataType) -> Result<ColumnarValue> {
    Ok(ColumnarValue::Scalar(ScalarValue::try_from(data_type)?))
}

/// `f` of every value that is not NULL.
///
/// # Errors
/// The first of `f`.
pub fn map<T, O>(
    value: &Argument<T>,
    data_type: &DataType,
    f: impl Fn(T::Native) -> Result<O::Native>,
) -> Result<ColumnarValue>
where
    T: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    match value {
        Argument::Scalar(value) => single::<O>(value.map(&f).transpose()?, data_type),
        Argument::Array(array) => Ok(column(array.try_unary::<_, O, Error>(f)?, data_type)),
    }
}

/// `f` of every value that is not NULL, where `f` cannot fail and may be computed of what is under a NULL.
///
/// # Errors
/// XX000 when the result is not of this type.
pub fn map_all<T, O>(
    value: &Argument<T>,
    data_type: &DataType,
    f: impl Fn(T::Native) -> O::Native,
) -> Result<ColumnarValue>
where
    T: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    match value {
        Argument::Scalar(value) => single::<O>(value.map(&f), data_type),
        Argument::Array(array) => Ok(column(array.unary::<_, O>(f), data_type)),
    }
}

/// `f` of every pair of values of which none is NULL.
///
/// # Errors
/// The first of `f`.
pub fn zip<L, R, O>(
    left: &Argument<L>,
    right: &Argument<R>,
    data_type: &DataType,
    f: impl Fn(L::Native, R::Native) -> Result<O::Native>,
) -> Result<ColumnarValue>
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    match (left, right) {
        (Argument::Scalar(None), _) | (_, Argument::Scalar(None)) => null(data_type),
        (Argument::Scalar(Some(l)), Argument::Scalar(Some(r))) => single::<O>(Some(f(*l, *r)?), data_type),
        (Argument::Array(l), Argument::Scalar(Some(r))) => {
            Ok(column(l.try_unary::<_, O, Error>(|l| f(l, *r))?, data_type))
        }
        (Argument::Scalar(Some(l)), Argument::Array(r)) => {
            Ok(column(r.try_unary::<_, O, Error>(|r| f(*l, r))?, data_type))
        }
        (Argument::Array(l), Argument::Array(r)) => {
            let nulls = NullBuffer::union(l.nulls(), r.nulls());
            let pairs = l.values().iter().zip(r.values());
            let values = match &nulls {
                None => pairs.map(|(l, r)| f(*l, *r)).collect::<Result<Vec<_>>>()?,
                Some(nulls) => pairs
                    .enumerate()
                    .map(|(i, (l, r))| if nulls.is_valid(i) { f(*l, *r) } else { Ok(Default::default()) })
                    .collect::<Result<Vec<_>>>()?,
            };
            Ok(column(PrimitiveArray::<O>::new(values.into(), nulls), data_type))
        }
    }
}

/// `f` of every pair of values, where the flag beside a result tells that it is wrong.
///
/// One loop without a branch computes all values and whether any is wrong; only then it is asked which.
///
/// # Errors
/// That of `fail`, when a result that is not NULL is wrong.
pub fn zip_flagged<T: ArrowPrimitiveType>(
    left: &Argument<T>,
    right: &Argument<T>,
    data_type: &DataType,
    f: impl Fn(T::Native, T::Native) -> (T::Native, bool),
    fail: impl Fn() -> Error,
) -> Result<ColumnarValue> {
    let mut wrong = false;
    let mut run = |l: T::Native, r: T::Native| {
        let (value, flag) = f(l, r);
        wrong |= flag;
        value
    };
    let (values, nulls): (ScalarBuffer<T::Native>, _) = match (left, right) {
        (Argument::Array(l), Argument::Array(r)) => (
            l.values().iter().zip(r.values()).map(|(l, r)| run(*l, *r)).collect::<Vec<_>>().into(),
            NullBuffer::union(l.nulls(), r.nulls()),
        ),
        (Argument::Array(l), Argument::Scalar(Some(r))) => {
            (l.values().iter().map(|l| run(*l, *r)).collect::<Vec<_>>().into(), l.nulls().cloned())
        }
        (Argument::Scalar(Some(l)), Argument::Array(r)) => {
            (r.values().iter().map(|r| run(*l, *r)).collect::<Vec<_>>().into(), r.nulls().cloned())
        }
        _ => {
            return zip::<T, T, T>(left, right, data_type, |l, r| match f(l, r) {
                (value, false) => Ok(value),
                _ => Err(fail()),
            });
        }
    };
    if wrong && let Some(nulls) = &nulls {
        // It may have been computed of what is under a NULL.
        wrong = nulls.valid_indices().any(|i| match (left.get(i), right.get(i)) {
            (Some(l), Some(r)) => f(l, r).1,
            _ => false,
        });
    }
    if wrong {
        return Err(fail());
    }
    Ok(column(PrimitiveArray::<T>::new(values, nulls), data_type))
}

/// An argument as a column of `rows` rows.
///
/// # Errors
/// XX000 when the value cannot be repeated.
pub fn array(value: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    Ok(match value {
        ColumnarValue::Array(array) => Arc::clone(array),
        ColumnarValue::Scalar(ScalarValue::Null) => new_null_array(&DataType::Null, rows),
        ColumnarValue::Scalar(value) => value.to_array_of_size(rows)?,
    })
}

/// Runs `f` on columns, of one row when all arguments are single values; the result is then one, too.
///
/// # Errors
/// Those of `f`.
pub fn rowwise(
    args: &[ColumnarValue],
    rows: usize,
    f: impl FnOnce(&[ArrayRef], usize) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let alone = args.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
    let rows = if alone { 1 } else { rows };
    let arrays = args.iter().map(|a| array(a, rows)).collect::<Result<Vec<_>>>()?;
    let result = f(&arrays, rows)?;
    Ok(if alone {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
    } else {
        ColumnarValue::Array(result)
    })
}
