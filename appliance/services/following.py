"""Everything that is known of one request, from the database and from the log, in the order of time.

Either may be missing: a refused request is in the log alone, and so is everything while the database is away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from appliance.foundation.log import logged_lines
from appliance.foundation.steps import Step
from appliance.services.tracing import Attempt, Traced

# Fields of a log line that are told elsewhere.
_TOLD = {"timestamp", "event", "level", "logger", "request_id", "upload_id", "steps", "began_at"}
_CAUSES = {"request": "request", "attempt_ended": "worker"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log."""

    at: datetime
    level: str
    event: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """What is known; attempts and lines each oldest first. `states` are those of the uploads the database knows."""

    request_ids: list[str]
    states: dict[int, str]
    attempts: list[Attempt]
    lines: list[Line]

    @property
    def is_known(self) -> bool:
        """Whether anything was found at all."""
        return bool(self.states or self.attempts or self.lines)

    def moments(self) -> list[tuple[datetime, Attempt | Step | Line]]:
        """Return attempts, their steps and the log's lines merged by time; what is told at one time keeps that order."""
        told: list[tuple[datetime, int, Attempt | Step | Line]] = []
        for attempt in self.attempts:
            told.append((attempt.began_at, 0, attempt))
            told += [
                (attempt.began_at + timedelta(milliseconds=step.ended_ms), 1, step) for step in attempt.steps
            ]
        told += [(line.at, 2, line) for line in self.lines]
        return [(at, each) for at, _, each in sorted(told, key=lambda one: one[:2])]


def follow(
    logs: Path, traced: Iterable[Traced], *, request_id: str | None = None, upload_id: int | None = None
) -> Way:
    """Put together what the database told (`traced`) and what the log files in `logs` hold of a request or an upload."""
    traced = list(traced)
    requests = dict.fromkeys([*([request_id] if request_id else []), *(one.request_id for one in traced)])
    uploads = dict.fromkeys([*([upload_id] if upload_id else []), *(one.upload_id for one in traced)])
    found = _lines(logs, requests, uploads)
    # What the log tells of one may name the other, as when the database is away.
    more_requests = dict.fromkeys(
        str(line["request_id"])
        for line in found
        if upload_id and line.get("event") == "upload_received" and "request_id" in line
    )
    more_uploads = dict.fromkeys(
        line["upload_id"]
        for line in found
        if request_id and line.get("request_id") == request_id and type(line.get("upload_id")) is int
    )
    if more_requests.keys() - requests.keys() or more_uploads.keys() - uploads.keys():
        requests |= more_requests
        uploads |= more_uploads
        found = _lines(logs, requests, uploads)
    attempts = {attempt.began_at: attempt for one in traced for attempt in one.attempts}
    for line in found:
        if (attempt := _attempt_in(line)) and attempt.began_at not in attempts:
            attempts[attempt.began_at] = attempt
    lines = [each for line in found if (each := _line(line))]
    return Way(
        list(requests),
        {one.upload_id: one.state for one in traced},
        [attempts[began_at] for began_at in sorted(attempts)],
        sorted(lines, key=lambda line: line.at),
    )


def _lines(logs: Path, requests: Iterable[str], uploads: Iterable[int]) -> list[dict[str, Any]]:
    requests, uploads = set(requests), set(uploads)
    signs = [f'"{request_id}"' for request_id in requests] + [
        f'"upload_id": {upload_id}' for upload_id in uploads
    ]
    return [
        line
        for line in logged_lines(logs, *signs)
        if line.get("request_id") in requests or line.get("upload_id") in uploads
    ]


def _attempt_in(line: dict[str, Any]) -> Attempt | None:
    """Return the attempt that a line of the log ends with."""
    cause = _CAUSES.get(str(line.get("event")))
    steps: list[Step] = []
    before = 0.0
    try:
        began_at = datetime.fromisoformat(line["began_at"])
        for name, ended_ms in line["steps"].items():
            steps.append(Step(str(name), float(ended_ms), round(float(ended_ms) - before, 2)))
            before = float(ended_ms)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return Attempt(began_at, "", cause, steps) if cause and steps and began_at.tzinfo else None


def _line(line: dict[str, Any]) -> Line | None:
    try:
        at = datetime.fromisoformat(line["timestamp"])
    except (KeyError, TypeError, ValueError):
        return None
    if at.tzinfo is None:
        return None
    fields = {name: value for name, value in line.items() if name not in _TOLD}
    return Line(at, str(line.get("level", "")), str(line.get("event", "")), fields)
