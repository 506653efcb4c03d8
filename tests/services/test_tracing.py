from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import structlog
from sqlalchemy import text

import appliance
from appliance.domain.key import Scope
from appliance.foundation import steps
from appliance.foundation.steps import Trace, tracing
from appliance.services import understanding
from appliance.services.tracing import STEPS
from appliance.storage import slow
from appliance.storage.uploads import MOST_ATTEMPTS
from tests.fixtures.documents import hours
from tests.fixtures.documents import steps as walked
from tests.fixtures.house import a_phone, settings_of
from tests.fixtures.problems import problem_of

BODY = walked(*hours("2026-08-07", [8317.25 + n for n in range(24)]))
BEFORE_THE_COMMIT = [
    *("key_known", "limits_spent", "admitted", "body_read", "received"),
    *("opened", "read", "locked", "compared", "rows_written", "samples_stored", "records_stored"),
    *("set_aside", "advised"),
]
WORKED = [name for name in BEFORE_THE_COMMIT if name not in BEFORE_THE_COMMIT[:5]]
KEPT = "SELECT trace FROM upload ORDER BY upload_id"

large_is_small = settings_of(sync_upload_mb=0)


def way_of(phone, place):
    told = phone.get(f"{place}/trace")
    return [(attempt["cause"], [step["name"] for step in attempt["steps"]]) for attempt in told["attempts"]]


def kept_names(ask):
    [(trace,)] = ask(KEPT)
    return [[step[0] for step in trace[name]["steps"]] for name in sorted(trace)]


def test_every_step_has_a_word_for_people():
    named = {
        name
        for path in Path(appliance.__file__).parent.rglob("*.py")
        for name in re.findall(r'\bpassed\("(\w+)"', path.read_text(encoding="utf-8"))
    }
    from_the_socket = {"headers_read", "body_arrived", "handed_over", "answered"}
    assert named | from_the_socket == set(STEPS)


def test_an_upload_can_say_where_its_time_went(phone, ask):
    with phone.post(BODY) as answer:
        upload_id = answer.get_json()["upload_id"]
    told = phone.get(f"/api/v1/uploads/{upload_id}/trace")
    [attempt] = told["attempts"]
    assert (told["upload_id"], told["state"], attempt["cause"]) == (upload_id, "processed", "request")
    assert told["request_id"] == answer.headers["X-Request-ID"]
    assert [step["name"] for step in attempt["steps"]] == [
        *BEFORE_THE_COMMIT,
        "settled",
        "committed",
        "answered",
    ]
    ended = [step["ended_ms"] for step in attempt["steps"]]
    assert ended == sorted(ended)
    assert sum(step["took_ms"] for step in attempt["steps"]) == pytest.approx(ended[-1], abs=0.2)
    counts = {step["name"]: step["counts"] for step in attempt["steps"]}
    assert counts["read"] == {"items": 24}
    assert "8317" not in json.dumps(ask(KEPT)[0][0])


def test_what_is_known_before_the_commit_is_committed_with_it_and_the_rest_follows(phone, services, ask):
    phone.post(BODY).close()
    assert kept_names(ask) == [BEFORE_THE_COMMIT]
    services.tracing.write()
    assert kept_names(ask) == [[*BEFORE_THE_COMMIT, "settled", "committed", "answered"]]
    services.tracing.write()
    assert len(kept_names(ask)) == 1


@large_is_small
def test_a_large_upload_has_the_phones_part_and_the_workers(phone, services, ask):
    with phone.post(BODY) as answer:
        place = answer.headers["Location"]
    assert services.uploads.work_on_due() is True
    both = [
        ("request", [*BEFORE_THE_COMMIT[:5], "answered"]),
        ("worker", ["claimed", *WORKED, "settled", "committed"]),
    ]
    assert way_of(phone, place) == both
    services.tracing.write()
    assert kept_names(ask) == [names for _, names in both]


def test_every_attempt_that_failed_is_told(phone, services, clock, monkeypatch, ask):
    def stumble(*_args):
        raise ZeroDivisionError

    monkeypatch.setattr(understanding, "read_document", stumble)
    place = phone.post(BODY).headers["Location"]
    monkeypatch.undo()
    clock.advance(hours=1)
    assert services.uploads.work_on_due() is True
    assert [(cause, names[-1]) for cause, names in way_of(phone, place)] == [
        ("request", "opened"),
        ("worker", "committed"),
    ]


def test_a_body_that_cannot_be_read_has_a_way_too(phone):
    refused = phone.post(b"{ no json")
    problem_of(refused, 400, "malformed_upload")
    newest = phone.get("/api/v1/uploads")["items"][0]
    [(_, names)] = way_of(phone, f"/api/v1/uploads/{newest['upload_id']}")
    assert names == BEFORE_THE_COMMIT[:5]


def test_a_replay_is_another_attempt_and_very_many_push_the_oldest_out(phone, services, ask):
    upload_id = phone.send(BODY)["upload_id"]
    [(person_id,)] = ask("SELECT person_id FROM upload")
    services.tracing.write()
    for _ in range(MOST_ATTEMPTS - 1):
        services.replaying.one(person_id, upload_id)
    causes = [cause for cause, _ in way_of(phone, f"/api/v1/uploads/{upload_id}")]
    assert causes == ["request"] + ["replay"] * (MOST_ATTEMPTS - 1)
    services.replaying.one(person_id, upload_id)
    services.replaying.one(person_id, upload_id, dry_run=True)
    causes = [cause for cause, _ in way_of(phone, f"/api/v1/uploads/{upload_id}")]
    assert causes == ["replay"] * MOST_ATTEMPTS


def test_the_trace_of_an_upload_somebody_works_on_waits_and_can_be_read(phone, services, database, ask):
    phone.post(BODY).close()
    with database.transaction() as connection:
        connection.execute(text("SELECT * FROM upload FOR UPDATE"))
        services.tracing.write()
        assert kept_names(ask) == [BEFORE_THE_COMMIT]
        assert way_of(phone, "/api/v1/uploads/1")[0][1][-1] == "answered"
    services.tracing.write()
    assert kept_names(ask)[0][-1] == "answered"


def test_another_persons_way_is_not_there(phone, app, services):
    upload_id = phone.send(BODY)["upload_id"]
    ben = a_phone(app, services, "Ben", list(Scope))
    answer = ben.client.get(f"/api/v1/uploads/{upload_id}/trace", headers={"X-API-Key": ben.key})
    problem_of(answer, 404, "not_found")


def lines_of(logged):
    return [json.loads(line) for line in logged().splitlines()]


def test_every_line_from_gate_to_database_carries_the_request_id(phone, monkeypatch, logged):
    monkeypatch.setattr(slow, "SLOW_S", 0.0)
    phone.send(BODY, X_Request_ID="the-one")
    lines = lines_of(logged)
    assert {line.get("request_id") for line in lines} == {"the-one"}
    events = {line["event"] for line in lines}
    assert {"upload_received", "slow_statement", "upload_processed", "request"} <= events
    after_it_is_kept = lines[[line["event"] for line in lines].index("upload_received") :]
    assert {line.get("upload_id") for line in after_it_is_kept} == {1}
    # The rows are written by another thread.
    assert any("COPY sample" in line.get("statement", "") for line in lines)
    assert "8317" not in logged()


@large_is_small
def test_every_line_of_the_worker_carries_the_ids_of_the_upload(phone, services, monkeypatch, logged):
    phone.post(BODY, X_Request_ID="the-one")
    before = len(lines_of(logged))
    monkeypatch.setattr(slow, "SLOW_S", 0.0)
    services.uploads.work_on_due()
    lines = lines_of(logged)[before:]
    first = next(n for n, line in enumerate(lines) if "SELECT upload." in line.get("statement", ""))
    assert {(line.get("request_id"), line.get("upload_id")) for line in lines[first + 1 :]} == {
        ("the-one", 1)
    }
    assert lines[-1]["event"] == "attempt_ended"
    assert "request_id" not in structlog.contextvars.get_contextvars()


def test_every_line_of_a_refused_request_carries_its_id_and_its_steps(phone, logged):
    stranger = "hb_" + "0" * 16 + "_" + "x" * 43
    assert phone.post(BODY, X_Request_ID="the-one", X_API_Key=stranger).status_code == 401
    lines = lines_of(logged)
    assert {line["request_id"] for line in lines} == {"the-one"}
    assert [line["event"] for line in lines][-1] == "request"
    assert lines[-1]["steps"] == {}


def test_a_slow_statement_is_told_without_its_values(database, logged, monkeypatch):
    monkeypatch.setattr(slow, "SLOW_S", 0.0)
    with database.transaction() as connection:
        connection.execute(text("SELECT :secret"), {"secret": "a value"})
    [line] = [line for line in lines_of(logged) if "SELECT %(secret)s" in line.get("statement", "")]
    assert (line["event"], "a value" in logged()) == ("slow_statement", False)


def test_postgres_knows_which_request_it_works_for(database):
    named = text("SELECT current_setting('application_name')")
    with structlog.contextvars.bound_contextvars(request_id="the-one"), database.transaction() as connection:
        assert connection.execute(named).scalar_one() == "hearthbeat the-one"
    for strange in ("'; DROP TABLE upload; --", 7, ""):
        with (
            structlog.contextvars.bound_contextvars(request_id=strange),
            database.transaction() as connection,
        ):
            assert connection.execute(named).scalar_one() == ""


def test_outside_a_trace_a_step_is_nothing_and_inside_it_is_timed(monkeypatch):
    steps.passed("read")
    readings = iter([10.0, 10.5, 10.75])
    monkeypatch.setattr(steps.time, "perf_counter", lambda: next(readings))
    with tracing(Trace("request", 9.5)) as trace:
        steps.passed("opened")
        steps.passed("read", items=3)
    assert [(step.name, step.ended_ms, step.took_ms, step.counts) for step in trace.steps] == [
        ("opened", 1000.0, 1000.0, {}),
        ("read", 1250.0, 250.0, {"items": 3}),
    ]


def test_the_trace_of_an_upload_that_is_gone_does_not_wait_for_ever(app, phone, services):
    ben = a_phone(app, services, "Ben", list(Scope))
    with ben.post(BODY):
        pass
    assert services.tracing._waiting
    services.people.remove(services.people.named("Ben").person_id, None)
    services.tracing.write()
    assert not services.tracing._waiting
