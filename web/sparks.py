"""Small pictures that are part of the page's own HTML: geometry in Python, laid out by `parts/sparks.html`.

All are drawn into a box of `WIDTH` × `HEIGHT` that is stretched to its place, so strokes must not scale with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.domain.usual import Band

WIDTH, HEIGHT = 100.0, 30.0
_MARGIN = 3.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the picture's own units."""

    x: float
    y: float
    width: float
    height: float
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class Spark:
    """Either bars or a line with gaps where nothing was told; `words` say what is seen."""

    words: str
    bars: tuple[Box, ...] = ()
    line: str = ""
    dot: str = ""
    band: Box | None = None


def bars(values: Sequence[float | None], words: str) -> Spark:
    """Return amounts as bars from 0."""
    highest = max((value for value in values if value is not None), default=0.0)
    step = WIDTH / len(values)
    found = []
    for n, value in enumerate(values):
        if value is not None:
            height = max(HEIGHT * value / highest, 0.8) if highest > 0 and value > 0 else 0.8
            found.append(
                _box(n * step + step * 0.15, HEIGHT - height, step * 0.7, height, n == len(values) - 1)
            )
    return Spark(words, bars=tuple(found))


def line(values: Sequence[float | None], band: Band | None, words: str) -> Spark:
    """Return values as a line that is broken where a day is missing, before what is usual."""
    told = [value for value in values if value is not None]
    if not told:
        return Spark(words)
    ends = [*told, band.low, band.high] if band else told
    low, high = min(ends), max(ends)
    spread = (high - low) or 1.0

    def at(value: float) -> float:
        height = HEIGHT - 2 * _MARGIN
        return HEIGHT / 2 if high == low else HEIGHT - _MARGIN - height * (value - low) / spread

    step = (WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)
    path, pen_is_down, last = [], False, ""
    for n, value in enumerate(values):
        if value is None:
            pen_is_down = False
            continue
        place = f"{_MARGIN + n * step:.1f} {at(value):.1f}"
        # A day between two gaps is a line of no length, which round ends make a dot.
        alone = not pen_is_down and (n + 1 == len(values) or values[n + 1] is None)
        path.append(f"{'L' if pen_is_down else 'M'}{place}{'h0' if alone else ''}")
        pen_is_down, last = True, place
    shade = _box(0, at(band.high), WIDTH, max(at(band.low) - at(band.high), 1.0)) if band else None
    return Spark(words, line="".join(path), dot=f"M{last}h0", band=shade)


def _box(x: float, y: float, width: float, height: float, is_last: bool = False) -> Box:  # noqa: FBT001, FBT002  a private shorthand
    return Box(round(x, 2), round(y, 2), round(width, 2), round(height, 2), is_last)
