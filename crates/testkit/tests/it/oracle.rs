//! Random histories against the oracle.
//!
//! `HIGHWATER_ORACLE_HISTORIES` says how many, `HIGHWATER_ORACLE_SEED` which is the first; a history is played
//! again by its seed and a count of one.

use highwater_testkit::oracle;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Runs `check` for every seed, on as many threads as there are processors, until one fails.
fn every_seed<F: Future<Output = Result<usize, String>>>(name: &str, count: u64, check: impl Fn(u64) -> F + Sync) {
    let first = setting("HIGHWATER_ORACLE_SEED", 1);
    let count = setting("HIGHWATER_ORACLE_HISTORIES", count);
    let (next, steps, failed) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let failures = Mutex::new(Vec::new());
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
                let runtime = runtime.expect("a runtime can be made");
                while !failed.load(Ordering::Relaxed) {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        break;
                    }
                    match runtime.block_on(check(first + i)) {
                        Ok(done) => drop(steps.fetch_add(done, Ordering::Relaxed)),
                        Err(failure) => {
                            failed.store(true, Ordering::Relaxed);
                            failures.lock().unwrap().push(failure);
                        }
                    }
                }
            });
        }
    });
    let (seconds, steps) = (start.elapsed().as_secs_f64(), steps.into_inner());
    println!("{count} {name} from seed {first} on, {steps} steps, {seconds:.1} s");
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn after_any_history_aggregates_equal_their_rows() {
    every_seed("histories", 200, oracle::check);
}

#[test]
fn beside_writers_refreshes_lose_nothing() {
    every_seed("concurrent histories", 15, oracle::concurrent::check);
}
