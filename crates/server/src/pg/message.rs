//! Messages that clients send.
//!
//! They are read here and not by pgwire, whose readers panic on a message that is shorter than it says and
//! read past the end of one that is longer. Nothing is copied: a message borrows from its frame.

use bytes::Bytes;
use highwater::Error;

/// A message as it came: its type and what follows the length.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The first byte; 0 for the messages that begin a connection, which have none.
    pub kind: u8,
    /// What follows the length.
    pub body: Bytes,
}

/// Message types that are looked for by themselves.
pub mod kind {
    /// A chunk of COPY data.
    pub const COPY_DATA: u8 = b'd';
    /// The end of COPY data.
    pub const COPY_DONE: u8 = b'c';
    /// COPY data that will not come.
    pub const COPY_FAIL: u8 = b'f';
    /// Sends what is ready.
    pub const FLUSH: u8 = b'H';
    /// A password, or a step of SASL.
    pub const PASSWORD: u8 = b'p';
    /// Ends a batch of extended messages.
    pub const SYNC: u8 = b'S';
    /// Says good-bye.
    pub const TERMINATE: u8 = b'X';
}

/// A message of a client whose identity is known.
#[derive(Debug, PartialEq)]
pub enum Message<'a> {
    /// Statements to execute.
    Query(&'a str),
    /// A statement to prepare.
    Parse {
        /// Its name; empty for the unnamed one.
        name: &'a str,
        /// Its text.
        sql: &'a str,
        /// Oids of the parameters' types; 0 where the statement is to tell.
        types: Vec<u32>,
    },
    /// A portal to make of a statement and values.
    Bind(Bind<'a>),
    /// A question for columns, and for a statement also for parameters.
    Describe(Target<'a>),
    /// A statement or portal that is not needed any more.
    Close(Target<'a>),
    /// A portal to execute.
    Execute {
        /// Its name.
        portal: &'a str,
        /// Most rows to send; 0 for all.
        max_rows: u64,
    },
    /// Sends what is ready.
    Flush,
    /// Ends a batch of extended messages.
    Sync,
    /// Says good-bye.
    Terminate,
    /// COPY data, its end or its failure: left over from a COPY that is not in progress any more.
    Copy,
    /// A function to call, in the way of before 2003.
    FunctionCall,
}

/// A portal to make of a statement and values.
#[derive(Debug, PartialEq)]
pub struct Bind<'a> {
    /// The portal's name.
    pub portal: &'a str,
    /// The statement's name.
    pub statement: &'a str,
    /// Formats of the parameters: none for text, one for all, or one for each.
    pub parameter_formats: Vec<i16>,
    /// The values; `None` for NULL.
    pub parameters: Vec<Option<&'a [u8]>>,
    /// Formats of the result's columns: none for text, one for all, or one for each.
    pub result_formats: Vec<i16>,
}

/// What Describe and Close are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A prepared statement.
    Statement(&'a str),
    /// A portal.
    Portal(&'a str),
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not follow the protocol, so nothing after it can be trusted.
    Malformed(&'static str),
    /// It is a type that there is not.
    Unknown(u8),
    /// A text in it is not UTF-8; the next message can still be read.
    Encoding,
}

impl Unreadable {
    /// As it is reported.
    pub fn error(&self) -> Error {
        match self {
            Unreadable::Malformed(what) => Error::new("08P01", format!("invalid message format: {what}")),
            Unreadable::Unknown(kind) => Error::new("08P01", format!("invalid frontend message type {kind}")),
            Unreadable::Encoding => Error::new("22021", "invalid byte sequence for encoding \"UTF8\""),
        }
    }
}

/// Reads a message.
///
/// # Errors
/// When it is not as the protocol says.
pub fn read(frame: &Frame) -> Result<Message<'_>, Unreadable> {
    let mut body = Body(&frame.body);
    let message = match frame.kind {
        b'Q' => Message::Query(body.text()?),
        b'P' => {
            let (name, sql) = (body.text()?, body.text()?);
            let count = body.count()?;
            let types = (0..count).map(|_| Ok(body.i32()? as u32)).collect::<Result<_, _>>()?;
            Message::Parse { name, sql, types }
        }
        b'B' => {
            let (portal, statement) = (body.text()?, body.text()?);
            let parameter_formats = body.formats()?;
            let count = body.count()?;
            let parameters = (0..count).map(|_| body.value()).collect::<Result<_, _>>()?;
            let result_formats = body.formats()?;
            Message::Bind(Bind { portal, statement, parameter_formats, parameters, result_formats })
        }
        b'D' => Message::Describe(body.target()?),
        b'C' => Message::Close(body.target()?),
        b'E' => {
            let (portal, max_rows) = (body.text()?, body.i32()?);
            Message::Execute { portal, max_rows: u64::try_from(max_rows).unwrap_or(0) }
        }
        kind::FLUSH => Message::Flush,
        kind::SYNC => Message::Sync,
        kind::TERMINATE => Message::Terminate,
        kind::COPY_DATA | kind::COPY_DONE | kind::COPY_FAIL => return Ok(Message::Copy),
        b'F' => return Ok(Message::FunctionCall),
        other => return Err(Unreadable::Unknown(other)),
    };
    if body.0.is_empty() { Ok(message) } else { Err(Unreadable::Malformed("extra data at its end")) }
}

/// The reason that a client gives for not sending COPY data.
pub fn copy_fail_reason(frame: &Frame) -> String {
    let reason = frame.body.strip_suffix(b"\0").unwrap_or(&frame.body);
    String::from_utf8_lossy(reason).into_owned()
}

/// What is left of a message.
pub struct Body<'a>(pub &'a [u8]);

impl<'a> Body<'a> {
    /// So many bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Unreadable::Malformed("insufficient data left"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// A text that ends with a zero.
    pub fn text(&mut self) -> Result<&'a str, Unreadable> {
        let end = self.0.iter().position(|&b| b == 0).ok_or(Unreadable::Malformed("a string has no end"))?;
        let text = std::str::from_utf8(&self.0[..end]).map_err(|_| Unreadable::Encoding)?;
        self.0 = &self.0[end + 1..];
        Ok(text)
    }

    /// A number of four bytes.
    pub fn i32(&mut self) -> Result<i32, Unreadable> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().expect("four bytes were taken")))
    }

    fn i16(&mut self) -> Result<i16, Unreadable> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into().expect("two bytes were taken")))
    }

    /// A number of things, of two bytes.
    pub fn count(&mut self) -> Result<u16, Unreadable> {
        Ok(self.i16()? as u16)
    }

    fn formats(&mut self) -> Result<Vec<i16>, Unreadable> {
        let count = self.count()?;
        (0..count).map(|_| self.i16()).collect()
    }

    /// A length and so many bytes, or the length `-1` for NULL.
    pub fn value(&mut self) -> Result<Option<&'a [u8]>, Unreadable> {
        match self.i32()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(length).map(Some),
                Err(_) => Err(Unreadable::Malformed("a value has a negative length")),
            },
        }
    }

    fn target(&mut self) -> Result<Target<'a>, Unreadable> {
        match self.take(1)? {
            b"S" => Ok(Target::Statement(self.text()?)),
            b"P" => Ok(Target::Portal(self.text()?)),
            _ => Err(Unreadable::Malformed("neither a statement nor a portal")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, body: &'static [u8]) -> Frame {
        Frame { kind, body: Bytes::from_static(body) }
    }

    #[test]
    fn messages_are_read() {
        assert_eq!(read(&frame(b'Q', b"SELECT 1\0")), Ok(Message::Query("SELECT 1")));
        assert_eq!(
            read(&frame(b'P', b"s\0SELECT $1\0\x00\x01\x00\x00\x00\x17")),
            Ok(Message::Parse { name: "s", sql: "SELECT $1", types: vec![23] })
        );
        assert_eq!(
            read(&frame(b'B', b"\0s\0\x00\x01\x00\x01\x00\x02\x00\x00\x00\x01x\xff\xff\xff\xff\x00\x00")),
            Ok(Message::Bind(Bind {
                portal: "",
                statement: "s",
                parameter_formats: vec![1],
                parameters: vec![Some(b"x"), None],
                result_formats: vec![],
            }))
        );
        assert_eq!(read(&frame(b'D', b"Ss\0")), Ok(Message::Describe(Target::Statement("s"))));
        assert_eq!(read(&frame(b'C', b"Pp\0")), Ok(Message::Close(Target::Portal("p"))));
        assert_eq!(read(&frame(b'E', b"p\0\x00\x00\x00\x05")), Ok(Message::Execute { portal: "p", max_rows: 5 }));
    }

    #[test]
    fn every_shortened_message_is_refused() {
        let whole: [(u8, &'static [u8]); 6] = [
            (b'Q', b"SELECT 1\0"),
            (b'P', b"s\0SELECT $1\0\x00\x01\x00\x00\x00\x17"),
            (b'B', b"\0s\0\x00\x01\x00\x01\x00\x02\x00\x00\x00\x01x\xff\xff\xff\xff\x00\x01\x00\x01"),
            (b'D', b"Ss\0"),
            (b'C', b"Pp\0"),
            (b'E', b"p\0\x00\x00\x00\x05"),
        ];
        for (kind, body) in whole {
            assert!(read(&frame(kind, body)).is_ok());
            for length in 0..body.len() {
                let shortened = frame(kind, &body[..length]);
                let result = read(&shortened);
                assert!(matches!(result, Err(Unreadable::Malformed(_))), "{} {length}", char::from(kind));
            }
        }
    }

    #[test]
    fn what_is_not_a_message_is_refused() {
        assert_eq!(read(&frame(b'?', b"")), Err(Unreadable::Unknown(b'?')));
        assert_eq!(read(&frame(b'Q', b"\xff\0")), Err(Unreadable::Encoding));
        assert!(matches!(read(&frame(b'S', b"x")), Err(Unreadable::Malformed(_))));
        assert!(matches!(read(&frame(b'D', b"?x\0")), Err(Unreadable::Malformed(_))));
        assert!(matches!(read(&frame(b'B', b"\0\0\0\0\x00\x01\xff\xff\xff\xfe\0\0")), Err(Unreadable::Malformed(_))));
    }
}
