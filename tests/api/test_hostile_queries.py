"""Whatever stands in the address of a request, the answer is a clear one, soon, and never a stumble."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

import pytest

from appliance.api.table import ROUTES
from appliance.api.times import write_cursor
from tests import hostile
from tests.fixtures.house import settings_of
from tests.fixtures.problems import problem_of

HUGE = "1" * 400
VALUES = [
    "",
    " ",
    "x",
    "-1",
    "0",
    "1",
    "9" * 30,
    HUGE,
    "1e400",
    "NaN",
    "true",
    "null",
    "٣",
    "x" * 100_000,
    "a\0b",
    "\ufffd",
    "%s%n{0}",
    "'; DROP TABLE sample; --",
    "../../etc/passwd",
    "0001-01-01",
    "9999-12-31",
    "2199-12-31",
    "1900-01-01",
    "2026-W32-5",
    "2026-08-07T10:00:00+23:59",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2200-12-31T23:59:59.999999-23:59",
    "1900-01-01T00:00:00+23:59",
    "hour",
    *map(
        write_cursor,
        [
            None,
            True,
            -1,
            2**63,
            1e300,
            "",
            "0001-01-01",
            "9999-12-31",
            "1900-01-01",
            [],
            {},
            [0, 0],
            [-(2**53) + 1, 0],
            [2**53 - 1, 2**63 - 1],
            [1, 1.5],
            [True, True],
            ["2026-08-07", 1],
            ["2026-08-07T10:00:00+02:00", 1, 2],
            [[[[[[]]]]]],
        ],
    ),
    "e30",
    "=====",
    "8J-YgA",
]
READS = [route for route in ROUTES if route.method == "GET"]
PARTS = re.compile(r"<(?:\w+:)?(\w+)>")
# What stands in a path when another part or a parameter is tried; the phone has told something of each.
GOOD = {"kind": "symptoms", "key": "step_count", "date": "2026-08-07", "night": "2026-08-07", "name": "route"}


def address(route, part=None, value=None):
    def put(found):
        return quote(value, safe="") if found[1] == part else GOOD.get(found[1], "1")

    return PARTS.sub(put, route.path)


@pytest.fixture
def read(app, phone):
    for body in hostile.good():
        phone.send(body)

    def get(path, **query):
        began = time.monotonic()
        with phone.client.get(path, query_string=query, headers={"X-API-Key": phone.key}) as answer:
            assert answer.status_code in (200, 304, 400, 403, 404), f"{path[:80]} {query}: {answer.text}"[
                :500
            ]
            if answer.status_code >= 400:
                problem_of(answer, answer.status_code)
            else:
                assert len(answer.data) < 2**20, f"{path} {query}"
        assert time.monotonic() - began < 20, f"{path[:80]} {query}"[:500]
        return answer

    return get


@settings_of(limit_requests_per_hour=10**9)
def test_any_value_of_any_parameter_gets_a_clear_answer(read):
    for route in READS:
        for name in route.query.model_fields if route.query else ():
            for value in VALUES:
                read(address(route), **{name: value})


@settings_of(limit_requests_per_hour=10**9)
def test_any_part_of_any_path_gets_a_clear_answer(read):
    for route in READS:
        for part in PARTS.findall(route.path):
            for value in VALUES:
                read(address(route, part, value))
