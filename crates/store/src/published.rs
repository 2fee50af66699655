//! The newest durable version, which snapshots are taken of.
//!
//! A checkpoint changes how rows are kept and not which there are. It changes the latest version and the
//! published one at once; a version that is still on its way through the log then catches up when it is
//! published:
//!
//! ```text
//! generation      1       1       │ 2       2
//! commits    ──[published]──[7]──[8]│──[9]──[latest]
//!                                   checkpoint: 7 and 8 are installed into when their turn comes
//! ```

use crate::checkpoint::Install;
use crate::version::Version;
use highwater_model::Lsn;
use parking_lot::RwLock;
use std::collections::VecDeque;
use std::sync::Arc;

/// The newest durable version.
#[derive(Debug)]
pub struct Published(RwLock<State>);

#[derive(Debug)]
struct State {
    version: Arc<Version>,
    generation: u64,
    installs: VecDeque<Past>,
}

/// A checkpoint that commits up to `until` have not seen.
#[derive(Debug)]
struct Past {
    generation: u64,
    until: Lsn,
    install: Arc<Install>,
}

impl Published {
    /// Begins with `version`.
    pub fn new(version: Version) -> Self {
        let state = State { version: Arc::new(version), generation: 0, installs: VecDeque::new() };
        Published(RwLock::new(state))
    }

    /// The newest durable version.
    pub fn version(&self) -> Arc<Version> {
        self.0.read().version.clone()
    }

    /// Replaces it by a newer one, made when there had been `generation` checkpoints.
    pub fn publish(&self, mut version: Version, generation: u64) {
        let mut state = self.0.write();
        for past in state.installs.iter().filter(|past| past.generation > generation) {
            past.install.apply(&mut version);
        }
        while state.installs.front().is_some_and(|past| past.until <= version.lsn) {
            state.installs.pop_front();
        }
        let old = std::mem::replace(&mut state.version, Arc::new(version));
        drop(state);
        // The last reference to an old version may take a while to free.
        drop(old);
    }

    /// Applies a checkpoint; commits up to `until` are made without it. Called under the commit lock.
    pub fn install(&self, install: &Arc<Install>, until: Lsn) -> u64 {
        let mut state = self.0.write();
        let mut version = Version::clone(&state.version);
        install.apply(&mut version);
        state.version = Arc::new(version);
        state.generation += 1;
        let generation = state.generation;
        if state.version.lsn < until {
            state.installs.push_back(Past { generation, until, install: install.clone() });
        }
        generation
    }
}
