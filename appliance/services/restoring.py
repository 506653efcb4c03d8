"""Restoring a backup beside the present database and letting it take its place, all at once or not at all."""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from appliance.foundation.errors import BackupFailed, Conflict
from appliance.foundation.paths import DataFolder
from appliance.foundation.settings import FILE_NAME as SETTINGS
from appliance.foundation.settings import Settings
from appliance.services.backup_file import BackupFile, require_room
from appliance.services.backups import Backups
from appliance.services.postgres_tools import PostgresTools
from appliance.services.proving import restored_as_told, room_to_restore
from appliance.storage import backups
from appliance.storage.database import Database
from appliance.storage.databases import Neighbours
from appliance.storage.migrate import migrate

# Settings that hold for the computer the backup was made on, and would lead another one astray.
OF_ONE_COMPUTER = {
    "database_url",
    "redis_url",
    "host",
    "port",
    "backup_dir",
    "engine_user",
    "postgres_bin",
    "valkey_server",
}
SWAP_WITHIN_S = 10.0

log = structlog.get_logger("hearthbeat.backups")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. `safety_copy` holds what was there before; `settings` is where the backup's went, if any."""

    rows: int
    schema_before: str
    safety_copy: Path | None
    settings: Path | None


class Restoring:
    """Puts a backup in the place of what is there. The caller has the data folder to itself."""

    def __init__(self, database: Database, settings: Settings, tools: PostgresTools, copies: Backups) -> None:
        self._database = database
        self._tools = tools
        self._copies = copies
        self._data = DataFolder(settings.data_dir)
        self._embedded = not settings.database_url.get_secret_value()

    def restore(
        self, path: Path, *, overwrite: bool, on_step: Callable[[str], object] = lambda _step: None
    ) -> Restored:
        """Restore a backup; `on_step` hears what is being done now.

        Until the last moment the present database is untouched, however this ends. Raises `Conflict` when there is
        data and `overwrite` is not set, or somebody else uses the database; `BackupDamaged`, `StorageFull`,
        `BackupFailed`, or `DataFolderNewer` for a backup of a newer Hearthbeat.
        """
        on_step("Checking the file")
        file = BackupFile(path)
        file.check()
        neighbours = Neighbours(self._database.url)
        safety_copy = self._save_what_is_there(neighbours, path, overwrite=overwrite, on_step=on_step)
        if self._embedded:
            require_room(self._data.root, room_to_restore(file.manifest), "to restore")
        on_step("Restoring")
        fresh = neighbours.make_fresh()
        try:
            self._tools.restore(fresh, file.dump())
            on_step("Comparing with the backup")
            self._finish(fresh, file)
            on_step("Exchanging")
            _swap(neighbours)
        except BaseException:
            neighbours.tidy()
            raise
        neighbours.tidy()
        rows = sum(count for table, count in file.manifest.counts.items() if " " not in table)
        log.info("backup_restored", file=path.name, rows=rows)
        return Restored(rows, file.manifest.schema_revision, safety_copy, self._put_settings(file.settings))

    def _save_what_is_there(
        self, neighbours: Neighbours, path: Path, *, overwrite: bool, on_step: Callable[[str], object]
    ) -> Path | None:
        with self._database.transaction() as connection:
            people = backups.people(connection)
        self._database.close()  # or we would count ourselves
        if people and not overwrite:
            raise Conflict(
                f"There is data already, of {people} {'person' if people == 1 else 'people'}; to put {path.name} in its place "
                "give --yes. A copy of what is there is made first."
            )
        if others := neighbours.others():
            raise Conflict(
                f"{others} other {'program is' if others == 1 else 'programs are'} connected to the database; stop every "
                "Hearthbeat that uses it first."
            )
        if not people:
            return None
        on_step("Making a copy of what is there")
        copy = self._copies.make_before("restore").path
        self._database.close()
        return copy

    def _finish(self, fresh: str, file: BackupFile) -> None:
        database = Database(fresh, pool_size=1)
        try:
            if problems := restored_as_told(database, file.manifest):
                raise BackupFailed(
                    f"What was restored is not what the backup tells: {problems[0]}. Take another backup."
                )
            migrate(database)
            with database.transaction() as connection:
                backups.begin_another_life(connection)
                backups.analyze(connection)
        finally:
            database.close()

    def _put_settings(self, content: bytes | None) -> Path | None:
        """Write the backup's settings where there are none; beside them otherwise, or when they are of one computer."""
        place = self._data.root / SETTINGS
        if content is None or (place.exists() and place.read_bytes() == content):
            return None
        if place.exists() or _of_one_computer(content):
            place = place.with_name("settings.from-backup.toml")
        place.unlink(missing_ok=True)
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return place


def _swap(neighbours: Neighbours) -> None:
    """Exchange the databases, giving a client that is just looking in a moment to go."""
    deadline = time.monotonic() + SWAP_WITHIN_S
    while True:
        try:
            neighbours.swap()
        except BackupFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _of_one_computer(content: bytes) -> bool:
    try:
        told = tomllib.loads(content.decode())
    except ValueError:  # of TOML and of UTF-8
        return True
    return not OF_ONE_COMPUTER.isdisjoint(told)
