"""`hearthbeat tray` as people have it: with a real server, on a real panel."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from appliance.foundation.presence import find_serving, find_tray
from tests.fixtures.http import RealPhone
from tests.fixtures.program import ROOT
from tests.fixtures.waiting import wait_until
from tests.tray.views import VIEWS
from tray.menu import Action
from tray.state import Kind

READY_S = 90
pytestmark = pytest.mark.timeout(400)  # several starts of a server, on a machine that may be busy


class Tray:
    """A running `hearthbeat tray`."""

    def __init__(self, desktop, folder, adapter="dbus", path=str(ROOT), **variables):
        self.folder = folder / "data"
        self.opened = folder / "opened"
        programs = folder / "bin"
        programs.mkdir(exist_ok=True)
        for name in ("xdg-open", "browser"):
            (programs / name).write_text(f'#!/bin/sh\necho "$@" >> {self.opened}\n')
            (programs / name).chmod(0o755)
        self.environment = desktop.environment(
            PYTHONPATH=path,
            PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
            BROWSER=str(programs / "browser"),
            XDG_CONFIG_HOME=str(folder / "config"),
            **variables,
        )
        self.output = folder / "tray.out"
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                self.command("tray", "--icon", adapter, "--port", "0", "--host", "127.0.0.1"),
                stdout=output,
                stderr=output,
                env=self.environment,
                cwd=ROOT,
            )

    def command(self, *words):
        return [sys.executable, "-m", "appliance", *words, "--data-dir", str(self.folder)]

    def serving(self):
        return wait_until(lambda: find_serving(self.folder), within_s=READY_S)

    def opened_next(self):
        """Return what was opened since, once something was."""
        lines = wait_until(lambda: self.opened.exists() and self.opened.read_text(), within_s=15).split()
        self.opened.unlink()
        assert len(lines) == 1
        return lines[0]

    def end(self):
        for process in (self.process, *self._server()):
            if process.is_running() if isinstance(process, psutil.Process) else process.poll() is None:
                process.terminate()
                process.wait(40)

    def _server(self):
        serving = find_serving(self.folder)
        return [psutil.Process(serving.pid)] if serving else []


@pytest.fixture
def tray_of(desktop, tmp_path):
    started = []

    def start(**options):
        started.append(Tray(desktop, tmp_path, **options))
        return started[-1]

    yield start
    for tray in reversed(started):
        tray.end()
    wait_until(lambda: desktop.icon() is None, within_s=15)


def place_of(action, kind=Kind.FRESH):
    """Return the place of an entry among those that can be chosen in this state."""
    able = [entry.action for entry in VIEWS[kind].menu if entry.enabled and entry.action]
    return able.index(action) + 1


def is_here(desktop, kind, within_s=READY_S):
    wait_until(lambda: desktop.icon() is kind, within_s=within_s)


def page_of(url):
    """Open an address as a browser does that keeps cookies; return where it ends and what is there."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with opener.open(url, timeout=20) as answer:
        return answer.url, answer.read().decode()


def test_what_is_wanted_of_it_really_happens(desktop, tray_of):
    tray = tray_of()
    serving = tray.serving()
    is_here(desktop, Kind.FRESH)
    assert find_tray(tray.folder).icon == "dbus"

    desktop.choose(place_of(Action.DASHBOARD))
    url, page = page_of(tray.opened_next())
    assert "/setup/" in url  # nobody has set it up yet
    assert "password" in page
    set_up = urllib.request.Request(
        url,
        data=b"name=Anna&time_zone=Europe/Berlin&password=correct+horse&units=metric&energy=kcal",
        headers={"Origin": serving.url.rstrip("/")},
    )
    urllib.request.urlopen(set_up, timeout=20).close()
    desktop.choose(place_of(Action.DASHBOARD))
    url, page = page_of(tray.opened_next())
    assert url == serving.url
    assert "Log out" in page
    desktop.choose(place_of(Action.PAIR))
    url, page = page_of(tray.opened_next())
    assert url == f"{serving.url}keys/pair"
    assert "Connect an iPhone" in page

    for action, folder in ((Action.FOLDER, tray.folder), (Action.LOGS, tray.folder / "logs")):
        desktop.choose(place_of(action))
        assert Path(tray.opened_next()) == folder

    entry = Path(tray.environment["XDG_CONFIG_HOME"]) / "autostart" / "hearthbeat-tray.desktop"
    desktop.choose(place_of(Action.AUTOSTART))
    wait_until(entry.exists)
    assert subprocess.run(["desktop-file-validate", entry], check=False).returncode == 0
    desktop.choose(place_of(Action.AUTOSTART))
    wait_until(lambda: not entry.exists())

    desktop.notified.clear()
    desktop.choose(place_of(Action.BACKUP))
    wait_until(lambda: desktop.notified, within_s=20)
    assert desktop.notified == [("Backup", "There is nothing to back up yet.")]

    desktop.choose(place_of(Action.STOP))
    is_here(desktop, Kind.STOPPED)
    assert not psutil.pid_exists(serving.pid)
    assert find_serving(tray.folder) is None
    desktop.choose(place_of(Action.START, Kind.STOPPED))
    again = tray.serving()
    is_here(desktop, Kind.FRESH)
    desktop.choose(place_of(Action.RESTART))
    wait_until(lambda: (found := find_serving(tray.folder)) and found.pid != again.pid, within_s=READY_S)
    is_here(desktop, Kind.FRESH)
    last = find_serving(tray.folder)
    desktop.choose(place_of(Action.QUIT))
    assert tray.process.wait(40) == 0
    assert not psutil.pid_exists(last.pid)
    assert find_tray(tray.folder) is None


def test_each_outlives_the_other_with_an_icon_or_without(desktop, tray_of, paths):
    tray = tray_of(adapter="pystray", path=paths["pystray"])
    serving = tray.serving()
    is_here(desktop, Kind.FRESH)
    desktop.notified.clear()

    os.kill(serving.pid, signal.SIGKILL)
    is_here(desktop, Kind.TROUBLE)
    wait_until(lambda: (found := find_serving(tray.folder)) and found.pid != serving.pid, within_s=READY_S)
    is_here(desktop, Kind.FRESH)
    told = wait_until(
        lambda: len(desktop.notified) > 1 and [title for title, _ in desktop.notified], within_s=15
    )
    assert told == ["Hearthbeat has stopped working", "Hearthbeat works again"]

    tray.process.kill()
    tray.process.wait()
    now = find_serving(tray.folder)
    assert RealPhone(now.url).get("/healthz") == {"status": "ok"}
    wait_until(lambda: desktop.icon() is None, within_s=15)

    second = tray_of()
    is_here(desktop, Kind.FRESH)
    assert find_serving(tray.folder) == now  # taken on, not started again
    third = subprocess.run(
        second.command("tray", "--icon", "dbus"),
        env=second.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert third.returncode == 0, third.stderr
    assert "is there already" in third.stdout
    assert "/setup/" in second.opened_next()

    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(15) == 0
    assert psutil.pid_exists(now.pid)

    bare = dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"), "")
    headless = tray_of(adapter="auto", **bare)
    said = wait_until(
        lambda: (
            (told := headless.output.read_text()).endswith(
                "Ready for the first upload · Nothing has arrived yet\n"
            )
            and told
        ),
        within_s=READY_S,
    )
    assert re.search(r"^No icon: There is no display here\. .* looked after all the same", said, re.MULTILINE)
    note = find_tray(tray.folder)
    assert (note.icon, note.reason) == ("none", "There is no display here.")
    headless.process.send_signal(signal.SIGINT)
    assert headless.process.wait(20) == 0
    assert psutil.pid_exists(now.pid)
