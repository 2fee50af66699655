//! How connections begin, are refused, and end.

use crate::raw::Raw;
use crate::{ENDLESS, TestServer, database_error};
use highwater_server::settings::{AuthenticationMethod, Seconds};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_is_told_what_it_needs_to_know() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send(&Raw::startup(&[("user", "ann"), ("database", "postgres"), ("client_encoding", "'utf-8'")])).await;
    let messages = raw.until_ready().await;
    let told: Vec<(String, String)> = messages
        .iter()
        .filter(|message| message.kind == 'S')
        .map(|message| {
            let text = String::from_utf8(message.body.clone()).unwrap();
            let (name, value) = text.trim_end_matches('\0').split_once('\0').unwrap_or((text.trim_matches('\0'), ""));
            (name.to_owned(), value.to_owned())
        })
        .collect();
    let value = |name: &str| {
        let values: Vec<&str> = told.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
        assert_eq!(values.len(), 1, "{name} in {told:?}");
        values[0].to_owned()
    };
    assert!(value("server_version").starts_with("15."));
    for (name, expected) in [
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("TimeZone", "UTC"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
        ("session_authorization", "ann"),
        ("application_name", ""),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert!(messages.iter().any(|message| message.kind == 'K'));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_unknown_database_is_refused() {
    let server = TestServer::start().await;
    let e = server.config().dbname("nowhere").connect(NoTls).await.err().unwrap();
    assert_eq!(database_error(&e).code().code(), "3D000");
    assert_eq!(database_error(&e).severity(), "FATAL");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_encoding_that_is_not_utf8_is_refused() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(&server).await;
    raw.send(&Raw::startup(&[("user", "postgres"), ("client_encoding", "LATIN1")])).await;
    raw.ends_with("22023").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn encryption_that_is_not_offered_is_declined() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(&server).await;
    for code in [80_877_104_i32, 80_877_103] {
        raw.send(&[8_i32.to_be_bytes(), code.to_be_bytes()].concat()).await;
        let mut answer = [0];
        tokio::io::AsyncReadExt::read_exact(&mut raw.stream, &mut answer).await.unwrap();
        assert_eq!(&answer, b"N");
    }
    raw.send(&Raw::startup(&[("user", "postgres")])).await;
    assert!(raw.kinds().await.ends_with('Z'));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_newer_protocol_is_negotiated_down() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(&server).await;
    let mut hello = Raw::startup(&[("user", "postgres"), ("_pq_.option", "x")]);
    hello[7] = 2; // version 3.2
    raw.send(&hello).await;
    let messages = raw.until_ready().await;
    assert_eq!(messages[0].kind, 'v');
    assert_eq!(messages[0].body, b"\0\0\0\0\0\0\0\x01_pq_.option\0");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_not_the_protocol_ends_its_connection_only() {
    let server = TestServer::start().await;
    let client = server.client().await;
    let beginnings: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\0\0\0\0\0",
        b"\0\0\0\x08\0\x03\0\0",       // no end of the parameters
        b"\0\0\0\x0d\0\x03\0\0user\0", // a name without a value
        b"\xff\xff\xff\xff\0\x03\0\0",
    ];
    for bytes in beginnings {
        let mut raw = Raw::connect(&server).await;
        raw.send(bytes).await;
        raw.ends_with("08P01").await;
    }
    let later: [&[u8]; 7] = [
        b"?\0\0\0\x04",
        b"Q\0\0\0\x03",
        b"Q\xff\xff\xff\xff",
        b"Q\0\0\0\x08abcd",       // a text without end
        b"S\0\0\0\x08abcd",       // too long for a Sync
        b"B\0\0\0\x08\0\0\0\x05", // formats that are not there
        b"S\x7f\xff\xff\xff",
    ];
    for bytes in later {
        let mut raw = Raw::start(&server).await;
        raw.send(bytes).await;
        raw.ends_with("08P01").await;
    }
    // Version 2 of the protocol.
    let mut raw = Raw::connect(&server).await;
    raw.send(b"\0\0\0\x08\0\x02\0\0").await;
    raw.ends_with("0A000").await;
    assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn random_bytes_do_no_harm() {
    use rand::{Rng, SeedableRng};
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let server = TestServer::start().await;
    for _ in 0..100 {
        let mut raw = Raw::start(&server).await;
        for _ in 0..random.random_range(1..5) {
            let kind = *b"QPBDECHSdcfFp".get(random.random_range(0..13)).unwrap();
            let body: Vec<u8> = (0..random.random_range(0..40)).map(|_| random.random::<u8>() & 0x8f).collect();
            // The server may have ended the connection already.
            if raw.stream.write_all(&Raw::message(kind.into(), &body)).await.is_err() {
                break;
            }
        }
        drop(raw);
    }
    assert_eq!(server.client().await.query_one("SELECT 1", &[]).await.unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn as_many_clients_as_allowed_and_no_more() {
    let server = TestServer::start_with(|settings| settings.max_connections = 2).await;
    let (first, _second) = (server.client().await, server.client().await);
    let e = server.config().connect(NoTls).await.err().unwrap();
    assert_eq!(database_error(&e).code(), &SqlState::TOO_MANY_CONNECTIONS);
    // Cancelling works all the same.
    first.cancel_token().cancel_query(NoTls).await.unwrap();
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.config().connect(NoTls).await.is_err() {
        assert!(Instant::now() < deadline, "a place is free again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passwords_are_asked_for() {
    let server = TestServer::start_with(|settings| {
        settings.auth = AuthenticationMethod::Scram;
        settings.users.insert("postgres".to_owned(), "sécret".to_owned());
    })
    .await;
    let (client, connection) = server.config().password("sécret").connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().len(), 1);
    for (user, password) in [("postgres", "wrong"), ("nobody", "sécret")] {
        let e = server.config().user(user).password(password).connect(NoTls).await.err().unwrap();
        assert_eq!(database_error(&e).code(), &SqlState::INVALID_PASSWORD, "{user}");
    }
    // Without any answer to the question.
    let mut raw = Raw::connect(&server).await;
    raw.send(&Raw::startup(&[("user", "postgres")])).await;
    raw.send(&Raw::message('Q', b"SELECT 1\0")).await;
    raw.ends_with("08P01").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everyone_is_let_in_from_this_machine_only() {
    let settings = |settings: &mut highwater_server::Settings| settings.pg = "0.0.0.0:0".parse().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut wrong = highwater_server::Settings { data_dir: directory.path().into(), ..Default::default() };
    settings(&mut wrong);
    let e = highwater_server::Server::start(wrong).await.err().unwrap();
    assert!(e.to_string().contains("without passwords"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_running_statement_is_cancelled() {
    let server = TestServer::start().await;
    let client = server.client().await;
    let token = client.cancel_token();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel_query(NoTls).await.unwrap();
    };
    let began = Instant::now();
    let (result, ()) = tokio::join!(client.simple_query(ENDLESS), cancel);
    assert_eq!(database_error(&result.unwrap_err()).code(), &SqlState::QUERY_CANCELED);
    assert!(began.elapsed() < Duration::from_secs(10));
    // The next statement is not.
    assert_eq!(client.query_one("SELECT 1", &[]).await.unwrap().len(), 1);
    // A wrong key cancels nothing, and gets no answer.
    let mut raw = Raw::connect(&server).await;
    raw.send(&[16_i32, 80_877_102, 1, 2].map(i32::to_be_bytes).concat()).await;
    assert_eq!(raw.next().await, None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_sees_the_others_and_can_stop_them() {
    let server = TestServer::start().await;
    let client = server.client().await;
    let mut raw = Raw::start(&server).await;
    raw.begin(ENDLESS).await;
    let seen =
        "SELECT host(client_addr), client_port > 0, state FROM pg_stat_activity WHERE query LIKE '%1000000000000%'";
    let row = client.query_one(&format!("{seen} AND pid <> pg_backend_pid()"), &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, bool>(1), row.get::<_, &str>(2)), ("127.0.0.1", true, "active"));
    let of_other = "FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
    let cancelled = client.query_one(&format!("SELECT pg_cancel_backend(pid) {of_other}"), &[]).await.unwrap();
    assert!(cancelled.get::<_, bool>(0));
    let messages = raw.until_ready().await;
    assert!(messages.iter().any(|message| message.field('C').as_deref() == Some("57014")), "{messages:?}");
    // To prepare what ends a session does not end it.
    let end = client.prepare(&format!("SELECT pg_terminate_backend(pid) {of_other}")).await.unwrap();
    assert_eq!(client.query_one(&format!("SELECT state {of_other}"), &[]).await.unwrap().get::<_, &str>(0), "idle");
    assert!(client.query_one(&end, &[]).await.unwrap().get::<_, bool>(0));
    raw.ends_with("57P01").await;
    assert_eq!(client.query_one(&format!("SELECT count(*) {of_other}"), &[]).await.unwrap().get::<_, i64>(0), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_statement_ends_when_its_client_goes_away() {
    let server = TestServer::start_with(|settings| settings.max_connections = 1).await;
    let mut raw = Raw::start(&server).await;
    raw.begin(ENDLESS).await;
    drop(raw);
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.config().connect(NoTls).await.is_err() {
        assert!(Instant::now() < deadline, "the connection ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stopping_ends_idle_clients_and_long_statements() {
    let server = TestServer::start_with(|settings| settings.shutdown_grace = Seconds(0.2)).await;
    let mut idle = Raw::start(&server).await;
    let mut busy = Raw::start(&server).await;
    busy.begin(ENDLESS).await;
    let address = server.pg_addr();
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    idle.ends_with("57P01").await;
    busy.ends_with("57P01").await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_that_waits_too_long_is_ended() {
    let server = TestServer::start().await;
    let client = server.client().await;
    client.batch_execute("CREATE TABLE t (a int)").await.unwrap();
    for failed in [false, true] {
        let mut raw = Raw::start(&server).await;
        let wait = "SET idle_in_transaction_session_timeout = '300ms'; BEGIN; INSERT INTO t VALUES (1)";
        raw.send_messages(&[('Q', format!("{wait}\0").as_bytes())]).await;
        assert!(raw.kinds().await.ends_with('Z'));
        if failed {
            raw.send_messages(&[('Q', b"SELECT 1 / 0\0")]).await;
            assert!(raw.kinds().await.ends_with("EZ"));
        }
        let began = Instant::now();
        raw.ends_with("25P03").await;
        assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    }
    assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get::<_, i64>(0), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_what_waits_for_its_client_is_ended() {
    let server = TestServer::start().await;
    let mut raw = Raw::start(&server).await;
    let settings = "SET idle_in_transaction_session_timeout = 200; SET idle_session_timeout = 600";
    raw.send_messages(&[('Q', format!("{settings}\0").as_bytes())]).await;
    assert!(raw.kinds().await.ends_with('Z'));
    // Outside of a transaction, while a statement runs in one, and before a Sync.
    tokio::time::sleep(Duration::from_millis(300)).await;
    raw.send_messages(&[('Q', b"BEGIN\0")]).await;
    assert_eq!(raw.kinds().await, "CZ");
    let busy = "SELECT count(*) FROM generate_series(1, 3000000) n(x) WHERE x % 7 = 9";
    raw.send_messages(&[('Q', format!("{busy}\0").as_bytes())]).await;
    assert_eq!(raw.kinds().await, "TDCZ");
    raw.send_messages(&[('P', b"\0COMMIT\0\0\0"), ('B', b"\0\0\0\0\0\0\0\0"), ('H', b"")]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    raw.send_messages(&[('E', b"\0\0\0\0\0"), ('S', b"")]).await;
    assert_eq!(raw.kinds().await, "12CZ");
    raw.ends_with("57P05").await;
    server.stop().await;
}
