"""The steps of one upload, named and timed from its socket to its answer.

`passed(name)` stands at the end of every step. It does two things: the trace of the upload under way, if there is
one, notes the step and how long it took; and `at_step`, where tests make faults really happen, is told. Outside a
trace and without a test it costs next to nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from appliance.foundation.clock import SystemClock


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `ended_ms` since the trace began, `took_ms` since the step before it, and counts worth telling."""

    name: str
    ended_ms: float
    took_ms: float
    counts: dict[str, int] = field(default_factory=dict)


class Trace:
    """The steps so far of one attempt to take an upload on its way.

    `cause` says who walks: "request", "worker" or "replay". `began_s` is a reading of `time.perf_counter`.
    `subject` is the upload, as person and upload id, once it is kept.
    """

    subject: tuple[int, int] | None = None

    def __init__(self, cause: str, began_s: float | None = None) -> None:
        now_s = time.perf_counter()
        self.cause = cause
        self.began_s = now_s if began_s is None else began_s
        # The computer's own clock, as the log's: the two are read side by side.
        self.began_at = SystemClock().now() - timedelta(seconds=now_s - self.began_s)
        self.steps: list[Step] = []

    def note(self, name: str, counts: dict[str, int] | None = None, at_s: float | None = None) -> None:
        """Note that a step has ended, just now or at another reading of `time.perf_counter`."""
        ended_ms = ((time.perf_counter() if at_s is None else at_s) - self.began_s) * 1000
        before = self.steps[-1].ended_ms if self.steps else 0.0
        self.steps.append(Step(name, round(ended_ms, 2), round(ended_ms - before, 2), counts or {}))

    def for_log(self) -> dict[str, Any]:
        """Return fields for the log: when it began, and when each step had ended."""
        return {"began_at": self._began(), "steps": {step.name: step.ended_ms for step in self.steps}}

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return the attempt as it is kept with the upload, under a name of its own that sorts by time."""
        steps = [[step.name, step.ended_ms, *([step.counts] if step.counts else [])] for step in self.steps]
        began, who = self._began(), instance_name()
        return {f"{began} {who}": {"began_at": began, "instance": who, "cause": self.cause, "steps": steps}}

    def _began(self) -> str:
        return self.began_at.isoformat(timespec="microseconds")


def attempt_of_json(told: dict[str, Any]) -> tuple[datetime, str, str, list[Step]]:
    """Return when an attempt began, the instance, the cause and the steps, from what `as_json` kept under its name."""
    steps: list[Step] = []
    before = 0.0
    for name, ended_ms, *counts in told["steps"]:
        steps.append(Step(name, ended_ms, round(ended_ms - before, 2), counts[0] if counts else {}))
        before = ended_ms
    return datetime.fromisoformat(told["began_at"]), told["instance"], told["cause"], steps


@cache
def instance_name() -> str:
    """Return the name of this process among all that work on one database."""
    return f"{socket.gethostname()}:{os.getpid()}"


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)

# Set by tests alone: told the name of every step that has just ended, in the thread that did it.
at_step: Callable[[str], None] | None = None


def passed(name: str, **counts: int) -> None:
    """Tell that a step has ended."""
    trace = _current.get()
    if trace is not None:
        trace.note(name, counts)
    if at_step is not None:
        at_step(name)


def trace_under_way() -> Trace | None:
    """Return the trace of what this thread does just now."""
    return _current.get()


@contextmanager
def tracing(trace: Trace) -> Iterator[Trace]:
    """Note the steps of what is done meanwhile in this thread."""
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)
