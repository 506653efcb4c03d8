"""Whether a backup can really be restored: it is restored, on a server that is thrown away, and compared."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.localday import day_number
from appliance.foundation.errors import BackupFailed
from appliance.services.backup_file import BackupFile, Manifest, require_room
from appliance.services.postgres_tools import PostgresTools
from appliance.services.resolving import resolve_days
from appliance.services.rules import rules_of
from appliance.storage import backups, rollups, series
from appliance.storage.backups import DayDigest
from appliance.storage.database import Database, StatementFailed
from appliance.storage.migrate import migrate

# An empty server, and what restoring writes beside the tables.
SERVER_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """What a trial restore showed, in sentences. With no `problems` the backup is proved.

    `days` were compared with what they were, `recomputed` of them resolved from their samples; `doubts` are days that
    came out otherwise, which the backup only passes on.
    """

    rows: int
    days: int
    recomputed: int
    problems: list[str]
    doubts: list[str] = field(default_factory=list)
    seconds: float = 0.0


def room_to_restore(manifest: Manifest) -> int:
    """Return the bytes that a restored database may take, with something for its way there."""
    return manifest.database_bytes + manifest.database_bytes // 4


def prove(file: BackupFile, tools: PostgresTools, catalogue: Catalogue, version: str, disk: Path) -> Report:
    """Restore a backup to a scratch server on `disk` and compare it with what it says of itself.

    Raises `BackupDamaged` for a file that is cut or changed, `StorageFull` without room, and `BackupFailed` or
    `HostError` when it could not be tried.
    """
    begin = time.monotonic()
    file.check()
    require_room(disk, room_to_restore(file.manifest) + SERVER_BYTES, "to try the backup")
    with tools.scratch() as url:
        tools.restore(url, file.dump())
        database = Database(url, pool_size=1)
        try:
            problems = restored_as_told(database, file.manifest)
            doubts: list[str] = []
            recomputed = 0
            # Another version may resolve days otherwise, and then its numbers are no fault of the backup's.
            if not problems and file.manifest.version == version:
                migrate(database)
                doubts = _doubts(database, catalogue, file.manifest.days)
                recomputed = len(file.manifest.days)
        finally:
            database.close()
    rows = sum(count for table, count in file.manifest.counts.items() if " " not in table)
    return Report(rows, len(file.manifest.days), recomputed, problems, doubts, time.monotonic() - begin)


def restored_as_told(database: Database, manifest: Manifest) -> list[str]:
    """Return a sentence for everything in a restored database that is not as its backup tells."""
    try:
        with database.transaction() as connection:
            backups.look_at_one_moment(connection)
            problems = list(backups.differences(manifest.counts, backups.counts(connection)))
            if (held := backups.revision(connection)) != manifest.schema_revision:
                problems.append(f"the schema is {held} and should be {manifest.schema_revision}")
            if not problems:
                problems += [
                    f"{day.metric} on {day.day} of person {day.person_id} is not what it was"
                    for day in manifest.days
                    if backups.day_digest(connection, day.person_id, day.metric, day.day) != day.digest
                ]
    except StatementFailed as error:
        raise BackupFailed(f"The restored database cannot be looked at: {error}.") from error
    return problems


def _doubts(database: Database, catalogue: Catalogue, days: Sequence[DayDigest]) -> list[str]:
    """Resolve these days from the restored samples and return a sentence for each that comes out otherwise."""
    by_person: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for day in days:
        by_person[day.person_id][day.metric].add(day_number(day.day))
    doubts = []
    with database.transaction() as connection:
        for person_id, wanted in by_person.items():
            doubts += _of_person(connection, person_id, catalogue, wanted)
    return doubts


def _of_person(
    connection: Connection, person_id: int, catalogue: Catalogue, wanted: dict[str, set[int]]
) -> list[str]:
    states = series.of_person(connection, person_id, wanted)
    resolved = resolve_days(connection, person_id, rules_of(connection, person_id, catalogue), states, wanted)
    doubts = []
    for metric, numbers in wanted.items():
        true = {day.day: day for day in resolved[metric]}
        for row in rollups.of_numbers(connection, person_id, metric, numbers):
            day = true.get(day_number(row.day))
            if day is None or not rollups.tells(row, day):
                doubts.append(
                    f"{metric} on {row.day} of person {person_id} is not what its samples add up to"
                )
    return doubts
