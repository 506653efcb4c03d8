"""Samples into the tables: compare with what is held, write what is new, keep the rollups true.

Everything here happens inside one transaction that holds the person's lock, so that what was compared cannot
change before it is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from operator import le, sub
from typing import TypeVar

from sqlalchemy import Connection

from appliance.domain.localday import day_start_us, microseconds
from appliance.domain.sample import DAY_US, GRAIN_SECONDS, SECOND_US, Batch, Grain, SeriesKey, Stored, local_day
from appliance.domain.truth import Day, Rows, Rule, Strand, overlaps_itself, resolve
from appliance.domain.upload import Counts, Upload
from appliance.domain.verdict import Judgement, Verdict, judge
from appliance.storage import rollups, samples, series, uploads
from appliance.storage.samples import NewRows, Window
from appliance.storage.series import SeriesState

# Offsets lie between −12 and +14 hours, so a local day's samples lie within it widened by this much in UTC.
_OFFSET_SPAN_US = 15 * 3_600 * SECOND_US

# Starts further apart than this are looked up apart, so that two old values do not make us read the years between.
_GAP_US = 2 * DAY_US

RuleOf = Callable[[str], Rule]
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
        touched = self._touched_days(batches, judged, held)
        known = rollups.told_days(self.connection, self.upload.person_id, touched) if touched else {}
        with ThreadPoolExecutor(max_workers=1) as aside:
            # Postgres is busy taking the rows; meanwhile the days nobody has told before are resolved from memory.
            writing = aside.submit(self._write, batches, judged)
            resolved = self._resolve_new_days(batches, judged, touched, known)
            writing.result()
        self._resolve_known_days(resolved, known)
        write_rollups(self.connection, self.upload.person_id, resolved, known)
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
                self.states[key].grow(_at(batches[key].start, judgement.insert))
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

    def _resolve_known_days(self, resolved: dict[str, list[Day]], known: Mapping[str, set[int]]) -> None:
        from_table = load_strands(self.connection, self.upload.person_id, self.states, known)
        for metric, days in known.items():
            resolved[metric] += [
                day for day in resolve(self.rule_of(metric), from_table.get(metric, ())) if day.day in days
            ]


def write_rollups(
    connection: Connection,
    person_id: int,
    resolved: Mapping[str, Sequence[Day]],
    known: Mapping[str, set[int]],
) -> None:
    """Write the truth of days, in place of what was known of them."""
    for metric, days in known.items():
        if days:
            rollups.forget_days(connection, person_id, metric, sorted(days))
    if any(resolved.values()):
        rollups.insert_days(connection, person_id, resolved.items())


def load_strands(
    connection: Connection,
    person_id: int,
    states: Mapping[SeriesKey, SeriesState],
    days: Mapping[str, set[int]],
) -> dict[str, list[Strand]]:
    """Read back all stored rows of these days of these metrics (of one metric a few days more, if another has them)."""
    keys = {state.series_id: key for key, state in states.items() if days.get(key.metric)}
    windows = [
        Window(state.series_id, *span)
        for key, state in states.items()
        for span in _spans(days.get(key.metric, ()))
        if state.first is not None and state.last is not None and span[0] <= state.last and span[1] >= state.first
    ]
    wanted = set().union(*days.values())
    found = samples.held(connection, person_id, windows, days=sorted(wanted))
    strands: dict[str, list[Strand]] = defaultdict(list)
    for series_id, stored in found.items():
        key = keys[series_id]
        strands[key.metric].append(Strand(series_id, key.source, key.grain, _rows_of_stored(stored)))
    contested = {
        metric for metric, several in strands.items() if len(several) > 1 or any(map(overlaps_itself, several))
    }
    upload_ids = {
        upload_id for series_id, stored in found.items() if keys[series_id].metric in contested for upload_id in stored.upload_id
    }
    if upload_ids:
        received = uploads.received_instants(connection, person_id, upload_ids)
        for metric in contested:
            strands[metric] = [
                replace(strand, rows=replace(strand.rows, told=[received[n] for n in found[strand.series_id].upload_id]))
                for strand in strands[metric]
            ]
    return strands


def _windows(state: SeriesState, batch: Batch) -> list[Window]:
    """Return where to look for what is held of a batch."""
    starts = batch.start
    if state.first is None or state.last is None or max(starts) < state.first or min(starts) > state.last:
        return []
    ordered = starts if all(map(le, starts, starts[1:])) else sorted(starts)
    gaps = [n for n, gap in enumerate(map(sub, ordered[1:], ordered), 1) if gap > _GAP_US]
    edges = [0, *gaps, len(ordered)]
    return [
        Window(state.series_id, ordered[begin], ordered[end - 1])
        for begin, end in zip(edges, edges[1:], strict=False)
    ]


def _spans(days: Iterable[int]) -> list[tuple[int, int]]:
    """Return disjoint stretches of time that hold every sample of these local days."""
    spans: list[tuple[int, int]] = []
    for day in sorted(days):
        begin, end = day_start_us(day) - _OFFSET_SPAN_US, day_start_us(day + 1) + _OFFSET_SPAN_US
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
    return spans


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


def _rows_of_stored(stored: Stored) -> Rows:
    days = [local_day(stored.start[0], stored.offset[0])] * len(stored)
    if min(stored.offset) != max(stored.offset) or local_day(stored.start[-1], stored.offset[-1]) != days[0]:
        days = [local_day(start, offset) for start, offset in zip(stored.start, stored.offset, strict=True)]
    return Rows(
        stored.start, stored.offset, days, stored.duration, stored.value, stored.minimum, stored.maximum, ()
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
