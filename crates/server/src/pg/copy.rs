//! COPY data in both directions.

use super::connection::{Connection, Stop};
use super::message::{copy_fail_reason, kind};
use super::reply;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use highwater::{CopyIn, CopyOut, Error};

/// Chunks that are shorter than this are put together before the engine reads them.
const SMALL_CHUNK_BYTES: usize = 16 << 10;

/// Bytes that are read at once.
const ROOM_BYTES: usize = 256 << 10;

impl Connection<'_> {
    /// Takes COPY data until the client ends it, and gives the command tag.
    pub(super) async fn copy_in(&mut self, mut copy: CopyIn) -> Result<String, Stop> {
        self.send_notices();
        reply::copy_in(&mut self.io.out, copy.binary, copy.columns);
        self.io.flush().await?;
        let mut small = BytesMut::new();
        loop {
            // Many clients send one row per message. They are read together as far as they came.
            if !small.is_empty() && (small.len() >= ROOM_BYTES || !self.io.has_message()) {
                let data = small.split().freeze();
                self.copy_data(&mut copy, data).await?;
            }
            let Some(frame) = self.next_frame(ROOM_BYTES).await? else { return Err(Stop::Gone) };
            match frame.kind {
                kind::COPY_DATA if frame.body.len() < SMALL_CHUNK_BYTES => small.extend_from_slice(&frame.body),
                kind::COPY_DATA => {
                    if !small.is_empty() {
                        let data = small.split().freeze();
                        self.copy_data(&mut copy, data).await?;
                    }
                    self.copy_data(&mut copy, frame.body).await?;
                }
                kind::COPY_DONE => {
                    if !small.is_empty() {
                        self.copy_data(&mut copy, small.freeze()).await?;
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

    async fn copy_data(&mut self, copy: &mut CopyIn, data: Bytes) -> Result<(), Stop> {
        Ok(self.io.watch(&self.cancel, self.session.copy_data(copy, data)).await?)
    }

    /// Sends COPY data and gives the number of rows.
    pub(super) async fn copy_out(&mut self, mut copy: CopyOut) -> Result<u64, Stop> {
        self.send_notices();
        reply::copy_out(&mut self.io.out, copy.binary, copy.columns);
        let mut rows = 0;
        while let Some(data) = self.io.watch(&self.cancel, copy.data.next()).await {
            let data = data?;
            if copy.binary {
                reply::copy_data(&mut self.io.out, &data);
                self.io.flush_if_full().await?;
                continue;
            }
            // One message per line: some clients take each message for a row.
            for line in data.split_inclusive(|byte| *byte == b'\n') {
                reply::copy_data(&mut self.io.out, line);
                rows += 1;
                self.io.flush_if_full().await?;
            }
        }
        reply::copy_done(&mut self.io.out);
        Ok(rows)
    }
}
