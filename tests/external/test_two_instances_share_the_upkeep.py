"""What is to be done once is done by one of all instances."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier

JOB = "trim_caches"
OFTEN = 8


def test_a_job_that_is_due_is_run_by_one_of_all_instances(pair):
    pair.shared.ask("DELETE FROM job_run WHERE name = %s", JOB)
    with ExitStack() as stack:
        houses = [stack.enter_context(pair.shared.services()) for _ in range(3)]
        ready = Barrier(len(houses))

        def look(house):
            ready.wait()
            return [house.upkeep.run_due(JOB) for _ in range(OFTEN)]

        with ThreadPoolExecutor(len(houses)) as pool:
            runs = [run for told in pool.map(look, houses) for run in told if run is not None]
    assert len(runs) <= 1, "the instances that serve look as well"
    assert pair.shared.ask("SELECT name, outcome FROM job_run WHERE name = %s", JOB) == [(JOB, "ok")]


def test_a_job_asked_for_on_both_at_once_never_runs_twice_at_a_time(pair):
    phones = pair.phones("Owner")
    pair.shared.ask("UPDATE person SET is_owner = true WHERE name = 'Owner'")
    ready = Barrier(2)

    def ask(phone):
        ready.wait()
        return [phone.ask("POST", f"/api/v1/jobs/{JOB}/run")[0] for _ in range(OFTEN)]

    with ThreadPoolExecutor(2) as pool:
        statuses = [status for told in pool.map(ask, phones) for status in told]
    assert set(statuses) <= {200, 202, 409}
    overlapping = """
        SELECT count(*) FROM job_run AS one JOIN job_run AS other USING (name)
        WHERE name = %s AND one.job_run_id < other.job_run_id AND other.started_at < one.finished_at
    """
    assert pair.shared.ask(overlapping, JOB) == [(0,)]
