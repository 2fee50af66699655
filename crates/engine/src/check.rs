//! `CHECK CONTINUOUS AGGREGATE name [REPAIR]`: whether what is kept is what its rows give.
//!
//! ```text
//! kept rows ───────────────────────┐
//! kept states ─finish──────────────┤ bucket by bucket ──▶ which differ
//! rows and frozen states ─compute──┘
//!
//! start      | end        | buckets | expected_groups | found_groups | different_groups | difference
//! 2026-03-01 | 2026-03-03 |       2 |              10 |            9 |                2 | 1 missing, 1 with another n
//! ```
//!
//! States that were computed again are the same but for rounding ([`crate::state::same`]); outputs are those very ones that
//! the kept states finish to. So nothing has to be known of what an output does with its states.
//!
//! What is pending is not said to be right by anybody, and is not looked at. Neither are buckets that retention dropped
//! from the aggregate itself.

mod bucketwise;

use crate::definition::{Definition, Role, Sameness};
use crate::error::{Error, Notice, Result};
use crate::query::Planner;
use crate::realtime::{self, occupied};
use crate::refresh::{self, Refresher};
use crate::session::Outcome;
use crate::table::StoreTable;
use crate::work::Work;
use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bucketwise::{Bucketwise, Cells, Groups};
use datafusion::common::Column;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use futures::StreamExt;
use highwater_model::time::{Zone, format_timestamptz};
use highwater_model::{Bucket, ContinuousAggregate, RangeSet, TimeRange};
use highwater_store::Version;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The columns of the answer.
pub fn columns() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, false);
    Arc::new(Schema::new(vec![
        field("start", DataType::Utf8),
        field("end", DataType::Utf8),
        field("buckets", DataType::Int64),
        field("expected_groups", DataType::Int64),
        field("found_groups", DataType::Int64),
        field("different_groups", DataType::Int64),
        field("difference", DataType::Utf8),
    ]))
}

/// CHECK CONTINUOUS AGGREGATE.
///
/// * `repair` – whether the buckets that differ become pending and are refreshed, in this transaction.
pub async fn check(work: &mut Work, cagg: &Arc<ContinuousAggregate>, repair: bool) -> Result<Outcome> {
    let (differences, checked) = differences(&work.planner(), cagg).await?;
    let wrong: RangeSet = differences.iter().map(|d| d.range).collect();
    if differences.is_empty() {
        work.notice(
            Notice::new(format!("continuous aggregate \"{}\" is right", cagg.name))
                .detail(format!("The {checked} buckets that are materialized hold what their rows give.")),
        );
    } else if repair {
        work.transaction.dirty(cagg.id, wrong.clone())?;
        let refresher = Refresher { engine: &work.engine, settings: &work.settings, user: &work.user };
        refresher.settle(&mut work.transaction, cagg, &wrong).await?;
        let buckets: i64 = differences.iter().map(|d| d.buckets).sum();
        work.notice(
            Notice::new(format!("repaired continuous aggregate \"{}\"", cagg.name))
                .detail(format!("{buckets} of {checked} buckets were computed again.")),
        );
    }
    let zone = work.settings.zone();
    let batch = table(&cagg.bucket, &zone, &differences)?;
    let rows = futures::stream::once(async { Ok(batch) }).boxed();
    Ok(Outcome::Rows { columns: columns(), rows, tag: "CHECK" })
}

fn table(bucket: &Bucket, zone: &Zone, differences: &[Difference]) -> Result<RecordBatch> {
    let shown = |t: i64| match bucket.time_type.is_integer() {
        true => t.to_string(),
        false => format_timestamptz(t, zone),
    };
    let texts = |of: &dyn Fn(&Difference) -> String| differences.iter().map(|d| Some(of(d))).collect::<StringArray>();
    let numbers = |of: &dyn Fn(&Difference) -> i64| differences.iter().map(of).collect::<Int64Array>();
    Ok(RecordBatch::try_new(
        columns(),
        vec![
            Arc::new(texts(&|d| shown(d.range.start))),
            Arc::new(texts(&|d| shown(d.range.end))),
            Arc::new(numbers(&|d| d.buckets)),
            Arc::new(numbers(&|d| d.expected)),
            Arc::new(numbers(&|d| d.found)),
            Arc::new(numbers(&|d| d.missing + d.extra + d.other)),
            Arc::new(texts(&Difference::told)),
        ],
    )?)
}

/// Buckets that follow each other and do not hold what they should.
#[derive(Debug)]
struct Difference {
    range: TimeRange,
    buckets: i64,
    expected: i64,
    found: i64,
    /// Groups that are not kept.
    missing: i64,
    /// Groups that are kept and should not be.
    extra: i64,
    /// Groups that are kept with other values.
    other: i64,
    /// The outputs with other values; none where only a state has.
    outputs: BTreeSet<String>,
}

impl Difference {
    fn told(&self) -> String {
        let mut parts = Vec::new();
        if self.missing > 0 {
            parts.push(format!("{} missing", self.missing));
        }
        if self.extra > 0 {
            parts.push(format!("{} too many", self.extra));
        }
        if self.other > 0 {
            let outputs: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
            let what = if outputs.is_empty() { "state".to_owned() } else { outputs.join(", ") };
            parts.push(format!("{} with another {what}", self.other));
        }
        parts.join(", ")
    }

    /// Takes in the next bucket, if it follows.
    fn extend(&mut self, next: &Difference) -> bool {
        let follows = self.range.end == next.range.start;
        if follows {
            self.range.end = next.range.end;
            self.buckets += next.buckets;
            self.expected += next.expected;
            self.found += next.found;
            self.missing += next.missing;
            self.extra += next.extra;
            self.other += next.other;
            self.outputs.extend(next.outputs.iter().cloned());
        }
        follows
    }
}

/// The whole buckets that nothing is pending of, and that rows or what is kept may lie in.
fn clean(version: &Version, cagg: &ContinuousAggregate) -> RangeSet {
    let data = version.cagg(cagg.id);
    let pending: RangeSet = data.pending.ranges().iter().map(|range| cagg.bucket.align_out(range)).collect();
    occupied(version, cagg).subtract(&pending)
}

/// What differs, in the order of time, and how many buckets were looked at.
async fn differences(planner: &Planner, cagg: &Arc<ContinuousAggregate>) -> Result<(Vec<Difference>, i64)> {
    let version = planner.version();
    let chain = std::slice::from_ref(cagg);
    let mut all: Vec<Difference> = Vec::new();
    let mut checked = 0;
    for ranges in &refresh::batches(version, chain, &[clean(version, cagg)]) {
        let mut comparison = Comparison::new(planner, cagg, ranges).await?;
        while let Some(start) = comparison.next_start().await? {
            checked += 1;
            if let Some(difference) = comparison.bucket(start).await?
                && !all.last_mut().is_some_and(|last| last.extend(&difference))
            {
                all.push(difference);
            }
        }
    }
    Ok((all, checked))
}

/// What is kept of some buckets, beside what should be.
struct Comparison<'a> {
    cagg: &'a ContinuousAggregate,
    /// Where retention took buckets out of the aggregate itself.
    dropped: RangeSet,
    /// The columns that are kept: their names, and what they are.
    layout: Vec<(String, Role)>,
    /// Which of them are columns of the view, and what these are called.
    outputs: Vec<(usize, String)>,
    /// What makes columns of states the same.
    sameness: Vec<(String, Sameness)>,
    kept: Bucketwise,
    finished: Bucketwise,
    computed: Bucketwise,
}

impl<'a> Comparison<'a> {
    async fn new(planner: &Planner, cagg: &'a ContinuousAggregate, ranges: &RangeSet) -> Result<Self> {
        let (restricted, definition) = realtime::definition_within(planner, cagg, ranges)?;
        let layout: Vec<(String, Role)> = definition.columns()?.into_iter().map(|c| (c.name, c.role)).collect();
        let shown = (0..cagg.outputs.len()).filter_map(|i| Some((definition.kept(i)?, cagg.outputs[i].0.clone())));
        let outputs = shown.collect();
        let definition = definition.measuring()?;
        let sameness = definition.sameness();
        let bucket = layout.iter().position(|(_, role)| *role == Role::Group(definition.bucket_group()));
        let bucket = bucket.ok_or_else(|| Error::internal("every group is a column"))?;
        let computed = realtime::compute_as(&restricted, cagg, &definition, ranges)?;
        let finished = finished(&restricted, &definition, kept(&restricted, cagg, ranges)?)?;
        let kept = kept(&restricted, cagg, ranges)?;
        let of = async |plan: LogicalPlan| -> Result<Bucketwise> {
            let (qualifier, field) = plan.schema().qualified_field(bucket);
            let order = Column::new(qualifier.cloned(), field.name());
            let plan = LogicalPlanBuilder::from(plan).sort([Expr::Column(order).sort(true, true)])?.build()?;
            Ok(Bucketwise::new(restricted.run(plan, &[]).await?, bucket))
        };
        let dropped = planner.version().table(cagg.materialization).dropped.clone();
        let (kept, finished, computed) = (of(kept).await?, of(finished).await?, of(computed).await?);
        Ok(Comparison { cagg, dropped, layout, outputs, sameness, kept, finished, computed })
    }

    /// The first bucket that was not looked at.
    async fn next_start(&mut self) -> Result<Option<i64>> {
        let (kept, computed) = (self.kept.start().await?, self.computed.start().await?);
        Ok(match (kept, computed) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        })
    }

    /// What differs in a bucket.
    async fn bucket(&mut self, start: i64) -> Result<Option<Difference>> {
        let keys: Vec<usize> = (0..self.layout.len()).filter(|i| matches!(self.layout[*i].1, Role::Group(_))).collect();
        let kept = self.kept.take(start).await?;
        let finished = self.finished.take(start).await?;
        let computed = self.computed.take(start).await?;
        if kept.is_none() && self.dropped.covers(&TimeRange { start, end: start.saturating_add(1) }) {
            return Ok(None);
        }
        let (found, own, expected) =
            (Groups::new(kept, &keys)?, Groups::new(finished, &keys)?, Groups::new(computed, &keys)?);
        let mut difference = Difference {
            range: TimeRange { start, end: self.cagg.bucket.next(start) },
            buckets: 1,
            expected: expected.count(),
            found: found.count(),
            missing: 0,
            extra: found.repeated(),
            other: 0,
            outputs: BTreeSet::new(),
        };
        let cells = match (&found.rows, &expected.rows) {
            (Some(found), Some(expected)) => (0..self.layout.len()).map(|i| Cells::new(found, expected, i)).collect(),
            _ => Ok(Vec::new()),
        }?;
        let own_cells = match (&found.rows, &own.rows) {
            (Some(found), Some(own)) => (0..self.layout.len()).map(|i| Cells::new(found, own, i)).collect(),
            _ => Ok(Vec::new()),
        }?;
        for (key, row) in expected.iter() {
            let (Some(at), Some(own)) = (found.find(key), own.find(key)) else {
                difference.missing += 1;
                continue;
            };
            let mut is_other = false;
            for (i, (name, role)) in self.layout.iter().enumerate() {
                is_other |= match role {
                    Role::State => !cells[i].are_equal(at, row) && !self.is_same(name, &found, at, &expected, row)?,
                    _ => !own_cells[i].are_equal(at, own),
                };
            }
            if is_other {
                difference.other += 1;
                let names = self.outputs.iter().filter(|(i, _)| !cells[*i].are_equal(at, row));
                difference.outputs.extend(names.map(|(_, name)| name.clone()));
            }
        }
        difference.extra += found.iter().filter(|(key, _)| expected.find(key).is_none()).count() as i64;
        Ok(Some(difference).filter(|d| d.missing + d.extra + d.other > 0))
    }

    fn is_same(&self, name: &str, found: &Groups, at: usize, expected: &Groups, row: usize) -> Result<bool> {
        let rule = self.sameness.iter().find(|(column, _)| column == name).map(|(_, rule)| rule);
        let (Some(rule), Some(found), Some(expected)) = (rule, &found.rows, &expected.rows) else { return Ok(false) };
        let (Some(kept), Some(column)) = (found.column_by_name(name), expected.column_by_name(name)) else {
            return Ok(false);
        };
        rule.holds((kept, at), column, (expected, row))
    }
}

/// What is kept of some buckets.
fn kept(planner: &Planner, cagg: &ContinuousAggregate, ranges: &RangeSet) -> Result<LogicalPlan> {
    let table = realtime::table(planner, cagg)?;
    let names: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
    let rows = StoreTable::new(table.clone(), planner.version().table(table.id)).within(ranges.clone());
    let plan = LogicalPlanBuilder::scan("_kept", provider_as_source(Arc::new(rows)), None)?;
    let columns = plan.schema().columns().into_iter().map(Expr::Column).zip(names);
    let columns: Vec<_> = columns.map(|(column, name)| column.alias(name)).collect();
    Ok(plan.project(columns)?.build()?)
}

/// What kept states finish to.
fn finished(planner: &Planner, definition: &Definition, kept: LogicalPlan) -> Result<LogicalPlan> {
    definition.finish(planner, definition.states_of_finished(kept)?)
}
