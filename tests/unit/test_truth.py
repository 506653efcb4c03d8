"""One number per hour and local day out of overlapping devices, grains and windows: chosen, never added up twice."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.sample import SECOND_US, Grain
from appliance.domain.truth import Cover, Rule, Strand, choose, resolve
from tests.builders import a_strand, the_rule

SUM = the_rule("sum", "Watch", "Phone", "Ring")
AUGUST_7 = (date(2026, 8, 7) - date(1970, 1, 1)).days
MIDNIGHT = "2026-08-07T00:00:00+02:00"


def at(clock: str, day: str = "2026-08-07", offset: str = "+02:00") -> str:
    return f"{day}T{clock}{offset}"


def hours(
    source: str, values: dict[int, float | None], offset: str = "+02:00", day: str = "2026-08-07", **more
) -> Strand:
    rows = [(f"{day}T{hour:02}:00:00{offset}", value) for hour, value in values.items()]
    return a_strand(source, Grain.HOUR, *rows, **more)


def the_day(rule: Rule, *strands: Strand):
    (day,) = resolve(rule, strands)
    return day


def total(*strands: Strand, rule: Rule = SUM) -> float | None:
    return the_day(rule, *strands).value


def hourly(day) -> dict[str, float | None]:
    """Return the hours of a day by their time on the clock in UTC."""
    return {
        f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=start):%H:%M}": value
        for start, value in zip(day.hours.start, day.hours.value, strict=True)
    }


def test_a_watch_a_phone_and_a_ring_told_of_one_day_give_the_watchs_number():
    strands = [
        a_strand(source, Grain.DAY, (MIDNIGHT, steps))
        for source, steps in (("Ring", 3_100), ("Watch", 8_000), ("Phone", 7_600))
    ]
    assert total(*strands) == 8_000


@pytest.mark.parametrize("grain", [Grain.HOUR, Grain.MINUTE])
def test_sources_are_not_added_in_finer_grains_either(grain):
    strands = [
        a_strand(source, grain, (at("10:00:00"), steps)) for source, steps in (("Phone", 600), ("Watch", 800))
    ]
    day = the_day(SUM, *strands)
    assert day.value == 800
    assert day.hours.value == [800]
    assert day.count == 1


def test_the_person_chooses_which_source_is_believed():
    strands = [
        a_strand(source, Grain.DAY, (MIDNIGHT, steps))
        for source, steps in (("Watch", 8_000), ("Ring", 3_100))
    ]
    assert total(*strands, rule=the_rule("sum", "Ring", "Watch")) == 3_100


def test_day_hour_and_minute_statistics_of_one_day_give_the_days_value():
    strands = [
        a_strand("Watch", Grain.MINUTE, *((at(f"10:{m:02}:00"), 20) for m in range(60))),
        hours("Watch", {10: 950, 11: 50}),
        a_strand("Watch", Grain.DAY, (MIDNIGHT, 990)),
    ]
    day = the_day(SUM, *strands)
    assert day.value == 990
    assert hourly(day) == {"08:00": 950, "09:00": 50}


def test_hours_are_believed_before_minutes():
    minutes = a_strand("Watch", Grain.MINUTE, *((at(f"10:{m:02}:00"), 20) for m in range(60)))
    day = the_day(SUM, minutes, hours("Watch", {10: 950}))
    assert (day.value, day.hours.value) == (950, [950])


def test_minutes_add_the_hours_that_hours_do_not_tell():
    minutes = a_strand("Watch", Grain.MINUTE, (at("10:30:00"), 7), (at("12:30:00"), 5))
    assert total(minutes, hours("Watch", {10: 950})) == 955


def test_a_joined_source_counts_alone_beside_its_parts():
    day = the_day(
        SUM, hours("Phone | Watch", {10: 900}), hours("Watch", {10: 800}), hours("Phone", {10: 700})
    )
    assert (day.value, day.count) == (900, 1)


def test_a_part_fills_the_hours_that_the_joined_source_lacks():
    assert (
        total(hours("Phone | Watch", {10: 900}), hours("Watch", {10: 800, 11: 100}), hours("Phone", {11: 90}))
        == 1_000
    )


def test_of_raw_samples_the_lesser_source_adds_only_the_time_it_covers_alone():
    watch = a_strand("Watch", Grain.RAW, (at("10:00:00"), 600), seconds=600)
    phone = a_strand("Phone", Grain.RAW, (at("10:05:00"), 500), (at("11:00:00"), 40), seconds=600)
    day = the_day(SUM, watch, phone)
    assert day.value == pytest.approx(600 + 500 / 2 + 40)
    assert hourly(day) == pytest.approx({"08:00": 850, "09:00": 40})
    assert day.count == 3


def test_raw_samples_of_one_source_are_its_own_counting():
    assert total(a_strand("Watch", Grain.RAW, (at("10:00:00"), 5), (at("10:01:00"), 7), seconds=600)) == 12
    beside = a_strand("Phone", Grain.RAW, (at("10:02:00"), 9), seconds=60)
    watch = a_strand("Watch", Grain.RAW, (at("10:00:00"), 5), (at("10:01:00"), 7), seconds=600)
    assert total(watch, beside) == 12


def test_a_raw_instant_counts_where_nothing_better_was_told():
    instants = a_strand("Phone", Grain.RAW, (at("10:30:00"), 5), (at("11:30:00"), 7), seconds=0)
    assert total(instants, hours("Watch", {10: 900})) == 907


def test_hours_that_begin_at_the_last_sync_do_not_double_the_aligned_ones():
    aligned = [(at("15:00:00"), 600), (at("16:00:00"), 300)]
    unaligned = [(at("15:42:55"), 450), (at("16:42:55"), 200)]
    day = the_day(SUM, a_strand("Watch", Grain.HOUR, *aligned, *unaligned))
    assert day.value == pytest.approx(600 + 300 + 200 * (42 * 60 + 55) / 3_600)
    assert sum(day.hours.value) == pytest.approx(day.value)


def test_a_resend_half_a_minute_later_does_not_count_again():
    day = the_day(SUM, a_strand("Watch", Grain.HOUR, (at("11:00:00"), 100), (at("11:00:30"), 100)))
    assert day.value == pytest.approx(100 + 100 * 30 / 3_600)


def test_a_day_told_in_the_morning_says_nothing_of_the_afternoon():
    morning = a_strand("Watch", Grain.DAY, (MIDNIGHT, 3_000), told=at("10:00:00"))
    assert total(morning, hours("Watch", {8: 700, 9: 500, 10: 400, 15: 250})) == 3_650


def test_an_hour_told_in_its_middle_leaves_the_rest_to_others():
    watch = hours("Watch", {10: 300}, told=at("10:30:00"))
    phone = a_strand("Phone", Grain.MINUTE, (at("10:10:00"), 9), (at("10:40:00"), 7))
    assert total(watch, phone) == 307


def test_a_bucket_told_before_it_began_covers_its_width_since_the_clocks_disagree():
    asleep = "1970-01-01T00:10:00+00:00"
    watch, phone = hours("Watch", {10: 300}, told=asleep), hours("Phone", {10: 280}, told=asleep)
    assert total(watch, phone) == 300


def test_a_day_of_twenty_three_hours_is_one_day():
    before = [(at(f"{hour:02}:00:00", "2026-03-29", "+01:00"), 10) for hour in (0, 1)]
    after = [(at(f"{hour:02}:00:00", "2026-03-29", "+02:00"), 10) for hour in range(3, 24)]
    day = the_day(SUM, a_strand("Watch", Grain.HOUR, *before, *after))
    assert (day.value, day.count, day.offset, len(day.hours.start)) == (230, 23, 3_600, 23)


def test_a_day_of_twenty_five_hours_is_one_day_with_both_of_its_third_hours():
    before = [(at(f"{hour:02}:00:00", "2026-10-25", "+02:00"), 10) for hour in range(3)]
    after = [(at(f"{hour:02}:00:00", "2026-10-25", "+01:00"), 10) for hour in range(2, 24)]
    finer = a_strand("Watch", Grain.HOUR, *before, *after)
    day = the_day(SUM, finer)
    assert (day.value, day.count, day.offset, len(day.hours.start)) == (250, 25, 7_200, 25)
    assert total(finer, a_strand("Watch", Grain.DAY, (at("00:00:00", "2026-10-25"), 240))) == 240


def test_a_flight_from_tokyo_to_los_angeles_makes_a_day_of_forty_hours():
    tokyo = hours("Watch", dict.fromkeys(range(17), 100), offset="+09:00")
    los_angeles = hours("Watch", dict.fromkeys(range(1, 24), 10), offset="-07:00")
    both = a_strand(
        "Watch",
        Grain.HOUR,
        *((at(f"{hour:02}:00:00", offset="+09:00"), 100) for hour in range(17)),
        *((at(f"{hour:02}:00:00", offset="-07:00"), 10) for hour in range(1, 24)),
    )
    for strands in ([both], [tokyo, los_angeles]):
        day = the_day(SUM, *strands)
        assert (day.day, day.value, day.count, day.offset) == (AUGUST_7, 1_930, 40, 9 * 3_600)
        assert list(day.hours.start) == sorted(day.hours.start)
        assert len(day.hours.start) == 40


def test_days_of_a_traveller_may_interleave():
    west = [(at("22:00:00", "2026-08-06", "-07:00"), 1), (at("23:00:00", "2026-08-06", "-07:00"), 2)]
    east = [(at("14:30:00", "2026-08-07", "+09:00"), 4), (at("15:30:00", "2026-08-07", "+09:00"), 8)]
    days = resolve(SUM, [a_strand("Watch", Grain.MINUTE, *west, *east)])
    assert [(day.day, day.value) for day in days] == [(AUGUST_7 - 1, 3), (AUGUST_7, 12)]


def test_hours_of_a_half_hour_zone_begin_on_its_own_clock():
    rows = [
        (at(clock, offset="+05:30"), n) for n, clock in enumerate(["09:00:00", "09:59:00", "10:00:00"], 1)
    ]
    day = the_day(SUM, a_strand("Watch", Grain.MINUTE, *rows))
    assert hourly(day) == {"03:30": 3, "04:30": 3}


def test_hours_stay_apart_and_in_order_where_whole_and_half_hour_zones_meet():
    london = [(at(f"10:{minute:02}:00", offset="+01:00"), 1) for minute in range(20, 25)]
    delhi = [(at(f"14:{minute:02}:00", offset="+05:30"), 10) for minute in range(55, 60)]
    later = [(at("15:10:00", offset="+05:30"), 100)]
    day = the_day(SUM, a_strand("Watch", Grain.MINUTE, *london, *delhi, *later))
    assert day.value == 155
    assert hourly(day) == {"08:30": 50, "09:00": 5, "09:30": 100}
    assert list(day.hours.start) == sorted(day.hours.start)


def test_the_local_day_is_the_persons_and_not_that_of_utc():
    days = resolve(
        SUM, [hours("Watch", {0: 1, 23: 2}, offset="+14:00"), hours("Phone", {23: 4}, offset="-11:00")]
    )
    assert [(day.day, day.value) for day in days] == [(AUGUST_7, 7)]


@pytest.mark.parametrize(
    ("aggregate", "value"), [("avg", 65), ("last", 80), ("max", 80), (None, None), ("sum", 260)]
)
def test_the_catalogues_aggregate_makes_the_day(aggregate, value):
    day = the_day(the_rule(aggregate), hours("Watch", {8: 50, 9: 60, 10: 70, 11: 80}))
    assert (day.value, day.minimum, day.maximum, day.count) == (value, 50, 80, 4)
    assert list(day.hours.value) == ([None] * 4 if aggregate is None else [50, 60, 70, 80])


def test_an_unknown_metric_has_bounds_and_a_count_and_no_value():
    rows = [(at(f"10:{minute:02}:00"), float(minute)) for minute in range(5)]
    day = the_day(the_rule(None), a_strand("Ring", Grain.MINUTE, *rows))
    assert (day.value, day.minimum, day.maximum, day.count) == (None, 0, 4, 5)
    assert (day.hours.value, day.hours.minimum, day.hours.maximum, day.hours.count) == ([None], [0], [4], [5])


def test_minimum_and_maximum_are_those_told_with_the_rows():
    bounds = [(48.0, 90.0), (None, None), (50.0, 180.0)]
    strand = hours("Watch", {8: 60, 9: 45, 10: 70}, bounds=bounds)
    day = the_day(the_rule("avg"), strand)
    assert (day.value, day.minimum, day.maximum) == (pytest.approx(175 / 3), 45, 180)
    assert (list(day.hours.minimum), list(day.hours.maximum)) == ([48, 45, 50], [90, 45, 180])
    assert the_day(the_rule("max"), strand).value == 180


def test_what_was_never_told_stays_none():
    day = the_day(the_rule("avg"), hours("Watch", {8: None, 9: None}, bounds=[(50.0, 70.0), (None, 90.0)]))
    assert (day.value, day.minimum, day.maximum, day.count) == (None, 50, 90, 2)
    for aggregate in ("sum", "avg", "last", "max"):
        assert total(hours("Watch", {8: None}), rule=the_rule(aggregate)) is None
        assert total(hours("Watch", {8: None, 9: 5, 10: None}), rule=the_rule(aggregate)) == 5


def test_a_day_of_zero_is_zero_and_not_missing():
    assert total(hours("Watch", {8: 0})) == 0


def test_of_readings_the_finest_grain_tells_an_hour_and_the_best_source_of_it():
    strands = [
        hours("Watch", {8: 60, 9: 61}),
        a_strand("Watch", Grain.MINUTE, (at("09:10:00"), 70), (at("09:20:00"), 80)),
        a_strand("Ring", Grain.MINUTE, (at("09:10:00"), 200), (at("10:10:00"), 90)),
        a_strand("Watch", Grain.DAY, (MIDNIGHT, 66)),
    ]
    day = the_day(the_rule("avg", "Watch", "Ring"), *strands)
    assert hourly(day) == {"06:00": 60, "07:00": 75, "08:00": 90}
    assert day.value == pytest.approx((60 + 70 + 80 + 90) / 4)


def test_a_days_reading_counts_where_nothing_finer_was_told():
    day = the_day(
        the_rule("avg", "Watch"),
        *(a_strand(s, Grain.DAY, (MIDNIGHT, v)) for s, v in (("Ring", 70), ("Watch", 66))),
    )
    assert day.value == 66
    assert list(day.hours.start) == []


def test_the_last_reading_is_the_last_in_time_whoever_told_it():
    rule = the_rule("last", "Watch")
    assert total(hours("Watch", {8: 81.0, 20: 80.5}), hours("Scale", {12: 79.0}), rule=rule) == 80.5
    assert total(hours("Watch", {8: 81.0}), hours("Scale", {12: 79.0}), rule=rule) == 79.0


def test_weeks_months_and_years_belong_to_no_day():
    wide = [a_strand("Watch", grain, (MIDNIGHT, 70_000)) for grain in (Grain.WEEK, Grain.MONTH, Grain.YEAR)]
    assert resolve(SUM, wide) == []
    assert total(*wide, hours("Watch", {8: 5})) == 5


def test_nothing_told_is_no_day():
    assert resolve(SUM, []) == []
    assert resolve(SUM, [a_strand("Watch", Grain.HOUR)]) == []


def test_each_day_is_resolved_by_itself():
    strands = [hours("Watch", {8: n}, day=f"2026-08-0{n}") for n in (3, 1, 2)]
    assert [day.value for day in resolve(SUM, strands)] == [1, 2, 3]


def test_what_counts_is_told_best_first_with_its_share():
    watch = a_strand("Watch", Grain.RAW, (at("10:00:00"), 600), seconds=600)
    phone = a_strand("Phone", Grain.RAW, (at("10:05:00"), 500), seconds=600)
    ring = a_strand("Ring", Grain.RAW, (at("10:07:00"), 9), seconds=60)
    told = choose(SUM, [ring, phone, watch])
    assert [(part.strand.source, list(part.rows.value), list(part.shares)) for part in told] == [
        ("Watch", [600], []),
        ("Phone", [500], [0.5]),
        ("Ring", [], []),
    ]


SOURCES = ("Watch", "Phone", "Phone | Watch", "Ring", "")
GRAINS = (Grain.RAW, Grain.SECOND, Grain.MINUTE, Grain.HOUR, Grain.DAY)
amounts = st.floats(0, 1e4, allow_subnormal=False)


@st.composite
def strands_of_a_day(draw, sources=SOURCES, grains=GRAINS):
    source, grain = draw(st.sampled_from(sources)), draw(st.sampled_from(grains))
    step = {Grain.RAW: 37, Grain.SECOND: 1, Grain.MINUTE: 60, Grain.HOUR: 1_800, Grain.DAY: 86_400}[grain]
    slots = draw(st.lists(st.integers(0, min(86_399 // step, 200)), min_size=1, max_size=8, unique=True))
    start = datetime.fromisoformat(MIDNIGHT)
    rows = [
        ((start + timedelta(seconds=slot * step)).isoformat(), draw(amounts | st.none())) for slot in slots
    ]
    return a_strand(source, grain, *rows, seconds=draw(st.integers(0, 900)) if grain is Grain.RAW else None)


def one_per_series(strands):
    return list({(strand.source, strand.grain): strand for strand in strands}.values())


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=24),
    grain=st.sampled_from([Grain.HOUR, Grain.MINUTE, Grain.RAW]),
)
def test_sum_property_the_day_of_one_source_is_the_exact_sum_of_its_rows(values, grain):
    rows = [(at(f"{hour:02}:00:00"), value) for hour, value in enumerate(values)]
    day = the_day(SUM, a_strand("Watch", grain, *rows, seconds=60 if grain is Grain.RAW else None))
    assert day.value == math.fsum(values)
    assert day.count == len(values)
    assert list(day.hours.value) == values


@given(
    best=strands_of_a_day(sources=["Watch"], grains=[Grain.HOUR]),
    grain=st.sampled_from([Grain.MINUTE, Grain.SECOND]),
    places=st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 29), amounts),
        min_size=1,
        max_size=8,
        unique_by=lambda p: p[:2],
    ),
)
def test_overlap_property_a_lesser_strand_that_is_covered_never_changes_the_total(best, grain, places):
    alone = the_day(SUM, best)
    start = datetime(1970, 1, 1, tzinfo=UTC).astimezone(datetime.fromisoformat(MIDNIGHT).tzinfo)
    covered = {
        (
            start + timedelta(microseconds=best.rows.start[hour % len(best.rows)], minutes=minute)
        ).isoformat(): value
        for hour, minute, value in places
    }
    both = the_day(SUM, best, a_strand("Phone", grain, *covered.items()))
    assert both.value == alone.value
    assert both.count == alone.count
    assert both.hours == alone.hours


@given(
    strands=st.lists(strands_of_a_day(), min_size=1, max_size=6).map(one_per_series),
    order=st.randoms(),
    aggregate=st.sampled_from(["sum", "avg", "last", "max", None]),
)
def test_order_property_the_truth_does_not_depend_on_the_order_of_strands(strands, order, aggregate):
    rule = the_rule(aggregate, "Watch", "Phone")
    shuffled = list(strands)
    order.shuffle(shuffled)
    assert resolve(rule, shuffled) == resolve(rule, strands)


@given(strands=st.lists(strands_of_a_day(), min_size=1, max_size=6).map(one_per_series))
def test_choice_property_no_more_counts_than_was_told_and_the_hours_hold_all_of_it(strands):
    day = the_day(SUM, *strands)
    told = [value for strand in strands for value in strand.rows.value if value is not None]
    assert (day.value or 0) <= math.fsum(told) * (1 + 1e-9)
    assert 0 < day.count <= sum(len(strand.rows) for strand in strands)
    if all(strand.grain is not Grain.DAY for strand in strands):
        assert math.fsum(value or 0 for value in day.hours.value) == pytest.approx(day.value or 0, abs=1e-9)
        assert sum(day.hours.count) == day.count
    assert list(day.hours.start) == sorted(set(day.hours.start))
    columns = (day.hours.value, day.hours.minimum, day.hours.maximum, day.hours.count)
    assert {len(column) for column in columns} == {len(day.hours.start)}


spans = st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda span: (span[0], sum(span)))


@given(laid=st.lists(spans, max_size=12), asked=spans)
def test_cover_property_it_agrees_with_a_set_of_moments(laid, asked):
    cover, taken = Cover(), set()
    for begin, end in laid:
        cover.lay(begin * SECOND_US, end * SECOND_US)
        taken.update(range(begin * SECOND_US, end * SECOND_US, SECOND_US))
        here = (asked[0] * SECOND_US, asked[1] * SECOND_US)
        if here[0] == here[1]:
            assert cover.free(*here) == int(here[0] not in taken)
        else:
            assert cover.free(*here) == SECOND_US * len(set(range(*here, SECOND_US)) - taken)
    assert cover.free(-SECOND_US, 0) == SECOND_US
