"""What is worth a notification: each trouble once, its end once, nothing at night. Pure but for the file that remembers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path

from tray.state import Trouble

TITLES = {
    Trouble.SERVER: "Hearthbeat has stopped working",
    Trouble.UPDATE: "An update of the data is blocked",
    Trouble.PART: "A part of Hearthbeat is away",
    Trouble.DISK: "The disk is nearly full",
    Trouble.BACKUP: "The backup needs a look",
    Trouble.SILENCE: "A phone has fallen silent",
}
OVER = {
    Trouble.SERVER: "Hearthbeat works again",
    Trouble.UPDATE: "The data is up to date again",
    Trouble.PART: "All of Hearthbeat is back",
    Trouble.DISK: "There is room on the disk again",
    Trouble.BACKUP: "The backup is in order again",
    Trouble.SILENCE: "Every phone is heard again",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One notification. It never holds a health value."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A span of the day, maybe over midnight, in which nothing is said; empty when both ends are the same."""

    begin: time = time()
    end: time = time()

    @classmethod
    def read(cls, span: str) -> QuietHours:
        """Read the setting `quiet_hours`, as 22:00-07:00 or empty."""
        if not span:
            return cls()
        begin, _, end = span.partition("-")
        return cls(time.fromisoformat(begin), time.fromisoformat(end))

    def hold(self, at: time) -> bool:
        """Whether nothing is to be said at this time of day."""
        if self.begin <= self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end


class Incidents:
    """Remembers which troubles somebody was told of, over restarts of the tray as well."""

    def __init__(self, file: Path, quiet: QuietHours) -> None:
        self._file = file
        self._quiet = quiet
        self._told = self._remembered()

    def news(self, wrong: Mapping[Trouble, str], now: datetime, *, is_certain: bool = True) -> list[Message]:
        """Return what to say now.

        What begins and ends within quiet hours is never said. While it is not `is_certain` how things are, as when the
        server is starting, nothing is taken to be over.
        """
        if self._quiet.hold(now.time()):
            return []
        begun = [trouble for trouble in wrong if trouble not in self._told]
        over = [trouble for trouble in self._told if trouble not in wrong] if is_certain else []
        if not begun and not over:
            return []
        self._told = [trouble for trouble in self._told if trouble not in over] + begun
        with suppress(OSError):
            self._file.write_text(json.dumps(self._told), encoding="utf-8")
        return [Message(TITLES[trouble], wrong[trouble]) for trouble in begun] + [
            Message(OVER[trouble], "") for trouble in over
        ]

    def _remembered(self) -> list[Trouble]:
        try:
            return [Trouble(word) for word in json.loads(self._file.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError):
            return []
