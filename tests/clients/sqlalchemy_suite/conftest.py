"""Runs SQLAlchemy's own dialect suite against the server, and writes down how each test ended.

What the suite asks of the database is in `requirements.py`; `../test_sqlalchemy_suite.py` starts it.
"""

import json
import os
import re
import warnings

# Before the plugin, which would make extensions that nothing in the suite needs.
import sqlalchemy.dialects.postgresql.provision  # noqa: F401
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import DropConstraintComment, ForeignKeyConstraint, SetConstraintComment
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: F403
from sqlalchemy.testing.plugin.pytestplugin import pytest_collection_finish as end_of_collection
from sqlalchemy.testing.plugin.pytestplugin import pytest_runtest_logreport as report_of_suite
from sqlalchemy.testing.plugin.pytestplugin import pytest_sessionfinish as end_of_suite
from sqlalchemy.testing.provision import post_configure_engine

OUTCOMES = {}


@post_configure_engine.for_db("postgresql")
def no_extensions(url, engine, follower_ident):
    pass


# The suite's tables have foreign keys, which are refused; without them most of its tests have the same meaning.
@compiles(ForeignKeyConstraint, "postgresql")
def no_foreign_key(constraint, compiler, **options):
    return None


# Comments on constraints are refused.
@compiles(SetConstraintComment, "postgresql")
@compiles(DropConstraintComment, "postgresql")
def no_comment(comment, compiler, **options):
    return "SELECT 1"


def pytest_collection_finish(session):
    end_of_collection(session)
    # The suite makes an error of each warning, also of the one that PostgreSQL before 18 computes columns on writing.
    warnings.filterwarnings("ignore", message="Computed column")


def pytest_runtest_logreport(report):
    """A test passes when its set-up, it itself and its tear-down do."""
    report_of_suite(report)
    # The suite appends the driver and the server's version to the names of its classes.
    name = re.sub(r"_postgresql\+psycopg\w*", "", report.nodeid.split("::", 1)[1])
    worst = ["passed", "skipped", "failed"]
    before = OUTCOMES.get(name, "passed")
    OUTCOMES[name] = max(before, report.outcome, key=worst.index)


def pytest_sessionfinish(session):
    end_of_suite(session)
    with open(os.environ["SUITE_OUTCOMES"], "w") as file:
        json.dump(OUTCOMES, file)
