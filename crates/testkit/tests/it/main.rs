//! Tests of Highwater as a whole.

mod boundaries;
mod differential;
mod oracle;
mod reference;
mod restart;
mod scripts;
mod statements;
