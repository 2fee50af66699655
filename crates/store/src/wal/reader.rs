//! Reads the log after a start.
//!
//! ```text
//! [header|frame|frame|fra                    torn: nothing after it was ever acknowledged; cut
//! [header|frame|#####|frame|                 damaged: a later frame says that this one was synced; refuse
//! ```

use super::frame;
use super::record;
use super::writer::{Current, DIR, HEADER_BYTES, Header, LogFile, LogFiles, path};
use crate::disk::{Disk, read_all};
use crate::op::Op;
use crate::{Error, Result};
use highwater_model::Lsn;
use std::sync::Arc;
use tracing::info;

/// Hands every commit after `after` to `each`, in order, cuts a torn tail and says where to go on.
///
/// # Errors
/// [`Error::Corrupt`] when a commit that had been synced cannot be read.
pub fn read(disk: &Arc<dyn Disk>, after: Lsn, mut each: impl FnMut(Lsn, Vec<Op>) -> Result<()>) -> Result<LogFiles> {
    let mut log = LogFiles { last: after, ..LogFiles::default() };
    for (name, bytes) in disk.list(DIR).map_err(Error::io("list", DIR))? {
        let file = format!("{DIR}/{name}");
        if name.starts_with("spare-") {
            log.spares.push(file);
        } else if let Some(number) = name.strip_suffix(".log").and_then(|n| n.parse::<u64>().ok()) {
            let header = read_header(disk, &file).and_then(|header| match header.number == number {
                true => Ok(header),
                false => Err(corrupt(&file, 0, "the header has another number than the name")),
            })?;
            log.files.push_back(LogFile { header, bytes });
            log.last_number = log.last_number.max(number);
        } else {
            disk.remove(&file).map_err(Error::io("remove", &file))?;
        }
    }
    let mut reached = None;
    for i in 0..log.files.len() {
        let next = log.files.get(i + 1).map(|f| f.header.first);
        if next.is_some_and(|next| next.0 <= after.0 + 1) {
            continue;
        }
        let header = log.files[i].header;
        let name = path(header.number);
        if reached.is_none() && header.first.0 > after.0 + 1 {
            return Err(corrupt(&name, 0, &format!("commits {} to {} are missing", after.0 + 1, header.first.0 - 1)));
        }
        let bytes = read_all(&**disk, &name).map_err(Error::io("read", &name))?;
        let mut position = HEADER_BYTES as usize;
        let mut expected = header.first;
        while let Some(frame) = frame::parse(&bytes[position..]).filter(|f| f.lsn == expected) {
            if frame.lsn > after {
                let ops = record::read(frame.payload).map_err(|what| corrupt(&name, position as u64, &what))?;
                each(frame.lsn, ops)?;
            }
            position += frame.bytes.min(bytes.len() - position);
            expected = Lsn(frame.lsn.0 + 1);
        }
        // A file is begun only when the one before it has been synced.
        let was_synced = match next {
            Some(next) => next != expected,
            None => frame::proves_synced(&bytes[position..], expected),
        };
        if was_synced {
            return Err(corrupt(&name, position as u64, &format!("commit {expected} cannot be read")));
        }
        reached = Some(Lsn(expected.0 - 1));
        if next.is_none() {
            log.current = Some(cut(disk, &name, &bytes, position)?);
        }
    }
    match reached {
        Some(reached) if reached >= after => log.last = reached,
        // The manifest has commits that the log lost, which happens when nobody waited for them. What
        // follows goes to a new file.
        _ => log.current = None,
    }
    Ok(log)
}

/// Cuts off what is left of a torn write, so that it cannot be taken for a commit later.
fn cut(disk: &Arc<dyn Disk>, name: &str, bytes: &[u8], position: usize) -> Result<Current> {
    let file = disk.open(name).map_err(Error::io("open", name))?;
    let mut written = bytes.len();
    if bytes[position..].iter().any(|b| *b != 0) {
        info!(file = name, position, bytes = bytes.len() - position, "cut a torn end of the log");
        file.set_len(position as u64).map_err(Error::io("cut", name))?;
        file.sync_data().map_err(Error::io("sync", name))?;
        written = position;
    }
    Ok(Current { file, position: position as u64, written: written as u64 })
}

fn read_header(disk: &Arc<dyn Disk>, name: &str) -> Result<Header> {
    let file = disk.open(name).map_err(Error::io("open", name))?;
    let mut bytes = [0; HEADER_BYTES as usize];
    file.read_at(0, &mut bytes).map_err(|_| corrupt(name, 0, "the header is cut"))?;
    Header::decode(&bytes).map_err(|what| corrupt(name, 0, what))
}

fn corrupt(file: &str, offset: u64, what: &str) -> Error {
    Error::Corrupt { file: file.into(), offset, what: what.to_owned() }
}
