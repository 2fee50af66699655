//! How Highwater keeps things: log, buffer, segments, manifest, snapshots, recovery.
//!
//! ```text
//! Transaction ──commit──▶ latest Version ──log durable──▶ durable Version ◀── Snapshot
//!                              │
//!                              └── checkpoint: buffers ▶ segments, manifest replaced, log recycled
//! ```
//!
//! A [`Version`] is a value: the catalog, the rows of every table and what is pending of every
//! aggregate, as of one commit. Everything that changes it is an [`Op`], and there is one function that
//! applies an op, [`Version::apply`]: a transaction applies its ops to a private version, a commit
//! applies them to the latest one, recovery applies those it reads from the log.

mod checkpoint;
pub mod clock;
pub mod disk;
pub mod error;
mod manifest;
pub mod op;
mod published;
mod recovery;
pub mod rows;
pub mod schema;
pub mod segment;
pub mod store;
pub mod ticket;
pub mod transaction;
pub mod unique;
pub mod version;
mod wal;

pub use clock::{Clock, ManualClock, SystemClock};
pub use disk::Disk;
pub use error::{Error, Result};
pub use op::Op;
pub use rows::{RowIds, Rows};
pub use segment::{Segment, SegmentId, SegmentMeta};
pub use store::{Snapshot, Store, StoreOptions};
pub use ticket::Ticket;
pub use transaction::Transaction;
pub use version::{CaggData, Scan, ScanUnit, TableData, Version};
