//! What can happen in a history, as data and as SQL.

use super::definition::{Aggregate, Condition, Row, Table, TimeKind};
use std::fmt::{self, Display, Write};
use std::sync::Arc;

/// The sessions that statements run in.
pub const SESSIONS: usize = 2;

/// A history: tables, and what happens to them.
#[derive(Clone, Debug)]
pub struct History {
    /// The tables, made before anything else.
    pub tables: Arc<Vec<Table>>,
    /// Microseconds since 1970 at the beginning.
    pub clock: i64,
    /// Memory for rows that are not in a segment.
    pub buffer_bytes: usize,
    /// From this size on a batch goes to a segment at once.
    pub inline_bytes: usize,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// A statement in a session.
    Do(usize, Action),
    /// Time goes by: this many minutes, or steps of integer time.
    Wait(i64),
    /// Buffered rows move to segments; with a crash at this call, and this seed, in the middle.
    Checkpoint(Option<(u64, u64)>),
    /// The instance is closed and opened again.
    Restart,
    /// A statement outside of a block or a COMMIT, and a crash in it or right after it.
    Crash {
        /// The session.
        session: usize,
        /// The statement.
        action: Action,
        /// At which call that changes the disk.
        call: u64,
        /// Says what survives of that which was not synced.
        seed: u64,
    },
}

/// A statement.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are SQL's")]
pub enum Action {
    Insert {
        table: usize,
        rows: Vec<Row>,
        copy: bool,
    },
    Upsert {
        table: usize,
        rows: Vec<Row>,
        update: bool,
    },
    Update {
        table: usize,
        selection: Selection,
        set: Set,
    },
    Delete {
        table: usize,
        selection: Selection,
    },
    Truncate {
        table: usize,
    },
    Create {
        aggregate: Arc<Aggregate>,
        materialized_only: bool,
        with_data: bool,
    },
    Replace {
        aggregate: Arc<Aggregate>,
        materialized_only: bool,
        with_data: bool,
        discard: bool,
    },
    Drop {
        aggregate: String,
    },
    Alter {
        aggregate: String,
        materialized_only: bool,
    },
    Refresh {
        aggregate: String,
        start: Option<i64>,
        end: Option<i64>,
        force: bool,
    },
    AddPolicy {
        aggregate: String,
        start: Option<i64>,
        end: Option<i64>,
    },
    RunPolicy {
        aggregate: String,
    },
    DropChunks {
        table: usize,
        older: Option<i64>,
        newer: Option<i64>,
    },
    Retention {
        table: usize,
        after: i64,
    },
    /// Compresses chunks, or undoes that; no row notices.
    Compress {
        table: usize,
        older: Option<i64>,
        undo: bool,
    },
    Begin,
    Commit,
    Rollback,
    Savepoint(usize),
    RollbackTo(usize),
    Release(usize),
}

/// Which rows a statement changes: those that both hold for.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    /// From a time on, and before another.
    pub times: Option<(i64, i64)>,
    /// A condition.
    pub condition: Option<Condition>,
}

impl Selection {
    /// Whether a row is among them.
    pub fn has(&self, row: &Row) -> bool {
        self.times.is_none_or(|(from, to)| from <= row.time && row.time < to)
            && self.condition.is_none_or(|c| c.holds(row))
    }

    fn sql(&self, kind: TimeKind) -> String {
        let times =
            self.times.map(|(from, to)| format!("time >= {} AND time < {}", kind.literal(from), kind.literal(to)));
        let conditions: Vec<String> = times.into_iter().chain(self.condition.map(|c| c.sql())).collect();
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
    }
}

/// What an UPDATE sets.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the names are the columns'")]
pub enum Set {
    Time(i64),
    Key(Option<&'static str>),
    Site(Option<i64>),
    N(i64),
    X(Option<f64>),
    TimeAndKey(i64, &'static str),
}

impl Set {
    /// The row as it becomes.
    pub fn of(&self, row: &Row) -> Row {
        match *self {
            Set::Time(by) => Row { time: row.time + by, ..*row },
            Set::Key(key) => Row { key, ..*row },
            Set::Site(site) => Row { site, ..*row },
            Set::N(by) => Row { n: row.n.map(|n| n + by), ..*row },
            Set::X(x) => Row { x, ..*row },
            Set::TimeAndKey(by, key) => Row { time: row.time + by, key: Some(key), ..*row },
        }
    }

    fn sql(&self, kind: TimeKind) -> String {
        let moved = |by: i64| match kind {
            TimeKind::Date => format!("time = time + {}", by / super::calendar::DAY),
            _ => format!("time = time + {}", kind.distance(by)),
        };
        match self {
            Set::Time(by) => moved(*by),
            Set::Key(key) => format!("key = {}", text(*key)),
            Set::Site(site) => format!("site = {}", optional(*site)),
            Set::N(by) => format!("n = n + {by}"),
            Set::X(x) => format!("x = {}", optional(*x)),
            Set::TimeAndKey(by, key) => format!("{}, key = '{key}'", moved(*by)),
        }
    }
}

fn text(value: Option<&str>) -> String {
    value.map_or("NULL".to_owned(), |v| format!("'{v}'"))
}

fn optional<T: Display>(value: Option<T>) -> String {
    value.map_or("NULL".to_owned(), |v| v.to_string())
}

impl Action {
    /// As SQL; several statements where SQL needs them.
    pub fn sql(&self, tables: &[Table]) -> Vec<String> {
        let values = |table: &Table, rows: &[Row]| {
            let row = |r: &Row| {
                let time = table.kind.text(r.time);
                let time = if table.kind.is_integer() { time } else { format!("'{time}'") };
                format!("({time}, {}, {}, {}, {})", text(r.key), optional(r.site), optional(r.n), optional(r.x))
            };
            rows.iter().map(row).collect::<Vec<_>>().join(", ")
        };
        vec![match self {
            Action::Insert { table, rows, .. } => {
                let table = &tables[*table];
                format!("INSERT INTO {} (time, key, site, n, x) VALUES {}", table.name, values(table, rows))
            }
            Action::Upsert { table, rows, update } => {
                let table = &tables[*table];
                let action = if *update { "UPDATE SET n = excluded.n, x = excluded.x" } else { "NOTHING" };
                let insert =
                    format!("INSERT INTO {} (time, key, site, n, x) VALUES {}", table.name, values(table, rows));
                format!("{insert} ON CONFLICT (key, time) DO {action}")
            }
            Action::Update { table, selection, set } => {
                let table = &tables[*table];
                format!("UPDATE {} SET {}{}", table.name, set.sql(table.kind), selection.sql(table.kind))
            }
            Action::Delete { table, selection } => {
                format!("DELETE FROM {}{}", tables[*table].name, selection.sql(tables[*table].kind))
            }
            Action::Truncate { table } => format!("TRUNCATE {}", tables[*table].name),
            Action::Create { aggregate, materialized_only, with_data } => {
                aggregate.create(tables, *materialized_only, *with_data)
            }
            Action::Replace { aggregate, materialized_only, with_data, discard } => {
                let create = aggregate.create(tables, *materialized_only, *with_data);
                let create = create.replacen("CREATE", "CREATE OR REPLACE", 1);
                match discard {
                    true => create.replacen(".continuous,", ".continuous, highwater.discard_frozen,", 1),
                    false => create,
                }
            }
            Action::Drop { aggregate } => format!("DROP MATERIALIZED VIEW {aggregate}"),
            Action::Alter { aggregate, materialized_only } => {
                format!("ALTER MATERIALIZED VIEW {aggregate} SET (timescaledb.materialized_only = {materialized_only})")
            }
            // Bounds and offsets are typed where the statement is run: see `Action::bounds_of`.
            Action::Refresh { .. } | Action::AddPolicy { .. } | Action::RunPolicy { .. } => String::new(),
            Action::DropChunks { table, older, newer } => {
                let table = &tables[*table];
                let bound =
                    |name: &str, at: &Option<i64>| at.map(|at| format!(", {name} => {}", table.kind.literal(at)));
                let bounds: Vec<String> =
                    bound("older_than", older).into_iter().chain(bound("newer_than", newer)).collect();
                format!("SELECT drop_chunks('{}'{})", table.name, bounds.concat())
            }
            Action::Retention { table, after } => {
                let table = &tables[*table];
                return vec![
                    format!("SELECT add_retention_policy('{}', {})", table.name, table.kind.distance(*after)),
                    format!("CALL run_job(/* the retention policy of {} */)", table.name),
                    format!("SELECT remove_retention_policy('{}')", table.name),
                ];
            }
            Action::Compress { table, older, undo } => {
                let table = &tables[*table];
                let function = if *undo { "decompress_chunk" } else { "compress_chunk" };
                let older = older.map(|at| format!(", older_than => {}", table.kind.literal(at))).unwrap_or_default();
                format!("SELECT count({function}(c)) FROM show_chunks('{}'{older}) c", table.name)
            }
            Action::Begin => "BEGIN".to_owned(),
            Action::Commit => "COMMIT".to_owned(),
            Action::Rollback => "ROLLBACK".to_owned(),
            Action::Savepoint(n) => format!("SAVEPOINT s{n}"),
            Action::RollbackTo(n) => format!("ROLLBACK TO SAVEPOINT s{n}"),
            Action::Release(n) => format!("RELEASE SAVEPOINT s{n}"),
        }]
    }

    /// As SQL, where the type of the aggregate's time has to be known.
    pub fn sql_of(&self, tables: &[Table], kind_of: impl Fn(&str) -> Option<TimeKind>) -> Vec<String> {
        match self {
            Action::Refresh { aggregate, start, end, force } => {
                let kind = kind_of(aggregate);
                let bound = |at: &Option<i64>| at.zip(kind).map_or("NULL".to_owned(), |(at, kind)| kind.literal(at));
                let force = if *force { ", force => true" } else { "" };
                vec![format!(
                    "CALL refresh_continuous_aggregate('{aggregate}', {}, {}{force})",
                    bound(start),
                    bound(end)
                )]
            }
            Action::AddPolicy { aggregate, start, end } => {
                let kind = kind_of(aggregate);
                let offset = |by: &Option<i64>| by.zip(kind).map_or("NULL".to_owned(), |(by, kind)| kind.distance(by));
                let offsets = format!("start_offset => {}, end_offset => {}", offset(start), offset(end));
                vec![format!(
                    "SELECT add_continuous_aggregate_policy('{aggregate}', {offsets}, schedule_interval => INTERVAL '1 hour')"
                )]
            }
            Action::RunPolicy { aggregate } => vec![format!("CALL run_job(/* the refresh policy of {aggregate} */)")],
            other => other.sql(tables),
        }
    }

    /// The lines of a COPY … FROM STDIN.
    pub fn copy_lines(table: &Table, rows: &[Row]) -> String {
        let mut lines = String::new();
        for row in rows {
            let field = |value: Option<String>| value.unwrap_or("\\N".to_owned());
            let fields = [
                table.kind.text(row.time),
                field(row.key.map(str::to_owned)),
                field(row.site.map(|v| v.to_string())),
                field(row.n.map(|v| v.to_string())),
                field(row.x.map(|v| v.to_string())),
            ];
            writeln!(lines, "{}", fields.join("\t")).expect("writing to a string cannot fail");
        }
        lines
    }
}

impl Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = super::calendar::timestamp(self.clock);
        writeln!(
            f,
            "-- buffer_bytes {}, inline_bytes {}, the clock shows {clock}",
            self.buffer_bytes, self.inline_bytes
        )?;
        for table in self.tables.iter() {
            table.create(0).iter().try_for_each(|sql| writeln!(f, "{sql};"))?;
        }
        let mut kinds = std::collections::BTreeMap::new();
        for step in &self.steps {
            if let Step::Do(_, Action::Create { aggregate, .. })
            | Step::Crash { action: Action::Create { aggregate, .. }, .. } = step
            {
                kinds.insert(aggregate.name.clone(), aggregate.kind);
            }
            let sql = |action: &Action| action.sql_of(&self.tables, |name| kinds.get(name).copied()).join("; ");
            let session = |number: &usize| ["a", "b"][*number];
            match step {
                Step::Do(s, action) => {
                    let copied = if matches!(action, Action::Insert { copy: true, .. }) { "  -- by COPY" } else { "" };
                    writeln!(f, "{}> {};{copied}", session(s), sql(action))?;
                }
                Step::Wait(ticks) => writeln!(f, "-- {ticks} minutes go by")?,
                Step::Checkpoint(None) => writeln!(f, "-- a checkpoint")?,
                Step::Checkpoint(Some((call, seed))) => {
                    writeln!(f, "-- a checkpoint with a crash at call {call}, seed {seed}")?
                }
                Step::Restart => writeln!(f, "-- a restart")?,
                Step::Crash { session: s, action, call, seed } => {
                    writeln!(f, "{}> {};  -- a crash at call {call}, seed {seed}", session(s), sql(action))?;
                }
            }
        }
        Ok(())
    }
}
