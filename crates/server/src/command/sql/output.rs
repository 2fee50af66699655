//! Results as tables, as psql shows them, or as CSV.

use crate::client::{ClientColumn, Event};
use std::io::{self, Write};

/// How results look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Columns of equal width.
    Aligned,
    /// Comma-separated values with a line of names.
    Csv,
}

/// Prints what a server answers.
#[derive(Debug)]
pub struct Output<W> {
    writer: W,
    style: Style,
    columns: Vec<ClientColumn>,
    rows: Vec<Vec<Option<String>>>,
    in_result: bool,
}

impl<W: Write> Output<W> {
    /// Prints to a writer.
    pub fn new(writer: W, style: Style) -> Output<W> {
        Output { writer, style, columns: Vec::new(), rows: Vec::new(), in_result: false }
    }

    /// Prints an answer; rows of a table when all of them are there.
    pub fn show(&mut self, event: Event) -> io::Result<()> {
        match (event, self.style) {
            (Event::Columns(columns), style) => {
                self.in_result = true;
                if style == Style::Csv {
                    csv_line(&mut self.writer, columns.iter().map(|column| Some(column.name.as_str())))?;
                }
                self.columns = columns;
            }
            (Event::Row(row), Style::Csv) => csv_line(&mut self.writer, row.iter().map(Option::as_deref))?,
            (Event::Row(row), Style::Aligned) => self.rows.push(row),
            (Event::Complete(_), Style::Aligned) if self.in_result => {
                let (columns, rows) = (std::mem::take(&mut self.columns), std::mem::take(&mut self.rows));
                table(&mut self.writer, &columns, &rows)?;
                self.in_result = false;
            }
            (Event::Complete(tag), Style::Aligned) => writeln!(self.writer, "{tag}")?,
            (Event::Complete(_), Style::Csv) => self.in_result = false,
            (Event::CopyData(data), _) => self.writer.write_all(&data)?,
            _ => {}
        }
        Ok(())
    }

    /// Lets everything printed be seen.
    pub fn flush(&mut self) -> io::Result<()> {
        self.rows.clear();
        self.in_result = false;
        self.writer.flush()
    }
}

fn csv_line<'a>(writer: &mut impl Write, values: impl Iterator<Item = Option<&'a str>>) -> io::Result<()> {
    for (index, value) in values.enumerate() {
        if index > 0 {
            writer.write_all(b",")?;
        }
        match value {
            None => {}
            Some(value) if value.is_empty() || value.contains([',', '"', '\n', '\r']) => {
                write!(writer, "\"{}\"", value.replace('"', "\"\""))?;
            }
            Some(value) => writer.write_all(value.as_bytes())?,
        }
    }
    writer.write_all(b"\n")
}

fn table(writer: &mut impl Write, columns: &[ClientColumn], rows: &[Vec<Option<String>>]) -> io::Result<()> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let width = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(i, column)| {
            rows.iter().filter_map(|row| row[i].as_deref()).chain([column.name.as_str()]).map(width).max().unwrap_or(0)
        })
        .collect();
    let names: Vec<String> =
        columns.iter().zip(&widths).map(|(column, width)| format!(" {:^width$} ", column.name)).collect();
    writeln!(writer, "{}", names.join("|"))?;
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    writeln!(writer, "{}", rules.join("+"))?;
    for row in rows {
        let values: Vec<String> = row.iter().map(text).collect();
        let lines: Vec<Vec<&str>> = values.iter().map(|value| value.split('\n').collect()).collect();
        let height = lines.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            for (index, (column, width)) in columns.iter().zip(&widths).enumerate() {
                let last = index + 1 == columns.len();
                let part = lines[index].get(line).copied().unwrap_or("");
                // As in psql, a plus says that the value goes on in the next line.
                let end = if line + 1 < lines[index].len() {
                    "+"
                } else if last {
                    ""
                } else {
                    " "
                };
                let padded = match (is_number(column.oid), last && end.is_empty()) {
                    (true, _) => format!(" {part:>width$}"),
                    (false, true) => format!(" {part}"),
                    (false, false) => format!(" {part:<width$}"),
                };
                write!(writer, "{padded}{end}")?;
                if !last {
                    write!(writer, "|")?;
                }
            }
            writeln!(writer)?;
        }
    }
    writeln!(writer, "({} row{})\n", rows.len(), if rows.len() == 1 { "" } else { "s" })
}

fn is_number(oid: u32) -> bool {
    matches!(oid, 20 | 21 | 23 | 26 | 28 | 700 | 701 | 1700)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(style: Style, events: Vec<Event>) -> String {
        let mut output = Output::new(Vec::new(), style);
        for event in events {
            output.show(event).unwrap();
        }
        String::from_utf8(output.writer).unwrap()
    }

    fn result() -> Vec<Event> {
        let column = |name: &str, oid| ClientColumn { name: name.to_owned(), oid };
        let row = |a: &str, b: Option<&str>| Event::Row(vec![Some(a.to_owned()), b.map(str::to_owned)]);
        vec![
            Event::Columns(vec![column("n", 23), column("name", 25)]),
            row("1", Some("two\nlines")),
            row("100", None),
            Event::Complete("SELECT 2".to_owned()),
            Event::Complete("CREATE TABLE".to_owned()),
        ]
    }

    #[test]
    fn tables_look_like_those_of_psql() {
        let expected = [
            "  n  | name  ",
            "-----+-------",
            "   1 | two  +",
            "     | lines",
            " 100 | ",
            "(2 rows)",
            "",
            "CREATE TABLE\n",
        ]
        .join("\n");
        assert_eq!(show(Style::Aligned, result()), expected);
    }

    #[test]
    fn csv_tells_null_from_an_empty_text() {
        assert_eq!(show(Style::Csv, result()), "n,name\n1,\"two\nlines\"\n100,\n");
        let row = Event::Row(vec![Some(String::new()), Some("a\"b".to_owned())]);
        assert_eq!(show(Style::Csv, vec![row]), "\"\",\"a\"\"b\"\n");
    }
}
