//! `highwater sql`: execute statements and print what they give.
//!
//! On a data directory, this process serves itself over a stream in memory: both ways show the same.

mod output;
mod script;

use super::{fail, log};
use crate::client::{Client, ClientError, Event};
use crate::pg::io::Stream;
use crate::settings::{AuthenticationMethod, PASSWORD_VARIABLE, Settings};
use crate::{pg, server};
use clap::Args;
use highwater::{Instance, InstanceOptions};
use output::{Output, Style};
use script::{Piece, Script};
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Execute SQL on a data directory or a server.
///
/// Each statement is a transaction of its own unless BEGIN says otherwise. The first error ends it, with exit code 1.
#[derive(Debug, Args)]
pub struct Sql {
    /// Execute these statements; may be given several times.
    #[arg(short, long, value_name = "SQL", conflicts_with = "file")]
    command: Vec<String>,
    /// Execute the statements of a file; without this and --command, those of standard input.
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// Directory with the databases.
    #[arg(long, env = "HIGHWATER_DATA_DIR", hide_env = true, default_value = "highwater-data")]
    data_dir: PathBuf,
    /// Server to use instead of a data directory, as host:port.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// Database.
    #[arg(short, long, default_value = "postgres")]
    database: String,
    /// User; the password comes from HIGHWATER_PASSWORD.
    #[arg(short = 'U', long, default_value = "postgres")]
    user: String,
    /// Print results as CSV with a line of names.
    #[arg(long)]
    csv: bool,
    /// What is logged to standard error.
    #[arg(long, env = "HIGHWATER_LOG_LEVEL", hide_env = true, default_value = "warn")]
    log_level: String,
}

impl Sql {
    pub(super) async fn run(self) -> ExitCode {
        if let Err(e) = log(&self.log_level) {
            return fail(e, None);
        }
        let (text, from_standard_input) = match self.text() {
            Ok(text) => text,
            Err(e) => return fail(e, None),
        };
        match &self.connect {
            Some(address) => {
                let password = std::env::var(PASSWORD_VARIABLE).ok();
                let client = Client::connect(address, &self.database, &self.user, password.as_deref()).await;
                self.execute(client, &text, from_standard_input).await
            }
            None => self.embedded(&text, from_standard_input).await,
        }
    }

    /// What to execute, and whether standard input was read for it.
    fn text(&self) -> Result<(String, bool), String> {
        if !self.command.is_empty() {
            return Ok((self.command.join(";\n"), false));
        }
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path);
            return text.map(|text| (text, false)).map_err(|e| format!("cannot read {}: {e}", path.display()));
        }
        if std::io::stdin().is_terminal() {
            eprintln!("Type statements; end with Ctrl-D.");
        }
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|e| format!("cannot read standard input: {e}"))?;
        Ok((text, true))
    }

    async fn embedded(&self, text: &str, from_standard_input: bool) -> ExitCode {
        let options = InstanceOptions { scheduler: false, ..InstanceOptions::at(&self.data_dir) };
        let instance = match Instance::open(options).await {
            Ok(instance) => instance,
            Err(e) => return fail(&e, e.hint.as_deref()),
        };
        let settings = Settings { auth: AuthenticationMethod::Trust, ..Settings::default() };
        let shared = match server::share(&settings, Arc::clone(&instance)) {
            Ok(shared) => shared,
            Err(e) => return fail(e, None),
        };
        let (here, there) = tokio::io::duplex(256 << 10);
        let serving = tokio::spawn(pg::serve(Stream::Memory(there), None, shared));
        let client = Client::start(Stream::Memory(here), &self.database, &self.user, None).await;
        let code = self.execute(client, text, from_standard_input).await;
        let _ = serving.await;
        match instance.close().await {
            Ok(()) => code,
            Err(e) => fail(&e, e.hint.as_deref()),
        }
    }

    async fn execute(&self, client: Result<Client, ClientError>, text: &str, from_standard_input: bool) -> ExitCode {
        let style = if self.csv { Style::Csv } else { Style::Aligned };
        let executed = match client {
            Ok(mut client) => {
                let executed = execute(&mut client, text, from_standard_input || self.file.is_some(), style).await;
                client.close().await;
                executed
            }
            Err(e) => Err(Failure::Client(e)),
        };
        match executed {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Statement) => ExitCode::FAILURE,
            // Whoever read the output has had enough.
            Err(Failure::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(Failure::Output(e)) => fail(format!("cannot write the result: {e}"), None),
            Err(Failure::Meta(command)) => fail(
                format!("{command} is a command of psql, not SQL"),
                Some("Use psql for it; Highwater speaks its protocol."),
            ),
            Err(Failure::Client(ClientError::Refused(e))) => {
                eprintln!("{e}");
                ExitCode::FAILURE
            }
            Err(Failure::Client(e)) => fail(e, None),
        }
    }
}

/// Why execution ended before the end.
#[derive(Debug)]
enum Failure {
    /// A statement failed, which was told.
    Statement,
    /// What is not SQL.
    Meta(String),
    Output(std::io::Error),
    Client(ClientError),
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Failure::Output(e)
    }
}

impl From<ClientError> for Failure {
    fn from(e: ClientError) -> Self {
        Failure::Client(e)
    }
}

/// Executes statement by statement.
///
/// * `data_follows` – COPY data follows its statement, and does not come from standard input.
async fn execute(client: &mut Client, text: &str, data_follows: bool, style: Style) -> Result<(), Failure> {
    let mut script = Script::new(text);
    let mut output = Output::new(std::io::BufWriter::new(std::io::stdout()), style);
    while let Some(piece) = script.next_piece() {
        let statement = match piece {
            Piece::Statement(statement) => statement,
            Piece::Meta(command) => return Err(Failure::Meta(command.to_owned())),
        };
        client.query(statement).await?;
        let mut failed = false;
        loop {
            match client.next().await? {
                Event::Ready => break,
                Event::CopyIn if data_follows => {
                    client.copy_data(script.copy_data().as_bytes()).await?;
                    client.copy_done().await?;
                }
                Event::CopyIn => {
                    copy_standard_input(client).await?;
                    client.copy_done().await?;
                }
                Event::Error(e) => {
                    failed = true;
                    output.flush()?;
                    eprintln!("{e}");
                    if let Some(place) = e.position.and_then(|position| script::point_at(statement, position)) {
                        eprintln!("{place}");
                    }
                }
                Event::Notice(notice) => {
                    output.flush()?;
                    eprintln!("{notice}");
                }
                event => output.show(event)?,
            }
        }
        output.flush()?;
        if failed {
            return Err(Failure::Statement);
        }
    }
    Ok(())
}

async fn copy_standard_input(client: &mut Client) -> Result<(), Failure> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = std::io::stdin().read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        client.copy_data(&buffer[..length]).await?;
    }
}
