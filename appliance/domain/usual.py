"""What is usual for one person, from their own days: the middle of them and how far they usually lie from it.

Median and median absolute deviation, so that one odd day moves neither. 1.4826 makes the deviation of normally
distributed values equal to their standard deviation (Rousseeuw & Croux, 1993). A band is a description of past days
and no judgement of health.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

DAYS = 28
FEWEST_DAYS = 7
# About one day in twenty lies as far out by chance.
UNUSUAL_SPREADS = 2.0
_CONSISTENT = 1.4826
# Where most days tell the very same number, any other would be endlessly far away.
_LEAST_SPREAD_SHARE = 0.02


class Place(StrEnum):
    """Where a value lies against the band."""

    BELOW = "below"
    WITHIN = "within"
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class Band:
    """The values usual for a person: `middle` ± `spread`, from so many days. In the unit of the values."""

    middle: float
    spread: float
    days: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.middle - self.spread

    @property
    def high(self) -> float:
        """The upper end."""
        return self.middle + self.spread

    def place(self, value: float, decimals: int) -> Place:
        """Return where a value lies, all rounded as they are shown, so that words and numbers agree."""
        shown = round(value, decimals)
        if shown < round(self.low, decimals):
            return Place.BELOW
        return Place.ABOVE if shown > round(self.high, decimals) else Place.WITHIN

    def distance(self, value: float) -> float:
        """Return how many spreads a value lies away from the middle, without a sign."""
        least = abs(self.middle) * _LEAST_SPREAD_SHARE
        return abs(value - self.middle) / (max(self.spread, least) or 1.0)


def usual(values: Sequence[float]) -> Band | None:
    """Return the band of these days' values; None for fewer than `FEWEST_DAYS`."""
    if len(values) < FEWEST_DAYS:
        return None
    middle = median(values)
    spread = _CONSISTENT * median(abs(value - middle) for value in values)
    return Band(middle, spread, len(values))
