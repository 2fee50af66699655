//! How columns look in Arrow, and therefore in the log, in segments and to DataFusion.
//!
//! Several SQL types are kept as one Arrow type: `jsonb` and `varchar(20)` are strings. Which of them it is, the
//! field's metadata tells under [`PG_TYPE`]; log and segments know the Arrow type only.
//!
//! `LargeBinary` is `numeric` without bounds and nothing else, so that an expression's Arrow type tells that it is a
//! number; the bytes are those of [`highwater_model::Numeric::to_bytes`]. `bytea` is `Binary`.

use arrow::array::{ArrayRef, AsArray, BinaryArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit};
use highwater_model::numeric::key_of;
use highwater_model::time::Limit;
use highwater_model::{Column, ColumnId, ColumnType, Digits, EnumType, Table};
use std::collections::HashMap;
use std::sync::Arc;

/// Metadata key that carries a column's id; Parquet writers turn it into the field id.
pub const COLUMN_ID: &str = "PARQUET:field_id";

/// Metadata key that names a field's SQL type where the Arrow type does not tell.
pub const PG_TYPE: &str = "pg_type";

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
        ColumnType::Text
        | ColumnType::Varchar(_)
        | ColumnType::Char(_)
        | ColumnType::Json
        | ColumnType::Jsonb
        | ColumnType::Inet
        | ColumnType::Cidr
        | ColumnType::Enum(_) => DataType::Utf8,
        ColumnType::Date => DataType::Date32,
        ColumnType::Time => DataType::Time64(TimeUnit::Microsecond),
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
        ColumnType::Uuid => DataType::FixedSizeBinary(16),
        ColumnType::Bytea => DataType::Binary,
        ColumnType::AnyNumeric(_) => DataType::LargeBinary,
        ColumnType::Limited(of, _) => arrow_type(of),
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
        DataType::Binary | DataType::BinaryView => ColumnType::Bytea,
        DataType::LargeBinary => ColumnType::AnyNumeric(None),
        DataType::List(item) | DataType::LargeList(item) => ColumnType::List(Box::new(column_type(item.data_type())?)),
        DataType::Struct(fields) => ColumnType::Struct(
            fields.iter().map(|f| Some((f.name().clone(), column_type(f.data_type())?))).collect::<Option<_>>()?,
        ),
        DataType::Dictionary(_, value) => column_type(value)?,
        _ => return None,
    })
}

/// What [`PG_TYPE`] says of a type; `None` where the Arrow type tells.
pub fn type_mark(column_type: &ColumnType) -> Option<String> {
    Some(match column_type {
        ColumnType::Varchar(None) => "varchar".to_owned(),
        ColumnType::Varchar(Some(n)) => format!("varchar({n})"),
        ColumnType::Char(n) => format!("bpchar({n})"),
        ColumnType::Json => "json".to_owned(),
        ColumnType::Jsonb => "jsonb".to_owned(),
        ColumnType::Inet => "inet".to_owned(),
        ColumnType::Cidr => "cidr".to_owned(),
        ColumnType::Enum(kind) => enum_mark(kind),
        ColumnType::AnyNumeric(Some(Digits { precision, scale })) => format!("numeric({precision},{scale})"),
        ColumnType::Limited(of, limit) => {
            let (name, of) = LIMITED.iter().find(|(_, limited)| *limited == **of)?;
            format!("{name}{LIMIT}{}", limit.modifier(*of == ColumnType::Interval))
        }
        ColumnType::List(item) => format!("{}[]", type_mark(item)?),
        _ => return None,
    })
}

/// The type that a mark names; the inverse of [`type_mark`].
pub fn marked_type(mark: &str) -> Option<ColumnType> {
    if let Some(item) = mark.strip_suffix("[]") {
        return Some(ColumnType::List(Box::new(marked_type(item)?)));
    }
    if mark.split(SEPARATOR).next() == Some(ENUM) {
        return marked_enum(mark);
    }
    if let Some(digits) = mark.strip_prefix("numeric(").and_then(|m| m.strip_suffix(')')) {
        let (precision, scale) = digits.split_once(',')?;
        let digits = Digits { precision: precision.parse().ok()?, scale: scale.parse().ok()? };
        return Some(ColumnType::AnyNumeric(Some(digits)));
    }
    if let Some((name, modifier)) = mark.split_once(LIMIT) {
        let (_, of) = LIMITED.iter().find(|(limited, _)| *limited == name)?;
        let limit = Limit::of_modifier(modifier.parse().ok()?, *of == ColumnType::Interval);
        return Some(ColumnType::Limited(Box::new(of.clone()), limit));
    }
    let (name, length) = match mark.strip_suffix(')').and_then(|m| m.split_once('(')) {
        Some((name, length)) => (name, Some(length.parse().ok()?)),
        None => (mark, None),
    };
    Some(match (name, length) {
        ("varchar", length) => ColumnType::Varchar(length),
        ("bpchar", Some(length)) => ColumnType::Char(length),
        ("json", None) => ColumnType::Json,
        ("jsonb", None) => ColumnType::Jsonb,
        ("inet", None) => ColumnType::Inet,
        ("cidr", None) => ColumnType::Cidr,
        _ => return None,
    })
}

/// Between the name and the modifier in the mark of a type whose times are limited.
const LIMIT: char = '@';

/// The types whose times can be limited, by their names in marks.
const LIMITED: [(&str, ColumnType); 4] = [
    ("time", ColumnType::Time),
    ("timestamp", ColumnType::Timestamp),
    ("timestamptz", ColumnType::Timestamptz),
    ("interval", ColumnType::Interval),
];

/// What an enumeration's mark begins with.
const ENUM: &str = "enum";

/// Between the parts of an enumeration's mark; in a part it is escaped.
const SEPARATOR: char = '\u{1f}';

/// All that there is to know of an enumeration, so that a field tells it without the catalog.
fn enum_mark(kind: &EnumType) -> String {
    let ids = [kind.id.to_string(), kind.array_id.to_string()];
    let parts = [ENUM.to_owned()].into_iter().chain(ids).chain([kind.schema.clone(), kind.name.clone()]);
    let escape = |part: String| part.replace('%', "%25").replace(SEPARATOR, "%1F").replace('[', "%5B");
    parts.chain(kind.labels.iter().cloned()).map(escape).collect::<Vec<_>>().join(&SEPARATOR.to_string())
}

fn marked_enum(mark: &str) -> Option<ColumnType> {
    let restore = |part: &str| part.replace("%5B", "[").replace("%1F", &SEPARATOR.to_string()).replace("%25", "%");
    let mut parts = mark.split(SEPARATOR).map(restore);
    (parts.next()? == ENUM).then_some(())?;
    let (id, array_id) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (schema, name) = (parts.next()?, parts.next()?);
    Some(ColumnType::Enum(Arc::new(EnumType { id, array_id, schema, name, labels: parts.collect() })))
}

/// The column type of a field: what its mark says, or else what its Arrow type is.
pub fn field_type(field: &Field) -> Option<ColumnType> {
    let marked = field.metadata().get(PG_TYPE).and_then(|mark| marked_type(mark));
    // A cast of DataFusion's hands the mark on to the type that it makes.
    marked.filter(|t| arrow_type(t).equals_datatype(field.data_type())).or_else(|| column_type(field.data_type()))
}

/// An Arrow field of a type, marked.
pub fn typed_field(name: &str, column_type: &ColumnType) -> Field {
    let field = Field::new(name, arrow_type(column_type), true);
    match type_mark(column_type) {
        Some(mark) => field.with_metadata(HashMap::from([(PG_TYPE.to_owned(), mark)])),
        None => field,
    }
}

/// The Arrow field of a column, with its id. Always nullable: NOT NULL is checked on writing.
pub fn field(column: &Column) -> Field {
    id_field(&column.name, column.id, &column.column_type)
}

/// An Arrow field named `name` for column `id`.
pub fn id_field(name: &str, id: ColumnId, column_type: &ColumnType) -> Field {
    let mut field = typed_field(name, column_type);
    field.metadata_mut().insert(COLUMN_ID.to_owned(), id.0.to_string());
    field
}

/// A column as its values are compared: equal values have equal bytes in it.
pub fn comparable(column: &ArrayRef) -> ArrayRef {
    match column.as_binary_opt::<i64>() {
        Some(numbers) => Arc::new(numbers.iter().map(|number| number.map(key_of)).collect::<BinaryArray>()),
        None => Arc::clone(column),
    }
}

/// The id that a field carries.
pub fn column_id(field: &FieldRef) -> Option<ColumnId> {
    field.metadata().get(COLUMN_ID)?.parse().ok().map(ColumnId)
}

/// The Arrow schema of a table's live columns.
pub fn arrow_schema(table: &Table) -> SchemaRef {
    Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_model::time::limit;

    #[test]
    fn marks_name_their_types() {
        let labels = ["a", "b%5B[]", "c\u{1f}d", ""].map(str::to_owned).to_vec();
        let kind = EnumType { id: 5, array_id: 6, schema: "s".to_owned(), name: "n[]".to_owned(), labels };
        for column_type in [
            ColumnType::Varchar(None),
            ColumnType::Varchar(Some(7)),
            ColumnType::Char(3),
            ColumnType::Jsonb,
            ColumnType::Enum(Arc::new(kind.clone())),
            ColumnType::List(Box::new(ColumnType::Enum(Arc::new(kind)))),
            ColumnType::List(Box::new(ColumnType::Inet)),
            ColumnType::AnyNumeric(Some(Digits { precision: 50, scale: -5 })),
            ColumnType::Limited(Box::new(ColumnType::Timestamptz), Limit { fields: None, digits: Some(3) }),
            ColumnType::List(Box::new(ColumnType::Limited(
                Box::new(ColumnType::Interval),
                Limit { fields: Some((limit::IntervalField::Day, limit::IntervalField::Second)), digits: None },
            ))),
        ] {
            assert_eq!(marked_type(&type_mark(&column_type).unwrap()), Some(column_type));
        }
        assert_eq!(type_mark(&ColumnType::Text), None);
        assert_eq!(field_type(&Field::new("x", DataType::Int32, true)), Some(ColumnType::Integer));
    }
}
