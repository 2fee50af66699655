//! One client's connection, from its first byte to its last.

use super::cancel::Registration;
use super::encode::RowEncoder;
use super::extended::{Portal, Statement};
use super::io::{BUFFER_BYTES, Io};
use super::message::{Frame, Message, Unreadable, kind, read};
use super::{Shared, encode, reply, startup};
use highwater::session::CancelHandle;
use highwater::{Error, RowStream, Session, TransactionStatus};
use highwater_model::time::Zone;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

/// How long a client may take to say who it is.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(60);

/// Why work on a message ended early.
#[derive(Debug)]
pub enum Stop {
    /// A statement failed; the connection goes on.
    Error(Error),
    /// The connection ends, and the client is told why.
    Fatal(Error),
    /// The client is gone.
    Gone,
}

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Stop::Error(e)
    }
}

impl From<std::io::Error> for Stop {
    fn from(e: std::io::Error) -> Self {
        debug!(error = %e, "the client is gone");
        Stop::Gone
    }
}

impl From<Unreadable> for Stop {
    fn from(e: Unreadable) -> Self {
        match e {
            Unreadable::Encoding => Stop::Error(e.error()),
            _ => Stop::Fatal(e.error()),
        }
    }
}

/// A client's session and what the protocol keeps for it.
pub struct Connection<'a> {
    pub(super) io: &'a mut Io,
    pub(super) session: Session,
    pub(super) cancel: CancelHandle,
    /// Fired when another session ends this one.
    ended: CancellationToken,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) statements: HashMap<String, Arc<Statement>>,
    pub(super) portals: HashMap<String, Portal>,
    /// An extended message failed: everything up to Sync is skipped.
    pub(super) skipping: bool,
    /// The statements up to Sync are one transaction, which is open.
    pub(super) implicit: bool,
    /// The client was told that it may go on, and has not.
    waiting: bool,
    zone: (String, Zone),
    _registration: Registration,
}

/// Serves a client until one side ends the connection.
pub async fn run(io: &mut Io, shared: &Arc<Shared>) {
    let ended = match tokio::time::timeout(STARTUP_TIMEOUT, startup::start(io, shared)).await {
        Ok(Ok(Some((session, registration)))) => {
            let (cancel, ended) = (session.cancel_handle(), session.ended());
            let mut connection = Connection {
                io,
                session,
                cancel,
                ended,
                shared,
                statements: HashMap::new(),
                portals: HashMap::new(),
                skipping: false,
                implicit: false,
                waiting: false,
                zone: ("UTC".to_owned(), Zone::UTC),
                _registration: registration,
            };
            connection.serve().await
        }
        Ok(Ok(None)) => Ok(()),
        Ok(Err(stop)) => Err(stop),
        Err(_) => Err(Stop::Fatal(Error::new("08P01", "canceling authentication due to timeout"))),
    };
    if let Err(Stop::Fatal(e) | Stop::Error(e)) = ended {
        debug!(sqlstate = e.sqlstate, message = e.message, "connection refused or ended");
        reply::fatal(&mut io.out, &e);
        let _ = tokio::time::timeout(Duration::from_secs(5), io.flush()).await;
    }
}

impl Connection<'_> {
    async fn serve(&mut self) -> Result<(), Stop> {
        self.ready().await?;
        loop {
            let Some(frame) = self.next_command().await? else { return Ok(()) };
            if frame.kind == kind::TERMINATE {
                return Ok(());
            }
            if self.skipping && frame.kind != kind::SYNC {
                continue;
            }
            match self.dispatch(&frame).await {
                Ok(()) => {}
                Err(Stop::Error(e)) => {
                    self.report(&e);
                    self.skipping = true;
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    async fn dispatch(&mut self, frame: &Frame) -> Result<(), Stop> {
        let message = match read(frame) {
            Err(e @ Unreadable::Encoding) if frame.kind == b'Q' => {
                self.report(&e.error());
                return self.ready().await;
            }
            other => other?,
        };
        match message {
            Message::Query(sql) => self.query(sql).await,
            Message::Parse { name, sql, types } => self.parse(name, sql, &types).await,
            Message::Bind(bind) => self.bind(&bind),
            Message::Describe(target) => self.describe(target),
            Message::Execute { portal, max_rows } => self.execute(portal, max_rows).await,
            Message::Close(target) => {
                self.close(target);
                Ok(())
            }
            Message::Sync => self.sync().await,
            Message::Flush => Ok(self.io.flush().await?),
            // The client sent these before it knew that its COPY had failed.
            Message::Copy => Ok(()),
            Message::FunctionCall => {
                self.report(
                    &Error::unsupported("the function call protocol is not supported")
                        .hint("Use SELECT with the function."),
                );
                self.ready().await
            }
            Message::Terminate => Err(Stop::Gone),
        }
    }

    /// The next message outside of a COPY. After ReadyForQuery, the client may take only so long to send it.
    async fn next_command(&mut self) -> Result<Option<Frame>, Stop> {
        let settings = self.session.settings();
        let (limit, sqlstate, message) = match self.session.status() {
            _ if !std::mem::take(&mut self.waiting) => return self.next_frame(8192).await,
            TransactionStatus::Idle => {
                (settings.idle_timeout(), "57P05", "terminating connection due to idle-session timeout")
            }
            TransactionStatus::InBlock | TransactionStatus::Failed => (
                settings.idle_in_transaction_timeout(),
                "25P03",
                "terminating connection due to idle-in-transaction timeout",
            ),
        };
        match limit {
            None => self.next_frame(8192).await,
            Some(limit) => tokio::time::timeout(limit, self.next_frame(8192))
                .await
                .unwrap_or_else(|_| Err(Stop::Fatal(Error::new(sqlstate, message)))),
        }
    }

    /// Logs a statement that took long, as `log_min_duration_statement` wants it.
    pub(super) fn log_duration(&self, began: Instant, statement: &str) {
        let Some(least) = self.session.settings().log_min_duration() else { return };
        let elapsed = began.elapsed();
        if elapsed >= least {
            let elapsed_micros = elapsed.as_micros() as u64;
            info!(elapsed_micros, statement, "statement took long");
        }
    }

    /// The next message; `None` when the client is gone.
    pub(super) async fn next_frame(&mut self, room: usize) -> Result<Option<Frame>, Stop> {
        loop {
            if let Some(frame) = self.io.buffered()? {
                return Ok(Some(frame));
            }
            if self.skipping {
                // The client may wait for the error before it sends Sync.
                self.io.flush().await?;
            }
            tokio::select! {
                biased;
                more = self.io.read_more(room) => {
                    if !more? {
                        return Ok(None);
                    }
                }
                () = self.shared.shutdown.cancelled() => return Err(ended()),
                () = self.ended.cancelled() => return Err(ended()),
            }
        }
    }

    /// Tells the client that it may go on, and sends all replies.
    pub(super) async fn ready(&mut self) -> Result<(), Stop> {
        self.send_notices();
        for (name, value) in self.session.take_reported_settings() {
            reply::parameter_status(&mut self.io.out, name, &value);
        }
        reply::ready_for_query(&mut self.io.out, self.session.status());
        self.waiting = true;
        Ok(self.io.flush().await?)
    }

    /// Tells the client and the session of an error.
    pub(super) fn report(&mut self, e: &Error) {
        if e.sqlstate.starts_with("XX") || e.sqlstate.starts_with("58") {
            error!(sqlstate = e.sqlstate, message = e.message, detail = e.detail, "statement failed");
        } else {
            debug!(sqlstate = e.sqlstate, message = e.message, "statement failed");
        }
        self.send_notices();
        reply::error(&mut self.io.out, e);
        self.session.fail();
    }

    pub(super) fn send_notices(&mut self) {
        for notice in self.session.take_notices() {
            reply::notice(&mut self.io.out, &notice);
        }
    }

    /// Ends the transaction around several statements, if there is one.
    pub(super) async fn end_implicit(&mut self) -> Result<(), Stop> {
        if std::mem::take(&mut self.implicit) {
            self.io.watch(&self.cancel, self.session.end_implicit()).await?;
        }
        Ok(())
    }

    /// Opens a transaction around several statements, unless there is one.
    pub(super) fn begin_implicit(&mut self) {
        if self.implicit || self.session.status() == TransactionStatus::Idle {
            self.session.begin_implicit();
            self.implicit = true;
        }
    }

    /// The zone that timestamps are shown in now.
    pub(super) fn zone(&mut self) -> Zone {
        let name = self.session.time_zone();
        if name != self.zone.0 {
            self.zone = (name.to_owned(), Zone::parse(name).unwrap_or(Zone::UTC));
        }
        self.zone.1
    }
}

fn ended() -> Stop {
    Stop::Fatal(Error::new("57P01", "terminating connection due to administrator command"))
}

/// Rows that are being sent.
pub struct Sending {
    rows: RowStream,
    encoder: RowEncoder,
    batch: Vec<encode::Column>,
    batch_rows: usize,
    next_row: usize,
}

impl std::fmt::Debug for Sending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sending").field("next_row", &self.next_row).finish_non_exhaustive()
    }
}

/// How far sending came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Rows sent this time.
    pub rows: u64,
    /// Whether there are no more.
    pub finished: bool,
}

impl Sending {
    /// Rows of which none was sent.
    pub fn new(rows: RowStream, encoder: RowEncoder) -> Sending {
        Sending { rows, encoder, batch: Vec::new(), batch_rows: 0, next_row: 0 }
    }

    /// Sends rows, `limit` at most unless it is 0.
    pub async fn send(&mut self, io: &mut Io, cancel: &CancelHandle, limit: u64) -> Result<Sent, Stop> {
        use futures::StreamExt;
        let limit = if limit == 0 { u64::MAX } else { limit };
        let mut rows = 0;
        loop {
            while self.next_row < self.batch_rows {
                if rows == limit {
                    return Ok(Sent { rows, finished: false });
                }
                self.encoder.write_row(&self.batch, self.next_row, &mut io.out);
                self.next_row += 1;
                rows += 1;
                if io.out.len() >= BUFFER_BYTES {
                    io.flush().await?;
                }
            }
            if rows == limit {
                return Ok(Sent { rows, finished: false });
            }
            match io.watch(cancel, self.rows.next()).await {
                None => return Ok(Sent { rows, finished: true }),
                Some(batch) => {
                    let batch = batch?;
                    self.batch = self.encoder.columns(&batch)?;
                    self.batch_rows = batch.num_rows();
                    self.next_row = 0;
                }
            }
        }
    }
}
