"""From state to what stands in the menu. Pure; an adapter draws it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tray.state import Kind, Known, Phase, State

LONGEST = 70  # characters of a line in the menu


class Action(StrEnum):
    """What somebody can want."""

    DASHBOARD = "dashboard"
    PAIR = "pair"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    BACKUP = "backup"
    AUTOSTART = "autostart"
    FOLDER = "folder"
    LOGS = "logs"
    LEAVE = "leave"  # the icon goes, the server stays
    QUIT = "quit"  # both go


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the menu. One without an action is a text; `checked` is None for what is neither on nor off."""

    label: str
    action: Action | None = None
    enabled: bool = True
    checked: bool | None = None
    default: bool = False


SEPARATOR = Entry("")


@dataclass(frozen=True, slots=True)
class View:
    """All that an adapter shows."""

    kind: Kind
    tooltip: str
    menu: tuple[Entry, ...]


def view_of(state: State, known: Known, *, autostart: bool | None) -> View:
    """Return what to show. `autostart` is None where starting at login cannot be switched here."""
    return View(state.kind, _tooltip(state), menu_of(state, known, autostart=autostart))


def menu_of(state: State, known: Known, *, autostart: bool | None) -> tuple[Entry, ...]:
    """Return the menu from top to bottom."""
    runs = known.phase is Phase.RUNNING
    answers = runs and known.standing is not None
    is_down = known.phase in (Phase.STOPPED, Phase.CRASHED, Phase.GIVEN_UP)
    backup_runs = known.standing is not None and known.standing.backup_runs
    switch = [] if autostart is None else [Entry("Start at login", Action.AUTOSTART, checked=autostart)]
    return (
        Entry(_cut(state.sentence), enabled=False),
        *([Entry(_cut(state.last_upload), enabled=False)] if state.last_upload else []),
        SEPARATOR,
        Entry("Open dashboard", Action.DASHBOARD, enabled=answers, default=True),
        Entry("Pair a phone …", Action.PAIR, enabled=answers),
        SEPARATOR,
        Entry("Start", Action.START) if is_down else Entry("Stop", Action.STOP, enabled=runs),
        Entry("Restart", Action.RESTART, enabled=runs),
        *switch,
        SEPARATOR,
        Entry(
            "A backup is being made" if backup_runs else "Back up now",
            Action.BACKUP,
            enabled=answers and not backup_runs,
        ),
        Entry("Open data folder", Action.FOLDER),
        Entry("Logs", Action.LOGS),
        SEPARATOR,
        *(
            [Entry("Quit", Action.LEAVE)]
            if is_down
            else [
                Entry("Hide this icon (Hearthbeat goes on)", Action.LEAVE),
                Entry("Stop Hearthbeat and quit", Action.QUIT),
            ]
        ),
    )


def _tooltip(state: State) -> str:
    lines = ["Hearthbeat", state.sentence, state.last_upload]
    return "\n".join(_cut(line) for line in lines if line)


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 2].rstrip()} …"
