//! Percentiles from clusters of neighbouring values, small at both ends and larger in the middle.
//!
//! ```text
//! ·· · · ·  ·   ·     ●        ●          ●         ●     ·   ·  · · · ··
//! min                            clusters                             max
//! ```
//!
//! Dunning's merging digest (arXiv 1902.04023) with the scale function k₁: a cluster around the fraction q may hold
//! so many values that k₁ grows by one over it. The rank of a percentile is off by 2π √(q (1 − q)) / buckets at most, and by
//! much less as a rule; not so where values differ by many orders of magnitude, for which a uddsketch is made. Unlike the other sketches it depends, within that error, on the order in which rows came.

use super::{Edges, Reader, is_close, write_f64, write_varint};
use crate::{Error, Result};

/// Values that wait to be put into clusters, for each cluster there may be.
const WAITING: usize = 5;

/// The state.
#[derive(Clone, Debug, PartialEq)]
pub struct TDigest {
    /// How many clusters there may be.
    buckets: u64,
    sum: f64,
    min: f64,
    max: f64,
    edges: Edges,
    /// Clusters by mean.
    clusters: Vec<Cluster>,
    /// Values that came since.
    waiting: Vec<Cluster>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Cluster {
    mean: f64,
    count: u64,
}

impl TDigest {
    /// An empty state.
    ///
    /// * `buckets` – how many clusters there may be, at least 10.
    ///
    /// # Errors
    /// 22023 when they are too few.
    pub fn new(buckets: i64) -> Result<Self> {
        if !(10..=1 << 20).contains(&buckets) {
            return Err(Error::invalid_parameter(format!("invalid number of buckets for tdigest: {buckets}"))
                .hint("Choose a number from 10 to 1048576, such as 100."));
        }
        Ok(TDigest {
            buckets: buckets as u64,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            edges: Edges::default(),
            clusters: Vec::new(),
            waiting: Vec::new(),
        })
    }

    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.sum += value;
        if self.edges.add(value) {
            return;
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.put(Cluster { mean: value, count: 1 });
    }

    fn put(&mut self, cluster: Cluster) {
        self.waiting.push(cluster);
        if self.waiting.len() >= WAITING * self.buckets as usize {
            self.compress();
        }
    }

    fn compress(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.clusters);
        all.append(&mut self.waiting);
        all.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        let total: u64 = all.iter().map(|c| c.count).sum();
        let scale = self.buckets as f64 / std::f64::consts::TAU;
        // Where the cluster that begins at a fraction has to end.
        let limit = |from: f64| {
            let k = scale * (2.0 * from - 1.0).clamp(-1.0, 1.0).asin() + 1.0;
            let angle = k / scale;
            if angle >= std::f64::consts::FRAC_PI_2 { 1.0 } else { (angle.sin() + 1.0) / 2.0 }
        };
        let mut before = 0;
        let mut end = limit(0.0) * total as f64;
        let mut all = all.into_iter();
        let Some(mut current) = all.next() else { return };
        for next in all {
            if (before + current.count + next.count) as f64 <= end {
                let count = current.count + next.count;
                current.mean += (next.mean - current.mean) * next.count as f64 / count as f64;
                current.count = count;
            } else {
                before += current.count;
                end = limit(before as f64 / total as f64) * total as f64;
                self.clusters.push(std::mem::replace(&mut current, next));
            }
        }
        self.clusters.push(current);
    }

    /// See [`super::State::is_same`]. Clusters depend on the order of rows, by no bound where values differ by many orders
    /// of magnitude, so what is exact is compared.
    pub fn is_same(&self, other: &TDigest) -> bool {
        let n = self.count();
        let largest = if self.finite() == 0 { 0.0 } else { self.min.abs().max(self.max.abs()) };
        (self.buckets, self.min, self.max, &self.edges) == (other.buckets, other.min, other.max, &other.edges)
            && n == other.count()
            && is_close(self.sum, other.sum, (n as f64).powi(2) * f64::EPSILON * largest)
    }

    fn settled(&self) -> TDigest {
        let mut settled = self.clone();
        settled.compress();
        settled
    }

    /// Takes the values of another in.
    ///
    /// # Errors
    /// 22023 when it has another number of buckets.
    pub fn merge(&mut self, other: &TDigest) -> Result<()> {
        if self.buckets != other.buckets {
            return Err(Error::invalid_parameter("tdigests with different numbers of buckets cannot be merged")
                .detail(format!("One has {} and the other {}.", self.buckets, other.buckets)));
        }
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.edges.merge(&other.edges);
        other.clusters.iter().chain(&other.waiting).for_each(|cluster| self.put(*cluster));
        Ok(())
    }

    fn finite(&self) -> u64 {
        self.clusters.iter().chain(&self.waiting).map(|c| c.count).sum()
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.finite() + self.edges.count()
    }

    /// Their mean; `None` when there is none.
    pub fn mean(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.sum / self.count() as f64)
    }

    /// The smallest value, exactly.
    pub fn min(&self) -> Option<f64> {
        self.edges.at(0.0, self.finite()).or(Some(self.min)).filter(|_| self.count() > 0)
    }

    /// The largest value, exactly.
    pub fn max(&self) -> Option<f64> {
        let n = self.count();
        self.edges.at(n as f64 - 1.0, self.finite()).or(Some(self.max)).filter(|_| n > 0)
    }

    /// Places, the middle of each cluster, and the values there, ascending.
    fn points(&self) -> Vec<(f64, f64)> {
        let mut points = Vec::with_capacity(self.clusters.len() + 2);
        let mut before = 0;
        for cluster in &self.clusters {
            points.push((before as f64 + cluster.count as f64 / 2.0, cluster.mean));
            before += cluster.count;
        }
        if self.clusters.first().is_some_and(|c| c.count > 1) {
            points.insert(0, (0.5, self.min));
        }
        if self.clusters.last().is_some_and(|c| c.count > 1) {
            points.push((before as f64 - 0.5, self.max));
        }
        points
    }

    /// The value at a fraction of all, between two clusters as `percentile_cont` is between two values.
    pub fn percentile(&self, fraction: f64) -> Option<f64> {
        let n = self.count();
        if n == 0 {
            return None;
        }
        let place = fraction * (n - 1) as f64;
        if let Some(edge) = self.edges.at(place, self.finite()) {
            return Some(edge);
        }
        let points = self.settled().points();
        let place = place - self.edges.low as f64 + 0.5;
        let after = points.partition_point(|(at, _)| *at < place);
        Some(match (after.checked_sub(1).map(|i| points[i]), points.get(after)) {
            (Some((a, low)), Some((b, high))) => low + (high - low) * (place - a) / (b - a),
            (None, Some((_, value))) => *value,
            (Some((_, value)), None) => value,
            (None, None) => return None,
        })
    }

    /// The fraction of values that are below `value`.
    pub fn rank(&self, value: f64) -> Option<f64> {
        let n = self.count();
        if n == 0 {
            return None;
        }
        let finite = self.finite();
        if let Some(below) = self.edges.below(value, finite) {
            return Some(below / n as f64);
        }
        let below = if value < self.min {
            0.0
        } else if value > self.max {
            finite as f64
        } else {
            let points = self.settled().points();
            let (first, last) =
                (points.partition_point(|(_, v)| *v < value), points.partition_point(|(_, v)| *v <= value));
            if first < last {
                // Several clusters of this very value: the middle of them.
                (points[first].0 + points[last - 1].0) / 2.0
            } else {
                match (first.checked_sub(1).map(|i| points[i]), points.get(first)) {
                    (Some((a, low)), Some((b, high))) => a + (b - a) * (value - low) / (high - low),
                    (None, Some((at, _))) => *at,
                    (Some((at, _)), None) => at,
                    (None, None) => 0.0,
                }
            }
        };
        Some((self.edges.low as f64 + below) / n as f64)
    }

    #[cfg(test)]
    pub(super) fn settled_clusters(&self) -> usize {
        self.settled().clusters.len()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let settled = self.settled();
        out.push(1);
        write_varint(out, self.buckets);
        [self.sum, self.min, self.max].into_iter().for_each(|value| write_f64(out, value));
        self.edges.write(out);
        write_varint(out, settled.clusters.len() as u64);
        for cluster in &settled.clusters {
            write_f64(out, cluster.mean);
            write_varint(out, cluster.count);
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self> {
        reader.version()?;
        let buckets = reader.varint()?;
        let mut digest = TDigest::new(i64::try_from(buckets).unwrap_or(-1))?;
        digest.sum = reader.f64()?;
        digest.min = reader.f64()?;
        digest.max = reader.f64()?;
        digest.edges = Edges::read(reader)?;
        for _ in 0..reader.varint()? {
            digest.clusters.push(Cluster { mean: reader.f64()?, count: reader.count()? });
        }
        if !digest.clusters.is_sorted_by(|a, b| a.mean <= b.mean) {
            return Err(reader.wrong("its clusters are not in order"));
        }
        Ok(digest)
    }

    pub(super) fn size(&self) -> usize {
        (self.clusters.capacity() + self.waiting.capacity()) * size_of::<Cluster>()
    }
}
