//! The simple query protocol.

use crate::raw::{Message, Raw};
use crate::{TestServer, database_error, number};
use tokio_postgres::SimpleQueryMessage;

fn rows(messages: &[SimpleQueryMessage]) -> Vec<Vec<Option<String>>> {
    messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_statement_of_a_string_is_answered() {
    let server = TestServer::start().await;
    let mut raw = Raw::start(&server).await;
    raw.send(&Raw::message('Q', b"SELECT 1; SELECT 'a', NULL\0")).await;
    let messages = raw.until_ready().await;
    let kinds: String = messages.iter().map(|m| m.kind).collect();
    assert_eq!(kinds, "TDCTDCZ");
    assert_eq!(messages[1].body, b"\0\x01\0\0\0\x011");
    assert_eq!(messages[2], Message { kind: 'C', body: b"SELECT 1\0".to_vec() });
    assert_eq!(messages[4].body, b"\0\x02\0\0\0\x01a\xff\xff\xff\xff");
    assert_eq!(messages[6].body, b"I");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_empty_string_is_answered() {
    let server = TestServer::start().await;
    let mut raw = Raw::start(&server).await;
    for sql in [&b"\0"[..], b" ; \0", b"-- nothing\0"] {
        raw.send(&Raw::message('Q', sql)).await;
        assert_eq!(raw.kinds().await, "IZ", "{sql:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_error_skips_the_rest_and_its_position_counts_from_the_beginning() {
    let server = TestServer::start().await;
    let client = server.client().await;
    let mut raw = Raw::start(&server).await;
    raw.send(&Raw::message('Q', b"SELECT 1; SELECT 1/0; SELECT 3\0")).await;
    let messages = raw.until_ready().await;
    let kinds: String = messages.iter().map(|m| m.kind).collect();
    assert!(kinds.starts_with("TDC") && kinds.ends_with("EZ") && kinds.matches('C').count() == 1, "{kinds}");
    let e = client.simple_query("SELECT 1; SELEKT 2").await.unwrap_err();
    assert_eq!(database_error(&e).code().code(), "42601");
    assert_eq!(client.simple_query("SELECT 1").await.unwrap().len(), 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_statements_of_a_string_are_one_transaction() {
    let server = TestServer::start().await;
    let client = server.client().await;
    client.batch_execute("CREATE TABLE t (a int)").await.unwrap();
    client.batch_execute("INSERT INTO t VALUES (1); SELECT 1/0").await.unwrap_err();
    client.batch_execute("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)").await.unwrap();
    client.batch_execute("BEGIN; INSERT INTO t VALUES (4); COMMIT; SELECT 1/0").await.unwrap_err();
    let found = client.simple_query("SELECT a FROM t ORDER BY a").await.unwrap();
    let expected: Vec<Vec<Option<String>>> = [2, 3, 4].map(|n: i32| vec![Some(n.to_string())]).into();
    assert_eq!(rows(&found), expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_block_refuses_until_it_ends() {
    let server = TestServer::start().await;
    let mut raw = Raw::start(&server).await;
    for (sql, status) in
        [("BEGIN", b'T'), ("SELECT 1", b'T'), ("SELECT nonsense", b'E'), ("SELECT 1", b'E'), ("ROLLBACK", b'I')]
    {
        raw.send(&Raw::message('Q', format!("{sql}\0").as_bytes())).await;
        let messages = raw.until_ready().await;
        assert_eq!(messages.last().unwrap().body, [status], "{sql}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_results_arrive_whole() {
    let server = TestServer::start().await;
    let client = server.client().await;
    number(&client, 100_000).await;
    let found = client.simple_query("SELECT x FROM numbers").await.unwrap();
    let found = rows(&found);
    assert_eq!(found.len(), 100_000);
    let sum: i64 = found.iter().map(|row| row[0].as_deref().unwrap().parse::<i64>().unwrap()).sum();
    assert_eq!(sum, 5_000_050_000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bytes_that_are_not_utf8_are_an_error_and_no_more() {
    let server = TestServer::start().await;
    let mut raw = Raw::start(&server).await;
    raw.send(&Raw::message('Q', b"SELECT '\xff'\0")).await;
    let messages = raw.until_ready().await;
    assert_eq!(messages[0].field('C').as_deref(), Some("22021"));
    assert_eq!(messages[0].field('S').as_deref(), Some("ERROR"));
    raw.send(&Raw::message('Q', b"SELECT 1\0")).await;
    assert_eq!(raw.kinds().await, "TDCZ");
    server.stop().await;
}
