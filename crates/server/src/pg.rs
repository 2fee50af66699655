//! PostgreSQL's protocol, version 3.
//!
//! One task per connection reads messages, lets the engine work and writes replies into one buffer, which is sent
//! when the client waits for it (Sync, Flush, the end of a simple query) or when it is full. Results are streamed:
//! a full buffer waits for the client, and the engine computes no further meanwhile.
//!
//! ```text
//! socket ─▶ io (frames) ─▶ message ─▶ connection ─▶ simple   ┐              ┌▶ decode (parameters)
//!    ▲                                            ├▶ extended ├▶ Session ───┤
//!    └───────────── io.out ◀── reply ◀────────────┴▶ copy     ┘              └▶ encode (rows)
//! ```
//!
//! Messages are read and written here; of pgwire its TLS and its password hashing are used. Its handlers flush each
//! message by itself, collect what should be streamed, and cannot cancel a result that is being sent.

pub mod binary;
pub mod cancel;
pub mod connection;
mod copy;
pub mod decode;
pub mod encode;
mod extended;
pub mod io;
pub mod message;
pub mod reply;
pub mod scram;
mod simple;
mod startup;
pub mod tls;
pub mod types;

use cancel::Connections;
use futures::FutureExt;
use highwater::{Error, Instance};
use io::{Io, Stream};
use pgwire::tokio::TlsAcceptor;
use scram::Verifier;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, error, info_span, warn};

/// Who may connect.
#[derive(Debug)]
pub enum Authentication {
    /// Everyone, as whoever they say.
    Trust,
    /// Who proves to know a password.
    Scram {
        /// What is kept of each user's password.
        users: HashMap<String, Verifier>,
        /// Makes up what users are told that there are not.
        seed: [u8; 32],
    },
}

/// What all connections share.
pub struct Shared {
    /// The databases.
    pub instance: Arc<Instance>,
    /// Who may connect.
    pub authentication: Authentication,
    /// How connections are encrypted, if they can be.
    pub tls: Option<TlsAcceptor>,
    /// What the settings of a session begin with.
    pub session: BTreeMap<String, String>,
    /// The connections there are.
    pub connections: Arc<Connections>,
    /// Fired when the server stops.
    pub shutdown: CancellationToken,
}

/// Accepts connections until the server stops.
pub async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Replies are sent when they are complete; waiting to send more at once only delays them.
                if let Err(e) = stream.set_nodelay(true) {
                    debug!(%peer, error = %e, "cannot send without delay");
                }
                tasks.spawn(serve(Stream::Plain(stream), Some(peer), Arc::clone(&shared)));
            }
            Err(e) => {
                // Out of file descriptors, most likely: they come back when connections end.
                warn!(error = %e, "cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one connection until it ends. A panic ends this connection only.
pub async fn serve(stream: Stream, peer: Option<SocketAddr>, shared: Arc<Shared>) {
    let span = info_span!("connection", peer = peer.map(tracing::field::display));
    async move {
        let mut io = Io::new(stream, peer);
        if let Err(panic) = AssertUnwindSafe(connection::run(&mut io, &shared)).catch_unwind().await {
            let reason = panic
                .downcast_ref::<&str>()
                .map(|s| (*s).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            error!(reason, "a connection ended with a bug");
            // What was being written may be half a message.
            io.out.clear();
            reply::fatal(&mut io.out, &Error::internal(format!("internal error: {reason}")));
            let _ = io.flush().await;
        }
        io.close().await;
    }
    .instrument(span)
    .await;
}
