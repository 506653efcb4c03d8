"""Names that all records of the typed "standard" JSON share, and its workouts, told as the phone's own JSON tells them.

    {"workout_type": "running", "started_at": "2026-08-07T08:00:00Z", "ended_at": …, "distance_meters": 5012.5}

Such a workout comes in `data.workouts`, or in `data.metrics` with the type "Workout"; one reader reads all workouts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appliance.domain.localday import instant
from appliance.intake.timestamps import BadTimestamp
from appliance.intake.workouts import read_workout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from appliance.domain.record import Record
    from appliance.intake.fields import RecordContext

STARTS = ("recorded_at", "sleep_start", "started_at", "start_time", "start", "timestamp", "date")
ENDS = ("sleep_end", "ended_at", "end_time", "end")
SOURCES = ("source_device", "source", "device")
# The other program's own bookkeeping: made anew with every send, so it must not make equal records differ.
BOOKKEEPING = ("type", "id", "user_id", "created_at", "updated_at")

_NAMES = {"workout_type": "name", "route_points": "route"}
_QUANTITIES = {
    "total_energy_kcal": ("totalEnergy", "kcal"),
    "active_energy_kcal": ("activeEnergyBurned", "kcal"),
    "distance_meters": ("distance", "m"),
    "avg_heart_rate": ("avgHeartRate", "count/min"),
    "max_heart_rate": ("maxHeartRate", "count/min"),
}
_POINT_NAMES = {"altitude_meters": "altitude", "recorded_at": "timestamp"}


def read_workout_of_either(item: dict[str, Any], position: int, context: RecordContext) -> Record:
    """Read a workout of the phone's JSON or of the standard one. Raises `Unreadable`."""
    is_standard = "workout_type" in item and "name" not in item
    return read_workout(_as_the_phone_tells_it(item, context) if is_standard else item, position, context)


def first_told(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of these names the record has something under, or the first of all."""
    return next((name for name in names if record.get(name) is not None), names[0])


def offset_of_the_person(start: int, offset: int, zone: ZoneInfo) -> int:
    """Return the offset (seconds) of where the person was at an instant (µs since 1970 UTC) told with `offset`.

    UTC is how other programs write every instant, and says nothing of that: there the person's zone holds.
    """
    if offset:
        return offset
    return int((instant(start, 0).astimezone(zone).utcoffset() or timedelta()).total_seconds())


def _as_the_phone_tells_it(item: Mapping[str, Any], context: RecordContext) -> dict[str, Any]:
    told: dict[str, Any] = {"source": item.get(first_told(item, SOURCES))}
    for name, field in (("start", first_told(item, STARTS)), ("end", first_told(item, ENDS))):
        told[name] = _local(item.get(field), context)
    for name, sent in item.items():
        if sent is None or name in (*STARTS, *ENDS, *SOURCES, *BOOKKEEPING):
            continue
        if name in _QUANTITIES:
            known, unit = _QUANTITIES[name]
            told[known] = {"qty": sent, "units": unit}
        else:
            told[_NAMES.get(name, name)] = sent
    if isinstance(route := told.get("route"), list):
        told["route"] = [_point(point) for point in route]
    return told


def _local(sent: Any, context: RecordContext) -> Any:
    """Return a date with the offset of where the person was, or as it is where it cannot be read."""
    try:
        start, offset = context.timestamps.read(sent)
    except BadTimestamp:
        return sent
    return instant(start, offset_of_the_person(start, offset, context.timestamps.zone)).isoformat()


def _point(sent: Any) -> Any:
    return (
        {_POINT_NAMES.get(name, name): told for name, told in sent.items()}
        if isinstance(sent, dict)
        else sent
    )
