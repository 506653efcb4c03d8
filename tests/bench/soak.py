"""Steady mixed use for minutes on end: does anything grow that should not?

Small uploads, the same ones again, reads, the page, and attempts with a wrong key, at a steady pace. Every ten seconds
memory, handles, threads and connections are looked at. Handles, threads or connections that pile up end the run with
status 1; memory is printed, first minute against last.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from tests.bench.load import Client, make_keys
from tests.bench.watching import Reading, Watch
from tests.fixtures.crowd import Stretch, Told, steps_and_hue, steps_only
from tests.fixtures.http import RealPhone
from tests.fixtures.program import Program, Starter

PEOPLE = 4
KEYS = 8
CLIENTS = 4
EACH_PER_SECOND = 4
DAYS = 60
LOOK_EVERY_S = 10.0
WARM_S = 30.0
# How much more at the end than at the beginning is chance: connections come and go with the load.
MAY_VARY = {"handles": 8, "threads": 2, "backends": 2}
GROWTH_WANTED = 0.05


@dataclass
class _Use:
    """One client's steady use."""

    program: Program
    keys: Sequence[tuple[int, str]]
    told: Sequence[Told]
    seed: int
    statuses: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def run(self, over: threading.Event) -> None:
        dice, client, turn = random.Random(self.seed), Client(self.program.url), 0
        kinds: list[tuple[Callable[[Client, random.Random, int], tuple[str, int]], int]] = [
            (self._upload, 35), (self._upload_again, 25), (self._read, 30), (self._page, 5), (self._wrong_key, 5),
        ]  # fmt: skip
        due = time.monotonic()
        while not over.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / EACH_PER_SECOND, time.monotonic() - 1)
            turn += 1
            (kind,) = dice.choices([kind for kind, _ in kinds], [share for _, share in kinds])
            name, status = kind(client, dice, turn)
            self.statuses[f"{name} {status}"] += 1
            allowed = (401, 429) if name == "wrong key" else (200, 303, 302)
            if status not in allowed:
                self.failures.append(f"{name} {status}")
        client.close()

    def _upload(self, client: Client, dice: random.Random, turn: int) -> tuple[str, int]:
        person, key = dice.choice(self.keys)
        length = dice.randint(1, 250)
        stretch = Stretch(dice.randrange(DAYS * 1440 - length), length)
        telling = turn * CLIENTS + self.seed + 2
        status, receipt = client.post(key, steps_and_hue(stretch, telling))
        if status == 200:
            self.told[person].note(stretch, receipt, telling)
            self.told[person].note_counts(receipt)
        return "upload", status

    def _upload_again(self, client: Client, dice: random.Random, _turn: int) -> tuple[str, int]:
        person, key = dice.choice(self.keys)
        stretch = Stretch(1440 * dice.randrange(7), 240)
        status, receipt = client.post(key, steps_only(stretch))
        if status == 200:
            self.told[person].note(stretch, receipt)
            self.told[person].note_counts(receipt)
        return "upload again", status

    def _read(self, client: Client, dice: random.Random, _turn: int) -> tuple[str, int]:
        _, key = dice.choice(self.keys)
        path = dice.choice(
            (
                "/api/v1/metrics",
                "/api/v1/uploads",
                "/api/v1/today",
                "/api/v1/metrics/step_count/series?start=2024-01-01&end=2024-01-14",
                "/api/v1/metrics/step_count/samples?limit=100",
                "/readyz",
            )
        )
        status, _ = client.ask("GET", path, None, {"X-API-Key": key})
        return "read", status

    def _page(self, client: Client, _dice: random.Random, _turn: int) -> tuple[str, int]:
        return "page", client.ask("GET", "/", None, {})[0]

    def _wrong_key(self, client: Client, dice: random.Random, _turn: int) -> tuple[str, int]:
        wrong = f"hb_{dice.randbytes(8).hex()}_{'x' * 43}"
        return "wrong key", client.ask("GET", "/api/v1/metrics", None, {"X-API-Key": wrong})[0]


def run(minutes: float = 10.0) -> None:
    """Use it steadily for so many minutes, print what it took, and exit with 1 if something piles up."""
    with tempfile.TemporaryDirectory(prefix="hb-bench-") as folder:
        start = Starter()
        try:
            leaks = _soak(start(Path(folder) / "data", "--log-level", "warning"), minutes)
        finally:
            start.end_all()
    if leaks:
        sys.exit("; ".join(leaks))


def _soak(program: Program, minutes: float) -> list[str]:
    keys, told = make_keys(program, PEOPLE, KEYS), [Told() for _ in range(PEOPLE)]
    for person, secret in keys[
        :PEOPLE
    ]:  # everything is there from the beginning on, so that what grows is no data
        whole = Stretch(0, DAYS * 1440)
        client = Client(program.url)
        for telling, body in enumerate((steps_only(whole), steps_and_hue(whole, 1))):
            status, receipt = client.post(secret, body)
            assert status == 200, receipt
            told[person].note(whole, receipt, telling or None)
        client.close()
    uses = [_Use(program, keys, told, seed) for seed in range(CLIENTS)]
    watch, over = Watch(program), threading.Event()
    readings: list[tuple[float, Reading]] = []
    print(f"{minutes:g} minutes of {CLIENTS * EACH_PER_SECOND} requests a second")
    print("     s   total  program  Postgres  Valkey MiB   handles  threads  backends  Valkey used MiB")
    with ThreadPoolExecutor(CLIENTS) as pool:
        using = [pool.submit(use.run, over) for use in uses]
        begun = time.monotonic()
        try:
            while (passed := time.monotonic() - begun) < minutes * 60:
                if passed >= WARM_S or minutes * 60 < 3 * WARM_S:
                    readings.append((passed, watch.look()))
                    _print(passed, readings[-1][1])
                if any(each.done() for each in using):
                    break
                time.sleep(LOOK_EVERY_S)
        finally:
            over.set()
        for each in using:
            each.result()
    watch.close()
    statuses: Counter[str] = sum((use.statuses for use in uses), Counter())
    print(json.dumps(dict(sorted(statuses.items()))))
    for person, what in enumerate(told):
        assert RealPhone(program.url, keys[person][1]).days("step_count") == what.steps_by_day()
    print("every sum is what was told")
    failures = [failure for use in uses for failure in use.failures]
    return _judged(readings) + ([f"{len(failures)} failures: {failures[:5]}"] if failures else [])


def _judged(readings: Sequence[tuple[float, Reading]]) -> list[str]:
    """Print the growth from the first minute to the last, and return what piles up."""
    first_at, last_at = readings[0][0], readings[-1][0]
    span = min(60.0, (last_at - first_at) / 3)
    first = [reading for at, reading in readings if at <= first_at + span]
    last = [reading for at, reading in readings if at >= last_at - span]
    for name in ("total_mib", "program_mib", "postgres_mib", "valkey_mib", "valkey_used_mib"):
        before, after = (mean(getattr(reading, name) for reading in part) for part in (first, last))
        growth = after / before - 1
        word = "" if growth <= GROWTH_WANTED else f"   more than the {GROWTH_WANTED:.0%} wanted"
        print(f"{name.replace('_mib', ''):>12}: {before:6.1f} → {after:6.1f} MiB  {growth:+.1%}{word}")
    leaks = []
    for name, may_vary in MAY_VARY.items():
        before, after = (max(getattr(reading, name) for reading in part) for part in (first, last))
        print(f"{name:>12}: {before} → {after}")
        if after > before + may_vary:
            leaks.append(f"{name} pile up: {before} in the first minute, {after} in the last")
    return leaks


def _print(passed: float, reading: Reading) -> None:
    print(
        f"{passed:6.0f} {reading.total_mib:7.1f} {reading.program_mib:8.1f} {reading.postgres_mib:9.1f}"
        f" {reading.valkey_mib:11.1f} {reading.handles:9} {reading.threads:8} {reading.backends:9}"
        f" {reading.valkey_used_mib:16.1f}",
        flush=True,
    )
