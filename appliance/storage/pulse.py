"""Noticing that Postgres hangs: it neither answers nor closes the connection.

A stopped server refuses or resets, and the driver says so at once. One that hangs (its machine is frozen, its disk
does not come back, the network swallows packets) says nothing for ever, and each request would hold a thread for
ever. A long statement says nothing either. What tells them apart is a second connection: whoever has waited a
while asks there whether anybody answers at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, ClassVar

import psycopg
from psycopg.errors import ConnectionTimeout

QUIET_S = 1.0  # after so long without a word, and each time again, one asks whether anybody is there
ANSWERS_WITHIN_S = 2  # to connect, and again to answer; psycopg waits for no connection less long
BELIEVED_S = 2.0  # how long the answer to that is believed
LONGEST_WAIT_S = 300.0  # beyond every time limit Postgres keeps itself: then this one session hangs


class Pulse:
    """Whether one Postgres answers, as far as the last look knows. Shared by all connections of a pool.

    `connect` opens a connection of its own and fails with `ConnectionTimeout` after `ANSWERS_WITHIN_S`.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._looking = threading.Lock()
        self._silent = False
        self._looked_at = -BELIEVED_S

    @property
    def silent(self) -> bool:
        """Whether the last look found nobody."""
        return self._silent

    def found_silent(self) -> None:
        """Note that a new connection was waited for in vain."""
        self._silent, self._looked_at = True, time.monotonic()

    def look(self) -> bool:
        """Return whether Postgres hangs, asking it when what is known is too old.

        One thread asks, for at most `ANSWERS_WITHIN_S`; to the others what was known last is true meanwhile.
        """
        if time.monotonic() - self._looked_at < BELIEVED_S or not self._looking.acquire(blocking=False):
            return self._silent
        try:
            self._silent = self._hangs()
            self._looked_at = time.monotonic()
        finally:
            self._looking.release()
        return self._silent

    def _hangs(self) -> bool:
        try:
            connection = self._connect()
        except ConnectionTimeout:
            return True
        except psycopg.Error:
            return False  # it said no, or nobody listens: whoever waits for an answer will be told as well
        begun = time.monotonic()
        try:
            # A pooler lets us in for a server that hangs; this goes through it.
            connection.execute("SELECT 1")
        except psycopg.Error:
            return time.monotonic() - begun >= ANSWERS_WITHIN_S
        finally:
            connection.pgconn.finish()
        return False


class _Impatient(psycopg.Connection[Any]):
    """A connection that may stop waiting: then it is closed, and `OperationalError` raised."""

    def wait(self, gen: Any, *how: Any, **more: Any) -> Any:
        """Wait as psycopg does, for as long as patience lasts."""
        return super().wait(self._while_patient(gen), *how, **more)

    def _had_enough(self, waited_s: float, quiet_s: float) -> bool:
        raise NotImplementedError

    def _while_patient(self, gen: Any) -> Generator[Any, Any, Any]:
        begun = heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = now
                elif self._had_enough(now - begun, now - heard):
                    self._give_up()
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value

    def _give_up(self) -> None:
        # Whatever the server may still say here, nobody must take it for the answer to something else.
        with suppress(psycopg.Error):
            self.pgconn.finish()
        raise psycopg.OperationalError("the server does not answer")


class BriefConnection(_Impatient):
    """A connection that waits for nothing longer than `ANSWERS_WITHIN_S`."""

    def _had_enough(self, waited_s: float, quiet_s: float) -> bool:  # noqa: ARG002  the shape of the base
        return waited_s >= ANSWERS_WITHIN_S


class WatchedConnection(_Impatient):
    """A connection that waits as long as Postgres is there. A subclass for each pool carries its `pulse`."""

    pulse: ClassVar[Pulse]
    # Postgres ends a statement in time, unless it was told to let this transaction take as long as it takes.
    is_limited = True

    def _had_enough(self, waited_s: float, quiet_s: float) -> bool:
        too_long = self.is_limited and waited_s > LONGEST_WAIT_S
        return too_long or (quiet_s > QUIET_S and self.pulse.look())
