"""The whole without display and server: what is wanted is done, and what cannot be done is told."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.fixtures.waiting import wait_until
from tests.tray.views import KNOWN
from tray.application import Application, Desk
from tray.client import NoAnswer
from tray.controller import Controller
from tray.menu import Action
from tray.notifications import Incidents, Message, QuietHours
from tray.state import Kind, Phase


class Screen:
    """An adapter that notes what it is given."""

    name, reason = "test", ""

    def __init__(self):
        self.views, self.messages = [], []
        self.closed = threading.Event()

    def begin(self, first, act):
        self.views.append(first)
        self.act = act

    def run(self):
        self.closed.wait(30)

    def show(self, view):
        self.views.append(view)

    def notify(self, message):
        self.messages.append(message)

    def close(self):
        self.closed.set()


class Client:
    """The controls of a server; `broken` ones do not answer."""

    broken = False
    backup = ("The backup has begun.", True)

    def login_url(self, page):
        if self.broken:
            raise NoAnswer("The server does not answer (busy).")
        return f"http://127.0.0.1:1/login/x?page={page}"

    def back_up(self):
        return self.backup


class Login:
    """Starting at login, which may be refused."""

    what = "test"
    on = None

    def command(self):
        return self.on

    def turn_on(self, command):
        if command is None:
            raise PermissionError(13, "Permission denied")
        self.on = command

    def turn_off(self):
        self.on = None


@pytest.fixture
def tray(tmp_path, monkeypatch):
    """A tray at work whose server is as `known` says."""
    found = SimpleNamespace(
        screen=Screen(),
        client=Client(),
        login=Login(),
        known=KNOWN[Kind.FRESH],
        deeds=[],
        opened=[],
        opens=True,
    )

    def opening(what):
        found.opened.append(str(what))
        return found.opens

    controller = SimpleNamespace(
        look=lambda: found.known,
        look_closer=lambda: None,
        client=found.client,
        **{deed: lambda deed=deed: found.deeds.append(deed) for deed in ("start", "stop", "restart")},
    )
    assert all(hasattr(Controller, name) for name in vars(controller))
    monkeypatch.setattr("tray.application.LOOKED_EVERY_S", 0.02)
    found.desk = Desk(tmp_path, tmp_path / "logs", found.login, ["hearthbeat"], opening, opening)
    incidents = Incidents(tmp_path / "told.json", QuietHours())
    application = Application(controller, found.screen, incidents, found.desk)
    thread = threading.Thread(target=application.run)
    thread.start()
    wait_until(lambda: found.screen.views)
    found.act, found.messages = found.screen.act, found.screen.messages
    found.thread = thread
    yield found
    application.leave()
    thread.join(10)
    assert not thread.is_alive()


def test_what_is_wanted_is_done(tray, tmp_path):
    for action in (
        Action.START,
        Action.STOP,
        Action.RESTART,
        Action.DASHBOARD,
        Action.PAIR,
        Action.FOLDER,
        Action.LOGS,
    ):
        tray.act(action)
    wait_until(lambda: len(tray.opened) == 4)
    assert tray.deeds == ["start", "stop", "restart"]
    link = "http://127.0.0.1:1/login/x?page="
    assert tray.opened == [f"{link}dashboard", f"{link}pair", str(tmp_path), str(tmp_path / "logs")]
    tray.act(Action.AUTOSTART)
    wait_until(lambda: tray.login.on == ["hearthbeat"])
    wait_until(lambda: any(entry.checked for entry in tray.screen.views[-1].menu))
    tray.act(Action.AUTOSTART)
    wait_until(lambda: tray.login.on is None)
    assert tray.messages == []


def test_what_cannot_be_done_is_told(tray, tmp_path):
    tray.client.broken = True
    tray.act(Action.DASHBOARD)
    wait_until(lambda: tray.messages == [Message("That did not work", "The server does not answer (busy).")])
    tray.client.broken, tray.opens = False, False
    tray.messages.clear()
    tray.act(Action.DASHBOARD)
    tray.act(Action.FOLDER)
    wait_until(lambda: len(tray.messages) == 2)
    assert tray.messages[0].title == "No browser opened"
    assert tray.messages[1].text == str(tmp_path)


def test_the_end_of_a_backup_that_was_wanted_is_told_and_of_one_that_was_over_at_once_only_once(tray):
    standing = tray.known.standing
    tray.known = replace(tray.known, standing=replace(standing, backup_runs=True))
    tray.act(Action.BACKUP)
    wait_until(lambda: tray.messages == [Message("Backup", "The backup has begun.")])
    tray.known = replace(tray.known, standing=standing)
    wait_until(lambda: len(tray.messages) == 2)
    assert tray.messages[1].title == "The backup is made"

    tray.messages.clear()
    tray.client.backup = ("Nothing to back up.", False)
    tray.act(Action.BACKUP)
    tray.act(Action.LOGS)
    wait_until(lambda: tray.opened)
    assert tray.messages == [Message("Backup", "Nothing to back up.")]


def test_trouble_is_shown_and_told_once(tray):
    tray.known = KNOWN[Kind.TROUBLE]
    wait_until(lambda: tray.screen.views[-1].kind is Kind.TROUBLE)
    wait_until(lambda: len(tray.messages) == 1)
    tray.known = KNOWN[Kind.STARTING]
    wait_until(lambda: tray.screen.views[-1].kind is Kind.STARTING)
    tray.known = KNOWN[Kind.FRESH]
    wait_until(lambda: len(tray.messages) == 2)
    assert [message.title for message in tray.messages] == [
        "Hearthbeat has stopped working",
        "Hearthbeat works again",
    ]


def test_quitting_waits_until_the_server_has_stopped(tray):
    tray.act(Action.QUIT)
    wait_until(lambda: tray.deeds == ["stop"])
    tray.known = replace(tray.known, phase=Phase.STOPPING)
    wait_until(lambda: tray.screen.views[-1].kind is Kind.STARTING)
    assert not tray.screen.closed.is_set()
    tray.known = KNOWN[Kind.STOPPED]
    assert tray.screen.closed.wait(10)


def test_a_tray_that_stumbles_goes_on_and_one_that_does_nothing_else_shows_no_icon(tray):
    told = tray.messages.append

    def fail_once(_message):
        tray.screen.notify = told
        raise RuntimeError("once")

    tray.screen.notify = fail_once
    tray.act(Action.BACKUP)
    tray.act(Action.LOGS)
    wait_until(lambda: tray.opened)
    assert not tray.screen.closed.is_set()
    tray.known = None
    assert tray.screen.closed.wait(10)
