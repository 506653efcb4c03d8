"""What the adapters would do on systems that are not here, and how one is chosen."""

from __future__ import annotations

import sys
import types

import pytest

from tests.tray.views import VIEWS
from tray.adapters import choice
from tray.adapters.none_adapter import NoneAdapter
from tray.menu import SEPARATOR, Action
from tray.notifications import Message
from tray.state import Kind

VIEW = VIEWS[Kind.FRESH]


class Pystray:
    """The parts of pystray that are used, noting what they are given."""

    class Menu(tuple):
        SEPARATOR = "---"
        __slots__ = ()

        def __new__(cls, *items):
            return super().__new__(cls, items)

    class MenuItem:
        def __init__(self, text, action, *, checked, default, enabled):
            self.text, self.action, self.default, self.enabled = text, action, default, enabled
            self.checked = checked and checked(self)

    class Icon:
        HAS_NOTIFICATION = True

        def __init__(self, name, icon, title, menu):
            self.name, self.icon, self.title, self.menu = name, icon, title, menu
            self.deeds = []

        def run(self):
            self.deeds.append("run")

        def notify(self, text, title):
            self.deeds.append((title, text))

        def stop(self):
            self.deeds.append("stop")


@pytest.fixture
def adapter_on(monkeypatch):
    """Make the adapter as it would be on a system; calls handed to the main loop of macOS are in the second value."""

    def make(platform):
        handed = []
        helper = types.ModuleType("PyObjCTools")
        helper.AppHelper = types.SimpleNamespace(callAfter=handed.append)
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setitem(sys.modules, "PyObjCTools", helper)
        monkeypatch.setitem(sys.modules, "pystray", Pystray)
        monkeypatch.delitem(sys.modules, "tray.adapters.pystray_adapter", raising=False)
        adapter = choice.choose()
        assert adapter.name == "pystray"
        wanted = []
        adapter.begin(VIEW, wanted.append)
        adapter.run()
        return adapter, adapter._icon, handed, wanted

    yield make
    sys.modules.pop("tray.adapters.pystray_adapter", None)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_pystray_gets_the_whole_menu_and_calls_back(adapter_on, platform):
    _, icon, _, wanted = adapter_on(platform)
    assert (icon.icon.size, icon.title) == ((64, 64), VIEW.tooltip)
    assert [item if item == "---" else item.text for item in icon.menu] == [
        "---" if entry is SEPARATOR else entry.label for entry in VIEW.menu
    ]
    items = {item.text: item for item in icon.menu if item != "---"}
    assert not items["Receiving"].enabled
    assert items["Open dashboard"].default
    assert items["Start at login"].checked is True
    items["Pair a phone …"].action()
    assert wanted == [Action.PAIR]


def test_on_windows_changes_are_made_at_once(adapter_on):
    adapter, icon, handed, _ = adapter_on("win32")
    adapter.show(VIEWS[Kind.STOPPED])
    adapter.notify(Message("The backup is made", ""))
    adapter.close()
    assert icon.title == VIEWS[Kind.STOPPED].tooltip
    assert icon.deeds == ["run", ("The backup is made", "The backup is made"), "stop"]
    assert handed == []


def test_on_macos_every_change_is_handed_to_the_main_loop(adapter_on):
    adapter, icon, handed, _ = adapter_on("darwin")
    adapter.show(VIEWS[Kind.STOPPED])
    adapter.notify(Message("A", "b"))
    adapter.close()
    assert (icon.title, icon.deeds) == (VIEW.tooltip, ["run"])
    for change in handed:
        change()
    assert (icon.title, icon.deeds) == (VIEWS[Kind.STOPPED].tooltip, ["run", ("A", "b"), "stop"])


@pytest.fixture
def linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setattr(choice, "_linux_trouble", lambda: None)
    monkeypatch.delitem(sys.modules, "tray.adapters.pystray_adapter", raising=False)
    yield
    sys.modules.pop("tray.adapters.pystray_adapter", None)


def test_on_linux_the_bus_takes_the_place_of_a_pystray_that_cannot_be_imported(linux, monkeypatch):
    monkeypatch.setitem(sys.modules, "pystray", None)
    assert choice.choose().name == "dbus"
    refused = choice.choose("pystray")
    assert (refused.name, refused.reason.startswith("No icon can be drawn here")) == ("none", True)
    monkeypatch.setitem(sys.modules, "pystray", Pystray)
    assert choice.choose().name == "pystray"
    assert choice.choose("dbus").name == "dbus"
    assert choice.choose("none").name == "none"


def test_a_tray_that_is_late_is_waited_for_and_one_that_never_comes_is_told(linux, monkeypatch):
    monkeypatch.setitem(sys.modules, "pystray", Pystray)
    answers = iter(["not yet", "not yet", None])
    slept = []
    assert choice.wait_for_tray(lambda: next(answers), 10, slept.append) is None
    assert slept == [choice.LOOKED_EVERY_S] * 2
    monkeypatch.setattr(choice, "_linux_trouble", lambda: "This desktop has no tray.")
    never = choice.choose(waited_s=0)
    assert (never.name, never.reason) == ("none", "This desktop has no tray.")
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert choice.choose().reason == "There is no display here."


def test_without_an_icon_the_terminal_is_told_what_it_would_show(capsys):
    adapter = NoneAdapter("This desktop has no tray.")
    adapter.begin(VIEW, lambda _: None)
    adapter.notify(Message("A phone has fallen silent", "Nothing new from Anna"))
    adapter.close()
    adapter.run()
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("No icon: This desktop has no tray. Hearthbeat is started and looked after")
    assert rest == [
        "Hearthbeat · Receiving · Last upload today at 12:05",
        "A phone has fallen silent. Nothing new from Anna",
    ]
