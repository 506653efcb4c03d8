"""Workouts: the list, one with its curves and earlier versions, and its route as GeoJSON or GPX."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from pydantic import BaseModel, Field

from appliance.api.metrics import WINDOW
from appliance.api.routes import Answer, Call, Query, Route
from appliance.api.times import (
    as_end,
    as_start,
    day_or_instant,
    place_in_time,
    read_cursor,
    told_at,
    write_cursor,
)
from appliance.api.uploads import PageQuery
from appliance.domain.key import Scope
from appliance.domain.localday import instant, microseconds

if TYPE_CHECKING:
    from sqlalchemy import Row

    from appliance.services.workouts import Route as TheWay
    from appliance.storage.records import StoredTrack

GPX_CREATOR = "Hearthbeat"
GPX = "http://www.topografix.com/GPX/1/1"
TRACK_POINT_EXTENSION = "http://www.garmin.com/xmlschemas/TrackPointExtension/v1"

# What XML 1.0 cannot hold even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SUMMARY = ("duration_s", "distance_km", "active_energy_kcal", "avg_heart_rate", "max_heart_rate")


class RouteFormat(StrEnum):
    """How a route is written down."""

    GEOJSON = "geojson"
    GPX = "gpx"


class WorkoutsQuery(PageQuery):
    """A window, a filter and a place in it."""

    start: str | None = Field(None, description=WINDOW)
    end: str | None = Field(None, description=f"{WINDOW} A day is included, an instant is not.")
    type: str | None = Field(
        None, max_length=100, description="A type of workout in any of its names; unknown for all others."
    )


class RouteQuery(Query):
    """How the route is to be written down."""

    format: RouteFormat = RouteFormat.GEOJSON


class WorkoutSummary(BaseModel):
    """One workout in a list."""

    id: int
    type: str = Field(description="The catalogue's key; unknown when the catalogue lacks the name.")
    type_name: str | None
    name: str | None = Field(description="As the phone spells it, in the phone's language.")
    start: str
    end: str | None
    source: str
    duration_s: float | None = Field(description="Active time without pauses, as the phone tells it.")
    distance_km: float | None
    active_energy_kcal: float | None
    avg_heart_rate: float | None = Field(description="Beats a minute.")
    max_heart_rate: float | None = Field(description="Beats a minute.")
    flags: list[str] = Field(description="What is odd about it.")
    tracks: list[str]
    upload_id: int


class WorkoutsAnswer(BaseModel):
    """A page of workouts, newest first."""

    items: list[WorkoutSummary]
    next: str | None = Field(description="Give it as cursor for the following page.")


class TrackOutlineAnswer(BaseModel):
    """A curve or route without its points."""

    name: str
    count: int
    channels: list[str]
    units: dict[str, str]


class WorkoutRevision(BaseModel):
    """A version that was replaced."""

    upload_id: int = Field(description="The upload it came with; its body has the tracks too.")
    replaced_by: int = Field(description="The upload that replaced it.")
    replaced_at: str
    content: dict[str, object]


class WorkoutContent(BaseModel):
    """What a workout tells, in one unit each; absent where the phone told nothing. Sent fields we do not know are in `more`."""

    name: str | None = None
    location: str | None = Field(None, description="As sent, in the phone's language.")
    is_indoor: bool | None = None
    duration_s: float | None = None
    distance_km: float | None = None
    lap_length_m: float | None = None
    active_energy_kcal: float | None = None
    total_energy_kcal: float | None = None
    avg_heart_rate: float | None = Field(None, description="count/min")
    max_heart_rate: float | None = Field(None, description="count/min")
    min_heart_rate: float | None = Field(None, description="count/min")
    avg_speed_km_hr: float | None = None
    max_speed_km_hr: float | None = None
    elevation_up_m: float | None = None
    elevation_down_m: float | None = None
    temperature_degC: float | None = None  # noqa: N815  the unit as the catalogue spells it
    humidity_percent: float | None = None
    intensity: float | None = Field(None, description="kcal/hr·kg, which is MET")
    step_cadence: float | None = Field(None, description="count/min")
    swim_cadence: float | None = Field(None, description="count/min")
    step_count: float | None = None
    flights_climbed: float | None = None
    swim_strokes: float | None = None
    swolf: float | None = None
    stroke_style: str | None = None
    salinity: str | None = None
    points_unreadable: dict[str, int] | None = Field(None, description="Points left out, by track.")
    more: dict[str, object] | None = Field(
        None, description="Other fields, and those that could not be read, as sent."
    )


class WorkoutAnswer(WorkoutSummary):
    """One workout."""

    identity: str = Field(
        description="HealthKit's identifier, or name, start and end where the phone sends none."
    )
    utc_offset: int = Field(description="Seconds east of UTC where the person was.")
    content: WorkoutContent
    outlines: list[TrackOutlineAnswer]
    revisions: list[WorkoutRevision] = Field(description="Earlier versions, newest first.")


class TrackAnswer(BaseModel):
    """A curve or route: columns of equal length."""

    name: str
    units: dict[str, str]
    at: list[str]
    channels: dict[str, list[float | None]]


def show_workouts(call: Call) -> Answer:
    """List workouts, newest first."""
    zone = call.services.people.find(call.person_id).zone
    page = call.services.workouts.listed(
        call.person_id,
        start=as_start(day_or_instant(call.query.start, "start"), zone),
        end=as_end(day_or_instant(call.query.end, "end"), zone),
        label=call.query.type or None,
        before=place_in_time(read_cursor(call.query.cursor)),
        limit=call.query.limit,
    )
    following = None
    if page.following is not None:
        following = write_cursor([microseconds(page.following[0]), page.following[1]])
    items = [workout_summary(call, row, page.tracks.get(row.record_id, [])) for row in page.rows]
    return Answer({"items": items, "next": following})


def show_workout(call: Call) -> Answer:
    """Show one workout, its tracks without their points."""
    found = call.services.workouts.find(call.person_id, call.path["workout_id"])
    told = workout_summary(call, found.row, [track.name for track in found.tracks])
    told |= {
        "identity": found.row.identity,
        "utc_offset": found.row.utc_offset,
        "content": found.row.content,
        "outlines": [
            {"name": track.name, "count": track.points, "channels": track.channels, "units": track.units}
            for track in found.tracks
        ],
        "revisions": [
            {
                "upload_id": old.upload_id,
                "replaced_by": old.replaced_by,
                "replaced_at": old.replaced_at.isoformat(),
                "content": old.content,
            }
            for old in found.revisions
        ],
    }
    return Answer(told)


def show_track(call: Call) -> Answer:
    """Give one curve with all its points."""
    row, track = call.services.workouts.track(call.person_id, call.path["workout_id"], call.path["name"])
    return Answer(
        {
            "name": track.name,
            "units": track.units,
            "at": _times(track, row.utc_offset),
            "channels": track.channels,
        }
    )


def show_route(call: Call) -> Answer:
    """Give the route as GeoJSON (RFC 7946) or GPX 1.1."""
    route = call.services.workouts.route(call.person_id, call.path["workout_id"])
    title = _title(call, route.row)
    if call.query.format is RouteFormat.GPX:
        name = f"workout-{route.row.record_id}.gpx"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Answer(_gpx(route, title), 200, headers, "application/gpx+xml")
    return Answer(_geojson(route, title), content_type="application/geo+json")


def _title(call: Call, row: Row[Any]) -> str:
    return row.content.get("name") or call.services.workouts.display_name(row.label) or row.label


def workout_summary(call: Call, row: Row[Any], tracks: list[str]) -> dict[str, Any]:
    """Return one line of a list of workouts."""
    return {
        "id": row.record_id,
        "type": row.label,
        "type_name": call.services.workouts.display_name(row.label),
        "name": row.content.get("name"),
        "start": told_at(row.start_at, row.utc_offset),
        "end": None if row.end_at is None else told_at(row.end_at, row.utc_offset),
        "source": row.source,
        **{name: row.content.get(name) for name in _SUMMARY},
        "flags": row.flags,
        "tracks": tracks,
        "upload_id": row.upload_id,
    }


def _times(track: StoredTrack, offset_s: int) -> list[str]:
    return [instant(at, offset_s).isoformat() for at in track.at]


def _places(route: TheWay) -> list[tuple[float | None, float | None, float | None]]:
    """Return longitude, latitude (degrees) and altitude (m) of each point."""
    channels = route.track.channels
    altitude = channels.get("altitude") or [None] * len(route.track.at)
    return list(zip(channels["longitude"], channels["latitude"], altitude, strict=True))


def _geojson(route: TheWay, title: str) -> dict[str, Any]:
    places = [[number for number in place if number is not None] for place in _places(route)]
    along: dict[str, Any] = {"times": _times(route.track, route.row.utc_offset)}
    along |= {
        name: route.track.channels[name]
        for name in route.track.channels
        if name not in {"latitude", "longitude", "altitude"}
    }
    if any(rate is not None for rate in route.heart_rate):
        along["heart_rate"] = route.heart_rate
    line = {"type": "LineString", "coordinates": places}
    return {
        "type": "Feature",
        # RFC 7946: a line has two positions or more.
        "geometry": line if len(places) > 1 else {"type": "Point", "coordinates": places[0]},
        "properties": {
            "id": route.row.record_id,
            "type": route.row.label,
            "name": title,
            "start": told_at(route.row.start_at, route.row.utc_offset),
            "end": None if route.row.end_at is None else told_at(route.row.end_at, route.row.utc_offset),
            "units": route.track.units,
            "coordinateProperties": along,
        },
    }


def _gpx(route: TheWay, title: str) -> bytes:
    """Return the route as GPX 1.1; instants in UTC, heart rate in Garmin's TrackPointExtension."""
    ET.register_namespace("", GPX)
    ET.register_namespace("gpxtpx", TRACK_POINT_EXTENSION)
    root = ET.Element(f"{{{GPX}}}gpx", {"version": "1.1", "creator": GPX_CREATOR})
    told = ET.SubElement(root, f"{{{GPX}}}metadata")
    ET.SubElement(told, f"{{{GPX}}}name").text = _xml_text(title)
    ET.SubElement(told, f"{{{GPX}}}time").text = _zulu(microseconds(route.row.start_at))
    track = ET.SubElement(root, f"{{{GPX}}}trk")
    ET.SubElement(track, f"{{{GPX}}}name").text = _xml_text(title)
    ET.SubElement(track, f"{{{GPX}}}type").text = _xml_text(route.row.label)
    segment = ET.SubElement(track, f"{{{GPX}}}trkseg")
    for at, (east, north, height), rate in zip(route.track.at, _places(route), route.heart_rate, strict=True):
        point = ET.SubElement(segment, f"{{{GPX}}}trkpt", {"lat": _degrees(north), "lon": _degrees(east)})
        if height is not None:
            ET.SubElement(point, f"{{{GPX}}}ele").text = repr(height)
        ET.SubElement(point, f"{{{GPX}}}time").text = _zulu(at)
        if rate is not None and 1 <= round(rate) <= 255:
            extensions = ET.SubElement(point, f"{{{GPX}}}extensions")
            extension = ET.SubElement(extensions, f"{{{TRACK_POINT_EXTENSION}}}TrackPointExtension")
            ET.SubElement(extension, f"{{{TRACK_POINT_EXTENSION}}}hr").text = str(round(rate))
    told_as_text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{told_as_text}'.encode()


def _degrees(number: float | None) -> str:
    """Return a coordinate as XML's decimal type wants it: exact, without an exponent."""
    assert number is not None  # noqa: S101  a point without a place is no point
    told = repr(number)
    return told if "e" not in told else f"{number:.20f}".rstrip("0").rstrip(".")


def _zulu(at_us: int) -> str:
    return instant(at_us, 0).isoformat().replace("+00:00", "Z")


def _xml_text(text: str) -> str:
    return _NOT_XML.sub("�", text)


ROUTES = (
    Route(
        "GET", "/api/v1/workouts", show_workouts, "List workouts", Scope.READ, WorkoutsAnswer, WorkoutsQuery
    ),
    Route(
        "GET",
        "/api/v1/workouts/<int:workout_id>",
        show_workout,
        "Show a workout",
        Scope.READ,
        WorkoutAnswer,
        Query,
    ),
    Route(
        "GET",
        "/api/v1/workouts/<int:workout_id>/tracks/<name>",
        show_track,
        "Give one curve of a workout",
        Scope.READ,
        TrackAnswer,
        Query,
    ),
    Route(
        "GET",
        "/api/v1/workouts/<int:workout_id>/route",
        show_route,
        "Give the route of a workout as GeoJSON or GPX",
        Scope.READ,
        query=RouteQuery,
        media_types=("application/geo+json",),
    ),
)
