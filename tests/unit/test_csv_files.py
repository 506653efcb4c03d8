"""The phone's CSV files become the arrays of its JSON; what a file does not settle is set aside and never guessed."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.catalog.load import load_catalogue
from appliance.domain.sample import Grain
from appliance.domain.upload import Automation
from appliance.foundation.errors import MalformedUpload, RequestError, UploadTooLarge
from appliance.intake import csv_files
from appliance.intake.document import open_document
from appliance.intake.read import read_document
from tests.builders import BERLIN, instant, only_batch

LIMIT = 64 * 2**20
BOUNDARY = "b0undary"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
WORKOUT_TITLES = (
    "Workout Type,Start,End,Duration,Active Energy (kJ),Resting Energy (kJ),Intensity (kcal/hr·kg),"
    "Max. Heart Rate (count/min),Avg. Heart Rate (count/min),Distance (km),Max. Speed (km/hr),Avg. Speed (km/hr),"
    "Flights Climbed,Elevation Ascended (m),Elevation Descended (m),Step Count,Step Cadence (spm),"
    "Swimming Stroke Count,Swim Cadence (spm),Lap Length (m),Swim Stroke Style,SWOLF Score,Water Salinity,"
    "Temperature (degC),Humidity (%),Location,"
)
WORKOUT_ROW = "Outdoor Run,2026-08-07 10:00,2026-08-07 10:30,00:29:30,1424,120,9.5,171,150,6.01,14.2,12.1,3,40,38,5100,170,,,,,,,21.5,60,Outdoor,"


def form(*parts: str | bytes, names: str = "file") -> bytes:
    body = b""
    for position, part in enumerate(parts):
        content = part.encode() if isinstance(part, str) else part
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{names}{position}"; filename="{position}.csv"\r\nContent-Type: text/csv\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def opened(text: str | bytes, content_type: str = "text/csv"):
    return open_document(text.encode() if isinstance(text, str) else text, "", LIMIT, content_type)


def reading_of(text: str | bytes, content_type: str = "text/csv", aggregation: str = "", period: str = ""):
    automation = Automation(aggregation=aggregation, period=period)
    return read_document(opened(text, content_type), load_catalogue(), automation, BERLIN)


def table(*rows: str, titles: str = "Date/Time,Step Count (count)") -> str:
    return "\n".join([titles, *rows])


def values(reading: Any) -> dict[str, list[float | None]]:
    return {key.metric: batch.value for key, batch in reading.batches.items()}


def reasons(reading: Any) -> list[str]:
    return [str(item.reason) for item in reading.quarantined]


def test_a_column_is_a_metric_and_a_cell_is_an_item():
    text = table(
        "2026-08-07 00:00:00,1200.5,44",
        "2026-08-08 00:00:00,1300,",
        titles="Date/Time,Active Energy (kJ),VO2 Max (ml/(kg·min))",
    )
    reading = reading_of(text)
    assert reading.received == {"samples": 3}
    assert values(reading) == {
        "active_energy": [pytest.approx(1200.5 / 4.184), pytest.approx(1300 / 4.184)],
        "vo2_max": [44],
    }


def test_the_parts_of_a_metric_in_one_row_are_one_item():
    text = table(
        "2026-08-07 00:00:00,50,120,72.5,120,80",
        titles="Date/Time,Heart Rate [Min] (count/min),Heart Rate [Max] (count/min),Heart Rate [Avg] (count/min),"
        "Blood Pressure [Systolic] (mmHg),Blood Pressure [Diastolic] (mmHg)",
    )
    reading = reading_of(text)
    assert reading.received == {"samples": 2}
    batch = next(batch for key, batch in reading.batches.items() if key.metric == "heart_rate")
    assert (batch.value, batch.minimum, batch.maximum) == ([72.5], [50], [120])
    assert values(reading) | {"heart_rate": []} == {
        "heart_rate": [],
        "blood_pressure_systolic": [120],
        "blood_pressure_diastolic": [80],
    }


def test_a_missing_part_is_just_missing():
    text = table(
        "2026-08-07 00:00:00,,,72.5",
        titles="Date/Time,Heart Rate [Min] (count/min),Heart Rate [Max] (count/min),Heart Rate [Avg] (count/min)",
    )
    assert values(reading_of(text)) == {"heart_rate": [72.5]}


def test_a_column_nobody_knows_is_kept_under_its_own_name():
    batch = only_batch(reading_of(table("2026-08-07 00:00:00,7", titles="Date/Time,Shoe Wear (mm)")))
    assert (batch.key.metric, batch.key.unit, batch.value) == ("shoe_wear", "mm", [7])


def test_a_night_is_handed_over_as_the_json_has_it():
    titles = "Date/Time,Sleep Analysis [Total] (hr),Sleep Analysis [In Bed] (hr),Sleep Analysis [REM] (hr)"
    (entry,) = opened(table("2026-08-07 00:00:00,7.5,8,1.5", titles=titles)).arrays["metrics"]
    assert entry == {
        "name": "sleep_analysis",
        "units": "hr",
        "data": [{"date": "2026-08-07 00:00:00", "totalSleep": 7.5, "inBed": 8.0, "rem": 1.5}],
    }


def test_two_columns_of_one_title_are_both_kept():
    text = table("2026-08-07 00:00:00,1,2", titles="Date/Time,Shoe Wear (mm),Shoe Wear (mm)")
    assert values(reading_of(text)) == {"shoe_wear": [1, 2]}


def test_a_source_column_names_the_source():
    text = table("2026-08-07 00:00:00,5,Watch|Phone", titles="Date/Time,Step Count (count),Source")
    assert only_batch(reading_of(text)).key.source == "Phone | Watch"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2026-08-07 10:00:00", "2026-08-07T10:00:00+02:00"),
        ("2026-08-07 10:00", "2026-08-07T10:00:00+02:00"),
        ("2026-08-07", "2026-08-07T00:00:00+02:00"),
        ("2026-01-07 10:00:00", "2026-01-07T10:00:00+01:00"),
        ("2026-08-07 10:00:00 -0500", "2026-08-07T10:00:00-05:00"),
        ("2026-08-07 2:30:00 PM", "2026-08-07T14:30:00+02:00"),
        ("13/08/2026 10:00", "2026-08-13T10:00:00+02:00"),
        ("8/13/2026 2:05:09", "2026-08-13T02:05:09+02:00"),
        ('"8/13/2026, 2:05:09 PM"', "2026-08-13T14:05:09+02:00"),
        ("13.08.2026 10:00", "2026-08-13T10:00:00+02:00"),
        ("8/8/2026 0:00:00", "2026-08-08T00:00:00+02:00"),
    ],
)
def test_dates_of_a_file_are_in_the_zone_of_the_person(written, told):
    assert only_batch(reading_of(table(f"{written},5"))).start == [instant(told)]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["07/08/2026 00:00,1", "13/08/2026 00:00,2"], ["2026-08-07", "2026-08-13"]),
        (["7/8/2026 0:00:00,1", "7/13/2026 0:00:00,2"], ["2026-07-08", "2026-07-13"]),
    ],
)
def test_one_row_settles_the_order_of_day_and_month_for_its_file(rows, told):
    batch = only_batch(reading_of(table(*rows)))
    assert batch.start == [instant(f"{day}T00:00:00+02:00") for day in told]


@pytest.mark.parametrize(
    "rows", [["07/08/2026 00:00,1"], ["07/08/2026 00:00,1", "08/08/2026 00:00,2", "2026-08-13 00:00:00,3"]]
)
def test_a_day_and_month_that_could_be_the_other_way_round_are_not_guessed(rows):
    reading = reading_of(table(*rows))
    assert reasons(reading) == ["bad_timestamp"]
    assert reading.quarantined[0].item["date"] == "07/08/2026 00:00"


def test_a_file_that_says_both_orders_settles_none():
    reading = reading_of(table("07/08/2026 00:00,1", "13/08/2026 00:00,2", "8/14/2026 0:00:00,3"))
    assert reasons(reading) == ["bad_timestamp"]
    assert len(only_batch_of(reading)) == 2


def test_one_file_does_not_settle_the_order_of_another():
    body = form(table("07/08/2026 00:00,1"), table("13/08/2026 00:00,2"))
    assert reasons(reading_of(body, FORM_TYPE)) == ["bad_timestamp"]


def only_batch_of(reading: Any) -> Any:
    (batch,) = reading.batches.values()
    return batch


@pytest.mark.parametrize(
    "date", ["31/02/2026 00:00", "yesterday", "2026-13-01 00:00:00", "07/08/26 00:00", "x" * 5_000]
)
def test_what_is_no_date_is_set_aside(date):
    reading = reading_of(table(f"{date},5"))
    assert reasons(reading) == ["bad_timestamp"]
    assert len(reading.quarantined[0].item["date"]) <= csv_files.CELL_LENGTH


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("12", 12),
        ("12.5", 12.5),
        ("1.234", 1.234),
        (".5", 0.5),
        ("8.08742334249947", 8.08742334249947),
        ("1.5e-05", 1.5e-05),
        ('"12,5"', 12.5),
        ('"0,123"', 0.123),
        ('"1234,567"', 1234.567),
        ("+3", 3),
    ],
)
def test_numbers_that_can_only_be_read_one_way(written, number):
    assert only_batch(reading_of(table(f"2026-08-07 00:00:00,{written}"))).value == [number]


@pytest.mark.parametrize(
    "written",
    [
        "808.742.334.249.947",
        '"1.234,5"',
        '"1,234.5"',
        '"1,234,567"',
        '"1,234"',
        "1'234'567",
        "1 234 567",
        "many",
        "--",
        "NaN",
        "inf",
        "1e999",
        "0x1F",
        "1_000",
        "١٢",
        "9" * 10_000,
    ],
)
def test_numbers_that_are_none_for_certain_are_set_aside(written):
    reading = reading_of(table(f"2026-08-07 00:00:00,{written}"))
    assert reasons(reading) in (["not_a_number"], ["implausible_value"])
    assert reading.batches == {}


def test_a_lone_point_is_doubted_in_a_file_that_groups_thousands():
    text = table(
        "2026-08-07 00:00:00,808.742.334.249.947", "2026-08-08 00:00:00,1.234", "2026-08-09 00:00:00,7.5"
    )
    reading = reading_of(text)
    assert reasons(reading) == ["not_a_number", "not_a_number"]
    assert values(reading) == {"step_count": [7.5]}


def test_a_file_that_writes_decimal_commas_settles_a_lone_comma_and_unsettles_a_lone_point():
    text = table(
        "2026-08-07 00:00:00;7,5",
        "2026-08-08 00:00:00;1,234",
        "2026-08-09 00:00:00;1.234",
        titles="Date/Time;Step Count (count)",
    )
    reading = reading_of(text)
    assert values(reading) == {"step_count": [7.5, 1.234]}
    assert [item.item["qty"] for item in reading.quarantined] == [{"written": "1.234"}]


def test_an_unquoted_decimal_comma_moves_all_that_follows_so_the_row_is_set_aside_whole():
    text = table(
        "2026-08-07 00:00:00,7,5,8",
        "2026-08-08 00:00:00,6,9",
        titles="Date/Time,Step Count (count),Shoe Wear (mm)",
    )
    reading = reading_of(text)
    assert values(reading) == {"step_count": [6], "shoe_wear": [9]}
    assert (reading.received["samples"], reasons(reading)) == (3, ["wrong_shape"])
    assert reading.quarantined[0].item == ["2026-08-07 00:00:00", "7", "5", "8"]


def test_a_value_under_no_title_sets_its_row_aside():
    reading = reading_of(table("2026-08-07 00:00:00,7,5", titles="Date/Time,Step Count (count),"))
    assert reasons(reading) == ["wrong_shape"]
    assert values(reading_of(table("2026-08-07 00:00:00,7,", titles="Date/Time,Step Count (count),"))) == {
        "step_count": [7]
    }


@pytest.mark.parametrize(
    "text",
    [
        "Date/Time;Step Count (count)\n2026-08-07 00:00:00;7",
        "Date/Time\tStep Count (count)\n2026-08-07 00:00:00\t7",
        '"Date/Time","Step Count (count)"\r\n"2026-08-07 00:00:00","7"\r\n',
        "\ufeffDate/Time,Step Count (count)\n2026-08-07 00:00:00,7",
        "sep=;\nDate/Time;Step Count (count)\n2026-08-07 00:00:00;7",
        "Date,Step Count (count)\r2026-08-07,7\r",
        "Date/Time,Step Count (count)\n\n  \n2026-08-07 00:00:00 , 7 \n,\n",
    ],
)
def test_files_are_written_in_several_ways(text):
    assert values(reading_of(text)) == {"step_count": [7]}


def test_a_file_in_utf_16_is_read_by_its_mark():
    assert values(reading_of(table("2026-08-07 00:00:00,7").encode("utf-16"))) == {"step_count": [7]}


@pytest.mark.parametrize(
    ("rows", "aggregation", "grain"),
    [
        (["2026-08-07 00:00:00,1"], "", Grain.DAY),
        (["2026-08-07 00:00:00,1"], "Default", Grain.DAY),
        (["2026-08-07 00:00:00,1"], "Hours", Grain.HOUR),
        (["2026-08-07 00:00:00,1", "2026-08-07 01:00:00,"], "", Grain.HOUR),
        (["2026-08-07 12:00:00 AM,1"], "", Grain.DAY),
        (["2026-08-07 10:05:00,1"], "", Grain.MINUTE),
        (["2026-08-07,1"], "", Grain.DAY),
        (["2026-08-07 10:05:07,1"], "Default", Grain.RAW),
    ],
)
def test_the_grain_is_the_headers_or_else_what_the_whole_file_shows(rows, aggregation, grain):
    assert only_batch(reading_of(table(*rows), aggregation=aggregation)).key.grain == grain


def test_a_workout_is_read_as_the_json_has_it():
    reading = reading_of(f"{WORKOUT_TITLES}\n{WORKOUT_ROW}\n")
    assert (reading.received, reading.quarantined) == ({"workouts": 1}, [])
    (workout,) = reading.records["workouts"]
    assert (workout.start, workout.end) == (
        instant("2026-08-07T10:00:00+02:00"),
        instant("2026-08-07T10:30:00+02:00"),
    )
    content = workout.content
    assert (content["name"], content["location"], content["duration_s"]) == ("Outdoor Run", "Outdoor", 1_770)
    assert content["active_energy_kcal"] == pytest.approx(1424 / 4.184)
    assert (content["distance_km"], content["avg_heart_rate"], content["step_count"]) == (6.01, 150, 5_100)
    assert (content["elevation_up_m"], content["temperature_degC"]) == (40, 21.5)
    assert content["more"] == {"restingEnergy": {"qty": 120.0, "units": "kJ"}}


def test_a_workout_without_a_readable_start_is_set_aside():
    reading = reading_of(f"{WORKOUT_TITLES}\n{WORKOUT_ROW.replace('2026-08-07', '07/08/2026')}\n")
    assert [(item.kind, str(item.reason)) for item in reading.quarantined] == [("workouts", "bad_timestamp")]


def test_a_form_may_hold_several_files_under_any_name():
    body = form(table("2026-08-07 00:00:00,7"), f"{WORKOUT_TITLES}\n{WORKOUT_ROW}", names="whatever")
    reading = reading_of(body, FORM_TYPE)
    assert reading.received == {"samples": 1, "workouts": 1}


def test_plain_fields_of_a_form_do_no_harm():
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'.encode()
    assert values(reading_of(field + form(table("2026-08-07 00:00:00,7")), FORM_TYPE)) == {"step_count": [7]}


def test_a_file_of_another_kind_is_kept_row_by_row():
    series = "Date/Time,Min,Max,Avg,Context,Source\n2026-08-07 10:00:00,50,60,55,Active,Watch"
    reading = reading_of(form(table("2026-08-07 00:00:00,7"), series), FORM_TYPE)
    assert reading.received == {"samples": 1, "csv": 1}
    assert reasons(reading) == ["not_read_yet"]
    assert reading.quarantined[0].item["Context"] == "Active"


def test_a_packed_form_is_unpacked():
    body = gzip.compress(form(table("2026-08-07 00:00:00,7")))
    assert open_document(body, "gzip", LIMIT, FORM_TYPE).arrays["metrics"]


def test_a_file_of_titles_alone_is_an_empty_document():
    assert opened(table()).arrays == {"metrics": []}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "text/csv"),
        (b"hello", "text/csv"),
        (b"\xff\xfa\x00", "text/csv"),
        (b"Date/Time,\xff\n", "text/csv"),
        (b"anything", "multipart/form-data"),
        (b"anything", FORM_TYPE),
        (b"anything", "multipart/form-data; boundary=" + "x" * 71),
        (form(), FORM_TYPE),
        (form("hello"), FORM_TYPE),
        (form("Date/Time,X (m)\n2026-08-07,1")[:-30], FORM_TYPE),
        (f"--{BOUNDARY}\r\n\r\nno headers\r\n--{BOUNDARY}--".encode(), FORM_TYPE),
        (b'Date/Time,Step Count (count)\n2026-08-07,"' + b"1" * 200_000, "text/csv"),
        (",".join(["Date/Time", *("x (m)" for _ in range(2_000))]).encode(), "text/csv"),
    ],
)
def test_what_is_no_csv_is_refused_in_a_sentence(body, content_type):
    with pytest.raises(MalformedUpload) as caught:
        open_document(body, "", LIMIT, content_type)
    assert caught.value.detail.endswith(".")


def test_parts_rows_and_values_are_limited(monkeypatch):
    with pytest.raises(MalformedUpload):
        opened(table("2026-08-07 00:00:00," + "1," * csv_files.MAX_LINE))
    monkeypatch.setattr(csv_files, "MAX_ROWS", 10)
    with pytest.raises(UploadTooLarge):
        opened(table(*[","] * 11))
    with pytest.raises(UploadTooLarge):
        opened(form(*(table() for _ in range(csv_files.MAX_PARTS + 1))), FORM_TYPE)
    monkeypatch.setattr(csv_files, "MAX_VALUES", 3)
    with pytest.raises(UploadTooLarge):
        opened(table(*(f"2026-08-0{day} 00:00:00,1" for day in range(1, 6))))


cells = st.text(max_size=12) | st.sampled_from(
    ["2026-08-07 00:00:00", "7/8/2026", "1.234", "1,5", '"', "", "(", "[Min]"]
)
lines = st.lists(st.lists(cells, max_size=5).map(",".join), max_size=6).map("\n".join)
starts = st.sampled_from(
    ["", "Date/Time,Step Count (count)\n", "Date,Heart Rate [Min] (count/min)\n", f"{WORKOUT_TITLES}\n"]
)


@given(starts, lines | st.text(max_size=200))
def test_any_text_is_read_or_refused_and_every_item_is_accounted_for(start, text):
    try:
        reading = reading_of((start + text).encode("utf-8", "surrogatepass"))
    except RequestError:
        return
    stored = {item for batch in reading.batches.values() for item in batch.item}
    recorded = sum(map(len, reading.records.values()))
    assert reading.received.total() == len(stored) + recorded + len(reading.quarantined)


@given(
    st.binary(max_size=300),
    st.sampled_from(
        ["text/csv", FORM_TYPE, "multipart/form-data; boundary=--", 'multipart/form-data; boundary="']
    ),
)
def test_any_bytes_are_read_or_refused(body, content_type):
    with suppress(RequestError):
        reading_of(body, content_type)


pieces = st.sampled_from(
    [
        f"--{BOUNDARY}".encode(),
        b"--",
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"Content-Disposition: form-data",
        b'; name="a"',
        b'; filename="x.csv"',
        b"; filename*=x'y'%ff",
        b"Content-Type: text/csv; charset=none",
        b":",
        b"\xff",
        b"Date/Time,Step Count (count)\n2026-08-07,1",
    ]
)


@given(st.lists(pieces | st.binary(max_size=5), max_size=20).map(b"".join))
def test_any_form_is_read_or_refused(body):
    with suppress(RequestError):
        reading_of(body, FORM_TYPE)
