"""Heart-rate notifications as they really come and as they are documented, and what kind they are."""

from __future__ import annotations

import pytest

from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
from tests.builders import instant, read_arrays
from tests.fixtures.documents import when
from tests.fixtures.records import APPLE_EPOCH_S, a_documented_notification, a_reading, a_real_notification

START = instant("2026-08-07T19:30:00+02:00")
MINUTE = 60_000_000
FIRST_S = when("2026-08-07 19:30").timestamp()


def read_one(item):
    reading = read_arrays({"heartRateNotifications": [item]})
    assert reading.quarantined == []
    (record,) = reading.records[Kind.HEART_NOTIFICATION]
    return record


def test_the_real_shape_is_read():
    record = read_one(a_real_notification())
    assert record.content == {
        "notification": "low_heart_rate_notification",
        "kind": "low",
        "threshold": 45,
        "more": {"source": {"bundle": "com.apple.health"}},
    }
    assert (record.label, record.source, record.flags) == ("low", "Anna's Apple Watch", ())
    assert (record.start, record.end, record.offset) == (START, START + 10 * MINUTE, 7_200)
    (track,) = record.tracks
    assert (track.name, track.units) == ("heart_rate", {"heart_rate": "count/min"})
    assert track.at == [START, START + MINUTE, START + 2 * MINUTE]
    assert track.channels == {"heart_rate": [41, 42, 43]}


def test_the_documented_shape_is_read_with_its_variability():
    record = read_one(a_documented_notification())
    rate, variability = record.tracks
    assert rate.channels == {"heart_rate": [125, 126, 127]}
    assert rate.at == [START, START + MINUTE, START + 2 * MINUTE]
    assert variability.name == "heart_rate_variability"
    assert variability.channels == {"heart_rate_variability": [31.5], "duration": [60]}
    assert variability.units == {"heart_rate_variability": "ms", "duration": "s"}
    assert "more" not in record.content


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"threshold": 120}, "high"),
        ({"threshold": 130}, "low"),
        ({"threshold": None}, "irregular"),
        ({"threshold": None, "heartRate": []}, "irregular"),
        ({"threshold": 120, "heartRate": []}, None),
    ],
)
def test_a_kind_that_nothing_tells_is_derived_and_says_so(fields, kind):
    record = read_one(a_documented_notification(**fields))
    assert record.content.get("kind") == kind
    assert record.content.get("kind_derived") == (True if kind else None)
    assert record.flags == (("kind_derived",) if kind else ())


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("high_heart_rate_notification", "high"),
        ("low_heart_rate_notification", "low"),
        ("irregular_heart_rhythm_notification", "irregular"),
        ("irregularHeartRhythm", "irregular"),
        ("High Heart Rate", "high"),
        ("Frecuencia cardiaca baja", "low"),
        ("hypertension_notification", None),
    ],
)
def test_a_kind_that_is_told_is_believed_and_never_derived(word, kind):
    record = read_one(a_real_notification(heartNotification=word))
    assert record.content["notification"] == word
    assert record.content.get("kind") == kind
    assert "kind_derived" not in record.content


@pytest.mark.parametrize(("base", "scale"), [(0, 1), (APPLE_EPOCH_S, 1), (0, 1_000), (APPLE_EPOCH_S, 1_000)])
def test_inner_dates_of_any_base_are_placed_and_put_in_order(base, scale):
    readings = [a_reading((FIRST_S + 60 * n - base) * scale, 40 + n) for n in (2, 0, 1)]
    record = read_one(a_real_notification(heartRateData=readings))
    (track,) = record.tracks
    assert track.at == [START, START + MINUTE, START + 2 * MINUTE]
    assert track.channels["heart_rate"] == [40, 41, 42]


def test_readings_far_from_the_notification_are_kept_without_times():
    record = read_one(a_real_notification(heartRateData=[a_reading(12345.0, 40)]))
    assert record.flags == ("reading_times_unclear",)
    assert (record.tracks[0].at, record.tracks[0].channels["heart_rate"]) == ([], [40])
    assert record.content["more"]["heartRateData"][0]["timestamp"]["start"] == 12345.0


def test_readings_of_a_shape_we_do_not_know_are_kept_as_they_came():
    readings = [{"value": 40, "when": FIRST_S}]
    record = read_one(a_real_notification(heartRateData=readings))
    assert record.flags == ("readings_not_read",)
    assert record.tracks == ()
    assert record.content["more"]["heartRateData"] == readings
    assert record.content["kind"] == "low"


def test_undocumented_keys_are_kept_at_every_level():
    readings = [a_reading(FIRST_S, 40, context="rest"), a_reading(FIRST_S + 60, 41)]
    record = read_one(a_real_notification(heartRateData=readings, device="Watch7,1"))
    assert record.content["more"] == {
        "device": "Watch7,1",
        "heartRateData": [{"context": "rest"}, {}],
        "source": {"bundle": "com.apple.health"},
    }


def test_two_kinds_at_the_same_moment_are_two():
    low = read_one(a_real_notification())
    assert low.identity == read_one(a_real_notification(threshold=40)).identity
    assert (
        low.identity
        != read_one(a_real_notification(heartNotification="high_heart_rate_notification")).identity
    )


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"start": 5}, Reason.BAD_TIMESTAMP),
        ({"threshold": "forty"}, Reason.NOT_A_NUMBER),
        ({"threshold": {"qty": 40}}, Reason.NOT_A_NUMBER),
        ({"heartNotification": ["low"]}, Reason.WRONG_SHAPE),
        ({"heartRateData": "many"}, Reason.WRONG_SHAPE),
        ({"heartRateData": [40]}, Reason.WRONG_SHAPE),
        ({"heartRateData": [a_reading(FIRST_S, 40) | {"units": "furlong"}]}, Reason.UNKNOWN_UNIT),
        ({"heartRateData": [a_reading(FIRST_S, "many")]}, Reason.NOT_A_NUMBER),
        ({"heartRateData": [a_reading([FIRST_S], 40)]}, Reason.BAD_TIMESTAMP),
        (
            {"heartRateData": [a_reading(FIRST_S, 40, timestamp={"start": FIRST_S, "interval": {"duration": 1, "units": 3}})]},
            Reason.UNKNOWN_UNIT,
        ),
        ({"source": 7}, Reason.WRONG_SHAPE),
    ],
)  # fmt: skip
def test_what_cannot_be_a_notification_is_set_aside_with_its_reason(fields, reason):
    item = a_real_notification(**fields)
    reading = read_arrays({"heartRateNotifications": [item]})
    (found,) = reading.quarantined
    assert (found.reason, found.path, found.item) == (reason, "data.heartRateNotifications[0]", item)
