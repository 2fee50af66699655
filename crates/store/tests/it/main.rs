//! The store as its users see it: histories, crashes, conflicts.

mod shadow;

mod crashes;
