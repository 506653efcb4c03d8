"""How the appliance was doing, read from snapshots of counters and gauges: an amount an hour, an average, a level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

# By instance and instant: numbers by full name, as `hearthbeat_cached_answers_total{outcome="hit"}`.
Snapshots = Mapping[str, Mapping[datetime, Mapping[str, float]]]

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing to follow.

    `over` and `under` are full names, or names without labels for all of them together. Counters: with `under` it is
    the increase of the one divided by that of the other, without it the increase an hour. With `is_level` it is a
    gauge's number. All times `factor`.
    """

    over: tuple[str, ...]
    under: tuple[str, ...] = ()
    is_level: bool = False
    factor: float = 1.0

    def course(self, snapshots: Snapshots) -> list[tuple[datetime, float]]:
        """Return its values in order of time; where nothing was counted that could be divided, there is none."""
        found = []
        for held in snapshots.values():
            instants = sorted(held)
            if self.is_level:
                found += [(at, self.factor * _sum(held[at], self.over)) for at in instants if held[at]]
                continue
            for before, at in pairwise(instants):
                above = _increase(held[before], held[at], self.over)
                below = _increase(held[before], held[at], self.under) if self.under else (at - before) / _HOUR
                if below > 0:
                    found.append((at, self.factor * above / below))
        return sorted(found)


def _is_one_of(name: str, wanted: Sequence[str]) -> bool:
    return name in wanted or name.partition("{")[0] in wanted


def _sum(numbers: Mapping[str, float], wanted: Sequence[str]) -> float:
    return sum(number for name, number in numbers.items() if _is_one_of(name, wanted))


def _increase(before: Mapping[str, float], now: Mapping[str, float], wanted: Sequence[str]) -> float:
    """Return by how much counters grew; one that is smaller than before began anew at 0."""
    grown = 0.0
    for name, number in now.items():
        if _is_one_of(name, wanted):
            earlier = before.get(name, 0.0)
            grown += number - earlier if number >= earlier else number
    return grown
