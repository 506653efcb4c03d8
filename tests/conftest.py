"""Fixtures for every suite; each lives with its kind in `tests/fixtures/`."""

import pytest

pytest.register_assert_rewrite("tests.fixtures")  # they import each other, in whatever order they stand here

pytest_plugins = [
    "tests.fixtures.apple_said",
    "tests.fixtures.browser",
    "tests.fixtures.engines",
    "tests.fixtures.faults",
    "tests.fixtures.house",
    "tests.fixtures.logs",
    "tests.fixtures.program",
    "tests.fixtures.served",
    "tests.fixtures.tables",
    "tests.fixtures.visits",
    "tests.fixtures.waiting",
]
