//! Appends frames to log files.
//!
//! ```text
//! wal/0000000007.log   [header|frame|frame|frame|frame|0000]      full
//! wal/0000000008.log   [header|frame|frame|0000000|         )      current: zeros are written ahead
//! wal/spare-0000000006 [                                   )      to become 0000000009.log
//! ```
//!
//! A file under its final name always has its header. Zeros are written ahead, and files are used again,
//! because syncing bytes that replace others is much cheaper than syncing a file that grows.

use super::frame;
use super::record::{self, Bodies};
use crate::disk::{Disk, DiskFile};
use crate::op::Op;
use crate::{Error, Result};
use highwater_model::Lsn;
use std::collections::VecDeque;
use std::sync::Arc;

/// The directory of the log.
pub const DIR: &str = "wal";

/// Bytes before the first frame of a file.
pub const HEADER_BYTES: u64 = 32;

const MAGIC: &[u8; 8] = b"HIGHWLOG";
const VERSION: u32 = 3;

/// Files kept for later use.
const SPARES: usize = 2;

/// Zeros written ahead of small commits.
const ZEROS_AHEAD: u64 = 4 << 20;

/// What a log file begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Header {
    /// Number of the file, also in its name.
    pub number: u64,
    /// The first commit in it.
    pub first: Lsn,
}

impl Header {
    /// The bytes of the header.
    pub fn encode(&self) -> [u8; HEADER_BYTES as usize] {
        let mut out = [0; HEADER_BYTES as usize];
        out[..8].copy_from_slice(MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..32].copy_from_slice(&self.first.0.to_le_bytes());
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&out[..12]), &out[16..]);
        out[12..16].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// Reads a header; a message says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Header, &'static str> {
        let bytes = bytes.get(..HEADER_BYTES as usize).ok_or("the header is cut")?;
        if &bytes[..8] != MAGIC {
            return Err("this is no log file");
        }
        if bytes[8..12] != VERSION.to_le_bytes() {
            return Err("the log has a version that this program does not know");
        }
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let header = Header { number: u64_at(16), first: Lsn(u64_at(24)) };
        if header.encode() != *bytes {
            return Err("the header has a wrong checksum");
        }
        Ok(header)
    }
}

/// The path of the log file with a number.
pub fn path(number: u64) -> String {
    format!("{DIR}/{number:010}.log")
}

/// A log file and its size.
#[derive(Clone, Debug)]
pub struct LogFile {
    /// What it begins with.
    pub header: Header,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The file that is being written.
#[derive(Debug)]
pub struct Current {
    /// The file.
    pub file: Arc<dyn DiskFile>,
    /// Where the next frame goes.
    pub position: u64,
    /// Where the bytes end that have been written before.
    pub written: u64,
}

/// The log as recovery leaves it.
#[derive(Debug, Default)]
pub struct LogFiles {
    /// Oldest first; the last is the current one.
    pub files: VecDeque<LogFile>,
    /// Paths of files to use again.
    pub spares: Vec<String>,
    /// Where to go on; `None` begins a file.
    pub current: Option<Current>,
    /// The newest commit in the log or the manifest.
    pub last: Lsn,
    /// The highest number of a file so far.
    pub last_number: u64,
}

/// Appends frames to log files.
#[derive(Debug)]
pub struct Writer {
    disk: Arc<dyn Disk>,
    log: LogFiles,
    file_bytes: u64,
    synced: Lsn,
    buffer: Vec<u8>,
}

impl Writer {
    /// Goes on where `log` ends, which is synced.
    pub fn new(disk: Arc<dyn Disk>, log: LogFiles, file_bytes: u64) -> Self {
        let synced = log.last;
        Writer { disk, log, file_bytes, synced, buffer: Vec::new() }
    }

    /// Writes commits in order; [`Writer::sync`] makes them durable.
    pub fn write<'a>(&mut self, commits: impl Iterator<Item = (Lsn, &'a [Op], &'a Bodies)>) -> Result<()> {
        self.buffer.clear();
        for (lsn, ops, bodies) in commits {
            let start = self.buffer.len();
            frame::append(&mut self.buffer, lsn, self.synced, |out| record::write(out, ops, bodies));
            let position = self.log.current.as_ref().map_or(u64::MAX, |c| c.position + self.buffer.len() as u64);
            let is_first = start == 0 && self.log.current.as_ref().is_some_and(|c| c.position == HEADER_BYTES);
            if position > self.file_bytes && !is_first {
                let next = self.buffer.split_off(start);
                self.write_out()?;
                self.sync()?;
                self.begin_file(lsn)?;
                self.buffer = next;
            }
            self.log.last = lsn;
        }
        self.write_out()
    }

    /// Makes what was written durable.
    pub fn sync(&mut self) -> Result<()> {
        if self.synced < self.log.last
            && let Some(current) = &self.log.current
        {
            current.file.sync_data().map_err(Error::io("sync", "the log"))?;
        }
        self.synced = self.log.last;
        Ok(())
    }

    /// Whether something was written since the last sync.
    pub fn is_dirty(&self) -> bool {
        self.synced < self.log.last
    }

    /// Bytes of the files that recovery would have to read.
    pub fn bytes(&self) -> u64 {
        let before: u64 = self.log.files.iter().rev().skip(1).map(|f| f.bytes).sum();
        before + self.log.current.as_ref().map_or(0, |c| c.position)
    }

    /// Lets go of files that hold nothing newer than `kept`, which the manifest has.
    pub fn recycle(&mut self, kept: Lsn) -> Result<()> {
        let mut renamed = false;
        while self.log.files.len() > 1 && self.log.files[1].header.first.0 <= kept.0 + 1 {
            let old = self.log.files.pop_front().expect("there is more than one");
            let from = path(old.header.number);
            if self.log.spares.len() < SPARES && old.bytes <= self.file_bytes {
                let spare = format!("{DIR}/spare-{:010}", old.header.number);
                self.disk.rename(&from, &spare).map_err(Error::io("rename", &from))?;
                self.log.spares.push(spare);
            } else {
                self.disk.remove(&from).map_err(Error::io("remove", &from))?;
            }
            renamed = true;
        }
        if renamed {
            self.disk.sync_dir(DIR).map_err(Error::io("sync", DIR))?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<()> {
        let (Some(current), false) = (&mut self.log.current, self.buffer.is_empty()) else { return Ok(()) };
        let end = current.position + self.buffer.len() as u64;
        let error = || Error::io("write", "the log");
        current.file.write_at(current.position, &self.buffer).map_err(error())?;
        // One sync in many pays for the zeros. A large commit would only write everything twice.
        let ahead = ZEROS_AHEAD.min(self.file_bytes / 16);
        if end > current.written && (self.buffer.len() as u64) < ahead / 4 {
            let until = (end + ahead).min(self.file_bytes).max(end);
            current.file.write_at(end, &vec![0; (until - end) as usize]).map_err(error())?;
            current.written = until;
        }
        current.position = end;
        current.written = current.written.max(end);
        if let Some(last) = self.log.files.back_mut() {
            last.bytes = current.written;
        }
        // One large commit should not keep its memory for ever.
        self.buffer.clear();
        self.buffer.shrink_to(1 << 20);
        Ok(())
    }

    fn begin_file(&mut self, first: Lsn) -> Result<()> {
        let number = self.log.last_number + 1;
        let name = path(number);
        let (from, file) = match self.log.spares.pop() {
            Some(spare) => (spare.clone(), self.disk.open(&spare)),
            None => {
                let new = format!("{DIR}/new");
                (new.clone(), self.disk.create(&new))
            }
        };
        let file = file.map_err(Error::io("create", &name))?;
        let header = Header { number, first };
        file.write_at(0, &header.encode()).map_err(Error::io("write", &name))?;
        file.sync_data().map_err(Error::io("sync", &name))?;
        self.disk.rename(&from, &name).map_err(Error::io("rename", &name))?;
        self.disk.sync_dir(DIR).map_err(Error::io("sync", DIR))?;
        let bytes = file.size().map_err(Error::io("read", &name))?;
        self.log.files.push_back(LogFile { header, bytes });
        self.log.current = Some(Current { file, position: HEADER_BYTES, written: bytes });
        self.log.last_number = number;
        Ok(())
    }
}
