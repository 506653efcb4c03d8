from __future__ import annotations

import gzip
import json

from appliance.domain.key import Scope
from tests.fixtures.documents import document, hours, metric, point, steps
from tests.fixtures.house import a_phone, settings_of
from tests.fixtures.problems import problem_of

BODY = steps(*hours("2026-08-07", [10, 20, 30], first=8))
NOTHING = {"received": 0, "stored": 0, "revised": 0, "unchanged": 0, "superseded": 0, "quarantined": 0}


def body_back(phone, upload_id):
    answer = phone.client.get(f"/api/v1/uploads/{upload_id}/body", headers={"X-API-Key": phone.key})
    assert answer.status_code == 200
    return answer


def newest(phone):
    return phone.get("/api/v1/uploads", limit=1)["items"][0]


def test_a_good_upload_is_processed(phone):
    receipt = phone.send(BODY)
    assert (receipt["status"], receipt["counts"]) == ("processed", NOTHING | {"received": 3, "stored": 3})
    assert receipt["kinds"] == {"samples": receipt["counts"]}


def test_a_repeated_upload_is_unchanged(phone):
    phone.send(BODY)
    receipt = phone.send(BODY)
    assert (receipt["status"], receipt["counts"]) == ("unchanged", NOTHING | {"received": 3, "unchanged": 3})


def test_an_empty_upload_is_taken(phone):
    for body in (
        {"data": {}},
        {"data": {"metrics": []}},
        {"data": {"metrics": None, "workouts": []}},
        document(metric("step_count", "count")),
    ):
        receipt = phone.send(body)
        assert (receipt["status"], receipt["counts"], receipt["errors"]) == ("processed", NOTHING, [])


def test_some_bad_items_are_told_and_the_rest_is_stored(phone):
    bad = [
        {"date": "2026-02-30 10:00:00 +0200", "qty": 1},
        point("2026-08-07 12:00", "many"),
        point("2026-08-07 13:00", -5),
        point("2026-08-07 14:00"),
        "not even an object",
    ]
    receipt = phone.send(steps(point("2026-08-07 10:00", 7), *bad))
    assert receipt["counts"] == NOTHING | {"received": 6, "stored": 1, "quarantined": 5}
    assert [(error["path"], error["reason"]) for error in receipt["errors"]] == [
        ("data.metrics[0].data[1]", "bad_timestamp"),
        ("data.metrics[0].data[2]", "not_a_number"),
        ("data.metrics[0].data[3]", "implausible_value"),
        ("data.metrics[0].data[4]", "missing_value"),
        ("data.metrics[0].data[5]", "wrong_shape"),
    ]
    assert phone.days("step_count") == {"2026-08-07": 7}


def test_the_first_fifty_errors_are_told_and_all_are_counted(phone):
    receipt = phone.send(steps(*({"date": f"never {n}", "qty": n} for n in range(60))))
    assert (len(receipt["errors"]), receipt["counts"]["quarantined"]) == (50, 60)


def test_an_unknown_metric_and_an_unknown_array_are_kept_and_visible(phone, ask):
    body = document(
        metric("aura_brightness", "lm", point("2026-08-07 10:00", 3)), auras=[{"hue": 1}, {"hue": 2}]
    )
    receipt = phone.send(body)
    assert receipt["kinds"]["samples"]["stored"] == 1
    assert receipt["kinds"]["auras"] == NOTHING | {"received": 2, "quarantined": 2}
    assert [metric["key"] for metric in phone.get("/api/v1/metrics")["items"]] == ["aura_brightness"]
    assert ask("SELECT name, path FROM quarantine ORDER BY path") == [
        ("auras", "data.auras[0]"),
        ("auras", "data.auras[1]"),
    ]


NO_DOCUMENTS = [
    b"",
    b"   ",
    b"{",
    b"steps: 5",
    b"\xff\xfe\x00 not text",
    b"[1, 2]",
    b'"text"',
    b"null",
    b"{}",
    b'{"data": []}',
    b'{"items": {"metrics": []}}',
    b"[" * 100_000,
    b'{"data": ' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}",
    b"\x1f\x8b cut off",
]


def test_what_is_no_document_is_refused_and_its_bytes_are_kept(phone):
    for content in NO_DOCUMENTS:
        problem = problem_of(phone.post(content), 400, "malformed_upload")
        told = newest(phone)
        assert (told["status"], told["failure"], told["counts"]) == ("refused", problem["detail"], NOTHING)
        assert (told["request_id"], told["size_bytes"]) == (problem["request_id"], len(content))
        assert body_back(phone, told["upload_id"]).data == content


STRANGE = [
    '{"data":{"metrics":[{"name":"step_count","units":"count","data":[{"date":"2026-08-07 10:00:00 +0200","qty":QTY}]}]}}'.replace(
        "QTY", qty
    )
    for qty in (
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "9" * 400,
        "1" + "0" * 4_000,
        "true",
        "null",
        "[]",
        "{}",
        '"\\ud800"',
    )
]


def test_a_strange_number_costs_one_item_and_nothing_else(phone):
    for text in STRANGE:
        receipt = phone.send(text.encode())
        assert receipt["counts"] == NOTHING | {"received": 1, "quarantined": 1}, text


def test_texts_that_cannot_be_stored_as_sent_are_no_trouble(phone):
    body = document(
        metric(
            "a\0ura",
            "l\0m",
            point("2026-08-07 10:00", 3, source="Wa\0tch", note="\0", **{"\0": {"\0": ["\0"]}}),
        ),
        **{"au\0ras": [{"\0": "\0"}]},
    )
    receipt = phone.send(body)
    assert receipt["counts"] == NOTHING | {"received": 2, "stored": 1, "quarantined": 1}
    lone = b'{"data":{"metrics":[{"name":"x\\ud800","units":"\\udfff","data":[{"date":"2026-08-07 10:00:00 +0200","qty":1,"\\ud800":"\\ud800"}]}]}}'
    assert phone.send(lone)["counts"]["stored"] == 1


def test_another_content_type_is_refused(phone, ask):
    for content_type in [
        "text/html",
        "image/png; q=1",
        "application/xml",
        "application/jsonp",
    ]:
        problem = problem_of(phone.post(BODY, Content_Type=content_type), 415, "unsupported_format")
        assert content_type.split(";", 1)[0] in problem["detail"]
    assert ask("SELECT count(*) FROM upload") == [(0,)]


def test_every_spelling_of_json_is_taken(phone):
    for content_type in ["application/json", "APPLICATION/JSON; charset=utf-8", "application/hae+json", ""]:
        assert phone.post(BODY, Content_Type=content_type).status_code == 200, content_type


def test_another_content_encoding_is_refused(phone):
    problem_of(phone.post(BODY, Content_Encoding="br"), 415, "unsupported_format")


@settings_of(max_upload_mb=1)
def test_a_body_above_the_limit_is_refused_by_its_size(phone, ask):
    problem = problem_of(phone.post(b" " * (1024 * 1024 + 1)), 413, "upload_too_large")
    assert "1 MB" in problem["detail"]
    assert "Batch Requests" in problem["detail"]
    assert ask("SELECT count(*) FROM upload") == [(0,)]
    assert phone.post(json.dumps(BODY).encode().ljust(1024 * 1024)).status_code == 200


@settings_of(max_upload_mb=1)
def test_a_gzip_bomb_is_refused_by_what_it_unpacks_to(phone):
    bomb = gzip.compress(b" " * (50 * 1024 * 1024))
    assert len(bomb) < 100_000
    problem_of(phone.post(bomb, Content_Encoding="gzip"), 413, "upload_too_large")
    assert newest(phone)["status"] == "refused"


def test_gzip_is_unpacked_and_its_packed_bytes_are_what_is_kept(phone):
    packed = gzip.compress(json.dumps(BODY).encode())
    for headers in ({"Content_Encoding": "gzip"}, {}):
        receipt = phone.send(packed, **headers)
        assert receipt["counts"]["received"] == 3
        assert newest(phone)["size_bytes"] == len(packed)
        assert body_back(phone, receipt["upload_id"]).data == packed
    assert len(phone.days("step_count")) == 1


def test_the_exact_bytes_come_back_as_a_download(phone):
    content = b'\xef\xbb\xbf {"data" : {"metrics" : [ ] } , "junk":"\xc3\xa9"}  \r\n'
    answer = body_back(phone, phone.send(content)["upload_id"])
    assert answer.data == content
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_every_address_of_the_upload_takes_it(phone):
    for path in ("/api/v1/ingest", "/v1/ingest", "/api/data"):
        assert phone.post(BODY, path).get_json()["counts"]["received"] == 3, path


def test_the_key_may_come_in_any_of_its_headers(phone):
    for headers in (
        {"Authorization": f"Bearer {phone.key}"},
        {"Authorization": f"bearer  {phone.key} "},
        {"Authorization": phone.key},
        {"X-API-Key": phone.key},
        {"api-key": phone.key},
        {"X-API-Key": f" {phone.key} "},
    ):
        assert phone.client.post("/api/v1/ingest", json=BODY, headers=headers).status_code == 200, list(
            headers
        )


def test_a_request_without_a_key_is_told_where_to_put_it(phone, ask):
    answer = phone.client.post("/api/v1/ingest", json=BODY)
    problem = problem_of(answer, 401, "key_missing")
    assert "Authorization" in problem["detail"]
    assert "X-API-Key" in problem["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert ask("SELECT count(*) FROM upload") == [(0,)]


def test_a_key_that_opens_nothing_is_told_why(phone, services, clock):
    short = services.keys.create("Short", [Scope.INGEST], expires_days=1)
    closed = services.keys.create("Closed", [Scope.INGEST])
    services.keys.revoke(closed.key.key_id)
    clock.advance(days=1)
    for key, word in (
        ("hb_nonsense", "cut short"),
        (phone.key[:-1] + ("A" if phone.key[-1] != "A" else "B"), "not known"),
        (short.secret_text, "expired"),
        (closed.secret_text, "revoked"),
    ):
        answer = phone.post(BODY, X_API_Key=key)
        problem = problem_of(answer, 401, "key_invalid")
        assert word in problem["detail"]
        assert key not in answer.text
        assert "WWW-Authenticate" in answer.headers


def test_a_key_without_the_scope_is_told_which_one_is_missing(app, services):
    reader = a_phone(app, services, "Anna", [Scope.READ])
    assert "ingest" in problem_of(reader.post(BODY), 403, "scope_denied")["detail"]


def test_the_phones_own_headers_are_kept_with_the_upload(phone):
    sent = {
        "automation_name": "Täglich ❤",
        "automation_id": "A1",
        "automation_aggregation": "Hours",
        "automation_period": "Today",
        "session_id": "S1",
    }
    phone.send(BODY, **sent | {"automation_name": "Täglich ❤".encode().decode("latin-1")})
    assert newest(phone)["automation"] == {
        "name": "Täglich ❤",
        "id": "A1",
        "aggregation": "Hours",
        "period": "Today",
        "session_id": "S1",
    }


def test_headers_of_any_length_and_bytes_are_no_trouble(phone):
    phone.send(BODY, automation_name="x" * 5_000, session_id="\xff\xfe")
    assert len(newest(phone)["automation"]["name"]) == 200


def test_an_upload_looked_up_later_says_what_its_receipt_said(phone):
    receipt = phone.send(steps(point("2026-08-07 10:00", 7), point("2026-08-07 11:00", "x")))
    told = phone.get(f"/api/v1/uploads/{receipt['upload_id']}")
    assert {name: told[name] for name in receipt} == receipt
