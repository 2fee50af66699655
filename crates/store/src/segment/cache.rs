//! Decoded columns and key indexes of segments, under a budget of memory.
//!
//! What is read often stays; what is read once does not come in. Everything is counted, also what is not
//! here, and a newcomer has to be wanted more often than what leaves for it. So a scan over more than the
//! budget, repeated, finds a part of its columns here every time, instead of none.

use super::SegmentId;
use super::keys::KeyIndex;
use arrow::array::{Array, ArrayRef};
use highwater_model::ColumnId;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// Counts of what is not in the cache.
const COUNTED: usize = 1 << 16;

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A column of a part; `None` is the row ids.
    Column(SegmentId, u32, Option<ColumnId>),
    /// The index of a key.
    Index(SegmentId, Vec<ColumnId>),
}

#[derive(Clone, Debug)]
enum Value {
    Column(ArrayRef),
    Index(Arc<KeyIndex>),
}

#[derive(Debug)]
struct Entry {
    value: Value,
    bytes: usize,
    wanted: AtomicU32,
    last: AtomicU64,
}

/// Decoded columns under a budget.
#[derive(Debug)]
pub struct Cache {
    budget: usize,
    used: AtomicUsize,
    clock: AtomicU64,
    entries: RwLock<HashMap<Key, Entry>>,
    wanted: Mutex<HashMap<Key, u32>>,
}

impl Cache {
    /// An empty cache.
    pub fn new(budget: usize) -> Self {
        Cache {
            budget,
            used: AtomicUsize::new(0),
            clock: AtomicU64::new(0),
            entries: RwLock::default(),
            wanted: Mutex::default(),
        }
    }

    /// The columns of a part that are here.
    pub fn columns(&self, id: SegmentId, part: usize, columns: &[Option<ColumnId>]) -> Vec<Option<ArrayRef>> {
        let entries = self.entries.read();
        let column = |c: &Option<ColumnId>| match self.find(&entries, &Key::Column(id, part as u32, *c)) {
            Some(Value::Column(array)) => Some(array.clone()),
            _ => None,
        };
        columns.iter().map(column).collect()
    }

    /// The index of a key, if it is here.
    pub fn index(&self, id: SegmentId, key: &[ColumnId]) -> Option<Arc<KeyIndex>> {
        match self.find(&self.entries.read(), &Key::Index(id, key.to_vec())) {
            Some(Value::Index(index)) => Some(index.clone()),
            _ => None,
        }
    }

    fn find<'a>(&self, entries: &'a HashMap<Key, Entry>, key: &Key) -> Option<&'a Value> {
        let entry = entries.get(key)?;
        entry.wanted.fetch_add(1, Ordering::Relaxed);
        entry.last.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(&entry.value)
    }

    /// Counts that something is wanted that is not here, and returns how often it was.
    pub fn want(&self, key: &Key) -> u32 {
        let mut wanted = self.wanted.lock();
        if wanted.len() >= COUNTED {
            wanted.retain(|_, count| {
                *count /= 2;
                *count > 0
            });
            // Everything ages alike, here and there.
            self.entries
                .read()
                .values()
                .for_each(|e| e.wanted.store(e.wanted.load(Ordering::Relaxed) / 2, Ordering::Relaxed));
        }
        let count = wanted.entry(key.clone()).or_insert(0);
        *count += 1;
        *count
    }

    /// Keeps a column, if it is worth it.
    pub fn put_column(&self, id: SegmentId, part: usize, column: Option<ColumnId>, array: &ArrayRef) {
        let bytes = array.get_array_memory_size();
        self.put(Key::Column(id, part as u32, column), Value::Column(array.clone()), bytes);
    }

    /// Keeps an index, if it is worth it.
    pub fn put_index(&self, id: SegmentId, key: &[ColumnId], index: &Arc<KeyIndex>) {
        self.put(Key::Index(id, key.to_vec()), Value::Index(index.clone()), index.bytes());
    }

    fn put(&self, key: Key, value: Value, bytes: usize) {
        if bytes > self.budget / 2 {
            return;
        }
        let wanted = self.wanted.lock().get(&key).copied().unwrap_or(1);
        let mut entries = self.entries.write();
        let used = self.used.load(Ordering::Relaxed);
        if used + bytes > self.budget && !self.make_room(&mut entries, bytes, wanted) {
            return;
        }
        let last = AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed));
        if let Some(old) = entries.insert(key, Entry { value, bytes, wanted: AtomicU32::new(wanted), last }) {
            self.used.fetch_sub(old.bytes, Ordering::Relaxed);
        }
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Removes what was not used for long and is wanted less than the newcomer, a tenth of the budget at once.
    fn make_room(&self, entries: &mut HashMap<Key, Entry>, bytes: usize, wanted: u32) -> bool {
        let mut candidates: Vec<(u64, usize, Key)> = entries
            .iter()
            .filter(|(_, e)| e.wanted.load(Ordering::Relaxed) < wanted)
            .map(|(key, e)| (e.last.load(Ordering::Relaxed), e.bytes, key.clone()))
            .collect();
        let needed = self.used.load(Ordering::Relaxed) + bytes - self.budget;
        if candidates.iter().map(|c| c.1).sum::<usize>() < needed {
            return false;
        }
        candidates.sort_unstable_by_key(|c| c.0);
        let (mut freed, target) = (0, needed.max(self.budget / 10));
        for (_, bytes, key) in candidates {
            if freed >= target {
                break;
            }
            entries.remove(&key);
            freed += bytes;
        }
        self.used.fetch_sub(freed, Ordering::Relaxed);
        true
    }

    /// Lets go of everything about a segment.
    pub fn forget(&self, id: SegmentId) {
        let mut freed = 0;
        self.entries.write().retain(|key, entry| {
            let (Key::Column(of, ..) | Key::Index(of, _)) = key;
            freed += if *of == id { entry.bytes } else { 0 };
            *of != id
        });
        self.used.fetch_sub(freed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;

    fn column(n: i64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(0..n))
    }

    fn has(cache: &Cache, part: usize) -> bool {
        cache.columns(SegmentId(1), part, &[None])[0].is_some()
    }

    #[test]
    fn a_repeated_scan_over_more_than_the_budget_finds_a_part_of_it() {
        let cache = Cache::new(10 * column(1000).get_array_memory_size());
        let mut hits = 0;
        for _ in 0..10 {
            for part in 0..30 {
                if has(&cache, part) {
                    hits += 1;
                } else if cache.want(&Key::Column(SegmentId(1), part as u32, None)) >= 2 {
                    cache.put_column(SegmentId(1), part, None, &column(1000));
                }
            }
        }
        assert!(hits >= 60, "{hits} hits");
        assert!(cache.used.load(Ordering::Relaxed) <= cache.budget);
        cache.forget(SegmentId(1));
        assert_eq!(cache.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_wanted_more_often_comes_in() {
        let cache = Cache::new(2 * column(1000).get_array_memory_size());
        for part in 0..2 {
            cache.put_column(SegmentId(1), part, None, &column(1000));
        }
        (0..5).for_each(|_| {
            cache.want(&Key::Column(SegmentId(1), 7, None));
        });
        cache.put_column(SegmentId(1), 7, None, &column(1000));
        assert!(has(&cache, 7) && !has(&cache, 0) && has(&cache, 1));
    }
}
