"""What is held and what it takes of the disk; for owners also the database and the backups."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.job import Outcome, Run
from appliance.foundation.errors import Conflict
from appliance.services.backups import Backup
from web.frame import Visit, here, page
from web.kinds import kind_of
from web.pages.health import BACKUP_JOB
from web.pages.metrics import CATEGORIES
from web.pages.settings_people import refuse_unless_owner
from web.units import size_text
from web.words import moment

MONTHS_SHOWN = 24
TABLES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Amount:
    """A named amount as a bar; `share` is per cent of the largest."""

    name: str
    words: str
    share: float
    kind: str = "other"
    note: str = ""


@dataclass(frozen=True, slots=True)
class BackupLine:
    """One backup. `mark` as a badge's."""

    name: str
    made: str
    size: str
    rows: str
    mark: str
    proof: str


@dataclass(frozen=True, slots=True)
class HouseStorage:
    """What the whole appliance takes, for its owners."""

    database: str
    grown: str
    free: str
    tables: list[Amount]
    backups: list[BackupLine]
    backup_folder: str
    backup_runs: bool
    backs_up_nightly: bool
    data_folder: str
    retention: str


@dataclass(frozen=True, slots=True)
class StoragePage:
    """What is held of the person, and what the appliance takes."""

    samples: int
    metrics: int
    categories: list[Amount]
    months: list[Amount]
    uploads: int
    sent: str
    kept: str
    house: HouseStorage | None
    wrong: str


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/health/storage", endpoint="health_storage")
    def storage() -> Response:
        return page("health_storage.html", _storage(here()))

    @pages.post("/health/storage/backup", endpoint="health_storage_back_up")
    def back_up() -> Response | AnyResponse:
        visit = here()
        refuse_unless_owner(visit)
        try:
            visit.services.upkeep.start(BACKUP_JOB, within_s=0)
        except Conflict as error:
            return page("health_storage.html", _storage(visit, error.detail), error.status)
        return redirect(url_for("web.health_storage", _anchor="backups"))


def _storage(visit: Visit, wrong: str = "") -> StoragePage:
    summaries = visit.services.lookup.metrics(visit.person_id)
    counts: dict[str, int] = defaultdict(int)
    metrics: dict[str, int] = defaultdict(int)
    for each in summaries:
        counts[each.category] += each.held.samples
        metrics[each.category] += 1
    months = visit.services.holdings.uploads_by_month(visit.person_id, visit.person.time_zone)
    most = max(counts.values(), default=0)
    largest = max((int(row.kept_bytes) for row in months), default=0)
    return StoragePage(
        samples=sum(counts.values()),
        metrics=len(summaries),
        categories=[
            Amount(
                CATEGORIES.get(category, category.capitalize()),
                f"{count:,}",
                _share(count, most),
                kind_of(category),
                f"{metrics[category]} {'metric' if metrics[category] == 1 else 'metrics'}",
            )
            for category, count in sorted(counts.items(), key=lambda pair: -pair[1])
        ],
        months=[
            Amount(
                f"{row.month:%B %Y}",
                size_text(int(row.kept_bytes)),
                _share(int(row.kept_bytes), largest),
                note=f"{row.uploads:,} {'upload' if row.uploads == 1 else 'uploads'}, {size_text(int(row.sent_bytes))} as sent",
            )
            for row in months[:MONTHS_SHOWN]
        ],
        uploads=sum(row.uploads for row in months),
        sent=size_text(sum(int(row.sent_bytes) for row in months)),
        kept=size_text(sum(int(row.kept_bytes) for row in months)),
        house=_house(visit) if visit.visitor.is_owner else None,
        wrong=wrong,
    )


def _house(visit: Visit) -> HouseStorage:
    services = visit.services
    size = services.holdings.database_size()
    states = {state.job.name: state.last for state in services.upkeep.listed()}
    largest = max((state.bytes for state in size.tables), default=0)
    backup = states.get(BACKUP_JOB)
    return HouseStorage(
        database=size_text(size.total_bytes),
        grown=_grown(states.get("check_tables")),
        free=_free(states.get("check_space")),
        tables=[
            Amount(
                state.name.replace("_", " ").capitalize(),
                size_text(state.bytes),
                _share(state.bytes, largest),
                note=f"about {state.live:,} rows",
            )
            for state in size.tables[:TABLES_SHOWN]
        ],
        backups=[_backup(visit, each) for each in services.backups.listed()],
        backup_folder=str(services.backups.folder),
        backs_up_nightly=services.settings.backup_nightly,
        backup_runs=backup is not None and backup.outcome is Outcome.RUNNING,
        data_folder=str(services.settings.data_dir),
        retention=_retention(services.settings.raw_retention_days),
    )


def _retention(days: int) -> str:
    return (
        f"The bytes of uploads are kept for {days:,} days."
        if days
        else "The bytes of uploads are kept for ever."
    )


def _grown(run: Run | None) -> str:
    grown = run.result.get("grown_bytes") if run else None
    if not isinstance(grown, int):
        return ""
    return (
        f"{'grew' if grown >= 0 else 'shrank'} by {size_text(abs(grown))} between the last two nightly looks"
    )


def _free(run: Run | None) -> str:
    free = run.result.get("free_bytes") if run else None
    return size_text(free) if isinstance(free, int) else "not looked at yet"


def _share(amount: float, most: float) -> float:
    return round(100 * amount / most, 2) if most else 0.0


def _backup(visit: Visit, backup: Backup) -> BackupLine:
    mark, proof = "", "Not proved yet"
    if backup.problems:
        mark, proof = "bad", backup.problems[0]
    elif backup.proved_at:
        mark, proof = "good", f"Restored on trial {moment(backup.proved_at, visit.now)}"
    return BackupLine(
        backup.path.name,
        moment(backup.made_at, visit.now),
        size_text(backup.size_bytes),
        f"{backup.rows:,}",
        mark,
        proof,
    )
