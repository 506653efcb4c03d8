from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from appliance.bootstrap import open_services
from appliance.domain.key import KeyState, Scope
from appliance.domain.presented import read_presented
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
    return keys.admit(read_presented([("X-API-Key", text or "")]), scope, address)


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
    for name in ("", "   ", "x" * 101, "a\0b", "\ud800"):
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


def test_rotating_at_once_closes_the_old_key_and_hands_its_rights_to_a_new_one(keys, clock):
    old = keys.create("Phone", [Scope.READ, Scope.INGEST], person_name="Anna", expires_days=30)
    clock.advance(days=20)
    new = keys.rotate(old.key.key_id, overlap_hours=0, by_key=7)
    with pytest.raises(KeyInvalid, match=f"replaced by key {new.key.key_id};"):
        admit(keys, old.secret_text)
    assert admit(keys, new.secret_text, Scope.READ).key.key_id == new.key.key_id
    assert (new.key.name, new.key.person_id, new.key.scopes) == (
        old.key.name,
        old.key.person_id,
        old.key.scopes,
    )
    assert (new.key.expires_at - clock.now()).days == 30
    assert [(event.key_id, event.change, event.detail) for event in keys.events()] == [
        (old.key.key_id, "rotated", f"to key {new.key.key_id}, by key 7"),
        (new.key.key_id, "created", f"in place of key {old.key.key_id}, by key 7"),
        (old.key.key_id, "created", ""),
    ]


def test_a_rotated_key_goes_on_for_the_overlap_and_not_longer(keys, fresh, clock):
    new = keys.rotate(fresh.key.key_id)
    clock.advance(hours=24, seconds=-1)
    admit(keys, fresh.secret_text)
    admit(keys, new.secret_text)
    clock.advance(seconds=1)
    with pytest.raises(KeyInvalid, match=f"replaced by key {new.key.key_id};"):
        admit(keys, fresh.secret_text)
    admit(keys, new.secret_text)


def test_an_overlap_never_makes_a_key_live_longer(keys, clock):
    old = keys.create("Phone", [Scope.INGEST], expires_days=1)
    keys.rotate(old.key.key_id, overlap_hours=1_000)
    clock.advance(days=1)
    with pytest.raises(KeyInvalid):
        admit(keys, old.secret_text)


def test_a_rotation_that_fails_half_way_changed_nothing(keys, fresh, ask):
    ask("ALTER TABLE key_event ADD CHECK (event <> 'rotated')")
    with pytest.raises(Exception, match="23514"):  # check_violation
        keys.rotate(fresh.key.key_id, overlap_hours=0)
    assert [key for key, _ in keys.listed()] == [fresh.key]
    admit(keys, fresh.secret_text)


def test_of_two_rotations_at_once_one_is_told_of_the_other(keys, fresh):
    def rotate():
        try:
            return keys.rotate(fresh.key.key_id)
        except Conflict as told:
            return told

    with ThreadPoolExecutor(4) as several:
        results = [each.result() for each in [several.submit(rotate) for _ in range(4)]]
    told = [result for result in results if isinstance(result, Conflict)]
    assert len(told) == 3
    assert len(keys.listed()) == 2
    assert all("replaced by key" in str(each) for each in told)


def test_a_disabled_key_is_refused_at_once_and_opens_again(keys, fresh):
    admit(keys, fresh.secret_text)
    keys.disable(fresh.key.key_id)
    with pytest.raises(KeyInvalid, match="disabled"):
        admit(keys, fresh.secret_text)
    with pytest.raises(Conflict, match="disabled"):
        keys.rotate(fresh.key.key_id)
    keys.enable(fresh.key.key_id)
    keys.enable(fresh.key.key_id)
    admit(keys, fresh.secret_text)
    assert [event.change for event in keys.events(fresh.key.key_id)] == ["enabled", "disabled", "created"]


def test_what_is_closed_for_good_is_not_enabled(keys, fresh, clock):
    short = keys.create("Short", [Scope.INGEST], expires_days=1)
    keys.revoke(fresh.key.key_id)
    clock.advance(days=1)
    for key in (fresh.key, short.key):
        for change in (keys.enable, keys.disable):
            with pytest.raises(Conflict, match="for good"):
                change(key.key_id)


def test_an_expired_key_is_closed_once_and_its_history_says_so(keys, fresh, clock):
    short = keys.create("Short", [Scope.INGEST], expires_days=1)
    assert keys.close_expired() == 0
    clock.advance(days=1, hours=2)
    assert keys.close_expired() == 1
    assert keys.close_expired() == 0
    event = keys.events(short.key.key_id)[0]
    assert (event.change, event.at) == ("expired", clock.now())
    (closed,) = [key for key, _ in keys.listed() if key.key_id == short.key.key_id]
    assert closed.state(clock.now()) is KeyState.EXPIRED
    assert closed.revoked_at == closed.expires_at
    with pytest.raises(KeyInvalid, match="expired"):
        admit(keys, short.secret_text)
    admit(keys, fresh.secret_text)


def test_history_is_told_by_our_clock_and_to_its_person_alone(keys, fresh, clock):
    clock.advance(days=3)
    other = keys.create("Ring", [Scope.READ], person_name="Ben")
    keys.revoke(fresh.key.key_id)
    assert {event.at for event in keys.events(fresh.key.key_id)} == {fresh.key.created_at, clock.now()}
    assert [event.key_id for event in keys.events(person_id=other.key.person_id)] == [other.key.key_id]
    with pytest.raises(NotFound):
        keys.events(fresh.key.key_id, other.key.person_id)


def test_a_new_person_is_added_once_however_many_keys_are_made_at_once(keys, services):
    together = threading.Barrier(6)

    def create(name):
        together.wait()
        return keys.create("Phone", [Scope.INGEST], person_name=name).key.person_id

    names = ["Zoe", "zoe", " Zoe", "ZOE", "Zoe", "zoe "]
    with ThreadPoolExecutor(6) as several:
        ids = {each.result() for each in [several.submit(create, name) for name in names]}
    assert len(ids) == 1
    assert len(services.people.everyone()) == 1


def test_nobody_is_told_a_key_that_reads_another_persons_data(keys, fresh):
    ben = keys.create("Ring", [Scope.READ], person_name="Ben").key
    for scopes in ([Scope.READ], [Scope.INGEST, Scope.READ], [Scope.ADMIN]):
        with pytest.raises(ScopeDenied):
            keys.create("Mine", scopes, person_id=ben.person_id, told_to=fresh.key.person_id)
    with pytest.raises(ScopeDenied):
        keys.rotate(ben.key_id, told_to=fresh.key.person_id)
    keys.create("Ben's phone", [Scope.INGEST], person_id=ben.person_id, told_to=fresh.key.person_id)


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


def test_the_last_use_is_written_with_the_notes_and_never_by_a_request(keys, fresh, clock, ask):
    def last_used():
        return ask("SELECT last_used_at FROM api_key")[0][0]

    admit(keys, fresh.secret_text)
    clock.advance(seconds=1)
    admit(keys, fresh.secret_text)
    assert last_used() is None
    assert keys.write_notes() == 1
    assert last_used() == clock.now()
    assert keys.write_notes() == 0


def test_a_list_shows_uses_that_are_not_written_yet(keys, fresh, clock):
    admit(keys, fresh.secret_text)
    ((key, _),) = keys.listed()
    assert key.last_used_at == clock.now()


def test_what_is_noted_is_written_when_the_appliance_is_taken_down(clean_engines, settings, clock, ask):
    with open_services(settings, clean_engines, clock=clock) as services:
        fresh = services.keys.create("Phone", [Scope.INGEST], person_name="Anna")
        admit(services.keys, fresh.secret_text)
    assert ask("SELECT last_used_at FROM api_key") == [(clock.now(),)]


def test_an_earlier_use_told_late_does_not_turn_the_last_one_back(keys, fresh, clock, ask):
    admit(keys, fresh.secret_text)
    ask("UPDATE api_key SET last_used_at = '2030-01-01T00:00:00Z'")
    keys.write_notes()
    assert ask("SELECT extract(year FROM last_used_at)::int FROM api_key") == [(2030,)]


def test_notes_that_cannot_be_written_are_kept_for_the_next_time(keys, fresh, ask):
    admit(keys, fresh.secret_text)
    with pytest.raises(KeyInvalid):
        admit(keys, "hb_guess")
    ask("ALTER TABLE near_miss RENAME TO elsewhere")
    with pytest.raises(Exception, match="42P01"):  # undefined_table
        keys.write_notes()
    ask("ALTER TABLE elsewhere RENAME TO near_miss")
    assert keys.write_notes() == 2
    assert ask("SELECT last_used_at IS NOT NULL, (SELECT sum(count) FROM near_miss) FROM api_key") == [
        (True, 1)
    ]


def test_a_key_that_is_not_ours_is_refused_by_what_is_wrong_with_it(keys, fresh):
    public, secret = fresh.secret_text.removeprefix("hb_").split("_", 1)
    other = "A" if secret[0] != "A" else "B"
    for presented, error in (
        (None, KeyMissing),
        ("", KeyMissing),
        ("hb_", KeyInvalid),
        (fresh.secret_text + "x", KeyInvalid),
        (fresh.secret_text[:-1] + "\n", KeyInvalid),
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


def test_a_key_closed_where_the_cache_could_not_be_told_is_forgotten_with_its_next_use(
    keys, fresh, clean_engines, settings, clock
):
    admit(keys, fresh.secret_text)
    silent = replace(
        clean_engines, cache_url="redis://127.0.0.1:1"
    )  # as a short command finds one that hangs
    with open_services(settings, silent, clock=clock) as command:
        command.keys.revoke(fresh.key.key_id)
    admit(keys, fresh.secret_text)
    keys.write_notes()
    with pytest.raises(KeyInvalid, match="revoked"):
        admit(keys, fresh.secret_text)
