//! Counting distinct values by grouping them first.

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::single_distinct_to_groupby::SingleDistinctToGroupBy;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};
use std::sync::Arc;

/// DataFusion's rules, but that a sum beside distinct values is not made a sum of sums: a sum of integers is wider than
/// these are, and then wider once more.
pub fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let own: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(WithoutSums(SingleDistinctToGroupBy::new()));
    let rules = Optimizer::new().rules.into_iter();
    rules.map(|rule| if rule.name() == own.name() { own.clone() } else { rule }).collect()
}

#[derive(Debug)]
struct WithoutSums(SingleDistinctToGroupBy);

impl OptimizerRule for WithoutSums {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let is_sum = |expr: &Expr| match expr {
            Expr::AggregateFunction(call) => call.func.name() == "sum" && !call.params.distinct,
            _ => false,
        };
        match &plan {
            LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.iter().any(is_sum) => Ok(Transformed::no(plan)),
            _ => self.0.rewrite(plan, config),
        }
    }
}
