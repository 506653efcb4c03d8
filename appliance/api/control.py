"""The tray's way to the server: from this computer alone, and only with the secret of the data folder."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from appliance.api.guards import header_text, is_loopback
from appliance.api.routes import Answer, Call, Query, Route
from appliance.domain.job import Outcome
from appliance.foundation.errors import ControlRefused
from appliance.services.control import Control

HEADER = "X-Hearthbeat-Control"
_FOLLOWING = {"dashboard": "/", "pair": "/keys/pair", "health": "/health"}


class SilentAnswer(BaseModel):
    """A phone that has told nothing new for longer than usual."""

    phone: str
    since: AwareDatetime


class StandingAnswer(BaseModel):
    """How everything is."""

    version: str
    started_at: AwareDatetime
    status: str = Field(description="ok, degraded or away.")
    parts: dict[str, str]
    last_upload_at: AwareDatetime | None
    silent: list[SilentAnswer]
    backup: str | None = Field(description="What the last backup lacks, if anything.")
    backup_runs: bool
    disk: str | None = Field(description="Why no upload is taken, if so.")
    host_name: str | None = Field(description="The name this appliance is announced by.")


class LinkQuery(Query):
    """Which page to go on to."""

    page: Literal["dashboard", "pair", "health"] = "dashboard"


class LinkAnswer(BaseModel):
    """A path that logs in once."""

    path: str


class DoneAnswer(BaseModel):
    """What was begun. A backup that is `running` is told of by `/control/status` later."""

    told: str
    running: bool = False


def show_standing(call: Call) -> Answer:
    """Tell how everything is."""
    standing = _admitted(call).standing()
    status = standing.status
    return Answer(
        {
            "version": status.version,
            "started_at": status.started_at.isoformat(),
            "status": status.readiness.word,
            "parts": status.readiness.parts,
            "last_upload_at": status.last_upload_at.isoformat() if status.last_upload_at else None,
            "silent": [{"phone": each.name, "since": each.since.isoformat()} for each in standing.silent],
            "backup": standing.backup,
            "backup_runs": standing.backup_runs,
            "disk": standing.disk,
            "host_name": standing.announced,
        }
    )


def make_link(call: Call) -> Answer:
    """Make a way in."""
    path = _admitted(call).way_in()
    following = f"?next={_FOLLOWING[call.query.page]}" if path.startswith("login/") else ""
    return Answer({"path": f"{path}{following}"}, headers={"Cache-Control": "no-store"})


def back_up(call: Call) -> Answer:
    """Begin a backup."""
    run = _admitted(call).back_up()
    running = run.outcome is Outcome.RUNNING
    return Answer({"told": "The backup has begun." if running else run.told, "running": running})


def stop(call: Call) -> Answer:
    """End the server."""
    _admitted(call).end()
    return Answer({"told": "Hearthbeat stops.", "running": True})


def _admitted(call: Call) -> Control:
    """Return the controls, for who asks from here and knows the secret."""
    control = call.services.control
    if not is_loopback() or not control.is_secret(header_text(HEADER)):
        raise ControlRefused(
            f"This is for programs on Hearthbeat's own computer that can read the secret in its data folder ({HEADER})."
        )
    return control


ROUTES = (
    Route("GET", "/control/status", show_standing, "Tell the tray how everything is", None, StandingAnswer),
    Route(
        "POST", "/control/login-link", make_link, "Make a link that logs in once", None, LinkAnswer, LinkQuery
    ),
    Route("POST", "/control/backup", back_up, "Begin a backup", None, DoneAnswer),
    Route("POST", "/control/stop", stop, "End the server", None, DoneAnswer),
)
