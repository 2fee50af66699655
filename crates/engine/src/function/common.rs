//! `coalesce`, `nullif`, `greatest` and `least`, whose arguments get one type by PostgreSQL's rules.

use crate::error::{Error, Result};
use crate::operator::cast::cast_operand;
use crate::operator::marked::{mark, marked, plan_marked_cast};
use crate::operator::operand::{Kind, Operand, type_name};
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
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
            let (whole, scale) = ((*p1 as i8 - s1).max(*p2 as i8 - s2), *s1.max(s2));
            DataType::Decimal128((whole + scale).clamp(1, 38) as u8, scale)
        } else if a.is_number() && b.is_number() {
            let (wide, narrow) = if a >= b { (&common, *other) } else { (*other, &common) };
            match wide {
                DataType::Decimal128(p, s) => {
                    let digits = match Kind::of(narrow) {
                        Kind::SmallInt => 5,
                        Kind::Integer => 10,
                        _ => 19,
                    };
                    DataType::Decimal128((digits + s).max(*p as i8).clamp(1, 38) as u8, *s)
                }
                other => other.clone(),
            }
        } else if (a.is_datetime() && b.is_datetime()) || a == b {
            if a >= b { common } else { (*other).clone() }
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
        let common = common_type(&types, &self.inner.name().to_uppercase(), false)?;
        let args = operands.into_iter().map(|operand| match operand.kind {
            Kind::Unknown => Ok(operand.resolve(&common, clock)?.expr),
            _ => cast_operand(operand, &common, clock),
        });
        Ok(self.inner.call(args.collect::<Result<_>>()?))
    }
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
            Ok(common) => Ok(vec![common; types.len()]),
            Err(_) => Ok(types.to_vec()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
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
