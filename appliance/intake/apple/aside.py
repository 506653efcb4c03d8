"""Reading an export in a process of its own, so that parts are read and stored at the same time.

A small one is read in this process: starting another takes longer than reading it. The other process is a fresh one
on every system. A part comes over by a pipe and waits packed, which takes little room, so that neither waits for the
other over a part that takes long.
"""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

from appliance.catalog.load import Catalogue, load_catalogue
from appliance.domain.whereabouts import Whereabouts
from appliance.foundation.errors import HearthbeatError
from appliance.intake.apple.archive import open_archive
from appliance.intake.apple.elements import NoElement
from appliance.intake.apple.export import About, ExportReader, Part

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# What is read holds no cycles, and looking for them among millions of lists' items takes a fifth of the time.
GARBAGE_FROM = 200_000
PARTS_AHEAD = 4
PAYS_FROM = 32 << 20  # bytes of the main file: some 70,000 records


class Parts:
    """The parts of an export, once; `about` is complete when the last has been taken."""

    def __init__(self, parts: Iterator[Part | About]) -> None:
        self._parts = parts
        self.about = About()

    def __iter__(self) -> Iterator[Part]:
        for part in self._parts:
            if isinstance(part, About):
                self.about = part
            else:
                yield part


@contextmanager
def reading(path: Path, catalogue: Catalogue, home: Whereabouts, *, skip: int = 0) -> Iterator[Parts]:
    """Yield the parts of an export. Raises `UnreadableExport`, and `NoElement` while they are taken."""
    with open_archive(path) as archive:
        if archive.main.size < PAYS_FROM:
            yield Parts(_read(ExportReader(archive, catalogue, home), skip))
            return
    with _seldom_looking_for_garbage(), _aside(path, home, skip) as parts:
        yield parts


@contextmanager
def _seldom_looking_for_garbage() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(GARBAGE_FROM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _aside(path: Path, home: Whereabouts, skip: int) -> Iterator[Parts]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    # A daemon ends with us, however we end.
    process = context.Process(target=_tell, args=(theirs, path, home, skip), daemon=True)
    process.start()
    theirs.close()
    ahead = Queue[bytes | None](PARTS_AHEAD)
    taking = Thread(target=_take, args=(ours, ahead), daemon=True)
    taking.start()
    try:
        yield Parts(_told(ahead))
    finally:
        process.terminate()
        process.join()
        while ahead.get() is not None:
            pass  # so that the thread comes to the end
        taking.join()
        ours.close()


def _read(reader: ExportReader, skip: int) -> Iterator[Part | About]:
    yield from reader.parts(skip=skip)
    yield reader.about


def _tell(there: Connection, path: Path, home: Whereabouts, skip: int) -> None:
    """Read in the other process, and send what was read. The other side may have gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; we end with the other
    try:
        with _seldom_looking_for_garbage(), open_archive(path) as archive:
            for told in _read(ExportReader(archive, load_catalogue(), home), skip):
                there.send(told)
    except BrokenPipeError:
        pass
    except (NoElement, HearthbeatError) as error:
        there.send(error)


def _take(here: Connection, ahead: Queue[bytes | None]) -> None:
    """Take what comes over the pipe as it is, until it ends; then None is the last, always."""
    with suppress(EOFError, OSError):
        while True:
            ahead.put(here.recv_bytes())
    ahead.put(None)


def _told(ahead: Queue[bytes | None]) -> Iterator[Part | About]:
    while (packed := ahead.get()) is not None:
        told = pickle.loads(packed)  # noqa: S301  from our own process
        if isinstance(told, NoElement | HearthbeatError):
            raise told
        yield told
        if isinstance(told, About):
            return
    ahead.put(None)
    raise HearthbeatError("Reading the file was broken off; give it again to go on.")
