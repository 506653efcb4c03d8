"""No tray: everything but the icon goes on, and a line says so."""

from __future__ import annotations

import sys
import threading

from tray.adapters import Act
from tray.menu import View
from tray.notifications import Message


class NoneAdapter:
    """Shows nothing, and tells the terminal what the icon would."""

    name = "none"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self._closed = threading.Event()

    def begin(self, first: View, act: Act) -> None:
        """Tell why there is no icon; nobody can want anything of it."""
        del act
        _say(
            f"No icon: {self.reason} Hearthbeat is started and looked after all the same; Ctrl-C ends only that."
        )
        self.show(first)

    def run(self) -> None:
        """Wait for `close`."""
        # Waiting for ever would keep signals from being handled on Windows.
        while not self._closed.wait(0.5):
            pass

    def show(self, view: View) -> None:
        """Tell the state."""
        _say(" · ".join(view.tooltip.splitlines()))

    def notify(self, message: Message) -> None:
        """Tell it."""
        _say(f"{message.title}. {message.text}".strip())

    def close(self) -> None:
        """Let `run` return."""
        self._closed.set()


def _say(line: str) -> None:
    if sys.stdout is not None:  # a program without a console on Windows has none
        print(line, flush=True)  # noqa: T201  the terminal is what there is
