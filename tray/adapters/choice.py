"""Which adapter: pystray where it works well, else the bus, else none; a tray that is late at login is waited for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import structlog

from tray.adapters import Adapter
from tray.adapters.none_adapter import NoneAdapter

WAITED_S, LOOKED_EVERY_S = 10.0, 0.5

log = structlog.get_logger("hearthbeat.tray")


def choose(wanted: str = "auto", waited_s: float = WAITED_S) -> Adapter:
    """Return the adapter to use: the one `wanted`, of `names.NAMES`, or what fits here. One that cannot work becomes none."""
    if wanted == "none":
        return NoneAdapter("None was wanted.")
    if not sys.platform.startswith("linux"):
        return _pystray()
    if not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        return NoneAdapter("There is no display here.")
    trouble = wait_for_tray(_linux_trouble, waited_s)
    if trouble is not None:
        return NoneAdapter(trouble)
    if wanted != "dbus":
        adapter = _pystray()
        if adapter.name == "pystray" or wanted == "pystray":
            return adapter
        log.info("pystray_not_used", reason=adapter.reason)
    from tray.adapters.dbus_adapter import DbusAdapter  # noqa: PLC0415  its library is on Linux alone

    return DbusAdapter()


def wait_for_tray(
    trouble: Callable[[], str | None], waited_s: float, sleep: Callable[[float], None] = time.sleep
) -> str | None:
    """Ask until there is no trouble or the time is over, and return the last trouble."""
    deadline = time.monotonic() + waited_s
    while (found := trouble()) is not None and time.monotonic() < deadline:
        sleep(LOOKED_EVERY_S)
    return found


def _linux_trouble() -> str | None:
    from tray.adapters.dbus_adapter import host_trouble  # noqa: PLC0415  its library is on Linux alone

    return host_trouble()


def _pystray() -> Adapter:
    try:
        from tray.adapters.pystray_adapter import PystrayAdapter  # noqa: PLC0415  importing it looks for a display
    except Exception as error:  # noqa: BLE001  no GTK, no display, a broken one: each raises something else
        return NoneAdapter(f"No icon can be drawn here ({type(error).__name__}: {error}).")
    return PystrayAdapter()
