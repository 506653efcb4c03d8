"""The icon over the desktop's bus: StatusNotifierItem and com.canonical.dbusmenu, without GTK or its Python.

Every method's annotations are its signature on the bus, so they are not postponed here.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any

from dbus_fast import BusType, DBusError, Message, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import (
    DBusBool,
    DBusInt32,
    DBusObjectPath,
    DBusSignature,
    DBusStr,
    DBusUInt32,
    DBusVariant,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from tray import notifications
from tray.adapters import Act
from tray.icons import SIZES, argb
from tray.menu import SEPARATOR, Action, Entry, View

WATCHER = "org.kde.StatusNotifierWatcher"
ITEM_PATH, MENU_PATH = "/StatusNotifierItem", "/menu"
READ = PropertyAccess.READ
ROOT = 0  # the number of the menu itself
_ROOT_TOLD = {"children-display": Variant("s", "submenu")}

Pixmaps = Annotated[list[Any], DBusSignature("a(iiay)")]
ToolTipText = Annotated[list[Any], DBusSignature("(sa(iiay)ss)")]
Layout = Annotated[list[Any], DBusSignature("u(ia{sv}av)")]
Properties = Annotated[list[Any], DBusSignature("a(ia{sv})")]
Ids = Annotated[list[int], DBusSignature("ai")]
Names = Annotated[list[str], DBusSignature("as")]
Events = Annotated[list[Any], DBusSignature("a(isvu)")]
TwoIds = Annotated[list[Any], DBusSignature("aiai")]
Revision = Annotated[list[int], DBusSignature("ui")]


class DbusAdapter:
    """Shows the icon over the bus."""

    name = "dbus"
    reason = ""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop
        self._closed: asyncio.Event
        self._bus: MessageBus | None = None
        self._item: _Item | None = None
        self._menu: _Menu | None = None
        self._service = f"org.kde.StatusNotifierItem-{os.getpid()}-1"

    def begin(self, first: View, act: Act) -> None:
        """Make what panels will ask."""
        self._loop, self._closed = asyncio.new_event_loop(), asyncio.Event()
        self._item, self._menu = _Item(first, act), _Menu(first, act)

    def run(self) -> None:
        """Show the icon until `close`."""
        try:
            with suppress(OSError, EOFError):  # the session ended while the icon was just coming up
                self._loop.run_until_complete(self._shown())
        finally:
            self._loop.close()

    def show(self, view: View) -> None:
        """Show something else."""
        self._call(lambda: self._change(view))

    def notify(self, message: notifications.Message) -> None:
        """Show a notification, where the desktop has a service for them."""

        def send() -> None:
            self._task = self._loop.create_task(self._notify(message))

        self._call(send)

    def close(self) -> None:
        """Take the icon away."""
        self._call(self._closed.set)

    def _call(self, what: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the icon is gone
            self._loop.call_soon_threadsafe(what)

    async def _shown(self) -> None:
        assert self._item is not None  # noqa: S101  the contract of `run`
        assert self._menu is not None  # noqa: S101
        bus = self._bus = await MessageBus(bus_type=BusType.SESSION).connect()
        bus.export(ITEM_PATH, self._item)
        bus.export(MENU_PATH, self._menu)
        await bus.request_name(self._service)
        bus.add_message_handler(self._hear)
        await _call(
            bus,
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "AddMatch",
            "s",
            [f"type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='{WATCHER}'"],
        )
        await self._register()
        cut_off = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]  # the session ended
        closed = asyncio.ensure_future(self._closed.wait())
        await asyncio.wait((closed, cut_off), return_when=asyncio.FIRST_COMPLETED)
        closed.cancel()
        bus.disconnect()
        with suppress(Exception):  # how it was cut off does not matter; the icon is gone either way
            await cut_off

    async def _register(self) -> None:
        assert self._bus is not None  # noqa: S101  it is connected before anybody asks
        with suppress(DBusError):  # the panel is gone again; its next one is heard of
            await _call(
                self._bus,
                WATCHER,
                "/StatusNotifierWatcher",
                WATCHER,
                "RegisterStatusNotifierItem",
                "s",
                [self._service],
            )

    def _hear(self, message: Message) -> None:
        """Register again with a panel that was started anew."""
        if message.member == "NameOwnerChanged" and message.body[0] == WATCHER and message.body[2]:
            self._task = self._loop.create_task(self._register())

    def _change(self, view: View) -> None:
        if self._item is not None and self._menu is not None:
            self._item.change(view)
            self._menu.change(view)

    async def _notify(self, message: notifications.Message) -> None:
        assert self._bus is not None  # noqa: S101  only what runs is asked
        with suppress(DBusError):  # a desktop without notifications
            await _call(
                self._bus,
                "org.freedesktop.Notifications",
                "/org/freedesktop/Notifications",
                "org.freedesktop.Notifications",
                "Notify",
                "susssasa{sv}i",
                ["Hearthbeat", 0, "", message.title, message.text, [], {}, -1],
            )


class _Item(ServiceInterface):
    """The icon, as panels ask for it."""

    def __init__(self, view: View, act: Act) -> None:
        super().__init__("org.kde.StatusNotifierItem")
        self._view = view
        self._act = act

    def change(self, view: View) -> None:
        before, self._view = self._view, view
        if before.kind is not view.kind:
            self.NewIcon()
        if before.tooltip != view.tooltip:
            self.NewToolTip()

    @dbus_property(access=READ)
    def Category(self) -> DBusStr:
        return "ApplicationStatus"

    @dbus_property(access=READ)
    def Id(self) -> DBusStr:
        return "hearthbeat"

    @dbus_property(access=READ)
    def Title(self) -> DBusStr:
        return "Hearthbeat"

    @dbus_property(access=READ)
    def Status(self) -> DBusStr:
        return "Active"

    @dbus_property(access=READ)
    def WindowId(self) -> DBusInt32:
        return 0

    @dbus_property(access=READ)
    def IconName(self) -> DBusStr:
        return ""

    @dbus_property(access=READ)
    def IconPixmap(self) -> Pixmaps:
        return [[size, size, argb(self._view.kind, size)] for size in SIZES]

    @dbus_property(access=READ)
    def ItemIsMenu(self) -> DBusBool:
        return False

    @dbus_property(access=READ)
    def Menu(self) -> DBusObjectPath:
        return MENU_PATH

    @dbus_property(access=READ)
    def ToolTip(self) -> ToolTipText:
        title, _, text = self._view.tooltip.partition("\n")
        return ["", [], title, text]

    @dbus_method()
    def Activate(self, x: DBusInt32, y: DBusInt32) -> None:
        self._act(Action.DASHBOARD)

    @dbus_method()
    def SecondaryActivate(self, x: DBusInt32, y: DBusInt32) -> None:
        self._act(Action.DASHBOARD)

    @dbus_method()
    def ContextMenu(self, x: DBusInt32, y: DBusInt32) -> None:
        """Do nothing; the panel draws the menu itself."""

    @dbus_method()
    def Scroll(self, delta: DBusInt32, orientation: DBusStr) -> None:
        """Do nothing."""

    @dbus_signal()
    def NewIcon(self) -> None:
        """Tell that there is another icon."""

    @dbus_signal()
    def NewToolTip(self) -> None:
        """Tell that there is another tooltip."""


class _Menu(ServiceInterface):
    """The menu, as panels ask for it."""

    def __init__(self, view: View, act: Act) -> None:
        super().__init__("com.canonical.dbusmenu")
        self._entries = _numbered(view)
        self._act = act
        self._revision = 1

    def change(self, view: View) -> None:
        entries = _numbered(view)
        if entries != self._entries:
            self._entries = entries
            self._revision += 1
            self.LayoutUpdated()

    def _chosen(self, number: int, event: str) -> None:
        entry = self._entries.get(number)
        if event == "clicked" and entry is not None and entry.action is not None and entry.enabled:
            self._act(entry.action)

    def _told(self, number: int) -> dict[str, Variant]:
        if number == ROOT:
            return _ROOT_TOLD
        entry = self._entries.get(number)
        return {} if entry is None else _properties(entry)

    @dbus_property(access=READ)
    def Version(self) -> DBusUInt32:
        return 3

    @dbus_property(access=READ)
    def Status(self) -> DBusStr:
        return "normal"

    @dbus_property(access=READ)
    def TextDirection(self) -> DBusStr:
        return "ltr"

    @dbus_property(access=READ)
    def IconThemePath(self) -> Names:
        return []

    @dbus_method()
    def GetLayout(self, parent: DBusInt32, depth: DBusInt32, names: Names) -> Layout:
        children = [
            Variant("(ia{sv}av)", [number, _properties(entry), []]) for number, entry in self._entries.items()
        ]
        return [self._revision, [ROOT, _ROOT_TOLD, children]]

    @dbus_method()
    def GetGroupProperties(self, ids: Ids, names: Names) -> Properties:
        return [[number, self._told(number)] for number in ids or self._entries]

    @dbus_method()
    def GetProperty(self, number: DBusInt32, name: DBusStr) -> DBusVariant:
        told = self._told(number)
        if name not in told:
            raise DBusError("org.freedesktop.DBus.Error.InvalidArgs", "There is no such property.")
        return told[name]

    @dbus_method()
    def Event(self, number: DBusInt32, event: DBusStr, data: DBusVariant, at: DBusUInt32) -> None:
        self._chosen(number, event)

    @dbus_method()
    def EventGroup(self, events: Events) -> Ids:
        for number, event, _data, _at in events:
            self._chosen(number, event)
        return []

    @dbus_method()
    def AboutToShow(self, number: DBusInt32) -> DBusBool:
        return False

    @dbus_method()
    def AboutToShowGroup(self, ids: Ids) -> TwoIds:
        return [[], []]

    @dbus_signal()
    def LayoutUpdated(self) -> Revision:
        return [self._revision, 0]


def _numbered(view: View) -> dict[int, Entry]:
    """Give each entry its number: an action keeps its number, because panels remember by it whether there is a box to tick."""
    actions = list(Action)
    return {
        place + len(actions) + 1 if entry.action is None else actions.index(entry.action) + 1: entry
        for place, entry in enumerate(view.menu)
    }


def _properties(entry: Entry) -> dict[str, Variant]:
    if entry is SEPARATOR:
        return {"type": Variant("s", "separator"), "visible": Variant("b", True)}
    told = {
        # An underscore would mark a letter for the keyboard.
        "label": Variant("s", entry.label.replace("_", "__")),
        "enabled": Variant("b", entry.enabled and entry.action is not None),
        "visible": Variant("b", True),
    }
    if entry.checked is not None:
        told |= {"toggle-type": Variant("s", "checkmark"), "toggle-state": Variant("i", int(entry.checked))}
    return told


async def _call(
    bus: MessageBus, service: str, path: str, interface: str, member: str, signature: str, body: list[Any]
) -> list[Any]:
    """Call a method on the bus and return what it answers. Raises `DBusError`."""
    answer = await bus.call(
        Message(
            destination=service, path=path, interface=interface, member=member, signature=signature, body=body
        )
    )
    assert answer is not None  # noqa: S101  an answer was asked for
    if answer.message_type is MessageType.ERROR:
        raise DBusError(answer.error_name or "", str(answer.body[0]) if answer.body else "")
    return answer.body


async def _host_trouble() -> str | None:
    try:
        bus = await MessageBus(bus_type=BusType.SESSION).connect()
    except Exception as error:  # noqa: BLE001  no bus tells so in many ways
        return f"There is no desktop session to show one in ({type(error).__name__})."
    try:
        [value] = await _call(
            bus,
            WATCHER,
            "/StatusNotifierWatcher",
            "org.freedesktop.DBus.Properties",
            "Get",
            "ss",
            [WATCHER, "IsStatusNotifierHostRegistered"],
        )
    except DBusError:
        return "This desktop has no tray (nobody offers org.kde.StatusNotifierWatcher)."
    finally:
        bus.disconnect()
    return None if value.value else "The desktop's tray is not shown on any panel."


def host_trouble() -> str | None:
    """Return why no panel would show an icon that comes over the bus, or None when one would."""
    work: Coroutine[Any, Any, str | None] = _host_trouble()
    return asyncio.run(work)
