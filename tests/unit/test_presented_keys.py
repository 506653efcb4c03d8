"""Whatever a request brings instead of its key, it is said exactly what to change, and nothing of a secret is kept."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.key import KeyState, Scope
from appliance.domain.presented import (
    CLOSED,
    LENGTH,
    MAY_NOT,
    MENDS,
    TOLD_AS,
    NearMiss,
    Refusal,
    mend,
    read_presented,
)

SECRET = "A--b_" * 8 + "xyz"
KEY = f"hb_0123456789abcdef_{SECRET}"


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", f"Bearer {KEY}")],
        [("authorization", f"bearer   {KEY}  ")],
        [("Authorization", KEY)],
        [("X-Api-Key", KEY)],
        [("API-KEY", f" {KEY}\t")],
        # What a proxy wants for itself does not hide a good key.
        [("Authorization", "Basic YTpi"), ("X-API-Key", KEY)],
        [("X-API-Key", "nonsense"), ("Authorization", f"Bearer {KEY}")],
    ],
)
def test_a_good_key_is_found_in_any_of_its_headers(headers):
    presented = read_presented([("Host", "localhost"), *headers])
    assert (presented.text, presented.flaw) == (KEY, None)
    assert presented.parts() == ("0123456789abcdef", SECRET)


@pytest.mark.parametrize(
    ("header", "value", "flaw"),
    [
        ("X-API-Key", "", Refusal.NO_KEY),
        ("Authorization", "Bearer", Refusal.NO_KEY),
        ("Authorization", "Bearer  ", Refusal.NO_KEY),
        ("Authorization", f"Basic {base64.b64encode(KEY.encode()).decode()}", Refusal.WRONG_SCHEME),
        ("Authorization", f"Token {KEY}", Refusal.WRONG_SCHEME),
        ("Authorization", f"Bearer: {KEY}", Refusal.WRONG_SCHEME),
        ("Authorization", f"Bearer Bearer {KEY}", Refusal.BEARER_TWICE),
        ("X-API-Key", f"Bearer {KEY}", Refusal.BEARER_TWICE),
        ("X-API-Key", f'"{KEY}"', Refusal.QUOTED),
        ("X-API-Key", f"“{KEY}”".encode().decode("latin-1"), Refusal.QUOTED),
        ("Authorization", f"Bearer <{KEY}>", Refusal.QUOTED),
        ("X-API-Key", f"{KEY},", Refusal.QUOTED),
        ("X-API-Key", f"{KEY[:30]} {KEY[30:]}", Refusal.BROKEN),
        ("X-API-Key", f"{KEY[:30]}\r\n\t{KEY[30:]}", Refusal.BROKEN),
        ("Authorization", f"{KEY[:30]} {KEY[30:]}", Refusal.BROKEN),
        ("X-API-Key", KEY.replace("_", "%5F"), Refusal.PERCENT_ENCODED),
        ("X-API-Key", KEY.replace("_", "%5f").replace("h", "%68"), Refusal.PERCENT_ENCODED),
        ("X-API-Key", KEY.replace("--", "—").encode().decode("latin-1"), Refusal.STRANGE_CHARACTER),
        ("X-API-Key", KEY.replace("--", "—"), Refusal.STRANGE_CHARACTER),
        ("X-API-Key", KEY.replace("abcdef", "ABCDEF"), Refusal.STRANGE_CHARACTER),
        ("X-API-Key", KEY[:-1], Refusal.TOO_SHORT),
        ("X-API-Key", "hb_", Refusal.TOO_SHORT),
        ("X-API-Key", f"{KEY}{KEY}", Refusal.TOO_LONG),
        ("X-API-Key", "YOUR_API_KEY", Refusal.NOT_A_KEY),
        ("Authorization", "\udc80", Refusal.NOT_A_KEY),
    ],
)
def test_what_nearly_is_a_key_is_told_apart(header, value, flaw):
    presented = read_presented([(header, value)])
    assert (presented.text, presented.flaw) == ("", flaw)
    assert flaw is Refusal.NO_KEY or presented.header == header


@pytest.mark.parametrize(
    ("headers", "query", "flaw", "header"),
    [
        ([("X-Token", KEY)], "", Refusal.WRONG_HEADER, "X-Token"),
        ([("Api-Token", f"Bearer {KEY}")], "", Refusal.WRONG_HEADER, "Api-Token"),
        ([("X-Token", KEY[:-1])], "", Refusal.NO_KEY, "Authorization"),
        ([], f"api_key={KEY}", Refusal.IN_ADDRESS, "X-API-Key"),
        ([], f"a=1&key={KEY.replace('_', '%5F')}&b=2", Refusal.IN_ADDRESS, "X-API-Key"),
        ([("Cookie", KEY)], "", Refusal.NO_KEY, "Authorization"),
        ([("X-API-Key", "mine"), ("X-Token", KEY)], "", Refusal.NOT_A_KEY, "X-API-Key"),
        ([("X-Token" * 100, KEY)], "", Refusal.WRONG_HEADER, ("X-Token" * 100)[:60]),
    ],
)
def test_a_key_in_the_wrong_place_is_found(headers, query, flaw, header):
    presented = read_presented(headers, query)
    assert (presented.text, presented.flaw, presented.header) == ("", flaw, header)


@given(
    st.lists(st.tuples(st.sampled_from(["Authorization", "X-API-Key", "X-Other"]), st.text())),
    st.text(),
    st.text(),
)
def test_nothing_a_request_brings_stumbles(headers, query, name):
    presented = read_presented(headers, query, name)
    assert presented.flaw is not None
    assert mend(presented.flaw, presented.header).endswith(".")
    assert len(presented.automation_name) <= 100


def test_no_part_of_a_key_is_kept_with_a_name():
    for name in (KEY, f"my {KEY} key", KEY[:40], KEY * 3):
        assert SECRET[:8] not in read_presented([], "", name).automation_name
    assert SECRET[:8] not in read_presented([(KEY, KEY)]).header
    assert SECRET not in repr(read_presented([("X-API-Key", KEY)]))


def test_every_refusal_says_what_to_change():
    assert MENDS.keys() == set(Refusal)
    for reason in Refusal:
        sentence = NearMiss(1, "", reason, "X-Odd", None, None, 7, "", None, None, 1).mend
        assert sentence.endswith(".")
        assert "{" not in sentence
    assert "key 7" in mend(Refusal.REPLACED, "", 7)
    assert str(LENGTH) in mend(Refusal.TOO_SHORT, "X-API-Key")
    assert len(KEY) == LENGTH


def test_every_closed_state_and_every_scope_has_its_refusal():
    assert CLOSED.keys() == set(KeyState) - {KeyState.OPEN}
    assert {scope: str(scope) in MENDS[refusal] for scope, refusal in MAY_NOT.items()} == dict.fromkeys(
        Scope, True
    )


def test_a_wrong_secret_is_answered_as_an_unknown_key():
    assert TOLD_AS[Refusal.WRONG_SECRET] is Refusal.UNKNOWN
