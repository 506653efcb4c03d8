"""Whom icons tell that they are there, as every panel with a tray has one. Annotations are signatures, so not postponed."""

import asyncio

from dbus_fast import Variant
from dbus_fast.annotations import DBusStr
from dbus_fast.service import ServiceInterface, dbus_method

from tray.adapters.dbus_adapter import WATCHER


class Watcher(ServiceInterface):
    """Notes who registers."""

    nothing = Variant("i", 0)

    def __init__(self):
        super().__init__(WATCHER)
        self.registered = asyncio.Queue()

    @dbus_method()
    def RegisterStatusNotifierItem(self, service: DBusStr) -> None:  # noqa: N802
        self.registered.put_nowait(service)
