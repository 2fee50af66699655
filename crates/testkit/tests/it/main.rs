//! Tests of Highwater as a whole.

mod boundaries;
mod differential;
mod oracle;
mod reference;
mod restart;
mod rewrite;
mod scripts;
mod statements;
