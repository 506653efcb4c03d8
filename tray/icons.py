"""The icon, drawn for each size it is shown in; every state has a shape of its own, for those who see no colours.

Each is a solid form with a white sign in it and a thin light rim, so that it stands out from dark panels and light ones.
Drawn on a grid of 16 units, eight times too large, and then made smaller: edges fall on whole pixels at 16, 32, 48 and 64.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from PIL import Image, ImageDraw

from tray.state import Kind

SIZES = (16, 22, 24, 32, 48, 64)
GRID = 16
FINER = 8
COLOURS = {
    Kind.FRESH: "#0f7b5f",
    Kind.SILENT: "#b36200",
    Kind.STARTING: "#2563b8",
    Kind.STOPPED: "#63676e",
    Kind.TROUBLE: "#c62828",
}
SIGN, RIM = "#ffffff", (255, 255, 255, 170)

Point = tuple[float, float]


@cache
def picture(kind: Kind, size: int) -> Image.Image:
    """Return the icon of a state, `size` pixels wide and high, on nothing."""
    canvas = _Canvas(size)
    {
        Kind.FRESH: _fresh,
        Kind.SILENT: _silent,
        Kind.STARTING: _starting,
        Kind.STOPPED: _stopped,
        Kind.TROUBLE: _trouble,
    }[kind](canvas, COLOURS[kind])
    return canvas.finished()


def argb(kind: Kind, size: int) -> bytes:
    """Return the icon's pixels as StatusNotifierItem wants them: alpha, red, green, blue."""
    red, green, blue, alpha = picture(kind, size).convert("RGBA").split()
    return Image.merge("RGBA", (alpha, red, green, blue)).tobytes()


def _fresh(canvas: _Canvas, colour: str) -> None:
    """Draw a full disc with a heartbeat."""
    canvas.disc(8, 8, 8, RIM)
    canvas.disc(8, 8, 7.5, colour)
    canvas.line([(2.5, 8.5), (5, 8.5), (6.7, 4), (9.3, 12), (11, 8.5), (13.5, 8.5)], 1.5, SIGN)


def _silent(canvas: _Canvas, colour: str) -> None:
    """Draw a ring, open in the middle, with a flat line through it."""
    canvas.disc(8, 8, 8, RIM)
    canvas.disc(8, 8, 7.5, colour)
    canvas.disc(8, 8, 5.2, SIGN)
    canvas.line([(3.6, 8), (12.4, 8)], 2, colour)


def _starting(canvas: _Canvas, colour: str) -> None:
    """Draw a disc of which one half is filled."""
    canvas.disc(8, 8, 8, RIM)
    canvas.disc(8, 8, 7.5, colour)
    canvas.half(8, 8, 5.6, SIGN)


def _stopped(canvas: _Canvas, colour: str) -> None:
    """Draw a square with a square in it, as on every player."""
    canvas.square(1, 1, 15, 15, 2.5, RIM)
    canvas.square(1.5, 1.5, 14.5, 14.5, 2, colour)
    canvas.square(5, 5, 11, 11, 0, SIGN)


def _trouble(canvas: _Canvas, colour: str) -> None:
    """Draw a triangle with an exclamation mark."""
    canvas.triangle([(8, 0.2), (16, 15.3), (0, 15.3)], RIM)
    canvas.triangle([(8, 1.4), (15.1, 14.8), (0.9, 14.8)], colour)
    canvas.square(7, 5.5, 9, 10.5, 0.5, SIGN)
    canvas.square(7, 11.6, 9, 13.6, 0.5, SIGN)


class _Canvas:
    """Draws in grid units."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._unit = size * FINER / GRID
        # Transparent white, not black: what is made smaller must not get dark edges.
        self._image = Image.new("RGBA", (size * FINER, size * FINER), (255, 255, 255, 0))
        self._pen = ImageDraw.Draw(self._image)

    def finished(self) -> Image.Image:
        return self._image.resize((self._size, self._size), Image.Resampling.BOX)

    def disc(self, x: float, y: float, radius: float, colour: object) -> None:
        self._pen.ellipse(self._box(x - radius, y - radius, x + radius, y + radius), fill=colour)  # type: ignore[arg-type]

    def half(self, x: float, y: float, radius: float, colour: str) -> None:
        self._pen.pieslice(self._box(x - radius, y - radius, x + radius, y + radius), 90, 270, fill=colour)

    def square(
        self, left: float, top: float, right: float, bottom: float, radius: float, colour: object
    ) -> None:
        self._pen.rounded_rectangle(
            self._box(left, top, right, bottom),
            radius * self._unit,
            fill=colour,  # type: ignore[arg-type]
        )

    def triangle(self, corners: Sequence[Point], colour: object) -> None:
        self._pen.polygon([self._at(corner) for corner in corners], fill=colour)  # type: ignore[arg-type]

    def line(self, points: Sequence[Point], width: float, colour: str) -> None:
        for begin, end in pairwise(points):
            self._pen.line([self._at(begin), self._at(end)], fill=colour, width=round(width * self._unit))
        for x, y in points:
            self.disc(x, y, width / 2, colour)

    def _at(self, point: Point) -> Point:
        return point[0] * self._unit, point[1] * self._unit

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        # Pillow counts the last pixel in.
        return left * self._unit, top * self._unit, right * self._unit - 1, bottom * self._unit - 1
