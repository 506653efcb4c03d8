"""Why a day's number is what it is: every candidate, what of it counts, and the rule that chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from appliance.catalog.load import Catalogue
from appliance.domain.localday import day_number, instant
from appliance.domain.truth import Day, Rule, Told, aggregate, choose, resolve
from appliance.foundation.errors import NotFound
from appliance.services.resolving import load_strands
from appliance.services.rules import rules_of
from appliance.storage import samples, series
from appliance.storage.database import Database


@dataclass(frozen=True, slots=True)
class Candidate:
    """One series that tells of the day. Amounts in the metric's unit.

    `subtotal` is what it says alone; `counted` is what of it went into the day's value (for a sum: its share) and
    `removed` what was left out because something better covers the same time.
    """

    source: str
    grain: str
    samples: int
    subtotal: float | None
    samples_counted: int
    counted: float | None
    removed: float | None
    upload_ids: tuple[int, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Revision:
    """A value a sample of this day had before."""

    start: datetime
    value: float | None
    upload_id: int
    replaced_by: int
    replaced_at: datetime


@dataclass(frozen=True, slots=True)
class Explanation:
    """A day's number and where it comes from, the most trusted candidate first."""

    metric: str
    unit: str
    aggregate: str | None
    day: date
    truth: Day
    rule: str
    candidates: tuple[Candidate, ...]
    revisions: tuple[Revision, ...]


_RULES = {
    "sum": (
        "The day is laid along the time line: statistics of days and hours before raw samples, those before minutes;"
        " joined sources before their parts; then by your order of sources. Each further candidate adds only time that"
        " nothing better covers."
    ),
    "avg": "The average of the finest samples of the best source of each hour.",
    "last": "The last sample of the day.",
    "max": "The highest sample of the day.",
}
_WHOLE_RULE = (
    "A night is told whole by one source, and never put together of several: the first in your order of sources, then"
    " the one that tells most. The night itself shows its stages and how it was chosen."
)
_UNKNOWN_RULE = "This metric is new to the catalogue, so it has no day value yet; its lowest and highest samples are shown."


class Explaining:
    """Explains numbers."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    def day(self, person_id: int, name: str, day: date) -> Explanation:
        """Explain one day of one metric. Raises `NotFound` when nothing is held of it."""
        known = self._catalogue.metric(name)
        metric = known.key if known else name
        number = day_number(day)
        with self._database.transaction() as connection:
            rule = rules_of(connection, person_id, self._catalogue)(metric)
            states = series.of_person(connection, person_id, [metric])
            strands = [
                strand
                for strand in load_strands(connection, person_id, states, {metric: {number}}).get(metric, [])
                if number in strand.rows.day
            ]
            ids = {
                s.series_id: samples.upload_ids(connection, person_id, s.series_id, s.rows) for s in strands
            }
            revised = samples.revisions(
                connection,
                person_id,
                [strand.series_id for strand in strands],
                instant(min((min(s.rows.start) for s in strands), default=0), 0),
                instant(max((max(s.rows.start) for s in strands), default=0) + 1, 0),
            )
        truth = next((found for found in resolve(rule, strands) if found.day == number), None)
        if truth is None:
            raise NotFound(f"Nothing of “{name[:80]}” is held for {day}.")
        told = choose(rule, strands)
        return Explanation(
            metric=metric,
            unit=next(iter(states)).unit,
            aggregate=rule.aggregate,
            day=day,
            truth=truth,
            rule=_WHOLE_RULE if rule.one_source else _RULES.get(rule.aggregate or "", _UNKNOWN_RULE),
            candidates=tuple(_candidates(rule, told, ids)),
            revisions=tuple(
                Revision(row.start_at, row.value, row.upload_id, row.replaced_by, row.replaced_at)
                for row in revised
            ),
        )


def _candidates(rule: Rule, told: Sequence[Told], ids: dict[int, tuple[int, ...]]) -> list[Candidate]:
    found = []
    for place, part in enumerate(told):
        whole = Told(part.strand, part.strand.rows)
        subtotal = aggregate(rule, [whole])[0]
        counted = aggregate(rule, [part])[0] if len(part.rows) else None
        removed = None
        if rule.cumulative and subtotal is not None:
            removed = subtotal - (counted or 0.0)
        found.append(
            Candidate(
                source=part.strand.source,
                grain=part.strand.grain.value,
                samples=len(part.strand.rows),
                subtotal=subtotal,
                samples_counted=len(part.rows),
                counted=counted,
                removed=removed,
                upload_ids=ids[part.strand.series_id],
                why=_why(place, part),
            )
        )
    return found


def _why(place: int, part: Told) -> str:
    if place == 0:
        return "Most trusted for this day."
    if not len(part.rows):
        return "Tells the same time as something more trusted, so it is not counted."
    if part.shares and min(part.shares) < 1:
        return "Counted only for the time nothing more trusted covers, in proportion where it overlaps."
    return "Counted for the time nothing more trusted covers."
