//! The server as clients see it: a real one in this process, tokio-postgres, and bare sockets for what no client sends.

mod command;
mod connecting;
mod copy;
mod extended;
mod http;
mod raw;
mod simple;
mod tls;

use bytes::Bytes;
use futures::SinkExt;
use highwater_server::{Server, Settings};
use std::ops::Deref;
use tempfile::TempDir;
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, NoTls};

/// A server on free ports, with a directory of its own.
struct TestServer {
    server: Option<Server>,
    _directory: TempDir,
}

impl TestServer {
    async fn start() -> TestServer {
        TestServer::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Settings)) -> TestServer {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut settings = Settings {
            data_dir: directory.path().join("data"),
            pg: "127.0.0.1:0".parse().expect("an address"),
            http: "127.0.0.1:0".parse().expect("an address"),
            ..Settings::default()
        };
        change(&mut settings);
        TestServer { server: Some(Server::start(settings).await.expect("it starts")), _directory: directory }
    }

    fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.pg_addr().port()).user("postgres").dbname("postgres");
        config
    }

    async fn client(&self) -> Client {
        let (client, connection) = self.config().connect(NoTls).await.expect("it lets the client in");
        tokio::spawn(connection);
        client
    }

    async fn stop(mut self) {
        let server = self.server.take().expect("it runs until now");
        server.stop().await.expect("it closes its directory");
    }
}

impl Deref for TestServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }
}

fn database_error(e: &tokio_postgres::Error) -> &DbError {
    e.as_db_error().unwrap_or_else(|| panic!("an error of the server and not {e:?}"))
}

/// Makes a table `numbers` of `x` from 1 to `count`.
async fn number(client: &Client, count: usize) {
    client.batch_execute("CREATE TABLE numbers (x int)").await.expect("the table is new");
    let mut sink = std::pin::pin!(client.copy_in("COPY numbers FROM STDIN").await.expect("a COPY"));
    let lines: String = (1..=count).map(|n| format!("{n}\n")).collect();
    sink.send(Bytes::from(lines)).await.expect("it takes the rows");
    sink.finish().await.expect("it keeps the rows");
}

/// A statement that takes much longer than any test waits, in small steps.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000000000) n(x) WHERE x % 7 = 9";
