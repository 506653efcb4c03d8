"""Records of one type, source and unit side by side, and what they become: samples, sleep, events.

A lane gathers what a record tells as bytes and turns it into columns all at once, which is what makes millions of
records affordable. One value that cannot be read costs itself: the lane is then gone through one by one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.catalog.load import Catalogue
from appliance.domain.quarantine import Reason
from appliance.domain.sample import DAY_S, DAY_US, SECOND_US, Batch, Grain, SeriesKey, normalise_source
from appliance.domain.text import storable, storable_text
from appliance.intake.apple.times import Instants, Places
from appliance.intake.fields import Target, Unreadable, canonical_number, target_of
from appliance.intake.metrics import unknown_key
from appliance.intake.reading import SAMPLES, Reading
from appliance.intake.timestamps import BadTimestamp

QUANTITY = "HKQuantityTypeIdentifier"
NAME_LENGTH = 80
MOST_LANES = 20_000
LONGEST_S = 366 * DAY_S  # an end further from the start is a slip, and not a duration

# Without a way back: there are as many ways to cut a number in two as it has digits, and a lane has thousands of numbers.
_NUMBERS = re.compile(rb"(?:[+-]?+(?:\d++\.?+\d*+|\.\d++)(?:[eE][+-]?+\d{1,3}+)?+,)*+", re.ASCII)

SetAside = Callable[[str, str, Reason, str, Any], None]


@dataclass(slots=True, eq=False)
class Lane:
    """Records alike in type, source and unit, as columns of the file's own bytes.

    `extra` holds what else a record tells, and `zones` the time zone it names, by position. `odd` says that a date
    of it may be spelt differently from the others.
    """

    type: str
    source: str
    unit: str
    start: list[bytes] = field(default_factory=list)
    end: list[bytes] = field(default_factory=list)
    value: list[bytes | None] = field(default_factory=list)
    extra: dict[int, dict[str, Any]] = field(default_factory=dict)
    zones: dict[int, str] = field(default_factory=dict)
    odd: bool = False

    def __len__(self) -> int:
        return len(self.start)

    def __bool__(self) -> bool:
        return True  # an empty lane is still that lane

    def add(
        self, start: bytes, end: bytes, value: bytes | None, extra: dict[str, Any] | None, zone: str | None
    ) -> None:
        """Add one record."""
        if extra:
            self.extra[len(self.start)] = extra
        if zone:
            self.zones[len(self.start)] = zone
        # Columns and not a tuple each: millions of tuples would keep the garbage collector busy.
        self.start.append(start)
        self.end.append(end)
        self.value.append(value)

    def told(self, position: int) -> dict[str, Any]:
        """Return one record as it was told, to be kept where it cannot be read."""
        value = self.value[position]
        told = {
            "type": self.type,
            "sourceName": self.source,
            "unit": self.unit,
            "startDate": self.start[position].decode("utf-8", "replace"),
            "endDate": self.end[position].decode("utf-8", "replace"),
            "value": None if value is None else value.decode("utf-8", "replace"),
            "metadata": self.extra.get(position),
        }
        return {name: storable(sent) for name, sent in told.items() if sent}

    def without(self, bad: set[int]) -> Lane:
        """Return the lane without these positions."""
        rest = Lane(self.type, self.source, self.unit, odd=self.odd)
        for n, columns in enumerate(zip(self.start, self.end, self.value, strict=True)):
            if n not in bad:
                rest.add(*columns, self.extra.get(n), self.zones.get(n))
        return rest


@dataclass(slots=True)
class Times:
    """When the records of a lane were: instants in µs since 1970 UTC, offsets and durations in seconds."""

    start: list[int]
    end: list[int]
    offset: list[int]

    @property
    def day(self) -> list[int]:
        """The local days, from 1970-01-01."""
        return [(at + east * SECOND_US) // DAY_US for at, east in zip(self.start, self.offset, strict=True)]

    @property
    def duration(self) -> list[int]:
        """Seconds from start to end, 0 where that makes no sense."""
        if self.start == self.end:
            return [0] * len(self.start)
        lengths = [(end - start) // SECOND_US for start, end in zip(self.start, self.end, strict=True)]
        if min(lengths) < 0 or max(lengths) > LONGEST_S:
            return [length if 0 < length <= LONGEST_S else 0 for length in lengths]
        return lengths


class LaneReader:
    """Turns lanes into samples of a `Reading`; `set_aside` counts and keeps what cannot be read."""

    def __init__(self, catalogue: Catalogue, places: Places, set_aside: SetAside) -> None:
        self._catalogue = catalogue
        self._instants = Instants()
        self._places = places
        self._set_aside = set_aside

    def times(self, lane: Lane, kind: str) -> tuple[Lane, Times]:
        """Return when the records were, and the lane without those of which that cannot be told."""
        try:
            if lane.odd:
                raise BadTimestamp
            return lane, self._times(lane, self._instants.column)
        except BadTimestamp:
            bad: dict[int, str] = {}
            for position, texts in enumerate(zip(lane.start, lane.end, strict=True)):
                try:
                    for text in texts:
                        self._instants.read(text)
                except BadTimestamp as error:
                    bad[position] = f"The date cannot be read: {error}."
            for position, why in bad.items():
                self._set_aside(kind, lane.type, Reason.BAD_TIMESTAMP, why, lane.told(position))
            rest = lane.without(set(bad)) if bad else lane
            return rest, self._times(rest, lambda texts: list(map(self._instants.read, texts)))

    def _times(self, lane: Lane, read: Callable[[Sequence[bytes]], list[int]]) -> Times:
        at = read(lane.start)
        return Times(
            at, at if lane.start == lane.end else read(lane.end), self._places.offsets(at, lane.zones)
        )

    def read_quantities(self, lane: Lane, reading: Reading) -> None:
        """Read records of a quantity; one the catalogue lacks is kept under its own name."""
        count = len(lane)
        reading.received[SAMPLES] += count
        try:
            target = self._target(lane)
        except Unreadable as fate:
            for position in range(count):
                self._set_aside(SAMPLES, lane.type, fate.reason, fate.detail, lane.told(position))
            return
        lane, times = self.times(lane, SAMPLES)
        values = _numbers(target, lane.value)
        if values is None:
            values, bad = self._numbers_one_by_one(target, lane)
            if bad:
                good = [n for n in range(len(lane)) if n not in bad]
                lane = lane.without(bad)
                times = Times(
                    *([column[n] for n in good] for column in (times.start, times.end, times.offset))
                )
        self.keep(reading, target, lane, times, values)

    def keep(
        self, reading: Reading, target: Target, lane: Lane, times: Times, values: Sequence[float | None]
    ) -> None:
        """Add samples to a reading."""
        if not times.start:
            return
        key = SeriesKey(target.key, lane.source, Grain.RAW, target.unit)
        batch = reading.batches.get(key)
        if batch is None:
            batch = reading.batches[key] = Batch(key, target.cumulative, cut_to_seconds=True)
        before = len(batch)
        first = sum(map(len, reading.batches.values()))
        batch.item += range(first, first + len(times.start))
        batch.start += times.start
        batch.offset += times.offset
        batch.day += times.day
        batch.duration += times.duration
        batch.value += values
        batch.extra.update({before + position: extra for position, extra in lane.extra.items()})

    def target_of(self, key: str, unit: str) -> Target:
        """Return where values of a known metric go. Raises `Unreadable` for a unit that is not known."""
        metric = self._catalogue.metrics[key]
        return target_of(metric, "fraction" if unit == "%" and metric.xml_scale else unit[:NAME_LENGTH])

    def _target(self, lane: Lane) -> Target:
        metric = self._catalogue.metric(lane.type)
        if metric is None:
            name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", lane.type.removeprefix(QUANTITY))
            return Target(unknown_key(name), storable_text(lane.unit, NAME_LENGTH), cumulative=False)
        return self.target_of(metric.key, lane.unit)

    def _numbers_one_by_one(self, target: Target, lane: Lane) -> tuple[list[float | None], set[int]]:
        values: list[float | None] = []
        bad = set()
        for position, sent in enumerate(lane.value):
            try:
                if sent is None:
                    raise Unreadable(Reason.MISSING_VALUE, "The record has no value.")
                values.append(canonical_number(target, sent.decode("utf-8", "replace")))
            except Unreadable as fate:
                bad.add(position)
                self._set_aside(SAMPLES, lane.type, fate.reason, fate.detail, lane.told(position))
        return values, bad


def _numbers(target: Target, sent: Sequence[bytes | None]) -> list[float | None] | None:
    """Return a whole column in the canonical unit, None if any of it is no plain and plausible number."""
    try:
        if not _NUMBERS.fullmatch(b",".join(sent) + b","):  # type: ignore[arg-type]  # a None raises, as caught
            return None
        numbers = list(map(float, sent))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # a value with a comma of its own passes for two
        return None
    if (target.factor, target.shift) != (1.0, 0.0):
        factor, shift = target.factor, target.shift
        numbers = [number * factor + shift for number in numbers]
    low, high = min(numbers), max(numbers)
    is_plausible = target.low <= low and high <= target.high and -math.inf < low and high < math.inf
    return list(numbers) if is_plausible else None


class Lanes:
    """All lanes of an export; a lane stays the same object from part to part."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str, str], Lane] = {}
        self._sources: dict[str, str] = {}

    def lane(self, attributes: dict[str, str]) -> Lane:
        """Return the lane of a record with these attributes."""
        source = attributes.get("sourceName", "")
        known = self._sources.get(source)
        if known is None:
            known = self._sources[source] = normalise_source(source)
        key = attributes["type"], known, attributes.get("unit", "")
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(*key)
        return lane

    def forget(self) -> None:
        """Forget every lane."""
        self._lanes.clear()

    @property
    def is_crowded(self) -> bool:
        """Whether there are more lanes than any export has, and they had better be forgotten."""
        return len(self._lanes) > MOST_LANES

    def take_all(self) -> list[Lane]:
        """Return what the lanes hold, and empty them."""
        taken = []
        for lane in self._lanes.values():
            if lane.start:
                taken.append(replace(lane))
                lane.start, lane.end, lane.value = [], [], []
                lane.extra, lane.zones, lane.odd = {}, {}, False
        return taken
