//! Window functions over the groups of a definition.
//!
//! ```text
//! Projection outputs ◀── Window … ◀── Filter having ◀── Aggregate groups, calls         as it is planned
//!
//! kept, by bucket     outputs without windows, and what windows are computed from
//! read                Projection outputs ◀── Window … ◀── what is shown of kept and of pending buckets
//! ```
//!
//! What is kept of a bucket comes from its own rows only, so a late row makes its own bucket pending and no other.
//! Windows are computed when they are read, over buckets that are exact by then. How far they look, [`Reach`] says to
//! whoever reads some of the rows only, and to aggregates over this one.

use super::bare;
use crate::error::{Error, Result};
use crate::rollup;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF, Window, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition, cast, lit,
};
use highwater_model::{ColumnType, Reach};
use highwater_store::schema::arrow_type;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the names of windows begin with.
const WINDOW: &str = "_window_";

/// Microseconds of 24 hours.
const DAY: i64 = 86_400_000_000;

/// The window functions of a definition, and what its view shows.
pub struct Windows {
    /// The calls of each node, the lowest first, over kept outputs; each has a name.
    nodes: Vec<Vec<Expr>>,
    /// The columns of the view.
    shown: Vec<Shown>,
    /// The kept output that is the bucket.
    bucket: String,
    reach: Reach,
}

/// A column of a view.
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Which of the kept outputs it is; `None` where window functions are in it.
    pub kept: Option<usize>,
    /// Its value, over kept outputs and windows.
    value: Expr,
}

/// The nodes of windows on top of a plan, the lowest first, and what is below them.
pub fn nodes_of(plan: LogicalPlan) -> (Vec<Window>, LogicalPlan) {
    let (mut nodes, mut below) = (Vec::new(), plan);
    while let LogicalPlan::Window(window) = below {
        below = window.input.as_ref().clone();
        nodes.insert(0, window);
    }
    (nodes, below)
}

/// What a definition groups and computes of the groups, below its windows.
pub struct Below<'a> {
    /// Groups, then calls.
    pub schema: &'a DFSchema,
    /// The names of groups that no output shows.
    pub group_names: &'a [String],
    /// Which group is the bucket.
    pub bucket: usize,
    /// The zone by whose calendar days are counted, if they are not all of 24 hours.
    pub calendar: Option<Calendar>,
}

/// A zone, for frames of days over `timestamptz`.
pub struct Calendar {
    /// Its name.
    pub zone: String,
    /// The function that tells the local time.
    pub timezone: Arc<ScalarUDF>,
    /// Whether what it tells of buckets is in their order: no two begin in the same hour of a clock that is set back.
    pub is_certain: bool,
}

impl Windows {
    /// Takes window functions apart from what they are computed from.
    ///
    /// * `outputs` – the columns of the view.
    ///
    /// Gives the outputs that are to be kept too.
    pub fn new(
        nodes: &[Window],
        outputs: Vec<(String, Expr, ColumnType)>,
        below: &Below,
    ) -> Result<(Windows, Vec<(String, Expr)>)> {
        let has_windows =
            |expr: &Expr| expr.column_refs().iter().any(|c| below.schema.maybe_index_of_column(c).is_none());
        let own = outputs.iter().filter(|(_, expr, _)| !has_windows(expr));
        let own: Vec<(String, Expr)> = own.map(|(name, expr, _)| (name.clone(), expr.clone())).collect();
        let mut places = 0..own.len();
        let mut keeping = Keeping { below, kept: own, windows: Vec::new() };
        let bucket = keeping.name_of(below.bucket);
        let mut reach = Reach::OWN;
        let mut named = Vec::new();
        for node in nodes {
            let first = node.schema.fields().len() - node.window_expr.len();
            let mut calls = Vec::new();
            for (i, call) in node.window_expr.iter().enumerate() {
                let Expr::WindowFunction(mut function) = call.clone().unalias() else {
                    return Err(Error::internal(format!("{call} is no window function")));
                };
                below.by_calendar(&mut function, node.input.schema())?;
                let call = keeping.over_kept(Expr::WindowFunction(function))?;
                if let Expr::WindowFunction(function) = &call {
                    reach = reach.max(reach_of(function, &bucket));
                }
                let name = format!("{WINDOW}{}", keeping.windows.len());
                keeping.windows.push((Column::from(node.schema.qualified_field(first + i)), name.clone()));
                calls.push(call.alias(name));
            }
            named.push(calls);
        }
        let mut shown = Vec::new();
        for (name, expr, column_type) in outputs {
            let (kept, value) = match has_windows(&expr) {
                true => (None, cast(keeping.over_kept(expr)?, arrow_type(&column_type))),
                false => (places.next(), bare(name.clone())),
            };
            shown.push(Shown { name, column_type, kept, value });
        }
        Ok((Windows { nodes: named, shown, bucket, reach }, keeping.kept))
    }

    /// The columns of the view.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// How far the rows of the view depend on other buckets than their own.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The kept output that is the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The kept outputs that columns with windows are computed from.
    pub fn needs(&self) -> BTreeSet<String> {
        let calls = self.nodes.iter().flatten();
        let values = self.shown.iter().filter(|shown| shown.kept.is_none()).map(|shown| &shown.value);
        let names = calls.chain(values).flat_map(|expr| expr.column_refs().into_iter().map(|c| c.name.clone()));
        names.filter(|name| !name.starts_with(WINDOW)).collect()
    }

    /// The kept outputs whose states are merged by windows.
    ///
    /// * `rows` – the kept outputs.
    ///
    /// # Errors
    /// 42804 when something is to be merged that is no output.
    pub fn rolled_up(&self, rows: &DFSchema) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for call in self.nodes.iter().flatten() {
            found.extend(rollup::rolled_up_column(call, rows)?.map(|column| column.name.clone()));
        }
        Ok(found)
    }

    /// The rows with the values of the window functions.
    ///
    /// * `rows` – the kept outputs of all buckets that are needed.
    pub fn over(&self, rows: LogicalPlan) -> Result<LogicalPlan> {
        let mut plan = rows;
        for calls in &self.nodes {
            plan = LogicalPlanBuilder::from(plan).window(calls.clone())?.build()?;
        }
        Ok(plan)
    }

    /// The columns of the view.
    ///
    /// * `rows` – from [`Windows::over`].
    /// * `names` – what the columns are called.
    pub fn show(&self, rows: LogicalPlan, names: impl Iterator<Item = String>) -> Result<LogicalPlan> {
        let values = self.shown.iter().zip(names).map(|(shown, name)| shown.value.clone().alias(name));
        Ok(LogicalPlanBuilder::from(rows).project(values.collect::<Vec<_>>())?.build()?)
    }
}

impl Below<'_> {
    /// Lets a call whose frame counts days count them as they are in the zone: by local time.
    ///
    /// # Errors
    /// 0A000 when local times are not in the order of the times themselves, or hours are counted beside days.
    fn by_calendar(&self, call: &mut WindowFunction, schema: &DFSchema) -> Result<()> {
        let WindowFunctionParams { order_by, window_frame: frame, .. } = &mut call.params;
        let (Some(Calendar { zone, timezone, is_certain }), [key]) = (&self.calendar, order_by.as_mut_slice()) else {
            return Ok(());
        };
        let offset = |bound: &WindowFrameBound| match bound {
            WindowFrameBound::Preceding(ScalarValue::IntervalMonthDayNano(offset))
            | WindowFrameBound::Following(ScalarValue::IntervalMonthDayNano(offset)) => *offset,
            _ => None,
        };
        let offsets: Vec<_> = [&frame.start_bound, &frame.end_bound].into_iter().filter_map(offset).collect();
        let is_zoned = matches!(key.expr.get_type(schema)?, DataType::Timestamp(_, Some(_)));
        if !is_zoned || offsets.iter().all(|offset| offset.months == 0 && offset.days == 0) {
            return Ok(());
        }
        let is_bucket =
            matches!(&key.expr, Expr::Column(c) if self.schema.maybe_index_of_column(c) == Some(self.bucket));
        if !is_bucket || !is_certain || offsets.iter().any(|offset| offset.nanoseconds != 0) {
            return Err(Error::unsupported("invalid continuous aggregate view")
                .detail(format!("Days of a window are not all of 24 hours in \"{zone}\"."))
                .hint("Count hours, order by buckets of a day or more, or set the time zone to UTC."));
        }
        key.expr = timezone.call(vec![lit(zone.clone()), key.expr.clone()]);
        Ok(())
    }
}

/// Outputs that are kept: those of the view, then what windows need beside them.
struct Keeping<'a> {
    below: &'a Below<'a>,
    kept: Vec<(String, Expr)>,
    /// Windows so far, and their names.
    windows: Vec<(Column, String)>,
}

impl Keeping<'_> {
    /// The kept output that is a group or a call, by its place.
    fn name_of(&mut self, place: usize) -> String {
        let Below { schema, group_names, .. } = self.below;
        let is_it = |expr: &Expr| matches!(expr, Expr::Column(c) if schema.maybe_index_of_column(c) == Some(place));
        if let Some((name, _)) = self.kept.iter().find(|(_, expr)| is_it(expr)) {
            return name.clone();
        }
        let name = match place.checked_sub(group_names.len()) {
            None => group_names[place].clone(),
            Some(call) => format!("_call_{call}"),
        };
        self.kept.push((name.clone(), Expr::Column(Column::from(schema.qualified_field(place)))));
        name
    }

    /// An expression over groups, calls and windows as one over kept outputs and windows.
    fn over_kept(&mut self, expr: Expr) -> Result<Expr> {
        let renamed = expr.transform_up(|expr| {
            let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
            let name = match self.below.schema.maybe_index_of_column(column) {
                Some(place) => self.name_of(place),
                None => {
                    let known = self.windows.iter().find(|(window, _)| window == column);
                    known
                        .map(|(_, name)| name.clone())
                        .ok_or_else(|| Error::internal(format!("{column} is unknown")))?
                }
            };
            Ok(Transformed::yes(bare(name)))
        })?;
        Ok(renamed.data)
    }
}

/// How far the rows that a window function is computed from are away.
fn reach_of(call: &WindowFunction, bucket: &str) -> Reach {
    let WindowFunctionParams { args, partition_by, order_by, window_frame: frame, .. } = &call.params;
    let is_bucket = |expr: &Expr| matches!(expr, Expr::Column(c) if c.name == bucket);
    // A local time, by `Below::by_calendar`.
    let is_local = |expr: &Expr| matches!(expr, Expr::ScalarFunction(call) if call.args.last().is_some_and(is_bucket) && call.name() == "timezone");
    if partition_by.iter().any(is_bucket) {
        return Reach::OWN;
    }
    let Some(first) = order_by.first().filter(|key| is_bucket(&key.expr) || is_local(&key.expr)) else {
        return Reach::ALL;
    };
    let before = Reach { behind: Reach::ENDLESS, ahead: 0 };
    let by_range = frame.units == WindowFrameUnits::Range;
    // As much may a clock be changed at most.
    let change = if is_local(&first.expr) { DAY } else { 0 };
    let distance = |offset| match distance(offset, by_range) {
        0 => 0,
        far => far.saturating_add(change),
    };
    let in_frame = Reach {
        behind: match &frame.start_bound {
            WindowFrameBound::Preceding(offset) => distance(offset),
            WindowFrameBound::CurrentRow | WindowFrameBound::Following(_) => 0,
        },
        ahead: match &frame.end_bound {
            WindowFrameBound::Following(offset) => distance(offset),
            WindowFrameBound::CurrentRow | WindowFrameBound::Preceding(_) => 0,
        },
    };
    let goes_back = !matches!(args.get(1), Some(offset) if !is_natural(offset));
    let reach = match (&call.fun, call.fun.name()) {
        (WindowFunctionDefinition::AggregateUDF(_), _) | (_, "first_value" | "last_value" | "nth_value") => in_frame,
        (_, "row_number" | "rank" | "dense_rank") => before,
        (_, "lag") if goes_back => before,
        (_, "lead") if goes_back => before.reversed(),
        _ => Reach::ALL,
    };
    if first.asc { reach } else { reach.reversed() }
}

/// Whether an expression is a number that is not negative.
fn is_natural(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => whole(value).is_some_and(|v| v >= 0),
        Expr::Cast(cast) => is_natural(&cast.expr),
        _ => false,
    }
}

fn whole(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int16(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int32(Some(v)) => Some(i64::from(*v)),
        ScalarValue::Int64(Some(v)) => Some(*v),
        ScalarValue::UInt64(Some(v)) => i64::try_from(*v).ok(),
        _ => None,
    }
}

/// How far away an offset of a frame is. Which times rows have is not known, so some rows away may be anywhere.
fn distance(offset: &ScalarValue, by_range: bool) -> i64 {
    match (offset, whole(offset)) {
        (_, Some(0)) => 0,
        (_, Some(number)) if by_range => number,
        (ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months, days, nanoseconds })), _) => {
            // No month has more days.
            let days = i128::from(*months) * 31 + i128::from(*days);
            let micros = i128::from(nanoseconds.div_euclid(1000)) + i128::from(nanoseconds % 1000 != 0);
            i64::try_from(days * i128::from(DAY) + micros).unwrap_or(Reach::ENDLESS)
        }
        _ => Reach::ENDLESS,
    }
}
