//! Every statement under `tests/statements`, as clients send it, is answered.

use futures::StreamExt;
use highwater::{Outcome, Session};
use highwater_testkit::memory;
use std::path::Path;

const SETUP: &str = "
CREATE TABLE readings (time timestamptz NOT NULL, sensor integer DEFAULT 7, note text, price numeric(10, 2), PRIMARY KEY (time, sensor));
SELECT create_hypertable('readings', 'time');
CREATE INDEX readings_note ON readings (note DESC);
CREATE VIEW noted AS SELECT time, note FROM readings;
CREATE MATERIALIZED VIEW readings_daily WITH (timescaledb.continuous) AS
  SELECT time_bucket('1 day', time) AS bucket, sensor, count(*) AS n FROM readings GROUP BY 1, 2 WITH NO DATA;
INSERT INTO readings VALUES ('2026-03-01 00:00:00+00', 1, 'a', 1.5);
COMMENT ON TABLE readings IS 'what was read';
";

/// The rows of a query as text.
pub async fn rows(session: &mut Session, sql: &str) -> highwater::Result<Vec<Vec<String>>> {
    let prepared = session.prepare(sql, &[]).await?;
    let Outcome::Rows { columns, mut rows, .. } = session.execute(&prepared, vec![]).await? else { return Ok(vec![]) };
    let mut all = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let zone = highwater::model::time::Zone::UTC;
        let writers = batch.columns().iter().zip(columns.fields());
        let writers = writers.map(|(array, field)| highwater::text::ColumnWriter::new(array.as_ref(), field, zone));
        let writers = writers.collect::<highwater::Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            let cell = |writer: &highwater::text::ColumnWriter| {
                let mut out = Vec::new();
                if writer.write(row, &mut out) { String::from_utf8_lossy(&out).into_owned() } else { "NULL".to_owned() }
            };
            all.push(writers.iter().map(cell).collect());
        }
    }
    Ok(all)
}

async fn answered(file: &str) {
    let mut session = memory::session(SETUP).await.expect("the setup is right");
    let oid = rows(&mut session, "SELECT oid FROM pg_class WHERE relname = 'readings'").await.expect("it is there");
    let oid = &oid[0][0];
    let namespace =
        rows(&mut session, "SELECT oid FROM pg_namespace WHERE nspname = 'public'").await.expect("it is there");
    let namespace = &namespace[0][0];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/statements").join(file);
    let text =
        std::fs::read_to_string(path).expect("the file can be read").replace("16384", oid).replace("2200", namespace);
    let mut failures = Vec::new();
    let statements = session.split(&text).expect("the file can be split");
    let count = statements.len();
    for sql in statements {
        match rows(&mut session, &sql).await {
            Ok(rows) if std::env::var("SHOW").is_ok() => println!("{}\n  => {rows:?}\n", sql.trim()),
            Ok(_) => {}
            Err(e) => failures.push(format!("{}\n  => {} {}\n", sql.trim(), e.sqlstate, e.message)),
        }
    }
    assert!(failures.is_empty(), "{} of {count} statements failed:\n\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_describes_everything() {
    answered("psql.sql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drivers_find_what_they_look_for() {
    answered("drivers.sql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jdbc_finds_what_it_looks_for() {
    answered("jdbc.sql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grafana_finds_what_it_looks_for() {
    answered("grafana.sql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dbeaver_finds_what_it_looks_for() {
    answered("dbeaver.sql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metabase_finds_what_it_looks_for() {
    answered("metabase.sql").await;
}
