//! A PostgreSQL 15 of our own, in a temporary directory.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_postgres::{Client, NoTls};

/// A running server; ended when it is dropped, or when the thread that started it ends.
pub struct Server {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

/// Where the programs are: `HIGHWATER_POSTGRESQL`, or where Debian has them.
fn programs() -> PathBuf {
    let given = std::env::var("HIGHWATER_POSTGRESQL").map(PathBuf::from);
    let directory = given.unwrap_or_else(|_| PathBuf::from("/usr/lib/postgresql/15/bin"));
    assert!(
        directory.join("initdb").exists(),
        "there is no PostgreSQL 15 in {}: install Debian's postgresql-15 (`./scripts/test.sh tools` does), or say where \
         its initdb is in HIGHWATER_POSTGRESQL",
        directory.display()
    );
    directory
}

/// The user and group that PostgreSQL runs as; `None` when it may be ours, because we are not root.
fn user(directory: &Path) -> Option<(u32, u32)> {
    let ours = directory.metadata().expect("it was just made").uid();
    (ours == 0).then(|| {
        let id = |option| {
            let output = Command::new("id").args([option, "postgres"]).output().expect("there is id");
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            text.parse().expect("Debian's postgresql-15 brings the user postgres, as whom root runs it")
        };
        (id("-u"), id("-g"))
    })
}

impl Server {
    /// Makes a cluster and starts it.
    pub fn start() -> Server {
        let programs = programs();
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let user = user(directory.path());
        if let Some((uid, gid)) = user {
            chown(directory.path(), Some(uid), Some(gid)).expect("root may give a directory away");
        }
        let command = |program: &str| {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL"]);
            if let Some((uid, gid)) = user {
                command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
            }
            command.arg(programs.join(program)).current_dir(directory.path());
            command
        };
        let data = directory.path().join("data");
        let initdb = command("initdb")
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--lc-collate=C"])
            .args(["--no-sync", "--pgdata"])
            .arg(&data)
            .output()
            .expect("setpriv is part of util-linux");
        assert!(initdb.status.success(), "initdb: {}", String::from_utf8_lossy(&initdb.stderr));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port is free").port();
        let mut child = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F", "-k", ""])
            .args(["-c", "timezone=UTC", "-c", "jit=off"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("setpriv is part of util-linux");
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        let server = Server { child, port, _directory: directory };
        let mut lines = log.lines().map_while(Result::ok);
        let mut begin = Vec::new();
        for line in lines.by_ref() {
            let ready = line.contains("ready to accept connections");
            begin.push(line);
            if ready {
                // What else it says, each error of ours among it, is read and forgotten.
                std::thread::spawn(move || lines.for_each(drop));
                return server;
            }
        }
        panic!("PostgreSQL did not start:\n{}", begin.join("\n"));
    }

    /// A connection.
    pub async fn connect(&self) -> Client {
        let config = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match tokio_postgres::connect(&config, NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return client;
                }
                Err(e) if Instant::now() > deadline => panic!("PostgreSQL does not answer: {e}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its processes see that it is gone and end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
