//! A bare socket that sends what a test wants, and reads messages.

use crate::TestServer;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Raw {
    pub stream: TcpStream,
}

/// A message as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: char,
    pub body: Vec<u8>,
}

impl Message {
    /// A field of an ErrorResponse.
    pub fn field(&self, code: char) -> Option<String> {
        let fields = self.body.split(|b| *b == 0);
        fields
            .filter_map(|field| field.split_first())
            .find(|(c, _)| char::from(**c) == code)
            .map(|(_, value)| String::from_utf8(value.to_vec()).expect("UTF-8"))
    }
}

impl Raw {
    /// Connects and says nothing.
    pub async fn connect(server: &TestServer) -> Raw {
        Raw { stream: TcpStream::connect(server.pg_addr()).await.expect("it listens") }
    }

    /// Connects and is let in.
    pub async fn start(server: &TestServer) -> Raw {
        let mut raw = Raw::connect(server).await;
        raw.send(&Raw::startup(&[("user", "postgres"), ("database", "postgres")])).await;
        let messages = raw.until_ready().await;
        assert_eq!(messages[0], Message { kind: 'R', body: vec![0; 4] });
        raw
    }

    /// A start-up message.
    pub fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
        let mut body = Vec::from((3_i32 << 16).to_be_bytes());
        for (name, value) in parameters {
            body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        body.push(0);
        [&(body.len() as i32 + 4).to_be_bytes()[..], &body].concat()
    }

    /// A message of a type.
    pub fn message(kind: char, body: &[u8]) -> Vec<u8> {
        [&[kind as u8][..], &(body.len() as i32 + 4).to_be_bytes(), body].concat()
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the server reads");
    }

    /// Sends messages at once.
    pub async fn send_messages(&mut self, messages: &[(char, &[u8])]) {
        let bytes: Vec<u8> = messages.iter().flat_map(|(kind, body)| Raw::message(*kind, body)).collect();
        self.send(&bytes).await;
    }

    /// Sends a statement that is not answered soon.
    pub async fn begin(&mut self, sql: &str) {
        self.send(&Raw::message('Q', format!("{sql}\0").as_bytes())).await;
        let answered = tokio::time::timeout(Duration::from_millis(300), self.stream.peek(&mut [0])).await;
        assert!(answered.is_err(), "{:?}", self.next().await);
    }

    /// The next message; `None` when the server ended the connection.
    pub async fn next(&mut self) -> Option<Message> {
        let read = async {
            let kind = self.stream.read_u8().await.ok()?;
            let length = self.stream.read_i32().await.ok()?;
            let mut body = vec![0; length as usize - 4];
            self.stream.read_exact(&mut body).await.ok()?;
            Some(Message { kind: kind.into(), body })
        };
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("the server answers")
    }

    /// Messages up to the next ReadyForQuery, with it.
    pub async fn until_ready(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            let ready = message.kind == 'Z';
            messages.push(message);
            if ready {
                return messages;
            }
        }
        panic!("the connection ended after {messages:?}");
    }

    /// The types of the messages up to the next ReadyForQuery.
    pub async fn kinds(&mut self) -> String {
        self.until_ready().await.iter().map(|message| message.kind).collect()
    }

    /// The connection ends with this FATAL error.
    pub async fn ends_with(&mut self, sqlstate: &str) {
        let mut last = None;
        while let Some(message) = self.next().await {
            last = Some(message);
        }
        let last = last.expect("an error before the end");
        assert_eq!(last.kind, 'E', "{last:?}");
        assert_eq!(last.field('S').as_deref(), Some("FATAL"));
        assert_eq!(last.field('C').as_deref(), Some(sqlstate), "{last:?}");
    }
}
