"""The pages of sleep: the same numbers as the API's, in words; what is not told is not shown."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html import unescape

import pytest

from appliance.domain.key import Scope
from tests.fixtures.documents import document, metric
from tests.fixtures.house import a_phone
from tests.fixtures.visits import words
from web.units import hours_text

LAST = date(2026, 8, 20)  # the clock's day is a Thursday
HOSTILE = "<script>alert(1)</script>"


def a_night(day: date, total: float = 7.0, bed: str = "23:00", up: str = "07:00", **more) -> dict:
    """A summed night to a day; bed times from noon on are the evening before."""
    begin = f"{day - timedelta(days=bed > '12')} {bed}:00 +0200"
    end = f"{day} {up}:00 +0200"
    return {
        "date": f"{day} 00:00:00 +0200",
        "totalSleep": total,
        "asleep": 0,
        "core": total - 2.5,
        "deep": 1.0,
        "rem": 1.5,
        "awake": 0.4,
        "sleepStart": begin,
        "sleepEnd": end,
        "inBed": 0,
        "inBedStart": begin,
        "inBedEnd": end,
        "source": "Watch",
    } | more


def sleep(*nights: dict) -> dict:
    return document(metric("sleep_analysis", "hr", *nights))


def test_without_nights_the_page_says_what_to_do(visitor):
    assert "Wear the watch at night" in visitor.open("/sleep")
    assert "No nights in this time" in visitor.open("/sleep/over-time")


def test_a_night_is_shown_with_the_numbers_of_the_api(visitor, phone):
    phone.send(sleep(a_night(LAST, 7.2, bed="23:12", up="06:54")))
    told = phone.get(f"/api/v1/sleep/{LAST}")
    shown = words(visitor.open("/sleep"))
    assert "Night to Thursday, 20 August 2026" in shown
    for number in (
        told["hours"]["total"],
        told["hours"]["deep"],
        told["hours"]["core"],
        told["hours"]["awake"],
    ):
        assert hours_text(number) in shown
    assert f"Efficiency {told['efficiency']:.0f} %" in shown
    assert "Fell asleep 23:12" in shown
    assert "Woke up 06:54" in shown
    assert told["why"] in shown
    assert "shows once seven nights" in shown


def test_what_is_usual_comes_from_the_nights_before(visitor, phone):
    phone.send(
        sleep(*(a_night(LAST - timedelta(days=n), 7 + n % 3 / 10) for n in range(1, 12)), a_night(LAST, 5.5))
    )
    shown = words(visitor.open(f"/sleep?night={LAST}"))
    assert "below your usual" in shown
    assert "11 nights before this one" in shown


def test_the_charts_ask_for_this_night_and_what_was_measured_in_it(visitor, phone):
    phone.send(
        document(
            metric("sleep_analysis", "hr", a_night(LAST)),
            metric(
                "heart_rate",
                "bpm",
                {"date": f"{LAST} 03:00:00 +0200", "Min": 50, "Avg": 52, "Max": 55, "source": "Watch"},
            ),
        )
    )
    page = visitor.open("/sleep")
    assert f'src="/api/v1/sleep/{LAST}"' in page
    (overlay,) = re.findall(r'overlay="([^"]+)"', page)
    answer = visitor.client.get(unescape(overlay))
    assert answer.status_code == 200
    assert [item["value"] for item in answer.get_json()["items"]] == [52]


def test_a_day_without_a_night_leads_to_the_one_before(visitor, phone):
    phone.send(sleep(a_night(LAST - timedelta(days=40))))
    page = visitor.open(f"/sleep?night={LAST}")
    assert "Nothing was told of this night" in page
    assert f"?night={LAST - timedelta(days=40)}" in page
    assert "Night to Saturday, 11 July 2026" in visitor.open("/sleep")
    assert "Nothing was told" in visitor.open("/sleep?night=1950-01-01") or "No sleep yet" in visitor.open(
        "/sleep?night=1950-01-01"
    )


def test_naps_stand_apart_and_two_sources_are_never_added(visitor, phone):
    phone.send(
        sleep(
            a_night(LAST, 7.0),
            a_night(LAST, 1.0, bed="09:30", up="10:30", core=1.0, deep=0, rem=0, awake=0),
            a_night(LAST, 9.0, source="Ring", core=0, deep=0, rem=0, asleep=9.0),
        )
    )
    shown = words(visitor.open("/sleep"))
    assert "Naps 09:30 – 10:30 1 h 00 min" in shown
    assert "Together with the night 8 h 00 min asleep" in shown
    assert "Ring 9 h 00 min asleep" in shown
    assert "It tells sleep stages, the others do not." in shown
    assert "16 h" not in shown


def test_odd_nights_are_told_in_words(visitor, phone):
    phone.send(
        sleep(a_night(LAST, 15.0, sleepStart=None, sleepEnd=None, inBedStart=None, inBedEnd=None, inBed=16.0))
    )
    page = visitor.open("/sleep")
    assert "More than 14 hours of sleep" in page
    assert "cannot be drawn on the clock" in page
    assert "<hb-night" not in page


def test_habits_are_told_across_midnight(visitor, phone):
    beds = ["23:30", "00:30", "23:50", "00:10", "00:00"]
    phone.send(sleep(*(a_night(LAST - timedelta(days=n), 6.5, bed=bed) for n, bed in enumerate(beds))))
    shown = words(visitor.open("/sleep/over-time?range=w"))
    assert "Usually asleep at 00:00" in shown
    assert "Usually awake at 07:00" in shown
    assert "5 of 7 nights told" in shown
    assert "6 h 30 min" in shown


def test_every_night_stands_in_the_table_page_by_page(visitor, phone):
    phone.send(sleep(*(a_night(LAST - timedelta(days=n)) for n in range(35))))
    first, second = (visitor.open(f"/sleep/over-time?range=3m&page={n}") for n in (1, 2))
    rows = [re.findall(r'href="/sleep\?night=([\d-]+)"', page) for page in (first, second)]
    assert rows[0] + rows[1] == [str(LAST - timedelta(days=n)) for n in range(35)]
    assert visitor.open("/sleep/over-time?range=3m&page=-1&page=9").count("<h1>") == 1


@pytest.mark.parametrize(
    "query", ["range=d", "range=all", "range=y", "start=2026-08-01&end=2026-08-05", "range=x&page=x"]
)
def test_any_range_can_be_shown(visitor, phone, query):
    phone.send(sleep(a_night(LAST), a_night(LAST - timedelta(days=16))))
    assert "Sleep over time" in visitor.open(f"/sleep/over-time?{query}")


def test_who_sleeps_at_all_hours_is_given_no_usual_time(visitor, phone):
    spans = [("22:00", "06:00"), ("14:00", "22:00"), ("06:00", "14:00")] * 3
    # A sleep from the afternoon on ends on the day before.
    phone.send(
        sleep(
            *(
                a_night(LAST - timedelta(days=2 * n), bed=bed, up=up)
                | ({"sleepStart": f"{LAST - timedelta(days=2 * n)} 14:00:00 +0200"} if bed == "14:00" else {})
                | ({"inBedStart": f"{LAST - timedelta(days=2 * n)} 14:00:00 +0200"} if bed == "14:00" else {})
                for n, (bed, up) in enumerate(spans)
            )
        )
    )
    assert "no usual time" in words(visitor.open("/sleep/over-time"))


def test_the_name_of_a_source_is_text_and_nothing_else(visitor, phone):
    phone.send(sleep(a_night(LAST, source=HOSTILE), a_night(LAST, source='" onload="x' + "ö" * 3000)))
    for path in ("/sleep", "/sleep/over-time"):
        page = visitor.open(path)
        assert HOSTILE not in page
        assert '" onload' not in page
    assert "&lt;script&gt;alert(1)" in visitor.open("/sleep")


def test_other_peoples_nights_are_not_there(app, services, visitor, phone):
    other = a_phone(app, services, "Ben", list(Scope))
    other.send(sleep(a_night(LAST, 8.9)))
    assert "Wear the watch at night" in visitor.open(f"/sleep?night={LAST}")
    assert visitor.client.get(f"/api/v1/sleep/{LAST}").status_code == 404
