"""Both Linux adapters on a real panel, seen on screenshots and used with mouse and keys."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading

import pytest

from tests.fixtures.program import ROOT
from tests.fixtures.waiting import wait_until
from tests.tray.views import VIEWS
from tray.menu import Action
from tray.state import Kind


class Shown:
    """`showing.py` at work."""

    def __init__(self, desktop, adapter, path):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.tray.showing", adapter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=desktop.environment(PYTHONPATH=path),
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def told(self, within_s=60):
        return self.lines.get(timeout=within_s)

    def say(self, line):
        print(line, file=self.process.stdin, flush=True)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(15)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


@pytest.fixture(params=["dbus", "pystray"])
def shown(request, desktop, paths):
    found = Shown(desktop, request.param, paths[request.param])
    assert found.told().split() == [request.param]
    yield found
    found.close()
    wait_until(lambda: desktop.icon() is None, within_s=15)


def test_each_state_is_seen_by_its_shape_and_each_entry_does_what_it_says(desktop, shown):
    for kind in (*Kind, Kind.FRESH):
        shown.say(kind)
        wait_until(lambda kind=kind: desktop.icon() is kind, within_s=15)
    wanted = [entry.action for entry in VIEWS[Kind.FRESH].menu if entry.action and entry.enabled]
    assert set(wanted) == set(Action) - {Action.START}
    for place, action in enumerate(wanted, start=1):
        desktop.choose(place)
        assert shown.told() == f"wanted {action}"
    shown.say(Kind.STOPPED)
    wait_until(lambda: desktop.icon() is Kind.STOPPED, within_s=15)
    desktop.choose(1)
    assert shown.told() == f"wanted {Action.START}"

    desktop.notified.clear()
    shown.say("say A phone has fallen silent|Nothing new from Anna")
    wait_until(lambda: desktop.notified == [("A phone has fallen silent", "Nothing new from Anna")])

    shown.process.stdin.close()
    assert shown.told() == "closed"
    assert shown.process.wait(10) == 0
