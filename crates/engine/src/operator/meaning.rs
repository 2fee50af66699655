//! PostgreSQL's meaning of what DataFusion's planner has planned without asking us.

use super::arithmetic::{Op, Operator as PgOperator};
use super::cast::{cast_operand, plan_cast};
use super::keys::{as_taken, key_of_number, settle_arguments, settle_keys, settle_subquery, sorted};
use super::marked::{has_order_key, is_untyped, mark, marked, marked_field, order_key, plan_marked_cast};
use super::named;
use super::operand::{Kind, Operand, UNBOUNDED, is_comparison, retype_literal, type_name};
use super::plan::{interval_key, plan_binary, plan_comparison};
use super::union::settle_union;
use super::{any, exact};
use crate::error::{Error, Result};
use crate::function::common::{Common, common_type};
use crate::function::define::Function;
use crate::function::json::{self, JsonFunction};
use crate::function::time_bucket::TimeBucket;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::error::Result as DfResult;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{
    Between, Cast, InList, InSubquery, NullTreatment, Placeholder, ScalarFunction, SetComparison,
};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, ExprSchemable, GroupingSet, LogicalPlan, LogicalPlanBuilder, Operator, ScalarUDF, Union,
    WindowFrameBound, WindowFrameUnits, lit,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use highwater_model::ColumnType;
use highwater_model::time::Clockface;
use highwater_store::schema::{field_type, typed_field};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

/// Gives a plan PostgreSQL's meaning.
///
/// To be applied once, to a plan as the planner made it, before it is optimized or its parameters are bound: a
/// small integer literal becomes an `integer`, which a value that was computed or bound must not.
#[derive(Clone, Copy, Debug)]
pub struct PgMeaning {
    clock: Clockface,
}

impl PgMeaning {
    /// The meaning of statements of this session.
    ///
    /// * `clock` – as for [`super::PgPlanner::new`].
    pub fn new(clock: Clockface) -> Self {
        PgMeaning { clock }
    }

    /// Rewrites all expressions of a plan, subqueries included. Names of columns stay what they are.
    ///
    /// # Errors
    /// Those of [`plan_binary`] and [`super::plan_cast`].
    pub fn apply(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        // The type of a recursive query is settled by its first part, before the second is planned.
        let recursive = Cell::new(0usize);
        let plan = plan.transform_down_up_with_subqueries(
            |plan| {
                recursive.set(recursive.get() + usize::from(matches!(plan, LogicalPlan::RecursiveQuery(_))));
                Ok(Transformed::no(plan))
            },
            |plan| {
                let retype = recursive.get() == 0;
                recursive.set(recursive.get() - usize::from(matches!(plan, LogicalPlan::RecursiveQuery(_))));
                self.apply_to_node(plan, retype)?.transform_data(|plan| match plan {
                    LogicalPlan::Union(union) => Ok(Transformed::yes(settle_union(union, &self.clock)?)),
                    plan => Ok(Transformed::no(plan)),
                })
            },
        )?;
        Ok(plan.data)
    }

    /// In a column of a UNION that is of a marked type, the texts of the other parts become of this type.
    fn same_marks(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let LogicalPlan::Union(union) = plan else { return Ok(plan) };
        let width = union.schema.fields().len();
        let mark_of = |input: &Arc<LogicalPlan>, i: usize| input.schema().fields().get(i).and_then(|f| marked_field(f));
        let marks: Vec<_> = (0..width).map(|i| union.inputs.iter().find_map(|input| mark_of(input, i))).collect();
        if marks.iter().all(Option::is_none) {
            return Ok(LogicalPlan::Union(union));
        }
        let inputs = union.inputs.iter().map(|input| {
            let schema = input.schema();
            let column = |(i, (qualifier, field)): (usize, (Option<&TableReference>, &FieldRef))| {
                let expr = Expr::Column(Column::new(qualifier.cloned(), field.name()));
                match &marks[i] {
                    Some(mark) if mark_of(input, i).as_ref() != Some(mark) => {
                        let cast = plan_marked_cast(expr, &typed_field("", mark), schema, &self.clock)?;
                        Ok(cast.alias_qualified(qualifier.cloned(), field.name()))
                    }
                    _ => Ok(expr),
                }
            };
            let exprs = schema.iter().enumerate().map(column).collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(LogicalPlanBuilder::from(input.as_ref().clone()).project(exprs)?.build()?))
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        Ok(LogicalPlan::Union(Union { inputs, ..union }))
    }

    fn apply_to_node(&self, plan: LogicalPlan, retype: bool) -> DfResult<Transformed<LogicalPlan>> {
        let plan = self.same_marks(plan)?;
        let mut schema = merge_schema(&plan.inputs());
        if let LogicalPlan::TableScan(scan) = &plan {
            let source = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?;
            schema.merge(&source);
        }
        // The types of VALUES are settled for all its rows, and LIMIT is a bigint.
        let is_limit = matches!(plan, LogicalPlan::Limit(_));
        let retype = retype && !is_limit && !matches!(plan, LogicalPlan::Values(_));
        let sort = matches!(plan, LogicalPlan::Sort(_));
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            if let Expr::GroupingSet(set) = expr {
                let set = map_grouping_set(set, |key| {
                    let name = NamePreserver::new_for_projection().save(&key);
                    Ok(name.restore(self.rewrite(key, &schema, retype)?.data))
                })?;
                return Ok(Transformed::yes(Expr::GroupingSet(set)));
            }
            let expr = match expr {
                Expr::Placeholder(open) if is_limit && open.field.is_none() => {
                    let field = Some(Arc::new(Field::new("", DataType::Int64, true)));
                    Expr::Placeholder(Placeholder { field, ..open })
                }
                other => other,
            };
            let name = names.save(&expr);
            let mut rewritten = self.rewrite(expr, &schema, retype)?;
            if sort && let Some(of) = marked(&rewritten.data, &schema) {
                return Ok(rewritten.update_data(|expr| order_key(expr, &of)));
            }
            if sort {
                rewritten = rewritten.map_data(|expr| Ok(key_of_number(expr, &schema)?))?;
            }
            if sort && Kind::of(&rewritten.data.get_type(&schema)?) == Kind::Interval {
                // A month is 30 days here, which Arrow does not know.
                return Ok(rewritten.update_data(|expr| interval_key().call(vec![expr])));
            }
            Ok(rewritten.update_data(|expr| name.restore(expr)))
        })?
        .map_data(|plan| Ok(settle_keys(plan.recompute_schema()?, &self.clock)?))
    }

    /// Rewrites one expression over `schema`.
    ///
    /// # Errors
    /// As [`PgMeaning::apply`].
    pub fn rewrite_expr(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        Ok(self.rewrite(expr, schema, true)?.data)
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, retype: bool) -> DfResult<Transformed<Expr>> {
        let rewritten = expr.transform_down_up(
            |expr| {
                // A literal that is cast has the type it is cast to, and no other before.
                if let Expr::Cast(cast) = &expr
                    && matches!(cast.expr.as_ref(), Expr::Literal(..))
                {
                    return Ok(Transformed::new(expr, false, TreeNodeRecursion::Jump));
                }
                Ok(Transformed::no(expr))
            },
            |expr| Ok(Transformed::yes(self.rewrite_node(expr, schema, retype)?)),
        )?;
        rewritten.transform_data(same_parameters)
    }

    fn rewrite_node(&self, expr: Expr, schema: &DFSchema, retype: bool) -> Result<Expr> {
        let clock = &self.clock;
        match expr {
            Expr::Literal(..) if retype => Ok(retype_literal(expr)),
            Expr::Cast(cast) => plan_marked_cast(*cast.expr, &cast.field, schema, clock),
            Expr::Negative(operand) => {
                let negative = named::call("pg_neg", vec![(*operand).clone()]);
                match Operand::new(*operand.clone(), schema) {
                    Some(known) if !matches!(known.kind, Kind::Unknown | Kind::Other) => {
                        self.rewrite_node(negative, schema, retype)
                    }
                    _ => Ok(Expr::Negative(operand)),
                }
            }
            Expr::Between(Between { expr, negated, low, high }) => {
                let above = self.compare(Operator::GtEq, &expr, &low, schema)?;
                let below = self.compare(Operator::LtEq, &expr, &high, schema)?;
                let (Some(above), Some(below)) = (above, below) else {
                    return Ok(Expr::Between(Between { expr, negated, low, high }));
                };
                let inside = above.and(below);
                Ok(if negated { !inside } else { inside })
            }
            Expr::InList(list) => self.in_list(list, schema),
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let (expr, subquery) = settle_subquery(*expr, schema, subquery, clock)?;
                Ok(Expr::InSubquery(InSubquery { expr: Box::new(expr), subquery, negated }))
            }
            Expr::SetComparison(SetComparison { expr, subquery, op, quantifier }) => {
                let (expr, subquery) = settle_subquery(*expr, schema, subquery, clock)?;
                Ok(Expr::SetComparison(SetComparison { expr: Box::new(expr), subquery, op, quantifier }))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                let planned = self.compare(op, &left, &right, schema)?;
                Ok(planned.unwrap_or(Expr::BinaryExpr(BinaryExpr { left, op, right })))
            }
            // The first or last in the order of the type, which is not that of the text.
            Expr::AggregateFunction(mut call) if matches!(call.func.name(), "min" | "max") => {
                let of = call.params.args.first().and_then(|arg| marked(arg, schema)).filter(has_order_key);
                if let Some(of) = of {
                    if of == ColumnType::Jsonb {
                        let name = call.func.name();
                        return Err(Error::new("42883", format!("function {name}(jsonb) does not exist")));
                    }
                    let key = order_key(call.params.args[0].clone(), &of);
                    call.params.order_by = vec![key.sort(call.func.name() == "min", false)];
                    call.params.null_treatment = Some(NullTreatment::IgnoreNulls);
                    call.func = first_value_udaf();
                }
                Ok(Expr::AggregateFunction(call))
            }
            Expr::AggregateFunction(mut call) if call.func.name() == "count" => {
                settle_arguments(&mut call, schema, clock)?;
                count_star(&mut call.params.args);
                if let Some(filter) = &call.params.filter {
                    must_be_boolean("FILTER", filter, schema)?;
                }
                Ok(Expr::AggregateFunction(call))
            }
            Expr::AggregateFunction(mut call) => {
                settle_arguments(&mut call, schema, clock)?;
                if let Some(filter) = &call.params.filter {
                    must_be_boolean("FILTER", filter, schema)?;
                }
                Ok(Expr::AggregateFunction(call))
            }
            Expr::WindowFunction(mut call) => {
                if call.fun.name() == "count" {
                    count_star(&mut call.params.args);
                }
                let partition = std::mem::take(&mut call.params.partition_by).into_iter();
                call.params.partition_by = partition.map(|key| key_of_number(key, schema)).collect::<Result<_>>()?;
                call.params.order_by = sorted(std::mem::take(&mut call.params.order_by), schema)?;
                for key in &mut call.params.order_by {
                    let kind = Kind::of(&key.expr.get_type(schema)?);
                    if kind == Kind::Interval {
                        key.expr = interval_key().call(vec![std::mem::take(&mut key.expr)]);
                    }
                    // Ranges without offsets are groups of equals, which DataFusion can tell of any type.
                    let frame = &mut call.params.window_frame;
                    let plain = is_plain(&frame.start_bound) && is_plain(&frame.end_bound);
                    if plain && frame.units == WindowFrameUnits::Range && is_unranged(kind) {
                        frame.units = WindowFrameUnits::Groups;
                    }
                }
                Ok(Expr::WindowFunction(call))
            }
            Expr::Case(case) => self.case(case, schema),
            Expr::Not(operand) => {
                must_be_boolean("NOT", &operand, schema)?;
                Ok(Expr::Not(operand))
            }
            Expr::IsTrue(ref operand)
            | Expr::IsNotTrue(ref operand)
            | Expr::IsFalse(ref operand)
            | Expr::IsNotFalse(ref operand)
            | Expr::IsUnknown(ref operand)
            | Expr::IsNotUnknown(ref operand) => {
                must_be_boolean("IS", operand, schema)?;
                Ok(expr)
            }
            Expr::ScalarFunction(ScalarFunction { func, mut args }) => {
                let func = any::settled(func);
                if let Some(operator) = func.inner().downcast_ref::<PgOperator>() {
                    // Its operands may have got other types since it was planned.
                    let op = match operator.op() {
                        Op::Add => BinaryOperator::Plus,
                        Op::Sub => BinaryOperator::Minus,
                        Op::Mul => BinaryOperator::Multiply,
                        Op::Div => BinaryOperator::Divide,
                        Op::Mod => BinaryOperator::Modulo,
                        Op::Pow => BinaryOperator::PGExp,
                    };
                    if let Some(planned) = plan_binary(&op, args[0].clone(), args[1].clone(), schema, clock)? {
                        return Ok(planned);
                    }
                } else if let Some(common) = func.inner().downcast_ref::<Common>() {
                    return common.settle(args, schema, clock);
                } else if let Some(resolver) = func.inner().downcast_ref::<TimeBucket>() {
                    args = resolver.resolve(args, schema, clock)?;
                } else if let Some(function) = func.inner().downcast_ref::<Function>() {
                    args = function.resolve(args, schema, clock)?;
                    return self.settle(func, args, schema);
                } else if func.name() == "array_has" && is_untyped(&args[0]) {
                    // x = ANY ($1): an array of what x is.
                    if let Some(item) = field_type(&args[1].to_field(schema)?.1) {
                        let list = typed_field("", &ColumnType::List(Box::new(item)));
                        args[0] = plan_marked_cast(args[0].clone(), &list, schema, clock)?;
                    }
                } else if func.name() == "array_element" {
                    let call = Expr::ScalarFunction(ScalarFunction { func, args });
                    return Ok(match marked(&call, schema) {
                        Some(item) => mark(call, &item),
                        None => call,
                    });
                } else if func.inner().is::<JsonFunction>() {
                    args = json::resolve(&func, args, schema, clock)?;
                }
                if matches!(func.name(), "array_has" | "array_has_all" | "array_has_any" | "array_position") {
                    numbers_by_key(&mut args, schema, clock)?;
                }
                as_taken(&mut args, |types| func.coerce_types(types), schema, clock)?;
                crate::function::text::check(func.name(), &args, schema)?;
                if func.name().starts_with("regexp_") && args.len() > 1 {
                    args[1] = super::pattern::regex(std::mem::take(&mut args[1]));
                    if func.name() == "regexp_replace" && args.len() > 2 {
                        args[2] = super::pattern::replacement(std::mem::take(&mut args[2]));
                    }
                }
                Ok(plan_call(func, args))
            }
            other => Ok(other),
        }
    }

    /// A call whose result has digits that its arguments tell.
    fn settle(&self, func: Arc<ScalarUDF>, args: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
        let whole = func.name() == "extract" && args[1].get_type(schema)? == DataType::Date32;
        let call = Expr::ScalarFunction(ScalarFunction { func, args });
        // The seconds of a date are whole.
        if whole { plan_cast(call, &DataType::Decimal128(20, 0), schema, &self.clock) } else { Ok(call) }
    }

    fn compare(&self, op: Operator, left: &Expr, right: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
        let (Some(left), Some(right)) = (Operand::new(left.clone(), schema), Operand::new(right.clone(), schema))
        else {
            return Ok(None);
        };
        plan_comparison(op, left, right, schema, &self.clock)
    }

    /// `x IN (…)`: one set of values of the type of `x` where they all are, else a comparison for each.
    fn in_list(&self, list: InList, schema: &DFSchema) -> Result<Expr> {
        let InList { expr, list, negated } = list;
        let mut comparisons = Vec::with_capacity(list.len());
        for item in &list {
            match self.compare(Operator::Eq, &expr, item, schema)? {
                Some(comparison) => comparisons.push(comparison),
                None => return Ok(Expr::InList(InList { expr, list, negated })),
            }
        }
        let same = |c: &Expr| match c {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) if *left == expr => Some((**right).clone()),
            _ => None,
        };
        if let Some(list) = comparisons.iter().map(same).collect::<Option<Vec<_>>>() {
            return Ok(Expr::InList(InList { expr, list, negated }));
        }
        let any = comparisons.into_iter().reduce(Expr::or).unwrap_or_else(|| lit(false));
        Ok(if negated { !any } else { any })
    }

    /// Values as ones of the type that they have in common.
    ///
    /// * `what` – what they are the values of, such as `CASE`.
    pub(super) fn alike(&self, values: Vec<Expr>, what: &'static str, schema: &DFSchema) -> Result<Vec<Expr>> {
        let operands: Option<Vec<_>> = values.iter().map(|v| Operand::new(v.clone(), schema)).collect();
        let Some(operands) = operands else { return self.same_type(values, schema) };
        if values.iter().any(|value| marked(value, schema).is_some()) {
            return self.same_type(values, schema);
        }
        if operands.iter().all(|o| o.kind == Kind::Unknown) || operands.iter().any(|o| o.kind == Kind::Other) {
            return self.same_type(values, schema);
        }
        let types: Vec<DataType> = operands.iter().map(|o| o.data_type.clone()).collect();
        let common = common_type(&types, what, false)?;
        let each = operands.into_iter().map(|operand| match operand.kind {
            Kind::Unknown => Ok(operand.resolve(&common, &self.clock)?.expr),
            _ => cast_operand(operand, &common, &self.clock),
        });
        each.collect()
    }

    /// Literals without a type get that of the other values.
    fn same_type(&self, mut values: Vec<Expr>, schema: &DFSchema) -> Result<Vec<Expr>> {
        if let Some(of) = values.iter().find_map(|v| marked(v, schema)) {
            let field = typed_field("", &of);
            return values.into_iter().map(|v| plan_marked_cast(v, &field, schema, &self.clock)).collect();
        }
        let operands: Vec<_> = values.iter().filter_map(|v| Operand::new(v.clone(), schema)).collect();
        let Some(target) = operands.iter().find(|o| o.kind != Kind::Unknown).map(|o| o.data_type.clone()) else {
            return Ok(values);
        };
        for value in &mut values {
            if matches!(value, Expr::Literal(ScalarValue::Utf8(Some(_)), _))
                && let Some(operand) = Operand::new(value.clone(), schema)
            {
                *value = operand.resolve(&target, &self.clock)?.expr;
            }
        }
        Ok(values)
    }

    fn case(&self, case: Case, schema: &DFSchema) -> Result<Expr> {
        let Case { expr, mut when_then_expr, else_expr } = case;
        let mut expr = expr;
        if let Some(operand) = &expr {
            // CASE x WHEN y is x = y, which may have to convert either of them.
            let conditions = when_then_expr
                .iter()
                .map(|(when, _)| self.compare(Operator::Eq, operand, when, schema))
                .collect::<Result<Option<Vec<_>>>>()?;
            if let Some(conditions) = conditions {
                for (condition, (when, _)) in conditions.into_iter().zip(&mut when_then_expr) {
                    **when = condition;
                }
                expr = None;
            }
        }
        if expr.is_none() {
            for (condition, _) in &when_then_expr {
                must_be_boolean("CASE/WHEN", condition, schema)?;
            }
        }
        let mut results: Vec<Expr> = when_then_expr.iter().map(|(_, then)| (**then).clone()).collect();
        results.extend(else_expr.iter().map(|e| (**e).clone()));
        let mut results = self.alike(results, "CASE", schema)?.into_iter();
        for ((_, then), result) in when_then_expr.iter_mut().zip(results.by_ref()) {
            **then = result;
        }
        let else_expr = else_expr.map(|_| Box::new(results.next().expect("there is one result for each branch")));
        let of = when_then_expr.first().and_then(|(_, then)| marked(then, schema));
        let case = Expr::Case(Case { expr, when_then_expr, else_expr });
        Ok(match of {
            Some(of) => mark(case, &of),
            None => case,
        })
    }
}

/// A parameter that got a type in one place has it in all.
fn same_parameters(expr: Expr) -> DfResult<Transformed<Expr>> {
    let mut known: HashMap<String, FieldRef> = HashMap::new();
    expr.apply(|expr| {
        if let Expr::Placeholder(Placeholder { id, field: Some(field) }) = expr {
            known.insert(id.clone(), field.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if known.is_empty() {
        return Ok(Transformed::no(expr));
    }
    expr.transform_up(|expr| match expr {
        Expr::Placeholder(Placeholder { id, field: None }) => {
            let field = known.get(&id).cloned();
            Ok(Transformed::yes(Expr::Placeholder(Placeholder { id, field })))
        }
        other => Ok(Transformed::no(other)),
    })
}

/// A call of a function of DataFusion's that counts in other integers, or that does less than PostgreSQL's.
fn plan_call(func: Arc<ScalarUDF>, args: Vec<Expr>) -> Expr {
    use datafusion::functions_nested::{remove, replace};
    const INTEGERS: &[&str] =
        &["regexp_count", "regexp_instr", "array_length", "array_ndims", "array_position", "cardinality"];
    match func.name() {
        "array_remove" => remove::array_remove_all_udf().call(args),
        "array_replace" => replace::array_replace_all_udf().call(args),
        name if INTEGERS.contains(&name) => Expr::Cast(Cast::new(Box::new(func.call(args)), DataType::Int32)),
        "array_positions" => {
            let item = Arc::new(arrow::datatypes::Field::new("item", DataType::Int32, true));
            Expr::Cast(Cast::new(Box::new(func.call(args)), DataType::List(item)))
        }
        _ => Expr::ScalarFunction(ScalarFunction { func, args }),
    }
}

/// Lists that are searched for numbers without bounds, and what is looked for, as keys that are equal where these are.
fn numbers_by_key(args: &mut [Expr], schema: &DFSchema, clock: &Clockface) -> Result<()> {
    let item = |data_type: &DataType| match data_type {
        DataType::List(item) => item.data_type().clone(),
        other => other.clone(),
    };
    let Some(args) = args.get_mut(..2) else { return Ok(()) };
    let types = args.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>, _>>()?;
    if !types.iter().any(|data_type| item(data_type) == UNBOUNDED) {
        return Ok(());
    }
    for (arg, data_type) in args.iter_mut().zip(types) {
        let list = matches!(data_type, DataType::List(_));
        let target = if list { exact::list_type() } else { UNBOUNDED };
        let numbers = plan_cast(std::mem::take(arg), &target, schema, clock)?;
        *arg = if list { exact::list_key(numbers) } else { exact::key(numbers) };
    }
    Ok(())
}

/// The keys of a grouping set by themselves: the columns of the result are named after each of them.
fn map_grouping_set(set: GroupingSet, mut f: impl FnMut(Expr) -> DfResult<Expr>) -> DfResult<GroupingSet> {
    let mut each = |keys: Vec<Expr>| keys.into_iter().map(&mut f).collect::<DfResult<Vec<_>>>();
    Ok(match set {
        GroupingSet::Rollup(keys) => GroupingSet::Rollup(each(keys)?),
        GroupingSet::Cube(keys) => GroupingSet::Cube(each(keys)?),
        GroupingSet::GroupingSets(sets) => {
            GroupingSet::GroupingSets(sets.into_iter().map(each).collect::<DfResult<_>>()?)
        }
    })
}

/// Whether a bound of a window frame has no offset.
fn is_plain(bound: &WindowFrameBound) -> bool {
    match bound {
        WindowFrameBound::Preceding(offset) | WindowFrameBound::Following(offset) => offset.is_null(),
        WindowFrameBound::CurrentRow => true,
    }
}

/// Whether DataFusion has no ranges of a type.
fn is_unranged(kind: Kind) -> bool {
    matches!(kind, Kind::Time | Kind::Uuid | Kind::Bytea)
}

/// Leaves `count(*)` the literal by which DataFusion knows it.
fn count_star(args: &mut [Expr]) {
    if let [Expr::Literal(value @ ScalarValue::Int32(Some(1)), _)] = args {
        *value = ScalarValue::Int64(Some(1));
    }
}

fn must_be_boolean(what: &str, operand: &Expr, schema: &DFSchema) -> Result<()> {
    match Operand::new(operand.clone(), schema) {
        Some(known) if !matches!(known.kind, Kind::Unknown | Kind::Boolean | Kind::Other) => {
            let name = type_name(&known.data_type);
            Err(Error::new("42804", format!("argument of {what} must be type boolean, not type {name}")))
        }
        _ => Ok(()),
    }
}
