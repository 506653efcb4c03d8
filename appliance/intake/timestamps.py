"""Every date spelling the phone uses, read to an instant and the offset it was written with.

Seen: `2026-08-07 10:00:00 +0200` (the norm), 12-hour forms with an ASCII space or U+202F before am/pm (phones
with 24-Hour Time off), ISO 8601 with `T` and `Z`, a bare date. Digits may be those of another script. A text
without an offset is taken in the person's time zone, with its rules. What fits none of these raises
`BadTimestamp`; nothing is ever replaced by the present.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from appliance.domain.sample import SECOND_US, local_day

EARLIEST_YEAR, LATEST_YEAR = 1900, 2100
MAX_OFFSET_S = 15 * 3_600  # the widest offset in use is +14:00

_NORM_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d) ([+-])(\d\d)([0-5]\d)", re.ASCII)
_NORM_CLOCK = re.compile(r" ([01]\d|2[0-3]):([0-5]\d):([0-5]\d)", re.ASCII)
_NORM_LENGTH = len("2026-08-07 10:00:00 +0200")

_ANY = re.compile(
    r"""\s* (\d{4})-(\d{1,2})-(\d{1,2})
        (?: [T\s]\s* (\d{1,2}) : (\d{2}) (?: : (\d{2}) (?: [.,](\d{1,9}) )? )?
            \s* ([AaPp])? (?(8)\.?[Mm]\.?)
            \s* (Z|z|[+\-−]\d{2}:?\d{2})? )? \s*""",
    re.VERBOSE,
)


class BadTimestamp(ValueError):
    """The text is no date we can place; says why."""


class Timestamps:
    """Reads dates for one document, remembering the days and clock times it has met. `zone` is the person's."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._days = _Days()
        self._clocks = _Clocks()
        self._known: dict[str, tuple[int, int, int]] = {}

    def read(self, text: object) -> tuple[int, int]:
        """Return the instant (µs since 1970 UTC) and the offset (seconds) of one date.

        Raises `BadTimestamp`.
        """
        if not isinstance(text, str):
            raise BadTimestamp("there is no date" if text is None else "the date is not a text")
        if len(text) == _NORM_LENGTH:
            try:
                base, offset, _ = self._days[text[:10] + text[19:]]
                return base + self._clocks[text[10:19]], offset
            except BadTimestamp:
                pass
        return _read_any(text, self.zone)

    def read_all(self, texts: Sequence[str]) -> tuple[list[int], list[int], list[int]]:
        """Return instants, offsets and local days of dates that are all in the norm's spelling.

        Raises `BadTimestamp` if any is not; read those one by one.
        """
        if set(map(len, texts)) - {_NORM_LENGTH}:
            raise BadTimestamp("not all dates are in the usual spelling")
        known = self._known
        try:  # most metrics of an upload share their times
            found = [known[text] for text in texts]
        except KeyError:
            days, clocks = self._days, self._clocks
            told = [days[text[:10] + text[19:]] for text in texts]
            found = [
                (midnight + clocks[text[10:19]], offset, day)
                for (midnight, offset, day), text in zip(told, texts, strict=True)
            ]
            known.update(zip(texts, found, strict=True))
        if not found:
            return [], [], []
        starts, offsets, local_days = zip(*found, strict=True)
        return list(starts), list(offsets), list(local_days)


class _Days(dict[str, tuple[int, int, int]]):
    def __missing__(self, key: str) -> tuple[int, int, int]:
        found = _NORM_DAY.fullmatch(key)
        if not found:
            raise BadTimestamp("not in the usual spelling")
        year, month, day, sign, hours, minutes = found.groups()
        offset = (int(hours) * 3_600 + int(minutes) * 60) * (-1 if sign == "-" else 1)
        midnight = _instant(int(year), int(month), int(day), 0, offset)
        self[key] = result = midnight, offset, local_day(midnight, offset)
        return result


class _Clocks(dict[str, int]):
    def __missing__(self, key: str) -> int:
        found = _NORM_CLOCK.fullmatch(key)
        if not found:
            raise BadTimestamp("not in the usual spelling")
        hours, minutes, seconds = map(int, found.groups())
        self[key] = result = (hours * 3_600 + minutes * 60 + seconds) * SECOND_US
        return result


def _read_any(text: str, zone: ZoneInfo) -> tuple[int, int]:
    found = _ANY.fullmatch(text) if len(text) <= 80 else None
    if not found:
        raise BadTimestamp("the date is in no spelling we know")
    year, month, day, hour, minute, second, fraction, half, offset_text = found.groups()
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if half:
        if not 1 <= hours <= 12:
            raise BadTimestamp("the hour does not fit am or pm")
        hours = hours % 12 + (12 if half in "Pp" else 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise BadTimestamp("there is no such time of day")
    clock = (hours * 3_600 + minutes * 60 + seconds) * SECOND_US + int((fraction or "0")[:6].ljust(6, "0"))
    numbers = int(year), int(month), int(day)
    if offset_text:
        offset = _offset(offset_text)
        return _instant(*numbers, clock, offset), offset
    naive = _instant(*numbers, clock, 0)
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=naive)).replace(tzinfo=zone)
    offset = int((local.utcoffset() or timedelta()).total_seconds())
    return naive - offset * SECOND_US, offset


def _offset(text: str) -> int:
    if text in "Zz":
        return 0
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if minutes > 59:
        raise BadTimestamp("there is no such offset from UTC")
    offset = hours * 3_600 + minutes * 60
    return offset if text[0] == "+" else -offset


def _instant(year: int, month: int, day: int, clock_us: int, offset_s: int) -> int:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise BadTimestamp(f"the year {year} is out of range")
    if abs(offset_s) > MAX_OFFSET_S:
        raise BadTimestamp("there is no such offset from UTC")
    try:
        midnight = datetime(year, month, day, tzinfo=UTC)
    except ValueError as error:
        raise BadTimestamp("there is no such day") from error
    return int(midnight.timestamp()) * SECOND_US + clock_us - offset_s * SECOND_US
