"""The jobs of upkeep, for owners: what each keeps true, how its last run went, and running it now."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.job import Daily, Outcome, Run
from appliance.foundation.errors import Conflict
from appliance.services.upkeep import JobState
from web.frame import Visit, here, page, part
from web.pages.health import job_words
from web.pages.settings_people import refuse_unless_owner
from web.words import moment

RUNS_SHOWN = 50
_DOTS = {Outcome.OK: "good", Outcome.FOUND: "warn", Outcome.FAILED: "bad", Outcome.RUNNING: ""}
_OUTCOMES = {
    Outcome.OK: "Done",
    Outcome.FOUND: "Found something",
    Outcome.FAILED: "Failed",
    Outcome.RUNNING: "Running",
}


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job and its newest run."""

    name: str
    title: str
    keeps_true: str
    due: str
    last: str
    took: str
    mark: str
    outcome: str
    told: str
    following: str
    is_running: bool


@dataclass(frozen=True, slots=True)
class JobsPart:
    """All jobs. `mark` changes whenever anything in them does."""

    lines: list[JobLine]
    mark: str


@dataclass(frozen=True, slots=True)
class JobsPage:
    """The jobs, and what went wrong with starting one."""

    jobs: JobsPart
    wrong: str


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run."""

    began: str
    took: str
    mark: str
    outcome: str
    told: str
    instance: str


@dataclass(frozen=True, slots=True)
class RunsPage:
    """The runs of one job."""

    line: JobLine
    runs: list[RunLine]


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/health/jobs", endpoint="health_jobs")
    def jobs() -> Response:
        visit = here()
        refuse_unless_owner(visit)
        return page("health_jobs.html", JobsPage(_jobs(visit), ""))

    @pages.get("/health/jobs/live", endpoint="health_jobs_live")
    def live() -> Response:
        visit = here()
        refuse_unless_owner(visit)
        found = _jobs(visit)
        if request.args.get("have") == found.mark:
            return make_response("", 204)
        return part("parts/health_jobs.html", found)

    @pages.get("/health/jobs/<name>/runs", endpoint="health_jobs_runs")
    def runs(name: str) -> Response:
        visit = here()
        refuse_unless_owner(visit)
        return page("health_runs.html", _runs(visit, name))

    @pages.post("/health/jobs/<name>/run", endpoint="health_jobs_run")
    def run(name: str) -> Response | AnyResponse:
        visit = here()
        refuse_unless_owner(visit)
        try:
            visit.services.upkeep.start(name)
        except Conflict as error:
            return page("health_jobs.html", JobsPage(_jobs(visit), error.detail), error.status)
        return redirect(url_for("web.health_jobs", _anchor=f"job-{name}"))


def _jobs(visit: Visit) -> JobsPart:
    lines = [_job(visit, state) for state in visit.services.upkeep.listed()]
    return JobsPart(lines, hashlib.sha256(repr(lines).encode()).hexdigest()[:16])


def _job(visit: Visit, state: JobState) -> JobLine:
    last = state.last
    return JobLine(
        state.job.name,
        job_words(state),
        state.job.keeps_true,
        str(state.job.trigger).capitalize(),
        moment(last.started_at, visit.now) if last else "not yet",
        _took(last),
        _DOTS[last.outcome] if last else "",
        _OUTCOMES[last.outcome] if last else "Not run yet",
        last.told if last else "",
        _next(visit, state),
        last is not None and last.outcome is Outcome.RUNNING,
    )


def _next(visit: Visit, state: JobState) -> str:
    at = state.next_at
    if at is None and isinstance(state.job.trigger, Daily):
        # What is done nightly begins with the first night.
        at = state.job.trigger.next_after(visit.now, visit.services.upkeep.zone)
    if at is None:
        return "soon"
    at = at.astimezone(visit.now.tzinfo)
    if at <= visit.now:
        return "now"
    days = (at.date() - visit.today).days
    return f"{at:%H:%M}" if days == 0 else f"tomorrow {at:%H:%M}" if days == 1 else f"{at.day} {at:%B %H:%M}"


def _took(run: Run | None) -> str:
    seconds = run.duration_s if run else None
    if seconds is None:
        return ""
    if seconds < 0.001:
        return "under 1 ms"
    if seconds < 1:
        return f"{seconds * 1000:,.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _runs(visit: Visit, name: str) -> RunsPage:
    found = visit.services.upkeep.runs(name, limit=RUNS_SHOWN)
    state = next(each for each in visit.services.upkeep.listed() if each.job.name == name)
    return RunsPage(
        _job(visit, state),
        [
            RunLine(
                moment(run.started_at, visit.now),
                _took(run),
                _DOTS[run.outcome],
                _OUTCOMES[run.outcome],
                run.told,
                run.instance,
            )
            for run in found
        ],
    )
