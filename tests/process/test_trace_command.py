from __future__ import annotations

import json

import pytest

from appliance.domain.key import Scope
from tests.fixtures.documents import hours, steps
from tests.fixtures.http import RealPhone
from tests.fixtures.program import Starter, hearthbeat, new_key
from tests.fixtures.waiting import wait_until

BODY = steps(*hours("2026-08-07", range(1, 25)))
NOBODY = ("--database-url", "postgresql://127.0.0.1:1/hearthbeat")
FROM_SOCKET = ["headers_read", "body_arrived", "handed_over"]


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """A program that has taken one upload, refused one and worked on one later; all three with ids of their own."""
    starter = Starter()
    program = starter(tmp_path_factory.mktemp("traced") / "data", "--sync-upload-mb", "1")
    data_dir = program.data_dir
    key = new_key(data_dir, (Scope.INGEST, Scope.READ))
    phone = RealPhone(program.url, key)
    assert phone.post(BODY, **{"X-Request-ID": "taken"})[0] == 200
    assert RealPhone(program.url, "hb_wrong").post(BODY, **{"X-Request-ID": "refused"})[0] == 401
    large = json.dumps(BODY).encode() + b" " * (1 << 20)
    assert phone.post(large, **{"X-Request-ID": "large"})[0] == 202
    wait_until(lambda: phone.get("/api/v1/uploads/2")["status"] == "unchanged", within_s=20)
    yield program, phone
    starter.end_all()


def asked(program, *words, **options):
    return hearthbeat("trace", *words, data_dir=program.data_dir, **options)


def told(program, *words):
    return json.loads(asked(program, *words, "--json").stdout)


def names_of(attempt):
    return [step["name"] for step in attempt["steps"]]


def test_an_upload_is_told_from_the_first_byte_to_the_answer(traced):
    program, phone = traced

    def last_steps_are_there():
        way = phone.get("/api/v1/uploads/1/trace")
        return names_of(way["attempts"][0])[-2:] == ["committed", "answered"]

    wait_until(last_steps_are_there, within_s=15)
    way = told(program, "taken")
    [attempt] = way["attempts"]
    names = names_of(attempt)
    assert (names[:3], way["uploads"], way["database"]) == (FROM_SOCKET, {"1": "processed"}, "ok")
    assert {"key_known", "limits_spent", "received", "read", "locked", "rows_written", "advised"} <= set(
        names
    )
    assert attempt["steps"][0]["ended_ms"] >= 0
    assert [line["event"] for line in way["log"]] == ["upload_received", "upload_processed", "request"]


def test_a_refused_request_is_told_from_the_log_alone(traced):
    program, _ = traced
    way = told(program, "refused")
    assert way["uploads"] == {}
    assert [names_of(attempt) for attempt in way["attempts"]] == [FROM_SOCKET]
    assert [line["event"] for line in way["log"]] == ["key_refused", "request"]


def test_a_large_upload_shows_the_workers_part_too(traced):
    program, _ = traced
    readable = asked(program, "#2").stdout
    assert [word for word in ("request began", "worker began", "replay began") if word in readable] == [
        "request began",
        "worker began",
    ]
    assert "received: its bytes were durable" in readable


def test_while_the_database_is_away_the_log_tells_what_it_knows(traced):
    program, _ = traced
    way = told(program, "--upload", "1", *NOBODY)
    assert "does not answer" in way["database"]
    assert way["request_ids"] == ["taken"]
    assert names_of(way["attempts"][0])[-1] == "committed"
    assert [line["event"] for line in way["log"]] == ["upload_received", "upload_processed", "request"]


def test_what_nobody_knows_is_said_in_a_sentence(traced):
    program, _ = traced
    unknown = asked(program, "nothing-of-the-kind", check=False)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "nothing-of-the-kind" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_a_folder_that_is_not_there_is_not_made_for_looking(tmp_path):
    looked = hearthbeat("trace", "taken", data_dir=tmp_path / "none", check=False)
    assert (looked.returncode, (tmp_path / "none").exists()) == (1, False)
