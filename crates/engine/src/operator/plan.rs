//! Choosing an operator by the types of its operands.

use super::arithmetic::{self, Op};
use super::cast::plan_cast;
use super::exact;
use super::marked::{self, plan_marked_binary};
use super::meaning::PgMeaning;
use super::named;
use super::operand::{Kind, Operand, UNBOUNDED, interval, no_operator, timestamp, timestamptz, type_name};
use super::syntax::asked_of_state;
use crate::error::{Error, Result};
use crate::function::aggregate::distinct_list::distinct_list;
use crate::state::{accessor, value};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::{AggregateFunction, Cast, Placeholder, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawWindowExpr};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, lit,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use highwater_model::time::Clockface;
use std::sync::{Arc, LazyLock};

/// Gives operators PostgreSQL's meaning while DataFusion plans a statement. Put it before all other planners.
#[derive(Clone, Copy, Debug)]
pub struct PgPlanner {
    clock: Clockface,
}

impl PgPlanner {
    /// A planner for a statement.
    ///
    /// * `clock` – the session's zone and the start of its transaction, for literals like `'today'`.
    pub fn new(clock: Clockface) -> Self {
        PgPlanner { clock }
    }
}

impl ExprPlanner for PgPlanner {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> DfResult<PlannerResult<RawBinaryExpr>> {
        if let Some(name) = asked_of_state(&raw.op) {
            let state = raw.left.get_type(schema).ok().and_then(|t| value::Kind::of(&t));
            return Ok(PlannerResult::Planned(match (state, accessor::function(name)) {
                (Some(_), Some(accessor)) => accessor.call(vec![raw.left]),
                _ => raw.right,
            }));
        }
        let planned = plan_binary(&raw.op, raw.left.clone(), raw.right.clone(), schema, &self.clock)?;
        Ok(match planned {
            Some(expr) => PlannerResult::Planned(expr),
            None => PlannerResult::Original(raw),
        })
    }

    fn plan_array_literal(&self, items: Vec<Expr>, schema: &DFSchema) -> DfResult<PlannerResult<Vec<Expr>>> {
        // Whoever makes the array of them comes next.
        Ok(PlannerResult::Original(PgMeaning::new(self.clock).alike(items, "ARRAY", schema)?))
    }

    fn plan_extract(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        let field = match args.first() {
            // The field may be in quotes, which are then part of its name here.
            Some(Expr::Literal(ScalarValue::Utf8(Some(field)), _)) => field.trim_matches('\'').to_lowercase(),
            _ => String::new(),
        };
        let args = std::iter::once(lit(field.clone())).chain(args.into_iter().skip(1)).collect();
        Ok(PlannerResult::Planned(crate::function::date_part::extract(&field).call(args)))
    }

    fn plan_aggregate(&self, mut raw: RawAggregateExpr) -> DfResult<PlannerResult<RawAggregateExpr>> {
        // What is aggregated once is sorted for it, and so comes in order.
        if raw.distinct && raw.func.name() == "array_agg" {
            raw.func = distinct_list();
            if raw.order_by.is_empty() {
                raw.order_by = raw.args.iter().take(1).map(|arg| arg.clone().sort(true, false)).collect();
            }
        }
        if !raw.distinct || raw.func.name() != "string_agg" || raw.args.len() != 2 {
            return Ok(PlannerResult::Original(raw));
        }
        let (separator, text) = (raw.args.remove(1), raw.args.remove(0));
        let known = text.clone().is_not_null();
        let filter = match raw.filter {
            Some(filter) => filter.and(known),
            None => known,
        };
        if raw.order_by.is_empty() {
            raw.order_by.push(text.clone().sort(true, false));
        }
        let all = Expr::AggregateFunction(AggregateFunction::new_udf(
            distinct_list(),
            vec![text],
            true,
            Some(Box::new(filter)),
            raw.order_by,
            None,
        ));
        let joined = datafusion::functions_nested::string::array_to_string_udf().call(vec![all, separator]);
        Ok(PlannerResult::Planned(joined))
    }

    fn plan_window(&self, raw: RawWindowExpr) -> DfResult<PlannerResult<RawWindowExpr>> {
        if raw.distinct {
            return Err(Error::unsupported("DISTINCT is not implemented for window functions").into());
        }
        if raw.func_def.name() != "ntile" {
            return Ok(PlannerResult::Original(raw));
        }
        let params = WindowFunctionParams {
            args: raw.args,
            partition_by: raw.partition_by,
            order_by: raw.order_by,
            window_frame: raw.window_frame,
            filter: raw.filter,
            null_treatment: raw.null_treatment,
            distinct: raw.distinct,
        };
        let call = Expr::from(WindowFunction { fun: raw.func_def, params });
        Ok(PlannerResult::Planned(Expr::Cast(Cast::new(Box::new(call), DataType::Int32))))
    }

    fn plan_substring(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(crate::function::text::call("substring", args)))
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(crate::function::text::call("overlay", args)))
    }
}

/// The operation as PostgreSQL means it; `None` where DataFusion's own meaning is right, or where the types are
/// none of ours.
///
/// # Errors
/// 42883 when there is no such operator for these types; those of reading a literal.
pub fn plan_binary(
    op: &BinaryOperator,
    left: Expr,
    right: Expr,
    schema: &DFSchema,
    clock: &Clockface,
) -> Result<Option<Expr>> {
    if let Some(planned) = plan_marked_binary(op, &left, &right, schema, clock)? {
        return Ok(Some(planned));
    }
    if let Some(planned) = plan_arrays(op, &left, &right, schema, clock)? {
        return Ok(Some(planned));
    }
    let (Some(left), Some(right)) = (Operand::new(left, schema), Operand::new(right, schema)) else {
        return Ok(None);
    };
    let comparison = match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        BinaryOperator::Plus => return plan_arithmetic(Op::Add, left, right, clock),
        BinaryOperator::Minus => return plan_arithmetic(Op::Sub, left, right, clock),
        BinaryOperator::Multiply => return plan_arithmetic(Op::Mul, left, right, clock),
        BinaryOperator::Divide => return plan_arithmetic(Op::Div, left, right, clock),
        BinaryOperator::Modulo => return plan_arithmetic(Op::Mod, left, right, clock),
        BinaryOperator::PGExp => return plan_arithmetic(Op::Pow, left, right, clock),
        BinaryOperator::StringConcat => return plan_concat(left, right, schema, clock),
        BinaryOperator::And | BinaryOperator::Or => {
            let op = if *op == BinaryOperator::And { Operator::And } else { Operator::Or };
            let (left, right) = (to_boolean(op, left, clock)?, to_boolean(op, right, clock)?);
            return Ok(Some(binary(left.expr, op, right.expr)));
        }
        BinaryOperator::Custom(name) if name == DISTINCT => Operator::IsDistinctFrom,
        BinaryOperator::Custom(name) if name == NOT_DISTINCT => Operator::IsNotDistinctFrom,
        BinaryOperator::BitwiseAnd => return plan_named("pg_bitand", left, right, clock),
        BinaryOperator::BitwiseOr => return plan_named("pg_bitor", left, right, clock),
        BinaryOperator::PGBitwiseXor => return plan_named("pg_bitxor", left, right, clock),
        BinaryOperator::PGBitwiseShiftLeft => return plan_named("pg_shift_left", left, right, clock),
        BinaryOperator::PGBitwiseShiftRight => return plan_named("pg_shift_right", left, right, clock),
        _ => return super::pattern::plan_match(op, left, right, clock),
    };
    plan_comparison(comparison, left, right, schema, clock)
}

/// `@>`, `<@` and `&&` of arrays; `None` for other operators and operands.
fn plan_arrays(
    op: &BinaryOperator,
    left: &Expr,
    right: &Expr,
    schema: &DFSchema,
    clock: &Clockface,
) -> Result<Option<Expr>> {
    use datafusion::functions_nested::array_has::{array_has_all_udf, array_has_any_udf};
    if !matches!(op, BinaryOperator::AtArrow | BinaryOperator::ArrowAt | BinaryOperator::PGOverlap) {
        return Ok(None);
    }
    let list = |expr: &Expr| expr.get_type(schema).ok().filter(|t| matches!(t, DataType::List(_)));
    let (l, r) = (list(left), list(right));
    let Some(target) = l.clone().or_else(|| r.clone()) else { return Ok(None) };
    let side = |expr: &Expr, known: &Option<DataType>| match known {
        None if marked::is_untyped(expr) => plan_cast(expr.clone(), &target, schema, clock),
        _ => Ok(expr.clone()),
    };
    let (left, right) = (side(left, &l)?, side(right, &r)?);
    Ok(Some(match op {
        BinaryOperator::AtArrow => array_has_all_udf().call(vec![left, right]),
        BinaryOperator::ArrowAt => array_has_all_udf().call(vec![right, left]),
        _ => array_has_any_udf().call(vec![left, right]),
    }))
}

/// How `IS [NOT] DISTINCT FROM` is written where it is to be planned by us.
pub const DISTINCT: &str = "IS DISTINCT FROM";
/// See [`DISTINCT`].
pub const NOT_DISTINCT: &str = "IS NOT DISTINCT FROM";

/// An operator on bits. Bits of arrays, records and the like are not for us.
fn plan_named(function: &str, left: Operand, right: Operand, clock: &Clockface) -> Result<Option<Expr>> {
    if left.kind == Kind::Other || right.kind == Kind::Other {
        return Ok(None);
    }
    if is_untyped_text(&left) && is_untyped_text(&right) {
        let symbol = named::symbol(function).unwrap_or(function);
        return Err(not_unique(&format!("unknown {symbol} unknown")));
    }
    // What has no type gets that of the other side where there is such an operator.
    let left = match (left.kind, right.kind) {
        (Kind::Unknown, Kind::SmallInt) if function.starts_with("pg_shift") => {
            let symbol = named::symbol(function).unwrap_or(function);
            return Err(not_unique(&format!("unknown {symbol} smallint")));
        }
        (Kind::Unknown, Kind::Integer) => left.resolve(&DataType::Int32, clock)?,
        _ => left,
    };
    Ok(Some(named::call(function, vec![left.expr, right.expr])))
}

/// 42725: operands without a type fit several operators.
pub fn not_unique(call: &str) -> Error {
    Error::new("42725", format!("operator is not unique: {call}"))
        .hint("Could not choose a best candidate operator. You might need to add explicit type casts.")
}

/// An operand of AND or OR.
fn to_boolean(op: Operator, operand: Operand, clock: &Clockface) -> Result<Operand> {
    match operand.kind {
        Kind::Unknown => operand.resolve(&DataType::Boolean, clock),
        Kind::Boolean => Ok(operand),
        _ => {
            let name = type_name(&operand.data_type);
            Err(Error::new("42804", format!("argument of {op} must be type boolean, not type {name}")))
        }
    }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// The type our kernels take for values of this type.
fn normal(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) => DataType::Decimal128(*p, *s),
        other => Kind::of(other).arrow().unwrap_or_else(|| other.clone()),
    }
}

fn is_untyped_text(operand: &Operand) -> bool {
    matches!(operand.expr, Expr::Literal(ScalarValue::Utf8(Some(_)), _))
}

fn is_wide(operand: &Operand) -> bool {
    matches!(operand.data_type, DataType::Decimal256(..))
}

fn plan_arithmetic(op: Op, left: Operand, right: Operand, clock: &Clockface) -> Result<Option<Expr>> {
    if is_wide(&left) || is_wide(&right) {
        return Ok(None);
    }
    let (left, right) = match (left.kind, right.kind) {
        (Kind::Unknown, Kind::Unknown) if op == Op::Pow => {
            (left.resolve(&DataType::Float64, clock)?, right.resolve(&DataType::Float64, clock)?)
        }
        (Kind::Unknown, Kind::Unknown) if is_untyped_text(&left) || is_untyped_text(&right) => {
            return Err(not_unique(&format!("unknown {} unknown", op.symbol())));
        }
        (Kind::Unknown, Kind::Unknown) => return Ok(None),
        (Kind::Unknown, Kind::Date) | (Kind::Date, Kind::Unknown)
            if op == Op::Add && (is_untyped_text(&left) || is_untyped_text(&right)) =>
        {
            let call = if left.kind == Kind::Date { "date + unknown" } else { "unknown + date" };
            return Err(not_unique(call));
        }
        (Kind::Unknown, kind) => {
            let target = other_side(op, kind, &right.data_type, false);
            (left.resolve(&target, clock)?, right)
        }
        (kind, Kind::Unknown) => {
            let target = other_side(op, kind, &left.data_type, true);
            let right = right.resolve(&target, clock)?;
            (left, right)
        }
        _ => (left, right),
    };
    let (left, right) = spans(op, left, right, clock)?;
    if left.kind.is_number() && right.kind.is_number() {
        return plan_numbers(op, left, right).map(Some);
    }
    let missing = no_operator(op.symbol(), &left.data_type, &right.data_type);
    let (mut left, mut right) = (left, right);
    // A factor of an interval is a float; a number of days is an integer.
    if matches!(op, Op::Mul | Op::Div) && left.kind == Kind::Interval && right.kind.is_number() {
        right = right.widen(&DataType::Float64);
    } else if op == Op::Mul && right.kind == Kind::Interval && left.kind.is_number() {
        left = left.widen(&DataType::Float64);
    }
    if left.kind == Kind::Date && matches!(right.kind, Kind::SmallInt | Kind::Integer) {
        right = convert(right, &DataType::Int32, clock)?;
    } else if op == Op::Add && right.kind == Kind::Date && matches!(left.kind, Kind::SmallInt | Kind::Integer) {
        left = convert(left, &DataType::Int32, clock)?;
    }
    if op == Op::Sub && left.kind.is_datetime() && right.kind.is_datetime() && left.kind != right.kind {
        let target = if left.kind.max(right.kind) == Kind::Timestamptz { timestamptz() } else { timestamp() };
        left = convert(left, &target, clock)?;
        right = convert(right, &target, clock)?;
    }
    if left.kind == Kind::Other || right.kind == Kind::Other {
        return Ok(None);
    }
    let (left, right) = (left.clone().widen(&normal(&left.data_type)), right.clone().widen(&normal(&right.data_type)));
    match arithmetic::result_type(op, &left.data_type, &right.data_type) {
        Ok(_) => Ok(Some(op.call(left.expr, right.expr))),
        Err(_) => Err(missing),
    }
}

/// A time of day is an interval where it is multiplied, or added to or taken from something that goes on.
fn spans(op: Op, left: Operand, right: Operand, clock: &Clockface) -> Result<(Operand, Operand)> {
    let counts = |kind: Kind| kind.is_number() && matches!(op, Op::Mul | Op::Div);
    let stamp = |kind: Kind| matches!(kind, Kind::Timestamp | Kind::Timestamptz);
    match (left.kind, right.kind) {
        (Kind::Time, other) if counts(other) || (op == Op::Add && stamp(other)) => {
            Ok((convert(left, &interval(), clock)?, right))
        }
        (other, Kind::Time)
            if (op == Op::Mul && other.is_number())
                || (matches!(op, Op::Add | Op::Sub) && stamp(other))
                || (op == Op::Sub && matches!(other, Kind::Date | Kind::Interval)) =>
        {
            Ok((left, convert(right, &interval(), clock)?))
        }
        _ => Ok((left, right)),
    }
}

/// The type of an operand that has none, beside one of `kind`.
///
/// PostgreSQL takes the other's own type if there is such an operator, else the only type that fits.
fn other_side(op: Op, kind: Kind, data_type: &DataType, unknown_is_right: bool) -> DataType {
    match (op, kind) {
        (Op::Add, Kind::Timestamp | Kind::Timestamptz | Kind::Date | Kind::Time) => interval(),
        (Op::Mul, Kind::Interval) => DataType::Float64,
        (Op::Div, Kind::Interval) if unknown_is_right => DataType::Float64,
        (Op::Pow, kind) if kind.is_integer() || kind == Kind::Real => DataType::Float64,
        _ => normal(data_type),
    }
}

fn plan_numbers(op: Op, left: Operand, right: Operand) -> Result<Expr> {
    let (l, r) = (left.kind, right.kind);
    if op == Op::Mod && (l.is_float() || r.is_float()) {
        return Err(no_operator("%", &left.data_type, &right.data_type));
    }
    if l == Kind::Real && r == Kind::Real && op != Op::Pow {
        return Ok(op.call(left.widen(&DataType::Float32).expr, right.widen(&DataType::Float32).expr));
    }
    let has_numeric = l == Kind::Numeric || r == Kind::Numeric;
    if l.is_float() || r.is_float() || (op == Op::Pow && !has_numeric) {
        return Ok(op.call(left.widen(&DataType::Float64).expr, right.widen(&DataType::Float64).expr));
    }
    if has_numeric {
        let (left, right) = (left.into_numeric(), right.into_numeric());
        return Ok(op.call(left.expr, right.expr));
    }
    let target = l.max(r).arrow().expect("every integer has a type");
    Ok(op.call(left.widen(&target).expr, right.widen(&target).expr))
}

fn convert(operand: Operand, target: &DataType, clock: &Clockface) -> Result<Operand> {
    let (kind, data_type) = (Kind::of(target), target.clone());
    let expr = super::cast::cast_operand(operand, target, clock)?;
    Ok(Operand { expr, data_type, kind })
}

/// What an interval is compared by, as a function.
pub fn interval_key() -> Arc<ScalarUDF> {
    static KEY: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::from(IntervalKey { signature: Signature::any(1, Volatility::Immutable) }))
    });
    Arc::clone(&KEY)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IntervalKey {
    signature: Signature,
}

impl ScalarUDFImpl for IntervalKey {
    fn name(&self) -> &str {
        "pg_interval_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Decimal128(38, 0))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(super::time::interval_key(&args.args[0], args.return_type())?)
    }
}

/// `left op right` for a comparison; with any of the six, and `IS [NOT] DISTINCT FROM`.
///
/// # Errors
/// 42883 when the types cannot be compared; those of reading a literal.
pub fn plan_comparison(
    op: Operator,
    left: Operand,
    right: Operand,
    schema: &DFSchema,
    clock: &Clockface,
) -> Result<Option<Expr>> {
    if let Some(planned) = marked::compare(op, &left.expr, &right.expr, schema, clock)? {
        return Ok(Some(planned));
    }
    let (left, right) = match (left.kind, right.kind) {
        (Kind::Unknown, Kind::Unknown) => {
            if !is_untyped_text(&left) && !is_untyped_text(&right) {
                let distinct = matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom);
                return Ok(distinct.then(|| binary(left.expr, op, right.expr)));
            }
            (left.resolve(&DataType::Utf8, clock)?, right.resolve(&DataType::Utf8, clock)?)
        }
        (Kind::Unknown, _) => (beside(left, &right, clock)?, right),
        (_, Kind::Unknown) => {
            let right = beside(right, &left, clock)?;
            (left, right)
        }
        _ => (left, right),
    };
    let (left, right) = match (left.kind, right.kind) {
        (Kind::Time, Kind::Interval) => (convert(left, &interval(), clock)?, right),
        (Kind::Interval, Kind::Time) => (left, convert(right, &interval(), clock)?),
        _ => (left, right),
    };
    let (l, r) = (left.kind, right.kind);
    if let (DataType::List(a), DataType::List(b)) = (&left.data_type, &right.data_type)
        && [a, b].iter().any(|item| *item.data_type() == UNBOUNDED)
    {
        let keys = |list| Ok::<_, Error>(exact::list_key(convert(list, &exact::list_type(), clock)?.expr));
        return Ok(Some(binary(keys(left)?, op, keys(right)?)));
    }
    if l == Kind::Other || r == Kind::Other || is_wide(&left) || is_wide(&right) {
        return Ok(Some(binary(left.expr, op, right.expr)));
    }
    if l.is_number() && r.is_number() {
        let (left, right) = alike(left, right);
        return Ok(Some(match left.data_type {
            UNBOUNDED => exact::compare(op, left.expr, right.expr),
            _ => compare_numbers(op, left, right),
        }));
    }
    if l.is_datetime() && r.is_datetime() && l != r {
        let target = if l.max(r) == Kind::Timestamptz { timestamptz() } else { timestamp() };
        let (left, right) = (convert(left, &target, clock)?, convert(right, &target, clock)?);
        return Ok(Some(binary(left.expr, op, right.expr)));
    }
    if l != r {
        return Err(no_operator(&op.to_string(), &left.data_type, &right.data_type));
    }
    if l == Kind::Interval {
        let key = |operand: Operand| interval_key().call(vec![operand.widen(&interval()).expr]);
        return Ok(Some(binary(key(left), op, key(right))));
    }
    Ok(Some(binary(left.expr, op, right.expr)))
}

/// An operand without a type beside one that has one.
fn beside(unknown: Operand, typed: &Operand, clock: &Clockface) -> Result<Operand> {
    let target = match &typed.data_type {
        DataType::Timestamp(_, tz) => DataType::Timestamp(TimeUnit::Microsecond, tz.clone().map(|_| "UTC".into())),
        other => other.clone(),
    };
    if let (DataType::Decimal128(..), Expr::Placeholder(placeholder)) = (&target, &unknown.expr) {
        let id = placeholder.id.clone();
        let field = Some(Arc::new(arrow::datatypes::Field::new("", target.clone(), true)));
        let expr = Expr::Placeholder(Placeholder { id, field });
        return Ok(Operand { expr, kind: Kind::Numeric, data_type: target });
    }
    unknown.resolve(&target, clock)
}

/// Two numbers as the one type in which they are compared. A literal takes the column's type where it can, so
/// that the column stays bare and statistics and keys can be used.
fn alike(left: Operand, right: Operand) -> (Operand, Operand) {
    if left.data_type == right.data_type {
        return (left, right);
    }
    if right.is_literal() && !left.is_literal() {
        if let Some(right) = exactly(&right, &left.data_type) {
            return (left, right);
        }
    } else if left.is_literal()
        && !right.is_literal()
        && let Some(left) = exactly(&left, &right.data_type)
    {
        return (left, right);
    }
    let (l, r) = (left.kind, right.kind);
    if l.is_float() || r.is_float() {
        return (left.widen(&DataType::Float64), right.widen(&DataType::Float64));
    }
    if l.is_integer() && r.is_integer() {
        let target = l.max(r).arrow().expect("every integer has a type");
        return (left.widen(&target), right.widen(&target));
    }
    let ((p1, s1), (p2, s2)) = (left.digits(), right.digits());
    let scale = s1.max(s2);
    let target = match (p1 as i8 - s1).max(p2 as i8 - s2).saturating_add(scale) {
        digits @ ..=38 if ![&left, &right].iter().any(|operand| operand.data_type == UNBOUNDED) => {
            DataType::Decimal128(digits.max(1) as u8, scale)
        }
        _ => UNBOUNDED,
    };
    (left.widen(&target), right.widen(&target))
}

/// The literal as `target`, if it has exactly this value there.
fn exactly(literal: &Operand, target: &DataType) -> Option<Operand> {
    let Expr::Literal(value, metadata) = &literal.expr else { return None };
    let kind = Kind::of(target);
    if literal.data_type == UNBOUNDED || *target == UNBOUNDED {
        return None;
    }
    if !kind.is_number() || (kind == Kind::Real && literal.kind != Kind::Real) {
        // A real equals a numeric only after both have become double precision.
        return None;
    }
    let there = value.cast_to(target).ok()?;
    if literal.kind.is_float() != kind.is_float() {
        // Into a float PostgreSQL converts as well; out of one it does not.
        return (kind == Kind::Double).then(|| Operand {
            expr: Expr::Literal(there, metadata.clone()),
            kind,
            data_type: target.clone(),
        });
    }
    let back = there.cast_to(&literal.data_type).ok()?;
    (back == *value).then(|| Operand { expr: Expr::Literal(there, metadata.clone()), kind, data_type: target.clone() })
}

/// Compares numbers of one type. Arrow orders −0 below 0, PostgreSQL has them equal: beside a literal zero the
/// bound is chosen so that both zeros are on the right side of it.
fn compare_numbers(op: Operator, left: Operand, right: Operand) -> Expr {
    let zero = |operand: &Operand| match operand.expr {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => value == 0.0,
        Expr::Literal(ScalarValue::Float32(Some(value)), _) => value == 0.0,
        _ => false,
    };
    if zero(&left) && !zero(&right) {
        return match op.swap() {
            Some(op) => compare_numbers(op, right, left),
            None => binary(left.expr, op, right.expr),
        };
    }
    if !zero(&right) {
        return binary(left.expr, op, right.expr);
    }
    let bound = |value: f64| match right.data_type {
        DataType::Float32 => lit(value as f32),
        _ => lit(value),
    };
    let x = left.expr;
    match op {
        Operator::Eq => binary(x.clone(), Operator::GtEq, bound(-0.0)).and(binary(x, Operator::LtEq, bound(0.0))),
        Operator::NotEq => binary(x.clone(), Operator::Lt, bound(-0.0)).or(binary(x, Operator::Gt, bound(0.0))),
        Operator::GtEq | Operator::Lt => binary(x, op, bound(-0.0)),
        _ => binary(x, op, bound(0.0)),
    }
}

/// `left || right`.
fn plan_concat(left: Operand, right: Operand, schema: &DFSchema, clock: &Clockface) -> Result<Option<Expr>> {
    let textual = |kind: Kind| matches!(kind, Kind::Text | Kind::Unknown);
    if left.kind == Kind::Other || right.kind == Kind::Other {
        return Ok(None);
    }
    if [left.kind, right.kind].contains(&Kind::Bytea) && [left.kind, right.kind] != [Kind::Text; 2] {
        let bytes = |operand: Operand| match operand.kind {
            Kind::Unknown => Ok(Some(operand.resolve(&DataType::Binary, clock)?.expr)),
            Kind::Bytea => Ok(Some(operand.expr)),
            _ => Ok::<_, Error>(None),
        };
        if let (Some(left), Some(right)) = (bytes(left.clone())?, bytes(right.clone())?) {
            return Ok(Some(binary(left, Operator::StringConcat, right)));
        }
    }
    if !textual(left.kind) && !textual(right.kind) {
        return Err(no_operator("||", &left.data_type, &right.data_type));
    }
    let text = |operand: Operand| -> Result<Expr> {
        match operand.kind {
            Kind::Text => Ok(operand.expr),
            Kind::Unknown => Ok(operand.resolve(&DataType::Utf8, clock)?.expr),
            _ => plan_cast(operand.expr, &DataType::Utf8, schema, clock),
        }
    };
    Ok(Some(binary(text(left)?, Operator::StringConcat, text(right)?)))
}
