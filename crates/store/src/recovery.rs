//! Finding the database again after a start.
//!
//! ```text
//! manifest as of L ──▶ version ──commit L+1──▶ ──commit L+2──▶ … ──▶ end of the log
//!                         same Version::apply as when they were live
//! ```

use crate::disk::Disk;
use crate::manifest::{Counters, Manifest};
use crate::op::Op;
use crate::segment::{self, SegmentFiles};
use crate::version::Version;
use crate::wal::{reader, writer};
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;
use tracing::info;

/// What is found on the disk.
#[derive(Debug)]
pub struct Recovered {
    /// The newest version.
    pub version: Version,
    /// Numbers above all that were handed out and are remembered.
    pub counters: Counters,
    /// The manifest, as of an earlier version.
    pub manifest: Manifest,
    /// Where the log goes on.
    pub log: writer::LogFiles,
}

/// Reads manifest and log, and removes files that nobody knows of.
///
/// # Errors
/// [`Error::Corrupt`] when something that was acknowledged cannot be read.
pub fn recover(disk: &Arc<dyn Disk>, files: &SegmentFiles) -> Result<Recovered> {
    for dir in [writer::DIR, segment::DIR] {
        disk.create_dir(dir).map_err(Error::io("create", dir))?;
    }
    let manifest = Manifest::open(disk)?;
    let (mut version, mut counters) = manifest.load(files)?;
    let base = version.lsn;
    version.tables().values().flat_map(|t| t.segments.iter()).for_each(|s| files.publish(s, base));
    let log = reader::read(disk, base, |lsn, ops| {
        for op in &ops {
            counters.note(op);
            version.apply(op, &|meta| {
                let segment = files.open(meta);
                files.publish(&segment, lsn);
                Ok(segment)
            })?;
        }
        version.lsn = lsn;
        Ok(())
    })?;
    counters.oid = counters.oid.max(version.catalog().next_oid);
    counters.job = counters.job.max(version.catalog().next_job);
    let found = disk.list(segment::DIR).map_err(Error::io("list", segment::DIR))?;
    remove_orphans(disk, files, &found)?;
    check_segments(&version, &found.into_iter().collect())?;
    info!(%base, lsn = %version.lsn, tables = version.tables().len(), "opened");
    Ok(Recovered { version, counters, manifest, log })
}

impl Counters {
    fn note(&mut self, op: &Op) {
        match op {
            Op::Insert { rows, .. } => self.row_id = self.row_id.max(rows.ids.hull().end),
            Op::AddSegment { segment, .. } => {
                self.row_id = self.row_id.max(segment.ids.1 + 1);
                self.segment = self.segment.max(segment.id.0 + 1);
            }
            _ => {}
        }
    }
}

/// Removes segments of transactions that did not commit and of checkpoints that did not finish.
fn remove_orphans(disk: &Arc<dyn Disk>, files: &SegmentFiles, found: &[(String, u64)]) -> Result<()> {
    for (name, _) in found {
        if !segment::id_of(name).is_some_and(|id| files.is_published(id)) {
            let path = format!("{}/{name}", segment::DIR);
            info!(file = path, "removed a segment that belongs to no commit");
            disk.remove(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

fn check_segments(version: &Version, found: &HashMap<String, u64>) -> Result<()> {
    for segment in version.tables().values().flat_map(|t| t.segments.iter()) {
        let path = segment::path(segment.meta.id);
        let name = path.rsplit('/').next().unwrap_or_default();
        let corrupt = |what: String| Error::Corrupt { file: path.clone().into(), offset: 0, what };
        match found.get(name) {
            None => return Err(corrupt("the file is missing".to_owned())),
            Some(bytes) if *bytes != segment.meta.bytes => {
                return Err(corrupt(format!("the file has {bytes} bytes instead of {}", segment.meta.bytes)));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
