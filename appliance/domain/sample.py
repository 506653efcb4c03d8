"""Samples: what they are, what makes two of them the same, and a column-wise batch of one series.

A sample's identity is person, metric, normalised source set, grain and start instant. Everything but the start
is the same for a whole series, so samples travel as a `Batch`: one series key and equally long columns. Columns
instead of one object per sample is what makes 50,000 samples a second affordable in Python.
"""

from __future__ import annotations

import unicodedata
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from operator import sub
from typing import Any, NamedTuple

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_S = 86_400
DAY_US = DAY_S * SECOND_US

SOURCE_LENGTH = 200


class Grain(StrEnum):
    """The width of a bucket; raw is a single reading with its own start and end."""

    RAW = "raw"
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


# Nominal widths in seconds, ordered from fine to coarse.
GRAIN_SECONDS = {
    Grain.RAW: 0,
    Grain.SECOND: 1,
    Grain.MINUTE: 60,
    Grain.HOUR: 3_600,
    Grain.DAY: DAY_S,
    Grain.WEEK: 7 * DAY_S,
    Grain.MONTH: 28 * DAY_S,
    Grain.YEAR: 365 * DAY_S,
}


class SeriesKey(NamedTuple):
    """What all samples of one series share; with the person and the start it is a sample's identity."""

    metric: str
    source: str
    grain: Grain
    unit: str


@dataclass(slots=True)
class Batch:
    """Samples of one series as equally long columns.

    Units: `start` in microseconds since 1970-01-01 UTC, `offset` and `duration` in seconds, `day` (the calendar day
    where the person was) in days since 1970-01-01, values in the unit of the key. `value`, `minimum` and `maximum` are None where the phone sent none; the last two columns are empty
    when no sample has either. `item` is the position of the upload's item that a sample came from; two samples may
    share one (a blood pressure). `extra` holds further fields of the item as sent (meal time, reason), by
    position. `cut` names the starts of buckets that the export window may have cut. `cut_to_seconds`: the starts lost
    their fractions, so that one may stand for several samples.
    """

    key: SeriesKey
    cumulative: bool
    item: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    offset: list[int] = field(default_factory=list)
    day: list[int] = field(default_factory=list)
    duration: list[int] = field(default_factory=list)
    value: list[float | None] = field(default_factory=list)
    minimum: list[float | None] = field(default_factory=list)
    maximum: list[float | None] = field(default_factory=list)
    extra: dict[int, dict[str, Any]] = field(default_factory=dict)
    cut: frozenset[int] = frozenset()
    cut_to_seconds: bool = False

    def __len__(self) -> int:
        return len(self.start)

    def bounds(self, position: int) -> tuple[float | None, float | None]:
        """Return minimum and maximum of one sample."""
        if not self.minimum:
            return None, None
        return self.minimum[position], self.maximum[position]


@dataclass(frozen=True, slots=True)
class Stored:
    """Samples of one series as they are held: equally long columns, ordered by start.

    Units as in `Batch`; `minimum` and `maximum` are empty when no sample has one.
    """

    start: Sequence[int]
    offset: Sequence[int]
    duration: Sequence[int]
    value: Sequence[float | None]
    minimum: Sequence[float | None]
    maximum: Sequence[float | None]
    upload_id: Sequence[int]

    def __len__(self) -> int:
        return len(self.start)


def normalise_source(name: str) -> str:
    """Return the source set as one canonical text, parts joined by " | ".

    Device names are typed by people: they hold U+2019 and U+00A0, come in any order and with any spacing round
    the pipe. NFKC folds the spaces and widths, apostrophes become one, parts are sorted. A longer name than
    `SOURCE_LENGTH` keeps its beginning and gets a fingerprint, so that two long names stay two.
    """
    # Apostrophes first: NFKC would take the acute accent that stands for one apart into a space and a mark.
    text = unicodedata.normalize("NFKC", name.translate(_APOSTROPHES)).translate(_APOSTROPHES)
    text = "".join(" " if ch.isspace() else ch for ch in text if _is_visible(ch))
    parts = sorted({" ".join(part.split()) for part in text.split("|")} - {""})
    return bounded(" | ".join(parts), SOURCE_LENGTH)


def source_parts(source: str) -> tuple[str, ...]:
    """Return the single devices and apps of a normalised source set; empty when the phone named none."""
    return tuple(source.split(" | ")) if source else ()


_APOSTROPHES = str.maketrans(dict.fromkeys("‘’‛ʼ＇´`", "'"))


def _is_visible(ch: str) -> bool:
    # NUL and lone surrogates cannot be stored as text in Postgres; format characters would make equal names differ.
    return ch.isspace() or unicodedata.category(ch) not in {"Cc", "Cf", "Cs"}


def bounded(text: str, length: int) -> str:
    """Return the text, or its beginning and a fingerprint of all of it when it is longer than `length`."""
    if len(text) <= length:
        return text
    return f"{text[: length - 13]}…{sha256(text.encode()).hexdigest()[:12]}"


def bucket_seconds(grain: Grain, start_us: int, offset_s: int) -> int:
    """Return how long the bucket that starts here is, in seconds; months and years by the local calendar."""
    if grain not in (Grain.MONTH, Grain.YEAR):
        return GRAIN_SECONDS[grain]
    local = datetime.fromtimestamp(start_us // SECOND_US + offset_s, UTC)
    if grain is Grain.MONTH:
        return monthrange(local.year, local.month)[1] * DAY_S
    following = (
        local.replace(year=local.year + 1) if (local.month, local.day) != (2, 29) else local + timedelta(366)
    )
    return int((following - local).total_seconds())


def local_day(start_us: int, offset_s: int) -> int:
    """Return the calendar day where the person was, as days since 1970-01-01."""
    return (start_us + offset_s * SECOND_US) // DAY_US


def infer_grain(starts_us: Iterable[int], offsets_s: Iterable[int]) -> Grain:
    """Return the coarsest bucket width that every start is aligned to, in its own local time.

    Used only where no header names the width. Days are told from hours by all starts being local midnights.
    """
    local = {start + offset * SECOND_US for start, offset in zip(starts_us, offsets_s, strict=True)}
    for grain in (Grain.DAY, Grain.HOUR, Grain.MINUTE):
        width = GRAIN_SECONDS[grain] * SECOND_US
        if all(moment % width == 0 for moment in local):
            return grain
    return Grain.RAW


def is_finer_than(grain: Grain, starts_us: Sequence[int], offsets_s: Sequence[int]) -> bool:
    """Whether points lie closer together than buckets of this width can (a phone may ignore its setting)."""
    if GRAIN_SECONDS[grain] >= DAY_S:
        # Days and what is made of them are counted by the calendar: daylight saving and travel make them shorter.
        starts_us = [start + offset * SECOND_US for start, offset in zip(starts_us, offsets_s, strict=True)]
    gaps = list(map(sub, starts_us[1:], starts_us))
    if gaps and min(gaps) <= 0:
        ordered = sorted(set(starts_us))
        gaps = list(map(sub, ordered[1:], ordered))
    width = GRAIN_SECONDS[grain] * SECOND_US
    return min(gaps, default=width) < width
