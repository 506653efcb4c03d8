"""A word means one key, and the key of a name is a category."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from appliance.catalog.load import Catalogue
    from tests.catalog.conftest import BreakableData

SINUS = {"kind": "ecg", "field": "classification", "key": "sinus_rhythm"}


def test_every_word_and_every_key_stands_for_its_key(catalogue: Catalogue, shipped_rows):
    for row in shipped_rows("words.csv"):
        for word in [row["key"], *filter(None, row["words"].split("|"))]:
            assert catalogue.words.key(row["kind"], row["field"], word) == row["key"], word


def test_capitals_spaces_and_signs_make_no_difference(catalogue: Catalogue):
    for word in ("sinus rhythm", "SINUS_RHYTHM", " Sinus-Rhythm.", "ｓinus rhythm"):
        assert catalogue.words.key("ecg", "classification", word) == "sinus_rhythm"


@pytest.mark.parametrize(
    "place",
    [("ecg", "classification", "sinus"), ("ecg", "status", "Taken"), ("none", "classification", "Sinus Rhythm"),
     ("ecg", "classification", ""), ("ecg", "classification", "x" * 10_000)],
)  # fmt: skip
def test_what_is_not_listed_stands_for_nothing(catalogue: Catalogue, place):
    assert catalogue.words.key(*place) is None


def test_no_word_of_a_name_is_already_the_name_of_another_category(catalogue: Catalogue, shipped_rows):
    for row in shipped_rows("words.csv"):
        if row["field"] == "name":
            for word in filter(None, row["words"].split("|")):
                known = catalogue.category(word)
                assert known is None or known.key == row["key"], word


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"words": "Calm|Vorhofflimmern"}, "words", "“Vorhofflimmern” already stands for"),
        ({"words": "---"}, "words", "“---” has no letter"),
        ({"words": "a||b"}, "words", "empty part"),
        ({"key": ""}, "key", "no default"),
        ({"kind": ""}, "kind", "no default"),
    ],
)
def test_a_wrong_row_is_refused_where_it_is_wrong(data: BreakableData, cells, column, words):
    data.add("words.csv", SINUS, **{"key": "calm", "words": "Calm"} | cells)
    sentence = data.refusal()
    assert re.match(rf"words.csv, line \d+ \(.*\), column “{column}”: ", sentence)
    assert words in sentence


def test_a_key_that_is_there_twice_is_refused(data: BreakableData):
    data.add("words.csv", SINUS, words="Calm")
    assert "“sinus_rhythm” is already on line 2" in data.refusal()


@pytest.mark.parametrize("kind", ["symptoms", "cycle"])
def test_a_name_that_leads_to_no_category_is_refused(data: BreakableData, kind):
    data.add("words.csv", SINUS, kind=kind, field="name", key="moonlight", words="Mondlicht")
    assert "there is no category “moonlight”" in data.refusal()
