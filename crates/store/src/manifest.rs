//! What the database is as of a checkpoint: the catalog, which segments there are, what is pending.
//!
//! One `redb` file, replaced as a whole by one transaction, so that the state and the commit it is as of
//! are always those of the same checkpoint. It runs on our [`Disk`], so that crash tests cover it.

use crate::disk::{Disk, DiskFile};
use crate::rows::RowIds;
use crate::segment::{SegmentFiles, SegmentMeta};
use crate::version::{CaggData, TableData, Version};
use crate::{Error, Result};
use highwater_model::{CaggId, Catalog, Chunk, Lsn, RangeSet, TableId};
use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

const FILE: &str = "manifest.redb";
const NEW: &str = "manifest.new";
const FORMAT: u32 = 3;

/// Memory for pages of the file.
const CACHE_BYTES: usize = 8 << 20;

const STATE: TableDefinition<&str, &[u8]> = TableDefinition::new("state");
const TABLES: TableDefinition<u32, &[u8]> = TableDefinition::new("tables");
const CAGGS: TableDefinition<u32, &[u8]> = TableDefinition::new("caggs");

/// Numbers that are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The next id of a row.
    pub row_id: u64,
    /// The next number of a segment.
    pub segment: u64,
    /// The next oid.
    pub oid: u32,
    /// The next number of a job.
    pub job: i32,
}

/// The file that holds the state of the last checkpoint.
#[derive(Debug)]
pub struct Manifest {
    database: Database,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    lsn: Lsn,
    next_chunk: u32,
    counters: Counters,
}

#[derive(Serialize, Deserialize)]
struct TableState {
    segments: Vec<SegmentMeta>,
    /// Portable Roaring treemap.
    deleted: Vec<u8>,
    chunks: Vec<Chunk>,
    dropped: RangeSet,
    row_count: u64,
}

impl Manifest {
    /// Opens the manifest, or makes that of an empty database.
    pub fn open(disk: &Arc<dyn Disk>) -> Result<Manifest> {
        match disk.open(FILE) {
            Ok(file) => Ok(Manifest { database: database(file)? }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let file = disk.create(NEW).map_err(Error::io("create", NEW))?;
                let manifest = Manifest { database: database(file)? };
                let counters = Counters { row_id: 1, segment: 1, oid: 0, job: 0 };
                manifest.store(&Version::new(), counters)?;
                disk.rename(NEW, FILE).map_err(Error::io("rename", NEW))?;
                disk.sync_dir("").map_err(Error::io("sync", "the data directory"))?;
                Ok(manifest)
            }
            Err(e) => Err(Error::io("open", FILE)(e)),
        }
    }

    /// Replaces the state, durably. The buffers of `version` are empty.
    pub fn store(&self, version: &Version, counters: Counters) -> Result<()> {
        let transaction = self.database.begin_write().map_err(failed)?;
        {
            let head = Head { format: FORMAT, lsn: version.lsn, next_chunk: version.next_chunk(), counters };
            let mut state = transaction.open_table(STATE).map_err(failed)?;
            put(&mut state, "head", &encode(&head))?;
            put(&mut state, "catalog", &encode(&**version.catalog()))?;
            put(&mut state, "objects", &encode(&version.catalog().objects))?;
            let tables = version.tables().iter().map(|(id, data)| (id.0, encode(&TableState::of(data))));
            replace(&mut transaction.open_table(TABLES).map_err(failed)?, tables.collect())?;
            let caggs = version.caggs().iter().map(|(id, data)| (id.0, encode(&**data)));
            replace(&mut transaction.open_table(CAGGS).map_err(failed)?, caggs.collect())?;
        }
        transaction.commit().map_err(failed)
    }

    /// The state, with the segments it names.
    pub fn load(&self, files: &SegmentFiles) -> Result<(Version, Counters)> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let state = transaction.open_table(STATE).map_err(failed)?;
        let value = |key: &str| -> Result<Vec<u8>> {
            let value = state.get(key).map_err(failed)?.ok_or_else(|| corrupt(format!("it has no {key}")))?;
            Ok(value.value().to_vec())
        };
        let head = value("head")?;
        // The format comes first, so it can be read whatever follows.
        let format: u32 = postcard::take_from_bytes(&head).map_err(|e| corrupt(e.to_string()))?.0;
        if format != FORMAT {
            return Err(corrupt(format!("it has format {format}, and this program knows {FORMAT}")));
        }
        let head: Head = decode(&head)?;
        let mut catalog: Catalog = decode(&value("catalog")?)?;
        // A manifest from before there were any has none.
        if let Some(objects) = state.get("objects").map_err(failed)? {
            catalog.objects = decode(objects.value())?;
        }
        let mut tables = BTreeMap::new();
        for entry in transaction.open_table(TABLES).map_err(failed)?.iter().map_err(failed)? {
            let (id, value) = entry.map_err(failed)?;
            let state: TableState = decode(value.value())?;
            tables.insert(TableId(id.value()), Arc::new(state.into_data(files)?));
        }
        let mut caggs = BTreeMap::new();
        for entry in transaction.open_table(CAGGS).map_err(failed)?.iter().map_err(failed)? {
            let (id, value) = entry.map_err(failed)?;
            caggs.insert(CaggId(id.value()), Arc::new(decode::<CaggData>(value.value())?));
        }
        Ok((Version::from_parts(head.lsn, catalog, tables, caggs, head.next_chunk), head.counters))
    }
}

impl TableState {
    fn of(data: &TableData) -> TableState {
        let mut deleted = Vec::with_capacity(data.deleted.serialized_size());
        data.deleted.serialize_into(&mut deleted).expect("memory takes any set");
        TableState {
            segments: data.segments.iter().map(|s| s.meta.clone()).collect(),
            deleted,
            chunks: data.chunks.values().cloned().collect(),
            dropped: data.dropped.clone(),
            row_count: data.row_count,
        }
    }

    fn into_data(self, files: &SegmentFiles) -> Result<TableData> {
        let deleted = RowIds::deserialize_from(self.deleted.as_slice()).map_err(|e| corrupt(e.to_string()))?;
        Ok(TableData {
            segments: Arc::new(self.segments.iter().map(|meta| files.open(meta)).collect()),
            deleted: Arc::new(deleted),
            chunks: Arc::new(self.chunks.into_iter().map(|chunk| (chunk.range.start, chunk)).collect()),
            dropped: self.dropped,
            row_count: self.row_count,
            ..TableData::default()
        })
    }
}

fn database(file: Arc<dyn DiskFile>) -> Result<Database> {
    Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(Backend(file)).map_err(failed)
}

/// Writes what differs from what is there.
fn replace(table: &mut redb::Table<'_, u32, &[u8]>, wanted: BTreeMap<u32, Vec<u8>>) -> Result<()> {
    table.retain(|key, _| wanted.contains_key(&key)).map_err(failed)?;
    wanted.iter().try_for_each(|(key, value)| put(table, *key, value))
}

fn put<'k, K: redb::Key + 'static>(
    table: &mut redb::Table<'_, K, &[u8]>,
    key: K::SelfType<'k>,
    value: &[u8],
) -> Result<()>
where
    K::SelfType<'k>: Clone,
{
    if table.get(key.clone()).map_err(failed)?.is_none_or(|old| old.value() != value) {
        table.insert(key, value).map_err(failed)?;
    }
    Ok(())
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("memory takes any value")
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|e| corrupt(e.to_string()))
}

fn corrupt(what: String) -> Error {
    Error::Corrupt { file: FILE.into(), offset: 0, what }
}

fn failed(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(e) => Error::io("use", FILE)(e),
        other => corrupt(other.to_string()),
    }
}

/// Lets `redb` run on a file of ours. The lock on the directory stands for its own.
#[derive(Debug)]
struct Backend(Arc<dyn DiskFile>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Faulty;
    use proptest::prelude::*;

    /// What the manifest holds of some tables: a table's state of this many bytes each.
    fn write(manifest: &Manifest, sizes: &BTreeMap<u32, usize>) -> Result<()> {
        let transaction = manifest.database.begin_write().map_err(failed)?;
        let wanted = sizes.iter().map(|(id, size)| (*id, vec![*id as u8; *size])).collect();
        replace(&mut transaction.open_table(TABLES).map_err(failed)?, wanted)?;
        transaction.commit().map_err(failed)
    }

    fn read(manifest: &Manifest) -> Result<BTreeMap<u32, usize>> {
        let transaction = manifest.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(TABLES).map_err(failed)?;
        let entries = table.iter().map_err(failed)?;
        entries.map(|entry| entry.map(|(id, value)| (id.value(), value.value().len())).map_err(failed)).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put(u32, usize),
        Remove(u32),
        Reopen,
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..12u32, 1..4000usize).prop_map(|(id, size)| Step::Put(id, size)),
            2 => (0..12u32, 20_000..400_000usize).prop_map(|(id, size)| Step::Put(id, size)),
            3 => (0..12u32).prop_map(Step::Remove),
            2 => Just(Step::Reopen),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn a_crash_leaves_the_old_manifest_or_the_new_one(
            lives in prop::collection::vec((prop::collection::vec(steps(), 1..12), 1..40u64, any::<u64>()), 1..6),
        ) {
            let mut faulty = Faulty::new();
            let (mut acknowledged, mut in_flight) = (BTreeMap::new(), BTreeMap::new());
            for (history, crash, seed) in lives {
                faulty.crash_at(crash);
                let disk: Arc<dyn Disk> = faulty.clone();
                let mut manifest = Manifest::open(&disk);
                for step in history {
                    match step {
                        Step::Put(id, size) => drop(in_flight.insert(id, size)),
                        Step::Remove(id) => drop(in_flight.remove(&id)),
                        Step::Reopen => {
                            drop(manifest);
                            manifest = Manifest::open(&disk);
                        }
                    }
                    match manifest.as_ref().map_err(Clone::clone).and_then(|manifest| write(manifest, &in_flight)) {
                        Ok(()) => acknowledged = in_flight.clone(),
                        Err(e) => {
                            prop_assert!(faulty.has_crashed(), "{e}");
                            break;
                        }
                    }
                }
                faulty.crash();
                drop(manifest);
                faulty = faulty.restart(seed);
                let disk: Arc<dyn Disk> = faulty.clone();
                let found = Manifest::open(&disk).and_then(|manifest| read(&manifest)).unwrap();
                prop_assert!(found == acknowledged || found == in_flight, "{found:?} {acknowledged:?} {in_flight:?}");
                acknowledged = found.clone();
                in_flight = found;
            }
        }
    }
}
