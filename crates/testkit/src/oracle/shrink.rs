//! Makes a history that fails smaller while it fails.

use super::history::{Action, History, Step};
use super::run::{Failure, play};
use std::time::{Duration, Instant};

/// The smallest failing history that is found in this time, and its failure.
pub async fn shrink(history: &History, failure: Failure, time: Duration) -> (History, Failure) {
    let end = Instant::now() + time;
    let mut best = history.clone();
    let mut failure = failure;
    best.steps.truncate(failure.step + 1);
    // Whole stretches first, then steps one by one, then rows.
    let mut length = best.steps.len().div_ceil(2).max(1);
    loop {
        let mut start = best.steps.len().saturating_sub(length);
        loop {
            if Instant::now() > end {
                return (best, failure);
            }
            let mut fewer = best.clone();
            fewer.steps.drain(start..(start + length).min(best.steps.len()));
            if let Err(found) = play(&fewer).await {
                fewer.steps.truncate(found.step + 1);
                (best, failure) = (fewer, found);
            }
            if start == 0 {
                break;
            }
            start = start.min(best.steps.len()).saturating_sub(length);
        }
        if length == 1 {
            break;
        }
        length = length.div_ceil(2);
    }
    for step in 0..best.steps.len() {
        let mut at = 0;
        while Instant::now() < end {
            let mut fewer = best.clone();
            let Some(rows) =
                fewer.steps.get_mut(step).and_then(rows_of).filter(|rows| rows.len() > 1 && at < rows.len())
            else {
                break;
            };
            let count = if rows.len() > 16 { rows.len() / 4 } else { 1 };
            rows.drain(at..(at + count).min(rows.len()));
            match play(&fewer).await {
                Err(found) => {
                    fewer.steps.truncate(found.step + 1);
                    (best, failure) = (fewer, found);
                }
                Ok(_) => at += count,
            }
        }
    }
    (best, failure)
}

fn rows_of(step: &mut Step) -> Option<&mut Vec<super::definition::Row>> {
    match step {
        Step::Do(_, action) | Step::Crash { action, .. } => match action {
            Action::Insert { rows, .. } | Action::Upsert { rows, .. } => Some(rows),
            _ => None,
        },
        _ => None,
    }
}
