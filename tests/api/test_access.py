from __future__ import annotations

import re
import socket

from appliance.api.table import ROUTES
from appliance.domain.key import Scope
from tests.fixtures.documents import document, hours, steps
from tests.fixtures.house import a_phone, settings_of
from tests.fixtures.places import IDS, WORDS, a_life, names_somebodys, parameters, path_to_things_of
from tests.fixtures.problems import problem_of

BODY = steps(*hours("2026-08-07", [1, 2, 3]))
WORKOUT = {
    "name": "Running",
    "start": "2026-08-07 18:00:00 +0200",
    "end": "2026-08-07 18:30:00 +0200",
    "stepCount": [{"date": "2026-08-07 18:00:00 +0200", "qty": 160, "units": "count"}],
    "route": [{"lat": 0, "lon": 0, "timestamp": "2026-08-07 18:00:00 +0200"}],
}
GUARDED = [route for route in ROUTES if route.scope is not None]
OPEN = {"/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/docs", "/api/v1/docs.css"}
# Opened by the secret in the data folder, on this computer alone (tests/api/test_control_api.py).
CONTROLS = {f"/control/{name}" for name in ("status", "login-link", "backup", "stop")}


def named(route):
    return f"{route.method} {route.path}"


def address(route):
    parts = {"int": "1", "date": "2026-08-07"}
    return re.sub(r"<(?:(\w+):)?(\w+)>", lambda part: parts.get(part[1] or part[2], "step_count"), route.path)


def valid(schema, defs):
    """Build the least JSON that a schema takes."""
    if "$ref" in schema:
        return valid(defs[schema["$ref"].rsplit("/", 1)[-1]], defs)
    if "anyOf" in schema:
        return valid(schema["anyOf"][0], defs)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: valid(schema["properties"][name], defs) for name in schema.get("required", ())}
        case "array":
            return [valid(schema["items"], defs)]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 1)
        case _:
            return "Another"


def body_of(route):
    if route.admits_itself:
        return BODY
    if route.body is None:
        return None
    schema = route.body.model_json_schema()
    return valid(schema, schema.get("$defs", {}))


def ask_for(client, route, path=None, **headers):
    return client.open(path or address(route), method=route.method, json=body_of(route), headers=headers)


def test_only_what_tells_nothing_of_anybody_is_open():
    assert {route.path for route in ROUTES if route.scope is None} == OPEN | CONTROLS


@settings_of(limit_failed_attempts=1_000)
def test_nobody_gets_in_without_a_key(app):
    for route in GUARDED:
        answer = ask_for(app.test_client(), route)
        problem_of(answer, 401, "key_missing")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), named(route)


def test_nobody_gets_in_with_every_scope_but_the_one_needed(app, services, ask):
    phones = {
        scope: a_phone(app, services, "Anna", [other for other in Scope if other is not scope])
        for scope in Scope
    }
    alone = {scope: a_phone(app, services, "Anna", [scope]) for scope in Scope}
    before = ask("SELECT count(*) FROM api_key")
    for route in GUARDED:
        wrong = [phones[route.scope], *(phone for scope, phone in alone.items() if scope is not route.scope)]
        for phone in wrong:
            answer = ask_for(phone.client, route, **{"X-API-Key": phone.key})
            assert route.scope in problem_of(answer, 403, "scope_denied")["detail"], named(route)
    assert ask("SELECT count(*) FROM upload") == [(0,)]
    assert ask("SELECT count(*) FROM api_key") == before


def test_the_scope_alone_is_enough(app, services, phone):
    phone.send(BODY)
    phone.send(document(workouts=[WORKOUT]))
    holders = {scope: a_phone(app, services, "Anna", [scope]) for scope in Scope}
    for route in GUARDED:
        holder = holders[route.scope]
        answer = ask_for(holder.client, route, **{"X-API-Key": holder.key})
        assert answer.status_code not in (401, 403, 405, 500), f"{named(route)} {answer.text}"
        # A path that names a thing may name one that is not there, which is told behind the gate alone.
        assert answer.status_code != 404 or "<" in route.path, named(route)


# An owner manages these of everybody; they say nothing of anybody's health.
MANAGED = ("/api/v1/keys", "/api/v1/people", "/api/v1/near-misses")


def test_every_path_of_the_table_names_things_that_this_test_knows():
    unknown = {each for route in GUARDED for each in parameters(route.path)} - IDS.keys() - WORDS.keys()
    assert unknown == set(), (
        "say in tests/fixtures/places.py whether it is somebody's or a word, so that access to it is tested"
    )
    assert all(len(parameters(route.path)) == route.path.count("<") for route in GUARDED)


def spared_key(services, person_id, name):
    """Make one more key, so that what is tried on it does not take the phone's own."""
    return services.keys.create(f"{name} spare key", [Scope.INGEST], person_id=person_id)


@settings_of(limit_failed_attempts=10_000)
def test_another_persons_things_are_not_there_on_any_route(app, services, ask):
    people = {}
    for name in ("Annabel", "Benedict"):  # the first is the owner
        phone = a_phone(app, services, name, list(Scope))
        a_life(phone, name)
        people[name] = (phone, services.people.named(name).person_id)
        spared_key(services, people[name][1], name)
    for asker, other in (("Benedict", "Annabel"), ("Annabel", "Benedict")):
        phone = people[asker][0]
        is_owner = asker == "Annabel"
        for route in GUARDED:
            if is_owner and route.path.startswith(MANAGED):
                continue
            path = path_to_things_of(people[other][1], route.path, ask)
            answer = ask_for(phone.client, route, path, **{"X-API-Key": phone.key})
            which = f"{asker}: {route.method} {path}"
            if route.owner_only and not is_owner:
                problem_of(answer, 403, "owner_needed")
            elif names_somebodys(route.path):
                assert answer.status_code == 404, f"{which} {answer.text}"
                # and it is there for the person whose it is
                if route.method == "GET":
                    theirs = people[other][0]
                    assert theirs.client.get(path, headers={"X-API-Key": theirs.key}).status_code == 200, (
                        which
                    )
            assert answer.status_code < 500, which
            assert other not in answer.text, which
    for _, person_id in people.values():
        assert ask("SELECT count(*) FROM upload WHERE person_id = :person", person=person_id) == [
            (1 + sum(route.admits_itself for route in GUARDED),)
        ]
        assert ask(
            "SELECT count(*) FROM api_key WHERE person_id = :person AND revoked_at IS NULL AND disabled_at IS NULL"
            " AND replaced_by IS NULL AND name NOT LIKE '%Another%'",
            person=person_id,
        ) == [(2,)]


def test_only_an_owner_does_what_is_the_appliances(app, services, phone):
    ben = a_phone(app, services, "Ben", list(Scope))
    reserved = [route for route in GUARDED if route.owner_only]
    assert reserved
    for route in reserved:
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: WORDS.get(("jobs", part[1]), "1"), route.path)
        problem_of(ask_for(ben.client, route, path, **{"X-API-Key": ben.key}), 403, "owner_needed")
        answer = ask_for(phone.client, route, path, **{"X-API-Key": phone.key})
        assert answer.status_code not in (401, 403, 404, 405, 500), f"{named(route)} {answer.text}"


def test_another_persons_key_cannot_be_revoked(app, services, phone):
    ben = a_phone(app, services, "Ben", list(Scope))
    (key,) = [key for key in phone.get("/api/v1/keys")["items"] if key["person"] == "Anna"]
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


NO_KEYS = [
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
    {"name": "Ring", "person_id": 0},
    [],
]


def test_a_key_that_cannot_be_made_is_refused(phone, ask):
    for body in NO_KEYS:
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


def test_only_this_computers_own_names_are_served(app):
    client = app.test_client()
    for host in (
        "localhost",
        "127.0.0.1:8710",
        "[::1]:8710",
        "[fe80::1]",
        "192.168.1.20:8710",
        "hearth.local",
        "HEARTH.LAN.",
        f"{socket.gethostname()}:8710",
        f"{socket.gethostname()}.fritz.box",
    ):
        assert client.get("/healthz", headers={"Host": host}).status_code == 200, host
    for host in (
        "evil.example",
        "localhost.evil.example",
        f"{socket.gethostname()}.evil.example",
        "127.0.0.1.evil.example:8710",
        "evil.local.example",
        "evillocal",
    ):
        problem_of(client.get("/healthz", headers={"Host": host}), 403, "host_rejected")


def test_no_secret_value_or_source_reaches_the_log(logged, phone, services, ask, monkeypatch):
    body = steps(
        *hours("2026-08-07", [54_321.25, 1], source="Hidden Watch"), {"date": "Hidden date", "qty": 98_765.5}
    )
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
