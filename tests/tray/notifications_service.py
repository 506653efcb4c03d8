"""A desktop's service for notifications that only notes them. Its annotations are its signatures, so not postponed."""

from typing import Annotated, Any

from dbus_fast.annotations import DBusDict, DBusInt32, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

Words = Annotated[list[str], DBusSignature("as")]
Told = Annotated[list[Any], DBusSignature("ssss")]


class Notifications(ServiceInterface):
    """Notes title and text."""

    def __init__(self, notified):
        super().__init__("org.freedesktop.Notifications")
        self._notified = notified

    @dbus_method()
    def Notify(  # noqa: N802
        self,
        _app: DBusStr,
        _replaces: DBusUInt32,
        _icon: DBusStr,
        title: DBusStr,
        text: DBusStr,
        _actions: Words,
        _hints: DBusDict,
        _timeout: DBusInt32,
    ) -> DBusUInt32:
        self._notified.append((title, text))
        return len(self._notified)

    @dbus_method()
    def CloseNotification(self, number: DBusUInt32) -> None:  # noqa: N802
        pass

    @dbus_method()
    def GetServerInformation(self) -> Told:  # noqa: N802
        return ["notes", "tests", "1", "1.2"]

    @dbus_method()
    def GetCapabilities(self) -> Words:  # noqa: N802
        return ["body"]
