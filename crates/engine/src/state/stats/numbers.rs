//! What numbers a state is of, and the types of its components and of what is finished from it.

use super::{Kind, Needs};
use crate::operator::operand::UNBOUNDED;
use arrow::datatypes::DataType;

/// What kind of numbers a state is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numbers {
    Real,
    Double,
    SmallInt,
    Integer,
    BigInt,
    Numeric(i8),
    /// `numeric` without bounds.
    AnyNumeric,
}

impl Numbers {
    pub fn of(data_type: &DataType) -> Option<Numbers> {
        Some(match data_type {
            DataType::Float32 => Numbers::Real,
            DataType::Float64 => Numbers::Double,
            DataType::Int16 => Numbers::SmallInt,
            DataType::Int32 => Numbers::Integer,
            DataType::Int64 => Numbers::BigInt,
            DataType::Decimal128(_, scale) => Numbers::Numeric(*scale),
            &UNBOUNDED => Numbers::AnyNumeric,
            _ => return None,
        })
    }

    pub fn is_exact(self) -> bool {
        !matches!(self, Numbers::Real | Numbers::Double)
    }

    pub fn scale(self) -> i8 {
        match self {
            Numbers::Numeric(scale) => scale,
            _ => 0,
        }
    }

    pub fn value_type(self) -> DataType {
        match self {
            Numbers::Real => DataType::Float32,
            Numbers::Double => DataType::Float64,
            Numbers::SmallInt => DataType::Int16,
            Numbers::Integer => DataType::Int32,
            Numbers::BigInt => DataType::Int64,
            Numbers::Numeric(scale) => DataType::Decimal128(38, scale),
            Numbers::AnyNumeric => UNBOUNDED,
        }
    }

    pub fn finished_type(self, kind: Kind) -> DataType {
        match (kind, self) {
            (Kind::Count, _) => DataType::Int64,
            (Kind::Min | Kind::Max, _) => self.value_type(),
            (Kind::Sum, Numbers::SmallInt | Numbers::Integer) => DataType::Int64,
            (Kind::Sum, Numbers::BigInt) => DataType::Decimal128(38, 0),
            (Kind::Sum, _) => self.value_type(),
            (_, Numbers::Real | Numbers::Double) => DataType::Float64,
            (_, _) => UNBOUNDED,
        }
    }

    /// Names and types of the components.
    pub fn components(self, needs: Needs) -> Vec<(&'static str, DataType)> {
        let scale = self.scale();
        let mut components = vec![("n", DataType::Int64)];
        if self == Numbers::AnyNumeric {
            if needs.sum || needs.moments {
                components.push(("sum", UNBOUNDED));
            }
            if needs.moments {
                components.push(("sumsq", UNBOUNDED));
            }
        } else if self.is_exact() {
            if needs.sum || needs.moments {
                components.push(("sum", DataType::Decimal128(38, scale)));
            }
            if needs.moments {
                components.push(("sumsq", DataType::Decimal256(76, 2 * scale)));
            }
        } else {
            if needs.sum {
                components.push(("sum", DataType::Float64));
            }
            if needs.moments {
                components.push(("mean", DataType::Float64));
                components.push(("m2", DataType::Float64));
            }
        }
        if needs.min {
            components.push(("min", self.value_type()));
        }
        if needs.max {
            components.push(("max", self.value_type()));
        }
        components
    }
}
