//! Tests of Highwater as a whole.

mod boundaries;
mod oracle;
mod scripts;
mod statements;
