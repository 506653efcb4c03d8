"""Keys and people over HTTP: an owner manages all of them, anybody else their own, and nobody reads another's data."""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from appliance.domain.key import Scope
from tests.fixtures.documents import hours, steps
from tests.fixtures.house import a_phone, settings_of
from tests.fixtures.problems import problem_of

BODY = steps(*hours("2026-08-07", [1]))


@pytest.fixture
def ben(phone, app, services):
    """The phone of a second person, who is no owner; the phone of the first is `phone`."""
    return a_phone(app, services, "Ben", list(Scope))


def do(phone, method, path, status=200, **body):
    answer = phone.client.open(f"/api/v1{path}", method=method, json=body, headers={"X-API-Key": phone.key})
    assert answer.status_code == status, answer.text
    return answer.get_json()


def refused(phone, method, path, status, code=None, **body):
    answer = phone.client.open(f"/api/v1{path}", method=method, json=body, headers={"X-API-Key": phone.key})
    return problem_of(answer, status, code)


def test_a_key_is_disabled_enabled_rotated_and_its_history_tells_by_whom(phone, clock):
    made = do(phone, "POST", "/keys", 201, name="Ring", scopes=["ingest"])
    (own,) = [key["id"] for key in phone.get("/api/v1/keys")["items"] if key["id"] != made["id"]]
    one = f"/keys/{made['id']}"
    assert do(phone, "PATCH", one, disabled=True)["state"] == "disabled"
    problem = problem_of(phone.post(BODY, X_API_Key=made["key"]), 401, "key_invalid")
    assert "disabled" in problem["detail"]
    assert do(phone, "PATCH", one, disabled=False)["state"] == "open"
    assert phone.post(BODY, X_API_Key=made["key"]).status_code == 200
    fresh = do(phone, "POST", f"{one}/rotate", 201, overlap_hours=2)
    assert phone.post(BODY, X_API_Key=made["key"]).status_code == 200
    clock.advance(hours=2)
    problem = problem_of(phone.post(BODY, X_API_Key=made["key"]), 401)
    assert f"key {fresh['id']};" in problem["detail"]
    assert phone.post(BODY, X_API_Key=fresh["key"]).status_code == 200
    (old,) = [key for key in phone.get("/api/v1/keys")["items"] if key["id"] == made["id"]]
    assert (old["state"], old["replaced_by"]) == ("replaced", fresh["id"])
    assert old["last_used_at"] is not None
    events = phone.get(f"/api/v1{one}/events")["items"]
    assert [event["event"] for event in events] == ["rotated", "enabled", "disabled", "created"]
    assert all(f"by key {own}" in event["detail"] for event in events)
    refused(phone, "POST", f"{one}/rotate", 409, "conflict")
    for wrong in (-1, 1e9, "soon"):
        refused(phone, "POST", f"/keys/{fresh['id']}/rotate", 400, overlap_hours=wrong)


def test_near_misses_are_told_with_how_to_mend_them(phone, ben):
    phone.client.get("/api/v1/uploads", headers={"X-Token": phone.key, "automation-name": "Daily"})
    phone.client.get("/api/v1/uploads?key=" + phone.key)
    phone.client.get("/api/v1/uploads", headers={"Host": "evil.example"})
    answer = phone.client.get("/api/v1/near-misses", headers={"X-API-Key": phone.key})
    assert phone.key[20:30] not in answer.text
    found = {miss["reason"]: miss for miss in answer.get_json()["items"]}
    assert found.keys() == {"wrong_header", "in_address", "host_rejected"}
    assert found["wrong_header"]["automation_name"] == "Daily"
    assert "“X-Token”" in found["wrong_header"]["mend"]
    assert found["host_rejected"]["header"] == "Host"
    assert ben.get("/api/v1/near-misses")["items"] == []
    pages, cursor = [], None
    while cursor is not None or not pages:
        page = phone.get("/api/v1/near-misses", limit=1, **({"cursor": cursor} if cursor else {}))
        pages.append(page["items"][0]["reason"])
        cursor = page["next"]
    assert sorted(pages) == sorted(found)
    refused(phone, "GET", "/near-misses?cursor=nonsense", 400)


@settings_of(limit_failed_attempts=5)
def test_a_flood_of_wrong_keys_is_answered_429_and_writes_nothing(phone, ask):
    for _ in range(20):
        phone.post(BODY, X_API_Key="hb_guess")
    problem_of(phone.post(BODY, X_API_Key="hb_guess"), 429)
    assert ask("SELECT count(*) FROM near_miss") == [(0,)]
    (miss,) = phone.get("/api/v1/near-misses")["items"]
    assert miss["count"] == 21


def test_an_owner_closes_everybodys_keys_and_opens_none_that_reads_anothers_data(phone, ben, services):
    ben_id = services.people.named("Ben").person_id
    (bens,) = [key for key in phone.get("/api/v1/keys")["items"] if key["person"] == "Ben"]
    refused(phone, "POST", "/keys", 403, "scope_denied", name="Spy", scopes=["read"], person_id=ben_id)
    refused(phone, "POST", f"/keys/{bens['id']}/rotate", 403, "scope_denied")
    sender = do(phone, "POST", "/keys", 201, name="Ben's phone", scopes=["ingest"], person_id=ben_id)
    assert sender["person"] == "Ben"
    do(phone, "POST", f"/keys/{sender['id']}/rotate", 201, overlap_hours=0)
    do(phone, "PATCH", f"/keys/{bens['id']}", disabled=True)
    problem_of(ben.post(BODY), 401)
    assert (
        phone.client.delete(f"/api/v1/keys/{bens['id']}", headers={"X-API-Key": phone.key}).status_code == 204
    )


def test_who_is_no_owner_knows_of_nobody_else(phone, ben, services):
    anna_id, ben_id = (services.people.named(name).person_id for name in ("Anna", "Ben"))
    assert [person["name"] for person in ben.get("/api/v1/people")["items"]] == ["Ben"]
    refused(ben, "POST", "/keys", 404, name="Spy", scopes=["ingest"], person_id=anna_id)
    refused(ben, "POST", "/people", 403, "owner_needed", name="Cleo")
    refused(ben, "PATCH", f"/people/{anna_id}", 404, name="Cleo")
    refused(ben, "DELETE", f"/people/{anna_id}", 404)
    refused(ben, "PATCH", f"/people/{ben_id}", 403, "owner_needed", is_owner=True)
    refused(ben, "DELETE", f"/people/{ben_id}", 403, "owner_needed")
    assert do(ben, "PATCH", f"/people/{ben_id}", name="Benjamin", time_zone="Asia/Tokyo") == {
        "id": ben_id,
        "name": "Benjamin",
        "time_zone": "Asia/Tokyo",
        "is_owner": False,
    }


def test_an_owner_adds_changes_and_removes_people(phone, ben, services, settings):
    ben.send(BODY)
    cleo = do(phone, "POST", "/people", 201, name=" Cleo ", time_zone="Asia/Tokyo")
    assert (cleo["name"], cleo["time_zone"], cleo["is_owner"]) == ("Cleo", "Asia/Tokyo", False)
    refused(phone, "POST", "/people", 409, name="CLEO")
    refused(phone, "POST", "/people", 400, name="Dan", time_zone="Mars/Olympus")
    refused(phone, "DELETE", f"/people/{services.people.named('Anna').person_id}", 409)
    ben_id = services.people.named("Ben").person_id
    gone = do(phone, "DELETE", f"/people/{ben_id}")
    archive = Path(gone["archive"])
    assert archive.parent == settings.data_dir / "exports"
    assert gone["uploads"] == 1
    assert gone["archive_bytes"] == archive.stat().st_size
    with ZipFile(archive) as zipped:
        assert any(name.startswith("uploads/") for name in zipped.namelist())
    if sys.platform != "win32":
        assert archive.parent.stat().st_mode & 0o077 == 0
    problem_of(ben.post(BODY), 401)
    assert do(phone, "DELETE", f"/people/{cleo['id']}?export=false")["archive"] is None
    assert [person["name"] for person in phone.get("/api/v1/people")["items"]] == ["Anna"]
    refused(phone, "DELETE", f"/people/{ben_id}", 404)
