//! Highwater beside PostgreSQL 15: the same statements on both, and every difference.
//!
//! ```text
//! values × operators, functions, casts, aggregates ──┐                 ┌──▶ PostgreSQL 15 ──┐
//! forms.sql                                        ──┴── statements ──┤                    ├── equal?
//!                                                                      └──▶ Highwater ─────┘
//! ```
//!
//! What is compared is the SQLSTATE of an error, or the names, types and texts of the result. The overloads of a
//! function are taken from PostgreSQL's catalog and the functions from our registry, so one that is offered and
//! not covered fails the test. `accepted.rs` has the differences that are known, each with a reason; one that no
//! longer occurs fails the test too.
//!
//! `HIGHWATER_DIFFERENTIAL` says how many combinations of values are tried of each overload,
//! `HIGHWATER_DIFFERENTIAL_ONLY` which cases are run, by a part of their name, and
//! `HIGHWATER_DIFFERENTIAL_REPORT` is a file that takes all differences.

mod accepted;
mod answer;
mod case;
mod catalog;
mod postgresql;
mod values;

use accepted::ACCEPTED;
use answer::{Difference, Sides};
use case::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a run found.
#[derive(Default)]
struct Found {
    compared: usize,
    differences: Vec<Difference>,
    /// The texts on which both agreed that no error is to be given.
    alike: BTreeSet<String>,
}

#[test]
fn statements_mean_what_they_mean_in_postgresql() {
    // Started by this thread, because it ends with the thread that started it.
    let postgresql = postgresql::Server::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let began = std::time::Instant::now();
    let (found, offered) = runtime.block_on(async {
        let sides = Sides::new(&postgresql).await;
        let offered = catalog::common(&sides, &sides.offered()).await;
        let cases = case::all(&sides, &offered).await;
        (run(&postgresql, cases).await, offered)
    });
    let seconds = began.elapsed().as_secs_f64();

    let mut report = String::new();
    let mut uses = vec![0; ACCEPTED.len()];
    let mut alike = found.alike.clone();
    let mut open: BTreeMap<&str, Vec<&Difference>> = BTreeMap::new();
    for difference in &found.differences {
        match ACCEPTED.iter().position(|accepted| (accepted.is)(difference)) {
            Some(i) => {
                uses[i] += 1;
                alike.extend(case::called(&difference.statement));
            }
            None => open.entry(&difference.case).or_default().push(difference),
        }
    }
    let accepted: usize = uses.iter().sum();
    let equal = found.compared - found.differences.len();
    println!(
        "{} statements compared, {equal} equal, {accepted} different and accepted, {} different; {seconds:.1} s",
        found.compared,
        found.differences.len() - accepted,
    );
    for (case, differences) in &open {
        let _ = writeln!(report, "── {case}: {}", differences.len());
        for difference in differences {
            let _ = writeln!(report, "{difference}");
        }
    }
    if let Ok(path) = std::env::var("HIGHWATER_DIFFERENTIAL_REPORT") {
        std::fs::write(&path, &report).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
    if std::env::var("HIGHWATER_DIFFERENTIAL_ONLY").is_ok() {
        assert!(open.is_empty(), "{report}");
        return;
    }
    for (accepted, uses) in ACCEPTED.iter().zip(&uses) {
        if *uses == 0 {
            let _ = writeln!(report, "no longer different, take it off the list: {}", accepted.reason);
        }
    }
    let differs = |statement: &str| found.differences.iter().any(|d| d.statement == statement);
    for statement in accepted::LENIENT.iter().chain(accepted::OPEN).filter(|statement| !differs(statement)) {
        let _ = writeln!(report, "no longer different, take it off the list: {statement}");
    }
    for function in offered {
        if !alike.contains(&function) {
            let _ = writeln!(report, "{function} is offered, and no call of it gave what PostgreSQL gives");
        }
    }
    let shown: String = report.lines().take(400).fold(String::new(), |all, line| all + line + "\n");
    assert!(report.is_empty(), "{} lines of differences:\n{shown}", report.lines().count());
}

/// Runs the cases, on as many pairs of sessions as there are processors.
async fn run(postgresql: &postgresql::Server, cases: Vec<Case>) -> Found {
    let found = Mutex::new(Found::default());
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let work = (0..workers).map(|_| async {
        let mut sides = Sides::new(postgresql).await;
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let of_case = case::run(case, &mut sides).await;
            let mut found = found.lock().expect("no other worker panicked");
            found.compared += of_case.compared;
            found.differences.extend(of_case.differences);
            found.alike.extend(of_case.alike);
        }
    });
    futures::future::join_all(work).await;
    found.into_inner().expect("no worker panicked")
}
