//! A data directory with its databases.

use crate::activity::Sessions;
use crate::database::{Databases, Engine};
use crate::session::Session;
use crate::{Error, Result, job, temporary};
use highwater_store::disk::{Disk, Local, Memory};
use highwater_store::{Clock, Store, StoreOptions, SystemClock};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, RwLock};

/// How an instance is opened.
#[derive(Clone, Debug)]
pub struct InstanceOptions {
    /// Directory that holds everything; made when missing. `None` keeps everything in memory.
    pub data_dir: Option<PathBuf>,
    /// Where databases are kept instead, if anywhere else.
    pub disks: Option<Disks>,
    /// Bytes that queries may use before they spill or fail.
    pub memory_limit: usize,
    /// Whether due jobs are started.
    pub scheduler: bool,
    /// How each database's store behaves.
    pub store: StoreOptions,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl InstanceOptions {
    /// An instance kept in a directory.
    pub fn at(data_dir: impl Into<PathBuf>) -> Self {
        InstanceOptions { data_dir: Some(data_dir.into()), ..InstanceOptions::in_memory() }
    }

    /// An instance that is gone when it is closed.
    pub fn in_memory() -> Self {
        InstanceOptions {
            data_dir: None,
            disks: None,
            memory_limit: 1 << 30,
            scheduler: true,
            store: StoreOptions::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Gives each database, by its name, the disk that it is kept on.
///
/// So that an instance can run on a disk that is not a directory, as the simulated one of the tests. Only
/// the database `postgres` is opened by itself; others have to be created again.
#[derive(Clone)]
pub struct Disks(pub DiskOf);

/// The disk of a database, by its name.
pub type DiskOf = Arc<dyn Fn(&str) -> Arc<dyn Disk> + Send + Sync>;

impl std::fmt::Debug for Disks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disks")
    }
}

/// A data directory with its databases. There is always one named `postgres`.
///
/// Each database is a directory of its own, `db/NAME`, with its own log, so one cannot hold up another.
#[derive(Debug)]
pub struct Instance {
    options: InstanceOptions,
    databases: Mutex<BTreeMap<String, Arc<Engine>>>,
    /// The names of the databases, for those who cannot wait.
    names: Databases,
    sessions: Arc<Sessions>,
    closing: AtomicBool,
    /// Held shared by running jobs, so that closing can wait for them.
    pub(crate) running: RwLock<()>,
}

impl Instance {
    /// Opens a data directory, replaying its logs.
    ///
    /// # Errors
    /// 55006 when another process has it open; XX001 when a file is corrupt; 58030 when the operating
    /// system refuses.
    pub async fn open(options: InstanceOptions) -> Result<Arc<Instance>> {
        let mut names = vec!["postgres".to_owned()];
        if let Some(dir) = &options.data_dir {
            let root = dir.join("db");
            let failed =
                |e: std::io::Error| Error::new("58030", format!("cannot open data directory {}: {e}", root.display()));
            std::fs::create_dir_all(&root).map_err(failed)?;
            for entry in std::fs::read_dir(&root).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                if let Some(name) = entry.file_name().to_str().and_then(decoded)
                    && name != "postgres"
                {
                    names.push(name);
                }
            }
        }
        let sessions = Arc::new(Sessions::since(options.clock.now_micros()));
        let instance = Arc::new(Instance {
            sessions,
            options,
            databases: Mutex::default(),
            names: Databases::default(),
            closing: AtomicBool::new(false),
            running: RwLock::default(),
        });
        for name in names {
            instance.open_database(&name).await?;
        }
        Ok(instance)
    }

    async fn open_database(self: &Arc<Self>, name: &str) -> Result<()> {
        let disk: Arc<dyn Disk> = match (&self.options.disks, &self.options.data_dir) {
            (Some(disks), _) => disks.0(name),
            (None, None) => Arc::new(Memory::default()),
            (None, Some(dir)) => {
                let path = dir.join("db").join(encoded(name));
                let opened = Local::new(&path);
                Arc::new(opened.map_err(|e| Error::new("58030", format!("cannot open {}: {e}", path.display())))?)
            }
        };
        let store =
            tokio::task::block_in_place(|| Store::open(disk, self.options.clock.clone(), self.options.store.clone()))?;
        let (names, sessions, clock) = (self.names.clone(), self.sessions.clone(), self.options.clock.clone());
        let engine = Engine::new(name, names, sessions, store, clock, self.options.memory_limit)?;
        let left = temporary::schemas(&engine);
        if !left.is_empty() {
            temporary::clear(self, &engine, &left).await?;
        }
        if self.options.scheduler {
            job::schedule(self, &engine);
        }
        self.databases.lock().await.insert(name.to_owned(), engine);
        self.names.write().insert(name.to_owned());
        Ok(())
    }

    /// A new session of `user` on a database.
    ///
    /// # Errors
    /// 3D000 when there is no such database; 57P03 when the instance is closing.
    pub async fn session(self: &Arc<Self>, database: &str, user: &str) -> Result<Session> {
        if self.is_closing() {
            return Err(Error::new("57P03", "the database system is shutting down"));
        }
        let engine = self.databases.lock().await.get(database).cloned();
        let engine = engine.ok_or_else(|| Error::new("3D000", format!("database \"{database}\" does not exist")))?;
        Ok(Session::new(self.clone(), engine, user))
    }

    /// The store of a database: what is kept of it, below SQL. Writing to it goes past every rule that
    /// statements are held to.
    ///
    /// # Errors
    /// 3D000 when there is no such database.
    pub async fn store(&self, database: &str) -> Result<Arc<Store>> {
        let engine = self.databases.lock().await.get(database).cloned();
        let engine = engine.ok_or_else(|| Error::new("3D000", format!("database \"{database}\" does not exist")))?;
        Ok(engine.store.clone())
    }

    /// The names of the databases.
    pub async fn databases(&self) -> Vec<String> {
        self.databases.lock().await.keys().cloned().collect()
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// 42P04 when there is one of that name.
    pub async fn create_database(self: &Arc<Self>, name: &str) -> Result<()> {
        if self.databases.lock().await.contains_key(name) {
            return Err(Error::new("42P04", format!("database \"{name}\" already exists")));
        }
        self.open_database(name).await
    }

    /// Removes a database with everything in it.
    ///
    /// # Errors
    /// 3D000 when there is none, 55006 when it is the session's own or others use it.
    pub async fn drop_database(&self, name: &str, if_exists: bool, own: &str) -> Result<()> {
        if name == own {
            return Err(Error::new("55006", "cannot drop the currently open database"));
        }
        let mut databases = self.databases.lock().await;
        let Some(engine) = databases.get(name) else {
            if if_exists {
                return Ok(());
            }
            return Err(Error::new("3D000", format!("database \"{name}\" does not exist")));
        };
        // The map's own reference, and none of a session's.
        if Arc::strong_count(engine) > 1 {
            return Err(Error::new("55006", format!("database \"{name}\" is being accessed by other users")));
        }
        let engine = databases.remove(name).expect("it was just found");
        self.names.write().remove(name);
        tokio::task::block_in_place(|| engine.store.close())?;
        drop(engine);
        if let Some(dir) = &self.options.data_dir {
            let path = dir.join("db").join(encoded(name));
            std::fs::remove_dir_all(&path)
                .map_err(|e| Error::new("58030", format!("cannot remove {}: {e}", path.display())))?;
        }
        Ok(())
    }

    /// Whether the instance is closing.
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Stops jobs, waits for them, writes everything and closes the databases.
    ///
    /// # Errors
    /// When a database cannot be written; the others are closed all the same.
    pub async fn close(&self) -> Result<()> {
        self.closing.store(true, Ordering::Release);
        let _no_jobs = self.running.write().await;
        let databases = std::mem::take(&mut *self.databases.lock().await);
        let mut result = Ok(());
        for engine in databases.values() {
            if let Err(e) = tokio::task::block_in_place(|| engine.store.close()) {
                result = Err(e.into());
            }
        }
        result
    }
}

/// A database's name as a directory's: everything but letters, digits, `_` and `-` as `%XX`.
fn encoded(name: &str) -> String {
    name.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn decoded(file: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = file.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}
