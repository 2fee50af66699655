//! What one group has seen.

use super::{Kind, Needs};
use crate::Error;
use crate::operator::exact;
use arrow::datatypes::i256;
use datafusion::common::Result;
use highwater_model::Numeric;

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

    /// Adds values one after the other.
    pub fn add_all(&mut self, values: &[f64]) {
        let Some(first) = values.first() else { return };
        // In registers, and without branches that no processor foretells.
        let mut cell = *self;
        if cell.n == 0 {
            cell.pivot = *first;
        }
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for x in values {
            cell.sum += x;
            let d = x - cell.pivot;
            cell.deviation += d;
            cell.squares += d * d;
            min = if *x < min { *x } else { min };
            max = if *x > max { *x } else { max };
        }
        // To compare with NaN says nothing, and a sum with NaN is NaN.
        if cell.sum.is_nan() {
            return values.iter().for_each(|x| self.add(*x));
        }
        cell.n += values.len() as i64;
        cell.min = if min < cell.min || cell.min.is_nan() { min } else { cell.min };
        cell.max = if max > cell.max { max } else { cell.max };
        *self = cell;
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

    /// An average, variance or deviation of numbers of `scale`; `None` of too few rows.
    pub fn finish(&self, kind: Kind, scale: i8) -> Result<Option<Numeric>, Error> {
        let sum = exact::decimal(self.sum, scale)?;
        let squares = Numeric::from_le_bytes(&self.sumsq.to_le_bytes(), 0)?;
        let unit = exact::decimal(1, scale)?;
        finish_exactly(kind, self.n, &sum, &squares.mul(&unit)?.mul(&unit)?)
    }
}

/// What one group has seen of numerics without bounds.
#[derive(Clone, Debug)]
pub struct AnyCell {
    pub n: i64,
    pub sum: Numeric,
    pub sumsq: Numeric,
    pub min: Numeric,
    pub max: Numeric,
}

impl Default for AnyCell {
    fn default() -> Self {
        AnyCell { n: 0, sum: Numeric::ZERO, sumsq: Numeric::ZERO, min: Numeric::NaN, max: Numeric::NegativeInfinity }
    }
}

impl AnyCell {
    /// What is seen of one number.
    ///
    /// * `needs` – what it is asked for later.
    pub fn add(&mut self, x: Numeric, needs: Needs) -> Result<(), Error> {
        self.n += 1;
        if needs.sum || needs.moments {
            self.sum = self.sum.add(&x)?;
        }
        if needs.moments {
            self.sumsq = self.sumsq.add(&x.mul(&x)?)?;
        }
        if needs.min && (self.n == 1 || x < self.min) {
            self.min = x.clone();
        }
        if needs.max && (self.n == 1 || x > self.max) {
            self.max = x;
        }
        Ok(())
    }

    pub fn merge(&mut self, other: &AnyCell) -> Result<(), Error> {
        if other.n == 0 {
            return Ok(());
        }
        if self.n == 0 {
            *self = other.clone();
            return Ok(());
        }
        self.n += other.n;
        self.sum = self.sum.add(&other.sum)?;
        self.sumsq = self.sumsq.add(&other.sumsq)?;
        if other.min < self.min {
            self.min = other.min.clone();
        }
        if other.max > self.max {
            self.max = other.max.clone();
        }
        Ok(())
    }

    /// A finished value other than the count; `None` of too few rows.
    pub fn finish(&self, kind: Kind) -> Result<Option<Numeric>, Error> {
        if self.n == 0 {
            return Ok(None);
        }
        match kind {
            Kind::Sum => Ok(Some(self.sum.clone())),
            Kind::Min => Ok(Some(self.min.clone())),
            Kind::Max => Ok(Some(self.max.clone())),
            _ => finish_exactly(kind, self.n, &self.sum, &self.sumsq),
        }
    }
}

/// An average, variance or deviation, with the digits that PostgreSQL gives it; `None` of too few rows.
fn finish_exactly(kind: Kind, n: i64, sum: &Numeric, squares: &Numeric) -> Result<Option<Numeric>, Error> {
    let count = Numeric::from(n);
    let denominator = match kind {
        _ if n == 0 => return Ok(None),
        Kind::Avg => return Ok(Some(sum.div(&count)?)),
        Kind::VarPop | Kind::StddevPop => count.mul(&count)?,
        _ if n > 1 => count.mul(&Numeric::from(n - 1))?,
        _ => return Ok(None),
    };
    if sum.finite().is_none() {
        return Ok(Some(Numeric::NaN));
    }
    // n·Σx² − (Σx)² is exact; only the last division, and a root, round.
    let spread = count.mul(squares)?.sub(&sum.mul(sum)?)?;
    if spread.signum() <= 0 {
        return Ok(Some(Numeric::ZERO));
    }
    let variance = spread.div(&denominator)?;
    Ok(Some(match kind {
        Kind::StddevSamp | Kind::StddevPop => {
            let scale = variance.finite().map_or(0, |variance| variance.scale());
            variance.sqrt_at(scale)?
        }
        _ => variance,
    }))
}

fn overflow() -> Error {
    Error::new("22003", "value overflows numeric format")
}
