"""Showing the icon: one adapter each for pystray, for the desktop's bus on Linux, and for where there is no tray at all.

Imports the tray's own state, menu and icons. Each library is imported in one file, late, and for its adapter alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tray.menu import Action, View
from tray.notifications import Message

Act = Callable[[Action], None]


class Adapter(Protocol):
    """One way to show the icon. `name` is told to others; `reason` says why nobody sees one, or is empty."""

    name: str
    reason: str

    def begin(self, first: View, act: Act) -> None:
        """Make ready to show this, before anything else is called; `act` is called with what somebody wants."""

    def run(self) -> None:
        """Show the icon until `close`, on the main thread."""

    def show(self, view: View) -> None:
        """Show something else; from any thread."""

    def notify(self, message: Message) -> None:
        """Show a notification if this desktop can; from any thread."""

    def close(self) -> None:
        """Take the icon away and let `run` return; from any thread."""
