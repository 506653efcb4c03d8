"""Fixtures for every suite; each lives with its kind in `tests/fixtures/`."""

import pytest
from hypothesis import HealthCheck, settings

# Properties are judged by what they find: a slow machine must not fail one.
settings.register_profile("on_any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("on_any_machine")

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
