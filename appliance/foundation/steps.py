"""The steps of one upload, named and timed from its socket to its answer.

`passed(name)` stands at the end of every step. It does two things: the trace of the upload under way, if there is
one, notes the step and how long it took; and `at_step`, where tests make faults really happen, is told. Outside a
trace and without a test it costs next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `ended_ms` since the trace began, `took_ms` since the step before it, and counts worth telling."""

    name: str
    ended_ms: float
    took_ms: float
    counts: dict[str, int] = field(default_factory=dict)


class Trace:
    """The steps of one upload so far. `began_s` is a reading of `time.perf_counter`."""

    def __init__(self, began_s: float | None = None) -> None:
        self.began_s = time.perf_counter() if began_s is None else began_s
        self.steps: list[Step] = []

    def note(self, name: str, counts: dict[str, int]) -> None:
        """Note that a step has just ended."""
        ended_ms = (time.perf_counter() - self.began_s) * 1000
        before = self.steps[-1].ended_ms if self.steps else 0.0
        self.steps.append(Step(name, round(ended_ms, 2), round(ended_ms - before, 2), counts))


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


@contextmanager
def tracing(began_s: float | None = None) -> Iterator[Trace]:
    """Note the steps of what is done meanwhile in this thread; inside another trace, go on with that one."""
    outer = _current.get()
    if outer is not None:
        yield outer
        return
    trace = Trace(began_s)
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)
