"""The typed "standard" JSON: `data.metrics` whose elements are records with a type tag and one field per value.

    {"type": "HeartRate", "recorded_at": "2026-08-07T08:00:00Z", "heart_rate": 61, "source_device": "Ring"}

Instants are ISO 8601, nearly always in UTC. Which field is which metric, and in which unit, is data: see
`standard_fields.csv` of the catalogue. Every record is one item and a raw reading.

Source of the shape: the published data model of self-sensored, an older receiver that other apps still post to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from appliance.catalog.load import Catalogue
from appliance.catalog.names import fold_name
from appliance.catalog.rows import StandardField
from appliance.domain.localday import instant
from appliance.domain.quarantine import Reason
from appliance.domain.sample import DAY_S, SECOND_US, Batch, Grain, SeriesKey, local_day
from appliance.domain.text import storable, storable_text
from appliance.intake.fields import (
    RecordContext,
    Target,
    Unreadable,
    canonical_number,
    moment,
    moment_or_none,
    source_field,
)
from appliance.intake.reading import SAMPLES, Reading
from appliance.intake.timestamps import BadTimestamp, Timestamps

TYPE_LENGTH = 80
LONGEST_READING_US = 366 * DAY_S * SECOND_US  # an end further from the start is a slip, and not a duration

_STARTS = ("recorded_at", "sleep_start", "started_at", "start_time", "start", "timestamp", "date")
_ENDS = ("sleep_end", "ended_at", "end_time", "end")
_SOURCES = ("source_device", "source", "device")
# The other program's own bookkeeping: made anew with every send, so it must not make equal records differ.
_BOOKKEEPING = ("type", "id", "user_id", "created_at", "updated_at")
_NO_VALUES = frozenset({*_STARTS, *_ENDS, *_SOURCES, *_BOOKKEEPING})

# A workout's fields, by the names the phone's own JSON has for them; the others keep theirs.
_WORKOUT_NAMES = {"workout_type": "name", "started_at": "start", "ended_at": "end", "start_time": "start", "end_time": "end"}
_WORKOUT_QUANTITIES = {
    "total_energy_kcal": ("totalEnergy", "kcal"),
    "active_energy_kcal": ("activeEnergyBurned", "kcal"),
    "distance_meters": ("distance", "m"),
    "avg_heart_rate": ("avgHeartRate", "count/min"),
    "max_heart_rate": ("maxHeartRate", "count/min"),
}
_ROUTE_NAMES = {"altitude_meters": "altitude", "recorded_at": "timestamp"}

Fields = Mapping[str, tuple[StandardField, Target | None]]


def is_typed(entry: Mapping[str, Any]) -> bool:
    """Whether an element of `data.metrics` is a typed record, and not a metric with its points."""
    return isinstance(entry.get("type"), str) and entry.keys().isdisjoint({"name", "data"})


def is_standard_workout(item: Mapping[str, Any]) -> bool:
    """Whether a workout is one of this format, and not one of the phone's."""
    return "workout_type" in item and item.keys().isdisjoint({"name", "start"})


def as_sent_by_the_phone(item: Mapping[str, Any], context: RecordContext) -> dict[str, Any]:
    """Return a workout of this format as the phone's JSON has it, for the one reader of workouts."""
    told: dict[str, Any] = {}
    for name, sent in item.items():
        if sent is None or name in _BOOKKEEPING or name in _SOURCES:
            continue
        if name in _WORKOUT_QUANTITIES:
            known, unit = _WORKOUT_QUANTITIES[name]
            told[known] = {"qty": sent, "units": unit}
        else:
            told[_WORKOUT_NAMES.get(name, name)] = sent
    source = item.get(_first(item, _SOURCES))
    if source is not None:
        told["source"] = source
    if isinstance(route := told.pop("route_points", None), list):
        told["route"] = [
            {_ROUTE_NAMES.get(name, name): sent for name, sent in point.items()} if isinstance(point, dict) else point
            for point in route
        ]
    for name in ("start", "end"):
        try:
            start, offset = context.timestamps.read(told.get(name))
        except BadTimestamp:
            continue
        told[name] = instant(start, _offset(start, offset, context.zone)).isoformat()
    return told


class StandardReader:
    """Reads typed records into a `Reading`, one at a time."""

    def __init__(self, reading: Reading, catalogue: Catalogue, zone: ZoneInfo) -> None:
        self._reading = reading
        self._catalogue = catalogue
        self._zone = zone
        self._timestamps = Timestamps(zone)
        self._types: dict[str, Fields] | None = None

    def read(self, record: Mapping[str, Any], path: str) -> None:
        """Read one record into samples; one without any value we have a metric for is quarantined."""
        item = self._reading.received[SAMPLES]
        self._reading.received[SAMPLES] += 1
        try:
            self._read(dict(record), item)
        except Unreadable as fate:
            label = storable_text(record["type"], TYPE_LENGTH)
            self._reading.set_aside(SAMPLES, label, path, fate.reason, fate.detail, record)

    def _read(self, record: dict[str, Any], item: int) -> None:
        values, extra = self._values(record)
        if not values:
            if not extra:
                raise Unreadable(Reason.MISSING_VALUE, "The record holds no value.")
            label = storable_text(record["type"], TYPE_LENGTH)
            raise Unreadable(
                Reason.NOT_READ_YET, f"“{label}” is kept as it came and will be read by a later version."
            )
        start, offset = self._start(record)
        end = moment_or_none(record, _first(record, _ENDS), self._timestamps)
        duration = end - start if end is not None and 0 < end - start <= LONGEST_READING_US else 0
        source = source_field(record, _first(record, _SOURCES))
        for target, value in values:
            batch = self._batch(target, source)
            if extra:
                batch.extra[len(batch)] = extra
            if batch.minimum:
                batch.minimum.append(None)
                batch.maximum.append(None)
            batch.item.append(item)
            batch.start.append(start)
            batch.offset.append(offset)
            batch.day.append(local_day(start, offset))
            batch.duration.append(duration // SECOND_US)
            batch.value.append(value)

    def _values(self, record: Mapping[str, Any]) -> tuple[list[tuple[Target, float]], dict[str, Any]]:
        """Return the values that belong to a metric, and everything else that was told. Raises `Unreadable`."""
        fields = self._fields(record["type"])
        values: list[tuple[Target, float]] = []
        extra: dict[str, Any] = {}
        for name, sent in record.items():
            if sent is None or name in _NO_VALUES:
                continue
            field, target = fields.get(fold_name(str(name)), (None, None))
            if field is None or target is None:
                extra[storable_text(str(name))] = storable(sent)
                continue
            number = canonical_number(target, int(sent) if field.is_boolean and isinstance(sent, bool) else sent)
            if number is not None:
                values.append((target, number))
        return values, extra

    def _start(self, record: dict[str, Any]) -> tuple[int, int]:
        """Return when it was, and the offset of where the person was. Raises `Unreadable`."""
        start, offset = moment(record, _first(record, _STARTS), self._timestamps)
        return start, _offset(start, offset, self._zone)

    def _batch(self, target: Target, source: str) -> Batch:
        key = SeriesKey(target.key, source, Grain.RAW, target.unit)
        batch = self._reading.batches.get(key)
        if batch is None:
            batch = self._reading.batches[key] = Batch(key, target.cumulative)
        return batch

    def _fields(self, record_type: str) -> Fields:
        if self._types is None:
            self._types = _fields_by_type(self._catalogue)
        return self._types.get(fold_name(record_type), {})


def _offset(start: int, offset: int, zone: ZoneInfo) -> int:
    """Return the offset of where the person was, in seconds.

    UTC is how the program writes every instant, and says nothing of that: there the person's zone holds.
    """
    if offset:
        return offset
    return int((instant(start, 0).astimezone(zone).utcoffset() or timedelta()).total_seconds())


def _fields_by_type(catalogue: Catalogue) -> dict[str, Fields]:
    types: dict[str, dict[str, tuple[StandardField, Target | None]]] = {}
    for field in catalogue.standard_fields.values():
        target = _target(catalogue, field)
        types.setdefault(fold_name(field.record_type), {})[fold_name(field.field)] = field, target
    return dict(types)


def _target(catalogue: Catalogue, field: StandardField) -> Target | None:
    if field.key is None:
        return None
    metric = catalogue.metrics[field.key]
    conversion = metric.conversions[field.unit]
    return Target(
        metric.key,
        metric.unit,
        metric.cumulative,
        conversion.factor,
        conversion.offset,
        metric.plausible_min,
        metric.plausible_max,
    )


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of these names the record has something under, or the first of all."""
    return next((name for name in names if record.get(name) is not None), names[0])
