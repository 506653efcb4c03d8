"""Dates inside a record that may be bare numbers, whose base and unit nothing tells.

Real uploads write the dates of ECG voltages and of heart-rate readings as floats. Whether these count from 1970, as
published examples do, or from 2001-01-01, as Apple's frameworks do, in seconds or milliseconds, is found from the
record itself: of all bases one lies by far nearest to the time the record says it was made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appliance.domain.quarantine import Reason
from appliance.domain.sample import SECOND_US
from appliance.intake.fields import Unreadable
from appliance.intake.timestamps import BadTimestamp, Timestamps

if TYPE_CHECKING:
    from collections.abc import Sequence

APPLE_EPOCH_US = 978_307_200 * SECOND_US  # 2001-01-01T00:00:00Z

# µs a unit, and µs since 1970 of the zero.
_BASES = ((SECOND_US, 0), (SECOND_US, APPLE_EPOCH_US), (1_000, 0), (1_000, APPLE_EPOCH_US))


@dataclass(frozen=True, slots=True)
class Frame:
    """The stretch of time (µs since 1970 UTC) in which the dates of a record must lie."""

    begin: int
    end: int

    def holds(self, at: float) -> bool:
        """Whether an instant lies in it."""
        return self.begin <= at <= self.end

    def distance(self, at: float) -> float:
        """Return how far outside an instant lies, in µs."""
        return max(self.begin - at, at - self.end, 0)


def read_dates(dates: Sequence[Any], frame: Frame, timestamps: Timestamps) -> list[int] | None:
    """Return dates, all texts or all numbers, as instants in µs since 1970 UTC.

    None when one is missing or they do not lie in the frame with any base. Raises `Unreadable` for what is no date.
    """
    kinds = set(map(type, dates))
    if not dates or type(None) in kinds:
        return None
    if kinds <= {int, float}:
        return _from_numbers(dates, frame)
    if kinds == {str}:
        return _from_texts(dates, frame, timestamps)
    raise Unreadable(Reason.BAD_TIMESTAMP, "The dates of a list are neither all texts nor all numbers.")


def _from_numbers(dates: Sequence[float], frame: Frame) -> list[int] | None:
    try:
        low, high = float(min(dates)), float(max(dates))
    except OverflowError:
        low = high = math.inf
    if not (math.isfinite(low) and math.isfinite(high) and all(map(math.isfinite, dates))):
        raise Unreadable(Reason.BAD_TIMESTAMP, "A date is not a finite number.")
    unit, zero = min(_BASES, key=lambda base: frame.distance(low * base[0] + base[1]))
    if not (frame.holds(low * unit + zero) and frame.holds(high * unit + zero)):
        return None
    return [round(date * unit) + zero for date in dates]


def _from_texts(dates: Sequence[str], frame: Frame, timestamps: Timestamps) -> list[int] | None:
    try:
        found = _read_texts(dates, timestamps)
    except BadTimestamp as error:
        raise Unreadable(Reason.BAD_TIMESTAMP, f"A date cannot be read: {error}.") from error
    return found if frame.holds(min(found)) and frame.holds(max(found)) else None


def _read_texts(dates: Sequence[str], timestamps: Timestamps) -> list[int]:
    """Read texts that differ in little but their fraction of a second, each whole second once."""
    seconds: dict[tuple[str, str], int] = {}
    found = []
    for text in dates:
        second, dot, rest = text.partition(".")
        digits, _, offset = rest.partition(" ")
        if not (dot and 0 < len(digits) <= 6 and digits.isascii() and digits.isdigit()):
            found.append(timestamps.read(text)[0])
            continue
        key = second, offset
        if key not in seconds:
            seconds[key] = timestamps.read(f"{second} {offset}")[0]
        found.append(seconds[key] + int(digits.ljust(6, "0")))
    return found
