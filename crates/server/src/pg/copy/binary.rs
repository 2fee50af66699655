//! COPY in the binary format.
//!
//! ```text
//! PGCOPY\n\xff\r\n\0  flags  extension     once
//! count of fields  (length  value)…        for each row; the length -1 is NULL
//! -1                                       at the end
//! ```

use crate::pg::decode;
use crate::pg::types::Described;
use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, FieldRef};
use highwater::{Error, Parameter, Result};
use std::sync::Arc;

/// How the data begins.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// The flag of a field that no version of PostgreSQL in use writes: rows with oids.
const HAS_OIDS: i32 = 1 << 16;

/// Appends what stands before the first row.
pub fn write_header(out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[0; 8]);
}

/// Appends what stands after the last row.
pub fn write_trailer(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i16).to_be_bytes());
}

/// Reads rows out of pieces of any size.
#[derive(Debug)]
pub struct BinaryReader {
    columns: Vec<Column>,
    /// The beginning of a row whose end has not come yet.
    carry: Vec<u8>,
    begun: bool,
    ended: bool,
    rows: usize,
}

impl BinaryReader {
    /// A reader of rows with these columns.
    pub fn new(fields: &[FieldRef]) -> BinaryReader {
        BinaryReader {
            columns: fields.iter().map(Column::new).collect(),
            carry: Vec::new(),
            begun: false,
            ended: false,
            rows: 0,
        }
    }

    /// Takes the next piece of the data.
    ///
    /// # Errors
    /// 22P04 when it is not in this format; 22P03 when a value is not of its column's type. Nothing of the COPY is
    /// to be kept then.
    pub fn push(&mut self, data: &[u8]) -> Result<()> {
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(data);
        let mut at = 0;
        if !self.begun {
            match header(&carry)? {
                Some(size) => {
                    self.begun = true;
                    at = size;
                }
                None => {
                    self.carry = carry;
                    return Ok(());
                }
            }
        }
        while !self.ended {
            match self.row(&carry[at..])? {
                Some(size) => at += size,
                None => break,
            }
        }
        carry.drain(..at);
        self.carry = carry;
        Ok(())
    }

    /// Tells that there is no more data.
    ///
    /// # Errors
    /// 22P04 when a row is not whole.
    pub fn end(&self) -> Result<()> {
        match self.ended || (self.begun && self.carry.is_empty()) {
            true => Ok(()),
            false => Err(Error::new("22P04", "unexpected EOF in COPY data")),
        }
    }

    /// How many rows wait to be taken.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Takes the rows read so far, a column each.
    ///
    /// # Errors
    /// 22003 when a number does not fit its column.
    pub fn take(&mut self) -> Result<Vec<ArrayRef>> {
        self.rows = 0;
        self.columns.iter_mut().map(Column::finish).collect()
    }

    /// Reads a row and says how many bytes it has; `None` when it is not whole.
    fn row(&mut self, data: &[u8]) -> Result<Option<usize>> {
        let Some((count, _)) = data.split_first_chunk::<2>() else { return Ok(None) };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            self.ended = true;
            return Ok(Some(2));
        }
        if usize::try_from(count) != Ok(self.columns.len()) {
            let expected = self.columns.len();
            return Err(Error::new("22P04", format!("row field count is {count}, expected {expected}")));
        }
        // First find out whether it is whole, so that no part of it is kept twice.
        let mut at = 2;
        for _ in 0..count {
            let Some((length, _)) = data.get(at..).and_then(|rest| rest.split_first_chunk::<4>()) else {
                return Ok(None);
            };
            at += 4 + field_length(*length)?.unwrap_or(0);
        }
        if at > data.len() {
            return Ok(None);
        }
        let mut rest = &data[2..];
        for column in &mut self.columns {
            let (length, after) = rest.split_first_chunk::<4>().expect("the row is whole");
            rest = match field_length(*length)? {
                None => {
                    column.append_null()?;
                    after
                }
                Some(length) => {
                    let (value, after) = after.split_at(length);
                    column.append(value).map_err(|e| e.detail(format!("Column {}.", column.name)))?;
                    after
                }
            };
        }
        self.rows += 1;
        Ok(Some(at))
    }
}

/// The bytes of the header; `None` when it is not whole.
fn header(data: &[u8]) -> Result<Option<usize>> {
    let known = data.len().min(SIGNATURE.len());
    if data[..known] != SIGNATURE[..known] {
        return Err(Error::new("22P04", "COPY file signature not recognized"));
    }
    let Some((flags, rest)) = data.get(SIGNATURE.len()..).and_then(|rest| rest.split_first_chunk::<4>()) else {
        return Ok(None);
    };
    let flags = i32::from_be_bytes(*flags);
    if flags & HAS_OIDS != 0 {
        return Err(Error::new("22P04", "invalid COPY file header (WITH OIDS)"));
    }
    if flags >> 16 != 0 {
        return Err(Error::new("22P04", "unrecognized critical flags in COPY file header"));
    }
    let Some((extension, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let extension = usize::try_from(i32::from_be_bytes(*extension))
        .map_err(|_| Error::new("22P04", "invalid COPY file header (wrong length)"))?;
    Ok((rest.len() >= extension).then_some(SIGNATURE.len() + 8 + extension))
}

fn field_length(length: [u8; 4]) -> Result<Option<usize>> {
    match i32::from_be_bytes(length) {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| Error::new("22P04", "invalid field size")),
    }
}

/// A column that is read.
#[derive(Debug)]
struct Column {
    name: String,
    data_type: DataType,
    oid: u32,
    values: Values,
}

/// The values of a column; those of the most frequent types go straight to where they are kept.
#[derive(Debug)]
enum Values {
    Boolean(BooleanBuilder),
    SmallInt(Int16Builder),
    Integer(Int32Builder),
    BigInt(Int64Builder),
    Real(Float32Builder),
    Double(Float64Builder),
    Text(StringBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Other(Vec<Parameter>),
}

impl Column {
    fn new(field: &FieldRef) -> Column {
        let data_type = field.data_type().clone();
        let oid = Described::of_field(field).oid();
        let values = match (oid, &data_type) {
            (16, _) => Values::Boolean(BooleanBuilder::new()),
            (21, _) => Values::SmallInt(Int16Builder::new()),
            (23, _) => Values::Integer(Int32Builder::new()),
            (20, DataType::Int64) => Values::BigInt(Int64Builder::new()),
            (700, _) => Values::Real(Float32Builder::new()),
            (701, _) => Values::Double(Float64Builder::new()),
            (25, DataType::Utf8) => Values::Text(StringBuilder::new()),
            (1114 | 1184, _) => Values::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(data_type.clone())),
            _ => Values::Other(Vec::new()),
        };
        Column { name: field.name().clone(), data_type, oid, values }
    }

    fn append_null(&mut self) -> Result<()> {
        match &mut self.values {
            Values::Boolean(values) => values.append_null(),
            Values::SmallInt(values) => values.append_null(),
            Values::Integer(values) => values.append_null(),
            Values::BigInt(values) => values.append_null(),
            Values::Real(values) => values.append_null(),
            Values::Double(values) => values.append_null(),
            Values::Text(values) => values.append_null(),
            Values::Timestamp(values) => values.append_null(),
            Values::Other(values) => values.push(Parameter::try_from(&self.data_type)?),
        }
        Ok(())
    }

    fn append(&mut self, value: &[u8]) -> Result<()> {
        match (&mut self.values, decode::binary(value, self.oid, &self.data_type)?) {
            (Values::Boolean(values), Parameter::Boolean(Some(value))) => values.append_value(value),
            (Values::SmallInt(values), Parameter::Int16(Some(value))) => values.append_value(value),
            (Values::Integer(values), Parameter::Int32(Some(value))) => values.append_value(value),
            (Values::BigInt(values), Parameter::Int64(Some(value))) => values.append_value(value),
            (Values::Real(values), Parameter::Float32(Some(value))) => values.append_value(value),
            (Values::Double(values), Parameter::Float64(Some(value))) => values.append_value(value),
            (Values::Text(values), Parameter::Utf8(Some(value))) => values.append_value(value),
            (Values::Timestamp(values), Parameter::TimestampMicrosecond(Some(value), _)) => {
                values.append_value(value);
            }
            (Values::Other(values), value) if value.data_type() == self.data_type => values.push(value),
            (Values::Other(values), value) => {
                let there = value
                    .cast_to(&self.data_type)
                    .map_err(|e| Error::new("22003", "numeric field overflow").detail(e.to_string()))?;
                values.push(there);
            }
            _ => return Err(Error::new("22P03", "incorrect binary data format")),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match &mut self.values {
            Values::Boolean(values) => Arc::new(values.finish()),
            Values::SmallInt(values) => Arc::new(values.finish()),
            Values::Integer(values) => Arc::new(values.finish()),
            Values::BigInt(values) => Arc::new(values.finish()),
            Values::Real(values) => Arc::new(values.finish()),
            Values::Double(values) => Arc::new(values.finish()),
            Values::Text(values) => Arc::new(values.finish()),
            Values::Timestamp(values) => Arc::new(values.finish()),
            Values::Other(values) => Parameter::iter_to_array(std::mem::take(values))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::{Field, Int32Type};

    fn reader() -> BinaryReader {
        let field = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
        BinaryReader::new(&[field("a", DataType::Int32), field("b", DataType::Utf8)])
    }

    fn data() -> Vec<u8> {
        let mut data = Vec::new();
        write_header(&mut data);
        for (number, text) in [(Some(7), Some("seven")), (None, Some("")), (Some(-1), None)] {
            data.extend_from_slice(&2_i16.to_be_bytes());
            match number {
                Some(number) => {
                    data.extend_from_slice(&4_i32.to_be_bytes());
                    data.extend_from_slice(&i32::to_be_bytes(number));
                }
                None => data.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
            let text: Option<&str> = text;
            data.extend_from_slice(&text.map_or(-1, |t| t.len() as i32).to_be_bytes());
            data.extend_from_slice(text.unwrap_or("").as_bytes());
        }
        write_trailer(&mut data);
        data
    }

    #[test]
    fn pieces_of_any_size_give_the_same_rows() {
        let data = data();
        for size in 1..=data.len() {
            let mut reader = reader();
            data.chunks(size).for_each(|piece| reader.push(piece).unwrap());
            reader.end().unwrap();
            assert_eq!(reader.rows(), 3);
            let columns = reader.take().unwrap();
            let numbers: Vec<_> = columns[0].as_primitive::<Int32Type>().iter().collect();
            let texts: Vec<_> = columns[1].as_string::<i32>().iter().collect();
            assert_eq!(numbers, [Some(7), None, Some(-1)], "in pieces of {size}");
            assert_eq!(texts, [Some("seven"), Some(""), None]);
        }
    }

    #[test]
    fn what_is_not_in_the_format_is_refused() {
        assert_eq!(reader().push(b"id,name\n").unwrap_err().message, "COPY file signature not recognized");
        let mut data = data();
        let cut = data.len() - 5;
        let mut short = reader();
        short.push(&data[..cut]).unwrap();
        assert_eq!(short.end().unwrap_err().message, "unexpected EOF in COPY data");
        let mut three_bytes = Vec::new();
        write_header(&mut three_bytes);
        three_bytes.extend_from_slice(&[0, 2, 0, 0, 0, 3, 1, 2, 3, 255, 255, 255, 255]);
        assert_eq!(reader().push(&three_bytes).unwrap_err().sqlstate, "22P03");
        data[20] = 3;
        assert_eq!(reader().push(&data).unwrap_err().message, "row field count is 3, expected 2");
    }
}
