"""psycopg 3: parameters, types in text and binary, transactions, COPY, errors, pipelines."""

import socket
import threading
import time
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
from lib import HOST, PORT, USER, equal, main, new_database, raises, utc
from psycopg.types.json import Json, Jsonb

DATABASE = new_database("client_psycopg")


def connect(**options) -> psycopg.Connection:
    return psycopg.connect(host=HOST, port=PORT, user=USER, dbname=DATABASE, **options)


def table(connection: psycopg.Connection, name: str) -> None:
    connection.execute(f"CREATE TABLE {name} (time timestamptz NOT NULL, sensor text, value double precision)")
    connection.execute(f"SELECT create_hypertable('{name}', 'time')")


# Every type, a value as Python sees it, and an extreme or odd one.
VALUES = [
    ("smallint", 7, -32768),
    ("integer", -1, 2147483647),
    ("bigint", 5, -9223372036854775808),
    ("real", 1.5, -0.25),
    ("double precision", 0.1, 1e308),
    ("numeric(20,4)", Decimal("12345678.9012"), Decimal("-0.0001")),
    ("text", "grün ☃ 'quoted' \\ \t", ""),
    ("boolean", True, False),
    ("date", date(2026, 3, 1), date(1900, 1, 1)),
    ("timestamp", datetime(2026, 3, 1, 10, 20, 30, 123456), datetime(1969, 12, 31, 23, 59, 59, 999999)),
    ("timestamptz", utc(2026, 3, 1, 10, 20, 30, 123456), utc(1950, 1, 1)),
    ("interval", timedelta(days=2, hours=3, microseconds=5), timedelta(0)),
    ("uuid", UUID("00000000-0000-0000-0000-0000000000ff"), UUID("ffffffff-ffff-ffff-ffff-ffffffffffff")),
]


def test_every_type_makes_the_round_trip_in_text_and_in_binary():
    with connect(autocommit=True) as connection:
        columns = ", ".join(f"c{i} {kind}" for i, (kind, *_) in enumerate(VALUES))
        connection.execute(f"CREATE TABLE every_type (id integer, {columns})")
        rows = [[1, *(v[1] for v in VALUES)], [2, *(v[2] for v in VALUES)], [3, *(None for _ in VALUES)]]
        for binary_parameters in (False, True):
            connection.execute("TRUNCATE every_type")
            marks = ", ".join(["%b" if binary_parameters else "%t"] * (len(VALUES) + 1))
            for row in rows:
                # Binary intervals and numerics are sent with their own types, text with unknown ones.
                connection.execute(f"INSERT INTO every_type VALUES ({marks})", row)
            for binary_results in (False, True):
                cursor = connection.cursor(binary=binary_results)
                got = cursor.execute("SELECT * FROM every_type ORDER BY id").fetchall()
                equal([list(row) for row in got], rows)


def test_result_columns_have_postgresql_type_oids():
    with connect(autocommit=True) as connection:
        cursor = connection.execute(
            "SELECT 1::smallint, 1::int, 1::bigint, 1::real, 1::float8, 1::numeric, 'a'::text, true,"
            " '2026-01-01'::date, '2026-01-01'::timestamp, '2026-01-01'::timestamptz, '1 day'::interval,"
            " '00000000-0000-0000-0000-000000000001'::uuid"
        )
        oids = [21, 23, 20, 700, 701, 1700, 25, 16, 1082, 1114, 1184, 1186, 2950]
        equal([column.type_code for column in cursor.description], oids)


def test_parameters_take_their_types_from_the_statement():
    with connect(autocommit=True) as connection:
        table(connection, "with_parameters")
        connection.execute("INSERT INTO with_parameters VALUES (%s, %s, %s)", ("2026-03-01 10:00Z", "a", "1.5"))
        connection.execute("INSERT INTO with_parameters VALUES (%(t)s, %(s)s, %(v)s)", {"t": utc(2026, 3, 1, 11), "s": "b", "v": 2})
        query = "SELECT sensor, value FROM with_parameters WHERE time >= %s AND sensor = %s"
        equal(connection.execute(query, (utc(2026, 3, 1), "b")).fetchall(), [("b", 2.0)])
        for _ in range(8):  # From the fifth time on psycopg prepares it.
            equal(connection.execute(query, (utc(2026, 3, 1), "a")).fetchall(), [("a", 1.5)])
        equal(connection.execute(query, (utc(2026, 3, 1), "a"), prepare=True).fetchall(), [("a", 1.5)])


def test_a_prepared_statement_sees_a_changed_table():
    with connect(autocommit=True) as connection:
        table(connection, "changing")
        count = "SELECT count(*) FROM changing"
        equal(connection.execute(count, prepare=True).fetchone(), (0,))
        connection.execute("INSERT INTO changing VALUES (now(), 'a', 1)")
        equal(connection.execute(count, prepare=True).fetchone(), (1,))
        connection.execute("ALTER TABLE changing ADD COLUMN extra integer")
        equal(connection.execute(count, prepare=True).fetchone(), (1,))


def test_command_tags_and_row_counts():
    with connect(autocommit=True) as connection:
        table(connection, "tagged")

        def tag(statement: str) -> tuple[str, int]:
            cursor = connection.execute(statement)
            return cursor.statusmessage, cursor.rowcount

        equal(tag("INSERT INTO tagged VALUES ('2026-03-01', 'a', 1), ('2026-03-02', 'b', 2)"), ("INSERT 0 2", 2))
        equal(tag("UPDATE tagged SET value = 3 WHERE sensor = 'a'"), ("UPDATE 1", 1))
        equal(tag("SELECT * FROM tagged"), ("SELECT 2", 2))
        equal(tag("DELETE FROM tagged"), ("DELETE 2", 2))
        equal(tag("CREATE TABLE tagged_2 (a integer)")[0], "CREATE TABLE")
        equal(tag("DROP TABLE tagged_2")[0], "DROP TABLE")
        equal(tag("BEGIN")[0], "BEGIN")
        equal(tag("ROLLBACK")[0], "ROLLBACK")


def test_returning_gives_rows():
    with connect(autocommit=True) as connection:
        table(connection, "returning_rows")
        got = connection.execute("INSERT INTO returning_rows VALUES (%s, 'a', 1) RETURNING sensor, value", (utc(2026, 3, 1),))
        equal(got.fetchall(), [("a", 1.0)])
        equal(connection.execute("DELETE FROM returning_rows RETURNING value").fetchall(), [(1.0,)])


def test_a_rolled_back_transaction_leaves_nothing():
    with connect() as connection, connect(autocommit=True) as other:
        table(other, "rolled_back")
        connection.execute("INSERT INTO rolled_back VALUES (now(), 'a', 1)")
        equal(connection.execute("SELECT count(*) FROM rolled_back").fetchone(), (1,))
        equal(other.execute("SELECT count(*) FROM rolled_back").fetchone(), (0,))
        connection.rollback()
        equal(connection.execute("SELECT count(*) FROM rolled_back").fetchone(), (0,))
        connection.execute("INSERT INTO rolled_back VALUES (now(), 'a', 1)")
        connection.commit()
        equal(other.execute("SELECT count(*) FROM rolled_back").fetchone(), (1,))


def test_nested_transactions_are_savepoints():
    with connect(autocommit=True) as connection:
        table(connection, "nested")
        with connection.transaction():
            connection.execute("INSERT INTO nested VALUES ('2026-03-01', 'kept', 1)")
            try:
                with connection.transaction():
                    connection.execute("INSERT INTO nested VALUES ('2026-03-02', 'undone', 1)")
                    connection.execute("SELECT 1 / 0")
            except psycopg.errors.DivisionByZero:
                pass
            with connection.transaction():
                connection.execute("INSERT INTO nested VALUES ('2026-03-03', 'kept too', 1)")
        equal(connection.execute("SELECT sensor FROM nested ORDER BY time").fetchall(), [("kept",), ("kept too",)])


def test_a_failed_transaction_takes_only_rollback():
    with connect() as connection:
        raises("42P01", connection.execute, "SELECT * FROM nowhere")
        raises("25P02", connection.execute, "SELECT 1")
        connection.rollback()
        equal(connection.execute("SELECT 1").fetchone(), (1,))


def test_the_first_committer_wins():
    with connect() as first, connect() as second, connect(autocommit=True) as setup:
        setup.execute("CREATE TABLE contended (id integer PRIMARY KEY, n integer)")
        setup.execute("INSERT INTO contended VALUES (1, 0)")
        for connection in (first, second):
            connection.execute("SELECT n FROM contended").fetchone()
        first.execute("UPDATE contended SET n = n + 1 WHERE id = 1")
        first.commit()

        def late():
            second.execute("UPDATE contended SET n = n + 10 WHERE id = 1")
            second.commit()

        raises("40001", late)
        second.rollback()
        equal(setup.execute("SELECT n FROM contended").fetchone(), (1,))


def test_copy_in_and_out():
    with connect(autocommit=True) as connection:
        table(connection, "copied")
        with connection.cursor() as cursor:
            with cursor.copy("COPY copied (time, sensor, value) FROM STDIN") as copy:
                for hour in range(24):
                    copy.write_row((utc(2026, 3, 1, hour), "tab\there", hour / 2))
                copy.write_row((utc(2026, 3, 2), None, None))
            equal(cursor.rowcount, 25)
            with cursor.copy("COPY copied FROM STDIN WITH (FORMAT csv, HEADER)") as copy:
                copy.write('time,sensor,value\n2026-03-03T00:00:00Z,"say ""hi"", you",7\n2026-03-04 00:00:00+01,,\n')
            equal(cursor.rowcount, 2)
            with cursor.copy("COPY (SELECT sensor, value FROM copied WHERE time >= '2026-03-02' ORDER BY time) TO STDOUT") as copy:
                equal(list(copy.rows()), [(None, None), ('say "hi", you', "7"), (None, None)])
            with cursor.copy("COPY copied TO STDOUT WITH (FORMAT csv, HEADER)") as copy:
                lines = b"".join(bytes(data) for data in copy).decode().splitlines()
                equal((lines[0], len(lines)), ("time,sensor,value", 28))


def test_a_copy_with_a_bad_row_names_it_and_keeps_nothing():
    with connect(autocommit=True) as connection:
        table(connection, "half_copied")

        def copy_bad_row():
            with connection.cursor() as cursor, cursor.copy("COPY half_copied FROM STDIN WITH (FORMAT csv)") as copy:
                copy.write("2026-03-01,a,1\n2026-03-01,a,two\n")

        error = raises("22P02", copy_bad_row)
        context = f"{error.diag.message_primary} {error.diag.message_detail} {error.diag.context}"
        for word in ("two", "value", "line 2"):
            assert word in context, f"{word!r} is not in {context!r}"
        equal(connection.execute("SELECT count(*) FROM half_copied").fetchone(), (0,))


def test_a_copy_given_up_by_the_client_keeps_nothing():
    with connect(autocommit=True) as connection:
        table(connection, "given_up")

        class GivenUp(Exception):
            pass

        try:
            with connection.cursor() as cursor, cursor.copy("COPY given_up FROM STDIN") as copy:
                copy.write_row((utc(2026, 3, 1), "a", 1.0))
                raise GivenUp
        except GivenUp:
            pass
        equal(connection.execute("SELECT count(*) FROM given_up").fetchone(), (0,))


def test_errors_have_sqlstate_message_and_hint():
    with connect(autocommit=True) as connection:
        table(connection, "faulty")
        connection.execute("CREATE TABLE keyed (id integer PRIMARY KEY)")
        connection.execute("INSERT INTO keyed VALUES (1)")
        for sqlstate, statement in [
            ("42601", "SELEC 1"),
            ("42P01", "SELECT * FROM nowhere"),
            ("42703", "SELECT nothing FROM faulty"),
            ("42883", "SELECT no_such_function(1)"),
            ("22012", "SELECT 1 / 0"),
            ("22003", "SELECT 2147483647 + 1"),
            ("22P02", "SELECT 'one'::integer"),
            ("42P07", "CREATE TABLE faulty (a integer)"),
            ("23502", "INSERT INTO faulty VALUES (NULL, 'a', 1)"),
            ("23505", "INSERT INTO keyed VALUES (1)"),
            ("0A000", "BEGIN ISOLATION LEVEL SERIALIZABLE"),
        ]:
            error = raises(sqlstate, connection.execute, statement)
            equal(error.diag.severity, "ERROR")
            assert error.diag.message_primary, statement
        error = raises("22023", connection.execute, "CALL refresh_continuous_aggregate('faulty', NULL, NULL)")
        assert "faulty" in error.diag.message_primary
        assert error.diag.message_hint, "no hint"
        equal(connection.execute("SELECT 1").fetchone(), (1,))


def test_executemany_and_multi_statement_queries():
    with connect(autocommit=True) as connection:
        table(connection, "many")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO many VALUES (%s, %s, %s)", [(utc(2026, 3, 1, 0, minute), "a", minute) for minute in range(50)])
            equal(cursor.rowcount, 50)
        cursor = connection.execute("SELECT 1; SELECT 2")
        equal(cursor.fetchall(), [(1,)])
        assert cursor.nextset()
        equal(cursor.fetchall(), [(2,)])
        # One string is one transaction: what came before the error is undone.
        raises("22012", connection.execute, "INSERT INTO many VALUES (now(), 'b', 1); SELECT 1 / 0")
        equal(connection.execute("SELECT count(*) FROM many WHERE sensor = 'b'").fetchone(), (0,))


def test_a_pipeline_gives_its_results_in_order_and_stops_at_an_error():
    with connect(autocommit=True) as connection:
        table(connection, "piped")
        with connection.pipeline():
            for i in range(20):
                connection.execute("INSERT INTO piped VALUES (%s, 'a', %s)", (utc(2026, 3, 1, i), i))
            counted = connection.execute("SELECT count(*), sum(value) FROM piped")
        equal(counted.fetchone(), (20, 190.0))

        def broken():
            with connection.pipeline() as pipeline:
                connection.execute("SELECT 1 / 0")
                connection.execute("INSERT INTO piped VALUES (now(), 'skipped', 1)")
                pipeline.sync()

        raises("22012", broken)
        equal(connection.execute("SELECT count(*) FROM piped WHERE sensor = 'skipped'").fetchone(), (0,))


def test_a_notice_reaches_the_client():
    with connect(autocommit=True) as connection:
        table(connection, "noticed")
        connection.execute(
            "CREATE MATERIALIZED VIEW noticed_hourly WITH (timescaledb.continuous) AS"
            " SELECT time_bucket('1 hour', time) AS bucket, count(*) AS n FROM noticed GROUP BY 1 WITH NO DATA"
        )
        notices = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        connection.execute("CALL refresh_continuous_aggregate('noticed_hourly', NULL, NULL)")
        equal(notices, ['continuous aggregate "noticed_hourly" is already up-to-date'])


def test_a_rolled_back_write_makes_nothing_pending():
    with connect(autocommit=True) as connection:
        table(connection, "undone")
        connection.execute("INSERT INTO undone VALUES ('2026-03-01 10:20Z', 'a', 1)")
        connection.execute(
            "CREATE MATERIALIZED VIEW undone_hourly WITH (timescaledb.continuous) AS"
            " SELECT time_bucket('1 hour', time) AS bucket, count(*) AS n FROM undone GROUP BY 1"
        )
        notices = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        with connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO undone VALUES ('2026-03-01 10:30Z', 'a', 1)")
        with connection.transaction():
            connection.execute("INSERT INTO undone VALUES ('2026-03-05 10:30Z', 'kept', 1)")
            with connection.transaction(force_rollback=True):
                connection.execute("DELETE FROM undone WHERE sensor = 'a'")
        connection.execute("CALL refresh_continuous_aggregate('undone_hourly', '2026-03-01', '2026-03-01 11:00Z')")
        equal(notices, ['continuous aggregate "undone_hourly" is already up-to-date'])


def test_a_query_can_be_cancelled():
    with connect(autocommit=True) as connection:
        timer = threading.Timer(0.3, connection.cancel_safe)
        began = time.monotonic()
        timer.start()
        endless = "SELECT count(*) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b"
        raises("57014", connection.execute, endless)
        assert time.monotonic() - began < 10
        equal(connection.execute("SELECT 1").fetchone(), (1,))


def test_a_statement_that_is_stopped_takes_nothing_else_of_its_block_with_it():
    with connect() as connection:
        connection.execute("CREATE TABLE stopped (n integer)")
        connection.execute("INSERT INTO stopped VALUES (1)")
        connection.execute("SAVEPOINT before")
        connection.execute("SET statement_timeout = 200")
        endless = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 10000000) b"
        raises("57014", connection.execute, endless)
        raises("25P02", connection.execute, "SELECT 1")
        connection.execute("ROLLBACK TO before")
        connection.execute("INSERT INTO stopped VALUES (2)")
        connection.commit()
        equal(connection.execute("SELECT n FROM stopped ORDER BY n").fetchall(), [(1,), (2,)])


def test_an_aggregate_is_refreshed_in_a_transaction_with_bound_parameters():
    with connect() as connection:
        table(connection, "readings")
        rows = [(utc(2026, 3, 1, hour, minute), "a", hour) for hour in range(3) for minute in (0, 30)]
        connection.cursor().executemany("INSERT INTO readings VALUES (%s, %s, %s)", rows)
        connection.execute(
            "CREATE MATERIALIZED VIEW readings_hourly WITH (timescaledb.continuous) AS"
            " SELECT time_bucket('1 hour', time) AS bucket, count(*) AS n, avg(value) AS mean FROM readings GROUP BY 1 WITH NO DATA"
        )
        window = (utc(2026, 3, 1, 0), utc(2026, 3, 1, 2))
        connection.execute("CALL refresh_continuous_aggregate('readings_hourly', %s, %s)", window)
        connection.commit()
        got = connection.execute("SELECT bucket, n, mean FROM readings_hourly ORDER BY bucket").fetchall()
        equal(got, [(utc(2026, 3, 1, 0), 2, 0.0), (utc(2026, 3, 1, 1), 2, 1.0)])


def test_a_wrong_start_up_message_ends_that_connection_only():
    with socket.create_connection((HOST, PORT), timeout=10) as wire:
        wire.sendall(b"\x00\x00\x00\x09\xde\xad\xbe\xef\x00")
        wire.settimeout(10)
        while wire.recv(1024):
            pass
    with connect() as connection:
        equal(connection.execute("SELECT 1").fetchone(), (1,))


def test_an_unknown_database_is_refused():
    try:
        psycopg.connect(host=HOST, port=PORT, user=USER, dbname="no_such_database").close()
    except psycopg.OperationalError as error:
        assert 'database "no_such_database" does not exist' in str(error), error
    else:
        raise AssertionError("it was let in")


def test_the_session_time_zone_shapes_what_is_shown():
    with connect(autocommit=True) as connection:
        connection.execute("SET TIME ZONE 'America/New_York'")
        shown = connection.execute("SELECT '2026-07-01 12:00Z'::timestamptz::text").fetchone()
        equal(shown, ("2026-07-01 08:00:00-04",))
        equal(connection.info.parameter_status("TimeZone"), "America/New_York")


def test_json():
    with connect(autocommit=True) as connection:
        connection.execute("CREATE TABLE documents (id int, j jsonb, raw json)")
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            cursor.execute("INSERT INTO documents VALUES (%s, %s, %s)", (1, Jsonb({"b": 1, "a": [1, None]}), Json([1])))
            cursor.execute("SELECT j, raw, j->'a', j->>'b' FROM documents WHERE j @> %s", (Jsonb({"a": [1]}),))
            equal(cursor.fetchone(), ({"a": [1, None], "b": 1}, [1], [1, None], "1"))


if __name__ == "__main__":
    main()
