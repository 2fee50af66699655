//! `x = ANY (list)`, until the types of both are known.
//!
//! DataFusion looks at the types of a search in a list as soon as it has planned it, when an integer beside a list of
//! numbers is still one.

use crate::error::Error;
use arrow::datatypes::DataType;
use datafusion::error::Result as DfResult;
use datafusion::functions_nested::array_has::array_has_udf;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Name of the function of a list and a value that stands for it.
pub const ANY: &str = "pg_any";

/// The function, to be planned.
pub fn any() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Any { signature: Signature::any(2, Volatility::Immutable) }))
}

/// What it is once the types are known; other functions are what they are.
pub fn settled(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    if function.name() == ANY { array_has_udf() } else { function }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Any {
    signature: Signature,
}

impl ScalarUDFImpl for Any {
    fn name(&self) -> &str {
        ANY
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(Error::internal("= ANY is settled before it is executed").into())
    }
}
