//! Which segment files there are, and when they may go.
//!
//! ```text
//! written ──commit──▶ published ──checkpoint without it──▶ obsolete ──last reader gone──▶ removed
//!    └──rolled back, last reference gone──▶ removed
//! ```
//!
//! A published file stays until a manifest no longer names it, even if no version does: after a crash the
//! manifest would.

use super::cache::Cache;
use super::{Segment, SegmentFile, SegmentId, SegmentMeta};
use crate::disk::Disk;
use highwater_model::Lsn;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The segment files of a store.
#[derive(Debug)]
pub struct SegmentFiles {
    disk: Arc<dyn Disk>,
    cache: Arc<Cache>,
    next: AtomicU64,
    open: Mutex<HashMap<SegmentId, Weak<SegmentFile>>>,
    published: Mutex<BTreeMap<SegmentId, (Lsn, Arc<SegmentFile>)>>,
}

impl SegmentFiles {
    /// The segments on `disk`, with `cache_bytes` of memory for decoded columns.
    pub fn new(disk: Arc<dyn Disk>, cache_bytes: usize) -> Self {
        SegmentFiles {
            disk,
            cache: Arc::new(Cache::new(cache_bytes)),
            next: AtomicU64::new(1),
            open: Mutex::default(),
            published: Mutex::default(),
        }
    }

    /// Where they are.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Hands out a number.
    pub fn take_id(&self) -> SegmentId {
        SegmentId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The number handed out next.
    pub fn next_id(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Sets the number handed out next.
    pub fn set_next_id(&self, next: u64) {
        self.next.store(next, Ordering::Relaxed);
    }

    /// A segment by what is known of it. Its file is not touched before it is read.
    pub fn open(&self, meta: &SegmentMeta) -> Arc<Segment> {
        let mut open = self.open.lock();
        let file = open.get(&meta.id).and_then(Weak::upgrade).unwrap_or_else(|| {
            let file = Arc::new(SegmentFile::new(meta, self.disk.clone(), self.cache.clone()));
            open.retain(|_, file| file.strong_count() > 0);
            open.insert(meta.id, Arc::downgrade(&file));
            file
        });
        Arc::new(Segment { meta: meta.clone(), file })
    }

    /// Keeps the file of a segment that commit `lsn` added.
    pub fn publish(&self, segment: &Segment, lsn: Lsn) {
        segment.file.set_obsolete(false);
        self.published.lock().entry(segment.meta.id).or_insert((lsn, segment.file.clone()));
    }

    /// Whether a commit or the manifest has this segment.
    pub fn is_published(&self, id: SegmentId) -> bool {
        self.published.lock().contains_key(&id)
    }

    /// Lets go of files that the manifest as of `lsn` does not name.
    pub fn keep_only(&self, named: &HashSet<SegmentId>, lsn: Lsn) {
        let mut gone = Vec::new();
        self.published.lock().retain(|id, (added, file)| {
            let keep = named.contains(id) || *added > lsn;
            if !keep {
                file.set_obsolete(true);
                gone.push(file.clone());
            }
            keep
        });
        // Files are removed as `gone` is dropped, outside of the lock.
        drop(gone);
    }

    /// Removes nothing any more: the directory is about to belong to someone else.
    pub fn close(&self) {
        for file in self.open.lock().values().filter_map(Weak::upgrade) {
            file.set_obsolete(false);
        }
    }
}
