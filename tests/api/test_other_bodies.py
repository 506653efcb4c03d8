"""The same address takes the typed “standard” JSON and the phone's CSV, and answers with the same receipt."""

from __future__ import annotations

import gzip
from io import BytesIO

import pytest
from werkzeug.datastructures import FileStorage

from tests.fixtures.documents import metric, point

CSV = (
    "Date/Time,Step Count (count),Heart Rate [Min] (count/min),Heart Rate [Max] (count/min),Heart Rate [Avg] (count/min)\n"
    "2026-08-07 00:00:00,5120,48,131,70.5\n"
    "2026-08-08 00:00:00,,50,120,68\n"
)
WORKOUTS = "Workout Type,Start,End,Duration,Distance (km),\nOutdoor Run,2026-08-07 10:00,2026-08-07 10:30,00:30:00,5,\n"
STANDARD = {
    "data": {
        "metrics": [
            {
                "type": "HeartRate",
                "recorded_at": "2026-08-07T08:00:00Z",
                "heart_rate": 61,
                "source_device": "Ring",
            },
            {"type": "Nutrition", "recorded_at": "2026-08-07T08:00:00Z", "dietary_water": 0.5},
            {"type": "Symptom", "recorded_at": "2026-08-07T08:00:00Z", "symptom_type": "headache"},
        ],
        "workouts": [
            {
                "workout_type": "running",
                "started_at": "2026-08-07T08:00:00Z",
                "ended_at": "2026-08-07T09:00:00Z",
            }
        ],
    }
}


def send(phone, body, content_type, **headers):
    return phone.send(body, Content_Type=content_type, **headers)


def form(*texts):
    """Post as a browser or a phone does: the test client writes the boundaries."""
    return {
        f"part{n}": FileStorage(BytesIO(text.encode()), f"{n}.csv", content_type="text/csv")
        for n, text in enumerate(texts)
    }


def test_csv_in_a_form_goes_all_the_way(phone):
    answer = phone.client.post("/api/v1/ingest", data=form(CSV, WORKOUTS), headers={"X-API-Key": phone.key})
    receipt = answer.get_json()
    assert answer.status_code == 200, receipt
    assert receipt["errors"] == []
    assert {kind: counts["stored"] for kind, counts in receipt["kinds"].items()} == {
        "samples": 3,
        "workouts": 1,
    }
    assert "csv" in [advice["code"] for advice in receipt["advice"]]
    assert phone.days("step_count") == {"2026-08-07": 5120}
    assert [(s["min"], s["value"], s["max"], s["grain"]) for s in phone.samples("heart_rate")] == [
        (48, 70.5, 131, "day"),
        (50, 68, 120, "day"),
    ]


def test_csv_alone_goes_all_the_way_and_again_tells_nothing_new(phone):
    assert send(phone, CSV.encode(), "text/csv; charset=utf-8")["counts"]["stored"] == 3
    assert (
        send(phone, gzip.compress(CSV.encode()), "text/csv", Content_Encoding="gzip")["status"] == "unchanged"
    )


def test_csv_and_json_of_one_day_are_one_sample(phone):
    phone.send(
        {"data": {"metrics": [metric("step_count", "count", point("2026-08-07 00:00", 5120, None))]}},
        automation_aggregation="Days",
    )
    counts = send(phone, b"Date/Time,Step Count (count)\n2026-08-07 00:00:00,5120\n", "text/csv")["counts"]
    assert (counts["unchanged"], counts["stored"]) == (1, 0)


def test_the_bytes_of_a_form_are_kept_exactly(phone):
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + CSV.encode() + b"\r\n--x--\r\n"
    receipt = send(phone, body, "multipart/form-data; boundary=x")
    kept = phone.client.get(f"/api/v1/uploads/{receipt['upload_id']}/body", headers={"X-API-Key": phone.key})
    assert kept.data == body


def test_standard_json_goes_all_the_way(phone):
    receipt = phone.send(STANDARD)
    assert (
        receipt["kinds"]["samples"] | {"received": 3, "stored": 2, "quarantined": 1}
        == receipt["kinds"]["samples"]
    )
    assert receipt["kinds"]["workouts"]["stored"] == 1
    assert [(error["path"], error["reason"]) for error in receipt["errors"]] == [
        ("data.metrics[2]", "not_read_yet")
    ]
    (sample,) = phone.samples("heart_rate")
    assert (sample["start"], sample["value"], sample["source"], sample["grain"]) == (
        "2026-08-07T10:00:00+02:00",
        61,
        "Ring",
        "raw",
    )
    assert phone.days("dietary_water") == {"2026-08-07": 500}
    assert phone.send(STANDARD)["status"] == "unchanged"


@pytest.mark.parametrize(
    "content_type", ["text/csv", "multipart/form-data; boundary=x", "multipart/form-data"]
)
def test_a_body_that_is_not_what_it_says_is_refused_and_kept(phone, content_type):
    answer = phone.post(b"no csv at all", Content_Type=content_type)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert phone.get("/api/v1/uploads")["items"][0]["status"] == "refused"


@pytest.mark.parametrize("content_type", ["text/html", "application/xml", "multipart/mixed; boundary=x"])
def test_other_content_is_refused_before_it_is_kept(phone, content_type):
    assert phone.post(CSV.encode(), Content_Type=content_type).status_code == 415
    assert phone.get("/api/v1/uploads")["items"] == []
