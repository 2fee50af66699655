//! The store as its users see it: histories, crashes, conflicts.

mod shadow;

mod checkpoints;
mod conflicts;
mod crashes;
mod logs;
mod segments;
mod speed;
