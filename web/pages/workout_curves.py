"""Which curves of a workout are drawn, in which order, and how their numbers are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from appliance.domain.preferences import Units
from appliance.domain.record import Track
from web.frame import Visit
from web.paces import KM_PER_MILE
from web.units import Scale

Tracks = Mapping[str, Track]
ROUTE = "route"
SPEEDS = ("running_speed", "cycling_speed", "walking_speed", "rowing_speed", "paddle_sports_speed")
DISTANCES = ("walking_running_distance", "cycling_distance")
# Drawn at once, in this order, where they were told; what is not here stands below, folded.
FIRST = (
    ("cycling_cadence", "Cadence", "activity"),
    ("step_count", "Steps a minute", "activity"),
    ("running_power", "Power", "body"),
    ("cycling_power", "Power", "body"),
)


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve: a track of our API, or a channel of one."""

    name: str
    kind: str
    address: str
    channel: str
    scale: Scale


def curves_of(visit: Visit, workout_id: int, tracks: Tracks) -> tuple[list[Curve], list[Curve]]:
    """Return the curves drawn at once, and those that are folded away."""
    drawn: dict[str, Curve] = {}

    def add(track: str, name: str, kind: str, scale: Scale, channel: str = "value") -> None:
        address = f"/api/v1/workouts/{workout_id}/tracks/{quote(track, safe='')}"
        drawn[f"{track}.{channel}"] = Curve(name, kind, address, channel, scale)

    if "heart_rate" in tracks:
        add("heart_rate", "Heart rate", "heart", visit.scales.of("heart_rate", "count/min"))
    speed = next((name for name in (*SPEEDS, *DISTANCES) if name in tracks), None)
    route = tracks.get(ROUTE)
    if route is not None and "speed" in route.channels and speed not in SPEEDS:
        add(ROUTE, "Speed", "breath", _speed(visit, 3.6), "speed")
    elif speed is not None:
        # A distance curve tells the kilometres of each minute.
        add(speed, "Speed", "breath", _speed(visit, 1 if speed in SPEEDS else 60))
    for name, word, kind in FIRST:
        if name in tracks:
            add(name, word, kind, visit.scales.of(name, _unit(visit, tracks, name)))
    if route is not None and "altitude" in route.channels:
        add(ROUTE, "Height", "food", visit.scales.of_unit("m", 0), "altitude")
    first = list(drawn.values())
    for name in tracks:
        if name != ROUTE and f"{name}.value" not in drawn:
            known = visit.catalogue.metrics.get(name)
            word = known.display_name if known else name.replace("_", " ").capitalize()
            unit = _unit(visit, tracks, name)
            scale = visit.scales.of("heart_rate" if name.startswith("heart_rate") else name, unit)
            add(name, word, "heart" if name.startswith("heart_rate") else "other", scale)
    return first, list(drawn.values())[len(first) :]


def _speed(visit: Visit, km_h: float) -> Scale:
    if visit.preferences.units is Units.IMPERIAL:
        return Scale("mph", 1, km_h / KM_PER_MILE)
    return Scale("km/h", 1, km_h)


def _unit(visit: Visit, tracks: Tracks, name: str) -> str:
    known = visit.catalogue.metrics.get(name)
    return tracks[name].units.get("value", known.unit if known else "")
