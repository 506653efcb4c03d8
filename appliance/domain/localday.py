"""Local days and hours as dates: numbers inside, calendar outside."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from appliance.domain.sample import SECOND_US

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1)


def microseconds(at: datetime) -> int:
    """Return an aware instant in µs since 1970 UTC, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


def instant(start_us: int, offset_s: int) -> datetime:
    """Return µs since 1970 UTC as an instant told with this offset (seconds)."""
    return (EPOCH + timedelta(microseconds=start_us)).astimezone(timezone(timedelta(seconds=offset_s)))


def midnight(day: date, offset_s: int) -> datetime:
    """Return the local midnight a day begins at."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone(timedelta(seconds=offset_s)))


def day_number(day: date) -> int:
    """Return a calendar day as days since 1970-01-01."""
    return (day - _EPOCH_DAY).days


def day_start_us(day: int) -> int:
    """Return where a day (days since 1970-01-01) begins in UTC, in µs."""
    return day * 86_400 * SECOND_US
