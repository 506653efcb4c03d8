"""Which value wins when a sample comes again.

The newest upload wins, with one exception: a bucket that the export window may have cut (`Since Last Sync`
starts in the middle of an hour) must not shrink a cumulative value, because the missing part was told before.
An older upload read again later (replay) never overrides a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from appliance.domain.sample import Batch

TOLERANCE = 1e-9  # relative; the same reading sent once in kJ and once in kcal differs in the last digits


class Verdict(IntEnum):
    """What becomes of a sample. Of an item's several samples the highest verdict is the item's."""

    UNCHANGED = 0
    SUPERSEDED = 1
    REVISED = 2
    STORED = 3


class Held(NamedTuple):
    """A stored sample with the same identity."""

    offset: int
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


def judge(batch: Batch, held: Mapping[int, Held], upload_id: int) -> Judgement:
    """Decide what becomes of each sample, given what is held at the same starts.

    Repeats inside the batch are settled first, in the order they were sent, so that one position per start goes
    on to be compared with what is held. A changed duration counts as a change; a changed offset does not: the
    first one told is nearest to where the person was.
    """
    count = len(batch)
    if len(set(batch.start)) == count:
        judgement = Judgement([Verdict.STORED] * count)
        if not held:
            judgement.insert = list(range(count))
            return judgement
        survivors: Iterable[int] = range(count)
    else:
        judgement = Judgement([Verdict.UNCHANGED] * count)
        survivors = _settle_repeats(batch, judgement.verdicts, upload_id)
    for position in survivors:
        rival = held.get(batch.start[position])
        verdict = Verdict.STORED if rival is None else _against(batch, position, rival, upload_id)
        judgement.verdicts[position] = verdict
        if verdict is Verdict.STORED:
            judgement.insert.append(position)
        elif verdict is Verdict.REVISED:
            judgement.update.append(position)
    return judgement


def _settle_repeats(batch: Batch, verdicts: list[Verdict], upload_id: int) -> Iterable[int]:
    """Leave one position per start; the others get their verdict here."""
    standing: dict[int, int] = {}
    for position, start in enumerate(batch.start):
        earlier = standing.setdefault(start, position)
        if earlier == position:
            continue
        verdict = _against(batch, position, _as_held(batch, earlier, upload_id), upload_id)
        if verdict is Verdict.REVISED:
            standing[start] = position
            verdicts[earlier] = Verdict.SUPERSEDED
        else:
            verdicts[position] = verdict
    return standing.values()


def _as_held(batch: Batch, at: int, upload_id: int) -> Held:
    minimum, maximum = batch.bounds(at)
    return Held(batch.offset[at], batch.duration[at], batch.value[at], minimum, maximum, upload_id)


def _against(batch: Batch, at: int, rival: Held, upload_id: int) -> Verdict:
    value = batch.value[at]
    minimum, maximum = batch.bounds(at)
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
