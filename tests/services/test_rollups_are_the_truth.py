"""After any sequence of uploads the stored rollups are what all stored samples together resolve to."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import fields
from datetime import timedelta, timezone

import pytest

from appliance.catalog.load import load_catalogue
from appliance.domain.priority import default_rank
from appliance.domain.sample import DAY_US, SECOND_US, Grain
from appliance.domain.truth import Rows, Rule, Strand, resolve
from tests.fixtures.documents import document, metric, point, when
from tests.fixtures.house import a_phone

SAMPLES = """
    SELECT s.metric, s.series_id, o.name AS source, s.grain, (extract(epoch FROM x.start_at) * 1000000)::bigint AS start,
           x.utc_offset, x.duration, x.value, x.min, x.max,
           (extract(epoch FROM u.received_at) * 1000000)::bigint AS told
    FROM sample AS x JOIN series AS s USING (person_id, series_id) JOIN source AS o USING (person_id, source_id)
    JOIN upload AS u USING (person_id, upload_id)
    WHERE person_id = :person ORDER BY s.series_id, x.start_at
"""
DAYS = """
    SELECT metric, day - date '1970-01-01' AS day, utc_offset, value, min, max, count FROM rollup
    WHERE person_id = :person ORDER BY 1, 2
"""
HOURS = """
    SELECT metric, day - date '1970-01-01' AS day, (extract(epoch FROM start_at) * 1000000)::bigint, value, min, max, count
    FROM rollup_hour WHERE person_id = :person ORDER BY 1, 2, 3
"""
METRICS = {"step_count": "count", "heart_rate": "bpm", "weight_body_mass": "kg", "aura_brightness": "lm"}
SOURCES = ["Watch", "iPhone", "Watch|iPhone", "Ring", ""]
GRAINS = {"Days": 1_440, "Hours": 60, "Minutes": 1, "Weeks": 10_080, "": 7}
PERIODS = ["Today", "Since Last Sync", ""]
ZONES = [timezone(timedelta(hours=hour)) for hour in (2, 2, 2, -7, 13)]
START = when("2026-08-01 00:00")


def rows(samples):
    columns = {
        "start": [row.start for row in samples],
        "offset": [row.utc_offset for row in samples],
        "day": [(row.start + row.utc_offset * SECOND_US) // DAY_US for row in samples],
        "duration": [row.duration for row in samples],
        "value": [row.value for row in samples],
        "minimum": [row.min for row in samples],
        "maximum": [row.max for row in samples],
        "told": [row.told for row in samples],
    }
    return Rows(**{field.name: columns[field.name] for field in fields(Rows)})


def resolved(samples):
    """What all stored samples resolve to, in the form the tables hold it."""
    catalogue = load_catalogue()
    strands = defaultdict(lambda: defaultdict(list))
    for row in samples:
        strands[row.metric][row.series_id, row.source, Grain(row.grain)].append(row)
    days, hours = [], []
    for name in sorted(strands):
        known = catalogue.metrics.get(name)
        rule = Rule(known.aggregate if known else None, default_rank)
        for day in resolve(rule, [Strand(*key, rows(found)) for key, found in strands[name].items()]):
            days.append((name, day.day, day.offset, day.value, day.minimum, day.maximum, day.count))
            told = day.hours
            hours += [
                (name, day.day, *hour)
                for hour in zip(told.start, told.value, told.minimum, told.maximum, told.count, strict=True)
            ]
    return days, hours


def about(table):
    """Numbers may differ in the last digits, because sums are made in another order."""
    return [
        tuple(pytest.approx(cell, rel=1e-12) if isinstance(cell, float) else cell for cell in row)
        for row in table
    ]


def assert_rollups_are_the_truth(ask, person=1):
    days, hours = resolved(ask(SAMPLES, person=person))
    assert [tuple(row) for row in ask(DAYS, person=person)] == about(days)
    assert [tuple(row) for row in ask(HOURS, person=person)] == about(hours)
    return days


def a_window(dice):
    """A random window of random metrics, sources and grains, overlapping what came before."""
    grain = dice.choice(list(GRAINS))
    step = timedelta(minutes=GRAINS[grain])
    zone = dice.choice(ZONES)
    start = (
        START
        + timedelta(minutes=dice.choice([0, 0, 0, 17, 60, 600, 1_380]))
        + dice.randrange(3) * timedelta(days=1)
    )
    entries = []
    for name in dice.sample(list(METRICS), dice.randint(1, len(METRICS))):
        points = []
        for source in dice.sample(SOURCES, dice.randint(1, 3)):
            for n in range(dice.randint(1, 20)):
                at = (start + n * step).astimezone(zone)
                if name == "heart_rate" and dice.random() < 0.5:
                    low = dice.randint(40, 90)
                    points.append(point(at, None, source, Min=low, Avg=low + dice.random(), Max=low + 9))
                else:
                    points.append(point(at, dice.choice([60, 61.5, 80, 99]) + dice.random(), source))
        dice.shuffle(points)
        entries.append(metric(name, METRICS[name], *points))
    return document(*entries), {"automation_aggregation": grain, "automation_period": dice.choice(PERIODS)}


@pytest.mark.parametrize("seed", range(12))
def test_after_any_uploads_the_rollups_are_what_the_samples_resolve_to(phone, ask, clock, seed):
    dice = random.Random(seed)
    clock.advance(days=-16)  # into the middle of the windows, so that some of them are still running
    sent = []
    for _ in range(8):
        body, headers = dice.choice(sent) if sent and dice.random() < 0.2 else a_window(dice)
        sent.append((body, headers))
        phone.send(body, **headers)
        clock.advance(hours=dice.choice([0, 1, 5, 30]))
        assert_rollups_are_the_truth(ask)
    assert assert_rollups_are_the_truth(ask) != []


def test_one_persons_uploads_leave_anothers_rollups_alone(phone, app, services, ask):
    other = a_phone(app, services, "Ben", ["ingest", "read"])
    body, headers = a_window(random.Random(1))
    phone.send(body, **headers)
    before = ask(DAYS, person=1)
    other.send(a_window(random.Random(2))[0], **headers)
    other.send(a_window(random.Random(3))[0], **headers)
    assert ask(DAYS, person=1) == before != []
    assert_rollups_are_the_truth(ask, person=2)


def test_a_day_whose_samples_are_gone_vanishes_when_it_is_told_again(phone, ask):
    def tell(*days, value=10):
        points = [point(f"2026-08-{day:02} 10:00", value) for day in days]
        phone.send(document(metric("step_count", "count", *points)), automation_aggregation="Hours")

    tell(6, 7, 8)
    ask("DELETE FROM sample WHERE start_at < '2026-08-07'")
    ask("UPDATE rollup SET value = 99")
    tell(7, value=20)
    assert phone.days("step_count") == {"2026-08-06": 99, "2026-08-07": 20, "2026-08-08": 99}
    tell(6, 8, value=30)
    assert_rollups_are_the_truth(ask)
