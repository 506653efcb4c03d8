"""Whether the appliance can do its work, and which part cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version

from appliance.cache.connection import Cache
from appliance.foundation.clock import Clock
from appliance.foundation.errors import DependencyError
from appliance.foundation.telemetry import Telemetry
from appliance.services.space import Space
from appliance.storage import uploads
from appliance.storage.database import Database

EngineStates = Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of each part: "ok", "degraded: …" (works by its fallback) or "away: …"."""

    parts: dict[str, str] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether uploads can be kept and understood."""
        return not any(state.startswith("away") for state in self.parts.values())

    @property
    def word(self) -> str:
        """The whole in one word."""
        if not self.is_ready:
            return "away"
        return "degraded" if any(state.startswith("degraded") for state in self.parts.values()) else "ok"


@dataclass(frozen=True, slots=True)
class Status:
    """A summary for people and programs. Instants in UTC."""

    readiness: Readiness
    version: str
    now: datetime
    started_at: datetime
    uploads_waiting: int | None
    last_upload_at: datetime | None


class Health:
    """Looks at the parts."""

    def __init__(
        self,
        database: Database,
        cache: Cache,
        space: Space,
        clock: Clock,
        telemetry: Telemetry,
        engine_states: EngineStates,
    ) -> None:
        self._database = database
        self._cache = cache
        self._space = space
        self._clock = clock
        telemetry.degraded.labels(part="cache").set_function(lambda: cache.degraded is not None)
        self._engine_states = engine_states
        self._started_at = clock.now()

    def readiness(self) -> Readiness:
        """Ask every part now."""
        trouble = self._database.trouble
        self._cache.answers()
        lost = self._cache.degraded
        parts = {
            "database": f"away: {trouble}" if trouble else "ok",
            "cache": f"degraded: {lost}, limits are kept in memory" if lost else "ok",
            "disk": self._space.state,
        }
        parts |= self._engine_states()
        return Readiness(parts)

    def status(self) -> Status:
        """Return the summary; what the database cannot tell now is None."""
        waiting: int | None = None
        newest: datetime | None = None
        try:
            with self._database.transaction() as connection:
                waiting, newest = uploads.waiting(connection)
        except DependencyError:
            pass
        return Status(
            self.readiness(), version("hearthbeat"), self._clock.now(), self._started_at, waiting, newest
        )
