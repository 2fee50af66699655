//! Highwater as a library: a time-series SQL database whose heart is the continuous aggregate.
//!
//! ```no_run
//! # async fn example() -> highwater::Result<()> {
//! let instance = highwater::Instance::open(highwater::InstanceOptions::at("data")).await?;
//! let mut session = instance.session("postgres", "postgres").await?;
//! session.run("CREATE TABLE readings (time timestamptz NOT NULL, value double precision)").await?;
//! # Ok(()) }
//! ```

mod activity;
mod administration;
mod check;
mod convert;
mod copy;
mod cursor;
mod database;
mod define;
mod definition;
pub mod error;
mod function;
mod gapfill;
mod information;
pub mod instance;
mod job;
mod json;
mod lateral;
mod meaning;
mod merged;
mod names;
mod operator;
mod own_alias;
mod parse;
mod procedure;
mod query;
mod realtime;
mod refresh;
mod rewrite;
mod rollup;
mod sequence;
pub mod session;
pub mod setting;
mod state;
mod table;
mod temporary;
pub mod text;
mod types;
mod whole_row;
mod work;
mod write;

pub use error::{Error, Notice, Result};
pub use instance::{Instance, InstanceOptions};
pub use session::{CopyIn, CopyOut, Outcome, Parameter, Prepared, RowStream, Session, TransactionStatus};

pub use arrow;
pub use highwater_model as model;
