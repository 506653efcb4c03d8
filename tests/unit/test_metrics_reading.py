"""Points become samples by their shape: values, bounds and fields as sent, in the catalogue's unit."""

from __future__ import annotations

import math
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.quarantine import Reason
from appliance.domain.sample import DAY_S, SECOND_US, Grain, SeriesKey
from appliance.intake.metrics import MetricsReader, unknown_key
from tests.builders import (
    NOON,
    hours_of,
    instant,
    items_behind_samples,
    metric,
    only_batch,
    only_quarantined,
    point,
    read,
)


def value_of(name, units, qty):
    return only_batch(read(metric(name, units, point(qty=qty)))).value[0]


def test_a_quantity_is_kept_with_its_instant_offset_source_and_unit():
    reading = read(
        metric("step_count", "count", point(qty=512.25, source="Anna’s Watch")), aggregation="Hours"
    )
    batch = only_batch(reading)
    assert batch.key == SeriesKey("step_count", "Anna's Watch", Grain.HOUR, "count")
    assert batch.cumulative
    assert (batch.start, batch.offset, batch.duration) == (
        [instant("2026-08-07T12:00:00+02:00")],
        [7_200],
        [3_600],
    )
    assert (batch.value, batch.minimum, batch.maximum, batch.extra) == ([512.25], [], [], {})


@pytest.mark.parametrize("names", [("Min", "Avg", "Max"), ("min", "avg", "max"), ("MIN", "AVG", "MAX")])
@pytest.mark.parametrize(
    "told", [(50, 60, 70), (None, 60, 70), (50, None, 70), (50, 60, None), (None, None, 70)]
)
def test_a_range_is_kept_in_any_case_and_what_is_missing_stays_missing(names, told):
    low, middle, high = told
    for sent in (
        dict(zip(names, told, strict=True)),
        {n: v for n, v in zip(names, told, strict=True) if v is not None},
    ):
        batch = only_batch(read(metric("heart_rate", "count/min", {"date": NOON, **sent})))
        assert batch.value == [middle]
        assert (batch.minimum or [None], batch.maximum or [None]) == ([low], [high])


def test_a_range_of_nothing_is_no_sample():
    item = only_quarantined(
        read(metric("heart_rate", "bpm", {"date": NOON, "Min": None, "Avg": None, "Max": None}))
    )
    assert item.reason is Reason.MISSING_VALUE


def test_heart_rate_may_come_as_a_plain_quantity():
    assert only_batch(read(metric("heart_rate", "bpm", point(qty=61)))).value == [61]


def test_ranges_and_quantities_may_stand_in_one_array():
    points = [point(qty=61), {"date": "2026-08-07 12:01:00 +0200", "Min": 50, "Max": 70}]
    batch = only_batch(read(metric("heart_rate", "bpm", *points)))
    assert (batch.value, batch.minimum, batch.maximum) == ([61, None], [None, 50], [None, 70])


def test_bounds_stay_in_step_when_only_a_later_entry_has_them():
    reading = read(
        metric("heart_rate", "bpm", point(qty=61)),
        metric("heart_rate", "bpm", {"date": "2026-08-07 12:01:00 +0200", "Min": 50, "Avg": 60, "Max": 70}),
        metric("heart_rate", "bpm", point("2026-08-07 12:02:00 +0200", qty=62)),
    )
    batch = only_batch(reading)
    assert (batch.minimum, batch.maximum) == ([None, 50, None], [None, 70, None])
    assert batch.bounds(0) == (None, None)
    assert batch.bounds(1) == (50, 70)


def test_a_blood_pressure_is_one_item_and_two_samples():
    reading = read(
        metric("blood_pressure", "mmHg", {"date": NOON, "systolic": 120, "Diastolic": 80, "source": "Cuff"})
    )
    assert {key.metric: batch.value for key, batch in reading.batches.items()} == {
        "blood_pressure_systolic": [120],
        "blood_pressure_diastolic": [80],
    }
    assert {key.source for key in reading.batches} == {"Cuff"}
    assert reading.received["samples"] == 1
    assert items_behind_samples(reading) == {0}


@pytest.mark.parametrize("other", [{}, {"diastolic": None}])
def test_one_side_of_a_blood_pressure_is_kept_alone(other):
    batch = only_batch(read(metric("blood_pressure", "mmHg", {"date": NOON, "systolic": 120, **other})))
    assert (batch.key.metric, batch.value, batch.extra) == ("blood_pressure_systolic", [120], {})


def test_a_blood_pressure_with_one_impossible_side_is_set_aside_whole():
    item = only_quarantined(
        read(metric("blood_pressure", "mmHg", {"date": NOON, "systolic": 120, "diastolic": "low"}))
    )
    assert item.reason is Reason.NOT_A_NUMBER


def test_the_fields_of_sexual_activity_have_spaces_in_their_names():
    sent = {"date": NOON, "Unspecified": 0, "Protection Used": 1, "protection not used": 2}
    reading = read(metric("sexual_activity", "times", sent))
    assert {key.metric: batch.value for key, batch in reading.batches.items()} == {
        "sexual_activity_unspecified": [0],
        "sexual_activity_protection_used": [1],
        "sexual_activity_protection_not_used": [2],
    }


@pytest.mark.parametrize(
    ("name", "units", "field", "word"),
    [
        ("blood_glucose", "mg/dL", "mealTime", "Before Meal"),
        ("handwashing", "s", "value", "Complete"),
        ("toothbrushing", "s", "value", "Incomplete"),
        ("insulin_delivery", "IU", "reason", "Bolus"),
        ("step_count", "count", "metadata", {"HKWasUserEntered": "1"}),
    ],
)
def test_further_fields_are_kept_as_sent(name, units, field, word):
    points = [point("2026-08-07 11:00:00 +0200", 20), point(qty=20, **{field: word})]
    batch = only_batch(read(metric(name, units, *points)))
    assert batch.value == [20, 20]
    assert batch.extra == {1: {field: word}}


def test_further_fields_keep_to_their_sample_among_several_entries_and_sources():
    reading = read(
        metric("insulin_delivery", "IU", point("2026-08-07 10:00:00 +0200", 1, source="Pump")),
        metric(
            "insulin_delivery",
            "IU",
            point("2026-08-07 11:00:00 +0200", 2, source="Pen", reason="Basal"),
            point("2026-08-07 12:00:00 +0200", 3, source="Pump", reason="Bolus"),
        ),
    )
    told = {
        key.source: {batch.value[n]: extra for n, extra in batch.extra.items()}
        for key, batch in reading.batches.items()
    }
    assert told == {"Pump": {3: {"reason": "Bolus"}}, "Pen": {2: {"reason": "Basal"}}}


def test_further_fields_that_cannot_be_stored_are_made_storable():
    batch = only_batch(
        read(metric("step_count", "count", point(note="a\x00\ud800", odd=[math.inf, math.nan, {"\x00": 1}])))
    )
    assert batch.extra == {0: {"note": "a��", "odd": ["inf", "nan", {"�": 1}]}}


def test_start_stands_in_for_a_missing_date():
    batch = only_batch(read(metric("step_count", "count", {"start": NOON, "qty": 1})))
    assert batch.start == [instant("2026-08-07T12:00:00+02:00")]
    batch = only_batch(read(metric("step_count", "count", {"date": None, "start": NOON, "qty": 1})))
    assert batch.start == [instant("2026-08-07T12:00:00+02:00")]


def test_field_names_are_read_in_any_case():
    batch = only_batch(read(metric("step_count", "count", {"Date": NOON, "QTY": 7, "Source": "Watch"})))
    assert (batch.key.source, batch.value, batch.extra) == ("Watch", [7], {})


def raw(**more):
    return metric("apple_sleeping_wrist_temperature", "degC", point("2026-08-07 01:02:03 +0200", 36, **more))


def test_the_end_gives_a_raw_sample_its_duration():
    batch = only_batch(read(raw(end="2026-08-07 07:02:03 +0200"), aggregation=""))
    assert (batch.key.grain, batch.duration, batch.extra) == (Grain.RAW, [6 * 3_600], {})


def test_the_end_does_not_change_the_length_of_a_bucket():
    batch = only_batch(read(raw(end="2026-08-07 07:02:03 +0200"), aggregation="Minutes"))
    assert batch.duration == [60]


@pytest.mark.parametrize(
    "end",
    [
        None,
        "",
        "soon",
        5,
        "2026-08-07 01:02:03 +0200",
        "2026-08-06 00:00:00 +0200",
        "2099-12-31 00:00:00 +0000",
    ],
)
def test_an_end_that_cannot_be_leaves_an_instant(end):
    batch = only_batch(read(raw(end=end), aggregation=""))
    assert (batch.duration, batch.value) == ([0], [36])


@pytest.mark.parametrize(
    ("name", "units", "sent", "kept"),
    [
        ("active_energy", "kJ", 418.4, 100),
        ("active_energy", "kcal", 100, 100),
        ("walking_running_distance", "mi", 1, 1.609344),
        ("weight_body_mass", "lb", 100, 45.359237),
        ("body_temperature", "degF", 98.6, 37),
        ("blood_glucose", "mmol/L", 5, 90.07794000002704),
        ("blood_oxygen_saturation", "%", 97, 97),
        ("body_fat_percentage", "%", 18.5, 18.5),
        ("step_count", "步", 12, 12),
    ],
)
def test_values_are_converted_from_the_unit_sent(name, units, sent, kept):
    assert value_of(name, units, sent) == pytest.approx(kept, rel=1e-12)
    assert value_of(name, units, str(sent)) == pytest.approx(kept, rel=1e-12)


def test_bounds_are_converted_too():
    sent = {"date": NOON, "Min": 1, "Avg": 2, "Max": 3}
    batch = only_batch(read(metric("heart_rate", "count/s", sent)))
    assert (batch.minimum, batch.value, batch.maximum) == ([60], [120], [180])


@pytest.mark.parametrize("units", ["furlong", "kg", "", None, 5, [], "  "])
def test_an_unknown_unit_sets_every_item_aside_and_nothing_is_guessed(units):
    reading = read(metric("walking_running_distance", units, point(), point(qty=2)))
    assert reading.batches == {}
    assert [item.reason for item in reading.quarantined] == [Reason.UNKNOWN_UNIT] * 2
    assert [item.path for item in reading.quarantined] == [
        "data.metrics[0].data[0]",
        "data.metrics[0].data[1]",
    ]


def test_the_same_unit_may_mean_something_else_for_another_metric():
    assert value_of("height", "m", 1.8) == pytest.approx(180)
    assert value_of("swimming_distance", "m", 1.8) == pytest.approx(1.8)


def test_a_fraction_where_percent_is_meant_is_impossible_and_not_scaled():
    item = only_quarantined(read(metric("blood_oxygen_saturation", "%", point(qty=0.97))))
    assert item.reason is Reason.IMPLAUSIBLE_VALUE
    assert "20 to 100 %" in item.detail


def test_weeks_and_months_may_hold_more_than_a_day_can():
    month = metric("step_count", "count", point("2026-08-01 00:00:00 +0200", 600_000))
    assert only_batch(read(month, aggregation="Months")).value == [600_000]
    assert only_quarantined(read(month, aggregation="Days")).reason is Reason.IMPLAUSIBLE_VALUE
    fever = metric("body_temperature", "degC", point("2026-08-01 00:00:00 +0200", 60))
    assert only_quarantined(read(fever, aggregation="Months")).reason is Reason.IMPLAUSIBLE_VALUE


def test_a_metric_is_known_by_any_of_its_spellings():
    for name in ("step_count", "Step Count", "STEP-COUNT", "stepCount", "steps"):
        assert only_batch(read(metric(name, "count", point()))).key.metric == "step_count"


def test_an_unknown_metric_is_kept_under_its_own_name_and_unit():
    batch = only_batch(read(metric("Aura Score: Evening", "pts", point(qty=-5e300, source="Ring"))))
    assert batch.key == SeriesKey("aura_score_evening", "Ring", Grain.MINUTE, "pts")
    assert not batch.cumulative
    assert batch.value == [-5e300]


def test_an_unknown_metric_needs_no_unit():
    for units in ("", None, 7):
        assert only_batch(read(metric("aura", units, point()))).key.unit == ""


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Aura", "aura"),
        ("体温 指数", "体温_指数"),
        ("a\x00b", "a_b"),
        ("a\ud800b", "a_b"),
        ("!!!", "unnamed"),
        ("__x__", "x"),
        ("Ａｕｒａ", "aura"),
    ],
)
def test_the_key_of_an_unknown_metric_is_its_name_in_the_houses_spelling(name, key):
    assert unknown_key(name) == key
    assert unknown_key(key) == key


def test_two_long_unknown_names_that_begin_alike_stay_two():
    names = ["aura_" * 20 + end for end in ("morning", "evening")]
    reading = read(*(metric(name, "pts", point()) for name in names))
    assert len(reading.batches) == 2
    assert all(len(key.metric) <= 80 for key in reading.batches)


def test_a_name_too_long_to_be_one_never_passes_for_a_known_metric():
    item = only_quarantined(read(metric("step_count" + "!" * 200, "furlongs", point())))
    assert item.reason is Reason.WRONG_SHAPE


@pytest.mark.parametrize("name", [None, "", "  ", 5, [], {}, True])
def test_points_without_a_metric_name_are_set_aside_each(name):
    reading = read(metric(name, "count", point(), point()))
    assert [item.reason for item in reading.quarantined] == [Reason.WRONG_SHAPE] * 2


def test_sources_of_one_array_are_kept_apart_and_spellings_of_one_together():
    points = [
        point(f"2026-08-07 12:0{n}:00 +0200", n, source=source)
        for n, source in enumerate(["A|B", "B | A", "A", "", None, "\x00"])
    ]
    reading = read(metric("step_count", "count", *points))
    assert {key.source: batch.value for key, batch in reading.batches.items()} == {
        "A | B": [0, 1],
        "A": [2],
        "": [3, 4, 5],
    }


def test_one_metric_in_several_entries_is_one_series():
    reading = read(
        *(metric("step_count", "count", *hours_of(f"2026-08-0{day}", range(24))) for day in (1, 2))
    )
    assert only_batch(reading).item == list(range(48))


def cut_of(points, period, aggregation="Hours", name="step_count", units="count"):
    batch = only_batch(read(metric(name, units, *points), aggregation=aggregation, period=period))
    return [batch.start.index(start) for start in sorted(batch.cut)]


@pytest.mark.parametrize(
    "period", ["Since Last Sync", "since last  sync", "realtime", "lastsync", "Neues Fenster"]
)
def test_the_window_may_have_cut_the_first_and_the_last_bucket(period):
    assert cut_of(hours_of("2026-08-07", range(5)), period) == [0, 4]
    assert cut_of(hours_of("2026-08-07", range(24)), period) == [0, 23]
    assert cut_of(list(reversed(hours_of("2026-08-07", range(5)))), period) == [4, 0]


@pytest.mark.parametrize(
    "period", ["Default", "Today", "YESTERDAY", "Previous 7 Days", "previous7Days", "none"]
)
def test_a_window_that_begins_at_midnight_cuts_no_bucket(period):
    assert cut_of(hours_of("2026-08-07", range(5)), period) == []


def test_a_window_of_unknown_period_is_whole_when_it_holds_whole_days_only():
    assert cut_of(hours_of("2026-08-07", range(24)), "") == []
    assert cut_of(hours_of("2026-08-07", range(23)), "") == [0, 22]
    assert cut_of(hours_of("2026-08-07", range(24))[1:], "") == [0, 22]
    assert cut_of([point("2026-08-07 00:00:00 +0200")], "", aggregation="Days") == []


def test_only_buckets_of_amounts_can_be_cut():
    assert cut_of(hours_of("2026-08-07", [60] * 5), "Since Last Sync", name="heart_rate", units="bpm") == []
    assert cut_of([point("2026-08-07 10:11:12 +0200")], "Since Last Sync", aggregation="") == []


minutes = st.integers(0, 3 * DAY_S // 60)
plain_dates = st.builds(
    lambda minute, offset: (
        f"2026-08-0{1 + minute // 1440} {minute % 1440 // 60:02}:{minute % 60:02}:00 {offset}"
    ),
    minutes,
    st.sampled_from(["+0200", "-0730"]),
)
numbers = st.integers(0, 500) | st.floats(0, 500) | st.floats(20, 100)
names = st.sampled_from(["Watch", "iPhone|Watch", "Watch | iPhone", "", "Anna’s Ring"])


@st.composite
def plain_arrays(draw):
    name, units, fields = draw(
        st.sampled_from(
            [
                ("step_count", "count", ("qty",)),
                ("active_energy", "kJ", ("qty",)),
                ("body_temperature", "degF", ("qty",)),
                ("blood_oxygen_saturation", "%", ("qty",)),
                ("heart_rate", "count/min", ("Min", "Avg", "Max")),
                ("heart_rate", "bpm", ("min", "avg", "max")),
                ("blood_pressure", "mmHg", ("systolic",)),
                ("aura", "pts", ("qty",)),
            ]
        )
    )
    with_source = draw(st.booleans())
    points = draw(
        st.lists(
            st.fixed_dictionaries(
                {"date": plain_dates}
                | dict.fromkeys(fields, numbers)
                | ({"source": names} if with_source else {})
            ),
            min_size=1,
            max_size=12,
        )
    )
    return metric(name, units, *points)


@settings(max_examples=150)
@given(
    entries=st.lists(plain_arrays(), max_size=3),
    aggregation=st.sampled_from(["", "Default", "Hours", "Days"]),
)
def test_reading_by_columns_property_gives_what_reading_point_by_point_gives(entries, aggregation):
    quick = read(*entries, aggregation=aggregation)
    with patch.object(MetricsReader, "_read_columns", return_value=None):
        slow = read(*entries, aggregation=aggregation)
    assert quick == slow
    for entry in quick.batches.values():
        assert (
            len(
                {
                    len(c)
                    for c in (entry.item, entry.start, entry.offset, entry.day, entry.duration, entry.value)
                }
            )
            == 1
        )


def test_plain_arrays_are_read_by_columns_and_others_are_not():
    with patch.object(MetricsReader, "_read_point", side_effect=AssertionError):
        read(metric("step_count", "count", *hours_of("2026-08-07", range(24), source="Watch")))
        read(
            metric("heart_rate", "bpm", *({"date": NOON, "Min": 50, "Avg": 60, "Max": 70} for _ in range(3)))
        )
        with pytest.raises(AssertionError):
            read(metric("step_count", "count", point(), point(qty="3")))


def test_starts_are_exact_to_the_microsecond():
    assert only_batch(read(raw(), aggregation="")).start[0] % SECOND_US == 0
    fraction = metric("step_count", "count", point("2026-08-07 10:00:00.123456 +0200"))
    assert only_batch(read(fraction, aggregation="")).start[0] % SECOND_US == 123_456
