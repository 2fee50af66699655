//! PostgreSQL's operators and casts where DataFusion's mean something else.
//!
//! ```text
//! syntax    AST before planning    x AT TIME ZONE z, INTERVAL '…', named arguments
//! planner   while planning         a + b, a < b, a || b, extract(…)
//! meaning   plan after planning    CAST, NOT, BETWEEN, IN, CASE, literals of other types
//! marked    in both                types that are kept as text: json, jsonb, varchar(n)
//! ```
//!
//! Three steps, because DataFusion's planner asks us only about binary operators. A string literal without a
//! type beside a typed operand is read as that type at plan time. Everything that has to be computed in our
//! way becomes a scalar function with a vectorised kernel (`arithmetic`, `time`, `cast`); where DataFusion's
//! operator means the same it is kept, so that its optimizer knows it.

pub mod any;
mod apart;
pub mod arithmetic;
pub mod cast;
pub mod clauses;
pub mod exact;
pub mod kernel;
pub mod keys;
pub mod marked;
pub mod meaning;
pub mod named;
pub mod operand;
pub mod pattern;
pub mod plan;
pub mod precision;
pub mod refused;
pub mod syntax;
mod time;
pub mod union;
pub mod values;

pub use apart::{apart, tell_apart};
pub use cast::plan_cast;
pub use meaning::PgMeaning;
pub use plan::PgPlanner;
pub use syntax::rewrite_syntax;

#[cfg(test)]
mod tests;
