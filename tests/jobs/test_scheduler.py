from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from datetime import time as clock_time

import pytest

from appliance.domain.job import Daily, Every
from appliance.jobs import scheduler as module
from appliance.jobs.scheduler import Scheduler, _Scheduler
from appliance.jobs.table import JOBS
from tests.jobs.conftest import BERLIN, a_job


@pytest.fixture
def at_once(monkeypatch):
    """Let the first jobs begin without a pause."""
    monkeypatch.setattr(module, "FIRST_AFTER", timedelta(milliseconds=50))
    monkeypatch.setattr(module, "FIRST_APART", timedelta())


def test_every_job_of_the_table_has_a_name_of_its_own_and_says_what_it_keeps_true():
    assert len({job.name for job in JOBS}) == len(JOBS)
    for job in JOBS:
        assert job.name == job.name.lower().replace(" ", "_")
        assert job.keeps_true.endswith(".")


def test_two_schedulers_on_one_database_run_a_job_once(at_once, instance, ask, eventually):
    job = a_job(lambda: None)
    everywhere = a_job(lambda: None, "everywhere", everywhere=True)
    schedulers = [
        Scheduler(instance(job, everywhere, name=name), (job, everywhere), BERLIN) for name in ("one", "two")
    ]
    for scheduler in schedulers:
        scheduler.start()
    eventually(lambda: ask("SELECT count(*) FROM job_run WHERE name = 'everywhere'") == [(2,)])
    for scheduler in schedulers:
        scheduler.stop()
    assert ask("SELECT count(*) FROM job_run WHERE name = 'made_up'") == [(1,)]


def test_what_comes_every_few_seconds_does_not_wait_behind_what_takes_an_hour(at_once, instance):
    go_on, quick = threading.Event(), threading.Semaphore(0)
    slow = a_job(lambda: go_on.wait(20) and None, "slow", Every(3_600))
    frequent = a_job(quick.release, "frequent", Every(1), everywhere=True)
    scheduler = Scheduler(instance(slow, frequent), (slow, frequent), BERLIN)
    scheduler.start()
    for _ in range(2):
        assert quick.acquire(timeout=10)
    go_on.set()
    scheduler.stop()


def test_stopping_does_not_wait_for_ever_for_a_job(at_once, instance):
    inside, go_on = threading.Event(), threading.Event()

    def endless():
        inside.set()
        go_on.wait(20)

    job = a_job(endless)
    scheduler = Scheduler(instance(job), (job,), BERLIN)
    scheduler.start()
    assert inside.wait(10)
    begun = time.monotonic()
    scheduler.stop(deadline_s=0.2)
    assert time.monotonic() - begun < 5
    go_on.set()
    for lane in scheduler._lanes.values():
        lane.stop(10)


@pytest.mark.parametrize("hour", [3, 4])
def test_a_nightly_job_is_looked_at_from_its_hour_on_in_the_computers_zone_and_every_hour(hour):
    trigger = module._trigger(Daily(clock_time(3, 30)), BERLIN)
    after = trigger.get_next_fire_time(None, datetime(2026, 8, 21, hour, tzinfo=BERLIN))
    assert timedelta() <= after - datetime(2026, 8, 21, hour, 30, tzinfo=BERLIN) <= timedelta(minutes=5)


def test_jobs_go_on_when_the_clock_was_set_back():
    scheduler = _Scheduler(timezone=BERLIN)
    ran = threading.Event()
    year = timedelta(days=365)
    # As they stand when a year is taken from the computer's clock while the program runs.
    hourly = {"trigger": "interval", "hours": 1}
    scheduler.add_job(ran.set, **hourly, next_run_time=datetime.now(BERLIN) + year)
    scheduler.clock_ahead_s += year.total_seconds()
    scheduler.start()
    try:
        assert ran.wait(10)
        (planned,) = scheduler.get_jobs()
        assert planned.next_run_time < datetime.now(BERLIN) + timedelta(hours=2)
    finally:
        scheduler.shutdown()
