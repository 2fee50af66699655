//! Percentiles with a bounded relative error.
//!
//! ```text
//! buckets of level 0     … │ γ⁰ … γ¹ │ γ¹ … γ² │ γ² … γ³ │ γ³ … γ⁴ │ …        γ = (1 + e) / (1 − e)
//! level 1                … │    γ⁰ … γ²        │    γ² … γ⁴        │ …        two make one, γ is squared
//! ```
//!
//! A positive value x is in bucket ⌈log x / log γ⌉, so whatever a bucket says of its values is off by the
//! factor e at most. When there are more buckets than may be, all of them are joined in pairs (Epicoco et al.,
//! arXiv 2004.08604). The level is a function of the set of values alone: neither the order of rows nor how they
//! were merged makes a difference.

use super::{Edges, Reader, is_close, write_f64, write_signed, write_varint};
use crate::{Error, Result};
use std::cmp::Ordering;

/// Buckets of `percentile_agg`.
pub const DEFAULT_SIZE: i64 = 200;
/// Relative error of `percentile_agg`.
pub const DEFAULT_ERROR: f64 = 0.001;

/// Above this no value is left to tell apart.
const MOST_LEVELS: u32 = 52;

/// The state.
#[derive(Clone, Debug, PartialEq)]
pub struct UddSketch {
    /// How many buckets there may be.
    size: u64,
    /// The relative error to begin with.
    error: f64,
    /// How often buckets were joined.
    level: u32,
    /// Of all values.
    sum: f64,
    zeros: u64,
    edges: Edges,
    /// Buckets of −x for negative x, by index.
    negative: Vec<(i64, u64)>,
    /// Buckets of positive values, by index.
    positive: Vec<(i64, u64)>,
}

impl UddSketch {
    /// An empty state.
    ///
    /// * `size` – how many buckets there may be, at least 2.
    /// * `error` – the relative error to begin with, between 0 and 1.
    ///
    /// # Errors
    /// 22023 when they cannot be.
    pub fn new(size: i64, error: f64) -> Result<Self> {
        if size < 2 || size > i64::from(u32::MAX) {
            return Err(Error::invalid_parameter(format!("invalid size for uddsketch: {size}"))
                .hint("Choose at least 2 buckets; percentile_agg has 200."));
        }
        if !(1e-12..1.0).contains(&error) {
            return Err(Error::invalid_parameter(format!("invalid max_error for uddsketch: {error}"))
                .hint("Choose an error between 0 and 1, such as 0.001."));
        }
        let (negative, positive) = (Vec::new(), Vec::new());
        let edges = Edges::default();
        Ok(UddSketch { size: size as u64, error, level: 0, sum: 0.0, zeros: 0, edges, negative, positive })
    }

    /// log γ of the first level.
    fn first_log_gamma(&self) -> f64 {
        2.0 * self.error.atanh()
    }

    fn log_gamma(&self) -> f64 {
        self.first_log_gamma() * 2f64.powi(self.level as i32)
    }

    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        if self.edges.add(value) {
            return;
        }
        if value == 0.0 {
            self.zeros += 1;
            return;
        }
        let index = self.index(value.abs());
        put(if value < 0.0 { &mut self.negative } else { &mut self.positive }, index, 1);
        self.fit();
    }

    /// The bucket of a positive value. It is found from the first level's, so that it does not depend on when
    /// buckets were joined.
    fn index(&self, value: f64) -> i64 {
        raised((value.ln() / self.first_log_gamma()).ceil() as i64, self.level)
    }

    fn fit(&mut self) {
        while (self.negative.len() + self.positive.len()) as u64 > self.size && self.level < MOST_LEVELS {
            self.raise(self.level + 1);
        }
    }

    fn raise(&mut self, level: u32) {
        let by = level - self.level;
        for buckets in [&mut self.negative, &mut self.positive] {
            let mut joined: Vec<(i64, u64)> = Vec::with_capacity(buckets.len());
            for (index, count) in buckets.drain(..) {
                let index = raised(index, by);
                match joined.last_mut() {
                    Some(last) if last.0 == index => last.1 += count,
                    _ => joined.push((index, count)),
                }
            }
            *buckets = joined;
        }
        self.level = level;
    }

    /// See [`super::State::is_same`]. The sum alone depends on the order of rows.
    pub fn is_same(&self, other: &UddSketch) -> bool {
        let largest =
            [&self.negative, &self.positive].into_iter().filter_map(|buckets| buckets.last()).map(|b| b.0).max();
        let largest = largest.map_or(0.0, |index| (index as f64 * self.log_gamma()).exp());
        let n = self.count() as f64;
        UddSketch { sum: other.sum, ..self.clone() } == *other
            && is_close(self.sum, other.sum, n * f64::EPSILON * n * largest)
    }

    /// Takes the values of another in.
    ///
    /// # Errors
    /// 22023 when it was made with another size or error.
    pub fn merge(&mut self, other: &UddSketch) -> Result<()> {
        if self.size != other.size || self.error != other.error {
            return Err(Error::invalid_parameter("uddsketches with different parameters cannot be merged").detail(
                format!(
                    "One has {} buckets and error {}, the other {} and {}.",
                    self.size, self.error, other.size, other.error
                ),
            ));
        }
        self.raise(self.level.max(other.level));
        let by = self.level - other.level;
        for (mine, theirs) in [(&mut self.negative, &other.negative), (&mut self.positive, &other.positive)] {
            theirs.iter().for_each(|(index, count)| put(mine, raised(*index, by), *count));
        }
        self.sum += other.sum;
        self.zeros += other.zeros;
        self.edges.merge(&other.edges);
        self.fit();
        Ok(())
    }

    /// Ordinary numbers.
    fn finite(&self) -> u64 {
        let counts = |buckets: &[(i64, u64)]| buckets.iter().map(|(_, count)| count).sum::<u64>();
        counts(&self.negative) + self.zeros + counts(&self.positive)
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.finite() + self.edges.count()
    }

    /// Their mean; `None` when there is none.
    pub fn mean(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.sum / self.count() as f64)
    }

    /// The relative error that a percentile has at most.
    pub fn error(&self) -> f64 {
        if self.level == 0 { self.error } else { (self.log_gamma() / 2.0).tanh() }
    }

    /// Buckets from the lowest values to the highest: what stands for their values, and how many there are.
    fn ascending(&self) -> impl Iterator<Item = (f64, u64)> {
        let negative = self.negative.iter().rev().map(|(index, count)| (-self.value(*index), *count));
        let positive = self.positive.iter().map(|(index, count)| (self.value(*index), *count));
        negative.chain((self.zeros > 0).then_some((0.0, self.zeros))).chain(positive)
    }

    /// What has the same relative distance from both ends of a bucket.
    fn value(&self, index: i64) -> f64 {
        let gamma = self.log_gamma();
        let value = ((index - 1) as f64 * gamma + std::f64::consts::LN_2 - (-gamma).exp().ln_1p()).exp();
        value.min(f64::MAX)
    }

    /// The value that a fraction of all are below: that of place ⌊fraction · (n − 1)⌋, within [`UddSketch::error`].
    pub fn percentile(&self, fraction: f64) -> Option<f64> {
        let n = self.count();
        if n == 0 {
            return None;
        }
        let place = (fraction * (n - 1) as f64).floor();
        if let Some(edge) = self.edges.at(place, self.finite()) {
            return Some(edge);
        }
        let mut left = place as u64 - self.edges.low;
        for (value, count) in self.ascending() {
            if left < count {
                return Some(value);
            }
            left -= count;
        }
        None
    }

    /// The fraction of values that are below `value`, half of those in its bucket counted.
    pub fn rank(&self, value: f64) -> Option<f64> {
        let n = self.count();
        if n == 0 {
            return None;
        }
        if let Some(below) = self.edges.below(value, self.finite()) {
            return Some(below / n as f64);
        }
        let place = |buckets: &[(i64, u64)]| -> (f64, f64, f64) {
            let index = self.index(value.abs());
            buckets.iter().fold((0.0, 0.0, 0.0), |(below, same, above), (i, count)| match i.cmp(&index) {
                Ordering::Less => (below + *count as f64, same, above),
                Ordering::Equal => (below, same + *count as f64, above),
                Ordering::Greater => (below, same, above + *count as f64),
            })
        };
        let total = |buckets: &[(i64, u64)]| buckets.iter().map(|(_, count)| *count as f64).sum::<f64>();
        let below = if value == 0.0 {
            total(&self.negative) + self.zeros as f64 / 2.0
        } else if value < 0.0 {
            let (_, same, above) = place(&self.negative);
            above + same / 2.0
        } else {
            let (below, same, _) = place(&self.positive);
            total(&self.negative) + self.zeros as f64 + below + same / 2.0
        };
        Some((self.edges.low as f64 + below) / n as f64)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(1);
        write_varint(out, self.size);
        write_f64(out, self.error);
        write_varint(out, self.level.into());
        write_f64(out, self.sum);
        write_varint(out, self.zeros);
        self.edges.write(out);
        for buckets in [&self.negative, &self.positive] {
            write_varint(out, buckets.len() as u64);
            let mut before = 0;
            for (index, count) in buckets {
                write_signed(out, index - before);
                write_varint(out, *count);
                before = *index;
            }
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self> {
        reader.version()?;
        let size = reader.varint()?;
        let mut sketch = UddSketch::new(i64::try_from(size).unwrap_or(-1), reader.f64()?)?;
        let level = reader.varint()?;
        if level > MOST_LEVELS.into() {
            return Err(reader.wrong("its buckets were joined too often"));
        }
        sketch.level = level as u32;
        sketch.sum = reader.f64()?;
        sketch.zeros = reader.count()?;
        sketch.edges = Edges::read(reader)?;
        for buckets in [&mut sketch.negative, &mut sketch.positive] {
            let mut before = 0i64;
            for i in 0..reader.varint()? {
                let step = reader.signed()?;
                let index = before.checked_add(step).filter(|index| (i == 0 || step > 0) && index.abs() < 1 << 60);
                let Some(index) = index else { return Err(reader.wrong("its buckets are not in order")) };
                buckets.push((index, reader.count()?));
                before = index;
            }
        }
        Ok(sketch)
    }

    pub(super) fn size(&self) -> usize {
        (self.negative.capacity() + self.positive.capacity()) * size_of::<(i64, u64)>()
    }
}

/// The index after joining `by` times: ⌈index / 2^by⌉.
fn raised(index: i64, by: u32) -> i64 {
    (index + (1i64 << by) - 1) >> by
}

fn put(buckets: &mut Vec<(i64, u64)>, index: i64, count: u64) {
    match buckets.binary_search_by_key(&index, |(i, _)| *i) {
        Ok(at) => buckets[at].1 += count,
        Err(at) => buckets.insert(at, (index, count)),
    }
}
