"""Everything that real exports are known to do, one by one: none of it changes what is said of the rest."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime

import pytest

from appliance.domain.record import Kind
from appliance.domain.sample import SECOND_US
from appliance.domain.sleep import SleepStage
from appliance.intake.apple.heartbeats import beats_of
from tests.builders import instant
from tests.fixtures.apple_export import CATEGORY, ECG_DE, ECG_EN, ECG_JA, QUANTITY, AppleExport

EXPORT = AppleExport()
XML = EXPORT.xml()
AT = 'creationDate="2025-10-25 10:00:00 +0200" startDate="2025-10-25 10:00:00 +0200" endDate="2025-10-25 10:05:00 +0200"'


def record(kind, value, unit="", source="Kitchen Scale", inside=""):
    told = f' unit="{unit}"' if unit else ""
    head = f' <Record type="{kind}" sourceName="{source}"{told} {AT} value="{value}"'
    return f"{head}>\n{inside} </Record>\n" if inside else f"{head}/>\n"


def with_more(*elements):
    more = "".join(elements).encode()
    return XML.replace(b"</HealthData>", more + b"</HealthData>")


def reordered(content):
    """The file as a library writes it anew: attributes by name, a blank before the end of an empty element."""

    def tag(found):
        attributes = sorted(re.findall(rb'[\w:]+="[^"]*"', found[2]))
        return b"<" + found[1] + b" " + b" ".join(attributes) + (b" />" if found[3] else b">")

    head, body = content[: content.index(b"<HealthData")], content[content.index(b"<HealthData") :]
    return head + re.sub(rb"<(\w+)((?: [\w:]+=\"[^\"]*\")+)(/?)>", tag, body)


def test_addresses_in_memory_that_differ_from_record_to_record_say_nothing(said):
    export = EXPORT.but(quirks=frozenset(["addr"]))
    assert len(set(re.findall(rb"HKDevice: (0x\w+)", export.xml()))) > 50
    assert len(set(re.findall(rb"HKDevice: (0x\w+)", XML))) == 1
    assert said(export).canonical == said().canonical


def test_a_record_told_again_by_another_address_is_the_same_record(said):
    line = next(element for element in EXPORT.elements() if "StepCount" in element)
    told = said(xml=with_more(line.replace("0x", "0x1f")))
    rows = told.of("step_count")
    assert len(rows) == len(said().of("step_count")) + 1
    assert (
        Counter(map(str, rows)).most_common(1)[0][1] == 2
    )  # the same start, end and value: storing settles it


def test_attributes_in_another_order_say_the_same(said):
    assert reordered(XML) != XML
    assert said(xml=reordered(XML)).canonical == said().canonical


def test_an_owner_who_spells_the_same_device_otherwise_is_the_same_source(said):
    plain = XML.replace("Sam’s Apple\N{NO-BREAK SPACE}Watch".encode(), b"Sam's Apple  Watch")
    assert plain != XML
    assert said(xml=plain).canonical == said().canonical


@pytest.mark.parametrize(
    "slip",
    [
        b"Watch & Co",
        b"Watch&#11;",
        b"Watch\x0b",
        b"Watch\0",
        b"Watch\xef\xbf\xbf",
        b"Watch\xff",
        b"Watch&#xFFFF;",
    ],
    ids=ascii,
)
def test_a_slip_in_a_name_costs_no_record(said, slip):
    odd = said(xml=XML.replace(b"Kitchen Scale", slip))
    assert odd.set_aside == []
    assert len(odd.of("weight_body_mass")) == EXPORT.days
    (source,) = {key.source for key in odd.samples if key.metric == "weight_body_mass"}
    assert source.startswith("Watch")
    others = {key: rows for key, rows in odd.samples.items() if key.metric != "weight_body_mass"}
    assert others == {key: rows for key, rows in said().samples.items() if key.metric != "weight_body_mass"}


@pytest.mark.parametrize(
    ("kind", "told", "metric"),
    [
        (
            "BodyMass",
            [("74.5", "kg"), ("164.244", "lb"), ("11.7317", "st"), ("74500", "g")],
            "weight_body_mass",
        ),
        ("DistanceCycling", [("10", "km"), ("6.21371", "mi"), ("10000", "m")], "cycling_distance"),
        ("BodyTemperature", [("37", "degC"), ("98.6", "degF")], "body_temperature"),
        ("BloodGlucose", [("109.9", "mg/dL"), ("6.1", "mmol<180.1558800000541>/L")], "blood_glucose"),
        (
            "DietaryEnergyConsumed",
            [("239.006", "Cal"), ("1000", "kJ"), ("239.006", "kcal")],
            "dietary_energy",
        ),
        ("VO2Max", [("42.5", "mL/min·kg")], "vo2_max"),
        ("OxygenSaturation", [("0.97", "%")], "blood_oxygen_saturation"),
    ],
)
def test_whatever_unit_the_owner_likes_it_is_the_same_number(said, kind, told, metric):
    lines = [
        record(QUANTITY + kind, value, unit.replace("<", "&lt;"), f"App {n}")
        for n, (value, unit) in enumerate(told)
    ]
    found = said(xml=with_more(*lines))
    assert found.set_aside == []
    values = [row[4] for n in range(len(told)) for row in found.of(metric, f"App {n}")]
    assert len(values) == len(told)
    assert values == pytest.approx([values[0]] * len(told), rel=1e-4)
    assert {"blood_oxygen_saturation": 97, "weight_body_mass": 74.5}.get(metric, values[0]) == pytest.approx(
        values[0]
    )


@pytest.mark.parametrize(
    ("word", "stage"),
    [
        ("InBed", SleepStage.IN_BED),
        ("Asleep", SleepStage.ASLEEP),
        ("AsleepUnspecified", SleepStage.ASLEEP),
        ("Awake", SleepStage.AWAKE),
        ("AsleepDeep", SleepStage.DEEP),
    ],
)
def test_sleep_is_told_in_the_words_of_every_version(said, word, stage):
    told = said(xml=with_more(record(CATEGORY + "SleepAnalysis", f"HKCategoryValueSleepAnalysis{word}")))
    (segment,) = [segment for segment in told.sleep if segment.source == "Kitchen Scale"]
    assert segment.stage is stage


@pytest.mark.parametrize("word", ["appleMoveTime", "appleMoveMinutes"])
def test_minutes_of_moving_have_had_two_names(said, word):
    told = said(xml=XML.replace(b"appleExerciseTime=", f'{word}="45" appleExerciseTime='.encode()))
    assert {each.content["move_minutes"] for each in told.records[Kind.ACTIVITY_SUMMARY]} == {45}


def test_points_inside_of_a_workout_are_its_route(said):
    inside = "".join(
        f'   <Location date="2025-10-24 17:0{n}:00 +0200" latitude="0.0{n}" longitude="0.1" altitude="3"'
        ' horizontalAccuracy="4" verticalAccuracy="5" course="90" speed="2.5"/>\n'
        for n in range(4)
    )
    xml = re.sub(rb' *<FileReference path="[^"]*2025-10-24.gpx"/>\n', inside.encode(), XML)
    told = said(xml=xml)
    first, second, *_ = told.records[Kind.WORKOUT]
    (track,) = first.tracks
    assert track.channels["latitude"] == [0.0, 0.01, 0.02, 0.03]
    assert track.channels["speed"] == [2.5] * 4
    assert [(at - first.start) // SECOND_US for at in track.at] == [0, 60, 120, 180]
    assert second.tracks == said().records[Kind.WORKOUT][1].tracks
    assert first.flags == ()


def test_windows_that_name_one_file_are_one_route_of_what_lies_within_them(said):
    route = re.search(rb"  <WorkoutRoute .*?</WorkoutRoute>\n", XML, re.DOTALL)[0]
    start, end = (EXPORT.text(at).encode() for at in _window())
    half = EXPORT.text(_window()[0].replace(minute=15)).encode()
    parts = route.replace(b'endDate="' + end, b'endDate="' + half) + route.replace(
        b'startDate="' + start, b'startDate="' + half
    )
    (first, *_) = said(xml=XML.replace(route, parts, 1)).records[Kind.WORKOUT]
    assert [track.at for track in first.tracks] == [
        track.at for track in said().records[Kind.WORKOUT][0].tracks
    ]


def _window():
    (first,) = re.findall(rb'<Workout .*?startDate="([^"]*)" endDate="([^"]*)">', XML, re.DOTALL)[:1]
    return [datetime.strptime(text.decode(), "%Y-%m-%d %H:%M:%S %z") for text in first]


@pytest.mark.parametrize("file", [ECG_EN, ECG_DE, ECG_JA], ids=["English", "German", "Japanese"])
def test_an_ecg_says_the_same_in_every_language_and_at_every_time_of_the_year(said, file):
    def read(content, **changes):
        return said(EXPORT.but(files={"electrocardiograms/ecg.csv": content}, **changes)).records[Kind.ECG]

    (ecg,) = read(file)
    assert ecg.start == instant("2025-10-25T18:15:35+02:00")
    assert ecg.content["sampling_frequency"] == 512
    assert ecg.content["device"] == "Watch6,7"
    assert ecg.tracks[0].channels["voltage"][:2] == [-12.5, 30.25]
    assert "Sam" not in str(ecg.content)
    assert "1980" not in str(ecg.content)
    (winter,) = read(file.replace(b"18:15:35 +0200", b"17:15:35 +0100"), offset_h=1)
    assert (winter.identity, winter.digest) == (ecg.identity, ecg.digest)


@pytest.mark.parametrize(
    ("clock", "at"),
    [
        ("7:47:41.86\N{NARROW NO-BREAK SPACE}AM", 860),
        ("07:47:41,86", 860),
        ("午前7:47:41.86", 860),
        ("19:47:41.86", 860),
        ("8:47:41.86 PM", 860),
        ("07.47.41,5", 500),
    ],
)
def test_a_beats_time_of_day_is_read_in_every_spelling(clock, at):
    told = beats_of([("61", clock), ("62", clock.replace("41", "42"))], instant("2025-10-25T07:47:41+02:00"))
    assert told["beats"] == {"at_ms": [at, at + 1_000], "bpm": [61.0, 62.0]}


def test_an_attribute_whose_name_has_blanks_costs_itself(said):
    odd = XML.replace(b'unit="kg"', b'unit="kg" Health Mate App Version="1.0"')
    told = said(xml=odd)
    assert told.set_aside == []
    assert len(told.of("weight_body_mass")) == EXPORT.days
    assert told.about.mended == EXPORT.days


def test_a_record_of_a_type_that_is_no_quantity_is_kept_under_its_own_name(said):
    told = said(xml=with_more(record("HKDataTypeSleepDurationGoal", "8", "hr")))
    (kept,) = [key for key in told.samples if "sleep_duration_goal" in key.metric.lower()]
    assert [row[4] for row in told.samples[kept]] == [8.0]
    assert told.set_aside == []
