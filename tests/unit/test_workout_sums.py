"""Zones of the heart rate, and what many workouts add up to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from appliance.domain.workouts import Line, Wanted, bests_of, hours_by_week, labels_by_time, totals_of
from appliance.domain.zones import zones_of

S = 1_000_000
MONDAY = date(2026, 6, 1)


def line(day=0, label="running", minutes=30.0, km=5.0, **more):
    """A workout of June 2026."""
    start = datetime(2026, 6, 1, 18, tzinfo=UTC) + timedelta(days=day)
    told = {
        "workout_id": day,
        "name": None,
        "source": "Watch",
        "end": start + timedelta(minutes=minutes or 0),
        "duration_s": None if minutes is None else minutes * 60,
        "active_energy_kcal": None,
        "avg_heart_rate": None,
        "max_heart_rate": None,
        "elevation_up_m": None,
        "flags": (),
        "has_route": False,
    }
    return Line(label=label, start=start, distance_km=km, **(told | more))


def test_each_beat_counts_in_the_zone_it_reaches():
    at = [n * 10 * S for n in range(7)]
    zones = zones_of(at, [99.9, 100, 119.9, 120, 160, 180, 250], 200, end=70 * S)
    assert [(zone.number, zone.seconds) for zone in zones] == [
        (0, 10),
        (1, 20),
        (2, 10),
        (3, 0),
        (4, 10),
        (5, 20),
    ]
    assert [(zone.low, zone.high) for zone in zones[1:]] == [
        (100, 120),
        (120, 140),
        (140, 160),
        (160, 180),
        (180, None),
    ]


def test_time_without_a_measured_heart_rate_is_in_no_zone():
    zones = zones_of([0, 600 * S], [150.0, 150.0], 200, end=2000 * S)
    assert sum(zone.seconds for zone in zones) == 120
    assert sum(zone.seconds for zone in zones_of([0, 10 * S], [None, 150.0], 200, end=30 * S)) == 20
    assert sum(zone.seconds for zone in zones_of([], [], 200)) == 0


def test_workouts_add_up_without_inventing_what_was_not_told():
    found = totals_of([line(), line(1, km=None, active_energy_kcal=100.0)])
    assert (found.count, found.seconds, found.distance_km, found.active_energy_kcal) == (2, 3600, 5, 100)
    assert totals_of([line(km=None)]).distance_km is None


def test_weeks_begin_on_monday_and_a_week_without_workouts_is_there():
    lines = [line(0), line(6, minutes=60), line(14)]
    assert hours_by_week(lines, MONDAY, MONDAY + timedelta(days=20)) == [
        (MONDAY, 1.5),
        (MONDAY + timedelta(days=7), 0),
        (MONDAY + timedelta(days=14), 0.5),
    ]
    assert hours_by_week(lines, MONDAY + timedelta(days=1), MONDAY + timedelta(days=6)) == [(MONDAY, 1)]


def test_the_best_are_real_and_a_forgotten_timer_is_none_of_them():
    lines = [
        line(5, minutes=3000, km=6, flags=("very_long",)),
        line(4, minutes=3, km=0.9),
        line(3, minutes=60, km=9),
        line(2, minutes=25, km=5),
        line(1, "yoga", 60, None),
    ]
    running, yoga = bests_of(lines)
    assert (running.label, running.count) == ("running", 4)
    assert (running.longest.day.day, running.farthest.day.day, running.fastest.day.day) == (4, 4, 3)
    assert (yoga.longest.day.day, yoga.farthest, yoga.fastest) == (2, None, None)
    assert labels_by_time(lines) == ["running", "yoga"]


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        ({}, [0, 1, 2]),
        ({"label": "yoga"}, [2]),
        ({"least_km": 5}, [0]),
        ({"least_min": 40}, [2]),
        ({"text": "  EVENING"}, [1]),
        ({"text": "runn"}, [0, 1]),
        ({"first": MONDAY + timedelta(days=1), "last": MONDAY + timedelta(days=1)}, [1]),
    ],
)
def test_a_filter_takes_what_it_says(wanted, taken):
    lines = [line(0), line(1, km=3, name="Evening run"), line(2, "yoga", 45, None)]
    found = [each.workout_id for each in lines if Wanted(**wanted).takes(each, each.label.capitalize())]
    assert found == taken
