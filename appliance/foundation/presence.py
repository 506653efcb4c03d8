"""The notes that running programs leave in the data folder, so that others of the same account find them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

SERVING, TRAY = "serving.json", "tray.json"


@dataclass(frozen=True, slots=True)
class Presence:
    """A serving process. `url` is its address on this computer, `secret` opens its controls there."""

    pid: int
    url: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TrayPresence:
    """A tray program at work. `icon` is "pystray", "dbus" or "none"; then `reason` says why nobody sees one."""

    pid: int
    icon: str
    reason: str


@contextmanager
def announced(folder: Path, url: str, secret: str) -> Iterator[None]:
    """Leave the note of a server while serving."""
    with _noted(folder / SERVING, asdict(Presence(os.getpid(), url, secret))):
        yield


@contextmanager
def tray_announced(folder: Path, icon: str, reason: str) -> Iterator[None]:
    """Leave the note of a tray program while it is at work."""
    with _noted(folder / TRAY, asdict(TrayPresence(os.getpid(), icon, reason))):
        yield


def find_serving(folder: Path) -> Presence | None:
    """Return who serves this folder, if the process that left the note still lives."""
    told = _read(folder / SERVING)
    try:
        return Presence(told["pid"], str(told["url"]), str(told.get("secret", ""))) if told else None
    except KeyError:
        return None


def ended_without_a_word(folder: Path) -> bool:
    """Whether a server left its note behind, which one that was asked to stop never does."""
    return (folder / SERVING).exists() and find_serving(folder) is None


def find_tray(folder: Path) -> TrayPresence | None:
    """Return the tray program of this folder, if the process that left the note still lives."""
    told = _read(folder / TRAY)
    try:
        return TrayPresence(told["pid"], str(told["icon"]), str(told["reason"])) if told else None
    except KeyError:
        return None


@contextmanager
def _noted(note: Path, told: dict[str, Any]) -> Iterator[None]:
    fresh = note.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    # For nobody else from its first byte on, and never seen half written.
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(told, file)
    fresh.replace(note)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _read(note: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        told["pid"] = int(told["pid"])
        return told if psutil.pid_exists(told["pid"]) else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
