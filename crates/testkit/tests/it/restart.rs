//! What is kept is there after a restart: from the log, and from segments.

use crate::statements::rows;
use highwater::{Instance, InstanceOptions};

const SETUP: &str = "
CREATE TABLE readings (time timestamptz NOT NULL, sensor integer, value double precision);
SELECT create_hypertable('readings', 'time');
INSERT INTO readings SELECT timestamptz '2026-03-01 00:00Z' + n * interval '1 minute', n % 3, n FROM generate_series(1, 3000) AS numbers (n);
CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous) AS
  SELECT time_bucket('1 hour', time) AS bucket, sensor, percentile_agg(value) AS sketch, approx_count_distinct(value::integer % 100) AS kinds,
    tdigest(20, value) AS digest, stats_agg(value) AS stats, stats_agg(value, sensor) AS pair
  FROM readings GROUP BY 1, 2;
";

#[tokio::test(flavor = "multi_thread")]
async fn states_are_what_they_were() {
    let directory = tempfile::tempdir().expect("there is room for files");
    let options = || InstanceOptions { scheduler: false, ..InstanceOptions::at(directory.path()) };
    let mut answers = Vec::new();
    for start in 0..3 {
        let instance = Instance::open(options()).await.expect("it can be opened");
        let mut session = instance.session("postgres", "postgres").await.expect("there is such a database");
        if start == 0 {
            session.run(SETUP).await.expect("the setup is right");
        }
        let all = rows(&mut session, "SELECT * FROM hourly ORDER BY bucket, sensor").await.expect("it is answered");
        let sql = "SELECT num_vals(rollup(stats)), distinct_count(rollup(kinds)), num_vals(rollup(digest)) FROM hourly";
        let totals = rows(&mut session, sql).await.expect("it is answered");
        assert_eq!(totals, [["3000", "100", "3000"]]);
        answers.push(all);
        drop(session);
        instance.close().await.expect("it can be closed");
    }
    assert!(answers[0].len() > 150 && answers[0] == answers[1] && answers[1] == answers[2]);
}

const UNITED: &str = "
CREATE TABLE meters (time timestamptz NOT NULL, value integer);
CREATE TABLE probes (time timestamptz NOT NULL, value integer);
SELECT create_hypertable('meters', 'time'), create_hypertable('probes', 'time');
INSERT INTO meters VALUES ('2026-03-01 00:10Z', 1);
CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
  SELECT time_bucket('1 hour', time) AS bucket, sum(value) AS total
  FROM (SELECT * FROM meters UNION ALL SELECT * FROM probes) AS both_of_them GROUP BY 1;
";

#[tokio::test(flavor = "multi_thread")]
async fn each_of_united_hypertables_is_followed() {
    let directory = tempfile::tempdir().expect("there is room for files");
    let options = || InstanceOptions { scheduler: false, ..InstanceOptions::at(directory.path()) };
    for start in 0..3 {
        let instance = Instance::open(options()).await.expect("it can be opened");
        let mut session = instance.session("postgres", "postgres").await.expect("there is such a database");
        match start {
            0 => session.run(UNITED).await.expect("the setup is right"),
            _ => session.run("INSERT INTO probes VALUES ('2026-03-01 00:20Z', 100)").await.expect("it is accepted"),
        };
        let totals = rows(&mut session, "SELECT total FROM hourly").await.expect("it is answered");
        assert_eq!(totals, [[(1 + 100 * start).to_string()]]);
        let refresh = "CALL refresh_continuous_aggregate('hourly', NULL, NULL)";
        session.run(refresh).await.expect("it is refreshed");
        drop(session);
        instance.close().await.expect("it can be closed");
    }
}

const DROPPED: &str = "
CREATE TABLE readings (time timestamptz NOT NULL, value integer);
SELECT create_hypertable('readings', 'time', chunk_time_interval => interval '1 day');
INSERT INTO readings VALUES ('2026-03-01 00:10Z', 1), ('2026-03-03 00:10Z', 2), ('2026-03-04 00:10Z', 3);
CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous) AS
  SELECT time_bucket('1 hour', time) AS bucket, sum(value) AS total FROM readings GROUP BY 1;
SELECT drop_chunks('readings', '2026-03-04Z'::timestamptz);
";

#[tokio::test(flavor = "multi_thread")]
async fn history_that_is_discarded_is_named_and_does_not_come_back() {
    let directory = tempfile::tempdir().expect("there is room for files");
    let options = || InstanceOptions { scheduler: false, ..InstanceOptions::at(directory.path()) };
    for start in 0..3 {
        let instance = Instance::open(options()).await.expect("it can be opened");
        let mut session = instance.session("postgres", "postgres").await.expect("there is such a database");
        if start == 0 {
            session.run(DROPPED).await.expect("the setup is right");
            session.take_notices();
            let other = "CREATE OR REPLACE MATERIALIZED VIEW hourly WITH (timescaledb.continuous, highwater.discard_frozen) AS
                SELECT time_bucket('1 hour', time) AS bucket, sum(value) AS total FROM readings WHERE value > 0 GROUP BY 1";
            session.run(other).await.expect("it is replaced");
            let notices = session.take_notices();
            let told: Vec<_> =
                notices.iter().map(|n| (n.message.as_str(), n.detail.as_deref().unwrap_or(""))).collect();
            assert_eq!(
                told,
                [(
                    "continuous aggregate \"hourly\" lost what it held of dropped chunks",
                    "Of {[\"2026-03-01 00:00:00+00\",\"2026-03-02 00:00:00+00\"),[\"2026-03-03 00:00:00+00\",\"2026-03-04 00:00:00+00\")} \
                 it has the rows that are in \"readings\" now, and those that come.",
                )]
            );
        }
        session
            .run("CALL refresh_continuous_aggregate('hourly', NULL, NULL, force => true)")
            .await
            .expect("it is refreshed");
        let totals = rows(&mut session, "SELECT total FROM hourly").await.expect("it is answered");
        assert_eq!(totals, [["3"]]);
        drop(session);
        instance.close().await.expect("it can be closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_tables_are_gone_with_their_session() {
    let directory = tempfile::tempdir().expect("there is room for files");
    let options = || InstanceOptions { scheduler: false, ..InstanceOptions::at(directory.path()) };
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pg_temp%'";

    let instance = Instance::open(options()).await.expect("it can be opened");
    let mut session = instance.session("postgres", "postgres").await.expect("there is such a database");
    let mut other = instance.session("postgres", "postgres").await.expect("there is such a database");
    let make = "CREATE TEMP TABLE numbers (a serial); INSERT INTO numbers DEFAULT VALUES; SELECT a FROM numbers";
    session.run(make).await.expect("it can be made");
    assert_eq!(rows(&mut other, schemas).await.expect("it is answered"), [["1"]]);
    drop(session);
    for _ in 0..1000 {
        if rows(&mut other, schemas).await.expect("it is answered") == [["0"]] {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(rows(&mut other, schemas).await.expect("it is answered"), [["0"]]);

    // A session that the end of the instance cuts off leaves them to the next start.
    other.run(make).await.expect("it can be made");
    instance.close().await.expect("it can be closed");
    drop((other, instance));
    let instance = Instance::open(options()).await.expect("it can be opened");
    let mut session = instance.session("postgres", "postgres").await.expect("there is such a database");
    assert_eq!(rows(&mut session, schemas).await.expect("it is answered"), [["0"]]);
    drop(session);
    instance.close().await.expect("it can be closed");
}
