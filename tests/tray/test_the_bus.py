"""What comes and goes on the bus of a desktop: panels, and the bus itself."""

from __future__ import annotations

import asyncio
import subprocess
import threading

import pytest
from dbus_fast.aio import MessageBus

from tests.fixtures.waiting import wait_until
from tests.tray.a_watcher import Watcher
from tests.tray.views import VIEWS
from tray.adapters.dbus_adapter import WATCHER, DbusAdapter, host_trouble
from tray.menu import Action
from tray.notifications import Message
from tray.state import Kind


@pytest.fixture
def bus(tmp_path, monkeypatch):
    """A session bus with nothing on it."""
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={tmp_path}/bus"],
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.DEVNULL,
    )
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", daemon.stdout.readline().strip())
    yield daemon
    daemon.kill()
    daemon.wait()
    daemon.stdout.close()


@pytest.fixture
def shown(bus):
    """The icon on that bus; `wanted` is what somebody chose."""
    adapter = DbusAdapter()
    adapter.wanted = []
    adapter.begin(VIEWS[Kind.FRESH], adapter.wanted.append)
    adapter.thread = threading.Thread(target=adapter.run)
    adapter.thread.start()
    yield adapter
    adapter.close()
    adapter.thread.join(10)
    assert not adapter.thread.is_alive()


async def seen_by_a_panel():
    """Be a panel that is started after the icon, look at everything as panels do, and choose and click."""
    bus = await MessageBus().connect()
    watcher = Watcher()
    bus.export("/StatusNotifierWatcher", watcher)
    await bus.request_name(WATCHER)
    service = await asyncio.wait_for(watcher.registered.get(), 10)
    found = {}
    for path, interface in (
        ("/StatusNotifierItem", "org.kde.StatusNotifierItem"),
        ("/menu", "com.canonical.dbusmenu"),
    ):
        described = await bus.introspect(service, path)
        found[interface] = bus.get_proxy_object(service, path, described).get_interface(interface)
    item, menu = found.values()
    told = {
        "id": await item.get_id(),
        "tooltip": list((await item.get_tool_tip())[2:]),
        "sizes": [each[0] for each in await item.get_icon_pixmap()],
    }
    _, (root, properties, children) = await menu.call_get_layout(0, -1, [])
    told["root"] = (root, properties["children-display"].value)
    told["labels"] = [child.value[1]["label"].value for child in children if "label" in child.value[1]]
    number = next(child.value[0] for child in children if "toggle-state" in child.value[1])
    told["toggled"] = (await menu.call_get_property(number, "toggle-state")).value
    await item.call_activate(0, 0)
    await menu.call_event(number, "clicked", watcher.nothing, 0)
    await menu.call_event(9999, "clicked", watcher.nothing, 0)
    await menu.call_event_group(
        [[number, "hovered", watcher.nothing, 0], [77, "clicked", watcher.nothing, 0]]
    )
    bus.disconnect()
    return told


def test_a_panel_that_comes_later_finds_the_icon_and_all_it_says(shown):
    assert host_trouble() is not None
    told = asyncio.run(seen_by_a_panel())
    view = VIEWS[Kind.FRESH]
    assert told == {
        "id": "hearthbeat",
        "tooltip": view.tooltip.split("\n", 1),
        "sizes": [16, 22, 24, 32, 48, 64],
        "root": (0, "submenu"),
        "labels": [entry.label for entry in view.menu if entry.label],
        "toggled": 1,
    }
    assert shown.wanted == [Action.DASHBOARD, Action.AUTOSTART]


def test_a_notification_nobody_shows_and_a_view_nobody_sees_do_no_harm(shown):
    shown.notify(Message("A phone has fallen silent", ""))
    shown.show(VIEWS[Kind.TROUBLE])
    assert shown.thread.is_alive()


def names_on_the_bus():
    words = [
        "dbus-send",
        "--session",
        "--print-reply",
        "--dest=org.freedesktop.DBus",
        "/org/freedesktop/DBus",
    ]
    asked = subprocess.run(
        [*words, "org.freedesktop.DBus.ListNames"], check=True, capture_output=True, text=True, timeout=20
    )
    return asked.stdout


def test_when_the_session_ends_the_icon_does_too(bus, shown):
    wait_until(lambda: shown._service in names_on_the_bus())
    bus.kill()
    shown.thread.join(10)
    assert not shown.thread.is_alive()
    shown.show(VIEWS[Kind.STOPPED])


def test_without_a_bus_it_is_said_why_there_is_no_icon(monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    assert host_trouble().startswith("There is no desktop session")
