"""Starts the engines, watches them, and starts again what dies.

On Linux a child is told that its parent died when the *thread* that started it ends. So every engine is
started from the keeper's one thread, which lives until the end.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import structlog

from appliance.engines.engine import Engine, Patience
from appliance.foundation.errors import EngineFailed, HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

log = structlog.get_logger("hearthbeat.engines")

MOST_RESTARTS = 3
WITHIN_S = 600.0
PAUSES_S = (0.0, 1.0, 5.0)  # before the first, second and third restart
WATCH_EVERY_S = 0.2
WAIT_EVERY_S = 0.01
LOOK_FOR_ROOM_EVERY_S = 1.0
STOP_WITHIN_S = 120.0

Status = Literal["stopped", "starting", "running", "restarting", "failed"]


@dataclass(frozen=True, slots=True)
class EngineState:
    """How an engine is. `reason` is a sentence on its last trouble, `log` the end of its log at that time."""

    status: Status
    reason: str = ""
    log: str = ""


class Keeper:
    """Keeps engines running: at most 3 restarts each in 10 minutes, then it gives that one up and says why.

    `on_event` hears `engine_ready`, `engine_stopped`, `engine_restarted` and `engine_failed`, each with what
    the log gets; it is called on the keeper's thread and must not block. `has_room` is asked before an engine of this
    name is started whether the disk has room for it, and may make some; one that stopped waits for as long as there is
    none, which is not counted as a restart.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        *,
        on_event: Callable[[str, dict[str, object]], None] | None = None,
        has_room: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        self._kept = [_Kept(engine, self._tell, has_room) for engine in engines]
        self._on_event = on_event
        self._thread: threading.Thread | None = None
        self._settled = threading.Event()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Start every engine and return when all are ready.

        Raises the first `HostError` (mostly `EngineFailed`); then none is left running.
        """
        if self._thread is not None:
            raise EngineFailed("The engines have been started already; stop them first.")
        self._settled.clear()
        self._stopping.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._keep, name="engine-keeper", daemon=True)
        self._thread.start()
        self._settled.wait()
        self._raise_failure()

    def stop(self) -> None:
        """Stop every engine in reverse order. Returns within two minutes; nothing happens when none runs."""
        self._stopping.set()
        if self._thread is None:
            return
        self._thread.join(STOP_WITHIN_S)
        if self._thread.is_alive():
            log.error("engines_do_not_stop", seconds=STOP_WITHIN_S)
        self._thread = None

    def state(self) -> Mapping[str, EngineState]:
        """Return how each engine is, by its name."""
        return {kept.engine.name: kept.state for kept in self._kept}

    def _raise_failure(self) -> None:
        if self._failure is not None:
            self.stop()
            raise self._failure

    def _keep(self) -> None:
        try:
            self._start_all()
            self._settled.set()
            while not self._stopping.wait(self._pause()):
                for kept in self._kept:
                    kept.tend()
        except BaseException as error:  # raised by start(), on the caller's thread
            self._failure = error
            if self._settled.is_set():
                log.exception("engine_keeper_failed")
                for kept in self._kept:
                    kept.state = EngineState(
                        "failed", f"The engines' keeper failed ({error}); restart Hearthbeat."
                    )
        finally:
            for kept in reversed(self._kept):
                kept.stop()
            self._settled.set()

    def _start_all(self) -> None:
        """Launch all, then wait for all, so that they come up beside each other."""
        for kept in self._kept:
            kept.launch()
        while any([not kept.became_ready() for kept in self._kept]):  # noqa: C419  each is asked every time
            if self._stopping.wait(WAIT_EVERY_S):
                raise EngineFailed("The engines were told to stop while they were starting; start again.")

    def _pause(self) -> float:
        waiting = any(kept.state.status == "restarting" for kept in self._kept)
        return WAIT_EVERY_S if waiting else WATCH_EVERY_S

    def _tell(self, event: str, fields: dict[str, object]) -> None:
        write = {"engine_ready": log.info, "engine_failed": log.error}.get(event, log.warning)
        write(event, **fields)
        if self._on_event is None:
            return
        try:
            self._on_event(event, fields)
        except Exception:  # a listener's fault must not end the watch over the database
            log.exception("engine_listener_failed")


class _Kept:
    """One engine in the keeper's care. Only the keeper's thread changes it; `state` is replaced whole."""

    def __init__(
        self,
        engine: Engine,
        tell: Callable[[str, dict[str, object]], None],
        has_room: Callable[[str], bool],
    ) -> None:
        self.engine = engine
        self._has_room = has_room
        self.state = EngineState("stopped")
        self._tell = tell
        self._restarts: deque[float] = deque()
        self._patience: Patience | None = None
        self._next_try = 0.0

    def launch(self) -> None:
        if self.state.status == "stopped":
            if not self._has_room(self.engine.name):
                raise EngineFailed(
                    f"There is no room left on the disk to start {self.engine.name}; free some space and start again."
                )
            self.state = EngineState("starting")
        self._patience = Patience(self.engine)
        self.engine.launch()

    def became_ready(self) -> bool:
        """Whether it serves; says so the first time. Raises when it stopped or takes too long."""
        if self._patience is None:
            return True
        if not self.engine.ready():
            self._patience.check()
            return False
        event = "engine_ready" if self.state.status == "starting" else "engine_restarted"
        self._tell(event, {"engine": self.engine.name, "seconds": round(self._patience.seconds, 3)})
        self._patience = None
        self.state = EngineState("running", self.state.reason, self.state.log)
        return True

    def tend(self) -> None:
        """Look after it once, without waiting."""
        try:
            if self.state.status == "running" and not self.engine.alive():
                self._fell(f"{self.engine.name} stopped by itself{_how(self.engine)}")
            elif self.state.status == "restarting":
                self._restart()
        except HostError as error:
            self._fell(str(error))
        except Exception as error:  # whatever it was, the other engines still need their keeper
            log.exception("engine_restart_failed", engine=self.engine.name)
            self._fell(f"{self.engine.name} could not be started: {error}")

    def stop(self) -> None:
        try:
            self.engine.stop()
        except Exception:  # the others have to be stopped as well
            log.exception("engine_stop_failed", engine=self.engine.name)
        self._patience = None
        if self.state.status != "failed":
            self.state = EngineState("stopped", self.state.reason, self.state.log)

    def _restart(self) -> None:
        if self._patience is not None:
            self.became_ready()
        elif time.monotonic() >= self._next_try:
            if self._has_room(self.engine.name):
                self.launch()
            else:
                self._next_try = time.monotonic() + LOOK_FOR_ROOM_EVERY_S

    def _fell(self, reason: str) -> None:
        lines = self.engine.last_lines()
        self._patience = None
        self.engine.stop()
        now = time.monotonic()
        while self._restarts and now - self._restarts[0] > WITHIN_S:
            self._restarts.popleft()
        fields: dict[str, object] = {"engine": self.engine.name, "reason": reason, "last_lines": lines}
        if not self._has_room(self.engine.name):
            reason = f"{reason}; there is no room left on the disk, free some and it starts again by itself."
            self._next_try = now + LOOK_FOR_ROOM_EVERY_S
            self.state = EngineState("restarting", reason, lines)
            self._tell("engine_stopped", fields | {"reason": reason})
            return
        if len(self._restarts) >= MOST_RESTARTS:
            reason = (
                f"{reason}; it was started again {MOST_RESTARTS} times within {WITHIN_S / 60:.0f} minutes. "
                "Restart Hearthbeat once the cause in its log is mended."
            )
            self.state = EngineState("failed", reason, lines)
            self._tell("engine_failed", fields | {"reason": reason})
            return
        self._next_try = now + PAUSES_S[len(self._restarts)]
        self._restarts.append(now)
        self.state = EngineState("restarting", reason, lines)
        self._tell("engine_stopped", fields)


def _how(engine: Engine) -> str:
    """Say how a process ended; a signal 9 of nobody's mostly is the system short of memory."""
    code = engine.process.poll() if engine.process else None
    if code is None:
        return ""
    return f" (killed by signal {-code})" if code < 0 else f" (exit status {code})"
