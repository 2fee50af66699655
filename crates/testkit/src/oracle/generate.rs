//! Random histories.

use super::calendar::{DAY, HOUR, MINUTE, SECOND, days};
use super::definition::{
    Aggregate, Argument, Condition, Cut, Function, Having, Key, Output, Over, Row, Table, TimeKind, United,
};
use super::history::{Action, History, SESSIONS, Selection, Set, Step};
use super::random::Random;
use super::window::{Frame, Window, WindowFunction};
use std::collections::VecDeque;
use std::sync::Arc;

/// The keys that rows have.
pub const KEYS: [&str; 4] = ["a", "b", "c", ""];

/// The history of a seed.
pub fn history(seed: u64) -> History {
    let mut random = Random::new(seed);
    let middles = [0, days(2000, 1, 1) * DAY, days(2026, 3, 1) * DAY, days(1899, 12, 31) * DAY];
    let center = *random.pick(&middles);
    let names = ["readings", "others"];
    let count = if random.chance(35) { 2 } else { 1 };
    let mut tables: Vec<Table> = names[..count].iter().map(|name| table(&mut random, name, center)).collect();
    // Mostly the rows of both can be united.
    if let [first, second] = tables.as_mut_slice()
        && random.chance(70)
    {
        (second.kind, second.chunk, second.center) = (first.kind, first.chunk, first.center);
    }
    let buffer_bytes = *random.pick(&[16 << 10, 64 << 10, 1 << 20]);
    let inline_bytes = *random.pick(&[1 << 10, 4 << 10, 1 << 20]);
    // Each history does some things often and others never, so that what rarely meets does meet.
    let mut often = |weights: &[usize]| weights.iter().map(|w| w * *random.pick(&[0, 1, 1, 2, 4])).collect();
    let (steps_often, statements_often) = (often(&STEPS), often(&STATEMENTS));
    let mut generator = Generator {
        steps_often,
        statements_often,
        cursors: tables.iter().map(|table| table.center).collect(),
        times: tables.iter().map(|table| vec![table.center]).collect(),
        tables: Arc::new(tables),
        random,
        aggregates: Vec::new(),
        created: 0,
        blocks: vec![None; SESSIONS],
        plans: vec![VecDeque::new(); SESSIONS],
        savepoints: 0,
        ids: 0,
        steps: Vec::new(),
    };
    generator.fill();
    History { tables: generator.tables, clock: center, buffer_bytes, inline_bytes, steps: generator.steps }
}

/// A table of this name.
pub fn table(random: &mut Random, name: &'static str, center: i64) -> Table {
    use TimeKind::{BigInt, Date, Integer, Timestamp, Timestamptz};
    let kind = [Timestamptz, Timestamp, Date, BigInt, Integer][random.weighted(&[50, 10, 10, 15, 15])];
    let chunk = match kind {
        Timestamptz | Timestamp => *random.pick(&[12 * HOUR, DAY, 3 * DAY]),
        Date => *random.pick(&[7 * DAY, 30 * DAY]),
        BigInt | Integer => *random.pick(&[50, 64, 200]),
    };
    let center = if kind.is_integer() { 0 } else { center };
    Table { name, kind, keyed: random.chance(35), chunk, center }
}

/// How often a history does a statement, BEGIN and the like, wait, write a checkpoint, restart, crash.
const STEPS: [usize; 6] = [60, 20, 3, 3, 2, 5];

/// How often a statement is an INSERT, UPDATE, DELETE, TRUNCATE, a refresh, CREATE, DROP and ALTER of an
/// aggregate, adds a policy, runs one, drops chunks, adds and runs a retention policy, replaces an aggregate,
/// compresses chunks.
const STATEMENTS: [usize; 14] = [34, 9, 9, 2, 20, 4, 2, 4, 4, 5, 5, 2, 4, 5];

/// What a session will do, drawn in full when its turn comes.
#[derive(Clone, Copy)]
enum Plan {
    /// Of the aggregate with this place.
    RefreshAll(usize),
    Write,
    Begin,
    Savepoint,
    RollbackTo,
    Release,
    Commit,
    Rollback,
}

struct Generator {
    steps_often: Vec<usize>,
    statements_often: Vec<usize>,
    random: Random,
    tables: Arc<Vec<Table>>,
    /// Where rows in order come next.
    cursors: Vec<i64>,
    /// Times of rows so far.
    times: Vec<Vec<i64>>,
    aggregates: Vec<Arc<Aggregate>>,
    created: usize,
    /// The savepoints of open blocks.
    blocks: Vec<Option<Vec<usize>>>,
    /// What sessions do in their next steps.
    plans: Vec<VecDeque<Plan>>,
    savepoints: usize,
    ids: u64,
    steps: Vec<Step>,
}

impl Generator {
    fn fill(&mut self) {
        for _ in 0..self.random.between(1, 3) {
            let create = self.create();
            self.steps.push(Step::Do(0, create));
        }
        let first = self.insert();
        self.steps.insert(self.random.below(self.steps.len() + 1), Step::Do(0, first));
        for _ in 0..self.random.between(10, 45) {
            self.step();
        }
        for session in 0..SESSIONS {
            if self.blocks[session].is_some() {
                self.steps.push(Step::Do(session, Action::Commit));
            }
        }
        for aggregate in self.aggregates.clone() {
            let aggregate = aggregate.name.clone();
            self.steps.push(Step::Do(0, Action::Refresh { aggregate, start: None, end: None, force: false }));
        }
    }

    fn step(&mut self) {
        let session = usize::from(self.random.chance(30));
        if let Some(plan) = self.plans[session].pop_front() {
            let action = self.planned(session, plan);
            return self.steps.push(Step::Do(session, action));
        }
        let random = &mut self.random;
        let step = match random.weighted(&self.steps_often) {
            1 => {
                let action = self.control(session);
                Step::Do(session, action)
            }
            2 => Step::Wait(random.between(1, 2000)),
            3 => Step::Checkpoint(random.chance(30).then(|| (random.between(1, 30) as u64, random.number()))),
            4 => Step::Restart,
            5 => {
                let call = if random.chance(70) { random.between(1, 4) } else { random.between(1, 40) } as u64;
                let seed = random.number();
                let action = if self.blocks[session].is_some() { Action::Commit } else { self.statement(true) };
                Step::Crash { session, action, call, seed }
            }
            _ => {
                let action = self.statement(self.blocks[session].is_some());
                Step::Do(session, action)
            }
        };
        if matches!(step, Step::Restart | Step::Crash { .. } | Step::Checkpoint(Some(_))) {
            self.blocks = vec![None; SESSIONS];
            self.plans.iter_mut().for_each(VecDeque::clear);
        }
        self.steps.push(step);
    }

    fn control(&mut self, session: usize) -> Action {
        let plan = match self.blocks[session] {
            Some(_) => [Plan::Commit, Plan::Rollback, Plan::Savepoint, Plan::RollbackTo, Plan::Release]
                [self.random.weighted(&[30, 10, 25, 25, 5])],
            None if self.random.chance(50) => self.plan_a_block(session),
            None => Plan::Begin,
        };
        self.planned(session, plan)
    }

    /// A whole block of a kind that plain chance seldom makes over buckets that are clean: rows are written before
    /// and after a savepoint that is gone back to, or separate buckets are refreshed while another session writes.
    fn plan_a_block(&mut self, session: usize) -> Plan {
        let random = &mut self.random;
        let refresh = Plan::RefreshAll(random.below(self.aggregates.len()));
        let mut plan = Vec::new();
        if random.chance(60) {
            plan.push(Plan::Begin);
            plan.extend(vec![Plan::Write; random.between(1, 2) as usize]);
            plan.push(Plan::Savepoint);
            plan.extend(vec![Plan::Write; random.below(3)]);
            plan.push(Plan::RollbackTo);
            plan.extend(vec![Plan::Write; random.below(2)]);
        } else {
            plan.extend(vec![Plan::Write; random.between(1, 2) as usize]);
            plan.extend([Plan::Begin, refresh]);
            let writes = vec![Plan::Write; random.between(2, 5) as usize];
            self.plans[(session + 1) % SESSIONS].extend(writes);
        }
        plan.push(if random.chance(85) { Plan::Commit } else { Plan::Rollback });
        self.plans[session] = plan.into();
        refresh
    }

    fn planned(&mut self, session: usize, plan: Plan) -> Action {
        let savepoints = self.blocks[session].as_ref().map_or(0, Vec::len);
        let at = self.random.below(savepoints.max(1));
        match (plan, &mut self.blocks[session]) {
            (Plan::RefreshAll(which), _) => {
                // One that was dropped meanwhile is replaced by another.
                let aggregate = self.aggregates[which % self.aggregates.len()].name.clone();
                Action::Refresh { aggregate, start: None, end: None, force: false }
            }
            (Plan::Write, _) => {
                let table = self.random.below(self.tables.len());
                let which = self.random.weighted(&[70, 14, 14, 2]);
                self.write(table, which)
            }
            (Plan::Begin, slot @ None) => {
                *slot = Some(Vec::new());
                Action::Begin
            }
            (Plan::Savepoint, Some(savepoints)) => {
                self.savepoints += 1;
                savepoints.push(self.savepoints);
                Action::Savepoint(self.savepoints)
            }
            (Plan::RollbackTo, Some(names)) if savepoints > 0 => {
                names.truncate(at + 1);
                Action::RollbackTo(names[at])
            }
            (Plan::Release, Some(names)) if savepoints > 0 => {
                let name = names[at];
                names.truncate(at);
                Action::Release(name)
            }
            (Plan::Rollback, slot) => {
                *slot = None;
                Action::Rollback
            }
            (_, slot) => {
                *slot = None;
                Action::Commit
            }
        }
    }

    /// One of the first four statements of [`STATEMENTS`].
    fn write(&mut self, table: usize, which: usize) -> Action {
        match which {
            0 => self.insert(),
            1 => Action::Update { table, selection: self.selection(table), set: self.set(table) },
            2 => Action::Delete { table, selection: self.selection(table) },
            _ => Action::Truncate { table },
        }
    }

    /// Any statement; with `whole` only such as are one transaction.
    fn statement(&mut self, whole: bool) -> Action {
        let table = self.random.below(self.tables.len());
        match self.random.weighted(&self.statements_often) {
            which @ 0..=3 => self.write(table, which),
            5 => self.create(),
            6 if self.aggregates.len() > 1 => {
                let at = self.random.below(self.aggregates.len());
                // It may be rolled back; then the aggregate is there and no longer spoken of.
                Action::Drop { aggregate: self.aggregates.remove(at).name.clone() }
            }
            7 => Action::Alter { aggregate: self.aggregate(), materialized_only: self.random.chance(30) },
            8 if !whole => self.add_policy(),
            9 => Action::RunPolicy { aggregate: self.aggregate() },
            10 => {
                let bounds = [(70, 0), (0, 30), (50, 50)][self.random.weighted(&[80, 8, 12])];
                let mut bound =
                    |percent: usize| self.random.chance(percent).then(|| self.cursors[table] + self.spread(table));
                let (older, newer) = (bound(bounds.0 + 30), bound(bounds.1));
                Action::DropChunks { table, older: older.or(newer.is_none().then_some(self.cursors[table])), newer }
            }
            11 if !whole => {
                Action::Retention { table, after: self.tables[table].kind.tick() * self.random.between(-500, 4000) }
            }
            12 => self.replace(),
            13 => {
                let older = self.random.chance(60).then(|| self.cursors[table] + self.spread(table));
                Action::Compress { table, older, undo: self.random.chance(25) }
            }
            _ => self.refresh(),
        }
    }

    /// Another definition for an aggregate: a wholly other one, or one that keeps what is known of dropped rows.
    fn replace(&mut self) -> Action {
        let at = self.random.below(self.aggregates.len());
        let old = self.aggregates[at].clone();
        let random = &mut self.random;
        let mut new = match &old.over {
            None if random.chance(50) => {
                let drawn = aggregate(random, old.name.clone(), old.table, old.kind, self.tables[old.table].center);
                Aggregate { united: united(random, &self.tables, old.table), ..drawn }
            }
            _ => old.as_ref().clone(),
        };
        new.keys.retain(|_| random.chance(70));
        new.outputs.retain(|_| random.chance(70));
        if new.outputs.is_empty() {
            new.outputs.push(Output::Rows);
        }
        new.having = new.having.filter(|_| random.chance(70));
        let aggregate = Arc::new(new);
        self.aggregates[at] = aggregate.clone();
        Action::Replace {
            aggregate,
            materialized_only: self.random.chance(15),
            with_data: self.random.chance(60),
            discard: self.random.chance(40),
        }
    }

    fn aggregate(&mut self) -> String {
        self.random.pick(&self.aggregates).name.clone()
    }

    fn insert(&mut self) -> Action {
        let table = self.random.below(self.tables.len());
        let count = match self.random.weighted(&[30, 50, 15, 5]) {
            0 => 1,
            1 => self.random.between(2, 8),
            2 => self.random.between(9, 30),
            _ => self.random.between(60, 150),
        };
        let rows: Vec<Row> = (0..count).map(|_| self.row(table)).collect();
        match self.tables[table].keyed && self.random.chance(70) {
            true => {
                let update = self.random.chance(60);
                let mut rows = rows;
                if update && self.random.chance(90) {
                    let mut seen = std::collections::BTreeSet::new();
                    rows.retain(|row| seen.insert((row.key, row.time)));
                }
                Action::Upsert { table, rows, update }
            }
            false => Action::Insert { table, rows, copy: self.random.chance(20) },
        }
    }

    fn row(&mut self, table: usize) -> Row {
        let time = self.time(table);
        self.times[table].push(time);
        self.ids += 1;
        let keyed = self.tables[table].keyed;
        let random = &mut self.random;
        let key = if random.below(if keyed { 2000 } else { 7 }) == 0 { None } else { Some(some_key(random)) };
        let site = (!random.chance(10)).then(|| random.between(-2, 3));
        let n = match random.weighted(&[15, 82, 3]) {
            0 => None,
            1 => Some(random.between(-50, 100)),
            _ => Some(random.between(-(i64::MAX / 4), i64::MAX / 4)),
        };
        let x = match random.weighted(&[15, 45, 30, 10]) {
            0 => None,
            1 => Some(random.between(-160, 160) as f64 / 4.0),
            2 => Some(random.between(-1000, 1000) as f64 / 10.0),
            _ => Some(random.between(-1000, 1000) as f64 / 10.0 + 1e6),
        };
        Row { id: self.ids, time, key, site, n, x }
    }

    fn time(&mut self, table: usize) -> i64 {
        let kind = self.tables[table].kind;
        let (tick, unit) = (kind.tick(), kind.unit());
        let reach = reach(kind);
        let cursor = self.cursors[table];
        let random = &mut self.random;
        let rough = match random.weighted(&[40, 20, 8, 6, 18, 8]) {
            0 => {
                self.cursors[table] += random.between(0, reach / 200) * tick;
                self.cursors[table]
            }
            1 => cursor - random.between(0, reach / 30) * tick,
            2 => self.tables[table].center - random.between(0, reach) * tick,
            3 => cursor + random.between(0, reach / 2) * tick,
            4 => {
                let over: Vec<&Arc<Aggregate>> = self.aggregates.iter().filter(|a| a.reads(table)).collect();
                let near = *random.pick(&self.times[table]);
                let Some(aggregate) = over.get(random.below(over.len())) else { return near };
                let start = aggregate.bucket.start(near);
                return *random.pick(&[start, start - unit, start + unit, aggregate.bucket.end(start)]);
            }
            _ => return *random.pick(&self.times[table]),
        };
        if tick == MINUTE && random.chance(20) { rough + random.between(0, 59 * SECOND) } else { rough }
    }

    /// A distance in either direction.
    fn spread(&self, table: usize) -> i64 {
        // Drawn from a copy, because several parts of a statement ask at once.
        let kind = self.tables[table].kind;
        let mut random = Random::new(self.ids ^ self.steps.len() as u64);
        random.between(-reach(kind), reach(kind) / 8) * kind.tick()
    }

    fn selection(&mut self, table: usize) -> Selection {
        let kind = self.tables[table].kind;
        let near = *self.random.pick(&self.times[table]);
        let over: Vec<Arc<Aggregate>> = self.aggregates.iter().filter(|a| a.reads(table)).cloned().collect();
        let random = &mut self.random;
        let times = match random.weighted(&[35, 35, 30]) {
            0 => Some((near, near + random.between(1, reach(kind) / 6) * kind.tick())),
            1 if !over.is_empty() => {
                let bucket = &random.pick(&over).bucket;
                Some((bucket.start(near), bucket.end(bucket.start(near))))
            }
            _ => None,
        };
        let condition = (random.chance(if times.is_none() { 90 } else { 40 })).then(|| condition(random));
        Selection { times, condition }
    }

    fn set(&mut self, table: usize) -> Set {
        let kind = self.tables[table].kind;
        let random = &mut self.random;
        let by = match random.weighted(&[40, 40, 20]) {
            0 => random.between(-reach(kind) / 10, reach(kind) / 10) * kind.tick(),
            1 => random.between(-3, 3) * kind.tick(),
            _ => random.between(-1, 1) * kind.unit(),
        };
        match random.weighted(&[30, 15, 10, 25, 10, 10]) {
            0 => Set::Time(by),
            1 if self.tables[table].keyed && random.chance(95) => Set::Key(Some(some_key(random))),
            1 => Set::Key(random.chance(70).then(|| some_key(random))),
            2 => Set::Site(random.chance(80).then(|| random.between(-2, 3))),
            3 => Set::N(random.between(-30, 30)),
            4 => Set::X(random.chance(80).then(|| random.between(-100, 100) as f64 / 8.0)),
            _ => Set::TimeAndKey(by, some_key(random)),
        }
    }

    fn refresh(&mut self) -> Action {
        let aggregate = self.random.pick(&self.aggregates).clone();
        let times = &self.times[aggregate.table];
        let random = &mut self.random;
        let bound = |random: &mut Random, end: bool| {
            let near = *random.pick(times);
            let start = aggregate.bucket.start(near);
            match random.below(3) {
                0 => near,
                1 if end => aggregate.bucket.end(start),
                1 => start,
                _ => near + random.between(-20, 20) * aggregate.kind.tick(),
            }
        };
        let (start, end) = match random.weighted(&[30, 15, 15, 40]) {
            0 => (None, None),
            1 => (Some(bound(random, false)), None),
            2 => (None, Some(bound(random, true))),
            _ => {
                let (one, other) = (bound(random, false), bound(random, true));
                match random.chance(95) {
                    true => (Some(one.min(other)), Some(one.max(other))),
                    false => (Some(one), Some(other)),
                }
            }
        };
        Action::Refresh { aggregate: aggregate.name.clone(), start, end, force: self.random.chance(12) }
    }

    fn add_policy(&mut self) -> Action {
        let aggregate = self.random.pick(&self.aggregates).clone();
        let random = &mut self.random;
        // A month counts thirty days where offsets are compared with buckets.
        let width = match aggregate.cut {
            Cut::Width(width, _) | Cut::From(width, _) => width,
            Cut::Months(count) => count * 31 * DAY,
        };
        let tick = aggregate.kind.tick();
        let end = (!random.chance(30)).then(|| random.between(-300, 300) * tick);
        let start = (!random.chance(30)).then(|| end.unwrap_or(0) + 2 * width + random.between(0, 2000) * tick);
        Action::AddPolicy { aggregate: aggregate.name.clone(), start, end }
    }

    fn create(&mut self) -> Action {
        self.created += 1;
        let table = self.random.below(self.tables.len());
        let (kind, center) = (self.tables[table].kind, self.tables[table].center);
        let name = format!("by_{}", self.created);
        let parent = match self.aggregates.is_empty() || self.random.chance(60) {
            true => None,
            false => Some(self.random.pick(&self.aggregates).clone()).filter(|parent| parent.below().len() < 3),
        };
        let aggregate = Arc::new(match parent {
            None => {
                let united = united(&mut self.random, &self.tables, table);
                Aggregate { united, ..aggregate(&mut self.random, name, table, kind, center) }
            }
            Some(parent) => aggregate_over(&mut self.random, name, &parent),
        });
        self.aggregates.push(aggregate.clone());
        let random = &mut self.random;
        Action::Create { aggregate, materialized_only: random.chance(15), with_data: random.chance(35) }
    }
}

/// An aggregate over a table.
pub fn aggregate(random: &mut Random, name: String, table: usize, kind: TimeKind, center: i64) -> Aggregate {
    let cut = match kind {
        TimeKind::Timestamptz | TimeKind::Timestamp => random
            .pick(&[
                Cut::Width(7 * MINUTE, None),
                Cut::Width(HOUR, None),
                Cut::Width(HOUR, Some(5 * MINUTE)),
                Cut::Width(DAY, None),
                Cut::Width(DAY, Some(6 * HOUR)),
                Cut::Width(7 * DAY, None),
                Cut::From(7 * MINUTE, center + 3 * MINUTE),
                Cut::From(2 * DAY, center - HOUR),
                Cut::Months(1),
                Cut::Months(3),
            ])
            .clone(),
        TimeKind::Date => random
            .pick(&[
                Cut::Width(DAY, None),
                Cut::Width(7 * DAY, None),
                Cut::Width(7 * DAY, Some(2 * DAY)),
                Cut::Months(1),
            ])
            .clone(),
        TimeKind::BigInt | TimeKind::Integer => random
            .pick(&[Cut::Width(1, None), Cut::Width(7, None), Cut::Width(10, Some(3)), Cut::Width(100, None)])
            .clone(),
    };
    let keys = match random.weighted(&[30, 25, 12, 10, 8, 8, 7]) {
        0 => vec![],
        1 => vec![Key::Key],
        2 => vec![Key::Site],
        3 => vec![Key::Key, Key::Site],
        4 => vec![Key::KeyOrDash],
        5 => vec![Key::Parity],
        _ => vec![Key::Unknown],
    };
    let mut outputs = vec![Output::Rows];
    for _ in 0..random.between(1, 3) {
        let output = output(random);
        if !outputs.contains(&output) {
            outputs.push(output);
        }
    }
    if random.chance(35) {
        for _ in 0..random.between(1, 2) {
            let window = window(random, kind);
            // Mostly shown too, so that others can be over it.
            if random.chance(70) && !outputs.contains(&window.of) && window.is_small() {
                outputs.push(window.of.as_ref().clone());
            }
            outputs.push(Output::Window(window));
        }
    }
    let filter = random.chance(20).then(|| condition(random));
    let having = match random.weighted(&[80, 12, 8]) {
        0 => None,
        1 => Some(Having::MoreThan(random.below(3))),
        _ => Some(Having::Positive),
    };
    Aggregate {
        name,
        table,
        united: None,
        over: None,
        kind,
        bucket: cut.bucket(kind),
        cut,
        keys,
        outputs,
        filter,
        having,
    }
}

/// What an aggregate over a table unites its rows with: seldom with rows of its own.
fn united(random: &mut Random, tables: &[Table], table: usize) -> Option<United> {
    let other = (0..tables.len()).find(|other| *other != table && tables[*other].kind == tables[table].kind);
    let with = match other {
        Some(other) if random.chance(60) => other,
        _ if random.chance(5) => table,
        _ => return None,
    };
    Some(United { table: with, filter: random.chance(40).then(|| condition(random)) })
}

/// An aggregate over an aggregate.
pub fn aggregate_over(random: &mut Random, name: String, parent: &Arc<Aggregate>) -> Aggregate {
    let over = Over::new(parent.clone(), random.chance(50));
    let kind = parent.kind;
    let times = *random.pick(&[1, 1, 2, 3, 24]);
    let cut = match parent.cut {
        Cut::Width(width, None)
            if !kind.is_integer() && width <= 30 * DAY && (30 * DAY) % width == 0 && random.chance(20) =>
        {
            Cut::Months(random.between(1, 2))
        }
        Cut::Width(width, offset) => Cut::Width(width * times, offset),
        Cut::From(width, origin) => Cut::From(width * times, origin),
        Cut::Months(count) => Cut::Months(count * times),
    };
    let mut drawn = aggregate(random, name, parent.table, kind, 0);
    // Mostly some columns are missing: draw until the others do.
    for _ in 0..40 {
        if over.has_all(&drawn) {
            break;
        }
        drawn = aggregate(random, drawn.name, parent.table, kind, 0);
    }
    if !over.has_all(&drawn) {
        (drawn.keys, drawn.outputs, drawn.filter, drawn.having) = (vec![], vec![Output::Rows], None, None);
    }
    for _ in 0..random.between(0, 2) {
        let place = random.below(parent.outputs.len());
        let rollup = Output::Rollup(place);
        if !drawn.outputs.contains(&rollup) && !parent.outputs[place].is_window() {
            drawn.outputs.push(rollup);
        }
    }
    Aggregate { united: parent.united, over: Some(over), bucket: cut.bucket(kind), cut, ..drawn }
}

/// A window function over groups.
fn window(random: &mut Random, kind: TimeKind) -> Window {
    use WindowFunction::{Count, FirstValue, Lag, LastValue, Lead, Max, Min, Rolling, RowNumber, Sum};
    let function = match random.weighted(&[30, 20, 25, 25]) {
        0 => Sum,
        1 => *random.pick(&[Min, Max, Count]),
        2 => Rolling,
        _ => *random.pick(&[FirstValue, LastValue, Lag(1), Lag(2), Lead(1), RowNumber]),
    };
    let of = match function {
        Rolling => loop {
            let of = output(random);
            if matches!(of, Output::Call(..)) {
                break of;
            }
        },
        _ => {
            let filter = random.chance(15).then(|| condition(random));
            let calls = [
                Output::Rows,
                Output::Call(Function::Sum, Argument::Site, filter),
                Output::Call(Function::Sum, Argument::N, filter),
                Output::Call(Function::Max, Argument::Both, filter),
                Output::Call(Function::Min, Argument::Site, filter),
                Output::Call(Function::CountDistinct, Argument::N, filter),
            ];
            calls[random.weighted(&[25, 25, 15, 10, 15, 10])].clone()
        }
    };
    let distances: &[i64] = match kind {
        TimeKind::Timestamptz | TimeKind::Timestamp => {
            &[0, 7 * MINUTE, HOUR, 3 * HOUR, DAY, 2 * DAY, 7 * DAY, 31 * DAY]
        }
        TimeKind::Date => &[0, DAY, 3 * DAY, 7 * DAY, 60 * DAY],
        TimeKind::BigInt | TimeKind::Integer => &[0, 1, 7, 21, 100],
    };
    // Without its keys there are several groups of a bucket, and no order among them.
    let of_all = matches!(function, Sum | Min | Max | Count | Rolling) && random.chance(25);
    let bound = |random: &mut Random, end: bool, among: &[i64]| match random.weighted(&[15, 45, 40]) {
        0 => None,
        1 if end => Some(0),
        _ => Some(*random.pick(among)),
    };
    let frame = match of_all || random.chance(65) {
        true => Frame::Range(bound(random, false, distances), bound(random, true, distances)),
        false => Frame::Rows(bound(random, false, &[0, 1, 2, 5]), bound(random, true, &[0, 1, 3])),
    };
    Window { function, of: Box::new(of), partitioned: !of_all, descending: random.chance(20), frame }
}

fn output(random: &mut Random) -> Output {
    use Function::{Avg, Count, CountDistinct, Max, Min, Stddev, StddevPop, Sum, VarPop, Variance};
    match random.weighted(&[80, 10, 10]) {
        1 => return Output::Spread(*random.pick(&[Argument::N, Argument::X])),
        2 => return Output::Combined,
        _ => {}
    }
    let filter = random.chance(25).then(|| condition(random));
    let argument = [Argument::N, Argument::X, Argument::Site, Argument::Both, Argument::Key, Argument::Time]
        [random.weighted(&[25, 35, 10, 10, 10, 10])];
    let function = match argument {
        Argument::Key => *random.pick(&[Count, CountDistinct, Min, Max]),
        Argument::Time => *random.pick(&[Count, Min, Max]),
        // Squares of sums of huge numbers would not fit into the shadow's.
        Argument::N | Argument::Both => *random.pick(&[Count, CountDistinct, Min, Max, Sum, Avg]),
        Argument::X => *random.pick(&[Count, Min, Max, Sum, Avg, Stddev, StddevPop, Variance, VarPop]),
        Argument::Site => {
            *random.pick(&[Count, CountDistinct, Min, Max, Sum, Avg, Stddev, StddevPop, Variance, VarPop])
        }
    };
    Output::Call(function, argument, filter)
}

fn some_key(random: &mut Random) -> &'static str {
    KEYS[random.below(KEYS.len())]
}

fn condition(random: &mut Random) -> Condition {
    match random.weighted(&[30, 10, 20, 20, 10, 10]) {
        0 => Condition::KeyIs(some_key(random)),
        1 => Condition::KeyIsNull,
        2 => Condition::SiteIs(random.between(-2, 3)),
        3 => Condition::Above(random.between(-20, 60)),
        4 => Condition::NotAbove(random.between(-20, 60)),
        _ => Condition::Positive,
    }
}

/// How far times go from the middle, in ticks.
fn reach(kind: TimeKind) -> i64 {
    match kind {
        TimeKind::Timestamptz | TimeKind::Timestamp => 7 * 24 * 60,
        TimeKind::Date => 90,
        TimeKind::BigInt | TimeKind::Integer => 400,
    }
}
