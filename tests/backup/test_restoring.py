"""A restore happens beside the present data and takes its place at once; however it ends before, nothing has changed."""

from __future__ import annotations

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from appliance.bootstrap import open_services
from appliance.catalog.load import load_catalogue
from appliance.foundation.errors import BackupDamaged, BackupFailed, Conflict, DataFolderNewer
from appliance.foundation.telemetry import Telemetry
from appliance.services.backup_file import BackupFile
from appliance.services.backups import Backups
from appliance.services.restoring import Restoring
from appliance.storage.database import Database
from appliance.storage.databases import Neighbours
from tests.backup.conftest import a_day
from tests.fixtures.tables import held_in


class House:
    """A house that is closed, its backup, and what restoring takes."""

    def __init__(self, engines, settings, clock, tools):
        self.engines, self.settings, self.clock, self.tools = engines, settings, clock, tools
        self.steps = []
        # Its own pool, which says where the database is; a test asks through another.
        self.database = Database(engines.database_url)
        telemetry = Telemetry(CollectorRegistry())
        self.copies = Backups(self.database, load_catalogue(), settings, tools, clock, telemetry)

    def open(self):
        return open_services(self.settings, self.engines, clock=self.clock, registry=CollectorRegistry())

    def restore(self, path, *, overwrite=True):
        restoring = Restoring(self.database, self.settings, self.tools, self.copies)
        return restoring.restore(path, overwrite=overwrite, on_step=self.steps.append)

    def databases(self):
        with psycopg.connect(self.database.url.replace("+psycopg", "")) as connection:
            rows = connection.execute("SELECT datname FROM pg_database").fetchall()
        here = Neighbours(self.database.url)
        return {name for (name,) in rows} & {here.name, here.fresh, here.replaced}


@pytest.fixture
def house(clean_engines, settings, clock, tools):
    house = House(clean_engines, settings, clock, tools)
    yield house
    house.database.close()


@pytest.fixture
def saved(house, database):
    """A backup of three uploads; since then there are two more, and the house is closed."""
    from appliance.api.app import create_app  # noqa: PLC0415
    from appliance.domain.key import Scope  # noqa: PLC0415
    from tests.fixtures.house import a_phone  # noqa: PLC0415
    from web.pages import create_blueprint  # noqa: PLC0415

    with house.open() as services:
        phone = a_phone(create_app(services, create_blueprint(services)), services, "Anna", list(Scope))
        for day in ("2026-08-05", "2026-08-06"):
            phone.send(a_day(day))
        made = house.copies.make()
        phone.send(a_day("2026-08-06", 5))
        phone.send(a_day("2026-08-07"))
    house.database.close()
    return made.path


@pytest.fixture
def held(database, ask):
    """Everything that is held, told by a connection that does not stay."""

    def tell():
        told = held_in(ask)
        database.close()
        return told

    return tell


def test_after_a_restore_everything_is_as_it_was(house, saved, held, ask, database):
    later = held()
    done = house.restore(saved)
    earlier = held()
    assert (len(later["truth"]), len(earlier["truth"])) == (6, 4)
    assert done.safety_copy.name == "hearthbeat-before-restore-20260820-120000.hbbackup"
    assert house.databases() == {Neighbours(house.database.url).name}
    database.close()
    house.restore(done.safety_copy)
    assert held() == later


def test_numbers_and_answers_go_on_where_none_has_been(house, saved, held, ask, database):
    """A cached answer of the life before must not be found again, and ids must not be given twice."""
    greatest = ask("SELECT max(generation), max(series_id) FROM series")[0]
    database.close()
    house.restore(saved)
    assert ask("SELECT nextval('generation')")[0][0] > greatest[0] + 1_000_000
    ask("INSERT INTO person (name, time_zone) VALUES ('Ben', 'UTC')")


def test_data_that_is_there_is_not_replaced_unasked(house, saved, held):
    before = held()
    with pytest.raises(Conflict, match="--yes"):
        house.restore(saved, overwrite=False)
    assert held() == before
    assert "Restoring" not in house.steps


def test_a_database_that_somebody_uses_is_not_replaced(house, saved, held, ask):
    ask("SELECT 1")  # and stays connected
    with pytest.raises(Conflict, match="connected"):
        house.restore(saved)


def test_a_damaged_file_changes_nothing_and_makes_no_copy(house, saved, held):
    before = held()
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 1
    saved.write_bytes(content)
    with pytest.raises(BackupDamaged):
        house.restore(saved)
    assert held() == before
    assert [path.name for path in house.copies.folder.iterdir()] == [saved.name]


@pytest.mark.parametrize(
    "harm",
    [
        "DELETE FROM sample",
        "UPDATE rollup SET value = 0",
        "INSERT INTO person (name, time_zone) VALUES ('X', '')",
    ],
)
def test_what_is_not_restored_as_it_was_takes_no_place(house, saved, held, harm):
    before = held()
    house.tools.after_restore = harm
    with pytest.raises(BackupFailed, match="not what the backup tells"):
        house.restore(saved)
    assert held() == before
    assert house.databases() == {Neighbours(house.database.url).name}


def test_what_a_killed_restore_left_is_no_obstacle(house, saved, held):
    here = Neighbours(house.database.url)
    with psycopg.connect(here.url_of("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        for name in (here.fresh, here.replaced):
            connection.execute(f'CREATE DATABASE "{name}"')
    house.restore(saved)
    assert len(held()["truth"]) == 4
    assert house.databases() == {here.name}


def test_a_backup_of_a_newer_hearthbeat_is_refused_and_nothing_changes(house, saved, held, ask, database):
    ((own,),) = ask("SELECT version_num FROM alembic_version")
    ask("UPDATE alembic_version SET version_num = '9999'")
    newer = house.copies.make()
    ask(f"UPDATE alembic_version SET version_num = '{own}'")
    before = held()
    database.close()
    house.database.close()
    with pytest.raises(DataFolderNewer, match="9999"):
        house.restore(newer.path)
    assert held() == before


def test_settings_are_restored_where_there_are_none_and_put_beside_otherwise(house, saved, tmp_path):
    place = tmp_path / "settings.toml"

    def put(content, present=None):
        place.unlink(missing_ok=True)
        if present is not None:
            place.write_text(present)
        restoring = Restoring(house.database, house.settings, house.tools, house.copies)
        return restoring._put_settings(content)

    beside = tmp_path / "settings.from-backup.toml"
    assert put(None) is None
    assert put(b"threads = 4") == place
    assert place.read_bytes() == b"threads = 4"
    assert put(b"threads = 4", "threads = 4") is None
    assert put(b"threads = 4", "threads = 8") == beside
    assert (place.read_text(), beside.read_bytes()) == ("threads = 8", b"threads = 4")
    for of_elsewhere in (
        b'database_url = "postgresql://elsewhere/x"',
        b'backup_dir = "/mnt/usb"',
        b"not toml",
        b"\xff",
    ):
        assert put(of_elsewhere) == beside
        assert not place.exists()


@pytest.fixture
def large_dump(house, saved, ask, database):
    """A dump far larger than what fits between two programs."""
    ask("INSERT INTO appliance SELECT n::text, sha256(n::text::bytea) FROM generate_series(1, 100000) AS n")
    database.close()
    return BackupFile(house.copies.make().path)


def test_programs_that_stop_in_the_middle_keep_nobody_waiting(house, large_dump):
    with pytest.raises(BackupFailed, match="could not be restored"):
        house.tools.restore(house.database.url, large_dump.dump())  # where all of it is already


def test_a_dump_that_breaks_off_while_it_is_read_leaves_nothing_behind(house, large_dump):
    def breaking():
        yield next(large_dump.dump())[:1_000_000]
        raise BackupDamaged("The stick was pulled out.")

    here = Neighbours(house.database.url)
    fresh = here.make_fresh()
    with pytest.raises(BackupDamaged, match="pulled out"):
        house.tools.restore(fresh, breaking())
    with psycopg.connect(fresh.replace("+psycopg", "")) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)
    here.tidy()
