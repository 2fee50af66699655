//! SQL type names and what is kept for them.

use crate::state::value::Kind;
use crate::{Error, Result, parse};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{self, ArrayElemTypeDef, ExactNumberInfo, IntervalFields, TimezoneInfo};
use highwater_model::time::Limit;
use highwater_model::time::limit::IntervalField as Of;
use highwater_model::{ColumnType, Digits, EnumType};
use highwater_store::Version;
use highwater_store::schema::typed_field;
use std::sync::Arc;

/// The column type that a SQL type names.
///
/// * `made` – the types that users made, by their names.
///
/// # Errors
/// 0A000 for a type of PostgreSQL's that is not kept; 42704 for no type at all; 22023 for a precision
/// that cannot be.
fn column_type(sql: &ast::DataType, made: &dyn Fn(&[String]) -> Option<ColumnType>) -> Result<ColumnType> {
    use ast::DataType as Sql;
    if let Sql::Custom(name, _) = sql
        && let Some(made) = made(&parse::name_parts(name))
    {
        return Ok(made);
    }
    Ok(match sql {
        Sql::Boolean | Sql::Bool => ColumnType::Boolean,
        Sql::SmallInt(_) | Sql::Int2(_) => ColumnType::SmallInt,
        Sql::Integer(_) | Sql::Int(_) | Sql::Int4(_) => ColumnType::Integer,
        Sql::BigInt(_) | Sql::Int8(_) => ColumnType::BigInt,
        Sql::Real | Sql::Float4 => ColumnType::Real,
        Sql::Float(ExactNumberInfo::Precision(p)) if *p <= 24 => ColumnType::Real,
        Sql::DoublePrecision | Sql::Double(_) | Sql::Float8 | Sql::Float(_) => ColumnType::Double,
        Sql::Numeric(info) | Sql::Decimal(info) | Sql::Dec(info) => numeric(info)?,
        Sql::Text | Sql::String(_) | Sql::Regclass => ColumnType::Text,
        Sql::Varchar(length) | Sql::CharacterVarying(length) | Sql::CharVarying(length) => {
            ColumnType::Varchar(characters("varchar", length)?)
        }
        Sql::Char(length) | Sql::Character(length) => ColumnType::Char(characters("char", length)?.unwrap_or(1)),
        Sql::Date => ColumnType::Date,
        Sql::Time(digits, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => limited(ColumnType::Time, *digits),
        Sql::Timestamp(digits, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) | Sql::TimestampNtz(digits) => {
            limited(ColumnType::Timestamp, *digits)
        }
        Sql::Timestamp(digits, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => {
            limited(ColumnType::Timestamptz, *digits)
        }
        Sql::Interval { fields: None, precision: None } => ColumnType::Interval,
        Sql::Interval { fields, precision } => {
            ColumnType::Limited(Box::new(ColumnType::Interval), interval_limit(fields.as_ref(), *precision))
        }
        Sql::Uuid => ColumnType::Uuid,
        Sql::Bytea => ColumnType::Bytea,
        Sql::JSON => ColumnType::Json,
        Sql::JSONB => ColumnType::Jsonb,
        Sql::Array(ArrayElemTypeDef::SquareBracket(item, _) | ArrayElemTypeDef::AngleBracket(item)) => {
            match column_type(item, made)? {
                // PostgreSQL does not declare how many dimensions there are.
                ColumnType::List(_) => {
                    return Err(Error::unsupported("arrays of several dimensions are not supported")
                        .hint("Declare the column as an array of one dimension, or as jsonb."));
                }
                item => ColumnType::List(Box::new(item)),
            }
        }
        Sql::Custom(name, _) => match parse::name_parts(name).last().map(String::as_str) {
            Some("name" | "bpchar" | "citext" | "regclass" | "regtype" | "regproc") => ColumnType::Text,
            Some("inet") => ColumnType::Inet,
            Some("cidr") => ColumnType::Cidr,
            Some("json") => ColumnType::Json,
            Some("jsonb") => ColumnType::Jsonb,
            Some("oid") => ColumnType::BigInt,
            Some("float4") => ColumnType::Real,
            Some("float8") => ColumnType::Double,
            Some("int2") => ColumnType::SmallInt,
            Some("int4") => ColumnType::Integer,
            Some("int8") => ColumnType::BigInt,
            Some("timestamptz") => ColumnType::Timestamptz,
            Some(name) if let Some(kind) = Kind::by_name(name) => {
                ColumnType::Struct(vec![(kind.name().to_owned(), ColumnType::Bytea)])
            }
            Some("serial" | "bigserial" | "smallserial") => {
                return Err(Error::unsupported("serial columns are not supported")
                    .hint("Declare the column bigint and give it a value."));
            }
            _ => return Err(Error::new("42704", format!("type \"{name}\" does not exist"))),
        },
        other => return Err(Error::unsupported(format!("type {other} is not supported"))),
    })
}

/// The type with so many digits of seconds. More than microseconds are not kept.
fn limited(of: ColumnType, digits: Option<u64>) -> ColumnType {
    match digits {
        None => of,
        Some(digits) => ColumnType::Limited(Box::new(of), Limit { fields: None, digits: Some(digits.min(6) as u8) }),
    }
}

/// What an interval keeps that is declared with these fields and digits of its seconds.
pub fn interval_limit(fields: Option<&IntervalFields>, digits: Option<u64>) -> Limit {
    use IntervalFields as F;
    let fields = fields.map(|fields| match fields {
        F::Year => (Of::Year, Of::Year),
        F::Month => (Of::Month, Of::Month),
        F::Day => (Of::Day, Of::Day),
        F::Hour => (Of::Hour, Of::Hour),
        F::Minute => (Of::Minute, Of::Minute),
        F::Second => (Of::Second, Of::Second),
        F::YearToMonth => (Of::Year, Of::Month),
        F::DayToHour => (Of::Day, Of::Hour),
        F::DayToMinute => (Of::Day, Of::Minute),
        F::DayToSecond => (Of::Day, Of::Second),
        F::HourToMinute => (Of::Hour, Of::Minute),
        F::HourToSecond => (Of::Hour, Of::Second),
        F::MinuteToSecond => (Of::Minute, Of::Second),
    });
    Limit { fields, digits: digits.map(|digits| digits.min(6) as u8) }
}

/// The length of a `varchar` or `char`, in characters.
fn characters(name: &str, length: &Option<ast::CharacterLength>) -> Result<Option<u32>> {
    let length = match length {
        None => return Ok(None),
        Some(ast::CharacterLength::IntegerLength { length, .. }) => *length,
        Some(ast::CharacterLength::Max) => return Err(Error::syntax("syntax error at or near \"max\"")),
    };
    match u32::try_from(length) {
        Ok(0) => Err(Error::invalid_parameter(format!("length for type {name} must be at least 1"))),
        Ok(n) if n <= 10_485_760 => Ok(Some(n)),
        _ => Err(Error::invalid_parameter(format!("length for type {name} cannot exceed 10485760"))),
    }
}

fn numeric(info: &ExactNumberInfo) -> Result<ColumnType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(ColumnType::AnyNumeric(None)),
        ExactNumberInfo::Precision(p) => (*p, 0),
        ExactNumberInfo::PrecisionAndScale(p, s) => (*p, *s),
    };
    if !(1..=1000).contains(&precision) {
        return Err(Error::invalid_parameter(format!("NUMERIC precision {precision} must be between 1 and 1000")));
    }
    if !(-1000..=1000).contains(&scale) {
        return Err(Error::invalid_parameter(format!("NUMERIC scale {scale} must be between -1000 and 1000")));
    }
    Ok(match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale >= 0 && scale as u8 <= precision => {
            ColumnType::Numeric { precision, scale }
        }
        _ => ColumnType::AnyNumeric(Some(Digits { precision: precision as u16, scale: scale as i16 })),
    })
}

/// The types that names stand for in a version.
#[derive(Clone)]
pub struct Names {
    /// The version.
    pub version: Version,
    /// Schemas that unqualified names are looked up in.
    pub search_path: Vec<String>,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("search_path", &self.search_path).finish_non_exhaustive()
    }
}

impl Names {
    /// The column type that a SQL type names, one that a user made included.
    ///
    /// # Errors
    /// 0A000 for a type that is not kept; 42704 for no type at all; 22023 for a precision or length that cannot be.
    pub fn column_type(&self, sql: &ast::DataType) -> Result<ColumnType> {
        column_type(sql, &|parts| self.enum_type(parts).map(ColumnType::Enum))
    }

    /// The enumeration of this name.
    pub fn enum_type(&self, parts: &[String]) -> Option<Arc<EnumType>> {
        let objects = &self.version.catalog().objects;
        match parts {
            [name] => self.search_path.iter().find_map(|schema| objects.enum_type(schema, name).cloned()),
            [.., schema, name] => objects.enum_type(schema, name).cloned(),
            [] => None,
        }
    }
}

/// Makes DataFusion's planner use our types in casts and literals.
#[derive(Debug)]
pub struct PgTypePlanner(pub Names);

impl TypePlanner for PgTypePlanner {
    fn plan_type_field(&self, sql: &ast::DataType) -> datafusion::error::Result<Option<FieldRef>> {
        if let Some(data_type) = oid_type(sql) {
            return Ok(Some(Arc::new(Field::new("", data_type, true))));
        }
        Ok(Some(Arc::new(typed_field("", &self.0.column_type(sql)?))))
    }
}

/// `oid` and arrays of it, which no table keeps: clients must see the type that they asked for.
fn oid_type(sql: &ast::DataType) -> Option<DataType> {
    match sql {
        ast::DataType::Custom(name, _) => {
            (parse::name_parts(name).last().is_some_and(|name| name == "oid")).then_some(DataType::UInt32)
        }
        ast::DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => {
            Some(DataType::List(Arc::new(Field::new("item", oid_type(item)?, true))))
        }
        _ => None,
    }
}
