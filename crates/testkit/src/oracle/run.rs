//! Plays a history on an instance and compares it with its shadow after every step.

use super::definition::{Aggregate, Row, by_group};
use super::history::{Action, History, SESSIONS, Step};
use super::shadow::{Change, Kept, Now, Prediction, Rows, Shadow};
use super::value::{Expected, Grouped, Value, difference, grouped, rows};
use futures::{FutureExt, TryStreamExt};
use highwater::instance::Disks;
use highwater::{Error, Instance, InstanceOptions, Outcome, Session};
use highwater_model::job::Action as JobAction;
use highwater_model::{RangeSet, TimeRange};
use highwater_store::disk::Faulty;
use highwater_store::{Disk, ManualClock, Scan, Snapshot, Store, StoreOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// A history that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// Where a history went wrong, and how.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which step.
    pub step: usize,
    /// What was wrong.
    pub what: String,
}

/// Plays a history. Gives how many steps were not skipped.
///
/// # Errors
/// The first difference.
pub async fn play(history: &History) -> Result<usize, Failure> {
    let mut at = 0;
    let played = tokio::time::timeout(LONGEST, AssertUnwindSafe(play_steps(history, &mut at)).catch_unwind());
    let result = match played.await {
        Err(_) => Err("the history does not end".to_owned()),
        Ok(Err(panic)) => {
            let text = panic.downcast_ref::<String>().cloned();
            Err(format!(
                "panic: {}",
                text.or(panic.downcast_ref::<&str>().map(|t| (*t).to_owned())).unwrap_or_default()
            ))
        }
        Ok(Ok(result)) => result,
    };
    result.map_err(|what| Failure { step: at, what })
}

async fn play_steps(history: &History, at: &mut usize) -> Result<usize, String> {
    let mut run = Run::new(history).await?;
    let mut done = 0;
    for (i, step) in history.steps.iter().enumerate() {
        *at = i;
        if run.step(step).await? {
            done += 1;
            run.compare(i).await?;
        }
    }
    run.close().await;
    Ok(done)
}

/// An instance with its shadow.
struct Run<'a> {
    history: &'a History,
    disk: Arc<Faulty>,
    clock: Arc<ManualClock>,
    open: Open,
    blocks: Vec<Option<Block>>,
    committed: Shadow,
    /// What was committed, for blocks that began before.
    log: Vec<Vec<Change>>,
    now: Now,
    next_id: u64,
}

/// An instance and sessions of it.
struct Open {
    instance: Arc<Instance>,
    store: Arc<Store>,
    sessions: Vec<Session>,
    observer: Session,
}

/// An open block of a session.
struct Block {
    /// How many commits it has seen.
    seen: usize,
    base: Shadow,
    view: Shadow,
    changes: Vec<Change>,
    savepoints: Vec<(usize, Shadow, usize)>,
    failed: bool,
}

/// An instance on a simulated disk.
///
/// * `buffer_bytes`, `inline_bytes` – as in [`StoreOptions`].
///
/// # Errors
/// When what is on the disk cannot be opened.
pub async fn open(
    disk: &Arc<Faulty>,
    clock: &Arc<ManualClock>,
    buffer_bytes: usize,
    inline_bytes: usize,
) -> Result<Arc<Instance>, Error> {
    let disk = disk.clone();
    let options = InstanceOptions {
        disks: Some(Disks(Arc::new(move |_| disk.clone() as Arc<dyn Disk>))),
        scheduler: false,
        store: StoreOptions {
            buffer_bytes,
            inline_bytes,
            checkpoint_wal_bytes: 1 << 20,
            wal_file_bytes: 64 << 10,
            ..StoreOptions::default()
        },
        clock: clock.clone(),
        ..InstanceOptions::in_memory()
    };
    Instance::open(options).await
}

impl Open {
    async fn new(history: &History, disk: &Arc<Faulty>, clock: &Arc<ManualClock>) -> Result<Open, Error> {
        let instance = open(disk, clock, history.buffer_bytes, history.inline_bytes).await?;
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            sessions.push(instance.session("postgres", "postgres").await?);
        }
        let observer = instance.session("postgres", "postgres").await?;
        Ok(Open { store: instance.store("postgres").await?, instance, sessions, observer })
    }
}

impl<'a> Run<'a> {
    async fn new(history: &'a History) -> Result<Run<'a>, String> {
        let (disk, clock) = (Faulty::new(), Arc::new(ManualClock::new(history.clock)));
        let open = Open::new(history, &disk, &clock).await.map_err(|e| format!("cannot open: {e}"))?;
        let mut run = Run {
            committed: Shadow::new(history.tables.clone()),
            blocks: (0..SESSIONS).map(|_| None).collect(),
            now: Now { micros: history.clock, steps: 0 },
            next_id: 1 << 40,
            log: Vec::new(),
            history,
            disk,
            clock,
            open,
        };
        for sql in history.tables.iter().flat_map(|table| table.create(0)) {
            query(&mut run.open.observer, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
        }
        Ok(run)
    }

    async fn close(self) {
        drop(self.open.sessions);
        // What a broken disk says to this does not matter.
        let _ = self.open.instance.close().await;
    }

    /// Does a step; false when it makes no sense here.
    async fn step(&mut self, step: &Step) -> Result<bool, String> {
        match step {
            Step::Do(session, action) => self.perform(*session, action).await,
            Step::Wait(_) if self.blocks.iter().any(Option::is_some) => Ok(false),
            Step::Wait(ticks) => {
                self.now.steps += ticks;
                self.now.micros += ticks * super::calendar::MINUTE;
                self.clock.set(self.now.micros);
                for table in self.history.tables.iter().filter(|table| table.kind.is_integer()) {
                    let sql = table.set_now(self.now.steps);
                    query(&mut self.open.observer, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
                }
                Ok(true)
            }
            Step::Checkpoint(None) => {
                let result = tokio::task::block_in_place(|| self.open.store.checkpoint());
                result.map(|()| true).map_err(|e| format!("the checkpoint failed: {e}"))
            }
            Step::Checkpoint(Some((call, seed))) => {
                self.disk.crash_at(*call);
                let result = tokio::task::block_in_place(|| self.open.store.checkpoint());
                if let (Err(e), false) = (result, self.disk.has_crashed()) {
                    return Err(format!("the checkpoint failed: {e}"));
                }
                let committed = self.committed.clone();
                self.crash(*seed, committed.clone(), committed).await.map(|()| true)
            }
            Step::Restart => {
                self.blocks.iter_mut().for_each(|block| *block = None);
                self.open.instance.close().await.map_err(|e| format!("cannot close: {e}"))?;
                self.open = Open::new(self.history, &self.disk, &self.clock)
                    .await
                    .map_err(|e| format!("cannot open again: {e}"))?;
                Ok(true)
            }
            Step::Crash { session, action, call, seed } => self.crash_in(*session, action, *call, *seed).await,
        }
    }

    /// Executes a statement and checks that it does what it should.
    async fn perform(&mut self, session: usize, action: &Action) -> Result<bool, String> {
        let in_block = self.blocks[session].is_some();
        let is_failed = self.blocks[session].as_ref().is_some_and(|block| block.failed);
        let applies = match action {
            Action::Begin => !in_block,
            Action::Commit | Action::Rollback => in_block,
            Action::Savepoint(_) => in_block && !is_failed,
            Action::RollbackTo(name) | Action::Release(name) => {
                let known = self.blocks[session].as_ref().is_some_and(|b| b.savepoints.iter().any(|(n, ..)| n == name));
                known && !(is_failed && matches!(action, Action::Release(_)))
            }
            Action::AddPolicy { .. } | Action::Retention { .. } => !in_block,
            _ => !is_failed,
        };
        if !applies {
            return Ok(false);
        }
        if let Action::Commit = action {
            return self.commit(session).await.map(|()| true);
        }
        let changes = match self.predict(session, action) {
            Prediction::Skip => return Ok(false),
            Prediction::Changes(changes) => Ok(changes),
            Prediction::Fails(sqlstate) => Err(sqlstate),
        };
        let result = self.execute(session, action).await?;
        match (result, changes) {
            (Ok(()), Ok(changes)) => self.happened(session, action, changes),
            (Err(e), Err(sqlstate)) if e.sqlstate == sqlstate => {
                if let Some(block) = &mut self.blocks[session] {
                    block.failed = true;
                }
            }
            (Ok(()), Err(sqlstate)) => return Err(format!("it succeeds and should fail with {sqlstate}")),
            (Err(e), Ok(_)) => return Err(format!("it fails: {} {e} {:?}", e.sqlstate, e.detail)),
            (Err(e), Err(sqlstate)) => return Err(format!("it fails with {} {e} and not with {sqlstate}", e.sqlstate)),
        }
        Ok(true)
    }

    fn predict(&mut self, session: usize, action: &Action) -> Prediction {
        let view = self.blocks[session].as_ref().map_or(&self.committed, |block| &block.view);
        let next_id = &mut self.next_id;
        view.predict(action, self.now, &mut || {
            *next_id += 1;
            *next_id
        })
    }

    fn happened(&mut self, session: usize, action: &Action, changes: Vec<Change>) {
        match (&mut self.blocks[session], action) {
            (slot @ None, Action::Begin) => {
                *slot = Some(Block {
                    seen: self.log.len(),
                    base: self.committed.clone(),
                    view: self.committed.clone(),
                    changes: Vec::new(),
                    savepoints: Vec::new(),
                    failed: false,
                });
            }
            (None, _) => {
                changes.iter().for_each(|change| self.committed.apply(change));
                self.log.push(changes);
            }
            (slot, Action::Rollback) => *slot = None,
            (Some(block), Action::Savepoint(name)) => {
                block.savepoints.push((*name, block.view.clone(), block.changes.len()));
            }
            (Some(block), Action::RollbackTo(name)) => {
                let position = block.savepoints.iter().rposition(|(n, ..)| n == name).expect("it was looked up before");
                block.savepoints.truncate(position + 1);
                block.view = block.savepoints[position].1.clone();
                block.changes.truncate(block.savepoints[position].2);
                block.failed = false;
            }
            (Some(block), Action::Release(name)) => {
                let position = block.savepoints.iter().rposition(|(n, ..)| n == name).expect("it was looked up before");
                block.savepoints.truncate(position);
            }
            (Some(block), _) => {
                changes.iter().for_each(|change| block.view.apply(change));
                block.changes.extend(changes);
            }
        }
    }

    async fn commit(&mut self, session: usize) -> Result<(), String> {
        let result = query(&mut self.open.sessions[session], "COMMIT").await;
        let block = self.blocks[session].take().expect("only blocks are committed");
        if block.failed {
            return result.map(|_| ()).map_err(|e| format!("it fails: {e}"));
        }
        let others: Vec<&Change> = self.log[block.seen..].iter().flatten().collect();
        let merged = self.committed.after_block(&block.base, &block.changes, &others);
        match (result, merged) {
            (Ok(_), Ok(after)) => {
                self.committed = after;
                self.log.push(block.changes);
                Ok(())
            }
            (Ok(_), Err(why)) => Err(format!("it commits, although {why}")),
            (Err(e), Ok(_)) if e.sqlstate == "40001" && !others.is_empty() => Ok(()),
            (Err(e), Err(_)) if matches!(e.sqlstate, "40001" | "23505") => Ok(()),
            (Err(e), _) => Err(format!("it fails: {} {e}", e.sqlstate)),
        }
    }

    /// Executes a statement, and crashes in it or after it.
    async fn crash_in(&mut self, session: usize, action: &Action, call: u64, seed: u64) -> Result<bool, String> {
        let before = self.committed.clone();
        let mut fails = false;
        let after = match (action, &self.blocks[session]) {
            (Action::Commit, Some(block)) if block.failed => before.clone(),
            (Action::Commit, Some(block)) => {
                let others: Vec<&Change> = self.log[block.seen..].iter().flatten().collect();
                fails = !others.is_empty();
                self.committed.after_block(&block.base, &block.changes, &others).unwrap_or(before.clone())
            }
            (_, Some(_)) | (Action::Commit, None) => return Ok(false),
            (_, None) => match self.predict(session, action) {
                Prediction::Skip => return Ok(false),
                Prediction::Fails(_) => {
                    fails = true;
                    before.clone()
                }
                Prediction::Changes(changes) => {
                    let mut after = before.clone();
                    changes.iter().for_each(|change| after.apply(change));
                    after
                }
            },
        };
        self.disk.crash_at(call);
        let result = match action {
            Action::Commit => query(&mut self.open.sessions[session], "COMMIT").await.map(|_| ()),
            _ => self.execute(session, action).await?,
        };
        match result {
            // Acknowledged: it has to be there.
            Ok(()) => self.crash(seed, after.clone(), after).await,
            Err(_) if self.disk.has_crashed() => self.crash(seed, before, after).await,
            Err(_) if fails => self.crash(seed, before.clone(), before).await,
            Err(e) => return Err(format!("it fails without a crash: {} {e}", e.sqlstate)),
        }
        .map(|()| true)
    }

    /// Crashes if that has not happened yet. What is found then is one of two states, whole.
    async fn crash(&mut self, seed: u64, before: Shadow, after: Shadow) -> Result<(), String> {
        self.disk.crash();
        self.blocks.iter_mut().for_each(|block| *block = None);
        let _ = self.open.instance.close().await;
        self.disk = self.disk.restart(seed);
        self.open = Open::new(self.history, &self.disk, &self.clock)
            .await
            .map_err(|e| format!("cannot open after the crash: {e}"))?;
        let snapshot = self.open.store.snapshot();
        match (compare_kept(&before, &snapshot), compare_kept(&after, &snapshot)) {
            (_, Ok(())) => self.committed = after,
            (Ok(()), _) => self.committed = before,
            (Err(before), Err(after)) => {
                return Err(format!(
                    "after the crash it is neither as before ({before}) nor as after the statement ({after})"
                ));
            }
        }
        self.log.push(Vec::new());
        Ok(())
    }

    async fn execute(&mut self, session: usize, action: &Action) -> Result<Result<(), Error>, String> {
        let tables = &self.history.tables;
        let snapshot = self.open.store.snapshot();
        let view = self.blocks[session].as_ref().map_or(&self.committed, |block| &block.view);
        let kind_of = |name: &str| view.aggregates.get(name).map(|state| state.definition.kind);
        let mut statements = action.sql_of(tables, kind_of);
        let session = &mut self.open.sessions[session];
        match action {
            Action::Insert { table, rows, copy: true } => {
                return Ok(copy(session, tables[*table].name, Action::copy_lines(&tables[*table], rows)).await);
            }
            Action::RunPolicy { aggregate } => {
                let catalog = snapshot.catalog();
                let is_it = |action: &JobAction| match action {
                    JobAction::Refresh { cagg, .. } => catalog.caggs.get(cagg).is_some_and(|c| c.name == *aggregate),
                    _ => false,
                };
                let job = catalog.jobs.values().find(|job| is_it(&job.action)).ok_or("the policy has no job")?;
                statements = vec![format!("CALL run_job({})", job.id.0)];
            }
            Action::Retention { .. } => {
                let added = match query(session, &statements[0]).await {
                    Ok(rows) => rows,
                    Err(e) => return Ok(Err(e)),
                };
                let [[Value::Int(id)]] = &added.iter().map(Vec::as_slice).collect::<Vec<_>>()[..] else {
                    return Err(format!("adding a policy gives {added:?}"));
                };
                statements = vec![format!("CALL run_job({id})"), statements[2].clone()];
            }
            _ => {}
        }
        for sql in &statements {
            if let Err(e) = query(session, sql).await {
                return Ok(Err(e));
            }
        }
        Ok(Ok(()))
    }

    /// Compares what is committed, and what each open block sees.
    async fn compare(&mut self, number: usize) -> Result<(), String> {
        compare_kept(&self.committed, &self.open.store.snapshot())?;
        compare_all_shown(&mut self.open.observer, &self.committed, number).await?;
        // What the database says of itself.
        for name in self.committed.aggregates.keys().filter(|_| number.is_multiple_of(4)) {
            let sql = format!("CHECK CONTINUOUS AGGREGATE {name}");
            let found = query(&mut self.open.observer, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
            if !found.is_empty() {
                return Err(format!("{sql}: {found:?}"));
            }
        }
        for (session, block) in self.open.sessions.iter_mut().zip(&self.blocks) {
            let Some(block) = block.as_ref().filter(|block| !block.failed) else { continue };
            for (table, rows) in self.history.tables.iter().zip(&block.view.tables) {
                let sql = format!("SELECT time, key, site, n, x FROM {}", table.name);
                let found = query(session, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
                compare_rows(found, rows).map_err(|e| format!("in the block, {}: {e}", table.name))?;
            }
            compare_all_shown(session, &block.view, number).await.map_err(|e| format!("in the block, {e}"))?;
        }
        Ok(())
    }
}

/// Compares what all real-time aggregates show.
async fn compare_all_shown(session: &mut Session, shadow: &Shadow, number: usize) -> Result<(), String> {
    let mut kept = Kept::new();
    for state in shadow.aggregates.values().filter(|state| state.materialized_only) {
        let sql = format!("SELECT * FROM {}", state.definition.name);
        let found = query(session, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
        let shown = grouped(found.clone(), state.definition.keys.len()).map_err(|e| format!("{sql}: {e}"))?;
        let windows = by_group(state.definition.groups_of_rows(&found));
        difference(&shown, &windows, |_| true).map_or(Ok(()), |e| Err(format!("{sql}: {e}")))?;
        kept.insert(state.definition.name.clone(), found);
    }
    for state in shadow.aggregates.values().filter(|state| !state.materialized_only) {
        compare_shown(session, &state.definition, &shadow.truth(state, &kept), number).await?;
    }
    Ok(())
}

/// Compares rows, clean buckets and names with a version of the store.
pub fn compare_kept(shadow: &Shadow, snapshot: &Snapshot) -> Result<(), String> {
    let catalog = snapshot.catalog();
    let failed = |e: highwater_store::Error| format!("cannot be read: {e}");
    let user_tables = catalog.tables.values().filter(|table| table.schema == "public");
    for table in user_tables {
        let index = usize::from(table.name == "others");
        let scan = Scan { columns: table.columns.iter().map(|c| c.id).collect(), ..Scan::default() };
        let mut found = Vec::new();
        for unit in snapshot.table(table.id).scan(table, scan) {
            found.extend(rows(&unit.read().map_err(failed)?));
        }
        let expected = &shadow.tables[index];
        compare_rows(found, expected).map_err(|e| format!("{}: {e}", table.name))?;
        let count = snapshot.table(table.id).row_count;
        if count != expected.live.len() as u64 {
            return Err(format!("{} counts {count} rows instead of {}", table.name, expected.live.len()));
        }
    }
    let names: BTreeSet<&String> = catalog.caggs.values().map(|c| &c.name).collect();
    if !names.iter().copied().eq(shadow.aggregates.keys()) {
        return Err(format!("the aggregates are {names:?} instead of {:?}", shadow.aggregates.keys()));
    }
    let mut kept = Kept::new();
    for cagg in catalog.caggs.values() {
        let table = &catalog.tables[&cagg.materialization];
        let visible =
            table.columns.iter().find(|c| c.name == "_visible").map(|c| c.id).ok_or("nothing says what is visible")?;
        let columns = cagg.kept_outputs().map(|(_, id)| id).chain([visible]).collect();
        let mut found = Vec::new();
        for unit in snapshot.table(table.id).scan(table, Scan { columns, ..Scan::default() }) {
            found.extend(rows(&unit.read().map_err(failed)?));
        }
        found.retain(|row| row.last() == Some(&Value::Bool(true)));
        found.iter_mut().for_each(|row| drop(row.pop()));
        kept.insert(cagg.name.clone(), found);
    }
    for cagg in catalog.caggs.values() {
        let state = &shadow.aggregates[&cagg.name];
        let has_policy = catalog
            .jobs
            .values()
            .any(|job| matches!(&job.action, JobAction::Refresh { cagg: of, .. } if *of == cagg.id));
        if cagg.materialized_only != state.materialized_only || has_policy != state.policy.is_some() {
            return Err(format!("{} is not defined as it should be", cagg.name));
        }
        let found = kept[&cagg.name].clone();
        let pending = snapshot.cagg(cagg.id).pending.ranges().clone();
        let truth = shadow.truth(state, &kept);
        let result = grouped(found, state.definition.keys.len()).and_then(|found| {
            let is_clean = |start: i64| !is_pending(&pending, &state.definition, start);
            difference(&found, &without_windows(&state.definition, truth), is_clean).map_or(Ok(()), Err)
        });
        result.map_err(|e| format!("{} keeps wrong rows of clean buckets: {e}", cagg.name))?;
        if let Some(start) = state.clean.iter().find(|start| is_pending(&pending, &state.definition, **start)) {
            let start = state.definition.kind.text(*start);
            return Err(format!(
                "{} has the bucket of {start} dirty, which nobody touched since it was refreshed",
                cagg.name
            ));
        }
    }
    Ok(())
}

/// What is kept of groups: windows are not.
fn without_windows(aggregate: &Aggregate, mut groups: Grouped<Expected>) -> Grouped<Expected> {
    for outputs in groups.values_mut() {
        let mut all = aggregate.outputs.iter();
        outputs.retain(|_| all.next().is_some_and(|output| !output.is_window()));
    }
    groups
}

fn is_pending(pending: &RangeSet, aggregate: &Aggregate, start: i64) -> bool {
    pending.overlaps(&TimeRange { start, end: aggregate.bucket.end(start) })
}

fn compare_rows(found: Vec<Vec<Value>>, expected: &Rows) -> Result<(), String> {
    let expected = expected.live.values().map(values_of);
    let (mut missing, mut excess) = (BTreeMap::new(), Vec::new());
    for row in expected {
        *missing.entry(format!("{row:?}")).or_insert(0) += 1;
    }
    for row in found {
        let row = format!("{row:?}");
        match missing.get_mut(&row) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) => drop(missing.remove(&row)),
            None => excess.push(row),
        }
    }
    match missing.is_empty() && excess.is_empty() {
        true => Ok(()),
        false => Err(format!("rows are missing: {:?}; rows are too many: {excess:?}", missing.keys())),
    }
}

fn values_of(row: &Row) -> Vec<Value> {
    vec![Value::int(Some(row.time)), Value::text(row.key), Value::int(row.site), Value::int(row.n), Value::real(row.x)]
}

/// Compares what a real-time aggregate shows, all of it and some.
pub async fn compare_shown(
    session: &mut Session,
    aggregate: &Aggregate,
    truth: &Grouped<Expected>,
    number: usize,
) -> Result<(), String> {
    let mut filter = String::new();
    let mut part = (i64::MIN, i64::MAX);
    // Every third time from one group's bucket to another's.
    if number.is_multiple_of(3) && !truth.is_empty() {
        let starts: Vec<i64> = truth.keys().map(|(start, _)| *start).collect();
        let (one, other) = (starts[number * 7 % starts.len()], starts[number * 13 % starts.len()]);
        part = (one.min(other), one.max(other));
        let (from, to) = (aggregate.kind.literal(part.0), aggregate.kind.literal(part.1));
        filter = format!(" WHERE bucket >= {from} AND bucket <= {to}");
    }
    let sql = format!("SELECT * FROM {}{filter}", aggregate.name);
    let found = query(session, &sql).await.map_err(|e| format!("{sql}: {e}"))?;
    let found = grouped(found, aggregate.keys.len()).map_err(|e| format!("{sql}: {e}"))?;
    if let Some((group, _)) = found.iter().find(|((start, _), _)| *start < part.0 || *start > part.1) {
        return Err(format!("{sql}: shows {group:?}"));
    }
    let is_wanted = |start: i64| part.0 <= start && start <= part.1;
    difference(&found, truth, is_wanted).map_or(Ok(()), |e| Err(format!("{sql}: {e}")))
}

/// Executes one statement and gives its rows.
pub async fn query(session: &mut Session, sql: &str) -> Result<Vec<Vec<Value>>, Error> {
    let prepared = session.prepare(sql, &[]).await.inspect_err(|_| session.fail());
    let result = async {
        match session.execute(&prepared?, Vec::new()).await? {
            Outcome::Rows { rows: stream, .. } => Ok(rows(&stream.try_collect::<Vec<_>>().await?)),
            _ => Ok(Vec::new()),
        }
    };
    result.await.inspect_err(|_: &Error| session.fail())
}

async fn copy(session: &mut Session, table: &str, lines: String) -> Result<(), Error> {
    let prepared = session.prepare(&format!("COPY {table} (time, key, site, n, x) FROM STDIN"), &[]).await?;
    let Outcome::CopyIn(mut copy) = session.execute(&prepared, Vec::new()).await? else {
        return Err(Error::new("XX000", "COPY does not ask for data"));
    };
    session.copy_data(&mut copy, lines.into()).await?;
    session.copy_done(copy).await.map(|_| ())
}
