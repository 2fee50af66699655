//! Views of the system about itself: `pg_catalog`, `information_schema`, `timescaledb_information`.

use crate::Result;
use crate::query::Planner;
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

/// The rows of a system view, if the name is one's.
pub fn provider(_planner: &Planner, _parts: &[String]) -> Result<Option<Arc<dyn TableProvider>>> {
    Ok(None)
}

/// A function that answers from the catalog, if the name is one's.
pub fn scalar_function(_planner: &Planner, _name: &str) -> Option<Arc<ScalarUDF>> {
    None
}
