"""Starting at login, as each system has it: one file (or one value of the registry) that is there or is not.

Imports `appliance.foundation` and the tray's own `process`. What a file holds is made by pure functions, so that it can
be tested where its system is not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tray.autostart.launchd import LaunchAgent
from tray.autostart.registry import RunKey
from tray.autostart.systemd import UserUnit
from tray.autostart.xdg import DesktopEntry
from tray.process import quiet_python


class Autostart(Protocol):
    """One way to be started at login. `what` names it for people."""

    what: str

    def command(self) -> list[str] | None:
        """Return the command that login starts, or None when it starts nothing."""

    def turn_on(self, command: Sequence[str]) -> None:
        """Let login start this. Raises `OSError`."""

    def turn_off(self) -> None:
        """Let login start nothing. Raises `OSError`."""


def ways(
    platform: str = sys.platform, environment: Mapping[str, str] | None = None, home: Path | None = None
) -> dict[str, Autostart]:
    """Return the ways there are here, by what they start: "tray", and on Linux "server" too."""
    environment = os.environ if environment is None else environment
    home = home or Path.home()
    if platform == "win32":
        return {"tray": RunKey()}
    if platform == "darwin":
        return {"tray": LaunchAgent(home / "Library" / "LaunchAgents")}
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return {
        "tray": DesktopEntry(config / "autostart"),
        "server": UserUnit(config / "systemd" / "user"),
    }


def command_for(what: str, data_dir: Path) -> list[str]:
    """Return the command that login is to start: "tray", or the "server" alone."""
    word = "tray" if what == "tray" else "serve"
    return [quiet_python(), "-m", "appliance", word, "--data-dir", str(data_dir)]


def is_stale(command: Sequence[str]) -> bool:
    """Whether the program of a command is not there any more, as after its folder was moved."""
    program = command[0]
    if program.startswith('"'):  # a command line in one piece
        program = program[1:].partition('"')[0]
    elif not Path(program).exists():
        program = program.partition(" ")[0]
    return not Path(program).exists()


def has_desktop(environment: Mapping[str, str]) -> bool:
    """Whether somebody logs in to a desktop here; Windows and macOS always have one."""
    return (
        os.name == "nt"
        or sys.platform == "darwin"
        or any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_CURRENT_DESKTOP"))
    )
