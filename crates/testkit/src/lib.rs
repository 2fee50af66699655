//! What tests of Highwater share. Ships with nothing.

pub mod memory;
pub mod oracle;
pub mod script;
