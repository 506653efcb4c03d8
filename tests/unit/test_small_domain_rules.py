"""The small rules everything else leans on: keys, local days, storable text, folders and the note of a server."""

from __future__ import annotations

import json
import math
import os
import stat
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import localday
from appliance.domain.key import ApiKey, Scope
from appliance.domain.person import Person
from appliance.domain.text import storable, storable_text
from appliance.foundation.clock import SystemClock
from appliance.foundation.errors import HostError
from appliance.foundation.paths import DataFolder
from appliance.foundation.presence import announced, find_serving

NOW = datetime(2026, 8, 20, 12, tzinfo=UTC)


def a_key(**more) -> ApiKey:
    known = {"expires_at": None, "revoked_at": None} | more
    return ApiKey(1, "abc", 1, "phone", frozenset(Scope), NOW, last_used_at=None, **known)


def test_a_key_opens_until_it_expires_or_is_revoked():
    assert a_key().is_open(NOW)
    assert a_key(expires_at=NOW + timedelta(seconds=1)).is_open(NOW)
    assert not a_key(expires_at=NOW).is_open(NOW)
    assert not a_key(expires_at=NOW - timedelta(days=1)).is_open(NOW)
    assert not a_key(revoked_at=NOW).is_open(NOW)
    assert not a_key(revoked_at=NOW + timedelta(days=1)).is_open(NOW)


def test_a_persons_zone_has_the_rules_of_its_name():
    zone = Person(1, "Anna", "Europe/Berlin").zone
    assert datetime(2026, 8, 7, tzinfo=zone).utcoffset() == timedelta(hours=2)
    assert datetime(2026, 1, 7, tzinfo=zone).utcoffset() == timedelta(hours=1)


@given(
    at=st.timedeltas(timedelta(days=-25_000), timedelta(days=47_000)).map(lambda span: NOW + span),
    offset=st.integers(-15 * 3_600, 15 * 3_600),
)
def test_an_instant_comes_back_exactly_and_keeps_its_offset(at, offset):
    told = localday.instant(localday.microseconds(at), offset)
    assert told == at
    assert told.utcoffset() == timedelta(seconds=offset)


@given(
    day=st.dates(date(1900, 1, 1), date(2100, 12, 31)),
    offset=st.integers(-14, 14).map(lambda hours: hours * 3_600),
)
def test_a_day_is_the_number_its_midnight_falls_into(day, offset):
    number = localday.day_number(day)
    assert date(1970, 1, 1) + timedelta(days=number) == day
    begins = localday.microseconds(localday.midnight(day, offset))
    assert begins == localday.day_start_us(number) - offset * 1_000_000


@given(text=st.text(alphabet=st.characters()), length=st.none() | st.integers(0, 5))
def test_storable_text_has_nothing_the_database_refuses_and_is_as_long_as_allowed(text, length):
    kept = storable_text(text, length)
    kept.encode("utf-8")
    assert "\x00" not in kept
    assert len(kept) == len(text[:length])


def test_storable_text_changes_nothing_else():
    assert storable_text("Anna’s ⌚️\u00a0体") == "Anna’s ⌚️\u00a0体"


@given(
    tree=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet=st.characters()),
        lambda t: st.lists(t) | st.dictionaries(st.text(alphabet=st.characters()), t),
        max_leaves=10,
    )
)
def test_storable_json_property_it_can_be_written_as_strict_json(tree):
    text = json.dumps(storable(tree), allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    assert "\\u0000" not in text


def test_storable_json_keeps_what_is_storable():
    tree = {"a": [1, 2.5, None, True, "x"], "b": {"c": -0.0}}
    assert storable(tree) == tree
    assert storable([math.inf, -math.inf]) == ["inf", "-inf"]


def test_the_clock_tells_instants_in_utc():
    assert SystemClock().now().tzinfo is UTC


def test_the_data_folder_is_made_for_its_owner_alone(tmp_path):
    folder = DataFolder(tmp_path / "some" / "where")
    folder.create()
    folder.create()
    assert folder.engines.is_dir()
    assert folder.logs.is_dir()
    if os.name == "posix":
        assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700


def test_a_data_folder_that_cannot_be_made_is_named_with_the_mend(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="--data-dir") as caught:
        DataFolder(tmp_path / "file").create()
    assert str(tmp_path / "file") in str(caught.value)


def test_a_serving_process_is_found_while_it_serves_and_not_after(tmp_path):
    assert find_serving(tmp_path) is None
    with announced(tmp_path, "http://127.0.0.1:8710", "s3cret"):
        found = find_serving(tmp_path)
        assert found is not None
        assert (found.pid, found.url) == (os.getpid(), "http://127.0.0.1:8710")
    assert find_serving(tmp_path) is None


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        '{"pid": "x", "url": ""}',
        '{"pid": 1}',
        '{"pid": null, "url": ""}',
        '{"pid": 99999999, "url": "http://x"}',
        '{"pid": 99999999999999999999, "url": "http://x"}',
        '{"pid": 1e999, "url": ""}',
    ],
)
def test_a_note_that_says_nothing_true_is_nobody(tmp_path, note):
    (tmp_path / "serving.json").write_text(note)
    assert find_serving(tmp_path) is None
