//! How a connection begins: encryption, who the client is, and what it is told.

use super::cancel::{Key, Registration};
use super::connection::Stop;
use super::io::{Io, Stream};
use super::message::{Body, Frame, Unreadable, kind};
use super::scram::{self, Exchange, Refused, Verifier};
use super::{Authentication, Shared, reply};
use highwater::{Error, Session};
use std::sync::Arc;
use tracing::{info, warn};

const PROTOCOL_3: i32 = 3;
const CANCEL_REQUEST: i32 = 80_877_102;
const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;

/// What clients are told when the engine has nothing else to say.
const DEFAULT_STATUS: [(&str, &str); 10] = [
    ("server_version", concat!("15.0 (Highwater ", env!("CARGO_PKG_VERSION"), ")")),
    ("server_encoding", "UTF8"),
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("integer_datetimes", "on"),
    ("standard_conforming_strings", "on"),
    ("is_superuser", "on"),
    ("default_transaction_read_only", "off"),
];

/// What a client says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hello {
    user: String,
    database: String,
    settings: Vec<(String, String)>,
    unknown_options: Vec<String>,
    minor_version: i32,
}

/// Lets a client in. `None` when it only came to cancel, or left.
pub async fn start(io: &mut Io, shared: &Arc<Shared>) -> Result<Option<(Session, Registration)>, Stop> {
    let Some(hello) = greet(io, shared).await? else { return Ok(None) };
    if shared.shutdown.is_cancelled() {
        return Err(Stop::Fatal(Error::new("57P03", "the database system is shutting down")));
    }
    let too_many = || {
        Stop::Fatal(
            Error::new("53300", "sorry, too many clients already").hint("Raise max_connections, or share connections."),
        )
    };
    if shared.connections.is_full() {
        return Err(too_many());
    }
    if hello.minor_version > 0 || !hello.unknown_options.is_empty() {
        let options: Vec<&str> = hello.unknown_options.iter().map(String::as_str).collect();
        reply::negotiate_protocol_version(&mut io.out, &options);
    }
    if let Authentication::Scram { users, seed } = &shared.authentication {
        let verifier = users.get(&hello.user).cloned();
        let verifier = verifier.unwrap_or_else(|| Verifier::of_nobody(&hello.user, seed));
        if !authenticate(io, &hello.user, verifier).await? {
            return Ok(None);
        }
    }
    reply::authentication_ok(&mut io.out);
    let mut session = shared.instance.session(&hello.database, &hello.user).await.map_err(Stop::Fatal)?;
    for (name, value) in &shared.session {
        session.begin_with(name, value).map_err(Stop::Fatal)?;
    }
    for (name, value) in &hello.settings {
        let value = if name == "client_encoding" { client_encoding(value).map_err(Stop::Fatal)? } else { value };
        session.begin_with(name, value).map_err(Stop::Fatal)?;
    }
    io.peer.iter().for_each(|peer| session.connected_from(*peer));
    let registration = shared.connections.register(&session).ok_or_else(too_many)?;
    info!(user = hello.user, database = hello.database, "connected");
    tell_settings(io, &mut session, &hello);
    reply::backend_key_data(&mut io.out, registration.key.process, registration.key.secret);
    Ok(Some((session, registration)))
}

/// Agrees on encryption and reads who the client is.
async fn greet(io: &mut Io, shared: &Arc<Shared>) -> Result<Option<Hello>, Stop> {
    // A client asks at most for both kinds of encryption before it says who it is.
    for _ in 0..3 {
        let Some(frame) = startup_frame(io).await? else { return Ok(None) };
        let mut body = Body(&frame.body);
        match body.i32()? {
            SSL_REQUEST => match (&shared.tls, std::mem::replace(&mut io.stream, Stream::Closed)) {
                (Some(tls), Stream::Plain(stream)) => {
                    io.stream = Stream::Plain(stream);
                    io.out.push(b'S');
                    io.flush().await?;
                    // Bytes sent before encryption began would be taken for encrypted ones.
                    if !io.is_drained() {
                        return Err(Stop::Fatal(
                            Error::new("08P01", "received unencrypted data after SSL request").detail(
                                "This could be either a client-software bug or evidence of an attempted attack.",
                            ),
                        ));
                    }
                    let Stream::Plain(stream) = std::mem::replace(&mut io.stream, Stream::Closed) else {
                        return Err(Stop::Gone);
                    };
                    io.stream = Stream::Tls(Box::new(tls.accept(stream).await?));
                }
                (_, stream) => {
                    io.stream = stream;
                    io.out.push(b'N');
                    io.flush().await?;
                }
            },
            GSS_REQUEST => {
                io.out.push(b'N');
                io.flush().await?;
            }
            CANCEL_REQUEST => {
                let key = Key { process: body.i32()?, secret: body.i32()? };
                shared.connections.cancel(key);
                return Ok(None);
            }
            version if version >> 16 == PROTOCOL_3 => return read_hello(&mut body, version & 0xffff).map(Some),
            version => {
                return Err(Stop::Fatal(Error::unsupported(format!(
                    "unsupported frontend protocol {}.{}: server supports 3.0",
                    version >> 16,
                    version & 0xffff
                ))));
            }
        }
    }
    Err(Stop::Fatal(Error::new("08P01", "too many encryption requests")))
}

async fn startup_frame(io: &mut Io) -> Result<Option<Frame>, Stop> {
    loop {
        if let Some(frame) = io.buffered_startup()? {
            return Ok(Some(frame));
        }
        if !io.read_more(1024).await? {
            return Ok(None);
        }
    }
}

fn read_hello(body: &mut Body<'_>, minor_version: i32) -> Result<Hello, Stop> {
    let fatal = |e: Unreadable| Stop::Fatal(e.error());
    let mut hello = Hello { minor_version, ..Hello::default() };
    loop {
        let name = body.text().map_err(fatal)?;
        if name.is_empty() {
            break;
        }
        let value = body.text().map_err(fatal)?;
        match name {
            "user" => hello.user = value.to_owned(),
            "database" => hello.database = value.to_owned(),
            "options" => hello.settings.extend(read_options(value).map_err(Stop::Fatal)?),
            "replication" => match value {
                "false" | "off" | "no" | "0" => {}
                _ => return Err(Stop::Fatal(Error::unsupported("replication connections are not supported"))),
            },
            _ if name.starts_with("_pq_.") => hello.unknown_options.push(name.to_owned()),
            _ => hello.settings.push((name.to_owned(), value.to_owned())),
        }
    }
    if hello.user.is_empty() {
        return Err(Stop::Fatal(Error::new("28000", "no PostgreSQL user name specified in startup packet")));
    }
    if hello.database.is_empty() {
        hello.database.clone_from(&hello.user);
    }
    Ok(hello)
}

/// Settings in the form of command line options: `-c name=value` and `--name=value`.
fn read_options(options: &str) -> Result<Vec<(String, String)>, Error> {
    let mut words = Vec::new();
    let mut word = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_with(String::new).extend(characters.next()),
            space if space.is_ascii_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_with(String::new).push(other),
        }
    }
    words.extend(word);
    let mut words = words.into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--") {
            Some(setting) => Some(setting.to_owned()),
            None => match word.strip_prefix("-c") {
                Some("") => words.next(),
                other => other.map(str::to_owned),
            },
        };
        let setting = setting.as_deref().and_then(|setting| setting.split_once('='));
        let (name, value) = setting
            .ok_or_else(|| Error::syntax(format!("invalid command-line argument for server process: {word}")))?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn client_encoding(value: &str) -> Result<&'static str, Error> {
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    match plain.as_str() {
        "utf8" | "unicode" | "sqlascii" => Ok("UTF8"),
        _ => Err(Error::invalid_parameter(format!("invalid value for parameter \"client_encoding\": \"{value}\""))
            .hint("Highwater speaks UTF8 only.")),
    }
}

/// Lets the client prove that it knows the password. False when it left.
async fn authenticate(io: &mut Io, user: &str, verifier: Verifier) -> Result<bool, Stop> {
    let refuse = |refused| {
        warn!(user, "authentication failed");
        Stop::Fatal(match refused {
            Refused::WrongPassword => {
                Error::new("28P01", format!("password authentication failed for user \"{user}\""))
            }
            Refused::Malformed => Error::new("08P01", "malformed SCRAM message"),
        })
    };
    reply::authentication_sasl(&mut io.out, scram::MECHANISM);
    io.flush().await?;
    let Some(frame) = password_frame(io).await? else { return Ok(false) };
    let mut body = Body(&frame.body);
    if body.text()? != scram::MECHANISM {
        return Err(Stop::Fatal(Error::new("08P01", "client selected an invalid SASL authentication mechanism")));
    }
    let first = body.value()?.and_then(|data| std::str::from_utf8(data).ok());
    let (exchange, server_first) = Exchange::begin(verifier, first.unwrap_or("")).map_err(refuse)?;
    reply::authentication_sasl_continue(&mut io.out, &server_first);
    io.flush().await?;
    let Some(frame) = password_frame(io).await? else { return Ok(false) };
    let client_final = std::str::from_utf8(&frame.body).unwrap_or("");
    let server_final = exchange.finish(client_final).map_err(refuse)?;
    reply::authentication_sasl_final(&mut io.out, &server_final);
    Ok(true)
}

async fn password_frame(io: &mut Io) -> Result<Option<Frame>, Stop> {
    loop {
        match io.buffered()? {
            Some(frame) if frame.kind == kind::PASSWORD => return Ok(Some(frame)),
            Some(frame) => {
                let message = format!("expected SASL response, got message type {}", frame.kind);
                return Err(Stop::Fatal(Error::new("08P01", message)));
            }
            None if !io.read_more(1024).await? => return Ok(None),
            None => {}
        }
    }
}

fn tell_settings(io: &mut Io, session: &mut Session, hello: &Hello) {
    let reported = session.take_reported_settings();
    let application_name =
        hello.settings.iter().find(|(name, _)| name == "application_name").map_or("", |(_, value)| value);
    let of_client = [("application_name", application_name), ("session_authorization", &hello.user)];
    for (name, value) in DEFAULT_STATUS.into_iter().chain(of_client) {
        if !reported.iter().any(|(reported, _)| reported.eq_ignore_ascii_case(name)) {
            reply::parameter_status(&mut io.out, name, value);
        }
    }
    for (name, value) in &reported {
        reply::parameter_status(&mut io.out, name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_command_line_options() {
        let read = |options| read_options(options).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read(""), []);
        assert_eq!(
            read("-c geqo=off --statement-timeout=5s -cTimeZone=UTC"),
            [pair("geqo", "off"), pair("statement_timeout", "5s"), pair("TimeZone", "UTC"),]
        );
        assert_eq!(read("-c search_path=a,\\ b"), [pair("search_path", "a, b")]);
        assert!(read_options("-c").is_err());
        assert!(read_options("nonsense").is_err());
    }

    #[test]
    fn the_database_is_named_like_the_user_by_default() {
        let hello = read_hello(&mut Body(b"user\0a\0application_name\0psql\0_pq_.x\0y\0\0"), 0).unwrap();
        assert_eq!(hello.database, "a");
        assert_eq!(hello.settings, [("application_name".to_owned(), "psql".to_owned())]);
        assert_eq!(hello.unknown_options, ["_pq_.x"]);
        assert!(matches!(read_hello(&mut Body(b"\0"), 0), Err(Stop::Fatal(e)) if e.sqlstate == "28000"));
        assert!(matches!(read_hello(&mut Body(b"user\0a"), 0), Err(Stop::Fatal(e)) if e.sqlstate == "08P01"));
    }

    #[test]
    fn utf8_has_several_names() {
        for name in ["UTF8", "utf-8", "'utf-8'", "UNICODE"] {
            assert_eq!(client_encoding(name), Ok("UTF8"));
        }
        assert_eq!(client_encoding("LATIN1").unwrap_err().sqlstate, "22023");
    }
}
