//! Sums, products, quotients and rounding.

use super::{Decimal, MAX_RESULT_SCALE, MAX_SCALE, MIN_SIGNIFICANT, Numeric, NumericError, Result, power_of_ten};
use num_bigint::BigInt;

impl Numeric {
    /// `self + other`, at the larger of both scales.
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn add(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::Finite(a), Numeric::Finite(b)) => {
                let (a, b, scale) = Decimal::aligned(a, b);
                Numeric::new(a + b, scale)
            }
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            (Numeric::Infinity, Numeric::NegativeInfinity) | (Numeric::NegativeInfinity, Numeric::Infinity) => {
                Ok(Numeric::NaN)
            }
            (Numeric::Finite(_), infinite) | (infinite, _) => Ok(infinite.clone()),
        }
    }

    /// `self − other`, at the larger of both scales.
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn sub(&self, other: &Numeric) -> Result<Numeric> {
        self.add(&other.negated())
    }

    /// `self · other`, at the sum of both scales.
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn mul(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::Finite(a), Numeric::Finite(b)) => {
                let product = Decimal { unscaled: &a.unscaled * &b.unscaled, scale: a.scale + b.scale };
                let scale = product.scale.min(MAX_SCALE);
                product.rounded(scale.into()).checked().map(Numeric::Finite)
            }
            (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
            _ => Ok(match self.signum() * other.signum() {
                0 => Numeric::NaN,
                sign => Numeric::infinity(sign),
            }),
        }
    }

    /// `self / other`, with at least 16 significant digits.
    ///
    /// # Errors
    /// [`NumericError::DivisionByZero`] and [`NumericError::Overflow`].
    pub fn div(&self, other: &Numeric) -> Result<Numeric> {
        match self.divided(other)? {
            Ok((a, b)) => {
                let scale = a.quotient_scale(b);
                let shifted = &a.unscaled * power_of_ten(scale + b.scale - a.scale);
                Numeric::new(divide_rounded(&shifted, &b.unscaled), scale)
            }
            Err(special) => Ok(special),
        }
    }

    /// `self / other` without what is after the point.
    ///
    /// # Errors
    /// [`NumericError::DivisionByZero`] and [`NumericError::Overflow`].
    pub fn div_whole(&self, other: &Numeric) -> Result<Numeric> {
        match self.divided(other)? {
            Ok((a, b)) => {
                let (a, b, _) = Decimal::aligned(a, b);
                Numeric::new(a / b, 0)
            }
            Err(special) => Ok(special),
        }
    }

    /// What is left of `self` after [`Numeric::div_whole`], with the sign of `self`.
    ///
    /// # Errors
    /// [`NumericError::DivisionByZero`]
    pub fn rem(&self, other: &Numeric) -> Result<Numeric> {
        match (self, other) {
            (Numeric::Finite(_), Numeric::Infinity | Numeric::NegativeInfinity) => Ok(self.clone()),
            (Numeric::Infinity | Numeric::NegativeInfinity, divisor) if divisor.signum() != 0 => Ok(Numeric::NaN),
            _ => match self.divided(other)? {
                Ok((a, b)) => {
                    let (a, b, scale) = Decimal::aligned(a, b);
                    Numeric::new(a % b, scale)
                }
                Err(special) => Ok(special),
            },
        }
    }

    /// Both numbers when a quotient of them can be computed, or else what it is.
    fn divided<'a>(&'a self, other: &'a Numeric) -> Result<std::result::Result<(&'a Decimal, &'a Decimal), Numeric>> {
        if self.is_nan() || other.is_nan() {
            return Ok(Err(Numeric::NaN));
        }
        if other.signum() == 0 {
            return Err(NumericError::DivisionByZero);
        }
        Ok(match (self, other) {
            (Numeric::Finite(a), Numeric::Finite(b)) => Ok((a, b)),
            (Numeric::Finite(_), _) => Err(Numeric::ZERO),
            (_, Numeric::Finite(_)) => Err(Numeric::infinity(self.signum() * other.signum())),
            _ => Err(Numeric::NaN),
        })
    }

    /// `−self`
    pub fn negated(&self) -> Numeric {
        match self {
            Numeric::NegativeInfinity => Numeric::Infinity,
            Numeric::Infinity => Numeric::NegativeInfinity,
            Numeric::NaN => Numeric::NaN,
            Numeric::Finite(Decimal { unscaled, scale }) => {
                Numeric::Finite(Decimal { unscaled: -unscaled, scale: *scale })
            }
        }
    }

    /// Its distance from zero.
    pub fn abs(&self) -> Numeric {
        if self.signum() < 0 { self.negated() } else { self.clone() }
    }

    /// Rounded to so many digits after the point, halves away from zero; before the point when there are less than
    /// none. It is shown with as many.
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn round(&self, places: i32) -> Result<Numeric> {
        self.to_place(places, divide_rounded)
    }

    /// As [`Numeric::round`], but towards zero.
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn trunc(&self, places: i32) -> Result<Numeric> {
        self.to_place(places, |a, b| a / b)
    }

    /// The largest whole number that is not larger.
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn floor(&self) -> Result<Numeric> {
        let whole = self.trunc(0)?;
        if whole > *self { whole.sub(&Numeric::from(1)) } else { Ok(whole) }
    }

    /// The smallest whole number that is not smaller.
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn ceil(&self) -> Result<Numeric> {
        Ok(self.negated().floor()?.negated())
    }

    fn to_place(&self, places: i32, divide: fn(&BigInt, &BigInt) -> BigInt) -> Result<Numeric> {
        let Numeric::Finite(decimal) = self else { return Ok(self.clone()) };
        let places = places.clamp(-2_000, 2_000);
        decimal.at_scale(places.into(), divide).checked().map(Numeric::Finite)
    }

    /// The same number without zeros at the end.
    pub fn trimmed(&self) -> Numeric {
        match self {
            Numeric::Finite(decimal) => Numeric::Finite(decimal.rounded(decimal.min_scale().into())),
            other => other.clone(),
        }
    }

    /// The greatest common divisor, at the larger of both scales.
    pub fn gcd(&self, other: &Numeric) -> Numeric {
        let (Numeric::Finite(a), Numeric::Finite(b)) = (self, other) else { return Numeric::NaN };
        let (mut a, mut b, scale) = Decimal::aligned(a, b);
        while b != BigInt::ZERO {
            (a, b) = (b.clone(), a % b);
        }
        Numeric::Finite(Decimal { unscaled: a, scale }).abs()
    }

    /// The least common multiple, at the larger of both scales.
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn lcm(&self, other: &Numeric) -> Result<Numeric> {
        let (Numeric::Finite(a), Numeric::Finite(b)) = (self, other) else { return Ok(Numeric::NaN) };
        let scale = a.scale.max(b.scale);
        if a.signum() == 0 || b.signum() == 0 {
            return Numeric::new(BigInt::ZERO, scale);
        }
        let gcd = self.gcd(other);
        self.div_whole(&gcd)?.mul(other).map(|product| product.abs())?.round(scale as i32)
    }
}

impl Decimal {
    /// Both numbers at the larger of their scales, and that scale.
    fn aligned(a: &Decimal, b: &Decimal) -> (BigInt, BigInt, u32) {
        let scale = a.scale.max(b.scale);
        let at = |x: &Decimal| match scale - x.scale {
            0 => x.unscaled.clone(),
            shift => &x.unscaled * power_of_ten(shift),
        };
        (at(a), at(b), scale)
    }

    /// At another scale, rounded half away from zero.
    pub(super) fn rounded(&self, scale: i64) -> Decimal {
        self.at_scale(scale, divide_rounded)
    }

    fn at_scale(&self, scale: i64, divide: fn(&BigInt, &BigInt) -> BigInt) -> Decimal {
        let kept = scale.max(0) as u32;
        let shift = scale - i64::from(self.scale);
        let unscaled = match u32::try_from(shift) {
            Ok(0) => self.unscaled.clone(),
            Ok(shift) => &self.unscaled * power_of_ten(shift),
            Err(_) => {
                let rounded = divide(&self.unscaled, &power_of_ten(shift.unsigned_abs() as u32));
                if scale < 0 { rounded * power_of_ten(scale.unsigned_abs() as u32) } else { rounded }
            }
        };
        Decimal { unscaled, scale: kept }
    }

    /// The power of 10 000 that the first digits have as their unit, and what they are, from 1 to 9 999; zeros of zero.
    pub(super) fn leading(&self) -> (i64, u32) {
        if self.signum() == 0 {
            return (0, 0);
        }
        let digits = self.digits();
        let exponent = digits.len() as i64 - 1 - i64::from(self.scale);
        let weight = exponent.div_euclid(4);
        let count = exponent.rem_euclid(4) as usize + 1;
        let digit = |i: usize| digits.as_bytes().get(i).map_or(0, |digit| u32::from(digit - b'0'));
        (weight, (0..count).fold(0, |group, i| group * 10 + digit(i)))
    }

    /// The scale of a quotient: 16 significant digits, and no fewer than either number has after the point.
    pub(super) fn quotient_scale(&self, divisor: &Decimal) -> u32 {
        let ((weight, first), (other_weight, other_first)) = (self.leading(), divisor.leading());
        let quotient_weight = weight - other_weight - i64::from(first <= other_first);
        let scale = MIN_SIGNIFICANT - quotient_weight * 4;
        result_scale(scale, &[self.scale, divisor.scale])
    }
}

/// The scale that is wanted, but no smaller than those of the operands, and no larger than is ever computed.
pub(super) fn result_scale(wanted: i64, operands: &[u32]) -> u32 {
    let least = operands.iter().max().map_or(0, |scale| i64::from(*scale));
    wanted.max(least).clamp(0, MAX_RESULT_SCALE) as u32
}

/// `a / b`, rounded half away from zero.
pub(super) fn divide_rounded(a: &BigInt, b: &BigInt) -> BigInt {
    let quotient = a / b;
    let rest = a - &quotient * b;
    let twice = rest.magnitude() * 2u32;
    if twice < *b.magnitude() {
        return quotient;
    }
    if (a.sign() == num_bigint::Sign::Minus) == (b.sign() == num_bigint::Sign::Minus) {
        quotient + 1
    } else {
        quotient - 1
    }
}
