//! Continuous aggregates.

use crate::bucket::Bucket;
use crate::catalog::ObjectKey;
use crate::schema::{ColumnId, TableId};
use serde::{Deserialize, Serialize};

/// Identifies a continuous aggregate for ever; the same number is the oid of its view in `pg_class`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CaggId(pub u32);

/// A partial aggregation that is written down and kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContinuousAggregate {
    /// Stable identity and oid.
    pub id: CaggId,
    /// Schema of its view.
    pub schema: String,
    /// Name of its view.
    pub name: String,
    /// The SELECT that defines it, as SQL text that planning accepts at any time.
    pub query: String,
    /// Schemas that unqualified names in `query` are looked up in.
    pub search_path: Vec<String>,
    /// Session time zone captured when it was created.
    pub time_zone: String,
    /// The hypertable whose time is bucketed.
    pub source: TableId,
    /// Other tables that the query reads.
    pub joined: Vec<TableId>,
    /// How its time is cut.
    pub bucket: Bucket,
    /// Where its buckets are kept.
    pub materialization: TableId,
    /// Where the states of dropped raw rows are kept.
    pub frozen_base: TableId,
    /// Whether reads show only what is materialized.
    pub materialized_only: bool,
    /// The columns of its view in order: name, and where the finished value is in the materialization.
    pub outputs: Vec<(String, ColumnId)>,
    /// The bucket column in the materialization.
    pub bucket_column: ColumnId,
    /// The other grouping columns in the materialization.
    pub group_columns: Vec<ColumnId>,
}

impl ContinuousAggregate {
    /// Its name in the catalog.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::Relation(self.schema.clone(), self.name.clone())
    }
}
