from __future__ import annotations

import json
import threading

import pytest

from appliance.domain.job import JobResult
from appliance.jobs.table import JOBS
from appliance.services.upkeep import Upkeep
from tests.fixtures.problems import problem_of
from tests.fixtures.program import hearthbeat
from tests.jobs.conftest import a_job


@pytest.fixture
def run(phone):
    return lambda name: phone.client.post(f"/api/v1/jobs/{name}/run", headers={"X-API-Key": phone.key})


def test_every_job_of_the_table_runs_on_an_empty_appliance_and_is_shown(phone, services):
    for job in JOBS:
        assert services.upkeep.run(job.name).outcome == "ok", services.upkeep.listed()
    items = phone.get("/api/v1/jobs")["items"]
    assert [item["name"] for item in items] == [job.name for job in JOBS]
    for item in items:
        assert item["last"]["outcome"] == "ok"
        assert item["last"]["told"].endswith(".")
        assert item["next_at"] > item["last"]["started_at"]


def test_a_job_can_be_run_now_and_its_runs_are_listed_newest_first(phone, run, clock):
    for _ in range(3):
        answer = run("trim")
        assert answer.status_code == 200
        assert answer.get_json()["outcome"] == "ok"
        clock.advance(minutes=1)
    page = phone.get("/api/v1/jobs/trim/runs", limit=2)
    rest = phone.get("/api/v1/jobs/trim/runs", cursor=page["next"])
    started = [item["started_at"] for item in page["items"] + rest["items"]]
    assert len(started) == 3
    assert started == sorted(started, reverse=True)
    assert rest["next"] is None


def test_a_job_that_takes_long_is_accepted_and_one_that_runs_is_in_conflict(
    phone, run, services, eventually, monkeypatch
):
    go_on = threading.Event()

    def slow():
        assert go_on.wait(10)
        return JobResult("Done at last.")

    services.upkeep.take_on([a_job(slow, "slow")], services)
    monkeypatch.setattr(Upkeep.start, "__defaults__", (0.01,))
    answer = run("slow")
    assert (answer.status_code, answer.get_json()["outcome"]) == (202, "running")
    problem_of(run("slow"), 409, "conflict")
    go_on.set()
    told = eventually(
        lambda: [r["told"] for r in phone.get(answer.headers["Location"])["items"] if r["told"]]
    )
    assert told == ["Done at last."]


def test_a_job_nobody_knows_is_not_found(phone, run):
    problem_of(run("dust"), 404, "not_found")
    problem_of(phone.client.get("/api/v1/jobs/dust/runs", headers={"X-API-Key": phone.key}), 404, "not_found")


def test_jobs_are_measured_by_name_and_outcome(run, app):
    run("trim")
    told = app.test_client().get("/metrics").text
    assert 'hearthbeat_job_runs_total{job="trim",outcome="ok"} 1.0' in told
    assert 'hearthbeat_job_last_success_timestamp_seconds{job="trim"}' in told
    assert 'hearthbeat_job_duration_seconds{job="trim"}' in told


def test_the_program_runs_its_jobs_and_the_command_lists_and_runs_them(start_program, tmp_path, eventually):
    folder = tmp_path / "data"
    program = start_program(folder)

    def listed():
        return {job["name"]: job for job in json.loads(hearthbeat("jobs", "--json", data_dir=folder).stdout)}

    eventually(lambda: listed()["note_awake"]["last"], within_s=30)
    answer = hearthbeat("jobs", "run", "trim", data_dir=folder)
    assert answer.stdout.startswith("ok: 0 old notes")
    assert listed()["trim"]["last"]["outcome"] == "ok"
    assert program.stop() == 0
