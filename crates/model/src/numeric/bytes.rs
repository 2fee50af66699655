//! Numbers as they are kept: bytes that are in the order of the numbers.
//!
//! ```text
//! −12 345.67     01  ~8001 ~02 ~18 ~2E ~44 ~00  0002       a negative number: the key's bytes are inverted
//! −Infinity      00                             0000
//! 0.00           02                             0002
//! 12 345.67      03   8001  02  18  2E  44  00  0002
//! │              │    │     └ pairs of digits   └ scale
//! │              │    └ place of the first four digits: their weight in powers of 10 000, plus 8000h
//! Infinity       04                             0000
//! NaN            05                             0000
//! ```
//!
//! A pair is kept as its value plus one, and ends with a zero: no key is the beginning of another. The first pair may
//! be 00, because the point falls between two groups of four digits; zeros at the end are left out. All but the scale
//! is the *key*: equal numbers have equal keys, whatever their scales.

use super::{Decimal, MAX_SCALE, Numeric, power_of_ten};
use num_bigint::BigInt;

/// How many bytes of a number are its scale. The others are its key.
pub const SCALE_BYTES: usize = 2;

const NEGATIVE_INFINITY: u8 = 0;
const NEGATIVE: u8 = 1;
const ZERO: u8 = 2;
const POSITIVE: u8 = 3;
const INFINITY: u8 = 4;
const NAN: u8 = 5;

/// What the weight is lifted by, so that it has no sign.
const BIAS: i32 = 0x8000;

/// The part of a kept number that equal numbers have in common, and that orders them.
pub fn key_of(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().saturating_sub(SCALE_BYTES)]
}

impl Numeric {
    /// Appends the number as it is kept.
    pub fn write_bytes(&self, out: &mut Vec<u8>) {
        let mut scale = 0;
        match self {
            Numeric::NegativeInfinity => out.push(NEGATIVE_INFINITY),
            Numeric::Infinity => out.push(INFINITY),
            Numeric::NaN => out.push(NAN),
            Numeric::Finite(decimal) => {
                scale = decimal.scale as u16;
                match decimal.signum() {
                    0 => out.push(ZERO),
                    1 => {
                        out.push(POSITIVE);
                        write_size(out, decimal);
                    }
                    _ => {
                        out.push(NEGATIVE);
                        let start = out.len();
                        write_size(out, decimal);
                        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
                    }
                }
            }
        }
        out.extend_from_slice(&scale.to_be_bytes());
    }

    /// The number as it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        self.write_bytes(&mut out);
        out
    }

    /// The number that is kept so; `None` when the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Numeric> {
        let (key, scale) = bytes.split_last_chunk::<SCALE_BYTES>()?;
        let scale = u32::from(u16::from_be_bytes(*scale));
        let (tag, size) = key.split_first()?;
        let plain = |value| size.is_empty().then_some(value);
        match *tag {
            NEGATIVE_INFINITY => plain(Numeric::NegativeInfinity),
            INFINITY => plain(Numeric::Infinity),
            NAN => plain(Numeric::NaN),
            ZERO => plain(Numeric::Finite(Decimal { unscaled: BigInt::ZERO, scale })),
            POSITIVE => Some(Numeric::Finite(Decimal { unscaled: read_size(size, scale, 0)?, scale })),
            NEGATIVE => Some(Numeric::Finite(Decimal { unscaled: -read_size(size, scale, 0xff)?, scale })),
            _ => None,
        }
        .filter(|_| scale <= MAX_SCALE)
    }
}

/// Appends weight and pairs of a number that is not zero.
fn write_size(out: &mut Vec<u8>, decimal: &Decimal) {
    let digits = decimal.digits();
    let digits = digits.as_bytes();
    let before = digits.len() as i32 - decimal.scale as i32;
    // Zeros in front make the point fall between two groups of four.
    let weight = (before - 1).div_euclid(4);
    let pad = (weight + 1) * 4 - before;
    out.extend_from_slice(&((weight + BIAS) as u16).to_be_bytes());
    let digit = |i: i32| usize::try_from(i - pad).ok().and_then(|i| digits.get(i)).map_or(0, |digit| digit - b'0');
    let significant = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last as i32 + 1) + pad;
    out.extend((0..significant).step_by(2).map(|i| digit(i) * 10 + digit(i + 1) + 1));
    out.push(0);
}

/// The digits of a size at this scale, of which every byte is inverted by `mask`.
fn read_size(size: &[u8], scale: u32, mask: u8) -> Option<BigInt> {
    let (weight, pairs) = size.split_first_chunk::<2>()?;
    let weight = i64::from(u16::from_be_bytes(*weight) ^ (u16::from(mask) << 8 | u16::from(mask)));
    let (end, pairs) = pairs.split_last()?;
    let pairs = pairs.iter().map(|pair| (pair ^ mask).wrapping_sub(1));
    if end ^ mask != 0 || pairs.clone().any(|pair| pair > 99) {
        return None;
    }
    let count = pairs.len() as i64;
    let digits = match count <= 19 {
        true => BigInt::from(pairs.fold(0u128, |digits, pair| digits * 100 + u128::from(pair))),
        false => BigInt::from_radix_be(num_bigint::Sign::Plus, &pairs.collect::<Vec<u8>>(), 100)?,
    };
    let shift = (weight - i64::from(BIAS) + 1) * 4 - count * 2 + i64::from(scale);
    Some(match u32::try_from(shift) {
        Ok(shift) => digits * power_of_ten(shift),
        // The second digit of the last pair may be beyond the scale; it is a zero.
        Err(_) => digits / 10,
    })
}
