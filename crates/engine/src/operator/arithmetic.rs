//! `+ - * / % ^` on numbers, with PostgreSQL's errors.

use super::exact;
use super::kernel::{Argument, map, zip, zip_flagged};
use super::operand::{Kind, UNBOUNDED, no_operator};
use super::time;
use crate::error::{Error, Result};
use crate::function::context::clockface;
use crate::text::number::{POWERS, overflows_numeric};
use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use highwater_model::Numeric;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

/// An operator that is computed by a kernel of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
}

impl Op {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::Div => "/",
            Op::Mod => "%",
            Op::Pow => "^",
        }
    }

    /// `left op right` with our kernel. The types must be ones that [`result_type`] knows.
    pub fn call(self, left: Expr, right: Expr) -> Expr {
        static OPS: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(operators);
        OPS[self as usize].call(vec![left, right])
    }
}

/// The operators as functions, to be registered by name.
pub fn operators() -> Vec<Arc<ScalarUDF>> {
    let names = ["pg_add", "pg_sub", "pg_mul", "pg_div", "pg_mod", "pg_pow"];
    [Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Mod, Op::Pow]
        .into_iter()
        .zip(names)
        .map(|(op, name)| {
            Arc::new(ScalarUDF::from(Operator { op, name, signature: Signature::any(2, Volatility::Stable) }))
        })
        .collect()
}

/// An operator as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Operator {
    op: Op,
    name: &'static str,
    signature: Signature,
}

impl Operator {
    /// Which one.
    pub fn op(&self) -> Op {
        self.op
    }
}

impl ScalarUDFImpl for Operator {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        Ok(result_type(self.op, &types[0], &types[1])?)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let (left, right, out) = (&args.args[0], &args.args[1], args.return_type());
        let kinds = (Kind::of(&left.data_type()), Kind::of(&right.data_type()));
        Ok(match kinds {
            (l, r) if l.is_number() && r.is_number() => compute(self.op, left, right, out, args.number_rows)?,
            _ => time::compute(self.op, left, right, out, &clockface(&args.config_options)?.zone)?,
        })
    }

    fn display_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(format!("{} {} {}", args[0], self.op.symbol(), args[1]))
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        let name = format!("{}({},{})", self.name, args[0].schema_name(), args[1].schema_name());
        if name.len() <= LONGEST_NAME {
            return Ok(name);
        }
        // DataFusion tells columns apart by such names, and makes them again and again; nobody sees them.
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Ok(format!("{}#{:016x}", self.name, hasher.finish()))
    }
}

/// Longer names of operators are cut to a hash.
const LONGEST_NAME: usize = 160;

/// The type of a `numeric` result: with all digits that it may have, or without bounds where there may be too many.
fn numeric_type(op: Op, (p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> DataType {
    let (p1, s1, p2, s2) = (i32::from(p1), i32::from(s1), i32::from(p2), i32::from(s2));
    let (whole, scale) = match op {
        Op::Add | Op::Sub => ((p1 - s1).max(p2 - s2) + 1, s1.max(s2)),
        Op::Mul => (p1 - s1 + p2 - s2, s1 + s2),
        // Both are brought to one scale on the way.
        Op::Mod => ((p1 - s1).max(p2 - s2), s1.max(s2)),
        // Each quotient and power has a scale of its own.
        Op::Div | Op::Pow => return UNBOUNDED,
    };
    match whole.max(0) + scale {
        digits @ 0..=38 => DataType::Decimal128(digits.max(1) as u8, scale as i8),
        _ => UNBOUNDED,
    }
}

/// The type of `left op right`.
///
/// # Errors
/// 42883 when there is no such operator.
pub fn result_type(op: Op, left: &DataType, right: &DataType) -> Result<DataType> {
    match (left, right) {
        (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) => Ok(numeric_type(op, (*p1, *s1), (*p2, *s2))),
        (&UNBOUNDED, r) if Kind::of(r) == Kind::Numeric => Ok(UNBOUNDED),
        (l, &UNBOUNDED) if Kind::of(l) == Kind::Numeric => Ok(UNBOUNDED),
        (l, r) if l == r && Kind::of(l).is_integer() && op != Op::Pow => Ok(l.clone()),
        (DataType::Float64, DataType::Float64) if op != Op::Mod => Ok(DataType::Float64),
        (DataType::Float32, DataType::Float32) if op != Op::Mod && op != Op::Pow => Ok(DataType::Float32),
        _ => time::result_type(op, left, right).ok_or_else(|| no_operator(op.symbol(), left, right)),
    }
}

fn compute(op: Op, left: &ColumnarValue, right: &ColumnarValue, out: &DataType, rows: usize) -> Result<ColumnarValue> {
    if *out == UNBOUNDED {
        let f = match op {
            Op::Add => Numeric::add,
            Op::Sub => Numeric::sub,
            Op::Mul => Numeric::mul,
            Op::Div => Numeric::div,
            Op::Mod => Numeric::rem,
            Op::Pow => Numeric::power,
        };
        return exact::zip(left, right, rows, f);
    }
    match (left.data_type(), right.data_type()) {
        (DataType::Int16, _) => integers::<Int16Type>(op, left, right, out),
        (DataType::Int32, _) => integers::<Int32Type>(op, left, right, out),
        (DataType::Int64, _) => integers::<Int64Type>(op, left, right, out),
        (DataType::Float32, _) => {
            let (left, right) = (Argument::<Float32Type>::new(left)?, Argument::new(right)?);
            floats(op, &left, &right, out, |a, b| {
                float(op, a.into(), b.into()).and_then(|x| in_range(op, x as f32, a, b))
            })
        }
        (DataType::Float64, _) => {
            let (left, right) = (Argument::<Float64Type>::new(left)?, Argument::new(right)?);
            floats(op, &left, &right, out, |a, b| float(op, a, b))
        }
        (DataType::Decimal128(_, s1), DataType::Decimal128(_, s2)) => {
            numerics(op, (&Argument::new(left)?, s1), (&Argument::new(right)?, s2), out)
        }
        (l, r) => Err(no_operator(op.symbol(), &l, &r)),
    }
}

/// Floats by one loop without a branch, and by `exactly` where something may be wrong.
fn floats<T: ArrowPrimitiveType>(
    op: Op,
    left: &Argument<T>,
    right: &Argument<T>,
    out: &DataType,
    exactly: impl Fn(T::Native, T::Native) -> Result<T::Native>,
) -> Result<ColumnarValue>
where
    T::Native: Into<f64> + std::ops::Add<Output = T::Native> + std::ops::Sub<Output = T::Native>,
    T::Native: std::ops::Mul<Output = T::Native>,
{
    let doubtful = |x: T::Native| !x.into().is_finite();
    let plain = match op {
        Op::Add => zip_flagged(left, right, out, |a, b| (a + b, doubtful(a + b)), overflow),
        Op::Sub => zip_flagged(left, right, out, |a, b| (a - b, doubtful(a - b)), overflow),
        Op::Mul => {
            let zero = |x: T::Native| x.into() == 0.0;
            zip_flagged(left, right, out, |a, b| (a * b, doubtful(a * b) | zero(a * b)), overflow)
        }
        _ => return zip::<T, T, T>(left, right, out, exactly),
    };
    // What is not finite may be what it should be, and an overflow has words of its own.
    plain.or_else(|_| zip::<T, T, T>(left, right, out, exactly))
}

/// A sum, which is infinite only where a term is.
#[inline(always)]
fn within<T: Into<f64> + Copy>(value: T, a: T, b: T) -> Result<T> {
    let wrong = value.into().is_infinite() && !a.into().is_infinite() && !b.into().is_infinite();
    if wrong { Err(overflow()) } else { Ok(value) }
}

/// A product, which is infinite or zero only where a factor is.
#[inline(always)]
fn product<T: Into<f64> + Copy>(value: T, a: T, b: T) -> Result<T> {
    if value.into() == 0.0 && a.into() != 0.0 && b.into() != 0.0 {
        return Err(underflow());
    }
    within(value, a, b)
}

/// What integers of every size can do.
pub trait Integer: Copy + PartialEq {
    /// PostgreSQL's name.
    const NAME: &'static str;
    /// Zero.
    const ZERO: Self;
    /// The operator, and whether the result is wrong. Division by zero is excluded before.
    fn apply(op: Op, a: Self, b: Self) -> (Self, bool);
    /// `-a`, and whether the result is wrong.
    fn negate(a: Self) -> (Self, bool);
}

macro_rules! integer {
    ($type:ty, $name:literal) => {
        impl Integer for $type {
            const NAME: &'static str = $name;
            const ZERO: Self = 0;

            #[inline(always)]
            fn apply(op: Op, a: Self, b: Self) -> (Self, bool) {
                match op {
                    Op::Add => a.overflowing_add(b),
                    Op::Sub => a.overflowing_sub(b),
                    Op::Mul => a.overflowing_mul(b),
                    Op::Div => a.overflowing_div(b),
                    // The smallest integer modulo -1 overflows on the way, but is 0.
                    Op::Mod | Op::Pow => (a.wrapping_rem(b), false),
                }
            }

            #[inline(always)]
            fn negate(a: Self) -> (Self, bool) {
                a.overflowing_neg()
            }
        }
    };
}

integer!(i16, "smallint");
integer!(i32, "integer");
integer!(i64, "bigint");

/// 22003: the result of integer arithmetic does not fit.
pub fn out_of_range(type_name: &str) -> Error {
    Error::new("22003", format!("{type_name} out of range"))
}

/// 22012
pub fn division_by_zero() -> Error {
    Error::new("22012", "division by zero")
}

fn integers<T>(op: Op, left: &ColumnarValue, right: &ColumnarValue, out: &DataType) -> Result<ColumnarValue>
where
    T: ArrowPrimitiveType,
    T::Native: Integer,
{
    let (left, right) = (Argument::<T>::new(left)?, Argument::<T>::new(right)?);
    let fail = || out_of_range(T::Native::NAME);
    // Each operator gets a loop of its own.
    macro_rules! flagged {
        ($op:expr) => {
            zip_flagged(&left, &right, out, |a, b| T::Native::apply($op, a, b), fail)
        };
    }
    match op {
        Op::Add => flagged!(Op::Add),
        Op::Sub => flagged!(Op::Sub),
        Op::Mul => flagged!(Op::Mul),
        Op::Div | Op::Mod | Op::Pow => zip::<T, T, T>(&left, &right, out, |a, b| {
            if b == T::Native::ZERO {
                return Err(division_by_zero());
            }
            match T::Native::apply(op, a, b) {
                (value, false) => Ok(value),
                _ => Err(fail()),
            }
        }),
    }
}

/// `-x`, checked.
///
/// # Errors
/// 22003, and 22008 for an interval.
pub fn negate(value: &ColumnarValue, out: &DataType, rows: usize) -> Result<ColumnarValue> {
    fn integers<T: ArrowPrimitiveType>(value: &ColumnarValue, out: &DataType) -> Result<ColumnarValue>
    where
        T::Native: Integer,
    {
        map::<T, T>(&Argument::new(value)?, out, |a| match T::Native::negate(a) {
            (value, false) => Ok(value),
            _ => Err(out_of_range(T::Native::NAME)),
        })
    }
    match value.data_type() {
        DataType::Int16 => integers::<Int16Type>(value, out),
        DataType::Int32 => integers::<Int32Type>(value, out),
        DataType::Int64 => integers::<Int64Type>(value, out),
        DataType::Float32 => map::<Float32Type, Float32Type>(&Argument::new(value)?, out, |a| Ok(-a)),
        DataType::Float64 => map::<Float64Type, Float64Type>(&Argument::new(value)?, out, |a| Ok(-a)),
        DataType::Decimal128(..) => map::<Decimal128Type, Decimal128Type>(&Argument::new(value)?, out, |a| Ok(-a)),
        UNBOUNDED => exact::map(value, rows, |number| Ok(number.negated())),
        _ => time::negate(value, out),
    }
}

fn overflow() -> Error {
    Error::new("22003", "value out of range: overflow")
}

fn underflow() -> Error {
    Error::new("22003", "value out of range: underflow")
}

/// A result as it is kept in a `real`.
fn in_range(op: Op, value: f32, a: f32, b: f32) -> Result<f32> {
    match op {
        Op::Add | Op::Sub => within(value, a, b),
        Op::Mul => product(value, a, b),
        _ if value == 0.0 && a != 0.0 && !b.is_infinite() => Err(underflow()),
        _ => within(value, a, b),
    }
}

#[inline]
fn float(op: Op, a: f64, b: f64) -> Result<f64> {
    let value = match op {
        Op::Add => return within(a + b, a, b),
        Op::Sub => return within(a - b, a, b),
        Op::Mul => return product(a * b, a, b),
        Op::Div | Op::Mod => {
            if b == 0.0 && !a.is_nan() {
                return Err(division_by_zero());
            }
            let value = a / b;
            if value == 0.0 && a != 0.0 && !b.is_infinite() {
                return Err(underflow());
            }
            value
        }
        Op::Pow => return float_power(a, b),
    };
    if value.is_infinite() && a.is_finite() && b.is_finite() { Err(overflow()) } else { Ok(value) }
}

/// `a ^ b` as `power(double precision, double precision)` has it.
///
/// # Errors
/// 2201F and 22003.
pub fn float_power(a: f64, b: f64) -> Result<f64> {
    if a == 0.0 && b < 0.0 && !a.is_nan() {
        return Err(Error::new("2201F", "zero raised to a negative power is undefined"));
    }
    if a < 0.0 && b.is_finite() && b.fract() != 0.0 {
        return Err(Error::new("2201F", "a negative number raised to a non-integer power yields a complex result"));
    }
    let value = a.powf(b);
    if a.is_finite() && b.is_finite() {
        if value.is_infinite() {
            return Err(overflow());
        }
        if value == 0.0 && a != 0.0 {
            return Err(underflow());
        }
    }
    Ok(value)
}

fn numerics(
    op: Op,
    (left, s1): (&Argument<Decimal128Type>, i8),
    (right, s2): (&Argument<Decimal128Type>, i8),
    out: &DataType,
) -> Result<ColumnarValue> {
    let &DataType::Decimal128(precision, scale) = out else {
        return Err(Error::internal(format!("numeric arithmetic cannot give {out}")));
    };
    let limit = POWERS[usize::from(precision)];
    let checked = |value: Option<i128>| match value {
        Some(value) if -limit < value && value < limit => Ok(value),
        _ => Err(overflows_numeric()),
    };
    // Both at the scale of the result.
    let (k1, k2) = (power(scale - s1), power(scale - s2));
    let same = |a: i128, b: i128| a.checked_mul(k1).zip(b.checked_mul(k2));
    macro_rules! each {
        ($f:expr) => {
            zip::<Decimal128Type, Decimal128Type, Decimal128Type>(left, right, out, $f)
        };
    }
    match op {
        Op::Add => each!(|a, b| checked(same(a, b).and_then(|(a, b)| a.checked_add(b)))),
        Op::Sub => each!(|a, b| checked(same(a, b).and_then(|(a, b)| a.checked_sub(b)))),
        Op::Mod => each!(|a, b| match b {
            0 => Err(division_by_zero()),
            _ => checked(same(a, b).map(|(a, b)| a % b)),
        }),
        Op::Mul => each!(|a: i128, b: i128| checked(a.checked_mul(b))),
        Op::Div | Op::Pow => Err(Error::internal(format!("{} of numerics has no scale", op.symbol()))),
    }
}

/// A power of ten; 1 for a negative exponent.
fn power(exponent: i8) -> i128 {
    POWERS[exponent.clamp(0, 38).unsigned_abs() as usize]
}
