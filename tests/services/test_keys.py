from __future__ import annotations

import pytest

from appliance.domain.key import Scope
from appliance.foundation.errors import (
    Conflict,
    KeyInvalid,
    KeyMissing,
    NotFound,
    RateLimited,
    RequestError,
    ScopeDenied,
)

ADDRESS = "192.0.2.7"


@pytest.fixture
def keys(services):
    return services.keys


@pytest.fixture
def fresh(keys):
    return keys.create("Phone", [Scope.INGEST], person_name="Anna")


def admit(keys, text, scope=Scope.INGEST, address=ADDRESS):
    return keys.admit(text, scope, address)


def test_a_new_key_opens_what_its_scopes_say(keys, fresh):
    assert admit(keys, fresh.secret_text).key == fresh.key
    with pytest.raises(ScopeDenied, match="read"):
        admit(keys, fresh.secret_text, Scope.READ)


def test_the_secret_is_stored_nowhere(fresh, ask):
    secret = fresh.secret_text.rsplit("_", 1)[-1]
    (tables,) = zip(
        *ask("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"), strict=True
    )
    for table in tables:
        everything = repr([tuple(map(_readable, row)) for row in ask(f'SELECT * FROM "{table}"')])
        assert secret not in everything, table
    assert len(ask("SELECT secret_hash FROM api_key")[0][0]) == 32


def _readable(cell):
    return bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else cell


def test_two_keys_with_one_name_are_two_keys(keys, fresh):
    other = keys.create("Phone", [Scope.INGEST], person_name="Anna")
    assert other.key.key_id != fresh.key.key_id
    assert other.secret_text != fresh.secret_text
    assert other.key.person_id == fresh.key.person_id


def test_a_key_needs_a_name_of_some_length_and_expires_in_the_future(keys):
    for name in ("", "   ", "x" * 101):
        with pytest.raises(RequestError, match="1 to 100"):
            keys.create(name, [Scope.INGEST])
    for days in (0, -1, 36_501):
        with pytest.raises(RequestError, match="36,500"):
            keys.create("Phone", [Scope.INGEST], expires_days=days)


def test_without_a_name_the_first_person_is_meant(keys, services, fresh):
    assert keys.create("Another", [Scope.READ]).key.person_id == fresh.key.person_id
    assert [person.name for person in services.people.everyone()] == ["Anna"]


def test_keys_are_listed_with_their_person_and_only_theirs(keys, fresh):
    other = keys.create("Ring", [Scope.READ], person_name="Ben")
    assert keys.listed() == [(fresh.key, "Anna"), (other.key, "Ben")]
    assert keys.listed(other.key.person_id) == [(other.key, "Ben")]


def test_a_revoked_key_is_refused_at_once_although_it_was_cached(keys, fresh):
    admit(keys, fresh.secret_text)
    admit(keys, fresh.secret_text)
    keys.revoke(fresh.key.key_id)
    with pytest.raises(KeyInvalid, match="revoked"):
        admit(keys, fresh.secret_text)


def test_revoking_twice_keeps_the_first_time(keys, fresh, clock, ask):
    keys.revoke(fresh.key.key_id)
    clock.advance(days=1)
    keys.revoke(fresh.key.key_id)
    ((key, _),) = keys.listed()
    assert (clock.now() - key.revoked_at).days == 1
    assert ask("SELECT event FROM key_event ORDER BY key_event_id") == [("created",), ("revoked",)]


def test_a_key_of_somebody_else_cannot_be_revoked_or_rotated(keys, fresh):
    other = keys.create("Ring", [Scope.READ], person_name="Ben")
    for change in (keys.revoke, keys.rotate):
        with pytest.raises(NotFound):
            change(fresh.key.key_id, other.key.person_id)
    admit(keys, fresh.secret_text)


def test_rotating_closes_the_old_key_and_hands_its_rights_to_a_new_one(keys, clock, ask):
    old = keys.create("Phone", [Scope.READ, Scope.INGEST], person_name="Anna", expires_days=30)
    clock.advance(days=20)
    new = keys.rotate(old.key.key_id)
    with pytest.raises(KeyInvalid, match="revoked"):
        admit(keys, old.secret_text)
    assert admit(keys, new.secret_text, Scope.READ).key.key_id == new.key.key_id
    assert (new.key.name, new.key.person_id, new.key.scopes) == (
        old.key.name,
        old.key.person_id,
        old.key.scopes,
    )
    assert (new.key.expires_at - clock.now()).days == 30
    events = ask("SELECT key_id, event, detail FROM key_event ORDER BY key_event_id")
    assert [tuple(event) for event in events] == [
        (old.key.key_id, "created", ""),
        (new.key.key_id, "created", ""),
        (old.key.key_id, "rotated", f"to key {new.key.key_id}"),
        (old.key.key_id, "revoked", ""),
    ]


def test_rotating_does_not_let_a_closed_key_in_again(keys, fresh):
    keys.revoke(fresh.key.key_id)
    with pytest.raises(Conflict, match="closed"):
        keys.rotate(fresh.key.key_id)
    assert len(keys.listed()) == 1


def test_a_key_expires_with_the_clock_although_it_is_cached(keys, clock):
    fresh = keys.create("Phone", [Scope.INGEST], expires_days=2)
    clock.advance(days=2, seconds=-1)
    admit(keys, fresh.secret_text)
    clock.advance(seconds=1)
    with pytest.raises(KeyInvalid, match="expired"):
        admit(keys, fresh.secret_text)


def test_the_last_use_is_written_at_most_once_a_minute(keys, fresh, clock, ask):
    def last_used():
        return ask("SELECT last_used_at FROM api_key")[0][0]

    assert last_used() is None
    admit(keys, fresh.secret_text)
    first = clock.now()
    assert last_used() == first
    clock.advance(seconds=59)
    admit(keys, fresh.secret_text)
    assert last_used() == first
    clock.advance(seconds=1)
    admit(keys, fresh.secret_text)
    assert last_used() == clock.now()


def test_a_key_that_is_not_ours_is_refused_by_what_is_wrong_with_it(keys, fresh):
    public, secret = fresh.secret_text.removeprefix("hb_").split("_", 1)
    other = "A" if secret[0] != "A" else "B"
    for presented, error in (
        (None, KeyMissing),
        ("", KeyMissing),
        ("hb_", KeyInvalid),
        (fresh.secret_text + "x", KeyInvalid),
        (fresh.secret_text + "\n", KeyInvalid),
        (f"hb_{public}_{other}{secret[1:]}", KeyInvalid),
        (f"hb_{'0' * 16}_{secret}", KeyInvalid),
        ("hb_" + "é" * 60, KeyInvalid),
    ):
        with pytest.raises(error):
            admit(keys, presented)


def test_an_address_that_fails_too_often_is_told_to_wait_and_its_good_keys_are_not(keys, fresh, settings):
    for _ in range(settings.limit_failed_attempts):
        with pytest.raises(KeyInvalid):
            admit(keys, "hb_guess")
    for presented in ("hb_guess", None):
        with pytest.raises(RateLimited) as refused:
            admit(keys, presented)
        assert 0 < refused.value.retry_after_s <= 600
    admit(keys, fresh.secret_text)


def test_good_attempts_never_count_against_an_address(keys, fresh, settings):
    for _ in range(settings.limit_failed_attempts + 5):
        admit(keys, fresh.secret_text)
    with pytest.raises(ScopeDenied):
        admit(keys, fresh.secret_text, Scope.ADMIN)
