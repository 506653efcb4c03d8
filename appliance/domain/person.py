"""The human whose data this is."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from zoneinfo import ZoneInfo

NAME_LENGTH = 100
# Control characters, halves of characters, and the line and paragraph separators. Joiners stay: names need them.
_IN_NO_NAME = {"Cc", "Cs", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class Person:
    """A human whose data this is; `time_zone` (IANA name) places times that come without an offset.

    An owner looks after the appliance: people, everybody's keys, upkeep. That opens nobody else's health data.
    """

    person_id: int
    name: str
    time_zone: str
    is_owner: bool = False

    @property
    def zone(self) -> ZoneInfo:
        """The zone with its rules."""
        return ZoneInfo(self.time_zone)


def tidy_name(name: str) -> str:
    """Return a name as it is kept: composed (Unicode NFC), with single spaces and none at its ends."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def is_name(name: str) -> bool:
    """Whether a tidied name can be somebody's: 1 to 100 characters that are text."""
    return 0 < len(name) <= NAME_LENGTH and not _IN_NO_NAME & set(map(unicodedata.category, name))


def folded_name(name: str) -> str:
    """Return what two names have in common that people take for the same one, as “Anna” and “ANNA ”."""
    return unicodedata.normalize("NFKC", tidy_name(name)).casefold()
