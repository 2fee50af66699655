//! Any value as JSON, as `to_json` writes it.

use crate::error::Result;
use crate::json::write_string;
use crate::operator::marked::{is_json, marked_field};
use crate::operator::operand::Kind;
use crate::text::ColumnWriter;
use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Field};
use highwater_model::ColumnType;
use highwater_model::time::Zone;
use highwater_store::schema::typed_field;

/// Writes the values of one column as JSON.
#[derive(Debug)]
pub struct JsonWriter {
    array: ArrayRef,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The text as it is, unless it is one that JSON has no number for.
    Number(ColumnWriter),
    Boolean,
    /// The text is JSON.
    Json(ColumnWriter),
    /// The text in quotes.
    Text(ColumnWriter),
    /// The text with a T between date and time.
    Moment(ColumnWriter, bool),
    List(ListArray, Box<JsonWriter>),
    Record(Vec<(String, JsonWriter)>),
}

impl JsonWriter {
    /// A writer of a column.
    ///
    /// * `field` – the column's, whose mark tells whether it is JSON.
    /// * `zone` – the session's.
    ///
    /// # Errors
    /// As [`ColumnWriter::new`].
    pub fn new(array: &ArrayRef, field: &Field, zone: Zone) -> Result<JsonWriter> {
        let text = || ColumnWriter::new(array, field, zone);
        let form = match array.data_type() {
            DataType::Boolean => Form::Boolean,
            t if Kind::of(t).is_number() => Form::Number(text()?),
            DataType::Timestamp(_, zone) => Form::Moment(text()?, zone.is_some()),
            DataType::List(item) => {
                let list = array.as_list::<i32>().clone();
                let item = match marked_field(field) {
                    Some(ColumnType::List(item)) => typed_field("item", &item),
                    _ => item.as_ref().clone(),
                };
                let items = JsonWriter::new(list.values(), &item, zone)?;
                Form::List(list, Box::new(items))
            }
            DataType::Struct(fields) => {
                let parts = array.as_struct().columns().iter().zip(fields);
                let parts = parts.map(|(part, f)| Ok((f.name().clone(), JsonWriter::new(part, f, zone)?)));
                Form::Record(parts.collect::<Result<_>>()?)
            }
            _ if marked_field(field).is_some_and(|t| is_json(&t)) => Form::Json(text()?),
            _ => Form::Text(text()?),
        };
        Ok(JsonWriter { array: array.clone(), form })
    }

    /// Appends the value of a row. False, with nothing appended, when it is NULL.
    pub fn write(&self, row: usize, out: &mut String) -> bool {
        if self.array.is_null(row) || *self.array.data_type() == DataType::Null {
            return false;
        }
        let plain = |writer: &ColumnWriter| {
            let mut bytes = Vec::new();
            writer.write(row, &mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        match &self.form {
            Form::Boolean => out.push_str(if self.array.as_boolean().value(row) { "true" } else { "false" }),
            Form::Number(writer) => {
                let text = plain(writer);
                match text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e')) {
                    true => out.push_str(&text),
                    false => write_string(&text, out),
                }
            }
            Form::Json(writer) => out.push_str(&plain(writer)),
            Form::Text(writer) => write_string(&plain(writer), out),
            Form::Moment(writer, zoned) => write_string(&moment(&plain(writer), *zoned), out),
            Form::List(list, items) => {
                let offsets = list.value_offsets();
                out.push('[');
                for (i, at) in (offsets[row]..offsets[row + 1]).enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    if !items.write(at as usize, out) {
                        out.push_str("null");
                    }
                }
                out.push(']');
            }
            Form::Record(parts) => {
                out.push('{');
                for (i, (name, part)) in parts.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    write_string(name, out);
                    out.push(':');
                    if !part.write(row, out) {
                        out.push_str("null");
                    }
                }
                out.push('}');
            }
        }
        true
    }
}

/// `2026-01-01 00:00:00+00` as ISO 8601 has it.
fn moment(text: &str, zoned: bool) -> String {
    let Some((date, rest)) = text.split_once(' ') else { return text.to_owned() };
    let (time, era) = rest.find(' ').map_or((rest, ""), |at| rest.split_at(at));
    let hours_only = zoned && time.rfind(['+', '-']).is_some_and(|at| time.len() - at == 3);
    format!("{date}T{time}{}{era}", if hours_only { ":00" } else { "" })
}

/// A key as a JSON string: JSON text that is no string is put into quotes.
pub fn key(json: &str) -> String {
    if json.starts_with('"') {
        return json.to_owned();
    }
    let mut out = String::new();
    write_string(json, &mut out);
    out
}
