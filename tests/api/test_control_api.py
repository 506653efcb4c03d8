"""The tray's way in: only from this computer, only with the secret, and everything it may ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.api.control import HEADER, ROUTES
from appliance.foundation.errors import DatabaseUnavailable
from tests.fixtures.documents import hours, steps
from tests.fixtures.house import settings_of
from tests.fixtures.problems import problem_of
from tests.fixtures.visits import set_up

FAR = {"REMOTE_ADDR": "192.0.2.9"}


@pytest.fixture
def ask_control(app, services):
    """Ask as the tray does."""
    client = app.test_client()

    def ask(method, path, **more):
        headers = {HEADER: services.control.secret} | more.pop("headers", {})
        return client.open(f"/control/{path}", method=method, headers=headers, **more)

    return ask


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_nobody_else_gets_in(app, services, phone, route):
    client = app.test_client()
    ended = []
    services.control.can_be_ended(lambda: ended.append(1))
    right = {HEADER: services.control.secret}
    for headers, environ in (
        ({}, {}),
        ({HEADER: ""}, {}),
        ({HEADER: services.control.secret[:-1]}, {}),
        ({HEADER: "ä☃\udcff".encode("utf-8", "surrogateescape").decode("latin-1")}, {}),
        ({"X-API-Key": phone.key}, {}),
        (right, FAR),
    ):
        answer = client.open(route.path, method=route.method, headers=headers, environ_overrides=environ)
        problem_of(answer, 403, "control_refused")
    foreign = client.open(route.path, method=route.method, headers=right | {"Host": "evil.example"})
    problem_of(foreign, 403, "host_rejected")
    assert ended == []


def test_the_secret_is_another_at_every_start_and_in_no_log(services, ask_control, logged):
    ask_control("GET", "status")
    assert len(services.control.secret) >= 40
    assert services.control.secret not in logged()


def test_how_everything_is(ask_control, phone, services, ask, clock):
    told = ask_control("GET", "status").get_json()
    assert (told["status"], told["last_upload_at"], told["silent"]) == ("ok", None, [])
    assert (told["backup"], told["disk"], told["host_name"]) == (None, None, None)
    phone.send(steps(*hours("2026-08-07", [1, 2, 3])))
    told = ask_control("GET", "status").get_json()
    assert told["last_upload_at"] == clock.now().isoformat()
    ask(
        "INSERT INTO silence (person_id, key_id, automation_id, automation_name, last_new_at, usual_gap_s, silent_since,"
        " checked_at) SELECT person_id, key_id, automation, automation, :at, 60, :at, :at FROM api_key,"
        " unnest(ARRAY['a', 'b']) AS automation",
        at=clock.now(),
    )
    told = ask_control("GET", "status").get_json()
    assert told["silent"] == [{"phone": "Anna's phone", "since": clock.now().isoformat()}]


@settings_of(backup_dir=Path("/dev/null/backups"))
def test_a_backup_that_failed_is_told(ask_control, services, phone):
    services.upkeep.run("backup")
    assert ask_control("GET", "status").get_json()["backup"] is None
    phone.send(steps(*hours("2026-08-07", [1, 2, 3])))
    services.upkeep.run("backup")
    told = ask_control("GET", "status").get_json()
    assert "/dev/null/backups" in told["backup"]
    assert told["backup_runs"] is False


def test_it_answers_while_the_database_is_away(ask_control, services, monkeypatch):
    def away():
        raise DatabaseUnavailable

    monkeypatch.setattr(type(services.health._database), "trouble", "gone")
    monkeypatch.setattr(services.silence._database, "transaction", away)
    told = ask_control("GET", "status").get_json()
    assert told["status"] == "away"


def test_a_link_sets_up_first_and_logs_in_afterwards(ask_control, app, services):
    path = ask_control("POST", "login-link").get_json()["path"]
    assert path.startswith("setup/")
    set_up(services)
    for page, following in (("dashboard", "/"), ("pair", "/keys/pair"), ("health", "/health")):
        path = ask_control("POST", f"login-link?page={page}").get_json()["path"]
        browser = app.test_client()
        assert browser.get(f"/{path}").headers["Location"] == following
        assert browser.get(following).status_code == 200
        assert app.test_client().get(f"/{path}").status_code == 403, "once"
    problem_of(ask_control("POST", "login-link?page=//evil.example"), 400)


def test_a_backup_is_begun(ask_control, services):
    told = ask_control("POST", "backup").get_json()
    assert told == {"told": "There is nothing to back up yet.", "running": False}
    [job] = [state for state in services.upkeep.listed() if state.job.name == "backup"]
    assert job.last is not None


def test_the_end_is_asked_for_only_where_there_is_a_program_to_end(ask_control, services):
    problem_of(ask_control("POST", "stop"), 409)
    ended = []
    services.control.can_be_ended(lambda: ended.append(1))
    assert ask_control("POST", "stop").status_code == 200
    assert ended == [1]
