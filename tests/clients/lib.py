"""What the client scripts share: a database of their own, and running their tests by name."""

import inspect
import os
import sys
import traceback
from datetime import datetime, timezone

import psycopg

HOST = os.environ["PGHOST"]
PORT = int(os.environ["PGPORT"])
USER = os.environ["PGUSER"]


def new_database(name: str) -> str:
    """Makes an empty database and gives its name."""
    with psycopg.connect(host=HOST, port=PORT, user=USER, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name}")
        connection.execute(f"CREATE DATABASE {name}")
    return name


def utc(*parts: int) -> datetime:
    """A moment in UTC."""
    return datetime(*parts, tzinfo=timezone.utc)


def counted_by_day(name: str, time_type: str) -> list[str]:
    """Statements that make a hypertable with a row on each of four days, and `{name}_daily` over it."""
    return [
        f"CREATE TABLE {name} (time {time_type} NOT NULL, value double precision)",
        f"SELECT create_hypertable('{name}', 'time')",
        f"INSERT INTO {name} SELECT '2026-03-01'::{time_type} + n * INTERVAL '1 day', n FROM generate_series(0, 3) n",
        f"CREATE MATERIALIZED VIEW {name}_daily WITH (timescaledb.continuous) AS"
        f" SELECT time_bucket('1 day', time) AS bucket, count(*) AS n FROM {name} GROUP BY 1 WITH NO DATA",
    ]


def raises(sqlstate: str, statement, *args):
    """Runs `statement(*args)`, which must fail with this SQLSTATE, and gives the error."""
    try:
        statement(*args)
    except Exception as error:
        got = getattr(error, "sqlstate", None)
        assert got == sqlstate, f"expected {sqlstate}, got {got}: {error}"
        return error
    raise AssertionError(f"expected {sqlstate}, but it worked")


def equal(got, expected):
    """Fails with both values when they differ."""
    assert got == expected, f"\n     got {got!r}\nexpected {expected!r}"


def main(around=lambda test: test()) -> None:
    """Runs the functions of the calling script whose names begin with `test_`, in the order written."""
    script = sys.modules["__main__"]
    tests = [test for name, test in vars(script).items() if name.startswith("test_") and inspect.isfunction(test)]
    assert tests, "no test"
    failed = 0
    for test in tests:
        try:
            around(test)
            print(f"ok     {test.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {test.__name__}", flush=True)
            traceback.print_exc(file=sys.stdout)
    sys.exit(1 if failed else 0)
