"""Whether the stored rollups are what the stored samples tell; what is not is mended and reported."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import structlog

from appliance.catalog.load import Catalogue
from appliance.domain.job import JobResult, Outcome
from appliance.services.resolving import compare, mend
from appliance.services.rules import rules_of
from appliance.storage import jobs, people, rollups, series
from appliance.storage.database import Database, lock_person

JOB = "verify_rollups"  # the name in the table of jobs, under which the place to go on at is found again
DAYS_AT_ONCE = 92
# What one night looks at; ten years of a hundred metrics are looked through within some nights.
MOST_DAYS = 100_000
LONGEST_S = 120.0
NAMED = 200

log = structlog.get_logger("hearthbeat.upkeep")

_FIRST_DAY = date(1970, 1, 1)


class Stretch(NamedTuple):
    """Some days of a metric of a person; numbers from 1970-01-01, both ends included."""

    person_id: int
    metric: str
    first: int
    last: int


class Verifying:
    """Resolves days again by the same pure function that storing uses, and compares."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    def verify_rollups(self, *, most_days: int = MOST_DAYS, longest_s: float = LONGEST_S) -> JobResult:
        """Look at as many days as fit into a run, going on where the run before ended, and mend what is untrue.

        Every calendar day between the first and the last sample or rollup of a metric is looked at: a missing
        rollup is as wrong as a false one. Uploads are not held up: only a day that looks wrong is looked at again
        under the person's lock, and written in that transaction. `result` names metric, day and person of what was
        mended, never a value.
        """
        deadline = time.monotonic() + longest_s
        looked_at, mended = 0, list[dict[str, Any]]()
        place: list[Any] | None = None
        for stretch in self._in_order():
            if looked_at >= most_days or time.monotonic() > deadline:
                place = list(stretch[:3])
                break
            mended += self._look_at(stretch)
            looked_at += stretch.last - stretch.first + 1
        result = {"days": looked_at, "mended": len(mended), "mended_days": mended[:NAMED], "go_on_at": place}
        if not mended:
            return JobResult(f"{looked_at:,} days are what their samples tell.", result)
        return JobResult(
            f"{len(mended)} of {looked_at:,} days were not what their samples tell, and are mended.",
            result,
            Outcome.FOUND,
        )

    def _in_order(self) -> Sequence[Stretch]:
        """Return all there is to look at, beginning where the last run ended."""
        with self._database.transaction() as connection:
            last = jobs.latest_done(connection, [JOB]).get(JOB)
            stretches = [
                Stretch(person.person_id, metric, begin, min(begin + DAYS_AT_ONCE - 1, final))
                for person in people.everyone(connection)
                for metric, (first, final) in sorted(
                    rollups.days_to_look_at(connection, person.person_id).items()
                )
                for begin in range(first, final + 1, DAYS_AT_ONCE)
            ]
        place = tuple(last.result.get("go_on_at") or ()) if last else ()
        at = next((n for n, stretch in enumerate(stretches) if stretch[:3] >= place), 0) if place else 0
        return stretches[at:] + stretches[:at]

    def _look_at(self, stretch: Stretch) -> Iterator[dict[str, Any]]:
        days = set(range(stretch.first, stretch.last + 1))
        if not self._untrue(stretch, days, repair=False):
            return
        for number in sorted(self._untrue(stretch, days, repair=True)):
            day = (_FIRST_DAY + timedelta(days=number)).isoformat()
            log.warning("rollup_mended", person_id=stretch.person_id, metric=stretch.metric, day=day)
            yield {"person_id": stretch.person_id, "metric": stretch.metric, "day": day}

    def _untrue(self, stretch: Stretch, days: set[int], *, repair: bool) -> set[int]:
        person_id, metric = stretch.person_id, stretch.metric
        with self._database.transaction() as connection:
            if repair:
                lock_person(connection, person_id)
            states = series.of_person(connection, person_id, [metric])
            rule_of = rules_of(connection, person_id, self._catalogue)
            untrue = compare(connection, person_id, rule_of, states, metric, days)
            if repair and untrue.numbers:
                mend(connection, person_id, metric, untrue)
                # A new generation, so that no cached answer tells the old numbers.
                series.changed(connection, person_id, list(states.values()))
            return untrue.numbers
