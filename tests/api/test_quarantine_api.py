"""What was set aside is visible: how much of what, why, and the very thing that was sent."""

from __future__ import annotations

import gzip
import json

import pytest

from appliance.api.quarantine import QuarantineAnswer, QuarantinedAnswer
from appliance.domain.key import Scope
from appliance.services import quarantine
from tests.fixtures.documents import document, metric, point
from tests.fixtures.house import a_phone
from tests.fixtures.problems import problem_of
from tests.fixtures.records import a_mood, a_symptom


def listed(phone, **query):
    answer = phone.get("/api/v1/quarantine", **query)
    for item in answer["items"]:
        QuarantinedAnswer.model_validate_json(json.dumps(item), strict=True)
    QuarantineAnswer.model_validate_json(json.dumps(answer))
    return answer


def items(phone, **query):
    return listed(phone, **query)["items"]


def answer_to(phone, path, **query):
    return phone.client.get(path, query_string=query, headers={"X-API-Key": phone.key})


BODY = document(
    metric("height", "cm", point("2026-08-07 10:00", 180)),
    metric(
        "step_count", "count", point("2026-08-07 10:00", 1), point("2026-08-07 11:00", "many"), {"qty": 5}
    ),
    metric("step_count", "furlong", point("2026-08-07 10:00", 1)),
    stateOfMind=[a_mood(valence=7)],
    breathPrints=[{"a": 1}, {"a": 2}],
)


def test_an_empty_quarantine_is_an_empty_list(phone):
    assert listed(phone) == {"items": [], "summary": None, "next": None}
    assert listed(phone, summary="true") == {"items": [], "summary": [], "next": None}


def test_every_item_is_shown_with_its_reason_and_as_it_was_sent(phone, clock):
    upload_id = phone.send(BODY)["upload_id"]
    told = {item["path"]: item for item in items(phone)}
    assert {path: (item["kind"], item["name"], item["reason"]) for path, item in told.items()} == {
        "data.metrics[1].data[1]": ("samples", "step_count", "not_a_number"),
        "data.metrics[1].data[2]": ("samples", "step_count", "bad_timestamp"),
        "data.metrics[2].data[0]": ("samples", "step_count", "unknown_unit"),
        "data.stateOfMind[0]": ("state_of_mind", "state_of_mind", "implausible_value"),
        "data.breathPrints[0]": ("breathPrints", "breathPrints", "not_read_yet"),
        "data.breathPrints[1]": ("breathPrints", "breathPrints", "not_read_yet"),
    }
    assert told["data.metrics[1].data[2]"]["item"] == {"qty": 5}
    assert told["data.stateOfMind[0]"]["item"] == a_mood(valence=7)
    for item in told.values():
        assert item["detail"].endswith(".")
        assert (item["upload_id"], item["last_upload_id"], item["shown"]) == (upload_id, upload_id, "whole")
        assert item["first_seen"] == item["last_seen"] == clock.now().isoformat()
        assert phone.get(f"/api/v1/quarantine/{item['id']}") == item


def test_a_summary_counts_by_kind_and_reason(phone):
    phone.send(BODY)
    summary = listed(phone, summary="true")["summary"]
    assert [(group["kind"], group["reason"], group["count"]) for group in summary] == [
        ("breathPrints", "not_read_yet", 2),
        ("samples", "bad_timestamp", 1),
        ("samples", "not_a_number", 1),
        ("samples", "unknown_unit", 1),
        ("state_of_mind", "implausible_value", 1),
    ]
    chosen = listed(phone, summary="true", kind="samples", reason="unknown_unit")["summary"]
    assert [group["count"] for group in chosen] == [1]


def test_items_are_chosen_by_kind_and_reason(phone):
    phone.send(BODY)
    assert len(items(phone, kind="samples")) == 3
    assert len(items(phone, reason="not_read_yet")) == 2
    assert len(items(phone, kind="samples", reason="bad_timestamp")) == 1
    assert items(phone, kind="samples", reason="not_read_yet") == items(phone, kind="nothing") == []


def test_items_come_page_by_page_those_kept_last_first(phone):
    phone.send({"data": {"breathPrints": [{"n": n} for n in range(7)]}})
    found, cursor = [], {}
    while True:
        page = listed(phone, limit=3, **cursor)
        found += [item["item"]["n"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == [6, 5, 4, 3, 2, 1, 0]


def test_an_item_sent_again_is_one_item_seen_twice(phone, clock):
    body = {"data": {"symptoms": [a_symptom(name=None)]}}
    first = phone.send(body)["upload_id"]
    clock.advance(hours=3)
    last = phone.send({"data": {"symptoms": [a_symptom(), a_symptom(name=None)]}})["upload_id"]
    (item,) = items(phone)
    assert (item["upload_id"], item["last_upload_id"], item["path"]) == (first, last, "data.symptoms[0]")
    assert item["item"] == a_symptom(name=None)
    assert item["first_seen"] < item["last_seen"] == clock.now().isoformat()


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(json.dumps({"data": {"breathPrints": {"only": 1}}}).encode()),
        json.dumps({"symptoms": {"only": 1}}).encode(),
        b'{"data": {"odd.name[0]\\u0000\\ud800": {"only": 1}}}',
    ],
    ids=["gzip", "no data object", "odd name"],
)
def test_an_item_is_found_again_in_any_body(phone, body):
    headers = {"Content_Encoding": "gzip"} if body[:1] == b"\x1f" else {}
    phone.send(body, **headers)
    (item,) = items(phone)
    assert (item["shown"], item["item"]) == ("whole", {"only": 1})


def test_an_item_that_cannot_be_json_is_shown_all_the_same(phone):
    phone.send(b'{"data": {"breathPrints": [{"n": 1e999, "t": "a\\u0000b"}]}}')
    assert items(phone)[0]["item"] == {"n": "inf", "t": "a�b"}


def test_a_long_item_is_cut(phone):
    phone.send({"data": {"breathPrints": [{"n": "x" * 30_000}]}})
    (item,) = items(phone)
    assert item["shown"] == "cut"
    assert len(item["item"]) == 20_000
    assert item["item"].startswith('{"n": "xxx')


def test_an_item_whose_body_is_no_longer_kept_is_listed_without_it(phone, ask):
    phone.send({"data": {"breathPrints": [1]}})
    ask("UPDATE upload SET body = NULL")
    (item,) = items(phone)
    assert (item["shown"], item["item"], item["kind"]) == ("gone", None, "breathPrints")


def test_a_list_opens_few_large_bodies_and_the_item_alone_opens_its_own(phone, monkeypatch):
    monkeypatch.setattr(quarantine, "BYTES_OPENED", 1_500)
    for n in range(3):
        phone.send({"data": {"breathPrints": [{"n": n, "x": "x" * 1_000}]}})
    found = items(phone)
    assert [item["shown"] for item in found] == ["whole", "not_opened", "not_opened"]
    alone = phone.get(f"/api/v1/quarantine/{found[2]['id']}")
    assert (alone["shown"], alone["item"]["n"]) == ("whole", 0)


@pytest.mark.parametrize(
    "query", [{"reason": "because"}, {"limit": 500}, {"cursor": "W10"}, {"kind": "x" * 81}, {"what": 1}]
)
def test_a_wrong_parameter_is_a_bad_query(phone, query):
    problem_of(answer_to(phone, "/api/v1/quarantine", **query), 400, "bad_query")


def test_another_persons_quarantine_is_not_there(app, services, phone):
    phone.send(BODY)
    ben = a_phone(app, services, "Ben", list(Scope))
    assert items(ben) == listed(ben, summary="true")["summary"] == []
    for item in items(phone):
        problem_of(answer_to(ben, f"/api/v1/quarantine/{item['id']}"), 404, "not_found")
    problem_of(answer_to(phone, "/api/v1/quarantine/999999"), 404, "not_found")
