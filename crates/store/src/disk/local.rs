//! A directory of the operating system.

use super::{Disk, DiskFile, parent};
use crate::Error;
use parking_lot::Mutex;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the file whose lock says that the directory is taken.
const LOCK: &str = "LOCK";

/// A directory of the operating system.
#[derive(Debug)]
pub struct Local {
    root: PathBuf,
    lock: Mutex<Option<File>>,
}

impl Local {
    /// The directory at `root`, made if it is not there.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Self> {
        let root = root.as_ref().to_owned();
        let is_new = !root.exists();
        fs::create_dir_all(&root)?;
        if let (true, Some(above)) = (is_new, root.parent().filter(|p| !p.as_os_str().is_empty())) {
            File::open(above)?.sync_all()?;
        }
        Ok(Local { root, lock: Mutex::default() })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

impl Disk for Local {
    fn lock(&self) -> crate::Result<()> {
        let mut held = self.lock.lock();
        let in_use = || Error::InUse(self.root.clone());
        if held.is_some() {
            return Err(in_use());
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.path(LOCK));
        let file = file.map_err(Error::io("open", LOCK))?;
        match file.try_lock() {
            Ok(()) => *held = Some(file),
            Err(TryLockError::WouldBlock) => return Err(in_use()),
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", LOCK)(e)),
        }
        Ok(())
    }

    fn unlock(&self) {
        // Closing the file releases the lock.
        *self.lock.lock() = None;
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        fs::create_dir_all(self.path(path))?;
        self.sync_dir(parent(path))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64)>> {
        let entries = match fs::read_dir(self.path(dir)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let meta = entry.metadata()?;
            if let (true, Some(name)) = (meta.is_file(), entry.file_name().to_str()) {
                names.push((name.to_owned(), meta.len()));
            }
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.path(path);
        // A file of a read-only medium can still be read.
        let file = OpenOptions::new().read(true).write(true).open(&path).or_else(|e| match e.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => File::open(&path),
            _ => Err(e),
        })?;
        Ok(Arc::new(LocalFile(file)))
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(self.path(path))?;
        Ok(Arc::new(LocalFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.path(dir))?.sync_all()
    }
}

#[derive(Debug)]
struct LocalFile(File);

impl DiskFile for LocalFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
