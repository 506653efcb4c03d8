"""Postgres' binary COPY format, both ways, for the one table that is hot.

Packing whole columns with `struct` is several times faster than handing rows to the driver one by one.
Source: PostgreSQL documentation, COPY, "Binary Format"; timestamps count microseconds from 2000-01-01.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import repeat
from typing import Any, TypeVar

from appliance.domain.sample import Batch

T = TypeVar("T")

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = b"\xff\xff"
EPOCH_US = 946_684_800_000_000

_NULL = struct.pack(">i", -1)
_FIELDS = 10  # of the table sample, in the order of SAMPLE_COLUMNS
_HEAD = struct.Struct(">hiqiqi")  # field count, person and series after their lengths, length of the start
_UPLOAD = struct.Struct(">iq")
_PLAIN = struct.Struct(f">{_HEAD.size}sqiiiiid{8 + _UPLOAD.size}s")
_RANGE = struct.Struct(f">{_HEAD.size}sqiiiiididid{_UPLOAD.size}s")
_START = struct.Struct(f">{_HEAD.size}sqiiii")
_DOUBLE = struct.Struct(">id")

# An array's elements follow 20 bytes of dimensions, each after its length.
_ARRAY_HEAD = 20
_ELEMENTS = {4: struct.Struct(">4xi"), 8: struct.Struct(">4xq")}
_DOUBLES = struct.Struct(">4xd")

SAMPLE_COLUMNS = "person_id, series_id, start_at, utc_offset, duration, value, min, max, upload_id, extra"


def pack_samples(
    batch: Batch, positions: Sequence[int], person_id: int, series_id: int, upload_id: int
) -> bytes:
    """Return the rows of these positions in COPY format, without header and trailer."""

    def column(told: Sequence[T]) -> Sequence[T]:
        return told if len(positions) == len(batch) else [told[at] for at in positions]

    head = _HEAD.pack(_FIELDS, 8, person_id, 8, series_id, 8)
    upload = _UPLOAD.pack(8, upload_id)
    starts = column([start - EPOCH_US for start in batch.start])
    offsets, durations, values = column(batch.offset), column(batch.duration), column(batch.value)
    if None in batch.value or None in batch.minimum or None in batch.maximum:
        begins = map(_START.pack, repeat(head), starts, repeat(4), offsets, repeat(4), durations)
        rows = [
            begin + _doubles_or_nulls((value, *batch.bounds(at))) + upload
            for begin, value, at in zip(begins, values, column(range(len(batch))), strict=True)
        ]
    elif batch.minimum:
        pack, lows, highs = _RANGE.pack, column(batch.minimum), column(batch.maximum)
        rows = [
            pack(head, start, 4, offset, 4, duration, 8, value, 8, low, 8, high, upload)
            for start, offset, duration, value, low, high in zip(
                starts, offsets, durations, values, lows, highs, strict=True
            )
        ]
    else:
        pack, end = _PLAIN.pack, _NULL + _NULL + upload
        rows = [
            pack(head, start, 4, offset, 4, duration, 8, value, end)
            for start, offset, duration, value in zip(starts, offsets, durations, values, strict=True)
        ]
    if not batch.extra:
        return _NULL.join([*rows, b""])
    parts = [_NULL] * (2 * len(rows))
    parts[::2] = rows
    parts[1::2] = column(_extras(batch))
    return b"".join(parts)


def _extras(batch: Batch) -> list[bytes]:
    """Return what else is told of each sample; what many samples have in common is packed once."""
    packed = [_NULL] * len(batch)
    known: dict[int, bytes] = {}
    for position, extra in batch.extra.items():
        found = known.get(id(extra))
        if found is None:
            found = known[id(extra)] = jsonb(extra)
        packed[position] = found
    return packed


def int_array(value: bytes, width: int) -> list[int]:
    """Read a one-dimensional array of whole numbers without nulls, each `width` bytes wide."""
    return [number for (number,) in _ELEMENTS[width].iter_unpack(memoryview(value)[_ARRAY_HEAD:])]


def instant_array(value: bytes) -> list[int]:
    """Read an array of instants as µs since 1970 UTC."""
    return [number + EPOCH_US for (number,) in _ELEMENTS[8].iter_unpack(memoryview(value)[_ARRAY_HEAD:])]


def double_array(value: bytes) -> list[float]:
    """Read an array of numbers without nulls."""
    return [number for (number,) in _DOUBLES.iter_unpack(memoryview(value)[_ARRAY_HEAD:])]


# Type ids, from Postgres' catalogue pg_type.
_TEXT, _INT4, _FLOAT8, _TIMESTAMPTZ = 25, 23, 701, 1184


def instants(at: Sequence[int]) -> bytes:
    """Return a field with an array of instants, told as µs since 1970 UTC."""
    return _whole(_TIMESTAMPTZ, "q", 8, [start - EPOCH_US for start in at])


def ints(numbers: Sequence[int]) -> bytes:
    """Return a field with an array of small whole numbers."""
    return _whole(_INT4, "i", 4, numbers)


def doubles(numbers: Sequence[float | None]) -> bytes:
    """Return a field with an array of numbers."""
    if None not in numbers:
        return _whole(_FLOAT8, "d", 8, numbers)
    return _array(_FLOAT8, (len(numbers),), _doubles_or_nulls(numbers), has_nulls=True)


def table_of_doubles(rows: Sequence[Sequence[float | None]]) -> bytes:
    """Return a field with a two-dimensional array, of which every row is as long as the others."""
    if not rows or not rows[0]:
        return _array(_FLOAT8, (), b"")
    has_nulls = any(None in row for row in rows)
    items = b"".join([_doubles_or_nulls(row) if None in row else _interleaved("d", 8, row) for row in rows])
    return _array(_FLOAT8, (len(rows), len(rows[0])), items, has_nulls=has_nulls)


def texts(told: Sequence[str]) -> bytes:
    """Return a field with an array of texts."""
    items = b"".join(struct.pack(">i", len(each)) + each for each in (one.encode() for one in told))
    return _array(_TEXT, (len(told),) if told else (), items)


def field(content: bytes) -> bytes:
    """Return a field with these bytes: a text, or one packed otherwise."""
    return struct.pack(">i", len(content)) + content


def jsonb(value: Any) -> bytes:
    """Return a field with JSON."""
    return field(
        b"\x01" + json.dumps(value, ensure_ascii=False).encode()
    )  # a version number precedes the text


def _doubles_or_nulls(numbers: Sequence[float | None]) -> bytes:
    return b"".join(_NULL if number is None else _DOUBLE.pack(8, number) for number in numbers)


def _whole(type_id: int, code: str, width: int, numbers: Sequence[Any]) -> bytes:
    if not numbers:
        return _array(type_id, (), b"")
    # In one go, because every day of every metric has five of these.
    interleaved = [width] * (2 * len(numbers))
    interleaved[1::2] = numbers
    head = (_ARRAY_HEAD + len(numbers) * (4 + width), 1, 0, type_id, len(numbers), 1)
    return struct.pack(">6i" + ("i" + code) * len(numbers), *head, *interleaved)


def _interleaved(code: str, width: int, numbers: Sequence[Any]) -> bytes:
    interleaved = [width] * (2 * len(numbers))
    interleaved[1::2] = numbers
    return struct.pack(">" + ("i" + code) * len(numbers), *interleaved)


def _array(type_id: int, lengths: Sequence[int], items: bytes, *, has_nulls: bool = False) -> bytes:
    # The number of dimensions, whether there are nulls, the elements' type, and each dimension's length and first index.
    head = struct.pack(">iii", len(lengths), int(has_nulls), type_id)
    head += b"".join(struct.pack(">ii", length, 1) for length in lengths)
    return field(head + items)
