//! The lists at the end of `docs/compatibility.md` are made from the code, and from what statements answer.
//!
//! `UPDATE_DOCS=1 cargo test docs` writes them again.

use highwater::Session;
use highwater::setting::SETTINGS;
use highwater_testkit::memory;
use std::fmt::Write as _;
use std::path::Path;

const BEGIN: &str = "<!-- reference -->\n";
const END: &str = "<!-- /reference -->";

const SETUP: &str = "
CREATE TABLE readings (time timestamptz NOT NULL, sensor integer, value double precision, PRIMARY KEY (time, sensor));
SELECT create_hypertable('readings', 'time');
CREATE TABLE t (a integer PRIMARY KEY, b text);
CREATE VIEW v AS SELECT a FROM t;
CREATE SEQUENCE s;
CREATE SCHEMA other;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE INDEX t_b ON t (b);
CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous) AS
  SELECT time_bucket('1 hour', time) AS bucket, count(*) AS n FROM readings GROUP BY 1 WITH NO DATA;
";

/// What PostgreSQL's commands are called, and a statement that stands for each.
const STATEMENTS: &[(&str, &str)] = &[
    ("ALTER DATABASE", "ALTER DATABASE postgres SET work_mem = '8MB'"),
    ("ALTER INDEX … RENAME", "ALTER INDEX t_b RENAME TO t_c"),
    (
        "ALTER MATERIALIZED VIEW … ADD COLUMN",
        "ALTER MATERIALIZED VIEW hourly ADD COLUMN top double precision GENERATED ALWAYS AS (max(value)) STORED",
    ),
    (
        "ALTER MATERIALIZED VIEW … DROP COLUMN",
        "ALTER MATERIALIZED VIEW hourly ADD COLUMN top bigint GENERATED ALWAYS AS (count(value)) STORED; ALTER MATERIALIZED VIEW hourly DROP COLUMN n",
    ),
    ("ALTER MATERIALIZED VIEW … RENAME", "ALTER MATERIALIZED VIEW hourly RENAME TO hours"),
    ("ALTER MATERIALIZED VIEW … SET", "ALTER MATERIALIZED VIEW hourly SET (timescaledb.materialized_only = false)"),
    ("ALTER ROLE", "ALTER ROLE postgres PASSWORD 'secret'"),
    ("ALTER SCHEMA", "ALTER SCHEMA other RENAME TO another"),
    ("ALTER SEQUENCE", "ALTER SEQUENCE s RESTART WITH 5"),
    ("ALTER SYSTEM", "ALTER SYSTEM SET work_mem = '8MB'"),
    ("ALTER TABLE … ADD COLUMN", "ALTER TABLE t ADD COLUMN c integer DEFAULT 1"),
    ("ALTER TABLE … ADD CONSTRAINT CHECK", "ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0)"),
    ("ALTER TABLE … ADD CONSTRAINT UNIQUE", "ALTER TABLE t ADD CONSTRAINT u UNIQUE (b)"),
    ("ALTER TABLE … ADD FOREIGN KEY", "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES t (a)"),
    ("ALTER TABLE … ALTER COLUMN SET DEFAULT", "ALTER TABLE t ALTER COLUMN b SET DEFAULT 'x'"),
    ("ALTER TABLE … ALTER COLUMN SET NOT NULL", "ALTER TABLE t ALTER COLUMN b SET NOT NULL"),
    ("ALTER TABLE … ALTER COLUMN TYPE", "ALTER TABLE t ALTER COLUMN b TYPE varchar(10)"),
    ("ALTER TABLE … DROP COLUMN", "ALTER TABLE t DROP COLUMN b"),
    ("ALTER TABLE … DROP CONSTRAINT", "ALTER TABLE t DROP CONSTRAINT t_pkey"),
    ("ALTER TABLE … RENAME", "ALTER TABLE t RENAME TO renamed"),
    ("ALTER TABLE … RENAME COLUMN", "ALTER TABLE t RENAME COLUMN b TO c"),
    ("ALTER TABLE … SET (timescaledb.…)", "ALTER TABLE readings SET (timescaledb.enable_columnstore)"),
    ("ALTER TABLE … SET SCHEMA", "ALTER TABLE t SET SCHEMA other"),
    ("ALTER TYPE … ADD VALUE", "ALTER TYPE mood ADD VALUE 'good'"),
    ("ALTER TYPE … RENAME VALUE", "ALTER TYPE mood RENAME VALUE 'sad' TO 'bad'"),
    ("ALTER VIEW", "ALTER VIEW v RENAME TO w"),
    ("ANALYZE", "ANALYZE t"),
    ("BEGIN", "BEGIN"),
    ("BEGIN … SERIALIZABLE", "BEGIN ISOLATION LEVEL SERIALIZABLE"),
    ("CALL", "CALL refresh_continuous_aggregate('hourly', NULL, NULL)"),
    ("CHECK CONTINUOUS AGGREGATE", "CHECK CONTINUOUS AGGREGATE hourly REPAIR"),
    ("CHECKPOINT", "CHECKPOINT"),
    ("CLUSTER", "CLUSTER t"),
    ("COMMENT", "COMMENT ON TABLE t IS 'a table'"),
    ("COPY … FROM a file", "COPY t FROM '/tmp/t.csv'"),
    ("COPY … FROM STDIN", "COPY t FROM STDIN"),
    ("COPY … TO STDOUT", "COPY t TO STDOUT (FORMAT csv)"),
    ("CREATE AGGREGATE", "CREATE AGGREGATE total (integer) (SFUNC = int4pl, STYPE = integer)"),
    ("CREATE CAST", "CREATE CAST (text AS integer) WITHOUT FUNCTION"),
    ("CREATE DATABASE", "CREATE DATABASE another"),
    ("CREATE DOMAIN", "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)"),
    ("CREATE EXTENSION timescaledb", "CREATE EXTENSION IF NOT EXISTS timescaledb"),
    ("CREATE EXTENSION others", "CREATE EXTENSION hstore"),
    ("CREATE FUNCTION in SQL", "CREATE FUNCTION f() RETURNS bigint LANGUAGE SQL STABLE AS $$ SELECT 1::bigint $$"),
    ("CREATE FUNCTION in plpgsql", "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$"),
    ("CREATE INDEX", "CREATE INDEX ON t (b DESC)"),
    ("CREATE INDEX of an expression", "CREATE INDEX ON t (lower(b))"),
    ("CREATE INDEX … WHERE", "CREATE INDEX ON t (b) WHERE a > 0"),
    (
        "CREATE MATERIALIZED VIEW … WITH (timescaledb.continuous)",
        "CREATE MATERIALIZED VIEW daily WITH (timescaledb.continuous) AS SELECT time_bucket('1 day', time), count(*) FROM readings GROUP BY 1",
    ),
    ("CREATE MATERIALIZED VIEW of PostgreSQL's kind", "CREATE MATERIALIZED VIEW m AS SELECT a FROM t"),
    (
        "CREATE OR REPLACE MATERIALIZED VIEW … WITH (timescaledb.continuous)",
        "CREATE OR REPLACE MATERIALIZED VIEW hourly WITH (timescaledb.continuous) AS SELECT time_bucket('1 day', time), count(*) FROM readings GROUP BY 1",
    ),
    ("CREATE POLICY", "CREATE POLICY p ON t USING (a > 0)"),
    ("CREATE PROCEDURE in SQL", "CREATE PROCEDURE p() LANGUAGE SQL AS $$ SELECT 1 $$"),
    ("CREATE PROCEDURE in plpgsql", "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN END $$"),
    ("CREATE PUBLICATION", "CREATE PUBLICATION p FOR ALL TABLES"),
    ("CREATE ROLE", "CREATE ROLE ann LOGIN"),
    ("CREATE RULE", "CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING"),
    ("CREATE SCHEMA", "CREATE SCHEMA more"),
    ("CREATE SEQUENCE", "CREATE SEQUENCE q INCREMENT BY 5"),
    ("CREATE TABLE", "CREATE TABLE n (a serial PRIMARY KEY, b text NOT NULL UNIQUE, c integer CHECK (c > 0))"),
    ("CREATE TABLE … AS", "CREATE TABLE n AS SELECT * FROM t"),
    (
        "CREATE TABLE … GENERATED",
        "CREATE TABLE n (a integer GENERATED ALWAYS AS IDENTITY, b integer GENERATED ALWAYS AS (a * 2) STORED)",
    ),
    ("CREATE TABLE … INHERITS", "CREATE TABLE n () INHERITS (t)"),
    ("CREATE TABLE … LIKE", "CREATE TABLE n (LIKE t INCLUDING ALL)"),
    ("CREATE TABLE … PARTITION BY", "CREATE TABLE n (a integer) PARTITION BY RANGE (a)"),
    ("CREATE TABLE … REFERENCES", "CREATE TABLE n (a integer REFERENCES t (a))"),
    (
        "CREATE TABLE … WITH (tsdb.hypertable)",
        "CREATE TABLE n (time timestamptz NOT NULL) WITH (tsdb.hypertable, tsdb.partition_column = 'time')",
    ),
    ("CREATE TEMPORARY TABLE", "CREATE TEMPORARY TABLE n (a integer)"),
    ("CREATE UNLOGGED TABLE", "CREATE UNLOGGED TABLE n (a integer)"),
    ("CREATE TRIGGER", "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"),
    ("CREATE TYPE … AS", "CREATE TYPE pair AS (a integer, b integer)"),
    ("CREATE TYPE … AS ENUM", "CREATE TYPE color AS ENUM ('red', 'blue')"),
    ("CREATE UNIQUE INDEX", "CREATE UNIQUE INDEX ON t (b)"),
    ("CREATE VIEW", "CREATE OR REPLACE VIEW w AS SELECT a, b FROM t"),
    ("DEALLOCATE", "DEALLOCATE ALL"),
    ("DECLARE … CURSOR WITH HOLD", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"),
    ("DECLARE … SCROLL CURSOR", "DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1"),
    ("DELETE", "DELETE FROM t WHERE a = 1 RETURNING b"),
    ("DELETE … USING", "DELETE FROM t USING readings WHERE t.a = readings.sensor"),
    ("DISCARD", "DISCARD ALL"),
    ("DO", "DO $$ BEGIN END $$"),
    ("DROP DATABASE", "DROP DATABASE IF EXISTS nothing"),
    ("DROP INDEX", "DROP INDEX t_b"),
    ("DROP MATERIALIZED VIEW", "DROP MATERIALIZED VIEW hourly"),
    ("DROP SCHEMA … CASCADE", "DROP SCHEMA other CASCADE"),
    ("DROP SEQUENCE", "DROP SEQUENCE s"),
    ("DROP TABLE", "DROP TABLE IF EXISTS t CASCADE"),
    ("DROP TYPE", "DROP TYPE mood"),
    ("DROP VIEW", "DROP VIEW v"),
    ("EXPLAIN", "EXPLAIN ANALYZE SELECT * FROM t"),
    ("EXPLAIN of a write", "EXPLAIN INSERT INTO t VALUES (1, 'a')"),
    ("GRANT", "GRANT SELECT ON t TO postgres"),
    ("INSERT", "INSERT INTO t VALUES (1, 'a'), (2, DEFAULT) RETURNING a"),
    (
        "INSERT … ON CONFLICT",
        "INSERT INTO t VALUES (1, 'a') ON CONFLICT (a) DO UPDATE SET b = excluded.b WHERE t.b IS NULL",
    ),
    ("INSERT … SELECT", "INSERT INTO t SELECT sensor, 'a' FROM readings"),
    ("LISTEN", "LISTEN channel"),
    ("LOCK", "LOCK TABLE t IN EXCLUSIVE MODE"),
    ("MERGE", "MERGE INTO t USING readings r ON t.a = r.sensor WHEN MATCHED THEN DELETE"),
    ("NOTIFY", "NOTIFY channel"),
    ("PREPARE", "PREPARE p (integer) AS SELECT $1"),
    ("PREPARE TRANSACTION", "PREPARE TRANSACTION 'x'"),
    ("REFRESH MATERIALIZED VIEW", "REFRESH MATERIALIZED VIEW hourly"),
    ("REINDEX", "REINDEX TABLE t"),
    ("RESET", "RESET ALL"),
    ("REVOKE", "REVOKE SELECT ON t FROM postgres"),
    ("SAVEPOINT", "BEGIN; SAVEPOINT a; ROLLBACK TO a; RELEASE a"),
    ("SELECT", "SELECT DISTINCT ON (a) a, count(*) OVER () FROM t WHERE b LIKE 'a%' ORDER BY a LIMIT 1"),
    ("SELECT … EXCEPT ALL", "SELECT a FROM t EXCEPT ALL SELECT a FROM t"),
    ("SELECT … FETCH FIRST WITH TIES", "SELECT a FROM t ORDER BY a FETCH FIRST 1 ROW WITH TIES"),
    ("SELECT … FOR UPDATE", "SELECT a FROM t FOR UPDATE"),
    ("SELECT … GROUPING SETS", "SELECT a, b, count(*) FROM t GROUP BY GROUPING SETS ((a), (b), ())"),
    ("SELECT … INTO", "SELECT a INTO n FROM t"),
    ("SELECT … LATERAL", "SELECT * FROM t, LATERAL (SELECT count(*) FROM readings WHERE sensor = t.a) x"),
    ("SELECT … TABLESAMPLE", "SELECT * FROM t TABLESAMPLE BERNOULLI (10)"),
    ("SET", "SET work_mem = '8MB'"),
    ("SET CONSTRAINTS", "SET CONSTRAINTS ALL DEFERRED"),
    ("SET LOCAL", "BEGIN; SET LOCAL statement_timeout = '1s'; COMMIT"),
    ("SET ROLE", "SET ROLE postgres"),
    ("SHOW", "SHOW server_version"),
    ("TRUNCATE", "TRUNCATE t"),
    ("UPDATE", "UPDATE t SET b = 'x' WHERE a = 1 RETURNING *"),
    ("UPDATE … FROM", "UPDATE t SET b = 'x' FROM readings r WHERE r.sensor = t.a"),
    ("VACUUM", "VACUUM t"),
    ("VALUES", "VALUES (1, 'a'), (2, 'b')"),
    ("WITH", "WITH x AS (SELECT 1 AS a) SELECT * FROM x"),
    ("WITH RECURSIVE", "WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM x WHERE a < 3) SELECT * FROM x"),
    ("WITH … INSERT", "WITH x AS (SELECT 5 AS a) INSERT INTO t (a) SELECT a FROM x"),
    ("WITH (INSERT …) SELECT", "WITH x AS (INSERT INTO t VALUES (5, 'e') RETURNING a) SELECT * FROM x"),
];

/// The types of PostgreSQL 15 that are not of its own workings, and ways to write them.
const TYPES: &[&str] = &[
    "bigint",
    "bigserial",
    "bit(8)",
    "bit varying(8)",
    "boolean",
    "box",
    "bytea",
    "char(8)",
    "varchar(8)",
    "varchar",
    "cidr",
    "circle",
    "date",
    "double precision",
    "inet",
    "int4range",
    "integer",
    "integer[]",
    "integer[][]",
    "interval",
    "interval(3)",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "money",
    "name",
    "numeric",
    "numeric(20, 5)",
    "numeric(50, 5)",
    "oid",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "real",
    "serial",
    "smallint",
    "smallserial",
    "text",
    "text[]",
    "time",
    "time(3)",
    "timetz",
    "timestamp",
    "timestamp(3)",
    "timestamptz",
    "timestamptz(3)",
    "tsquery",
    "tsrange",
    "tsvector",
    "uuid",
    "xml",
];

#[tokio::test(flavor = "multi_thread")]
async fn docs_list_what_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
    let text = std::fs::read_to_string(&path).expect("there is such a page");
    let (before, rest) = text.split_once(BEGIN).expect("the page has a place for the lists");
    let (_, after) = rest.split_once(END).expect("the page has an end for the lists");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", reference().await);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).expect("the page can be written");
        return;
    }
    assert!(text == wanted, "docs/compatibility.md is not up to date: UPDATE_DOCS=1 cargo test docs");
}

async fn reference() -> String {
    let mut out = String::new();
    let _ = writeln!(out, "\n### Statements\n");
    let mut taken = Vec::new();
    let mut refused = String::new();
    for (name, statement) in STATEMENTS {
        match session().await.run(statement).await {
            Ok(()) => taken.push(*name),
            Err(e) => {
                let _ = writeln!(refused, "| {name} | {} | {} |", e.sqlstate, cell(&e.message));
            }
        }
    }
    let _ = writeln!(out, "Taken: {}.\n", taken.join("; "));
    let _ = writeln!(out, "| refused | SQLSTATE | |\n|---|---|---|\n{refused}");

    let _ = writeln!(out, "### Types of columns\n");
    let mut taken = Vec::new();
    let mut refused = String::new();
    for name in TYPES {
        match session().await.run(&format!("CREATE TABLE n (a {name})")).await {
            Ok(()) => taken.push(format!("`{name}`")),
            Err(e) => {
                let _ = writeln!(refused, "| `{name}` | {} | {} |", e.sqlstate, cell(&e.message));
            }
        }
    }
    let _ = writeln!(out, "Taken: {}.\n", taken.join(", "));
    let _ = writeln!(out, "| refused | SQLSTATE | |\n|---|---|---|\n{refused}");

    let _ = writeln!(out, "### Functions\n");
    for (kind, names) in session().await.offered() {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(out, "{kind}: {}.\n", names.join(", "));
    }

    let _ = writeln!(out, "### Settings of a session\n");
    let _ = writeln!(out, "| setting | default | |\n|---|---|---|");
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        let _ = writeln!(out, "| `{}` | {default} | {} |", setting.name, setting.description);
    }
    out.push('\n');
    out
}

/// A message within a table.
fn cell(message: &str) -> String {
    message.lines().next().unwrap_or_default().replace('|', "\\|")
}

async fn session() -> Session {
    memory::session(SETUP).await.expect("the setup is right")
}
