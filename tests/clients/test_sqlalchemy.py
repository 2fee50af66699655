"""SQLAlchemy 2: connect, insert, select, transactions."""

from lib import HOST, PORT, USER, equal, main, new_database, utc
from sqlalchemy import Column, DateTime, Float, MetaData, Table, Text, create_engine, func, select, text
from sqlalchemy.exc import ProgrammingError

DATABASE = new_database("client_sqlalchemy")
ENGINE = create_engine(f"postgresql+psycopg://{USER}@{HOST}:{PORT}/{DATABASE}")
READINGS = Table(
    "readings",
    MetaData(),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("sensor", Text),
    Column("value", Float),
)


def test_connect_and_select():
    with ENGINE.connect() as connection:
        equal(connection.execute(text("SELECT 1")).scalar(), 1)
        equal(ENGINE.dialect.server_version_info[0] >= 14, True)


def test_create_insert_and_select():
    with ENGINE.begin() as connection:
        READINGS.create(connection, checkfirst=True)
        connection.execute(text("SELECT create_hypertable('readings', 'time')"))
        rows = [{"time": utc(2026, 3, 1, hour), "sensor": "ab"[hour % 2], "value": float(hour)} for hour in range(6)]
        connection.execute(READINGS.insert(), rows)
    with ENGINE.connect() as connection:
        bucket = func.time_bucket(text("INTERVAL '2 hours'"), READINGS.c.time).label("bucket")
        query = select(bucket, func.sum(READINGS.c.value)).group_by(text("bucket")).order_by(text("bucket"))
        equal([tuple(row) for row in connection.execute(query)], [(utc(2026, 3, 1, 0), 1.0), (utc(2026, 3, 1, 2), 5.0), (utc(2026, 3, 1, 4), 9.0)])
        one = connection.execute(select(READINGS.c.value).where(READINGS.c.sensor == "b", READINGS.c.time < utc(2026, 3, 1, 2)))
        equal(one.scalars().all(), [1.0])


def test_a_rolled_back_block_leaves_nothing():
    try:
        with ENGINE.begin() as connection:
            connection.execute(READINGS.insert(), {"time": utc(2027, 1, 1), "sensor": "x", "value": 0})
            raise LookupError
    except LookupError:
        pass
    with ENGINE.connect() as connection:
        equal(connection.execute(select(func.count()).where(READINGS.c.sensor == "x")).scalar(), 0)


def test_a_savepoint_undoes_only_its_part():
    with ENGINE.begin() as connection:
        connection.execute(READINGS.insert(), {"time": utc(2027, 1, 1), "sensor": "kept", "value": 0})
        nested = connection.begin_nested()
        connection.execute(READINGS.insert(), {"time": utc(2027, 1, 1), "sensor": "undone", "value": 0})
        nested.rollback()
    with ENGINE.connect() as connection:
        late = select(READINGS.c.sensor).where(READINGS.c.time >= utc(2027, 1, 1))
        equal(connection.execute(late).scalars().all(), ["kept"])


def test_an_error_names_its_sqlstate():
    with ENGINE.connect() as connection:
        try:
            connection.execute(text("SELECT * FROM nowhere"))
        except ProgrammingError as error:
            equal(error.orig.sqlstate, "42P01")
        else:
            raise AssertionError("it worked")


if __name__ == "__main__":
    main()
