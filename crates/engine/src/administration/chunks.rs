//! Chunks: shown, dropped, and how wide new ones are.

use super::{Arguments, Rows, chunk_width, chunked, instant_of, interval_of, literal, void, whole_of};
use crate::error::{Error, Notice, Result};
use crate::parse;
use crate::query::Planner;
use crate::refresh::{self, Refresher};
use crate::work::Work;
use crate::write::insert_all;
use crate::{define, realtime};
use datafusion::common::ScalarValue;
use highwater_model::time::timestamptz_minus_interval;
use highwater_model::{CatalogChange, Chunk, ContinuousAggregate, RangeSet, Reach, Table, TimeRange};
use std::sync::Arc;

/// Name of a chunk, with its schema.
pub fn chunk_name(table: &Table, chunk: &Chunk) -> String {
    let number = table.hypertable.as_ref().map_or(0, |h| h.number);
    format!("_timescaledb_internal._hyper_{number}_{}_chunk", chunk.id.0)
}

/// `set_chunk_time_interval`
pub fn set_interval(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let (table, _) = chunked(work, arguments.relation(work, "hypertable")?)?;
    let time = table.time_column().map(|c| c.name.clone()).unwrap_or_default();
    let value = arguments
        .value("chunk_time_interval")
        .ok_or_else(|| Error::invalid_parameter("invalid interval: an explicit interval must be specified"))?;
    let width = chunk_width(value, &table, &time)?;
    let mut changed = table.as_ref().clone();
    changed.hypertable.as_mut().expect("it is a hypertable").chunk_interval = width;
    work.change(CatalogChange::PutTable(Arc::new(changed)))?;
    void()
}

/// `set_integer_now_func`
pub fn set_integer_now(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let (table, _) = chunked(work, arguments.relation(work, "hypertable")?)?;
    let hypertable = table.hypertable.as_ref().expect("it is a hypertable");
    if !hypertable.time_type.is_integer() {
        return Err(Error::invalid_parameter("custom time function not supported")
            .detail("A custom time function can only be set for hypertables that have integer dimensions."));
    }
    if hypertable.integer_now.is_some() && !arguments.truth("replace_if_exists")? {
        return Err(Error::new("42710", format!("custom time function already set for hypertable \"{}\"", table.name)));
    }
    let name = arguments
        .text("integer_now_func")
        .ok_or_else(|| Error::invalid_parameter("integer_now_func cannot be NULL"))?;
    let function = define::find_function(work, &parse::parse_name(&name)?)
        .ok_or_else(|| Error::new("42883", format!("function \"{name}\" does not exist")))?;
    let mut changed = table.as_ref().clone();
    changed.hypertable.as_mut().expect("it is a hypertable").integer_now =
        Some((function.schema.clone(), function.name.clone()));
    work.change(CatalogChange::PutTable(Arc::new(changed)))?;
    Ok(vec![vec!["NULL".to_owned()]])
}

/// What "now" is on the time axis of a hypertable.
///
/// # Errors
/// 42P17 when time is an integer and no function says what now is.
pub async fn now_of(planner: &Planner, table: &Table, transaction_time: i64) -> Result<i64> {
    let hypertable = table.hypertable.as_ref().ok_or_else(|| Error::internal("only hypertables have a now"))?;
    if !hypertable.time_type.is_integer() {
        return Ok(transaction_time);
    }
    let missing = || Error::new("42P17", format!("integer_now function not set on hypertable \"{}\"", table.name));
    let key = hypertable.integer_now.clone().ok_or_else(missing)?;
    let function = planner.version().catalog().functions.get(&key).cloned().ok_or_else(missing)?;
    let plan = planner.plan_query(&*parse::parse_query(&function.body)?, &[])?;
    let batches = planner.collect(plan).await?;
    let value =
        batches.iter().find(|b| b.num_rows() > 0).map(|b| ScalarValue::try_from_array(b.column(0), 0)).transpose()?;
    value
        .as_ref()
        .and_then(whole_of)
        .ok_or_else(|| Error::new("22004", format!("function {} gave no number", function.name)))
}

/// The chunks that lie wholly in the range that a call's arguments name.
async fn chosen(work: &Work, table: &Arc<Table>, arguments: &Arguments) -> Result<Vec<Chunk>> {
    let time_type = table.hypertable.as_ref().expect("it is a hypertable").time_type;
    let mut window = TimeRange::ALL;
    for (name, older) in [("older_than", true), ("newer_than", false)] {
        let Some(value) = arguments.value(name) else { continue };
        let at = match value {
            ScalarValue::IntervalMonthDayNano(_) if !time_type.is_integer() => {
                let zone = work.settings.zone();
                timestamptz_minus_interval(work.times.transaction, &interval_of(value)?, &zone)
                    .map_err(|e| Error::new(e.sqlstate(), e.to_string()))?
            }
            ScalarValue::IntervalMonthDayNano(_) => {
                return Err(Error::invalid_parameter("invalid time argument type \"interval\"")
                    .hint(format!("Try casting the argument to \"{}\".", time_type.column_type())));
            }
            other => instant_of(other, time_type, work)?,
        };
        match older {
            true => window.end = at,
            false => window.start = at,
        }
    }
    let data = work.transaction.version().table(table.id);
    Ok(data.chunks.values().filter(|c| window.covers(&c.range)).cloned().collect())
}

/// `show_chunks`
pub async fn show(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let (table, _) = chunked(work, arguments.relation(work, "relation")?)?;
    let chunks = chosen(work, &table, arguments).await?;
    Ok(chunks.iter().map(|c| vec![literal(&chunk_name(&table, c))]).collect())
}

/// `drop_chunks`
pub async fn drop(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let (table, cagg) = chunked(work, arguments.relation(work, "relation")?)?;
    let bounded =
        ["older_than", "newer_than", "created_before", "created_after"].iter().any(|n| arguments.value(n).is_some());
    if !bounded {
        return Err(Error::invalid_parameter("invalid time range for dropping chunks")
            .hint("At least one of older_than and newer_than must be provided."));
    }
    if arguments.value("created_before").is_some() || arguments.value("created_after").is_some() {
        return Err(Error::unsupported("created_before and created_after are not supported")
            .hint("Use older_than and newer_than."));
    }
    let chunks = chosen(work, &table, arguments).await?;
    drop_chunks(work, &table, cagg.as_ref(), &chunks).await?;
    Ok(chunks.iter().map(|c| vec![literal(&chunk_name(&table, c))]).collect())
}

/// Drops chunks. What aggregates over them hold is settled first and then frozen.
///
/// ```text
/// settle    refresh what is pending of the dropped buckets, while the rows are there
/// freeze    merge the partial states of the dropped rows into the frozen base
/// drop      delete the rows, touching nothing
/// ```
///
/// An aggregate goes on showing what was frozen, so aggregates over it notice nothing. When its own chunks are dropped,
/// with what was frozen of them, they are what is settled and frozen.
pub async fn drop_chunks(
    work: &mut Work,
    table: &Arc<Table>,
    cagg: Option<&Arc<ContinuousAggregate>>,
    chunks: &[Chunk],
) -> Result<()> {
    let ranges: RangeSet = chunks.iter().map(|c| c.range).collect();
    if ranges.is_empty() {
        return Ok(());
    }
    if cagg.is_none() {
        work.refuse_kept(table)?;
    }
    let over: Vec<_> = work.transaction.version().catalog().caggs_over(table.id).cloned().collect();
    if let Some(cagg) = cagg.filter(|_| !over.is_empty()) {
        refuse_windows(cagg)?;
        refuse_rows_below(work, cagg, &ranges).await?;
        settle(work, cagg, &ranges).await?;
    }
    for cagg in over {
        settle(work, &cagg, &ranges).await?;
        freeze(work, &cagg, table, &ranges).await?;
    }
    if let Some(cagg) = cagg {
        let frozen = work.transaction.version().catalog().tables.get(&cagg.frozen_base).cloned();
        let frozen = frozen.ok_or_else(|| Error::internal("an aggregate has a frozen base"))?;
        let ids = refresh::ids_within(&work.planner(), &frozen, &ranges).await?;
        work.transaction.delete(frozen.id, ids, RangeSet::empty())?;
    }
    let planner = work.planner();
    let ids = refresh::ids_within(&planner, table, &ranges).await?;
    work.transaction.delete(table.id, ids, RangeSet::empty())?;
    work.transaction.drop_chunks(table.id, ranges)?;
    Ok(())
}

/// Refuses to drop chunks of an aggregate that others are over when later rows look back into them: they would change,
/// though nothing was corrected.
fn refuse_windows(cagg: &ContinuousAggregate) -> Result<()> {
    if cagg.reach == Reach::OWN {
        return Ok(());
    }
    Err(Error::unsupported(format!("cannot drop chunks of continuous aggregate \"{}\"", cagg.name))
        .detail("Its window functions look into other buckets, and other aggregates are over it.")
        .hint("Drop the chunks of its source: what it keeps of them stays."))
}

/// Refuses to drop chunks of an aggregate that others are over while its source has rows of these times: it would
/// show their buckets again when one of them changes, and those over it would count them twice.
async fn refuse_rows_below(work: &Work, cagg: &Arc<ContinuousAggregate>, ranges: &RangeSet) -> Result<()> {
    let catalog = work.transaction.version().catalog();
    let mut times = ranges.clone();
    for level in std::iter::once(cagg.clone()).chain(catalog.ancestors(cagg)) {
        times = level.bucket.starting(&times);
        for source in level.sources() {
            let source = catalog.tables.get(&source).ok_or_else(|| Error::internal("an aggregate has a source"))?;
            if refresh::ids_within(&work.planner(), source, &times).await?.is_empty() {
                continue;
            }
            let (name, top) = (catalog.parent(&level).map_or(&source.name, |parent| &parent.name), &cagg.name);
            return Err(Error::new("55000", format!("cannot drop chunks of \"{top}\" before those of \"{name}\""))
                .detail(format!("\"{name}\" still has rows of these times, and other aggregates are over \"{top}\"."))
                .hint(format!("Drop the chunks of \"{name}\" first.")));
        }
    }
    Ok(())
}

/// Brings the buckets that the ranges reach into up to date.
async fn settle(work: &mut Work, cagg: &Arc<ContinuousAggregate>, ranges: &RangeSet) -> Result<()> {
    let mut buckets = RangeSet::empty();
    for range in ranges.iter() {
        let window = cagg.bucket.align_out(range);
        buckets = buckets.union(&refresh::plan(work.transaction.version(), cagg, window, refresh::Choice::Pending));
    }
    if buckets.is_empty() {
        return Ok(());
    }
    let refresher = Refresher { engine: &work.engine, settings: &work.settings, user: &work.user };
    refresher.settle(&mut work.transaction, cagg, &buckets).await?;
    work.notice(Notice::new(format!("refreshed continuous aggregate \"{}\" before dropping its rows", cagg.name)));
    Ok(())
}

/// Adds the partial states of a source's rows in the ranges to the frozen base.
async fn freeze(
    work: &mut Work,
    cagg: &Arc<ContinuousAggregate>,
    source: &Arc<Table>,
    ranges: &RangeSet,
) -> Result<()> {
    let planner = work.planner();
    let partial = realtime::partial(&planner, cagg, source.id, ranges)?;
    let frozen = work.transaction.version().catalog().tables.get(&cagg.frozen_base).cloned();
    let frozen = frozen.ok_or_else(|| Error::internal("an aggregate has a frozen base"))?;
    let states = planner.run(partial, &[]).await?;
    insert_all(&mut work.transaction, &frozen, states).await?;
    // Buckets that the ranges cut keep the states of the part that was dropped.
    let touched: RangeSet = ranges.iter().map(|r| cagg.bucket.align_out(r)).collect();
    work.transaction.freeze(cagg.id, touched)?;
    Ok(())
}
