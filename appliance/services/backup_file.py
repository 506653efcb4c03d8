"""The one file a backup is: a zip, not compressed, of what pg_dump wrote, the settings, and what to expect of them.

Nothing is ever unpacked to a place the file names: each part is read from where it lies, as a stream.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from appliance.foundation.errors import BackupDamaged, BackupFailed, StorageFull
from appliance.foundation.settings import FILE_NAME as SETTINGS
from appliance.storage.backups import DayDigest

SUFFIX = ".hbbackup"
FORMAT = 1
MANIFEST = "manifest.json"
DUMP = "database.dump"
LARGEST_MANIFEST = 16 * 1024 * 1024
LARGEST_SETTINGS = 1024 * 1024
CHUNK = 1024 * 1024
# Room that is left alone: a full disk stops the database too.
SPARE_BYTES = 256 * 1024 * 1024
_UNFINISHED = ".part"
_FORGOTTEN_AFTER = timedelta(days=1)


class Manifest(BaseModel):
    """What a backup says of itself. `counts` are rows by table, `database_bytes` the room they took."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    version: str
    schema_revision: str
    made_at: AwareDatetime
    database_bytes: int = Field(ge=0)
    counts: dict[str, int]
    days: list[DayDigest]
    dump_bytes: int = Field(ge=0)
    dump_sha256: str
    settings_sha256: str = ""

    def to_json(self) -> bytes:
        """Return it as it stands in the file."""
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Read it. Raises `BackupDamaged`."""
        try:
            form = json.loads(content)["format"]
            if form != FORMAT:
                raise BackupDamaged(
                    f"It has form {form!r:.20}, which this Hearthbeat cannot read; a newer one can."
                )
            return cls.model_validate_json(content)
        except (ValueError, KeyError, TypeError, RecursionError) as error:  # pydantic's is a ValueError
            raise BackupDamaged(
                "Its manifest cannot be read: it is damaged, or no backup of Hearthbeat's."
            ) from error


@dataclass(frozen=True, slots=True)
class Proof:
    """What a trial restore of a file showed; nothing in `problems` means it can be restored."""

    dump_sha256: str
    proved_at: datetime
    problems: list[str] = field(default_factory=list)


_PROOF: TypeAdapter[Proof] = TypeAdapter(Proof)


class BackupFile:
    """An existing backup, opened for reading and looked at: its parts are the ones we write, and nothing else.

    Raises `BackupDamaged` when it is not; the content of the dump is looked at by `check` only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                parts = {part.filename: part for part in archive.infolist()}
                self._refuse_strangers(archive, parts)
                self.manifest = Manifest.from_json(archive.read(MANIFEST))
                self.settings = archive.read(SETTINGS) if SETTINGS in parts else None
        except FileNotFoundError as error:
            raise BackupFailed(f"There is no file {path}.") from error
        except BackupDamaged as error:
            raise BackupDamaged(f"{path.name} cannot be used. {error.detail}") from error
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
            raise BackupDamaged(
                f"{path.name} is no whole backup ({error}); it may have been cut short while it was copied. Take another one."
            ) from error
        except OSError as error:
            if error.errno == errno.EINVAL:  # sent to a place before its beginning
                raise BackupDamaged(f"{path.name} is no whole backup. Take another one.") from error
            raise BackupFailed(f"{path} cannot be read: {error.strerror or error}.") from error

    @property
    def size_bytes(self) -> int:
        """How large the whole file is."""
        return self.path.stat().st_size

    def check(self) -> None:
        """Read all of it and compare with the checksums. Raises `BackupDamaged`."""
        digest, size = hashlib.sha256(), 0
        for chunk in self.dump():
            digest.update(chunk)
            size += len(chunk)
        told = self.manifest
        if (size, digest.hexdigest()) != (told.dump_bytes, told.dump_sha256):
            raise BackupDamaged(
                f"{self.path.name} is damaged: its content has changed since it was made. Take another one."
            )
        if self.settings is not None and hashlib.sha256(self.settings).hexdigest() != told.settings_sha256:
            raise BackupDamaged(
                f"{self.path.name} is damaged: the settings in it have changed since it was made."
            )

    def dump(self) -> Iterator[bytes]:
        """Yield the dump piece by piece. Raises `BackupDamaged` where it cannot be read."""
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(DUMP) as content:
                while chunk := content.read(CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise BackupDamaged(f"{self.path.name} is damaged ({error}). Take another one.") from error
        except OSError as error:
            raise BackupFailed(f"{self.path} cannot be read: {error.strerror or error}.") from error

    def proof(self) -> Proof | None:
        """Return what the last trial restore of just this content showed."""
        try:
            proof = _PROOF.validate_json(_proof_path(self.path).read_bytes())
        except (OSError, ValidationError):
            return None
        return proof if proof.dump_sha256 == self.manifest.dump_sha256 else None

    def note(self, proved_at: datetime, problems: list[str]) -> None:
        """Write beside the file what a trial restore showed; a folder that takes no file gets none."""
        proof = Proof(self.manifest.dump_sha256, proved_at, problems)
        with suppress(OSError):
            _proof_path(self.path).write_bytes(_PROOF.dump_json(proof))

    @staticmethod
    def _refuse_strangers(archive: zipfile.ZipFile, parts: dict[str, zipfile.ZipInfo]) -> None:
        if not {MANIFEST, DUMP} <= parts.keys() <= {MANIFEST, DUMP, SETTINGS} or len(parts) != len(
            archive.infolist()
        ):
            raise BackupDamaged("It is a zip file, but no backup of Hearthbeat's: its parts are others.")
        for part in parts.values():
            # Nothing of ours is compressed, so what unpacks to more than it takes is not ours.
            if (
                part.compress_type != zipfile.ZIP_STORED
                or part.file_size != part.compress_size
                or part.flag_bits & 1
            ):
                raise BackupDamaged("It is packed in a way that backups are not.")
        for name, largest in ((MANIFEST, LARGEST_MANIFEST), (SETTINGS, LARGEST_SETTINGS)):
            if name in parts and parts[name].file_size > largest:
                raise BackupDamaged(f"Its part {name} is too large to be ours.")


def remove(path: Path) -> None:
    """Delete a backup, and what was noted about it."""
    path.unlink(missing_ok=True)
    _proof_path(path).unlink(missing_ok=True)


def _proof_path(path: Path) -> Path:
    return path.with_name(path.name + ".proof.json")


@contextmanager
def new_backup(path: Path) -> Iterator[NewBackup]:
    """Write a backup under a temporary name; at the end it is on the disk and has its own, readable by us alone.

    Whatever goes wrong, no half of one is left. Raises `StorageFull` or `BackupFailed`.
    """
    unfinished = path.with_name(f".{path.name}{_UNFINISHED}")
    try:
        _forget_unfinished(path.parent)
        descriptor = os.open(
            unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
        )
        try:
            with os.fdopen(descriptor, "w+b") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                    yield NewBackup(archive)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            _sync_folder(path.parent)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"There is no room for a backup in {path.parent}; free some space or set backup_dir to another disk."
            ) from error
        raise BackupFailed(
            f"No backup can be written to {path.parent}: {error.strerror or error}. Choose another folder, or check who may write there."
        ) from error


class NewBackup:
    """A backup that is being written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def write_dump(
        self, dump: Callable[[Callable[[bytes], object]], None], on_bytes: Callable[[int], object]
    ) -> tuple[int, str]:
        """Let `dump` write the database, telling the bytes so far; return how many they are and their SHA-256."""
        digest, size = hashlib.sha256(), 0
        with self._archive.open(DUMP, "w", force_zip64=True) as part:

            def write(chunk: bytes) -> None:
                nonlocal size
                part.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                on_bytes(size)

            dump(write)
        return size, digest.hexdigest()

    def write_settings(self, content: bytes) -> str:
        """Add the settings and return their SHA-256."""
        self._archive.writestr(SETTINGS, content)
        return hashlib.sha256(content).hexdigest()

    def write_manifest(self, manifest: Manifest) -> None:
        """Say what to expect; the last part, because it knows the others."""
        self._archive.writestr(MANIFEST, manifest.to_json())


def require_room(folder: Path, needed: int, what: str) -> None:
    """Raise `StorageFull` unless the disk of `folder` has that many bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise StorageFull(
            f"There is no room {what}: {folder} has {_mib(free)} MB free and {_mib(needed + SPARE_BYTES)} MB are needed; "
            "free some space."
        )


def _mib(size: int) -> str:
    return f"{size // 2**20:,}"


def _forget_unfinished(folder: Path) -> None:
    now = datetime.now().timestamp()  # noqa: DTZ005  the same clock as the files'
    for path in folder.glob(f".*{SUFFIX}{_UNFINISHED}"):
        with suppress(OSError):
            if now - path.stat().st_mtime > _FORGOTTEN_AFTER.total_seconds():
                path.unlink()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
