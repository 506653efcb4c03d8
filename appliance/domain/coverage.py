"""Which days are told of and which are missing, though they are usually told."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

# Told on so large a share of days a metric is usual: each day without it is worth a question.
USUAL_SHARE = 0.8
FEWEST_DAYS = 10
# When so large a share of what is usual is missing on a day, the phone was not heard, whatever the metric.
QUIET_SHARE = 0.8


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """Days without a break from the first to the last, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is missing: `quiet` days on which hardly anything was told, and of each usual metric the other days missed.

    `usual` names the metrics that are usually told.
    """

    usual: tuple[str, ...]
    quiet: tuple[Stretch, ...]
    of_metrics: Mapping[str, tuple[Stretch, ...]]


def stretches(days: Iterable[date]) -> list[Stretch]:
    """Join days that follow each other."""
    return _joined({day.toordinal() for day in days})


def gaps(told: Mapping[str, Sequence[Stretch]], first: date, last: date) -> Gaps:
    """Return what is missing from the first to the last day, both included, which should be over.

    A metric is usual when from its first to its last day told in this span it was told on four of five days, and on ten
    at least; before its first day nothing is missing, after its last one everything is.
    """
    begin, end = first.toordinal(), last.toordinal()
    missed: dict[str, set[int]] = {}
    begun: list[int] = []
    for metric, held in told.items():
        days = _days(held, begin, end)
        if len(days) < FEWEST_DAYS or len(days) < USUAL_SHARE * (max(days) - min(days) + 1):
            continue
        begun.append(min(days))
        missed[metric] = set(range(min(days), end + 1)) - days
    begun.sort()
    times = Counter(day for days in missed.values() for day in days)
    quiet = {day for day, count in times.items() if count >= QUIET_SHARE * bisect_right(begun, day)}
    others = {metric: tuple(_joined(days - quiet)) for metric, days in missed.items() if days - quiet}
    return Gaps(tuple(missed), tuple(_joined(quiet)), others)


def _days(told: Sequence[Stretch], begin: int, end: int) -> set[int]:
    found: set[int] = set()
    for stretch in told:
        found.update(range(max(stretch.first.toordinal(), begin), min(stretch.last.toordinal(), end) + 1))
    return found


def _joined(numbers: Iterable[int]) -> list[Stretch]:
    ends: list[list[int]] = []
    for number in sorted(numbers):
        if ends and number - ends[-1][1] == 1:
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return [Stretch(date.fromordinal(first), date.fromordinal(last)) for first, last in ends]
