//! `highwater serve`: serve a data directory until a signal comes.

use super::{fail, log};
use crate::Server;
use crate::server::StartError;
use crate::settings::{Given, Settings};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};

/// Serve a data directory over PostgreSQL's protocol and HTTP.
///
/// A setting is taken from a flag, from the environment (HIGHWATER_ and its name), from the configuration file, or it
/// has its default, in this order.
#[derive(Debug, Args)]
pub struct Serve {
    /// TOML file with settings.
    #[arg(long, env = "HIGHWATER_CONFIG", hide_env = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
}

impl Serve {
    pub(super) async fn run(self) -> ExitCode {
        let settings = match Settings::resolve(self.given, self.config.as_deref()) {
            Ok(settings) => settings,
            Err(e) => return fail(e, None),
        };
        if let Err(e) = log(&settings.log_level) {
            return fail(e, None);
        }
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(e) => return fail(format!("cannot wait for signals: {e}"), None),
        };
        let started = tokio::select! {
            started = Server::start(settings) => started,
            () = signals.next() => return ExitCode::SUCCESS,
        };
        let server = match started {
            Ok(server) => server,
            Err(StartError::Settings { message, hint }) => return fail(message, Some(&hint)),
            Err(StartError::Instance(e)) => return fail(&e, e.hint.as_deref()),
            Err(e @ StartError::Listen { .. }) => {
                return fail(e, Some("Give another address with --pg or --http; port 0 takes a free one."));
            }
        };
        println!("listening on postgresql://{}/", server.pg_addr());
        println!("listening on http://{}/", server.http_addr());
        let _ = std::io::stdout().flush();
        signals.next().await;
        tokio::select! {
            stopped = server.stop() => match stopped {
                Ok(()) => ExitCode::SUCCESS,
                Err(e) => {
                    error!(sqlstate = e.sqlstate, message = e.message, "the data directory was not closed");
                    ExitCode::FAILURE
                }
            },
            () = signals.next() => {
                info!("stopping at once");
                ExitCode::FAILURE
            }
        }
    }
}

/// The signals that end a server.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Signals> {
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
