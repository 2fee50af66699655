//! How columns look in Arrow, and therefore in the log, in segments and to DataFusion.

use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit};
use highwater_model::{Column, ColumnId, ColumnType, Table};
use std::collections::HashMap;
use std::sync::Arc;

/// Metadata key that carries a column's id; Parquet writers turn it into the field id.
pub const COLUMN_ID: &str = "PARQUET:field_id";

/// Name of the hidden column that carries the stable id of each row.
pub const ROW_ID: &str = "_row_id";

/// The Arrow type of a column.
pub fn arrow_type(column_type: &ColumnType) -> DataType {
    match column_type {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::SmallInt => DataType::Int16,
        ColumnType::Integer => DataType::Int32,
        ColumnType::BigInt => DataType::Int64,
        ColumnType::Real => DataType::Float32,
        ColumnType::Double => DataType::Float64,
        ColumnType::Numeric { precision, scale } => DataType::Decimal128(*precision, *scale),
        ColumnType::WideNumeric { scale } => DataType::Decimal256(76, *scale),
        ColumnType::Text => DataType::Utf8,
        ColumnType::Date => DataType::Date32,
        ColumnType::Time => DataType::Time64(TimeUnit::Microsecond),
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        ColumnType::Uuid => DataType::FixedSizeBinary(16),
        ColumnType::Bytea => DataType::Binary,
        ColumnType::List(item) => DataType::List(Arc::new(Field::new("item", arrow_type(item), true))),
        ColumnType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|(name, t)| Field::new(name, arrow_type(t), true)).collect::<Fields>())
        }
    }
}

/// The column type that is kept as this Arrow type; `None` if Highwater keeps no such thing.
pub fn column_type(arrow: &DataType) -> Option<ColumnType> {
    Some(match arrow {
        DataType::Boolean => ColumnType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => ColumnType::SmallInt,
        DataType::Int32 | DataType::UInt16 => ColumnType::Integer,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => ColumnType::BigInt,
        DataType::Float16 | DataType::Float32 => ColumnType::Real,
        DataType::Float64 => ColumnType::Double,
        DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
            ColumnType::Numeric { precision: *p, scale: *s }
        }
        DataType::Decimal256(_, s) => ColumnType::WideNumeric { scale: *s },
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => ColumnType::Text,
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Time32(_) | DataType::Time64(_) => ColumnType::Time,
        DataType::Timestamp(_, None) => ColumnType::Timestamp,
        DataType::Timestamp(_, Some(_)) => ColumnType::Timestamptz,
        DataType::Interval(_) | DataType::Duration(_) => ColumnType::Interval,
        DataType::FixedSizeBinary(16) => ColumnType::Uuid,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => ColumnType::Bytea,
        DataType::List(item) | DataType::LargeList(item) => ColumnType::List(Box::new(column_type(item.data_type())?)),
        DataType::Struct(fields) => ColumnType::Struct(
            fields.iter().map(|f| Some((f.name().clone(), column_type(f.data_type())?))).collect::<Option<_>>()?,
        ),
        DataType::Dictionary(_, value) => column_type(value)?,
        _ => return None,
    })
}

/// The Arrow field of a column, with its id. Always nullable: NOT NULL is checked on writing.
pub fn field(column: &Column) -> Field {
    id_field(&column.name, column.id, &column.column_type)
}

/// An Arrow field named `name` for column `id`.
pub fn id_field(name: &str, id: ColumnId, column_type: &ColumnType) -> Field {
    Field::new(name, arrow_type(column_type), true)
        .with_metadata(HashMap::from([(COLUMN_ID.to_owned(), id.0.to_string())]))
}

/// The id that a field carries.
pub fn column_id(field: &FieldRef) -> Option<ColumnId> {
    field.metadata().get(COLUMN_ID)?.parse().ok().map(ColumnId)
}

/// The Arrow schema of a table's live columns.
pub fn arrow_schema(table: &Table) -> SchemaRef {
    Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()))
}
