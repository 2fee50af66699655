//! The table of settings in the README is made from their declarations.
//!
//! `UPDATE_DOCS=1 cargo test docs` writes it again.

use highwater_server::settings::DESCRIPTIONS;
use std::fmt::Write;
use std::path::Path;

const BEGIN: &str = "<!-- settings -->\n";
const END: &str = "<!-- /settings -->";

fn table() -> String {
    let mut table = String::from("| flag | variable | default | |\n|---|---|---|---|\n");
    for setting in DESCRIPTIONS {
        let flag = setting.name.replace('_', "-");
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        let _ = writeln!(table, "| `--{flag}` | `{}` | {default} | {} |", setting.environment, setting.sentence);
    }
    table
}

#[test]
fn the_readme_lists_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = std::fs::read_to_string(&path).expect("there is a README");
    let (before, rest) = text.split_once(BEGIN).expect("the README has a place for settings");
    let (_, after) = rest.split_once(END).expect("the README has an end for settings");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).expect("the README can be written");
        return;
    }
    assert!(text == wanted, "README.md is not up to date: UPDATE_DOCS=1 cargo test docs");
}
