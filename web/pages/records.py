"""Records: what is held of each kind, and the logs, which are shown on request only; ECGs and notifications beside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.record import Kind
from appliance.foundation.errors import NotFound
from web.entry import following
from web.frame import Visit, here, page
from web.logs import Day, Entry, Tally, by_day, entry_of, tallies
from web.pages import recordings
from web.ranges import Range
from web.shelves import BY_KIND, BY_PATH, MOST_MARKS, MOST_ROWS, SHELVES, Shelf, json_url, rows_of
from web.strips import Strip, strip_of

SHOWN_COOKIE = "hb_records"
_YEAR_S = 365 * 24 * 3600
MINDFUL = "mindful_minutes"


@dataclass(frozen=True, slots=True)
class Glance:
    """A kind on the overview. `newest` is empty while it is hidden."""

    shelf: Shelf
    held: int
    is_hidden: bool
    newest: Entry | None


@dataclass(frozen=True, slots=True)
class RecordsPage:
    """The overview."""

    glances: list[Glance]
    are_shown: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is held."""
        return not any(glance.held for glance in self.glances)


@dataclass(frozen=True, slots=True)
class HiddenPage:
    """Asks before something private is shown."""

    shelf_name: str
    path: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A state of mind on the picture, in per cent from the left and the top."""

    x: float
    y: float
    words: str
    side: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """One of the logs."""

    shelf: Shelf
    span: Range
    held: int
    told: int
    strip: Strip | None
    dots: list[Dot]
    tallies: list[Tally]
    days: list[Day]
    is_cut: bool
    has_mindful: bool
    json_url: str


@dataclass(frozen=True, slots=True)
class DayPage:
    """Everything recorded on one day, in its order."""

    day: date
    entries: list[Entry]
    are_shown: bool
    has_hidden: bool
    urls: dict[Kind, str]
    earlier: date
    later: date | None


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""
    recordings.add_pages(pages)

    @pages.get("/records", endpoint="records")
    def overview() -> Response:
        return page("records.html", _overview(here()))

    @pages.post("/records/show", endpoint="records_show")
    def show() -> AnyResponse:
        response = redirect(following())
        shown = request.form.get("shown") == "yes"
        response.set_cookie(
            SHOWN_COOKIE, "shown" if shown else "", max_age=_YEAR_S, samesite="Lax", httponly=True
        )
        return response

    @pages.get("/records/day/<day>", endpoint="records_day")
    def a_day(day: str) -> Response:
        try:
            wanted = date.fromisoformat(day)
            return page("records_day.html", _day(here(), wanted))
        except (ValueError, OverflowError):
            raise NotFound("There is no such day.") from None

    @pages.get("/records/<path>", endpoint="records_log")
    def log(path: str) -> Response:
        shelf = BY_PATH.get(path)
        if shelf is None:
            raise NotFound("There are no records of this kind.")
        if not _are_shown():
            return page("records_hidden.html", HiddenPage(shelf.name, request.full_path.rstrip("?")))
        return page("records_log.html", _log(here(), shelf))


def _are_shown() -> bool:
    return request.cookies.get(SHOWN_COOKIE) == "shown"


def _overview(visit: Visit) -> RecordsPage:
    held = visit.services.records.overview(visit.person_id)
    shown = _are_shown()
    glances = []
    for shelf in SHELVES:
        found = held.get(shelf.kind)
        hidden = shelf.is_private and not shown
        newest = None
        if found and not hidden:
            newest = entry_of(found.newest)
        glances.append(Glance(shelf, found.held if found else 0, hidden, newest))
    return RecordsPage(glances, shown)


def _log(visit: Visit, shelf: Shelf) -> LogPage:
    span, rows, held = rows_of(visit, shelf, "3m")
    entries = [entry_of(row) for row in rows]
    is_mind = shelf.kind is Kind.STATE_OF_MIND
    has_mindful = is_mind and any(
        metric.held.metric == MINDFUL for metric in visit.services.lookup.metrics(visit.person_id)
    )
    return LogPage(
        shelf,
        span,
        held,
        len(entries),
        strip_of((entry.mark for entry in entries), span.first, span.last)
        if entries and not is_mind
        else None,
        [_dot(entry, span) for entry in entries if entry.number is not None] if is_mind else [],
        tallies(shelf.kind, entries),
        by_day(entries[:MOST_ROWS]),
        len(entries) > MOST_ROWS,
        has_mindful,
        json_url(shelf, span),
    )


def _dot(entry: Entry, span: Range) -> Dot:
    valence = entry.number or 0.0
    into = (entry.at.date() - span.first).days + (entry.at.hour * 60 + entry.at.minute) / 1440
    side = "pleasant" if valence > 0.14 else "unpleasant" if valence < -0.14 else "neutral"
    # Apple's seven classes are equally wide; the middle one reaches from −1/7 to 1/7.
    return Dot(
        round(1 + 98 * into / span.days, 3),
        round(50 - 44 * valence, 3),
        f"{entry.at.day} {entry.at:%B %H:%M}: {entry.value.text or valence}",
        side,
    )


def _day(visit: Visit, day: date) -> DayPage:
    start = datetime.combine(day, time(), visit.person.zone)
    margin = timedelta(days=1)
    rows = visit.services.records.of_span(visit.person_id, start - margin, start + 2 * margin, MOST_MARKS)
    entries = [entry for entry in map(entry_of, rows) if entry.at.date() == day]
    shown = _are_shown()
    visible = [entry for entry in entries if shown or not BY_KIND[entry.kind].is_private]
    urls = {shelf.kind: shelf.url for shelf in SHELVES}
    later = day + margin if day < visit.today else None
    return DayPage(day, visible, shown, len(visible) < len(entries), urls, day - margin, later)
