"""Time in five zones of the heart rate, as shares of the highest one a person names. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.domain.sample import SECOND_US

# Lower ends in percent of the highest heart rate; the last zone has no upper end.
ZONES = (("Very light", 50), ("Light", 60), ("Moderate", 70), ("Hard", 80), ("Maximum", 90))
# A point of the curve speaks until the next one, but never longer: then nothing was measured.
POINT_COVERS_US = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone: its number from 1 on (0 is below all zones), heart rates (count/min) and the time in it (s)."""

    number: int
    name: str
    low: float
    high: float | None
    seconds: float


def zones_of(
    at: Sequence[int], rates: Sequence[float | None], highest: float, end: int | None = None
) -> list[Zone]:
    """Return the time below and in each zone. `at` is in µs since 1970 UTC, `end` the end of the workout."""
    ends = [round(highest * percent) / 100 for _, percent in ZONES]
    seconds = [0.0] * (len(ZONES) + 1)
    for n, (begin, rate) in enumerate(zip(at, rates, strict=True)):
        if rate is None:
            continue
        until = begin + POINT_COVERS_US
        if n + 1 < len(at):
            until = min(until, at[n + 1])
        elif end is not None:
            until = min(until, max(end, begin))
        seconds[sum(rate >= low for low in ends)] += (until - begin) / SECOND_US
    names = ["Below the zones", *(name for name, _ in ZONES)]
    return [
        Zone(number, names[number], low, high, seconds[number])
        for number, (low, high) in enumerate(zip([0.0, *ends], [*ends, None], strict=True))
    ]
