"""Several phones and automations of one person posting at the same time, over and over the same windows."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from tests.fixtures.documents import document, metric, point, when
from tests.fixtures.http import RealPhone
from tests.fixtures.program import new_key

SECONDS = float(os.environ.get("MANY_PHONES_SECONDS", "5"))
THREADS = 8
DAYS = 4
START = when("2026-08-01 00:00")


def steps_at(hour):
    return 100 + hour * 7 % 991


def rate_at(hour):
    return 50 + hour % 60


def a_window(dice):
    first = dice.randrange(DAYS * 24 - 1)
    hours = range(first, min(DAYS * 24, first + dice.randint(1, 40)))
    return document(
        metric("step_count", "count", *(point(START + timedelta(hours=n), steps_at(n)) for n in hours)),
        metric("heart_rate", "bpm", *(point(START + timedelta(hours=n), rate_at(n), "Ring") for n in hours)),
    ), set(hours)


def test_overlapping_windows_from_many_threads_end_in_exact_sums(start_program, data_dir, record_property):
    program = start_program(data_dir)
    keys = [new_key(data_dir, person=person) for person in ("Anna", "Ben")]
    status, made = RealPhone(program.url, keys[0]).ask("POST", "/api/v1/keys", {"name": "Another of Anna's"})
    assert status == 201, made
    keys.append(made["key"])
    people = ["Anna", "Ben", "Anna"]
    sent = {"Anna": set(), "Ben": set()}
    seen, stored, lock = Counter(), Counter(), threading.Lock()
    end = time.monotonic() + SECONDS

    def post_on(number):
        dice = random.Random(number)
        which = number % len(keys)
        phone = RealPhone(program.url, keys[which])
        while time.monotonic() < end:
            body, hours = a_window(dice)
            status, receipt = phone.post(body, **{"automation-aggregation": "Hours"})
            with lock:
                seen[status] += 1
                if status == 200:
                    counts = receipt["counts"]
                    assert counts["received"] == sum(counts.values()) - counts["received"] == 2 * len(hours)
                    stored[people[which]] += counts["stored"]
                    sent[people[which]] |= hours

    with ThreadPoolExecutor(THREADS) as pool:
        for posting in [pool.submit(post_on, number) for number in range(THREADS)]:
            posting.result()
    assert seen.keys() == {200}, seen
    for which in (0, 1):
        phone, hours = RealPhone(program.url, keys[which]), sent[people[which]]
        assert stored[people[which]] == 2 * len(hours)
        for name, value_of, together in (
            ("step_count", steps_at, sum),
            ("heart_rate", rate_at, lambda values: sum(values) / len(values)),
        ):
            days = {}
            for hour in hours:
                days.setdefault(f"{START + timedelta(hours=hour):%Y-%m-%d}", []).append(value_of(hour))
            told = phone.days(name)
            assert told.keys() == days.keys()
            for day, values in days.items():
                assert abs(told[day] - together(values)) < 1e-6, (name, day)
    record_property("uploads", seen[200])
    assert program.stop() == 0
