"""pandas: frames in and out through SQLAlchemy."""

import pandas
from lib import HOST, PORT, USER, equal, main, new_database, utc
from sqlalchemy import create_engine, text

DATABASE = new_database("client_pandas")
ENGINES = {driver: create_engine(f"postgresql+{driver}://{USER}@{HOST}:{PORT}/{DATABASE}") for driver in ("psycopg",)}


def around(test) -> None:
    for engine in ENGINES.values():
        test(engine)


def frame() -> pandas.DataFrame:
    count = 200
    return pandas.DataFrame(
        {
            "time": pandas.date_range("2026-03-01", periods=count, freq="10min", tz="UTC"),
            "sensor": ["ab"[n % 2] for n in range(count)],
            "value": [None if n % 20 == 0 else n / 4 for n in range(count)],
            "count": range(count),
            "good": [n % 3 == 0 for n in range(count)],
            "local": pandas.date_range("2026-03-01", periods=count, freq="10min"),
            "day": [pandas.Timestamp("2026-03-01").date()] * count,
        }
    )


def test_a_frame_makes_its_table_and_comes_back(engine):
    written = frame()
    written.to_sql("frames", engine, index=False, chunksize=80, method="multi")
    read = pandas.read_sql("SELECT * FROM frames ORDER BY time", engine, parse_dates=["local"])
    equal(len(read), 200)
    equal(list(read.columns), list(written.columns))
    equal(str(read["time"].dtype).split("[")[1].split(",")[1].strip(" ]"), "UTC")
    for name in written.columns:
        one, other = written[name], read[name]
        assert ((one == other) | (one.isna() & other.isna())).all(), name


def test_a_frame_is_appended_and_replaced(engine):
    written = frame()[["time", "sensor", "value"]]
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE appended (time timestamptz NOT NULL, sensor text, value double precision)"))
        connection.execute(text("SELECT create_hypertable('appended', 'time')"))
    for _ in range(2):
        written.to_sql("appended", engine, index=False, if_exists="append")
    read = pandas.read_sql_table("appended", engine)
    equal(len(read), 400)
    equal(read["value"].sum(), 2 * written["value"].sum())
    try:
        written.to_sql("appended", engine, index=False, if_exists="fail")
    except ValueError:
        pass
    else:
        raise AssertionError("a table was replaced unasked")
    written.head(3).to_sql("replaced", engine, if_exists="replace")
    written.head(2).to_sql("replaced", engine, if_exists="replace")
    equal(pandas.read_sql("SELECT count(*) FROM replaced", engine).iloc[0, 0], 2)


def test_an_aggregate_is_read_with_parameters_and_in_pieces(engine):
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE MATERIALIZED VIEW appended_daily WITH (timescaledb.continuous) AS"
                " SELECT time_bucket('1 day', time) AS bucket, sensor, count(*) AS n, avg(value) AS mean FROM appended GROUP BY 1, 2"
            )
        )
    query = text("SELECT * FROM appended_daily WHERE bucket >= :start AND sensor = :sensor ORDER BY bucket")
    read = pandas.read_sql(query, engine, params={"start": utc(2026, 3, 2), "sensor": "a"}, index_col="bucket")
    equal(list(read.columns), ["sensor", "n", "mean"])
    equal(read["n"].tolist(), [56])
    pieces = pandas.read_sql("SELECT * FROM appended ORDER BY time", engine, chunksize=120)
    equal([len(piece) for piece in pieces], [120, 120, 120, 40])


if __name__ == "__main__":
    main(around)
