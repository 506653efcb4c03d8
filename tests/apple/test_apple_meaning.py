from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from appliance.catalog.load import load_catalogue
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
from appliance.domain.sample import SECOND_US
from appliance.domain.sleep import SleepStage
from appliance.domain.whereabouts import Stay, Whereabouts
from appliance.intake.apple.archive import open_archive
from appliance.intake.apple.export import ExportReader
from tests.builders import BERLIN, instant
from tests.fixtures.apple_export import BOMB, BROKEN_DTD, ECG_DE, ECG_EN, AppleExport

CATALOGUE = load_catalogue()
EXPORT = AppleExport()


def test_everything_received_is_somewhere(said):
    told = said()
    kept = sum(map(len, told.samples.values())) + len(told.sleep) + sum(map(len, told.records.values()))
    assert told.received.total() == kept
    assert told.set_aside == []
    assert told.about.cut is None
    assert told.about.elements.total() == len(EXPORT.elements())
    assert told.about.nested == 2 * EXPORT.days
    assert told.about.exported_at == datetime(2025, 10, 27, 23, tzinfo=UTC)


@pytest.mark.parametrize("quirk", ["vt", "dupattr", "crlf"])
def test_what_phones_are_known_to_write_wrong_changes_nothing_but_itself(said, quirk):
    odd = said(EXPORT.but(quirks=frozenset([quirk])))
    assert odd.set_aside == []
    assert {key: len(rows) for key, rows in odd.samples.items()} == {
        key: len(rows) for key, rows in said().samples.items()
    }
    if quirk != "vt":
        assert odd.canonical == said().canonical


@pytest.mark.parametrize("dtd", [BROKEN_DTD, BOMB, ""])
def test_a_broken_or_hostile_document_type_changes_nothing(said, dtd):
    assert said(EXPORT.but(dtd=dtd)).canonical == said().canonical


def test_a_file_that_is_not_written_in_lines_says_the_same(said):
    xml = (
        EXPORT.xml()
        .replace(b"\n </", b"</")
        .replace(b"\n  <", b"<")
        .replace(b"\n   <", b"<")
        .replace(b"\n <", b"<")
    )
    assert said(xml=xml).canonical == said().canonical


def test_the_same_life_exported_in_winter_says_the_same(said):
    assert said(EXPORT.but(offset_h=1)).canonical == said().canonical


def test_another_unit_on_the_phone_says_the_same(said):
    told = [round(row[4], 4) for row in said(EXPORT.but(quirks=frozenset(["kJ"]))).of("active_energy")]
    assert told == [round(row[4], 4) for row in said().of("active_energy")]


def test_the_day_is_that_of_the_persons_zone_and_not_of_the_export(said):
    rows = said(EXPORT.but(offset_h=-7)).of("heart_rate")
    days = Counter(row[2] for row in rows)
    assert sorted(days.values()) == [13, 13, 13, 13]
    assert {row[1] for row in rows} == {3_600, 7_200}  # the clocks went back in between


def test_a_stay_elsewhere_counts_where_no_record_names_a_zone(said):
    tokyo = Stay(
        instant("2025-10-25T00:00:00+02:00"), instant("2025-10-26T00:00:00+02:00"), _zone("Asia/Tokyo")
    )
    told = said(home=Whereabouts(BERLIN, [tokyo]))
    assert Counter(row[1] for row in told.of("step_count")) == {7_200: 8, 32_400: 8, 3_600: 16}
    assert {segment.offset for segment in told.sleep} == {3_600, 7_200}  # these name theirs


def _zone(name):
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    return ZoneInfo(name)


def test_percentages_become_percent_and_sources_are_one_spelling(said):
    told = said()
    assert {row[4] for row in told.of("blood_oxygen_saturation")} == {97.0}
    assert {key.source for key in told.samples} == {
        "Sam's Apple Watch",
        "Sam's iPhone",
        "Health",
        "Kitchen Scale",
    }


def test_metadata_that_say_something_stay_with_the_sample(said):
    told = said()
    motions = Counter(str(row[5]) for row in told.of("heart_rate"))
    assert set(motions) == {
        "None",
        "{'HKMetadataKeyHeartRateMotionContext': '1'}",
        "{'HKMetadataKeyHeartRateMotionContext': '2'}",
    }
    assert {str(row[5]) for row in told.of("body_mass") or told.of("weight_body_mass")} <= {
        "{'Modified Date': 'Scale & Co'}"
    }


def test_single_beats_are_placed_at_their_sample(said):
    (first, *_) = said().of("heart_rate_variability")
    assert first[5]["beats"] == {"at_ms": [860, 1860, 2860, 3860, 4860], "bpm": [60, 61, 62, 63, 64]}
    winter = said(EXPORT.but(offset_h=1)).of("heart_rate_variability")
    assert winter[0] == first


def test_stood_hours_sleep_and_events_are_what_the_phone_sends_live(said):
    told = said()
    assert [row[4] for row in told.of("apple_stand_hour")] == [1, 1, 0] * 4
    assert Counter(segment.stage for segment in told.sleep) == {
        SleepStage.IN_BED: 4,
        SleepStage.CORE: 4,
        SleepStage.REM: 4,
    }
    assert {each.label for each in told.records[Kind.SYMPTOM]} == {"Headache"}
    assert {each.content["severity"] for each in told.records[Kind.SYMPTOM]} == {"Mild"}
    assert {each.label for each in told.records[Kind.HEART_NOTIFICATION]} == {"low"}


def test_a_correlation_keeps_the_grouping_and_its_copies_are_not_counted_twice(said):
    told = said()
    assert [row[4] for row in told.of("blood_pressure_systolic")] == [121.0] * 4
    (first, *_) = told.records[Kind.CORRELATION]
    assert [member["metric"] for member in first.content["members"]] == [
        "blood_pressure_systolic",
        "blood_pressure_diastolic",
    ]


def test_a_workouts_totals_are_its_own_and_not_those_of_its_parts(said):
    (first, *_) = said().records[Kind.WORKOUT]
    told = first.content
    assert first.label == "running"
    assert told["active_energy_kcal"] == told["statistics"]["active_energy"]["sum"]
    assert told["parts"][0]["statistics"]["active_energy"]["sum"] == told["active_energy_kcal"] / 2
    assert told["duration_s"] == 1_710
    assert told["humidity_percent"] == 94
    assert told["temperature_degC"] == pytest.approx(10)
    assert told["avg_heart_rate"] == 130
    assert told["is_indoor"] is False
    assert [event["type"] for event in told["events"]] == ["Pause"]


def test_a_route_is_cut_to_the_window_of_its_workout(said):
    (first, *_) = said().records[Kind.WORKOUT]
    (track,) = first.tracks
    assert track.name == "route"
    assert [(at - first.start) // SECOND_US for at in track.at] == [0, 600, 1_200, 1_800]
    assert track.channels["longitude"][0] == 13.4001
    assert "course" not in track.channels  # below zero there is no reading


def test_a_missing_route_is_told_and_costs_only_itself(said):
    told = said(xml=EXPORT.xml().replace(b"/workout-routes/", b"/elsewhere/"))
    assert {each.flags for each in told.records[Kind.WORKOUT]} == {("route_missing",)}
    assert all(not each.tracks for each in told.records[Kind.WORKOUT])


@pytest.mark.parametrize(
    ("content", "flags"),
    [
        (lambda gpx: gpx[: gpx.rindex(b"</trkpt>")], ("route_incomplete",)),
        (lambda gpx: gpx.replace(b"lat=", b"lit=", 1), ("route_incomplete",)),
        (lambda _gpx: b"\0\1 no route", ("route_missing",)),
    ],
    ids=["cut", "a point without its place", "garbage"],
)
def test_what_of_a_route_cannot_be_read_is_told(said, content, flags):
    (name, gpx), *_ = EXPORT.gpx().items()
    (first, *others) = said(EXPORT.but(files={name: content(gpx)})).records[Kind.WORKOUT]
    assert first.flags == flags
    assert {each.flags for each in others} == {()}


def test_totals_of_old_exports_are_attributes(said):
    xml = EXPORT.xml().replace(b"<WorkoutStatistics ", b"<Other ")
    xml = xml.replace(
        b'durationUnit="min" sourceName',
        b'durationUnit="min" totalDistance="5" totalDistanceUnit="mi" sourceName',
    )
    (first, *_) = said(xml=xml).records[Kind.WORKOUT]
    assert first.content["distance_km"] == pytest.approx(8.04672)


@pytest.mark.parametrize("file", [ECG_EN, ECG_DE], ids=["English", "German"])
def test_an_ecg_is_read_in_any_language(said, file):
    told = said(EXPORT.but(files={"electrocardiograms/ecg_2025-10-25.csv": file}))
    (ecg,) = told.records[Kind.ECG]
    assert ecg.start == instant("2025-10-25T18:15:35+02:00")
    assert ecg.content["classification_key"] == "sinus_rhythm"
    assert ecg.content["sampling_frequency"] == 512
    assert ecg.end - ecg.start == 2 * SECOND_US
    assert ecg.tracks[0].channels["voltage"][:2] == [-12.5, 30.25]
    assert "Sam Sample" not in str(ecg.content)


def test_an_ecg_that_cannot_be_read_is_kept_without_the_persons_name(said):
    told = said(EXPORT.but(files={"electrocardiograms/ecg_2025-10-25.csv": ECG_DE + b"abc\n"}))
    (item,) = [each.item for each in told.set_aside if each.kind == Kind.ECG]
    assert item["file"].endswith("/electrocardiograms/ecg_2025-10-25.csv")
    assert item["csv"].startswith("2025-10-25 18:15:35 +0200\n")
    assert item["csv"].endswith("abc\n")
    assert "Sam Sample" not in str(told.set_aside)


@pytest.mark.parametrize("content", [b"", b"Name,Sam Sample\n", ECG_EN.split(b"Lead")[0]], ids=ascii)
def test_an_ecg_of_which_nothing_is_left_is_counted_and_set_aside(said, content):
    told = said(EXPORT.but(files={"electrocardiograms/ecg_2025-10-25.csv": content}))
    assert told.received[Kind.ECG] == 1
    assert [each.reason for each in told.set_aside if each.kind == Kind.ECG] == [Reason.WRONG_SHAPE]
    assert "Sam Sample" not in str(told.set_aside)


def test_a_table_that_is_no_ecg_is_none(said):
    told = said(EXPORT.but(files={"electrocardiograms/._ecg_2025-10-25.csv": b"\0\5", "notes.csv": b"a,b\n"}))
    assert told.received[Kind.ECG] == 0


def test_a_days_rings_are_kept(said):
    told = said().records[Kind.ACTIVITY_SUMMARY]
    assert [each.label for each in told] == ["2025-10-24", "2025-10-25", "2025-10-26", "2025-10-27"]
    assert told[0].content["stand_hours"] == 2
    assert told[2].start == instant("2025-10-26T00:00:00+02:00") or told[2].offset == 3_600


def test_what_is_not_known_yet_is_kept_as_it_came(said):
    xml = EXPORT.xml().replace(
        b"</HealthData>",
        b' <Audiogram type="x" startDate="2025-10-25 10:00:00 +0200"/>\n'
        b' <Record type="HKDataTypeOfTomorrow" sourceName="x" startDate="2025-10-25 10:00:00 +0200"'
        b' endDate="2025-10-25 10:00:00 +0200" value="8"/>\n</HealthData>',
    )
    told = said(xml=xml)
    assert [(each.kind, each.reason) for each in told.set_aside] == [
        ("Audiogram", "not_read_yet"),
        ("samples", "not_read_yet"),
    ]
    assert "<Audiogram" in told.set_aside[0].item["xml"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'value="0.97"', b'value="NaN"', "not_a_number"),
        (b'value="0.97"', b'value="1_0"', "not_a_number"),
        (b'value="0.97"', b'value="97"', "implausible_value"),
        (b' value="0.97"', b"", "missing_value"),
        (b'unit="%"', b'unit="furlong"', "unknown_unit"),
    ],
)
def test_a_value_that_cannot_be_read_costs_itself(said, old, new, reason):
    told = said(xml=EXPORT.xml().replace(old, new, 1))
    (each,) = told.set_aside
    assert each.reason == reason
    assert each.item["type"].endswith("OxygenSaturation")
    assert len(told.of("blood_oxygen_saturation")) == EXPORT.days - 1


def test_one_value_that_cannot_be_read_among_thousands_costs_itself(said):
    beat = next(line for line in EXPORT.elements() if "HeartRate" in line and "/>\n" in line[-4:])
    odd = re.sub('value="[0-9.]*"/>', 'value="NaN"/>', beat)
    assert odd != beat
    lines = (beat * 4_000 + odd).encode()
    told = said(xml=EXPORT.xml().replace(b"</HealthData>", lines + b"</HealthData>"))
    assert [each.reason for each in told.set_aside] == ["not_a_number"]
    assert len(told.of("heart_rate")) == len(said().of("heart_rate")) + 4_000


def test_a_date_with_a_letter_of_two_bytes_costs_itself(said):
    xml = EXPORT.xml().replace(b'startDate="2025-10-24', 'startDate="2025-1ä-24'.encode(), 1)
    assert [each.reason for each in said(xml=xml).set_aside] == ["bad_timestamp"]


def test_a_record_without_a_readable_date_costs_itself(said):
    text = EXPORT.text(datetime(2025, 10, 24, 1, tzinfo=UTC)).encode()
    told = said(xml=EXPORT.xml().replace(b'startDate="' + text, b'startDate="2025-13-41 03:00:00 +0200'))
    assert {each.reason for each in told.set_aside} == {"bad_timestamp"}


def test_a_cut_file_is_reported_and_says_everything_before_the_cut(said):
    xml = EXPORT.xml()
    told = said(xml=xml[: xml.index(b"<Workout ") + 100])
    assert "cut off" in told.about.cut
    assert [each.kind for each in told.set_aside] == ["damaged"]
    assert told.received[Kind.CORRELATION] == EXPORT.days


def test_going_on_from_a_part_leaves_out_what_lies_before(tmp_path, monkeypatch):
    monkeypatch.setattr("appliance.intake.apple.export.RECORDS_A_PART", 20)
    monkeypatch.setattr("appliance.intake.apple.elements.CHUNK", 4_000)
    path = EXPORT.zip(tmp_path / "export.zip")
    with open_archive(path) as archive:
        parts = list(ExportReader(archive, CATALOGUE, Whereabouts(BERLIN)).parts())
        assert len(parts) > 4
        middle = parts[2]
        rest = list(ExportReader(archive, CATALOGUE, Whereabouts(BERLIN)).parts(skip=middle.done))
    assert [part.reading.received for part in rest] == [part.reading.received for part in parts[3:]]
    assert parts[-1].total == len(EXPORT.xml())


def test_a_later_export_begins_with_the_earlier_one(said):
    before, after = said(), said(EXPORT.but(later=2))
    for key, rows in before.samples.items():
        assert after.samples[key][: len(rows)] == rows


def test_an_offset_is_that_of_the_moment_even_on_a_day_of_two():
    home = Whereabouts(BERLIN)
    night = instant("2025-10-26T00:00:00+02:00")
    hours = [night + n * 3_600 * SECOND_US for n in range(6)]
    assert home.offsets(hours) == [7_200, 7_200, 7_200, 3_600, 3_600, 3_600]
    assert home.offsets([instant("2025-07-01T12:00:00+02:00")]) == [7_200]
    assert timedelta(seconds=home.offset(night)) == timedelta(hours=2)
