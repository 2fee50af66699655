//! The log: what makes commits durable.
//!
//! ```text
//! commit ──submit──▶ queue ──┐
//! commit ──submit──▶ queue ──┼─ one at a time: encode, one write, one sync ─▶ publish the newest, tell all
//! commit ──submit──▶ queue ──┘
//! ```
//!
//! While one group is being synced the next one gathers, so the number of syncs does not grow with the
//! number of clients. Who waits for a commit while nobody writes does so itself, which saves a lone client two
//! changes of thread; everything else is written by the log's own thread. After an error nothing is acknowledged
//! any more: what the disk holds is unknown until the next start reads it.

pub mod frame;
pub mod reader;
pub mod record;
pub mod writer;

use crate::op::Op;
use crate::published::Published;
use crate::ticket::Ticket;
use crate::version::Version;
use crate::{Error, Result};
use highwater_model::Lsn;
use parking_lot::{Condvar, Mutex};
use record::Bodies;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::error;
use writer::Writer;

/// How long a commit that nobody waits for may stay unsynced.
const SYNC_AFTER: Duration = Duration::from_millis(200);

/// A commit on its way to the disk.
#[derive(Debug)]
pub struct Commit {
    /// Its place in the order.
    pub lsn: Lsn,
    /// What it does.
    pub ops: Vec<Op>,
    /// The large parts of that.
    pub bodies: Bodies,
    /// The database after it.
    pub version: Version,
    /// How many checkpoints that version has seen.
    pub generation: u64,
    /// Whether it is acknowledged only when synced.
    pub synchronous: bool,
    /// Who waits.
    pub ticket: Ticket,
}

/// The log and its thread.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    writer: Mutex<Writer>,
    /// Whether something was written that is not synced.
    is_dirty: AtomicBool,
    bytes: AtomicU64,
    published: Arc<Published>,
}

#[derive(Debug, Default)]
struct Queue {
    commits: Vec<Commit>,
    stopping: bool,
    failed: Option<Error>,
}

impl Log {
    /// Starts the thread that writes with `writer` and publishes to `published`.
    pub fn start(writer: Writer, published: Arc<Published>) -> Result<Log> {
        let bytes = AtomicU64::new(writer.bytes());
        let (queue, wake, writer) = (Mutex::default(), Condvar::new(), Mutex::new(writer));
        let is_dirty = AtomicBool::new(false);
        let shared = Arc::new(Shared { queue, wake, writer, is_dirty, bytes, published });
        let run = shared.clone();
        let thread = std::thread::Builder::new().name("highwater-log".to_owned()).spawn(move || run.run());
        let thread = thread.map_err(Error::io("start", "the thread of the log"))?;
        Ok(Log { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a commit. Called under the commit lock, so that the log has the commits' order. It is written
    /// after [`Log::wake`] or [`Log::write_here`].
    pub fn submit(&self, commit: Commit) {
        let mut queue = self.shared.queue.lock();
        match queue.refusal() {
            Some(error) => {
                drop(queue);
                commit.ticket.complete(Err(error));
            }
            None => queue.commits.push(commit),
        }
    }

    /// Has the queue written by the log's thread.
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// Writes the queue, unless somebody does already, who then sees to it.
    pub fn write_here(&self) {
        let Some(mut writer) = self.shared.writer.try_lock() else { return self.wake() };
        self.shared.write_queue(&mut writer);
        drop(writer);
        // Whoever came meanwhile saw that somebody was writing.
        if self.shared.is_dirty.load(Ordering::Acquire) || !self.shared.queue.lock().commits.is_empty() {
            self.wake();
        }
    }

    /// Why no commit is accepted, if none is.
    pub fn check(&self) -> Result<()> {
        self.shared.queue.lock().refusal().map_or(Ok(()), Err)
    }

    /// The error after which no commit was accepted any more, if there was one.
    pub fn failure(&self) -> Option<Error> {
        self.shared.queue.lock().failed.clone()
    }

    /// Accepts no commit any more, because of `reason`.
    pub fn fail(&self, reason: &Error) {
        self.shared.fail(reason);
    }

    /// Bytes that recovery would have to read.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Lets go of what the manifest has.
    pub fn recycle(&self, kept: Lsn) -> Result<()> {
        let mut writer = self.shared.writer.lock();
        let result = writer.recycle(kept);
        self.shared.bytes.store(writer.bytes(), Ordering::Relaxed);
        result
    }

    /// Writes and syncs what is queued and ends the thread. Later commits are refused.
    pub fn stop(&self) {
        self.shared.queue.lock().stopping = true;
        self.shared.wake.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id())
            && thread.join().is_err()
        {
            error!("the thread of the log panicked");
        }
        // Somebody may still be writing for himself.
        drop(self.shared.writer.lock());
    }
}

impl Queue {
    fn refusal(&self) -> Option<Error> {
        let closed = || Error::Closed;
        self.failed.clone().or_else(|| self.stopping.then(closed))
    }
}

impl Shared {
    fn run(&self) {
        loop {
            {
                let mut queue = self.queue.lock();
                while queue.commits.is_empty() && !queue.stopping {
                    match self.is_dirty.load(Ordering::Acquire) {
                        true if self.wake.wait_for(&mut queue, SYNC_AFTER).timed_out() => break,
                        true => {}
                        false => self.wake.wait(&mut queue),
                    }
                }
                let done = queue.commits.is_empty() && !self.is_dirty.load(Ordering::Acquire);
                if queue.failed.is_some() || (queue.stopping && done) {
                    return;
                }
            }
            self.write_queue(&mut self.writer.lock());
        }
    }

    /// Writes what is queued, and syncs it when somebody waits for that; syncs what was left when nothing is.
    fn write_queue(&self, writer: &mut Writer) {
        let commits = {
            let mut queue = self.queue.lock();
            if queue.failed.is_some() {
                return;
            }
            std::mem::take(&mut queue.commits)
        };
        let sync = commits.is_empty() || commits.iter().any(|c| c.synchronous);
        // Whatever happens here, nobody may wait for ever.
        let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.write(writer, &commits, sync)));
        match written.unwrap_or_else(|_| Err(Error::Format("writing the log panicked".to_owned()))) {
            Ok(()) => self.acknowledge(commits),
            Err(error) => {
                self.fail(&error);
                commits.iter().for_each(|c| c.ticket.complete(Err(error.clone())));
            }
        }
    }

    fn write(&self, writer: &mut Writer, commits: &[Commit], sync: bool) -> Result<()> {
        writer.write(commits.iter().map(|c| (c.lsn, c.ops.as_slice(), &c.bodies)))?;
        if sync {
            writer.sync()?;
        }
        self.bytes.store(writer.bytes(), Ordering::Relaxed);
        self.is_dirty.store(writer.is_dirty(), Ordering::Release);
        Ok(())
    }

    fn acknowledge(&self, mut commits: Vec<Commit>) {
        let Some(newest) = commits.pop() else { return };
        self.published.publish(newest.version, newest.generation);
        for commit in commits {
            commit.ticket.complete(Ok(()));
        }
        newest.ticket.complete(Ok(()));
    }

    fn fail(&self, reason: &Error) {
        let since = self.published.version().lsn;
        let refused = Error::ReadOnly { since, reason: reason.to_string() };
        let waiting = {
            let mut queue = self.queue.lock();
            if queue.failed.is_none() {
                error!(%since, %reason, "the store is read-only from now on");
                queue.failed = Some(refused.clone());
            }
            std::mem::take(&mut queue.commits)
        };
        waiting.iter().for_each(|c| c.ticket.complete(Err(refused.clone())));
    }
}
