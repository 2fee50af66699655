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
            BucketError::MixedMonths | BucketError::MonthsNotSupported | BucketError::SubDay | BucketError::NotDays => {
                "0A000"
            }
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
        match divider {
            Divider { grid: Grid::Fixed { width, phase }, zone: None, calendar, .. } => {
                floor_all_fixed(values, width, phase, calendar, out);
            }
            _ => {
                // Neighbouring rows mostly share a bucket, and finding one takes a walk.
                let (mut start, mut next) = (0, 0);
                out.extend(values.iter().map(|&t| {
                    if t < start || t >= next {
                        (start, next) = (divider.floor(t), divider.next(t));
                    }
                    start
                }));
            }
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

    /// The buckets that begin in `range`, as the range of all their times. Infinite ends stay infinite.
    pub fn starting_in(&self, range: TimeRange) -> TimeRange {
        let divider = self.divider();
        let start = if range.start == i64::MIN { i64::MIN } else { divider.ceil(range.start) };
        TimeRange { start, end: divider.ceil(range.end).max(start) }
    }

    /// The smallest range that holds the starts of all buckets that `range` reaches. Infinite ends stay infinite.
    pub fn starts_of(&self, range: TimeRange) -> TimeRange {
        if range.is_empty() {
            return range;
        }
        let divider = self.divider();
        let start = if range.start == i64::MIN { i64::MIN } else { divider.floor(range.start) };
        let end = if range.end == i64::MAX { i64::MAX } else { divider.floor(range.end - 1).saturating_add(1) };
        TimeRange { start, end }
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

    /// Whether each bucket is whole buckets of `parts`, so that what is known of those tells all about it.
    pub fn is_made_of(&self, parts: &Bucket) -> bool {
        let (own, parts) = (self.divider(), parts.divider());
        let same_clock = own.zone == parts.zone && own.offset == parts.offset && own.calendar == parts.calendar;
        same_clock
            && match (own.grid, parts.grid) {
                (Grid::Fixed { width, phase }, Grid::Fixed { width: part, phase: first }) => {
                    width % part == 0 && (phase - first) % part == 0
                }
                (Grid::Months { width, phase, shift }, Grid::Months { width: part, phase: first, shift: by }) => {
                    width % part == 0 && (phase - first) % part == 0 && shift == by
                }
                (Grid::Months { shift, .. }, Grid::Fixed { width: part, phase: first }) => {
                    MICROS_PER_DAY % part == 0 && (shift - first) % part == 0
                }
                (Grid::Fixed { .. }, Grid::Months { .. }) => false,
            }
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
                return start.saturating_sub(span.offset);
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
}

fn floor_all_fixed(values: &[i64], width: i64, phase: i64, calendar: bool, out: &mut Vec<i64>) {
    if width == 1 {
        out.extend_from_slice(values);
    } else if calendar {
        let reciprocal = Reciprocal::new(width, phase);
        out.extend(values.iter().map(|&t| {
            let start = reciprocal.floor(t).max(i64::MIN + 1);
            if is_infinite(t) { t } else { start }
        }));
    } else {
        let reciprocal = Reciprocal::new(width, phase);
        out.extend(values.iter().map(|&t| reciprocal.floor(t)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Clockface, format_timestamp, parse_timestamptz};
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        parse_timestamptz(text, &Clockface::EPOCH).unwrap()
    }

    fn interval(text: &str) -> Interval {
        Interval::parse(text).unwrap()
    }

    fn bucket(width: &str) -> Bucket {
        Bucket::interval(TimeType::Timestamptz, interval(width), None, Interval::ZERO, None).unwrap()
    }

    fn zoned(width: &str, zone: &str) -> Bucket {
        Bucket::interval(TimeType::Timestamptz, interval(width), None, Interval::ZERO, Some(zone)).unwrap()
    }

    fn with_origin(width: &str, origin: &str) -> Bucket {
        Bucket::interval(TimeType::Timestamp, interval(width), Some(at(origin)), Interval::ZERO, None).unwrap()
    }

    fn with_offset(width: &str, offset: &str, zone: Option<&str>) -> Bucket {
        Bucket::interval(TimeType::Timestamptz, interval(width), None, interval(offset), zone).unwrap()
    }

    #[test]
    fn buckets_are_made_of_those_whose_starts_theirs_are() {
        let day = bucket("1 day");
        assert!(day.is_made_of(&bucket("1 hour")) && day.is_made_of(&bucket("15 minutes")) && day.is_made_of(&day));
        assert!(!day.is_made_of(&bucket("7 hours")) && !bucket("1 hour").is_made_of(&day));
        assert!(bucket("1 week").is_made_of(&day) && !bucket("1 week").is_made_of(&bucket("2 days")));
        assert!(bucket("1 month").is_made_of(&day) && !bucket("1 month").is_made_of(&bucket("5 days")));
        assert!(bucket("1 year").is_made_of(&bucket("1 month")) && !bucket("1 year").is_made_of(&bucket("5 months")));
        assert!(!bucket("1 month").is_made_of(&bucket("1 week")) && !bucket("4 weeks").is_made_of(&bucket("1 month")));
        assert!(!zoned("1 day", "Europe/Berlin").is_made_of(&day));
        assert!(!zoned("1 day", "Europe/Berlin").is_made_of(&zoned("1 day", "Europe/London")));
        assert!(!with_offset("1 day", "30 minutes", None).is_made_of(&bucket("1 hour")));
        assert!(with_offset("1 day", "6 hours", None).is_made_of(&bucket("1 hour")));
    }

    proptest! {
        #[test]
        fn what_buckets_are_made_of_never_lies_in_two(
            own in prop::sample::select(vec!["1 day", "12 hours", "3 hours", "1 week", "1 month", "1 year", "36 hours"]),
            part in prop::sample::select(vec!["15 minutes", "1 hour", "3 hours", "12 hours", "1 day", "1 month"]),
            offset in prop::sample::select(vec!["0", "1 hour", "90 minutes"]),
            zone in prop::sample::select(vec!["", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata"]),
            t in at("1960-01-01")..at("2060-01-01"),
        ) {
            let zone = Some(zone).filter(|zone| !zone.is_empty());
            let own = Bucket::interval(TimeType::Timestamptz, interval(own), None, interval(offset), zone).unwrap();
            for of in [part, "1 hour"] {
                let parts = Bucket::interval(TimeType::Timestamptz, interval(of), None, Interval::ZERO, zone).unwrap();
                if own.is_made_of(&parts) {
                    let start = own.floor(t);
                    prop_assert_eq!(parts.floor(start), start);
                    prop_assert_eq!(own.floor(parts.floor(t)), start);
                    // Where clocks change, it is hardest.
                    if let Some(zone) = zone {
                        let zone = Zone::parse_in_value(zone).unwrap();
                        for change in zone.transitions().filter(|c| (c - t).abs() < 400 * MICROS_PER_DAY) {
                            for minutes in -200..200 {
                                let t = change + minutes * 15 * MICROS_PER_MINUTE;
                                prop_assert_eq!(own.floor(parts.floor(t)), own.floor(t));
                            }
                        }
                    }
                }
            }
        }
    }

    /// The start of the bucket is `expected`, the time is before the next one, and the start is in its own bucket.
    fn check(bucket: &Bucket, time: &str, expected: &str) {
        let (t, start) = (at(time), bucket.floor(at(time)));
        assert_eq!(format_timestamp(start), expected, "{bucket:?} of {time}");
        assert!(
            t < bucket.next(t) && bucket.is_start(start) && bucket.is_start(bucket.next(t)),
            "{bucket:?} of {time}"
        );
    }

    #[test]
    fn weeks_start_on_monday() {
        for (day, monday) in [
            ("1999-12-30", "1999-12-27"),
            ("2000-01-02", "1999-12-27"),
            ("2000-01-03", "2000-01-03"),
            ("2000-01-09", "2000-01-03"),
            ("2000-01-10", "2000-01-10"),
            ("2024-02-29 13:37", "2024-02-26"),
        ] {
            check(&bucket("1 week"), day, &format!("{monday} 00:00:00"));
            check(&bucket("7 days"), day, &format!("{monday} 00:00:00"));
        }
        check(&bucket("2 weeks"), "2024-02-29 13:37", "2024-02-26 00:00:00");
        check(&bucket("14 days"), "2024-02-29 13:37", "2024-02-26 00:00:00");
        check(&bucket("3 weeks"), "2024-02-29", "2024-02-26 00:00:00");
    }

    #[test]
    fn buckets_are_exact_to_the_microsecond() {
        check(&bucket("100 microseconds"), "2024-01-01 00:00:00.123456", "2024-01-01 00:00:00.1234");
        check(&bucket("1 millisecond"), "2024-01-01 00:00:00.123999", "2024-01-01 00:00:00.123");
        check(&bucket("250 ms"), "1999-12-31 23:59:59.999999", "1999-12-31 23:59:59.75");
        check(&bucket("1.5 seconds"), "2024-01-01 00:00:05", "2024-01-01 00:00:04.5");
    }

    #[test]
    fn months_are_calendar_months_counted_from_january_2000() {
        for (width, cases) in [
            (
                "1 month",
                vec![
                    ("1999-12-31", "1999-12-01"),
                    ("2000-01-31", "2000-01-01"),
                    ("2000-02-29", "2000-02-01"),
                    ("2023-03-31", "2023-03-01"),
                    ("2024-02-29 23:59:59.999999", "2024-02-01"),
                    ("1969-07-20", "1969-07-01"),
                ],
            ),
            (
                "3 months",
                vec![("1999-12-31", "1999-10-01"), ("2000-02-29", "2000-01-01"), ("2024-12-31", "2024-10-01")],
            ),
            ("1 year", vec![("1999-12-31", "1999-01-01"), ("2000-01-01", "2000-01-01"), ("2024-12-31", "2024-01-01")]),
            ("2 months", vec![("2024-04-15", "2024-03-01")]),
            ("5 months", vec![("2024-04-15", "2024-03-01")]),
            ("7 months", vec![("1969-07-20", "1969-02-01")]),
            ("18 months", vec![("2024-04-15", "2024-01-01")]),
            ("10 years", vec![("2024-04-15", "2020-01-01")]),
            ("100 years", vec![("1999-04-15", "1900-01-01")]),
        ] {
            for (time, expected) in cases {
                check(&bucket(width), time, &format!("{expected} 00:00:00"));
            }
        }
    }

    #[test]
    fn origin_and_offset_move_the_starts() {
        check(&with_origin("1 week", "2000-01-01"), "2024-02-29", "2024-02-24 00:00:00");
        check(&with_origin("1 day", "2024-01-01 06:00"), "2024-02-29 05:59", "2024-02-28 06:00:00");
        check(&with_origin("5 minutes", "2030-01-01 00:02"), "2024-02-29 00:01:59", "2024-02-28 23:57:00");
        // Of an origin for months only the month counts.
        check(&with_origin("3 months", "2000-02-15"), "2024-04-15", "2024-02-01 00:00:00");
        check(&with_offset("1 day", "6 hours", None), "2024-02-29 05:59", "2024-02-28 06:00:00");
        check(&with_offset("1 day", "-6 hours", None), "2024-02-28 18:00", "2024-02-28 18:00:00");
        check(&with_offset("1 week", "-1 day", None), "2024-02-29", "2024-02-25 00:00:00");
        check(&with_offset("1 month", "14 days", None), "2024-03-14 23:59", "2024-02-15 00:00:00");
        check(&with_offset("1 month", "14 days", None), "2024-03-15", "2024-03-15 00:00:00");
        check(&with_offset("3 months", "1 month", None), "2024-04-30", "2024-02-01 00:00:00");
        check(&with_offset("1 day", "6 hours", Some("Europe/Berlin")), "2024-07-01 03:59", "2024-06-30 04:00:00");
        let hundreds = Bucket::integer(TimeType::Integer, 100, 30).unwrap();
        for (time, start) in [(0, -70), (29, -70), (30, 30), (-71, -170), (-70, -70)] {
            assert_eq!(hundreds.floor(time), start);
        }
    }

    #[test]
    fn days_follow_daylight_saving() {
        let day = zoned("1 day", "Europe/Berlin");
        check(&day, "2024-03-30 21:00", "2024-03-29 23:00:00");
        check(&day, "2024-03-31 00:00", "2024-03-30 23:00:00");
        check(&day, "2024-03-31 21:00", "2024-03-30 23:00:00");
        check(&day, "2024-04-01 00:00", "2024-03-31 22:00:00");
        check(&day, "2024-10-27 22:59", "2024-10-26 22:00:00");
        check(&day, "2024-10-27 23:00", "2024-10-27 23:00:00");
        assert_eq!(day.next(at("2024-03-31 10:00")) - day.floor(at("2024-03-31 10:00")), 23 * 3_600_000_000);
        assert_eq!(day.next(at("2024-10-27 10:00")) - day.floor(at("2024-10-27 10:00")), 25 * 3_600_000_000);
        check(&zoned("1 week", "Europe/Berlin"), "2024-03-31 22:30", "2024-03-31 22:00:00");
        check(&zoned("1 month", "Europe/Berlin"), "2024-03-31 22:30", "2024-03-31 22:00:00");
        check(&zoned("1 day", "America/New_York"), "2024-03-10 08:00", "2024-03-10 05:00:00");
        check(&zoned("1 day", "America/New_York"), "2024-03-11 03:59:59", "2024-03-10 05:00:00");
        check(&zoned("1 month", "America/New_York"), "2024-03-01 02:00", "2024-02-01 05:00:00");
        check(&zoned("1 day", "America/New_York"), "2024-03-01 02:00", "2024-02-29 05:00:00");
    }

    #[test]
    fn hours_follow_the_wall_clock_and_come_twice_when_it_is_set_back() {
        for (time, hour, four_hours) in [
            ("2024-03-30 23:30", "2024-03-30 23:00:00", "2024-03-30 23:00:00"),
            ("2024-03-31 00:30", "2024-03-31 00:00:00", "2024-03-30 23:00:00"),
            ("2024-03-31 01:30", "2024-03-31 01:00:00", "2024-03-30 23:00:00"),
            ("2024-03-31 02:30", "2024-03-31 02:00:00", "2024-03-31 02:00:00"),
            ("2024-03-31 03:30", "2024-03-31 03:00:00", "2024-03-31 02:00:00"),
        ] {
            check(&zoned("1 hour", "Europe/Berlin"), time, hour);
            check(&zoned("4 hours", "Europe/Berlin"), time, four_hours);
        }
        for (time, hour) in [
            ("2024-10-26 23:30", "2024-10-26 23:00:00"),
            ("2024-10-27 00:00", "2024-10-27 00:00:00"),
            ("2024-10-27 00:30", "2024-10-27 00:00:00"),
            ("2024-10-27 01:00", "2024-10-27 01:00:00"),
            ("2024-10-27 01:30", "2024-10-27 01:00:00"),
            ("2024-10-27 02:30", "2024-10-27 02:00:00"),
        ] {
            check(&zoned("1 hour", "Europe/Berlin"), time, hour);
        }
        check(&zoned("15 minutes", "Asia/Kathmandu"), "2024-01-01 00:07", "2024-01-01 00:00:00");
        check(&zoned("1 hour", "Asia/Kathmandu"), "2024-01-01 00:07", "2023-12-31 23:15:00");
    }

    #[test]
    fn a_start_that_is_skipped_or_repeated_is_one_instant() {
        // The clocks go from 01:00 back to 00:00: the day begins the first time.
        check(&zoned("1 day", "America/Havana"), "2024-11-03 04:30", "2024-11-03 04:00:00");
        check(&zoned("1 day", "America/Havana"), "2024-11-03 05:30", "2024-11-03 04:00:00");
        // The clocks go from 00:00 to 01:00: the day begins at the jump.
        check(&zoned("1 day", "America/Havana"), "2024-03-10 05:00", "2024-03-10 05:00:00");
        check(&zoned("1 day", "America/Havana"), "2024-03-10 04:59", "2024-03-09 05:00:00");
        // 02:40 is skipped, so the bucket of 03:10 begins at the jump.
        check(&zoned("40 minutes", "Europe/Berlin"), "2024-03-31 01:10", "2024-03-31 01:00:00");
        // 02:00 to 03:00 is repeated without a start: the bucket of 01:30 lasts until 03:00.
        check(&zoned("90 minutes", "Europe/Berlin"), "2024-10-27 00:30", "2024-10-26 23:30:00");
        check(&zoned("90 minutes", "Europe/Berlin"), "2024-10-27 01:59", "2024-10-26 23:30:00");
        check(&zoned("90 minutes", "Europe/Berlin"), "2024-10-27 02:00", "2024-10-27 02:00:00");
        // A day that never was has no bucket.
        let day = zoned("1 day", "Pacific/Apia");
        assert_eq!(format_timestamp(day.floor(at("2011-12-30 09:59"))), "2011-12-29 10:00:00");
        assert_eq!(format_timestamp(day.next(at("2011-12-30 09:59"))), "2011-12-30 10:00:00");
        assert_eq!(format_timestamp(day.next(at("2011-12-30 10:00"))), "2011-12-31 10:00:00");
    }

    #[test]
    fn infinity_is_a_bucket_of_its_own_and_limits_saturate() {
        for bucket in [bucket("1 day"), bucket("1 month"), zoned("1 day", "Europe/Berlin"), zoned("1 year", "UTC")] {
            assert_eq!((bucket.floor(i64::MIN), bucket.next(i64::MIN)), (i64::MIN, i64::MIN + 1));
            assert_eq!((bucket.floor(i64::MAX), bucket.next(i64::MAX)), (i64::MAX, i64::MAX));
            assert_eq!(bucket.floor(i64::MIN + 1), i64::MIN + 1);
            assert_eq!(bucket.next(i64::MAX - 1), i64::MAX);
            assert!(bucket.floor(i64::MAX - 1) < i64::MAX - 1);
        }
        let thousands = Bucket::integer(TimeType::BigInt, 1000, 0).unwrap();
        assert_eq!((thousands.floor(i64::MIN), thousands.floor(i64::MAX)), (i64::MIN, i64::MAX / 1000 * 1000));
        assert_eq!(thousands.next(i64::MAX), i64::MAX);
        let widest = Bucket::integer(TimeType::BigInt, i64::MAX, i64::MIN).unwrap();
        assert!(widest.floor(0) <= 0 && widest.next(0) > 0);
    }

    #[test]
    fn impossible_buckets_are_refused_in_the_words_of_timescaledb() {
        let check = |time_type, width: &str, offset: &str, zone: Option<&str>, code: &str, message: &str| {
            let error = Bucket::interval(time_type, interval(width), None, interval(offset), zone).unwrap_err();
            assert_eq!((error.sqlstate(), error.to_string().as_str()), (code, message), "{width}");
        };
        use TimeType::{Date, Timestamptz};
        check(Timestamptz, "0 hour", "0", None, "22023", "period must be greater than 0");
        check(Timestamptz, "-1 day", "0", None, "22023", "period must be greater than 0");
        check(Timestamptz, "-1 month", "0", None, "22023", "period must be greater than 0");
        check(Timestamptz, "1 month 1 day", "0", None, "0A000", "month intervals cannot have day or time component");
        check(Timestamptz, "1 month 00:00:01", "0", None, "0A000", "month intervals cannot have day or time component");
        check(Date, "1 hour", "0", None, "0A000", "interval must not have sub-day precision");
        check(Date, "36 hours", "0", None, "0A000", "interval must be a multiple of a day");
        check(Timestamptz, "1 day", "0", Some("Mars"), "22023", "time zone \"Mars\" not recognized");
        assert_eq!(Bucket::integer(TimeType::BigInt, 0, 0), Err(BucketError::NotPositive));
    }

    #[test]
    fn widths_are_shown_as_intervals() {
        let check = |width: &str, expected: &str| assert_eq!(bucket(width).width_display(), expected);
        check("1 hour", "01:00:00");
        check("1 day", "1 day");
        check("2 weeks", "14 days");
        check("36 hours", "36:00:00");
        check("1 month", "1 mon");
        check("18 months", "1 year 6 mons");
        assert_eq!(Bucket::integer(TimeType::BigInt, 1000, 0).unwrap().width_display(), "1000");
    }

    #[test]
    fn no_bucket_is_narrower_than_min_width() {
        const HOUR: i64 = 3_600_000_000;
        assert_eq!(bucket("1 hour").min_width(), HOUR);
        assert_eq!(bucket("1 month").min_width(), 28 * 24 * HOUR);
        assert_eq!(bucket("3 months").min_width(), 89 * 24 * HOUR);
        assert_eq!(bucket("1 year").min_width(), 365 * 24 * HOUR);
        assert_eq!(zoned("1 day", "UTC").min_width(), 24 * HOUR);
        assert_eq!(zoned("1 day", "Asia/Tokyo").min_width(), 23 * HOUR);
        assert_eq!(zoned("1 week", "Pacific/Apia").min_width(), 6 * 24 * HOUR);
        assert!(zoned("1 day", "Europe/Berlin").min_width() <= 23 * HOUR);
    }

    const ZONES: [&str; 8] = [
        "Europe/Berlin",
        "America/New_York",
        "America/Havana",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kathmandu",
        "Antarctica/Troll",
        "Africa/Casablanca",
    ];

    fn widths() -> impl Strategy<Value = BucketWidth> {
        const MINUTE: i64 = 60_000_000;
        prop_oneof![
            (1..5000i64).prop_map(BucketWidth::Fixed),
            prop::sample::select(&[1, 7, 15, 20, 40, 60, 90, 240, 420, 720, 1440, 2160, 4320, 10_080][..])
                .prop_map(|minutes| BucketWidth::Fixed(minutes * MINUTE)),
            (1..40i32).prop_map(BucketWidth::Months),
        ]
    }

    fn buckets() -> impl Strategy<Value = Bucket> {
        let origin = prop::option::of(-4_000_000_000_000_000..4_000_000_000_000_000i64);
        let offset = prop_oneof![Just(0), -200_000_000_000..200_000_000_000i64];
        (widths(), origin, offset, prop::option::of(prop::sample::select(&ZONES[..]))).prop_map(
            |(width, origin, offset, zone)| Bucket {
                time_type: TimeType::Timestamptz,
                width,
                origin,
                offset: (0, offset),
                zone: zone.map(str::to_string),
            },
        )
    }

    /// Times from 1890 to 2130, many of them near a change of the clocks.
    fn times() -> impl Strategy<Value = i64> {
        const HOUR: i64 = 3_600_000_000;
        prop_oneof![
            -2_500_000_000_000_000..5_000_000_000_000_000i64,
            (
                prop::sample::select(&ZONES[..]),
                any::<prop::sample::Index>(),
                prop_oneof![-5 * HOUR..5 * HOUR, -48 * HOUR..48 * HOUR, -3..3i64],
            )
                .prop_map(|(zone, index, near)| {
                    let changes: Vec<i64> = Zone::parse(zone).unwrap().transitions().take(200).collect();
                    changes[index.index(changes.len())] + near
                }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn buckets_tile_the_axis(bucket in buckets(), t in times()) {
            let (start, next) = (bucket.floor(t), bucket.next(t));
            prop_assert!(start <= t && t < next);
            prop_assert_eq!(bucket.floor(start), start);
            prop_assert_eq!(bucket.next(start), next);
            prop_assert_eq!(bucket.floor(next), next);
            prop_assert_eq!(bucket.floor(next - 1), start);
            prop_assert_eq!(bucket.next(next - 1), next);
            prop_assert_eq!(bucket.next(start - 1), start);
            prop_assert!(start == t || bucket.floor(t - 1) == start);
        }

        #[test]
        fn every_time_between_start_and_next_is_in_the_bucket(bucket in buckets(), t in times(), part in 0.0..1.0f64) {
            let (start, next) = (bucket.floor(t), bucket.next(t));
            let inside = start + ((next - start - 1) as f64 * part) as i64;
            prop_assert_eq!((bucket.floor(inside), bucket.next(inside)), (start, next));
        }

        #[test]
        fn floor_all_is_floor_of_each(bucket in buckets(), times in prop::collection::vec(times(), 0..20), wild in prop::collection::vec(any::<i64>(), 0..20)) {
            let mut values = times;
            if bucket.zone.is_none() {
                values.extend(wild);
                values.extend([i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX]);
            }
            let mut out = Vec::new();
            bucket.floor_all(&values, &mut out);
            prop_assert_eq!(out, values.iter().map(|&t| bucket.floor(t)).collect::<Vec<_>>());
        }

        #[test]
        fn integer_buckets_do_not_overflow(width in 1..=i64::MAX, offset in any::<i64>(), values in prop::collection::vec(any::<i64>(), 1..20)) {
            let bucket = Bucket::integer(TimeType::BigInt, width, offset).unwrap();
            let mut out = Vec::new();
            bucket.floor_all(&values, &mut out);
            for (&t, &start) in values.iter().zip(&out) {
                prop_assert_eq!(bucket.floor(t), start);
                prop_assert!(start <= t && i128::from(t) - i128::from(start) < i128::from(width));
                prop_assert!(bucket.next(t) > t || t == i64::MAX);
            }
        }

        #[test]
        fn no_bucket_found_is_narrower_than_min_width(bucket in buckets(), times in prop::collection::vec(times(), 1..10)) {
            let narrowest = bucket.min_width();
            for t in times {
                prop_assert!(bucket.next(t) - bucket.floor(t) >= narrowest);
            }
        }

        #[test]
        fn alignment_agrees_with_trying_every_bucket(width in 1..7i64, offset in -9..9i64, start in -20..20i64, length in 0..25i64) {
            let bucket = Bucket::integer(TimeType::Integer, width, offset).unwrap();
            let range = TimeRange::new(start, start + length);
            let all: Vec<TimeRange> = (-60..60)
                .filter(|&t| bucket.is_start(t))
                .map(|t| TimeRange::new(t, t + width))
                .collect();
            let hull = |chosen: Vec<&TimeRange>| chosen.first().map(|first| TimeRange::new(first.start, chosen[chosen.len() - 1].end));
            let touched = hull(all.iter().filter(|b| b.overlaps(&range)).collect());
            let inside = hull(all.iter().filter(|b| range.covers(b)).collect());
            prop_assert_eq!(Some(bucket.align_out(range)).filter(|r| !r.is_empty()), touched);
            prop_assert_eq!(Some(bucket.align_in(range)).filter(|r| !r.is_empty()), inside);
        }

        #[test]
        fn alignment_keeps_infinite_ends(bucket in buckets(), t in times()) {
            prop_assert_eq!(bucket.align_out(TimeRange::ALL), TimeRange::ALL);
            prop_assert_eq!(bucket.align_in(TimeRange::ALL), TimeRange::ALL);
            let (below, above) = (TimeRange::new(i64::MIN, t), TimeRange::new(t, i64::MAX));
            prop_assert_eq!(bucket.align_in(below), TimeRange::new(i64::MIN, bucket.floor(t)));
            prop_assert_eq!(bucket.align_out(above), TimeRange::new(bucket.floor(t), i64::MAX));
            prop_assert!(bucket.align_out(below).covers(&below) && above.covers(&bucket.align_in(above)));
        }
    }
}
