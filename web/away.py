"""Time a person spent in other zones, as the page of imports shows it and lets it be told."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from appliance.domain.whereabouts import DaysAway
from appliance.services.people import checked_days_away
from web.frame import Visit
from web.ranges import Range
from web.words import time_zones


@dataclass(frozen=True, slots=True)
class AwayLine:
    """One time away, with its days in words."""

    days: DaysAway
    words: str


@dataclass(frozen=True, slots=True)
class AwayPart:
    """All of them, the latest first, and the form for another one: what was filled in, and what is wrong with it."""

    lines: list[AwayLine]
    time_zones: list[str]
    first: str
    last: str
    zone: str
    wrong: str


def away_part(visit: Visit, wrong: str = "") -> AwayPart:
    """Return what is kept of a person; after a refusal with what was sent."""
    kept = visit.services.people.days_away(visit.person_id)
    return AwayPart(
        [
            AwayLine(each, Range("", each.first, each.last, visit.today).words)
            for each in sorted(kept, reverse=True)
        ],
        time_zones(),
        *(_sent() if wrong else ("", "", "")),
        wrong,
    )


def sent_days_away() -> DaysAway:
    """Return the time away that the form tells. Raises `RequestError`."""
    return checked_days_away(*_sent())


def _sent() -> tuple[str, str, str]:
    return request.form.get("first", ""), request.form.get("last", ""), request.form.get("zone", "")
