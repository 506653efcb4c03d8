"""The Run key of Windows: a value with a command line, for this user alone."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

PATH = r"Software\Microsoft\Windows\CurrentVersion\Run"
NAME = "Hearthbeat"
LONGEST = 260  # characters; Windows ignores a longer command line in this key


class RunKey:
    """The value in the registry. `winreg` is the module of that name, which is on Windows alone."""

    what = "the tray, by the Run key of your account"

    def __init__(self, winreg: Any = None) -> None:
        self._winreg = winreg

    def command(self) -> list[str] | None:
        """Return the command line of the value, if it is there, in one piece."""
        winreg = self._module()
        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, PATH) as key:
                return [str(winreg.QueryValueEx(key, NAME)[0])]
        except OSError:
            return None

    def turn_on(self, command: Sequence[str]) -> None:
        """Write the value. Raises `OSError`."""
        line = subprocess.list2cmdline(command)
        if len(line) > LONGEST:
            raise OSError(f"the command is longer than the {LONGEST} characters Windows takes: {line}")
        winreg = self._module()
        with winreg.CreateKey(winreg.HKEY_CURRENT_USER, PATH) as key:
            winreg.SetValueEx(key, NAME, 0, winreg.REG_SZ, line)

    def turn_off(self) -> None:
        """Remove the value. Raises `OSError`."""
        winreg = self._module()
        with (
            suppress(FileNotFoundError),
            winreg.OpenKey(winreg.HKEY_CURRENT_USER, PATH, 0, winreg.KEY_SET_VALUE) as key,
        ):
            winreg.DeleteValue(key, NAME)

    def _module(self) -> Any:
        return self._winreg or importlib.import_module("winreg")
