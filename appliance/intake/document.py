"""A body opened: unpacked within limits, decoded and parsed, and its arrays found. JSON, or the phone's CSV files."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pydantic_core

from appliance.foundation.errors import MalformedUpload, UnsupportedFormat, UploadTooLarge
from appliance.intake import csv_files

ARRAYS = (
    "metrics",
    "workouts",
    "stateOfMind",
    "medications",
    "symptoms",
    "cycleTracking",
    "ecg",
    "heartRateNotifications",
)

_JSON_TYPES = {"", "application/json", "text/json"}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_WORTH_COUNTING = (
    32 << 20
)  # before more than this is held of a packed body, one looks whether it keeps the limit

# A few bytes packed can be a hundred million values. The largest honest body has a quarter of these, of 60 bytes each.
MAX_VALUES = 20_000_000
MAX_ITEMS = 4_000_000

# Every escape of a JSON text, so that the second half of a pair or an escaped backslash is never taken for a start.
_ESCAPE = re.compile(
    rb"""\\(?: u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}
          | (?P<lone> u[dD][89a-fA-F][0-9a-fA-F]{2} )
          | . )""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Document:
    """What a phone sent, parsed. `arrays` maps each name below `data` to what stands there.

    `grouping` is how the content itself shows its values to be grouped, in the phone's word (empty: not at all), for
    where the request does not say; None where content never shows it.
    """

    arrays: Mapping[str, Any]
    grouping: str | None = None


def is_readable(content_type: str) -> bool:
    """Whether bodies of this content type can be opened; one that names none is taken as JSON."""
    media_type = _media_type(content_type)
    return (
        media_type in _JSON_TYPES
        or media_type in csv_files.CSV_TYPES
        or (media_type.startswith("application/") and media_type.endswith("+json"))
    )


def open_document(body: bytes, content_encoding: str, limit_bytes: int, content_type: str = "") -> Document:
    """Open a body as the phone sends it.

    Raises `MalformedUpload`, `UnsupportedFormat` or `UploadTooLarge` (unpacked size over the limit).
    """
    content = unpack(body, content_encoding, limit_bytes)
    if _media_type(content_type) in csv_files.CSV_TYPES:
        files = csv_files.read_files(content, content_type)
        return Document(files.arrays, files.grouping)
    if _has_more_values_than(MAX_VALUES, content):
        raise UploadTooLarge(
            f"The body holds more than {MAX_VALUES:,} values; turn on Batch Requests in the automation."
        )
    document = _document(_parse(content))
    if _items(document.arrays) > MAX_ITEMS:
        raise UploadTooLarge(
            f"The body holds more than {MAX_ITEMS:,} items; turn on Batch Requests in the automation."
        )
    return document


def _document(root: Any) -> Document:
    if not isinstance(root, dict):
        raise MalformedUpload("The body is JSON, but not an object with “data” in it.")
    data = root.get("data")
    beside = {name: root[name] for name in ARRAYS if name in root}  # very old versions put arrays there
    if isinstance(data, dict):
        return Document(beside | {name: found for name, found in data.items() if found or name not in beside})
    if beside:
        return Document(beside)
    raise MalformedUpload(
        "The body is JSON, but there is no “data” object in it; set the automation's format to JSON, version 2."
    )


def _has_more_values_than(limit: int, content: bytes) -> bool:
    # Every value but the first follows one of these; in texts they count too, which the limit has room for.
    return len(content) > limit and sum(map(content.count, (b",", b"[", b"{"))) > limit


def _items(arrays: Mapping[str, Any]) -> int:
    lists = [found for found in arrays.values() if isinstance(found, list)]
    metrics = arrays.get("metrics")
    if isinstance(metrics, list):
        lists += [
            points
            for entry in metrics
            if isinstance(entry, dict) and isinstance(points := entry.get("data"), list)
        ]
    return sum(map(len, lists))


def unpack(body: bytes, content_encoding: str, limit_bytes: int) -> bytes:
    """Undo gzip, known by its first bytes, never producing more than the limit.

    Raises `UnsupportedFormat` for other encodings, `MalformedUpload` for broken or cut gzip and
    `UploadTooLarge` past the limit, so that a small bomb stays small.
    """
    encoding = content_encoding.strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise UnsupportedFormat(
            f"The content encoding “{encoding[:40]}” is not accepted; send the body plain or with gzip."
        )
    if not body.startswith(_GZIP_MAGIC):
        return body
    unpacked = BytesIO()
    try:
        with gzip.open(BytesIO(body)) as stream:
            while part := stream.read(_CHUNK):
                held = unpacked.tell()
                if held + len(part) > limit_bytes or (
                    held <= _WORTH_COUNTING < held + len(part)
                    and unpacked_size(body, limit_bytes) > limit_bytes
                ):
                    raise UploadTooLarge(
                        f"The body unpacks to more than {limit_bytes // 2**20} MB; turn on Batch Requests in the automation."
                    )
                unpacked.write(part)
    except EOFError as error:
        raise MalformedUpload("The gzip body ends too early; it was cut on the way.") from error
    except (OSError, zlib.error) as error:
        raise MalformedUpload("The gzip body is damaged.") from error
    return unpacked.getvalue()


def unpacked_size(body: bytes, at_most: int) -> int:
    """Return how many bytes a body is once unpacked, or `at_most` + 1 when it is more; of a damaged one what can be had.

    What is unpacked is thrown away at once, so that many at a time take no memory.
    """
    if not body.startswith(_GZIP_MAGIC):
        return min(len(body), at_most + 1)
    size = 0
    with suppress(EOFError, OSError, zlib.error), gzip.open(BytesIO(body)) as stream:
        while size <= at_most and (part := stream.read(_CHUNK)):
            size += len(part)
    return min(size, at_most + 1)


def unpack_beginning(body: bytes, size: int) -> bytes:
    """Return the first bytes of a body, unpacked where it is gzip; of a damaged one what can be had, or itself."""
    if not body.startswith(_GZIP_MAGIC):
        return body[:size]
    try:
        # 16 says that a gzip header stands before the data.
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, size)
    except zlib.error:
        return body[:size]


def _media_type(content_type: str) -> str:
    return content_type.split(";", 1)[0].strip().lower()


def _parse(body: bytes) -> Any:
    if not body or body.isspace():
        raise MalformedUpload("The body is empty.")
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        return pydantic_core.from_json(body, allow_inf_nan=True)
    except ValueError:
        # The parser refuses a lone surrogate anywhere in the document; that must cost one text, not the upload.
        mended = _ESCAPE.sub(_mend, body)
    try:
        body.decode("utf-8")
        return pydantic_core.from_json(mended, allow_inf_nan=True)
    except UnicodeDecodeError as error:
        raise MalformedUpload("The body is not UTF-8 text; send JSON in UTF-8.") from error
    except ValueError as error:
        raise MalformedUpload(f"The body is not JSON: {error}.") from error


def _mend(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape["lone"] else escape[0]
