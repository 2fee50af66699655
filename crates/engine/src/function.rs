//! Placeholder until the functions are merged.

use crate::Result;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::execution::session_state::SessionState;
use std::sync::Arc;

/// Makes the rows of a table function from its arguments.
pub type TableFunction = fn(&[ScalarValue], &SessionState) -> Result<Arc<dyn TableProvider>>;

/// The table function with this name.
pub fn table_function(_name: &str) -> Option<TableFunction> {
    None
}
