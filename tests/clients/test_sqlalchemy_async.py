"""SQLAlchemy 2 asynchronously, over asyncpg and over psycopg: sessions, and the refresh helper of an application."""

import asyncio
from datetime import date, datetime

from lib import HOST, PORT, USER, equal, main, new_database, utc
from sqlalchemy import DateTime, String, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DATABASE = new_database("client_sqlalchemy_async")
ENGINES = [
    create_async_engine(f"postgresql+{driver}://{USER}@{HOST}:{PORT}/{DATABASE}", pool_size=4, pool_pre_ping=True)
    for driver in ("asyncpg", "psycopg")
]


class Base(DeclarativeBase):
    pass


class Deviation(Base):
    __tablename__ = "deviations"
    timestamp: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    site_id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(40))
    deviation: Mapped[float | None]


AGGREGATE = """
CREATE MATERIALIZED VIEW daily_accuracy_metrics
WITH (timescaledb.continuous) AS
SELECT
  time_bucket('1 day', timestamp) AS bucket,
  site_id,
  AVG(ABS(deviation)) AS mae,
  AVG(deviation) AS bias,
  STDDEV(deviation) AS std_dev,
  COUNT(*) AS sample_size
FROM deviations
GROUP BY bucket, site_id
WITH NO DATA
"""


async def refresh_continuous_aggregate(
    db: AsyncSession,
    aggregate_name: str,
    start_time: datetime | None = None,
    end_time: datetime | None = None,
) -> None:
    """As an application has it: within the session's transaction, bounds written into the text."""
    if start_time and end_time:
        await db.execute(
            text(f"CALL refresh_continuous_aggregate('{aggregate_name}', '{start_time.isoformat()}', '{end_time.isoformat()}')")
        )
    else:
        await db.execute(text(f"CALL refresh_continuous_aggregate('{aggregate_name}', NULL, NULL)"))
    await db.commit()


def around(test) -> None:
    async def run():
        for engine in ENGINES:
            async with engine.begin() as connection:
                await connection.execute(text("DROP MATERIALIZED VIEW IF EXISTS daily_accuracy_metrics"))
                await connection.run_sync(Base.metadata.drop_all)
                await connection.run_sync(Base.metadata.create_all)
                await connection.execute(text("SELECT create_hypertable('deviations', 'timestamp')"))
                await connection.execute(text(AGGREGATE))
            await test(async_sessionmaker(engine, expire_on_commit=False))
            await engine.dispose()

    asyncio.run(asyncio.wait_for(run(), 100))


def deviations() -> list[Deviation]:
    return [
        Deviation(timestamp=utc(2026, 3, day, hour), site_id=site, model="m", deviation=site * (-1) ** hour)
        for day in (1, 2)
        for hour in range(4)
        for site in (1, 2)
    ]


async def test_the_refresh_helper_works_in_a_session(sessions):
    async with sessions() as db:
        db.add_all(deviations())
        await db.commit()
        await refresh_continuous_aggregate(db, "daily_accuracy_metrics", utc(2026, 3, 1), utc(2026, 3, 2))
        rows = (await db.execute(text("SELECT bucket, site_id, mae, bias, sample_size FROM daily_accuracy_metrics ORDER BY site_id"))).all()
        equal([tuple(row) for row in rows], [(utc(2026, 3, 1), 1, 1.0, 0.0, 4), (utc(2026, 3, 1), 2, 2.0, 0.0, 4)])
        await refresh_continuous_aggregate(db, "daily_accuracy_metrics")
        equal((await db.execute(text("SELECT sum(sample_size) FROM daily_accuracy_metrics"))).scalar(), 16)
        # The same again in a transaction that is rolled back.
        db.add(Deviation(timestamp=utc(2026, 3, 1, 12), site_id=1, model="m", deviation=None))
        await db.flush()
        await db.execute(text("CALL refresh_continuous_aggregate('daily_accuracy_metrics', NULL, NULL)"))
        equal((await db.execute(text("SELECT sum(sample_size) FROM daily_accuracy_metrics"))).scalar(), 17)
        await db.rollback()
        equal((await db.execute(text("SELECT sum(sample_size) FROM daily_accuracy_metrics"))).scalar(), 16)


async def test_bounds_may_be_bound(sessions):
    async with sessions() as db:
        db.add_all(deviations())
        await db.commit()
        call = text("CALL refresh_continuous_aggregate('daily_accuracy_metrics', :start, :end)")
        typed = call.bindparams(bindparam("start", type_=DateTime(timezone=True)), bindparam("end", type_=DateTime(timezone=True)))
        await db.execute(typed, {"start": utc(2026, 3, 1), "end": utc(2026, 3, 2)})
        await db.commit()
        equal((await db.execute(text("SELECT sum(sample_size) FROM daily_accuracy_metrics"))).scalar(), 8)
        naive = {"start": datetime(2026, 3, 2), "end": datetime(2026, 3, 3)}
        await db.execute(text("CALL refresh_continuous_aggregate('daily_accuracy_metrics', :start, :end)"), naive)
        days = {"start": date(2026, 3, 1), "end": date(2026, 3, 3)}
        await db.execute(text("CALL refresh_continuous_aggregate('daily_accuracy_metrics', :start, :end)"), days)
        await db.execute(text("CALL refresh_continuous_aggregate('daily_accuracy_metrics', :start, :end)"), {"start": None, "end": None})
        await db.commit()
        equal((await db.execute(text("SELECT sum(sample_size) FROM daily_accuracy_metrics"))).scalar(), 16)


async def test_objects_are_written_changed_and_deleted(sessions):
    async with sessions() as db, db.begin():
        db.add_all(deviations())
    async with sessions() as db:
        found = (await db.scalars(select(Deviation).where(Deviation.site_id == 2).order_by(Deviation.timestamp).limit(2))).all()
        equal([(row.timestamp, row.deviation) for row in found], [(utc(2026, 3, 1, 0), 2.0), (utc(2026, 3, 1, 1), -2.0)])
        found[0].deviation = 5.5
        await db.delete(found[1])
        await db.commit()
        equal(await db.get(Deviation, (utc(2026, 3, 1, 1), 2)), None)
        await db.refresh(found[0])
        equal(found[0].deviation, 5.5)
        totals = select(Deviation.site_id, func.count(), func.sum(Deviation.deviation)).group_by(Deviation.site_id).order_by(Deviation.site_id)
        equal([tuple(row) for row in await db.execute(totals)], [(1, 8, 0.0), (2, 7, 5.5)])


async def test_an_upsert_and_an_error_in_a_savepoint(sessions):
    async with sessions() as db, db.begin():
        row = {"timestamp": utc(2026, 3, 1), "site_id": 1, "model": "a", "deviation": 1.0}
        await db.execute(insert(Deviation).values(row))
        upsert = insert(Deviation).values(row | {"deviation": 2.0})
        upsert = upsert.on_conflict_do_update(index_elements=["timestamp", "site_id"], set_={"deviation": upsert.excluded.deviation})
        equal((await db.execute(upsert.returning(Deviation.deviation))).scalar(), 2.0)
        try:
            async with db.begin_nested():
                await db.execute(insert(Deviation).values(row))
        except IntegrityError as error:
            equal(error.orig.sqlstate, "23505")
        else:
            raise AssertionError("a key was there twice")
        equal((await db.execute(select(func.count()).select_from(Deviation))).scalar(), 1)


async def test_rows_are_streamed(sessions):
    async with sessions() as db:
        result = await db.stream(text("SELECT n FROM generate_series(1, 3000) AS s (n)"))
        equal(sum([row.n async for row in result]), 3000 * 3001 // 2)


async def test_an_error_names_its_sqlstate(sessions):
    async with sessions() as db:
        try:
            await db.execute(text("SELECT nothing FROM deviations"))
        except DBAPIError as error:
            equal(error.orig.sqlstate, "42703")
        else:
            raise AssertionError("it worked")
        await db.rollback()
        equal((await db.execute(text("SELECT 1"))).scalar(), 1)


if __name__ == "__main__":
    main(around)
