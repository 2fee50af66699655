//! Waiting for a commit.

use crate::Result;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

/// Told when a commit is durable.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<TicketState>);

type Waker = Box<dyn FnOnce(Result<()>) + Send>;

#[derive(Default)]
struct TicketState {
    done: Mutex<(Option<Result<()>>, Vec<Waker>)>,
    ready: Condvar,
}

impl std::fmt::Debug for TicketState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketState").field("done", &self.done.lock().0).finish_non_exhaustive()
    }
}

impl Ticket {
    pub(crate) fn new() -> Self {
        Ticket(Arc::default())
    }

    /// Blocks until the commit is durable.
    ///
    /// # Errors
    /// When it could not be made durable. It is then unknown until the next start whether it is.
    pub fn wait(&self) -> Result<()> {
        let mut done = self.0.done.lock();
        loop {
            if let Some(result) = &done.0 {
                return result.clone();
            }
            self.0.ready.wait(&mut done);
        }
    }

    /// Calls `then` when the commit is durable or has failed; at once if that is known.
    pub fn on_done(&self, then: impl FnOnce(Result<()>) + Send + 'static) {
        let mut done = self.0.done.lock();
        match done.0.clone() {
            Some(result) => {
                drop(done);
                then(result);
            }
            None => done.1.push(Box::new(then)),
        }
    }

    /// Tells everyone who waits.
    pub(crate) fn complete(&self, result: Result<()>) {
        let wakers = {
            let mut done = self.0.done.lock();
            done.0 = Some(result.clone());
            std::mem::take(&mut done.1)
        };
        self.0.ready.notify_all();
        for waker in wakers {
            waker(result.clone());
        }
    }
}
