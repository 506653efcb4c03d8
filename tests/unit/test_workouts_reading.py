"""Workouts become records field by field: what cannot be read stays as it came, and no fault costs the session."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.catalog.load import load_catalogue
from appliance.demo.life import posts
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
from appliance.domain.sample import SECOND_US
from appliance.intake.fields import RecordContext
from appliance.intake.timestamps import Timestamps
from appliance.intake.workouts import HEART_SERIES, QUANTITIES, SERIES, read_workout
from tests.builders import BERLIN, instant, read_arrays

ID = "0A0B0C0D-1111-4222-8333-444455556666"
START, END = "2026-08-07 18:00:00 +0200", "2026-08-07 18:30:00 +0200"
START_US = instant("2026-08-07T18:00:00+02:00")


def at(second):
    return f"{datetime(2026, 8, 7, 18, tzinfo=UTC) + timedelta(seconds=second):%Y-%m-%d %H:%M:%S} +0200"


def us(second):
    return START_US + second * SECOND_US


def quantity(qty, units):
    return {"qty": qty, "units": units}


def workout(**fields):
    return {"id": ID, "name": "Outdoor Run", "start": START, "end": END, "duration": 1800.0, **fields}


def old_workout(**fields):
    return {"name": "Running", "start": START, "end": END, **fields}


def record_of(item):
    return read_workout(item, 0, RecordContext(load_catalogue(), Timestamps(BERLIN)))


def content_of(**fields):
    return record_of(workout(**fields)).content


def track_of(record, name):
    (track,) = [track for track in record.tracks if track.name == name]
    return track


def curve(units, *values, step=60, **more):
    return [{"date": at(n * step), "qty": value, "units": units, **more} for n, value in enumerate(values)]


def beats(first_second, *values, step=5, **more):
    return [
        {"date": at(first_second + n * step), "Min": v, "Avg": v, "Max": v, "units": "bpm", **more}
        for n, v in enumerate(values)
    ]


def only_quarantined(*items):
    reading = read_arrays({"workouts": list(items)})
    (item,) = reading.quarantined
    return item


def test_a_workout_is_a_record_with_its_times_type_and_name():
    record = record_of(workout())
    assert (record.kind, record.identity, record.label) == (Kind.WORKOUT, ID, "running")
    assert (record.start, record.end, record.offset) == (START_US, us(1800), 7_200)
    assert record.content == {"name": "Outdoor Run", "duration_s": 1800.0}
    assert (record.flags, record.tracks) == ((), ())


def test_an_id_in_small_letters_is_the_same_workout():
    assert record_of(workout(id=ID.lower())).identity == record_of(workout()).identity == ID


def test_an_id_that_is_no_uuid_keeps_its_case():
    assert record_of(workout(id="strava:aB")).identity == "strava:aB"


@pytest.mark.parametrize("missing", [None, "", "  ", 7, {}])
def test_without_an_id_name_and_times_make_the_identity(missing):
    one, same = record_of(workout(id=missing)), record_of(workout(id=missing, name="outdoor  RUN"))
    assert one.identity == same.identity == f"outdoorrun|{START_US}|{us(1800)}"
    assert one.identity != record_of(workout(id=missing, end=at(1801))).identity


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Outdoor Run", "running"),
        ("Outdoor Radfahren", "cycling"),
        ("户外 步行", "walking"),
        ("Entraînement de Force Fonctionnelle", "functional_strength_training"),
        ("Other", "other"),
        ("Traditional Strength Training", "traditional_strength_training"),
        ("Seiltanzen im Freien", "unknown"),
        ("室内 攀岩", "unknown"),
    ],
)
def test_a_localised_name_is_kept_and_known_where_it_can_be(name, label):
    record = record_of(workout(name=name))
    assert (record.content["name"], record.label) == (name, label)


@pytest.mark.parametrize("name", [None, "", "   ", 12, ["Run"]])
def test_a_workout_without_a_name_is_still_one(name):
    record = record_of(workout(name=name))
    assert record.label == "unknown"
    assert "name" not in record.content


@pytest.mark.parametrize(
    ("field", "sent", "name", "value"),
    [
        ("activeEnergyBurned", quantity(1424, "kJ"), "active_energy_kcal", 340.344),
        ("activeEnergyBurned", quantity(340, "kcal"), "active_energy_kcal", 340),
        ("totalEnergy", quantity(100, "Cal"), "total_energy_kcal", 100),
        ("intensity", quantity(9.5, "MET"), "intensity", 9.5),
        ("intensity", quantity(9.5, "kcal/hr·kg"), "intensity", 9.5),
        ("intesity", quantity(9.5, "MET"), "intensity", 9.5),
        ("distance", quantity(5, "mi"), "distance_km", 8.04672),
        ("distance", quantity("6.5", "km"), "distance_km", 6.5),
        ("lapLength", quantity(25, "m"), "lap_length_m", 25),
        ("lapLength", quantity(25, "yd"), "lap_length_m", 22.86),
        ("speed", quantity(6, "mph"), "avg_speed_km_hr", 9.656064),
        ("avgSpeed", quantity(9.5, "km/hr"), "avg_speed_km_hr", 9.5),
        ("maxSpeed", quantity(4, "m/s"), "max_speed_km_hr", 14.4),
        ("elevationUp", quantity(100, "ft"), "elevation_up_m", 30.48),
        ("elevationDown", quantity(31, "m"), "elevation_down_m", 31),
        ("temperature", quantity(68, "degF"), "temperature_degC", 20),
        ("humidity", quantity(55, "%"), "humidity_percent", 55),
        ("avgHeartRate", quantity(141, "bpm"), "avg_heart_rate", 141),
        ("maxHeartRate", quantity(171, "count/min"), "max_heart_rate", 171),
        ("stepCadence", quantity(166, "spm"), "step_cadence", 166),
        ("swimCadence", quantity(24, "count/min"), "swim_cadence", 24),
        ("flightsClimbed", quantity(3, "count"), "flights_climbed", 3),
        ("totalSwimmingStrokeCount", quantity(420, "count"), "swim_strokes", 420),
        ("strokeStyle", "Uknown", "stroke_style", "Uknown"),
        ("swolfScore", 38.5, "swolf", 38.5),
        ("swolfScore", quantity(38, None), "swolf", 38),
        ("salinity", "Salt Water", "salinity", "Salt Water"),
        ("location", "Im Freien", "location", "Im Freien"),
        ("isIndoor", False, "is_indoor", False),
        ("duration", 1750.25, "duration_s", 1750.25),
        ("duration", quantity(30, "min"), "duration_s", 1800),
    ],
)
def test_every_field_is_kept_in_its_one_unit(field, sent, name, value):
    record = record_of(workout(**{field: sent}))
    told = record.content[name]
    assert told == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value)
    assert (record.flags, "more" in record.content) == ((), False)


def test_the_three_heart_rates_come_in_one_object():
    content = content_of(
        heartRate={n: quantity(q, "bpm") for n, q in (("min", 90), ("avg", 141), ("max", 170))}
    )
    assert [content[f"{n}_heart_rate"] for n in ("min", "avg", "max")] == [90, 141, 170]
    assert "more" not in content


def test_two_fields_that_say_the_same_are_told_once():
    content = content_of(avgSpeed=quantity(9.5, "km/hr"), speed=quantity(9.5000001, "km/hr"))
    assert content["avg_speed_km_hr"] == 9.5
    assert "more" not in content


def test_two_fields_that_disagree_are_both_kept():
    content = content_of(avgHeartRate=quantity(141, "bpm"), heartRate={"avg": quantity(150, "bpm")})
    assert content["avg_heart_rate"] == 141
    assert content["more"] == {"heartRate.avg": quantity(150, "bpm")}


@pytest.mark.parametrize("nothing", [None, {}, [], quantity(None, "km")])
@pytest.mark.parametrize("field", [name for row in QUANTITIES for name in row.sent if "." not in name])
def test_an_empty_field_is_no_number_and_no_fault(field, nothing):
    record = record_of(workout(**{field: nothing}))
    assert record.content == {"name": "Outdoor Run", "duration_s": 1800.0}
    assert record.flags == ()


@pytest.mark.parametrize("row", QUANTITIES, ids=lambda row: row.name)
def test_an_unknown_unit_costs_the_field_and_not_the_workout(row):
    field = row.sent[0]
    record = record_of(workout(**{field: quantity(3, "mmHg")}))
    assert row.name not in record.content
    assert record.content["more"] == {field: quantity(3, "mmHg")}
    assert record.flags == (f"unknown_unit:{field}",)


def test_a_number_without_its_unit_is_not_guessed():
    record = record_of(workout(distance=6.5, activeEnergyBurned={"qty": 300}))
    assert record.content["more"] == {"distance": 6.5, "activeEnergyBurned": {"qty": 300}}
    assert record.flags == ("unknown_unit:activeEnergyBurned", "unknown_unit:distance")


@pytest.mark.parametrize("qty", ["fast", True, [1], {"a": 1}, float("nan"), float("inf")])
def test_what_is_no_number_stays_as_it_came(qty):
    record = record_of(workout(distance=quantity(qty, "km")))
    assert record.flags == ("unreadable:distance",)
    assert "distance" in record.content["more"]
    json.dumps(record.content, allow_nan=False)


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("avgHeartRate", quantity(0, "bpm")),
        ("distance", quantity(-1, "km")),
        ("humidity", quantity(6700, "%")),
    ],
)
def test_an_impossible_number_is_kept_and_not_believed(field, sent):
    record = record_of(workout(**{field: sent}))
    assert (record.flags, record.content["more"]) == ((f"implausible:{field}",), {field: sent})


def test_fields_nobody_told_us_of_are_kept():
    content = content_of(metadata={"HKWeather": [1]}, effort=quantity(7, "x"), laps=[{"n": 1}], odd="a\x00b")
    assert content["more"] == {
        "metadata": {"HKWeather": [1]},
        "effort": quantity(7, "x"),
        "laps": [{"n": 1}],
        "odd": "a�b",
    }


def test_empty_metadata_says_nothing():
    assert content_of(metadata={}, heartRateData=[], route=[]) == content_of()


# Times


def test_a_missing_start_puts_the_workout_aside():
    for start in (None, "yesterday", 12, ""):
        assert only_quarantined(workout(start=start)).reason is Reason.BAD_TIMESTAMP


def test_an_end_before_the_start_puts_the_workout_aside():
    assert only_quarantined(workout(end=at(-1))).reason is Reason.IMPLAUSIBLE_VALUE


def test_a_missing_end_follows_from_the_duration():
    record = record_of(workout(end=None, duration=90.5))
    assert (record.end, record.flags) == (START_US + 90_500_000, ("end_derived",))


def test_without_end_and_duration_there_is_no_end():
    record = record_of(workout(end=None, duration=None))
    assert (record.end, record.flags) == (None, ("end_missing",))


def test_an_end_that_cannot_be_read_is_kept_beside_the_one_that_follows():
    record = record_of(workout(end="half past"))
    assert (record.end, record.flags) == (us(1800), ("end_derived", "unreadable:end"))
    assert record.content["more"] == {"end": "half past"}


def test_a_forgotten_timer_is_kept_and_flagged():
    record = record_of(workout(name="Hiking", duration=345_600, end="2026-08-11 18:00:00 +0200"))
    assert (record.label, record.content["duration_s"], record.flags) == ("hiking", 345_600, ("very_long",))
    assert record_of(workout(duration=86_400, end="2026-08-08 18:00:00 +0200")).flags == ()
    assert record_of(workout(duration=60, end="2026-08-08 18:00:01 +0200")).flags == ("very_long",)


@pytest.mark.parametrize("duration", [-1, 1e12])
def test_an_impossible_duration_is_not_believed(duration):
    record = record_of(workout(duration=duration))
    assert record.flags == ("implausible:duration",)
    assert "duration_s" not in record.content


def test_twelve_hour_dates_are_read():
    record = record_of(workout(start="2026-08-07 6:00:00\u202fpm +0200", end="2026-08-07 6:30:00 PM +0200"))
    assert (record.start, record.end) == (START_US, us(1800))


# Series


@pytest.mark.parametrize(
    ("field", "units", "sent", "name", "unit", "values"),
    [
        ("activeEnergy", "kJ", [41.84, 4.184], "active_energy", "kcal", [10, 1]),
        ("basalEnergy", "kcal", [1.5, 1], "basal_energy_burned", "kcal", [1.5, 1]),
        ("stepCount", "count", [166, 80.5], "step_count", "count", [166, 80.5]),
        ("walkingAndRunningDistance", "mi", [1, 2], "walking_running_distance", "km", [1.609344, 3.218688]),
        ("cyclingDistance", "km", [0.4, 0.5], "cycling_distance", "km", [0.4, 0.5]),
        ("cyclingSpeed", "mph", [10, 20], "cycling_speed", "km/hr", [16.09344, 32.18688]),
        ("cyclingPower", "W", [210, 220], "cycling_power", "W", [210, 220]),
        ("cyclingCadence", "rpm", [80, 90], "cycling_cadence", "count/min", [80, 90]),
        ("swimDistance", "km", [0.025, 0.05], "swimming_distance", "m", [25, 50]),
        ("swimStroke", "count", [12, 14], "swimming_stroke_count", "count", [12, 14]),
        ("runningPower", "W", [250, 260], "running_power", "W", [250, 260]),
    ],
)
def test_every_series_is_a_track_in_its_metrics_unit(field, units, sent, name, unit, values):
    record = record_of(workout(**{field: curve(units, *sent, source="Anna’s Watch")}))
    track = track_of(record, name)
    assert (track.at, track.units) == ([us(0), us(60)], {"value": unit})
    assert track.channels == {"value": pytest.approx(values)}
    assert (record.source, record.flags, "more" in record.content) == ("Anna's Watch", (), False)


def test_every_series_of_the_format_has_a_track():
    assert len(SERIES) + len(HEART_SERIES) == 12


@pytest.mark.parametrize("units", ["pas", "步", "Schritte", "steps", "", None])
def test_steps_are_steps_in_every_language(units):
    record = record_of(workout(stepCount=curve(units, 100, 120)))
    assert track_of(record, "step_count").channels == {"value": [100, 120]}
    assert record.flags == ()


def test_steps_in_kilometres_are_not_steps():
    sent = curve("km", 1, 2)
    record = record_of(workout(stepCount=sent))
    assert (record.tracks, record.flags) == ((), ("unknown_unit:step_count",))
    assert record.content["more"] == {"stepCount": sent}


def test_each_point_is_read_in_its_own_unit():
    points = [
        *curve("km", 1),
        {"date": at(60), "qty": 1, "units": "mi"},
        {"date": at(120), "qty": 1, "units": "li"},
    ]
    record = record_of(workout(walkingAndRunningDistance=points))
    assert track_of(record, "walking_running_distance").channels == {"value": [1, 1.609344]}
    assert record.content["points_unreadable"] == {"walking_running_distance": 1}
    assert record.flags == ("unknown_unit:walking_running_distance",)


def test_a_heart_rate_has_three_channels():
    points = [
        {"date": at(0), "Min": 90, "Avg": 100.5, "Max": 110, "units": "bpm"},
        {"date": at(60), "Min": 91, "Max": 111, "units": "count/min"},
    ]
    track = track_of(record_of(workout(heartRateData=points)), "heart_rate")
    assert track.channels == {"min": [90, 91], "value": [100.5, None], "max": [110, 111]}
    assert track.units == dict.fromkeys(("min", "value", "max"), "count/min")


def test_the_recovery_is_a_track_of_its_own():
    record = record_of(workout(heartRateData=beats(0, 150, 160), heartRateRecovery=beats(1800, 140, 120)))
    assert track_of(record, "heart_rate_recovery").at == [us(1800), us(1805)]
    assert track_of(record, "heart_rate").at == [us(0), us(5)]
    assert record.flags == ()


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "point",
        {"qty": 5, "units": "kcal"},
        {"date": None, "qty": 5, "units": "kcal"},
        {"date": "noon", "qty": 5, "units": "kcal"},
        {"date": at(120), "qty": None, "units": "kcal"},
        {"date": at(120), "qty": "x", "units": "kcal"},
        {"date": at(120), "qty": float("nan"), "units": "kcal"},
        {"date": at(120), "qty": -3, "units": "kcal"},
        {"date": at(120), "qty": 3, "units": ["kcal"]},
    ],
)
def test_a_bad_point_costs_itself_and_is_counted(bad):
    record = record_of(workout(activeEnergy=[*curve("kcal", 1, 2), bad]))
    assert track_of(record, "active_energy").channels == {"value": [1, 2]}
    assert record.content["points_unreadable"] == {"active_energy": 1}


def test_points_are_ordered_by_time():
    track = track_of(record_of(workout(activeEnergy=curve("kcal", 1, 2, 3)[::-1])), "active_energy")
    assert (track.at, track.channels["value"]) == ([us(0), us(60), us(120)], [1, 2, 3])


def test_a_list_without_a_readable_point_is_no_track_and_stays_as_it_came():
    for field in (*SERIES, *HEART_SERIES, "route"):
        record = record_of(workout(**{field: [{"date": "noon"}, {"date": at(0)}]}))
        assert record.tracks == ()
        assert record.content["more"] == {field: [{"date": "noon"}, {"date": at(0)}]}
        assert sum(record.content["points_unreadable"].values()) == 2


# The route


def fix(second, **more):
    return {
        "latitude": 0.5 + second / 1e4,
        "longitude": -0.25,
        "altitude": 12.5,
        "course": 90.0,
        "courseAccuracy": 2.0,
        "horizontalAccuracy": 3.0,
        "verticalAccuracy": 1.5,
        "timestamp": at(second),
        "speed": 3.1,
        "speedAccuracy": 0.5,
        **more,
    }


def test_a_route_has_every_channel_with_its_unit():
    track = track_of(record_of(workout(route=[fix(0), fix(1)])), "route")
    assert track.at == [us(0), us(1)]
    assert {name: column[0] for name, column in track.channels.items()} == {
        "latitude": 0.5,
        "longitude": -0.25,
        "altitude": 12.5,
        "course": 90.0,
        "course_accuracy": 2.0,
        "horizontal_accuracy": 3.0,
        "vertical_accuracy": 1.5,
        "speed": 3.1,
        "speed_accuracy": 0.5,
    }
    assert track.units["speed"] == "m/s"
    assert track.units.keys() == track.channels.keys()


@pytest.mark.parametrize(
    "name", ["course", "courseAccuracy", "horizontalAccuracy", "verticalAccuracy", "speed", "speedAccuracy"]
)
def test_a_negative_reading_of_core_location_is_none(name):
    record = record_of(workout(route=[fix(0, **{name: -1}), fix(1)]))
    channels = track_of(record, "route").channels
    assert sum(column[0] is None for column in channels.values()) == 1
    assert all(column[1] is not None for column in channels.values())
    assert "points_unreadable" not in record.content


def test_places_below_the_sea_and_west_of_greenwich_are_real():
    track = track_of(record_of(workout(route=[fix(0, altitude=-3.5), fix(1)])), "route")
    assert (track.channels["altitude"][0], track.channels["longitude"][0]) == (-3.5, -0.25)


@pytest.mark.parametrize(
    "odd",
    [{"latitude": 91}, {"longitude": None}, {"latitude": "north"}, {"timestamp": 7}, {"longitude": -181}],
)
def test_a_fix_without_place_or_time_is_dropped_and_counted(odd):
    record = record_of(workout(route=[fix(0), fix(1, **odd), fix(2)]))
    assert track_of(record, "route").at == [us(0), us(2)]
    assert record.content["points_unreadable"] == {"route": 1}


def test_a_missing_altitude_is_missing():
    sent = [fix(0), {name: value for name, value in fix(1).items() if name != "altitude"}]
    assert track_of(record_of(workout(route=sent)), "route").channels["altitude"] == [12.5, None]


def test_a_route_of_eleven_thousand_points_is_read_whole():
    record = record_of(workout(route=[fix(n) for n in range(11_000)]))
    assert len(track_of(record, "route").at) == 11_000


# Version 1


def old_session():
    return old_workout(
        totalEnergy=quantity(420, "kcal"),
        activeEnergy=quantity(1424, "kJ"),
        maxHeartRate=quantity(171, "bpm"),
        avgHeartRate=quantity(141, "bpm"),
        stepCount=quantity(4980, "steps"),
        stepCadence=quantity(166, "spm"),
        totalSwimmingStrokeCount=quantity(0, "count"),
        swimCadence=quantity(0, "spm"),
        distance=quantity(6, "km"),
        speed=quantity(9.5, "kmph"),
        flightsClimbed=quantity(2, "count"),
        intesity=quantity(9.5, "MET"),
        temperature=quantity(18, "degC"),
        humidity=quantity(60, "%"),
        elevation={"ascent": 100, "descent": 50, "units": "ft"},
        heartRateData=[
            {"date": at(0), "qty": 120, "units": "count"},
            {"date": at(5), "qty": 125, "units": "bpm"},
        ],
        heartRateRecovery=[{"date": at(1800), "qty": 130, "units": "count"}],
        route=[{"lat": 0.5, "lon": -0.25, "altitude": 12, "timestamp": at(0)}],
    )


def test_an_old_workout_is_read_whole():
    record = record_of(old_session())
    assert record.content == {
        "name": "Running",
        "total_energy_kcal": 420,
        "active_energy_kcal": pytest.approx(340.344, rel=1e-5),
        "max_heart_rate": 171,
        "avg_heart_rate": 141,
        "step_count": 4980,
        "step_cadence": 166,
        "swim_strokes": 0,
        "swim_cadence": 0,
        "distance_km": 6,
        "avg_speed_km_hr": 9.5,
        "flights_climbed": 2,
        "intensity": 9.5,
        "temperature_degC": 18,
        "humidity_percent": 60,
        "elevation_up_m": pytest.approx(30.48),
        "elevation_down_m": pytest.approx(15.24),
    }
    assert record.flags == ("version_1",)
    assert track_of(record, "heart_rate").channels == {"value": [120, 125]}
    assert track_of(record, "heart_rate_recovery").channels == {"value": [130]}
    assert track_of(record, "route").channels == {"latitude": [0.5], "longitude": [-0.25], "altitude": [12]}


def test_both_versions_of_a_session_say_the_same():
    new = workout(
        name="Running",
        activeEnergyBurned=quantity(1424, "kJ"),
        activeEnergy=curve("kJ", 712, 712),
        stepCount=curve("count", 2490, 2490),
        distance=quantity(6, "km"),
        elevationUp=quantity(100, "ft"),
        heartRateData=beats(0, 120, 125),
    )
    old, new = record_of(old_session()), record_of(new)
    assert (old.label, old.start, old.end) == (new.label, new.start, new.end)
    for name in ("name", "active_energy_kcal", "distance_km", "elevation_up_m"):
        assert old.content[name] == new.content[name]
    assert track_of(old, "heart_rate").channels["value"] == track_of(new, "heart_rate").channels["value"]
    assert (old.natural, old.identity) == (new.natural, new.natural)


def test_the_type_of_a_field_counts_and_not_the_version():
    record = record_of(workout(stepCount=quantity(100, "count"), activeEnergy=quantity(10, "kcal")))
    assert (record.content["step_count"], record.content["active_energy_kcal"]) == (100, 10)
    record = record_of(old_workout(stepCount=curve("count", 100), activeEnergy=curve("kcal", 10)))
    assert {track.name for track in record.tracks} == {"step_count", "active_energy"}


# Known faults


@pytest.mark.parametrize("field", ["avgSpeed", "speed", "maxSpeed"])
def test_a_speed_in_kilometres_is_one_in_kilometres_an_hour(field):
    record = record_of(workout(**{field: quantity(9.5, "km")}))
    assert 9.5 in (record.content.get("avg_speed_km_hr"), record.content.get("max_speed_km_hr"))
    assert record.flags == ("speed_unit_km",)


def swapped(**more):
    return workout(activeEnergyBurned=quantity(43, "kJ"), activeEnergy=curve("kcal", 100, 80), **more)


def test_swapped_energy_labels_are_put_right_and_kept():
    record = record_of(swapped())
    assert record.flags == ("energy_label_swapped",)
    assert record.content["active_energy_kcal"] == 43
    assert sum(track_of(record, "active_energy").channels["value"]) == pytest.approx(43, rel=0.01)
    assert record.content["more"] == {
        "activeEnergyBurned": quantity(43, "kJ"),
        "activeEnergy": {"units": "kcal"},
    }


def test_labels_swapped_the_other_way_are_put_right_too():
    record = record_of(workout(activeEnergyBurned=quantity(180, "kcal"), activeEnergy=curve("kJ", 23, 20)))
    assert record.flags == ("energy_label_swapped",)
    assert record.content["active_energy_kcal"] == pytest.approx(43, rel=0.01)
    assert track_of(record, "active_energy").channels["value"] == pytest.approx([23, 20])


def test_total_energy_is_put_right_by_the_same_proof():
    record = record_of(swapped(totalEnergy=quantity(63, "kJ"), basalEnergy=curve("kcal", 42, 41.6)))
    assert record.content["total_energy_kcal"] == 63
    assert sum(track_of(record, "basal_energy_burned").channels["value"]) == pytest.approx(20, rel=0.01)


def test_total_energy_without_proof_is_kept_and_not_believed():
    record = record_of(swapped(totalEnergy=quantity(63, "kJ")))
    assert "total_energy_kcal" not in record.content
    assert record.content["more"]["totalEnergy"] == quantity(63, "kJ")
    basal = curve("kcal", 5, 5)
    record = record_of(swapped(totalEnergy=quantity(63, "kJ"), basalEnergy=basal))
    assert {track.name for track in record.tracks} == {"active_energy"}
    assert record.content["more"]["basalEnergy"] == basal


@pytest.mark.parametrize(
    ("burned", "series"),
    [
        (quantity(180, "kJ"), curve("kcal", 23, 20)),
        (quantity(43, "kcal"), curve("kJ", 100, 80)),
        (quantity(43, "kJ"), curve("kcal", 50, 50)),
        (quantity(43, "kcal"), curve("kcal", 100, 80)),
        (quantity(43, "kJ"), []),
    ],
)
def test_energy_without_proof_of_a_swap_is_left_alone(burned, series):
    record = record_of(workout(activeEnergyBurned=burned, activeEnergy=series))
    factor = 1 if burned["units"] == "kcal" else 1 / 4.184
    assert record.content["active_energy_kcal"] == pytest.approx(burned["qty"] * factor)
    assert record.flags == ()


def test_a_heart_rate_that_begins_at_the_end_is_the_recovery():
    sent = {
        "heartRateData": beats(1800, 140, 130, 120),
        "avgHeartRate": quantity(130, "bpm"),
        "maxHeartRate": quantity(140, "bpm"),
        "heartRate": {"min": quantity(120, "bpm"), "avg": quantity(130, "bpm"), "max": quantity(140, "bpm")},
    }
    record = record_of(workout(**sent))
    assert record.flags == ("heart_rate_is_recovery",)
    assert [track.name for track in record.tracks] == ["heart_rate_recovery"]
    assert track_of(record, "heart_rate_recovery").channels["value"] == [140, 130, 120]
    assert not {"avg_heart_rate", "max_heart_rate", "min_heart_rate"} & record.content.keys()
    assert record.content["more"] == {
        name: sent[name] for name in ("avgHeartRate", "maxHeartRate", "heartRate")
    }


def test_a_heart_rate_is_left_alone_without_all_signs_of_the_recovery():
    spread = [{"date": at(1800), "Min": 1 + 90, "Avg": 100, "Max": 110, "units": "bpm"}]
    for fields in (
        {"heartRateData": beats(1799, 140, 130)},
        {"heartRateData": spread},
        {"heartRateData": beats(1800, 140), "heartRateRecovery": beats(1800, 139)},
    ):
        record = record_of(workout(**fields, avgHeartRate=quantity(130, "bpm")))
        assert "heart_rate" in {track.name for track in record.tracks}
        assert (record.flags, record.content["avg_heart_rate"]) == ((), 130)


# Whole documents


def test_three_good_workouts_and_a_broken_one_cost_one():
    items = [workout(id=f"{ID[:-1]}{n}") for n in range(3)]
    reading = read_arrays({"workouts": [*items[:2], {"name": "Run"}, items[2]]})
    assert [record.item for record in reading.records[Kind.WORKOUT]] == [0, 1, 3]
    (item,) = reading.quarantined
    assert (item.path, item.kind, reading.received) == ("data.workouts[2]", "workouts", {"workouts": 4})


def test_key_order_does_not_make_another_version():
    item = old_session() | workout()
    turned = dict(reversed(item.items()))
    assert record_of(item).digest == record_of(turned).digest


def test_a_changed_point_makes_another_version():
    one, other = ([fix(0), fix(1, speed=speed)] for speed in (3.1, 3.2))
    assert record_of(workout(route=one)).digest != record_of(workout(route=other)).digest
    assert record_of(workout(route=one)).digest == record_of(workout(route=list(one))).digest


def test_the_demos_workouts_are_all_read():
    until = datetime(2026, 8, 19, 17, tzinfo=UTC).astimezone(BERLIN)
    count = 0
    for post in posts(until=until, zone=BERLIN, days=30):
        reading = read_arrays({"workouts": post.body["data"].get("workouts")})
        assert reading.quarantined == []
        for record in reading.records.get(Kind.WORKOUT, ()):
            count += 1
            assert (record.flags, record.content.keys() & {"more", "points_unreadable"}) == ((), set())
            assert {"route", "heart_rate", "active_energy"} <= {track.name for track in record.tracks}
    assert count > 5


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([at(0), "km", "kJ"])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["qty", "units", "date", "timestamp", "latitude", "lon", "Min", "avg", "ascent"])
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
names = [
    *(
        "id",
        "name",
        "start",
        "end",
        "duration",
        "swolfScore",
        "isIndoor",
        "location",
        "metadata",
        "source",
        "route",
    ),
    *(name.partition(".")[0] for row in QUANTITIES for name in row.sent),
    *SERIES,
    *HEART_SERIES,
]


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(names) | st.text(max_size=6), anything, max_size=12), st.booleans())
def test_any_object_is_a_record_or_in_quarantine(item, has_start):
    reading = read_arrays({"workouts": [item | ({"start": START} if has_start else {})]})
    found = reading.records[Kind.WORKOUT]
    assert len(found) + len(reading.quarantined) == 1
    for record in found:
        json.dumps(record.content, allow_nan=False)
        assert len(record.digest) == 32
        assert "\x00" not in record.identity
        for track in record.tracks:
            assert track.at == sorted(track.at)
            assert {len(column) for column in track.channels.values()} == {len(track.at)}
