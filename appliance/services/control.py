"""What the tray may ask of a running server: how it is, a way in, a backup, its end.

Who may ask is who can read the data folder: the secret is made anew at every start and lies in the note beside the data.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from appliance.domain.job import Outcome, Run
from appliance.domain.session import LinkPurpose
from appliance.foundation.errors import Conflict, DependencyError
from appliance.services.announcing import Announcing
from appliance.services.health import Health, Status
from appliance.services.sessions import Sessions
from appliance.services.silence import Silence
from appliance.services.space import Space
from appliance.services.upkeep import Upkeep

BACKUP_JOB = "backup"


@dataclass(frozen=True, slots=True)
class SilentPhone:
    """A key of whose automations at least one fell silent. `since` is when that was noticed."""

    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How everything is, for somebody at this computer. `backup` and `disk` are sentences, or None when they are well."""

    status: Status
    silent: list[SilentPhone]
    backup: str | None
    backup_runs: bool
    disk: str | None
    announced: str | None


class Control:
    """Answers the tray."""

    def __init__(
        self,
        health: Health,
        silence: Silence,
        space: Space,
        upkeep: Upkeep,
        sessions: Sessions,
        announcing: Announcing,
    ) -> None:
        self.secret = secrets.token_urlsafe(32)
        self._health = health
        self._silence = silence
        self._space = space
        self._upkeep = upkeep
        self._sessions = sessions
        self._announcing = announcing
        self._end: Callable[[], None] | None = None

    def is_secret(self, presented: str) -> bool:
        """Whether this opens the controls."""
        return hmac.compare_digest(presented.encode(errors="replace"), self.secret.encode())

    def can_be_ended(self, end: Callable[[], None]) -> None:
        """Know how to end the program that serves; `end` returns at once."""
        self._end = end

    def standing(self) -> Standing:
        """Return how everything is; what the database cannot tell now is left out."""
        silent: list[SilentPhone] = []
        last: Run | None = None
        try:
            silent = [SilentPhone(name, since) for name, since in self._silence.silent_keys()]
            last = next((state.last for state in self._upkeep.listed() if state.job.name == BACKUP_JOB), None)
        except DependencyError:
            pass
        return Standing(
            self._health.status(),
            silent,
            last.told if last and last.outcome in (Outcome.FAILED, Outcome.FOUND) else None,
            last is not None and last.outcome is Outcome.RUNNING,
            self._space.trouble,
            self._announcing.host_name,
        )

    def way_in(self) -> str:
        """Return the path, without a slash before it, that logs in the owner once, or sets Hearthbeat up."""
        if self._sessions.needs_setup():
            return f"setup/{self._sessions.link(LinkPurpose.SETUP)}"
        return f"login/{self._sessions.link(LinkPurpose.LOGIN)}"

    def back_up(self) -> Run:
        """Start the job that makes and proves a backup. Raises as `Upkeep.start` does."""
        return self._upkeep.start(BACKUP_JOB, within_s=0.5)

    def end(self) -> None:
        """Let the program end soon. Raises `Conflict` where it is not a program of its own."""
        if self._end is None:
            raise Conflict("Nothing here can be stopped this way.")
        self._end()
