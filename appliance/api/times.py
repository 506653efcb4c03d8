"""Days and instants in queries, and the cursors of paged lists."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from appliance.api.routes import LARGEST_ID
from appliance.domain.localday import instant, microseconds
from appliance.foundation.errors import BadQuery

Moment = TypeVar("Moment", date, datetime)

EXAMPLE = "use a day as 2026-08-07 or an instant as 2026-08-07T10:00:00+02:00"
EARLIEST_YEAR, LATEST_YEAR = 1900, 2200  # wider than what is taken in
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")  # an unescaped “+” of a query string arrives as a space


def day_or_instant(text: str | None, name: str) -> date | datetime | None:
    """Return a query's `start` or `end`. Raises `BadQuery`."""
    if text is None or not text.strip():
        return None
    try:
        if len(text) == len("2026-08-07"):
            return _within_reach(date.fromisoformat(text), name)
        at = datetime.fromisoformat(_LOST_PLUS.sub("+", text.strip()[:40]))
    except ValueError as error:
        raise BadQuery(f"“{name}” is not a time; {EXAMPLE}.") from error
    if at.tzinfo is None:
        raise BadQuery(f"“{name}” has no offset from UTC; {EXAMPLE}.")
    return _within_reach(at, name)


def parse_day(text: str) -> date:
    """Return a day written as 2026-08-07. Raises `BadQuery`."""
    try:
        if len(text) == len("2026-08-07"):
            return _within_reach(date.fromisoformat(text), "the day")
    except ValueError:
        pass
    raise BadQuery("A day is written as 2026-08-07.")


def as_start(at: date | datetime | None, zone: ZoneInfo) -> datetime | None:
    """Return where a window begins: a day begins at its local midnight."""
    if at is None or isinstance(at, datetime):
        return at
    return datetime.combine(at, time(), zone)


def as_end(at: date | datetime | None, zone: ZoneInfo) -> datetime | None:
    """Return where a window ends (excluded): a day named as end is included."""
    if at is None or isinstance(at, datetime):
        return at
    return datetime.combine(at + timedelta(days=1), time(), zone)


def _within_reach(at: Moment, name: str) -> Moment:
    """Return a day or instant whose neighbours exist in every time zone. Raises `BadQuery`."""
    if not EARLIEST_YEAR <= at.year <= LATEST_YEAR:
        raise BadQuery(f"“{name}” is out of range; {EXAMPLE}.")
    return at


def first_day(at: date | datetime | None) -> date | None:
    """Return the first local day of a window."""
    return at.date() if isinstance(at, datetime) else at


def last_day(at: date | datetime | None) -> date | None:
    """Return the last local day of a window whose end is an instant (excluded) or a day (included)."""
    return (at - timedelta(microseconds=1)).date() if isinstance(at, datetime) else at


def write_cursor(place: Any) -> str:
    """Return a place in a list as an opaque word."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor(word: str | None) -> Any:
    """Return the place a cursor names, or None without one. Raises `BadQuery`."""
    if word is None:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    except (ValueError, binascii.Error) as error:
        raise BadQuery("The cursor is not one of ours; start again without it.") from error


def place_in_time(cursor: Any) -> tuple[datetime, int] | None:
    """Return the instant and id a cursor of a list in order of time names. Raises `BadQuery`."""
    match cursor:
        case None:
            return None
        case [start, number] if (
            type(start) is type(number) is int and abs(start) < 1 << 53 and 0 <= number <= LARGEST_ID
        ):
            return instant(start, 0), number
        case _:
            raise BadQuery("The cursor is not one of ours; start again without it.")


def told_at(at: datetime, offset_s: int) -> str:
    """Return an instant as the API tells it: with the offset of where the person was."""
    return instant(microseconds(at), offset_s).isoformat()
