from __future__ import annotations

from datetime import timedelta

import pytest

from appliance.domain.job import Outcome
from appliance.domain.key import Scope
from appliance.services import silence
from tests.fixtures.documents import hours, point, steps
from tests.fixtures.house import a_phone

WATCH = {"automation_name": "Health", "automation_id": "A-1"}


def a_day(phone, services, clock, number, *, silent=False):
    """Let a day pass: the computer is awake all along and the phone sends a new sample at noon."""
    if not silent:
        phone.send(steps(point(clock.now(), number + 1)), **WATCH)
    for _ in range(24):
        clock.advance(hours=1)
        services.silence.note_awake()


@pytest.fixture
def awake(services, clock, monkeypatch):
    """Hours between two notes are no pause in these tests."""
    monkeypatch.setattr(silence, "LONGEST_PAUSE", timedelta(hours=2))
    services.silence.note_awake()


def test_a_phone_that_stops_is_missed_by_its_own_rhythm_and_heard_again(phone, services, clock, awake):
    for number in range(8):
        a_day(phone, services, clock, number)
    check = services.silence.check()
    assert (check.outcome, check.result["watched"], check.result["silent"]) == (Outcome.OK, 1, 0)
    (rhythm,) = phone.get("/api/v1/silence")["items"]
    assert rhythm["usual_gap_s"] == 86_400
    assert rhythm["silent_since"] is None
    assert (rhythm["automation_name"], rhythm["key_name"]) == ("Health", "Anna's phone")

    a_day(phone, services, clock, 8, silent=True)
    assert services.silence.check().outcome is Outcome.OK
    clock.advance(hours=1)
    services.silence.note_awake()
    check = services.silence.check()
    assert check.outcome is Outcome.FOUND
    assert check.result["fell_silent"] == [rhythm["key_id"]]
    since = phone.get("/api/v1/silence")["items"][0]["silent_since"]
    assert since == clock.now().isoformat()
    clock.advance(minutes=15)
    check = services.silence.check()
    assert (check.outcome, check.result["fell_silent"]) == (Outcome.FOUND, [])
    assert phone.get("/api/v1/silence")["items"][0]["silent_since"] == since

    phone.send(steps(point(clock.now(), 99)), **WATCH)
    check = services.silence.check()
    assert (check.outcome, check.result["heard_again"]) == (Outcome.OK, [rhythm["key_id"]])


def test_sending_again_what_is_held_is_no_sign_of_life(phone, services, clock, awake):
    for number in range(8):
        a_day(phone, services, clock, number)
    old = steps(*hours("2026-08-01", [1, 2, 3]))
    phone.send(old, **WATCH)
    for _ in range(3):
        a_day(phone, services, clock, 0, silent=True)
        assert phone.send(old, **WATCH)["counts"]["unchanged"] == 3
    assert services.silence.check().result["silent"] == 1


def test_a_computer_that_was_off_misses_nobody(phone, services, clock, awake):
    for number in range(8):
        a_day(phone, services, clock, number)
    clock.advance(days=10)
    services.silence.note_awake()
    assert services.silence.check().result == {
        "watched": 1,
        "silent": 0,
        "fell_silent": [],
        "heard_again": [],
    }


def test_a_closed_key_is_not_missed_and_others_rhythms_are_not_shown(app, phone, services, clock, awake):
    for number in range(8):
        a_day(phone, services, clock, number)
    services.silence.check()
    ben = a_phone(app, services, "Ben", [Scope.READ])
    assert ben.get("/api/v1/silence")["items"] == []
    (key,) = [key for key, person in services.keys.listed() if person == "Anna"]
    services.keys.revoke(key.key_id)
    clock.advance(days=10)
    assert services.silence.check().result["watched"] == 0


def test_a_pause_of_more_than_three_minutes_begins_a_new_span(services, clock, ask):
    for minutes in (0, 1, 3, 4, 1):
        clock.advance(minutes=minutes)
        services.silence.note_awake()
    spans = ask(
        "SELECT extract(epoch FROM ended_at - started_at)::int AS s FROM awake_span ORDER BY started_at"
    )
    assert [span.s for span in spans] == [240, 60]
