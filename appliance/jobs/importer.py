"""Runs the imports of files that browsers brought, each as a program of its own, so that pages and phones do not wait.

The program is `hearthbeat import`, as from a terminal: it stores part by part under the person's lock, and what it has
stored is stored, whoever ends it and whenever.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import structlog
from pydantic import SecretStr

from appliance.domain.delivery import Delivery
from appliance.foundation.errors import DependencyError, HearthbeatError, UnreadableExport
from appliance.foundation.settings import PREFIX, Settings
from appliance.services.deliveries import Deliveries

IDLE_S = 2.0  # how soon one is noticed whose time has come by itself
BUSY_S = 0.3  # how soon it is noticed that one has ended
AT_ONCE = 2  # of different people
NICENESS = 10
LAST_BYTES = 4_000
# Time for a program to note how far it is.
ENDS_WITHIN_S = 10.0
# CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW and BELOW_NORMAL_PRIORITY_CLASS, which the module knows on Windows alone.
_DETACHED = 0x00000200 | 0x08000000 | 0x00004000 if os.name == "nt" else 0

log = structlog.get_logger("hearthbeat.imports")

Command = Callable[[Delivery, Path], Sequence[str]]


def import_command(delivery: Delivery, path: Path) -> list[str]:
    """Return the command that imports a delivery, by the Python that runs us."""
    words = ["import", str(path), f"--person-id={delivery.person_id}", f"--name={delivery.name}"]
    return [sys.executable, "-m", "appliance", *words]


def environment_of(settings: Settings, around: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which a program finds these settings, wherever each came from."""
    kept = {name: value for name, value in around.items() if not name.startswith(PREFIX)}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        told = (
            value.get_secret_value() if isinstance(value, SecretStr) else "" if value is None else str(value)
        )
        if told:
            kept[PREFIX + name.upper()] = told
    return kept


@dataclass(frozen=True, slots=True)
class _Child:
    delivery: Delivery
    process: subprocess.Popen[bytes]
    words: Path

    def error(self) -> tuple[str, bool]:
        """Return what it said went wrong, and whether that is that the file cannot be read."""
        if self.process.returncode == 0:
            return "", False
        try:
            text = self.words.read_bytes()[-LAST_BYTES:].decode(errors="replace")
        except OSError:
            text = ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        title, _, detail = lines[-1].partition(": ") if lines else ("", "", "")
        if detail and title in set(_titles(HearthbeatError)):
            return detail, title == UnreadableExport.title
        # Anything else is no sentence for people; the program's own log has it.
        return f"The import broke off (status {self.process.returncode}).", False


def _titles(error: type[HearthbeatError]) -> Iterator[str]:
    yield error.title
    for each in error.__subclasses__():
        yield from _titles(each)


class ImportWorker:
    """One thread that starts imports whose turn it is, one at a time of each person, and notes how they end."""

    def __init__(self, deliveries: Deliveries, settings: Settings, command: Command = import_command) -> None:
        self._deliveries = deliveries
        self._settings = settings
        self._command = command
        self._children: list[_Child] = []
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="import-worker", daemon=True)

    def start(self) -> None:
        """Begin, with whatever is waiting or was cut off."""
        for delivery in self._deliveries.running():
            _end_left_over(delivery)
            self._deliveries.cut_off(delivery)
        self._deliveries.on_waiting = self._wake.set
        self._thread.start()

    def stop(self) -> None:
        """End the imports under way; they go on with the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(ENDS_WITHIN_S)
        for child in self._children:
            child.process.terminate()
        for child in self._children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(ENDS_WITHIN_S)
            if child.process.poll() is None:
                child.process.kill()
                child.process.wait()
            with suppress(HearthbeatError):
                self._deliveries.cut_off(child.delivery)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._look()
            except DependencyError:
                pass  # the imports wait, and so do we
            except Exception:  # the edge of this thread: it must not die of one import
                log.exception("import_worker_stumbled")
            self._wake.wait(BUSY_S if self._children else IDLE_S)

    def _look(self) -> None:
        for child in list(self._children):
            if child.process.poll() is None:
                if not self._deliveries.looked_at(child.delivery):
                    child.process.terminate()
                continue
            error, is_unreadable = child.error()
            self._deliveries.ended(child.delivery, error, is_unreadable=is_unreadable)
            self._children.remove(child)
        for delivery in self._deliveries.due():
            if len(self._children) < AT_ONCE and not self._stopping.is_set():
                self._begin(delivery)

    def _begin(self, delivery: Delivery) -> None:
        words = self._deliveries.words_path(delivery)
        self._deliveries.begun(delivery)
        try:
            with words.open("wb") as output:
                # Kept from the terminal's Ctrl-C, which is for us: we end it in our own order.
                process = subprocess.Popen(  # noqa: S603  our own program
                    list(self._command(delivery, self._deliveries.path(delivery))),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=output,
                    env=environment_of(self._settings, os.environ),
                    start_new_session=True,
                    creationflags=_DETACHED,
                )
        except OSError as error:
            told = f"The import could not be started ({error.strerror or error})."
            self._deliveries.ended(delivery, told, is_unreadable=False)
            return
        with suppress(psutil.Error):
            self._deliveries.runs_as(delivery, process.pid, psutil.Process(process.pid).create_time())
        _give_way(process.pid)
        self._children.append(_Child(delivery, process, words))
        log.info("import_started", person_id=delivery.person_id)


def _end_left_over(delivery: Delivery) -> None:
    """End the program that a killed server has left behind importing this; its number may be another's by now."""
    with suppress(psutil.Error):
        process = psutil.Process(delivery.pid) if delivery.pid else None
        if process is not None and abs(process.create_time() - delivery.pid_since) < 1:
            process.terminate()
            try:
                process.wait(ENDS_WITHIN_S)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(ENDS_WITHIN_S)


def _give_way(pid: int) -> None:
    """Let everything else go first; on Windows it was started so."""
    if os.name != "nt":
        with suppress(psutil.Error, OSError):
            psutil.Process(pid).nice(NICENESS)
