//! Policies, and jobs in general.

use super::{Arguments, Rows, chunked, compression, interval_of, literal, void, whole_of};
use crate::error::{Error, Notice, Result};
use crate::information::timescale;
use crate::query::Relation;
use crate::work::Work;
use crate::{define, json, parse};
use datafusion::common::ScalarValue;
use highwater_model::job::{Action, Offset};
use highwater_model::time::MICROS_PER_DAY;
use highwater_model::{CatalogChange, ContinuousAggregate, Interval, Job, JobId, JobStats, Table, TimeType};
use std::sync::Arc;

const DAY: Interval = Interval::new(0, 1, 0);

fn offset(value: &ScalarValue, time_type: TimeType, name: &str) -> Result<Offset> {
    let invalid = || Error::invalid_parameter(format!("invalid parameter value for {name}"));
    match (value, time_type.is_integer()) {
        (ScalarValue::IntervalMonthDayNano(_), false) => interval_of(value).map(Offset::Interval),
        // An untyped string is an interval; a value of type text is not.
        (ScalarValue::Utf8(Some(_)), false) => interval_of(value).map(Offset::Interval).map_err(|_| invalid()),
        (other, true) => whole_of(other)
            .map(Offset::Integer)
            .ok_or_else(|| invalid().hint("Use time interval of type integer with the continuous aggregate.")),
        (_, false) => Err(invalid().hint("Use time interval with the continuous aggregate.")),
    }
}

fn width(offset: &Offset) -> i128 {
    match offset {
        Offset::Interval(interval) => interval.approx_micros(),
        Offset::Integer(n) => i128::from(*n),
    }
}

/// The width of a bucket, months counting 30 days, as policies compare it.
fn bucket_width(cagg: &ContinuousAggregate) -> i128 {
    match cagg.bucket.width {
        highwater_model::BucketWidth::Fixed(width) => i128::from(width),
        highwater_model::BucketWidth::Months(months) => Interval::new(months, 0, 0).approx_micros(),
    }
}

fn aggregate(work: &Work, arguments: &Arguments, sqlstate: &'static str) -> Result<Arc<ContinuousAggregate>> {
    match arguments.relation(work, "continuous_aggregate")? {
        Relation::Cagg(cagg) => Ok(cagg),
        Relation::Table(table) => {
            Err(Error::new(sqlstate, format!("\"{}\" is not a continuous aggregate", table.name)))
        }
    }
}

fn policy_of(work: &Work, matches: impl Fn(&Action) -> bool) -> Option<Arc<Job>> {
    work.transaction.version().catalog().jobs.values().find(|job| matches(&job.action)).cloned()
}

/// `add_continuous_aggregate_policy`
pub fn add_refresh(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let cagg = aggregate(work, arguments, "0A000")?;
    let time_type = cagg.bucket.time_type;
    let read = |name: &str| arguments.value(name).map(|v| offset(v, time_type, name)).transpose();
    let (start_offset, end_offset) = (read("start_offset")?, read("end_offset")?);
    let Some(schedule) = arguments.interval("schedule_interval")? else {
        return Err(Error::invalid_parameter("cannot use NULL refresh_schedule_interval"));
    };
    let too_small = || {
        Error::invalid_parameter("policy refresh window too small").detail(format!(
            "The start and end offsets must cover at least two buckets in the valid time range of type \"{}\".",
            time_type.column_type()
        ))
    };
    if let (Some(start), Some(end)) = (&start_offset, &end_offset)
        && width(start) - width(end) < 2 * bucket_width(&cagg)
    {
        return Err(too_small());
    }
    let action = Action::Refresh { cagg: cagg.id, start_offset, end_offset };
    if let Some(existing) = policy_of(work, |a| matches!(a, Action::Refresh { cagg: of, .. } if *of == cagg.id)) {
        return already(
            work,
            arguments,
            &existing,
            &action,
            "continuous aggregate policy",
            &cagg.name,
            "continuous aggregate",
        );
    }
    let job = new_job(work, arguments, action, schedule, Interval::ZERO)?;
    Ok(vec![vec![job.to_string()]])
}

fn already(
    work: &mut Work,
    arguments: &Arguments,
    existing: &Job,
    action: &Action,
    what: &str,
    name: &str,
    kind: &str,
) -> Result<Rows> {
    let text = format!("{what} already exists for {kind} \"{name}\"");
    let text = if kind == "continuous aggregate" { format!("{what} already exists for \"{name}\"") } else { text };
    if !arguments.truth("if_not_exists")? {
        return Err(Error::new("42710", text));
    }
    match existing.action == *action {
        true => work.notice(Notice::new(format!("{text}, skipping"))),
        false => work.notice(
            Notice::warning("01000", text)
                .detail("A policy already exists with different arguments.")
                .hint("Remove the existing policy before adding a new one."),
        ),
    }
    Ok(vec![vec!["-1".to_owned()]])
}

fn new_job(
    work: &mut Work,
    arguments: &Arguments,
    action: Action,
    schedule_interval: Interval,
    max_runtime: Interval,
) -> Result<i32> {
    let initial_start = arguments.timestamptz("initial_start", work)?;
    let id = JobId(work.engine.store.take_job_id());
    let now = work.times.transaction;
    let job = Job {
        id,
        action,
        schedule_interval,
        max_runtime,
        max_retries: -1,
        retry_period: schedule_interval,
        scheduled: true,
        fixed_schedule: initial_start.is_some(),
        initial_start,
        timezone: arguments.text("timezone"),
        created: now,
    };
    work.change(CatalogChange::PutJob(Arc::new(job)))?;
    let next_start = Some(initial_start.unwrap_or(now));
    work.change(CatalogChange::PutJobStats(id, JobStats { next_start, ..JobStats::default() }))?;
    Ok(id.0)
}

/// `remove_continuous_aggregate_policy`
pub fn remove_refresh(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let cagg = aggregate(work, arguments, "22023")?;
    match policy_of(work, |a| matches!(a, Action::Refresh { cagg: of, .. } if *of == cagg.id)) {
        Some(job) => work.change(CatalogChange::DropJob(job.id))?,
        None => {
            let text = format!("continuous aggregate policy not found for \"{}\"", cagg.name);
            if !(arguments.truth("if_exists")? || arguments.truth("if_not_exists")?) {
                return Err(Error::new("42704", text));
            }
            work.notice(Notice::new(format!("{text}, skipping")));
        }
    }
    void()
}

/// The age that chunks are to have reached.
///
/// * `names` – of the parameter, and of the one that counts from when a chunk was made.
fn age(
    work: &Work,
    arguments: &Arguments,
    table: &Arc<Table>,
    cagg: Option<&Arc<ContinuousAggregate>>,
    names: [&'static str; 2],
) -> Result<Offset> {
    let [after, created] = names;
    let hypertable = table.hypertable.as_ref().ok_or_else(|| Error::internal("it is a hypertable"))?;
    let invalid = || Error::invalid_parameter(format!("invalid value for parameter {after}"));
    if arguments.value(created).is_some() {
        return Err(Error::unsupported(format!("{created} is not supported")).hint(format!("Use {after}.")));
    }
    let value = arguments
        .value(after)
        .ok_or_else(|| Error::invalid_parameter(format!("need to specify one of \"{after}\" or \"{created}\"")))?;
    match (value, hypertable.time_type.is_integer()) {
        (ScalarValue::IntervalMonthDayNano(_) | ScalarValue::Utf8(_), false) => {
            Ok(Offset::Interval(interval_of(value)?))
        }
        (other, true) => {
            let source = match cagg {
                Some(cagg) => work.transaction.version().catalog().root(cagg).cloned(),
                None => Some(table.clone()),
            };
            let has_now = source.is_some_and(|t| t.hypertable.as_ref().is_some_and(|h| h.integer_now.is_some()));
            match (whole_of(other), has_now) {
                (Some(n), true) => Ok(Offset::Integer(n)),
                (Some(_), false) => {
                    Err(invalid().hint("Set a custom time function on the hypertable: set_integer_now_func."))
                }
                (None, _) => Err(invalid().hint(format!(
                    "Integer duration in \"{after}\" or interval time duration in \"{created}\" is required for hypertables with integer time dimension."
                ))),
            }
        }
        _ => Err(invalid().hint("Interval duration is required for hypertable with timestamp-based time dimension.")),
    }
}

/// `add_retention_policy`
pub fn add_retention(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let (table, cagg) = chunked(work, arguments.relation(work, "relation")?)?;
    let drop_after = age(work, arguments, &table, cagg.as_ref(), ["drop_after", "drop_created_before"])?;
    let name = cagg.as_ref().map_or_else(|| table.name.clone(), |c| c.name.clone());
    let action = Action::Retention { table: table.id, drop_after };
    if let Some(existing) = policy_of(work, |a| matches!(a, Action::Retention { table: of, .. } if *of == table.id)) {
        return already(work, arguments, &existing, &action, "retention policy", &name, "hypertable");
    }
    let schedule = arguments.interval("schedule_interval")?.unwrap_or(DAY);
    let job = new_job(work, arguments, action, schedule, Interval::from_micros(5 * 60_000_000))?;
    Ok(vec![vec![job.to_string()]])
}

/// `add_compression_policy` and `add_columnstore_policy`
pub fn add_compression(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let (table, cagg) = chunked(work, arguments.relation(work, "hypertable")?)?;
    let what = if cagg.is_some() { "continuous aggregate " } else { "hypertable " };
    compression::check_enabled(work, &table, what, "55000")?;
    let compress_after = age(work, arguments, &table, cagg.as_ref(), ["compress_after", "compress_created_before"])?;
    let name = cagg.as_ref().map_or_else(|| table.name.clone(), |c| c.name.clone());
    let action = Action::Compression { table: table.id, compress_after };
    if let Some(existing) = policy_of(work, |a| matches!(a, Action::Compression { table: of, .. } if *of == table.id)) {
        return already(work, arguments, &existing, &action, "columnstore policy", &name, "hypertable");
    }
    let hypertable = table.hypertable.as_ref().ok_or_else(|| Error::internal("it is a hypertable"))?;
    // Narrow chunks are compressed as they come.
    let narrow = !hypertable.time_type.is_integer() && hypertable.chunk_interval < MICROS_PER_DAY;
    let default = if narrow { hypertable.chunk_interval / 2 } else { MICROS_PER_DAY / 2 };
    let schedule = arguments.interval("schedule_interval")?.unwrap_or(Interval::from_micros(default));
    let job = new_job(work, arguments, action, schedule, Interval::ZERO)?;
    Ok(vec![vec![job.to_string()]])
}

/// `remove_compression_policy` and `remove_columnstore_policy`
pub fn remove_compression(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let (table, cagg) = chunked(work, arguments.relation(work, "hypertable")?)?;
    let name = cagg.as_ref().map_or_else(|| table.name.clone(), |c| c.name.clone());
    let job = policy_of(work, |a| matches!(a, Action::Compression { table: of, .. } if *of == table.id));
    match &job {
        Some(job) => work.change(CatalogChange::DropJob(job.id))?,
        None => {
            let text = format!("columnstore policy not found for hypertable \"{name}\"");
            if !arguments.truth("if_exists")? {
                return Err(Error::new("42704", text));
            }
            work.notice(Notice::new(format!("{text}, skipping")));
        }
    }
    Ok(vec![vec![job.is_some().to_string()]])
}

/// `remove_retention_policy`
pub fn remove_retention(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let (table, cagg) = chunked(work, arguments.relation(work, "relation")?)?;
    let name = cagg.as_ref().map_or_else(|| table.name.clone(), |c| c.name.clone());
    match policy_of(work, |a| matches!(a, Action::Retention { table: of, .. } if *of == table.id)) {
        Some(job) => work.change(CatalogChange::DropJob(job.id))?,
        None => {
            let text = format!("retention policy not found for hypertable \"{name}\"");
            if !arguments.truth("if_exists")? {
                return Err(Error::new("42704", text));
            }
            work.notice(Notice::new(format!("{text}, skipping")));
        }
    }
    void()
}

fn job_of(work: &Work, arguments: &Arguments) -> Result<Arc<Job>> {
    let id = arguments
        .value("job_id")
        .and_then(whole_of)
        .ok_or_else(|| Error::invalid_parameter("job ID cannot be NULL"))?;
    let job = i32::try_from(id).ok().and_then(|id| work.transaction.version().catalog().jobs.get(&JobId(id)).cloned());
    job.ok_or_else(|| Error::new("42704", format!("job {id} not found")))
}

/// `add_job`
pub fn add_job(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let name =
        arguments.text("proc").ok_or_else(|| Error::invalid_parameter("function or procedure cannot be NULL"))?;
    let function = define::find_function(work, &parse::parse_name(&name)?)
        .ok_or_else(|| Error::new("42883", format!("function \"{name}\" does not exist")))?;
    let Some(schedule) = arguments.interval("schedule_interval")? else {
        return Err(Error::invalid_parameter("schedule interval cannot be NULL"));
    };
    for unknown in ["check_config", "job_name"] {
        if arguments.value(unknown).is_some() {
            return Err(Error::unsupported(format!("{unknown} of add_job is not supported")).hint("Leave it out."));
        }
    }
    let (schema, name) = (function.schema.clone(), function.name.clone());
    let action = Action::Procedure { schema, name, config: config(arguments)? };
    let id = new_job(work, arguments, action, schedule, Interval::ZERO)?;
    let job = work.transaction.version().catalog().jobs.get(&JobId(id)).cloned();
    let job = job.ok_or_else(|| Error::internal("the job was just made"))?;
    // A schedule that is fixed begins with the job, unless something else is said.
    let fixed_schedule = arguments.value("fixed_schedule").is_none() || arguments.truth("fixed_schedule")?;
    let changed = Job {
        scheduled: arguments.value("scheduled").is_none() || arguments.truth("scheduled")?,
        fixed_schedule,
        initial_start: job.initial_start.or(fixed_schedule.then_some(job.created)),
        ..job.as_ref().clone()
    };
    work.change(CatalogChange::PutJob(Arc::new(changed)))?;
    Ok(vec![vec![id.to_string()]])
}

/// The configuration that a job is given, as `jsonb` shows it.
fn config(arguments: &Arguments) -> Result<Option<String>> {
    arguments.text("config").map(|text| Ok(json::parse(&text)?.to_string())).transpose()
}

/// `alter_job`
pub fn alter_job(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let job = match job_of(work, arguments) {
        Ok(job) => job,
        Err(e) if arguments.truth("if_exists")? => {
            work.notice(Notice::new(format!("{}, skipping", e.message)));
            return Ok(Vec::new());
        }
        Err(e) => return Err(e),
    };
    let mut changed = job.as_ref().clone();
    if let Some(given) = config(arguments)? {
        let Action::Procedure { config, .. } = &mut changed.action else {
            return Err(Error::unsupported("changing the configuration of a policy is not supported")
                .hint("Remove the policy and add it again."));
        };
        *config = Some(given);
    }
    if let Some(interval) = arguments.interval("schedule_interval")? {
        changed.schedule_interval = interval;
    }
    if let Some(interval) = arguments.interval("max_runtime")? {
        changed.max_runtime = interval;
    }
    if let Some(n) = arguments.value("max_retries").and_then(whole_of) {
        changed.max_retries = i32::try_from(n).unwrap_or(i32::MAX);
    }
    if let Some(interval) = arguments.interval("retry_period")? {
        changed.retry_period = interval;
    }
    if arguments.value("scheduled").is_some() {
        changed.scheduled = arguments.truth("scheduled")?;
    }
    if arguments.value("fixed_schedule").is_some() {
        changed.fixed_schedule = arguments.truth("fixed_schedule")?;
    }
    if let Some(at) = arguments.timestamptz("initial_start", work)? {
        changed.initial_start = Some(at);
    }
    if let Some(zone) = arguments.text("timezone") {
        changed.timezone = Some(zone);
    }
    let mut stats = work.transaction.version().catalog().job_stats.get(&job.id).cloned().unwrap_or_default();
    if let Some(at) = arguments.timestamptz("next_start", work)? {
        stats.next_start = Some(at);
    }
    work.change(CatalogChange::PutJob(Arc::new(changed.clone())))?;
    work.change(CatalogChange::PutJobStats(job.id, stats.clone()))?;
    let null = || "NULL".to_owned();
    let instant = |t: Option<i64>| {
        t.map_or_else(null, |t| {
            literal(&highwater_model::time::format_timestamptz(t, &highwater_model::time::Zone::UTC))
        })
    };
    let text = |text: Option<String>| text.map_or_else(null, |text| literal(&text));
    Ok(vec![vec![
        job.id.0.to_string(),
        literal(&changed.schedule_interval.to_string()),
        literal(&changed.max_runtime.to_string()),
        changed.max_retries.to_string(),
        literal(&changed.retry_period.to_string()),
        changed.scheduled.to_string(),
        text(timescale::config(work.transaction.version(), &changed.action)),
        instant(stats.next_start),
        null(),
        changed.fixed_schedule.to_string(),
        instant(changed.initial_start),
        text(changed.timezone.clone()),
        literal(&timescale::application_name(&changed)),
    ]])
}

/// `delete_job`
pub fn delete_job(work: &mut Work, arguments: &Arguments) -> Result<Rows> {
    let job = job_of(work, arguments)?;
    work.change(CatalogChange::DropJob(job.id))?;
    void()
}
