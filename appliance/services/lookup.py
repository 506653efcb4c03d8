"""Reads: which metrics are held, their samples, and the resolved truth by hour, day, week and month."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from appliance.cache.answers import AnswerCache
from appliance.catalog.load import Catalogue
from appliance.domain.localday import instant, midnight
from appliance.domain.sample import source_parts
from appliance.foundation.errors import BadQuery, NotFound
from appliance.storage import rollups, samples, series
from appliance.storage.database import Database
from appliance.storage.series import HeldMetric

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2100, 12, 31)
MAX_HOURLY_DAYS = 366 * 5


class Bucket(StrEnum):
    """How wide the answer's buckets are."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Point:
    """The truth of one bucket. `start` carries the offset of where the person was; value in the metric's unit."""

    start: datetime
    value: float | None
    minimum: float | None
    maximum: float | None
    count: int

    def as_dict(self) -> dict[str, Any]:
        """Return the point as the API sends it."""
        return {
            "start": self.start.isoformat(),
            "value": self.value,
            "min": self.minimum,
            "max": self.maximum,
            "count": self.count,
        }


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric that a person holds samples of."""

    held: HeldMetric
    display_name: str
    category: str
    kind: str | None
    aggregate: str | None
    decimals: int

    @property
    def is_known(self) -> bool:
        """Whether the catalogue has a row for it."""
        return self.kind is not None


@dataclass(frozen=True, slots=True)
class MetricOfDay:
    """One metric's truth of one day, in its unit."""

    metric: str
    display_name: str
    unit: str
    point: Point


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells of a metric, and how finely: the samples held from it, and the instants they lie between."""

    source: str
    grain: str
    samples: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class SamplePage:
    """Samples as stored, and the place to go on from (None at the end)."""

    rows: Sequence[Row[Any]]
    following: tuple[datetime, int] | None


class Lookup:
    """Answers questions about one person's samples."""

    def __init__(self, database: Database, answers: AnswerCache, catalogue: Catalogue) -> None:
        self._database = database
        self._answers = answers
        self._catalogue = catalogue

    def metrics(self, person_id: int) -> list[MetricSummary]:
        """Return every metric held, ordered by key."""
        with self._database.transaction() as connection:
            held = series.held_metrics(connection, person_id)
        return [self._summary(metric) for metric in held]

    def tellers(self, person_id: int, name: str) -> list[Teller]:
        """Return who tells of a metric, who told most first. Raises `NotFound` for a metric not held."""
        with self._database.transaction() as connection:
            metric, _ = self._held(connection, person_id, name)
            states = series.of_person(connection, person_id, [metric]).values()
        found = [
            Teller(
                state.key.source,
                state.key.grain.value,
                state.samples,
                instant(state.first, state.least_offset or 0),
                instant(state.last, state.greatest_offset or 0),
            )
            for state in states
            if state.first is not None and state.last is not None
        ]
        return sorted(found, key=lambda teller: (-teller.samples, teller.source, teller.grain))

    def samples(
        self,
        person_id: int,
        name: str,
        *,
        start: datetime | None,
        end: datetime | None,
        after: tuple[datetime, int] | None,
        limit: int,
    ) -> SamplePage:
        """Return stored samples of a metric in [start, end). Raises `NotFound` for a metric not held."""
        with self._database.transaction() as connection:
            metric, _ = self._held(connection, person_id, name)
            rows = samples.page(
                connection, person_id, metric, start=start, end=end, after=after, limit=limit + 1
            )
        following = (rows[limit - 1].start_at, rows[limit - 1].series_id) if len(rows) > limit else None
        return SamplePage(rows[:limit], following)

    def series(
        self, person_id: int, name: str, *, first: date | None, last: date | None, bucket: Bucket
    ) -> list[Point]:
        """Return the truth of a metric from the first to the last local day, both included, ordered by start.

        Buckets without data are absent. Weeks begin on Monday (ISO 8601). Raises `NotFound` for a metric not
        held and `BadQuery` for days out of order or too many hours.
        """
        first, last = first or FIRST_DAY, last or LAST_DAY
        _check_span(first, last)
        with self._database.transaction() as connection:
            metric, _ = self._held(connection, person_id, name)
            # Hours are most of what a day's row holds, and only a series by the hour shows them.
            read = rollups.of_days if bucket is Bucket.HOUR else rollups.day_values
            rows = read(connection, person_id, metric, first, last)
        # What is held counts, not what is asked: a window may be open at either end.
        if bucket is Bucket.HOUR and rows and (rows[-1].day - rows[0].day).days > MAX_HOURLY_DAYS:
            raise BadQuery("Ask for at most five years by the hour at a time.")
        known = self._catalogue.metrics.get(metric)
        return _points(rows, bucket, known.aggregate if known else None)

    def day(self, person_id: int, day: date) -> list[MetricOfDay]:
        """Return the truth of every metric told of one local day, ordered by key."""
        with self._database.transaction() as connection:
            units = {held.metric: held.unit for held in series.held_metrics(connection, person_id)}
            rows = rollups.of_everything(connection, person_id, day)
        return [
            MetricOfDay(
                row.metric, self._display_name(row.metric), units.get(row.metric, ""), _day_point(row)
            )
            for row in rows
        ]

    def _display_name(self, metric: str) -> str:
        row = self._catalogue.metrics.get(metric)
        return row.display_name if row else metric.replace("_", " ").capitalize()

    def series_json(
        self, person_id: int, name: str, *, first: date | None, last: date | None, bucket: Bucket
    ) -> bytes:
        """Return `series` as JSON, from the cache when the metric has not changed since."""
        with self._database.transaction() as connection:
            metric, generation = self._held(connection, person_id, name)
        question = f"series:{metric}:{first}:{last}:{bucket}"

        def compute() -> list[dict[str, Any]]:
            return [
                point.as_dict()
                for point in self.series(person_id, metric, first=first, last=last, bucket=bucket)
            ]

        return self._answered(person_id, generation, question, compute)

    def _answered(self, person_id: int, generation: int, question: str, compute: Callable[[], Any]) -> bytes:
        held = self._answers.get(person_id, generation, question)
        if held is not None:
            return held
        answer = json.dumps(compute(), separators=(",", ":")).encode()
        self._answers.put(person_id, generation, question, answer)
        return answer

    def _held(self, connection: Connection, person_id: int, name: str) -> tuple[str, int]:
        """Return the key under which a metric is stored, and the number of its present state."""
        metric = self._catalogue.metric(name)
        key = metric.key if metric else name
        generation = series.generation_of(connection, person_id, key)
        if not generation:
            raise NotFound(f"No samples of “{name[:80]}” are held.")
        return key, generation

    def _summary(self, held: HeldMetric) -> MetricSummary:
        row = self._catalogue.metrics.get(held.metric)
        sources = sorted({part for source in held.sources for part in source_parts(source)})
        held = HeldMetric(
            held.metric, held.unit, held.samples, held.first_at, held.last_at, tuple(sources), held.grains
        )
        if row is None:
            return MetricSummary(held, self._display_name(held.metric), "new", None, None, 2)
        return MetricSummary(held, row.display_name, row.category, row.kind, row.aggregate, row.decimals)


def _check_span(first: date, last: date) -> None:
    if last < first:
        raise BadQuery("“end” lies before “start”.")


def _points(rows: Sequence[Row[Any]], bucket: Bucket, aggregate: str | None) -> list[Point]:
    if bucket is Bucket.HOUR:
        return [point for row in rows for point in _hours(row)]
    days = [_day_point(row) for row in rows]
    if bucket is Bucket.DAY:
        return days
    return list(_wider(days, bucket, aggregate))


def _day_point(row: Row[Any]) -> Point:
    return Point(midnight(row.day, row.utc_offset), row.value, row.min, row.max, row._mapping["count"])


def _hours(row: Row[Any]) -> Iterable[Point]:
    offset = midnight(row.day, row.utc_offset).tzinfo
    for start, value, low, high, count in zip(
        row.hour_start, row.hour_value, row.hour_min, row.hour_max, row.hour_count, strict=True
    ):
        yield Point(start.astimezone(offset), value, low, high, count)


def _wider(days: Sequence[Point], bucket: Bucket, aggregate: str | None) -> Iterable[Point]:
    groups: dict[date, list[Point]] = {}
    for point in days:
        day = point.start.date()
        opening = day - timedelta(days=day.weekday()) if bucket is Bucket.WEEK else day.replace(day=1)
        groups.setdefault(opening, []).append(point)
    for opening, points in groups.items():
        first = points[0].start
        yield Point(
            datetime(opening.year, opening.month, opening.day, tzinfo=first.tzinfo),
            _together(points, aggregate),
            min((p.minimum for p in points if p.minimum is not None), default=None),
            max((p.maximum for p in points if p.maximum is not None), default=None),
            sum(p.count for p in points),
        )


def _together(points: Sequence[Point], aggregate: str | None) -> float | None:
    """Return the value of several days: sums add up, averages count each day once, the last one stands."""
    values = [point.value for point in points if point.value is not None]
    if not values or aggregate is None:
        return None
    match aggregate:
        case "sum":
            return sum(values)
        case "avg":
            return sum(values) / len(values)
        case "max":
            return max(values)
        case _:
            return values[-1]
