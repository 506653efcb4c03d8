from __future__ import annotations

import re

import pytest

from appliance.api.table import ROUTES
from appliance.domain.key import Scope
from tests.fixtures.documents import hours, steps
from tests.fixtures.house import a_phone
from tests.fixtures.problems import problem_of

BODY = steps(*hours("2026-08-07", [1, 2, 3]))
GUARDED = [route for route in ROUTES if route.scope is not None]
OPEN = {"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/docs"}


def named(route):
    return f"{route.method} {route.path}"


def address(route):
    return re.sub(r"<(?:(\w+):)?\w+>", lambda part: "1" if part[1] == "int" else "step_count", route.path)


def ask_for(client, route, **headers):
    body = BODY if route.admits_itself else {"name": "Another"} if route.body else None
    return client.open(address(route), method=route.method, json=body, headers=headers)


def test_only_what_tells_nothing_of_anybody_is_open():
    assert {route.path for route in ROUTES if route.scope is None} == OPEN


@pytest.mark.parametrize("route", GUARDED, ids=named)
def test_nobody_gets_in_without_a_key(app, route):
    answer = ask_for(app.test_client(), route)
    problem_of(answer, 401, "key_missing")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", GUARDED, ids=named)
def test_nobody_gets_in_with_every_scope_but_the_one_needed(app, services, route, ask):
    others = [scope for scope in Scope if scope is not route.scope]
    phone = a_phone(app, services, "Anna", others)
    assert route.scope in problem_of(ask_for(phone.client, route, **{"X-API-Key": phone.key}), 403, "scope_denied")["detail"]
    assert ask("SELECT (SELECT count(*) FROM upload), (SELECT count(*) FROM api_key)") == [(0, 1)]


@pytest.mark.parametrize("route", GUARDED, ids=named)
def test_the_scope_alone_is_enough(app, services, phone, route):
    phone.send(BODY)
    holder = a_phone(app, services, "Anna", [route.scope])
    assert ask_for(holder.client, route, **{"X-API-Key": holder.key}).status_code == route.status


def test_another_persons_things_are_not_there(app, services, phone):
    upload_id = phone.send(BODY)["upload_id"]
    ben = a_phone(app, services, "Ben", list(Scope))
    for path in (
        f"/api/v1/uploads/{upload_id}",
        f"/api/v1/uploads/{upload_id}/body",
        "/api/v1/metrics/step_count/samples",
        "/api/v1/metrics/step_count/series",
    ):
        assert phone.client.get(path, headers={"X-API-Key": phone.key}).status_code == 200
        problem_of(ben.client.get(path, headers={"X-API-Key": ben.key}), 404, "not_found")
    assert ben.get("/api/v1/uploads")["items"] == ben.get("/api/v1/metrics")["items"] == []
    assert [key["person"] for key in ben.get("/api/v1/keys")["items"]] == ["Ben"]


def test_another_persons_key_cannot_be_revoked(app, services, phone):
    ben = a_phone(app, services, "Ben", list(Scope))
    (key,) = phone.get("/api/v1/keys")["items"]
    problem_of(ben.client.delete(f"/api/v1/keys/{key['id']}", headers={"X-API-Key": ben.key}), 404)
    phone.get("/api/v1/keys")


def test_the_same_upload_of_two_people_is_stored_for_each(app, services, phone):
    ben = a_phone(app, services, "Ben", list(Scope))
    assert [who.send(BODY)["counts"]["stored"] for who in (phone, ben)] == [3, 3]
    assert phone.days("step_count") == ben.days("step_count")


def test_a_key_made_over_http_works_until_it_is_deleted(phone):
    headers = {"X-API-Key": phone.key}
    made = phone.client.post(
        "/api/v1/keys", json={"name": "Ring", "scopes": ["ingest"], "expires_days": 3}, headers=headers
    )
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    told = made.get_json()
    assert phone.post(BODY, X_API_Key=told["key"]).status_code == 200
    assert all("key" not in key for key in phone.get("/api/v1/keys")["items"])
    assert phone.client.delete(f"/api/v1/keys/{told['id']}", headers=headers).status_code == 204
    problem_of(phone.post(BODY, X_API_Key=told["key"]), 401)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"name": 5},
        {"name": "Ring", "scopes": []},
        {"name": "Ring", "scopes": ["everything"]},
        {"name": "Ring", "expires_days": 0},
        {"name": "Ring", "expires_days": 10**30},
        {"name": "Ring", "person": "Ben"},
        [],
        None,
    ],
)
def test_a_key_that_cannot_be_made_is_refused(phone, body, ask):
    problem_of(phone.client.post("/api/v1/keys", json=body, headers={"X-API-Key": phone.key}), 400)
    assert ask("SELECT count(*) FROM api_key") == [(1,)]


def test_telemetry_is_for_this_computer_or_a_key_that_may_read(app, services):
    far = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.9"}}
    client = app.test_client()
    assert client.get("/metrics").status_code == 200
    problem_of(client.get("/metrics", **far), 401)
    for scope, status in ((Scope.READ, 200), (Scope.INGEST, 403)):
        key = a_phone(app, services, "Anna", [scope]).key
        assert client.get("/metrics", headers={"X-API-Key": key}, **far).status_code == status


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8710", "[::1]:8710", "192.168.1.20:8710", "hearth.local", "HEARTH.LAN.", "[fe80::1]"]
)
def test_this_computers_own_names_are_served(app, host):
    assert app.test_client().get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8710", "evil.local.example"])
def test_a_name_that_is_not_ours_is_refused(app, host):
    problem_of(app.test_client().get("/healthz", headers={"Host": host}), 403, "host_rejected")


def test_no_secret_value_or_source_reaches_the_log(logged, phone, services, ask, monkeypatch):
    body = steps(*hours("2026-08-07", [54_321.25, 1], source="Hidden Watch"), {"date": "Hidden date", "qty": 98_765.5})
    phone.send(body)
    phone.send(body)
    phone.send(steps(*hours("2026-08-07", [11_111.25, 1], source="Hidden Watch")))
    phone.post(b'{"data": {"Hidden": 76543.25')
    phone.client.get("/api/v1/metrics/step_count/samples", headers={"Authorization": f"Bearer {phone.key}"})
    phone.client.post("/api/v1/ingest", json=body, headers={"X-API-Key": phone.key[:-1] + "~"})
    phone.client.post("/api/v1/ingest?api_key=" + phone.key, json=body)
    made = services.keys.create("Hidden name", [Scope.READ])
    rotated = services.keys.rotate(made.key.key_id)
    ask("ALTER TABLE sample ADD CHECK (value < 60000)")
    stumbled = phone.post(steps(*hours("2026-08-08", [66_666.25], source="Hidden Watch")))
    assert stumbled.status_code == 202
    everything = logged()
    assert "upload_processed" in everything
    assert "upload_failed" in everything
    for key in (phone.key, made.secret_text, rotated.secret_text):
        assert key.split("_", 2)[2] not in everything
    for secret in ("54321", "98765", "11111", "76543", "66666", "Hidden"):
        assert secret not in everything, secret
