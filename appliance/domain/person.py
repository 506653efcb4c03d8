"""The human whose data this is."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Person:
    """A human whose data this is; `time_zone` (IANA name) places times that come without an offset."""

    person_id: int
    name: str
    time_zone: str

    @property
    def zone(self) -> ZoneInfo:
        """The zone with its rules."""
        return ZoneInfo(self.time_zone)
