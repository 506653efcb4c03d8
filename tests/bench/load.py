"""Many phones at once: 50 keys of several people with 200 uploads each, against one `hearthbeat serve`.

Beside the times it is a proof: apart from the limiter's own refusals nothing may fail, and at the end every sum and
every value has to be what was told.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.watching import Peak, Watch
from tests.fixtures.crowd import BY_THE_MINUTE, Stretch, Told, steps_and_hue
from tests.fixtures.http import RealPhone
from tests.fixtures.program import Program, Starter, hearthbeat

PEOPLE = 8
KEYS = 50
UPLOADS = 200
CLIENTS = 32
DAYS = 365
SETTLED_WITHIN_S = 300

# Samples of an upload, and how many of a thousand uploads are that large.
SIZES = ((1, 500, 975), (501, 5_000, 22), (40_000, 50_000, 3))


@dataclass(frozen=True, slots=True)
class Errand:
    """One upload to be made."""

    person: int
    key: str
    stretch: Stretch
    telling: int

    @property
    def samples(self) -> int:
        """How many samples it tells."""
        return 2 * self.stretch.minutes


@dataclass
class Outcome:
    """What became of all errands. Times in seconds, by samples."""

    told: list[Told]
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    times: list[tuple[int, float]] = field(default_factory=list)
    waiting: list[tuple[Errand, int]] = field(default_factory=list)


def run() -> None:
    """Measure, prove and print."""
    with tempfile.TemporaryDirectory(prefix="hb-bench-") as folder:
        start = Starter()
        try:
            program = start(Path(folder) / "data", "--log-level", "warning")
            _measure(program)
        finally:
            start.end_all()


def _measure(program: Program) -> None:
    keys = make_keys(program, PEOPLE, KEYS)
    errands = plan(keys, UPLOADS, DAYS * 1440, random.Random(11))
    samples = sum(errand.samples for errand in errands)
    print(
        f"{KEYS} keys of {PEOPLE} people, {len(errands):,} uploads, {samples:,} samples, {CLIENTS} clients at a time"
    )
    watch = Watch(program)
    before = watch.look()
    begun = time.perf_counter()
    with Peak(watch) as peak:
        outcome = post_all(program.url, errands, CLIENTS, PEOPLE)
        settle(program.url, outcome)
        elapsed = time.perf_counter() - begun
    time.sleep(10)
    after = watch.look()
    watch.close()
    print(f"{elapsed:,.0f} s, {len(errands) / elapsed:,.0f} uploads/s, {samples / elapsed:,.0f} samples/s")
    print(f"answers {dict(outcome.statuses)}, failures {len(outcome.failures)} {outcome.failures[:5]}")
    print(f"{'samples':>16} {'uploads':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
    for low, high, _ in (*SIZES, (1, SIZES[-1][1], 0)):
        print(_times_of(outcome.times, low, high))
    for name, reading in (("before", before), ("peak", peak.reading), ("10 s after", after)):
        print(
            f"memory {name:>10}: {reading.total_mib:5.0f} MiB (program {reading.program_mib:.0f},"
            f" Postgres {reading.postgres_mib:.0f}, Valkey {reading.valkey_mib:.0f})"
        )
    for person, told in enumerate(outcome.told):
        told.check(RealPhone(program.url, next(key for who, key in keys if who == person)))
    print("every sum and every value is what was told")
    if outcome.failures:
        sys.exit("There were failures.")


def make_keys(program: Program, people: int, keys: int) -> list[tuple[int, str]]:
    """Make keys for people in turn; the first of each person lets the others be made over HTTP."""
    made: list[tuple[int, str]] = []
    for number in range(keys):
        person = number % people
        if number < people:
            words = ("--scope", "ingest,read,admin", "--person", f"Person {person}")
            secret = hearthbeat("key", "create", "Phone", *words, data_dir=program.data_dir).stdout.strip()
        else:
            body = {"name": f"Phone {number}", "scopes": ["ingest", "read"]}
            status, told = RealPhone(program.url, made[person][1]).ask("POST", "/api/v1/keys", body)
            assert status == 201, told
            secret = told["key"]
        made.append((person, secret))
    return made


def plan(
    keys: Sequence[tuple[int, str]], uploads: int, minutes: int, dice: random.Random, sizes: Any = SIZES
) -> list[Errand]:
    """Return the uploads to be made, of mixed sizes over the same stretch of time, in an order of chance."""
    whos = [who for who in keys for _ in range(uploads)]
    dice.shuffle(whos)
    errands = []
    for telling, (person, key) in enumerate(whos):
        low, high, _ = dice.choices(sizes, [share for *_, share in sizes])[0]
        length = math.ceil(dice.randint(low, high) / 2)
        errands.append(Errand(person, key, Stretch(dice.randrange(minutes - length), length), telling))
    return errands


def post_all(url: str, errands: Sequence[Errand], clients: int, people: int) -> Outcome:
    """Make all uploads, so many at a time, each client over a connection it keeps."""
    outcome = Outcome([Told() for _ in range(people)])
    lock = threading.Lock()
    left: Iterator[Errand] = iter(errands)

    def work() -> None:
        client = Client(url)
        while True:
            with lock:
                errand = next(left, None)
            if errand is None:
                client.close()
                return
            body = steps_and_hue(errand.stretch, errand.telling)
            begun = time.perf_counter()
            status, told = client.post(errand.key, body)
            elapsed = time.perf_counter() - begun
            with lock:
                outcome.statuses[status] += 1
                outcome.times.append((errand.samples, elapsed))
                if status in (200, 202):
                    _note(outcome, errand, status, told)
                elif status != 429:
                    outcome.failures.append(f"{status} {told}")

    with ThreadPoolExecutor(clients) as pool:
        for working in [pool.submit(work) for _ in range(clients)]:
            working.result()
    return outcome


def _note(outcome: Outcome, errand: Errand, status: int, receipt: dict[str, Any]) -> None:
    told = outcome.told[errand.person]
    told.note(errand.stretch, receipt, errand.telling)
    if status == 200:
        told.note_counts(receipt)
    else:
        outcome.waiting.append((errand, receipt["upload_id"]))


def settle(url: str, outcome: Outcome) -> None:
    """Wait for the uploads that were answered before they were worked on."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    for errand, upload_id in outcome.waiting:
        phone = RealPhone(url, errand.key)
        while (told := phone.get(f"/api/v1/uploads/{upload_id}"))["status"] == "accepted":
            assert time.monotonic() < deadline, f"upload {upload_id} is still waiting"
            time.sleep(0.2)
        outcome.told[errand.person].note_counts(told)


class Client:
    """One connection that is kept, as a phone keeps it during a sync; made anew when it was closed."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=120)

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send one request; status 0 stands for no answer at all."""
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return 0, json.dumps(f"{type(error).__name__}: {error}").encode()

    def post(self, key: str, body: bytes) -> tuple[int, Any]:
        """Post a body by the minute."""
        headers = {"X-API-Key": key, "Content-Type": "application/json"} | BY_THE_MINUTE
        status, told = self.ask("POST", "/api/v1/ingest", body, headers)
        return status, json.loads(told)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _times_of(times: Iterable[tuple[int, float]], low: int, high: int) -> str:
    found = sorted(seconds * 1000 for samples, seconds in times if low <= samples <= high + 1)
    if not found:
        return f"{low:>7,}–{high:>8,} {0:>8}"
    shares = [found[min(len(found) - 1, math.ceil(len(found) * share) - 1)] for share in (0.5, 0.95, 0.99)]
    return f"{low:>7,}–{high:>8,} {len(found):>8,} " + " ".join(f"{value:8,.0f}" for value in shares)
