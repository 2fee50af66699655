//! How the columns of a segment are written.
//!
//! ```text
//! ordinary     dictionaries where values repeat, and LZ4_RAW: most of it is written again soon
//! compressed   for each column the smallest of what suits its type, with ZSTD on top where that brings enough:
//!
//!   dictionary           few different values; runs of one value cost nothing
//!   difference           whole numbers and times: what lies between one and the next
//!   decimal              doubles with few digits after the point: 1248.71 as the whole number 124871
//!   split bytes          other floats: all first bytes, then all second bytes, …
//!   lengths apart        text that hardly repeats
//! ```
//!
//! Which is smallest is not computed but tried, on the rows of the segment's first part.

use super::convert;
use super::sample::repeats;
use super::write::PART_ROWS;
use crate::Result;
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use std::sync::Arc;

/// Rows of a page at most; what a read of one series has to decode at least.
const PAGE_ROWS: usize = 8 << 10;

/// A column with more distinct values per part than fit in here is written without a dictionary.
const DICTIONARY_BYTES: usize = 512 << 10;

/// Higher levels take much longer, and the encodings leave them little to find.
const ZSTD_LEVEL: i32 = 3;

/// Pages are compressed when they become smaller than this share: decompressing takes as long as decoding.
const WORTH_COMPRESSING: f64 = 0.9;

/// Digits that a decimal has: what eight bytes hold.
const DECIMAL_DIGITS: u8 = 18;

/// More digits after the point than measurements have.
const MOST_SCALE: i8 = 12;

/// Whole numbers up to here are doubles, and so are quotients of two of them rounded right.
const MOST_WHOLE: f64 = (1u64 << 52) as f64;

/// How much a segment is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Written quickly.
    Ordinary,
    /// Written small.
    Compressed,
}

/// How one column is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coding {
    /// `None` is a dictionary.
    encoding: Option<Encoding>,
    /// Digits after the point of the decimals that doubles become.
    scale: Option<i8>,
    /// Whether pages are worth no compression beside that.
    is_dense: bool,
}

impl Coding {
    /// What lies between one value and the next.
    pub const DIFFERENCE: Coding =
        Coding { encoding: Some(Encoding::DELTA_BINARY_PACKED), scale: None, is_dense: false };

    /// What is written quickly: a dictionary where values repeat, and what they are otherwise.
    pub fn ordinary(column: &ArrayRef) -> Result<Coding> {
        let encoding = if repeats(column)? { None } else { Some(Encoding::PLAIN) };
        Ok(Coding { encoding, ..Coding::default() })
    }

    /// The smallest coding of a column.
    ///
    /// * `order` – positions of its rows in the order of the file, if that is another.
    pub fn smallest(column: &ArrayRef, order: Option<&[u32]>) -> Result<Coding> {
        let count = column.len().min(PART_ROWS);
        let part = match order {
            Some(order) => take(column, &UInt32Array::from(order[..count].to_vec()), None)?,
            None => column.slice(0, count),
        };
        let tried = candidates(column).into_iter().map(|coding| coding.tried(&part)).collect::<Result<Vec<_>>>()?;
        Ok(tried.into_iter().min_by_key(|(_, bytes)| *bytes).map(|(coding, _)| coding).unwrap_or_default())
    }

    /// The Arrow type that the column has in the file.
    pub fn file_type(&self, arrow: &DataType) -> DataType {
        self.scale.map_or_else(|| convert::file_type(arrow), |scale| DataType::Decimal64(DECIMAL_DIGITS, scale))
    }

    /// The column as the file keeps it.
    pub fn to_file(self, column: &ArrayRef) -> Result<ArrayRef> {
        match self.scale {
            Some(scale) => convert::to_decimal(column.as_primitive(), DECIMAL_DIGITS, scale),
            None => convert::to_file(column),
        }
    }

    /// Tries it on a part: whether the part is dense then, and its bytes.
    fn tried(self, part: &ArrayRef) -> Result<(Coding, i64)> {
        let column = self.to_file(part)?;
        let schema = Arc::new(Schema::new(vec![Field::new("c", column.data_type().clone(), true)]));
        let properties = properties(Form::Compressed, [("c", &self)].into_iter());
        let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties.build()))?;
        writer.write(&RecordBatch::try_new(schema, vec![column])?)?;
        let metadata = writer.close()?;
        let chunks = || metadata.row_groups().iter().flat_map(|group| group.columns());
        let bytes: i64 = chunks().map(|chunk| chunk.compressed_size()).sum();
        let whole: i64 = chunks().map(|chunk| chunk.uncompressed_size()).sum();
        let is_dense = bytes as f64 > WORTH_COMPRESSING * whole as f64;
        Ok((Coding { is_dense, ..self }, if is_dense { whole } else { bytes }))
    }
}

/// The codings that suit a column.
fn candidates(column: &ArrayRef) -> Vec<Coding> {
    let dictionary = Coding::default();
    let plain = |encoding| Coding { encoding: Some(encoding), ..dictionary };
    match column.data_type() {
        DataType::Float64 => {
            let other = scale_of(column.as_primitive()).map_or_else(
                || plain(Encoding::BYTE_STREAM_SPLIT),
                |scale| Coding { scale: Some(scale), ..Coding::DIFFERENCE },
            );
            vec![dictionary, other]
        }
        DataType::Float32 => vec![dictionary, plain(Encoding::BYTE_STREAM_SPLIT)],
        DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Timestamp(..) => vec![dictionary, Coding::DIFFERENCE],
        DataType::Decimal128(digits, 0..) if *digits <= DECIMAL_DIGITS => vec![dictionary, Coding::DIFFERENCE],
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
            vec![dictionary, plain(Encoding::DELTA_LENGTH_BYTE_ARRAY)]
        }
        _ => vec![dictionary],
    }
}

/// The digits after the point that all values have at most; `None` when one of them is no such number: then none of
/// them is written as a decimal, because each has to come back bit for bit.
fn scale_of(column: &Float64Array) -> Option<i8> {
    let mut scale = 0;
    for value in column.iter().flatten() {
        while whole_of(value, scale).is_none() {
            scale += 1;
            if scale > MOST_SCALE {
                return None;
            }
        }
    }
    // A value with few digits may be too large for the scale of a later one.
    column.iter().flatten().all(|value| whole_of(value, scale).is_some()).then_some(scale)
}

/// A double as a whole number of units of 10^−scale, if that gives the same bits back.
pub fn whole_of(value: f64, scale: i8) -> Option<i64> {
    let unit = unit(scale);
    let whole = (value * unit).round();
    // What was read back is compared, so that the sign of −0 is missed.
    let back = whole as i64 as f64 / unit;
    (whole.abs() <= MOST_WHOLE && back.to_bits() == value.to_bits()).then_some(whole as i64)
}

/// How many units one is. A power of ten up to 10^22 is a double.
pub fn unit(scale: i8) -> f64 {
    10f64.powi(i32::from(scale))
}

/// The properties of a file with these columns.
pub fn properties<'a>(form: Form, columns: impl Iterator<Item = (&'a str, &'a Coding)>) -> WriterPropertiesBuilder {
    let compression = match form {
        Form::Ordinary => Compression::LZ4_RAW,
        Form::Compressed => Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default()),
    };
    let builder = WriterProperties::builder()
        .set_created_by("highwater".to_owned())
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(PART_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES);
    columns.fold(builder, |mut builder, (name, coding)| {
        let path = ColumnPath::from(vec![name.to_owned()]);
        if coding.is_dense {
            builder = builder.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
        }
        match coding.encoding {
            None => builder,
            Some(encoding) => {
                builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::Float64Type;

    fn check(values: &[f64], expected: Option<i8>) {
        let column = Float64Array::from(values.to_vec());
        assert_eq!(scale_of(&column), expected, "{values:?}");
        if let Some(scale) = expected {
            let decimals = convert::to_decimal(&column, DECIMAL_DIGITS, scale).unwrap();
            let back = convert::from_file(&decimals, &DataType::Float64).unwrap();
            let bits = |v: &f64| v.to_bits();
            let back = back.as_primitive::<Float64Type>().values().iter().map(bits).collect::<Vec<_>>();
            assert_eq!(back, values.iter().map(bits).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_double_is_written_as_a_decimal_only_when_it_comes_back_bit_for_bit() {
        check(&[1248.71, -0.1, 5.0], Some(2));
        check(&[1e15, 3.0], Some(0));
        check(&[0.123456789012, 7.1], Some(12));
        check(&[0.1 + 0.2], None);
        check(&[1.0 / 3.0], None);
        check(&[1.5, -0.0], None);
        check(&[1.5, f64::NAN], None);
        check(&[f64::INFINITY], None);
        check(&[1e300], None);
        // Each alone has a scale; together they have none.
        check(&[4e15, 0.25], None);
        check(&[f64::from_bits(0x3fb9_9999_9999_999b)], None);
    }

    #[test]
    fn the_values_choose_the_coding() {
        let doubles = |f: fn(u64) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values((0..5000).map(f))) };
        let smallest = |column: ArrayRef| Coding::smallest(&column, None).unwrap();
        // SplitMix64: nothing predicts a value from the one before.
        fn noise(i: u64) -> u64 {
            let z = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) >> 11
        }
        assert_eq!(smallest(doubles(|i| (noise(i) % 100_000) as f64 / 100.0)).scale, Some(2));
        assert_eq!(smallest(doubles(|i| (noise(i) % 4) as f64 * 1234.5)).encoding, None);
        assert!(smallest(doubles(|i| (noise(i) % 100_000) as f64 / 100.0)).is_dense);
        assert_eq!(smallest(doubles(|i| (noise(i) as f64).sqrt())).encoding, Some(Encoding::BYTE_STREAM_SPLIT));
        let times: ArrayRef = Arc::new(arrow::array::Int64Array::from_iter_values((0..5000).map(|i| i * 60)));
        let times = smallest(times);
        assert_eq!((times.encoding, times.is_dense), (Coding::DIFFERENCE.encoding, false));
    }
}
