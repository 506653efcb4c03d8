"""Everything a person holds, handed out row by row with flat memory.

Rows are read in pages, each in a transaction of its own, along the key of the table: nothing is sorted, no
connection is held while a slow client takes its time, and a client that goes away costs nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from appliance.domain.localday import midnight
from appliance.foundation.errors import BadQuery, NotFound
from appliance.services.lookup import FIRST_DAY, LAST_DAY
from appliance.storage import rollups, samples, series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from appliance.catalog.load import Catalogue
    from appliance.storage.database import Database
    from appliance.storage.series import HeldMetric, SeriesState

PAGE_ROWS = 10_000
MAX_METRICS = 500


class What(StrEnum):
    """Samples as they are stored, or the resolved truth of each local day."""

    SAMPLES = "samples"
    DAYS = "days"


class Exported(NamedTuple):
    """One row of an export. `start` and `end` carry the offset of where the person was, `utc_offset` in seconds.

    A day's row has no source and no upload: it may come from several.
    """

    metric: str
    start: datetime
    end: datetime
    value: float | None
    min: float | None
    max: float | None
    unit: str
    source: str
    grain: str
    utc_offset: int
    upload_id: int | None


Page = list[Exported]


@dataclass(frozen=True, slots=True)
class Span:
    """A window of time: [start, end) for samples, first to last local day, both included, for days."""

    start: datetime | None = None
    end: datetime | None = None
    first: date | None = None
    last: date | None = None


class Export:
    """Hands out a person's samples and days."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    def pages(self, person_id: int, names: Sequence[str], what: What, span: Span) -> Iterator[Page]:
        """Return pages of rows, by metric; of samples further by series, and by start.

        Without names, every metric held. Raises `NotFound` for a metric not held and `BadQuery` for too many
        names or a window that ends before it starts, at once and not when the first page is taken.
        """
        if len(names) > MAX_METRICS:
            raise BadQuery(f"Ask for at most {MAX_METRICS} metrics at a time, or name none to get all.")
        if span.start and span.end and span.end < span.start:
            raise BadQuery("“end” lies before “start”.")
        with self._database.transaction() as connection:
            held = series.held_metrics(connection, person_id)
        wanted = self._wanted(held, names)
        page_of = self._samples if what is What.SAMPLES else self._days
        return (page for metric in wanted for page in page_of(person_id, metric, span))

    def _wanted(self, held: Iterable[HeldMetric], names: Sequence[str]) -> list[HeldMetric]:
        by_key = {metric.metric: metric for metric in held}
        if not names:
            return list(by_key.values())
        keys = {}
        for name in names:
            known = self._catalogue.metric(name)
            key = known.key if known else name
            if key not in by_key:
                raise NotFound(f"No samples of “{name[:80]}” are held.")
            keys[key] = by_key[key]
        return list(keys.values())

    def _samples(self, person_id: int, metric: HeldMetric, span: Span) -> Iterator[Page]:
        with self._database.transaction() as connection:
            states = series.of_person(connection, person_id, [metric.metric]).values()
        for state in sorted(states, key=lambda state: state.series_id):
            yield from self._series(person_id, state, span)

    def _series(self, person_id: int, state: SeriesState, span: Span) -> Iterator[Page]:
        key = state.key
        zones = _Zones()
        after = None
        while True:
            with self._database.transaction() as connection:
                rows = samples.page_of_series(
                    connection,
                    person_id,
                    state.series_id,
                    start=span.start,
                    end=span.end,
                    after=after,
                    limit=PAGE_ROWS,
                )
            if not rows:
                return
            page = []
            for start_at, offset, duration, value, low, high, upload_id in rows:
                start = start_at.astimezone(zones[offset])
                end = start + timedelta(seconds=duration)
                page.append(
                    Exported(
                        key.metric,
                        start,
                        end,
                        value,
                        low,
                        high,
                        key.unit,
                        key.source,
                        str(key.grain),
                        offset,
                        upload_id,
                    )
                )
            yield page
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1].start_at

    def _days(self, person_id: int, metric: HeldMetric, span: Span) -> Iterator[Page]:
        with self._database.transaction() as connection:
            rows = rollups.day_values(
                connection, person_id, metric.metric, span.first or FIRST_DAY, span.last or LAST_DAY
            )
        page = []
        for row in rows:
            start = midnight(row.day, row.utc_offset)
            end = start + timedelta(days=1)
            numbers = (row.value, row.min, row.max)
            page.append(
                Exported(metric.metric, start, end, *numbers, metric.unit, "", "day", row.utc_offset, None)
            )
        if page:
            yield page


class _Zones(dict[int, timezone]):
    def __missing__(self, offset: int) -> timezone:
        self[offset] = zone = timezone(timedelta(seconds=offset))
        return zone
