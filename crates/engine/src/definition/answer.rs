//! Whether the kept states of a definition answer another grouping of the same rows.
//!
//! ```text
//! kept       hour, device, n, sum          of SELECT time_bucket('1 hour', t), device, avg(x) … GROUP BY 1, 2
//! asked      time_bucket('1 day', t), upper(device), sum(x) … WHERE device <> 'a'
//!
//! groups     time_bucket('1 day', hour), upper(device)       whole buckets, and nothing but keys
//! condition  device <> 'a'                                   of keys: it holds for all rows of a group or for none
//! call       sum(x)                                          from n and sum
//! ```
//!
//! Both are compared as expressions over the columns of the table, so that it does not matter under which names a
//! query knows it.

use super::state::{Source, State, bare};
use super::{Definition, bucket_of, inputs::origins, truncating};
use crate::Result;
use crate::definition::Origin;
use crate::query::Planner;
use crate::table::StoreTable;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, Between, BinaryExpr, Expr, LogicalPlan, Operator, Volatility};
use highwater_model::time::Zone;
use highwater_model::{Bucket, Table, TableId, TimeType};
use std::collections::BTreeMap;

/// Groups and calls over the rows of one hypertable, in terms of its columns.
pub struct Grouping {
    /// The hypertable.
    pub table: TableId,
    /// All of which hold for a row that is grouped.
    pub conditions: Vec<Expr>,
    /// What is grouped by.
    pub groups: Vec<Expr>,
    /// What is computed of each group.
    pub calls: Vec<AggregateFunction>,
}

impl Grouping {
    /// What an analyzed aggregate groups; `None` when that is not all rows of one hypertable as they are.
    pub fn of(planner: &Planner, aggregate: &Aggregate) -> Result<Option<Grouping>> {
        let Some(Rows { table, conditions, .. }) = rows_of(planner, &aggregate.input)?.filter(|rows| rows.are_all)
        else {
            return Ok(None);
        };
        let of_table = |expr: &Expr| in_terms_of(planner, &aggregate.input, table, expr);
        let mut grouping = Grouping { table, conditions, groups: Vec::new(), calls: Vec::new() };
        for group in &aggregate.group_expr {
            let group = group.clone().unalias();
            let truncated = truncating(planner, group.clone(), &aggregate.input)?;
            // Where clocks are set, days that `date_trunc` begins may begin at another hour.
            let group = if is_in_fixed_zone(&truncated) { truncated } else { group };
            let Some(group) = of_table(&group)? else { return Ok(None) };
            grouping.groups.push(group);
        }
        for call in &aggregate.aggr_expr {
            match of_table(&call.clone().unalias())? {
                Some(Expr::AggregateFunction(call)) => grouping.calls.push(call),
                _ => return Ok(None),
            }
        }
        Ok(Some(grouping))
    }
}

/// Rows that a plan gives, each by itself.
struct Rows {
    /// The hypertable that they are from.
    table: TableId,
    /// Whether they may be of any time.
    are_all: bool,
    /// All of which hold for them.
    conditions: Vec<Expr>,
}

/// The rows of a hypertable that a plan gives; `None` when it gives others.
fn rows_of(planner: &Planner, plan: &LogicalPlan) -> Result<Option<Rows>> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            let Some(read) = StoreTable::of(provider.as_ref()) else { return Ok(None) };
            let tables = &planner.version().catalog().tables;
            let is_hypertable = tables.get(&read.table_id()).is_some_and(|t| t.hypertable.is_some());
            let rows = Rows { table: read.table_id(), are_all: read.is_of_all_times(), conditions: Vec::new() };
            Ok(Some(rows).filter(|_| is_hypertable && scan.filters.is_empty() && scan.fetch.is_none()))
        }
        LogicalPlan::SubqueryAlias(alias) => rows_of(planner, &alias.input),
        LogicalPlan::Projection(projection) => rows_of(planner, &projection.input),
        LogicalPlan::Filter(filter) => {
            let Some(mut rows) = rows_of(planner, &filter.input)? else { return Ok(None) };
            for condition in split_conjunction(&filter.predicate) {
                match in_terms_of(planner, &filter.input, rows.table, condition)? {
                    Some(Expr::Between(Between { expr, negated: false, low, high })) => {
                        rows.conditions.push(expr.as_ref().clone().gt_eq(*low));
                        rows.conditions.push(expr.lt_eq(*high));
                    }
                    Some(condition) => rows.conditions.push(condition),
                    None => return Ok(None),
                }
            }
            Ok(Some(rows))
        }
        _ => Ok(None),
    }
}

/// An expression over the rows of a plan as one over the columns of a table; `None` when it has others, or is
/// different each time or in another query.
fn in_terms_of(planner: &Planner, plan: &LogicalPlan, table: TableId, expr: &Expr) -> Result<Option<Expr>> {
    let mut is_known = true;
    let renamed = expr.clone().transform_up(|part| {
        match &part {
            Expr::Column(column) => {
                if let [Origin::Table(from, name)] = origins(planner, plan, column)?.as_slice()
                    && *from == table
                {
                    return Ok(Transformed::yes(bare(name.clone())));
                }
                is_known = false;
            }
            Expr::OuterReferenceColumn(..)
            | Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::SetComparison(_)
            | Expr::GroupingSet(_) => is_known = false,
            _ => {}
        }
        Ok(Transformed::no(part))
    })?;
    Ok(Some(renamed.data).filter(|expr| is_known && !expr.is_volatile()))
}

/// What holds for the times of rows.
#[derive(Default)]
pub struct Bounds {
    /// They are at or after this one, or after it.
    pub lower: Option<(Operator, Expr)>,
    /// They are before this one, or at it.
    pub upper: Option<(Operator, Expr)>,
}

/// How kept states answer a grouping.
pub struct Answer<'a> {
    /// The grouping.
    pub grouping: &'a Grouping,
    /// Its groups, of the keys of states.
    pub groups: Vec<Expr>,
    /// Those conditions that are of keys, of the keys of states.
    pub conditions: Vec<Expr>,
    /// Those of the time.
    pub bounds: Bounds,
    /// The time of a row.
    pub time: Expr,
    /// The bucket that it lies in.
    pub bucket: Expr,
    /// The name of the bucket among the keys of states.
    pub bucket_key: String,
    /// Which state the value of each call is in.
    calls: Vec<usize>,
    /// The states that are needed, of the columns of the table, by their numbers.
    states: BTreeMap<usize, State>,
}

impl Definition {
    /// How what is kept answers a grouping; `None` when it does not.
    ///
    /// * `bucket` – of the definition.
    /// * `same_clock` – whether expressions mean in the definition what they mean in the grouping, whatever they are.
    pub fn answer<'a>(
        &self,
        planner: &Planner,
        grouping: &'a Grouping,
        table: &Table,
        bucket: &Bucket,
        same_clock: bool,
    ) -> Result<Option<Answer<'a>>> {
        let Some(rows) = rows_of(planner, &self.rows)? else { return Ok(None) };
        let (source, own_conditions) = (rows.table, rows.conditions);
        let Some(time) = table.time_column().filter(|_| source == grouping.table) else { return Ok(None) };
        let Some(time_type) = time.column_type.time_type() else { return Ok(None) };
        let of_table = |expr: &Expr| in_terms_of(planner, &self.input, source, expr);
        let mut keys = Vec::new();
        for group in &self.groups {
            match of_table(&group.clone().unalias())? {
                Some(key) => keys.push(key),
                None => return Ok(None),
            }
        }
        let is_bucket = |expr: &Expr| bucket_over(expr, &time.name, time_type);
        if is_bucket(&keys[self.bucket]).as_ref() != Some(bucket) {
            return Ok(None);
        }
        let names = self.group_names();
        let lift = Lift { keys: &keys, names: &names, place: self.bucket, bucket, is_bucket: &is_bucket };
        let mut answer = Answer {
            grouping,
            groups: Vec::new(),
            conditions: Vec::new(),
            bounds: Bounds::default(),
            time: bare(time.name.clone()),
            bucket: keys[self.bucket].clone(),
            bucket_key: names[self.bucket].clone(),
            calls: Vec::new(),
            states: BTreeMap::new(),
        };
        // What the definition leaves out, the grouping has to leave out too.
        if !own_conditions.iter().all(|own| is_steady(own) && grouping.conditions.contains(own)) {
            return Ok(None);
        }
        for condition in grouping.conditions.iter().filter(|condition| !own_conditions.contains(condition)) {
            if answer.bounds.take(condition, &time.name) {
                continue;
            }
            let Some(lifted) = lift.apply(condition)? else { return Ok(None) };
            answer.conditions.push(lifted);
        }
        for group in &grouping.groups {
            let Some(lifted) = lift.apply(group)? else { return Ok(None) };
            answer.groups.push(lifted);
        }
        let schema = columns_of(table)?;
        for call in &grouping.calls {
            let asked = Source::of(call, &schema)?;
            if !asked.is_exact() || has_open_constant(&asked) {
                return Ok(None);
            }
            let mut found = None;
            for (i, state) in self.states.iter().enumerate().filter(|(_, state)| state.merges.is_none()) {
                let Some(source) = state.source.map(&of_table)? else { continue };
                if source.serves(&asked) {
                    found = Some((i, State { source, columns: state.columns.clone(), merges: None }));
                    break;
                }
            }
            let Some((i, state)) = found else { return Ok(None) };
            answer.calls.push(i);
            answer.states.insert(i, state);
        }
        let is_plain = |expr: &Expr| matches!(expr, Expr::Column(_) | Expr::Literal(..));
        let mut others = keys.iter().enumerate().filter(|(i, _)| *i != self.bucket).map(|(_, key)| key);
        let means_the_same = same_clock
            || own_conditions.is_empty()
                && others.all(is_plain)
                && answer.states.values().all(|state| state.source.arguments().into_iter().all(is_plain));
        Ok(Some(answer).filter(|_| means_the_same))
    }
}

impl Answer<'_> {
    /// The columns of the states that are needed.
    pub fn columns(&self) -> impl Iterator<Item = String> {
        self.states.values().flat_map(|state| state.columns.iter().map(|(name, _)| name.clone()))
    }

    /// What gives the states of rows.
    pub fn partials(&self) -> Result<Vec<Expr>> {
        self.states.iter().map(|(i, state)| Ok(state.partial()?.alias(format!("_s{i}")))).collect()
    }

    /// What merges states.
    pub fn merges(&self) -> Vec<Expr> {
        self.states.iter().map(|(i, state)| state.merge().alias(format!("_s{i}"))).collect()
    }

    /// The columns of states, from partials or merges.
    pub fn flattened(&self) -> Vec<Expr> {
        self.states.iter().flat_map(|(i, state)| state.flatten(*i)).collect()
    }

    /// The values of the calls, from the columns of states.
    pub fn finished(&self, planner: &Planner, table: &Table) -> Result<Vec<Expr>> {
        let schema = columns_of(table)?;
        let calls = self.grouping.calls.iter().zip(&self.calls);
        calls.map(|(call, state)| self.states[state].finish(call, &schema, planner.state())).collect()
    }
}

impl Bounds {
    /// Whether a condition is a bound of the time, which is taken then.
    fn take(&mut self, condition: &Expr, time: &str) -> bool {
        let is_time = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == time);
        let is_constant = |expr: &Expr| expr.column_refs().is_empty();
        let bound = match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_time(left) && is_constant(right) => {
                Some((*op, right.as_ref()))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_time(right) && is_constant(left) => {
                op.swap().map(|op| (op, left.as_ref()))
            }
            _ => None,
        };
        let (side, bound) = match bound {
            Some((op @ (Operator::Gt | Operator::GtEq), value)) => (&mut self.lower, (op, value.clone())),
            Some((op @ (Operator::Lt | Operator::LtEq), value)) => (&mut self.upper, (op, value.clone())),
            _ => return false,
        };
        side.is_none() && side.replace(bound).is_none()
    }
}

/// Turns expressions over rows into expressions over the keys of their states.
struct Lift<'a> {
    keys: &'a [Expr],
    names: &'a [String],
    /// Which key is the bucket.
    place: usize,
    bucket: &'a Bucket,
    is_bucket: &'a dyn Fn(&Expr) -> Option<Bucket>,
}

impl Lift<'_> {
    /// `None` when it is not the same for all rows of a group.
    fn apply(&self, expr: &Expr) -> Result<Option<Expr>> {
        let mut is_known = true;
        let lifted = expr.clone().transform_down(|part| {
            if let Some(key) = self.keys.iter().position(|key| *key == part) {
                return Ok(Transformed::new(bare(self.names[key].clone()), true, TreeNodeRecursion::Jump));
            }
            if (self.is_bucket)(&part).is_some_and(|wider| wider.is_made_of(self.bucket)) {
                let of_key = with_time(part, bare(self.names[self.place].clone()));
                return Ok(Transformed::new(of_key, true, TreeNodeRecursion::Jump));
            }
            is_known &= !matches!(part, Expr::Column(_));
            Ok(Transformed::no(part))
        })?;
        Ok(Some(lifted.data).filter(|_| is_known))
    }
}

/// The buckets that an expression cuts a time into, if it is `time_bucket` of it.
fn bucket_over(expr: &Expr, time: &str, time_type: TimeType) -> Option<Bucket> {
    let Expr::ScalarFunction(call) = expr else { return None };
    let is_of_time = matches!(call.args.get(1), Some(Expr::Column(column)) if column.name == time);
    bucket_of(expr, time_type).ok().filter(|_| call.name() == "time_bucket" && is_of_time)
}

/// The same call of `time_bucket` for another time.
pub fn with_time(bucket: Expr, time: Expr) -> Expr {
    match bucket {
        Expr::ScalarFunction(mut call) => {
            call.args[1] = time;
            Expr::ScalarFunction(call)
        }
        other => other,
    }
}

/// Whether a key is no bucket in a zone whose clocks are set.
fn is_in_fixed_zone(key: &Expr) -> bool {
    let Expr::ScalarFunction(call) = key else { return true };
    let zone = call.args.iter().skip(2).find_map(|arg| arg.as_literal()?.try_as_str().flatten());
    call.name() != "time_bucket" || zone.is_none_or(|zone| Zone::parse_in_value(zone).is_ok_and(|zone| zone.is_fixed()))
}

/// Whether a value that an aggregate of lists is finished with, such as which percentile, is not known yet.
fn has_open_constant(source: &Source) -> bool {
    let is_open = |expr: &&Expr| expr.column_refs().is_empty() && !matches!(expr, Expr::Literal(..));
    matches!(source, Source::Collect(call) if call.params.args.iter().any(|arg| is_open(&arg)))
}

/// Whether an expression is of nothing but its columns.
fn is_steady(expr: &Expr) -> bool {
    let varies = expr.exists(|part| {
        Ok(match part {
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            Expr::Placeholder(_) => true,
            _ => false,
        })
    });
    matches!(varies, Ok(false))
}

/// The columns of a table without a qualifier.
fn columns_of(table: &Table) -> Result<DFSchema> {
    Ok(DFSchema::try_from(highwater_store::schema::arrow_schema(table))?)
}
