//! A disk in memory that crashes when told to and keeps only what was synced.
//!
//! ```text
//! call      1   2   3   4   5 ✗
//!           w   w   s   w   w        w write, s sync
//! kept      └───┴───┘   ?   ?        ? nothing, all, a torn prefix, or each on its own
//! ```
//!
//! Names are journaled: what happened to them since their directory was synced survives up to some point.

use super::memory::{read, write};
use super::{Disk, DiskFile, not_found, parent};
use crate::Error;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// A disk that crashes at a chosen call.
#[derive(Debug, Default)]
pub struct Faulty {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    crash_at: Option<u64>,
    crashed: bool,
    taken: bool,
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
}

#[derive(Debug, Default)]
struct Inode {
    data: Vec<u8>,
    synced: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

#[derive(Clone, Debug)]
enum NameChange {
    Put(String, usize),
    Remove(String),
    Rename(String, String),
}

#[derive(Debug)]
struct FaultyFile {
    state: Arc<Mutex<State>>,
    inode: usize,
}

impl Faulty {
    /// An empty disk that does not crash.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Crashes at the `n`-th call from now that changes something: it fails, as do all after it.
    pub fn crash_at(&self, n: u64) {
        let mut state = self.state.lock();
        state.crash_at = Some(state.calls + n);
    }

    /// How many calls changed something.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// Whether it has crashed.
    pub fn has_crashed(&self) -> bool {
        self.state.lock().crashed
    }

    /// Crashes now.
    pub fn crash(&self) {
        self.state.lock().crashed = true;
    }

    /// The disk as it is found after a crash: what was synced, and of the rest what `seed` says.
    pub fn restart(&self, seed: u64) -> Arc<Faulty> {
        let state = self.state.lock();
        let mut random = Random(seed);
        let mut names = state.synced_names.clone();
        let survived = random.below(state.pending_names.len() as u64 + 1) as usize;
        state.pending_names[..survived].iter().for_each(|change| change.apply(&mut names));
        let mut after = State::default();
        for (name, inode) in names {
            let data = state.files[inode].after_crash(&mut random);
            after.files.push(Inode { synced: data.clone(), data, pending: Vec::new() });
            after.names.insert(name.clone(), after.files.len() - 1);
            after.synced_names.insert(name, after.files.len() - 1);
        }
        Arc::new(Faulty { state: Arc::new(Mutex::new(after)) })
    }

    /// Turns over the bits of one byte of a file, as a failing medium does.
    pub fn damage(&self, path: &str, offset: u64) {
        let mut state = self.state.lock();
        let inode = state.names[path];
        state.files[inode].data[offset as usize] ^= 0xff;
        state.files[inode].synced[offset as usize] ^= 0xff;
    }
}

impl State {
    /// Counts a call; afterwards it is an error if the disk has crashed.
    fn call(&mut self) -> bool {
        if !self.crashed {
            self.calls += 1;
            self.crashed = self.crash_at == Some(self.calls);
            return true;
        }
        false
    }

    fn check(&self) -> io::Result<()> {
        match self.crashed {
            true => Err(io::Error::other("the disk has crashed")),
            false => Ok(()),
        }
    }

    fn rename_in_view(&mut self, change: NameChange) -> io::Result<()> {
        if self.call() {
            change.apply(&mut self.names);
            self.pending_names.push(change);
        }
        self.check()
    }
}

impl Inode {
    fn after_crash(&self, random: &mut Random) -> Vec<u8> {
        let mut data = self.synced.clone();
        let count = self.pending.len() as u64;
        match random.below(4) {
            0 => {}
            1 => self.pending.iter().for_each(|change| change.apply(&mut data)),
            2 => {
                let whole = random.below(count + 1) as usize;
                self.pending[..whole].iter().for_each(|change| change.apply(&mut data));
                if let Some(Change::Write(offset, bytes)) = self.pending.get(whole) {
                    let torn = random.below(bytes.len() as u64 + 1) as usize;
                    write(&mut data, *offset, &bytes[..torn]);
                }
            }
            _ => self.pending.iter().filter(|_| random.below(2) == 0).for_each(|change| change.apply(&mut data)),
        }
        data
    }
}

impl Change {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Change::Write(offset, bytes) => write(data, *offset, bytes),
            Change::SetLen(size) => data.resize(*size as usize, 0),
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Put(name, inode) => {
                names.insert(name.clone(), *inode);
            }
            NameChange::Remove(name) => {
                names.remove(name);
            }
            NameChange::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }

    fn is_in(&self, dir: &str) -> bool {
        match self {
            NameChange::Put(name, _) | NameChange::Remove(name) | NameChange::Rename(_, name) => parent(name) == dir,
        }
    }
}

impl Disk for Faulty {
    fn lock(&self) -> crate::Result<()> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut state.taken, true) {
            true => Err(Error::InUse("faulty".into())),
            false => Ok(()),
        }
    }

    fn unlock(&self) {
        self.state.lock().taken = false;
    }

    fn create_dir(&self, _path: &str) -> io::Result<()> {
        self.state.lock().check()
    }

    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64)>> {
        let state = self.state.lock();
        state.check()?;
        let inside = state.names.iter().filter(|(path, _)| parent(path) == dir);
        let name = |path: &str| path.rsplit_once('/').map_or(path, |(_, name)| name).to_owned();
        Ok(inside.map(|(path, inode)| (name(path), state.files[*inode].data.len() as u64)).collect())
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state.lock();
        state.check()?;
        let inode = *state.names.get(path).ok_or_else(|| not_found(path))?;
        Ok(Arc::new(FaultyFile { state: self.state.clone(), inode }))
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state.lock();
        let inode = state.files.len();
        state.files.push(Inode::default());
        state.rename_in_view(NameChange::Put(path.to_owned(), inode))?;
        Ok(Arc::new(FaultyFile { state: self.state.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.contains_key(from) {
            return Err(not_found(from));
        }
        state.rename_in_view(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.contains_key(path) {
            return Err(not_found(path));
        }
        state.rename_in_view(NameChange::Remove(path.to_owned()))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call();
        state.check()?;
        let (synced, rest) = std::mem::take(&mut state.pending_names).into_iter().partition(|c| c.is_in(dir));
        state.pending_names = rest;
        let synced: Vec<NameChange> = synced;
        synced.iter().for_each(|change| change.apply(&mut state.synced_names));
        Ok(())
    }
}

impl FaultyFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.call() {
            let inode = &mut state.files[self.inode];
            change.apply(&mut inode.data);
            inode.pending.push(change);
        }
        state.check()
    }
}

impl DiskFile for FaultyFile {
    fn size(&self) -> io::Result<u64> {
        let state = self.state.lock();
        state.check()?;
        Ok(state.files[self.inode].data.len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock();
        state.check()?;
        read(&state.files[self.inode].data, offset, out)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset, bytes.to_vec()))
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.change(Change::SetLen(size))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.call();
        state.check()?;
        let inode = &mut state.files[self.inode];
        for change in std::mem::take(&mut inode.pending) {
            change.apply(&mut inode.synced);
        }
        Ok(())
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_synced_is_sure_to_survive() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..40 {
            let disk = Faulty::new();
            let file = disk.create("f").unwrap();
            file.write_at(0, b"abc").unwrap();
            file.sync_data().unwrap();
            disk.sync_dir("").unwrap();
            file.write_at(3, b"def").unwrap();
            disk.create("unsynced").unwrap();
            disk.crash();
            assert!(file.size().is_err() && disk.open("f").is_err());
            let after = disk.restart(seed);
            let bytes = super::super::read_all(&*after, "f").unwrap();
            assert!(b"abcdef".starts_with(&bytes) && bytes.len() >= 3);
            seen.insert((bytes.len(), after.open("unsynced").is_ok()));
        }
        assert!(seen.len() >= 6, "the seed makes a difference: {seen:?}");
    }

    #[test]
    fn the_crashing_call_may_have_happened() {
        let kept = (0..40).filter(|seed| {
            let disk = Faulty::new();
            let file = disk.create("f").unwrap();
            disk.sync_dir("").unwrap();
            disk.crash_at(1);
            assert!(file.write_at(0, b"x").is_err());
            assert!(disk.has_crashed());
            disk.restart(*seed).list("").unwrap()[0].1 == 1
        });
        assert!((1..40).contains(&kept.count()));
    }
}
