"""A house with some data, and the programs that take it out and put it back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest

from appliance.engines.postgres_tools import PostgresTools
from appliance.services.backups import Backups
from appliance.storage.databases import Neighbours
from tests.fixtures.documents import document, hours, metric


@dataclass
class MeddlingTools:
    """The real programs, with something done on the way."""

    real: PostgresTools
    own_database: Callable[[], AbstractContextManager[str]] | None
    before_dump: list = field(default_factory=list)
    after_restore: str = ""
    scratch_fails: Exception | None = None

    def dump(self, url, snapshot, write):
        for meddle in self.before_dump:
            meddle()
        self.real.dump(url, snapshot, write)

    def restore(self, url, dump):
        self.real.restore(url, dump)
        if self.after_restore:
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                connection.execute(self.after_restore)

    def check(self, dump):
        self.real.check(dump)

    @contextmanager
    def scratch(self):
        if self.scratch_fails:
            raise self.scratch_fails
        with (self.own_database or self.real.scratch)() as url:
            yield url


@pytest.fixture
def tools(settings, engines) -> MeddlingTools:
    """Tools that try a backup in another database of the run's server; one of its own takes seconds to make."""

    @contextmanager
    def own_database():
        here = Neighbours(engines.url_of("trial"))
        yield here.make_fresh()
        here.tidy()

    real = PostgresTools(settings.data_dir / "scratch", account=settings.engine_user)
    return MeddlingTools(real, own_database)


@pytest.fixture
def backups(services, tools) -> Backups:
    """The house's backups, made with tools that a test can meddle with."""
    services.backups._tools = tools
    return services.backups


@pytest.fixture
def some_data(phone):
    """Three days of two metrics, with a revision, and something in quarantine."""
    for day in ("2026-08-05", "2026-08-06", "2026-08-07"):
        phone.send(a_day(day))
    phone.send(a_day("2026-08-07", 2))
    phone.send(document(metric("step_count", "furlongs", *hours("2026-08-07", [1]))))


def a_day(day, factor=1):
    return document(
        metric("step_count", "count", *hours(day, [factor * n for n in range(1, 25)])),
        metric("heart_rate", "bpm", *hours(day, [60 + factor * n for n in range(24)], "Ring")),
    )


@pytest.fixture
def counts(ask):
    """Ask for the rows of a table."""
    return lambda table: ask(f"SELECT count(*) FROM {table}")[0][0]
