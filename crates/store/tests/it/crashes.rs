//! A crash at every call that changes the disk loses nothing that was acknowledged.

use crate::shadow::{Shadow, Step, rows, run};
use highwater_store::disk::Faulty;
use highwater_store::{ManualClock, Result, Store, StoreOptions};
use proptest::prelude::*;
use std::sync::Arc;

fn options() -> StoreOptions {
    StoreOptions { wal_file_bytes: 8 << 10, inline_bytes: 4 << 10, ..StoreOptions::default() }
}

fn open(disk: &Arc<Faulty>) -> Result<Arc<Store>> {
    Store::open(disk.clone(), Arc::new(ManualClock::new(0)), options())
}

/// What a history left behind: all that was acknowledged, and that with the step that was under way.
struct Outcome {
    acknowledged: Shadow,
    in_flight: Shadow,
}

fn play(disk: &Arc<Faulty>, history: &[Step]) -> Outcome {
    let mut done = Outcome { acknowledged: Shadow::default(), in_flight: Shadow::default() };
    let Ok(store) = open(disk) else { return done };
    for step in history {
        let possible = done.in_flight.step(step);
        match run(&store, step) {
            Ok(happened) => assert_eq!(happened, possible, "{step:?}"),
            Err(error) => {
                assert!(disk.has_crashed(), "{step:?}: {error}");
                break;
            }
        }
        done.acknowledged = done.in_flight.clone();
    }
    done
}

/// Opens what a crash left, compares it, and goes on working with it.
fn check(disk: &Arc<Faulty>, outcome: &Outcome, context: &str) {
    let store = open(disk).unwrap_or_else(|e| panic!("{context}: cannot open: {e}"));
    let snapshot = store.snapshot();
    let (before, after) = (outcome.acknowledged.differs(&snapshot), outcome.in_flight.differs(&snapshot));
    let (Some(before), Some(after)) = (&before, &after) else {
        let mut shadow = if before.is_none() { outcome.acknowledged.clone() } else { outcome.in_flight.clone() };
        drop(snapshot);
        for step in [
            Step::Create(90, true),
            Step::Insert(90, rows(0, 4, 60)),
            Step::Checkpoint,
            Step::Insert(90, rows(7, 2, 1)),
        ] {
            shadow.step(&step);
            run(&store, &step).unwrap_or_else(|e| panic!("{context}: {step:?}: {e}"));
        }
        drop(store);
        let store = open(disk).unwrap_or_else(|e| panic!("{context}: cannot open again: {e}"));
        assert_eq!(shadow.differs(&store.snapshot()), None, "{context}, opened again");
        store.close().unwrap();
        return;
    };
    panic!("{context}: neither as acknowledged ({before}) nor with the step under way ({after})");
}

fn crash_everywhere(history: &[Step], seeds: u64) {
    let calm = Faulty::new();
    let outcome = play(&calm, history);
    let calls = calm.calls();
    assert!(!calm.has_crashed());
    check(&calm, &outcome, "without a crash");
    for at in 1..=calls {
        for seed in 0..seeds {
            let disk = Faulty::new();
            disk.crash_at(at);
            let outcome = play(&disk, history);
            let after = disk.restart(at * 1000 + seed);
            check(&after, &outcome, &format!("crash at call {at} of {calls}, seed {seed}"));
        }
    }
}

#[test]
fn a_crash_at_any_call_keeps_what_was_acknowledged() {
    let history = [
        Step::Create(1, true),
        Step::All(vec![Step::Create(2, false), Step::Aggregate(7, 1)]),
        Step::Insert(1, rows(0, 20, 7)),
        Step::Insert(1, rows(0, 20, 7)),
        Step::All(vec![Step::Insert(1, rows(200, 3, 5)), Step::Insert(2, rows(5, 5, 50)), Step::Delete(1, 0, 20)]),
        Step::Settle(7, 0, 200),
        Step::Checkpoint,
        Step::Insert(1, rows(300, 300, 1)),
        Step::Update(1, 30, 60, 1000),
        Step::Delete(1, 100, 160),
        Step::Insert(2, rows(40, 6, 11)),
        Step::Checkpoint,
        Step::Delete(1, 350, 500),
        Step::Truncate(2),
        Step::Insert(2, rows(60, 6, 11)),
        Step::Checkpoint,
        Step::Settle(7, 300, 400),
        Step::Insert(1, rows(-50, 2, 30)),
        Step::Drop(2),
        Step::Checkpoint,
    ];
    crash_everywhere(&history, 3);
}

#[test]
fn a_crash_while_chunks_are_compressed_loses_nothing() {
    let history = [
        Step::Create(1, true),
        Step::Insert(1, rows(0, 40, 5)),
        Step::Compress(1, 0, true),
        // Written to a compressed chunk, and deleted from it.
        Step::Insert(1, rows(2, 10, 5)),
        Step::Delete(1, 20, 35),
        Step::Checkpoint,
        Step::Update(1, 50, 60, 1000),
        Step::Compress(1, 0, true),
        Step::Insert(1, rows(100, 300, 1)),
        Step::Compress(1, 150, true),
        // So many that the compressed segment is written anew.
        Step::Delete(1, 100, 190),
        Step::Checkpoint,
        Step::Compress(1, 0, false),
        Step::Compress(1, 150, false),
    ];
    crash_everywhere(&history, 3);
}

#[test]
fn a_crash_while_starting_after_a_crash_loses_nothing() {
    let history =
        [Step::Create(1, true), Step::Insert(1, rows(0, 20, 7)), Step::Checkpoint, Step::Insert(1, rows(200, 9, 7))];
    let disk = Faulty::new();
    let outcome = play(&disk, &history);
    disk.crash();
    for at in 1..40 {
        let second = disk.restart(at);
        second.crash_at(at);
        drop(open(&second));
        check(&second.restart(at), &outcome, &format!("crash at call {at} of the start"));
    }
}

fn steps() -> impl Strategy<Value = Step> {
    let table = 1..3u32;
    prop_oneof![
        4 => (table.clone(), 0..300i64, 1..25i64, 1..9i64).prop_map(|(t, first, n, step)| Step::Insert(t, rows(first, n, step))),
        1 => (table.clone(), 0..300i64).prop_map(|(t, first)| Step::Insert(t, rows(first, 200, 1))),
        2 => (table.clone(), 0..300i64, 0..80i64).prop_map(|(t, from, n)| Step::Delete(t, from, from + n)),
        1 => table.prop_map(Step::Truncate),
        1 => (0..30i64, 0..10i64).prop_map(|(from, n)| Step::Settle(7, from * 10, (from + n) * 10)),
        2 => Just(Step::Checkpoint),
        2 => (1..3u32, 0..500i64, prop::bool::weighted(0.7)).prop_map(|(t, at, on)| Step::Compress(t, at, on)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_history_survives_a_crash_anywhere(history in prop::collection::vec(steps(), 1..14), at in 1..400u64, seed in any::<u64>()) {
        let first = [Step::Create(1, true), Step::Create(2, false), Step::Aggregate(7, 2)];
        let history: Vec<Step> = first.into_iter().chain(history).collect();
        let disk = Faulty::new();
        disk.crash_at(at);
        let outcome = play(&disk, &history);
        disk.crash();
        check(&disk.restart(seed), &outcome, &format!("crash at call {at}"));
    }
}
