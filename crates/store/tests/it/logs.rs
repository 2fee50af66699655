//! What the log survives, and what it refuses.

use crate::shadow::{Shadow, Step, rows, run, run_in};
use highwater_store::disk::{Faulty, Memory};
use highwater_store::{Disk, Error, ManualClock, Result, Store, StoreOptions};
use std::sync::Arc;

fn open(disk: Arc<dyn Disk>) -> Result<Arc<Store>> {
    let options = StoreOptions { wal_file_bytes: 4 << 10, ..StoreOptions::default() };
    Store::open(disk, Arc::new(ManualClock::new(0)), options)
}

const LOG: &str = "wal/0000000001.log";

fn history() -> Vec<Step> {
    let inserts = (0..12).map(|i| Step::Insert(1, rows(i * 50, 3, 1)));
    [Step::Create(1, false)].into_iter().chain(inserts).collect()
}

fn play(disk: Arc<dyn Disk>) -> Shadow {
    let (store, mut shadow) = (open(disk).unwrap(), Shadow::default());
    for step in history() {
        run(&store, &step).unwrap();
        shadow.step(&step);
    }
    shadow
}

/// Where the frames of a log file begin.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let (mut at, mut frames) = (32, Vec::new());
    while bytes[at + 8..at + 16] != [0; 8] {
        frames.push(at);
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        at += (24 + length).next_multiple_of(8);
        if at + 24 > bytes.len() {
            break;
        }
    }
    frames
}

fn bytes_of(disk: &dyn Disk, path: &str) -> Vec<u8> {
    highwater_store::disk::read_all(disk, path).unwrap()
}

#[test]
fn damage_in_the_middle_is_refused_with_its_place() {
    let reference = Arc::new(Memory::default());
    play(reference.clone());
    let starts = frames(&bytes_of(&*reference, LOG));
    assert!(starts.len() > 2 && reference.list("wal").unwrap().len() > 1);
    for (i, start) in starts.iter().enumerate() {
        let disk = Faulty::new();
        play(disk.clone());
        disk.damage(LOG, *start as u64 + 25 + i as u64);
        match open(disk.clone()) {
            Err(Error::Corrupt { file, offset, .. }) => {
                assert_eq!((file.to_str(), offset), (Some(LOG), *start as u64));
            }
            other => panic!("frame {i} at {start}: {other:?}"),
        }
    }
    let disk = Faulty::new();
    play(disk.clone());
    disk.damage(LOG, 9);
    assert!(matches!(open(disk), Err(Error::Corrupt { offset: 0, .. })));
}

#[test]
fn a_torn_end_is_cut_wherever_it_is_torn() {
    let reference = Arc::new(Memory::default());
    let shadow = play(reference.clone());
    let (last, _) = reference.list("wal").unwrap().pop().unwrap();
    let last = format!("wal/{last}");
    let bytes = bytes_of(&*reference, &last);
    let starts = frames(&bytes);
    let (start, length) = (starts[starts.len() - 1], frames_end(&bytes, starts[starts.len() - 1]));
    let mut before = Shadow::default();
    let mut steps = history();
    steps.pop();
    steps.iter().for_each(|step| assert!(before.step(step)));
    for torn in (start..length).step_by(7) {
        let disk = Arc::new(Memory::default());
        play(disk.clone());
        disk.open(&last).unwrap().set_len(torn as u64).unwrap();
        let store = open(disk.clone()).unwrap();
        assert_eq!(before.differs(&store.snapshot()), None, "torn at {torn}");
        run(&store, &history()[12]).unwrap();
        drop(store);
        assert_eq!(shadow.differs(&open(disk).unwrap().snapshot()), None);
    }
}

fn frames_end(bytes: &[u8], start: usize) -> usize {
    start + 24 + u32::from_le_bytes(bytes[start..start + 4].try_into().unwrap()) as usize
}

#[test]
fn a_commit_that_was_cut_never_comes_back() {
    // Two commits written in one go: of the first nothing reached the disk, the second did.
    let disk = Arc::new(Memory::default());
    let store = open(disk.clone()).unwrap();
    let mut shadow = Shadow::default();
    let first = [Step::Create(1, false), Step::Insert(1, rows(0, 3, 1))];
    for step in &first {
        run(&store, step).unwrap();
        shadow.step(step);
    }
    let commit = |store: &Arc<Store>, first| {
        let mut transaction = store.begin();
        transaction.set_synchronous(false);
        run_in(&mut transaction, &Step::Insert(1, rows(first, 3, 1))).unwrap();
        transaction.commit().unwrap().wait().unwrap();
    };
    commit(&store, 100);
    commit(&store, 200);
    drop(store);
    let file = disk.open(LOG).unwrap();
    let starts = frames(&bytes_of(&*disk, LOG));
    let lost = starts[starts.len() - 2];
    file.write_at(lost as u64, &vec![0; starts[starts.len() - 1] - lost]).unwrap();
    let store = open(disk.clone()).unwrap();
    assert_eq!(shadow.differs(&store.snapshot()), None);
    // A commit of the same size takes the place of the first. The second would be next to it.
    commit(&store, 300);
    shadow.step(&Step::Insert(1, rows(300, 3, 1)));
    drop(store);
    assert_eq!(shadow.differs(&open(disk).unwrap().snapshot()), None);
}

#[test]
fn a_failed_write_is_not_acknowledged_and_makes_the_store_read_only() {
    let disk = Faulty::new();
    let store = open(disk.clone()).unwrap();
    let mut shadow = Shadow::default();
    for step in &history()[..3] {
        run(&store, step).unwrap();
        shadow.step(step);
    }
    disk.crash_at(1);
    assert!(matches!(run(&store, &history()[3]), Err(Error::Io { .. })));
    assert!(matches!(run(&store, &history()[4]), Err(Error::ReadOnly { .. })));
    assert!(matches!(store.checkpoint(), Err(Error::ReadOnly { .. })));
    assert_eq!(shadow.differs(&store.snapshot()), None, "what was durable is still readable");
    assert!(store.close().is_err());
}

#[test]
fn the_log_stays_small_when_checkpoints_are_taken() {
    let disk = Arc::new(Memory::default());
    let store = open(disk.clone()).unwrap();
    for step in history() {
        run(&store, &step).unwrap();
        run(&store, &Step::Checkpoint).unwrap();
    }
    for i in 0..60 {
        run(&store, &Step::Insert(1, rows(i, 3, 1))).unwrap();
        run(&store, &Step::Checkpoint).unwrap();
    }
    let files = disk.list("wal").unwrap();
    assert!(files.len() <= 4, "{files:?}");
}

#[test]
fn a_missing_log_file_is_noticed() {
    let disk = Arc::new(Memory::default());
    play(disk.clone());
    disk.remove(LOG).unwrap();
    let error = open(disk).unwrap_err();
    assert!(error.to_string().contains("commits 1 to"), "{error}");
}

#[test]
fn a_directory_is_open_once() {
    let disk = Arc::new(Memory::default());
    let store = open(disk.clone()).unwrap();
    assert!(matches!(open(disk.clone()), Err(Error::InUse(_))));
    store.close().unwrap();
    open(disk).unwrap();
}
