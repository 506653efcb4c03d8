"""Whatever is told in whatever order: the samples derived of nights say what the nights say."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from appliance.domain.record import Kind
from tests.fixtures.documents import document, metric

STAGES = ("In Bed", "Awake", "Core", "Deep", "REM", "Asleep")
METRICS = {"total": "sleep_total", "deep": "sleep_deep", "asleep": "sleep_asleep_unspecified"}


def spelt(dice, at):
    hours = dice.choice([-7, 0, 2, 2, 2, 9])
    return f"{at + timedelta(hours=hours):%Y-%m-%d %H:%M:%S} {hours * 100:+05}"


def a_point(dice):
    start = datetime(2026, 8, dice.randint(5, 8), tzinfo=UTC) + timedelta(minutes=15 * dice.randint(0, 95))
    end = start + timedelta(minutes=15 * dice.choice([0, 1, 2, 4, 8, 20, 30]))
    source = dice.choice(["Watch", "Ring", "Watch | iPhone", None])
    if dice.random() < 0.6:
        return {
            "start": spelt(dice, start),
            "end": spelt(dice, end),
            "value": dice.choice(STAGES),
            "source": source,
        }
    asleep = (end - start).total_seconds() / 3600 * dice.choice([0.5, 0.9])
    told = {
        "date": f"{end:%Y-%m-%d} 00:00:00 +0000",
        "sleepStart": spelt(dice, start),
        "sleepEnd": spelt(dice, end),
        "core": asleep,
        "deep": dice.choice([0, 0.25]),
        "asleep": dice.choice([0, 0.5]),
        "source": source,
    }
    for name in dice.sample(sorted(told), dice.choice([0, 0, 1, 2])):
        told[name] = None
    return told


def nights(phone):
    found = {}
    for night in phone.get("/api/v1/sleep")["items"]:
        for telling in phone.get(f"/api/v1/sleep/{night['date']}")["tellings"]:
            found[night["date"], telling["source"]] = telling["hours"]
    return found


def told_as_samples(phone, key):
    return {
        (sample["start"][:10], sample["source"]): sample["value"]
        for sample in phone.samples(key)
        if sample["value"] is not None
    }


@pytest.mark.parametrize("seed", range(4))
def test_derived_totals_say_what_the_nights_say_after_every_upload(phone, ask, seed):
    dice = random.Random(seed)
    sent = []
    for _ in range(8):
        points = [a_point(dice) for _ in range(dice.randint(1, 12))]
        sent.append(points)
        receipt = phone.send(
            document(metric("sleep_analysis", "hr", *dice.choice([points, dice.choice(sent)])))
        )
        assert set(receipt["kinds"]) == {Kind.SLEEP}
        held = nights(phone)
        for name, key in METRICS.items():
            expected = {place: hours[name] for place, hours in held.items() if hours[name] is not None}
            if expected:
                assert told_as_samples(phone, key) == pytest.approx(expected), key
    before = nights(phone), told_as_samples(phone, "sleep_total")
    for upload_id in dice.sample(range(1, 9), 8):
        answer = phone.client.post(
            f"/api/v1/uploads/{upload_id}/replay", headers={"X-API-Key": phone.key}, json={}
        )
        assert answer.status_code == 200, answer.text
    assert told_as_samples(phone, "sleep_total") == pytest.approx(
        {place: hours["total"] for place, hours in nights(phone).items() if hours["total"] is not None}
    )
    assert set(before[0]) == set(nights(phone))
