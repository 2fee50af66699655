"""Alembic: migrations up and down, and no difference found where there is none."""

import pathlib
import tempfile

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from lib import HOST, PORT, USER, equal, main, new_database
from sqlalchemy import Column, DateTime, Enum, Float, Identity, Index, Integer, MetaData, Numeric, String, Table, UniqueConstraint
from sqlalchemy import create_engine, func, inspect, select, text
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB, UUID

DATABASE = new_database("client_alembic")
URL = f"postgresql+psycopg://{USER}@{HOST}:{PORT}/{DATABASE}"
ENGINE = create_engine(URL)

ENVIRONMENT = """
from alembic import context
from sqlalchemy import create_engine

with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""

FIRST = '''
revision, down_revision = "first", None

import datetime

import sqlalchemy as sa
from alembic import op


def upgrade():
    op.create_table(
        "readings",
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sensor", sa.String(20), nullable=False),
        sa.Column("value", sa.Float),
        sa.PrimaryKeyConstraint("time", "sensor"),
    )
    op.execute("SELECT create_hypertable('readings', 'time')")
    op.create_index("readings_sensor", "readings", ["sensor", sa.text("time DESC")])
    start = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
    op.bulk_insert(
        sa.table("readings", sa.column("time", sa.DateTime(timezone=True)), sa.column("sensor"), sa.column("value")),
        [{"time": start + datetime.timedelta(minutes=10 * n), "sensor": "a", "value": float(n)} for n in range(12)],
    )


def downgrade():
    op.drop_index("readings_sensor")
    op.drop_table("readings")
'''

SECOND = '''
revision, down_revision = "second", "first"

import sqlalchemy as sa
from alembic import op


def upgrade():
    op.execute("""
        CREATE MATERIALIZED VIEW readings_hourly WITH (timescaledb.continuous) AS
        SELECT time_bucket('1 hour', time) AS bucket, sensor, count(*) AS n FROM readings GROUP BY bucket, sensor
        WITH NO DATA
    """)
    op.execute("CALL refresh_continuous_aggregate('readings_hourly', NULL, NULL)")
    op.execute("""
        SELECT add_continuous_aggregate_policy('readings_hourly', start_offset => INTERVAL '3 days',
            end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '1 hour')
    """)
    op.add_column("readings", sa.Column("quality", sa.String(10), server_default="good"))
    op.alter_column("readings", "value", new_column_name="reading")


def downgrade():
    op.alter_column("readings", "reading", new_column_name="value")
    op.drop_column("readings", "quality")
    op.execute("SELECT remove_continuous_aggregate_policy('readings_hourly')")
    op.execute("DROP MATERIALIZED VIEW readings_hourly")
'''


def test_migrations_go_up_and_down():
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        (place / "versions").mkdir()
        (place / "env.py").write_text(ENVIRONMENT)
        (place / "versions" / "first.py").write_text(FIRST)
        (place / "versions" / "second.py").write_text(SECOND)
        config = Config()
        config.set_main_option("script_location", directory)
        config.set_main_option("sqlalchemy.url", URL)
        for _ in range(2):
            command.upgrade(config, "head")
            with ENGINE.connect() as connection:
                equal(MigrationContext.configure(connection).get_current_revision(), "second")
                equal(tuple(connection.execute(text("SELECT count(*), sum(n) FROM readings_hourly")).one()), (2, 12))
                equal(connection.execute(text("SELECT min(quality), max(reading) FROM readings")).one(), ("good", 11.0))
                equal(connection.execute(text("SELECT count(*) FROM timescaledb_information.jobs WHERE hypertable_name = 'readings_hourly'")).scalar(), 1)
            command.downgrade(config, "first")
            inspector = inspect(ENGINE)
            equal([column["name"] for column in inspector.get_columns("readings")], ["time", "sensor", "value"])
            equal(inspector.get_materialized_view_names(), [])
            command.downgrade(config, "base")
            equal(inspect(ENGINE).get_table_names(), ["alembic_version"])
        # A migration that fails leaves nothing of itself.
        (place / "versions" / "third.py").write_text(
            'revision, down_revision = "third", "second"\nfrom alembic import op\n\n'
            'def upgrade():\n    op.execute("CREATE TABLE half (a integer)")\n    op.execute("SELECT 1 / 0")\n'
        )
        try:
            command.upgrade(config, "head")
        except Exception as error:
            assert "division by zero" in str(error), error
        else:
            raise AssertionError("it worked")
        with ENGINE.connect() as connection:
            equal(MigrationContext.configure(connection).get_current_revision(), "second")
        equal(inspect(ENGINE).has_table("half"), False)
        command.downgrade(config, "base")


def test_autogeneration_finds_no_difference_where_there_is_none():
    metadata = MetaData()
    Table(
        "wells",
        metadata,
        Column("id", Integer, Identity(), primary_key=True),
        Column("name", String(40), nullable=False, comment="what it is called"),
        Column("depth", Numeric(8, 2), server_default=text("0")),
        Column("state", Enum("open", "shut", name="well_state"), nullable=False, server_default="open"),
        Column("tags", ARRAY(String)),
        Column("data", JSONB),
        Column("address", INET),
        Column("uid", UUID(as_uuid=True), server_default=func.gen_random_uuid()),
        Column("made", DateTime(timezone=True), server_default=func.now()),
        UniqueConstraint("name", name="wells_name"),
        Index("wells_made", "made", "state"),
        comment="all of them",
    )
    Table("flows", metadata, Column("time", DateTime, primary_key=True), Column("serial", Integer, primary_key=True), Column("rate", Float))
    metadata.create_all(ENGINE)
    with ENGINE.connect() as connection:
        # It has been told of no version, and compares the rest.
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = [d for d in compare_metadata(context, metadata) if d[0] != "remove_table" or d[1].name != "alembic_version"]
        equal(differences, [])
        metadata.tables["flows"].append_column(Column("note", String(5)))
        added = [d for d in compare_metadata(context, metadata) if d[0] == "add_column"]
        equal([(d[2], d[3].name) for d in added], [("flows", "note")])
        equal(connection.execute(select(func.count()).select_from(metadata.tables["wells"])).scalar(), 0)


if __name__ == "__main__":
    main()
