//! Buckets of time: the arithmetic of `time_bucket`.
//!
//! A bucket is found on a grid of *local* starts: multiples of the width counted from the origin. Without a time
//! zone local time is the axis itself. With one, the grid is laid on the wall clock:
//!
//! ```text
//! UTC              22:00                 22:00                       23:00
//!                    │     +2, 24 hours    │  +2, 25 hours, +1         │
//! Berlin, 1 day    00:00 26 Oct          00:00 27 Oct                00:00 28 Oct
//! ```
//!
//! Every bucket begins at one instant and ends where the next begins, so buckets cover the axis without gap or
//! overlap, whatever the clocks do:
//!
//! | | a start that is skipped | a start that is repeated | a repeated stretch without a start |
//! |---|---|---|---|
//! | days, weeks, months | the jump | its first occurrence | belongs to the bucket before it |
//! | hours and smaller | the jump | both occurrences | belongs to the bucket before it |
//!
//! For whole and half hours that is what TimescaleDB answers. Where TimescaleDB's answer lies after the time
//! itself (a day that begins with a repeated hour, as in Havana) ours is the first occurrence.

use crate::interval::Interval;
use crate::range::TimeRange;
use crate::schema::TimeType;
use crate::time::calendar::{DAYS_PER_ERA, days_from_month_index, month_index_from_days};
use crate::time::{MICROS_PER_DAY, MICROS_PER_MINUTE, TimeError, Zone};
use serde::{Deserialize, Serialize};

/// How wide a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BucketWidth {
    /// A fixed number of microseconds, or of the integer unit.
    Fixed(i64),
    /// Calendar months.
    Months(i32),
}

/// A division of the time axis into buckets: the arithmetic of `time_bucket`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bucket {
    /// The type of the bucketed column.
    pub time_type: TimeType,
    /// How wide.
    pub width: BucketWidth,
    /// A time at which a bucket starts; `None` is TimescaleDB's default for the width and type: Monday
    /// 2000-01-03, January 2000, or 0. In the local time of `zone` when there is one. Months begin on their
    /// first day whatever the day of the origin is, as in TimescaleDB.
    pub origin: Option<i64>,
    /// Months and microseconds by which bucket starts are moved. The microseconds are elapsed time, also
    /// with a zone; a fixed width cannot be moved by months.
    pub offset: (i32, i64),
    /// The time zone whose local time is bucketed; UTC when `None`.
    pub zone: Option<String>,
}

/// Why something is not a bucket. Worded as TimescaleDB does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// The width is zero or negative.
    #[error("period must be greater than 0")]
    NotPositive,
    /// A width of months and days or time.
    #[error("month intervals cannot have day or time component")]
    MixedMonths,
    /// A fixed width was to be moved by months.
    #[error("interval defined in terms of month, year, century etc. not supported")]
    MonthsNotSupported,
    /// Dates were to be cut by less than a day.
    #[error("interval must not have sub-day precision")]
    SubDay,
    /// Dates were to be cut by something between days.
    #[error("interval must be a multiple of a day")]
    NotDays,
    /// The width, origin or offset does not fit.
    #[error("timestamp out of range")]
    OutOfRange,
    /// The zone is not known.
    #[error(transparent)]
    Zone(#[from] TimeError),
}

impl BucketError {
    /// TimescaleDB's code for this error.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            BucketError::NotPositive => "22023",
            BucketError::MixedMonths
            | BucketError::MonthsNotSupported
            | BucketError::SubDay
            | BucketError::NotDays => "0A000",
            BucketError::OutOfRange => "22003",
            BucketError::Zone(error) => error.sqlstate(),
        }
    }
}

/// Monday 2000-01-03, from which fixed widths count.
const DEFAULT_ORIGIN: i64 = 10_959 * MICROS_PER_DAY;
/// January 2000, from which months count.
const DEFAULT_ORIGIN_MONTH: i64 = 2000 * 12;

impl Bucket {
    /// Buckets of `width` on integer time, moved by `offset`.
    ///
    /// # Errors
    /// [`BucketError::NotPositive`].
    pub fn integer(time_type: TimeType, width: i64, offset: i64) -> Result<Bucket, BucketError> {
        let bucket =
            Bucket { time_type, width: BucketWidth::Fixed(width), origin: None, offset: (0, offset), zone: None };
        bucket.validate()?;
        Ok(bucket)
    }

    /// Buckets of an interval on calendar time, with the arguments of `time_bucket`.
    ///
    /// * `origin` – a bucket start on the axis, so for `timestamptz` an instant.
    /// * `zone` – a time zone as written in SQL.
    ///
    /// # Errors
    /// Every [`BucketError`].
    pub fn interval(
        time_type: TimeType,
        width: Interval,
        origin: Option<i64>,
        offset: Interval,
        zone: Option<&str>,
    ) -> Result<Bucket, BucketError> {
        let width = match width.fixed_micros() {
            Some(micros) => BucketWidth::Fixed(micros),
            None if width.months == 0 => return Err(BucketError::OutOfRange),
            None if width.days != 0 || width.micros != 0 => return Err(BucketError::MixedMonths),
            None => BucketWidth::Months(width.months),
        };
        let origin = match (origin, zone) {
            (Some(origin), Some(zone)) => Some(Zone::parse_in_value(zone)?.to_local(origin)),
            _ => origin,
        };
        let rest = Interval { months: 0, ..offset }.fixed_micros().ok_or(BucketError::OutOfRange)?;
        let zone = zone.map(str::to_string);
        let bucket = Bucket { time_type, width, origin, offset: (offset.months, rest), zone };
        bucket.validate()?;
        Ok(bucket)
    }

    /// Whether the fields fit together; a bucket that does not pass must not be used.
    ///
    /// # Errors
    /// Every [`BucketError`].
    pub fn validate(&self) -> Result<(), BucketError> {
        match self.width {
            BucketWidth::Fixed(width) if width <= 0 => return Err(BucketError::NotPositive),
            BucketWidth::Months(months) if months <= 0 => return Err(BucketError::NotPositive),
            BucketWidth::Months(_) if self.time_type.is_integer() => return Err(BucketError::MonthsNotSupported),
            BucketWidth::Fixed(_) if self.offset.0 != 0 => return Err(BucketError::MonthsNotSupported),
            BucketWidth::Fixed(width) if self.time_type == TimeType::Date && width < MICROS_PER_DAY => {
                return Err(BucketError::SubDay);
            }
            BucketWidth::Fixed(width) if self.time_type == TimeType::Date && width % MICROS_PER_DAY != 0 => {
                return Err(BucketError::NotDays);
            }
            _ => {}
        }
        if self.origin.is_some_and(|origin| origin == i64::MAX || origin == i64::MIN) {
            return Err(BucketError::OutOfRange);
        }
        if let Some(zone) = &self.zone {
            Zone::parse_in_value(zone)?;
        }
        Ok(())
    }

    /// Start of the bucket that holds `t`.
    ///
    /// Infinite times are their own bucket; a start below what an `i64` holds is the first finite one. On
    /// integer time there is no infinity, and `i64::MIN` is the first start.
    pub fn floor(&self, t: i64) -> i64 {
        self.divider().floor(t)
    }

    /// Appends [`Bucket::floor`] of each value to `out`. For a fixed width without a zone this takes a few
    /// instructions per value.
    pub fn floor_all(&self, values: &[i64], out: &mut Vec<i64>) {
        let divider = self.divider();
        match &divider.zone {
            None => divider.grid.floor_all(values, divider.calendar, out),
            Some(_) => out.extend(values.iter().map(|&t| divider.floor(t))),
        }
    }

    /// Start of the bucket after the one that holds `t`; `i64::MAX` when there is none.
    pub fn next(&self, t: i64) -> i64 {
        self.divider().next(t)
    }

    /// The smallest range of whole buckets that covers `range`. Infinite ends stay infinite.
    pub fn align_out(&self, range: TimeRange) -> TimeRange {
        if range.is_empty() {
            return range;
        }
        let divider = self.divider();
        let start = if range.start == i64::MIN { i64::MIN } else { divider.floor(range.start) };
        TimeRange { start, end: divider.ceil(range.end) }
    }

    /// The largest range of whole buckets inside `range`; empty when none fits. Infinite ends stay infinite.
    pub fn align_in(&self, range: TimeRange) -> TimeRange {
        let divider = self.divider();
        let start = if range.start == i64::MIN { i64::MIN } else { divider.ceil(range.start) };
        let end = if range.end == i64::MAX { i64::MAX } else { divider.floor(range.end) };
        TimeRange { start, end: end.max(start) }
    }

    /// Whether `t` is the start of a bucket.
    pub fn is_start(&self, t: i64) -> bool {
        self.floor(t) == t
    }

    /// A width that no bucket is narrower than, in microseconds or the integer unit.
    ///
    /// A month has at least 28 days, and a day in a time zone 23 hours, or what the history of the zone has
    /// made of it. With a zone this walks over all its changes; keep the answer.
    pub fn min_width(&self) -> i64 {
        let divider = self.divider();
        let regular = divider.grid.min_width();
        let Some(zone) = divider.zone else { return regular };
        let mut narrowest = regular;
        for change in zone.transitions() {
            // Only a bucket that holds a change, or ends or begins at one, is irregular.
            let offset = divider.offset;
            let first = divider.floor(change.saturating_sub(1).saturating_add(offset));
            let second = divider.next(first);
            let third = divider.next(second);
            narrowest = narrowest.min(second - first).min(third - second);
        }
        if let Grid::Fixed { width, phase } = divider.grid
            && zone.transitions().next().is_some()
            && (DAYS_PER_ERA * MICROS_PER_DAY) % width != 0
        {
            // The pattern of changes repeats every 400 years, but buckets lie differently each time. Future
            // changes are by and at whole quarters of an hour.
            let quarter = greatest_common_divisor(width, 15 * MICROS_PER_MINUTE);
            let rest = phase % quarter;
            narrowest = narrowest.min(if rest == 0 { quarter } else { rest.min(quarter - rest) });
        }
        narrowest.max(1)
    }

    /// The width as an interval or a number: `01:00:00`, `7 days`, `1 mon`, `1000`.
    pub fn width_display(&self) -> String {
        match self.width {
            BucketWidth::Fixed(width) if self.time_type.is_integer() => width.to_string(),
            BucketWidth::Fixed(width) => match (i32::try_from(width / MICROS_PER_DAY), width % MICROS_PER_DAY) {
                (Ok(days), 0) => Interval::new(0, days, 0).to_string(),
                _ => Interval::from_micros(width).to_string(),
            },
            BucketWidth::Months(months) => Interval::new(months, 0, 0).to_string(),
        }
    }

    fn divider(&self) -> Divider {
        let zone = self
            .zone
            .as_ref()
            .map(|zone| Zone::parse_in_value(zone).expect("the zone was checked when the bucket was made"))
            .filter(|zone| *zone != Zone::UTC);
        let calendar = !self.time_type.is_integer();
        let (months_offset, offset) = self.offset;
        // With a zone the offset is elapsed time, applied before and after; without one it moves the grid.
        let (grid_offset, offset) = if zone.is_some() { (0, offset) } else { (offset, 0) };
        let grid = match self.width {
            BucketWidth::Fixed(width) => {
                let origin = self.origin.unwrap_or(if calendar { DEFAULT_ORIGIN } else { 0 });
                let phase = i128::from(origin) + i128::from(grid_offset);
                Grid::Fixed { width, phase: phase.rem_euclid(i128::from(width)) as i64 }
            }
            BucketWidth::Months(width) => {
                let origin = match self.origin {
                    Some(origin) => month_index_from_days(origin.div_euclid(MICROS_PER_DAY)),
                    None => DEFAULT_ORIGIN_MONTH,
                };
                let phase = (origin + i64::from(months_offset)).rem_euclid(i64::from(width));
                Grid::Months { width: i64::from(width), phase, shift: grid_offset }
            }
        };
        let whole_days = match self.width {
            BucketWidth::Fixed(width) => width % MICROS_PER_DAY == 0,
            BucketWidth::Months(_) => true,
        };
        Divider { grid, zone, offset, calendar, whole_days }
    }
}

/// A bucket made ready to divide many times.
struct Divider {
    grid: Grid,
    zone: Option<Zone>,
    /// Elapsed time by which starts are moved; 0 without a zone, where the grid is moved.
    offset: i64,
    /// Whether there are infinite times.
    calendar: bool,
    /// Whether a start that comes twice counts the first time only.
    whole_days: bool,
}

impl Divider {
    fn floor(&self, t: i64) -> i64 {
        if self.calendar && is_infinite(t) {
            return t;
        }
        let start = match &self.zone {
            None => self.grid.floor(t),
            Some(zone) => self.zoned_floor(zone, t.saturating_sub(self.offset)).saturating_add(self.offset),
        };
        // A start that does not fit is the first finite time. It is not −∞, which is a bucket of its own.
        if self.calendar { start.max(i64::MIN + 1) } else { start }
    }

    fn next(&self, t: i64) -> i64 {
        if self.calendar && t == i64::MIN {
            return i64::MIN + 1;
        }
        match &self.zone {
            None => self.grid.after(t),
            Some(zone) => self.zoned_next(zone, t.saturating_sub(self.offset)).saturating_add(self.offset),
        }
    }

    /// The first start at or after `t`.
    fn ceil(&self, t: i64) -> i64 {
        if t == i64::MAX || self.floor(t) == t { t } else { self.next(t) }
    }

    /// Walks back from the span of one offset that holds `t` to the one in which its bucket began.
    fn zoned_floor(&self, zone: &Zone, mut t: i64) -> i64 {
        loop {
            let span = zone.span_at(t);
            let start = self.grid.floor(t.saturating_add(span.offset));
            if span.start == i64::MIN {
                return start.saturating_sub(span.offset);
            }
            if start >= self.first_of(&span) {
                return start - span.offset;
            }
            // The clocks jumped over a start: the bucket begins at the jump.
            if start >= span.start + span.offset_before && span.offset > span.offset_before {
                return span.start;
            }
            t = span.start - 1;
        }
    }

    fn zoned_next(&self, zone: &Zone, t: i64) -> i64 {
        let mut span = zone.span_at(t);
        let mut local = t.saturating_add(span.offset).saturating_add(1);
        loop {
            let first = if span.start == i64::MIN { local } else { local.max(self.first_of(&span)) };
            let start = self.grid.ceil(first);
            if start == i64::MAX || start.saturating_sub(span.offset) < span.end {
                return if start == i64::MAX { start } else { start.saturating_sub(span.offset) };
            }
            if span.end == i64::MAX {
                return i64::MAX;
            }
            let jump_from = span.end + span.offset;
            span = zone.span_at(span.end);
            local = span.start + span.offset;
            if local > jump_from && self.grid.ceil(jump_from) <= local {
                return span.start;
            }
        }
    }

    /// The first local time of a span at which a bucket can begin. Whole days do not begin again in a
    /// repeated stretch.
    fn first_of(&self, span: &crate::time::zone::Span) -> i64 {
        let offset = if self.whole_days { span.offset.max(span.offset_before) } else { span.offset };
        span.start + offset
    }
}

/// The starts of buckets on an axis without a time zone.
enum Grid {
    /// `phase + n × width`, with `0 <= phase < width`.
    Fixed { width: i64, phase: i64 },
    /// Every `width`-th month from month `phase`, counted from year 0, moved by `shift` microseconds.
    Months { width: i64, phase: i64, shift: i64 },
}

impl Grid {
    /// The last start at or before `t`, or `i64::MIN` when it does not fit.
    fn floor(&self, t: i64) -> i64 {
        match *self {
            Grid::Fixed { width, phase } => {
                let since = t.rem_euclid(width) - phase;
                t.saturating_sub(if since < 0 { since + width } else { since })
            }
            Grid::Months { shift, .. } => self.month_start(self.month(t)).saturating_add(shift),
        }
    }

    /// The first start after `t`, or `i64::MAX` when it does not fit.
    fn after(&self, t: i64) -> i64 {
        match *self {
            Grid::Fixed { width, phase } => {
                let since = t.rem_euclid(width) - phase;
                t.saturating_add(width - if since < 0 { since + width } else { since })
            }
            Grid::Months { width, shift, .. } => self.month_start(self.month(t) + width).saturating_add(shift),
        }
    }

    /// The first start at or after `t`, or `i64::MAX` when it does not fit.
    fn ceil(&self, t: i64) -> i64 {
        if self.floor(t) == t { t } else { self.after(t) }
    }

    /// The month, counted from year 0, in which the bucket of `t` starts, before the shift.
    fn month(&self, t: i64) -> i64 {
        let Grid::Months { width, phase, shift } = *self else { unreachable!("asked of months only") };
        let month = month_index_from_days(t.saturating_sub(shift).div_euclid(MICROS_PER_DAY));
        month - (month - phase).rem_euclid(width)
    }

    fn month_start(&self, month: i64) -> i64 {
        days_from_month_index(month).saturating_mul(MICROS_PER_DAY)
    }

    fn min_width(&self) -> i64 {
        match *self {
            Grid::Fixed { width, .. } => width,
            Grid::Months { width, .. } => {
                // The fewest days that so many consecutive months have, none of them in a leap year.
                const FEWEST_DAYS: [i64; 12] = [0, 28, 59, 89, 120, 150, 181, 212, 242, 273, 303, 334];
                (width / 12 * 365 + FEWEST_DAYS[(width % 12) as usize]).saturating_mul(MICROS_PER_DAY)
            }
        }
    }

    fn floor_all(&self, values: &[i64], calendar: bool, out: &mut Vec<i64>) {
        match *self {
            Grid::Fixed { width: 1, .. } => out.extend_from_slice(values),
            Grid::Fixed { width, phase } => {
                let reciprocal = Reciprocal::new(width, phase);
                if calendar {
                    out.extend(values.iter().map(|&t| {
                        let start = reciprocal.floor(t).max(i64::MIN + 1);
                        if is_infinite(t) { t } else { start }
                    }));
                } else {
                    out.extend(values.iter().map(|&t| reciprocal.floor(t)));
                }
            }
            Grid::Months { .. } => out.extend(values.iter().map(|&t| {
                let start = self.floor(t).max(i64::MIN + 1);
                if is_infinite(t) { t } else { start }
            })),
        }
    }
}

/// Division by a width as a multiplication, several times faster than the processor's division.
///
/// Times are counted from `i64::MIN`, so that all are positive. With m = ⌊2⁶⁴ / width⌋ the quotient
/// ⌊x·m / 2⁶⁴⌋ is right or one too small, which one comparison repairs.
struct Reciprocal {
    width: u64,
    factor: u64,
    /// First bucket start, counted from `i64::MIN`.
    phase: u64,
}

impl Reciprocal {
    fn new(width: i64, phase: i64) -> Reciprocal {
        let phase = (i128::from(phase) - i128::from(i64::MIN)).rem_euclid(i128::from(width)) as u64;
        let width = width as u64;
        Reciprocal { width, factor: ((1u128 << 64) / u128::from(width)) as u64, phase }
    }

    #[inline]
    fn floor(&self, t: i64) -> i64 {
        let x = (t as u64) ^ (1 << 63);
        let quotient = ((u128::from(x) * u128::from(self.factor)) >> 64) as u64;
        let rest = x.wrapping_sub(quotient.wrapping_mul(self.width));
        let rest = if rest >= self.width { rest - self.width } else { rest };
        let since = if rest >= self.phase { rest - self.phase } else { rest + (self.width - self.phase) };
        (x.saturating_sub(since) ^ (1 << 63)) as i64
    }
}

fn is_infinite(t: i64) -> bool {
    t == i64::MAX || t == i64::MIN
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
