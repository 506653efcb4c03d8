"""What holds an export: the zip as the phone made it, the folder it unpacks to, or the bare XML file.

Nothing is ever unpacked to the disk, and a name found inside a file is only ever looked up among the names the
archive itself lists. How much a member unpacks to is limited by what comes out, whatever its header claims.
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from appliance.foundation.errors import SeveralExports, UnreadableExport

CHUNK = 1 << 20
MOST_MEMBERS = 200_000
MOST_NAMED = 5
LARGEST_MAIN = 64 << 30  # ten years of watch are 3 GB
LARGEST_PART = 256 << 20  # a route of a day has 15 MB, an ECG 150 kB
# Real archives pack to a twelfth or fifteenth. A small file may be all blanks.
HIGHEST_RATIO = 100
RATIO_COUNTS_FROM = 64 << 20

_MARKS = (b"<!DOCTYPE HealthData", b"<HealthData")
LOOKED_AT = 64 << 10  # the DOCTYPE has 12 kB, and what it begins with may be damaged
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_MARK = b"PK\x03\x04"
_PACKED_PLAIN, _PACKED_DEFLATE = 0, 8
_ENCRYPTED = 0x1

_AGAIN = "make a new export on the phone and try again"


class Stream(Protocol):
    """Bytes of a member. `packed` is how many bytes of the file were used up, `fault` what went wrong on the way."""

    packed: int
    fault: str | None

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end or where reading on makes no sense."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the export. `name` is its path in the archive, `size` what it claims to unpack to."""

    name: str
    size: int
    packed_size: int


class Archive:
    """An export that has been opened. `size` is that of the file or files, in bytes as they lie on the disk."""

    def __init__(self, path: Path, members: Mapping[str, Member], opener: Callable[[Member], Stream]) -> None:
        self.path = path
        self._members = members
        self._opener = opener
        self._by_end: dict[str, Member] = {}
        for member in members.values():
            self._by_end["/".join(PurePosixPath(member.name).parts[-2:])] = member
        self.main = self._find_main()
        self.size = sum(member.packed_size for member in members.values())

    def open(self, member: Member) -> Stream:
        """Return the bytes of a member."""
        return self._opener(member)

    def read(self, member: Member, limit: int = LARGEST_PART) -> bytes | None:
        """Return a whole member, None when it is damaged or larger than `limit`."""
        stream = self.open(member)
        parts, size = [], 0
        while part := stream.read(CHUNK):
            parts.append(part)
            size += len(part)
            if size > limit:
                return None
        return None if stream.fault else b"".join(parts)

    def referred(self, path: str) -> Member | None:
        """Return the member that a path written in the main file means, None without one."""
        return self._by_end.get("/".join(PurePosixPath(path.lstrip("/")).parts[-2:]))

    def ending(self, suffix: str) -> list[Member]:
        """Return the members whose name ends so, in any case, by name."""
        return sorted(
            (member for member in self._members.values() if member.name.lower().endswith(suffix)),
            key=lambda member: member.name,
        )

    def _find_main(self) -> Member:
        """Return the export's main file, known by how it begins: its name is in the phone's language."""
        candidates = [each for each in self.ending(".xml") if not each.name.lower().endswith("_cda.xml")]
        found = []
        for member in candidates:
            beginning = _beginning(self.open(member))
            if any(mark in beginning for mark in _MARKS):
                found.append(member)
        if not found:
            raise UnreadableExport(
                f"“{self.path.name}” is no export of Apple Health: there is no file in it that begins like one."
                if self._members
                else f"“{self.path.name}” is empty; {_AGAIN}."
            )
        if len(found) > 1:
            names = ", ".join(f"“{member.name}”" for member in found[:MOST_NAMED])
            raise SeveralExports(
                f"“{self.path.name}” holds {len(found):,} exports; give one of them: {names}."
            )
        return found[0]


def _beginning(stream: Stream) -> bytes:
    beginning = b""
    while len(beginning) < LOOKED_AT and (part := stream.read(LOOKED_AT - len(beginning))):
        beginning += part
    return beginning


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an export: a zip, a folder, or its main file alone. Raises `UnreadableExport`."""
    try:
        if path.is_dir():
            yield _of_folder(path, path)
            return
        with path.open("rb") as file:
            beginning = file.read(len(_LOCAL_MARK))
            if not beginning:
                raise UnreadableExport(f"“{path.name}” is empty; {_AGAIN}.")
            if beginning[:2] == b"PK":
                yield _of_zip(path, file)
                return
        yield _of_main_file(path)
    except FileNotFoundError as error:
        raise UnreadableExport(f"There is no file “{path}”.") from error
    except PermissionError as error:
        raise UnreadableExport(f"“{path}” may not be read by Hearthbeat; change its permissions.") from error


def content_hash(path: Path) -> bytes:
    """Return a fingerprint of an export's bytes; of a folder, of its files with their names."""
    found = hashlib.sha256()
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    for each in files:
        if each is not path:
            found.update(f"{each.relative_to(path).as_posix()}\0{each.stat().st_size}\0".encode())
        with each.open("rb") as file:
            while part := file.read(CHUNK):
                found.update(part)
    return found.digest()


def _of_zip(path: Path, file: BinaryIO) -> Archive:
    try:
        listed = zipfile.ZipFile(file).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise UnreadableExport(
            f"“{path.name}” was cut off or is damaged: the list at its end cannot be read; copy it again, or {_AGAIN}."
        ) from error
    if len(listed) > MOST_MEMBERS:
        raise UnreadableExport(
            f"“{path.name}” holds more than {MOST_MEMBERS:,} files; that is no export of Apple Health."
        )
    infos = {info.filename: info for info in listed if info.filename and not info.is_dir()}
    if any(info.flag_bits & _ENCRYPTED for info in infos.values()):
        raise UnreadableExport(
            f"“{path.name}” is protected by a password; unpack it and give the folder instead."
        )
    members = {
        name: Member(name, info.file_size, info.compress_size)
        for name, info in infos.items()
        if _is_plain(name)
    }
    return Archive(path, members, lambda member: _Inflated(file, infos[member.name]))


def _is_plain(name: str) -> bool:
    """Whether a name stays inside the archive; nothing is unpacked, so this only keeps odd ones out of sight."""
    return (
        not name.startswith("/")
        and ".." not in PurePosixPath(name).parts
        and "\\" not in name
        and ":" not in name
    )


def _of_folder(path: Path, root: Path) -> Archive:
    members: dict[str, Member] = {}
    files: dict[str, Path] = {}
    real = root.resolve()
    for each in root.rglob("*"):
        # A link may lead anywhere; what it leads to was not exported.
        if each.is_file() and each.resolve().is_relative_to(real) and len(members) < MOST_MEMBERS:
            name = each.relative_to(root).as_posix()
            size = each.stat().st_size
            members[name], files[name] = Member(name, size, size), each
    return Archive(path, members, lambda member: _OnDisk(files[member.name]))


def _of_main_file(path: Path) -> Archive:
    """Open the main file, with routes and ECGs where the export's folder has them beside it."""
    beside = [
        each
        for folder in ("workout-routes", "electrocardiograms")
        for each in sorted((path.parent / folder).glob("*"))
        if each.is_file() and not each.is_symlink()
    ]
    files = {each.relative_to(path.parent).as_posix(): each for each in (path, *beside)}
    members = {name: Member(name, each.stat().st_size, each.stat().st_size) for name, each in files.items()}
    if not path.name.lower().endswith(".xml"):
        raise UnreadableExport(
            f"“{path.name}” is neither a zip nor an XML file, so it is no export of Apple Health."
        )
    return Archive(path, members, lambda member: _OnDisk(files[member.name]))


class _OnDisk:
    """A file that lies there as it is; it is open only while it is read from."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.packed = 0
        self.fault: str | None = None

    def read(self, size: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(self.packed)
            part = file.read(size)
        self.packed += len(part)
        return part


class _Inflated:
    """A member of a zip, unpacked as it is read. What comes out before a damage is given out; `zipfile` would not."""

    def __init__(self, file: BinaryIO, info: zipfile.ZipInfo) -> None:
        self._file = file
        self._info = info
        self._crc = 0
        self._given = 0
        self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        self._left = info.compress_size
        self._waiting = b""
        self.packed = 0
        self.fault: str | None = None
        try:
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER.size)
        except (OSError, OverflowError):  # a place before the file or beyond any
            header = b""
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_MARK):
            self.fault = "its place in the archive is damaged"
            self._left = 0
        else:
            _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
            self._at = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
        if info.compress_type not in (_PACKED_PLAIN, _PACKED_DEFLATE):
            self.fault = "it is packed in a way that phones do not use"
            self._left = 0

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end or after a fault."""
        part = b""
        while not part and (self._left or self._waiting) and self.fault is None:
            part = self._unpacked(size)
        if part:
            self._given += len(part)
            self._crc = zlib.crc32(part, self._crc)
            packed = max(self.packed, 1)
            if self._given > LARGEST_MAIN or (
                self._given > RATIO_COUNTS_FROM and self._given > HIGHEST_RATIO * packed
            ):
                self.fault = "it unpacks to far more than any export does"
                self._left, self._waiting = 0, b""
        elif self.fault is None and self._crc != self._info.CRC:
            self.fault = "its checksum is wrong"
        return part

    def _unpacked(self, size: int) -> bytes:
        packed = self._waiting
        if not packed:
            self._file.seek(self._at)
            packed = self._file.read(min(CHUNK >> 2, self._left))
            self._at += len(packed)
            self._left -= len(packed)
            self.packed += len(packed)
            if not packed:
                self.fault = "the archive ends within it"
                self._left = 0
                return b""
        if self._info.compress_type == _PACKED_PLAIN:
            self._waiting = packed[size:]
            return packed[:size]
        try:
            part = self._unpacker.decompress(packed, size)
        except zlib.error:
            self.fault = "its packed bytes are damaged"
            return b""
        self._waiting = self._unpacker.unconsumed_tail
        if self._unpacker.eof:
            self._left, self._waiting = 0, b""
        elif not part and not self._left and not self._waiting:
            part = self._unpacker.flush()
        return part
