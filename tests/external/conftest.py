from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import redis
from prometheus_client import CollectorRegistry

from appliance.bootstrap import Engines, open_services
from appliance.domain.key import Scope
from appliance.foundation.settings import Settings
from appliance.services import Services
from tests.external import servers
from tests.fixtures.http import RealPhone
from tests.fixtures.program import Program, Starter, hearthbeat

REQUESTS_PER_HOUR = 150
FAILED_ATTEMPTS = 30
# Makes a body larger than what these instances work on before they answer.
PUT_OFF = b" " * 1024 * 1024

_numbers = itertools.count(1)


@dataclass
class Shared:
    """One database and one Redis for several instances. `url` is the way the instances take, `direct` the straight one."""

    folder: Path
    url: str
    direct: str
    redis_url: str
    start: Starter = field(default_factory=Starter)

    def instance(self, *options: str) -> Program:
        """Start an instance on a data folder of its own, told of its servers by files as secrets are."""
        number = next(_numbers)
        return self.start(
            self.folder / f"instance-{number}",
            "--sync-upload-mb=1",
            f"--limit-requests-per-hour={REQUESTS_PER_HOUR}",
            f"--limit-failed-attempts={FAILED_ATTEMPTS}",
            "--time-zone=Europe/Berlin",
            *options,
            **self.variables(),
        )

    def variables(self) -> dict[str, str]:
        """The environment that names the servers."""
        return {f"HEARTHBEAT_{name}_FILE": str(self.folder / name) for name in ("DATABASE_URL", "REDIS_URL")}

    def command(self, data_dir: Path, *words: str) -> str:
        """Run a short command beside the instance of this folder, and return what it prints."""
        return hearthbeat(*words, data_dir=data_dir, **self.variables()).stdout

    @contextmanager
    def services(self) -> Iterator[Services]:
        """The services in this process, as a third instance has them."""
        settings = Settings(data_dir=self.folder / "here", time_zone="Europe/Berlin")
        engines = Engines(self.url, self.redis_url, None)
        with open_services(settings, engines, registry=CollectorRegistry()) as built:
            yield built

    def settled(self, upload_id: int) -> bool:
        """Whether an upload has been worked on; asked here, because requests are counted."""
        return self.ask("SELECT state FROM upload WHERE upload_id = %s", upload_id) != [("received",)]

    def ask(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run one statement past every pool and return its rows, if it has any."""
        with psycopg.connect(self.direct, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []


@dataclass
class Pair:
    """Two instances on one database and one Redis, and the services on them in this process."""

    shared: Shared
    a: Program
    b: Program
    services: Services

    def phones(self, person: str = "") -> tuple[RealPhone, RealPhone]:
        """Make a key for a new person (or this one) and return a phone at each instance that uses it."""
        key = self.key(person or f"Person {next(_numbers)}")
        return RealPhone(self.a.url, key), RealPhone(self.b.url, key)

    def key(self, person: str) -> str:
        """Make a key that may do everything."""
        return self.services.keys.create("Phone", list(Scope), person_name=person).secret_text


@pytest.fixture(scope="session")
def _servers() -> Iterator[tuple[Path, int, int, str]]:
    with tempfile.TemporaryDirectory(prefix="hb-external-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the servers run as another account when root runs the tests
        with (
            servers.postgres(folder / "postgres") as postgres,
            servers.pgbouncer(folder / "pgbouncer", postgres) as bouncer,
            servers.redis_server(folder / "redis") as redis_url,
        ):
            yield folder, postgres, bouncer, redis_url


@pytest.fixture(scope="session", params=["direct", "pgbouncer"])
def shared(_servers, request) -> Iterator[Shared]:
    """An empty database, reached straight or through pgbouncer, and an empty Redis."""
    yield from _shared(_servers, request.param)


@pytest.fixture
def empty(_servers) -> Iterator[Shared]:
    """The same for one test alone, through pgbouncer."""
    yield from _shared(_servers, "pgbouncer")


def _shared(found: tuple[Path, int, int, str], way: str) -> Iterator[Shared]:
    folder, postgres, bouncer, redis_url = found
    database = f"{way}_{next(_numbers)}"
    direct = servers.postgres_url(postgres, database)
    with psycopg.connect(servers.postgres_url(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{database}"')
    url = direct if way == "direct" else servers.postgres_url(bouncer, database)
    own = folder / database
    own.mkdir()
    (own / "DATABASE_URL").write_text(f"{url}\n")
    (own / "REDIS_URL").write_text(f"{redis_url}\n")
    made = Shared(own, url, direct, redis_url)
    yield made
    made.start.end_all()


@pytest.fixture(scope="session")
def _running_pair(shared: Shared) -> Iterator[Pair]:
    with shared.services() as services, ThreadPoolExecutor(2) as pool:
        yield Pair(shared, *pool.map(lambda _: shared.instance(), range(2)), services)


@pytest.fixture
def pair(_running_pair: Pair) -> Pair:
    """Two instances that run for all tests, and nothing remembered in Redis."""
    with redis.Redis.from_url(_running_pair.shared.redis_url) as client:
        client.flushall()
    return _running_pair
