from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from appliance.foundation.errors import DatabaseUnavailable
from appliance.storage import archive, backups, pulse
from appliance.storage.database import Database, StatementFailed, lift_time_limits
from tests.fixtures.waiting import wait_until

LONG = text("SELECT pg_sleep(1.4)")


@pytest.fixture
def impatient(database_url, monkeypatch):
    """A database whose sessions are taken for hung before a long statement is over."""
    monkeypatch.setattr(pulse, "LONGEST_WAIT_S", 0.2)
    database = Database(database_url, pool_size=1)
    yield database
    database.close()


@pytest.mark.parametrize("lift", [lift_time_limits, backups.look_at_one_moment, lambda c: archive.hold(c, 1)])
def test_what_may_take_long_is_not_taken_for_a_session_that_hangs(impatient, lift):
    with impatient.transaction() as connection:
        lift(connection)
        connection.execute(LONG)


def test_a_session_that_may_wait_long_may_so_for_one_transaction_only(impatient):
    with impatient.transaction() as connection:
        lift_time_limits(connection)
    with pytest.raises(DatabaseUnavailable), impatient.transaction() as connection:
        connection.execute(LONG)
    wait_until(lambda: impatient.trouble is None)


def test_what_the_driver_is_misused_for_is_our_mistake_and_no_absence(database):
    misused = psycopg.OperationalError("another command is already in progress")
    with pytest.raises(StatementFailed), database.transaction():
        raise DBAPIError("SELECT 1", None, misused)
    with pytest.raises(DatabaseUnavailable), database.transaction():
        raise DBAPIError("SELECT 1", None, misused, connection_invalidated=True)
    with pytest.raises(DatabaseUnavailable), database.transaction():  # while connecting or committing
        raise DBAPIError(None, None, misused)
