"""An ECG is read whole: its voltages in one unit, in time, whatever their dates count from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
from tests.builders import instant, read_arrays
from tests.fixtures.documents import when
from tests.fixtures.records import APPLE_EPOCH_S, EVENING, HZ, an_ecg

START = "2026-08-07T19:30:00+02:00"


def read_ecg(**fields):
    return read_all(an_ecg(**fields))


def read_all(item):
    reading = read_arrays({"ecg": [item]})
    assert reading.quarantined == []
    (record,) = reading.records[Kind.ECG]
    return record


def refused(item):
    reading = read_arrays({"ecg": [item]})
    assert reading.records == {Kind.ECG: []}
    (found,) = reading.quarantined
    assert (found.kind, found.path, found.item) == ("ecg", "data.ecg[0]", item)
    return found.reason


def measurements(*voltages, units="mcV", **more):
    first = when("2026-08-07 19:30").timestamp()
    return [
        {"date": first + n / HZ, "voltage": voltage, "units": units} | more
        for n, voltage in enumerate(voltages)
    ]


def test_a_real_recording_is_read_whole_without_flags():
    record = read_ecg(count=15_379)
    assert (record.start, record.offset) == (instant(START), 7_200)
    assert record.end == record.start + 30_000_000
    assert (record.label, record.source, record.flags) == ("Sinus Rhythm", "Anna's Apple Watch", ())
    assert record.content == {
        "classification": "Sinus Rhythm",
        "classification_key": "sinus_rhythm",
        "average_heart_rate": 62,
        "sampling_frequency": HZ,
        "voltage_start": START,
        "voltage_count": 15_379,
    }
    (track,) = record.tracks
    assert (track.name, track.at, track.units) == ("voltage", [], {"voltage": "mcV"})
    assert track.channels == {"voltage": [n / 4 for n in range(15_379)]}


def test_start_and_source_tell_two_recordings_apart():
    assert read_ecg().identity == read_ecg(classification="Inconclusive", averageHeartRate=None).identity
    assert read_ecg().identity != read_ecg(source="Ring").identity
    assert read_ecg().identity != read_all(an_ecg(when("2026-08-07 19:31"))).identity


def test_the_documented_dates_with_milliseconds_are_read():
    dates = [f"2026-08-07 19:30:{n // 500:02}.{n % 500 * 2:03} +0200" for n in range(1_500)]
    voltages = [{"date": date, "voltage": 1, "units": "mcV"} for date in dates]
    record = read_ecg(voltageMeasurements=voltages, numberOfVoltageMeasurements=1_500, samplingFrequency=500)
    assert record.flags == ()
    assert record.content["voltage_start"] == START
    assert record.tracks[0].at == []


def test_dates_cut_to_milliseconds_are_still_even():
    first = when("2026-08-07 19:30")
    voltages = [
        {
            "date": f"{first + timedelta(seconds=n / HZ):%Y-%m-%d %H:%M:%S.%f}"[:23] + " +0200",
            "voltage": 1,
            "units": "mcV",
        }
        for n in range(2_000)
    ]
    assert read_ecg(voltageMeasurements=voltages, numberOfVoltageMeasurements=2_000).flags == ()


@given(
    start=st.integers(2002 * 366 * 86_400 // 64, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    base=st.sampled_from([0, APPLE_EPOCH_S]),
    scale=st.sampled_from([1, 1_000]),
    shift_s=st.floats(-59, 59).map(lambda shift: round(shift, 3)),
    rotation=st.integers(0, 31),
)
def test_the_base_of_the_dates_is_found_whatever_it_is_property(start, base, scale, shift_s, rotation):
    item = an_ecg(start, count=32, base=base, scale=scale)
    for each in item["voltageMeasurements"]:
        each["date"] += shift_s * scale
    item["voltageMeasurements"] = (
        item["voltageMeasurements"][rotation:] + item["voltageMeasurements"][:rotation]
    )
    record = read_all(item)
    assert record.flags == ()
    told = datetime.fromisoformat(record.content["voltage_start"])
    assert abs(told - (start + timedelta(seconds=shift_s))) < timedelta(milliseconds=1)
    assert record.tracks[0].at == []
    assert record.tracks[0].channels["voltage"] == [n / 4 for n in range(32)]


@pytest.mark.parametrize("base", [500_000_000, -86_400, 3_600])
def test_dates_of_no_known_base_leave_start_and_frequency_and_say_so(base):
    record = read_ecg(base=base)
    assert record.flags == ("voltage_times_unclear",)
    assert record.content["voltage_start"] == START
    assert record.content["sampling_frequency"] == HZ
    assert (record.tracks[0].at, len(record.tracks[0].channels["voltage"])) == ([], 64)


@pytest.mark.parametrize("missing", [slice(0, 64), slice(5, 6)])
def test_missing_dates_leave_start_and_frequency_and_say_so(missing):
    item = an_ecg()
    for each in item["voltageMeasurements"][missing]:
        each["date"] = None
    record = read_all(item)
    assert record.flags == ("voltage_times_unclear",)
    assert record.content["voltage_start"] == START


def test_uneven_voltages_keep_a_time_each():
    item = an_ecg(count=3)
    item["voltageMeasurements"][2]["date"] += 1
    record = read_all(item)
    assert record.flags == ("voltage_times_uneven",)
    begin = instant(START)
    assert record.tracks[0].at == [begin, begin + 1_953, begin + 1_003_906]


@pytest.mark.parametrize("sent", [None, 0, -512, 1e9])
def test_a_frequency_that_is_missing_or_absurd_is_taken_from_the_dates(sent):
    record = read_ecg(samplingFrequency=sent)
    assert "sampling_frequency_derived" in record.flags
    assert record.content["sampling_frequency"] == pytest.approx(HZ, abs=0.01)
    assert record.tracks[0].at == []
    assert ("implausible_sampling_frequency" in record.flags) == (sent is not None)


@pytest.mark.parametrize(
    ("unit", "factor"), [("mcV", 1), ("µV", 1), ("μV", 1), ("uV", 1), ("mV", 1_000), ("V", 1_000_000)]
)
def test_voltages_are_kept_in_millionths_of_a_volt(unit, factor):
    record = read_ecg(
        voltageMeasurements=measurements(0.5, -2, None, units=unit), numberOfVoltageMeasurements=3
    )
    assert record.tracks[0].channels["voltage"] == [0.5 * factor, -2 * factor, None]
    assert record.tracks[0].units == {"voltage": "mcV"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"start": None}, Reason.BAD_TIMESTAMP),
        ({"start": "yesterday"}, Reason.BAD_TIMESTAMP),
        ({"end": "later"}, Reason.BAD_TIMESTAMP),
        ({"classification": 3}, Reason.WRONG_SHAPE),
        ({"source": 5}, Reason.WRONG_SHAPE),
        ({"source": {"name": ["Watch"]}}, Reason.WRONG_SHAPE),
        ({"averageHeartRate": "fast"}, Reason.NOT_A_NUMBER),
        ({"samplingFrequency": [512]}, Reason.NOT_A_NUMBER),
        ({"samplingFrequency": float("nan")}, Reason.NOT_A_NUMBER),
        ({"numberOfVoltageMeasurements": {}}, Reason.NOT_A_NUMBER),
        ({"voltageMeasurements": {"date": 1}}, Reason.WRONG_SHAPE),
        ({"voltageMeasurements": [1, 2]}, Reason.WRONG_SHAPE),
        ({"voltageMeasurements": measurements(1, units="furlong")}, Reason.UNKNOWN_UNIT),
        ({"voltageMeasurements": measurements(1, units=None)}, Reason.UNKNOWN_UNIT),
        ({"voltageMeasurements": measurements(1, units=["mcV"])}, Reason.UNKNOWN_UNIT),
        ({"voltageMeasurements": measurements(1, "high")}, Reason.NOT_A_NUMBER),
        ({"voltageMeasurements": measurements(1, float("inf"))}, Reason.NOT_A_NUMBER),
        ({"voltageMeasurements": measurements(10**400)}, Reason.NOT_A_NUMBER),
        ({"voltageMeasurements": measurements(1e308, units="V")}, Reason.NOT_A_NUMBER),
        ({"voltageMeasurements": measurements(1, date="then")}, Reason.BAD_TIMESTAMP),
        ({"voltageMeasurements": measurements(1, date=[5])}, Reason.BAD_TIMESTAMP),
        ({"voltageMeasurements": measurements(1, date=True)}, Reason.BAD_TIMESTAMP),
        ({"voltageMeasurements": measurements(1, date=float("nan"))}, Reason.BAD_TIMESTAMP),
        ({"voltageMeasurements": measurements(1, date=10**400)}, Reason.BAD_TIMESTAMP),
        ({"voltageMeasurements": [*measurements(1), *measurements(1, date=EVENING)]}, Reason.BAD_TIMESTAMP),
    ],
)
def test_what_cannot_be_an_ecg_is_set_aside_with_its_reason(fields, reason):
    assert refused(an_ecg(**fields)) == reason


def test_an_ecg_without_voltages_is_kept_all_the_same():
    record = read_ecg(voltageMeasurements=None, numberOfVoltageMeasurements=None)
    assert (record.flags, record.tracks) == (("no_voltages",), ())
    assert "voltage_start" not in record.content


def test_another_number_of_voltages_than_told_is_flagged_with_both():
    record = read_ecg(numberOfVoltageMeasurements=15_379)
    assert record.flags == ("voltage_count_differs",)
    assert (record.content["voltage_count"], record.content["voltage_count_told"]) == (64, 15_379)


def test_an_impossible_heart_rate_is_flagged_and_costs_nothing_else():
    record = read_ecg(averageHeartRate=0)
    assert record.flags == ("implausible_heart_rate",)
    assert record.content["average_heart_rate"] == 0


def test_severity_symptoms_and_what_is_not_documented_are_kept():
    symptoms = [{"name": "Palpitations\x00"}]
    record = read_ecg(severity="None", symptoms=symptoms, algorithmVersion=2, note=None, empty={})
    assert record.content["severity"] == "None"
    assert record.content["symptoms"] == [{"name": "Palpitations�"}]
    assert record.content["more"] == {"algorithmVersion": 2}


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("Sinus Rhythm", "sinus_rhythm"),
        ("sinusRhythm", "sinus_rhythm"),
        ("Atrial Fibrillation", "atrial_fibrillation"),
        ("High Heart Rate", "high_heart_rate"),
        ("Low Heart Rate", "low_heart_rate"),
        ("Inconclusive", "inconclusive"),
        ("Inconclusive (Low Heart Rate)", "inconclusive_low_heart_rate"),
        ("Inconclusive: High Heart Rate", "inconclusive_high_heart_rate"),
        ("Inconclusive - Poor Recording", "inconclusive_poor_recording"),
        ("Poor Recording", "poor_recording"),
        ("Unrecognized", "unrecognized"),
        ("Ritmo Sinusal", "sinus_rhythm"),
        ("Fibrilación auricular", "atrial_fibrillation"),
        ("Fibrilacio\u0301n auricular", "atrial_fibrillation"),
        ("Sinusrhythmus", "sinus_rhythm"),
        ("Vorhofflimmern", "atrial_fibrillation"),
        ("Rythme sinusal", "sinus_rhythm"),
        ("Fibrilação atrial", "atrial_fibrillation"),
        ("Ritmo sinusale", "sinus_rhythm"),
        ("窦性心律", "sinus_rhythm"),
        ("心房颤动", "atrial_fibrillation"),
        ("Sinusrytme", None),
    ],
)
def test_a_classification_keeps_its_word_and_gets_the_key_it_stands_for(sent, key):
    content = read_ecg(classification=sent).content
    assert (content["classification"], content.get("classification_key")) == (sent, key)
