"""Uploads through two instances at the same time end in the same numbers as one after the other."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from tests.external.conftest import PUT_OFF
from tests.fixtures.crowd import BY_THE_MINUTE, Stretch, Told, steps_and_hue
from tests.fixtures.http import RealPhone
from tests.fixtures.waiting import wait_until

DAYS = 3
LONGEST = 180

_tellings = count(1)


def a_stretch(dice):
    minutes = dice.randint(1, LONGEST)
    return Stretch(dice.randrange(DAYS * 1440 - minutes), minutes)


def post_some(
    phone: RealPhone,
    told: Told,
    seed: int,
    uploads: int,
    *,
    put_off_until: Callable[[int], bool] | None = None,
) -> None:
    """Post stretches, each told a little differently, and note what is answered."""
    dice = random.Random(seed)
    for _ in range(uploads):
        stretch, telling = a_stretch(dice), next(_tellings)
        body = steps_and_hue(stretch, telling)
        status, receipt = phone.post(body + PUT_OFF if put_off_until else body, **BY_THE_MINUTE)
        assert status == (202 if put_off_until else 200), receipt
        told.note(stretch, receipt, telling)
        if put_off_until:
            upload_id = receipt["upload_id"]
            wait_until(lambda: put_off_until(upload_id), within_s=30)  # noqa: B023  asked within the turn
            receipt = phone.get(f"/api/v1/uploads/{upload_id}")
        told.note_counts(receipt)


def together(*works: Callable[[], None]) -> None:
    with ThreadPoolExecutor(len(works)) as pool:
        for work in [pool.submit(work) for work in works]:
            work.result()


def test_overlapping_uploads_of_one_person_through_both_are_exact(pair):
    phones, told = pair.phones(), Told()
    together(*(lambda n=n: post_some(phones[n % 2], told, n, 9) for n in range(8)))
    assert len(told.uploads) == 72
    told.check(phones[0])
    told.check(phones[1])


def test_several_people_through_both_do_not_mix(pair):
    people = [(pair.phones(), Told()) for _ in range(3)]
    together(
        *(
            lambda phone=phone, told=told, n=n: post_some(phone, told, n, 6)
            for n, (phones, told) in enumerate(people)
            for phone in phones
        )
    )
    for n, (phones, told) in enumerate(people):
        told.check(phones[n % 2])


def test_what_is_put_off_and_what_is_not_end_in_the_same_numbers(pair):
    phones, told = pair.phones(), Told()
    ways = [None, None, pair.shared.settled]
    together(*(lambda n=n: post_some(phones[n % 2], told, n, 3, put_off_until=ways[n % 3]) for n in range(6)))
    told.check(phones[0])


def test_another_order_of_sources_and_a_replay_beside_uploads_leave_the_numbers_exact(pair):
    (at_a, at_b), told = pair.phones(), Told()
    post_some(at_a, told, 0, 4)
    first = sorted(told.uploads)
    done = threading.Event()

    def post():
        try:
            together(*(lambda n=n: post_some(at_b, told, n, 8) for n in (1, 2)))
        finally:
            done.set()

    def rewrite():
        for turn in count():
            order = ["Watch", "Ring"] if turn % 2 else ["Ring", "Watch"]
            status, answer = at_a.ask("PUT", "/api/v1/sources/priority", {"category": "", "sources": order})
            assert status == 200, answer
            upload_id = first[turn % len(first)]
            status, answer = at_a.ask("POST", f"/api/v1/uploads/{upload_id}/replay")
            assert status == 200, answer
            if done.is_set():
                return

    together(post, rewrite)
    told.check(at_a)
    told.check(at_b)
