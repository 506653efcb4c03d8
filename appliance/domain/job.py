"""Upkeep jobs: when they are due, and what a run of one tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Literal

# A job's starts are spread by some seconds; one that comes a little early has not missed its period.
_EARLY = 0.1
NIGHTLY_AGAIN_AFTER = timedelta(hours=1)


class Outcome(StrEnum):
    """What became of a run. `found`: it worked, and there is something a person should know."""

    RUNNING = "running"
    OK = "ok"
    FOUND = "found"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job's work returns: one sentence for people, counts for programs.

    `result` is JSON of counts and names; never a health value, a secret or a traceback. A job that cannot do its
    work raises instead.
    """

    told: str
    result: dict[str, Any] = field(default_factory=dict)
    outcome: Literal[Outcome.OK, Outcome.FOUND] = Outcome.OK


@dataclass(frozen=True, slots=True)
class Every:
    """Due again this many seconds after it last began."""

    seconds: int

    def next_after(self, begun: datetime, _zone: tzinfo) -> datetime:
        """Return when it is due again."""
        return begun + timedelta(seconds=self.seconds)

    def is_due(self, begun: datetime, now: datetime, zone: tzinfo) -> bool:
        """Whether it is due, having last begun then."""
        return now >= self.next_after(begun, zone) - timedelta(seconds=self.seconds * _EARLY)

    def __str__(self) -> str:
        for seconds, word in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
            if self.seconds % seconds == 0:
                count = self.seconds // seconds
                return f"every {word}" if count == 1 else f"every {count} {word}s"
        raise AssertionError  # every whole number of seconds is a multiple of one second


@dataclass(frozen=True, slots=True)
class Daily:
    """Due once a day, from this time of the computer's own day on; later when the computer was off.

    What failed is due again an hour later.
    """

    at: time

    def next_after(self, begun: datetime, zone: tzinfo) -> datetime:
        """Return when it is due again."""
        day = begun.astimezone(zone).date()
        today = datetime.combine(day, self.at, zone)
        return today if today > begun else datetime.combine(day + timedelta(days=1), self.at, zone)

    def is_due(self, begun: datetime, now: datetime, zone: tzinfo) -> bool:
        """Whether it is due, having last begun then."""
        return now >= self.next_after(begun, zone)

    def __str__(self) -> str:
        return f"daily at {self.at:%H:%M}"


Trigger = Every | Daily


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job. Instants in UTC; `run_id` is None for one that is not written down."""

    run_id: int | None
    name: str
    instance: str
    started_at: datetime
    finished_at: datetime | None
    outcome: Outcome
    told: str
    result: dict[str, Any]

    @property
    def duration_s(self) -> float | None:
        """How long it took, once it is over."""
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()
