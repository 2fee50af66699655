//! What the database has to hold, in plain values.
//!
//! ```text
//! committed  ──BEGIN──▶ view of a block ──statements──▶ view, and the changes that made it
//!     │                                                     │
//!     └──── commits of others ────▶ committed ◀──COMMIT─────┘  the same changes, on the newest
//! ```

use super::definition::{Aggregate, Group, Member, Row, Table, by_group};
use super::history::{Action, Selection};
use super::value::{Expected, Grouped, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Tables and aggregates as of some point of a history.
#[derive(Clone, Debug)]
pub struct Shadow {
    definitions: Arc<Vec<Table>>,
    /// The rows of each table by id.
    pub tables: Vec<Rows>,
    /// The aggregates by name.
    pub aggregates: BTreeMap<String, AggregateState>,
}

/// The rows of a table.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Those that are there.
    pub live: BTreeMap<u64, Row>,
    /// Every time that a row ever had.
    seen: BTreeSet<i64>,
}

/// An aggregate.
#[derive(Clone, Debug)]
pub struct AggregateState {
    /// What it is.
    pub definition: Arc<Aggregate>,
    /// Whether it shows only what is materialized.
    pub materialized_only: bool,
    /// Offsets of its policy.
    pub policy: Option<(Option<i64>, Option<i64>)>,
    /// Rows that were dropped, and count for ever.
    frozen: Vec<Row>,
    /// Beginnings of buckets that were refreshed and not touched since: they must be clean.
    pub clean: BTreeSet<i64>,
    /// Beginnings of buckets that were refreshed some time.
    ever: BTreeSet<i64>,
}

/// What aggregates keep that show nothing else: the rows of each by name.
pub type Kept = BTreeMap<String, Vec<Vec<Value>>>;

impl AggregateState {
    /// Whether its rows are those of the table themselves.
    fn is_over(&self, table: usize) -> bool {
        self.definition.reads(table) && self.definition.over.is_none()
    }
}

/// What a statement does.
#[derive(Clone, Debug)]
pub enum Change {
    /// Rows come.
    Insert(usize, Vec<Row>),
    /// Rows go.
    Delete(usize, Vec<Row>),
    /// All rows go.
    Truncate(usize, Vec<Row>),
    /// Rows go and still count.
    Freeze(usize, Vec<Row>),
    /// An aggregate comes.
    Create(Arc<Aggregate>, bool),
    /// What dropped rows were of an aggregate is forgotten.
    Discard(String),
    /// An aggregate gets another definition.
    Replace(Arc<Aggregate>, bool),
    /// An aggregate goes.
    Forget(String),
    /// An aggregate shows only what is materialized, or also the rest.
    Alter(String, bool),
    /// An aggregate gets a policy.
    Policy(String, Option<i64>, Option<i64>),
    /// Buckets of an aggregate are refreshed.
    Settle(String, Vec<i64>),
}

impl Change {
    /// Whether it makes a bucket of an aggregate dirty.
    fn touches(&self, aggregate: &Aggregate, start: i64) -> bool {
        match self {
            Change::Insert(t, rows) | Change::Delete(t, rows) => {
                aggregate.reads(*t) && rows.iter().any(|row| reaches(aggregate, row.time, start))
            }
            Change::Truncate(t, _) => aggregate.reads(*t),
            _ => false,
        }
    }

    /// Whether it may change what aggregates over aggregates are over, without a change of rows.
    fn changes_what_is_shown(&self) -> bool {
        matches!(self, Change::Settle(..) | Change::Alter(..))
    }

    /// Whether it writes rows.
    fn writes(&self) -> bool {
        matches!(self, Change::Insert(..) | Change::Delete(..) | Change::Truncate(..))
    }
}

/// What a statement will do.
#[derive(Debug)]
pub enum Prediction {
    /// It makes no sense here, which happens when a history was shortened.
    Skip,
    /// It succeeds.
    Changes(Vec<Change>),
    /// It fails with this SQLSTATE.
    Fails(&'static str),
}

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Microseconds since 1970.
    pub micros: i64,
    /// On integer time.
    pub steps: i64,
}

impl Now {
    fn on(&self, table: &Table) -> i64 {
        if table.kind.is_integer() { self.steps } else { self.micros }
    }
}

impl Shadow {
    /// Empty tables.
    pub fn new(definitions: Arc<Vec<Table>>) -> Self {
        Shadow { tables: vec![Rows::default(); definitions.len()], definitions, aggregates: BTreeMap::new() }
    }

    /// What the query of an aggregate gives over what its source shows, rows included that were dropped.
    ///
    /// * `kept` – what those aggregates keep that are materialized only.
    pub fn truth(&self, state: &AggregateState, kept: &Kept) -> Grouped<Expected> {
        by_group(self.groups(state, kept))
    }

    fn groups(&self, state: &AggregateState, kept: &Kept) -> Vec<Group> {
        let definition = &state.definition;
        let Some(over) = &definition.over else {
            let live = self.tables.iter().enumerate();
            let live = live.flat_map(|(table, rows)| definition.taken(table, rows.live.values()));
            let rows = live.chain(state.frozen.iter().copied());
            return definition.groups(rows.map(|row| Member::of_table(&row)).collect());
        };
        let parent = &self.aggregates[&over.aggregate.name];
        let members = match parent.materialized_only {
            false => over.shown(self.groups(parent, kept)),
            true => {
                let rows = kept.get(&over.aggregate.name).map_or(&[][..], Vec::as_slice);
                over.shown(over.aggregate.groups_of_rows(rows))
            }
        };
        definition.groups(members)
    }

    /// Whether an aggregate is there, with this definition.
    fn has(&self, aggregate: &Arc<Aggregate>) -> bool {
        self.aggregates.get(&aggregate.name).is_some_and(|state| Arc::ptr_eq(&state.definition, aggregate))
    }

    /// The aggregates over an aggregate, also over those.
    fn above(&self, name: &str) -> Vec<String> {
        let is_above = |state: &&AggregateState| state.definition.below().iter().any(|below| below.name == name);
        self.aggregates.values().filter(is_above).map(|state| state.definition.name.clone()).collect()
    }

    /// Whether every change of the table is seen by an aggregate at once.
    fn sees_all(&self, aggregate: &Aggregate) -> bool {
        aggregate.below().iter().all(|below| self.aggregates.get(&below.name).is_some_and(|b| !b.materialized_only))
    }

    /// What a refresh of a window settles, that of the aggregates below included.
    fn settling(&self, aggregate: &Aggregate, start: Option<i64>, end: Option<i64>, also: Vec<i64>) -> Vec<Change> {
        let settle = |aggregate: &Aggregate, also: Vec<i64>| {
            let mut buckets = Vec::new();
            // Of others it is not known which of their buckets change when those below are refreshed.
            if self.sees_all(aggregate) {
                buckets = self.buckets(aggregate, start, end);
                buckets.extend(also);
            }
            Change::Settle(aggregate.name.clone(), buckets)
        };
        let below = aggregate.below();
        let below = below.iter().map(|below| settle(below, Vec::new()));
        below.chain([settle(aggregate, also)]).collect()
    }

    /// What a statement does to this, were it the only one.
    ///
    /// * `ids` – ids for new versions of rows.
    pub fn predict(&self, action: &Action, now: Now, ids: &mut impl FnMut() -> u64) -> Prediction {
        match action {
            Action::Insert { table, rows, .. } => self.predict_insert(*table, rows),
            Action::Upsert { table, rows, update } => self.predict_upsert(*table, rows, *update),
            Action::Update { table, selection, set } => {
                let old = self.selected(*table, selection);
                let new: Vec<Row> = old.iter().map(|row| Row { id: ids(), ..set.of(row) }).collect();
                self.predict_replacing(*table, old, new)
            }
            Action::Delete { table, selection } => {
                Prediction::Changes(vec![Change::Delete(*table, self.selected(*table, selection))])
            }
            Action::Truncate { table } => {
                let rows = self.tables[*table].live.values().copied().collect();
                Prediction::Changes(vec![Change::Truncate(*table, rows)])
            }
            Action::Create { aggregate, .. } if self.aggregates.contains_key(&aggregate.name) => Prediction::Skip,
            Action::Create { aggregate, .. } if aggregate.below().iter().any(|below| !self.has(below)) => {
                Prediction::Skip
            }
            Action::Create { aggregate, materialized_only, with_data } => {
                let mut changes = vec![Change::Create(aggregate.clone(), *materialized_only)];
                if *with_data {
                    changes.extend(self.settling(aggregate, None, None, Vec::new()));
                }
                Prediction::Changes(changes)
            }
            Action::Replace { aggregate, materialized_only, with_data, discard } => {
                match self.aggregates.get(&aggregate.name) {
                    Some(state) if self.above(&aggregate.name).is_empty() => {
                        let is_known = state.frozen.is_empty() || aggregate.is_known_from(&state.definition);
                        let is_lost = *discard && !aggregate.is_of_the_rows_of(&state.definition);
                        if !is_known && !is_lost {
                            return Prediction::Skip;
                        }
                        let mut changes = Vec::new();
                        if !is_known {
                            changes.push(Change::Discard(aggregate.name.clone()));
                        }
                        changes.push(Change::Replace(aggregate.clone(), *materialized_only));
                        if *with_data {
                            changes.extend(self.settling(aggregate, None, None, Vec::new()));
                        }
                        Prediction::Changes(changes)
                    }
                    _ => Prediction::Skip,
                }
            }
            Action::Drop { aggregate } if !self.above(aggregate).is_empty() => Prediction::Fails("2BP01"),
            Action::Drop { aggregate } => self.if_there(aggregate, |_| vec![Change::Forget(aggregate.clone())]),
            Action::Alter { aggregate, materialized_only } => {
                self.if_there(aggregate, |_| vec![Change::Alter(aggregate.clone(), *materialized_only)])
            }
            Action::Refresh { aggregate, start, end, .. } => match self.aggregates.get(aggregate) {
                None => Prediction::Skip,
                Some(state) => match whole_buckets(&state.definition, *start, *end) {
                    None => Prediction::Fails("22023"),
                    Some((start, end)) => Prediction::Changes(self.settling(&state.definition, start, end, Vec::new())),
                },
            },
            Action::AddPolicy { aggregate, start, end } => match self.aggregates.get(aggregate) {
                // The history may have been made for another definition of it.
                Some(state)
                    if start.zip(*end).is_some_and(|(start, end)| start - end < 2 * state.definition.cut.width()) =>
                {
                    Prediction::Fails("22023")
                }
                Some(state) if state.policy.is_none() => {
                    Prediction::Changes(vec![Change::Policy(aggregate.clone(), *start, *end)])
                }
                _ => Prediction::Skip,
            },
            Action::RunPolicy { aggregate } => match self.aggregates.get(aggregate) {
                Some(state) if state.policy.is_some() => Prediction::Changes(self.settled_by_policy(state, now)),
                _ => Prediction::Skip,
            },
            Action::DropChunks { table, older, newer } => Prediction::Changes(self.dropping(*table, *older, *newer)),
            Action::Retention { table, after } => {
                let older = now.on(&self.definitions[*table]) - after;
                Prediction::Changes(self.dropping(*table, Some(older), None))
            }
            Action::Compress { .. }
            | Action::Begin
            | Action::Commit
            | Action::Rollback
            | Action::Savepoint(_)
            | Action::RollbackTo(_)
            | Action::Release(_) => Prediction::Changes(Vec::new()),
        }
    }

    fn if_there(&self, aggregate: &str, changes: impl Fn(&AggregateState) -> Vec<Change>) -> Prediction {
        self.aggregates.get(aggregate).map_or(Prediction::Skip, |state| Prediction::Changes(changes(state)))
    }

    fn selected(&self, table: usize, selection: &Selection) -> Vec<Row> {
        self.tables[table].live.values().filter(|row| selection.has(row)).copied().collect()
    }

    fn predict_insert(&self, table: usize, rows: &[Row]) -> Prediction {
        self.predict_replacing(table, Vec::new(), rows.to_vec())
    }

    fn predict_replacing(&self, table: usize, old: Vec<Row>, new: Vec<Row>) -> Prediction {
        if self.definitions[table].keyed {
            if new.iter().any(|row| row.key.is_none()) {
                return Prediction::Fails("23502");
            }
            let gone: BTreeSet<u64> = old.iter().map(|row| row.id).collect();
            let kept = self.tables[table].live.values().filter(|row| !gone.contains(&row.id));
            if has_duplicates(kept.chain(&new)) {
                return Prediction::Fails("23505");
            }
        }
        Prediction::Changes(vec![Change::Delete(table, old), Change::Insert(table, new)])
    }

    fn predict_upsert(&self, table: usize, rows: &[Row], update: bool) -> Prediction {
        if rows.iter().any(|row| row.key.is_none()) {
            return Prediction::Fails("23502");
        }
        let (mut old, mut new, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for row in rows {
            let is_first = seen.insert((row.key, row.time));
            let there = self.tables[table].live.values().find(|r| r.key == row.key && r.time == row.time);
            match (there, update) {
                _ if !is_first && update => return Prediction::Fails("21000"),
                (None, _) if is_first => new.push(*row),
                (Some(there), true) => {
                    old.push(*there);
                    new.push(Row { id: row.id, n: row.n, x: row.x, ..*there });
                }
                _ => {}
            }
        }
        Prediction::Changes(vec![Change::Delete(table, old), Change::Insert(table, new)])
    }

    /// The buckets inside a window that have or had rows, up to that of the newest row.
    fn buckets(&self, aggregate: &Aggregate, start: Option<i64>, end: Option<i64>) -> Vec<i64> {
        let tables = || self.tables.iter().enumerate().filter(|(i, _)| aggregate.reads(*i)).map(|(_, table)| table);
        let live = tables().flat_map(|table| table.live.values());
        let Some(newest) = live.map(|row| row.time).max() else { return Vec::new() };
        let starts: BTreeSet<i64> = tables().flat_map(|table| &table.seen).map(|t| aggregate.start_of(*t)).collect();
        let is_inside =
            |s: &i64| start.is_none_or(|start| *s >= start) && end.is_none_or(|end| aggregate.bucket.end(*s) <= end);
        starts.into_iter().filter(|s| *s <= newest && is_inside(s)).collect()
    }

    fn settled_by_policy(&self, state: &AggregateState, now: Now) -> Vec<Change> {
        let Some((start, end)) = state.policy else { return Vec::new() };
        let now = now.on(&self.definitions[state.definition.table]);
        let window = whole_buckets(&state.definition, start.map(|by| now - by), end.map(|by| now - by));
        let Some((start, end)) = window else { return Vec::new() };
        // What was materialized once is repaired, however old it is.
        let is_repaired = |s: &&i64| end.is_none_or(|end| state.definition.bucket.end(**s) <= end);
        self.settling(&state.definition, start, end, state.ever.iter().filter(is_repaired).copied().collect())
    }

    fn dropping(&self, table: usize, older: Option<i64>, newer: Option<i64>) -> Vec<Change> {
        let definition = &self.definitions[table];
        let is_dropped = |row: &&Row| {
            let start = definition.chunk_start(row.time);
            older.is_none_or(|t| start + definition.chunk <= t) && newer.is_none_or(|t| start >= t)
        };
        let rows: Vec<Row> = self.tables[table].live.values().filter(is_dropped).copied().collect();
        let over = self.aggregates.values().filter(|state| state.is_over(table));
        let settled = over.map(|state| {
            let buckets: BTreeSet<i64> = rows.iter().map(|row| state.definition.bucket.start(row.time)).collect();
            Change::Settle(state.definition.name.clone(), buckets.into_iter().collect())
        });
        settled.chain([Change::Freeze(table, rows.clone())]).collect()
    }

    /// Applies a change that is made without anybody interfering.
    pub fn apply(&mut self, change: &Change) {
        self.apply_after(change, &[]).expect("rows that were just seen are there");
    }

    /// Applies a change to what others have changed meanwhile.
    ///
    /// # Errors
    /// With the reason why the two cannot both have happened.
    pub fn apply_after(&mut self, change: &Change, others: &[&Change]) -> Result<(), String> {
        match change {
            Change::Insert(table, rows) => {
                self.touch(*table, rows);
                self.tables[*table].seen.extend(rows.iter().map(|row| row.time));
                self.tables[*table].live.extend(rows.iter().map(|row| (row.id, *row)));
            }
            Change::Delete(table, rows) => {
                self.touch(*table, rows);
                self.remove(*table, rows)?;
            }
            Change::Truncate(table, rows) => {
                let over = self.aggregates.values_mut().filter(|state| state.definition.reads(*table));
                over.for_each(|state| state.clean.clear());
                self.remove(*table, rows)?;
            }
            Change::Freeze(table, rows) => {
                self.remove(*table, rows)?;
                let over = self.aggregates.values_mut().filter(|state| state.is_over(*table));
                over.for_each(|state| state.frozen.extend(state.definition.taken(*table, rows.iter())));
            }
            Change::Create(aggregate, materialized_only) => {
                let state = AggregateState {
                    definition: aggregate.clone(),
                    materialized_only: *materialized_only,
                    policy: None,
                    frozen: Vec::new(),
                    clean: BTreeSet::new(),
                    ever: BTreeSet::new(),
                };
                if self.aggregates.insert(aggregate.name.clone(), state).is_some() {
                    return Err(format!("{} was created twice", aggregate.name));
                }
            }
            Change::Discard(name) => self.state(name)?.frozen.clear(),
            Change::Replace(aggregate, materialized_only) => {
                let state = self.state(&aggregate.name)?;
                state.definition = aggregate.clone();
                state.materialized_only = *materialized_only;
                state.clean.clear();
                state.ever.clear();
            }
            Change::Forget(name) => {
                self.aggregates.remove(name).ok_or_else(|| format!("{name} was dropped twice"))?;
            }
            Change::Alter(name, materialized_only) => {
                self.state(name)?.materialized_only = *materialized_only;
                self.forget_clean(&self.above(name));
            }
            Change::Policy(name, start, end) => self.state(name)?.policy = Some((*start, *end)),
            Change::Settle(name, buckets) => {
                if self.state(name)?.materialized_only {
                    self.forget_clean(&self.above(name));
                }
                let state = self.state(name)?;
                let definition = state.definition.clone();
                let is_over_more = definition.over.is_some() && others.iter().any(|o| o.changes_what_is_shown());
                let touched =
                    |start: &i64| is_over_more || others.iter().any(|other| other.touches(&definition, *start));
                state.clean.extend(buckets.iter().filter(|start| !touched(start)));
                state.ever.extend(buckets);
            }
        }
        Ok(())
    }

    /// This, after a block that began on `base` and was followed by the changes of others.
    ///
    /// # Errors
    /// With the reason why the block must not commit.
    pub fn after_block(&self, base: &Shadow, changes: &[Change], others: &[&Change]) -> Result<Shadow, String> {
        let mut after = self.clone();
        // Who found nothing to refresh does not notice that the aggregate is gone.
        let found_nothing = |change: &&Change| match change {
            Change::Settle(name, buckets) if !self.aggregates.contains_key(name) => {
                base.aggregates.get(name).is_some_and(|state| buckets.iter().all(|start| state.clean.contains(start)))
            }
            _ => false,
        };
        for change in changes.iter().filter(|change| !found_nothing(change)) {
            after.apply_after(change, others)?;
        }
        for (table, _) in self.definitions.iter().enumerate().filter(|(_, table)| table.keyed) {
            if has_duplicates(after.tables[table].live.values()) {
                return Err("a key is there twice".to_owned());
            }
        }
        // Who does not know of an aggregate cannot tell its buckets apart.
        let (mine, theirs) = (changes.iter().any(Change::writes), others.iter().any(|c| c.writes()));
        for (name, state) in &mut after.aggregates {
            let knows = |shadow: &Shadow, other: &Shadow| {
                let definitions = [shadow, other].map(|shadow| shadow.aggregates.get(name).map(|s| &s.definition));
                matches!(definitions, [Some(a), Some(b)] if Arc::ptr_eq(a, b))
            };
            let is_new_to_me = self.aggregates.contains_key(name) && !knows(base, self);
            let is_new_to_them =
                self.aggregates.get(name).is_none_or(|theirs| !Arc::ptr_eq(&theirs.definition, &state.definition));
            if (mine && is_new_to_me) || (theirs && is_new_to_them) {
                state.clean.clear();
            }
        }
        Ok(after)
    }

    fn state(&mut self, name: &str) -> Result<&mut AggregateState, String> {
        self.aggregates.get_mut(name).ok_or_else(|| format!("{name} was dropped meanwhile"))
    }

    fn forget_clean(&mut self, names: &[String]) {
        for name in names {
            if let Some(state) = self.aggregates.get_mut(name) {
                state.clean.clear();
            }
        }
    }

    fn touch(&mut self, table: usize, rows: &[Row]) {
        for state in self.aggregates.values_mut().filter(|state| state.definition.reads(table)) {
            for row in rows {
                let (first, last) = state.definition.reached((row.time, row.time));
                state.clean.retain(|start| *start < first || *start > last);
            }
        }
    }

    fn remove(&mut self, table: usize, rows: &[Row]) -> Result<(), String> {
        for row in rows {
            self.tables[table]
                .live
                .remove(&row.id)
                .ok_or_else(|| format!("{row:?} was changed by two transactions"))?;
        }
        Ok(())
    }
}

/// Whether a row of the table changes a bucket of an aggregate.
fn reaches(aggregate: &Aggregate, time: i64, start: i64) -> bool {
    let (first, last) = aggregate.reached((time, time));
    first <= start && start <= last
}

/// The whole buckets inside a window; `None` when there are none.
fn whole_buckets(aggregate: &Aggregate, start: Option<i64>, end: Option<i64>) -> Option<(Option<i64>, Option<i64>)> {
    let (start, end) = (start.map(|t| aggregate.bucket.ceiling(t)), end.map(|t| aggregate.bucket.start(t)));
    (start.zip(end).is_none_or(|(start, end)| start < end)).then_some((start, end))
}

fn has_duplicates<'a>(rows: impl Iterator<Item = &'a Row>) -> bool {
    let mut seen = BTreeSet::new();
    !rows.into_iter().all(|row| seen.insert((row.key, row.time)))
}
