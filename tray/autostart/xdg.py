"""The XDG autostart entry of a Linux desktop (Desktop Application Autostart Specification)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

NAME = "hearthbeat-tray.desktop"


class DesktopEntry:
    """The file in `~/.config/autostart`."""

    what = "the tray, by an autostart entry of the desktop"

    def __init__(self, folder: Path) -> None:
        self.file = folder / NAME

    def command(self) -> list[str] | None:
        """Return the command of the file, if it is there."""
        try:
            found = re.search(r"^Exec=(.*)$", self.file.read_text(encoding="utf-8"), re.MULTILINE)
        except OSError:
            return None
        return _words(found[1]) if found else None

    def turn_on(self, command: Sequence[str]) -> None:
        """Write the file. Raises `OSError`."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(content(command), encoding="utf-8")

    def turn_off(self) -> None:
        """Remove the file. Raises `OSError`."""
        with suppress(FileNotFoundError):
            self.file.unlink()


def content(command: Sequence[str]) -> str:
    """Return the file's content for a command."""
    return "\n".join(
        (
            "[Desktop Entry]",
            "Type=Application",
            "Name=Hearthbeat",
            "Comment=Receives health data from the iPhone, and shows beside the clock how that goes",
            f"Exec={' '.join(map(_quoted, command))}",
            "Terminal=false",
            "StartupNotify=false",
            "X-GNOME-Autostart-enabled=true",
            "",
        )
    )


def _words(line: str) -> list[str]:
    """Take a quoted command line apart again."""
    line = line.replace("\\\\", "\\")
    words = [
        plain or re.sub(r"\\(.)", r"\1", quoted)
        for quoted, plain in re.findall(r'"((?:\\.|[^"\\])*)"|(\S+)', line)
    ]
    return [word.replace("%%", "%") for word in words]


def _quoted(word: str) -> str:
    """Quote an argument (Desktop Entry Specification, “The Exec key”): its own rules, then those of every string."""
    word = word.replace("%", "%%")
    if re.fullmatch(r"[\w./:=%@+,-]+", word):
        return word
    return '"' + re.sub(r'(["`$\\])', r"\\\1", word).replace("\\", "\\\\") + '"'
