//! Roots, powers and logarithms, computed in whole numbers with some digits more than are shown.
//!
//! A result has no end, so it has a scale: as many digits after the point that 16 of its digits are significant, and no
//! fewer than the operands have. How many digits are before the point is estimated, in the way in which PostgreSQL does.

use super::arithmetic::{divide_rounded, result_scale};
use super::{
    Decimal, MAX_RESULT_SCALE, MAX_WHOLE_DIGITS, MIN_SIGNIFICANT, Numeric, NumericError, Result, power_of_ten,
};
use num_bigint::BigInt;
use std::f64::consts::{LN_10, LOG10_E};

/// Digits that are computed and not shown.
const GUARD: u32 = 25;

/// The exponential of a number from here on has more digits than are computed.
const MAX_EXPONENT: f64 = 6_000.0;

/// A power whose logarithm is farther from zero is none, or is zero.
const MAX_LOGARITHM: f64 = 6_020.0;

/// Digits of a power that is computed by multiplication.
const MAX_EXACT_DIGITS: u64 = 300_000;

impl Numeric {
    /// The square root.
    ///
    /// # Errors
    /// [`NumericError::NegativeRoot`]
    pub fn sqrt(&self) -> Result<Numeric> {
        let scale = self.finite().map_or(0, |x| result_scale(MIN_SIGNIFICANT - (x.leading().0 * 2 + 1), &[x.scale]));
        self.sqrt_at(scale)
    }

    /// The square root with so many digits after the point.
    ///
    /// # Errors
    /// [`NumericError::NegativeRoot`]
    pub fn sqrt_at(&self, scale: u32) -> Result<Numeric> {
        if self.signum() < 0 {
            return Err(NumericError::NegativeRoot);
        }
        let Numeric::Finite(x) = self else { return Ok(self.clone()) };
        // One digit more, by which the last is rounded.
        let root = x.rounded(i64::from(scale) * 2 + 2).unscaled.sqrt();
        Numeric::new(divide_rounded(&root, &BigInt::from(10)), scale)
    }

    /// The exponential.
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn exp(&self) -> Result<Numeric> {
        match self {
            Numeric::Finite(x) => {
                let digits = (self.to_f64() * LOG10_E).clamp(-2_000.0, 2_000.0) as i64;
                x.exp(result_scale(MIN_SIGNIFICANT - digits, &[x.scale]))
            }
            Numeric::NegativeInfinity => Ok(Numeric::ZERO),
            other => Ok(other.clone()),
        }
    }

    /// The natural logarithm.
    ///
    /// # Errors
    /// [`NumericError::LogarithmOfZero`] and [`NumericError::LogarithmOfNegative`].
    pub fn ln(&self) -> Result<Numeric> {
        match self.has_logarithm()? {
            Some(x) => {
                let scale = result_scale(MIN_SIGNIFICANT - x.ln_digits(), &[x.scale]);
                let digits = x.ln(scale + GUARD);
                Numeric::new(divide_rounded(&digits, &power_of_ten(GUARD)), scale)
            }
            None => Ok(self.clone()),
        }
    }

    /// The logarithm of `self` to a base.
    ///
    /// # Errors
    /// Those of [`Numeric::ln`], and [`NumericError::DivisionByZero`] when the base is 1.
    pub fn log(&self, base: &Numeric) -> Result<Numeric> {
        if self.is_nan() || base.is_nan() {
            return Ok(Numeric::NaN);
        }
        match (base.has_logarithm()?, self.has_logarithm()?) {
            (Some(b), Some(x)) => {
                let (base_digits, digits) = (b.ln_digits(), x.ln_digits());
                let scale = result_scale(MIN_SIGNIFICANT - (digits - base_digits), &[b.scale, x.scale]);
                let places = scale + GUARD + (2 * base_digits.abs() + digits.abs()) as u32;
                let divisor = b.ln(places);
                if divisor == BigInt::ZERO {
                    return Err(NumericError::DivisionByZero);
                }
                Numeric::new(divide_rounded(&(x.ln(places) * power_of_ten(scale)), &divisor), scale)
            }
            (Some(_), None) => Ok(Numeric::Infinity),
            (None, Some(_)) => Ok(Numeric::ZERO),
            (None, None) => Ok(Numeric::NaN),
        }
    }

    /// The number, when it has a finite logarithm; `None` when its logarithm is itself.
    fn has_logarithm(&self) -> Result<Option<&Decimal>> {
        match self.signum() {
            0 => Err(NumericError::LogarithmOfZero),
            1 => Ok(self.finite()),
            _ => Err(NumericError::LogarithmOfNegative),
        }
    }

    /// `self` to a power.
    ///
    /// # Errors
    /// [`NumericError::ZeroToNegative`], [`NumericError::Complex`] and [`NumericError::Overflow`].
    pub fn power(&self, exponent: &Numeric) -> Result<Numeric> {
        let one = Numeric::from(1);
        if *self == one && !exponent.is_infinite() && exponent.is_nan() || self.is_nan() && exponent.signum() == 0 {
            return Ok(one);
        }
        if self.is_nan() || exponent.is_nan() {
            return Ok(Numeric::NaN);
        }
        if self.signum() == 0 && exponent.signum() < 0 {
            return Err(NumericError::ZeroToNegative);
        }
        let whole = exponent.finite().is_none_or(|exponent| exponent.min_scale() == 0);
        if self.signum() < 0 && !whole {
            return Err(NumericError::Complex);
        }
        match (self, exponent) {
            (Numeric::Finite(base), Numeric::Finite(exponent)) => base.power(exponent, whole),
            (_, Numeric::Finite(exponent)) => Ok(match exponent.signum() {
                0 => one,
                -1 => Numeric::ZERO,
                _ if self.signum() < 0 && exponent.is_odd() => Numeric::NegativeInfinity,
                _ => Numeric::Infinity,
            }),
            _ if self.abs() == one => Ok(one),
            _ => Ok(match (self.abs() > one, exponent.signum() > 0) {
                (true, true) | (false, false) => Numeric::Infinity,
                _ => Numeric::ZERO,
            }),
        }
    }

    /// `1 · 2 · … · n`
    ///
    /// # Errors
    /// [`NumericError::Overflow`]
    pub fn factorial(n: u32) -> Result<Numeric> {
        // The first factorial with too many digits.
        if n > 32_177 {
            return Err(NumericError::Overflow);
        }
        Numeric::new((2..=n).fold(BigInt::from(1), |product, factor| product * factor), 0)
    }
}

impl Decimal {
    /// Whether a whole number is odd.
    fn is_odd(&self) -> bool {
        self.rounded(0).unscaled.bit(0)
    }

    /// The logarithm to base 10 of its size, as a float.
    fn log10(&self) -> f64 {
        let digits = self.digits();
        let first: f64 = digits[..digits.len().min(17)].parse().expect("digits are a float");
        first.log10() + (digits.len().saturating_sub(17) as f64) - f64::from(self.scale)
    }

    /// Digits before the point of the natural logarithm, less one; negative when it begins later.
    fn ln_digits(&self) -> i64 {
        let tenths = self.rounded(i64::from(self.scale.max(1)));
        let unit = power_of_ten(tenths.scale - 1);
        let (low, high) = (&unit * 9, &unit * 11);
        if low <= tenths.unscaled && tenths.unscaled <= high {
            // Here the logarithm is nearly the number less one.
            let distance = Decimal { unscaled: tenths.unscaled - unit * 10, scale: tenths.scale };
            let (weight, first) = distance.leading();
            return if first == 0 { 0 } else { weight * 4 + i64::from(first.ilog10()) };
        }
        (self.log10() * LN_10).abs().log10() as i64
    }

    /// The natural logarithm, as a whole number of units of 10^−`places`, of a number above zero.
    fn ln(&self, places: u32) -> BigInt {
        let places = places + GUARD;
        let exponent = self.digits().len() as i64 - 1 - i64::from(self.scale);
        // The number is m · 10^exponent with m from 1 to 10.
        let shift = i64::from(places) - i64::from(self.scale) - exponent;
        let m = match u32::try_from(shift) {
            Ok(shift) => &self.unscaled * power_of_ten(shift),
            Err(_) => &self.unscaled / power_of_ten(shift.unsigned_abs() as u32),
        };
        let mut ln = ln_of_fixed(m, places);
        if exponent != 0 {
            ln += ln_of_fixed(power_of_ten(places + 1), places) * exponent;
        }
        divide_rounded(&ln, &power_of_ten(GUARD))
    }

    /// The exponential at a scale.
    fn exp(&self, scale: u32) -> Result<Numeric> {
        let size = Numeric::Finite(self.clone()).to_f64();
        if size >= MAX_EXPONENT {
            return Err(NumericError::Overflow);
        }
        if size <= -MAX_EXPONENT {
            return Numeric::new(BigInt::ZERO, scale);
        }
        let places = scale + (size * LOG10_E).max(0.0) as u32 + GUARD;
        let one = power_of_ten(places);
        // e^x is (e^(x / 2^k))^(2^k), where so small a power is a short sum.
        let halvings = 8 + size.abs().max(1.0).log2() as u32;
        let part = self.rounded(places.into()).unscaled >> halvings;
        let (mut sum, mut term, mut n) = (one.clone(), one.clone(), 0);
        while term != BigInt::ZERO {
            n += 1;
            term = term * &part / &one / n;
            sum += &term;
        }
        for _ in 0..halvings {
            sum = &sum * &sum / &one;
        }
        Numeric::new(divide_rounded(&sum, &power_of_ten(places - scale)), scale)
    }

    /// `self` to a power that there is.
    ///
    /// * `whole` – whether the exponent is a whole number.
    fn power(&self, exponent: &Decimal, whole: bool) -> Result<Numeric> {
        let n = exponent.rounded(0).unscaled;
        if whole && let Ok(n) = i32::try_from(&n) {
            return self.whole_power(n);
        }
        if self.signum() == 0 {
            return Numeric::new(BigInt::ZERO, MIN_SIGNIFICANT as u32);
        }
        let digits = self.log10() * Numeric::Finite(exponent.clone()).to_f64();
        if digits * LN_10 > MAX_LOGARITHM {
            return Err(NumericError::Overflow);
        }
        if digits * LN_10 < -MAX_LOGARITHM {
            return Numeric::new(BigInt::ZERO, MAX_RESULT_SCALE as u32);
        }
        let negative = self.signum() < 0 && exponent.is_odd();
        let scale = result_scale(MIN_SIGNIFICANT - digits as i64, &[self.scale, exponent.scale]);
        self.computed_power(exponent, digits, scale, negative)
    }

    fn whole_power(&self, n: i32) -> Result<Numeric> {
        let scale = result_scale(MIN_SIGNIFICANT, &[self.scale]);
        if n == 0 || self.signum() == 0 {
            let unscaled = if n == 0 { power_of_ten(scale) } else { BigInt::ZERO };
            return Numeric::new(unscaled, scale);
        }
        let size = n.unsigned_abs();
        let negative = self.signum() < 0 && size % 2 == 1;
        let digits = self.log10() * f64::from(n);
        if digits > f64::from(MAX_WHOLE_DIGITS) {
            return Err(NumericError::Overflow);
        }
        if digits < -f64::from(scale) - 2.0 {
            return Numeric::new(BigInt::ZERO, scale);
        }
        if self.digits().len() as u64 * u64::from(size) > MAX_EXACT_DIGITS {
            let exponent = Decimal { unscaled: n.into(), scale: 0 };
            return self.computed_power(&exponent, digits, scale, negative);
        }
        let power = Decimal { unscaled: self.unscaled.pow(size), scale: self.scale * size };
        if n > 0 {
            return power.rounded(scale.into()).checked().map(Numeric::Finite);
        }
        Numeric::new(divide_rounded(&power_of_ten(power.scale + scale), &power.unscaled), scale)
    }

    /// A power by way of the logarithm.
    ///
    /// * `digits` – about how many the result has before the point.
    fn computed_power(&self, exponent: &Decimal, digits: f64, scale: u32, negative: bool) -> Result<Numeric> {
        let places = scale + digits.max(0.0) as u32 + exponent.digits().len() as u32 + GUARD;
        let base = Decimal { unscaled: self.unscaled.magnitude().clone().into(), scale: self.scale };
        let product = Decimal { unscaled: base.ln(places) * &exponent.unscaled, scale: places + exponent.scale };
        let power = product.exp(scale)?;
        Ok(if negative { power.negated() } else { power })
    }
}

/// The natural logarithm of `m`, both in units of 10^−`places`.
fn ln_of_fixed(mut m: BigInt, places: u32) -> BigInt {
    const ROOTS: u32 = 8;
    let one = power_of_ten(places);
    // Near 1 the sum is short, and roots bring it there.
    for _ in 0..ROOTS {
        m = (m * &one).sqrt();
    }
    // ln m = 2 (y + y³/3 + y⁵/5 + …) with y = (m − 1) / (m + 1)
    let y = (&m - &one) * &one / (m + &one);
    let square = &y * &y / &one;
    let (mut sum, mut power, mut n) = (y.clone(), y, 1);
    while power != BigInt::ZERO {
        n += 2;
        power = power * &square / &one;
        sum += &power / n;
    }
    sum << (ROOTS + 1)
}
