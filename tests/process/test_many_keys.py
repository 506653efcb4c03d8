"""Many keys of several people with uploads of mixed sizes at once, as `tests/bench/load.py` does with more of all."""

from __future__ import annotations

import random

from tests.bench.load import make_keys, plan, post_all, settle
from tests.fixtures.http import RealPhone

PEOPLE = 2
SIZES = ((1, 200, 98), (201, 3_000, 2))


def test_uploads_with_many_keys_at_once_all_succeed_and_end_in_exact_numbers(start_program, data_dir):
    program = start_program(data_dir)
    keys = make_keys(program, PEOPLE, 10)
    errands = plan(keys, 20, 7 * 1440, random.Random(3), SIZES)
    outcome = post_all(program.url, errands, 16, PEOPLE)
    settle(program.url, outcome)
    assert outcome.failures == []
    assert outcome.statuses.keys() <= {200, 202}
    assert outcome.statuses.total() == 200
    for person, told in enumerate(outcome.told):
        told.check(RealPhone(program.url, keys[person][1]))
