"""Which days are told of and which are missing, though they are usually told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

# Told on so large a share of days a metric is usual: each day without it is worth a question.
USUAL_SHARE = 0.8
FEWEST_DAYS = 10
# When so large a share of what is usual is missing on a day, the phone was not heard, whatever the metric.
QUIET_SHARE = 0.8
_DAY = timedelta(days=1)


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
    found: list[Stretch] = []
    for day in sorted(set(days)):
        if found and day - found[-1].last == _DAY:
            found[-1] = Stretch(found[-1].first, day)
        else:
            found.append(Stretch(day, day))
    return found


def days_within(told: Sequence[Stretch], first: date, last: date) -> set[date]:
    """Return the days of stretches that lie in a span, both ends included."""
    found: set[date] = set()
    for stretch in told:
        begin, end = max(stretch.first, first), min(stretch.last, last)
        found.update(begin + n * _DAY for n in range((end - begin).days + 1))
    return found


def gaps(told: Mapping[str, Sequence[Stretch]], first: date, last: date) -> Gaps:
    """Return what is missing from the first to the last day, both included, which should be over.

    A metric is usual when from its first to its last day told in this span it was told on four of five days, and on ten
    at least; before its first day nothing is missing, after its last one everything is.
    """
    missed: dict[str, set[date]] = {}
    begun: dict[str, date] = {}
    for metric, held in told.items():
        days = days_within(held, first, last)
        if len(days) < FEWEST_DAYS:
            continue
        begin, end = min(days), max(days)
        if len(days) < USUAL_SHARE * Stretch(begin, end).days:
            continue
        begun[metric] = begin
        missed[metric] = days_within([Stretch(begin, last)], first, last) - days
    quiet = {
        day
        for day in set().union(*missed.values())
        if sum(day in days for days in missed.values())
        >= QUIET_SHARE * sum(begin <= day for begin in begun.values())
    }
    others = {metric: tuple(stretches(days - quiet)) for metric, days in missed.items() if days - quiet}
    return Gaps(tuple(missed), tuple(stretches(quiet)), others)
