from __future__ import annotations

import pytest

from appliance.foundation.errors import DatabaseUnavailable
from appliance.storage import database as databases
from appliance.storage.database import Database, lock_person


def test_a_writer_that_falls_silent_loses_its_lock_and_is_told_why(database_url, monkeypatch):
    monkeypatch.setattr(databases, "SILENT_WRITER_MS", 1_000)
    frozen, other = Database(database_url), Database(database_url)
    with pytest.raises(DatabaseUnavailable, match="gave up waiting"):
        fall_silent(frozen, other)
    with frozen.transaction() as connection:
        lock_person(connection, 1)
    frozen.close()
    other.close()


def fall_silent(frozen, other):
    with frozen.transaction() as held:
        lock_person(held, 1)
        with other.transaction() as connection:
            lock_person(connection, 1)
        lock_person(held, 1)
