//! Plans for `time_bucket_gapfill`.
//!
//! ```text
//! as planned    outputs ◀── having ◀── Aggregate groups, bucket
//! as it runs    outputs ◀── rows, values of locf and interpolate ◀── Unnest ◀── gapfill(rows, start, finish)
//!                 ◀── Aggregate groups: list of rows ◀── having ◀── Aggregate groups, bucket
//! ```
//!
//! Start and finish are arguments, or what WHERE says of the bucketed column.

use crate::definition::bucket_of;
use crate::function::gapfill::{Fill, GAPFILL, Role, interpolated_type};
use crate::operator::plan_cast;
use crate::query::Planner;
use crate::{Error, Result, meaning};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::functions::core::get_field;
use datafusion::functions_aggregate::expr_fn::array_agg;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Projection, ScalarUDF,
    Signature, Volatility, lit,
};
use highwater_model::TimeType;
use highwater_model::time::Clockface;
use std::sync::Arc;

/// The name of the column that has the list of rows of a group.
const ROWS: &str = "_rows";

/// Makes a plan fill the gaps that it asks to be filled.
///
/// # Errors
/// 22023 when start or finish are not known; 0A000 for what cannot be filled.
pub fn apply(planner: &Planner, plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Projection(projection) = &node else { return Ok(Transformed::no(node)) };
        match filled(planner, projection)? {
            Some(filled) => Ok(Transformed::yes(filled)),
            None => Ok(Transformed::no(node)),
        }
    })?;
    Ok(plan.data)
}

fn call<'a>(expr: &'a Expr, name: &str) -> Option<&'a [Expr]> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == name => Some(args),
        Expr::Alias(alias) => call(&alias.expr, name),
        _ => None,
    }
}

fn contains(expr: &Expr, name: &str) -> bool {
    expr.exists(|e| Ok(matches!(e, Expr::ScalarFunction(f) if f.func.name() == name))).unwrap_or(false)
}

/// Outputs over rows whose gaps are filled; `None` when nothing is to be filled below them.
fn filled(planner: &Planner, projection: &Projection) -> Result<Option<LogicalPlan>> {
    // Windows over the groups see the filled rows; HAVING does not.
    let mut windows = Vec::new();
    let mut rows = projection.input.as_ref();
    while let LogicalPlan::Window(window) = rows {
        windows.push(rows);
        rows = window.input.as_ref();
    }
    let aggregate = match rows {
        LogicalPlan::Filter(filter) => filter.input.as_ref(),
        other => other,
    };
    let LogicalPlan::Aggregate(aggregate) = aggregate else { return Ok(None) };
    let asked: Vec<usize> =
        (0..aggregate.group_expr.len()).filter(|i| contains(&aggregate.group_expr[*i], GAPFILL)).collect();
    let place = match asked[..] {
        [] => return Ok(None),
        [place] => place,
        _ => return Err(Error::unsupported("multiple time_bucket_gapfill calls not allowed")),
    };
    let Some([bucket, start, finish]) = call(&aggregate.group_expr[place], GAPFILL) else {
        return Err(Error::unsupported("time_bucket_gapfill has to be a group by itself")
            .hint("Compute with its result in the SELECT list, or around the query."));
    };
    let bucket_type = bucket.get_type(aggregate.input.schema())?;
    let spec = bucket_of(bucket, time_type(&bucket_type)?)?;
    let bounds = Bounds::of(planner, aggregate, bucket, [start, finish], &bucket_type)?;

    let mut fill = Filling::new(planner, rows, aggregate, place);
    let outputs = projection.expr.iter().map(|expr| fill.output(expr)).collect::<Result<Vec<_>>>()?;
    let mut plan = fill.plan(spec, bounds)?;
    for window in windows.into_iter().rev() {
        plan = window.with_new_exprs(window.expressions(), vec![plan])?;
    }
    Ok(Some(LogicalPlan::Projection(Projection::try_new(outputs, Arc::new(plan))?)))
}

fn time_type(data_type: &DataType) -> Result<TimeType> {
    Ok(match data_type {
        DataType::Int16 => TimeType::SmallInt,
        DataType::Int32 => TimeType::Integer,
        DataType::Int64 => TimeType::BigInt,
        DataType::Date32 => TimeType::Date,
        DataType::Timestamp(_, None) => TimeType::Timestamp,
        DataType::Timestamp(_, Some(_)) => TimeType::Timestamptz,
        other => return Err(Error::internal(format!("a bucket is of type {other}"))),
    })
}

/// From where to where gaps are filled.
struct Bounds {
    start: Expr,
    finish: Expr,
    after_start: bool,
    to_finish: bool,
}

impl Bounds {
    fn of(planner: &Planner, aggregate: &Aggregate, bucket: &Expr, given: [&Expr; 2], to: &DataType) -> Result<Bounds> {
        let [mut start, mut finish] =
            given.map(|e| (!matches!(e, Expr::Literal(v, _) if v.is_null())).then(|| e.clone()));
        let (mut after_start, mut to_finish) = (false, false);
        let column = call(bucket, "time_bucket").and_then(|args| args.get(1));
        let conditions = match aggregate.input.as_ref() {
            LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate),
            _ => Vec::new(),
        };
        let (has_start, has_finish) = (start.is_some(), finish.is_some());
        for condition in conditions {
            let Some((op, value)) = column.and_then(|column| bound(condition, column)) else { continue };
            match op {
                Operator::Gt | Operator::GtEq if !has_start => {
                    start = Some(tighter(start, value, datafusion::functions::core::greatest()));
                    after_start = op == Operator::Gt;
                }
                Operator::Lt | Operator::LtEq if !has_finish => {
                    finish = Some(tighter(finish, value, datafusion::functions::core::least()));
                    to_finish = op == Operator::LtEq;
                }
                _ => {}
            }
        }
        let typed = |bound: Option<Expr>| match bound {
            Some(bound) => meaning::cast(bound, to, &DFSchema::empty(), planner.state()),
            None => Ok(Expr::Literal(ScalarValue::try_from(to)?, None)),
        };
        Ok(Bounds { start: typed(start)?, finish: typed(finish)?, after_start, to_finish })
    }
}

fn tighter(known: Option<Expr>, new: Expr, of: Arc<ScalarUDF>) -> Expr {
    match known {
        Some(known) => of.call(vec![known, new]),
        None => new,
    }
}

/// What a condition says of a column: how it compares to something that is the same for all rows.
fn bound(condition: &Expr, column: &Expr) -> Option<(Operator, Expr)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else { return None };
    let is_column = |expr: &Expr| match (uncast(expr), uncast(column)) {
        (Expr::Column(a), Expr::Column(b)) => a == b,
        _ => false,
    };
    let fixed = |expr: &Expr| expr.column_refs().is_empty() && !expr.is_volatile();
    if is_column(left) && fixed(right) {
        Some((*op, right.as_ref().clone()))
    } else if is_column(right) && fixed(left) {
        Some((op.swap()?, left.as_ref().clone()))
    } else {
        None
    }
}

fn uncast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => uncast(&cast.expr),
        other => other,
    }
}

/// The rows of a grouping, to be filled.
struct Filling<'a> {
    planner: &'a Planner,
    rows: &'a LogicalPlan,
    /// Places of the groups beside the bucket.
    groups: Vec<usize>,
    bucket: usize,
    /// Values to be carried or interpolated, and how; their names are [`Filling::value_name`].
    values: Vec<(Expr, Role)>,
    /// What is before and after all rows of a group.
    around: Vec<Expr>,
}

impl<'a> Filling<'a> {
    fn new(planner: &'a Planner, rows: &'a LogicalPlan, aggregate: &Aggregate, bucket: usize) -> Self {
        let count = aggregate.schema.fields().len() - aggregate.aggr_expr.len();
        let groups = (0..count).filter(|i| *i != bucket).collect();
        Filling { planner, rows, groups, bucket, values: Vec::new(), around: Vec::new() }
    }

    fn value_name(i: usize) -> String {
        format!("_filled_{i}")
    }

    /// An output with its calls of `locf` and `interpolate` as columns.
    fn output(&mut self, expr: &Expr) -> Result<Expr> {
        let mut calls = 0;
        let output = expr.clone().transform_down(|expr| {
            let name = ["locf", "interpolate"]
                .into_iter()
                .find(|name| !matches!(expr, Expr::Alias(_)) && call(&expr, name).is_some());
            let Some(name) = name else { return Ok(Transformed::no(expr)) };
            calls += 1;
            let args = call(&expr, name).unwrap_or_default();
            if calls > 1 || args.iter().any(|a| contains(a, "locf") || contains(a, "interpolate")) {
                let message = "multiple interpolate/locf function calls per resultset column not supported";
                return Err(Error::unsupported(message).into());
            }
            let column = self.value(name, args)?;
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        })?;
        // The names of outputs stay what they are.
        Ok(match (output.transformed, expr) {
            (true, Expr::Alias(_)) => output.data,
            (true, _) => output.data.alias(expr.schema_name().to_string()),
            (false, _) => output.data,
        })
    }

    fn value(&mut self, name: &str, args: &[Expr]) -> DfResult<Expr> {
        let schema = self.rows.schema();
        let null = |expr: &Expr| matches!(expr, Expr::Literal(v, _) if v.is_null());
        let mut around = |expr: Option<&Expr>| {
            let expr = expr.filter(|e| !null(e))?;
            self.around.push(expr.clone());
            Some(self.around.len() - 1)
        };
        let data_type = args[0].get_type(schema)?;
        let (value, role) = if name == "locf" {
            let null_is_gap = match args.get(2) {
                None => false,
                Some(Expr::Literal(ScalarValue::Boolean(value), _)) => value.unwrap_or(false),
                Some(other) => match self.planner.constant_of(other)? {
                    ScalarValue::Boolean(value) => value.unwrap_or(false),
                    _ => return Err(Error::invalid_parameter("treat_null_as_missing must be a boolean").into()),
                },
            };
            (args[0].clone(), Role::Locf { null_is_gap, before: around(args.get(1)) })
        } else {
            let to = interpolated_type(&data_type).ok_or_else(|| Error::internal("its type was checked"))?;
            let role = Role::Interpolate { before: around(args.get(1)), after: around(args.get(2)) };
            (plan_cast(args[0].clone(), &to, schema, &Clockface::EPOCH)?, role)
        };
        self.values.push((value, role));
        Ok(Expr::Column(Column::new_unqualified(Self::value_name(self.values.len() - 1))))
    }

    /// Rows with the columns of the grouping, and the values.
    fn plan(self, bucket: highwater_model::Bucket, bounds: Bounds) -> Result<LogicalPlan> {
        let schema = self.rows.schema().clone();
        let column = |i: usize| Expr::Column(Column::from(schema.qualified_field(i)));
        // The columns that are filled, by place, then the values.
        let places: Vec<usize> = (0..schema.fields().len()).filter(|i| !self.groups.contains(i)).collect();
        let mut fields = Vec::new();
        let mut roles = Vec::new();
        let mut parts = Vec::new();
        for i in &places {
            fields.push(Field::new(format!("c{i}"), schema.field(*i).data_type().clone(), true));
            roles.push(if *i == self.bucket { Role::Bucket } else { Role::Plain });
            parts.push(column(*i));
        }
        for (i, (value, role)) in self.values.iter().enumerate() {
            fields.push(Field::new(Self::value_name(i), value.get_type(&schema)?, true));
            roles.push(*role);
            parts.push(value.clone());
        }
        let row = fields.iter().zip(parts).flat_map(|(field, part)| [lit(field.name()), part]).collect();
        let row = datafusion::functions::core::named_struct().call(row);
        let groups: Vec<Expr> = self.groups.iter().map(|i| column(*i)).collect();
        let lists = LogicalPlanBuilder::from(self.rows.clone())
            .aggregate(groups.clone(), vec![array_agg(row).alias(ROWS)])?
            .build()?;
        let fields = Fields::from(fields);
        let signature = Signature::variadic_any(Volatility::Immutable);
        let Bounds { start, finish, after_start, to_finish } = bounds;
        let fill = ScalarUDF::from(Fill { bucket, roles, fields: fields.clone(), after_start, to_finish, signature });
        let mut args = vec![Expr::Column(Column::new_unqualified(ROWS)), start, finish];
        args.extend(self.around);
        let mut exprs = groups;
        exprs.push(fill.call(args).alias(ROWS));
        let unnested =
            LogicalPlanBuilder::from(lists).project(exprs)?.unnest_column(Column::new_unqualified(ROWS))?.build()?;
        let part = |name: &str| get_field().call(vec![Expr::Column(Column::new_unqualified(ROWS)), lit(name)]);
        let mut exprs: Vec<Expr> = (0..schema.fields().len())
            .map(|i| {
                let (qualifier, field) = schema.qualified_field(i);
                match places.contains(&i) {
                    true => part(&format!("c{i}")).alias_qualified(qualifier.cloned(), field.name()),
                    false => column(i),
                }
            })
            .collect();
        exprs.extend((0..self.values.len()).map(|i| part(&Self::value_name(i)).alias(Self::value_name(i))));
        Ok(LogicalPlanBuilder::from(unnested).project(exprs)?.build()?)
    }
}
