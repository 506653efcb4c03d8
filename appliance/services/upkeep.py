"""Running upkeep jobs: one at a time over all instances, written down, and whenever somebody asks."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import structlog

from appliance.domain.job import NIGHTLY_AGAIN_AFTER, Daily, JobResult, Outcome, Run, Trigger
from appliance.foundation.clock import Clock
from appliance.foundation.errors import Conflict, DatabaseUnavailable, HearthbeatError, NotFound
from appliance.foundation.telemetry import Telemetry
from appliance.storage import jobs
from appliance.storage.database import Database

if TYPE_CHECKING:
    from appliance.services import Services

# Of a job that every instance runs every few seconds not each run is worth a row.
NOTED_EVERY = timedelta(minutes=10)
ANSWER_WITHIN_S = 2.0
MOST_AHEAD = timedelta(minutes=10)  # of another instance's clock

log = structlog.get_logger("hearthbeat.upkeep")


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the table of upkeep.

    `name` reads like `verify_rollups`; `keeps_true` is one sentence. A job that is not `on_every_instance` is run
    by one of all instances on the database in each period. The work raises when it cannot be done.
    """

    name: str
    keeps_true: str
    trigger: Trigger
    work: Callable[[Services], JobResult]
    on_every_instance: bool = False


@dataclass(frozen=True, slots=True)
class JobState:
    """A job, its newest run (None before the first), and when it is due next (None: as soon as the program runs)."""

    job: Job
    last: Run | None
    next_at: datetime | None


class Upkeep:
    """Runs jobs and tells how they went.

    For a job of which one run at a time is enough, the turn is an advisory lock that belongs to a transaction, held
    open on a connection of its own while the work goes on. A lock of a session would be lost or left behind in a
    pooler that hands connections out by transaction (pgbouncer); a row that claims the job would outlive a killed
    program and need a guess of when to believe it no longer. This lock is given up by the server the moment the
    connection is gone, so whoever gets the turn knows that a run still written as running is dead. The open
    transaction has read nothing and written nothing, so it holds back no vacuum.
    """

    def __init__(
        self, database: Database, clock: Clock, telemetry: Telemetry, instance: str, zone: tzinfo
    ) -> None:
        self._database = database
        self._clock = clock
        self._telemetry = telemetry
        self.zone = zone
        self.instance = instance
        self._jobs: dict[str, Job] = {}
        self._services: Services | None = None
        self._at_work: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._here: dict[str, Run] = {}  # the newest run of each job in this process, written down or not
        self._ended: dict[str, Outcome] = {}  # how each ended here the last time
        self._noted: dict[str, Run] = {}  # of these, the newest that was written down

    def take_on(self, table: Sequence[Job], services: Services) -> None:
        """Know these jobs from now on, and what they work with."""
        self._jobs = {job.name: job for job in table}
        self._services = services

    def run_due(self, name: str) -> Run | None:
        """Run a job because its time has come; None when it is not due, or is being run already.

        Raises nothing: a database that is away is for the next time.
        """
        try:
            return self._run(self._job(name), only_if_due=True)
        except (Conflict, DatabaseUnavailable):
            return None
        except Exception:  # the edge of a thread: upkeep must not end with one job
            log.exception("job_not_run", job=name)
            return None

    def run(self, name: str) -> Run:
        """Run a job now and return what became of it.

        Raises `NotFound`, `Conflict` while it is being run, here or on another instance, and `DatabaseUnavailable`.
        """
        run = self._run(self._job(name), only_if_due=False)
        assert run is not None  # noqa: S101  it was not asked whether it is due
        return run

    def start(self, name: str, within_s: float = ANSWER_WITHIN_S) -> Run:
        """Run a job now without waiting longer than this for its end: then the run is still running.

        Raises as `run` does.
        """
        job = self._job(name)
        begun: Future[Run] = Future()

        def work() -> None:
            try:
                run = self._run(job, only_if_due=False, on_begun=begun.set_result)
            except Exception as error:  # noqa: BLE001  handed to whoever waits for the beginning
                if not begun.done():
                    begun.set_exception(error)
                ended.set_result(None)
            else:
                ended.set_result(run)

        ended: Future[Run | None] = Future()
        threading.Thread(target=work, name=f"job {name}", daemon=True).start()
        running = begun.result()
        try:
            return ended.result(within_s) or running
        except TimeoutError:
            return running

    def listed(self) -> list[JobState]:
        """Return every job with its newest run, in the order of the table."""
        with self._database.transaction() as connection:
            last = jobs.latest(connection, self._jobs)
        if any(run.outcome is Outcome.RUNNING for run in last.values()):
            self._give_up_dead([name for name, run in last.items() if run.outcome is Outcome.RUNNING])
            with self._database.transaction() as connection:
                last = jobs.latest(connection, self._jobs)
        states = []
        for job in self._jobs.values():
            newest = last.get(job.name)
            here = self._here.get(job.name)
            if here is not None and (newest is None or here.started_at >= newest.started_at):
                newest = replace(here, run_id=newest.run_id) if newest == here else here
            states.append(JobState(job, newest, self._next_at(job, newest) if newest else None))
        return states

    def runs(self, name: str, *, before: int | None = None, limit: int = 50) -> list[Run]:
        """Return the runs of a job that are written down, newest first. Raises `NotFound`."""
        job = self._job(name)
        with self._database.transaction() as connection:
            return jobs.runs(connection, job.name, before=before, limit=limit)

    def recall(self) -> None:
        """Tell the metrics when each job last did its work, so that a restart is not taken for a failure."""
        with self._database.transaction() as connection:
            done = jobs.latest_done(connection, self._jobs)
        for run in done.values():
            self._tell_success(run)

    def _next_at(self, job: Job, newest: Run) -> datetime:
        due = job.trigger.next_after(newest.started_at, self.zone)
        if newest.outcome is Outcome.FAILED and isinstance(job.trigger, Daily):
            return min(due, newest.started_at + NIGHTLY_AGAIN_AFTER)
        return due

    def _job(self, name: str) -> Job:
        if name not in self._jobs:
            raise NotFound(f"There is no job “{name[:60]}”; there are: {', '.join(self._jobs)}.")
        return self._jobs[name]

    def _run(
        self, job: Job, *, only_if_due: bool, on_begun: Callable[[Run], None] = lambda _run: None
    ) -> Run | None:
        at_work = self._at_work[job.name]
        if not at_work.acquire(blocking=False):
            raise _running_already(job)
        try:
            if job.on_every_instance:
                return self._run_here(job, on_begun)
            return self._run_in_turn(job, on_begun, only_if_due=only_if_due)
        finally:
            at_work.release()

    def _run_here(self, job: Job, on_begun: Callable[[Run], None]) -> Run:
        run = self._begun(job, None)
        on_begun(run)
        run = self._worked(job, run)
        noted = self._noted.get(job.name)
        if (
            noted is None
            or noted.outcome is not run.outcome
            or abs(run.started_at - noted.started_at) >= NOTED_EVERY  # back, when the clock was set so
        ):
            try:
                with self._database.transaction() as connection:
                    run = replace(run, run_id=jobs.add(connection, run))
                self._noted[job.name] = run
            except DatabaseUnavailable:
                pass  # the next run is written down instead
        self._here[job.name] = run
        return run

    def _run_in_turn(self, job: Job, on_begun: Callable[[Run], None], *, only_if_due: bool) -> Run | None:
        if only_if_due and not self._is_due(job):  # without the turn: who runs it now must not find it taken
            return None
        with self._turn(job) as has_turn:
            if not has_turn:
                raise _running_already(job)
            self._give_up(job.name)
            if only_if_due and not self._is_due(job):
                return None
            with self._database.transaction() as connection:
                run_id = jobs.begin(connection, job.name, self.instance, self._clock.now())
            run = self._begun(job, run_id)
            on_begun(run)
            self._here[job.name] = run
            run = self._here[job.name] = self._worked(job, run)
            with self._database.transaction() as connection:
                jobs.finish(connection, run)
            return run

    @contextmanager
    def _turn(self, job: Job) -> Iterator[bool]:
        done = False
        try:
            with self._database.transaction(own=True) as connection:
                yield jobs.take_turn(connection, job.name)
                done = True
        except DatabaseUnavailable:
            # Losing the connection that held the turn undoes nothing of what was done and written down meanwhile.
            if not done:
                raise

    def _give_up_dead(self, names: Sequence[str]) -> None:
        for name in names:
            with self._turn(self._jobs[name]) as has_turn:
                if has_turn:
                    self._give_up(name)

    def _give_up(self, name: str) -> None:
        with self._database.transaction(own=True) as connection:
            told = "The program was stopped before the job was done; it runs again at its next time."
            if jobs.give_up(connection, name, self._clock.now(), told):
                log.warning("job_was_cut_off", job=name)

    def _is_due(self, job: Job) -> bool:
        with self._database.transaction() as connection:
            last = jobs.latest_done(connection, [job.name]).get(job.name)
            begun = last.started_at if last else jobs.first_start(connection)
        if last is None and not isinstance(job.trigger, Daily):
            return True
        # What is done nightly begins with the first night, not with the first minute.
        now = self._clock.now()
        if (
            begun is not None and begun - now > MOST_AHEAD
        ):  # the clock was set back since; its time may be years off
            return True
        return begun is not None and job.trigger.is_due(begun, now, self.zone)

    def _begun(self, job: Job, run_id: int | None) -> Run:
        return Run(run_id, job.name, self.instance, self._clock.now(), None, Outcome.RUNNING, "", {})

    def _worked(self, job: Job, run: Run) -> Run:
        """Do the work and return the run as it ended; nothing is raised."""
        assert self._services is not None  # noqa: S101  jobs are taken on together with them
        clocked = time.perf_counter()
        outcome, told, result = Outcome.FAILED, "", dict[str, Any]()
        try:
            done = job.work(self._services)
            outcome, told, result = done.outcome, done.told, done.result
        except DatabaseUnavailable as away:
            told = away.detail
            log.info("job_waits_for_database", job=job.name)
        except HearthbeatError as error:
            told = error.detail
            log.warning("job_failed", job=job.name, reason=error.code)
        except Exception as stumble:  # the edge of a job: one that stumbles must not end the others
            told = f"The job stumbled ({type(stumble).__name__}); the log has the details."
            log.exception("job_stumbled", job=job.name)
        elapsed = time.perf_counter() - clocked
        run = replace(run, finished_at=self._clock.now(), outcome=outcome, told=told, result=result)
        self._telemetry.job_runs.labels(job=job.name, outcome=outcome).inc()
        self._telemetry.job_seconds.labels(job=job.name).set(elapsed)
        if outcome is not Outcome.FAILED:
            self._tell_success(run)
        news = self._ended.get(job.name) is not outcome or isinstance(job.trigger, Daily)
        self._ended[job.name] = outcome
        if outcome is Outcome.FOUND and news:  # what stays so is not told every minute
            log.warning("job_found", job=job.name, told=told, result=result)
        elif not job.on_every_instance:
            log.info("job_done", job=job.name, outcome=outcome, duration_ms=round(elapsed * 1000))
        return run

    def _tell_success(self, run: Run) -> None:
        assert run.finished_at is not None  # noqa: S101  it did its work
        self._telemetry.job_success.labels(job=run.name).set(run.finished_at.timestamp())


def _running_already(job: Job) -> Conflict:
    return Conflict(f"The job “{job.name}” is being run already; look again in a moment.")
