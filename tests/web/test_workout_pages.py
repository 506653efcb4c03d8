"""The pages of workouts: the API's numbers in a person's units, filters, splits, and nobody else's runs."""

from __future__ import annotations

import csv
import io
import math
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from appliance.domain.key import Scope
from appliance.domain.preferences import Energy, Preferences, Units
from tests.fixtures.house import a_phone
from tests.fixtures.visits import words

HOSTILE = "<img src=x onerror=alert(1)>"
DEGREE_M = 6_371_008.8 * math.pi / 180
START = datetime(2026, 8, 19, 18, tzinfo=UTC)  # the day before the clock's


def at(second: float, day: int = 0) -> str:
    return f"{START + timedelta(days=day, seconds=second):%Y-%m-%d %H:%M:%S} +0000"


def quantity(qty: float, units: str) -> dict:
    return {"qty": qty, "units": units}


def workout(n: int = 1, day: int = 0, **fields) -> dict:
    """Half an hour's run of 5 km."""
    return {
        "id": f"0A0B0C0D-1111-4222-8333-{n:012}",
        "name": "Outdoor Run",
        "start": at(0, day),
        "end": at(1800, day),
        "duration": 1800,
        "distance": quantity(5, "km"),
        **fields,
    }


def north(seconds: int, speed: float = 2.5, begin: int = 0, metres: float = 0) -> list[dict]:
    """A route due north, a point every five seconds."""
    return [
        {
            "latitude": (metres + speed * n) / DEGREE_M,
            "longitude": 10.0,
            "altitude": 100 + n / 100,
            "speed": speed,
            "timestamp": at(begin + n),
        }
        for n in range(0, seconds + 1, 5)
    ]


def beats(*rates: float) -> list[dict]:
    return [
        {"date": at(60 * n), "Min": rate - 1, "Avg": rate, "Max": rate + 1, "units": "bpm", "source": "Watch"}
        for n, rate in enumerate(rates)
    ]


def send(phone, *items: dict) -> None:
    counts = phone.send({"data": {"workouts": list(items)}})["counts"]
    assert counts["quarantined"] == 0, counts


def address(phone, n: int = 0) -> str:
    return f"/workouts/{phone.get('/api/v1/workouts')['items'][n]['id']}"


def listed(page: str) -> list[str]:
    """Return the numbers of the workouts in the list, without those of the bests."""
    return re.findall(r'<li><a href="/workouts/(\d+)">', page)


def test_without_workouts_the_page_says_what_to_do(visitor):
    assert "No workouts yet" in visitor.open("/workouts")


def test_the_list_adds_up_and_names_the_best(visitor, phone):
    send(
        phone,
        workout(1),
        workout(2, -7, duration=3600, end=at(3600, -7), distance=quantity(9, "km")),
        workout(3, -8, name="Yoga", distance=None),
    )
    page = visitor.open("/workouts")
    shown = words(page)
    assert "Workouts 3 Time 2 h 00 min Distance 14.00 km" in shown
    assert "6:00 /km" in shown
    assert "Farthest 9.00 km 12 Aug 2026" in shown
    assert "Fastest on average 6:00 /km 19 Aug 2026" in shown
    assert len(listed(page)) == 3
    hours = [
        sum(week["value"] for week in visitor.client.get(unescape(each)).get_json())
        for each in re.findall(r'src="([^"]+)"', page)[-1].split(" ")
    ]
    assert hours == [1.5, 0.5]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=yoga", 1),
        ("type=running&distance=6", 1),
        ("q=OUTDOOR", 2),
        ("minutes=31", 1),
        ("distance=abc&minutes=-1", 3),
        ("q=nothing+like+it", 0),
        ("start=2026-08-19&end=2026-08-20", 1),
        ("range=d", 0),
    ],
)
def test_the_list_is_filtered_by_its_address(visitor, phone, query, found):
    send(
        phone,
        workout(1),
        workout(2, -7, duration=3600, distance=quantity(9, "km")),
        workout(3, -8, name="Yoga", distance=None),
    )
    page = visitor.open(f"/workouts?{query}")
    assert len(listed(page)) == found
    assert found or "No workouts here" in page


def test_a_long_list_has_pages_and_loses_nobody(visitor, phone):
    send(phone, *(workout(n, -n) for n in range(1, 31)))
    pages = [listed(visitor.open(f"/workouts?type=running&page={n}")) for n in (1, 2)]
    assert [len(page) for page in pages] == [25, 5]
    assert len(set(pages[0] + pages[1])) == 30


def test_a_workout_shows_the_apis_numbers(visitor, phone):
    send(
        phone,
        workout(
            activeEnergyBurned=quantity(310.4, "kcal"),
            avgHeartRate=quantity(141, "bpm"),
            elevationUp=quantity(12, "m"),
            temperature=quantity(21, "degC"),
            isIndoor=False,
            heartRateData=beats(*[120] * 10, *[150] * 20),
            route=north(1800),
        ),
    )
    page = visitor.open(address(phone))
    shown = words(page)
    for told in (
        "Active time 30:00",
        "Distance 5.00 km",
        "Average pace 6:00 /km",
        "Active energy 310 kcal",
        "Average heart rate 141 bpm",
        "Height gained 12 m",
        "Air temperature 21 °C",
        "Outdoors",
    ):
        assert told in shown, told
    assert "<hb-route" in page
    for source in re.findall(r' src="(/api/[^"]+)"', page):
        assert visitor.client.get(unescape(source)).status_code == 200


def test_splits_leave_pauses_out_and_mark_the_rest(visitor, phone):
    way = north(480, 2.5) + north(520, 2.5, begin=480 + 300, metres=480 * 2.5 + 5)
    send(phone, workout(route=way, heartRateData=beats(*[120] * 20)))
    shown = words(visitor.open(address(phone)))
    assert "Splits by km" in shown
    assert re.search(r"1 6:40 6:40 /km 120 \+4 m 2 paused 5:00 6:40 6:40 /km", shown), shown
    assert re.search(r"0\.50 km rest 3:20 6:40 /km", shown), shown


def test_an_indoor_run_has_splits_by_its_minutes_and_no_way(visitor, phone):
    minutes = [{"date": at(60 * n), "qty": 0.2, "units": "km"} for n in range(12)]
    send(phone, workout(isIndoor=True, walkingAndRunningDistance=minutes))
    page = visitor.open(address(phone))
    assert "<hb-route" not in page
    shown = words(page)
    assert "Indoors" in shown
    assert "minute by minute, 2.40 km" in shown
    assert "1 5:00 5:00 /km" in shown


def test_zones_say_what_they_are_reckoned_from(visitor, phone, services):
    send(phone, workout(heartRateData=beats(*[100] * 5, *[150] * 10, *[190] * 2)))
    page = address(phone)
    shown = words(visitor.open(page))
    assert "4 Hard 148 – 166 bpm 10:00 59 %" in shown
    assert "185 bpm" in shown
    assert "You reached 191 bpm" in shown


def test_miles_and_kilojoules_are_shown_to_who_prefers_them(visitor, phone, services):
    send(phone, workout(activeEnergyBurned=quantity(100, "kcal"), route=north(1800)))
    person = services.people.everyone()[0].person_id
    services.sessions.prefer(person, Preferences(units=Units.IMPERIAL, energy=Energy.KJ))
    shown = words(visitor.open(address(phone)))
    assert "Distance 3.11 mi" in shown
    assert "Average pace 9:39 /mi" in shown
    assert "418 kJ" in shown
    assert "Splits by mi" in shown
    assert "At least, mi" in words(visitor.open("/workouts"))


def test_what_a_workout_said_before_stays_readable(visitor, phone):
    send(phone, workout())
    send(phone, workout(distance=quantity(5.2, "km")))
    shown = words(visitor.open(address(phone)))
    assert "distance km: 5, now 5.2" in shown


def test_all_points_can_be_taken_along_as_csv(visitor, phone):
    send(phone, workout(heartRateData=beats(120, 130), route=north(10)))
    answer = visitor.client.get(f"{address(phone)}/curves.csv")
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["value"] for row in rows if (row["curve"], row["channel"]) == ("heart_rate", "value")] == [
        "120.0",
        "130.0",
    ]
    assert sum(row["channel"] == "latitude" for row in rows) == 3


def test_the_names_a_phone_sends_are_text_and_nothing_else(visitor, phone):
    send(
        phone,
        workout(
            name=HOSTILE + "\u202e" + "x" * 2000,
            location='"><svg onload=alert(1)>',
            source="'; alert(1) //",
            unknownThing="</pre><script>alert(1)</script>",
            duration="never",
        ),
    )
    for path in ("/workouts", address(phone)):
        page = visitor.open(path)
        assert "<img src=x" not in page
        assert "<svg onload" not in page
        assert "<script>alert" not in page
        assert "&lt;img src=x" in page


def test_other_peoples_workouts_do_not_exist(app, services, visitor, phone):
    other = a_phone(app, services, "Ben", list(Scope))
    send(other, workout())
    for path in (address(other), f"{address(other)}/curves.csv"):
        assert visitor.client.get(path).status_code == 404
    assert "No workouts yet" in visitor.open("/workouts")
    assert all(week["value"] == 0 for week in visitor.client.get("/workouts/weeks").get_json())
