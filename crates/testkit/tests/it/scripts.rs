//! Every script under `tests/sql`.

use std::path::{Path, PathBuf};

fn scripts(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("tests/sql can be read") {
        let path = entry.expect("tests/sql can be read").path();
        if path.is_dir() {
            scripts(&path, found);
        } else if path.extension().is_some_and(|e| e == "slt") {
            found.push(path);
        }
    }
}

/// All scripts, or those whose path contains `SCRIPTS`.
#[tokio::test(flavor = "multi_thread")]
async fn every_script_gives_its_answers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/sql");
    let mut found = Vec::new();
    scripts(&root, &mut found);
    found.sort();
    if let Ok(part) = std::env::var("SCRIPTS") {
        found.retain(|path| path.to_string_lossy().contains(&part));
    }
    assert!(!found.is_empty(), "no script was selected");
    let mut failures = Vec::new();
    for path in &found {
        if let Err(e) = highwater_testkit::script::run(path).await {
            let name = path.strip_prefix(&root).unwrap_or(path).display().to_string();
            failures.push(format!("{name}\n{e}"));
        }
    }
    assert!(failures.is_empty(), "{} of {} scripts failed:\n\n{}", failures.len(), found.len(), failures.join("\n\n"));
}
