"""The icon through pystray: on Windows, on macOS, and on Linux where GTK's Python (`gi`) is installed.

Raises on import where it cannot work; on Linux without a display pystray itself raises what only Xlib knows, so whoever
imports this catches everything. Of its ways on Linux only `appindicator` is used: the one by bare X11 has no menu.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tray.adapters import Act
from tray.icons import picture
from tray.menu import SEPARATOR, Action, Entry, View
from tray.notifications import Message

if sys.platform.startswith("linux"):
    os.environ["PYSTRAY_BACKEND"] = "appindicator"

import pystray

# On Linux panels are 16 to 24 pixels high and halve this without a blur; the others choose their own size.
SIZE = 48 if sys.platform.startswith("linux") else 64


class PystrayAdapter:
    """Shows the icon with pystray."""

    name = "pystray"
    reason = ""

    def __init__(self, icon: Callable[..., Any] = pystray.Icon) -> None:
        self._make = icon
        self._icon: Any = None
        self._closing = False
        self._act: Act = lambda _action: None

    def begin(self, first: View, act: Act) -> None:
        """Make the icon, not shown yet."""
        self._act = act
        self._icon = self._make(
            "hearthbeat", picture(first.kind, SIZE), first.tooltip, pystray.Menu(*self._items(first))
        )

    def run(self) -> None:
        """Show the icon until `close`; on macOS this must be the main thread."""
        try:
            self._icon.run()
        except Exception:
            # Tidying up, pystray stumbles over a desktop that has no notifications.
            if not self._closing:
                raise

    def show(self, view: View) -> None:
        """Show something else."""

        def change() -> None:
            self._icon.icon = picture(view.kind, SIZE)
            self._icon.title = view.tooltip
            self._icon.menu = pystray.Menu(*self._items(view))

        _on_main_loop(change)

    def notify(self, message: Message) -> None:
        """Show a notification."""
        if getattr(self._icon, "HAS_NOTIFICATION", False):
            # Windows refuses an empty text.
            _on_main_loop(lambda: self._icon.notify(message.text or message.title, message.title))

    def close(self) -> None:
        """Take the icon away."""
        self._closing = True
        _on_main_loop(self._icon.stop)

    def _items(self, view: View) -> Iterator[Any]:
        for entry in view.menu:
            yield pystray.Menu.SEPARATOR if entry is SEPARATOR else self._item(entry)

    def _item(self, entry: Entry) -> Any:
        action = entry.action
        return pystray.MenuItem(
            entry.label,
            self._does(action),
            checked=None if entry.checked is None else lambda _item: bool(entry.checked),
            default=entry.default,
            enabled=entry.enabled and action is not None,
        )

    def _does(self, action: Action | None) -> Callable[[], None]:
        def act() -> None:
            if action is not None:
                self._act(action)

        return act


def _on_main_loop(change: Callable[[], None]) -> None:
    """Make a change where it is allowed: macOS ends programs that touch a menu from another thread than the main one."""
    if sys.platform == "darwin":
        from PyObjCTools import AppHelper  # noqa: PLC0415  there alone

        AppHelper.callAfter(change)
    else:
        change()  # pystray hands it to GTK's loop or posts it to its window
