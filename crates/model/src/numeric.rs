//! `numeric` without bounds: exact decimal numbers with a scale each, not-a-number and both infinities.
//!
//! ```text
//! numeric       what it is: its limits, its order, its digits
//! ├ text        as it is read and shown
//! ├ bytes       as it is kept: bytes in the order of the numbers
//! ├ arithmetic  + − × ÷ %, rounding
//! └ function    roots, powers, logarithms
//! ```
//!
//! A number has the value `unscaled` · 10^−`scale`. The scale is how many digits are shown after the point; it does
//! not count where numbers are compared, so 1.0 and 1.00 are equal. What scale a result has is PostgreSQL's choice,
//! and is said where it is made.

mod arithmetic;
mod bytes;
mod function;
mod text;

pub use bytes::{SCALE_BYTES, key_of};

use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

/// Digits that a number may have before the point.
pub const MAX_WHOLE_DIGITS: u32 = 131_072;

/// Digits that a number may have after the point.
pub const MAX_SCALE: u32 = 16_383;

/// Digits after the point that are computed at most where a result has no end.
const MAX_RESULT_SCALE: i64 = 1_000;

/// Digits that a result without an end has at least, from its first that is not zero.
const MIN_SIGNIFICANT: i64 = 16;

/// A `numeric`.
#[derive(Clone, Debug)]
pub enum Numeric {
    /// Less than every number.
    NegativeInfinity,
    /// A number.
    Finite(Decimal),
    /// More than every number.
    Infinity,
    /// Not a number; equal to itself, and more than everything else.
    NaN,
}

/// A finite number.
#[derive(Clone, Debug)]
pub struct Decimal {
    unscaled: BigInt,
    scale: u32,
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumericError {
    /// The text is no number.
    #[error("it is no number")]
    Syntax,
    /// More digits than a number may have.
    #[error("value overflows numeric format")]
    Overflow,
    /// A divisor is zero.
    #[error("division by zero")]
    DivisionByZero,
    /// The root of a negative number.
    #[error("cannot take square root of a negative number")]
    NegativeRoot,
    /// The logarithm of zero.
    #[error("cannot take logarithm of zero")]
    LogarithmOfZero,
    /// The logarithm of a negative number.
    #[error("cannot take logarithm of a negative number")]
    LogarithmOfNegative,
    /// Zero to a negative power.
    #[error("zero raised to a negative power is undefined")]
    ZeroToNegative,
    /// A negative number to a power that is not whole.
    #[error("a negative number raised to a non-integer power yields a complex result")]
    Complex,
}

/// What may fail here.
pub type Result<T> = std::result::Result<T, NumericError>;

impl Numeric {
    /// Zero, without digits after the point.
    pub const ZERO: Numeric = Numeric::Finite(Decimal { unscaled: BigInt::ZERO, scale: 0 });

    /// The number `unscaled` · 10^−`scale`.
    ///
    /// # Errors
    /// [`NumericError::Overflow`] when it has more digits than a number may have.
    pub fn new(unscaled: BigInt, scale: u32) -> Result<Numeric> {
        Decimal { unscaled, scale }.checked().map(Numeric::Finite)
    }

    /// The number `unscaled` · 10^−`scale`, which is within the limits.
    pub fn small(unscaled: i128, scale: u8) -> Numeric {
        Numeric::Finite(Decimal { unscaled: unscaled.into(), scale: scale.into() })
    }

    /// The number `unscaled` · 10^−`scale`.
    ///
    /// * `unscaled` – as bytes, the lowest first, the sign in the highest bit.
    ///
    /// # Errors
    /// As [`Numeric::new`].
    pub fn from_le_bytes(unscaled: &[u8], scale: u32) -> Result<Numeric> {
        Numeric::new(BigInt::from_signed_bytes_le(unscaled), scale)
    }

    /// The finite number that it is, if it is one.
    pub fn finite(&self) -> Option<&Decimal> {
        match self {
            Numeric::Finite(decimal) => Some(decimal),
            _ => None,
        }
    }

    /// Whether it is not a number.
    pub fn is_nan(&self) -> bool {
        matches!(self, Numeric::NaN)
    }

    /// Whether it is one of the infinities.
    pub fn is_infinite(&self) -> bool {
        matches!(self, Numeric::Infinity | Numeric::NegativeInfinity)
    }

    /// −1, 0 or 1; 1 of what is not a number, as it is above all others.
    pub fn signum(&self) -> i8 {
        match self {
            Numeric::NegativeInfinity => -1,
            Numeric::Finite(decimal) => decimal.signum(),
            Numeric::Infinity | Numeric::NaN => 1,
        }
    }

    /// The infinity with the sign of `sign`.
    fn infinity(sign: i8) -> Numeric {
        if sign < 0 { Numeric::NegativeInfinity } else { Numeric::Infinity }
    }

    /// The nearest float; infinite when it is beyond all of them.
    pub fn to_f64(&self) -> f64 {
        match self {
            Numeric::NegativeInfinity => f64::NEG_INFINITY,
            Numeric::Infinity => f64::INFINITY,
            Numeric::NaN => f64::NAN,
            // By way of the digits, so that 0.1 becomes the float that 0.1 is read as.
            Numeric::Finite(Decimal { unscaled, scale }) => {
                format!("{unscaled}e-{scale}").parse().expect("digits and an exponent are a float")
            }
        }
    }

    /// A float by its first significant digits, of which `digits` are trusted.
    pub fn from_f64(value: f64, digits: usize) -> Numeric {
        if value.is_nan() {
            return Numeric::NaN;
        }
        if value.is_infinite() {
            return Numeric::infinity(if value < 0.0 { -1 } else { 1 });
        }
        let text = format!("{value:.*e}", digits - 1);
        let (mantissa, exponent) = text.split_once('e').expect("it is written with an exponent");
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        Numeric::parse(format!("{mantissa}e{exponent}").as_bytes()).expect("no float has too many digits")
    }

    /// The nearest whole number, halves away from zero; `None` when there is none in 128 bits.
    pub fn to_integer(&self) -> Option<i128> {
        let Decimal { unscaled, .. } = self.finite()?.rounded(0);
        i128::try_from(&unscaled).ok()
    }
}

impl From<i64> for Numeric {
    fn from(value: i64) -> Numeric {
        Numeric::small(value.into(), 0)
    }
}

impl Decimal {
    /// All digits with the sign.
    pub fn unscaled(&self) -> &BigInt {
        &self.unscaled
    }

    /// How many of them are after the point.
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// How many digits it has in all, without zeros in front; one of zero.
    pub fn precision(&self) -> u32 {
        self.digits().len() as u32
    }

    /// How many digits after the point are needed: as its scale, without zeros at the end.
    pub fn min_scale(&self) -> u32 {
        if self.signum() == 0 {
            return 0;
        }
        let digits = self.digits();
        let zeros = digits.bytes().rev().take_while(|digit| *digit == b'0').count() as u32;
        self.scale - zeros.min(self.scale)
    }

    fn signum(&self) -> i8 {
        match self.unscaled.sign() {
            Sign::Minus => -1,
            Sign::NoSign => 0,
            Sign::Plus => 1,
        }
    }

    /// The digits without sign and point.
    fn digits(&self) -> String {
        match u128::try_from(self.unscaled.magnitude()) {
            Ok(small) => small.to_string(),
            Err(_) => self.unscaled.magnitude().to_string(),
        }
    }

    /// As it is, if it is within the limits.
    fn checked(self) -> Result<Decimal> {
        if self.scale > MAX_SCALE {
            return Err(NumericError::Overflow);
        }
        // A number of so many bits has fewer digits than are allowed, whatever they are.
        if self.unscaled.bits() > 400_000 && self.digits().len() as u32 > MAX_WHOLE_DIGITS + self.scale {
            return Err(NumericError::Overflow);
        }
        Ok(self)
    }
}

/// 10^`exponent`
fn power_of_ten(exponent: u32) -> BigInt {
    match 10u128.checked_pow(exponent) {
        Some(power) => power.into(),
        None => BigInt::from(10).pow(exponent),
    }
}

impl PartialEq for Numeric {
    fn eq(&self, other: &Numeric) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Numeric {}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Numeric) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Numeric {
    fn cmp(&self, other: &Numeric) -> Ordering {
        let rank = |numeric: &Numeric| match numeric {
            Numeric::NegativeInfinity => 0,
            Numeric::Finite(_) => 1,
            Numeric::Infinity => 2,
            Numeric::NaN => 3,
        };
        match (self, other) {
            (Numeric::Finite(a), Numeric::Finite(b)) => match a.scale.cmp(&b.scale) {
                Ordering::Equal => a.unscaled.cmp(&b.unscaled),
                Ordering::Less => (&a.unscaled * power_of_ten(b.scale - a.scale)).cmp(&b.unscaled),
                Ordering::Greater => a.unscaled.cmp(&(&b.unscaled * power_of_ten(a.scale - b.scale))),
            },
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

#[cfg(test)]
mod tests;
