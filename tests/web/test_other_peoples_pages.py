"""What is somebody else's does not exist, on any page and for any form: made from the table of addresses."""

from __future__ import annotations

import pytest

from appliance.domain.key import Scope
from appliance.domain.session import LinkPurpose
from tests.fixtures.house import a_phone, settings_of
from tests.fixtures.places import (
    IDS,
    WORDS,
    a_life,
    a_past,
    names_somebodys,
    parameters,
    path_to_things_of,
)
from tests.fixtures.visits import PASSWORD, client_of
from web.pages.records import SHOWN_COOKIE

OWN = {"Sec-Fetch-Site": "same-origin"}
NAMES = ("Annabel", "Benedict")  # the first is the owner
# An owner manages these of everybody; they say nothing of anybody's health.
MANAGED = ("/keys", "/settings/people")
# A code is over for everybody but who made it, which is told in the same words as of one that never was.
SAYS_NOTHING = {"/keys/pair/<int:key_id>/progress"}
# Opened by a secret word and not by who asks.
BY_WORD = {"/assets/<name>", "/login/<token>", "/setup/<token>", "/pair/<token>"}


@pytest.fixture
def household(app, services, tmp_path):
    """Two people with passwords, each with one of everything that holds their name; by name: client and person."""
    found = {}
    for name in NAMES:
        phone = a_phone(app, services, name, list(Scope))
        a_life(phone, name)
        person_id = services.people.named(name).person_id
        a_past(services, person_id, tmp_path, name)
        fresh = services.sessions.redeem(
            services.sessions.link(LinkPurpose.LOGIN, person_id), "127.0.0.1", ""
        )
        services.sessions.change_password(services.sessions.visitor(fresh.token), "", PASSWORD)
        services.pairing.begin(f"{name}'s other phone", person_id, person_id)
        client = client_of(app, fresh)
        client.set_cookie(SHOWN_COOKIE, "shown")
        found[name] = (client, person_id)
    return found


def rules_of(app, method):
    return sorted(
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("web.") and method in rule.methods and rule.rule not in BY_WORD
    )


def test_every_address_names_things_that_these_tests_know(app):
    named = {
        each for method in ("GET", "POST") for rule in rules_of(app, method) for each in parameters(rule)
    }
    assert named - IDS.keys() - WORDS.keys() == set(), (
        "say in tests/fixtures/places.py whether it is somebody's"
    )


@settings_of(limit_failed_attempts=10_000)
@pytest.mark.parametrize(("asker", "other"), [NAMES, NAMES[::-1]])
def test_another_persons_things_are_on_no_page(app, ask, household, asker, other):
    client, _ = household[asker]
    theirs, other_id = household[other]
    for rule in rules_of(app, "GET"):
        path = path_to_things_of(other_id, rule, ask)
        if names_somebodys(rule):
            assert theirs.get(path).status_code == 200, f"{path} is not there for {other} either"
        if asker == NAMES[0] and rule.startswith(MANAGED):
            continue
        answer = client.get(path, query_string={"range": "all"})
        if names_somebodys(rule) and rule not in SAYS_NOTHING:
            assert answer.status_code == 404, path
        assert answer.status_code < 500, path
        assert other not in answer.text, path


@pytest.mark.parametrize(("asker", "other"), [NAMES, NAMES[::-1]])
def test_another_persons_things_are_changed_by_no_form(app, ask, services, household, asker, other):
    client, _ = household[asker]
    theirs, other_id = household[other]
    before = held_by(ask, other_id)
    for rule in rules_of(app, "POST"):
        if not names_somebodys(rule) or (asker == NAMES[0] and rule.startswith(MANAGED)):
            continue
        path = path_to_things_of(other_id, rule, ask)
        refused = (403, 404) if rule.startswith("/settings/people") else (404,)
        assert client.post(path, data={"name": asker}, headers=OWN).status_code in refused, path
    assert held_by(ask, other_id) == before
    assert theirs.get("/").status_code == 200


def held_by(ask, person_id):
    tables = ("person", "api_key", "session", "upload", "import_run", "quarantine", "record")
    return {
        table: ask(f"SELECT * FROM {table} WHERE person_id = :person ORDER BY 1, 2", person=person_id)
        for table in tables
    }
