//! Writers, a refresher and a reader at the same time on one instance.
//!
//! ```text
//! writer 1 ─▶ rows of site 1 ─┐
//! writer 2 ─▶ rows of site 2 ─┼─▶ the same buckets     each writer knows its own rows
//! writer 3 ─▶ rows of site 3 ─┘
//! refresher ─▶ refreshes, aggregates that come and go, checkpoints
//! reader    ─▶ in one snapshot: every real-time aggregate equals its query over the table
//! ```
//!
//! When all are done, the table has the rows that the writers committed, clean buckets equal their rows, and
//! after a refresh so do all.

use super::calendar::{DAY, HOUR, MINUTE};
use super::definition::{Aggregate, Condition, Row, Table, TimeKind, by_group};
use super::generate::{self, KEYS};
use super::history::{Action, Selection, Set};
use super::random::Random;
use super::run::{compare_kept, compare_shown, open, query};
use super::shadow::{Change, Kept, Now, Prediction, Shadow};
use super::value::Value;
use highwater::{Instance, Session};
use highwater_store::disk::Faulty;
use highwater_store::{ManualClock, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Statements of each writer.
const STATEMENTS: usize = 40;

/// Aggregates that the refresher has made and not dropped again, at most. Each makes every write a little slower.
const MOST_EXTRA: usize = 6;

/// A history that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// Plays the concurrent history of a seed; gives how many statements it had. Who comes first is up to the
/// machine, so a seed need not fail again.
///
/// # Errors
/// What went wrong.
pub async fn check(seed: u64) -> Result<usize, String> {
    let played = tokio::time::timeout(LONGEST, play(seed)).await;
    played
        .unwrap_or_else(|_| Err("it does not end".to_owned()))
        .map_err(|e| format!("concurrent history of seed {seed}: {e}"))
}

async fn play(seed: u64) -> Result<usize, String> {
    let mut random = Random::new(seed);
    let (disk, clock) = (Faulty::new(), Arc::new(ManualClock::new(0)));
    let (buffer, inline) = (*random.pick(&[16 << 10, 1 << 20]), *random.pick(&[1 << 10, 1 << 20]));
    let instance = open(&disk, &clock, buffer, inline).await.map_err(|e| format!("cannot open: {e}"))?;
    let tables =
        Arc::new(vec![Table { name: "readings", kind: TimeKind::Timestamptz, keyed: false, chunk: DAY, center: 0 }]);
    let mut observer = session(&instance).await?;
    for sql in tables[0].create(0) {
        query(&mut observer, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
    }
    let mut aggregates: Vec<Arc<Aggregate>> = Vec::new();
    for i in 0..5 {
        // The last two are over others.
        let aggregate = Arc::new(match i {
            0..3 => generate::aggregate(&mut random, format!("by_{i}"), 0, TimeKind::Timestamptz, 0),
            _ => generate::aggregate_over(&mut random, format!("by_{i}"), &aggregates[i - 2]),
        });
        let sql = aggregate.create(&tables, false, false);
        query(&mut observer, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
        aggregates.push(aggregate);
    }
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (1..=random.between(2, 4))
        .map(|site| {
            let (instance, tables) = (instance.clone(), tables.clone());
            tokio::spawn(async move { write(&instance, tables, seed, site).await })
        })
        .collect();
    let refresher = {
        let (instance, tables, aggregates, done) = (instance.clone(), tables.clone(), aggregates.clone(), done.clone());
        tokio::spawn(async move { refresh(&instance, &tables, &aggregates, seed, &done).await })
    };
    let reader = {
        let (instance, aggregates, done) = (instance.clone(), aggregates.clone(), done.clone());
        tokio::spawn(async move { read(&instance, &aggregates, &done).await })
    };
    let mut shadow = Shadow::new(tables);
    let mut statements = 0;
    let mut failure = None;
    for writer in writers {
        match writer.await.map_err(|e| e.to_string()).and_then(|result| result) {
            Ok((rows, count)) => {
                statements += count;
                shadow.apply(&Change::Insert(0, rows));
            }
            Err(e) => drop(failure.get_or_insert(e)),
        }
    }
    done.store(true, Ordering::SeqCst);
    let refreshed = refresher.await.map_err(|e| e.to_string()).and_then(|result| result);
    let read = reader.await.map_err(|e| e.to_string()).and_then(|result| result);
    if let Some(e) = failure {
        return Err(e);
    }
    let (extra, refreshes) = refreshed?;
    statements += refreshes + read?;
    aggregates.extend(extra);
    aggregates.iter().for_each(|aggregate| shadow.apply(&Change::Create(aggregate.clone(), false)));
    let store = instance.store("postgres").await.map_err(|e| e.to_string())?;
    compare(&shadow, &store, &mut observer).await.map_err(|e| format!("when all is quiet: {e}"))?;
    for aggregate in &aggregates {
        let sql = format!("CALL refresh_continuous_aggregate('{}', NULL, NULL)", aggregate.name);
        query(&mut observer, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
    }
    compare(&shadow, &store, &mut observer).await.map_err(|e| format!("after the last refresh: {e}"))?;
    drop(observer);
    instance.close().await.map_err(|e| format!("cannot close: {e}"))?;
    Ok(statements)
}

async fn compare(shadow: &Shadow, store: &Arc<Store>, session: &mut Session) -> Result<(), String> {
    compare_kept(shadow, &store.snapshot())?;
    for state in shadow.aggregates.values() {
        compare_shown(session, &state.definition, &shadow.truth(state, &Kept::new()), 1).await?;
    }
    Ok(())
}

async fn session(instance: &Arc<Instance>) -> Result<Session, String> {
    instance.session("postgres", "postgres").await.map_err(|e| e.to_string())
}

fn some_time(random: &mut Random) -> i64 {
    let near = random.between(-3 * 24 * 60, 3 * 24 * 60) * MINUTE;
    // Mostly where everybody writes.
    if random.chance(70) { near % (4 * HOUR) } else { near }
}

/// Writes rows of one site and gives those that are there at the end, and how many statements it took.
async fn write(
    instance: &Arc<Instance>,
    tables: Arc<Vec<Table>>,
    seed: u64,
    site: i64,
) -> Result<(Vec<Row>, usize), String> {
    let mut session = session(instance).await?;
    let mut random = Random::new(seed.wrapping_mul(31).wrapping_add(site as u64));
    let mut shadow = Shadow::new(tables.clone());
    let mut next_id = (site as u64) << 32;
    let mut statements = 0;
    while statements < STATEMENTS {
        let count = if random.chance(60) { 1 } else { random.between(2, 4) as usize };
        let mut view = shadow.clone();
        let mut sql = Vec::new();
        for _ in 0..count {
            let mut ids = || {
                next_id += 1;
                next_id
            };
            let start = some_time(&mut random);
            let times = random.chance(80).then(|| (start, start + random.between(1, 300) * MINUTE));
            let selection = Selection { times, condition: Some(Condition::SiteIs(site)) };
            let action = match random.weighted(&[60, 20, 20]) {
                0 => {
                    let rows = (0..random.between(1, 12)).map(|_| Row {
                        id: ids(),
                        time: some_time(&mut random),
                        key: random.chance(85).then(|| KEYS[random.below(KEYS.len())]),
                        site: Some(site),
                        n: random.chance(85).then(|| random.between(-50, 100)),
                        x: random.chance(85).then(|| random.between(-1000, 1000) as f64 / 10.0),
                    });
                    Action::Insert { table: 0, rows: rows.collect(), copy: false }
                }
                1 => {
                    let set = if random.chance(50) {
                        Set::Time(random.between(-90, 90) * MINUTE)
                    } else {
                        Set::N(random.between(-9, 9))
                    };
                    Action::Update { table: 0, selection, set }
                }
                _ => Action::Delete { table: 0, selection },
            };
            let Prediction::Changes(changes) = view.predict(&action, Now { micros: 0, steps: 0 }, &mut ids) else {
                return Err(format!("{action:?} cannot be predicted"));
            };
            changes.iter().for_each(|change| view.apply(change));
            sql.extend(action.sql(&tables));
        }
        statements += count;
        let in_block = count > 1 || random.chance(20);
        let is_kept = !in_block || random.chance(85);
        if in_block {
            sql.insert(0, "BEGIN".to_owned());
            sql.push(if is_kept { "COMMIT" } else { "ROLLBACK" }.to_owned());
        }
        let mut result = Ok(());
        for sql in &sql {
            if let Err(e) = query(&mut session, sql).await {
                result = Err(e);
                break;
            }
            if in_block && random.chance(30) {
                tokio::task::yield_now().await;
            }
        }
        match result {
            Ok(()) if is_kept => shadow = view,
            Ok(()) => {}
            // Nobody else writes these rows, but an aggregate may come or go beside a block.
            Err(e) if e.sqlstate == "40001" && in_block => {
                let _ = query(&mut session, "ROLLBACK").await;
            }
            Err(e) => return Err(format!("a writer's statement fails: {} {e}\n{}", e.sqlstate, sql.join(";\n"))),
        }
    }
    Ok((shadow.tables[0].live.values().copied().collect(), statements))
}

/// Refreshes, creates and drops aggregates until the writers are done; gives the aggregates that are left.
async fn refresh(
    instance: &Arc<Instance>,
    tables: &[Table],
    aggregates: &[Arc<Aggregate>],
    seed: u64,
    done: &AtomicBool,
) -> Result<(Vec<Arc<Aggregate>>, usize), String> {
    let mut session = session(instance).await?;
    let store = instance.store("postgres").await.map_err(|e| e.to_string())?;
    let mut random = Random::new(!seed);
    let mut extra: Vec<Arc<Aggregate>> = Vec::new();
    let mut statements = 0;
    while !done.load(Ordering::SeqCst) {
        // Statements that find nothing to do never wait, and the writers want their turn.
        tokio::task::yield_now().await;
        statements += 1;
        let all: Vec<&Arc<Aggregate>> = aggregates.iter().chain(&extra).collect();
        let name = random.pick(&all).name.clone();
        let mut dropped = None;
        let mut created = None;
        let sql = match random.weighted(&[70, 10, 6, 4]) {
            1 if extra.len() < MOST_EXTRA => {
                let kind = TimeKind::Timestamptz;
                let aggregate = generate::aggregate(&mut random, format!("extra_{statements}"), 0, kind, 0);
                let sql = aggregate.create(tables, false, random.chance(80));
                created = Some(Arc::new(aggregate));
                sql
            }
            2 if !extra.is_empty() => {
                dropped = Some(random.below(extra.len()));
                format!("DROP MATERIALIZED VIEW {}", extra[dropped.expect("it was just set")].name)
            }
            3 => {
                tokio::task::block_in_place(|| store.checkpoint()).map_err(|e| format!("the checkpoint fails: {e}"))?;
                continue;
            }
            _ => {
                let mut bound = || match random.chance(40) {
                    true => "NULL".to_owned(),
                    false => TimeKind::Timestamptz.literal(some_time(&mut random)),
                };
                let bounds = format!("{}, {}", bound(), bound());
                format!("CALL refresh_continuous_aggregate('{name}', {bounds}, force => {})", random.chance(20))
            }
        };
        let in_block = random.chance(30);
        let mut result = Ok(Vec::new());
        let ends = ["BEGIN".to_owned(), sql.clone(), "COMMIT".to_owned()];
        for sql in if in_block { &ends[..] } else { &ends[1..2] } {
            result = query(&mut session, sql).await;
            if result.is_err() {
                break;
            }
        }
        match result {
            Ok(_) => {
                extra.extend(created);
                dropped.map(|at| extra.remove(at));
            }
            // The window may hold no bucket, and in a block somebody may be faster.
            Err(e) if e.sqlstate == "22023" || (in_block && e.sqlstate == "40001") => {
                if in_block {
                    let _ = query(&mut session, "ROLLBACK").await;
                }
            }
            Err(e) => return Err(format!("{sql}: {} {e}", e.sqlstate)),
        }
    }
    Ok((extra, statements))
}

/// Compares, in one snapshot, each aggregate with its query over the table, until the writers are done.
async fn read(instance: &Arc<Instance>, aggregates: &[Arc<Aggregate>], done: &AtomicBool) -> Result<usize, String> {
    let mut session = session(instance).await?;
    let mut statements = 0;
    while !done.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
        let failed = |e: highwater::Error| format!("a reader's statement fails: {} {e}", e.sqlstate);
        query(&mut session, "BEGIN").await.map_err(failed)?;
        let found = query(&mut session, "SELECT time, key, site, n, x FROM readings").await.map_err(failed)?;
        let rows: Vec<Row> =
            found.iter().map(|row| row_of(row)).collect::<Option<_>>().ok_or("a row cannot be read")?;
        for aggregate in aggregates {
            let truth = by_group(aggregate.groups(aggregate.members(rows.iter())));
            compare_shown(&mut session, aggregate, &truth, 1).await.map_err(|e| format!("a reader's snapshot: {e}"))?;
        }
        query(&mut session, "COMMIT").await.map_err(failed)?;
        statements += 1 + aggregates.len();
    }
    Ok(statements)
}

fn row_of(row: &[Value]) -> Option<Row> {
    let [Value::Int(time), key, site, n, x] = row else { return None };
    let whole = |value: &Value| if let Value::Int(v) = value { Some(*v as i64) } else { None };
    let key = match key {
        Value::Text(text) => Some(*KEYS.iter().find(|key| *key == text)?),
        _ => None,
    };
    let x = if let Value::Real(v) = x { Some(*v) } else { None };
    Some(Row { id: 0, time: *time as i64, key, site: whole(site), n: whole(n), x })
}
