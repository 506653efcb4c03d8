"""Many phones post while everything under them is killed again and again: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psutil
import pytest

from tests.fixtures.documents import document, metric, point, steps, when
from tests.fixtures.faults import (
    Faults,
    ask_database,
    kill_backend,
    kill_postmaster,
    kill_program,
    kill_valkey,
    post_once,
)
from tests.fixtures.http import RealPhone
from tests.fixtures.program import Program, new_key
from tests.fixtures.waiting import wait_until
from tests.process.conftest import engines_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")

SEED = int(os.environ.get("CRASH_SEED", "8710"))
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "6"))  # of five kills each
UPLOADERS = 8
PEOPLE = ("Anna", "Ben")
DAYS = 4
START = when("2026-08-01 00:00")
# Every upload brings one sample that no other one brings, at an hour of its own.
OWN_START = when("2020-01-01 00:00")
RECOVERED_WITHIN_S = 60
ENDED_WITHIN_S = 60  # Postgres writes what it has in memory, on a busy disk
KINDS = (
    ("program", kill_program),
    ("program", kill_program),
    ("postmaster", kill_postmaster),
    ("backend", kill_backend),
    ("valkey", kill_valkey),
)


def steps_at(hour: int) -> int:
    return 100 + hour * 7 % 991


@dataclass
class Posted:
    """One upload as its phone knows it; the receipt is None unless it was acknowledged."""

    person: str
    own: int
    hours: set[int]
    receipt: dict[str, Any] | None = None

    @property
    def body(self) -> dict[str, Any]:
        return document(
            metric(
                "step_count", "count", *(point(START + timedelta(hours=n), steps_at(n)) for n in self.hours)
            ),
            metric(
                "flights_climbed", "count", point(OWN_START + timedelta(hours=self.own), 1 + self.own % 9)
            ),
        )


@dataclass
class Uploaders:
    """Phones that post overlapping windows until they are told to stop, most sending again what got no answer."""

    phones: list[RealPhone]
    posted: list[Posted] = field(default_factory=list)
    acknowledged_at: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        dice = random.Random(SEED + number)
        person, phone = PEOPLE[number % len(PEOPLE)], self.phones[number]
        turn = 0
        while not self.over.is_set():
            first = dice.randrange(DAYS * 24 - 1)
            window = range(first, min(DAYS * 24, first + dice.randint(1, 40)))
            upload = Posted(person, turn * UPLOADERS + number, set(window))
            turn += 1
            self.posted.append(upload)
            patience = dice.choice((1, 1_000_000))
            while upload.receipt is None and patience and not self.over.is_set():
                begun = time.monotonic()
                upload.receipt = post_once(phone, upload.body, **{"automation-aggregation": "Hours"})
                if upload.receipt is not None:
                    self.acknowledged_at.append(begun)
                patience -= 1
                self.over.wait(0.02 if upload.receipt else 0.1)

    def acknowledge_again(self, since: float) -> bool:
        """Whether something was acknowledged that was posted since."""
        return bool(self.acknowledged_at) and self.acknowledged_at[-1] >= since


def crash(
    faults: Faults, program: Program, kind: str, step: str, kill: Any, options: list[str]
) -> tuple[float, Program]:
    """Kill something after a step, or wherever they are when nobody takes that step soon; return when, and what runs then."""
    faults.ask_for(step)
    deadline = time.monotonic() + 1
    while not faults.stands_still() and time.monotonic() < deadline:
        time.sleep(0.005)
    family = psutil.Process(program.process.pid).children(recursive=True)
    kill(program)
    killed_at = time.monotonic()
    faults.forget()
    if kind != "program":
        return killed_at, program
    _, left = psutil.wait_procs(family, ENDED_WITHIN_S)
    assert (left, engines_of(program.data_dir)) == ([], [])
    return killed_at, faults.start(program.data_dir, *options)


@pytest.mark.timeout(1200)
def test_thirty_kills_under_eight_uploaders_lose_and_double_nothing(faults, data_dir, record_property):
    options = ["--limit-requests-per-hour", "1000000"]
    program = faults.start(data_dir, *options)
    keys = {person: new_key(data_dir, person=person) for person in PEOPLE}
    uploaders = Uploaders([RealPhone(program.url, keys[PEOPLE[n % len(PEOPLE)]]) for n in range(UPLOADERS)])
    dice = random.Random(SEED)
    recoveries: list[tuple[float, str, str]] = []
    kinds = [each for _ in range(ROUNDS) for each in KINDS]
    dice.shuffle(kinds)
    begun = time.monotonic()
    with ThreadPoolExecutor(UPLOADERS) as pool:
        running = [pool.submit(uploaders.run, number) for number in range(UPLOADERS)]
        try:
            wait_until(lambda: len(uploaders.acknowledged_at) >= UPLOADERS, within_s=20)
            known_steps = sorted(set(faults.steps()))
            for kind, kill in kinds:
                step = dice.choice(known_steps)
                at, program = crash(faults, program, kind, step, kill, options)
                for phone in uploaders.phones:
                    phone.url = program.url
                wait_until(lambda at=at: uploaders.acknowledge_again(at), within_s=RECOVERED_WITHIN_S)
                recoveries.append((time.monotonic() - at, kind, step))
            lasted = time.monotonic() - begun
            assert program.stop() == 0, "a clean stop in the middle of uploads"
            assert engines_of(data_dir) == []
        finally:
            uploaders.over.set()
        for each in running:
            each.result()
    program = faults.start(data_dir, *options)
    for person, key in keys.items():
        mine = [upload for upload in uploaders.posted if upload.person == person]
        assert_nothing_is_lost_or_doubled(program, person, RealPhone(program.url, key), mine)
    longest = max(recoveries)
    acknowledged = [upload for upload in uploaders.posted if upload.receipt]
    figures = {
        "kills": dict(Counter(kind for kind, _ in kinds)),
        "lasted_s": round(lasted, 1),
        "uploads_posted": len(uploaders.posted),
        "uploads_acknowledged": len(acknowledged),
        "items_acknowledged": sum(1 + len(upload.hours) for upload in acknowledged),
        "answered_202": sum(upload.receipt["status"] == "accepted" for upload in acknowledged),
        "longest_recovery": f"{longest[0]:.1f} s after a kill of {longest[1]} at {longest[2]}",
    }
    for name, value in figures.items():
        record_property(name, value)
    print(figures)  # noqa: T201  what was survived is worth telling


def assert_nothing_is_lost_or_doubled(
    program: Program, person: str, phone: RealPhone, mine: list[Posted]
) -> None:
    wait_until(lambda: phone.get("/api/v1/status")["uploads_waiting"] == 0, within_s=30)
    settled = dict(
        ask_database(
            program,
            "SELECT upload_id, ARRAY[state, received::text, stored::text] FROM upload JOIN person USING (person_id)"
            f" WHERE name = '{person}'",
        )
    )
    assert {state for state, _, _ in settled.values()} <= {"processed", "unchanged"}
    held = {
        name: [
            hour
            for (hour,) in ask_database(
                program,
                "SELECT (extract(epoch FROM start_at)::bigint -"
                f" {int(first.timestamp())}) / 3600 FROM sample JOIN series USING (person_id, series_id)"
                f" JOIN person USING (person_id) WHERE name = '{person}' AND metric = '{name}'",
            )
        ]
        for name, first in (("step_count", START), ("flights_climbed", OWN_START))
    }
    for name, hours in held.items():
        assert len(set(hours)) == len(hours), f"{name} doubled"
    # What was acknowledged is there; nothing is there that was not sent.
    acknowledged = [upload for upload in mine if upload.receipt]
    assert {upload.own for upload in acknowledged} <= set(held["flights_climbed"])
    assert set(held["flights_climbed"]) <= {upload.own for upload in mine}
    assert set().union(*(upload.hours for upload in acknowledged)) <= set(held["step_count"])
    # Every receipt given is still the receipt of that upload, and the receipts together tell exactly what is held.
    for upload in acknowledged:
        _, received, stored = settled[upload.receipt["upload_id"]]
        assert int(received) == 1 + len(upload.hours)
        if upload.receipt["status"] != "accepted":
            assert int(stored) == upload.receipt["counts"]["stored"]
    assert sum(int(stored) for _, _, stored in settled.values()) == sum(map(len, held.values()))
    # And the days are their sums.
    days: dict[str, float] = {}
    for hour in held["step_count"]:
        day = f"{START + timedelta(hours=hour):%Y-%m-%d}"
        days[day] = days.get(day, 0) + steps_at(hour)
    assert phone.days("step_count") == days


@pytest.mark.parametrize(
    ("step", "options"),
    [("request rows_written", ()), ("worker rows_written", ("--sync-upload-mb", "0"))],
    ids=["before the answer", "after the answer"],
)
def test_a_stop_finishes_what_is_under_way(faults, data_dir, step, options):
    program = faults.start(data_dir, *options)
    phone = RealPhone(program.url, new_key(data_dir))
    faults.ask_for(step)
    with ThreadPoolExecutor(1) as aside:
        answer = aside.submit(post_once, phone, steps(point("2026-08-07 10:00", 300)))
        with faults.standing_still():
            program.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not answers_quickly(phone))
        assert program.process.wait(30) == 0
        answer.result()
    assert engines_of(data_dir) == []
    program = faults.start(data_dir, *options)
    assert ask_database(program, "SELECT state, attempts FROM upload") == [("processed", 1 if options else 0)]
    assert ask_database(program, "SELECT value FROM rollup") == [(300.0,)]


def answers_quickly(phone: RealPhone) -> bool:
    try:
        return phone.ask("GET", "/healthz")[0] == 200
    except OSError:
        return False
