"""The systemd user unit: the server alone, for a computer nobody logs in to by a desktop."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

NAME = "hearthbeat.service"


class UserUnit:
    """The file in `~/.config/systemd/user`, and the link that systemd makes when a unit is enabled."""

    what = "the server, by a systemd unit of yours"

    def __init__(self, folder: Path) -> None:
        self.file = folder / NAME
        self.link = folder / "default.target.wants" / NAME

    def command(self) -> list[str] | None:
        """Return the command of the unit, if it is enabled."""
        try:
            found = re.search(r"^ExecStart=(.*)$", self.file.read_text(encoding="utf-8"), re.MULTILINE)
        except OSError:
            return None
        if found is None or not self.link.is_symlink():
            return None
        words = re.findall(r'"((?:[^"\\]|\\.)*)"', found[1])
        return [re.sub(r"\\(.)", r"\1", word).replace("%%", "%").replace("$$", "$") for word in words]

    def turn_on(self, command: Sequence[str]) -> None:
        """Write the unit and enable it, from the next login on. Raises `OSError`."""
        self.link.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(content(command), encoding="utf-8")
        with suppress(FileExistsError):
            self.link.symlink_to(self.file)
        _reload()

    def turn_off(self) -> None:
        """Disable and remove the unit; one that runs goes on until it is stopped. Raises `OSError`."""
        for file in (self.link, self.file):
            with suppress(FileNotFoundError):
                file.unlink()
        _reload()


def content(command: Sequence[str]) -> str:
    """Return the unit's content for a command."""
    return "\n".join(
        (
            "[Unit]",
            "Description=Hearthbeat receives health data from the iPhone",
            "",
            "[Service]",
            f"ExecStart={' '.join(map(_quoted, command))}",
            "Restart=on-failure",
            "RestartSec=2",
            # Stopping closes the database in order.
            "TimeoutStopSec=60",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        )
    )


def _quoted(word: str) -> str:
    """Quote an argument (systemd.service(5), “Command lines”): specifiers and variables are taken as they stand."""
    return '"' + re.sub(r'(["\\])', r"\\\1", word).replace("%", "%%").replace("$", "$$") + '"'


def _reload() -> None:
    """Let systemd read its units again; where none runs for this user, the next login does."""
    program = shutil.which("systemctl")
    if program is not None:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run([program, "--user", "daemon-reload"], capture_output=True, timeout=10, check=False)  # noqa: S603  the system's own
