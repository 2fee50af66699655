//! Tests of Highwater as a whole.

mod boundaries;
mod differential;
mod oracle;
mod scripts;
mod statements;
