"""Backups: made of one moment while uploads go on, proved by restoring them, and kept as long as they are worth it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog

from appliance.catalog.load import Catalogue
from appliance.domain.job import JobResult, Outcome
from appliance.domain.rotation import Kept, worth_keeping
from appliance.foundation.clock import Clock
from appliance.foundation.errors import BackupDamaged, BackupFailed, HearthbeatError, MigrationFailed
from appliance.foundation.paths import DataFolder
from appliance.foundation.settings import FILE_NAME as SETTINGS
from appliance.foundation.settings import Settings
from appliance.foundation.telemetry import Telemetry
from appliance.services.backup_file import SUFFIX, BackupFile, Manifest, new_backup, remove, require_room
from appliance.services.postgres_tools import PostgresTools
from appliance.services.proving import Report, prove
from appliance.storage import backups
from appliance.storage.database import Database, StatementFailed
from appliance.storage.databases import Neighbours

NAME = "hearthbeat"
NIGHTLY = f"{NAME}-nightly"  # these make room for newer ones; what somebody made by hand stays
BAD = ".bad"
# Of copies made before a migration or a restore, and of backups that turned out bad, so many stay.
SPECIAL_KEPT = 3
DAYS_COMPARED = 20

log = structlog.get_logger("hearthbeat.backups")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup in the folder. `proved_at` is when a trial restore last went well; `problems` are of the last trial."""

    path: Path
    made_at: datetime
    size_bytes: int
    version: str
    rows: int
    proved_at: datetime | None
    problems: tuple[str, ...] = ()


class Backups:
    """Makes, proves, lists and forgets backups."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        settings: Settings,
        tools: PostgresTools,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._settings = settings
        self._tools = tools
        self._clock = clock
        self._data = DataFolder(settings.data_dir)
        self.folder = settings.backup_dir or self._data.backups
        telemetry.last_proved_backup.set_function(self._last_proved)

    def make(
        self,
        folder: Path | None = None,
        *,
        name: str = NAME,
        on_progress: Callable[[int, int | None], object] = lambda _done, _total: None,
    ) -> Backup:
        """Back up everything as it is at this moment, to the backup folder or another one.

        `on_progress` is told the bytes written so far. Raises `StorageFull`, `BackupFailed` or
        `DatabaseUnavailable`; then there is no file.
        """
        folder = folder or self.folder
        self._prepare(folder)
        made_at = self._clock.now()
        path = _free_path(folder, f"{name}-{made_at.astimezone(UTC):%Y%m%d-%H%M%S}")
        try:
            # The transaction stays open while pg_dump reads, so that both see the same moment.
            with self._database.transaction() as connection:
                backups.look_at_one_moment(connection)
                size = backups.size_bytes(connection)
                require_room(folder, self._expected_size(size), "for a backup")
                snapshot = backups.export_snapshot(connection)
                schema = backups.revision(connection)
                if schema is None:
                    raise BackupFailed("There is nothing to back up yet: the database is empty.")
                with new_backup(path) as file:
                    dump_bytes, dump_sha256 = file.write_dump(
                        lambda write: self._tools.dump(self._database.url, snapshot, write),
                        lambda done: on_progress(done, None),
                    )
                    manifest = Manifest(
                        version=version("hearthbeat"),
                        schema_revision=schema,
                        made_at=made_at,
                        database_bytes=size,
                        counts=backups.counts(connection),
                        days=backups.random_days(connection, DAYS_COMPARED),
                        dump_bytes=dump_bytes,
                        dump_sha256=dump_sha256,
                        settings_sha256=self._write_settings(file.write_settings),
                    )
                    file.write_manifest(manifest)
        except StatementFailed as error:
            raise BackupFailed(
                f"The database could not be read for a backup: {error}. Behind a pooler, name the server itself in database_url."
            ) from error
        try:
            made = BackupFile(path)
            self._tools.check(made.dump())
        except HearthbeatError:
            remove(path)
            raise
        log.info("backup_made", file=path.name, bytes=made.size_bytes)
        return _told(made)

    def verify(self, path: Path) -> Report:
        """Prove a backup by restoring it to a scratch server, and note the result beside it.

        Raises `BackupDamaged` for a file that is cut, changed or not ours, and other errors when it could not be tried.
        """
        return verify(path, self._tools, self._catalogue, self._data.root, self._clock)

    def nightly(self) -> JobResult:
        """Make a backup, prove it, and forget what is no longer worth its room. Raises as `make` does."""
        if not self._settings.backup_nightly:
            return JobResult("Nightly backups are switched off (backup_nightly).")
        with self._database.transaction() as connection:
            if not backups.holds_uploads(connection):
                return JobResult("There is nothing to back up yet.")
        with suppress(HearthbeatError):
            Neighbours(self._database.url).tidy()  # a killed restore may have left a whole copy
        made = self.make(name=NIGHTLY)
        result: dict[str, Any] = {
            "file": made.path.name,
            "bytes": made.size_bytes,
            "rows": made.rows,
            "proved": False,
        }
        try:
            report = self.verify(made.path)
        except BackupDamaged as error:
            report = Report(0, 0, 0, [error.detail])
        except HearthbeatError as error:
            self._forget(made.path)
            return JobResult(
                f"Backup {made.path.name} is made, and could not be proved: {error.detail}",
                result,
                Outcome.FOUND,
            )
        if report.problems:
            aside = self._put_aside(made.path)
            self._forget()
            return JobResult(
                f"Backup {made.path.name} cannot be restored ({report.problems[0]}); it is kept as {aside.name}, and the ones "
                "before it are untouched.",
                result | {"problems": len(report.problems)},
                Outcome.FOUND,
            )
        gone = self._forget(made.path)
        result |= {"proved": True, "days": report.days, "forgotten": gone, "doubts": len(report.doubts)}
        told = (
            f"Backup {made.path.name} is made and proved: restored on trial, {made.rows:,} rows and {report.days} days "
            "are as they were."
        )
        if report.doubts:
            return JobResult(f"{told} But {report.doubts[0]}.", result, Outcome.FOUND)
        return JobResult(told, result)

    def make_before(self, what: str) -> Backup:
        """Make a backup because something is about to change everything, and name it so. Raises as `make` does."""
        return self.make(name=f"{NAME}-before-{what}")

    def make_before_migration(self, target: str) -> str:
        """Make a backup before the schema becomes `target`, and return where. Raises `MigrationFailed`."""
        try:
            return str(self.make_before(target).path)
        except HearthbeatError as error:
            raise MigrationFailed(
                "This version of Hearthbeat changes the database, and the backup before that failed. "
                f"{error.detail} To go without one, start once with backup_before_migration=false."
            ) from error

    def listed(self) -> list[Backup]:
        """Return the backups in the folder, newest first; a file that cannot be read tells so as its problem."""
        found = []
        for path in self._files():
            try:
                found.append(_told(BackupFile(path)))
            except BackupFailed as error:
                with suppress(OSError):
                    held = path.stat()
                    made_at = datetime.fromtimestamp(held.st_mtime, UTC)
                    found.append(Backup(path, made_at, held.st_size, "", 0, None, (error.detail,)))
        return sorted(found, key=lambda backup: backup.made_at, reverse=True)

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.glob(f"{NAME}-*{SUFFIX}") if path.is_file())
        except OSError:
            return []

    def _last_proved(self) -> float:
        try:
            proved = [backup.proved_at.timestamp() for backup in self.listed() if backup.proved_at]
        except HearthbeatError:
            return 0.0
        return max(proved, default=0.0)

    def _prepare(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BackupFailed(
                f"The folder {folder} for backups cannot be used: {error.strerror or error}; connect its disk or choose another."
            ) from error

    def _expected_size(self, database_bytes: int) -> int:
        """Return what a backup may take: a little more than the last one, or half of the database."""
        newest = next((backup.size_bytes for backup in self.listed() if backup.rows), None)
        return database_bytes // 2 if newest is None else newest + newest // 4

    def _write_settings(self, write: Callable[[bytes], str]) -> str:
        try:
            return write((self._data.root / SETTINGS).read_bytes())
        except FileNotFoundError:
            return ""

    def _put_aside(self, path: Path) -> Path:
        aside = path.with_name(path.name + BAD)
        path.replace(aside)
        remove(path)  # what is left is the note beside it
        return aside

    def _forget(self, made: Path | None = None) -> int:
        """Delete what rotation no longer keeps and return how many; only files that we named, in our own folder.

        The one just `made` stays: with the clock set back it would look older than all others.
        """
        ordinary = [
            backup for backup in self.listed() if backup.path.match(f"{NIGHTLY}-*{SUFFIX}") and backup.rows
        ]
        kept = Kept(
            self._settings.backup_keep_days,
            self._settings.backup_keep_weeks,
            self._settings.backup_keep_months,
        )
        keep = worth_keeping(((backup.made_at, backup.proved_at is not None) for backup in ordinary), kept)
        gone = [backup.path for backup in ordinary if backup.made_at not in keep and backup.path != made]
        for pattern in (f"{NAME}-before-*{SUFFIX}", f"{NIGHTLY}-*{SUFFIX}{BAD}"):
            newest_last = sorted(self.folder.glob(pattern), key=lambda path: path.stat().st_mtime)
            gone += newest_last[:-SPECIAL_KEPT]
        for path in gone:
            remove(path)
        if gone:
            log.info("backups_forgotten", files=[path.name for path in gone])
        return len(gone)


def verify(path: Path, tools: PostgresTools, catalogue: Catalogue, disk: Path, clock: Clock) -> Report:
    """Prove a backup without a database of ours, as `Backups.verify` does."""
    file = BackupFile(path)
    try:
        report = prove(file, tools, catalogue, version("hearthbeat"), disk)
    except BackupDamaged as error:
        file.note(clock.now(), [error.detail])
        raise
    file.note(clock.now(), report.problems)
    log.info("backup_tried", file=path.name, problems=len(report.problems), seconds=round(report.seconds, 1))
    return report


def _told(file: BackupFile) -> Backup:
    proof = file.proof()
    problems = tuple(proof.problems) if proof else ()
    return Backup(
        file.path,
        file.manifest.made_at,
        file.size_bytes,
        file.manifest.version,
        sum(count for table, count in file.manifest.counts.items() if " " not in table),
        proof.proved_at if proof and not problems else None,
        problems,
    )


def _free_path(folder: Path, stem: str) -> Path:
    path, number = folder / f"{stem}{SUFFIX}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{SUFFIX}"
    return path
