"""The tests themselves are SQLAlchemy's."""

from sqlalchemy.testing.suite import *  # noqa: F403
