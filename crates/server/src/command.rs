//! The command line.

mod demo;
mod serve;
mod sql;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// A time-series SQL database whose heart is the continuous aggregate.
#[derive(Debug, Parser)]
#[command(name = "highwater", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a data directory over PostgreSQL's protocol and HTTP.
    Serve(serve::Serve),
    /// Show continuous aggregates at work on realistic data, in one command.
    Demo(demo::Demo),
    /// Execute SQL on a data directory or a server.
    Sql(sql::Sql),
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // More threads than processors: a query may compute for long without letting others in, and the system then
    // shares the processors. Deep expressions are planned recursively.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads((2 * processors).max(8))
        .thread_stack_size(8 << 20)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: cannot start: {e}");
            return ExitCode::FAILURE;
        }
    };
    let code = match cli.command {
        Command::Serve(serve) => runtime.block_on(serve.run()),
        Command::Demo(demo) => runtime.block_on(demo.run()),
        Command::Sql(sql) => runtime.block_on(sql.run()),
    };
    // Whatever still runs must not keep the process.
    runtime.shutdown_background();
    code
}

/// Logs to standard error what the filter lets through.
fn log(filter: &str) -> Result<(), String> {
    use std::io::IsTerminal;
    let filter = EnvFilter::try_new(filter).map_err(|e| format!("log_level: \"{filter}\" is not a filter: {e}"))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Logging that was already set up, by a test or an embedder, stays.
    let _ = subscriber.try_init();
    Ok(())
}

fn fail(message: impl std::fmt::Display, hint: Option<&str>) -> ExitCode {
    eprintln!("error: {message}");
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
    ExitCode::FAILURE
}
