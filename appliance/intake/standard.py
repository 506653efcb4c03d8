"""The typed "standard" JSON: `data.metrics` whose elements are records with a type tag and one field per value.

    {"type": "HeartRate", "recorded_at": "2026-08-07T08:00:00Z", "heart_rate": 61, "source_device": "Ring"}

Instants are ISO 8601, nearly always in UTC. Which field is which metric, and in which unit, is data: see
`standard_fields.csv` of the catalogue. Every record is one item and a raw reading.

Source of the shape: the published data model of self-sensored, an older receiver that other apps still post to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.catalog.names import fold_name
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
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
    target_of,
)
from appliance.intake.reading import SAMPLES
from appliance.intake.standard_workouts import (
    BOOKKEEPING,
    ENDS,
    SOURCES,
    STARTS,
    first_told,
    offset_of_the_person,
    read_workout_of_either,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.catalog.load import Catalogue
    from appliance.catalog.rows import StandardField
    from appliance.intake.reading import Reading
    from appliance.intake.timestamps import Timestamps

    Fields = Mapping[str, tuple[StandardField, Target | None]]

TYPE_LENGTH = 80
LONGEST_READING_US = 366 * DAY_S * SECOND_US  # an end further from the start is a slip, and not a duration

_NO_VALUES = frozenset({*STARTS, *ENDS, *SOURCES, *BOOKKEEPING})


def is_typed(entry: Mapping[str, Any]) -> bool:
    """Whether an element of `data.metrics` is a typed record, and not a metric with its points."""
    return isinstance(entry.get("type"), str) and entry.keys().isdisjoint({"name", "data"})


class StandardReader:
    """Reads typed records into a `Reading`, one at a time."""

    def __init__(self, reading: Reading, catalogue: Catalogue, timestamps: Timestamps) -> None:
        self._reading = reading
        self._catalogue = catalogue
        self._timestamps = timestamps
        self._types: dict[str, Fields] | None = None

    def read(self, record: Mapping[str, Any], path: str) -> None:
        """Read one record; one without any value we have a metric for is quarantined."""
        if fold_name(record["type"]) == "workout":
            self._read_workout(dict(record), path)
            return
        item = self._reading.received[SAMPLES]
        self._reading.received[SAMPLES] += 1
        try:
            self._read(dict(record), item)
        except Unreadable as fate:
            label = storable_text(record["type"], TYPE_LENGTH)
            self._reading.set_aside(SAMPLES, label, path, fate.reason, fate.detail, record)

    def _read_workout(self, record: dict[str, Any], path: str) -> None:
        context = RecordContext(self._catalogue, self._timestamps)
        kind, position = Kind.WORKOUT, self._reading.received[Kind.WORKOUT]
        self._reading.received[kind] += 1
        try:
            workout = read_workout_of_either(record, position, context)
        except Unreadable as fate:
            self._reading.set_aside(kind, kind, path, fate.reason, fate.detail, record)
        else:
            self._reading.records.setdefault(kind, []).append(workout)

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
        end = moment_or_none(record, first_told(record, ENDS), self._timestamps)
        duration = end - start if end is not None and 0 < end - start <= LONGEST_READING_US else 0
        source = source_field(record, first_told(record, SOURCES))
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
            number = canonical_number(
                target, int(sent) if field.is_boolean and isinstance(sent, bool) else sent
            )
            if number is not None:
                values.append((target, number))
        return values, extra

    def _start(self, record: dict[str, Any]) -> tuple[int, int]:
        """Return when it was, and the offset of where the person was. Raises `Unreadable`."""
        start, offset = moment(record, first_told(record, STARTS), self._timestamps)
        return start, offset_of_the_person(start, offset, self._timestamps.zone)

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


def _fields_by_type(catalogue: Catalogue) -> dict[str, Fields]:
    types: dict[str, dict[str, tuple[StandardField, Target | None]]] = {}
    for field in catalogue.standard_fields.values():
        target = _target(catalogue, field)
        types.setdefault(fold_name(field.record_type), {})[fold_name(field.field)] = field, target
    return dict(types)


def _target(catalogue: Catalogue, field: StandardField) -> Target | None:
    if field.key is None:
        return None
    return target_of(catalogue.metrics[field.key], field.unit)
