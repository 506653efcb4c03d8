"""Where things lie inside the data folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from appliance.foundation.errors import HostError


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The one folder that holds everything a person's appliance knows."""

    root: Path

    @property
    def engines(self) -> Path:
        """Database files, sockets and locks of the embedded engines."""
        return self.root / "engines"

    @property
    def logs(self) -> Path:
        """Rotating log files, one JSON object a line."""
        return self.root / "logs"

    @property
    def backups(self) -> Path:
        """Backups, unless a setting puts them elsewhere."""
        return self.root / "backups"

    @property
    def exports(self) -> Path:
        """What was written out of people who were removed over the API."""
        return self.root / "exports"

    @property
    def imports(self) -> Path:
        """Files that browsers bring to be imported; each is there only until it has been."""
        return self.root / "imports"

    @property
    def scratch(self) -> Path:
        """The throw-away server on which a backup is tried; there only as long as that takes."""
        return self.root / "scratch"

    def create(self) -> None:
        """Make the folder and its parts, readable by their owner alone.

        Raises `HostError` when it cannot be made or belongs to somebody else.
        """
        try:
            for folder in (self.root, self.engines, self.logs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.name == "posix":
                self.root.chmod(0o700)
        except OSError as error:
            raise HostError(
                f"The data folder {self.root} cannot be used: {error.strerror or error}. Choose another with --data-dir."
            ) from error
