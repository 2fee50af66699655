//! COPY in both directions.

use crate::raw::Raw;
use crate::{TestServer, database_error};
use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use std::pin::pin;
use std::time::{Duration, SystemTime};
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutRow, BinaryCopyOutStream};
use tokio_postgres::types::Type;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_are_copied_in_and_out() {
    let server = TestServer::start().await;
    let client = server.client().await;
    client.batch_execute("CREATE TABLE t (a int, b text)").await.unwrap();
    let mut sink = pin!(client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap());
    let mut expected = String::new();
    for n in 0..10_000 {
        let line = format!("{n}\tvalue {n}\n");
        expected += &line;
        // In pieces that are not lines.
        for piece in line.as_bytes().chunks(5) {
            sink.feed(Bytes::copy_from_slice(piece)).await.unwrap();
        }
    }
    assert_eq!(sink.finish().await.unwrap(), 10_000);
    let stream = pin!(client.copy_out("COPY (SELECT * FROM t ORDER BY a) TO STDOUT").await.unwrap());
    let pieces: Vec<Bytes> = stream.try_collect().await.unwrap();
    assert_eq!(pieces.len(), 10_000, "one message per row");
    assert_eq!(String::from_utf8(pieces.concat()).unwrap(), expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_are_copied_in_and_out_in_the_binary_format() {
    type Row = (i64, Option<String>, f64, SystemTime, bool, Vec<i32>);
    let server = TestServer::start().await;
    let client = server.client().await;
    client
        .batch_execute("CREATE TABLE t (a bigint, b text, c float8, d timestamptz, e boolean, f integer[])")
        .await
        .unwrap();
    let types = [Type::INT8, Type::TEXT, Type::FLOAT8, Type::TIMESTAMPTZ, Type::BOOL, Type::INT4_ARRAY];
    let row = |n: i64| -> Row {
        let text = (n % 3 != 0).then(|| format!("value {n}"));
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_800_000_000_000_000 + n as u64);
        (n, text, n as f64 / 7.0, time, n % 2 == 0, (0..(n % 4) as i32).collect())
    };
    let rows: Vec<Row> = (0..5_000).map(row).collect();
    let sink = client.copy_in("COPY t FROM STDIN (FORMAT binary)").await.unwrap();
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for (a, b, c, d, e, f) in &rows {
        writer.as_mut().write(&[a, b, c, d, e, f]).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap(), 5_000);
    let stream = client.copy_out("COPY (SELECT * FROM t ORDER BY a) TO STDOUT (FORMAT binary)").await.unwrap();
    let read: Vec<BinaryCopyOutRow> = BinaryCopyOutStream::new(stream, &types).try_collect().await.unwrap();
    let read: Vec<Row> = read.iter().map(|r| (r.get(0), r.get(1), r.get(2), r.get(3), r.get(4), r.get(5))).collect();
    assert_eq!(read, rows);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_pieces_are_copied_in() {
    let server = TestServer::start().await;
    let client = server.client().await;
    client.batch_execute("CREATE TABLE t (a int, b text)").await.unwrap();
    let mut sink = pin!(client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap());
    let data: String = (0..100_000).map(|n| format!("{n}\tvalue {n}\n")).collect();
    for piece in data.as_bytes().chunks(300_000) {
        sink.send(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 100_000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_copy_keeps_nothing_and_leaves_the_connection_usable() {
    let server = TestServer::start().await;
    let client = server.client().await;
    client.batch_execute("CREATE TABLE t (a int)").await.unwrap();
    let mut sink = pin!(client.copy_in::<_, Bytes>("COPY t FROM STDIN").await.unwrap());
    sink.send(Bytes::from_static(b"1\nbad\n3\n")).await.unwrap();
    let e = sink.finish().await.unwrap_err();
    assert_eq!(database_error(&e).code().code(), "22P02");
    assert_eq!(client.query("SELECT a FROM t", &[]).await.unwrap().len(), 0);

    let mut raw = Raw::start(&server).await;
    raw.send_messages(&[('Q', b"COPY t FROM STDIN\0")]).await;
    assert_eq!(raw.next().await.unwrap().kind, 'G');
    raw.send_messages(&[('d', b"1\n"), ('H', b""), ('f', b"changed my mind\0")]).await;
    let messages = raw.until_ready().await;
    assert_eq!(messages[0].field('C').as_deref(), Some("57014"));
    assert!(messages[0].field('M').unwrap().contains("changed my mind"));
    // What a client sends before it knows of the error is ignored.
    raw.send_messages(&[('d', b"2\n"), ('c', b""), ('Q', b"SELECT 1\0")]).await;
    assert_eq!(raw.kinds().await, "TDCZ");
    assert_eq!(client.query("SELECT a FROM t", &[]).await.unwrap().len(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_message_within_copy_data_ends_the_connection() {
    let server = TestServer::start().await;
    let client = server.client().await;
    client.batch_execute("CREATE TABLE t (a int)").await.unwrap();
    let mut raw = Raw::start(&server).await;
    raw.send_messages(&[('Q', b"COPY t FROM STDIN\0"), ('d', b"1\n"), ('Q', b"SELECT 1\0")]).await;
    raw.ends_with("08P01").await;
    assert_eq!(client.query("SELECT a FROM t", &[]).await.unwrap().len(), 0);
    server.stop().await;
}
