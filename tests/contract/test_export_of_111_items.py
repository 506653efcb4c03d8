"""A day and a half as the phone exports it, in 111 items of every shape a metric has."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from copy import deepcopy
from pathlib import Path

import pytest

from tests.fixtures.documents import document
from tests.fixtures.house import a_phone
from tests.fixtures.tables import HELD, TRUTH, held_in

BODY = json.loads((Path(__file__).parents[1] / "payloads" / "export_111.json").read_text(encoding="utf-8"))
KJ_IN_KCAL = 4.184
COUNTS = "received, stored, revised, unchanged, superseded, quarantined"


def items():
    return [(entry, item) for entry in BODY["data"]["metrics"] for item in entry["data"]]


def shuffled(body, seed):
    """The same document with everything in another order, and whole numbers spelt the other way."""
    dice = random.Random(seed)

    def mix(value):
        match value:
            case dict():
                pairs = [(name, mix(item)) for name, item in value.items()]
                dice.shuffle(pairs)
                return dict(pairs)
            case list():
                return dice.sample([mix(item) for item in value], len(value))
            case int():
                return float(value)
            case float() if value.is_integer():
                return int(value)
            case _:
                return value

    return mix(deepcopy(body))


def part(chosen):
    """A document of some of the items, each in its metric."""
    entries = {}
    for entry, item in chosen:
        entries.setdefault(entry["name"], entry | {"data": []})["data"].append(item)
    return document(*entries.values())


def sums_sent(name):
    days = defaultdict(float)
    for entry, item in items():
        if entry["name"] == name:
            days[item["date"][:10]] += item["qty"]
    return days


@pytest.fixture(params=["", "Hours"], ids=["without the header", "by hours"])
def grouping(request):
    return {"automation_aggregation": request.param} if request.param else {}


def test_the_export_has_111_items_of_every_shape():
    shapes = {frozenset(item) - {"date", "source"} for _, item in items()}
    assert len(items()) == 111
    assert shapes == {
        frozenset({"qty"}),
        frozenset({"Min", "Avg", "Max"}),
        frozenset({"systolic", "diastolic"}),
        frozenset({"qty", "mealTime"}),
    }


def test_all_of_it_is_stored_and_every_receipt_adds_up(phone, ask, grouping):
    receipt = phone.send(BODY, **grouping)
    assert (receipt["status"], receipt["errors"]) == ("processed", [])
    assert receipt["counts"] == {
        "received": 111,
        "stored": 111,
        "revised": 0,
        "unchanged": 0,
        "superseded": 0,
        "quarantined": 0,
    }
    assert ask(f"SELECT {COUNTS} FROM upload") == [tuple(receipt["counts"].values())]
    pairs = sum("systolic" in item for _, item in items())
    assert ask("SELECT count(*) FROM sample") == [(111 + pairs,)]
    assert ask("SELECT sum(samples) FROM series") == [(111 + pairs,)]


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_same_again_is_unchanged_however_it_is_ordered(phone, ask, grouping, seed):
    phone.send(BODY, **grouping)
    before = ask(HELD), ask(TRUTH)
    receipt = phone.send(BODY if seed is None else shuffled(BODY, seed), **grouping)
    assert (receipt["status"], receipt["counts"]["unchanged"]) == ("unchanged", 111)
    assert (ask(HELD), ask(TRUTH)) == before
    assert ask("SELECT count(*) FROM revision") == [(0,)]


@pytest.mark.parametrize("seed", [None, 3])
def test_seven_posts_fill_the_same_tables_as_one(app, services, ask, seed):
    phone = a_phone(app, services, "Anna", ["ingest", "read"])
    phone.send(BODY, automation_aggregation="Hours")
    whole = held_in(ask)
    ask("TRUNCATE sample, rollup, series, source, upload CASCADE")
    order = items() if seed is None else random.Random(seed).sample(items(), 111)
    for n in range(7):
        phone.send(part(order[n::7]), automation_aggregation="Hours")
    assert held_in(ask) == whole
    assert ask("SELECT sum(received), sum(stored) FROM upload") == [(111, 111)]


def test_day_sums_are_the_sums_that_were_sent(phone, grouping):
    phone.send(BODY, **grouping)
    for name, factor in (
        ("step_count", 1),
        ("walking_running_distance", 1),
        ("active_energy", 1 / KJ_IN_KCAL),
    ):
        expected = {day: pytest.approx(total * factor, rel=1e-12) for day, total in sums_sent(name).items()}
        assert phone.days(name) == expected, name


def test_every_shape_is_read_for_what_it_is(phone):
    phone.send(BODY, automation_aggregation="Hours")
    hearts = [item for entry, item in items() if entry["name"] == "heart_rate"]
    assert [(s["min"], s["value"], s["max"]) for s in phone.samples("heart_rate")] == [
        (item["Min"], item["Avg"], item["Max"]) for item in hearts
    ]
    assert [s["value"] for s in phone.samples("blood_pressure_systolic")] == [121, 118, 125]
    assert [s["value"] for s in phone.samples("blood_pressure_diastolic")] == [79, 76.5, 81]
    assert [s["extra"] for s in phone.samples("blood_glucose")] == [
        {"mealTime": "Before Meal"},
        {"mealTime": "After Meal"},
    ]
    assert {s["source"] for s in phone.samples("step_count")} == {"Mara's Apple Watch | Mara's iPhone"}
    assert {s["source"] for s in phone.samples("apple_stand_hour")} == {""}


def test_a_metric_nobody_knows_is_held_under_its_own_name_and_unit(phone):
    phone.send(BODY, automation_aggregation="Hours")
    (told,) = [told for told in phone.get("/api/v1/metrics")["items"] if not told["known"]]
    assert (told["key"], told["unit"], told["count"]) == ("aura_brightness", "lm", 3)
    assert (told["kind"], told["aggregate"]) == (None, None)
    assert [sample["value"] for sample in phone.samples("aura_brightness")] == [7.5, 8.5, 9.5]
    (day,) = phone.get("/api/v1/metrics/aura_brightness/series", bucket="day")
    assert (day["value"], day["min"], day["max"], day["count"]) == (None, 7.5, 9.5, 3)
