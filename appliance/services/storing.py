"""Samples into the tables: compare with what is held, write what is new, keep the rollups true.

Everything here happens inside one transaction that holds the person's lock, so that what was compared cannot
change before it is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from appliance.domain.localday import day_start_us, microseconds
from appliance.domain.sample import DAY_US, GRAIN_SECONDS, SECOND_US, Batch, Grain, SeriesKey
from appliance.domain.truth import Day, Rows, Rule, Strand, resolve
from appliance.domain.upload import Counts, Upload
from appliance.domain.verdict import Held, Judgement, Verdict, judge
from appliance.storage import rollups, samples, series, uploads
from appliance.storage.binary import HeldRow
from appliance.storage.samples import NewRows, Window
from appliance.storage.series import SeriesState

# Offsets lie between −12 and +14 hours, so a local day's samples lie within it widened by this much in UTC.
_OFFSET_SPAN_US = 15 * 3_600 * SECOND_US

# Where more rows than this are held for each one that came, looking each up is cheaper than reading the stretch.
_SPARSE = 8

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
        before = {state.series_id: (state.first, state.last) for state in self.states.values()}
        judged = {key: judge(batch, held[key], self.upload.upload_id) for key, batch in batches.items()}
        self._write(batches, judged)
        touched = self._touched_days(batches, judged, held)
        self._refresh_rollups(batches, judged, touched, before)
        return [(batch, judged[key]) for key, batch in batches.items()]

    def _find_series(self, batches: Mapping[SeriesKey, Batch]) -> None:
        person_id = self.upload.person_id
        self.states = series.of_person(self.connection, person_id, {key.metric for key in batches})
        new = [key for key in batches if key not in self.states]
        self.states |= series.add(self.connection, person_id, new)

    def _held(self, batches: Mapping[SeriesKey, Batch]) -> dict[SeriesKey, dict[int, Held]]:
        windows = [window for key, batch in batches.items() for window in _windows(self.states[key], batch)]
        by_id: dict[int, dict[int, Held]] = defaultdict(dict)
        for row in samples.held(self.connection, self.upload.person_id, windows):
            by_id[row.series_id][row.start] = Held(*row[2:])
        return {key: by_id[self.states[key].series_id] for key in batches}

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
        held: Mapping[SeriesKey, Mapping[int, Held]],
    ) -> dict[str, set[int]]:
        touched: dict[str, set[int]] = defaultdict(set)
        for key, judgement in judged.items():
            if GRAIN_SECONDS[key.grain] > GRAIN_SECONDS[Grain.DAY]:
                continue
            batch = batches[key]
            days = touched[key.metric]
            days.update(
                {
                    (start + offset * SECOND_US) // DAY_US
                    for start, offset in zip(
                        _at(batch.start, judgement.insert), _at(batch.offset, judgement.insert), strict=True
                    )
                }
            )
            for position in judgement.update:
                start = batch.start[position]
                days.add((start + held[key][start].offset * SECOND_US) // DAY_US)
        return {metric: days for metric, days in touched.items() if days}

    def _refresh_rollups(
        self,
        batches: Mapping[SeriesKey, Batch],
        judged: Mapping[SeriesKey, Judgement],
        touched: Mapping[str, set[int]],
        before: Mapping[int, tuple[int | None, int | None]],
    ) -> None:
        fresh = {metric for metric, days in touched.items() if not self._was_told(metric, days, before)}
        told = microseconds(self.upload.received_at)
        strands: dict[str, list[Strand]] = defaultdict(list)
        for key, judgement in judged.items():
            if key.metric in fresh and judgement.insert:
                rows = _rows_of_batch(batches[key], judgement.insert, told)
                strands[key.metric].append(Strand(self.states[key].series_id, key.source, key.grain, rows))
        known = {metric: days for metric, days in touched.items() if metric not in fresh}
        for metric, found in load_strands(self.connection, self.upload.person_id, self.states, known).items():
            strands[metric] += found
        write_rollups(self.connection, self.upload.person_id, self.rule_of, strands, touched, known)

    def _was_told(
        self, metric: str, days: Iterable[int], before: Mapping[int, tuple[int | None, int | None]]
    ) -> bool:
        """Whether any series of the metric held samples near these days before this upload."""
        begin = day_start_us(min(days)) - _OFFSET_SPAN_US
        end = day_start_us(max(days) + 1) + _OFFSET_SPAN_US
        for key, state in self.states.items():
            first, last = before[state.series_id]
            if key.metric == metric and first is not None and last is not None and first < end and last >= begin:
                return True
        return False


def write_rollups(
    connection: Connection,
    person_id: int,
    rule_of: RuleOf,
    strands: Mapping[str, Sequence[Strand]],
    touched: Mapping[str, set[int]],
    known: Mapping[str, set[int]],
) -> None:
    """Resolve the touched days of each metric and write them, in place of what was known of them."""
    told: list[tuple[str, Sequence[Day]]] = []
    for metric, days in touched.items():
        resolved = [day for day in resolve(rule_of(metric), strands.get(metric, ())) if day.day in days]
        if metric in known:
            rollups.forget_days(connection, person_id, metric, sorted(days))
        told.append((metric, resolved))
    if told:
        rollups.insert_days(connection, person_id, told)


def load_strands(
    connection: Connection,
    person_id: int,
    states: Mapping[SeriesKey, SeriesState],
    days: Mapping[str, set[int]],
) -> dict[str, list[Strand]]:
    """Read back all stored rows of these days of these metrics; neighbouring days may come in part."""
    keys = {state.series_id: key for key, state in states.items() if key.metric in days}
    windows = [
        Window(state.series_id, *span)
        for key, state in states.items()
        if key.metric in days
        for span in _spans(days[key.metric])
    ]
    rows: dict[int, list[HeldRow]] = defaultdict(list)
    for row in samples.held(connection, person_id, windows):
        rows[row.series_id].append(row)
    upload_ids = {row.upload_id for held in rows.values() for row in held}
    received = uploads.received_instants(connection, person_id, upload_ids) if upload_ids else {}
    strands: dict[str, list[Strand]] = defaultdict(list)
    for series_id, held in rows.items():
        key = keys[series_id]
        strands[key.metric].append(Strand(series_id, key.source, key.grain, _rows_of_held(held, received)))
    return strands


def _windows(state: SeriesState, batch: Batch) -> list[Window]:
    """Return where to look for what is held of a batch: one stretch, or each start where it is thinly spread."""
    first, last = min(batch.start), max(batch.start)
    if state.first is None or state.last is None or last < state.first or first > state.last:
        return []
    share = (min(last, state.last) - max(first, state.first)) / max(1, state.last - state.first)
    if state.samples * share > _SPARSE * len(batch) + 1_000:
        return [Window(state.series_id, start, start) for start in sorted(set(batch.start))]
    return [Window(state.series_id, first, last)]


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
    ordered = positions
    if any(later < earlier for earlier, later in zip(batch.start, batch.start[1:], strict=False)):
        ordered = sorted(positions, key=batch.start.__getitem__)
    elif len(positions) == len(batch):
        return Rows(
            batch.start,
            batch.offset,
            batch.duration,
            batch.value,
            batch.minimum,
            batch.maximum,
            [told] * len(batch),
        )
    return Rows(
        _at(batch.start, ordered),
        _at(batch.offset, ordered),
        _at(batch.duration, ordered),
        _at(batch.value, ordered),
        _at(batch.minimum, ordered) if batch.minimum else (),
        _at(batch.maximum, ordered) if batch.maximum else (),
        [told] * len(ordered),
    )


def _rows_of_held(held: Sequence[HeldRow], received: Mapping[int, int]) -> Rows:
    has_bounds = any(row.minimum is not None or row.maximum is not None for row in held)
    return Rows(
        [row.start for row in held],
        [row.offset for row in held],
        [row.duration for row in held],
        [row.value for row in held],
        [row.minimum for row in held] if has_bounds else (),
        [row.maximum for row in held] if has_bounds else (),
        [received[row.upload_id] for row in held],
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
    return Counts(
        received=received,
        stored=verdicts.count(Verdict.STORED),
        revised=verdicts.count(Verdict.REVISED),
        unchanged=verdicts.count(Verdict.UNCHANGED),
        superseded=verdicts.count(Verdict.SUPERSEDED),
        quarantined=quarantined,
    )
