//! A text with statements, cut as `psql` cuts it: at semicolons, and COPY data at `\.`.

/// What a script consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A statement, without its semicolon.
    Statement(&'a str),
    /// A command of psql, like `\d`.
    Meta(&'a str),
}

/// The rest of a script.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    rest: &'a str,
}

impl<'a> Script<'a> {
    /// A whole script.
    pub fn new(text: &'a str) -> Script<'a> {
        Script { rest: text }
    }

    /// The next piece; `None` at the end.
    pub fn next_piece(&mut self) -> Option<Piece<'a>> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() {
                return None;
            }
            if self.rest.starts_with('\\') {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                let (command, rest) = self.rest.split_at(end);
                self.rest = rest;
                return Some(Piece::Meta(command.trim_end()));
            }
            let (length, only_comments) = statement_length(self.rest);
            let (statement, rest) = self.rest.split_at(length);
            self.rest = rest.strip_prefix(';').unwrap_or(rest);
            if !only_comments {
                return Some(Piece::Statement(statement.trim_end()));
            }
        }
    }

    /// The COPY data that follows the statement just taken, up to a line `\.` or the end.
    pub fn copy_data(&mut self) -> &'a str {
        let text = self.rest.split_once('\n').map_or("", |(_, text)| text);
        let mut length = 0;
        for line in text.split_inclusive('\n') {
            if line.trim_end() == "\\." {
                self.rest = &text[length + line.len()..];
                return &text[..length];
            }
            length += line.len();
        }
        self.rest = "";
        text
    }
}

/// Bytes up to the semicolon, and whether there is nothing but space and comments before it.
fn statement_length(text: &str) -> (usize, bool) {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut only_comments = true;
    let find = |from: usize, what: &str| text[from..].find(what).map_or(text.len(), |found| from + found + what.len());
    while at < bytes.len() {
        match &bytes[at..] {
            [b';', ..] => break,
            [b'-', b'-', ..] => at = find(at, "\n"),
            [b'/', b'*', ..] => at = end_of_comment(bytes, at),
            [space, ..] if space.is_ascii_whitespace() => at += 1,
            [b'\'', ..] => {
                only_comments = false;
                let escapes = at > 0
                    && matches!(bytes[at - 1], b'e' | b'E')
                    && !bytes.get(at.wrapping_sub(2)).is_some_and(|b| is_word(*b));
                at = end_of_string(bytes, at, escapes);
            }
            [b'"', ..] => {
                only_comments = false;
                at = find(at + 1, "\"");
            }
            [b'$', ..] => {
                only_comments = false;
                let follows_word = at > 0 && is_word(bytes[at - 1]);
                let tag = text[at + 1..].find('$').map(|end| &text[at..at + end + 2]);
                at = match tag.filter(|tag| !follows_word && is_tag(&tag[1..tag.len() - 1])) {
                    Some(tag) => find(at + tag.len(), tag),
                    None => at + 1,
                };
            }
            _ => {
                only_comments = false;
                at += 1;
            }
        }
    }
    (at, only_comments)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_tag(tag: &str) -> bool {
    tag.bytes().all(is_word) && !tag.starts_with(|c: char| c.is_ascii_digit())
}

fn end_of_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start + 2, 1);
    while at < bytes.len() && depth > 0 {
        match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    at
}

fn end_of_string(bytes: &[u8], start: usize, escapes: bool) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The line of a statement with a position, in characters from 1, and a caret below it, as psql shows them.
pub fn point_at(statement: &str, position: usize) -> Option<String> {
    let before: String = statement.chars().take(position.checked_sub(1)?).collect();
    let number = before.matches('\n').count();
    let line = statement.split('\n').nth(number)?;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count();
    let head = format!("LINE {}: ", number + 1);
    Some(format!("{head}{line}\n{}^", " ".repeat(head.len() + column)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<Piece<'_>> {
        let mut script = Script::new(text);
        std::iter::from_fn(|| script.next_piece()).collect()
    }

    #[test]
    fn statements_end_at_semicolons_outside_of_texts() {
        use Piece::Statement as S;
        assert_eq!(pieces("SELECT 1; SELECT 2 ;\n"), [S("SELECT 1"), S("SELECT 2")]);
        assert_eq!(pieces("SELECT ';', E'\\';', \"a;b\""), [S("SELECT ';', E'\\';', \"a;b\"")]);
        assert_eq!(pieces("SELECT 'it''s;';x"), [S("SELECT 'it''s;'"), S("x")]);
        assert_eq!(pieces("SELECT 'a\\';b"), [S("SELECT 'a\\'"), S("b")]);
        assert_eq!(pieces("DO $$ a; b $$; DO $x$ $$; $x$"), [S("DO $$ a; b $$"), S("DO $x$ $$; $x$")]);
        assert_eq!(pieces("SELECT $1; SELECT $2"), [S("SELECT $1"), S("SELECT $2")]);
        assert_eq!(pieces("-- a;\n;; /* b; /* c; */ */ SELECT 1 -- d;"), [S("/* b; /* c; */ */ SELECT 1 -- d;")]);
        assert_eq!(pieces("SELECT 'open; "), [S("SELECT 'open;")]);
        assert_eq!(pieces("\\d x\nSELECT 1"), [Piece::Meta("\\d x"), S("SELECT 1")]);
        assert_eq!(pieces(" \n-- nothing\n"), []);
    }

    #[test]
    fn copy_data_follows_its_statement() {
        let mut script = Script::new("COPY t FROM STDIN;\n1\ta;b\n2\tb\n\\.\nSELECT 1;");
        assert_eq!(script.next_piece(), Some(Piece::Statement("COPY t FROM STDIN")));
        assert_eq!(script.copy_data(), "1\ta;b\n2\tb\n");
        assert_eq!(script.next_piece(), Some(Piece::Statement("SELECT 1")));
    }

    #[test]
    fn positions_are_pointed_at() {
        assert_eq!(point_at("SELECT\n  nö, x", 14).unwrap(), "LINE 2:   nö, x\n              ^");
    }
}
