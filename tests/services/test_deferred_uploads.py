from __future__ import annotations

import pytest

from appliance.jobs.worker import UploadWorker
from appliance.services import understanding
from appliance.services.uploads import ATTEMPTS, LEASE, RETRY_AFTER
from appliance.storage import uploads
from tests.fixtures.documents import hours, steps
from tests.fixtures.house import settings_of

BODY = steps(*hours("2026-08-07", range(1, 25)))
STATES = "SELECT state, attempts, due_at IS NOT NULL AS due, failure FROM upload ORDER BY upload_id"


large_is_small = settings_of(sync_upload_mb=0)


@pytest.fixture
def broken_reader(monkeypatch):
    """A reader that stumbles over everything until it is mended."""

    def stumble(*_args):
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(understanding, "read_document", stumble)
    return monkeypatch


@large_is_small
def test_a_large_body_is_accepted_worked_on_and_then_told(phone, services):
    answer = phone.post(BODY)
    receipt = answer.get_json()
    place = answer.headers["Location"]
    assert (answer.status_code, receipt["status"]) == (202, "accepted")
    assert place == f"/api/v1/uploads/{receipt['upload_id']}"
    assert phone.get(place)["status"] == "accepted"
    assert (
        phone.client.get("/api/v1/metrics/step_count/series", headers={"X-API-Key": phone.key}).status_code
        == 404
    )

    assert services.uploads.work_on_due() is True
    told = phone.get(place)
    assert (told["status"], told["counts"]["stored"], told["request_id"]) == (
        "processed",
        24,
        receipt["request_id"],
    )
    assert phone.days("step_count") == {"2026-08-07": sum(range(1, 25))}
    assert services.uploads.work_on_due() is False


@large_is_small
def test_the_worker_takes_it_as_soon_as_it_is_there(phone, services, eventually):
    worker = UploadWorker(services.uploads)
    worker.start()
    try:
        place = phone.post(BODY).headers["Location"]
        eventually(lambda: phone.get(place)["status"] == "processed", within_s=3)
    finally:
        worker.stop()


@large_is_small
def test_a_large_body_that_is_no_json_is_refused_where_it_can_be_read(phone, services):
    place = phone.post(b"{ no json").headers["Location"]
    assert services.uploads.work_on_due() is True
    told = phone.get(place)
    assert told["status"] == "refused"
    assert "not JSON" in told["failure"]
    assert services.uploads.work_on_due() is False


def test_what_a_killed_program_left_behind_is_picked_up_when_its_time_has_come(phone, services, clock, ask):
    kept = phone.send(BODY)
    ask(
        "UPDATE upload SET state = 'received', due_at = :due, received = 0, stored = 0, kinds = '{}', processed_at = NULL",
        due=clock.now() + LEASE,
    )
    ask("TRUNCATE sample, rollup, series, source CASCADE")
    assert services.uploads.work_on_due() is False
    clock.advance(seconds=LEASE.total_seconds())
    assert services.uploads.work_on_due() is True
    assert phone.get(f"/api/v1/uploads/{kept['upload_id']}")["counts"]["stored"] == 24


def test_a_program_that_dies_before_the_answer_leaves_the_upload_waiting(
    phone, services, clock, ask, monkeypatch
):
    class Killed(BaseException):
        pass

    def die(*_args):
        raise Killed

    monkeypatch.setattr(understanding, "read_document", die)
    with pytest.raises(Killed):
        phone.post(BODY)
    monkeypatch.undo()
    assert ask(STATES) == [("received", 0, True, None)]
    clock.advance(seconds=LEASE.total_seconds())
    assert services.uploads.work_on_due() is True
    assert phone.days("step_count") == {"2026-08-07": 300}


def test_a_reader_that_stumbles_is_never_the_phones_problem(phone, services, broken_reader, clock, ask):
    answer = phone.post(BODY)
    assert answer.status_code == 202
    for attempts in range(1, ATTEMPTS):
        assert ask(STATES) == [("received", attempts, True, "ZeroDivisionError while reading it")]
        assert services.uploads.work_on_due() is False, "it waits before it is tried again"
        clock.advance(seconds=RETRY_AFTER.total_seconds())
        assert services.uploads.work_on_due() is True
    assert ask(STATES) == [("failed", ATTEMPTS, False, "ZeroDivisionError while reading it")]
    clock.advance(days=1)
    assert services.uploads.work_on_due() is False
    told = phone.get(answer.headers["Location"])
    assert (told["status"], told["counts"]["received"]) == ("failed", 0)


def test_a_reader_that_is_mended_in_time_loses_nothing(phone, services, broken_reader, clock):
    place = phone.post(BODY).headers["Location"]
    broken_reader.undo()
    clock.advance(seconds=RETRY_AFTER.total_seconds())
    assert services.uploads.work_on_due() is True
    told = phone.get(place)
    assert (told["status"], told["failure"], told["counts"]["stored"]) == ("processed", None, 24)


def test_a_stumble_leaves_nothing_half_written(phone, services, monkeypatch, ask):
    def stumble(*_args, **_values):
        raise ZeroDivisionError

    monkeypatch.setattr(uploads, "settle", stumble)
    assert phone.post(BODY).status_code == 202
    assert [ask(f"SELECT count(*) FROM {table}")[0][0] for table in ("sample", "rollup", "series")] == [
        0,
        0,
        0,
    ]


@large_is_small
def test_one_upload_that_stumbles_does_not_hold_up_the_next(phone, services, monkeypatch):
    read = understanding.read_document

    def stumble_over_the_first(document, *others):
        if "trouble" in document.arrays:
            raise ZeroDivisionError
        return read(document, *others)

    monkeypatch.setattr(understanding, "read_document", stumble_over_the_first)
    first = phone.post({"data": {"trouble": [1]}}).headers["Location"]
    second = phone.post(BODY).headers["Location"]
    while services.uploads.work_on_due():
        pass
    assert [phone.get(place)["status"] for place in (first, second)] == ["accepted", "processed"]
