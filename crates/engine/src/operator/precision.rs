//! Times whose type keeps less than it could: `x::timestamp(3)`, `interval day to minute`.

use super::kernel::rowwise;
use super::operand::interval;
use crate::error::Result;
use crate::text::read::{interval_from_arrow, interval_to_arrow};
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::common::metadata::FieldMetadata;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use highwater_model::ColumnType;
use highwater_model::time::Limit;
use highwater_store::schema::{arrow_type, typed_field};
use std::sync::Arc;

/// The expression, which is of the type `of`, with what this limit keeps of it.
///
/// # Errors
/// 22008 when a literal is out of range then.
pub fn limited(expr: Expr, of: &ColumnType, limit: Limit) -> Result<Expr> {
    let limited = Limited {
        column_type: ColumnType::Limited(Box::new(of.clone()), limit),
        limit,
        signature: Signature::any(1, Volatility::Immutable),
    };
    Ok(match expr {
        Expr::Literal(value, _) => {
            let array = kept(&value.to_array()?, limit)?;
            let mark = FieldMetadata::from(typed_field("", &limited.column_type).metadata());
            Expr::Literal(ScalarValue::try_from_array(&array, 0)?, Some(mark))
        }
        expr => ScalarUDF::from(limited).call(vec![expr]),
    })
}

/// [`limited`] as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Limited {
    column_type: ColumnType,
    limit: Limit,
    signature: Signature,
}

impl ScalarUDFImpl for Limited {
    fn name(&self) -> &str {
        "pg_limited"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(arrow_type(&self.column_type))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> DfResult<arrow::datatypes::FieldRef> {
        Ok(Arc::new(typed_field(self.name(), &self.column_type)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Ok(rowwise(&args.args, args.number_rows, |arrays, _| kept(&arrays[0], self.limit))?)
    }

    fn schema_name(&self, args: &[Expr]) -> DfResult<String> {
        Ok(format!("{}::{}", args[0].schema_name(), self.column_type))
    }
}

/// What a limit keeps of times.
fn kept(array: &ArrayRef, limit: Limit) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Timestamp(..) => {
            let times = array.as_primitive::<TimestampMicrosecondType>();
            let kept: PrimitiveArray<TimestampMicrosecondType> = times.try_unary(|t| limit.timestamp(t))?;
            Arc::new(kept.with_data_type(array.data_type().clone()))
        }
        DataType::Time64(_) => {
            let times = array.as_primitive::<Time64MicrosecondType>();
            Arc::new(times.unary::<_, Time64MicrosecondType>(|t| limit.time(t)))
        }
        DataType::Interval(_) => {
            let spans = arrow::compute::cast(array, &interval())?;
            let kept = |span| interval_to_arrow(&limit.interval(interval_from_arrow(span))?);
            let kept: PrimitiveArray<IntervalMonthDayNanoType> =
                spans.as_primitive::<IntervalMonthDayNanoType>().try_unary(kept)?;
            Arc::new(kept)
        }
        _ => array.clone(),
    })
}
