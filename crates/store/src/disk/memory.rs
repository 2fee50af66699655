//! A directory in memory, gone with the process.

use super::{Disk, DiskFile, not_found, past_the_end};
use crate::Error;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A directory in memory.
#[derive(Debug, Default)]
pub struct Memory {
    files: Mutex<BTreeMap<String, Arc<MemoryFile>>>,
    taken: AtomicBool,
}

#[derive(Default)]
struct MemoryFile(RwLock<Vec<u8>>);

impl std::fmt::Debug for MemoryFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemoryFile({} bytes)", self.0.read().len())
    }
}

impl Disk for Memory {
    fn lock(&self) -> crate::Result<()> {
        match self.taken.swap(true, Ordering::SeqCst) {
            true => Err(Error::InUse("memory".into())),
            false => Ok(()),
        }
    }

    fn unlock(&self) {
        self.taken.store(false, Ordering::SeqCst);
    }

    fn create_dir(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64)>> {
        let files = self.files.lock();
        let inside = files.iter().filter_map(|(path, file)| {
            let (d, name) = path.rsplit_once('/').unwrap_or(("", path));
            (d == dir).then(|| (name.to_owned(), file.0.read().len() as u64))
        });
        Ok(inside.collect())
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.files.lock().get(path).cloned();
        Ok(file.ok_or_else(|| not_found(path))?)
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = Arc::new(MemoryFile::default());
        self.files.lock().insert(path.to_owned(), file.clone());
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.lock();
        let file = files.remove(from).ok_or_else(|| not_found(from))?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.files.lock().remove(path).map(|_| ()).ok_or_else(|| not_found(path))
    }

    fn sync_dir(&self, _dir: &str) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.read().len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        read(&self.0.read(), offset, out)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        write(&mut self.0.write(), offset, bytes);
        Ok(())
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.0.write().resize(size as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn read(data: &[u8], offset: u64, out: &mut [u8]) -> io::Result<()> {
    let end = offset as usize + out.len();
    out.copy_from_slice(data.get(offset as usize..end).ok_or_else(|| past_the_end(end as u64))?);
    Ok(())
}

pub(super) fn write(data: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    if data.len() < end {
        data.resize(end, 0);
    }
    data[start..end].copy_from_slice(bytes);
}
