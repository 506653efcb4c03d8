"""Starting the server as a program that outlives whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OUTPUT = "serve.out"
LAST_BYTES = 4_000
# CREATE_NEW_PROCESS_GROUP and CREATE_NO_WINDOW, which the module knows on Windows alone.
_DETACHED = 0x00000200 | 0x08000000 if os.name == "nt" else 0


class Child:
    """A server that was started here."""

    def __init__(self, command: Sequence[str], logs: Path) -> None:
        """Start it, with what it prints in a file of its own beside the log. Raises `OSError`."""
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._output = logs / OUTPUT
        with self._output.open("wb") as output:
            # Kept from what ends its starter: the terminal's Ctrl-C, the end of the tray's session.
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603  our own program
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                creationflags=_DETACHED,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ended(self) -> int | None:
        """Return its exit status, or None while it lives."""
        return self._process.poll()

    def last_words(self) -> str:
        """Return the last line it printed that is no line of the log."""
        try:
            text = self._output.read_bytes()[-LAST_BYTES:].decode(errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:400] if lines else ""

    def terminate(self) -> None:
        """Ask it to end at once, as the system does."""
        self._process.terminate()

    def kill(self) -> None:
        """End it."""
        self._process.kill()


def serve_command(options: Sequence[str]) -> list[str]:
    """Return the command that serves, by the Python that runs us."""
    return [sys.executable, "-m", "appliance", "serve", *options]


def quiet_python() -> str:
    """Return the Python that opens no console window."""
    if os.name == "nt":
        windowed = Path(sys.executable).with_name("pythonw.exe")
        if windowed.exists():
            return str(windowed)
    return sys.executable
