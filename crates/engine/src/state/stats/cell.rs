//! What one group has seen.

use super::Kind;
use crate::Error;
use arrow::datatypes::i256;
use datafusion::common::Result;

/// What one group has seen of floats.
#[derive(Clone, Copy, Debug)]
pub struct FloatCell {
    pub n: i64,
    pub sum: f64,
    /// The first value; deviations are from it.
    pub pivot: f64,
    pub deviation: f64,
    pub squares: f64,
    pub min: f64,
    pub max: f64,
}

impl Default for FloatCell {
    fn default() -> Self {
        FloatCell { n: 0, sum: 0.0, pivot: 0.0, deviation: 0.0, squares: 0.0, min: f64::NAN, max: f64::NEG_INFINITY }
    }
}

impl FloatCell {
    #[inline]
    pub fn add(&mut self, x: f64) {
        if self.n == 0 {
            self.pivot = x;
        }
        self.n += 1;
        self.sum += x;
        let d = x - self.pivot;
        self.deviation += d;
        self.squares += d * d;
        // NaN is greater than everything, as in PostgreSQL.
        if x < self.min || self.min.is_nan() {
            self.min = x;
        }
        if x > self.max || x.is_nan() {
            self.max = x;
        }
    }

    pub fn mean(&self) -> f64 {
        self.pivot + self.deviation / self.n as f64
    }

    pub fn m2(&self) -> f64 {
        let m2 = self.squares - self.deviation * self.deviation / self.n as f64;
        if m2 < 0.0 { 0.0 } else { m2 }
    }

    pub fn merge(&mut self, other: &FloatCell) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        let (a, b) = (self.n as f64, other.n as f64);
        let delta = other.mean() - self.mean();
        let m2 = self.m2() + other.m2() + delta * delta * a * b / (a + b);
        let mean = self.mean() + delta * b / (a + b);
        self.n += other.n;
        self.sum += other.sum;
        (self.pivot, self.deviation, self.squares) = (mean, 0.0, m2);
        if other.min < self.min || self.min.is_nan() {
            self.min = other.min;
        }
        if other.max > self.max || other.max.is_nan() {
            self.max = other.max;
        }
    }

    /// A finished value other than the count, `None` of too few rows.
    pub fn finish(&self, kind: Kind) -> Option<f64> {
        let n = self.n as f64;
        match kind {
            _ if self.n == 0 => None,
            Kind::Sum => Some(self.sum),
            Kind::Avg => Some(self.sum / n),
            Kind::Min => Some(self.min),
            Kind::Max => Some(self.max),
            Kind::VarPop => Some(self.m2() / n),
            Kind::StddevPop => Some((self.m2() / n).sqrt()),
            Kind::VarSamp if self.n > 1 => Some(self.m2() / (n - 1.0)),
            Kind::StddevSamp if self.n > 1 => Some((self.m2() / (n - 1.0)).sqrt()),
            _ => None,
        }
    }
}

/// What one group has seen of integers or numerics.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExactCell {
    pub n: i64,
    pub sum: i128,
    pub sumsq: i256,
    pub min: i128,
    pub max: i128,
}

impl ExactCell {
    #[inline]
    pub fn add(&mut self, x: i128, squares: bool) -> Result<()> {
        if self.n == 0 {
            (self.min, self.max) = (x, x);
        }
        self.n += 1;
        self.sum = self.sum.checked_add(x).ok_or_else(overflow)?;
        if squares {
            let x = i256::from_i128(x);
            let square = x.checked_mul(x).ok_or_else(overflow)?;
            self.sumsq = self.sumsq.checked_add(square).ok_or_else(overflow)?;
        }
        self.min = self.min.min(x);
        self.max = self.max.max(x);
        Ok(())
    }

    pub fn merge(&mut self, other: &ExactCell) -> Result<()> {
        if other.n == 0 {
            return Ok(());
        }
        if self.n == 0 {
            *self = *other;
            return Ok(());
        }
        self.n += other.n;
        self.sum = self.sum.checked_add(other.sum).ok_or_else(overflow)?;
        self.sumsq = self.sumsq.checked_add(other.sumsq).ok_or_else(overflow)?;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        Ok(())
    }

    /// An average, variance or deviation of numbers of `scale`, as an integer of scale `to`; `None` of too few rows.
    pub fn ratio(&self, kind: Kind, scale: i8, to: i8) -> Result<Option<i128>, Error> {
        if self.n == 0 {
            return Ok(None);
        }
        let n = i256::from_i128(i128::from(self.n));
        let power =
            |exponent: i8| i256::from_i128(10).checked_pow(u32::from(exponent.unsigned_abs())).ok_or_else(overflow);
        if kind == Kind::Avg {
            let scaled = i256::from_i128(self.sum).checked_mul(power(to - scale)?).ok_or_else(overflow)?;
            return rounded(scaled, n).and_then(|v| v.to_i128()).map(Some).ok_or_else(overflow);
        }
        let denominator = match kind {
            Kind::VarPop | Kind::StddevPop => n,
            _ if self.n > 1 => n - i256::ONE,
            _ => return Ok(None),
        };
        // n·Σx² − (Σx)² is exact; only the last division, and a root, round.
        let sum = i256::from_i128(self.sum);
        let squares = n.checked_mul(self.sumsq).ok_or_else(overflow)?;
        let spread = squares.checked_sub(sum.checked_mul(sum).ok_or_else(overflow)?).ok_or_else(overflow)?;
        let divisor = n.checked_mul(denominator).ok_or_else(overflow)?;
        let deviation = matches!(kind, Kind::StddevSamp | Kind::StddevPop);
        let exponent = if deviation { 2 * to - 2 * scale } else { to - 2 * scale };
        let value = match spread.checked_mul(power(exponent.max(0))?) {
            Some(scaled) if exponent >= 0 => rounded(scaled, divisor),
            _ => None,
        };
        let value = match (value, deviation) {
            (Some(v), true) => v.to_i128().map(|v| v.isqrt()),
            (Some(v), false) => v.to_i128(),
            // Too many digits for 256 bits: a double has fewer than are lost.
            (None, _) => {
                let double = |v: i256| v.to_string().parse::<f64>().unwrap_or(f64::NAN);
                let variance = double(spread) / double(divisor) / 10f64.powi(2 * i32::from(scale));
                let value = if deviation { variance.sqrt() } else { variance };
                let scaled = value * 10f64.powi(i32::from(to));
                (scaled.abs() < 1e38).then_some(scaled.round() as i128)
            }
        };
        value.map(Some).ok_or_else(overflow)
    }
}

/// Division rounded half away from zero.
fn rounded(a: i256, b: i256) -> Option<i256> {
    let quotient = a.checked_div(b)?;
    let rest = a.checked_rem(b)?;
    let twice = rest.wrapping_abs().checked_mul(i256::from_i128(2))?;
    if twice < b.wrapping_abs() {
        return Some(quotient);
    }
    let away = if (a < i256::ZERO) == (b < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
    quotient.checked_add(away)
}

fn overflow() -> Error {
    Error::new("22003", "value overflows numeric format")
}
