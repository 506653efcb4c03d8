"""The metric array: quantities, min/avg/max ranges and compound points, by shape and never by metric.

An array of points that are all plain is read column by column; anything out of the ordinary makes the whole
array be read point by point. Both ways give the same samples (a property test holds them together); the first
is what makes large uploads fast.

Source of the shapes: the app's documented JSON format and payloads seen; see `docs/metrics.md` for the names.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter, sub
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from appliance.catalog.load import Catalogue
from appliance.catalog.names import LONGEST
from appliance.catalog.rows import Metric
from appliance.domain.quarantine import Reason
from appliance.domain.sample import (
    DAY_S,
    GRAIN_SECONDS,
    SECOND_US,
    Batch,
    Grain,
    SeriesKey,
    bounded,
    bucket_seconds,
    infer_grain,
    is_finer_than,
    local_day,
    normalise_source,
)
from appliance.domain.text import storable, storable_text
from appliance.domain.upload import Advice, Automation
from appliance.intake.fields import Target, Unreadable, canonical_number, target_of
from appliance.intake.reading import SAMPLES, Reading
from appliance.intake.sleep import SleepReader, is_sleep
from appliance.intake.standard import StandardReader, is_typed
from appliance.intake.timestamps import BadTimestamp, Timestamps

NAME_LENGTH = 80
UNIT_LENGTH = 40
LONGEST_READING_US = 366 * DAY_S * SECOND_US  # an end further from the start is a slip, and not a duration


class Fields(NamedTuple):
    """One target and the point's fields that hold its value, minimum and maximum."""

    target: Target
    value: str
    minimum: str = ""
    maximum: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that exist in this shape."""
        return (self.value, self.minimum, self.maximum) if self.minimum else (self.value,)


@dataclass(slots=True)
class Columns:
    """Samples of one target and source while an array is being read; units as in `Batch`, `until` in µs."""

    item: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    offset: list[int] = field(default_factory=list)
    day: list[int] = field(default_factory=list)
    until: dict[int, int] = field(default_factory=dict)
    value: list[float | None] = field(default_factory=list)
    minimum: list[float | None] = field(default_factory=list)
    maximum: list[float | None] = field(default_factory=list)
    extra: dict[int, dict[str, Any]] = field(default_factory=dict)


Gathered = dict[tuple[Target, str], Columns]


class MetricsReader:
    """Reads `data.metrics` of one document into a `Reading`."""

    def __init__(
        self, reading: Reading, catalogue: Catalogue, automation: Automation, zone: ZoneInfo
    ) -> None:
        self._reading = reading
        self._catalogue = catalogue
        self._automation = automation
        self._timestamps = Timestamps(zone)
        self._sources: dict[Any, str] = {}
        self._standard = StandardReader(reading, catalogue, self._timestamps)
        self._sleep = SleepReader(reading, catalogue, self._timestamps)

    def read(self, content: Any) -> None:
        """Read the whole array; anything but an array of objects is quarantined."""
        if content is None:
            return
        if not isinstance(content, list):
            self._set_aside_whole("data.metrics", content, "“metrics” is not a list.")
            return
        for position, entry in enumerate(content):
            self._read_entry(entry, f"data.metrics[{position}]")
        for batch in self._reading.batches.values():
            batch.cut = self._cut_starts(batch)

    def _read_entry(self, entry: Any, path: str) -> None:
        if not isinstance(entry, dict):
            self._set_aside_whole(path, entry, "A metric is not an object.")
            return
        if is_typed(entry):
            self._standard.read(entry, path)
            return
        points = entry.get("data")
        if points is None and "data" in entry:
            return
        if not isinstance(points, list):
            self._set_aside_whole(path, entry, "A metric has no list “data”.")
            return
        name, unit = entry.get("name"), entry.get("units")
        if is_sleep(name, self._catalogue):
            self._sleep.read(points, unit, path)
        elif points:
            self._read_array(name, unit, points, path)

    def _read_array(self, name: Any, unit: Any, points: list[Any], path: str) -> None:
        first_item = self._reading.received[SAMPLES]
        self._reading.received[SAMPLES] += len(points)
        try:
            shapes = self._shapes(name, unit)
        except Unreadable as fate:
            label = storable_text(str(name), NAME_LENGTH)
            for position, point in enumerate(points):
                self._reading.set_aside(
                    SAMPLES, label, f"{path}.data[{position}]", fate.reason, fate.detail, point
                )
            return
        gathered = self._read_columns(shapes, points, first_item)
        if gathered is None:
            gathered = self._read_points(
                shapes, points, first_item, path, storable_text(str(name), NAME_LENGTH)
            )
        for target, told in _by_target(gathered).items():
            grain = self._grain(target, list(told.values()))
            for source, columns in told.items():
                self._keep(target, source, grain, columns)

    def _set_aside_whole(self, path: str, item: Any, detail: str) -> None:
        self._reading.received[SAMPLES] += 1
        self._reading.set_aside(SAMPLES, "", path, Reason.WRONG_SHAPE, detail, item)

    def _shapes(self, name: Any, unit: Any) -> Shapes:
        """Return the shapes points of this metric may have. Raises `Unreadable` for all of its points."""
        if not isinstance(name, str) or not name.strip():
            raise Unreadable(Reason.WRONG_SHAPE, "The metric has no name.")
        if len(name) > LONGEST:
            raise Unreadable(Reason.WRONG_SHAPE, "The metric's name is too long to be one.")
        unit = storable_text(unit, UNIT_LENGTH).strip() if isinstance(unit, str) else ""
        metric = self._catalogue.metric(name)
        if metric is not None:
            return Shapes(quantity=self._known(metric, unit))
        compound = self._catalogue.compound(name)
        if compound is not None:
            return Shapes(compound={field.casefold(): self._known(m, unit) for field, m in compound.items()})
        return Shapes(quantity=Target(unknown_key(name), unit, cumulative=False))

    def _known(self, metric: Metric, unit: str) -> Target:
        target = target_of(metric, unit)
        days = self._days_in_a_bucket() if metric.cumulative else 1
        return replace(target, high=target.high * days)

    def _days_in_a_bucket(self) -> int:
        stated = self._automation.grain(is_heart_rate=False)
        # A month may have 31 days where its nominal width is 28; the limit is wide anyway.
        return max(1, GRAIN_SECONDS[stated] * 2 // DAY_S) if stated in _WIDER_THAN_A_DAY else 1

    def _read_columns(self, shapes: Shapes, points: Sequence[Any], first_item: int) -> Gathered | None:
        """Read points that are all plain: same fields, usual dates, finite plausible numbers. None otherwise."""
        shape = shapes.of(points[0])
        if shape is None or len(shape) != 1 or set(map(type, points)) != {dict}:
            return None
        fields = shape[0]
        expected = ["date", *fields.names, *(["source"] if "source" in points[0] else [])]
        if set(map(len, points)) != {len(expected)}:
            return None
        try:
            dates, *numbers = [list(map(itemgetter(name), points)) for name in expected]
        except KeyError:
            return None
        names = numbers.pop() if expected[-1] == "source" else [""]
        if set(map(type, dates)) != {str} or not set(map(type, names)) <= {str, type(None)}:
            return None
        converted = [_converted(fields.target, column) for column in numbers]
        if None in converted:
            return None
        try:
            starts, offsets, days = self._timestamps.read_all(dates)
        except BadTimestamp:
            return None
        columns = Columns(list(range(first_item, first_item + len(points))), starts, offsets, days)
        columns.value, columns.minimum, columns.maximum = (*converted, [], [])[:3]  # type: ignore[assignment]
        return self._by_source(fields.target, names, columns)

    def _by_source(self, target: Target, names: Sequence[Any], columns: Columns) -> Gathered:
        if len(set(names)) == 1:
            return {(target, self._source(names[0])): columns}
        gathered: Gathered = defaultdict(Columns)
        for position, name in enumerate(names):
            part = gathered[target, self._source(name)]
            part.item.append(columns.item[position])
            part.start.append(columns.start[position])
            part.offset.append(columns.offset[position])
            part.day.append(columns.day[position])
            part.value.append(columns.value[position])
            if columns.minimum:
                part.minimum.append(columns.minimum[position])
                part.maximum.append(columns.maximum[position])
        return gathered

    def _read_points(
        self, shapes: Shapes, points: Sequence[Any], first_item: int, path: str, label: str
    ) -> Gathered:
        gathered: Gathered = defaultdict(Columns)
        for position, point in enumerate(points):
            try:
                self._read_point(gathered, shapes, point, first_item + position)
            except Unreadable as fate:
                self._reading.set_aside(
                    SAMPLES, label, f"{path}.data[{position}]", fate.reason, fate.detail, point
                )
        return gathered

    def _read_point(self, gathered: Gathered, shapes: Shapes, point: Any, item: int) -> None:
        if not isinstance(point, dict):
            raise Unreadable(Reason.WRONG_SHAPE, "A data point is not an object.")
        shape = shapes.of(point)
        if shape is None:
            raise Unreadable(Reason.MISSING_VALUE, "The data point holds no value we know how to read.")
        by_name = {str(name).casefold(): value for name, value in point.items()}
        try:
            start, offset = self._timestamps.read(by_name.get("date") or by_name.get("start"))
        except BadTimestamp as error:
            raise Unreadable(Reason.BAD_TIMESTAMP, f"The date cannot be read: {error}.") from error
        source = by_name.get("source")
        if not isinstance(source, str | None):
            raise Unreadable(Reason.WRONG_SHAPE, "The source is not a text.")
        read = [
            (fields, [canonical_number(fields.target, by_name.get(name.casefold())) for name in fields.names])
            for fields in shape
        ]
        read = [
            (fields, numbers) for fields, numbers in read if any(number is not None for number in numbers)
        ]
        if not read:
            raise Unreadable(Reason.MISSING_VALUE, "The data point holds no value.")
        used = {
            "date",
            "source",
            "start",
            "end",
            *(name.casefold() for fields in shape for name in fields.names),
        }
        extra = storable({name: value for name, value in point.items() if str(name).casefold() not in used})
        for fields, numbers in read:
            columns = gathered[fields.target, self._source(source)]
            position = len(columns.start)
            columns.item.append(item)
            columns.start.append(start)
            columns.offset.append(offset)
            columns.day.append(local_day(start, offset))
            columns.value.append(numbers[0])
            columns.minimum.append(numbers[1] if len(numbers) > 1 else None)
            columns.maximum.append(numbers[2] if len(numbers) > 1 else None)
            if extra:
                columns.extra[position] = extra
            self._note_end(columns, position, by_name.get("end"))

    def _note_end(self, columns: Columns, position: int, end: Any) -> None:
        try:
            until, _ = self._timestamps.read(end)
        except BadTimestamp:
            return
        if 0 < until - columns.start[position] <= LONGEST_READING_US:
            columns.until[position] = until

    def _source(self, name: str | None) -> str:
        known = self._sources.get(name)
        if known is None:
            known = self._sources[name] = normalise_source(name or "")
        return known

    def _keep(self, target: Target, source: str, grain: Grain, columns: Columns) -> None:
        key = SeriesKey(target.key, source, grain, target.unit)
        batch = self._reading.batches.get(key)
        if batch is None:
            batch = self._reading.batches[key] = Batch(key, target.cumulative)
        before = len(batch)
        batch.item += columns.item
        batch.start += columns.start
        batch.offset += columns.offset
        batch.day += columns.day
        batch.duration += _durations(grain, columns)
        _extend_bounds(batch, columns, before)
        batch.value += columns.value
        batch.extra.update({before + position: extra for position, extra in columns.extra.items()})

    def _grain(self, target: Target, told: Sequence[Columns]) -> Grain:
        """Return the bucket width of one array: as stated, unless the data are plainly finer; else read from it."""
        stated = self._automation.grain(is_heart_rate=target.key == "heart_rate")
        if stated is not None and not any(is_finer_than(stated, part.start, part.offset) for part in told):
            return stated
        inferred = infer_grain(
            [start for part in told for start in part.start],
            [offset for part in told for offset in part.offset],
        )
        if stated is not None and inferred is Grain.RAW and not _is_raw(stated, told):
            return (
                stated  # buckets that begin at the last sync, in the middle of an hour, beside aligned ones
            )
        self._reading.advice.setdefault(*_inferred_advice(stated))
        return inferred

    def _cut_starts(self, batch: Batch) -> frozenset[int]:
        """Return the starts of buckets that the export window may have cut (see `domain.verdict`)."""
        if not batch.cumulative or batch.key.grain is Grain.RAW or self._automation.window_is_whole:
            return frozenset()
        first = min(range(len(batch)), key=batch.start.__getitem__)
        last = max(range(len(batch)), key=batch.start.__getitem__)
        if (
            self._automation.window_is_whole is None
            and _is_midnight(batch, first, 0)
            and _is_midnight(batch, last, batch.duration[last])
        ):
            return frozenset()  # whole local days: nobody cuts those by accident
        return frozenset((batch.start[first], batch.start[last]))


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes points of one metric may have: a quantity or range of `quantity`, or the `compound` fields."""

    quantity: Target | None = None
    compound: Mapping[str, Target] = field(default_factory=dict)

    def of(self, point: Any) -> tuple[Fields, ...] | None:
        """Return the shape of this point, by its fields and in any case; None when it has none of them."""
        if not isinstance(point, dict):
            return None
        if self.compound:
            found = [name for name in point if str(name).casefold() in self.compound]
            return tuple(Fields(self.compound[name.casefold()], name) for name in found) or None
        assert self.quantity is not None  # noqa: S101  one of the two is always set
        names = {str(name).casefold(): name for name in point}
        if not names.keys().isdisjoint(_RANGE):
            value = names.get("avg") or names.get("qty") or "Avg"
            return (Fields(self.quantity, value, names.get("min", "Min"), names.get("max", "Max")),)
        return (Fields(self.quantity, names["qty"]),) if "qty" in names else None


_RANGE = {"min", "avg", "max"}
_WIDER_THAN_A_DAY = {Grain.WEEK, Grain.MONTH, Grain.YEAR}


def unknown_key(name: str) -> str:
    """Return the key under which a metric the catalogue lacks is stored: its own name, in the house's spelling."""
    text = unicodedata.normalize("NFKC", storable_text(name)).casefold()
    return bounded(re.sub(r"\W+", "_", text).strip("_"), NAME_LENGTH) or "unnamed"


def _converted(target: Target, column: list[Any]) -> list[float] | None:
    """Return the whole column in the canonical unit, or None if any number of it is not plain and plausible."""
    types = set(map(type, column))
    if not types <= {float, int}:
        return None
    try:
        total = math.fsum(column)
    except (OverflowError, ValueError):
        return None
    if not math.isfinite(total):
        return None
    factor, shift = target.factor, target.shift
    if factor != 1.0 or shift != 0.0:
        numbers = [number * factor + shift for number in column]
    else:
        numbers = column if types == {float} else list(map(float, column))
    return numbers if target.low <= min(numbers) and max(numbers) <= target.high else None


def _by_target(gathered: Gathered) -> dict[Target, dict[str, Columns]]:
    """Return the columns by target and then by source."""
    told: dict[Target, dict[str, Columns]] = defaultdict(dict)
    for (target, source), columns in gathered.items():
        told[target][source] = columns
    return told


def _is_raw(stated: Grain, told: Sequence[Columns]) -> bool:
    """Whether half of the points lie closer together than a tenth of the stated width."""
    starts = sorted({start for part in told for start in part.start})
    gaps = sorted(map(sub, starts[1:], starts))
    return bool(gaps) and gaps[len(gaps) // 2] * 10 < GRAIN_SECONDS[stated] * SECOND_US


def _durations(grain: Grain, columns: Columns) -> list[int]:
    if grain is Grain.RAW:
        return [
            (columns.until.get(position, start) - start) // SECOND_US
            for position, start in enumerate(columns.start)
        ]
    if grain in _WIDER_THAN_A_DAY:
        return [
            bucket_seconds(grain, start, offset)
            for start, offset in zip(columns.start, columns.offset, strict=True)
        ]
    return [GRAIN_SECONDS[grain]] * len(columns.start)


def _extend_bounds(batch: Batch, columns: Columns, before: int) -> None:
    """Append minimum and maximum; both columns stay empty as long as no sample has either."""
    has_bounds = any(bound is not None for bound in columns.minimum) or any(
        bound is not None for bound in columns.maximum
    )
    if not has_bounds and not batch.minimum:
        return
    count = len(columns.start)
    for bounds, new in ((batch.minimum, columns.minimum), (batch.maximum, columns.maximum)):
        if not bounds:
            bounds.extend([None] * before)
        bounds.extend(new or [None] * count)


def _is_midnight(batch: Batch, position: int, plus_s: int) -> bool:
    local = batch.start[position] // SECOND_US + plus_s + batch.offset[position]
    return local % DAY_S == 0


def _inferred_advice(stated: Grain | None) -> tuple[str, Advice]:
    if stated is None:
        return "grain_inferred", Advice(
            "grain_inferred",
            "The upload does not say how its values are grouped, so the grouping was read from the times.",
            "Send the header automation-aggregation, as the app does by itself.",
        )
    return "grain_contradicted", Advice(
        "grain_contradicted",
        f"Some values lie closer together than the grouping “{stated}” that the upload names; they were kept as finer.",
        "Check Summarize Data and Time Grouping in the automation.",
    )
