//! Which connections there are, for those who want to stop what one of them executes.

use highwater::Session;
use highwater::session::CancelHandle;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// What a client must know of a connection to cancel its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Number of the session, as `pg_backend_pid` gives it.
    pub process: i32,
    /// Known to the client only.
    pub secret: i32,
}

/// All connections whose clients were told a key.
#[derive(Debug, Default)]
pub struct Connections {
    all: Mutex<HashMap<i32, (i32, CancelHandle)>>,
    limit: usize,
}

impl Connections {
    /// None yet, and at most `limit` at once.
    pub fn new(limit: usize) -> Connections {
        Connections { all: Mutex::default(), limit }
    }

    /// Takes a connection in; `None` when there are as many as there may be.
    pub fn register(self: &Arc<Self>, session: &Session) -> Option<Registration> {
        let mut all = self.all.lock();
        if all.len() >= self.limit {
            return None;
        }
        let key = Key { process: session.pid(), secret: rand::random() };
        all.insert(key.process, (key.secret, session.cancel_handle()));
        Some(Registration { key, connections: Arc::clone(self) })
    }

    /// Whether there are as many connections as there may be.
    pub fn is_full(&self) -> bool {
        self.all.lock().len() >= self.limit
    }

    /// Cancels what a connection executes, if the key is right.
    pub fn cancel(&self, key: Key) {
        if let Some((secret, handle)) = self.all.lock().get(&key.process)
            && *secret == key.secret
        {
            handle.cancel();
        }
    }

    /// Cancels what all connections execute.
    pub fn cancel_all(&self) {
        self.all.lock().values().for_each(|(_, handle)| handle.cancel());
    }
}

/// A connection's place among all of them, given back when dropped.
#[derive(Debug)]
pub struct Registration {
    /// What its client is told.
    pub key: Key,
    connections: Arc<Connections>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.connections.all.lock().remove(&self.key.process);
    }
}
