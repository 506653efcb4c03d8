"""Data health at one glance: the parts, the phones, what is missing, what was set aside, and whether it is backed up."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response, make_response, request

from appliance.domain.job import Outcome
from appliance.foundation.presence import TrayPresence, find_tray
from appliance.services.upkeep import JobState
from web.frame import Visit, here, page, part
from web.pages.health_coverage import GapsFound, gaps_found
from web.words import ago, moment, span

PARTS = {
    "database": ("Database", "holds everything"),
    "cache": ("Cache", "remembers answers and counts limits"),
    "disk": ("Disk", "has room for what comes"),
    "embedded postgres": ("PostgreSQL", "the database's own server"),
    "embedded valkey": ("Valkey", "the cache's own server"),
}
LOOKED_BACK_DAYS = 30
BACKUP_JOB = "backup"
PROVED_WITHIN = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class PartLine:
    """A part Hearthbeat stands on. `mark` as a badge's."""

    name: str
    duty: str
    mark: str
    state: str
    told: str


@dataclass(frozen=True, slots=True)
class PhoneLine:
    """An automation of a phone, and whether it is heard as usual."""

    sender: str
    automation: str
    last: str
    usual: str
    mark: str
    state: str


@dataclass(frozen=True, slots=True)
class Live:
    """What changes while one looks. `mark` changes whenever anything in it does."""

    parts: list[PartLine]
    phones: list[PhoneLine]
    mark: str


@dataclass(frozen=True, slots=True)
class House:
    """What an owner should know of the appliance: backup and tray in words, and the jobs that need a look."""

    backup: str
    backup_mark: str
    troubled: list[str]
    tray: str
    tray_mark: str
    host_name: str | None


@dataclass(frozen=True, slots=True)
class HealthPage:
    """The overview. `house` is for owners only."""

    live: Live
    found: GapsFound
    days: int
    set_aside: int
    set_aside_kinds: int
    house: House | None


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/health", endpoint="health")
    def show() -> Response:
        visit = here()
        last = visit.today - timedelta(days=1)
        groups = visit.services.quarantine.summary(visit.person_id)
        return page(
            "health.html",
            HealthPage(
                _live(visit),
                gaps_found(visit, last - timedelta(days=LOOKED_BACK_DAYS - 1), last),
                LOOKED_BACK_DAYS,
                sum(group.items for group in groups),
                len({group.reason for group in groups}),
                _house(visit) if visit.visitor.is_owner else None,
            ),
        )

    @pages.get("/health/live", endpoint="health_live")
    def live() -> Response:
        found = _live(here())
        if request.args.get("have") == found.mark:
            return make_response("", 204)
        return part("parts/health_live.html", found)


def _live(visit: Visit) -> Live:
    parts = [_part(name, state) for name, state in visit.services.health.readiness().parts.items()]
    phones = [
        PhoneLine(
            row.key_name,
            row.automation_name,
            moment(row.last_new_at, visit.now),
            span(timedelta(seconds=row.usual_gap_s)),
            "warn" if row.silent_since else "good",
            "Quiet" if row.silent_since else "Heard as usual",
        )
        for row in visit.services.silence.of_person(visit.person_id)
    ]
    mark = hashlib.sha256(repr((visit.today, parts, phones)).encode()).hexdigest()[:16]
    return Live(parts, phones, mark)


def _part(name: str, state: str) -> PartLine:
    known, duty = PARTS.get(name, (name.capitalize(), ""))
    word, _, told = state.partition(": ")
    mark, shown = {"ok": ("good", "Well"), "degraded": ("warn", "Works by a fallback")}.get(
        word, ("bad", "Away")
    )
    return PartLine(known, duty, mark, shown, told if word in ("degraded", "away") else "")


def _house(visit: Visit) -> House:
    held = visit.services.backups.listed()
    proved = max((backup.proved_at for backup in held if backup.proved_at), default=None)
    if proved is not None:
        words, is_well = (
            f"Last proved by a trial restore {ago(proved, visit.now)}",
            visit.now - proved < PROVED_WITHIN,
        )
    else:
        words, is_well = "No backup is proved yet" if held else "There is no backup yet", False
    states = visit.services.upkeep.listed()
    tray = find_tray(visit.services.settings.data_dir)
    return House(
        words,
        "good" if is_well else "warn",
        [job_words(state) for state in states if troubled(state)],
        _tray_words(tray),
        "warn" if tray is not None and tray.reason else "good",
        visit.services.announcing.host_name,
    )


def _tray_words(tray: TrayPresence | None) -> str:
    if tray is None:
        return "No icon beside the clock: the tray is not started. Start it with: hearthbeat tray"
    if tray.reason:
        return f"No icon beside the clock: {tray.reason} The server is looked after all the same"
    return "The icon beside the clock is there, and the server is started again should it fall"


def troubled(state: JobState) -> bool:
    """Whether a job's newest run asks for a look."""
    return state.last is not None and state.last.outcome in (Outcome.FAILED, Outcome.FOUND)


def job_words(state: JobState) -> str:
    """Return a job's name as a person reads it."""
    return state.job.name.replace("_", " ").capitalize()
