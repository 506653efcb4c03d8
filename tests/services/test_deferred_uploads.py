from __future__ import annotations

import gzip
import json
from datetime import timedelta

import pytest

from appliance.domain.key import Scope
from appliance.foundation.errors import DatabaseUnavailable, StatementTimedOut, StorageFull
from appliance.jobs import worker as worker_module
from appliance.jobs.worker import UploadWorker
from appliance.services import understanding
from appliance.services.uploads import ATTEMPTS
from appliance.storage import uploads
from tests.fixtures.documents import hours, steps
from tests.fixtures.house import a_phone, settings_of

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
def test_the_worker_takes_it_as_soon_as_it_is_there(phone, services, eventually, monkeypatch):
    monkeypatch.setattr(worker_module, "IDLE_S", 60.0)  # so it is not found by looking now and then
    worker = UploadWorker(services.uploads, services.tracing)
    worker.start()
    try:
        place = phone.post(BODY).headers["Location"]
        eventually(lambda: phone.get(place)["status"] == "processed", within_s=20)
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


def forget_all_but_the_bytes(ask, attempts=0):
    """Leave what a program leaves that was killed while it worked on its only upload."""
    ask(
        "UPDATE upload SET state = 'received', due_at = received_at, attempts = :attempts, received = 0, stored = 0,"
        " kinds = '{}', processed_at = NULL",
        attempts=attempts,
    )
    ask("TRUNCATE sample, rollup, series, source CASCADE")


def test_what_a_killed_program_left_behind_is_picked_up_at_once(phone, services, ask):
    kept = phone.send(BODY)
    forget_all_but_the_bytes(ask)
    assert services.uploads.work_on_due() is True
    assert phone.get(f"/api/v1/uploads/{kept['upload_id']}")["counts"]["stored"] == 24


def test_a_program_that_dies_before_the_answer_leaves_the_upload_due(phone, services, ask, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*_args):
        raise Killed

    monkeypatch.setattr(understanding, "read_document", die)
    with pytest.raises(Killed):
        phone.post(BODY)
    monkeypatch.undo()
    assert ask(STATES) == [("received", 0, True, None)]
    assert services.uploads.work_on_due() is True
    assert phone.days("step_count") == {"2026-08-07": 300}


def test_an_upload_that_ends_the_program_each_time_is_given_up(phone, services, clock, ask):
    place = f"/api/v1/uploads/{phone.send(BODY)['upload_id']}"
    forget_all_but_the_bytes(ask, attempts=ATTEMPTS)
    assert services.uploads.work_on_due() is True
    assert services.uploads.work_on_due() is False
    told = phone.get(place)
    assert (told["status"], told["failure"]) == ("failed", "broken off each time")


def test_a_reader_that_stumbles_is_never_the_phones_problem(phone, services, broken_reader, clock, ask):
    answer = phone.post(BODY)
    assert answer.status_code == 202
    began, pauses = clock.now(), []
    for attempts in range(ATTEMPTS):
        assert ask(STATES) == [("received", attempts, True, "ZeroDivisionError while reading it")]
        assert services.uploads.work_on_due() is True
        assert services.uploads.work_on_due() is False, "it waits before it is tried again"
        ((due_at,),) = ask("SELECT due_at FROM upload")
        if due_at is not None:
            pauses.append(due_at - clock.now())
            clock.advance(seconds=pauses[-1].total_seconds())
    assert ask(STATES) == [("failed", ATTEMPTS, False, "ZeroDivisionError while reading it")]
    assert pauses == sorted(set(pauses)), "each pause is longer"
    assert pauses[0] < timedelta(seconds=5)
    assert timedelta(hours=5) < clock.now() - began < timedelta(days=1)
    clock.advance(days=1)
    assert services.uploads.work_on_due() is False
    told = phone.get(answer.headers["Location"])
    assert (told["status"], told["counts"]["received"]) == ("failed", 0)


def test_what_was_given_up_is_kept_shown_and_can_be_replayed(phone, services, broken_reader, clock, ask):
    place = phone.post(BODY).headers["Location"]
    ask("UPDATE upload SET attempts = :attempts", attempts=ATTEMPTS - 1)
    assert services.uploads.work_on_due() is True
    assert phone.get(place)["status"] == "failed"
    body = phone.client.get(f"{place}/body", headers={"X-API-Key": phone.key})
    assert json.loads(body.data) == BODY
    broken_reader.undo()
    assert phone.client.post(f"{place}/replay", headers={"X-API-Key": phone.key}).status_code == 200
    told = phone.get(place)
    assert (told["status"], told["failure"], told["counts"]["stored"]) == ("processed", None, 24)
    assert phone.days("step_count") == {"2026-08-07": 300}


def test_a_reader_that_is_mended_in_time_loses_nothing(phone, services, broken_reader):
    place = phone.post(BODY).headers["Location"]
    broken_reader.undo()
    assert services.uploads.work_on_due() is True
    told = phone.get(place)
    assert (told["status"], told["failure"], told["counts"]["stored"]) == ("processed", None, 24)


@pytest.fixture
def failing_store(monkeypatch):
    """Let storing fail with an error until it is mended; other people's uploads are stored."""

    def fail_with(error, of_person=None):
        locked = understanding.lock_person

        def lock(connection, person_id):
            if of_person in (None, person_id):
                raise error
            locked(connection, person_id)

        monkeypatch.setattr(understanding, "lock_person", lock)
        return monkeypatch

    return fail_with


def test_an_upload_the_database_takes_too_long_over_is_tried_less_and_less_often(
    phone, services, failing_store, clock, ask
):
    mended = failing_store(StatementTimedOut())
    answer = phone.post(BODY)
    assert answer.status_code == 202
    for attempts in range(1, 4):
        assert services.uploads.work_on_due() is True
        assert services.uploads.work_on_due() is False
        assert ask(STATES) == [("received", attempts, True, StatementTimedOut().detail)]
        clock.advance(hours=1)
    mended.undo()
    assert services.uploads.work_on_due() is True
    assert phone.get(answer.headers["Location"])["counts"]["stored"] == 24


def test_one_the_database_takes_too_long_over_does_not_hold_up_the_others(
    app, services, failing_store, clock, ask
):
    anna, ben = (a_phone(app, services, name, list(Scope)) for name in ("Anna", "Ben"))
    ((annas_id,),) = ask("SELECT person_id FROM person WHERE name = 'Anna'")
    failing_store(StatementTimedOut(), of_person=annas_id)
    places = []
    for phone in (anna, anna, ben):
        clock.advance(seconds=1)
        places.append(phone.post(BODY).headers.get("Location"))
    for _ in range(5):
        services.uploads.work_on_due()
        clock.advance(seconds=1)
    assert ben.days("step_count") == {"2026-08-07": 300}
    assert [anna.get(place)["status"] for place in places[:2]] == ["accepted", "accepted"]


@pytest.mark.parametrize("hours_away", [1, 48])
def test_a_disk_that_is_full_uses_up_no_attempt(phone, services, failing_store, clock, ask, hours_away):
    mended = failing_store(StorageFull())
    assert phone.post(BODY).status_code == 202
    for _ in range(ATTEMPTS + 2):
        with pytest.raises(StorageFull):
            services.uploads.work_on_due()
        assert services.uploads.work_on_due() is False, "it does not hammer a full disk"
        clock.advance(hours=hours_away)
    assert ask(STATES) == [("received", 0, True, None)]
    mended.undo()
    assert services.uploads.work_on_due() is True
    assert phone.days("step_count") == {"2026-08-07": 300}


def test_a_connection_that_is_lost_in_the_middle_costs_one_attempt_and_is_tried_again_soon(
    phone, services, failing_store, clock, ask
):
    mended = failing_store(DatabaseUnavailable())
    assert phone.post(BODY).status_code == 202
    with pytest.raises(DatabaseUnavailable):
        services.uploads.work_on_due()
    mended.undo()
    clock.advance(seconds=2)
    assert services.uploads.work_on_due() is True
    assert ask(STATES) == [("processed", 2, False, None)]


def test_a_request_whose_upload_a_worker_took_first_answers_with_the_workers_receipt(
    phone, services, monkeypatch
):
    claim = uploads.claim

    def claim_too_late(*args, wait, **others):
        if wait:
            assert services.uploads.work_on_due() is True
        return claim(*args, wait=wait, **others)

    monkeypatch.setattr(uploads, "claim", claim_too_late)
    receipt = phone.send(BODY)
    assert (receipt["status"], receipt["counts"]["stored"]) == ("processed", 24)


def test_a_receipt_that_a_worker_wrote_is_not_undone_by_a_request_that_stumbled(
    phone, services, monkeypatch, ask
):
    postpone = uploads.postpone

    def postpone_too_late(*args, **others):
        monkeypatch.setattr(understanding, "read_document", read)
        assert services.uploads.work_on_due() is True
        postpone(*args, **others)

    def stumble(*_args):
        raise ZeroDivisionError

    read = understanding.read_document
    monkeypatch.setattr(understanding, "read_document", stumble)
    monkeypatch.setattr(uploads, "postpone", postpone_too_late)
    assert phone.post(BODY).status_code == 202
    assert ask(STATES) == [("processed", 1, False, None)]


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


@settings_of(sync_upload_mb=1, max_upload_mb=4)
def test_of_a_packed_body_counts_what_it_unpacks_to(phone, services):
    small = json.dumps(BODY).encode()
    padding = b" " * 2**20
    for content, status in ((small, 200), (small + padding, 202), (small + 4 * padding, 413)):
        assert phone.post(gzip.compress(content), Content_Encoding="gzip").status_code == status
    assert services.uploads.work_on_due() is True
    assert services.uploads.work_on_due() is False
