//! Jobs: what they do when they run, and the scheduler that runs them.
//!
//! The policy runner calls the same functions as the manual procedures. Statistics, history and the next
//! start are commits like any other, so after a restart a missed run happens once.

use crate::administration::{compress_chunk, drop_chunks, now_of};
use crate::database::Engine;
use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::procedure;
use crate::query::Planner;
use crate::refresh::{Choice, Refresher};
use crate::work::Work;
use highwater_model::job::{Action, Offset};
use highwater_model::time::{Zone, timestamptz_minus_interval, timestamptz_plus_interval};
use highwater_model::{
    Catalog, CatalogChange, Chunk, ContinuousAggregate, Job, JobId, JobOutcome, JobRun, JobStats, Table,
    refresh as arithmetic,
};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// How often the scheduler looks for due jobs.
const TICK: Duration = Duration::from_millis(500);

/// The longest wait between retries.
const LONGEST_RETRY_MICROS: i64 = 3_600_000_000;

/// Runs a job now, because somebody asked; its outcome is counted like any other run's.
///
/// # Errors
/// 42704 when there is no such job; what the job gives.
pub async fn run_now(work: &mut Work, id: JobId) -> Result<()> {
    let job = work.transaction.version().catalog().jobs.get(&id).cloned();
    let job = job.ok_or_else(|| Error::new("42704", format!("job {} not found", id.0)))?;
    if !work.autocommit {
        return act(work, &job).await;
    }
    let notices = run(&work.instance, &work.engine, &work.user, &job).await?;
    work.notices.extend(notices);
    work.transaction.renew();
    Ok(())
}

/// Runs a job in transactions of its own and records how it went.
async fn run(instance: &Arc<Instance>, engine: &Arc<Engine>, user: &str, job: &Arc<Job>) -> Result<Vec<crate::Notice>> {
    let start = engine.now();
    let outcome = attempt(instance, engine, user, job).await;
    let finish = engine.now();
    record(engine, job, start, finish, outcome.as_ref().err()).await?;
    outcome
}

async fn attempt(
    instance: &Arc<Instance>,
    engine: &Arc<Engine>,
    user: &str,
    job: &Arc<Job>,
) -> Result<Vec<crate::Notice>> {
    loop {
        let mut work = Work::alone(instance, engine, user);
        act(&mut work, job).await?;
        match engine.commit(work.transaction, true).await {
            Err(e) if e.sqlstate == "40001" => continue,
            result => return result.map(|()| work.notices),
        }
    }
}

/// What a job does, on a transaction.
async fn act(work: &mut Work, job: &Job) -> Result<()> {
    match &job.action {
        Action::Refresh { cagg, start_offset, end_offset } => {
            let catalog = work.transaction.version().catalog().clone();
            let cagg = catalog
                .caggs
                .get(cagg)
                .cloned()
                .ok_or_else(|| Error::new("42704", "the aggregate of the job does not exist"))?;
            let clock = root(&catalog, &cagg)?;
            let start = before_now(work, &clock, start_offset).await?;
            let end = before_now(work, &clock, end_offset).await?;
            let Some(window) = arithmetic::whole_buckets(&cagg.bucket, start, end) else { return Ok(()) };
            let refresher = Refresher { engine: &work.engine, settings: &work.settings, user: &work.user };
            match work.autocommit {
                true => refresher.run(&cagg, window, Choice::Policy).await?,
                false => refresher.run_in(&mut work.transaction, &cagg, window, Choice::Policy).await?,
            };
            Ok(())
        }
        Action::Retention { table, drop_after } => {
            let catalog = work.transaction.version().catalog().clone();
            let table = catalog
                .tables
                .get(table)
                .cloned()
                .ok_or_else(|| Error::new("42704", "the table of the job does not exist"))?;
            let cagg = catalog.caggs.values().find(|c| c.materialization == table.id).cloned();
            let old = chunks_before(work, &table, cagg.as_ref(), *drop_after).await?;
            drop_chunks(work, &table, cagg.as_ref(), &old).await
        }
        Action::Compression { table, compress_after } => {
            let catalog = work.transaction.version().catalog().clone();
            let table = catalog
                .tables
                .get(table)
                .cloned()
                .ok_or_else(|| Error::new("42704", "the table of the job does not exist"))?;
            let cagg = catalog.caggs.values().find(|c| c.materialization == table.id).cloned();
            for chunk in chunks_before(work, &table, cagg.as_ref(), *compress_after).await? {
                compress_chunk(work, &table, &chunk)?;
            }
            Ok(())
        }
        Action::Procedure { schema, name, config } => {
            let function = work.transaction.version().catalog().functions.get(&(schema.clone(), name.clone())).cloned();
            let function =
                function.ok_or_else(|| Error::new("42883", format!("procedure {schema}.{name} does not exist")))?;
            procedure::run(work, &function, &[Some(job.id.0.to_string()), config.clone()]).await
        }
    }
}

/// The chunks that are wholly older than an offset from now.
async fn chunks_before(
    work: &Work,
    table: &Arc<Table>,
    cagg: Option<&Arc<ContinuousAggregate>>,
    offset: Offset,
) -> Result<Vec<Chunk>> {
    let clock = match cagg {
        Some(cagg) => root(work.transaction.version().catalog(), cagg)?,
        None => table.clone(),
    };
    let Some(end) = before_now(work, &clock, &Some(offset)).await? else { return Ok(Vec::new()) };
    let data = work.transaction.version().table(table.id);
    Ok(data.chunks.values().filter(|c| c.range.end <= end && c.range.end != i64::MAX).cloned().collect())
}

/// The hypertable whose clock an aggregate goes by.
fn root(catalog: &Catalog, cagg: &ContinuousAggregate) -> Result<Arc<Table>> {
    catalog.root(cagg).cloned().ok_or_else(|| Error::internal("an aggregate has a source"))
}

/// Now minus an offset, on the time axis of a table; `None` without an offset.
async fn before_now(work: &Work, table: &Table, offset: &Option<Offset>) -> Result<Option<i64>> {
    let Some(offset) = offset else { return Ok(None) };
    let planner: Planner = work.planner();
    let now = now_of(&planner, table, work.times.transaction).await?;
    Ok(Some(match offset {
        Offset::Integer(n) => now.saturating_sub(*n),
        Offset::Interval(interval) => {
            let zone = work.settings.zone();
            timestamptz_minus_interval(now, interval, &zone).map_err(|e| Error::new(e.sqlstate(), e.to_string()))?
        }
    }))
}

async fn record(engine: &Arc<Engine>, job: &Job, start: i64, finish: i64, error: Option<&Error>) -> Result<()> {
    loop {
        let mut transaction = engine.store.begin();
        let catalog = transaction.version().catalog().clone();
        if !catalog.jobs.contains_key(&job.id) {
            return Ok(());
        }
        let old = catalog.job_stats.get(&job.id).cloned().unwrap_or_default();
        let failed = error.is_some();
        let failures = if failed { old.consecutive_failures + 1 } else { 0 };
        let stats = JobStats {
            total_runs: old.total_runs + 1,
            total_successes: old.total_successes + i64::from(!failed),
            total_failures: old.total_failures + i64::from(failed),
            consecutive_failures: failures,
            total_duration_micros: old.total_duration_micros + (finish - start),
            last_start: Some(start),
            last_finish: Some(finish),
            last_successful_finish: if failed { old.last_successful_finish } else { Some(finish) },
            next_start: next_start(job, start, finish, failures),
        };
        let outcome = match error {
            None => JobOutcome::Succeeded,
            Some(e) => JobOutcome::Failed { sqlstate: e.sqlstate.to_owned(), message: e.message.clone() },
        };
        let run = JobRun {
            id: catalog.job_runs.back().map_or(1, |last| last.id + 1),
            job: job.id,
            procedure: procedure_of(&job.action).to_owned(),
            start,
            finish,
            outcome,
        };
        transaction.change(CatalogChange::PutJobStats(job.id, stats))?;
        transaction.change(CatalogChange::AddJobRun(Arc::new(run)))?;
        match engine.commit(transaction, true).await {
            Err(e) if e.sqlstate == "40001" => continue,
            result => return result,
        }
    }
}

/// The procedure that a job runs, as TimescaleDB names it.
pub fn procedure_of(action: &Action) -> &str {
    match action {
        Action::Refresh { .. } => "policy_refresh_continuous_aggregate",
        Action::Retention { .. } => "policy_retention",
        Action::Compression { .. } => "policy_compression",
        Action::Procedure { name, .. } => name,
    }
}

/// When a job runs next: after a failure soon, with growing waits; otherwise an interval later, or on the
/// grid that begins at its initial start.
fn next_start(job: &Job, start: i64, finish: i64, failures: i32) -> Option<i64> {
    let zone = job.timezone.as_deref().and_then(|z| Zone::parse(z).ok()).unwrap_or(Zone::UTC);
    if failures > 0 {
        if job.max_retries >= 0 && failures > job.max_retries {
            return on_schedule(job, start, finish, &zone);
        }
        let period = i64::try_from(job.retry_period.approx_micros())
            .unwrap_or(LONGEST_RETRY_MICROS)
            .clamp(1_000_000, LONGEST_RETRY_MICROS);
        let wait = period.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_RETRY_MICROS.max(period));
        return finish.checked_add(wait);
    }
    on_schedule(job, start, finish, &zone)
}

fn on_schedule(job: &Job, _start: i64, finish: i64, zone: &Zone) -> Option<i64> {
    let step = |t: i64| timestamptz_plus_interval(t, &job.schedule_interval, zone).ok();
    match job.initial_start.filter(|_| job.fixed_schedule) {
        None => step(finish),
        Some(mut at) => {
            // A fixed width is jumped over at once; months are walked.
            if let Some(width) = job.schedule_interval.fixed_micros().filter(|w| *w > 0 && job.timezone.is_none()) {
                let missed = (finish - at).max(0) / width;
                at += missed * width;
            }
            while at <= finish {
                let next = step(at)?;
                if next <= at {
                    return None;
                }
                at = next;
            }
            Some(at)
        }
    }
}

/// Starts the scheduler of a database. It ends when the instance is closed.
pub fn schedule(instance: &Arc<Instance>, engine: &Arc<Engine>) {
    let (instance, engine) = (Arc::downgrade(instance), Arc::downgrade(engine));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(TICK).await;
            let (Some(instance), Some(engine)) = (instance.upgrade(), engine.upgrade()) else { return };
            if instance.is_closing() {
                return;
            }
            for job in due(&engine) {
                let _running = instance.running.read().await;
                if instance.is_closing() {
                    return;
                }
                let id = job.id.0;
                let limit = i64::try_from(job.max_runtime.approx_micros()).ok().filter(|m| *m > 0);
                let run = run(&instance, &engine, "postgres", &job);
                let result = match limit {
                    None => run.await,
                    Some(micros) => match tokio::time::timeout(Duration::from_micros(micros as u64), run).await {
                        Ok(result) => result,
                        Err(_) => {
                            let now = engine.now();
                            let e = Error::new("57014", "the job took longer than its max_runtime");
                            record(&engine, &job, now - micros, now, Some(&e)).await.and(Err(e))
                        }
                    },
                };
                match result {
                    Ok(_) => info!(job_id = id, procedure = procedure_of(&job.action), "job finished"),
                    Err(e) => warn!(job_id = id, sqlstate = e.sqlstate, error = %e, "job failed"),
                }
            }
        }
    });
}

fn due(engine: &Engine) -> Vec<Arc<Job>> {
    let snapshot = engine.store.snapshot();
    let now = engine.now();
    let catalog = snapshot.catalog();
    let is_due = |job: &&Arc<Job>| {
        job.scheduled && catalog.job_stats.get(&job.id).and_then(|s| s.next_start).is_some_and(|at| at <= now)
    };
    catalog.jobs.values().filter(is_due).cloned().collect()
}
