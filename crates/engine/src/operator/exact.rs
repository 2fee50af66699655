//! Numbers that are computed as [`Numeric`], one by one.
//!
//! A `numeric` is a `Decimal128` where its digits follow from its type, and is computed in whole columns there. Where
//! each value has a scale of its own (a quotient, a `numeric` without digits) it is [`UNBOUNDED`], and computed here.
//! An operand may be either, or an integer.
//!
//! ```text
//! numeric(10,2) + numeric(10,3)      Decimal128(12,3)
//! numeric(10,2) / numeric(10,3)      UNBOUNDED: as many digits as PostgreSQL gives each quotient
//! numeric(30,2) * numeric(30,2)      UNBOUNDED: 60 digits
//! ```
//!
//! Equal numbers may have other bytes, because their scales count there. What is compared, grouped or joined is
//! therefore the [`key`] of a number.

use super::kernel::rowwise;
use super::operand::UNBOUNDED;
use crate::error::{Error, Result};
use crate::text::number::{field_overflow, no_infinity};
use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int16Array, Int32Array, Int64Array, LargeBinaryArray,
    LargeBinaryBuilder, ListArray, PrimitiveArray,
};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use highwater_model::numeric::{self, SCALE_BYTES, key_of};
use highwater_model::{ColumnType, Digits, Numeric};
use highwater_store::schema::{comparable, typed_field};
use std::sync::{Arc, LazyLock};

/// A column of exact numbers, to be read one by one.
#[derive(Debug)]
pub enum Numbers {
    /// `numeric` without bounds.
    Any(LargeBinaryArray),
    /// `numeric(p,s)`, and its scale.
    Decimal(Decimal128Array, i8),
    /// `smallint`
    SmallInt(Int16Array),
    /// `integer`
    Integer(Int32Array),
    /// `bigint`
    BigInt(Int64Array),
}

impl Numbers {
    /// The numbers of a column.
    ///
    /// # Errors
    /// XX000 when they are not exact ones.
    pub fn of(column: &ArrayRef) -> Result<Numbers> {
        Ok(match column.data_type() {
            DataType::LargeBinary => Numbers::Any(column.as_binary().clone()),
            DataType::Decimal128(_, scale) => Numbers::Decimal(column.as_primitive().clone(), *scale),
            DataType::Int16 => Numbers::SmallInt(column.as_primitive().clone()),
            DataType::Int32 => Numbers::Integer(column.as_primitive().clone()),
            DataType::Int64 => Numbers::BigInt(column.as_primitive().clone()),
            other => return Err(Error::internal(format!("{other} is read as exact numbers"))),
        })
    }

    /// The number in a row; `None` where it is NULL.
    ///
    /// # Errors
    /// XX001 when what is kept is no number.
    pub fn get(&self, row: usize) -> Result<Option<Numeric>> {
        let whole = |value: i64| Some(Numeric::from(value));
        Ok(match self {
            Numbers::Any(column) if column.is_null(row) => None,
            Numbers::Any(column) => Some(read(column.value(row))?),
            Numbers::Decimal(column, scale) => match value(column, row) {
                Some(value) => Some(decimal(value, *scale)?),
                None => None,
            },
            Numbers::SmallInt(column) => value(column, row).and_then(|n| whole(n.into())),
            Numbers::Integer(column) => value(column, row).and_then(|n| whole(n.into())),
            Numbers::BigInt(column) => value(column, row).and_then(whole),
        })
    }
}

fn value<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    column.is_valid(row).then(|| column.value(row))
}

/// The number that is kept so.
///
/// # Errors
/// XX001 when the bytes are none.
pub fn read(bytes: &[u8]) -> Result<Numeric> {
    Numeric::from_bytes(bytes).ok_or_else(|| Error::new("XX001", "a numeric is damaged"))
}

/// The number that a `Decimal128` holds.
///
/// # Errors
/// 22003, which no such number is large enough for.
pub fn decimal(unscaled: i128, scale: i8) -> Result<Numeric> {
    let number = Numeric::small(unscaled, scale.max(0).unsigned_abs());
    match scale {
        0.. => Ok(number),
        _ => Ok(number.mul(&Numeric::small(10i128.pow(scale.unsigned_abs().min(38).into()), 0))?),
    }
}

/// A column of numbers.
///
/// # Errors
/// The first among the numbers.
pub fn column(numbers: impl Iterator<Item = Result<Option<Numeric>>>) -> Result<ArrayRef> {
    let mut builder = LargeBinaryBuilder::new();
    let mut bytes = Vec::new();
    for number in numbers {
        match number? {
            Some(number) => {
                bytes.clear();
                number.write_bytes(&mut bytes);
                builder.append_value(&bytes);
            }
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// A single number.
pub fn scalar(number: &Numeric) -> ScalarValue {
    ScalarValue::LargeBinary(Some(number.to_bytes()))
}

/// `f` of every number that is not NULL.
///
/// # Errors
/// The first of `f`.
pub fn map(
    value: &ColumnarValue,
    rows: usize,
    f: impl Fn(Numeric) -> numeric::Result<Numeric>,
) -> Result<ColumnarValue> {
    rowwise(std::slice::from_ref(value), rows, |arrays, _| {
        let numbers = Numbers::of(&arrays[0])?;
        column((0..arrays[0].len()).map(|row| Ok(numbers.get(row)?.map(&f).transpose()?)))
    })
}

/// `f` of every pair of numbers of which none is NULL.
///
/// # Errors
/// The first of `f`.
pub fn zip(
    left: &ColumnarValue,
    right: &ColumnarValue,
    rows: usize,
    f: impl Fn(&Numeric, &Numeric) -> numeric::Result<Numeric>,
) -> Result<ColumnarValue> {
    rowwise(&[left.clone(), right.clone()], rows, |arrays, rows| {
        let (left, right) = (Numbers::of(&arrays[0])?, Numbers::of(&arrays[1])?);
        column((0..rows).map(|row| match (left.get(row)?, right.get(row)?) {
            (Some(left), Some(right)) => Ok(Some(f(&left, &right)?)),
            _ => Ok(None),
        }))
    })
}

/// A number with the digits of a type, rounded half away from zero.
///
/// # Errors
/// 22003 when it has more before the point, or is infinite.
pub fn fit(number: &Numeric, precision: u16, scale: i16) -> Result<Numeric> {
    let rounded = number.round(scale.into())?;
    let most = i32::from(precision) - i32::from(scale.min(0));
    match &rounded {
        Numeric::NaN => Ok(rounded),
        Numeric::Finite(decimal) if i64::from(decimal.precision()) <= i64::from(most) => Ok(rounded),
        Numeric::Finite(_) => Err(field_overflow(precision.into(), scale.into())),
        _ => Err(no_infinity(precision.into(), scale.into())),
    }
}

/// The expression, which is [`UNBOUNDED`], with the digits of a type.
pub fn fitted(expr: Expr, digits: Digits) -> Expr {
    ScalarUDF::from(Fit { digits, signature: Signature::any(1, Volatility::Immutable) }).call(vec![expr])
}

/// [`fit`] as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fit {
    digits: Digits,
    signature: Signature,
}

impl ScalarUDFImpl for Fit {
    fn name(&self) -> &str {
        "pg_fit"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(UNBOUNDED)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> DfResult<FieldRef> {
        Ok(Arc::new(typed_field(self.name(), &ColumnType::AnyNumeric(Some(self.digits)))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let Digits { precision, scale } = self.digits;
        Ok(rowwise(&args.args, args.number_rows, |arrays, rows| {
            let numbers = Numbers::of(&arrays[0])?;
            column((0..rows).map(|row| numbers.get(row)?.map(|n| fit(&n, precision, scale)).transpose()))
        })?)
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(format!("{}::{}", args[0].schema_name(), ColumnType::AnyNumeric(Some(self.digits))))
    }
}

/// What equal numbers have in common, in the order of the numbers, of an expression that is [`UNBOUNDED`].
pub fn key(expr: Expr) -> Expr {
    key_function().call(vec![expr])
}

/// [`key`] as a function.
pub fn key_function() -> Arc<ScalarUDF> {
    static KEY: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::from(Key { signature: Signature::any(1, Volatility::Immutable) })));
    Arc::clone(&KEY)
}

/// The type of a list of numbers that are [`UNBOUNDED`].
pub fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new("item", UNBOUNDED, true)))
}

/// [`key`] of each number of a list.
pub fn list_key(list: Expr) -> Expr {
    static KEYS: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(ScalarUDF::from(ListKey { signature: Signature::any(1, Volatility::Immutable) })));
    KEYS.call(vec![list])
}

/// [`list_key`] as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ListKey {
    signature: Signature,
}

impl ListKey {
    fn item() -> FieldRef {
        Arc::new(Field::new("item", DataType::Binary, true))
    }
}

impl ScalarUDFImpl for ListKey {
    fn name(&self) -> &str {
        "pg_numeric_keys"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::List(ListKey::item()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(rowwise(&args.args, args.number_rows, |arrays, _| {
            let lists = arrays[0].as_list::<i32>();
            let keys = comparable(lists.values());
            Ok(Arc::new(ListArray::try_new(ListKey::item(), lists.offsets().clone(), keys, lists.nulls().cloned())?))
        })?)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    signature: Signature,
}

impl ScalarUDFImpl for Key {
    fn name(&self) -> &str {
        "pg_numeric_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(rowwise(&args.args, args.number_rows, |arrays, _| Ok(comparable(&arrays[0])))?)
    }
}

/// `left op right` of numbers that are [`UNBOUNDED`].
///
/// Beside a literal the column stays bare: all bytes that equal the literal lie between two bounds.
pub fn compare(op: Operator, left: Expr, right: Expr) -> Expr {
    let binary =
        |left: Expr, op: Operator, right: Expr| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
    let literal = |expr: &Expr| match expr {
        Expr::Literal(ScalarValue::LargeBinary(Some(bytes)), _) => Some(bytes.clone()),
        _ => None,
    };
    let (column, op, bytes) = match (literal(&left), literal(&right), op.swap()) {
        (_, Some(bytes), _) => (left, op, bytes),
        (Some(bytes), _, Some(op)) => (right, op, bytes),
        _ => return binary(key(left), op, key(right)),
    };
    if Numeric::from_bytes(&bytes).is_none() {
        // It is a bound already: comparisons are planned again once all types are known.
        return binary(column, op, Expr::Literal(ScalarValue::LargeBinary(Some(bytes)), None));
    }
    let bound = |last: bool| {
        let mut bound = key_of(&bytes).to_vec();
        bound.extend(std::iter::repeat_n(u8::MAX, if last { SCALE_BYTES } else { 0 }));
        Expr::Literal(ScalarValue::LargeBinary(Some(bound)), None)
    };
    let beside = |op: Operator, last: bool| binary(column.clone(), op, bound(last));
    match op {
        Operator::Eq => beside(Operator::GtEq, false).and(beside(Operator::LtEq, true)),
        Operator::NotEq => beside(Operator::Lt, false).or(beside(Operator::Gt, true)),
        Operator::Lt | Operator::GtEq => beside(op, false),
        Operator::Gt | Operator::LtEq => beside(op, true),
        _ => {
            let literal = Expr::Literal(ScalarValue::LargeBinary(Some(bytes)), None);
            binary(key(column), op, key(literal))
        }
    }
}
