"""Strips along time and JSON laid out for reading: the pure parts of the records and uploads pages."""

from __future__ import annotations

import json
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.upload import Counts
from web.laid_out import laid_out
from web.receipts import shares_of
from web.strips import MOST_LINES, Mark, strip_of

FIRST = date(2026, 1, 1)
days = st.integers(0, 5000).map(lambda n: FIRST + timedelta(days=n))
marks = st.lists(
    st.builds(Mark, st.sampled_from("abc"), days, st.integers(0, 3), st.just("words"), st.booleans())
)


@given(marks, st.integers(1, 5000))
def test_every_cell_lies_inside_its_strip_and_cells_of_a_line_never_overlap(told, width):
    strip = strip_of(told, FIRST, FIRST + timedelta(days=width - 1))
    for line in strip.lines:
        ends = 0.0
        for cell in line.cells:
            assert cell.x >= ends - 0.01
            ends = cell.x + cell.width
        assert ends <= 100.01
    assert sum(line.days for line in strip.lines) == len(
        {(mark.name, mark.day) for mark in told if mark.day < FIRST + timedelta(days=width)}
    )


def test_of_several_marks_on_a_day_the_highest_shows_and_taken_stands_before_skipped():
    told = [
        Mark("x", FIRST, 3, "skipped", is_open=True),
        Mark("x", FIRST, 3, "taken"),
        Mark("x", FIRST, 1, "low"),
    ]
    (cell,) = strip_of(told, FIRST, FIRST).lines[0].cells
    assert (cell.words, cell.is_open) == ("taken", False)


def test_a_long_time_has_weeks_and_then_months_for_cells():
    assert strip_of([], FIRST, FIRST + timedelta(days=30)).step == "day"
    assert strip_of([], FIRST, FIRST + timedelta(days=364)).step == "week"
    assert strip_of([], FIRST, FIRST + timedelta(days=3000)).step == "month"


def test_very_many_names_leave_a_strip_readable_and_say_how_many_are_missing():
    strip = strip_of((Mark(str(n), FIRST, 1, "") for n in range(50)), FIRST, FIRST)
    assert (len(strip.lines), strip.hidden) == (MOST_LINES, 50 - MOST_LINES)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_a_body_laid_out_is_the_same_json(value):
    assert json.loads(laid_out(json.dumps(value, ensure_ascii=False))) == value


@given(st.text())
def test_laying_out_loses_nothing_of_a_text_that_is_no_json(text):
    assert "".join(laid_out(text).split()) == "".join(text.split())


def test_numbers_stay_as_they_were_spelt_and_a_cut_text_is_laid_out_too():
    assert laid_out('{"a":[1.50,{}],"b":"x, y') == '{\n  "a": [\n    1.50,\n    {}\n  ],\n  "b": "x, y'


@given(st.builds(Counts, st.just(0), *[st.integers(0, 10**6)] * 5))
def test_the_bar_of_an_upload_fills_its_width_and_shows_the_smallest_part(counts):
    shares = shares_of(counts)
    assert [share.count for share in shares] == [
        count for count in list(counts.as_dict().values())[1:] if count
    ]
    if shares:
        assert abs(shares[-1].x + shares[-1].width - 100) < 0.05
        assert min(share.width for share in shares) > 1
