"""A file without meaning whose deletion makes room when the disk is full.

Postgres cannot start without some space, not even to clean up. So some is set aside while there is plenty.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import structlog

MIB = 1024 * 1024
START_ROOM = 32 * MIB  # Postgres' recovery writes a checkpoint and begins a piece of its log, 16 MiB each

log = structlog.get_logger("hearthbeat.space")


def free_bytes(folder: Path) -> int:
    """Return how much an ordinary account may still write where `folder` lies; 0 when that cannot be told."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


class Ballast:
    """`size_mb` MiB set aside in the data folder; 0 for none."""

    def __init__(self, data_dir: Path, size_mb: int) -> None:
        self.folder = data_dir
        self.file = data_dir / "ballast"
        self.size_bytes = size_mb * MIB

    @property
    def held(self) -> bool:
        """Whether it is there, whole."""
        try:
            return self.file.stat().st_size == self.size_bytes > 0
        except OSError:
            return False

    def lay_down(self) -> bool:
        """Set the space aside, really taking it; return whether it is held then. Nothing is left half made."""
        if self.held:
            return True
        if not self.size_bytes:
            self.file.unlink(missing_ok=True)
            return False
        fresh = self.file.with_name("ballast.new")
        try:
            with fresh.open("wb") as file:
                _take(file.fileno(), self.size_bytes)
            fresh.replace(self.file)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            log.warning("ballast_not_laid_down", reason=error.strerror or str(error))
            return False
        log.info("ballast_laid_down", bytes=self.size_bytes)
        return True

    def make_room(self) -> bool:
        """Give the space back when there is too little to start Postgres; return whether there is enough then."""
        if free_bytes(self.folder) < START_ROOM and self.file.exists():
            with suppress(OSError):
                self.file.unlink()
                log.warning("ballast_given_up", why="the disk is full", free_bytes=free_bytes(self.folder))
        return free_bytes(self.folder) >= START_ROOM


def _take(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        # Not zeros: a file system that compresses would take no space for them.
        chunk = os.urandom(MIB)
        for _ in range(size // MIB):
            os.write(descriptor, chunk)
    os.fsync(descriptor)
