"""What services need of Postgres' own programs; the engines have them, and the composition root brings both together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Protocol


class PostgresTools(Protocol):
    """Taking a database out and putting it back. Every method raises `BackupFailed` with what the program says."""

    def dump(self, url: str, snapshot: str, write: Callable[[bytes], object]) -> None:
        """Write the whole database as this exported snapshot shows it."""

    def restore(self, url: str, dump: Iterable[bytes]) -> None:
        """Put a dump into an empty database, all of it or nothing."""

    def check(self, dump: Iterable[bytes]) -> None:
        """Look whether a dump has a readable table of contents."""

    def scratch(self) -> AbstractContextManager[str]:
        """Have a throw-away server and yield the address of an empty database in it."""
