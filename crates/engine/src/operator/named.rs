//! Operators that are functions with overloads: `-x`, `+x`, `~x`, and those on bits.
//!
//! They are planned by the name of the function; which overload is meant is settled with those of the other
//! functions, once the types of all operands are known.

use super::arithmetic::negate;
use super::kernel::{Argument, map, map_all, zip};
use super::operand::Kind;
use crate::error::Result;
use crate::function::define::{Call, Overload, function, takes, takes_and};
use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarUDF, Volatility};
use std::sync::{Arc, LazyLock};

use Kind::{BigInt, Double, Integer, Interval, Numeric, Real, SmallInt};

/// Functions and the operators they stand for.
const SYMBOLS: &[(&str, &str)] = &[
    ("pg_neg", "-"),
    ("pg_plus", "+"),
    ("pg_bitnot", "~"),
    ("pg_sqrt", "|/"),
    ("pg_cbrt", "||/"),
    ("pg_bitand", "&"),
    ("pg_bitor", "|"),
    ("pg_bitxor", "#"),
    ("pg_shift_left", "<<"),
    ("pg_shift_right", ">>"),
];

/// The operator that a function stands for.
pub fn symbol(function: &str) -> Option<&'static str> {
    SYMBOLS.iter().find(|(name, _)| *name == function).map(|(_, symbol)| *symbol)
}

/// The functions.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    let pure = |name: &'static str, overloads: &[Overload]| function(name, Volatility::Immutable, overloads);
    let same = |types: &[DataType]| types[0].clone();
    let negate = |call: &Call| negate(&call.args[0], call.out, call.rows);
    let unchanged = |call: &Call| Ok(call.args[0].clone());
    vec![
        pure(
            "pg_neg",
            &[
                takes(&[SmallInt], SmallInt, negate),
                takes(&[Integer], Integer, negate),
                takes(&[BigInt], BigInt, negate),
                takes_and(&[Numeric], same, negate),
                takes(&[Real], Real, |c| {
                    map_all::<Float32Type, Float32Type>(&Argument::new(&c.args[0])?, c.out, |x| -x)
                }),
                takes(&[Double], Double, |c| {
                    map_all::<Float64Type, Float64Type>(&Argument::new(&c.args[0])?, c.out, |x| -x)
                }),
                takes(&[Interval], Interval, negate),
            ],
        ),
        pure(
            "pg_plus",
            &[
                takes(&[SmallInt], SmallInt, unchanged),
                takes(&[Integer], Integer, unchanged),
                takes(&[BigInt], BigInt, unchanged),
                takes_and(&[Numeric], same, unchanged),
                takes(&[Real], Real, unchanged),
                takes(&[Double], Double, unchanged),
            ],
        ),
        pure(
            "pg_bitnot",
            &[
                takes(&[SmallInt], SmallInt, |c| {
                    map_all::<Int16Type, Int16Type>(&Argument::new(&c.args[0])?, c.out, |x| !x)
                }),
                takes(&[Integer], Integer, |c| {
                    map_all::<Int32Type, Int32Type>(&Argument::new(&c.args[0])?, c.out, |x| !x)
                }),
                takes(&[BigInt], BigInt, |c| {
                    map_all::<Int64Type, Int64Type>(&Argument::new(&c.args[0])?, c.out, |x| !x)
                }),
            ],
        ),
        pure(
            "pg_sqrt",
            &[takes(&[Double], Double, |c| {
                map::<Float64Type, Float64Type>(&Argument::new(&c.args[0])?, c.out, crate::function::math::sqrt)
            })],
        ),
        pure(
            "pg_cbrt",
            &[takes(&[Double], Double, |c| {
                map_all::<Float64Type, Float64Type>(&Argument::new(&c.args[0])?, c.out, f64::cbrt)
            })],
        ),
        bits(
            "pg_bitand",
            |c| pair::<Int16Type>(c, |a, b| a & b),
            |c| pair::<Int32Type>(c, |a, b| a & b),
            |c| pair::<Int64Type>(c, |a, b| a & b),
        ),
        bits(
            "pg_bitor",
            |c| pair::<Int16Type>(c, |a, b| a | b),
            |c| pair::<Int32Type>(c, |a, b| a | b),
            |c| pair::<Int64Type>(c, |a, b| a | b),
        ),
        bits(
            "pg_bitxor",
            |c| pair::<Int16Type>(c, |a, b| a ^ b),
            |c| pair::<Int32Type>(c, |a, b| a ^ b),
            |c| pair::<Int64Type>(c, |a, b| a ^ b),
        ),
        // A shift by more bits than there are is one by the rest, and a smallint is shifted as an integer.
        shift(
            "pg_shift_left",
            |c| by::<Int16Type>(c, |a, n| i32::from(a).wrapping_shl(n) as i16),
            |c| by::<Int32Type>(c, i32::wrapping_shl),
            |c| by::<Int64Type>(c, i64::wrapping_shl),
        ),
        shift(
            "pg_shift_right",
            |c| by::<Int16Type>(c, |a, n| i32::from(a).wrapping_shr(n) as i16),
            |c| by::<Int32Type>(c, i32::wrapping_shr),
            |c| by::<Int64Type>(c, i64::wrapping_shr),
        ),
    ]
}

type Run = crate::function::define::Run;

fn bits(name: &'static str, small: Run, integer: Run, big: Run) -> Arc<ScalarUDF> {
    let overloads = [
        takes(&[SmallInt, SmallInt], SmallInt, small),
        takes(&[Integer, Integer], Integer, integer),
        takes(&[BigInt, BigInt], BigInt, big),
    ];
    function(name, Volatility::Immutable, &overloads)
}

fn shift(name: &'static str, small: Run, integer: Run, big: Run) -> Arc<ScalarUDF> {
    let overloads = [
        takes(&[SmallInt, Integer], SmallInt, small),
        takes(&[Integer, Integer], Integer, integer),
        takes(&[BigInt, Integer], BigInt, big),
    ];
    function(name, Volatility::Immutable, &overloads)
}

fn pair<T: ArrowPrimitiveType>(call: &Call, f: fn(T::Native, T::Native) -> T::Native) -> Result<ColumnarValue> {
    zip::<T, T, T>(&Argument::new(&call.args[0])?, &Argument::new(&call.args[1])?, call.out, |a, b| Ok(f(a, b)))
}

fn by<T: ArrowPrimitiveType>(call: &Call, f: fn(T::Native, u32) -> T::Native) -> Result<ColumnarValue> {
    let bits = Argument::<Int32Type>::new(&call.args[1])?;
    zip::<T, Int32Type, T>(&Argument::new(&call.args[0])?, &bits, call.out, |a, n| Ok(f(a, n as u32)))
}

/// The operator as a call of its function.
pub fn call(function: &str, operands: Vec<Expr>) -> Expr {
    static ALL: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(functions);
    let found = ALL.iter().find(|f| f.name() == function).expect("every operator has its function");
    found.call(operands)
}
