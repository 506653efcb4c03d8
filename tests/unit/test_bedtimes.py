"""Bed- and wake-up times on the circle of the clock."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.bedtimes import apart, circular_mean, habit, laid_out, regularity, times_of
from appliance.domain.nights import SourceNight, nights_of
from appliance.domain.priority import default_rank
from appliance.domain.sample import local_day
from appliance.domain.sleep import Hours, Session
from tests.builders import instant, offset_of

TIMES = st.floats(0, 1439.99)


def night(start: str, end: str, hours: float = 7) -> SourceNight:
    """A night of one session, from and to ISO 8601 instants."""
    session = Session(
        source="Watch",
        night=local_day(instant(end), offset_of(end)),
        offset=offset_of(end),
        hours=Hours(total=hours, core=hours),
        sleep_start=instant(start),
        sleep_end=instant(end),
        start_offset=offset_of(start),
        generation=3,
        upload_ids=(1,),
    )
    (found,) = nights_of([session], [], default_rank)
    return found.shown


def june(day: int, bed: str, up: str):
    """The times of the night to a day of June 2026; bed times from noon on are the evening before."""
    before = day - (bed > "12")
    return times_of(night(f"2026-06-{before:02}T{bed}:00+02:00", f"2026-06-{day:02}T{up}:00+02:00"))


def clock(minutes: float) -> str:
    return f"{round(minutes) // 60 % 24:02}:{round(minutes) % 60:02}"


def test_half_past_eleven_and_half_past_midnight_have_midnight_as_their_mean():
    assert circular_mean([23.5 * 60, 0.5 * 60]) == pytest.approx(0, abs=1e-6)
    assert circular_mean([23 * 60, 0]) == pytest.approx(23.5 * 60)


def test_times_that_cancel_each_other_out_have_no_mean():
    assert circular_mean([0, 720]) is None
    assert circular_mean([0, 480, 960]) is None
    assert circular_mean([]) is None


@given(st.lists(TIMES, min_size=1), st.floats(-2000, 2000))
def test_a_mean_turns_with_the_clock(times, turn):
    mean = circular_mean(times)
    turned = circular_mean([(time + turn) % 1440 for time in times])
    agreement = math.hypot(
        *(sum(f(time / 1440 * math.tau) for time in times) / len(times) for f in (math.cos, math.sin))
    )
    if abs(agreement - 0.3) < 1e-6:  # on the very edge, rounding decides
        return
    assert (mean is None) == (turned is None)
    if mean is not None:
        assert abs(apart(turned, mean + turn)) < 1e-3


@given(TIMES, TIMES)
def test_two_times_are_never_more_than_half_a_day_apart(one, other):
    assert -720 <= apart(one, other) < 720
    assert (other + apart(one, other) - one) % 1440 == pytest.approx(0, abs=1e-6) or (
        other + apart(one, other) - one
    ) % 1440 == pytest.approx(1440, abs=1e-6)


def test_the_deviation_is_told_in_minutes_across_midnight():
    found = habit([23.5 * 60, 0.0, 0.5 * 60])
    assert found.mean == pytest.approx(0, abs=1e-6)
    assert found.deviation == pytest.approx(30)
    assert found.count == 3
    assert habit([1, 2]) is None


def test_a_night_is_on_the_wall_clock_and_as_long_as_it_really_was():
    times = june(5, "23:10", "06:40")
    assert (clock(times.begin), clock(times.end), times.length) == ("23:10", "06:40", 450)


@pytest.mark.parametrize(
    ("start", "end", "length"),
    [
        ("2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00", 9 * 60),
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00", 7 * 60),
    ],
)
def test_a_clock_change_moves_neither_time_but_the_length(start, end, length):
    times = times_of(night(start, end))
    assert (clock(times.begin), clock(times.end), times.length) == ("23:00", "07:00", length)


def test_weekend_nights_are_told_apart_by_the_day_of_waking_up():
    # 6 and 7 June 2026 are a Saturday and a Sunday.
    assert [june(day, "23:00", "07:00").is_free for day in range(5, 9)] == [False, True, True, False]
    week = [june(day, "23:00", "07:00") for day in (2, 3, 4, 5, 8, 9, 10)]
    weekend = [june(day, "00:30", "09:30") for day in (6, 7, 13)]
    found = regularity(week + weekend)
    assert found.shift == pytest.approx(120)
    assert found.asleep.count == 10
    assert clock(found.awake.mean) > "07:00"
    assert clock(found.asleep.mean) > "23:00"


def test_shift_workers_are_not_given_a_time_they_never_sleep_at():
    times = [
        june(day, *span)
        for day, span in enumerate([("22:00", "06:00"), ("14:00", "22:00"), ("06:00", "14:00")] * 4, 2)
    ]
    found = regularity(times)
    assert (found.asleep, found.awake) == (None, None)
    for (begin, end), told in zip(laid_out(times), times, strict=True):
        assert end - begin == pytest.approx(told.end - told.begin)
        assert abs((begin + end) / 2 - 180) <= 720


def test_nights_on_both_sides_of_midnight_lie_side_by_side():
    begins = [begin for begin, _ in laid_out([june(3, "23:50", "07:00"), june(4, "00:10", "07:20")])]
    assert begins[1] - begins[0] == pytest.approx(20)


def test_a_night_without_times_is_left_out():
    session = Session("Watch", night=20_000, offset=0, hours=Hours(total=7.0), generation=3)
    (found,) = nights_of([session], [], default_rank)
    assert times_of(found.shown) is None
