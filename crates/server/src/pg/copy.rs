//! COPY data in both directions.

mod binary;

use super::connection::{Connection, Stop};
use super::encode::{Column, Format};
use super::message::{copy_fail_reason, kind};
use super::reply;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use binary::BinaryReader;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use highwater::session::CopyData;
use highwater::{CopyIn, CopyOut, Error, RowStream};

/// Chunks that are shorter than this are put together before the engine reads them.
const SMALL_CHUNK_BYTES: usize = 16 << 10;

/// Bytes that are read at once.
const ROOM_BYTES: usize = 256 << 10;

/// Rows in the binary format that are handed on at once.
const BINARY_ROWS: usize = 8192;

impl Connection<'_> {
    /// Takes COPY data until the client ends it, and gives the command tag.
    pub(super) async fn copy_in(&mut self, mut copy: CopyIn) -> Result<String, Stop> {
        self.send_notices();
        reply::copy_in(&mut self.io.out, copy.binary, copy.columns);
        self.io.flush().await?;
        let mut reader = copy.binary.then(|| BinaryReader::new(&copy.fields));
        let mut small = BytesMut::new();
        loop {
            // Many clients send one row per message. They are read together as far as they came.
            if !small.is_empty() && (small.len() >= ROOM_BYTES || !self.io.has_message()) {
                let data = small.split().freeze();
                self.copy_data(&mut copy, &mut reader, data).await?;
            }
            let Some(frame) = self.next_frame(ROOM_BYTES).await? else { return Err(Stop::Gone) };
            match frame.kind {
                kind::COPY_DATA if frame.body.len() < SMALL_CHUNK_BYTES => small.extend_from_slice(&frame.body),
                kind::COPY_DATA => {
                    if !small.is_empty() {
                        let data = small.split().freeze();
                        self.copy_data(&mut copy, &mut reader, data).await?;
                    }
                    self.copy_data(&mut copy, &mut reader, frame.body).await?;
                }
                kind::COPY_DONE => {
                    if !small.is_empty() {
                        self.copy_data(&mut copy, &mut reader, small.freeze()).await?;
                    }
                    if let Some(reader) = &mut reader {
                        reader.end()?;
                        let rows = reader.take()?;
                        self.io.watch(&self.cancel, self.session.copy_rows(&mut copy, rows)).await?;
                    }
                    return Ok(self.io.watch(&self.cancel, self.session.copy_done(copy)).await?);
                }
                kind::COPY_FAIL => {
                    let reason = copy_fail_reason(&frame);
                    return Err(Error::new("57014", format!("COPY from stdin failed: {reason}")).into());
                }
                // Sent by clients that do not know that the statement is a COPY.
                kind::FLUSH | kind::SYNC => {}
                kind::TERMINATE => return Err(Stop::Gone),
                other => {
                    let message = format!("unexpected message type 0x{other:02X} during COPY from stdin");
                    return Err(Stop::Fatal(Error::new("08P01", message)));
                }
            }
        }
    }

    async fn copy_data(
        &mut self,
        copy: &mut CopyIn,
        reader: &mut Option<BinaryReader>,
        data: Bytes,
    ) -> Result<(), Stop> {
        if let Some(reader) = reader {
            reader.push(&data)?;
            if reader.rows() >= BINARY_ROWS {
                let rows = reader.take()?;
                self.io.watch(&self.cancel, self.session.copy_rows(copy, rows)).await?;
            }
            return Ok(());
        }
        Ok(self.io.watch(&self.cancel, self.session.copy_data(copy, data)).await?)
    }

    /// Sends COPY data and gives the number of rows.
    pub(super) async fn copy_out(&mut self, copy: CopyOut) -> Result<u64, Stop> {
        self.send_notices();
        reply::copy_out(&mut self.io.out, copy.binary, copy.columns);
        let rows = match copy.data {
            CopyData::Lines(mut pieces) => {
                let mut rows = 0;
                while let Some(piece) = self.io.watch(&self.cancel, pieces.next()).await {
                    let (data, count) = piece?;
                    rows += count;
                    // One message per line: some clients take each message for a row.
                    for line in data.split_inclusive(|byte| *byte == b'\n') {
                        reply::copy_data(&mut self.io.out, line);
                        self.io.flush_if_full().await?;
                    }
                }
                rows
            }
            CopyData::Rows(columns, rows) => self.copy_binary_out(&columns, rows).await?,
        };
        reply::copy_done(&mut self.io.out);
        Ok(rows)
    }

    async fn copy_binary_out(&mut self, fields: &SchemaRef, mut rows: RowStream) -> Result<u64, Stop> {
        let mut count = 0;
        // The header comes with the first row: clients take each message for a row.
        let mut data = Vec::new();
        binary::write_header(&mut data);
        while let Some(batch) = self.io.watch(&self.cancel, rows.next()).await {
            let batch: RecordBatch = batch?;
            let zone = self.zone();
            let columns = batch.columns().iter().zip(fields.fields());
            let columns = columns.map(|(array, field)| Column::new(array, field, Format::Binary, zone));
            let columns = columns.collect::<highwater::Result<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                data.extend_from_slice(&(columns.len() as i16).to_be_bytes());
                columns.iter().for_each(|column| column.write_field(row, &mut data));
                reply::copy_data(&mut self.io.out, &data);
                data.clear();
                self.io.flush_if_full().await?;
            }
            count += batch.num_rows() as u64;
        }
        binary::write_trailer(&mut data);
        reply::copy_data(&mut self.io.out, &data);
        Ok(count)
    }
}
