"""The typed “standard” JSON: every field it has becomes the metric and unit the catalogue names, and nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.catalog.load import load_catalogue
from appliance.domain.sample import Grain, local_day
from tests.builders import instant, items_behind_samples, only_batch, only_quarantined, read, read_arrays

CATALOGUE = load_catalogue()
FIELDS = list(CATALOGUE.standard_fields.values())
MAPPED = [field for field in FIELDS if field.key]
UNMAPPED = [field for field in FIELDS if not field.key]
AT = "2026-08-07T08:00:00Z"


def name_of(field):
    return f"{field.record_type}.{field.field}"


def record(record_type, **fields):
    return {"type": record_type, "recorded_at": AT, "source_device": "Ring"} | fields


def test_the_catalogue_knows_every_field_of_the_format():
    assert (len(FIELDS), len(UNMAPPED)) == (127, 7)


@pytest.mark.parametrize("field", MAPPED, ids=name_of)
def test_every_field_becomes_its_metric_in_its_unit(field):
    metric = CATALOGUE.metrics[field.key]
    conversion = metric.conversions[field.unit]
    middle = (metric.plausible_min + metric.plausible_max) / 2
    value = True if field.is_boolean else conversion.undo(middle)
    batch = only_batch(read(record(field.record_type, **{field.field: value})))
    assert batch.key == (field.key, "Ring", Grain.RAW, metric.unit)
    assert batch.value == [pytest.approx(1.0 if field.is_boolean else middle)]
    assert batch.start == [instant("2026-08-07T08:00:00+00:00")]


@pytest.mark.parametrize("field", UNMAPPED, ids=name_of)
def test_a_field_without_a_metric_alone_is_set_aside(field):
    item = only_quarantined(read(record(field.record_type, **{field.field: 5})))
    assert (item.kind, item.reason, item.name) == ("samples", "not_read_yet", field.record_type)
    assert item.item[field.field] == 5


@pytest.mark.parametrize(
    ("record_type", "field", "sent", "unit", "value"),
    [
        ("Nutrition", "dietary_water", 2.0, "mL", 2_000),
        ("Nutrition", "dietary_vitamin_d", 400, "mcg", 10),
        ("Sleep", "duration_minutes", 450, "hr", 7.5),
        ("Sleep", "light_sleep_minutes", 30, "hr", 0.5),
        ("Activity", "distance_meters", 1_500, "km", 1.5),
        ("Activity", "apple_stand_hour_achieved", True, "count", 1),
        ("Activity", "apple_stand_hour_achieved", False, "count", 0),
        ("BloodPressure", "pulse", 60, "count/min", 60),
    ],
)
def test_units_that_differ_from_the_phones(record_type, field, sent, unit, value):
    batch = only_batch(read(record(record_type, **{field: sent})))
    assert batch.key.unit == unit
    assert batch.value == [pytest.approx(value)]


def test_a_record_with_several_values_is_one_item_with_several_samples():
    reading = read(record("BloodPressure", systolic=120, diastolic=80, pulse=60))
    assert reading.received["samples"] == 1
    assert {key.metric: batch.value for key, batch in reading.batches.items()} == {
        "blood_pressure_systolic": [120],
        "blood_pressure_diastolic": [80],
        "heart_rate": [60],
    }
    assert items_behind_samples(reading) == {0}


def test_a_running_total_is_no_sample_and_is_kept_beside_the_session():
    batch = only_batch(read(record("Mindfulness", session_duration_minutes=10, mindful_minutes_today=25)))
    assert batch.key.metric == "mindful_minutes"
    assert batch.value == [10]
    assert batch.extra == {0: {"mindful_minutes_today": 25}}


def test_words_are_kept_and_the_other_programs_bookkeeping_is_not():
    sent = record("HeartRate", heart_rate=61, context="resting", id="1", user_id="2", created_at=AT)
    assert only_batch(read(sent)).extra == {0: {"context": "resting"}}


def test_fields_without_a_value_are_none():
    assert (
        only_batch(read(record("HeartRate", heart_rate=61, resting_heart_rate=None, context=None))).extra
        == {}
    )
    assert only_quarantined(read(record("HeartRate", heart_rate=None))).reason == "missing_value"


@pytest.mark.parametrize("record_type", ["Symptom", "Menstrual", "SafetyEvent", "NewerThanUs", ""])
def test_a_type_that_is_no_sample_waits_for_its_reader(record_type):
    item = only_quarantined(read(record(record_type, severity="mild")))
    assert (item.reason, item.item["severity"]) == ("not_read_yet", "mild")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (record("HeartRate", heart_rate=True), "not_a_number"),
        (record("HeartRate", heart_rate="fast"), "not_a_number"),
        (record("HeartRate", heart_rate=9_000), "implausible_value"),
        (record("HeartRate", heart_rate=61, recorded_at="yesterday"), "bad_timestamp"),
        ({"type": "HeartRate", "heart_rate": 61}, "bad_timestamp"),
    ],
)
def test_what_cannot_be_believed_is_set_aside(sent, reason):
    assert only_quarantined(read(sent)).reason == reason


def test_a_night_lasts_from_its_start_to_its_end():
    batch = only_batch(
        read(
            {
                "type": "Sleep",
                "sleep_start": "2026-08-06T21:00:00Z",
                "sleep_end": "2026-08-07T05:00:00Z",
                "deep_sleep_minutes": 60,
            }
        )
    )
    assert (batch.start, batch.duration) == ([instant("2026-08-06T21:00:00+00:00")], [8 * 3_600])


def test_an_instant_in_utc_belongs_to_the_day_of_the_person():
    batch = only_batch(read(record("HeartRate", heart_rate=61, recorded_at="2026-08-07T22:30:00.123456789Z")))
    assert batch.offset == [7_200]
    assert batch.day == [local_day(instant("2026-08-08T00:30:00+02:00"), 7_200)]


def test_an_instant_with_an_offset_keeps_it():
    batch = only_batch(read(record("HeartRate", heart_rate=61, recorded_at="2026-08-07T22:30:00-05:00")))
    assert batch.offset == [-18_000]


@pytest.mark.parametrize("field", ["source_device", "source"])
def test_the_source_has_several_names(field):
    assert (
        only_batch(read({"type": "HeartRate", "recorded_at": AT, "heart_rate": 61, field: "Ring"})).key.source
        == "Ring"
    )


def test_both_shapes_may_stand_in_one_array():
    reading = read(
        record("HeartRate", heart_rate=61),
        {
            "name": "heart_rate",
            "units": "count/min",
            "data": [{"date": "2026-08-07 10:00:00 +0200", "qty": 62}],
        },
        record("HeartRate", heart_rate=63, recorded_at="2026-08-07T09:00:00Z"),
    )
    assert reading.received["samples"] == 3
    assert items_behind_samples(reading) == {0, 1, 2}
    assert reading.quarantined == []


def test_bounds_of_the_other_shape_do_not_disturb_a_record():
    ranged = {"date": "2026-08-07 10:00:00 +0200", "Min": 50, "Avg": 60, "Max": 70, "source": "Ring"}
    later = ranged | {"date": "2026-08-07 10:00:07 +0200"}
    reading = read(
        {"name": "heart_rate", "units": "count/min", "data": [ranged, later]},
        record("HeartRate", heart_rate=61, recorded_at="2026-08-07T09:00:03Z"),
        aggregation="",
    )
    (batch,) = reading.batches.values()
    assert (batch.value, batch.minimum, batch.maximum) == ([60, 60, 61], [50, 50, None], [70, 70, None])


WORKOUT = {
    "workout_type": "running",
    "started_at": "2026-08-07T08:00:00Z",
    "ended_at": "2026-08-07T08:30:00Z",
    "distance_meters": 5_000,
    "active_energy_kcal": 320.5,
    "avg_heart_rate": 150,
    "source_device": "Ring",
    "route_points": [
        {"latitude": 52.5, "longitude": 13.4, "altitude_meters": 34.0, "recorded_at": "2026-08-07T08:00:00Z"},
        {"latitude": 52.6, "longitude": 13.5, "altitude_meters": 35.0, "recorded_at": "2026-08-07T08:10:00Z"},
    ],
}


@pytest.mark.parametrize(
    "arrays",
    [{"workouts": [WORKOUT]}, {"metrics": [WORKOUT | {"type": "Workout"}]}],
    ids=["own array", "typed"],
)
def test_a_workout_is_read_by_the_reader_of_all_workouts(arrays):
    reading = read_arrays(arrays)
    assert (reading.quarantined, reading.batches, reading.received) == ([], {}, {"workouts": 1})
    (workout,) = reading.records["workouts"]
    assert (workout.label, workout.source, workout.offset) == ("running", "Ring", 7_200)
    assert (workout.start, workout.end) == (
        instant("2026-08-07T08:00:00+00:00"),
        instant("2026-08-07T08:30:00+00:00"),
    )
    assert workout.content["distance_km"] == pytest.approx(5)
    assert workout.content["active_energy_kcal"] == 320.5
    assert [len(track.at) for track in workout.tracks] == [2]


def test_a_workout_without_a_time_is_set_aside():
    item = only_quarantined(read(WORKOUT | {"type": "Workout", "started_at": None}))
    assert (item.kind, item.reason) == ("workouts", "bad_timestamp")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    ["type", "recorded_at", "sleep_start", "sleep_end", "source", *(f.field for f in FIELDS)]
)


@given(
    st.dictionaries(names | st.text(max_size=5), anything, max_size=8),
    st.sampled_from(["HeartRate", "Sleep", "Nutrition", "Workout", "X"]),
)
def test_every_record_ends_up_behind_samples_or_set_aside_and_never_both(fields, record_type):
    reading = read(fields | {"type": record_type})
    seen = len(items_behind_samples(reading)) + len(reading.quarantined)
    seen += sum(map(len, reading.records.values()))
    if "data" not in fields and "name" not in fields:
        assert seen == reading.received.total() == 1
