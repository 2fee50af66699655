//! PostgreSQL's text forms of values.
//!
//! ```text
//! '{1,2,NULL}'  ──read──▶  Arrow column  ──write──▶  '{1,2,NULL}'
//! COPY lines    ──copy──▶  Arrow columns ──copy───▶  COPY lines
//! ```
//!
//! What a form depends on beside the text, the session's zone and the start of its transaction, is a
//! [`Clockface`]. Errors have PostgreSQL's words and codes.

pub mod copy;
pub mod network;
pub mod number;
pub mod read;
pub mod write;

pub use copy::{CopyFormat, CopyOptions, CopyReader, CopyWriter};
pub use highwater_model::time::Clockface;
pub use read::{ColumnReader, parse_scalar};
pub use write::{ColumnWriter, scalar_text};

use crate::Error;
use highwater_model::time::TimeError;

impl From<TimeError> for Error {
    fn from(e: TimeError) -> Self {
        let error = Error::new(e.sqlstate(), e.to_string());
        match e.hint() {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
