"""asyncpg: prepared fetches, executemany, transactions, cursors, pools, COPY of text and of records, types both ways."""

import asyncio
import datetime
import io
import json
import struct
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network
from uuid import UUID

import asyncpg
from lib import HOST, PORT, USER, counted_by_day, equal, main, new_database, utc

DATABASE = new_database("client_asyncpg")


def around(test) -> None:
    async def run():
        connection = await asyncpg.connect(host=HOST, port=PORT, user=USER, database=DATABASE)
        try:
            await test(connection)
        finally:
            await connection.close()

    asyncio.run(asyncio.wait_for(run(), 60))


async def table(connection: asyncpg.Connection, name: str) -> None:
    await connection.execute(f"CREATE TABLE {name} (time timestamptz NOT NULL, sensor text, value double precision)")
    await connection.execute(f"SELECT create_hypertable('{name}', 'time')")


async def test_fetch_with_parameters(connection):
    await table(connection, "fetched")
    await connection.execute("INSERT INTO fetched VALUES ($1, $2, $3)", utc(2026, 3, 1), "a", 1.5)
    rows = await connection.fetch("SELECT * FROM fetched WHERE sensor = $1 AND value < $2", "a", 2.0)
    equal([tuple(row) for row in rows], [(utc(2026, 3, 1), "a", 1.5)])
    equal(await connection.fetchval("SELECT count(*) FROM fetched WHERE time < $1", utc(2026, 1, 1)), 0)
    row = await connection.fetchrow("SELECT 1::numeric(10,2) AS price, NULL::text AS nothing")
    equal(dict(row), {"price": Decimal("1.00"), "nothing": None})


async def test_a_prepared_statement_tells_its_types(connection):
    await table(connection, "described")
    statement = await connection.prepare("SELECT time, value FROM described WHERE sensor = $1 AND time >= $2 AND value > $3")
    equal([kind.name for kind in statement.get_parameters()], ["text", "timestamptz", "float8"])
    equal([(column.name, column.type.name) for column in statement.get_attributes()], [("time", "timestamptz"), ("value", "float8")])
    equal(await statement.fetch("a", utc(2026, 1, 1), 0.0), [])
    equal([tuple(row) for row in await connection.fetch("SELECT i FROM generate_series(1, 9) i ORDER BY i LIMIT $1 OFFSET $2", 2, 3)], [(4,), (5,)])


async def test_executemany_is_one_transaction(connection):
    await table(connection, "many")
    rows = [(utc(2026, 3, 1, 0, minute), "a", float(minute)) for minute in range(50)]
    await connection.executemany("INSERT INTO many VALUES ($1, $2, $3)", rows)
    equal(await connection.fetchval("SELECT count(*) FROM many"), 50)
    try:
        await connection.executemany("INSERT INTO many VALUES ($1, $2, $3)", [(utc(2026, 4, 1), "b", 1.0), (None, "b", 1.0)])
    except asyncpg.NotNullViolationError as error:
        equal(error.sqlstate, "23502")
    else:
        raise AssertionError("a row without a time was taken")
    equal(await connection.fetchval("SELECT count(*) FROM many WHERE sensor = 'b'"), 0)


async def test_transactions_and_savepoints(connection):
    await table(connection, "nested")
    insert = "INSERT INTO nested VALUES ($1, $2, 1)"
    async with connection.transaction():
        await connection.execute(insert, utc(2026, 3, 1), "kept")
        try:
            async with connection.transaction():
                await connection.execute(insert, utc(2026, 3, 2), "undone")
                raise LookupError
        except LookupError:
            pass
    try:
        async with connection.transaction():
            await connection.execute(insert, utc(2026, 3, 3), "undone too")
            raise LookupError
    except LookupError:
        pass
    equal([row["sensor"] for row in await connection.fetch("SELECT sensor FROM nested")], ["kept"])


async def test_a_cursor_reads_in_pieces(connection):
    total = 0
    async with connection.transaction():
        async for row in connection.cursor("SELECT n FROM generate_series(1, 500) AS series (n)", prefetch=50):
            total += row["n"]
    equal(total, 125250)


async def test_copy_of_text_in_and_out(connection):
    await table(connection, "copied")
    source = io.BytesIO(b"2026-03-01 00:00:00+00,a,1\n2026-03-02 00:00:00+00,,\n")
    equal(await connection.copy_to_table("copied", source=source, format="csv"), "COPY 2")
    out = io.BytesIO()
    await connection.copy_from_query("SELECT sensor, value FROM copied ORDER BY time", output=out, format="csv")
    equal(out.getvalue(), b"a,1\n,\n")


async def test_an_error_has_its_class_and_hint(connection):
    await table(connection, "faulty")
    for statement, kind in [
        ("SELECT * FROM nowhere", asyncpg.UndefinedTableError),
        ("SELECT nothing FROM faulty", asyncpg.UndefinedColumnError),
        ("SELECT 1 / 0", asyncpg.DivisionByZeroError),
        ("SELEC 1", asyncpg.PostgresSyntaxError),
    ]:
        try:
            await connection.fetch(statement)
        except kind:
            continue
        raise AssertionError(f"{statement} worked")
    try:
        await connection.execute("CALL refresh_continuous_aggregate('faulty', NULL, NULL)")
    except asyncpg.PostgresError as error:
        assert error.hint, "no hint"
    else:
        raise AssertionError("a hypertable was refreshed")


async def test_several_connections_at_once(connection):
    await table(connection, "shared")
    async with asyncpg.create_pool(host=HOST, port=PORT, user=USER, database=DATABASE, min_size=4, max_size=4) as pool:

        async def write(sensor: int):
            for hour in range(10):
                await pool.execute("INSERT INTO shared VALUES ($1, $2, 1)", utc(2026, 3, 1, hour), str(sensor))

        await asyncio.gather(*(write(sensor) for sensor in range(4)))
    equal(await connection.fetchval("SELECT count(*) FROM shared"), 40)


async def test_json_and_lengths(connection):
    await connection.execute("CREATE TABLE documents (id int, j jsonb, v varchar(5), c char(3))")
    statement = await connection.prepare("INSERT INTO documents VALUES ($1, $2, $3, $4)")
    equal([kind.name for kind in statement.get_parameters()], ["int4", "jsonb", "varchar", "bpchar"])
    await statement.fetch(1, '{"b":1,"aa":2,"a":[1, 2]}', "ab", "x")
    equal(await connection.fetchval("SELECT j FROM documents"), '{"a": [1, 2], "b": 1, "aa": 2}')
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    statement = await connection.prepare("INSERT INTO documents VALUES ($1, $2, $3, $4)")
    await statement.fetch(2, {"z": 1}, "ab", "x  ")
    rows = await connection.fetch("SELECT id, j, c FROM documents WHERE j @> $1 AND c = $2", {"z": 1}, "x ")
    equal([tuple(row) for row in rows], [(2, {"z": 1}, "x  ")])
    equal(await connection.fetchval("SELECT jsonb_agg(j ORDER BY id DESC) FROM documents WHERE id = 2"), [{"z": 1}])
    try:
        await statement.fetch(3, None, "abcdef", None)
    except asyncpg.StringDataRightTruncationError as error:
        equal(error.sqlstate, "22001")
    else:
        raise AssertionError("a text that is too long was taken")


async def test_enumerations_addresses_and_arrays(connection):
    await connection.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    await connection.execute("CREATE TABLE people (id int, m mood, many mood[], a inet, n cidr, tags text[], b bytea)")
    row = (1, "ok", ["sad", "ok"], IPv4Address("10.0.0.1"), IPv4Network("10.0.0.0/8"), ["a", None], b"\x00\x01")
    await connection.execute("INSERT INTO people VALUES ($1, $2, $3, $4, $5, $6, $7)", *row)
    equal([tuple(row) for row in await connection.fetch("SELECT * FROM people WHERE m = $1 AND a = $2", "ok", row[3])], [row])
    equal(await connection.fetchval("SELECT id FROM people WHERE m = ANY ($1) AND id = ANY ($2)", ["ok"], [1, 2]), 1)


# Every type, a value as asyncpg gives it, and an extreme or odd one. All of it is sent in the binary format.
VALUES = [
    ("smallint", 7, -32768),
    ("integer", -1, 2147483647),
    ("bigint", 5, -9223372036854775808),
    ("real", 1.5, -0.25),
    ("double precision", 0.1, float("inf")),
    ("numeric(20,4)", Decimal("12345678.9012"), Decimal("-0.0001")),
    ("text", "grün ☃ 'quoted' \\ \t", ""),
    ("varchar(9)", "nine", "ä" * 9),
    ("boolean", True, False),
    ("bytea", b"\x00\xff", b""),
    ("date", datetime.date(2026, 3, 1), datetime.date.min),
    ("time", datetime.time(10, 20, 30, 123456), datetime.time(0)),
    ("timestamp", datetime.datetime(2026, 3, 1, 10, 20, 30, 123456), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)),
    ("timestamptz", utc(2026, 3, 1, 10, 20, 30, 123456), utc(1950, 1, 1)),
    ("interval", datetime.timedelta(days=2, hours=3, microseconds=5), datetime.timedelta(0)),
    ("uuid", UUID(int=255), UUID(int=2**128 - 1)),
    ("json", "[1, 2]", '{"a": null}'),
    ("jsonb", "[1, 2]", '{"a": null}'),
    ("inet", IPv4Address("10.0.0.1"), IPv4Address("255.255.255.255")),
    ("cidr", IPv4Network("10.0.0.0/8"), IPv4Network("0.0.0.0/0")),
    ("integer[]", [1, None, 3], []),
    ("text[]", ["a", 'b,"c"', None], [""]),
    ("double precision[]", [0.5], [float("-inf"), None]),
    ("timestamptz[]", [utc(2026, 3, 1), None], []),
    ("numeric[]", [Decimal("1.5")], [None]),
]
COLUMNS = ", ".join(f"c{i} {kind}" for i, (kind, *_) in enumerate(VALUES))
ROWS = [(1, *(v[1] for v in VALUES)), (2, *(v[2] for v in VALUES)), (3, *(None for _ in VALUES))]


async def test_every_type_as_a_parameter_and_as_a_result(connection):
    await connection.execute(f"CREATE TABLE every_type (id integer, {COLUMNS})")
    marks = ", ".join(f"${i}" for i in range(1, len(VALUES) + 2))
    await connection.executemany(f"INSERT INTO every_type VALUES ({marks})", ROWS)
    equal([tuple(row) for row in await connection.fetch("SELECT * FROM every_type ORDER BY id")], ROWS)
    # Each is found by itself.
    for i, (kind, *values) in enumerate(VALUES):
        if kind == "json":
            continue
        for number, value in enumerate(values, 1):
            equal(await connection.fetchval(f"SELECT id FROM every_type WHERE c{i} = $1", value), number)


async def test_records_are_copied_in_the_binary_format(connection):
    await connection.execute(f"CREATE TABLE copied_records (id integer, {COLUMNS})")
    equal(await connection.copy_records_to_table("copied_records", records=ROWS), "COPY 3")
    equal([tuple(row) for row in await connection.fetch("SELECT * FROM copied_records ORDER BY id")], ROWS)
    many = [(number, "x" * (number % 50)) for number in range(20_000)]

    async def generated():
        for record in many:
            yield record

    await connection.execute("CREATE TABLE copied_many (n bigint, t text)")
    equal(await connection.copy_records_to_table("copied_many", records=generated(), columns=["n", "t"]), "COPY 20000")
    equal(await connection.fetchval("SELECT sum(n) + sum(length(t)) FROM copied_many"), sum(n + len(t) for n, t in many))
    try:
        await connection.copy_records_to_table("copied_many", records=[(1, "a"), ("one", "b")])
    except (TypeError, asyncpg.DataError):
        pass
    else:
        raise AssertionError("a text was taken for a number")
    equal(await connection.fetchval("SELECT count(*) FROM copied_many"), 20_000)


async def test_a_table_and_a_query_are_copied_out_and_in_again(connection):
    await connection.execute(f"CREATE TABLE source (id integer, {COLUMNS})")
    await connection.copy_records_to_table("source", records=ROWS)
    for form in ("text", "csv", "binary"):
        out = io.BytesIO()
        equal(await connection.copy_from_table("source", output=out, format=form), "COPY 3")
        out.seek(0)
        await connection.execute(f"CREATE TABLE target_{form} (id integer, {COLUMNS})")
        equal(await connection.copy_to_table(f"target_{form}", source=out, format=form), "COPY 3")
        got = [tuple(row) for row in await connection.fetch(f"SELECT * FROM target_{form} ORDER BY id")]
        equal(got, ROWS)
    out = io.BytesIO()
    query = "SELECT id, c1 FROM source WHERE id >= $1 ORDER BY id"
    equal(await connection.copy_from_query(query, 2, output=out, format="binary"), "COPY 2")
    header, rest = out.getvalue()[:19], out.getvalue()[19:]
    equal(header, b"PGCOPY\n\xff\r\n\0" + bytes(8))
    equal(rest, struct.pack("!hiiii", 2, 4, 2, 4, 2147483647) + struct.pack("!hiii", 2, 4, 3, -1) + struct.pack("!h", -1))


async def test_a_pool_gives_back_clean_connections(connection):
    await table(connection, "pooled")
    options = {"host": HOST, "port": PORT, "user": USER, "database": DATABASE, "server_settings": {"application_name": "pool"}}
    async with asyncpg.create_pool(min_size=1, max_size=3, max_inactive_connection_lifetime=1, **options) as pool:
        async with pool.acquire() as first:
            await first.execute("SET statement_timeout = '5s'; SET TIME ZONE 'Asia/Tokyo'")
            transaction = first.transaction()
            await transaction.start()
            await first.execute("INSERT INTO pooled VALUES (now(), 'left open', 1)")
            await transaction.rollback()
        # What the one before set is gone, and what the pool asked for is not.
        async with pool.acquire() as second:
            equal(await second.fetchval("SHOW statement_timeout"), "0")
            equal(await second.fetchval("SHOW TimeZone"), "UTC")
            equal(await second.fetchval("SHOW application_name"), "pool")

        async def work(number: int):
            async with pool.acquire() as one, one.transaction():
                await one.execute("INSERT INTO pooled VALUES ($1, $2, $3)", utc(2026, 3, 1, 0, number), "a", float(number))
                return await one.fetchval("SELECT count(*) FROM pooled WHERE value = $1", float(number))

        equal(await asyncio.gather(*(work(number) for number in range(30))), [1] * 30)
    equal(await connection.fetchval("SELECT count(*) FROM pooled"), 30)


async def test_a_statement_that_is_given_up_is_cancelled(connection):
    endless = "SELECT count(*) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b"
    try:
        await connection.fetchval(endless, timeout=0.3)
    except TimeoutError:
        pass
    else:
        raise AssertionError("it ended")
    equal(await connection.fetchval("SELECT 1"), 1)


async def test_a_prepared_statement_outlives_changes(connection):
    await table(connection, "changing")
    insert = await connection.prepare("INSERT INTO changing VALUES ($1, $2, $3) RETURNING value * 2 AS doubled")
    equal([row["doubled"] for row in await insert.fetch(utc(2026, 3, 1), "a", 1.5)], [3.0])
    equal(insert.get_statusmsg(), "INSERT 0 1")
    await connection.execute("ALTER TABLE changing ADD COLUMN note text DEFAULT 'none'")
    equal(await insert.fetchval(utc(2026, 3, 2), "a", 2.0), 4.0)
    equal(await connection.fetchval("SELECT count(*) FROM changing WHERE note = 'none'"), 2)
    await insert.fetchmany([(utc(2026, 3, 3, hour), "b", float(hour)) for hour in range(5)])
    equal(await connection.fetchval("SELECT count(*) FROM changing"), 7)


async def test_refresh_bounds_are_bound_parameters(connection):
    naive, day = datetime.datetime(2026, 3, 2), datetime.date(2026, 3, 2)
    for column, bounds in [
        ("timestamptz", [(utc(2026, 3, 1), utc(2026, 3, 2)), (None, utc(2026, 3, 3)), (None, None)]),
        ("timestamp", [(naive, naive + datetime.timedelta(days=1)), (None, naive), (None, None)]),
        ("date", [(day, day + datetime.timedelta(days=1)), (None, day), (day, None), (None, None)]),
    ]:
        name = f"bounds_{column}"
        for statement in counted_by_day(name, column):
            await connection.execute(statement)
        for start, end in bounds:
            statement = await connection.prepare(f"CALL refresh_continuous_aggregate('{name}_daily', $1, $2)")
            equal([kind.name for kind in statement.get_parameters()], [column, column])
            await statement.fetch(start, end)
        equal(await connection.fetchval(f"SELECT count(*) FROM {name}_daily"), 4)


if __name__ == "__main__":
    main(around)
