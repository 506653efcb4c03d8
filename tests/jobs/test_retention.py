from __future__ import annotations

from datetime import timedelta

from appliance.domain.job import Outcome
from tests.fixtures.documents import document, hours, metric, point, steps
from tests.fixtures.house import settings_of

KEPT = "SELECT upload_id FROM upload WHERE body IS NOT NULL ORDER BY upload_id"


def kept(ask):
    return [row.upload_id for row in ask(KEPT)]


def test_bodies_are_kept_for_ever_unless_somebody_says_otherwise(phone, services, clock, ask):
    upload_id = phone.send(steps(*hours("2026-08-07", [1])))["upload_id"]
    clock.advance(days=4_000)
    assert services.retention.prune_bodies().result["removed"] == 0
    assert kept(ask) == [upload_id]


@settings_of(raw_retention_days=30)
def test_a_body_goes_when_its_time_is_over_and_what_was_understood_stays(phone, services, clock, ask):
    old = phone.send(steps(*hours("2026-08-07", [1, 2])))["upload_id"]
    clock.advance(days=20)
    young = phone.send(steps(*hours("2026-08-27", [3])))["upload_id"]
    clock.advance(days=11)
    days = phone.days("step_count")
    result = services.retention.prune_bodies()
    assert result.result["removed"] == 1
    assert result.result["bytes"] > 0
    assert kept(ask) == [young]
    assert phone.days("step_count") == days
    assert phone.get(f"/api/v1/uploads/{old}")["counts"]["stored"] == 2
    assert services.retention.prune_bodies().result["removed"] == 0


@settings_of(raw_retention_days=30)
def test_bytes_that_hold_what_is_held_nowhere_else_are_kept(phone, services, clock, ask):
    quarantined = phone.send(steps(point("2026-08-07 10:00", 5), point("2026-08-07 11:00", "many")))[
        "upload_id"
    ]
    unknown = phone.send(document(metric("aura_brightness", "lm", point("2026-08-07 10:00", 5))))["upload_id"]
    plain = phone.send(steps(point("2026-08-08 10:00", 5)))["upload_id"]
    ask("UPDATE upload SET state = 'failed', received = 0, stored = 0 WHERE upload_id = :id", id=plain)
    waiting = phone.send(steps(point("2026-08-09 10:00", 5)))["upload_id"]
    ask("UPDATE upload SET state = 'received', due_at = received_at WHERE upload_id = :id", id=waiting)
    clock.advance(days=400)
    assert services.retention.prune_bodies().result["removed"] == 0
    assert kept(ask) == sorted([quarantined, unknown, plain, waiting])


@settings_of(raw_retention_days=1)
def test_a_refused_body_is_kept_for_a_season(phone, services, clock, ask):
    assert phone.post(b"{").status_code == 400
    clock.advance(days=89)
    services.retention.prune_bodies()
    assert len(kept(ask)) == 1
    clock.advance(days=2)
    services.retention.prune_bodies()
    assert kept(ask) == []


def test_notes_about_the_appliance_go_after_90_days_and_logins_when_they_are_over(
    phone, services, clock, ask
):
    now = clock.now()
    for age in (89, 91):
        at = now - timedelta(days=age)
        ask(
            "INSERT INTO job_run (name, instance, started_at, outcome) VALUES ('trim', 'x', :at, 'ok')", at=at
        )
        ask("INSERT INTO own_metrics VALUES (:at, 'x', '{}')", at=at)
        ask("INSERT INTO awake_span VALUES ('x', :at, :at)", at=at)
        ask(
            "INSERT INTO near_miss (address, reason, header, key_id, automation_name, first_at, last_at, count)"
            " VALUES (:where, 'r', 'h', 0, '', :at, :at, 1)",
            at=at,
            where=str(age),
        )
    for number, expires in enumerate((now - timedelta(minutes=1), now + timedelta(days=1))):
        token = str(number).encode()
        ask(
            "INSERT INTO session (token_hash, person_id, viewing_id, created_at, expires_at, last_seen_at, address, browser)"
            " SELECT :token, person_id, person_id, :at, :at, :at, '', '' FROM person",
            token=token,
            at=expires,
        )
        ask(
            "INSERT INTO login_link (token_hash, purpose, created_at, expires_at) VALUES (:token, 'login', :at, :at)",
            token=token,
            at=expires,
        )
    result = services.retention.trim()
    assert result.outcome is Outcome.OK
    assert result.result == dict.fromkeys(
        ("job_run", "own_metrics", "awake_span", "near_miss", "session", "login_link"), 1
    )
    for table in result.result:
        assert ask(f"SELECT count(*) FROM {table}") == [(1,)], table
