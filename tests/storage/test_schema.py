from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, text

from appliance.foundation.errors import DataFolderNewer
from appliance.storage.database import Database, StatementFailed
from appliance.storage.migrate import migrate
from appliance.storage.tables import metadata

COUNTS = ("received", "stored", "revised", "unchanged", "superseded", "quarantined")


@pytest.fixture
def empty_url(database_url, ask):
    """A database without any table."""
    ask("DROP SCHEMA public CASCADE")
    ask("CREATE SCHEMA public")
    return database_url


@pytest.fixture
def an_upload(database):
    """Insert an upload with these counts, as plainly as SQL can."""

    def insert(state="processed", **counts):
        columns = {name: counts.get(name, 0) for name in COUNTS}
        with database.transaction() as connection:
            connection.execute(
                text("INSERT INTO person (name, time_zone) VALUES ('Anna', 'UTC') ON CONFLICT DO NOTHING")
            )
            connection.execute(
                text(
                    f"INSERT INTO upload (person_id, request_id, received_at, state, content_type, content_encoding,"
                    f" size_bytes, {', '.join(COUNTS)})"
                    f" SELECT person_id, 'r', now(), :state, '', '', 0, {', '.join(f':{name}' for name in COUNTS)}"
                    " FROM person"
                ),
                columns | {"state": state},
            )

    return insert


def test_the_migrated_schema_is_the_one_the_tables_describe(database):
    with database.transaction() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_a_table_that_lacks_a_column_would_be_noticed(database):
    with database.transaction() as connection:
        connection.execute(text("ALTER TABLE sample DROP COLUMN extra"))
        assert compare_metadata(MigrationContext.configure(connection), metadata) != []


def test_every_check_of_the_tables_is_in_the_database(ask):
    described = {
        (table.name, check.name)
        for table in metadata.tables.values()
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }
    found = ask(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0"
    )
    assert {tuple(row) for row in found} == described != set()


def test_every_comment_of_the_tables_is_in_the_database(ask):
    described = {
        (table.name, column.name): column.comment
        for table in metadata.tables.values()
        for column in table.columns
    }
    found = ask(
        "SELECT table_name, column_name, col_description(format('%I', table_name)::regclass, ordinal_position)"
        " FROM information_schema.columns WHERE table_schema = 'public'"
    )
    assert {
        (table, column): told for table, column, told in found if (table, column) in described
    } == described


def test_counts_that_add_up_are_taken(an_upload, ask):
    an_upload(received=15, stored=1, revised=2, unchanged=3, superseded=4, quarantined=5)
    assert ask("SELECT received FROM upload") == [(15,)]


def test_counts_that_do_not_add_up_are_refused(an_upload, ask):
    for name in COUNTS:
        with pytest.raises(StatementFailed, match="upload_counts_add_up_check"):
            an_upload(**{name: 1})
    assert ask("SELECT * FROM upload") == []


def test_a_state_nobody_knows_is_refused(an_upload):
    with pytest.raises(StatementFailed, match="upload_state_check"):
        an_upload(state="lost")


def test_migrating_again_changes_nothing(database, ask):
    everything = "SELECT oid, relname, relfilenode FROM pg_class ORDER BY oid"
    before = ask(everything)
    assert migrate(database) is None
    assert ask(everything) == before


def test_an_empty_database_is_told_as_such(empty_url):
    database = Database(empty_url)
    assert migrate(database) == ""
    assert migrate(database) is None
    database.close()


def test_two_programs_may_migrate_at_once(empty_url):
    databases = [Database(empty_url) for _ in range(2)]
    together = threading.Barrier(2)

    def run(database):
        together.wait()
        return migrate(database)

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(run, databases))
    for database in databases:
        database.close()
    assert sorted(told, key=str) == ["", None]


def test_a_schema_of_a_newer_program_stops_the_start(database, ask):
    ask("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataFolderNewer, match="9999"):
        migrate(database)
    assert ask("SELECT version_num FROM alembic_version") == [("9999",)]
