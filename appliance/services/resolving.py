"""Resolving again what is held: after the order of sources changed, or to see whether the rollups are true."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from appliance.domain.localday import day_number, day_start_us
from appliance.domain.sample import GRAIN_SECONDS, SECOND_US, Grain, SeriesKey, Stored, local_day
from appliance.domain.truth import Day, Rows, Strand, overlaps_itself, resolve
from appliance.services.rules import RuleOf
from appliance.storage import rollups, samples, series, uploads
from appliance.storage.samples import Window
from appliance.storage.series import SeriesState

DAYS_AT_ONCE = 366

# Grains so fine that two of their buckets do not meet; a series of one that tells alone needs no more than its numbers.
_TELLS_ITS_WIDTH = {Grain.RAW, Grain.SECOND, Grain.MINUTE}


def resolve_days(
    connection: Connection,
    person_id: int,
    rule_of: RuleOf,
    states: Mapping[SeriesKey, SeriesState],
    days: Mapping[str, set[int]],
) -> dict[str, list[Day]]:
    """Return the truth of these local days of each metric, from the stored samples."""
    strands = load_strands(connection, person_id, states, days)
    return {
        metric: [day for day in resolve(rule_of(metric), strands.get(metric, ())) if day.day in wanted]
        for metric, wanted in days.items()
    }


def resolve_again(
    connection: Connection, person_id: int, rule_of: RuleOf, metrics: Iterable[str]
) -> dict[str, int]:
    """Recompute every rollup of these metrics and return how many days changed, by metric.

    The caller holds the person's lock.
    """
    changed: dict[str, int] = {}
    for metric in metrics:
        states = series.of_person(connection, person_id, [metric])
        changed[metric] = 0
        for days in _stretches(connection, person_id, metric):
            untrue = compare(connection, person_id, rule_of, states, metric, days)
            mend(connection, person_id, metric, untrue)
            changed[metric] += len(untrue.numbers)
        if changed[metric]:
            series.changed(connection, person_id, list(states.values()))
    return changed


@dataclass(frozen=True, slots=True)
class Untrue:
    """Days (numbers from 1970-01-01) whose rollup is missing, or not what the samples tell, or of no samples at all."""

    different: list[Day]
    gone: set[int]

    @property
    def numbers(self) -> set[int]:
        """All of them."""
        return self.gone | {day.day for day in self.different}


def compare(
    connection: Connection,
    person_id: int,
    rule_of: RuleOf,
    states: Mapping[SeriesKey, SeriesState],
    metric: str,
    days: set[int],
) -> Untrue:
    """Resolve these days of a metric from the stored samples and return those whose rollup tells otherwise."""
    held = {day_number(row.day): row for row in rollups.of_numbers(connection, person_id, metric, days)}
    resolved = resolve_days(connection, person_id, rule_of, states, {metric: days})[metric]
    different = [day for day in resolved if not rollups.tells(held.get(day.day), day)]
    return Untrue(different, held.keys() - {day.day for day in resolved})


def mend(connection: Connection, person_id: int, metric: str, untrue: Untrue) -> None:
    """Write what is true of these days. The caller holds the person's lock."""
    rewrite(connection, person_id, {metric: untrue.different}, {metric: untrue.numbers})


def rewrite(
    connection: Connection,
    person_id: int,
    resolved: Mapping[str, list[Day]],
    known: Mapping[str, set[int]],
) -> None:
    """Write the truth of days, in place of what was known of them."""
    if any(known.values()):
        rollups.forget_days(connection, person_id, known)
    if any(resolved.values()):
        rollups.insert_days(connection, person_id, resolved.items())


def load_strands(
    connection: Connection,
    person_id: int,
    states: Mapping[SeriesKey, SeriesState],
    days: Mapping[str, set[int]],
) -> dict[str, list[Strand]]:
    """Read back all stored rows of these days of these metrics; of a traveller's neighbouring days some come too."""
    keys = {state.series_id: key for key, state in states.items() if days.get(key.metric)}
    windows = [
        Window(state.series_id, *span)
        for key, state in states.items()
        for span in _spans(state, days.get(key.metric, ()))
    ]
    told_by = Counter(keys[window.series_id].metric for window in windows)
    alone = {
        series_id
        for series_id, key in keys.items()
        if told_by[key.metric] == 1 and key.grain in _TELLS_ITS_WIDTH
    }
    found = samples.held(
        connection, person_id, [window for window in windows if window.series_id in alone], numbers_only=True
    ) | samples.held(connection, person_id, [window for window in windows if window.series_id not in alone])
    strands: dict[str, list[Strand]] = defaultdict(list)
    for series_id, stored in found.items():
        key = keys[series_id]
        strands[key.metric].append(
            Strand(series_id, key.source, key.grain, _rows_of_stored(stored, key.grain))
        )
    contested = {
        metric
        for metric, several in strands.items()
        if len(several) > 1 or any(map(overlaps_itself, several))
    }
    upload_ids = {
        upload_id
        for series_id, stored in found.items()
        if keys[series_id].metric in contested
        for upload_id in stored.upload_id
    }
    if upload_ids:
        received = uploads.received_instants(connection, person_id, upload_ids)
        for metric in contested:
            strands[metric] = [
                strand._replace(
                    rows=replace(strand.rows, told=[received[n] for n in found[strand.series_id].upload_id]),
                )
                for strand in strands[metric]
            ]
    return strands


def _stretches(connection: Connection, person_id: int, metric: str) -> Iterator[set[int]]:
    days = rollups.all_days(connection, person_id, metric)
    for begin in range(0, len(days), DAYS_AT_ONCE):
        yield set(days[begin : begin + DAYS_AT_ONCE])


def _spans(state: SeriesState, days: Iterable[int]) -> list[tuple[int, int]]:
    """Return disjoint stretches of time (both ends included) that hold every sample of these local days."""
    if (
        state.first is None
        or state.last is None
        or state.least_offset is None
        or state.greatest_offset is None
    ):
        return []
    spans: list[tuple[int, int]] = []
    for day in sorted(days):
        begin = day_start_us(day) - state.greatest_offset * SECOND_US
        end = day_start_us(day + 1) - state.least_offset * SECOND_US - 1
        if end < state.first or begin > state.last:
            continue
        if spans and begin <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
    return spans


def _rows_of_stored(stored: Stored, grain: Grain) -> Rows:
    days = [local_day(stored.start[0], stored.offset[0])] * len(stored)
    if min(stored.offset) != max(stored.offset) or local_day(stored.start[-1], stored.offset[-1]) != days[0]:
        days = [local_day(start, offset) for start, offset in zip(stored.start, stored.offset, strict=True)]
    return Rows(
        stored.start,
        stored.offset,
        days,
        stored.duration or [GRAIN_SECONDS[grain]] * len(stored),
        stored.value,
        stored.minimum,
        stored.maximum,
        (),
    )
