"""What the keeper needs of an engine, and how long one waits for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import structlog

from appliance.foundation.errors import EngineFailed

if TYPE_CHECKING:
    import subprocess

log = structlog.get_logger("hearthbeat.engines")

REPORT_EVERY_S = 5.0
FATAL_WORDS = ("FATAL: ", "PANIC: ", "error: ")


class Engine(Protocol):
    """A server of ours that runs beside us."""

    @property
    def name(self) -> str:
        """Short name for logs and states."""

    @property
    def patience_s(self) -> float:
        """Seconds it may take to become ready while its process lives."""

    @property
    def url(self) -> str:
        """How a client reaches it."""

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The running child, where there is one."""

    def launch(self) -> None:
        """Begin to run. Raises a `HostError` when that is impossible."""

    def ready(self) -> bool:
        """Whether it serves by now. Raises `EngineFailed` when it stopped instead."""

    def alive(self) -> bool:
        """Whether its process runs."""

    def answers(self) -> bool:
        """Whether it answers on its address, whoever started it."""

    def stop(self) -> None:
        """End it cleanly and let its folder go; nothing happens when it does not run."""

    def last_lines(self, n: int = 12) -> str:
        """Return the end of its log."""


class Patience:
    """Waiting for one start: says every 5 s that it goes on, and ends."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._begin = self._said = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long we have waited."""
        return time.monotonic() - self._begin

    def check(self) -> None:
        """Raise `EngineFailed` when we have waited long enough."""
        if self.seconds > self._engine.patience_s:
            raise EngineFailed(
                f"{self._engine.name} was not ready after {self._engine.patience_s:.0f} s; "
                "restart Hearthbeat, and look at its log when that does not help."
            )
        if time.monotonic() - self._said >= REPORT_EVERY_S:
            self._said = time.monotonic()
            log.info("engine_is_recovering", engine=self._engine.name, seconds=round(self.seconds))


def start_and_wait(engine: Engine) -> None:
    """Launch an engine and return when it serves; on failure nothing of it is left running.

    Raises `EngineFailed` or another `HostError` with what went wrong.
    """
    patience = Patience(engine)
    engine.launch()
    try:
        while not engine.ready():
            patience.check()
            time.sleep(0.01)
    except BaseException:
        engine.stop()
        raise
    log.info("engine_ready", engine=engine.name, seconds=round(patience.seconds, 3))


def cause(lines: str) -> str:
    """Return the line of a log that says most about why an engine stopped."""
    every = [line.strip() for line in lines.splitlines() if line.strip()]
    telling = [line for line in every if any(word in line for word in FATAL_WORDS)]
    return " ".join(telling[-1:] or every[-2:]) or "its log is empty"
