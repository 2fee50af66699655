//! `EXPLAIN REFRESH`: what a refresh would do, and why.
//!
//! ```text
//! batch | start      | end        | buckets | reason             | about_rows | estimated_time
//!     1 | 2026-11-20 | 2026-11-22 |       2 | never materialized |     172800 | 00:00:00.04
//!     2 | 2026-03-01 | 2026-03-02 |       1 | changed            |      86400 | 00:00:00.02
//! ```
//!
//! The batches are those of the refresh itself, in its order: each is one commit.

use super::{Choice, batches, chain, rows_within, work};
use crate::Result;
use crate::realtime::occupied;
use arrow::array::{Int64Array, IntervalMonthDayNanoArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, IntervalUnit, Schema, SchemaRef};
use highwater_model::time::{Zone, format_timestamptz};
use highwater_model::{Bucket, ContinuousAggregate, RangeSet, TimeRange};
use highwater_store::Version;
use std::sync::Arc;

/// Buckets are counted one by one up to so many; a range of more is divided by the width of its first.
const COUNTED: i64 = 100_000;

/// The columns of the answer.
pub fn columns() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("batch", DataType::Int64),
        field("start", DataType::Utf8),
        field("end", DataType::Utf8),
        field("buckets", DataType::Int64),
        field("reason", DataType::Utf8),
        field("about_rows", DataType::Int64),
        field("estimated_time", DataType::Interval(IntervalUnit::MonthDayNano)),
    ]))
}

/// What a refresh of `window` would do in `version`.
///
/// * `rate` – rows a second that the last refresh went through, if there was one.
pub fn explain(
    version: &Version,
    cagg: &Arc<ContinuousAggregate>,
    window: TimeRange,
    choice: Choice,
    zone: &Zone,
    rate: Option<f64>,
) -> Result<RecordBatch> {
    let data = version.cagg(cagg.id);
    let (invalidated, never) = (data.pending.invalidated(), data.pending.never_materialized().clone());
    let reasons =
        [("never materialized", aligned(&cagg.bucket, &never)), ("changed", aligned(&cagg.bucket, &invalidated))];
    // Where there is no row and nothing is kept, there is nothing to be done.
    let chain = chain(version, cagg);
    let mut work = work(version, &chain, window, choice);
    for (cagg, buckets) in chain.iter().zip(&mut work) {
        *buckets = buckets.intersect(&occupied(version, cagg));
    }
    let otherwise = if choice == Choice::Force { "forced" } else { "changed below" };
    let shown = |t: i64| match cagg.bucket.time_type.is_integer() {
        true => t.to_string(),
        false => format_timestamptz(t, zone),
    };
    let mut lines = Vec::new();
    for (number, batch) in batches(version, &chain, &work).iter().rev().enumerate() {
        let mut rest = batch.clone();
        let mut parts = Vec::new();
        for (reason, ranges) in &reasons {
            parts.extend(rest.intersect(ranges).iter().map(|range| (range, *reason)));
            rest = rest.subtract(ranges);
        }
        parts.extend(rest.iter().map(|range| (range, otherwise)));
        parts.sort_by_key(|(range, _)| range.start);
        lines.extend(parts.into_iter().map(|(range, reason)| (number as i64 + 1, range, reason)));
    }
    let rows: Vec<u64> =
        lines.iter().map(|(_, range, _)| rows_within(version, cagg, &RangeSet::from(*range))).collect();
    let time = |rows: &u64| {
        let rate = rate.filter(|rate| *rate > 0.0)?;
        // Shown in microseconds, as PostgreSQL does.
        Some(IntervalMonthDayNano::new(0, 0, (*rows as f64 / rate * 1e6).round() as i64 * 1000))
    };
    Ok(RecordBatch::try_new(
        columns(),
        vec![
            Arc::new(lines.iter().map(|(batch, ..)| *batch).collect::<Int64Array>()),
            Arc::new(lines.iter().map(|(_, range, _)| Some(shown(range.start))).collect::<StringArray>()),
            Arc::new(lines.iter().map(|(_, range, _)| Some(shown(range.end))).collect::<StringArray>()),
            Arc::new(lines.iter().map(|(_, range, _)| buckets_in(&cagg.bucket, *range)).collect::<Int64Array>()),
            Arc::new(lines.iter().map(|(.., reason)| Some(*reason)).collect::<StringArray>()),
            Arc::new(rows.iter().map(|rows| *rows as i64).collect::<Int64Array>()),
            Arc::new(rows.iter().map(time).collect::<IntervalMonthDayNanoArray>()),
        ],
    )?)
}

fn aligned(bucket: &Bucket, ranges: &RangeSet) -> RangeSet {
    ranges.iter().map(|range| bucket.align_out(range)).collect()
}

fn buckets_in(bucket: &Bucket, range: TimeRange) -> i64 {
    let (mut start, mut count) = (range.start, 0);
    while start < range.end && count < COUNTED {
        start = bucket.next(start);
        count += 1;
    }
    if start >= range.end {
        return count;
    }
    let width = i128::from(bucket.next(range.start)) - i128::from(range.start);
    i64::try_from((i128::from(range.end) - i128::from(range.start)) / width.max(1)).unwrap_or(i64::MAX)
}
