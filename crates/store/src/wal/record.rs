//! What a frame says: the ops of one commit.
//!
//! ```text
//!  0           8                     8·n             8·n
//!  ┌───────────┬─ ─ ─ ─ ─ ─ ─ ─┬─────┬─ ─ ─ ─ ─┬─────┬─ ─
//!  │ head size │ head          │ 0…  │ body    │ 0…  │ body …
//!  └───────────┴─ ─ ─ ─ ─ ─ ─ ─┴─────┴─ ─ ─ ─ ─┴─────┴─ ─
//! ```
//!
//! The head is the list of ops; what is large about them follows as bodies, in order: the rows of an
//! insert as an Arrow IPC record batch without its schema, the ids of a delete as a portable Roaring
//! treemap. Bodies are encoded by whoever commits, before the commit lock; the head by the log.

use crate::op::Op;
use crate::rows::{RowIds, Rows};
use crate::segment::SegmentMeta;
use crate::{Error, Result, schema};
use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow::ipc::{MetadataVersion, reader::read_record_batch, root_as_message};
use highwater_model::{CaggId, CatalogChange, ColumnId, ColumnType, Compressed, RangeSet, TableId, TimeRange};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// A frame counts its bytes in 32 bits; heads are small.
const MAX_BYTES: usize = 2 << 30;

/// The large parts of a commit, encoded.
#[derive(Debug, Default)]
pub struct Bodies {
    bytes: Vec<u8>,
    sizes: Vec<u64>,
}

impl Bodies {
    /// Encodes what is large about `ops`.
    pub fn of(ops: &[Op]) -> Result<Bodies> {
        let mut bodies = Bodies::default();
        for op in ops {
            let start = bodies.bytes.len();
            match op {
                Op::Insert { rows, .. } => write_batch(&mut bodies.bytes, &rows.batch)?,
                Op::Delete { ids, .. } => {
                    ids.serialize_into(&mut bodies.bytes).map_err(|e| Error::Format(e.to_string()))?;
                }
                _ => continue,
            }
            bodies.sizes.push((bodies.bytes.len() - start) as u64);
            bodies.bytes.resize(bodies.bytes.len().next_multiple_of(8), 0);
            if bodies.bytes.len() > MAX_BYTES {
                return Err(Error::Format("the transaction has too many changes; commit in several steps".to_owned()));
            }
        }
        Ok(bodies)
    }
}

/// Writes the record of a commit: the head of `ops`, then their bodies.
pub fn write(out: &mut Vec<u8>, ops: &[Op], bodies: &Bodies) {
    let mut sizes = bodies.sizes.iter().copied();
    let head: Vec<Head> = ops.iter().map(|op| Head::of(op, &mut sizes)).collect();
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    let mut written = postcard::to_extend(&head, std::mem::take(out)).expect("memory takes any record");
    let size = (written.len() - start - 8) as u64;
    written[start..start + 8].copy_from_slice(&size.to_le_bytes());
    written.resize(written.len().next_multiple_of(8), 0);
    written.extend_from_slice(&bodies.bytes);
    *out = written;
}

/// Reads a record back; a message says what is wrong with it.
pub fn read(payload: &[u8]) -> Result<Vec<Op>, String> {
    let (size, rest) = payload.split_at_checked(8).ok_or("a record without a head")?;
    let size = u64::from_le_bytes(size.try_into().expect("eight bytes")) as usize;
    let head = rest.get(..size).ok_or("a head longer than its record")?;
    let head: Vec<Head> = postcard::from_bytes(head).map_err(|e| format!("a head that cannot be read: {e}"))?;
    let mut bodies = rest.get(size.next_multiple_of(8)..).unwrap_or_default();
    head.into_iter().map(|op| op.into_op(&mut bodies)).collect()
}

/// An op without its body.
#[derive(Serialize, Deserialize)]
enum Head {
    Catalog(CatalogChange),
    Insert { table: TableId, first_id: u64, columns: Vec<(ColumnId, ColumnType)>, touched: RangeSet, body: u64 },
    AddSegment { table: TableId, segment: SegmentMeta, touched: RangeSet },
    Delete { table: TableId, touched: RangeSet, body: u64 },
    Truncate { table: TableId },
    DropChunks { table: TableId, ranges: RangeSet },
    Settle { cagg: CaggId, ranges: RangeSet, again: RangeSet, at: i64 },
    Dirty { cagg: CaggId, ranges: RangeSet },
    Freeze { cagg: CaggId, ranges: RangeSet },
    Compress { table: TableId, chunk: TimeRange, compressed: Option<Arc<Compressed>> },
}

impl Head {
    fn of(op: &Op, sizes: &mut impl Iterator<Item = u64>) -> Head {
        let mut body = || sizes.next().expect("every insert and delete has a body");
        match op {
            Op::Catalog(change) => Head::Catalog(change.clone()),
            Op::Insert { table, rows, touched } => Head::Insert {
                table: *table,
                first_id: rows.run().expect("an insert has consecutive ids").start,
                columns: columns_of(&rows.batch),
                touched: touched.clone(),
                body: body(),
            },
            Op::AddSegment { table, segment, touched } => {
                Head::AddSegment { table: *table, segment: segment.clone(), touched: touched.clone() }
            }
            Op::Delete { table, touched, .. } => Head::Delete { table: *table, touched: touched.clone(), body: body() },
            Op::Truncate { table } => Head::Truncate { table: *table },
            Op::DropChunks { table, ranges } => Head::DropChunks { table: *table, ranges: ranges.clone() },
            Op::Settle { cagg, ranges, again, at } => {
                Head::Settle { cagg: *cagg, ranges: ranges.clone(), again: again.clone(), at: *at }
            }
            Op::Dirty { cagg, ranges } => Head::Dirty { cagg: *cagg, ranges: ranges.clone() },
            Op::Freeze { cagg, ranges } => Head::Freeze { cagg: *cagg, ranges: ranges.clone() },
            Op::Compress { table, chunk, compressed } => {
                Head::Compress { table: *table, chunk: *chunk, compressed: compressed.clone() }
            }
        }
    }

    fn into_op(self, bodies: &mut &[u8]) -> Result<Op, String> {
        let mut take = |size: u64| -> Result<&[u8], String> {
            let body = bodies.get(..size as usize).ok_or("a record shorter than its bodies")?;
            *bodies = bodies.get((size as usize).next_multiple_of(8)..).unwrap_or_default();
            Ok(body)
        };
        Ok(match self {
            Head::Catalog(change) => Op::Catalog(change),
            Head::Insert { table, first_id, columns, touched, body } => {
                let batch = read_batch(take(body)?, &columns)?;
                Op::Insert { table, rows: Arc::new(Rows::new(first_id, batch)), touched }
            }
            Head::AddSegment { table, segment, touched } => Op::AddSegment { table, segment, touched },
            Head::Delete { table, touched, body } => {
                let ids = RowIds::deserialize_from(take(body)?).map_err(|e| format!("a set of rows: {e}"))?;
                Op::Delete { table, ids: Arc::new(ids), touched }
            }
            Head::Truncate { table } => Op::Truncate { table },
            Head::DropChunks { table, ranges } => Op::DropChunks { table, ranges },
            Head::Settle { cagg, ranges, again, at } => Op::Settle { cagg, ranges, again, at },
            Head::Dirty { cagg, ranges } => Op::Dirty { cagg, ranges },
            Head::Freeze { cagg, ranges } => Op::Freeze { cagg, ranges },
            Head::Compress { table, chunk, compressed } => Op::Compress { table, chunk, compressed },
        })
    }
}

/// The identity and type of each column of a batch.
fn columns_of(batch: &RecordBatch) -> Vec<(ColumnId, ColumnType)> {
    let column = |field| Some((schema::column_id(field)?, schema::column_type(field.data_type())?));
    batch.schema().fields().iter().filter_map(column).collect()
}

/// Size of the message, the message, the buffers; each padded to a multiple of 8.
fn write_batch(out: &mut Vec<u8>, batch: &RecordBatch) -> Result<()> {
    let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V5)?;
    let mut no_dictionaries = DictionaryTracker::new(false);
    let (_, encoded) =
        IpcDataGenerator::default().encode(batch, &mut no_dictionaries, &options, &mut Default::default())?;
    out.extend_from_slice(&(encoded.ipc_message.len() as u64).to_le_bytes());
    out.extend_from_slice(&encoded.ipc_message);
    out.resize(out.len().next_multiple_of(8), 0);
    out.extend_from_slice(&encoded.arrow_data);
    Ok(())
}

fn read_batch(body: &[u8], columns: &[(ColumnId, ColumnType)]) -> Result<RecordBatch, String> {
    let (size, rest) = body.split_at_checked(8).ok_or("rows without a message")?;
    let size = u64::from_le_bytes(size.try_into().expect("eight bytes")) as usize;
    let message = root_as_message(rest.get(..size).ok_or("rows with a cut message")?).map_err(|e| e.to_string())?;
    let header = message.header_as_record_batch().ok_or("rows whose message is no record batch")?;
    let data = Buffer::from(rest.get(size.next_multiple_of(8)..).unwrap_or_default());
    let fields = columns.iter().map(|(id, t)| schema::id_field(&format!("c{}", id.0), *id, t));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    read_record_batch(&data, header, schema, &HashMap::new(), None, &message.version()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatchOptions, StringArray};

    fn batch(rows: usize) -> RecordBatch {
        let text = ColumnType::List(Box::new(ColumnType::Text));
        let fields = vec![
            schema::id_field("n", ColumnId(3), &ColumnType::BigInt),
            schema::id_field("s", ColumnId(9), &ColumnType::Text),
            schema::id_field("l", ColumnId(10), &text),
        ];
        let strings: StringArray = (0..rows).map(|i| (i % 3 != 0).then(|| "x".repeat(i))).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..rows as i64)),
            Arc::new(strings),
            arrow::array::new_null_array(&schema::arrow_type(&text), rows),
        ];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    fn round_trip(ops: &[Op]) -> Vec<Op> {
        let mut out = vec![1; 8];
        write(&mut out, ops, &Bodies::of(ops).unwrap());
        read(&out[8..]).unwrap()
    }

    #[test]
    fn ops_read_back_in_order_with_their_bodies() {
        let touched: RangeSet = [TimeRange::new(1, 2), TimeRange::new(5, 9)].into_iter().collect();
        let insert = |first_id, batch| Op::Insert {
            table: TableId(1),
            rows: Arc::new(Rows::new(first_id, batch)),
            touched: touched.clone(),
        };
        let none = RecordBatch::try_new_with_options(
            Arc::new(Schema::empty()),
            vec![],
            &RecordBatchOptions::new().with_row_count(Some(2)),
        );
        let ops = [
            insert(7, batch(5).slice(1, 3)),
            Op::Delete {
                table: TableId(1),
                ids: Arc::new((3..1 << 33).step_by(1 << 30).collect()),
                touched: touched.clone(),
            },
            Op::Truncate { table: TableId(4) },
            insert(u64::MAX - 9, none.unwrap()),
        ];
        let back = round_trip(&ops);
        let [Op::Insert { rows, .. }, Op::Delete { ids, .. }, Op::Truncate { .. }, Op::Insert { rows: empty, .. }] =
            back.as_slice()
        else {
            panic!("{back:?}");
        };
        let expected = batch(5).slice(1, 3);
        assert_eq!((rows.ids.hull().start, rows.batch.columns()), (7, expected.columns()));
        assert!(rows.column(ColumnId(9)).is_some());
        assert_eq!(ids.len(), 8);
        assert_eq!((empty.ids.hull().start, empty.len()), (u64::MAX - 9, 2));
    }

    #[test]
    fn a_damaged_record_is_an_error_and_no_panic() {
        let ops =
            [Op::Insert { table: TableId(1), rows: Arc::new(Rows::new(1, batch(4))), touched: RangeSet::empty() }];
        let mut out = Vec::new();
        write(&mut out, &ops, &Bodies::of(&ops).unwrap());
        for cut in 0..out.len() - 8 {
            assert!(read(&out[..cut]).is_err(), "cut at {cut}");
        }
    }
}
