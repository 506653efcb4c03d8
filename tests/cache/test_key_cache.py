"""A key is found as it was put, never its secret, and never after it changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.cache.keys import TTL_S, KeyCache
from appliance.domain.key import ApiKey, Scope, StoredKey
from tests.cache.conftest import come_back

STORED = StoredKey(
    ApiKey(
        key_id=7,
        public_id="ab12CD",
        person_id=3,
        name="Ana’s phone 📱 \x00",
        scopes=frozenset({Scope.INGEST, Scope.READ}),
        created_at=datetime(2024, 2, 29, 23, 59, 59, 999999, UTC),
        expires_at=datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        revoked_at=None,
        last_used_at=datetime(2025, 10, 26, 12, 30, tzinfo=ZoneInfo("Europe/Berlin")),
    ),
    bytes(range(256)),
)

offsets = st.integers(-82_800, 82_800).map(lambda seconds: timezone(timedelta(seconds=seconds)))
instants = st.datetimes(timezones=st.just(UTC) | offsets)
stored_keys = st.builds(
    StoredKey,
    st.builds(
        ApiKey,
        key_id=st.integers(1, 2**63 - 1),
        public_id=st.text(),
        person_id=st.integers(1, 2**63 - 1),
        name=st.text(),
        scopes=st.frozensets(st.sampled_from(Scope)),
        created_at=instants,
        expires_at=st.none() | instants,
        revoked_at=st.none() | instants,
        last_used_at=st.none() | instants,
    ),
    st.binary(),
)


@pytest.fixture
def keys(cache):
    return KeyCache(cache)


def test_a_key_is_found_exactly_as_it_was_put(keys):
    assert keys.get("ab12CD") is None
    keys.put(STORED)
    found = keys.get("ab12CD")
    assert found == STORED
    assert found.key.last_used_at.utcoffset() == STORED.key.last_used_at.utcoffset()
    assert all(isinstance(scope, Scope) for scope in found.key.scopes)


@pytest.mark.parametrize("fold", [0, 1])
def test_an_hour_that_comes_twice_stays_the_one_it_was(keys, fold):
    used_at = datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
    keys.put(replace(STORED, key=replace(STORED.key, last_used_at=used_at)))
    # Not ==: between two zones Python calls no time of such an hour equal to any other.
    assert keys.get("ab12CD").key.last_used_at.timestamp() == used_at.timestamp()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stored=stored_keys)
def test_every_key_round_trips(keys, raw, stored):
    raw.flushall()
    keys.put(stored)
    assert keys.get(stored.key.public_id) == stored


def test_what_is_put_again_replaces(keys):
    keys.put(STORED)
    used = replace(STORED, key=replace(STORED.key, last_used_at=datetime(2026, 1, 1, tzinfo=UTC)))
    keys.put(used)
    assert keys.get("ab12CD") == used


def test_it_lives_for_a_minute_under_our_prefix(keys, raw):
    keys.put(STORED)
    (name,) = raw.keys()
    assert name.startswith(b"hb:")
    assert TTL_S * 1000 - 2000 < raw.pttl(name) <= TTL_S * 1000 == 60_000


def test_a_forgotten_key_is_gone_for_everybody(keys, server, open_cache):
    elsewhere = KeyCache(open_cache(server.url))
    keys.put(STORED)
    assert elsewhere.get("ab12CD") == STORED
    elsewhere.forget("ab12CD")
    assert keys.get("ab12CD") is None
    assert elsewhere.get("ab12CD") is None


def test_a_slow_request_cannot_bring_a_forgotten_key_back(keys, raw):
    keys.put(STORED)
    keys.forget("ab12CD")
    keys.put(STORED)
    assert keys.get("ab12CD") is None
    assert max(raw.ttl(name) for name in raw.keys("hb:key-forgotten:*")) > TTL_S
    raw.delete("hb:key-forgotten:ab12CD")  # as after its time
    assert keys.get("ab12CD") == STORED


def test_a_key_forgotten_while_the_server_hung_is_not_found_when_it_is_back(
    keys, cache, server, clock, open_cache, raw
):
    keys.put(STORED)
    server.freeze()
    assert not cache.answers()  # so that the next call is not even sent
    keys.forget("ab12CD")
    assert keys.get("ab12CD") is None
    server.thaw()
    come_back(cache, clock)
    clock.forward(TTL_S)
    assert keys.get("ab12CD") is None
    assert keys.get("ab12CD") is None
    # and the look made up for it, so that others do not find it either
    assert KeyCache(open_cache(server.url)).get("ab12CD") is None
    raw.delete("hb:key-forgotten:ab12CD")  # as after its time
    keys.put(STORED)
    assert keys.get("ab12CD") == STORED


def test_what_was_put_before_a_break_is_not_trusted_after_it(cache, keys, server, clock):
    # A command closed the key meanwhile; it could not tell the server, and is gone.
    keys.put(STORED)
    server.freeze()
    assert not cache.answers()
    server.thaw()
    come_back(cache, clock)
    assert keys.get("ab12CD") is None
    clock.forward(TTL_S)  # by then such an entry is gone
    keys.put(STORED)
    assert keys.get("ab12CD") == STORED


def test_a_forgotten_key_stays_so_when_the_clock_was_set_back_since_it_was_put(keys, raw):
    keys.put(STORED)
    raw.expire("hb:key:ab12CD", 365 * 86_400)  # what the server's clock set back by a year makes of 60 s
    keys.forget("ab12CD")
    raw.delete("hb:key-forgotten:ab12CD")  # as after its time
    assert keys.get("ab12CD") is None


def test_without_a_server_nothing_is_found_and_nothing_raised(open_cache):
    keys = KeyCache(open_cache(None))
    keys.put(STORED)
    assert keys.get("ab12CD") is None
    keys.forget("ab12CD")
    assert keys.get("ab12CD") is None


@pytest.mark.parametrize(
    "entry", [b"", b"{}", b"[]", b"null", b"7", b"\xff", b'{"key_id": 7}', b'{"secret_hash": 1}']
)
def test_an_entry_of_another_version_is_no_key(keys, raw, entry):
    raw.set("hb:key:ab12CD", entry)
    assert keys.get("ab12CD") is None


def test_an_entry_under_a_wrong_name_is_no_key(keys, raw):
    keys.put(STORED)
    raw.rename("hb:key:ab12CD", "hb:key:other")
    assert keys.get("other") is None


def test_a_name_that_cannot_be_encoded_is_not_found(keys):
    assert keys.get("\ud800") is None
    keys.forget("\ud800")
