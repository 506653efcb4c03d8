from __future__ import annotations

import re

import pytest

from appliance.api.times import write_cursor
from appliance.foundation.errors import DatabaseUnavailable, StorageFull
from tests.fixtures.documents import hours, steps
from tests.fixtures.problems import problem_of

BODY = steps(*hours("2026-08-07", [1, 2, 3]))
SAMPLES, SERIES = "/api/v1/metrics/step_count/samples", "/api/v1/metrics/step_count/series"
HUGE = 10**30


@pytest.fixture
def get(phone):
    phone.send(BODY)
    return lambda path, **query: phone.client.get(path, query_string=query, headers={"X-API-Key": phone.key})


def test_an_address_that_is_none(app):
    client = app.test_client()
    for path in ("/nothing", "/api/v1/", "/api/v1/uploads/x", "/static/none"):
        problem_of(client.get(path), 404, "not_found")
    for path in ("/api/v1/ingest/", "/api//v1/ingest"):
        problem_of(client.post(path), 404, "not_found")


def test_a_method_that_an_address_does_not_take(app):
    answer = app.test_client().delete("/api/v1/ingest")
    problem_of(answer, 405, "method_not_allowed")
    assert set(re.split(r",\s*", answer.headers["Allow"])) == {"POST", "OPTIONS"}


def test_a_mistake_of_ours_tells_nothing_of_it(phone, services, monkeypatch):
    def stumble(*_args, **_values):
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr(type(services.lookup), "metrics", stumble)
    answer = phone.client.get("/api/v1/metrics", headers={"X-API-Key": phone.key})
    problem_of(answer, 500, "internal_error")
    assert "secret" not in answer.text


def test_a_part_that_is_away_is_told_with_when_to_come_back(phone, services, monkeypatch):
    for error, status in ((DatabaseUnavailable(), 503), (StorageFull(), 507)):

        def away(*_args, error=error, **_values):
            raise error

        monkeypatch.setattr(services.uploads, "_receive", away)
        answer = phone.post(BODY)
        problem_of(answer, status, error.code)
        assert int(answer.headers["Retry-After"]) == error.retry_after_s


def test_a_number_that_is_not_there(get, phone):
    for number in (0, 999, 2**31, 2**63 - 1, 2**63, HUGE):
        for path in (f"/api/v1/uploads/{number}", f"/api/v1/uploads/{number}/body"):
            problem_of(get(path), 404, "not_found")
        problem_of(
            phone.client.delete(f"/api/v1/keys/{number}", headers={"X-API-Key": phone.key}), 404, "not_found"
        )


def test_a_metric_that_is_not_held(get):
    for key in ("none", "%00", "step%00count", "%ed%a0%80", "x" * 5_000, "heart_rate", "%F0%9F%AB%80"):
        for path in (f"/api/v1/metrics/{key}/samples", f"/api/v1/metrics/{key}/series"):
            problem_of(get(path), 404, "not_found")


NO_CURSORS = [
    "",
    "%",
    "ü€",
    "!!!!",
    "e30",
    "bnVsbA=bnVsbA",
    "\0",
    "A" * 201,
    *map(
        write_cursor,
        [True, -1, 1.5, "x", {}, [], [[]], HUGE, [1, 2, 3], [True, 1], [HUGE, 1], [1, HUGE], [1, -1]],
    ),
]


def test_a_cursor_that_is_not_ours(get):
    for cursor in NO_CURSORS:
        for path in ("/api/v1/uploads", SAMPLES):
            assert get(path, cursor=cursor).status_code == 400, f"{path} {cursor!r}"
            problem_of(get(path, cursor=cursor), 400, "bad_query")


NO_QUERIES = [
    *(
        (path, {"limit": limit})
        for path in ("/api/v1/uploads", SAMPLES)
        for limit in ("0", "-1", "x", "1e3", HUGE, "")
    ),
    *(
        (path, {name: at})
        for path in (SAMPLES, SERIES)
        for name in ("start", "end")
        for at in (
            "x",
            "10:00",
            "2026-13-01",
            "2026-08-07T10:00:00",
            "2026-08-07T25:00:00+02:00",
            "2026-08-07T10:00:00+99:00",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "\0",
            "1" * 5_000,
        )
    ),
    (SERIES, {"bucket": "minute"}),
    (SERIES, {"bucket": ""}),
    (SERIES, {"start": "2026-08-07", "end": "2026-08-06"}),
    *(
        (path, {"colour": "red"})
        for path in (SERIES, SAMPLES, "/api/v1/uploads", "/api/v1/metrics", "/api/v1/keys")
    ),
]


def test_a_parameter_that_makes_no_sense_is_named(get):
    for path, query in NO_QUERIES:
        answer = get(path, **query)
        assert answer.status_code == 400, f"{path} {query}"
        told = problem_of(answer, 400, "bad_query")["detail"]
        assert any(word in told for word in (next(iter(query)), "end", "by the hour")), told


def test_a_day_of_any_year_is_no_mistake_of_ours(get):
    for day in ("0001-01-01", "1582-10-15", "1900-01-01", "2026-02-28", "9999-12-31"):
        for path in (SAMPLES, SERIES):
            for name in ("start", "end"):
                assert get(path, **{name: day}).status_code in (200, 400), f"{path} {name} {day}"


def test_a_sane_request_id_is_kept(phone):
    for sent in ("phone-1", "A.b_c-9", "x" * 100):
        answer = phone.post(BODY, X_Request_ID=sent)
        assert answer.headers["X-Request-ID"] == answer.get_json()["request_id"] == sent
        assert phone.get("/api/v1/uploads")["items"][0]["request_id"] == sent


def test_any_other_request_id_is_replaced(phone):
    for sent in ("", " ", "a b", "ü", "x" * 101, "a/b", "<script>"):
        answer = phone.post(BODY, X_Request_ID=sent)
        given = answer.headers["X-Request-ID"]
        assert re.fullmatch(r"[0-9a-f]{24}", given), sent
        assert answer.get_json()["request_id"] == given


def test_two_requests_have_two_ids(app):
    client = app.test_client()
    assert client.get("/healthz").headers["X-Request-ID"] != client.get("/healthz").headers["X-Request-ID"]
