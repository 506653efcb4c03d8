"""What is usual: the middle of a person's own days and how far they usually lie from it."""

from __future__ import annotations

from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.usual import FEWEST_DAYS, Band, Place, usual

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)  # of which no distance can be told
DAYS = st.lists(NUMBERS, min_size=FEWEST_DAYS, max_size=28)


@given(st.lists(NUMBERS, max_size=FEWEST_DAYS - 1))
def test_fewer_than_seven_days_make_no_band(values):
    assert usual(values) is None


@given(DAYS)
def test_the_band_lies_round_the_median_and_at_least_half_of_the_days_within_it(values):
    band = usual(values)
    assert band.middle == median(values)
    assert band.low <= band.middle <= band.high
    assert sum(band.low <= value <= band.high for value in values) * 2 >= len(values)


@given(DAYS, st.floats(1e7, 1e9))
def test_one_odd_day_widens_the_band_to_no_more_than_the_other_days_reach(values, odd):
    band = usual([*values, odd])
    assert band.high < odd
    assert band.middle <= max(values)


@given(DAYS, NUMBERS, st.integers(0, 3))
def test_a_place_agrees_with_the_numbers_as_they_are_shown(values, value, decimals):
    band = usual(values)
    shown = [round(each, decimals) for each in (band.low, value, band.high)]
    within = shown[0] <= shown[1] <= shown[2]
    assert (band.place(value, decimals) is Place.WITHIN) == within


@given(DAYS)
def test_the_middle_is_never_far_and_distance_grows_outwards(values):
    band = usual(values)
    assert band.distance(band.middle) == 0
    assert band.distance(band.middle + 2e6) > band.distance(band.middle + 1e6) > 0


def test_days_that_are_all_the_same_make_no_endless_distance():
    assert Band(100.0, 0.0, 10).distance(104.0) == 2.0
    assert Band(0.0, 0.0, 10).distance(3.0) == 3.0
