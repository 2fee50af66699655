//! COPY in the text and CSV formats.
//!
//! ```text
//! pieces of any size ──▶ whole lines ──▶ fields ──▶ one ColumnReader each
//! ```
//!
//! A piece is read in place; only the beginning of a line whose end has not come yet is kept.

use super::read::ColumnReader;
use super::write::ColumnWriter;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch};
use highwater_model::ColumnType;
use highwater_model::time::{Clockface, Zone};

/// How lines are cut into fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    /// Tabs between fields, backslashes before what is not plain.
    Text,
    /// Commas between fields, quotes around what is not plain.
    Csv,
}

/// The options of a COPY.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// How lines are cut into fields.
    pub format: CopyFormat,
    /// Stands between fields.
    pub delimiter: u8,
    /// Stands for NULL.
    pub null: String,
    /// Whether the first line has the names of the columns.
    pub header: bool,
    /// Whether the names in the first line must be those of the columns, in their order.
    pub header_match: bool,
    /// Stands around a field that is not plain (CSV).
    pub quote: u8,
    /// Stands before a quote that belongs to the field (CSV).
    pub escape: u8,
    /// Per column, whether every value is written in quotes (CSV, out); empty for no column.
    pub force_quote: Vec<bool>,
    /// Per column, whether [`CopyOptions::null`] without quotes is text all the same (CSV, in); empty for no column.
    pub force_not_null: Vec<bool>,
    /// Per column, whether [`CopyOptions::null`] in quotes is NULL too (CSV, in); empty for no column.
    pub force_null: Vec<bool>,
}

impl CopyOptions {
    /// What a format has when nothing is said.
    pub fn new(format: CopyFormat) -> Self {
        let csv = format == CopyFormat::Csv;
        CopyOptions {
            format,
            delimiter: if csv { b',' } else { b'\t' },
            null: if csv { String::new() } else { "\\N".to_owned() },
            header: false,
            header_match: false,
            quote: b'"',
            escape: b'"',
            force_quote: Vec::new(),
            force_not_null: Vec::new(),
            force_null: Vec::new(),
        }
    }

    /// Refuses what would make lines ambiguous, in PostgreSQL's words.
    ///
    /// # Errors
    /// 22023 and 0A000.
    pub fn check(&self) -> Result<()> {
        let csv = self.format == CopyFormat::Csv;
        if matches!(self.delimiter, b'\r' | b'\n') {
            return Err(Error::invalid_parameter("COPY delimiter cannot be newline or carriage return"));
        }
        if self.null.contains(['\r', '\n']) {
            return Err(Error::invalid_parameter("COPY null representation cannot use newline or carriage return"));
        }
        if !csv && b"\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(&self.delimiter) {
            let delimiter = char::from(self.delimiter);
            return Err(Error::invalid_parameter(format!("COPY delimiter cannot be \"{delimiter}\"")));
        }
        if csv && self.delimiter == self.quote {
            return Err(Error::invalid_parameter("COPY delimiter and quote must be different"));
        }
        if self.null.as_bytes().contains(&self.delimiter) {
            return Err(Error::invalid_parameter("COPY delimiter must not appear in the NULL specification"));
        }
        if csv && self.null.as_bytes().contains(&self.quote) {
            return Err(Error::invalid_parameter("CSV quote character must not appear in the NULL specification"));
        }
        Ok(())
    }
}

/// A column that COPY fills.
#[derive(Debug)]
struct Target {
    name: String,
    reader: ColumnReader,
    force_not_null: bool,
    force_null: bool,
}

/// Reads the data of a COPY FROM.
#[derive(Debug)]
pub struct CopyReader {
    options: CopyOptions,
    table: String,
    columns: Vec<Target>,
    /// The beginning of a line.
    carry: Vec<u8>,
    /// How far `carry` has been searched for the end of its line, and what was found so far.
    search: Search,
    line: u64,
    rows: usize,
    done: bool,
    field: Vec<u8>,
}

/// Where a search for the end of a line stands.
#[derive(Clone, Copy, Debug, Default)]
struct Search {
    at: usize,
    quoted: bool,
    escaped: bool,
}

impl CopyReader {
    /// A reader of lines with these columns.
    ///
    /// * `table` – its name, for errors.
    /// * `columns` – name and type, in the order of the fields.
    /// * `clock` – as for [`ColumnReader::new`].
    ///
    /// # Errors
    /// Those of [`CopyOptions::check`] and [`ColumnReader::new`].
    pub fn new(
        options: CopyOptions,
        table: &str,
        columns: impl IntoIterator<Item = (String, ColumnType)>,
        clock: Clockface,
    ) -> Result<Self> {
        options.check()?;
        let flag = |flags: &[bool], i: usize| flags.get(i).copied().unwrap_or(false);
        let columns = columns.into_iter().enumerate().map(|(i, (name, column_type))| {
            Ok(Target {
                name,
                reader: ColumnReader::new(&column_type, clock)?,
                force_not_null: flag(&options.force_not_null, i),
                force_null: flag(&options.force_null, i),
            })
        });
        let columns = columns.collect::<Result<_>>()?;
        Ok(CopyReader {
            columns,
            options,
            table: table.to_owned(),
            carry: Vec::new(),
            search: Search::default(),
            line: 0,
            rows: 0,
            done: false,
            field: Vec::new(),
        })
    }

    /// Takes the next piece of the data.
    ///
    /// # Errors
    /// Those of the fields, and 22P04 when a line has too few or too many. The detail tells line, column and
    /// value. Nothing of the COPY is to be kept then.
    pub fn push(&mut self, data: &[u8]) -> Result<()> {
        if self.done {
            return Ok(());
        }
        if self.carry.is_empty() {
            let used = self.read_lines(data)?;
            if !self.done {
                self.search.at -= used;
                self.carry.extend_from_slice(&data[used..]);
            }
            return Ok(());
        }
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(data);
        let used = self.read_lines(&carry)?;
        if !self.done {
            self.search.at -= used;
            carry.drain(..used);
            self.carry = carry;
        }
        Ok(())
    }

    /// Tells that the data has come to its end; a last line without a newline is read now.
    ///
    /// # Errors
    /// As [`CopyReader::push`].
    pub fn end(&mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.carry);
        if !self.done && !rest.is_empty() {
            if self.options.format == CopyFormat::Csv && self.search.quoted {
                self.line += 1;
                return Err(self.in_line(Error::new("22P04", "unterminated CSV quoted field"), &rest));
            }
            self.read_line(&rest)?;
        }
        self.done = true;
        Ok(())
    }

    /// How many rows wait to be taken.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Takes the rows read so far, a column each.
    pub fn take(&mut self) -> Vec<ArrayRef> {
        self.rows = 0;
        self.columns.iter_mut().map(|c| c.reader.finish()).collect()
    }

    /// Reads the whole lines of `data` and says how many bytes they are.
    fn read_lines(&mut self, data: &[u8]) -> Result<usize> {
        let mut start = 0;
        while let Some(end) = self.find_end(data) {
            let line = &data[start..end];
            self.read_line(line.strip_suffix(b"\r").unwrap_or(line))?;
            start = end + 1;
            if self.done {
                return Ok(data.len());
            }
        }
        Ok(start)
    }

    /// The next newline that ends a line, continuing where the search stopped.
    fn find_end(&mut self, data: &[u8]) -> Option<usize> {
        let search = &mut self.search;
        if self.options.format == CopyFormat::Text {
            while let Some(found) = find(&data[search.at..], b'\n') {
                let at = search.at + found;
                search.at = at + 1;
                // After an odd number of backslashes the newline belongs to the field.
                let backslashes = data[..at].iter().rev().take_while(|b| **b == b'\\').count();
                if backslashes % 2 == 0 {
                    return Some(at);
                }
            }
            search.at = data.len();
            return None;
        }
        let (quote, escape) = (self.options.quote, self.options.escape);
        for (i, b) in data[search.at..].iter().enumerate() {
            // A quote that is doubled ends one quoted part and begins the next.
            if search.quoted && *b == escape && escape != quote {
                search.escaped = !search.escaped;
                continue;
            }
            if *b == quote && !search.escaped {
                search.quoted = !search.quoted;
            }
            search.escaped = false;
            if *b == b'\n' && !search.quoted {
                search.at += i + 1;
                return Some(search.at - 1);
            }
        }
        search.at = data.len();
        None
    }

    fn read_line(&mut self, line: &[u8]) -> Result<()> {
        self.line += 1;
        if line == b"\\." {
            self.done = true;
            return Ok(());
        }
        if self.options.header && self.line == 1 {
            return if self.options.header_match { self.check_header(line) } else { Ok(()) };
        }
        match self.options.format {
            CopyFormat::Text if find(line, b'\\').is_none() => self.read_plain(line)?,
            CopyFormat::Text => self.read_escaped(line)?,
            CopyFormat::Csv => self.read_csv(line)?,
        }
        self.rows += 1;
        Ok(())
    }

    /// A line of the text format without backslashes.
    fn read_plain(&mut self, line: &[u8]) -> Result<()> {
        let null = self.options.null.as_bytes();
        let (mut rest, mut ended) = (line, false);
        for i in 0..self.columns.len() {
            if ended {
                return Err(self.missing(i, line));
            }
            let field = match rest.iter().position(|b| *b == self.options.delimiter) {
                Some(end) => {
                    let field = &rest[..end];
                    rest = &rest[end + 1..];
                    field
                }
                None => {
                    ended = true;
                    rest
                }
            };
            if field == null {
                self.columns[i].reader.append_null();
            } else if let Err(e) = self.columns[i].reader.append(field) {
                return Err(self.in_field(e, i, field));
            }
        }
        if ended { Ok(()) } else { Err(self.extra(line)) }
    }

    /// A line of the text format with backslashes.
    fn read_escaped(&mut self, line: &[u8]) -> Result<()> {
        let mut field = std::mem::take(&mut self.field);
        let (mut start, mut ended) = (0, false);
        for i in 0..self.columns.len() {
            if ended {
                return Err(self.missing(i, line));
            }
            let (mut end, mut plain) = (start, true);
            while end < line.len() && line[end] != self.options.delimiter {
                if line[end] == b'\\' {
                    plain = false;
                    end += 1;
                }
                end += 1;
            }
            ended = end >= line.len();
            let raw = &line[start..end.min(line.len())];
            start = end + 1;
            let value = if plain {
                raw
            } else {
                field.clear();
                unescape(raw, &mut field);
                &field
            };
            if raw == self.options.null.as_bytes() {
                self.columns[i].reader.append_null();
            } else if let Err(e) = self.columns[i].reader.append(value) {
                return Err(self.in_field(e, i, value));
            }
        }
        self.field = field;
        if ended { Ok(()) } else { Err(self.extra(line)) }
    }

    fn read_csv(&mut self, line: &[u8]) -> Result<()> {
        let mut field = std::mem::take(&mut self.field);
        let (mut start, mut ended) = (0, false);
        for i in 0..self.columns.len() {
            if ended {
                return Err(self.missing(i, line));
            }
            let (quoted, end) = self.csv_field(line, start, &mut field);
            let value = if quoted { field.as_slice() } else { &line[start..end] };
            ended = end >= line.len();
            start = end + 1;
            let column = &mut self.columns[i];
            let is_null = value == self.options.null.as_bytes()
                && if quoted { column.force_null } else { !column.force_not_null };
            if is_null {
                column.reader.append_null();
            } else if let Err(e) = column.reader.append(value) {
                return Err(self.in_field(e, i, value));
            }
        }
        self.field = field;
        if ended { Ok(()) } else { Err(self.extra(line)) }
    }

    /// Whether the field at `start` has quotes, and where it ends. Only with quotes it is put into `field`.
    fn csv_field(&self, line: &[u8], start: usize, field: &mut Vec<u8>) -> (bool, usize) {
        let (delimiter, quote, escape) = (self.options.delimiter, self.options.quote, self.options.escape);
        let Some(stop) = line[start..].iter().position(|b| *b == delimiter || *b == quote).map(|n| start + n) else {
            return (false, line.len());
        };
        if line[stop] == delimiter {
            return (false, stop);
        }
        field.clear();
        let (mut at, mut inside) = (start, false);
        while at < line.len() {
            let b = line[at];
            if inside && b == escape && line.get(at + 1).is_some_and(|next| *next == quote || *next == escape) {
                field.push(line[at + 1]);
                at += 1;
            } else if b == quote {
                inside = !inside;
            } else if b == delimiter && !inside {
                return (true, at);
            } else {
                field.push(b);
            }
            at += 1;
        }
        (true, line.len())
    }

    fn check_header(&mut self, line: &[u8]) -> Result<()> {
        let (mut names, mut start) = (Vec::new(), 0);
        loop {
            let mut name = Vec::new();
            let end = match self.options.format {
                CopyFormat::Csv => {
                    let (quoted, end) = self.csv_field(line, start, &mut name);
                    if !quoted {
                        name = line[start..end].to_vec();
                    }
                    end
                }
                CopyFormat::Text => {
                    let end = line[start..].iter().position(|b| *b == self.options.delimiter);
                    let end = end.map_or(line.len(), |n| start + n);
                    unescape(&line[start..end], &mut name);
                    end
                }
            };
            names.push(String::from_utf8_lossy(&name).into_owned());
            if end >= line.len() {
                break;
            }
            start = end + 1;
        }
        let bad = |message: String| Error::new("22P04", message);
        if names.len() != self.columns.len() {
            let (got, expected) = (names.len(), self.columns.len());
            let message = format!("wrong number of fields in header line: got {got}, expected {expected}");
            return Err(self.in_line(bad(message), line));
        }
        for (i, (got, expected)) in names.iter().zip(&self.columns).enumerate() {
            if *got != expected.name {
                let (i, expected) = (i + 1, &expected.name);
                let message =
                    format!("column name mismatch in header line field {i}: got \"{got}\", expected \"{expected}\"");
                return Err(self.in_line(bad(message), line));
            }
        }
        Ok(())
    }

    #[cold]
    fn missing(&self, column: usize, line: &[u8]) -> Error {
        let name = &self.columns[column].name;
        self.in_line(Error::new("22P04", format!("missing data for column \"{name}\"")), line)
    }

    #[cold]
    fn extra(&self, line: &[u8]) -> Error {
        self.in_line(Error::new("22P04", "extra data after last expected column"), line)
    }

    #[cold]
    fn in_line(&self, e: Error, line: &[u8]) -> Error {
        with_context(e, format!("COPY {}, line {}: \"{}\"", self.table, self.line, shortened(line)))
    }

    #[cold]
    fn in_field(&self, e: Error, column: usize, value: &[u8]) -> Error {
        let name = &self.columns[column].name;
        if e.sqlstate == "22021" {
            return with_context(e, format!("COPY {}, line {}", self.table, self.line));
        }
        with_context(e, format!("COPY {}, line {}, column {name}: \"{}\"", self.table, self.line, shortened(value)))
    }
}

/// Tells where the error was, after what was said already.
fn with_context(mut e: Error, context: String) -> Error {
    e.detail = Some(match e.detail {
        Some(detail) => format!("{detail}\n{context}"),
        None => context,
    });
    e
}

/// At most a hundred bytes of a value, as PostgreSQL shows it.
fn shortened(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    match text.char_indices().find(|(i, _)| *i >= 100) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}

/// Position of the first `b`, looking at eight bytes at a time.
fn find(data: &[u8], b: u8) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let pattern = ONES * u64::from(b);
    let mut chunks = data.chunks_exact(8);
    let mut at = 0;
    for chunk in chunks.by_ref() {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks have eight bytes")) ^ pattern;
        // The lowest byte that is zero has its highest bit set here.
        let zero = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zero != 0 {
            return Some(at + zero.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    chunks.remainder().iter().position(|x| *x == b).map(|i| at + i)
}

/// Resolves the backslashes of the text format.
fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some((b, after)) = rest.split_first() {
        rest = after;
        if *b != b'\\' {
            out.push(*b);
            continue;
        }
        let Some((code, after)) = rest.split_first() else {
            out.push(b'\\');
            break;
        };
        rest = after;
        let number = |rest: &[u8], radix: u32, most: usize| {
            let digits = rest.iter().take(most).map_while(|b| char::from(*b).to_digit(radix));
            digits.fold((0u32, 0usize), |(value, n), d| (value * radix + d, n + 1))
        };
        out.push(match code {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let (more, n) = number(rest, 8, 2);
                rest = &rest[n..];
                (u32::from(code - b'0') * 8u32.pow(n as u32) + more) as u8
            }
            b'x' => match number(rest, 16, 2) {
                (_, 0) => b'x',
                (value, n) => {
                    rest = &rest[n..];
                    value as u8
                }
            },
            other => *other,
        });
    }
}

/// Writes the data of a COPY TO.
#[derive(Debug)]
pub struct CopyWriter {
    options: CopyOptions,
    zone: Zone,
}

impl CopyWriter {
    /// A writer with these options.
    ///
    /// # Errors
    /// Those of [`CopyOptions::check`].
    pub fn new(options: CopyOptions, zone: Zone) -> Result<Self> {
        options.check()?;
        Ok(CopyWriter { options, zone })
    }

    /// Appends the line with the names of the columns, if one is asked for.
    pub fn write_header<'a>(&self, names: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
        if !self.options.header {
            return;
        }
        for (i, name) in names.into_iter().enumerate() {
            if i > 0 {
                out.push(self.options.delimiter);
            }
            self.write_field(name.as_bytes(), false, false, out);
        }
        out.push(b'\n');
    }

    /// Appends a line for each row.
    ///
    /// # Errors
    /// 0A000 when a column is of a type that SQL does not have.
    pub fn write_batch(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let schema = batch.schema();
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(array, field)| ColumnWriter::new(array, field, self.zone));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let alone = columns.len() == 1;
        let mut field = Vec::new();
        for row in 0..batch.num_rows() {
            for (i, column) in columns.iter().enumerate() {
                if i > 0 {
                    out.push(self.options.delimiter);
                }
                field.clear();
                if column.write(row, &mut field) {
                    let force = self.options.force_quote.get(i).copied().unwrap_or(false);
                    self.write_field(&field, force, alone, out);
                } else {
                    out.extend_from_slice(self.options.null.as_bytes());
                }
            }
            out.push(b'\n');
        }
        Ok(())
    }

    fn write_field(&self, field: &[u8], force: bool, alone: bool, out: &mut Vec<u8>) {
        if self.options.format == CopyFormat::Text {
            let mut start = 0;
            for (i, b) in field.iter().enumerate() {
                let code = match b {
                    0x08 => b'b',
                    0x0c => b'f',
                    b'\n' => b'n',
                    b'\r' => b'r',
                    b'\t' => b't',
                    0x0b => b'v',
                    b'\\' => b'\\',
                    b if *b == self.options.delimiter => *b,
                    _ => continue,
                };
                out.extend_from_slice(&field[start..i]);
                out.extend_from_slice(&[b'\\', code]);
                start = i + 1;
            }
            out.extend_from_slice(&field[start..]);
            return;
        }
        let (quote, escape) = (self.options.quote, self.options.escape);
        let special = |b: &u8| *b == self.options.delimiter || *b == quote || matches!(b, b'\n' | b'\r');
        let quoted =
            force || field == self.options.null.as_bytes() || (alone && field == b"\\.") || field.iter().any(special);
        if !quoted {
            out.extend_from_slice(field);
            return;
        }
        out.push(quote);
        for b in field {
            if *b == quote || *b == escape {
                out.push(escape);
            }
            out.push(*b);
        }
        out.push(quote);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn columns() -> Vec<(String, ColumnType)> {
        vec![
            ("time".to_owned(), ColumnType::Timestamptz),
            ("v".to_owned(), ColumnType::Double),
            ("s".to_owned(), ColumnType::Text),
        ]
    }

    /// Reads `data` in pieces of every size and writes it back in the text format.
    fn copy(options: &CopyOptions, data: &str) -> String {
        let mut answers: Vec<String> = (1..data.len() + 2).map(|size| copy_in(options, data, size)).collect();
        answers.dedup();
        assert_eq!(answers.len(), 1, "the size of the pieces matters: {answers:?}");
        answers.remove(0)
    }

    fn copy_in(options: &CopyOptions, data: &str, size: usize) -> String {
        let mut reader = CopyReader::new(options.clone(), "m", columns(), Clockface::EPOCH).unwrap();
        let read = data.as_bytes().chunks(size).try_for_each(|piece| reader.push(piece)).and_then(|()| reader.end());
        if let Err(e) = read {
            return format!("{} {} / {}", e.sqlstate, e.message, e.detail.unwrap_or_default());
        }
        write(&CopyOptions::new(CopyFormat::Text), reader.take())
    }

    fn write(options: &CopyOptions, arrays: Vec<ArrayRef>) -> String {
        let batch = RecordBatch::try_from_iter(["time", "v", "s"].into_iter().zip(arrays)).unwrap();
        let mut out = Vec::new();
        let writer = CopyWriter::new(options.clone(), Zone::UTC).unwrap();
        writer.write_header(["time", "v", "s"], &mut out);
        writer.write_batch(&batch, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_lines_are_read_and_written_back() {
        let options = CopyOptions::new(CopyFormat::Text);
        let line = "2024-01-01 00:00:00+00\t1.5\t";
        for (text, expected) in [
            ("a", "a"),
            ("a\\tb\\\\c", "a\\tb\\\\c"),
            ("\\N", "\\N"),
            ("\\\\N", "\\\\N"),
            ("", ""),
            ("a\\\nb", "a\\nb"),
            ("\\x41\\101\\q", "AAq"),
        ] {
            assert_eq!(copy(&options, &format!("{line}{text}\n{line}z\n")), format!("{line}{expected}\n{line}z\n"));
            assert_eq!(copy(&options, &format!("{line}{text}\r\n{line}z")), format!("{line}{expected}\n{line}z\n"));
        }
        assert_eq!(copy(&options, &format!("{line}a\n\\.\nrubbish")), format!("{line}a\n"));
        assert_eq!(copy(&options, ""), "");
    }

    #[test]
    fn csv_lines_are_read_and_written_back() {
        let mut options = CopyOptions::new(CopyFormat::Csv);
        options.header = true;
        let data = "time,v,s\n2024-01-01,1,\"a,\"\"b\nc\"\n2024-01-02,,\n2024-01-03,-0.5,\"\"\n2024-01-04,2,x\"y,\"z";
        let text = "2024-01-01 00:00:00+00\t1\ta,\"b\\nc\n2024-01-02 00:00:00+00\t\\N\t\\N\n2024-01-03 00:00:00+00\t-0.5\t\n2024-01-04 00:00:00+00\t2\txy,z\n";
        assert_eq!(copy(&options, data), text);

        let mut reader = CopyReader::new(options.clone(), "m", columns(), Clockface::EPOCH).unwrap();
        reader.push(data.as_bytes()).unwrap();
        reader.end().unwrap();
        assert_eq!(
            write(&options, reader.take()),
            "time,v,s\n2024-01-01 00:00:00+00,1,\"a,\"\"b\nc\"\n2024-01-02 00:00:00+00,,\n2024-01-03 00:00:00+00,-0.5,\"\"\n2024-01-04 00:00:00+00,2,\"xy,z\"\n"
        );

        options.escape = b'\\';
        options.force_null = vec![false, false, true];
        let data = "time,v,s\n2024-01-01,1,\"a\\\"\\\\,b\"\n2024-01-02,1,\"\"\n";
        let text = "2024-01-01 00:00:00+00\t1\ta\"\\\\,b\n2024-01-02 00:00:00+00\t1\t\\N\n";
        assert_eq!(copy(&options, data), text);
    }

    #[test]
    fn errors_tell_line_and_column() {
        let text = CopyOptions::new(CopyFormat::Text);
        let good = "2024-01-01\t1\ta\n";
        for (line, expected) in [
            (
                "not a time\t1\ta",
                "22007 invalid input syntax for type timestamp with time zone: \"not a time\" / COPY m, line 2, column time: \"not a time\"",
            ),
            (
                "2024-01-01\tx\ta",
                "22P02 invalid input syntax for type double precision: \"x\" / COPY m, line 2, column v: \"x\"",
            ),
            ("2024-01-01\t1", "22P04 missing data for column \"s\" / COPY m, line 2: \"2024-01-01\t1\""),
            (
                "2024-01-01\t1\ta\tb",
                "22P04 extra data after last expected column / COPY m, line 2: \"2024-01-01\t1\ta\tb\"",
            ),
        ] {
            assert_eq!(copy(&text, &format!("{good}{line}\n{good}")), expected);
        }
        let csv = CopyOptions { header: true, header_match: true, ..CopyOptions::new(CopyFormat::Csv) };
        assert_eq!(
            copy(&csv, "time,w,s\n"),
            "22P04 column name mismatch in header line field 2: got \"w\", expected \"v\" / COPY m, line 1: \"time,w,s\""
        );
        assert_eq!(
            copy(&csv, "time,v,s\n2024-01-01,1,\"a\n"),
            "22P04 unterminated CSV quoted field / COPY m, line 2: \"2024-01-01,1,\"a\n\""
        );
    }

    #[test]
    fn quotes_can_be_forced() {
        let options = CopyOptions { force_quote: vec![false, true, true], ..CopyOptions::new(CopyFormat::Csv) };
        let mut reader = CopyReader::new(CopyOptions::new(CopyFormat::Text), "m", columns(), Clockface::EPOCH).unwrap();
        reader.push(b"2024-01-01\t1\t\\N\n").unwrap();
        let arrays: Vec<ArrayRef> = reader.take();
        assert_eq!(write(&options, arrays.iter().map(Arc::clone).collect()), "2024-01-01 00:00:00+00,\"1\",\n");
    }
}
