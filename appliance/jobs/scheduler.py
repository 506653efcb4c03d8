"""Calls upkeep jobs at their times, by APScheduler inside this process."""

from __future__ import annotations

import logging
import queue
import threading
import time
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from typing import Any

import structlog
from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from appliance.domain.job import Daily, Every, Trigger
from appliance.foundation.errors import DatabaseUnavailable
from appliance.services.upkeep import Job, Upkeep

# Jobs of a few seconds' period must not wait behind a backup: their thread is one of their own.
QUICK, SLOW = "quick", "slow"
QUICK_PERIOD_S = 300
# Several instances, and the jobs of one, do not all begin in the same instant.
FIRST_AFTER = timedelta(seconds=5)
FIRST_APART = timedelta(seconds=1)
SPREAD = 0.05
MOST_SPREAD_S = 300
# How often it looks whether the computer's clock was set back, and by how much it minds.
LOOKS_EVERY_S = 60.0
NOTICED_S = 30.0

log = structlog.get_logger("hearthbeat.upkeep")


class Scheduler:
    """Knows when each job's time has come; whether it is due is asked of the database, by `Upkeep.run_due`.

    So nothing of the plan has to be kept: soon after a start every job is looked at once, and what was missed while
    the computer was off or asleep is done then.
    """

    def __init__(self, upkeep: Upkeep, jobs: tuple[Job, ...], zone: tzinfo) -> None:
        self._upkeep = upkeep
        self._jobs = jobs
        self._zone = zone
        self._lanes = {QUICK: _Lane(QUICK), SLOW: _Lane(SLOW)}
        self._scheduler = _Scheduler(
            timezone=zone,
            executors=dict(self._lanes),
            # Late is better than never, and once is enough however often it was missed.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Begin; the first jobs run some seconds later."""
        with suppress(DatabaseUnavailable):  # then the metrics begin with the first run
            self._upkeep.recall()
        first = datetime.now(self._zone) + FIRST_AFTER  # APScheduler goes by the computer's clock
        for number, job in enumerate(self._jobs):
            self._scheduler.add_job(
                self._upkeep.run_due,
                _trigger(job.trigger, self._zone),
                args=[job.name],
                id=job.name,
                executor=_lane_of(job.trigger),
                next_run_time=first + number * FIRST_APART,
            )
        # It tells every single call; what a job did is told by `Upkeep`.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler.start()

    def stop(self, deadline_s: float = 5.0) -> None:
        """Begin nothing more, and wait this long for jobs under way; what is cut off is noticed and run again."""
        self._scheduler.shutdown(wait=False)
        for lane in self._lanes.values():
            lane.stop(deadline_s)


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]  # apscheduler ships no types
    """The library's, for a clock that may be set back: then it would wait until the old time comes again."""

    # How far the computer's clock is ahead of one that nobody sets.
    clock_ahead_s = time.time() - time.monotonic()

    def _process_jobs(self) -> float:
        ahead = time.time() - time.monotonic()
        set_back_s, self.clock_ahead_s = self.clock_ahead_s - ahead, ahead
        if set_back_s > NOTICED_S:
            log.warning("clock_set_back", seconds=round(set_back_s))
            for job in self.get_jobs():
                if job.next_run_time is not None:
                    job.modify(next_run_time=job.next_run_time - timedelta(seconds=set_back_s))
        wait_s = super()._process_jobs()
        return LOOKS_EVERY_S if wait_s is None else min(wait_s, LOOKS_EVERY_S)


class _Lane(BaseExecutor):  # type: ignore[misc]  # apscheduler ships no types
    """One thread that runs jobs one after the other. The library's own pools would keep the program from ending."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"upkeep-{name}", daemon=True)

    def start(self, scheduler: Any, alias: str) -> None:
        super().start(scheduler, alias)
        self._thread.start()

    def shutdown(self, wait: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  the library's own signature
        self._waiting.put(None)

    def stop(self, deadline_s: float) -> None:
        """Wait for the job under way."""
        if self._thread.is_alive():
            self._thread.join(deadline_s)

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:  # noqa: ARG002  late or not, it is due once
        self._waiting.put(job)

    def _work(self) -> None:
        while (next_one := self._waiting.get()) is not None:
            next_one.func(*next_one.args)  # raises nothing
            self._run_job_success(next_one.id, [])


def _lane_of(trigger: Trigger) -> str:
    return QUICK if isinstance(trigger, Every) and trigger.seconds <= QUICK_PERIOD_S else SLOW


def _trigger(trigger: Trigger, zone: tzinfo) -> BaseTrigger:
    match trigger:
        case Every(seconds):
            spread = min(seconds * SPREAD, MOST_SPREAD_S)
            return IntervalTrigger(seconds=seconds, jitter=spread, timezone=zone)
        case Daily(at):
            # Looked at every hour: what failed in the night, as while the database was away, is not left for a day.
            return CronTrigger(minute=at.minute, jitter=MOST_SPREAD_S, timezone=zone)
