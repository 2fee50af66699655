//! Moments of one variable, or of two: counts, sums, deviations, and what regression needs.
//!
//! Deviations are kept as central moments, which lose no digits to a large mean, and merge by the formulas of
//! Pébay (SAND2008-6212). With deviations d from the mean:
//!
//! ```text
//! m2 = Σ d²     m3 = Σ d³     m4 = Σ d⁴     mxy = Σ dx·dy
//! ```

use super::{Reader, is_close, write_f64, write_varint};
use crate::Result;

/// Whether a statistic is of all there is, or of a sample of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Divided by n.
    Population,
    /// Divided by n − 1.
    Sample,
}

impl Method {
    fn divisor(self, n: u64) -> Option<f64> {
        match self {
            Method::Population => (n > 0).then_some(n as f64),
            Method::Sample => (n > 1).then(|| (n - 1) as f64),
        }
    }
}

/// The central moments of one variable, whose count is kept beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Moments {
    sum: f64,
    m2: f64,
    m3: f64,
    m4: f64,
}

impl Moments {
    /// Adds a value to `n` others; gives how far it is from the mean of all, times how many they are.
    ///
    /// The second moment is computed as PostgreSQL does (Youngs and Cramer), so that it has the same digits.
    fn add(&mut self, n: u64, value: f64) -> f64 {
        if n == 0 {
            // Not 0, where the value is infinite: as the sum, its deviation is then unknown.
            *self = Moments { sum: value, m2: value * 0.0, m3: value * 0.0, m4: value * 0.0 };
            return 0.0;
        }
        let (before, after) = (n as f64, n as f64 + 1.0);
        self.sum += value;
        let apart = value * after - self.sum;
        let term = apart * apart * (1.0 / (after * before));
        let step = apart / before / after;
        self.m4 += term * step * step * (after * after - 3.0 * after + 3.0) + 6.0 * step * step * self.m2
            - 4.0 * step * self.m3;
        self.m3 += term * step * (after - 2.0) - 3.0 * step * self.m2;
        self.m2 += term;
        apart
    }

    /// Takes `m` values of another in, beside `n` of its own; gives how far the means are apart.
    fn merge(&mut self, n: u64, other: &Moments, m: u64) -> f64 {
        let (a, b) = (n as f64, m as f64);
        let total = a + b;
        let delta = other.sum / b - self.sum / a;
        let step = delta / total;
        self.m4 += other.m4
            + delta * step.powi(3) * a * b * (a * a - a * b + b * b)
            + 6.0 * step * step * (a * a * other.m2 + b * b * self.m2)
            + 4.0 * step * (a * other.m3 - b * self.m3);
        self.m3 += other.m3 + delta * step * step * a * b * (a - b) + 3.0 * step * (a * other.m2 - b * self.m2);
        self.m2 += other.m2 + delta * step * a * b;
        self.sum += other.sum;
        delta
    }

    /// √Σx², which no value is larger than.
    fn size(&self, n: u64) -> f64 {
        if n == 0 { 0.0 } else { (self.m2 + self.sum * self.sum / n as f64).max(0.0).sqrt() }
    }

    /// See [`super::State::is_same`]: a moment of degree k is rounded relative to n √Σx²ᵏ.
    fn is_same(&self, other: &Moments, n: u64) -> bool {
        let (size, n) = (self.size(n), n as f64);
        let close = |a: f64, b: f64, degree: i32| is_close(a, b, 16.0 * n * f64::EPSILON * size.powi(degree));
        // |x| may add up to √n times the size.
        is_close(self.sum, other.sum, n * f64::EPSILON * n.sqrt() * size)
            && close(self.m2, other.m2, 2)
            && close(self.m3, other.m3, 3)
            && close(self.m4, other.m4, 4)
    }

    fn statistics(&self, n: u64) -> Statistics {
        Statistics { n, moments: *self }
    }

    fn write(&self, out: &mut Vec<u8>) {
        [self.sum, self.m2, self.m3, self.m4].into_iter().for_each(|value| write_f64(out, value));
    }

    fn read(reader: &mut Reader) -> Result<Self> {
        Ok(Moments { sum: reader.f64()?, m2: reader.f64()?, m3: reader.f64()?, m4: reader.f64()? })
    }
}

/// What can be said of one variable.
#[derive(Clone, Copy, Debug)]
pub struct Statistics {
    n: u64,
    moments: Moments,
}

impl Statistics {
    /// Their sum; `None` when there is none.
    pub fn sum(&self) -> Option<f64> {
        (self.n > 0).then_some(self.moments.sum)
    }

    /// Their mean; `None` when there is none.
    pub fn average(&self) -> Option<f64> {
        (self.n > 0).then(|| self.moments.sum / self.n as f64)
    }

    /// Their variance; `None` when there are too few.
    pub fn variance(&self, method: Method) -> Option<f64> {
        Some(self.moments.m2 / method.divisor(self.n)?)
    }

    /// Their standard deviation; `None` when there are too few.
    pub fn stddev(&self, method: Method) -> Option<f64> {
        Some(self.variance(method)?.sqrt())
    }

    /// Their third moment, standardized; `None` when there are too few or all are equal.
    pub fn skewness(&self, method: Method) -> Option<f64> {
        self.standardized(self.moments.m3, 3, method)
    }

    /// Their fourth moment, standardized: 3 for a normal distribution; `None` when there are too few or all are
    /// equal.
    pub fn kurtosis(&self, method: Method) -> Option<f64> {
        self.standardized(self.moments.m4, 4, method)
    }

    fn standardized(&self, moment: f64, power: i32, method: Method) -> Option<f64> {
        let deviation = self.stddev(method)?;
        (deviation != 0.0).then(|| moment / method.divisor(self.n).unwrap_or(f64::NAN) / deviation.powi(power))
    }
}

/// The state of one variable.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary1D {
    n: u64,
    moments: Moments,
}

impl Summary1D {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.moments.add(self.n, value);
        self.n += 1;
    }

    /// Takes the values of another in.
    pub fn merge(&mut self, other: &Summary1D) {
        if self.n == 0 || other.n == 0 {
            if self.n == 0 {
                *self = *other;
            }
            return;
        }
        self.moments.merge(self.n, &other.moments, other.n);
        self.n += other.n;
    }

    /// See [`super::State::is_same`].
    pub fn is_same(&self, other: &Summary1D) -> bool {
        self.n == other.n && self.moments.is_same(&other.moments, self.n)
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.n
    }

    /// What can be said of them.
    pub fn statistics(&self) -> Statistics {
        self.moments.statistics(self.n)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(1);
        write_varint(out, self.n);
        self.moments.write(out);
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self> {
        reader.version()?;
        Ok(Summary1D { n: reader.count()?, moments: Moments::read(reader)? })
    }
}

/// The state of a dependent variable y and an independent one x.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary2D {
    n: u64,
    y: Moments,
    x: Moments,
    mxy: f64,
}

impl Summary2D {
    /// Adds a pair.
    pub fn add(&mut self, y: f64, x: f64) {
        let dy = self.y.add(self.n, y);
        let dx = self.x.add(self.n, x);
        let n = self.n as f64;
        self.mxy = if self.n == 0 { y * 0.0 + x * 0.0 } else { self.mxy + dx * dy * (1.0 / (n * (n + 1.0))) };
        self.n += 1;
    }

    /// Takes the pairs of another in.
    pub fn merge(&mut self, other: &Summary2D) {
        if self.n == 0 || other.n == 0 {
            if self.n == 0 {
                *self = *other;
            }
            return;
        }
        let dy = self.y.merge(self.n, &other.y, other.n);
        let dx = self.x.merge(self.n, &other.x, other.n);
        let (a, b) = (self.n as f64, other.n as f64);
        self.mxy += other.mxy + dx * dy * a * b / (a + b);
        self.n += other.n;
    }

    /// See [`super::State::is_same`].
    pub fn is_same(&self, other: &Summary2D) -> bool {
        let (n, product) = (self.n as f64, self.y.size(self.n) * self.x.size(self.n));
        self.n == other.n
            && self.y.is_same(&other.y, self.n)
            && self.x.is_same(&other.x, self.n)
            && is_close(self.mxy, other.mxy, 16.0 * n * f64::EPSILON * product)
    }

    /// Makes every y larger.
    pub fn shift_y(&mut self, by: f64) {
        self.y.sum += by * self.n as f64;
    }

    /// How many pairs there are.
    pub fn count(&self) -> u64 {
        self.n
    }

    /// What can be said of the dependent variable.
    pub fn y(&self) -> Statistics {
        self.y.statistics(self.n)
    }

    /// What can be said of the independent variable.
    pub fn x(&self) -> Statistics {
        self.x.statistics(self.n)
    }

    /// Σ (x − x̄)²; `None` when there is no pair.
    pub fn sxx(&self) -> Option<f64> {
        (self.n > 0).then_some(self.x.m2)
    }

    /// Σ (y − ȳ)²; `None` when there is no pair.
    pub fn syy(&self) -> Option<f64> {
        (self.n > 0).then_some(self.y.m2)
    }

    /// Σ (x − x̄)(y − ȳ); `None` when there is no pair.
    pub fn sxy(&self) -> Option<f64> {
        (self.n > 0).then_some(self.mxy)
    }

    /// The covariance; `None` when there are too few.
    pub fn covariance(&self, method: Method) -> Option<f64> {
        Some(self.mxy / method.divisor(self.n)?)
    }

    /// The correlation coefficient; `None` when one variable has one value only.
    pub fn corr(&self) -> Option<f64> {
        let both = self.x.m2.sqrt() * self.y.m2.sqrt();
        (self.n > 0 && both != 0.0).then(|| (self.mxy / both).clamp(-1.0, 1.0))
    }

    /// The slope of the line of least squares; `None` when x has one value only.
    pub fn slope(&self) -> Option<f64> {
        (self.n > 0 && self.x.m2 != 0.0).then(|| self.mxy / self.x.m2)
    }

    /// Where that line has x = 0.
    pub fn intercept(&self) -> Option<f64> {
        Some(self.y().average()? - self.slope()? * self.x().average()?)
    }

    /// Where that line has y = 0; `None` when it never has.
    pub fn x_intercept(&self) -> Option<f64> {
        let slope = self.slope().filter(|slope| *slope != 0.0)?;
        Some(self.x().average()? - self.y().average()? / slope)
    }

    /// How much of the variance of y the line explains; 1 when there is none to explain.
    pub fn determination(&self) -> Option<f64> {
        self.slope()?;
        Some(if self.y.m2 == 0.0 { 1.0 } else { (self.mxy * self.mxy / (self.x.m2 * self.y.m2)).min(1.0) })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(1);
        write_varint(out, self.n);
        self.y.write(out);
        self.x.write(out);
        write_f64(out, self.mxy);
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self> {
        reader.version()?;
        let (n, y, x) = (reader.count()?, Moments::read(reader)?, Moments::read(reader)?);
        Ok(Summary2D { n, y, x, mxy: reader.f64()? })
    }
}
