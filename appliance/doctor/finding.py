"""What a check finds, and who is examined."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from appliance.foundation.paths import DataFolder
from appliance.foundation.presence import Presence
from appliance.foundation.settings import Settings
from appliance.storage.database import Database


class Level(StrEnum):
    """How bad it is: nothing to do, worth knowing, or something does not work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence on one thing, and how to mend it; `mend` is empty when there is nothing to do."""

    level: Level
    told: str
    mend: str = ""


def fine(told: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(Level.OK, told)


def worth_knowing(told: str, mend: str) -> Finding:
    """Return a finding that somebody should look at some time."""
    return Finding(Level.WARNING, told, mend)


def broken(told: str, mend: str) -> Finding:
    """Return a finding that keeps the appliance from its work."""
    return Finding(Level.PROBLEM, told, mend)


@dataclass(frozen=True, slots=True)
class Patient:
    """The appliance as far as it can be reached.

    `settings_error` says why the settings are not the person's; `settings` are the defaults then. `serving` is the
    process that serves the folder and answers, `ready` what it says of its parts. `database` is None when there is no
    Postgres to ask, `schema` what the schema lacks, or None when it is of this version.
    """

    settings: Settings
    settings_error: str | None
    serving: Presence | None
    ready: dict[str, Any] | None
    now: datetime
    database: Database | None
    schema: str | None

    @property
    def folder(self) -> DataFolder:
        """The data folder."""
        return DataFolder(self.settings.data_dir)

    @property
    def embedded(self) -> bool:
        """Whether Postgres is our own."""
        return not self.settings.database_url.get_secret_value()

    @contextmanager
    def rows(self) -> Iterator[Connection | None]:
        """Have the database to read from; None when there is none that this version can read."""
        if self.database is None or self.schema is not None:
            yield None
            return
        with self.database.transaction() as connection:
            yield connection


def run(*words: str) -> tuple[int, str] | None:
    """Run a program of the system and return its status and what it said; None when it cannot be run."""
    program = shutil.which(words[0]) or shutil.which(
        words[0], path="/usr/sbin:/sbin:/usr/libexec/ApplicationFirewall"
    )
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603  programs and words are our own
            [program, *words[1:]], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return None
    return done.returncode, (done.stdout + done.stderr).strip()


Found = Sequence[Finding] | Iterator[Finding]
