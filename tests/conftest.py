"""Fixtures for every suite; each lives with its kind in `tests/fixtures/`."""

pytest_plugins = [
    "tests.fixtures.engines",
    "tests.fixtures.house",
    "tests.fixtures.logs",
    "tests.fixtures.program",
    "tests.fixtures.tables",
    "tests.fixtures.waiting",
]
