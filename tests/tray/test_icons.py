from __future__ import annotations

from itertools import combinations

import pytest
from PIL import Image, ImageChops, ImageStat

from tray.icons import SIZES, argb, picture
from tray.state import Kind

GROUNDS = {"light": (245, 245, 245), "dark": (30, 32, 36)}


def on(ground, kind, size):
    canvas = Image.new("RGB", (size, size), ground)
    drawn = picture(kind, size)
    canvas.paste(drawn, (0, 0), drawn)
    return canvas


def apart(one, other):
    return ImageStat.Stat(ImageChops.difference(one.convert("L"), other.convert("L"))).mean[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ground", GROUNDS.values(), ids=GROUNDS)
def test_every_state_stands_out_and_differs_from_every_other_without_colours(size, ground):
    seen = {kind: on(ground, kind, size) for kind in Kind}
    empty = Image.new("RGB", (size, size), ground)
    assert all(apart(each, empty) > 25 for each in seen.values())
    assert min(apart(seen[one], seen[other]) for one, other in combinations(Kind, 2)) > 10


@pytest.mark.parametrize("kind", Kind)
def test_edges_are_one_pixel_wide_at_every_size(kind):
    # A pixel that is half there belongs to an edge, which is one pixel wide and about three times as long as the icon.
    for size in (16, 32, 64):
        shares = picture(kind, size).getchannel("A").histogram()
        blurred = sum(shares[8:160]) / size / size
        assert blurred < 3 / size, (kind, size)


def test_the_bus_gets_alpha_first():
    drawn = picture(Kind.TROUBLE, 16)
    red, green, blue, alpha = drawn.getpixel((8, 13))
    at = (13 * 16 + 8) * 4
    assert tuple(argb(Kind.TROUBLE, 16)[at : at + 4]) == (alpha, red, green, blue)
    assert alpha == 255
    assert len(argb(Kind.TROUBLE, 16)) == 16 * 16 * 4
