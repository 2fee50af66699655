//! Continuous aggregates.

use crate::bucket::Bucket;
use crate::catalog::ObjectKey;
use crate::range::RangeSet;
use crate::reach::Reach;
use crate::schema::{ColumnId, ColumnType, TableId};
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
    /// The hypertable whose time is bucketed, or what keeps the aggregate that it is over.
    pub source: TableId,
    /// Further hypertables, whose rows are united with those of the first.
    pub united: Vec<TableId>,
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
    /// The columns of its view in order, by name.
    pub outputs: Vec<(String, Output)>,
    /// How far the rows of its view depend on other buckets than their own.
    pub reach: Reach,
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

    /// The tables whose times are bucketed: what is over several goes by the name and the clock of the first.
    pub fn sources(&self) -> impl Iterator<Item = TableId> {
        std::iter::once(self.source).chain(self.united.iter().copied())
    }

    /// Whether a table is one of those whose times are bucketed.
    pub fn is_over(&self, table: TableId) -> bool {
        self.sources().any(|source| source == table)
    }

    /// Whether its view has window functions over its buckets.
    pub fn is_windowed(&self) -> bool {
        self.outputs.iter().any(|(_, output)| matches!(output, Output::Windowed(_)))
    }

    /// The columns of its view that are kept, by name.
    pub fn kept_outputs(&self) -> impl Iterator<Item = (&str, ColumnId)> {
        self.outputs.iter().filter_map(|(name, output)| match output {
            Output::Kept(column) => Some((name.as_str(), *column)),
            Output::Windowed(_) => None,
        })
    }

    /// The times of the rows of its view that change when the buckets do which `times` lie in.
    pub fn rows_of(&self, times: &RangeSet) -> RangeSet {
        self.reach.rows(&self.bucket.starts(times))
    }

    /// The whole buckets that those rows of its view are computed from which have these times.
    pub fn buckets_of(&self, rows: &RangeSet) -> RangeSet {
        self.bucket.starting(&self.reach.starts(rows))
    }
}

/// Where a column of an aggregate's view comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// The finished value in the materialization.
    Kept(ColumnId),
    /// Window functions over the buckets that are shown, computed when they are read; of this type.
    Windowed(ColumnType),
}
