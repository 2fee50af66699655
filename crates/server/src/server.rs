//! A running server, within this process.

use crate::http::{self, HttpState};
use crate::pg::cancel::Connections;
use crate::pg::{self, Authentication, Shared, tls};
use crate::settings::{AuthenticationMethod, Settings};
use highwater::{Instance, InstanceOptions};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// How long statements have to end after they were cancelled.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that contradict each other, with a hint.
    #[error("{message}")]
    Settings {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// The data directory cannot be opened or closed.
    #[error(transparent)]
    Instance(#[from] highwater::Error),
}

/// A server that listens. Dropping it leaves it running; [`Server::stop`] ends it.
pub struct Server {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    pg_addr: SocketAddr,
    http_addr: SocketAddr,
    grace: Duration,
}

impl Server {
    /// Opens the data directory and begins to listen.
    ///
    /// # Errors
    /// Settings that contradict each other, addresses in use, a data directory that cannot be opened.
    pub async fn start(settings: Settings) -> Result<Server, StartError> {
        check(&settings)?;
        // Listen first: it fails sooner than recovery, and clients that come meanwhile wait.
        let pg_listener = listen(settings.pg).await?;
        let http_listener = listen(settings.http).await?;
        let instance = Instance::open(InstanceOptions {
            memory_limit: settings.memory_limit.0,
            ..InstanceOptions::at(&settings.data_dir)
        })
        .await?;
        Server::start_on(settings, instance, pg_listener, http_listener)
    }

    /// Begins to serve an instance that is open.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(settings: Settings, instance: Arc<Instance>) -> Result<Server, StartError> {
        check(&settings)?;
        let pg_listener = listen(settings.pg).await?;
        let http_listener = listen(settings.http).await?;
        Server::start_on(settings, instance, pg_listener, http_listener)
    }

    fn start_on(
        settings: Settings,
        instance: Arc<Instance>,
        pg_listener: TcpListener,
        http_listener: TcpListener,
    ) -> Result<Server, StartError> {
        let bound = |listener: &TcpListener, address| {
            listener.local_addr().map_err(|source| StartError::Listen { address, source })
        };
        let (pg_addr, http_addr) = (bound(&pg_listener, settings.pg)?, bound(&http_listener, settings.http)?);
        let shared = share(&settings, instance)?;
        let tasks = TaskTracker::new();
        tasks.spawn(pg::accept(pg_listener, Arc::clone(&shared), tasks.clone()));
        let state = HttpState { instance: Arc::clone(&shared.instance), shutdown: shared.shutdown.clone() };
        tasks.spawn(http::serve(http_listener, state));
        info!(%pg_addr, %http_addr, "listening");
        Ok(Server { shared, tasks, pg_addr, http_addr, grace: settings.shutdown_grace.duration() })
    }

    /// Where PostgreSQL's protocol is spoken.
    pub fn pg_addr(&self) -> SocketAddr {
        self.pg_addr
    }

    /// Where HTTP is spoken.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// The databases that are served.
    pub fn instance(&self) -> &Arc<Instance> {
        &self.shared.instance
    }

    /// Accepts no more connections, ends the idle ones, lets running statements finish for a while and then cancels
    /// them, and closes the data directory.
    ///
    /// # Errors
    /// When the data directory cannot be closed; what was acknowledged is safe all the same.
    pub async fn stop(self) -> Result<(), highwater::Error> {
        info!("stopping");
        self.shared.shutdown.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.grace, self.tasks.wait()).await.is_err() {
            warn!("canceling statements that still run");
            self.shared.connections.cancel_all();
            if tokio::time::timeout(CANCEL_GRACE, self.tasks.wait()).await.is_err() {
                warn!(connections = self.tasks.len(), "closing in spite of connections that do not end");
            }
        }
        self.shared.instance.close().await?;
        info!("stopped");
        Ok(())
    }
}

/// What the connections of a server share, or those of a process that only talks to itself.
///
/// # Errors
/// A certificate that cannot be used.
pub fn share(settings: &Settings, instance: Arc<Instance>) -> Result<Arc<Shared>, StartError> {
    let authentication = match settings.auth {
        AuthenticationMethod::Trust => Authentication::Trust,
        AuthenticationMethod::Scram => Authentication::Scram { users: settings.verifiers(), seed: rand::random() },
    };
    let tls = match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(tls::acceptor(certificate, key).map_err(|message| StartError::Settings {
                message,
                hint: "Both files are to be in PEM, and the key is to be the certificate's.".to_owned(),
            })?)
        }
        _ => None,
    };
    Ok(Arc::new(Shared {
        instance,
        authentication,
        tls,
        session: settings.session.clone(),
        connections: Arc::new(Connections::new(settings.max_connections)),
        shutdown: CancellationToken::new(),
    }))
}

fn check(settings: &Settings) -> Result<(), StartError> {
    let wrong = |message: String, hint: &str| Err(StartError::Settings { message, hint: hint.to_owned() });
    let scram = settings.auth == AuthenticationMethod::Scram;
    if !scram && !settings.pg.ip().is_loopback() {
        return wrong(
            format!(
                "refusing to listen on {} without passwords: everyone who reaches it could read and change everything",
                settings.pg
            ),
            "Add --auth scram and set HIGHWATER_PASSWORD, or listen on 127.0.0.1.",
        );
    }
    if scram && settings.users.is_empty() {
        return wrong(
            "nobody could connect: --auth scram is given, but no user has a password".to_owned(),
            "Set HIGHWATER_PASSWORD for the user postgres, or add [users] to the configuration file.",
        );
    }
    let mut session = highwater::setting::Settings::default();
    for (name, value) in &settings.session {
        session.begin_with(name, value).map_err(|e| StartError::Settings {
            message: format!("wrong setting of sessions: {}", e.message),
            hint: e.hint.unwrap_or_else(|| "Change it under [session] in the configuration file.".to_owned()),
        })?;
    }
    if settings.tls_cert.is_some() != settings.tls_key.is_some() {
        return wrong(
            "a certificate and its key are needed together".to_owned(),
            "Give both --tls-cert and --tls-key, or neither.",
        );
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}
