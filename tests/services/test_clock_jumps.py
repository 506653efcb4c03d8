"""The computer's clock is set back or ahead by hours or years, and nothing is lost, stuck or wrongly closed."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from appliance.domain.key import Scope
from tests.fixtures.documents import hours, point, steps
from tests.fixtures.house import settings_of

YEARS = pytest.mark.parametrize("days", [-3650, -1, -0.2, 0.2, 1, 3650])


@YEARS
def test_the_newest_upload_wins_whatever_the_clock_said(phone, clock, days):
    phone.send(steps(point("2026-08-07 10:00", 10)))
    clock.advance(days=days)
    assert phone.send(steps(point("2026-08-07 10:00", 20)))["counts"]["revised"] == 1
    assert [sample["value"] for sample in phone.samples("step_count")] == [20]
    assert phone.days("step_count") == {"2026-08-07": 20}


@YEARS
def test_uploads_are_listed_in_the_order_they_came(phone, clock, days):
    first = phone.send(steps(point("2026-08-07 10:00", 10)))["upload_id"]
    clock.advance(days=days)
    second = phone.send(steps(point("2026-08-08 10:00", 10)))["upload_id"]
    assert [upload["upload_id"] for upload in phone.get("/api/v1/uploads")["items"]] == [second, first]


@YEARS
@settings_of(sync_upload_mb=0)
def test_a_kept_upload_is_worked_on_soon(phone, services, clock, days):
    assert phone.send(steps(*hours("2026-08-07", [5] * 24)))["status"] == "accepted"
    clock.advance(days=days)
    if -1 <= days < 0:
        clock.advance(
            days=-2
        )  # nearer than anything may be put off it waits for its time; beyond, it does not
    assert services.uploads.work_on_due()
    assert phone.days("step_count") == {"2026-08-07": 120}


@YEARS
def test_reading_and_posting_go_on(phone, clock, days):
    phone.send(steps(*hours("2026-08-07", [5] * 24)))
    clock.advance(days=days)
    assert phone.days("step_count") == {"2026-08-07": 120}
    assert phone.send(steps(*hours("2026-08-07", [5] * 24)))["status"] == "unchanged"
    clock.advance(days=-days)
    assert phone.days("step_count") == {"2026-08-07": 120}


def test_a_day_told_while_the_clock_was_years_behind_counts_whole(phone, clock):
    clock.advance(days=-20_000)
    phone.send(steps(*hours("2026-08-07", [5] * 24)))
    phone.send(steps(*hours("2026-08-07", [4] * 24, source="Phone")))
    assert phone.days("step_count") == {"2026-08-07": 120}


def test_a_key_closed_by_upkeep_while_the_clock_was_ahead_opens_until_its_time(
    phone, services, clock, database
):
    fresh = services.keys.create("Tablet", [Scope.READ], person_name="Anna", expires_days=30)
    phone.key = fresh.secret_text
    clock.advance(days=3650)
    assert phone.client.get("/api/v1/metrics", headers={"X-API-Key": phone.key}).status_code == 401
    with database.transaction() as connection:  # as upkeep closes it
        connection.execute(text("UPDATE api_key SET revoked_at = expires_at WHERE expires_at IS NOT NULL"))
    clock.advance(days=-3650)
    phone.get("/api/v1/metrics")
    clock.advance(days=31)
    assert phone.client.get("/api/v1/metrics", headers={"X-API-Key": phone.key}).status_code == 401


def test_a_key_revoked_by_hand_stays_so(phone, services, clock):
    clock.advance(days=3650)
    fresh = services.keys.create("Tablet", [Scope.READ], person_name="Anna", expires_days=30)
    services.keys.revoke(fresh.key.key_id)
    clock.advance(days=-3650)
    assert phone.client.get("/api/v1/metrics", headers={"X-API-Key": fresh.secret_text}).status_code == 401
