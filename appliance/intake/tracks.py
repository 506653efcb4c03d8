"""Series of points along time, read column by column: a workout's curves, heart rates and route.

One bad point costs itself, one bad field costs that field. Nothing here raises; what a list did not give is
counted and returned beside the track.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from appliance.catalog.rows import SAME, Conversion
from appliance.domain.record import Track
from appliance.domain.sample import normalise_source, source_parts
from appliance.intake.fields import Unreadable, finite_number
from appliance.intake.timestamps import BadTimestamp, Timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Column = list[float | None]


class Channel(NamedTuple):
    """One column of a track: its name, the fields it may come in, and what is possible (inclusive).

    A negative number in a channel with `negative_is_none` says that there is no reading. `unit` is what a
    channel is in when its points name no unit.
    """

    name: str
    sent: tuple[str, ...]
    low: float = -math.inf
    high: float = math.inf
    negative_is_none: bool = False
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a list of points gave: the track (None without a readable point) and what was left out.

    `units` holds each unit as sent, `unknown_unit` tells that some points came in one we cannot convert,
    `sources` are single devices.
    """

    track: Track | None
    unreadable: int = 0
    units: frozenset[str] = frozenset()
    unknown_unit: bool = False
    sources: frozenset[str] = field(default_factory=frozenset)


def read_series(
    name: str,
    unit: str,
    channels: Sequence[Channel],
    sent: Sequence[Any],
    timestamps: Timestamps,
    conversion: Callable[[str], Conversion | None],
) -> Told:
    """Read points of one quantity, each with its own unit, as a track in `unit`, ordered by time."""
    points = [point for point in sent if isinstance(point, dict)]
    ways = [_text(point.get("units")) for point in points]
    units = frozenset(ways)
    found = {way: conversion(way) for way in units}
    columns = {
        channel.name: _numbers(_column(points, channel.sent), channel, [found[way] or SAME for way in ways])
        if len(units) > 1
        else _numbers(_column(points, channel.sent), channel, next(iter(found.values()), None) or SAME)
        for channel in channels
    }
    columns = {channel: column for channel, column in columns.items() if _tells_anything(column)}
    known = {way for way, how in found.items() if how is not None}
    has_value = [
        any(numbers) for numbers in zip(*([v is not None for v in c] for c in columns.values()), strict=True)
    ]
    fit = [way in known and told for way, told in zip(ways, has_value or [False] * len(points), strict=True)]
    track = _track(
        name, _instants(_column(points, ("date",)), timestamps), columns, fit, dict.fromkeys(columns, unit)
    )
    return Told(
        track,
        len(sent) - (len(track.at) if track else 0),
        units,
        known != units,
        frozenset(
            part
            for source in {point["source"] for point in points if isinstance(point.get("source"), str)}
            for part in source_parts(normalise_source(source))
        ),
    )


ROUTE = "route"

# Degrees, metres and metres per second; below zero, Core Location says “invalid”.
# Source: the app's JSON format, both versions (`lat` and `lon` are the older one's).
ROUTE_CHANNELS = (
    Channel("latitude", ("latitude", "lat"), -90, 90, unit="deg"),
    Channel("longitude", ("longitude", "lon"), -180, 180, unit="deg"),
    Channel("altitude", ("altitude",), unit="m"),
    Channel("course", ("course",), negative_is_none=True, unit="deg"),
    Channel("course_accuracy", ("courseAccuracy",), negative_is_none=True, unit="deg"),
    Channel("horizontal_accuracy", ("horizontalAccuracy",), negative_is_none=True, unit="m"),
    Channel("vertical_accuracy", ("verticalAccuracy",), negative_is_none=True, unit="m"),
    Channel("speed", ("speed",), negative_is_none=True, unit="m/s"),
    Channel("speed_accuracy", ("speedAccuracy",), negative_is_none=True, unit="m/s"),
)


def read_route(sent: Sequence[Any], timestamps: Timestamps) -> Told:
    """Read location points as a track, ordered by time; a point needs an instant and a place."""
    points = [point for point in sent if isinstance(point, dict)]
    columns = {
        channel.name: _numbers(_column(points, channel.sent), channel, SAME) for channel in ROUTE_CHANNELS
    }
    columns = {channel: column for channel, column in columns.items() if _tells_anything(column)}
    places = zip(columns.get("latitude", ()), columns.get("longitude", ()), strict=False)
    fit = [north is not None and east is not None for north, east in places] or [False] * len(points)
    units = {channel.name: channel.unit for channel in ROUTE_CHANNELS if channel.name in columns}
    track = _track(ROUTE, _instants(_column(points, ("timestamp",)), timestamps), columns, fit, units)
    return Told(track, len(sent) - (len(track.at) if track else 0))


def _text(sent: Any) -> str:
    return sent if isinstance(sent, str) else ""


def _column(points: Sequence[dict[str, Any]], spellings: Sequence[str]) -> list[Any]:
    first, *others = spellings
    try:
        column = list(map(itemgetter(first), points))
    except KeyError:
        column = [point.get(first) for point in points]
    for spelling in others:
        if None in column:
            column = [
                point.get(spelling) if value is None else value
                for point, value in zip(points, column, strict=True)
            ]
    return column


def _instants(column: Sequence[Any], timestamps: Timestamps) -> list[int | None]:
    if set(map(type, column)) <= {str}:
        try:
            return list(timestamps.read_all(column)[0])
        except BadTimestamp:
            pass
    return [_instant(told, timestamps) for told in column]


def _instant(told: Any, timestamps: Timestamps) -> int | None:
    try:
        return timestamps.read(told)[0]
    except BadTimestamp:
        return None


def _numbers(column: list[Any], channel: Channel, conversion: Conversion | list[Conversion]) -> Column:
    """Return a column in the channel's unit, None for what is missing, no number or impossible."""
    if isinstance(conversion, Conversion) and _is_plain(column):
        factor, shift = conversion.factor, conversion.offset
        converted = (
            list(map(float, column)) if conversion == SAME else [number * factor + shift for number in column]
        )
        low = max(channel.low, 0.0) if channel.negative_is_none else channel.low
        if low <= min(converted) and max(converted) <= channel.high:
            return list(converted)
    ways = conversion if isinstance(conversion, list) else [conversion] * len(column)
    return [_number(sent, channel, way) for sent, way in zip(column, ways, strict=True)]


def _tells_anything(column: Column) -> bool:
    return any(number is not None for number in column)


def _is_plain(column: Sequence[Any]) -> bool:
    if not column or not set(map(type, column)) <= {float, int}:
        return False
    try:
        return math.isfinite(math.fsum(column))
    except (OverflowError, ValueError):
        return False


def _number(sent: Any, channel: Channel, conversion: Conversion) -> float | None:
    try:
        number = finite_number(sent)
    except Unreadable:
        return None
    if number is None:
        return None
    number = conversion.apply(number)
    if number < 0 and channel.negative_is_none:
        return None
    return number if channel.low <= number <= channel.high else None


def _track(
    name: str,
    at: Sequence[int | None],
    columns: dict[str, Column],
    fit: Sequence[bool],
    units: dict[str, str],
) -> Track | None:
    """Return the fit points with an instant as a track, ordered by time; None without any."""
    if None in at or not all(fit):
        kept = [n for n, good in enumerate(fit) if good and at[n] is not None]
        at = [at[n] for n in kept]
        columns = {channel: [column[n] for n in kept] for channel, column in columns.items()}
    instants = [moment for moment in at if moment is not None]
    if not instants:
        return None
    if instants != sorted(instants):
        order = sorted(range(len(instants)), key=instants.__getitem__)
        instants = [instants[n] for n in order]
        columns = {channel: [column[n] for n in order] for channel, column in columns.items()}
    return Track(name, instants, columns, units)
