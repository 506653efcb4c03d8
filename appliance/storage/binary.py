"""Postgres' binary COPY format, both ways, for the one table that is hot.

Packing whole columns with `struct` is several times faster than handing rows to the driver one by one.
Source: PostgreSQL documentation, COPY, "Binary Format"; timestamps count microseconds from 2000-01-01.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from appliance.domain.sample import Batch

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER = b"\xff\xff"
EPOCH_US = 946_684_800_000_000

_NULL = struct.pack(">i", -1)
_FIELDS = 10  # of the table sample, in the order of SAMPLE_COLUMNS
_KEY = "hiqiqiqiiii"  # field count, person, series, start, offset, duration, each with its length
_PLAIN = struct.Struct(f">{_KEY}idiiiqi")
_RANGE = struct.Struct(f">{_KEY}idididiqi")
_START = struct.Struct(f">{_KEY}")
_DOUBLE = struct.Struct(">id")
_BIGINT = struct.Struct(">iq")

SAMPLE_COLUMNS = "person_id, series_id, start_at, utc_offset, duration, value, min, max, upload_id, extra"

# What `held_rows` reads, nulls told as NaN so that every row has the same width.
HELD_COLUMNS = (
    "series_id, start_at, utc_offset, duration, coalesce(value, 'NaN'), coalesce(min, 'NaN'), "
    "coalesce(max, 'NaN'), upload_id"
)
_HELD = struct.Struct(">2x4xq4xq4xi4xi4xd4xd4xd4xq")


class HeldRow(NamedTuple):
    """A stored sample. Units as in `Batch`."""

    series_id: int
    start: int
    offset: int
    duration: int
    value: float | None
    minimum: float | None
    maximum: float | None
    upload_id: int


def pack_samples(
    batch: Batch, positions: Sequence[int], person_id: int, series_id: int, upload_id: int
) -> bytes:
    """Return the rows of these positions in COPY format, without header and trailer."""
    whole = len(positions) == len(batch)
    plain = not batch.extra and None not in batch.value
    if plain and not batch.minimum:
        pack = _PLAIN.pack
        columns = zip(batch.start, batch.offset, batch.duration, batch.value, strict=True)
        rows = columns if whole else _picked(columns, positions)
        return b"".join(
            [
                pack(_FIELDS, 8, person_id, 8, series_id, 8, start - EPOCH_US, 4, offset, 4, duration, 8, value, -1, -1, 8, upload_id, -1)
                for start, offset, duration, value in rows
            ]
        )
    if plain and None not in batch.minimum and None not in batch.maximum:
        pack = _RANGE.pack
        ranges = zip(
            batch.start, batch.offset, batch.duration, batch.value, batch.minimum, batch.maximum, strict=True
        )
        return b"".join(
            [
                pack(_FIELDS, 8, person_id, 8, series_id, 8, start - EPOCH_US, 4, offset, 4, duration, 8, value, 8, low, 8, high, 8, upload_id, -1)
                for start, offset, duration, value, low, high in (ranges if whole else _picked(ranges, positions))
            ]
        )
    return b"".join(_pack_one(batch, at, person_id, series_id, upload_id) for at in positions)


def _picked(rows: Iterable[Any], positions: Sequence[int]) -> Iterator[Any]:
    held = list(rows)
    return (held[at] for at in positions)


def _pack_one(batch: Batch, at: int, person_id: int, series_id: int, upload_id: int) -> bytes:
    start = _START.pack(
        _FIELDS, 8, person_id, 8, series_id, 8, batch.start[at] - EPOCH_US, 4, batch.offset[at], 4, batch.duration[at]
    )
    numbers = (batch.value[at], *batch.bounds(at))
    doubles = b"".join(_NULL if number is None else _DOUBLE.pack(8, number) for number in numbers)
    return start + doubles + _BIGINT.pack(8, upload_id) + _jsonb(batch.extra.get(at))


def _jsonb(value: dict[str, Any] | None) -> bytes:
    if value is None:
        return _NULL
    text = b"\x01" + json.dumps(value, ensure_ascii=False).encode()  # a version number precedes the text
    return struct.pack(">i", len(text)) + text


def held_rows(copied: bytes) -> Iterator[HeldRow]:
    """Read rows of `HELD_COLUMNS` out of COPY's output, header and trailer included."""
    body = memoryview(copied)[len(HEADER) : len(copied) - len(TRAILER)]
    for series_id, start, offset, duration, value, low, high, upload_id in _HELD.iter_unpack(body):
        yield HeldRow(
            series_id,
            start + EPOCH_US,
            offset,
            duration,
            value if value == value else None,
            low if low == low else None,
            high if high == high else None,
            upload_id,
        )
