"""A new version changes the database only after a copy of it is safe, and that copy can still be restored."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from prometheus_client import CollectorRegistry

import appliance.storage
from appliance.bootstrap import open_services
from appliance.catalog.load import load_catalogue
from appliance.foundation.errors import MigrationFailed
from appliance.foundation.telemetry import Telemetry
from appliance.services import backup_file
from appliance.services.backup_file import BackupFile
from appliance.services.backups import Backups
from appliance.services.restoring import Restoring
from appliance.storage.database import Database
from tests.fixtures.house import settings_of

MIGRATIONS = Config()
MIGRATIONS.set_main_option("script_location", f"{appliance.storage.__path__[0]}/migrations")
NEWEST = ScriptDirectory.from_config(MIGRATIONS).get_current_head()


@pytest.fixture
def first_schema(database, ask):
    """The test's database as the first version made it, with a person in it."""
    ask("DROP SCHEMA public CASCADE")
    ask("CREATE SCHEMA public")
    with database.transaction() as connection:
        MIGRATIONS.attributes["connection"] = connection
        command.upgrade(MIGRATIONS, "0001")
    ask("INSERT INTO person (name, time_zone) VALUES ('Anna', 'Europe/Berlin')")
    database.close()


@pytest.fixture
def start(clean_engines, settings, clock):
    """Start this version on the database and stop it."""

    def run():
        with open_services(settings, clean_engines, clock=clock, registry=CollectorRegistry()):
            pass

    return run


@pytest.fixture
def saved(settings):
    """Return the names of the backups there are."""
    folder = settings.data_dir / "backups"
    return lambda: sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def schema(ask):
    return ask("SELECT version_num FROM alembic_version")[0][0]


def people(ask):
    return [name for (name,) in ask("SELECT name FROM person")]


def test_a_copy_is_made_before_the_schema_changes_and_never_again(first_schema, start, saved, ask, settings):
    start()
    assert (schema(ask), people(ask)) == (NEWEST, ["Anna"])
    (name,) = saved()
    assert name == f"hearthbeat-before-{NEWEST}-20260820-120000.hbbackup"
    told = BackupFile(settings.data_dir / "backups" / name).manifest
    assert (told.schema_revision, told.counts["person"], "job_run" in told.counts) == ("0001", 1, False)
    start()
    assert saved() == [name]


def test_a_copy_of_an_older_schema_is_proved_restored_and_brought_to_this_one(
    first_schema, start, saved, ask, database, clean_engines, settings, clock, tools
):
    start()
    ask("UPDATE person SET name = 'Ben'")
    database.close()
    copy = settings.data_dir / "backups" / saved()[0]
    here = Database(clean_engines.database_url)
    backups = Backups(here, load_catalogue(), settings, tools, clock, Telemetry(CollectorRegistry()))
    assert backups.verify(copy).problems == []
    Restoring(here, settings, tools, backups).restore(copy, overwrite=True)
    here.close()
    assert (schema(ask), people(ask)) == (NEWEST, ["Anna"])


def test_without_room_for_a_copy_nothing_is_changed(first_schema, start, saved, ask, monkeypatch):
    monkeypatch.setattr(backup_file, "SPARE_BYTES", 2**62)
    with pytest.raises(MigrationFailed, match=r"no room.*backup_before_migration"):
        start()
    assert (schema(ask), saved()) == ("0001", [])


@settings_of(backup_before_migration=False)
def test_who_wants_none_gets_none(first_schema, start, saved, ask):
    start()
    assert (schema(ask), saved()) == (NEWEST, [])


def test_a_migration_that_fails_names_the_copy(first_schema, start, saved, ask):
    ask("CREATE TABLE job_run (x int)")  # in the way of the one to come
    with pytest.raises(MigrationFailed) as caught:
        start()
    (name,) = saved()
    assert name in caught.value.detail
    assert schema(ask) == "0001"


def test_a_new_database_needs_no_copy(start, saved, ask):
    ask("DROP SCHEMA public CASCADE")
    ask("CREATE SCHEMA public")
    start()
    assert (schema(ask), saved()) == (NEWEST, [])
