"""A schema that cannot be brought to this version stops the start with one sentence, and nothing is half done."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

import appliance.storage
from appliance.bootstrap import running_engines
from appliance.foundation.settings import Settings
from appliance.storage.database import Database
from tests.fixtures.program import hearthbeat
from tests.process.conftest import engines_of

TABLES = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"


@contextmanager
def opened(data_dir):
    with running_engines(Settings(data_dir=data_dir), "a test") as engines:
        database = Database(engines.database_url)
        with database.transaction() as connection:
            yield connection
        database.close()


@pytest.fixture
def first_schema(data_dir):
    """A data folder as the first version left it, with somebody in it."""
    config = Config()
    config.set_main_option("script_location", f"{appliance.storage.__path__[0]}/migrations")
    with opened(data_dir) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO person (name, time_zone) VALUES ('Anna', 'UTC')"))


def refused(data_dir):
    """Start it in vain and return its one sentence."""
    done = hearthbeat("serve", "--port", "0", data_dir=data_dir, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert engines_of(data_dir) == []
    return done.stderr.strip().splitlines()[-1]


def test_a_migration_that_fails_leaves_the_old_schema_and_the_data(data_dir, first_schema, start_program):
    with opened(data_dir) as connection:
        connection.execute(text("CREATE TABLE job_run (mine text)"))
        before = connection.execute(text(TABLES)).all()
    sentence = refused(data_dir)
    assert "from schema 0001" in sentence
    assert "job_run" in sentence
    assert "it is as it was" in sentence
    with opened(data_dir) as connection:
        assert connection.execute(text(TABLES)).all() == before
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["0001"]
        assert connection.execute(text("SELECT name FROM person")).scalars().all() == ["Anna"]
        connection.execute(text("DROP TABLE job_run"))
    start_program(data_dir).stop()
    with opened(data_dir) as connection:
        assert connection.execute(text("SELECT name FROM person")).scalars().all() == ["Anna"]


def test_a_schema_of_a_newer_version_is_refused_and_left_alone(data_dir, first_schema):
    with opened(data_dir) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        before = connection.execute(text(TABLES)).all()
    sentence = refused(data_dir)
    assert "9999" in sentence
    assert "newer Hearthbeat" in sentence
    with opened(data_dir) as connection:
        assert connection.execute(text(TABLES)).all() == before


def test_a_database_elsewhere_that_is_not_there_is_named(data_dir):
    done = hearthbeat(
        "serve",
        "--port",
        "0",
        "--database-url",
        "postgresql://somebody:secret-word@127.0.0.1:9/nowhere",
        data_dir=data_dir,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.strip().splitlines()[-1]
    assert "127.0.0.1" in last
    assert "start again" in last
    assert "secret-word" not in done.stderr
    assert engines_of(data_dir) == []
