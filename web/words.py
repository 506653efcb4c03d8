"""Instants and amounts of time in words, and the zones there are."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import available_timezones


def moment(at: datetime | None, now: datetime) -> str:
    """Return an instant as people say it close by: “14:05”, “yesterday 22:10”, “3 August 09:00”."""
    if at is None:
        return "never"
    at = at.astimezone(now.tzinfo)
    clock = f"{at:%H:%M}"
    days = (now.date() - at.date()).days
    if days == 0:
        return clock
    if days == 1:
        return f"yesterday {clock}"
    return f"{day_words(at.date(), now.date())} {clock}"


def day_words(day: date, today: date) -> str:
    """Return a day as people say it: “today”, “yesterday”, “Monday”, “3 August”, “3 August 2019”."""
    days = (today - day).days
    if days == 0:
        return "today"
    if days == 1:
        return "yesterday"
    if 1 < days < 7:
        return f"{day:%A}"
    return f"{day.day} {day:%B}" if day.year == today.year else f"{day.day} {day:%B %Y}"


def ago(at: datetime | None, now: datetime) -> str:
    """Return how long ago an instant was: “just now”, “14 min ago”, “3 days ago”."""
    if at is None:
        return "never"
    return f"{span(now - at)} ago" if now - at >= timedelta(minutes=1) else "just now"


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit: “14 min”, “5 h”, “3 days”."""
    minutes = int(length.total_seconds() // 60)
    if minutes < 60:
        return f"{max(minutes, 0)} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"


@cache
def time_zones() -> list[str]:
    """Return the names of all time zones, to choose from; looking for them takes a while."""
    return sorted(available_timezones())
