"""One upload may name more things than a statement takes parameters (65,535)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from appliance.domain.quarantine import Quarantined, Reason
from appliance.domain.record import Kind
from appliance.domain.sample import Grain, SeriesKey
from appliance.storage import quarantine, records, rollups, series
from tests.fixtures.house import a_phone

MANY = 70_000
AT = datetime(2026, 8, 7, tzinfo=UTC)


@pytest.fixture
def person_id(app, services):
    a_phone(app, services, "Anna", ["ingest"])
    return 1


def test_names_identities_and_days_are_looked_up_however_many_there_are(database, person_id):
    names = [f"name {n}" for n in range(MANY)]
    with database.transaction() as connection:
        key = SeriesKey("name 7", "Watch", Grain.RAW, "count")
        series.add(connection, person_id, [key])
        assert list(series.of_person(connection, person_id, names)) == [key]
        assert records._held(connection, person_id, Kind.SYMPTOM, set(names)) == {}
        assert records.track_names(connection, person_id, list(range(MANY))) == {}
        assert rollups.of_numbers(connection, person_id, "name 7", range(MANY)) == []


def test_items_are_set_aside_seen_again_and_released_however_many_there_are(database, person_id):
    items = [
        Quarantined("samples", "step_count", f"data.metrics[0].data[{n}]", Reason.WRONG_SHAPE, "No.", n)
        for n in range(MANY)
    ]
    with database.transaction() as connection:
        assert quarantine.keep(connection, person_id, 1, items, AT) == MANY
        assert quarantine.keep(connection, person_id, 2, items[:10], AT) == 0
        assert quarantine.count(connection, person_id) == MANY
        newest = quarantine.page(connection, person_id, limit=1)[0]
        assert (newest.path, newest.first_seen_at, newest.reason) == (items[-1].path, AT, "wrong_shape")
        assert quarantine.release(connection, person_id, 1, items[:-3]) == 3
