"""Workouts of an export, made into what the phone sends live and read by the same reader, with what only exports have.

Totals are in `WorkoutStatistics`, direct children only: an interval workout repeats them for its parts, in
`WorkoutActivity`. Exports before iOS 16 have them as attributes. Metadata carry their unit in the text (`418 cm`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from appliance.domain.localday import instant
from appliance.domain.record import Record
from appliance.domain.text import storable, storable_text
from appliance.intake.apple.lanes import QUANTITY
from appliance.intake.apple.metadata import metadata_of
from appliance.intake.apple.routes import Route, read_gpx, read_locations, track_of
from appliance.intake.fields import RecordContext, Unreadable, finite_number
from appliance.intake.timestamps import BadTimestamp
from appliance.intake.workouts import read_workout

if TYPE_CHECKING:
    from appliance.intake.apple.archive import Archive
    from appliance.intake.apple.elements import Node
    from appliance.intake.apple.times import Instants, Places

TYPE = "HKWorkoutActivityType"
EVENT = "HKWorkoutEventType"
INDOOR = "HKIndoorWorkout"

# Which total each statistic is, in the words of the live reader.
_SUMS = {
    "ActiveEnergyBurned": "activeEnergyBurned",
    "DistanceWalkingRunning": "distance",
    "DistanceCycling": "distance",
    "DistanceSwimming": "distance",
    "DistanceWheelchair": "distance",
    "DistanceDownhillSnowSports": "distance",
    "DistanceCrossCountrySkiing": "distance",
    "DistancePaddleSports": "distance",
    "DistanceRowing": "distance",
    "DistanceSkatingSports": "distance",
    "StepCount": "stepCount",
    "FlightsClimbed": "flightsClimbed",
    "SwimmingStrokeCount": "totalSwimmingStrokeCount",
}
_ATTRIBUTES = {
    "totalDistance": "distance",
    "totalEnergyBurned": "activeEnergyBurned",
    "totalFlightsClimbed": "flightsClimbed",
    "totalSwimmingStrokeCount": "totalSwimmingStrokeCount",
}
_METADATA = {
    "HKWeatherTemperature": "temperature",
    "HKWeatherHumidity": "humidity",
    "HKElevationAscended": "elevationUp",
    "HKElevationDescended": "elevationDown",
    "HKAverageMETs": "intensity",
    "HKAverageSpeed": "avgSpeed",
    "HKMaximumSpeed": "maxSpeed",
    "HKLapLength": "lapLength",
}
_HUMIDITY_SCALE = 100  # 9400 % is 94 %
_HEART_RATES = {"average": "avgHeartRate", "minimum": "minHeartRate", "maximum": "maxHeartRate"}
_WITH_UNIT = re.compile(r"\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*(.*)", re.DOTALL)
_KINDS_OF_VALUES = ("sum", "average", "minimum", "maximum")


class WorkoutReader:
    """Reads workouts, with their routes out of the archive."""

    def __init__(self, archive: Archive, instants: Instants, places: Places, context: RecordContext) -> None:
        self._archive = archive
        self._instants = instants
        self._places = places
        self._context = context
        self._last_route: tuple[str, Route] | None = None

    def read(self, node: Node, position: int) -> Record:
        """Read one workout. Raises `Unreadable`."""
        metadata, zone = metadata_of(node.named("MetadataEntry"))
        sent = self._item(node, metadata)
        record = read_workout(sent, position, self._context)
        offset = self._places.offset(record.start, zone)
        content: dict[str, Any] = dict(record.content)
        more = {
            "statistics": self._statistics(node),
            "events": [self._event(each, offset) for each in node.named("WorkoutEvent")],
            "parts": [self._part(each, offset) for each in node.named("WorkoutActivity")],
            "metadata": storable({name: told for name, told in metadata.items() if name not in _METADATA}),
        }
        content |= {name: told for name, told in more.items() if told}
        routes = [self._route(each) for each in node.named("WorkoutRoute")]
        flags = {*record.flags, *map(_flaw_of, routes)} - {"version_1", ""}
        track = track_of([route for route in routes if route is not None])
        tracks = tuple(sorted((*record.tracks, *([track] if track else [])), key=lambda one: one.name))
        return replace(record, offset=offset, content=content, flags=tuple(sorted(flags)), tracks=tracks)

    def _item(self, node: Node, metadata: dict[str, str]) -> dict[str, Any]:
        told = node.attributes
        kind = told.get("workoutActivityType", "")
        known = self._context.catalogue.workout_type(kind)
        item: dict[str, Any] = {
            "name": known.display_name if known else storable_text(kind.removeprefix(TYPE)),
            "start": told.get("startDate"),
            "end": told.get("endDate"),
            "source": told.get("sourceName"),
        }
        if told.get("duration"):
            item["duration"] = {"qty": told["duration"], "units": told.get("durationUnit", "min")}
        return item | self._totals(node) | _readings(metadata)

    def _totals(self, node: Node) -> dict[str, Any]:
        """Return the totals as the live reader takes them, those of the statistics before those of the attributes."""
        told = node.attributes
        found: dict[str, Any] = {
            field: {"qty": told[name], "units": told.get(f"{name}Unit", "count")}
            for name, field in _ATTRIBUTES.items()
            if told.get(name)
        }
        for each in node.named("WorkoutStatistics"):
            name = each.attributes.get("type", "").removeprefix(QUANTITY)
            unit = each.attributes.get("unit", "")
            if name in _SUMS and each.attributes.get("sum"):
                found[_SUMS[name]] = {"qty": each.attributes["sum"], "units": unit}
            elif name == "HeartRate":
                for value, field in _HEART_RATES.items():
                    if each.attributes.get(value):
                        found[field] = {"qty": each.attributes[value], "units": unit}
        return found

    def _statistics(self, node: Node) -> dict[str, dict[str, Any]]:
        """Return sums, averages and bounds by metric, in the catalogue's units."""
        found = {}
        for each in node.named("WorkoutStatistics"):
            name, unit = each.attributes.get("type", ""), each.attributes.get("unit", "")
            metric = self._context.catalogue.metric(name)
            conversion = (
                metric.conversion("fraction" if unit == "%" and metric.xml_scale else unit)
                if metric
                else None
            )
            told: dict[str, Any] = {"unit": metric.unit if metric and conversion else unit}
            for value in _KINDS_OF_VALUES:
                try:
                    number = finite_number(each.attributes.get(value))
                except Unreadable:
                    continue
                if number is not None:
                    told[value] = conversion.apply(number) if conversion else number
            found[metric.key if metric else storable_text(name.removeprefix(QUANTITY))] = told
        return found

    def _event(self, node: Node, offset: int) -> dict[str, Any]:
        told = node.attributes
        metadata, _ = metadata_of(node.named("MetadataEntry"))
        event: dict[str, Any] = {
            "type": told.get("type", "").removeprefix(EVENT),
            "at": self._told(told.get("date"), offset),
            "duration_s": self._seconds(told),
            "metadata": metadata,
        }
        return {name: storable(value) for name, value in event.items() if value not in (None, {}, "")}

    def _part(self, node: Node, offset: int) -> dict[str, Any]:
        metadata, _ = metadata_of(node.named("MetadataEntry"))
        part: dict[str, Any] = {
            "start": self._told(node.attributes.get("startDate"), offset),
            "end": self._told(node.attributes.get("endDate"), offset),
            "duration_s": self._seconds(node.attributes),
            "statistics": self._statistics(node),
            "metadata": metadata,
        }
        return {name: storable(value) for name, value in part.items() if value not in (None, {}, "")}

    def _told(self, text: str | None, offset: int) -> str | None:
        try:
            return instant(self._instants.read((text or "").encode()), offset).isoformat()
        except BadTimestamp:
            return None

    def _seconds(self, told: dict[str, str]) -> float | None:
        conversion = self._context.catalogue.conversion(told.get("durationUnit", "min"), "s")
        try:
            number = finite_number(told.get("duration"))
        except Unreadable:
            return None
        return None if number is None or conversion is None else conversion.apply(number)

    def _route(self, node: Node) -> Route | None:
        """Return the points of one route within its window, None when the archive lacks its file or there is no point in it."""
        inside = node.named("Location")
        if inside:
            return read_locations((each.attributes for each in inside), self._instants)
        paths = [each.attributes.get("path", "") for each in node.named("FileReference")]
        route = self._file(paths[0]) if paths else None
        if route is None:
            return None
        try:
            begin, end = (
                self._instants.read(node.attributes.get(name, "").encode())
                for name in ("startDate", "endDate")
            )
        except BadTimestamp:
            return route
        return route.within(begin, end)

    def _file(self, path: str) -> Route | None:
        if (
            self._last_route is None or self._last_route[0] != path
        ):  # several windows of a file follow each other
            member = self._archive.referred(path)
            content = self._archive.read(member) if member else None
            if content is None:
                return None
            self._last_route = path, read_gpx(content, self._instants)
        route = self._last_route[1]
        return route if route.at else None


def _flaw_of(route: Route | None) -> str:
    """Return the flag of a route that is not there, or of which some points could not be read; empty for none."""
    if route is None:
        return "route_missing"
    return "route_incomplete" if route.unreadable else ""


def _readings(metadata: dict[str, str]) -> dict[str, Any]:
    """Return what metadata tell in numbers with their unit, as the live reader takes it; `isIndoor` is taken out."""
    found: dict[str, Any] = {}
    for name, field in _METADATA.items():
        if (told := _WITH_UNIT.fullmatch(metadata.get(name, ""))) is not None:
            number = float(told[1])
            found[field] = {
                "qty": number / _HUMIDITY_SCALE if field == "humidity" else number,
                "units": told[2],
            }
    if metadata.get(INDOOR) in ("0", "1"):
        found["isIndoor"] = metadata.pop(INDOOR) == "1"
    return found
