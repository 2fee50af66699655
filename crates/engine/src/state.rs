//! Aggregates whose states can be written down, merged and finished.
//!
//! ```text
//! rows ──state──▶ components ──merge──▶ components ──final──▶ value
//! ```
//!
//! [`stats`] is the shared state of one column: count, sum, average, minimum, maximum, standard deviation and
//! variance all come from it, so an aggregate over twenty columns keeps twenty states and not a hundred.
//! Every other aggregate keeps its input ([`collect`]): larger, exact, and it composes too.

pub mod collect;
pub mod stats;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::AggregateUDF;
use std::sync::Arc;

/// Adds the aggregates whose meaning is PostgreSQL's to those that DataFusion brings.
pub fn register(state: SessionState) -> SessionState {
    let mut functions: Vec<Arc<AggregateUDF>> = state.aggregate_functions().values().cloned().collect();
    for ours in stats::functions() {
        functions.retain(|f| f.name() != ours.name() && !f.aliases().contains(&ours.name().to_owned()));
        functions.push(ours);
    }
    SessionStateBuilder::new_from_existing(state).with_aggregate_functions(functions).build()
}
