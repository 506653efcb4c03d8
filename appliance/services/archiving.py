"""One person's everything as a file that outlives the appliance: a zip of what they sent and what it was read as."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from sqlalchemy import Connection

from appliance.foundation.errors import Conflict, RequestError, StorageFull
from appliance.storage import archive

README = """\
Everything Hearthbeat kept of one person.

uploads/        every upload exactly as it was received, byte for byte; upload.ndjson says when and how each came.
                Sent to Hearthbeat again in this order, they bring everything back.
*.ndjson        what the uploads were read as, one JSON object a line, one file for each kind:
                sample, revision (values a sample had before), record (workouts, nights, ECGs …), record_track,
                sleep_segment, quarantine, person (the settings), source_priority, api_key (without secrets) …

Instants are ISO 8601, offsets and durations are seconds.
"""
_ENDINGS = {"json": ".json", "csv": ".csv"}


def write_archive(connection: Connection, person_id: int, path: Path, at: datetime) -> int:
    """Write everything of a person to a new file, prove that it can be read, and return its size in bytes.

    The memory needed does not grow with what is held. The file is on the disk for good when this returns, and is
    readable by this account alone. Raises `Conflict` when there is such a file already, `RequestError` when the
    place cannot be written and `StorageFull`; then nothing is left of it.
    """
    part = path.with_name(f"{path.name}.part")
    with _told_as_ours(path):
        if path.exists():
            raise Conflict(f"There is a file {path} already; choose another name.")
        try:
            with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR | _BINARY, 0o600), "w+b") as file:
                with ZipFile(file, "w", ZIP_DEFLATED, allowZip64=True) as zipped:
                    _fill(zipped, connection, person_id, at)
                file.flush()
                os.fsync(file.fileno())
                with ZipFile(file) as written:
                    if (broken := written.testzip()) is not None:
                        raise RequestError(f"The archive came out broken at {broken}; nothing was changed.")
            size = part.stat().st_size
            part.rename(path)
            _sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)
    return size


_BINARY: int = getattr(os, "O_BINARY", 0)  # Windows


def _fill(zipped: ZipFile, connection: Connection, person_id: int, at: datetime) -> None:
    zipped.writestr("README.txt", README)
    about = {"written_at": at.isoformat(), "hearthbeat": version("hearthbeat"), "person_id": person_id}
    zipped.writestr("about.json", json.dumps(about, indent=1))
    for row, chunks in archive.bodies(connection, person_id):
        _write(zipped, _file_name(row.upload_id, row.content_type, row.content_encoding), chunks, at)
    for table in archive.tables_of_people():
        if table.name not in archive.LEFT_OUT:
            told = (f"{line}\n".encode() for line in archive.lines(connection, table, person_id))
            _write(zipped, f"{table.name}.ndjson", told, at)


def _write(zipped: ZipFile, name: str, chunks: Iterator[bytes], at: datetime) -> None:
    info = ZipInfo(name, at.timetuple()[:6])
    info.compress_type = ZIP_STORED if name.endswith(".gz") else ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    with zipped.open(info, "w", force_zip64=True) as entry:
        for chunk in chunks:
            entry.write(chunk)


def _file_name(upload_id: int, content_type: str, content_encoding: str) -> str:
    ending = next((ending for word, ending in _ENDINGS.items() if word in content_type.casefold()), ".body")
    packed = ".gz" if content_encoding.strip().casefold() == "gzip" else ""
    return f"uploads/{upload_id:010}{ending}{packed}"


@contextmanager
def _told_as_ours(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"There is no room left for the archive {path}; nothing was removed."
            ) from error
        raise RequestError(
            f"The archive {path} cannot be written ({error.strerror or error}); nothing was removed."
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make the file's name as durable as its content, where the system can (POSIX)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
