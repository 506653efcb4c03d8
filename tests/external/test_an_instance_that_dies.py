"""What a killed or frozen instance leaves behind, the other one finishes, and nothing stays locked."""

from __future__ import annotations

import http.client
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.external.conftest import PUT_OFF
from tests.fixtures.crowd import BY_THE_MINUTE, Stretch, Told, steps_and_hue, steps_only
from tests.fixtures.http import RealPhone
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")


def states(pair):
    return [row[0] for row in pair.shared.ask("SELECT state FROM upload ORDER BY upload_id")]


def locks_on_people(pair):
    return pair.shared.ask(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


def worked_on_by(program):
    """Return the uploads this instance says it has worked on, each as often as it says so."""
    lines = [
        json.loads(line)
        for path in (program.data_dir / "logs").glob("*.jsonl*")
        for line in path.read_text().splitlines()
    ]
    return [line["upload_id"] for line in lines if line["event"] == "upload_processed"]


def test_uploads_put_off_by_a_killed_instance_are_finished_by_the_other_each_once(pair):
    doomed = pair.shared.instance()
    phone, told = RealPhone(doomed.url, pair.key("Killed")), Told()
    for turn in range(8):
        stretch = Stretch(turn * 720, 1440)
        status, receipt = phone.post(steps_and_hue(stretch, turn) + PUT_OFF, **BY_THE_MINUTE)
        assert status == 202, receipt
        told.note(stretch, receipt, turn)
    doomed.process.kill()
    doomed.process.wait()
    left = [upload for upload in told.uploads if upload not in worked_on_by(doomed)]
    assert left, "it has to be killed before it is done"

    phone.url = pair.b.url
    for upload_id in sorted(told.uploads):
        wait_until(lambda: pair.shared.settled(upload_id), within_s=30)  # noqa: B023  asked within the turn
        told.note_counts(phone.get(f"/api/v1/uploads/{upload_id}"))
    told.check(phone)
    done = [upload for each in (doomed, pair.a, pair.b) for upload in worked_on_by(each)]
    assert max(done.count(upload) for upload in told.uploads) == 1


def test_what_a_killed_instance_was_working_on_is_neither_lost_nor_locked(pair):
    doomed = pair.shared.instance()
    key, told = pair.key("Locked"), Told()
    unanswered: dict[str, tuple[Stretch, int]] = {}
    noting = threading.Lock()

    def post(thread):
        phone = RealPhone(doomed.url, key)
        for turn in range(1_000):
            stretch, telling = Stretch(turn * 60, 600), 1_000 * thread + turn
            name = f"phone-{thread}-turn-{turn}"
            with noting:
                unanswered[name] = (stretch, telling)
            try:
                status, receipt = phone.post(
                    steps_and_hue(stretch, telling), **BY_THE_MINUTE, **{"X-Request-ID": name}
                )
            except (OSError, http.client.HTTPException):
                return
            assert status == 200, receipt
            told.note(stretch, receipt, telling)
            with noting:
                del unanswered[name]

    with ThreadPoolExecutor(4) as pool:
        posting = [pool.submit(post, thread) for thread in range(4)]
        wait_until(lambda: len(told.uploads) >= 8 and locks_on_people(pair), within_s=30)
        doomed.process.kill()
        doomed.process.wait()
        for each in posting:
            each.result()

    phone = RealPhone(pair.b.url, key)
    assert phone.post(steps_only(Stretch(0, 60)), **BY_THE_MINUTE)[0] == 200, "at once, not after a time-out"
    wait_until(lambda: locks_on_people(pair) == [])

    # What was kept but not answered waits for its time; here that has come.
    pair.shared.ask("UPDATE upload SET due_at = now() WHERE state = 'received'")
    wait_until(lambda: "received" not in states(pair), within_s=30)
    assert set(states(pair)) <= {"processed", "unchanged"}
    for name, (stretch, telling) in unanswered.items():
        for (upload_id,) in pair.shared.ask("SELECT upload_id FROM upload WHERE request_id = %s", name):
            told.note(stretch, phone.get(f"/api/v1/uploads/{upload_id}"), telling)
    for upload_id in told.uploads:
        told.note_counts(phone.get(f"/api/v1/uploads/{upload_id}"))
    told.check(phone)
