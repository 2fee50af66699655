//! Where files are: the only place that opens them.
//!
//! ```text
//!           Disk ──open/create──▶ DiskFile ──write_at──▶ (may be lost) ──sync_data──▶ kept
//!             └──rename/remove──▶ (may be lost) ──sync_dir──▶ kept
//! ```
//!
//! Nothing is kept before it is synced: neither bytes nor names. [`Faulty`] takes that literally, so a
//! history that survives a crash at each of its calls would survive one on a real disk.
//!
//! Paths are relative to the data directory and use `/`.

mod faulty;
mod local;
mod memory;

pub use faulty::Faulty;
pub use local::Local;
pub use memory::Memory;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

/// A directory of files.
pub trait Disk: Send + Sync + Debug {
    /// Takes the directory for this process.
    ///
    /// # Errors
    /// [`crate::Error::InUse`] when another process, or another store of this one, has it.
    fn lock(&self) -> crate::Result<()>;

    /// Gives the directory back.
    fn unlock(&self);

    /// Makes a directory, and those above it.
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// Names and sizes of the files in a directory, sorted; none when it is not there.
    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64)>>;

    /// Opens a file that exists.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes an empty file, in place of any that has the name.
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, in place of any that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Who has it open keeps reading it.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes what happened to the names in a directory durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + Sync + Debug {
    /// Its size in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Fills `out` from `offset` on; an error when the file ends before.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes at `offset`, growing the file if need be.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or grows it with zeros.
    fn set_len(&self, size: u64) -> io::Result<()>;

    /// Makes what was written durable.
    fn sync_data(&self) -> io::Result<()>;
}

/// Reads a whole file.
pub fn read_all(disk: &dyn Disk, path: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let mut bytes = vec![0; file.size()? as usize];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// The directory part of a path.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

fn not_found(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{path} does not exist"))
}

fn past_the_end(offset: u64) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the file ends before byte {offset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaves(disk: &dyn Disk) {
        disk.create_dir("a").unwrap();
        assert!(disk.open("a/one").is_err());
        let file = disk.create("a/one").unwrap();
        file.write_at(3, b"def").unwrap();
        file.write_at(0, b"abc").unwrap();
        file.sync_data().unwrap();
        assert_eq!(read_all(disk, "a/one").unwrap(), b"abcdef");
        file.set_len(8).unwrap();
        file.set_len(4).unwrap();
        file.set_len(6).unwrap();
        assert_eq!(read_all(disk, "a/one").unwrap(), b"abcd\0\0");
        assert!(file.read_at(5, &mut [0; 2]).is_err());
        disk.rename("a/one", "a/two").unwrap();
        disk.create("a/three").unwrap();
        disk.sync_dir("a").unwrap();
        assert_eq!(disk.list("a").unwrap(), [("three".to_owned(), 0), ("two".to_owned(), 6)]);
        assert_eq!(disk.list("nowhere").unwrap(), []);
        disk.remove("a/two").unwrap();
        let mut out = [0; 4];
        file.read_at(0, &mut out).unwrap();
        assert_eq!(&out, b"abcd", "who has a removed file open keeps reading it");
        disk.lock().unwrap();
        assert!(matches!(disk.lock(), Err(crate::Error::InUse(_))));
        disk.unlock();
        disk.lock().unwrap();
        disk.unlock();
    }

    #[test]
    fn all_disks_behave_alike() {
        behaves(&Memory::default());
        behaves(&*Faulty::new());
        let dir = tempfile::tempdir().unwrap();
        behaves(&Local::new(dir.path()).unwrap());
    }

    #[test]
    fn a_directory_is_taken_by_one_store_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (Local::new(dir.path()).unwrap(), Local::new(dir.path()).unwrap());
        one.lock().unwrap();
        assert!(matches!(two.lock(), Err(crate::Error::InUse(_))));
        one.unlock();
        two.lock().unwrap();
    }
}
