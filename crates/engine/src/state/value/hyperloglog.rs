//! How many different values there are, approximately.
//!
//! ```text
//! value ──XXH64, seed 0──▶ hash     p bits choose a register, the others give its rank
//! │ p bits │ 0 0 0 1 … │            rank 4: three zeros, then a one
//! ```
//!
//! As long as there are few, the hashes themselves are kept and the count is exact. From then on each of the 2^p registers keeps
//! the highest rank it has seen. The count is Ertl's improved estimate (arXiv 1702.01284), which needs no tables and
//! has no jump; its standard error is 1.04 / √registers.

use super::{Reader, write_varint};
use crate::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use highwater_model::Numeric;
use highwater_model::numeric::key_of;

/// Registers of a count for which no number was given.
pub const DEFAULT_REGISTERS: i64 = 32_768;

const FEWEST: i64 = 1 << 4;
const MOST: i64 = 1 << 18;

/// The state.
#[derive(Clone, Debug, PartialEq)]
pub struct HyperLogLog {
    /// Bits of a hash that choose the register.
    bits: u8,
    form: Form,
}

#[derive(Clone, Debug, PartialEq)]
enum Form {
    /// Hashes; those before `sorted` are in order and each there once.
    Sparse { hashes: Vec<u64>, sorted: usize },
    /// The highest rank of each register.
    Dense(Vec<u8>),
}

impl HyperLogLog {
    /// An empty state.
    ///
    /// * `registers` – rounded up to a power of two.
    ///
    /// # Errors
    /// 22023 when there are too few or too many.
    pub fn new(registers: i64) -> Result<Self> {
        if !(FEWEST..=MOST).contains(&registers) {
            return Err(Error::invalid_parameter(format!("invalid number of buckets for hyperloglog: {registers}"))
                .hint(format!("Choose a number from {FEWEST} to {MOST}.")));
        }
        let bits = (registers as u64).next_power_of_two().trailing_zeros() as u8;
        Ok(HyperLogLog { bits, form: Form::Sparse { hashes: Vec::new(), sorted: 0 } })
    }

    /// How many hashes are kept before registers take less room.
    fn capacity(&self) -> usize {
        (1 << self.bits) / 16
    }

    /// Counts a value.
    pub fn add(&mut self, hash: u64) {
        let capacity = self.capacity();
        match &mut self.form {
            Form::Dense(registers) => raise(registers, self.bits, hash),
            Form::Sparse { hashes, sorted } => {
                hashes.push(hash);
                if hashes.len() >= 2 * *sorted + 64 {
                    hashes.sort_unstable();
                    hashes.dedup();
                    *sorted = hashes.len();
                    if hashes.len() > capacity {
                        self.densify();
                    }
                }
            }
        }
    }

    fn densify(&mut self) {
        if let Form::Sparse { hashes, .. } = &self.form {
            let mut registers = vec![0; 1 << self.bits];
            hashes.iter().for_each(|hash| raise(&mut registers, self.bits, *hash));
            self.form = Form::Dense(registers);
        }
    }

    /// The one form that these values have.
    fn settled(&self) -> HyperLogLog {
        let mut settled = self.clone();
        if let Form::Sparse { hashes, sorted } = &mut settled.form {
            hashes.sort_unstable();
            hashes.dedup();
            *sorted = hashes.len();
            if hashes.len() > self.capacity() {
                settled.densify();
            }
        }
        settled
    }

    /// Takes the values of another in.
    ///
    /// # Errors
    /// 22023 when it has another number of registers.
    pub fn merge(&mut self, other: &HyperLogLog) -> Result<()> {
        if self.bits != other.bits {
            let message = "hyperloglogs with different numbers of buckets cannot be merged";
            return Err(Error::invalid_parameter(message).detail(format!(
                "One has {} and the other {}.",
                self.registers(),
                other.registers()
            )));
        }
        match (&mut self.form, &other.form) {
            (_, Form::Sparse { hashes, .. }) => hashes.iter().for_each(|hash| self.add(*hash)),
            (Form::Dense(mine), Form::Dense(theirs)) => {
                mine.iter_mut().zip(theirs).for_each(|(a, b)| *a = (*a).max(*b));
            }
            (Form::Sparse { .. }, Form::Dense(_)) => {
                self.densify();
                self.merge(other)?;
            }
        }
        Ok(())
    }

    /// How many registers there are.
    pub fn registers(&self) -> u64 {
        1 << self.bits
    }

    /// How many different values there were, approximately.
    pub fn count(&self) -> i64 {
        match self.settled().form {
            Form::Sparse { hashes, .. } => hashes.len() as i64,
            Form::Dense(registers) => estimate(&registers, self.bits).round() as i64,
        }
    }

    /// The standard error of [`HyperLogLog::count`], relative.
    pub fn error(&self) -> f64 {
        1.04 / (self.registers() as f64).sqrt()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend([1, self.bits]);
        match &self.settled().form {
            Form::Sparse { hashes, .. } => {
                out.push(0);
                write_varint(out, hashes.len() as u64);
                hashes.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
            }
            Form::Dense(registers) => {
                out.push(1);
                out.extend_from_slice(registers);
            }
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self> {
        reader.version()?;
        let bits = reader.byte()?;
        if !(FEWEST..=MOST).contains(&1i64.checked_shl(bits.into()).unwrap_or(0)) {
            return Err(reader.wrong("its number of buckets cannot be"));
        }
        let form = match reader.byte()? {
            0 => {
                let count = reader.varint()? as usize;
                let hashes = (0..count).map(|_| reader.u64()).collect::<Result<Vec<_>>>()?;
                if !hashes.is_sorted_by(|a, b| a < b) {
                    return Err(reader.wrong("its hashes are not in order"));
                }
                Form::Sparse { hashes, sorted: count }
            }
            1 => {
                let registers = reader.take(1 << bits)?.to_vec();
                if registers.iter().any(|rank| *rank > 65 - bits) {
                    return Err(reader.wrong("a rank in it cannot be"));
                }
                Form::Dense(registers)
            }
            _ => return Err(reader.wrong("its form is unknown")),
        };
        Ok(HyperLogLog { bits, form })
    }

    pub(super) fn size(&self) -> usize {
        match &self.form {
            Form::Sparse { hashes, .. } => hashes.capacity() * 8,
            Form::Dense(registers) => registers.capacity(),
        }
    }
}

fn raise(registers: &mut [u8], bits: u8, hash: u64) {
    let register = (hash >> (64 - bits)) as usize;
    let rank = ((hash << bits) | (1 << (bits - 1))).leading_zeros() as u8 + 1;
    registers[register] = registers[register].max(rank);
}

fn estimate(registers: &[u8], bits: u8) -> f64 {
    let m = registers.len() as f64;
    let highest = 64 - usize::from(bits);
    let mut counts = vec![0.0; highest + 2];
    registers.iter().for_each(|rank| counts[usize::from(*rank)] += 1.0);
    let mut z = m * tau(1.0 - counts[highest + 1] / m);
    for k in (1..=highest).rev() {
        z = 0.5 * (z + counts[k]);
    }
    z += m * sigma(counts[0] / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// The type in which values of a type are hashed; `None` when such values cannot be counted.
pub fn hashed_as(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        t if t.is_integer() && *t != DataType::UInt64 => DataType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => DataType::Utf8,
        DataType::Binary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => return hashed_as(value),
        DataType::Boolean
        | DataType::Decimal128(..)
        | DataType::LargeBinary
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Interval(_)
        | DataType::FixedSizeBinary(16) => data_type.clone(),
        _ => return None,
    })
}

/// The hash of each value; meaningless where it is NULL.
///
/// Equal values have equal hashes whatever their type among integers, among floats and among numerics.
pub fn hashes(values: &ArrayRef) -> Result<Vec<u64>> {
    let rows = 0..values.len();
    let wide = |v: i64| xxh64(&v.to_le_bytes());
    Ok(match values.data_type() {
        DataType::Int64 => values.as_primitive::<Int64Type>().values().iter().map(|v| wide(*v)).collect(),
        DataType::Float64 => {
            let canonical = |v: f64| if v.is_nan() { f64::NAN } else { v + 0.0 };
            let hash = |v: &f64| xxh64(&canonical(*v).to_bits().to_le_bytes());
            values.as_primitive::<Float64Type>().values().iter().map(hash).collect()
        }
        DataType::Utf8 => {
            let texts = values.as_string::<i32>();
            rows.map(|row| xxh64(texts.value(row).as_bytes())).collect()
        }
        DataType::Binary => {
            let values = values.as_binary::<i32>();
            rows.map(|row| xxh64(values.value(row))).collect()
        }
        DataType::FixedSizeBinary(_) => {
            let values = values.as_fixed_size_binary();
            rows.map(|row| xxh64(values.value(row))).collect()
        }
        DataType::Boolean => {
            let values = values.as_boolean();
            rows.map(|row| xxh64(&[u8::from(values.value(row))])).collect()
        }
        DataType::Decimal128(_, scale) => {
            values.as_primitive::<Decimal128Type>().values().iter().map(|v| decimal_hash(*v, *scale)).collect()
        }
        DataType::LargeBinary => {
            let values = values.as_binary::<i64>();
            rows.map(|row| number_hash(values.value(row))).collect()
        }
        DataType::Date32 => values.as_primitive::<Date32Type>().values().iter().map(|v| wide(i64::from(*v))).collect(),
        DataType::Time64(_) => {
            values.as_primitive::<Time64MicrosecondType>().values().iter().map(|v| wide(*v)).collect()
        }
        DataType::Timestamp(..) => {
            values.as_primitive::<TimestampMicrosecondType>().values().iter().map(|v| wide(*v)).collect()
        }
        DataType::Interval(_) => {
            // Intervals are equal when they are when a month is 30 days and a day 24 hours.
            let hash = |v: &arrow::datatypes::IntervalMonthDayNano| {
                let days = i128::from(v.months) * 30 + i128::from(v.days);
                xxh64(&(days * 86_400_000_000_000 + i128::from(v.nanoseconds)).to_le_bytes())
            };
            values.as_primitive::<IntervalMonthDayNanoType>().values().iter().map(hash).collect()
        }
        other => return Err(Error::internal(format!("a {other} is hashed"))),
    })
}

/// The hash of `unscaled` · 10^−`scale`.
fn decimal_hash(unscaled: i128, scale: i8) -> u64 {
    let (mut unscaled, mut scale) = (unscaled, if unscaled == 0 { 0 } else { scale });
    while unscaled != 0 && unscaled % 10 == 0 {
        (unscaled, scale) = (unscaled / 10, scale - 1);
    }
    let mut bytes = unscaled.to_le_bytes().to_vec();
    bytes.push(scale as u8);
    xxh64(&bytes)
}

/// The hash of a kept number: as that of a `Decimal128` where it is one.
fn number_hash(bytes: &[u8]) -> u64 {
    let number = Numeric::from_bytes(bytes).map(|number| number.trimmed());
    let decimal = number.as_ref().and_then(Numeric::finite);
    match decimal.map(|decimal| (i128::try_from(decimal.unscaled()), i8::try_from(decimal.scale()))) {
        Some((Ok(unscaled), Ok(scale))) => decimal_hash(unscaled, scale),
        _ => xxh64(key_of(bytes)),
    }
}

/// XXH64 with seed 0, as <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md> specifies it.
pub fn xxh64(bytes: &[u8]) -> u64 {
    const P1: u64 = 0x9E37_79B1_85EB_CA87;
    const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
    const P3: u64 = 0x1656_67B1_9E37_79F9;
    const P4: u64 = 0x85EB_CA77_C2B2_AE63;
    const P5: u64 = 0x27D4_EB2F_1656_67C5;
    let word = |b: &[u8]| u64::from_le_bytes(b.try_into().expect("a chunk has eight bytes"));
    let round = |lane: u64, input: u64| lane.wrapping_add(input.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1);
    let stripes = bytes.chunks_exact(32);
    let mut rest = stripes.remainder();
    let mut hash = if bytes.len() < 32 {
        P5
    } else {
        let mut lanes = [P1.wrapping_add(P2), P2, 0, 0u64.wrapping_sub(P1)];
        for stripe in stripes {
            for (lane, input) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
                *lane = round(*lane, word(input));
            }
        }
        let [a, b, c, d] = lanes;
        let sum = a.rotate_left(1).wrapping_add(b.rotate_left(7));
        let sum = sum.wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18));
        lanes.iter().fold(sum, |h, lane| (h ^ round(0, *lane)).wrapping_mul(P1).wrapping_add(P4))
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    while let Some((chunk, left)) = rest.split_at_checked(8) {
        hash = (hash ^ round(0, word(chunk))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
        rest = left;
    }
    if let Some((chunk, left)) = rest.split_at_checked(4) {
        let half = u64::from(u32::from_le_bytes(chunk.try_into().expect("a chunk has four bytes")));
        hash = (hash ^ half.wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
        rest = left;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(P2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(P3);
    hash ^ (hash >> 32)
}
