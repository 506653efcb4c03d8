"""Reading kept uploads again recovers what was not understood, and changes nothing twice."""

from __future__ import annotations

import copy
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.resources import files

import pytest
from prometheus_client import CollectorRegistry

from appliance.api.app import create_app
from appliance.bootstrap import open_services
from appliance.catalog.load import read_catalogue
from appliance.foundation import steps
from appliance.services import space
from appliance.storage.database import lock_person
from tests.fixtures.house import Phone, settings_of
from tests.fixtures.waiting import wait_until

NEW_METRIC = {"metrics.csv": ("", "moss,Moss,nutrition,pts,,cumulative,sum,1,0,1000,,,,moss_index,,,,\n")}
NEW_UNIT = {
    "metrics.csv": ("steps|pas|步", "steps|pas|步|步数"),
    "units.csv": ("", "步数,count,1,0,step_count,\n"),
}


def new_metric(points: int) -> dict:
    return {
        "data": {
            "metrics": [
                {
                    "name": "moss_index",
                    "units": "pts",
                    "data": [
                        {"date": f"2026-08-07 {n:02}:00:00 +0200", "qty": n, "source": "App"}
                        for n in range(points)
                    ],
                }
            ]
        }
    }


@pytest.fixture
def after_learning(clean_engines, settings, clock, phone, tmp_path):
    """The same phone at the same house, run by a later version whose catalogue has one more row."""
    with ExitStack() as stack:

        def learn(edits: dict[str, tuple[str, str]]) -> Phone:
            data = tmp_path / "data"
            shutil.copytree(str(files("appliance.catalog") / "data"), data)
            for name, (old, new) in edits.items():
                text = (data / name).read_text(encoding="utf-8")
                (data / name).write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")
            services = stack.enter_context(
                open_services(
                    settings,
                    clean_engines,
                    clock=clock,
                    registry=CollectorRegistry(),
                    catalogue=read_catalogue(data),
                )
            )
            return Phone(create_app(services).test_client(), phone.key)

        yield learn


def replayed(phone: Phone, upload_id: int, query: str = "") -> dict:
    answer = phone.client.post(f"/api/v1/uploads/{upload_id}/replay{query}", headers={"X-API-Key": phone.key})
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_a_metric_that_has_become_known_moves_with_all_its_samples(phone, after_learning):
    upload_id = phone.send(new_metric(5))["upload_id"]
    assert [m["key"] for m in phone.get("/api/v1/metrics")["items"]] == ["moss_index"]
    phone = after_learning(NEW_METRIC)
    dry = replayed(phone, upload_id, "?dry_run=true")
    assert dry["changes"] == {
        "moss": {"added": 5, "changed": 0, "removed": 0},
        "moss_index": {"added": 0, "changed": 0, "removed": 5},
    }
    assert [m["key"] for m in phone.get("/api/v1/metrics")["items"]] == ["moss_index"]
    done = replayed(phone, upload_id)
    assert done["changes"] == dry["changes"]
    assert [(m["key"], m["count"]) for m in phone.get("/api/v1/metrics")["items"]] == [("moss", 5)]
    assert phone.days("moss") == {"2026-08-07": 10}
    assert replayed(phone, upload_id)["changes"] == {}


def test_replaying_an_older_upload_does_not_override_a_newer_one(phone):
    first = new_metric(3)
    older = phone.send(first)["upload_id"]
    second = new_metric(3)
    second["data"]["metrics"][0]["data"][1]["qty"] = 99
    phone.send(second)
    assert replayed(phone, older)["changes"] == {}
    assert [sample["value"] for sample in phone.samples("moss_index")] == [0, 99, 2]


def test_what_can_be_read_now_leaves_quarantine(phone, after_learning):
    phone.send(
        {
            "data": {
                "metrics": [
                    {
                        "name": "step_count",
                        "units": "步数",
                        "data": [{"date": "2026-08-07 10:00:00 +0200", "qty": 5}],
                    }
                ]
            }
        }
    )
    phone = after_learning(NEW_UNIT)
    answer = phone.client.post("/api/v1/quarantine/retry", headers={"X-API-Key": phone.key}).get_json()
    assert answer["released"] == 1
    assert answer["changes"] == {"step_count": {"added": 1, "changed": 0, "removed": 0}}
    assert phone.days("step_count") == {"2026-08-07": 5}
    again = phone.client.post("/api/v1/quarantine/retry", headers={"X-API-Key": phone.key}).get_json()
    assert (again["uploads"], again["changes"]) == (0, {})


def replay_refused(phone: Phone, upload_id: int) -> tuple[int, str]:
    answer = phone.client.post(f"/api/v1/uploads/{upload_id}/replay", headers={"X-API-Key": phone.key})
    return answer.status_code, answer.get_json()["detail"]


@settings_of(sync_upload_mb=0)
def test_what_was_not_read_yet_is_not_read_again(phone, services):
    """Or its receipt would say that it told nothing new."""
    upload_id = phone.send(new_metric(3))["upload_id"]
    status, why = replay_refused(phone, upload_id)
    assert (status, "still waits" in why) == (409, True)
    services.uploads.work_on_due()
    assert phone.get(f"/api/v1/uploads/{upload_id}")["counts"]["stored"] == 3
    assert replayed(phone, upload_id)["changes"] == {}


def test_one_replay_is_under_way_at_a_time(phone, monkeypatch):
    upload_id = phone.send(new_metric(3))["upload_id"]
    inside, go_on = threading.Event(), threading.Event()

    def stand_still(step: str) -> None:
        if step == "opened":
            inside.set()
            assert go_on.wait(10)

    monkeypatch.setattr(steps, "at_step", stand_still)
    with ThreadPoolExecutor(1) as other:
        first = other.submit(replayed, phone, upload_id, "?dry_run=true")
        assert inside.wait(10)
        assert replay_refused(phone, upload_id)[0] == 409
        go_on.set()
        assert first.result()["changes"] == {}
    assert replayed(phone, upload_id)["changes"] == {}


def test_two_replays_of_one_that_had_failed_leave_the_first_ones_receipt(phone, services, ask, database):
    upload_id = phone.send(new_metric(3))["upload_id"]
    ask("DELETE FROM sample RETURNING 1")
    ask("UPDATE upload SET state = 'failed' RETURNING 1")
    other = copy.copy(services.replaying)  # of another instance
    other._under_way = threading.Lock()
    with ThreadPoolExecutor(2) as both, database.transaction() as connection:
        lock_person(connection, 1)
        done = [both.submit(each.one, 1, upload_id) for each in (services.replaying, other)]
        wait_until(
            lambda: ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == [(2,)]
        )
    assert sorted(each.result().changes["moss_index"].added for each in done) == [0, 3]
    assert phone.get(f"/api/v1/uploads/{upload_id}")["counts"]["stored"] == 3


def test_a_replay_leaves_the_reserve_of_the_disk_alone(phone, monkeypatch):
    upload_id = phone.send(new_metric(3))["upload_id"]
    monkeypatch.setattr(space, "free_bytes", lambda _folder: 0)
    assert replay_refused(phone, upload_id)[0] == 507
