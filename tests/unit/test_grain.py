"""How wide a bucket is: what the header says, unless the points contradict it; else what the times show."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.sample import (
    DAY_S,
    GRAIN_SECONDS,
    SECOND_US,
    Grain,
    bucket_seconds,
    infer_grain,
    is_finer_than,
    local_day,
)
from appliance.domain.upload import Automation
from tests.builders import BERLIN, hours_of, instant, metric, only_batch, point, read


def grain_of(*points, name="step_count", units="count", aggregation=""):
    return only_batch(read(metric(name, units, *points), aggregation=aggregation)).key.grain


@pytest.mark.parametrize(
    ("word", "grain"),
    [
        ("Seconds", Grain.SECOND),
        ("Minutes", Grain.MINUTE),
        ("Hours", Grain.HOUR),
        ("hours", Grain.HOUR),
        (" HOURS ", Grain.HOUR),
        ("hour", Grain.HOUR),
        ("Days", Grain.DAY),
        ("Weeks", Grain.WEEK),
        ("Months", Grain.MONTH),
        ("Years", Grain.YEAR),
        ("Stunden", None),
        ("", None),
        ("s", None),
    ],
)
def test_the_header_names_the_grain_in_any_case(word, grain):
    assert Automation(aggregation=word).grain(is_heart_rate=False) is grain
    assert Automation(aggregation=word).grain(is_heart_rate=True) is grain


@pytest.mark.parametrize("word", ["Default", "default", " DEFAULT "])
def test_default_means_seconds_for_heart_rate_and_minutes_for_everything_else(word):
    assert grain_of(point(), aggregation=word) is Grain.MINUTE
    assert grain_of(point(qty=60), name="heart_rate", units="bpm", aggregation=word) is Grain.SECOND


def test_a_header_that_the_points_contradict_is_not_believed_and_the_receipt_says_so():
    points = [point(f"2026-08-07 10:{minute:02}:00 +0200") for minute in range(3)]
    reading = read(metric("step_count", "count", *points), aggregation="Hours")
    assert only_batch(reading).key.grain is Grain.MINUTE
    assert set(reading.advice) == {"grain_contradicted"}
    assert "hour" in reading.advice["grain_contradicted"].message


def test_a_header_that_the_points_fit_gives_no_advice():
    assert (
        read(metric("step_count", "count", *hours_of("2026-08-07", range(24))), aggregation="Hours").advice
        == {}
    )


def test_without_a_header_the_grain_is_read_from_the_times_and_the_receipt_says_so():
    reading = read(metric("step_count", "count", *hours_of("2026-08-07", range(24))), aggregation="")
    assert only_batch(reading).key.grain is Grain.HOUR
    assert set(reading.advice) == {"grain_inferred"}


@pytest.mark.parametrize(
    ("dates", "grain"),
    [
        (["2026-08-07 00:00:00 +0200", "2026-08-08 00:00:00 +0200"], Grain.DAY),
        (["2026-08-07 00:00:00 +0530", "2026-08-08 00:00:00 +0530"], Grain.DAY),
        (["2026-08-07 00:00:00 +0200", "2026-08-07 01:00:00 +0200"], Grain.HOUR),
        (["2026-08-07 10:00:00 +0545", "2026-08-07 11:00:00 +0545"], Grain.HOUR),
        (["2026-08-07 10:00:00 +0200", "2026-08-07 10:01:00 +0200"], Grain.MINUTE),
        (["2026-08-07 10:00:00 +0200", "2026-08-07 10:00:01 +0200"], Grain.RAW),
        (["2026-08-07 10:00:00.5 +0200"], Grain.RAW),
        # Days on both sides of a change of the clocks begin 23 and 25 hours apart.
        (["2026-03-29 00:00:00 +0100", "2026-03-30 00:00:00 +0200"], Grain.DAY),
        (["2026-10-25 00:00:00 +0200", "2026-10-26 00:00:00 +0100"], Grain.DAY),
    ],
)
def test_the_times_show_the_grain(dates, grain):
    assert grain_of(*map(point, dates)) is grain


@given(
    starts=st.lists(st.integers(0, 10**6).map(lambda n: n * SECOND_US), min_size=1, max_size=30),
    offset=st.sampled_from([0, 7_200, 19_800, -12_600]),
)
def test_inference_property_every_start_is_aligned_to_the_grain_and_none_coarser_fits(starts, offset):
    local = [start + offset * SECOND_US for start in starts]
    fits = {
        g: all(at % (GRAIN_SECONDS[g] * SECOND_US) == 0 for at in local)
        for g in (Grain.DAY, Grain.HOUR, Grain.MINUTE)
    }
    expected = next((grain for grain, aligned in fits.items() if aligned), Grain.RAW)
    assert infer_grain(starts, [offset] * len(starts)) is expected


def midnights(first: datetime, days: int, step: int = 1) -> tuple[list[int], list[int]]:
    found = [first + timedelta(days=n) for n in range(0, days, step)]
    return (
        [instant(at.isoformat()) for at in found],
        [int(at.utcoffset().total_seconds()) for at in found],
    )


@pytest.mark.parametrize(("grain", "step"), [(Grain.DAY, 1), (Grain.WEEK, 7)])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
def test_a_change_of_the_clocks_does_not_contradict_days_and_weeks(grain, step, zone):
    starts, offsets = midnights(datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)), 365, step)
    assert not is_finer_than(grain, starts, offsets)


def test_months_and_years_do_not_contradict_their_headers():
    months = [datetime(2026 + n // 12, n % 12 + 1, 1, tzinfo=BERLIN) for n in range(30)]
    starts = [instant(at.isoformat()) for at in months]
    offsets = [int(at.utcoffset().total_seconds()) for at in months]
    assert not is_finer_than(Grain.MONTH, starts, offsets)
    assert not is_finer_than(Grain.YEAR, starts[::12], offsets[::12])
    assert is_finer_than(Grain.YEAR, starts, offsets)


def test_a_week_over_a_change_of_the_clocks_never_becomes_a_day():
    points = [
        point(f"2026-03-{day} 00:00:00 {offset}", 70_000) for day, offset in ((23, "+0100"), (30, "+0200"))
    ]
    assert grain_of(*points, aggregation="Weeks") is Grain.WEEK


def test_days_of_a_traveller_are_still_days():
    points = [point("2026-08-07 00:00:00 -0700"), point("2026-08-08 00:00:00 +0900")]
    reading = read(metric("step_count", "count", *points), aggregation="Days")
    assert only_batch(reading).key.grain is Grain.DAY
    assert reading.advice == {}


def test_repeated_and_unordered_starts_do_not_contradict_a_header():
    starts = [instant(f"2026-08-07T{hour:02}:00:00+02:00") for hour in (10, 9, 9, 11)]
    assert not is_finer_than(Grain.HOUR, starts, [7_200] * 4)
    assert is_finer_than(Grain.HOUR, [*starts, starts[0] + 60 * SECOND_US], [7_200] * 5)
    assert not is_finer_than(Grain.HOUR, starts[:1], [7_200])


@pytest.mark.parametrize(
    ("grain", "start", "days"),
    [
        (Grain.MONTH, "2026-02-01T00:00:00+02:00", 28),
        (Grain.MONTH, "2024-02-01T00:00:00+02:00", 29),
        (Grain.MONTH, "2026-08-01T00:00:00+02:00", 31),
        (Grain.MONTH, "2026-05-01T00:00:00+14:00", 31),  # in UTC it is still the 30th of April
        (Grain.YEAR, "2026-01-01T00:00:00+02:00", 365),
        (Grain.YEAR, "2024-01-01T00:00:00+02:00", 366),
        (Grain.YEAR, "2024-02-29T00:00:00+02:00", 366),
        (Grain.YEAR, "2023-03-01T00:00:00+02:00", 366),
        (Grain.WEEK, "2026-08-03T00:00:00+02:00", 7),
        (Grain.DAY, "2026-08-03T00:00:00+02:00", 1),
    ],
)
def test_months_and_years_are_as_long_as_the_calendar_says(grain, start, days):
    at = datetime.fromisoformat(start)
    offset = int(at.utcoffset().total_seconds())
    assert bucket_seconds(grain, instant(start), offset) == days * DAY_S


def test_a_stated_month_lasts_a_month_in_the_batch():
    batch = only_batch(
        read(metric("step_count", "count", point("2026-02-01 00:00:00 +0100")), aggregation="Months")
    )
    assert batch.duration == [28 * DAY_S]


def test_the_local_day_is_the_one_on_the_persons_calendar():
    day = (date(2026, 8, 7) - date(1970, 1, 1)).days
    assert local_day(instant("2026-08-07T00:00:00+14:00"), 14 * 3_600) == day
    assert local_day(instant("2026-08-07T23:59:59-11:00"), -11 * 3_600) == day
    assert local_day(instant("1969-12-31T23:00:00-01:00"), -3_600) == -1
