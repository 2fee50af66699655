//! Queries of rows, answered from continuous aggregates and from the rows: the answers are the same.
//!
//! Values are multiples of a quarter, so that sums do not depend on their order.

use crate::statements::rows;
use highwater::Session;
use highwater_testkit::memory;
use highwater_testkit::oracle::random::Random;

const SETUP: &str = "
CREATE TABLE r (time timestamptz NOT NULL, device text, site int, v double precision, n int);
SELECT create_hypertable('r', 'time', chunk_time_interval => interval '5 days 7 hours');
CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous) AS
  SELECT time_bucket('1 hour', time) AS bucket, device, site, count(*) AS c, avg(v) AS a, stddev(v) AS s, min(v) AS lo, max(v) AS hi,
    sum(n) AS sn, first(v, time) AS f, last(v, time) AS l, percentile_cont(0.5) WITHIN GROUP (ORDER BY v) AS med,
    count(DISTINCT n) AS d, sum(v) FILTER (WHERE n > 2) AS big, bool_or(n > 3) AS any
  FROM r GROUP BY 1, 2, 3 WITH NO DATA;
CREATE MATERIALIZED VIEW known WITH (timescaledb.continuous) AS
  SELECT time_bucket('15 minutes', time, origin => timestamptz '2026-01-01 00:05Z') AS bucket, upper(device) AS device, covar_pop(v, n) AS cv, count(v) AS c
  FROM r WHERE device IS NOT NULL GROUP BY 1, 2 HAVING count(v) > 1 WITH NO DATA;
CREATE MATERIALIZED VIEW local WITH (timescaledb.continuous) AS
  SELECT time_bucket('1 day', time, 'Europe/Berlin') AS day, site, sum(v) AS total, min(n) AS least FROM r GROUP BY 1, 2 WITH NO DATA;
";

/// Columns to group by, what is computed, and conditions; `hourly` answers any of them, and others some.
const GROUPS: &[&str] = &[
    "time_bucket('1 hour', time)",
    "time_bucket('1 day', time)",
    "date_trunc('month', time)",
    "device",
    "site",
    "upper(device)",
    "site % 2",
    "extract(hour from time_bucket('3 hours', time))",
];
const CALLS: &[&str] = &[
    "count(*)",
    "round(avg(v)::numeric, 9)",
    "round(stddev(v)::numeric, 9)",
    "min(v)",
    "max(v) - min(v)",
    "sum(n)",
    "first(v, time)",
    "last(v, time)",
    "percentile_cont(0.25) WITHIN GROUP (ORDER BY v)",
    "count(DISTINCT n)",
    "sum(v) FILTER (WHERE n > 2)",
    "bool_or(n > 3)",
    "round(var_pop(v)::numeric, 9)",
    "count(v)",
];
const CONDITIONS: &[&str] =
    &["device = 'b'", "site IN (1, 3)", "device IS NULL OR site > 1", "time_bucket('1 day', time) <> '2026-03-02Z'"];

async fn run(session: &mut Session, sql: &str) {
    session.run(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
}

async fn answer(session: &mut Session, mode: &str, sql: &str) -> Vec<Vec<String>> {
    run(session, &format!("SET highwater.enable_rewrite = {mode}")).await;
    rows(session, sql).await.unwrap_or_else(|e| panic!("{mode}: {sql}: {e}"))
}

async fn is_rewritten(session: &mut Session, sql: &str) -> bool {
    let plan = answer(session, "always", &format!("EXPLAIN {sql}")).await;
    plan.iter().flatten().any(|line| line.contains("_materialized_hypertable_"))
}

fn time(random: &mut Random) -> String {
    let minutes = match random.chance(40) {
        true => random.between(0, 30 * 24) * 60,
        false => random.between(0, 30 * 24 * 60),
    };
    format!("(timestamptz '2026-02-20Z' + interval '{minutes} minutes')")
}

fn some(random: &mut Random, of: &[&'static str], most: usize) -> Vec<&'static str> {
    let mut chosen: Vec<&str> = (0..random.below(most + 1)).map(|_| *random.pick(of)).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

fn query(random: &mut Random) -> String {
    let groups = some(random, GROUPS, 3);
    let mut calls = some(random, CALLS, 4);
    if groups.is_empty() && calls.is_empty() {
        calls.push(CALLS[0]);
    }
    let mut conditions: Vec<String> = some(random, CONDITIONS, 2).into_iter().map(str::to_owned).collect();
    if random.chance(70) {
        conditions.push(format!("time {} {}", random.pick(&[">=", ">"]), time(random)));
    }
    if random.chance(70) {
        conditions.push(format!("{} {} time", time(random), random.pick(&[">", ">="])));
    }
    let list = groups.iter().chain(&calls).copied().collect::<Vec<_>>().join(", ");
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE ({})", conditions.join(") AND (")) };
    let group = match groups.len() {
        0 => String::new(),
        n => format!(" GROUP BY {0}", (1..=n).map(|i| i.to_string()).collect::<Vec<_>>().join(", ")),
    };
    let order = (1..=groups.len() + calls.len()).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    format!("SELECT {list} FROM r{filter}{group} ORDER BY {order}")
}

/// What changes between questions.
async fn change(session: &mut Session, random: &mut Random) {
    let (a, b) = (time(random), time(random));
    let sql = match random.below(14) {
        0..=3 => format!(
            "INSERT INTO r SELECT {a} + i * interval '7 minutes', CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 'a' ELSE 'b' END, i % 5,
               CASE WHEN i % 6 > 0 THEN (i * 37 % 101) / 4.0 END, i % 7 FROM generate_series(1, {}) i",
            random.between(1, 300)
        ),
        4 => format!("DELETE FROM r WHERE time >= {a} AND time < {a} + interval '5 hours' AND site = 1"),
        5 => format!("UPDATE r SET v = v + 0.25 WHERE time >= {a} AND time < {a} + interval '2 hours'"),
        6 => "SELECT drop_chunks('r', timestamptz '2026-02-26Z')".to_owned(),
        7 => "INSERT INTO r VALUES ('infinity', 'a', 1, 5, 5), ('2026-02-21 03:00Z', 'b', 2, 7, 7)".to_owned(),
        8 => format!("SELECT drop_chunks('{}', timestamptz '2026-02-24Z')", random.pick(&["hourly", "known"])),
        _ => {
            let name = random.pick(&["hourly", "known", "local"]);
            let window = if random.chance(50) { "NULL, NULL".to_owned() } else { format!("least({a}, {b}), greatest({a}, {b}) + interval '3 days'") };
            format!("CALL refresh_continuous_aggregate('{name}', {window})")
        }
    };
    run(session, &sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_from_aggregates_are_those_from_rows() {
    let (mut rewritten, mut different) = (0, 0);
    for seed in 1..=12 {
        let mut random = Random::new(seed);
        let mut session = memory::session(SETUP).await.expect("the setup is right");
        for _ in 0..12 {
            let in_block = random.chance(30);
            if in_block {
                run(&mut session, "BEGIN").await;
            }
            for _ in 0..random.between(1, 4) {
                change(&mut session, &mut random).await;
            }
            for _ in 0..5 {
                let zone = random.pick(&["UTC", "UTC", "Europe/Berlin", "CET", "America/Havana"]);
                run(&mut session, &format!("SET timezone = '{zone}'")).await;
                let sql = query(&mut random);
                let expected = answer(&mut session, "off", &sql).await;
                let shown = answer(&mut session, "always", &sql).await;
                assert_eq!(shown, expected, "seed {seed}: {sql}");
                rewritten += usize::from(is_rewritten(&mut session, &sql).await);
                different += usize::from(!expected.is_empty());
            }
            if in_block {
                run(&mut session, if random.chance(50) { "COMMIT" } else { "ROLLBACK" }).await;
            }
        }
    }
    assert!(
        rewritten > 400 && different > 400,
        "{rewritten} of 720 were answered from aggregates, {different} had rows"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_plans_know_what_was_dropped_and_what_is_asked() {
    let mut session = memory::session(SETUP).await.expect("the setup is right");
    let fill = "INSERT INTO r SELECT timestamptz '2026-02-20Z' + i * interval '1 hour', 'a', 1, i, i % 7 FROM generate_series(0, 400) i;
      CALL refresh_continuous_aggregate('hourly', NULL, NULL);
      SET highwater.enable_rewrite = always;
      PREPARE share(float8) AS SELECT percentile_cont($1) WITHIN GROUP (ORDER BY v) FROM r";
    run(&mut session, fill).await;
    let all = "SELECT count(*), sum(n) FROM r";
    let before = rows(&mut session, all).await.expect("it is answered");
    run(&mut session, "SELECT drop_chunks('hourly', timestamptz '2026-03-01Z')").await;
    assert_eq!(rows(&mut session, all).await.expect("it is answered"), before);
    for (share, expected) in [("0.5", "200"), ("0.25", "100")] {
        assert_eq!(rows(&mut session, &format!("EXECUTE share({share})")).await.expect("it is answered"), [[expected]]);
    }

    let mut session = memory::session(SETUP).await.expect("the setup is right");
    run(&mut session, "INSERT INTO r VALUES ('infinity', 'a', 1, 1, 1); SET highwater.enable_rewrite = always").await;
    for filter in ["", " WHERE time = 'infinity'", " WHERE time >= 'infinity'", " WHERE time > '2026-03-01'"] {
        let counted = rows(&mut session, &format!("SELECT count(*) FROM r{filter}")).await.expect("it is answered");
        assert_eq!(counted, [["1"]], "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aggregates_know_nothing_of_is_answered_from_rows() {
    let mut session = memory::session(SETUP).await.expect("the setup is right");
    let fill = "INSERT INTO r SELECT timestamptz '2026-03-01Z' + i * interval '1 minute', 'a', i % 3, i, i % 7 FROM generate_series(0, 3000) i;
      CALL refresh_continuous_aggregate('hourly', NULL, NULL);
      CALL refresh_continuous_aggregate('known', NULL, NULL);
      CALL refresh_continuous_aggregate('local', NULL, NULL);";
    run(&mut session, fill).await;
    let expected = [
        ("SELECT sum(v), min(n) FROM r", true),
        ("SELECT time_bucket('1 week', time, 'Europe/Berlin'), sum(v), min(n) FROM r GROUP BY 1", true),
        (
            "SELECT upper(x.device), covar_pop(x.v, x.n) FROM r AS x WHERE x.device IS NOT NULL GROUP BY upper(x.device)",
            true,
        ),
        ("SELECT * FROM (SELECT device AS d, time AS t, v FROM r) s, LATERAL (SELECT 1) one WHERE false", false),
        (
            "SELECT d, count(*) FROM (SELECT device AS d, time AS t FROM r WHERE site = 1) s WHERE t > '2026-03-01 02:30Z' GROUP BY d",
            true,
        ),
        ("WITH c AS (SELECT avg(v) AS a FROM r) SELECT a FROM c", true),
        // Another bucket, another zone, another column, other rows, another value.
        ("SELECT time_bucket('90 minutes', time), sum(v) FROM r GROUP BY 1", false),
        ("SELECT time_bucket('1 day', time, 'Asia/Tokyo'), sum(v) FROM r GROUP BY 1", false),
        ("SELECT min(time) FROM r", false),
        ("SELECT sum(v) FROM r WHERE v > 1", false),
        ("SELECT covar_pop(v, n) FROM r", false),
        ("SELECT sum(v * 2) FROM r", false),
        ("SELECT array_agg(v) FROM r", false),
        ("SELECT sum(v) FROM r WHERE time > '2026-03-01Z' OR site = 1", false),
        ("SELECT site, sum(v) FROM r GROUP BY GROUPING SETS ((site), ())", false),
        ("SELECT sum(v) FROM r WHERE site = (SELECT 1)", false),
        ("SELECT sum(a.v) FROM r a, r b WHERE a.time = b.time", false),
        ("SELECT sum(v + random()) FROM r", false),
    ];
    for (sql, from_aggregates) in expected {
        assert_eq!(is_rewritten(&mut session, sql).await, from_aggregates, "{sql}");
    }
    // By default only where it is less to read, and never if it is off.
    run(&mut session, "SET highwater.enable_rewrite = on; TRUNCATE r").await;
    run(&mut session, fill).await;
    for (mode, shown) in [("on", true), ("off", false)] {
        let plan = answer(&mut session, mode, "EXPLAIN SELECT sum(v) FROM r").await;
        assert_eq!(plan.iter().flatten().any(|line| line.contains("_materialized_hypertable_")), shown, "{mode}");
    }
}
