"""Samples whose starts lost their fractions: each has a place, however many share a second, and finds it again."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain import verdict
from appliance.domain.sample import Batch, Grain, SeriesKey, Stored
from appliance.domain.verdict import Verdict, judge

KEY = SeriesKey("dietary_water", "Lunch Log", Grain.RAW, "mL")
NOON = 1_761_300_000_000_000

Told = list[tuple[int, float, int]]


def batch_of(told: Told) -> Batch:
    """A batch out of start, value and duration."""
    count = len(told)
    starts, values, durations = (list(column) for column in zip(*told, strict=True))
    return Batch(
        KEY, cumulative=True, item=list(range(count)), start=starts, offset=[0] * count, day=[0] * count, duration=durations, value=values, cut_to_seconds=True
    )  # fmt: skip


def held_after(batch: Batch, inserted: list[int]) -> Stored:
    rows = sorted((batch.start[n], batch.duration[n], batch.value[n]) for n in inserted)
    starts, durations, values = (list(column) for column in zip(*rows, strict=True))
    return Stored(starts, [0] * len(rows), durations, values, (), (), [1] * len(rows))


told_of_two_seconds = st.lists(
    st.tuples(
        st.sampled_from([NOON, NOON + 1_000_000]),
        st.sampled_from([1.0, 1.000_001, 2.0, 3.0, 250.0]),
        st.sampled_from([0, 5, 60]),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=100)
@given(told_of_two_seconds, told_of_two_seconds)
def test_a_crowd_is_told_apart_as_a_few_are(first: Told, later: Told) -> None:
    found = []
    for crowded in (2, 10**6):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(verdict, "CROWDED", crowded)
            batch = batch_of(first)
            judged = judge(batch, None, 1)
            again = batch_of(later)
            found.append((len(judged.insert), len(judge(again, held_after(batch, judged.insert), 2).insert)))
    assert found[0] == found[1]


def test_thousands_of_one_second_are_all_kept_known_again_and_cost_little() -> None:
    told = [(NOON, float(value), 0) for value in range(1, 5_001)]
    begun = time.monotonic()
    batch = batch_of(told)
    judged = judge(batch, None, 1)
    assert len(judged.insert) == len(told)
    random.Random(1).shuffle(told)
    again = judge(batch_of(told), held_after(batch, judged.insert), 2)
    assert set(again.verdicts) == {Verdict.UNCHANGED}
    assert time.monotonic() - begun < 5  # going through them one by one takes half a minute
