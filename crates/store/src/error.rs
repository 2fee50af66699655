//! What can go wrong with the store.

use highwater_model::{Lsn, TableId};
use std::path::PathBuf;

/// Result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the store. Cheap to clone, because one failed write fails every commit that waits.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Another transaction that committed since this one began changed the same thing. Try again from a
    /// new snapshot.
    #[error("could not serialize access due to concurrent update")]
    Conflict,
    /// Two rows agree on a unique key.
    #[error("duplicate key value violates unique constraint \"{index}\"")]
    Duplicate {
        /// Table of the key.
        table: TableId,
        /// Name of the unique index.
        index: String,
        /// The key in words: `(a, b)=(1, 2)`.
        key: String,
    },
    /// A change that the catalog refuses.
    #[error(transparent)]
    Catalog(#[from] highwater_model::CatalogError),
    /// A file does not hold what was written.
    #[error("{file} is corrupt at byte {offset}: {what}")]
    Corrupt {
        /// The file, relative to the data directory.
        file: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The operating system refused.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was attempted, with the file's name.
        doing: String,
        /// The reason.
        source: std::sync::Arc<std::io::Error>,
    },
    /// The store stopped accepting writes after an earlier failure.
    #[error("the store is read-only since {since}: {reason}")]
    ReadOnly {
        /// Last commit that is known to be durable.
        since: Lsn,
        /// What happened then.
        reason: String,
    },
    /// Another process has the directory open.
    #[error("the data directory {0} is in use by another process")]
    InUse(PathBuf),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Arrow or Parquet refused; a bug or damaged data.
    #[error("{0}")]
    Format(String),
}

impl Error {
    /// What the operating system said while `doing` something with `file`.
    pub(crate) fn io(doing: &str, file: &str) -> impl FnOnce(std::io::Error) -> Error {
        let doing = format!("{doing} {file}");
        |source| Error::Io { doing, source: std::sync::Arc::new(source) }
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(e: arrow::error::ArrowError) -> Self {
        Error::Format(e.to_string())
    }
}

impl From<parquet::errors::ParquetError> for Error {
    fn from(e: parquet::errors::ParquetError) -> Self {
        Error::Format(e.to_string())
    }
}
