"""The appliance itself, for its owners: backups, what is kept and how much, the network, and what it is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from pydantic import SecretStr
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.job import Outcome, Run
from appliance.foundation.errors import Conflict
from appliance.foundation.network import adapters, is_loopback
from appliance.foundation.settings import FILE_NAME, Settings
from web.frame import Visit, here, page, part
from web.pages.settings_people import refuse_unless_owner
from web.units import size_text
from web.words import moment

BACKUP_JOB = "backup"
BACKUPS_SHOWN = 5
GROUPS = (
    (
        "What is kept",
        (
            "raw_retention_days",
            "backup_dir",
            "backup_nightly",
            "backup_keep_days",
            "backup_keep_weeks",
            "backup_keep_months",
        ),
    ),
    (
        "Limits",
        (
            "max_upload_mb",
            "sync_upload_mb",
            "limit_requests_per_hour",
            "limit_upload_mb_per_hour",
            "limit_failed_attempts",
            "limit_failed_logins",
            "disk_reserve_mb",
        ),
    ),
    ("Network", ("host", "port")),
    ("Engines", ("database_url", "redis_url")),
)
# Parts of the front end come as source into our own files, so no package tells of them.
_IN_THE_BROWSER = (("Apache ECharts", "Apache-2.0"), ("htmx", "0BSD"))


@dataclass(frozen=True, slots=True)
class SettingLine:
    """A setting as it is: its line for settings.toml, its meaning, and where its value came from."""

    name: str
    line: str
    description: str
    origin: str


@dataclass(frozen=True, slots=True)
class BackupLine:
    """One backup in the folder. `mark` as a badge's."""

    name: str
    made: str
    size: str
    mark: str
    proof: str


@dataclass(frozen=True, slots=True)
class BackupPart:
    """The backups and how the last run of the job went; asked again while one runs."""

    folder: str
    backups: list[BackupLine]
    more: int
    is_running: bool
    told: str
    has_failed: bool


@dataclass(frozen=True, slots=True)
class AddressLine:
    """Where this computer can be reached."""

    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Component:
    """Something Hearthbeat is built on."""

    name: str
    version: str
    licence: str


@dataclass(frozen=True, slots=True)
class HousePage:
    """The appliance. `is_alone`: it listens to this computer and to nobody else."""

    backup: BackupPart
    is_alone: bool
    addresses: list[AddressLine]
    groups: list[tuple[str, list[SettingLine]]]
    settings_file: str
    data_folder: str
    version: str
    started: str
    components: list[Component]
    wrong: str = ""


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/settings/appliance", endpoint="settings_house")
    def house() -> Response:
        visit = here()
        refuse_unless_owner(visit)
        return page("settings_house.html", _page(visit))

    @pages.get("/settings/appliance/backups", endpoint="settings_house_backups")
    def backups() -> Response:
        visit = here()
        refuse_unless_owner(visit)
        return part("parts/settings_backups.html", _backup_part(visit))

    @pages.post("/settings/appliance/backups", endpoint="settings_house_back_up")
    def back_up() -> Response | AnyResponse:
        visit = here()
        refuse_unless_owner(visit)
        try:
            visit.services.upkeep.start(BACKUP_JOB, within_s=0)
        except Conflict as error:
            return page("settings_house.html", _page(visit, error.detail), error.status)
        return redirect(url_for("web.settings_house", _anchor="backups"))


def setting_line(settings: Settings, name: str) -> SettingLine:
    """Return how a setting stands in settings.toml. What may hold a password is never told."""
    value = getattr(settings, name)
    description = Settings.model_fields[name].description or ""
    return SettingLine(name, f"{name} = {_toml(value)}", description, settings.origin(name))


def _toml(value: Any) -> str:
    if isinstance(value, SecretStr):
        return '"…"' if value.get_secret_value() else '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = "" if value is None else str(value)
    # A literal string, so that a Windows path needs no escapes.
    return f"'{text}'" if "\\" in text else f'"{text}"'


def _page(visit: Visit, wrong: str = "") -> HousePage:
    settings = visit.services.settings
    status = visit.services.health.status()
    return HousePage(
        backup=_backup_part(visit),
        is_alone=is_loopback(settings.host),
        addresses=_addresses(),
        groups=[(title, [setting_line(settings, name) for name in names]) for title, names in GROUPS],
        settings_file=str(settings.data_dir / FILE_NAME),
        data_folder=str(settings.data_dir),
        version=status.version,
        started=moment(status.started_at, visit.now),
        components=components(),
        wrong=wrong,
    )


def _addresses() -> list[AddressLine]:
    port = f":{request.host.rpartition(':')[2]}" if re.search(r":\d+$", request.host) else ""
    words = {"network": "network", "virtual": "virtual, phones do not reach it", "vpn": "VPN"}
    return [
        AddressLine(
            f"{request.scheme}://{adapter.address}{port}/",
            f"{adapter.name}, {words[adapter.kind]}"
            + (", the one phones should use" if adapter.has_default_route else ""),
        )
        for adapter in adapters()
    ]


def _backup_part(visit: Visit) -> BackupPart:
    held = visit.services.backups.listed()
    last = next(state.last for state in visit.services.upkeep.listed() if state.job.name == BACKUP_JOB)
    lines = []
    for backup in held[:BACKUPS_SHOWN]:
        mark, proof = "", "Not proved yet"
        if backup.problems:
            mark, proof = "bad", backup.problems[0]
        elif backup.proved_at:
            mark, proof = "good", f"Proved {moment(backup.proved_at, visit.now)}"
        lines.append(
            BackupLine(
                backup.path.name, moment(backup.made_at, visit.now), size_text(backup.size_bytes), mark, proof
            )
        )
    return BackupPart(
        folder=str(visit.services.backups.folder),
        backups=lines,
        more=max(0, len(held) - BACKUPS_SHOWN),
        is_running=last is not None and last.outcome is Outcome.RUNNING,
        told=_run_words(visit, last),
        has_failed=last is not None and last.outcome is Outcome.FAILED,
    )


def _run_words(visit: Visit, run: Run | None) -> str:
    if run is None or run.outcome is Outcome.RUNNING:
        return ""
    return f"Last run {moment(run.started_at, visit.now)}: {run.told}"


@cache
def components() -> list[Component]:
    """Return what Hearthbeat is built on, with licences as the packages tell them."""
    names = sorted(
        {
            re.split(r"[ ;<>=!~\[(]", need, maxsplit=1)[0]
            for need in metadata.requires("hearthbeat") or ()
            if "extra ==" not in need
        },
        key=str.casefold,
    )
    found = [Component(name, "", licence) for name, licence in _IN_THE_BROWSER]
    for name in names:
        try:
            told = metadata.metadata(name)
        except metadata.PackageNotFoundError:  # for another system than this one
            continue
        found.append(Component(name, told["Version"], _licence(told)))
    return found


def _licence(told: metadata.PackageMetadata) -> str:
    words: list[str] = told.get_all("License-Expression") or [
        each.rpartition(" :: ")[2]
        for each in told.get_all("Classifier") or ()
        if each.startswith("License ::")
    ]
    if not words:  # some packages put the whole text there
        words = [each.partition("\n")[0][:60] for each in told.get_all("License") or ()]
    return ", ".join(words)
