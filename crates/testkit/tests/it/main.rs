//! Tests of Highwater as a whole.

mod boundaries;
mod oracle;
mod restart;
mod scripts;
mod statements;
