//! Aggregates whose states can be written down, merged and finished.
//!
//! ```text
//! rows ──state──▶ components ──merge──▶ components ──final──▶ value
//! ```
//!
//! [`stats`] is the shared state of one column: count, sum, average, minimum, maximum, standard deviation and
//! variance all come from it, so an aggregate over twenty columns keeps twenty states and not a hundred.
//! What is said of two columns ([`pair`]) comes from one state too.
//! Sketches and summaries are states that SQL can hold as values ([`value`]): an aggregate makes them from rows
//! or from other states ([`aggregate`], [`points`]), functions make them of parts ([`construct`]) and ask them ([`accessor`]).
//! Every other aggregate keeps its input ([`collect`], gathered by [`lists`]): larger, exact, and it composes too.

pub mod accessor;
pub mod aggregate;
pub mod anew;
pub mod collect;
pub mod construct;
mod lists;
pub mod pair;
pub mod points;
pub mod same;
pub mod stats;
pub mod value;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

/// Adds the functions whose meaning is PostgreSQL's to those that DataFusion brings.
pub fn register(state: SessionState) -> SessionState {
    let mut functions: Vec<Arc<AggregateUDF>> = state.aggregate_functions().values().cloned().collect();
    for ours in stats::functions()
        .into_iter()
        .chain(crate::function::aggregates())
        .chain(aggregate::functions())
        .chain(points::functions())
    {
        functions.retain(|f| f.name() != ours.name() && !f.aliases().contains(&ours.name().to_owned()));
        functions.push(ours);
    }
    let mut scalars: Vec<Arc<ScalarUDF>> = state.scalar_functions().values().cloned().collect();
    scalars.extend(crate::function::all());
    scalars.extend(accessor::functions());
    scalars.push(construct::candlestick());
    SessionStateBuilder::new_from_existing(state)
        .with_aggregate_functions(functions)
        .with_scalar_functions(scalars)
        .build()
}
