//! The Highwater server: how the database is reached from outside.
//!
//! PostgreSQL's protocol in [`pg`], HTTP in [`http`], the command line in [`command`]. No rule about data is
//! here: the engine has them.
//!
//! ```no_run
//! # async fn example() -> Result<(), highwater_server::server::StartError> {
//! use highwater_server::{Server, Settings};
//! let server = Server::start(Settings { pg: "127.0.0.1:0".parse().unwrap(), ..Settings::default() }).await?;
//! println!("postgresql://{}/", server.pg_addr());
//! server.stop().await?;
//! # Ok(()) }
//! ```

pub mod client;
pub mod command;
pub mod http;
pub mod pg;
pub mod server;
pub mod settings;

pub use server::Server;
pub use settings::Settings;
