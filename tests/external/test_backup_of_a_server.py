"""A Postgres of one's own, older than our programs and with a password, is backed up, tried and restored like ours."""

from __future__ import annotations

import itertools

import psycopg
import pytest

from appliance.bootstrap import Engines, open_services, restoring
from appliance.foundation.errors import Conflict
from appliance.foundation.settings import Settings
from tests.external.servers import PASSWORD, postgres_url

_numbers = itertools.count(1)


@pytest.fixture
def house(_servers, tmp_path):
    """Settings for the server itself, and for the pooler before it, with one person in a database of its own."""
    _, direct_port, pooler_port, _ = _servers
    name = f"house_{next(_numbers)}"
    with psycopg.connect(postgres_url(direct_port, "postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')

    def settings(port):
        return Settings(data_dir=tmp_path / "data", database_url=postgres_url(port, name))

    direct = settings(direct_port)
    with opened(direct) as services:
        services.people.ensure("Anna")
    return direct, settings(pooler_port)


def opened(settings):
    return open_services(settings, Engines(settings.database_url.get_secret_value(), None, None))


def test_it_is_backed_up_proved_and_restored(house, tmp_path):
    direct, _ = house
    with opened(direct) as services:
        made = services.backups.make()
        assert services.backups.verify(made.path).problems == []
        services.people.ensure("Ben")
    assert PASSWORD.encode() not in made.path.read_bytes()
    with restoring(direct, made.path) as at_work:
        assert at_work.restore(made.path, overwrite=True).safety_copy.exists()
    with opened(direct) as services:
        assert services.people.ensure("Ben").person_id == 2  # who is new here, as when the backup was made


def test_a_pooler_lets_a_backup_through_and_a_restore_is_refused_unharmed(house):
    _, bounced = house
    with opened(bounced) as services:
        made = services.backups.make()
        assert services.backups.verify(made.path).problems == []
    with restoring(bounced, made.path) as at_work, pytest.raises(Conflict, match="connected"):
        at_work.restore(made.path, overwrite=True)
    with opened(bounced) as services:
        assert services.people.ensure("Anna").person_id == 1
