"""Samples into the tables: compare with what is held, write what is new, keep the rollups true.

Everything here happens inside one transaction that holds the person's lock, so that what was compared cannot
change before it is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import pairwise
from operator import le, sub
from typing import TypeVar

from sqlalchemy import Connection

from appliance.domain.localday import microseconds
from appliance.domain.sample import (
    DAY_US,
    GRAIN_SECONDS,
    SECOND_US,
    Batch,
    Grain,
    SeriesKey,
    Stored,
)
from appliance.domain.truth import Day, Rows, Strand, resolve
from appliance.domain.upload import Counts, Upload
from appliance.domain.verdict import Judgement, Verdict, judge
from appliance.foundation.steps import passed
from appliance.services.resolving import resolve_days, rewrite
from appliance.services.rules import RuleOf
from appliance.storage import rollups, samples, series
from appliance.storage.samples import NewRows, Window
from appliance.storage.series import SeriesState

# Starts further apart than this are looked up apart, so that two old values do not make us read the years between.
_GAP_US = 2 * DAY_US

T = TypeVar("T")


@dataclass(slots=True)
class Storing:
    """One upload's samples on their way into the tables."""

    connection: Connection
    upload: Upload
    rule_of: RuleOf
    states: dict[SeriesKey, SeriesState] = field(default_factory=dict)

    def store(self, batches: Mapping[SeriesKey, Batch]) -> list[tuple[Batch, Judgement]]:
        """Store the batches and return what became of each. The caller holds the person's lock."""
        if not batches:
            return []
        self._find_series(batches)
        held = self._held(batches)
        judged = {key: judge(batch, held[key], self.upload.upload_id) for key, batch in batches.items()}
        passed("compared")
        touched = self._touched_days(batches, judged, held)
        known = rollups.told_days(self.connection, self.upload.person_id, touched) if touched else {}
        with ThreadPoolExecutor(max_workers=1) as aside:
            # Postgres is busy taking the rows; meanwhile the days nobody has told before are resolved from memory.
            # In a copy of our context, so that what is logged there carries the upload's ids.
            writing = aside.submit(copy_context().run, self._write, batches, judged)
            resolved = self._resolve_new_days(batches, judged, touched, known)
            writing.result()
        passed("rows_written")
        from_table = resolve_days(self.connection, self.upload.person_id, self.rule_of, self.states, known)
        for metric, days in from_table.items():
            resolved[metric] += days
        rewrite(self.connection, self.upload.person_id, resolved, known)
        return [(batch, judged[key]) for key, batch in batches.items()]

    def _find_series(self, batches: Mapping[SeriesKey, Batch]) -> None:
        person_id = self.upload.person_id
        self.states = series.of_person(self.connection, person_id, {key.metric for key in batches})
        new = [key for key in batches if key not in self.states]
        self.states |= series.add(self.connection, person_id, new)

    def _held(self, batches: Mapping[SeriesKey, Batch]) -> dict[SeriesKey, Stored | None]:
        windows = [window for key, batch in batches.items() for window in _windows(self.states[key], batch)]
        found = samples.held(self.connection, self.upload.person_id, windows)
        return {key: found.get(self.states[key].series_id) for key in batches}

    def _write(self, batches: Mapping[SeriesKey, Batch], judged: Mapping[SeriesKey, Judgement]) -> None:
        new = [
            NewRows(self.states[key].series_id, batches[key], judgement.insert)
            for key, judgement in judged.items()
            if judgement.insert
        ]
        revised = [
            NewRows(self.states[key].series_id, batches[key], judgement.update)
            for key, judgement in judged.items()
            if judgement.update
        ]
        person_id, upload_id = self.upload.person_id, self.upload.upload_id
        if new:
            samples.insert_rows(self.connection, person_id, upload_id, new)
        if revised:
            samples.revise_rows(self.connection, person_id, upload_id, self.upload.received_at, revised)
        for key, judgement in judged.items():
            if judgement.insert:
                batch = batches[key]
                self.states[key].grow(_at(batch.start, judgement.insert), _at(batch.offset, judgement.insert))
        series.changed(
            self.connection,
            person_id,
            [self.states[key] for key, judgement in judged.items() if judgement.insert or judgement.update],
        )

    def _touched_days(
        self,
        batches: Mapping[SeriesKey, Batch],
        judged: Mapping[SeriesKey, Judgement],
        held: Mapping[SeriesKey, Stored | None],
    ) -> dict[str, set[int]]:
        touched: dict[str, set[int]] = defaultdict(set)
        for key, judgement in judged.items():
            if GRAIN_SECONDS[key.grain] > GRAIN_SECONDS[Grain.DAY]:
                continue
            batch, stored = batches[key], held[key]
            days = touched[key.metric]
            days.update(_at(batch.day, judgement.insert))
            if stored is not None and judgement.update:
                offsets = dict(zip(stored.start, stored.offset, strict=True))
                starts = _at(batch.start, judgement.update)
                days.update((start + offsets[start] * SECOND_US) // DAY_US for start in starts)
        return {metric: days for metric, days in touched.items() if days}

    def _resolve_new_days(
        self,
        batches: Mapping[SeriesKey, Batch],
        judged: Mapping[SeriesKey, Judgement],
        touched: Mapping[str, set[int]],
        known: Mapping[str, set[int]],
    ) -> dict[str, list[Day]]:
        told = microseconds(self.upload.received_at)
        strands: dict[str, list[Strand]] = defaultdict(list)
        for key, judgement in judged.items():
            if judgement.insert and touched.get(key.metric, set()) - known.get(key.metric, set()):
                rows = _rows_of_batch(batches[key], judgement.insert, told)
                strands[key.metric].append(Strand(self.states[key].series_id, key.source, key.grain, rows))
        return {
            metric: [
                day
                for day in resolve(self.rule_of(metric), strands[metric])
                if day.day in days and day.day not in known[metric]
            ]
            for metric, days in touched.items()
        }


def _windows(state: SeriesState, batch: Batch) -> list[Window]:
    """Return where to look for what is held of a batch."""
    starts = batch.start
    if state.first is None or state.last is None or max(starts) < state.first or min(starts) > state.last:
        return []
    ordered = starts if all(map(le, starts, starts[1:])) else sorted(starts)
    gaps = [n for n, gap in enumerate(map(sub, ordered[1:], ordered), 1) if gap > _GAP_US]
    edges = [0, *gaps, len(ordered)]
    beyond = SECOND_US if batch.cut_to_seconds else 0  # where several of one second may have been put
    return [
        Window(state.series_id, ordered[begin], ordered[end - 1] + beyond) for begin, end in pairwise(edges)
    ]


def _rows_of_batch(batch: Batch, positions: Sequence[int], told: int) -> Rows:
    if not all(map(le, batch.start, batch.start[1:])):
        positions = sorted(positions, key=batch.start.__getitem__)
        whole = False
    else:
        whole = len(positions) == len(batch)

    def column(values: Sequence[T]) -> Sequence[T]:
        return values if whole or not values else [values[position] for position in positions]

    return Rows(
        column(batch.start),
        column(batch.offset),
        column(batch.day),
        column(batch.duration),
        column(batch.value),
        column(batch.minimum),
        column(batch.maximum),
        [told] * len(positions),
    )


def _at(column: Sequence[T], positions: Sequence[int]) -> Sequence[T]:
    if len(column) == len(positions):
        return column  # all of them; positions are distinct and in order
    return [column[position] for position in positions]


def count_samples(received: int, quarantined: int, judged: Sequence[tuple[Batch, Judgement]]) -> Counts:
    """Return what became of the sample items; of an item's several samples the highest verdict counts."""
    verdicts: list[Verdict] = []
    for _, judgement in judged:
        verdicts += judgement.verdicts
    if len(verdicts) != received - quarantined:
        best: dict[int, Verdict] = {}
        for batch, judgement in judged:
            for item, verdict in zip(batch.item, judgement.verdicts, strict=True):
                best[item] = max(verdict, best.get(item, verdict))
        verdicts = list(best.values())
    return count_records(received, quarantined, verdicts)


def count_records(received: int, quarantined: int, verdicts: Sequence[Verdict]) -> Counts:
    """Return what became of items that are one thing each."""
    return Counts(
        received=received,
        stored=verdicts.count(Verdict.STORED),
        revised=verdicts.count(Verdict.REVISED),
        unchanged=verdicts.count(Verdict.UNCHANGED),
        superseded=verdicts.count(Verdict.SUPERSEDED),
        quarantined=quarantined,
    )
