//! States that are values: sketches and summaries that SQL can keep in a column, merge and ask.
//!
//! ```text
//! percentile_agg(x)                    rows ──▶ uddsketch
//! rollup(sketch), rolling(sketch)      several uddsketch ──▶ one
//! approx_percentile(0.95, sketch)      uddsketch ──▶ a number
//! ```
//!
//! The names are those of TimescaleDB's toolkit. In Arrow such a value is a struct with one binary field that has
//! the name of the type, so that the type of an expression says which state it is wherever it goes. The bytes
//! begin with a version and are described in `docs/format.md`.

pub mod candlestick;
pub mod hyperloglog;
pub mod series;
pub mod summary;
pub mod tdigest;
pub mod uddsketch;

use crate::{Error, Result};
use arrow::array::{Array, ArrayBuilder, ArrayRef, AsArray, BinaryArray, BinaryBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use candlestick::Candlestick;
use hyperloglog::HyperLogLog;
use series::{Changes, TimeWeight};
use std::sync::Arc;
use summary::{Summary1D, Summary2D};
use tdigest::TDigest;
use uddsketch::UddSketch;

/// Which state a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Distinct values.
    HyperLogLog,
    /// Percentiles with a relative error.
    UddSketch,
    /// Percentiles, best at both ends.
    TDigest,
    /// Moments of one variable.
    Summary1D,
    /// Moments of two variables.
    Summary2D,
    /// Prices over a time.
    Candlestick,
    /// Changes of a value that only grows, or begins anew.
    Counter,
    /// Changes of a value.
    Gauge,
    /// Averages weighted by time.
    TimeWeight,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::HyperLogLog,
        Kind::UddSketch,
        Kind::TDigest,
        Kind::Summary1D,
        Kind::Summary2D,
        Kind::Candlestick,
        Kind::Counter,
        Kind::Gauge,
        Kind::TimeWeight,
    ];

    /// The state whose type has this name.
    pub fn by_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name of its type in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Kind::HyperLogLog => "hyperloglog",
            Kind::UddSketch => "uddsketch",
            Kind::TDigest => "tdigest",
            Kind::Summary1D => "statssummary1d",
            Kind::Summary2D => "statssummary2d",
            Kind::Candlestick => "candlestick",
            Kind::Counter => "countersummary",
            Kind::Gauge => "gaugesummary",
            Kind::TimeWeight => "timeweightsummary",
        }
    }

    fn fields(self) -> Fields {
        Fields::from(vec![Field::new(self.name(), DataType::Binary, true)])
    }

    /// Its Arrow type.
    pub fn data_type(self) -> DataType {
        DataType::Struct(self.fields())
    }

    /// The state that values of this type are, if they are one.
    pub fn of(data_type: &DataType) -> Option<Kind> {
        let DataType::Struct(fields) = data_type else { return None };
        match fields.as_ref() {
            [field] if *field.data_type() == DataType::Binary => Kind::by_name(field.name()),
            _ => None,
        }
    }
}

/// A state in memory.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// See [`HyperLogLog`].
    HyperLogLog(HyperLogLog),
    /// See [`UddSketch`].
    UddSketch(UddSketch),
    /// See [`TDigest`].
    TDigest(TDigest),
    /// See [`Summary1D`].
    Summary1D(Summary1D),
    /// See [`Summary2D`].
    Summary2D(Summary2D),
    /// See [`Candlestick`].
    Candlestick(Candlestick),
    /// See [`Changes`].
    Counter(Changes),
    /// See [`Changes`].
    Gauge(Changes),
    /// See [`TimeWeight`].
    TimeWeight(TimeWeight),
}

impl State {
    /// Which state it is.
    pub fn kind(&self) -> Kind {
        match self {
            State::HyperLogLog(_) => Kind::HyperLogLog,
            State::UddSketch(_) => Kind::UddSketch,
            State::TDigest(_) => Kind::TDigest,
            State::Summary1D(_) => Kind::Summary1D,
            State::Summary2D(_) => Kind::Summary2D,
            State::Candlestick(_) => Kind::Candlestick,
            State::Counter(_) => Kind::Counter,
            State::Gauge(_) => Kind::Gauge,
            State::TimeWeight(_) => Kind::TimeWeight,
        }
    }

    /// Takes another state in, as if its rows had come here.
    ///
    /// # Errors
    /// 22023 when the two were made with parameters that do not go together.
    pub fn merge(&mut self, other: &State) -> Result<()> {
        match (self, other) {
            (State::HyperLogLog(a), State::HyperLogLog(b)) => a.merge(b)?,
            (State::UddSketch(a), State::UddSketch(b)) => a.merge(b)?,
            (State::TDigest(a), State::TDigest(b)) => a.merge(b)?,
            (State::Summary1D(a), State::Summary1D(b)) => a.merge(b),
            (State::Summary2D(a), State::Summary2D(b)) => a.merge(b),
            (State::Candlestick(a), State::Candlestick(b)) => a.merge(b),
            (State::Counter(a), State::Counter(b)) | (State::Gauge(a), State::Gauge(b)) => a.merge(b)?,
            (State::TimeWeight(a), State::TimeWeight(b)) => a.merge(b)?,
            (a, b) => {
                return Err(Error::internal(format!("{} and {} are merged", a.kind().name(), b.kind().name())));
            }
        }
        Ok(())
    }

    /// Whether it may be of the same rows as another: counts and extremes are equal, floats differ by no more than
    /// rounding does when rows come in another order. The clusters of a tdigest are not looked at.
    pub fn is_same(&self, other: &State) -> bool {
        match (self, other) {
            (State::HyperLogLog(a), State::HyperLogLog(b)) => a == b,
            (State::UddSketch(a), State::UddSketch(b)) => a.is_same(b),
            (State::TDigest(a), State::TDigest(b)) => a.is_same(b),
            (State::Summary1D(a), State::Summary1D(b)) => a.is_same(b),
            (State::Summary2D(a), State::Summary2D(b)) => a.is_same(b),
            (State::Candlestick(a), State::Candlestick(b)) => a.is_same(b),
            (State::Counter(a), State::Counter(b)) | (State::Gauge(a), State::Gauge(b)) => a.is_same(b),
            (State::TimeWeight(a), State::TimeWeight(b)) => a.is_same(b),
            _ => false,
        }
    }

    /// The bytes of the value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            State::HyperLogLog(state) => state.write(&mut out),
            State::UddSketch(state) => state.write(&mut out),
            State::TDigest(state) => state.write(&mut out),
            State::Summary1D(state) => state.write(&mut out),
            State::Summary2D(state) => state.write(&mut out),
            State::Candlestick(state) => state.write(&mut out),
            State::Counter(state) | State::Gauge(state) => state.write(&mut out),
            State::TimeWeight(state) => state.write(&mut out),
        }
        out
    }

    /// Reads a value back.
    ///
    /// # Errors
    /// 22P03 when these are not the bytes of such a state, or of a later version.
    pub fn decode(kind: Kind, bytes: &[u8]) -> Result<State> {
        let mut reader = Reader { kind, bytes };
        let state = match kind {
            Kind::HyperLogLog => State::HyperLogLog(HyperLogLog::read(&mut reader)?),
            Kind::UddSketch => State::UddSketch(UddSketch::read(&mut reader)?),
            Kind::TDigest => State::TDigest(TDigest::read(&mut reader)?),
            Kind::Summary1D => State::Summary1D(Summary1D::read(&mut reader)?),
            Kind::Summary2D => State::Summary2D(Summary2D::read(&mut reader)?),
            Kind::Candlestick => State::Candlestick(Candlestick::read(&mut reader)?),
            Kind::Counter => State::Counter(Changes::read(true, &mut reader)?),
            Kind::Gauge => State::Gauge(Changes::read(false, &mut reader)?),
            Kind::TimeWeight => State::TimeWeight(TimeWeight::read(&mut reader)?),
        };
        if !reader.bytes.is_empty() {
            return Err(reader.wrong("it has bytes after its end"));
        }
        Ok(state)
    }

    /// Bytes that it takes in memory.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                State::HyperLogLog(state) => state.size(),
                State::UddSketch(state) => state.size(),
                State::TDigest(state) => state.size(),
                _ => 0,
            }
    }
}

/// How far a float may be from another that was summed up in another order, where neither the number of addends nor
/// their sizes are known: a million addends of one sign.
const ROUNDING: f64 = 1.0 / (1_u64 << 32) as f64;

/// Whether two floats are one, give or take.
pub fn is_close(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a - b).abs() <= tolerance || (!a.is_finite() && !b.is_finite())
}

/// The states of a column, one by one.
pub struct States<'a> {
    kind: Kind,
    nulls: Option<NullBuffer>,
    bytes: &'a BinaryArray,
}

impl<'a> States<'a> {
    /// Reads a column of type `kind`.
    pub fn new(kind: Kind, array: &'a ArrayRef) -> Result<Self> {
        let parts = array.as_struct_opt().filter(|parts| parts.num_columns() == 1);
        let bytes = parts.and_then(|parts| parts.column(0).as_binary_opt::<i32>());
        let bytes =
            bytes.ok_or_else(|| Error::internal(format!("a {} is of type {}", kind.name(), array.data_type())))?;
        Ok(States { kind, nulls: array.logical_nulls(), bytes })
    }

    /// The state of a row; `None` when it is NULL.
    ///
    /// # Errors
    /// As [`State::decode`].
    pub fn get(&self, row: usize) -> Result<Option<State>> {
        if self.nulls.as_ref().is_some_and(|n| n.is_null(row)) || self.bytes.is_null(row) {
            return Ok(None);
        }
        State::decode(self.kind, self.bytes.value(row)).map(Some)
    }
}

/// A column of states.
///
/// # Errors
/// 54000 when they are too large for one column of a batch.
pub fn column<'a>(kind: Kind, states: impl Iterator<Item = Option<&'a State>>) -> Result<ArrayRef> {
    let mut column = Column::new(kind);
    for state in states {
        match state {
            Some(state) => column.append_bytes(&state.encode())?,
            None => column.append_null(),
        }
    }
    Ok(Arc::new(column.finish()))
}

/// Collects the states of a column.
#[derive(Debug)]
pub struct Column {
    kind: Kind,
    bytes: BinaryBuilder,
}

impl Column {
    /// A column of such states.
    pub fn new(kind: Kind) -> Self {
        Column { kind, bytes: BinaryBuilder::new() }
    }

    /// Appends the state that has these bytes.
    ///
    /// # Errors
    /// 22P03 when no state has.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        State::decode(self.kind, bytes)?;
        self.append_bytes(bytes)
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if self.bytes.values_slice().len() + bytes.len() > i32::MAX as usize {
            return Err(Error::new("54000", format!("values of type {} exceed 2 GB", self.kind.name()))
                .hint("Use fewer buckets, or aggregate fewer groups at once."));
        }
        self.bytes.append_value(bytes);
        Ok(())
    }

    /// Appends NULL.
    pub fn append_null(&mut self) {
        self.bytes.append_null();
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The column, which is empty afterwards.
    pub fn finish(&mut self) -> StructArray {
        let bytes = self.bytes.finish();
        let nulls = bytes.nulls().cloned();
        StructArray::new(self.kind.fields(), vec![Arc::new(bytes)], nulls)
    }
}

/// Takes the bytes of a state apart.
pub struct Reader<'a> {
    kind: Kind,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn wrong(&self, reason: &str) -> Error {
        Error::new("22P03", format!("invalid value of type {}: {reason}", self.kind.name()))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return Err(self.wrong("it ends too early"));
        };
        self.bytes = rest;
        Ok(taken)
    }

    fn version(&mut self) -> Result<()> {
        match self.take(1)? {
            [1] => Ok(()),
            other => Err(self.wrong(&format!("its version is {}, and 1 is the only one known", other[0]))),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken")))
    }

    fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_bits(self.u64()?))
    }

    /// A number of seven bits a byte, the lowest first; the high bit says that more follow.
    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.wrong("a number in it is too long"))
    }

    /// How many of something: so few that sums of such numbers do not overflow.
    fn count(&mut self) -> Result<u64> {
        match self.varint()? {
            count if count < 1 << 48 => Ok(count),
            _ => Err(self.wrong("a count in it is too large")),
        }
    }

    /// A number whose sign is in the lowest bit.
    fn signed(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

fn write_f64(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn write_signed(out: &mut Vec<u8>, value: i64) {
    write_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Counts of the values that no bucket can hold. PostgreSQL's order is −∞, numbers, +∞, NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Edges {
    /// How many −∞.
    pub low: u64,
    /// How many +∞.
    pub high: u64,
    /// How many NaN.
    pub nan: u64,
}

impl Edges {
    /// Counts a value; false when it is an ordinary number.
    pub fn add(&mut self, value: f64) -> bool {
        if value.is_nan() {
            self.nan += 1;
        } else if value == f64::INFINITY {
            self.high += 1;
        } else if value == f64::NEG_INFINITY {
            self.low += 1;
        } else {
            return false;
        }
        true
    }

    fn merge(&mut self, other: &Edges) {
        self.low += other.low;
        self.high += other.high;
        self.nan += other.nan;
    }

    fn count(&self) -> u64 {
        self.low + self.high + self.nan
    }

    /// The value at a place, counted from 0, among these and `finite` numbers; `None` when it is one of the
    /// numbers.
    fn at(&self, place: f64, finite: u64) -> Option<f64> {
        let (low, high) = (self.low as f64, (self.low + finite) as f64);
        if place < low {
            Some(f64::NEG_INFINITY)
        } else if place < high {
            None
        } else if place < high + self.high as f64 {
            Some(f64::INFINITY)
        } else {
            Some(f64::NAN)
        }
    }

    /// How many values are at or below one of these, its equals counted half; `None` for an ordinary number.
    fn below(&self, value: f64, finite: u64) -> Option<f64> {
        let (low, high, nan) = (self.low as f64, self.high as f64, self.nan as f64);
        if value.is_nan() {
            Some(low + finite as f64 + high + nan / 2.0)
        } else if value == f64::INFINITY {
            Some(low + finite as f64 + high / 2.0)
        } else if value == f64::NEG_INFINITY {
            Some(low / 2.0)
        } else {
            None
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        [self.low, self.high, self.nan].into_iter().for_each(|count| write_varint(out, count));
    }

    fn read(reader: &mut Reader) -> Result<Edges> {
        Ok(Edges { low: reader.count()?, high: reader.count()?, nan: reader.count()? })
    }
}

#[cfg(test)]
mod tests;
