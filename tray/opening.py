"""Opening a page or a folder as this desktop does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path


def open_page(url: str) -> bool:
    """Open an address in the browser; False when there is none to open it."""
    return webbrowser.open(url)


def open_folder(folder: Path) -> bool:
    """Show a folder; False when this desktop has no way to."""
    if sys.platform == "win32":
        os.startfile(folder)  # noqa: S606  a folder of ours
        return True
    program = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if program is None:
        return False
    subprocess.Popen([program, str(folder)], start_new_session=True)  # noqa: S603  the system's own way
    return True
