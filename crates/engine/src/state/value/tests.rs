//! States against exact values, on several distributions, whole and merged.

use super::hyperloglog::xxh64;
use super::series::{Between, Point, in_order};
use super::summary::Method;
use super::*;

/// Numbers that look random and are the same every time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1, both left out.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

fn distributions(n: usize) -> Vec<(&'static str, Vec<f64>)> {
    let mut r = Numbers(1);
    let mut make = |value: &mut dyn FnMut(&mut Numbers) -> f64| (0..n).map(|_| value(&mut r)).collect::<Vec<f64>>();
    let mut counter = 0.0;
    vec![
        ("uniform", make(&mut |r| r.unit() * 100.0)),
        ("normal around zero", make(&mut Numbers::normal)),
        ("normal far from zero", make(&mut |r| 1e6 + r.normal())),
        ("exponential", make(&mut |r| -r.unit().ln())),
        ("log-normal, heavy tail", make(&mut |r| (3.0 * r.normal()).exp())),
        ("few values", make(&mut |r| (r.next() % 5) as f64)),
        ("two modes", make(&mut |r| if r.next().is_multiple_of(2) { r.normal() } else { 1000.0 + r.normal() })),
        ("tiny and huge", make(&mut |r| 10f64.powf(r.unit() * 600.0 - 300.0))),
        (
            "ascending",
            make(&mut |_| {
                counter += 1.0;
                counter
            }),
        ),
    ]
}

const FRACTIONS: [f64; 13] = [0.0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0];

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Shares of very different sizes, as buckets of an aggregate have them.
fn shares(values: &[f64]) -> Vec<&[f64]> {
    let mut shares = Vec::new();
    let (mut rest, mut size) = (values, 1);
    while !rest.is_empty() {
        let (share, after) = rest.split_at(size.min(rest.len()));
        shares.push(share);
        (rest, size) = (after, size * 2 + 3);
    }
    shares
}

#[test]
fn a_uddsketch_keeps_its_error_whatever_the_distribution() {
    for (name, values) in distributions(20_000) {
        let exact = sorted(&values);
        for (size, error) in [(200, 0.001), (20, 0.01), (2000, 0.01)] {
            let mut whole = UddSketch::new(size, error).unwrap();
            values.iter().for_each(|v| whole.add(*v));
            let mut merged = UddSketch::new(size, error).unwrap();
            for share in shares(&values).into_iter().rev() {
                let mut part = UddSketch::new(size, error).unwrap();
                share.iter().for_each(|v| part.add(*v));
                merged.merge(&part).unwrap();
            }
            assert_eq!(whole.error(), merged.error(), "{name}: the level depends on the values alone");
            assert!(whole.error() >= error && whole.error() <= 1.0, "{name}");
            for fraction in FRACTIONS {
                let truth = exact[(fraction * (exact.len() - 1) as f64).floor() as usize];
                let estimate = whole.percentile(fraction).unwrap();
                let allowed = whole.error() * truth.abs() * (1.0 + 1e-9);
                assert!((estimate - truth).abs() <= allowed, "{name} {size} {fraction}: {estimate} for {truth}");
                assert_eq!(merged.percentile(fraction), Some(estimate), "{name} {size} {fraction}");
            }
        }
    }
}

#[test]
fn a_uddsketch_of_enough_buckets_has_the_error_that_was_asked_for() {
    let mut sketch = UddSketch::new(200, 0.05).unwrap();
    (1..=1000).for_each(|v| sketch.add(f64::from(v)));
    assert_eq!(sketch.error(), 0.05);
    // Joining two buckets of error e makes 2e / (1 + e²).
    let mut joined = UddSketch::new(50, 0.05).unwrap();
    (1..=1000).for_each(|v| joined.add(f64::from(v)));
    assert!((joined.error() - 0.1 / 1.0025).abs() < 1e-12, "{}", joined.error());
}

#[test]
fn a_tdigest_keeps_ranks() {
    // Means say nothing of values that are hundreds of orders of magnitude apart.
    for (name, values) in distributions(20_000).into_iter().filter(|(name, _)| *name != "tiny and huge") {
        let exact = sorted(&values);
        let n = exact.len() as f64;
        for buckets in [50, 100, 500] {
            let mut whole = TDigest::new(buckets).unwrap();
            values.iter().for_each(|v| whole.add(*v));
            let mut merged = TDigest::new(buckets).unwrap();
            for share in shares(&values) {
                let mut part = TDigest::new(buckets).unwrap();
                share.iter().for_each(|v| part.add(*v));
                merged.merge(&part).unwrap();
            }
            for (how, digest) in [("whole", &whole), ("merged", &merged)] {
                assert_eq!((digest.min(), digest.max()), (exact.first().copied(), exact.last().copied()));
                assert!(digest.settled_clusters() <= buckets as usize, "{name} {how}");
                for fraction in FRACTIONS {
                    let estimate = digest.percentile(fraction).unwrap();
                    // The true ranks of the estimate: from the first value that is not smaller to the last not larger.
                    let low = exact.partition_point(|v| *v < estimate) as f64 / n;
                    let high = exact.partition_point(|v| *v <= estimate) as f64 / n;
                    let allowed =
                        std::f64::consts::TAU * (fraction * (1.0 - fraction)).sqrt() / buckets as f64 + 1.0 / n;
                    assert!(
                        low - allowed <= fraction && fraction <= high + allowed,
                        "{name} {how} {buckets} {fraction}: {estimate} has ranks {low} to {high}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_tdigest_of_few_values_is_exact() {
    let mut digest = TDigest::new(100).unwrap();
    [10.0, 40.0, 20.0, 30.0].into_iter().for_each(|v| digest.add(v));
    // As percentile_cont.
    for (fraction, value) in [(0.0, 10.0), (0.25, 17.5), (0.5, 25.0), (1.0, 40.0)] {
        assert_eq!(digest.percentile(fraction), Some(value));
    }
}

#[test]
fn ranks_are_the_inverse_of_percentiles() {
    let mut sketch = UddSketch::new(2000, 0.001).unwrap();
    let mut digest = TDigest::new(200).unwrap();
    for v in 0..=100 {
        sketch.add(f64::from(v));
        digest.add(f64::from(v));
    }
    // 99 values are below 99, and half of one is at it.
    for rank in [sketch.rank(99.0), digest.rank(99.0)] {
        assert!((rank.unwrap() - 99.5 / 101.0).abs() < 1e-12, "{rank:?}");
    }
    assert_eq!(sketch.rank(-5.0), Some(0.0));
    assert_eq!(digest.rank(1000.0), Some(1.0));
}

#[test]
fn infinities_and_nan_are_in_their_places() {
    let values = [f64::NAN, 1.0, f64::INFINITY, f64::NEG_INFINITY, 2.0];
    let mut sketch = UddSketch::new(100, 0.001).unwrap();
    let mut digest = TDigest::new(100).unwrap();
    for v in values {
        sketch.add(v);
        digest.add(v);
    }
    for percentile in [&|f| sketch.percentile(f), &|f| digest.percentile(f)] as [&dyn Fn(f64) -> Option<f64>; 2] {
        assert_eq!(percentile(0.0), Some(f64::NEG_INFINITY));
        assert!((percentile(0.25).unwrap() - 1.0).abs() < 0.01);
        assert_eq!(percentile(0.75), Some(f64::INFINITY));
        assert!(percentile(1.0).unwrap().is_nan());
    }
    assert!(digest.max().unwrap().is_nan());
    assert_eq!(digest.min(), Some(f64::NEG_INFINITY));
}

#[test]
fn distinct_values_are_counted_within_the_error() {
    for registers in [16, 1024, 32_768] {
        for n in [0u64, 1, 2, 63, 64, 65, 1000, 5000, 100_000] {
            let mut whole = HyperLogLog::new(registers).unwrap();
            // Everything twice, far apart.
            (0..n).chain(0..n).for_each(|v| whole.add(xxh64(&v.to_le_bytes())));
            let count = whole.count() as f64;
            let error = if n <= registers as u64 / 16 { 0.0 } else { 4.0 * whole.error() };
            assert!((count - n as f64).abs() <= error * n as f64, "{registers} registers count {count} for {n}");
        }
    }
}

#[test]
fn merging_counts_is_counting_all() {
    let hashes: Vec<u64> = (0..30_000u64).map(|v| xxh64(&v.to_le_bytes())).collect();
    for (a, b) in [(0..10, 5..20), (0..10, 0..30_000), (0..30_000, 100..110), (0..20_000, 10_000..30_000)] {
        let count = |parts: &[std::ops::Range<usize>]| {
            let mut state = HyperLogLog::new(1024).unwrap();
            parts.iter().for_each(|part| hashes[part.clone()].iter().for_each(|hash| state.add(*hash)));
            state
        };
        let mut merged = count(std::slice::from_ref(&a));
        merged.merge(&count(std::slice::from_ref(&b))).unwrap();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        merged.write(&mut one);
        count(&[a, b]).write(&mut other);
        assert!(one == other, "the bytes are a function of the set of values");
    }
}

/// The vectors of the specification's reference implementation.
#[test]
fn xxh64_is_xxh64() {
    for (text, hash) in [
        ("", 0xEF46_DB37_51D8_E999),
        ("a", 0xD24E_C4F1_A98C_6E5B),
        ("abc", 0x44BC_2CF5_AD77_0999),
        ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
    ] {
        assert_eq!(xxh64(text.as_bytes()), hash, "{text}");
    }
}

fn close(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() <= 1e-9 * b.abs().max(1.0))
}

#[test]
fn moments_are_those_of_the_values() {
    for (name, values) in distributions(5_000).into_iter().filter(|(name, _)| *name != "tiny and huge") {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let moment = |power: i32| values.iter().map(|v| (v - mean).powi(power)).sum::<f64>();
        let mut merged = Summary1D::default();
        for share in shares(&values) {
            let mut part = Summary1D::default();
            share.iter().for_each(|v| part.add(*v));
            merged.merge(&part);
        }
        let s = merged.statistics();
        let deviation = (moment(2) / n).sqrt();
        assert!(close(s.average(), mean), "{name}");
        assert!(close(s.variance(Method::Population), moment(2) / n), "{name}");
        assert!(close(s.variance(Method::Sample), moment(2) / (n - 1.0)), "{name}");
        assert!(close(s.skewness(Method::Population), moment(3) / n / deviation.powi(3)), "{name} {s:?}");
        assert!(close(s.kurtosis(Method::Population), moment(4) / n / deviation.powi(4)), "{name} {s:?}");
    }
}

#[test]
fn regression_is_that_of_the_pairs() {
    let mut r = Numbers(7);
    let pairs: Vec<(f64, f64)> = (0..1000).map(|i| (3.0 * f64::from(i) + 100.0 + r.normal(), f64::from(i))).collect();
    let n = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (my, mx) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(y, x)| of(y - my, x - mx)).sum::<f64>();
    let (sxx, syy, sxy) = (sum(&|_, x| x * x), sum(&|y, _| y * y), sum(&|y, x| x * y));
    let mut merged = Summary2D::default();
    for share in pairs.chunks(77) {
        let mut part = Summary2D::default();
        share.iter().for_each(|(y, x)| part.add(*y, *x));
        merged.merge(&part);
    }
    assert!(close(merged.slope(), sxy / sxx));
    assert!(close(merged.intercept(), my - sxy / sxx * mx));
    assert!(close(merged.x_intercept(), mx - my * sxx / sxy));
    assert!(close(merged.corr(), sxy / (sxx * syy).sqrt()));
    assert!(close(merged.determination(), sxy * sxy / (sxx * syy)));
    assert!(close(merged.covariance(Method::Sample), sxy / (n - 1.0)));
}

#[test]
fn changes_of_parts_are_those_of_all() {
    let mut r = Numbers(3);
    let points: Vec<Point> = (0..500).map(|i| Point { time: i * 1_000_000, value: (r.next() % 50) as f64 }).collect();
    for counter in [true, false] {
        let whole = Changes::of(counter, &points).unwrap();
        // By hand: what was counted after each reset.
        let steps = points.windows(2).map(|p| match p[1].value - p[0].value {
            step if counter && step < 0.0 => p[1].value,
            step => step,
        });
        assert_eq!(whole.delta(), steps.sum::<f64>());
        let resets = points.windows(2).filter(|p| counter && p[1].value < p[0].value).count();
        assert_eq!(whole.resets, resets as u64);
        for size in [1, 2, 3, 100] {
            let mut parts: Vec<Changes> = points.chunks(size).map(|p| Changes::of(counter, p).unwrap()).collect();
            parts.reverse();
            let mut merged = parts.remove(0);
            parts.iter().for_each(|part| merged.merge(part).unwrap());
            let summary =
                |c: &Changes| (c.delta(), c.resets, c.changes, c.count(), c.first_step(), c.last_step(), c.rate());
            assert_eq!(summary(&merged), summary(&whole), "parts of {size}");
            assert!(close(merged.line().slope(), whole.line().slope().unwrap()));
            assert!(close(merged.line().intercept(), whole.line().intercept().unwrap()));
        }
        let middle = Changes::of(counter, &points[10..20]).unwrap();
        assert_eq!(whole.clone().merge(&middle).unwrap_err().sqlstate, "22023");
    }
}

#[test]
fn time_weights_of_parts_are_those_of_all() {
    let mut r = Numbers(4);
    let points = (0..300).map(|i| Point { time: i * 1_000_000 + (r.next() % 900_000) as i64, value: r.unit() });
    let points: Vec<Point> = points.collect();
    for between in [Between::Locf, Between::Linear] {
        let whole = TimeWeight::of(between, &points).unwrap();
        let mut merged = TimeWeight::of(between, &points[150..]).unwrap();
        merged.merge(&TimeWeight::of(between, &points[..150]).unwrap()).unwrap();
        assert!(close(merged.average(), whole.average().unwrap()));
        assert_eq!((merged.first, merged.last), (whole.first, whole.last));
    }
}

#[test]
fn points_are_put_in_order_and_doubles_left_out() {
    let point = |time, value| Point { time, value };
    let points = vec![point(2, 1.0), point(1, 5.0), point(2, 1.0), point(2, 0.0)];
    assert_eq!(in_order(points), [point(1, 5.0), point(2, 0.0), point(2, 1.0)]);
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// One value of each state as version 1 writes it, taken apart in `docs/format.md`. What was written once has to be
/// read for ever: a new version adds cases here and changes none.
#[test]
fn version_1_is_written_and_read() {
    let mut sparse = HyperLogLog::new(16).unwrap();
    sparse.add(1);
    let mut dense = HyperLogLog::new(16).unwrap();
    [0x1000_0000_0000_0000, 0x1800_0000_0000_0000, 0xF000_0000_0000_0001].into_iter().for_each(|hash| dense.add(hash));
    let mut sketch = UddSketch::new(200, 0.01).unwrap();
    [0.0, 1.0, -1.0, f64::INFINITY].into_iter().for_each(|v| sketch.add(v));
    let mut digest = TDigest::new(100).unwrap();
    [3.0, 1.0].into_iter().for_each(|v| digest.add(v));
    let mut one = Summary1D::default();
    [1.0, 3.0].into_iter().for_each(|v| one.add(v));
    let mut two = Summary2D::default();
    [(1.0, 2.0), (3.0, 4.0)].into_iter().for_each(|(y, x)| two.add(y, x));
    let trade = Candlestick::trade(1, 2.0, Some(3.0));
    let epoch = 946_684_800_000_000;
    let points = [Point { time: epoch, value: 3.0 }, Point { time: epoch + 1_000_000, value: 1.0 }];
    let (counter, gauge) = (Changes::of(true, &points).unwrap(), Changes::of(false, &points).unwrap());
    let weight = TimeWeight::of(Between::Linear, &points).unwrap();
    let ends = "00e0373b015d0300 0000000000000840";
    let ends = format!("{ends} 4022473b015d0300 000000000000f03f");
    let moments = |sum: &str| format!("{sum} 0000000000000040 0000000000000000 0000000000000040");
    for (state, hex) in [
        (State::HyperLogLog(sparse), "01 04 00 01 0100000000000000".to_owned()),
        (State::HyperLogLog(dense), "01 04 01 003d0000 00000000 00000000 0000003c".to_owned()),
        (
            State::UddSketch(sketch),
            "01 c801 7b14ae47e17a843f 00 000000000000f07f 01 000100 01 00 01 01 00 01".to_owned(),
        ),
        (
            State::TDigest(digest),
            "01 64 0000000000001040 000000000000f03f 0000000000000840 000000 02 000000000000f03f 01 0000000000000840 01"
                .to_owned(),
        ),
        (State::Summary1D(one), format!("01 02 {}", moments("0000000000001040"))),
        (
            State::Summary2D(two),
            format!("01 02 {} {} 0000000000000040", moments("0000000000001040"), moments("0000000000001840")),
        ),
        (
            State::Candlestick(trade),
            format!("01 {} 01 0000000000000840 0000000000001840", "0100000000000000 0000000000000040".repeat(4)),
        ),
        // A reset after 3, so that the line goes from 3 to 4: y has sum 7 and squares 0.5, x sum 1.
        (
            State::Counter(counter),
            format!(
                "01 {ends} {ends} 0000000000000840 01 01  01 02 0000000000001c40 000000000000e03f 0000000000000000 000000000000c03f  000000000000f03f 000000000000e03f 0000000000000000 000000000000c03f  000000000000e03f",
            ),
        ),
        (
            State::Gauge(gauge),
            format!(
                "01 {ends} {ends} 0000000000000000 00 01  01 02 0000000000001040 0000000000000040 0000000000000000 0000000000000040  000000000000f03f 000000000000e03f 0000000000000000 000000000000c03f  000000000000f0bf",
            ),
        ),
        (State::TimeWeight(weight), format!("01 01 {ends} 0000000000000040")),
    ] {
        let written = state.encode();
        let expected = bytes(&hex);
        assert_eq!(written, expected, "{}", state.kind().name());
        let read = State::decode(state.kind(), &expected).unwrap();
        assert_eq!(read.encode(), expected, "{}", state.kind().name());
        // Nothing that was cut off, or that goes on, is a value.
        for end in 0..expected.len() {
            assert!(State::decode(state.kind(), &expected[..end]).is_err(), "{} to {end}", state.kind().name());
        }
        let longer = [expected.as_slice(), &[0]].concat();
        assert_eq!(State::decode(state.kind(), &longer).unwrap_err().sqlstate, "22P03");
    }
}

#[test]
fn states_of_the_same_rows_in_another_order_are_the_same() {
    fn of(kind: Kind, values: &[f64]) -> State {
        let mut state = match kind {
            Kind::UddSketch => State::UddSketch(UddSketch::new(50, 0.01).unwrap()),
            Kind::TDigest => State::TDigest(TDigest::new(50).unwrap()),
            Kind::Summary1D => State::Summary1D(Summary1D::default()),
            _ => State::Summary2D(Summary2D::default()),
        };
        for value in values {
            match &mut state {
                State::UddSketch(state) => state.add(*value),
                State::TDigest(state) => state.add(*value),
                State::Summary1D(state) => state.add(*value),
                State::Summary2D(state) => state.add(*value, value * value),
                other => panic!("{} is not of plain values", other.kind().name()),
            }
        }
        state
    }
    for (name, values) in distributions(3000) {
        let backwards: Vec<f64> = values.iter().rev().copied().collect();
        let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let others: Vec<f64> = values[1..].iter().copied().chain([largest * 2.0 + 1.0]).collect();
        for kind in [Kind::UddSketch, Kind::TDigest, Kind::Summary1D, Kind::Summary2D] {
            let state = of(kind, &values);
            assert!(state.is_same(&of(kind, &backwards)), "{} of {name}, backwards", kind.name());
            let mut merged = of(kind, &values[..1000]);
            merged.merge(&of(kind, &values[1000..])).unwrap();
            assert!(state.is_same(&merged), "{} of {name}, merged", kind.name());
            assert!(!state.is_same(&of(kind, &values[1..])), "{} of {name}, one missing", kind.name());
            // Where squares are infinite, so is what rounding may do.
            let is_told = (largest * largest).powi(2).is_finite() || matches!(kind, Kind::UddSketch | Kind::TDigest);
            assert!(!is_told || !state.is_same(&of(kind, &others)), "{} of {name}, one other", kind.name());
        }
    }
}
