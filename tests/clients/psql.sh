#!/usr/bin/env bash
# psql: \d and its family, \copy, -f, exit codes, variables.
set -euo pipefail
cd "$(dirname "$0")"

DIRECTORY=$(mktemp -d)
trap 'rm -rf "$DIRECTORY"' EXIT

# Unaligned, tuples only, quiet, no start-up file; the first error ends it with code 3.
sql() {
    psql -X -A -t -q -v ON_ERROR_STOP=1 -d client_psql "$@"
}

# Fails with both values when they differ.
equal() {
    local what=$1 got=$2 expected=$3
    if [[ $got != "$expected" ]]; then
        printf 'FAILED %s\n     got: %s\nexpected: %s\n' "$what" "$got" "$expected"
        exit 1
    fi
    echo "ok     $what"
}

# Fails when the text lacks one of the pieces.
has() {
    local what=$1 text=$2 piece
    shift 2
    for piece in "$@"; do
        if [[ $text != *"$piece"* ]]; then
            printf 'FAILED %s\nlacks: %s\n%s\n' "$what" "$piece" "$text"
            exit 1
        fi
    done
    echo "ok     $what"
}

psql -X -q -d postgres -c 'DROP DATABASE IF EXISTS client_psql' 2>/dev/null
psql -X -q -d postgres -c 'CREATE DATABASE client_psql'

sql -f forecast_accuracy.sql >/dev/null
equal "a file of a whole schema is taken" "$(sql -c 'SELECT count(*) FROM deviations')" 8640
equal "its daily aggregate is filled" \
    "$(sql -c "SELECT count(*), sum(sample_size) FROM daily_accuracy_metrics")" "360|8640"
equal "its aggregate is right" \
    "$(sql -c "SELECT mae, bias, min_deviation FROM daily_accuracy_metrics WHERE bucket = '2026-02-01' AND site_id = 1")" \
    "1.5|-1.5|-1.5"
equal "its three policies are listed" \
    "$(sql -c "SELECT count(*) FROM timescaledb_information.jobs WHERE proc_name = 'policy_refresh_continuous_aggregate'")" 3

sql -c 'CREATE TABLE sensors (id integer PRIMARY KEY, name text NOT NULL UNIQUE, price numeric(10,2) DEFAULT 1.5)'
has '\dt lists tables' "$(sql -c '\dt')" 'public|deviations|table|' 'public|sensors|table|'
has '\d lists tables and views' "$(sql -c '\d')" 'public|deviations|table|' 'public|daily_accuracy_metrics|materialized view|'
has '\dm lists aggregates' "$(sql -c '\dm')" 'public|daily_accuracy_metrics|materialized view|'
described=$(sql -P tuples_only=off -c '\d sensors')
has '\d table tells columns' "$described" 'id|integer||not null|' 'name|text||not null|' 'price|numeric(10,2)|||1.5'
has '\d table tells keys' "$described" '"sensors_pkey" PRIMARY KEY, btree (id)' 'UNIQUE CONSTRAINT, btree (name)'
has '\d of a hypertable' "$(sql -P tuples_only=off -c '\d deviations')" \
    'timestamp|timestamp with time zone||not null|' 'deviation|double precision|||' 'deviations_site'
has '\d of an aggregate' "$(sql -c '\d daily_accuracy_metrics')" 'bucket|timestamp with time zone|||' 'sample_size|bigint|||'
has '\l lists databases' "$(sql -c '\l')" 'client_psql|' 'postgres|'
has '\dn lists schemas' "$(sql -c '\dn')" 'public|'
has '\dx lists the extension' "$(sql -c '\dx')" 'timescaledb|'
has '\di lists indexes' "$(sql -c '\di')" 'deviations_site|index'
equal '\d of a missing table says so' "$(psql -X -d client_psql -c '\d nowhere' 2>&1 || true)" 'Did not find any relation named "nowhere".'

printf 'id,name,price\n1,"a, b",2.50\n2,ü,\n' >"$DIRECTORY/in.csv"
sql -c "\\copy sensors FROM '$DIRECTORY/in.csv' WITH (FORMAT csv, HEADER)"
equal '\copy from a CSV file' "$(sql -c 'SELECT * FROM sensors ORDER BY id')" $'1|a, b|2.50\n2|ü|'
sql -c "\\copy (SELECT * FROM sensors ORDER BY id) TO '$DIRECTORY/out.csv' WITH (FORMAT csv, HEADER)"
equal '\copy to a CSV file' "$(cat "$DIRECTORY/out.csv")" $'id,name,price\n1,"a, b",2.50\n2,ü,'
sql -c "\\copy sensors TO '$DIRECTORY/out.txt'"
equal '\copy to a text file' "$(sort "$DIRECTORY/out.txt")" $'1\ta, b\t2.50\n2\tü\t\\N'
printf '3\tc\t1\n4\tc\t1\n' >"$DIRECTORY/twice.txt"
failed=$(sql -c '\set VERBOSITY verbose' -c "\\copy sensors FROM '$DIRECTORY/twice.txt'" 2>&1) && { echo "a duplicate was taken"; exit 1; }
has '\copy of a duplicate fails' "$failed" 23505
equal '\copy of a duplicate keeps nothing' "$(sql -c 'SELECT count(*) FROM sensors')" 2

equal "several statements of one -c are one transaction" \
    "$(sql -c 'INSERT INTO sensors VALUES (9, $$x$$); SELECT 1/0' 2>/dev/null; sql -c 'SELECT count(*) FROM sensors')" 2
equal "\\gset and :variables" "$(printf '%s\n' 'SELECT 41 + 1 AS answer \gset' 'SELECT :answer;' | sql)" 42
equal '\gdesc tells the types' "$(printf '%s\n' 'SELECT id, price FROM sensors \gdesc' | sql)" $'id|integer\nprice|numeric(10,2)'
error=$(sql -c 'SELEC 1' 2>&1) && { echo "a misspelt word was taken"; exit 1; }
has "an error points at the place" "$error" 'ERROR:' 'LINE 1: SELEC 1'
pointed() {
    psql -X -d client_psql -c "$1" 2>&1 >/dev/null | grep -A1 LINE || true
}
equal "and at a column that is not there" "$(pointed 'SELECT id, nothing FROM sensors')" \
    $'LINE 1: SELECT id, nothing FROM sensors\n                   ^'
equal "at a table" "$(pointed $'SELECT 1\nFROM nowhere')" $'LINE 2: FROM nowhere\n             ^'
equal "at a function" "$(pointed 'SELECT ü, missing(1) FROM (SELECT 2 AS ü) x')" \
    $'LINE 1: SELECT ü, missing(1) FROM (SELECT 2 AS ü) x\n                  ^'
equal "at a literal" "$(pointed "SELECT 1; SELECT 'one'::integer")" $'LINE 1: SELECT 1; SELECT \'one\'::integer\n                         ^'
equal "and nowhere in a command" "$(pointed 'DROP TABLE nowhere')" ""
code=0; sql -f /dev/stdin <<<'SELECT 1/0;' >/dev/null 2>&1 || code=$?
equal "an error in a file is exit code 3" "$code" 3
equal "transactions" \
    "$(printf '%s\n' 'BEGIN;' 'DELETE FROM sensors;' 'SELECT count(*) FROM sensors;' 'ROLLBACK;' 'SELECT count(*) FROM sensors;' | sql)" \
    $'0\n2'
