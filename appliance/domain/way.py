"""How far a workout had come at each moment, and what each kilometre or mile of it took.

The way comes from a route (places along time) or from a curve of distances, minute by minute. A stretch without
points in which the place hardly changed is a pause: its time belongs to no split. One in which the place did change
is a gap of the receiver: the straight line and its time count, and the split says so. All pure; instants are µs since
1970 UTC, lengths metres, times seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from appliance.domain.sample import SECOND_US

EARTH_M = 6_371_008.8  # mean radius, IUGG
# Points come every second or few; a watch that says nothing for this long stands still or sees no sky.
GAP_US = 20 * SECOND_US
STANDING_M_S = 0.5
# A place the receiver itself is so unsure of (m) would add way that nobody went.
UNSURE_M = 100.0
# A point of a distance curve speaks for the minute it opens.
CURVE_COVERS_US = 60 * SECOND_US


class Step(NamedTuple):
    """From one moment of the way to the next; `is_pause` steps count neither way nor time, `is_gap` ones both."""

    begin: int
    end: int
    metres: float
    is_pause: bool = False
    is_gap: bool = False

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end - self.begin) / SECOND_US


class Place(NamedTuple):
    """Where somebody was; degrees. `unsure` is the receiver's horizontal accuracy in metres."""

    at: int
    latitude: float | None
    longitude: float | None
    unsure: float | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """One kilometre or mile, or what is left at the end (`is_partial`). `begin` and `end` are instants.

    `seconds` are without pauses; `paused` is how long those were. `has_gap` where the receiver lost the way.
    """

    number: int
    begin: int
    end: int
    metres: float
    seconds: float
    paused: float
    has_gap: bool
    is_partial: bool


def way_of_places(places: Iterable[Place]) -> list[Step]:
    """Return the steps of a route, in order of time; places nobody can be sure of are left out."""
    known = [
        place
        for place in places
        if place.latitude is not None
        and place.longitude is not None
        and (place.unsure is None or place.unsure <= UNSURE_M)
    ]
    return [
        _step(here, there, metres_between(here, there))
        for here, there in pairwise(known)
        if there.at > here.at
    ]


def way_of_distances(at: Sequence[int], metres: Sequence[float | None]) -> list[Step]:
    """Return the steps of a curve that tells how far each minute went; between its points there may be pauses."""
    steps: list[Step] = []
    for n, (begin, length) in enumerate(zip(at, metres, strict=True)):
        following = at[n + 1] if n + 1 < len(at) else begin + CURVE_COVERS_US
        end = min(following, begin + CURVE_COVERS_US)
        if end > begin:
            steps.append(Step(begin, end, length or 0.0))
        if following > end:
            steps.append(Step(end, following, 0.0, is_pause=True))
    return steps


def splits_of(way: Sequence[Step], length: float) -> list[Split]:
    """Return the splits of a way, each as long as `length` (m) but for the last."""
    splits: list[Split] = []
    current = _Open(1)
    for step in way:
        if step.is_pause:
            current.pause(step)
            continue
        done = 0.0
        begin = step.begin
        while current.metres + (step.metres - done) >= length:
            part = length - current.metres
            done += part
            end = step.begin + round((step.end - step.begin) * done / step.metres)
            current.go(begin, end, part, is_gap=step.is_gap)
            splits.append(current.closed(is_partial=False))
            current, begin = _Open(current.number + 1), end
        current.go(begin, step.end, step.metres - done, is_gap=step.is_gap)
    if current.metres >= 1:  # less than a metre is rounding and no split
        splits.append(current.closed(is_partial=True))
    return splits


def length_of(way: Iterable[Step]) -> float:
    """Return how far a way goes, in metres."""
    return math.fsum(step.metres for step in way)


def metres_between(one: Place, other: Place) -> float:
    """Return the distance on a sphere (haversine), which is right within half a percent."""
    assert one.latitude is not None  # noqa: S101  only known places are measured
    assert one.longitude is not None  # noqa: S101
    assert other.latitude is not None  # noqa: S101
    assert other.longitude is not None  # noqa: S101
    north = math.radians(other.latitude - one.latitude)
    east = math.radians(other.longitude - one.longitude)
    half = (
        math.sin(north / 2) ** 2
        + math.cos(math.radians(one.latitude))
        * math.cos(math.radians(other.latitude))
        * math.sin(east / 2) ** 2
    )
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(half)))


def average_between(at: Sequence[int], values: Sequence[float | None], begin: int, end: int) -> float | None:
    """Return the plain average of what a curve tells in [begin, end); None where it tells nothing."""
    told = [value for value in values[bisect_left(at, begin) : bisect_left(at, end)] if value is not None]
    return math.fsum(told) / len(told) if told else None


def _step(here: Place, there: Place, metres: float) -> Step:
    is_long = there.at - here.at > GAP_US
    stood = is_long and metres / ((there.at - here.at) / SECOND_US) < STANDING_M_S
    return Step(here.at, there.at, 0.0 if stood else metres, stood, is_long and not stood)


@dataclass(slots=True)
class _Open:
    """A split that is still being gone."""

    number: int
    begin: int | None = None
    end: int = 0
    metres: float = 0.0
    seconds: float = 0.0
    paused: float = 0.0
    has_gap: bool = False

    def go(self, begin: int, end: int, metres: float, *, is_gap: bool) -> None:
        if end == begin and not metres:
            return
        self.begin = begin if self.begin is None else self.begin
        self.end = end
        self.metres += metres
        self.seconds += (end - begin) / SECOND_US
        self.has_gap |= is_gap

    def pause(self, step: Step) -> None:
        if self.begin is not None:  # a pause before the first metre delays nobody
            self.paused += step.seconds

    def closed(self, *, is_partial: bool) -> Split:
        return Split(
            self.number,
            self.begin or 0,
            self.end,
            self.metres,
            self.seconds,
            self.paused,
            self.has_gap,
            is_partial,
        )
