//! What each crate must not have: the last column of the code map in `ARCHITECTURE.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A crate's directory, and the dependencies it exists to keep out.
const KEPT_OUT: [(&str, &[&str]); 4] = [
    (
        "model",
        &[
            "arrow",
            "parquet",
            "datafusion",
            "sqlparser",
            "redb",
            "tokio",
            "futures",
            "async-trait",
            "pgwire",
            "axum",
            "clap",
        ],
    ),
    ("store", &["datafusion", "sqlparser", "tokio", "futures", "async-trait", "pgwire", "axum", "clap"]),
    ("engine", &["pgwire", "axum", "hyper", "clap", "redb", "tokio-postgres"]),
    ("server", &["datafusion", "sqlparser", "parquet", "redb"]),
];

/// The crates from left to right; each uses only those before it.
const ORDER: [(&str, &str); 4] = [
    ("model", "highwater-model"),
    ("store", "highwater-store"),
    ("engine", "highwater"),
    ("server", "highwater-server"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names under `[dependencies]`, not those that only tests use.
fn dependencies(crate_name: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join("crates").join(crate_name).join("Cargo.toml")).unwrap();
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
            assert!(!line.starts_with("[dependencies.") && !line.starts_with("[target."), "{crate_name}: {line}");
        } else if inside && let Some((name, _)) = line.split_once(['.', '=', ' ']) {
            names.insert(name.trim().to_owned());
        }
    }
    names
}

/// The lines of a crate's sources without tests, comments and the files that `except` names.
fn lines(crate_name: &str, except: &[&str]) -> Vec<(PathBuf, usize, String)> {
    fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, files) } else { files.push(path) }
        }
    }
    let source = root().join("crates").join(crate_name).join("src");
    let mut files = Vec::new();
    walk(&source, &mut files);
    let mut lines = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&source).unwrap().to_owned();
        if except.iter().any(|name| relative.starts_with(name)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            if line == "#[cfg(test)]" {
                break;
            }
            if !line.trim_start().starts_with("//") {
                lines.push((relative.clone(), number + 1, line.to_owned()));
            }
        }
    }
    lines
}

fn has_none_of(crate_name: &str, except: &[&str], words: &[&str]) {
    for (file, number, line) in lines(crate_name, except) {
        for word in words {
            assert!(!line.contains(word), "crates/{crate_name}/src/{}:{number} has {word}: {line}", file.display());
        }
    }
}

#[test]
fn each_crate_keeps_out_what_it_exists_to_keep_out() {
    for (crate_name, kept_out) in KEPT_OUT {
        let has = dependencies(crate_name);
        assert!(!has.is_empty(), "{crate_name} has no dependencies at all: the manifest was not understood");
        for name in kept_out {
            assert!(!has.contains(*name), "{crate_name} depends on {name}");
        }
    }
}

#[test]
fn a_crate_uses_only_those_to_its_left() {
    for (i, (crate_name, _)) in ORDER.iter().enumerate() {
        for (_, to_the_right) in &ORDER[i..] {
            assert!(!dependencies(crate_name).contains(*to_the_right), "{crate_name} depends on {to_the_right}");
        }
        assert!(!dependencies(crate_name).contains("highwater-testkit"), "{crate_name} ships the testkit");
    }
}

#[test]
fn the_model_is_pure() {
    has_none_of(
        "model",
        &[],
        &[
            "std::fs",
            "std::net",
            "std::env",
            "std::thread",
            "async fn",
            "SystemTime",
            "Instant::now",
            "Utc::now",
            "Local::now",
        ],
    );
}

#[test]
fn only_the_disk_opens_files() {
    has_none_of(
        "store",
        &["disk", "disk.rs"],
        &["std::fs", "std::{fs", "fs::read", "fs::write", "File::open", "File::create", "OpenOptions"],
    );
}

#[test]
fn only_the_clock_tells_the_time() {
    has_none_of("store", &["clock.rs"], &["SystemTime", "Instant::now", "Utc::now", "Local::now"]);
}

#[test]
fn no_crate_may_be_unsafe() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let manifest = fs::read_to_string(entry.unwrap().path().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{manifest}");
    }
}
