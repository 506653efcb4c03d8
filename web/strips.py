"""Strips along time: one line a name, one cell a day (or week, or month, where days would be too thin).

Places and sizes are per cent of the strip's width, so that a picture of them fits every screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

MOST_CELLS = 100
MOST_LINES = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """Something told of a day. `level` from 0 (told, and nothing was there) to 3; `is_open` is drawn hollow."""

    name: str
    day: date
    level: int
    words: str
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One filled place of a line: x and width in per cent, top and height in 30ths of the line."""

    x: float
    width: float
    top: int
    height: int
    words: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One name with its cells, and how many days tell of it."""

    name: str
    cells: list[Cell]
    days: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A word under the strip, at a place in per cent."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Strip:
    """The lines, those told most first, and the words under them. `step` is what one cell stands for."""

    lines: list[Line]
    ticks: list[Tick]
    step: str
    hidden: int


def strip_of(marks: Iterable[Mark], first: date, last: date) -> Strip:
    """Draw marks from the first to the last day, both included; of several in one cell the highest shows."""
    step, openings = _openings(first, last)
    width = 100 / len(openings)
    place = {day: n for n, opening in enumerate(openings) for day in _days(openings, n, opening, last)}
    by_name: dict[str, dict[int, Mark]] = {}
    days: dict[str, set[date]] = {}
    for mark in marks:
        if mark.day not in place:
            continue
        cells = by_name.setdefault(mark.name, {})
        days.setdefault(mark.name, set()).add(mark.day)
        held = cells.get(place[mark.day])
        if held is None or (mark.level, not mark.is_open) > (held.level, not held.is_open):
            cells[place[mark.day]] = mark
    names = sorted(by_name, key=lambda name: (-len(days[name]), name))
    lines = [
        Line(
            name,
            [_cell(n * width, width, mark) for n, mark in sorted(by_name[name].items())],
            len(days[name]),
        )
        for name in names[:MOST_LINES]
    ]
    return Strip(lines, _ticks(openings, step), step, max(len(names) - MOST_LINES, 0))


def _openings(first: date, last: date) -> tuple[str, list[date]]:
    days = (last - first).days + 1
    if days <= MOST_CELLS:
        return "day", [first + timedelta(days=n) for n in range(days)]
    if days <= MOST_CELLS * 7:
        monday = first - timedelta(days=first.weekday())
        return "week", [monday + timedelta(weeks=n) for n in range((last - monday).days // 7 + 1)]
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    return "month", [
        date(first.year + (first.month - 1 + n) // 12, (first.month - 1 + n) % 12 + 1, 1)
        for n in range(months)
    ]


def _days(openings: Sequence[date], n: int, opening: date, last: date) -> list[date]:
    following = openings[n + 1] if n + 1 < len(openings) else last + timedelta(days=1)
    return [opening + timedelta(days=day) for day in range((following - opening).days)]


def _cell(x: float, width: float, mark: Mark) -> Cell:
    height = (4, 10, 18, 26)[mark.level]
    gap = min(width * 0.12, 0.4)
    return Cell(round(x + gap / 2, 3), round(width - gap, 3), 28 - height, height, mark.words, mark.is_open)


def _ticks(openings: Sequence[date], step: str) -> list[Tick]:
    """Return at most four words, none so far right that it would be cut."""
    wanted = min(4, len(openings))
    every = max(len(openings) // wanted, 1)
    ticks = []
    for n in range(0, len(openings), every):
        day = openings[n]
        x = n * 100 / len(openings)
        if x <= 82:
            text = f"{day:%b} {day.year}" if step == "month" else f"{day.day} {day:%b}"
            ticks.append(Tick(round(x, 3), text))
    return ticks
