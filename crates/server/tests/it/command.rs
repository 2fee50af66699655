//! The command line, as a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn highwater() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HIGHWATER_")) {
        command.env_remove(name);
    }
    command
}

/// Starts a server and gives the addresses it prints.
fn serve(directory: &Path) -> (Child, String, String) {
    serve_with(directory, &[], Stdio::null())
}

fn serve_with(directory: &Path, arguments: &[&str], log: impl Into<Stdio>) -> (Child, String, String) {
    let mut child = highwater()
        .args(["serve", "--pg", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data-dir"])
        .arg(directory)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut address = |scheme: &str| {
        let line = lines.next().expect("a line per address");
        let address = line.strip_prefix(&format!("listening on {scheme}://")).unwrap_or_else(|| panic!("{line}"));
        address.trim_end_matches('/').to_owned()
    };
    let (pg, http) = (address("postgresql"), address("http"));
    (child, pg, http)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn sql(arguments: &[&str], input: &str) -> Output {
    let mut child = highwater()
        .arg("sql")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_server_stops_on_a_signal() {
    for name in ["TERM", "INT"] {
        let directory = tempfile::tempdir().unwrap();
        let (mut child, pg, http) = serve(directory.path());
        assert!(pg.starts_with("127.0.0.1:") && http.starts_with("127.0.0.1:") && pg != http);
        let result = sql(&["--connect", &pg, "-c", "SELECT 1 AS one"], "");
        assert_eq!(text(&result.stdout), " one \n-----\n   1\n(1 row)\n\n");
        assert!(result.status.success());
        signal(&child, name);
        assert!(child.wait().unwrap().success(), "{name}");
    }
}

#[test]
fn sql_is_executed_on_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_str().unwrap();
    let script =
        "CREATE TABLE t (a int, b text);\nCOPY t FROM STDIN;\n1\tx;y\n2\t\\N\n\\.\nSELECT * FROM t ORDER BY a;";
    let result = sql(&["--data-dir", directory], script);
    assert_eq!(text(&result.stderr), "");
    assert_eq!(text(&result.stdout), "CREATE TABLE\nCOPY 2\n a |  b  \n---+-----\n 1 | x;y\n 2 | \n(2 rows)\n\n");
    let result = sql(&["--data-dir", directory, "--csv", "-c", "SELECT * FROM t ORDER BY a"], "");
    assert_eq!(text(&result.stdout), "a,b\n1,x;y\n2,\n");
}

#[test]
fn the_first_error_ends_a_script() {
    let directory = tempfile::tempdir().unwrap();
    let result =
        sql(&["--data-dir", directory.path().to_str().unwrap()], "SELECT 1 AS a; SELECT * FROM nothing; SELECT 2");
    assert_eq!(result.status.code(), Some(1));
    assert_eq!(text(&result.stdout), " a \n---\n 1\n(1 row)\n\n");
    assert!(text(&result.stderr).starts_with("ERROR:  42P01: relation \"nothing\" does not exist"));
}

#[test]
fn wrong_settings_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("highwater.toml");
    std::fs::write(&file, "prot = 5432\n").unwrap();
    let serve = |arguments: &[&str]| {
        let result = highwater().args(["serve", "--data-dir"]).arg(directory.path()).args(arguments).output().unwrap();
        assert_eq!(result.status.code(), Some(1), "{arguments:?}");
        text(&result.stderr).to_owned()
    };
    let e = serve(&["--config", file.to_str().unwrap()]);
    assert!(e.contains("highwater.toml") && e.contains("prot"), "{e}");
    let e = serve(&["--pg", "0.0.0.0:0"]);
    assert!(e.contains("error: refusing to listen on 0.0.0.0:0") && e.contains("hint: Add --auth scram"), "{e}");
    let e = serve(&["--auth", "scram"]);
    assert!(e.contains("HIGHWATER_PASSWORD"), "{e}");
}

#[test]
fn sessions_begin_with_what_the_file_says() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("highwater.toml");
    let file = file.to_str().unwrap();
    std::fs::write(file, "[session]\nlog_min_duration_statement = 0\ntimezone = \"Asia/Tokyo\"\n").unwrap();
    let log = directory.path().join("log");
    let (mut child, pg, _) =
        serve_with(&directory.path().join("data"), &["--config", file], std::fs::File::create(&log).unwrap());
    let script = "SHOW timezone; SET timezone = 'UTC'; RESET timezone; SHOW timezone; SELECT 41 + 1 AS answer; \
                  SET log_min_duration_statement = -1; SELECT 'unheard'; SELECT 1 / 0";
    let result = sql(&["--connect", &pg, "--csv"], script);
    assert_eq!(text(&result.stdout).matches("Asia/Tokyo").count(), 2, "{}", text(&result.stdout));
    signal(&child, "TERM");
    assert!(child.wait().unwrap().success());
    let log = std::fs::read_to_string(log).unwrap();
    let logged: Vec<&str> = log.lines().filter(|line| line.contains("statement took long")).collect();
    assert!(logged.iter().any(|line| line.contains("41 + 1") && line.contains("elapsed_micros=")), "{log}");
    assert!(!log.contains("unheard"), "{log}");

    std::fs::write(file, "[session]\nstatement_timeout = \"soon\"\n").unwrap();
    let result = highwater().args(["serve", "--config", file, "--data-dir"]).arg(directory.path()).output().unwrap();
    assert_eq!(result.status.code(), Some(1));
    let e = text(&result.stderr);
    assert!(e.contains("statement_timeout") && e.contains("soon") && e.contains("hint:"), "{e}");
}

#[test]
fn a_directory_is_served_once() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, _, _) = serve(directory.path());
    let result = sql(&["--data-dir", directory.path().to_str().unwrap(), "-c", "SELECT 1"], "");
    assert_eq!(result.status.code(), Some(1));
    assert!(text(&result.stderr).contains("in use"), "{}", text(&result.stderr));
    signal(&child, "TERM");
    assert!(child.wait().unwrap().success());
}
