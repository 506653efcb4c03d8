from __future__ import annotations

import json

import pytest

from appliance.domain.job import Outcome
from appliance.services import verifying
from tests.fixtures.documents import document, hours, metric, point
from tests.fixtures.tables import TRUTH


@pytest.fixture
def told(phone, services):
    """Some days of two metrics, of one of them from two sources."""
    for day in ("2026-08-05", "2026-08-06", "2026-08-07"):
        phone.send(
            document(
                metric(
                    "step_count",
                    "count",
                    *hours(day, [100, 200, 300], "Watch", 8),
                    *hours(day, [90, 250], "iPhone", 9),
                ),
                metric("heart_rate", "bpm", point(f"{day} 09:00", 61), point(f"{day} 09:05", 75)),
            )
        )
    return services


def test_what_is_true_stays_and_is_told_so(told, ask):
    before = ask(TRUTH)
    generations = ask("SELECT max(generation) FROM series")
    result = told.verifying.verify_rollups()
    assert (result.outcome, result.result["days"], result.result["mended"]) == (Outcome.OK, 6, 0)
    assert ask(TRUTH) == before
    assert ask("SELECT max(generation) FROM series") == generations


@pytest.mark.parametrize(
    "corruption",
    [
        "UPDATE rollup SET value = value + 1 WHERE metric = 'step_count' AND day = '2026-08-06'",
        "UPDATE rollup SET hour_value[2] = 0 WHERE metric = 'step_count' AND day = '2026-08-06'",
        "UPDATE rollup SET count = 0 WHERE metric = 'step_count' AND day = '2026-08-06'",
        "DELETE FROM rollup WHERE metric = 'step_count' AND day = '2026-08-06'",
        "UPDATE rollup SET day = '2026-08-09' WHERE metric = 'step_count' AND day = '2026-08-06'",
    ],
    ids=["value", "hour", "count", "missing", "of another day"],
)
def test_a_day_that_is_untrue_is_mended_and_named_without_its_value(told, phone, ask, corruption):
    before, shown = ask(TRUTH), phone.days("step_count")
    ask(corruption)
    result = told.verifying.verify_rollups()
    assert result.outcome is Outcome.FOUND
    named = {(day["metric"], day["day"]) for day in result.result["mended_days"]}
    assert ("step_count", "2026-08-06") in named
    assert named <= {("step_count", "2026-08-06"), ("step_count", "2026-08-09")}
    assert all(day.keys() == {"person_id", "metric", "day"} for day in result.result["mended_days"])
    assert ask(TRUTH) == before
    assert phone.days("step_count") == shown, "and no cached answer tells otherwise"
    assert told.verifying.verify_rollups().outcome is Outcome.OK


def test_a_rollup_of_a_metric_nobody_ever_told_goes(told, ask):
    before = ask(TRUTH)
    ask(
        "INSERT INTO rollup SELECT person_id, 'made_up', day, utc_offset, value, min, max, count, hour_start, hour_value,"
        " hour_min, hour_max, hour_count FROM rollup WHERE metric = 'heart_rate' AND day = '2026-08-05'"
    )
    assert told.verifying.verify_rollups().result["mended"] == 1
    assert ask(TRUTH) == before


def test_what_does_not_fit_into_a_night_is_looked_at_the_next(told, ask, monkeypatch):
    monkeypatch.setattr(verifying, "DAYS_AT_ONCE", 1)
    ask("UPDATE rollup SET value = 0 WHERE metric = 'step_count' AND day = '2026-08-07'")  # the last in order
    outcomes = []
    for _ in range(3):
        result = told.verifying.verify_rollups(most_days=2)
        outcomes.append(result.outcome)
        ask(
            "INSERT INTO job_run (name, instance, started_at, outcome, result) VALUES"
            " ('verify_rollups', 'x', clock_timestamp(), 'ok', jsonb_build_object('told', '', 'result', CAST(:result AS jsonb)))",
            result=json.dumps(result.result),
        )
    assert outcomes == [Outcome.OK, Outcome.OK, Outcome.FOUND]
