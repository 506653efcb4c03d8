"""The LaunchAgent of macOS: a property list that launchd reads at login."""

from __future__ import annotations

import plistlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

LABEL = "local.hearthbeat.tray"


class LaunchAgent:
    """The file in `~/Library/LaunchAgents`."""

    what = "the tray, by a LaunchAgent"

    def __init__(self, folder: Path) -> None:
        self.file = folder / f"{LABEL}.plist"

    def command(self) -> list[str] | None:
        """Return the command of the file, if it is there."""
        try:
            told = plistlib.loads(self.file.read_bytes())
            return [str(word) for word in told["ProgramArguments"]]
        except (OSError, ValueError, KeyError, TypeError, plistlib.InvalidFileException):
            return None

    def turn_on(self, command: Sequence[str]) -> None:
        """Write the file. Raises `OSError`."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_bytes(content(command))

    def turn_off(self) -> None:
        """Remove the file. Raises `OSError`."""
        with suppress(FileNotFoundError):
            self.file.unlink()


def content(command: Sequence[str]) -> bytes:
    """Return the file's content for a command."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(command),
            "RunAtLoad": True,
            "LimitLoadToSessionType": "Aqua",  # a desktop, not a login by network
            "ProcessType": "Interactive",
            # What the tray started shall go on when the tray ends.
            "AbandonProcessGroup": True,
        }
    )
