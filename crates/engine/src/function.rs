//! Functions that PostgreSQL and TimescaleDB have and DataFusion has not, or means differently.

pub mod aggregate;
pub mod common;
pub mod context;
pub mod date_part;
pub mod define;
pub mod gapfill;
pub mod generate_series;
pub mod json;
pub mod math;
pub mod string;
pub mod template;
pub mod text;
pub mod time;
pub mod time_bucket;

#[cfg(test)]
pub(crate) mod testing;

use crate::error::Result;
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

/// Makes the rows of a table function from its arguments.
pub type TableFunction = fn(&[ScalarValue], &SessionState) -> Result<Arc<dyn TableProvider>>;

/// All scalar functions, operators included, to be registered after DataFusion's own.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let mut all = crate::operator::arithmetic::operators();
    all.push(crate::operator::plan::interval_key());
    all.push(crate::operator::precision::precision());
    all.extend(crate::operator::named::functions());
    all.push(Arc::new(time_bucket::time_bucket()));
    all.extend(time::functions());
    all.extend(template::functions());
    all.extend(date_part::extracts());
    all.push(date_part::date_part());
    all.extend(math::functions());
    all.extend(string::functions());
    all.extend(text::functions());
    all.extend(common::functions());
    all.extend(gapfill::functions());
    all.extend(json::functions());
    all
}

/// All aggregates, to be registered after DataFusion's own.
pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    aggregate::all()
}

/// The table function with this name, in lower case.
pub fn table_function(name: &str) -> Option<TableFunction> {
    match name {
        "generate_series" => Some(generate_series::generate_series),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
