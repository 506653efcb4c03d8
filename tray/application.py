"""The tray as a whole: one thread looks after the server, the adapter has the main one, and what is wanted goes between."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from tray.adapters import Adapter
from tray.autostart import Autostart
from tray.client import Client, NoAnswer
from tray.controller import Controller
from tray.menu import Action, View, view_of
from tray.notifications import Incidents, Message
from tray.opening import open_folder, open_page
from tray.state import Known, Phase, State, Trouble, state_of

LOOKED_EVERY_S = 1.0
STUMBLES = 5  # so many in a row, and no icon is better than one that shows nothing true
# How long to watch a backup that was asked for, so that its end can be told.
BACKUP_WATCHED_S = 3600.0

log = structlog.get_logger("hearthbeat.tray")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the tray opens and switches. `command` is what login is to start."""

    data_dir: Path
    logs: Path
    autostart: Autostart | None
    command: list[str]
    open_page: Callable[[str], bool] = open_page
    open_folder: Callable[[Path], bool] = open_folder


class Application:
    """Runs until the icon is closed; the server outlives it unless somebody wanted otherwise."""

    def __init__(self, controller: Controller, adapter: Adapter, incidents: Incidents, desk: Desk) -> None:
        self._controller = controller
        self._adapter = adapter
        self._incidents = incidents
        self._desk = desk
        self._wanted: queue.SimpleQueue[Action | None] = queue.SimpleQueue()
        self._quitting = False
        self._backup_asked_at: float | None = None
        self._shown: View | None = None
        self._deeds: dict[Action, Callable[[], None]] = {
            Action.DASHBOARD: lambda: self._open("dashboard"),
            Action.PAIR: lambda: self._open("pair"),
            Action.START: controller.start,
            Action.STOP: controller.stop,
            Action.RESTART: controller.restart,
            Action.QUIT: self._quit,
            Action.BACKUP: self._begin_backup,
            Action.AUTOSTART: self._switch_autostart,
            Action.FOLDER: lambda: self._show_folder(desk.data_dir),
            Action.LOGS: lambda: self._show_folder(desk.logs),
        }

    def run(self) -> None:
        """Look after the server and show the icon; returns when the icon is closed."""
        first, _, _ = self._look()
        self._shown = first
        self._adapter.begin(first, self._wanted.put)
        brain = threading.Thread(target=self._think, name="tray", daemon=True)
        brain.start()
        try:
            self._adapter.run()
        finally:
            self._wanted.put(Action.LEAVE)
            brain.join(10)

    def leave(self) -> None:
        """Close the icon; from any thread or signal."""
        self._wanted.put(Action.LEAVE)

    def _think(self) -> None:
        stumbles = 0
        while stumbles < STUMBLES:
            try:
                if not self._step():
                    break
                stumbles = 0
            except Exception:  # the edge of a thread; whatever it was, the server still wants looking after
                log.exception("tray_stumbled")
                stumbles += 1
        self._adapter.close()

    def _step(self) -> bool:
        """Do what is wanted, or look anew when nothing is for a while; False when all is over."""
        try:
            action = self._wanted.get(timeout=LOOKED_EVERY_S)
        except queue.Empty:
            action = None
        if action is Action.LEAVE:
            return False
        if action is not None:
            self._do(action)
        view, state, known = self._look()
        if view != self._shown:
            self._shown = view
            self._adapter.show(view)
        certain = known.standing is not None or known.phase is Phase.GIVEN_UP
        for message in self._incidents.news(state.wrong, datetime.now().astimezone(), is_certain=certain):
            self._tell(message)
        self._watch_backup(known, state)
        return not (self._quitting and known.phase in (Phase.STOPPED, Phase.GIVEN_UP))

    def _look(self) -> tuple[View, State, Known]:
        known = self._controller.look()
        state = state_of(known, datetime.now().astimezone())
        autostart = self._desk.autostart
        is_on = None if autostart is None else autostart.command() is not None
        return view_of(state, known, autostart=is_on), state, known

    def _do(self, action: Action) -> None:
        log.info("wanted", action=action.value)
        try:
            self._deeds[action]()
        except NoAnswer as error:
            self._tell(Message("That did not work", str(error)))
        except OSError as error:
            self._tell(Message("That did not work", f"{error.strerror or error}"))

    def _quit(self) -> None:
        self._quitting = True
        self._controller.stop()

    def _client(self) -> Client:
        client = self._controller.client
        if client is None:
            raise NoAnswer("Hearthbeat does not run.")
        return client

    def _open(self, page: str) -> None:
        url = self._client().login_url(page)
        if not self._desk.open_page(url):
            self._tell(Message("No browser opened", "hearthbeat login prints a link that logs in."))

    def _begin_backup(self) -> None:
        told, running = self._client().back_up()
        self._controller.look_closer()
        self._backup_asked_at = time.monotonic() if running else None
        self._tell(Message("Backup", told))

    def _watch_backup(self, known: Known, state: State) -> None:
        """Tell when a backup that was asked for is done; what went wrong with it is an incident of its own."""
        if self._backup_asked_at is None or known.standing is None or known.standing.backup_runs:
            return
        if Trouble.BACKUP not in state.wrong and time.monotonic() - self._backup_asked_at < BACKUP_WATCHED_S:
            self._tell(Message("The backup is made", "It was restored on trial and is as the data is."))
        self._backup_asked_at = None

    def _switch_autostart(self) -> None:
        autostart = self._desk.autostart
        if autostart is not None:
            if autostart.command() is None:
                autostart.turn_on(self._desk.command)
            else:
                autostart.turn_off()

    def _show_folder(self, folder: Path) -> None:
        if not self._desk.open_folder(folder):
            self._tell(Message("No program shows folders here", str(folder)))

    def _tell(self, message: Message) -> None:
        log.info("notified", title=message.title)
        self._adapter.notify(message)
