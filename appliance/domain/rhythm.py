"""How often a phone usually tells something new, learned from when it did; and whether it has fallen silent.

Time the computer slept or was off is nobody's silence: spans between two instants count only while it was awake.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

# So many days on which something new came are needed before anything is said of a rhythm.
FEWEST_DAYS = 4
# One day in ten may be unusual (a journey, a flat battery) without stretching what counts as usual.
USUAL_SHARE = 0.9
# Silent is who takes twice as long as usual, and never within two hours.
PATIENCE = 2
SHORTEST_SILENCE = timedelta(hours=2)


class Span(NamedTuple):
    """A stretch of time the computer was awake."""

    begin: datetime
    end: datetime


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the spans of all instances as disjoint ones, in order."""
    together: list[Span] = []
    for span in sorted(spans):
        if together and span.begin <= together[-1].end:
            together[-1] = Span(together[-1].begin, max(together[-1].end, span.end))
        else:
            together.append(span)
    return together


def awake_between(begin: datetime, end: datetime, awake: Sequence[Span]) -> timedelta:
    """Return how long the computer was awake between two instants.

    `awake` is disjoint and in order. Before its first span nothing is known, and all of that time counts.
    """
    if not awake:
        return max(end - begin, timedelta())
    unknown = max(min(end, awake[0].begin) - begin, timedelta())
    known = (max(min(end, span.end) - max(begin, span.begin), timedelta()) for span in awake)
    return sum(known, unknown)


def usual_gap(news: Sequence[datetime], awake: Sequence[Span]) -> timedelta | None:
    """Return how long it usually takes from something new to the next; None while too little is known.

    `news` are the instants something new came, in order. Every day is judged by the longest gap that ended on it, so
    that the night counts beside the hours of the day, and a quiet weekend beside five busy days.
    """
    longest: dict[date, timedelta] = {}
    for before, at in pairwise(news):
        gap = awake_between(before, at, awake)
        longest[at.date()] = max(gap, longest.get(at.date(), gap))
    if len(longest) < FEWEST_DAYS:
        return None
    gaps = sorted(longest.values())
    return gaps[math.ceil(len(gaps) * USUAL_SHARE) - 1]


def is_silent(last_new: datetime, usual: timedelta, now: datetime, awake: Sequence[Span]) -> bool:
    """Whether it is heard no more as usual."""
    return awake_between(last_new, now, awake) > max(usual * PATIENCE, SHORTEST_SILENCE)
