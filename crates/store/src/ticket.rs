//! Waiting for a commit.

use crate::Result;
use parking_lot::{Condvar, Mutex};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Told when a commit is durable. As a future it is ready then; to block until then is [`Ticket::wait`].
#[derive(Clone, Debug, Default)]
pub struct Ticket(Arc<TicketState>);

#[derive(Debug, Default)]
struct TicketState {
    done: Mutex<Done>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct Done {
    result: Option<Result<()>>,
    wakers: Vec<Waker>,
}

impl Ticket {
    /// Blocks until the commit is durable.
    ///
    /// # Errors
    /// When it could not be made durable. It is then unknown until the next start whether it is.
    pub fn wait(&self) -> Result<()> {
        let mut done = self.0.done.lock();
        loop {
            if let Some(result) = &done.result {
                return result.clone();
            }
            self.0.ready.wait(&mut done);
        }
    }

    /// Tells everyone who waits.
    pub(crate) fn complete(&self, result: Result<()>) {
        let wakers = {
            let mut done = self.0.done.lock();
            done.result = Some(result);
            std::mem::take(&mut done.wakers)
        };
        self.0.ready.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Future for Ticket {
    /// The error is that of [`Ticket::wait`].
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let mut done = self.0.done.lock();
        match &done.result {
            Some(result) => Poll::Ready(result.clone()),
            None => {
                // Whoever polled before may be gone.
                done.wakers.retain(|waker| !waker.will_wake(context.waker()));
                done.wakers.push(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
