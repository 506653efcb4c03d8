"""Records go all the way: from the phone's arrays to what is shown, corrections with their earlier versions."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from appliance.api.records import EcgAnswer, RecordAnswer, RecordsAnswer
from appliance.demo.life import posts
from appliance.domain.key import Scope
from tests.fixtures.documents import document, hours, metric, when
from tests.fixtures.house import a_phone
from tests.fixtures.problems import problem_of
from tests.fixtures.records import (
    a_cycle_entry,
    a_dose,
    a_mood,
    a_real_notification,
    a_symptom,
    an_ecg,
    one_of_each,
)

KINDS = {
    "ecg": "ecg",
    "heart_notifications": "heartRateNotifications",
    "state_of_mind": "stateOfMind",
    "medications": "medications",
    "symptoms": "symptoms",
    "cycle": "cycleTracking",
}
BERLIN = ZoneInfo("Europe/Berlin")


def send(phone, **arrays):
    return phone.send({"data": arrays})


def listed(phone, kind, **query):
    answer = phone.get(f"/api/v1/records/{kind}", **query)
    RecordsAnswer.model_validate(answer, strict=True)
    return answer["items"]


def only(phone, kind):
    (item,) = listed(phone, kind)
    return item


def whole(phone, kind):
    record = phone.get(f"/api/v1/records/{kind}/{only(phone, kind)['id']}")
    (EcgAnswer if kind == "ecg" else RecordAnswer).model_validate(record, strict=True)
    return record


def outcome(receipt):
    return {name: count for name, count in receipt["counts"].items() if count and name != "received"}


def answer_to(phone, path, **query):
    return phone.client.get(path, query_string=query, headers={"X-API-Key": phone.key})


def test_every_array_of_one_body_is_stored_and_an_unknown_ninth_one_is_kept(phone):
    body = document(
        metric("step_count", "count", *hours("2026-08-07", [1, 2, 3])),
        **one_of_each(),
        workouts=[],
        breathPrints=[{"at": "2026-08-07"}, {"at": "2026-08-08"}],
    )
    receipt = phone.send(body, automation_aggregation="Hours")
    assert outcome(receipt) == {"stored": 9, "quarantined": 2}
    assert {kind: counts["stored"] for kind, counts in receipt["kinds"].items()} == {
        "samples": 3,
        "breathPrints": 0,
        **dict.fromkeys(KINDS, 1),
    }
    assert receipt["kinds"]["breathPrints"]["quarantined"] == 2
    for kind in KINDS:
        assert only(phone, kind)["kind"] == kind
    assert [item["path"] for item in phone.get("/api/v1/quarantine", kind="breathPrints")["items"]] == [
        "data.breathPrints[1]",
        "data.breathPrints[0]",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_told_again_is_unchanged(phone, kind):
    array = {KINDS[kind]: one_of_each()[KINDS[kind]]}
    assert outcome(send(phone, **array)) == {"stored": 1}
    again = send(phone, **array)
    assert (again["status"], outcome(again)) == ("unchanged", {"unchanged": 1})
    assert whole(phone, kind)["revisions"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_told_twice_in_one_body_is_held_once(phone, kind):
    (item,) = one_of_each()[KINDS[kind]]
    assert outcome(send(phone, **{KINDS[kind]: [item, item]})) == {"stored": 1, "unchanged": 1}
    assert len(listed(phone, kind)) == 1


@pytest.mark.parametrize(
    ("kind", "before", "after", "field"),
    [
        ("ecg", an_ecg(), an_ecg(classification="Atrial Fibrillation"), "classification_key"),
        ("state_of_mind", a_mood(), a_mood(valence=-0.5), "valence"),
        ("medications", a_dose(status="Not Interacted"), a_dose(), "status_key"),
        ("symptoms", a_symptom(), a_symptom(severity="Severe"), "severity_key"),
        ("cycle", a_cycle_entry(), a_cycle_entry(value="Heavy"), "value_key"),
        ("heart_notifications", a_real_notification(), a_real_notification(threshold=50), "threshold"),
    ],
)
def test_a_correction_wins_and_the_earlier_version_stays_readable(phone, kind, before, after, field):
    first = send(phone, **{KINDS[kind]: [before]})
    told = only(phone, kind)["content"][field]
    second = send(phone, **{KINDS[kind]: [after]})
    assert outcome(second) == {"revised": 1}
    record = whole(phone, kind)
    assert record["content"][field] != told
    (old,) = record["revisions"]
    assert old["content"][field] == told
    assert (old["upload_id"], old["replaced_by"]) == (first["upload_id"], second["upload_id"])
    assert record["upload_id"] == second["upload_id"]


def test_a_dose_that_is_taken_late_moves_and_stays_one(phone):
    due = "2026-08-07 08:00:00 +0200"
    send(phone, medications=[a_dose(status="Not Interacted", start=due, end=due)])
    send(phone, medications=[a_dose(status="Tomado", start="2026-08-07 11:40:00 +0200")])
    dose = only(phone, "medications")
    assert dose["start"] == "2026-08-07T11:40:00+02:00"
    assert dose["content"]["status_key"] == "taken"


def test_an_ecg_is_shown_with_its_voltages_frequency_and_units(phone):
    send(phone, ecg=[an_ecg(count=15_379, end=None)])
    assert "voltages" not in only(phone, "ecg")
    record = whole(phone, "ecg")
    assert record["voltages"] == [n / 4 for n in range(15_379)]
    assert (record["units"], record["sampling_frequency"], record["at"]) == ("mcV", 512, [])
    assert record["voltage_start"] == record["start"] == "2026-08-07T19:30:00+02:00"
    assert record["end"] is None


def test_uneven_and_missing_voltages_are_shown_as_they_are(phone):
    uneven = an_ecg(count=2)
    uneven["voltageMeasurements"][1] |= {"date": when("2026-08-07 19:30").timestamp() + 1, "voltage": None}
    send(phone, ecg=[uneven])
    record = whole(phone, "ecg")
    assert record["voltages"] == [0, None]
    assert record["at"] == ["2026-08-07T19:30:00+02:00", "2026-08-07T19:30:01+02:00"]
    send(phone, ecg=[an_ecg(when("2026-08-08 07:00"), count=0)])
    newest = phone.get(f"/api/v1/records/ecg/{listed(phone, 'ecg')[0]['id']}")
    assert (newest["voltages"], newest["units"], newest["flags"]) == ([], None, ["no_voltages"])


def test_readings_of_a_notification_are_shown_along_their_times(phone):
    send(phone, heartRateNotifications=[a_real_notification()])
    (track,) = whole(phone, "heart_notifications")["tracks"]
    assert track == {
        "name": "heart_rate",
        "units": {"heart_rate": "count/min"},
        "at": [f"2026-08-07T19:3{n}:00+02:00" for n in range(3)],
        "channels": {"heart_rate": [41, 42, 43]},
    }


def test_records_are_listed_newest_first_within_a_window_and_page_by_page(phone):
    days = [f"2026-08-{day:02} 12:00:00 +0200" for day in range(1, 11)]
    send(phone, symptoms=[a_symptom(start=day, end=day) for day in days])
    starts = [item["start"] for item in listed(phone, "symptoms")]
    assert starts == sorted(starts, reverse=True)
    assert len(starts) == 10
    window = listed(phone, "symptoms", start="2026-08-03", end="2026-08-05")
    assert [item["start"][:10] for item in window] == ["2026-08-05", "2026-08-04", "2026-08-03"]
    exact = listed(phone, "symptoms", start="2026-08-03T10:00:00Z", end="2026-08-05T12:00:00+02:00")
    assert [item["start"][:10] for item in exact] == ["2026-08-04", "2026-08-03"]
    paged, cursor = [], {}
    while True:
        page = phone.get("/api/v1/records/symptoms", limit=3, **cursor)
        paged += [item["start"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert paged == starts


def test_records_of_the_same_moment_are_not_lost_between_pages(phone):
    send(phone, symptoms=[a_symptom(name=f"Odd {n}") for n in range(5)])
    first = phone.get("/api/v1/records/symptoms", limit=2)
    second = phone.get("/api/v1/records/symptoms", limit=3, cursor=first["next"])
    assert {item["label"] for page in (first, second) for item in page["items"]} == {
        f"Odd {n}" for n in range(5)
    }
    assert second["next"] is None


def test_a_time_is_told_with_the_offset_it_was_sent_with(phone):
    send(phone, stateOfMind=[a_mood()], symptoms=[a_symptom(start="2026-08-07 9:30:00 PM -0700", end=None)])
    assert only(phone, "state_of_mind")["start"] == "2026-08-07T19:12:08+00:00"
    symptom = only(phone, "symptoms")
    assert (symptom["start"], symptom["utc_offset"]) == ("2026-08-07T21:30:00-07:00", -25_200)


@pytest.mark.parametrize("kind", ["workouts", "sleep", "other", "nothing", "ECG"])
def test_an_unknown_kind_is_not_found_and_the_known_ones_are_named(phone, kind):
    for path in (f"/api/v1/records/{kind}", f"/api/v1/records/{kind}/1"):
        problem = problem_of(answer_to(phone, path), 404, "not_found")
        assert all(known in problem["detail"] for known in KINDS)


def test_a_record_is_found_under_its_own_kind_alone(phone):
    send(phone, symptoms=[a_symptom()])
    record_id = only(phone, "symptoms")["id"]
    for kind in KINDS:
        answer = answer_to(phone, f"/api/v1/records/{kind}/{record_id}")
        assert answer.status_code == (200 if kind == "symptoms" else 404)
    problem_of(answer_to(phone, "/api/v1/records/symptoms/999999"), 404, "not_found")


def test_another_persons_records_are_not_there(app, services, phone):
    send(phone, **one_of_each())
    ben = a_phone(app, services, "Ben", list(Scope))
    for kind in KINDS:
        assert listed(ben, kind) == []
        problem_of(answer_to(ben, f"/api/v1/records/{kind}/{only(phone, kind)['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    "query", [{"cursor": "W10"}, {"cursor": "MQ"}, {"limit": 0}, {"start": "soon"}, {"sort": "up"}]
)
def test_a_wrong_parameter_is_a_bad_query(phone, query):
    problem_of(answer_to(phone, "/api/v1/records/ecg", **query), 400, "bad_query")


def test_words_of_any_language_and_odd_texts_come_back_as_they_were_sent(phone):
    names = ["Kopfschmerzen", "Dolor de cabeza", "头痛", "👩🏽‍⚕️ " * 30, "x" * 2_000, "a\x00b"]
    send(phone, symptoms=[a_symptom(name=name) for name in names])
    items = {item["content"]["name"]: item["content"].get("name_key") for item in listed(phone, "symptoms")}
    assert items == {
        "Kopfschmerzen": "headache",
        "Dolor de cabeza": "headache",
        "头痛": "headache",
        ("👩🏽‍⚕️ " * 30).strip(): None,
        "x" * 500: None,
        "a�b": None,
    }


def test_all_records_of_the_demo_are_stored_and_none_is_odd(phone):
    until = datetime(2026, 8, 19, 18, tzinfo=BERLIN)
    sent = dict.fromkeys(KINDS, 0)
    for post in posts(until=until, zone=BERLIN):
        arrays = {array: found for array, found in post.body["data"].items() if array in KINDS.values()}
        if not arrays:
            continue
        receipt = phone.send(
            {"data": arrays}, **{name.replace("-", "_"): value for name, value in post.headers.items()}
        )
        assert receipt["errors"] == []
        for kind, counts in receipt["kinds"].items():
            assert counts["stored"] == counts["received"]
            sent[kind] += counts["stored"]
    assert {kind for kind, count in sent.items() if not count} == {"cycle"}
    for kind, count in sent.items():
        found, cursor = [], {}
        while True:
            page = phone.get(f"/api/v1/records/{kind}", limit=500, **cursor)
            found += page["items"]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert len(found) == count
        for record in found:
            assert record["flags"] == []
            keys = {name for name in record["content"] if name.endswith("_key")}
            words = {"name", "severity", "status", "classification", "valence_classification"}
            assert kind == "medications" or {f"{w}_key" for w in words & record["content"].keys()} <= keys
    (notification,) = listed(phone, "heart_notifications")
    assert notification["label"] == "high"
    for ecg in listed(phone, "ecg"):
        shown = phone.get(f"/api/v1/records/ecg/{ecg['id']}")
        assert len(shown["voltages"]) == 30 * shown["sampling_frequency"]
        began = datetime.fromisoformat(shown["voltage_start"]) - datetime.fromisoformat(shown["start"])
        assert abs(began) < timedelta(seconds=1)
