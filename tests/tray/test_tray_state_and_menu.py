"""What is shown for what is known, as text: no display, no server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.tray.views import KNOWN, NOW, WELL
from tray.menu import SEPARATOR, Action, View, view_of
from tray.standing import Standing, read_standing
from tray.state import Kind, Known, Phase, Trouble, state_of

RUNNING = KNOWN[Kind.FRESH]


def shown(known, now=NOW, *, autostart: bool | None = False):
    return view_of(state_of(known, now), known, autostart=autostart)


def as_text(view: View):
    lines = []
    for entry in view.menu:
        box = "" if entry.checked is None else "[x] " if entry.checked else "[ ] "
        able = entry.enabled and entry.action
        lines.append("---" if entry is SEPARATOR else f"{box}{entry.label}" if able else f"({entry.label})")
    return lines


def running(**changes):
    return replace(RUNNING, standing=replace(WELL, **changes))


def test_the_whole_menu_while_all_is_well():
    view = shown(RUNNING)
    assert as_text(view) == [
        "(Receiving)",
        "(Last upload today at 12:05)",
        "---",
        "Open dashboard",
        "Pair a phone …",
        "---",
        "Stop",
        "Restart",
        "[ ] Start at login",
        "---",
        "Back up now",
        "Open data folder",
        "Logs",
        "---",
        "Hide this icon (Hearthbeat goes on)",
        "Stop Hearthbeat and quit",
    ]
    assert view.tooltip == "Hearthbeat\nReceiving\nLast upload today at 12:05"
    assert [entry.label for entry in view.menu if entry.default] == ["Open dashboard"]


def test_the_whole_menu_while_it_is_stopped():
    assert as_text(shown(Known(Phase.STOPPED), autostart=None)) == [
        "(Stopped; nothing takes what the phone sends)",
        "---",
        "(Open dashboard)",
        "(Pair a phone …)",
        "---",
        "Start",
        "(Restart)",
        "---",
        "(Back up now)",
        "Open data folder",
        "Logs",
        "---",
        "Quit",
    ]


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STOPPING])
def test_what_is_under_way_cannot_be_asked_for_again(phase):
    view = shown(Known(phase))
    assert view.kind is Kind.STARTING
    assert {"(Stop)", "(Restart)", "(Open dashboard)"} <= set(as_text(view))


def test_a_silent_phone_is_in_the_icon_the_tooltip_and_the_menu():
    view = shown(running(silent=("Anna", "Ben", "Cem")))
    sentence = "Nothing new for longer than usual from Anna, Ben and 1 more"
    assert view.kind is Kind.SILENT
    assert view.tooltip.splitlines()[1] == sentence
    assert as_text(view)[0] == f"({sentence})"


@pytest.mark.parametrize(
    ("known", "trouble", "words"),
    [
        (running(disk="The disk is full."), Trouble.DISK, "The disk is full."),
        (running(word="away", away=("database",)), Trouble.PART, "Away: database"),
        (running(backup="no room"), Trouble.BACKUP, "no room"),
        (Known(Phase.CRASHED, reason="out of memory"), Trouble.SERVER, "started again: out of memory"),
        (Known(Phase.GIVEN_UP), Trouble.SERVER, "see the logs"),
        (
            Known(Phase.GIVEN_UP, reason="It could not …", update_blocked=True),
            Trouble.UPDATE,
            "It could not …",
        ),
        (Known(Phase.RUNNING, unanswered_s=60), Trouble.SERVER, "does not answer"),
    ],
)
def test_each_trouble_is_told_by_the_icon_and_in_a_sentence(known, trouble, words):
    state = state_of(known, NOW)
    assert state.kind is Kind.TROUBLE
    assert words in state.wrong[trouble]
    assert state.sentence == state.wrong[trouble]


def test_a_backup_that_runs_is_neither_begun_again_nor_judged_by_the_last_one():
    view = shown(running(backup="no room", backup_runs=True))
    assert view.kind is Kind.FRESH
    assert "(A backup is being made)" in as_text(view)


def test_trouble_is_told_before_silence_and_both_are_known():
    state = state_of(running(silent=("Anna",), disk="Full."), NOW)
    assert (state.kind, list(state.wrong)) == (Kind.TROUBLE, [Trouble.DISK, Trouble.SILENCE])


def test_a_server_that_is_slow_for_a_moment_is_no_trouble():
    state = state_of(Known(Phase.RUNNING, unanswered_s=5), NOW)
    assert (state.kind, state.wrong) == (Kind.STARTING, {})


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ("2026-11-22T23:59Z", "today at 08:59"),
        ("2026-11-22T14:59Z", "yesterday at 23:59"),
        ("2026-11-19T15:00Z", "2026-11-20 at 00:00"),
    ],
)
def test_the_last_upload_is_told_in_the_time_of_this_computer(last, told):
    now = datetime(2026, 11, 23, 9, tzinfo=timezone(timedelta(hours=9)))
    state = state_of(running(last_upload_at=datetime.fromisoformat(last)), now)
    assert state.last_upload == f"Last upload {told}"


def test_nothing_shown_is_wider_than_a_menu():
    view = shown(Known(Phase.GIVEN_UP, reason="x" * 500))
    assert max(len(line) for line in [*view.tooltip.splitlines(), *as_text(view)]) < 80


def test_an_answer_of_the_controls_is_read_and_anything_else_refused():
    told = {
        "status": "away",
        "parts": {"database": "away: no answer", "cache": "ok"},
        "last_upload_at": "2026-11-23T12:00:00+00:00",
        "silent": [{"phone": "Anna", "since": "x"}, {"phone": "Anna", "since": "y"}],
        "backup": None,
        "backup_runs": False,
        "disk": None,
        "of_a_later_version": 1,
    }
    assert read_standing(told) == Standing(
        "away", ("database",), datetime(2026, 11, 23, 12, tzinfo=UTC), ("Anna",)
    )
    for wrong in ({}, told | {"parts": []}, told | {"last_upload_at": "yesterday"}, told | {"silent": [3]}):
        with pytest.raises(ValueError):  # noqa: PT011  read_standing promises no more
            read_standing(wrong)


def test_every_action_is_in_some_menu():
    seen = {entry.action for known in KNOWN.values() for entry in shown(known).menu}
    assert seen == {*Action, None}
