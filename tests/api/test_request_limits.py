from __future__ import annotations

import re

from tests.fixtures.documents import hours, steps
from tests.fixtures.house import a_phone, settings_of
from tests.fixtures.problems import problem_of

BODY = steps(*hours("2026-08-07", [1]))
MIB = 1024 * 1024


def limits(answer):
    return {
        policy: (int(remaining), int(reset))
        for policy, remaining, reset in re.findall(r'"([\w-]+)";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    }


@settings_of(limit_requests_per_hour=3)
def test_too_many_requests_are_told_to_wait(phone):
    left = []
    for _ in range(3):
        answer = phone.post(BODY)
        assert answer.status_code == 200
        assert '"requests";q=3;w=3600' in answer.headers["RateLimit-Policy"]
        left.append(limits(answer)["requests"][0])
    assert left == [2, 1, 0]
    answer = phone.post(BODY)
    problem_of(answer, 429, "rate_limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 7_200
    assert limits(answer)["requests"][0] == 0


@settings_of(limit_requests_per_hour=2)
def test_the_limit_of_one_key_is_not_anothers(phone, app, services):
    other = a_phone(app, services, "Anna", ["ingest"])
    for _ in range(2):
        phone.post(BODY)
    problem_of(phone.post(BODY), 429)
    assert other.post(BODY).status_code == 200


@settings_of(limit_upload_mb_per_hour=1)
def test_too_many_bytes_are_told_to_wait(phone, ask):
    big = b'{"data":{}}'.ljust(700 * 1024)
    assert phone.post(big).status_code == 200
    answer = phone.post(big)
    problem_of(answer, 429, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 0
    assert ask("SELECT count(*) FROM upload") == [(1,)]
    assert phone.post(BODY).status_code == 200


@settings_of(limit_upload_mb_per_hour=1)
def test_an_upload_that_no_hour_has_room_for_is_told_what_to_change(phone, ask):
    problem = problem_of(phone.post(b'{"data":{}}'.ljust(MIB + 1)), 413, "upload_too_large")
    assert "Batch Requests" in problem["detail"]
    assert "limit_upload_mb_per_hour" in problem["detail"]
    assert ask("SELECT count(*) FROM upload") == [(0,)]
    assert phone.post(BODY).status_code == 200


def test_reads_spend_requests_and_no_bytes(phone):
    answer = phone.client.get("/api/v1/uploads", headers={"X-API-Key": phone.key})
    assert limits(answer).keys() == {"requests"}


@settings_of(limit_failed_attempts=4)
def test_guessing_keys_is_stopped_for_the_address(phone, app):
    for _ in range(4):
        problem_of(phone.post(BODY, X_API_Key="hb_guess"), 401)
    answer = phone.post(BODY, X_API_Key="hb_guess")
    problem_of(answer, 429, "rate_limited")
    assert 0 < int(answer.headers["Retry-After"]) <= 600
    elsewhere = app.test_client().post(
        "/api/v1/ingest",
        json=BODY,
        headers={"X-API-Key": phone.key},
        environ_overrides={"REMOTE_ADDR": "192.0.2.9"},
    )
    assert elsewhere.status_code == 200
