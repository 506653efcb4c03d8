"""Series and their sources: who told what, how finely, and what of it is held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from appliance.domain.localday import microseconds
from appliance.domain.sample import Grain, SeriesKey
from appliance.storage.among import among
from appliance.storage.tables import series, source


@dataclass(slots=True)
class SeriesState:
    """What is held of one series; None while it is empty.

    `first` and `last` start in µs since 1970; the offsets bound all that its samples came with, in seconds.
    """

    series_id: int
    key: SeriesKey
    samples: int = 0
    first: int | None = None
    last: int | None = None
    least_offset: int | None = None
    greatest_offset: int | None = None

    def grow(self, starts: Sequence[int], offsets: Sequence[int]) -> None:
        """Count new samples in."""
        self.samples += len(starts)
        self.first = _widened(min, starts, self.first)
        self.last = _widened(max, starts, self.last)
        self.least_offset = _widened(min, offsets, self.least_offset)
        self.greatest_offset = _widened(max, offsets, self.greatest_offset)


def _widened(bound: Callable[[Iterable[int]], int], new: Sequence[int], held: int | None) -> int:
    return bound(new) if held is None else bound((bound(new), held))


@dataclass(frozen=True, slots=True)
class HeldMetric:
    """A metric of which a person holds samples, over all of its series."""

    metric: str
    unit: str
    samples: int
    first_at: datetime
    last_at: datetime
    sources: tuple[str, ...]
    grains: tuple[str, ...]


def of_person(
    connection: Connection, person_id: int, metrics: Iterable[str] | None
) -> dict[SeriesKey, SeriesState]:
    """Return every series this person has of these metrics, or of all."""
    query = (
        select(
            series.c.series_id,
            series.c.metric,
            source.c.name,
            series.c.grain,
            series.c.unit,
            series.c.samples,
            series.c.first_at,
            series.c.last_at,
            series.c.least_offset,
            series.c.greatest_offset,
        )
        .join_from(
            series,
            source,
            (series.c.person_id == source.c.person_id) & (series.c.source_id == source.c.source_id),
        )
        .where(series.c.person_id == person_id)
    )
    if metrics is not None:
        query = query.where(among(series.c.metric, metrics))
    found = {}
    for row in connection.execute(query):
        key = SeriesKey(row.metric, row.name, Grain(row.grain), row.unit)
        found[key] = SeriesState(
            row.series_id,
            key,
            row.samples,
            None if row.first_at is None else microseconds(row.first_at),
            None if row.last_at is None else microseconds(row.last_at),
            row.least_offset,
            row.greatest_offset,
        )
    return found


def add(connection: Connection, person_id: int, keys: Sequence[SeriesKey]) -> dict[SeriesKey, SeriesState]:
    """Add series, and sources where they are new. The caller holds the person's lock."""
    if not keys:
        return {}
    names = sorted({key.source for key in keys})
    connection.execute(
        upsert(source).on_conflict_do_nothing(), [{"person_id": person_id, "name": name} for name in names]
    )
    found = select(source.c.name, source.c.source_id).where(
        source.c.person_id == person_id, among(source.c.name, names)
    )
    source_ids = {row.name: row.source_id for row in connection.execute(found)}
    names_of = {source_id: name for name, source_id in source_ids.items()}
    rows = connection.execute(
        upsert(series).returning(
            series.c.series_id, series.c.metric, series.c.source_id, series.c.grain, series.c.unit
        ),
        [
            {
                "person_id": person_id,
                "metric": key.metric,
                "source_id": source_ids[key.source],
                "grain": key.grain,
                "unit": key.unit,
            }
            for key in keys
        ],
    )
    added = {}
    for row in rows:
        key = SeriesKey(row.metric, names_of[row.source_id], Grain(row.grain), row.unit)
        added[key] = SeriesState(row.series_id, key)
    return added


def changed(connection: Connection, person_id: int, states: Sequence[SeriesState]) -> None:
    """Write what these series hold now, and draw them a new generation so that cached answers are forgotten."""
    if not states:
        return
    connection.execute(
        text(
            """
            UPDATE series SET
                samples = new.samples,
                first_at = timestamptz 'epoch' + new.first * interval '1 microsecond',
                last_at = timestamptz 'epoch' + new.last * interval '1 microsecond',
                least_offset = new.least,
                greatest_offset = new.greatest,
                generation = nextval('generation')
            FROM unnest(
                CAST(:ids AS bigint[]), CAST(:samples AS bigint[]), CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]),
                CAST(:leasts AS integer[]), CAST(:greatests AS integer[])
            ) AS new(series_id, samples, first, last, least, greatest)
            WHERE series.person_id = :person AND series.series_id = new.series_id
            """
        ),
        {
            "person": person_id,
            "ids": [state.series_id for state in states],
            "samples": [state.samples for state in states],
            "firsts": [state.first for state in states],
            "lasts": [state.last for state in states],
            "leasts": [state.least_offset for state in states],
            "greatests": [state.greatest_offset for state in states],
        },
    )


def held_metrics(connection: Connection, person_id: int) -> list[HeldMetric]:
    """Return every metric of which this person holds samples, ordered by key."""
    rows = connection.execute(
        select(
            series.c.metric,
            func.max(series.c.unit).label("unit"),
            func.sum(series.c.samples).label("samples"),
            func.min(series.c.first_at).label("first_at"),
            func.max(series.c.last_at).label("last_at"),
            func.array_agg(source.c.name.distinct()).label("sources"),
            func.array_agg(series.c.grain.distinct()).label("grains"),
        )
        .join_from(
            series,
            source,
            (series.c.person_id == source.c.person_id) & (series.c.source_id == source.c.source_id),
        )
        .where(series.c.person_id == person_id, series.c.samples > 0)
        .group_by(series.c.metric)
        .order_by(series.c.metric)
    )
    return [
        HeldMetric(
            row.metric,
            row.unit,
            int(row.samples),
            row.first_at,
            row.last_at,
            tuple(row.sources),
            tuple(row.grains),
        )
        for row in rows
    ]


def generation_of(connection: Connection, person_id: int, metric: str | None = None) -> int:
    """Return the number that names the state of a metric (or of all): it is new whenever any of it changed."""
    query = select(func.coalesce(func.max(series.c.generation), 0)).where(series.c.person_id == person_id)
    if metric is not None:
        query = query.where(series.c.metric == metric)
    return int(connection.execute(query).scalar_one())


def all_generations(connection: Connection) -> set[tuple[int, int]]:
    """Return every person and generation that names the present state of a series."""
    return {
        (row.person_id, row.generation)
        for row in connection.execute(select(series.c.person_id, series.c.generation))
    }
