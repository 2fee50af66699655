"""asyncpg: prepared fetches, executemany, transactions, cursors, COPY of text."""

import asyncio
import io
import json
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network

import asyncpg
from lib import HOST, PORT, USER, equal, main, new_database, utc

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


if __name__ == "__main__":
    main(around)
