//! Rows of a system view: columns by PostgreSQL's type names, cells as plain values.

use crate::Result;
use crate::query::memory_table;
use crate::text::read::interval_to_arrow;
use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder,
    IntervalMonthDayNanoBuilder, ListBuilder, RecordBatch, RecordBatchOptions, StringBuilder,
    TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use highwater_model::Interval;
use std::collections::HashMap;
use std::sync::Arc;

/// Key of the metadata that names a field's PostgreSQL type where the Arrow type does not tell.
pub use highwater_store::schema::PG_TYPE;

/// Names of columns and of their types, as `pg_type` names them; an array has `[]` after its item.
pub type Columns = &'static [(&'static str, &'static str)];

/// A value of a system view.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// NULL, or the empty array in a column that is never NULL.
    Null,
    /// A boolean.
    Bool(bool),
    /// Any whole number; a `timestamptz` as microseconds since 1970 UTC.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Any text.
    Text(String),
    /// An interval.
    Interval(Interval),
    /// An array.
    List(Vec<Cell>),
}

/// One row.
pub type Row = Vec<Cell>;

macro_rules! cell_from {
    ($($from:ty => |$v:ident| $cell:expr;)*) => {
        $(impl From<$from> for Cell {
            fn from($v: $from) -> Cell {
                $cell
            }
        })*
    };
}

cell_from! {
    bool => |v| Cell::Bool(v);
    i64 => |v| Cell::Int(v);
    i32 => |v| Cell::Int(v.into());
    u32 => |v| Cell::Int(v.into());
    f64 => |v| Cell::Float(v);
    usize => |v| Cell::Int(v as i64);
    &str => |v| Cell::Text(v.to_owned());
    &String => |v| Cell::Text(v.clone());
    String => |v| Cell::Text(v);
    char => |v| Cell::Text(v.to_string());
    Interval => |v| Cell::Interval(v);
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(v: Option<T>) -> Cell {
        v.map_or(Cell::Null, Into::into)
    }
}

impl<T: Into<Cell>> From<Vec<T>> for Cell {
    fn from(v: Vec<T>) -> Cell {
        Cell::List(v.into_iter().map(Into::into).collect())
    }
}

/// The columns of a view, written as in CREATE TABLE: `columns! { oid oid, relname name, relacl aclitem[] }`.
macro_rules! columns {
    ($($name:ident $pg_type:ident $([$($dimension:tt)?])?),* $(,)?) => {
        &[$((stringify!($name), concat!(stringify!($pg_type) $(, "[]" $(, $dimension)?)?))),*]
    };
}
pub(crate) use columns;

/// A row of anything that is a cell.
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($crate::information::rows::Cell::from($cell)),*] };
}
pub(crate) use row;

/// The Arrow type of a PostgreSQL type.
pub fn arrow_type(name: &str) -> DataType {
    if let Some(item) = name.strip_suffix("[]") {
        return DataType::List(Arc::new(Field::new("item", arrow_type(item), true)));
    }
    match name {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" => DataType::Int32,
        "int8" => DataType::Int64,
        "float4" => DataType::Float32,
        "float8" => DataType::Float64,
        "oid" | "xid" => DataType::UInt32,
        "int2vector" => DataType::List(Arc::new(Field::new("item", DataType::Int16, true))),
        "oidvector" => DataType::List(Arc::new(Field::new("item", DataType::UInt32, true))),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => DataType::Utf8,
    }
}

/// The schema of some columns.
pub fn schema(columns: Columns) -> SchemaRef {
    let field = |(name, pg_type): &(&str, &str)| {
        let plain = matches!(
            *pg_type,
            "oid" | "bool" | "int2" | "int4" | "int8" | "float4" | "float8" | "text" | "timestamptz" | "interval"
        );
        let field = Field::new(*name, arrow_type(pg_type), true);
        match plain {
            true => field,
            false => field.with_metadata(HashMap::from([(PG_TYPE.to_owned(), (*pg_type).to_owned())])),
        }
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// A table of these rows.
pub fn table(columns: Columns, rows: Vec<Row>) -> Result<Arc<dyn TableProvider>> {
    let schema = schema(columns);
    debug_assert!(rows.iter().all(|row| row.len() == columns.len()), "every row has the columns {columns:?}");
    let arrays =
        schema.fields().iter().enumerate().map(|(i, field)| column(field.data_type(), rows.iter().map(|row| &row[i])));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch = RecordBatch::try_new_with_options(schema.clone(), arrays.collect(), &options)?;
    memory_table(schema, vec![batch])
}

/// Values of one type; a cell that is not of it is NULL.
pub fn column<'a>(data_type: &DataType, cells: impl Iterator<Item = &'a Cell>) -> ArrayRef {
    macro_rules! numbers {
        ($builder:ty) => {{
            let mut builder = <$builder>::new();
            for cell in cells {
                builder.append_option(match cell {
                    Cell::Int(v) => (*v).try_into().ok(),
                    _ => None,
                });
            }
            Arc::new(builder.finish())
        }};
    }
    match data_type {
        DataType::Boolean => {
            let mut builder = BooleanBuilder::new();
            for cell in cells {
                builder.append_option(match cell {
                    Cell::Bool(v) => Some(*v),
                    _ => None,
                });
            }
            Arc::new(builder.finish())
        }
        DataType::Int16 => numbers!(Int16Builder),
        DataType::Int32 => numbers!(Int32Builder),
        DataType::Int64 => numbers!(Int64Builder),
        DataType::UInt32 => numbers!(UInt32Builder),
        DataType::Float32 => {
            let mut builder = Float32Builder::new();
            cells.for_each(|cell| builder.append_option(float(cell).map(|v| v as f32)));
            Arc::new(builder.finish())
        }
        DataType::Float64 => {
            let mut builder = Float64Builder::new();
            cells.for_each(|cell| builder.append_option(float(cell)));
            Arc::new(builder.finish())
        }
        DataType::Timestamp(..) => {
            let mut builder = TimestampMicrosecondBuilder::new();
            for cell in cells {
                builder.append_option(match cell {
                    Cell::Int(v) => Some(*v),
                    _ => None,
                });
            }
            Arc::new(builder.finish().with_timezone("UTC"))
        }
        DataType::Interval(_) => {
            let mut builder = IntervalMonthDayNanoBuilder::new();
            for cell in cells {
                builder.append_option(match cell {
                    Cell::Interval(v) => interval_to_arrow(v).ok(),
                    _ => None,
                });
            }
            Arc::new(builder.finish())
        }
        DataType::List(item) => match item.data_type() {
            DataType::Int16 => {
                let mut builder = ListBuilder::new(Int16Builder::new());
                cells.for_each(|cell| {
                    builder.append_option(whole(cell).map(|v| v.into_iter().map(|v| v.and_then(|v| v.try_into().ok()))))
                });
                Arc::new(builder.finish())
            }
            DataType::UInt32 => {
                let mut builder = ListBuilder::new(UInt32Builder::new());
                cells.for_each(|cell| {
                    builder.append_option(whole(cell).map(|v| v.into_iter().map(|v| v.and_then(|v| v.try_into().ok()))))
                });
                Arc::new(builder.finish())
            }
            _ => {
                let mut builder = ListBuilder::new(StringBuilder::new());
                for cell in cells {
                    builder.append_option(match cell {
                        Cell::List(items) => Some(items.iter().map(|item| match item {
                            Cell::Text(v) => Some(v.clone()),
                            _ => None,
                        })),
                        _ => None,
                    });
                }
                Arc::new(builder.finish())
            }
        },
        _ => {
            let mut builder = StringBuilder::new();
            for cell in cells {
                match cell {
                    Cell::Text(v) => builder.append_value(v),
                    _ => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
    }
}

fn float(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Float(v) => Some(*v),
        Cell::Int(v) => Some(*v as f64),
        _ => None,
    }
}

fn whole(cell: &Cell) -> Option<Vec<Option<i64>>> {
    let Cell::List(items) = cell else { return None };
    let number = |item: &Cell| match item {
        Cell::Int(v) => Some(*v),
        _ => None,
    };
    Some(items.iter().map(number).collect())
}
