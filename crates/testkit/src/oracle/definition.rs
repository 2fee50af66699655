//! Tables and aggregates of a history: as SQL, and as what they mean.

use super::calendar::{self, Bucket, DAY, MINUTE};
use super::generate::KEYS;
use super::value::{Expected, Grouped, Value};
use super::window::Window;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// A row. Its id is known to the shadow only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Tells it from all others.
    pub id: u64,
    /// Its time.
    pub time: i64,
    /// A group key.
    pub key: Option<&'static str>,
    /// Another one.
    pub site: Option<i64>,
    /// An exact value.
    pub n: Option<i64>,
    /// A float.
    pub x: Option<f64>,
}

/// The type of a time column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeKind {
    /// `timestamptz`
    Timestamptz,
    /// `timestamp`
    Timestamp,
    /// `date`
    Date,
    /// `bigint`
    BigInt,
    /// `integer`
    Integer,
}

impl TimeKind {
    /// Whether times are plain numbers.
    pub fn is_integer(self) -> bool {
        matches!(self, TimeKind::BigInt | TimeKind::Integer)
    }

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            TimeKind::Timestamptz => "timestamptz",
            TimeKind::Timestamp => "timestamp",
            TimeKind::Date => "date",
            TimeKind::BigInt => "bigint",
            TimeKind::Integer => "integer",
        }
    }

    /// The distance between times that histories think in.
    pub fn tick(self) -> i64 {
        match self {
            TimeKind::Timestamptz | TimeKind::Timestamp => MINUTE,
            TimeKind::Date => DAY,
            TimeKind::BigInt | TimeKind::Integer => 1,
        }
    }

    /// The smallest distance between two times.
    pub fn unit(self) -> i64 {
        if self == TimeKind::Date { DAY } else { 1 }
    }

    /// A time as its text, without quotes.
    pub fn text(self, t: i64) -> String {
        match self {
            TimeKind::Timestamptz => format!("{}+00", calendar::timestamp(t)),
            TimeKind::Timestamp => calendar::timestamp(t),
            TimeKind::Date => calendar::date(t),
            TimeKind::BigInt | TimeKind::Integer => t.to_string(),
        }
    }

    /// A time as a typed literal.
    pub fn literal(self, t: i64) -> String {
        match self.is_integer() {
            true => t.to_string(),
            false => format!("{} '{}'", self.name(), self.text(t)),
        }
    }

    /// A distance as a literal.
    pub fn distance(self, d: i64) -> String {
        match self.is_integer() {
            true => d.to_string(),
            false if d % DAY == 0 => format!("INTERVAL '{} days'", d / DAY),
            false if d % MINUTE == 0 => format!("INTERVAL '{} minutes'", d / MINUTE),
            false => format!("INTERVAL '{d} microseconds'"),
        }
    }
}

/// A hypertable with the columns time, key, site, n and x.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Type of its time.
    pub kind: TimeKind,
    /// Whether (key, time) is its primary key.
    pub keyed: bool,
    /// Width of its chunks.
    pub chunk: i64,
    /// The middle of its times.
    pub center: i64,
}

impl Table {
    /// The statements that make it.
    pub fn create(&self, now: i64) -> Vec<String> {
        let (name, time) = (self.name, self.kind.name());
        let key = if self.keyed { ", PRIMARY KEY (key, time)" } else { "" };
        let columns = "key text, site integer, n bigint, x double precision";
        let chunk = self.kind.distance(self.chunk);
        let mut statements = vec![
            format!("CREATE TABLE {name} (time {time} NOT NULL, {columns}{key})"),
            format!("SELECT create_hypertable('{name}', 'time', chunk_time_interval => {chunk})"),
            format!("ALTER TABLE {name} SET (timescaledb.compress, timescaledb.compress_segmentby = 'site')"),
        ];
        if self.kind.is_integer() {
            statements.push(self.set_now(now));
            statements.push(format!("SELECT set_integer_now_func('{name}', '{name}_now')"));
        }
        statements
    }

    /// The statement that says what now is on a table of integer time.
    pub fn set_now(&self, now: i64) -> String {
        let (name, time) = (self.name, self.kind.name());
        format!(
            "CREATE OR REPLACE FUNCTION {name}_now() RETURNS {time} LANGUAGE sql STABLE AS $$ SELECT {now}::{time} $$"
        )
    }

    /// Where the chunk that holds a time begins.
    pub fn chunk_start(&self, t: i64) -> i64 {
        t - t.rem_euclid(self.chunk)
    }
}

/// A condition on a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// `key = …`
    KeyIs(&'static str),
    /// `key IS NULL`
    KeyIsNull,
    /// `site = …`
    SiteIs(i64),
    /// `n > …`
    Above(i64),
    /// `n <= …`
    NotAbove(i64),
    /// `x > 0`
    Positive,
}

impl Condition {
    /// As SQL.
    pub fn sql(&self) -> String {
        match self {
            Condition::KeyIs(key) => format!("key = '{key}'"),
            Condition::KeyIsNull => "key IS NULL".to_owned(),
            Condition::SiteIs(site) => format!("site = {site}"),
            Condition::Above(n) => format!("n > {n}"),
            Condition::NotAbove(n) => format!("n <= {n}"),
            Condition::Positive => "x > 0".to_owned(),
        }
    }

    /// Whether it is true of a row; unknown is not true.
    pub fn holds(&self, row: &Row) -> bool {
        match self {
            Condition::KeyIs(key) => row.key == Some(key),
            Condition::KeyIsNull => row.key.is_none(),
            Condition::SiteIs(site) => row.site == Some(*site),
            Condition::Above(n) => row.n.is_some_and(|v| v > *n),
            Condition::NotAbove(n) => row.n.is_some_and(|v| v <= *n),
            Condition::Positive => row.x.is_some_and(|v| v > 0.0),
        }
    }
}

/// A group key beside the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `key`
    Key,
    /// `site`
    Site,
    /// `coalesce(key, '-')`
    KeyOrDash,
    /// `site % 2`
    Parity,
    /// `n IS NULL`
    Unknown,
}

impl Key {
    fn sql(self) -> &'static str {
        match self {
            Key::Key => "key",
            Key::Site => "site",
            Key::KeyOrDash => "coalesce(key, '-')",
            Key::Parity => "site % 2",
            Key::Unknown => "n IS NULL",
        }
    }

    fn of(self, row: &Row) -> Value {
        match self {
            Key::Key => Value::text(row.key),
            Key::Site => Value::int(row.site),
            Key::KeyOrDash => Value::text(row.key.or(Some("-"))),
            Key::Parity => Value::int(row.site.map(|v| v % 2)),
            Key::Unknown => Value::Bool(row.n.is_none()),
        }
    }
}

/// What is aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// `n`
    N,
    /// `x`
    X,
    /// `site`
    Site,
    /// `n + site`
    Both,
    /// `key`
    Key,
    /// `time`
    Time,
}

impl Argument {
    fn sql(self) -> &'static str {
        match self {
            Argument::N => "n",
            Argument::X => "x",
            Argument::Site => "site",
            Argument::Both => "n + site",
            Argument::Key => "key",
            Argument::Time => "time",
        }
    }

    fn of(self, row: &Row) -> Value {
        match self {
            Argument::N => Value::int(row.n),
            Argument::X => Value::real(row.x),
            Argument::Site => Value::int(row.site),
            Argument::Both => Value::int(row.n.zip(row.site).map(|(n, site)| n + site)),
            Argument::Key => Value::text(row.key),
            Argument::Time => Value::int(Some(row.time)),
        }
    }
}

/// An aggregate function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `count(x)`
    Count,
    /// `count(DISTINCT x)`
    CountDistinct,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `sum(x)`, of numbers as are those below
    Sum,
    /// `avg(x)`
    Avg,
    /// `stddev(x)`
    Stddev,
    /// `stddev_pop(x)`
    StddevPop,
    /// `variance(x)`
    Variance,
    /// `var_pop(x)`
    VarPop,
}

impl Function {
    fn sql(self, argument: &str) -> String {
        let name = match self {
            Function::Count => "count",
            Function::CountDistinct => return format!("count(DISTINCT {argument})"),
            Function::Min => "min",
            Function::Max => "max",
            Function::Sum => "sum",
            Function::Avg => "avg",
            Function::Stddev => "stddev",
            Function::StddevPop => "stddev_pop",
            Function::Variance => "variance",
            Function::VarPop => "var_pop",
        };
        format!("{name}({argument})")
    }
}

/// A column of an aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// `count(*)`
    Rows,
    /// A call, over the rows that a condition holds for.
    Call(Function, Argument, Option<Condition>),
    /// `max(…) - min(…)`
    Spread(Argument),
    /// `sum(n) * 2 + count(*)`
    Combined,
    /// `rollup(…)` of a column of the aggregate that this one is over, by its place among the outputs.
    Rollup(usize),
    /// A window function over the groups.
    Window(Window),
}

impl Output {
    /// As SQL.
    ///
    /// * `over` – what it is over, if that is an aggregate.
    fn sql(&self, over: Option<&Over>) -> String {
        match self {
            Output::Rollup(place) => {
                let over = over.expect("only columns of aggregates are rolled up");
                format!("rollup({})", over.name_of_output(*place))
            }
            Output::Rows => "count(*)".to_owned(),
            Output::Call(function, argument, filter) => {
                let filter = filter.map(|f| format!(" FILTER (WHERE {})", f.sql())).unwrap_or_default();
                format!("{}{filter}", function.sql(argument.sql()))
            }
            Output::Spread(argument) => format!("max({0}) - min({0})", argument.sql()),
            Output::Combined => "sum(n) * 2 + count(*)".to_owned(),
            Output::Window(_) => panic!("a window is written by the aggregate that knows the bucket"),
        }
    }

    /// Whether it is a window function.
    pub fn is_window(&self) -> bool {
        matches!(self, Output::Window(_))
    }

    fn of(&self, rows: &[&Row]) -> Expected {
        let exactly = |value: Option<i128>| Expected::Exactly(value.map_or(Value::Null, Value::Int));
        match self {
            Output::Rows => exactly(Some(rows.len() as i128)),
            Output::Call(function, argument, filter) => {
                let wanted = rows.iter().filter(|row| filter.is_none_or(|f| f.holds(row)));
                call(*function, wanted.map(|row| argument.of(row)).filter(|v| *v != Value::Null).collect())
            }
            Output::Spread(argument) => {
                let values: Vec<Value> =
                    rows.iter().map(|row| argument.of(row)).filter(|v| *v != Value::Null).collect();
                match (extreme(&values, false), extreme(&values, true)) {
                    (Value::Int(low), Value::Int(high)) => exactly(Some(high - low)),
                    (Value::Real(low), Value::Real(high)) => Expected::Exactly(Value::Real(high - low)),
                    _ => exactly(None),
                }
            }
            Output::Combined => {
                let known: Vec<i128> = rows.iter().filter_map(|row| row.n).map(i128::from).collect();
                exactly((!known.is_empty()).then(|| known.iter().sum::<i128>() * 2 + rows.len() as i128))
            }
            Output::Rollup(_) | Output::Window(_) => Expected::Anything,
        }
    }
}

/// Which groups are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Having {
    /// `count(*) > …`
    MoreThan(usize),
    /// `sum(n) > 0`
    Positive,
}

impl Having {
    fn sql(self) -> String {
        match self {
            Having::MoreThan(rows) => format!("count(*) > {rows}"),
            Having::Positive => "sum(n) > 0".to_owned(),
        }
    }

    fn holds(self, rows: &[&Row]) -> bool {
        match self {
            Having::MoreThan(count) => rows.len() > count,
            Having::Positive => rows.iter().filter_map(|row| row.n).map(i128::from).sum::<i128>() > 0,
        }
    }
}

/// How an aggregate cuts time, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// By a width, later by an offset if there is one.
    Width(i64, Option<i64>),
    /// By a width from an origin.
    From(i64, i64),
    /// By months.
    Months(i64),
}

impl Cut {
    /// What it means.
    pub fn bucket(&self, kind: TimeKind) -> Bucket {
        match self {
            Cut::Width(width, offset) if kind.is_integer() => {
                Bucket::Fixed { width: *width, origin: offset.unwrap_or(0) }
            }
            Cut::Width(width, offset) => Bucket::of_micros(*width).moved(offset.unwrap_or(0)),
            Cut::From(width, origin) => Bucket::Fixed { width: *width, origin: *origin },
            Cut::Months(count) => Bucket::Months(*count),
        }
    }

    /// How wide buckets count where offsets of policies are compared with them.
    pub fn width(&self) -> i64 {
        match self {
            Cut::Width(width, _) | Cut::From(width, _) => *width,
            Cut::Months(count) => count * 30 * DAY,
        }
    }

    fn sql(&self, kind: TimeKind) -> String {
        match self {
            Cut::Width(width, None) => format!("time_bucket({}, time)", kind.distance(*width)),
            Cut::Width(width, Some(offset)) => {
                format!("time_bucket({}, time, \"offset\" => {})", kind.distance(*width), kind.distance(*offset))
            }
            Cut::From(width, origin) => {
                format!("time_bucket({}, time, origin => {})", kind.distance(*width), kind.literal(*origin))
            }
            Cut::Months(count) => format!("time_bucket(INTERVAL '{count} months', time)"),
        }
    }
}

/// That an aggregate is over another, and which of its columns are taken for those of a table.
#[derive(Clone, Debug)]
pub struct Over {
    /// The other.
    pub aggregate: Arc<Aggregate>,
    /// Which of its keys is `key`.
    pub key: Option<usize>,
    /// Which of its keys is `site`.
    pub site: Option<usize>,
    /// Which of its outputs is `n`.
    pub n: Option<usize>,
    /// Which of its outputs is `x`.
    pub x: Option<usize>,
    /// Whether they get these names in a subquery, and not by names after the alias.
    pub by_subquery: bool,
}

impl Over {
    /// A choice of columns whose values the shadow knows exactly.
    pub fn new(aggregate: Arc<Aggregate>, by_subquery: bool) -> Over {
        use Function::{Count, CountDistinct, Max, Min, Sum};
        let key_of = |wanted: &[Key]| aggregate.keys.iter().position(|key| wanted.contains(key));
        let output_of = |is_it: &dyn Fn(&Output) -> bool| aggregate.outputs.iter().rposition(is_it);
        let n = output_of(&|output| match output {
            Output::Rows | Output::Call(Count | CountDistinct, ..) => true,
            Output::Call(Min | Max, argument, _) => {
                matches!(argument, Argument::N | Argument::Site | Argument::Both)
            }
            Output::Call(Sum, argument, _) => *argument == Argument::Site,
            // Of what is shown too, so that the shadow can tell it from what is shown.
            Output::Window(window) => window.is_small() && aggregate.outputs.contains(&window.of),
            _ => false,
        });
        let x = output_of(&|output| matches!(output, Output::Call(Min | Max, Argument::X, _)));
        let (key, site) = (key_of(&[Key::Key, Key::KeyOrDash]), key_of(&[Key::Site, Key::Parity]));
        Over { key, site, n, x, aggregate, by_subquery }
    }

    /// What stands in FROM.
    fn sql(&self) -> String {
        let (name, keys) = (&self.aggregate.name, self.aggregate.keys.len());
        let outputs = self.aggregate.outputs.len();
        if self.by_subquery {
            let place = |prefix: &str, at: Option<usize>, name: &str| at.map(|i| format!("{prefix}{i} AS {name}"));
            let mut columns = vec!["bucket AS time".to_owned()];
            columns.extend(place("k", self.key, "key"));
            columns.extend(place("k", self.site, "site"));
            columns.extend(place("o", self.n, "n"));
            columns.extend(place("o", self.x, "x"));
            columns.extend((0..outputs).map(|i| format!("o{i}")));
            return format!("(SELECT {} FROM {name}) AS source", columns.join(", "));
        }
        let key = |i: usize| match i {
            i if self.key == Some(i) => "key".to_owned(),
            i if self.site == Some(i) => "site".to_owned(),
            i => format!("parent_k{i}"),
        };
        let columns = (0..keys).map(key).chain((0..outputs).map(|i| self.name_of_output(i)));
        format!("{name} AS source (time, {})", columns.collect::<Vec<_>>().join(", "))
    }

    fn name_of_output(&self, place: usize) -> String {
        match place {
            i if self.n == Some(i) && !self.by_subquery => "n".to_owned(),
            i if self.x == Some(i) && !self.by_subquery => "x".to_owned(),
            i => format!("o{i}"),
        }
    }

    /// A row of the other as one of a table.
    ///
    /// * `keys`, `outputs` – its columns after the bucket.
    pub fn row(&self, time: i64, keys: &[Value], outputs: &[Value]) -> Row {
        let text = |value: &Value| match value {
            Value::Text(text) => KEYS.iter().chain(&["-"]).find(|key| *key == text).copied(),
            _ => None,
        };
        let whole = |value: &Value| if let Value::Int(v) = value { i64::try_from(*v).ok() } else { None };
        let real = |value: &Value| if let Value::Real(v) = value { Some(*v) } else { None };
        Row {
            id: 0,
            time,
            key: self.key.and_then(|i| text(&keys[i])),
            site: self.site.and_then(|i| whole(&keys[i])),
            n: self.n.and_then(|i| whole(&outputs[i])),
            x: self.x.and_then(|i| real(&outputs[i])),
        }
    }

    /// Whether an aggregate names no columns but those that are there.
    pub fn has_all(&self, aggregate: &Aggregate) -> bool {
        let has = |argument: &Argument| match argument {
            Argument::N => self.n.is_some(),
            Argument::X => self.x.is_some(),
            Argument::Site => self.site.is_some(),
            Argument::Both => self.n.is_some() && self.site.is_some(),
            Argument::Key => self.key.is_some(),
            Argument::Time => true,
        };
        let holds = |condition: &Condition| match condition {
            Condition::KeyIs(_) | Condition::KeyIsNull => self.key.is_some(),
            Condition::SiteIs(_) => self.site.is_some(),
            Condition::Above(_) | Condition::NotAbove(_) => self.n.is_some(),
            Condition::Positive => self.x.is_some(),
        };
        let keys = aggregate.keys.iter().all(|key| match key {
            Key::Key | Key::KeyOrDash => self.key.is_some(),
            Key::Site | Key::Parity => self.site.is_some(),
            Key::Unknown => self.n.is_some(),
        });
        let has_output = |output: &Output| match output {
            Output::Call(_, argument, filter) => has(argument) && filter.iter().all(holds),
            Output::Spread(argument) => has(argument),
            Output::Combined => self.n.is_some(),
            Output::Rows | Output::Rollup(_) | Output::Window(_) => true,
        };
        let outputs = aggregate.outputs.iter().all(|output| match output {
            Output::Window(window) => has_output(&window.of),
            other => has_output(other),
        });
        let having = aggregate.having.is_none_or(|h| matches!(h, Having::MoreThan(_)) || self.n.is_some());
        keys && outputs && having && aggregate.filter.iter().all(holds)
    }
}

/// A row that is aggregated.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its values.
    pub row: Row,
    /// The rows that it was aggregated from; `None` for a row of a table, and where nobody knows.
    pub of: Option<Arc<Vec<Member>>>,
}

impl Member {
    /// A row of a table.
    pub fn of_table(row: &Row) -> Member {
        Member { row: *row, of: None }
    }
}

/// A row that an aggregate gives.
pub struct Group {
    /// Where its bucket begins.
    pub start: i64,
    /// Its keys.
    pub keys: Vec<Value>,
    /// Its outputs.
    pub outputs: Vec<Expected>,
    /// What it is aggregated from; `None` where nobody knows.
    pub members: Option<Arc<Vec<Member>>>,
}

/// A table whose rows are united with those of another, or with its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct United {
    /// Which table.
    pub table: usize,
    /// Which of its rows.
    pub filter: Option<Condition>,
}

/// A continuous aggregate.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Its name.
    pub name: String,
    /// Which table it is over, or those are that it is over.
    pub table: usize,
    /// What else that is over, of the same type of time.
    pub united: Option<United>,
    /// The aggregate that it is over, if it is not over the table itself.
    pub over: Option<Over>,
    /// Type of that table's time.
    pub kind: TimeKind,
    /// How it cuts time, as written.
    pub cut: Cut,
    /// The same, as meant.
    pub bucket: Bucket,
    /// Other group keys.
    pub keys: Vec<Key>,
    /// The columns after the keys.
    pub outputs: Vec<Output>,
    /// Which rows are counted.
    pub filter: Option<Condition>,
    /// Which groups are shown.
    pub having: Option<Having>,
}

impl Aggregate {
    /// The statement that makes it.
    pub fn create(&self, tables: &[Table], materialized_only: bool, with_data: bool) -> String {
        let mut sql = format!(
            "CREATE MATERIALIZED VIEW {} WITH (timescaledb.continuous, timescaledb.materialized_only = {materialized_only}) AS SELECT {} AS bucket",
            self.name,
            self.cut.sql(self.kind)
        );
        let write = "writing to a string cannot fail";
        let mut grouping = "bucket".to_owned();
        for (i, key) in self.keys.iter().enumerate() {
            write!(sql, ", {} AS k{i}", key.sql()).expect(write);
            write!(grouping, ", k{i}").expect(write);
        }
        for (i, output) in self.outputs.iter().enumerate() {
            let output = match output {
                Output::Window(window) => {
                    let keys: Vec<&str> = self.keys.iter().map(|key| key.sql()).collect();
                    window.sql(&window.of.sql(self.over.as_ref()), &self.cut.sql(self.kind), &keys, self.kind)
                }
                other => other.sql(self.over.as_ref()),
            };
            write!(sql, ", {output} AS o{i}").expect(write);
        }
        let table = tables[self.table].name;
        let from = match (&self.over, &self.united) {
            (Some(over), _) => over.sql(),
            (None, None) => table.to_owned(),
            (None, Some(united)) => {
                let filter = united.filter.map_or(String::new(), |filter| format!(" WHERE {}", filter.sql()));
                let (columns, other) = ("time, key, site, n, x", tables[united.table].name);
                format!("(SELECT {columns} FROM {table} UNION ALL SELECT {columns} FROM {other}{filter}) AS u")
            }
        };
        write!(sql, " FROM {from}").expect(write);
        if let Some(filter) = &self.filter {
            write!(sql, " WHERE {}", filter.sql()).expect(write);
        }
        write!(sql, " GROUP BY {grouping}").expect(write);
        if let Some(having) = &self.having {
            write!(sql, " HAVING {}", having.sql()).expect(write);
        }
        sql + if with_data { " WITH DATA" } else { " WITH NO DATA" }
    }

    /// Whether rows of a table are among those that it comes from.
    pub fn reads(&self, table: usize) -> bool {
        self.table == table || self.united.is_some_and(|united| united.table == table)
    }

    /// What rows of a table are among those that are grouped.
    pub fn taken<'a>(&self, table: usize, rows: impl Iterator<Item = &'a Row> + Clone) -> Vec<Row> {
        let plain = rows.clone().filter(|_| self.table == table);
        let united = self.united.filter(|united| united.table == table);
        let united = rows.filter(|row| united.is_some_and(|united| united.filter.is_none_or(|f| f.holds(row))));
        plain.chain(united).copied().collect()
    }

    /// Whether it groups the rows that another over tables does.
    pub fn is_of_the_rows_of(&self, other: &Aggregate) -> bool {
        (self.table, self.united, self.filter) == (other.table, other.united, other.filter)
    }

    /// Whether all that this shows is known of rows of which nothing but what the other keeps is left.
    pub fn is_known_from(&self, other: &Aggregate) -> bool {
        self.cut == other.cut
            && self.is_of_the_rows_of(other)
            && (self.having.is_none() || self.having == other.having)
            && self.keys.iter().all(|key| other.keys.contains(key))
            && self.outputs.iter().all(|output| other.outputs.contains(output))
    }

    /// The aggregates below, the lowest first.
    pub fn below(&self) -> Vec<Arc<Aggregate>> {
        let Some(over) = &self.over else { return Vec::new() };
        let mut all = over.aggregate.below();
        all.push(over.aggregate.clone());
        all
    }

    /// Where the bucket begins that a row of the table comes to.
    pub fn start_of(&self, time: i64) -> i64 {
        let time = self.over.as_ref().map_or(time, |over| over.aggregate.start_of(time));
        self.bucket.start(time)
    }

    /// What it reads when the table has these rows, and all below show everything.
    pub fn members<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> Vec<Member> {
        match &self.over {
            None => rows.map(Member::of_table).collect(),
            Some(over) => over.shown(over.aggregate.groups(over.aggregate.members(rows))),
        }
    }

    /// What its query gives over rows.
    pub fn groups(&self, members: Vec<Member>) -> Vec<Group> {
        let mut groups: BTreeMap<(i64, String), (Vec<Value>, Vec<Member>)> = BTreeMap::new();
        for member in members.into_iter().filter(|m| self.filter.is_none_or(|f| f.holds(&m.row))) {
            let keys: Vec<Value> = self.keys.iter().map(|key| key.of(&member.row)).collect();
            let group = (self.bucket.start(member.row.time), format!("{:?}", &keys[..]));
            groups.entry(group).or_insert_with(|| (keys, Vec::new())).1.push(member);
        }
        let rows = |members: &[Member]| members.iter().map(|m| m.row).collect::<Vec<_>>();
        let shown = groups
            .into_iter()
            .filter(|(_, (_, members))| self.having.is_none_or(|h| h.holds(&rows(members).iter().collect::<Vec<_>>())));
        let group = |((start, _), (keys, members)): ((i64, String), (Vec<Value>, Vec<Member>))| {
            let outputs = self.outputs.iter().map(|output| self.value(output, &members)).collect();
            Group { start, keys, outputs, members: Some(Arc::new(members)) }
        };
        self.with_windows(shown.map(group).collect())
    }

    /// Groups with the values of window functions over them.
    pub fn with_windows(&self, mut groups: Vec<Group>) -> Vec<Group> {
        for (place, output) in self.outputs.iter().enumerate() {
            let Output::Window(window) = output else { continue };
            let values = window.values(self, &groups);
            groups.iter_mut().zip(values).for_each(|(group, value)| group.outputs[place] = value);
        }
        groups
    }

    /// Rows that show an aggregate's groups, as these groups.
    ///
    /// * `rows` – bucket, keys and outputs; those of window functions may be missing, and are computed anew.
    pub fn groups_of_rows(&self, rows: &[Vec<Value>]) -> Vec<Group> {
        let group = |row: &Vec<Value>| {
            let Value::Int(start) = row[0] else { panic!("a row has the bucket {:?}", row[0]) };
            let (keys, shown) = row[1..].split_at(self.keys.len());
            let has_all = shown.len() == self.outputs.len();
            let mut shown = shown.iter();
            let mut output = |output: &Output| match output.is_window() {
                true => {
                    has_all.then(|| shown.next());
                    Expected::Anything
                }
                false => Expected::Exactly(shown.next().expect("a row has all outputs").clone()),
            };
            let outputs = self.outputs.iter().map(&mut output).collect();
            Group { start: start as i64, keys: keys.to_vec(), outputs, members: None }
        };
        self.with_windows(rows.iter().map(group).collect())
    }

    /// The value of an output that a group has, though it may not show it.
    pub fn value_of_group(&self, output: &Output, group: &Group) -> Expected {
        match (&group.members, self.outputs.iter().position(|shown| shown == output)) {
            (Some(members), _) => self.value(output, members),
            (None, Some(place)) => group.outputs[place].clone(),
            (None, None) => Expected::Anything,
        }
    }

    /// The first and the last bucket whose rows change, for what is over this, with those of a table between two times.
    pub fn reached(&self, times: (i64, i64)) -> (i64, i64) {
        let (first, last) = match &self.over {
            None => times,
            Some(over) => {
                let (first, last) = over.aggregate.reached(times);
                let (mut from, mut to) = (first, last);
                for output in &over.aggregate.outputs {
                    let Output::Window(window) = output else { continue };
                    let (back, ahead) = window.reach();
                    from = from.min(ahead.map_or(i64::MIN, |by| first.saturating_sub(by)));
                    to = to.max(back.map_or(i64::MAX, |by| last.saturating_add(by)));
                }
                (from, to)
            }
        };
        // What is beyond all times is in no bucket.
        let start = |t: i64| if t == i64::MIN || t == i64::MAX { t } else { self.bucket.start(t) };
        (start(first), start(last))
    }

    /// What an output gives for a group of rows.
    pub fn value(&self, output: &Output, members: &[Member]) -> Expected {
        let (Output::Rollup(place), Some(over)) = (output, &self.over) else {
            return output.of(&members.iter().map(|m| &m.row).collect::<Vec<_>>());
        };
        let mut all = Vec::new();
        for member in members {
            let Some(of) = &member.of else { return Expected::Anything };
            all.extend(of.iter().cloned());
        }
        over.aggregate.value(&over.aggregate.outputs[*place], &all)
    }
}

impl Over {
    /// What the other shows, as rows of a table.
    pub fn shown(&self, groups: Vec<Group>) -> Vec<Member> {
        let known = |expected: &Expected| match expected {
            Expected::Exactly(value) => value.clone(),
            _ => Value::Null,
        };
        let member = |group: Group| {
            let outputs: Vec<Value> = group.outputs.iter().map(known).collect();
            Member { row: self.row(group.start, &group.keys, &outputs), of: group.members }
        };
        groups.into_iter().map(member).collect()
    }
}

/// Groups by bucket and keys.
pub fn by_group(groups: Vec<Group>) -> Grouped<Expected> {
    groups.into_iter().map(|g| ((g.start, format!("{:?}", &g.keys[..])), g.outputs)).collect()
}

fn extreme(values: &[Value], largest: bool) -> Value {
    let mut best: Option<&Value> = None;
    for value in values {
        let is_better = best.is_none_or(|best| {
            let larger = match (value, best) {
                (Value::Int(a), Value::Int(b)) => a > b,
                (Value::Real(a), Value::Real(b)) => a > b,
                (Value::Text(a), Value::Text(b)) => a > b,
                _ => false,
            };
            larger == largest && value != best
        });
        if is_better {
            best = Some(value);
        }
    }
    best.cloned().unwrap_or(Value::Null)
}

/// A function of values that are not NULL.
pub fn call(function: Function, values: Vec<Value>) -> Expected {
    let count = values.len();
    match function {
        Function::Count => return Expected::Exactly(Value::Int(count as i128)),
        Function::CountDistinct => {
            let mut seen: Vec<String> = values.iter().map(|v| format!("{v:?}")).collect();
            seen.sort();
            seen.dedup();
            return Expected::Exactly(Value::Int(seen.len() as i128));
        }
        Function::Min => return Expected::Exactly(extreme(&values, false)),
        Function::Max => return Expected::Exactly(extreme(&values, true)),
        _ => {}
    }
    let is_sample = matches!(function, Function::Stddev | Function::Variance);
    if count == 0 || (is_sample && count == 1) {
        return Expected::Exactly(Value::Null);
    }
    let whole: Vec<i128> = values.iter().filter_map(|v| if let Value::Int(v) = v { Some(*v) } else { None }).collect();
    match whole.len() == count {
        true => exact(function, &whole, is_sample),
        false => {
            let reals: Vec<f64> =
                values.iter().filter_map(|v| if let Value::Real(v) = v { Some(*v) } else { None }).collect();
            floating(function, &reals, is_sample)
        }
    }
}

fn exact(function: Function, values: &[i128], is_sample: bool) -> Expected {
    let n = values.len() as i128;
    let sum: i128 = values.iter().sum();
    // Averages of exact numbers are rounded to a fixed count of digits.
    let about = |value: f64| Expected::About(value, value.abs() * 1e-12 + 1e-15);
    match function {
        Function::Sum => Expected::Exactly(Value::Int(sum)),
        Function::Avg => about(sum as f64 / n as f64),
        _ => {
            let squares: i128 = values.iter().map(|v| v * v).sum();
            let variance = (n * squares - sum * sum) as f64 / (n * (n - i128::from(is_sample))) as f64;
            match function {
                Function::Variance | Function::VarPop => about(variance),
                _ => Expected::RootOf(variance, variance * 1e-12 + 1e-15),
            }
        }
    }
}

/// Floats agree within n·2⁻⁵²·Σ|x|, and variances within the same of Σx².
fn floating(function: Function, values: &[f64], is_sample: bool) -> Expected {
    let n = values.len() as f64;
    let sum = precise(values.iter().copied());
    let magnitude: f64 = values.iter().map(|v| v.abs()).sum();
    match function {
        Function::Sum => Expected::About(sum, n * f64::EPSILON * magnitude),
        Function::Avg => Expected::About(sum / n, f64::EPSILON * magnitude),
        _ => {
            let mean = sum / n;
            let divisor = n - f64::from(u8::from(is_sample));
            let variance = precise(values.iter().map(|v| (v - mean) * (v - mean))) / divisor;
            let tolerance = 4.0 * n * f64::EPSILON * values.iter().map(|v| v * v).sum::<f64>() / divisor;
            match function {
                Function::Variance | Function::VarPop => Expected::About(variance, tolerance),
                _ => Expected::RootOf(variance, tolerance),
            }
        }
    }
}

/// A sum without the errors of adding one by one (Neumaier).
fn precise(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for v in values {
        let next = sum + v;
        lost += if sum.abs() >= v.abs() { (sum - next) + v } else { (v - next) + sum };
        sum = next;
    }
    sum + lost
}
