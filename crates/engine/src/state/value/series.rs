//! What is said of a series of points in time: how a counter or gauge changed, and averages weighted by time.
//!
//! ```text
//! value     │      ●───────●            counter: a smaller value is a new beginning, and counts from 0
//!           │  ●───╯       │  ●──       LOCF: a value holds until the next
//!           │              ╰──╯         Linear: between two values it is a straight line
//!           └────────────────────── time
//! ```
//!
//! Points come in any order and are sorted first; of several with one time and one value one counts. Two summaries
//! merge when one lies wholly before the other, as those of two buckets do.

use super::summary::Summary2D;
use super::{ROUNDING, Reader, is_close, write_f64, write_varint};
use crate::{Error, Result};

const MICROS: f64 = 1e6;

/// 2000-01-01, where lines through counters have their zero of time, in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

/// A value at a time, microseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When.
    pub time: i64,
    /// What.
    pub value: f64,
}

impl Point {
    /// Seconds from this to another.
    fn seconds_to(&self, other: &Point) -> f64 {
        (other.time as i128 - self.time as i128) as f64 / MICROS
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.time.to_le_bytes());
        write_f64(out, self.value);
    }

    fn read(reader: &mut Reader) -> Result<Self> {
        Ok(Point { time: reader.u64()? as i64, value: reader.f64()? })
    }
}

/// Points in the order of time, each once.
pub fn in_order(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by(|a, b| a.time.cmp(&b.time).then(a.value.total_cmp(&b.value)));
    points.dedup();
    points
}

fn overlap(what: &str) -> Error {
    Error::invalid_parameter(format!("{what} summaries whose times overlap cannot be merged"))
        .detail("Which point follows which is not known any more.")
        .hint("Roll up summaries of different times of one series, and group by whatever tells series apart.")
}

/// The states of `counter_agg` and `gauge_agg`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Changes {
    /// Whether a smaller value is a reset.
    counter: bool,
    /// The first point.
    pub first: Point,
    second: Point,
    penultimate: Point,
    /// The last point.
    pub last: Point,
    /// What the counter had counted before its resets.
    before_resets: f64,
    /// How many resets there were.
    pub resets: u64,
    /// How often the value changed.
    pub changes: u64,
    /// Of the value without resets over seconds since 2000.
    line: Summary2D,
}

impl Changes {
    /// The state of points in order; `None` without points.
    pub fn of(counter: bool, points: &[Point]) -> Option<Self> {
        let (first, rest) = points.split_first()?;
        let mut state = Changes::point(counter, *first);
        rest.iter().for_each(|point| state.append(&Changes::point(counter, *point)));
        Some(state)
    }

    fn point(counter: bool, point: Point) -> Self {
        let mut line = Summary2D::default();
        line.add(point.value, point.time.saturating_sub(EPOCH) as f64 / MICROS);
        let (resets, changes) = (0, 0);
        Changes {
            counter,
            first: point,
            second: point,
            penultimate: point,
            last: point,
            before_resets: 0.0,
            resets,
            changes,
            line,
        }
    }

    fn append(&mut self, other: &Changes) {
        let mut offset = self.before_resets;
        if self.is_reset(&self.last, &other.first) {
            offset += self.last.value;
            self.resets += 1;
        }
        if self.last.value != other.first.value {
            self.changes += 1;
        }
        let mut line = other.line;
        line.shift_y(offset);
        self.line.merge(&line);
        if self.count() == 1 + other.count() {
            self.second = other.first;
        }
        self.penultimate = if other.count() == 1 { self.last } else { other.penultimate };
        self.last = other.last;
        self.before_resets = offset + other.before_resets;
        self.resets += other.resets;
        self.changes += other.changes;
    }

    fn is_reset(&self, from: &Point, to: &Point) -> bool {
        self.counter && to.value < from.value
    }

    /// Takes another in, which lies before or after.
    ///
    /// # Errors
    /// 22023 when it overlaps.
    pub fn merge(&mut self, other: &Changes) -> Result<()> {
        if self.last.time < other.first.time {
            self.append(other);
        } else if other.last.time < self.first.time {
            let mut all = *other;
            all.append(self);
            *self = all;
        } else {
            return Err(overlap(if self.counter { "counter" } else { "gauge" }));
        }
        Ok(())
    }

    /// See [`super::State::is_same`].
    pub fn is_same(&self, other: &Changes) -> bool {
        is_close(self.before_resets, other.before_resets, ROUNDING * self.before_resets.abs())
            && self.line.is_same(&other.line)
            && Changes { before_resets: other.before_resets, line: other.line, ..*self } == *other
    }

    /// How many points there are.
    pub fn count(&self) -> u64 {
        self.line.count()
    }

    /// How far the value went, resets left out.
    pub fn delta(&self) -> f64 {
        self.last.value + self.before_resets - self.first.value
    }

    /// Seconds from the first point to the last.
    pub fn seconds(&self) -> f64 {
        self.first.seconds_to(&self.last)
    }

    /// [`Changes::delta`] by second; `None` when no time passed.
    pub fn rate(&self) -> Option<f64> {
        (self.seconds() != 0.0).then(|| self.delta() / self.seconds())
    }

    fn step(&self, from: &Point, to: &Point) -> f64 {
        if self.is_reset(from, to) { to.value } else { to.value - from.value }
    }

    /// The change from the first point to the second.
    pub fn first_step(&self) -> f64 {
        self.step(&self.first, &self.second)
    }

    /// The change to the last point.
    pub fn last_step(&self) -> f64 {
        self.step(&self.penultimate, &self.last)
    }

    /// [`Changes::first_step`] by second; `None` when no time passed.
    pub fn first_rate(&self) -> Option<f64> {
        let seconds = self.first.seconds_to(&self.second);
        (seconds != 0.0).then(|| self.first_step() / seconds)
    }

    /// [`Changes::last_step`] by second; `None` when no time passed.
    pub fn last_rate(&self) -> Option<f64> {
        let seconds = self.penultimate.seconds_to(&self.last);
        (seconds != 0.0).then(|| self.last_step() / seconds)
    }

    /// Of the value without resets (y) over seconds since 2000 (x).
    pub fn line(&self) -> &Summary2D {
        &self.line
    }

    /// When the line through the points is at 0, microseconds since 1970; `None` when it never is.
    pub fn zero_time(&self) -> Option<i64> {
        self.line.x_intercept().map(|seconds| ((seconds * MICROS) as i64).saturating_add(EPOCH))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(1);
        [&self.first, &self.second, &self.penultimate, &self.last].into_iter().for_each(|point| point.write(out));
        write_f64(out, self.before_resets);
        write_varint(out, self.resets);
        write_varint(out, self.changes);
        self.line.write(out);
    }

    pub(super) fn read(counter: bool, reader: &mut Reader) -> Result<Self> {
        reader.version()?;
        let (first, second) = (Point::read(reader)?, Point::read(reader)?);
        let (penultimate, last) = (Point::read(reader)?, Point::read(reader)?);
        let before_resets = reader.f64()?;
        let (resets, changes) = (reader.count()?, reader.count()?);
        let line = Summary2D::read(reader)?;
        Ok(Changes { counter, first, second, penultimate, last, before_resets, resets, changes, line })
    }
}

/// What a value is between two points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// The last one that was seen.
    Locf,
    /// On the straight line.
    Linear,
}

impl Between {
    /// The method of this name.
    ///
    /// # Errors
    /// 22023 when there is none.
    pub fn of(name: &str) -> Result<Between> {
        match name.to_lowercase().as_str() {
            "locf" => Ok(Between::Locf),
            "linear" | "trapezoidal" => Ok(Between::Linear),
            _ => Err(Error::invalid_parameter(format!("unknown time weight method \"{name}\""))
                .hint("The methods are 'LOCF' and 'Linear'.")),
        }
    }

    fn area(self, from: &Point, to: &Point) -> f64 {
        let value = match self {
            Between::Locf => from.value,
            Between::Linear => (from.value + to.value) / 2.0,
        };
        value * from.seconds_to(to)
    }
}

/// The state of `time_weight`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeWeight {
    between: Between,
    /// The first point.
    pub first: Point,
    /// The last point.
    pub last: Point,
    /// Value times seconds.
    area: f64,
}

impl TimeWeight {
    /// The state of points in order; `None` without points.
    pub fn of(between: Between, points: &[Point]) -> Option<Self> {
        let area = points.windows(2).fold(0.0, |area, pair| area + between.area(&pair[0], &pair[1]));
        Some(TimeWeight { between, first: *points.first()?, last: *points.last()?, area })
    }

    /// Takes another in, which lies before or after; the time between them counts.
    ///
    /// # Errors
    /// 22023 when it overlaps, or has another method.
    pub fn merge(&mut self, other: &TimeWeight) -> Result<()> {
        if self.between != other.between {
            return Err(Error::invalid_parameter("time weights with different methods cannot be merged"));
        }
        let (before, after) = if self.last.time < other.first.time {
            (*self, *other)
        } else if other.last.time < self.first.time {
            (*other, *self)
        } else {
            return Err(overlap("time weight"));
        };
        let area = before.area + self.between.area(&before.last, &after.first) + after.area;
        *self = TimeWeight { between: self.between, first: before.first, last: after.last, area };
        Ok(())
    }

    /// See [`super::State::is_same`].
    pub fn is_same(&self, other: &TimeWeight) -> bool {
        is_close(self.area, other.area, ROUNDING * self.area.abs())
            && TimeWeight { area: other.area, ..*self } == *other
    }

    /// Seconds from the first point to the last.
    fn seconds(&self) -> f64 {
        self.first.seconds_to(&self.last)
    }

    /// The mean over time; `None` when no time passed.
    pub fn average(&self) -> Option<f64> {
        (self.seconds() != 0.0).then(|| self.area / self.seconds())
    }

    /// Value times seconds, between the first point and the last.
    pub fn integral(&self) -> f64 {
        self.area
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend([1, u8::from(self.between == Between::Linear)]);
        self.first.write(out);
        self.last.write(out);
        write_f64(out, self.area);
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self> {
        reader.version()?;
        let between = match reader.byte()? {
            0 => Between::Locf,
            1 => Between::Linear,
            _ => return Err(reader.wrong("its method is unknown")),
        };
        Ok(TimeWeight { between, first: Point::read(reader)?, last: Point::read(reader)?, area: reader.f64()? })
    }
}
