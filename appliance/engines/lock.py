"""One program per data folder."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import psutil
from filelock import FileLock, Timeout

from appliance.foundation.errors import AlreadyRunning, HostError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has the folder open: a process and what it is doing."""

    pid: int
    role: str


class FolderLock:
    """An exclusive hold on a folder; the operating system drops it when the process dies, however it dies.

    Keep the object as long as the hold shall last: the lock goes with it.

    `name` tells several locks in one folder apart. The file beside the lock names the holder and means
    something only while the lock is held.
    """

    def __init__(self, folder: Path, *, name: str = "hearthbeat") -> None:
        self.folder = folder
        self._note = folder / f"{name}.lock.json"
        # Not thread-local: the keeper's thread takes the lock and another one may give it back.
        self._lock = FileLock(folder / f"{name}.lock", thread_local=False)

    @property
    def held(self) -> bool:
        """Whether this object has the lock."""
        return self._lock.is_locked

    def acquire(self, role: str, *, wait_s: float = 0) -> None:
        """Take the lock, waiting up to `wait_s` seconds for it; nothing happens when we have it already.

        Raises `AlreadyRunning` when another program has it, `HostError` when the folder cannot be used.
        """
        if self.held:
            return
        try:
            self._lock.acquire(timeout=wait_s)
            self._leave_note(Holder(os.getpid(), role))
        except Timeout as error:
            raise AlreadyRunning(self._refusal()) from error
        except OSError as error:
            self._lock.release()
            raise HostError(
                f"The folder {self.folder} cannot be locked: {error.strerror or error}. "
                "Run Hearthbeat as its owner, or choose another folder with --data-dir."
            ) from error

    def release(self) -> None:
        """Give the lock back; nothing happens when we do not have it."""
        if self.held:
            self._note.unlink(missing_ok=True)
            self._lock.release()

    def holder(self) -> Holder | None:
        """Return who left a note here and still lives."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            holder = Holder(int(note["pid"]), str(note["role"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return holder if psutil.pid_exists(holder.pid) else None

    def __enter__(self) -> Self:
        self.acquire("program")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _leave_note(self, holder: Holder) -> None:
        fresh = self._note.with_suffix(".new")
        fresh.write_text(json.dumps({"pid": holder.pid, "role": holder.role}), encoding="utf-8")
        fresh.replace(self._note)

    def _refusal(self) -> str:
        holder = self._holder_soon()
        who = f"process {holder.pid} ({holder.role})" if holder else "another process"
        return (
            f"Hearthbeat is already running: {who} has {self.folder} open; "
            "stop it first, or choose another folder with --data-dir."
        )

    def _holder_soon(self) -> Holder | None:
        """Return the holder, giving one that has just taken the lock a moment to leave its note."""
        for _ in range(10):
            if holder := self.holder():
                return holder
            time.sleep(0.02)
        return None
