//! Aggregates that DataFusion lacks, or that mean something else there.

pub mod by_type;
pub mod distinct_list;
pub mod extremes;
pub mod first_last;
pub mod histogram;
pub mod ordered_set;

use datafusion::logical_expr::AggregateUDF;
use std::sync::Arc;

/// All of them, to be registered after DataFusion's own.
pub fn all() -> Vec<Arc<AggregateUDF>> {
    let every = datafusion::functions_aggregate::bool_and_or::bool_and_udaf();
    vec![
        by_type::sum(),
        by_type::avg(),
        by_type::min(),
        by_type::max(),
        first_last::first(),
        first_last::last(),
        histogram::histogram(),
        ordered_set::percentile_cont(),
        ordered_set::percentile_disc(),
        ordered_set::mode(),
        Arc::new(every.as_ref().clone().with_aliases(["every"])),
    ]
}
