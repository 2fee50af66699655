#!/usr/bin/env bash
# pgbench with scripts of its own: simple, extended and prepared, and its standard tables without keys of others.
set -euo pipefail

DIRECTORY=$(mktemp -d)
trap 'rm -rf "$DIRECTORY"' EXIT
export PGDATABASE=client_pgbench
PGBENCH=${HIGHWATER_POSTGRESQL:-/usr/lib/postgresql/15/bin}/pgbench

sql() {
    psql -X -A -t -q -v ON_ERROR_STOP=1 "$@"
}

equal() {
    if [[ $2 != "$3" ]]; then
        printf 'FAILED %s\n     got: %s\nexpected: %s\n' "$1" "$2" "$3"
        exit 1
    fi
    echo "ok     $1"
}

psql -X -q -d postgres -c 'DROP DATABASE IF EXISTS client_pgbench' 2>/dev/null
psql -X -q -d postgres -c 'CREATE DATABASE client_pgbench'

sql -c "CREATE TABLE readings (time timestamptz NOT NULL, sensor integer NOT NULL, value double precision)" \
    -c "SELECT create_hypertable('readings', 'time')" \
    -c "CREATE MATERIALIZED VIEW readings_hourly WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
        SELECT time_bucket('1 hour', time) AS bucket, sensor, count(*) AS n FROM readings GROUP BY 1, 2 WITH NO DATA" >/dev/null

cat >"$DIRECTORY/writes.sql" <<'SQL'
\set sensor random(1, 10)
\set minute random(0, 1439)
BEGIN;
INSERT INTO readings VALUES ('2026-03-01 00:00Z'::timestamptz + :minute * INTERVAL '1 minute', :sensor, :minute / 2.0);
SELECT count(*) AS there FROM readings WHERE sensor = :sensor \gset
\if :there = 0
SELECT 1 / 0;
\endif
COMMIT;
SQL
cat >"$DIRECTORY/reads.sql" <<'SQL'
\set sensor random(1, 10)
SELECT bucket, n FROM readings_hourly WHERE sensor = :sensor ORDER BY bucket DESC LIMIT 5;
SELECT avg(value) FROM readings WHERE sensor = :sensor AND time >= '2026-03-01 12:00Z';
SQL
cat >"$DIRECTORY/pipeline.sql" <<'SQL'
\startpipeline
SELECT 1;
SELECT count(*) FROM readings_hourly;
SELECT 2;
\endpipeline
SQL

written=0
for mode in simple extended prepared; do
    "$PGBENCH" -n -M "$mode" -c 4 -j 2 -t 20 --max-tries 20 -f "$DIRECTORY/writes.sql@2" -f "$DIRECTORY/reads.sql@1" \
        >"$DIRECTORY/out" 2>&1 || { cat "$DIRECTORY/out"; exit 1; }
    grep -E '^(number of failed|tps)' "$DIRECTORY/out" | sed "s/^/       $mode: /"
    equal "$mode: every transaction is processed" \
        "$(grep -oE 'actually processed: [0-9/]+' "$DIRECTORY/out")" "actually processed: 80/80"
    written=$((written + $(grep -A4 'SQL script 1' "$DIRECTORY/out" | grep -oE '[0-9]+ transactions' | head -1 | cut -d' ' -f1)))
done
equal "every committed row is there" "$(sql -c 'SELECT count(*) FROM readings')" "$written"
equal "and is in the real-time aggregate" "$(sql -c 'SELECT sum(n) FROM readings_hourly')" "$written"
"$PGBENCH" -n -M extended -c 2 -t 20 -f "$DIRECTORY/pipeline.sql" >"$DIRECTORY/out" 2>&1 || { cat "$DIRECTORY/out"; exit 1; }
equal "pipelines" "$(grep -oE 'actually processed: [0-9/]+' "$DIRECTORY/out")" "actually processed: 40/40"

# The tables of pgbench, filled by it with COPY; those that write to the same row try again.
"$PGBENCH" -i -I dtgp -s 1 -q >"$DIRECTORY/out" 2>&1 || { cat "$DIRECTORY/out"; exit 1; }
equal "its own tables are filled" "$(sql -c 'SELECT count(*) FROM pgbench_accounts')" 100000
"$PGBENCH" -n -M prepared -c 2 -t 25 --max-tries 50 >"$DIRECTORY/out" 2>&1 || { cat "$DIRECTORY/out"; exit 1; }
equal "its own transactions are processed" "$(grep -oE 'actually processed: [0-9/]+' "$DIRECTORY/out")" "actually processed: 50/50"
equal "and balance" \
    "$(sql -c 'SELECT (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT sum(delta) FROM pgbench_history)')" t
