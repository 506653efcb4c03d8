from __future__ import annotations

import threading
from datetime import time

import pytest

from appliance.domain.job import Daily, Every, JobResult, Outcome
from appliance.foundation.errors import Conflict, DatabaseUnavailable, NotFound, StorageFull
from appliance.services.upkeep import Upkeep
from appliance.storage import jobs
from appliance.storage.database import Database
from tests.jobs.conftest import BERLIN, a_job

ROWS = "SELECT name, instance, outcome, finished_at IS NOT NULL FROM job_run ORDER BY job_run_id"


def sample(upkeep, name, **labels):
    return upkeep._telemetry.registry.get_sample_value(name, labels)


def test_two_instances_run_a_job_once_in_its_period(instance, clock, ask):
    ran = []
    job = a_job(lambda: ran.append(1))
    one, two = instance(job, name="one"), instance(job, name="two")
    assert one.run_due("made_up").outcome is Outcome.OK
    assert two.run_due("made_up") is None
    clock.advance(minutes=30)
    assert one.run_due("made_up") is None
    clock.advance(minutes=31)
    assert two.run_due("made_up").outcome is Outcome.OK
    assert one.run_due("made_up") is None
    assert len(ran) == 2
    assert ask(ROWS) == [("made_up", "one", "ok", True), ("made_up", "two", "ok", True)]


def test_two_instances_never_run_a_job_at_the_same_time(instance):
    inside, go_on = threading.Event(), threading.Event()

    def slow():
        inside.set()
        assert go_on.wait(10)

    one, two = instance(a_job(slow), name="one"), instance(a_job(slow), name="two")
    running = threading.Thread(target=one.run, args=["made_up"])
    running.start()
    assert inside.wait(10)
    for other in (one, two):
        with pytest.raises(Conflict, match="being run already"):
            other.run("made_up")
        assert other.run_due("made_up") is None
    assert [state.last.outcome for state in two.listed()] == [Outcome.RUNNING]
    go_on.set()
    running.join(10)
    assert [state.last.outcome for state in two.listed()] == [Outcome.OK]


def test_a_job_for_every_instance_runs_on_each(instance):
    ran = []
    job = a_job(lambda: ran.append(1), everywhere=True)
    one, two = instance(job, name="one"), instance(job, name="two")
    assert one.run_due("made_up")
    assert two.run_due("made_up")
    assert len(ran) == 2


def test_of_a_frequent_job_only_what_is_new_is_written_down(instance, clock, ask):
    outcomes = [Outcome.OK] * 120 + [Outcome.FOUND] * 2 + [Outcome.OK]
    told = iter(outcomes)
    upkeep = instance(a_job(lambda: JobResult("Looked.", {}, next(told)), trigger=Every(5), everywhere=True))
    for _ in outcomes:
        upkeep.run_due("made_up")
        clock.advance(seconds=5)
    assert [row.outcome for row in ask(ROWS)] == ["ok", "found", "ok"]
    (state,) = upkeep.listed()
    assert (clock.now() - state.last.started_at).total_seconds() == 5, "the newest is told all the same"


def test_a_job_that_stumbles_is_told_without_its_insides_and_the_next_goes_on(instance, clock, logged):
    def stumble():
        raise ValueError("heart rate 187 of Anna")

    upkeep = instance(a_job(stumble), a_job(lambda: JobResult("Fine."), "other"))
    run = upkeep.run_due("made_up")
    assert run.outcome is Outcome.FAILED
    assert run.told == "The job stumbled (ValueError); the log has the details."
    assert upkeep.run_due("other").told == "Fine."
    assert sample(upkeep, "hearthbeat_job_runs_total", job="made_up", outcome="failed") == 1
    assert sample(upkeep, "hearthbeat_job_last_success_timestamp_seconds", job="made_up") is None
    assert (
        sample(upkeep, "hearthbeat_job_last_success_timestamp_seconds", job="other")
        == clock.now().timestamp()
    )
    assert "stumble" in logged()


def test_a_job_that_failed_is_tried_again_at_its_next_time(instance):
    ways = iter([StorageFull(), None])

    def work():
        if way := next(ways):
            raise way

    upkeep = instance(a_job(work))
    assert upkeep.run_due("made_up").told == "There is no room left on the disk; free some space."
    assert upkeep.run_due("made_up").outcome is Outcome.OK


def test_a_run_whose_program_was_killed_is_told_as_failed_and_run_again(instance, database, clock, ask):
    with database.transaction() as connection:
        jobs.begin(connection, "made_up", "killed", clock.now())
    upkeep = instance(a_job(lambda: None))
    (state,) = upkeep.listed()
    assert state.last.outcome is Outcome.FAILED
    assert "stopped before" in state.last.told
    assert upkeep.run_due("made_up").outcome is Outcome.OK
    assert ask(ROWS) == [("made_up", "killed", "failed", True), ("made_up", "one", "ok", True)]


def test_the_turn_is_free_once_the_connection_that_held_it_is_gone(instance, ask):
    def lose_the_connection():
        ask(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1164"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )

    upkeep = instance(a_job(lose_the_connection))
    assert upkeep.run("made_up").outcome is Outcome.OK, "what was done is done"
    assert ask(ROWS) == [("made_up", "one", "ok", True)]
    assert upkeep.run("made_up").outcome is Outcome.OK


def test_a_database_that_is_away_is_for_the_next_time(services, clock, tmp_path):
    away = Database(f"postgresql://nobody@/nowhere?host={tmp_path}")
    ran = []
    upkeep = Upkeep(away, clock, services.telemetry, "one", BERLIN)
    upkeep.take_on(
        [a_job(lambda: ran.append(1)), a_job(lambda: ran.append(2), "here", everywhere=True)], services
    )
    assert upkeep.run_due("made_up") is None
    assert ran == []
    assert upkeep.run_due("here").outcome is Outcome.OK, "what needs no database is done without it"
    with pytest.raises(DatabaseUnavailable):
        upkeep.run("made_up")
    away.close()


def test_a_nightly_job_begins_with_the_first_night_and_is_made_up_for(instance, clock):
    nightly = a_job(lambda: None, "nightly", Daily(time(3, 30)))
    upkeep = instance(nightly, a_job(lambda: None))
    assert upkeep.run_due("nightly") is None
    upkeep.run_due("made_up")
    clock.advance(hours=2)
    assert upkeep.run_due("nightly") is None
    clock.advance(hours=20)  # past a night the computer was off
    assert upkeep.run_due("nightly").outcome is Outcome.OK
    assert upkeep.run_due("nightly") is None


def test_running_now_does_not_wait_for_what_takes_long(instance, eventually):
    go_on = threading.Event()

    def slow():
        assert go_on.wait(10)
        return JobResult("Slept.", {"hours": 8})

    upkeep = instance(a_job(slow), a_job(lambda: JobResult("Quick."), "quick"))
    assert upkeep.start("quick", within_s=10).told == "Quick."
    run = upkeep.start("made_up", within_s=0.01)
    assert run.outcome is Outcome.RUNNING
    with pytest.raises(Conflict):
        upkeep.start("made_up")
    go_on.set()
    done = eventually(lambda: next((r for r in upkeep.runs("made_up") if r.outcome is Outcome.OK), None))
    assert (done.run_id, done.told, done.result) == (run.run_id, "Slept.", {"hours": 8})


def test_a_job_nobody_knows_is_told_with_those_there_are(instance):
    upkeep = instance(a_job(lambda: None))
    for ask_for in (upkeep.run, upkeep.start, upkeep.runs):
        with pytest.raises(NotFound, match="no job “dust”; there are: made_up"):
            ask_for("dust")


def test_metrics_remember_the_last_success_over_a_restart(instance, clock):
    upkeep = instance(a_job(lambda: None))
    upkeep.run("made_up")
    at = clock.now().timestamp()
    clock.advance(hours=5)
    again = instance(a_job(lambda: None))
    again.recall()
    assert sample(again, "hearthbeat_job_last_success_timestamp_seconds", job="made_up") == at


def test_a_nightly_job_that_failed_is_due_within_the_hour(instance, clock):
    ways = iter([None, StorageFull(), None])

    def work():
        if way := next(ways):
            raise way

    upkeep = instance(a_job(work, trigger=Daily(time(3, 30))))
    upkeep.run("made_up")
    clock.advance(days=1)
    assert upkeep.run_due("made_up").outcome is Outcome.FAILED
    (state,) = upkeep.listed()
    assert (state.next_at - clock.now()).total_seconds() == 3_600
    clock.advance(hours=1)
    assert upkeep.run_due("made_up").outcome is Outcome.OK
    assert upkeep.run_due("made_up") is None


def test_after_the_clock_was_set_back_a_job_is_run_once_and_then_at_its_times(instance, clock):
    upkeep = instance(a_job(lambda: None, trigger=Daily(time(3, 30))))
    upkeep.run("made_up")
    clock.advance(days=-400)
    assert upkeep.run_due("made_up").outcome is Outcome.OK
    clock.advance(hours=1)
    assert upkeep.run_due("made_up") is None


def test_a_frequent_job_is_written_down_after_the_clock_was_set_back(instance, clock, ask):
    upkeep = instance(a_job(lambda: None, trigger=Every(5), everywhere=True))
    for _ in range(2):
        upkeep.run_due("made_up")
        clock.advance(days=-400)
    assert len(ask(ROWS)) == 2
