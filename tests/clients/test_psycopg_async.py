"""psycopg 3 asynchronously: pipelines, cursors on the server, COPY in binary, many at once, and ends of sessions."""

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from lib import HOST, PORT, USER, counted_by_day, equal, main, new_database, utc

DATABASE = new_database("client_psycopg_async")


async def connect(**options) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(host=HOST, port=PORT, user=USER, dbname=DATABASE, **options)


def around(test) -> None:
    async def run():
        async with await connect(autocommit=True) as connection:
            await test(connection)

    asyncio.run(asyncio.wait_for(run(), 60))


async def fails(sqlstate: str, statement):
    """Awaits what must fail with this SQLSTATE."""
    try:
        await statement
    except psycopg.Error as error:
        equal(error.sqlstate, sqlstate)
        return error
    raise AssertionError(f"expected {sqlstate}, but it worked")


async def test_many_statements_on_many_connections_at_once(connection):
    await connection.execute("CREATE TABLE counted (n integer)")

    async def work(number: int) -> int:
        async with await connect() as own, own.cursor() as cursor:
            for step in range(10):
                await cursor.execute("INSERT INTO counted VALUES (%s)", (number * 10 + step,))
            await cursor.execute("SELECT count(*) FROM counted WHERE n / 10 = %s", (number,))
            return (await cursor.fetchone())[0]

    equal(await asyncio.gather(*(work(number) for number in range(20))), [10] * 20)
    cursor = await connection.execute("SELECT count(*), sum(n) FROM counted")
    equal(await cursor.fetchone(), (200, sum(range(200))))


async def test_a_pipeline_is_synchronised_and_goes_on_after_an_error(connection):
    await connection.execute("CREATE TABLE piped (n integer PRIMARY KEY)")
    async with connection.pipeline() as pipeline, connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO piped VALUES (%s)", [(n,) for n in range(100)])
        await pipeline.sync()
        counted = await connection.execute("SELECT count(*) FROM piped")
        equal(await counted.fetchone(), (100,))

    async def twice():
        async with connection.pipeline():
            await connection.execute("INSERT INTO piped VALUES (100)")
            await connection.execute("INSERT INTO piped VALUES (100)")
            await connection.execute("INSERT INTO piped VALUES (101)")

    await fails("23505", twice())
    counted = await connection.execute("SELECT count(*) FROM piped")
    equal(await counted.fetchone(), (100,))
    # In a transaction, rows of several statements come before it ends.
    async with connection.pipeline(), connection.transaction():
        first = await connection.execute("SELECT n FROM piped WHERE n < 3 ORDER BY n")
        second = await connection.execute("SELECT n FROM piped WHERE n = %s", (7,), prepare=True)
        equal(await first.fetchall(), [(0,), (1,), (2,)])
        equal(await second.fetchall(), [(7,)])


async def test_a_cursor_on_the_server_gives_rows_as_they_are_asked_for(connection):
    async with connection.transaction():
        async with connection.cursor("numbers") as cursor:
            cursor.itersize = 70
            await cursor.execute("SELECT n, repeat('x', 10) FROM generate_series(1, %s) AS s (n)", (1000,))
            equal(await cursor.fetchone(), (1, "x" * 10))
            equal(len(await cursor.fetchmany(99)), 99)
            await cursor.scroll(100)
            equal(sum([row[0] async for row in cursor]), sum(range(201, 1001)))
            equal([column.name for column in cursor.description], ["n", "repeat"])
    async with connection.transaction():
        async with connection.cursor("binary", binary=True) as cursor:
            await cursor.execute("SELECT n::numeric(10,2), now() FROM generate_series(1, 3) AS s (n)")
            equal([row[0] for row in await cursor.fetchall()], [Decimal("1.00"), Decimal("2.00"), Decimal("3.00")])
    # One that outlives its transaction.
    async with connection.transaction():
        kept = connection.cursor("kept", withhold=True)
        await kept.execute("SELECT n FROM generate_series(1, 5) AS s (n)")
    equal(await kept.fetchmany(2), [(1,), (2,)])
    equal(await kept.fetchall(), [(3,), (4,), (5,)])
    await kept.close()
    async with connection.transaction():
        backward = connection.cursor("backward", scrollable=True)
        await fails("0A000", backward.execute("SELECT 1"))
        raise psycopg.Rollback


# What COPY in the binary format needs to be told, a value and an odd one.
VALUES = [
    ("int2", "smallint", 7, -32768),
    ("int4", "integer", -1, 2147483647),
    ("int8", "bigint", 5, -9223372036854775808),
    ("float4", "real", 1.5, float("-inf")),
    ("float8", "double precision", 0.1, 1e308),
    ("numeric", "numeric(20,4)", Decimal("12345678.9012"), Decimal("-0.0001")),
    ("text", "text", "grün ☃", ""),
    ("bool", "boolean", True, False),
    ("bytea", "bytea", b"\x00\xff", b""),
    ("date", "date", date(2026, 3, 1), date(1900, 1, 1)),
    ("timestamp", "timestamp", datetime(2026, 3, 1, 10, 20, 30, 123456), datetime(1, 1, 1)),
    ("timestamptz", "timestamptz", utc(2026, 3, 1, 10, 20, 30, 123456), utc(1950, 1, 1)),
    ("interval", "interval", timedelta(days=2, hours=3, microseconds=5), timedelta(0)),
    ("uuid", "uuid", UUID(int=255), UUID(int=0)),
    ("jsonb", "jsonb", None, None),
    ("int4[]", "integer[]", [1, None, 3], []),
    ("text[]", "text[]", ["a", 'b,"c"', None], [""]),
]


async def test_rows_are_copied_in_the_binary_format_both_ways(connection):
    columns = ", ".join(f"c{i} {kind}" for i, (_, kind, *_) in enumerate(VALUES))
    await connection.execute(f"CREATE TABLE copied (id integer, {columns})")
    rows = [(1, *(v[2] for v in VALUES)), (2, *(v[3] for v in VALUES)), (3, *(None for _ in VALUES))]
    types = ["int4", *(v[0] for v in VALUES)]
    async with connection.cursor() as cursor:
        async with cursor.copy("COPY copied FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(types)
            for row in rows:
                await copy.write_row(row)
        equal(cursor.rowcount, 3)
        async with cursor.copy("COPY (SELECT * FROM copied ORDER BY id) TO STDOUT (FORMAT BINARY)") as copy:
            copy.set_types(types)
            equal([row async for row in copy.rows()], rows)

        async def wrong():
            async with cursor.copy("COPY copied FROM STDIN (FORMAT BINARY)") as copy:
                await copy.write(b"not what it should be")

        await fails("22P04", wrong())
    counted = await connection.execute("SELECT count(*) FROM copied")
    equal(await counted.fetchone(), (3,))


async def test_bounds_of_a_refresh_in_every_form(connection):
    aware, naive, day = utc(2026, 3, 2), datetime(2026, 3, 2), date(2026, 3, 2)
    east = aware.astimezone(ZoneInfo("Asia/Tokyo"))
    for column in ("timestamptz", "timestamp", "date"):
        name = f"bounds_{column}"
        for statement in counted_by_day(name, column):
            await connection.execute(statement)
        refresh = f"CALL refresh_continuous_aggregate('{name}_daily', %s, %s)"
        await connection.execute("SET TIME ZONE 'America/New_York'")
        filled = []
        for end in (aware, east, naive, day, "2026-03-02", None):
            await connection.execute(f"INSERT INTO {name} VALUES ('2026-03-01 00:00Z', 0)")
            await connection.execute(refresh, (None, end))
            async with connection.cursor(binary=True) as cursor:
                await cursor.execute(f"SELECT n FROM {name}_daily ORDER BY bucket")
                filled.append([row[0] for row in await cursor.fetchall()])
        equal(filled, [[n] for n in range(2, 7)] + [[7, 1, 1, 1]])
        await connection.execute("RESET TIME ZONE")


async def test_a_session_that_leaves_its_transaction_open_is_ended(connection):
    await connection.execute("CREATE TABLE waited (n integer)")
    async with await connect(options="-c idle_in_transaction_session_timeout=300") as own:
        await own.execute("INSERT INTO waited VALUES (1)")
        await asyncio.sleep(0.8)
        try:
            await own.execute("SELECT 1")
        except psycopg.Error as error:
            equal(error.sqlstate, "25P03")
        else:
            raise AssertionError("it was let wait")
        assert own.broken
    counted = await connection.execute("SELECT count(*) FROM waited")
    equal(await counted.fetchone(), (0,))


if __name__ == "__main__":
    main(around)
