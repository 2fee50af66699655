//! Which sessions there are, and what each of them does: what `pg_stat_activity` shows.

use crate::Error;
use crate::session::{CancelHandle, TransactionStatus};
use highwater_store::Clock;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The sessions of an instance by their numbers, which clients know as process ids.
#[derive(Debug)]
pub struct Sessions {
    /// When the instance was opened, microseconds since 1970 UTC.
    pub since: i64,
    all: Mutex<Numbered>,
}

#[derive(Debug, Default)]
struct Numbered {
    last: i32,
    sessions: BTreeMap<i32, Arc<Activity>>,
}

/// What others know of a session.
#[derive(Debug)]
pub struct Activity {
    /// Its number.
    pub pid: i32,
    /// Its database.
    pub database: String,
    /// Its user.
    pub user: String,
    /// When it began, microseconds since 1970 UTC.
    pub began: i64,
    /// Cancels what it executes.
    pub cancel: CancelHandle,
    /// Fired when somebody ended it.
    pub ended: CancellationToken,
    clock: Arc<dyn Clock>,
    doing: Mutex<Doing>,
}

/// What a session does, or did last.
#[derive(Clone, Debug)]
pub struct Doing {
    /// Where its client is.
    pub client: Option<SocketAddr>,
    /// What it calls itself.
    pub application_name: String,
    /// The statement that it executes, or executed last.
    pub query: Arc<str>,
    /// When that began.
    pub query_start: Option<i64>,
    /// When its transaction block began, if it is in one.
    pub block_start: Option<i64>,
    /// Whether it executes the statement still.
    pub active: bool,
    /// Whether it is in a block.
    pub status: TransactionStatus,
    /// When `active` changed.
    pub state_change: i64,
    /// How many statements it has begun.
    statements: u64,
}

impl Sessions {
    /// None yet, of an instance that is opened now.
    pub fn since(now: i64) -> Sessions {
        Sessions { since: now, all: Mutex::default() }
    }

    /// Takes a session in, until what this gives is dropped.
    pub fn register(self: &Arc<Self>, database: &str, user: &str, clock: Arc<dyn Clock>) -> Registered {
        let began = clock.now_micros();
        let doing = Doing {
            client: None,
            application_name: String::new(),
            query: "".into(),
            query_start: None,
            block_start: None,
            active: false,
            status: TransactionStatus::Idle,
            state_change: began,
            statements: 0,
        };
        let mut all = self.all.lock();
        loop {
            all.last = all.last.checked_add(1).unwrap_or(1);
            if !all.sessions.contains_key(&all.last) {
                break;
            }
        }
        let activity = Arc::new(Activity {
            pid: all.last,
            database: database.to_owned(),
            user: user.to_owned(),
            began,
            cancel: CancelHandle::default(),
            ended: CancellationToken::new(),
            clock,
            doing: Mutex::new(doing),
        });
        all.sessions.insert(activity.pid, activity.clone());
        drop(all);
        Registered { activity, sessions: self.clone() }
    }

    /// All of them, by their numbers.
    pub fn all(&self) -> Vec<Arc<Activity>> {
        self.all.lock().sessions.values().cloned().collect()
    }

    /// The one of this number.
    pub fn find(&self, pid: i32) -> Option<Arc<Activity>> {
        self.all.lock().sessions.get(&pid).cloned()
    }
}

impl Activity {
    /// What it does now.
    pub fn doing(&self) -> Doing {
        self.doing.lock().clone()
    }

    /// Lets others see that a statement is executed, until what this gives is dropped.
    pub fn execute(self: &Arc<Self>, query: &Arc<str>) -> Running {
        let now = self.clock.now_micros();
        let mut doing = self.doing.lock();
        doing.query = query.clone();
        doing.query_start = Some(now);
        doing.active = true;
        doing.state_change = now;
        doing.statements += 1;
        Running { activity: self.clone(), statement: doing.statements }
    }

    /// Lets others see in what a statement left the session.
    pub fn settle(&self, status: TransactionStatus, block_start: Option<i64>, application_name: &str) {
        let mut doing = self.doing.lock();
        doing.status = status;
        doing.block_start = block_start;
        if doing.application_name != application_name {
            application_name.clone_into(&mut doing.application_name);
        }
    }

    /// Lets others see where the client is.
    pub fn connected_from(&self, client: SocketAddr) {
        self.doing.lock().client = Some(client);
    }

    /// Ends the session: what it executes is cancelled, and nothing more is executed.
    pub fn end(&self) {
        self.ended.cancel();
        self.cancel.cancel();
    }

    /// # Errors
    /// 57P01 when somebody ended the session.
    pub fn check_not_ended(&self) -> Result<(), Error> {
        match self.ended.is_cancelled() {
            true => Err(Error::new("57P01", "terminating connection due to administrator command")),
            false => Ok(()),
        }
    }
}

/// A session's place among all of them, given back when dropped.
#[derive(Debug)]
pub struct Registered {
    activity: Arc<Activity>,
    sessions: Arc<Sessions>,
}

impl Deref for Registered {
    type Target = Arc<Activity>;

    fn deref(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.sessions.all.lock().sessions.remove(&self.activity.pid);
    }
}

/// A statement that is executed, or whose rows are being read.
#[derive(Debug)]
pub struct Running {
    activity: Arc<Activity>,
    statement: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        let now = self.activity.clock.now_micros();
        let mut doing = self.activity.doing.lock();
        // Another may have begun before the rows of this one were read to their end.
        if doing.statements == self.statement {
            doing.active = false;
            doing.state_change = now;
        }
    }
}
