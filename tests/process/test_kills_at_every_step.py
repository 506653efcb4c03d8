"""After every step of an upload something is killed. What was acknowledged is there, exactly once, and by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import psutil
import psycopg
import pytest

from tests.fixtures.documents import document, hours, metric, spelt, when
from tests.fixtures.faults import ENGINE_FAULTS, Faults, ask_database, kill_program, post_once
from tests.fixtures.http import RealPhone
from tests.fixtures.program import Program, new_key
from tests.fixtures.records import a_mood
from tests.fixtures.waiting import wait_until
from tests.process.conftest import engines_of

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there"),
    pytest.mark.timeout(1200),  # a program that starts again for every step, on a machine that may be busy
]

FIRST_DAY = when("2026-03-01 00:00")
STEPS = range(101, 125)
BY_ITSELF_S = 30
ENDED_WITHIN_S = 60  # Postgres writes what it has in memory, on a busy disk
NOTHING, ALL = (0, None, 0, 0), (24, sum(STEPS), 1, 1)
ALL_DEFERRED = ("--sync-upload-mb", "0")


class Sent:
    """One upload, of a day of its own: 24 hours of steps, one mood and one item that nobody understands."""

    def __init__(self, number: int) -> None:
        at = FIRST_DAY + timedelta(days=number)
        self.day = f"{at:%Y-%m-%d}"
        mood = a_mood(id=f"00000000-0000-4000-8000-{number:012}", start=spelt(at), end=spelt(at))
        self.body = document(
            metric("step_count", "count", *hours(self.day, STEPS)),
            metric(f"oddity of {self.day}", "count", {"date": "no date", "qty": 1}),
            stateOfMind=[mood],
        )

    def held(self, program: Program) -> tuple[Any, ...]:
        """Return what is held of it: samples, the day's total, records, items set aside."""
        day = f"'{self.day}'"
        local = "(start_at + make_interval(secs => utc_offset))::date"
        (found,) = ask_database(
            program,
            f"SELECT (SELECT count(*) FROM sample WHERE {local} = {day}),"
            f" (SELECT value FROM rollup WHERE day = {day} AND metric = 'step_count'),"
            f" (SELECT count(*) FROM record WHERE {local} = {day}),"
            f" (SELECT count(*) FROM quarantine WHERE name LIKE '%' || {day} || '%')",
        )
        return found


@contextmanager
def posting(phone: RealPhone, sent: Sent) -> Iterator[Future[dict[str, Any] | None]]:
    """Post it once, in a thread of its own."""
    with ThreadPoolExecutor(1) as aside:
        yield aside.submit(post_once, phone, sent.body)


def await_all_of(sent: Sent, program: Program) -> None:
    """Wait until all of it is held; until then nothing of it is."""

    def all_is_held() -> bool:
        try:
            held = sent.held(program)
        except psycopg.Error:
            return False  # not back yet
        assert held in (NOTHING, ALL)
        return held == ALL

    wait_until(all_is_held, within_s=BY_ITSELF_S)


def await_the_end_of_work(phone: RealPhone) -> None:
    """Wait until every engine runs and no upload waits for a worker, so that the next fault meets the next upload."""

    def all_is_done() -> bool:
        status = phone.get("/api/v1/status")
        engines = [state for part, state in status["parts"].items() if part.startswith("embedded")]
        return status["uploads_waiting"] == 0 and set(engines) == {"ok"}

    wait_until(all_is_done, within_s=BY_ITSELF_S)


def steps_of_one_upload(faults: Faults, phone: RealPhone, program: Program) -> list[str]:
    """Return the steps that an upload passes, in their order."""
    sent = Sent(0)
    faults.forget()
    assert post_once(phone, sent.body)
    await_all_of(sent, program)
    wait_until(lambda: faults.steps()[-1].endswith(" committed"))
    found = faults.steps()
    await_the_end_of_work(phone)
    return found


def a_phone(program: Program) -> RealPhone:
    return RealPhone(program.url, new_key(program.data_dir))


def assert_all_days_are_true(phone: RealPhone, count: int) -> None:
    assert phone.days("step_count") == {Sent(number).day: sum(STEPS) for number in range(count)}
    (told,) = phone.get("/api/v1/metrics")["items"]
    assert told["count"] == 24 * count
    assert {each["status"] for each in phone.get("/api/v1/uploads", limit=500)["items"]} <= {
        "processed",
        "unchanged",
    }


@pytest.mark.parametrize("options", [(), ALL_DEFERRED], ids=["before the answer", "after the answer"])
def test_killed_after_any_step_it_finishes_what_it_had_received(faults, data_dir, options, subtests):
    program = faults.start(data_dir, *options)
    phone = a_phone(program)
    steps = steps_of_one_upload(faults, phone, program)
    durable = steps.index("request received")
    # What comes before is the same for every upload, and is shown once.
    tried = list(enumerate(steps))[durable + 1 if options else 0 :]
    for number, (place, step) in enumerate(tried, 1):
        with subtests.test(step):
            sent = Sent(number)
            faults.ask_for(step)
            with posting(phone, sent) as answer:
                family = psutil.Process(program.process.pid).children(recursive=True)
                with faults.standing_still():
                    kill_program(program)
            assert answer.result() is None or place >= durable
            _, left = psutil.wait_procs(family, ENDED_WITHIN_S)
            assert (left, engines_of(data_dir)) == ([], [])
            program = faults.start(data_dir, *options)
            phone.url = program.url
            if place >= durable:
                await_all_of(sent, program)
            assert sent.held(program) == (ALL if place >= durable else NOTHING)
            assert post_once(phone, sent.body)
            await_all_of(sent, program)
            await_the_end_of_work(phone)
    assert_all_days_are_true(phone, len(tried) + 1)


@pytest.mark.parametrize("options", [(), ALL_DEFERRED], ids=["before the answer", "after the answer"])
@pytest.mark.parametrize("fault", ENGINE_FAULTS)
def test_when_an_engine_fails_after_any_step_nothing_acknowledged_is_lost(
    faults, data_dir, fault, options, subtests
):
    program = faults.start(data_dir, *options)
    phone = a_phone(program)
    steps = steps_of_one_upload(faults, phone, program)
    tried = steps[steps.index("request received") + 1 if options else 0 :]
    for number, step in enumerate(tried, 1):
        with subtests.test(step):
            sent = Sent(number)
            faults.ask_for(step)
            with posting(phone, sent) as answer, faults.standing_still():
                ENGINE_FAULTS[fault](program)
            if answer.result() is None:
                wait_until(partial(post_once, phone, sent.body), within_s=BY_ITSELF_S)
            await_all_of(sent, program)
            await_the_end_of_work(phone)
    assert_all_days_are_true(phone, len(tried) + 1)
    assert program.stop() == 0
    assert engines_of(data_dir) == []
