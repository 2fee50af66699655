//! PostgreSQL's operators and casts where DataFusion's mean something else.
//!
//! ```text
//! syntax    AST before planning    x AT TIME ZONE z, INTERVAL '…', named arguments
//! planner   while planning         a + b, a < b, a || b, extract(…)
//! meaning   plan after planning    CAST, −x, BETWEEN, IN, CASE, literals of other types
//! marked    in both                types that are kept as text: json, jsonb, varchar(n)
//! ```
//!
//! Three steps, because DataFusion's planner asks us only about binary operators. A string literal without a
//! type beside a typed operand is read as that type at plan time. Everything that has to be computed in our
//! way becomes a scalar function with a vectorised kernel (`arithmetic`, `time`, `cast`); where DataFusion's
//! operator means the same it is kept, so that its optimizer knows it.

pub mod arithmetic;
pub mod cast;
pub mod kernel;
pub mod marked;
pub mod meaning;
pub mod operand;
pub mod plan;
pub mod syntax;
mod time;

pub use cast::plan_cast;
pub use meaning::PgMeaning;

pub use plan::{PgPlanner, plan_binary, plan_negative};
pub use syntax::rewrite_syntax;

#[cfg(test)]
mod tests;
