//! Tables and their columns.

use crate::hypertable::{Compression, Hypertable, OrderBy};
use crate::time::Limit;
use crate::{CaggId, EnumType, ObjectKey};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Identifies a table for ever; the same number is its oid in `pg_class`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub u32);

/// Identifies a column within its table for ever; renaming keeps it, dropping retires it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ColumnId(pub u32);

/// The type of a column, as PostgreSQL names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ColumnType {
    /// `boolean`
    Boolean,
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `numeric(precision, scale)` of at most 38 digits, all of one scale.
    Numeric {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// `text`
    Text,
    /// `date`, kept as days since 1970.
    Date,
    /// `time`, microseconds since midnight.
    Time,
    /// `timestamp`, microseconds since 1970.
    Timestamp,
    /// `timestamptz`, microseconds since 1970 UTC.
    Timestamptz,
    /// `interval`
    Interval,
    /// `uuid`, 16 bytes.
    Uuid,
    /// `bytea`
    Bytea,
    /// A numeric of up to 76 digits; only in states.
    WideNumeric {
        /// Digits after the point.
        scale: i8,
    },
    /// A list; arrays, and states that keep their values.
    List(Box<ColumnType>),
    /// Named fields; only in states. One `bytea` alone is the value of a state type that has the field's name.
    Struct(Vec<(String, ColumnType)>),
    /// `varchar(n)`, or `varchar` without a limit. The limit is in characters.
    Varchar(Option<u32>),
    /// `char(n)`, kept without the blanks at its end.
    Char(u32),
    /// `json`, kept as it was written.
    Json,
    /// `jsonb`, kept as text in PostgreSQL's normal form.
    Jsonb,
    /// `inet`, kept as its text.
    Inet,
    /// `cidr`, kept as its text.
    Cidr,
    /// An enumeration, kept as the text of its labels.
    Enum(Arc<EnumType>),
    /// `numeric` without bounds, or with digits that [`ColumnType::Numeric`] has no place for. Each value has its own
    /// scale: see [`crate::Numeric`].
    AnyNumeric(Option<Digits>),
    /// `time`, `timestamp`, `timestamptz` or `interval` of which less is kept than could be: `timestamp(3)`.
    Limited(Box<ColumnType>, Limit),
}

/// How many digits a `numeric` was declared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digits {
    /// In all, from 1 to 1000.
    pub precision: u16,
    /// After the point, from −1000 to 1000; less than none are zeros before it.
    pub scale: i16,
}

impl ColumnType {
    /// The name of the type when its values are states, such as sketches.
    pub fn state_name(&self) -> Option<&str> {
        match self {
            ColumnType::Struct(fields) => match fields.as_slice() {
                [(name, ColumnType::Bytea)] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The type without what limits its times.
    pub fn unlimited(&self) -> &ColumnType {
        match self {
            ColumnType::Limited(of, _) => of,
            other => other,
        }
    }

    /// The time axis that a column of this type can be, if it can be one.
    pub fn time_type(&self) -> Option<TimeType> {
        Some(match self {
            ColumnType::SmallInt => TimeType::SmallInt,
            ColumnType::Integer => TimeType::Integer,
            ColumnType::BigInt => TimeType::BigInt,
            ColumnType::Date => TimeType::Date,
            ColumnType::Timestamp => TimeType::Timestamp,
            ColumnType::Timestamptz => TimeType::Timestamptz,
            ColumnType::Limited(of, _) => return of.time_type(),
            _ => return None,
        })
    }
}

/// PostgreSQL's spelling, as `format_type` gives it.
impl std::fmt::Display for ColumnType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ColumnType::Boolean => f.write_str("boolean"),
            ColumnType::SmallInt => f.write_str("smallint"),
            ColumnType::Integer => f.write_str("integer"),
            ColumnType::BigInt => f.write_str("bigint"),
            ColumnType::Real => f.write_str("real"),
            ColumnType::Double => f.write_str("double precision"),
            ColumnType::Numeric { precision, scale } => write!(f, "numeric({precision},{scale})"),
            ColumnType::WideNumeric { scale } => write!(f, "numeric(76,{scale})"),
            ColumnType::Text => f.write_str("text"),
            ColumnType::Date => f.write_str("date"),
            ColumnType::Time => f.write_str("time without time zone"),
            ColumnType::Timestamp => f.write_str("timestamp without time zone"),
            ColumnType::Timestamptz => f.write_str("timestamp with time zone"),
            ColumnType::Interval => f.write_str("interval"),
            ColumnType::Uuid => f.write_str("uuid"),
            ColumnType::Bytea => f.write_str("bytea"),
            ColumnType::List(item) => write!(f, "{item}[]"),
            ColumnType::Struct(_) => f.write_str(self.state_name().unwrap_or("record")),
            ColumnType::Varchar(None) => f.write_str("character varying"),
            ColumnType::Varchar(Some(n)) => write!(f, "character varying({n})"),
            ColumnType::Char(n) => write!(f, "character({n})"),
            ColumnType::Json => f.write_str("json"),
            ColumnType::Jsonb => f.write_str("jsonb"),
            ColumnType::Inet => f.write_str("inet"),
            ColumnType::Cidr => f.write_str("cidr"),
            ColumnType::Enum(kind) => f.write_str(&kind.name),
            ColumnType::AnyNumeric(None) => f.write_str("numeric"),
            ColumnType::AnyNumeric(Some(Digits { precision, scale })) => write!(f, "numeric({precision},{scale})"),
            ColumnType::Limited(of, limit) => f.write_str(&limit.name(&of.to_string())),
        }
    }
}

/// A type that time can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeType {
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `date`; on the time axis in microseconds, like the timestamps.
    Date,
    /// `timestamp`
    Timestamp,
    /// `timestamptz`
    Timestamptz,
}

impl TimeType {
    /// Whether time is a plain number here, without a calendar.
    pub fn is_integer(self) -> bool {
        matches!(self, TimeType::SmallInt | TimeType::Integer | TimeType::BigInt)
    }

    /// The column type.
    pub fn column_type(self) -> ColumnType {
        match self {
            TimeType::SmallInt => ColumnType::SmallInt,
            TimeType::Integer => ColumnType::Integer,
            TimeType::BigInt => ColumnType::BigInt,
            TimeType::Date => ColumnType::Date,
            TimeType::Timestamp => ColumnType::Timestamp,
            TimeType::Timestamptz => ColumnType::Timestamptz,
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Stable identity.
    pub id: ColumnId,
    /// Current name.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// The DEFAULT expression as SQL text.
    pub default: Option<String>,
    /// The value, in PostgreSQL's text form, of rows written before the column existed.
    pub missing: Option<String>,
}

/// One column of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexColumn {
    /// Which column; `None` for an expression.
    pub column: Option<ColumnId>,
    /// The SQL of the column or expression, for display.
    pub sql: String,
    /// Whether it was declared DESC.
    pub descending: bool,
}

/// An index. A unique one is enforced; the others are hints for sorting and pruning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its oid.
    pub id: u32,
    /// Its name, in the schema of its table.
    pub name: String,
    /// What it covers, in order.
    pub columns: Vec<IndexColumn>,
    /// Whether two rows may not agree on all columns (NULLs never agree).
    pub unique: bool,
    /// Whether it is the primary key.
    pub primary: bool,
    /// Whether it was made by a PRIMARY KEY or UNIQUE constraint.
    pub constraint: bool,
    /// The access method it was declared with, for display.
    pub method: String,
}

impl Index {
    /// The ids of its columns; `None` when it covers an expression.
    pub fn column_ids(&self) -> Option<Vec<ColumnId>> {
        self.columns.iter().map(|c| c.column).collect()
    }
}

/// What a table is there for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableKind {
    /// Made by the user.
    Table,
    /// A view: its query as SQL text.
    View(String),
    /// The stored buckets of a continuous aggregate.
    Materialization(CaggId),
    /// The states of a continuous aggregate whose raw rows were dropped.
    FrozenBase(CaggId),
}

/// A table: plain, or a hypertable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Stable identity and oid.
    pub id: TableId,
    /// Schema it is in.
    pub schema: String,
    /// Current name.
    pub name: String,
    /// Live columns in order.
    pub columns: Vec<Column>,
    /// The id that the next added column gets.
    pub next_column: u32,
    /// Indexes and keys.
    pub indexes: Vec<Index>,
    /// How it is cut by time, if it is.
    pub hypertable: Option<Hypertable>,
    /// What it is there for.
    pub kind: TableKind,
}

impl Table {
    /// The column named `name`, exactly.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The column with this id, if it still exists.
    pub fn column_by_id(&self, id: ColumnId) -> Option<&Column> {
        self.columns.iter().find(|c| c.id == id)
    }

    /// Position of the column with this id.
    pub fn position(&self, id: ColumnId) -> Option<usize> {
        self.columns.iter().position(|c| c.id == id)
    }

    /// The time column of a hypertable.
    pub fn time_column(&self) -> Option<&Column> {
        self.hypertable.as_ref().and_then(|h| self.column_by_id(h.time_column))
    }

    /// Keys that no two rows may share.
    pub fn unique_keys(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|i| i.unique)
    }

    /// How rows are sorted inside a segment: the leading non-time columns of the first index or key
    /// that has any, or those that compressed rows are gathered by, then the time.
    pub fn sort_columns(&self) -> Vec<ColumnId> {
        let time = self.hypertable.as_ref().map(|h| h.time_column);
        let keys = self
            .indexes
            .iter()
            .filter_map(Index::column_ids)
            .map(|columns| columns.into_iter().filter(|c| Some(*c) != time).collect::<Vec<_>>())
            .find(|columns| !columns.is_empty())
            .or_else(|| self.hypertable.as_ref()?.compression.as_ref()?.segment_by.clone())
            .or_else(|| self.hypertable.as_ref().map(|h| h.segment_by.clone()))
            .unwrap_or_default();
        keys.into_iter().chain(time).collect()
    }

    /// How the chunks of a hypertable are compressed, as was said or else by [`Table::sort_columns`]: the columns that
    /// rows are gathered by, and what the rows of each are sorted by. `None` while that is not enabled.
    pub fn compressed_order(&self) -> Option<(Vec<ColumnId>, Vec<OrderBy>)> {
        let hypertable = self.hypertable.as_ref()?;
        let Compression { segment_by, order_by } = hypertable.compression.as_ref()?.clone();
        let latest = OrderBy { column: hypertable.time_column, descending: true, nulls_first: true };
        let mut order_by = order_by.unwrap_or_default();
        if order_by.iter().all(|by| by.column != hypertable.time_column) {
            order_by.push(latest);
        }
        let is_free = |column: &ColumnId| order_by.iter().all(|by| by.column != *column);
        let segment_by = segment_by.unwrap_or_else(|| self.sort_columns().into_iter().filter(is_free).collect());
        Some((segment_by, order_by))
    }

    /// Its name in the catalog.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::Relation(self.schema.clone(), self.name.clone())
    }
}
