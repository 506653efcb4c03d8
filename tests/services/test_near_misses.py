"""Every refused request is noted with what to change, and however many come, they cost neither writes nor memory."""

from __future__ import annotations

import pytest

from appliance.domain.key import Scope
from appliance.domain.presented import Refusal, read_presented
from appliance.foundation.errors import AccessError
from appliance.services import near_misses
from appliance.storage import near_misses as kept

HOME = "192.0.2.7"


@pytest.fixture
def keys(services):
    return services.keys


@pytest.fixture
def fresh(keys):
    return keys.create("Phone", [Scope.INGEST], person_name="Anna")


def refuse(keys, text, scope=Scope.INGEST, address=HOME, header="X-API-Key", name="Daily"):
    with pytest.raises(AccessError) as refused:
        keys.admit(read_presented([(header, text)], "", name), scope, address)
    return refused.value.detail


def reasons(keys):
    return {(miss.reason, miss.key_id): miss.count for miss in keys.near_misses()}


def test_each_refusal_is_noted_by_what_was_wrong_and_with_the_key_it_nearly_was(keys, fresh, clock):
    key_id, text = fresh.key.key_id, fresh.secret_text
    closed = {
        Refusal.REVOKED: keys.create("Revoked", [Scope.INGEST]),
        Refusal.DISABLED: keys.create("Disabled", [Scope.INGEST]),
        Refusal.EXPIRED: keys.create("Expired", [Scope.INGEST], expires_days=1),
        Refusal.REPLACED: keys.create("Replaced", [Scope.INGEST]),
    }
    keys.revoke(closed[Refusal.REVOKED].key.key_id)
    keys.disable(closed[Refusal.DISABLED].key.key_id)
    successor = keys.rotate(closed[Refusal.REPLACED].key.key_id, overlap_hours=0)
    clock.advance(days=1)
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    refuse(keys, "")
    refuse(keys, "hb_short")
    refuse(keys, text, header="X-Token")
    refuse(keys, f"hb_{'0' * 16}_{text[20:]}")
    refuse(keys, wrong)
    refuse(keys, wrong)
    refuse(keys, text, Scope.READ)
    for each in closed.values():
        refuse(keys, each.secret_text)
    assert reasons(keys) == {
        (Refusal.NO_KEY, None): 1,
        (Refusal.TOO_SHORT, None): 1,
        (Refusal.WRONG_HEADER, None): 1,
        (Refusal.UNKNOWN, None): 1,
        (Refusal.WRONG_SECRET, key_id): 2,
        (Refusal.MAY_NOT_READ, key_id): 1,
    } | {(reason, each.key.key_id): 1 for reason, each in closed.items()}
    (replaced,) = [miss for miss in keys.near_misses() if miss.reason is Refusal.REPLACED]
    assert f"key {successor.key.key_id};" in replaced.mend


def test_who_has_no_whole_secret_learns_nothing_of_the_key(keys, fresh):
    public = fresh.secret_text[:20]
    keys.revoke(fresh.key.key_id)
    other = f"hb_{'0' * 16}_"
    assert refuse(keys, public + "A" * 43) == refuse(keys, other + "A" * 43)
    assert "revoked" in refuse(keys, fresh.secret_text)


def test_no_secret_and_no_part_of_one_is_kept(keys, fresh, ask, logged):
    secret = fresh.secret_text[20:]
    for text in (
        fresh.secret_text[:-1],
        fresh.secret_text + "x",
        f'"{fresh.secret_text}"',
        f"Bearer {fresh.secret_text}",
    ):
        assert secret[:10] not in refuse(keys, text, name=fresh.secret_text)
    assert secret[:10] not in refuse(keys, fresh.secret_text, header="X-Token")
    keys.revoke(fresh.key.key_id)
    refuse(keys, fresh.secret_text)
    assert keys.write_notes() > 0
    assert secret[:10] not in repr(ask("SELECT * FROM near_miss"))
    assert "key_refused" in logged()
    assert secret[:10] not in logged()


def test_refusals_are_added_up_over_writings(keys, clock):
    begun = clock.now()
    for _ in range(3):
        refuse(keys, "hb_short")
        keys.write_notes()
        clock.advance(minutes=1)
    (miss,) = keys.near_misses()
    assert (miss.count, miss.first_at, miss.automation_name) == (3, begun, "Daily")
    assert (clock.now() - miss.last_at).total_seconds() == 60


def test_no_refusal_writes_anything_by_itself(keys, ask):
    for _ in range(5):
        refuse(keys, "hb_short")
    assert ask("SELECT count(*) FROM near_miss") == [(0,)]
    assert keys.write_notes() == 1
    assert keys.write_notes() == 0


def test_attempts_that_are_told_to_wait_are_counted_as_well(keys, settings):
    for _ in range(settings.limit_failed_attempts + 5):
        refuse(keys, "hb_short")
    assert reasons(keys) == {(Refusal.TOO_SHORT, None): settings.limit_failed_attempts + 5}


def test_a_flood_from_one_address_takes_bounded_room_and_is_still_counted(keys, monkeypatch):
    monkeypatch.setattr(near_misses, "KINDS_OF_AN_ADDRESS", 5)
    for number in range(50):
        refuse(keys, "hb_short", name=f"guess {number}")
    refuse(keys, "", address="192.0.2.8", name="Phone")
    found = keys.near_misses()
    assert len(found) == 5 + 1 + 1
    assert sum(miss.count for miss in found) == 51
    assert [miss.automation_name for miss in found if miss.address == "192.0.2.8"] == ["Phone"]


def test_a_flood_from_many_addresses_takes_bounded_room_and_is_still_counted(keys, monkeypatch):
    monkeypatch.setattr(near_misses, "KINDS", 10)
    for number in range(60):
        refuse(keys, "hb_short", address=f"2001:db8::{number:x}")
    found = keys.near_misses(limit=100)
    assert len(found) == 10 + 1
    assert sum(miss.count for miss in found) == 60
    assert {miss.count for miss in found if miss.address == ""} == {50}


def test_only_so_many_are_kept_the_newest_of_each_address(keys, monkeypatch, clock):
    monkeypatch.setattr(kept, "KEPT_OF_AN_ADDRESS", 3)
    monkeypatch.setattr(kept, "KEPT", 4)
    refuse(keys, "", address="192.0.2.8", name="Phone")
    for number in range(9):
        clock.advance(seconds=1)
        refuse(keys, "hb_short", name=f"guess {number}")
    assert [miss.automation_name for miss in keys.near_misses()] == ["guess 8", "guess 7", "guess 6", "Phone"]


def test_a_person_sees_the_near_misses_of_their_own_keys(keys, fresh, services):
    ben = keys.create("Ring", [Scope.INGEST], person_name="Ben").key
    refuse(keys, fresh.secret_text, Scope.READ)
    refuse(keys, "hb_short")
    assert len(keys.near_misses()) == 2
    assert [miss.key_id for miss in keys.near_misses(fresh.key.person_id)] == [fresh.key.key_id]
    assert keys.near_misses(ben.person_id) == []
