"""Routes: the GPX files of an export, and the points that exports before iOS 13 have inside the workout.

A file is read by patterns over its bytes and never as XML, so nothing it declares is expanded; a point that lacks
a place or a time costs itself. The same route may be referred to by several workouts, each for its own window.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from appliance.domain.record import Track
from appliance.intake.apple.times import Instants
from appliance.intake.timestamps import BadTimestamp
from appliance.intake.tracks import ROUTE, ROUTE_CHANNELS

_NUMBER = rb"([-+]?\d{1,9}(?:\.\d{0,20})?)"
# A point as the phone writes it; anything else is looked at field by field.
_USUAL = re.compile(
    rb'<trkpt lon="'
    + _NUMBER
    + rb'" lat="'
    + _NUMBER
    + rb'"><ele>'
    + _NUMBER
    + rb"</ele><time>([^<]{20})</time>"
    rb"<extensions><speed>"
    + _NUMBER
    + rb"</speed><course>"
    + _NUMBER
    + rb"</course><hAcc>"
    + _NUMBER
    + rb"</hAcc>"
    rb"<vAcc>" + _NUMBER + rb"</vAcc></extensions></trkpt>"
)
_USUAL_ORDER = (
    "longitude",
    "latitude",
    "altitude",
    "time",
    "speed",
    "course",
    "horizontal_accuracy",
    "vertical_accuracy",
)
_POINT = re.compile(rb"<trkpt\b([^<>]*)>((?:(?!</?trkpt\b).)*)</trkpt>", re.DOTALL)
_FIELDS = {
    "longitude": re.compile(rb"\blon\s*=\s*[\"']([^\"']*)[\"']"),
    "latitude": re.compile(rb"\blat\s*=\s*[\"']([^\"']*)[\"']"),
    "altitude": re.compile(rb"<ele>([^<]*)</ele>"),
    "time": re.compile(rb"<time>([^<]*)</time>"),
    "speed": re.compile(rb"<(?:\w+:)?speed>([^<]*)<"),
    "course": re.compile(rb"<(?:\w+:)?course>([^<]*)<"),
    "horizontal_accuracy": re.compile(rb"<(?:\w+:)?hAcc>([^<]*)<"),
    "vertical_accuracy": re.compile(rb"<(?:\w+:)?vAcc>([^<]*)<"),
}
_CHANNELS = {channel.name: channel for channel in ROUTE_CHANNELS}

Columns = dict[str, list[float | None]]


class Route(NamedTuple):
    """A route as told: instants in µs since 1970 UTC in order, columns as `tracks.ROUTE_CHANNELS` names them."""

    at: list[int]
    columns: Columns
    unreadable: int = 0

    def within(self, begin: int, end: int) -> Route:
        """Return the points from one instant to another, both included."""
        if not self.at or (begin <= self.at[0] and self.at[-1] <= end):
            return self
        chosen = [n for n, at in enumerate(self.at) if begin <= at <= end]
        columns = {name: [column[n] for n in chosen] for name, column in self.columns.items()}
        return Route([self.at[n] for n in chosen], columns, self.unreadable)


def read_gpx(content: bytes, instants: Instants) -> Route:
    """Read a route file. Never raises; what is no point is counted."""
    told = content.count(b"<trkpt")
    usual = _USUAL.findall(content)
    if len(usual) == told and usual:
        columns = dict(zip(_USUAL_ORDER, zip(*usual, strict=True), strict=True))
        try:
            at = instants.column([text[:10] + b" " + text[11:19] + b" +0000" for text in columns.pop("time")])
        except BadTimestamp:
            pass
        else:
            if all(text[10:11] == b"T" and text[19:] == b"Z" for text in (usual[0][3], usual[-1][3])):
                return _route(at, {name: list(map(float, column)) for name, column in columns.items()}, told)
    return _read_oddly(content, told, instants)


def _read_oddly(content: bytes, told: int, instants: Instants) -> Route:
    at: list[int] = []
    columns: Columns = {name: [] for name in _FIELDS if name != "time"}
    for attributes, inside in _POINT.findall(content):
        sent = {
            name: found[1]
            if (found := pattern.search(attributes if name in ("longitude", "latitude") else inside))
            else None
            for name, pattern in _FIELDS.items()
        }
        try:
            when = instants.read(sent.pop("time") or b"")
        except BadTimestamp:
            continue
        at.append(when)
        for name, text in sent.items():
            columns[name].append(_number(text))
    return _route(at, columns, told)


def read_locations(points: Iterable[dict[str, str]], instants: Instants) -> Route:
    """Read the `Location` elements of an old export."""
    at: list[int] = []
    columns: Columns = {name: [] for name in _FIELDS if name != "time"}
    spelt = {"horizontal_accuracy": "horizontalAccuracy", "vertical_accuracy": "verticalAccuracy"}
    told = 0
    for point in points:
        told += 1
        try:
            at.append(instants.read(point.get("date", "").encode()))
        except BadTimestamp:
            continue
        for name, column in columns.items():
            column.append(_number(point.get(spelt.get(name, name), "").encode()))
    return _route(at, columns, told)


def _number(text: bytes | None) -> float | None:
    try:
        number = float(text) if text and b"_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _route(at: list[int], columns: Columns, told: int) -> Route:
    """Return the points that have a place, with what is impossible left out."""
    for name, column in columns.items():
        channel = _CHANNELS[name]
        low = max(channel.low, 0.0) if channel.negative_is_none else channel.low
        known = [number for number in column if number is not None]
        if len(known) < len(column) or (known and (min(known) < low or max(known) > channel.high)):
            columns[name] = [v if v is not None and low <= v <= channel.high else None for v in column]
    places = zip(columns["latitude"], columns["longitude"], strict=True)
    good = [n for n, (north, east) in enumerate(places) if north is not None and east is not None]
    if len(good) < len(at) or at != sorted(at):
        good.sort(key=at.__getitem__)
        at = [at[n] for n in good]
        columns = {name: [column[n] for n in good] for name, column in columns.items()}
    return Route(at, columns, told - len(at))


def track_of(routes: Sequence[Route]) -> Track | None:
    """Return the windows of a workout as one track, ordered by time, each instant once; None without a point."""
    told: dict[int, tuple[int, int]] = {}
    for which, route in enumerate(routes):
        for n, at in enumerate(route.at):
            told.setdefault(at, (which, n))
    if not told:
        return None
    only = routes[0] if len(routes) == 1 and len(told) == len(routes[0].at) else None
    order = sorted(told)
    columns = {
        name: only.columns[name]
        if only
        else [routes[which].columns[name][n] for which, n in map(told.get, order)]  # type: ignore[misc]
        for name in _CHANNELS
        if name in routes[0].columns
    }
    columns = {name: column for name, column in columns.items() if any(v is not None for v in column)}
    return Track(ROUTE, order, columns, {name: _CHANNELS[name].unit for name in columns})
