"""Keeps one server running: starts it, or takes on one that runs already, and starts it again when it died, but not for ever.

It never stops what it did not start, unless somebody asks; then it asks that server and never kills it.
Everything happens in `look`, which is called again and again from one thread and never waits for a process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from appliance.foundation.errors import DataFolderNewer, MigrationFailed
from appliance.foundation.presence import Presence, ended_without_a_word, find_serving
from tray.client import Client, NoAnswer
from tray.standing import Standing
from tray.state import Known, Phase

RESTARTS, RESTARTS_WITHIN_S = 3, 600.0
RESTART_AFTER_S = 3.0  # also time for systemd to start its own again; then that one is taken on
STOPS_WITHIN_S, TERMINATES_WITHIN_S = 30.0, 10.0
ASKED_EVERY_S = 5.0

log = structlog.get_logger("hearthbeat.tray")


class Server(Protocol):
    """A server that was started here, as `tray.process.Child`."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def ended(self) -> int | None:
        """Return its exit status, or None while it lives."""

    def last_words(self) -> str:
        """Return the last line it printed."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Controller:
    """The one who looks after the server of a data folder. `launch` starts one and may raise `OSError`."""

    def __init__(
        self,
        folder: Path,
        launch: Callable[[], Server],
        *,
        client: Callable[[Presence], Client] = Client,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._launch = launch
        self._client = client
        self._clock = clock
        self._child: Server | None = None
        self._serving: Presence | None = None
        self._standing: Standing | None = None
        self._asked_at = float("-inf")
        self._answered_at = clock()
        self._stopping_since: float | None = None
        self._stop_asked = self._terminated = False
        self._start_at: float | None = None
        self._restarts: list[float] = []
        self._phase = Phase.STOPPED
        self._reason = ""
        self._update_blocked = False

    @property
    def client(self) -> Client | None:
        """The controls of the server that runs, if one does."""
        return self._client(self._serving) if self._serving else None

    def start(self) -> None:
        """Start the server, unless one runs."""
        self._restarts.clear()
        if find_serving(self._folder) is None and not self._is_alive():
            self._begin()

    def stop(self) -> None:
        """Stop the server, whoever started it: somebody asked."""
        self._start_at = None
        self._stop_asked = self._terminated = False
        self._stopping_since = self._clock()
        if self._serving is None and not self._is_alive():
            self._stopping_since = None
            self._set(Phase.STOPPED)

    def restart(self) -> None:
        """Stop the server and start it when it has stopped."""
        self.stop()
        self._restarts.clear()
        self._start_at = self._clock()

    def look(self) -> Known:
        """Look how things are, do what is due, and return what is known."""
        self._is_alive()  # reaps a child that ended, which would look alive otherwise
        self._serving = find_serving(self._folder)
        if self._serving is not None:
            self._tend(self._serving)
        else:
            self._standing = None
            self._asked_at = float("-inf")
            self._tend_none()
        now = self._clock()
        if self._start_at is not None and now >= self._start_at and self._phase is not Phase.STOPPING:
            self._begin()
        return Known(
            self._phase,
            ours=self._is_alive(),
            standing=self._standing,
            unanswered_s=now - self._answered_at,
            reason=self._reason,
            update_blocked=self._update_blocked,
        )

    def _tend(self, serving: Presence) -> None:
        now = self._clock()
        if self._stopping_since is not None:
            self._set(Phase.STOPPING)
            self._go_on_stopping(serving, now - self._stopping_since)
            return
        self._start_at = None
        if self._phase is not Phase.RUNNING:
            log.info("taken_on" if self._child is None else "started", pid=serving.pid)
            self._answered_at = now
        self._set(Phase.RUNNING)
        if now - self._asked_at >= ASKED_EVERY_S or self._standing is None:
            self._asked_at = now
            try:
                self._standing = self._client(serving).standing()
                self._answered_at = self._clock()
            except NoAnswer:
                self._standing = None

    def look_closer(self) -> None:
        """Ask the server anew at the next look."""
        self._asked_at = float("-inf")

    def _tend_none(self) -> None:
        if self._is_alive():
            if self._stopping_since is not None:
                self._set(Phase.STOPPING)
                self._go_on_stopping(None, self._clock() - self._stopping_since)
            else:
                self._set(Phase.STARTING)
            return
        was_stopping, self._stopping_since = self._stopping_since is not None, None
        child, self._child = self._child, None
        status = child.ended() if child is not None else None
        if was_stopping or (child is not None and status == 0):
            self._set(Phase.STOPPED)
        elif child is not None:
            self._crashed(child.last_words() or f"exit status {status}")
        elif self._phase is Phase.RUNNING:  # one that we took on
            if ended_without_a_word(self._folder):
                self._crashed("")
            else:
                self._set(Phase.STOPPED)

    def _crashed(self, reason: str) -> None:
        now = self._clock()
        self._restarts = [at for at in self._restarts if now - at < RESTARTS_WITHIN_S]
        blocked = reason.startswith((MigrationFailed.title, DataFolderNewer.title))
        if blocked or len(self._restarts) >= RESTARTS:
            self._set(Phase.GIVEN_UP, reason, blocked=blocked)
        else:
            self._restarts.append(now)
            self._start_at = now + RESTART_AFTER_S
            self._set(Phase.CRASHED, reason)
        log.warning("server_ended", restarts=len(self._restarts), given_up=self._phase is Phase.GIVEN_UP)

    def _begin(self) -> None:
        self._start_at = None
        try:
            self._child = self._launch()
        except OSError as error:
            self._crashed(f"It cannot be started: {error}")
            return
        self._answered_at = self._clock()
        self._set(Phase.STARTING)

    def _go_on_stopping(self, serving: Presence | None, waited_s: float) -> None:
        """Ask first; what we started ourselves is ended when asking does not help."""
        if serving is not None and not self._stop_asked:
            try:
                self._client(serving).stop()
                self._stop_asked = True
            except NoAnswer as error:
                log.info("stop_not_heard", reason=str(error))
                if waited_s > STOPS_WITHIN_S and not self._is_alive():
                    self._stopping_since = None  # it is not ours, so it stays
        child = self._child if self._is_alive() else None
        if child is None:
            if waited_s > 2 * STOPS_WITHIN_S:
                self._stopping_since = None  # it was asked and goes on; it is not ours to end
            return
        if not self._terminated and (serving is None or waited_s > STOPS_WITHIN_S):
            self._terminated = True
            child.terminate()
        elif waited_s > STOPS_WITHIN_S + TERMINATES_WITHIN_S:
            child.kill()

    def _is_alive(self) -> bool:
        return self._child is not None and self._child.ended() is None

    def _set(self, phase: Phase, reason: str = "", *, blocked: bool = False) -> None:
        self._phase, self._reason, self._update_blocked = phase, reason, blocked
