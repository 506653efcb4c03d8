"""Which of many backups are worth their room."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """Of how many days, weeks and months one backup each is kept."""

    days: int
    weeks: int
    months: int


def worth_keeping(backups: Iterable[tuple[datetime, bool]], kept: Kept) -> set[datetime]:
    """Return the instants of the backups to keep, of (made at, proved).

    Of each period that has any, the newest proved one, or the newest where none is proved; counted are only periods
    that have a backup, so a computer that was off for a month loses none. The newest proved of all always stays.
    """
    newest_first = sorted(backups, reverse=True)
    keep: set[datetime] = set()
    for number, period in (
        (kept.days, lambda at: at.date()),
        (kept.weeks, lambda at: at.isocalendar()[:2]),
        (kept.months, lambda at: (at.year, at.month)),
    ):
        best: dict[object, tuple[datetime, bool]] = {}
        for at, proved in newest_first:
            held = best.setdefault(period(at), (at, proved))
            if proved and not held[1]:
                best[period(at)] = (at, proved)
        keep |= {at for at, _ in list(best.values())[:number]}
    return keep | set([at for at, proved in newest_first if proved][:1])
