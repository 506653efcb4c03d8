"""The heart rate around an event as a small picture: places in per cent, so that it fits every screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from appliance.domain.localday import instant, microseconds
from appliance.foundation.errors import NotFound
from appliance.services import Services

MOST_READINGS = 2_000
# Readings further apart are not joined by a line: what was between was not measured.
LONGEST_JOIN_S = 10 * 60


@dataclass(frozen=True, slots=True)
class Reading:
    """One heart rate in beats a minute; `is_own` came with the notification itself."""

    at: datetime
    rate: float
    is_own: bool


@dataclass(frozen=True, slots=True)
class Spot:
    """A reading on the picture."""

    x: float
    y: float
    is_own: bool


@dataclass(frozen=True, slots=True)
class Join:
    """A line between two readings."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Label:
    """A word beside the picture, at a place in per cent."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The picture and what it shows in words and as a table."""

    spots: list[Spot]
    joins: list[Join]
    event_x: float
    event_width: float
    threshold_y: float | None
    rates: list[Label]
    times: list[Label]
    summary: str
    readings: list[Reading]


def readings_of(
    services: Services, person_id: int, first: datetime, last: datetime, track: Any
) -> list[Reading]:
    """Return the heart rates held from the first to the last instant, and those of the notification's own track."""
    try:
        rows = services.lookup.samples(
            person_id, "heart_rate", start=first, end=last, after=None, limit=MOST_READINGS
        ).rows
    except NotFound:
        rows = []
    found = [Reading(row.start_at, row.value, is_own=False) for row in rows if row.value is not None]
    if track is not None and track.at:
        found += [
            Reading(instant(at, 0), rate, is_own=True)
            for at, rate in zip(track.at, track.channels["heart_rate"], strict=True)
            if rate is not None and first <= instant(at, 0) <= last
        ]
    return sorted(found, key=lambda reading: reading.at)


def curve_of(
    readings: Sequence[Reading],
    first: datetime,
    last: datetime,
    offset_s: int,
    *,
    threshold: float | None,
    event: tuple[datetime, datetime],
) -> Curve | None:
    """Draw readings from the first to the last instant; None without any."""
    if not readings:
        return None
    length = (last - first).total_seconds() or 1.0
    rates = [reading.rate for reading in readings]
    lowest = min([*rates, *([] if threshold is None else [threshold])])
    highest = max([*rates, *([] if threshold is None else [threshold])])
    step = 10 if highest - lowest <= 60 else 20 if highest - lowest <= 120 else 50
    bottom, top = (lowest // step) * step, (highest // step + 1) * step

    def across(at: datetime) -> float:
        return round(100 * (at - first).total_seconds() / length, 3)

    def down(rate: float) -> float:
        return round(100 * (top - rate) / (top - bottom), 3)

    spots = [Spot(across(each.at), down(each.rate), each.is_own) for each in readings]
    joins = [
        Join(before.x, before.y, after.x, after.y)
        for before, after, one, other in zip(spots, spots[1:], readings, readings[1:], strict=False)
        if (other.at - one.at).total_seconds() <= LONGEST_JOIN_S
    ]
    lines = int((top - bottom) // step)
    begin, end = (across(at) for at in event)
    return Curve(
        spots,
        joins,
        begin,
        max(round(end - begin, 3), 0.4),
        None if threshold is None else down(threshold),
        [Label(down(bottom + n * step), f"{bottom + n * step:g}") for n in range(1, lines)],
        [
            Label(share, f"{_local(first + timedelta(seconds=length * share / 100), offset_s):%H:%M}")
            for share in (0, 25, 50, 75)
        ],
        f"{len(readings)} readings from {_local(first, offset_s):%H:%M} to {_local(last, offset_s):%H:%M},"
        f" between {min(rates):.0f} and {max(rates):.0f} bpm.",
        [Reading(_local(each.at, offset_s), each.rate, each.is_own) for each in readings],
    )


def _local(at: datetime, offset_s: int) -> datetime:
    return instant(microseconds(at), offset_s)
