"""The way of an upload, told step by step: every attempt at it, from the first byte seen to the answer given.

What is known when the receipt is written goes into the same statement as the receipt. The last steps (committed,
answered) come after it: they wait in memory and are written a little later, many at once and on nobody's time. A
program that is killed in between loses those few steps and nothing else.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.foundation.errors import NotFound
from appliance.foundation.steps import Step, Trace, attempt_of_json
from appliance.foundation.telemetry import Telemetry
from appliance.storage import uploads
from appliance.storage.database import Database

# Waiting to be written; while the database is away the oldest go first.
MOST_WAITING = 10_000

# What has happened when a step has ended, in the order of the way. The name "answered" is the end of a request's
# part; the rest of a large upload is another attempt, the worker's.
STEPS = {
    "headers_read": "its headers were here",
    "body_arrived": "all its bytes were here",
    "handed_over": "a thread was free for it",
    "key_known": "its API key was found good",
    "limits_spent": "it was within the key's limits",
    "admitted": "it was let in",
    "body_read": "its bytes were taken over",
    "received": "its bytes were durable",
    "claimed": "it was taken up for work",
    "opened": "the body was unpacked and parsed",
    "read": "its items were read",
    "locked": "nobody else wrote for this person",
    "compared": "what came was compared with what is held",
    "rows_written": "its rows were in the table",
    "samples_stored": "the days they touch were resolved",
    "records_stored": "workouts, nights and the like were stored",
    "set_aside": "what was not understood was put into quarantine",
    "advised": "the phone's set-up was looked at",
    "settled": "its receipt was written",
    "committed": "all of it was durable",
    "answered": "the answer was on its way",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One walk along the way: by the request itself, by a worker, or by a replay."""

    began_at: datetime
    instance: str
    cause: str
    steps: list[Step]

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON, as the API and the command tell it; times in ms since it began."""
        return {
            "began_at": self.began_at.isoformat(),
            "instance": self.instance,
            "cause": self.cause,
            "steps": [
                {
                    "name": step.name,
                    "ended_ms": step.ended_ms,
                    "took_ms": step.took_ms,
                    "counts": step.counts,
                }
                for step in self.steps
            ],
        }


@dataclass(frozen=True, slots=True)
class Traced:
    """An upload's attempts, oldest first."""

    person_id: int
    upload_id: int
    request_id: str
    state: str
    attempts: list[Attempt]


class Tracing:
    """Keeps traces with their uploads and tells them."""

    def __init__(self, database: Database, telemetry: Telemetry) -> None:
        self._database = database
        self._telemetry = telemetry
        self._waiting: dict[tuple[int, int, str], dict[str, Any]] = {}
        self._lock = threading.Lock()

    def ended(self, trace: Trace) -> None:
        """Take over the trace of an attempt that has ended; it is written when `write` is called."""
        for step in trace.steps:
            self._telemetry.step_seconds.labels(step=step.name if step.name in STEPS else "other").observe(
                max(step.took_ms, 0.0) / 1000
            )
        if trace.subject is None:
            return  # nothing was kept; the log tells of it
        with self._lock:
            for name, attempt in trace.as_json().items():
                self._waiting[(*trace.subject, name)] = attempt
            while len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]

    def write(self) -> None:
        """Write what waits. Raises `DependencyError` when the database is away; then it waits on."""
        with self._lock:
            waiting = dict(self._waiting)
        if not waiting:
            return
        with self._database.transaction() as connection:
            # An upload somebody works on is locked; its trace can wait, a worker must not.
            written = uploads.add_attempts(connection, waiting)
        with self._lock:
            for place in waiting:
                if place[:2] in written:
                    self._waiting.pop(place, None)

    def of_upload(self, person_id: int, upload_id: int) -> Traced:
        """Return the way of one upload of this person. Raises `NotFound`."""
        with self._database.transaction() as connection:
            found = uploads.traced(connection, upload_id=upload_id, person_id=person_id)
        if not found:
            raise NotFound(f"There is no upload {upload_id}.")
        return self._told(found[0])

    def of_request(self, request_id: str) -> list[Traced]:
        """Return the ways of everybody's uploads with this request id (a phone may send one twice)."""
        with self._database.transaction() as connection:
            found = uploads.traced(connection, request_id=request_id)
        return [self._told(each) for each in found]

    def of_anybodys_upload(self, upload_id: int) -> list[Traced]:
        """Return the way of the upload with this id, whosever it is; nothing when there is none."""
        with self._database.transaction() as connection:
            found = uploads.traced(connection, upload_id=upload_id)
        return [self._told(each) for each in found]

    def _told(self, kept: uploads.KeptTrace) -> Traced:
        with self._lock:
            waiting = {
                name: attempt
                for (person_id, upload_id, name), attempt in self._waiting.items()
                if (person_id, upload_id) == (kept.person_id, kept.upload_id)
            }
        attempts = kept.attempts | waiting
        return Traced(
            kept.person_id,
            kept.upload_id,
            kept.request_id,
            kept.state,
            sorted(
                (Attempt(*attempt_of_json(told)) for told in attempts.values()),
                key=lambda attempt: attempt.began_at,
            ),
        )
