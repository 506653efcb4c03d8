"""From what is known to what is shown: one of five states, and what is wrong. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tray.standing import Standing

UNANSWERED_S = 20.0  # a server that is busy may take a while; this long it does not


class Phase(StrEnum):
    """What the server's process is about."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    CRASHED = "crashed"  # and will be started again
    GIVEN_UP = "given up"


class Kind(StrEnum):
    """The five states of the icon."""

    FRESH = "fresh"
    SILENT = "silent"
    STARTING = "starting"
    STOPPED = "stopped"
    TROUBLE = "trouble"


class Trouble(StrEnum):
    """What can be wrong, each told once."""

    SERVER = "server"
    UPDATE = "update"
    PART = "part"
    DISK = "disk"
    BACKUP = "backup"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Known:
    """What the controller knows.

    `ours` is whether this tray started the server, `reason` how it ended last, `unanswered_s` for how many seconds a
    running one has not answered.
    """

    phase: Phase
    ours: bool = False
    standing: Standing | None = None
    unanswered_s: float = 0.0
    reason: str = ""
    update_blocked: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What is shown: the icon, one sentence, a line about the last upload (or ""), and what is wrong in sentences."""

    kind: Kind
    sentence: str
    last_upload: str
    wrong: dict[Trouble, str]


def state_of(known: Known, now: datetime) -> State:
    """Return what to show. `now` is local time, with its zone."""
    wrong = _wrong(known)
    last = _last_upload(known.standing, now)
    kind, sentence = _kind_and_sentence(known, wrong)
    return State(kind, sentence, last, wrong)


def _kind_and_sentence(known: Known, wrong: dict[Trouble, str]) -> tuple[Kind, str]:
    match known.phase:
        case Phase.STOPPED:
            return Kind.STOPPED, "Stopped; nothing takes what the phone sends"
        case Phase.STARTING:
            return Kind.STARTING, "Starting …"
        case Phase.STOPPING:
            return Kind.STARTING, "Stopping …"
        case Phase.CRASHED | Phase.GIVEN_UP:
            return Kind.TROUBLE, next(iter(wrong.values()))
    serious = next((sentence for trouble, sentence in wrong.items() if trouble is not Trouble.SILENCE), None)
    if serious is not None:
        return Kind.TROUBLE, serious
    if known.standing is None:
        return Kind.STARTING, "Waiting for an answer …"
    if Trouble.SILENCE in wrong:
        return Kind.SILENT, wrong[Trouble.SILENCE]
    if known.standing.last_upload_at is None:
        return Kind.FRESH, "Ready for the first upload"
    return Kind.FRESH, "Receiving"


def _wrong(known: Known) -> dict[Trouble, str]:
    """Return what is wrong, the worst first."""
    if known.phase in (Phase.CRASHED, Phase.GIVEN_UP):
        if known.update_blocked:
            return {Trouble.UPDATE: known.reason}
        ending = (
            "is started again"
            if known.phase is Phase.CRASHED
            else "is not started again by itself; see the logs"
        )
        return {Trouble.SERVER: f"Hearthbeat ended unexpectedly and {ending}{_because(known.reason)}"}
    if known.phase is not Phase.RUNNING:
        return {}
    standing = known.standing
    if standing is None:
        silent_for = known.unanswered_s
        return {Trouble.SERVER: "Hearthbeat runs and does not answer"} if silent_for >= UNANSWERED_S else {}
    wrong: dict[Trouble, str] = {}
    if standing.disk:
        wrong[Trouble.DISK] = standing.disk
    elif standing.word == "away":
        wrong[Trouble.PART] = f"Away: {', '.join(standing.away) or 'a part'}; uploads have to wait"
    if standing.backup and not standing.backup_runs:
        wrong[Trouble.BACKUP] = f"The backup needs a look: {standing.backup}"
    if standing.silent:
        wrong[Trouble.SILENCE] = f"Nothing new for longer than usual from {_listed(standing.silent)}"
    return wrong


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _last_upload(standing: Standing | None, now: datetime) -> str:
    if standing is None:
        return ""
    if standing.last_upload_at is None:
        return "Nothing has arrived yet"
    at = standing.last_upload_at.astimezone(now.tzinfo)
    days = (now.date() - at.date()).days
    # A time of day and no “minutes ago”: what stands still need not be drawn again every minute.
    day = {0: "today", 1: "yesterday"}.get(days, f"{at:%Y-%m-%d}")
    return f"Last upload {day} at {at:%H:%M}"
