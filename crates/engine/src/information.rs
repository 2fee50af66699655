//! Views of the system about itself: `pg_catalog`, `information_schema`, `timescaledb_information`.
//!
//! ```text
//! name ──provider──▶ rows of the planner's version, made when a statement refers to the view
//! ```

pub mod rows;
mod size;
mod timescale;

use crate::Result;
use crate::query::Planner;
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;

/// The rows of a system view, if the name is one's.
pub fn provider(planner: &Planner, parts: &[String]) -> Result<Option<Arc<dyn TableProvider>>> {
    let (schema, name) = match parts {
        [name] => (None, name),
        [schema, name] | [_, schema, name] => (Some(schema.as_str()), name),
        _ => return Ok(None),
    };
    match schema {
        Some("timescaledb_information") => timescale::provider(planner, name),
        _ => Ok(None),
    }
}

/// A function that answers from the catalog, if the name is one's.
pub fn scalar_function(_planner: &Planner, _name: &str) -> Option<Arc<ScalarUDF>> {
    None
}
