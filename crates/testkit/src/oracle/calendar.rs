//! Time and buckets, computed in another way than the engine's.
//!
//! Times are numbers on the axis of a table: microseconds since 1970 for timestamps and dates, the number
//! itself for integers. Only finite times of four-digit years occur.

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds of a day.
pub const DAY: i64 = 24 * HOUR;

/// Monday, 3 January 2000: where weeks, days and shorter buckets begin unless told otherwise.
const MONDAY: i64 = 10_959 * DAY;

/// How time is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// Every so many microseconds, or integers, from an origin.
    Fixed {
        /// The width.
        width: i64,
        /// A time at which a bucket begins.
        origin: i64,
    },
    /// Every so many months from January 2000.
    Months(i64),
}

impl Bucket {
    /// Buckets of timestamps without origin and offset.
    pub fn of_micros(width: i64) -> Self {
        Bucket::Fixed { width, origin: MONDAY }
    }

    /// The same, later by `offset`.
    pub fn moved(self, offset: i64) -> Self {
        match self {
            Bucket::Fixed { width, origin } => Bucket::Fixed { width, origin: origin + offset },
            months => months,
        }
    }

    /// Where the bucket of a time begins.
    pub fn start(&self, t: i64) -> i64 {
        match self {
            Bucket::Fixed { width, origin } => t - (t - origin).rem_euclid(*width),
            Bucket::Months(count) => {
                let (year, month, _) = civil(t.div_euclid(DAY));
                month_start((year * 12 + month - 1 - 24_000).div_euclid(*count) * count)
            }
        }
    }

    /// Where the bucket that begins at `start` ends.
    pub fn end(&self, start: i64) -> i64 {
        match self {
            Bucket::Fixed { width, .. } => start + width,
            Bucket::Months(count) => {
                let (year, month, _) = civil(start.div_euclid(DAY));
                month_start(year * 12 + month - 1 - 24_000 + count)
            }
        }
    }

    /// The first bucket that begins at `t` or later.
    pub fn ceiling(&self, t: i64) -> i64 {
        let start = self.start(t);
        if start == t { t } else { self.end(start) }
    }
}

/// The beginning of a month, counted from January 2000.
fn month_start(number: i64) -> i64 {
    days(2000 + number.div_euclid(12), number.rem_euclid(12) + 1, 1) * DAY
}

/// Days from 1 January 1970 to a date.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + in_year - 719_468
}

/// The year, month and day that are so many days after 1 January 1970.
pub fn civil(number: i64) -> (i64, i64, i64) {
    // A year has 365.2425 days; the guess is off by at most one.
    let mut year = 1970 + number * 400 / 146_097 - 1;
    while days(year + 1, 1, 1) <= number {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days(year, month + 1, 1) <= number {
        month += 1;
    }
    (year, month, number - days(year, month, 1) + 1)
}

/// `2026-03-01 10:20:00.5`, without a zone.
pub fn timestamp(t: i64) -> String {
    let (day, rest) = (t.div_euclid(DAY), t.rem_euclid(DAY));
    let fraction = format!("{:06}", rest % SECOND);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let clock = format!("{:02}:{:02}:{:02}", rest / HOUR, rest / MINUTE % 60, rest / SECOND % 60);
    format!("{} {clock}{point}{fraction}", date(day * DAY))
}

/// `2026-03-01`
pub fn date(t: i64) -> String {
    let (year, month, day) = civil(t.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_back_and_forth() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(10_959), (2000, 1, 3));
        assert_eq!(timestamp(951_825_600 * SECOND - 1), "2000-02-29 11:59:59.999999");
        for number in -200_000..200_000 {
            let (year, month, day) = civil(number);
            assert_eq!(days(year, month, day), number);
        }
    }

    #[test]
    fn buckets_hold_their_times() {
        for bucket in [Bucket::of_micros(DAY).moved(HOUR), Bucket::Months(1), Bucket::Months(3)] {
            for t in (-4000 * DAY..4000 * DAY).step_by(977 * MINUTE as usize) {
                let start = bucket.start(t);
                assert!(start <= t && t < bucket.end(start) && bucket.start(start) == start);
                assert_eq!(bucket.start(bucket.end(start)), bucket.end(start));
            }
        }
        assert_eq!(date(Bucket::Months(3).start(days(1969, 12, 31) * DAY)), "1969-10-01");
        assert_eq!(date(Bucket::of_micros(7 * DAY).start(days(1970, 1, 1) * DAY)), "1969-12-29");
    }
}
