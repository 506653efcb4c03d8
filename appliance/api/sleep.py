"""Nights by the day of waking up, newest first, and everything told of one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from pydantic import Field

from appliance.api.answers import NightAnswer, NightsAnswer
from appliance.api.metrics import WINDOW
from appliance.api.routes import Answer, Call, Query, Route
from appliance.api.times import day_or_instant, first_day, last_day, parse_day, read_cursor, write_cursor
from appliance.api.uploads import PageQuery
from appliance.domain.key import Scope
from appliance.domain.localday import instant
from appliance.domain.nights import Night, SourceNight
from appliance.domain.sleep import Session, Stretch
from appliance.foundation.errors import BadQuery

_EPOCH = date(1970, 1, 1)


class NightsQuery(PageQuery):
    """A window of days of waking up, and a place in it."""

    start: str | None = Field(None, description=WINDOW)
    end: str | None = Field(None, description=f"{WINDOW} A day is included, an instant is not.")
    limit: int = Field(100, ge=1, le=400)


def show_nights(call: Call) -> Answer:
    """List nights, newest first; each as its chosen source tells it."""
    first = first_day(day_or_instant(call.query.start, "start"))
    last = last_day(day_or_instant(call.query.end, "end"))
    before = _place(read_cursor(call.query.cursor))
    if before is not None:
        last = before - timedelta(days=1) if last is None else min(last, before - timedelta(days=1))
        if first is not None and last < first:
            return Answer({"items": [], "next": None})
    page = call.services.sleep.nights(call.person_id, first=first, last=last, limit=call.query.limit)
    following = None if page.following is None else write_cursor(page.following.isoformat())
    return Answer({"items": [night_summary(night) for night in page.nights], "next": following})


def show_night(call: Call) -> Answer:
    """Give everything told of the night that ended on a day."""
    night = call.services.sleep.night(call.person_id, parse_day(call.path["night"]))
    return Answer(
        night_summary(night)
        | {"why": night.why, "tellings": [_telling(source, night) for source in night.sources]}
    )


def night_summary(night: Night) -> dict[str, Any]:
    """Return one line of a list of nights."""
    shown = night.shown
    return {
        "date": _date(night.day),
        "source": shown.source,
        **_times(shown.main),
        "hours": shown.hours.as_dict(),
        "efficiency": shown.efficiency,
        "naps": [_nap(nap) for nap in shown.naps],
        "flags": list(shown.flags),
        "sources": [source.source for source in night.sources],
        "upload_ids": list(shown.upload_ids),
    }


def _nap(session: Session) -> dict[str, Any]:
    return _times(session) | {"hours": session.hours.as_dict()}


def _telling(source: SourceNight, night: Night) -> dict[str, Any]:
    return {
        "source": source.source,
        "shown": source is night.shown,
        "hours": source.hours.as_dict(),
        "efficiency": source.efficiency,
        "flags": list(source.flags),
        "upload_ids": list(source.upload_ids),
        "sessions": [_session(session, source) for session in source.sessions],
    }


def _session(session: Session, source: SourceNight) -> dict[str, Any]:
    return _nap(session) | {
        "is_nap": session is not source.main,
        "told_as": f"sum, generation {session.generation}" if session.generation else "segments",
        "flags": list(session.flags),
        "upload_ids": list(session.upload_ids),
        "segments": [_segment(stretch) for stretch in session.stretches],
    }


def _segment(stretch: Stretch) -> dict[str, Any]:
    return {
        "start": instant(stretch.start, stretch.offset).isoformat(),
        "end": instant(stretch.end, stretch.offset).isoformat(),
        "stage": stretch.stage,
        "upload_id": stretch.upload_id,
    }


def _times(session: Session) -> dict[str, Any]:
    return {
        "start": _instant(session.sleep_start, session.start_offset),
        "end": _instant(session.sleep_end, session.offset),
        "in_bed_start": _instant(session.in_bed_start, session.start_offset),
        "in_bed_end": _instant(session.in_bed_end, session.offset),
    }


def _instant(at: int | None, offset: int) -> str | None:
    return None if at is None else instant(at, offset).isoformat()


def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def _place(cursor: Any) -> date | None:
    if cursor is None:
        return None
    try:
        return parse_day(cursor)
    except (TypeError, BadQuery) as error:
        raise BadQuery("The cursor is not one of ours; start again without it.") from error


ROUTES = (
    Route(
        "GET",
        "/api/v1/sleep",
        show_nights,
        "List nights, newest first",
        Scope.READ,
        NightsAnswer,
        NightsQuery,
    ),
    Route(
        "GET",
        "/api/v1/sleep/<night>",
        show_night,
        "Give everything told of one night",
        Scope.READ,
        NightAnswer,
        Query,
    ),
)
