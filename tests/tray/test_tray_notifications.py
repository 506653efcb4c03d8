from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from tray.notifications import OVER, TITLES, Incidents, Message, QuietHours
from tray.state import Trouble

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 23, tzinfo=UTC)
WRONG = {Trouble.DISK: "Full."}
BEGUN = Message(TITLES[Trouble.DISK], "Full.")
ENDED = Message(OVER[Trouble.DISK], "")


@pytest.fixture
def incidents(tmp_path):
    return Incidents(tmp_path / "told.json", QuietHours.read("22:00-07:00"))


def test_a_trouble_is_told_once_and_its_end_once(incidents):
    assert incidents.news({}, NOON) == []
    assert incidents.news(WRONG, NOON) == [BEGUN]
    assert incidents.news({Trouble.DISK: "Fuller."}, NOON) == []
    assert incidents.news({}, NOON) == [ENDED]
    assert incidents.news({}, NOON) == []


def test_each_trouble_is_an_incident_of_its_own(incidents):
    incidents.news(WRONG, NOON)
    both = WRONG | {Trouble.SILENCE: "Nothing new from Anna"}
    assert incidents.news(both, NOON) == [Message(TITLES[Trouble.SILENCE], "Nothing new from Anna")]


def test_nothing_is_said_at_night_and_what_is_still_so_in_the_morning(incidents):
    assert incidents.news(WRONG, NIGHT) == []
    assert incidents.news(WRONG, NOON) == [BEGUN]
    assert incidents.news({}, NIGHT) == []
    assert incidents.news(WRONG, NIGHT) == []
    assert incidents.news(WRONG, NOON) == []


def test_what_begins_and_ends_at_night_is_never_told(incidents):
    assert incidents.news(WRONG, NIGHT) == []
    assert incidents.news({}, NIGHT) == []
    assert incidents.news({}, NOON) == []


def test_a_server_that_is_just_starting_has_mended_nothing(incidents):
    incidents.news(WRONG, NOON)
    assert incidents.news({}, NOON, is_certain=False) == []
    assert incidents.news({}, NOON) == [ENDED]


def test_a_tray_that_is_started_anew_does_not_tell_again(incidents, tmp_path):
    incidents.news(WRONG, NOON)
    again = Incidents(tmp_path / "told.json", QuietHours())
    assert again.news(WRONG, NOON) == []
    assert again.news({}, NOON) == [ENDED]


@pytest.mark.parametrize("content", ["", "{", "[1]", '["no such"]', "7"])
def test_a_broken_memory_is_an_empty_one(tmp_path, content):
    (tmp_path / "told.json").write_text(content)
    assert Incidents(tmp_path / "told.json", QuietHours()).news(WRONG, NOON) == [BEGUN]


def test_quiet_hours_may_lie_in_a_day_over_midnight_or_nowhere():
    over, within, never = map(QuietHours.read, ("22:00-07:00", "13:00-14:00", ""))
    assert [over.hold(time(hour)) for hour in (21, 22, 23, 0, 6, 7)] == [False, True, True, True, True, False]
    assert [within.hold(time(hour)) for hour in (12, 13, 14)] == [False, True, False]
    assert not any(never.hold(time(hour)) for hour in range(24))


def test_every_trouble_has_its_words():
    assert TITLES.keys() == OVER.keys() == set(Trouble)
