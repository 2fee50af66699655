//! Random histories against a shadow that shares no code with the engine.
//!
//! ```text
//!            ┌──▶ SQL ──▶ engine ──▶ store ──▶ a disk that crashes
//! history ───┤                ║ compared after every step
//!            └──▶ shadow: rows in a map, buckets and aggregates over all of them, each time anew
//! ```
//!
//! What is compared, as the design's rules demand:
//!
//! - The table has the shadow's rows.
//! - A clean bucket keeps what the aggregate's query gives over its rows, those that were dropped included;
//!   so nothing is silently stale.
//! - A real-time aggregate shows what its query gives, in every state, also inside of open blocks.
//! - A bucket that was refreshed and not touched since is clean; so commits record sets of buckets and no hulls.
//! - What was acknowledged survives a crash, and of what was under way all is there or nothing.
//!
//! Two sessions take turns, so that blocks of one are open while the other commits, and their conflicts are
//! the same in every run.

pub mod calendar;
pub mod concurrent;
pub mod definition;
pub mod generate;
pub mod history;
pub mod random;
pub mod run;
mod shadow;
pub mod shrink;
pub mod value;
pub mod window;

use std::time::Duration;

/// How long a failing history is shortened.
const SHRINKING: Duration = Duration::from_secs(90);

/// Plays the history of a seed; gives how many steps it had.
///
/// # Errors
/// What went wrong, with the shortest history for it as SQL.
pub async fn check(seed: u64) -> Result<usize, String> {
    let history = generate::history(seed);
    let failure = match run::play(&history).await {
        Ok(steps) => return Ok(steps),
        Err(failure) => failure,
    };
    let first = format!("{} (step {} of {})", failure.what, failure.step + 1, history.steps.len());
    let (history, failure) = shrink::shrink(&history, failure, SHRINKING).await;
    Err(format!("seed {seed}: {first}\n\nThe shortest history found gives: {}\n\n{history}", failure.what))
}
