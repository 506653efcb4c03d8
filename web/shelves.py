"""The shelves records stand on: one for each kind, where it is shown, and the rows of a time of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import request
from sqlalchemy import Row

from appliance.domain.record import Kind
from web.frame import Visit
from web.logs import local
from web.ranges import Range, read_range

# A picture takes in this many records, and a page lists this many of them.
MOST_MARKS = 5_000
MOST_ROWS = 150


@dataclass(frozen=True, slots=True)
class Shelf:
    """One kind of records: where it is shown, how it is called, and whether it is hidden until asked for."""

    kind: Kind
    path: str
    name: str
    colour: str
    is_private: bool
    data_type: str
    about: str = ""

    @property
    def url(self) -> str:
        """Its page."""
        return f"/records/{self.path}"


SHELVES = (
    Shelf(Kind.ECG, "ecg", "ECG", "heart", is_private=False, data_type="ECG"),
    Shelf(
        Kind.HEART_NOTIFICATION,
        "heart",
        "Heart notifications",
        "heart",
        is_private=False,
        data_type="Heart Rate Notifications",
    ),
    Shelf(Kind.STATE_OF_MIND, "mind", "State of mind", "mind", is_private=True, data_type="State of Mind"),
    Shelf(
        Kind.MEDICATION,
        "medications",
        "Medications",
        "body",
        is_private=True,
        data_type="Medications",
        about="Filled: taken. Outlined: skipped or not answered.",
    ),
    Shelf(
        Kind.SYMPTOM,
        "symptoms",
        "Symptoms",
        "activity",
        is_private=True,
        data_type="Symptoms",
        about="The taller, the more severe; an outline says it was noted as not present.",
    ),
    Shelf(
        Kind.CYCLE,
        "cycle",
        "Cycle",
        "food",
        is_private=True,
        data_type="Cycle Tracking",
        about="Only what was noted is shown; nothing is predicted. The taller, the heavier.",
    ),
)
BY_PATH = {shelf.path: shelf for shelf in SHELVES}
BY_KIND = {shelf.kind: shelf for shelf in SHELVES}


def rows_of(visit: Visit, shelf: Shelf, otherwise: str) -> tuple[Range, list[Row[Any]], int]:
    """Return the range asked for, the records whose own local day lies in it, newest first, and how many are held."""
    held = visit.services.records.overview(visit.person_id).get(shelf.kind)
    earliest = held.first_at.astimezone(visit.person.zone).date() if held else None
    span = read_range(request.args, visit.today, otherwise=otherwise, earliest=earliest)
    if held is None:
        return span, [], 0
    margin = timedelta(days=1)  # where the person was may be another day than at home
    found = visit.services.records.listed(
        visit.person_id,
        shelf.kind,
        start=datetime.combine(span.first, time(), visit.person.zone) - margin,
        end=datetime.combine(span.last, time(), visit.person.zone) + 2 * margin,
        limit=MOST_MARKS,
    )
    rows = [
        row for row in found.rows if span.first <= local(row.start_at, row.utc_offset).date() <= span.last
    ]
    return span, rows, held.held


def json_url(shelf: Shelf, span: Range) -> str:
    """Return the address of our API that tells the same."""
    return f"/api/v1/records/{shelf.kind}?{span.api_query}&{urlencode({'limit': 500})}"
