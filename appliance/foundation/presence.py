"""The note a serving Hearthbeat leaves in its data folder, so that other commands find it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Presence:
    """A serving process. `url` is its address on this computer."""

    pid: int
    url: str


def _note(folder: Path) -> Path:
    return folder / "serving.json"


@contextmanager
def announced(folder: Path, url: str) -> Iterator[None]:
    """Leave the note while serving."""
    note = _note(folder)
    note.write_text(json.dumps(asdict(Presence(os.getpid(), url))), encoding="utf-8")
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def find_serving(folder: Path) -> Presence | None:
    """Return who serves this folder, if the process that left the note still lives."""
    try:
        told = json.loads(_note(folder).read_text(encoding="utf-8"))
        presence = Presence(int(told["pid"]), str(told["url"]))
        return presence if psutil.pid_exists(presence.pid) else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
