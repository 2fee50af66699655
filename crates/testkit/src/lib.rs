//! What tests of Highwater share. Ships with nothing.

pub mod script;
