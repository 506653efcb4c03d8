"""Upkeep: its jobs and their runs, the appliance's own history, and which phones have fallen silent."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field
from sqlalchemy import Row

from appliance.api.routes import LARGEST_ID, Answer, Call, Query, Route
from appliance.api.times import as_end, as_start, day_or_instant, read_cursor, write_cursor
from appliance.api.uploads import PageQuery
from appliance.domain.job import Outcome, Run
from appliance.domain.key import Scope
from appliance.domain.localday import instant, microseconds
from appliance.foundation.errors import BadQuery
from appliance.services.own_metrics import named
from appliance.services.upkeep import JobState


class RunAnswer(BaseModel):
    """One run of a job."""

    id: int | None = Field(description="Null for a frequent run that is not written down.")
    job: str
    instance: str = Field(description="Which server process ran it.")
    started_at: str
    finished_at: str | None
    seconds: float | None
    outcome: Outcome = Field(description="found: it worked, and there is something a person should know.")
    told: str = Field(description="One sentence.")
    result: dict[str, Any] = Field(description="Counts and names, by job.")


class JobAnswer(BaseModel):
    """One job of upkeep."""

    name: str
    keeps_true: str
    due: str = Field(description="As every 5 minutes, or daily at 03:30 of the computer's own day.")
    on_every_instance: bool
    last: RunAnswer | None
    next_at: str | None = Field(description="When it is due again; null before its first run.")


class JobsAnswer(BaseModel):
    """All jobs of upkeep."""

    items: list[JobAnswer]
    next: str | None


class RunsAnswer(BaseModel):
    """A page of runs, newest first."""

    items: list[RunAnswer]
    next: str | None = Field(description="Give it as cursor for the following page.")


class OwnMetricsQuery(PageQuery):
    """Which snapshots, and which numbers of them."""

    start: str | None = Field(None, max_length=40, description="A day, or an instant with offset.")
    end: str | None = Field(None, max_length=40, description="A day (included), or an instant (excluded).")
    name: str | None = Field(None, max_length=200, description="Only this metric, whatever its labels.")


class SnapshotAnswer(BaseModel):
    """The appliance's own numbers at one instant."""

    at: str
    instance: str
    numbers: dict[str, float] = Field(description="By name and labels, as at /metrics.")


class OwnMetricsAnswer(BaseModel):
    """A page of snapshots, oldest first."""

    items: list[SnapshotAnswer]
    next: str | None = Field(description="Give it as cursor for the following page.")


class RhythmAnswer(BaseModel):
    """How often an automation brings something new, and whether it has fallen silent."""

    key_id: int
    key_name: str
    automation_id: str
    automation_name: str
    last_new_at: str = Field(description="When it last brought something that was not held yet.")
    usual_gap_s: int = Field(
        description="How long it usually takes, learned; only time the computer was awake."
    )
    silent_since: str | None = Field(
        description="Since when it has been missed; null while it is heard as usual."
    )
    checked_at: str


class SilenceAnswer(BaseModel):
    """Every automation whose rhythm is known, the silent ones first."""

    items: list[RhythmAnswer]
    next: str | None


def show_jobs(call: Call) -> Answer:
    """List the jobs."""
    return Answer({"items": [_job(state) for state in call.services.upkeep.listed()], "next": None})


def run_job(call: Call) -> Answer:
    """Run a job now."""
    run = call.services.upkeep.start(call.path["name"])
    if run.outcome is Outcome.RUNNING:
        return Answer(_run(run), 202, {"Location": f"/api/v1/jobs/{run.name}/runs"})
    return Answer(_run(run))


def show_runs(call: Call) -> Answer:
    """List the runs of a job."""
    before = read_cursor(call.query.cursor)
    if before is not None and not (type(before) is int and 0 <= before <= LARGEST_ID):
        raise BadQuery("The cursor is not one of ours; start again without it.")
    limit = call.query.limit
    found = call.services.upkeep.runs(call.path["name"], before=before, limit=limit + 1)
    following = write_cursor(found[limit - 1].run_id) if len(found) > limit else None
    return Answer({"items": [_run(run) for run in found[:limit]], "next": following})


def show_own_metrics(call: Call) -> Answer:
    """Show how the appliance itself was doing."""
    zone = ZoneInfo(call.services.people.find(call.person_id).time_zone)
    page = call.services.own_metrics.history(
        as_start(day_or_instant(call.query.start, "start"), zone),
        as_end(day_or_instant(call.query.end, "end"), zone),
        after=_snapshot_place(read_cursor(call.query.cursor)),
        limit=call.query.limit,
    )
    items = [
        {
            "at": row.at.isoformat(),
            "instance": row.instance,
            "numbers": named(row.content, call.query.name),
        }
        for row in page.rows
    ]
    following = None
    if page.following is not None:
        at, instance = page.following
        following = write_cursor([microseconds(at), instance])
    return Answer({"items": items, "next": following})


def show_silence(call: Call) -> Answer:
    """Show the rhythm of the person's phones."""
    found = call.services.silence.of_person(call.person_id)
    return Answer({"items": [_rhythm(row) for row in found], "next": None})


def _job(state: JobState) -> dict[str, Any]:
    return {
        "name": state.job.name,
        "keeps_true": state.job.keeps_true,
        "due": str(state.job.trigger),
        "on_every_instance": state.job.on_every_instance,
        "last": _run(state.last) if state.last else None,
        "next_at": _told(state.next_at),
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.run_id,
        "job": run.name,
        "instance": run.instance,
        "started_at": run.started_at.isoformat(),
        "finished_at": _told(run.finished_at),
        "seconds": run.duration_s,
        "outcome": run.outcome,
        "told": run.told,
        "result": run.result,
    }


def _rhythm(row: Row[Any]) -> dict[str, Any]:
    return {
        "key_id": row.key_id,
        "key_name": row.key_name,
        "automation_id": row.automation_id,
        "automation_name": row.automation_name,
        "last_new_at": row.last_new_at.isoformat(),
        "usual_gap_s": row.usual_gap_s,
        "silent_since": _told(row.silent_since),
        "checked_at": row.checked_at.isoformat(),
    }


def _told(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _snapshot_place(cursor: Any) -> tuple[datetime, str] | None:
    match cursor:
        case None:
            return None
        case [int(at), str(instance)] if (
            abs(at) < 1 << 53 and "\0" not in instance and instance.isprintable()
        ):
            return instant(at, 0), instance
        case _:
            raise BadQuery("The cursor is not one of ours; start again without it.")


ROUTES = (
    Route(
        "GET",
        "/api/v1/jobs",
        show_jobs,
        "List the jobs of upkeep",
        Scope.ADMIN,
        JobsAnswer,
        Query,
        owner_only=True,
    ),
    Route(
        "POST",
        "/api/v1/jobs/<name>/run",
        run_job,
        "Run a job now",
        Scope.ADMIN,
        RunAnswer,
        Query,
        owner_only=True,
    ),
    Route(
        "GET",
        "/api/v1/jobs/<name>/runs",
        show_runs,
        "List the runs of a job",
        Scope.ADMIN,
        RunsAnswer,
        PageQuery,
        owner_only=True,
    ),
    Route(
        "GET",
        "/api/v1/own-metrics",
        show_own_metrics,
        "Show how the appliance itself was doing",
        Scope.ADMIN,
        OwnMetricsAnswer,
        OwnMetricsQuery,
        owner_only=True,
    ),
    Route(
        "GET",
        "/api/v1/silence",
        show_silence,
        "Show which phones fell silent",
        Scope.READ,
        SilenceAnswer,
        Query,
    ),
)
