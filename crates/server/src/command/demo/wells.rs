//! Readings of wells that look like real ones: a level per well, a daily rhythm, noise, outages.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fmt::Write;

/// A metric: mean, spread between wells, daily swing, noise, digits after the point.
type Metric = (f64, f64, f64, f64, usize);

const METRICS: [Metric; 20] = [
    (1200.0, 350.0, 40.0, 12.0, 2),
    (850.0, 150.0, 15.0, 4.0, 2),
    (2900.0, 250.0, 30.0, 9.0, 2),
    (62.0, 14.0, 2.0, 0.8, 3),
    (2350.0, 120.0, 20.0, 6.0, 1),
    (78.0, 9.0, 4.0, 0.7, 2),
    (64.0, 6.0, 2.0, 0.4, 2),
    (2.2, 0.9, 0.15, 0.25, 4),
    (2.0, 0.8, 0.15, 0.25, 4),
    (52.0, 4.0, 0.8, 0.1, 2),
    (8.0, 3.0, 1.0, 2.5, 3),
    (310.0, 50.0, 8.0, 3.0, 2),
    (420.0, 140.0, 12.0, 6.0, 2),
    (310.0, 45.0, 6.0, 2.0, 2),
    (180.0, 40.0, 4.0, 1.5, 2),
    (95.0, 22.0, 3.0, 1.1, 2),
    (0.42, 0.15, 0.01, 0.008, 4),
    (640.0, 200.0, 20.0, 8.0, 2),
    (265.0, 90.0, 9.0, 4.0, 2),
    (58.0, 5.0, 3.0, 0.5, 2),
];

/// What a shut-in well reads as zero: flow, current, frequency, torque, power, oil, gas.
const STOPPED: [usize; 7] = [0, 3, 9, 11, 15, 17, 18];

const MINUTES_PER_DAY: i64 = 24 * 60;

/// Makes the readings of all wells, a day at a time, ending now.
pub struct Wells {
    levels: Vec<[f64; 20]>,
    phases: Vec<f64>,
    random: StdRng,
    first_minute: i64,
    day: i64,
    days: i64,
}

impl Wells {
    /// `wells` wells over the `days` days before `now_micros` (microseconds since 1970 UTC).
    pub fn new(wells: usize, days: i64, now_micros: i64) -> Self {
        let mut random = StdRng::seed_from_u64(42);
        let levels = (0..wells)
            .map(|_| METRICS.map(|(mean, spread, ..)| (mean + spread * noise(&mut random)).max(mean * 0.2)))
            .collect();
        let phases = (0..wells).map(|_| random.random::<f64>() * std::f64::consts::TAU).collect();
        let first_minute = now_micros.div_euclid(60_000_000) - days * MINUTES_PER_DAY;
        Wells { levels, phases, random, first_minute, day: 0, days }
    }

    /// How many rows there will be, about.
    pub fn rows(&self) -> u64 {
        (self.levels.len() as i64 * self.days * MINUTES_PER_DAY) as u64
    }

    /// The next day as CSV, and how many rows it has; `None` when today has come.
    pub fn next_day(&mut self) -> Option<(String, u64)> {
        if self.day == self.days {
            return None;
        }
        let mut csv = String::with_capacity(self.levels.len() * MINUTES_PER_DAY as usize * 180);
        let mut rows = 0;
        let down = self.random.random_range(0..self.levels.len());
        let down_from = self.random.random_range(0..MINUTES_PER_DAY - 240);
        for minute in 0..MINUTES_PER_DAY {
            let at = self.first_minute + self.day * MINUTES_PER_DAY + minute;
            let angle = at.rem_euclid(MINUTES_PER_DAY) as f64 / MINUTES_PER_DAY as f64 * std::f64::consts::TAU;
            let mut time = Vec::new();
            highwater_model::time::write_timestamptz(&mut time, at * 60_000_000, &highwater_model::time::Zone::UTC);
            let time = String::from_utf8_lossy(&time).into_owned();
            for well in 0..self.levels.len() {
                let shut = well == down && (down_from..down_from + 240).contains(&minute);
                // Some readings are lost, and a shut-in well reports every ten minutes.
                if self.random.random::<f64>() < 0.008 || (shut && minute % 10 != 0) {
                    continue;
                }
                self.write_row(&mut csv, &time, well, angle, shut);
                rows += 1;
            }
        }
        self.day += 1;
        Some((csv, rows))
    }

    fn write_row(&mut self, csv: &mut String, time: &str, well: usize, angle: f64, shut: bool) {
        let swing = (angle + self.phases[well]).sin();
        let _ = write!(csv, "{time},WELL-{:03}", well + 1);
        for (i, (_, _, daily, wobble, digits)) in METRICS.iter().enumerate() {
            let value = self.levels[well][i] + daily * swing + wobble * noise(&mut self.random);
            let value = if shut && STOPPED.contains(&i) { 0.0 } else { value.max(0.0) };
            match i != 0 && self.random.random::<f64>() < 0.002 {
                true => csv.push(','),
                false => {
                    let _ = write!(csv, ",{value:.digits$}");
                }
            }
        }
        let dice = self.random.random::<f64>();
        let status = match (shut, dice) {
            (true, _) => "shutdown",
            (false, d) if d < 0.004 => "alarm",
            (false, d) if d < 0.02 => "idle",
            _ => "running",
        };
        let _ = writeln!(csv, ",{status}");
    }
}

/// Nearly normal, with a standard deviation of one: the sum of four evens.
fn noise(random: &mut StdRng) -> f64 {
    let sum: f64 = (0..4).map(|_| random.random::<f64>()).sum();
    (sum - 2.0) * 3f64.sqrt()
}
