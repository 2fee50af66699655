//! What an operand is: its PostgreSQL type, or a literal that still has none.

use super::arithmetic::Operator;
use super::exact;
use crate::error::{Error, Result};
use crate::text::number::{self, overflows_numeric};
use crate::text::parse_scalar;
use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr::{Cast, Placeholder};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, ScalarUDFImpl};
use highwater_model::Numeric;
use highwater_model::time::Clockface;
use std::sync::Arc;

/// The PostgreSQL type of an operand, as far as operators differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A string literal, NULL or parameter whose type is to be found.
    Unknown,
    /// `boolean`
    Boolean,
    /// `smallint`
    SmallInt,
    /// `integer`
    Integer,
    /// `bigint`
    BigInt,
    /// `numeric`
    Numeric,
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `text`
    Text,
    /// `date`
    Date,
    /// `time`
    Time,
    /// `timestamp`
    Timestamp,
    /// `timestamptz`
    Timestamptz,
    /// `interval`
    Interval,
    /// `uuid`
    Uuid,
    /// `bytea`
    Bytea,
    /// Arrays, records, and what SQL has no name for.
    Other,
}

impl Kind {
    /// The kind that is kept as this Arrow type.
    pub fn of(data_type: &DataType) -> Kind {
        match data_type {
            DataType::Null => Kind::Unknown,
            DataType::Boolean => Kind::Boolean,
            DataType::Int8 | DataType::Int16 | DataType::UInt8 => Kind::SmallInt,
            DataType::Int32 | DataType::UInt16 => Kind::Integer,
            DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Kind::BigInt,
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::LargeBinary => {
                Kind::Numeric
            }
            DataType::Float16 | DataType::Float32 => Kind::Real,
            DataType::Float64 => Kind::Double,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
            DataType::Date32 | DataType::Date64 => Kind::Date,
            DataType::Time32(_) | DataType::Time64(_) => Kind::Time,
            DataType::Timestamp(_, None) => Kind::Timestamp,
            DataType::Timestamp(_, Some(_)) => Kind::Timestamptz,
            DataType::Interval(_) | DataType::Duration(_) => Kind::Interval,
            DataType::FixedSizeBinary(16) => Kind::Uuid,
            DataType::Binary | DataType::BinaryView => Kind::Bytea,
            DataType::Dictionary(_, value) => Kind::of(value),
            _ => Kind::Other,
        }
    }

    /// PostgreSQL's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Unknown => "unknown",
            Kind::Boolean => "boolean",
            Kind::SmallInt => "smallint",
            Kind::Integer => "integer",
            Kind::BigInt => "bigint",
            Kind::Numeric => "numeric",
            Kind::Real => "real",
            Kind::Double => "double precision",
            Kind::Text => "text",
            Kind::Date => "date",
            Kind::Time => "time without time zone",
            Kind::Timestamp => "timestamp without time zone",
            Kind::Timestamptz => "timestamp with time zone",
            Kind::Interval => "interval",
            Kind::Uuid => "uuid",
            Kind::Bytea => "bytea",
            Kind::Other => "record",
        }
    }

    /// Whether it is a number.
    pub fn is_number(self) -> bool {
        (Kind::SmallInt..=Kind::Double).contains(&self)
    }

    /// Whether it is a whole number.
    pub fn is_integer(self) -> bool {
        (Kind::SmallInt..=Kind::BigInt).contains(&self)
    }

    /// Whether it is a floating-point number.
    pub fn is_float(self) -> bool {
        matches!(self, Kind::Real | Kind::Double)
    }

    /// Whether it is a date or a timestamp.
    pub fn is_datetime(self) -> bool {
        matches!(self, Kind::Date | Kind::Timestamp | Kind::Timestamptz)
    }

    /// The Arrow type our kernels take; `None` where it has parameters or there is none.
    pub fn arrow(self) -> Option<DataType> {
        Some(match self {
            Kind::Boolean => DataType::Boolean,
            Kind::SmallInt => DataType::Int16,
            Kind::Integer => DataType::Int32,
            Kind::BigInt => DataType::Int64,
            Kind::Real => DataType::Float32,
            Kind::Double => DataType::Float64,
            Kind::Text => DataType::Utf8,
            Kind::Date => DataType::Date32,
            Kind::Time => DataType::Time64(TimeUnit::Microsecond),
            Kind::Timestamp => timestamp(),
            Kind::Timestamptz => timestamptz(),
            Kind::Interval => interval(),
            Kind::Uuid => DataType::FixedSizeBinary(16),
            Kind::Bytea => DataType::Binary,
            Kind::Unknown | Kind::Numeric | Kind::Other => return None,
        })
    }
}

/// The Arrow type of an expression.
///
/// What DataFusion does for it grows with the fourth power of how many operators are in a row, because for the type of
/// a call it writes out the names of all calls below; so those of operators are told here.
pub fn type_of(expr: &Expr, schema: &DFSchema) -> DfResult<DataType> {
    match expr {
        Expr::ScalarFunction(call) if let Some(operator) = call.func.inner().downcast_ref::<Operator>() => {
            let types = call.args.iter().map(|arg| type_of(arg, schema)).collect::<DfResult<Vec<_>>>()?;
            operator.return_type(&types)
        }
        Expr::BinaryExpr(_) if is_operator(expr) => Ok(DataType::Boolean),
        other => other.get_type(schema),
    }
}

/// Whether it is arithmetic, a comparison, AND or OR.
pub fn is_operator(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => call.func.inner().downcast_ref::<Operator>().is_some(),
        Expr::BinaryExpr(BinaryExpr { op, .. }) => op.is_logic_operator() || is_comparison(*op),
        _ => false,
    }
}

/// Whether it compares two values.
pub fn is_comparison(op: datafusion::logical_expr::Operator) -> bool {
    use datafusion::logical_expr::Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// The Arrow type of `timestamp`.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// The Arrow type of `timestamptz`.
pub fn timestamptz() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The Arrow type of `interval`.
pub fn interval() -> DataType {
    DataType::Interval(IntervalUnit::MonthDayNano)
}

/// The type of a `numeric` whose digits are those of each value: see [`super::exact`].
pub const UNBOUNDED: DataType = DataType::LargeBinary;

/// Whether it is the type of numbers.
pub fn is_number(data_type: &DataType) -> bool {
    Kind::of(data_type).is_number() || data_type.is_numeric()
}

/// Whether it is [`UNBOUNDED`], or a list of such numbers.
pub fn is_unbounded(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => *item.data_type() == UNBOUNDED,
        other => *other == UNBOUNDED,
    }
}

/// What a function tells DataFusion that its arguments become. Of casts of numbers without bounds DataFusion knows
/// nothing; they are left to [`super::keys::as_taken`].
pub fn taken_as(types: &[DataType], taken: Vec<DataType>) -> Vec<DataType> {
    let each =
        |(from, to): (&DataType, DataType)| if is_unbounded(from) || is_unbounded(&to) { from.clone() } else { to };
    types.iter().zip(taken).map(each).collect()
}

/// PostgreSQL's name of an Arrow type, for messages.
pub fn type_name(data_type: &DataType) -> String {
    match Kind::of(data_type) {
        Kind::Other => {
            highwater_store::schema::column_type(data_type).map_or_else(|| data_type.to_string(), |t| t.to_string())
        }
        kind => kind.name().to_owned(),
    }
}

/// An operand with its type.
#[derive(Clone, Debug)]
pub struct Operand {
    /// The expression; an integer literal already has PostgreSQL's type.
    pub expr: Expr,
    /// Its Arrow type.
    pub data_type: DataType,
    /// Its PostgreSQL type.
    pub kind: Kind,
}

impl Operand {
    /// Looks at an operand; `None` when its type cannot be told here.
    pub fn new(expr: Expr, schema: &DFSchema) -> Option<Operand> {
        let expr = retype_literal(expr);
        let data_type = match &expr {
            Expr::Literal(ScalarValue::Utf8(Some(_)), _) => DataType::Null,
            Expr::Placeholder(Placeholder { field: None, .. }) => DataType::Null,
            _ => type_of(&expr, schema).ok()?,
        };
        Some(Operand { kind: Kind::of(&data_type), data_type, expr })
    }

    /// The operand as an expression of this type, for which `unknown` text is read.
    ///
    /// # Errors
    /// Those of [`parse_scalar`].
    pub fn resolve(self, target: &DataType, clock: &Clockface) -> Result<Operand> {
        let field = || Some(Arc::new(Field::new("", target.clone(), true)));
        let expr = match self.expr {
            Expr::Literal(ScalarValue::Utf8(Some(text)), metadata) => {
                if matches!(target, DataType::Decimal128(..)) {
                    return Operand::numeric(&number::parse_any_numeric(text.as_bytes())?);
                }
                Expr::Literal(parse_scalar(&text, target, clock)?, metadata)
            }
            Expr::Literal(ScalarValue::Null, metadata) => Expr::Literal(ScalarValue::try_from(target)?, metadata),
            Expr::Placeholder(placeholder) if placeholder.field.is_none() => {
                Expr::Placeholder(Placeholder { field: field(), ..placeholder })
            }
            // A NULL in disguise, such as CASE without a result that is not NULL.
            other => Expr::Cast(Cast::new(Box::new(other), target.clone())),
        };
        Ok(Operand { expr, kind: Kind::of(target), data_type: target.clone() })
    }

    /// A literal number with as many digits as it has.
    fn numeric(value: &Numeric) -> Result<Operand> {
        let digits = value.finite().map(|decimal| (decimal.precision().max(decimal.scale()), decimal));
        let value = match digits {
            Some((digits @ ..=38, decimal)) => {
                let unscaled = i128::try_from(decimal.unscaled()).map_err(|_| overflows_numeric())?;
                ScalarValue::Decimal128(Some(unscaled), digits as u8, decimal.scale() as i8)
            }
            _ => exact::scalar(value),
        };
        Ok(Operand { data_type: value.data_type(), kind: Kind::Numeric, expr: Expr::Literal(value, None) })
    }

    /// Whether it is a literal.
    pub fn is_literal(&self) -> bool {
        matches!(self.expr, Expr::Literal(..))
    }

    /// The operand as another type that every value of it has an equal in.
    pub fn widen(self, target: &DataType) -> Operand {
        if self.data_type == *target {
            return self;
        }
        if [&self.data_type, target].contains(&&UNBOUNDED) {
            let expr = super::cast::number(self, target);
            return Operand { expr, kind: Kind::of(target), data_type: target.clone() };
        }
        let expr = match self.expr {
            Expr::Literal(value, metadata) => match value.cast_to(target) {
                Ok(value) => Expr::Literal(value, metadata),
                Err(_) => Expr::Cast(Cast::new(Box::new(Expr::Literal(value, metadata)), target.clone())),
            },
            other => Expr::Cast(Cast::new(Box::new(other), target.clone())),
        };
        Operand { expr, kind: Kind::of(target), data_type: target.clone() }
    }

    /// The digits in all and after the point that its values have as `numeric`.
    pub fn digits(&self) -> (u8, i8) {
        match (&self.expr, &self.data_type) {
            (Expr::Literal(value, _), _) if self.kind.is_integer() => {
                let value = value.cast_to(&DataType::Int64);
                let Ok(ScalarValue::Int64(Some(value))) = value else { return (19, 0) };
                (value.unsigned_abs().checked_ilog10().unwrap_or(0) as u8 + 1, 0)
            }
            (_, DataType::Decimal128(p, s) | DataType::Decimal64(p, s) | DataType::Decimal32(p, s)) => (*p, *s),
            (_, DataType::Int8 | DataType::UInt8) => (3, 0),
            (_, DataType::Int16 | DataType::UInt16) => (5, 0),
            (_, DataType::Int32 | DataType::UInt32) => (10, 0),
            (_, DataType::UInt64) => (20, 0),
            _ => (19, 0),
        }
    }

    /// The operand as `numeric`.
    pub fn into_numeric(self) -> Operand {
        if self.data_type == UNBOUNDED {
            return self;
        }
        let (precision, scale) = self.digits();
        self.widen(&DataType::Decimal128(precision, scale))
    }
}

/// Gives a number literal the type it has in PostgreSQL, where DataFusion makes every integer a `bigint`.
///
/// A minus sign belongs to the number, so the smallest integer is one, too. A `bigint` that was written as such is a cast of a literal, which is left alone.
pub fn retype_literal(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) if i32::try_from(value).is_ok() => {
            Expr::Literal(ScalarValue::Int32(Some(value as i32)), metadata)
        }
        Expr::Literal(ScalarValue::UInt64(Some(value)), metadata) => {
            Expr::Literal(ScalarValue::Decimal128(Some(value.into()), 20, 0), metadata)
        }
        Expr::Literal(ScalarValue::Decimal128(Some(value), precision, scale), metadata) if scale < 0 => {
            let whole = 10i128.checked_pow(scale.unsigned_abs().into()).and_then(|power| value.checked_mul(power));
            match whole {
                Some(whole) if whole.unsigned_abs() < 10u128.pow(38) => {
                    let digits = whole.unsigned_abs().checked_ilog10().unwrap_or(0) as u8 + 1;
                    Expr::Literal(ScalarValue::Decimal128(Some(whole), digits, 0), metadata)
                }
                _ => Expr::Literal(ScalarValue::Decimal128(Some(value), precision, scale), metadata),
            }
        }
        other => other,
    }
}

/// 42883: there is no such operator for these types.
pub fn no_operator(op: &str, left: &DataType, right: &DataType) -> Error {
    Error::no_operator(&format!("{} {op} {}", type_name(left), type_name(right)))
}
