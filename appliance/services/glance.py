"""Many metrics at a glance: the day's number, what was before it, and what is usual. One pass, cached like a series."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from appliance.cache.answers import AnswerCache
from appliance.catalog.load import Catalogue
from appliance.domain import usual
from appliance.domain.localday import instant, microseconds
from appliance.domain.usual import Band
from appliance.storage import glances, series
from appliance.storage.database import Database

SPARK_DAYS = 14
# Of so many days before, at least these were told of, and this share of them by the clock time that is told.
EXPECTED_OF_DAYS, EXPECTED_DAYS, EXPECTED_SHARE = 14, 10, 0.8


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest day told of. `at` is the instant of its last sample, where the metric has none of a later day."""

    day: date
    value: float | None
    minimum: float | None
    maximum: float | None
    samples: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Glance:
    """One metric on a day; values in its unit.

    `before` is the day before, up to the same clock time where the day is not over; `days` are the values of the
    last `SPARK_DAYS` days, None where nothing was told. `band` is of the `usual.DAYS` days before, for a sum of a day
    that is not over up to the same clock time.
    """

    metric: str
    unit: str
    is_sum: bool
    newest: Newest | None
    value: float | None
    before: float | None
    days: tuple[float | None, ...]
    band: Band | None


@dataclass(frozen=True, slots=True)
class Expected:
    """A metric that is usually told of by a clock time (s after local midnight) and is not yet."""

    metric: str
    clock_s: int


@dataclass(frozen=True, slots=True)
class DayGlance:
    """Glances by metric, those of which anything is held; whether anything is; and what is not in yet."""

    glances: dict[str, Glance]
    holds_anything: bool
    expected: tuple[Expected, ...]

    @property
    def unusual(self) -> list[Glance]:
        """The glances of the day itself that lie far out of their band, the farthest first."""
        far = [
            (glance.band.distance(glance.value), glance)
            for glance in self.glances.values()
            if glance.band is not None and glance.value is not None
        ]
        found = [each for each in far if each[0] >= usual.UNUSUAL_SPREADS]
        return [glance for _, glance in sorted(found, key=lambda each: (-each[0], each[1].metric))]


class Glances:
    """Answers what a page of many metrics asks."""

    def __init__(self, database: Database, answers: AnswerCache, catalogue: Catalogue) -> None:
        self._database = database
        self._answers = answers
        self._catalogue = catalogue

    def of_day(
        self, person_id: int, day: date, metrics: Collection[str] | None = None, *, until: time | None = None
    ) -> DayGlance:
        """Return these metrics (all held, without) on a local day.

        `until` is the local clock time up to which the day has been told of; None when it is over.
        """
        with self._database.transaction() as connection:
            generation = series.generation_of(connection, person_id)
        if not generation:
            return DayGlance({}, holds_anything=False, expected=())
        wanted = "" if metrics is None else ",".join(sorted(metrics))
        question = f"glance:{day}:{until}:{wanted}"
        found = self._answers.get(person_id, generation, question)
        if found is None:
            with self._database.transaction() as connection:
                told = self._look(connection, person_id, day, metrics, until)
            found = json.dumps(told, separators=(",", ":"), default=str).encode()
            self._answers.put(person_id, generation, question, found)
        return _read(json.loads(found))

    def _look(
        self,
        connection: Connection,
        person_id: int,
        day: date,
        metrics: Collection[str] | None,
        until: time | None,
    ) -> dict[str, Any]:
        held = {metric.metric: metric for metric in series.held_metrics(connection, person_id)}
        wanted = [name for name in held if metrics is None or name in metrics]
        # A night is told whole; whatever else adds up is compared as far as the day has come.
        partial = [] if until is None else [name for name in wanted if self._adds_up_along(name)]
        days: dict[str, dict[date, Row[Any]]] = defaultdict(dict)
        first = day - timedelta(days=usual.DAYS)
        for row in glances.of_days(
            connection, person_id, wanted, first, day, sums=partial, until=until or time()
        ):
            days[row.metric][row.day] = row
        newest = {row.metric: row for row in glances.newest(connection, person_id, wanted, day)}
        return {
            "holds_anything": bool(held),
            "glances": [
                {
                    "metric": name,
                    "unit": held[name].unit,
                    "newest": _newest(newest.get(name), held[name].last_at),
                    **self._numbers(name, day, days[name], is_partial=name in partial),
                }
                for name in wanted
            ],
            "expected": _expected(
                glances.first_hours(
                    connection,
                    person_id,
                    list(held),
                    day - timedelta(days=EXPECTED_OF_DAYS),
                    day,
                    EXPECTED_SHARE,
                )
            ),
        }

    def _adds_up_along(self, name: str) -> bool:
        """Whether a metric is a sum that grows in the course of a day."""
        known = self._catalogue.metrics.get(name)
        return known is not None and known.aggregate == "sum" and known.category != "sleep"

    def _numbers(
        self, name: str, day: date, rows: dict[date, Row[Any]], *, is_partial: bool
    ) -> dict[str, Any]:
        known = self._catalogue.metrics.get(name)
        is_sum = known is not None and known.aggregate == "sum"
        told = {at: row.so_far if is_partial else row.value for at, row in rows.items() if at != day}
        band = usual.usual([value for value in told.values() if value is not None])
        return {
            "is_sum": is_sum,
            "value": rows[day].value if day in rows else None,
            "before": told.get(day - timedelta(days=1)),
            "days": [
                rows[at].value if (at := day - timedelta(days=back)) in rows else None
                for back in reversed(range(SPARK_DAYS))
            ],
            "band": asdict(band) if band else None,
        }


def _newest(row: Row[Any] | None, last_at: datetime) -> dict[str, Any] | None:
    if row is None:
        return None
    hour, at = row.last_hour, None
    # A day keeps its hours; the instant itself is known of the newest sample of all.
    if hour is not None and hour <= last_at < hour + timedelta(hours=1):
        at = instant(microseconds(last_at), row.utc_offset).isoformat()
    return {
        "day": row.day,
        "value": row.value,
        "minimum": row.min,
        "maximum": row.max,
        "samples": row.samples,
        "at": at,
    }


def _expected(rows: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    return [
        {"metric": row.metric, "clock_s": int(row.clock_s)}
        for row in rows
        if not row.is_in and row.days >= EXPECTED_DAYS
    ]


def _read(told: dict[str, Any]) -> DayGlance:
    found = {}
    for one in told["glances"]:
        newest = one["newest"]
        found[one["metric"]] = Glance(
            metric=one["metric"],
            unit=one["unit"],
            is_sum=one["is_sum"],
            newest=newest
            and Newest(
                date.fromisoformat(newest["day"]),
                newest["value"],
                newest["minimum"],
                newest["maximum"],
                newest["samples"],
                newest["at"] and datetime.fromisoformat(newest["at"]),
            ),
            value=one["value"],
            before=one["before"],
            days=tuple(one["days"]),
            band=one["band"] and Band(**one["band"]),
        )
    return DayGlance(found, told["holds_anything"], tuple(Expected(**each) for each in told["expected"]))
