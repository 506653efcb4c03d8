"""How far somebody had come at each moment: splits of routes and of curves, with pauses and gaps."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.way import (
    EARTH_M,
    Place,
    Step,
    average_between,
    length_of,
    metres_between,
    splits_of,
    way_of_distances,
    way_of_places,
)

S = 1_000_000
DEGREE_M = EARTH_M * math.pi / 180


def north(*points: tuple[float, float]) -> list[Place]:
    """Places due north of the equator, from pairs of second and metres."""
    return [Place(round(second * S), metres / DEGREE_M, 10.0) for second, metres in points]


def run(seconds: int, speed: float = 4, begin: int = 0, metres: float = 0) -> list[tuple[float, float]]:
    """A point every two seconds at an even speed (m/s)."""
    return [(begin + second, metres + speed * second) for second in range(0, seconds + 1, 2)]


def figures(splits):
    return [(split.number, round(split.metres), round(split.seconds), split.is_partial) for split in splits]


def test_an_even_run_has_even_splits_and_a_marked_rest():
    splits = splits_of(way_of_places(north(*run(600))), 1000)
    assert figures(splits) == [(1, 1000, 250, False), (2, 1000, 250, False), (3, 400, 100, True)]
    assert [split.end for split in splits[:-1]] == [split.begin for split in splits[1:]]
    assert not any(split.has_gap or split.paused for split in splits)


def test_splits_can_be_miles():
    assert figures(splits_of(way_of_places(north(*run(600))), 1609.344)) == [
        (1, 1609, 402, False),
        (2, 791, 198, True),
    ]


def test_a_pause_takes_no_time_of_a_split_and_is_told():
    way = way_of_places(north(*run(125), *run(475, begin=125 + 300, metres=4 * 125 + 3)))
    splits = splits_of(way, 1000)
    assert [round(split.seconds) for split in splits] == pytest.approx([249, 250, 99], abs=2)
    assert round(splits[0].paused) == pytest.approx(300, abs=2)
    assert splits[1].paused == 0
    assert not any(split.has_gap for split in splits)


def test_a_gap_of_the_receiver_counts_with_its_straight_line_and_is_told():
    way = way_of_places(north(*run(100), *run(400, begin=200, metres=800)))
    splits = splits_of(way, 1000)
    assert figures(splits) == [(1, 1000, 250, False), (2, 1000, 250, False), (3, 400, 100, True)]
    assert [split.has_gap for split in splits] == [True, False, False]


def test_one_gap_may_be_several_splits_long():
    splits = splits_of(way_of_places(north((0, 0), (1000, 4000))), 1000)
    assert figures(splits) == [(n, 1000, 250, False) for n in range(1, 5)]
    assert all(split.has_gap for split in splits)


def test_places_nobody_is_sure_of_add_no_way():
    places = north(*run(100))
    astray = [Place(51 * S, 1.0, 10.0, 500.0), Place(53 * S, None, None)]
    assert length_of(way_of_places(sorted([*places, *astray]))) == pytest.approx(400)


def test_standing_on_one_place_or_no_place_at_all_has_no_splits():
    assert splits_of(way_of_places(north((0, 0), (10, 0), (20, 0))), 1000) == []
    assert splits_of(way_of_places([]), 1000) == []
    assert splits_of(way_of_places(north((0, 0))), 1000) == []


def test_the_way_over_the_date_line_is_the_short_one():
    assert metres_between(Place(0, 0.0, 179.999), Place(1, 0.0, -179.999)) == pytest.approx(
        0.002 * DEGREE_M, rel=1e-6
    )


def test_distances_told_by_the_minute_make_splits_too():
    minutes = [n * 60 * S for n in range(8)]
    assert figures(splits_of(way_of_distances(minutes, [250.0] * 8), 1000)) == [
        (1, 1000, 240, False),
        (2, 1000, 240, False),
    ]
    paused = [0, 60 * S, 600 * S, 660 * S]
    (split,) = splits_of(way_of_distances(paused, [250.0, 250.0, None, 500.0]), 1000)
    assert (split.seconds, split.paused, split.metres) == (240, 480, 1000)


@given(
    st.lists(
        st.tuples(st.integers(1, 300), st.floats(0, 3000), st.sampled_from(["go", "pause", "gap"])),
        max_size=40,
    ),
    st.sampled_from([1000.0, 1609.344, 100.0]),
)
def test_splits_lose_neither_way_nor_time(parts, length):
    way, at = [], 0
    for seconds, metres, kind in parts:
        end = at + seconds * S
        way.append(Step(at, end, 0.0 if kind == "pause" else metres, kind == "pause", kind == "gap"))
        at = end
    splits = splits_of(way, length)
    assert all(split.metres == pytest.approx(length) for split in splits if not split.is_partial)
    assert [split.is_partial for split in splits[:-1]] == [False] * (len(splits) - bool(splits))
    total = length_of(way)
    assert sum(split.metres for split in splits) == pytest.approx(total, abs=1.01)
    assert sum(split.seconds for split in splits) <= sum(s.seconds for s in way if not s.is_pause) + 0.01


def test_an_average_is_of_what_was_told_in_the_time():
    assert average_between([0, 10, 20, 30], [100.0, None, 120.0, 140.0], 0, 30) == 110
    assert average_between([0, 10], [100.0, 110.0], 20, 30) is None
