//! `coalesce`, `nullif`, `greatest` and `least`, whose arguments get one type by PostgreSQL's rules.

use crate::error::{Error, Result};
use crate::operator::cast::cast_operand;
use crate::operator::exact;
use crate::operator::marked::{mark, marked, plan_marked_cast};
use crate::operator::operand::{Kind, Operand, UNBOUNDED, no_operator, taken_as, type_name};
use crate::operator::plan::{interval_key, plan_comparison};
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    BinaryExpr, Case, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use highwater_model::time::Clockface;
use highwater_store::schema::typed_field;
use std::sync::Arc;

/// The functions. Each stands for DataFusion's of the same name until the types of its arguments are settled.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    use datafusion::functions::core;
    let all = [core::coalesce(), core::nullif(), core::greatest(), core::least()];
    let common = |inner: Arc<ScalarUDF>| Common { inner, signature: Signature::user_defined(Volatility::Immutable) };
    all.into_iter().map(|inner| Arc::new(ScalarUDF::from(common(inner)))).collect()
}

/// A function whose arguments are of one type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Common {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

/// The type that values of several types have in common; text counts for nothing beside another type if it may
/// be a literal.
///
/// # Errors
/// 42804 when there is none.
pub fn common_type(types: &[DataType], context: &str, literals: bool) -> Result<DataType> {
    let unknown = |t: &&DataType| Kind::of(t) == Kind::Unknown;
    let mut known: Vec<&DataType> = types.iter().filter(|t| !unknown(t)).collect();
    if literals && known.iter().any(|t| Kind::of(t) != Kind::Text) {
        known.retain(|t| Kind::of(t) != Kind::Text);
    }
    let Some((first, rest)) = known.split_first() else { return Ok(DataType::Utf8) };
    let mut common = (*first).clone();
    for other in rest {
        let (a, b) = (Kind::of(&common), Kind::of(other));
        common = if common == **other {
            common
        } else if let (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) = (&common, other) {
            // Each value is shown with its own scale.
            if s1 == s2 { DataType::Decimal128(*p1.max(p2), *s1) } else { UNBOUNDED }
        } else if a.is_number() && b.is_number() {
            let (wide, narrow) = if a >= b { (&common, *other) } else { (*other, &common) };
            match wide {
                DataType::Decimal128(p, 0) if Kind::of(narrow).is_integer() => {
                    let digits = match Kind::of(narrow) {
                        Kind::SmallInt => 5,
                        Kind::Integer => 10,
                        _ => 19,
                    };
                    DataType::Decimal128(digits.max(*p), 0)
                }
                DataType::Decimal128(..) => UNBOUNDED,
                other => other.clone(),
            }
        } else if (a.is_datetime() && b.is_datetime()) || a == b {
            if a >= b { common } else { (*other).clone() }
        } else if matches!((a, b), (Kind::Bytea, Kind::Uuid) | (Kind::Uuid, Kind::Bytea)) {
            // Both belong to PostgreSQL's category of types of one's own, so it only misses the cast.
            let (a, b) = (type_name(&common), type_name(other));
            return Err(Error::new("42846", format!("{context} could not convert type {b} to {a}")));
        } else {
            let (a, b) = (type_name(&common), type_name(other));
            return Err(Error::new("42804", format!("{context} types {a} and {b} cannot be matched")));
        };
    }
    Ok(match &common {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        _ => common,
    })
}

impl Common {
    /// The call of DataFusion's function with arguments of one type.
    ///
    /// # Errors
    /// 42804 when they have none in common; those of reading literals.
    pub fn settle(&self, args: Vec<Expr>, schema: &DFSchema, clock: &Clockface) -> Result<Expr> {
        if let Some(of) = args.iter().find_map(|arg| marked(arg, schema)) {
            let field = typed_field("", &of);
            let args = args.into_iter().map(|arg| plan_marked_cast(arg, &field, schema, clock));
            return Ok(mark(self.inner.call(args.collect::<Result<_>>()?), &of));
        }
        let operands: Option<Vec<Operand>> = args.iter().map(|a| Operand::new(a.clone(), schema)).collect();
        let Some(operands) = operands else { return Ok(self.inner.call(args)) };
        let types: Vec<DataType> = operands.iter().map(|o| o.data_type.clone()).collect();
        let nullif = self.inner.name() == "nullif";
        let common =
            common_type(&types, &self.inner.name().to_uppercase(), false).map_err(|e| match types.as_slice() {
                [left, right] if nullif => no_operator("=", left, right),
                _ => e,
            })?;
        if let ([left, right], true) = (operands.as_slice(), nullif && types.len() == 2)
            && (nullif_type(&types).is_some() || unlike(left.kind) || unlike(right.kind))
            && left.kind != Kind::Unknown
            && right.kind != Kind::Unknown
        {
            return nullif_as_case(left.clone(), right.clone(), &common, schema, clock);
        }
        let keyed = Kind::of(&common) == Kind::Interval || common == UNBOUNDED;
        if keyed && matches!(self.inner.name(), "greatest" | "least") {
            let args = operands.into_iter().map(|operand| match operand.kind {
                Kind::Unknown => Ok(operand.resolve(&common, clock)?.expr),
                _ => cast_operand(operand, &common, clock),
            });
            let key = if common == UNBOUNDED { exact::key_function() } else { interval_key() };
            return Ok(extreme(args.collect::<Result<_>>()?, self.inner.name() == "greatest", key));
        }
        let args = operands.into_iter().map(|operand| match operand.kind {
            Kind::Unknown => Ok(operand.resolve(&common, clock)?.expr),
            _ => cast_operand(operand, &common, clock),
        });
        Ok(self.inner.call(args.collect::<Result<_>>()?))
    }
}

/// The type of `nullif` where it is that of its first argument, because values of both types can be compared as
/// they are; otherwise it is the one they have in common.
fn nullif_type(types: &[DataType]) -> Option<DataType> {
    let [left, right] = types else { return None };
    let (l, r) = (Kind::of(left), Kind::of(right));
    if r == Kind::Real && l.is_number() && !l.is_float() {
        // A number that is no float is compared with a real as a double.
        return Some(DataType::Float64);
    }
    let real = l == Kind::Real && r.is_number();
    let alike = (l.is_integer() && r.is_integer()) || (l.is_float() && r.is_float()) || real;
    (l != r && (alike || (l.is_datetime() && r.is_datetime()))).then(|| left.clone())
}

/// Whether values of a kind may be equal that Arrow tells apart.
fn unlike(kind: Kind) -> bool {
    kind.is_float() || matches!(kind, Kind::Interval | Kind::Numeric)
}

/// `CASE WHEN left = right THEN NULL ELSE left END`, which leaves the value as it is.
fn nullif_as_case(
    left: Operand,
    right: Operand,
    common: &DataType,
    schema: &DFSchema,
    clock: &Clockface,
) -> Result<Expr> {
    let types = [left.data_type.clone(), right.data_type.clone()];
    let target = nullif_type(&types).unwrap_or_else(|| common.clone());
    let value = cast_operand(left.clone(), &target, clock)?;
    let undefined = || no_operator("=", &types[0], &types[1]);
    let equal = plan_comparison(Operator::Eq, left, right, schema, clock)?.ok_or_else(undefined)?;
    let null = Expr::Literal(ScalarValue::try_from(&target)?, None);
    Ok(Expr::Case(Case::new(None, vec![(Box::new(equal), Box::new(null))], Some(Box::new(value)))))
}

/// The greatest or least of values, by a key of theirs; the first of those that are equal.
fn extreme(args: Vec<Expr>, greatest: bool, key: Arc<ScalarUDF>) -> Expr {
    let key = |arg: &Expr| key.call(vec![arg.clone()]);
    let op = if greatest { Operator::Gt } else { Operator::Lt };
    let better = |best: Expr, arg: Expr| {
        let beats = Expr::BinaryExpr(BinaryExpr::new(Box::new(key(&arg)), op, Box::new(key(&best))));
        let when = best.clone().is_null().or(beats);
        Expr::Case(Case::new(None, vec![(Box::new(when), Box::new(arg))], Some(Box::new(best))))
    };
    args.into_iter().reduce(better).unwrap_or_else(|| Expr::Literal(ScalarValue::Null, None))
}

impl ScalarUDFImpl for Common {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        // Types that cannot be matched are refused by `settle`; DataFusion would change the words.
        match common_type(types, &self.name().to_uppercase(), true) {
            Ok(common) => Ok(taken_as(types, vec![common; types.len()])),
            Err(_) => Ok(types.to_vec()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        if self.inner.name() == "nullif"
            && let Some(left) = nullif_type(types)
        {
            return Ok(left);
        }
        Ok(common_type(types, &self.name().to_uppercase(), true).unwrap_or_else(|_| types[0].clone()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }

    fn simplify(
        &self,
        args: Vec<Expr>,
        _: &datafusion::logical_expr::simplify::SimplifyContext,
    ) -> DfResult<datafusion::logical_expr::simplify::ExprSimplifyResult> {
        Ok(datafusion::logical_expr::simplify::ExprSimplifyResult::Simplified(self.inner.call(args)))
    }
}
