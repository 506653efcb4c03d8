"""Time spent elsewhere on the page of imports: told, refused with a sentence, and removed."""

from __future__ import annotations

from datetime import date

import pytest

from appliance.domain.whereabouts import DaysAway
from tests.fixtures.visits import words

TOKYO = {"first": "2024-07-01", "last": "2024-07-14", "zone": "Asia/Tokyo"}


@pytest.fixture
def kept(services, visitor):
    return lambda: services.people.days_away(services.people.named("Anna").person_id)


def test_a_time_away_is_added_shown_and_removed(visitor, kept):
    assert "Of most of it, Apple's export does not say where you were" in words(visitor.open("/history"))
    answer = visitor.send("/history/away", **TOKYO)
    assert (answer.status_code, answer.location) == (302, "/history?done=away#away")
    assert kept() == [DaysAway(date(2024, 7, 1), date(2024, 7, 14), "Asia/Tokyo")]
    told = visitor.open(answer.location)
    assert "It is kept" in words(told)
    assert "1 – 14 July 2024 Asia/Tokyo" in words(told)
    for name, value in TOKYO.items():
        assert f'<input type="hidden" name="{name}" value="{value}">' in told
    answer = visitor.send("/history/away/remove", **TOKYO)
    told = words(visitor.open(answer.location))
    assert "It is removed" in told
    assert "July 2024" not in told
    assert kept() == []
    gone = visitor.send("/history/away/remove", **TOKYO)
    assert (gone.status_code, "removed already" in words(gone.text)) == (404, True)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("zone", "Mars", "There is no time zone “Mars”"),
        ("last", "2024-06-30", "lies before the first"),
        ("first", "", "is no day"),
    ],
)
def test_what_is_no_time_away_is_refused_in_its_place_and_can_be_mended(
    visitor, kept, field, value, sentence
):
    answer = visitor.send("/history/away", **(TOKYO | {field: value}))
    assert answer.status_code == 400
    assert sentence in words(answer.text)
    assert 'role="alert"' in answer.text
    for name, told in (TOKYO | {field: value}).items():
        assert f'name="{name}"' in answer.text
        assert f'value="{told}">' in answer.text
    assert kept() == []


def test_hostile_words_stay_words(visitor, kept):
    hostile = '"><script>alert(1)</script>'
    for field in TOKYO:
        answer = visitor.send("/history/away", **(TOKYO | {field: hostile}))
        assert answer.status_code == 400
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;" in answer.text
    assert visitor.send("/history/away").status_code == 400
    assert visitor.send("/history/away", **(TOKYO | {"zone": "a\0b"})).status_code == 400
    foreign = visitor.client.post("/history/away", data=TOKYO, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert kept() == []
