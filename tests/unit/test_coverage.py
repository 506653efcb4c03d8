"""Which days are missing, and what the appliance's own counters tell."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from appliance.domain.coverage import Stretch, gaps, stretches
from appliance.domain.measure import Measure

FIRST, LAST = date(2026, 8, 1), date(2026, 8, 30)
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def august(*but: int, begin: int = 1, end: int = 30) -> list[Stretch]:
    return stretches(date(2026, 8, n) for n in range(begin, end + 1) if n not in but)


def test_days_that_follow_each_other_are_one_stretch():
    assert august(3, 4) == [
        Stretch(date(2026, 8, 1), date(2026, 8, 2)),
        Stretch(date(2026, 8, 5), date(2026, 8, 30)),
    ]
    assert stretches([]) == []


def test_a_metric_told_now_and_then_misses_nothing():
    weekly = stretches(date(2026, 8, n) for n in (1, 8, 15, 22, 29))
    found = gaps({"weight": weekly}, FIRST, LAST)
    assert (found.usual, found.quiet, dict(found.of_metrics)) == ((), (), {})


def test_a_day_without_anything_is_quiet_and_no_gap_of_single_metrics():
    told = {"steps": august(10, 11), "heart": august(10, 11, 20), "oxygen": august(10, 11)}
    found = gaps(told, FIRST, LAST)
    assert found.quiet == (Stretch(date(2026, 8, 10), date(2026, 8, 11)),)
    assert dict(found.of_metrics) == {"heart": (Stretch(date(2026, 8, 20), date(2026, 8, 20)),)}


def test_nothing_is_missing_before_the_first_day_and_everything_after_the_last():
    told = {
        "steps": august(),
        "heart": august(),
        "new": august(begin=15),
        "ended": august(end=25),
        "more": august(),
    }
    found = gaps(told, FIRST, LAST)
    assert found.quiet == ()
    assert dict(found.of_metrics) == {"ended": (Stretch(date(2026, 8, 26), date(2026, 8, 30)),)}


def test_a_counter_that_began_anew_counts_from_zero():
    hourly = Measure(("taken",))
    told = {
        "here": {
            NOON: {'taken{state="a"}': 10.0, "other": 5.0},
            NOON + HOUR: {'taken{state="a"}': 30.0, 'taken{state="b"}': 4.0},
            NOON + 3 * HOUR: {'taken{state="a"}': 8.0, 'taken{state="b"}': 4.0},
        }
    }
    assert hourly.course(told) == [(NOON + HOUR, 24.0), (NOON + 3 * HOUR, 4.0)]


def test_a_share_of_nothing_is_not_told():
    share = Measure(('looks{outcome="hit"}',), ("looks",), factor=100)
    looks = [
        {'looks{outcome="hit"}': hit, 'looks{outcome="miss"}': miss} for hit, miss in ((0, 0), (3, 1), (3, 1))
    ]
    told = {"here": {NOON + n * HOUR: each for n, each in enumerate(looks)}}
    assert share.course(told) == [(NOON + HOUR, 75.0)]


def test_a_level_is_shown_as_it_is():
    assert Measure(("size",), is_level=True, factor=1e-6).course({"here": {NOON: {"size": 5e6}}}) == [
        (NOON, 5.0)
    ]
