"""What the embedded Postgres is on every system: its configuration, its one database, its file format."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from appliance.foundation.errors import DataFolderNewer, EngineFailed

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.engines.programs import Version

NAME = "hearthbeat"  # of the role, the database and the peer map
PORT = 5432  # part of the socket's name; nothing listens on it
READY_WITHIN_S = 300.0  # recovery after a crash may take minutes

# 15 MiB at rest, about 100 MiB busy. synchronous_commit stays on: what we acknowledged must be on disk.
CONFIGURATION = {
    "shared_buffers": "64MB",
    "max_connections": "80",  # twice the threads a person may set, and the short commands beside them
    "max_worker_processes": "4",
    "autovacuum_max_workers": "2",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Errors of statements carry values, and no health value belongs in a log: their raisers get them.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
}


def configuration(version: Version) -> dict[str, str]:
    """Return the settings every system shares, for this version."""
    return CONFIGURATION | ({"io_method": "sync"} if version.major >= 18 else {})


def creation_options(version: Version) -> list[str]:
    """Return initdb's options that every system shares.

    The builtin locale (since 17) cannot change under our indexes when the operating system is upgraded.
    """
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if version.major >= 17 else []
    # One flush of the file system instead of a thousand of files, which a memory card takes a minute for.
    sync = ["--sync-method=syncfs"] if version.major >= 17 and sys.platform == "linux" else []
    return ["-U", NAME, "--encoding=UTF8", *locale, "--locale=C", "--data-checksums", *sync]


def check_format(data: Path, version: Version) -> None:
    """Raise `DataFolderNewer` or `EngineFailed` when these programs cannot read this data."""
    try:
        written_by = int((data / "PG_VERSION").read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise EngineFailed(
            f"{data} is damaged: its PG_VERSION cannot be read; restore the folder."
        ) from error
    if written_by > version.major:
        raise DataFolderNewer(
            f"{data} was written by Postgres {written_by} and this is Postgres {version.major}; "
            "install the newer Hearthbeat again."
        )
    if written_by < version.major:
        raise EngineFailed(
            f"{data} was written by Postgres {written_by}, which Postgres {version.major} cannot read; "
            f"set postgres_bin to the programs of Postgres {written_by} and make a backup to restore from."
        )


@dataclass(frozen=True, slots=True)
class PidFile:
    """What a running Postgres says about itself in `postmaster.pid`."""

    pid: int
    started: float
    ready: bool


def read_pid_file(data: Path) -> PidFile | None:
    """Return the content of `postmaster.pid`, or nothing when there is none that can be understood."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        status = lines[7].strip() if len(lines) > 7 else ""
        return PidFile(int(lines[0]), float(lines[2]) if len(lines) > 2 else 0.0, status == "ready")
    except (OSError, ValueError, IndexError):
        return None


def create_database(conninfo: str) -> None:
    """Create our database unless it exists; `conninfo` leads to the one called postgres.

    Raises `psycopg.Error` when the server does not let us.
    """
    with psycopg.connect(conninfo, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [NAME]).rowcount == 0:
            connection.execute(f"CREATE DATABASE {NAME}")


def can_connect(conninfo: str) -> bool:
    """Whether a Postgres lets us in there."""
    try:
        psycopg.connect(conninfo).close()
    except psycopg.Error:
        return False
    return True
