//! The extended query protocol.

use crate::raw::Raw;
use crate::{TestServer, database_error, number};
use std::time::{Duration, SystemTime};
use tokio_postgres::types::{FromSql, ToSql, Type};

type Messages<'a> = &'a [(char, &'a [u8])];

const SYNC: (char, &[u8]) = ('S', b"");

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn values_of_every_type_go_there_and_come_back() {
    let server = TestServer::start().await;
    let client = server.client().await;
    client
        .batch_execute(
            "CREATE TABLE v (b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision, t text, \
             y bytea, ts timestamp, tz timestamptz)",
        )
        .await
        .unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_767_225_600_123_456);
    let values: [&(dyn ToSql + Sync); 10] =
        [&true, &-2_i16, &-3_i32, &i64::MAX, &1.5_f32, &-0.1_f64, &"añ", &&b"\x00\xff"[..], &time, &time];
    let insert = client.prepare("INSERT INTO v VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)").await.unwrap();
    let types = [
        Type::BOOL,
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::TEXT,
        Type::BYTEA,
        Type::TIMESTAMP,
        Type::TIMESTAMPTZ,
    ];
    assert_eq!(insert.params(), types);
    assert_eq!(client.execute(&insert, &values).await.unwrap(), 1);
    let nulls: [&(dyn ToSql + Sync); 10] = [
        &None::<bool>,
        &None::<i16>,
        &None::<i32>,
        &None::<i64>,
        &None::<f32>,
        &None::<f64>,
        &None::<&str>,
        &None::<&[u8]>,
        &None::<SystemTime>,
        &None::<SystemTime>,
    ];
    assert_eq!(client.execute(&insert, &nulls).await.unwrap(), 1);
    let rows = client.query("SELECT * FROM v ORDER BY i4 NULLS LAST", &[]).await.unwrap();
    let of_columns: Vec<Type> = rows[0].columns().iter().map(|column| column.type_().clone()).collect();
    assert_eq!(of_columns, types);
    fn value<'a, T: FromSql<'a>>(row: &'a tokio_postgres::Row, index: usize) -> Option<T> {
        row.get(index)
    }
    let row = &rows[0];
    assert_eq!(value(row, 0), Some(true));
    assert_eq!(value(row, 1), Some(-2_i16));
    assert_eq!(value(row, 2), Some(-3_i32));
    assert_eq!(value(row, 3), Some(i64::MAX));
    assert_eq!(value(row, 4), Some(1.5_f32));
    assert_eq!(value(row, 5), Some(-0.1_f64));
    assert_eq!(value(row, 6), Some("añ"));
    assert_eq!(value(row, 7), Some(&b"\x00\xff"[..]));
    assert_eq!(value(row, 8), Some(time));
    assert_eq!(value(row, 9), Some(time));
    assert!((0..10).all(|i| rows[1].try_get::<_, Option<bool>>(i).is_ok_and(|v| v.is_none()) || i > 0));
    assert_eq!(value::<SystemTime>(&rows[1], 9), None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_prepared_statement_can_be_executed_again() {
    let server = TestServer::start().await;
    let client = server.client().await;
    let statement = client.prepare_typed("SELECT $1 + 1, $2", &[Type::INT4, Type::TEXT]).await.unwrap();
    assert_eq!(statement.params(), [Type::INT4, Type::TEXT]);
    for n in 0..3_i32 {
        let row = client.query_one(&statement, &[&n, &"x"]).await.unwrap();
        assert_eq!(row.get::<_, &str>(1), "x");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn portals_give_as_many_rows_as_are_asked_for() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    number(&client, 10).await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("SELECT x FROM numbers ORDER BY x", &[]).await.unwrap();
    let mut found = Vec::new();
    for expected in [4, 4, 2, 0] {
        let rows = transaction.query_portal(&portal, 4).await.unwrap();
        assert_eq!(rows.len(), expected);
        found.extend(rows.iter().map(|row| row.get::<_, i32>(0)));
    }
    assert_eq!(found, (1..=10).collect::<Vec<_>>());
    transaction.commit().await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replies_come_in_the_order_of_the_messages() {
    let server = TestServer::start().await;
    let mut raw = Raw::start(&server).await;
    raw.send_messages(&[
        ('P', b"s\0SELECT 1 WHERE $1\0\0\x01\0\0\0\x10"),
        ('D', b"Ss\0"),
        ('B', b"p\0s\0\0\0\0\x01\0\0\0\x01t\0\0"),
        ('D', b"Pp\0"),
        ('E', b"p\0\0\0\0\0"),
        ('C', b"Pp\0"),
        ('C', b"Ss\0"),
        SYNC,
    ])
    .await;
    assert_eq!(raw.kinds().await, "1tT2TDC33Z");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_an_error_everything_up_to_sync_is_skipped() {
    let server = TestServer::start().await;
    let mut raw = Raw::start(&server).await;
    raw.send_messages(&[
        ('P', b"\0SELECT nonsense\0\0\0"),
        ('B', b"\0\0\0\0\0\0\0\0"),
        ('E', b"\0\0\0\0\0"),
        SYNC,
        ('P', b"\0SELECT 1\0\0\0"),
        ('B', b"\0\0\0\0\0\0\0\0"),
        ('E', b"\0\0\0\0\0"),
        SYNC,
    ])
    .await;
    let messages = raw.until_ready().await;
    assert_eq!(messages.iter().map(|m| m.kind).collect::<String>(), "EZ");
    assert_eq!(messages[0].field('C').as_deref(), Some("42703"));
    assert_eq!(raw.kinds().await, "12DCZ");
    // The error comes before Sync when the client waits for it.
    raw.send_messages(&[('P', b"\0SELECT nonsense\0\0\0"), ('H', b"")]).await;
    assert_eq!(raw.next().await.unwrap().kind, 'E');
    raw.send_messages(&[SYNC]).await;
    assert_eq!(raw.kinds().await, "Z");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_not_there_is_named() {
    let server = TestServer::start().await;
    let mut raw = Raw::start(&server).await;
    let bind_to_missing: &[u8] = b"\0nothing\0\0\0\0\0\0\0";
    let cases: [(Messages, &str); 7] = [
        (&[('B', bind_to_missing)], "26000"),
        (&[('D', b"Snothing\0")], "26000"),
        (&[('D', b"Pnothing\0")], "34000"),
        (&[('E', b"nothing\0\0\0\0\0")], "34000"),
        (&[('P', b"twice\0SELECT 1\0\0\0"), ('P', b"twice\0SELECT 1\0\0\0")], "42P05"),
        (&[('P', b"\0SELECT 1\0\0\0"), ('B', b"\0\0\0\0\0\x01\0\0\0\x01x\0\0")], "08P01"),
        (&[('P', b"\0SELECT 1\0\0\0"), ('B', b"\0\0\0\0\0\0\0\x02\0\0\0\0")], "08P01"),
    ];
    for (messages, sqlstate) in cases {
        raw.send_messages(messages).await;
        raw.send_messages(&[SYNC]).await;
        let replies = raw.until_ready().await;
        let e = replies.iter().find(|m| m.kind == 'E').unwrap_or_else(|| panic!("{messages:?}"));
        assert_eq!(e.field('C').as_deref(), Some(sqlstate), "{messages:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn statements_up_to_sync_are_one_transaction() {
    let server = TestServer::start().await;
    let client = server.client().await;
    client.batch_execute("CREATE TABLE t (a int)").await.unwrap();
    let mut raw = Raw::start(&server).await;
    let execute = |sql: &str| {
        let parse = [b"\0", sql.as_bytes(), b"\0\0\0"].concat();
        [Raw::message('P', &parse), Raw::message('B', b"\0\0\0\0\0\0\0\0"), Raw::message('E', b"\0\0\0\0\0")].concat()
    };
    let sync = Raw::message('S', b"");
    raw.send(&[execute("INSERT INTO t VALUES (1)"), execute("SELECT 1/0"), sync.clone()].concat()).await;
    assert!(raw.kinds().await.contains('E'));
    raw.send(&[execute("INSERT INTO t VALUES (2)"), execute("INSERT INTO t VALUES (3)"), sync].concat()).await;
    assert_eq!(raw.kinds().await, "12C12CZ");
    let rows = client.query("SELECT a FROM t ORDER BY a", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [2, 3]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_function_call_protocol_is_refused() {
    let server = TestServer::start().await;
    let mut raw = Raw::start(&server).await;
    raw.send_messages(&[('F', b"\0\0\0\x01\0\0\0\0\0\0")]).await;
    let messages = raw.until_ready().await;
    assert_eq!(messages[0].field('C').as_deref(), Some("0A000"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wrong_value_is_the_fault_of_its_statement_only() {
    let server = TestServer::start().await;
    let client = server.client().await;
    let mut raw = Raw::start(&server).await;
    raw.send_messages(&[
        ('P', b"\0SELECT $1\0\0\x01\0\0\0\x17"),
        ('B', b"\0\0\0\x01\0\x01\0\x01\0\0\0\x03abc\0\0"),
        SYNC,
    ])
    .await;
    let messages = raw.until_ready().await;
    assert_eq!(messages[1].field('C').as_deref(), Some("22P03"));
    assert!(messages[1].field('M').unwrap().ends_with("parameter 1"));
    let e = client.query("SELECT 1/0", &[]).await.unwrap_err();
    assert_eq!(database_error(&e).code().code(), "22012");
    server.stop().await;
}
