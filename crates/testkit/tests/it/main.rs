//! Tests of Highwater as a whole.

mod boundaries;
mod scripts;
