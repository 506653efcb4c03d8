"""Numbers as a person reads them: in the units they prefer, with the decimals the metric deserves.

What is stored and what the API tells stays in the catalogue's unit; pages convert for the eye alone, and hand charts
the same factor, so that a page and its chart cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.catalog.load import Catalogue
from appliance.domain.preferences import Energy, Preferences, Units

# Canonical unit → (the unit shown to who prefers imperial ones, more decimals than the catalogue's).
_IMPERIAL = {
    "km": ("mi", 0),
    "m": ("ft", 0),
    "cm": ("in", 0),
    "kg": ("lb", 0),
    "degC": ("degF", 0),
    "km/hr": ("mph", 0),
    "mL": ("fl_oz_us", 1),
    "L": ("fl_oz_us", 0),
}
_WORDS = {
    "count": "",
    "count/min": "/min",
    "degC": "°C",
    "degF": "°F",
    "fl_oz_us": "fl oz",
    "km/hr": "km/h",
    "hr": "h",
    "dBASPL": "dB",
    "mcg": "µg",
    "mcS": "µS",
    "kcal/hr·kg": "MET",
    "appleEffortScore": "",
    "unit": "units",
}
# Where a bare number would not say what it is.
_HEARTBEATS = {
    "heart_rate",
    "resting_heart_rate",
    "walking_heart_rate_average",
    "cardio_recovery",
    "heart_rate_variability",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How values of one metric are shown: `shown = stored × factor + offset`, in `unit` (a word for people)."""

    unit: str
    decimals: int
    factor: float = 1.0
    offset: float = 0.0

    def number(self, stored: float) -> float:
        """Return the number to show."""
        return stored * self.factor + self.offset

    def text(self, stored: float | None) -> str:
        """Return the number in words without its unit; “–” for none."""
        if stored is None:
            return "–"
        text = f"{self.number(stored):,.{self.decimals}f}"
        return text.removeprefix("-") if text.strip("-0.,") == "" else text

    def with_unit(self, stored: float | None) -> str:
        """Return the number with its unit."""
        text = self.text(stored)
        if stored is None or not self.unit:
            return text
        return f"{text}{self.unit}" if self.unit in {"%", "/min"} else f"{text} {self.unit}"


class Scales:
    """The scales of one person's preferences."""

    def __init__(self, catalogue: Catalogue, preferences: Preferences) -> None:
        self._catalogue = catalogue
        self._preferences = preferences

    def of(self, metric: str, unit: str) -> Scale:
        """Return how a metric (key, stored unit) is shown; one the catalogue lacks keeps its own unit."""
        known = self._catalogue.metrics.get(metric)
        decimals = known.decimals if known else 2
        if metric in _HEARTBEATS and unit == "count/min":
            return Scale("bpm", decimals)
        return self.of_unit(unit, decimals)

    def of_unit(self, unit: str, decimals: int) -> Scale:
        """Return how values of a unit are shown."""
        wanted, more = unit, 0
        if unit == "kcal" and self._preferences.energy is Energy.KJ:
            wanted = "kJ"
        elif self._preferences.units is Units.IMPERIAL:
            wanted, more = _IMPERIAL.get(unit, (unit, 0))
        if wanted != unit:
            conversion = self._catalogue.conversion(wanted, unit)
            if conversion is not None:
                word = _WORDS.get(wanted, wanted)
                return Scale(
                    word, decimals + more, 1 / conversion.factor, -conversion.offset / conversion.factor
                )
        return Scale(_WORDS.get(unit, unit), decimals)


def hours_text(hours: float | None) -> str:
    """Return hours as “7 h 05 min”; “–” for none."""
    if hours is None:
        return "–"
    minutes = round(hours * 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def size_text(size: int) -> str:
    """Return bytes as people say them, in powers of 1,000 as disks are sold."""
    amount = float(size)
    for word in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} {word}" if word == "bytes" or amount >= 100 else f"{amount:,.1f} {word}"
        amount /= 1000
    return f"{amount:,.1f} TB"
