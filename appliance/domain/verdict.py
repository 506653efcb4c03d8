"""Which value wins when a sample comes again.

The newest upload wins, with one exception: a bucket that the export window may have cut (`Since Last Sync`
starts in the middle of an hour) must not shrink a cumulative value, because the missing part was told before.
An older upload read again later (replay) never overrides a newer one.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from appliance.domain.sample import SECOND_US, Batch, Grain, Stored

TOLERANCE = 1e-9  # relative; the same reading sent once in kJ and once in kcal differs in the last digits

# Files tell about six digits, in the unit a person has chosen to see.
FILE_TOLERANCE = 1e-5
CROWDED = 32  # samples of one series in one second


class Verdict(IntEnum):
    """What becomes of a sample. Of an item's several samples the highest verdict is the item's."""

    UNCHANGED = 0
    SUPERSEDED = 1
    REVISED = 2
    STORED = 3


class Rival(NamedTuple):
    """The sample that holds the place: a stored one, or an earlier one of the same upload."""

    duration: int
    value: float | None
    minimum: float | None
    maximum: float | None
    upload_id: int


@dataclass(slots=True)
class Judgement:
    """The verdict for each position of a batch, and which positions are to be written."""

    verdicts: list[Verdict]
    insert: list[int] = field(default_factory=list)
    update: list[int] = field(default_factory=list)


def judge(batch: Batch, held: Stored | None, upload_id: int) -> Judgement:
    """Decide what becomes of each sample, given what is held of the series where the batch falls.

    Repeats inside the batch are settled first, in the order they were sent, so that one position per start goes
    on to be compared with what is held. A changed duration counts as a change, but for a reading that comes again
    without one: then it lasts as long as was told. A changed offset does not: the first one told is nearest to where
    the person was.
    """
    count = len(batch)
    if batch.cut_to_seconds:
        _place_twins(batch, held)
    survivors: Iterable[int] = range(count)
    if len(set(batch.start)) == count:
        if held and _is_held_as_it_is(batch, held):
            return Judgement([Verdict.UNCHANGED] * count)
        judgement = Judgement([Verdict.STORED] * count)
    else:
        judgement = Judgement([Verdict.UNCHANGED] * count)
        survivors = _settle_repeats(batch, judgement.verdicts, upload_id)
    if not held:
        judgement.insert = list(survivors)
        for position in judgement.insert:
            judgement.verdicts[position] = Verdict.STORED
        return judgement
    place = {start: n for n, start in enumerate(held.start)}
    for position in survivors:
        n = place.get(batch.start[position])
        verdict = Verdict.STORED if n is None else _against(batch, position, _rival(held, n), upload_id)
        judgement.verdicts[position] = verdict
        if verdict is Verdict.STORED:
            judgement.insert.append(position)
        elif verdict is Verdict.REVISED:
            judgement.update.append(position)
    return judgement


def _place_twins(batch: Batch, held: Stored | None) -> None:
    """Give each sample of a batch a start of its own, or that of the held sample it is.

    Starts that lost their fractions may stand for several samples: a second one goes some microseconds later. It is
    the same as a held one when the value agrees as far as files tell it and the duration does, or one of the two
    does not know it; then it takes over the digits that are held, so that a change of units changes nothing, and the
    bounds, which files do not tell.
    """
    starts, places = batch.start, _Places(batch, held)
    distinct = set(starts)
    shared = distinct & places.held_at.keys()
    if len(distinct) < len(batch):
        shared |= {start for start, count in Counter(starts).items() if count > 1}
    if shared:
        seconds = {start // SECOND_US for start in shared}  # nobody is put further away
        for position in [n for n, start in enumerate(starts) if start // SECOND_US in seconds]:
            places.put(position)


class _Places:
    """The places of a series, by start: what is held there, and what of a batch has been put there."""

    def __init__(self, batch: Batch, held: Stored | None) -> None:
        self._batch = batch
        self._held = held
        self.held_at = {start: n for n, start in enumerate(held.start)} if held else {}
        self._placed: dict[int, int] = {}
        self._crowds: dict[int, _Crowd] = {}

    def put(self, position: int) -> None:
        """Put a sample of the batch in its place, which is free or that of its twin."""
        batch, held = self._batch, self._held
        start = self._find(position)
        twin = self._at(start)
        if twin is not None:
            batch.value[position] = twin[0]
            batch.duration[position] = batch.duration[position] or twin[1]
            if start not in self._placed and held is not None and held.minimum:
                _take_bounds(batch, position, held, self.held_at[start])
        batch.start[position] = start
        self._placed.setdefault(start, position)

    def _find(self, position: int) -> int:
        at = self._batch.start[position]
        crowd, start = self._crowds.get(at), at
        if crowd is None:
            while start < at + CROWDED and not self._takes(start, position):
                start += 1
            if start < at + CROWDED:
                return start
            crowd = self._crowds[at] = _Crowd(at, self._at)
        start = crowd.nearest(self._batch.value[position], self._batch.duration[position])
        while not self._takes(start, position):  # a place may have learnt a duration since the crowd met it
            start += 1
        return start

    def _takes(self, start: int, position: int) -> bool:
        told = self._at(start)
        return told is None or _is_twin(self._batch, position, *told)

    def _at(self, start: int) -> tuple[float | None, int] | None:
        """Return value and duration of what is there."""
        if (n := self._placed.get(start)) is not None:
            return self._batch.value[n], self._batch.duration[n]
        if self._held is not None and (n := self.held_at.get(start)) is not None:
            return self._held.value[n], self._held.duration[n]
        return None


def _is_twin(batch: Batch, position: int, value: float | None, duration: int) -> bool:
    lasts = batch.duration[position]
    return as_good_as_same(value, batch.value[position]) and (duration == lasts or not duration or not lasts)


def _take_bounds(batch: Batch, position: int, held: Stored, n: int) -> None:
    if not batch.minimum:
        batch.minimum, batch.maximum = [None] * len(batch), [None] * len(batch)
    if batch.minimum[position] is None and batch.maximum[position] is None:
        batch.minimum[position], batch.maximum[position] = held.minimum[n], held.maximum[n]


class _Crowd:
    """So many samples of one second that nobody goes through them for each further one; `at_place` tells each."""

    def __init__(self, at: int, at_place: Callable[[int], tuple[float | None, int] | None]) -> None:
        self._at_place = at_place
        self._free = at
        self._all: list[tuple[float, int]] = []
        self._by_duration: dict[int, list[tuple[float, int]]] = defaultdict(list)

    def nearest(self, value: float | None, duration: int) -> int:
        """Return the start of a sample as good as the same, or the first that is free."""
        while (told := self._at_place(self._free)) is not None:
            place = _in_order(told[0]), self._free
            insort(self._all, place)
            insort(self._by_duration[told[1]], place)
            self._free += 1
        wanted = _in_order(value)
        near = FILE_TOLERANCE * 2 * abs(wanted) if math.isfinite(wanted) else 0.0
        for known in (self._by_duration[duration], self._by_duration[0]) if duration else (self._all,):
            for found, start in known[bisect_left(known, (wanted - near, 0)) :]:
                if found > wanted + near:
                    break
                if found == wanted or abs(found - wanted) <= FILE_TOLERANCE * max(abs(found), abs(wanted)):
                    return start
        return self._free


def _in_order(value: float | None) -> float:
    return -math.inf if value is None else value


def as_good_as_same(one: float | None, other: float | None) -> bool:
    """Whether two numbers agree as far as files tell them."""
    if one is None or other is None:
        return one is other
    return one == other or abs(one - other) <= FILE_TOLERANCE * max(abs(one), abs(other))


def _is_held_as_it_is(batch: Batch, held: Stored) -> bool:
    """Whether the whole batch is held, number for number: the usual re-send, told apart without a loop."""
    return (
        held.start == batch.start
        and held.value == batch.value
        and held.duration == batch.duration
        and list(held.minimum) == batch.minimum
        and list(held.maximum) == batch.maximum
    )


def _settle_repeats(batch: Batch, verdicts: list[Verdict], upload_id: int) -> Iterable[int]:
    """Leave one position per start; the others get their verdict here."""
    standing: dict[int, int] = {}
    for position, start in enumerate(batch.start):
        earlier = standing.setdefault(start, position)
        if earlier == position:
            continue
        rival = Rival(batch.duration[earlier], batch.value[earlier], *batch.bounds(earlier), upload_id)
        verdict = _against(batch, position, rival, upload_id)
        if verdict is Verdict.REVISED:
            standing[start] = position
            verdicts[earlier] = Verdict.SUPERSEDED
        else:
            verdicts[position] = verdict
    return standing.values()


def _rival(held: Stored, n: int) -> Rival:
    return Rival(
        held.duration[n],
        held.value[n],
        held.minimum[n] if held.minimum else None,
        held.maximum[n] if held.maximum else None,
        held.upload_id[n],
    )


def _against(batch: Batch, at: int, rival: Rival, upload_id: int) -> Verdict:
    value = batch.value[at]
    minimum, maximum = batch.bounds(at)
    if not batch.duration[at] and batch.key.grain is Grain.RAW:
        batch.duration[at] = rival.duration
    if (
        _same(value, rival.value)
        and _same(minimum, rival.minimum)
        and _same(maximum, rival.maximum)
        and batch.duration[at] == rival.duration
    ):
        return Verdict.UNCHANGED
    if upload_id < rival.upload_id:
        return Verdict.SUPERSEDED
    shrinks = value is None or (rival.value is not None and value < rival.value)
    if batch.cumulative and shrinks and batch.start[at] in batch.cut:
        return Verdict.SUPERSEDED
    return Verdict.REVISED


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or abs(one - other) <= TOLERANCE * max(abs(one), abs(other))
