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
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The aggregate that the optimizer asks a configuration for, to do DISTINCT ON with it.
const NEEDED_BY_OPTIMIZER: &str = "first_value";

/// What statements may call, by name.
#[derive(Debug)]
pub struct Functions {
    /// Scalar functions.
    pub scalars: HashMap<String, Arc<ScalarUDF>>,
    /// Functions that take functions.
    pub higher_order: HashMap<String, Arc<HigherOrderUDF>>,
    /// Aggregates.
    pub aggregates: HashMap<String, Arc<AggregateUDF>>,
    /// Window functions.
    pub windows: HashMap<String, Arc<WindowUDF>>,
}

impl Functions {
    /// Takes the functions out of a configuration: it is copied several times for each statement, and they are
    /// hundreds of names.
    pub fn take(state: SessionState) -> (SessionState, Functions) {
        let functions = Functions {
            scalars: state.scalar_functions().clone(),
            higher_order: state.higher_order_functions().clone(),
            aggregates: state.aggregate_functions().clone(),
            windows: state.window_functions().clone(),
        };
        let needed = functions.aggregates.get(NEEDED_BY_OPTIMIZER).cloned();
        let state = SessionStateBuilder::new_from_existing(state)
            .with_scalar_functions(Vec::new())
            .with_higher_order_functions(Vec::new())
            .with_aggregate_functions(needed.into_iter().collect())
            .with_window_functions(Vec::new())
            .with_table_functions(HashMap::new())
            .with_file_formats(Vec::new())
            .with_table_factories(HashMap::new())
            .build();
        (state, functions)
    }

    /// The names of the functions, aggregates and window functions.
    pub fn names(&self) -> BTreeSet<String> {
        self.scalars.keys().chain(self.aggregates.keys()).chain(self.windows.keys()).cloned().collect()
    }
}

/// Makes the rows of a table function from its arguments.
pub type TableFunction = fn(&[ScalarValue], &SessionState) -> Result<Arc<dyn TableProvider>>;

/// All scalar functions, operators included, to be registered after DataFusion's own.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let mut all = crate::operator::arithmetic::operators();
    all.push(crate::operator::any::any());
    all.push(crate::operator::apart());
    all.push(crate::operator::plan::interval_key());
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
