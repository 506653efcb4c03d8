"""What a running `hearthbeat serve` and its engines take of the machine."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any, Self

import psutil
import redis

from appliance.engines.valkey import EmbeddedValkey
from tests.fixtures.program import Program

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """One look. Memory in MiB; handles and threads are those of the program itself without its engines."""

    program_mib: float
    postgres_mib: float
    valkey_mib: float
    handles: int
    threads: int
    backends: int
    valkey_used_mib: float

    @property
    def total_mib(self) -> float:
        """Everything together."""
        return self.program_mib + self.postgres_mib + self.valkey_mib


class Watch:
    """Looks at one program and its engines."""

    def __init__(self, program: Program) -> None:
        self._process = psutil.Process(program.process.pid)
        self._valkey = redis.Redis.from_url(EmbeddedValkey(program.data_dir / "engines").url)

    def look(self) -> Reading:
        """Take a reading now."""
        memory = {"postgres": 0.0, "valkey-server": 0.0}
        backends = 0
        for child in self._process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                name = child.name()
                memory[name] = memory.get(name, 0.0) + proportional_mib(child)
                # A process that serves a connection calls itself by user and database.
                title = " ".join(child.cmdline())
                backends += title.startswith("postgres: ") and " hearthbeat " in title
        handles = self._process.num_fds() if psutil.POSIX else self._process.num_handles()
        info: Any = self._valkey.info("memory")
        return Reading(
            proportional_mib(self._process),
            memory["postgres"],
            memory["valkey-server"],
            handles,
            self._process.num_threads(),
            backends,
            info["used_memory"] / MIB,
        )

    def close(self) -> None:
        """Close the connection to Valkey."""
        self._valkey.close()


class Peak:
    """Looks every second while a block runs, and keeps the reading with the most memory."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.reading = watch.look()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(1):
            self.reading = max(self.reading, self._watch.look(), key=lambda reading: reading.total_mib)


def proportional_mib(process: psutil.Process) -> float:
    """Return the memory of a process, what it shares divided among those who share it (Linux; elsewhere its own)."""
    full = process.memory_full_info()
    return float(getattr(full, "pss", full.uss)) / MIB
