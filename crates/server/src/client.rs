//! A client of PostgreSQL's protocol, as small as the command line needs: simple queries with text results, and COPY.

use crate::pg::io::{BUFFER_BYTES, Io, Stream};
use crate::pg::message::{Body, Frame, Unreadable};
use crate::pg::reply;
use crate::pg::scram;
use bytes::Bytes;
use std::fmt;
use std::io;
use tokio::net::TcpStream;

/// Why a client cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection broke.
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    /// The server said something that this client does not understand.
    #[error("unexpected answer of the server: {0}")]
    Protocol(String),
    /// The server refused the connection.
    #[error("{0}")]
    Refused(Box<ServerMessage>),
}

impl From<Unreadable> for ClientError {
    fn from(e: Unreadable) -> Self {
        ClientError::Protocol(e.error().message)
    }
}

/// An error or a notice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerMessage {
    /// `ERROR`, `NOTICE`, ….
    pub severity: String,
    /// Five characters.
    pub sqlstate: String,
    /// The message.
    pub message: String,
    /// Whole sentences on the circumstances.
    pub detail: Option<String>,
    /// Whole sentences on what to do.
    pub hint: Option<String>,
    /// Position in the statement, in characters from 1.
    pub position: Option<usize>,
}

impl fmt::Display for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.severity.as_str() {
            "ERROR" | "FATAL" | "PANIC" => write!(f, "{}:  {}: {}", self.severity, self.sqlstate, self.message)?,
            other => write!(f, "{other}:  {}", self.message)?,
        }
        if let Some(detail) = &self.detail {
            write!(f, "\nDETAIL:  {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nHINT:  {hint}")?;
        }
        Ok(())
    }
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub oid: u32,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A result begins.
    Columns(Vec<ClientColumn>),
    /// A row of it; `None` for NULL.
    Row(Vec<Option<String>>),
    /// A statement is complete; the text is its tag.
    Complete(String),
    /// The statement was empty.
    Empty,
    /// A statement failed.
    Error(ServerMessage),
    /// Something to know.
    Notice(ServerMessage),
    /// COPY data is waited for.
    CopyIn,
    /// COPY data.
    CopyData(Bytes),
    /// All answers to a query were given.
    Ready,
}

/// A connection.
#[derive(Debug)]
pub struct Client {
    io: Io,
}

impl Client {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// When there is no server, or it refuses.
    pub async fn connect(
        address: &str,
        database: &str,
        user: &str,
        password: Option<&str>,
    ) -> Result<Client, ClientError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Client::start(Stream::Plain(stream), database, user, password).await
    }

    /// Begins to talk over a stream.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn start(
        stream: Stream,
        database: &str,
        user: &str,
        password: Option<&str>,
    ) -> Result<Client, ClientError> {
        let mut client = Client { io: Io::new(stream, None) };
        let settings = [("user", user), ("database", database), ("application_name", "highwater")];
        let mut hello = Vec::from((3_i32 << 16).to_be_bytes());
        for (name, value) in settings {
            for text in [name, value] {
                hello.extend_from_slice(text.as_bytes());
                hello.push(0);
            }
        }
        hello.push(0);
        client.io.out.extend_from_slice(&(hello.len() as i32 + 4).to_be_bytes());
        client.io.out.extend_from_slice(&hello);
        client.io.flush().await?;
        client.authenticate(password).await?;
        loop {
            match client.next().await? {
                Event::Ready => return Ok(client),
                Event::Error(e) => return Err(ClientError::Refused(Box::new(e))),
                _ => {}
            }
        }
    }

    async fn authenticate(&mut self, password: Option<&str>) -> Result<(), ClientError> {
        let (mut scram, mut expected) = (None, None);
        loop {
            let frame = self.frame().await?;
            match frame.kind {
                b'R' => {}
                b'E' => return Err(ClientError::Refused(Box::new(server_message(&frame)?))),
                b'N' | b'v' => continue,
                other => return Err(unexpected(other)),
            }
            let mut body = Body(&frame.body);
            match body.i32()? {
                0 => return Ok(()),
                10 => {
                    let password = password.ok_or_else(|| {
                        ClientError::Refused(Box::new(ServerMessage {
                            severity: "FATAL".to_owned(),
                            sqlstate: "28P01".to_owned(),
                            message: "the server asks for a password".to_owned(),
                            hint: Some("Set HIGHWATER_PASSWORD.".to_owned()),
                            ..ServerMessage::default()
                        }))
                    })?;
                    let (client, first) = scram::Client::begin(password);
                    scram = Some(client);
                    reply::message(&mut self.io.out, b'p', |out| {
                        out.extend_from_slice(scram::MECHANISM.as_bytes());
                        out.push(0);
                        out.extend_from_slice(&(first.len() as i32).to_be_bytes());
                        out.extend_from_slice(first.as_bytes());
                    });
                }
                11 => {
                    let server_first = String::from_utf8_lossy(body.0).into_owned();
                    let client = scram.take().ok_or_else(|| unexpected(b'R'))?;
                    let (last, server_final) = client.finish(&server_first).map_err(|_| unexpected(b'R'))?;
                    expected = Some(server_final);
                    reply::message(&mut self.io.out, b'p', |out| out.extend_from_slice(last.as_bytes()));
                }
                12 => {
                    if expected.as_deref().map(str::as_bytes) != Some(body.0) {
                        return Err(ClientError::Protocol("the server does not know the password".to_owned()));
                    }
                }
                other => {
                    return Err(ClientError::Protocol(format!("authentication method {other} is not supported")));
                }
            }
            self.io.flush().await?;
        }
    }

    /// Sends statements; their answers are to be taken up to [`Event::Ready`].
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn query(&mut self, sql: &str) -> Result<(), ClientError> {
        reply::message(&mut self.io.out, b'Q', |out| {
            out.extend_from_slice(sql.as_bytes());
            out.push(0);
        });
        Ok(self.io.flush().await?)
    }

    /// Sends COPY data.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn copy_data(&mut self, data: &[u8]) -> Result<(), ClientError> {
        for chunk in data.chunks(BUFFER_BYTES) {
            reply::copy_data(&mut self.io.out, chunk);
            self.io.flush().await?;
        }
        Ok(())
    }

    /// Ends COPY data.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn copy_done(&mut self) -> Result<(), ClientError> {
        reply::copy_done(&mut self.io.out);
        Ok(self.io.flush().await?)
    }

    /// The next answer.
    ///
    /// # Errors
    /// When the connection broke, or the server says what this client does not understand.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            let frame = self.frame().await?;
            let mut body = Body(&frame.body);
            return Ok(match frame.kind {
                b'T' => {
                    let count = body.count()?;
                    let columns = (0..count).map(|_| {
                        let name = body.text()?.to_owned();
                        body.take(6)?;
                        let oid = body.i32()? as u32;
                        body.take(8)?;
                        Ok(ClientColumn { name, oid })
                    });
                    Event::Columns(columns.collect::<Result<_, Unreadable>>()?)
                }
                b'D' => {
                    let count = body.count()?;
                    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                    let values = (0..count).map(|_| Ok(body.value()?.map(text)));
                    Event::Row(values.collect::<Result<_, Unreadable>>()?)
                }
                b'C' => Event::Complete(body.text()?.to_owned()),
                b'I' => Event::Empty,
                b'E' => Event::Error(server_message(&frame)?),
                b'N' => Event::Notice(server_message(&frame)?),
                b'G' => Event::CopyIn,
                b'd' => Event::CopyData(frame.body),
                b'Z' => Event::Ready,
                b'S' | b'K' | b'H' | b'c' => continue,
                other => return Err(unexpected(other)),
            });
        }
    }

    /// Says good-bye.
    pub async fn close(mut self) {
        reply::message(&mut self.io.out, b'X', |_| {});
        let _ = self.io.flush().await;
    }

    async fn frame(&mut self) -> Result<Frame, ClientError> {
        loop {
            if let Some(frame) = self.io.buffered_reply()? {
                return Ok(frame);
            }
            if !self.io.read_more(BUFFER_BYTES).await? {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

fn unexpected(kind: u8) -> ClientError {
    ClientError::Protocol(format!("message of type {:?}", char::from(kind)))
}

fn server_message(frame: &Frame) -> Result<ServerMessage, Unreadable> {
    let mut body = Body(&frame.body);
    let mut message = ServerMessage::default();
    loop {
        let field = body.take(1)?[0];
        if field == 0 {
            return Ok(message);
        }
        let value = body.text()?.to_owned();
        match field {
            b'S' => message.severity = value,
            b'C' => message.sqlstate = value,
            b'M' => message.message = value,
            b'D' => message.detail = Some(value),
            b'H' => message.hint = Some(value),
            b'P' => message.position = value.parse().ok(),
            _ => {}
        }
    }
}
